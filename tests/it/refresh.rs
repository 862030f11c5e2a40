//! Refreshes of keys and secret: how long a request waits, and what it uses if it waited in vain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Request;
use roomkey::App;
use roomkey::request_scope::RequestIds;
use serde_json::json;

use crate::support::{
    API_KEY, Call, Env, FakeIdp, FakeSecretsManager, Fault, Key, NOW, Reply, Route, SecretFault,
    at, decode_part, now,
};

const TTL: u64 = 600;

/// Issuer, secret and the warm app.
async fn started(hangs: bool) -> (FakeIdp, FakeSecretsManager, Arc<App>) {
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let env = Env::online(&idp).secret_in(&secrets).with("SECRET_TTL_SECONDS", "600");
    let app = env.app_if_it(hangs);
    app.warm_up(now()).await;
    (idp, secrets, app)
}

fn token(idp: &FakeIdp, key: &Key) -> String {
    idp.token_by(key, &json!({ "exp": NOW + 1_000_000 }))
}

async fn post_token(app: &Arc<App>, token: &str, second: u64) -> (Reply, Duration) {
    let started = Instant::now();
    let reply = Call::bare().bearer(token).send_at(app, at(NOW + second)).await;
    (reply, started.elapsed())
}

fn signer(reply: &Reply) -> String {
    decode_part(&reply.participant_token(), 1)["iss"].as_str().unwrap().to_owned()
}

const NEXT_SECRET: &str = "the-next-secret-of-32-bytes-or-more";

#[tokio::test]
async fn request_past_the_ttl_uses_the_refreshed_values() {
    for (second, is_refreshed) in [(TTL - 1, false), (TTL, true), (TTL + 1, true), (80_000, true)] {
        let (idp, secrets, app) = started(false).await;
        idp.publish(&[&Key::rsa_next()]);
        secrets.keep(FakeSecretsManager::secret("nextkey", NEXT_SECRET));
        let (old, _) = post_token(&app, &token(&idp, &Key::rsa()), second).await;
        let (new, _) = post_token(&app, &token(&idp, &Key::rsa_next()), second).await;
        if is_refreshed {
            old.expect_problem("the withdrawn key", 401, "invalid_token");
            assert_eq!(signer(&new), "nextkey", "{second} s");
        } else {
            assert_eq!(signer(&old), API_KEY, "{second} s");
        }
    }
}

#[tokio::test]
async fn request_waits_one_second_at_most_for_a_refresh() {
    for (latency, is_refreshed) in [(400, true), (1_600, false)] {
        let (idp, secrets, app) = started(false).await;
        idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
        idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(latency)));
        secrets.keep(FakeSecretsManager::secret("nextkey", NEXT_SECRET));
        secrets.inject(SecretFault::Slow(latency));
        let (reply, took) = post_token(&app, &token(&idp, &Key::rsa()), TTL).await;
        let expected = if is_refreshed { "nextkey" } else { API_KEY };
        assert_eq!(signer(&reply), expected, "{latency} ms: {took:?}");
        assert!(took < Duration::from_millis(1_550), "{latency} ms: {took:?}");
        let waited = Duration::from_millis(latency.min(1_000));
        assert!(took >= waited && took < 2 * waited, "side by side, {latency} ms: {took:?}");
    }
}

#[tokio::test]
async fn metadata_is_refreshed_beside_the_keys() {
    let (idp, secrets, app) = started(false).await;
    let latency = Duration::from_millis(300);
    idp.inject(Route::Discovery, Fault::Slow(latency));
    idp.inject(Route::Jwks, Fault::Slow(latency));
    secrets.inject(SecretFault::Slow(300));
    let (reply, took) = post_token(&app, &token(&idp, &Key::rsa()), 3_600).await;
    reply.expect_issued("an hour later");
    assert!(took < 2 * latency, "one round trip: {took:?}");
    assert_eq!((idp.counts(), secrets.asked().len()), ((2, 2, 0), 2));
}

