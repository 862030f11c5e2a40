//! Routes: which one a request names, and the names in its path.

use percent_encoding::percent_decode_str;

use crate::text;

/// A route of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// LiveKit's standard token endpoint.
    Token,
    /// A token for a participant whom a backend names.
    BackendToken,
    /// A further token for a participant who is in the room.
    BackendRefresh,
    /// Mutes a participant.
    Mute,
    /// Removes a participant.
    Remove,
    /// Gives a participant another role.
    Role,
    /// The participants of a room.
    Participants,
    /// The caller's raised hand.
    Hand,
    /// Withdraws a ban.
    Ban,
    /// The bans of a room, and a new one.
    Bans,
    /// The invitations to a room, and a new one.
    Invitations,
    /// An invitation, and its revocation.
    Invitation,
    /// The people who wait for a room.
    Waiting,
    /// The decision about a person who waits.
    Entry,
    /// Ends a room.
    Room,
    /// Events of LiveKit.
    Webhook,
    /// A token for Liveblocks.
    Liveblocks,
    /// The state of the function, without a request to any upstream.
    Health,
}

/// The path as the client sent it, if the request's own path lacks a gateway's stage.
#[derive(Clone, Debug)]
pub struct OriginalPath(pub String);

/// Routes by their paths. Longer ones come first, so that none is recognized as a shorter one behind
/// a prefix.
const ROUTES: &[(&str, Route)] = &[
    ("/v1/rooms/{room}/participants/{identity}/mute", Route::Mute),
    ("/v1/rooms/{room}/participants/{identity}/role", Route::Role),
    ("/v1/rooms/{room}/participants/{identity}", Route::Remove),
    ("/v1/rooms/{room}/participants", Route::Participants),
    ("/v1/rooms/{room}/hand", Route::Hand),
    ("/v1/rooms/{room}/bans/{identity}", Route::Ban),
    ("/v1/rooms/{room}/bans", Route::Bans),
    ("/v1/rooms/{room}/invitations/{jti}", Route::Invitation),
    ("/v1/rooms/{room}/invitations", Route::Invitations),
    ("/v1/rooms/{room}/waiting/{identity}", Route::Entry),
    ("/v1/rooms/{room}/waiting", Route::Waiting),
    ("/v1/rooms/{room}", Route::Room),
    ("/v1/livekit-webhook", Route::Webhook),
    ("/v1/token/refresh", Route::BackendRefresh),
    ("/v1/token", Route::BackendToken),
    ("/token", Route::Token),
    ("/health", Route::Health),
    ("/api/liveblocks-auth", Route::Liveblocks),
];

impl Route {
    /// Returns the route at the end of `path`. Anything may precede it, such as a custom domain's
    /// mapping, unless `path` starts with `base_path`: then the rest must be the whole route, so that
    /// a mapping called `/v1` makes no other route of `/token`.
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::endpoint::route::Route;
    ///
    /// assert_eq!(Route::from_path("/token", None), Some(Route::Token));
    /// // A mapping of a custom domain may precede the route.
    /// assert_eq!(Route::from_path("/calls/token", None), Some(Route::Token));
    /// assert_eq!(Route::from_path("/v1/token", None), Some(Route::BackendToken));
    /// assert_eq!(Route::from_path("/v1/token", Some("/v1")), Some(Route::Token));
    /// assert_eq!(Route::from_path("/tokens", None), None);
    /// ```
    pub fn from_path(path: &str, base_path: Option<&str>) -> Option<Self> {
        let inner = base_path.and_then(|base| path.strip_prefix(base));
        match inner.filter(|inner| inner.starts_with('/')) {
            Some(inner) => find(|template| names_in(inner, template, true).is_some()),
            None => find(|template| names_in(path, template, false).is_some()),
        }
    }

