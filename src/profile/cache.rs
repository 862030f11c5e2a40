//! Per-subject profile cache with single-flight lookups, negative caching and cool-downs.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::{Profile, ProfileError};
use crate::oidc::claims::Subject;
use crate::oidc::error::VerifyError;
use crate::upstream::error::{FetchError, Unavailable, UpstreamName, log_failure};
use crate::upstream::last_good::abs_diff;

/// Age from which a profile is requested again. Some providers allow a user five requests a minute.
const TTL: Duration = Duration::from_mins(5);

/// Cool-down of a source, and the longest one of a person.
const COOLDOWN: Duration = Duration::from_secs(10);

/// Cool-down of a person after the first failure with their own token. It doubles with each failure.
const FIRST_COOLDOWN: Duration = Duration::from_secs(1);

/// Number of people whose requests must fail within [`COOLDOWN`] before a source that receives their
/// own tokens is on cool-down for all.
const PEOPLE: usize = 3;

/// Largest number of subjects in the cache. The oldest entry is removed first.
const CAPACITY: usize = 1000;

/// The credentials that a source receives. They decide for whom a failure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The caller's access token. A failure may be the caller's own, for example their quota.
    Caller,
    /// The operator's key. An outage concerns everyone.
    Operator,
}

/// Profiles of one source, by subject, with at most one lookup of a subject at a time.
pub struct ProfileCache {
    /// Name of the source in the log.
    name: UpstreamName,
    credentials: Credentials,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Subject, Entry>,
    arrivals: VecDeque<Subject>,
    in_flight: HashMap<Subject, Arc<tokio::sync::Mutex<()>>>,
    /// Hashes of the last people whose requests failed, [`PEOPLE`] at most, with the times.
    failed: Vec<(u64, SystemTime)>,
    /// The last failure that concerns everyone.
    outage: Option<Failure>,
}

enum Entry {
    Profile(Arc<Profile>, SystemTime),
    Failure(Failure),
}

#[derive(Clone)]
struct Failure {
    error: AskError,
    /// Hash of the token that was sent. A refusal of one token says nothing about another.
    token_hash: u64,
    at: SystemTime,
    cooldown: Duration,
}

/// Reasons for which a source has no profile of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The source refuses the token or the user, or describes another person.
    Rejected(VerifyError),
    /// The source has no such user.
    NoSuchUser,
    /// The request failed, or the response cannot be used.
    Fetch(FetchError),
}

impl From<VerifyError> for AskError {
    fn from(error: VerifyError) -> Self {
        Self::Rejected(error)
    }
}

/// A 404 is a statement about the user.
impl From<FetchError> for AskError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Status { status: 404, .. } => Self::NoSuchUser,
            error => Self::Fetch(error),
        }
    }
}

impl ProfileCache {
    /// Creates an empty cache of the profiles of the source `name`, which receives `credentials`.
    pub fn new(name: UpstreamName, credentials: Credentials) -> Self {
        Self { name, credentials, hasher: RandomState::new(), state: Mutex::default() }
    }

    /// Returns the profile of `subject` if it is known and younger than five minutes.
    pub fn get(&self, subject: &Subject, now: SystemTime) -> Option<Arc<Profile>> {
        self.lock().profile(subject, now)
    }

