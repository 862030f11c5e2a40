//! Keys of participant attributes: their form, and those that clients may not set.

/// Maximum number of a participant's attributes that a client may set.
pub const ATTRIBUTES: usize = 64;

/// Maximum length of all keys and values that a rule of the policy sets, in bytes.
pub const ATTRIBUTES_BYTES: usize = 4096;

/// Maximum length of a key, in bytes.
pub const KEY_BYTES: usize = 64;

/// Keys that only roomkey sets, because agents and apps trust them, and keys that JavaScript objects
/// treat specially.
const RESERVED_KEYS: &[&str] = &[
    "color",
    "imageUrl",
    "email",
    "name",
    "sub",
    "user_id",
    "identity",
    "role",
    "guest",
    "machine",
    "hand_raised_at",
    "__proto__",
    "constructor",
    "prototype",
];

/// Prefixes of the keys that LiveKit sets.
const RESERVED_PREFIXES: &[&str] = &["lk.", "sip.", "ingress."];

/// Whether `key` is 1 to 64 of `A-Za-z0-9_.-` and begins and ends with a letter or digit.
pub fn is_key(key: &str) -> bool {
    let bytes = key.as_bytes();
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= KEY_BYTES
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
}

/// The reserved key or prefix that `key` is, in any case of its letters.
pub fn reserved(key: &str) -> Option<&'static str> {
    let is_prefix = |prefix: &&&str| {
        key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let reserved = RESERVED_KEYS.iter().find(|reserved| reserved.eq_ignore_ascii_case(key));
    reserved.or_else(|| RESERVED_PREFIXES.iter().find(is_prefix)).copied()
}
