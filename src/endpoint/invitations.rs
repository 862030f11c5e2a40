//! `POST /v1/rooms/{room}/invitations`: links for people without an account.

use http::StatusCode;

use super::context::RequestContext;
use super::response::{HandlerResponse, date_time};
use super::route::Route;
use crate::exchange::ExchangeError;
use crate::invitation::request::{InvitationRequest, InvitationResponse};
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// Handles `POST /v1/rooms/{room}/invitations`.
    pub(super) async fn invite(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without the secret there is no such route, whoever asks.
        self.exchange().check_invites(self.now).await?;
        let (caller, secrets) = if self.is_from_backend() {
            (None, self.backend(route).await?)
        } else {
            let caller = self.caller(record).await?;
            let secrets = std::sync::Arc::clone(&caller.secrets);
            (Some(caller), secrets)
        };
        let room = self.room(route, record)?;
        let request = InvitationRequest::from_body(self.json_body()?);
        let request = request.map_err(ExchangeError::from)?;
        let invited =
            self.exchange().invite(caller.as_ref(), &secrets, &room, request, self.now).await;
        let (invitation, token) = invited?;
        record.role = Some(invitation.role);
        record.invitation = Some(invitation.id);
        let expires_at = date_time(invitation.expires_at)?;
        let response = InvitationResponse { invitation: &token, expires_at };
        Ok(HandlerResponse::serialized(StatusCode::CREATED, &response)?)
    }
}