#[tokio::test]
async fn keys_follow_the_metadata_to_another_address() {
    let (idp, _secrets, app) = started(false).await;
    let other = FakeIdp::start();
    other.publish(&[&Key::rsa_next()]);
    idp.describe(&json!({ "jwks_uri": other.url("/keys") }));
    let (old, _) = post_token(&app, &token(&idp, &Key::rsa()), 3_600).await;
    old.expect_problem("keys of the former address", 401, "invalid_token");
    let (new, _) = post_token(&app, &token(&idp, &Key::rsa_next()), 3_600).await;
    new.expect_issued("keys of the new address");
}

#[tokio::test]
async fn slow_metadata_does_not_delay_the_keys() {
    let (idp, _secrets, app) = started(false).await;
    idp.publish(&[&Key::rsa_next()]);
    idp.inject(Route::Discovery, Fault::Hang);
    let (reply, took) = post_token(&app, &token(&idp, &Key::rsa()), 3_600).await;
    reply.expect_problem("the withdrawn key", 401, "invalid_token");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn failed_refresh_is_repeated_after_the_cooldown_and_not_before() {
    let faults = [("500", Fault::Status(500)), ("a page", Fault::Html), ("never", Fault::Hang)];
    for (name, fault) in faults {
        let (idp, _secrets, app) = started(fault.hangs()).await;
        idp.inject(Route::Jwks, fault);
        let token = token(&idp, &Key::rsa());
        for (second, fetches) in [(0, 2), (1, 2), (9, 2), (10, 3), (19, 3), (20, 4)] {
            let (reply, _) = post_token(&app, &token, TTL + second).await;
            reply.expect_issued(name);
            assert_eq!(idp.counts().1, fetches, "{name}: after {second} s");
        }
        idp.restore(Route::Jwks);
        idp.publish(&[&Key::rsa_next()]);
        let (reply, _) = post_token(&app, &token, TTL + 29).await;
        reply.expect_issued("on cool-down");
        let (reply, _) = post_token(&app, &token, TTL + 30).await;
        reply.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn fifty_requests_share_one_refresh() {
    let (idp, secrets, app) = started(false).await;
    idp.publish(&[&Key::rsa_next()]);
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(100)));
    secrets.inject(SecretFault::Slow(100));
    let token = token(&idp, &Key::rsa());
    for (reply, _) in join_all((0..50).map(|_| post_token(&app, &token, TTL))).await {
        reply.expect_problem("the withdrawn key", 401, "invalid_token");
    }
    assert_eq!((idp.counts().1, secrets.asked().len()), (2, 2));
}

/// A request with little time left uses half of it to wait.
#[tokio::test]
async fn request_keeps_time_to_respond_with_the_last_value() {
    let (idp, _secrets, app) = started(false).await;
    idp.inject(Route::Jwks, Fault::Hang);
    let bearer = format!("Bearer {}", token(&idp, &Key::rsa()));
    for (budget, second) in [(800, TTL), (400, TTL + 10)] {
        let request = Request::post("/token").header("authorization", &bearer);
        let request = request.body(Vec::new()).unwrap();
        let budget = Duration::from_millis(budget);
        let ids = RequestIds::default();
        let response = app.endpoint().handle(request, ids, at(NOW + second), budget).await;
        assert_eq!(response.status(), 201, "{budget:?}");
    }
}

/// A request whose time ends does not cancel the fetch for other requests.
#[tokio::test]
async fn canceled_request_does_not_cancel_the_fetch_of_others() {
    let idp = FakeIdp::start();
    let app = Env::online(&idp).app();
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(400)));
    let token = token(&idp, &Key::rsa());
    let canceled = tokio::time::timeout(Duration::from_millis(100), post_token(&app, &token, 0));
    let (canceled, (reply, _)) = tokio::join!(canceled, post_token(&app, &token, 0));
    assert!(canceled.is_err());
    reply.expect_issued("the other request");
    assert_eq!(idp.counts(), (1, 1, 0));
}
