//! The participant's token, and the key that signs it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde::Serialize;
use zeroize::Zeroizing;

use super::grants::VideoGrant;
use super::room_config::RoomConfiguration;

/// `{"typ":"JWT","alg":"HS256"}`, the only header of LiveKit's tokens.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

/// A LiveKit API key with its secret. `Debug` shows neither; the secret is wiped when dropped.
#[derive(Clone)]
pub struct ApiKey {
    key: String,
    secret: Zeroizing<String>,
}

/// What a participant's token says (livekit/protocol, `auth/grants.go`), in the order it is written.
#[derive(Clone, Debug, Serialize)]
pub struct AccessToken<'a> {
    /// The identity. LiveKit lets a second participant of the same identity replace the first.
    #[serde(rename = "sub")]
    pub identity: &'a str,
    /// The name that others see.
    pub name: &'a str,
    /// What the participant may do, and where.
    pub video: VideoGrant<'a>,
    /// The app's own payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a str>,
    /// The app's own payload by key, and what we say of the participant.
    pub attributes: BTreeMap<&'a str, &'a str>,
    /// How the room is set up if this participant is its first.
    #[serde(rename = "roomConfig", skip_serializing_if = "RoomConfiguration::is_empty")]
    pub room_config: RoomConfiguration,
}

/// Claims of the signing: who, when, and which token.
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    /// The issue time, and nothing else: LiveKit revokes tokens whose `nbf` lies before the removal
    /// of their participant.
    nbf: u64,
    iat: u64,
    exp: u64,
    #[serde(flatten)]
    token: &'a AccessToken<'a>,
}

/// A signed token.
#[derive(Clone)]
pub struct ParticipantToken {
    /// The token: three parts of base64url.
    pub token: String,
    /// Its `jti`, which the log may show.
    pub jti: String,
}

/// A token could not be signed: a mistake of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the participant's token could not be signed")]
pub struct SignError;

impl ApiKey {
    /// A key and its secret.
    #[must_use]
    pub fn new(key: String, secret: Zeroizing<String>) -> Self {
        Self { key, secret }
    }

    /// A short hash of `text` that only holders of the secret can make: for logs, where the same
    /// person should be the same and nobody should be known. 16 hex digits.
    #[must_use]
    pub fn pseudonym(&self, text: &str) -> String {
        use fmt::Write;
        let tag = self.tag(b"roomkey pseudonym\0", text);
        tag.as_ref()[..8].iter().fold(String::with_capacity(16), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}"); // writing to a String does not fail
            hex
        })
    }

    /// HMAC-SHA256 of `text` behind `purpose`. No token starts like a purpose, so that no tag is ever
    /// a signature.
    fn tag(&self, purpose: &[u8], text: &str) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(purpose);
        context.update(text.as_bytes());
        context.sign()
    }
}

impl AccessToken<'_> {
    /// Signs the token with `key`, valid from `now` for `ttl`, both in whole seconds.
    ///
    /// The same token, key, time and TTL give the same bytes: `jti` is a keyed hash of the other
    /// claims: it stands in logs, where nobody shall be found by guessing.
    ///
    /// # Errors
    ///
    /// [`SignError`] where a claim cannot be written or the key cannot sign; neither should happen.
    pub fn sign(
        &self,
        key: &ApiKey,
        now: SystemTime,
        ttl: Duration,
    ) -> Result<ParticipantToken, SignError> {
        let issued = now.duration_since(UNIX_EPOCH).map_err(|_| SignError)?.as_secs();
        let exp = issued + ttl.as_secs();
        let signed = Signed { iss: &key.key, nbf: issued, iat: issued, exp, token: self };
        let mut claims = serde_json::to_string(&signed).map_err(|_| SignError)?;
        let jti = URL_SAFE_NO_PAD.encode(&key.tag(b"roomkey jti\0", &claims).as_ref()[..16]);
        claims.pop(); // the closing brace: `jti` is the last claim
        claims.push_str(",\"jti\":\"");
        claims.push_str(&jti);
        claims.push_str("\"}");

        let mut token = String::with_capacity(HEADER.len() + claims.len() * 4 / 3 + 48);
        token.push_str(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
        let secret = EncodingKey::from_secret(key.secret.as_bytes()).map_err(|_| SignError)?;
        let signature = jsonwebtoken::crypto::sign(token.as_bytes(), &secret, Algorithm::HS256)
            .map_err(|_| SignError)?;
        token.push('.');
        token.push_str(&signature);
        Ok(ParticipantToken { token, jti })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

impl fmt::Debug for ParticipantToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ParticipantToken(…)")
    }
}
