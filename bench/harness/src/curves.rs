//! CPU per request for inputs of growing size, and its growth.

use std::fmt::Write as _;

use crate::Failure;
use crate::args::Args;
use crate::growth::{Growth, Judgment, judge};
use crate::inputs::{Filling, KeySet, Miss};
use crate::plot::{Line, Plot, grouped};
use crate::stats::{Estimate, estimate};
use crate::target::Target;
use crate::tokens::{Alg, Issuer, PEOPLE, Request};
use crate::turn::{self, BATCH, Turn};
use crate::upstream::Upstream;

const KEYS: [usize; 9] = [1, 2, 5, 10, 50, 100, 250, 500, 1000];
const CLAIMS: [usize; 9] = [1, 100, 500, 1000, 2000, 3500, 5000, 7000, 10_000];
/// More claims make a token longer than the gateway's limit of 10,240 bytes for all headers.
const CLAIMS_TAKEN: usize = 7000;
const RULES: [usize; 8] = [1, 2, 5, 10, 50, 100, 150, 200];
const COLORS: [usize; 6] = [1, 2, 5, 15, 30, 64];
const REQUESTS: [usize; 8] = [1, 2, 5, 10, 25, 50, 75, 100];

struct Curve {
    name: &'static str,
    title: &'static str,
    x: &'static str,
    /// Maximum growth.
    bound: Growth,
    series: Vec<Series>,
}

struct Series {
    name: &'static str,
    points: Vec<Point>,
}

/// One input with everything that its measurement requires.
struct Point {
    input: usize,
    target: Target,
    requests: Vec<Request>,
    at_once: usize,
    /// Whether the input exceeds a limit. Its rejection must be cheap, and it is not part of the curve.
    refused: bool,
    /// Microseconds of CPU per request, per round.
    cpu: Vec<f64>,
}

/// Measures the selected curves. Returns an error if one exceeds its maximum growth.
pub fn run(
    target: &Target,
    upstream: &Upstream,
    issuer: &Issuer,
    args: &Args,
) -> Result<(), Failure> {
    let wanted = |name: &str| args.curves.is_empty() || args.curves.iter().any(|one| one == name);
    let mut grown = Vec::new();
    let mut measured = 0;
    for (name, make) in CURVES {
        if !wanted(name) {
            continue;
        }
        let mut curve = make(target, upstream, issuer)?;
        measure(&mut curve, upstream, args)?;
        if !report(&curve, args)? {
            grown.push(name);
        }
        measured += 1;
    }
    if measured == 0 || measured < args.curves.len() {
        return Err("the curve must be keys, claims, rules, colors or concurrency".into());
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!("growth exceeds the limit: {}", grown.join(", ")).into())
}

type Make = fn(&Target, &Upstream, &Issuer) -> Result<Curve, Failure>;

const CURVES: [(&str, Make); 5] = [
    ("keys", keys),
    ("claims", claims),
    ("rules", rules),
    ("colors", colors),
    ("concurrency", concurrency),
];

fn keys(target: &Target, upstream: &Upstream, _: &Issuer) -> Result<Curve, Failure> {
    let point = |input: usize| {
        let set = KeySet::new(input)?;
        let address = upstream.add_keys(&input.to_string(), set.jwks());
        let target = with(target, "OIDC_JWKS_URI", address);
        Ok(Point::new(input, target, set.requests(&upstream.issuer())?))
    };
    let points = KEYS.into_iter().map(point).collect::<Result<_, Failure>>()?;
    Ok(Curve {
        name: "keys",
        title: "CPU per request by keys in the set",
        x: "keys in the set (P-256); each token uses one of them",
        bound: Growth::None,
        series: vec![Series { name: "ES256", points }],
    })
}

