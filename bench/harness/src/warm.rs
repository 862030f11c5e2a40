//! Warm requests: latency and CPU time of an invocation after many others.

use std::time::Duration;

use crate::args::Args;
use crate::bar::{Bar, Figure};
use crate::stats::{by_round, estimate, median, percentile, ratio};
use crate::target::Target;
use crate::tokens::{self, Alg, BareVerification, Issuer, Request};
use crate::turn::{self, BATCH, Turn};
use crate::upstream::Upstream;
use crate::{Failure, us};

/// Rounds of one target with one algorithm. Equal indexes belong to the same round.
#[derive(Default)]
struct Rounds {
    p50: Vec<f64>,
    p90: Vec<f64>,
    p99: Vec<f64>,
    cpu: Vec<f64>,
    peak_mb: Vec<f64>,
    asked: usize,
}

/// Measures every target with every algorithm once per round, and prints a table per algorithm.
pub fn run(
    targets: &[Target],
    upstream: &Upstream,
    issuer: &Issuer,
    args: &Args,
    bar: &mut Bar,
) -> Result<(), Failure> {
    let free = turn::pin(args.pin)?;
    let rounds = args.rounds.unwrap_or(9);
    let wanted = args.requests.unwrap_or(2000);
    let mut requests = Vec::new();
    for alg in &args.algs {
        requests.push(issuer.requests(*alg, &upstream.issuer(), tokens::PEOPLE)?);
    }
    let cases: Vec<(usize, usize)> = (0..args.algs.len())
        .flat_map(|alg| (0..targets.len()).map(move |target| (alg, target)))
        .collect();
    let mut results: Vec<Rounds> = cases.iter().map(|_| Rounds::default()).collect();
    let mut bare = vec![Vec::new(); args.algs.len()];
    for round in 0..rounds {
        let mut turns = Vec::new();
        for (alg, target) in &cases {
            turns.push(Turn::start(&targets[*target], &mut requests[*alg], args.warmup, 1)?);
        }
        // The turns are short, because the speed of a shared machine changes within seconds.
        for batch in 0..wanted.div_ceil(BATCH) {
            for place in 0..cases.len() {
                let index = (place + batch + round) % cases.len();
                turns[index].batch(upstream, &mut requests[cases[index].0])?;
            }
        }
        for (at, alg) in args.algs.iter().enumerate() {
            let turn = turns.iter_mut().find(|turn| turn.target.base).ok_or("no base")?;
            bare[at].push(self::bare(turn, &issuer.bare_verification(*alg)?, &mut requests[at])?);
        }
        for (turn, results) in turns.into_iter().zip(&mut results) {
            finish(&turn, results)?;
        }
        eprint!("\rwarm: round {} of {rounds}", round + 1);
    }
    eprintln!();
    turn::unpin(&free)?;
    for (at, alg) in args.algs.iter().enumerate() {
        let results = &results[at * targets.len()..][..targets.len()];
        print(targets, results, *alg, median(&bare[at]), args, bar);
    }
    if args.algs == [Alg::Rs256, Alg::Es256] {
        let (rs, es) = results.split_at(targets.len());
        compare(targets, rs, es, &bare, bar);
    }
    Ok(())
}

/// Returns the mean CPU time of a bare signature check in microseconds. Each check has a different
/// signature and follows a request of the base, so that caches and branch predictors are in the same
/// state as for a function.
fn bare(
    turn: &mut Turn,
    bare: &BareVerification,
    requests: &mut [Request],
) -> Result<f64, Failure> {
    let mut took = Duration::ZERO;
    for (place, request) in requests[..BATCH].iter_mut().enumerate() {
        turn.process.invoke(&mut request.event)?;
        took += bare.run(place)?;
    }
    Ok(us(took.div_f64(f64::from(u32::try_from(BATCH)?))))
}

fn finish(turn: &Turn, rounds: &mut Rounds) -> Result<(), Failure> {
    rounds.cpu.push(turn.cpu_us());
    rounds.p50.push(percentile(&turn.took, 0.5));
    rounds.p90.push(percentile(&turn.took, 0.9));
    rounds.p99.push(percentile(&turn.took, 0.99));
    rounds.peak_mb.push(turn.process.peak_mb()?);
    rounds.asked += turn.asked;
    Ok(())
}

fn print(
    targets: &[Target],
    results: &[Rounds],
    alg: Alg,
    verification: f64,
    args: &Args,
    bar: &mut Bar,
) {
    let pinned = if args.pin { "harness and target on one core" } else { "not pinned" };
    println!(
        "\n### Warm, {} ({} rounds of {} after {}, {pinned}; the bare signature check takes {verification:.1} µs)\n",
        alg.name(),
        results[0].cpu.len(),
        args.requests.unwrap_or(2000),
        args.warmup,
    );
    println!(
        "| target | p50 µs | p90 µs | p99 µs | CPU µs per request | peak MB | CPU × base [95 %] | p50 × base [95 %] | upstream requests |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let Some(base) = targets.iter().position(|target| target.base).map(|at| &results[at]) else {
        return;
    };
    for (target, ours) in targets.iter().zip(results) {
        let cpu = ratio(&ours.cpu, &base.cpu);
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} | {cpu} | {} | {} |",
            target.name,
            median(&ours.p50),
            median(&ours.p90),
            median(&ours.p99),
            median(&ours.cpu),
            median(&ours.peak_mb),
            ratio(&ours.p50, &base.p50),
            ours.asked,
        );
        if !target.base && !target.peer {
            bar.warm(&target.name, alg, cpu, median(&ours.peak_mb), ours.asked);
        }
    }
    let Some(ours) = targets.iter().position(|t| !t.base && !t.peer) else { return };
    let ours = &results[ours];
    for (target, peer) in targets.iter().zip(results).filter(|(target, _)| target.peer) {
        if alg == Alg::Rs256 {
            bar.peer(&target.name, Figure::Cpu, ratio(&peer.cpu, &ours.cpu), args.warmup);
            let memory = ratio(&peer.peak_mb, &ours.peak_mb);
            bar.peer(&target.name, Figure::Memory, memory, args.warmup);
        }
    }
}

/// Compares ES256 with RS256 plus the difference of the signature checks, since nothing else may
/// differ.
fn compare(targets: &[Target], rs: &[Rounds], es: &[Rounds], bare: &[Vec<f64>], bar: &mut Bar) {
    let ours = |target: &Target| !target.base && !target.peer;
    for (at, target) in targets.iter().enumerate().filter(|(_, target)| ours(target)) {
        let extra: Vec<f64> = bare[1].iter().zip(&bare[0]).map(|(es, rs)| es - rs).collect();
        let expected: Vec<f64> =
            rs[at].cpu.iter().zip(&extra).map(|(rs, extra)| rs + extra).collect();
        let against = by_round(&es[at].cpu, &expected, |es, expected| es / expected);
        bar.algorithms(&target.name, against, estimate(&extra));
    }
}
