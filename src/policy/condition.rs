//! What a claim must be for a rule to apply.

use serde_json::Value;

use super::claims::ClaimLookup;

/// A claim, and the values of which it must have one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    /// The claim's path.
    pub(super) claim: String,
    /// Never empty.
    pub(super) any_of: Vec<Expected>,
}

/// A value that a claim may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Not empty.
    Text(String),
    Boolean(bool),
    Integer(i64),
}

impl Condition {
    pub(super) fn holds<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        claims
            .find(&self.claim)
            .value
            .is_some_and(|claim| self.any_of.iter().any(|expected| expected.is_in(claim)))
    }
}

impl Expected {
    /// Whether `claim` is the value, or says it in one of the ways in which providers write lists:
    /// words between spaces (`scope`), arrays, and members of an object (Zitadel's roles).
    fn is_in(&self, claim: &Value) -> bool {
        match (self, claim) {
            (Self::Boolean(expected), Value::Bool(value)) => expected == value,
            (Self::Integer(expected), Value::Number(value)) => value.as_i64() == Some(*expected),
            (Self::Text(expected), Value::String(text)) => {
                text == expected || text.split(' ').any(|word| word == expected)
            }
            (Self::Text(expected), Value::Array(items)) => {
                items.iter().any(|item| item.as_str() == Some(expected))
            }
            (Self::Text(expected), Value::Object(members)) => members
                .get(expected)
                .is_some_and(|member| !matches!(member, Value::Null | Value::Bool(false))),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_have_many_shapes() {
        let admin = Expected::Text("admin".into());
        let rows = [
            (&admin, json!("admin"), true),
            (&admin, json!("openid admin email"), true),
            (&admin, json!("administrator"), false),
            (&admin, json!("Admin"), false),
            (&admin, json!("org:admin"), false),
            (&admin, json!("a,admin"), false),
            (&admin, json!(["x", "admin"]), true),
            (&admin, json!(["x admin"]), false),
            (&admin, json!([["admin"]]), false),
            (&admin, json!([]), false),
            (&admin, json!({ "admin": { "1": "acme" } }), true),
            (&admin, json!({ "admin": {} }), true),
            (&admin, json!({ "admin": true }), true),
            (&admin, json!({ "admin": false }), false),
            (&admin, json!({ "admin": null }), false),
            (&admin, json!({ "role": "admin" }), false),
            (&admin, json!(""), false),
            (&admin, json!(null), false),
            (&admin, json!(1), false),
            (&Expected::Text("two words".into()), json!("two words"), true),
            (&Expected::Text("two words".into()), json!("two words more"), false),
            (&Expected::Boolean(true), json!(true), true),
            (&Expected::Boolean(true), json!(false), false),
            (&Expected::Boolean(true), json!("true"), false),
            (&Expected::Boolean(true), json!([true]), false),
            (&Expected::Boolean(false), json!(null), false),
            (&Expected::Integer(3), json!(3), true),
            (&Expected::Integer(3), json!(3.5), false),
            (&Expected::Integer(3), json!("3"), false),
            (&Expected::Text("3".into()), json!(3), false),
        ];
        for (expected, claim, holds) in rows {
            assert_eq!(expected.is_in(&claim), holds, "{expected:?} {claim}");
        }
    }

    #[test]
    fn one_value_is_enough_and_the_claim_must_be_there() {
        let condition = Condition {
            claim: "org.role".into(),
            any_of: vec![Expected::Text("admin".into()), Expected::Text("owner".into())],
        };
        let rows = [
            (json!({ "org": { "role": "owner" } }), true),
            (json!({ "org.role": "admin" }), true),
            (json!({ "org": { "role": "member" } }), false),
            (json!({ "org": "owner" }), false),
            (json!({}), false),
        ];
        for (claims, holds) in rows {
            assert_eq!(
                condition.holds(&ClaimLookup::new(claims.as_object().unwrap())),
                holds,
                "{claims}"
            );
        }
    }
}
