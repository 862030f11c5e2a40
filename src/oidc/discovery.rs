//! OpenID Connect Discovery: the addresses of an issuer's keys and UserInfo endpoint.

use std::sync::Arc;

use serde::Deserialize;

use crate::upstream::client::{Client, is_https_or_loopback};
use crate::upstream::error::FetchError;

/// The part of an issuer's metadata that is used
/// ([Discovery §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)).
#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    issuer: String,
    /// Address of the key set.
    pub jwks_uri: String,
    /// Address of the UserInfo endpoint, if the issuer has one.
    pub userinfo_endpoint: Option<String>,
}

/// The log's error for an issuer without metadata. It names what replaces them.
const NO_DOCUMENT: FetchError = FetchError::Malformed(
    "a discovery document; an issuer without one needs OIDC_JWKS_URI, and PROFILE_SOURCE=claims",
);

impl Discovery {
    /// Fetches the metadata of `issuer`.
    ///
    /// # Errors
    ///
    /// [`FetchError`], also if the document's `issuer` is not `issuer`, byte for byte
    /// ([Discovery §4.3]), or if the keys are neither at an `https` address nor on loopback.
    ///
    /// [Discovery §4.3]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
    pub async fn fetch(client: Arc<Client>, issuer: String) -> Result<Self, FetchError> {
        let text = match client.get(&address(&issuer), None).await {
            Err(FetchError::Status { status: 404 | 410, .. }) => Err(NO_DOCUMENT),
            text => text,
        }?;
        let mut discovery: Self = serde_json::from_slice(&text).map_err(|_| NO_DOCUMENT)?;
        if discovery.issuer != issuer {
            return Err(FetchError::Malformed("the discovery document of this issuer"));
        }
        if !is_https_or_loopback(&discovery.jwks_uri) {
            return Err(FetchError::Address);
        }
        // Most tokens need no UserInfo: a faulty address is no reason to refuse them.
        discovery.userinfo_endpoint =
            discovery.userinfo_endpoint.filter(|endpoint| is_https_or_loopback(endpoint));
        Ok(discovery)
    }
}

/// Returns the address of the metadata
/// ([Discovery §4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationRequest)).
/// A slash at the issuer's end is not doubled.
fn address(issuer: &str) -> String {
    format!("{}/.well-known/openid-configuration", issuer.strip_suffix('/').unwrap_or(issuer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery_address_is_joined_with_one_slash() {
        let expected = "https://idp.example/t/.well-known/openid-configuration";
        assert_eq!(address("https://idp.example/t"), expected);
        assert_eq!(address("https://idp.example/t/"), expected);
    }
}
