//! Cache of one fetched value that survives outages of its upstream: refreshed by the request that
//! finds it past its TTL, stale if that fails ([RFC 5861 §4]), single-flight.
//!
//! A fetch runs only while a request waits for it. When a response is handed over nothing is in
//! flight, since Lambda then freezes the process.
//!
//! [RFC 5861 §4]: https://www.rfc-editor.org/rfc/rfc5861#section-4

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{Shared, WeakShared};

use super::error::{FetchError, Unavailable, UpstreamName, log_failure};
use super::freeze::FreezeWatch;
use crate::logging::FetchLog;
use crate::request_scope;

/// Ages and waits of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Age from which the value is refreshed.
    pub ttl: Duration,
    /// Shortest time between a failed fetch and the next one, and between two fetches for requests
    /// that miss something in the value. A value that reaches its TTL does not wait for it.
    pub cooldown: Duration,
    /// Age up to which the value is served during an outage: a withdrawn key or secret expires with it.
    pub max_age: Duration,
}

type Fetch<T> =
    dyn Fn(SystemTime) -> Pin<Box<dyn Future<Output = Result<T, FetchError>> + Send>> + Send + Sync;

/// A fetch that every request that waits for it polls; canceled when the last one stops waiting.
type Flight = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A value and the way to fetch it. Clones share both.
///
/// Ages are distances on the wall clock in either direction, so that a clock that is set back ends a
/// cool-down no later than one that is set forward.
pub struct LastGood<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    name: UpstreamName,
    limits: Limits,
    /// Longest wait for a refresh while the last value may serve.
    patience: Duration,
    fetch: Box<Fetch<T>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    good: Option<(Arc<T>, SystemTime)>,
    /// Start of the last fetch.
    tried: Option<SystemTime>,
    /// Error of the last fetch, if it failed.
    failure: Option<FetchError>,
    flight: Option<WeakShared<Flight>>,
    /// Number of the last fetch, counted from 1.
    number: u64,
}

