//! One HTTP request to one HTTP response: route, method, CORS, errors, and the log line.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL,
    CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::bearer::UnverifiedBearer;
use crate::cors::Cors;
use crate::exchange::{Exchange, ExchangeError, Issued};
use crate::livekit::token_source::{TokenSourceRequest, TokenSourceResponse};
use crate::logging::Record;
use crate::problem::Problem;
use crate::upstream::last_good::jitter;

/// Longest request body, in bytes.
pub const BODY_BYTES: usize = 65_536;

/// Longest that any request takes.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What the endpoint answers at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// LiveKit's standard token endpoint.
    Token,
    /// Whether we run; asks nothing of anyone.
    Health,
}

/// The HTTP endpoint.
pub struct Endpoint {
    exchange: Exchange,
    cors: Cors,
    /// The cookie that may hold the caller's token.
    session_cookie: Option<String>,
    is_warm: AtomicBool,
}

/// A response, and what the log says of it besides.
struct Answer {
    response: Response<Vec<u8>>,
    code: &'static str,
    reason: Option<Cow<'static, str>>,
}

impl Route {
    /// The route at the end of `path`: a stage or a custom domain's mapping may stand before it.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        // Longer routes first: none may be taken for a shorter one behind a prefix.
        const ROUTES: &[(&str, Option<Route>)] = &[
            ("/v1/token/refresh", None),
            ("/v1/token", None),
            ("/token", Some(Route::Token)),
            ("/health", Some(Route::Health)),
        ];
        ROUTES.iter().find(|(end, _)| path.ends_with(end)).and_then(|(_, route)| *route)
    }

    /// The path without any prefix.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Token => "/token",
            Self::Health => "/health",
        }
    }

    fn allow(self) -> &'static str {
        match self {
            Self::Token => "POST, OPTIONS",
            Self::Health => "GET, HEAD, OPTIONS",
        }
    }
}

impl Endpoint {
    /// The endpoint of `exchange`.
    #[must_use]
    pub fn new(exchange: Exchange, cors: Cors, session_cookie: Option<String>) -> Self {
        Self { exchange, cors, session_cookie, is_warm: AtomicBool::new(false) }
    }

