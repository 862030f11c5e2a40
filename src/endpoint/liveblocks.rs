//! `POST /api/liveblocks-auth`: tokens for Liveblocks.

use http::StatusCode;
use serde_json::{Value, json};

use super::context::RequestContext;
use super::problem::Problem;
use super::response::HandlerResponse;
use crate::exchange::ExchangeError;
use crate::json;
use crate::livekit::token_source::InvalidField;
use crate::logging::RequestLog;
use crate::participant::ParticipantError;
use crate::text;

impl RequestContext<'_> {
    /// `POST /api/liveblocks-auth`. The two 404s that an app's users see are plain text.
    pub(super) async fn liveblocks(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        if !self.exchange().may_have_liveblocks(self.now) {
            return Err(HandlerResponse::problem(
                &Problem::not_found(),
                "no LIVEBLOCKS_SECRET_KEY",
            ));
        }
        let caller = self.caller(record).await?;
        let room = room(self.json_body()?).map_err(ExchangeError::Malformed)?;
        record.room.clone_from(&room);
        let token = self.exchange().liveblocks_token(&caller, room.as_deref(), self.now).await;
        let token = token.map_err(|error| {
            let answer = HandlerResponse::from(error);
            match error {
                ExchangeError::UserNotFound => answer.in_plain_text("User not found"),
                ExchangeError::Participant(ParticipantError::EmailNotSet) => {
                    answer.in_plain_text("Email address not set")
                }
                _ => answer,
            }
        })?;
        Ok(HandlerResponse::json(
            StatusCode::OK,
            json!({ "token": token }).to_string().into_bytes(),
        ))
    }
}

/// The room that a Liveblocks client is about to enter, if it says so.
fn room(body: &[u8]) -> Result<Option<String>, InvalidField> {
    const WRONG: InvalidField =
        InvalidField("room must be 1 to 256 bytes of text without control characters");
    if body.is_empty() {
        return Ok(None);
    }
    let members = json::parse_object(body)
        .map_err(|_| InvalidField("the body must be one JSON object without duplicate members"))?;
    match members.get("room") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(room)) if text::is_name(room) => Ok(Some(room.clone())),
        Some(_) => Err(WRONG),
    }
}
