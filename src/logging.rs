//! What an operator sees: one JSON line per request, and one per fetch; on Lambda with CloudWatch's
//! metrics in them. `docs/operations.md` lists every member.
//!
//! Never a token, a key, an email, a name or a body.

mod line;
mod metrics;

use std::io::Write;
use std::time::{Duration, SystemTime};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::request_scope;
use line::Line;

/// What is said of one request.
#[derive(Debug, Default)]
pub struct RequestLog {
    /// Whether it is the first of this execution environment.
    pub is_cold: bool,
    /// The route, without a prefix; empty where there is none.
    pub route: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// The room that was asked for or given.
    pub room: Option<String>,
    /// The role that was given.
    pub role: Option<String>,
    /// The caller, as a keyed hash.
    pub subject: Option<String>,
    /// The `jti` of the participant's token.
    pub jti: Option<String>,
}

/// Outcome a request was answered as it was.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The problem's code, or `ok`.
    pub code: &'static str,
    /// Whom we could not ask.
    pub upstream: Option<&'static str>,
    /// In words, for the operator alone.
    pub reason: Option<&'a str>,
}

impl RequestLog {
    /// Writes the line.
    pub fn log(&self, outcome: Outcome<'_>, took: Duration) {
        let class = match self.status {
            ..400 => "ok",
            400..500 => "refused",
            _ => "failed",
        };
        tracing::info!(
            outcome = class,
            code = outcome.code,
            route = (!self.route.is_empty()).then_some(self.route),
            status = self.status,
            room = self.room.as_deref(),
            role = self.role.as_deref(),
            subject = self.subject.as_deref(),
            jti = self.jti.as_deref(),
            upstream = outcome.upstream,
            reason = outcome.reason,
            stale = request_scope::is_stale().then_some(true),
            duration_ms = took.as_secs_f64() * 1000.0,
            cold_start = self.is_cold,
            "request"
        );
    }
}

/// The level of `RUST_LOG` where the configuration cannot be read.
pub const DEFAULT_LEVEL: LevelFilter = LevelFilter::INFO;

/// Reads `RUST_LOG`: one level for our own lines.
///
/// # Errors
///
/// The end of a sentence that starts with the variable's name.
pub fn parse_level(text: &str) -> Result<LevelFilter, &'static str> {
    text.parse().map_err(|_| "must be off, error, warn, info, debug or trace")
}

/// Writes lines of `level` and graver to standard output, as JSON, with the time that `clock` tells,
/// and with metrics of `function` where that is a Lambda function's name.
///
/// Other crates are heard from `warn` on only: below, some of them log what goes over the wire.
pub fn init(level: LevelFilter, clock: fn() -> SystemTime, function: Option<String>) {
    let ours = FilterFn::new(move |metadata| {
        let is_ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        *metadata.level() <= level && (is_ours || *metadata.level() <= Level::WARN)
    });
    let lines = Lines { clock, function };
    // A second call is a mistake of the caller's that costs nothing: the first subscriber stays.
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
}

/// Makes a panic one line that says where, not what: the message may hold data, and a backtrace
/// costs 36 MB of symbols.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(location = place.as_deref(), "panic");
    }));
}

/// Writes each event as a line.
///
/// Not `tracing-subscriber`'s JSON format: metrics are an object in the line, every line has the
/// request's ids without a span for each request, and it costs a third.
struct Lines {
    clock: fn() -> SystemTime,
    function: Option<String>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let now = (self.clock)();
        let mut line = Line::new(now, *event.metadata().level());
        event.record(&mut line);
        request_scope::with_ids(|ids| line.add_ids(ids));
        if let Some(function) = &self.function {
            line.add_metrics(function, now);
        }
        // Where nobody reads, there is nobody to tell.
        let _ = std::io::stdout().lock().write_all(&line.finish());
    }
}
