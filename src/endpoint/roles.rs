//! Roles during a call, and the raised hand.

use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::context::RequestContext;
use super::response::HandlerResponse;
use super::route::Route;
use crate::body::{InvalidField, parse_object};
use crate::exchange::ExchangeError;
use crate::logging::RequestLog;
use crate::policy::Refusal;

/// The response to a change of a role.
#[derive(Serialize)]
struct ChangedRole<'a> {
    identity: &'a str,
    role: &'a str,
}

impl RequestContext<'_> {
    /// Handles `PUT /v1/rooms/{room}/participants/{identity}/role`.
    pub(super) async fn change_role(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        let target = self.target(Route::Role, record)?;
        record.target = Some(self.pseudonym(&caller.secrets, &target.identity));
        let body = parse_object(self.json_body()?).map_err(ExchangeError::from)?;
        let name = match body.get("role") {
            None | Some(Value::Null) => Err(InvalidField::new("role", "must be sent")),
            Some(Value::String(name)) => Ok(name),
            Some(_) => Err(InvalidField::new("role", "must be a string")),
        };
        let name = name.map_err(ExchangeError::from)?;
        let new = self.exchange().policy.role(name).ok_or(ExchangeError::from(Refusal::Role))?;
        let role = self.exchange().change_role(&caller, &target, new, self.now).await?;
        record.role = Some(role.name.clone());
        let response = ChangedRole { identity: &target.identity, role: &new.name };
        Ok(HandlerResponse::serialized(StatusCode::OK, &response)?)
    }

    /// Handles `PUT /v1/rooms/{room}/hand`.
    pub(super) async fn raise_hand(
        &self,
        record: &mut RequestLog,
    ) -> Result<HandlerResponse, HandlerResponse> {
        let caller = self.caller(record).await?;
        let room = self.room(Route::Hand, record)?;
        let body = parse_object(self.json_body()?).map_err(ExchangeError::from)?;
        let is_raised = match body.get("raised") {
            None | Some(Value::Null) => Err(InvalidField::new("raised", "must be sent")),
            Some(Value::Bool(is_raised)) => Ok(*is_raised),
            Some(_) => Err(InvalidField::new("raised", "must be true or false")),
        };
        let is_raised = is_raised.map_err(ExchangeError::from)?;
        let role = self.exchange().raise_hand(&caller, &room, is_raised, self.now).await?;
        record.role = Some(role.name.clone());
        Ok(HandlerResponse::empty())
    }
}
