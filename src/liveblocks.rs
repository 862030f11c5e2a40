//! Liveblocks' tokens, for apps that have its cursors beside LiveKit's video.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::json;
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;

/// Most room patterns of one token.
pub const PATTERNS: usize = 10;

/// Longest room pattern without its star, in bytes.
pub const PATTERN_BYTES: usize = 128;

/// Liveblocks' API ([REST reference](https://liveblocks.io/docs/api-reference/rest-api-endpoints)).
pub struct Liveblocks {
    client: Arc<Client>,
    /// Where it is, without a slash at the end.
    api_url: String,
}

/// Somebody who asks for a token.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveblocksUser<'a> {
    /// Who they are. Liveblocks counts users by it.
    pub user_id: &'a str,
    /// What everyone in their rooms sees of them.
    pub user_info: LiveblocksUserInfo<'a>,
    /// Rooms, and what they may do in each; without, the rooms themselves say who may enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<BTreeMap<String, [&'static str; 1]>>,
}

/// What others see of them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveblocksUserInfo<'a> {
    /// The name.
    pub name: &'a str,
    /// Where their picture is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_url: Option<&'a str>,
    /// Their presence color.
    pub color: &'a str,
}

impl Liveblocks {
    /// The API at `api_url`.
    #[must_use]
    pub fn new(client: Arc<Client>, api_url: &str) -> Self {
        Self { client, api_url: api_url.trim_end_matches('/').to_owned() }
    }

    /// A token for `user`: an access token where it has permissions, an ID token otherwise. Costs one
    /// request. Never kept: the client refuses to be given the same token twice.
    ///
    /// # Errors
    ///
    /// [`FetchError`], a refusal of our key included: it is not the caller's fault.
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
