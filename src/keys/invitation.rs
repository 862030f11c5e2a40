//! The key of invitations.

use std::fmt;

use aws_lc_rs::hmac;

use super::{check_length, check_pasted};
use crate::reason::Reason;

/// `INVITATION_SECRET`, ready to sign. `Debug` does not show it.
#[derive(Clone)]
pub struct InvitationKey(hmac::Key);

impl InvitationKey {
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

    /// Returns the HS256 signature of `text`.
    pub(crate) fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, text)
    }

    /// Whether `signature` is the HS256 signature of `text`, compared in constant time.
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.0, text, signature).is_ok()
    }

    /// Returns the HMAC-SHA256 of `purpose` and `parts`, which contain no NUL. No token starts like a
    /// purpose, so that no tag is ever a signature.
    pub(crate) fn tag(&self, purpose: &[u8], parts: [&str; 2]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose);
        for part in parts {
            context.update(b"\0");
            context.update(part.as_bytes());
        }
        context.sign()
    }
}

impl fmt::Debug for InvitationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InvitationKey(…)")
    }
}
