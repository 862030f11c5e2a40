//! Every variable that the function reads, in the order of the README's table.

/// A variable of the environment.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// The value it has when it is not set; empty where there is none, [`REQUIRED`] where the
    /// function does not start without it.
    pub default: &'static str,
}

/// The default of a variable that has none and must be set.
pub const REQUIRED: &str = "required";

/// The default of the variable that overrides what is recognised from the issuer.
pub const RECOGNISED: &str = "recognised";

/// The default of variables that override the provider's habits.
pub const BY_PROVIDER: &str = "by provider";

const fn variable(name: &'static str, default: &'static str) -> Variable {
    Variable { name, default }
}

/// Every variable that the function reads, except those that AWS Lambda sets by itself.
pub const VARIABLES: &[Variable] = &[
    variable("OIDC_ISSUER", REQUIRED),
    variable("OIDC_PROVIDER", RECOGNISED),
    variable("OIDC_AUDIENCE", ""),
    variable("OIDC_AUTHORIZED_PARTIES", ""),
    variable("OIDC_JWKS_URI", ""),
    variable("OIDC_JWKS", ""),
    variable("OIDC_ALGORITHMS", "RS256,PS256,ES256,ES384,EdDSA,RS384,RS512,PS384,PS512"),
    variable("CLOCK_SKEW_SECONDS", "5"),
    variable("JWKS_TTL_SECONDS", "600"),
    variable("JWKS_COOLDOWN_SECONDS", "10"),
    variable("PROFILE_SOURCE", BY_PROVIDER),
    variable("EMAIL_CLAIM", BY_PROVIDER),
    variable("NAME_CLAIM", BY_PROVIDER),
    variable("PICTURE_CLAIM", BY_PROVIDER),
    variable("CLERK_API_URL", "https://api.clerk.com"),
    variable("WORKOS_API_URL", "https://api.workos.com"),
    variable("REQUIRE_VERIFIED_EMAIL", "true"),
    variable("PARTICIPANT_IDENTITY", "email"),
    variable("PARTICIPANT_DEVICES", "false"),
    variable("CLIENT_FIELDS", "room_name,participant_metadata,participant_attributes,room_config"),
    variable("MAX_TOKEN_BYTES", "6144"),
    variable("POLICY", "policy.toml"),
    variable("PRESENCE_COLOR", "stable"),
    variable(
        "PRESENCE_PALETTE",
        "#E74C3C,#8E44AD,#6C5CE7,#2E86AB,#1E3A8A,#059669,#D97706,#DC2626,#7C2D12,#92400E,#78350F,\
         #374151,#0D9488,#7C3AED,#5B21B6",
    ),
    variable("LIVEKIT_SECRET_ID", ""),
    variable("LIVEKIT_URL", ""),
    variable("LIVEKIT_API_KEY", ""),
    variable("LIVEKIT_API_SECRET", ""),
    variable("CLERK_SECRET_KEY", ""),
    variable("WORKOS_API_KEY", ""),
    variable("OIDC_HS256_SECRET", ""),
    variable("BACKEND_API_KEYS", ""),
    variable("LIVEBLOCKS_SECRET_KEY", ""),
    variable("LIVEBLOCKS_API_URL", "https://api.liveblocks.io"),
    variable("SECRET_TTL_SECONDS", "300"),
    variable("TOKEN_TTL_SECONDS", "600"),
    variable("BACKEND_TOKEN_TTL_SECONDS", "21600"),
    variable("ALLOWED_ORIGINS", ""),
    variable("SESSION_COOKIE", ""),
    variable("RUST_LOG", "info"),
];
