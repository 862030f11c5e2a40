//! Outages: responses while an upstream is down, slow or wrong, the time until recovery, and the number
//! of requests that the upstream received.
//!
//! Time is an argument, so an outage takes only as long as its requests. Sockets are real.
//! `UPDATE_RELIABILITY=1 cargo test --test it faults` writes the tables of `docs/reliability.md`;
//! without the variable the tests compare them.

mod keys;
mod memory;
mod process;
mod profiles;
mod promises;
mod secrets_manager;
mod table;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::support::Reply;
use table::Row;

/// The connection closes in the middle of the response.
const CUT_OFF: &str = "truncated response";

/// The length of an outage with a request per second.
const OUTAGE: u64 = 20;

/// The longest time from the end of an outage to a successful request, in seconds.
const RECOVERY: u64 = 10;

/// Longest time of a request that waits for a refresh with the real limits.
const NO_WAIT: Duration = Duration::from_millis(1_500);

/// The effects of an outage.
struct Outage {
    /// The statuses of the responses.
    seen: BTreeSet<u16>,
    /// The number of requests that the upstream received during the outage.
    asked: usize,
    /// The recovery time in seconds.
    healed: u64,
}

/// Sends a request per second from `from` through an outage until `is_well`. `restore` ends the
/// outage right after a failed fetch.
async fn run_outage(
    row: &str,
    from: u64,
    post_token: impl AsyncFn(u64) -> Reply,
    is_well: impl Fn(&Reply) -> bool,
    asked: impl Fn() -> usize,
    restore: impl FnOnce(),
) -> Outage {
    let before = asked();
    let mut seen = BTreeSet::new();
    for second in from..=from + OUTAGE {
        let reply = within_deadline(row, post_token(second)).await;
        assert!(!is_well(&reply), "{row}: not in the way after {second} s");
        seen.insert(status(row, &reply));
    }
    let asked = asked() - before;
    restore();
    for healed in 1..=RECOVERY {
        let reply = within_deadline(row, post_token(from + OUTAGE + healed)).await;
        if is_well(&reply) {
            return Outage { seen, asked, healed };
        }
        seen.insert(status(row, &reply));
    }
    panic!("{row}: not well {RECOVERY} s after its end");
}

/// Returns `reply`. Fails if it takes longer than five seconds.
async fn within_deadline(row: &str, reply: impl Future<Output = Reply>) -> Reply {
    let started = Instant::now();
    let reply = reply.await;
    assert!(started.elapsed() < Duration::from_millis(5_300), "{row}: {:?}", started.elapsed());
    reply
}

/// Returns the status after a check of the response: 201, or 503 with `Retry-After`.
#[track_caller]
fn status(row: &str, reply: &Reply) -> u16 {
    match reply.status {
        201 => reply.expect_issued(row),
        _ => reply.expect_problem(row, 503, "unavailable"),
    };
    reply.status
}

/// Returns the row of a fault that began before a cold start, and of the same fault in a warm
/// environment.
#[track_caller]
fn cold_and_warm(fault: &'static str, cold: &Outage, warm: &Outage, warm_sees: &str) -> Row {
    assert_eq!(cold.seen, BTreeSet::from([503]), "{fault}: cold");
    assert_eq!(cold.asked, warm.asked, "{fault}: asked as often, cold or warm");
    // A kept connection that broke is tried again once: it may have died while the function was frozen.
    let again = usize::from(fault == CUT_OFF);
    assert!(cold.asked <= 3 + again, "{fault}: asked {} times in {OUTAGE} s", cold.asked);
    let asked = match cold.asked {
        0 => "0".to_owned(),
        count if again > 0 => {
            format!("{} in {OUTAGE} s, and one immediate retry", count - again)
        }
        count => format!("{count} in {OUTAGE} s"),
    };
    let heals = format!("{} s", cold.healed.max(warm.healed));
    Row::new(fault, &format!("cold: 503; warm: {warm_sees}"), &heals, &asked)
}

/// Asserts that each of `times` requests received only a small part of two gigabytes.
#[track_caller]
fn stopped_early(row: &str, sent: &AtomicU64, times: usize) {
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 150_000, "{row}: {sent} bytes left");
    let each = sent / times as u64;
    assert!(each < 8_000_000, "{row}: {each} bytes left each time");
}
