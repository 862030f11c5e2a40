//! A customer of each identity provider: a deployment that accepts their tokens, and a token as
//! that provider issues it.

use serde_json::{Value, json};

use super::app::Env;
use super::keys::Key;
use super::tokens::{NOW, merge};

/// The id of the tenant at Entra.
const DIRECTORY: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// An account at a provider.
pub(crate) struct Tenant {
    pub(crate) provider: &'static str,
    pub(crate) issuer: &'static str,
    /// The variables besides the issuer.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// The identity and the name of the token's subject.
    pub(crate) person: (&'static str, &'static str),
    header: Value,
    claims: Value,
}

impl Tenant {
    /// The deployment that the provider's page in the documentation describes, without a network.
    pub(crate) fn env(&self) -> Env {
        self.bare_env().with_all(self.variables)
    }

    /// The deployment with only the issuer.
    pub(crate) fn bare_env(&self) -> Env {
        Env::offline().without("OIDC_AUDIENCE").with("OIDC_ISSUER", self.issuer)
    }

    /// The token with its claims changed.
    pub(crate) fn token(&self, change: &Value) -> String {
        self.token_with(&json!({}), change)
    }

    /// The token with its header and its claims changed.
    pub(crate) fn token_with(&self, header: &Value, change: &Value) -> String {
        let dates = json!({ "iss": self.issuer, "iat": NOW - 5, "exp": NOW + 300 });
        let claims = merge(merge(dates, &self.claims), change);
        let key = Key::rsa();
        let own = merge(key.header(), &self.header);
        key.sign(&merge(own, header), &claims)
    }

    /// The tenant of that provider.
    pub(crate) fn of(provider: &str) -> Self {
        let found = Self::all().into_iter().find(|tenant| tenant.provider == provider);
        found.unwrap_or_else(|| panic!("no tenant of {provider}"))
    }

    /// One of each.
    pub(crate) fn all() -> Vec<Self> {
        [workforce(), customers(), own_servers()].into_iter().flatten().collect()
    }
}

const SUB: (&str, &str) = ("PARTICIPANT_IDENTITY", "sub");

