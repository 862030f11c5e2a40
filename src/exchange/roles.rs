//! Roles during a call, and the raised hand.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures_util::future::join_all;

use super::{Caller, Exchange, ExchangeError, ParticipantRef};
use crate::livekit::participant_info::{HAND_RAISED_AT, ParticipantInfo};
use crate::livekit::room_service::{RoomService, RoomServiceError};
use crate::policy::{Refusal, Role};
use crate::time;

impl Exchange {
    /// Changes the role of `target` to `new` for `caller`, and returns the caller's own role in that
    /// room, which the policy decides. A raised hand is lowered. A repeated change has no further effect.
    ///
    /// With state, the role also applies to the next token of the person for this room.
    ///
    /// The caller's role must give both the present role and the new one. Callers change their own role
    /// if the present one lists the new one in `may_become`.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room or the change.
    /// - [`ExchangeError::HandNotRaised`] if the new role needs a raised hand.
    /// - [`ExchangeError::ParticipantNotFound`] if the target is not in the room.
    /// - [`ExchangeError::Unavailable`] if LiveKit or the state is, or a source of the caller's profile.
    pub async fn change_role(
        &self,
        caller: &Caller<'_>,
        target: &ParticipantRef,
        new: &Role,
        now: SystemTime,
    ) -> Result<&Role, ExchangeError> {
        let identity = &target.identity;
        let role = self.authorize_in(caller, &target.room, now).await?.role;
        let gives = role.may_give.contains(&new.name);
        // Nobody else learns from LiveKit's response who is in the room.
        if !gives && !self.is_own(caller, identity, now).await? {
            return Err(Refusal::Moderation.into());
        }
        let service = self.room_service(&caller.secrets, &target.room, now)?;
        let participant = service.participant(identity).await?;
        let present = self.present_role(&participant);
        let refusal = match present {
            Some(present) if gives && role.may_give.contains(&present.name) => {
                let needs_hand = new.consent && present.name != new.name;
                let has_hand = participant.attribute(HAND_RAISED_AT).is_some();
                (needs_hand && !has_hand).then_some(ExchangeError::HandNotRaised)
            }
            _ => Some(Refusal::Moderation.into()),
        };
        if let Some(refusal) = refusal {
            // An attribute that the participants change themselves is no right to another role.
            let may_become = present.is_some_and(|present| {
                present.may_become.contains(&new.name)
                    && (!participant.can_change_attributes() || present.name == role.name)
            });
            if !may_become || gives && !self.is_own(caller, identity, now).await? {
                return Err(refusal);
            }
        }
        if let Some(state) = &self.state {
            // First, so that no change is lost at the next connection: after a failure here nothing has
            // changed in the room, and the request can be repeated.
            let person = self.participant.person_of(identity);
            Box::pin(state.give_role(&target.room, &person, &new.name, now)).await?;
        }
        let mut attributes = BTreeMap::from([("role", new.name.as_str())]);
        if participant.attributes.contains_key(HAND_RAISED_AT) {
            attributes.insert(HAND_RAISED_AT, "");
        }
        service.update(identity, Some(&new.grants), &attributes).await?;
        Ok(role)
    }

    /// Raises or lowers the hand of `caller` in `room`, on all devices that are in it, and returns the
    /// caller's role, which the policy decides.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy does not allow the room, or the present role does not
    ///   raise hands.
    /// - [`ExchangeError::ParticipantNotFound`] if the caller is not in the room.
    /// - [`ExchangeError::Unavailable`] if LiveKit is, or a source of the caller's profile.
    pub async fn raise_hand(
        &self,
        caller: &Caller<'_>,
        room: &str,
        is_raised: bool,
        now: SystemTime,
    ) -> Result<&Role, ExchangeError> {
        let role = self.authorize_in(caller, room, now).await?.role;
        let person = self.person(caller, now).await?;
        let service = self.room_service(&caller.secrets, room, now)?;
        let mut own = self.own_participants(&service, &person).await?;
        if is_raised {
            own.retain(|participant| self.present_role(participant).unwrap_or(role).may_raise_hand);
            if own.is_empty() {
                return Err(Refusal::Moderation.into());
            }
        }
        let time = time::date_time(time::seconds(now));
        let time = time.ok_or(ExchangeError::Bug("the time cannot be written"))?;
        let attributes = BTreeMap::from([(HAND_RAISED_AT, if is_raised { &time } else { "" })]);
        let updates = own.iter().map(|own| service.update(&own.identity, None, &attributes));
        let mut is_found = false;
        for update in join_all(updates).await {
            match update {
                Ok(()) => is_found = true,
                // Other devices of the caller can still be in the room.
                Err(RoomServiceError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if is_found { Ok(role) } else { Err(ExchangeError::ParticipantNotFound) }
    }

    /// Returns the participants that are devices of `person`, at least one.
    async fn own_participants(
        &self,
        service: &RoomService<'_>,
        person: &str,
    ) -> Result<Vec<ParticipantInfo>, ExchangeError> {
        if !self.participant.devices {
            return Ok(vec![service.participant(person).await?]);
        }
        let mut participants = service.participants().await?;
        participants.retain(|other| self.participant.is_of_person(&other.identity, person));
        if participants.is_empty() {
            return Err(ExchangeError::ParticipantNotFound);
        }
        Ok(participants)
    }

    /// Whether `identity` is the caller's, with or without a device.
    async fn is_own(
        &self,
        caller: &Caller<'_>,
        identity: &str,
        now: SystemTime,
    ) -> Result<bool, ExchangeError> {
        Ok(self.participant.is_of_person(identity, &self.person(caller, now).await?))
    }

    /// Returns the caller's identity without a device.
    async fn person(&self, caller: &Caller<'_>, now: SystemTime) -> Result<String, ExchangeError> {
        let profile = caller.profile(now).await?;
        let key = caller.key();
        let person = caller.issuer_context.identity_of(&self.participant, &key, &profile)?;
        Ok(person.into_owned())
    }

    /// Returns the role that the participant's attribute names, if the policy has it.
    fn present_role(&self, participant: &ParticipantInfo) -> Option<&Role> {
        self.policy.role(participant.attribute("role")?)
    }
}
