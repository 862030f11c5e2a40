//! `POST /token`: LiveKit's standard token endpoint.

use http::StatusCode;

use super::context::RequestContext;
use super::response::HandlerResponse;
use crate::exchange::ExchangeError;
use crate::livekit::token_source::{
    TokenSourceRequest, TokenSourceResponse, check_query, server_url,
};
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// Handles `POST /token`.
    pub(super) async fn token(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        self.exchange().check_rate(&caller, self.now)?;
        let body = self.json_body()?;
        if let Some(query) = self.parts.uri.query() {
            check_query(query).map_err(ExchangeError::from)?;
        }
        let limits = &self.exchange().participant.limits;
        let request = TokenSourceRequest::from_body(body, limits).map_err(ExchangeError::from)?;
        record.room = request.room_name.as_ref().map(|room| room.as_str().to_owned());
        let issued = self.exchange().issue(&caller, &request, self.now).await?;
        record.set_issued(&issued);
        let response = TokenSourceResponse {
            server_url: &server_url(&issued.secrets.livekit_url),
            participant_token: &issued.token.token,
            room_name: &issued.room,
            participant_name: &issued.name,
        };
        Ok(HandlerResponse::serialized(StatusCode::CREATED, &response)?)
    }
}
