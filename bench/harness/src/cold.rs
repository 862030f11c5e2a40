//! Cold starts: a new process, its first request, and the costs of both.

use std::time::Duration;

use crate::bar::{Bar, Figure};
use crate::stats::{by_round, median, percentile, ratio};
use crate::target::Target;
use crate::tokens::{self, Request};
use crate::upstream::{Asked, Upstream};
use crate::{Failure, ms};

/// Rounds of one target. Equal indexes belong to the same round.
#[derive(Default)]
struct Rounds {
    init: Vec<f64>,
    first: Vec<f64>,
    init_cpu: Vec<f64>,
    first_cpu: Vec<f64>,
    peak_mb: Vec<f64>,
    /// Measured time of the upstream responses that delayed the start.
    waits: Vec<f64>,
    asked: Vec<Asked>,
}

/// Starts every target once per round, in rotating order, and prints the table.
pub fn run(
    targets: &[Target],
    upstream: &Upstream,
    requests: &mut [Request],
    rounds: usize,
    delay: Duration,
    bar: &mut Bar,
) -> Result<(), Failure> {
    let mut results: Vec<Rounds> = targets.iter().map(|_| Rounds::default()).collect();
    for round in 0..rounds {
        for place in 0..targets.len() {
            let index = (place + round) % targets.len();
            let request = &mut requests[round % tokens::PEOPLE];
            measure(&targets[index], upstream, request, &mut results[index])
                .map_err(|error| format!("{}: {error}", targets[index].name))?;
        }
        eprint!("\rcold: round {} of {rounds}", round + 1);
    }
    eprintln!();
    print(targets, &results, rounds, delay, bar);
    Ok(())
}

fn measure(
    target: &Target,
    upstream: &Upstream,
    request: &mut Request,
    rounds: &mut Rounds,
) -> Result<(), Failure> {
    let (before, held) = (upstream.asked(), upstream.held());
    let mut started = target.start()?;
    let answer = started.process.invoke(&mut request.event)?;
    rounds.init.push(ms(started.init));
    rounds.init_cpu.push(ms(started.init_cpu));
    rounds.first.push(ms(answer.at - started.spawned));
    rounds.first_cpu.push(ms(answer.cpu));
    rounds.peak_mb.push(started.process.peak_mb()?);
    rounds.asked.push(upstream.asked() - before);
    let held = upstream.held() - held;
    // Secret and keys are fetched concurrently, and discovery precedes the keys.
    rounds.waits.push(ms(held.secrets.max(held.discovery + held.keys)));
    if target.base { Ok(()) } else { tokens::check(&answer.body, request) }
}

fn print(targets: &[Target], results: &[Rounds], count: usize, delay: Duration, bar: &mut Bar) {
    println!("\n### Cold start ({count} rounds, upstream responses delayed by {} ms)\n", ms(delay));
    println!(
        "*init*: from the start of the process to its request for an event. *first*: to its first response."
    );
    println!(
        "*own*: first response, without that of the base and without the measured time of upstream responses.\nSecret and keys are fetched concurrently, and discovery precedes the keys.\n"
    );
    println!(
        "| target | init ms p50 (p90) | first ms p50 (p90) | own ms [95 %] | init CPU ms | CPU ms to first response | peak MB | init × base | first × base | init CPU × base [95 %] | requests: secret, keys, discovery |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let Some(base) = targets.iter().position(|target| target.base).map(|at| &results[at]) else {
        return;
    };
    for (target, ours) in targets.iter().zip(results) {
        let first: Vec<_> =
            ours.first.iter().zip(&ours.waits).map(|(all, wait)| all - wait).collect();
        let own = by_round(&first, &base.first, |ours, base| ours - base);
        let cpu = ratio(&ours.init_cpu, &base.init_cpu);
        println!(
            "| {} | {:.2} ({:.2}) | {:.2} ({:.2}) | {own} | {:.2} | {:.2} | {:.1} | {:.2} | {:.2} | {cpu} | {} |",
            target.name,
            median(&ours.init),
            percentile(&ours.init, 0.9),
            median(&ours.first),
            percentile(&ours.first, 0.9),
            median(&ours.init_cpu),
            median(&ours.first_cpu),
            median(&ours.peak_mb),
            ratio(&ours.init, &base.init).median,
            ratio(&ours.first, &base.first).median,
            asked(&ours.asked),
        );
        if !target.base && !target.peer {
            bar.cold(&target.name, own, cpu);
        }
    }
    compare(targets, results, bar);
}

/// Ratios of peers to roomkey.
fn compare(targets: &[Target], results: &[Rounds], bar: &mut Bar) {
    let ours = targets.iter().position(|target| !target.base && !target.peer);
    let Some(ours) = ours.map(|at| &results[at]) else { return };
    for (target, peer) in targets.iter().zip(results).filter(|(target, _)| target.peer) {
        bar.peer(&target.name, Figure::First, ratio(&peer.first, &ours.first), 0);
        bar.peer(&target.name, Figure::InitCpu, ratio(&peer.init_cpu, &ours.init_cpu), 0);
    }
}

/// Upstream requests of each start. Different starts are listed separately.
fn asked(starts: &[Asked]) -> String {
    let mut kinds: Vec<Asked> = Vec::new();
    for start in starts {
        if !kinds.contains(start) {
            kinds.push(*start);
        }
    }
    let kinds =
        kinds.iter().map(|asked| format!("{}, {}, {}", asked.secrets, asked.keys, asked.discovery));
    kinds.collect::<Vec<_>>().join(" or ")
}
