//! Invitations that callers and backends create, list and revoke.

use std::time::SystemTime;

use super::{Author, Exchange, ExchangeError, unguessable};
use crate::body::InvalidField;
use crate::invitation::request::InvitationRequest;
use crate::invitation::{Invitation, InvitationError, SECONDS};
use crate::policy::{Refusal, Role};
use crate::state::Use;
use crate::state::item::StoredInvitation;
use crate::text::Name;
use crate::time::seconds;

impl Exchange {
    /// Checks that the deployment can sign invitations.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] if it has no `INVITATION_SECRET`.
    /// - [`ExchangeError::Unavailable`] if that is unknown now.
    pub async fn check_invites(&self, now: SystemTime) -> Result<(), ExchangeError> {
        let secrets = self.secrets.get(now).await?;
        match secrets.invitation_key {
            Some(_) => Ok(()),
            None => Err(ExchangeError::NotConfigured("INVITATION_SECRET")),
        }
    }

    /// Creates the invitation to `room` that `author` requests, and stores it if there is state. Returns its
    /// content and the token.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy has no such role, or the caller's role may not invite to
    ///   it, or nobody may.
    /// - [`ExchangeError::Invalid`] if the invitation would be too long, or needs state and there is none.
    /// - [`ExchangeError::NotConfigured`] without `INVITATION_SECRET`.
    /// - [`ExchangeError::Unavailable`] if the state is.
    /// - Errors of the decision about the caller.
    pub async fn invite(
        &self,
        author: &Author<'_>,
        room: &str,
        request: InvitationRequest,
        now: SystemTime,
    ) -> Result<(Invitation, String), ExchangeError> {
        let role = request.role.as_str();
        if let Author::Caller(caller) = author {
            let authorization = self.authorize_in(caller, room, now).await?;
            let may_invite = &authorization.role.may_invite;
            // Only who may invite learns which roles there are.
            if !may_invite.is_empty() && self.policy.role(role).is_none() {
                return Err(Refusal::Role.into());
            }
            if !may_invite.iter().any(|allowed| allowed == role) {
                return Err(Refusal::Invitation.into());
            }
        }
        self.policy.role(role).ok_or(Refusal::Role)?;
        self.guests_role(role).map_err(|_| Refusal::Invitation)?;
        let key = author.secrets().invitation_key.as_ref();
        let key = key.ok_or(ExchangeError::NotConfigured("INVITATION_SECRET"))?;
        let room =
            Name::parse(room).map_err(|error| InvalidField::new("the room", error.to_string()))?;
        for (field, is_sent) in
            [("uses", request.uses.is_some()), ("lobby", request.lobby.is_some())]
        {
            if is_sent && self.state.is_none() {
                return Err(InvalidField::new(field, "must be absent without STATE_TABLE").into());
            }
        }
        let invitation = Invitation {
            id: unguessable()?,
            room,
            role: request.role.into(),
            name: request.name,
            lobby: request.lobby,
            uses: request.uses,
            expires_at: seconds(now) + request.lifetime.as_secs(),
        };
        let token = invitation.sign(key).map_err(|error| match error {
            InvitationError::TooLong => {
                let reason = "must be shorter: the invitation would be longer than 600 bytes";
                InvalidField::new("the room, the role or the name", reason).into()
            }
            error => ExchangeError::from(error),
        })?;
        if let Some(state) = &self.state {
            let (room, id) = (invitation.room.as_str(), &invitation.id);
            Box::pin(state.add_invitation(room, id, stored(&invitation), now)).await?;
        }
        Ok((invitation, token))
    }

    /// Lists the invitations to `room` that have not expired, with a caller's role in it.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::NotConfigured`] without state.
    /// - [`ExchangeError::Refused`] if the caller's role may not invite.
    /// - [`ExchangeError::Unavailable`] if the state is.
    pub async fn invitations(
        &self,
        author: &Author<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<(Vec<(String, StoredInvitation)>, Option<&Role>), ExchangeError> {
        let state = self.state()?;
        let role = self.authorize_invitations(author, room, now).await?;
        Ok((Box::pin(state.invitations(room, now)).await?, role))
    }

    /// Returns the invitation with this `id` to `room`, with a caller's role in it.
    ///
    /// # Errors
    ///
    /// As [`Exchange::invitations`], and [`ExchangeError::InvitationNotFound`] if it is unknown or has
    /// expired.
    pub async fn invitation(
        &self,
        author: &Author<'_>,
        room: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<(StoredInvitation, Option<&Role>), ExchangeError> {
        let state = self.state()?;
        let role = self.authorize_invitations(author, room, now).await?;
        let invitation = Box::pin(state.invitation(room, id, now)).await?;
        Ok((invitation.ok_or(ExchangeError::InvitationNotFound)?, role))
    }

    /// Revokes the invitation with this `id` to `room`, and returns a caller's role in it. Its guests get
    /// no further token; those who are in the room stay. A repeated revocation has no further effect.
    ///
    /// # Errors
    ///
    /// As [`Exchange::invitations`], and [`ExchangeError::InvitationNotFound`] if `id` is not one of an
    /// invitation.
    pub async fn revoke_invitation(
        &self,
        author: &Author<'_>,
        room: &str,
        id: &str,
        now: SystemTime,
    ) -> Result<Option<&Role>, ExchangeError> {
        let state = self.state()?;
        let role = self.authorize_invitations(author, room, now).await?;
        // An invitation that was signed without state is unknown, and revoked all the same.
        if id.len() != 32 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ExchangeError::InvitationNotFound);
        }
        let expires_at = seconds(now) + SECONDS.end();
        Box::pin(state.revoke_invitation(room, id, expires_at, now)).await?;
        Ok(role)
    }

    /// Checks that `author` may manage the invitations to `room`: a caller's role must invite. Returns that
    /// role, and `None` for a backend.
    async fn authorize_invitations(
        &self,
        author: &Author<'_>,
        room: &str,
        now: SystemTime,
    ) -> Result<Option<&Role>, ExchangeError> {
        let Author::Caller(caller) = author else { return Ok(None) };
        let role = self.authorize_in(caller, room, now).await?.role;
        if role.may_invite.is_empty() { Err(Refusal::Invitation.into()) } else { Ok(Some(role)) }
    }

    /// Checks that `guest` may use `invitation`, and counts them. Costs nothing without state.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Invitation`] if it is revoked or used up, and [`ExchangeError::Unavailable`] if
    /// the state is.
    pub(super) async fn use_invitation(
        &self,
        invitation: &Invitation,
        guest: &str,
        now: SystemTime,
    ) -> Result<(), ExchangeError> {
        let Some(state) = &self.state else { return Ok(()) };
        let (room, id, signed) = (invitation.room.as_str(), &invitation.id, stored(invitation));
        match Box::pin(state.use_invitation(room, id, guest, &signed, now)).await? {
            Use::Allowed => Ok(()),
            Use::UsedUp => Err(InvitationError::UsedUp.into()),
            Use::Revoked => Err(InvitationError::Revoked.into()),
        }
    }
}

/// Returns the content of a new `invitation` for the state.
fn stored(invitation: &Invitation) -> StoredInvitation {
    StoredInvitation {
        role: Some(invitation.role.clone()),
        name: invitation.name.as_ref().map(|name| name.as_str().to_owned()),
        lobby: invitation.lobby,
        uses: invitation.uses,
        expires_at: invitation.expires_at,
        ..StoredInvitation::default()
    }
}
