//! Patterns of names: literals, claims in braces, and a star at the end.

mod parse;
mod placeholder;

use std::collections::BTreeMap;
use std::fmt;

use super::claims::ClaimLookup;
use placeholder::Placeholder;

pub(super) use placeholder::Unusable;

/// A name that is compared byte for byte, except for claims in braces and a final star.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    /// Whether it ends with a star.
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// Boxed, so that comparing literals reads a third of the memory.
    Claim(Box<Placeholder>),
}

impl Pattern {
    /// Makes the patterns of one list share their delimiters. Must be called once for each list.
    pub(super) fn share_delimiters(patterns: &mut [Self]) {
        let mut delimiters = BTreeMap::<String, Vec<String>>::new();
        for placeholder in patterns.iter().flat_map(Self::placeholders) {
            let known = delimiters.entry(placeholder.path.clone()).or_default();
            if !placeholder.next.is_empty() && !known.contains(&placeholder.next) {
                known.push(placeholder.next.clone());
            }
        }
        for part in patterns.iter_mut().flat_map(|pattern| &mut pattern.parts) {
            if let Part::Claim(placeholder) = part {
                placeholder.delimiters =
                    delimiters.get(&placeholder.path).cloned().unwrap_or_default();
            }
        }
    }

    /// Whether it ends with a star.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The minimum length of its names before the star, in bytes: a claim has at least one.
    pub(super) fn min_bytes(&self) -> usize {
        let bytes = |part: &Part| match part {
            Part::Literal(text) => text.len(),
            Part::Claim(_) => 1,
        };
        self.parts.iter().map(bytes).sum()
    }

