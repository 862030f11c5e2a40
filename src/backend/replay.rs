//! Signatures of recently accepted requests.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::WINDOW;

/// Maximum number of signatures that are kept, about 4 MB. Only holders of a key can add one.
pub const REMEMBERED: usize = 50_000;

/// Time for which a signature is kept: a timestamp may be ahead of the clock or behind it.
const LIFE: Duration = Duration::from_secs(2 * WINDOW.as_secs());

/// The signatures that this execution environment has accepted. Environments do not share them, so
/// a request can be replayed once in each, within its window. Empty, it uses no memory.
#[derive(Debug, Default)]
pub struct Replays(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    tags: HashSet<[u8; 16]>,
    /// In the order of arrival.
    order: VecDeque<([u8; 16], SystemTime)>,
}

impl Replays {
    /// Whether the signature `tag` is new. Keeps it; if [`REMEMBERED`] are kept already, the oldest is
    /// dropped.
    pub fn is_first(&self, tag: &[u8; 32], now: SystemTime) -> bool {
        let mut short = [0; 16];
        short.copy_from_slice(&tag[..16]);
        // No code panics while it holds the lock.
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some((oldest, arrived)) = seen.order.front().copied() {
            let is_over = now.duration_since(arrived).is_ok_and(|age| age > LIFE);
            if !is_over && seen.order.len() < REMEMBERED {
                break;
            }
            seen.order.pop_front();
            seen.tags.remove(&oldest);
        }
        let is_first = seen.tags.insert(short);
        if is_first {
            seen.order.push_back((short, now));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn signature_is_remembered_for_both_sides_of_the_window() {
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds);
        let replays = Replays::default();
        assert!(replays.is_first(&[1; 32], at(0)));
        assert!(!replays.is_first(&[1; 32], at(0)));
        assert!(replays.is_first(&[2; 32], at(300)));
        assert!(!replays.is_first(&[1; 32], at(600)));
        assert!(replays.is_first(&[1; 32], at(601)));
        assert!(!replays.is_first(&[2; 32], at(601)), "which is younger");
    }

    #[test]
    fn signature_is_remembered_if_the_clock_is_set_back() {
        let replays = Replays::default();
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert!(replays.is_first(&[1; 32], now));
        assert!(!replays.is_first(&[1; 32], now - Duration::from_hours(1)));
    }

    #[test]
    fn replay_memory_is_bounded() {
        let replays = Replays::default();
        for number in 0..=REMEMBERED as u64 {
            let mut tag = [0; 32];
            tag[..8].copy_from_slice(&number.to_be_bytes());
            assert!(replays.is_first(&tag, UNIX_EPOCH));
        }
        let seen = replays.0.lock().unwrap();
        assert_eq!((seen.tags.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
    }
}
