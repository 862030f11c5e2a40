//! Task-local request context: request IDs, and whether a stale value was served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    is_stale: Arc<AtomicBool>,
}

tokio::task_local! {
    static CURRENT: Scope;
}

/// Runs `work` in the context of a request with `ids`.
pub async fn within<F: Future>(ids: RequestIds, work: F) -> F::Output {
    CURRENT.scope(Scope { ids: Arc::new(ids), ..Scope::default() }, work).await
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
