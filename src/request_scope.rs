//! Task-local request context: request IDs, the time that is left, and whether a stale value was served.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::Serialize;

/// IDs of a request. All come from the platform, none from the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RequestIds {
    /// API Gateway's `requestContext.requestId`, or Lambda's ID if there is no gateway.
    #[serde(rename = "request_id", skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Lambda's ID of the invocation.
    #[serde(rename = "lambda_request_id", skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    /// X-Ray's trace ID: the root of `_X_AMZN_TRACE_ID`.
    #[serde(rename = "trace_id", skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

#[derive(Default)]
struct Scope {
    ids: Arc<RequestIds>,
    /// End of the request's time; `None` if that is too far away to be a time.
    deadline: Option<Instant>,
    is_stale: AtomicBool,
    ask: OnceLock<(AskOutcome, Duration)>,
}

/// The outcome of a question to the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AskOutcome {
    /// The app let the caller in.
    Yes,
    /// The app refused the caller.
    No,
    /// The app gave no usable answer.
    Failed,
    /// A cached yes; no request was sent.
    Cached,
}

tokio::task_local! {
    static CURRENT: Scope;
}

/// Runs `work` in the context of a request with `ids` that must be answered within `budget`.
pub async fn within<F: Future>(ids: RequestIds, budget: Duration, work: F) -> F::Output {
    let deadline = Instant::now().checked_add(budget);
    CURRENT.scope(Scope { ids: Arc::new(ids), deadline, ..Scope::default() }, work).await
}

/// Returns the time that is left to answer the current request; `None` outside a request.
pub fn time_left() -> Option<Duration> {
    let deadline = CURRENT.try_with(|scope| scope.deadline).ok()??;
    Some(deadline.saturating_duration_since(Instant::now()))
}

/// Returns the IDs of the current request; `None` outside a request.
pub fn ids() -> Option<Arc<RequestIds>> {
    CURRENT.try_with(|scope| Arc::clone(&scope.ids)).ok()
}

/// Records that the current request uses a stale value.
pub fn note_stale() {
    // Fails only outside a request.
    let _ = CURRENT.try_with(|scope| scope.is_stale.store(true, Ordering::Relaxed));
}

/// Whether the current request has used a stale value.
pub fn is_stale() -> bool {
    CURRENT.try_with(|scope| scope.is_stale.load(Ordering::Relaxed)).unwrap_or_default()
}

/// Records the outcome of the current request's question to the app, and how long the answer took.
pub fn note_ask(outcome: AskOutcome, took: Duration) {
    // Fails only outside a request, and for a second question of one request.
    let _ = CURRENT.try_with(|scope| scope.ask.set((outcome, took)));
}

/// The outcome of the current request's question to the app, if it asked.
pub fn ask() -> Option<(AskOutcome, Duration)> {
    CURRENT.try_with(|scope| scope.ask.get().copied()).ok().flatten()
}
