//! All presets. `docs/identity-providers.md` describes the settings and the trap of each.

mod apps;
mod directories;
mod generic;
mod servers;

use super::provider::Provider;
pub use generic::GENERIC;

/// All presets, in the order in which they are tried for an issuer.
pub static PROVIDERS: &[&Provider] = &[
    &apps::CLERK,
    &directories::AUTH0,
    &directories::COGNITO,
    &directories::OKTA,
    &directories::ENTRA,
    &directories::GOOGLE,
    &apps::FIREBASE,
    &apps::SUPABASE,
    &servers::KEYCLOAK,
    &apps::WORKOS,
    &servers::ZITADEL,
    &servers::ORY,
    &apps::BETTER_AUTH,
    &apps::STYTCH,
    &apps::DESCOPE,
    &apps::SUPERTOKENS,
    &apps::PROPELAUTH,
    &apps::NHOST,
    &apps::HANKO,
    &servers::CASDOOR,
    &directories::CLOUDFLARE_ACCESS,
    &directories::GOOGLE_IAP,
    &servers::AUTHENTIK,
    &directories::AZURE_B2C,
    &directories::ADFS,
    &GENERIC,
];

/// Issuers that serve the applications of many organizations: none can be dedicated to one.
static SHARED_ISSUERS: &[&str] = &[
    "https://accounts.google.com",
    "accounts.google.com",
    "https://cloud.google.com/iap",
    "https://appleid.apple.com",
    "https://access.line.me",
    "https://gitlab.com",
    "https://www.linkedin.com/oauth",
    "https://www.facebook.com",
    "https://token.actions.githubusercontent.com",
];

/// Returns the preset with this name.
pub fn by_name(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.name == name).copied()
}

/// Returns the preset that recognizes `issuer`, or [`GENERIC`].
pub fn recognize(issuer: &str) -> &'static Provider {
    PROVIDERS.iter().find(|provider| provider.recognizes(issuer)).copied().unwrap_or(&GENERIC)
}

