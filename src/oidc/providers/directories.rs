//! Presets of workforce directories and cloud platforms.

use super::generic::{CLAIMS, CONFIGURED, GENERIC, JWT, WELL_KNOWN, at, rule};
use crate::oidc::provider::{
    ClaimConstraint, ClaimRule,
    IssuerPattern::{Any, Contains, Exact, Except, FirstSegment, HostPrefix, HostSuffix, Prefix},
    KeyLocation::At,
    Provider,
};

/// Auth0. The same key signs ID tokens, whose `aud` is the client: `OIDC_AUDIENCE` must be the API's
/// identifier. Email and name are in UserInfo, or in namespaced claims.
pub(super) const AUTH0: Provider = Provider {
    name: "auth0",
    issuers: &[HostSuffix(".auth0.com")],
    keys: WELL_KNOWN,
    claims: &[rule("sub", ClaimConstraint::NotSuffixed("@clients"))],
    setup_hint: "request the scopes openid, email and profile besides your API's audience, so that UserInfo answers with both; or add namespaced claims in a post-login Action",
    ..GENERIC
};

/// Amazon Cognito. Access tokens have no `aud`; `OIDC_AUTHORIZED_PARTIES` lists their `client_id`. ID
/// tokens contain email and name but are issued to the client: they are accepted only if
/// `OIDC_AUDIENCE` names that client.
pub(super) const COGNITO: Provider = Provider {
    name: "cognito",
    issuers: &[HostPrefix("cognito-idp.")],
    keys: WELL_KNOWN,
    audience_conflict: Some(
        "and OIDC_AUTHORIZED_PARTIES must not both be set for Cognito: its access tokens have no \
         audience, and its ID tokens no authorized party",
    ),
    types: JWT,
    claims: &[rule("token_use", ClaimConstraint::OneOrOtherIfToldApart("access", "id"))],
    userinfo_accepts: &[rule("token_use", ClaimConstraint::OneOf(&["access"]))],
    setup_hint: "sign in through the hosted pages with the scopes openid, email and profile, so that UserInfo answers; or send ID tokens and set OIDC_AUDIENCE to the client id",
    ..GENERIC
};

/// Okta's custom authorization servers. ID tokens of the same key have no `cid`.
pub(super) const OKTA: Provider = Provider {
    name: "okta",
    issuers: &[
        HostSuffix(".okta.com"),
        HostSuffix(".oktapreview.com"),
        HostSuffix(".okta-emea.com"),
    ],
    unsupported: &[(
        Except(&Prefix("https://"), &Contains("/oauth2/")),
        "must be a custom authorization server, such as /oauth2/default: only Okta can check the \
         access tokens of its organization server",
    )],
    keys: &[at("{issuer}/v1/keys")],
    claims: &[rule("cid", ClaimConstraint::Present)],
    setup_hint: "request the scopes openid, email and profile, so that UserInfo answers with both",
    ..GENERIC
};

const NO_TENANT: &str = "must contain the id of one tenant in its path";

/// Tokens of Microsoft's platforms without `scp` are ID tokens or an application's own.
const DELEGATED: &[ClaimRule] = &[
    rule("scp", ClaimConstraint::Present),
    rule("idtyp", ClaimConstraint::AbsentOrOneOf(&["user"])),
];

