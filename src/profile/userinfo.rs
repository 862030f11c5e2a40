//! The issuer's UserInfo endpoint, asked as the caller.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::cache::AskError;
use crate::json;
use crate::oidc::claims::{Subject, VerifiedClaims};
use crate::oidc::discovery::Discovery;
use crate::oidc::error::VerifyError;
use crate::oidc::provider::Provider;
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;
use crate::upstream::error::Unavailable;
use crate::upstream::last_good::LastGood;

/// UserInfo ([OIDC Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
pub struct UserInfo {
    client: Arc<Client>,
    discovery: LastGood<Discovery>,
    provider: &'static Provider,
}

impl UserInfo {
    /// The UserInfo endpoint that `discovery` names.
    #[must_use]
    pub fn new(
        client: Arc<Client>,
        discovery: LastGood<Discovery>,
        provider: &'static Provider,
    ) -> Self {
        Self { client, discovery, provider }
    }

    /// Whether the endpoint takes tokens of this kind.
    #[must_use]
    pub fn takes(&self, claims: &VerifiedClaims) -> bool {
        self.provider.has_userinfo_for(claims.as_object())
    }

    /// Where it is; `None` where the issuer has none.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the issuer cannot be asked for that either.
    pub async fn endpoint(&self, now: SystemTime) -> Result<Option<String>, Unavailable> {
        Ok(self.discovery.get(now).await?.userinfo_endpoint.clone())
    }

    /// The claims about `subject` by `endpoint`, which is shown their verified `token`. Costs one
    /// request.
    ///
    /// # Errors
    ///
    /// A 401 or 403 is the issuer's word on the token, a 404 on the user; an answer for another
    /// `sub` must not be used (OIDC Core §5.3.2). All else is [`AskError::Fetch`].
    pub async fn ask(
        &self,
        endpoint: &str,
        subject: &Subject,
        token: &str,
    ) -> Result<Map<String, Value>, AskError> {
        let answer = self.client.get(endpoint, Some(token)).await.map_err(|error| match error {
            FetchError::Status { status: 401 | 403, .. } => VerifyError::RefusedByIssuer.into(),
            error => AskError::from(error),
        })?;
        let answer =
            json::parse_object(&answer).map_err(|_| FetchError::Malformed("a UserInfo answer"))?;
        if answer.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
            return Err(VerifyError::SubjectMismatch.into());
        }
        Ok(answer)
    }
}
