//! The text of a policy: its roles, and what they and rules say of rooms.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use super::super::role::Role;
use super::faults::{Faults, Located, boolean, number, text};
use crate::livekit::grants::{Grants, Sources};
use crate::livekit::room_config::{AGENTS, AgentDispatch, RoomConfiguration};
use crate::livekit::token_source::METADATA_BYTES;
use crate::text::is_name;

/// Grants of LiveKit that no role can have (livekit/protocol, `auth/grants.go`): they reach past the
/// room, or change how others see and trust the participant.
const NEVER: &[&str] = &[
    "room_create",
    "room_list",
    "room_record",
    "ingress_admin",
    "hidden",
    "recorder",
    "agent",
    "destination_room",
    "room_join",
    "room",
];

/// Longest name of a role, in bytes.
const NAME_BYTES: usize = 64;

/// Reads `[roles.…]` into `roles`, which are those that are built in.
pub(super) fn read(
    value: &Located<'_>,
    roles: &mut BTreeMap<String, Role>,
    faults: &mut Faults<'_>,
) {
    let table = faults.table(value, "roles must be tables, each headed [roles.name]");
    for (name, value) in table.into_iter().flatten() {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        let name_text = name.get_ref().as_ref();
        if !(1..=NAME_BYTES).contains(&name_text.len()) || !name_text.bytes().all(is_allowed) {
            faults.add(name.span().start, "a role's name must be 1 to 64 of A-Z a-z 0-9 _ -");
        }
        let role = role(roles.get(name_text), name_text, value, faults);
        roles.insert(name_text.to_owned(), role);
    }
}

/// A role: as it is built in, or as LiveKit has it where nothing is said, but for what `value` says.
fn role(built_in: Option<&Role>, name: &str, value: &Located<'_>, faults: &mut Faults<'_>) -> Role {
    let mut role = built_in.cloned().unwrap_or_else(|| Role::new(name));
    let mut data = None;
    let mut moderate = None;
    let mut max_participants = None;
    let table = faults.table(value, "a role must be a table, headed [roles.name]");
    for (key, value) in table.into_iter().flatten() {
        let key_text = key.get_ref().as_ref();
        if let Some(grant) = grant(&mut role.grants, key_text) {
            *grant = faults.read(value, boolean).unwrap_or_default();
            continue;
        }
        match key_text {
            "can_moderate" => moderate = faults.read(value, boolean),
            "can_publish_data" => data = faults.read(value, boolean),
            "can_publish_sources" => role.grants.can_publish_sources = sources(value, faults),
            "ttl_seconds" => {
                let wrong = "ttl_seconds must be a whole number from 61 to 86400";
                let seconds = faults.read(value, |value| number(value, 61..=86_400, wrong));
                role.ttl = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            }
            "max_participants" => {
                max_participants = Some((key.span().start, faults.read(value, count)));
            }
            "room_config" => role.room_config = room_config(value, faults),
            _ if NEVER.contains(&key_text) => faults.add(
                key.span().start,
                "no role can have this grant: it reaches past the room, or changes how others see a \
                 participant",
            ),
            _ => faults.add(
                key.span().start,
                "no such field of a role: there are can_publish, can_publish_data, can_subscribe, \
                 can_publish_sources, can_update_own_metadata, can_subscribe_metrics, \
                 can_manage_agent_session, room_admin, can_moderate, ttl_seconds, room_config and max_participants",
            ),
        }
    }
    // Whoever administers the room may do so without us.
    role.can_moderate = moderate.unwrap_or(role.can_moderate || role.grants.room_admin);
    let is_new = built_in.is_none();
    if let Some(data) = data.or(is_new.then_some(role.grants.can_publish)) {
        role.grants.can_publish_data = data;
    }
    if role.grants.can_publish_sources.is_some() && !role.grants.can_publish {
        faults.add(value.span().start, "can_publish_sources without can_publish");
    }
    if let Some((offset, count)) = max_participants {
        if role.room_config.max_participants > 0 {
            faults.add(offset, "max_participants stands here and in room_config");
        }
        role.room_config.max_participants = count.unwrap_or_default();
    }
    role
}

