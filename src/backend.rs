//! Requests of trusted backends, which sign each one with a shared key, as `RTCstack`'s clients do.

pub mod replay;
pub mod request;

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;

use crate::keys::backend::BackendKeys;
use crate::time;
use replay::Replays;

/// Maximum distance between a request's timestamp and the clock, in either direction.
pub const WINDOW: Duration = Duration::from_mins(5);

const API_KEY: &str = "x-api-key";
const TIMESTAMP: &str = "x-rtcstack-timestamp";
const SIGNATURE: &str = "x-rtcstack-signature";

/// A request with the parts that its sender signed.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The method.
    pub method: &'a str,
    /// The paths that the sender can have signed: gateways prefix a stage or a mapping, and some
    /// senders include the query.
    pub paths: &'a [String],
    /// The body as it was received.
    pub body: &'a [u8],
}

/// The reason why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Not exactly one API key is sent.
    #[error("no X-Api-Key, or more than one")]
    Key,
    /// The API key is not configured.
    #[error("unknown X-Api-Key")]
    UnknownKey,
    /// Not exactly one timestamp and one signature are sent.
    #[error("no timestamp or no signature")]
    Header,
    /// The timestamp is not a whole number of seconds, or outside [`WINDOW`].
    #[error("the timestamp is not a number, or too far from the clock")]
    Timestamp,
    /// The signature is of another key or another request.
    #[error("invalid signature")]
    Signature,
    /// A request with this signature was accepted before.
    #[error("the request was replayed")]
    Replayed,
}

/// Verifies that `request` was signed with one of `keys`, near `now`, and is not in `replays`.
///
/// The signed text is `METHOD \n PATH \n TIMESTAMP \n hex(SHA-256(body))`. The hash covers the body
/// as it was received. `RTCstack`'s own server hashes an empty body instead, so that a captured
/// signature is valid for any body (`apps/api/src/middleware/auth.ts`).
///
/// # Errors
///
/// [`SignatureError`], the first in the order of its variants that applies.
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

/// The header's value, if it is sent once and is visible ASCII.
fn single_header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().filter(|value| !value.is_empty())
}

/// Whether `timestamp` is a whole number of seconds since 1970 in digits, within [`WINDOW`] of `now`.
fn is_near(timestamp: &str, now: SystemTime) -> bool {
    let is_number = timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = timestamp.parse::<u64>().ok().filter(|_| is_number);
    let now = time::seconds(now);
    seconds.is_some_and(|seconds| seconds.abs_diff(now) <= WINDOW.as_secs())
}

/// The 32 bytes of 64 hex digits, in either case.
fn tag(digits: &str) -> Option<[u8; 32]> {
    let mut tag = [0; 32];
    hex::decode_to_slice(digits, &mut tag).ok()?;
    Some(tag)
}
