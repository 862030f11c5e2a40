//! Answers that let a caller in, for a short time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256};

use super::answer::Yes;
use super::{AskRequest, AskSettings};

/// Largest number of answers, about 100 KB. The oldest one is removed first.
const CAPACITY: usize = 1000;

/// The hash of everything that an answer depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct CacheKey([u8; 32]);

/// Answers that were yes. A no is never cached.
#[derive(Default)]
pub(super) struct YesCache(Mutex<State>);

#[derive(Default)]
struct State {
    answers: HashMap<CacheKey, (Yes, SystemTime)>,
    arrivals: VecDeque<CacheKey>,
}

impl CacheKey {
    /// Hashes caller, rule, URL, and the token if the app receives it.
    pub(super) fn new(settings: &AskSettings, request: &AskRequest<'_>) -> Self {
        let token = if settings.forwards_bearer { request.bearer } else { "" };
        let line = request.line.to_string();
        let mut context = Context::new(&SHA256);
        for part in [settings.name.as_str(), &line, request.caller, request.url, token] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Self(hash)
    }
}

impl YesCache {
    /// Returns the answer if it is younger than `ttl`. After the clock was set back, it counts as
    /// expired.
    pub(super) fn get(&self, key: &CacheKey, ttl: Duration, now: SystemTime) -> Option<Yes> {
        // Nothing panics while the lock is held.
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (yes, since) = state.answers.get(key)?;
        now.duration_since(*since).is_ok_and(|age| age < ttl).then_some(*yes)
    }

    /// Keeps a yes that a request of the time `now` received.
    pub(super) fn keep(&self, key: CacheKey, yes: Yes, now: SystemTime) {
        // Nothing panics while the lock is held.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.answers.insert(key.clone(), (yes, now)).is_none() {
            state.arrivals.push_back(key);
        }
        if state.arrivals.len() > CAPACITY
            && let Some(oldest) = state.arrivals.pop_front()
        {
            state.answers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn cache_is_bounded_and_forgets_the_oldest_first() {
        let cache = YesCache::default();
        let key = |number: usize| {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&number.to_be_bytes());
            CacheKey(hash)
        };
        for number in 0..=CAPACITY {
            cache.keep(key(number), Yes { role: None }, UNIX_EPOCH);
            cache.keep(key(number), Yes { role: Some(1) }, UNIX_EPOCH);
        }
        let ttl = Duration::from_mins(1);
        assert_eq!(cache.get(&key(0), ttl, UNIX_EPOCH), None);
        assert_eq!(cache.get(&key(1), ttl, UNIX_EPOCH), Some(Yes { role: Some(1) }));
        let state = cache.0.lock().unwrap();
        assert_eq!((state.answers.len(), state.arrivals.len()), (CAPACITY, CAPACITY));
    }
}
