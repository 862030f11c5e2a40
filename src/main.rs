//! The binary of the function: logging, configuration, first fetches, events.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use roomkey::{App, Config, lambda, logging};

fn main() -> ExitCode {
    let config = Config::from_lookup(variable);
    let level = config.as_ref().map_or(logging::DEFAULT_LEVEL, |config| config.log_level);
    let function = config.as_ref().ok().and_then(|config| config.function_name.clone());
    logging::init(level, clock, function);
    logging::log_panics();
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "not started");
            eprintln!("{error}");
            return ExitCode::from(64); // EX_USAGE
        }
    };
    // One thread: a second one costs 2.6 times the CPU of a request on Lambda's share of a core.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "not started");
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        let app = Arc::new(App::new(config));
        app.warm_up(clock()).await;
        match lambda::run(app, clock).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!(%error, "stopped");
                ExitCode::FAILURE
            }
        }
    })
}

/// Reads a variable. Outside Lambda, the package is the folder of the binary.
fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the only reader of the environment")]
    let value = std::env::var(name).ok();
    let folder = || Some(std::env::current_exe().ok()?.parent()?.to_str()?.to_owned());
    value.or_else(|| if name == "LAMBDA_TASK_ROOT" { folder() } else { None })
}

#[expect(clippy::disallowed_methods, reason = "the only reader of the clock")]
fn clock() -> SystemTime {
    SystemTime::now()
}
