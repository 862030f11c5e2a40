//! What holders of a role may do.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::livekit::grants::Grants;
use crate::livekit::room_config::RoomConfiguration;

/// What a role's holders may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The role's name, which the participant's `role` attribute shows.
    pub name: String,
    /// Its rights in the room.
    pub grants: Grants,
    /// Whether they may mute and remove others through us, which no grant of LiveKit's gives to one
    /// room without the right to change it.
    pub can_moderate: bool,
    /// How long a token may be used to join, if not as long as others.
    pub ttl: Option<Duration>,
    /// What it says of rooms, where the rule does not.
    pub(super) room_config: RoomConfiguration,
}

/// Publish, subscribe and send data, and nothing more: what LiveKit takes absent grants for.
const PARTICIPANT: Grants = Grants {
    can_publish: true,
    can_publish_data: true,
    can_subscribe: true,
    can_update_own_metadata: false,
    can_subscribe_metrics: false,
    can_manage_agent_session: false,
    can_publish_sources: None,
    room_admin: false,
};

impl Role {
    /// A role as LiveKit has it where nothing is said.
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, PARTICIPANT)
    }

    fn with(name: &str, grants: Grants) -> Self {
        let room_config = RoomConfiguration::default();
        let can_moderate = grants.room_admin;
        Self { name: name.to_owned(), grants, can_moderate, ttl: None, room_config }
    }

    /// The roles that are there in every policy, by name.
    pub(super) fn built_in() -> BTreeMap<String, Self> {
        let host = Grants { room_admin: true, ..PARTICIPANT };
        let viewer = Grants { can_publish: false, can_publish_data: false, ..PARTICIPANT };
        let roles = [
            ("host", host),
            ("moderator", PARTICIPANT),
            ("participant", PARTICIPANT),
            ("viewer", viewer),
        ];
        let role = |(name, grants)| {
            let mut role = Self::with(name, grants);
            role.can_moderate |= name == "moderator";
            (name.to_owned(), role)
        };
        roles.map(role).into()
    }
}
