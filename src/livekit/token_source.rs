//! The request and the response of LiveKit's standard token endpoint.
//!
//! Names are those of `TokenSourceRequest` and `TokenSourceResponse`
//! (livekit/protocol, `livekit_token_source.proto`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::attributes::{ATTRIBUTES, KEY_BYTES, is_key, reserved};
use super::proto_json::{field, name, text};
pub use super::requested_room::RequestedRoomConfig;
use crate::body::{self, InvalidField};
use crate::text::Name;

/// Maximum length of the metadata that a policy can set or allow, in bytes.
pub const METADATA_BYTES: usize = 4096;

/// Maximum lengths of what a client may store in a participant token, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Length of each string of metadata: the participant's, the room's, and each agent's.
    pub metadata_bytes: usize,
    /// Length of all keys and values of `participant_attributes` together.
    pub attributes_bytes: usize,
}

/// The request of a client. Absent, `null` and the empty string are one, since SDKs send all three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSourceRequest {
    /// The room to join.
    pub room_name: Option<Name>,
    /// The identity that the client expects.
    pub participant_identity: Option<Name>,
    /// The name that the client expects or chooses, not yet checked.
    pub participant_name: Option<String>,
    /// The app's payload about the participant.
    pub participant_metadata: Option<String>,
    /// The app's payload about the participant, by key.
    pub participant_attributes: BTreeMap<String, String>,
    /// Agents to dispatch, and the configuration of the room.
    pub room_config: RequestedRoomConfig,
}

impl TokenSourceRequest {
    /// Parses a body: nothing, or a JSON object with fields in `snake_case` or, as in proto3 JSON,
    /// `camelCase`. Unknown fields are ignored, except those that clients send by mistake.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] for a body that is not a JSON object, a field that is sent twice or in place
    /// of another, a wrong type, a string that is too long or not a name, and an invalid key.
    pub fn from_body(body: &[u8], limits: &RequestLimits) -> Result<Self, InvalidField> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        let fields = body::parse_object(body)?;
        for (key, value) in &fields {
            if let Some(error) = misplaced(key, value) {
                return Err(error);
            }
        }
        let room_config = field(&fields, "room_config")?;
        Ok(Self {
            room_name: name(&fields, "room_name")?,
            participant_identity: name(&fields, "participant_identity")?,
            participant_name: text(&fields, "participant_name", usize::MAX)?,
            participant_metadata: text(&fields, "participant_metadata", limits.metadata_bytes)?,
            participant_attributes: attributes(&fields, limits.attributes_bytes)?,
            room_config: RequestedRoomConfig::parse(room_config, limits.metadata_bytes)?,
        })
    }
}

/// The response. `snake_case` only, since some SDKs read nothing else.
#[derive(Clone, Debug, Serialize)]
pub struct TokenSourceResponse<'a> {
    /// The URL of the LiveKit server, `ws` or `wss`.
    pub server_url: &'a str,
    /// The participant token.
    pub participant_token: &'a str,
    /// The room of the token.
    pub room_name: &'a str,
    /// The name in the token.
    pub participant_name: &'a str,
}

/// Returns the URL of the LiveKit server for clients: with the scheme `ws` for `http`, and `wss` for
/// `https`, which some clients do not accept.
pub fn server_url(livekit_url: &str) -> Cow<'_, str> {
    match livekit_url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => {
            format!("wss://{rest}").into()
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
            format!("ws://{rest}").into()
        }
        _ => livekit_url.into(),
    }
}

