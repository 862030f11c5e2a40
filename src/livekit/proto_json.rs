//! Fields of a [proto3 JSON] object, in `snake_case` or `camelCase`. Absent, `null` and the default
//! value are one.
//!
//! A field is named by its path for errors, such as `room_config.max_participants`. The last part of
//! the path is the member's name.
//!
//! [proto3 JSON]: https://protobuf.dev/programming-guides/json/

use serde_json::{Map, Number, Value};

use crate::body::InvalidField;
use crate::text::Name;

/// The type of a field, which determines its default value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Map,
    Message,
    /// An enumeration, by the name of its default value.
    Enum(&'static str),
}

/// Returns the field at `path`, or `None` if it is absent or `null`.
pub(super) fn field<'a>(
    object: &'a Map<String, Value>,
    path: &'static str,
) -> Result<Option<&'a Value>, InvalidField> {
    let snake = path.rsplit_once('.').map_or(path, |(_, last)| last);
    let mut spellings = object.iter().filter(|(key, _)| is_spelling(key, snake));
    match (spellings.next(), spellings.next()) {
        (Some(_), Some(_)) => {
            Err(InvalidField::new(path, "must not be sent in two spellings at once"))
        }
        (one, _) => Ok(one.map(|(_, value)| value).filter(|value| !value.is_null())),
    }
}

/// Whether `key` is `snake`, or its JSON name: without underscores, the letter after each in upper
/// case.
fn is_spelling(key: &str, snake: &str) -> bool {
    if key == snake {
        return true;
    }
    let mut key = key.bytes();
    let mut is_start = false;
    for byte in snake.bytes() {
        if byte == b'_' {
            is_start = true;
            continue;
        }
        let expected = if is_start { byte.to_ascii_uppercase() } else { byte };
        is_start = false;
        if key.next() != Some(expected) {
            return false;
        }
    }
    key.next().is_none()
}

/// Returns a string of at most `most` bytes that is not empty, or `None`.
pub(super) fn text(
    object: &Map<String, Value>,
    path: &'static str,
    most: usize,
) -> Result<Option<String>, InvalidField> {
    match field(object, path)? {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= most => Ok(Some(text.clone())),
        Some(Value::String(_)) => {
            Err(InvalidField::new(path, format!("must be at most {most} bytes")))
        }
        Some(_) => Err(InvalidField::new(path, "must be a string")),
    }
}

/// Returns a [`Name`], or `None` if it is empty.
pub(super) fn name(
    object: &Map<String, Value>,
    path: &'static str,
) -> Result<Option<Name>, InvalidField> {
    let name = text(object, path, usize::MAX)?.map(Name::parse).transpose();
    name.map_err(|error| InvalidField::new(path, error.to_string()))
}

/// Returns a `uint32`, which may be written as a string, or with a fraction of zero.
pub(super) fn number(object: &Map<String, Value>, path: &'static str) -> Result<u32, InvalidField> {
    let read = field(object, path)?.map_or(Some(0), as_number);
    let read = read.and_then(|number| number.try_into().ok());
    read.ok_or_else(|| InvalidField::new(path, "must be a whole number below 2^32"))
}

/// Whether the field has a value other than the default of its kind. A value of another type counts
/// as one.
pub(super) fn is_set(
    object: &Map<String, Value>,
    path: &'static str,
    kind: Kind,
) -> Result<bool, InvalidField> {
    let is_default = |value: &Value| match (kind, value) {
        (Kind::Text, Value::String(text)) => text.is_empty(),
        (Kind::Number, value) => as_number(value) == Some(0),
        (Kind::Flag, Value::Bool(flag)) => !flag,
        (Kind::Map, Value::Object(members)) => members.is_empty(),
        // PHP writes an empty map as a list.
        (Kind::Map, Value::Array(items)) => items.is_empty(),
        // A member with an empty message is present: proto3 tells it from an absent one.
        (Kind::Message, Value::Object(members)) => members.values().all(is_absent),
        (Kind::Enum(default), Value::String(name)) => name == default || name.is_empty(),
        (Kind::Enum(_), Value::Number(_)) => as_number(value) == Some(0),
        _ => false,
    };
    Ok(field(object, path)?.is_some_and(|value| !is_default(value)))
}

/// Whether a member of a message stands for an absent field: `null` or a repeated field without
/// items.
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// A number without a sign and without a fraction, written as a number or as digits.
fn as_number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => whole(number),
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        // From 2^53 on, not every whole number is an `f64`.
        let is_whole = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        is_whole.then_some(number as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_is_spelled_in_snake_case_or_as_proto3_does() {
        for (key, snake, expected) in [
            ("room_name", "room_name", true),
            ("roomName", "room_name", true),
            ("minPlayoutDelay", "min_playout_delay", true),
            ("min_playoutDelay", "min_playout_delay", false),
            ("agents", "agents", true),
            ("RoomName", "room_name", false),
            ("roomname", "room_name", false),
            ("roomNames", "room_name", false),
            ("roomN", "room_name", false),
            ("", "room_name", false),
        ] {
            assert_eq!(is_spelling(key, snake), expected, "{key}");
        }
    }
}
