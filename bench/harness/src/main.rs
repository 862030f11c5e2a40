//! Benchmark of cold start, CPU per request, memory and size of Lambda `bootstrap` programs, as
//! ratios to a hello-world.

mod args;
mod bar;
mod cold;
mod curves;
mod events;
mod flood;
mod growth;
mod inputs;
mod package;
mod plot;
mod random;
mod refresh;
mod runtime;
mod stats;
mod target;
mod tokens;
mod turn;
mod upstream;
mod warm;

use std::process::ExitCode;
use std::time::Duration;

use args::{Args, Mode, Named};
use bar::Bar;
use target::Target;
use tokens::{Alg, Issuer};
use upstream::Upstream;

/// Error that ends a run, because its figures would be meaningless.
pub type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    let directory = std::env::temp_dir().join(format!("roomkey-bench-{}", std::process::id()));
    let done = std::fs::create_dir_all(&directory).map_err(Failure::from);
    let done = done.and_then(|()| run(&args, &directory));
    // If removal fails, one small file of public certificates remains.
    let _ = std::fs::remove_dir_all(&directory);
    if let Err(error) = done {
        eprintln!("\n{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(args: &Args, directory: &std::path::Path) -> Result<(), Failure> {
    print_machine()?;
    let issuer = Issuer::new()?;
    let upstream = Upstream::start(&issuer, args.delay, args.roots, directory)?;
    let mut targets = targets(args, &upstream);
    for target in &mut targets {
        target.stage(directory)?;
    }
    let mut bar = Bar::default();
    print_sizes(&targets, &mut bar)?;
    for target in &targets {
        prove(target, &issuer, &upstream).map_err(|error| format!("{}: {error}", target.name))?;
    }
    match args.mode {
        Mode::Curves => curves::run(&targets[0], &upstream, &issuer, args)?,
        Mode::Flood => flood::run(&targets[0], &upstream, &issuer, args)?,
        Mode::Refresh => {
            let mut requests = issuer.requests(Alg::Rs256, &upstream.issuer(), tokens::PEOPLE)?;
            let rounds = args.rounds.unwrap_or(9);
            refresh::run(&targets, &upstream, &mut requests, rounds, args.delay)?;
        }
        Mode::Cold | Mode::Warm | Mode::All => ratios(args, &targets, &upstream, &issuer, bar)?,
    }
    println!("\nLoad average at the end: {}", load()?);
    Ok(())
}

/// Measures cold starts and warm requests, and compares both with their limits.
fn ratios(
    args: &Args,
    targets: &[Target],
    upstream: &Upstream,
    issuer: &Issuer,
    mut bar: Bar,
) -> Result<(), Failure> {
    if args.mode != Mode::Warm {
        let rounds = args.rounds.unwrap_or(21);
        let mut requests = issuer.requests(Alg::Rs256, &upstream.issuer(), tokens::PEOPLE)?;
        let discovering: Vec<Target> =
            targets.iter().filter(|t| !t.base && !t.peer).map(discovering).collect();
        let targets = [targets, &discovering].concat();
        cold::run(&targets, upstream, &mut requests, rounds, args.delay, &mut bar)?;
    }
    if args.mode != Mode::Cold {
        warm::run(targets, upstream, issuer, args, &mut bar)?;
    }
    bar.print();
    Ok(())
}

/// Returns every target with the configuration that all of them support.
fn targets(args: &Args, upstream: &Upstream) -> Vec<Target> {
    let shared = [
        ("ALLOWED_ORIGINS", events::ORIGIN.to_owned()),
        (
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            format!("https://localhost:{}", upstream.secrets_port),
        ),
        ("LIVEKIT_SECRET_ID", tokens::SECRET_ID.to_owned()),
        ("OIDC_AUDIENCE", tokens::AUDIENCE.to_owned()),
        ("OIDC_ISSUER", upstream.issuer()),
        (JWKS_VARIABLE, upstream.jwks_uri()),
        ("PROFILE_SOURCE", "claims".to_owned()),
        // All requests are of one person. The limit is counted, and never reached.
        ("TOKENS_PER_MINUTE", u32::MAX.to_string()),
        // The CA of the run for programs with built-in roots. SSL_CERT_FILE contains it as well.
        ("BENCH_CA_FILE", upstream.ca.to_string_lossy().into_owned()),
        ("SSL_CERT_FILE", upstream.roots.to_string_lossy().into_owned()),
    ];
    let target = |Named { name, path, peer }: &Named| {
        let own = args.env.iter().filter(|(target, ..)| target == name);
        let own = own.map(|(_, key, value)| (key.clone(), value.clone()));
        let base = *name == args.base;
        Target {
            name: name.clone(),
            path: path.into(),
            original: path.into(),
            base,
            peer: *peer,
            env: shared
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone()))
                .chain(own)
                .collect(),
        }
    };
    args.targets.iter().map(target).collect()
}

const JWKS_VARIABLE: &str = "OIDC_JWKS_URI";

/// Returns the target without the URL of the key set, so that it has to fetch the discovery document.
fn discovering(target: &Target) -> Target {
    let mut target = target.clone();
    target.name += ", with discovery";
    target.env.retain(|(key, _)| key != JWKS_VARIABLE);
    target
}

/// Checks a target before the measurement: valid tokens must succeed and an invalid one must fail.
fn prove(target: &Target, issuer: &Issuer, upstream: &Upstream) -> Result<(), Failure> {
    let mut process = target.start()?.process;
    for alg in [Alg::Rs256, Alg::Es256] {
        let mut requests = issuer.requests(alg, &upstream.issuer(), 2)?;
        for request in &mut requests {
            let answer = process.invoke(&mut request.event)?;
            if !target.base {
                tokens::check(&answer.body, request)?;
            }
        }
        let answer = process.invoke(&mut issuer.tampered(alg, &upstream.issuer())?)?;
        if !target.base {
            tokens::check_refused(&answer.body)?;
        }
    }
    Ok(())
}

fn print_sizes(targets: &[Target], bar: &mut Bar) -> Result<(), Failure> {
    println!("\n### Size of the deployment package\n\n| target | MB | zipped MB |\n|---|---|---|");
    for target in targets {
        let size = package::size(&target.original)?;
        println!("| {} | {:.2} | {:.2} |", target.name, mb(size.raw), mb(size.zipped));
        bar.size(target, mb(size.zipped));
    }
    Ok(())
}

fn print_machine() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().collect();
    println!("`{}`\n", words.join(" "));
    let field = |file: &str, key: &str, separator: char| -> Option<String> {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(key))?.to_owned();
        Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
    };
    let unknown = || "unknown".to_owned();
    println!(
        "Machine: {} × {}, {}, Linux {}, {}. Load average at the start: {}",
        std::thread::available_parallelism()?,
        field("/proc/cpuinfo", "model name", ':').unwrap_or_else(unknown),
        std::env::consts::ARCH,
        std::fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        field("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(unknown),
        load()?,
    );
    Ok(())
}

fn load() -> Result<String, Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn us(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Returns millions of bytes, the unit of AWS.
#[expect(clippy::cast_precision_loss, reason = "no program is that large")]
fn mb(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
