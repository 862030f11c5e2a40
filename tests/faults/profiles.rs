//! Faults of UserInfo and Clerk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use roomkey::App;
use serde_json::{Value, json};

use super::table::{Row, compare, compare_faults};
use super::{OUTAGE, RECOVERY, stopped_early, within_deadline};
use crate::directories::{KINDS, env};
use crate::support::{
    Call, Env, FakeDirectory, FakeIdp, Fault, NOW, Reply, Route, Tenant, at, now,
};

/// The profile of another person.
const SOMEBODY_ELSE: &str = r#"{"sub":"user-2","id":"user-2","email":"eve@example.com","email_verified":true,"name":"Eve"}"#;

/// The scope of the cool-down after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Concern {
    /// Everyone, after one failure.
    Everyone,
    /// The person at first, everyone after three people.
    PersonFirst,
    /// The person alone.
    Person,
}
use Concern::{Everyone, Person, PersonFirst};

/// The source that a deployment requests profiles from.
enum Source {
    UserInfo(FakeIdp),
    Clerk(FakeDirectory),
}

/// The rows of a source, by test: name, fault, status of a refusal, concern.
macro_rules! faults {
    ($table:ident, $source:expr, $($test:ident: $name:expr, $fault:expr, $status:expr, $concern:expr;)*) => {
        const $table: &[&str] = &[$($name),*];
        $(#[tokio::test]
        async fn $test() {
            compare($source.table(), &row($name, $fault, $status, $concern, &$source).await);
        })*
    };
}

const LIMIT: &str = "429 with `Retry-After: 7`";
const HUGE: &str = "response of 2 GB";

faults! { USERINFO, Source::UserInfo(FakeIdp::start()),
    userinfo_with_a_limit: LIMIT, Fault::RetryAfter(429, "7"), 503, PersonFirst;
    userinfo_unavailable: "status 503", Fault::Status(503), 503, PersonFirst;
    userinfo_slow: "response after the timeout", Fault::Slow(Duration::from_secs(4)), 503, PersonFirst;
    userinfo_with_an_error: "status 500", Fault::Status(500), 503, PersonFirst;
    userinfo_of_another_sub: "profile with another `sub`", Fault::Bytes(SOMEBODY_ELSE.into()), 401, Person;
    userinfo_not_json: "malformed JSON", Fault::Bytes(b"{\"sub\":".to_vec()), 503, Person;
    userinfo_as_a_page: "HTML page", Fault::Html, 503, Person;
}

faults! { CLERK, Source::Clerk(FakeDirectory::start()),
    clerk_with_a_limit: LIMIT, Fault::RetryAfter(429, "7"), 503, Everyone;
    clerk_unavailable: "status 503", Fault::Status(503), 503, Everyone;
    clerk_slow: "response after the timeout", Fault::Slow(Duration::from_secs(4)), 503, Everyone;
    clerk_with_an_error: "status 500", Fault::Status(500), 503, Person;
    clerk_of_another_id: "profile with another `id`", Fault::Bytes(SOMEBODY_ELSE.into()), 401, Person;
    clerk_not_json: "malformed JSON", Fault::Bytes(b"{\"sub\":".to_vec()), 503, Person;
    clerk_as_a_page: "HTML page", Fault::Html, 503, Person;
    clerk_refusing_the_key: "rejected API key", Fault::Status(401), 503, Everyone;
}

#[tokio::test]
async fn profile_of_two_gigabytes_is_not_read_to_its_end() {
    for source in [Source::UserInfo(FakeIdp::start()), Source::Clerk(FakeDirectory::start())] {
        let sent = Arc::new(AtomicU64::new(0));
        let fault = Fault::Huge(Arc::clone(&sent));
        compare(source.table(), &Box::pin(row(HUGE, fault, 503, Person, &source)).await);
        stopped_early(HUGE, &sent, source.asked() - 2);
    }
}

#[test]
fn tables_of_profiles_have_these_rows() {
    compare_faults("UserInfo", [USERINFO, &[HUGE]].concat());
    compare_faults("Clerk", [CLERK, &[HUGE]].concat());
}

impl Source {
    fn table(&self) -> &'static str {
        match self {
            Self::UserInfo(_) => "UserInfo",
            Self::Clerk(_) => "Clerk",
        }
    }

    fn app_if_it(&self, hangs: bool) -> Arc<App> {
        match self {
            Self::UserInfo(idp) => Env::online(idp).app_if_it(hangs),
            Self::Clerk(directory) => env(directory, KINDS[0]).app_if_it(hangs),
        }
    }

    /// A token without a name, so that the source is requested.
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

/// One person sends a request every second, then a new person every second.
async fn row(
    name: &'static str,
    fault: Fault,
    refusal: u16,
    concern: Concern,
    source: &Source,
) -> Row {
    let app = source.app_if_it(fault.hangs());
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
    // With the caller's own token: after 1, 2, 4 and 8 s, then every 10 s.
    let has_own_cooldown = matches!(source, Source::UserInfo(_)) && refusal == 503;
    assert_eq!(asked, if has_own_cooldown { 5 } else { 3 }, "{name}: in {OUTAGE} s");
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
    let (expected, asked) = match concern {
        Everyone => (3, format!("3 in {OUTAGE} s for all callers together")),
        PersonFirst => (6, format!("{asked} in {OUTAGE} s for one caller, 6 for many")),
        Person => (21, format!("{asked} in {OUTAGE} s for each caller")),
    };
    assert_eq!(crowd, expected, "{name}: by a crowd in {OUTAGE} s");
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

/// Returns the seconds from `mended` until a request with `token` succeeds.
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

/// Returns a refusal in the words of the page.
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
