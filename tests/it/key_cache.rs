//! The conditions of a fetch of the key set.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use roomkey::App;
use serde_json::json;

use crate::support::{Call, Env, FakeIdp, Fault, Key, NOW, Reply, Route, at, claims, merge, now};

const DAY: u64 = 86_400;

/// A token of `key` with this `kid`, valid for a week.
fn long_lived_token(idp: &FakeIdp, key: &Key, kid: &str) -> String {
    let change = json!({ "iss": idp.issuer(), "exp": NOW + 7 * DAY });
    key.sign(&merge(key.header(), &json!({ "kid": kid })), &merge(claims(), &change))
}

/// The response to that token `after` seconds from the start.
async fn post_token(app: &Arc<App>, token: &str, after: u64) -> Reply {
    Call::bare().bearer(token).send_at(app, at(NOW + after)).await
}

async fn start(env: &Env) -> Arc<App> {
    let app = env.app();
    app.warm_up(now()).await;
    app
}

#[tokio::test]
async fn key_set_is_fetched_once_for_fifty_cold_requests() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(200)));
    let app = Env::online(&idp).app();
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    let replies = join_all((0..50).map(|_| post_token(&app, &token, 0))).await;
    for reply in replies {
        reply.expect_issued("one of fifty");
    }
    assert_eq!(idp.counts(), (1, 1, 0));
}

#[tokio::test]
async fn failed_key_set_fetch_is_shared_by_fifty_cold_requests() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Status(500));
    let app = Env::online(&idp).app();
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    for reply in join_all((0..50).map(|_| post_token(&app, &token, 0))).await {
        reply.expect_problem("one of fifty", 503, "unavailable");
    }
    assert_eq!(idp.counts(), (1, 1, 0));
}

#[tokio::test]
async fn canceled_request_does_not_fail_the_next_one() {
    let idp = FakeIdp::start();
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(200)));
    let app = Env::online(&idp).app();
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    let first = tokio::time::timeout(Duration::from_millis(50), post_token(&app, &token, 0));
    assert!(first.await.is_err(), "it went away while the keys were fetched");
    post_token(&app, &token, 11).await.expect_issued("the next caller");
}

#[tokio::test]
async fn key_set_is_not_refetched_within_ttl() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    for after in [0, 1, 11, 300, 599] {
        post_token(&app, &token, after).await.expect_issued("a known key");
    }
    assert_eq!(idp.counts().1, 1);
    post_token(&app, &token, 601).await.expect_issued("over ten minutes old");
    assert_eq!(idp.counts().1, 2);
    post_token(&app, &token, 900).await.expect_issued("young again");
    assert_eq!(idp.counts().1, 2);
}

#[tokio::test]
async fn key_set_is_refetched_once_per_cooldown_for_an_unknown_kid() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let unknown = |name: &str| long_lived_token(&idp, &Key::rsa(), name);
    for after in [0, 1, 9] {
        let reply = post_token(&app, &unknown("a"), after).await;
        reply.expect_problem("the set was fetched just now", 401, "invalid_token");
    }
    assert_eq!(idp.counts().1, 1, "init counts too");
    post_token(&app, &unknown("a"), 11).await.expect_problem("asked again", 401, "invalid_token");
    assert_eq!(idp.counts().1, 2);
    for after in [11, 12, 20] {
        let reply = post_token(&app, &unknown("b"), after).await;
        reply.expect_problem("another unknown name", 401, "invalid_token");
    }
    assert_eq!(idp.counts().1, 2);
    post_token(&app, &unknown("b"), 22).await.expect_problem("asked again", 401, "invalid_token");
    assert_eq!(idp.counts().1, 3);
    assert_eq!(idp.strays(), Vec::<String>::new(), "a name is never an address");
}

#[tokio::test]
async fn key_set_is_refetched_once_for_three_hundred_unknown_kids() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let good = long_lived_token(&idp, &Key::rsa(), "rsa");
    for round in 0..300 {
        let reply =
            post_token(&app, &long_lived_token(&idp, &Key::rsa(), &format!("kid-{round}")), 11)
                .await;
        reply.expect_problem("a made-up name", 401, "invalid_token");
        if round % 50 == 0 {
            post_token(&app, &good, 11).await.expect_issued("a known key meanwhile");
        }
    }
    assert!(idp.counts().1 <= 2, "{:?}", idp.counts());
    idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    post_token(&app, &next, 22).await.expect_issued("a real rotation, right after the cool-down");
}

