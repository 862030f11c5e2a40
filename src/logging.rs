//! What an operator sees: one JSON line per request, and a line per failed fetch.
//!
//! Never a token, a key, an email, a name or a body.

use std::time::Duration;

use tracing::Level;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// What is said of one request.
#[derive(Debug, Default)]
pub struct Record {
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

impl Record {
    /// Writes the line. `reason` is for the operator alone.
    pub fn log(&self, code: &'static str, reason: Option<&str>, took: Duration) {
        let outcome = match self.status {
            ..400 => "ok",
            400..500 => "refused",
            _ => "failed",
        };
        tracing::info!(
            outcome,
            code,
            route = self.route,
            status = self.status,
            room = self.room.as_deref(),
            role = self.role.as_deref(),
            subject = self.subject.as_deref(),
            jti = self.jti.as_deref(),
            reason,
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

/// Writes lines of `level` and graver to standard output, as JSON.
///
/// Other crates are heard from `warn` on only: below, some of them log what goes over the wire.
pub fn init(level: LevelFilter) {
    let ours = FilterFn::new(move |metadata| {
        let is_ours = metadata.target().starts_with(env!("CARGO_PKG_NAME"));
        *metadata.level() <= level && (is_ours || *metadata.level() <= Level::WARN)
    });
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false);
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
