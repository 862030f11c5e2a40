//! UserInfo and Clerk on bad days.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::future::join_all;
use roomkey::App;
use serde_json::{Value, json};

use super::table::{Row, compare};
use super::{in_pairs, promptly, stopped_early};
use crate::directories::{KINDS, env};
use crate::support::{Call, Env, FakeDirectory, FakeIdp, Fault, Reply, Route, Tenant, now};

/// How many callers look somebody up during each fault.
const CALLERS: usize = 3;

/// Somebody else's profile.
const SOMEBODY_ELSE: &str = r#"{"sub":"user-2","id":"user-2","email":"eve@example.com","email_verified":true,"name":"Eve"}"#;

/// What is wrong, and what those who have to be looked up get.
fn faults(sent: &Arc<AtomicU64>) -> [(&'static str, Fault, u16); 7] {
    [
        ("429 and `Retry-After: 7`", Fault::RetryAfter(429, "7"), 503),
        ("500", Fault::Status(500), 503),
        ("slow beyond the time-out", Fault::Slow(Duration::from_secs(4)), 503),
        ("another `sub`", Fault::Bytes(SOMEBODY_ELSE.into()), 401),
        ("not JSON", Fault::Bytes(b"{\"sub\":".to_vec()), 503),
        ("a web page", Fault::Html, 503),
        ("2 GB", Fault::Huge(Arc::clone(sent)), 503),
    ]
}

#[tokio::test]
async fn userinfo() {
    let sent = Arc::new(AtomicU64::new(0));
    let rows = faults(&sent).into_iter().map(async |(name, fault, status)| {
        let idp = FakeIdp::start();
        let app = Env::online(&idp).app();
        app.hydrate(now()).await;
        let person = |sub: &str| idp.token(&json!({ "sub": sub, "name": null }));
        ask(&app, &person("seen")).await.expect_issued("somebody seen before");
        idp.spoil(Route::UserInfo, fault);
        let unseen: Vec<_> = (0..CALLERS).map(|n| person(&format!("unseen-{n}"))).collect();
        let seen = idp.counts().2;
        let told = refusals(name, status, &app, &unseen).await;
        let asked = idp.counts().2 - seen;
        ask(&app, &person("seen")).await.expect_issued(name);
        ask(&app, &idp.token(&json!({ "sub": "complete" }))).await.expect_issued(name);
        assert_eq!(idp.counts().2 - seen, asked, "{name}: the others need no look-up");
        idp.mend(Route::UserInfo);
        for token in &unseen {
            let participant = ask(&app, token).await.participant();
            assert_eq!(participant["name"], "Ada from UserInfo", "{name}: nothing was kept");
        }
        row(name, &told, asked, "seen in the last 5 min, or a token that says all: 201")
    });
    let rows = in_pairs(rows).await;
    stopped_early("2 GB", &sent, CALLERS);
    compare("UserInfo", &rows);
}

#[tokio::test]
async fn clerk() {
    let sent = Arc::new(AtomicU64::new(0));
    let refused_key = ("our key refused", Fault::Status(401), 503);
    let faults = faults(&sent).into_iter().chain([refused_key]);
    let rows = faults.into_iter().map(async |(name, fault, status)| {
        let directory = FakeDirectory::start();
        let app = env(&directory, KINDS[0]).app();
        let person = |sub: &str| Tenant::of("clerk").token(&json!({ "sub": sub }));
        ask(&app, &person("seen")).await.expect_issued("somebody seen before");
        directory.spoil(fault);
        let unseen: Vec<_> = (0..CALLERS).map(|n| person(&format!("unseen-{n}"))).collect();
        let told = refusals(name, status, &app, &unseen).await;
        let asked = directory.count() - 1;
        ask(&app, &person("seen")).await.expect_issued(name);
        assert_eq!(directory.count() - 1, asked, "{name}: who was seen needs no look-up");
        directory.mend();
        for token in &unseen {
            let participant = ask(&app, token).await.participant();
            assert_eq!(participant["name"], "Ada Lovelace", "{name}: nothing was kept");
        }
        row(name, &told, asked, "seen in the last 5 min: 201")
    });
    let rows = in_pairs(rows).await;
    stopped_early("2 GB", &sent, CALLERS);
    compare("Clerk", &rows);
}

async fn ask(app: &Arc<App>, token: &str) -> Reply {
    Call::bare().bearer(token).send(app).await
}

/// What all of them are told, who ask at once.
async fn refusals(name: &str, status: u16, app: &Arc<App>, tokens: &[String]) -> String {
    let replies = tokens.iter().map(async |token| promptly(name, ask(app, token)).await);
    let code = if status == 401 { "invalid_token" } else { "unavailable" };
    let mut told = status.to_string();
    for reply in join_all(replies).await {
        reply.expect_problem(name, status, code);
        if name.contains("Retry-After") {
            assert_eq!(reply.header("retry-after"), Some("7"), "{name}");
            "503 and `Retry-After: 7`".clone_into(&mut told);
        }
        let body: Value = reply.json();
        assert!(body["participant_token"].is_null(), "{name}");
    }
    told
}

fn row(name: &'static str, told: &str, asked: usize, others: &str) -> Row {
    assert_eq!(asked, CALLERS, "{name}: no caller asks twice");
    Row::new(name, &format!("{told}; {others}"), "0 s", "once per caller")
}
