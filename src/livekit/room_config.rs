//! `RoomConfiguration`: what a client may ask of a room, and what goes into a token.

use serde::Serialize;
use serde_json::{Map, Value};

use super::token_source::{METADATA_BYTES, Malformed, field, name, text_field};

/// Most agents that one request may dispatch: each can cost money.
pub const AGENTS: usize = 10;

/// Fields of `RoomConfiguration` besides `agents` (livekit/protocol 1.52, `livekit_room.proto`). The
/// first is the worst: LiveKit starts the egress of a joiner's token without asking for a right to
/// record.
const ROOM_FIELDS: &[&str] = &[
    "egress",
    "name",
    "empty_timeout",
    "departure_timeout",
    "max_participants",
    "min_playout_delay",
    "max_playout_delay",
    "sync_streams",
    "metadata",
    "tags",
];

/// Fields of `RoomAgentDispatch` that nobody may set.
const AGENT_FIELDS: &[&str] = &["restart_policy", "attributes"];

/// What a client asks of the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedRoomConfig {
    /// Agents to dispatch.
    pub agents: Vec<AgentDispatch>,
    /// Whether it asks for something that no policy allows.
    pub has_forbidden_field: bool,
}

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
/// Older LiveKit servers refuse a token with a field that they do not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomConfiguration {
    /// Agents to dispatch instead of the default one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<AgentDispatch>,
}

impl RoomConfiguration {
    /// Whether it says nothing, and so must not be in a token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }
}

impl RequestedRoomConfig {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty() && !self.has_forbidden_field
    }

    /// Reads a `room_config`. A field with proto3's default value asks for nothing, an agent without
    /// any field neither; unknown fields are dropped.
    pub(super) fn read(room_config: Option<&Value>) -> Result<Self, Malformed> {
        let fields = match room_config {
            None => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err("room_config must be an object"),
        };
        let mut requested = Self::default();
        for known in ROOM_FIELDS {
            requested.has_forbidden_field |= asks(fields, known)?;
        }
        let agents = match field(fields, "agents")? {
            None => return Ok(requested),
            Some(Value::Array(agents)) if agents.len() <= AGENTS => agents,
            Some(_) => return Err("room_config.agents must be a list of at most 10 agents"),
        };
        for agent in agents {
            let Value::Object(fields) = agent else {
                return Err("room_config.agents must be a list of objects");
            };
            for known in AGENT_FIELDS {
                requested.has_forbidden_field |= asks(fields, known)?;
            }
            let agent = AgentDispatch::read(fields)?;
            if agent != AgentDispatch::default() {
                requested.agents.push(agent);
            }
        }
        Ok(requested)
    }
}

impl AgentDispatch {
    fn read(fields: &Map<String, Value>) -> Result<Self, Malformed> {
        const NAME: Malformed = "agent_name and deployment must be at most 256 bytes of text without control characters";
        const METADATA: Malformed = "an agent's metadata must be text of at most 4096 bytes";
        let metadata = text_field(fields, "metadata", METADATA)?.unwrap_or_default();
        if metadata.len() > METADATA_BYTES {
            return Err(METADATA);
        }
        Ok(Self {
            agent_name: name(fields, "agent_name", NAME)?.unwrap_or_default(),
            metadata,
            deployment: name(fields, "deployment", NAME)?.unwrap_or_default(),
        })
    }
}

/// Whether the field has a value that is not proto3's default.
fn asks(fields: &Map<String, Value>, snake: &str) -> Result<bool, Malformed> {
    Ok(field(fields, snake)?.is_some_and(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }))
}
