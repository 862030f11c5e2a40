//! Mute and removal of participants by hosts and moderators.

use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError};
use crate::livekit::participant_info::ParticipantInfo;
use crate::livekit::room_service::{RoomService, RoomServiceError};
use crate::policy::{Refusal, Role};
use crate::secrets::Secrets;
use crate::upstream::error::Unavailable;

/// An action against a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModerationAction {
    /// Mutes every audio track.
    Mute,
    /// Ends the connection.
    Remove,
}

/// A reference to a participant of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantRef {
    /// The room.
    pub room: String,
    /// The participant's identity.
    pub identity: String,
}

impl Exchange {
    /// Takes `action` against `target` for `caller`, and returns the caller's role in that room, which
    /// the policy decides. A repeated mute has no further effect.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, or the role does not allow
    ///   the action.
    /// - [`ExchangeError::ParticipantNotFound`] if the target is not in the room.
    /// - [`ExchangeError::Unavailable`] if LiveKit is.
    pub async fn moderate(
        &self,
        caller: &Caller<'_>,
        action: ModerationAction,
        target: &ParticipantRef,
        now: SystemTime,
    ) -> Result<&Role, ExchangeError> {
        let (room, identity) = (&target.room, &target.identity);
        let role = self.authorize_moderation(caller, room, now).await?.role;
        let service = self.room_service(&caller.secrets, room, now)?;
        let participant = service.participant(identity).await?;
        if !role.grants.room_admin && self.is_host(&participant) {
            return Err(Refusal::Moderation.into());
        }
        match action {
            ModerationAction::Mute => service.mute(identity, &participant).await?,
            ModerationAction::Remove => service.remove(identity).await?,
        }
        Ok(role)
    }

    /// Creates a client for requests about `room`, with the key in `secrets`.
    pub(super) fn room_service<'a>(
        &'a self,
        secrets: &Secrets,
        room: &'a str,
        now: SystemTime,
    ) -> Result<RoomService<'a>, ExchangeError> {
        let (url, key) = (&secrets.livekit_url, &secrets.api_key);
        Ok(RoomService::new(&self.client, url, key, room, now)?)
    }

    /// Whether the participant administers the room, by the `role` attribute of their token. A role
    /// that the policy no longer has counts as one that does. Participants without a role, such as
    /// agents, are not hosts.
    pub(super) fn is_host(&self, participant: &ParticipantInfo) -> bool {
        let role = participant.attributes.get("role");
        role.is_some_and(|role| self.policy.role(role).is_none_or(|role| role.grants.room_admin))
    }
}

impl From<RoomServiceError> for ExchangeError {
    fn from(error: RoomServiceError) -> Self {
        match error {
            RoomServiceError::NotFound => Self::ParticipantNotFound,
            RoomServiceError::Fetch(error) => Unavailable::failed("livekit", error).into(),
            RoomServiceError::Sign(error) => error.into(),
        }
    }
}
