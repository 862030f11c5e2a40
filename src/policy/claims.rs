//! The caller's claims during a decision. Each is looked up once, however many rules name it.

use std::borrow::Cow;
use std::cell::RefCell;

use serde_json::{Map, Value};

use crate::json;

/// Number of paths whose claims are remembered. Further ones are looked up each time.
const REMEMBERED: usize = 16;

/// The path that addresses the caller's key instead of a claim.
const SUBJECT: &str = "sub";

/// The verified identity that a policy decides about.
#[derive(Clone, Copy, Debug)]
pub struct CallerClaims<'a> {
    /// The claims of a verified access token.
    pub claims: &'a Map<String, Value>,
    /// The key of the caller, which `sub` addresses in a policy: the subject, or with several issuers
    /// `<issuer>|<subject>`. Empty if there is none.
    pub key: &'a str,
    /// The configured name of the token's issuer; `None` for a single issuer without a name.
    pub issuer: Option<&'a str>,
}

impl<'a> CallerClaims<'a> {
    /// Describes a caller of a single issuer, whose key is the claim `sub`.
    pub fn new(claims: &'a Map<String, Value>) -> Self {
        let key = claims.get(SUBJECT).and_then(Value::as_str).unwrap_or_default();
        Self { claims, key, issuer: None }
    }
}

/// Claims by path, with a memory of the ones that were looked up.
pub(super) struct ClaimLookup<'a> {
    caller: CallerClaims<'a>,
    found: RefCell<Vec<(&'a str, Claim<'a>)>>,
}

/// A claim as conditions and patterns see it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Claim<'a> {
    /// Not in the token, or `null`.
    Absent,
    Text(&'a str),
    /// Neither `null` nor a string.
    Other(&'a Value),
}

impl<'a> ClaimLookup<'a> {
    pub(super) fn new(caller: CallerClaims<'a>) -> Self {
        Self { caller, found: RefCell::new(Vec::with_capacity(REMEMBERED)) }
    }

    /// The configured name of the token's issuer.
    pub(super) fn issuer(&self) -> Option<&'a str> {
        self.caller.issuer
    }

    /// Returns the claim at `path`. The path `sub` addresses the caller's key.
    pub(super) fn find(&self, path: &'a str) -> Claim<'a> {
        let mut found = self.found.borrow_mut();
        if let Some((_, claim)) = found.iter().find(|(known, _)| *known == path) {
            return *claim;
        }
        let claim = if path == SUBJECT {
            if self.caller.key.is_empty() { Claim::Absent } else { Claim::Text(self.caller.key) }
        } else {
            Claim::of(json::find(self.caller.claims, path))
        };
        if found.len() < REMEMBERED {
            found.push((path, claim));
        }
        claim
    }
}

impl<'a> Claim<'a> {
    fn of(value: Option<&'a Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) => Self::Text(text),
            Some(other) => Self::Other(other),
        }
    }

    /// The strings that the claim represents in a pattern: itself, the strings of a list, or the field
    /// names of an object without those that are `null` or `false`.
    pub(super) fn texts(self) -> impl Iterator<Item = &'a str> {
        let (text, list, object) = match self {
            Self::Text(text) => (Some(text), None, None),
            Self::Other(Value::Array(items)) => (None, Some(items), None),
            Self::Other(Value::Object(fields)) => (None, None, Some(fields)),
            Self::Absent | Self::Other(_) => (None, None, None),
        };
        let in_list = list.into_iter().flatten().filter_map(Value::as_str);
        let fields = object.into_iter().flatten().filter(|(_, value)| is_set(value));
        text.into_iter().chain(in_list).chain(fields.map(|(name, _)| name.as_str()))
    }

    /// The claim as the text of an attribute: a string that is not empty, a number or a Boolean.
    pub(super) fn scalar(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => (!text.is_empty()).then_some(Cow::Borrowed(text)),
            Self::Other(value @ (Value::Bool(_) | Value::Number(_))) => {
                Some(Cow::Owned(value.to_string()))
            }
            Self::Absent | Self::Other(_) => None,
        }
    }
}

/// Whether the field of an object counts as present: neither `null` nor `false`.
pub(super) fn is_set(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}
