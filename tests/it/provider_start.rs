//! Provider presets: the accepted variables and issuers, before and after the checks of a token.

use serde_json::{Value, json};

use crate::support::{Call, Env, Reply, Tenant};

async fn post_token(env: &Env, tenant: &Tenant, change: &Value) -> Reply {
    Call::bare().bearer(&tenant.token(change)).send(&env.app()).await
}

/// Asserts that the start fails with one message that names all of these.
#[track_caller]
fn refuses_to_start(env: &Env, row: &str, names: &[&str]) {
    let Err(fault) = env.config() else { panic!("{row}: it starts") };
    let message = fault.to_string();
    for name in names {
        assert!(message.contains(name), "{row}: no {name} in {message}");
    }
}

#[test]
fn audience_is_required_unless_the_preset_has_a_default() {
    for tenant in Tenant::all() {
        let bare = tenant.bare_env();
        if ["firebase", "supabase", "workos"].contains(&tenant.provider) {
            assert!(bare.config().is_ok(), "{}: the profile says", tenant.provider);
        } else {
            let both = ["OIDC_AUDIENCE", "OIDC_AUTHORIZED_PARTIES"];
            refuses_to_start(&bare, tenant.provider, &both);
        }
        for variable in ["OIDC_AUDIENCE", "OIDC_AUTHORIZED_PARTIES"] {
            assert!(bare.clone().with(variable, "x").config().is_ok(), "{}", tenant.provider);
            refuses_to_start(&bare.clone().with(variable, "x,"), tenant.provider, &[variable]);
        }
    }
    let both = Tenant::of("cognito").env().with("OIDC_AUDIENCE", "x");
    refuses_to_start(&both, "either, not both", &["OIDC_AUDIENCE", "OIDC_AUTHORIZED_PARTIES"]);
}

#[test]
fn issuer_that_no_token_contains_is_rejected_at_the_start() {
    let starts = |issuer: &str| match Env::offline().with("OIDC_ISSUER", issuer).config() {
        Ok(_) => true,
        Err(fault) => {
            assert!(fault.to_string().contains("OIDC_ISSUER"), "{issuer}: {fault}");
            false
        }
    };
    let issuers = [
        "https://acme.okta.com",
        "https://acme.okta.com/",
        "https://acme.oktapreview.com",
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://login.microsoftonline.com/consumers/v2.0",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com/common",
        "https://login.microsoftonline.com/common/",
        "https://login.microsoftonline.com/{tenantid}",
        "https://sts.windows.net/{tenantid}/",
        "https://sts.windows.net/common/",
        "https://sts.windows.net/organizations/",
        "https://api.workos.com",
    ];
    let started: Vec<_> = issuers.into_iter().filter(|issuer| starts(issuer)).collect();
    assert!(started.is_empty(), "it starts with {started:?}");
}

#[test]
fn provider_name_is_compared_exactly() {
    let names: Vec<_> = Tenant::all().iter().map(|tenant| tenant.provider).collect();
    let env = Env::offline();
    for name in names.iter().chain(&["generic"]) {
        let env = env.clone().with("OIDC_PROVIDER", name);
        let env = env.with("OIDC_ISSUER", "https://sso.acme.example/oauth2/x");
        assert!(env.config().is_ok(), "{name}");
    }
    for name in ["Clerk", "clerk,okta", "azure", "none", "*"] {
        refuses_to_start(&env.clone().with("OIDC_PROVIDER", name), name, &["OIDC_PROVIDER"]);
    }
}

#[tokio::test]
async fn oidc_provider_overrides_what_is_recognized() {
    let tenant = Tenant::of("clerk");
    let no_session = json!({ "sid": null });
    let generic = tenant.env().with("OIDC_PROVIDER", "generic");
    post_token(&generic, &tenant, &no_session).await.expect_issued("a generic issuer has no sid");
    let elsewhere = "https://login.acme.example";
    let env = tenant.env().with("OIDC_ISSUER", elsewhere);
    let moved = json!({ "iss": elsewhere });
    let no_session = json!({ "iss": elsewhere, "sid": null });
    post_token(&env, &tenant, &no_session).await.expect_issued("nobody knows that domain");
    let env = env.with("OIDC_PROVIDER", "clerk");
    post_token(&env, &tenant, &moved).await.expect_issued("Clerk on a domain of its own");
    let reply = post_token(&env, &tenant, &no_session).await;
    reply.expect_problem("Clerk's conventions there", 401, "invalid_token");
    // The audience is not given up: the issuer is still compared, and an audience must be configured.
    let env = Tenant::of("keycloak").bare_env().with("OIDC_PROVIDER", "generic");
    refuses_to_start(&env, "generic", &["OIDC_AUDIENCE"]);
}

