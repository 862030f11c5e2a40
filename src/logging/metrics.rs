//! CloudWatch's metrics, in its [Embedded Metric Format][EMF]: members of the line itself, which
//! CloudWatch Logs turns into metrics as it takes the line in. No request, no agent.
//!
//! [EMF]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

use std::fmt::Write;

use tracing::field::Field;

/// What a line says, as far as metrics follow from it.
#[derive(Default)]
pub(super) struct Facts {
    kind: LineKind,
    status: u64,
    has_upstream: bool,
    /// `keys` and `discovery`, or `secret`.
    fetches: Option<&'static str>,
    /// Whether the route is one that is timed.
    is_timed: bool,
    duration_ms: f64,
    /// What the line tells by a member alone.
    counts: Vec<&'static str>,
}

#[derive(Default, PartialEq, Eq)]
enum LineKind {
    #[default]
    Other,
    Request,
    Fetched,
    FetchFailed,
}

impl Facts {
    pub(super) fn note_text(&mut self, field: &Field, text: &str) {
        match field.name() {
            "message" => {
                self.kind = match text {
                    "request" => LineKind::Request,
                    "fetched" => LineKind::Fetched,
                    "fetch failed" => LineKind::FetchFailed,
                    _ => LineKind::Other,
                }
            }
            "upstream" => {
                self.has_upstream = true;
                self.fetches = match text {
                    "keys" | "discovery" => Some("KeyFetches"),
                    "secret" => Some("SecretFetches"),
                    _ => None,
                }
            }
            "route" => self.is_timed = text != "/health",
            "jti" => self.counts.push("Issued"),
            _ => (),
        }
    }

    pub(super) fn note_number(&mut self, field: &Field, number: u64) {
        if field.name() == "status" {
            self.status = number;
        }
    }

    pub(super) fn note_flag(&mut self, field: &Field, flag: bool) {
        match field.name() {
            "cold_start" if flag => self.counts.push("ColdStart"),
            "stale" if flag => self.counts.push("StaleServes"),
            _ => (),
        }
    }

    pub(super) fn note_duration(&mut self, field: &Field, milliseconds: f64) {
        if field.name() == "duration_ms" {
            self.duration_ms = milliseconds;
        }
    }

    /// The members that make metrics of the line, without a comma around them; empty where there are
    /// none.
    pub(super) fn metrics(&self, function: &str, now_ms: i64) -> String {
        let mut metrics = Metrics::default();
        match self.kind {
            LineKind::Request => self.of_request(&mut metrics),
            LineKind::Fetched | LineKind::FetchFailed => {
                if let Some(fetches) = self.fetches {
                    metrics.count(fetches);
                }
                if self.kind == LineKind::FetchFailed && self.has_upstream {
                    metrics.count_by("FetchFailures", "upstream");
                }
            }
            LineKind::Other => (),
        }
        metrics.members(function, now_ms)
    }

    fn of_request(&self, metrics: &mut Metrics) {
        match self.status {
            400..500 => metrics.count_by("Refused", "code"),
            503 if self.has_upstream => metrics.count_by("Unavailable", "upstream"),
            500.. => metrics.count("Internal"),
            _ => (),
        }
        if self.is_timed {
            metrics.add("Duration", "Milliseconds", self.duration_ms);
        }
        for name in &self.counts {
            metrics.count(name);
        }
    }
}

/// Metrics of one line.
#[derive(Default)]
struct Metrics {
    /// `,"Name":1` of each.
    values: String,
    /// `{"Name":"…","Unit":"…"}` of those that all have the same dimension.
    plain: String,
    /// The one that is counted by a member of the line besides, and the member.
    by: Option<(&'static str, &'static str)>,
}

impl Metrics {
    fn count(&mut self, name: &str) {
        self.add(name, "Count", 1);
    }

    fn add(&mut self, name: &str, unit: &str, value: impl std::fmt::Display) {
        let comma = if self.plain.is_empty() { "" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(self.values, ",\"{name}\":{value}");
        let _ = write!(self.plain, "{comma}{{\"Name\":\"{name}\",\"Unit\":\"{unit}\"}}");
    }

    fn count_by(&mut self, name: &'static str, member: &'static str) {
        let _ = write!(self.values, ",\"{name}\":1");
        self.by = Some((name, member));
    }

    fn members(&self, function: &str, now_ms: i64) -> String {
        if self.values.is_empty() {
            return String::new();
        }
        let mut directives = String::new();
        if !self.plain.is_empty() {
            let _ = write!(
                directives,
                r#"{{"Namespace":"roomkey","Dimensions":[["FunctionName"]],"Metrics":[{}]}}"#,
                self.plain
            );
        }
        if let Some((name, member)) = self.by {
            let comma = if directives.is_empty() { "" } else { "," };
            let _ = write!(
                directives,
                r#"{comma}{{"Namespace":"roomkey","Dimensions":[["FunctionName"],["FunctionName","{member}"]],"Metrics":[{{"Name":"{name}","Unit":"Count"}}]}}"#
            );
        }
        // AWS's names of functions are of letters, digits, - and _.
        format!(
            r#""FunctionName":"{function}"{},"_aws":{{"Timestamp":{now_ms},"CloudWatchMetrics":[{directives}]}}"#,
            self.values
        )
    }
}
