//! One issuer: its keys, and the verifier for its tokens.

mod explain;
mod signed;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::claims::VerifiedClaims;
use super::discovery::Discovery;
use super::error::VerifyError;
use super::jwks::{KeySet, Lookup};
use super::jwt::UnverifiedJwt;
use super::verifier::Verifier;
use crate::keys::shared::SharedKey;
use crate::upstream::client::Client;
use crate::upstream::error::{FetchError, Unavailable, UpstreamName};
use crate::upstream::last_good::{LastGood, Limits};

pub use explain::Check;
pub use signed::UserInfoReader;

/// TTL of issuer metadata: addresses change rarely.
const DISCOVERY_TTL: Duration = Duration::from_hours(1);

/// The source of an issuer's keys.
#[derive(Clone)]
pub enum KeySource {
    /// A key set in the configuration: no network.
    Given(Box<KeySet>),
    /// The key set at this address.
    At(String),
    /// The key set that the issuer's discovery document names.
    Discovered,
    /// No key set: the issuer shares a secret, which is stored among the operator's secrets.
    Shared,
}

/// An issuer whose tokens are accepted.
pub struct Issuer {
    verifier: Verifier,
    keys: Keys,
    discovery: LastGood<Discovery>,
}

#[derive(Clone)]
enum Keys {
    Given(Arc<KeySet>),
    Fetched(LastGood<KeySet>),
    Shared,
}

/// The reason why a caller could not be authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The token failed a check.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The token could not be checked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The token could not be checked, since the secret that the issuer shares is not configured.
    #[error("the secret that the issuer shares is missing")]
    SharedSecretMissing,
}

impl Issuer {
    /// Creates an issuer whose tokens `verifier` checks with keys from `source`. `name` is its name in the
    /// log, if there are several; `limits` apply to the key set. No I/O.
    pub fn new(
        client: &Arc<Client>,
        name: Option<&Arc<str>>,
        verifier: Verifier,
        source: KeySource,
        limits: Limits,
    ) -> Self {
        let patience = client.timeouts().refresh;
        let metadata_limits = Limits { ttl: DISCOVERY_TTL, ..limits };
        let named = |upstream| UpstreamName { upstream, issuer: name.cloned() };
        let discovery = LastGood::new(named("discovery"), metadata_limits, patience, {
            let (client, issuer) = (Arc::clone(client), verifier.issuer().to_owned());
            move |_| Discovery::fetch(Arc::clone(&client), issuer.clone())
        });
        let keys = match source {
            KeySource::Shared => Keys::Shared,
            KeySource::Given(keys) => Keys::Given(Arc::from(keys)),
            KeySource::At(address) => {
                let client = Arc::clone(client);
                Keys::Fetched(LastGood::new(named("keys"), limits, patience, move |_| {
                    let (client, address) = (Arc::clone(&client), address.clone());
                    async move { fetch_keys(&client, &address).await }
                }))
            }
            KeySource::Discovered => {
                let (client, discovery) = (Arc::clone(client), discovery.clone());
                Keys::Fetched(LastGood::new(named("keys"), limits, patience, move |now| {
                    fetch_discovered_keys(Arc::clone(&client), discovery.clone(), now)
                }))
            }
        };
        Self { verifier, keys, discovery }
    }

    /// Returns the issuer's metadata, which the first use fetches.
    pub fn discovery(&self) -> &LastGood<Discovery> {
        &self.discovery
    }

    /// Fetches the key set if there is one to fetch and its TTL has passed, to spare a later request
    /// the wait.
    pub async fn warm_up(&self, now: SystemTime) {
        if let Keys::Fetched(keys) = &self.keys {
            // The fetch logs its failure, and a later request repeats it.
            let _ = keys.get(now).await;
        }
    }

    /// Returns the checks of the issuer's tokens.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Returns the key set, after a fetch if necessary, or `None` if the issuer shares a secret.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if there is no key set that may be used.
    pub async fn keys(&self, now: SystemTime) -> Result<Option<Arc<KeySet>>, Unavailable> {
        match &self.keys {
            Keys::Given(keys) => Ok(Some(Arc::clone(keys))),
            Keys::Fetched(keys) => keys.get(now).await.map(Some),
            Keys::Shared => Ok(None),
        }
    }

    /// Verifies `token` as of `now`, as [`Verifier::verify`] does, with the key that its header names.
    /// If `shared` is given, the secret that the issuer shares, no other key is accepted.
    ///
    /// Costs no I/O if the key set is younger than its TTL and contains the key. An unknown key causes
    /// one fetch, unless there was one within the cool-down.
    ///
    /// # Errors
    ///
    /// - [`AuthenticateError::Rejected`] if the token fails a check.
    /// - [`AuthenticateError::Unavailable`] if there is no key set, or none recent enough to tell that a
    ///   key is unknown.
    /// - [`AuthenticateError::SharedSecretMissing`] if the issuer has no keys and `shared` is absent.
    pub async fn authenticate(
        &self,
        token: &str,
        shared: Option<&SharedKey>,
        now: SystemTime,
    ) -> Result<VerifiedClaims, AuthenticateError> {
        if let Some(shared) = shared {
            return Ok(self.verifier.verify_shared(token, shared, now)?);
        }
        let jwt = self.verifier.read(token)?;
        let keys = match &self.keys {
            Keys::Given(keys) => return self.verify(&jwt, keys, now)?.ok_or(UNKNOWN_KEY),
            Keys::Fetched(keys) => keys,
            Keys::Shared => return Err(AuthenticateError::SharedSecretMissing),
        };
        if let Some(claims) = self.verify(&jwt, &*keys.get(now).await?, now)? {
            return Ok(claims);
        }
        self.verify(&jwt, &*keys.refresh(now).await?, now)?.ok_or(UNKNOWN_KEY)
    }

    /// Returns `None` if `keys` do not contain the token's key.
    fn verify(
        &self,
        jwt: &UnverifiedJwt<'_>,
        keys: &KeySet,
        now: SystemTime,
    ) -> Result<Option<VerifiedClaims>, VerifyError> {
        match keys.find(jwt) {
            Lookup::Found(key) => self.verifier.verify(jwt, key, now).map(Some),
            Lookup::Unfit => Err(VerifyError::UnfitKey),
            Lookup::Unknown => Ok(None),
        }
    }
}

const UNKNOWN_KEY: AuthenticateError = AuthenticateError::Rejected(VerifyError::UnknownKey);

/// Fetches the key set that the metadata names. If the metadata's TTL has passed, both are refreshed
/// side by side: the addresses rarely change, and a request waits one round trip in place of two.
async fn fetch_discovered_keys(
    client: Arc<Client>,
    discovery: LastGood<Discovery>,
    now: SystemTime,
) -> Result<KeySet, FetchError> {
    let Some(known) = discovery.cached(now) else {
        return fetch_keys(&client, &discovery.get(now).await?.jwks_uri).await;
    };
    // Half of the time that a request waits for keys: slow metadata must not delay them.
    let patience = client.timeouts().refresh / 2;
    let (found, keys) =
        tokio::join!(discovery.get_within(now, patience), fetch_keys(&client, &known.jwks_uri));
    let found = found?;
    if found.jwks_uri == known.jwks_uri { keys } else { fetch_keys(&client, &found.jwks_uri).await }
}

async fn fetch_keys(client: &Client, address: &str) -> Result<KeySet, FetchError> {
    let text = client.get(address, None).await?;
    KeySet::read(&text).ok_or(FetchError::Malformed("a key set with a usable key"))
}