/// The switch of that name.
fn grant<'g>(grants: &'g mut Grants, name: &str) -> Option<&'g mut bool> {
    Some(match name {
        "can_publish" => &mut grants.can_publish,
        "can_subscribe" => &mut grants.can_subscribe,
        "can_update_own_metadata" => &mut grants.can_update_own_metadata,
        "can_subscribe_metrics" => &mut grants.can_subscribe_metrics,
        "can_manage_agent_session" => &mut grants.can_manage_agent_session,
        "room_admin" => &mut grants.room_admin,
        _ => return None,
    })
}

fn sources(value: &Located<'_>, faults: &mut Faults<'_>) -> Option<Sources> {
    const WRONG: &str = "can_publish_sources must list some of camera, microphone, screen_share and \
                         screen_share_audio; to allow none, say can_publish = false";
    let items = faults.list(value, WRONG);
    let names: Vec<&str> = items.iter().filter_map(|item| item.get_ref().as_str()).collect();
    let is_texts = names.len() == items.len();
    let sources = Sources::new(names).filter(|_| is_texts);
    if sources.is_none() && !items.is_empty() {
        faults.add(value.span().start, WRONG);
    }
    sources
}

/// What a role or a rule says of rooms.
pub(super) fn room_config(value: &Located<'_>, faults: &mut Faults<'_>) -> RoomConfiguration {
    const METADATA: &str = "metadata must be text of 1 to 4096 bytes";
    let mut config = RoomConfiguration::default();
    let table = faults.table(value, "room_config must be a table");
    for (key, value) in table.into_iter().flatten() {
        let field = match key.get_ref().as_ref() {
            "empty_timeout" => &mut config.empty_timeout,
            "departure_timeout" => &mut config.departure_timeout,
            "max_participants" => &mut config.max_participants,
            "metadata" => {
                let metadata = faults.read(value, |value| bounded(value, METADATA_BYTES, METADATA));
                config.metadata = metadata.unwrap_or_default();
                continue;
            }
            "agents" => {
                config.agents = agents(value, faults);
                continue;
            }
            _ => {
                faults.add(
                    key.span().start,
                    "no such field of room_config: there are max_participants, empty_timeout, \
                     departure_timeout, metadata and agents",
                );
                continue;
            }
        };
        *field = faults.read(value, count).unwrap_or_default();
    }
    config
}

fn count(value: &DeValue<'_>) -> Result<u32, &'static str> {
    number(value, 1..=u32::MAX, "must be a whole number from 1 to 4294967295")
}

fn agents(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<AgentDispatch> {
    const WRONG: &str = "agents of room_config must be a list of 1 to 10 tables, such as { agent_name = \"notes\" }";
    let items = faults.list(value, WRONG);
    if items.len() > AGENTS {
        faults.add(value.span().start, WRONG);
    }
    items.iter().filter_map(|item| agent(item, faults)).collect()
}

fn agent(value: &Located<'_>, faults: &mut Faults<'_>) -> Option<AgentDispatch> {
    const NAME: &str = "must be 1 to 256 bytes of text without control characters";
    const METADATA: &str = "an agent's metadata must be text of 1 to 4096 bytes";
    let table = faults.table(value, "an agent of room_config must be a table")?;
    let mut agent = AgentDispatch::default();
    for (key, value) in table {
        let name = |value: &DeValue<'_>| {
            text(value).ok().filter(|name| is_name(name)).map(str::to_owned).ok_or(NAME)
        };
        match key.get_ref().as_ref() {
            "agent_name" => agent.agent_name = faults.read(value, name).unwrap_or_default(),
            "deployment" => agent.deployment = faults.read(value, name).unwrap_or_default(),
            "metadata" => {
                let metadata = faults.read(value, |value| bounded(value, METADATA_BYTES, METADATA));
                agent.metadata = metadata.unwrap_or_default();
            }
            _ => faults.add(
                key.span().start,
                "no such field of an agent: there are agent_name, metadata and deployment",
            ),
        }
    }
    Some(agent)
}

fn bounded(value: &DeValue<'_>, most: usize, wrong: &'static str) -> Result<String, &'static str> {
    let text = text(value).map_err(|_| wrong)?;
    if text.len() <= most { Ok(text.to_owned()) } else { Err(wrong) }
}