fn workforce() -> Vec<Tenant> {
    let directory = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    vec![
        Tenant {
            provider: "auth0",
            issuer: "https://acme.eu.auth0.com/",
            variables: &[("OIDC_AUDIENCE", "https://meet.example"), SUB],
            person: ("auth0|66f1", "Unnamed User"),
            header: json!({}),
            claims: json!({
                "sub": "auth0|66f1", "azp": "SpaClient01", "scope": "openid profile email",
                "aud": ["https://meet.example", "https://acme.eu.auth0.com/userinfo"],
                "permissions": ["join:rooms"], "org_id": "org_9",
            }),
        },
        Tenant {
            provider: "cognito",
            issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123",
            variables: &[("OIDC_AUTHORIZED_PARTIES", "1h57kf5cpq17m0eml12EXAMPLE"), SUB],
            person: ("b3f4-11", "Unnamed User"),
            header: json!({ "typ": null }),
            claims: json!({
                "sub": "b3f4-11", "token_use": "access", "scope": "openid email profile",
                "client_id": "1h57kf5cpq17m0eml12EXAMPLE", "username": "ada", "version": 2,
                "cognito:groups": ["staff"], "auth_time": NOW - 5, "event_id": "e-1",
            }),
        },
        Tenant {
            provider: "okta",
            issuer: "https://acme.okta.com/oauth2/default",
            variables: &[("OIDC_AUDIENCE", "api://default"), SUB],
            person: ("ada@acme.example", "Unnamed User"),
            header: json!({ "typ": null }),
            claims: json!({
                "ver": 1, "jti": "AT.1", "aud": "api://default", "cid": "0oa5EXAMPLE",
                "uid": "00u1EXAMPLE", "scp": ["openid", "email"], "sub": "ada@acme.example",
            }),
        },
        Tenant {
            provider: "entra",
            issuer: directory,
            variables: &[("OIDC_AUDIENCE", "6e74172b-be56-4843-9ff4-e66a39bb12e3"), SUB],
            person: ("AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "Ada Lovelace"),
            header: json!({ "x5t": "rsa" }),
            claims: json!({
                "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "ver": "2.0", "tid": DIRECTORY,
                "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "scp": "access_as_user",
                "azp": "11112222-bbbb-3333-cccc-4444dddd5555", "azpacr": "0", "name": "Ada Lovelace",
                "oid": "aaaabbbb-0000-cccc-1111-dddd2222eeee", "roles": ["Host"],
                "preferred_username": "ada@acme.example", "nbf": NOW - 5, "uti": "x",
            }),
        },
        Tenant {
            provider: "google",
            issuer: "https://accounts.google.com",
            variables: &[("OIDC_AUDIENCE", "407408718192.apps.googleusercontent.com")],
            person: ("ada@acme.example", "Ada Lovelace"),
            header: json!({}),
            claims: json!({
                "aud": "407408718192.apps.googleusercontent.com", "hd": "acme.example",
                "azp": "407408718192.apps.googleusercontent.com", "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
                "sub": "11769150228249137", "email": "ada@acme.example", "email_verified": true,
                "name": "Ada Lovelace", "picture": "https://lh3.googleusercontent.com/a",
                "nonce": "n-1",
            }),
        },
    ]
}

fn customers() -> Vec<Tenant> {
    vec![
        Tenant {
            provider: "clerk",
            issuer: "https://clerk.acme.example",
            variables: &[("OIDC_AUTHORIZED_PARTIES", "https://app.example"), SUB],
            person: ("user_2bQ", "Unnamed User"),
            header: json!({ "cat": "cl_B7d4PD111AAA" }),
            claims: json!({
                "azp": "https://app.example", "fva": [0, -1], "jti": "a1", "nbf": NOW - 10,
                "o": { "id": "org_1", "rol": "admin", "slg": "acme" }, "sid": "sess_2bQ",
                "sts": "active", "sub": "user_2bQ", "v": 2,
            }),
        },
        Tenant {
            provider: "firebase",
            issuer: "https://securetoken.google.com/acme-meet",
            variables: &[],
            person: ("ada@acme.example", "Ada Lovelace"),
            header: json!({}),
            claims: json!({
                "aud": "acme-meet", "auth_time": NOW - 5, "user_id": "u1", "sub": "u1",
                "name": "Ada Lovelace", "email": "ada@acme.example", "email_verified": true,
                "firebase": { "identities": { "email": ["ada@acme.example"] },
                              "sign_in_provider": "password" },
            }),
        },
        Tenant {
            provider: "supabase",
            issuer: "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
            variables: &[("REQUIRE_VERIFIED_EMAIL", "false")],
            person: ("ada@acme.example", "Ada Lovelace"),
            header: json!({}),
            claims: json!({
                "sub": "7a1c-1", "aud": "authenticated", "email": "ada@acme.example", "phone": "",
                "app_metadata": { "provider": "google", "providers": ["google"] },
                "user_metadata": { "full_name": "Ada Lovelace", "email_verified": true,
                                   "avatar_url": "https://img.example/a" },
                "role": "authenticated", "aal": "aal1", "session_id": "s-1", "is_anonymous": false,
                "amr": [{ "method": "oauth", "timestamp": NOW - 5 }],
            }),
        },
        Tenant {
            provider: "workos",
            issuer: "https://api.workos.com/user_management/client_01ABC",
            variables: &[SUB],
            person: ("user_01ABC", "Unnamed User"),
            header: json!({ "typ": null }),
            claims: json!({
                "sub": "user_01ABC", "sid": "session_01ABC", "jti": "01ABC", "org_id": "org_01ABC",
                "role": "member", "permissions": ["posts:read"], "entitlements": [],
            }),
        },
    ]
}

fn own_servers() -> Vec<Tenant> {
    vec![
        Tenant {
            provider: "keycloak",
            issuer: "https://sso.acme.example/realms/main",
            variables: &[("OIDC_AUTHORIZED_PARTIES", "meet")],
            person: ("ada@acme.example", "Ada Lovelace"),
            header: json!({}),
            claims: json!({
                "jti": "onrtac:1", "aud": "account", "sub": "f3b1-1", "typ": "Bearer",
                "azp": "meet", "sid": "s-1", "acr": "1", "scope": "openid email profile",
                "realm_access": { "roles": ["default-roles-main"] }, "email_verified": true,
                "name": "Ada Lovelace", "preferred_username": "ada", "email": "ada@acme.example",
                "resource_access": { "meet": { "roles": ["host"] } },
            }),
        },
        Tenant {
            provider: "zitadel",
            issuer: "https://acme-x1y2z3.zitadel.cloud",
            variables: &[("OIDC_AUDIENCE", "186978070041395457"), SUB],
            person: ("170081234567890", "Unnamed User"),
            header: json!({}),
            claims: json!({
                "sub": "170081234567890", "aud": ["186978070041395458@meet", "186978070041395457"],
                "nbf": NOW - 5, "client_id": "186978070041395458@meet", "jti": "V2_1-at_2",
                "urn:zitadel:iam:org:project:roles": { "host": { "1": "acme.example" } },
            }),
        },
        Tenant {
            provider: "ory",
            issuer: "https://acme.projects.oryapis.com",
            variables: &[("OIDC_AUDIENCE", "https://meet.example")],
            person: ("ada@acme.example", "Ada Lovelace"),
            header: json!({}),
            claims: json!({
                "aud": ["https://meet.example"], "client_id": "c-1", "jti": "j-1", "nbf": NOW - 5,
                "scp": ["openid"], "sub": "0f3a-1",
                "ext": { "email": "ada@acme.example", "email_verified": true,
                         "name": "Ada Lovelace" },
            }),
        },
    ]
}
