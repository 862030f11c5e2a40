//! The keys that backends sign with: several at once, so that one can take the place of another.

use std::fmt;

use aws_lc_rs::hmac;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use zeroize::Zeroizing;

use super::shared::SECRET_BYTES;

/// Most keys at once.
pub const KEYS: usize = 16;

/// Backends' keys, by what `X-Api-Key` calls them. `Debug` shows none.
#[derive(Clone)]
pub struct BackendKeys(Vec<BackendKey>);

/// One of them.
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
    /// What is wrong, as the end of "must …": no object, a key twice, none or more than [`KEYS`], a key
    /// that is no header's value, or a secret shorter than [`SECRET_BYTES`].
    pub fn parse(json: &str) -> Result<Self, &'static str> {
        let pairs: Pairs = serde_json::from_str(json)
            .map_err(|_| "must be a JSON object of API keys and their secrets, each key once")?;
        if !(1..=KEYS).contains(&pairs.0.len()) {
            return Err("must have 1 to 16 API keys");
        }
        let key = |(id, secret): (String, Zeroizing<String>)| {
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err("must have API keys of visible ASCII characters");
            }
            if secret.len() < SECRET_BYTES {
                return Err("must have secrets of at least 32 bytes");
            }
            Ok(BackendKey { id, key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) })
        };
        pairs.0.into_iter().map(key).collect::<Result<_, _>>().map(Self)
    }

    /// The key of that name, which is no secret.
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

/// The object as it stands: a map would take the last of two members with one name.
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
        formatter.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Pairs, A::Error> {
        let mut pairs: Vec<(String, Zeroizing<String>)> = Vec::new();
        while let Some(pair) = members.next_entry::<String, Zeroizing<String>>()? {
            if pairs.iter().any(|(id, _)| *id == pair.0) {
                return Err(A::Error::custom("duplicate member"));
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
