//! A request body as a JSON object, and the fields of it that are invalid.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::{Deserializer, Map, Value};

use crate::json;
use crate::text::Name;

/// A field of a request with an invalid value. Nothing of the value is quoted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub struct InvalidField {
    /// The name of the field, or "the body".
    pub field: &'static str,
    /// The fault and its remedy, as the rest of the sentence "`field` …".
    pub reason: Cow<'static, str>,
}

impl InvalidField {
    /// Creates an error about `field`.
    pub fn new(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// Parses `body` as one JSON object without duplicate members.
///
/// # Errors
///
/// [`InvalidField`] with the reason, which is determined only after parsing failed: a valid body
/// costs nothing extra.
pub fn parse_object(body: &[u8]) -> Result<Map<String, Value>, InvalidField> {
    let reason = match json::parse(body) {
        Ok(Value::Object(members)) => return Ok(members),
        Ok(Value::Null) => "must be empty or a JSON object, not null",
        Ok(_) => "must be a JSON object",
        Err(error) => reason(body, error.classify()),
    };
    Err(InvalidField::new("the body", reason))
}

/// Returns the value of `field`. JSON `null` is absence.
pub fn present<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    fields.get(field).filter(|value| !value.is_null())
}

/// Returns the name in `field`, if it is present.
///
/// # Errors
///
/// [`InvalidField`] for a value that is not a string, and a string that is not a name.
pub fn name(
    fields: &Map<String, Value>,
    field: &'static str,
) -> Result<Option<Name>, InvalidField> {
    match present(fields, field) {
        None => Ok(None),
        Some(Value::String(name)) => Name::parse(name.as_str())
            .map(Some)
            .map_err(|error| InvalidField::new(field, error.to_string())),
        Some(_) => Err(InvalidField::new(field, "must be a string")),
    }
}

/// Returns the name in `field`.
///
/// # Errors
///
/// [`InvalidField`] as [`name`], and for an absent field.
pub fn required_name(
    fields: &Map<String, Value>,
    field: &'static str,
) -> Result<Name, InvalidField> {
    name(fields, field)?.ok_or_else(|| InvalidField::new(field, "must be sent"))
}

/// The reason why `body`, whose error is of `category`, is not JSON without duplicate members.
fn reason(body: &[u8], category: Category) -> &'static str {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
    if body.starts_with(GZIP) {
        return "must not be compressed";
    }
    if body.starts_with(BYTE_ORDER_MARK) {
        return "must not start with a byte order mark"; // RFC 8259 §8.1
    }
    // UTF-16 and UTF-32 write NUL bytes beside each ASCII character.
    if std::str::from_utf8(body).is_err() || body.iter().take(4).any(|byte| *byte == 0) {
        return "must be encoded in UTF-8";
    }
    match category {
        // The only error of this category that `json::parse` makes.
        Category::Data => "must not contain two members with one name",
        Category::Eof | Category::Io => "must be complete JSON, but ends too early",
        Category::Syntax if has_lone_surrogate(body) => {
            "must not contain one half of a surrogate pair"
        }
        Category::Syntax => {
            let mut values = Deserializer::from_slice(body).into_iter::<IgnoredAny>();
            match values.next() {
                Some(Ok(_)) => "must be one JSON object without text after it",
                _ => "must be valid JSON",
            }
        }
    }
}

/// Whether an escape of `text` is one half of a surrogate pair without the other
/// ([RFC 8259 §8.2](https://www.rfc-editor.org/rfc/rfc8259#section-8.2)).
fn has_lone_surrogate(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(start) = rest.iter().position(|byte| *byte == b'\\') {
        rest = rest.get(start..).unwrap_or_default();
        let second = || rest.get(6..).and_then(escaped_unit);
        let length = match escaped_unit(rest) {
            Some(0xd800..=0xdbff) if matches!(second(), Some(0xdc00..=0xdfff)) => 12,
            Some(0xd800..=0xdfff) => return true,
            _ => 2,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// The UTF-16 unit of the escape at the start of `text`, if it is a `\u` escape.
fn escaped_unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
