//! The base of all presets.

use crate::oidc::provider::{
    ClaimConstraint, ClaimRule, IssuerPattern, KeyLocation, ProfileSource, Provider,
};

/// `typ` of plain JWTs ([RFC 7519 §5.1](https://www.rfc-editor.org/rfc/rfc7519#section-5.1)).
pub(super) const JWT: &[&str] = &["jwt"];

/// `typ` of plain JWTs and of JWT access tokens
/// ([RFC 9068 §2.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.1)).
const JWT_OR_ACCESS_TOKEN: &[&str] = &["jwt", "at+jwt"];

/// Standard claims ([OIDC Core §5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims)).
pub(super) const EMAIL: (&str, &str) = ("email", "email_verified");

/// The key set is where discovery says.
pub(super) const DISCOVERY: &[(IssuerPattern, KeyLocation)] =
    &[(IssuerPattern::Any, KeyLocation::Discovery)];

/// The key set is below the issuer, at the most frequent path.
pub(super) const WELL_KNOWN: &[(IssuerPattern, KeyLocation)] =
    &[(IssuerPattern::Any, KeyLocation::At("{issuer}/.well-known/jwks.json"))];

/// The issuer does not tell where the key set is.
pub(super) const CONFIGURED: &[(IssuerPattern, KeyLocation)] =
    &[(IssuerPattern::Any, KeyLocation::Configured)];

/// Profiles are in the claims alone.
pub(super) const CLAIMS: &[ProfileSource] = &[ProfileSource::Claims];

pub(super) const fn rule(path: &'static str, constraint: ClaimConstraint) -> ClaimRule {
    ClaimRule { path, constraint }
}

/// The key set at one address.
pub(super) const fn at(address: &'static str) -> (IssuerPattern, KeyLocation) {
    (IssuerPattern::Any, KeyLocation::At(address))
}

/// Any OpenID Connect provider without a preset, and the conventions of providers without their own.
///
/// An ID token is issued to the client. With `OIDC_AUDIENCE` the audience tells it from an access token.
/// Without, claims that only ID tokens have do.
pub const GENERIC: Provider = Provider {
    name: "generic",
    issuers: &[],
    unsupported: &[],
    aliases: &[],
    keys: DISCOVERY,
    audience: &[],
    audience_conflict: None,
    types: JWT_OR_ACCESS_TOKEN,
    header: &[],
    claims: &[
        rule("nonce", ClaimConstraint::AbsentUnlessToldApart),
        rule("at_hash", ClaimConstraint::AbsentUnlessToldApart),
        rule("c_hash", ClaimConstraint::AbsentUnlessToldApart),
    ],
    userinfo_accepts: &[],
    emails: &[EMAIL],
    names: &["name"],
    pictures: &["picture"],
    sources: &[ProfileSource::Claims, ProfileSource::UserInfo],
    setup_hint: "request the scopes openid, email and profile, so that UserInfo answers with both",
};
