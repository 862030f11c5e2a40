//! A line: one JSON object, member by member.

use std::fmt;
use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde::Serialize;
use tracing::Level;
use tracing::field::{Field, Visit};

use super::metrics::Facts;
use crate::request_scope::RequestIds;

/// A line that is being written.
pub(super) struct Line {
    text: Vec<u8>,
    facts: Facts,
}

impl Line {
    /// A line with time and level.
    pub(super) fn new(now: SystemTime, level: Level) -> Self {
        let mut line = Self { text: Vec::with_capacity(1024), facts: Facts::default() };
        line.text.push(b'{');
        line.add("timestamp", &timestamp(millis(now)));
        line.add("level", level.as_str());
        line
    }

    /// What the request is called, where the line was written for one.
    pub(super) fn add_ids(&mut self, ids: &RequestIds) {
        for (name, id) in [
            ("request_id", &ids.request),
            ("lambda_request_id", &ids.invocation),
            ("trace_id", &ids.trace),
        ] {
            if let Some(id) = id {
                self.add(name, id);
            }
        }
    }

    /// The metrics that follow from what the line says.
    pub(super) fn add_metrics(&mut self, function: &str, now: SystemTime) {
        let members = self.facts.metrics(function, millis(now));
        if !members.is_empty() {
            self.text.push(b',');
            self.text.extend_from_slice(members.as_bytes());
        }
    }

    /// The line, with its end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.extend_from_slice(b"}\n");
        self.text
    }

    fn add<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        if self.text.len() > 1 {
            self.text.push(b',');
        }
        self.text.push(b'"');
        // Names of ours, without anything to escape.
        self.text.extend_from_slice(name.as_bytes());
        self.text.extend_from_slice(b"\":");
        let before = self.text.len();
        if serde_json::to_writer(&mut self.text, value).is_err() {
            self.text.truncate(before);
            self.text.extend_from_slice(b"null");
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.facts.note_text(field, value);
        self.add(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.facts.note_number(field, value);
        self.add(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field.name(), &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.facts.note_flag(field, value);
        self.add(field.name(), &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Microseconds are as exact as it gets.
        let value = (value * 1000.0).round() / 1000.0;
        self.facts.note_duration(field, value);
        self.add(field.name(), &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        self.facts.note_text(field, &text);
        self.add(field.name(), &text);
    }
}

/// RFC 3339 with three digits of the second always, so that texts sort as times do.
fn timestamp(millis: i64) -> String {
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    // The clock is not that of a year without a date.
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
