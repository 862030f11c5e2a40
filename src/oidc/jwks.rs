//! The issuer's key set, and the lookup of a token's key.

use std::collections::HashMap;

use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::jwt::UnverifiedJwt;

/// The usable keys of a key set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Jwk>,
    /// Indexes of `keys` by `kid`: one, unless the issuer published a name twice.
    by_kid: HashMap<String, Vec<usize>>,
    /// Whether a key has an `x5t`.
    has_thumbprints: bool,
}

/// The result of a lookup.
pub enum Lookup<'a> {
    /// The one key that fits.
    Found(&'a Jwk),
    /// No key with this name. A newer set may contain it.
    Unknown,
    /// The name is known but its key does not fit the algorithm, or several keys fit. A newer set
    /// would not help.
    Unfit,
}

impl KeySet {
    /// Parses a key set and omits each key that cannot or must not be used.
    ///
    /// `None` if the text is not a key set or contains no usable key.
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::oidc::jwks::KeySet;
    ///
    /// let key = r#"{ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }"#;
    /// // A key that cannot be used does not make the others unusable.
    /// let set = format!(r#"{{ "keys": [{{ "kty": "oct", "k": "c2VjcmV0" }}, {key}] }}"#);
    /// assert!(KeySet::read(set.as_bytes()).is_some());
    /// assert!(KeySet::read(br#"{ "keys": [{ "kty": "oct", "k": "c2VjcmV0" }] }"#).is_none());
    /// ```
    pub fn read(text: &[u8]) -> Option<Self> {
        let set: Value = serde_json::from_slice(text).ok()?;
        let keys: Vec<Jwk> = set
            .as_object()?
            .get("keys")?
            .as_array()?
            .iter()
            .filter_map(|jwk| Jwk::read(jwk.as_object()?))
            .collect();
        let mut by_kid: HashMap<String, Vec<usize>> = HashMap::with_capacity(keys.len());
        for (place, key) in keys.iter().enumerate() {
            if let Some(kid) = key.kid() {
                by_kid.entry(kid.to_owned()).or_default().push(place);
            }
        }
        let has_thumbprints = keys.iter().any(|key| key.thumbprint().is_some());
        (!keys.is_empty()).then_some(Self { keys, by_kid, has_thumbprints })
    }

    /// Finds the key of `jwt`: the one with its `kid`, and no other. Without a `kid`, the one with its
    /// `x5t`, if the set has any. Without both, the only key that fits the algorithm.
    pub fn find(&self, jwt: &UnverifiedJwt<'_>) -> Lookup<'_> {
        let algorithm = jwt.algorithm();
        if let Some(kid) = jwt.key_id() {
            return match self.by_kid.get(kid) {
                None => Lookup::Unknown,
                Some(places) => {
                    let named = places.iter().map(|place| &self.keys[*place]);
                    only_fitting(named, algorithm).map_or(Lookup::Unfit, Lookup::Found)
                }
            };
        }
        let is_candidate = |key: &&Jwk| match (jwt.thumbprint(), self.has_thumbprints) {
            (Some(thumbprint), true) => key.thumbprint() == Some(thumbprint),
            _ => true,
        };
        match only_fitting(self.keys.iter().filter(is_candidate), algorithm) {
            Err(0) => Lookup::Unknown,
            Err(_) => Lookup::Unfit,
            Ok(key) => Lookup::Found(key),
        }
    }
}

/// Returns the one of `keys` that fits, or the number of keys that fit (2 for more than one).
fn only_fitting<'a>(
    keys: impl Iterator<Item = &'a Jwk>,
    algorithm: Algorithm,
) -> Result<&'a Jwk, usize> {
    let mut fitting = keys.filter(|key| key.fits(algorithm));
    match (fitting.next(), fitting.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(0),
        (Some(_), Some(_)) => Err(2),
    }
}
