//! Every variable that the function reads, in the order of the table in `docs/configuration.md`.

/// A variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The variable's name.
    pub name: &'static str,
    /// The value that applies if the variable is not set: empty if there is none, [`REQUIRED`] if
    /// the function does not start without it.
    pub default: &'static str,
    /// The meaning, as Markdown for a table cell: a noun phrase of at most twelve words.
    pub doc: &'static str,
}

/// The default of a variable that has none and must be set.
pub const REQUIRED: &str = "required";

/// The default of the variable that overrides the provider recognized from the issuer.
pub const RECOGNIZED: &str = "recognized";

/// The default of variables that override the provider preset.
pub const BY_PROVIDER: &str = "by provider";

const fn variable(name: &'static str, default: &'static str, doc: &'static str) -> Variable {
    Variable { name, default, doc }
}

/// Every variable that the function reads, except those that AWS Lambda sets by itself.
#[rustfmt::skip]
pub const VARIABLES: &[Variable] = &[
    variable("OIDC_ISSUER", REQUIRED,
        "Exact `iss` of accepted tokens; several issuers as `name=issuer`"),
    variable("OIDC_PROVIDER", RECOGNIZED,
        "Identity provider preset, such as `auth0` or `clerk`"),
    variable("OIDC_AUDIENCE", "",
        "Comma-separated list of accepted `aud` values"),
    variable("OIDC_AUTHORIZED_PARTIES", "",
        "Comma-separated list of accepted `azp`, `client_id`, `cid` or `appid` values"),
    variable("OIDC_DEDICATED_ISSUER", "false",
        "Whether the issuer serves this application alone"),
    variable("OIDC_JWKS_URI", "",
        "URL of the key set, in place of discovery"),
    variable("OIDC_JWKS", "",
        "Key set itself, as JSON, in place of a URL"),
    variable("OIDC_ALGORITHMS", "RS256,PS256,ES256,ES384,EdDSA,RS384,RS512,PS384,PS512",
        "Comma-separated list of accepted signature algorithms, or `HS256` alone"),
    variable("CLOCK_SKEW_SECONDS", "5",
        "Leeway for `exp`, `nbf` and `iat` in seconds (0–60)"),
    variable("JWKS_TTL_SECONDS", "600",
        "Age at which the key set is refreshed, in seconds (1–86,400)"),
    variable("JWKS_COOLDOWN_SECONDS", "10",
        "Minimum time between two fetches of the key set, in seconds (1–3,600)"),
    variable("SUBJECT_CLAIM", "sub",
        "Dotted path of the claim that identifies the person"),
    variable("PROFILE_SOURCE", BY_PROVIDER,
        "Comma-separated list of profile sources: `claims`, `userinfo`, `clerk`, `workos`"),
    variable("EMAIL_CLAIM", BY_PROVIDER,
        "Dotted path of the claim with the email address"),
    variable("EMAIL_VERIFIED_CLAIM", BY_PROVIDER,
        "Dotted path of the claim that vouches for the email address"),
    variable("NAME_CLAIM", BY_PROVIDER,
        "Dotted path of the claim with the name"),
    variable("PICTURE_CLAIM", BY_PROVIDER,
        "Dotted path of the claim with the picture's URL"),
    variable("CLERK_API_URL", "https://api.clerk.com",
        "URL of Clerk's Backend API, for the profile source `clerk`"),
    variable("WORKOS_API_URL", "https://api.workos.com",
        "URL of the WorkOS API, for the profile source `workos`"),
    variable("REQUIRE_VERIFIED_EMAIL", "true",
        "Whether an email address must be verified to serve as the identity"),
    variable("PARTICIPANT_IDENTITY", "email",
        "Source of the participant identity: `email`, or the opaque `sub`"),
    variable("PARTICIPANT_DEVICES", "false",
        "Whether clients may request the identity `<identity>:<device>`"),
    variable("CLIENT_FIELDS", "room_name,participant_metadata,participant_attributes,room_config",
        "Comma-separated list of the request fields that clients may set"),
    variable("MAX_TOKEN_BYTES", "6144",
        "Maximum length of a participant token in bytes (1,024–65,536)"),
    variable("MAX_METADATA_BYTES", "4096",
        "Maximum length of each string of metadata in bytes (1–65,536)"),
    variable("MAX_ATTRIBUTES_BYTES", "4096",
        "Maximum length of all client attributes together in bytes (1–65,536)"),
    variable("POLICY", "policy.toml",
        "Text of the authorization policy, in place of the file `policy.toml`"),
    variable("PRESENCE_COLOR", "stable",
        "Choice of the presence color: `stable` per person, or `random` per token"),
    variable(
        "PRESENCE_PALETTE",
        "#E74C3C,#8E44AD,#6C5CE7,#2E86AB,#1E3A8A,#059669,#D97706,#DC2626,#7C2D12,#92400E,#78350F,\
         #374151,#0D9488,#7C3AED,#5B21B6",
        "Comma-separated list of 1 to 64 colors, each `#RRGGBB`"),
    variable("LIVEKIT_SECRET_ID", "",
        "Name or ARN of the Secrets Manager secret with the LiveKit keys"),
    variable("LIVEKIT_URL", "",
        "URL of the LiveKit server, `wss://…`; returned to clients as `server_url`"),
    variable("LIVEKIT_API_KEY", "",
        "LiveKit API key, for runs without Secrets Manager"),
    variable("LIVEKIT_API_SECRET", "",
        "LiveKit API secret, for runs without Secrets Manager"),
    variable("CLERK_SECRET_KEY", "",
        "Key for Clerk's Backend API, for runs without Secrets Manager"),
    variable("WORKOS_API_KEY", "",
        "Key for the WorkOS API, for runs without Secrets Manager"),
    variable("OIDC_HS256_SECRET", "",
        "Secret shared with the issuer, for runs without Secrets Manager"),
    variable("BACKEND_API_KEYS", "",
        "JSON object of backends' API keys, for runs without Secrets Manager"),
    variable("INVITATION_SECRET", "",
        "Secret that signs invitations, for runs without Secrets Manager"),
    variable("ASK_SECRET", "",
        "Secret that signs requests to the app, for runs without Secrets Manager"),
    variable("LIVEBLOCKS_SECRET_KEY", "",
        "Key for the Liveblocks API, for runs without Secrets Manager"),
    variable("LIVEBLOCKS_API_URL", "https://api.liveblocks.io",
        "URL of the Liveblocks API"),
    variable("SECRET_TTL_SECONDS", "300",
        "Age at which the secret is refreshed, in seconds (1–86,400)"),
    variable("STATE_TABLE", "",
        "DynamoDB table for bans and given roles, or `memory` for local runs"),
    variable("TOKEN_TTL_SECONDS", "600",
        "Lifetime of participant tokens in seconds (61–86,400)"),
    variable("BACKEND_TOKEN_TTL_SECONDS", "21600",
        "Lifetime of tokens requested by backends in seconds (61–86,400)"),
    variable("TOKENS_PER_MINUTE", "60",
        "Maximum tokens per minute, person and process (30 or more, 0: unlimited)"),
    variable("ALLOWED_ORIGINS", "",
        "Comma-separated list of exact origins that may send requests, or `*`"),
    variable("ALLOWED_HEADERS", "",
        "Comma-separated list of further request headers that pages may send"),
    variable("BASE_PATH", "",
        "Path in front of all routes, such as a custom domain's mapping"),
    variable("SESSION_COOKIE", "",
        "Name of a cookie that may contain the access token"),
    variable("TOKEN_HEADER", "",
        "Name of a header besides `Authorization` that may contain the access token"),
    variable("RUST_LOG", "info",
        "Minimum log level: `off`, `error`, `warn`, `info`, `debug` or `trace`"),
];