/// Whether `issuer` serves the applications of many organizations.
pub fn is_shared(issuer: &str) -> bool {
    SHARED_ISSUERS.contains(&issuer.strip_suffix('/').unwrap_or(issuer))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oidc::provider::NoKeyLocation;

    #[test]
    fn issuer_is_recognized_by_its_form() {
        let rows = [
            ("https://intent-boa-99.clerk.accounts.dev", "clerk"),
            ("https://clerk.app.example", "clerk"),
            ("https://tenant.eu.auth0.com/", "auth0"),
            ("https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC", "cognito"),
            ("https://org.okta.com/oauth2/default", "okta"),
            ("https://login.microsoftonline.com/9188040d/v2.0", "entra"),
            ("https://sts.windows.net/9188040d/", "entra"),
            ("https://contoso.ciamlogin.com/9188040d/v2.0", "entra"),
            ("https://login.microsoftonline.us/9188040d/v2.0", "entra"),
            ("https://login.partner.microsoftonline.cn/9188040d/v2.0", "entra"),
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
            ("https://1234.propelauthtest.com", "propelauth"),
            ("https://1234.hanko.io", "hanko"),
            ("https://team.cloudflareaccess.com", "cloudflare-access"),
            ("https://cloud.google.com/iap", "google-iap"),
            ("https://id.example/application/o/meet/", "authentik"),
            ("https://contoso.b2clogin.com/9188040d/v2.0/", "azure-b2c"),
            ("https://idp.example", "generic"),
            ("https://am.example/am/oauth2/realms/root/realms/alpha", "generic"),
            ("https://sso.example/realms/main/x", "generic"),
            ("https://sso.example/realms/", "generic"),
            ("https://auth0.com.idp.example/", "generic"),
            ("https://notauth0.com/", "generic"),
            ("http://tenant.auth0.com/", "generic"),
            ("https://tenant.auth0.com@idp.example/", "generic"),
            ("https://ciamlogin.com.idp.example/t/v2.0", "generic"),
            ("https://login.microsoftonline.us.idp.example/t/v2.0", "generic"),
            ("https://cloud.google.com/iap2", "generic"),
        ];
        for (issuer, expected) in rows {
            assert_eq!(recognize(issuer).name, expected, "{issuer}");
        }
    }

    #[test]
    fn key_location_follows_from_the_issuer() {
        let url = |address: &str| Ok(Some(address.to_owned()));
        #[rustfmt::skip]
        let rows = [
            ("clerk", "https://clerk.app.example", url("https://clerk.app.example/.well-known/jwks.json")),
            ("auth0", "https://tenant.auth0.com/", url("https://tenant.auth0.com/.well-known/jwks.json")),
            ("entra", "https://login.microsoftonline.com/t1/v2.0", url("https://login.microsoftonline.com/t1/discovery/v2.0/keys")),
            ("entra", "https://sts.windows.net/t1/", url("https://login.microsoftonline.com/t1/discovery/v2.0/keys")),
            ("entra", "https://contoso.ciamlogin.com/t1/v2.0", url("https://contoso.ciamlogin.com/t1/discovery/v2.0/keys")),
            ("entra", "https://login.microsoftonline.us/t1/v2.0", url("https://login.microsoftonline.us/t1/discovery/v2.0/keys")),
            ("entra", "https://login.partner.microsoftonline.cn/t1/v2.0", url("https://login.partner.microsoftonline.cn/t1/discovery/v2.0/keys")),
            ("workos", "https://api.workos.com/user_management/client_1", url("https://api.workos.com/sso/jwks/client_1")),
            ("workos", "https://auth.example/user_management/client_1", url("https://auth.example/sso/jwks/client_1")),
            ("workos", "https://auth.example", Err(NoKeyLocation)),
            ("workos", "https://auth.example/user_management/client_", Err(NoKeyLocation)),
            ("better-auth", "https://app.example", url("https://app.example/api/auth/jwks")),
            ("better-auth", "https://app.example/api/auth", url("https://app.example/api/auth/jwks")),
            ("stytch", "stytch.com/project-live-1", url("https://api.stytch.com/v1/sessions/jwks/project-live-1")),
            ("stytch", "stytch.com/project-test-1", url("https://test.stytch.com/v1/sessions/jwks/project-test-1")),
            ("stytch", "https://login.example", url("https://login.example/.well-known/jwks.json")),
            ("descope", "P2abc", url("https://api.descope.com/v2/keys/P2abc")),
            ("descope", "https://api.descope.com/P2abc", url("https://api.descope.com/v2/keys/P2abc")),
            ("descope", "https://api.euc1.descope.com/v1/apps/P2abc", url("https://api.euc1.descope.com/v2/keys/P2abc")),
            ("supertokens", "https://api.example/auth", url("https://api.example/auth/jwt/jwks.json")),
            ("propelauth", "https://auth.example", url("https://auth.example/.well-known/jwks.json")),
            ("hanko", "https://hanko.example", url("https://hanko.example/.well-known/jwks.json")),
            ("cloudflare-access", "https://team.cloudflareaccess.com", url("https://team.cloudflareaccess.com/cdn-cgi/access/certs")),
            ("google-iap", "https://cloud.google.com/iap", url("https://www.gstatic.com/iap/verify/public_key-jwk")),
            ("keycloak", "https://sso.example/realms/main", url("https://sso.example/realms/main/protocol/openid-connect/certs")),
            ("casdoor", "https://casdoor.example", Ok(None)),
            ("authentik", "https://id.example/application/o/meet/", Ok(None)),
            ("generic", "https://idp.example", Ok(None)),
            ("azure-b2c", "https://contoso.b2clogin.com/t1/v2.0/", Err(NoKeyLocation)),
            ("adfs", "http://adfs.example/adfs/services/trust", Err(NoKeyLocation)),
            ("nhost", "hasura-auth", Err(NoKeyLocation)),
        ];
        for (provider, issuer, expected) in rows {
            assert_eq!(by_name(provider).unwrap().key_location(issuer), expected, "{issuer}");
        }
    }

    #[test]
    fn default_audience_needs_an_issuer_of_the_providers_form() {
        let list = |audience: &str| Some(vec![audience.to_owned()]);
        #[rustfmt::skip]
        let rows = [
            ("firebase", "https://securetoken.google.com/project-1", list("project-1")),
            ("firebase", "https://securetoken.google.com/", None),
            ("firebase", "https://idp.example/project-1", None),
            ("supabase", "https://abcdefgh.supabase.co/auth/v1", list("authenticated")),
            ("supabase", "http://127.0.0.1:54321/auth/v1", list("authenticated")),
            ("supabase", "https://idp.example", None),
            ("workos", "https://api.workos.com/user_management/client_1", Some(vec![])),
            ("workos", "https://api.workos.com/user_management/", None),
            ("workos", "https://idp.example", None),
            ("workos", "hasura-auth", None),
        ];
        for (provider, issuer, expected) in rows {
            assert_eq!(by_name(provider).unwrap().default_audiences(issuer), expected, "{issuer}");
        }
        let without = PROVIDERS.iter().filter(|provider| provider.audience.is_empty());
        assert_eq!(without.count(), PROVIDERS.len() - 3, "no other preset decides the audience");
    }

    #[test]
    fn names_of_presets_are_unique() {
        for (place, provider) in PROVIDERS.iter().enumerate() {
            let first = PROVIDERS.iter().position(|other| other.name == provider.name);
            assert_eq!(first, Some(place), "{}", provider.name);
        }
    }

    #[test]
    fn userinfo_of_cognito_accepts_access_tokens_only() {
        let claims = |token_use: &str| {
            serde_json::Map::from_iter([("token_use".to_owned(), json!(token_use))])
        };
        let cognito = by_name("cognito").unwrap();
        assert!(cognito.has_userinfo_for(&claims("access")));
        assert!(!cognito.has_userinfo_for(&claims("id")));
        assert!(GENERIC.has_userinfo_for(&claims("id")));
    }

    /// A preset adds conditions to those of every token.
    #[test]
    fn preset_accepts_and_rejects_by_its_claims() {
        let person = "1@acme.example";
        let robot = "robot@acme.iam.gserviceaccount.com";
        let client = "1-a.apps.googleusercontent.com";
        #[rustfmt::skip]
        let rows: &[(&str, Value, bool)] = &[
            ("google", json!({ "azp": client, "email": person }), true),
            ("google", json!({ "email": person }), true),
            ("google", json!({ "azp": "1137", "email": person }), false),
            ("google", json!({ "azp": "apps.googleusercontent.com" }), false),
            ("google", json!({ "azp": [client] }), false),
            ("google", json!({ "azp": client, "email": robot }), false),
            ("google", json!({ "azp": client, "email": robot.to_uppercase() }), false),
            ("google", json!({ "azp": client, "email": "a@gserviceaccount.com" }), false),
            ("google", json!({ "azp": client, "email": "a@notgserviceaccount.com" }), true),
            ("google-iap", json!({ "email": robot }), false),
            ("google-iap", json!({ "email": person, "azp": "/projects/1" }), true),
            ("zitadel", json!({ "client_id": "1@meet" }), true),
            ("zitadel", json!({ "client_id": "service" }), false),
            ("zitadel", json!({ "client_id": "@meet" }), false),
            ("zitadel", json!({}), false),
            ("keycloak", json!({ "typ": "Bearer", "sid": "s" }), true),
            ("keycloak", json!({ "typ": "Bearer", "preferred_username": "ada" }), true),
            ("keycloak", json!({ "typ": "Bearer" }), false),
            ("keycloak", json!({ "typ": "Bearer", "sid": "", "preferred_username": null }), false),
            ("keycloak", json!({ "typ": "bearer", "sid": "s" }), false),
            ("azure-b2c", json!({ "scp": "join" }), true),
            ("azure-b2c", json!({ "scp": "" }), false),
            ("azure-b2c", json!({}), false),
            ("entra", json!({ "scp": "access", "idtyp": "user" }), true),
            ("entra", json!({ "scp": null }), false),
            ("entra", json!({ "scp": "access", "idtyp": "app" }), false),
            ("supertokens", json!({ "stt": 0 }), true),
            ("supertokens", json!({ "stt": 1 }), false),
            ("supertokens", json!({}), false),
            ("descope", json!({ "drn": "DS", "sub": "U2" }), true),
            ("descope", json!({ "drn": "DS", "sub": "K2" }), false),
            ("descope", json!({ "sub": "U2" }), false),
            ("stytch", json!({ "https://stytch.com/session": { "id": "s" } }), true),
            ("stytch", json!({ "https://stytch.com/session": {} }), false),
            ("stytch", json!({}), false),
            ("cloudflare-access", json!({ "type": "app" }), true),
            ("cloudflare-access", json!({ "type": "org" }), false),
            ("cloudflare-access", json!({ "type": "app", "common_name": "x.access" }), false),
            ("casdoor", json!({ "tokenType": "access-token", "type": "normal-user", "nonce": "n" }), true),
            ("casdoor", json!({ "tokenType": "refresh-token" }), false),
            ("casdoor", json!({ "tokenType": "access-token", "type": "application" }), false),
            ("authentik", json!({ "azp": "c", "nonce": "n" }), true),
            ("authentik", json!({ "nonce": "n" }), false),
            ("authentik", json!({ "azp": "c", "at_hash": "h" }), false),
            ("authentik", json!({ "azp": "c", "preferred_username": "ak-Meet-client_credentials" }), false),
            ("nhost", json!({ "https://hasura.io/jwt/claims": { "x-hasura-user-id": "u" } }), true),
            ("nhost", json!({ "https://hasura.io/jwt/claims": null }), false),
        ];
        for (name, claims, expected) in rows {
            let provider = by_name(name).unwrap();
            let outcome = provider.check_claims(claims.as_object().unwrap(), false);
            assert_eq!(outcome.is_ok(), *expected, "{name} {claims}: {outcome:?}");
        }
    }
}
