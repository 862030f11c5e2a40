//! A client for LiveKit's `RoomService`
//! ([Twirp](https://twitchtv.github.io/twirp/docs/spec_v7.html) with JSON).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, TryStreamExt};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access_token::{AccessToken, SignError};
use super::grants::VideoGrant;
use super::room_config::RoomConfiguration;
use crate::keys::livekit::ApiKey;
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;

/// Lifetime of the token for one request.
const TTL: Duration = Duration::from_mins(1);

/// Number of tracks that are muted at the same time.
const CONCURRENT_MUTES: usize = 16;

/// A client for the requests about one room.
pub struct RoomService<'a> {
    client: &'a Client,
    /// The base URL of the API, without a slash at the end.
    address: String,
    /// A token that administers `room` alone.
    bearer: String,
    room: &'a str,
}

/// A participant in the room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ParticipantInfo {
    /// The identity, with the device if there is one.
    pub identity: String,
    /// The attributes of their token, unless they could change them.
    pub attributes: BTreeMap<String, String>,
    tracks: Vec<TrackInfo>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct TrackInfo {
    sid: String,
    /// Absent for proto3's default, which is audio.
    r#type: Option<Value>,
    muted: bool,
}

/// The reason why a request to `RoomService` failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomServiceError {
    /// The room has no such participant, or does not exist.
    #[error("no such participant in the room")]
    NotFound,
    /// LiveKit is unavailable, or refuses the request.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The token could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl<'a> RoomService<'a> {
    /// Creates a client for the server at `livekit_url` and `room`, with a token of `key` that expires
    /// 60 s after `now`.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError::Sign`] if the token could not be signed.
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
        // The API has the URL of the server, with the scheme https for wss.
        let http = livekit_url.strip_prefix("ws").map(|rest| format!("http{rest}"));
        let address = http.as_deref().unwrap_or(livekit_url).trim_end_matches('/').to_owned();
        Ok(Self { client, address, bearer, room })
    }

    /// Fetches the participant with this identity.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn participant(&self, identity: &str) -> Result<ParticipantInfo, RoomServiceError> {
        let answer = self.call("GetParticipant", &json!({ "identity": identity })).await?;
        serde_json::from_slice(&answer).map_err(|_| FetchError::Malformed("a participant").into())
    }

    /// Fetches all participants of the room. LiveKit reports no error for a room without a call.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn participants(&self) -> Result<Vec<ParticipantInfo>, RoomServiceError> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Participants {
            participants: Vec<ParticipantInfo>,
        }
        let answer = self.call("ListParticipants", &json!({})).await?;
        let list: Participants = serde_json::from_slice(&answer)
            .map_err(|_| FetchError::Malformed("a list of participants"))?;
        Ok(list.participants)
    }

    /// Mutes every audio track of `participant` that is not muted, [`CONCURRENT_MUTES`] at a time. A
    /// track that no longer exists counts as muted.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`], the first that occurs: some tracks are muted then.
    pub async fn mute(
        &self,
        identity: &str,
        participant: &ParticipantInfo,
    ) -> Result<(), RoomServiceError> {
        let audible = participant.tracks.iter().filter(|track| track.is_audible()).map(Ok);
        stream::iter(audible)
            .try_for_each_concurrent(CONCURRENT_MUTES, |track: &TrackInfo| async {
                let body = json!({ "identity": identity, "track_sid": track.sid, "muted": true });
                match self.call("MutePublishedTrack", &body).await {
                    Ok(_) | Err(RoomServiceError::NotFound) => Ok(()),
                    Err(error) => Err(error),
                }
            })
            .await
    }

    /// Ends the connection of the participant with this identity.
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
            // A server without this service responds 404 as well, with another code.
            404 if answer.has("code", "not_found") => Err(RoomServiceError::NotFound),
            _ => Err(answer.refusal().into()),
        }
    }
}

impl TrackInfo {
    fn is_audible(&self) -> bool {
        let is_audio = match &self.r#type {
            None | Some(Value::Null) => true,
            Some(kind) => *kind == "AUDIO" || *kind == 0,
        };
        is_audio && !self.muted
    }
}
