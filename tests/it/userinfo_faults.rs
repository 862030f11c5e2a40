//! Every way in which UserInfo can fail.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeIdp, Fault, NOW, Reply, Route, at, extend, now};

/// What somebody gets who has to be looked up during `fault`, and ten seconds later without it.
async fn with(fault: Fault) -> (FakeIdp, Reply, Reply) {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app();
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
async fn are_no_reason_to_refuse_the_caller() {
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
    join_all(rows.into_iter().map(async |(name, fault)| {
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
async fn say_when_to_come_back() {
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
async fn that_are_about_the_caller() {
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
async fn that_refuse_the_connection() {
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
    for (name, change) in [
        ("no endpoint", json!({ "userinfo_endpoint": null })),
        ("an endpoint without TLS elsewhere", json!({ "userinfo_endpoint": "http://192.0.2.1/u" })),
        ("an endpoint that is none", json!({ "userinfo_endpoint": "userinfo" })),
    ] {
        let idp = FakeIdp::start();
        idp.describe(&change);
        let app = Env::online(&idp).app();
        app.warm_up(now()).await;
        let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
        assert!(matches!(reply.status, 404 | 503), "{name}: {} {}", reply.status, reply.text());
        assert_eq!(idp.counts().2, 0, "{name}");
    }
}

#[tokio::test]
async fn on_top_of_slow_keys_end_after_five_seconds() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(2_600)));
    idp.inject(Route::UserInfo, Fault::Hang);
    let app = Env::online(&idp).app();
    let started = Instant::now();
    let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
    reply.expect_problem("slow and hanging", 503, "unavailable");
    assert!(started.elapsed() < Duration::from_millis(5_300), "{:?}", started.elapsed());
}

/// However long we rest, a caller is never told to wait for more than half a minute.
#[tokio::test]
async fn of_keys_say_when_to_come_back() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Status(500));
    let app = Env::online(&idp).with("JWKS_COOLDOWN_SECONDS", "3600").app();
    app.warm_up(now()).await;
    let reply = Call::bare().bearer(&idp.bare_token()).send(&app).await;
    reply.expect_problem("a long rest", 503, "unavailable");
}

/// How long somebody is not looked up again, and whom else that concerns.
#[tokio::test]
async fn are_not_asked_for_again_at_once() {
    // The fault; then who asks next: the same person with the same token and with another, and
    // somebody else. `true` where the issuer is asked.
    #[rustfmt::skip]
    let rows = [
        ("503",           Fault::Status(503), [false, false, false]),
        ("502",           Fault::Status(502), [false, false, false]),
        ("504",           Fault::Status(504), [false, false, false]),
        ("429",           Fault::Status(429), [false, false, false]),
        ("never",         Fault::Hang,        [false, false, false]),
        ("500",           Fault::Status(500), [false, false, true]),
        ("501",           Fault::Status(501), [false, false, true]),
        ("505",           Fault::Status(505), [false, false, true]),
        ("a page",        Fault::Html,        [false, false, true]),
        ("404",           Fault::Status(404), [false, false, true]),
        ("401",           Fault::Status(401), [false, true, true]),
        ("somebody else", Fault::Json(json!({ "sub": "user-2" })), [false, true, true]),
    ];
    join_all(rows.into_iter().map(async |(name, fault, expected)| {
        for (who, expected) in ["again", "another token", "somebody else"].iter().zip(expected) {
            let idp = FakeIdp::start();
            let app = Env::online(&idp).app();
            app.warm_up(now()).await;
            let nobody = json!({ "name": null, "exp": NOW + 1_000 });
            let token = |change: Value| idp.token(&extend(nobody.clone(), &change));
            let first = token(json!({}));
            let next = match *who {
                "again" => first.clone(),
                "another token" => token(json!({ "jti": "another" })),
                _ => token(json!({ "sub": "user-3" })),
            };
            let post_token = async |token: &str, time| {
                Call::bare().bearer(token).send_at(&app, at(time)).await.status
            };
            idp.inject(Route::UserInfo, fault.clone());
            let told = post_token(&first, NOW).await;
            assert!(matches!(told, 401 | 404 | 503), "{name}: {told}");
            idp.restore(Route::UserInfo);
            let soon = post_token(&next, NOW + 9).await;
            let row = format!("{name}, {who}");
            assert_eq!(idp.counts().2, 1 + usize::from(expected), "{row}: within ten seconds");
            assert_eq!(soon == 201, expected, "{row}: {soon}");
            assert_eq!(post_token(&next, NOW + 10).await, 201, "{row}: after ten seconds");
            assert_eq!(idp.counts().2, 2, "{row}: and then once");
        }
    }))
    .await;
}

/// A clock that is set back makes nobody wait for longer.
#[tokio::test]
async fn end_where_the_clock_is_set_back() {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app();
    app.warm_up(now()).await;
    idp.inject(Route::UserInfo, Fault::Status(503));
    let token = idp.bare_token();
    let post_token = async |time| Call::bare().bearer(&token).send_at(&app, at(time)).await;
    post_token(NOW).await.expect_problem("down", 503, "unavailable");
    idp.restore(Route::UserInfo);
    post_token(NOW - 5).await.expect_problem("a little earlier", 503, "unavailable");
    post_token(NOW - 10).await.expect_issued("ten seconds earlier");
}

/// One question serves all who come meanwhile, and one refusal too.
#[tokio::test]
async fn and_answers_are_shared_by_all_who_wait() {
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
