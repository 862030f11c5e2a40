//! Presets of services for an app's own users.

use super::generic::{CLAIMS, CONFIGURED, EMAIL, GENERIC, JWT, WELL_KNOWN, at, rule};
use crate::oidc::provider::{
    ClaimConstraint, DefaultAudience,
    IssuerPattern::{
        Any, Contains, Exact, FirstSegment, HostPrefix, HostSuffix, LastSegmentPrefix, Prefix,
        SegmentBeforeLast,
    },
    KeyLocation::{At, Configured},
    ProfileSource, Provider,
};

/// Clerk's session tokens. The instance's key also signs machine tokens (`mch_…`), tokens from JWT
/// templates and OAuth access tokens (`cat`, `typ`), and tokens of people who have not completed the
/// sign-in (`sts`); none of them is a person's session. There is no `aud`: `OIDC_AUTHORIZED_PARTIES`
/// lists `azp`, the origin of the page, and a token without it is rejected.
/// (@clerk/backend 3.25, `src/tokens/jwtCategories.ts`.)
pub(super) const CLERK: Provider = Provider {
    name: "clerk",
    issuers: &[HostSuffix(".clerk.accounts.dev"), HostPrefix("clerk.")],
    keys: WELL_KNOWN,
    types: JWT,
    header: &[rule("cat", ClaimConstraint::AbsentOrOneOf(&["cl_B7d4PD111AAA", "cl_I7d4PD111III"]))],
    claims: &[
        rule("sid", ClaimConstraint::Present),
        rule("sub", ClaimConstraint::NotPrefixed("mch_")),
        rule("sts", ClaimConstraint::AbsentOrOneOf(&["active"])),
    ],
    sources: &[ProfileSource::Claims, ProfileSource::Clerk],
    setup_hint: "put CLERK_SECRET_KEY into the secret, or add the claims email, email_verified and name to the session token (Configure, Sessions, Customize session token)",
    ..GENERIC
};

/// Firebase Authentication. The project, which ends the issuer, is the audience.
pub(super) const FIREBASE: Provider = Provider {
    name: "firebase",
    issuers: &[Prefix("https://securetoken.google.com/")],
    keys: &[at(
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
    )],
    audience: &[(Prefix("https://securetoken.google.com/"), DefaultAudience::LastSegment)],
    types: JWT,
    claims: &[rule("auth_time", ClaimConstraint::Present)],
    sources: CLAIMS,
    setup_hint: "anonymous and phone users have no email address: set PARTICIPANT_IDENTITY to sub for them",
    ..GENERIC
};

/// Supabase Auth. The project's anon and service keys are tokens too: only `authenticated` is a
/// person. People can write their own `user_metadata`, so its `email_verified` vouches for nothing.
/// Its name and picture are the person's own choice, as everywhere.
pub(super) const SUPABASE: Provider = Provider {
    name: "supabase",
    issuers: &[HostSuffix(".supabase.co")],
    keys: WELL_KNOWN,
    audience: &[(Contains("/auth/v1"), DefaultAudience::Audience("authenticated"))],
    types: JWT,
    claims: &[rule("role", ClaimConstraint::OneOf(&["authenticated"]))],
    names: &["name", "user_metadata.full_name", "user_metadata.name"],
    pictures: &["picture", "user_metadata.avatar_url", "user_metadata.picture"],
    sources: CLAIMS,
    setup_hint: "switch on Confirm email (Authentication, Sign In) and set REQUIRE_VERIFIED_EMAIL to false: every address is then confirmed before its first session",
    ..GENERIC
};

/// WorkOS AuthKit's session tokens. There is no `aud`: if the issuer's path names the client, issuer
/// and keys belong to that client alone.
pub(super) const WORKOS: Provider = Provider {
    name: "workos",
    issuers: &[Prefix("https://api.workos.com/user_management/")],
    unsupported: &[(
        Exact("https://api.workos.com"),
        "must name the client, in the form https://api.workos.com/user_management/client_…",
    )],
    keys: &[(LastSegmentPrefix("client_"), At("{origin}/sso/jwks/{last}")), (Any, Configured)],
    audience: &[(LastSegmentPrefix("client_"), DefaultAudience::Issuer)],
    types: JWT,
    claims: &[rule("sid", ClaimConstraint::Present)],
    sources: &[ProfileSource::Claims, ProfileSource::WorkOs],
    setup_hint: "put WORKOS_API_KEY into the secret, or add the claims in a JWT template",
    ..GENERIC
};

