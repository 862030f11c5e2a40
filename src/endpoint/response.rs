//! Responses of handlers, with the outcome for the log.

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::problem::Problem;
use crate::exchange::ExchangeError;
use crate::logging::{Effect, Outcome};
use crate::time;
use crate::upstream::error::jitter;

/// A response, with the outcome for the log.
pub(super) struct HandlerResponse {
    pub(super) response: Response<Vec<u8>>,
    pub(super) code: &'static str,
    /// The upstream that failed.
    pub(super) upstream: Option<&'static str>,
    pub(super) reason: Option<Cow<'static, str>>,
    /// The effect that has a metric of its own, if an error has one.
    pub(super) effect: Option<Effect>,
}

impl HandlerResponse {
    pub(super) fn ok(response: Response<Vec<u8>>) -> Self {
        Self { response, code: "ok", upstream: None, reason: None, effect: None }
    }

    /// Creates a response with `body` as JSON.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Bug`] if `body` cannot be serialized: an empty body must not pass as success.
    pub(super) fn serialized(
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Self, ExchangeError> {
        let body = serde_json::to_vec(body);
        let body = body.map_err(|_| ExchangeError::Bug("a response could not be serialized"))?;
        Ok(Self::json(status, body))
    }

    pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        let mut response = no_store(status, body);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Self::ok(response)
    }

    pub(super) fn empty() -> Self {
        Self::ok(no_store(StatusCode::NO_CONTENT, Vec::new()))
    }

    pub(super) fn problem(problem: &Problem, reason: &'static str) -> Self {
        Self {
            response: problem.response(),
            code: problem.code,
            upstream: None,
            reason: Some(reason.into()),
            effect: None,
        }
    }

    /// The request exceeded its time budget although no single upstream timed out.
    pub(super) fn out_of_time() -> Self {
        let problem = Problem::unavailable(1 + jitter());
        Self { upstream: Some("deadline"), ..Self::problem(&problem, "out of time") }
    }

    pub(super) fn outcome(&self) -> Outcome<'_> {
        Outcome { code: self.code, upstream: self.upstream, reason: self.reason.as_deref() }
    }

    /// Replaces the body by plain text, for clients that show the body to people.
    pub(super) fn in_plain_text(self, text: &'static str) -> Self {
        let mut response = no_store(self.response.status(), text.into());
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        Self { response, ..self }
    }
}

impl From<ExchangeError> for HandlerResponse {
    fn from(error: ExchangeError) -> Self {
        let problem = Problem::from(&error);
        let upstream = match &error {
            ExchangeError::Unavailable(unavailable) => Some(unavailable.upstream),
            _ => None,
        };
        let is_new = matches!(error, ExchangeError::AwaitingAdmission { is_new: true });
        Self {
            response: problem.response(),
            code: problem.code,
            upstream,
            reason: Some(error.to_string().into()),
            effect: is_new.then_some(Effect::Waiting),
        }
    }
}

/// Writes `seconds` since 1970 as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC.
///
/// # Errors
///
/// [`ExchangeError::Bug`] for a year after 9999.
pub(super) fn date_time(seconds: u64) -> Result<String, ExchangeError> {
    time::date_time(seconds).ok_or(ExchangeError::Bug("a time could not be written as a date"))
}

fn no_store(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
