//! Types of keys, and the rules for their form. Every fault is reported by the key's name, never by
//! its value.

pub mod ask;
pub mod backend;
pub mod invitation;
pub mod livekit;
pub mod shared;

use crate::reason::Reason;

/// Shortest secret of an HMAC, in bytes: the output of the hash
/// ([RFC 7518 §3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
pub const SECRET_BYTES: usize = 32;

/// Checks a key or secret that a provider issued: such keys contain no white space.
///
/// # Errors
///
/// [`Reason`] if it contains white space or invisible characters, or is enclosed in quotes.
pub fn check_issued(key: &str) -> Result<(), Reason> {
    check_pasted(key)?;
    if key.chars().any(|character| character.is_whitespace() || is_invisible(character)) {
        return Err(Reason("must not contain white space or invisible characters"));
    }
    Ok(())
}

/// Checks a secret that people may choose, which can contain blanks but not the traces of a careless
/// copy.
///
/// # Errors
///
/// [`Reason`] if it starts or ends with white space, contains a control character, or is enclosed in
/// quotes.
pub fn check_pasted(secret: &str) -> Result<(), Reason> {
    if secret.chars().any(char::is_control) {
        return Err(Reason("must not contain line breaks or other control characters"));
    }
    let is_edge = |character: char| character.is_whitespace() || is_invisible(character);
    if secret.starts_with(is_edge) || secret.ends_with(is_edge) {
        return Err(Reason("must not start or end with white space"));
    }
    if is_quoted(secret) {
        return Err(Reason("must not be enclosed in quotes"));
    }
    Ok(())
}

/// Checks that a secret has [`SECRET_BYTES`] at least.
///
/// # Errors
///
/// [`Reason`] if it is shorter.
pub fn check_length(secret: &str) -> Result<(), Reason> {
    if secret.len() < SECRET_BYTES {
        return Err(Reason("must be at least 32 bytes"));
    }
    Ok(())
}

/// Checks a secret key of Liveblocks by the rule of its own SDK.
///
/// # Errors
///
/// [`Reason`] if it does not start with `sk_` or contains other characters than `A-Za-z0-9_-`.
pub fn check_liveblocks(key: &str) -> Result<(), Reason> {
    check_issued(key)?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    let is_key = key
        .strip_prefix("sk_")
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_allowed));
    if is_key { Ok(()) } else { Err(Reason("must start with sk_")) }
}

/// Characters without width that a copy from a page can contain.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

fn is_quoted(text: &str) -> bool {
    const PAIRS: [(char, char); 7] = [
        ('"', '"'),
        ('\'', '\''),
        ('`', '`'),
        ('\u{201c}', '\u{201d}'),
        ('\u{2018}', '\u{2019}'),
        ('\u{201e}', '\u{201c}'),
        ('\u{ab}', '\u{bb}'),
    ];
    text.chars().count() > 1
        && PAIRS.iter().any(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
}
