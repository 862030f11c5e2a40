//! The sources of keys: discovery, a fixed address, or the configuration.

use std::sync::Arc;

use roomkey::oidc::discovery::Discovery;
use roomkey::upstream::client::{Client, Timeouts};
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeIdp, Fault, Key, Reply, Route, now, token};

async fn post_token(env: &Env, idp: &FakeIdp) -> Reply {
    let app = env.app();
    app.warm_up(now()).await;
    Call::bare().bearer(&idp.token(&json!({}))).send(&app).await
}

#[tokio::test]
async fn discovery_finds_the_keys_of_any_issuer() {
    for path in ["", "/", "/tenant", "/tenant/", "/a/b/c"] {
        let idp = FakeIdp::start_at(path);
        post_token(&Env::online(&idp), &idp).await.expect_issued(path);
        assert_eq!(idp.counts(), (1, 1, 0), "{path}");
        let expected = format!("{}/.well-known/openid-configuration", path.trim_end_matches('/'));
        assert_eq!(idp.asked(Route::Discovery)[0].target, expected);
        assert_eq!(idp.strays(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn discovery_is_not_fetched_if_the_key_address_is_configured() {
    let idp = FakeIdp::start();
    let env = Env::online(&idp).with("OIDC_JWKS_URI", &idp.url("/keys"));
    post_token(&env, &idp).await.expect_issued("OIDC_JWKS_URI");
    assert_eq!(idp.counts(), (0, 1, 0));
}

#[tokio::test]
async fn discovery_is_not_fetched_if_the_keys_are_configured() {
    let idp = FakeIdp::start();
    let keys = json!({ "keys": [Key::rsa().jwk()] }).to_string();
    let env = Env::online(&idp).with("OIDC_JWKS", &keys);
    post_token(&env, &idp).await.expect_issued("OIDC_JWKS");
    assert_eq!(idp.counts(), (0, 0, 0));
}

/// RFC 8414 and OpenID Connect Discovery 4.3: a document of another issuer is rejected.
#[tokio::test]
async fn discovery_document_of_another_issuer_is_rejected() {
    for (name, change) in [
        ("another", json!({ "issuer": "https://evil.example" })),
        ("a slash more", json!({ "issuer": "SLASH" })),
        ("none", json!({ "issuer": null })),
        ("not a text", json!({ "issuer": 1 })),
        ("a list", json!({ "issuer": ["https://idp.example/"] })),
        ("no keys", json!({ "jwks_uri": null })),
        ("keys not an address", json!({ "jwks_uri": "keys" })),
        ("keys a number", json!({ "jwks_uri": 1 })),
        ("keys in a file", json!({ "jwks_uri": "file:///etc/passwd" })),
        ("keys without TLS elsewhere", json!({ "jwks_uri": "http://192.0.2.1/keys" })),
    ] {
        let idp = FakeIdp::start();
        let slash = change["issuer"] == "SLASH";
        let change = if slash { json!({ "issuer": idp.issuer() + "/" }) } else { change };
        idp.describe(&change);
        post_token(&Env::online(&idp), &idp).await.expect_problem(name, 503, "unavailable");
        assert_eq!(idp.counts().1, 0, "{name}: no keys fetched");
    }
}

#[tokio::test]
async fn discovery_error_names_the_cure_if_there_is_no_document() {
    for (fault, has_cure) in [
        (Fault::Status(404), true),
        (Fault::Status(410), true),
        (Fault::Html, true),
        (Fault::Json(json!([])), true),
        (Fault::Status(403), false),
        (Fault::Status(500), false),
    ] {
        let name = format!("{fault:?}");
        let idp = FakeIdp::start();
        idp.inject(Route::Discovery, fault);
        let client = Arc::new(Client::new(Timeouts::default()));
        let error = Discovery::fetch(client, idp.issuer()).await.unwrap_err().to_string();
        let cure = "OIDC_JWKS_URI, and PROFILE_SOURCE=claims";
        assert_eq!(error.contains(cure), has_cure, "{name}: {error}");
    }
}

#[tokio::test]
async fn discovery_fault_is_answered_503() {
    let other = FakeIdp::start();
    #[rustfmt::skip]
    let rows = [
        ("500",          Fault::Status(500)),
        ("404",          Fault::Status(404)),
        ("204",          Fault::Status(204)),
        ("201",          Fault::Status(201)),
        ("a page",       Fault::Html),
        ("null",         Fault::Json(Value::Null)),
        ("a list",       Fault::Json(json!([]))),
        ("not JSON",     Fault::Bytes(b"{".to_vec())),
        ("not UTF-8",    Fault::Bytes(b"{\"issuer\":\"\xff\"}".to_vec())),
        ("too large",    Fault::Padded(150_001)),
        ("cut off",      Fault::Truncated),
        ("a redirect",   Fault::Redirect(other.url("/.well-known/openid-configuration"))),
    ];
    for (name, fault) in rows {
        let idp = FakeIdp::start();
        idp.inject(Route::Discovery, fault);
        post_token(&Env::online(&idp), &idp).await.expect_problem(name, 503, "unavailable");
    }
    assert_eq!(other.counts(), (0, 0, 0), "nobody follows a redirect");
    let idp = FakeIdp::start();
    idp.inject(Route::Discovery, Fault::Padded(150_000));
    post_token(&Env::online(&idp), &idp).await.expect_issued("150,000 bytes");
}

#[tokio::test]
async fn discovery_is_not_fetched_without_a_plausible_token() {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app();
    Call::bare().send(&app).await.expect_problem("no token", 401, "missing_token");
    Call::bare().bearer("x").send(&app).await.expect_problem("no JWT", 401, "invalid_token");
    let hmac = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";
    Call::bare().bearer(hmac).send(&app).await.expect_problem("HS256", 401, "invalid_token");
    let elsewhere = token(&json!({}));
    let reply = Call::bare().bearer(&elsewhere).send(&app).await;
    assert_eq!(reply.status, 401, "a token of another issuer");
    assert_eq!(idp.counts().2, 0);
}
