//! Faults of UserInfo.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeIdp, Fault, NOW, Reply, Route, at, four_at_a_time, now};

/// The response to a caller without a name during `fault`, and ten seconds later without it.
async fn with(fault: Fault) -> (FakeIdp, Reply, Reply) {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app_if_it(fault.hangs());
    app.warm_up(now()).await;
    idp.inject(Route::UserInfo, fault);
    let started = Instant::now();
    let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    idp.restore(Route::UserInfo);
    let next = Call::bare().bearer(&idp.bare_token()).send_at(&app, at(NOW + 10)).await;
    (idp, reply, next)
}

#[tokio::test]
async fn userinfo_fault_is_answered_503() {
    let elsewhere = FakeIdp::start();
    #[rustfmt::skip]
    let rows = vec![
        ("500",               Fault::Status(500)),
        ("502",               Fault::Status(502)),
        ("503",               Fault::Status(503)),
        ("429",               Fault::Status(429)),
        ("a page",            Fault::Html),
        ("nothing",           Fault::Bytes(Vec::new())),
        ("not JSON",          Fault::Bytes(b"{\"sub\":".to_vec())),
        ("not UTF-8",         Fault::Bytes(b"{\"sub\":\"\xff\"}".to_vec())),
        ("a signed answer",   Fault::Bytes(b"eyJhbGciOiJSUzI1NiJ9.e30.AAAA".to_vec())),
        ("null",              Fault::Json(Value::Null)),
        ("a list",            Fault::Json(json!([]))),
        ("too large",         Fault::Padded(150_001)),
        ("without end",       Fault::Endless),
        ("cut off",           Fault::Truncated),
        ("a redirect",        Fault::Redirect(elsewhere.url("/userinfo"))),
        ("never",             Fault::Hang),
        ("a byte at a time",  Fault::Drip),
    ];
    four_at_a_time(rows.into_iter().map(async |(name, fault)| {
        let (_idp, reply, next) = with(fault).await;
        reply.expect_problem(name, 503, "unavailable");
        assert_eq!(next.participant()["name"], "Ada from UserInfo", "{name}: forgotten");
    }))
    .await;
    assert_eq!(elsewhere.counts(), (0, 0, 0), "nobody follows a redirect");
    let (_idp, reply, _) = with(Fault::Padded(150_000)).await;
    reply.expect_issued("150,000 bytes");
}

#[tokio::test]
async fn userinfo_retry_after_is_passed_on_within_bounds() {
    for (value, expected) in [
        ("7", Some("7")),
        ("1", Some("1")),
        ("30", Some("30")),
        ("0", None),
        ("31", None),
        ("3600", None),
        ("-5", None),
        ("soon", None),
        ("7, 8", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ] {
        for status in [429, 503] {
            let (_idp, reply, _) = with(Fault::RetryAfter(status, value)).await;
            reply.expect_problem(value, 503, "unavailable");
            if expected.is_some() {
                assert_eq!(reply.header("retry-after"), expected, "{status} {value}");
            }
        }
    }
}

#[tokio::test]
async fn userinfo_response_about_the_caller_decides_the_error() {
    #[rustfmt::skip]
    let rows = [
        ("401",                Fault::Status(401),                                           401, "invalid_token"),
        ("403",                Fault::Status(403),                                           401, "invalid_token"),
        ("404",                Fault::Status(404),                                           404, "user_not_found"),
        ("somebody else",      Fault::Json(json!({ "sub": "user-2", "email": "evil@example.com", "email_verified": true, "name": "Eve" })), 401, "invalid_token"),
        ("almost the same",    Fault::Json(json!({ "sub": "USER-1", "email": "evil@example.com", "email_verified": true, "name": "Eve" })), 401, "invalid_token"),
        ("nobody",             Fault::Json(json!({ "email": "evil@example.com", "email_verified": true, "name": "Eve" })), 401, "invalid_token"),
        ("sub a number",       Fault::Json(json!({ "sub": 1, "email": "evil@example.com", "email_verified": true })), 401, "invalid_token"),
    ];
    for (name, fault, status, code) in rows {
        let (_idp, reply, next) = with(fault).await;
        reply.expect_problem(name, status, code);
        if code == "user_not_found" {
            assert_eq!(reply.json()["title"], "User not found");
        }
        if status == 401 {
            let got = next.participant()["sub"].clone();
            assert_eq!(got, "ada@example.com", "{name}: nothing of it was kept");
        }
    }
}

#[tokio::test]
async fn userinfo_recovers_after_refused_connections() {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app();
    app.warm_up(now()).await;
    idp.down();
    let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
    reply.expect_problem("down", 503, "unavailable");
    let reply = Call::bare().bearer(&idp.token(&json!({}))).send(&app).await;
    reply.expect_issued("who needs no UserInfo is served");
    idp.up();
    let reply = Call::bare().bearer(&idp.bare_token()).send_at(&app, at(NOW + 10)).await;
    reply.expect_issued("up again");
}

#[tokio::test]
async fn unusable_endpoint_in_discovery_is_not_called() {
    let (without_tls, relative) = ("http://192.0.2.1/u", "userinfo");
    for (name, endpoint) in [
        ("no endpoint", Value::Null),
        ("an endpoint without TLS", json!(without_tls)),
        ("a relative endpoint", json!(relative)),
    ] {
        let idp = FakeIdp::start();
        idp.describe(&json!({ "userinfo_endpoint": endpoint }));
        let app = Env::online(&idp).app();
        app.warm_up(now()).await;
        let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
        reply.expect_problem(name, 404, "email_not_set");
        assert_eq!(idp.counts().2, 0, "{name}");
    }
}

/// `Retry-After` is at most 30 s, even if the cool-down is longer.
#[tokio::test]
async fn retry_after_is_at_most_thirty_seconds() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Status(500));
    let app = Env::online(&idp).with("JWKS_COOLDOWN_SECONDS", "3600").app();
    app.warm_up(now()).await;
    let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
    reply.expect_problem("a long rest", 503, "unavailable");
}

/// One request to UserInfo serves all callers that wait meanwhile, and so does one refusal.
#[tokio::test]
async fn userinfo_response_is_shared_by_concurrent_requests() {
    for (name, fault, status) in [
        ("well", None, 201),
        ("500", Some(Fault::Status(500)), 503),
        ("refused", Some(Fault::Status(401)), 401),
    ] {
        let idp = FakeIdp::start();
        let app = Env::online(&idp).app();
        app.warm_up(now()).await;
        if let Some(fault) = fault {
            idp.inject(Route::UserInfo, fault);
        }
        let token = idp.bare_token();
        let calls = (0..50).map(|_| Call::bare().bearer(&token).send(&app));
        for reply in join_all(calls).await {
            assert_eq!(reply.status, status, "{name}: {}", reply.text());
        }
        assert_eq!(idp.counts().2, 1, "{name}: asked once for fifty");
    }
}
