//! One line: a JSON object with time, level, request IDs, the event's fields and its metrics.

use std::io::Write;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;
use tracing::Level;
use tracing_subscriber::filter::LevelFilter;

use super::metrics::{Metric, Metrics};
use crate::request_scope::{self, RequestIds};

/// Standard output, with the settings of all lines.
pub(super) struct Output {
    pub(super) level: LevelFilter,
    pub(super) clock: fn() -> SystemTime,
    /// The name of the Lambda function, which is the dimension of all metrics.
    pub(super) function: Option<String>,
}

#[derive(Serialize)]
struct Line<'a, E> {
    timestamp: String,
    level: &'static str,
    /// Absent if it is a field of `event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
    #[serde(flatten)]
    event: &'a E,
    #[serde(flatten)]
    ids: Option<&'a RequestIds>,
    #[serde(flatten)]
    metrics: Option<Metrics<'a>>,
}

impl Output {
    pub(super) fn write<E: Serialize>(
        &self,
        level: Level,
        message: Option<&'static str>,
        event: &E,
        metrics: Vec<Metric>,
    ) {
        let now = millis((self.clock)());
        let ids = request_scope::ids();
        let line = Line {
            timestamp: timestamp(now),
            level: level.as_str(),
            message,
            event,
            ids: ids.as_deref(),
            metrics: Metrics::new(self.function.as_deref(), now, metrics),
        };
        let mut text = Vec::with_capacity(1024);
        if serde_json::to_writer(&mut text, &line).is_ok() {
            text.push(b'\n');
            // There is no other channel to report a failure.
            let _ = std::io::stdout().lock().write_all(&text);
        }
    }
}

/// RFC 3339 with always three digits of the second, so that the lexical order is the order in time.
fn timestamp(millis: i64) -> String {
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    // Fails only for years after 9999.
    let time = DateTime::from_secs(seconds).fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{rest:03}Z", time.trim_end_matches('Z'))
}

fn millis(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_sort_as_times_do() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_767_225_600_000, "2026-01-01T00:00:00.000Z"),
            (1_767_225_600_007, "2026-01-01T00:00:00.007Z"),
            (1_767_225_600_860, "2026-01-01T00:00:00.860Z"),
            (1_767_225_600_999, "2026-01-01T00:00:00.999Z"),
        ];
        for (millis, expected) in rows {
            assert_eq!(timestamp(millis), expected);
        }
    }
}
