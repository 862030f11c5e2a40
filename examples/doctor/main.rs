//! Prints the result of every check of the endpoint for a token.
//!
//! ```console
//! $ echo "$ACCESS_TOKEN" | cargo run --example doctor
//! ```
//!
//! Reads the same variables as the function, and the token from standard input. The token is neither
//! printed nor sent anywhere, unless `--query` allows requests to UserInfo, user directories and Secrets
//! Manager. `--room NAME` evaluates the policy for that room, and `--json` prints JSON. The exit status
//! is 0 if the token would be accepted, 1 if it would be rejected, and 2 if a check that was not made
//! decides.

mod examination;
mod report;

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
    let mut room = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--query" => may_query = true,
            "--room" if room.is_none() => {
                room = arguments.next().filter(|room| text::is_name(room));
                if room.is_none() {
                    return usage();
                }
            }
            _ => return usage(),
        }
    }
    let report = examine(room.as_deref(), may_query).await;
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
    eprintln!("usage: doctor [--room NAME] [--query] [--json] < token");
    ExitCode::from(64) // EX_USAGE
}

async fn examine(room: Option<&str>, may_query: bool) -> Report {
    let mut report = Report::default();
    #[expect(
        clippy::disallowed_methods,
        reason = "the doctor reads the same variables as the function"
    )]
    let config = Config::from_lookup(|variable| std::env::var(variable).ok());
    let config = match config {
        Ok(config) => {
            report.add(Finding::pass("configuration", "all variables are valid"));
            config
        }
        Err(error) => {
            report.add(Finding::fail("configuration", &error.to_string()));
            return report;
        }
    };
    let mut token = String::new();
    if std::io::stdin().take(INPUT_BYTES).read_to_string(&mut token).is_err() {
        report.add(Finding::fail("token", "standard input is not UTF-8"));
        return report;
    }
    let token = token.trim();
    // Pasted tokens often include the scheme.
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    if token.is_empty() {
        report.add(Finding::fail("token", "standard input is empty: pipe the access token to it"));
        return report;
    }
    #[expect(clippy::disallowed_methods, reason = "tokens are checked at the current time")]
    let now = SystemTime::now();
    let mut question = Question::new(token);
    (question.room, question.may_query) = (room, may_query);
    examination::of(&App::new(config), question, now, &mut report).await;
    report
}
