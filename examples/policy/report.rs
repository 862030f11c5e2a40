//! The answer, for people and for scripts.

use std::fmt::{self, Display, Formatter};

use serde_json::{Value, json};

use super::cases::{Cases, Failure};
use super::question::{Allowed, PolicyAnswer};

/// The answer of the policy in the file that is called `source`, as text.
pub(crate) struct Text<'a>(pub(crate) &'a PolicyAnswer, pub(crate) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self(answer, source) = self;
        match answer {
            PolicyAnswer::Refused { code, reason } => {
                writeln!(formatter, "refused     403 {code}\n            {reason}")
            }
            PolicyAnswer::Allowed(allowed) => write_allowed(formatter, allowed, source),
        }
    }
}

fn write_allowed(formatter: &mut Formatter<'_>, allowed: &Allowed, source: &str) -> fmt::Result {
    writeln!(formatter, "allowed     as {}", allowed.role)?;
    writeln!(formatter, "rule        {source}:{}", allowed.line)?;
    if let Some(pattern) = &allowed.fresh_room {
        writeln!(formatter, "room        a fresh one in {pattern}")?;
    }
    let mut label = "grants";
    for (grant, value) in &allowed.grants {
        writeln!(formatter, "{label:<11} {grant:<22} {value}")?;
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

/// The answer as JSON.
pub(crate) fn to_json(answer: &PolicyAnswer, source: &str) -> Value {
    match answer {
        PolicyAnswer::Refused { code, reason } => {
            json!({ "allowed": false, "code": code, "reason": reason })
        }
        PolicyAnswer::Allowed(allowed) => json!({
            "allowed": true,
            "policy": source,
            "line": allowed.line,
            "role": allowed.role,
            "grants": allowed.grants,
            "ttlSeconds": allowed.ttl_seconds,
            "freshRoom": allowed.fresh_room,
            "roomConfig": allowed.room_config,
        }),
    }
}

/// What became of `cases`, as JSON.
pub(crate) fn cases_to_json(cases: &Cases, failures: &[Failure]) -> Value {
    let failed = failures.iter().map(|failure| {
        json!({ "name": failure.name, "line": failure.line, "differences": failure.differences })
    });
    json!({ "cases": cases.count(), "failed": failed.collect::<Vec<_>>() })
}
