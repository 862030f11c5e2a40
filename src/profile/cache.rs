//! Per-subject profile cache with single-flight lookups, negative caching and a per-source cool-down.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::{Profile, ProfileError};
use crate::oidc::claims::Subject;
use crate::oidc::error::VerifyError;
use crate::upstream::error::FetchError;
use crate::upstream::error::{Unavailable, log_failure};
use crate::upstream::last_good::abs_diff;

/// How long a profile serves. Some providers allow a user five requests a minute.
const TTL: Duration = Duration::from_mins(5);

/// How long nobody is asked again after a failure: about that person, or about anybody where the
/// source itself is down.
const COOLDOWN: Duration = Duration::from_secs(10);

/// How many subjects are kept; the oldest goes first.
const CAPACITY: usize = 1000;

/// Profiles of one source, by subject, with at most one lookup of a subject at a time.
pub struct ProfileCache {
    /// The source, for the log.
    upstream: &'static str,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Subject, Entry>,
    arrivals: VecDeque<Subject>,
    under_way: HashMap<Subject, Arc<tokio::sync::Mutex<()>>>,
    /// The last failure that was not about one person.
    outage: Option<Failure>,
}

enum Entry {
    Profile(Arc<Profile>, SystemTime),
    Failure(Failure),
}

#[derive(Clone, Copy)]
struct Failure {
    error: AskError,
    /// A hash of the credential that was sent: the source may have refused that, and not the person.
    credential_hash: u64,
    at: SystemTime,
}

/// Reasons for which a source has no profile of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError {
    /// It refuses the token or the user, or speaks of somebody else.
    Rejected(VerifyError),
    /// It knows no such user.
    NoSuchUser,
    /// The request failed, or the response cannot be used.
    Fetch(FetchError),
}

impl From<VerifyError> for AskError {
    fn from(error: VerifyError) -> Self {
        Self::Rejected(error)
    }
}

/// A 404 is the source's word on the user.
impl From<FetchError> for AskError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Status { status: 404, .. } => Self::NoSuchUser,
            error => Self::Fetch(error),
        }
    }
}

impl ProfileCache {
    /// Returns an empty cache of the profiles of `upstream`.
    #[must_use]
    pub fn new(upstream: &'static str) -> Self {
        Self { upstream, hasher: RandomState::new(), state: Mutex::default() }
    }

    /// The profile of `subject`, unless it is unknown or too old.
    #[must_use]
    pub fn get(&self, subject: &Subject, now: SystemTime) -> Option<Arc<Profile>> {
        self.lock().profile(subject, now)
    }

    /// Returns the cached profile of `subject`, or else the result of `ask`, which one caller at a time
    /// runs for all that wait. A failure is cached for ten seconds. `credential` is the token that the
    /// source sees, if any: a refusal of one token says nothing of another.
    ///
    /// # Errors
    ///
    /// The error of `ask`, or the cached one.
    pub async fn get_or_ask<F>(
        &self,
        subject: &Subject,
        credential: &str,
        now: SystemTime,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<Profile>, ProfileError>
    where
        F: Future<Output = Result<Profile, AskError>>,
    {
        let credential_hash = self.hasher.hash_one(credential);
        let guard = self.in_flight_guard(subject);
        let _mine = guard.lock.lock().await;
        {
            let state = self.lock();
            if let Some(profile) = state.profile(subject, now) {
                return Ok(profile);
            }
            if let Some(failure) = state.failure(subject, credential_hash, now) {
                return Err(self.error_for(failure, now));
            }
        }
        let started = Instant::now();
        match ask().await {
            Ok(profile) => {
                let profile = Arc::new(profile);
                self.lock().keep(subject, Entry::Profile(Arc::clone(&profile), now));
                Ok(profile)
            }
            Err(error) => {
                let failure = Failure { error, credential_hash, at: now };
                let mut state = self.lock();
                if let AskError::Fetch(error) = error {
                    log_failure(self.upstream, error, Some(started.elapsed()));
                    if error.is_outage() {
                        state.outage = Some(failure);
                    }
                }
                state.keep(subject, Entry::Failure(failure));
                Err(self.error_for(failure, now))
            }
        }
    }

    /// What a caller is told of `failure`, now or later.
    fn error_for(&self, failure: Failure, now: SystemTime) -> ProfileError {
        match failure.error {
            AskError::Rejected(error) => error.into(),
            AskError::NoSuchUser => ProfileError::UserNotFound,
            AskError::Fetch(error) => {
                let left = COOLDOWN.saturating_sub(abs_diff(now, failure.at));
                Unavailable::cooling_down(self.upstream, Some(error), left).into()
            }
        }
    }

    fn in_flight_guard<'a>(&'a self, subject: &'a Subject) -> InFlightGuard<'a> {
        let lock = Arc::clone(self.lock().under_way.entry(subject.clone()).or_default());
        InFlightGuard { kept: self, subject, lock }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn profile(&self, subject: &Subject, now: SystemTime) -> Option<Arc<Profile>> {
        match self.entries.get(subject)? {
            // A clock that was set back makes it too old, not immortal.
            Entry::Profile(profile, since) => {
                now.duration_since(*since).is_ok_and(|age| age < TTL).then(|| Arc::clone(profile))
            }
            Entry::Failure(_) => None,
        }
    }

    /// The failure for which nobody is asked about `subject` just now.
    fn failure(&self, subject: &Subject, credential_hash: u64, now: SystemTime) -> Option<Failure> {
        let own = match self.entries.get(subject) {
            Some(Entry::Failure(failure)) => Some(*failure),
            _ => None,
        };
        let is_same = |failure: &Failure| {
            !matches!(failure.error, AskError::Rejected(_))
                || failure.credential_hash == credential_hash
        };
        let is_fresh = |failure: &Failure| abs_diff(now, failure.at) < COOLDOWN;
        own.filter(is_same).filter(is_fresh).or(self.outage.filter(is_fresh))
    }

    fn keep(&mut self, subject: &Subject, entries: Entry) {
        if self.entries.insert(subject.clone(), entries).is_none() {
            self.arrivals.push_back(subject.clone());
        }
        if self.arrivals.len() > CAPACITY
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}

/// A caller's turn to ask about a subject, or the wait for it.
struct InFlightGuard<'a> {
    kept: &'a ProfileCache,
    subject: &'a Subject,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.kept.lock();
        // This turn's and the map's: nobody else waits, and nobody can come while it is locked.
        if Arc::strong_count(&self.lock) == 2 {
            state.under_way.remove(self.subject);
        }
    }
}
