//! `VideoGrant`: what a participant may do.

use serde::Serialize;

/// What a role may do in a room (livekit/protocol, `auth/grants.go`).
///
/// LiveKit takes an absent grant for a given one (publish, subscribe, data), so each is written out.
/// Grants that are not bound to a room (`roomCreate`, `roomList`, `roomRecord`, `ingressAdmin`, …)
/// or that change how others see a participant (`hidden`, `recorder`, `agent`) are not here, so that
/// no token can hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "LiveKit's claim is one of switches")]
pub struct Grants {
    /// Publish tracks.
    pub can_publish: bool,
    /// Publish data.
    pub can_publish_data: bool,
    /// Subscribe to others' tracks.
    pub can_subscribe: bool,
    /// Change one's own name, metadata and attributes. It would let a client rewrite its colour and
    /// role, also while joining.
    pub can_update_own_metadata: bool,
    /// Receive metrics of others.
    pub can_subscribe_metrics: bool,
    /// Manage agent sessions.
    pub can_manage_agent_session: bool,
}

/// The `video` claim: [`Grants`] for one room.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoGrant<'a> {
    /// Never empty: without a room, the client would choose it while joining.
    room: &'a str,
    room_join: bool,
    #[serde(flatten)]
    grants: Grants,
}

impl<'a> VideoGrant<'a> {
    /// The right to join `room`, which must not be empty, with `grants`.
    #[must_use]
    pub fn join(room: &'a str, grants: Grants) -> Self {
        Self { room, room_join: true, grants }
    }
}
