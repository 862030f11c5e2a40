//! Conditions on claims, which decide whether a rule applies.

use std::fmt;

use serde_json::{Map, Value};

use super::claims::{Claim, ClaimLookup, is_set};
use crate::non_empty::NonEmpty;

/// Claims whose strings are lists of words ([RFC 6749 §3.3], and Entra's `scp`).
///
/// [RFC 6749 §3.3]: https://www.rfc-editor.org/rfc/rfc6749#section-3.3
const SCOPES: [&str; 2] = ["scope", "scp"];

/// Fields that identify an object in a list.
const IDENTIFIERS: [&str; 3] = ["name", "key", "id"];

/// A claim, and the values of which it must have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// The claim's path.
    pub(super) claim: String,
    pub(super) any_of: NonEmpty<Expected>,
}

/// A value that a claim may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// A string that is not empty.
    Text(String),
    /// A word of a string that separates words with blanks or commas.
    Word(String),
    Boolean(bool),
    Integer(i64),
}

impl Condition {
    pub(super) fn is_met<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        let claim = claims.find(&self.claim);
        self.any_of.iter().any(|expected| self.accepts(expected, claim))
    }

    fn accepts(&self, expected: &Expected, claim: Claim<'_>) -> bool {
        match claim {
            Claim::Absent => false,
            Claim::Text(text) => expected.is_text(text, SCOPES.contains(&self.claim.as_str())),
            Claim::Other(Value::Array(items)) => items.iter().any(|item| match item {
                Value::Object(fields) => expected.identifies(fields),
                item => expected.is_item(item),
            }),
            Claim::Other(Value::Object(fields)) => {
                expected.text().and_then(|name| fields.get(name)).is_some_and(is_set)
            }
            Claim::Other(value) => expected.is_scalar(value),
        }
    }
}

impl Expected {
    /// The expected string; `None` for a Boolean or an integer.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Word(text) => Some(text),
            Self::Boolean(_) | Self::Integer(_) => None,
        }
    }

    fn is_text(&self, text: &str, is_scope: bool) -> bool {
        match self {
            Self::Text(expected) => {
                text == expected || (is_scope && text.split(' ').any(|word| word == expected))
            }
            Self::Word(expected) => text.split([' ', ',']).any(|word| word == expected),
            Self::Boolean(_) | Self::Integer(_) => false,
        }
    }

    fn is_scalar(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Boolean(expected), Value::Bool(value)) => expected == value,
            (Self::Integer(expected), Value::Number(value)) => value.as_i64() == Some(*expected),
            _ => false,
        }
    }

    /// Whether an item of a list, which is not an object, is the value. A Boolean in a list has no
    /// meaning of its own and is none.
    fn is_item(&self, item: &Value) -> bool {
        match item {
            Value::String(item) => self.text() == Some(item),
            Value::Number(_) => self.is_scalar(item),
            _ => false,
        }
    }

    /// Whether an object in a list has the value as its name, key or ID.
    fn identifies(&self, fields: &Map<String, Value>) -> bool {
        IDENTIFIERS.iter().any(|field| fields.get(*field).is_some_and(|value| self.is_item(value)))
    }
}

