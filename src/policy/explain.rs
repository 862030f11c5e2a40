//! The reasons for which a rule does not match, for operators.

use std::fmt;

use serde_json::Value;

use super::claims::{CallerClaims, Claim, ClaimLookup};
use super::condition::Condition;
use super::pattern::Unusable;
use super::{Policy, Rule};

/// A rule, and everything that keeps it from deciding a request.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Empty if the rule matches. The first rule without an obstacle decides.
    pub obstacles: Vec<Obstacle<'a>>,
}

/// Something that keeps a rule from deciding. `Display` completes a sentence that starts with the rule;
/// it names claims of the policy, and never repeats a claim's value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle<'a> {
    /// The rule is for callers of this issuer.
    Issuer(&'a str),
    /// A condition is not met.
    Condition {
        /// The claim and its accepted values.
        condition: String,
        /// The claim's path.
        claim: &'a str,
        /// The state of the claim, behind its name.
        found: &'static str,
    },
    /// A claim in braces cannot be used.
    Claim {
        /// The claim's path.
        claim: &'a str,
        /// The field of the rule that contains it.
        field: &'static str,
        /// The reason, behind the claim's name.
        reason: String,
    },
    /// The rule allows only rooms of these patterns.
    Room(Vec<String>),
    /// No room was requested, and no pattern of the rule ends with a star.
    NoNewRoom,
}

/// The state of a claim that the token does not have.
const ABSENT: &str = "is not in the token";

impl Policy {
    /// Explains for every rule, in order, whether it matches the caller and `room`.
    ///
    /// Without a room, the rule must allow a new one.
    pub fn explain<'a>(
        &'a self,
        caller: CallerClaims<'a>,
        room: Option<&str>,
    ) -> Vec<Explanation<'a>> {
        let claims = ClaimLookup::new(caller);
        let explain = |rule: &'a Rule| {
            let obstacles = rule.obstacles(&claims).chain(rule.room_obstacle(room, &claims));
            Explanation { rule, obstacles: obstacles.collect() }
        };
        self.rules.iter().map(explain).collect()
    }
}

impl Explanation<'_> {
    /// Whether the rule is for the caller, in whichever room.
    pub fn is_for_caller(&self) -> bool {
        let is_about_room =
            |obstacle: &Obstacle<'_>| matches!(obstacle, Obstacle::Room(_) | Obstacle::NoNewRoom);
        self.obstacles.iter().all(is_about_room)
    }
}

impl Rule {
    fn obstacles<'a>(&'a self, claims: &ClaimLookup<'a>) -> impl Iterator<Item = Obstacle<'a>> {
        let issuer = self.issuer.as_deref().filter(|_| !self.is_for_issuer(claims));
        let conditions = self.when.iter().filter(|condition| !condition.is_met(claims));
        let conditions = conditions.map(|condition| Obstacle::Condition {
            condition: condition.to_string(),
            claim: &condition.claim,
            found: found(condition, claims),
        });
        let rooms = self.rooms.iter().flat_map(|pattern| pattern.unusable(claims));
        let rooms = rooms.map(|(claim, reason)| Obstacle::Claim {
            claim,
            field: "rooms",
            reason: unusable(reason),
        });
        let texts = self.templates().flat_map(|(field, template)| {
            template.claims().filter(|path| claims.find(path).scalar().is_none()).map(
                move |claim| Obstacle::Claim {
                    claim,
                    field,
                    reason: text_problem(claims.find(claim)),
                },
            )
        });
        let in_url = self.ask.iter().flat_map(|ask| ask.url.claims());
        let in_url = in_url.filter(|path| claims.find(path).scalar().is_none()).map(|claim| {
            Obstacle::Claim { claim, field: "ask", reason: text_problem(claims.find(claim)) }
        });
        let mut obstacles: Vec<Obstacle<'a>> = issuer.map(Obstacle::Issuer).into_iter().collect();
        for obstacle in conditions.chain(rooms).chain(texts).chain(in_url) {
            if !obstacles.contains(&obstacle) {
                obstacles.push(obstacle);
            }
        }
        obstacles.into_iter()
    }

    fn room_obstacle<'a>(
        &'a self,
        room: Option<&str>,
        claims: &ClaimLookup<'a>,
    ) -> Option<Obstacle<'a>> {
        match room {
            Some(room) if !self.allows_room(room, claims) => {
                Some(Obstacle::Room(self.rooms().collect()))
            }
            None if !self.rooms.iter().any(super::Pattern::is_open) => Some(Obstacle::NoNewRoom),
            _ => None,
        }
    }
}

fn found<'a>(condition: &'a Condition, claims: &ClaimLookup<'a>) -> &'static str {
    match claims.find(&condition.claim) {
        Claim::Absent => ABSENT,
        Claim::Text(_) => "is another string",
        Claim::Other(Value::Array(_)) => "is a list without it",
        Claim::Other(Value::Object(_)) => "is an object without it",
        Claim::Other(Value::Bool(true)) => "is true",
        Claim::Other(Value::Bool(false)) => "is false",
        Claim::Other(_) => "is another number",
    }
}

fn unusable(reason: Unusable<'_>) -> String {
    match reason {
        Unusable::Absent => "is not in the token, or empty".to_owned(),
        Unusable::Kind => "is not a string, and not a list or object of them".to_owned(),
        Unusable::Special => "contains a star or a brace".to_owned(),
        Unusable::Delimiter(text) => {
            format!(
                "contains the text that follows it in a pattern, or ends with its start: {text}"
            )
        }
    }
}

fn text_problem(claim: Claim<'_>) -> String {
    match claim {
        Claim::Other(_) => "is not a string, a number or a Boolean",
        Claim::Absent | Claim::Text(_) => "is not in the token, or empty",
    }
    .to_owned()
}

impl fmt::Display for Obstacle<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Issuer(name) => {
                write!(formatter, "needs issuer = {name}: the token is from another issuer")
            }
            Self::Condition { condition, claim, found } if *found == ABSENT => {
                write!(formatter, "needs {condition}: the token has no {claim}")
            }
            Self::Condition { condition, claim, found } => {
                write!(formatter, "needs {condition}: {claim} {found}")
            }
            Self::Claim { claim, field, reason } => {
                write!(formatter, "needs {{{claim}}} for {field}: {claim} {reason}")
            }
            Self::Room(patterns) => {
                write!(formatter, "allows other rooms: {}", patterns.join(", "))
            }
            Self::NoNewRoom => {
                formatter.write_str("allows no new room: none of its patterns ends with a star")
            }
        }
    }
}
