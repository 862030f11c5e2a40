//! The participant's identity and name, and the fields of a request that clients may set.

mod client_fields;

use std::borrow::Cow;
use std::time::Duration;

use crate::body::InvalidField;
use crate::invitation::{self, IDENTITY_PREFIX};
use crate::livekit::token_source::RequestLimits;
use crate::profile::Profile;
use crate::text::{self, Name};
pub use client_fields::{ClientField, check_forbidden_field};
pub(crate) use client_fields::{check_reserved, reserved_key};

/// Maximum length of the suffix of an identity that names a device, in bytes.
const DEVICE_BYTES: usize = 64;

/// The settings of a deployment that turn a caller into a participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantSettings {
    /// Source of a participant's identity.
    pub identity: Identity,
    /// Whether clients may add `:device` to their identity.
    pub devices: bool,
    /// Optional fields of a request that clients may set.
    pub client_fields: Vec<ClientField>,
    /// Maximum lengths of what clients may store in a token.
    pub limits: RequestLimits,
    /// Lifetime of participant tokens.
    pub token_ttl: Duration,
    /// Lifetime of participant tokens for backends.
    pub backend_token_ttl: Duration,
    /// Maximum length of a participant token, in bytes: browsers send it in a URL.
    pub max_token_bytes: usize,
}

/// Source of a participant's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The caller's email address.
    Email,
    /// The subject of the caller's token.
    Subject,
}

/// The reason why a request or a caller makes no participant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParticipantError {
    /// The request has a field that the client may not set, or not to this value. The text is for the
    /// client and quotes only known words.
    #[error("field not allowed: {0}")]
    FieldNotAllowed(Cow<'static, str>),
    /// The name that the client chooses is not a name.
    #[error("invalid request: {0}")]
    InvalidName(InvalidField),
    /// The identity is to be the email address, and the profile has none.
    #[error("the profile has no email address")]
    EmailNotSet,
    /// The email address, which is to be the identity, is not verified.
    #[error("the email address is not verified")]
    EmailNotVerified,
    /// The identity starts as the identities of guests do.
    #[error("the identity starts with guest: or is the start of guests' identities")]
    ReservedIdentity,
    /// The identity would be longer than a [`Name`] can be.
    #[error("the identity would be longer than 256 bytes")]
    IdentityTooLong,
}

impl ParticipantSettings {
    /// Returns the person's identity in LiveKit: the email address of `profile`, or `key`, which is
    /// unique to them. Devices share it.
    ///
    /// With devices, `:` is written `%3A`, so that a person's identity never equals that of another
    /// person's device. A `%` is written `%25` if it starts what could be read as an escape, so that
    /// two identities never become one.
    pub(crate) fn identity_of<'a>(
        &self,
        key: &'a str,
        profile: &'a Profile,
        requires_verified_email: bool,
    ) -> Result<Cow<'a, str>, ParticipantError> {
        let identity = match self.identity {
            Identity::Subject => key,
            Identity::Email => {
                let email = profile.email().ok_or(ParticipantError::EmailNotSet)?;
                // Anybody can sign up at the issuer with the address of somebody else.
                if requires_verified_email && !email.is_verified() {
                    return Err(ParticipantError::EmailNotVerified);
                }
                &email.address
            }
        };
        let identity = if self.devices { without_colon(identity) } else { identity.into() };
        if identity.len() > text::NAME_BYTES {
            return Err(ParticipantError::IdentityTooLong);
        }
        if self.is_of_guests(&identity) {
            return Err(ParticipantError::ReservedIdentity);
        }
        Ok(identity)
    }

    /// Whether `identity`, or that of one of its devices, starts as the identities of guests do.
    fn is_of_guests(&self, identity: &str) -> bool {
        match identity.strip_prefix(IDENTITY_PREFIX.trim_end_matches(':')) {
            Some("") => self.devices,
            Some(rest) => rest.starts_with(':'),
            None => false,
        }
    }

    /// Returns the person behind a participant's `identity`: without the device, and with an email
    /// address as [`ParticipantSettings::identity_of`] writes it.
    pub(crate) fn person_of<'a>(&self, identity: &'a str) -> Cow<'a, str> {
        let has_device = self.devices && !identity.starts_with(IDENTITY_PREFIX);
        let device = if has_device { identity.find(':') } else { None };
        let person = match device {
            Some(end @ 1..) => &identity[..end],
            _ => identity,
        };
        let is_email = self.identity == Identity::Email && person.contains('@');
        if is_email && person.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return person.to_ascii_lowercase().into();
        }
        person.into()
    }

    /// Returns the identity of `person`, or that of the device which the client requests. Spellings
    /// of an email address that fold to the person's are the same.
    pub(crate) fn with_device(
        &self,
        person: &str,
        requested: Option<&Name>,
    ) -> Result<String, ParticipantError> {
        let Some(requested) = requested else { return Ok(person.to_owned()) };
        let rest = match self.identity {
            Identity::Subject => requested.as_str().strip_prefix(person),
            Identity::Email => strip_email(requested.as_str().trim(), person),
        };
        match rest {
            Some("") => Ok(person.to_owned()),
            Some(device) if self.devices && is_device(device) => {
                let identity = format!("{person}{device}");
                let fits = identity.len() <= text::NAME_BYTES;
                fits.then_some(identity).ok_or_else(|| {
                    not_allowed("participant_identity must be at most 256 bytes with the device")
                })
            }
            _ if self.devices => Err(not_allowed(
                "participant_identity must be absent, the caller's own identity, or that with \
                 :device (1 to 64 of A-Z a-z 0-9 _ -) at its end",
            )),
            _ => {
                Err(not_allowed("participant_identity must be absent or the caller's own identity"))
            }
        }
    }

    /// Whether `identity` is exactly that of `person`, or of a device of theirs.
    pub(crate) fn is_of_person(&self, identity: &str, person: &str) -> bool {
        let device = identity.strip_prefix(person);
        device.is_some_and(|device| device.is_empty() || self.devices && is_device(device))
    }

    /// Returns the name of `profile`, or the one that the client chooses if it may by `of_rule`, the
    /// list of the deciding rule, or else by `CLIENT_FIELDS`.
    pub(crate) fn name_of(
        &self,
        of_rule: Option<&[ClientField]>,
        profile: &Profile,
        requested: Option<&str>,
    ) -> Result<String, ParticipantError> {
        let own = profile.name();
        let Some(requested) = requested.filter(|requested| !text::is_same_name(requested, own))
        else {
            return Ok(own.to_owned());
        };
        let chosen = Name::parse(requested).map_err(|error| {
            let invalid = InvalidField::new("participant_name", error.to_string());
            ParticipantError::InvalidName(invalid)
        })?;
        if self.may_set(of_rule, ClientField::ParticipantName) {
            Ok(chosen.into())
        } else {
            Err(not_allowed("participant_name must be absent or the name of the profile"))
        }
    }
}

