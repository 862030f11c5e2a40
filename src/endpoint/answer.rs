//! A response, and what the log says of it besides.

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

use crate::exchange::ExchangeError;
use crate::problem::Problem;

/// A response, and what the log says of it besides.
pub(super) struct Answer {
    pub(super) response: Response<Vec<u8>>,
    pub(super) code: &'static str,
    pub(super) reason: Option<Cow<'static, str>>,
}

impl Answer {
    pub(super) fn ok(response: Response<Vec<u8>>) -> Self {
        Self { response, code: "ok", reason: None }
    }

    pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Self {
        let mut response = unkept(status, body);
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Self::ok(response)
    }

    pub(super) fn empty() -> Self {
        Self::ok(unkept(StatusCode::NO_CONTENT, Vec::new()))
    }

    pub(super) fn problem(problem: &Problem, reason: &'static str) -> Self {
        Self { response: problem.response(), code: problem.code, reason: Some(reason.into()) }
    }

    /// The same in plain text, for clients that show no other.
    pub(super) fn in_plain_text(self, text: &'static str) -> Self {
        let mut response = unkept(self.response.status(), text.into());
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        Self { response, ..self }
    }
}

impl From<ExchangeError> for Answer {
    fn from(error: ExchangeError) -> Self {
        let problem = Problem::from(&error);
        Self {
            response: problem.response(),
            code: problem.code,
            reason: Some(error.to_string().into()),
        }
    }
}

fn unkept(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
