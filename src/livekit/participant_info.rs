//! `ParticipantInfo`: a participant as LiveKit's API describes them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::grants::SOURCES;

/// The attribute with the time at which the participant raised a hand.
pub const HAND_RAISED_AT: &str = "hand_raised_at";

/// A participant in the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ParticipantInfo {
    /// The identity.
    pub identity: String,
    /// The name that other participants see.
    pub name: String,
    /// The attributes of their token, unless they could change them.
    pub attributes: BTreeMap<String, String>,
    /// The tracks that the participant publishes.
    pub tracks: Vec<TrackInfo>,
    /// Seconds since 1970, as a string or a number.
    joined_at: Option<Value>,
    permission: Option<Permission>,
}

/// A published track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct TrackInfo {
    /// The ID.
    pub sid: String,
    /// Whether the track is muted.
    pub muted: bool,
    /// Absent for proto3's default, which is audio.
    r#type: Option<Value>,
    /// Absent for proto3's default, which is unknown.
    source: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Permission {
    hidden: bool,
    can_update_metadata: bool,
}

/// A response of `ListParticipants`.
#[derive(Deserialize)]
pub(super) struct Participants {
    pub(super) participants: Option<Vec<ParticipantInfo>>,
}

impl ParticipantInfo {
    /// Returns the time of joining, in seconds since 1970, if it is known.
    pub fn joined_at(&self) -> Option<u64> {
        let seconds = match self.joined_at.as_ref()? {
            Value::String(seconds) => seconds.parse().ok(),
            seconds => seconds.as_u64(),
        };
        seconds.filter(|seconds| *seconds > 0)
    }

    /// Returns the attribute with this key, unless it is empty.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether other participants do not see this one.
    pub fn is_hidden(&self) -> bool {
        self.permission.as_ref().is_some_and(|permission| permission.hidden)
    }

    /// Whether the participant can change their own attributes, the role included.
    pub fn can_change_attributes(&self) -> bool {
        self.permission.as_ref().is_some_and(|permission| permission.can_update_metadata)
    }
}

impl TrackInfo {
    /// Whether the track is audio and not muted.
    pub fn is_audible(&self) -> bool {
        let is_audio = match &self.r#type {
            None | Some(Value::Null) => true,
            Some(kind) => *kind == "AUDIO" || *kind == 0,
        };
        is_audio && !self.muted
    }

    /// Returns the source as grants spell it, or `unknown`.
    pub fn source(&self) -> &'static str {
        let place = match &self.source {
            Some(Value::String(source)) => {
                SOURCES.iter().position(|known| known.eq_ignore_ascii_case(source))
            }
            // `TrackSource` of livekit/protocol numbers the sources in this order, from 1.
            Some(source) => {
                source.as_u64().and_then(|number| usize::try_from(number).ok()?.checked_sub(1))
            }
            None => None,
        };
        place.and_then(|place| SOURCES.get(place)).copied().unwrap_or("unknown")
    }
}
