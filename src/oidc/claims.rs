//! What a verified token says.

use std::fmt;

use serde_json::{Map, Value};

use crate::json;

/// The claims of a token that the [verifier](super::verifier) let through. Only it makes them.
#[derive(Clone)]
pub struct VerifiedClaims {
    claims: Map<String, Value>,
    subject: Subject,
}

/// The `sub` of a verified token: who the caller is, for their issuer.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject(String);

impl VerifiedClaims {
    pub(super) fn new(claims: Map<String, Value>, subject: String) -> Self {
        Self { claims, subject: Subject(subject) }
    }

    /// Who the caller is.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The claim at `path`, as [`json::find`] reads it.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Value> {
        json::find(&self.claims, path)
    }

    /// All claims.
    #[must_use]
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl Subject {
    /// 1 to 255 bytes, without what may not stand in an identity.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows no claim: they are personal data.
impl fmt::Debug for VerifiedClaims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("VerifiedClaims(…)")
    }
}

/// Shows nothing: it is personal data.
impl fmt::Debug for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Subject(…)")
    }
}
