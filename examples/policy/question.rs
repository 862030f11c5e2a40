//! One question to a policy, read as the endpoint reads a request, and the answer.

use std::fmt;

use roomkey::endpoint::problem::Problem;
use roomkey::exchange::ExchangeError;
use roomkey::livekit::grants::VideoGrant;
use roomkey::livekit::token_source::RequestedRoomConfig;
use roomkey::livekit::token_source::{InvalidField, TokenSourceRequest};
use roomkey::participant::ParticipantError;
use roomkey::policy::{Decision, Policy, Refusal, Rule};
use roomkey::text;
use serde_json::{Map, Value, json};

/// Who asks, and for what.
pub(crate) struct Question {
    claims: Map<String, Value>,
    room: Option<String>,
    asked: RequestedRoomConfig,
}

/// What the policy says.
#[derive(Debug, PartialEq)]
pub(crate) enum PolicyAnswer {
    Allowed(Allowed),
    Refused { code: &'static str, reason: String },
}

/// What the caller gets.
#[derive(Debug, PartialEq)]
pub(crate) struct Allowed {
    /// Where the rule stands in the policy.
    pub(crate) line: usize,
    pub(crate) role: String,
    /// By LiveKit's names.
    pub(crate) grants: Map<String, Value>,
    /// How long the token may be used to join, where the role says so.
    pub(crate) ttl_seconds: Option<u64>,
    /// Where no room was asked for: the pattern that the fresh one is in.
    pub(crate) fresh_room: Option<String>,
    /// The token's `roomConfig`.
    pub(crate) room_config: Option<Value>,
}

impl Question {
    /// The question of somebody with `claims` who sends `room` as `room_name`, and `room_config` with
    /// `agents` added to it.
    pub(crate) fn new(
        claims: Map<String, Value>,
        room: Option<&str>,
        agents: &[String],
        room_config: Option<&Value>,
    ) -> Result<Self, InvalidField> {
        let mut room_config = room_config.cloned().unwrap_or_else(|| json!({}));
        if !agents.is_empty() {
            const NO_OBJECT: InvalidField = InvalidField("room_config must be an object");
            const NO_LIST: InvalidField = InvalidField("room_config.agents must be a list");
            let fields = room_config.as_object_mut().ok_or(NO_OBJECT)?;
            let listed = fields.entry("agents").or_insert_with(|| json!([]));
            let named = agents.iter().map(|name| json!({ "agent_name": name }));
            listed.as_array_mut().ok_or(NO_LIST)?.extend(named);
        }
        let body = json!({ "room_name": room, "room_config": room_config });
        let request = TokenSourceRequest::from_body(body.to_string().as_bytes())?;
        Ok(Self { claims, room: request.room_name, asked: request.room_config })
    }

    /// Asks `policy`, and what the endpoint asks before and after it.
    pub(crate) fn evaluate(&self, policy: &Policy) -> PolicyAnswer {
        self.decide(policy).unwrap_or_else(|error| PolicyAnswer::Refused {
            code: Problem::from(&error).code,
            reason: error.to_string(),
        })
    }

    fn decide(&self, policy: &Policy) -> Result<PolicyAnswer, ExchangeError> {
        if self.asked.has_forbidden_field {
            const NEVER: &str = "room_config holds a field that no client may set";
            return Err(ParticipantError::FieldNotAllowed(NEVER).into());
        }
        let decision = policy.decide(&self.claims, self.room.as_deref(), &self.asked)?;
        let fresh = format!("{}room-{:032}", decision.fresh_room_prefix, 0);
        if self.room.is_none() && !text::is_name(&fresh) {
            return Err(Refusal::Room.into());
        }
        Ok(PolicyAnswer::Allowed(Allowed::from(&decision, self.room.is_none())))
    }
}

impl Allowed {
    fn from(decision: &Decision<'_>, is_fresh: bool) -> Self {
        let Rule { role, line, .. } = decision.rule;
        let video = VideoGrant::join("room", role.grants);
        let Ok(Value::Object(mut grants)) = serde_json::to_value(video) else { unreachable!() };
        // These two say where, not what.
        grants.retain(|name, _| !["room", "roomJoin"].contains(&name.as_str()));
        let room_config = &decision.room_config;
        Self {
            line: *line,
            role: role.name.clone(),
            grants,
            ttl_seconds: role.ttl.map(|ttl| ttl.as_secs()),
            fresh_room: is_fresh.then(|| format!("{}*", decision.fresh_room_prefix)),
            room_config: (!room_config.is_empty()).then(|| json!(room_config)),
        }
    }
}

impl fmt::Display for PolicyAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(allowed) => {
                write!(
                    formatter,
                    "allowed as {} by the rule in line {}",
                    allowed.role, allowed.line
                )
            }
            Self::Refused { code, reason } => write!(formatter, "refused with {code}: {reason}"),
        }
    }
}