fn claims(target: &Target, upstream: &Upstream, issuer: &Issuer) -> Result<Curve, Failure> {
    let series = |name, filling: Filling| {
        let point = |input| {
            let requests = filling.requests(input, issuer, &upstream.issuer())?;
            let refused = input > CLAIMS_TAKEN;
            Ok(Point { refused, ..Point::new(input, target.clone(), requests) })
        };
        let points = CLAIMS.into_iter().map(point).collect::<Result<_, Failure>>()?;
        Ok::<_, Failure>(Series { name, points })
    };
    Ok(Curve {
        name: "claims",
        title: "CPU per request by length of the claims",
        x: "bytes of additional claims",
        bound: Growth::Linear,
        series: vec![
            series("one long claim", Filling::OneText)?,
            series("many short claims", Filling::ManyClaims)?,
        ],
    })
}

fn rules(target: &Target, upstream: &Upstream, issuer: &Issuer) -> Result<Curve, Failure> {
    let series = |name, miss: Miss| {
        let point = |input| {
            let target = with(target, "POLICY", miss.policy(input));
            Point::of_people(input, target, upstream, issuer)
        };
        let points = RULES.into_iter().map(point).collect::<Result<_, Failure>>()?;
        Ok::<_, Failure>(Series { name, points })
    };
    Ok(Curve {
        name: "rules",
        title: "CPU per request by rules of the policy",
        x: "rules; the last one decides",
        bound: Growth::Linear,
        series: vec![
            series("all except the last with other claims", Miss::Claims)?,
            series("all except the last with other rooms", Miss::Rooms)?,
        ],
    })
}

fn colors(target: &Target, upstream: &Upstream, issuer: &Issuer) -> Result<Curve, Failure> {
    let point = |input: usize| {
        let palette: Vec<_> = (0..input).map(|color| format!("#{color:06X}")).collect();
        let target = with(target, "PRESENCE_PALETTE", palette.join(","));
        Point::of_people(input, target, upstream, issuer)
    };
    let points = COLORS.into_iter().map(point).collect::<Result<_, Failure>>()?;
    Ok(Curve {
        name: "colors",
        title: "CPU per request by colors in the palette",
        x: "colors in the palette; each person has one of them",
        bound: Growth::None,
        series: vec![Series { name: "ES256", points }],
    })
}

fn concurrency(target: &Target, upstream: &Upstream, issuer: &Issuer) -> Result<Curve, Failure> {
    let point = |input: usize| {
        let target = with(target, "AWS_LAMBDA_MAX_CONCURRENCY", input.to_string());
        Ok(Point { at_once: input, ..Point::of_people(input, target, upstream, issuer)? })
    };
    let points = REQUESTS.into_iter().map(point).collect::<Result<_, Failure>>()?;
    Ok(Curve {
        name: "concurrency",
        title: "CPU per request by concurrent requests",
        x: "concurrent requests in one environment (AWS_LAMBDA_MAX_CONCURRENCY)",
        bound: Growth::Linear,
        series: vec![Series { name: "ES256", points }],
    })
}

fn with(target: &Target, key: &str, value: String) -> Target {
    let mut target = target.clone();
    target.env.retain(|(name, _)| name != key);
    target.env.push((key.to_owned(), value));
    target
}

impl Point {
    fn new(input: usize, target: Target, requests: Vec<Request>) -> Self {
        Self { input, target, requests, at_once: 1, refused: false, cpu: Vec::new() }
    }

    /// Requests of the default people.
    fn of_people(
        input: usize,
        target: Target,
        upstream: &Upstream,
        issuer: &Issuer,
    ) -> Result<Self, Failure> {
        let requests = issuer.requests(Alg::Es256, &upstream.issuer(), PEOPLE)?;
        Ok(Self::new(input, target, requests))
    }

    fn cost(&self) -> Estimate {
        estimate(&self.cpu)
    }
}

impl Series {
    fn taken(&self) -> impl Iterator<Item = &Point> {
        self.points.iter().filter(|point| !point.refused)
    }

    /// For concurrent requests, the sum of their costs is compared with the limit.
    fn judge(&self) -> Judgment {
        let inputs: Vec<f64> = self.taken().map(|point| number(point.input)).collect();
        let all = |point: &Point| {
            point.cpu.iter().map(|cpu| cpu * number(point.at_once)).collect::<Vec<_>>()
        };
        let costs: Vec<_> = self.taken().map(all).collect();
        judge(&inputs, &costs)
    }
}

