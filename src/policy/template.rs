//! Texts of the operator in which claims in braces are replaced: attributes, and metadata of agents.

use std::borrow::Cow;

use serde_json::Value;

use super::claims::ClaimLookup;

/// A text with claims in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    /// Whether the text is JSON. Claims are then escaped, so that a value cannot leave its string.
    is_json: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// The path of a claim.
    Claim(String),
}

/// The reason for which a template is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("braces must be balanced and contain the name of a claim, unless the text is JSON")]
    Brace,
    #[error("a text that starts like JSON must be JSON: put claims in braces into its strings")]
    Json,
    #[error("a claim in braces must not be part of a field name in JSON")]
    FieldName,
}

impl Template {
    /// Parses a text. In JSON, braces that do not directly enclose a claim's path are JSON's own.
    pub(super) fn parse(text: &str) -> Result<Self, TemplateError> {
        let json: Option<Value> = serde_json::from_str(text).ok();
        let json =
            json.filter(|value| !value.is_number() && !value.is_boolean() && !value.is_null());
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(brace) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(brace);
            literal.push_str(before);
            if let Some((path, after)) = placeholder(from_brace) {
                if !literal.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Claim(path.to_owned()));
                rest = after;
            } else if json.is_some() {
                literal.push_str(&from_brace[..1]);
                rest = &from_brace[1..];
            } else {
                return Err(if is_like_json(text) {
                    TemplateError::Json
                } else {
                    TemplateError::Brace
                });
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        let template = Self { pieces, is_json: json.is_some() };
        if template.claims().next().is_some() {
            match &json {
                None if is_like_json(text) => return Err(TemplateError::Json),
                Some(value) if has_claim_in_field_name(value) => {
                    return Err(TemplateError::FieldName);
                }
                _ => {}
            }
        }
        Ok(template)
    }

    /// The paths of its claims.
    pub(super) fn claims(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Claim(path) => Some(path.as_str()),
        })
    }

    /// The text, if it contains no claim.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether every claim has a value: a string that is not empty, a number or a Boolean.
    pub(super) fn has_claims<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.claims().all(|path| claims.find(path).scalar().is_some())
    }

    /// Replaces the claims; `None` if one has no value. A text without claims, or of a claim alone, is
    /// borrowed.
    pub(super) fn fill<'a>(&'a self, claims: &ClaimLookup<'a>) -> Option<Cow<'a, str>> {
        let text = |piece: &'a Piece| match piece {
            Piece::Text(text) => Some(Cow::Borrowed(text.as_str())),
            Piece::Claim(path) => {
                let value = claims.find(path).scalar()?;
                Some(if self.is_json { Cow::Owned(escaped(&value)) } else { value })
            }
        };
        match self.pieces.as_slice() {
            [] => Some(Cow::Borrowed("")),
            [only] => text(only),
            several => several.iter().map(text).collect::<Option<String>>().map(Cow::Owned),
        }
    }
}

/// Splits `{path}` from the start of `text`, if there is one. A path contains no quotes, braces, commas
/// or white space, so neither an object nor an empty pair of braces of JSON is one.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (path, after) = text.strip_prefix('{')?.split_once('}')?;
    let is_path = |path: &str| {
        !path.is_empty()
            && !path.contains(['{', '"', '\\', ','])
            && !path.contains(char::is_whitespace)
    };
    is_path(path).then_some((path, after))
}

/// Whether the author of `text` may have meant JSON: claims in it would not be escaped.
fn is_like_json(text: &str) -> bool {
    let text = text.trim_start();
    let is_object =
        |rest: &str| rest.starts_with(['"', '{']) || rest.starts_with(char::is_whitespace);
    text.starts_with(['[', '"']) || text.strip_prefix('{').is_some_and(is_object)
}

fn has_claim_in_field_name(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_claim_in_field_name),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let has_claim =
                name.match_indices('{').any(|(at, _)| placeholder(&name[at..]).is_some());
            has_claim || has_claim_in_field_name(value)
        }),
        _ => false,
    }
}

/// `text` as the content of a JSON string, without its quotes.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims::CallerClaims;
    use super::*;

    #[test]
    fn claims_in_braces_are_replaced() {
        let Value::Object(claims) = json!({
            "org": "acme", "o": { "id": "7" }, "level": 3, "vip": true, "evil": "\",\"admin\":true,\"x\":\"{org}\\\n",
            "empty": "", "null": null, "list": ["a"], "https://x.example/tier": "gold",
        }) else {
            unreachable!()
        };
        #[rustfmt::skip]
        let rows = [
            ("plain", Some("plain")),
            ("{org}", Some("acme")),
            ("{org}/{o.id}!", Some("acme/7!")),
            ("{level}{vip}", Some("3true")),
            ("{https://x.example/tier}", Some("gold")),
            ("{evil}", Some("\",\"admin\":true,\"x\":\"{org}\\\n")),
            ("{}", Some("{}")),
            (r#"{"a":{},"b":[{"c":"{ x }"}]}"#, Some(r#"{"a":{},"b":[{"c":"{ x }"}]}"#)),
            (r#"{"org":"{org}","n":"{level}"}"#, Some(r#"{"org":"acme","n":"3"}"#)),
            (r#"{"x":"{evil}"}"#, Some(r#"{"x":"\",\"admin\":true,\"x\":\"{org}\\\n"}"#)),
            (r#"["{org}",{"a":"{o.id}-{org}"}]"#, Some(r#"["acme",{"a":"7-acme"}]"#)),
            ("\"{evil}\"", Some(r#""\",\"admin\":true,\"x\":\"{org}\\\n""#)),
            ("{missing}", None),
            ("{empty}", None),
            ("{null}", None),
            ("{list}", None),
            ("{o}", None),
            ("{org}-{missing}", None),
        ];
        for (text, expected) in rows {
            let template = Template::parse(text).expect(text);
            let lookup = ClaimLookup::new(CallerClaims::new(&claims));
            assert_eq!(template.fill(&lookup).as_deref(), expected, "{text}");
            assert_eq!(template.has_claims(&lookup), expected.is_some(), "{text}");
        }
    }

    #[test]
    fn braces_without_a_claim_are_rejected_outside_json() {
        use TemplateError::{Brace, FieldName, Json};
        for (text, error) in [
            ("{org", Brace),
            ("org}", Brace),
            ("hello { org }", Brace),
            ("hello {}", Brace),
            ("{{org}}", Json),
            (r#"{"n":{level}}"#, Json),
            (r#"{"org":"{org}""#, Json),
            ("[{level}]", Json),
            ("\"{org}", Json),
            (r#"{"{org}":1}"#, FieldName),
            (r#"{"a":[{"x{org}":1}]}"#, FieldName),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
    }
}
