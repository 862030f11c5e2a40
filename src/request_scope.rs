//! What belongs to the request in whose course code runs, wherever it runs: its ids, and whether
//! something old had to serve. A task that is started goes on in the scope of the one that starts it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a request is called by others. All come from the platform, none from the caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestIds {
    /// API Gateway's `requestContext.requestId`; Lambda's own where there is no gateway.
    pub request: Option<String>,
    /// Lambda's, of the invocation.
    pub invocation: Option<String>,
    /// X-Ray's trace: the root of `_X_AMZN_TRACE_ID`.
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

/// Runs `work` in the scope of a request of these names.
pub async fn within<F: Future>(ids: RequestIds, work: F) -> F::Output {
    CURRENT.scope(Scope { ids: Arc::new(ids), ..Scope::default() }, work).await
}

/// Starts `work` as a task of its own that outlives the request, in its scope.
pub fn spawn<F>(work: F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let scope = CURRENT.try_with(Clone::clone).unwrap_or_default();
    tokio::spawn(CURRENT.scope(scope, work));
}

/// The names of the request in whose scope this is called, if it is called in one.
pub fn with_ids<T>(read: impl FnOnce(&RequestIds) -> T) -> Option<T> {
    CURRENT.try_with(|scope| read(&scope.ids)).ok()
}

/// Notes that something served that should have been fetched again by now.
pub fn note_stale() {
    // Outside a request there is nobody to be served.
    let _ = CURRENT.try_with(|scope| scope.is_stale.store(true, Ordering::Relaxed));
}

/// Whether that was noted.
#[must_use]
pub fn is_stale() -> bool {
    CURRENT.try_with(|scope| scope.is_stale.load(Ordering::Relaxed)).unwrap_or_default()
}
