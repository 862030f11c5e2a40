//! AWS Secrets Manager as the source of the secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::config::{BehaviorVersion, Region};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{NAMES, SecretFault, SecretStore, Secrets, UPSTREAM};
use crate::reason::Reason;
use crate::upstream::aws::{AwsAccess, refusal};
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;
use crate::upstream::last_good::{LastGood, Limits};

/// Error codes of AWS that the log may show. Any other code is reported by its status.
const ERROR_CODES: [&str; 19] = [
    "AccessDeniedException",
    "DecryptionFailure",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InternalServiceError",
    "InvalidClientTokenId",
    "InvalidParameterException",
    "InvalidRequestException",
    "InvalidSignatureException",
    "KMSAccessDeniedException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "ThrottlingException",
    "UnrecognizedClientException",
];

/// The secret and the access to Secrets Manager, from Lambda's environment.
#[derive(Clone)]
pub struct SecretsManager {
    /// Name or ARN of the secret.
    pub secret_id: String,
    /// `LIVEKIT_URL` of the environment, which takes precedence over the secret's.
    pub livekit_url: Option<String>,
    /// Names of secrets that issuers share.
    pub hs256_names: Vec<String>,
    /// Region, credentials and endpoint.
    pub access: AwsAccess,
}

impl SecretStore {
    /// Creates the store of the secret that `manager` names, cached for as long as `limits` say. No I/O.
    pub fn managed(client: &Arc<Client>, manager: SecretsManager, limits: Limits) -> Self {
        let (client, patience) = (Arc::clone(client), client.timeouts().refresh);
        // Created at the first use, since it loads the TLS roots.
        let sdk = Arc::new(OnceLock::new());
        let manager = Arc::new(manager);
        Self::Managed(LastGood::new(UPSTREAM, limits, patience, move |_| {
            let (client, sdk, manager) =
                (Arc::clone(&client), Arc::clone(&sdk), Arc::clone(&manager));
            async move {
                let sdk = sdk.get_or_init(|| manager.sdk(&client));
                client.retried_once(UPSTREAM, || manager.fetch(sdk)).await
            }
        }))
    }
}

impl SecretsManager {
    fn sdk(&self, client: &Client) -> aws_sdk_secretsmanager::Client {
        let access = &self.access;
        let config = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(access.region.clone()))
            .credentials_provider(access.credentials.clone())
            .use_fips(access.uses_fips)
            .use_dual_stack(access.uses_dual_stack)
            .http_client(client.for_sdk())
            // The cool-down replaces retries: a throttled service receives no second request at once.
            .retry_config(RetryConfig::disabled())
            // The SDK has no total timeout by default.
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(client.timeouts().connect)
                    .operation_timeout(client.timeouts().total)
                    .build(),
            );
        let config = match &access.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        };
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    async fn fetch(&self, sdk: &aws_sdk_secretsmanager::Client) -> Result<Secrets, FetchError> {
        let request = sdk.get_secret_value().secret_id(&self.secret_id).version_stage("AWSCURRENT");
        let response = request.send().await;
        let response = response
            .map_err(|error| refusal(&error, &ERROR_CODES, "a response of Secrets Manager"))?;
        let text = response.secret_string.ok_or(FetchError::Malformed("a text secret"))?;
        self.read(&Zeroizing::new(text))
    }

    /// Reads the secret's JSON object. Unknown fields may have any form.
    fn read(&self, text: &str) -> Result<Secrets, FetchError> {
        let fields: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| FetchError::Malformed("a JSON object"))?;
        let fields = |name: &str| {
            // `null` is absence.
            fields.get(name).map(|value| value.get()).filter(|value| *value != "null")
        };
        let lookup = |name: &str| match &self.livekit_url {
            Some(url) if name == "LIVEKIT_URL" => Some(Zeroizing::new(url.clone())),
            _ => match fields(name)? {
                // An object in the object, or its text.
                object if name == "BACKEND_API_KEYS" && object.starts_with('{') => {
                    Some(Zeroizing::new(object.to_owned()))
                }
                text => serde_json::from_str(text).ok(),
            },
        };
        let names = NAMES.iter().copied().chain(self.hs256_names.iter().map(String::as_str));
        let is_unreadable = |name: &&str| fields(name).is_some() && lookup(name).is_none();
        let mut faults: Vec<_> = names
            .filter(is_unreadable)
            .map(|name| SecretFault { name: name.to_owned(), reason: Reason("must be a string") })
            .collect();
        let secrets = Secrets::read(lookup, &self.hs256_names);
        if let Err(others) = &secrets {
            let is_new = |fault: &&SecretFault| faults.iter().all(|known| known.name != fault.name);
            let others: Vec<_> = others.iter().filter(is_new).cloned().collect();
            faults.extend(others);
        }
        match secrets {
            Ok(secrets) if faults.is_empty() => Ok(secrets),
            _ => {
                let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
                Err(FetchError::InvalidSecret(faults.join("; ").into()))
            }
        }
    }
}

impl fmt::Debug for SecretsManager {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretsManager(…)")
    }
}
