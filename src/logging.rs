//! Log lines: one JSON object per request and one per fetch, on Lambda with CloudWatch metrics.
//! `docs/operations.md` lists every field.
//!
//! No line contains a token, a key, an email address, a name or a body.

mod event;
mod line;
mod metrics;

use std::sync::OnceLock;
use std::time::SystemTime;

use serde::Serialize;
use tracing::{Event, Level, Subscriber};
use tracing_serde::fields::AsMap;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

pub use event::{Effect, FetchLog, Outcome, RequestLog};
use line::Output;
use metrics::Metric;

use crate::reason::Reason;

/// The level of `RUST_LOG` if the configuration is invalid.
pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::INFO;

/// Parses `RUST_LOG`, the level of roomkey's own lines.
///
/// # Errors
///
/// The list of accepted values, if `text` is none of them.
pub fn parse_level(text: &str) -> Result<LevelFilter, Reason> {
    text.parse().map_err(|_| Reason("must be off, error, warn, info, debug or trace"))
}

/// The destination of all lines, once [`init`] was called.
static OUTPUT: OnceLock<Output> = OnceLock::new();

/// Writes lines of `level` and above to standard output as JSON, with the time of `clock`. If
/// `function` is the name of a Lambda function, lines contain its metrics.
///
/// Lines of other crates are written from WARN on only: below, some crates log HTTP traffic. A
/// second call changes nothing.
pub fn init(level: LevelFilter, clock: fn() -> SystemTime, function: Option<String>) {
    if OUTPUT.set(Output { level, clock, function }).is_err() {
        return;
    }
    let filter = FilterFn::new(move |metadata| {
        let is_own = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        *metadata.level() <= level && (is_own || *metadata.level() <= Level::WARN)
    });
    // Fails only if the embedding program has a subscriber, which then gets these events.
    let _ = tracing_subscriber::registry().with(Lines).with(filter).try_init();
}

/// Logs a panic as one line with its location. The message is omitted, since it can contain data,
/// and so is the backtrace, whose symbols need 36 MB.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(location = place.as_deref(), "panic");
    }));
}

/// Writes `event` as a line. If [`init`] was not called, the line goes to the `tracing` subscriber
/// of the embedding program.
fn write<E: Serialize>(
    level: Level,
    message: &'static str,
    event: &E,
    metrics: impl FnOnce() -> Vec<Metric>,
) {
    match OUTPUT.get() {
        Some(output) if level <= output.level => {
            let metrics = if output.function.is_some() { metrics() } else { Vec::new() };
            output.write(level, Some(message), event, metrics);
        }
        Some(_) => {}
        None if level == Level::WARN => tracing::warn!(event = json(event), "{message}"),
        None => tracing::info!(event = json(event), "{message}"),
    }
}

fn json<E: Serialize>(event: &E) -> Option<String> {
    serde_json::to_string(event).ok()
}

/// Writes `tracing` events: the start and end of the process, panics, and warnings of libraries.
struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(output) = OUTPUT.get() {
            output.write(*event.metadata().level(), None, &event.field_map(), Vec::new());
        }
    }
}
