//! One HTTP client for the identity provider and the AWS SDK: one connection pool, one set of TLS
//! roots, loaded when something is first asked.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::Value;

use super::error::FetchError;

/// Longest answer that is read, in bytes: what API Gateway's own authorizer reads of a key set.
pub const ANSWER_BYTES: usize = 150_000;

/// How long one request may take in all, its retry included.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may take to come up, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long a kept connection may idle: less than the usual load balancer's minute, so that it is
/// we who close it, and not the peer while the function is frozen.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// What an upstream answered, whatever it is.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamResponse {
    /// The status.
    pub status: u16,
    /// What it wants callers to wait, where it named seconds.
    retry_after: Option<u64>,
    /// The body, of at most [`ANSWER_BYTES`].
    pub body: Vec<u8>,
}

impl UpstreamResponse {
    /// Whether the body is a JSON object whose `member` is `value`.
    #[must_use]
    pub fn has(&self, member: &str, value: &str) -> bool {
        let body = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        body[member] == *value
    }

    /// The answer as a refusal.
    #[must_use]
    pub fn refusal(&self) -> FetchError {
        FetchError::Status { status: self.status, retry_after: self.retry_after }
    }
}

/// The HTTP client.
#[derive(Debug, Default)]
pub struct Client {
    connector: OnceLock<SharedHttpConnector>,
    /// Peers that answered when they were last asked, so that a connection to them may have been
    /// kept. As many as the configuration and the issuers' metadata name.
    answered: Mutex<HashSet<String>>,
}

impl Client {
    /// The client in the form that the AWS SDK takes. Loads the TLS roots.
    #[must_use]
    pub fn for_sdk(&self) -> SharedHttpClient {
        let connector = self.connector().clone();
        http_client_fn(move |_, _| connector.clone())
    }

    /// Gets `address`, with `bearer` as its credentials where given, and returns the body of a 200.
    ///
    /// [Tried again once](Self::retried_once) where a kept connection failed.
    ///
    /// # Errors
    ///
    /// [`FetchError`], after [`TOTAL_TIMEOUT`] at the latest.
    pub async fn get(&self, address: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        if !is_https_or_loopback(address) {
            return Err(FetchError::Address);
        }
        self.retried_once(peer(address), || self.get_once(address, bearer)).await
    }

    async fn get_once(&self, address: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        let request = complete(http::Request::get(address), bearer, SdkBody::empty())?;
        let response = self.connector().call(request).await.map_err(|error| kind(&error))?;
        if response.status().as_u16() != 200 {
            let status = response.status().as_u16();
            return Err(FetchError::Status { status, retry_after: retry_after(&response) });
        }
        read_body(response).await
    }

    /// Posts `body` as JSON to `address`, with `bearer` as its credentials, and returns whatever is
    /// answered.
    ///
    /// [Tried again once](Self::retried_once) where a kept connection failed, so what is asked must be
    /// as good done twice.
    ///
    /// # Errors
    ///
    /// [`FetchError`], after [`TOTAL_TIMEOUT`] at the latest.
    pub async fn post(
        &self,
        address: &str,
        bearer: &str,
        body: &impl Serialize,
    ) -> Result<UpstreamResponse, FetchError> {
        if !is_https_or_loopback(address) {
            return Err(FetchError::Address);
        }
        let body = serde_json::to_vec(body).map_err(|_| FetchError::Malformed("JSON"))?;
        self.retried_once(peer(address), || async {
            let request = http::Request::post(address).header(CONTENT_TYPE, "application/json");
            let request = complete(request, Some(bearer), SdkBody::from(body.as_slice()))?;
            let response = self.connector().call(request).await.map_err(|error| kind(&error))?;
            let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
            Ok(UpstreamResponse { status, retry_after, body: read_body(response).await? })
        })
        .await
    }

