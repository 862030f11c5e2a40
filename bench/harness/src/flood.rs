//! Memory of one process under tokens, people and rooms that never repeat.

use std::fmt::Write as _;

use crate::Failure;
use crate::args::Args;
use crate::curves::leave;
use crate::plot::{Line, Plot, grouped};
use crate::random::Random;
use crate::target::Target;
use crate::tokens::{self, Alg, Issuer, Request};
use crate::turn::{self, expect_created};
use crate::upstream::Upstream;

/// Number of requests after which caches are full and memory must stay constant.
const SETTLED: usize = 10_000;
/// Maximum ratio of the last value to the value after `SETTLED` requests.
const FLAT: f64 = 1.05;
/// Number of memory measurements.
const LOOKS: usize = 50;

/// Kind of token in a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    /// A well-formed token with a key of the set and an invalid signature.
    Forged,
    /// A well-formed token with an unknown key.
    UnknownKey,
    /// A token that is not a JWT.
    Garbage,
}

/// Sends `--requests` requests. Returns an error if a response is wrong or memory has grown.
pub fn run(
    target: &Target,
    upstream: &Upstream,
    issuer: &Issuer,
    args: &Args,
) -> Result<(), Failure> {
    let count = args.requests.unwrap_or(1_000_000);
    if count <= SETTLED {
        return Err(format!("a flood must have more than {SETTLED} requests").into());
    }
    let free = turn::pin(args.pin)?;
    let asked = upstream.asked();
    let mut process = target.start()?.process;
    let mut random = Random::new();
    let mut counts = [0_usize; 4];
    let mut looks: Vec<(usize, f64)> = Vec::new();
    for sent in 1..=count {
        let kind = kind(&mut random);
        let mut request = request(kind, issuer, &upstream.issuer(), &mut random)?;
        let answer = process.invoke(&mut request.event)?.body;
        counts[kind as usize] += 1;
        if kind != Kind::Good {
            tokens::check_refused(&answer)?;
        } else if sent % 100 == 0 {
            tokens::check(&answer, &request)?;
        } else {
            expect_created(&answer)?;
        }
        if sent == SETTLED || sent % (count / LOOKS) == 0 {
            looks.push((sent, process.resident_mb()?));
            process.forget_log()?;
            eprint!("\rflood: {sent} of {count}");
        }
    }
    eprintln!();
    turn::unpin(&free)?;
    let asked = upstream.asked() - asked;
    println!("\n### Memory under a flood\n");
    println!(
        "{} requests to one process: {} with good tokens, {} with forged signatures, {} with unknown keys, {} without a JWT. No person and no room occurred twice. Every valid request received 201, every other one 401. Upstream requests: {} for the secret, {} for the keys.\n",
        grouped(number(count)),
        grouped(number(counts[0])),
        grouped(number(counts[1])),
        grouped(number(counts[2])),
        grouped(number(counts[3])),
        asked.secrets,
        asked.keys,
    );
    report(&looks, process.peak_mb()?, args)
}

fn kind(random: &mut Random) -> Kind {
    match random.below(10) {
        0..=4 => Kind::Good,
        5..=6 => Kind::Forged,
        7..=8 => Kind::UnknownKey,
        _ => Kind::Garbage,
    }
}

fn request(
    kind: Kind,
    issuer: &Issuer,
    address: &str,
    random: &mut Random,
) -> Result<Request, Failure> {
    let email = format!("{}@people.example", random.hex());
    let room = format!("room-{}", random.hex());
    let mut claims = tokens::claims(address, 0)?;
    claims["sub"] = format!("user_{}{}", random.hex(), random.hex()).into();
    claims["jti"] = random.hex().into();
    claims["email"] = email.as_str().into();
    claims["name"] = random.hex().into();
    let mut forged: Vec<u8> = (0..8).flat_map(|_| random.next().to_be_bytes()).collect();
    let token = match kind {
        Kind::Good => tokens::compact(Alg::Es256, Alg::Es256.name(), &claims, |message| {
            issuer.sign(Alg::Es256, message)
        })?,
        Kind::Forged => {
            // Below the order of the curve, so that only the computation detects the invalid signature.
            forged[0] = 1;
            forged[32] = 1;
            tokens::compact(Alg::Es256, Alg::Es256.name(), &claims, |_| Ok(forged))?
        }
        Kind::UnknownKey => tokens::compact(Alg::Es256, &random.hex(), &claims, |_| Ok(forged))?,
        Kind::Garbage => (0..random.below(40)).map(|_| random.hex()).collect(),
    };
    Ok(Request::new(&token, email, &room))
}

fn report(looks: &[(usize, f64)], peak: f64, args: &Args) -> Result<(), Failure> {
    let settled =
        looks.iter().find(|(sent, _)| *sent == SETTLED).ok_or("memory was not measured")?.1;
    let (count, last) = *looks.last().ok_or("memory was not measured")?;
    println!("| requests | resident MB |\n|---|---|");
    println!(
        "| {} | {settled:.2} |\n| {} | {last:.2} |",
        grouped(number(SETTLED)),
        grouped(number(count))
    );
    let flat = last <= settled * FLAT;
    println!(
        "\nPeak {peak:.2} MB. {:.3} × from the first to the last value. Limit ≤ {FLAT} ×: {}.",
        last / settled,
        if flat { "met" } else { "**not met**" },
    );
    let mut csv = "requests,resident_mb\n".to_owned();
    for (sent, resident) in looks {
        writeln!(csv, "{sent},{resident:.3}")?;
    }
    let points = looks.iter().map(|(sent, mb)| [number(*sent), *mb, *mb, *mb]).collect();
    let lines = vec![Line { name: "resident".to_owned(), points }];
    let title = "Memory under tokens, people and rooms that never repeat";
    leave(args, "flood", &csv, &Plot { title, x: "requests", y: "resident memory, MB", lines })?;
    if flat { Ok(()) } else { Err("memory has grown".into()) }
}

#[expect(clippy::cast_precision_loss, reason = "some million")]
fn number(count: usize) -> f64 {
    count as f64
}
