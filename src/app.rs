//! Puts the parts together.

use std::sync::Arc;
use std::time::SystemTime;

use http::{Request, Response};

use crate::config::{Config, SecretSource};
use crate::endpoint::{Endpoint, REQUEST_TIMEOUT};
use crate::exchange::Exchange;
use crate::oidc::issuer::Issuer;
use crate::oidc::profile::Profiles;
use crate::oidc::userinfo::UserInfo;
use crate::policy::Policy;
use crate::secrets::SecretStore;
use crate::upstream::client::Client;

/// The token endpoint of one deployment.
pub struct App {
    endpoint: Endpoint,
}

impl App {
    /// The endpoint that `config` describes. No I/O.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let client = Arc::new(Client::default());
        let issuer = Issuer::new(&client, config.verifier, config.keys, config.jwks_limits);
        let userinfo = UserInfo::new(Arc::clone(&client), issuer.discovery().clone());
        let secrets = match config.secrets {
            SecretSource::Given(secrets) => SecretStore::Given(Arc::from(secrets)),
            SecretSource::Managed(manager, limits) => {
                SecretStore::managed(&client, *manager, limits)
            }
        };
        let exchange = Exchange {
            issuer,
            profiles: Profiles::new(config.sources, config.paths, config.needs, userinfo),
            policy: Policy::default(),
            presence: config.presence,
            secrets,
            rules: config.rules,
        };
        Self { endpoint: Endpoint::new(exchange, config.cors) }
    }

    /// The HTTP endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Fetches what every request needs, so that the first one need not. Failures are logged, not
    /// fatal.
    pub async fn hydrate(&self, now: SystemTime) {
        self.endpoint.exchange().hydrate(now).await;
    }

    /// Answers `request` as of `now`, within five seconds.
    pub async fn handle<B: AsRef<[u8]>>(
        &self,
        request: Request<B>,
        now: SystemTime,
    ) -> Response<Vec<u8>> {
        self.endpoint.handle(request, now, REQUEST_TIMEOUT).await
    }
}