/// Better Auth's JWT plugin. The payload is the user's record, and the issuer the app's base URL.
pub(super) const BETTER_AUTH: Provider = Provider {
    name: "better-auth",
    keys: &[(SegmentBeforeLast("api"), At("{issuer}/jwks")), at("{issuer}/api/auth/jwks")],
    emails: &[("email", "emailVerified")],
    pictures: &["image", "picture"],
    sources: CLAIMS,
    setup_hint: "leave definePayload of the JWT plugin out, or return email, emailVerified, name and image from it",
    ..GENERIC
};

/// Stytch's session tokens, of which the tokens of machines are a look-alike. Live projects and test
/// projects have different hosts. The keys of B2B projects are at another path.
pub(super) const STYTCH: Provider = Provider {
    name: "stytch",
    keys: &[
        (LastSegmentPrefix("project-test-"), At("https://test.stytch.com/v1/sessions/jwks/{last}")),
        (FirstSegment("stytch.com"), At("https://api.stytch.com/v1/sessions/jwks/{last}")),
        at("{issuer}/.well-known/jwks.json"),
    ],
    types: JWT,
    claims: &[rule("https://stytch.com/session", ClaimConstraint::Present)],
    sources: CLAIMS,
    setup_hint: "add email, email_verified and name in a custom claim template (Custom claim templates), or set PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// Descope's session tokens. The project is the issuer or ends it. Refresh tokens differ in `drn`, and
/// the subject of an access key's token starts with `K`.
pub(super) const DESCOPE: Provider = Provider {
    name: "descope",
    keys: &[
        (Prefix("https://"), At("{origin}/v2/keys/{last}")),
        at("https://api.descope.com/v2/keys/{last}"),
    ],
    types: JWT,
    claims: &[
        rule("drn", ClaimConstraint::OneOf(&["DS"])),
        rule("sub", ClaimConstraint::NotPrefixed("K")),
    ],
    sources: CLAIMS,
    setup_hint: "add email, email_verified and name in a JWT template (Project settings, JWT templates), or set PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// SuperTokens' session tokens. Tokens of other kinds have another `stt`.
pub(super) const SUPERTOKENS: Provider = Provider {
    name: "supertokens",
    keys: &[at("{issuer}/jwt/jwks.json")],
    types: JWT,
    claims: &[rule("stt", ClaimConstraint::Zero)],
    emails: &[("email", "st-ev.v")],
    sources: CLAIMS,
    setup_hint: "add email and name to the access token's payload (override createNewSession) and use the EmailVerification recipe, or set PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// PropelAuth's access tokens, which have no audience and no `email_verified`.
pub(super) const PROPELAUTH: Provider = Provider {
    name: "propelauth",
    issuers: &[HostSuffix(".propelauthtest.com")],
    keys: WELL_KNOWN,
    types: JWT,
    sources: CLAIMS,
    setup_hint: "set REQUIRE_VERIFIED_EMAIL to false if PropelAuth confirms every address, or PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// Nhost's access tokens, with Hasura's claims. All projects have the same issuer by default: the keys
/// tell them apart.
pub(super) const NHOST: Provider = Provider {
    name: "nhost",
    keys: CONFIGURED,
    types: JWT,
    claims: &[rule("https://hasura.io/jwt/claims", ClaimConstraint::Present)],
    sources: CLAIMS,
    setup_hint: "set PARTICIPANT_IDENTITY to sub: the tokens have no email address",
    ..GENERIC
};

/// Hanko's session tokens, in which the address is an object.
pub(super) const HANKO: Provider = Provider {
    name: "hanko",
    issuers: &[HostSuffix(".hanko.io")],
    keys: WELL_KNOWN,
    types: JWT,
    emails: &[("email.address", "email.is_verified"), EMAIL],
    names: &["name", "username"],
    sources: CLAIMS,
    setup_hint: "passkey users may have no email address: set PARTICIPANT_IDENTITY to sub for them",
    ..GENERIC
};
