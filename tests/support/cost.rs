//! The latency and the processor time of a release build's requests.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Bootstrap, Env};

/// Requests that are measured, after as many that are not.
const REQUESTS: usize = 1000;

/// Repetitions, of which the fastest counts: other load makes a request slower, never faster.
const ROUNDS: usize = 5;

/// Time on a processor of all threads of the process, from the kernel's scheduler.
fn cpu(id: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{id}/task")).unwrap().flatten();
    let times =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    let nanos = times.map(|text| text.split(' ').next().unwrap().parse::<u64>().unwrap());
    Duration::from_nanos(nanos.sum())
}

/// The build that is measured.
const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/bootstrap");

/// The median latency and the processor time of one request with `event`, in microseconds.
async fn measure(env: &Env, event: &Value) -> (u128, u128) {
    let function = Bootstrap::start_build(BUILD, env);
    let mut times = Vec::with_capacity(REQUESTS);
    let mut before = Duration::ZERO;
    for request in 0..2 * REQUESTS {
        if request == REQUESTS {
            before = cpu(function.id().unwrap());
            times.clear();
        }
        let started = Instant::now();
        let reply = function.invoke(event).await.reply("a token");
        times.push(started.elapsed());
        assert_eq!(reply.status, 201, "{}", reply.text());
    }
    let spent = cpu(function.id().unwrap()).saturating_sub(before);
    times.sort();
    (times[REQUESTS / 2].as_micros(), spent.as_micros() / REQUESTS as u128)
}

/// The least latency and processor time of one request in several rounds, in microseconds.
pub(crate) async fn least(env: &Env, event: &Value) -> (u128, u128) {
    let (mut latency, mut processor) = (u128::MAX, u128::MAX);
    for _ in 0..ROUNDS {
        let (median, spent) = measure(env, event).await;
        (latency, processor) = (latency.min(median), processor.min(spent));
    }
    (latency, processor)
}
