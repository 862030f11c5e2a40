//! A limit of the requests per minute of one person, in one process.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest number of people whose requests are counted, about 280 KB. Beyond it, the count starts
/// again for all.
pub const CAPACITY: usize = 14_000;

/// The time in which the whole limit is available again, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// A token bucket for each person: the whole limit at once, then one request after each part of a
/// minute. Empty, it uses no memory.
///
/// The bucket is one number, the time at which it is full again ([GCRA]). A person whose bucket is full
/// needs no entry.
///
/// [GCRA]: https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
#[derive(Debug)]
pub struct RateLimit {
    /// The time in which one request becomes available, in nanoseconds.
    interval: u64,
    /// Keyed at random, so that nobody can choose two keys with one hash.
    hasher: RandomState,
    /// The times at which buckets are full, in nanoseconds since 1970, by the hash of the key.
    full_at: Mutex<HashMap<u64, u64>>,
}

/// The limits of one process.
#[derive(Debug)]
pub struct RateLimits {
    /// The limit of people with an access token.
    pub people: RateLimit,
    /// The limit of guests, and of invitations that are not accepted. Anybody can send those, which must
    /// not affect the counts of people.
    pub guests: RateLimit,
}

impl RateLimits {
    /// Creates limits of `per_minute` requests.
    pub fn new(per_minute: u32) -> Self {
        Self { people: RateLimit::new(per_minute), guests: RateLimit::new(per_minute) }
    }
}

/// The reason why a request is refused: the limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more requests than TOKENS_PER_MINUTE allows")]
pub struct LimitReached {
    /// The seconds until the next request is allowed, rounded up.
    pub retry_after: u64,
}

impl RateLimit {
    /// Creates a limit of `per_minute` requests; at least one.
    pub fn new(per_minute: u32) -> Self {
        Self {
            interval: MINUTE / u64::from(per_minute.max(1)),
            hasher: RandomState::new(),
            full_at: Mutex::default(),
        }
    }

    /// Counts a request of `key` as `cost` requests. A refused request is not counted.
    ///
    /// Costs one lookup, without an allocation for a key that is known.
    ///
    /// # Errors
    ///
    /// [`LimitReached`] if it is one too many.
    pub fn count(&self, key: &str, cost: u32, now: SystemTime) -> Result<(), LimitReached> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX / 2);
        let key = self.hasher.hash_one(key);
        // Nothing panics while the lock is held.
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let before = full_at.get(&key).copied().unwrap_or(0);
        // A bucket is full within a minute, unless the clock was set back.
        let before = if before > now + MINUTE { now } else { before.max(now) };
        let after = before + self.interval * u64::from(cost);
        if let Some(excess) = after.checked_sub(now + MINUTE).filter(|excess| *excess > 0) {
            let retry_after = Duration::from_nanos(excess).as_secs_f64().ceil();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "below 600"
            )]
            return Err(LimitReached { retry_after: retry_after as u64 });
        }
        if full_at.len() >= CAPACITY && !full_at.contains_key(&key) {
            full_at.retain(|_, full_at| *full_at > now);
            // Otherwise each further person would cost a search for entries that are not needed.
            if full_at.len() > CAPACITY / 2 {
                full_at.clear();
            }
        }
        full_at.insert(key, after);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(millis)
    }

    /// Counts requests of `key` until one is refused.
    fn allowed(limit: &RateLimit, key: &str, millis: u64) -> u32 {
        let mut count = 0;
        while limit.count(key, 1, at(millis)).is_ok() {
            count += 1;
        }
        count
    }

    #[test]
    fn limit_is_available_at_once_and_then_bit_by_bit() {
        let limit = RateLimit::new(30);
        assert_eq!(allowed(&limit, "ada", 0), 30);
        let rows = [(1, 0), (1_999, 0), (2_000, 1), (3_999, 0), (8_000, 3), (68_000, 30)];
        for (millis, expected) in rows {
            assert_eq!(allowed(&limit, "ada", millis), expected, "{millis}");
        }
        assert_eq!(allowed(&limit, "ada", 1_000_000), 30, "never more than the limit");
    }

    #[test]
    fn retry_after_is_the_time_until_the_next_request_is_allowed() {
        for (per_minute, cost, expected) in [(30, 1, 2), (60, 1, 1), (7, 1, 9), (60, 10, 10)] {
            let limit = RateLimit::new(per_minute);
            while limit.count("ada", cost, at(0)).is_ok() {}
            let refused = limit.count("ada", cost, at(0)).unwrap_err();
            assert_eq!(refused.retry_after, expected, "{per_minute}");
            let later = expected * 1000;
            assert_eq!(limit.count("ada", cost, at(later)), Ok(()), "{per_minute}");
        }
    }

    #[test]
    fn keys_are_counted_apart_and_costs_together() {
        let limit = RateLimit::new(60);
        assert_eq!(allowed(&limit, "ada", 0), 60);
        assert_eq!(limit.count("bob", 10, at(0)), Ok(()));
        assert_eq!(allowed(&limit, "bob", 0), 50);
    }

    #[test]
    fn clock_that_is_set_back_refuses_nobody() {
        let limit = RateLimit::new(60);
        assert_eq!(allowed(&limit, "ada", 86_400_000), 60);
        assert_eq!(allowed(&limit, "ada", 0), 60);
    }

    #[test]
    fn memory_is_bounded() {
        let limit = RateLimit::new(60);
        for number in 0..3 * CAPACITY {
            limit.count(&number.to_string(), 1, at(0)).unwrap();
            assert!(limit.full_at.lock().unwrap().len() <= CAPACITY);
        }
        limit.count("a minute later", 1, at(61_000)).unwrap();
        let later = limit.full_at.lock().unwrap().len();
        assert!(later <= CAPACITY, "{later}");
    }
}
