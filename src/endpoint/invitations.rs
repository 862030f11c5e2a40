//! Invitations for people without an account: `/v1/rooms/{room}/invitations`, and one of them.

use http::StatusCode;
use serde::Serialize;

use super::context::RequestContext;
use super::response::{HandlerResponse, date_time};
use super::route::Route;
use crate::exchange::{Author, ExchangeError};
use crate::invitation::request::{InvitationRequest, InvitationResponse};
use crate::lobby::Lobby;
use crate::logging::{Effect, RequestLog};
use crate::state::item::StoredInvitation;

/// The names in the path of one invitation, for errors.
const NAMES: &str = "the room and the jti";

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
            role: stored.role.as_deref(),
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
        let author = self.author(route, record).await?;
        let room = self.room(route, record)?;
        let request = InvitationRequest::from_body(self.json_body()?);
        let request = request.map_err(ExchangeError::from)?;
        let (invitation, token) = self.exchange().invite(&author, &room, request, self.now).await?;
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
        let author = self.manager(route, record).await?;
        let room = self.room(route, record)?;
        let (invitations, role) = self.exchange().invitations(&author, &room, self.now).await?;
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
        let author = self.manager(route, record).await?;
        let [room, jti] = self.names(route, NAMES, record)?;
        let (stored, role) = self.exchange().invitation(&author, &room, &jti, self.now).await?;
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
        let author = self.manager(route, record).await?;
        let [room, jti] = self.names(route, NAMES, record)?;
        let role = self.exchange().revoke_invitation(&author, &room, &jti, self.now).await?;
        record.role = role.map(|role| role.name.clone());
        record.invitation = Some(jti);
        Ok(HandlerResponse::empty())
    }

    /// Authenticates the sender of a request about existing invitations.
    async fn manager(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<Author<'_>, ExchangeError> {
        // Without secret and state there are no such routes, whoever asks.
        self.exchange().check_invites(self.now).await?;
        self.exchange().state()?;
        self.author(route, record).await
    }
}
