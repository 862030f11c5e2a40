//! The doors beside `POST /token`: backends, moderators, Liveblocks.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::StatusCode;
use serde_json::{Value, json};

use super::answer::Answer;
use super::hall::{Hall, note};
use crate::backend::SignedRequest;
use crate::backend::request::{BackendRequest, BackendResponse};
use crate::exchange::{ExchangeError, Measure};
use crate::json;
use crate::logging::Record;
use crate::problem::Problem;
use crate::route::{AsCalled, Route, Target};
use crate::rules::RuleError;
use crate::text;

impl Hall<'_> {
    /// `POST /v1/token` and `/v1/token/refresh`. The signature comes first, over the body as it came.
    pub(super) async fn backend_token(
        &self,
        route: Route,
        record: &mut Record,
    ) -> Result<Answer, Answer> {
        let request = SignedRequest {
            headers: &self.parts.headers,
            method: self.parts.method.as_str(),
            paths: &self.signed_paths(route),
            body: self.body,
        };
        let secrets = self.exchange().trust_backend(&request, self.now).await?;
        let body = self.json_body()?;
        let request = BackendRequest::from_body(body).map_err(ExchangeError::Malformed)?;
        record.room = Some(request.room.clone());
        record.subject = Some(secrets.api_key.pseudonym(&request.identity));
        let issued = self.exchange().issue_for_backend(&request, &secrets, self.now)?;
        note(&issued, record);
        // In whole seconds, as the token has it.
        let expires_at = DateTime::from_secs(DateTime::from(issued.expires).secs());
        let expires_at = expires_at.fmt(Format::DateTime);
        let answer = BackendResponse {
            token: &issued.token.token,
            url: &issued.secrets.livekit_url,
            // The clock is not that of a year without a date.
            expires_at: expires_at.unwrap_or_default(),
        };
        // Three texts are always JSON.
        Ok(Answer::json(StatusCode::OK, serde_json::to_vec(&answer).unwrap_or_default()))
    }

    /// What a backend may have signed as its path: that of its URL, with what a gateway took away and
    /// without what it put in front, and the query or not.
    fn signed_paths(&self, route: Route) -> Vec<String> {
        let called = self.parts.extensions.get::<AsCalled>().map(|called| called.0.clone());
        let mut paths = vec![route.path().to_owned(), self.parts.uri.path().to_owned()];
        paths.extend(called);
        if let Some(query) = self.parts.uri.query() {
            let with_query: Vec<_> = paths.iter().map(|path| format!("{path}?{query}")).collect();
            paths.extend(with_query);
        }
        paths
    }

    /// `POST /v1/rooms/{room}/participants/{identity}/mute` and `DELETE` without `/mute`.
    pub(super) async fn moderate(
        &self,
        measure: Measure,
        record: &mut Record,
    ) -> Result<Answer, Answer> {
        let caller = self.caller(record).await?;
        let target = Target::of(self.parts.uri.path()).ok_or(ExchangeError::Malformed(
            "the room and the identity must be names, each percent-encoded once",
        ))?;
        record.room = Some(target.room.clone());
        let role = self.exchange().moderate(&caller, measure, &target, self.now).await?;
        record.role = Some(role.name.clone());
        Ok(Answer::empty())
    }

    /// `POST /api/liveblocks-auth`. The two 404s that an app's users see are plain text.
    pub(super) async fn liveblocks(&self, record: &mut Record) -> Result<Answer, Answer> {
        if !self.exchange().may_have_liveblocks(self.now) {
            return Err(Answer::problem(&Problem::not_found(), "no LIVEBLOCKS_SECRET_KEY"));
        }
        let caller = self.caller(record).await?;
        let room = room(self.json_body()?).map_err(ExchangeError::Malformed)?;
        record.room.clone_from(&room);
        let token = self.exchange().liveblocks_token(&caller, room.as_deref(), self.now).await;
        let token = token.map_err(|error| {
            let answer = Answer::from(error);
            match error {
                ExchangeError::UserNotFound => answer.in_plain_text("User not found"),
                ExchangeError::Rule(RuleError::EmailNotSet) => {
                    answer.in_plain_text("Email address not set")
                }
                _ => answer,
            }
        })?;
        Ok(Answer::json(StatusCode::OK, json!({ "token": token }).to_string().into_bytes()))
    }
}

/// The room that a Liveblocks client is about to enter, if it says so.
fn room(body: &[u8]) -> Result<Option<String>, &'static str> {
    const WRONG: &str = "room must be 1 to 256 bytes of text without control characters";
    if body.is_empty() {
        return Ok(None);
    }
    let members = json::parse_object(body)
        .map_err(|_| "the body must be one JSON object without duplicate members")?;
    match members.get("room") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(room)) if text::is_name(room) => Ok(Some(room.clone())),
        Some(_) => Err(WRONG),
    }
}
