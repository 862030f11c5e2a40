//! The function's own binary over Lambda's Runtime API: start, log, deadline, end.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::{
    API_SECRET, Bootstrap, Env, FakeIdp, FakeSecretsManager, Fault, Outcome, Route, SecretFault,
    extend, today, token,
};

fn event() -> Value {
    Wire::token(&token(&today()), &json!({ "room_name": "standup" })).http_api()
}

/// An event whose caller has no name, so that UserInfo is requested.
fn event_for_userinfo(idp: &FakeIdp, subject: &str) -> Value {
    let change = json!({ "sub": subject, "name": null });
    Wire::token(&idp.token(&extend(today(), &change)), &json!({})).http_api()
}

#[tokio::test]
async fn binary_answers_and_logs_one_line_per_request() {
    let mut function = Bootstrap::start(&Env::offline());
    function.answer("cold", &event()).await.expect_issued("cold");
    function.answer("warm", &event()).await.expect_issued("warm");
    let refused = Wire::token("a.b.c", &json!({})).http_api();
    function.answer("refused", &refused).await.expect_problem("refused", 401, "invalid_token");
    let health = Wire::token("", &json!({})).at("GET", "/health").http_api();
    assert_eq!(function.answer("health", &health).await.status, 200);
    assert!(function.is_alive());

    let logs = function.request_logs(4).await;
    assert_eq!(logs.len(), 4, "{}", function.output());
    let issued = &logs[0];
    assert_eq!((&issued["status"], &issued["cold_start"]), (&json!(201), &json!(true)), "{issued}");
    assert_eq!((&issued["room"], &issued["role"]), (&json!("standup"), &json!("participant")));
    assert!(issued["duration_ms"].is_number(), "{issued}");
    for field in ["outcome", "route", "subject", "jti"] {
        assert!(issued[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {issued}");
    }
    assert_eq!(logs[1]["cold_start"], false, "only the first");
    assert_eq!(logs[1]["subject"], issued["subject"], "the same person, the same hash");
    assert_eq!((&logs[2]["status"], &logs[2]["code"]), (&json!(401), &json!("invalid_token")));
    assert!(logs[2]["reason"].is_string(), "why, for the operator: {}", logs[2]);
    assert_eq!(logs[3]["status"], 200);
}

#[tokio::test]
async fn log_contains_no_secret_and_no_personal_data() {
    join_all(["", "debug", "trace"].map(logs_hold_no_secret_and_no_person)).await;
}

async fn logs_hold_no_secret_and_no_person(level: &str) {
    let idp = FakeIdp::start();
    let secrets = FakeSecretsManager::start();
    let env = Env::online(&idp).secret_in(&secrets).with("RUST_LOG", level);
    let function = Bootstrap::start(&env);
    let bearer = idp.token(&today());
    let nameless = idp.token(&extend(today(), &json!({ "name": null })));
    let spoiled = idp.token(&extend(today(), &json!({ "sub": "user-2", "name": null })));
    let expired = idp.token(&json!({ "exp": 0 }));
    let body = json!({ "participant_metadata": "Zx9marker" });
    for token in [&bearer, &nameless, &expired] {
        function.answer("a", &Wire::token(token, &body).http_api()).await;
        let bad = Wire::token(token, &body).text("{\"Zx9marker\"");
        function.answer("b", &bad.http_api()).await;
        let forbidden =
            json!({ "participant_identity": "Zx9marker", "participant_name": "Zx9marker" });
        function.answer("c", &Wire::token(token, &forbidden).http_api()).await;
    }
    idp.inject(Route::UserInfo, Fault::Bytes(b"Zx9marker".to_vec()));
    function.answer("d", &Wire::token(&spoiled, &body).http_api()).await;
    let undecodable = Wire::token(&bearer, &body).base64("Zx9marker!");
    function.answer("e", &undecodable.http_api()).await;
    let logs = function.request_logs(11).await;
    assert_eq!(logs.len(), 11, "{}", function.output());
    let output = function.output();
    for secret in [
        API_SECRET,
        "Zx9marker",
        "eyJ",
        "ada@example.com",
        "Ada Lovelace",
        "Ada from",
        "user-1",
        "user-2",
        "wJalrXUtnFEMI",
        "session-token",
        "img.example",
    ] {
        assert!(!output.contains(secret), "{level}: {secret} in\n{output}");
    }
}

#[tokio::test]
async fn keys_and_secret_are_fetched_concurrently_during_init() {
    let idp = FakeIdp::start();
    let secrets = FakeSecretsManager::start();
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_secs(1)));
    secrets.inject(SecretFault::Slow(1_000));
    let env = Env::online(&idp).secret_in(&secrets).with("OIDC_JWKS_URI", &idp.url("/keys"));
    let function = Bootstrap::start(&env);
    let init = function.init_time().await;
    assert!(init >= Duration::from_secs(1), "during init: {init:?}");
    assert!(init < Duration::from_millis(1_800), "side by side: {init:?}");
    let bearer = idp.token(&today());
    let event = Wire::token(&bearer, &json!({})).http_api();
    let started = Instant::now();
    function.answer("first", &event).await.expect_issued("first");
    assert!(started.elapsed() < Duration::from_millis(700), "nothing is left to fetch");
    function.answer("second", &event).await.expect_issued("second");
    assert_eq!((idp.counts(), secrets.asked().len()), ((0, 1, 0), 1));
}

