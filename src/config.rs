//! The configuration: the environment, read once into the types that the parts need.

#[cfg(any(feature = "dynamodb", feature = "secrets-manager"))]
mod aws;
mod issuers;
mod policy;
mod reader;
mod secrets;
mod state;
mod variables;

use std::time::Duration;

use http::header::{self, HeaderName};
use tracing_subscriber::filter::LevelFilter;

use crate::cors::{Cors, Origins};
use crate::livekit::token_source::RequestLimits;
use crate::logging;
use crate::participant::{ClientField, Identity, ParticipantSettings};
use crate::policy::Policy;
use crate::presence::{Choice, Presence, parse_palette};
use crate::rate_limit::RateLimits;
use crate::reason::Reason;
use crate::upstream::client::{Timeouts, is_https_or_loopback};
use crate::upstream::roots::RootSource;
pub use issuers::IssuerConfig;
pub use reader::ConfigError;
use reader::Reader;
pub use secrets::SecretSource;
pub use state::StateSource;
pub use variables::{BY_PROVIDER, RECOGNIZED, REQUIRED, VARIABLES, Variable};

/// The age up to which a key set or a secret is served while its upstream is down. A withdrawn key
/// must go out of use.
const MAX_AGE: Duration = Duration::from_hours(24);

/// The settings of one deployment. The documentation of each field names its variables.
pub struct Config {
    /// `OIDC_ISSUER` and the variables of each issuer; never empty
    pub issuers: Vec<IssuerConfig>,
    /// `CLERK_API_URL`, `WORKOS_API_URL`
    pub directories: DirectoryUrls,
    /// `PRESENCE_COLOR`, `PRESENCE_PALETTE`
    pub presence: Presence,
    /// `LIVEKIT_SECRET_ID`, `SECRET_TTL_SECONDS`, `LIVEKIT_URL`, and for local runs the keys of the
    /// secret
    pub secrets: SecretSource,
    /// `PARTICIPANT_IDENTITY`, `PARTICIPANT_DEVICES`, `CLIENT_FIELDS`, `TOKEN_TTL_SECONDS`,
    /// `BACKEND_TOKEN_TTL_SECONDS`, `MAX_TOKEN_BYTES`, `MAX_METADATA_BYTES`, `MAX_ATTRIBUTES_BYTES`,
    /// `REQUIRE_VERIFIED_EMAIL`
    pub participant: ParticipantSettings,
    /// `TOKENS_PER_MINUTE`; `None` limits nobody
    pub rate_limits: Option<RateLimits>,
    /// `POLICY`, or `policy.toml` in `LAMBDA_TASK_ROOT`
    pub policy: Policy,
    /// `ALLOWED_ORIGINS`, `ALLOWED_HEADERS`
    pub cors: Cors,
    /// `BASE_PATH`, with a slash at its start and none at its end
    pub base_path: Option<String>,
    /// `SESSION_COOKIE`
    pub session_cookie: Option<String>,
    /// `TOKEN_HEADER`
    pub token_header: Option<HeaderName>,
    /// `STATE_TABLE`
    pub state: Option<StateSource>,
    /// `LIVEBLOCKS_API_URL`
    pub liveblocks_url: String,
    /// Time limits of requests to upstreams; no variable changes them.
    pub timeouts: Timeouts,
    /// `SSL_CERT_FILE`, `SSL_CERT_DIR`, which OpenSSL defines
    pub trusted_roots: RootSource,
    /// `RUST_LOG`
    pub log_level: LevelFilter,
    /// `AWS_LAMBDA_FUNCTION_NAME`, which Lambda sets; without it there are no metrics
    pub function_name: Option<String>,
}

/// URLs of the providers' user directories.
pub struct DirectoryUrls {
    /// `CLERK_API_URL`
    pub clerk: String,
    /// `WORKOS_API_URL`
    pub workos: String,
}

