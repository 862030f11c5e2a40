//! Participant tokens for guests, who have an invitation and no account.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::{Exchange, ExchangeError, Issued, Participant, Visitor, unguessable};
use crate::bearer::UnverifiedBearer;
use crate::invitation::{Invitation, InvitationError, UnverifiedInvitation};
use crate::keys::invitation::InvitationKey;
use crate::livekit::room_config::RoomConfiguration;
use crate::livekit::token_source::{RequestedRoomConfig, TokenSourceRequest};
use crate::participant::{check_reserved, guest_name};
use crate::policy::{Refusal, Role};
use crate::secrets::Secrets;
use crate::time::seconds;

/// The time for which a guest's token outlasts the invitation. LiveKit's clients request another token if
/// one has less than a minute left.
const OUTLASTS: Duration = Duration::from_mins(1);

/// The weight of a request with an invitation that is not accepted, against `TOKENS_PER_MINUTE`.
const FAILURE_COST: u32 = 10;

/// The secret of a guest's browser: 22 to 64 characters.
#[derive(Clone, Copy)]
pub struct GuestSecret<'a>(&'a str);

/// An authenticated guest.
pub struct Guest<'a> {
    /// The secrets that verified the invitation and sign the participant token.
    pub secrets: Arc<Secrets>,
    /// The invitation.
    pub invitation: Invitation,
    /// The identity in LiveKit.
    pub identity: String,
    role: &'a Role,
}

impl<'a> GuestSecret<'a> {
    /// Reads a secret. `None` if it is not 22 to 64 of `A-Za-z0-9_-`: 22 characters of base64url have
    /// 128 random bits.
    pub fn parse(text: &'a str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        ((22..=64).contains(&text.len()) && text.bytes().all(is_allowed)).then_some(Self(text))
    }
}

impl Exchange {
    /// Verifies the invitation in `bearer` as of `now`, with secrets that are read again if their TTL has
    /// passed: a replaced `INVITATION_SECRET` ends its invitations.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Invitation`] if it is not accepted.
    /// - [`ExchangeError::TooManyRequests`] in place of it, if this text was not accepted again and again.
    /// - [`ExchangeError::Unavailable`] if it cannot be verified now.
    pub async fn verify_invitation(
        &self,
        bearer: UnverifiedBearer<'_>,
        now: SystemTime,
    ) -> Result<(Invitation, Arc<Secrets>), ExchangeError> {
        let verified = self.verified(bearer, now).await;
        if let (Err(ExchangeError::Invitation(_)), Some(limits)) = (&verified, &self.rate_limits) {
            limits.guests.count(bearer.as_str(), FAILURE_COST, now)?;
        }
        verified
    }

    async fn verified(
        &self,
        bearer: UnverifiedBearer<'_>,
        now: SystemTime,
    ) -> Result<(Invitation, Arc<Secrets>), ExchangeError> {
        // Nothing is fetched for what is not an invitation.
        let unverified = UnverifiedInvitation::read(bearer.as_str())?;
        let verify = |secrets: &Secrets| Ok(unverified.verify(key_of(secrets)?, now)?);
        let is_unknown_key = |error: &ExchangeError| {
            use InvitationError::{NotConfigured, Signature};
            matches!(error, ExchangeError::Invitation(Signature | NotConfigured))
        };
        let (invitation, secrets) = self.verified_with_secrets(verify, is_unknown_key, now).await?;
        let needs_state = invitation.uses.is_some() || invitation.lobby.is_some();
        if needs_state && self.state.is_none() {
            return Err(InvitationError::NeedsState.into());
        }
        self.guests_role(&invitation.role)?;
        Ok((invitation, secrets))
    }

