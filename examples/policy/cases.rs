//! Cases next to a policy: requests, and their expected results.

use std::fmt;
use std::ops::Range;

use roomkey::policy::Policy;
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::question::{Allowed, Input, PolicyAnswer, Question};

/// The cases of one file.
pub(crate) struct Cases(Vec<(usize, Case, Question)>);

/// A fault in a file of cases.
pub(crate) struct Fault {
    pub(crate) line: usize,
    pub(crate) reason: String,
}

/// A case with another result.
pub(crate) struct Failure {
    pub(crate) line: usize,
    pub(crate) name: String,
    /// One sentence for each difference.
    pub(crate) differences: Vec<String>,
    decided: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Spanned<Case>>,
}

/// One `[[case]]`: `claims` and `issuer` describe the caller, `room`, `agents` and `room_config` the
/// request, and the other fields the expected result.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    claims: Map<String, Value>,
    issuer: Option<String>,
    room: Option<String>,
    #[serde(default)]
    agents: Vec<String>,
    room_config: Option<Value>,
    refused: Option<Refused>,
    role: Option<String>,
    line: Option<usize>,
    grants: Option<Map<String, Value>>,
    attributes: Option<Value>,
    ttl_seconds: Option<u64>,
    fresh_room: Option<String>,
    asks: Option<String>,
    token_room_config: Option<Value>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the codes of problems")]
enum Refused {
    RoomNotAllowed,
    AgentNotAllowed,
    FieldNotAllowed,
}

impl Cases {
    /// Reads a file of cases.
    ///
    /// # Errors
    ///
    /// Every fault; only the first one if it prevents reading the rest.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<Fault>> {
        let line_of = |span: Range<usize>| 1 + text[..span.start].matches('\n').count();
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, line_of);
            vec![Fault { line, reason: error.message().to_owned() }]
        })?;
        let mut cases = Vec::<(usize, Case, Question)>::new();
        let mut faults = Vec::new();
        let mut fault = |line, reason: &str| faults.push(Fault { line, reason: reason.to_owned() });
        for case in file.case {
            let line = line_of(case.span());
            let case = case.into_inner();
            if cases.iter().any(|(_, other, _)| other.name == case.name) {
                fault(line, "another case has this name");
            }
            match case.question() {
                Ok(question) => cases.push((line, case, question)),
                Err(reason) => fault(line, &reason),
            }
        }
        if cases.is_empty() {
            fault(1, "the file must contain a case");
        }
        if faults.is_empty() { Ok(Self(cases)) } else { Err(faults) }
    }

    /// The number of cases.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The cases for which `policy` decides differently.
    pub(crate) fn failures(&self, policy: &Policy) -> Vec<Failure> {
        let failure = |(line, case, question): &(usize, Case, Question)| {
            let answer = question.evaluate(policy);
            let differences = case.differences(&answer);
            let (line, name) = (*line, case.name.clone());
            let decided = answer.to_string();
            (!differences.is_empty()).then_some(Failure { line, name, differences, decided })
        };
        self.0.iter().filter_map(failure).collect()
    }
}

impl Case {
    fn question(&self) -> Result<Question, String> {
        if self.role.is_some() == self.refused.is_some() {
            return Err("a case must have either role or refused".to_owned());
        }
        let is_about_token = self.line.is_some()
            || self.grants.is_some()
            || self.attributes.is_some()
            || self.ttl_seconds.is_some()
            || self.fresh_room.is_some()
            || self.asks.is_some()
            || self.token_room_config.is_some();
        if self.refused.is_some() && is_about_token {
            return Err("a case with refused must have no field about the token".to_owned());
        }
        Question::new(Input {
            claims: self.claims.clone(),
            issuer: self.issuer.as_deref(),
            room: self.room.as_deref(),
            agents: &self.agents,
            room_config: self.room_config.as_ref(),
        })
    }

    fn differences(&self, answer: &PolicyAnswer) -> Vec<String> {
        match (self.refused, answer) {
            (None, PolicyAnswer::Allowed(allowed)) => self.differences_in(allowed),
            (Some(expected), PolicyAnswer::Refused { code, .. }) if expected.code() == *code => {
                Vec::new()
            }
            (Some(expected), _) => vec![format!("must be refused with {}", expected.code())],
            (None, PolicyAnswer::Refused { .. }) => vec!["must be allowed".to_owned()],
        }
    }

    fn differences_in(&self, allowed: &Allowed) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: Option<Value>, found: Value| {
            if let Some(expected) = expected
                && expected != found
            {
                differences.push(format!("{what} must be {expected}, is {found}"));
            }
        };
        compare("role", self.role.clone().map(Value::from), allowed.role.clone().into());
        compare("line", self.line.map(Value::from), allowed.line.into());
        compare("attributes", self.attributes.clone(), serde_json::json!(allowed.attributes));
        compare("ttl_seconds", self.ttl_seconds.map(Value::from), allowed.ttl_seconds.into());
        compare(
            "fresh_room",
            self.fresh_room.clone().map(Value::from),
            allowed.fresh_room.clone().into(),
        );
        compare("asks", self.asks.clone().map(Value::from), allowed.asks.clone().into());
        compare(
            "token_room_config",
            self.token_room_config.clone(),
            allowed.room_config.clone().unwrap_or_else(|| Map::new().into()),
        );
        for (name, expected) in self.grants.iter().flatten() {
            // LiveKit treats an absent roomAdmin as false.
            let absent = if name == "roomAdmin" { Value::Bool(false) } else { Value::Null };
            let found = allowed.grants.get(name).cloned().unwrap_or(absent);
            compare(name, Some(expected.clone()), found);
        }
        differences
    }
}

impl Refused {
    fn code(self) -> &'static str {
        match self {
            Self::RoomNotAllowed => "room_not_allowed",
            Self::AgentNotAllowed => "agent_not_allowed",
            Self::FieldNotAllowed => "field_not_allowed",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.line, self.name)?;
        for difference in &self.differences {
            write!(formatter, "\n    {difference}")?;
        }
        write!(formatter, "\n    decided: {}", self.decided)
    }
}
