//! The text of a policy: its rules. Everything is read before anything is missed, so that no fault
//! hides another.

pub(super) mod faults;
mod roles;

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::condition::{Condition, Expected};
use super::pattern::Pattern;
use super::role::Role;
use super::room_limits::{RoomConfigLimits, merge};
use super::{Policy, Rule};
use crate::liveblocks;
use crate::livekit::room_config::RoomConfiguration;
use crate::livekit::token_source::METADATA_BYTES;
use faults::{Faults, Located, PolicyError, integer, number, text};
use roles::room_config;

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
    // What the parser makes of anything worse would have faults that are not the author's.
    if is_sound {
        let mut allow = None;
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "allow" => allow = Some(value),
                "roles" => roles::read(value, &mut roles, &mut faults),
                _ => faults.add(key.span().start, "no such field: there are allow and roles"),
            }
        }
        if let Some(allow) = allow {
            let list = faults.list(allow, "allow must be a list of tables, each headed [[allow]]");
            allowed.extend(list.iter().filter_map(|value| rule(value, &roles, &mut faults)));
        }
    }
    faults.finish(Policy { rules: allowed, roles })
}

fn rule(
    value: &Located<'_>,
    roles: &BTreeMap<String, Role>,
    faults: &mut Faults<'_>,
) -> Option<Rule> {
    let table = faults.table(value, "allow must be a list of tables, each headed [[allow]]")?;
    let mut conditions = Vec::new();
    let mut rooms = None;
    let mut role = None;
    let mut agents = Vec::new();
    let mut liveblocks = Vec::new();
    let mut own = RoomConfiguration::default();
    let mut limits = RoomConfigLimits::default();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "when" => conditions = when(value, faults),
            "rooms" => rooms = Some(patterns(value, faults)),
            "role" => {
                const UNKNOWN: &str = "role must be host, moderator, participant, viewer, or have a table of this policy, \
                                       [roles.name]";
                role = Some(faults.read(value, |value| roles.get(text(value)?).ok_or(UNKNOWN)));
            }
            "agents" => agents = patterns(value, faults),
            "liveblocks" => liveblocks = liveblocks_patterns(value, faults),
            "room_config" => own = room_config(value, faults),
            "allow_room_config" => limits = read_caps(value, faults),
            _ => faults.add(
                key.span().start,
                "no such field of a rule: there are when, rooms, role, agents, room_config, \
                 allow_room_config and liveblocks",
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
    let role = role??.clone();
    let room_config = merge(own, &role.room_config);
    Some(Rule {
        line: faults.line(start),
        role,
        when: conditions,
        rooms: rooms?,
        agents,
        room_config,
        limits,
        liveblocks,
    })
}

fn when(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Condition> {
    let mut found = Vec::new();
    if let Some(table) = faults.table(value, "when must be a table of claims and their values") {
        conditions(table, "", &mut found, faults);
    }
    found
}

/// The conditions of a table, whose claims are below `path`: `org.role` without quotes is a table for
/// TOML, and a path for us.
fn conditions(
    table: &DeTable<'_>,
    path: &str,
    found: &mut Vec<Condition>,
    faults: &mut Faults<'_>,
) {
    for (claim, value) in table {
        let name = claim.get_ref();
        if name.is_empty() {
            faults.add(claim.span().start, "a claim must have a name");
        }
        let claim = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        let any_of = match value.get_ref() {
            DeValue::Table(table) if !table.is_empty() => {
                conditions(table, &claim, found, faults);
                continue;
            }
            DeValue::Array(_) => {
                let items = faults.list(value, "a list of values must not be empty");
                items.iter().filter_map(|item| faults.read(item, expected)).collect()
            }
            _ => faults.read(value, expected).into_iter().collect(),
        };
        found.push(Condition { claim, any_of });
    }
}

fn expected(value: &DeValue<'_>) -> Result<Expected, &'static str> {
    const WRONG: &str = "a claim's value must be text that is not empty, true, false, a whole number, \
                         or a list of these";
    match value {
        DeValue::Boolean(expected) => Ok(Expected::Boolean(*expected)),
        DeValue::Integer(_) => integer(value).map(Expected::Integer).ok_or(WRONG),
        _ => text(value).map(|text| Expected::Text(text.to_owned())).map_err(|_| WRONG),
    }
}

fn patterns(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Pattern> {
    let items = faults.list(value, "must be a list of patterns, and not empty");
    let pattern =
        |value: &DeValue<'_>| Pattern::parse(value.as_str().ok_or("a pattern must be text")?);
    items.iter().filter_map(|item| faults.read(item, pattern)).collect()
}

/// Patterns that Liveblocks takes as well.
fn liveblocks_patterns(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Pattern> {
    let patterns = patterns(value, faults);
    if patterns.len() > liveblocks::PATTERNS {
        faults.add(value.span().start, "liveblocks must list at most 10 patterns");
    }
    if patterns.iter().any(|pattern| pattern.least_bytes() > liveblocks::PATTERN_BYTES) {
        let reason =
            "a pattern of liveblocks must have at most 128 bytes with its claims filled in";
        faults.add(value.span().start, reason);
    }
    patterns
}

fn read_caps(value: &Located<'_>, faults: &mut Faults<'_>) -> RoomConfigLimits {
    const NUMBER: &str = "must be the highest number that a client may ask for, 1 to 4294967295";
    const BYTES: &str = "must be the most bytes that a client may ask for, 1 to 4096";
    let mut limits = RoomConfigLimits::default();
    let table = faults.table(value, "allow_room_config must be a table");
    for (key, value) in table.into_iter().flatten() {
        let (field, most, wrong) = match key.get_ref().as_ref() {
            "empty_timeout" => (&mut limits.empty_timeout, u32::MAX, NUMBER),
            "departure_timeout" => (&mut limits.departure_timeout, u32::MAX, NUMBER),
            "max_participants" => (&mut limits.max_participants, u32::MAX, NUMBER),
            "metadata" => {
                (&mut limits.metadata, u32::try_from(METADATA_BYTES).unwrap_or(u32::MAX), BYTES)
            }
            _ => {
                faults.add(
                    key.span().start,
                    "no such field of allow_room_config: there are max_participants, empty_timeout, \
                     departure_timeout and metadata; agents have a list of their own",
                );
                continue;
            }
        };
        *field = faults.read(value, |value| number(value, 1..=most, wrong)).unwrap_or_default();
    }
    limits
}
