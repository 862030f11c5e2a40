//! `POST /api/liveblocks-auth`: tokens for Liveblocks.

use http::StatusCode;
use serde_json::{Value, json};

use super::context::RequestContext;
use super::problem::Problem;
use super::response::HandlerResponse;
use crate::body::{self, InvalidField};
use crate::exchange::ExchangeError;
use crate::logging::RequestLog;
use crate::participant::ParticipantError;
use crate::text::Name;

impl RequestContext<'_> {
    /// Handles `POST /api/liveblocks-auth`. `user_not_found` and `email_not_set` are plain text, since
    /// Liveblocks' client shows the body to users.
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
        let room = room(self.json_body()?).map_err(ExchangeError::from)?;
        record.room.clone_from(&room);
        let token = self.exchange().liveblocks_token(&caller, room.as_deref(), self.now).await;
        let token = token.map_err(|error| {
            let text = match &error {
                ExchangeError::UserNotFound => Some("User not found"),
                ExchangeError::Participant(ParticipantError::EmailNotSet) => {
                    Some("Email address not set")
                }
                _ => None,
            };
            let response = HandlerResponse::from(error);
            match text {
                Some(text) => response.in_plain_text(text),
                None => response,
            }
        })?;
        Ok(HandlerResponse::serialized(StatusCode::OK, &json!({ "token": token }))?)
    }
}

/// Returns the room that a Liveblocks client is about to enter, if the body names one.
fn room(body: &[u8]) -> Result<Option<String>, InvalidField> {
    if body.is_empty() {
        return Ok(None);
    }
    match body::parse_object(body)?.get("room") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(room)) => match Name::parse(room.as_str()) {
            Ok(room) => Ok(Some(room.into())),
            Err(error) => Err(InvalidField::new("room", error.to_string())),
        },
        Some(_) => Err(InvalidField::new("room", "must be a string")),
    }
}
