//! Bans: the check before a token is issued, and the bans that hosts, moderators and backends manage.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Author, Caller, Exchange, ExchangeError};
use crate::body::{self, InvalidField};
use crate::json;
use crate::livekit::room_service::{RoomService, RoomServiceError};
use crate::participant::Identity;
use crate::policy::{Refusal, Role};
use crate::profile::Profile;
use crate::state::item::{Ban, Change};
use crate::state::{EVERY_ROOM, PersonState, State};
use crate::text::Name;
use crate::time::seconds;
use crate::upstream::error::Unavailable;

/// The longest ban that ends, in seconds: ten years of 365 days.
const MAX_SECONDS: u64 = 315_360_000;

/// The longest reason, in bytes.
const REASON_BYTES: usize = 500;

/// A ban that is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRequest {
    /// The identity of the person or of one of their devices.
    pub identity: Name,
    /// The duration; `None` if the ban lasts until it is deleted.
    duration: Option<Duration>,
    reason: Option<String>,
}

/// The state of a person that was read before the profile was known.
pub(super) struct EarlyState {
    person: String,
    state: Result<PersonState, Unavailable>,
}

impl BanRequest {
    /// Parses a body: a JSON object with `identity` and, optionally, `seconds` and `reason`.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] for a body that is not a JSON object, and a field that is unknown, missing,
    /// invalid or sent twice.
    pub fn from_body(body: &[u8]) -> Result<Self, InvalidField> {
        let fields = body::parse_object(body)?;
        if fields.keys().any(|field| !["identity", "seconds", "reason"].contains(&field.as_str())) {
            let reason = "must have no other fields than identity, seconds and reason";
            return Err(InvalidField::new("the body", reason));
        }
        let identity = body::required_name(&fields, "identity")?;
        let duration = body::present(&fields, "seconds").map(|seconds| {
            let seconds =
                json::whole_number(seconds).filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
            seconds.map(Duration::from_secs).ok_or_else(|| {
                let reason = "must be a whole number from 1 to 315360000, or absent for a ban \
                              without an end";
                InvalidField::new("seconds", reason)
            })
        });
        let reason = body::present(&fields, "reason").map(|reason| match reason {
            Value::String(reason) if reason.len() <= REASON_BYTES => Ok(reason.clone()),
            _ => Err(InvalidField::new("reason", "must be a string of at most 500 bytes")),
        });
        let reason = reason.transpose()?.filter(|reason| !reason.is_empty());
        Ok(Self { identity, duration: duration.transpose()?, reason })
    }
}

impl Exchange {
    /// Returns the state of the deployment.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::NotConfigured`] if it has none.
    pub fn state(&self) -> Result<&State, ExchangeError> {
        self.state.as_ref().ok_or(ExchangeError::NotConfigured("STATE_TABLE"))
    }

    /// Reads the state of `caller` while their profile is requested, if the identity is known without
    /// it. `None` if it is not, or if the deployment has no state.
    pub(super) async fn read_early(
        &self,
        caller: &Caller<'_>,
        room: Option<&str>,
        now: SystemTime,
    ) -> Option<EarlyState> {
        let state = self.state.as_ref()?;
        let profile = match self.participant.identity {
            Identity::Subject => Profile::default(),
            Identity::Email => caller.issuer_context.profiles.in_claims(&caller.claims).0,
        };
        let key = caller.key();
        let person = caller.issuer_context.identity_of(&self.participant, &key, &profile).ok()?;
        // On the heap, since the SDK's futures are large and other requests would pay for them.
        let state = Box::pin(state.read(room, &person, now)).await;
        Some(EarlyState { person: person.into_owned(), state })
    }

    /// Checks that `person` is not banned from `room`, or a new room if none is requested. Returns what
    /// else is known about them.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Banned`] if they are banned.
    /// - [`ExchangeError::Unavailable`] if the state cannot be read.
    pub(super) async fn state_unless_banned(
        &self,
        early: Option<EarlyState>,
        room: Option<&str>,
        person: &str,
        now: SystemTime,
    ) -> Result<PersonState, ExchangeError> {
        let Some(state) = &self.state else { return Ok(PersonState::default()) };
        let state = match early {
            Some(early) if early.person == person => early.state?,
            _ => Box::pin(state.read(room, person, now)).await?,
        };
        if state.is_banned { Err(ExchangeError::Banned) } else { Ok(state) }
    }

    /// Returns the role that a host gave the person with this `state`, or that they took, if the policy
    /// has it and it does not administer; and else `own`, the role by the policy or the invitation. A role
    /// that moderates is kept only by those whose own role moderates.
    pub(super) fn present_or<'a>(&'a self, own: &'a Role, state: &PersonState) -> &'a Role {
        let given = state.role.as_deref().and_then(|role| self.policy.role(role));
        let is_kept =
            |given: &&Role| !given.grants.room_admin && (!given.can_moderate || own.can_moderate);
        given.filter(is_kept).unwrap_or(own)
    }

