//! The HTTP client for all upstreams and the AWS SDK: one connection pool, one set of TLS roots, which
//! the first request loads.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, Uri};
use http_body_util::BodyExt;
use serde::Serialize;
use serde_json::Value;

use super::connection::ConnectionError;
use super::connector::PooledConnector;
use super::error::FetchError;
use super::freeze::FreezeWatch;
use super::roots::RootSource;

/// Longest response that is read, in bytes: the limit of API Gateway's own authorizer for key sets.
pub const RESPONSE_BYTES: usize = 150_000;

/// Time limits of requests to upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Limit of a connection attempt, TLS included.
    pub connect: Duration,
    /// Limit of one request with its repetition.
    pub total: Duration,
    /// Longest wait for a refresh while a stale value may be served.
    pub refresh: Duration,
    /// Limit of one request to the app with its repetition.
    pub ask: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_millis(1500),
            total: Duration::from_secs(3),
            refresh: Duration::from_secs(1),
            ask: Duration::from_secs(2),
        }
    }
}

/// A response of an upstream, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamResponse {
    /// The status.
    pub status: u16,
    /// `Retry-After` in seconds, if it is a number.
    retry_after: Option<u64>,
    /// The body; empty if it was not read.
    pub body: Vec<u8>,
}

/// A GET request with constant headers, whose status decides.
#[derive(Clone, Copy)]
pub struct Get<'a> {
    /// The URL.
    pub address: &'a str,
    /// The credentials, if any.
    pub bearer: Option<&'a str>,
    /// Further headers, besides `Accept` and `User-Agent`.
    pub headers: &'a HeaderMap,
    /// Limit of the request with its repetition.
    pub total: Duration,
    /// Longest body of a 2xx response, in bytes. `None`, and any other status: no body is read.
    pub body_bytes: Option<usize>,
}

impl UpstreamResponse {
    /// Whether the body is a JSON object whose `field` is `value`.
    pub fn has(&self, field: &str, value: &str) -> bool {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        body.is_some_and(|body| body[field] == *value)
    }

    /// Returns the response as a failure.
    pub fn refusal(&self) -> FetchError {
        FetchError::Status { status: self.status, retry_after: self.retry_after }
    }
}

/// The HTTP client.
#[derive(Debug, Default)]
pub struct Client {
    timeouts: Timeouts,
    roots: RootSource,
    connector: OnceLock<SharedHttpConnector>,
    /// Peers that answered the last request, so that a kept connection may exist. The configuration and
    /// the issuers' metadata bound their number.
    answered: Mutex<HashSet<String>>,
}

impl Client {
    /// Creates a client with these time limits, which trusts the system's root certificates. No I/O.
    pub fn new(timeouts: Timeouts) -> Self {
        Self { timeouts, ..Self::default() }
    }

    /// Trusts certificates from `roots` instead.
    #[must_use]
    pub fn with_roots(self, roots: RootSource) -> Self {
        Self { roots, ..self }
    }

    /// Returns the time limits.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// Returns the client in the form that the AWS SDK accepts. Loads the TLS roots.
    pub fn for_sdk(&self) -> SharedHttpClient {
        let connector = self.connector().clone();
        http_client_fn(move |_, _| connector.clone())
    }

    /// Sends a GET request to `address`, with `bearer` as credentials if given, and returns the body of
    /// a 200. [Repeated once](Self::retried_once) if a kept connection failed.
    ///
    /// # Errors
    ///
    /// [`FetchError`], after [`Timeouts::total`] at the latest; any other status is an error.
    pub async fn get(&self, address: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        if !is_https_or_loopback(address) {
            return Err(FetchError::Address);
        }
        self.retried_once(peer(address), || self.get_once(address, bearer)).await
    }

    async fn get_once(&self, address: &str, bearer: Option<&str>) -> Result<Vec<u8>, FetchError> {
        let request = complete(http::Request::get(address), bearer, SdkBody::empty())?;
        let response = self.connector().call(request).await.map_err(|error| failure(&error))?;
        if response.status().as_u16() != 200 {
            let status = response.status().as_u16();
            return Err(FetchError::Status { status, retry_after: retry_after(&response) });
        }
        read_body(response, RESPONSE_BYTES).await
    }

    /// Sends a GET request and returns the response, whatever its status.
    /// [Repeated once](Self::retried_once) if a kept connection failed.
    ///
    /// # Errors
    ///
    /// [`FetchError`], after [`Get::total`] at the latest.
    pub async fn get_answer(&self, get: &Get<'_>) -> Result<UpstreamResponse, FetchError> {
        if !is_https_or_loopback(get.address) {
            return Err(FetchError::Address);
        }
        self.retried_once_within(get.total, peer(get.address), || async {
            let mut request = http::Request::get(get.address);
            if let Some(headers) = request.headers_mut() {
                headers.clone_from(get.headers);
            }
            let request = complete(request, get.bearer, SdkBody::empty())?;
            let response = self.connector().call(request).await.map_err(|error| failure(&error))?;
            let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
            let body = match get.body_bytes {
                Some(limit) if (200..300).contains(&status) => read_body(response, limit).await?,
                _ => Vec::new(),
            };
            Ok(UpstreamResponse { status, retry_after, body })
        })
        .await
    }

