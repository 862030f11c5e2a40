//! Claims in braces: their usable values, and their part of a name.

use crate::policy::claims::{Claim, ClaimLookup};

/// A claim in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placeholder {
    pub(super) path: String,
    /// The literal behind it; empty at the end of a pattern.
    pub(super) next: String,
    /// Literals behind this claim in any pattern of the same list. Its value must contain none of them:
    /// otherwise two callers with different values could match one name.
    pub(super) delimiters: Vec<String>,
}

/// The reason for which a claim cannot fill its braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Unusable<'a> {
    /// Absent, `null` or empty.
    Absent,
    /// Neither a string nor a list or object with a string.
    Kind,
    /// Contains a star or a brace.
    Special,
    /// Contains the text that follows the claim in a pattern.
    Delimiter(&'a str),
}

impl Placeholder {
    /// The usable values of the claim.
    pub(super) fn values<'a>(&'a self, claims: &ClaimLookup<'a>) -> impl Iterator<Item = &'a str> {
        claims.find(&self.path).texts().filter(|text| self.objection_to(text).is_none())
    }

    /// Removes a value of the claim from the start of `rest`.
    ///
    /// A usable value contains no delimiter, so of a list only the value up to the first delimiter can
    /// match. The cost is therefore linear, whatever the number of claims.
    pub(super) fn strip<'r, 'a>(
        &'a self,
        rest: &'r str,
        claims: &ClaimLookup<'a>,
    ) -> Option<&'r str> {
        let claim = claims.find(&self.path);
        match claim {
            Claim::Absent => None,
            Claim::Text(text) => rest.strip_prefix(text),
            Claim::Other(_) => {
                let end = if self.next.is_empty() { rest.len() } else { rest.find(&self.next)? };
                let (value, after) = rest.split_at(end);
                let is_value = |text: &str| text == value && self.objection_to(text).is_none();
                claim.texts().any(is_value).then_some(after)
            }
        }
    }

    pub(super) fn objection(&self, claim: Claim<'_>) -> Option<Unusable<'_>> {
        let mut objections = claim.texts().map(|text| self.objection_to(text)).peekable();
        match (objections.peek(), claim) {
            (None, Claim::Other(_)) => Some(Unusable::Kind),
            (None, _) => Some(Unusable::Absent),
            (Some(first), _) => {
                let first = *first;
                if objections.any(|objection| objection.is_none()) { None } else { first }
            }
        }
    }

    fn objection_to(&self, text: &str) -> Option<Unusable<'_>> {
        if text.is_empty() {
            return Some(Unusable::Absent);
        }
        if text.contains(['*', '{']) {
            return Some(Unusable::Special);
        }
        let delimiter = self.delimiters.iter().find(|delimiter| !is_delimited(text, delimiter));
        delimiter.map(|delimiter| Unusable::Delimiter(delimiter))
    }
}

/// Whether the first `delimiter` in `text` followed by `delimiter` begins where `text` ends.
///
/// More than `!text.contains(delimiter)`: `a:` followed by `::` contains `::` one byte too early.
fn is_delimited(text: &str, delimiter: &str) -> bool {
    let bytes = delimiter.as_bytes();
    let overlaps = |length: usize| {
        text.as_bytes().ends_with(&bytes[..length]) && bytes.starts_with(&bytes[length..])
    };
    !text.contains(delimiter) && !(1..bytes.len()).any(overlaps)
}
