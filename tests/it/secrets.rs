//! The API key and its secret from Secrets Manager, and the conditions of a request to it.

use std::sync::Arc;

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

/// The response `after` seconds from the start.
async fn post_token(app: &Arc<App>, after: u64) -> Reply {
    let token = token(&json!({ "exp": NOW + 7 * DAY }));
    Call::bare().bearer(&token).send_at(app, at(NOW + after)).await
}

#[tokio::test]
async fn secret_is_read_once_during_init_as_the_current_version() {
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
async fn secret_is_read_once_for_fifty_cold_requests() {
    let secrets = FakeSecretsManager::start();
    secrets.inject(SecretFault::Slow(200));
    let app = Env::offline().secret_in(&secrets).app();
    for reply in join_all((0..50).map(|_| post_token(&app, 0))).await {
        reply.expect_issued("one of fifty");
    }
    assert_eq!(secrets.asked().len(), 1);
}

#[tokio::test]
async fn secret_is_not_read_for_a_rejected_request() {
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).app();
    Call::bare().send(&app).await.expect_problem("no token", 401, "missing_token");
    Call::bare().bearer("a.b.c").send(&app).await.expect_problem("bad", 401, "invalid_token");
    Call::bare().at("GET", "/health").send(&app).await;
    assert_eq!(secrets.asked().len(), 0);
}

#[tokio::test]
async fn secret_may_leave_the_url_to_the_environment() {
    let secrets = FakeSecretsManager::start();
    secrets.keep(json!({ "LIVEKIT_API_KEY": API_KEY, "LIVEKIT_API_SECRET": API_SECRET }));
    let env = Env::offline().secret_in(&secrets).with("LIVEKIT_URL", "wss://env.example");
    let app = env.app();
    app.warm_up(now()).await;
    assert_eq!(post_token(&app, 0).await.json()["server_url"], "wss://env.example");
}

#[tokio::test]
async fn secret_may_contain_other_fields() {
    let secrets = FakeSecretsManager::start();
    let mut secret = FakeSecretsManager::secret(API_KEY, API_SECRET);
    secret["LIVEBLOCKS_SECRET_KEY"] = json!("sk_dev_x");
    secret["SOMETHING_ELSE"] = json!([1, null]);
    secrets.keep(secret);
    post_token(&start(&secrets).await, 0).await.expect_issued("more members");
}

#[tokio::test]
async fn secret_is_rotated_as_one_pair() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    secrets.keep(FakeSecretsManager::secret("newkey", NEW_SECRET));
    assert_eq!(post_token(&app, 299).await.participant()["iss"], API_KEY, "not yet due");
    assert_eq!(secrets.asked().len(), 1);
    for after in [300, 302, 500] {
        let reply = post_token(&app, after).await;
        assert_eq!(reply.participant_signed_with(NEW_SECRET)["iss"], "newkey");
    }
    assert_eq!(secrets.asked().len(), 2);
}

#[tokio::test]
async fn secret_ttl_is_configurable() {
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).with("SECRET_TTL_SECONDS", "60").app();
    app.warm_up(now()).await;
    post_token(&app, 59).await.expect_issued("young");
    assert_eq!(secrets.asked().len(), 1);
    post_token(&app, 61).await.expect_issued("old");
    assert_eq!(secrets.asked().len(), 2);
}

#[tokio::test]
async fn secret_is_refetched_once_in_ten_seconds_after_a_failure() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    secrets.inject(SecretFault::Error("ThrottlingException"));
    for after in [301, 302, 305, 310] {
        assert_eq!(
            post_token(&app, after).await.participant()["iss"],
            API_KEY,
            "the last good one"
        );
        assert_eq!(secrets.asked().len(), 2, "after {after} s");
    }
    post_token(&app, 312).await.expect_issued("rested");
    assert_eq!(secrets.asked().len(), 3);
    secrets.restore();
    secrets.keep(FakeSecretsManager::secret("newkey", NEW_SECRET));
    let reply = post_token(&app, 323).await;
    assert_eq!(secrets.asked().len(), 4);
    assert_eq!(reply.participant_signed_with(NEW_SECRET)["iss"], "newkey", "it is well again");
}

