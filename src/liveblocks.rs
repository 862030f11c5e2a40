//! A client for the Liveblocks API.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::json;
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;

/// Maximum number of room patterns in one token.
pub const PATTERNS: usize = 10;

/// Maximum length of a room pattern without its star, in bytes.
pub const PATTERN_BYTES: usize = 128;

/// A client for the API ([REST reference](https://liveblocks.io/docs/api-reference/rest-api-endpoints)).
pub struct Liveblocks {
    client: Arc<Client>,
    /// The base URL, without a slash at the end.
    api_url: String,
}

/// The user of a token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveblocksUser<'a> {
    /// The user's identity, by which Liveblocks counts users.
    pub user_id: &'a str,
    /// The part that everyone in the user's rooms sees.
    pub user_info: LiveblocksUserInfo<'a>,
    /// Permissions by room pattern. If absent, the settings of the rooms apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<BTreeMap<String, [&'static str; 1]>>,
}

/// The part of a user that others see.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveblocksUserInfo<'a> {
    /// The name.
    pub name: &'a str,
    /// The URL of the picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<&'a str>,
    /// The presence color.
    pub color: &'a str,
}

impl Liveblocks {
    /// Creates a client for the API at `api_url`.
    pub fn new(client: Arc<Client>, api_url: &str) -> Self {
        Self { client, api_url: api_url.trim_end_matches('/').to_owned() }
    }

    /// Requests a token for `user`: an access token if it has permissions, an ID token otherwise. Costs
    /// one request. Tokens are not cached, since the client refuses to receive the same one twice.
    ///
    /// # Errors
    ///
    /// [`FetchError`], also if Liveblocks refuses the API key, which is not the caller's fault.
    pub async fn token(
        &self,
        user: &LiveblocksUser<'_>,
        key: &Zeroizing<String>,
    ) -> Result<String, FetchError> {
        let path = if user.permissions.is_some() { "authorize-user" } else { "identify-user" };
        let address = format!("{}/v2/{path}", self.api_url);
        let answer = self.client.post(&address, key, user).await?;
        if answer.status != 200 {
            return Err(answer.refusal());
        }
        let token = json::parse_object(&answer.body)
            .ok()
            .and_then(|answer| answer.get("token").and_then(Value::as_str).map(str::to_owned));
        token.filter(|token| !token.is_empty()).ok_or(FetchError::Malformed("a token"))
    }
}
