//! `RoomConfiguration` as a participant token carries it.

use serde::Serialize;

/// Most agents that one request may dispatch: each can cost money.
pub const AGENTS: usize = 10;

/// `RoomAgentDispatch`: an agent to start in the room. Without a name, the default one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentDispatch {
    /// The agent's registered name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_name: String,
    /// The app's own payload for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    /// Which of the agent's deployments to start.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub deployment: String,
}

/// `RoomConfiguration` as a token carries it: `camelCase`, and fields that are not default only.
/// Older LiveKit servers refuse a token with a field that they do not know. LiveKit uses it where the
/// token's holder is the first in the room, and drops it where the room is there already.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomConfiguration {
    /// Seconds for which the room stays open before anyone joins; 0 for the server's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub empty_timeout: u32,
    /// Seconds for which it stays open after the last one left; 0 for the server's default.
    #[serde(skip_serializing_if = "is_zero")]
    pub departure_timeout: u32,
    /// Most participants; 0 for no limit.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_participants: u32,
    /// Agents to dispatch instead of the default one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentDispatch>,
    /// The room's metadata, which all in it see.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
}

impl RoomConfiguration {
    /// Whether it says nothing, and so must not be in a token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
