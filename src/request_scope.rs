//! Task-local request context: request IDs, and whether a stale value was served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The IDs of a request. All come from the platform, none from the client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestIds {
    /// API Gateway's ID of the request; Lambda's if there is no gateway.
    pub request: Option<String>,
    /// Lambda's ID of the invocation.
    pub invocation: Option<String>,
    /// The X-Ray trace: the root of `_X_AMZN_TRACE_ID`.
    pub trace: Option<String>,
}

#[derive(Clone, Default)]
struct Scope {
    ids: Arc<RequestIds>,
    is_stale: Arc<AtomicBool>,
}

tokio::task_local! {
    static CURRENT: Scope;
}

/// Runs `work` in the scope of a request with these IDs.
pub async fn within<F: Future>(ids: RequestIds, work: F) -> F::Output {
    CURRENT.scope(Scope { ids: Arc::new(ids), ..Scope::default() }, work).await
}

/// Calls `read` with the IDs of the current request, if there is one.
pub fn with_ids<T>(read: impl FnOnce(&RequestIds) -> T) -> Option<T> {
    CURRENT.try_with(|scope| read(&scope.ids)).ok()
}

/// Records that a stale value was served.
pub fn note_stale() {
    // Outside a request nothing is served.
    let _ = CURRENT.try_with(|scope| scope.is_stale.store(true, Ordering::Relaxed));
}

/// Whether a stale value was served to the current request.
#[must_use]
pub fn is_stale() -> bool {
    CURRENT.try_with(|scope| scope.is_stale.load(Ordering::Relaxed)).unwrap_or_default()
}