/// Alternates between all points of a curve, so that a round has one speed of the machine.
fn measure(curve: &mut Curve, upstream: &Upstream, args: &Args) -> Result<(), Failure> {
    let rounds = args.rounds.unwrap_or(7);
    let batches = args.requests.unwrap_or(1000).div_ceil(BATCH);
    let free = turn::pin(args.pin)?;
    for round in 0..rounds {
        let points = curve.series.iter_mut().flat_map(|series| &mut series.points);
        let mut turns = Vec::new();
        for Point { target, requests, at_once, refused, cpu, .. } in points {
            let mut turn = Turn::start(target, requests, args.warmup, *at_once)?;
            turn.refused = *refused;
            turns.push((turn, requests, cpu));
        }
        let count = turns.len();
        for batch in 0..batches {
            for place in 0..count {
                let (turn, requests, _) = &mut turns[(place + batch + round) % count];
                turn.batch(upstream, requests)?;
            }
        }
        for (turn, _, cpu) in turns {
            cpu.push(turn.cpu_us());
        }
        eprint!("\r{}: round {} of {rounds}", curve.name, round + 1);
    }
    eprintln!();
    turn::unpin(&free)
}

/// Prints the table and writes figures and plot. Returns whether the growth is within its limit.
fn report(curve: &Curve, args: &Args) -> Result<bool, Failure> {
    println!("\n### {}\n", curve.title);
    println!("| series | {} | CPU µs per request [95 %] | × first [95 %] |", curve.x);
    println!("|---|---|---|---|");
    let mut csv = "series,input,status,cpu_us,low,high\n".to_owned();
    let mut lines = Vec::new();
    for series in &curve.series {
        let first = &series.points[0].cpu;
        let mut line = Line { name: series.name.to_owned(), points: Vec::new() };
        for point in &series.points {
            let cost = point.cost();
            let times = crate::stats::ratio(&point.cpu, first);
            let note = if point.refused { ", rejected with 401" } else { "" };
            let (input, name) = (point.input, series.name);
            println!("| {name} | {}{note} | {cost} | {times} |", grouped(number(input)));
            let Estimate { median, low, high } = cost;
            let status = if point.refused { 401 } else { 201 };
            writeln!(csv, "{name},{input},{status},{median:.2},{low:.2},{high:.2}")?;
            if !point.refused {
                line.points.push([number(input), median, low, high]);
            }
        }
        lines.push(line);
    }
    println!();
    let mut kept = true;
    for series in &curve.series {
        let Judgment { growth, times } = series.judge();
        let good = growth <= curve.bound;
        kept &= good;
        println!(
            "{}: growth {growth}, {times} × from the first point to the last{}. Limit {}: {}.",
            series.name,
            if series.points.iter().any(|point| point.at_once > 1) {
                " for the sum of concurrent requests"
            } else {
                ""
            },
            curve.bound,
            if good { "met" } else { "**not met**" },
        );
    }
    let plot = Plot { title: curve.title, x: curve.x, y: "CPU per request, µs", lines };
    leave(args, curve.name, &csv, &plot)?;
    Ok(kept)
}

/// Writes figures and plot to the directories of the command line.
pub fn leave(args: &Args, name: &str, csv: &str, plot: &Plot) -> Result<(), Failure> {
    std::fs::create_dir_all(&args.csv)?;
    std::fs::create_dir_all(&args.plots)?;
    let (figures, picture) =
        (args.csv.join(format!("{name}.csv")), args.plots.join(format!("{name}.svg")));
    std::fs::write(&figures, csv)?;
    std::fs::write(&picture, plot.svg())?;
    println!("\nFigures: `{}`. Plot: `{}`.", figures.display(), picture.display());
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "at most ten thousand")]
fn number(input: usize) -> f64 {
    input as f64
}
