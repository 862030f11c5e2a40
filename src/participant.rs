//! The deployment's rules: what clients may set, and what a person is called in LiveKit.

use std::time::Duration;

use crate::livekit::token_source::TokenSourceRequest;
use crate::profile::Profile;
use crate::text;

/// Longest suffix of an identity that names one of its devices, in bytes.
const DEVICE_BYTES: usize = 64;

/// Attributes that only we set, in lower case: others trust them.
const RESERVED_ATTRIBUTES: &[&str] =
    &["color", "imageurl", "email", "name", "sub", "user_id", "identity", "role"];

/// Attributes that LiveKit sets, by what they start with, in lower case.
const RESERVED_PREFIXES: &[&str] = &["lk.", "sip.", "ingress."];

/// What a caller becomes in LiveKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantSettings {
    /// What a participant's identity is.
    pub identity: Identity,
    /// Whether clients may add `:device` to their identity.
    pub devices: bool,
    /// Optional fields of a request that clients may set.
    pub client_fields: Vec<ClientField>,
    /// How long a token may be used to join.
    pub token_ttl: Duration,
    /// The same for tokens that backends ask for.
    pub backend_token_ttl: Duration,
    /// Longest participant's token, in bytes: browsers put it into an address.
    pub max_token_bytes: usize,
    /// Whether an address that is an identity must be verified.
    pub require_verified_email: bool,
}

/// What a participant's identity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The caller's email address.
    Email,
    /// The `sub` of the caller's token.
    Subject,
}

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

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParticipantError {
    /// The request holds a field that this caller may not set, or not to this value.
    #[error("field not allowed: {0}")]
    FieldNotAllowed(&'static str),
    /// The user has no email address, and it is to be the identity.
    #[error("the user has no email address")]
    EmailNotSet,
    /// The address, which is to be the identity, is not verified.
    #[error("the user's email address is not verified")]
    EmailNotVerified,
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
    /// Refuses what clients may not set. A field is refused, never overridden: SDKs take what they
    /// asked for for what they got.
    pub(crate) fn check_fields(
        &self,
        of_rule: Option<&[ClientField]>,
        request: &TokenSourceRequest,
    ) -> Result<(), ParticipantError> {
        let asked = [
            (
                ClientField::RoomName,
                request.room_name.is_some(),
                "room_name is not a client's to set",
            ),
            (
                ClientField::ParticipantMetadata,
                request.participant_metadata.is_some(),
                "participant_metadata is not a client's to set",
            ),
            (
                ClientField::ParticipantAttributes,
                !request.participant_attributes.is_empty(),
                "participant_attributes are not a client's to set",
            ),
            (
                ClientField::RoomConfig,
                !request.room_config.is_empty(),
                "room_config is not a client's to set",
            ),
        ];
        for (field, is_asked, detail) in asked {
            if is_asked && !self.may_set(of_rule, field) {
                return Err(ParticipantError::FieldNotAllowed(detail));
            }
        }
        if request.participant_attributes.keys().any(|key| is_reserved(key)) {
            return Err(ParticipantError::FieldNotAllowed("an attribute's key is reserved"));
        }
        if request.room_config.has_forbidden_field {
            return Err(ParticipantError::FieldNotAllowed(
                "room_config holds a field that no client may set",
            ));
        }
        Ok(())
    }

    /// Whether clients may set `field`: by the list of the deciding rule, or else by `CLIENT_FIELDS`.
    fn may_set(&self, of_rule: Option<&[ClientField]>, field: ClientField) -> bool {
        of_rule.unwrap_or(&self.client_fields).contains(&field)
    }

    /// What tells the person apart in LiveKit: the address of `profile`, or `key`, which is theirs
    /// alone.
    pub(crate) fn identity_of<'a>(
        &self,
        key: &'a str,
        profile: &'a Profile,
    ) -> Result<&'a str, ParticipantError> {
        match self.identity {
            Identity::Subject => Ok(key),
            Identity::Email => {
                let email = profile.email().ok_or(ParticipantError::EmailNotSet)?;
                // Anybody could sign up at the issuer with somebody else's address.
                if self.require_verified_email && !email.is_verified() {
                    return Err(ParticipantError::EmailNotVerified);
                }
                Ok(&email.address)
            }
        }
    }

    /// The person's identity, or the one of their device that a client asks for.
    pub(crate) fn with_device(
        &self,
        person: &str,
        asked: Option<&str>,
    ) -> Result<String, ParticipantError> {
        let Some(asked) = asked else { return Ok(person.to_owned()) };
        let is_device = |rest: &str| {
            rest.strip_prefix(':').is_some_and(|device| {
                (1..=DEVICE_BYTES).contains(&device.len())
                    && device
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            })
        };
        match asked.strip_prefix(person) {
            Some("") => Ok(person.to_owned()),
            Some(rest) if self.devices && is_device(rest) && text::is_name(asked) => {
                Ok(asked.to_owned())
            }
            _ => Err(ParticipantError::FieldNotAllowed("participant_identity is not yours")),
        }
    }

    pub(crate) fn name_of<'a>(
        &self,
        of_rule: Option<&[ClientField]>,
        profile: &'a Profile,
        asked: Option<&'a str>,
    ) -> Result<&'a str, ParticipantError> {
        match asked {
            None => Ok(profile.name()),
            Some(asked) if asked == profile.name() => Ok(asked),
            Some(asked) if self.may_set(of_rule, ClientField::ParticipantName) => Ok(asked),
            Some(_) => Err(ParticipantError::FieldNotAllowed("participant_name is not yours")),
        }
    }
}

/// Whether clients must not set the attribute `key`, in any case.
pub(crate) fn is_reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    RESERVED_ATTRIBUTES.contains(&key.as_str())
        || RESERVED_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}
