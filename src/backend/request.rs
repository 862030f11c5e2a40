//! What a backend asks for: `RTCstack`'s request, and its answer.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::json;
use crate::livekit::token_source::RequestedRoomConfig;
use crate::livekit::token_source::{InvalidField, METADATA_BYTES};
use crate::text;

/// A token for somebody whom the backend knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRequest {
    /// The room.
    pub room: String,
    /// Who it is for: the participant's identity.
    pub identity: String,
    /// The name to show.
    pub name: String,
    /// A role of the policy.
    pub role: String,
    /// The participant's metadata: the object that was sent, as text.
    pub metadata: Option<String>,
    /// How to set up the room.
    pub room_config: RequestedRoomConfig,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendResponse<'a> {
    /// The participant's token.
    pub token: &'a str,
    /// Where LiveKit is.
    pub url: &'a str,
    /// When the token expires ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)), in UTC.
    pub expires_at: String,
}

impl BackendRequest {
    /// Reads a body: a JSON object with `roomId`, `userId`, `name`, `role` and perhaps `metadata` and
    /// `roomConfig`. Unknown members are ignored.
    ///
    /// # Errors
    ///
    /// No JSON object, a member twice, one that is missing or of another type, and texts that are too
    /// long or hold forbidden characters.
    pub fn from_body(body: &[u8]) -> Result<Self, InvalidField> {
        let members = json::parse_object(body).map_err(|_| {
            InvalidField("the body must be one JSON object without duplicate members")
        })?;
        let metadata = match members.get("metadata") {
            None | Some(Value::Null) => None,
            Some(object @ Value::Object(_)) => Some(object.to_string()),
            Some(_) => return Err(InvalidField("metadata must be an object")),
        };
        if metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA_BYTES) {
            return Err(InvalidField("metadata must be an object of at most 4096 bytes"));
        }
        Ok(Self {
            room: name(
                &members,
                "roomId",
                InvalidField("roomId must be 1 to 256 bytes of text without control characters"),
            )?,
            identity: name(
                &members,
                "userId",
                InvalidField("userId must be 1 to 256 bytes of text without control characters"),
            )?,
            name: name(
                &members,
                "name",
                InvalidField("name must be 1 to 256 bytes of text without control characters"),
            )?,
            role: name(&members, "role", InvalidField("role must be the name of a role"))?,
            metadata,
            room_config: RequestedRoomConfig::read(members.get("roomConfig"))?,
        })
    }
}

fn name(
    members: &Map<String, Value>,
    name: &str,
    wrong: InvalidField,
) -> Result<String, InvalidField> {
    let value = members.get(name).and_then(Value::as_str);
    value.filter(|value| text::is_name(value)).map(str::to_owned).ok_or(wrong)
}
