//! Events of LiveKit: removal of banned participants, and the end of given roles.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Exchange, ExchangeError};
use crate::livekit::room_service::RoomServiceError;
use crate::livekit::webhook::{WebhookError, WebhookEvent, verify};
use crate::secrets::Secrets;

impl Exchange {
    /// Checks that LiveKit signed `body` by `token` with the key of this deployment. Returns the secrets
    /// that verified it.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Webhook`] if it is not signed correctly.
    /// - [`ExchangeError::Unavailable`] if the secrets are.
    pub async fn authenticate_livekit(
        &self,
        token: &str,
        body: &[u8],
        now: SystemTime,
    ) -> Result<Arc<Secrets>, ExchangeError> {
        let verify = |secrets: &Secrets| Ok(verify(token, body, &secrets.api_key, now)?);
        let is_unknown_key = |error: &ExchangeError| {
            matches!(error, ExchangeError::Webhook(WebhookError::UnknownKey))
        };
        Ok(self.verified_with_secrets(verify, is_unknown_key, now).await?.1)
    }

    /// Handles an event: removes a participant who has joined and is banned, and ends the roles that
    /// were given in a room that has ended. Returns whether somebody was removed. A repeated event has
    /// no further effect.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] without state.
    /// - [`ExchangeError::Unavailable`] if the state or LiveKit is, so that LiveKit repeats the event.
    pub async fn handle_event(
        &self,
        event: &WebhookEvent,
        secrets: &Secrets,
        now: SystemTime,
    ) -> Result<bool, ExchangeError> {
        let state = self.state()?;
        match event {
            WebhookEvent::Joined { room, identity } => {
                let person = self.participant.person_of(identity);
                if !Box::pin(state.read(Some(room), &person, now)).await?.is_banned {
                    return Ok(false);
                }
                match self.room_service(secrets, room, now)?.remove(identity).await {
                    Ok(()) => Ok(true),
                    Err(RoomServiceError::NotFound) => Ok(false),
                    Err(error) => Err(error.into()),
                }
            }
            WebhookEvent::Finished { room, at } => {
                Box::pin(state.end_room(room, at.unwrap_or(now), now)).await?;
                Ok(false)
            }
            WebhookEvent::Other => Ok(false),
        }
    }
}
