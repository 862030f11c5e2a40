//! Answers of the app: yes, no, or neither.

use serde_json::Value;

use super::{AskRefusal, AskSettings};
use crate::json;
use crate::upstream::client::UpstreamResponse;
use crate::upstream::error::FetchError;

/// Permission to enter, with the place of the role in the settings' list, if the app gives one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Yes {
    pub(super) role: Option<usize>,
}

/// An answer that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The caller may enter.
    Yes(Yes),
    No(AskRefusal),
}

impl Yes {
    /// The name of the role, if the app gives one.
    pub(super) fn role_of(self, settings: &AskSettings) -> Option<&str> {
        Some(settings.roles.get(self.role?)?.as_str())
    }
}

impl Answer {
    /// Reads the status, and the body if the settings need it.
    ///
    /// # Errors
    ///
    /// [`FetchError`] for any status that is neither a success nor a refusal, for a body that is not
    /// JSON, and for a role that the settings do not list.
    pub(super) fn read(
        response: &UpstreamResponse,
        settings: &AskSettings,
    ) -> Result<Self, FetchError> {
        match response.status {
            200..300 => {}
            401 | 403 | 404 => return Ok(Self::No(AskRefusal::Status(response.status))),
            _ => return Err(response.refusal()),
        }
        if !settings.reads_body() {
            return Ok(Self::Yes(Yes { role: None }));
        }
        let body = json::parse(&response.body).map_err(|_| FetchError::Malformed("JSON"))?;
        if settings.is_non_empty && is_empty(&body) {
            return Ok(Self::No(AskRefusal::Empty));
        }
        let role = settings.role_from.as_deref().and_then(|path| json::find_in(&body, path));
        match role {
            None | Some(Value::Null) => Ok(Self::Yes(Yes { role: None })),
            Some(role) => {
                let place = settings.roles.iter().position(|listed| role == listed.as_str());
                place.ok_or(FetchError::UnlistedRole).map(|_| Self::Yes(Yes { role: place }))
            }
        }
    }
}

/// Whether the answer has no content: `[]` and `{}`, also as the only content of an object as in GraphQL,
/// and what functions of a database return for no.
fn is_empty(body: &Value) -> bool {
    match body {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty_collection),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn is_empty_collection(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}
