//! HS256 with a secret that the issuer shares with roomkey. It is accepted only if one is
//! configured, and then no other algorithm is.

use std::sync::Arc;

use jsonwebtoken::Algorithm;
use roomkey::App;
use serde_json::{Value, json};

use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeIdp, FakeSecretsManager, Key, NOW, Reply, at, claims,
    encode_part, key_set, merge, now, token, with_hmac,
};

/// Thirty-two bytes, the minimum.
const SHARED: &str = "shared-secret-of-thirty-two-byte";

fn env() -> Env {
    Env::offline()
        .without("OIDC_JWKS")
        .with("OIDC_ALGORITHMS", "HS256")
        .with("OIDC_HS256_SECRET", SHARED)
}

/// A token signed with `secret`, its header and its claims changed.
fn shared(secret: &str, algorithm: Algorithm, header: &Value, change: &Value) -> String {
    let header = merge(json!({ "alg": algorithm, "typ": "JWT" }), header);
    let claims = merge(claims(), change);
    let message =
        format!("{}.{}", encode_part(&header.to_string()), encode_part(&claims.to_string()));
    with_hmac(&message, secret, algorithm)
}

fn good() -> String {
    shared(SHARED, Algorithm::HS256, &json!({}), &json!({}))
}

async fn post_token(app: &Arc<App>, token: &str) -> Reply {
    Call::bare().bearer(token).send(app).await
}

#[tokio::test]
async fn token_signed_with_the_shared_secret_is_accepted() {
    let app = env().app();
    assert_eq!(post_token(&app, &good()).await.participant()["sub"], "ada@example.com");
    for (name, header) in [
        ("any kid", json!({ "kid": "legacy" })),
        ("no typ", json!({ "typ": null })),
        ("an access token", json!({ "typ": "at+jwt" })),
        ("an address for keys, ignored", json!({ "jku": "https://evil.example/jwks" })),
    ] {
        let token = shared(SHARED, Algorithm::HS256, &header, &json!({}));
        post_token(&app, &token).await.expect_issued(name);
    }
}

#[tokio::test]
async fn token_signed_otherwise_is_rejected_with_a_shared_secret() {
    let keys = key_set(&[&Key::rsa(), &Key::p256(), &Key::ed25519()]).to_string();
    let by_key = |key: &Key| key.sign(&key.header(), &claims());
    let with = |secret: &str, algorithm| shared(secret, algorithm, &json!({}), &json!({}));
    let unsigned = |alg: &str| {
        let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
        format!("{}.{}.", encode_part(&header), encode_part(&claims().to_string()))
    };
    let own = good();
    let (head, signature) = own.rsplit_once('.').unwrap();
    let renamed = |alg: &str| {
        let header = encode_part(&json!({ "alg": alg, "typ": "JWT" }).to_string());
        format!("{header}.{}.{signature}", head.split('.').nth(1).unwrap())
    };
    #[rustfmt::skip]
    let rows = [
        ("RS256 of the key set",      by_key(&Key::rsa())),
        ("ES256 of the key set",      by_key(&Key::p256())),
        ("EdDSA of the key set",      by_key(&Key::ed25519())),
        ("HS384 of the same secret",  with(SHARED, Algorithm::HS384)),
        ("HS512 of the same secret",  with(SHARED, Algorithm::HS512)),
        ("another secret",            with("another-secret-of-thirty-two-byt", Algorithm::HS256)),
        ("half the secret",           with(&SHARED[..16], Algorithm::HS256)),
        ("the secret and a newline",  with(&format!("{SHARED}\n"), Algorithm::HS256)),
        ("the secret in base64",      with(&encode_part(SHARED), Algorithm::HS256)),
        ("an empty secret",           with("", Algorithm::HS256)),
        ("our own API secret",        with(API_SECRET, Algorithm::HS256)),
        ("the key set as secret",     with(&keys, Algorithm::HS256)),
        ("none",                      unsigned("none")),
        ("HS256 without a signature", unsigned("HS256")),
        ("said to be HS384",          renamed("HS384")),
        ("said to be RS256",          renamed("RS256")),
        ("said to be hs256",          renamed("hs256")),
        ("a signature cut short",     own[..own.len() - 4].to_owned()),
        ("a signature of zeros",      format!("{head}.{}", "A".repeat(43))),
    ];
    // With the issuer's keys beside it, and without.
    let beside = env().without("OIDC_ALGORITHMS").with("OIDC_JWKS", &keys);
    for app in [env().app(), beside.app()] {
        for (name, token) in &rows {
            post_token(&app, token).await.expect_problem(name, 401, "invalid_token");
        }
        post_token(&app, &good()).await.expect_issued("HS256");
    }
    let app = Env::offline().app();
    post_token(&app, &good()).await.expect_problem("no secret is configured", 401, "invalid_token");
}

