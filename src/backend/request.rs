//! The request of a backend, as `RTCstack` defines it, and the response.

use serde::Serialize;
use serde_json::Value;

use crate::body::{self, InvalidField};
use crate::livekit::token_source::RequestedRoomConfig;
use crate::text::Name;

/// A request for a participant token for somebody whom the backend knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendRequest {
    /// The room to join.
    pub room: Name,
    /// The participant's identity.
    pub identity: Name,
    /// The participant's name.
    pub name: Name,
    /// The name of a role of the policy.
    pub role: Name,
    /// The participant's metadata: the object of the request, as JSON.
    pub metadata: Option<String>,
    /// The configuration of the room.
    pub room_config: RequestedRoomConfig,
}

/// The response to a backend.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendResponse<'a> {
    /// The participant token.
    pub token: &'a str,
    /// The URL of the LiveKit server, `ws` or `wss`.
    pub url: &'a str,
    /// The expiry of the token, as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC.
    pub expires_at: String,
}

impl BackendRequest {
    /// Parses a body: a JSON object with `roomId`, `userId`, `name`, `role` and, optionally,
    /// `metadata` and `roomConfig`. Unknown members are ignored. Each metadata has at most
    /// `metadata_bytes`.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] for a body that is not a JSON object, a member that is sent twice, is missing
    /// or has another type, metadata that is too long, and a string that is not a name.
    pub fn from_body(body: &[u8], metadata_bytes: usize) -> Result<Self, InvalidField> {
        let members = body::parse_object(body)?;
        let metadata = match members.get("metadata") {
            None | Some(Value::Null) => None,
            Some(object @ Value::Object(_)) => Some(object.to_string()),
            Some(_) => return Err(InvalidField::new("metadata", "must be an object")),
        };
        if metadata.as_ref().is_some_and(|metadata| metadata.len() > metadata_bytes) {
            let reason = format!("must be at most {metadata_bytes} bytes as JSON");
            return Err(InvalidField::new("metadata", reason));
        }
        Ok(Self {
            room: body::required_name(&members, "roomId")?,
            identity: body::required_name(&members, "userId")?,
            name: body::required_name(&members, "name")?,
            role: body::required_name(&members, "role")?,
            metadata,
            room_config: RequestedRoomConfig::parse(members.get("roomConfig"), metadata_bytes)?,
        })
    }
}
