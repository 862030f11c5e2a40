//! What the endpoint answers at.

use percent_encoding::percent_decode_str;

use crate::exchange::ParticipantRef;
use crate::text;

/// A door of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// LiveKit's standard token endpoint.
    Token,
    /// A token that a backend asks for on somebody's behalf.
    BackendToken,
    /// The same, for somebody who is in the room.
    BackendRefresh,
    /// A participant falls silent.
    Mute,
    /// A participant leaves.
    Remove,
    /// A token for Liveblocks.
    Liveblocks,
    /// Whether we run; asks nothing of anyone.
    Health,
}

/// The path as the caller wrote it, where a gateway's stage was taken off the request's own.
#[derive(Clone, Debug)]
pub struct OriginalPath(pub String);

const ROOMS: &str = "/v1/rooms/";

impl Route {
    /// The route at the end of `path`: a stage or a custom domain's mapping may stand before it.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        // Longer routes first: none may be taken for a shorter one behind a prefix.
        const ROUTES: &[(&str, Route)] = &[
            ("/v1/token/refresh", Route::BackendRefresh),
            ("/v1/token", Route::BackendToken),
            ("/token", Route::Token),
            ("/health", Route::Health),
            ("/api/liveblocks-auth", Route::Liveblocks),
        ];
        // A participant's identity comes last and may be any of these names.
        if let Some((_, _, route)) = participant(path) {
            return Some(route);
        }
        ROUTES.iter().find(|(end, _)| path.ends_with(end)).map(|(_, route)| *route)
    }

    /// The path without any prefix.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Token => "/token",
            Self::BackendToken => "/v1/token",
            Self::BackendRefresh => "/v1/token/refresh",
            Self::Mute => "/v1/rooms/{room}/participants/{identity}/mute",
            Self::Remove => "/v1/rooms/{room}/participants/{identity}",
            Self::Liveblocks => "/api/liveblocks-auth",
            Self::Health => "/health",
        }
    }

    /// Its methods, as `Allow` and preflights list them.
    #[must_use]
    pub fn methods(self) -> &'static str {
        match self {
            Self::Token
            | Self::BackendToken
            | Self::BackendRefresh
            | Self::Mute
            | Self::Liveblocks => "POST, OPTIONS",
            Self::Remove => "DELETE, OPTIONS",
            Self::Health => "GET, HEAD, OPTIONS",
        }
    }
}

/// The names in a path of [`Route::Mute`] or [`Route::Remove`], each percent-encoded once
/// ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)); `None` if one is not a
/// name.
#[must_use]
pub fn participant_ref(path: &str) -> Option<ParticipantRef> {
    let (room, identity, _) = participant(path)?;
    Some(ParticipantRef { room: name(room)?, identity: name(identity)? })
}

fn participant(path: &str) -> Option<(&str, &str, Route)> {
    let names = &path[path.find(ROOMS)? + ROOMS.len()..];
    let mut segments = names.split('/');
    match [(); 5].map(|()| segments.next()) {
        [Some(room), Some("participants"), Some(identity), None, None] => {
            Some((room, identity, Route::Remove))
        }
        [Some(room), Some("participants"), Some(identity), Some("mute"), None] => {
            Some((room, identity, Route::Mute))
        }
        _ => None,
    }
}

/// Percent-decodes one segment into a name. `percent_encoding` would pass on a `%` without two digits.
fn name(segment: &str) -> Option<String> {
    let starts_with_digits = |after: &str| {
        after.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !segment.split('%').skip(1).all(starts_with_digits) {
        return None;
    }
    let name = percent_decode_str(segment).decode_utf8().ok()?;
    text::is_name(&name).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_routes_behind_a_prefix() {
        let rows = [
            ("/token", Some(Route::Token)),
            ("/prod/token", Some(Route::Token)),
            ("/a/b/token", Some(Route::Token)),
            ("/health", Some(Route::Health)),
            ("/prod/health", Some(Route::Health)),
            ("/v1/token", Some(Route::BackendToken)),
            ("/prod/v1/token", Some(Route::BackendToken)),
            ("/v1/token/refresh", Some(Route::BackendRefresh)),
            ("/prod/api/liveblocks-auth", Some(Route::Liveblocks)),
            ("/v1/rooms/a/participants/b", Some(Route::Remove)),
            ("/prod/v1/rooms/a/participants/b/mute", Some(Route::Mute)),
            ("/v1/rooms/a/participants/token", Some(Route::Remove)),
            ("/v1/rooms/a/participants/mute", Some(Route::Remove)),
            ("/v1/rooms/a/participants/mute/mute", Some(Route::Mute)),
            ("/v1/rooms/a/participants/b/unmute", None),
            ("/v1/rooms/a/participants/b/mute/", None),
            ("/v1/rooms/a/b/participants/c", None),
            ("/v1/rooms/a/participants", None),
            ("/v1/rooms/a", None),
            ("/v1/rooms", None),
            ("/", None),
            ("", None),
            ("token", None),
            ("/xtoken", None),
            ("/token/", None),
            ("/token/x", None),
            ("/TOKEN", None),
            ("/%74oken", None),
        ];
        for (path, expected) in rows {
            assert_eq!(Route::from_path(path), expected, "{path}");
        }
    }

    #[test]
    fn names_are_decoded_once_or_refused() {
        let rows = [
            ("a", Some("a")),
            ("a%20b", Some("a b")),
            ("a%2Fb", Some("a/b")),
            ("a%2fb", Some("a/b")),
            ("a%252Fb", Some("a%2Fb")),
            ("..", Some("..")),
            ("%2E%2E", Some("..")),
            ("a+b", Some("a+b")),
            ("ada@example.com:phone", Some("ada@example.com:phone")),
            ("Gr%C3%B6%C3%9Fe", Some("Größe")),
            ("", None),
            ("%", None),
            ("%4", None),
            ("%+4", None),
            ("%zz", None),
            ("%2%34", None),
            ("%C3", None),
            ("50%", None),
            ("%ff", None),
            ("a%00", None),
            ("a%0A", None),
            ("%E2%80%AEa", None),
        ];
        for (segment, expected) in rows {
            assert_eq!(name(segment).as_deref(), expected, "{segment}");
            let target = participant_ref(&format!("/x/v1/rooms/{segment}/participants/b/mute"));
            assert_eq!(target.map(|target| target.room).as_deref(), expected, "{segment}");
            let target = participant_ref(&format!("/v1/rooms/b/participants/{segment}"));
            assert_eq!(target.map(|target| target.identity).as_deref(), expected, "{segment}");
        }
        for bytes in [256, 257] {
            assert_eq!(name(&"a".repeat(bytes)).is_some(), bytes == 256);
        }
    }
}