    /// Posts `body` as JSON to `address`, with `bearer` as credentials, and returns the response,
    /// whatever its status. [Repeated once](Self::retried_once) if a kept connection failed; the
    /// request must therefore be idempotent.
    ///
    /// # Errors
    ///
    /// [`FetchError`], after [`Timeouts::total`] at the latest.
    pub async fn post(
        &self,
        address: &str,
        bearer: &str,
        body: &impl Serialize,
    ) -> Result<UpstreamResponse, FetchError> {
        self.post_for(address, bearer, body, RESPONSE_BYTES).await
    }

    /// Posts `body` as [`post`](Self::post) does, for a response of at most `bytes`.
    ///
    /// # Errors
    ///
    /// [`FetchError`], after [`Timeouts::total`] at the latest.
    pub async fn post_for(
        &self,
        address: &str,
        bearer: &str,
        body: &impl Serialize,
        bytes: usize,
    ) -> Result<UpstreamResponse, FetchError> {
        if !is_https_or_loopback(address) {
            return Err(FetchError::Address);
        }
        let body = serde_json::to_vec(body).map_err(|_| FetchError::Malformed("JSON"))?;
        self.retried_once(peer(address), || async {
            let request = http::Request::post(address).header(CONTENT_TYPE, "application/json");
            let request = complete(request, Some(bearer), SdkBody::from(body.as_slice()))?;
            let response = self.connector().call(request).await.map_err(|error| failure(&error))?;
            let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
            Ok(UpstreamResponse { status, retry_after, body: read_body(response, bytes).await? })
        })
        .await
    }

    /// Runs `attempt`, and once more if the connection failed and may have been a kept one: a
    /// connection that broke during a freeze looks alive until its next use. If the process was frozen
    /// meanwhile, an attempt that failed is repeated too.
    ///
    /// # Errors
    ///
    /// The error of the last attempt, or [`FetchError::Timeout`] once the process ran for
    /// [`Timeouts::total`].
    pub async fn retried_once<T, F>(
        &self,
        peer: &str,
        attempt: impl Fn() -> F,
    ) -> Result<T, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        self.retried_once_within(self.timeouts.total, peer, attempt).await
    }

    async fn retried_once_within<T, F>(
        &self,
        total: Duration,
        peer: &str,
        attempt: impl Fn() -> F,
    ) -> Result<T, FetchError>
    where
        F: Future<Output = Result<T, FetchError>>,
    {
        let mut is_repetition = false;
        loop {
            let had_answered = self.answered().contains(peer);
            let attempts = async {
                match attempt().await {
                    Err(FetchError::Connection(_)) if had_answered => attempt().await,
                    first => first,
                }
            };
            let watch = FreezeWatch::start();
            let last = watch.within(total, Box::pin(attempts)).await;
            let last = last.unwrap_or(Err(FetchError::Timeout));
            let is_broken = matches!(last, Err(FetchError::Connection(_) | FetchError::Timeout));
            if is_broken {
                self.answered().remove(peer);
            } else if !had_answered {
                self.answered().insert(peer.to_owned());
            }
            if is_repetition || !is_broken || !watch.was_frozen() {
                return last;
            }
            is_repetition = true;
        }
    }

    fn answered(&self) -> MutexGuard<'_, HashSet<String>> {
        // Nothing panics while the lock is held.
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connector(&self) -> &SharedHttpConnector {
        self.connector.get_or_init(|| {
            let Timeouts { connect, total, .. } = self.timeouts;
            SharedHttpConnector::new(PooledConnector::new(connect, total, &self.roots))
        })
    }
}

/// Whether `address` is an absolute `https` URL without credentials, or such an `http` URL on loopback.
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

/// Whether the host of `url` is this machine.
#[must_use]
pub fn is_on_loopback(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|url| url.host().is_some_and(is_loopback))
}

/// Whether `host` is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Returns `address` up to its path.
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

async fn read_body(response: HttpResponse, limit: usize) -> Result<Vec<u8>, FetchError> {
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ConnectionError::Closed)?;
        if let Some(data) = frame.data_ref() {
            if read.len() + data.len() > limit {
                return Err(FetchError::TooLarge);
            }
            read.extend_from_slice(data);
        }
    }
    Ok(read)
}

pub(crate) fn failure(error: &ConnectorError) -> FetchError {
    if error.is_timeout() { FetchError::Timeout } else { ConnectionError::of(error).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_addresses_are_accepted() {
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
