//! One issuer: its keys, and the verifier for its tokens.

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
use crate::upstream::error::FetchError;
use crate::upstream::error::Unavailable;
use crate::upstream::last_good::{LastGood, Limits};

/// How long issuer metadata serves before it is fetched again: addresses move rarely.
const DISCOVERY_TTL: Duration = Duration::from_hours(1);

/// Where an issuer's keys come from.
#[derive(Clone)]
pub enum KeySource {
    /// Given with the configuration: no network.
    Given(Box<KeySet>),
    /// At this address.
    At(String),
    /// Where the issuer's discovery document says.
    Discovered,
    /// There are none: the issuer shares a secret with us, which stands among our own.
    Shared,
}

/// An issuer whose tokens are accepted.
pub struct Issuer {
    verifier: Verifier,
    keys: Keys,
    discovery: LastGood<Discovery>,
}

enum Keys {
    Given(Arc<KeySet>),
    Fetched(LastGood<KeySet>),
    Shared,
}

/// Why a token's caller is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticateError {
    /// The token is not good.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The token could not be checked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The issuer shares a secret with us, and it is not among ours.
    #[error("the issuer's shared secret is missing")]
    SharedSecretMissing,
}

impl Issuer {
    /// An issuer whose tokens `verifier` checks with keys from `source`; `limits` are the key set's.
    /// No I/O.
    #[must_use]
    pub fn new(
        client: &Arc<Client>,
        verifier: Verifier,
        source: KeySource,
        limits: Limits,
    ) -> Self {
        let discovery = LastGood::new("discovery", Limits { ttl: DISCOVERY_TTL, ..limits }, {
            let (client, issuer) = (Arc::clone(client), verifier.issuer().to_owned());
            move |_| Discovery::fetch(Arc::clone(&client), issuer.clone())
        });
        let keys = match source {
            KeySource::Shared => Keys::Shared,
            KeySource::Given(keys) => Keys::Given(Arc::from(keys)),
            KeySource::At(address) => {
                let client = Arc::clone(client);
                Keys::Fetched(LastGood::new("keys", limits, move |_| {
                    let (client, address) = (Arc::clone(&client), address.clone());
                    async move { fetch_keys(&client, &address).await }
                }))
            }
            KeySource::Discovered => {
                let (client, discovery) = (Arc::clone(client), discovery.clone());
                Keys::Fetched(LastGood::new("keys", limits, move |now| {
                    let (client, discovery) = (Arc::clone(&client), discovery.clone());
                    async move {
                        let found = discovery.get(now).await?;
                        fetch_keys(&client, &found.jwks_uri).await
                    }
                }))
            }
        };
        Self { verifier, keys, discovery }
    }

    /// The issuer's metadata, fetched when first asked for.
    #[must_use]
    pub fn discovery(&self) -> &LastGood<Discovery> {
        &self.discovery
    }

    /// Fetches the key set, if there is one to fetch, so that the first request need not.
    pub async fn warm_up(&self, now: SystemTime) {
        if let Keys::Fetched(keys) = &self.keys {
            // A failure is logged where it happens; the next request tries again.
            let _ = keys.get(now).await;
        }
    }

    /// What tokens of the issuer must say.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The key set, fetched where need be; `None` where the issuer shares a secret instead.
    ///
    /// # Errors
    ///
    /// [`Unavailable`].
    pub async fn keys(&self, now: SystemTime) -> Result<Option<Arc<KeySet>>, Unavailable> {
        match &self.keys {
            Keys::Given(keys) => Ok(Some(Arc::clone(keys))),
            Keys::Fetched(keys) => keys.get(now).await.map(Some),
            Keys::Shared => Ok(None),
        }
    }

    /// Verifies `token` as of `now`, as [`Verifier::verify`] does, with the key that its header
    /// names; or with `shared`, the secret that the issuer shares with us, and then with nothing else.
    ///
    /// Costs no I/O while the key set is young and holds the key. An unknown key causes one fetch,
    /// unless there was one within the cool-down.
    ///
    /// # Errors
    ///
    /// [`AuthenticateError::Unavailable`] where there is no key set, or none new enough to say that
    /// a key is unknown, or no secret where there should be one: then the token was not checked.
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

    /// `None` where `keys` do not know the token's key.
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

async fn fetch_keys(client: &Client, address: &str) -> Result<KeySet, FetchError> {
    let text = client.get(address, None).await?;
    KeySet::read(&text).ok_or(FetchError::Malformed("a key set with a usable key"))
}
