//! Trusted backends, which sign each request with a key they share with us, as `RTCstack`'s clients do.

pub mod replay;
pub mod request;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;

use crate::keys::backend::BackendKeys;
use replay::Replays;

/// How far a request's timestamp may be from our clock, either way.
pub const WINDOW: Duration = Duration::from_mins(5);

const API_KEY: &str = "x-api-key";
const TIMESTAMP: &str = "x-rtcstack-timestamp";
const SIGNATURE: &str = "x-rtcstack-signature";

/// A request as its sender signed it.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its method.
    pub method: &'a str,
    /// What the sender may take for its path: gateways put a stage or a mapping in front of it, and
    /// some senders sign the query with it.
    pub paths: &'a [String],
    /// Its body, before anything reads it.
    pub body: &'a [u8],
}

/// Why a request is not a backend's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// There is not exactly one key.
    #[error("no X-Api-Key, or more than one")]
    Key,
    /// It is none of ours.
    #[error("an X-Api-Key that we do not know")]
    UnknownKey,
    /// There is not exactly one of each.
    #[error("no timestamp or no signature")]
    Header,
    /// The timestamp is no whole number of seconds, or not near.
    #[error("the timestamp is no number, or not near")]
    Timestamp,
    /// The signature is another's, or of another request.
    #[error("the signature does not hold")]
    Signature,
    /// The very request was here before.
    #[error("the request was here before")]
    Replayed,
}

/// Checks that `request` was signed with one of `keys`, near `now`, and was not in `replays`.
///
/// Signed is `METHOD \n PATH \n TIMESTAMP \n hex(SHA-256(body))`. The body counts as it came:
/// `RTCstack`'s own server hashes nothing in its place, so that a captured signature lets anything
/// through (`apps/api/src/middleware/auth.ts`).
///
/// # Errors
///
/// [`SignatureError`].
pub fn verify(
    request: &SignedRequest<'_>,
    keys: &BackendKeys,
    replays: &Replays,
    now: SystemTime,
) -> Result<(), SignatureError> {
    let key = single_header(request.headers, API_KEY).ok_or(SignatureError::Key)?;
    let key = keys.find(key).ok_or(SignatureError::UnknownKey)?;
    let timestamp = single_header(request.headers, TIMESTAMP).ok_or(SignatureError::Header)?;
    let signature = single_header(request.headers, SIGNATURE).ok_or(SignatureError::Header)?;
    if !is_near(timestamp, now) {
        return Err(SignatureError::Timestamp);
    }
    let tag = signature.strip_prefix("sha256=").and_then(tag).ok_or(SignatureError::Signature)?;
    let body = hex::encode(digest(&SHA256, request.body));
    let is_signed = |path: &String| {
        let canonical = format!("{}\n{path}\n{timestamp}\n{body}", request.method);
        key.verifies(canonical.as_bytes(), &tag)
    };
    if !request.paths.iter().any(is_signed) {
        return Err(SignatureError::Signature);
    }
    if replays.is_first(&tag, now) { Ok(()) } else { Err(SignatureError::Replayed) }
}

/// The header's value, if it stands once and is text.
fn single_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().filter(|value| !value.is_empty())
}

/// Whether `timestamp` is a whole number of seconds since 1970, within [`WINDOW`] of `now`. Digits
/// only: `never`, `-1`, `1e9` and `1.5` are numbers to nobody.
fn is_near(timestamp: &str, now: SystemTime) -> bool {
    let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = timestamp.parse::<u64>().ok().filter(|_| is_number);
    let now = now.duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    seconds.is_some_and(|seconds| seconds.abs_diff(now) <= WINDOW.as_secs())
}

/// The 32 bytes of 64 hex digits, in either case.
fn tag(digits: &str) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    hex::decode_to_slice(digits, &mut tag).ok()?;
    Some(tag)
}
