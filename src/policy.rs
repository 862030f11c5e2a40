//! Who may do what: rules in order, and the roles they give.

mod condition;
mod file;
mod pattern;
mod role;
mod roles;
mod room;
mod table;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::livekit::room_config::{AgentDispatch, RequestedRoomConfig, RoomConfiguration};
use condition::Condition;
use pattern::Pattern;
pub use role::Role;
use room::Caps;
pub use table::{Fault, PolicyError};

/// The text of `policy.toml`, which holds where no other is configured.
pub const BUILT_IN: &str = include_str!("../policy.toml");

/// Who may enter which rooms, and as what. The first rule that matches decides; none matching is a
/// refusal.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    roles: BTreeMap<String, Role>,
}

/// Callers it applies to, the rooms it opens to them, and what they are there.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Where it stands in the text, from 1.
    pub line: usize,
    /// What holders of the rule are.
    pub role: Role,
    when: Vec<Condition>,
    rooms: Vec<Pattern>,
    /// Agents that a client may dispatch besides the default one.
    agents: Vec<Pattern>,
    /// What the rule, or else its role, says of the room.
    room_config: RoomConfiguration,
    /// What a client may say of it.
    caps: Caps,
}

/// What a caller may do, and where.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The rule that decided.
    pub rule: &'a Rule,
    /// Where no room was asked for: what the name of a fresh one starts with.
    pub fresh_room_prefix: String,
    /// How the room is to be set up: by the rule, and by what was asked and is allowed.
    pub room_config: RoomConfiguration,
}

/// Why a caller may not. What it says was not sent by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No rule opens the room to the caller; or, where none was asked for, none allows a fresh one.
    #[error("no rule of the policy opens the room to this caller")]
    Room,
    /// The rule that opens the room lists no such agent.
    #[error("the rule lists no such agent")]
    Agent,
    /// The rule that opens the room does not allow that much of this field of `room_config`.
    #[error("the rule does not allow it: {0}")]
    RoomConfig(&'static str),
}

impl Policy {
    /// Reads a policy (`docs/policy.md`).
    ///
    /// # Errors
    ///
    /// [`PolicyError`] names every fault with its line, and quotes nothing of the text.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        file::parse(text)
    }

    /// What the caller with `claims`, which a verifier must have let through, may do in `room`, or in
    /// a fresh one where none is named, and how the room is to be set up.
    ///
    /// Costs about a tenth of a microsecond per rule.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn decide(
        &self,
        claims: &Map<String, Value>,
        room: Option<&str>,
        asked: &RequestedRoomConfig,
    ) -> Result<Decision<'_>, Refusal> {
        let mut applicable = self.rules.iter().filter(|rule| rule.applies_to(claims));
        let (rule, fresh_room_prefix) = if let Some(room) = room {
            let rule = applicable.find(|rule| rule.opens(room, claims)).ok_or(Refusal::Room)?;
            (rule, String::new())
        } else {
            let rule = applicable.next().ok_or(Refusal::Room)?;
            let mut open = rule.rooms.iter().filter(|pattern| pattern.is_open());
            let prefix = open.find_map(|pattern| pattern.prefix(claims)).ok_or(Refusal::Room)?;
            (rule, prefix)
        };
        let own = &rule.room_config;
        if !asked.config.agents.iter().all(|agent| rule.allows(agent, claims)) {
            return Err(Refusal::Agent);
        }
        let room_config =
            if asked.is_empty() { own.clone() } else { rule.caps.apply(own, &asked.config)? };
        Ok(Decision { rule, fresh_room_prefix, room_config })
    }

    /// The rules that apply to the caller with `claims`, in order: for an operator who wants to know.
    pub fn explain<'a>(
        &'a self,
        claims: &'a Map<String, Value>,
    ) -> impl Iterator<Item = &'a Rule> + 'a {
        self.rules.iter().filter(|rule| rule.applies_to(claims))
    }

    /// The role of that name, built in or of the file.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }
}

impl Rule {
    /// The rooms it opens, as the file spells them.
    pub fn rooms(&self) -> impl Iterator<Item = String> {
        self.rooms.iter().map(ToString::to_string)
    }

    /// The agents that clients may dispatch, as the file spells them.
    pub fn agents(&self) -> impl Iterator<Item = String> {
        self.agents.iter().map(ToString::to_string)
    }

    /// Whether the caller is one of those it is for: its conditions hold, and there are all claims
    /// that its rooms' names are made of.
    fn applies_to(&self, claims: &Map<String, Value>) -> bool {
        self.when.iter().all(|condition| condition.holds(claims))
            && self.rooms.iter().all(|pattern| pattern.has_claims(claims))
    }

    fn opens(&self, room: &str, claims: &Map<String, Value>) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room, claims))
    }

    /// The default agent needs no leave, but which of its deployments runs is not the client's choice;
    /// neither does one that the rule dispatches itself.
    fn allows(&self, agent: &AgentDispatch, claims: &Map<String, Value>) -> bool {
        let is_default = agent.agent_name.is_empty() && agent.deployment.is_empty();
        is_default
            || self.agents.iter().any(|pattern| pattern.matches(&agent.agent_name, claims))
            || self.room_config.agents.contains(agent)
    }
}
