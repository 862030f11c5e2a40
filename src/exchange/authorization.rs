//! The policy's decision about a caller: one function for each kind of room.

use std::borrow::Cow;
use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError, unguessable};
use crate::livekit::room_config::RoomConfiguration;
use crate::livekit::token_source::RequestedRoomConfig;
use crate::policy::{Refusal, Role};
use crate::text::Name;

/// A caller's permission to enter a room of LiveKit, or to act in it.
pub(super) struct Authorization<'a> {
    /// The caller's role in the room.
    pub(super) role: &'a Role,
    /// The name of a new room, if none was requested.
    pub(super) fresh_room: Option<Name>,
    /// The room settings: those of the rule, and the requested ones that it allows.
    pub(super) room_config: RoomConfiguration,
    /// The attributes that the rule sets. Clients must not set these keys.
    pub(super) attributes: Vec<(&'a str, Cow<'a, str>)>,
}

/// A caller's permission for rooms of Liveblocks.
pub(super) struct LiveblocksAuthorization<'a> {
    /// The caller's role in the rooms.
    pub(super) role: &'a Role,
    /// Names of rooms, with a star at the end of a prefix.
    pub(super) patterns: Vec<String>,
}

impl Exchange {
    /// Decides whether `caller` may enter `room`, or a new room if none is requested, and with which
    /// role and settings.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room or a part of `requested`.
    /// - [`ExchangeError::Bug`].
    #[expect(clippy::unused_async, reason = "a rule will be able to send a request")]
    pub(super) async fn authorize<'a>(
        &'a self,
        caller: &Caller<'_>,
        room: Option<&str>,
        requested: &RequestedRoomConfig,
        _now: SystemTime,
    ) -> Result<Authorization<'a>, ExchangeError> {
        let key = caller.key();
        let decision = self.policy.decide(caller.for_policy(&key), room, requested)?;
        let fresh_room = match room {
            Some(_) => None,
            // A claim in the prefix can make it too long.
            None => Some(
                Name::parse(format!("{}room-{}", decision.fresh_room_prefix, unguessable()?))
                    .map_err(|_| Refusal::Room)?,
            ),
        };
        let (room_config, attributes) = (decision.room_config, decision.attributes);
        Ok(Authorization { role: &decision.rule.role, fresh_room, room_config, attributes })
    }

    /// Decides which rooms of Liveblocks `caller` may enter, who is about to enter `room` if one is
    /// named. `None` if the policy has no patterns for Liveblocks.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Refused`] if no rule allows the room.
    #[expect(clippy::unused_async, reason = "a rule will be able to send a request")]
    pub(super) async fn authorize_liveblocks(
        &self,
        caller: &Caller<'_>,
        room: Option<&str>,
        _now: SystemTime,
    ) -> Result<Option<LiveblocksAuthorization<'_>>, ExchangeError> {
        let key = caller.key();
        let decision = self.policy.liveblocks(caller.for_policy(&key), room)?;
        Ok(decision.map(|(role, patterns)| LiveblocksAuthorization { role, patterns }))
    }
}
