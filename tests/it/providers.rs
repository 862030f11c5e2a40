//! Access tokens of every provider are accepted, and its other tokens are rejected.

use serde_json::{Value, json};

use crate::support::{Call, Reply, Tenant, extend};

async fn post_token(tenant: &Tenant, token: &str) -> Reply {
    Call::bare().bearer(token).send(&tenant.env().app()).await
}

/// Asserts that a valid token with a changed header or changed claims is rejected.
async fn refuses(provider: &str, rows: &[(&str, Value, Value)]) {
    let tenant = Tenant::of(provider);
    let app = tenant.env().app();
    for (name, header, change) in rows {
        let row = format!("{provider}: {name}");
        let call = Call::bare().bearer(&tenant.token_with(header, change));
        call.send(&app).await.expect_problem(&row, 401, "invalid_token");
    }
}

#[tokio::test]
async fn access_token_of_every_provider_is_accepted() {
    for tenant in Tenant::all() {
        let reply = post_token(&tenant, &tenant.token(&json!({}))).await;
        reply.expect_issued(tenant.provider);
        let participant = reply.participant();
        let person = (participant["sub"].as_str(), participant["name"].as_str());
        assert_eq!(person, (Some(tenant.person.0), Some(tenant.person.1)), "{}", tenant.provider);
        assert_eq!(participant["attributes"]["role"], "participant", "{}", tenant.provider);
    }
}

#[tokio::test]
async fn general_checks_apply_to_every_provider() {
    #[rustfmt::skip]
    let rows = [
        ("alg none, it says",      json!({ "alg": "none" }),        json!({})),
        ("HMAC, it says",          json!({ "alg": "HS256" }),       json!({})),
        ("an unknown crit",        json!({ "crit": ["x"], "x": 1 }), json!({})),
        ("a logout token",         json!({ "typ": "logout+jwt" }),  json!({})),
        ("a stranger as issuer",   json!({}), json!({ "iss": "https://evil.example/" })),
        ("no issuer",              json!({}), json!({ "iss": null })),
        ("no expiry",              json!({}), json!({ "exp": null })),
        ("no subject",             json!({}), json!({ "sub": null })),
        ("an empty subject",       json!({}), json!({ "sub": "" })),
        ("a subject of 256 bytes", json!({}), json!({ "sub": "x".repeat(256) })),
    ];
    for tenant in Tenant::all() {
        refuses(tenant.provider, &rows).await;
        let longer = json!({ "iss": format!("{}x", tenant.issuer) });
        refuses(tenant.provider, &[("a longer issuer", json!({}), longer)]).await;
        if tenant.provider != "workos" {
            let shop = json!({ "aud": "shop", "azp": "shop", "client_id": "shop", "cid": "shop" });
            refuses(tenant.provider, &[("somebody else's", json!({}), shop)]).await;
        }
    }
}

#[tokio::test]
async fn role_claims_have_no_effect_without_a_policy() {
    for tenant in Tenant::all() {
        for roles in [
            json!({ "roles": ["host", "admin"], "groups": "admin", "permissions": ["*"] }),
            json!({ "realm_access": { "roles": ["host"] }, "cognito:groups": ["host"] }),
            json!({ "org_role": "org:admin", "o": { "rol": "admin" }, "app_metadata": 5 }),
        ] {
            let reply = post_token(&tenant, &tenant.token(&roles)).await;
            let role = reply.participant()["attributes"]["role"].clone();
            assert_eq!(role, "participant", "{} {roles}", tenant.provider);
        }
    }
}

