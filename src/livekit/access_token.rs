//! The participant's token, and the key that signs it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::grants::VideoGrant;
use super::room_config::RoomConfiguration;
use crate::keys::livekit::ApiKey;

/// `{"typ":"JWT","alg":"HS256"}`, the only header of LiveKit's tokens.
const HEADER: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9";

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
        let signed = Signed { iss: key.name(), nbf: issued, iat: issued, exp, token: self };
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
        let signature = key.sign(token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(ParticipantToken { token, jti })
    }
}

impl fmt::Debug for ParticipantToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ParticipantToken(…)")
    }
}