    /// Returns the route that a gateway names itself: the path of API Gateway's `routeKey` or
    /// `resource`. `None` if it is a catch-all such as `/{proxy+}`, or the operator's own path.
    pub fn from_template(template: &str) -> Option<Self> {
        let is_same = |segment: &str, own: &str| {
            let is_name = segment.starts_with('{') && segment.ends_with('}');
            if own.starts_with('{') { is_name && !segment.ends_with("+}") } else { segment == own }
        };
        find(|own| {
            let (mut left, mut right) = (template.split('/'), own.split('/'));
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return true,
                    (Some(segment), Some(own)) if is_same(segment, own) => {}
                    _ => return false,
                }
            }
        })
    }

    /// The path without any prefix.
    pub fn path(self) -> &'static str {
        ROUTES.iter().find(|(_, route)| *route == self).map_or("", |(path, _)| path)
    }

    /// The methods, as `Allow` and preflights list them.
    pub fn methods(self) -> &'static str {
        match self {
            Self::Token
            | Self::BackendToken
            | Self::BackendRefresh
            | Self::Mute
            | Self::Webhook
            | Self::Entry
            | Self::Liveblocks => "POST, OPTIONS",
            Self::Remove | Self::Ban | Self::Room => "DELETE, OPTIONS",
            Self::Role | Self::Hand => "PUT, OPTIONS",
            Self::Participants | Self::Waiting => "GET, OPTIONS",
            Self::Bans | Self::Invitations => "GET, POST, OPTIONS",
            Self::Invitation => "GET, DELETE, OPTIONS",
            Self::Health => "GET, HEAD, OPTIONS",
        }
    }

    /// Returns the room and the other name in a path of a route with both, each percent-encoded once
    /// ([RFC 3986 §2.1](https://www.rfc-editor.org/rfc/rfc3986#section-2.1)); `None` if one is not a
    /// valid name.
    pub fn names(self, path: &str) -> Option<[String; 2]> {
        let [room, other] = names_in(path, self.path(), false)?;
        Some([name(room)?, name(other)?])
    }

    /// Returns the room in a path of a route with a room and no identity, percent-encoded once; `None`
    /// if it is not a valid name.
    pub fn room(self, path: &str) -> Option<String> {
        let [_, room] = names_in(path, self.path(), false)?;
        name(room)
    }
}

fn find(is_it: impl Fn(&str) -> bool) -> Option<Route> {
    ROUTES.iter().find(|(template, _)| is_it(template)).map(|(_, route)| *route)
}