    /// Returns the cached profile of `subject`, or else the result of `ask`, which one request at a
    /// time runs for all that wait. `token` is the token that the source receives, or empty.
    ///
    /// No request is sent while the person or the source is on cool-down.
    ///
    /// # Errors
    ///
    /// The error of `ask`, or the cached one during a cool-down.
    pub async fn get_or_ask<F>(
        &self,
        subject: &Subject,
        token: &str,
        now: SystemTime,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<Profile>, ProfileError>
    where
        F: Future<Output = Result<Profile, AskError>>,
    {
        let token_hash = self.hasher.hash_one(token);
        let arrived = Instant::now();
        let guard = self.in_flight_guard(subject);
        let _mine = guard.lock.lock().await;
        let now = now + whole_seconds(arrived);
        {
            let state = self.lock();
            if let Some(profile) = state.profile(subject, now) {
                return Ok(profile);
            }
            if let Some(failure) = state.failure(subject, token_hash, now) {
                return Err(self.error_for(failure, now));
            }
        }
        let started = Instant::now();
        let error = match ask().await {
            Ok(profile) => {
                let profile = Arc::new(profile);
                self.lock().keep(subject, Entry::Profile(Arc::clone(&profile), now));
                return Ok(profile);
            }
            Err(error) => error,
        };
        if let AskError::Fetch(error) = &error {
            log_failure(&self.name, error, Some(started.elapsed()));
        }
        let now = now + whole_seconds(started);
        let failure = Failure { error, token_hash, at: now, cooldown: COOLDOWN };
        let failure = self.record(subject, failure);
        Err(self.error_for(&failure, now))
    }

    /// Records a failure, and returns it with its cool-down.
    fn record(&self, subject: &Subject, mut failure: Failure) -> Failure {
        let mut state = self.lock();
        if let AskError::Fetch(error) = &failure.error {
            let concerns_everyone = match self.credentials {
                Credentials::Operator => error.is_outage(),
                Credentials::Caller => {
                    failure.cooldown = state.next_cooldown(subject, failure.at);
                    error.may_concern_everyone()
                        && state.is_third(self.hasher.hash_one(subject.as_str()), failure.at)
                }
            };
            if concerns_everyone {
                state.outage = Some(Failure { cooldown: COOLDOWN, ..failure.clone() });
            }
        }
        state.keep(subject, Entry::Failure(failure.clone()));
        failure
    }

    /// Returns the error of a request that failed, or that was not sent because of `failure`.
    fn error_for(&self, failure: &Failure, now: SystemTime) -> ProfileError {
        match &failure.error {
            AskError::Rejected(error) => (*error).into(),
            AskError::NoSuchUser => ProfileError::UserNotFound,
            AskError::Fetch(error) => {
                let left = failure.cooldown.saturating_sub(abs_diff(now, failure.at));
                Unavailable::cooling_down(self.name.upstream, Some(error), left).into()
            }
        }
    }

    fn in_flight_guard<'a>(&'a self, subject: &'a Subject) -> InFlightGuard<'a> {
        let lock = Arc::clone(self.lock().in_flight.entry(subject.clone()).or_default());
        InFlightGuard { cache: self, subject, lock }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn profile(&self, subject: &Subject, now: SystemTime) -> Option<Arc<Profile>> {
        match self.entries.get(subject)? {
            // After the clock was set back, a profile counts as expired.
            Entry::Profile(profile, since) => {
                now.duration_since(*since).is_ok_and(|age| age < TTL).then(|| Arc::clone(profile))
            }
            Entry::Failure(_) => None,
        }
    }

    /// Returns the failure that forbids a request about `subject` now.
    fn failure(&self, subject: &Subject, token_hash: u64, now: SystemTime) -> Option<&Failure> {
        let own = match self.entries.get(subject) {
            Some(Entry::Failure(failure)) => Some(failure),
            _ => None,
        };
        let is_same = |failure: &&Failure| {
            !matches!(failure.error, AskError::Rejected(_)) || failure.token_hash == token_hash
        };
        let is_cooling = |failure: &&Failure| abs_diff(now, failure.at) < failure.cooldown;
        own.filter(is_same).filter(is_cooling).or(self.outage.as_ref().filter(is_cooling))
    }

    /// Returns the cool-down of `subject` after one more failure: twice the last one, unless that ended
    /// long ago.
    fn next_cooldown(&self, subject: &Subject, now: SystemTime) -> Duration {
        match self.entries.get(subject) {
            Some(Entry::Failure(Failure { error: AskError::Fetch(_), at, cooldown, .. }))
                if abs_diff(now, *at) < *cooldown + COOLDOWN =>
            {
                (*cooldown * 2).min(COOLDOWN)
            }
            _ => FIRST_COOLDOWN,
        }
    }

    /// Records the failure of one person. Whether it is the third different person within the
    /// cool-down, which starts the count again.
    fn is_third(&mut self, person: u64, now: SystemTime) -> bool {
        self.failed.retain(|(other, at)| *other != person && abs_diff(now, *at) < COOLDOWN);
        self.failed.push((person, now));
        let is_third = self.failed.len() >= PEOPLE;
        if is_third {
            self.failed.clear();
        }
        is_third
    }

    fn keep(&mut self, subject: &Subject, entry: Entry) {
        if self.entries.insert(subject.clone(), entry).is_none() {
            self.arrivals.push_back(subject.clone());
        }
        if self.arrivals.len() > CAPACITY
            && let Some(oldest) = self.arrivals.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }
}

/// Returns the time since `start` in whole seconds, the unit of cool-downs. A request that times out takes
/// longer than the first cool-down, which begins with the failure.
fn whole_seconds(start: Instant) -> Duration {
    Duration::from_secs(start.elapsed().as_secs())
}

/// The right to ask about a subject, or the wait for it.
struct InFlightGuard<'a> {
    cache: &'a ProfileCache,
    subject: &'a Subject,
    lock: Arc<tokio::sync::Mutex<()>>,
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        let mut state = self.cache.lock();
        // Two strong references (this guard and the map) mean that no other request waits.
        if Arc::strong_count(&self.lock) == 2 {
            state.in_flight.remove(self.subject);
        }
    }
}