#[tokio::test]
async fn general_checks_apply_with_a_shared_secret() {
    let app = env().app();
    #[rustfmt::skip]
    let rows = [
        ("crit",             json!({ "crit": ["exp"] }),    json!({})),
        ("b64",              json!({ "b64": false }),       json!({})),
        ("nested",           json!({ "cty": "JWT" }),       json!({})),
        ("a logout token",   json!({ "typ": "logout+jwt" }), json!({})),
        ("another issuer",   json!({}), json!({ "iss": "supabase" })),
        ("no issuer",        json!({}), json!({ "iss": null })),
        ("another audience", json!({}), json!({ "aud": "shop" })),
        ("no audience",      json!({}), json!({ "aud": null })),
        ("no subject",       json!({}), json!({ "sub": null })),
        ("not yet",          json!({}), json!({ "nbf": NOW + 60 })),
        ("no expiry",        json!({}), json!({ "exp": null })),
    ];
    for (name, header, change) in rows {
        let token = shared(SHARED, Algorithm::HS256, &header, &change);
        post_token(&app, &token).await.expect_problem(name, 401, "invalid_token");
    }
    let expired = shared(SHARED, Algorithm::HS256, &json!({}), &json!({ "exp": NOW - 60 }));
    post_token(&app, &expired).await.expect_problem("expired", 401, "token_expired");
}

/// Supabase signs its anon and service keys with the same secret as access tokens.
#[tokio::test]
async fn supabase_legacy_secret_accepts_tokens_of_people_only() {
    let issuer = "https://abcdefghijklmnopqrst.supabase.co/auth/v1";
    let env = env().without("OIDC_AUDIENCE").with("OIDC_ISSUER", issuer);
    let app = env.with("REQUIRE_VERIFIED_EMAIL", "false").app();
    let person = json!({ "iss": issuer, "aud": "authenticated", "role": "authenticated" });
    let token = |change: &Value| {
        let change = crate::support::extend(person.clone(), change);
        shared(SHARED, Algorithm::HS256, &json!({}), &change)
    };
    post_token(&app, &token(&json!({}))).await.expect_issued("a person");
    for (name, change) in [
        ("the anon key", json!({ "iss": "supabase", "role": "anon", "aud": null, "sub": null })),
        ("the service key", json!({ "iss": "supabase", "role": "service_role", "sub": null })),
        ("anon", json!({ "role": "anon" })),
        ("service", json!({ "role": "service_role" })),
        ("no role", json!({ "role": null })),
    ] {
        post_token(&app, &token(&change)).await.expect_problem(name, 401, "invalid_token");
    }
}