/// Returns the segments of `path` that `template` has names for, if `path` ends with the template,
/// or, if `is_whole`, equals it. Empty texts come first, in place of names that the template does not
/// have.
fn names_in<'a>(path: &'a str, template: &str, is_whole: bool) -> Option<[&'a str; 2]> {
    if !template.contains('{') {
        let is_it = if is_whole { path == template } else { path.ends_with(template) };
        return is_it.then_some([""; 2]);
    }
    let mut names = [""; 2];
    let mut free = names.len();
    let mut segments = path.rsplit('/');
    for own in template.rsplit('/') {
        // The first segment of a template is empty: its slash follows whatever precedes the route.
        if own.is_empty() {
            break;
        }
        let segment = segments.next()?;
        if own.starts_with('{') {
            free = free.checked_sub(1)?;
            names[free] = segment;
        } else if segment != own {
            return None;
        }
    }
    let before = segments.next()?;
    (!is_whole || before.is_empty() && segments.next().is_none()).then_some(names)
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
    fn route_is_found_after_a_prefix() {
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
            ("/v1/rooms/a/participants/b/role", Some(Route::Role)),
            ("/v1/rooms/a/participants/role", Some(Route::Remove)),
            ("/v1/rooms/a/participants/b/role/c", None),
            ("/prod/v1/rooms/a/participants", Some(Route::Participants)),
            ("/v1/rooms/participants", Some(Route::Room)),
            ("/v1/rooms/a/participants/", Some(Route::Remove)),
            ("/v1/rooms/a/hand", Some(Route::Hand)),
            ("/v1/rooms/hand", Some(Route::Room)),
            ("/v1/rooms/a/hand/b", None),
            ("/v1/rooms/a/hands", None),
            ("/v1/rooms/a/bans", Some(Route::Bans)),
            ("/v1/rooms/a/bans/b", Some(Route::Ban)),
            ("/v1/rooms/a/bans/token", Some(Route::Ban)),
            ("/v1/rooms/*/bans", Some(Route::Bans)),
            ("/v1/rooms/a/invitations", Some(Route::Invitations)),
            ("/v1/rooms/a/invitations/b", Some(Route::Invitation)),
            ("/v1/rooms/a/waiting", Some(Route::Waiting)),
            ("/v1/rooms/a/waiting/b", Some(Route::Entry)),
            ("/v1/rooms/waiting", Some(Route::Room)),
            ("/v1/rooms/a/waiting/b/c", None),
            ("/v1/rooms/a/bans/b/c", None),
            ("/prod/v1/rooms/a", Some(Route::Room)),
            ("/v1/rooms/token", Some(Route::Room)),
            ("/v1/rooms/", Some(Route::Room)),
            ("/v1/rooms", None),
            ("/prod/v1/livekit-webhook", Some(Route::Webhook)),
            ("/v1/livekit-webhook/x", None),
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
            assert_eq!(Route::from_path(path, None), expected, "{path}");
        }
    }

    #[test]
    fn base_path_is_no_part_of_the_route() {
        let rows = [
            ("/v1", "/v1/token", Some(Route::Token)),
            ("/v1", "/v1/v1/token", Some(Route::BackendToken)),
            ("/v1", "/v1/v1/token/refresh", Some(Route::BackendRefresh)),
            ("/v1", "/v1/health", Some(Route::Health)),
            ("/v1", "/v1/v1/rooms/a/participants/b/mute", Some(Route::Mute)),
            ("/v1", "/v1/rooms/a/participants/b", None),
            ("/v1", "/v1/rooms/a", None),
            ("/v1", "/v1/v1/rooms/a", Some(Route::Room)),
            ("/v1", "/v1/v1/rooms/a/bans/b", Some(Route::Ban)),
            ("/v1", "/v1/v1/livekit-webhook", Some(Route::Webhook)),
            ("/v1/rooms", "/v1/rooms/a", None),
            ("/v1", "/v1/x/token", None),
            ("/v1", "/v1token", None),
            ("/v1", "/token", Some(Route::Token)),
            ("/v1", "/prod/v1/token", Some(Route::BackendToken)),
            ("/api/v1", "/api/v1/token", Some(Route::Token)),
            ("/api/v1", "/api/v1/v1/rooms/a/participants/b", Some(Route::Remove)),
            ("/api", "/api/api/liveblocks-auth", Some(Route::Liveblocks)),
            ("/api", "/api/liveblocks-auth", None),
            ("/v1/rooms", "/v1/rooms/token", Some(Route::Token)),
            ("/v1/rooms", "/v1/rooms/v1/rooms/a/participants/b", Some(Route::Remove)),
        ];
        for (base_path, path, expected) in rows {
            assert_eq!(Route::from_path(path, Some(base_path)), expected, "{base_path} {path}");
        }
    }

    #[test]
    fn template_of_a_gateway_names_the_route() {
        let rows = [
            ("/token", Some(Route::Token)),
            ("/v1/token", Some(Route::BackendToken)),
            ("/v1/rooms/{room}/participants/{identity}", Some(Route::Remove)),
            ("/v1/rooms/{r}/participants/{i}/mute", Some(Route::Mute)),
            ("/v1/rooms/{r}/participants/{i}/role", Some(Route::Role)),
            ("/v1/rooms/{r}/participants", Some(Route::Participants)),
            ("/v1/rooms/{r}", Some(Route::Room)),
            ("/v1/rooms/{r}/{x}", None),
            ("/v1/rooms/{proxy+}", None),
            ("/v1/rooms/a/participants/b/mute", None),
            ("/v1/rooms/{room}/participants/{proxy+}", None),
            ("/{proxy+}", None),
            ("/x/token", None),
            ("/{token}", None),
            ("/token/", None),
            ("", None),
        ];
        for (template, expected) in rows {
            assert_eq!(Route::from_template(template), expected, "{template}");
        }
        for (path, route) in ROUTES {
            assert_eq!(Route::from_template(path), Some(*route), "{path}");
        }
    }

    #[test]
    fn name_in_the_path_is_decoded_once_or_rejected() {
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
            let names = Route::Mute.names(&format!("/x/v1/rooms/{segment}/participants/b/mute"));
            assert_eq!(names.map(|[room, _]| room).as_deref(), expected, "{segment}");
            let names = Route::Remove.names(&format!("/v1/rooms/b/participants/{segment}"));
            assert_eq!(names.map(|[_, identity]| identity).as_deref(), expected, "{segment}");
            for (route, path) in [(Route::Room, ""), (Route::Hand, "/hand"), (Route::Bans, "/bans")]
            {
                let room = route.room(&format!("/x/v1/rooms/{segment}{path}"));
                assert_eq!(room.as_deref(), expected, "{segment}{path}");
            }
        }
        for bytes in [256, 257] {
            assert_eq!(name(&"a".repeat(bytes)).is_some(), bytes == 256);
        }
    }
}