    /// Asks `peer`, and once more where the connection failed and may have been a kept one: one that
    /// died while the function was frozen looks alive until it is used.
    ///
    /// # Errors
    ///
    /// That of the last try, or [`FetchError::Timeout`] after [`TOTAL_TIMEOUT`] for both.
    pub async fn retried_once<T, F>(
        &self,
        peer: &str,
        attempt: impl Fn() -> F,
    ) -> Result<T, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let had_answered = self.answered().contains(peer);
        let attempts = async {
            match attempt().await {
                Err(FetchError::Connection) if had_answered => attempt().await,
                first => first,
            }
        };
        let last = tokio::time::timeout(TOTAL_TIMEOUT, attempts).await;
        let last = last.unwrap_or(Err(FetchError::Timeout));
        match last {
            Err(FetchError::Connection | FetchError::Timeout) => self.answered().remove(peer),
            _ if had_answered => false,
            _ => self.answered().insert(peer.to_owned()),
        };
        last
    }

    fn answered(&self) -> MutexGuard<'_, HashSet<String>> {
        // Nothing panics while it is held.
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connector(&self) -> &SharedHttpConnector {
        self.connector.get_or_init(|| {
            let settings = HttpConnectorSettings::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(TOTAL_TIMEOUT)
                .build();
            SharedHttpConnector::new(
                Connector::builder()
                    .connector_settings(settings)
                    .pool_idle_timeout(IDLE_TIMEOUT)
                    .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                    .build(),
            )
        })
    }
}

/// Whether `address` is an absolute `https` URL without credentials, or an `http` one on loopback.
#[must_use]
pub fn is_https_or_loopback(address: &str) -> bool {
    let Ok(uri) = address.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    !authority.as_str().contains('@')
        && match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_loopback(authority.host()),
            _ => false,
        }
}

/// Whether `host` is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whom `address` names, up to the path.
fn peer(address: &str) -> &str {
    let host = address.find("://").map_or(0, |scheme| scheme + 3);
    let end = address[host..].find(['/', '?']).map_or(address.len(), |path| host + path);
    &address[..end]
}

fn complete(
    request: http::request::Builder,
    bearer: Option<&str>,
    body: SdkBody,
) -> Result<HttpRequest, FetchError> {
    let mut request = request
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("roomkey/", env!("CARGO_PKG_VERSION")));
    if let Some(bearer) = bearer {
        request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
    }
    let request = request.body(body).map_err(|_| FetchError::Address)?;
    HttpRequest::try_from(request).map_err(|_| FetchError::Address)
}

fn retry_after(response: &HttpResponse) -> Option<u64> {
    response.headers().get(RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok())
}

async fn read_body(response: HttpResponse) -> Result<Vec<u8>, FetchError> {
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FetchError::Connection)?;
        if let Some(data) = frame.data_ref() {
            if read.len() + data.len() > ANSWER_BYTES {
                return Err(FetchError::TooLarge);
            }
            read.extend_from_slice(data);
        }
    }
    Ok(read)
}

fn kind(error: &ConnectorError) -> FetchError {
    if error.is_timeout() { FetchError::Timeout } else { FetchError::Connection }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_only_https_or_loopback() {
        let rows = [
            ("https://idp.example/keys", true),
            ("https://idp.example:8443/keys", true),
            ("http://127.0.0.1:3001/keys", true),
            ("http://localhost/keys", true),
            ("http://[::1]:3001/keys", true),
            ("http://idp.example/keys", false),
            ("http://localhost.idp.example/keys", false),
            ("http://127.0.0.1@idp.example/keys", false),
            ("https://user:password@idp.example/keys", false),
            ("http://10.0.0.1/keys", false),
            ("ftp://127.0.0.1/keys", false),
            ("file:///etc/passwd", false),
            ("/keys", false),
            ("", false),
        ];
        for (address, expected) in rows {
            assert_eq!(is_https_or_loopback(address), expected, "{address}");
        }
    }
}
