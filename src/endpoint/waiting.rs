//! The waiting room: `/v1/rooms/{room}/waiting` and `/v1/rooms/{room}/waiting/{identity}`.

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::context::RequestContext;
use super::response::{HandlerResponse, date_time};
use super::route::Route;
use crate::body::{InvalidField, parse_object, present};
use crate::exchange::{ExchangeError, WaitingPerson};
use crate::logging::RequestLog;

#[derive(Serialize)]
struct WaitingList<'a> {
    waiting: Vec<WaitingEntry<'a>>,
}

#[derive(Serialize)]
struct WaitingEntry<'a> {
    identity: &'a str,
    name: &'a str,
    color: &'a str,
    since: String,
}

impl<'a> WaitingEntry<'a> {
    fn new(person: &'a WaitingPerson<'_>) -> Result<Self, ExchangeError> {
        let (identity, name) = (&person.identity, &person.name);
        Ok(Self { identity, name, color: person.color, since: date_time(person.since)? })
    }
}

impl RequestContext<'_> {
    /// Handles `GET /v1/rooms/{room}/waiting`.
    pub(super) async fn waiting(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        // Without state nobody waits, whoever asks.
        self.exchange().state()?;
        let caller = self.caller(record).await?;
        let room = self.room(Route::Waiting, record)?;
        let (role, waiting) = self.exchange().waiting(&caller, &room, self.now).await?;
        record.role = Some(role.name.clone());
        let waiting = waiting.iter().map(WaitingEntry::new).collect::<Result<_, _>>()?;
        Ok(HandlerResponse::serialized(StatusCode::OK, &WaitingList { waiting })?)
    }

    /// Handles `POST /v1/rooms/{room}/waiting/{identity}`.
    pub(super) async fn decide_entry(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        self.exchange().state()?;
        let caller = self.caller(record).await?;
        let target = self.target(Route::Entry, record)?;
        record.target = Some(self.pseudonym(&caller.secrets, &target.identity));
        let body = parse_object(self.json_body()?).map_err(ExchangeError::from)?;
        let is_admitted = match present(&body, "admit") {
            None => Err(InvalidField::new("admit", "must be sent")),
            Some(Value::Bool(is_admitted)) => Ok(*is_admitted),
            Some(_) => Err(InvalidField::new("admit", "must be true or false")),
        };
        let is_admitted = is_admitted.map_err(ExchangeError::from)?;
        let role = self.exchange().decide_entry(&caller, &target, is_admitted, self.now).await?;
        record.role = Some(role.name.clone());
        Ok(HandlerResponse::empty())
    }
}
