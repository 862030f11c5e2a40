//! Who may do what: rules in order, and the roles they give.

mod claims;
mod condition;
mod parse;
mod pattern;
mod role;
mod room_limits;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::liveblocks;
use crate::livekit::room_config::{AgentDispatch, RoomConfiguration};
use crate::livekit::token_source::RequestedRoomConfig;
use claims::ClaimLookup;
use condition::Condition;
pub use parse::faults::{PolicyError, PolicyFault};
use pattern::Pattern;
pub use role::Role;
use room_limits::RoomConfigLimits;

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
    limits: RoomConfigLimits,
    /// Rooms of Liveblocks that it opens.
    liveblocks: Vec<Pattern>,
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
    /// The caller's role in the room moderates nobody, or not this one.
    #[error("the caller's role may not do that to this participant")]
    Moderation,
    /// The policy has no such role.
    #[error("the policy has no such role")]
    Role,
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
        parse::parse(text)
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
        let claims = &ClaimLookup::new(claims);
        let (rule, fresh_room_prefix) = if let Some(room) = room {
            // Most rules open other rooms, which costs less to see than whom they are for.
            let mut rules = self.rules.iter();
            let rule = rules.find(|rule| rule.opens(room, claims) && rule.applies_to(claims));
            (rule.ok_or(Refusal::Room)?, String::new())
        } else {
            let rule = self.rules.iter().find(|rule| rule.applies_to(claims));
            let rule = rule.ok_or(Refusal::Room)?;
            let mut open = rule.rooms.iter().filter(|pattern| pattern.is_open());
            let prefix = open.find_map(|pattern| pattern.prefix(claims)).ok_or(Refusal::Room)?;
            (rule, prefix)
        };
        let room_config = rule.room_config(asked, claims)?;
        Ok(Decision { rule, fresh_room_prefix, room_config })
    }

    /// The rules that apply to the caller with `claims`, in order: for an operator who wants to know.
    pub fn explain<'a>(
        &'a self,
        claims: &'a Map<String, Value>,
    ) -> impl Iterator<Item = &'a Rule> + 'a {
        self.rules.iter().filter(|rule| rule.applies_to(&ClaimLookup::new(claims)))
    }

    /// What a backend may give to somebody whom it calls `name`, in any room: the role, and how the
    /// room is to be set up. A backend has no claims, so the first rule that gives the role says what
    /// may be asked of the room.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn decide_for_backend(
        &self,
        name: &str,
        asked: &RequestedRoomConfig,
    ) -> Result<(&Role, RoomConfiguration), Refusal> {
        let role = self.role(name).ok_or(Refusal::Role)?;
        let bare = Rule::from_role(role);
        let first = self.rules.iter().find(|rule| rule.role.name == name).unwrap_or(&bare);
        let nothing = Map::new();
        Ok((role, first.room_config(asked, &ClaimLookup::new(&nothing))?))
    }

    /// Rooms of Liveblocks, or of a sort of them with a star at the end, that the caller with `claims`
    /// may enter, and as what: those of the first rule that applies and has any, or that opens `room`
    /// where one is named. `None` where no rule of the policy has any.
    ///
    /// # Errors
    ///
    /// [`Refusal::Room`].
    pub fn liveblocks(
        &self,
        claims: &Map<String, Value>,
        room: Option<&str>,
    ) -> Result<Option<(&Role, Vec<String>)>, Refusal> {
        let claims = &ClaimLookup::new(claims);
        let mut rules = self.rules.iter().filter(|rule| !rule.liveblocks.is_empty()).peekable();
        if rules.peek().is_none() {
            return Ok(None);
        }
        let rule = rules.find(|rule| {
            let has_claims = rule.liveblocks.iter().all(|pattern| pattern.has_claims(claims));
            let mut patterns = rule.liveblocks.iter();
            has_claims
                && rule.applies_to(claims)
                && room.is_none_or(|room| patterns.any(|pattern| pattern.matches(room, claims)))
        });
        let rule = rule.ok_or(Refusal::Room)?;
        let names = rule.liveblocks.iter().map(|pattern| {
            let name = pattern.prefix(claims)?;
            (name.len() <= liveblocks::PATTERN_BYTES)
                .then(|| if pattern.is_open() { name + "*" } else { name })
        });
        let names = names.collect::<Option<Vec<String>>>().ok_or(Refusal::Room)?;
        Ok(Some((&rule.role, names)))
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
    fn applies_to<'a>(&'a self, claims: &ClaimLookup<'a>) -> bool {
        self.when.iter().all(|condition| condition.holds(claims))
            && self.rooms.iter().all(|pattern| pattern.has_claims(claims))
    }

    /// The rule of a role that no rule gives.
    fn from_role(role: &Role) -> Self {
        Self {
            line: 0,
            role: role.clone(),
            when: Vec::new(),
            rooms: Vec::new(),
            agents: Vec::new(),
            room_config: role.room_config.clone(),
            limits: RoomConfigLimits::default(),
            liveblocks: Vec::new(),
        }
    }

    /// How the room is to be set up where that is `asked`.
    fn room_config<'a>(
        &'a self,
        asked: &RequestedRoomConfig,
        claims: &ClaimLookup<'a>,
    ) -> Result<RoomConfiguration, Refusal> {
        if asked.is_empty() {
            return Ok(self.room_config.clone());
        }
        if !asked.config.agents.iter().all(|agent| self.allows(agent, claims)) {
            return Err(Refusal::Agent);
        }
        self.limits.apply(&self.room_config, &asked.config)
    }

    fn opens<'a>(&'a self, room: &str, claims: &ClaimLookup<'a>) -> bool {
        self.rooms.iter().any(|pattern| pattern.matches(room, claims))
    }

    /// The default agent needs no leave, but which of its deployments runs is not the client's choice;
    /// neither does one that the rule dispatches itself.
    fn allows<'a>(&'a self, agent: &AgentDispatch, claims: &ClaimLookup<'a>) -> bool {
        let is_default = agent.agent_name.is_empty() && agent.deployment.is_empty();
        is_default
            || self.agents.iter().any(|pattern| pattern.matches(&agent.agent_name, claims))
            || self.room_config.agents.contains(agent)
    }
}
