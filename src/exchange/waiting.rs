//! The waiting room: the check before a token is issued, the list for hosts, and their decisions.

use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use serde_json::json;

use super::bans::EarlyState;
use super::{Caller, Exchange, ExchangeError, ParticipantRef};
use crate::livekit::participant_info::ParticipantInfo;
use crate::livekit::room_service::RoomServiceError;
use crate::lobby::Lobby;
use crate::logging::FetchLog;
use crate::policy::Role;
use crate::secrets::Secrets;
use crate::state::item::Waiting;
use crate::state::{PersonState, State, Wait};

/// The topic of the data message to hosts.
const TOPIC: &str = "roomkey.lobby";

/// The longest time that the message to hosts may take: nobody waits for its result.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// A person who requests to enter a room with a waiting room.
pub(super) struct Visitor<'a> {
    /// The kind of waiting room; `None` if there is none for this person.
    pub(super) lobby: Option<Lobby>,
    pub(super) room: &'a str,
    /// The identity without a device.
    pub(super) person: &'a str,
    /// The name for hosts.
    pub(super) name: &'a str,
    /// The secrets for the requests to LiveKit.
    pub(super) secrets: &'a Secrets,
}

/// A person who waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingPerson<'a> {
    /// The identity without a device.
    pub identity: String,
    /// The name.
    pub name: String,
    /// The presence color.
    pub color: &'a str,
    /// The start of the wait, in seconds since 1970.
    pub since: u64,
}

impl Exchange {
    /// Checks that `visitor` is neither banned nor has to wait, and returns what else is known about them.
    /// `requested` is the room of the request, which a fresh room lacks.
    ///
    /// # Errors
    ///
    /// Those of [`Exchange::state_unless_banned`] and [`Exchange::check_entry`].
    pub(super) async fn check_visitor(
        &self,
        visitor: Visitor<'_>,
        early: Option<EarlyState>,
        requested: Option<&str>,
        now: SystemTime,
    ) -> Result<PersonState, ExchangeError> {
        let state = self.state_unless_banned(early, requested, visitor.person, now).await?;
        self.check_entry(visitor, &state, now).await?;
        Ok(state)
    }

    /// Checks that `visitor`, whose state is `known`, need not wait. Hosts who are in the room are told if
    /// the visitor starts to wait.
    ///
    /// Costs nothing without a waiting room, and for a person who was admitted.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::AwaitingAdmission`] until a host decides.
    /// - [`ExchangeError::EntryDenied`] after a refusal.
    /// - [`ExchangeError::WaitingRoomFull`] if too many others wait.
    /// - [`ExchangeError::Unavailable`] if the state is, or LiveKit before the presence of a host is known.
    pub(super) async fn check_entry(
        &self,
        visitor: Visitor<'_>,
        known: &PersonState,
        now: SystemTime,
    ) -> Result<(), ExchangeError> {
        match (visitor.lobby, &known.entry) {
            (None, _) => Ok(()),
            (Some(_), Some(entry)) if entry.is_admitted => Ok(()),
            (Some(_), Some(_)) => Err(ExchangeError::EntryDenied),
            // A large future, which a request without a waiting room need not carry.
            (Some(lobby), None) => self.wait(lobby, visitor, now).boxed().await,
        }
    }

    async fn wait(
        &self,
        lobby: Lobby,
        visitor: Visitor<'_>,
        now: SystemTime,
    ) -> Result<(), ExchangeError> {
        let state = self.state()?;
        let Visitor { room, person, name, secrets, .. } = visitor;
        if lobby == Lobby::UntilHost {
            let ask = self.has_host(secrets, room, now);
            if self.host_presence.get(room, ask, now).await? {
                // Hosts would otherwise see a participant in the list of those who wait.
                state.stop_waiting(room, person, now).await?;
                return Ok(());
            }
        }
        match state.wait(room, person, name, now).await? {
            Wait::Admitted => Ok(()),
            Wait::Refused => Err(ExchangeError::EntryDenied),
            Wait::Continued => Err(ExchangeError::AwaitingAdmission { is_new: false }),
            Wait::Full => Err(ExchangeError::WaitingRoomFull),
            Wait::Started => {
                self.tell_hosts(state, secrets, room, now).await;
                Err(ExchangeError::AwaitingAdmission { is_new: true })
            }
        }
    }

