//! One sign-in for Liveblocks too: the same person, name and color.

use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError};
use crate::liveblocks::{LiveblocksUser, LiveblocksUserInfo};
use crate::upstream::error::Unavailable;

impl Exchange {
    /// Whether the deployment has a key for Liveblocks, as far as is known without asking anyone.
    #[must_use]
    pub fn may_have_liveblocks(&self, now: SystemTime) -> bool {
        self.secrets.cached(now).is_none_or(|secrets| secrets.liveblocks_secret_key.is_some())
    }

    /// A token of Liveblocks' for `caller`, who is about to enter `room` where one is named. Without
    /// patterns of the policy it says who they are; with them, where they may go as well.
    ///
    /// # Errors
    ///
    /// Those of the profile, [`ExchangeError::Refused`], [`ExchangeError::NotConfigured`], and
    /// [`ExchangeError::Unavailable`] where Liveblocks is.
    pub async fn liveblocks_token(
        &self,
        caller: &Caller<'_>,
        room: Option<&str>,
        now: SystemTime,
    ) -> Result<String, ExchangeError> {
        let key = caller.secrets.liveblocks_secret_key.as_ref();
        let key = key.ok_or(ExchangeError::NotConfigured("LIVEBLOCKS_SECRET_KEY"))?;
        let profile = caller.profile(now).await?;
        let subject = caller.key();
        let person = self.participant.identity_of(&subject, &profile)?;
        let permissions = self.policy.liveblocks(caller.for_policy(&subject), room)?;
        let permissions = permissions.map(|(role, patterns)| {
            // One base permission for each room, which stands for all of Liveblocks' features.
            let scope = if role.grants.can_publish { "*:write" } else { "*:read" };
            patterns.into_iter().map(|pattern| (pattern, [scope])).collect()
        });
        let user = LiveblocksUser {
            user_id: person,
            user_info: LiveblocksUserInfo {
                name: profile.name(),
                image_url: profile.picture(),
                color: self.presence.color(person),
            },
            permissions,
        };
        let token = self.liveblocks.token(&user, key).await;
        Ok(token.map_err(|error| Unavailable::failed("liveblocks", error))?)
    }
}