    /// What stands behind the endpoint.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Answers `request` as of `now` within `budget`, at most [`REQUEST_TIMEOUT`], and logs one line
    /// about it. Never fails and never panics: what goes wrong is an answer too.
    pub async fn handle<B: AsRef<[u8]>>(
        &self,
        request: Request<B>,
        now: SystemTime,
        budget: Duration,
    ) -> Response<Vec<u8>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let mut record =
            Record { is_cold: !self.is_warm.swap(true, Ordering::Relaxed), ..Record::default() };
        let respond =
            AssertUnwindSafe(async { self.respond(&parts, body.as_ref(), now, &mut record).await });
        let answer =
            tokio::time::timeout(budget.min(REQUEST_TIMEOUT), respond.catch_unwind()).await;
        let mut answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Answer::problem(&Problem::internal(), "a panic"),
            Err(_) => Answer::problem(&Problem::unavailable(1 + jitter()), "out of time"),
        };
        self.allow_origin(&parts.headers, answer.response.headers_mut());
        record.status = answer.response.status().as_u16();
        record.log(answer.code, answer.reason.as_deref(), started.elapsed());
        answer.response
    }

    /// Answers a request of which no more than perhaps some `headers` could be read, and logs one line
    /// about it.
    #[must_use]
    pub fn refuse_unreadable(&self, headers: &HeaderMap) -> Response<Vec<u8>> {
        let problem = Problem::invalid_request("the event is not a request that can be read");
        let is_cold = !self.is_warm.swap(true, Ordering::Relaxed);
        let record = Record { is_cold, status: problem.status.as_u16(), ..Record::default() };
        record.log(problem.code, Some("the event cannot be read"), Duration::ZERO);
        let mut response = problem.response();
        self.allow_origin(headers, response.headers_mut());
        response
    }

    fn allow_origin(&self, request: &HeaderMap, response: &mut HeaderMap) {
        self.cors.allow(request, response);
        if self.session_cookie.is_some() && response.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    /// The caller's token: of the header, or else of the session cookie, where pages may use one.
    fn bearer<'a>(&self, headers: &'a HeaderMap) -> Result<UnverifiedBearer<'a>, ExchangeError> {
        match &self.session_cookie {
            Some(cookie) if !headers.contains_key(AUTHORIZATION) => {
                let bearer = UnverifiedBearer::from_cookie(headers, cookie)?;
                if self.cors.lists(headers) { Ok(bearer) } else { Err(ExchangeError::Origin) }
            }
            _ => Ok(UnverifiedBearer::from_headers(headers)?),
        }
    }

    async fn respond(
        &self,
        parts: &Parts,
        body: &[u8],
        now: SystemTime,
        record: &mut Record,
    ) -> Answer {
        let Some(route) = Route::of(parts.uri.path()) else {
            return Answer::problem(&Problem::not_found(), "no such route");
        };
        record.route = route.path();
        match (route, &parts.method) {
            (_, &Method::OPTIONS) => Answer::ok(self.cors.preflight(&parts.headers)),
            (Route::Health, &Method::GET) => {
                Answer::ok(json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec()))
            }
            (Route::Health, &Method::HEAD) => Answer::ok(json(StatusCode::OK, Vec::new())),
            (Route::Token, &Method::POST) => match self.token(parts, body, now, record).await {
                Ok(issued) => Answer::ok(created(&issued)),
                Err(answer) => answer,
            },
            _ => Answer::problem(&Problem::method_not_allowed(route.allow()), "no such method"),
        }
    }

    /// `POST /token`. Authentication comes first: a caller without a good token learns nothing about
    /// the body.
    async fn token(
        &self,
        parts: &Parts,
        body: &[u8],
        now: SystemTime,
        record: &mut Record,
    ) -> Result<Issued, Answer> {
        let bearer = self.bearer(&parts.headers)?;
        let caller = self.exchange.authenticate(bearer, now).await?;
        record.subject = Some(caller.secrets.api_key.pseudonym(&caller.key()));
        if body.len() > BODY_BYTES {
            let problem = Problem::content_too_large("the body may have 65536 bytes");
            return Err(Answer::problem(&problem, "the body is too long"));
        }
        if !body.is_empty() && !is_json(&parts.headers) {
            let reason = "the body is not application/json";
            return Err(Answer::problem(&Problem::unsupported_media_type(), reason));
        }
        let request = TokenSourceRequest::from_body(body).map_err(ExchangeError::Malformed)?;
        record.room.clone_from(&request.room_name);
        let issued = self.exchange.issue(&caller, &request, now).await?;
        record.room = Some(issued.room.clone());
        record.role = Some(issued.role.clone());
        record.jti = Some(issued.token.jti.clone());
        Ok(issued)
    }
}

impl Answer {
    fn ok(response: Response<Vec<u8>>) -> Self {
        Self { response, code: "ok", reason: None }
    }

    fn problem(problem: &Problem, reason: &'static str) -> Self {
        Self { response: problem.response(), code: problem.code, reason: Some(reason.into()) }
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

/// Whether the body is JSON by its `Content-Type`, whatever its parameters.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        // Browsers join what an SDK and its app both set.
        value.split(',').all(|value| {
            let essence = value.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        })
    })
}

fn created(issued: &Issued) -> Response<Vec<u8>> {
    let answer = TokenSourceResponse {
        server_url: &issued.secrets.livekit_url,
        participant_token: &issued.token.token,
        room_name: &issued.room,
        participant_name: &issued.name,
    };
    // Four texts are always JSON.
    json(StatusCode::CREATED, serde_json::to_vec(&answer).unwrap_or_default())
}

fn json(status: StatusCode, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_routes_behind_a_prefix() {
        let rows = [
            ("/token", Some(Route::Token)),
            ("/prod/token", Some(Route::Token)),
            ("/a/b/token", Some(Route::Token)),
            ("/health", Some(Route::Health)),
            ("/prod/health", Some(Route::Health)),
            ("/", None),
            ("", None),
            ("token", None),
            ("/xtoken", None),
            ("/token/", None),
            ("/token/x", None),
            ("/TOKEN", None),
            ("/%74oken", None),
            ("/v1/token", None),
            ("/prod/v1/token", None),
            ("/v1/token/refresh", None),
            ("/api/liveblocks-auth", None),
        ];
        for (path, expected) in rows {
            assert_eq!(Route::of(path), expected, "{path}");
        }
    }
}
