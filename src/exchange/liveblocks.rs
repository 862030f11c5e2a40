//! Liveblocks tokens, with the identity, name and color of the participant token.

use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError};
use crate::liveblocks::{LiveblocksUser, LiveblocksUserInfo};
use crate::upstream::error::Unavailable;

impl Exchange {
    /// Whether the deployment may have a key for Liveblocks. Sends no request: true until the secret
    /// is known.
    pub fn may_have_liveblocks(&self, now: SystemTime) -> bool {
        self.secrets.cached(now).is_none_or(|secrets| secrets.liveblocks_secret_key.is_some())
    }

    /// Requests a Liveblocks token for `caller`, who is about to enter `room` if one is named. If the
    /// policy has patterns for Liveblocks, it is an access token for them, and an ID token otherwise.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] if the secret has no key for Liveblocks.
    /// - [`ExchangeError::Rejected`], [`ExchangeError::UserNotFound`] and
    ///   [`ExchangeError::Participant`] from the profile.
    /// - [`ExchangeError::Refused`] if no rule allows the room.
    /// - [`ExchangeError::Unavailable`] if Liveblocks or a source of the profile is unavailable.
    pub async fn liveblocks_token(
        &self,
        caller: &Caller<'_>,
        room: Option<&str>,
        now: SystemTime,
    ) -> Result<String, ExchangeError> {
        let key = caller.secrets.liveblocks_secret_key.as_ref();
        let key = key.ok_or(ExchangeError::NotConfigured("LIVEBLOCKS_SECRET_KEY"))?;
        let (authorization, profile) =
            tokio::join!(self.authorize_liveblocks(caller, room, now), caller.profile(now));
        let (subject, profile) = (caller.key(), profile?);
        let person = caller.issuer_context.identity_of(&self.participant, &subject, &profile)?;
        let permissions = authorization?.map(|authorization| {
            // One base permission for each room covers all features of Liveblocks.
            let can_publish = authorization.role.grants.can_publish;
            let scope = if can_publish { "*:write" } else { "*:read" };
            authorization.patterns.into_iter().map(|pattern| (pattern, [scope])).collect()
        });
        let user = LiveblocksUser {
            user_id: &person,
            user_info: LiveblocksUserInfo {
                name: profile.name(),
                image_url: profile.picture(),
                color: self.presence.color(&person),
            },
            permissions,
        };
        let token = self.liveblocks.token(&user, key).await;
        Ok(token.map_err(|error| Unavailable::failed("liveblocks", error))?)
    }
}
