//! Invitations for people without an account: `/v1/rooms/{room}/invitations`, and one of them.

use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;

use super::context::RequestContext;
use super::response::{HandlerResponse, date_time};
use super::route::Route;
use crate::body::InvalidField;
use crate::exchange::{Caller, ExchangeError, ParticipantRef};
use crate::invitation::request::{InvitationRequest, InvitationResponse};
use crate::lobby::Lobby;
use crate::logging::{Effect, RequestLog};
use crate::secrets::Secrets;
use crate::state::item::StoredInvitation;

/// An invitation in a response, without its text: only the response that created it has that.
#[derive(Serialize)]
struct InvitationEntry<'a> {
    jti: &'a str,
    /// `null` if the invitation was revoked before this deployment knew it.
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lobby: Option<Lobby>,
    /// The largest number of guests, if it is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<u64>,
    /// The number of guests so far, if it is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<usize>,
    expires_at: String,
    revoked: bool,
}

#[derive(Serialize)]
struct InvitationList<'a> {
    invitations: Vec<InvitationEntry<'a>>,
}

impl<'a> InvitationEntry<'a> {
    fn new(jti: &'a str, stored: &'a StoredInvitation) -> Result<Self, ExchangeError> {
        Ok(Self {
            jti,
            role: Some(stored.role.as_str()).filter(|role| !role.is_empty()),
            name: stored.name.as_deref(),
            lobby: stored.lobby,
            uses: stored.uses,
            used: stored.uses.map(|_| stored.guests.len()),
            expires_at: date_time(stored.expires_at)?,
            revoked: stored.is_revoked,
        })
    }
}

impl RequestContext<'_> {
    /// Handles `POST /v1/rooms/{room}/invitations`.
    pub(super) async fn invite(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without the secret there is no such route, whoever asks.
        self.exchange().check_invites(self.now).await?;
        let (caller, secrets) = self.inviter(route, record).await?;
        let room = self.room(route, record)?;
        let request = InvitationRequest::from_body(self.json_body()?);
        let request = request.map_err(ExchangeError::from)?;
        let invited =
            self.exchange().invite(caller.as_ref(), &secrets, &room, request, self.now).await;
        let (invitation, token) = invited?;
        record.role = Some(invitation.role);
        record.invitation = Some(invitation.id);
        record.effect = Some(Effect::Invited);
        let expires_at = date_time(invitation.expires_at)?;
        let response = InvitationResponse { invitation: &token, expires_at };
        Ok(HandlerResponse::serialized(StatusCode::CREATED, &response)?)
    }

    /// Handles `GET /v1/rooms/{room}/invitations`.
    pub(super) async fn invitations(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.manager(route, record).await?;
        let room = self.room(route, record)?;
        let invitations = self.exchange().invitations(caller.as_ref(), &room, self.now).await;
        let (invitations, role) = invitations?;
        record.role = role.map(|role| role.name.clone());
        let entries = invitations.iter().map(|(jti, stored)| InvitationEntry::new(jti, stored));
        let invitations = entries.collect::<Result<_, _>>()?;
        Ok(HandlerResponse::serialized(StatusCode::OK, &InvitationList { invitations })?)
    }

    /// Handles `GET /v1/rooms/{room}/invitations/{jti}`.
    pub(super) async fn invitation(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.manager(route, record).await?;
        let ParticipantRef { room, identity: jti } = self.invitation_ref(route, record)?;
        let found = self.exchange().invitation(caller.as_ref(), &room, &jti, self.now).await;
        let (stored, role) = found?;
        record.role = role.map(|role| role.name.clone());
        record.invitation = Some(jti.clone());
        Ok(HandlerResponse::serialized(StatusCode::OK, &InvitationEntry::new(&jti, &stored)?)?)
    }

    /// Handles `DELETE /v1/rooms/{room}/invitations/{jti}`.
    pub(super) async fn revoke_invitation(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.manager(route, record).await?;
        let ParticipantRef { room, identity: jti } = self.invitation_ref(route, record)?;
        let revoked = self.exchange().revoke_invitation(caller.as_ref(), &room, &jti, self.now);
        record.role = revoked.await?.map(|role| role.name.clone());
        record.invitation = Some(jti);
        Ok(HandlerResponse::empty())
    }

    /// Authenticates the sender of a request about existing invitations, as [`Self::inviter`] does.
    async fn manager(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<Option<Caller<'_>>, ExchangeError> {
        // Without secret and state there are no such routes, whoever asks.
        self.exchange().check_invites(self.now).await?;
        self.exchange().state()?;
        Ok(self.inviter(route, record).await?.0)
    }

    /// Authenticates the sender: a caller, or `None` for a backend. Returns the secrets that verified them.
    async fn inviter(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<(Option<Caller<'_>>, Arc<Secrets>), ExchangeError> {
        if self.is_from_backend() {
            return Ok((None, self.backend(route).await?));
        }
        let caller = self.caller(record).await?;
        let secrets = Arc::clone(&caller.secrets);
        Ok((Some(caller), secrets))
    }

    /// Returns the room and the `jti` in the path of `route`, and records the room.
    fn invitation_ref(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<ParticipantRef, ExchangeError> {
        let found = route.participant_ref(self.parts.uri.path()).ok_or_else(|| {
            let reason = "must be names in the path, each percent-encoded once";
            InvalidField::new("the room and the jti", reason)
        })?;
        record.room = Some(found.room.clone());
        Ok(found)
    }
}
