//! JSON from strangers: no member may stand twice, and claims are found by path.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses `text`, refusing any object, at any depth, that holds the same member twice.
///
/// [RFC 7519 §4] leaves duplicates to the parser, and two parsers that choose differently are an
/// attack. Nesting is limited to `serde_json`'s 128 levels.
///
/// # Errors
///
/// What `serde_json` refuses (bad UTF-8, lone surrogates, numbers beyond `f64`, trailing text), and
/// duplicate members. The error may quote `text`: do not show it to anyone.
///
/// [RFC 7519 §4]: https://www.rfc-editor.org/rfc/rfc7519#section-4
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Unique>(text).map(|unique| unique.0)
}

/// Parses `text` as [`parse`] does, and takes nothing but an object.
///
/// # Errors
///
/// As [`parse`], and any other kind of value.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// Finds the claim that `path` names: the member of exactly that name, or else, dot by dot, a member
/// of a member.
///
/// The whole name comes first because namespaced claims (`https://app.example/email`) hold dots.
#[must_use]
pub fn find<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    find(object.get(first)?.as_object()?, rest)
}

/// A value none of whose objects holds a member twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without duplicate members")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, Unique>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn refuses() {
        let rows: &[(&str, &[u8])] = &[
            ("a duplicate", br#"{"a":1,"a":1}"#),
            ("a duplicate by escape", br#"{"a":1,"\u0061":2}"#),
            ("a nested duplicate", br#"{"a":[{"b":1,"b":2}]}"#),
            ("trailing text", b"{} {}"),
            ("a byte order mark", b"\xef\xbb\xbf{}"),
            ("bad UTF-8", b"{\"a\":\"\xff\"}"),
            ("a lone surrogate", br#"{"a":"\ud800"}"#),
            ("a number beyond f64", br#"{"a":1e400}"#),
            ("nothing", b""),
        ];
        for (name, text) in rows {
            assert!(parse(text).is_err(), "{name}");
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        assert!(parse(deep.as_bytes()).is_err(), "too deep");
        assert!(parse_object(b"[]").is_err(), "an array for an object");
    }

    #[test]
    fn keeps_every_kind_of_value() {
        let text =
            r#"{"n":null,"b":true,"i":-1,"u":18446744073709551615,"f":1.5,"s":"é","a":[{}]}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn finds_claims_by_path() {
        let Value::Object(claims) = json!({
            "email": "a", "user": { "email": "b", "x.y": "c" }, "https://app.example/email": "d",
            "https://app": 1,
        }) else {
            unreachable!()
        };
        let rows = [
            ("email", Some("a")),
            ("user.email", Some("b")),
            ("user.x.y", Some("c")),
            ("https://app.example/email", Some("d")),
            ("user.name", None),
            ("email.user", None),
            ("", None),
        ];
        for (path, expected) in rows {
            assert_eq!(find(&claims, path).and_then(Value::as_str), expected, "{path}");
        }
    }
}
