//! Parser of a policy's text: roles.

use std::collections::BTreeMap;
use std::time::Duration;

use super::faults::{Faults, Located, boolean, number};
use super::{role_lists, rooms};
use crate::livekit::grants::{Grants, Sources};
use crate::policy::role::Role;
use crate::reason::Reason;

/// Grants of LiveKit that no role can have (livekit/protocol, `auth/grants.go`). They reach past the
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

/// The maximum length of a role's name, in bytes.
const NAME_BYTES: usize = 64;

/// Reads `[roles.…]` into `roles`, which contains the built-in roles.
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
    if let Some(table) = table {
        role_lists::read(table, roles, faults);
    }
}

/// Reads a role: the built-in one or LiveKit's defaults, with the fields of `value`.
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
            // Read after all roles, which they name.
            "may_give" | "may_invite" | "may_become" => {}
            "may_raise_hand" => {
                role.may_raise_hand = faults.read(value, boolean).unwrap_or_default();
            }
            "consent" => role.consent = faults.read(value, boolean).unwrap_or_default(),
            "can_publish_data" => data = faults.read(value, boolean),
            "can_publish_sources" => role.grants.can_publish_sources = sources(value, faults),
            "ttl_seconds" => {
                let wrong = Reason("ttl_seconds must be a whole number from 61 to 86400");
                let seconds = faults.read(value, |value| number(value, 61..=86_400, wrong));
                role.ttl = seconds.map(|seconds| Duration::from_secs(seconds.into()));
            }
            "max_participants" => {
                max_participants = Some((key.span().start, faults.read(value, rooms::count)));
            }
            "room_config" => role.room = rooms::settings(value, faults),
            _ if NEVER.contains(&key_text) => faults.add(
                key.span().start,
                "no role can have this grant: it reaches past the room, or changes how others see a \
                 participant",
            ),
            _ => faults.add(
                key.span().start,
                "no such field of a role: there are can_publish, can_publish_data, can_subscribe, \
                 can_publish_sources, can_update_own_metadata, can_subscribe_metrics, \
                 can_manage_agent_session, room_admin, can_moderate, may_give, may_invite, may_become, \
                 may_raise_hand, consent, ttl_seconds, room_config and max_participants",
            ),
        }
    }
    // With LiveKit's server API, a room administrator moderates without roomkey.
    role.can_moderate = moderate.unwrap_or(role.can_moderate || role.grants.room_admin);
    let is_new = built_in.is_none();
    if let Some(data) = data.or(is_new.then_some(role.grants.can_publish)) {
        role.grants.can_publish_data = data;
    }
    if role.grants.can_publish_sources.is_some() && !role.grants.can_publish {
        faults.add(value.span().start, "can_publish_sources must not be set without can_publish");
    }
    if let Some((offset, count)) = max_participants {
        if role.room.config.max_participants > 0 {
            faults.add(offset, "max_participants is set both in the role and in its room_config");
        }
        role.room.config.max_participants = count.unwrap_or_default();
    }
    role
}

/// The Boolean grant with this name.
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
                         screen_share_audio; to allow none, set can_publish = false";
    let items = faults.list(value, WRONG);
    let names: Vec<&str> = items.iter().filter_map(|item| item.get_ref().as_str()).collect();
    let is_texts = names.len() == items.len();
    let sources = Sources::new(names).filter(|_| is_texts);
    if sources.is_none() && !items.is_empty() {
        faults.add(value.span().start, WRONG);
    }
    sources
}