/// Returns the name of a guest: that of the invitation, or else the requested one, or else `Guest`.
pub(crate) fn guest_name(
    of_invitation: Option<&Name>,
    requested: Option<&str>,
) -> Result<String, ParticipantError> {
    const DEFAULT: &str = "Guest";
    let invalid = |reason: String| {
        ParticipantError::InvalidName(InvalidField::new("participant_name", reason))
    };
    match (of_invitation.map(Name::as_str), requested) {
        (Some(own), Some(requested)) if !text::is_same_name(requested, own) => {
            Err(not_allowed("participant_name must be absent or the name in the invitation"))
        }
        (Some(own), _) => Ok(own.to_owned()),
        (None, None) => Ok(DEFAULT.to_owned()),
        (None, Some(chosen)) if chosen.len() > invitation::NAME_BYTES => {
            Err(invalid("must be at most 64 bytes for a guest".to_owned()))
        }
        (None, Some(chosen)) => match Name::parse(chosen) {
            Ok(name) => Ok(name.into()),
            Err(error) => Err(invalid(error.to_string())),
        },
    }
}

fn not_allowed(detail: impl Into<Cow<'static, str>>) -> ParticipantError {
    ParticipantError::FieldNotAllowed(detail.into())
}

/// The rest of `requested` after the email address `person`, in any case of its ASCII letters.
fn strip_email<'a>(requested: &'a str, person: &str) -> Option<&'a str> {
    let (start, rest) = requested.split_at_checked(person.len())?;
    start.eq_ignore_ascii_case(person).then_some(rest)
}

fn is_device(suffix: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    suffix.strip_prefix(':').is_some_and(|device| {
        (1..=DEVICE_BYTES).contains(&device.len()) && device.bytes().all(is_allowed)
    })
}

/// Returns `identity` with `:` as `%3A`, and `%` as `%25` before `3A`, `3a` and `25`. Different
/// identities stay different. An identity without these is returned as it is.
fn without_colon(identity: &str) -> Cow<'_, str> {
    if !identity.contains([':', '%']) {
        return identity.into();
    }
    let mut written = String::with_capacity(identity.len() + 8);
    for (start, character) in identity.char_indices() {
        let rest = identity.get(start + 1..).unwrap_or_default();
        match character {
            ':' => written.push_str("%3A"),
            '%' if ["3A", "3a", "25"].iter().any(|escape| rest.starts_with(escape)) => {
                written.push_str("%25");
            }
            _ => written.push(character),
        }
    }
    written.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_written_without_colons_and_stay_different() {
        let rows = [
            ("ada@example.com", "ada@example.com"),
            ("f:1234:alice", "f%3A1234%3Aalice"),
            ("f%3A1234%3Aalice", "f%253A1234%253Aalice"),
            ("f%253A1234", "f%25253A1234"),
            ("a%3ab", "a%253ab"),
            ("100%", "100%"),
            ("100%:", "100%%3A"),
            ("é%é:é", "é%é%3Aé"),
            ("%2:5", "%2%3A5"),
            (":", "%3A"),
        ];
        for (identity, expected) in rows {
            assert_eq!(without_colon(identity), expected, "{identity}");
        }
        let mut written: Vec<_> = rows.iter().map(|(_, written)| written).collect();
        written.sort_unstable();
        written.dedup();
        assert_eq!(written.len(), rows.len());
    }
}
