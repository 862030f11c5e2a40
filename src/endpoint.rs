//! The HTTP endpoint: one request to one response, with its route, CORS headers and log line.

mod backend;
mod bans;
mod context;
mod guests;
mod invitations;
mod liveblocks;
mod moderation;
pub mod problem;
mod response;
mod roles;
mod room;
pub mod route;
mod token;
mod waiting;
mod webhook;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use http::header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use crate::cors::Cors;
use crate::exchange::{Exchange, ModerationAction};
use crate::logging::RequestLog;
use crate::request_scope::{self, RequestIds};
use context::RequestContext;
use problem::Problem;
use response::HandlerResponse;
use route::Route;

/// The maximum length of a request body, in bytes.
pub const BODY_BYTES: usize = 65_536;

/// The time budget of a request.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP endpoint.
pub struct Endpoint {
    exchange: Exchange,
    cors: Cors,
    /// The cookie that may contain the access token.
    session_cookie: Option<String>,
    /// The header besides `Authorization` that may contain the access token.
    token_header: Option<HeaderName>,
    /// The path in front of all routes, with a slash at its start and none at its end.
    base_path: Option<String>,
    is_warm: AtomicBool,
}

impl Endpoint {
    /// Creates the endpoint of `exchange`, without a cookie, another header for the token, or a path
    /// in front of all routes.
    pub fn new(exchange: Exchange, cors: Cors) -> Self {
        Self {
            exchange,
            cors,
            session_cookie: None,
            token_header: None,
            base_path: None,
            is_warm: AtomicBool::new(false),
        }
    }

    /// Accepts access tokens in the cookie with this name.
    #[must_use]
    pub fn with_session_cookie(self, session_cookie: Option<String>) -> Self {
        Self { session_cookie, ..self }
    }

    /// Accepts access tokens in the header with this name.
    #[must_use]
    pub fn with_token_header(self, token_header: Option<HeaderName>) -> Self {
        Self { token_header, ..self }
    }

    /// Expects `base_path` in front of all routes.
    #[must_use]
    pub fn with_base_path(self, base_path: Option<String>) -> Self {
        Self { base_path, ..self }
    }

    /// The token exchange service behind the endpoint.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Responds to `request` as of `now` within `budget`, at most [`REQUEST_TIMEOUT`], and logs one line
    /// with `ids`. Never fails and never panics: a failure is a response too. A [`Route`] among the
    /// request's extensions decides the route; otherwise its path does.
    pub async fn handle<B: AsRef<[u8]>>(
        &self,
        request: Request<B>,
        ids: RequestIds,
        now: SystemTime,
        budget: Duration,
    ) -> Response<Vec<u8>> {
        request_scope::within(ids, budget, self.answer(request, now, budget)).await
    }

