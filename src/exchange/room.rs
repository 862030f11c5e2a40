//! A room as a whole: its participants, and its end.

use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError};
use crate::livekit::participant_info::ParticipantInfo;
use crate::livekit::room_service::{RoomService, RoomServiceError};
use crate::policy::{Refusal, Role};

impl Exchange {
    /// Returns the participants of `room` except hidden ones, and the caller's role in it, which the
    /// policy decides. A room that does not exist has no participants.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, or the role does not
    ///   moderate.
    /// - [`ExchangeError::Unavailable`] if LiveKit is.
    pub async fn participants(
        &self,
        caller: &Caller<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<(&Role, Vec<ParticipantInfo>), ExchangeError> {
        let role = self.authorize_moderation(caller, room, now).await?.role;
        let mut participants =
            self.room_service(&caller.secrets, room, now)?.participants().await?;
        participants.retain(|participant| !participant.is_hidden());
        Ok((role, participants))
    }

    /// Ends `room` for all participants, and returns the caller's role in it, which the policy decides.
    /// A room that does not exist has ended.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, or the role does not
    ///   administer it.
    /// - [`ExchangeError::Unavailable`] if LiveKit is.
    pub async fn end_room(
        &self,
        caller: &Caller<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<&Role, ExchangeError> {
        let role = self.authorize_in(caller, room, now).await?.role;
        if !role.grants.room_admin {
            return Err(Refusal::Moderation.into());
        }
        let secrets = &caller.secrets;
        let (url, key) = (&secrets.livekit_url, &secrets.api_key);
        let service = RoomService::for_deletion(&self.client, url, key, room, now)?;
        match service.delete().await {
            Ok(()) | Err(RoomServiceError::NotFound) => Ok(role),
            Err(error) => Err(error.into()),
        }
    }
}
