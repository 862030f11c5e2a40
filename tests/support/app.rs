//! The app as one deployment configures it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use roomkey::upstream::client::Timeouts;
use roomkey::{App, Config, ConfigError};

use super::fake_idp::FakeIdp;
use super::fake_secrets_manager::FakeSecretsManager;
use super::keys::{Key, key_set};

/// The issuer of tests without a network.
pub(crate) const ISSUER: &str = "https://idp.example/";
/// The audience of access tokens.
pub(crate) const AUDIENCE: &str = "roomkey";
/// LiveKit's development key, or the one in the fake Secrets Manager.
pub(crate) const API_KEY: &str = "devkey";
/// Thirty-two bytes, the minimum for a server that is not on loopback.
pub(crate) const API_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The certificate that the servers of tests are signed with.
pub(crate) const AUTHORITY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/tls/authority.pem");

/// A policy that allows every room, so that the built-in one can be replaced without a change to
/// these tests.
pub(crate) const ANYONE: &str = "[[allow]]\nrooms = [\"*\"]\nrole = \"participant\"";

/// Environment variables, from one valid start.
#[derive(Clone, Debug)]
pub(crate) struct Env(BTreeMap<String, String>);

impl Env {
    /// Nothing is set.
    pub(crate) const fn nothing() -> Self {
        Self(BTreeMap::new())
    }

    /// Keys in the configuration, secret in the environment: no network at all.
    pub(crate) fn offline() -> Self {
        let keys = key_set(&[&Key::rsa()]).to_string();
        Self::nothing()
            .with("OIDC_ISSUER", ISSUER)
            .with("OIDC_AUDIENCE", AUDIENCE)
            .with("OIDC_JWKS", &keys)
            .with("PROFILE_SOURCE", "claims")
            .with("POLICY", ANYONE)
            // The clock of most tests does not move, and one person sends all requests.
            .with("TOKENS_PER_MINUTE", "4294967295")
            // Reading the system's 140 certificates takes longer than most tests.
            .with("SSL_CERT_FILE", AUTHORITY)
            .with("LIVEKIT_URL", "wss://livekit.example")
            .with("LIVEKIT_API_KEY", API_KEY)
            .with("LIVEKIT_API_SECRET", API_SECRET)
    }

    /// Keys by discovery from `idp`, profile from the claims and then from UserInfo.
    pub(crate) fn online(idp: &FakeIdp) -> Self {
        Self::offline()
            .with("OIDC_ISSUER", &idp.issuer())
            .with("PROFILE_SOURCE", "claims,userinfo")
            .without("OIDC_JWKS")
    }

    /// Reads the secret from `secrets` in place of the environment.
    pub(crate) fn secret_in(self, secrets: &FakeSecretsManager) -> Self {
        self.without("LIVEKIT_API_KEY")
            .without("LIVEKIT_API_SECRET")
            .without("LIVEKIT_URL")
            .with("LIVEKIT_SECRET_ID", FakeSecretsManager::SECRET_ID)
            .with("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets.url())
            .with("AWS_REGION", "eu-central-1")
            .with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .with("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
            .with("AWS_SESSION_TOKEN", "session-token")
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Sets all of these variables.
    pub(crate) fn with_all(self, variables: &[(&str, &str)]) -> Self {
        variables.iter().fold(self, |env, (name, value)| env.with(name, value))
    }

    /// Every variable that is set.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// The configuration that the library reads.
    pub(crate) fn config(&self) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| self.0.get(name).cloned())
    }

    /// The app, with short time limits if an upstream `hangs`, which would take many seconds.
    #[track_caller]
    pub(crate) fn app_if_it(&self, hangs: bool) -> Arc<App> {
        if !hangs {
            return self.app();
        }
        let mut config = self.config().unwrap_or_else(|fault| panic!("{fault}"));
        let millis = Duration::from_millis;
        let (connect, total, refresh) = (millis(500), millis(500), millis(400));
        config.timeouts = Timeouts { connect, total, refresh, ask: total };
        Arc::new(App::new(config))
    }

    /// The app before its first fetch.
    #[track_caller]
    pub(crate) fn app(&self) -> Arc<App> {
        Arc::new(App::new(self.config().unwrap_or_else(|fault| panic!("{fault}"))))
    }
}
