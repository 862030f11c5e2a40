//! The keys of trusted backends: several at a time, so that one can replace another.

use std::fmt;

use aws_lc_rs::hmac;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::{SECRET_BYTES, check_pasted};
use crate::reason::Reason;

/// Largest number of keys at a time.
pub const KEYS: usize = 16;

/// The keys of backends, by their names in `X-Api-Key`. `Debug` shows none.
#[derive(Clone)]
pub struct BackendKeys(Vec<BackendKey>);

/// The key of one backend.
#[derive(Clone)]
pub struct BackendKey {
    id: String,
    key: hmac::Key,
}

impl BackendKeys {
    /// Reads `BACKEND_API_KEYS`: a JSON object of API keys and their secrets.
    ///
    /// # Errors
    ///
    /// [`Reason`] if the text is not such an object, names a key twice, has none or more than
    /// [`KEYS`], or if a key or secret is malformed.
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::keys::backend::BackendKeys;
    ///
    /// let secret = "0123456789abcdef0123456789abcdef";
    /// assert!(BackendKeys::parse(&format!(r#"{{ "billing": "{secret}" }}"#)).is_ok());
    /// // Two secrets of one key would leave open which one counts.
    /// let twice = format!(r#"{{ "billing": "{secret}", "billing": "{secret}" }}"#);
    /// assert!(BackendKeys::parse(&twice).is_err());
    /// let error = BackendKeys::parse(r#"{ "billing": "too-short" }"#).unwrap_err();
    /// assert_eq!(error.to_string(), "must have secrets of at least 32 bytes");
    /// ```
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let pairs: Pairs = serde_json::from_str(json).map_err(|_| {
            Reason("must be a JSON object of API keys and their secrets, each key once")
        })?;
        if !(1..=KEYS).contains(&pairs.0.len()) {
            return Err(Reason("must have 1 to 16 API keys"));
        }
        let key = |(id, secret): (String, Zeroizing<String>)| {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Reason("must have API keys of visible ASCII characters"));
            }
            if secret.len() < SECRET_BYTES {
                return Err(Reason("must have secrets of at least 32 bytes"));
            }
            if check_pasted(&secret).is_err() {
                return Err(Reason(
                    "must have secrets without control characters, outer white space and quotes",
                ));
            }
            Ok(BackendKey { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) })
        };
        pairs.0.into_iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the key of that name. The name is not secret.
    pub(crate) fn find(&self, id: &str) -> Option<&BackendKey> {
        self.0.iter().find(|key| key.id == id)
    }
}

impl BackendKey {
    /// Whether `tag` is the HMAC-SHA256 of `text`, compared in constant time.
    pub(crate) fn verifies(&self, text: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.key, text, tag).is_ok()
    }
}

/// The fields of the object in order: a map would silently keep the last of two equal names.
struct Pairs(Vec<(String, Zeroizing<String>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Pairs, A::Error> {
        let mut pairs: Vec<(String, Zeroizing<String>)> = Vec::new();
        while let Some(pair) = fields.next_entry::<String, Zeroizing<String>>()? {
            if pairs.iter().any(|(id, _)| *id == pair.0) {
                return Err(A::Error::custom("duplicate field"));
            }
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

impl fmt::Debug for BackendKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BackendKeys(…)")
    }
}
