//! A room as a whole: its participants, and its end.

use http::StatusCode;
use serde::Serialize;

use super::context::RequestContext;
use super::response::HandlerResponse;
use super::route::Route;
use crate::livekit::participant_info::{HAND_RAISED_AT, ParticipantInfo, TrackInfo};
use crate::logging::RequestLog;
use crate::time;

/// The participants of a room.
#[derive(Serialize)]
struct ParticipantList<'a> {
    participants: Vec<ListedParticipant<'a>>,
}

/// A participant, without everything else that LiveKit knows about them.
#[derive(Serialize)]
struct ListedParticipant<'a> {
    identity: &'a str,
    name: &'a str,
    role: Option<&'a str>,
    color: Option<&'a str>,
    /// As [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC.
    joined_at: Option<String>,
    /// As [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC, if the hand is raised.
    hand_raised_at: Option<&'a str>,
    tracks: Vec<ListedTrack>,
}

#[derive(Serialize)]
struct ListedTrack {
    source: &'static str,
    muted: bool,
}

impl<'a> From<&'a ParticipantInfo> for ListedParticipant<'a> {
    fn from(participant: &'a ParticipantInfo) -> Self {
        let track = |track: &TrackInfo| ListedTrack { source: track.source(), muted: track.muted };
        Self {
            identity: &participant.identity,
            name: &participant.name,
            role: participant.attribute("role"),
            color: participant.attribute("color"),
            joined_at: participant.joined_at().and_then(time::date_time),
            hand_raised_at: participant.attribute(HAND_RAISED_AT),
            tracks: participant.tracks.iter().map(track).collect(),
        }
    }
}

impl RequestContext<'_> {
    /// Handles `GET /v1/rooms/{room}/participants`.
    pub(super) async fn participants(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        let room = self.room(Route::Participants, record)?;
        let (role, participants) = self.exchange().participants(&caller, &room, self.now).await?;
        record.role = Some(role.name.clone());
        let participants = participants.iter().map(Into::into).collect();
        Ok(HandlerResponse::serialized(StatusCode::OK, &ParticipantList { participants })?)
    }

    /// Handles `DELETE /v1/rooms/{room}`.
    pub(super) async fn end_room(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        let room = self.room(Route::Room, record)?;
        let role = self.exchange().end_room(&caller, &room, self.now).await?;
        record.role = Some(role.name.clone());
        Ok(HandlerResponse::empty())
    }
}
