//! The question of a rule to the app: its URL with the room and claims filled in.

use http::Uri;

use super::Refusal;
use super::claims::ClaimLookup;
use crate::ask::AskSettings;
use crate::upstream::client::is_https_or_loopback;

/// An `[ask.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) settings: AskSettings,
    pub(super) url: UrlTemplate,
}

/// A URL whose path and query can contain the room and claims in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UrlTemplate(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `{room}`
    Room,
    /// `{room.rest}`: the part of the room's name that the star of the pattern matched.
    Rest,
    /// The path of a claim.
    Claim(String),
}

/// The reason for which the URL of `ask` is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    #[error("url must be an absolute https URL, or an http URL on loopback, without credentials")]
    Scheme,
    #[error("url must have a constant scheme, host and port: braces belong into path and query")]
    Authority,
    #[error("url must have no fragment")]
    Fragment,
    #[error("url must have balanced braces with room, room.rest or the name of a claim")]
    Brace,
    #[error("url must consist of characters that a URL can contain, others percent-encoded")]
    Character,
}

/// The part of a room's name that a question can contain.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoomParts<'a> {
    pub(super) name: &'a str,
    /// `None` if the rule has no pattern with a star that matches, as for Liveblocks.
    pub(super) rest: Option<&'a str>,
}

impl UrlTemplate {
    /// Parses a URL.
    pub(super) fn parse(url: &str) -> Result<Self, UrlError> {
        let (_, after_scheme) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let authority = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
        let (origin, mut rest) = url.split_at(url.len() - after_scheme.len() + authority);
        if origin.contains(['{', '}']) {
            return Err(UrlError::Authority);
        }
        if !is_https_or_loopback(origin) || !has_valid_port(origin) {
            return Err(UrlError::Scheme);
        }
        let mut pieces = vec![Piece::Literal(origin.to_owned())];
        while !rest.is_empty() {
            let (literal, from_brace) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            check_literal(literal)?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let Some(from_brace) = from_brace.strip_prefix('{') else { break };
            let (path, after) = from_brace.split_once('}').ok_or(UrlError::Brace)?;
            pieces.push(match path {
                "room" => Piece::Room,
                "room.rest" => Piece::Rest,
                _ if path.is_empty()
                    || path.contains('{')
                    || path.contains(char::is_whitespace) =>
                {
                    return Err(UrlError::Brace);
                }
                _ => Piece::Claim(path.to_owned()),
            });
            rest = after;
        }
        Ok(Self(pieces))
    }

    /// The paths of its claims.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Claim(path) => Some(path.as_str()),
            _ => None,
        })
    }

    /// Whether it contains the room or a part of it.
    pub(super) fn has_room(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Room | Piece::Rest))
    }

    /// Whether it contains the part of the room that a star matched.
    pub(super) fn has_rest(&self) -> bool {
        self.0.contains(&Piece::Rest)
    }

    /// Whether every claim has a value: a string that is not empty, a number or a Boolean.
    pub(super) fn has_claims<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.claims().all(|path| claims.find(path).scalar().is_some())
    }

    /// Fills in the values, each as one path segment or one value of the query.
    ///
    /// # Errors
    ///
    /// - [`Refusal::AskUrl`] if a value is empty, `.` or `..`, which would address another resource.
    /// - [`Refusal::Room`] if a claim has no value.
    pub(super) fn fill<'a>(
        &'a self,
        room: RoomParts<'_>,
        claims: &ClaimLookup<'a>,
    ) -> Result<String, Refusal> {
        let mut url = String::with_capacity(256);
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => url.push_str(text),
                Piece::Room => push_encoded(&mut url, room.name)?,
                Piece::Rest => push_encoded(&mut url, room.rest.ok_or(Refusal::Room)?)?,
                Piece::Claim(path) => {
                    let value = claims.find(path).scalar().ok_or(Refusal::Room)?;
                    push_encoded(&mut url, &value)?;
                }
            }
        }
        Ok(url)
    }
}

/// Whether the port of an origin is absent or a number.
fn has_valid_port(origin: &str) -> bool {
    origin.parse::<Uri>().is_ok_and(|url| {
        let authority = url.authority().map(|authority| (authority.host(), authority.as_str()));
        url.port_u16().is_some() || authority.is_some_and(|(host, whole)| host == whole)
    })
}

fn check_literal(text: &str) -> Result<(), UrlError> {
    if text.contains('}') {
        return Err(UrlError::Brace);
    }
    if text.contains('#') {
        return Err(UrlError::Fragment);
    }
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`|".contains(&byte);
    if text.bytes().all(is_allowed) { Ok(()) } else { Err(UrlError::Character) }
}

/// Appends `value`, with everything but unreserved characters percent-encoded
/// ([RFC 3986 §2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)).
fn push_encoded(url: &mut String, value: &str) -> Result<(), Refusal> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    if matches!(value, "" | "." | "..") {
        return Err(Refusal::AskUrl);
    }
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(byte.into());
        } else {
            let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
            url.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    Ok(())
}
