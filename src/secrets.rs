//! Signing keys and provider API keys: from Secrets Manager, or from the environment for local runs.

#[cfg(feature = "secrets-manager")]
pub mod manager;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::keys::ask::AskKey;
use crate::keys::backend::BackendKeys;
use crate::keys::invitation::InvitationKey;
use crate::keys::livekit::ApiKey;
use crate::keys::shared::SharedKey;
use crate::keys::{check_issued, check_length, check_liveblocks, check_pasted};
use crate::reason::Reason;
use crate::upstream::client;
use crate::upstream::error::Unavailable;
use crate::upstream::last_good::LastGood;

/// Name of Secrets Manager in the log.
pub const UPSTREAM: &str = "secret";

/// Names of secrets, besides those that issuers share (`OIDC_HS256_SECRET`).
pub const NAMES: [&str; 9] = [
    "LIVEKIT_URL",
    "LIVEKIT_API_KEY",
    "LIVEKIT_API_SECRET",
    "CLERK_SECRET_KEY",
    "WORKOS_API_KEY",
    "LIVEBLOCKS_SECRET_KEY",
    "BACKEND_API_KEYS",
    "ASK_SECRET",
    "INVITATION_SECRET",
];

/// LiveKit's address and every key of the deployment. `Debug` shows nothing.
#[derive(Clone)]
pub struct Secrets {
    /// `LIVEKIT_URL`
    pub livekit_url: String,
    /// `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`, which sign participant tokens.
    pub api_key: ApiKey,
    /// `CLERK_SECRET_KEY`, for Clerk's Backend API.
    pub clerk_secret_key: Option<Zeroizing<String>>,
    /// `WORKOS_API_KEY`, for WorkOS' user management.
    pub workos_api_key: Option<Zeroizing<String>>,
    /// `LIVEBLOCKS_SECRET_KEY`, for Liveblocks' API.
    pub liveblocks_secret_key: Option<Zeroizing<String>>,
    /// `BACKEND_API_KEYS`, which sign the requests of backends.
    pub backend_keys: Option<BackendKeys>,
    /// `ASK_SECRET`, which signs requests to the app.
    pub ask_key: Option<AskKey>,
    /// `INVITATION_SECRET`, which signs invitations.
    pub invitation_key: Option<InvitationKey>,
    /// Secrets that issuers share, by name: `OIDC_HS256_SECRET`, `OIDC_STAFF_HS256_SECRET`.
    pub hs256: BTreeMap<String, SharedKey>,
}

/// A fault of one secret. Contains no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFault {
    /// Name of the secret, which is also the variable's name.
    pub name: String,
    /// The fault, as the end of a sentence that starts with the name.
    pub reason: Reason,
}

/// The source of the secrets.
pub enum SecretStore {
    /// The environment, read once.
    Given(Arc<Secrets>),
    /// Secrets Manager, read again when the TTL has passed.
    Managed(LastGood<Secrets>),
}

impl SecretStore {
    /// Fetches the secret if Secrets Manager holds it, to spare the first request the wait.
    pub async fn warm_up(&self, now: SystemTime) {
        // The fetch logs its failure, and a later request repeats it.
        let _ = self.get(now).await;
    }

