//! Who may do what: rules in order, and the roles they give.

use crate::livekit::grants::Grants;
use crate::livekit::room_config::AgentDispatch;
use crate::oidc::claims::VerifiedClaims;

/// What a role's holders may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role's name, which the participant's `role` attribute shows.
    pub name: String,
    /// Its rights in the room.
    pub grants: Grants,
}

/// Who may enter which rooms, and as what. The first rule that matches decides; none matching is a
/// refusal.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// Callers it applies to, the rooms it opens to them, and what they are there.
#[derive(Clone, Debug)]
struct Rule {
    rooms: Vec<RoomPattern>,
    role: Role,
    /// Names of agents that may be dispatched.
    agents: Vec<String>,
}

/// A room's name, in which a final `*` stands for any rest.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RoomPattern(String);

/// What a caller may do, and where.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// What the caller is in the room.
    pub role: &'a Role,
    /// Where no room was asked for: what the name of a fresh one starts with.
    pub fresh_room_prefix: &'a str,
}

/// Why a caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No rule opens the room to the caller; or, where none was asked for, none allows a fresh one.
    #[error("no rule of the policy opens the room to this caller")]
    Room,
    /// The rule that opens the room lists no such agent.
    #[error("the rule lists no such agent")]
    Agent,
}

impl Default for Policy {
    /// Anyone signed in may join any room as a participant, and dispatch no agent but the default
    /// one: LiveKit's standard endpoint.
    fn default() -> Self {
        let participant = Grants {
            can_publish: true,
            can_publish_data: true,
            can_subscribe: true,
            can_update_own_metadata: false,
            can_subscribe_metrics: false,
            can_manage_agent_session: false,
        };
        Self {
            rules: vec![Rule {
                rooms: vec![RoomPattern("*".into())],
                role: Role { name: "participant".into(), grants: participant },
                agents: Vec::new(),
            }],
        }
    }
}

impl Policy {
    /// What the caller with `claims` may do in `room`, or in a fresh one where none is named, and
    /// whether they may dispatch `agents` there.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn decide(
        &self,
        claims: &VerifiedClaims,
        room: Option<&str>,
        agents: &[AgentDispatch],
    ) -> Result<Decision<'_>, Refusal> {
        let mut applicable = self.rules.iter().filter(|rule| rule.applies_to(claims));
        let (rule, fresh_room_prefix) = if let Some(room) = room {
            let opens = |rule: &&Rule| rule.rooms.iter().any(|known| known.matches(room));
            (applicable.find(opens).ok_or(Refusal::Room)?, "")
        } else {
            let rule = applicable.next().ok_or(Refusal::Room)?;
            (rule, rule.rooms.iter().find_map(RoomPattern::prefix).ok_or(Refusal::Room)?)
        };
        if agents.iter().all(|agent| rule.allows(agent)) {
            Ok(Decision { role: &rule.role, fresh_room_prefix })
        } else {
            Err(Refusal::Agent)
        }
    }
}

impl Policy {
    /// What the rules that apply to the caller with `claims` give, in order: role, rooms, agents. For
    /// an operator who wants to know.
    pub fn explain<'a>(
        &'a self,
        claims: &'a VerifiedClaims,
    ) -> impl Iterator<Item = (&'a Role, Vec<&'a str>, &'a [String])> {
        self.rules.iter().filter(|rule| rule.applies_to(claims)).map(|rule| {
            let rooms = rule.rooms.iter().map(|pattern| pattern.0.as_str()).collect();
            (&rule.role, rooms, rule.agents.as_slice())
        })
    }
}

impl Rule {
    /// The default rule is for everyone.
    #[expect(clippy::unused_self, reason = "rules on claims need both")]
    fn applies_to(&self, _claims: &VerifiedClaims) -> bool {
        true
    }

    /// The default agent needs no rule, but which of its deployments runs is not the client's choice.
    fn allows(&self, agent: &AgentDispatch) -> bool {
        let is_default = agent.agent_name.is_empty() && agent.deployment.is_empty();
        is_default || self.agents.contains(&agent.agent_name)
    }
}

impl RoomPattern {
    fn matches(&self, room: &str) -> bool {
        match self.prefix() {
            Some(prefix) => room.starts_with(prefix),
            None => room == self.0,
        }
    }

    fn prefix(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }
}