#[tokio::test]
async fn stale_secret_is_used_for_a_day_and_no_longer() {
    let secrets = FakeSecretsManager::start();
    let app = start(&secrets).await;
    secrets.down();
    for after in [301, 3_600, DAY / 2, DAY - 20] {
        post_token(&app, after).await.expect_issued("the last good one");
    }
    post_token(&app, DAY + 20).await.expect_problem("a day old", 503, "unavailable");
    secrets.up();
    post_token(&app, DAY + 40).await.expect_issued("up again");
}

/// A value, and whether a deployment starts with it, from the environment or from Secrets Manager.
const VALUES: [(&str, &str, bool); 57] = [
    ("LIVEKIT_URL", "wss://sfu.example", true),
    ("LIVEKIT_URL", "https://sfu.example", true),
    ("LIVEKIT_URL", "wss://sfu.example/path", true),
    ("LIVEKIT_URL", "ftp://sfu.example", false),
    ("LIVEKIT_URL", "sfu.example", false),
    ("LIVEKIT_URL", "wss://user@sfu.example", false),
    ("LIVEKIT_URL", "wss://sfu.example?region=eu", false),
    ("LIVEKIT_URL", "wss://sfu.example/?", false),
    ("LIVEKIT_URL", "wss://sfu.example#room", false),
    ("LIVEKIT_URL", "wss://sfu.example ", false),
    ("LIVEKIT_URL", "\"wss://sfu.example\"", false),
    ("LIVEKIT_API_KEY", "APIabc123", true),
    ("LIVEKIT_API_KEY", "k", true),
    ("LIVEKIT_API_KEY", "APIabc123\n", false),
    ("LIVEKIT_API_KEY", "\r\nAPIabc123", false),
    ("LIVEKIT_API_KEY", "API abc123", false),
    ("LIVEKIT_API_KEY", "APIabc123\t", false),
    ("LIVEKIT_API_KEY", "\u{a0}APIabc123", false),
    ("LIVEKIT_API_KEY", "APIabc\u{200b}123", false),
    ("LIVEKIT_API_KEY", "\u{feff}APIabc123", false),
    ("LIVEKIT_API_KEY", "API\u{7}abc", false),
    ("LIVEKIT_API_KEY", "\"APIabc123\"", false),
    ("LIVEKIT_API_KEY", "'APIabc123'", false),
    ("LIVEKIT_API_KEY", "`APIabc123`", false),
    ("LIVEKIT_API_KEY", "\u{201c}APIabc123\u{201d}", false),
    ("LIVEKIT_API_KEY", "API\"abc", true),
    ("LIVEKIT_API_SECRET", "0123456789abcdef0123456789abcdef", true),
    ("LIVEKIT_API_SECRET", "0123456789abcdef0123456789abcde", false),
    ("LIVEKIT_API_SECRET", "0123456789abcdef0123456789abcdef\n", false),
    ("LIVEKIT_API_SECRET", "0123456789abcdef 0123456789abcdef", false),
    ("LIVEKIT_API_SECRET", " 0123456789abcdef0123456789abcdef", false),
    ("LIVEKIT_API_SECRET", "\"0123456789abcdef0123456789abcdef\"", false),
    ("LIVEKIT_API_SECRET", "'0123456789abcdef0123456789abcdef'", false),
    ("LIVEKIT_API_SECRET", "'0123456789abcdef0123456789abcdef", true),
    ("CLERK_SECRET_KEY", "sk_test_x", true),
    ("CLERK_SECRET_KEY", "sk_test_x\n", false),
    ("CLERK_SECRET_KEY", "\"sk_test_x\"", false),
    ("WORKOS_API_KEY", "sk_test_x", true),
    ("WORKOS_API_KEY", " sk_test_x", false),
    ("LIVEBLOCKS_SECRET_KEY", "sk_dev_x", true),
    ("LIVEBLOCKS_SECRET_KEY", "pk_dev_x", false),
    ("LIVEBLOCKS_SECRET_KEY", "sk_dev_x\n", false),
    ("OIDC_HS256_SECRET", "a phrase that people remember well", true),
    ("OIDC_HS256_SECRET", "a phrase that people remember well\n", false),
    ("OIDC_HS256_SECRET", " a phrase that people remember well", false),
    ("OIDC_HS256_SECRET", "\"a phrase that people remember well\"", false),
    ("OIDC_HS256_SECRET", "a phrase that people remember w", false),
    ("OIDC_HS256_SECRET", "a phrase that people remember we", true),
    ("BACKEND_API_KEYS", r#"{"shop":"0123456789abcdef0123456789abcdef"}"#, true),
    ("BACKEND_API_KEYS", r#"{"shop":"0123456789abcdef0123456789abcde"}"#, false),
    ("BACKEND_API_KEYS", r#"{"shop":"0123456789abcdef0123456789abcdef\n"}"#, false),
    ("ASK_SECRET", "a phrase that people remember we", true),
    ("ASK_SECRET", "a phrase that people remember w", false),
    ("ASK_SECRET", "a phrase that people remember well\n", false),
    ("ASK_SECRET", " a phrase that people remember well", false),
    ("ASK_SECRET", "\"a phrase that people remember well\"", false),
    ("BACKEND_API_KEYS", r#"{"shop 1":"0123456789abcdef0123456789abcdef"}"#, false),
];

#[test]
fn secret_with_a_copying_mistake_prevents_the_start() {
    for (name, value, is_accepted) in VALUES {
        match Env::offline().with(name, value).config() {
            Ok(_) => assert!(is_accepted, "{name} {value:?}"),
            Err(fault) => {
                let fault = fault.to_string();
                assert!(!is_accepted, "{name} {value:?}: {fault}");
                assert!(fault.contains(&format!("\n  {name} must")), "{name} {value:?}: {fault}");
                assert_eq!(fault.lines().count(), 2, "{name} {value:?}: {fault}");
            }
        }
    }
}

#[tokio::test]
async fn secret_with_a_copying_mistake_in_secrets_manager_is_answered_503() {
    for (name, value, is_accepted) in VALUES {
        let secrets = FakeSecretsManager::start();
        let mut secret = FakeSecretsManager::secret(API_KEY, API_SECRET);
        secret[name] = json!(value);
        secrets.keep(secret);
        let reply = Call::token().send(&start(&secrets).await).await;
        // A shared secret replaces the issuer's keys.
        let accepted = if name == "OIDC_HS256_SECRET" { 401 } else { 201 };
        let status = if is_accepted { accepted } else { 503 };
        assert_eq!(reply.status, status, "{name} {value:?}: {}", reply.text());
    }
}

#[test]
fn short_shared_secret_is_reported_by_its_own_name() {
    let env = Env::offline().without("OIDC_AUDIENCE").without("OIDC_JWKS").with_all(&[
        ("OIDC_ISSUER", "staff=https://staff.example,guests=https://guests.example"),
        ("OIDC_STAFF_AUDIENCE", "roomkey"),
        ("OIDC_GUESTS_AUDIENCE", "roomkey"),
        ("OIDC_STAFF_ALGORITHMS", "HS256"),
        ("OIDC_STAFF_HS256_SECRET", "short"),
    ]);
    let fault = env.config().err().unwrap().to_string();
    assert!(fault.contains("OIDC_STAFF_HS256_SECRET must be at least 32 bytes"), "{fault}");
    assert!(!fault.contains(" OIDC_HS256_SECRET"), "{fault}");
}