    /// Lists the people who wait for `room`, the longest wait first, with the caller's role in it, which
    /// the policy decides.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] without state.
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, or the role does not moderate.
    /// - [`ExchangeError::Unavailable`] if the state is.
    pub async fn waiting(
        &self,
        caller: &Caller<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<(&Role, Vec<WaitingPerson<'_>>), ExchangeError> {
        let state = self.state()?;
        let role = self.authorize_moderation(caller, room, now).await?.role;
        let waiting = state.waiting(room, now).await?;
        let person = |(identity, waiting): (String, Waiting)| WaitingPerson {
            color: self.presence.color(&identity),
            identity,
            name: waiting.name,
            since: waiting.since,
        };
        Ok((role, waiting.into_iter().map(person).collect()))
    }

    /// Stores the decision of `caller` whether `target` may enter, and returns the caller's role. The last
    /// decision counts; nobody who is in the room is removed.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] without state.
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, or the role does not moderate.
    /// - [`ExchangeError::ParticipantNotFound`] if the person neither waits nor was decided about.
    /// - [`ExchangeError::Unavailable`] if the state is. The decision may be stored then.
    pub async fn decide_entry(
        &self,
        caller: &Caller<'_>,
        target: &ParticipantRef,
        is_admitted: bool,
        now: SystemTime,
    ) -> Result<&Role, ExchangeError> {
        let state = self.state()?;
        let room = &target.room;
        let role = self.authorize_moderation(caller, room, now).await?.role;
        let person = self.participant.person_of(&target.identity);
        if !state.decide(room, &person, is_admitted, now).await? {
            return Err(ExchangeError::ParticipantNotFound);
        }
        self.tell_hosts(state, &caller.secrets, room, now).await;
        Ok(role)
    }

    /// Whether a host or moderator is in `room`.
    async fn has_host(
        &self,
        secrets: &Secrets,
        room: &str,
        now: SystemTime,
    ) -> Result<bool, ExchangeError> {
        let participants = self.room_service(secrets, room, now)?.participants().await?;
        Ok(participants.iter().any(|participant| self.is_in_charge(participant)))
    }

    /// Whether the participant is a host or moderator. An attribute that participants change themselves
    /// proves nothing.
    fn is_in_charge(&self, participant: &ParticipantInfo) -> bool {
        let role = participant.attribute("role").and_then(|role| self.policy.role(role));
        role.is_some_and(|role| role.can_moderate) && !participant.can_change_attributes()
    }

    /// Sends the number of people who wait to the hosts and moderators in `room`. A failure is logged: the
    /// list has the same content.
    async fn tell_hosts(&self, state: &State, secrets: &Secrets, room: &str, now: SystemTime) {
        let message = async {
            let service = self.room_service(secrets, room, now)?;
            let (waiting, participants) =
                tokio::join!(state.waiting(room, now), service.participants());
            let participants = participants?;
            let hosts = participants.iter().filter(|participant| self.is_in_charge(participant));
            let hosts: Vec<_> = hosts.map(|host| host.identity.as_str()).collect();
            if hosts.is_empty() {
                return Ok(());
            }
            let data = json!({ "waiting": waiting?.len() }).to_string();
            match service.send_data(&hosts, TOPIC, data.as_bytes()).await {
                // The last of them has left.
                Ok(()) | Err(RoomServiceError::NotFound) => Ok(()),
                Err(error) => Err(ExchangeError::from(error)),
            }
        };
        let sent = tokio::time::timeout(MESSAGE_TIMEOUT, message).await;
        let error = match sent {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "timed out".to_owned(),
        };
        FetchLog::failed("livekit", None, &error, None).log();
    }
}
