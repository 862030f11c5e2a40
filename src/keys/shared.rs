//! A secret that an issuer shares with us, for HS256.

use std::fmt;

use jsonwebtoken::DecodingKey;

/// Shortest secret of an HMAC, in bytes: the output of the hash
/// ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
pub const SECRET_BYTES: usize = 32;

/// A shared secret. `Debug` does not show it. No key of a key set ever becomes one.
#[derive(Clone)]
pub struct SharedKey(DecodingKey);

impl SharedKey {
    /// The secret's bytes as they are; `None` where there are fewer than [`SECRET_BYTES`].
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        let secret = Some(secret.as_bytes()).filter(|secret| secret.len() >= SECRET_BYTES)?;
        DecodingKey::from_secret(secret).ok().map(Self)
    }

    /// The secret as `jsonwebtoken` takes it.
    #[must_use]
    pub(crate) fn decoding_key(&self) -> &DecodingKey {
        &self.0
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedKey(…)")
    }
}