/// `claim = value`, or `claim = value or value`.
impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} = ", self.claim)?;
        for (index, expected) in self.any_of.iter().enumerate() {
            let separator = if index == 0 { "" } else { " or " };
            match expected {
                Expected::Text(text) => write!(formatter, "{separator}{text}")?,
                Expected::Word(word) => write!(formatter, "{separator}the word {word}")?,
                Expected::Boolean(value) => write!(formatter, "{separator}{value}")?,
                Expected::Integer(value) => write!(formatter, "{separator}{value}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims::CallerClaims;
    use super::*;

    fn is_met(claim: &str, expected: &Expected, value: &Value) -> bool {
        let condition = Condition {
            claim: claim.to_owned(),
            any_of: NonEmpty::new(vec![expected.clone()]).unwrap(),
        };
        let Value::Object(claims) = json!({ claim: value }) else { unreachable!() };
        condition.is_met(&ClaimLookup::new(CallerClaims::new(&claims)))
    }

    #[test]
    fn condition_compares_each_form_of_a_claim() {
        let admin = &Expected::Text("admin".into());
        let word = &Expected::Word("calls:join".into());
        let two = &Expected::Text("two words".into());
        let (yes, no) = (&Expected::Boolean(true), &Expected::Boolean(false));
        let three = &Expected::Integer(3);
        #[rustfmt::skip]
        let rows = [
            ("role",  admin, json!("admin"), true),
            ("role",  admin, json!("openid admin email"), false),
            ("role",  admin, json!("evil admin"), false),
            ("role",  admin, json!("admin "), false),
            ("role",  admin, json!("administrator"), false),
            ("role",  admin, json!("Admin"), false),
            ("role",  admin, json!("org:admin"), false),
            ("role",  admin, json!("a,admin"), false),
            ("role",  admin, json!(""), false),
            ("role",  admin, json!(null), false),
            ("role",  admin, json!(1), false),
            ("role",  two,   json!("two words"), true),
            ("role",  two,   json!("two words more"), false),
            ("scope", admin, json!("openid admin email"), true),
            ("scp",   admin, json!("openid admin"), true),
            ("scope", admin, json!("admin"), true),
            ("scope", admin, json!("openid,admin"), false),
            ("scope", admin, json!("openid\tadmin"), false),
            ("scope", admin, json!("org:admin"), false),
            ("scope", admin, json!(["openid", "admin"]), true),
            ("scope", admin, json!(["openid admin"]), false),
            ("scopes", admin, json!("openid admin"), false),
            ("Scope", admin, json!("openid admin"), false),
            ("x.scope", admin, json!("openid admin"), false),
            ("per",   word,  json!("calls:join,calls:mute"), true),
            ("per",   word,  json!("calls:mute calls:join"), true),
            ("per",   word,  json!("calls:mute, calls:join"), true),
            ("per",   word,  json!("calls:join"), true),
            ("per",   word,  json!("calls:joined"), false),
            ("per",   word,  json!("calls:join;calls:mute"), false),
            ("per",   word,  json!(["calls:join"]), true),
            ("per",   word,  json!(["calls:join,calls:mute"]), false),
            ("role",  admin, json!(["x", "admin"]), true),
            ("role",  admin, json!(["x admin"]), false),
            ("role",  admin, json!([["admin"]]), false),
            ("role",  admin, json!([]), false),
            ("role",  admin, json!([null]), false),
            ("role",  admin, json!([{ "name": "admin" }]), true),
            ("role",  admin, json!([{ "key": "x" }, { "key": "admin" }]), true),
            ("role",  admin, json!([{ "id": "admin" }]), true),
            ("role",  admin, json!([{ "title": "admin" }]), false),
            ("role",  admin, json!([{ "name": "x admin" }]), false),
            ("role",  admin, json!([{ "name": ["admin"] }]), false),
            ("role",  admin, json!([{ "name": { "admin": 1 } }]), false),
            ("role",  admin, json!([{ "admin": true }]), false),
            ("role",  admin, json!({ "admin": { "1": "acme" } }), true),
            ("role",  admin, json!({ "admin": {} }), true),
            ("role",  admin, json!({ "admin": true }), true),
            ("role",  admin, json!({ "admin": false }), false),
            ("role",  admin, json!({ "admin": null }), false),
            ("role",  admin, json!({ "role": "admin" }), false),
            ("role",  admin, json!({ "name": "admin" }), false),
            ("role",  yes,   json!(true), true),
            ("role",  yes,   json!(false), false),
            ("role",  yes,   json!("true"), false),
            ("role",  yes,   json!([true]), false),
            ("role",  yes,   json!(1), false),
            ("role",  no,    json!(null), false),
            ("role",  three, json!(3), true),
            ("role",  three, json!([1, 3]), true),
            ("role",  three, json!([{ "id": 3 }]), true),
            ("role",  three, json!(3.5), false),
            ("role",  three, json!("3"), false),
            ("role",  three, json!({ "3": true }), false),
            ("role",  &Expected::Text("3".into()), json!(3), false),
        ];
        for (claim, expected, value, is_expected) in rows {
            assert_eq!(
                is_met(claim, expected, &value),
                is_expected,
                "{claim} {expected:?} {value}"
            );
        }
    }

    #[test]
    fn condition_needs_the_claim_and_one_of_its_values() {
        let any_of = vec![Expected::Text("admin".into()), Expected::Text("owner".into())];
        let condition =
            Condition { claim: "org.role".into(), any_of: NonEmpty::new(any_of).unwrap() };
        let rows = [
            (json!({ "org": { "role": "owner" } }), true),
            (json!({ "org.role": "admin" }), true),
            (json!({ "org.role": null, "org": { "role": "admin" } }), true),
            (json!({ "org": { "role": "member" } }), false),
            (json!({ "org": "owner" }), false),
            (json!({}), false),
        ];
        for (claims, is_expected) in rows {
            let claims = claims.as_object().unwrap();
            let lookup = ClaimLookup::new(CallerClaims::new(claims));
            assert_eq!(condition.is_met(&lookup), is_expected, "{claims:?}");
        }
        assert_eq!(condition.to_string(), "org.role = admin or owner");
    }
}
