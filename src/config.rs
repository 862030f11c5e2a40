//! The environment, read once: every value is the type that its user needs.

mod reader;
mod variables;

use std::time::Duration;

use aws_credential_types::Credentials;
use tracing_subscriber::filter::LevelFilter;
use zeroize::Zeroizing;

use crate::cors::Cors;
use crate::exchange::{ClientField, Identity, Rules};
use crate::logging;
use crate::oidc::algorithm::AllowedAlgorithms;
use crate::oidc::issuer::KeySource;
use crate::oidc::jwks::KeySet;
use crate::oidc::profile::{Needs, Paths, Source};
use crate::oidc::verifier::Verifier;
use crate::presence::{Choice, Presence, parse_palette};
use crate::secrets::{SECRET_BYTES, Secrets, SecretsManager, is_local_livekit_url};
use crate::upstream::client::is_https_or_loopback;
use crate::upstream::last_good::Limits;
pub use reader::ConfigError;
use reader::Reader;
pub use variables::{REQUIRED, VARIABLES, Variable};

/// How long a key set or a secret serves while nobody can be asked for a newer one: a withdrawn key
/// must die.
const MAX_AGE: Duration = Duration::from_hours(24);

/// Least time between two tries at Secrets Manager.
const SECRET_COOLDOWN: Duration = Duration::from_secs(10);

/// The settings of one deployment. Its fields' documentation names the variables behind them.
pub struct Config {
    /// `OIDC_ISSUER`, `OIDC_AUDIENCE`, `OIDC_AUTHORIZED_PARTIES`, `OIDC_ALGORITHMS`,
    /// `CLOCK_SKEW_SECONDS`
    pub verifier: Verifier,
    /// `OIDC_JWKS`, `OIDC_JWKS_URI`, or discovery
    pub keys: KeySource,
    /// `JWKS_TTL_SECONDS`, `JWKS_COOLDOWN_SECONDS`
    pub jwks_limits: Limits,
    /// `PROFILE_SOURCE`
    pub sources: Vec<Source>,
    /// `EMAIL_CLAIM`, `NAME_CLAIM`, `PICTURE_CLAIM`
    pub paths: Paths,
    /// `PARTICIPANT_IDENTITY`, `REQUIRE_VERIFIED_EMAIL`
    pub needs: Needs,
    /// `PRESENCE_COLOR`, `PRESENCE_PALETTE`
    pub presence: Presence,
    /// `LIVEKIT_SECRET_ID`, `SECRET_TTL_SECONDS`, `LIVEKIT_URL`, `LIVEKIT_API_KEY`,
    /// `LIVEKIT_API_SECRET`
    pub secrets: SecretSource,
    /// `PARTICIPANT_IDENTITY`, `PARTICIPANT_DEVICES`, `CLIENT_FIELDS`, `TOKEN_TTL_SECONDS`,
    /// `MAX_TOKEN_BYTES`, `REQUIRE_VERIFIED_EMAIL`
    pub rules: Rules,
    /// `ALLOWED_ORIGINS`
    pub cors: Cors,
    /// `RUST_LOG`
    pub log_level: LevelFilter,
}

/// Where the secrets come from.
pub enum SecretSource {
    /// The environment.
    Given(Box<Secrets>),
    /// Secrets Manager.
    Managed(Box<SecretsManager>, Limits),
}

impl Config {
    /// Reads the configuration through `lookup`, which is `std::env::var` in the function and a map
    /// in tests.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names *every* variable that is missing, malformed or at odds with another,
    /// and never a value.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(lookup);
        let config = read(&mut reader);
        reader.finish(config)
    }
}

