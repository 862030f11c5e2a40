//! Faults of Secrets Manager.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use futures_util::future::join_all;
use roomkey::App;
use serde_json::json;

use super::table::{Row, compare, compare_faults};
use super::{NO_WAIT, Outage, cold_and_warm, run_outage, status};
use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeSecretsManager, NOW, Reply, SecretFault, at, decode_part,
    now, token,
};

/// The pair after a rotation.
const NEXT: (&str, &str) = ("nextkey", "the-next-secret-of-32-bytes-or-more");

/// The name of the table.
const TABLE: &str = "Secrets Manager";

/// The rows of faults that last, by test. `None` refuses connections.
macro_rules! lasting_faults {
    ($($test:ident: $name:expr, $fault:expr;)*) => {
        /// The names of the faults.
        const LASTING: &[&str] = &[$($name),*];
        $(#[tokio::test]
        async fn $test() {
            outage($name, $fault).await;
        })*
    };
}

lasting_faults! {
    secrets_unreachable: "unreachable", None;
    secrets_throttled: "throttling", Some(SecretFault::Error("ThrottlingException"));
    secrets_slow: "response after the timeout", Some(SecretFault::Slow(4_000));
    secrets_denied: "access denied", Some(SecretFault::Error("AccessDeniedException"));
    secrets_with_an_error: "internal error", Some(SecretFault::Internal);
    secrets_malformed: "malformed secret", Some(SecretFault::Text(r#"{"LIVEKIT_API_KEY":"devkey","#));
    secrets_empty: "empty secret", Some(SecretFault::Text(""));
    secrets_binary: "binary secret", Some(SecretFault::Binary);
}

async fn outage(name: &'static str, fault: Option<SecretFault>) {
    let (cold, warm) = tokio::join!(cold(name, fault), warm(name, fault));
    assert_eq!(warm.seen, BTreeSet::from([201]), "{name}: warm");
    compare(TABLE, &cold_and_warm(name, &cold, &warm, "201 with the last valid pair"));
}

#[test]
fn table_of_secrets_manager_has_these_rows() {
    compare_faults(TABLE, [LASTING, &[BACK, ROTATED, BOTH]].concat());
}

const BACK: &str = "outage at the cold start, recovery after 5 s";
const ROTATED: &str = "rotation during a burst";
const BOTH: &str = "rotation of LiveKit's keys with both pairs valid";

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

/// The response `after` seconds from the start.
async fn post_token(app: &Arc<App>, after: u64) -> Reply {
    static TOKEN: LazyLock<String> = LazyLock::new(|| token(&json!({ "exp": NOW + 100_000 })));
    Call::bare().bearer(&TOKEN).send_at(app, at(NOW + after)).await
}

async fn started(secrets: &FakeSecretsManager) -> Arc<App> {
    started_if_it(secrets, false).await
}

async fn started_if_it(secrets: &FakeSecretsManager, hangs: bool) -> Arc<App> {
    let app = Env::offline().secret_in(secrets).app_if_it(hangs);
    app.warm_up(now()).await;
    app
}

async fn cold(name: &str, fault: Option<SecretFault>) -> Outage {
    let secrets = FakeSecretsManager::start();
    inject(&secrets, fault);
    let hangs = fault.is_some_and(SecretFault::hangs);
    let app = Env::offline().secret_in(&secrets).app_if_it(hangs);
    let post_token = async |second| {
        if second == 0 {
            app.warm_up(now()).await;
        }
        post_token(&app, second).await
    };
    let is_well = |reply: &Reply| reply.status == 201;
    run_outage(name, 0, post_token, is_well, || secrets.asked().len(), || restore(&secrets)).await
}

/// The fault begins right before the secret expires, and makes a new pair unavailable.
async fn warm(name: &str, fault: Option<SecretFault>) -> Outage {
    let secrets = FakeSecretsManager::start();
    let app = started_if_it(&secrets, fault.is_some_and(SecretFault::hangs)).await;
    secrets.keep(FakeSecretsManager::secret(NEXT.0, NEXT.1));
    inject(&secrets, fault);
    let post_token = async |second: u64| {
        let started = Instant::now();
        let reply = post_token(&app, second).await;
        assert!(started.elapsed() < NO_WAIT, "{name}: {:?}", started.elapsed());
        reply
    };
    let is_well = |reply: &Reply| signer(reply) == NEXT.0;
    Box::pin(run_outage(
        name,
        301,
        post_token,
        is_well,
        || secrets.asked().len(),
        || restore(&secrets),
    ))
    .await
}

/// Returns the key that a token names, after a check of the signature.
#[track_caller]
fn signer(reply: &Reply) -> String {
    let named = decode_part(&reply.participant_token(), 1)["iss"].as_str().unwrap().to_owned();
    let pairs = [(API_KEY, API_SECRET), NEXT];
    let (_, secret) = pairs.iter().find(|(key, _)| *key == named).expect("a key of ours");
    reply.participant_signed_with(secret);
    named
}

#[tokio::test]
async fn secret_is_reread_after_an_outage_of_five_seconds() {
    let name = BACK;
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
    let healed = format!("{} s", healed.unwrap());
    compare(
        TABLE,
        &Row::new(name, "503 until the recovery, then 201", &healed, "1 after the recovery"),
    );
}

/// Rotates the pair four times during 2,000 requests. No token combines the secret of one pair with
/// the name of another, and no old pair is used again.
#[tokio::test]
async fn secret_rotated_in_a_burst_is_read_once() {
    let name = ROTATED;
    let secrets = FakeSecretsManager::start();
    let app = started(&secrets).await;
    let mut answers = 0;
    let pairs = [NEXT, (API_KEY, API_SECRET), NEXT, (API_KEY, API_SECRET)];
    for (rotation, (key, secret)) in (1..).zip(pairs) {
        secrets.keep(FakeSecretsManager::secret(key, secret));
        let second = 301 * rotation;
        for _ in 0..10 {
            let replies = join_all((0..50).map(|_| post_token(&app, second))).await;
            let signers: Vec<_> = replies.iter().map(signer).collect();
            answers += signers.len();
            assert!(signers.iter().all(|signer| signer == key), "{name}: an old pair is used");
        }
    }
    assert_eq!((answers, secrets.asked().len()), (2_000, 5), "{name}");
    let callers = "201; 0 of 2,000 tokens mix the two pairs";
    let row = Row::new(name, callers, "300 s (`SECRET_TTL_SECONDS`)", "1 per rotation");
    compare(TABLE, &row);
}

/// LiveKit accepts both pairs during the rotation: every token must be valid with one of them.
#[tokio::test]
async fn secret_rotated_with_both_pairs_valid_fails_no_request() {
    let name = BOTH;
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
    }
    let changed = changed.expect("the new pair");
    assert!(changed <= 300, "{name}: {changed} s");
    assert_eq!(secrets.asked().len(), 2, "{name}");
    let callers = "201, each token valid with one of the pairs";
    compare(TABLE, &Row::new(name, callers, "300 s (`SECRET_TTL_SECONDS`)", "1"));
}
