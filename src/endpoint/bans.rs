//! Bans: `/v1/rooms/{room}/bans` and `/v1/rooms/{room}/bans/{identity}`.

use http::StatusCode;
use serde::Serialize;

use super::context::RequestContext;
use super::response::{HandlerResponse, date_time};
use super::route::Route;
use crate::exchange::{BanRequest, ExchangeError};
use crate::logging::RequestLog;
use crate::state::item::Ban;

/// A ban in a response.
#[derive(Serialize)]
struct BanEntry<'a> {
    identity: &'a str,
    banned_at: String,
    /// `null` if the ban lasts until it is deleted.
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
struct BanList<'a> {
    bans: Vec<BanEntry<'a>>,
}

impl<'a> BanEntry<'a> {
    fn new(identity: &'a str, ban: &'a Ban) -> Result<Self, ExchangeError> {
        let (banned_at, expires_at) = (date_time(ban.banned_at)?, ban.ends_at.map(date_time));
        let reason = ban.reason.as_deref();
        Ok(Self { identity, banned_at, expires_at: expires_at.transpose()?, reason })
    }
}

impl RequestContext<'_> {
    /// Handles `POST /v1/rooms/{room}/bans`.
    pub(super) async fn ban(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without state there are no bans, whoever asks.
        self.exchange().state()?;
        let author = self.author(route, record).await?;
        let room = self.room(route, record)?;
        let request = BanRequest::from_body(self.json_body()?).map_err(ExchangeError::from)?;
        record.target = Some(self.pseudonym(author.secrets(), request.identity.as_str()));
        let (person, ban, role) = self.exchange().ban(&author, &room, request, self.now).await?;
        record.role = role.map(|role| role.name.clone());
        Ok(HandlerResponse::serialized(StatusCode::CREATED, &BanEntry::new(&person, &ban)?)?)
    }

    /// Handles `GET /v1/rooms/{room}/bans`.
    pub(super) async fn bans(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without state there are no bans, whoever asks.
        self.exchange().state()?;
        let author = self.author(route, record).await?;
        let room = self.room(route, record)?;
        let (bans, role) = self.exchange().bans(&author, &room, self.now).await?;
        record.role = role.map(|role| role.name.clone());
        let bans = bans.iter().map(|(person, ban)| BanEntry::new(person, ban));
        let bans = bans.collect::<Result<_, _>>()?;
        Ok(HandlerResponse::serialized(StatusCode::OK, &BanList { bans })?)
    }

    /// Handles `DELETE /v1/rooms/{room}/bans/{identity}`.
    pub(super) async fn unban(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without state there are no bans, whoever asks.
        self.exchange().state()?;
        let author = self.author(route, record).await?;
        let target = self.target(route, record)?;
        record.target = Some(self.pseudonym(author.secrets(), &target.identity));
        let (room, identity) = (&target.room, &target.identity);
        let role = self.exchange().unban(&author, room, identity, self.now).await?;
        record.role = role.map(|role| role.name.clone());
        Ok(HandlerResponse::empty())
    }
}
