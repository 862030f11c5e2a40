//! `RoomConfiguration`: what a client may ask of a room, and what goes into a token.

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::token_source::{METADATA_BYTES, Malformed, field, name, text_field};

/// Most agents that one request may dispatch: each can cost money.
pub const AGENTS: usize = 10;

/// Fields of `RoomConfiguration` that no policy allows (livekit/protocol 1.52, `livekit_room.proto`).
/// The first is the worst: LiveKit starts the egress of a joiner's token without asking for a right
/// to record.
const ROOM_FIELDS: &[&str] =
    &["egress", "name", "min_playout_delay", "max_playout_delay", "sync_streams", "tags"];

/// Fields of `RoomAgentDispatch` that nobody may set.
const AGENT_FIELDS: &[&str] = &["restart_policy", "attributes"];

/// What a client asks of the room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedRoomConfig {
    /// What a policy may allow.
    pub config: RoomConfiguration,
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

impl RequestedRoomConfig {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.config.is_empty() && !self.has_forbidden_field
    }

    /// Reads a `room_config`, of which proto3's JSON may be a client's. A field with proto3's default
    /// value asks for nothing, an agent without any field neither; unknown fields are dropped.
    ///
    /// # Errors
    ///
    /// Wrong types, numbers beyond `uint32`, and texts that are too long or hold forbidden characters.
    pub fn read(room_config: Option<&Value>) -> Result<Self, Malformed> {
        let fields = match room_config {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err("room_config must be an object"),
        };
        let mut requested = Self {
            config: RoomConfiguration {
                empty_timeout: number(fields, "empty_timeout")?,
                departure_timeout: number(fields, "departure_timeout")?,
                max_participants: number(fields, "max_participants")?,
                agents: Vec::new(),
                metadata: room_metadata(fields)?,
            },
            has_forbidden_field: false,
        };
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
                requested.config.agents.push(agent);
            }
        }
        Ok(requested)
    }
}

/// A `uint32`, which [proto3's JSON] may write as text, or with a fraction of zero.
///
/// [proto3's JSON]: https://protobuf.dev/programming-guides/json/
fn number(fields: &Map<String, Value>, snake: &str) -> Result<u32, Malformed> {
    let read = match field(fields, snake)? {
        None => Some(0),
        Some(Value::Number(number)) => whole(number).and_then(|number| number.try_into().ok()),
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            if text.is_empty() { Some(0) } else { text.parse().ok() }
        }
        Some(_) => None,
    };
    read.ok_or("max_participants and timeouts of room_config must be whole numbers below 2^32")
}

/// A number without a sign and, whatever its form, without a fraction.
fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let number = number.as_f64()?;
        // Of 2^53 and more not every whole number is one.
        let is_whole = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "looked at")]
        is_whole.then_some(number as u64)
    })
}

fn room_metadata(fields: &Map<String, Value>) -> Result<String, Malformed> {
    const WRONG: Malformed = "room_config.metadata must be text of at most 4096 bytes";
    let metadata = text_field(fields, "metadata", WRONG)?.unwrap_or_default();
    if metadata.len() <= METADATA_BYTES { Ok(metadata) } else { Err(WRONG) }
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
