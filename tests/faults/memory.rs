//! What is remembered has bounds, whoever comes.

use std::fs;
use std::sync::Arc;

use roomkey::App;
use serde_json::{Value, json};
use tokio::process::Command;

use super::keys::unknown_kid;
use crate::support::{Call, Env, FakeIdp, Key, claims, merge, now};

/// Set for the process that measures itself: the issuer it trusts.
const ISSUER: &str = "ROOMKEY_TEST_ISSUER";

/// Made-up key names, rooms and people of one round.
const ROUND: (usize, usize, usize) = (1_500, 200, 300);

/// Rounds until everything that has a bound is full.
const FILLING: usize = 4;

/// Rounds after that.
const FULL: usize = 3;

/// Memory that may come and go, in kilobytes.
const SLACK: usize = 256;

/// Fourteen thousand names, rooms and people that were never seen before: the last six thousand make
/// the process no larger. In a process of its own, as the other tests of this one have memory
/// too; the fakes stay here, as they forget nothing.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
async fn memory_is_bounded_under_fourteen_thousand_new_names() {
    if let Ok(issuer) = std::env::var(ISSUER) {
        return measure(&issuer).await;
    }
    let idp = FakeIdp::start();
    idp.publish(&[&Key::rsa(), &Key::p256()]);
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "faults::memory::memory_is_bounded_under_fourteen_thousand_new_names",
            "--nocapture",
        ])
        .env(ISSUER, idp.issuer())
        .status()
        .await;
    assert!(status.unwrap().success());
    let people = ROUND.2 * (FILLING + FULL);
    assert_eq!(idp.counts().2, people + 1, "each was looked up once, and the forgotten one again");
}

async fn measure(issuer: &str) {
    let env = Env::offline().without("OIDC_JWKS").with_all(&[
        ("OIDC_ISSUER", issuer),
        ("PROFILE_SOURCE", "claims,userinfo"),
        ("PARTICIPANT_IDENTITY", "sub"),
    ]);
    let app = env.app();
    app.warm_up(now()).await;
    let mut sizes = Vec::new();
    for round in 0..FILLING + FULL {
        visit(&app, issuer, round).await;
        sizes.push(resident());
    }
    // The first of all was forgotten: this is one look-up more than there are people.
    issued(&app, &nameless(issuer, "person-0-0"), "lobby").await;
    let grown = sizes[FILLING + FULL - 1].saturating_sub(sizes[FILLING - 1]);
    println!("resident kilobytes after each round: {sizes:?}");
    assert!(grown <= SLACK, "grown by {grown} kB: {sizes:?}");
}

async fn visit(app: &Arc<App>, issuer: &str, round: usize) {
    let (kids, rooms, people) = ROUND;
    for n in 0..kids {
        let token = unknown_kid(issuer, &format!("kid-{round}-{n}"));
        let reply = Call::bare().bearer(&token).send(app).await;
        reply.expect_problem("a made-up name", 401, "invalid_token");
    }
    let somebody = token(issuer, &json!({ "sub": "somebody" }));
    for n in 0..rooms {
        issued(app, &somebody, &format!("room-{round}-{n}")).await;
    }
    for n in 0..people {
        issued(app, &nameless(issuer, &format!("person-{round}-{n}")), "lobby").await;
    }
}

async fn issued(app: &Arc<App>, token: &str, room: &str) {
    let call = Call::bare().bearer(token).json(&json!({ "room_name": room }));
    assert_eq!(call.send(app).await.status, 201, "{room}");
}

/// A token whose holder has to be looked up.
fn nameless(issuer: &str, subject: &str) -> String {
    token(issuer, &json!({ "sub": subject, "email": null, "name": null }))
}

fn token(issuer: &str, change: &Value) -> String {
    let key = Key::p256();
    let claims = merge(claims(), &json!({ "iss": issuer }));
    key.sign(&key.header(), &merge(claims, change))
}

/// The memory of this process, in kilobytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
