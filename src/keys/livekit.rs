//! The LiveKit API key, which signs participant tokens.

use std::fmt;

use aws_lc_rs::hmac;

/// A LiveKit API key with its secret, ready to sign. `Debug` shows neither.
#[derive(Clone)]
pub struct ApiKey {
    key: String,
    secret: hmac::Key,
}

impl ApiKey {
    /// Creates a key from its name and secret.
    pub fn new(key: String, secret: &str) -> Self {
        Self { key, secret: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()) }
    }

    /// Returns the key's name: the `iss` of the tokens that it signs.
    pub fn name(&self) -> &str {
        &self.key
    }

    /// Returns the HS256 signature of `text`
    /// ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
    pub(crate) fn sign(&self, text: &[u8]) -> hmac::Tag {
        hmac::sign(&self.secret, text)
    }

    /// Whether `signature` is the HS256 signature of `text`, compared in constant time.
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        hmac::verify(&self.secret, text, signature).is_ok()
    }

    /// Pseudonymizes `text` for logs: stable per person, not reversible without the secret. 16 hex
    /// digits.
    pub fn pseudonym(&self, text: &str) -> String {
        hex::encode(&self.tag(b"roomkey pseudonym\0", text).as_ref()[..8])
    }

    /// Returns the HMAC-SHA256 of `purpose` and `text`. No token starts like a purpose, so that no tag
    /// is ever a signature.
    pub(crate) fn tag(&self, purpose: &[u8], text: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(purpose);
        context.update(text.as_bytes());
        context.sign()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}