#[tokio::test]
async fn google_issuer_is_accepted_in_both_spellings() {
    let tenant = Tenant::of("google");
    for configured in ["https://accounts.google.com", "accounts.google.com"] {
        let env = tenant.env().with("OIDC_ISSUER", configured);
        for issuer in ["https://accounts.google.com", "accounts.google.com"] {
            post_token(&env, &tenant, &json!({ "iss": issuer })).await.expect_issued(issuer);
        }
        for issuer in [
            "https://accounts.google.com/",
            "accounts.google.com/",
            "http://accounts.google.com",
            "https://Accounts.google.com",
            "HTTPS://accounts.google.com",
            "//accounts.google.com",
            "https://accounts.google.com.evil.example",
            "https://accounts.google.com:443",
            "https://account.google.com",
            "https://google.com",
            "",
        ] {
            let reply = post_token(&env, &tenant, &json!({ "iss": issuer })).await;
            reply.expect_problem(&format!("{configured}: {issuer}"), 401, "invalid_token");
        }
    }
    // No other provider's issuer has a second spelling.
    let tenant = Tenant::of("okta");
    let without_scheme = json!({ "iss": "acme.okta.com/oauth2/default" });
    let reply = post_token(&tenant.env(), &tenant, &without_scheme).await;
    reply.expect_problem("Okta without a scheme", 401, "invalid_token");
}

#[tokio::test]
async fn entra_v1_token_is_accepted_from_its_own_issuer_only() {
    let tenant = Tenant::of("entra");
    let issuer = "https://sts.windows.net/9188040d-6c67-4c5b-b112-36a304b66dad/";
    let env = tenant.env().with("OIDC_ISSUER", issuer).with("OIDC_AUDIENCE", "api://meet");
    let token = json!({
        "iss": issuer, "aud": "api://meet", "ver": "1.0", "azp": null, "appid": "a-1", "idtyp": "user",
    });
    post_token(&env, &tenant, &token).await.expect_issued("v1");
    let reply = post_token(&env, &tenant, &json!({ "aud": "api://meet" })).await;
    reply.expect_problem("v2's issuer", 401, "invalid_token");
}

#[tokio::test]
async fn email_verification_follows_the_rules_of_the_preset() {
    let email = |variables: &[(&str, &str)], provider: &str| {
        let tenant = Tenant::of(provider);
        let env = tenant.env().without("REQUIRE_VERIFIED_EMAIL");
        (env.with("PARTICIPANT_IDENTITY", "email").with_all(variables), tenant)
    };
    let address = json!({ "email": "ada@acme.example" });
    let yes = json!({ "email": "ada@acme.example", "email_verified": true });
    #[rustfmt::skip]
    let rows = [
        ("supabase", "its user_metadata",        json!({}),                                       403),
        ("supabase", "a claim at the top",       json!({ "email_verified": true }),               201),
        ("supabase", "no address",               json!({ "email": "" }),                          404),
        ("google",   "a text",                   json!({ "email_verified": "true" }),             201),
        ("google",   "a text that says no",      json!({ "email_verified": "false" }),            403),
        ("google",   "a number",                 json!({ "email_verified": 1 }),                  403),
        ("google",   "nobody",                   json!({ "email_verified": null }),               403),
        ("firebase", "no address",               json!({ "email": null, "email_verified": null }), 404),
        ("firebase", "not yet",                  json!({ "email_verified": false }),              403),
        ("keycloak", "not yet",                  json!({ "email_verified": false }),              403),
        ("keycloak", "a text",                   json!({ "email_verified": "true" }),             201),
        ("entra",    "no address",               json!({}),                                       404),
        ("entra",    "nobody",                   address.clone(),                                 403),
        ("entra",    "a claim that it has not",  yes.clone(),                                     403),
        ("entra",    "its own claim",            json!({ "email": "ada@acme.example", "xms_edov": true }), 201),
        ("entra",    "its claim as text",        json!({ "email": "ada@acme.example", "xms_edov": "true" }), 201),
        ("entra",    "its claim says no",        json!({ "email": "ada@acme.example", "xms_edov": false }), 403),
        ("okta",     "a login is no address",    json!({}),                                       404),
        ("ory",      "under ext",                json!({}),                                       201),
        ("ory",      "not under ext",            json!({ "email_verified": true, "ext": { "email": "ada@acme.example" } }), 403),
        ("clerk",    "the session token",        yes.clone(),                                     201),
        ("clerk",    "nobody",                   address.clone(),                                 403),
        ("workos",   "a template",               yes.clone(),                                     201),
        ("cognito",  "nobody",                   json!({}),                                       404),
        ("zitadel",  "nobody",                   json!({}),                                       404),
        ("auth0",    "nobody",                   json!({}),                                       404),
    ];
    for (provider, name, change, status) in rows {
        let (env, tenant) = email(&[], provider);
        let reply = post_token(&env, &tenant, &change).await;
        let row = format!("{provider}: {name}");
        match status {
            201 => drop(reply.expect_issued(&row)),
            403 => drop(reply.expect_problem(&row, 403, "email_not_verified")),
            _ => drop(reply.expect_problem(&row, 404, "email_not_set")),
        }
    }
    let action = [("EMAIL_CLAIM", "https://meet.example/email"), ("NAME_CLAIM", "nick.name")];
    let (env, tenant) = email(&action, "auth0");
    let own = json!({
        "https://meet.example/email": "ada@acme.example", "https://meet.example/email_verified": true,
        "nick": { "name": "Ada" },
    });
    let participant = post_token(&env, &tenant, &own).await.participant();
    assert_eq!(
        (&participant["sub"], &participant["name"]),
        (&json!("ada@acme.example"), &json!("Ada"))
    );
    let borrowed =
        json!({ "https://meet.example/email": "ada@acme.example", "email_verified": true });
    let reply = post_token(&env, &tenant, &borrowed).await;
    reply.expect_problem("verification of another claim", 403, "email_not_verified");
}
