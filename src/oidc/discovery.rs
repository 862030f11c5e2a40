//! OpenID Connect Discovery: where an issuer keeps its keys and its UserInfo.

use std::sync::Arc;

use serde::Deserialize;

use crate::upstream::client::{Client, is_https_or_loopback};
use crate::upstream::error::FetchError;

/// What we need of an issuer's metadata
/// ([Discovery §3](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderMetadata)).
#[derive(Clone, Debug, Deserialize)]
pub struct Discovery {
    issuer: String,
    /// Where the key set is.
    pub jwks_uri: String,
    /// Where the issuer tells who a token's subject is, if it does.
    pub userinfo_endpoint: Option<String>,
}

impl Discovery {
    /// Fetches the metadata of `issuer`.
    ///
    /// # Errors
    ///
    /// [`FetchError`]; also where the document's `issuer` is another than the one asked, byte for
    /// byte ([Discovery §4.3]), or its keys are not at an `https` address.
    ///
    /// [Discovery §4.3]: https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
    pub async fn fetch(client: Arc<Client>, issuer: String) -> Result<Self, FetchError> {
        let text = client.get(&address(&issuer), None).await?;
        let mut discovery: Self = serde_json::from_slice(&text)
            .map_err(|_| FetchError::Malformed("a discovery document"))?;
        if discovery.issuer != issuer {
            return Err(FetchError::Malformed("the discovery document of this issuer"));
        }
        if !is_https_or_loopback(&discovery.jwks_uri) {
            return Err(FetchError::Address);
        }
        // Tokens that need no UserInfo are good without it.
        discovery.userinfo_endpoint =
            discovery.userinfo_endpoint.filter(|endpoint| is_https_or_loopback(endpoint));
        Ok(discovery)
    }
}

/// [Discovery §4](https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationRequest):
/// a slash at the issuer's end is not doubled.
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
