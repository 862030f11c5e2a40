//! A policy and a request: the decision must equal that of a simpler reading of the text.

use std::collections::BTreeSet;

use roomkey::livekit::grants::VideoGrant;
use roomkey::livekit::room_config::AGENTS;
use roomkey::livekit::token_source::RequestedRoomConfig;
use roomkey::policy::{CallerClaims, Decision, Policy, PolicyError, Refusal};
use serde_json::{Map, Value, json};
use toml::de::{DeTable, DeValue};

use super::CANARY;

/// Number of places of a text at which the canary is inserted.
const MARKS: usize = 4;

/// Separates the issuer's name from the claims in the first line, if a name is given.
const ISSUER: &str = "staff";

/// Claims, room and `room_config`, a line each, and below them the policy.
pub(super) fn policy(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let mut parts = input.splitn(4, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (claims, room, room_config, text) = (next(), next(), next(), next());
    // A rejected policy must not be repeated, wherever its fault is.
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
    let claims: Map<String, Value> = serde_json::from_str(claims).unwrap_or_default();
    let asked = serde_json::from_str(room_config).unwrap_or_default();
    let asked = RequestedRoomConfig::parse(Some(&asked), 4096).unwrap_or_default();
    let room = Some(room).filter(|room| !room.is_empty());
    let document = DeTable::parse(text).unwrap();
    let document = Value::Object(table(document.get_ref()));
    for issuer in [None, Some(ISSUER)] {
        let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
        let key = issuer.map_or(subject.to_owned(), |issuer| format!("{issuer}|{subject}"));
        let caller = CallerClaims { claims: &claims, key: &key, issuer };
        let found = policy.decide(caller, room, &asked);
        let caller = Caller { claims: &claims, key: &key, issuer };
        let expected = decide(&document, &caller, room, &json!(asked.config));
        match (found, expected) {
            (Ok(decision), Ok(expected)) => {
                assert_eq!(told(&decision), expected);
                check_explanation(&policy, caller.policy(), room, decision.rule.line);
            }
            (Err(Refusal::Room), Err("room"))
            | (Err(Refusal::Agent(_)), Err("agent"))
            | (Err(Refusal::RoomConfig(_)), Err("room_config")) => {}
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }
}

/// The first rule without an obstacle is the one that decided.
fn check_explanation(policy: &Policy, caller: CallerClaims<'_>, room: Option<&str>, line: usize) {
    let explanations = policy.explain(caller, room);
    let first = explanations.iter().find(|explanation| explanation.obstacles.is_empty());
    assert_eq!(first.map(|explanation| explanation.rule.line), Some(line));
}

struct Caller<'a> {
    claims: &'a Map<String, Value>,
    key: &'a str,
    issuer: Option<&'a str>,
}

impl<'a> Caller<'a> {
    fn policy(&self) -> CallerClaims<'a> {
        CallerClaims { claims: self.claims, key: self.key, issuer: self.issuer }
    }

    /// The claim at `path`.
    fn claim(&self, path: &str) -> Option<Value> {
        if path == "sub" {
            return Some(json!(self.key)).filter(|_| !self.key.is_empty());
        }
        at(&Value::Object(self.claims.clone()), path)
    }

    /// The strings that a claim represents in a pattern.
    fn strings(&self, path: &str) -> Vec<String> {
        match self.claim(path) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => {
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            Some(Value::Object(fields)) => fields
                .into_iter()
                .filter(|(_, value)| is_set(value))
                .map(|(name, _)| name)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The claim as a text of its own.
    fn text(&self, path: &str) -> Option<String> {
        match self.claim(path)? {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        }
    }
}

fn is_set(value: &Value) -> bool {
    !value.is_null() && *value != false
}

/// The value at `path`: of all ways to split the path, the first with a value, longest names first.
fn at(value: &Value, path: &str) -> Option<Value> {
    let mut splits: Vec<(&str, Option<&str>)> = vec![(path, None)];
    let dots: Vec<usize> = path.match_indices('.').map(|(dot, _)| dot).collect();
    splits.extend(dots.iter().rev().map(|dot| (&path[..*dot], Some(&path[dot + 1..]))));
    match value {
        Value::Object(fields) => {
            let whole = fields.get(path).filter(|value| !value.is_null());
            if let (None, Some(quoted)) = (whole, path.strip_prefix('"'))
                && let Some((name, rest)) = quoted.split_once('"')
            {
                splits = match rest.strip_prefix('.') {
                    Some(rest) => vec![(name, Some(rest))],
                    None if rest.is_empty() => vec![(name, None)],
                    None => return None,
                };
            }
            splits.into_iter().find_map(|(name, rest)| {
                let value = fields.get(name)?;
                rest.map_or(Some(value.clone()), |rest| at(value, rest)).filter(|it| !it.is_null())
            })
        }
        Value::Array(items) => {
            let (index, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
            let mut numbered = items.iter().enumerate();
            let (_, item) = numbered.find(|(place, _)| place.to_string() == index)?;
            rest.map_or(Some(item.clone()), |rest| at(item, rest)).filter(|it| !it.is_null())
        }
        _ => None,
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

/// The compared parts of a decision.
fn told(decision: &Decision<'_>) -> Value {
    let role = &decision.rule.role;
    let mut config = json!(decision.room_config);
    normalize(&mut config);
    json!({
        "role": role.name,
        "grants": VideoGrant::join("r", role.grants),
        "ttl": role.ttl.map(|ttl| ttl.as_secs()),
        "prefix": decision.fresh_room_prefix,
        "attributes": decision.attributes.iter().map(|(key, value)| ((*key).to_owned(), parsed(value))).collect::<Map<_, _>>(),
        "config": config,
    })
}

/// JSON in texts is compared by its meaning.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

fn normalize(config: &mut Value) {
    for agent in config["agents"].as_array_mut().into_iter().flatten() {
        if let Some(metadata) = agent["metadata"].as_str() {
            agent["metadata"] = parsed(metadata);
        } else {
            agent.as_object_mut().unwrap().remove("metadata");
        }
    }
    if config["agents"].is_null() {
        config.as_object_mut().unwrap().remove("agents");
    }
}

/// The same, or the refusal, read from the document.
fn decide(
    document: &Value,
    caller: &Caller<'_>,
    room: Option<&str>,
    asked: &Value,
) -> Result<Value, &'static str> {
    let none = Vec::new();
    let rules = document["allow"].as_array().unwrap_or(&none).iter();
    let mut for_caller = rules.filter(|rule| applies(rule, document, caller));
    let opens = |rule: &&Value| room.is_some_and(|room| matches_any(&rule["rooms"], room, caller));
    let rule = if room.is_some() { for_caller.find(opens) } else { for_caller.next() };
    let rule = rule.ok_or("room")?;
    let prefix = if room.is_some() {
        String::new()
    } else {
        let mut open = texts(&rule["rooms"]).filter(|pattern| pattern.ends_with('*'));
        let first =
            open.next().and_then(|it| expand(it, &rule["rooms"], caller).into_iter().next());
        first.ok_or("room")?.trim_end_matches('*').to_owned()
    };
    let name = rule["role"].as_str().unwrap();
    let of_role = &document["roles"][name];
    let own = own_config(rule, of_role, caller);
    let attributes = rule["attributes"].as_object().cloned().unwrap_or_default();
    let fill = |(key, text): (String, Value)| (key, fill(text.as_str().unwrap(), caller).unwrap());
    Ok(json!({
        "role": name,
        "grants": grants(name, of_role),
        "ttl": of_role["ttl_seconds"],
        "prefix": prefix,
        "attributes": attributes.into_iter().map(fill).collect::<Map<_, _>>(),
        "config": config(rule, &own, asked, caller)?,
    }))
}

fn applies(rule: &Value, document: &Value, caller: &Caller<'_>) -> bool {
    let is_issuer = rule["issuer"].is_null() || rule["issuer"].as_str() == caller.issuer;
    let expanded = |pattern| !expand(pattern, &rule["rooms"], caller).is_empty();
    let of_role = &document["roles"][rule["role"].as_str().unwrap()];
    let mut templates = texts_of(&rule["attributes"]);
    templates.extend(
        agents(rule, of_role)
            .iter()
            .filter_map(|agent| agent["metadata"].as_str())
            .map(str::to_owned),
    );
    let is_met = |(path, expected): (String, Value)| is_met(rule, &path, &expected, caller);
    is_issuer
        && conditions(&rule["when"], "").into_iter().all(is_met)
        && texts(&rule["rooms"]).all(expanded)
        && templates.iter().all(|text| fill(text, caller).is_some())
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn texts_of(table: &Value) -> Vec<String> {
    let values = table.as_object().into_iter().flatten();
    values.filter_map(|(_, value)| value.as_str()).map(str::to_owned).collect()
}

/// The agents that the rule, or else its role, dispatches.
fn agents(rule: &Value, of_role: &Value) -> Vec<Value> {
    let list = |table: &Value| table["room_config"]["agents"].as_array().cloned();
    list(rule).or_else(|| list(of_role)).unwrap_or_default()
}

/// Paths and their accepted values.
fn conditions(when: &Value, path: &str) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (name, expected) in when.as_object().into_iter().flatten() {
        let name = if name.contains('.') && !name.contains('"') && !path.is_empty() {
            format!("\"{name}\"")
        } else {
            name.clone()
        };
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        if expected.is_object() && expected["word"].is_null() {
            found.extend(conditions(expected, &path));
        } else {
            found.push((path, expected.clone()));
        }
    }
    found
}

fn is_met(rule: &Value, path: &str, expected: &Value, caller: &Caller<'_>) -> bool {
    let Some(claim) = caller.claim(path) else { return false };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    list(expected).iter().any(|expected| {
        if expected.is_object() {
            return list(&expected["word"]).iter().any(|word| {
                let is_word = |text: &str| text.split([' ', ',']).any(|it| *word == it);
                claim.as_str().map_or_else(|| is_in(word, &claim), is_word)
            });
        }
        let mut expected = expected.clone();
        if let (Some(issuer), Some(text), "sub") =
            (rule["issuer"].as_str(), expected.as_str(), path)
            && !text.starts_with(&format!("{issuer}|"))
        {
            expected = json!(format!("{issuer}|{text}"));
        }
        let is_word = |text: &str| text.split(' ').any(|it| expected == it);
        is_in(&expected, &claim)
            || (["scope", "scp"].contains(&path) && claim.as_str().is_some_and(is_word))
    })
}

fn is_in(expected: &Value, claim: &Value) -> bool {
    match claim {
        Value::Array(_) if expected.is_boolean() => false,
        Value::Array(items) => {
            let fields = ["name", "key", "id"];
            items.contains(expected)
                || items
                    .iter()
                    .any(|item| fields.iter().any(|field| item.get(field) == Some(expected)))
        }
        Value::Object(fields) => {
            expected.as_str().and_then(|name| fields.get(name)).is_some_and(is_set)
        }
        claim => claim == expected,
    }
}

/// Literals and claims of a pattern, alternating.
fn parts(pattern: &str) -> Vec<&str> {
    pattern.split(['{', '}']).collect()
}

/// The pattern for each value of the caller's claims in its braces.
fn expand(pattern: &str, list: &Value, caller: &Caller<'_>) -> Vec<String> {
    let mut expanded = vec![String::new()];
    for (place, part) in parts(pattern).into_iter().enumerate() {
        if place % 2 == 0 {
            for name in &mut expanded {
                name.push_str(part);
            }
            continue;
        }
        let mut values = caller.strings(part);
        values.retain(|value| {
            let is_plain = !value.is_empty() && !value.contains('*') && !value.contains('{');
            is_plain
                && delimiters(list, part)
                    .iter()
                    .all(|it| format!("{value}{it}").find(it) == Some(value.len()))
        });
        let mut seen = BTreeSet::new();
        values.retain(|value| seen.insert(value.clone()));
        let fill = |name: &String| {
            values.iter().map(move |value| format!("{name}{value}")).collect::<Vec<_>>()
        };
        expanded = expanded.iter().flat_map(fill).take(4096).collect();
    }
    expanded
}

/// The literals that follow a claim in any pattern of a list.
fn delimiters(list: &Value, claim: &str) -> Vec<String> {
    let mut found = Vec::new();
    for pattern in texts(list) {
        let parts = parts(pattern.strip_suffix('*').unwrap_or(pattern));
        for place in (1..parts.len()).step_by(2).filter(|place| parts[*place] == claim) {
            found.extend(
                parts.get(place + 1).filter(|text| !text.is_empty()).map(|text| (*text).to_owned()),
            );
        }
    }
    found
}

fn matches_any(list: &Value, name: &str, caller: &Caller<'_>) -> bool {
    texts(list).any(|pattern| {
        expand(pattern, list, caller).iter().any(|expanded| match expanded.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == expanded,
        })
    })
}

/// The text with the caller's claims in place of the braces; in JSON, in each string.
fn fill(text: &str, caller: &Caller<'_>) -> Option<Value> {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::String(_))) => {
            filled(&value, caller)
        }
        _ => Some(parsed(&replaced(text, caller)?)),
    }
}

fn filled(value: &Value, caller: &Caller<'_>) -> Option<Value> {
    match value {
        Value::String(text) => Some(Value::String(replaced(text, caller)?)),
        Value::Array(items) => items.iter().map(|item| filled(item, caller)).collect(),
        Value::Object(fields) => {
            let fill =
                |(name, value): (&String, &Value)| Some((name.clone(), filled(value, caller)?));
            fields.iter().map(fill).collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        other => Some(other.clone()),
    }
}

fn replaced(text: &str, caller: &Caller<'_>) -> Option<String> {
    let Some((before, rest)) = text.split_once('{') else { return Some(text.to_owned()) };
    if let Some((path, after)) = rest.split_once('}')
        && !path.is_empty()
        && !path.contains(['{', '"', '\\', ','])
        && !path.contains(char::is_whitespace)
    {
        return Some(format!("{before}{}{}", caller.text(path)?, replaced(after, caller)?));
    }
    Some(format!("{before}{{{}", replaced(rest, caller)?))
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

/// The room settings of the rule, or else its role, with the names in a token.
fn own_config(rule: &Value, of_role: &Value, caller: &Caller<'_>) -> Value {
    let mut own = json!({});
    for (field, name) in FIELDS {
        let short = if field == "max_participants" { &of_role[field] } else { &Value::Null };
        let candidates = [&rule["room_config"][field], short, &of_role["room_config"][field]];
        if let Some(value) = candidates.into_iter().find(|value| !value.is_null()) {
            own[name] = value.clone();
        }
    }
    let mut agents = agents(rule, of_role);
    for agent in &mut agents {
        if let Some(name) = agent.as_object_mut().and_then(|agent| agent.remove("agent_name")) {
            agent["agentName"] = name;
        }
        if let Some(metadata) = agent["metadata"].as_str() {
            agent["metadata"] = fill(metadata, caller).unwrap();
        } else {
            agent.as_object_mut().unwrap().remove("metadata");
        }
    }
    if !agents.is_empty() {
        own["agents"] = json!(agents);
    }
    own
}

fn config(
    rule: &Value,
    own: &Value,
    asked: &Value,
    caller: &Caller<'_>,
) -> Result<Value, &'static str> {
    let mut config = own.clone();
    let list = |config: &Value| config["agents"].as_array().cloned().unwrap_or_default();
    let of_rule = list(own);
    let mut all = of_rule.clone();
    for mut agent in list(asked) {
        let key = |agent: &Value| {
            let text = |field: &str| agent[field].as_str().unwrap_or("").to_owned();
            (text("agentName"), text("deployment"))
        };
        if let Some(metadata) = agent["metadata"].as_str() {
            agent["metadata"] = parsed(metadata);
        } else {
            agent.as_object_mut().unwrap().remove("metadata");
        }
        if let Some(own) = of_rule.iter().find(|own| key(own) == key(&agent)) {
            if !agent["metadata"].is_null() && agent["metadata"] != own["metadata"] {
                return Err("agent");
            }
            agent.as_object_mut().unwrap().remove("metadata");
            continue;
        }
        let (name, deployment) = key(&agent);
        let is_listed =
            |field: &str, name: &str| name.is_empty() || matches_any(&rule[field], name, caller);
        if !is_listed("agents", &name) || !is_listed("deployments", &deployment) {
            return Err("agent");
        }
        if !all.contains(&agent) {
            all.push(agent);
        }
    }
    let names: Vec<_> =
        all.iter().map(|agent| (agent["agentName"].clone(), agent["deployment"].clone())).collect();
    let is_twice = names.iter().enumerate().any(|(place, name)| names[..place].contains(name));
    let unnamed = names.iter().filter(|(name, _)| name.is_null()).count();
    if is_twice || unnamed > 1 || all.len() > AGENTS {
        return Err("agent");
    }
    if !all.is_empty() {
        config["agents"] = json!(all);
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
