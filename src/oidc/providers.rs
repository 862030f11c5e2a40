//! The providers that are known by name. Adding one is adding a row; `docs/identity-providers.md`
//! says for each what to set, and what its trap is.

use super::provider::IssuerPattern::{
    Contains, Exact, Except, FirstSegment, HostPrefix, HostSuffix, Prefix,
};
use super::provider::{
    ClaimConstraint, ClaimRule, DefaultAudience, KeyLocation, ProfileSource, Provider,
};

/// `typ` of plain JWTs ([RFC 7519 §5.1](https://www.rfc-editor.org/rfc/rfc7519#section-5.1)).
const JWT: &[&str] = &["jwt"];

/// `typ` of plain JWTs and of JWT access tokens
/// ([RFC 9068 §2.1](https://www.rfc-editor.org/rfc/rfc9068#section-2.1)).
const JWT_OR_ACCESS_TOKEN: &[&str] = &["jwt", "at+jwt"];

/// Standard claims ([OIDC Core §5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims)).
const EMAIL: (&str, &str) = ("email", "email_verified");

const fn rule(path: &'static str, constraint: ClaimConstraint) -> ClaimRule {
    ClaimRule { path, constraint }
}

/// A person is nobody's client.
const NOT_A_MACHINE: ClaimRule =
    rule("sub", ClaimConstraint::DiffersFrom(&["client_id", "azp", "cid"]));

/// Any provider that speaks OpenID Connect, and the habits of those that have none of their own.
///
/// An ID token is made for the client, not for us. Where `OIDC_AUDIENCE` names us the audience tells
/// them apart; where only the client is checked, claims that only ID tokens have do.
pub const GENERIC: Provider = Provider {
    name: "generic",
    issuers: &[],
    unsupported: &[],
    aliases: &[],
    keys: KeyLocation::Discovery,
    audience: DefaultAudience::None,
    audience_conflict: None,
    types: JWT_OR_ACCESS_TOKEN,
    header: &[],
    claims: &[
        rule("nonce", ClaimConstraint::AbsentWithoutAudience),
        rule("at_hash", ClaimConstraint::AbsentWithoutAudience),
        rule("c_hash", ClaimConstraint::AbsentWithoutAudience),
    ],
    userinfo_takes: &[],
    emails: &[EMAIL],
    names: &["name"],
    pictures: &["picture"],
    sources: &[ProfileSource::Claims, ProfileSource::UserInfo],
    setup_hint: "request the scopes openid, email and profile, so that UserInfo answers with both",
};

