//! LiveKit's standard token endpoint: what clients send and what they are answered.
//!
//! Names are those of `TokenSourceRequest` and `TokenSourceResponse`
//! (livekit/protocol, `livekit_token_source.proto`).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Number, Value};

use super::room_config::{AGENTS, AgentDispatch, RoomConfiguration};
use crate::json;
use crate::text;

/// Longest `participant_metadata`, in bytes.
pub const METADATA_BYTES: usize = 4096;

/// Longest keys and values of `participant_attributes` together, in bytes.
pub const ATTRIBUTES_BYTES: usize = 4096;

/// Most `participant_attributes`.
pub const ATTRIBUTES: usize = 64;

/// Longest key of `participant_attributes`, in bytes.
pub const ATTRIBUTE_KEY_BYTES: usize = 64;

/// What a client asks for. `None` and empty where it asks for nothing: absent, `null` and `""` are
/// one, as SDKs send all three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSourceRequest {
    /// The room to join.
    pub room_name: Option<String>,
    /// The identity that the client expects.
    pub participant_identity: Option<String>,
    /// The name to show.
    pub participant_name: Option<String>,
    /// The app's own payload.
    pub participant_metadata: Option<String>,
    /// The app's own payload, by key.
    pub participant_attributes: BTreeMap<String, String>,
    /// Agents to dispatch, and how to set up the room.
    pub room_config: RequestedRoomConfig,
}

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

/// Why a body is not a request: the sentence that the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidField(pub &'static str);

impl TokenSourceRequest {
    /// Reads a body: nothing, or a JSON object with fields in `snake_case` or, as proto3 JSON has it,
    /// `camelCase`. Unknown fields are ignored.
    ///
    /// # Errors
    ///
    /// No JSON object, the same field twice (also once in each spelling), wrong types, and texts
    /// that are too long or hold forbidden characters.
    pub fn from_body(body: &[u8]) -> Result<Self, InvalidField> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let fields = json::parse_object(body).map_err(|_| {
            InvalidField("the body must be one JSON object without duplicate members")
        })?;
        Ok(Self {
            room_name: name(
                &fields,
                "room_name",
                InvalidField("room_name must be 1 to 256 bytes of text without control characters"),
            )?,
            participant_identity: name(
                &fields,
                "participant_identity",
                InvalidField(
                    "participant_identity must be 1 to 256 bytes of text without control characters",
                ),
            )?,
            participant_name: name(
                &fields,
                "participant_name",
                InvalidField(
                    "participant_name must be 1 to 256 bytes of text without control characters",
                ),
            )?,
            participant_metadata: metadata(&fields)?,
            participant_attributes: attributes(&fields)?,
            room_config: RequestedRoomConfig::read(field(&fields, "room_config")?)?,
        })
    }
}

/// The answer. `snake_case` only: some SDKs read nothing else.
#[derive(Clone, Debug, Serialize)]
pub struct TokenSourceResponse<'a> {
    /// Where LiveKit is.
    pub server_url: &'a str,
    /// The participant's token.
    pub participant_token: &'a str,
    /// The room that the token opens.
    pub room_name: &'a str,
    /// The name in the token.
    pub participant_name: &'a str,
}

/// The field `snake`, in either spelling; `None` for `null`.
fn field<'a>(
    object: &'a Map<String, Value>,
    snake: &str,
) -> Result<Option<&'a Value>, InvalidField> {
    let camel = camel_case(snake);
    match (object.get(snake), (camel != snake).then(|| object.get(&camel)).flatten()) {
        (Some(_), Some(_)) => Err(InvalidField("a field stands twice, once in each spelling")),
        (one, other) => Ok(one.or(other).filter(|value| !value.is_null())),
    }
}

