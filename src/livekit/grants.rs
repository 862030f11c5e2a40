//! `VideoGrant`: the rights of a participant.

use serde::{Serialize, Serializer};

/// The rights of a role in a room (livekit/protocol, `auth/grants.go`).
///
/// LiveKit reads an absent grant (publish, subscribe, data) as true, so each is written out.
/// Grants that are not bound to a room (`roomCreate`, `roomList`, `roomRecord`, `ingressAdmin`, …)
/// or that change how others see a participant (`hidden`, `recorder`, `agent`) are not fields, so
/// that no token can have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "LiveKit's claim consists of flags")]
pub struct Grants {
    /// Publish tracks.
    pub can_publish: bool,
    /// Publish data.
    pub can_publish_data: bool,
    /// Subscribe to others' tracks.
    pub can_subscribe: bool,
    /// Change one's own name, metadata and attributes. It would let a client rewrite its color and
    /// role, also while joining.
    pub can_update_own_metadata: bool,
    /// Receive metrics of others.
    pub can_subscribe_metrics: bool,
    /// Manage agent sessions.
    pub can_manage_agent_session: bool,
    /// Sources of tracks that may be published, if not all may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_sources: Option<Sources>,
    /// Mute and remove others, and change the room. LiveKit reads an absent value as false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_admin: bool,
}

const NOTHING: Grants = Grants {
    can_publish: false,
    can_publish_data: false,
    can_subscribe: false,
    can_update_own_metadata: false,
    can_subscribe_metrics: false,
    can_manage_agent_session: false,
    can_publish_sources: None,
    room_admin: false,
};

/// Sources of tracks, as LiveKit spells them. It refuses other names and upper case.
pub const SOURCES: [&str; 4] = ["camera", "microphone", "screen_share", "screen_share_audio"];

/// Some of [`SOURCES`], at least one: LiveKit reads an empty list as all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources([bool; SOURCES.len()]);

impl Sources {
    /// Creates a list of the sources with these names. `None` if it is empty or has another name.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut chosen = [false; SOURCES.len()];
        for name in names {
            *chosen.get_mut(SOURCES.iter().position(|source| *source == name)?)? = true;
        }
        chosen.contains(&true).then_some(Self(chosen))
    }

    /// The names of the sources.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        SOURCES.into_iter().zip(self.0).filter_map(|(name, is_chosen)| is_chosen.then_some(name))
    }
}

impl Serialize for Sources {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// The `video` claim: [`Grants`] for one room.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoGrant<'a> {
    /// Never empty: without a room, the client would choose one when it joins.
    room: &'a str,
    room_join: bool,
    /// Create and delete any room. No participant has it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    room_create: bool,
    #[serde(flatten)]
    grants: Grants,
}

impl<'a> VideoGrant<'a> {
    /// Creates the right to join `room`, which must not be empty, with `grants`.
    pub fn join(room: &'a str, grants: Grants) -> Self {
        Self { room, room_join: true, room_create: false, grants }
    }

    /// Creates the right to administer `room` through the API, and no other.
    pub fn administer(room: &'a str) -> Self {
        let grants = Grants { room_admin: true, ..NOTHING };
        Self { room, room_join: false, room_create: false, grants }
    }

    /// Creates the right to delete `room` through the API. LiveKit has no such right for one room: it
    /// extends to all rooms of the project.
    pub fn delete(room: &'a str) -> Self {
        Self { room, room_join: false, room_create: true, grants: NOTHING }
    }
}
