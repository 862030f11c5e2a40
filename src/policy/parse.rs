//! Parser of a policy's text: rules.
//!
//! Everything is read before the parser gives up, so that all faults are reported together.

mod asks;
mod conditions;
pub(super) mod faults;
mod role_lists;
mod roles;
mod rooms;

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::agents::RequestableAgents;
use super::ask::Ask;
use super::condition::{Condition, Expected};
use super::pattern::Pattern;
use super::role::Role;
use super::room_limits::RoomConfigLimits;
use super::room_settings::RoomSettings;
use super::template::Template;
use super::{Policy, Rule};
use crate::liveblocks;
use crate::livekit::attributes::{ATTRIBUTES, ATTRIBUTES_BYTES, is_key, reserved};
use crate::lobby::Lobby;
use crate::non_empty::NonEmpty;
use crate::participant::ClientField;
use crate::reason::Reason;
use asks::Asks;
use faults::{Faults, Located, PolicyError, text};

/// The value of `allow` that is required.
const ALLOW: &str = "allow must be a list of tables, each headed [[allow]]";

/// Parses a policy, or reports every fault.
pub(super) fn parse(policy: &str) -> Result<Policy, PolicyError> {
    const DUPLICATE: &str = "duplicate key";
    let mut faults = Faults::new(policy);
    let (document, errors) = DeTable::parse_recoverable(policy);
    let mut is_sound = true;
    for error in &errors {
        let offset = error.span().map_or(0, |span| span.start);
        let message = error.message().lines().next().unwrap_or_default();
        is_sound &= message == DUPLICATE;
        faults.add(offset, format!("is not TOML: {message}"));
    }
    let mut roles = Role::built_in();
    let mut allowed = Vec::new();
    // A document that the parser had to repair would have faults that the author did not write.
    if is_sound {
        let (mut allow, mut ask) = (None, None);
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "allow" => allow = Some(value),
                "ask" => ask = Some(value),
                "roles" => roles::read(value, &mut roles, &mut faults),
                _ => faults.add(key.span().start, "no such field: there are allow, ask and roles"),
            }
        }
        let mut asks = ask.map(|ask| Asks::read(ask, &roles, &mut faults)).unwrap_or_default();
        match allow {
            Some(allow) => {
                let list = faults.list(allow, ALLOW);
                for value in list {
                    allowed.extend(rule(value, &roles, &mut asks, &mut faults));
                }
                asks.check_used(&mut faults);
            }
            None => faults.add(
                0,
                "the policy must have at least one rule, headed [[allow]]: without one, every \
                 request would be rejected",
            ),
        }
    }
    faults.finish(Policy { rules: allowed, roles })
}

fn rule(
    value: &Located<'_>,
    roles: &BTreeMap<String, Role>,
    asks: &mut Asks,
    faults: &mut Faults<'_>,
) -> Option<Rule> {
    let table = faults.table(value, ALLOW)?;
    let mut issuer = None;
    let mut conditions = Vec::new();
    let mut rooms = None;
    let mut role = None;
    let mut agents = RequestableAgents::default();
    let mut client_fields = None;
    let mut attributes = Vec::new();
    let mut liveblocks = Vec::new();
    let mut ask = None;
    let mut lobby = None;
    let mut own = RoomSettings::default();
    let mut limits = RoomConfigLimits::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "when" => conditions = conditions::read(value, faults),
            "issuer" => issuer = faults.read(value, |value| text(value).map(str::to_owned)),
            "rooms" => rooms = Some(patterns(value, faults)),
            "role" => {
                const UNKNOWN: Reason = Reason(
                    "role must be host, moderator, participant, viewer, or have a table of this \
                     policy, [roles.name]",
                );
                role = Some(faults.read(value, |value| roles.get(text(value)?).ok_or(UNKNOWN)));
            }
            "agents" => agents.names = patterns(value, faults),
            "deployments" => agents.deployments = patterns(value, faults),
            "client_fields" => client_fields = Some(read_client_fields(value, faults)),
            "attributes" => attributes = read_attributes(value, faults),
            "liveblocks" => liveblocks = liveblocks_patterns(value, faults),
            "ask" => ask = asks.named(value, faults).map(|ask| (value.span().start, ask)),
            "lobby" => {
                const WRONG: Reason = Reason("lobby must be true, false or \"until-host\"");
                let read = |value: &DeValue<'_>| {
                    Lobby::parse(value.as_bool(), value.as_str()).map_err(|_| WRONG)
                };
                lobby = faults.read(value, read).flatten();
            }
            "room_config" => own = rooms::settings(value, faults),
            "allow_room_config" => limits = rooms::limits(value, faults),
            _ => faults.add(
                key.span().start,
                "no such field of a rule: there are when, issuer, rooms, role, agents, deployments, \
                 client_fields, attributes, room_config, allow_room_config, ask, lobby and liveblocks",
            ),
        }
    }
    let start = value.span().start;
    if rooms.is_none() {
        faults.add(start, "the rule has no rooms");
    }
    if role.is_none() {
        faults.add(start, "the rule has no role");
    }
    if let Some(issuer) = &issuer {
        qualify_subjects(&mut conditions, issuer);
    }
    if let Some((start, ask)) = &ask {
        check_url(*start, ask, rooms.as_deref(), &liveblocks, faults);
    }
    let role = role??.clone();
    let ask = ask.map(|(_, ask)| ask);
    let by_app = ask.iter().flat_map(|ask| &ask.settings.roles).filter_map(|name| roles.get(name));
    let by_app = by_app.map(|role| (role.clone(), own.clone().or(&role.room))).collect();
    let room = own.or(&role.room);
    Some(Rule {
        line: faults.line(start),
        role,
        client_fields,
        issuer,
        when: conditions,
        rooms: rooms?,
        agents,
        attributes,
        room,
        limits,
        lobby,
        liveblocks,
        ask,
        by_app,
    })
}