    /// Returns the guest with an `invitation` that was verified with `secrets`. Without `secret`, each
    /// request is of another guest.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::TooManyRequests`] if the guest, or the invitation without a `secret`, requested
    ///   `TOKENS_PER_MINUTE` tokens.
    /// - [`ExchangeError::Bug`].
    pub fn guest(
        &self,
        invitation: Invitation,
        secret: Option<GuestSecret<'_>>,
        secrets: Arc<Secrets>,
        now: SystemTime,
    ) -> Result<Guest<'_>, ExchangeError> {
        let key = key_of(&secrets)?;
        let identity = match secret {
            Some(GuestSecret(secret)) => invitation.identity(key, secret),
            None => invitation.identity(key, &unguessable()?),
        };
        if let Some(limits) = &self.rate_limits {
            let key = if secret.is_some() { &identity } else { &invitation.id };
            limits.guests.count(key, 1, now)?;
        }
        let role = self.guests_role(&invitation.role)?;
        Ok(Guest { secrets, invitation, identity, role })
    }

    /// Issues the participant token that `request` asks for to `guest`, for at most a minute longer than
    /// the invitation.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Participant`] for a field that guests may not set.
    /// - [`ExchangeError::Refused`] for another room.
    /// - [`ExchangeError::Banned`], and [`ExchangeError::Unavailable`] if the state is.
    /// - [`ExchangeError::Invitation`] if the invitation is revoked or used up.
    /// - [`ExchangeError::AwaitingAdmission`] and the other errors of the waiting room, if the invitation has
    ///   one.
    /// - [`ExchangeError::TokenTooLarge`] and [`ExchangeError::Bug`].
    pub async fn issue_for_guest(
        &self,
        guest: &Guest<'_>,
        request: &TokenSourceRequest,
        now: SystemTime,
    ) -> Result<Issued, ExchangeError> {
        let Guest { invitation, identity, .. } = guest;
        check_reserved(request)?;
        self.participant.check_guest_fields(identity, request)?;
        if request.room_name.as_ref().is_some_and(|room| *room != invitation.room) {
            return Err(Refusal::Room.into());
        }
        let name = guest_name(invitation.name.as_ref(), request.participant_name.as_deref())?;
        let room = invitation.room.as_str();
        let (state, is_usable) = tokio::join!(
            self.state_unless_banned(None, Some(room), identity, now),
            self.use_invitation(invitation, identity, now),
        );
        let state = state?;
        is_usable?;
        let role = self.present_or(guest.role, &state);
        let (lobby, secrets) = (invitation.lobby, &guest.secrets);
        let visitor = Visitor { lobby, room, person: identity, name: &name, secrets };
        self.check_entry(visitor, &state, now).await?;
        let of_client = request.participant_attributes.iter();
        let of_client = of_client.map(|(key, value)| (key.as_str(), value.as_str()));
        let left = invitation.expires_at.saturating_sub(seconds(now));
        let longest = Duration::from_secs(left) + OUTLASTS;
        self.sign_participant_token(
            Participant {
                person: identity,
                identity,
                name,
                picture: None,
                metadata: request.participant_metadata.as_deref(),
                attributes: of_client.chain([("guest", "true")]).collect(),
                room: invitation.room.clone(),
                role,
                room_config: self.guests_room_config(role)?,
                ttl: role.ttl.unwrap_or(self.participant.token_ttl).min(longest),
            },
            &guest.secrets,
            now,
        )
    }

    /// Returns the role with this name if guests may have it: a role that was put in charge after the
    /// invitation was made gives no such right.
    pub(super) fn guests_role(&self, name: &str) -> Result<&Role, InvitationError> {
        let role = self.policy.role(name);
        role.filter(|role| !role.is_in_charge()).ok_or(InvitationError::Role)
    }

    /// Returns the settings of the room if a guest is its first participant.
    fn guests_room_config(&self, role: &Role) -> Result<RoomConfiguration, ExchangeError> {
        let nothing = RequestedRoomConfig::default();
        Ok(self.policy.decide_for_backend(&role.name, &nothing)?.1)
    }
}

/// Returns the key of invitations in `secrets`.
fn key_of(secrets: &Secrets) -> Result<&InvitationKey, InvitationError> {
    secrets.invitation_key.as_ref().ok_or(InvitationError::NotConfigured)
}