    /// Whether every claim in braces has a usable value.
    pub(super) fn has_claims<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.placeholders().all(|placeholder| placeholder.values(claims).next().is_some())
    }

    /// The claims in braces that have no usable value, with the reason.
    pub(super) fn unusable<'a>(
        &'a self,
        claims: &ClaimLookup<'a>,
    ) -> impl Iterator<Item = (&'a str, Unusable<'a>)> {
        self.placeholders().filter_map(|placeholder| {
            let claim = claims.find(&placeholder.path);
            Some((placeholder.path.as_str(), placeholder.objection(claim)?))
        })
    }

    /// Whether `name` matches, byte for byte.
    pub(super) fn matches<'a>(&'a self, name: &str, claims: &ClaimLookup<'a>) -> bool {
        self.rest_of(name, claims).is_some()
    }

    /// Returns the part of `name` that the star matches, which is empty without a star. `None` if the
    /// name does not match.
    pub(super) fn rest_of<'n, 'a>(
        &'a self,
        name: &'n str,
        claims: &ClaimLookup<'a>,
    ) -> Option<&'n str> {
        let mut rest = name;
        for part in &self.parts {
            rest = match part {
                Part::Literal(text) => rest.strip_prefix(text.as_str()),
                Part::Claim(placeholder) => placeholder.strip(rest, claims),
            }?;
        }
        // Last, as most names do not come this far.
        ((self.is_open || rest.is_empty()) && self.has_claims(claims)).then_some(rest)
    }

    /// The common prefix of all its names; of a list claim the first usable value. `None` if a claim
    /// has no usable value.
    pub(super) fn prefix<'a>(&'a self, claims: &ClaimLookup<'a>) -> Option<String> {
        self.prefixes(claims, 1).pop()
    }

    /// The prefixes for all usable values of its claims, at most `limit`.
    pub(super) fn prefixes<'a>(&'a self, claims: &ClaimLookup<'a>, limit: usize) -> Vec<String> {
        let mut prefixes = vec![String::new()];
        for part in &self.parts {
            match part {
                Part::Literal(text) => prefixes.iter_mut().for_each(|prefix| prefix.push_str(text)),
                Part::Claim(placeholder) => {
                    let fill = |prefix: String| {
                        placeholder.values(claims).map(move |value| format!("{prefix}{value}"))
                    };
                    prefixes = prefixes.into_iter().flat_map(fill).take(limit).collect();
                }
            }
        }
        prefixes
    }

    fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Claim(placeholder) => Some(&**placeholder),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => formatter.write_str(text)?,
                Part::Claim(placeholder) => write!(formatter, "{{{}}}", placeholder.path)?,
            }
        }
        formatter.write_str(if self.is_open { "*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::claims::CallerClaims;
    use super::*;

    fn parse(pattern: &str) -> Pattern {
        let mut patterns = [Pattern::parse(pattern).expect(pattern)];
        Pattern::share_delimiters(&mut patterns);
        let [pattern] = patterns;
        pattern
    }

    #[test]
    fn pattern_is_shown_as_it_is_written() {
        for pattern in [
            "*",
            "lobby",
            "{org}:*",
            "{org}",
            "{a}-{b}/c",
            "x{a.b}y*",
            "{https://x.example/org}:*",
            "{resource_access.\"app.example.com\".roles}:*",
        ] {
            assert_eq!(parse(pattern).to_string(), pattern);
        }
    }

    #[test]
    fn pattern_matches_byte_for_byte() {
        let rows = [
            ("lobby", "lobby", true),
            ("lobby", "lobby2", false),
            ("lobby", "Lobby", false),
            ("lobby", "lobb", false),
            ("lobby", "", false),
            ("*", "", true),
            ("*", "a/../b", true),
            ("{org}:*", "acme:standup", true),
            ("{org}:*", "acme:", true),
            ("{org}:*", "acme:eu:board", true),
            ("{org}:*", "acme", false),
            ("{org}:*", "acme2:standup", false),
            ("{org}:*", "ACME:standup", false),
            ("{org}:*", "acme%3Astandup", false),
            ("{org}:*", "{org}:standup", false),
            ("{org}:*", " acme:standup", false),
            ("{org}", "acme", true),
            ("{org}", "acme:", false),
            ("{user.team}-{org}", "blue-acme", true),
            ("{user.team}-{org}", "blue-acme2", false),
            ("caf\u{e9}", "caf\u{e9}", true),
            ("caf\u{e9}", "cafe\u{301}", false),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(matches(pattern, name, &claims()), expected, "{pattern} {name}");
        }
    }

    fn matches(pattern: &str, name: &str, claims: &Map<String, Value>) -> bool {
        parse(pattern).matches(name, &ClaimLookup::new(CallerClaims::new(claims)))
    }

    /// The pattern, the value of the claim `v`, a name, and whether the name matches.
    #[test]
    fn claim_with_the_text_behind_it_matches_nothing() {
        let rows = [
            ("{v}:*", json!("acme"), "acme:eu", true),
            ("{v}:*", json!("acme:eu"), "acme:eu:board", false),
            ("{v}:*", json!("acme:"), "acme::board", false),
            ("{v}:*", json!(":"), "::board", false),
            ("{v}:*", json!("acme/eu"), "acme/eu:board", true),
            ("{v}::*", json!("acme:eu"), "acme:eu::board", true),
            ("{v}::*", json!("acme:"), "acme:::board", false),
            ("{v}aba*", json!("xab"), "xababa", false),
            ("{v}aba*", json!("xb"), "xbaba", true),
            ("{v}-x-{w}", json!("a"), "a-x-w", true),
            ("{v}-x-{w}", json!("a-x-b"), "a-x-b-x-w", false),
            ("{w}-{v}", json!("a-b"), "w-a-b", true),
            ("x:{v}", json!("a:b"), "x:a:b", true),
            ("{v}-room", json!("a-room"), "a-room-room", false),
            ("{v}-room", json!("a"), "a-room", true),
            ("{v}\u{e9}*", json!("a\u{e9}"), "a\u{e9}\u{e9}b", false),
            ("{v}:*", json!(["acme:eu", "globex"]), "acme:eu:board", false),
            ("{v}:*", json!(["acme:eu", "globex"]), "globex:board", true),
            ("{v}::*", json!(["acme:", "acme"]), "acme:::board", true),
            ("{v}:*", json!({ "acme:eu": true, "globex": {} }), "acme:eu:board", false),
            ("{v}:*", json!({ "acme:eu": true, "globex": {} }), "globex:board", true),
        ];
        for (pattern, value, name, expected) in rows {
            let Value::Object(claims) = json!({ "v": value, "w": "w" }) else { unreachable!() };
            assert_eq!(matches(pattern, name, &claims), expected, "{pattern} {value} {name}");
        }
    }

    #[test]
    fn list_and_object_represent_each_of_their_strings() {
        let rows = [
            ("{list}:*", "acme:a", true),
            ("{list}:*", "globex:a", true),
            ("{list}:*", "other:a", false),
            ("{list}:*", "acme,globex:a", false),
            ("{list}:*", "*:a", false),
            ("{list}:*", ":a", false),
            ("{list}:*", "5:a", false),
            ("{list}", "globex", true),
            ("{map}:*", "blue:a", true),
            ("{map}:*", "red:a", false),
            ("{map}:*", "green:a", false),
            ("{map}:*", "true:a", false),
            ("{list}/{map}:*", "globex/blue:a", true),
            ("{list}/{map}:*", "globex/red:a", false),
            ("{list}/{map}:*", "other/blue:a", false),
            ("{objects}:*", "acme:a", false),
            ("{nothing}:*", ":a", false),
        ];
        let Value::Object(claims) = json!({
            "list": ["", "a*", 5, null, "acme", ["x"], "globex"],
            "map": { "blue": { "id": 1 }, "red": false, "green": null },
            "objects": [{ "name": "acme" }],
            "nothing": [],
        }) else {
            unreachable!()
        };
        for (pattern, name, expected) in rows {
            assert_eq!(matches(pattern, name, &claims), expected, "{pattern} {name}");
        }
        let (both, list) = (parse("{list}/{map}:*"), parse("{list}-"));
        let lookup = ClaimLookup::new(CallerClaims::new(&claims));
        assert_eq!(both.prefix(&lookup).as_deref(), Some("acme/blue:"));
        assert_eq!(list.prefixes(&lookup, 9), ["acme-", "globex-"]);
        assert_eq!(list.prefixes(&lookup, 1), ["acme-"]);
    }

    #[test]
    fn large_list_claims_cost_linear_time() {
        let many: Vec<_> = (0..5_000).map(|_| "a").collect();
        let Value::Object(claims) = json!({ "v": many }) else { unreachable!() };
        let pattern = format!("{}x", "{v}-".repeat(40));
        let name = format!("{}y", "a-".repeat(40));
        assert!(!matches(&pattern, &name, &claims));
        assert!(matches(&pattern, &format!("{}x", "a-".repeat(40)), &claims));
    }

    #[test]
    fn claim_in_braces_is_a_plain_string() {
        let rows = [
            ("org", true),
            ("user.team", true),
            ("list", true),
            ("user", true),
            ("absent", false),
            ("empty", false),
            ("star", false),
            ("brace", false),
            ("number", false),
            ("null", false),
        ];
        for (path, expected) in rows {
            let claims = claims();
            let lookup = ClaimLookup::new(CallerClaims::new(&claims));
            let pattern = parse(&format!("{{{path}}}:*"));
            assert_eq!(pattern.has_claims(&lookup), expected, "{path}");
            assert_eq!(pattern.prefix(&lookup).is_some(), expected, "{path}");
            assert_eq!(pattern.unusable(&lookup).next().is_none(), expected, "{path}");
        }
    }

    fn claims() -> Map<String, Value> {
        let Value::Object(claims) = json!({
            "org": "acme", "user": { "team": "blue" }, "empty": "", "star": "a*", "brace": "{org}",
            "number": 5, "list": ["acme"], "null": null,
        }) else {
            unreachable!()
        };
        claims
    }
}
