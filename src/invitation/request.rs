//! The request for an invitation, and the response.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::{NAME_BYTES, SECONDS};
use crate::body::{self, InvalidField};
use crate::json;
use crate::lobby::Lobby;
use crate::text::Name;

/// The fields of a request.
const FIELDS: [&str; 5] = ["role", "seconds", "name", "uses", "lobby"];

/// The numbers of guests to which an invitation can be limited.
const USES: RangeInclusive<u64> = 1..=1_000;

/// A request for an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRequest {
    /// The name of the guests' role.
    pub role: Name,
    /// The lifetime of the invitation.
    pub lifetime: Duration,
    /// The guest's name, if the guest does not choose it.
    pub name: Option<Name>,
    /// The largest number of guests, if it is limited.
    pub uses: Option<u64>,
    /// The waiting room.
    pub lobby: Option<Lobby>,
}

/// The response to a request for an invitation.
#[derive(Clone, Debug, Serialize)]
pub struct InvitationResponse<'a> {
    /// The invitation, a JWT.
    pub invitation: &'a str,
    /// The expiry, as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC.
    pub expires_at: String,
}

impl InvitationRequest {
    /// Parses a body: a JSON object with `role`, `seconds` and, optionally, `name`,
    /// `uses` and `lobby`.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] for a body that is not a JSON object, and a field that is unknown, missing,
    /// invalid or sent twice. An unknown field may be a restriction, so it is not ignored.
    pub fn from_body(body: &[u8]) -> Result<Self, InvalidField> {
        let fields = body::parse_object(body)?;
        if fields.keys().any(|field| !FIELDS.contains(&field.as_str())) {
            let reason = "must have no other fields than role, seconds, name, uses and lobby";
            return Err(InvalidField::new("the body", reason));
        }
        let seconds = body::present(&fields, "seconds").and_then(json::whole_number);
        let seconds = seconds.filter(|seconds| SECONDS.contains(seconds)).ok_or_else(|| {
            InvalidField::new("seconds", "must be a whole number from 60 to 604800")
        })?;
        let name = body::name(&fields, "name")?;
        if name.as_ref().is_some_and(|name| name.as_str().len() > NAME_BYTES) {
            return Err(InvalidField::new("name", "must be at most 64 bytes"));
        }
        let role = body::required_name(&fields, "role")?;
        let uses = body::present(&fields, "uses").map(|uses| {
            json::whole_number(uses)
                .filter(|uses| USES.contains(uses))
                .ok_or_else(|| InvalidField::new("uses", "must be a whole number from 1 to 1000"))
        });
        let lobby = body::present(&fields, "lobby").map(|lobby| {
            Lobby::parse(lobby.as_bool(), lobby.as_str())
                .map_err(|reason| InvalidField::new("lobby", reason.0))
        });
        let (uses, lobby) = (uses.transpose()?, lobby.transpose()?.flatten());
        Ok(Self { role, lifetime: Duration::from_secs(seconds), name, uses, lobby })
    }
}
