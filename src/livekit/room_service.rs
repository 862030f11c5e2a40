//! A client for LiveKit's `RoomService`
//! ([Twirp](https://twitchtv.github.io/twirp/docs/spec_v7.html) with JSON).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, TryStreamExt};
use serde_json::{Value, json};

use super::access_token::{AccessToken, SignError};
use super::grants::{Grants, Sources, VideoGrant};
use super::participant_info::{ParticipantInfo, Participants, TrackInfo};
use super::room_config::RoomConfiguration;
use crate::keys::livekit::ApiKey;
use crate::upstream::client::{Client, RESPONSE_BYTES};
use crate::upstream::error::FetchError;

/// Lifetime of the token for one request.
const TTL: Duration = Duration::from_mins(1);

/// Longest list of participants that is read, in bytes. A participant with tracks has about 2 KB.
const LIST_BYTES: usize = 4_000_000;

/// Number of tracks that are muted at the same time.
const CONCURRENT_MUTES: usize = 16;

/// A client for the requests about one room.
pub struct RoomService<'a> {
    client: &'a Client,
    /// The base URL of the API, without a slash at the end.
    address: String,
    /// A token for requests about `room`.
    bearer: String,
    room: &'a str,
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
        Self::with_grant(client, livekit_url, key, room, VideoGrant::administer(room), now)
    }

    /// Creates a client as [`RoomService::new`] does, whose token only allows
    /// [`delete`](RoomService::delete).
    ///
    /// # Errors
    ///
    /// [`RoomServiceError::Sign`] if the token could not be signed.
    pub fn for_deletion(
        client: &'a Client,
        livekit_url: &str,
        key: &ApiKey,
        room: &'a str,
        now: SystemTime,
    ) -> Result<Self, RoomServiceError> {
        Self::with_grant(client, livekit_url, key, room, VideoGrant::delete(room), now)
    }

    fn with_grant(
        client: &'a Client,
        livekit_url: &str,
        key: &ApiKey,
        room: &'a str,
        video: VideoGrant<'_>,
        now: SystemTime,
    ) -> Result<Self, RoomServiceError> {
        let token = AccessToken {
            identity: "roomkey",
            name: "roomkey",
            video,
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

    /// Fetches all participants, hidden ones included. There are none if the room does not exist.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`]. A list of more than 4 MB is an error.
    pub async fn participants(&self) -> Result<Vec<ParticipantInfo>, RoomServiceError> {
        let answer = match self.call_for("ListParticipants", &json!({}), LIST_BYTES).await {
            Err(RoomServiceError::NotFound) => return Ok(Vec::new()),
            answer => answer?,
        };
        let list: Result<Participants, _> = serde_json::from_slice(&answer);
        let list = list.map_err(|_| FetchError::Malformed("a list of participants"))?;
        Ok(list.participants.unwrap_or_default())
    }

    /// Replaces the permission of the participant with this identity by `grants` if given, and changes
    /// `attributes`: an empty value deletes one, and others stay as they are.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`]. Nothing has changed then.
    pub async fn update(
        &self,
        identity: &str,
        grants: Option<&Grants>,
        attributes: &BTreeMap<&str, &str>,
    ) -> Result<(), RoomServiceError> {
        let mut body = json!({ "identity": identity, "attributes": attributes });
        if let Some(grants) = grants {
            body["permission"] = permission(grants);
        }
        self.call("UpdateParticipant", &body).await.map(drop)
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

    /// Sends `data` with this `topic`, reliably, to the participants with the identities `to`.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn send_data(
        &self,
        to: &[&str],
        topic: &str,
        data: &[u8],
    ) -> Result<(), RoomServiceError> {
        let body = json!({
            "data": STANDARD.encode(data),
            "kind": "RELIABLE",
            "destination_identities": to,
            "topic": topic,
        });
        self.call("SendData", &body).await.map(drop)
    }

    /// Ends the room, and with it the connections of all participants. A client
    /// [for this request](RoomService::for_deletion) must send it.
    ///
    /// # Errors
    ///
    /// [`RoomServiceError`].
    pub async fn delete(&self) -> Result<(), RoomServiceError> {
        self.call("DeleteRoom", &json!({})).await.map(drop)
    }

    async fn call(&self, method: &str, body: &Value) -> Result<Vec<u8>, RoomServiceError> {
        self.call_for(method, body, RESPONSE_BYTES).await
    }

    /// Sends a request whose response has at most `bytes`.
    async fn call_for(
        &self,
        method: &str,
        body: &Value,
        bytes: usize,
    ) -> Result<Vec<u8>, RoomServiceError> {
        let mut body = body.clone();
        body["room"] = json!(self.room);
        let address = format!("{}/twirp/livekit.RoomService/{method}", self.address);
        let answer = self.client.post_for(&address, &self.bearer, &body, bytes).await?;
        match answer.status {
            200 => Ok(answer.body),
            // A server without this service responds 404 as well, with another code.
            404 if answer.has("code", "not_found") => Err(RoomServiceError::NotFound),
            _ => Err(answer.refusal().into()),
        }
    }
}

/// All fields of `ParticipantPermission`: the server replaces the permission as a whole, and reads an
/// absent field as false.
fn permission(grants: &Grants) -> Value {
    // An empty list allows every source.
    let sources = grants.can_publish_sources.into_iter().flat_map(Sources::names);
    let sources: Vec<_> = sources.map(str::to_ascii_uppercase).collect();
    json!({
        "can_subscribe": grants.can_subscribe,
        "can_publish": grants.can_publish,
        "can_publish_data": grants.can_publish_data,
        "can_publish_sources": sources,
        "hidden": false,
        "recorder": false,
        "can_update_metadata": grants.can_update_own_metadata,
        "agent": false,
        "can_subscribe_metrics": grants.can_subscribe_metrics,
        "can_manage_agent_session": grants.can_manage_agent_session,
    })
}