#[tokio::test]
async fn binary_starts_during_an_outage_and_recovers() {
    let idp = FakeIdp::start();
    idp.down();
    let mut function = Bootstrap::start(&Env::online(&idp).with("JWKS_COOLDOWN_SECONDS", "1"));
    let bearer = idp.token(&today());
    let event = Wire::token(&bearer, &json!({})).http_api();
    function.answer("down", &event).await.expect_problem("down", 503, "unavailable");
    let health = Wire::token("", &json!({})).at("GET", "/health").http_api();
    assert_eq!(function.answer("health", &health).await.status, 200);
    idp.up();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    function.answer("up", &event).await.expect_issued("up");
    assert!(function.is_alive());
}

#[tokio::test]
async fn response_is_sent_before_the_deadline_of_the_invocation() {
    let idp = FakeIdp::start();
    let function = Bootstrap::start(&Env::online(&idp));
    function.init_time().await;
    idp.inject(Route::UserInfo, Fault::Hang);
    for deadline in [400, 1_000, 2_000] {
        let event = event_for_userinfo(&idp, "user-1").to_string();
        let deadline = Duration::from_millis(deadline);
        let started = Instant::now();
        let outcome = function.invoke_within(event, deadline).await;
        assert!(started.elapsed() < deadline, "{deadline:?}: {:?}", started.elapsed());
        let reply = outcome.reply("hanging");
        reply.expect_problem(&format!("{deadline:?}"), 503, "unavailable");
    }
}

#[tokio::test]
async fn request_takes_at_most_five_seconds() {
    let idp = FakeIdp::start();
    let secrets = FakeSecretsManager::start();
    let function = Bootstrap::start(&Env::online(&idp).secret_in(&secrets));
    function.init_time().await;
    idp.inject(Route::UserInfo, Fault::Hang);
    let started = Instant::now();
    let event = event_for_userinfo(&idp, "user-1").to_string();
    let outcome = function.invoke_within(event, Duration::from_secs(30)).await;
    assert!(started.elapsed() < Duration::from_millis(5_300), "{:?}", started.elapsed());
    outcome.reply("hanging").expect_problem("hanging", 503, "unavailable");
}

#[tokio::test]
async fn binary_serves_concurrent_requests_if_lambda_allows_them() {
    let idp = FakeIdp::start();
    let env = Env::online(&idp).with("AWS_LAMBDA_MAX_CONCURRENCY", "4");
    let function = Bootstrap::start(&env);
    function.init_time().await;
    idp.inject(Route::UserInfo, Fault::Slow(Duration::from_millis(700)));
    let events: Vec<_> = (0..4).map(|n| event_for_userinfo(&idp, &format!("user-{n}"))).collect();
    let started = Instant::now();
    let replies = join_all(events.iter().map(|event| function.answer("together", event))).await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    for reply in replies {
        reply.expect_issued("together");
    }
}

#[tokio::test]
async fn binary_does_not_start_with_an_invalid_configuration() {
    let env = Env::offline().without("OIDC_JWKS").with_all(&[
        ("OIDC_ISSUER", "Zx9marker"),
        ("OIDC_AUDIENCE", ""),
        ("TOKEN_TTL_SECONDS", "Zx9marker"),
        ("PRESENCE_PALETTE", "Zx9marker"),
        ("LIVEKIT_API_SECRET", "Zx9marker"),
    ]);
    let mut function = Bootstrap::start(&env);
    let status = function.exit().await;
    assert!(!status.success(), "{status}");
    let output = function.output();
    for name in [
        "OIDC_ISSUER",
        "OIDC_AUDIENCE",
        "TOKEN_TTL_SECONDS",
        "PRESENCE_PALETTE",
        "LIVEKIT_API_SECRET",
    ] {
        assert!(output.contains(name), "{name}: {output}");
    }
    assert!(!output.contains("Zx9marker"), "{output}");
    assert!(!output.contains("panicked"), "{output}");
    assert!(function.init_errors() <= 1);
}

#[tokio::test]
async fn invocation_never_fails_on_a_client_error() {
    let function = Bootstrap::start(&Env::offline());
    for (name, body, status, code) in [
        ("a deep body", "[".repeat(60_000), 400, "invalid_request"),
        ("a large body", "x".repeat(1_000_000), 413, "content_too_large"),
        ("a body of quotes", "\"".repeat(10_000), 400, "invalid_request"),
    ] {
        let event = Wire::token(&token(&today()), &json!({})).text(&body).http_api();
        match function.invoke(&event).await {
            Outcome::Answer(reply) => reply.expect_problem(name, status, code),
            other => panic!("{name}: {other:?}"),
        };
    }
}
