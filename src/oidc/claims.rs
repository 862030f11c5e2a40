//! The claims of a verified access token.

use std::fmt;

use serde_json::{Map, Value};

use crate::json;

/// The claims of a token that the [verifier](super::verifier) accepted, which alone constructs them.
#[derive(Clone)]
pub struct VerifiedClaims {
    claims: Map<String, Value>,
    subject: Subject,
}

/// The identifier of a person at their issuer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl VerifiedClaims {
    pub(super) fn new(claims: Map<String, Value>, subject: String) -> Self {
        Self { claims, subject: Subject(subject) }
    }

    /// The person's identifier: `sub`, or the claim that `SUBJECT_CLAIM` names.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The `sub` of the token, by which the issuer's own services identify the person. `None` if it
    /// is missing, which is possible only with `SUBJECT_CLAIM`.
    pub fn sub(&self) -> Option<&str> {
        self.claims.get("sub").and_then(Value::as_str)
    }

    /// The claim at `path`, as [`json::find`] reads it.
    pub fn find(&self, path: &str) -> Option<&Value> {
        json::find(&self.claims, path)
    }

    /// All claims.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl Subject {
    /// 1 to 255 bytes with a visible character, without the characters that an identity must not
    /// contain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows no claim, since claims are personal data.
impl fmt::Debug for VerifiedClaims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerifiedClaims(…)")
    }
}

/// Shows nothing, since it is personal data.
impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Subject(…)")
    }
}
