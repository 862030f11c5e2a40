//! The variables of the secrets, or of the access to Secrets Manager.

use zeroize::Zeroizing;

use super::issuers::IssuerConfig;
use super::reader::Reader;
use super::seconds;
use crate::oidc::issuer::KeySource;
#[cfg(feature = "secrets-manager")]
use crate::secrets::manager::SecretsManager;
use crate::secrets::{SecretFault, Secrets};
#[cfg(feature = "secrets-manager")]
use crate::upstream::last_good::Limits;

/// The source of the secrets.
pub enum SecretSource {
    /// The environment.
    Given(Box<Secrets>),
    /// Secrets Manager.
    #[cfg(feature = "secrets-manager")]
    Managed(Box<SecretsManager>, Limits),
}

pub(super) fn read<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    issuers: Option<&[IssuerConfig]>,
) -> Option<SecretSource> {
    let ttl = reader.parsed("SECRET_TTL_SECONDS", |text| {
        seconds(text, 1..=86_400, "must be a whole number of seconds from 1 to 86400")
    });
    let hs256_names: Vec<String> =
        issuers.unwrap_or_default().iter().map(|issuer| issuer.hs256_name.clone()).collect();
    if let Some(secret_id) = reader.text("LIVEKIT_SECRET_ID") {
        return managed(reader, secret_id, hs256_names, ttl);
    }
    for issuer in issuers.unwrap_or_default() {
        let has_secret = reader.text(&issuer.hs256_name).is_some();
        if matches!(issuer.keys, KeySource::Shared) && !has_secret {
            reader.fault(issuer.hs256_name.clone(), "is not set, and OIDC_ALGORITHMS is HS256");
        }
    }
    match Secrets::read(|name| reader.text(name).map(Zeroizing::new), &hs256_names) {
        Ok(secrets) => Some(SecretSource::Given(Box::new(secrets))),
        Err(faults) => {
            for SecretFault { name, reason } in faults {
                if name == "LIVEKIT_URL" && reader.text(&name).is_none() {
                    reader.fault(name, "is not set, and neither is LIVEKIT_SECRET_ID");
                } else {
                    reader.fault(name, reason.to_string());
                }
            }
            None
        }
    }
}

#[cfg(feature = "secrets-manager")]
fn managed<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    secret_id: String,
    hs256_names: Vec<String>,
    ttl: Option<std::time::Duration>,
) -> Option<SecretSource> {
    use std::time::Duration;

    use crate::secrets::check_livekit_url;

    /// The minimum time between two attempts to read the secret.
    const COOLDOWN: Duration = Duration::from_secs(10);

    let livekit_url =
        reader.optional("LIVEKIT_URL", |url| check_livekit_url(url).map(|_| url.to_owned()));
    let access = super::aws::access(reader, "AWS_ENDPOINT_URL_SECRETS_MANAGER", None);
    for name in &hs256_names {
        if reader.text(name).is_some() {
            // If it were ignored, a key set that it is meant to replace would stay in force.
            let reason = "must be stored in the secret if LIVEKIT_SECRET_ID is set";
            reader.fault(name.clone(), reason);
        }
    }
    let manager = SecretsManager { secret_id, livekit_url, hs256_names, access: access? };
    let limits = Limits { ttl: ttl?, cooldown: COOLDOWN, max_age: super::MAX_AGE };
    Some(SecretSource::Managed(Box::new(manager), limits))
}

#[cfg(not(feature = "secrets-manager"))]
fn managed<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    _: String,
    _: Vec<String>,
    _: Option<std::time::Duration>,
) -> Option<SecretSource> {
    reader.fault("LIVEKIT_SECRET_ID", "must not be set: the feature secrets-manager is disabled");
    None
}