#[tokio::test]
async fn clerk_preset_accepts_session_tokens_only() {
    #[rustfmt::skip]
    let rows = [
        ("a machine's",               json!({ "cat": "cl_B7d4PD333AAA" }), json!({ "sub": "mch_2bQ" })),
        ("a machine's, by its sub",   json!({}),                           json!({ "sub": "mch_2bQ" })),
        ("a machine's, by its cat",   json!({ "cat": "cl_B7d4PD333AAA" }), json!({})),
        ("a template's, by its cat",  json!({ "cat": "cl_B7d4PD222AAA" }), json!({})),
        ("a template's, no session",  json!({ "cat": "cl_B7d4PD222AAA" }), json!({ "sid": null })),
        ("no session",                json!({}),                           json!({ "sid": null })),
        ("an unknown category",       json!({ "cat": "cl_B7d4PD999ZZZ" }), json!({})),
        ("a category of no text",     json!({ "cat": 7 }),                 json!({})),
        ("an OAuth access token",     json!({ "typ": "at+jwt", "cat": null }), json!({})),
        ("the same at length",        json!({ "typ": "application/at+jwt" }), json!({})),
        ("has yet to finish",         json!({}),                           json!({ "sts": "pending" })),
        ("a status of no text",       json!({}),                           json!({ "sts": true })),
        ("no page",                   json!({}),                           json!({ "azp": null })),
        ("an empty page",             json!({}),                           json!({ "azp": "" })),
        ("another page",              json!({}),                           json!({ "azp": "https://evil.example" })),
        ("a page's subdomain",        json!({}),                           json!({ "azp": "https://x.app.example" })),
        ("the page with a slash",     json!({}),                           json!({ "azp": "https://app.example/" })),
        ("the page without TLS",      json!({}),                           json!({ "azp": "http://app.example" })),
        ("pages in a list",           json!({}),                           json!({ "azp": ["https://app.example"] })),
        ("the page as aud",           json!({}),                           json!({ "azp": null, "aud": "https://app.example" })),
    ];
    refuses("clerk", &rows).await;
    let tenant = Tenant::of("clerk");
    for (name, header, change) in [
        ("before there were categories", json!({ "cat": null }), json!({ "sts": null, "v": null })),
        ("of the first version", json!({}), json!({ "o": null, "org_id": "org_1", "v": 1 })),
    ] {
        post_token(&tenant, &tenant.token_with(&header, &change)).await.expect_issued(name);
    }
}

