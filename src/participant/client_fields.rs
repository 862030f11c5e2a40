//! The fields of a request that clients may set.

use super::{ParticipantError, ParticipantSettings, not_allowed};
use crate::livekit::attributes::reserved;
use crate::livekit::token_source::{RequestedRoomConfig, TokenSourceRequest};

/// An optional field of a request. The identity is not among them: it is never the client's choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientField {
    /// `room_name`
    RoomName,
    /// `participant_name`
    ParticipantName,
    /// `participant_metadata`
    ParticipantMetadata,
    /// `participant_attributes`
    ParticipantAttributes,
    /// `room_config`
    RoomConfig,
}

impl ClientField {
    /// Returns the field with this name of the request.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "room_name" => Self::RoomName,
            "participant_name" => Self::ParticipantName,
            "participant_metadata" => Self::ParticipantMetadata,
            "participant_attributes" => Self::ParticipantAttributes,
            "room_config" => Self::RoomConfig,
            _ => return None,
        })
    }
}

impl ParticipantSettings {
    /// Checks that `request` sets only fields of `of_rule`, the list of the deciding rule, or else of
    /// `CLIENT_FIELDS`. A field is refused, never overridden, since SDKs assume that they get what they
    /// request.
    pub(crate) fn check_client_fields(
        &self,
        of_rule: Option<&[ClientField]>,
        request: &TokenSourceRequest,
    ) -> Result<(), ParticipantError> {
        let fields = [
            (ClientField::RoomName, request.room_name.is_some(), "room_name"),
            (
                ClientField::ParticipantMetadata,
                request.participant_metadata.is_some(),
                "participant_metadata",
            ),
            (
                ClientField::ParticipantAttributes,
                !request.participant_attributes.is_empty(),
                "participant_attributes",
            ),
            (ClientField::RoomConfig, !request.room_config.is_empty(), "room_config"),
        ];
        for (field, is_set, name) in fields {
            if is_set && !self.may_set(of_rule, field) {
                return Err(not_allowed(format!("{name} must not be set by the client")));
            }
        }
        Ok(())
    }

    /// Checks that the `request` of the guest with `identity` sets only fields that guests may set: a
    /// name, and metadata and attributes by `CLIENT_FIELDS`. The room is that of the invitation.
    pub(crate) fn check_guest_fields(
        &self,
        identity: &str,
        request: &TokenSourceRequest,
    ) -> Result<(), ParticipantError> {
        let fields = [
            (
                Some(ClientField::ParticipantMetadata),
                request.participant_metadata.is_some(),
                "participant_metadata",
            ),
            (
                Some(ClientField::ParticipantAttributes),
                !request.participant_attributes.is_empty(),
                "participant_attributes",
            ),
            (None, !request.room_config.is_empty(), "room_config"),
        ];
        for (field, is_set, name) in fields {
            if is_set && !field.is_some_and(|field| self.may_set(None, field)) {
                return Err(not_allowed(format!("{name} must not be set by guests")));
            }
        }
        match &request.participant_identity {
            Some(requested) if requested.as_str() != identity => {
                Err(not_allowed("participant_identity must be absent or the guest's own identity"))
            }
            _ => Ok(()),
        }
    }

    /// Whether clients may set `field`: by the list of the deciding rule, or else by `CLIENT_FIELDS`.
    pub(super) fn may_set(&self, of_rule: Option<&[ClientField]>, field: ClientField) -> bool {
        of_rule.unwrap_or(&self.client_fields).contains(&field)
    }
}

/// Checks that `request` sets no attribute and no room field that are never the client's.
pub(crate) fn check_reserved(request: &TokenSourceRequest) -> Result<(), ParticipantError> {
    let mut keys = request.participant_attributes.keys();
    if let Some(reserved) = keys.find_map(|key| reserved(key)) {
        return Err(reserved_key(reserved));
    }
    check_forbidden_field(&request.room_config)
}

/// Checks that `room_config` sets no field that no policy can allow.
///
/// # Errors
///
/// [`ParticipantError::FieldNotAllowed`] with the first such field.
pub fn check_forbidden_field(room_config: &RequestedRoomConfig) -> Result<(), ParticipantError> {
    match room_config.forbidden_field {
        Some(field) => Err(not_allowed(format!("{field} must not be set by the client"))),
        None => Ok(()),
    }
}

/// The error about an attribute `key`, or a prefix that ends with a dot, which the client may not set.
pub(crate) fn reserved_key(key: &str) -> ParticipantError {
    let verb = if key.ends_with('.') { "begin with" } else { "contain" };
    not_allowed(format!("participant_attributes must not {verb} the reserved {key}"))
}
