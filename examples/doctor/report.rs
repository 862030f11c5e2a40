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
    Note,
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
            Self::Note => "note",
        }
    }

    fn color(self) -> &'static str {
        match self {
            Self::Pass => "\u{1b}[32m",
            Self::Fail => "\u{1b}[31;1m",
            Self::Note => "\u{1b}[36m",
        }
    }
}

impl Report {
    /// Adds a finding.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Whether no check failed.
    pub(crate) fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.outcome != Outcome::Fail)
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
        let verdict = if self.is_good() { "would be accepted" } else { "would be rejected" };
        let _ = writeln!(text, "\nThis token {verdict}.");
        text
    }

    /// Formats the report as `{"accepted": …, "findings": [{"check", "outcome", "detail"}]}`.
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
        json!({ "accepted": self.is_good(), "findings": findings })
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