/// Checks that the URL of `ask` can be filled in wherever the rule applies.
fn check_url(
    start: usize,
    ask: &Ask,
    rooms: Option<&[Pattern]>,
    liveblocks: &[Pattern],
    faults: &mut Faults<'_>,
) {
    if !liveblocks.is_empty() && ask.url.has_room() {
        let reason = "a rule with liveblocks must not ask with a URL that contains the room: a token \
                      of Liveblocks is for many rooms";
        faults.add(start, reason);
    }
    let is_closed = |pattern: &Pattern| !pattern.is_open();
    if ask.url.has_rest() && rooms.is_some_and(|rooms| rooms.iter().any(is_closed)) {
        let reason =
            "a rule that asks with {room.rest} must have only patterns with a star in rooms";
        faults.add(start, reason);
    }
}

/// Turns plain subjects in conditions on `sub` into keys, `<issuer>|<subject>`: the rule names the issuer
/// already.
fn qualify_subjects(conditions: &mut [Condition], issuer: &str) {
    let prefix = format!("{issuer}|");
    for condition in conditions.iter_mut().filter(|condition| condition.claim == "sub") {
        let expected = condition.any_of.iter().map(|expected| match expected {
            Expected::Text(subject) if !subject.starts_with(&prefix) => {
                Expected::Text(format!("{prefix}{subject}"))
            }
            other => other.clone(),
        });
        if let Some(any_of) = NonEmpty::new(expected.collect()) {
            condition.any_of = any_of;
        }
    }
}

fn patterns(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Pattern> {
    let items = faults.list(value, "must be a non-empty list of patterns");
    let mut patterns = Vec::new();
    for item in items {
        let pattern = faults.read(item, |value| {
            value.as_str().ok_or(Reason("a pattern must be a string")).map(Pattern::parse)
        });
        match pattern {
            Some(Ok(pattern)) => patterns.push(pattern),
            Some(Err(error)) => faults.add(item.span().start, error.to_string()),
            None => {}
        }
    }
    Pattern::share_delimiters(&mut patterns);
    patterns
}

/// Patterns that Liveblocks accepts as well.
fn liveblocks_patterns(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Pattern> {
    let patterns = patterns(value, faults);
    if patterns.len() > liveblocks::PATTERNS {
        faults.add(value.span().start, "liveblocks must list at most 10 patterns");
    }
    if patterns.iter().any(|pattern| pattern.min_bytes() > liveblocks::PATTERN_BYTES) {
        let reason =
            "a pattern of liveblocks must have at most 128 bytes with its claims filled in";
        faults.add(value.span().start, reason);
    }
    patterns
}

fn read_client_fields(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<ClientField> {
    const WRONG: Reason = Reason(
        "client_fields must be a list of room_name, participant_name, participant_metadata, \
         participant_attributes and room_config",
    );
    let Some(items) = value.get_ref().as_array() else {
        faults.add(value.span().start, WRONG.0);
        return Vec::new();
    };
    let field = |value: &DeValue<'_>| value.as_str().and_then(ClientField::from_name).ok_or(WRONG);
    items.iter().filter_map(|item| faults.read(item, field)).collect()
}

fn read_attributes(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<(String, Template)> {
    let table = faults.table(value, "attributes must be a table of strings");
    let mut attributes = Vec::<(String, Template)>::new();
    let mut bytes = 0;
    for (key, value) in table.into_iter().flatten() {
        let (name, start) = (key.get_ref().as_ref(), key.span().start);
        if !is_key(name) {
            let reason = "an attribute's key must be 1 to 64 of A-Z a-z 0-9 _ . -, with a letter or \
                          digit at both ends";
            faults.add(start, reason);
        }
        if reserved(name).is_some() {
            faults.add(start, "an attribute's key must not be one that roomkey or LiveKit sets");
        }
        if attributes.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            faults.add(start, "attributes must not have two keys that differ only in case");
        }
        let Some(text) = faults.read(value, |value| text(value).map(str::to_owned)) else {
            continue;
        };
        bytes += name.len() + text.len();
        if let Some(template) = template(&text, value, faults) {
            attributes.push((name.to_owned(), template));
        }
    }
    if attributes.len() > ATTRIBUTES || bytes > ATTRIBUTES_BYTES {
        faults.add(value.span().start, "attributes must be at most 64, with 4096 bytes together");
    }
    attributes
}

fn template(text: &str, value: &Located<'_>, faults: &mut Faults<'_>) -> Option<Template> {
    let template = Template::parse(text);
    template.map_err(|error| faults.add(value.span().start, error.to_string())).ok()
}
