//! Webhooks of LiveKit: the signature of a request, and its event (livekit/protocol, `webhook/`).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Number, Value};

use crate::body::{self, InvalidField};
use crate::keys::livekit::ApiKey;

/// Leeway for `exp` and `nbf`: LiveKit's clock can differ. Its tokens are valid for five minutes.
const CLOCK_SKEW: Duration = Duration::from_mins(1);

/// The reason why a request is not accepted as one of LiveKit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// The token is not a JWT with the algorithm HS256 and the claims of a webhook.
    #[error("the token of the webhook is malformed")]
    Malformed,
    /// The token is of another API key.
    #[error("the token of the webhook is of another API key")]
    UnknownKey,
    /// The signature of the token is invalid.
    #[error("the signature of the webhook is invalid")]
    Signature,
    /// The token has expired, or is not valid yet.
    #[error("the token of the webhook has expired or is not valid yet")]
    Time,
    /// The hash in the token is not that of the body.
    #[error("the hash of the webhook is not that of its body")]
    Hash,
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookEvent {
    /// A participant has joined a room.
    Joined {
        /// The room.
        room: String,
        /// The participant's identity.
        identity: String,
    },
    /// A room has ended.
    Finished {
        /// The room.
        room: String,
        /// The time of the event; `None` if LiveKit does not state it.
        at: Option<SystemTime>,
    },
    /// Any other event.
    Other,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    exp: Number,
    nbf: Option<Number>,
    sha256: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Event {
    #[serde(rename = "event")]
    name: String,
    room: Room,
    participant: Participant,
    created_at: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Room {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Participant {
    identity: String,
}

/// Verifies that LiveKit signed `body` by `token` with `key`, as of `now`.
///
/// # Errors
///
/// [`WebhookError`].
pub fn verify(token: &str, body: &[u8], key: &ApiKey, now: SystemTime) -> Result<(), WebhookError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(WebhookError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(WebhookError::Malformed)?;
    let header: Header = decode(header)?;
    if header.alg != "HS256" || header.crit.is_some() {
        return Err(WebhookError::Malformed);
    }
    let claims: Claims = decode(claims)?;
    if claims.iss != key.name() {
        return Err(WebhookError::UnknownKey);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| WebhookError::Malformed)?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(WebhookError::Signature);
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let seconds = |number: &Number| number.as_f64().ok_or(WebhookError::Malformed);
    let skew = CLOCK_SKEW.as_secs_f64();
    let nbf = claims.nbf.as_ref().map(seconds).transpose()?;
    if seconds(&claims.exp)? + skew <= now || nbf.is_some_and(|nbf| nbf > now + skew) {
        return Err(WebhookError::Time);
    }
    let hash = STANDARD.decode(&claims.sha256).map_err(|_| WebhookError::Malformed)?;
    let is_equal = verify_slices_are_equal(&hash, digest(&SHA256, body).as_ref());
    is_equal.map_err(|_| WebhookError::Hash)
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, WebhookError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| WebhookError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| WebhookError::Malformed)
}

impl WebhookEvent {
    /// Reads the body of a request that LiveKit signed.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] if the body is not an event.
    pub fn from_body(body: &[u8]) -> Result<Self, InvalidField> {
        let fields = Value::Object(body::parse_object(body)?);
        let event: Event = serde_json::from_value(fields)
            .map_err(|_| InvalidField::new("the body", "must be a webhook event of LiveKit"))?;
        let (room, identity) = (event.room.name, event.participant.identity);
        Ok(match event.name.as_str() {
            "participant_joined" if !room.is_empty() && !identity.is_empty() => {
                Self::Joined { room, identity }
            }
            "room_finished" if !room.is_empty() => {
                // An integer of 64 bits is a string in proto3's JSON.
                let seconds = match &event.created_at {
                    Value::String(text) => text.parse().ok(),
                    number => number.as_u64(),
                };
                let at = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
                Self::Finished { room, at: at.and_then(|since| UNIX_EPOCH.checked_add(since)) }
            }
            _ => Self::Other,
        })
    }
}