impl Config {
    /// Reads the configuration through `lookup`, which is `std::env::var` in the function and a map
    /// in tests.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names *every* variable that is missing, malformed or in conflict with another,
    /// and never a value.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use roomkey::Config;
    ///
    /// let mut variables = BTreeMap::from([
    ///     ("OIDC_ISSUER", "https://tenant.eu.auth0.com/"),
    ///     ("OIDC_AUDIENCE", "https://api.example.com"),
    ///     ("LIVEKIT_URL", "wss://calls.example.com"),
    ///     ("LIVEKIT_API_KEY", "APIexample"),
    ///     ("LIVEKIT_API_SECRET", "0123456789abcdef0123456789abcdef"),
    /// ]);
    /// let read = |variables: &BTreeMap<&str, &str>| {
    ///     Config::from_lookup(|name| variables.get(name).map(|value| (*value).to_owned()))
    /// };
    /// assert!(read(&variables).is_ok());
    ///
    /// variables.insert("LIVEKIT_API_SECRET", "too-short");
    /// variables.insert("OIDC_ISSUER", "http://tenant.eu.auth0.com/");
    /// let faults = read(&variables).err().unwrap().to_string();
    /// assert!(faults.contains("LIVEKIT_API_SECRET") && faults.contains("OIDC_ISSUER"), "{faults}");
    /// assert!(!faults.contains("too-short"), "{faults}");
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(lookup);
        let config = read(&mut reader);
        reader.finish(config)
    }
}

fn read<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<Config> {
    // Read every variable before the first `?`, so that all faults are reported.
    let issuers = issuers::read(reader);
    let clerk = reader.parsed("CLERK_API_URL", url);
    let workos = reader.parsed("WORKOS_API_URL", url);
    let liveblocks_url = reader.parsed("LIVEBLOCKS_API_URL", url);
    let participant = participant(reader);
    let rate_limits = reader.parsed("TOKENS_PER_MINUTE", rate_limits);
    let palette = reader.parsed("PRESENCE_PALETTE", parse_palette);
    let choice = reader.parsed("PRESENCE_COLOR", |text| match text {
        "stable" => Ok(Choice::Stable),
        "random" => Ok(Choice::Random),
        _ => Err(Reason("must be stable or random")),
    });
    let secrets = secrets::read(reader, issuers.as_deref());
    let origins = reader.parsed("ALLOWED_ORIGINS", Origins::parse);
    let session_cookie = reader.optional("SESSION_COOKIE", cookie_name);
    if session_cookie.is_some() && matches!(origins, Some(Origins::None | Origins::Any)) {
        let reason = "must list the origins that may use SESSION_COOKIE, since browsers attach cookies by \
                      themselves";
        reader.fault("ALLOWED_ORIGINS", reason);
    }
    let token_header = reader.optional("TOKEN_HEADER", token_header);
    let cors = reader.parsed("ALLOWED_HEADERS", |names| {
        Cors::new(origins.clone().unwrap_or(Origins::None), names)
    });
    let base_path = reader.optional("BASE_PATH", base_path);
    let log_level = reader.parsed("RUST_LOG", logging::parse_level);
    let state = state::read(reader);
    let policy = policy::read(reader, issuers.as_deref());
    if let (Some(policy), Some(SecretSource::Given(given))) = (&policy, &secrets)
        && policy.signs()
        && given.ask_key.is_none()
    {
        let reason = "is not set, and the policy has an ask table with sign = true";
        reader.fault("ASK_SECRET", reason);
    }
    if policy.as_ref().is_some_and(Policy::has_lobby) && reader.text("STATE_TABLE").is_none() {
        let reason = "is not set, and the policy has a rule with lobby";
        reader.fault("STATE_TABLE", reason);
    }
    let participant = participant?;
    Some(Config {
        issuers: issuers?,
        directories: DirectoryUrls { clerk: clerk?, workos: workos? },
        presence: Presence::new(palette?, choice?),
        secrets: secrets?,
        participant,
        rate_limits: rate_limits?,
        policy: policy?,
        cors: cors?,
        base_path,
        session_cookie,
        token_header,
        state,
        liveblocks_url: liveblocks_url?,
        timeouts: Timeouts::default(),
        trusted_roots: trusted_roots(reader),
        log_level: log_level?,
        function_name: reader.text("AWS_LAMBDA_FUNCTION_NAME"),
    })
}

