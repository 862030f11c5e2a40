//! The policy's decision about a caller: one function for each kind of room.

use std::borrow::Cow;
use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError, unguessable};
use crate::ask::AskRequest;
use crate::livekit::room_config::RoomConfiguration;
use crate::livekit::token_source::RequestedRoomConfig;
use crate::lobby::Lobby;
use crate::policy::{Asking, Decision, Refusal, Role, Rule};
use crate::text::Name;

/// A caller's permission to enter a room of LiveKit, or to act in it.
pub(super) struct Authorization<'a> {
    /// The caller's role in the room.
    pub(super) role: &'a Role,
    /// The rule that decided.
    pub(super) rule: &'a Rule,
    /// The waiting room of the rule. Those who moderate never wait.
    pub(super) lobby: Option<Lobby>,
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
    /// role and settings. Costs a request to the app if the rule that matches asks it.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room or a part of `requested`.
    /// - [`ExchangeError::RefusedByApp`] if the app does not allow the room.
    /// - [`ExchangeError::Unavailable`] if the app gives no usable answer.
    /// - [`ExchangeError::Bug`].
    pub(super) async fn authorize<'a>(
        &'a self,
        caller: &Caller<'_>,
        room: Option<&str>,
        requested: &RequestedRoomConfig,
        now: SystemTime,
    ) -> Result<Authorization<'a>, ExchangeError> {
        let key = caller.key();
        let claims = caller.for_policy(&key);
        let (fresh_room, by_app) = match self.policy.asking(claims, room)? {
            None => (None, None),
            Some(asking) => {
                let fresh_room = fresh_room(room, &asking.fresh_room_prefix)?;
                let named = fresh_room.as_ref().map(Name::as_str).or(room).unwrap_or_default();
                // A large future, which other policies need not carry.
                let by_app = Box::pin(self.ask(&asking, caller, named, now)).await?;
                (fresh_room, by_app)
            }
        };
        let decision = self.policy.decide_as(claims, room, requested, by_app)?;
        let fresh_room = match fresh_room {
            Some(named) => Some(named),
            None => self::fresh_room(room, &decision.fresh_room_prefix)?,
        };
        let Decision { rule, role, room_config, attributes, .. } = decision;
        let lobby = rule.lobby.filter(|_| !role.is_in_charge());
        Ok(Authorization { role, rule, lobby, fresh_room, room_config, attributes })
    }

    /// Decides whether `caller` may act in `room`, and in which role, as [`Exchange::authorize`] does.
    pub(super) async fn authorize_in<'a>(
        &'a self,
        caller: &Caller<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<Authorization<'a>, ExchangeError> {
        self.authorize(caller, Some(room), &RequestedRoomConfig::default(), now).await
    }

    /// Decides whether `caller` may moderate `room`, as [`Exchange::authorize`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Exchange::authorize`], and [`Refusal::Moderation`] if the role does not moderate.
    pub(super) async fn authorize_moderation<'a>(
        &'a self,
        caller: &Caller<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<Authorization<'a>, ExchangeError> {
        let authorization = self.authorize_in(caller, room, now).await?;
        if !authorization.role.can_moderate {
            return Err(Refusal::Moderation.into());
        }
        Ok(authorization)
    }

    /// Decides which rooms of Liveblocks `caller` may enter, who is about to enter `room` if one is
    /// named. `None` if the policy has no patterns for Liveblocks. Costs a request to the app if the
    /// rule that matches asks it.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if no rule allows the room.
    /// - [`ExchangeError::RefusedByApp`] if the app does not allow the caller.
    /// - [`ExchangeError::Unavailable`] if the app gives no usable answer.
    pub(super) async fn authorize_liveblocks(
        &self,
        caller: &Caller<'_>,
        room: Option<&str>,
        now: SystemTime,
    ) -> Result<Option<LiveblocksAuthorization<'_>>, ExchangeError> {
        let key = caller.key();
        let claims = caller.for_policy(&key);
        let by_app = match self.policy.asking_for_liveblocks(claims, room)? {
            None => None,
            Some(asking) => Box::pin(self.ask(&asking, caller, "", now)).await?,
        };
        let decision = self.policy.liveblocks(claims, room, by_app)?;
        Ok(decision.map(|(role, patterns)| LiveblocksAuthorization { role, patterns }))
    }

    /// Asks the app about `caller` in `room`, and returns the name of the role that it gives, if it
    /// gives one.
    async fn ask<'a>(
        &'a self,
        asking: &Asking<'a>,
        caller: &Caller<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<Option<&'a str>, ExchangeError> {
        let key = caller.key();
        let url = asking.url(caller.for_policy(&key), room)?;
        let request = AskRequest {
            line: asking.rule.line,
            url: &url,
            caller: &key,
            bearer: caller.bearer.as_str(),
            key: caller.secrets.ask_key.as_ref(),
        };
        Ok(self.ask_client.ask(asking.settings(), request, now).await?)
    }
}

/// Returns the name of a new room that starts with `prefix`, unless `room` is requested.
fn fresh_room(room: Option<&str>, prefix: &str) -> Result<Option<Name>, ExchangeError> {
    if room.is_some() {
        return Ok(None);
    }
    // A claim in the prefix can make it too long.
    let name = Name::parse(format!("{prefix}room-{}", unguessable()?));
    Ok(Some(name.map_err(|_| Refusal::Room)?))
}
