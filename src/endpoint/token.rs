//! `POST /token`: LiveKit's standard token endpoint.

use futures_util::FutureExt;
use http::StatusCode;

use super::context::RequestContext;
use super::response::HandlerResponse;
use crate::exchange::ExchangeError;
use crate::invitation::is_invitation;
use crate::livekit::token_source::{
    TokenSourceRequest, TokenSourceResponse, check_query, server_url,
};
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// Handles `POST /token`. An invitation is a guest's, every other token a caller's.
    pub(super) async fn token(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let bearer = self.bearer()?;
        let issued = if is_invitation(bearer.as_str()) {
            // A large future, which other requests need not carry.
            self.token_for_guest(bearer, record).boxed().await?
        } else {
            let caller = self.caller(record).await?;
            self.exchange().check_rate(&caller, self.now)?;
            let request = self.token_request()?;
            record.room = request.room_name.as_ref().map(|room| room.as_str().to_owned());
            self.exchange().issue(&caller, &request, self.now).await?
        };
        record.set_issued(&issued);
        let response = TokenSourceResponse {
            server_url: &server_url(&issued.secrets.livekit_url),
            participant_token: &issued.token.token,
            room_name: &issued.room,
            participant_name: &issued.name,
        };
        Ok(HandlerResponse::serialized(StatusCode::CREATED, &response)?)
    }

    /// Reads the body, and checks that the query names no room.
    pub(super) fn token_request(&self) -> Result<TokenSourceRequest, ExchangeError> {
        let body = self.json_body()?;
        if let Some(query) = self.parts.uri.query() {
            check_query(query)?;
        }
        Ok(TokenSourceRequest::from_body(body, &self.exchange().participant.limits)?)
    }
}
