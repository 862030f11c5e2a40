//! `RoomConfiguration` as a participant token carries it.

use serde::Serialize;

/// Maximum number of agents in one request: each can cost money.
pub const AGENTS: usize = 10;

/// `RoomAgentDispatch`: an agent to start in the room. Without a name, it is the default agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentDispatch {
    /// The agent's registered name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_name: String,
    /// The app's payload for the agent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// The agent's deployment to start.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deployment: String,
}

/// `RoomConfiguration` in a participant token: `camelCase`, without default values, since older
/// LiveKit servers refuse a token with an unknown field. LiveKit applies it if the participant is the
/// first in the room, and ignores it if the room exists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomConfiguration {
    /// Seconds before an unused room closes; 0 for the server's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub empty_timeout: u32,
    /// Seconds before the room closes after the last participant left; 0 for the server's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub departure_timeout: u32,
    /// Maximum number of participants; 0 for no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_participants: u32,
    /// Agents to dispatch instead of the default one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentDispatch>,
    /// The room's metadata, which every participant sees.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
}

impl RoomConfiguration {
    /// Whether all values are default, so that it must not be in a token.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