#[tokio::test]
async fn key_set_fetch_is_shared_by_concurrent_unknown_kids() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let tokens: Vec<_> =
        (0..40).map(|n| long_lived_token(&idp, &Key::rsa(), &format!("kid-{n}"))).collect();
    for reply in join_all(tokens.iter().map(|token| post_token(&app, token, 11))).await {
        reply.expect_problem("a made-up name", 401, "invalid_token");
    }
    assert_eq!(idp.counts().1, 2);
}

#[tokio::test]
async fn key_set_cooldown_is_configurable() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp).with("JWKS_COOLDOWN_SECONDS", "30")).await;
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    idp.publish(&[&Key::rsa_next()]);
    post_token(&app, &next, 29).await.expect_problem("resting", 401, "invalid_token");
    post_token(&app, &next, 31).await.expect_issued("rested");
}

#[tokio::test]
async fn key_set_ttl_is_configurable() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp).with("JWKS_TTL_SECONDS", "60")).await;
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    post_token(&app, &token, 59).await.expect_issued("young");
    assert_eq!(idp.counts().1, 1);
    post_token(&app, &token, 61).await.expect_issued("old");
    assert_eq!(idp.counts().1, 2);
}

#[tokio::test]
async fn new_key_is_accepted_and_withdrawn_key_is_rejected_after_ttl() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let old = long_lived_token(&idp, &Key::rsa(), "rsa");
    let new = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    idp.publish(&[&Key::rsa_next(), &Key::rsa()]);
    post_token(&app, &new, 11).await.expect_issued("the new key");
    post_token(&app, &old, 11).await.expect_issued("the old one, while both are shown");
    idp.publish(&[&Key::rsa_next()]);
    post_token(&app, &old, 700).await.expect_problem("withdrawn", 401, "invalid_token");
    post_token(&app, &new, 700).await.expect_issued("the new key");
    assert_eq!(idp.counts().1, 3, "over ten minutes old");
}

#[tokio::test]
async fn unknown_kid_is_answered_503_while_the_issuer_is_down() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let good = long_lived_token(&idp, &Key::rsa(), "rsa");
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    idp.inject(Route::Jwks, Fault::Status(500));
    post_token(&app, &next, 11).await.expect_problem("asked in vain", 503, "unavailable");
    assert_eq!(idp.counts().1, 2);
    for after in [12, 20] {
        post_token(&app, &next, after).await.expect_problem("resting", 503, "unavailable");
        post_token(&app, &good, after).await.expect_issued("a known key");
    }
    assert_eq!(idp.counts().1, 2);
    idp.restore(Route::Jwks);
    idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
    post_token(&app, &next, 22).await.expect_issued("mended");
}

#[tokio::test]
async fn cold_start_recovers_after_an_outage_of_the_issuer() {
    let idp = FakeIdp::start();
    idp.down();
    let app = start(&Env::online(&idp)).await;
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    post_token(&app, &token, 1).await.expect_problem("down", 503, "unavailable");
    idp.up();
    post_token(&app, &token, 5).await.expect_problem("resting", 503, "unavailable");
    assert_eq!(idp.counts(), (0, 0, 0));
    post_token(&app, &token, 11).await.expect_issued("rested");
    assert_eq!(idp.counts(), (1, 1, 0));
}

#[tokio::test]
async fn stale_key_set_is_used_for_a_day_and_no_longer() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    idp.down();
    for after in [601, 3_600, DAY / 2, DAY - 10] {
        post_token(&app, &token, after).await.expect_issued("the issuer is down");
    }
    post_token(&app, &token, DAY + 20).await.expect_problem("a day old", 503, "unavailable");
    idp.up();
    post_token(&app, &token, DAY + 40).await.expect_issued("up again");
}

#[tokio::test]
async fn key_set_fetch_is_retried_on_a_closed_connection() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    let token = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    idp.down();
    idp.up();
    idp.publish(&[&Key::rsa_next()]);
    post_token(&app, &token, 11).await.expect_issued("over a new connection");
}

#[tokio::test]
async fn key_set_fetch_sends_nothing_of_the_request() {
    let idp = FakeIdp::start();
    let app = start(&Env::online(&idp)).await;
    post_token(&app, &long_lived_token(&idp, &Key::rsa(), "https://evil.example/x?y"), 11).await;
    for route in [Route::Discovery, Route::Jwks] {
        for asked in idp.asked(route) {
            for header in ["authorization", "cookie", "referer", "accept-encoding"] {
                assert!(!asked.headers.contains_key(header), "{route:?} {header}");
            }
            assert!(!asked.target.contains("evil"), "{}", asked.target);
        }
    }
}
