//! A secret that an issuer shares with the operator, for HS256.

use std::fmt;

use jsonwebtoken::DecodingKey;

use super::check_length;
use crate::reason::Reason;

/// A shared secret. `Debug` does not show it. No key of a key set is ever used as one.
#[derive(Clone)]
pub struct SharedKey(DecodingKey);

impl SharedKey {
    /// Reads a secret, of which every byte counts.
    ///
    /// # Errors
    ///
    /// [`Reason`] if it is shorter than [`SECRET_BYTES`](super::SECRET_BYTES).
    pub fn parse(secret: &str) -> Result<Self, Reason> {
        check_length(secret)?;
        DecodingKey::from_secret(secret.as_bytes())
            .map(Self)
            .map_err(|_| Reason("must be at least 32 bytes"))
    }

    /// Returns the secret in the form that `jsonwebtoken` accepts.
    pub(crate) fn decoding_key(&self) -> &DecodingKey {
        &self.0
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedKey(…)")
    }
}
