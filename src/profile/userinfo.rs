//! Client for the issuer's UserInfo endpoint.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::cache::AskError;
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::discovery::Discovery;
use crate::oidc::error::VerifyError;
use crate::oidc::issuer::{Issuer, UserInfoReader};
use crate::oidc::provider::Provider;
use crate::upstream::client::Client;
use crate::upstream::error::{FetchError, Unavailable};
use crate::upstream::last_good::LastGood;

/// The UserInfo endpoint
/// ([OIDC Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
pub struct UserInfo {
    client: Arc<Client>,
    discovery: LastGood<Discovery>,
    reader: UserInfoReader,
    provider: &'static Provider,
}

impl UserInfo {
    /// Creates the client for the endpoint that the metadata of `issuer` names. No I/O.
    pub fn new(client: Arc<Client>, issuer: &Issuer) -> Self {
        Self {
            client,
            discovery: issuer.discovery().clone(),
            reader: issuer.userinfo_reader(),
            provider: issuer.verifier().expected().provider,
        }
    }

    /// Whether the endpoint accepts tokens of this kind.
    pub fn takes(&self, claims: &VerifiedClaims) -> bool {
        self.provider.has_userinfo_for(claims.as_object())
    }

    /// Returns the endpoint's address, or `None` if the issuer has none.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the issuer's metadata is not known and cannot be fetched.
    pub async fn endpoint(&self, now: SystemTime) -> Result<Option<String>, Unavailable> {
        Ok(self.discovery.get(now).await?.userinfo_endpoint.clone())
    }

    /// Requests the profile of the caller with `claims` from `endpoint`, with their verified `token`.
    /// Costs one request, and a fetch of keys if the response is signed with an unknown one.
    ///
    /// # Errors
    ///
    /// - [`AskError::Rejected`] for a 401 or 403, and for a response about another person.
    /// - [`AskError::NoSuchUser`] for a 404.
    /// - [`AskError::Fetch`] for anything else.
    pub async fn ask(
        &self,
        endpoint: &str,
        claims: &VerifiedClaims,
        token: &str,
        now: SystemTime,
    ) -> Result<Map<String, Value>, AskError> {
        let response =
            self.client.get(endpoint, Some(token)).await.map_err(|error| match error {
                FetchError::Status { status: 401 | 403, .. } => VerifyError::RefusedByIssuer.into(),
                error => AskError::from(error),
            })?;
        let profile = self.reader.read(&response, claims, now).await?;
        if !self.reader.describes(&profile, claims) {
            return Err(VerifyError::SubjectMismatch.into());
        }
        Ok(profile)
    }
}
