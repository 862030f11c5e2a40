//! The issuer's key set: what is in it, and how a key is found.

use std::collections::HashMap;

use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwk::Jwk;
use super::jwt::UnverifiedJwt;

/// The usable keys of a key set ([RFC 7517 §5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<Jwk>,
    /// Places in `keys` by `kid`: one, unless the issuer used a name twice.
    by_kid: HashMap<String, Vec<usize>>,
}

/// What a key set knows about a token's key.
pub enum Lookup<'a> {
    /// The one key that fits.
    Found(&'a Jwk),
    /// No key of that name; a newer set may hold it.
    Unknown,
    /// The name is known but its key does not fit the algorithm, or several keys fit: a newer set
    /// would not help.
    Unfit,
}

impl KeySet {
    /// Reads a key set, leaving out each key that we cannot or must not use.
    ///
    /// `None` where the text is not a key set or no usable key is left.
    #[must_use]
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
        (!keys.is_empty()).then_some(Self { keys, by_kid })
    }

    /// Finds the key that `jwt` says it is signed with, by its `kid` and nothing else; without a
    /// `kid`, the only key that fits its algorithm.
    #[must_use]
    pub fn find(&self, jwt: &UnverifiedJwt<'_>) -> Lookup<'_> {
        let algorithm = jwt.algorithm();
        match jwt.key_id() {
            None => match only_fitting(self.keys.iter(), algorithm) {
                Err(0) => Lookup::Unknown,
                Err(_) => Lookup::Unfit,
                Ok(key) => Lookup::Found(key),
            },
            Some(kid) => match self.by_kid.get(kid) {
                None => Lookup::Unknown,
                Some(places) => {
                    let named = places.iter().map(|place| &self.keys[*place]);
                    only_fitting(named, algorithm).map_or(Lookup::Unfit, Lookup::Found)
                }
            },
        }
    }
}

/// The one of `keys` that fits, or how many do (2 for more than one).
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
