//! Faults of Secrets Manager and of the secret.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeSecretsManager, NOW, SecretFault, at, four_at_a_time, now,
    token,
};

#[rustfmt::skip]
const FAULTS: [(&str, SecretFault); 22] = [
    ("throttled",           SecretFault::Error("ThrottlingException")),
    ("denied",              SecretFault::Error("AccessDeniedException")),
    ("not there",           SecretFault::Error("ResourceNotFoundException")),
    ("deleted",             SecretFault::Error("InvalidRequestException")),
    ("not to be decrypted", SecretFault::Error("DecryptionFailure")),
    ("expired credentials", SecretFault::Error("ExpiredTokenException")),
    ("an error of theirs",  SecretFault::Internal),
    ("binary",              SecretFault::Binary),
    ("empty",               SecretFault::Text("")),
    ("not JSON",            SecretFault::Text("devkey:0123456789abcdef0123456789abcdef")),
    ("cut off",             SecretFault::Text(r#"{"LIVEKIT_API_KEY":"devkey""#)),
    ("null",                SecretFault::Text("null")),
    ("a list",              SecretFault::Text("[]")),
    ("an empty object",     SecretFault::Text("{}")),
    ("no key",              SecretFault::Text(r#"{"LIVEKIT_URL":"wss://livekit.example","LIVEKIT_API_SECRET":"0123456789abcdef0123456789abcdef"}"#)),
    ("no secret",           SecretFault::Text(r#"{"LIVEKIT_URL":"wss://livekit.example","LIVEKIT_API_KEY":"devkey"}"#)),
    ("no URL",              SecretFault::Text(r#"{"LIVEKIT_API_KEY":"devkey","LIVEKIT_API_SECRET":"0123456789abcdef0123456789abcdef"}"#)),
    ("an empty key",        SecretFault::Text(r#"{"LIVEKIT_URL":"wss://livekit.example","LIVEKIT_API_KEY":"","LIVEKIT_API_SECRET":"0123456789abcdef0123456789abcdef"}"#)),
    ("an empty secret",     SecretFault::Text(r#"{"LIVEKIT_URL":"wss://livekit.example","LIVEKIT_API_KEY":"devkey","LIVEKIT_API_SECRET":""}"#)),
    ("a secret of 31",      SecretFault::Text(r#"{"LIVEKIT_URL":"wss://livekit.example","LIVEKIT_API_KEY":"devkey","LIVEKIT_API_SECRET":"0123456789abcdef0123456789abcde"}"#)),
    ("a secret a number",   SecretFault::Text(r#"{"LIVEKIT_URL":"wss://livekit.example","LIVEKIT_API_KEY":"devkey","LIVEKIT_API_SECRET":12345678901234567890123456789012}"#)),
    ("never",               SecretFault::Hang),
];

#[tokio::test]
async fn secret_fault_is_answered_503_if_cold_and_recovers() {
    four_at_a_time(FAULTS.into_iter().map(async |(name, fault)| {
        let secrets = FakeSecretsManager::start();
        secrets.inject(fault);
        let app = Env::offline().secret_in(&secrets).app_if_it(fault.hangs());
        app.warm_up(now()).await;
        let started = Instant::now();
        let reply = Call::token().send(&app).await;
        reply.expect_problem(name, 503, "unavailable");
        assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
        let reads = secrets.asked().len();
        assert_eq!(reads, 1, "{name}: resting after init's failure");
        for shown in
            ["upstream-words", "0123456789abcdef", "devkey", "AccessDenied", "prod/livekit"]
        {
            assert!(!reply.text().contains(shown), "{name}: {}", reply.text());
        }
        secrets.restore();
        let call = Call::token();
        call.send_at(&app, at(NOW + 11)).await.expect_issued(&format!("after {name}"));
    }))
    .await;
}

#[tokio::test]
async fn secret_fault_does_not_affect_warm_requests() {
    four_at_a_time(FAULTS.into_iter().map(async |(name, fault)| {
        let secrets = FakeSecretsManager::start();
        let app = Env::offline().secret_in(&secrets).app_if_it(fault.hangs());
        app.warm_up(now()).await;
        secrets.inject(fault);
        for after in [301, 302, 330, 4_000] {
            let call = Call::bare().bearer(&token(&json!({ "exp": NOW + 9_000 })));
            let started = Instant::now();
            let reply = call.send_at(&app, at(NOW + after)).await;
            assert_eq!(reply.participant()["iss"], API_KEY, "{name}");
            assert!(started.elapsed() < Duration::from_secs(5), "{name}");
        }
    }))
    .await;
}

#[tokio::test]
async fn cold_start_recovers_after_an_outage_of_secrets_manager() {
    let secrets = FakeSecretsManager::start();
    secrets.down();
    let app = Env::offline().secret_in(&secrets).app();
    app.warm_up(now()).await;
    Call::token().send(&app).await.expect_problem("down", 503, "unavailable");
    secrets.up();
    Call::token().send_at(&app, at(NOW + 11)).await.expect_issued("up again");
    assert_eq!(secrets.asked().len(), 1);
}

/// `livekit-server --dev` uses a secret of six letters, which is accepted on loopback only.
#[tokio::test]
async fn short_secret_is_accepted_for_loopback_only() {
    for (url, status) in [
        ("ws://127.0.0.1:7880", 201),
        ("ws://localhost:7880", 201),
        ("ws://[::1]:7880", 201),
        ("wss://livekit.example", 503),
        ("wss://localhost.example", 503),
        ("wss://127.0.0.1.example", 503),
    ] {
        let secrets = FakeSecretsManager::start();
        let mut secret = FakeSecretsManager::secret("devkey", "secret");
        secret["LIVEKIT_URL"] = json!(url);
        secrets.keep(secret);
        let app = Env::offline().secret_in(&secrets).app();
        app.warm_up(now()).await;
        let reply = Call::token().send(&app).await;
        assert_eq!(reply.status, status, "{url}: {}", reply.text());
    }
    assert_eq!(API_SECRET.len(), 32, "and 32 bytes do anywhere");
}
