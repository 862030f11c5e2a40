//! What we sign with: from Secrets Manager, or from the environment for local runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::keys::backend::BackendKeys;
use crate::keys::is_liveblocks_secret_key;
use crate::keys::livekit::ApiKey;
use crate::keys::shared::{SECRET_BYTES, SharedKey};
use crate::upstream::client::{self, CONNECT_TIMEOUT, Client, TOTAL_TIMEOUT};
use crate::upstream::error::FetchError;
use crate::upstream::error::Unavailable;
use crate::upstream::last_good::{LastGood, Limits};

/// What Secrets Manager is called in the log.
pub const UPSTREAM: &str = "secret";

const BACKEND_API_KEYS: &str = "complete: BACKEND_API_KEYS must be a JSON object of 1 to 16 API keys and their secrets \
     of at least 32 bytes";

/// Where LiveKit is and the key it knows us by. `Debug` shows nothing.
#[derive(Clone)]
pub struct Secrets {
    /// What clients are told as `server_url`.
    pub livekit_url: String,
    /// What signs participants' tokens.
    pub api_key: ApiKey,
    /// `CLERK_SECRET_KEY`, for Clerk's Backend API.
    pub clerk_secret_key: Option<Zeroizing<String>>,
    /// `WORKOS_API_KEY`, for WorkOS' user management.
    pub workos_api_key: Option<Zeroizing<String>>,
    /// `LIVEBLOCKS_SECRET_KEY`, for Liveblocks' API.
    pub liveblocks_secret_key: Option<Zeroizing<String>>,
    /// `BACKEND_API_KEYS`, which backends sign with.
    pub backend_keys: Option<BackendKeys>,
    /// `OIDC_HS256_SECRET` and its like for named issuers (`OIDC_STAFF_HS256_SECRET`), by their name
    /// there.
    pub hs256: BTreeMap<String, SharedKey>,
}

/// Where the secrets come from.
pub enum SecretStore {
    /// The environment, once.
    Given(Arc<Secrets>),
    /// Secrets Manager, again and again.
    Managed(LastGood<Secrets>),
}