    /// Bans a person from `room`, or from all rooms if it is [`EVERY_ROOM`], and removes their devices
    /// from the room. Returns the ban with the person, and the caller's role. A repeated ban replaces
    /// the first.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] without state.
    /// - [`ExchangeError::Refused`] if the author may not ban this person in this room.
    /// - [`ExchangeError::ParticipantNotFound`] if a moderator bans a person who is not in the room.
    /// - [`ExchangeError::Unavailable`] if the state or LiveKit is. The ban may be stored then.
    pub async fn ban(
        &self,
        author: &Author<'_>,
        room: &str,
        request: BanRequest,
        now: SystemTime,
    ) -> Result<(String, Ban, Option<&Role>), ExchangeError> {
        let state = self.state()?;
        let person = self.participant.person_of(request.identity.as_str());
        let role = self.authorize_bans(author, room, now).await?;
        let service = self.room_service(author.secrets(), room, now)?;
        if role.is_some_and(|role| !role.grants.room_admin) {
            self.check_present_non_host(&service, &person).await?;
        }
        let banned_at = seconds(now);
        let ends_at = request.duration.map(|duration| banned_at + duration.as_secs());
        let ban = Ban { banned_at, ends_at, reason: request.reason };
        Box::pin(state.change(room, &person, &Change::Ban(ban.clone()), now)).await?;
        // The rooms that a person is in are unknown to LiveKit's API.
        if room != EVERY_ROOM {
            self.remove_devices(&service, &person).await?;
        }
        Ok((person.into_owned(), ban, role))
    }

    /// Lists the bans in `room`, by person, with the caller's role. Moderators get no reasons.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] without state.
    /// - [`ExchangeError::Refused`] if the author may not manage bans in this room.
    /// - [`ExchangeError::Unavailable`] if the state is.
    pub async fn bans(
        &self,
        author: &Author<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<(Vec<(String, Ban)>, Option<&Role>), ExchangeError> {
        let state = self.state()?;
        let role = self.authorize_bans(author, room, now).await?;
        let mut bans = Box::pin(state.bans(room, now)).await?;
        if role.is_some_and(|role| !role.grants.room_admin) {
            for (_, ban) in &mut bans {
                ban.reason = None;
            }
        }
        Ok((bans, role))
    }

    /// Deletes the ban of the person with `identity` in `room`, and returns the caller's role. An absent
    /// ban is a success.
    ///
    /// # Errors
    ///
    /// As [`Exchange::bans`].
    pub async fn unban(
        &self,
        author: &Author<'_>,
        room: &str,
        identity: &str,
        now: SystemTime,
    ) -> Result<Option<&Role>, ExchangeError> {
        let state = self.state()?;
        let role = self.authorize_bans(author, room, now).await?;
        let person = self.participant.person_of(identity);
        Box::pin(state.change(room, &person, &Change::Unban, now)).await?;
        Ok(role)
    }

    /// Checks that `author` may manage the bans of `room`. Returns a caller's role, and `None` for a
    /// backend.
    async fn authorize_bans(
        &self,
        author: &Author<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<Option<&Role>, ExchangeError> {
        let Author::Caller(caller) = author else { return Ok(None) };
        let authorization = self.authorize_moderation(caller, room, now).await?;
        let role = authorization.role;
        let rules_every_room = role.grants.room_admin && authorization.rule.opens_every_room();
        if room == EVERY_ROOM && !rules_every_room {
            return Err(Refusal::Moderation.into());
        }
        Ok(Some(role))
    }

    /// Checks that `person` is in the room, and that none of their devices is a host there.
    async fn check_present_non_host(
        &self,
        service: &RoomService<'_>,
        person: &str,
    ) -> Result<(), ExchangeError> {
        let participants = service.participants().await?;
        let mut devices = participants
            .iter()
            .filter(|participant| self.participant.person_of(&participant.identity) == person)
            .peekable();
        if devices.peek().is_none() {
            return Err(ExchangeError::ParticipantNotFound);
        }
        if devices.any(|device| self.is_host(device)) {
            return Err(Refusal::Moderation.into());
        }
        Ok(())
    }

    /// Removes every participant whose person is `person`.
    async fn remove_devices(
        &self,
        service: &RoomService<'_>,
        person: &str,
    ) -> Result<(), ExchangeError> {
        let participants = match service.participants().await {
            // There is no call in the room.
            Err(RoomServiceError::NotFound) => return Ok(()),
            participants => participants?,
        };
        for participant in participants {
            if self.participant.person_of(&participant.identity) == person {
                match service.remove(&participant.identity).await {
                    Ok(()) | Err(RoomServiceError::NotFound) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
