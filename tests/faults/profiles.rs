//! UserInfo and Clerk on bad days.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use roomkey::App;
use serde_json::{Value, json};

use super::table::{Row, compare};
use super::{OUTAGE, RECOVERY, stopped_early, two_at_a_time, within_deadline};
use crate::directories::{KINDS, env};
use crate::support::{
    Call, Env, FakeDirectory, FakeIdp, Fault, NOW, Reply, Route, Tenant, at, now,
};

/// Somebody else's profile.
const SOMEBODY_ELSE: &str = r#"{"sub":"user-2","id":"user-2","email":"eve@example.com","email_verified":true,"name":"Eve"}"#;

/// What is wrong, and what those who have to be looked up get; and whether it is nobody's in
/// particular, so that one vain try counts for all.
fn faults(sent: &Arc<AtomicU64>) -> [(&'static str, Fault, u16, bool); 8] {
    [
        ("429 with `Retry-After: 7`", Fault::RetryAfter(429, "7"), 503, true),
        ("status 503", Fault::Status(503), 503, true),
        ("response after the timeout", Fault::Slow(Duration::from_secs(4)), 503, true),
        ("status 500", Fault::Status(500), 503, false),
        ("profile with another `sub`", Fault::Bytes(SOMEBODY_ELSE.into()), 401, false),
        ("malformed JSON", Fault::Bytes(b"{\"sub\":".to_vec()), 503, false),
        ("HTML page", Fault::Html, 503, false),
        ("response of 2 GB", Fault::Huge(Arc::clone(sent)), 503, false),
    ]
}

/// Whom a deployment asks for profiles.
enum Source {
    UserInfo(FakeIdp),
    Clerk(FakeDirectory),
}

#[tokio::test]
async fn userinfo() {
    let sent = Arc::new(AtomicU64::new(0));
    let rows = faults(&sent).into_iter();
    let rows = rows.map(async |fault| row(fault, &Source::UserInfo(FakeIdp::start())).await);
    let rows = two_at_a_time(rows).await;
    stopped_early("response of 2 GB", &sent, 3 + 21);
    compare("UserInfo", &rows);
}

#[tokio::test]
async fn clerk() {
    let sent = Arc::new(AtomicU64::new(0));
    let refused_key = ("rejected API key", Fault::Status(401), 503, true);
    let faults = faults(&sent).into_iter().chain([refused_key]);
    let rows = faults.map(async |fault| row(fault, &Source::Clerk(FakeDirectory::start())).await);
    let rows = two_at_a_time(rows).await;
    stopped_early("response of 2 GB", &sent, 3 + 21);
    compare("Clerk", &rows);
}

impl Source {
    fn app(&self) -> Arc<App> {
        match self {
            Self::UserInfo(idp) => Env::online(idp).app(),
            Self::Clerk(directory) => env(directory, KINDS[0]).app(),
        }
    }

    /// A token whose holder has to be looked up.
    fn token(&self, subject: &str) -> String {
        let change = json!({ "sub": subject, "name": null, "exp": NOW + 1_000 });
        match self {
            Self::UserInfo(idp) => idp.token(&change),
            Self::Clerk(_) => Tenant::of("clerk").token(&change),
        }
    }

    fn inject(&self, fault: Fault) {
        match self {
            Self::UserInfo(idp) => idp.inject(Route::UserInfo, fault),
            Self::Clerk(directory) => directory.inject(fault),
        }
    }

    fn restore(&self) {
        match self {
            Self::UserInfo(idp) => idp.restore(Route::UserInfo),
            Self::Clerk(directory) => directory.restore(),
        }
    }

    fn asked(&self) -> usize {
        match self {
            Self::UserInfo(idp) => idp.counts().2,
            Self::Clerk(directory) => directory.count(),
        }
    }
}

/// One person asks every second; then another one each second.
async fn row(
    (name, fault, refusal, is_everybodys): (&'static str, Fault, u16, bool),
    source: &Source,
) -> Row {
    let app = source.app();
    app.warm_up(now()).await;
    post_token(&app, &source.token("seen"), 0).await.expect_issued("somebody seen before");
    source.inject(fault.clone());
    let lone = source.token("lone");
    let mut told = BTreeSet::new();
    let before = source.asked();
    for second in 1..=1 + OUTAGE {
        let reply = within_deadline(name, post_token(&app, &lone, second)).await;
        told.insert(refused(name, refusal, &reply));
        post_token(&app, &source.token("seen"), second).await.expect_issued(name);
        if let Source::UserInfo(idp) = source {
            let complete = idp.token(&json!({ "sub": "complete", "exp": NOW + 1_000 }));
            post_token(&app, &complete, second).await.expect_issued(name);
        }
    }
    let asked = source.asked() - before;
    assert_eq!(asked, 3, "{name}: in {OUTAGE} s");
    // The last try was right before the end.
    source.restore();
    let healed = healed(name, &app, &lone, 1 + OUTAGE, refusal).await;

    source.inject(fault);
    let before = source.asked();
    for second in 100..=100 + OUTAGE {
        let token = source.token(&format!("new-{second}"));
        refused(name, refusal, &within_deadline(name, post_token(&app, &token, second)).await);
    }
    let crowd = source.asked() - before;
    source.restore();
    let asked = if is_everybodys {
        assert_eq!(crowd, 3, "{name}: by a crowd in {OUTAGE} s");
        format!("3 in {OUTAGE} s for all callers together")
    } else {
        assert_eq!(crowd, 21, "{name}: each of a crowd once");
        format!("3 in {OUTAGE} s for each caller")
    };
    let others = match source {
        Source::UserInfo(_) => "201 with a cached profile or complete claims",
        Source::Clerk(_) => "201 with a cached profile",
    };
    let told: Vec<_> = told.into_iter().collect();
    Row::new(name, &format!("{}; {others}", told.join(" or ")), &format!("{healed} s"), &asked)
}

async fn post_token(app: &Arc<App>, token: &str, second: u64) -> Reply {
    Call::bare().bearer(token).send_at(app, at(NOW + second)).await
}

/// Seconds from `mended` until the holder of `token` is served.
async fn healed(name: &str, app: &Arc<App>, token: &str, mended: u64, refusal: u16) -> u64 {
    for healed in 1..=RECOVERY {
        let reply = within_deadline(name, post_token(app, token, mended + healed)).await;
        if reply.status == 201 {
            let expected = reply.participant()["name"] != "Eve";
            assert!(expected, "{name}: nothing of it was kept");
            return healed;
        }
        refused(name, refusal, &reply);
    }
    panic!("{name}: not well {RECOVERY} s after its end");
}

/// A refusal as the page tells it.
fn refused(name: &str, status: u16, reply: &Reply) -> String {
    let code = if status == 401 { "invalid_token" } else { "unavailable" };
    reply.expect_problem(name, status, code);
    let body: Value = reply.json();
    assert!(body["participant_token"].is_null(), "{name}");
    match reply.header("retry-after") {
        Some("7") if name.contains("Retry-After") => "503 with `Retry-After: 7`".to_owned(),
        wait if name.contains("Retry-After") => panic!("{name}: {wait:?}"),
        _ => status.to_string(),
    }
}
