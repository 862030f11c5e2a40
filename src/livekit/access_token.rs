//! The participant token and its signature.

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

/// The claims of a participant token (livekit/protocol, `auth/grants.go`), in the order in which they
/// are written.
#[derive(Clone, Debug, Serialize)]
pub struct AccessToken<'a> {
    /// The identity. In LiveKit, a second participant with the same identity replaces the first.
    #[serde(rename = "sub")]
    pub identity: &'a str,
    /// The name that other participants see.
    pub name: &'a str,
    /// The participant's grants in the room.
    pub video: VideoGrant<'a>,
    /// The app's payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<&'a str>,
    /// The app's payload by key, and the attributes that roomkey sets.
    pub attributes: BTreeMap<&'a str, &'a str>,
    /// The configuration of the room if this participant is its first.
    #[serde(rename = "roomConfig", skip_serializing_if = "RoomConfiguration::is_empty")]
    pub room_config: RoomConfiguration,
}

/// All claims but `jti`.
#[derive(Serialize)]
struct Signed<'a> {
    iss: &'a str,
    /// The issue time. LiveKit revokes tokens whose `nbf` is before the removal of their participant.
    nbf: u64,
    iat: u64,
    exp: u64,
    #[serde(flatten)]
    token: &'a AccessToken<'a>,
}

/// A signed participant token.
#[derive(Clone)]
pub struct ParticipantToken {
    /// The token: three parts of base64url.
    pub token: String,
    /// The `jti` of the token, which may be logged.
    pub jti: String,
}

/// A failure to sign a token, which is a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the participant token could not be signed")]
pub struct SignError;

impl AccessToken<'_> {
    /// Signs the token with `key`, valid from `now` for `ttl`, both in whole seconds.
    ///
    /// The same claims, key, time and TTL give the same bytes. `jti` is a keyed hash of the other
    /// claims, so that its value in a log cannot be matched by guessing claims.
    ///
    /// # Errors
    ///
    /// [`SignError`] if a claim cannot be serialized or `now` is before 1970. Neither should happen.
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