fn read<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<Config> {
    // Everything is read before anything is missed, so that no fault hides another.
    let sources = reader.parsed("PROFILE_SOURCE", sources);
    let keys = keys(reader);
    let verifier = verifier(reader, keys.as_ref(), sources.as_deref());
    let jwks_ttl = reader.parsed("JWKS_TTL_SECONDS", |text| {
        seconds(text, 1..=86_400, "must be a whole number of seconds from 1 to 86400")
    });
    let jwks_cooldown = reader.parsed("JWKS_COOLDOWN_SECONDS", |text| {
        seconds(text, 1..=3600, "must be a whole number of seconds from 1 to 3600")
    });
    let email = reader.parsed("EMAIL_CLAIM", claim_path);
    let name = reader.parsed("NAME_CLAIM", claim_path);
    let picture = reader.parsed("PICTURE_CLAIM", claim_path);
    let rules = rules(reader);
    let palette = reader.parsed("PRESENCE_PALETTE", parse_palette);
    let choice = reader.parsed("PRESENCE_COLOR", |text| match text {
        "stable" => Ok(Choice::Stable),
        "random" => Ok(Choice::Random),
        _ => Err("must be stable or random"),
    });
    let secrets = secrets(reader);
    let cors = reader.parsed("ALLOWED_ORIGINS", Cors::parse);
    let log_level = reader.parsed("RUST_LOG", logging::parse_level);
    if reader.text("POLICY").is_some() {
        // Ignoring it would open rooms that it closes.
        reader.fault("POLICY", "is not supported by this version: the policy is built in");
    }
    let rules = rules?;
    Some(Config {
        verifier: verifier?,
        keys: keys?,
        jwks_limits: Limits { ttl: jwks_ttl?, cooldown: jwks_cooldown?, max_age: MAX_AGE },
        sources: sources?,
        paths: Paths { email: email?, name: name?, picture: picture? },
        needs: Needs {
            email: rules.identity == Identity::Email,
            verified_email: rules.require_verified_email,
        },
        presence: Presence::new(palette?, choice?),
        secrets: secrets?,
        rules,
        cors: cors?,
        log_level: log_level?,
    })
}

fn keys<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<KeySource> {
    let given = reader.optional("OIDC_JWKS", |text| {
        KeySet::read(text.as_bytes()).ok_or("must be a JSON key set with a usable public key")
    });
    let at = reader.optional("OIDC_JWKS_URI", |text| {
        is_https_or_loopback(text).then(|| text.to_owned()).ok_or("must be an https URL")
    });
    match (reader.text("OIDC_JWKS"), reader.text("OIDC_JWKS_URI")) {
        (Some(_), Some(_)) => {
            reader.fault("OIDC_JWKS", "and OIDC_JWKS_URI are both set: one is enough");
            None
        }
        (Some(_), None) => given.map(|keys| KeySource::Given(Box::new(keys))),
        (None, Some(_)) => at.map(KeySource::At),
        (None, None) => Some(KeySource::Discovered),
    }
}

fn verifier<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    keys: Option<&KeySource>,
    sources: Option<&[Source]>,
) -> Option<Verifier> {
    let is_asked = matches!(keys, Some(KeySource::Discovered))
        || sources.is_some_and(|sources| sources.contains(&Source::UserInfo));
    let issuer = reader.required("OIDC_ISSUER", |text| {
        if is_asked && !is_https_or_loopback(text) {
            return Err("must be an https URL");
        }
        Ok(text.to_owned())
    });
    reader.parsed("OIDC_PROVIDER", |text| match text {
        "generic" => Ok(()),
        _ => Err("must be generic"),
    });
    let audiences = reader.optional("OIDC_AUDIENCE", list);
    let parties = reader.optional("OIDC_AUTHORIZED_PARTIES", list);
    if reader.text("OIDC_AUDIENCE").is_none() && reader.text("OIDC_AUTHORIZED_PARTIES").is_none() {
        let reason = "is not set, and neither is OIDC_AUTHORIZED_PARTIES: one of them must be, or \
                      tokens that were issued to others would be accepted";
        reader.fault("OIDC_AUDIENCE", reason);
    }
    let algorithms = reader.parsed("OIDC_ALGORITHMS", AllowedAlgorithms::parse);
    let clock_skew = reader.parsed("CLOCK_SKEW_SECONDS", |text| {
        seconds(text, 0..=60, "must be a whole number of seconds from 0 to 60")
    });
    Some(Verifier::new(
        issuer?,
        audiences.unwrap_or_default(),
        parties.unwrap_or_default(),
        algorithms?,
        clock_skew?,
    ))
}

fn rules<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<Rules> {
    let identity = reader.parsed("PARTICIPANT_IDENTITY", |text| match text {
        "email" => Ok(Identity::Email),
        "sub" => Ok(Identity::Subject),
        _ => Err("must be email or sub"),
    });
    let devices = reader.parsed("PARTICIPANT_DEVICES", boolean);
    let client_fields = reader.parsed("CLIENT_FIELDS", client_fields);
    // SDKs keep a token until 60 s before it expires: a shorter one would be fetched every time.
    let token_ttl = reader.parsed("TOKEN_TTL_SECONDS", |text| {
        seconds(text, 61..=86_400, "must be a whole number of seconds from 61 to 86400")
    });
    let max_token_bytes = reader.parsed("MAX_TOKEN_BYTES", |text| match text.parse() {
        Ok(bytes @ 1024..=65_536) => Ok(bytes),
        _ => Err("must be a whole number of bytes from 1024 to 65536"),
    });
    let require_verified_email = reader.parsed("REQUIRE_VERIFIED_EMAIL", boolean);
    Some(Rules {
        identity: identity?,
        devices: devices?,
        client_fields: client_fields?,
        token_ttl: token_ttl?,
        max_token_bytes: max_token_bytes?,
        require_verified_email: require_verified_email?,
    })
}