    /// Returns the secrets, after a refresh if their TTL has passed.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if there are none that may be used.
    pub async fn get(&self, now: SystemTime) -> Result<Arc<Secrets>, Unavailable> {
        match self {
            Self::Given(secrets) => Ok(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.get(now).await,
        }
    }

    /// Returns the secrets after one more fetch, or unchanged if the cool-down forbids one: for
    /// requests that need what the current ones lack.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] if the last fetch failed.
    pub async fn refresh(&self, now: SystemTime) -> Result<Arc<Secrets>, Unavailable> {
        match self {
            Self::Given(secrets) => Ok(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.refresh(now).await,
        }
    }

    /// Returns the secrets if their TTL has not passed; never fetches.
    pub fn fresh(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        match self {
            Self::Given(secrets) => Some(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.fresh(now),
        }
    }

    /// Returns the secrets if they are known; never fetches.
    pub fn cached(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        match self {
            Self::Given(secrets) => Some(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.cached(now),
        }
    }
}

impl Secrets {
    /// Reads all secrets through `lookup`; an empty one is absent. `hs256_names` are the names of
    /// secrets that issuers share. This is the only place that checks secrets.
    ///
    /// # Errors
    ///
    /// Every fault: `LIVEKIT_URL`, key or secret is missing; a value is malformed or shows the traces
    /// of a careless copy; a secret is shorter than 32 bytes. LiveKit's may be shorter if the server is
    /// on this machine, as `livekit-server --dev` uses `secret`.
    pub fn read(
        lookup: impl Fn(&str) -> Option<Zeroizing<String>>,
        hs256_names: &[String],
    ) -> Result<Self, Vec<SecretFault>> {
        let mut faults = Vec::new();
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let mut read =
            |name: &str, check: &dyn Fn(&str) -> Result<(), Reason>, is_required: bool| {
                let value = lookup(name);
                let fault = match &value {
                    Some(value) => check(value).err(),
                    None => is_required.then_some(Reason("is missing")),
                };
                faults.extend(fault.map(|reason| SecretFault { name: name.to_owned(), reason }));
                value
            };
        let url = read("LIVEKIT_URL", &|url| check_livekit_url(url).map(drop), true);
        let is_local = url.as_deref().is_some_and(|url| check_livekit_url(url) == Ok(true));
        let key = read("LIVEKIT_API_KEY", &check_issued, true);
        let check = |secret: &str| {
            check_issued(secret)?;
            if is_local { Ok(()) } else { check_length(secret) }
        };
        let secret = read("LIVEKIT_API_SECRET", &check, true);
        let clerk_secret_key = read("CLERK_SECRET_KEY", &check_issued, false);
        let workos_api_key = read("WORKOS_API_KEY", &check_issued, false);
        let liveblocks_secret_key = read("LIVEBLOCKS_SECRET_KEY", &check_liveblocks, false);
        let check = |keys: &str| BackendKeys::parse(keys).map(drop);
        let backend_keys = read("BACKEND_API_KEYS", &check, false);
        let check = |invitation: &str| {
            InvitationKey::parse(invitation)?;
            if secret.as_ref().is_some_and(|secret| secret.as_str() == invitation) {
                // An invitation would be a token of LiveKit, and the reverse.
                return Err(Reason("must not be LIVEKIT_API_SECRET"));
            }
            Ok(())
        };
        let invitation_secret = read("INVITATION_SECRET", &check, false);
        let ask_secret = read("ASK_SECRET", &|secret| AskKey::parse(secret).map(drop), false);
        let check = |secret: &str| check_length(secret).and_then(|()| check_pasted(secret));
        let hs256: Vec<_> = hs256_names
            .iter()
            .filter_map(|name| Some((name.clone(), read(name, &check, false)?)))
            .collect();
        let (Some(url), Some(key), Some(secret), true) = (url, key, secret, faults.is_empty())
        else {
            return Err(faults);
        };
        // Everything below was checked above.
        Ok(Self {
            livekit_url: url.to_string(),
            api_key: ApiKey::new(key.to_string(), &secret),
            clerk_secret_key,
            workos_api_key,
            liveblocks_secret_key,
            backend_keys: backend_keys.and_then(|keys| BackendKeys::parse(&keys).ok()),
            invitation_key: invitation_secret.and_then(|secret| InvitationKey::parse(&secret).ok()),
            ask_key: ask_secret.and_then(|secret| AskKey::parse(&secret).ok()),
            hs256: hs256
                .into_iter()
                .filter_map(|(name, secret)| Some((name, SharedKey::parse(&secret).ok()?)))
                .collect(),
        })
    }
}

/// Checks LiveKit's address, and returns whether it is on this machine.
///
/// # Errors
///
/// [`Reason`] if it is not an absolute URL of LiveKit's schemes, or contains credentials, a query or
/// a fragment: clients append a path to it.
pub fn check_livekit_url(url: &str) -> Result<bool, Reason> {
    const REASON: Reason = Reason("must be a ws, wss, http or https URL without credentials");
    let uri = url.parse::<http::Uri>().map_err(|_| REASON)?;
    let authority = uri.authority().ok_or(REASON)?;
    let is_livekit = matches!(uri.scheme_str(), Some("ws" | "wss" | "http" | "https"));
    if !is_livekit || authority.as_str().contains('@') {
        return Err(REASON);
    }
    // The parser drops fragments.
    if url.contains(['?', '#']) {
        return Err(Reason("must not have a query or fragment"));
    }
    Ok(client::is_loopback(authority.host()))
}

impl fmt::Display for SecretFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.name, self.reason)
    }
}

impl std::error::Error for SecretFault {}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let lookup = |name: &str| {
            let value = match name {
                "LIVEKIT_URL" => "wss://sfu.example",
                "LIVEKIT_API_KEY" => "key",
                "LIVEKIT_API_SECRET" => "0123456789abcdef0123456789abcdef",
                _ => return None,
            };
            Some(Zeroizing::new(value.to_owned()))
        };
        assert_eq!(format!("{:?}", Secrets::read(lookup, &[]).unwrap()), "Secrets(…)");
    }
}
