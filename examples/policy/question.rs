//! One request to a policy, read as the endpoint reads it, and the decision.

use std::collections::BTreeMap;
use std::fmt;

use roomkey::endpoint::problem::Problem;
use roomkey::exchange::ExchangeError;
use roomkey::livekit::grants::VideoGrant;
use roomkey::livekit::token_source::{RequestLimits, RequestedRoomConfig, TokenSourceRequest};
use roomkey::participant::check_forbidden_field;
use roomkey::policy::{CallerClaims, Decision, Policy, Refusal, Rule};
use roomkey::text;
use serde_json::{Map, Value, json};

/// The caller and the request, as they are given.
#[derive(Clone, Default)]
pub(crate) struct Input<'a> {
    pub(crate) claims: Map<String, Value>,
    /// The name of the token's issuer, if there are several.
    pub(crate) issuer: Option<&'a str>,
    pub(crate) room: Option<&'a str>,
    /// Names of agents, in addition to those in `room_config`.
    pub(crate) agents: &'a [String],
    pub(crate) room_config: Option<&'a Value>,
}

/// The caller and the request.
pub(crate) struct Question {
    claims: Map<String, Value>,
    issuer: Option<String>,
    /// The caller's key, which `sub` addresses in a policy.
    key: String,
    pub(crate) room: Option<String>,
    asked: RequestedRoomConfig,
}

/// The decision of a policy.
#[derive(Debug, PartialEq)]
pub(crate) enum PolicyAnswer {
    Allowed(Allowed),
    Refused { code: &'static str, reason: String },
}

/// The result for an allowed request.
#[derive(Debug, PartialEq)]
pub(crate) struct Allowed {
    /// The line of the rule.
    pub(crate) line: usize,
    pub(crate) role: String,
    /// The grants, with LiveKit's names.
    pub(crate) grants: Map<String, Value>,
    /// The attributes that the rule sets.
    pub(crate) attributes: BTreeMap<String, String>,
    /// The lifetime of the token, if the role sets it.
    pub(crate) ttl_seconds: Option<u64>,
    /// The pattern of the new room, if no room was requested.
    pub(crate) fresh_room: Option<String>,
    /// The token's `roomConfig`.
    pub(crate) room_config: Option<Value>,
    /// The URL of the question to the app, if the rule asks. Without a room, it contains an example.
    pub(crate) asks: Option<String>,
    /// The status of the app's answer, if it was asked.
    pub(crate) status: Option<u16>,
}

impl Question {
    /// Reads the request as the endpoint does.
    ///
    /// # Errors
    ///
    /// The fault of a malformed request.
    pub(crate) fn new(input: Input<'_>) -> Result<Self, String> {
        let mut room_config = input.room_config.cloned().unwrap_or_else(|| json!({}));
        if !input.agents.is_empty() {
            let fields = room_config.as_object_mut().ok_or("room_config must be an object")?;
            let listed = fields.entry("agents").or_insert_with(|| json!([]));
            let named = input.agents.iter().map(|name| json!({ "agent_name": name }));
            listed.as_array_mut().ok_or("room_config.agents must be a list")?.extend(named);
        }
        let body = json!({ "room_name": input.room, "room_config": room_config });
        // The defaults of the endpoint, which a deployment can change.
        let limits = RequestLimits { metadata_bytes: 4096, attributes_bytes: 4096 };
        let request = TokenSourceRequest::from_body(body.to_string().as_bytes(), &limits)
            .map_err(|error| error.to_string())?;
        let subject = input.claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let key = match input.issuer {
            Some(issuer) => format!("{issuer}|{subject}"),
            None => subject.to_owned(),
        };
        Ok(Self {
            key,
            claims: input.claims,
            issuer: input.issuer.map(str::to_owned),
            room: request.room_name.map(String::from),
            asked: request.room_config,
        })
    }

    /// Decides by `policy` and by the checks of the endpoint around it.
    pub(crate) fn evaluate(&self, policy: &Policy) -> PolicyAnswer {
        self.evaluate_as(policy, None)
    }

    /// Decides as [`evaluate`](Self::evaluate) does, with the role that the app gives.
    pub(crate) fn evaluate_as(&self, policy: &Policy, by_app: Option<&str>) -> PolicyAnswer {
        self.decide(policy, by_app).unwrap_or_else(|error| PolicyAnswer::Refused {
            code: Problem::from(&error).code,
            reason: error.to_string(),
        })
    }

    /// The caller, as the policy sees it.
    pub(crate) fn caller(&self) -> CallerClaims<'_> {
        CallerClaims { claims: &self.claims, key: &self.key, issuer: self.issuer.as_deref() }
    }

    fn decide(&self, policy: &Policy, by_app: Option<&str>) -> Result<PolicyAnswer, ExchangeError> {
        check_forbidden_field(&self.asked)?;
        let (caller, room) = (self.caller(), self.room.as_deref());
        let decision = policy.decide_as(caller, room, &self.asked, by_app)?;
        let fresh = format!("{}room-{:032}", decision.fresh_room_prefix, 0);
        if self.room.is_none() && !text::is_name(&fresh) {
            return Err(Refusal::Room.into());
        }
        let asking = policy.asking(caller, room)?;
        let asks = asking.map(|asking| asking.url(caller, room.unwrap_or(&fresh))).transpose()?;
        let allowed = Allowed::from(&decision, self.room.is_none());
        Ok(PolicyAnswer::Allowed(Allowed { asks, ..allowed }))
    }
}

impl Allowed {
    fn from(decision: &Decision<'_>, is_fresh: bool) -> Self {
        let (Rule { line, .. }, role) = (decision.rule, decision.role);
        let video = VideoGrant::join("room", role.grants);
        let Ok(Value::Object(mut grants)) = serde_json::to_value(video) else { unreachable!() };
        // These two name the room and are no permissions in it.
        grants.retain(|name, _| !["room", "roomJoin"].contains(&name.as_str()));
        let attributes = decision.attributes.iter();
        let room_config = &decision.room_config;
        Self {
            line: *line,
            role: role.name.clone(),
            grants,
            attributes: attributes
                .map(|(key, value)| ((*key).to_owned(), value.to_string()))
                .collect(),
            ttl_seconds: role.ttl.map(|ttl| ttl.as_secs()),
            fresh_room: is_fresh.then(|| format!("{}*", decision.fresh_room_prefix)),
            room_config: (!room_config.is_empty()).then(|| json!(room_config)),
            asks: None,
            status: None,
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
