//! Rules about rooms of Liveblocks.

use super::claims::{CallerClaims, ClaimLookup};
use super::{Policy, Refusal, Role, Rule};
use crate::liveblocks::{PATTERN_BYTES, PATTERNS};

/// Number of names that the list claims of one Liveblocks pattern may produce.
const LIVEBLOCKS_NAMES: usize = 256;

impl Policy {
    /// Returns the role in Liveblocks, and at most ten names of rooms, with a star at the end of a
    /// prefix. `None` if no rule has the field `liveblocks`. `by_app` is the role that the app gives, if
    /// it gives one.
    ///
    /// The first rule decides that applies, has the field, and allows `room` if one is requested.
    ///
    /// # Errors
    ///
    /// - [`Refusal::Room`] if no rule matches, or if a name is longer than Liveblocks accepts.
    /// - [`Refusal::Role`] if the rule does not list the role `by_app`.
    pub fn liveblocks(
        &self,
        caller: CallerClaims<'_>,
        room: Option<&str>,
        by_app: Option<&str>,
    ) -> Result<Option<(&Role, Vec<String>)>, Refusal> {
        let claims = &ClaimLookup::new(caller);
        let Some(rule) = self.liveblocks_rule(room, claims)? else { return Ok(None) };
        let mut names = Vec::<String>::new();
        for pattern in &rule.liveblocks {
            let mut found = pattern.prefixes(claims, LIVEBLOCKS_NAMES);
            found.retain(|name| name.len() <= PATTERN_BYTES);
            if found.is_empty() {
                return Err(Refusal::Room);
            }
            let star = if pattern.is_open() { "*" } else { "" };
            names.extend(found.into_iter().map(|name| name + star));
        }
        if let (Some(room), true) = (room, names.len() > PATTERNS) {
            let allows = |name: &str| match name.strip_suffix('*') {
                Some(prefix) => room.starts_with(prefix),
                None => room == name,
            };
            names.sort_by_key(|name| !allows(name));
        }
        names.truncate(PATTERNS);
        let (given, _) = rule.role_by(by_app)?;
        Ok(Some((given, names)))
    }

    pub(super) fn liveblocks_rule<'r, 'a>(
        &'r self,
        room: Option<&str>,
        claims: &ClaimLookup<'a>,
    ) -> Result<Option<&'r Rule>, Refusal>
    where
        'r: 'a,
    {
        let mut rules = self.rules.iter().filter(|rule| !rule.liveblocks.is_empty()).peekable();
        if rules.peek().is_none() {
            return Ok(None);
        }
        let rule = rules.find(|rule| {
            let mut patterns = rule.liveblocks.iter();
            rule.liveblocks.iter().all(|pattern| pattern.has_claims(claims))
                && rule.applies_to(claims)
                && room.is_none_or(|room| patterns.any(|pattern| pattern.matches(room, claims)))
        });
        rule.map(Some).ok_or(Refusal::Room)
    }
}