impl<T> Clone for LastGood<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Send + Sync + 'static> LastGood<T> {
    /// Creates a value that is not fetched yet. `name` is its upstream's name in the log, `patience` the
    /// longest wait for a refresh. `fetch` receives the time of the request that caused it.
    pub fn new<F>(
        name: impl Into<UpstreamName>,
        limits: Limits,
        patience: Duration,
        fetch: impl Fn(SystemTime) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, FetchError>> + Send + 'static,
    {
        let state = State { good: None, tried: None, failure: None, flight: None, number: 0 };
        Self {
            inner: Arc::new(Inner {
                name: name.into(),
                limits,
                patience,
                fetch: Box::new(move |now| Box::pin(fetch(now))),
                state: Mutex::new(state),
            }),
        }
    }

    /// Returns the value, at once if it is younger than its TTL.
    ///
    /// Past the TTL the request waits for one fetch, for `patience` and half of its own time at most. If
    /// that fails or takes longer, the last value is returned and the request is marked as stale.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if no value may be served, and the fetch failed or the cool-down forbids one.
    pub async fn get(&self, now: SystemTime) -> Result<Arc<T>, Unavailable> {
        self.get_within(now, self.inner.patience).await
    }

    /// Returns the value as [`get`](Self::get) does, with a wait of `patience` at most.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_within(
        &self,
        now: SystemTime,
        patience: Duration,
    ) -> Result<Arc<T>, Unavailable> {
        if let Some(value) = self.fresh(now) {
            return Ok(value);
        }
        // A large future, which the fast path need not carry.
        Box::pin(self.refreshed(now, patience)).await
    }

    /// Returns the value after a refresh, or the last one if that fails or takes longer than `patience`.
    async fn refreshed(&self, now: SystemTime, patience: Duration) -> Result<Arc<T>, Unavailable> {
        let (value, flight) = {
            let mut state = self.inner.lock();
            match state.servable(now, self.inner.limits) {
                None => (None, None),
                Some((value, _)) => {
                    let is_due = state.failure.is_none() || !self.is_cooling(&state, now);
                    (Some(value), self.join(&mut state, now, is_due))
                }
            }
        };
        let Some(value) = value else { return self.refresh(now).await };
        // The other half of the time is left to answer with the last value.
        let patience = request_scope::time_left().map_or(patience, |left| patience.min(left / 2));
        if let Some(flight) = flight
            && FreezeWatch::start().within(patience, flight).await.is_some()
        {
            let state = self.inner.lock();
            if let (Some((newer, _)), None) = (&state.good, &state.failure) {
                return Ok(Arc::clone(newer));
            }
        }
        request_scope::note_stale();
        Ok(value)
    }

    /// Returns the value after one more fetch, or unchanged if the cool-down forbids one: for requests
    /// that need what the current value lacks.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the last fetch failed, even if an older value may be served: the upstream
    /// may have what the request needs.
    pub async fn refresh(&self, now: SystemTime) -> Result<Arc<T>, Unavailable> {
        let flight = {
            let mut state = self.inner.lock();
            let is_due = !self.is_cooling(&state, now);
            self.join(&mut state, now, is_due)
        };
        if let Some(flight) = flight {
            flight.await;
        }
        let state = self.inner.lock();
        match (state.servable(now, self.inner.limits), &state.failure) {
            (Some((value, _)), None) => Ok(value),
            (_, failure) => {
                let waited = state.tried.map_or(Duration::ZERO, |tried| abs_diff(now, tried));
                let left = self.inner.limits.cooldown.saturating_sub(waited);
                Err(Unavailable::cooling_down(self.inner.name.upstream, failure.as_ref(), left))
            }
        }
    }

    /// Returns the value if it may be served, whatever its age; never fetches.
    pub fn cached(&self, now: SystemTime) -> Option<Arc<T>> {
        self.inner.lock().servable(now, self.inner.limits).map(|(value, _)| value)
    }

    /// Returns the value if it is younger than its TTL; never fetches.
    pub fn fresh(&self, now: SystemTime) -> Option<Arc<T>> {
        let servable = self.inner.lock().servable(now, self.inner.limits);
        servable.filter(|(_, age)| *age < self.inner.limits.ttl).map(|(value, _)| value)
    }

    /// Whether the last fetch began less than a cool-down ago.
    fn is_cooling(&self, state: &State<T>, now: SystemTime) -> bool {
        state.tried.is_some_and(|tried| abs_diff(now, tried) < self.inner.limits.cooldown)
    }

    /// Returns the fetch in flight, or a new one if one `is_due`.
    fn join(&self, state: &mut State<T>, now: SystemTime, is_due: bool) -> Option<Shared<Flight>> {
        let flight = state.flight.as_ref().and_then(WeakShared::upgrade);
        if flight.is_some() || !is_due {
            return flight;
        }
        state.tried = Some(now);
        state.number += 1;
        let guard = FetchGuard {
            inner: Arc::clone(&self.inner),
            number: state.number,
            now,
            started: Instant::now(),
            watch: FreezeWatch::start(),
            is_complete: false,
        };
        let flight: Flight = Box::pin(async move {
            let fetch = (guard.inner.fetch)(now);
            if let Some(fetched) = guard.watch.within(Duration::MAX, fetch).await {
                guard.complete(fetched);
            }
        });
        let flight = flight.shared();
        state.flight = flight.downgrade();
        Some(flight)
    }
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    /// Returns the value and its age if it may be served.
    fn servable(&self, now: SystemTime, limits: Limits) -> Option<(Arc<T>, Duration)> {
        let (value, fetched) = self.good.as_ref()?;
        let age = abs_diff(now, *fetched);
        (age <= limits.max_age).then(|| (Arc::clone(value), age))
    }
}

/// Records the end of a fetch, also if it is canceled.
struct FetchGuard<T> {
    inner: Arc<Inner<T>>,
    number: u64,
    now: SystemTime,
    started: Instant,
    watch: FreezeWatch,
    is_complete: bool,
}

impl<T> FetchGuard<T> {
    fn complete(mut self, fetched: Result<T, FetchError>) {
        self.is_complete = true;
        let (name, took) = (&self.inner.name, self.started.elapsed());
        let mut state = self.inner.lock();
        state.flight = None;
        match fetched {
            Ok(value) => {
                FetchLog::fetched(name.upstream, name.issuer.as_deref(), took).log();
                state.good = Some((Arc::new(value), self.now));
                state.failure = None;
            }
            Err(error) => {
                log_failure(name, &error, Some(took));
                if matches!(error, FetchError::Upstream { .. }) {
                    // The other upstream is on cool-down, and this one received no request.
                    state.tried = None;
                }
                state.failure = Some(error);
            }
        }
    }
}

impl<T> Drop for FetchGuard<T> {
    fn drop(&mut self) {
        if self.is_complete {
            return;
        }
        let mut state = self.inner.lock();
        if state.number != self.number {
            return; // another fetch has begun since
        }
        if self.watch.was_frozen() {
            // The freeze interrupted it, not the upstream: the next request fetches at once.
            state.tried = None;
            return;
        }
        log_failure(&self.inner.name, &FetchError::Timeout, Some(self.started.elapsed()));
        state.failure = Some(FetchError::Timeout);
    }
}

/// Returns the time between two times, in either order.
pub fn abs_diff(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}