#[tokio::test]
async fn cognito_preset_accepts_tokens_of_its_clients_only() {
    let id = json!({
        "token_use": "id", "client_id": null, "aud": "1h57kf5cpq17m0eml12EXAMPLE",
        "email": "ada@acme.example", "email_verified": true, "name": "Ada Lovelace",
    });
    let same = "1h57kf5cpq17m0eml12EXAMPLE";
    #[rustfmt::skip]
    let rows = [
        ("an ID token",           json!({}), id.clone()),
        ("an ID token with both", json!({}), extend(id.clone(), &json!({ "client_id": same }))),
        ("another client",        json!({}), json!({ "client_id": "2shopEXAMPLE" })),
        ("no client",             json!({}), json!({ "client_id": null })),
        ("no use",                json!({}), json!({ "token_use": null })),
        ("a refresh token",       json!({}), json!({ "token_use": "refresh" })),
        ("uses in a list",        json!({}), json!({ "token_use": ["access"] })),
        ("a machine's",           json!({}), json!({ "sub": same, "username": null })),
        ("a neighboring pool",   json!({}), json!({ "iss": "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf124" })),
    ];
    refuses("cognito", &rows).await;

    let tenant = Tenant::of("cognito");
    let app = tenant.bare_env().with("OIDC_AUDIENCE", same).app();
    let post_token =
        async |change: &Value| Call::bare().bearer(&tenant.token(change)).send(&app).await;
    assert_eq!(post_token(&id).await.participant()["sub"], "ada@acme.example");
    for (name, change) in [
        ("an access token", json!({})),
        (
            "an access token for another",
            extend(id.clone(), &json!({ "token_use": "access", "aud": "shop" })),
        ),
        ("another client's", extend(id.clone(), &json!({ "aud": "2shopEXAMPLE" }))),
        ("no use", extend(id.clone(), &json!({ "token_use": null }))),
    ] {
        post_token(&change).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn presets_accept_access_tokens_of_people_only() {
    let id = |change: Value| (json!({}), change);
    #[rustfmt::skip]
    let rows = [
        ("auth0",    "an ID token",          id(json!({ "aud": "SpaClient01", "email": "ada@acme.example", "nonce": "n" }))),
        ("auth0",    "UserInfo's only",      id(json!({ "aud": ["https://acme.eu.auth0.com/userinfo"] }))),
        ("auth0",    "a machine's",          id(json!({ "sub": "M2M01@clients", "azp": "M2M01", "gty": "client-credentials" }))),
        ("okta",     "an ID token",          id(json!({ "cid": null, "aud": "0oa5EXAMPLE", "email": "a@b.c" }))),
        ("okta",     "an ID token for us",   id(json!({ "cid": null }))),
        ("okta",     "a machine's",          id(json!({ "sub": "0oa5EXAMPLE", "uid": null }))),
        ("okta",     "the organization's",   id(json!({ "iss": "https://acme.okta.com" }))),
        ("entra",    "an ID token",          id(json!({ "scp": null, "nonce": "n" }))),
        ("entra",    "an application's",     id(json!({ "scp": null, "idtyp": "app", "roles": ["Host"] }))),
        ("entra",    "one that says scp",    id(json!({ "idtyp": "app" }))),
        ("entra",    "another tenant's",     id(json!({ "iss": "https://login.microsoftonline.com/11111111-6c67-4c5b-b112-36a304b66dad/v2.0" }))),
        ("entra",    "its older form",       id(json!({ "iss": "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/" }))),
        ("entra",    "Graph's",              id(json!({ "aud": "00000003-0000-0000-c000-000000000000" }))),
        ("google",   "another client's",     id(json!({ "aud": "1.apps.googleusercontent.com" }))),
        ("firebase", "another project's",    id(json!({ "aud": "acme-shop" }))),
        ("firebase", "its longer neighbor", id(json!({ "aud": "acme-meet-2" }))),
        ("firebase", "no audience",          id(json!({ "aud": null }))),
        ("firebase", "a session cookie",     id(json!({ "iss": "https://session.firebase.google.com/acme-meet" }))),
        ("firebase", "a custom token",       id(json!({ "auth_time": null, "claims": {} }))),
        ("firebase", "the emulator's",       (json!({ "alg": "none", "kid": null }), json!({}))),
        ("supabase", "the anon key",         id(json!({ "role": "anon", "sub": null, "aud": null }))),
        ("supabase", "anon with the rest",   id(json!({ "role": "anon" }))),
        ("supabase", "the service key",      id(json!({ "role": "service_role", "sub": null, "aud": null }))),
        ("supabase", "service with the rest", id(json!({ "role": "service_role" }))),
        ("supabase", "no role",              id(json!({ "role": null }))),
        ("supabase", "roles in a list",      id(json!({ "role": ["authenticated"] }))),
        ("supabase", "another audience",     id(json!({ "aud": "anon" }))),
        ("supabase", "the legacy issuer",    id(json!({ "iss": "supabase" }))),
        ("keycloak", "an ID token",          id(json!({ "typ": "ID", "aud": "meet" }))),
        ("keycloak", "a refresh token",      id(json!({ "typ": "Refresh" }))),
        ("keycloak", "an offline token",     id(json!({ "typ": "Offline" }))),
        ("keycloak", "no typ",               id(json!({ "typ": null }))),
        ("keycloak", "typ in small letters", id(json!({ "typ": "bearer" }))),
        ("keycloak", "a service account",    id(json!({ "preferred_username": "service-account-meet", "client_id": "meet", "email": null }))),
        ("keycloak", "another client's",     id(json!({ "azp": "shop" }))),
        ("keycloak", "no client",            id(json!({ "azp": null }))),
        ("keycloak", "another realm's",      id(json!({ "iss": "https://sso.acme.example/realms/main2" }))),
        ("workos",   "no session",           id(json!({ "sid": null }))),
        ("workos",   "another client's",     id(json!({ "iss": "https://api.workos.com/user_management/client_01XYZ" }))),
        ("workos",   "the older issuer",     id(json!({ "iss": "https://api.workos.com" }))),
        ("zitadel",  "an ID token",          id(json!({ "at_hash": "h", "azp": "186978070041395458@meet", "amr": ["pwd"], "nonce": "n" }))),
        ("zitadel",  "an ID token, no nonce", id(json!({ "at_hash": "h", "azp": "186978070041395458@meet" }))),
        ("zitadel",  "its client only",      id(json!({ "aud": ["186978070041395458@meet"] }))),
        ("ory",      "nobody's",             id(json!({ "aud": [] }))),
        ("ory",      "another audience",     id(json!({ "aud": ["https://shop.example"] }))),
    ];
    for (provider, name, (header, change)) in rows {
        refuses(provider, &[(name, header, change)]).await;
    }
}
