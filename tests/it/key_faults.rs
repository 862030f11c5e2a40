//! Faults of an issuer's key set.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use roomkey::upstream::error::FetchError;
use roomkey::upstream::last_good::{LastGood, Limits};
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeIdp, Fault, NOW, Route, at, four_at_a_time, now};

fn faults(elsewhere: &FakeIdp) -> Vec<(&'static str, Fault)> {
    vec![
        ("500", Fault::Status(500)),
        ("503 with a day to wait", Fault::RetryAfter(503, "86400")),
        ("503 with a date to wait for", Fault::RetryAfter(503, "Wed, 21 Oct 2026 07:28:00 GMT")),
        ("429", Fault::Status(429)),
        ("404", Fault::Status(404)),
        ("204", Fault::Status(204)),
        ("401", Fault::Status(401)),
        ("a page", Fault::Html),
        ("nothing", Fault::Bytes(Vec::new())),
        ("not JSON", Fault::Bytes(b"{\"keys\":[".to_vec())),
        ("not UTF-8", Fault::Bytes(b"{\"keys\":[{\"kid\":\"\xff\"}]}".to_vec())),
        ("null", Fault::Json(Value::Null)),
        ("a list", Fault::Json(json!([]))),
        ("a text", Fault::Json(json!("keys"))),
        ("no keys", Fault::Json(json!({}))),
        ("keys null", Fault::Json(json!({ "keys": null }))),
        ("keys an object", Fault::Json(json!({ "keys": {} }))),
        ("an empty set", Fault::Json(json!({ "keys": [] }))),
        ("a set nobody can read", Fault::Json(json!({ "keys": [{ "kty": "X" }, 5] }))),
        ("compressed", Fault::Bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec())),
        ("one byte too many", Fault::Padded(150_001)),
        ("40 MB", Fault::Padded(40_000_000)),
        ("without end", Fault::Endless),
        ("cut off", Fault::Truncated),
        ("a redirect", Fault::Redirect(elsewhere.url("/keys"))),
        ("never", Fault::Hang),
        ("a byte at a time", Fault::Drip),
    ]
}

#[tokio::test]
async fn key_set_fault_is_answered_503_within_five_seconds_if_cold() {
    let elsewhere = FakeIdp::start();
    let rows = faults(&elsewhere).into_iter().map(async |(name, fault)| {
        let idp = FakeIdp::start();
        let app = Env::online(&idp).app_if_it(fault.hangs());
        idp.inject(Route::Jwks, fault);
        let started = Instant::now();
        let reply = Call::bare().bearer(&idp.token(&json!({}))).send(&app).await;
        reply.expect_problem(name, 503, "unavailable");
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
        assert_eq!(idp.counts().2, 0, "{name}: UserInfo was not asked");
        idp.restore(Route::Jwks);
        let call = Call::bare().bearer(&idp.token(&json!({})));
        call.send_at(&app, at(NOW + 11)).await.expect_issued(&format!("after {name}"));
    });
    four_at_a_time(rows).await;
    assert_eq!(elsewhere.counts(), (0, 0, 0), "nobody follows a redirect");
}

#[tokio::test]
async fn key_set_fault_does_not_affect_warm_requests() {
    let elsewhere = FakeIdp::start();
    let rows = faults(&elsewhere).into_iter().map(async |(name, fault)| {
        let idp = FakeIdp::start();
        let app = Env::online(&idp).app_if_it(fault.hangs());
        app.warm_up(now()).await;
        idp.inject(Route::Jwks, fault);
        let token = idp.token(&json!({ "exp": NOW + 100_000 }));
        for after in [700, 701, 720, 5_000, 5_100] {
            let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + after)).await;
            reply.expect_issued(name);
        }
    });
    four_at_a_time(rows).await;
    assert_eq!(elsewhere.counts(), (0, 0, 0), "nobody follows a redirect");
}

#[tokio::test]
async fn key_set_is_accepted_up_to_its_size_and_time_limits() {
    for (name, fault) in [
        ("a second", Fault::Slow(Duration::from_secs(1))),
        ("150,000 bytes", Fault::Padded(150_000)),
    ] {
        let idp = FakeIdp::start();
        idp.inject(Route::Jwks, fault);
        let app = Env::online(&idp).app();
        let reply = Call::bare().bearer(&idp.token(&json!({}))).send(&app).await;
        reply.expect_issued(name);
    }
}

/// A request with a known key never waits for one with an unknown key.
#[tokio::test]
async fn unknown_kid_does_not_delay_requests_with_a_known_key() {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app_if_it(true);
    app.warm_up(now()).await;
    idp.inject(Route::Jwks, Fault::Hang);
    let mut stranger = crate::support::Key::rsa_next();
    stranger.kid = "unknown";
    let unknown = idp.token_by(&stranger, &json!({}));
    let waiting = Call::bare().bearer(&unknown).send_at(&app, at(NOW + 11));
    let known = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = Instant::now();
        let call = Call::bare().bearer(&idp.token(&json!({})));
        call.send_at(&app, at(NOW + 11)).await.expect_issued("a known key");
        started.elapsed()
    };
    let (reply, waited) = tokio::join!(waiting, known);
    reply.expect_problem("the unknown key", 503, "unavailable");
    assert!(waited < Duration::from_millis(500), "{waited:?}");
}

/// If one upstream fails because of another, its cool-down is no longer than that of the other.
#[tokio::test]
async fn cooldown_of_a_dependent_fetch_is_that_of_its_dependency() {
    let limits = Limits {
        ttl: Duration::from_mins(10),
        cooldown: Duration::from_secs(10),
        max_age: Duration::from_hours(24),
    };
    let patience = Duration::from_secs(1);
    let is_well = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let discovery = {
        let (is_well, asked) = (Arc::clone(&is_well), Arc::clone(&asked));
        LastGood::new("discovery", limits, patience, move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            let found = is_well.load(Ordering::Relaxed).then_some(7);
            async move { found.ok_or(FetchError::Timeout) }
        })
    };
    let keys = {
        let discovery = discovery.clone();
        LastGood::new("keys", limits, patience, move |now| {
            let discovery = discovery.clone();
            async move { Ok(*discovery.get(now).await?) }
        })
    };
    discovery.get(at(NOW)).await.unwrap_err();
    for second in [1, 5, 9] {
        let error = keys.get(at(NOW + second)).await.unwrap_err();
        assert_eq!(error.upstream, "discovery", "who is down, and not who waits for it");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "it rests");
    is_well.store(true, Ordering::Relaxed);
    assert_eq!(*keys.get(at(NOW + 10)).await.unwrap(), 7, "as soon as it may be asked");
}