fn secrets<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<SecretSource> {
    let ttl = reader.parsed("SECRET_TTL_SECONDS", |text| {
        seconds(text, 1..=86_400, "must be a whole number of seconds from 1 to 86400")
    });
    let livekit_url = reader.optional("LIVEKIT_URL", |text| {
        is_local_livekit_url(text).map(|_| text.to_owned()).ok_or("must be a ws or wss URL")
    });
    if let Some(secret_id) = reader.text("LIVEKIT_SECRET_ID") {
        let region = reader.required("AWS_REGION", |text| Ok(text.to_owned()));
        let key = reader.required("AWS_ACCESS_KEY_ID", |text| Ok(text.to_owned()));
        let secret = reader.required("AWS_SECRET_ACCESS_KEY", |text| Ok(text.to_owned()));
        let session = reader.text("AWS_SESSION_TOKEN");
        let endpoint = reader
            .text("AWS_ENDPOINT_URL_SECRETS_MANAGER")
            .or_else(|| reader.text("AWS_ENDPOINT_URL"));
        let manager = SecretsManager {
            secret_id,
            livekit_url,
            region: region?,
            endpoint,
            credentials: Credentials::new(key?, secret?, session, None, "environment"),
        };
        let limits = Limits { ttl: ttl?, cooldown: SECRET_COOLDOWN, max_age: MAX_AGE };
        return Some(SecretSource::Managed(Box::new(manager), limits));
    }
    let url = livekit_url.or_else(|| {
        if !reader.is_faulty("LIVEKIT_URL") {
            reader.fault("LIVEKIT_URL", "is not set, and neither is LIVEKIT_SECRET_ID");
        }
        None
    });
    let is_local = url.as_deref().and_then(is_local_livekit_url).unwrap_or_default();
    let api_key = reader.required("LIVEKIT_API_KEY", |text| Ok(text.to_owned()));
    let api_secret = reader.required("LIVEKIT_API_SECRET", |text| {
        if text.len() < SECRET_BYTES && !is_local {
            return Err("must have at least 32 bytes");
        }
        Ok(Zeroizing::new(text.to_owned()))
    });
    let secrets = Secrets::new(url?, api_key?, api_secret?).ok()?;
    Some(SecretSource::Given(Box::new(secrets)))
}

fn sources(text: &str) -> Result<Vec<Source>, &'static str> {
    let source = |name: &str| match name.trim() {
        "claims" => Ok(Source::Claims),
        "userinfo" => Ok(Source::UserInfo),
        _ => Err("must be a comma list of claims and userinfo"),
    };
    text.split(',').map(source).collect()
}

fn client_fields(text: &str) -> Result<Vec<ClientField>, &'static str> {
    let field = |name: &str| match name.trim() {
        "room_name" => Ok(ClientField::RoomName),
        "participant_name" => Ok(ClientField::ParticipantName),
        "participant_metadata" => Ok(ClientField::ParticipantMetadata),
        "participant_attributes" => Ok(ClientField::ParticipantAttributes),
        "room_config" => Ok(ClientField::RoomConfig),
        "participant_identity" => {
            Err("must not list participant_identity: it is never the client's choice")
        }
        _ => Err("must be a comma list of room_name, participant_name, participant_metadata, \
                  participant_attributes and room_config"),
    };
    text.split(',').map(field).collect()
}

fn list(text: &str) -> Result<Vec<String>, &'static str> {
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    if items.iter().any(String::is_empty) {
        Err("must be a comma list without empty items")
    } else {
        Ok(items)
    }
}

fn claim_path(text: &str) -> Result<String, &'static str> {
    if text.len() <= 256 { Ok(text.to_owned()) } else { Err("must be at most 256 bytes long") }
}

fn boolean(text: &str) -> Result<bool, &'static str> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false"),
    }
}

fn seconds(
    text: &str,
    range: std::ops::RangeInclusive<u64>,
    wrong: &'static str,
) -> Result<Duration, &'static str> {
    match text.parse() {
        Ok(seconds) if range.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong),
    }
}
