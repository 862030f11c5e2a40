//! The decision as text and as JSON.

use std::fmt::{self, Display, Formatter};

use roomkey::policy::{Explanation, Policy};
use serde_json::{Value, json};

use super::cases::{Cases, Failure};
use super::question::{Allowed, PolicyAnswer, Question};

/// The part that one rule has in a decision.
pub(crate) struct RuleReport {
    line: usize,
    /// Whether the rule decides.
    decides: bool,
    /// The reasons for which the rule does not match.
    obstacles: Vec<String>,
}

/// Reports for every rule of `policy` whether it matches.
pub(crate) fn explain(question: &Question, policy: &Policy) -> Vec<RuleReport> {
    let mut is_decided = false;
    let report = |explanation: Explanation<'_>| {
        let obstacles: Vec<_> = explanation.obstacles.iter().map(ToString::to_string).collect();
        // Without a room, the first rule for the caller decides, even if it allows no new room.
        let is_for_request = match &question.room {
            Some(_) => obstacles.is_empty(),
            None => explanation.is_for_caller(),
        };
        let decides = is_for_request && !is_decided;
        is_decided |= is_for_request;
        RuleReport { line: explanation.rule.line, decides, obstacles }
    };
    let room = question.room.as_deref();
    policy.explain(question.caller(), room).into_iter().map(report).collect()
}

/// A decision by the policy in the file `source`, and the part of each rule in it.
pub(crate) struct Report<'a> {
    pub(crate) answer: &'a PolicyAnswer,
    pub(crate) rules: &'a [RuleReport],
    pub(crate) source: &'a str,
}

impl Display for Report<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { answer, rules, source } = self;
        match answer {
            PolicyAnswer::Refused { code, reason } => {
                writeln!(formatter, "refused     403 {code}\n            {reason}")?;
            }
            PolicyAnswer::Allowed(allowed) => write_allowed(formatter, allowed, source)?,
        }
        let mut label = "rules";
        for RuleReport { line, decides, obstacles } in *rules {
            let outcome = match (decides, obstacles.as_slice()) {
                (true, []) => "decides".to_owned(),
                (true, obstacles) => format!("decides, and {}", obstacles.join("; ")),
                (false, []) => "matches, after the rule that decides".to_owned(),
                (false, obstacles) => obstacles.join("; "),
            };
            writeln!(formatter, "{label:<11} {source}:{line} {outcome}")?;
            label = "";
        }
        Ok(())
    }
}

fn write_allowed(formatter: &mut Formatter<'_>, allowed: &Allowed, source: &str) -> fmt::Result {
    writeln!(formatter, "allowed     as {}", allowed.role)?;
    writeln!(formatter, "rule        {source}:{}", allowed.line)?;
    if let Some(url) = &allowed.asks {
        let answer = match allowed.status {
            Some(status) => format!("the app answered {status}"),
            None => "the app decides; --ask sends the request".to_owned(),
        };
        writeln!(formatter, "asks        GET {url}\n            {answer}")?;
    }
    if let Some(pattern) = &allowed.fresh_room {
        writeln!(formatter, "room        a new one in {pattern}")?;
    }
    let mut label = "grants";
    for (grant, value) in &allowed.grants {
        writeln!(formatter, "{label:<11} {grant:<22} {value}")?;
        label = "";
    }
    let mut label = "attributes";
    for (key, value) in &allowed.attributes {
        writeln!(formatter, "{label:<11} {key:<22} {value}")?;
        label = "";
    }
    match allowed.ttl_seconds {
        Some(seconds) => writeln!(formatter, "ttl         {seconds} s")?,
        None => writeln!(formatter, "ttl         TOKEN_TTL_SECONDS")?,
    }
    match &allowed.room_config {
        Some(room_config) => writeln!(formatter, "roomConfig  {room_config}"),
        None => writeln!(formatter, "roomConfig  none"),
    }
}

impl Report<'_> {
    /// The decision as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let rule = |report: &RuleReport| json!({ "line": report.line, "decides": report.decides, "obstacles": report.obstacles });
        let rules: Vec<Value> = self.rules.iter().map(rule).collect();
        match self.answer {
            PolicyAnswer::Refused { code, reason } => {
                json!({ "allowed": false, "code": code, "reason": reason, "rules": rules })
            }
            PolicyAnswer::Allowed(allowed) => {
                let mut report = json!({
                "allowed": true,
                "policy": self.source,
                "line": allowed.line,
                "role": allowed.role,
                "grants": allowed.grants,
                "attributes": allowed.attributes,
                "ttlSeconds": allowed.ttl_seconds,
                "freshRoom": allowed.fresh_room,
                "roomConfig": allowed.room_config,
                "rules": rules,
                });
                if let Some(url) = &allowed.asks {
                    report["asks"] = json!({ "url": url, "status": allowed.status });
                }
                report
            }
        }
    }
}

/// The results of `cases` as JSON.
pub(crate) fn cases_to_json(cases: &Cases, failures: &[Failure]) -> Value {
    let failed = failures.iter().map(|failure| {
        json!({ "name": failure.name, "line": failure.line, "differences": failure.differences })
    });
    json!({ "cases": cases.count(), "failed": failed.collect::<Vec<_>>() })
}