/// Clerk's session tokens. The instance's key also signs machine tokens (`mch_…`), tokens from JWT
/// templates and OAuth access tokens (`cat`, `typ`), and tokens of people who have yet to finish
/// signing in (`sts`); none of them is a person's session. There is no `aud`: `azp`, the origin of
/// the page, is what `OIDC_AUTHORIZED_PARTIES` lists, and a token without it is then refused.
/// (@clerk/backend 3.25, `src/tokens/jwtCategories.ts`.)
const CLERK: Provider = Provider {
    name: "clerk",
    issuers: &[HostSuffix(".clerk.accounts.dev"), HostPrefix("clerk.")],
    keys: KeyLocation::Behind("/.well-known/jwks.json"),
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

/// Auth0. The same key signs ID tokens, whose `aud` is the client: `OIDC_AUDIENCE` must be the API's
/// identifier. Email and name are in UserInfo, or in namespaced claims of one's own.
const AUTH0: Provider = Provider {
    name: "auth0",
    issuers: &[HostSuffix(".auth0.com")],
    keys: KeyLocation::Behind("/.well-known/jwks.json"),
    claims: &[
        rule("gty", ClaimConstraint::NotPrefixed("client-credentials")),
        rule("sub", ClaimConstraint::NotSuffixed("@clients")),
        NOT_A_MACHINE,
    ],
    setup_hint: "request the scopes openid, email and profile besides your API's audience, so that UserInfo answers with both; or add namespaced claims in a post-login Action",
    ..GENERIC
};

/// Amazon Cognito. Access tokens have no `aud`; their `client_id` is what `OIDC_AUTHORIZED_PARTIES`
/// lists. ID tokens hold email and name but are the client's: they are taken only where
/// `OIDC_AUDIENCE` names that client.
const COGNITO: Provider = Provider {
    name: "cognito",
    issuers: &[HostPrefix("cognito-idp.")],
    keys: KeyLocation::Behind("/.well-known/jwks.json"),
    audience_conflict: Some(
        "and OIDC_AUTHORIZED_PARTIES cannot both be set for Cognito: its access tokens have no \
         audience, and its ID tokens no authorized party",
    ),
    types: JWT,
    claims: &[
        rule("token_use", ClaimConstraint::OneOrOtherWithAudience("access", "id")),
        NOT_A_MACHINE,
    ],
    userinfo_takes: &[rule("token_use", ClaimConstraint::OneOf(&["access"]))],
    setup_hint: "sign in through the hosted pages with the scopes openid, email and profile, so that UserInfo answers; or send ID tokens and set OIDC_AUDIENCE to the client id",
    ..GENERIC
};

/// Okta's custom authorization servers. ID tokens of the same key have no `cid`.
const OKTA: Provider = Provider {
    name: "okta",
    issuers: &[
        HostSuffix(".okta.com"),
        HostSuffix(".oktapreview.com"),
        HostSuffix(".okta-emea.com"),
    ],
    unsupported: &[(
        Except(&Prefix("https://"), &Contains("/oauth2/")),
        "is Okta's organization server, whose access tokens only Okta can check: use a custom \
         authorization server, such as /oauth2/default",
    )],
    keys: KeyLocation::Behind("/v1/keys"),
    claims: &[rule("cid", ClaimConstraint::Present), NOT_A_MACHINE],
    setup_hint: "request the scopes openid, email and profile, so that UserInfo answers with both",
    ..GENERIC
};

const NO_TENANT: &str = "is not a tenant's: put the tenant's id into its path";

/// Microsoft Entra ID. The API's manifest decides between the issuer's two forms. Tokens without
/// `scp` are ID tokens or an application's own. `email` is an optional claim that nobody vouches for
/// except through `xms_edov`; UserInfo is Graph's and takes no token of ours.
const ENTRA: Provider = Provider {
    name: "entra",
    issuers: &[Prefix("https://login.microsoftonline.com/"), Prefix("https://sts.windows.net/")],
    unsupported: &[
        (FirstSegment("common"), NO_TENANT),
        (FirstSegment("organizations"), NO_TENANT),
        (FirstSegment("consumers"), NO_TENANT),
        (Contains("{"), NO_TENANT),
    ],
    keys: KeyLocation::At("https://login.microsoftonline.com/{first}/discovery/v2.0/keys"),
    types: JWT,
    claims: &[
        rule("scp", ClaimConstraint::Present),
        rule("idtyp", ClaimConstraint::AbsentOrOneOf(&["user"])),
    ],
    emails: &[("email", "xms_edov")],
    sources: &[ProfileSource::Claims],
    setup_hint: "add the optional claims email and xms_edov to the API's access tokens (Token configuration), or set PARTICIPANT_IDENTITY to sub",
    ..GENERIC
};

/// Google's ID tokens; its access tokens are no JWTs. `OIDC_AUDIENCE` is the client.
const GOOGLE: Provider = Provider {
    name: "google",
    issuers: &[Exact("https://accounts.google.com"), Exact("accounts.google.com")],
    aliases: &[["https://accounts.google.com", "accounts.google.com"]],
    keys: KeyLocation::At("https://www.googleapis.com/oauth2/v3/certs"),
    types: JWT,
    claims: &[],
    sources: &[ProfileSource::Claims],
    setup_hint: "request the scopes email and profile",
    ..GENERIC
};

/// Firebase Authentication. The project, which ends the issuer, is the audience.
const FIREBASE: Provider = Provider {
    name: "firebase",
    issuers: &[Prefix("https://securetoken.google.com/")],
    keys: KeyLocation::At(
        "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
    ),
    audience: DefaultAudience::LastSegment,
    types: JWT,
    claims: &[rule("auth_time", ClaimConstraint::Present)],
    sources: &[ProfileSource::Claims],
    setup_hint: "anonymous and phone users have no email address: set PARTICIPANT_IDENTITY to sub for them",
    ..GENERIC
};

/// Supabase Auth. The project's anon and service keys are tokens too: only `authenticated` is a
/// person. People can write their own `user_metadata`, so its `email_verified` vouches for nothing;
/// its name and picture are as good as any that a person chooses.
const SUPABASE: Provider = Provider {
    name: "supabase",
    issuers: &[HostSuffix(".supabase.co")],
    keys: KeyLocation::Behind("/.well-known/jwks.json"),
    audience: DefaultAudience::Audience("authenticated"),
    types: JWT,
    claims: &[rule("role", ClaimConstraint::OneOf(&["authenticated"]))],
    names: &["name", "user_metadata.full_name", "user_metadata.name"],
    pictures: &["picture", "user_metadata.avatar_url", "user_metadata.picture"],
    sources: &[ProfileSource::Claims],
    setup_hint: "switch on Confirm email (Authentication, Sign In) and set REQUIRE_VERIFIED_EMAIL to false: every address is then confirmed before its first session",
    ..GENERIC
};

/// Keycloak. `aud` is `account` on a new realm; the client is `azp`. Refresh and ID tokens share the
/// key and say so in the claim `typ`.
const KEYCLOAK: Provider = Provider {
    name: "keycloak",
    issuers: &[Contains("/realms/")],
    keys: KeyLocation::Behind("/protocol/openid-connect/certs"),
    claims: &[
        rule("typ", ClaimConstraint::OneOf(&["Bearer"])),
        rule("preferred_username", ClaimConstraint::NotPrefixed("service-account-")),
        rule("clientHost", ClaimConstraint::Absent),
        rule("clientAddress", ClaimConstraint::Absent),
    ],
    setup_hint: "give the client the scopes email and profile (Client scopes), and do not use lightweight access tokens",
    ..GENERIC
};

/// WorkOS AuthKit's session tokens. There is no `aud`; issuer and keys are the client's own.
const WORKOS: Provider = Provider {
    name: "workos",
    issuers: &[Prefix("https://api.workos.com/user_management/")],
    unsupported: &[(
        Exact("https://api.workos.com"),
        "does not name the client: use the form https://api.workos.com/user_management/client_…",
    )],
    keys: KeyLocation::At("https://api.workos.com/sso/jwks/{last}"),
    audience: DefaultAudience::Issuer,
    types: JWT,
    claims: &[rule("sid", ClaimConstraint::Present)],
    sources: &[ProfileSource::Claims, ProfileSource::WorkOs],
    setup_hint: "put WORKOS_API_KEY into the secret, or add the claims in a JWT template",
    ..GENERIC
};

/// Zitadel. `aud` holds the project and its clients, in ID tokens too; access tokens hold neither email
/// nor name.
const ZITADEL: Provider = Provider {
    name: "zitadel",
    issuers: &[HostSuffix(".zitadel.cloud")],
    keys: KeyLocation::Behind("/oauth/v2/keys"),
    claims: &[
        rule("nonce", ClaimConstraint::Absent),
        rule("at_hash", ClaimConstraint::Absent),
        rule("c_hash", ClaimConstraint::Absent),
        rule("auth_time", ClaimConstraint::Absent),
        NOT_A_MACHINE,
    ],
    setup_hint: "request the scopes openid, email and profile, and set the application's token type to JWT",
    ..GENERIC
};

/// Ory: Hydra's access tokens, and Kratos' sessions as JWTs, whose keys are the operator's own. A
/// mapper's claims may stand under `ext`.
const ORY: Provider = Provider {
    name: "ory",
    issuers: &[HostSuffix(".oryapis.com")],
    emails: &[EMAIL, ("ext.email", "ext.email_verified")],
    names: &["name", "ext.name"],
    pictures: &["picture", "ext.picture"],
    setup_hint: "add email and name to the access token in the consent step, or request openid, email and profile so that UserInfo answers",
    ..GENERIC
};

/// All of them; the first that recognizes an issuer has it.
pub static PROVIDERS: &[&Provider] = &[
    &CLERK, &AUTH0, &COGNITO, &OKTA, &ENTRA, &GOOGLE, &FIREBASE, &SUPABASE, &KEYCLOAK, &WORKOS,
    &ZITADEL, &ORY, &GENERIC,
];

/// The provider that `OIDC_PROVIDER` names.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name).copied()
}

