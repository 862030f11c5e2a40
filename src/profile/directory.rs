//! Clients for user directories of providers, which receive the operator's key.

use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::cache::AskError;
use crate::json;
use crate::oidc::error::VerifyError;
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;

/// A user directory.
pub struct Directory {
    client: Arc<Client>,
    kind: DirectoryKind,
    /// Address of its API, without a slash at the end.
    api_url: String,
}

/// The provider of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryKind {
    /// [Clerk's Backend API](https://clerk.com/docs/reference/backend-api): `GET /v1/users/{id}`.
    Clerk,
    /// [WorkOS](https://workos.com/docs/reference/user-management/user):
    /// `GET /user_management/users/{id}`.
    WorkOs,
}

impl DirectoryKind {
    /// Returns its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clerk => "clerk",
            Self::WorkOs => "workos",
        }
    }
}

impl Directory {
    /// Creates the client for the directory at `api_url`. No I/O.
    pub fn new(client: Arc<Client>, kind: DirectoryKind, api_url: &str) -> Self {
        Self { client, kind, api_url: api_url.trim_end_matches('/').to_owned() }
    }

    /// Returns the provider.
    pub fn kind(&self) -> DirectoryKind {
        self.kind
    }

    /// Requests the user with the ID `user`, as standard claims, with the operator's `key`. Costs one
    /// request.
    ///
    /// # Errors
    ///
    /// - [`AskError::NoSuchUser`] for a 404.
    /// - [`AskError::Rejected`] for a banned user, and for a response about another user.
    /// - [`AskError::Fetch`] for anything else, such as a refused key.
    pub async fn ask(
        &self,
        user: &str,
        key: &Zeroizing<String>,
    ) -> Result<Map<String, Value>, AskError> {
        let path = match self.kind {
            DirectoryKind::Clerk => "v1/users",
            DirectoryKind::WorkOs => "user_management/users",
        };
        let segment = segment(user).ok_or(AskError::NoSuchUser)?;
        let address = format!("{}/{path}/{segment}", self.api_url);
        let answer = self.client.get(&address, Some(key)).await?;
        let found = json::parse_object(&answer).map_err(|_| FetchError::Malformed("a user"))?;
        if found.get("id").and_then(Value::as_str) != Some(user) {
            return Err(VerifyError::SubjectMismatch.into());
        }
        match self.kind {
            DirectoryKind::Clerk => clerk_claims(&found),
            DirectoryKind::WorkOs => Ok(workos_claims(&found)),
        }
    }
}

/// Returns the primary address with its verification, the full name and the image.
fn clerk_claims(user: &Map<String, Value>) -> Result<Map<String, Value>, AskError> {
    let is_set = |field: &str| user.get(field).is_some_and(|value| *value == Value::Bool(true));
    if is_set("banned") || is_set("locked") {
        return Err(VerifyError::RefusedByIssuer.into());
    }
    let primary = user.get("primary_email_address_id").and_then(Value::as_str);
    let email = user.get("email_addresses").and_then(Value::as_array).and_then(|addresses| {
        addresses.iter().find(|address| {
            primary.is_some() && address.get("id").and_then(Value::as_str) == primary
        })
    });
    let address = email.and_then(|email| email.get("email_address")?.as_str());
    let status = email.and_then(|email| email.get("verification")?.get("status")?.as_str());
    Ok(claims(
        address,
        status == Some("verified"),
        &full_name(user),
        user.get("image_url").and_then(Value::as_str),
    ))
}

fn workos_claims(user: &Map<String, Value>) -> Map<String, Value> {
    claims(
        user.get("email").and_then(Value::as_str),
        user.get("email_verified") == Some(&Value::Bool(true)),
        &full_name(user),
        user.get("profile_picture_url").and_then(Value::as_str),
    )
}

/// Returns standard claims. What the directory lacks is empty, not absent: no other source is queried for it.
fn claims(
    email: Option<&str>,
    is_verified: bool,
    name: &str,
    picture: Option<&str>,
) -> Map<String, Value> {
    let claims = json!({
        "email": email.unwrap_or_default(),
        "email_verified": is_verified,
        "name": name,
        "picture": picture.unwrap_or_default(),
    });
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

/// Returns first and last name, as far as they are set.
fn full_name(user: &Map<String, Value>) -> String {
    let names = ["first_name", "last_name"]
        .iter()
        .filter_map(|field| user.get(*field)?.as_str())
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.collect::<Vec<_>>().join(" ")
}

/// Encodes `text` as one segment of a path
/// ([RFC 3986 §2.3](https://www.rfc-editor.org/rfc/rfc3986#section-2.3)), so that a subject with slashes
/// reaches no other resource. Returns `None` for dots alone: servers read them as a parent folder, encoded
/// or not.
fn segment(text: &str) -> Option<String> {
    const RESERVED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    let is_dots = text.bytes().all(|byte| byte == b'.');
    (!is_dots).then(|| utf8_percent_encode(text, RESERVED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subject_is_encoded_as_one_path_segment() {
        let rows = [
            ("user_2abcDEF", Some("user_2abcDEF")),
            ("a.b", Some("a.b")),
            ("..", None),
            (".", None),
            ("../organizations", Some("..%2Forganizations")),
            ("a?b#c%d", Some("a%3Fb%23c%25d")),
            ("é", Some("%C3%A9")),
        ];
        for (subject, expected) in rows {
            assert_eq!(segment(subject).as_deref(), expected, "{subject}");
        }
    }

    #[test]
    fn clerk_user_is_converted_to_claims() {
        let user = json!({
            "id": "user_1", "first_name": "Ada", "last_name": null, "image_url": "https://img/1",
            "primary_email_address_id": "idn_2",
            "email_addresses": [
                { "id": "idn_1", "email_address": "old@b", "verification": { "status": "verified" } },
                { "id": "idn_2", "email_address": "ada@b", "verification": { "status": "verified" } },
            ],
        });
        let with = |change: Value| {
            let mut user = user.as_object().unwrap().clone();
            user.extend(change.as_object().unwrap().clone());
            clerk_claims(&user)
        };
        let email = |change: Value| {
            let claims = with(change).unwrap();
            (claims["email"].clone(), claims["email_verified"].clone())
        };
        assert_eq!(email(json!({})), (json!("ada@b"), json!(true)));
        assert_eq!(email(json!({ "primary_email_address_id": null })), (json!(""), json!(false)));
        assert_eq!(email(json!({ "email_addresses": [] })), (json!(""), json!(false)));
        let unverified = json!({ "email_addresses": [
            { "id": "idn_2", "email_address": "ada@b", "verification": null }
        ] });
        assert_eq!(email(unverified), (json!("ada@b"), json!(false)));
        assert_eq!(with(json!({})).unwrap()["name"], "Ada");
        assert_eq!(with(json!({ "first_name": " ", "last_name": "L" })).unwrap()["name"], "L");
        assert!(with(json!({ "banned": true })).is_err());
        assert!(with(json!({ "banned": false, "locked": true })).is_err());
    }
}
