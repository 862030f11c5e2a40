//! Untrusted JSON without duplicate fields, and values by path.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Parses `text`, and rejects objects at any depth that contain a field twice.
///
/// [RFC 7519 §4] leaves duplicates to the parser, and two parsers that choose differently are an
/// attack. Nesting is limited to `serde_json`'s 128 levels.
///
/// # Errors
///
/// Everything that `serde_json` rejects (bad UTF-8, lone surrogates, numbers beyond `f64`, trailing
/// text), and duplicate fields. The error may quote `text`, so it must not be logged.
///
/// [RFC 7519 §4]: https://www.rfc-editor.org/rfc/rfc7519#section-4
///
/// # Examples
///
/// ```
/// use roomkey::json;
///
/// assert!(json::parse(br#"{ "sub": "ada", "act": { "sub": "bob" } }"#).is_ok());
/// assert!(json::parse(br#"{ "sub": "ada", "sub": "bob" }"#).is_err());
/// // Two spellings of one name are one name.
/// assert!(json::parse(br#"{ "sub": "ada", "s\u0075b": "bob" }"#).is_err());
/// ```
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice::<Unique>(text).map(|unique| unique.0)
}

/// Parses `text` as [`parse`] does, and accepts only an object.
///
/// # Errors
///
/// Those of [`parse`], and any value that is not an object.
pub fn parse_object(text: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match parse(text)? {
        Value::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("not an object")),
    }
}

/// Finds the value at `path`; `None` if it is absent or `null`.
///
/// A path is the name of a field, or names separated by dots that lead into objects. Names may contain
/// dots themselves (`https://app.example/session.roles`): at each object, the longest name is tried
/// first. A name in quotes is exact (`resource_access."app.example.com".roles`). In a list, a number is
/// the index of an item (`emails.0`).
///
/// # Examples
///
/// ```
/// use roomkey::json::find;
/// use serde_json::json;
///
/// let claims = json!({ "https://app.example/org": { "roles": ["host"] }, "org": null });
/// let claims = claims.as_object().unwrap();
/// assert_eq!(find(claims, "https://app.example/org.roles.0"), Some(&json!("host")));
/// assert_eq!(find(claims, "org"), None);
/// ```
pub fn find<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = object.get(path).filter(|value| !value.is_null()) {
        return Some(value);
    }
    if let Some((name, rest)) = path.strip_prefix('"').and_then(|path| path.split_once('"')) {
        let value = object.get(name)?;
        return match rest.strip_prefix('.') {
            Some(rest) => find_in(value, rest),
            None => Some(value).filter(|value| rest.is_empty() && !value.is_null()),
        };
    }
    let mut name = path;
    while let Some((shorter, _)) = name.rsplit_once('.') {
        name = shorter;
        let found = object.get(name).and_then(|value| find_in(value, &path[name.len() + 1..]));
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Finds the value at `path` in an object or a list, as [`find`] does. Other values contain none.
pub fn find_in<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    match value {
        Value::Object(object) => find(object, path),
        Value::Array(items) => {
            let (index, rest) = match path.split_once('.') {
                Some((index, rest)) => (index, Some(rest)),
                None => (path, None),
            };
            let is_index = index == "0"
                || (!index.starts_with('0') && index.bytes().all(|byte| byte.is_ascii_digit()));
            let item = items.get(index.parse::<usize>().ok().filter(|_| is_index)?)?;
            match rest {
                Some(rest) => find_in(item, rest),
                None => Some(item).filter(|item| !item.is_null()),
            }
        }
        _ => None,
    }
}

/// A value without duplicate fields in any of its objects.
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
        formatter.write_str("JSON without duplicate fields")
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
                return Err(A::Error::custom("duplicate field"));
            }
        }
        Ok(Value::Object(object))
    }
}

/// Returns the value of a whole number that is not negative. JSON Schema counts `60.0` as one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is whole, not negative and at most 2^53"
)]
pub fn whole_number(value: &Value) -> Option<u64> {
    let is_whole =
        |number: &f64| number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(number);
    value.as_u64().or_else(|| value.as_f64().filter(is_whole).map(|number| number as u64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_rejected_if_it_is_ambiguous_or_invalid() {
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
    fn every_kind_of_value_is_kept() {
        let text =
            r#"{"n":null,"b":true,"i":-1,"u":18446744073709551615,"f":1.5,"s":"é","a":[{}]}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse(text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn value_is_found_by_path() {
        let Value::Object(claims) = json!({
            "email": "a",
            "user": { "email": "b", "x.y": "c", "x": { "y": "shorter", "z": "z" }, "none": null },
            "user.email": null,
            "https://app.example/email": "d",
            "https://app": 1,
            "https://stytch.com/session": { "roles": "e" },
            "https://stytch": { "com/session": { "roles": "shorter" } },
            "resource_access": { "app.example.com": { "roles": "f" }, "app": { "roles": "g" } },
            "emails": ["h", { "value": "i" }, null, ["j"]],
            "0": "k",
            "a.b": { "x": 1 },
            "a": { "b.c": "l" },
            "null": null,
            "quo\"te": "m",
        }) else {
            unreachable!()
        };
        #[rustfmt::skip]
        let rows = [
            ("email", Some("a")),
            ("user.email", Some("b")),
            ("user.x.y", Some("c")),
            ("user.x.z", Some("z")),
            ("user.x", None),
            ("user.none", None),
            ("null", None),
            ("https://app.example/email", Some("d")),
            ("https://stytch.com/session.roles", Some("e")),
            ("resource_access.app.example.com.roles", Some("f")),
            ("resource_access.\"app.example.com\".roles", Some("f")),
            ("\"resource_access\".\"app.example.com\".\"roles\"", Some("f")),
            ("resource_access.app.roles", Some("g")),
            ("resource_access.\"app\".roles", Some("g")),
            ("resource_access.\"app.example\".com.roles", None),
            ("\"user.email\"", None),
            ("\"user\".email", Some("b")),
            ("\"user\"email", None),
            ("\"user", None),
            ("quo\"te", Some("m")),
            ("a.b.c", Some("l")),
            ("emails.0", Some("h")),
            ("emails.1.value", Some("i")),
            ("emails.2", None),
            ("emails.3.0", Some("j")),
            ("emails.4", None),
            ("emails.00", None),
            ("emails.01", None),
            ("emails.+0", None),
            ("emails.", None),
            ("emails.18446744073709551616", None),
            ("0", Some("k")),
            ("user.name", None),
            ("email.user", None),
            ("email.0", None),
            ("", None),
            (".", None),
            ("..", None),
        ];
        for (path, expected) in rows {
            assert_eq!(find(&claims, path).and_then(Value::as_str), expected, "{path}");
        }
    }
}