#[test]
fn invalid_shared_secret_settings_prevent_the_start() {
    #[rustfmt::skip]
    let rows = [
        ("31 bytes",              env().with("OIDC_HS256_SECRET", &SHARED[..31]),        "OIDC_HS256_SECRET"),
        ("no secret",             env().without("OIDC_HS256_SECRET"),                    "OIDC_HS256_SECRET"),
        ("an empty secret",       env().with("OIDC_HS256_SECRET", ""),                   "OIDC_HS256_SECRET"),
        ("31 bytes beside keys",  Env::offline().with("OIDC_HS256_SECRET", &SHARED[..31]), "OIDC_HS256_SECRET"),
        ("HS256 among others",    env().with("OIDC_ALGORITHMS", "RS256,HS256"),          "OIDC_ALGORITHMS"),
        ("HS384",                 env().with("OIDC_ALGORITHMS", "HS384"),                "OIDC_ALGORITHMS"),
        ("none",                  env().with("OIDC_ALGORITHMS", "none"),                 "OIDC_ALGORITHMS"),
        ("HS256 and keys",        env().with("OIDC_JWKS", &key_set(&[&Key::rsa()]).to_string()), "OIDC_ALGORITHMS"),
        ("HS256 and an address",  env().with("OIDC_JWKS_URI", "https://idp.example/keys"), "OIDC_ALGORITHMS"),
    ];
    for (name, env, variable) in rows {
        let Err(fault) = env.config() else { panic!("{name}: it starts") };
        let message = fault.to_string();
        assert!(message.contains(variable), "{name}: {message}");
        assert!(!message.contains(&SHARED[..31]), "{name}: {message}");
    }
    assert!(env().config().is_ok());
}

#[tokio::test]
async fn shared_secret_is_read_from_secrets_manager() {
    let secrets = FakeSecretsManager::start();
    let managed = env().without("OIDC_HS256_SECRET").secret_in(&secrets);
    let app = managed.app();
    app.warm_up(now()).await;
    post_token(&app, &good()).await.expect_problem("not in the secret", 503, "unavailable");
    post_token(&app, &token(&json!({}))).await.expect_problem(
        "RS256, all the same",
        401,
        "invalid_token",
    );

    let with = |value: Value| {
        let mut secret = FakeSecretsManager::secret(API_KEY, API_SECRET);
        secret["OIDC_HS256_SECRET"] = value;
        secrets.keep(secret);
        managed.app()
    };
    let app = with(json!(SHARED));
    post_token(&app, &good()).await.expect_issued("in the secret");
    post_token(&app, &token(&json!({}))).await.expect_problem("RS256", 401, "invalid_token");
    let other = shared(API_SECRET, Algorithm::HS256, &json!({}), &json!({}));
    post_token(&app, &other).await.expect_problem("another", 401, "invalid_token");

    let app = with(json!(SHARED[..31]));
    post_token(&app, &good()).await.expect_problem("31 bytes", 503, "unavailable");
    for value in [json!(""), json!(null), json!(7), json!([SHARED])] {
        let row = value.to_string();
        post_token(&with(value), &good()).await.expect_problem(&row, 503, "unavailable");
    }
}

/// A shared secret takes precedence over the issuer's keys.
#[tokio::test]
async fn shared_secret_in_secrets_manager_replaces_the_key_set() {
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).app();
    let long = json!({ "exp": NOW + 5_000 });
    let by_key = token(&long);
    let by_secret = shared(SHARED, Algorithm::HS256, &json!({}), &long);
    post_token(&app, &by_key).await.expect_issued("keys alone");
    post_token(&app, &by_secret).await.expect_problem("no secret yet", 401, "invalid_token");
    let mut secret = FakeSecretsManager::secret(API_KEY, API_SECRET);
    secret["OIDC_HS256_SECRET"] = json!(SHARED);
    secrets.keep(secret);
    let reply = Call::bare().bearer(&by_secret).send_at(&app, at(NOW + 300)).await;
    reply.expect_issued("the secret");
    let reply = Call::bare().bearer(&by_key).send_at(&app, at(NOW + 300)).await;
    reply.expect_problem("the keys", 401, "invalid_token");
}

#[tokio::test]
async fn key_set_is_not_fetched_with_a_shared_secret() {
    let idp = FakeIdp::start();
    let app = env().with("OIDC_ISSUER", &idp.issuer()).app();
    app.warm_up(now()).await;
    let ours = shared(SHARED, Algorithm::HS256, &json!({}), &json!({ "iss": idp.issuer() }));
    post_token(&app, &ours).await.expect_issued("HS256");
    post_token(&app, &idp.token(&json!({}))).await.expect_problem("RS256", 401, "invalid_token");
    assert_eq!(idp.counts(), (0, 0, 0));
}