/// Microsoft Entra ID and Entra External ID, in each cloud. The API's manifest selects one of two forms
/// of the issuer. `email` is an optional claim that only `xms_edov` vouches for. UserInfo is Microsoft
/// Graph's and accepts no token of this API. Each cloud has its own keys.
pub(super) const ENTRA: Provider = Provider {
    name: "entra",
    issuers: &[
        Prefix("https://login.microsoftonline.com/"),
        Prefix("https://sts.windows.net/"),
        HostSuffix(".ciamlogin.com"),
        Prefix("https://login.microsoftonline.us/"),
        Prefix("https://login.partner.microsoftonline.cn/"),
        Prefix("https://login.chinacloudapi.cn/"),
        Prefix("https://sts.chinacloudapi.cn/"),
    ],
    unsupported: &[
        (FirstSegment("common"), NO_TENANT),
        (FirstSegment("organizations"), NO_TENANT),
        (FirstSegment("consumers"), NO_TENANT),
        (Contains("{"), NO_TENANT),
    ],
    keys: &[
        (
            Prefix("https://sts.windows.net/"),
            At("https://login.microsoftonline.com/{first}/discovery/v2.0/keys"),
        ),
        (
            Prefix("https://sts.chinacloudapi.cn/"),
            At("https://login.partner.microsoftonline.cn/{first}/discovery/v2.0/keys"),
        ),
        (Any, At("{origin}/{first}/discovery/v2.0/keys")),
    ],
    types: JWT,
    claims: DELEGATED,
    emails: &[("email", "xms_edov")],
    sources: CLAIMS,
    setup_hint: "add the optional claims email and xms_edov to the API's access tokens (Token configuration), or set PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// Azure AD B2C. The keys are below the user flow, which the issuer does not name. Addresses are a
/// list that no claim vouches for.
pub(super) const AZURE_B2C: Provider = Provider {
    name: "azure-b2c",
    issuers: &[HostSuffix(".b2clogin.com")],
    keys: CONFIGURED,
    types: JWT,
    claims: DELEGATED,
    emails: &[("emails.0", "emails_verified"), ("email", "email_verified")],
    sources: CLAIMS,
    setup_hint: "add Email Addresses and Display Name to the application claims of the user flow, and set REQUIRE_VERIFIED_EMAIL to false if every sign-up confirms its address; or set PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// AD FS. Issuer and discovery document differ, access tokens have no `sub`, and `x5t` names the key.
pub(super) const ADFS: Provider = Provider {
    name: "adfs",
    keys: CONFIGURED,
    types: JWT,
    sources: CLAIMS,
    setup_hint: "add issuance transform rules for upn, email and name to the API, and set SUBJECT_CLAIM to upn",
    ..GENERIC
};

/// Clients of Google have names of this form. Of a service account's token, `azp` is a number or an
/// address, and any service account can request a token for any audience.
const GOOGLE_CLIENT: ClaimRule =
    rule("azp", ClaimConstraint::AbsentOrSuffixed(".apps.googleusercontent.com"));

/// Not a service account's address.
const GOOGLE_PERSON: [ClaimRule; 2] = [
    rule("email", ClaimConstraint::NotSuffixed(".gserviceaccount.com")),
    rule("email", ClaimConstraint::NotSuffixed("@gserviceaccount.com")),
];

/// Google's ID tokens; its access tokens are not JWTs. `OIDC_AUDIENCE` is the client.
pub(super) const GOOGLE: Provider = Provider {
    name: "google",
    issuers: &[Exact("https://accounts.google.com"), Exact("accounts.google.com")],
    aliases: &[["https://accounts.google.com", "accounts.google.com"]],
    keys: &[at("https://www.googleapis.com/oauth2/v3/certs")],
    types: JWT,
    claims: &[GOOGLE_CLIENT, GOOGLE_PERSON[0], GOOGLE_PERSON[1]],
    sources: CLAIMS,
    setup_hint: "request the scopes email and profile",
    ..GENERIC
};

/// Google Cloud Identity-Aware Proxy, which puts its own token into the header
/// `X-Goog-IAP-JWT-Assertion`. Service accounts can pass the proxy as well.
pub(super) const GOOGLE_IAP: Provider = Provider {
    name: "google-iap",
    issuers: &[Exact("https://cloud.google.com/iap")],
    keys: &[at("https://www.gstatic.com/iap/verify/public_key-jwk")],
    types: JWT,
    claims: &GOOGLE_PERSON,
    sources: CLAIMS,
    setup_hint: "set REQUIRE_VERIFIED_EMAIL to false if only accounts of your organization can pass the proxy, or PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// Cloudflare Access, which puts its own token into the header `Cf-Access-Jwt-Assertion`. The token of
/// the organization has the type `org`, and that of a service has `common_name` and an empty `sub`.
pub(super) const CLOUDFLARE_ACCESS: Provider = Provider {
    name: "cloudflare-access",
    issuers: &[HostSuffix(".cloudflareaccess.com")],
    keys: &[at("{issuer}/cdn-cgi/access/certs")],
    types: JWT,
    claims: &[
        rule("type", ClaimConstraint::OneOf(&["app"])),
        rule("common_name", ClaimConstraint::Absent),
    ],
    sources: CLAIMS,
    setup_hint: "set REQUIRE_VERIFIED_EMAIL to false if every identity provider of Access verifies addresses, or PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};