fn participant<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
) -> Option<ParticipantSettings> {
    let identity = reader.parsed("PARTICIPANT_IDENTITY", |text| match text {
        "email" => Ok(Identity::Email),
        "sub" => Ok(Identity::Subject),
        _ => Err(Reason("must be email or sub")),
    });
    let devices = reader.parsed("PARTICIPANT_DEVICES", boolean);
    let client_fields = reader.parsed("CLIENT_FIELDS", client_fields);
    // SDKs reuse a token until 60 s before it expires. A shorter lifetime would cost a request each time.
    let token_ttl = reader.parsed("TOKEN_TTL_SECONDS", |text| {
        seconds(text, 61..=86_400, "must be a whole number of seconds from 61 to 86400")
    });
    let backend_token_ttl = reader.parsed("BACKEND_TOKEN_TTL_SECONDS", |text| {
        seconds(text, 61..=86_400, "must be a whole number of seconds from 61 to 86400")
    });
    let max_token_bytes = reader.parsed("MAX_TOKEN_BYTES", |text| match text.parse() {
        Ok(bytes @ 1024..=65_536) => Ok(bytes),
        _ => Err(Reason("must be a whole number of bytes from 1024 to 65536")),
    });
    let metadata_bytes = reader.parsed("MAX_METADATA_BYTES", stored_bytes);
    let attributes_bytes = reader.parsed("MAX_ATTRIBUTES_BYTES", stored_bytes);
    Some(ParticipantSettings {
        identity: identity?,
        devices: devices?,
        client_fields: client_fields?,
        limits: RequestLimits {
            metadata_bytes: metadata_bytes?,
            attributes_bytes: attributes_bytes?,
        },
        token_ttl: token_ttl?,
        backend_token_ttl: backend_token_ttl?,
        max_token_bytes: max_token_bytes?,
    })
}

fn trusted_roots<L: Fn(&str) -> Option<String>>(reader: &Reader<L>) -> RootSource {
    match (reader.text("SSL_CERT_DIR"), reader.text("SSL_CERT_FILE")) {
        (Some(_), _) => RootSource::Folders,
        (None, Some(file)) => RootSource::File(file.into()),
        (None, None) => RootSource::System,
    }
}

fn url(text: &str) -> Result<String, Reason> {
    is_https_or_loopback(text).then(|| text.to_owned()).ok_or(Reason("must be an https URL"))
}

/// Parses a path of one or more segments, with or without slashes around it, into `/segment/segment`.
fn base_path(text: &str) -> Result<String, Reason> {
    let path = text.trim_matches('/');
    let is_segment = |segment: &str| {
        !segment.is_empty()
            && ![".", ".."].contains(&segment)
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    if path.len() <= 256 && path.split('/').all(is_segment) {
        Ok(format!("/{path}"))
    } else {
        Err(Reason("must be a path such as v1 or api/v1"))
    }
}

/// Parses the name of a cookie
/// ([RFC 6265 §4.1.1](https://www.rfc-editor.org/rfc/rfc6265#section-4.1.1)), of common characters.
fn cookie_name(text: &str) -> Result<String, Reason> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    if is_name { Ok(text.to_owned()) } else { Err(Reason("must be a cookie's name")) }
}

/// Parses the name of a header that can contain a token.
fn token_header(text: &str) -> Result<HeaderName, Reason> {
    const TAKEN: [HeaderName; 8] = [
        header::AUTHORIZATION,
        header::COOKIE,
        header::HOST,
        header::ORIGIN,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::ACCEPT,
    ];
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) if TAKEN.contains(&name) => {
            Err(Reason("must not be a header with another purpose"))
        }
        Ok(name) => Ok(name),
        Err(_) => Err(Reason("must be a header name")),
    }
}

fn client_fields(text: &str) -> Result<Vec<ClientField>, Reason> {
    let field = |name: &str| match ClientField::from_name(name.trim()) {
        Some(field) => Ok(field),
        None if name.trim() == "participant_identity" => {
            Err(Reason("must not list participant_identity: it is never the client's choice"))
        }
        None => Err(Reason(
            "must be a comma-separated list of room_name, participant_name, participant_metadata, \
                  participant_attributes and room_config",
        )),
    };
    text.split(',').map(field).collect()
}

/// A limit of what clients may store in a token, in bytes.
fn stored_bytes(text: &str) -> Result<usize, Reason> {
    match text.parse() {
        Ok(bytes @ 1..=65_536) => Ok(bytes),
        _ => Err(Reason("must be a whole number of bytes from 1 to 65536")),
    }
}

/// Parses the number of tokens per minute. LiveKit's `useSession` requests several for one call, so that
/// a lower limit would refuse apps that do nothing wrong.
fn rate_limits(text: &str) -> Result<Option<RateLimits>, Reason> {
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(tokens @ 30..) => Ok(Some(RateLimits::new(tokens))),
        _ => Err(Reason("must be a whole number from 30, or 0 for no limit")),
    }
}

fn boolean(text: &str) -> Result<bool, Reason> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Reason("must be true or false")),
    }
}

fn seconds(
    text: &str,
    range: std::ops::RangeInclusive<u64>,
    wrong: &'static str,
) -> Result<Duration, Reason> {
    match text.parse() {
        Ok(seconds) if range.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(Reason(wrong)),
    }
}
