//! Access tokens with one change to a valid one.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::app::{AUDIENCE, ISSUER};
use super::keys::Key;

/// 2026-01-01T00:00:00Z. Tests inside the process never read the real clock.
pub(crate) const NOW: u64 = 1_767_225_600;

/// [`NOW`] as a `SystemTime`.
pub(crate) fn now() -> SystemTime {
    at(NOW)
}

/// This many seconds after the epoch.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The real time, for programs that read it: the `bootstrap` process and LiveKit's crates.
#[expect(clippy::disallowed_methods, reason = "a process cannot be handed the time")]
pub(crate) fn clock() -> SystemTime {
    SystemTime::now()
}

/// The claims of a token that is accepted.
pub(crate) fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "user-1",
        "aud": AUDIENCE,
        "iat": NOW - 5,
        "exp": NOW + 300,
        "email": "ada@example.com",
        "email_verified": true,
        "name": "Ada Lovelace",
        "picture": "https://img.example/ada.png",
    })
}

/// `base` with the fields of `change`. `null` removes one.
pub(crate) fn merge(mut base: Value, change: &Value) -> Value {
    let members = base.as_object_mut().unwrap();
    for (name, value) in change.as_object().expect("a change is an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    base
}

/// Two changes for [`merge`]. A `null` stays.
pub(crate) fn extend(mut change: Value, further: &Value) -> Value {
    let further = further.as_object().expect("a change is an object").clone();
    change.as_object_mut().unwrap().extend(further);
    change
}

/// A token of the issuer's usual key with [`claims`] changed by `change`.
pub(crate) fn token(change: &Value) -> String {
    let key = Key::rsa();
    key.sign(&key.header(), &merge(claims(), change))
}

/// A change for [`merge`] that makes a token valid by the real clock.
pub(crate) fn today() -> Value {
    let now = clock().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    json!({ "iat": now - 5, "exp": now + 300 })
}

/// One part of a token, encoded.
pub(crate) fn encode_part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// One part of a token, decoded as JSON.
pub(crate) fn decode_part(token: &str, part: usize) -> Value {
    let encoded = token.split('.').nth(part).expect("a token has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).expect("base64url")).expect("JSON")
}

/// A string of this many bytes.
pub(crate) fn text(length: usize) -> String {
    "x".repeat(length)
}
