//! Prints the decision of a policy for a caller, or checks a file of cases.
//!
//! ```console
//! $ cargo run --example policy -- --claims claims.json --room acme:standup
//! $ cargo run --example policy -- --cases policy-cases.toml
//! ```
//!
//! The policy is `--policy FILE`, or else `POLICY`, or else the built-in `policy.toml`. The claims are
//! the JSON payload of a token, in a file or (`-`) on standard input; `--issuer` is the name of the
//! token's issuer, if there are several. A token itself is a secret: the doctor checks one. If the rule
//! asks the app, the URL is printed, and `--ask` sends the request, with `ACCESS_TOKEN` and `ASK_SECRET`
//! if the app receives them. `--json` is for scripts. The exit status is 0 if the caller receives a token or all cases pass, and 1 otherwise.
//! It is 64 if the arguments or a file are invalid.

mod app;
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
use crate::question::{Input, PolicyAnswer, Question};
use crate::report::Report;

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

/// Returns whether the caller receives a token or all cases pass, or the faults of the input.
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
        Some(text) => Some(json::parse(text.as_bytes()).map_err(|_| "--room-config must be JSON")?),
    };
    let input = Input {
        claims,
        issuer: arguments.issuer.as_deref(),
        room: arguments.room.as_deref(),
        agents: &arguments.agents,
        room_config: room_config.as_ref(),
    };
    let question =
        Question::new(input).map_err(|reason| format!("400 invalid_request: {reason}"))?;
    let mut answer = question.evaluate(policy);
    if arguments.may_ask {
        answer = app::ask(policy, &question, answer)?;
    }
    let rules = report::explain(&question, policy);
    let report = Report { answer: &answer, rules: &rules, source };
    if arguments.as_json {
        println!("{}", report.to_json());
    } else {
        print!("{report}");
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
        println!("{} of {} cases pass", cases.count() - failures.len(), cases.count());
    }
    Ok(failures.is_empty())
}

/// The policy, and the name of its source.
fn policy(path: Option<&Path>) -> Result<(Policy, String), String> {
    #[expect(clippy::disallowed_methods, reason = "the variable that the function reads")]
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
        read.map(|_| text).map_err(|_| "standard input must be UTF-8".to_owned())?
    } else {
        text(path)?
    };
    json::parse_object(text.as_bytes()).map_err(|_| {
        let path = path.display();
        format!("{path}: claims must be one JSON object without duplicate fields; the doctor reads tokens")
    })
}

fn text(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|fault| format!("{}: {fault}", path.display()))
}
