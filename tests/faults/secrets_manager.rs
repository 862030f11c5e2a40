//! Secrets Manager on bad days.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

use futures_util::future::join_all;
use roomkey::App;
use roomkey::secrets::SecretStore;
use serde_json::json;

use super::table::{Row, compare};
use super::{NO_WAIT, Outage, cold_and_warm, run_outage, status, two_at_a_time};
use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeSecretsManager, NOW, Reply, SecretFault, at, decode_part,
    now, token,
};

/// The pair after a rotation.
const NEXT: (&str, &str) = ("nextkey", "the-next-secret-of-32-bytes-or-more");

/// `None` refuses connections.
const FAULTS: [(&str, Option<SecretFault>); 8] = [
    ("unreachable", None),
    ("throttling", Some(SecretFault::Error("ThrottlingException"))),
    ("response after the timeout", Some(SecretFault::Slow(4_000))),
    ("access denied", Some(SecretFault::Error("AccessDeniedException"))),
    ("internal error", Some(SecretFault::Internal)),
    ("malformed secret", Some(SecretFault::Text(r#"{"LIVEKIT_API_KEY":"devkey","#))),
    ("empty secret", Some(SecretFault::Text(""))),
    ("binary secret", Some(SecretFault::Binary)),
];

#[tokio::test]
async fn secrets_manager() {
    let faults = FAULTS.into_iter().map(async |(name, fault)| {
        let (cold, warm) = tokio::join!(cold(name, fault), warm(name, fault));
        assert_eq!(warm.seen, BTreeSet::from([201]), "{name}: warm");
        cold_and_warm(name, &cold, &warm, "201 with the last valid pair")
    });
    let mut rows = two_at_a_time(faults).await;
    rows.extend([back_after_five_seconds().await, burst().await, both_pairs().await]);
    compare("Secrets Manager", &rows);
}

fn inject(secrets: &FakeSecretsManager, fault: Option<SecretFault>) {
    match fault {
        None => secrets.down(),
        Some(fault) => secrets.inject(fault),
    }
}

fn restore(secrets: &FakeSecretsManager) {
    secrets.up();
    secrets.restore();
}

/// What a caller gets `after` seconds from the start.
async fn post_token(app: &Arc<App>, after: u64) -> Reply {
    static TOKEN: LazyLock<String> = LazyLock::new(|| token(&json!({ "exp": NOW + 100_000 })));
    Call::bare().bearer(&TOKEN).send_at(app, at(NOW + after)).await
}

async fn started(secrets: &FakeSecretsManager) -> Arc<App> {
    let app = Env::offline().secret_in(secrets).app();
    app.warm_up(now()).await;
    app
}

/// Waits for the end of a fetch that a caller started at `time` behind its own back.
pub(super) async fn settle(app: &App, time: SystemTime) {
    let SecretStore::Managed(secrets) = &app.endpoint().exchange().secrets else {
        panic!("the secret is in Secrets Manager");
    };
    let _either = secrets.refresh(time).await;
}

async fn cold(name: &str, fault: Option<SecretFault>) -> Outage {
    let secrets = FakeSecretsManager::start();
    inject(&secrets, fault);
    let app = Env::offline().secret_in(&secrets).app();
    let post_token = async |second| {
        if second == 0 {
            app.warm_up(now()).await;
        }
        post_token(&app, second).await
    };
    let is_well = |reply: &Reply| reply.status == 201;
    run_outage(name, 0, post_token, is_well, || secrets.asked().len(), || restore(&secrets)).await
}

/// The fault comes right before the secret is due to be read again, and hides a new pair.
async fn warm(name: &str, fault: Option<SecretFault>) -> Outage {
    let secrets = FakeSecretsManager::start();
    let app = started(&secrets).await;
    secrets.keep(FakeSecretsManager::secret(NEXT.0, NEXT.1));
    inject(&secrets, fault);
    let post_token = async |second: u64| {
        let started = Instant::now();
        let first = post_token(&app, second).await;
        assert!(started.elapsed() < NO_WAIT, "{name}: {:?}", started.elapsed());
        // Tried when it is due, and every ten seconds from then on.
        if second % 10 != 1 {
            return first;
        }
        settle(&app, at(NOW + second)).await;
        post_token(&app, second).await
    };
    let is_well = |reply: &Reply| signer(reply) == NEXT.0;
    run_outage(name, 301, post_token, is_well, || secrets.asked().len(), || restore(&secrets)).await
}

/// The key that a token says it is signed with, after a look at the signature.
#[track_caller]
fn signer(reply: &Reply) -> String {
    let named = decode_part(&reply.participant_token(), 1)["iss"].as_str().unwrap().to_owned();
    let pairs = [(API_KEY, API_SECRET), NEXT];
    let (_, secret) = pairs.iter().find(|(key, _)| *key == named).expect("a key of ours");
    reply.participant_signed_with(secret);
    named
}

async fn back_after_five_seconds() -> Row {
    let name = "outage at the cold start, recovery after 5 s";
    let secrets = FakeSecretsManager::start();
    secrets.down();
    let app = started(&secrets).await;
    let mut healed = None;
    for second in 0..=30 {
        if second == 5 {
            secrets.up();
        }
        let status = status(name, &post_token(&app, second).await);
        assert_eq!(status == 201, healed.is_some() || second >= 10, "{name}: {second} s");
        if status == 201 {
            healed.get_or_insert(second - 5);
        }
    }
    let asked = secrets.asked().len();
    assert_eq!(asked, 1, "{name}");
    Row::new(
        name,
        "503 until the recovery, then 201",
        &format!("{} s", healed.unwrap()),
        "1 after the recovery",
    )
}

/// Four rotations under 2,000 requests: no token is signed with one pair's secret in the other
/// pair's name, and no old pair comes back.
async fn burst() -> Row {
    let name = "rotation during a burst";
    let secrets = FakeSecretsManager::start();
    let app = started(&secrets).await;
    let mut answers = 0;
    let pairs = [NEXT, (API_KEY, API_SECRET), NEXT, (API_KEY, API_SECRET)];
    for (rotation, (key, secret)) in (1..).zip(pairs) {
        secrets.keep(FakeSecretsManager::secret(key, secret));
        let second = 301 * rotation;
        let mut is_rotated = false;
        for _ in 0..10 {
            let replies = join_all((0..50).map(|_| post_token(&app, second))).await;
            let signers: Vec<_> = replies.iter().map(signer).collect();
            answers += signers.len();
            assert!(!is_rotated || signers.iter().all(|s| s == key), "{name}: an old pair is back");
            is_rotated |= signers.iter().any(|signer| signer == key);
        }
        settle(&app, at(NOW + second)).await;
        assert_eq!(signer(&post_token(&app, second).await), key, "{name}");
    }
    assert_eq!((answers, secrets.asked().len()), (2_000, 5), "{name}");
    Row::new(
        name,
        "201; 0 of 2,000 tokens mix the two pairs",
        "300 s (`SECRET_TTL_SECONDS`)",
        "1 per rotation",
    )
}

/// LiveKit takes both pairs while the change spreads: every token has to be good by one of them.
async fn both_pairs() -> Row {
    let name = "rotation of LiveKit's keys with both pairs valid";
    let secrets = FakeSecretsManager::start();
    let app = started(&secrets).await;
    secrets.keep(FakeSecretsManager::secret(NEXT.0, NEXT.1));
    let mut changed = None;
    for second in 1..=310 {
        let signer = signer(&post_token(&app, second).await);
        assert!(changed.is_none() || signer == NEXT.0, "{name}: back to the old pair");
        if signer == NEXT.0 {
            changed.get_or_insert(second);
        }
        if second == 301 {
            settle(&app, at(NOW + second)).await;
        }
    }
    let changed = changed.expect("the new pair");
    assert!(changed <= 302, "{name}: {changed} s");
    assert_eq!(secrets.asked().len(), 2, "{name}");
    Row::new(
        name,
        "201, each token valid with one of the pairs",
        "300 s (`SECRET_TTL_SECONDS`)",
        "1",
    )
}