/// How Secrets Manager is reached: what Lambda's environment says.
#[derive(Clone)]
pub struct SecretsManager {
    /// Name or ARN of the secret.
    pub secret_id: String,
    /// `LIVEKIT_URL` of the environment, which comes before the secret's.
    pub livekit_url: Option<String>,
    /// Names under which the secret may hold what issuers share with us.
    pub hs256_names: Vec<String>,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_ENDPOINT_URL_SECRETS_MANAGER` or `AWS_ENDPOINT_URL`, where it is not AWS itself.
    pub endpoint: Option<String>,
    /// The function's own credentials.
    pub credentials: Credentials,
}

impl SecretStore {
    /// The secret that `manager` names, kept for as long as `limits` say. No I/O.
    #[must_use]
    pub fn managed(client: &Arc<Client>, manager: SecretsManager, limits: Limits) -> Self {
        let client = Arc::clone(client);
        // Made when first used: it loads the TLS roots.
        let sdk = Arc::new(OnceLock::new());
        let manager = Arc::new(manager);
        Self::Managed(LastGood::new(UPSTREAM, limits, move |_| {
            let (client, sdk, manager) =
                (Arc::clone(&client), Arc::clone(&sdk), Arc::clone(&manager));
            async move {
                let sdk = sdk.get_or_init(|| manager.sdk(&client));
                client.retried_once(UPSTREAM, || manager.fetch(sdk)).await
            }
        }))
    }

    /// Fetches the secret, if there is one to fetch, so that the first request need not.
    pub async fn warm_up(&self, now: SystemTime) {
        // A failure is logged where it happens; the next request tries again.
        let _ = self.get(now).await;
    }

    /// The secrets.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where there are none that may serve.
    pub async fn get(&self, now: SystemTime) -> Result<Arc<Secrets>, Unavailable> {
        match self {
            Self::Given(secrets) => Ok(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.get(now).await,
        }
    }

    /// The secrets after one more fetch, or as they are where the cool-down forbids one: for callers
    /// who need what these lack.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] where the newest try failed.
    pub async fn refresh(&self, now: SystemTime) -> Result<Arc<Secrets>, Unavailable> {
        match self {
            Self::Given(secrets) => Ok(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.refresh(now).await,
        }
    }

    /// The secrets, if they are here; never fetches.
    #[must_use]
    pub fn cached(&self, now: SystemTime) -> Option<Arc<Secrets>> {
        match self {
            Self::Given(secrets) => Some(Arc::clone(secrets)),
            Self::Managed(secrets) => secrets.cached(now),
        }
    }
}

impl SecretsManager {
    fn sdk(&self, client: &Client) -> aws_sdk_secretsmanager::Client {
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(self.credentials.clone())
            .http_client(client.for_sdk())
            // The cool-down is the retry: a throttled service is not asked twice in a row.
            .retry_config(RetryConfig::disabled())
            // The SDK has no total timeout by default.
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .operation_timeout(TOTAL_TIMEOUT)
                    .build(),
            );
        let config = match &self.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        };
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    async fn fetch(&self, sdk: &aws_sdk_secretsmanager::Client) -> Result<Secrets, FetchError> {
        let request = sdk.get_secret_value().secret_id(&self.secret_id).version_stage("AWSCURRENT");
        let answer = request.send().await.map_err(|error| refusal(&error))?;
        let text = Zeroizing::new(answer.secret_string.unwrap_or_default());
        // Members of other kinds are others' business.
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(&text).map_err(|_| FetchError::Malformed("a JSON object"))?;
        let lookup = |name: &str| match &self.livekit_url {
            Some(url) if name == "LIVEKIT_URL" => Some(Zeroizing::new(url.clone())),
            // An object in the object, or its text.
            _ => match members.get(name)?.get() {
                object if name == "BACKEND_API_KEYS" && object.starts_with('{') => {
                    Some(Zeroizing::new(object.to_owned()))
                }
                text => serde_json::from_str(text).ok(),
            },
        };
        Secrets::new(lookup, &self.hs256_names).map_err(FetchError::Malformed)
    }
}

impl Secrets {
    /// Secrets that belong together, by the names that a LiveKit `.env` has; empty ones count as
    /// absent. `hs256_names` are those of secrets that issuers share with us.
    ///
    /// # Errors
    ///
    /// What is wrong, as the end of "is not …": an address that is not LiveKit's, no key, or a
    /// secret shorter than [`SECRET_BYTES`] (LiveKit's may be on this machine: `livekit-server --dev`
    /// uses `secret`).
    pub fn new(
        lookup: impl Fn(&str) -> Option<Zeroizing<String>>,
        hs256_names: &[String],
    ) -> Result<Self, &'static str> {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let livekit_url = lookup("LIVEKIT_URL").map(|url| url.to_string()).unwrap_or_default();
        let is_local = is_local_livekit_url(&livekit_url)
            .ok_or("complete: LIVEKIT_URL must be a ws, wss, http or https URL")?;
        let key = lookup("LIVEKIT_API_KEY").ok_or("complete: LIVEKIT_API_KEY is missing")?;
        let secret =
            lookup("LIVEKIT_API_SECRET").ok_or("complete: LIVEKIT_API_SECRET is missing")?;
        if secret.len() < SECRET_BYTES && !is_local {
            return Err("safe: LIVEKIT_API_SECRET must have at least 32 bytes");
        }
        let mut hs256 = BTreeMap::new();
        for name in hs256_names {
            if let Some(shared) = lookup(name) {
                let shared = SharedKey::new(&shared)
                    .ok_or("safe: OIDC_HS256_SECRET must have at least 32 bytes")?;
                hs256.insert(name.clone(), shared);
            }
        }
        let liveblocks_secret_key = lookup("LIVEBLOCKS_SECRET_KEY");
        if liveblocks_secret_key.as_ref().is_some_and(|key| !is_liveblocks_secret_key(key)) {
            return Err("complete: LIVEBLOCKS_SECRET_KEY must start with sk_");
        }
        let backend_keys = lookup("BACKEND_API_KEYS").map(|keys| BackendKeys::parse(&keys));
        Ok(Self {
            livekit_url,
            liveblocks_secret_key,
            backend_keys: backend_keys.transpose().map_err(|_| BACKEND_API_KEYS)?,
            api_key: ApiKey::new(key.to_string(), &secret),
            clerk_secret_key: lookup("CLERK_SECRET_KEY"),
            workos_api_key: lookup("WORKOS_API_KEY"),
            hs256,
        })
    }
}

/// Whether LiveKit's URL is on this machine; `None` where it is no such URL.
#[must_use]
pub fn is_local_livekit_url(url: &str) -> Option<bool> {
    let uri = url.parse::<http::Uri>().ok()?;
    let is_livekit = matches!(uri.scheme_str(), Some("ws" | "wss" | "http" | "https"));
    let authority = uri.authority()?;
    (is_livekit && !authority.as_str().contains('@')).then(|| client::is_loopback(authority.host()))
}

/// What went wrong, in words that hold nothing of the answer.
fn refusal(error: &SdkError<GetSecretValueError>) -> FetchError {
    match error {
        SdkError::TimeoutError(_) => FetchError::Timeout,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => FetchError::Timeout,
        SdkError::DispatchFailure(_) => FetchError::Connection,
        SdkError::ServiceError(service) => match service.err().meta().code() {
            Some("AccessDeniedException") => FetchError::Refused("access denied"),
            Some("ResourceNotFoundException") => FetchError::Refused("no such secret"),
            Some("DecryptionFailure" | "KMSAccessDeniedException") => {
                FetchError::Refused("the secret could not be decrypted")
            }
            Some("ThrottlingException") => FetchError::Refused("throttled"),
            _ => FetchError::Status { status: service.raw().status().as_u16(), retry_after: None },
        },
        _ => FetchError::Malformed("Secrets Manager's"),
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets(…)")
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretsManager(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_borders() {
        let key = |bytes: usize| "s".repeat(bytes);
        let rows = [
            ("wss://sfu.example", "key", key(32), true),
            ("wss://sfu.example", "key", key(31), false),
            ("ws://127.0.0.1:7880", "key", key(6), true),
            ("ws://localhost:7880", "key", key(6), true),
            ("ws://127.0.0.1:7880", "key", key(0), false),
            ("ws://127.0.0.1:7880", "", key(32), false),
            ("https://sfu.example", "key", key(32), true),
            ("ws://localhost.sfu.example", "key", key(31), false),
            ("ws://127.0.0.1@sfu.example", "key", key(32), false),
            ("ftp://sfu.example", "key", key(32), false),
            ("sfu.example", "key", key(32), false),
            ("", "key", key(32), false),
        ];
        for (url, api_key, secret, expected) in rows {
            let length = secret.len();
            assert_eq!(
                secrets(url, api_key, &secret, "").is_ok(),
                expected,
                "{url} {api_key} {length}"
            );
        }
        for (bytes, expected) in [(0, true), (31, false), (32, true)] {
            let read = secrets("wss://sfu.example", "key", &key(32), &key(bytes));
            assert_eq!(read.is_ok(), expected, "a shared secret of {bytes} bytes");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let read = secrets("wss://sfu.example", "key", &"s".repeat(32), &"t".repeat(32));
        assert_eq!(format!("{:?}", read.unwrap()), "Secrets(…)");
    }

    fn secrets(url: &str, key: &str, secret: &str, hs256: &str) -> Result<Secrets, &'static str> {
        let lookup = |name: &str| {
            let value = match name {
                "LIVEKIT_URL" => url,
                "LIVEKIT_API_KEY" => key,
                "LIVEKIT_API_SECRET" => secret,
                "OIDC_HS256_SECRET" => hs256,
                _ => return None,
            };
            Some(Zeroizing::new(value.to_owned()))
        };
        Secrets::new(lookup, &["OIDC_HS256_SECRET".to_owned()])
    }
}
