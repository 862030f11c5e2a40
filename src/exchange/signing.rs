//! The participant token of a caller, a backend's participant or a guest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Exchange, ExchangeError};
use crate::livekit::access_token::{AccessToken, ParticipantToken};
use crate::livekit::grants::VideoGrant;
use crate::livekit::room_config::RoomConfiguration;
use crate::policy::Role;
use crate::secrets::Secrets;
use crate::text::Name;

/// The content of a participant token that is not yet signed.
pub(super) struct Participant<'a> {
    /// The identity without a device.
    pub(super) person: &'a str,
    pub(super) identity: &'a str,
    pub(super) name: String,
    pub(super) picture: Option<&'a str>,
    pub(super) metadata: Option<&'a str>,
    /// The client's attributes.
    pub(super) attributes: BTreeMap<&'a str, &'a str>,
    pub(super) room: Name,
    pub(super) role: &'a Role,
    pub(super) room_config: RoomConfiguration,
    /// The lifetime.
    pub(super) ttl: Duration,
}

/// An issued participant token.
#[derive(Debug)]
pub struct Issued {
    /// The secrets that signed the token, with the URL of the server that accepts it.
    pub secrets: Arc<Secrets>,
    /// The participant token.
    pub token: ParticipantToken,
    /// The expiry of the token.
    pub expires: SystemTime,
    /// The room of the token.
    pub room: String,
    /// The participant's name in the token.
    pub name: String,
    /// The name of the role in the token.
    pub role: String,
}

impl Exchange {
    /// Signs the token of `participant` with `secrets`.
    pub(super) fn sign_participant_token(
        &self,
        participant: Participant<'_>,
        secrets: &Arc<Secrets>,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        let Participant { person, identity, name, mut attributes, room, role, .. } = participant;
        attributes.insert("color", self.presence.color(person));
        attributes.insert("role", &role.name);
        if self.participant.devices {
            attributes.insert("identity", person);
        }
        if let Some(picture) = participant.picture {
            attributes.insert("imageUrl", picture);
        }
        let token = AccessToken {
            identity,
            name: &name,
            video: VideoGrant::join(room.as_str(), role.grants),
            metadata: participant.metadata,
            attributes,
            room_config: participant.room_config,
        };
        let ttl = participant.ttl;
        let token = token.sign(&secrets.api_key, now, ttl)?;
        if token.token.len() > self.participant.max_token_bytes {
            return Err(ExchangeError::TokenTooLarge);
        }
        let (secrets, expires, room) = (Arc::clone(secrets), now + ttl, room.into());
        Ok(Issued { secrets, token, expires, room, name, role: role.name.clone() })
    }
}
