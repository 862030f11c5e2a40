//! Report of the findings, as text and as JSON.

use std::fmt::Write;

use roomkey::text;
use serde_json::{Value, json};

/// Result of one check.
pub(crate) struct Finding {
    check: String,
    outcome: Outcome,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Pass,
    Fail,
    Open,
    Note,
}

/// The endpoint's response to a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Rejected,
    /// Checks that were not made decide.
    Open,
}

/// Findings in the order of the checks.
#[derive(Default)]
pub(crate) struct Report {
    findings: Vec<Finding>,
}

impl Finding {
    /// Creates the finding of a passed check.
    pub(crate) fn pass(check: &str, detail: &str) -> Self {
        Self::new(check, Outcome::Pass, detail)
    }

    /// Creates the finding of a failed check, which means that the token would be rejected.
    pub(crate) fn fail(check: &str, detail: &str) -> Self {
        Self::new(check, Outcome::Fail, detail)
    }

    /// Creates the finding of a check that was not made.
    pub(crate) fn open(check: &str, detail: &str) -> Self {
        Self::new(check, Outcome::Open, detail)
    }

    /// Creates a finding that is informational.
    pub(crate) fn note(check: &str, detail: &str) -> Self {
        Self::new(check, Outcome::Note, detail)
    }

    fn new(check: &str, outcome: Outcome, detail: &str) -> Self {
        Self { check: check.to_owned(), outcome, detail: harmless(detail) }
    }
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Open => "open",
            Self::Note => "note",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Pass => "\u{1b}[32m",
            Self::Fail => "\u{1b}[31;1m",
            Self::Open => "\u{1b}[33m",
            Self::Note => "\u{1b}[36m",
        }
    }
}

impl Report {
    /// Adds a finding.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// The endpoint's response, as far as the findings show it.
    pub(crate) fn verdict(&self) -> Verdict {
        let contains = |outcome| self.findings.iter().any(|finding| finding.outcome == outcome);
        if contains(Outcome::Fail) {
            Verdict::Rejected
        } else if contains(Outcome::Open) {
            Verdict::Open
        } else {
            Verdict::Accepted
        }
    }

    /// Formats one line per finding. Further lines of a detail are indented.
    pub(crate) fn to_text(&self, with_color: bool) -> String {
        let width =
            self.findings.iter().map(|finding| finding.check.len()).max().unwrap_or_default();
        let mut text = String::new();
        for finding in &self.findings {
            let (color, end) =
                if with_color { (finding.outcome.color(), "\u{1b}[0m") } else { ("", "") };
            let detail =
                finding.detail.replace('\n', &format!("\n{:width$}", "", width = width + 8));
            let (outcome, check) = (finding.outcome.word(), &finding.check);
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{color}{outcome}{end}  {check:width$}  {detail}");
        }
        let verdict = match self.verdict() {
            Verdict::Accepted => "This token would be accepted.",
            Verdict::Rejected => "This token would be rejected.",
            Verdict::Open => {
                "No check failed, but open checks decide whether this token is accepted."
            }
        };
        let _ = writeln!(text, "\n{verdict}");
        text
    }

    /// Formats the report as `{"verdict": …, "findings": [{"check", "outcome", "detail"}]}`.
    pub(crate) fn to_json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "check": finding.check,
                    "outcome": finding.outcome.word(),
                    "detail": finding.detail,
                })
            })
            .collect();
        let verdict = match self.verdict() {
            Verdict::Accepted => "accepted",
            Verdict::Rejected => "rejected",
            Verdict::Open => "open",
        };
        json!({ "verdict": verdict, "findings": findings })
    }
}

/// Replaces control characters, because values of a token can contain escape sequences.
fn harmless(text: &str) -> String {
    let is_harmless =
        |character: char| character == '\n' || text::is_plain(character.encode_utf8(&mut [0; 4]));
    text.chars()
        .map(|character| if is_harmless(character) { character } else { '\u{fffd}' })
        .collect()
}
