//! Names of rooms and agents, in which claims stand in braces and a final star for any rest.

use std::fmt;

use super::claims::ClaimLookup;
use crate::text;

/// A name, exact but for the caller's claims in it and, where it is open, its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
    /// Whether it ends with a star.
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// The path of a claim.
    Claim(String),
}

impl Pattern {
    /// Reads a pattern. Refused is what could match more than it seems to: a star that is not at the
    /// end, or next to a claim (`{org}*` of `acme` would open what is `acme2`'s), and claims next to
    /// each other (`ab` and `c` are as good as `a` and `bc`).
    pub(super) fn parse(pattern: &str) -> Result<Self, &'static str> {
        if !text::is_name(pattern) {
            return Err("a pattern must be 1 to 256 bytes of text without control characters");
        }
        let (mut rest, is_open) = match pattern.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        if rest.contains('*') {
            return Err("a star may stand at the end of a pattern only");
        }
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (literal, claim) = match rest.split_once('{') {
                None => (rest, None),
                Some((literal, rest)) => (literal, Some(rest)),
            };
            if literal.contains('}') {
                return Err("a brace of a pattern has no partner");
            }
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            }
            let Some(claim) = claim else { break };
            let (path, after) =
                claim.split_once('}').ok_or("a brace of a pattern has no partner")?;
            if path.is_empty() || path.contains('{') || path.trim() != path {
                return Err("braces of a pattern must hold the name of a claim");
            }
            if matches!(parts.last(), Some(Part::Claim(_))) {
                return Err("two claims of a pattern must have text between them");
            }
            parts.push(Part::Claim(path.to_owned()));
            rest = after;
        }
        if is_open && matches!(parts.last(), Some(Part::Claim(_))) {
            return Err("a claim and a star of a pattern must have text between them");
        }
        Ok(Self { parts, is_open })
    }

    /// Whether it ends with a star.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// The least bytes that its names have before the star: a claim is never empty.
    pub(super) fn least_bytes(&self) -> usize {
        let bytes = |part: &Part| match part {
            Part::Literal(text) => text.len(),
            Part::Claim(_) => 1,
        };
        self.parts.iter().map(bytes).sum()
    }

    /// Whether the caller has all claims that it holds.
    pub(super) fn has_claims<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.parts.iter().all(|part| part.text(claims).is_some())
    }

    /// Whether `name` is one of its names, byte for byte.
    pub(super) fn matches<'a>(&'a self, name: &str, claims: &ClaimLookup<'a>) -> bool {
        let mut rest = name;
        for part in &self.parts {
            match part.text(claims).and_then(|text| rest.strip_prefix(text)) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        self.is_open || rest.is_empty()
    }

    /// What all its names start with, if the caller has all claims that it holds.
    pub(super) fn prefix<'a>(&'a self, claims: &ClaimLookup<'a>) -> Option<String> {
        self.parts.iter().map(|part| part.text(claims)).collect()
    }
}

impl Part {
    fn text<'a>(&'a self, claims: &ClaimLookup<'a>) -> Option<&'a str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Claim(path) => claims.find(path).plain_text,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Literal(text) => formatter.write_str(text)?,
                Part::Claim(path) => write!(formatter, "{{{path}}}")?,
            }
        }
        formatter.write_str(if self.is_open { "*" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use crate::json;
    use serde_json::{Map, Value, json};

    use super::*;

    #[test]
    fn reads_and_shows() {
        for pattern in
            ["*", "lobby", "{org}:*", "{org}", "{a}-{b}/c", "x{a.b}y*", "{https://x.example/org}:*"]
        {
            assert_eq!(Pattern::parse(pattern).unwrap().to_string(), pattern);
        }
    }

    #[test]
    fn refuses_what_could_match_more_than_it_says() {
        let long = "a".repeat(257);
        for pattern in [
            "",
            "**",
            "a*b",
            "*a",
            "{a}*",
            "{a}{b}",
            "{a",
            "a}",
            "{}",
            "{ a}",
            "{a{b}",
            "{{a}}",
            "a}b{c}",
            "{a}b}",
            "a\nb",
            "\u{202e}a",
            &long,
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }

    #[test]
    fn matches_byte_for_byte() {
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
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(
                pattern.matches(name, &ClaimLookup::new(&claims())),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn claims_must_be_plain_text() {
        let rows = [
            ("org", true),
            ("user.team", true),
            ("absent", false),
            ("empty", false),
            ("star", false),
            ("brace", false),
            ("number", false),
            ("list", false),
            ("user", false),
            ("null", false),
        ];
        for (path, expected) in rows {
            let pattern = Pattern::parse(&format!("{{{path}}}:*")).unwrap();
            assert_eq!(pattern.has_claims(&ClaimLookup::new(&claims())), expected, "{path}");
            assert_eq!(pattern.prefix(&ClaimLookup::new(&claims())).is_some(), expected, "{path}");
            let value =
                json::find(&claims(), path).map(|value| value.as_str().unwrap_or("x").to_owned());
            let name = format!("{}:a", value.unwrap_or_default());
            assert_eq!(
                pattern.matches(&name, &ClaimLookup::new(&claims())),
                expected,
                "{path} {name}"
            );
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
