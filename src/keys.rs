//! Keys that sign and verify, below everything that uses them.

pub mod backend;
pub mod livekit;
pub mod shared;

/// Whether `key` is a secret key of Liveblocks: its own SDK looks at no more.
#[must_use]
pub fn is_liveblocks_secret_key(key: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    key.strip_prefix("sk_").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_allowed))
}
