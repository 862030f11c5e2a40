//! A host or moderator mutes or removes somebody.

use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError};
use crate::livekit::room_service::{ParticipantInfo, RoomService, RoomServiceError};
use crate::livekit::token_source::RequestedRoomConfig;
use crate::policy::{Refusal, Role};
use crate::upstream::error::Unavailable;

/// What is done to a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModerationAction {
    /// What can be heard of them is muted.
    Mute,
    /// Their connection ends.
    Remove,
}

/// A participant of a room, by their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantRef {
    /// The room.
    pub room: String,
    /// The participant's identity.
    pub identity: String,
}

impl Exchange {
    /// Takes `action` against `target`, for `caller`, whose role in that room the policy decides.
    /// Gives that role. As good done twice, until the participant is gone.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Refused`], [`ExchangeError::ParticipantNotFound`],
    /// [`ExchangeError::Unavailable`] where LiveKit is.
    pub async fn moderate(
        &self,
        caller: &Caller<'_>,
        action: ModerationAction,
        target: &ParticipantRef,
        now: SystemTime,
    ) -> Result<&Role, ExchangeError> {
        let key = caller.key();
        let claims = caller.for_policy(&key);
        let nothing = RequestedRoomConfig::default();
        let role = &self.policy.decide(claims, Some(&target.room), &nothing)?.rule.role;
        if !role.can_moderate {
            return Err(Refusal::Moderation.into());
        }
        let secrets = &caller.secrets;
        let (url, key) = (&secrets.livekit_url, &secrets.api_key);
        let service = RoomService::new(&self.client, url, key, &target.room, now)?;
        let participant = service.participant(&target.identity).await?;
        if !role.grants.room_admin && self.is_host(&participant) {
            return Err(Refusal::Moderation.into());
        }
        match action {
            ModerationAction::Mute => service.mute(&target.identity, &participant).await?,
            ModerationAction::Remove => service.remove(&target.identity).await?,
        }
        Ok(role)
    }

    /// Whether the participant administers the room, by the role in their token; also where it is a
    /// role that the policy no longer has. Who has none, as agents do, is no host.
    fn is_host(&self, participant: &ParticipantInfo) -> bool {
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