/// The provider whose issuer it is; generic where none is recognized.
#[must_use]
pub fn recognize(issuer: &str) -> &'static Provider {
    let known = PROVIDERS.iter().find(|provider| {
        provider.issuers.iter().any(|form| form.matches(issuer))
            || provider
                .unsupported
                .iter()
                .any(|(form, _)| matches!(form, Exact(_)) && form.matches(issuer))
    });
    known.copied().unwrap_or(&GENERIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_issuers() {
        let rows = [
            ("https://intent-boa-99.clerk.accounts.dev", "clerk"),
            ("https://clerk.app.example", "clerk"),
            ("https://tenant.eu.auth0.com/", "auth0"),
            ("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC", "cognito"),
            ("https://org.okta.com/oauth2/default", "okta"),
            ("https://login.microsoftonline.com/9188040d/v2.0", "entra"),
            ("https://sts.windows.net/9188040d/", "entra"),
            ("https://accounts.google.com", "google"),
            ("accounts.google.com", "google"),
            ("https://securetoken.google.com/project-1", "firebase"),
            ("https://abcdefgh.supabase.co/auth/v1", "supabase"),
            ("https://sso.example/realms/main", "keycloak"),
            ("https://sso.example/auth/realms/main", "keycloak"),
            ("https://api.workos.com/user_management/client_1", "workos"),
            ("https://api.workos.com", "workos"),
            ("https://x.zitadel.cloud", "zitadel"),
            ("https://slug.projects.oryapis.com", "ory"),
            ("https://idp.example", "generic"),
            ("https://auth0.com.idp.example/", "generic"),
            ("https://notauth0.com/", "generic"),
            ("http://tenant.auth0.com/", "generic"),
            ("https://tenant.auth0.com@idp.example/", "generic"),
        ];
        for (issuer, expected) in rows {
            assert_eq!(recognize(issuer).name, expected, "{issuer}");
        }
    }

    #[test]
    fn finds_keys() {
        let rows = [
            ("https://clerk.app.example", Some("https://clerk.app.example/.well-known/jwks.json")),
            ("https://tenant.auth0.com/", Some("https://tenant.auth0.com/.well-known/jwks.json")),
            (
                "https://sts.windows.net/9188040d/",
                Some("https://login.microsoftonline.com/9188040d/discovery/v2.0/keys"),
            ),
            (
                "https://api.workos.com/user_management/client_1",
                Some("https://api.workos.com/sso/jwks/client_1"),
            ),
            ("https://idp.example", None),
        ];
        for (issuer, expected) in rows {
            assert_eq!(recognize(issuer).keys_of(issuer).as_deref(), expected, "{issuer}");
        }
    }
    #[test]
    fn userinfo_is_asked_with_access_tokens_only() {
        let claims = |token_use: &str| {
            serde_json::Map::from_iter([("token_use".to_owned(), serde_json::json!(token_use))])
        };
        assert!(COGNITO.has_userinfo_for(&claims("access")));
        assert!(!COGNITO.has_userinfo_for(&claims("id")));
        assert!(GENERIC.has_userinfo_for(&claims("id")));
    }

    #[test]
    fn a_kind_is_one_or_with_an_audience_the_other() {
        let kind = |token_use: &str, has_audience| {
            let claims = serde_json::json!({ "token_use": token_use, "sub": "a" });
            COGNITO.check_kind(claims.as_object().unwrap(), has_audience).is_ok()
        };
        let rows = [
            ("access", false, true),
            ("access", true, true),
            ("id", true, true),
            ("id", false, false),
            ("refresh", true, false),
            ("", true, false),
        ];
        for (token_use, has_audience, expected) in rows {
            assert_eq!(kind(token_use, has_audience), expected, "{token_use} {has_audience}");
        }
    }
    #[test]
    fn what_must_be_there_is_not_empty() {
        for (scp, expected) in [("access", true), ("", false)] {
            let claims = serde_json::json!({ "scp": scp });
            let checked = ENTRA.check_kind(claims.as_object().unwrap(), true);
            assert_eq!(checked.is_ok(), expected, "{scp}");
        }
        let null = serde_json::json!({ "scp": null });
        assert!(ENTRA.check_kind(null.as_object().unwrap(), true).is_err());
    }
}
