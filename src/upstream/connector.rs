//! Connections over HTTP/1.1, with TLS unless the address is `http`.

use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Uri;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect as tcp;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tower_service::Service;

use super::roots::RootSource;

/// Longest idle time of a kept connection. It is shorter than the minute of common load balancers, so
/// that the function closes the connection and not a peer, unseen, during a freeze.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

type Https = HttpsConnector<tcp::HttpConnector>;

/// A pool of connections, in the form that the AWS SDK accepts.
#[derive(Debug)]
pub(super) struct PooledConnector {
    client: legacy::Client<LimitedConnector, SdkBody>,
    /// Limit of the wait for the head of a response.
    total: Duration,
}

impl PooledConnector {
    /// Creates an empty pool, with the limits of a connection attempt and of the wait for the head of a
    /// response. Reads the root certificates.
    pub(super) fn new(connect: Duration, total: Duration, roots: &RootSource) -> Self {
        let mut http = tcp::HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let https = HttpsConnector::from((http, tls(roots)));
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(LimitedConnector { https, limit: connect });
        Self { client, total }
    }
}

#[expect(clippy::expect_used, reason = "the provider supports both versions")]
fn tls(roots: &RootSource) -> ClientConfig {
    let mut provider = aws_lc_rs::default_provider();
    // Browsers offer AES-128 first too. Its hash is SHA-256, for which processors have instructions.
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != TLS13_AES_128_GCM_SHA256);
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("TLS 1.2 and 1.3")
        .with_root_certificates(roots.load())
        .with_no_client_auth()
}

impl HttpConnector for PooledConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => {
                return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into())));
            }
        };
        let response = timeout(self.total, self.client.request(request));
        HttpConnectorFuture::new(async move {
            let response = match response.await {
                Ok(response) => response.map_err(failure)?,
                Err(elapsed) => return Err(ConnectorError::timeout(elapsed.into())),
            };
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn failure(error: legacy::Error) -> ConnectorError {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Elapsed>() {
            return ConnectorError::timeout(error.to_string().into());
        }
        cause = error.source();
    }
    ConnectorError::io(error.into())
}

/// Connections that are ready, TLS included, within a limit.
#[derive(Clone, Debug)]
struct LimitedConnector {
    https: Https,
    limit: Duration,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Service<Uri> for LimitedConnector {
    type Response = <Https as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connection = timeout(self.limit, self.https.call(address));
        Box::pin(async move { connection.await? })
    }
}
