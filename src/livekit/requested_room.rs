//! The `room_config` of a request.

use serde_json::{Map, Value};

use super::proto_json::{Kind, field, is_set, name, number, text};
use super::room_config::{AGENTS, AgentDispatch, RoomConfiguration};
use crate::body::InvalidField;
use crate::text::Name;

/// Fields of `RoomConfiguration` that no policy allows (livekit/protocol 1.52, `livekit_room.proto`).
/// LiveKit starts the egress of a joiner's token without a check of a right to record, so `egress`
/// would let a client record to a bucket of its choice.
const ROOM_FIELDS: &[(&str, Kind)] = &[
    ("room_config.egress", Kind::Message),
    ("room_config.name", Kind::Text),
    ("room_config.min_playout_delay", Kind::Number),
    ("room_config.max_playout_delay", Kind::Number),
    ("room_config.sync_streams", Kind::Flag),
    ("room_config.tags", Kind::Map),
];

/// Fields of `RoomAgentDispatch` that no policy allows (`livekit_agent_dispatch.proto`).
const AGENT_FIELDS: &[(&str, Kind)] = &[
    ("room_config.agents.restart_policy", Kind::Enum("JRP_ON_FAILURE")),
    ("room_config.agents.attributes", Kind::Map),
];

/// The room configuration that a client requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedRoomConfig {
    /// The fields that a policy can allow.
    pub config: RoomConfiguration,
    /// The first field that no policy can allow, if the request sets one.
    pub forbidden_field: Option<&'static str>,
}

impl RequestedRoomConfig {
    /// Whether nothing is requested.
    pub fn is_empty(&self) -> bool {
        self.config.is_empty() && self.forbidden_field.is_none()
    }

    /// Parses a `room_config`, whose strings of metadata have at most `metadata_bytes` each. A
    /// default value requests nothing, and neither does an agent without any field. Unknown fields
    /// are dropped.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] for a wrong type, a number beyond `uint32`, metadata that is too long, and a
    /// string that is not a name.
    pub fn parse(room_config: Option<&Value>, metadata_bytes: usize) -> Result<Self, InvalidField> {
        const AGENTS_FIELD: &str = "room_config.agents";
        let fields = match room_config {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(InvalidField::new("room_config", "must be an object")),
        };
        let metadata = text(fields, "room_config.metadata", metadata_bytes)?;
        let mut requested = Self {
            config: RoomConfiguration {
                empty_timeout: number(fields, "room_config.empty_timeout")?,
                departure_timeout: number(fields, "room_config.departure_timeout")?,
                max_participants: number(fields, "room_config.max_participants")?,
                agents: Vec::new(),
                metadata: metadata.unwrap_or_default(),
            },
            forbidden_field: set_field(fields, ROOM_FIELDS)?,
        };
        let agents = match field(fields, AGENTS_FIELD)? {
            None => return Ok(requested),
            Some(Value::Array(agents)) if agents.len() <= AGENTS => agents,
            Some(_) => {
                return Err(InvalidField::new(AGENTS_FIELD, "must be a list of at most 10 agents"));
            }
        };
        for agent in agents {
            let Value::Object(fields) = agent else {
                return Err(InvalidField::new(AGENTS_FIELD, "must be a list of objects"));
            };
            let forbidden = set_field(fields, AGENT_FIELDS)?;
            requested.forbidden_field = requested.forbidden_field.or(forbidden);
            let agent = agent_dispatch(fields, metadata_bytes)?;
            if agent != AgentDispatch::default() {
                requested.config.agents.push(agent);
            }
        }
        Ok(requested)
    }
}

/// The first of the `known` fields that is set.
fn set_field(
    object: &Map<String, Value>,
    known: &[(&'static str, Kind)],
) -> Result<Option<&'static str>, InvalidField> {
    let mut first = None;
    for (path, kind) in known {
        if is_set(object, path, *kind)? {
            first = first.or(Some(*path));
        }
    }
    Ok(first)
}

fn agent_dispatch(
    fields: &Map<String, Value>,
    metadata_bytes: usize,
) -> Result<AgentDispatch, InvalidField> {
    let name = |path| Ok(name(fields, path)?.map(Name::into).unwrap_or_default());
    Ok(AgentDispatch {
        agent_name: name("room_config.agents.agent_name")?,
        metadata: text(fields, "room_config.agents.metadata", metadata_bytes)?.unwrap_or_default(),
        deployment: name("room_config.agents.deployment")?,
    })
}
