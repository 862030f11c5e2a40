//! Construction of all parts from the configuration.

use std::sync::Arc;
use std::time::SystemTime;

use http::{Request, Response};

use crate::ask::AskClient;
use crate::backend::replay::Replays;
use crate::config::{Config, DirectoryUrls, IssuerConfig, SecretSource, StateSource};
use crate::endpoint::{Endpoint, REQUEST_TIMEOUT};
use crate::exchange::{Diagnosis, Exchange, IssuerContext, Question};
use crate::liveblocks::Liveblocks;
use crate::lobby::HostPresence;
use crate::oidc::issuer::Issuer;
use crate::oidc::provider::ProfileSource;
use crate::participant::Identity;
use crate::profile::cache::{Credentials, ProfileCache};
use crate::profile::directory::{Directory, DirectoryKind};
use crate::profile::resolver::{self, ProfileResolver};
use crate::profile::userinfo::UserInfo;
use crate::request_scope::RequestIds;
use crate::secrets::SecretStore;
use crate::state::State;
use crate::upstream::client::{Client, is_on_loopback};
use crate::upstream::error::UpstreamName;

/// The token endpoint of one deployment.
pub struct App {
    endpoint: Endpoint,
}

impl App {
    /// Creates the endpoint that `config` describes. No I/O.
    pub fn new(config: Config) -> Self {
        let client = Arc::new(Client::new(config.timeouts).with_roots(config.trusted_roots));
        let identity = config.participant.identity;
        let issuer_context =
            |issuer: IssuerConfig| build_issuer(&client, issuer, identity, &config.directories);
        let issuers = config.issuers.into_iter().map(issuer_context).collect();
        let secrets = match config.secrets {
            SecretSource::Given(secrets) => SecretStore::Given(Arc::from(secrets)),
            #[cfg(feature = "secrets-manager")]
            SecretSource::Managed(manager, limits) => {
                SecretStore::managed(&client, *manager, limits)
            }
        };
        let state = config.state.map(|state| match state {
            StateSource::Memory => State::memory(),
            #[cfg(feature = "dynamodb")]
            StateSource::Dynamo(table) => State::dynamo(&client, table),
        });
        let exchange = Exchange {
            issuers,
            policy: config.policy,
            presence: config.presence,
            secrets,
            participant: config.participant,
            ask_client: AskClient::new(Arc::clone(&client)),
            liveblocks: Liveblocks::new(Arc::clone(&client), &config.liveblocks_url),
            client,
            replays: Replays::default(),
            rate_limits: config.rate_limits,
            state,
            host_presence: HostPresence::default(),
        };
        let endpoint = Endpoint::new(exchange, config.cors)
            .with_session_cookie(config.session_cookie)
            .with_token_header(config.token_header)
            .with_base_path(config.base_path);
        Self { endpoint }
    }

    /// The HTTP endpoint.
    #[doc(hidden)]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Fetches keys and secret, to spare the first request the wait. A failure is logged, and the next
    /// request repeats the fetch.
    pub async fn warm_up(&self, now: SystemTime) {
        self.endpoint.exchange().warm_up(now).await;
    }

    /// Returns what the endpoint decides about an access token as of `now`, check by check. Fetches keys
    /// that are not cached.
    #[doc(hidden)]
    pub async fn diagnose(&self, question: Question<'_>, now: SystemTime) -> Diagnosis<'_> {
        self.endpoint.exchange().diagnose(question, now).await
    }

    /// Returns the response to `request` as of `now`, after five seconds at the latest, and logs one
    /// line. Errors and panics are responses as well.
    ///
    /// A valid token costs no I/O while keys, secret and profile are cached.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::SystemTime;
    ///
    /// use http::{Request, StatusCode};
    /// use roomkey::{App, Config};
    ///
    /// # let variable = |name: &str| {
    /// #     let value = match name {
    /// #         "OIDC_ISSUER" => "https://tenant.eu.auth0.com/",
    /// #         "OIDC_AUDIENCE" => "https://api.example.com",
    /// #         "LIVEKIT_URL" => "wss://calls.example.com",
    /// #         "LIVEKIT_API_KEY" => "APIexample",
    /// #         "LIVEKIT_API_SECRET" => "0123456789abcdef0123456789abcdef",
    /// #         _ => return None,
    /// #     };
    /// #     Some(value.to_owned())
    /// # };
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # runtime.block_on(async {
    /// let app = App::new(Config::from_lookup(variable).unwrap());
    /// let request = Request::post("/token").body(r#"{ "room_name": "standup" }"#).unwrap();
    /// let response = app.handle(request, SystemTime::now()).await;
    /// // Every error is a problem document (RFC 9457).
    /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    /// assert_eq!(response.headers()["content-type"], "application/problem+json");
    /// let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    /// assert_eq!(problem["code"], "missing_token");
    /// # });
    /// ```
    pub async fn handle<B: AsRef<[u8]>>(
        &self,
        request: Request<B>,
        now: SystemTime,
    ) -> Response<Vec<u8>> {
        self.endpoint.handle(request, RequestIds::default(), now, REQUEST_TIMEOUT).await
    }
}

/// Creates an issuer with its keys, and the sources of its subjects' profiles.
fn build_issuer(
    client: &Arc<Client>,
    config: IssuerConfig,
    identity: Identity,
    directories: &DirectoryUrls,
) -> IssuerContext {
    let needs = config.requirements(identity);
    let name: Option<Arc<str>> = config.name.as_deref().map(Arc::from);
    let issuer =
        Issuer::new(client, name.as_ref(), config.verifier, config.keys, config.jwks_limits);
    let named = |upstream| UpstreamName { upstream, issuer: name.clone() };
    let directory = |kind, url: &str| {
        let directory = Directory::new(Arc::clone(client), kind, url);
        resolver::Source::Directory(
            directory,
            ProfileCache::new(named(kind.name()), Credentials::Operator),
        )
    };
    let source = |source: &ProfileSource| match source {
        ProfileSource::Claims => resolver::Source::Claims,
        ProfileSource::UserInfo => {
            let userinfo = UserInfo::new(Arc::clone(client), &issuer);
            resolver::Source::UserInfo(
                userinfo,
                ProfileCache::new(named("userinfo"), Credentials::Caller),
            )
        }
        ProfileSource::Clerk => directory(DirectoryKind::Clerk, &directories.clerk),
        ProfileSource::WorkOs => directory(DirectoryKind::WorkOs, &directories.workos),
    };
    let sources = config.sources.iter().map(source).collect();
    let mut paths = config.paths;
    paths.loopback_pictures = is_on_loopback(issuer.verifier().issuer());
    let profiles = ProfileResolver::new(sources, paths, needs);
    IssuerContext { name: config.name, issuer, profiles, hs256_name: config.hs256_name }
}
