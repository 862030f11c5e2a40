//! Roles, and the ones that every policy has.

use std::collections::BTreeMap;
use std::time::Duration;

use super::room_settings::RoomSettings;
use crate::livekit::grants::Grants;

/// A set of permissions and settings for participants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The name, which the participant's attribute `role` contains.
    pub name: String,
    /// LiveKit's grants for the room.
    pub grants: Grants,
    /// Whether its holders may mute and remove others through roomkey. No grant of LiveKit gives this
    /// right for one room without the right to change the room.
    pub can_moderate: bool,
    /// The roles that its holders may give to participants who have one of them. None of these roles
    /// administers or moderates.
    pub may_give: Vec<String>,
    /// The roles with which its holders may invite guests. None of these roles administers or moderates.
    pub may_invite: Vec<String>,
    /// The roles that its holders may take themselves. None of these roles administers, and one that
    /// moderates is listed only if this role moderates.
    pub may_become: Vec<String>,
    /// Whether its holders may raise a hand.
    pub may_raise_hand: bool,
    /// Whether the role is given only to participants with a raised hand.
    pub consent: bool,
    /// The lifetime of the participant token, if it differs from `TOKEN_TTL_SECONDS`.
    pub ttl: Option<Duration>,
    /// The room settings for fields that the rule does not set.
    pub(super) room: RoomSettings,
}

/// Publish, subscribe and send data: LiveKit's meaning of absent grants.
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
    /// Creates a role with LiveKit's defaults.
    pub(super) fn new(name: &str) -> Self {
        Self::with(name, PARTICIPANT)
    }

    /// Whether its holders administer rooms or moderate.
    pub fn is_in_charge(&self) -> bool {
        self.grants.room_admin || self.can_moderate
    }

    fn with(name: &str, grants: Grants) -> Self {
        let room = RoomSettings::default();
        let can_moderate = grants.room_admin;
        Self {
            name: name.to_owned(),
            grants,
            can_moderate,
            may_give: Vec::new(),
            may_invite: Vec::new(),
            may_become: Vec::new(),
            may_raise_hand: true,
            consent: false,
            ttl: None,
            room,
        }
    }

    /// The roles of every policy, by name.
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
            if name == "host" {
                role.may_give = ["participant", "viewer"].map(str::to_owned).into();
                role.may_invite = role.may_give.clone();
            }
            (name.to_owned(), role)
        };
        roles.map(role).into()
    }
}
