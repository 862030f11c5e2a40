//! Detection of freezes: Lambda stops the process between invocations, and time-outs pass meanwhile.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

/// Interval at which a running process looks at the clock.
const TICK: Duration = Duration::from_millis(100);

/// Shortest gap between two looks that counts as a freeze. A busy machine causes shorter ones.
const FREEZE: Duration = Duration::from_millis(1500);

/// Measures for how long the process ran during one fetch, and whether it was frozen.
#[derive(Debug)]
pub struct FreezeWatch(Mutex<Looks>);

#[derive(Debug)]
struct Looks {
    last: Instant,
    was_frozen: bool,
}

impl FreezeWatch {
    /// Starts to watch.
    pub fn start() -> Self {
        Self(Mutex::new(Looks { last: Instant::now(), was_frozen: false }))
    }

    /// Whether the process was frozen since the start, as far as can be told now.
    pub fn was_frozen(&self) -> bool {
        self.look();
        self.looks().was_frozen
    }

    /// Returns the output of `work`, or `None` once the process ran for `limit`. The time of a freeze
    /// does not count.
    pub async fn within<F>(&self, limit: Duration, mut work: F) -> Option<F::Output>
    where
        F: Future + Unpin,
    {
        let mut left = limit;
        loop {
            let output = timeout(left.min(TICK), &mut work).await;
            let ran = self.look();
            if let Ok(output) = output {
                return Some(output);
            }
            left = left.saturating_sub(ran);
            if left.is_zero() {
                return None;
            }
        }
    }

    /// Notes the time, and returns for how long the process ran since the last look.
    fn look(&self) -> Duration {
        let now = Instant::now();
        let mut looks = self.looks();
        let gap = now.saturating_duration_since(looks.last);
        looks.last = now;
        looks.was_frozen |= gap >= FREEZE;
        if gap < FREEZE { gap } else { TICK }
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