    async fn answer<B: AsRef<[u8]>>(
        &self,
        request: Request<B>,
        now: SystemTime,
        budget: Duration,
    ) -> Response<Vec<u8>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let mut record = RequestLog {
            is_cold: !self.is_warm.swap(true, Ordering::Relaxed),
            ..RequestLog::default()
        };
        let respond =
            AssertUnwindSafe(async { self.respond(&parts, body.as_ref(), now, &mut record).await });
        let answer =
            tokio::time::timeout(budget.min(REQUEST_TIMEOUT), respond.catch_unwind()).await;
        let mut answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => HandlerResponse::problem(&Problem::internal(), "a panic"),
            Err(_) => HandlerResponse::out_of_time(),
        };
        self.allow_origin(&parts.headers, answer.response.headers_mut());
        record.status = answer.response.status().as_u16();
        record.effect = record.effect.or(answer.effect);
        record.log(answer.outcome(), started.elapsed());
        answer.response
    }

    /// Responds to an event that is not a readable request, and logs one line. `headers` are those that
    /// could be read.
    pub async fn refuse_unreadable(
        &self,
        headers: &HeaderMap,
        ids: RequestIds,
    ) -> Response<Vec<u8>> {
        request_scope::within(ids, REQUEST_TIMEOUT, async {
            let problem = Problem::invalid_request("the event is not a request that can be read");
            let mut answer = HandlerResponse::problem(&problem, "the event cannot be read");
            self.allow_origin(headers, answer.response.headers_mut());
            let is_cold = !self.is_warm.swap(true, Ordering::Relaxed);
            let record =
                RequestLog { is_cold, status: problem.status.as_u16(), ..RequestLog::default() };
            record.log(answer.outcome(), Duration::ZERO);
            answer.response
        })
        .await
    }

    fn allow_origin(&self, request: &HeaderMap, response: &mut HeaderMap) {
        self.cors.allow(request, response);
        // Pages that are listed by name may send cookies, those of the proxy included.
        let has_cookie = self.session_cookie.is_some() || self.token_header.is_some();
        if has_cookie && self.cors.lists(request) {
            response.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    async fn respond(
        &self,
        parts: &Parts,
        body: &[u8],
        now: SystemTime,
        record: &mut RequestLog,
    ) -> HandlerResponse {
        let named = parts.extensions.get::<Route>().copied();
        let from_path = || Route::from_path(parts.uri.path(), self.base_path.as_deref());
        let Some(route) = named.or_else(from_path) else {
            return HandlerResponse::problem(&Problem::not_found(), "no such route");
        };
        record.route = route.path();
        let context = RequestContext { endpoint: self, parts, body, now };
        let answer = match (route, &parts.method) {
            (_, &Method::OPTIONS) => Ok(self.preflight(&parts.headers, route)),
            (Route::Health, &Method::GET) => {
                Ok(HandlerResponse::json(StatusCode::OK, br#"{"status":"ok"}"#.to_vec()))
            }
            (Route::Health, &Method::HEAD) => Ok(HandlerResponse::json(StatusCode::OK, Vec::new())),
            (Route::Token, &Method::POST) => context.token(record).await,
            (Route::BackendToken | Route::BackendRefresh, &Method::POST) => {
                context.backend_token(route, record).await
            }
            (Route::Mute, &Method::POST) => {
                context.moderate(route, ModerationAction::Mute, record).await
            }
            (Route::Remove, &Method::DELETE) => {
                context.moderate(route, ModerationAction::Remove, record).await
            }
            (Route::Invitations, &Method::POST) => Box::pin(context.invite(route, record)).await,
            (Route::Invitations, &Method::GET) => {
                Box::pin(context.invitations(route, record)).await
            }
            (Route::Invitation, &Method::GET) => Box::pin(context.invitation(route, record)).await,
            (Route::Invitation, &Method::DELETE) => {
                Box::pin(context.revoke_invitation(route, record)).await
            }
            (Route::Waiting, &Method::GET) => Box::pin(context.waiting(record)).await,
            (Route::Entry, &Method::POST) => Box::pin(context.decide_entry(record)).await,
            (Route::Liveblocks, &Method::POST) => context.liveblocks(record).await,
            // On the heap, since a token's request would pay for the size of these futures.
            (Route::Role, &Method::PUT) => Box::pin(context.change_role(record)).await,
            (Route::Hand, &Method::PUT) => Box::pin(context.raise_hand(record)).await,
            (Route::Participants, &Method::GET) => Box::pin(context.participants(record)).await,
            (Route::Room, &Method::DELETE) => Box::pin(context.end_room(record)).await,
            (Route::Bans, &Method::POST) => Box::pin(context.ban(route, record)).await,
            (Route::Bans, &Method::GET) => Box::pin(context.bans(route, record)).await,
            (Route::Ban, &Method::DELETE) => Box::pin(context.unban(route, record)).await,
            (Route::Webhook, &Method::POST) => Box::pin(context.webhook(record)).await,
            _ => Ok(HandlerResponse::problem(
                &Problem::method_not_allowed(route.methods()),
                "no such method",
            )),
        };
        answer.unwrap_or_else(|answer| answer)
    }

    /// Responds to a preflight. A browser that gets no permission shows nothing but a network error, so
    /// the log says what the deployment does not allow.
    fn preflight(&self, headers: &HeaderMap, route: Route) -> HandlerResponse {
        let mut response = HandlerResponse::ok(self.cors.preflight(headers, route.methods()));
        response.reason = self.cors.refusal(headers).map(Into::into);
        response
    }
}
