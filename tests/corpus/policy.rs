//! A policy and a question to it: what it decides must be what a plainer reading of the text comes to.

use roomkey::livekit::grants::VideoGrant;
use roomkey::livekit::token_source::RequestedRoomConfig;
use roomkey::policy::{Decision, Policy, PolicyError, Refusal};
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use super::CANARY;

/// In how many places of a text something of ours is put.
const MARKS: usize = 4;

/// Claims, room and `room_config`, a line each, and below them the policy.
pub(super) fn policy(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let mut parts = input.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (claims, room, room_config, text) = (next(), next(), next(), next());
    // A policy that is refused must not be repeated, wherever its fault is.
    for mark in 0..=MARKS {
        let at = text.floor_char_boundary(text.len() * mark / MARKS);
        let marked = format!("{}{CANARY}{}", &text[..at], &text[at..]);
        if let Err(error) = Policy::parse(&marked) {
            check_faults(&error, &marked);
        }
    }
    let policy = match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => return check_faults(&error, text),
    };
    let claims = serde_json::from_str(claims).unwrap_or_default();
    let asked = serde_json::from_str(room_config).unwrap_or_default();
    let asked = RequestedRoomConfig::read(Some(&asked)).unwrap_or_default();
    let room = Some(room).filter(|room| !room.is_empty());
    let found = policy.decide(&claims, room, &asked);
    let document = DeTable::parse(text).unwrap();
    let document = Value::Object(table(document.get_ref()));
    let expected = decide(&document, &claims, room, &json!(asked.config));
    match (found, expected) {
        (Ok(decision), Ok(expected)) => assert_eq!(told(&decision), expected),
        (Err(Refusal::Room), Err("room"))
        | (Err(Refusal::Agent), Err("agent"))
        | (Err(Refusal::RoomConfig(_)), Err("room_config")) => {}
        (found, expected) => panic!("{found:?} instead of {expected:?}"),
    }
}

fn check_faults(error: &PolicyError, text: &str) {
    let lines = text.matches('\n').count() + 1;
    assert!(!error.faults().is_empty());
    for fault in error.faults() {
        assert!((1..=lines).contains(&fault.line), "{error}");
        assert!(!fault.reason.contains(CANARY), "{error}");
    }
}

/// What is compared of a decision.
fn told(decision: &Decision<'_>) -> Value {
    let role = &decision.rule.role;
    json!({
        "role": role.name,
        "grants": VideoGrant::join("r", role.grants),
        "ttl": role.ttl.map(|ttl| ttl.as_secs()),
        "prefix": decision.fresh_room_prefix,
        "config": decision.room_config,
    })
}

/// The same, or which refusal, read from the document.
fn decide(
    document: &Value,
    claims: &Map<String, Value>,
    room: Option<&str>,
    asked: &Value,
) -> Result<Value, &'static str> {
    let none = Vec::new();
    let rules = document["allow"].as_array().unwrap_or(&none).iter();
    let mut for_caller = rules.filter(|rule| {
        let expanded = |pattern| expand(pattern, claims).is_some();
        holds(&rule["when"], "", claims) && texts(&rule["rooms"]).all(expanded)
    });
    let opens = |rule: &&Value| texts(&rule["rooms"]).any(|it| matches(it, room, claims));
    let rule = if room.is_some() { for_caller.find(opens) } else { for_caller.next() };
    let rule = rule.ok_or("room")?;
    let mut open = texts(&rule["rooms"]).filter_map(|pattern| pattern.strip_suffix('*'));
    let prefix = match room {
        Some(_) => String::new(),
        None => open.next().and_then(|start| expand(start, claims)).ok_or("room")?,
    };
    let name = rule["role"].as_str().unwrap();
    let of_role = &document["roles"][name];
    let own = own_config(rule, of_role);
    Ok(json!({
        "role": name,
        "grants": grants(name, of_role),
        "ttl": of_role["ttl_seconds"],
        "prefix": prefix,
        "config": config(rule, &own, asked, claims)?,
    }))
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The claim at `path`.
fn claim<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        claim(claims.get(first)?.as_object()?, rest)
    })
}

fn holds(when: &Value, path: &str, claims: &Map<String, Value>) -> bool {
    let Value::Object(entries) = when else { return true };
    entries.iter().all(|(name, expected)| {
        let path = format!("{path}{}{name}", if path.is_empty() { "" } else { "." });
        let any_of = match expected {
            Value::Object(_) => return holds(expected, &path, claims),
            Value::Array(any_of) => any_of.as_slice(),
            one => std::slice::from_ref(one),
        };
        let claim = claim(claims, &path);
        claim.is_some_and(|claim| any_of.iter().any(|expected| is_in(expected, claim)))
    })
}

fn is_in(expected: &Value, claim: &Value) -> bool {
    match (expected, claim) {
        (Value::String(word), Value::String(text)) => {
            word == text || text.split(' ').any(|it| it == word)
        }
        (Value::String(_), Value::Array(items)) => items.contains(expected),
        (Value::String(name), Value::Object(members)) => {
            members.get(name).is_some_and(|member| !member.is_null() && *member != false)
        }
        _ => expected == claim,
    }
}

