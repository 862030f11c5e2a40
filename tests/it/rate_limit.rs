//! `TOKENS_PER_MINUTE`: participant tokens of one person.

use std::sync::Arc;

use roomkey::App;
use serde_json::{Value, json};

use crate::support::signed::{self, Signed};
use crate::support::{Call, Env, ISSUER, Key, NOW, Reply, at, claims, key_set, merge, token};

/// The limit that applies if none is configured.
fn by_default() -> Env {
    Env::offline().without("TOKENS_PER_MINUTE")
}

async fn post_token(app: &Arc<App>, claims: &Value, second: u64) -> Reply {
    Call::bare().bearer(&token(claims)).send_at(app, at(NOW + second)).await
}

/// Requests tokens until one is refused. Returns the number of tokens, and the refusal.
async fn issued_until_refused(app: &Arc<App>, claims: &Value, second: u64) -> (u32, Reply) {
    let mut issued = 0;
    loop {
        let reply = post_token(app, claims, second).await;
        if reply.status != 201 {
            return (issued, reply);
        }
        issued += 1;
        assert!(issued < 1000, "no limit");
    }
}

#[tokio::test]
async fn person_gets_the_limit_at_once_and_then_one_token_after_another() {
    let rows =
        [(None, 60, "1"), (Some("30"), 30, "2"), (Some("31"), 31, "2"), (Some("120"), 120, "1")];
    for (limit, expected, retry_after) in rows {
        let env =
            limit.map_or_else(by_default, |limit| Env::offline().with("TOKENS_PER_MINUTE", limit));
        let app = env.app();
        let (issued, refused) = issued_until_refused(&app, &json!({}), 0).await;
        assert_eq!(issued, expected, "{limit:?}");
        refused.expect_problem("one too many", 429, "too_many_requests");
        assert_eq!(refused.header("retry-after"), Some(retry_after), "{limit:?}");
        post_token(&app, &json!({ "sub": "user-2" }), 0).await.expect_issued("another person");
        let seconds = retry_after.parse().unwrap();
        post_token(&app, &json!({}), seconds).await.expect_issued("after Retry-After");
        assert_eq!(issued_until_refused(&app, &json!({}), 200).await.0, expected, "{limit:?}");
    }
}

#[tokio::test]
async fn limit_of_zero_refuses_nobody() {
    let app = Env::offline().with("TOKENS_PER_MINUTE", "0").app();
    for _ in 0..200 {
        post_token(&app, &json!({}), 0).await.expect_issued("without a limit");
    }
}

#[test]
fn limit_is_zero_or_at_least_thirty() {
    let rows = [
        ("0", true),
        ("30", true),
        ("4294967295", true),
        ("1", false),
        ("29", false),
        ("-60", false),
        ("60.5", false),
        ("1e2", false),
        ("4294967296", false),
        ("many", false),
    ];
    for (limit, is_valid) in rows {
        let config = Env::offline().with("TOKENS_PER_MINUTE", limit).config();
        let fault = config.err().map(|error| error.to_string());
        let is_named = fault.as_ref().is_some_and(|fault| {
            fault.contains("TOKENS_PER_MINUTE must be a whole number from 30, or 0 for no limit")
        });
        assert_eq!((fault.is_none(), is_named), (is_valid, !is_valid), "{limit}: {fault:?}");
    }
}

/// Whatever else is wrong with the request, the response is the same, byte for byte.
#[tokio::test]
async fn refused_request_learns_nothing_else() {
    let app = by_default().app();
    let bearer = token(&json!({}));
    let (_, refused) = issued_until_refused(&app, &json!({}), 0).await;
    for (row, call) in [
        ("not JSON", Call::bare().body("application/json", "{")),
        ("another media type", Call::bare().body("text/plain", "{}")),
        ("a body that is too long", Call::bare().body("application/json", "x".repeat(70_000))),
        ("another identity", Call::bare().json(&json!({ "participant_identity": "bob" }))),
        ("a room in the query", Call::bare().at("POST", "/token?room=x")),
    ] {
        let reply = call.bearer(&bearer).send(&app).await;
        reply.expect_problem(row, 429, "too_many_requests");
        assert_eq!(reply.text(), refused.text(), "{row}");
    }
}

#[tokio::test]
async fn only_requests_with_a_valid_token_for_token_are_counted() {
    let env = signed::env().without("TOKENS_PER_MINUTE");
    let app = env.app();
    for second in 0..100 {
        let expired = json!({ "exp": NOW - 60 });
        post_token(&app, &expired, 0).await.expect_problem("expired", 401, "token_expired");
        Call::bare().send(&app).await.expect_problem("no token", 401, "missing_token");
        let timestamp = (NOW - second).to_string();
        let backend = Signed { timestamp, ..Signed::new(&signed::body()) };
        assert_eq!(backend.call().send(&app).await.status, 200, "a backend");
    }
    assert_eq!(issued_until_refused(&app, &json!({}), 0).await.0, 60);
}

/// Two issuers may give two people one subject.
#[tokio::test]
async fn people_of_two_issuers_are_counted_apart() {
    let keys = key_set(&[&Key::rsa()]).to_string();
    let env = by_default()
        .without("OIDC_AUDIENCE")
        .without("OIDC_JWKS")
        .without("PROFILE_SOURCE")
        .with("OIDC_ISSUER", &format!("staff={ISSUER},guests=https://other.example/"))
        .with_all(&[
            ("OIDC_STAFF_AUDIENCE", "roomkey"),
            ("OIDC_STAFF_JWKS", &keys),
            ("OIDC_GUESTS_AUDIENCE", "roomkey"),
            ("OIDC_GUESTS_JWKS", &keys),
        ]);
    let app = env.app();
    for issuer in [ISSUER, "https://other.example/"] {
        let claims = merge(claims(), &json!({ "iss": issuer }));
        assert_eq!(issued_until_refused(&app, &claims, 0).await.0, 60, "{issuer}");
    }
}
