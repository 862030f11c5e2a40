//! Presets of identity servers that operators run on their own.

use super::generic::{CLAIMS, EMAIL, GENERIC, at, rule};
use crate::oidc::provider::{
    ClaimConstraint,
    IssuerPattern::{Contains, Except, HostSuffix, SegmentBeforeLast},
    Provider,
};

/// Keycloak. `aud` is `account` on a new realm; the client is `azp`. Refresh and ID tokens share the
/// key and say so in the claim `typ`. A service account has no session and, in a lightweight token, no
/// user name.
pub(super) const KEYCLOAK: Provider = Provider {
    name: "keycloak",
    issuers: &[Except(&SegmentBeforeLast("realms"), &Contains("/oauth2/"))],
    keys: &[at("{issuer}/protocol/openid-connect/certs")],
    claims: &[
        rule("typ", ClaimConstraint::OneOf(&["Bearer"])),
        rule("preferred_username", ClaimConstraint::NotPrefixed("service-account-")),
        rule("clientHost", ClaimConstraint::Absent),
        rule("clientAddress", ClaimConstraint::Absent),
        rule("sid", ClaimConstraint::PresentOrAnyOf(&["preferred_username"])),
    ],
    setup_hint: "give the client the scopes email and profile (Client scopes), and do not use lightweight access tokens",
    ..GENERIC
};

/// Zitadel. `aud` contains the project and its clients, in ID tokens too; access tokens contain neither
/// email nor name. The client id of a person's token ends with `@` and the project; that of a service
/// user is the user's name.
pub(super) const ZITADEL: Provider = Provider {
    name: "zitadel",
    issuers: &[HostSuffix(".zitadel.cloud")],
    keys: &[at("{issuer}/oauth/v2/keys")],
    claims: &[
        rule("nonce", ClaimConstraint::Absent),
        rule("at_hash", ClaimConstraint::Absent),
        rule("c_hash", ClaimConstraint::Absent),
        rule("auth_time", ClaimConstraint::Absent),
        rule("client_id", ClaimConstraint::SplitBy("@")),
    ],
    setup_hint: "request the scopes openid, email and profile, and set the application's token type to JWT",
    ..GENERIC
};

/// Ory: Hydra's access tokens, and Kratos' sessions as JWTs with the operator's own keys. A mapper's
/// claims may be below `ext`.
pub(super) const ORY: Provider = Provider {
    name: "ory",
    issuers: &[HostSuffix(".oryapis.com")],
    emails: &[EMAIL, ("ext.email", "ext.email_verified")],
    names: &["name", "ext.name"],
    pictures: &["picture", "ext.picture"],
    setup_hint: "add email and name to the access token in the consent step, or request openid, email and profile so that UserInfo answers",
    ..GENERIC
};

/// Casdoor. Access tokens contain the user's record, with `nonce`; refresh tokens differ in
/// `tokenType`.
pub(super) const CASDOOR: Provider = Provider {
    name: "casdoor",
    claims: &[
        rule("tokenType", ClaimConstraint::OneOf(&["access-token"])),
        rule("type", ClaimConstraint::NotPrefixed("application")),
    ],
    names: &["displayName", "name"],
    pictures: &["avatar", "picture"],
    sources: CLAIMS,
    setup_hint: "set the application's token format to JWT, which contains email, email_verified and displayName",
    ..GENERIC
};

/// authentik. Access tokens contain `nonce` and differ from ID tokens in `azp`. The user of client
/// credentials has a generated name.
pub(super) const AUTHENTIK: Provider = Provider {
    name: "authentik",
    issuers: &[Contains("/application/o/")],
    claims: &[
        rule("azp", ClaimConstraint::Present),
        rule("at_hash", ClaimConstraint::Absent),
        rule("c_hash", ClaimConstraint::Absent),
        rule("preferred_username", ClaimConstraint::NotSuffixed("-client_credentials")),
    ],
    setup_hint: "add the scopes email and profile to the provider's property mappings; the default mapping says that no address is verified",
    ..GENERIC
};