/// The pattern with the caller's claims in place of the braces.
fn expand(pattern: &str, claims: &Map<String, Value>) -> Option<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return Some(pattern.to_owned()) };
    let (path, after) = rest.split_once('}').unwrap();
    let value = claim(claims, path)?.as_str()?;
    let is_plain = !value.is_empty() && !value.contains('*') && !value.contains('{');
    is_plain.then(|| expand(after, claims))?.map(|after| format!("{before}{value}{after}"))
}

fn matches(pattern: &str, name: Option<&str>, claims: &Map<String, Value>) -> bool {
    let (start, is_open) = match pattern.strip_suffix('*') {
        Some(start) => (start, true),
        None => (pattern, false),
    };
    let (Some(start), Some(name)) = (expand(start, claims), name) else { return false };
    if is_open { name.starts_with(&start) } else { name == start }
}

fn grants(name: &str, role: &Value) -> Value {
    let is_viewer = name == "viewer";
    let built_in = ["host", "moderator", "participant", "viewer"].contains(&name);
    let or = |field: &str, default: bool| role[field].as_bool().unwrap_or(default);
    let publish = or("can_publish", !is_viewer);
    let mut grants = json!({
        "room": "r",
        "roomJoin": true,
        "canPublish": publish,
        "canPublishData": or("can_publish_data", if built_in { !is_viewer } else { publish }),
        "canSubscribe": or("can_subscribe", true),
        "canUpdateOwnMetadata": or("can_update_own_metadata", false),
        "canSubscribeMetrics": or("can_subscribe_metrics", false),
        "canManageAgentSession": or("can_manage_agent_session", false),
    });
    if or("room_admin", name == "host") {
        grants["roomAdmin"] = json!(true);
    }
    let sources: Vec<_> = ["camera", "microphone", "screen_share", "screen_share_audio"]
        .into_iter()
        .filter(|source| texts(&role["can_publish_sources"]).any(|it| it == *source))
        .collect();
    if !sources.is_empty() {
        assert!(publish, "LiveKit would refuse them");
        grants["canPublishSources"] = json!(sources);
    }
    grants
}

/// Names in the policy, and in a token.
const FIELDS: [(&str, &str); 4] = [
    ("max_participants", "maxParticipants"),
    ("empty_timeout", "emptyTimeout"),
    ("departure_timeout", "departureTimeout"),
    ("metadata", "metadata"),
];

/// What the rule, or else its role, says of the room, by the names in a token.
fn own_config(rule: &Value, of_role: &Value) -> Value {
    let mut own = json!({});
    for (field, name) in FIELDS.into_iter().chain([("agents", "agents")]) {
        let short = if field == "max_participants" { &of_role[field] } else { &Value::Null };
        let said = [&rule["room_config"][field], &of_role["room_config"][field], short];
        if let Some(value) = said.into_iter().find(|value| !value.is_null()) {
            own[name] = value.clone();
        }
    }
    for agent in own["agents"].as_array_mut().into_iter().flatten() {
        if let Some(name) = agent.as_object_mut().and_then(|agent| agent.remove("agent_name")) {
            agent["agentName"] = name;
        }
    }
    if own["agents"].is_null() {
        own.as_object_mut().unwrap().remove("agents");
    }
    own
}

fn config(
    rule: &Value,
    own: &Value,
    asked: &Value,
    claims: &Map<String, Value>,
) -> Result<Value, &'static str> {
    let mut config = own.clone();
    let list = |config: &Value| config["agents"].as_array().cloned().unwrap_or_default();
    let (of_rule, of_client) = (list(own), list(asked));
    let is_allowed = |agent: &Value| {
        let name = agent["agentName"].as_str();
        let is_default = name.is_none() && agent["deployment"].is_null();
        let mut patterns = texts(&rule["agents"]);
        is_default
            || of_rule.contains(agent)
            || patterns.any(|pattern| matches(pattern, name.or(Some("")), claims))
    };
    if !of_client.iter().all(is_allowed) {
        return Err("agent");
    }
    let added: Vec<_> =
        of_client.iter().filter(|agent| !of_rule.contains(agent)).cloned().collect();
    if !added.is_empty() {
        config["agents"] = json!([of_rule, added].concat());
    }
    for (field, name) in FIELDS {
        let wish = &asked[name];
        let size = wish.as_str().map_or(wish.as_u64(), |text| Some(text.len() as u64));
        let cap = rule["allow_room_config"][field].as_u64().unwrap_or(0);
        match size {
            None => {}
            Some(size) if size <= cap || *wish == own[name] => config[name] = wish.clone(),
            Some(_) => return Err("room_config"),
        }
    }
    Ok(config)
}

fn table(table: &DeTable<'_>) -> Map<String, Value> {
    table.iter().map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref()))).collect()
}

fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Boolean(value) => json!(value),
        DeValue::Integer(number) => {
            json!(i64::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(members) => Value::Object(table(members)),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Null,
    }
}
