//! Warm requests: latency and CPU of an invocation once the process has served many.

use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::args::Args;
use crate::bar::Bar;
use crate::stats::{by_round, estimate, median, percentile, ratio};
use crate::target::{Process, Target};
use crate::tokens::{self, Alg, BareVerification, Issuer, Request};
use crate::upstream::Upstream;
use crate::{Failure, us};

/// Invocations of one target before the next has its turn.
const BATCH: usize = 200;

/// One target's rounds with one algorithm; the same index is the same round.
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
    let free = sched_getaffinity(Pid::from_raw(0))?;
    if args.pin {
        // Targets are children of this thread: they inherit its core.
        sched_setaffinity(Pid::from_raw(0), &last_core(&free)?)?;
    }
    let rounds = args.rounds.unwrap_or(9);
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
            turns.push(Turn::start(&targets[*target], &mut requests[*alg], args)?);
        }
        // Short turns: the speed of a shared machine drifts within seconds.
        for batch in 0..args.requests.div_ceil(BATCH) {
            for place in 0..cases.len() {
                let index = (place + batch + round) % cases.len();
                turns[index].batch(upstream, &mut requests[cases[index].0])?;
            }
        }
        for (at, alg) in args.algs.iter().enumerate() {
            let turn = turns.iter_mut().find(|turn| turn.target.base).ok_or("no base")?;
            bare[at].push(turn.bare(&issuer.bare_verification(*alg)?, &mut requests[at])?);
        }
        for (turn, results) in turns.into_iter().zip(&mut results) {
            turn.finish(results)?;
        }
        eprint!("\rwarm: round {} of {rounds}", round + 1);
    }
    eprintln!();
    sched_setaffinity(Pid::from_raw(0), &free)?;
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

fn last_core(free: &CpuSet) -> Result<CpuSet, Failure> {
    let is_free = |core: &usize| free.is_set(*core).unwrap_or(false);
    let core = (0..CpuSet::count()).rev().find(is_free).ok_or("no core to run on")?;
    let mut one = CpuSet::new();
    one.set(core)?;
    Ok(one)
}

/// One process in one round.
struct Turn<'a> {
    target: &'a Target,
    process: Process,
    took: Vec<f64>,
    cpu: Duration,
    asked: usize,
}

impl<'a> Turn<'a> {
    fn start(target: &'a Target, requests: &mut [Request], args: &Args) -> Result<Self, Failure> {
        let mut process = target.start()?.process;
        for count in 0..args.warmup {
            process.invoke(&mut requests[count % tokens::PEOPLE].event)?;
        }
        Ok(Self { target, process, took: Vec::new(), cpu: Duration::ZERO, asked: 0 })
    }

    fn batch(&mut self, upstream: &Upstream, requests: &mut [Request]) -> Result<(), Failure> {
        let asked = upstream.asked();
        let cpu = self.process.cpu()?;
        for count in 0..BATCH {
            let request = &mut requests[self.took.len() % tokens::PEOPLE];
            let answer = self.process.invoke(&mut request.event)?;
            self.took.push(us(answer.took));
            // The status of every answer, and of one in each batch everything: an error is cheap.
            let good = if self.target.base || count > 0 {
                expect_created(&answer.body)
            } else {
                tokens::check(&answer.body, &request.email)
            };
            good.map_err(|error| format!("{}: {error}", self.target.name))?;
        }
        self.cpu += self.process.cpu()?.saturating_sub(cpu);
        self.asked += (upstream.asked() - asked).total();
        Ok(())
    }

    /// CPU time of a bare verification, in microseconds: each behind a request of the base, so that
    /// it finds the core's caches as a function does.
    fn bare(&mut self, bare: &BareVerification, requests: &mut [Request]) -> Result<f64, Failure> {
        let mut took = Vec::new();
        for request in &mut requests[..BATCH] {
            self.process.invoke(&mut request.event)?;
            took.push(us(bare.run()?));
        }
        Ok(median(&took))
    }

    fn finish(self, rounds: &mut Rounds) -> Result<(), Failure> {
        rounds.cpu.push(us(self.cpu.div_f64(count(self.took.len()))));
        rounds.p50.push(percentile(&self.took, 0.5));
        rounds.p90.push(percentile(&self.took, 0.9));
        rounds.p99.push(percentile(&self.took, 0.99));
        rounds.peak_mb.push(self.process.peak_mb()?);
        rounds.asked += self.asked;
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn count(requests: usize) -> f64 {
    requests as f64
}

fn expect_created(answer: &[u8]) -> Result<(), Failure> {
    const CREATED: &[u8] = b"\"statusCode\":201";
    if answer.windows(CREATED.len()).any(|window| window == CREATED) {
        return Ok(());
    }
    Err(format!("not a 201: {}", String::from_utf8_lossy(answer)).into())
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
        "\n### Warm, {} ({} rounds of {} after {}, {pinned}; the bare verification takes {verification:.1} µs)\n",
        alg.name(),
        results[0].cpu.len(),
        args.requests,
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
        if !target.base {
            bar.warm(&target.name, alg, cpu, median(&ours.peak_mb), ours.asked);
        }
    }
}

/// ES256 verification itself is dearer: what counts is that nothing else grows with it.
fn compare(targets: &[Target], rs: &[Rounds], es: &[Rounds], bare: &[Vec<f64>], bar: &mut Bar) {
    for (at, target) in targets.iter().enumerate().filter(|(_, target)| !target.base) {
        let extra: Vec<f64> = bare[1].iter().zip(&bare[0]).map(|(es, rs)| es - rs).collect();
        let expected: Vec<f64> =
            rs[at].cpu.iter().zip(&extra).map(|(rs, extra)| rs + extra).collect();
        let against = by_round(&es[at].cpu, &expected, |es, expected| es / expected);
        bar.algorithms(&target.name, against, estimate(&extra));
    }
}
