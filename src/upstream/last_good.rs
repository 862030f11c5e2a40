//! A value fetched from an upstream, kept while the upstream is down.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::error::{FetchError, Unavailable, log_failure};
use crate::request_scope;

/// How long a value serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Age at which it is fetched again, while the old one goes on serving.
    pub ttl: Duration,
    /// How long a failure waits, and how long callers who miss something in the value: whatever comes
    /// in, the upstream is asked no more often. A value that is merely old does not wait for it.
    pub cooldown: Duration,
    /// Age at which it no longer serves: a withdrawn key or secret dies with it.
    pub max_age: Duration,
}

type Fetch<T> =
    dyn Fn(SystemTime) -> Pin<Box<dyn Future<Output = Result<T, FetchError>> + Send>> + Send + Sync;

/// A value with its way to fetch it. Clones share it.
///
/// At most one fetch is under way; all who need its result wait for the same one, and it goes on
/// when they give up. Ages are distances on the wall clock in either direction, so that a clock set
/// back ends no cool-down later than one set forward.
pub struct LastGood<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    upstream: &'static str,
    limits: Limits,
    fetch: Box<Fetch<T>>,
    state: Mutex<State<T>>,
    /// Counts the fetches that have ended.
    completed: watch::Sender<u64>,
}

struct State<T> {
    good: Option<(Arc<T>, SystemTime)>,
    tried: Option<SystemTime>,
    failure: Option<FetchError>,
    is_fetching: bool,
}

impl<T> Clone for LastGood<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Send + Sync + 'static> LastGood<T> {
    /// A value not fetched yet. `upstream` names who is asked, for the log; `fetch` is given the time
    /// of the request that caused it.
    pub fn new<F>(
        upstream: &'static str,
        limits: Limits,
        fetch: impl Fn(SystemTime) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, FetchError>> + Send + 'static,
    {
        let state = State { good: None, tried: None, failure: None, is_fetching: false };
        Self {
            inner: Arc::new(Inner {
                upstream,
                limits,
                fetch: Box::new(move |now| Box::pin(fetch(now))),
                state: Mutex::new(state),
                completed: watch::Sender::new(0),
            }),
        }
    }

    /// The value, without waiting where there is one; a fetch is started behind the caller's back
    /// when it is due.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where there is none that may serve, and the fetch failed or must not be tried
    /// yet.
    pub async fn get(&self, now: SystemTime) -> Result<Arc<T>, Unavailable> {
        {
            let mut state = self.inner.lock();
            if let Some((value, age)) = state.servable(now, self.inner.limits) {
                if age > self.inner.limits.ttl {
                    if state.failure.is_some() {
                        request_scope::note_stale();
                    }
                    if state.failure.is_none() || !self.is_cooling(&state, now) {
                        self.start(&mut state, now);
                    }
                }
                return Ok(value);
            }
        }
        self.refresh(now).await
    }

    /// The value after one more fetch, or as it is where the cool-down forbids one: for callers who
    /// need what the current value lacks.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the newest try failed, even if an older value still serves: it cannot
    /// be known whether the upstream has what the caller needs.
    pub async fn refresh(&self, now: SystemTime) -> Result<Arc<T>, Unavailable> {
        let mut completed = self.inner.completed.subscribe();
        let is_fetching = {
            let mut state = self.inner.lock();
            if !self.is_cooling(&state, now) {
                self.start(&mut state, now);
            }
            state.is_fetching
        };
        if is_fetching {
            // Fails only when the sender is gone, and `self` holds it.
            let _ = completed.changed().await;
        }
        let state = self.inner.lock();
        match (state.servable(now, self.inner.limits), state.failure) {
            (Some((value, _)), None) => Ok(value),
            (_, failure) => {
                let waited = state.tried.map_or(Duration::ZERO, |tried| abs_diff(now, tried));
                let left = self.inner.limits.cooldown.saturating_sub(waited);
                Err(Unavailable::cooling_down(self.inner.upstream, failure, left))
            }
        }
    }

    /// The value if there is one that may serve; never fetches.
    #[must_use]
    pub fn cached(&self, now: SystemTime) -> Option<Arc<T>> {
        self.inner.lock().servable(now, self.inner.limits).map(|(value, _)| value)
    }

    /// Whether the last fetch began less than a cool-down ago.
    fn is_cooling(&self, state: &State<T>, now: SystemTime) -> bool {
        state.tried.is_some_and(|tried| abs_diff(now, tried) < self.inner.limits.cooldown)
    }

    /// Starts a fetch, unless one is under way.
    fn start(&self, state: &mut State<T>, now: SystemTime) {
        if state.is_fetching {
            return;
        }
        state.is_fetching = true;
        state.tried = Some(now);
        let guard = FetchGuard { inner: Arc::clone(&self.inner), now };
        // A task of its own: a caller who gives up does not take the others' fetch along.
        request_scope::spawn(async move {
            let started = Instant::now();
            let fetched = (guard.inner.fetch)(now).await;
            guard.complete(fetched, started.elapsed());
        });
    }
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// The value and its age, if it may still serve.
    fn servable(&self, now: SystemTime, limits: Limits) -> Option<(Arc<T>, Duration)> {
        let (value, fetched) = self.good.as_ref()?;
        let age = abs_diff(now, *fetched);
        (age <= limits.max_age).then(|| (Arc::clone(value), age))
    }
}

/// A fetch under way. However it ends, a panic included, waiters are woken.
struct FetchGuard<T> {
    inner: Arc<Inner<T>>,
    now: SystemTime,
}

impl<T> FetchGuard<T> {
    fn complete(&self, fetched: Result<T, FetchError>, took: Duration) {
        let upstream = self.inner.upstream;
        let mut state = self.inner.lock();
        match fetched {
            Ok(value) => {
                let duration_ms = took.as_secs_f64() * 1000.0;
                tracing::info!(upstream, duration_ms, "fetched");
                state.good = Some((Arc::new(value), self.now));
                state.failure = None;
            }
            Err(error) => {
                log_failure(upstream, error, Some(took));
                state.failure = Some(error);
                if matches!(error, FetchError::Upstream { .. }) {
                    // The other one rests, and was asked in our place.
                    state.tried = None;
                }
            }
        }
    }
}

impl<T> Drop for FetchGuard<T> {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.is_fetching = false;
        drop(state);
        self.inner.completed.send_modify(|completed| *completed += 1);
    }
}

/// The time between two times, in whichever order: a clock that was set back ends a wait no later
/// than one that was set forward.
#[must_use]
pub fn abs_diff(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}
