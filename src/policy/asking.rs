//! Rules that ask the app about a caller.

use super::ask::{Ask, RoomParts};
use super::claims::{CallerClaims, ClaimLookup};
use super::{Policy, Refusal, Rule};
use crate::ask::AskSettings;

/// A matching rule that asks the app.
#[derive(Clone, Debug)]
pub struct Asking<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The start of a new room's name, if no room was requested.
    pub fresh_room_prefix: String,
    ask: &'a Ask,
}

impl Policy {
    /// Returns the rule that decides for `room`, or for a new room, if it asks the app. Costs nothing if
    /// no rule asks.
    ///
    /// # Errors
    ///
    /// [`Refusal::Room`] if no rule matches.
    pub fn asking(
        &self,
        caller: CallerClaims<'_>,
        room: Option<&str>,
    ) -> Result<Option<Asking<'_>>, Refusal> {
        if !self.asks() {
            return Ok(None);
        }
        let claims = &ClaimLookup::new(caller);
        let rule = self.deciding_rule(room, claims).ok_or(Refusal::Room)?;
        let Some(ask) = rule.ask.as_deref() else { return Ok(None) };
        let fresh_room_prefix = rule.fresh_room_prefix(room, claims)?;
        Ok(Some(Asking { rule, fresh_room_prefix, ask }))
    }

    /// Returns the rule that decides about Liveblocks, if it asks the app.
    ///
    /// # Errors
    ///
    /// [`Refusal::Room`] if no rule matches.
    pub fn asking_for_liveblocks(
        &self,
        caller: CallerClaims<'_>,
        room: Option<&str>,
    ) -> Result<Option<Asking<'_>>, Refusal> {
        if !self.asks() {
            return Ok(None);
        }
        let Some(rule) = self.liveblocks_rule(room, &ClaimLookup::new(caller))? else {
            return Ok(None);
        };
        let ask = rule.ask.as_deref();
        Ok(ask.map(|ask| Asking { rule, fresh_room_prefix: String::new(), ask }))
    }

    fn asks(&self) -> bool {
        self.rules.iter().any(|rule| rule.ask.is_some())
    }

    /// Whether requests to the app are signed with `ASK_SECRET`.
    pub fn signs(&self) -> bool {
        let asks = self.rules.iter().filter_map(|rule| rule.ask.as_deref());
        asks.map(|ask| &ask.settings).any(|settings| settings.is_signed)
    }
}

impl<'a> Asking<'a> {
    /// The settings of the question.
    pub fn settings(&self) -> &'a AskSettings {
        &self.ask.settings
    }

    /// Returns the URL of the question about `caller` and `room`, which is the requested room or the
    /// new one; empty for Liveblocks.
    ///
    /// # Errors
    ///
    /// [`Refusal::AskUrl`] if a value is empty, `.` or `..`.
    pub fn url(&self, caller: CallerClaims<'_>, room: &str) -> Result<String, Refusal> {
        // The rule outlives the caller, and the lookup keeps paths of the rule.
        let (claims, rule): (_, &Rule) = (ClaimLookup::new(caller), self.rule);
        let rest = rule.rooms.iter().find_map(|pattern| pattern.rest_of(room, &claims));
        self.ask.url.fill(RoomParts { name: room, rest }, &claims)
    }
}