/// The error about a member that clients send in place of a field of `TokenSourceRequest`, if it has
/// a value. To ignore `room` would put each person into a fresh room of their own.
fn misplaced(key: &str, value: &Value) -> Option<InvalidField> {
    let (field, reason) = match key {
        "room" => ("room_name", "must be sent in place of room"),
        "roomId" => ("room_name", "must be sent in place of roomId"),
        "room_id" => ("room_name", "must be sent in place of room_id"),
        "identity" => ("participant_identity", "must be sent in place of identity"),
        "userId" => ("participant_identity", "must be sent in place of userId"),
        "user_id" => ("participant_identity", "must be sent in place of user_id"),
        "username" => {
            ("participant_name or participant_identity", "must be sent in place of username")
        }
        "name" => ("participant_name", "must be sent in place of name"),
        "metadata" => ("participant_metadata", "must be sent in place of metadata"),
        "attributes" => ("participant_attributes", "must be sent in place of attributes"),
        "agent_name" => ("room_config.agents", "must contain agent_name, as [{\"agent_name\": …}]"),
        _ => return None,
    };
    let is_absent = value.is_null() || value.as_str() == Some("");
    (!is_absent).then(|| InvalidField::new(field, reason))
}

/// Checks that `query`, which is ignored otherwise, does not name a room.
///
/// # Errors
///
/// [`InvalidField`] if it does.
pub fn check_query(query: &str) -> Result<(), InvalidField> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    if pairs.any(|(key, value)| key == "room" && !value.is_empty()) {
        let reason = "must be sent in the body, as JSON, and not in the query";
        return Err(InvalidField::new("room_name", reason));
    }
    Ok(())
}

fn attributes(
    fields: &Map<String, Value>,
    most: usize,
) -> Result<BTreeMap<String, String>, InvalidField> {
    const FIELD: &str = "participant_attributes";
    let invalid = |reason: String| Err(InvalidField::new(FIELD, reason));
    let attributes = match field(fields, FIELD)? {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(attributes)) => attributes,
        Some(_) => return invalid("must be an object of strings".to_owned()),
    };
    if attributes.len() > ATTRIBUTES {
        return invalid(format!("must have at most {ATTRIBUTES} keys"));
    }
    let mut bytes = 0;
    let mut read = BTreeMap::new();
    for (key, value) in attributes {
        let Value::String(value) = value else {
            return invalid("must be an object of strings".to_owned());
        };
        // A reserved key is refused later, with its name.
        if !is_key(key) && reserved(key).is_none() {
            return invalid(format!(
                "must have keys of 1 to {KEY_BYTES} letters, digits, dots, underscores and hyphens, \
                 with a letter or digit at both ends"
            ));
        }
        bytes += key.len() + value.len();
        read.insert(key.clone(), value.clone());
    }
    if bytes > most {
        return invalid(format!("must be at most {most} bytes, keys and values together"));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits { metadata_bytes: 4096, attributes_bytes: 4096 };

    #[test]
    fn empty_request_is_recognized_in_every_spelling() {
        let rows: &[&str] = &[
            "",
            "{}",
            r#"{"room_name":null}"#,
            r#"{"roomName":""}"#,
            r#"{"room":null,"identity":""}"#,
            r#"{"participant_attributes":{}}"#,
            r#"{"participant_attributes":null,"room_config":null}"#,
            r#"{"room_config":{}}"#,
            r#"{"roomConfig":{"agents":[{}]}}"#,
            r#"{"unknown":[1,{"a":2}]}"#,
        ];
        for body in rows {
            let read = TokenSourceRequest::from_body(body.as_bytes(), &LIMITS);
            assert_eq!(read, Ok(TokenSourceRequest::default()), "{body}");
        }
    }

    #[test]
    fn field_sent_twice_is_rejected() {
        let rows: &[&str] = &[
            r#"{"room_name":"a","room_name":"a"}"#,
            r#"{"room_name":"a","roomName":"a"}"#,
            r#"{"room_name":null,"roomName":"a"}"#,
            r#"{"participant_attributes":{"a":"b","a":"b"}}"#,
            r#"{"room_config":{"max_participants":0,"maxParticipants":0}}"#,
            r#"{"room_config":{"agents":[{"agent_name":"","agentName":""}]}}"#,
        ];
        for body in rows {
            let read = TokenSourceRequest::from_body(body.as_bytes(), &LIMITS);
            assert!(read.is_err(), "{body}");
        }
    }
}
