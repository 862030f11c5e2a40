//! Prints the result of every check of the endpoint for a token.
//!
//! ```console
//! $ echo "$ACCESS_TOKEN" | cargo run --example doctor
//! ```
//!
//! Reads the same variables as the function, and the token from standard input. The token is neither
//! printed nor sent anywhere, unless `--query` allows requests to UserInfo, user directories and Secrets
//! Manager, or `--ask` a request to the app. `--room NAME` evaluates the policy for that room, and `--json` prints JSON. The exit status
//! is 0 if the token would be accepted, 1 if it would be rejected, and 2 if a check that was not made
//! decides.

mod examination;
mod report;
mod token;

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::time::SystemTime;

use roomkey::exchange::Question;
use roomkey::{App, Config, text};

use crate::report::{Finding, Report, Verdict};

/// Maximum length of the input in bytes.
const INPUT_BYTES: u64 = 65_536;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut as_json = false;
    let mut may_query = false;
    let mut may_ask = false;
    let mut room = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--query" => may_query = true,
            "--ask" => may_ask = true,
            "--room" if room.is_none() => {
                room = arguments.next().filter(|room| text::is_name(room));
                if room.is_none() {
                    return usage();
                }
            }
            _ => return usage(),
        }
    }
    let report = examine(room.as_deref(), may_query, may_ask).await;
    if as_json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_text(std::io::stdout().is_terminal()));
    }
    match report.verdict() {
        Verdict::Accepted => ExitCode::SUCCESS,
        Verdict::Rejected => ExitCode::FAILURE,
        Verdict::Open => ExitCode::from(2),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: doctor [--room NAME] [--query] [--ask] [--json] < token");
    ExitCode::from(64) // EX_USAGE
}

async fn examine(room: Option<&str>, may_query: bool, may_ask: bool) -> Report {
    let mut report = Report::default();
    let mut input = String::new();
    let is_text = std::io::stdin().take(INPUT_BYTES).read_to_string(&mut input).is_ok();
    // Pasted tokens often include quotes or the scheme.
    let token = input.trim().trim_matches('"');
    let token = token.strip_prefix("Bearer ").unwrap_or(token).trim();
    let config = match configuration(token) {
        Ok(config) => {
            report.add(Finding::pass("configuration", "all variables are valid"));
            config
        }
        Err(faults) => {
            report.add(Finding::fail("configuration", &faults));
            token::recognize(token, &mut report);
            return report;
        }
    };
    let mistake = if is_text { token::mistake(token) } else { Some("standard input is not UTF-8") };
    if let Some(mistake) = mistake {
        report.add(Finding::fail("token", mistake));
        return report;
    }
    token::recognize(token, &mut report);
    #[expect(clippy::disallowed_methods, reason = "tokens are checked at the current time")]
    let now = SystemTime::now();
    let mut question = Question::new(token);
    (question.room, question.may_query, question.may_ask) = (room, may_query, may_ask);
    examination::of(&App::new(config), question, now, &mut report).await;
    report
}

/// Reads the configuration. Without `OIDC_ISSUER`, its other faults are those for the issuer of
/// `token`.
fn configuration(token: &str) -> Result<Config, String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the doctor reads the same variables as the function"
    )]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let faults = match Config::from_lookup(variable) {
        Ok(config) => return Ok(config),
        Err(error) => error.to_string(),
    };
    let Some(issuer) = token::issuer(token).filter(|_| variable("OIDC_ISSUER").is_none()) else {
        return Err(faults);
    };
    let with_issuer = |name: &str| match name {
        "OIDC_ISSUER" => Some(issuer.clone()),
        _ => variable(name),
    };
    let others = Config::from_lookup(with_issuer).err().map(|error| format!("\nwith it: {error}"));
    Err(format!("OIDC_ISSUER is not set: the token is from {issuer}{}", others.unwrap_or_default()))
}
