//! Asks a policy who may do what.
//!
//! ```console
//! $ cargo run --example policy -- --claims claims.json --room acme:standup
//! $ cargo run --example policy -- --cases policy-cases.toml
//! ```
//!
//! The policy is `--policy FILE`, or else `POLICY`, or else the built-in `policy.toml`, as in the
//! function. The claims are a JSON object, what a token's payload holds, in a file or (`-`) on standard
//! input. Claims, and not a token: a token is a secret, and for one there is the doctor, which checks
//! it. `--json` for scripts. The exit status is 0 where the caller gets a token or all cases hold, 1
//! where not, 64 where there is nothing to be asked: wrong arguments, or faults in one of the files.

mod arguments;
mod cases;
mod question;
mod report;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use roomkey::json;
use roomkey::policy::{BUILT_IN, Policy, PolicyFault};
use serde_json::{Map, Value};

use crate::arguments::{Arguments, USAGE};
use crate::cases::Cases;
use crate::question::{PolicyAnswer, Question};

/// `EX_USAGE` of sysexits.h.
const EX_USAGE: u8 = 64;

fn main() -> ExitCode {
    let answer = Arguments::read(std::env::args().skip(1))
        .map_err(|fault| format!("{fault}\n{USAGE}"))
        .and_then(|arguments| run(&arguments));
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(faults) => {
            eprintln!("{faults}");
            ExitCode::from(EX_USAGE)
        }
    }
}

/// Whether the caller is allowed in, or all cases hold; else what keeps it from being asked.
fn run(arguments: &Arguments) -> Result<bool, String> {
    let (policy, source) = policy(arguments.policy.as_deref())?;
    match &arguments.cases {
        Some(path) => run_cases(&policy, path, arguments.as_json),
        None => ask(&policy, &source, arguments),
    }
}

fn ask(policy: &Policy, source: &str, arguments: &Arguments) -> Result<bool, String> {
    let claims = claims(arguments.claims.as_deref().unwrap_or(Path::new("-")))?;
    let room_config = match &arguments.room_config {
        None => None,
        Some(text) => Some(json::parse(text.as_bytes()).map_err(|_| "--room-config is no JSON")?),
    };
    let (room, agents) = (arguments.room.as_deref(), &arguments.agents);
    let question = Question::new(claims, room, agents, room_config.as_ref())
        .map_err(|reason| format!("400 invalid_request: {reason}"))?;
    let answer = question.evaluate(policy);
    if arguments.as_json {
        println!("{}", report::to_json(&answer, source));
    } else {
        print!("{}", report::Text(&answer, source));
    }
    Ok(matches!(answer, PolicyAnswer::Allowed(_)))
}

fn run_cases(policy: &Policy, path: &Path, as_json: bool) -> Result<bool, String> {
    let source = path.display();
    let cases = Cases::read(&text(path)?).map_err(|faults| {
        let fault = |fault: &cases::Fault| format!("{source}:{}: {}", fault.line, fault.reason);
        faults.iter().map(fault).collect::<Vec<_>>().join("\n")
    })?;
    let failures = cases.failures(policy);
    if as_json {
        println!("{}", report::cases_to_json(&cases, &failures));
    } else {
        for failure in &failures {
            println!("{source}:{failure}");
        }
        println!("{} of {} cases hold", cases.count() - failures.len(), cases.count());
    }
    Ok(failures.is_empty())
}

/// The policy that is asked, and what its lines are lines of.
fn policy(path: Option<&Path>) -> Result<(Policy, String), String> {
    #[expect(clippy::disallowed_methods, reason = "it reads what the function would")]
    let variable = std::env::var("POLICY").ok().filter(|text| !text.is_empty());
    let (text, source) = match (path, variable) {
        (Some(path), _) => (text(path)?, path.display().to_string()),
        (None, Some(text)) => (text, "POLICY".to_owned()),
        (None, None) => (BUILT_IN.to_owned(), "policy.toml".to_owned()),
    };
    let policy = Policy::parse(&text).map_err(|error| {
        let fault = |fault: &PolicyFault| format!("{source}:{}: {}", fault.line, fault.reason);
        error.faults().iter().map(fault).collect::<Vec<_>>().join("\n")
    })?;
    Ok((policy, source))
}

fn claims(path: &Path) -> Result<Map<String, Value>, String> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map(|_| text).map_err(|_| "standard input holds no text".to_owned())?
    } else {
        text(path)?
    };
    json::parse_object(text.as_bytes()).map_err(|_| {
        let path = path.display();
        format!("{path}: claims are one JSON object without duplicate members; for a token there is the doctor")
    })
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))
}
