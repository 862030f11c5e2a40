//! Conditions on claims and on header fields.

use serde_json::{Map, Value};

use crate::json;

/// A condition on a claim or a header field.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRule {
    /// The path of the claim or field.
    pub path: &'static str,
    /// The condition.
    pub constraint: ClaimConstraint,
}

/// A condition on a value. JSON `null` counts as absent.
#[derive(Clone, Copy, Debug)]
pub enum ClaimConstraint {
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// One of these strings, or absent.
    AbsentOrOneOf(&'static [&'static str]),
    /// This string; the other one as well if the token is told apart from ID tokens.
    OneOrOtherIfToldApart(&'static str, &'static str),
    /// The number 0.
    Zero,
    /// Present and not empty.
    Present,
    /// Present and not empty, or one of these claims is.
    PresentOrAnyOf(&'static [&'static str]),
    /// Absent.
    Absent,
    /// Absent, unless the token is told apart from ID tokens.
    AbsentUnlessToldApart,
    /// A string with text on both sides of this separator.
    SplitBy(&'static str),
    /// Absent, or a string that ends with this.
    AbsentOrSuffixed(&'static str),
    /// Not a string that starts with this.
    NotPrefixed(&'static str),
    /// Not a string that ends with this, ASCII case and white space at the end aside.
    NotSuffixed(&'static str),
}

impl ClaimRule {
    /// Whether the rule is satisfied by `object`. `is_told_apart` says whether the token differs from an
    /// ID token by its audience, or by a claim that names its kind.
    pub(super) fn is_satisfied(&self, object: &Map<String, Value>, is_told_apart: bool) -> bool {
        let at = |path| json::find(object, path).filter(|value| !value.is_null());
        let value = at(self.path);
        let text = value.and_then(Value::as_str);
        let is_one_of = |texts: &[&str]| text.is_some_and(|text| texts.contains(&text));
        match self.constraint {
            ClaimConstraint::OneOf(texts) => is_one_of(texts),
            ClaimConstraint::AbsentOrOneOf(texts) => value.is_none() || is_one_of(texts),
            ClaimConstraint::OneOrOtherIfToldApart(one, other) => {
                is_one_of(&[one]) || (is_told_apart && is_one_of(&[other]))
            }
            ClaimConstraint::Zero => {
                value.and_then(Value::as_f64).is_some_and(|value| value == 0.0)
            }
            ClaimConstraint::Present => value.is_some_and(is_not_empty),
            ClaimConstraint::PresentOrAnyOf(others) => {
                value.is_some_and(is_not_empty)
                    || others.iter().filter_map(|path| at(path)).any(is_not_empty)
            }
            ClaimConstraint::Absent => value.is_none(),
            ClaimConstraint::AbsentUnlessToldApart => is_told_apart || value.is_none(),
            ClaimConstraint::SplitBy(separator) => text
                .and_then(|text| text.rsplit_once(separator))
                .is_some_and(|(before, after)| !before.is_empty() && !after.is_empty()),
            ClaimConstraint::AbsentOrSuffixed(suffix) => {
                value.is_none() || text.is_some_and(|text| text.ends_with(suffix))
            }
            ClaimConstraint::NotPrefixed(prefix) => {
                !text.is_some_and(|text| text.starts_with(prefix))
            }
            ClaimConstraint::NotSuffixed(suffix) => {
                !text.is_some_and(|text| ends_with_ignoring_case(text.trim_end(), suffix))
            }
        }
    }

    /// Whether the rule lists all accepted values, which leaves nothing for a general rule to decide.
    pub(super) fn is_complete(&self) -> bool {
        matches!(
            self.constraint,
            ClaimConstraint::OneOf(_)
                | ClaimConstraint::AbsentOrOneOf(_)
                | ClaimConstraint::OneOrOtherIfToldApart(..)
        )
    }
}

fn is_not_empty(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn ends_with_ignoring_case(text: &str, suffix: &str) -> bool {
    let start = text.len().checked_sub(suffix.len());
    start.and_then(|start| text.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::ClaimConstraint::{
        AbsentOrSuffixed, NotSuffixed, OneOrOtherIfToldApart, Present, PresentOrAnyOf, SplitBy,
        Zero,
    };
    use super::*;

    #[test]
    fn rule_is_satisfied_by_values_of_its_constraint() {
        let access_or_id = OneOrOtherIfToldApart("access", "id");
        let suffixed = AbsentOrSuffixed(".example");
        let not_suffixed = NotSuffixed("@robots.example");
        #[rustfmt::skip]
        let rows = [
            (access_or_id, json!({ "a": "access" }), false, true),
            (access_or_id, json!({ "a": "id" }), true, true),
            (access_or_id, json!({ "a": "id" }), false, false),
            (access_or_id, json!({ "a": "refresh" }), true, false),
            (access_or_id, json!({}), true, false),
            (Present, json!({ "a": "x" }), true, true),
            (Present, json!({ "a": 0 }), true, true),
            (Present, json!({ "a": " " }), true, false),
            (Present, json!({ "a": [] }), true, false),
            (Present, json!({ "a": null }), true, false),
            (PresentOrAnyOf(&["b"]), json!({ "b": "x" }), true, true),
            (PresentOrAnyOf(&["b"]), json!({ "a": "", "b": null }), true, false),
            (Zero, json!({ "a": 0 }), true, true),
            (Zero, json!({ "a": 0.0 }), true, true),
            (Zero, json!({ "a": "0" }), true, false),
            (Zero, json!({ "a": 1 }), true, false),
            (Zero, json!({}), true, false),
            (SplitBy("@"), json!({ "a": "1@meet" }), true, true),
            (SplitBy("@"), json!({ "a": "meet" }), true, false),
            (SplitBy("@"), json!({ "a": "1@" }), true, false),
            (SplitBy("@"), json!({}), true, false),
            (suffixed, json!({}), true, true),
            (suffixed, json!({ "a": "x.example" }), true, true),
            (suffixed, json!({ "a": "x.example.org" }), true, false),
            (suffixed, json!({ "a": ["x.example"] }), true, false),
            (not_suffixed, json!({ "a": "r@robots.example" }), true, false),
            (not_suffixed, json!({ "a": "R@ROBOTS.EXAMPLE " }), true, false),
            (not_suffixed, json!({ "a": "ada@people.example" }), true, true),
            (not_suffixed, json!({ "a": "é" }), true, true),
            (not_suffixed, json!({}), true, true),
        ];
        for (constraint, claims, is_told_apart, expected) in rows {
            let rule = ClaimRule { path: "a", constraint };
            let satisfied = rule.is_satisfied(claims.as_object().unwrap(), is_told_apart);
            assert_eq!(satisfied, expected, "{constraint:?} {claims} {is_told_apart}");
        }
    }
}
