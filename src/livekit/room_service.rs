//! LiveKit's `RoomService` ([Twirp](https://twitchtv.github.io/twirp/docs/spec_v7.html) with JSON):
//! who is in a room, and what a moderator may do to them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use super::access_token::{AccessToken, SignError};
use super::grants::VideoGrant;
use super::room_config::RoomConfiguration;
use crate::keys::livekit::ApiKey;
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;

/// How long a token for one errand is good.
const TTL: Duration = Duration::from_mins(1);

/// LiveKit's server, asked on behalf of one room.
pub struct RoomService<'a> {
    client: &'a Client,
    /// Where the API is, without a slash at the end.
    address: String,
    /// Administers `room`, and no other.
    bearer: String,
    room: &'a str,
}

/// Somebody in the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ParticipantInfo {
    /// What our tokens say of them, unless their role lets them change it.
    pub attributes: BTreeMap<String, String>,
    tracks: Vec<TrackInfo>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct TrackInfo {
    sid: String,
    /// Absent where it is proto3's default, which is audio.
    r#type: Option<Value>,
    muted: bool,
}

/// Why an errand was not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomServiceError {
    /// There is no such participant in the room, or no such room.
    #[error("no such participant in the room")]
    NotFound,
    /// LiveKit cannot be asked, or does not do what it is asked.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A mistake of ours.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl<'a> RoomService<'a> {
    /// The service of the server at `livekit_url`, for `room`: with a token of `key` that is good for
    /// 60 s from `now` and administers that room alone.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError::Sign`].
    pub fn new(
        client: &'a Client,
        livekit_url: &str,
        key: &ApiKey,
        room: &'a str,
        now: SystemTime,
    ) -> Result<Self, RoomServiceError> {
        let token = AccessToken {
            identity: "roomkey",
            name: "roomkey",
            video: VideoGrant::administer(room),
            metadata: None,
            attributes: BTreeMap::new(),
            room_config: RoomConfiguration::default(),
        };
        let bearer = token.sign(key, now, TTL)?.token;
        // wss://… is https://… to it.
        let http = livekit_url.strip_prefix("ws").map(|rest| format!("http{rest}"));
        let address = http.as_deref().unwrap_or(livekit_url).trim_end_matches('/').to_owned();
        Ok(Self { client, address, bearer, room })
    }

    /// Who `identity` is in the room.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn participant(&self, identity: &str) -> Result<ParticipantInfo, RoomServiceError> {
        let answer = self.call("GetParticipant", &json!({ "identity": identity })).await?;
        serde_json::from_slice(&answer).map_err(|_| FetchError::Malformed("a participant").into())
    }

    /// Mutes every track of `participant` that can be heard. One that is gone by then is silent.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn mute(
        &self,
        identity: &str,
        participant: &ParticipantInfo,
    ) -> Result<(), RoomServiceError> {
        for track in participant.tracks.iter().filter(|track| track.is_heard()) {
            let body = json!({ "identity": identity, "track_sid": track.sid, "muted": true });
            match self.call("MutePublishedTrack", &body).await {
                Ok(_) | Err(RoomServiceError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends the connection of `identity`.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn remove(&self, identity: &str) -> Result<(), RoomServiceError> {
        self.call("RemoveParticipant", &json!({ "identity": identity })).await.map(drop)
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Vec<u8>, RoomServiceError> {
        let mut body = body.clone();
        body["room"] = json!(self.room);
        let address = format!("{}/twirp/livekit.RoomService/{method}", self.address);
        let answer = self.client.post(&address, &self.bearer, &body).await?;
        match answer.status {
            200 => Ok(answer.body),
            // A server without such a service answers 404 as well, with another code.
            404 if answer.has("code", "not_found") => Err(RoomServiceError::NotFound),
            _ => Err(answer.refusal().into()),
        }
    }
}

impl TrackInfo {
    fn is_heard(&self) -> bool {
        let is_audio = match &self.r#type {
            None | Some(Value::Null) => true,
            Some(kind) => *kind == "AUDIO" || *kind == 0,
        };
        is_audio && !self.muted
    }
}
