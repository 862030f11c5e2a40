//! The API key and its secret from Secrets Manager: when it is asked, and what for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use roomkey::App;
use serde_json::json;

use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeSecretsManager, NOW, Reply, SecretFault, at, now, token,
};

const DAY: u64 = 86_400;
const NEW_SECRET: &str = "a-new-secret-of-at-least-32-bytes!";

async fn start(secrets: &FakeSecretsManager) -> Arc<App> {
    let app = Env::offline().secret_in(secrets).app();
    app.warm_up(now()).await;
    app
}

/// What a caller gets `after` seconds from the start.
async fn post_token(app: &Arc<App>, after: u64) -> Reply {
    let token = token(&json!({ "exp": NOW + 7 * DAY }));
    Call::bare().bearer(&token).send_at(app, at(NOW + after)).await
}

/// How often the secret was read so far, once background work is done.
async fn reads(secrets: &FakeSecretsManager, expected: usize) -> usize {
    for _ in 0..100 {
        if secrets.asked().len() >= expected {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(30)).await;
    secrets.asked().len()
}

#[tokio::test]
async fn is_read_once_during_init_as_the_current_version() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    assert_eq!(secrets.asked().len(), 1, "during init");
    for after in [0, 1, 60, 299] {
        let reply = post_token(&app, after).await;
        assert_eq!(reply.participant()["iss"], API_KEY);
        assert_eq!(reply.json()["server_url"], "wss://livekit.example");
    }
    let asked = secrets.asked();
    assert_eq!(asked.len(), 1, "and not by a request");
    assert_eq!(asked[0].body, json!({ "SecretId": "prod/livekit", "VersionStage": "AWSCURRENT" }));
    let authorization = asked[0].headers["authorization"].to_str().unwrap();
    assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert!(authorization.contains("/eu-central-1/secretsmanager/aws4_request"));
    assert_eq!(asked[0].headers["x-amz-security-token"], "session-token");
}

#[tokio::test]
async fn is_read_once_for_fifty_cold_callers() {
    let secrets = FakeSecretsManager::start();
    secrets.inject(SecretFault::Slow(200));
    let app = Env::offline().secret_in(&secrets).app();
    for reply in join_all((0..50).map(|_| post_token(&app, 0))).await {
        reply.expect_issued("one of fifty");
    }
    assert_eq!(secrets.asked().len(), 1);
}

#[tokio::test]
async fn is_not_read_for_a_caller_who_is_refused() {
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).app();
    Call::bare().send(&app).await.expect_problem("no token", 401, "missing_token");
    Call::bare().bearer("a.b.c").send(&app).await.expect_problem("bad", 401, "invalid_token");
    Call::bare().at("GET", "/health").send(&app).await;
    assert_eq!(secrets.asked().len(), 0);
}

#[tokio::test]
async fn may_leave_the_url_to_the_environment() {
    let secrets = FakeSecretsManager::start();
    secrets.keep(json!({ "LIVEKIT_API_KEY": API_KEY, "LIVEKIT_API_SECRET": API_SECRET }));
    let env = Env::offline().secret_in(&secrets).with("LIVEKIT_URL", "wss://env.example");
    let app = env.app();
    app.warm_up(now()).await;
    assert_eq!(post_token(&app, 0).await.json()["server_url"], "wss://env.example");
}

#[tokio::test]
async fn may_hold_more_than_we_read() {
    let secrets = FakeSecretsManager::start();
    let mut secret = FakeSecretsManager::secret(API_KEY, API_SECRET);
    secret["LIVEBLOCKS_SECRET_KEY"] = json!("sk_dev_x");
    secret["SOMETHING_ELSE"] = json!([1, null]);
    secrets.keep(secret);
    post_token(&start(&secrets).await, 0).await.expect_issued("more members");
}

#[tokio::test]
async fn is_rotated_as_one_pair() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    secrets.keep(FakeSecretsManager::secret("newkey", NEW_SECRET));
    assert_eq!(post_token(&app, 299).await.participant()["iss"], API_KEY, "not yet due");
    assert_eq!(reads(&secrets, 2).await, 1);
    post_token(&app, 301).await.expect_issued("due");
    assert_eq!(reads(&secrets, 2).await, 2);
    for after in [302, 500] {
        let reply = post_token(&app, after).await;
        assert_eq!(reply.participant_signed_with(NEW_SECRET)["iss"], "newkey");
    }
    assert_eq!(reads(&secrets, 3).await, 2);
}

#[tokio::test]
async fn its_age_is_configured() {
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).with("SECRET_TTL_SECONDS", "60").app();
    app.warm_up(now()).await;
    post_token(&app, 59).await.expect_issued("young");
    assert_eq!(reads(&secrets, 2).await, 1);
    post_token(&app, 61).await.expect_issued("old");
    assert_eq!(reads(&secrets, 2).await, 2);
}

#[tokio::test]
async fn is_asked_for_again_no_more_than_every_ten_seconds() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    secrets.inject(SecretFault::Error("ThrottlingException"));
    for after in [301, 302, 305, 310] {
        assert_eq!(
            post_token(&app, after).await.participant()["iss"],
            API_KEY,
            "the last good one"
        );
        assert_eq!(reads(&secrets, 2).await, 2, "after {after} s");
    }
    post_token(&app, 312).await.expect_issued("rested");
    assert_eq!(reads(&secrets, 3).await, 3);
    secrets.restore();
    secrets.keep(FakeSecretsManager::secret("newkey", NEW_SECRET));
    post_token(&app, 323).await;
    assert_eq!(reads(&secrets, 4).await, 4);
    let reply = post_token(&app, 324).await;
    assert_eq!(reply.participant_signed_with(NEW_SECRET)["iss"], "newkey", "it is well again");
}

#[tokio::test]
async fn serves_for_a_day_and_no_longer_while_nobody_answers() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    secrets.down();
    for after in [301, 3_600, DAY / 2, DAY - 20] {
        post_token(&app, after).await.expect_issued("the last good one");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    post_token(&app, DAY + 20).await.expect_problem("a day old", 503, "unavailable");
    secrets.up();
    post_token(&app, DAY + 40).await.expect_issued("up again");
}
