//! Invitations that callers and backends create.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Caller, Exchange, ExchangeError, unguessable};
use crate::body::InvalidField;
use crate::invitation::request::InvitationRequest;
use crate::invitation::{Invitation, InvitationError};
use crate::policy::Refusal;
use crate::secrets::Secrets;
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

    /// Creates the invitation to `room` that `caller` requests, or a backend if there is no caller. Returns
    /// its content and the token. `secrets` verified the sender.
    ///
    /// # Errors
    ///
    /// - [`ExchangeError::Refused`] if the policy has no such role, or the caller's role may not invite to
    ///   it, or nobody may.
    /// - [`ExchangeError::Invalid`] if the invitation would be too long.
    /// - [`ExchangeError::NotConfigured`] without `INVITATION_SECRET`.
    /// - Errors of the decision about the caller.
    pub async fn invite(
        &self,
        caller: Option<&Caller<'_>>,
        secrets: &Arc<Secrets>,
        room: &str,
        request: InvitationRequest,
        now: SystemTime,
    ) -> Result<(Invitation, String), ExchangeError> {
        let role = request.role.as_str();
        if let Some(caller) = caller {
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
        let key = secrets.invitation_key.as_ref();
        let key = key.ok_or(ExchangeError::NotConfigured("INVITATION_SECRET"))?;
        let room =
            Name::parse(room).map_err(|error| InvalidField::new("the room", error.to_string()))?;
        let invitation = Invitation {
            id: unguessable()?,
            room,
            role: request.role.into(),
            name: request.name,
            expires_at: seconds(now) + request.lifetime.as_secs(),
        };
        match invitation.sign(key) {
            Ok(token) => Ok((invitation, token)),
            Err(InvitationError::TooLong) => {
                let reason = "must be shorter: the invitation would be longer than 600 bytes";
                Err(InvalidField::new("the room, the role or the name", reason).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
