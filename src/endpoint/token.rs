//! `POST /token`: LiveKit's standard token endpoint.

use http::StatusCode;

use super::context::RequestContext;
use super::response::HandlerResponse;
use crate::exchange::ExchangeError;
use crate::livekit::token_source::{TokenSourceRequest, TokenSourceResponse};
use crate::logging::RequestLog;

impl RequestContext<'_> {
    /// `POST /token`.
    pub(super) async fn token(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        let body = self.json_body()?;
        let request = TokenSourceRequest::from_body(body).map_err(ExchangeError::Malformed)?;
        record.room.clone_from(&request.room_name);
        let issued = self.exchange().issue(&caller, &request, self.now).await?;
        record.set_issued(&issued);
        let answer = TokenSourceResponse {
            server_url: &issued.secrets.livekit_url,
            participant_token: &issued.token.token,
            room_name: &issued.room,
            participant_name: &issued.name,
        };
        // Four texts are always JSON.
        Ok(HandlerResponse::json(
            StatusCode::CREATED,
            serde_json::to_vec(&answer).unwrap_or_default(),
        ))
    }
}
