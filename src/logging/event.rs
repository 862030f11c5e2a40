//! The events that have a log line and metrics: requests and fetches.

use std::fmt::Display;
use std::time::Duration;

use serde::Serialize;
use tracing::Level;

use super::metrics::Metric;
use crate::request_scope::{self, AskOutcome};

/// The part of a request's line that is known while the request is handled.
#[derive(Debug, Default, Serialize)]
pub struct RequestLog {
    /// The pattern of the route without a prefix; empty if the path has no route.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub route: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The requested or generated room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// The role in the participant token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The caller as a keyed hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The person whom the request concerns as a keyed hash, if it is not the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The effect that has a metric of its own.
    #[serde(skip)]
    pub effect: Option<Effect>,
    /// The `jti` of the participant token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The `jti` of the invitation that was created, used, read or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
    /// Whether the request is a guest's: `true` or absent.
    #[serde(rename = "guest", skip_serializing_if = "std::ops::Not::not")]
    pub is_guest: bool,
    /// Whether the request is the first of this execution environment.
    #[serde(rename = "cold_start")]
    pub is_cold: bool,
}

/// An effect of a request that no other field of its line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A banned participant was removed after they had joined.
    Ejected,
    /// An invitation was created.
    Invited,
    /// A person started to wait for admission.
    Waiting,
}

/// The cause of a request's status.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Outcome<'a> {
    /// The problem's code, or `ok`.
    pub code: &'static str,
    /// The unavailable upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<&'static str>,
    /// The cause in words, for operators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    #[serde(rename = "outcome")]
    class: &'static str,
    #[serde(flatten)]
    outcome: Outcome<'a>,
    #[serde(flatten)]
    request: &'a RequestLog,
    /// `true` or absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<bool>,
    /// The outcome of the question to the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask: Option<AskOutcome>,
    /// The time until the app's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ask_ms: Option<f64>,
    duration_ms: f64,
}

impl RequestLog {
    /// Writes the line `request`.
    pub fn log(&self, outcome: Outcome<'_>, took: Duration) {
        let class = match self.status {
            ..400 => "ok",
            400..500 => "refused",
            _ => "failed",
        };
        let stale = request_scope::is_stale().then_some(true);
        let duration_ms = milliseconds(took);
        let (ask, ask_ms) = request_scope::ask().unzip();
        let ask_ms = ask_ms.filter(|_| ask != Some(AskOutcome::Cached)).map(milliseconds);
        let line = RequestLine { class, outcome, request: self, stale, ask, ask_ms, duration_ms };
        super::write(Level::INFO, "request", &line, || line.metrics());
    }
}

impl RequestLine<'_> {
    fn metrics(&self) -> Vec<Metric> {
        let request = self.request;
        let is_waiting = self.outcome.code == "awaiting_admission";
        let by_status = match request.status {
            // A page that waits repeats its request: that is no refusal.
            _ if is_waiting => None,
            400..500 => Some(Metric::count_by("Refused", "code")),
            503 if self.outcome.upstream.is_some() => {
                Some(Metric::count_by("Unavailable", "upstream"))
            }
            500.. => Some(Metric::count("Internal")),
            _ => None,
        };
        let is_timed = !matches!(request.route, "" | "/health");
        let duration = is_timed.then(|| Metric::milliseconds("Duration", self.duration_ms));
        let counts = [
            ("Issued", request.jti.is_some()),
            ("Banned", self.outcome.code == "banned"),
            ("Ejected", request.effect == Some(Effect::Ejected)),
            ("Invited", request.effect == Some(Effect::Invited)),
            ("GuestsAdmitted", request.is_guest && request.jti.is_some()),
            (
                "GuestsRefused",
                request.is_guest && !is_waiting && (400..500).contains(&request.status),
            ),
            ("Waiting", request.effect == Some(Effect::Waiting)),
            ("ColdStart", request.is_cold),
            ("StaleServes", self.stale.is_some()),
            ("Asked", self.ask_ms.is_some()),
            ("AskRefused", self.ask == Some(AskOutcome::No)),
        ];
        let counts =
            counts.into_iter().filter(|(_, is_so)| *is_so).map(|(name, _)| Metric::count(name));
        by_status.into_iter().chain(duration).chain(counts).collect()
    }
}

/// One fetch from an upstream.
#[derive(Debug, Serialize)]
pub struct FetchLog<'a> {
    upstream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    /// The name of the ask table.
    #[serde(rename = "table", skip_serializing_if = "Option::is_none")]
    table: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

impl<'a> FetchLog<'a> {
    /// A successful fetch of keys, discovery or the secret.
    /// `issuer` is the name of the issuer that the upstream belongs to, if there are several.
    pub fn fetched(upstream: &'static str, issuer: Option<&'a str>, took: Duration) -> Self {
        let duration_ms = Some(milliseconds(took));
        Self { upstream, issuer, table: None, error: None, duration_ms }
    }

    /// A failed fetch. `error` must not contain anything that the upstream sent.
    pub fn failed(
        upstream: &'static str,
        issuer: Option<&'a str>,
        error: &dyn Display,
        took: Option<Duration>,
    ) -> Self {
        let duration_ms = took.map(milliseconds);
        Self { upstream, issuer, table: None, error: Some(error.to_string()), duration_ms }
    }

    /// Adds the name of the policy's ask table that the request belongs to.
    #[must_use]
    pub fn of_ask(self, table: &'a str) -> Self {
        Self { table: Some(table), ..self }
    }

    /// Writes the line `fetched` or `fetch failed`.
    pub fn log(&self) {
        let (level, message) = match self.error {
            None => (Level::INFO, "fetched"),
            Some(_) => (Level::WARN, "fetch failed"),
        };
        super::write(level, message, self, || self.metrics());
    }

    fn metrics(&self) -> Vec<Metric> {
        let fetches = match self.upstream {
            "keys" | "discovery" => Some(Metric::count("KeyFetches")),
            "secret" => Some(Metric::count("SecretFetches")),
            _ => None,
        };
        let failure = self.error.as_ref().map(|_| Metric::count_by("FetchFailures", "upstream"));
        fetches.into_iter().chain(failure).collect()
    }
}

/// Milliseconds, rounded to whole microseconds.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
