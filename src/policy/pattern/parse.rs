//! The syntax of patterns.

use super::placeholder::Placeholder;
use super::{Part, Pattern};
use crate::text;

/// The reason for which a pattern is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::policy) enum PatternError {
    #[error("a pattern must be 1 to 256 bytes of text without control characters")]
    Name,
    #[error("a pattern must have its only star at the end; patterns are not regular expressions")]
    Star,
    #[error("a pattern must have balanced braces")]
    Brace,
    #[error("braces of a pattern must contain the name of a claim")]
    Path,
    #[error("two claims of a pattern must have text between them")]
    AdjacentClaims,
    #[error("a claim and a star of a pattern must have text between them")]
    AdjacentStar,
}

impl Pattern {
    /// Parses a pattern.
    ///
    /// Rejects patterns that could match more than they show: a star before the end or behind a claim
    /// (`{org}*` of `acme` would match rooms of `acme2`), and adjacent claims (`ab` and `c` would equal
    /// `a` and `bc`).
    pub(in crate::policy) fn parse(pattern: &str) -> Result<Self, PatternError> {
        if !text::is_name(pattern) {
            return Err(PatternError::Name);
        }
        let (mut rest, is_open) = match pattern.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        if rest.contains('*') {
            return Err(PatternError::Star);
        }
        let mut parts = Vec::<Part>::new();
        while !rest.is_empty() {
            let (literal, claim) = match rest.split_once('{') {
                None => (rest, None),
                Some((literal, rest)) => (literal, Some(rest)),
            };
            if literal.contains('}') {
                return Err(PatternError::Brace);
            }
            if !literal.is_empty() {
                if let Some(Part::Claim(placeholder)) = parts.last_mut() {
                    literal.clone_into(&mut placeholder.next);
                }
                parts.push(Part::Literal(literal.to_owned()));
            }
            let Some(claim) = claim else { break };
            let (path, after) = claim.split_once('}').ok_or(PatternError::Brace)?;
            if path.is_empty() || path.contains('{') || path.trim() != path {
                return Err(PatternError::Path);
            }
            if matches!(parts.last(), Some(Part::Claim(_))) {
                return Err(PatternError::AdjacentClaims);
            }
            let (path, next, delimiters) = (path.to_owned(), String::new(), Vec::new());
            parts.push(Part::Claim(Box::new(Placeholder { path, next, delimiters })));
            rest = after;
        }
        if is_open && matches!(parts.last(), Some(Part::Claim(_))) {
            return Err(PatternError::AdjacentStar);
        }
        Ok(Self { parts, is_open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pattern_is_rejected_if_it_could_match_more_than_it_shows() {
        use PatternError::{AdjacentClaims, AdjacentStar, Brace, Name, Path, Star};
        let long = "a".repeat(257);
        for (pattern, error) in [
            ("", Name),
            ("a\nb", Name),
            ("\u{202e}a", Name),
            (long.as_str(), Name),
            ("**", Star),
            ("a*b", Star),
            ("*a", Star),
            (".*{a}", Star),
            ("{a}*", AdjacentStar),
            ("{a}{b}", AdjacentClaims),
            ("{a", Brace),
            ("a}", Brace),
            ("a}b{c}", Brace),
            ("{a}b}", Brace),
            ("{}", Path),
            ("{ a}", Path),
            ("{a{b}", Path),
            ("{{a}}", Path),
        ] {
            assert_eq!(Pattern::parse(pattern), Err(error), "{pattern:?}");
        }
    }
}
