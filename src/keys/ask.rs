//! The secret that signs requests to the app.

use std::fmt;

use aws_lc_rs::hmac;

use super::{check_length, check_pasted};
use crate::reason::Reason;

/// `ASK_SECRET`, ready to sign. `Debug` does not show it.
#[derive(Clone)]
pub struct AskKey(hmac::Key);

impl AskKey {
    /// Reads a secret, of which every byte counts.
    ///
    /// # Errors
    ///
    /// [`Reason`] if it is shorter than [`SECRET_BYTES`](super::SECRET_BYTES), or shows the traces of a
    /// careless copy.
    pub fn parse(secret: &str) -> Result<Self, Reason> {
        check_length(secret)?;
        check_pasted(secret)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// Returns the HMAC-SHA256 of `text` as hex digits.
    pub(crate) fn sign(&self, text: &str) -> String {
        hex::encode(hmac::sign(&self.0, text.as_bytes()))
    }
}

impl fmt::Debug for AskKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AskKey(…)")
    }
}