/// The JSON name that proto3 gives a field: each underscore goes and the next letter is upper case.
fn camel_case(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    let mut parts = snake.split('_');
    camel.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (first, rest) = part.split_at(1);
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

/// Text that is not empty, if the field has any.
fn text_field(
    object: &Map<String, Value>,
    snake: &str,
    wrong: InvalidField,
) -> Result<Option<String>, InvalidField> {
    match field(object, snake)? {
        None => Ok(None),
        Some(Value::String(text)) => Ok((!text.is_empty()).then(|| text.clone())),
        Some(_) => Err(wrong),
    }
}

/// A text that may stand in a name.
fn name(
    object: &Map<String, Value>,
    snake: &str,
    wrong: InvalidField,
) -> Result<Option<String>, InvalidField> {
    let name = text_field(object, snake, wrong)?;
    if name.as_deref().is_none_or(text::is_name) { Ok(name) } else { Err(wrong) }
}

fn metadata(fields: &Map<String, Value>) -> Result<Option<String>, InvalidField> {
    const WRONG: InvalidField =
        InvalidField("participant_metadata must be text of at most 4096 bytes");
    let metadata = text_field(fields, "participant_metadata", WRONG)?;
    let fits = metadata.as_ref().is_none_or(|metadata| metadata.len() <= METADATA_BYTES);
    if fits { Ok(metadata) } else { Err(WRONG) }
}

fn attributes(fields: &Map<String, Value>) -> Result<BTreeMap<String, String>, InvalidField> {
    let attributes = match field(fields, "participant_attributes")? {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return Err(InvalidField("participant_attributes must be an object of texts")),
    };
    if attributes.len() > ATTRIBUTES {
        return Err(InvalidField("participant_attributes must be at most 64"));
    }
    let mut bytes = 0;
    let mut read = BTreeMap::new();
    for (key, value) in attributes {
        let Value::String(value) = value else {
            return Err(InvalidField("participant_attributes must be an object of texts"));
        };
        if !is_attribute_key(key) {
            return Err(InvalidField(
                "keys of participant_attributes must be 1 to 64 of A-Z a-z 0-9 _ . -",
            ));
        }
        bytes += key.len() + value.len();
        read.insert(key.clone(), value.clone());
    }
    if bytes > ATTRIBUTES_BYTES {
        return Err(InvalidField("participant_attributes must be at most 4096 bytes together"));
    }
    Ok(read)
}

/// Whether `key` may be the key of an attribute.
pub(crate) fn is_attribute_key(key: &str) -> bool {
    (1..=ATTRIBUTE_KEY_BYTES).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
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
    pub fn read(room_config: Option<&Value>) -> Result<Self, InvalidField> {
        let fields = match room_config {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(InvalidField("room_config must be an object")),
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
            Some(_) => {
                return Err(InvalidField("room_config.agents must be a list of at most 10 agents"));
            }
        };
        for agent in agents {
            let Value::Object(fields) = agent else {
                return Err(InvalidField("room_config.agents must be a list of objects"));
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
fn number(fields: &Map<String, Value>, snake: &str) -> Result<u32, InvalidField> {
    let read = match field(fields, snake)? {
        None => Some(0),
        Some(Value::Number(number)) => whole(number).and_then(|number| number.try_into().ok()),
        Some(Value::String(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
            if text.is_empty() { Some(0) } else { text.parse().ok() }
        }
        Some(_) => None,
    };
    read.ok_or(InvalidField(
        "max_participants and timeouts of room_config must be whole numbers below 2^32",
    ))
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

fn room_metadata(fields: &Map<String, Value>) -> Result<String, InvalidField> {
    const WRONG: InvalidField =
        InvalidField("room_config.metadata must be text of at most 4096 bytes");
    let metadata = text_field(fields, "metadata", WRONG)?.unwrap_or_default();
    if metadata.len() <= METADATA_BYTES { Ok(metadata) } else { Err(WRONG) }
}

impl AgentDispatch {
    fn read(fields: &Map<String, Value>) -> Result<Self, InvalidField> {
        const NAME: InvalidField = InvalidField(
            "agent_name and deployment must be at most 256 bytes of text without control characters",
        );
        const METADATA: InvalidField =
            InvalidField("an agent's metadata must be text of at most 4096 bytes");
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
fn asks(fields: &Map<String, Value>, snake: &str) -> Result<bool, InvalidField> {
    Ok(field(fields, snake)?.is_some_and(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_fields_as_proto3_does() {
        for (snake, camel) in [
            ("room_name", "roomName"),
            ("min_playout_delay", "minPlayoutDelay"),
            ("agents", "agents"),
        ] {
            assert_eq!(camel_case(snake), camel);
        }
    }

    #[test]
    fn nothing_asked_has_many_spellings() {
        let rows: &[&str] = &[
            "",
            "{}",
            r#"{"room_name":null}"#,
            r#"{"roomName":""}"#,
            r#"{"participant_attributes":{}}"#,
            r#"{"participant_attributes":null,"room_config":null}"#,
            r#"{"room_config":{}}"#,
            r#"{"roomConfig":{"agents":[{}]}}"#,
            r#"{"unknown":[1,{"a":2}]}"#,
        ];
        for body in rows {
            let read = TokenSourceRequest::from_body(body.as_bytes());
            assert_eq!(read, Ok(TokenSourceRequest::default()), "{body}");
        }
    }

    #[test]
    fn a_field_stands_once() {
        let rows: &[&str] = &[
            r#"{"room_name":"a","room_name":"a"}"#,
            r#"{"room_name":"a","roomName":"a"}"#,
            r#"{"room_name":null,"roomName":"a"}"#,
            r#"{"participant_attributes":{"a":"b","a":"b"}}"#,
            r#"{"room_config":{"max_participants":0,"maxParticipants":0}}"#,
            r#"{"room_config":{"agents":[{"agent_name":"","agentName":""}]}}"#,
        ];
        for body in rows {
            assert!(TokenSourceRequest::from_body(body.as_bytes()).is_err(), "{body}");
        }
    }
}
