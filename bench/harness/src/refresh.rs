//! The request that finds keys or secret past their TTL: it waits for one refresh.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::stats::{estimate, median, percentile};
use crate::target::Target;
use crate::tokens::{self, Request};
use crate::upstream::{Asked, Upstream};
use crate::{Failure, ms};

/// The shortest TTL that the function accepts, and a wait after which a value is older.
const TTL_SECONDS: &str = "1";
const PAST_TTL: Duration = Duration::from_millis(1100);

/// Values past their TTL: the title of the row, and the variables with the short TTL.
const CASES: [(&str, &[&str]); 4] = [
    ("nothing", &[]),
    ("keys", &["JWKS_TTL_SECONDS"]),
    ("secret", &["SECRET_TTL_SECONDS"]),
    ("keys and secret", &["JWKS_TTL_SECONDS", "SECRET_TTL_SECONDS"]),
];

#[derive(Default)]
struct Rounds {
    took: Vec<f64>,
    /// Time without the measured time of upstream responses.
    own: Vec<f64>,
    cpu: Vec<f64>,
    asked: Option<Asked>,
}

/// Measures one request per process, which follows another one and a pause, and prints the table.
pub fn run(
    targets: &[Target],
    upstream: &Upstream,
    requests: &mut [Request],
    rounds: usize,
    delay: Duration,
) -> Result<(), Failure> {
    println!(
        "\n### The request that refreshes ({rounds} rounds, upstream responses delayed by {} ms)\n",
        ms(delay)
    );
    println!(
        "| target | past its TTL | response ms p50 (p90) | own ms [95 %] | CPU ms | requests: secret, keys |\n|---|---|---|---|---|---|"
    );
    for target in targets.iter().filter(|target| !target.base && !target.peer) {
        let mut results = CASES.map(|_| Rounds::default());
        for round in 0..rounds {
            for (case, result) in CASES.iter().zip(&mut results) {
                let mut target = target.clone();
                for variable in case.1 {
                    target.env.push(((*variable).to_owned(), TTL_SECONDS.to_owned()));
                }
                measure(&target, upstream, &mut requests[round % tokens::PEOPLE], result)?;
            }
            eprint!("\rrefresh: round {} of {rounds}", round + 1);
        }
        eprintln!();
        for ((title, _), result) in CASES.iter().zip(&results) {
            let asked = result.asked.ok_or("no rounds")?;
            println!(
                "| {} | {title} | {:.2} ({:.2}) | {} | {:.2} | {}, {} |",
                target.name,
                median(&result.took),
                percentile(&result.took, 0.9),
                estimate(&result.own),
                median(&result.cpu),
                asked.secrets,
                asked.keys,
            );
        }
    }
    Ok(())
}

fn measure(
    target: &Target,
    upstream: &Upstream,
    request: &mut Request,
    rounds: &mut Rounds,
) -> Result<(), Failure> {
    let mut process = target.start()?.process;
    process.invoke(&mut request.event)?;
    let paused = Instant::now();
    sleep(PAST_TTL);
    let (before, held, cpu) = (upstream.asked(), upstream.held(), process.cpu()?);
    let answer = process.invoke(&mut request.event)?;
    tokens::check(&answer.body, request)?;
    let held = upstream.held() - held;
    let asked = upstream.asked() - before;
    if rounds.asked.is_some_and(|earlier| earlier != asked) {
        let seconds = paused.elapsed().as_secs_f64();
        return Err(format!("other upstream requests than before, {seconds:.1} s later").into());
    }
    rounds.asked = Some(asked);
    rounds.took.push(ms(answer.took));
    // Both are fetched concurrently.
    rounds.own.push(ms(answer.took.saturating_sub(held.secrets.max(held.keys))));
    rounds.cpu.push(ms(answer.cpu.saturating_sub(cpu)));
    Ok(())
}
