//! Says, check by check, what the endpoint would make of a token, and why.
//!
//! ```console
//! $ echo "$ACCESS_TOKEN" | cargo run --example doctor
//! ```
//!
//! Reads the same variables as the function, and the token from standard input. The token is neither
//! printed nor sent anywhere: UserInfo, which would be shown it, is only named. `--room NAME` asks the
//! policy about that room; `--json` for scripts; the exit status is 0 where the token would be
//! accepted, 1 otherwise.

mod examination;
mod report;

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::time::SystemTime;

use roomkey::{Config, text};

use crate::report::{Finding, Report};

/// Longest input that is read, in bytes.
const INPUT_BYTES: u64 = 65_536;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut as_json = false;
    let mut room = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => as_json = true,
            "--room" if room.is_none() => {
                room = arguments.next().filter(|room| text::is_name(room));
                if room.is_none() {
                    return usage();
                }
            }
            _ => return usage(),
        }
    }
    let report = examine(room.as_deref()).await;
    if as_json {
        println!("{}", report.to_json());
    } else {
        print!("{}", report.to_text(std::io::stdout().is_terminal()));
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("usage: doctor [--room NAME] [--json] < token");
    ExitCode::FAILURE
}

async fn examine(room: Option<&str>) -> Report {
    let mut report = Report::default();
    #[expect(clippy::disallowed_methods, reason = "the doctor reads what the function would")]
    let config = Config::from_lookup(|variable| std::env::var(variable).ok());
    let config = match config {
        Ok(config) => {
            report.add(Finding::pass("configuration", "every variable can be used"));
            config
        }
        Err(error) => {
            report.add(Finding::fail("configuration", &error.to_string()));
            return report;
        }
    };
    let mut token = String::new();
    if std::io::stdin().take(INPUT_BYTES).read_to_string(&mut token).is_err() {
        report.add(Finding::fail("token", "standard input holds no text"));
        return report;
    }
    let token = token.trim();
    // Pasted with its scheme as often as not.
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    if token.is_empty() {
        report.add(Finding::fail("token", "standard input is empty: pipe the access token in"));
        return report;
    }
    #[expect(clippy::disallowed_methods, reason = "tokens are judged as of now")]
    let now = SystemTime::now();
    examination::of(config, token, room, now, &mut report).await;
    report
}
