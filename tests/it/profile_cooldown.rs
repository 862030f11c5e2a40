//! Cool-downs after failed profile requests: of one person, and of the source.

use std::sync::Arc;
use std::time::Duration;

use roomkey::App;
use roomkey::upstream::client::Timeouts;
use serde_json::{Value, json};

use crate::directories::{KINDS, env};
use crate::support::{
    Call, Env, FakeDirectory, FakeIdp, Fault, NOW, Reply, Route, Tenant, at, four_at_a_time, now,
};

async fn started(idp: &FakeIdp) -> Arc<App> {
    started_if_it(idp, false).await
}

async fn started_if_it(idp: &FakeIdp, hangs: bool) -> Arc<App> {
    let app = Env::online(idp).app_if_it(hangs);
    app.warm_up(now()).await;
    app
}

/// A token without a name, so that UserInfo is needed.
fn nameless(idp: &FakeIdp, subject: &str) -> String {
    idp.token(&json!({ "sub": subject, "name": null, "exp": NOW + 10_000 }))
}

async fn post_token(app: &Arc<App>, token: &str, second: i64) -> Reply {
    let time = NOW.checked_add_signed(second).unwrap();
    Call::bare().bearer(token).send_at(app, at(time)).await
}

/// Failures that are not a statement about the caller.
fn failures() -> Vec<(&'static str, Fault)> {
    vec![
        ("429", Fault::Status(429)),
        ("429 for an hour", Fault::RetryAfter(429, "3600")),
        ("500", Fault::Status(500)),
        ("501", Fault::Status(501)),
        ("502", Fault::Status(502)),
        ("503", Fault::Status(503)),
        ("504", Fault::Status(504)),
        ("505", Fault::Status(505)),
        ("cut off", Fault::Truncated),
    ]
}

/// A failure that takes until the time limit.
const NEVER: (&str, Fault) = ("never", Fault::Hang);

/// Responses that cannot be used, but show that the source is up.
fn unusable() -> Vec<(&'static str, Fault)> {
    vec![
        ("a page", Fault::Html),
        ("not JSON", Fault::Bytes(b"{".to_vec())),
        ("too large", Fault::Padded(150_001)),
        ("400", Fault::Status(400)),
        ("204", Fault::Status(204)),
        ("a redirect", Fault::Redirect("/userinfo".to_owned())),
    ]
}

#[tokio::test]
async fn cooldown_of_a_person_doubles_up_to_ten_seconds() {
    let rows = failures().into_iter().chain(unusable()).chain([NEVER]);
    four_at_a_time(rows.map(async |(name, fault)| {
        let idp = FakeIdp::start();
        let app = started_if_it(&idp, fault.hangs()).await;
        let token = nameless(&idp, "user-1");
        idp.inject(Route::UserInfo, fault);
        let mut requests = Vec::new();
        for second in 0..=36 {
            let before = idp.asked(Route::UserInfo).len();
            let reply = post_token(&app, &token, second).await;
            reply.expect_problem(name, 503, "unavailable");
            if idp.asked(Route::UserInfo).len() > before {
                requests.push(second);
            }
        }
        assert_eq!(requests, [0, 1, 3, 7, 15, 25, 35], "{name}");
        idp.restore(Route::UserInfo);
        post_token(&app, &token, 44).await.expect_problem(name, 503, "unavailable");
        post_token(&app, &token, 45).await.expect_issued(name);
    }))
    .await;
}

#[tokio::test]
async fn cooldown_of_a_person_begins_after_the_wait_for_a_response() {
    let idp = FakeIdp::start();
    let mut config = Env::online(&idp).config().unwrap();
    config.timeouts = Timeouts { total: Duration::from_secs(1), ..Timeouts::default() };
    let app = Arc::new(App::new(config));
    app.warm_up(now()).await;
    idp.inject(Route::UserInfo, Fault::Hang);
    let token = nameless(&idp, "user-1");
    for (second, requests) in [(0, 1), (1, 1), (2, 2), (3, 2), (4, 2), (5, 3)] {
        let reply = post_token(&app, &token, second).await;
        reply.expect_problem("no response", 503, "unavailable");
        assert_eq!(idp.counts().2, requests, "after {second} s");
    }
}

#[tokio::test]
async fn cooldown_of_a_person_starts_again_after_a_success() {
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    let token = nameless(&idp, "user-1");
    idp.inject(Route::UserInfo, Fault::Status(500));
    for second in [0, 1, 3] {
        post_token(&app, &token, second).await.expect_problem("500", 503, "unavailable");
    }
    idp.restore(Route::UserInfo);
    post_token(&app, &token, 7).await.expect_issued("restored");
    idp.inject(Route::UserInfo, Fault::Status(500));
    // The profile is five minutes old.
    post_token(&app, &token, 307).await.expect_problem("500", 503, "unavailable");
    idp.restore(Route::UserInfo);
    post_token(&app, &token, 308).await.expect_issued("one second later");
}

#[tokio::test]
async fn cooldown_of_a_person_ends_if_the_clock_is_set_back() {
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    let token = nameless(&idp, "user-1");
    idp.inject(Route::UserInfo, Fault::Status(500));
    for second in [0, 1] {
        post_token(&app, &token, second).await.expect_problem("500", 503, "unavailable");
    }
    idp.restore(Route::UserInfo);
    post_token(&app, &token, 0).await.expect_problem("one second back", 503, "unavailable");
    post_token(&app, &token, -1).await.expect_issued("two seconds back");
}

#[tokio::test]
async fn cooldown_of_a_person_holds_for_all_of_their_tokens() {
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    idp.inject(Route::UserInfo, Fault::Status(429));
    let token = |id: u64| {
        idp.token(
            &json!({ "sub": "user-1", "name": null, "jti": id.to_string(), "exp": NOW + 900 }),
        )
    };
    for id in 0..50 {
        post_token(&app, &token(id), 0).await.expect_problem("429", 503, "unavailable");
    }
    assert_eq!(idp.counts().2, 1, "one request for fifty tokens");
    // A second token of one person is not a second person.
    for second in [1, 3, 7] {
        post_token(&app, &token(99), second).await.expect_problem("429", 503, "unavailable");
    }
    idp.restore(Route::UserInfo);
    post_token(&app, &nameless(&idp, "user-2"), 7).await.expect_issued("another person");
}

#[tokio::test]
async fn refusal_concerns_only_the_token_that_was_refused() {
    let mismatch = Fault::Json(json!({ "sub": "user-2" }));
    for (name, fault) in
        [("401", Fault::Status(401)), ("403", Fault::Status(403)), ("another sub", mismatch)]
    {
        let idp = FakeIdp::start();
        let app = started(&idp).await;
        idp.inject(Route::UserInfo, fault);
        let (first, second) = (idp.bare_token(), nameless_and_addressless(&idp, "another"));
        post_token(&app, &first, 0).await.expect_problem(name, 401, "invalid_token");
        idp.restore(Route::UserInfo);
        post_token(&app, &first, 9).await.expect_problem(name, 401, "invalid_token");
        post_token(&app, &second, 9).await.expect_issued(name);
    }
}

fn nameless_and_addressless(idp: &FakeIdp, id: &str) -> String {
    let nothing = json!({
        "email": null, "email_verified": null, "name": null, "picture": null, "jti": id,
    });
    idp.token(&nothing)
}

/// One caller whose own requests always fail, among others who sign in for the first time.
#[tokio::test]
async fn failures_of_two_people_delay_nobody_else() {
    four_at_a_time(failures().into_iter().map(async |(name, fault)| {
        let idp = FakeIdp::start();
        let app = started(&idp).await;
        for subject in ["greedy-1", "greedy-2"] {
            idp.inject_for(subject, fault.clone());
        }
        for second in 0..30 {
            for subject in ["greedy-1", "greedy-2"] {
                let reply = post_token(&app, &nameless(&idp, subject), second).await;
                reply.expect_problem(name, 503, "unavailable");
            }
            let other = nameless(&idp, &format!("other-{second}"));
            post_token(&app, &other, second).await.expect_issued(name);
        }
    }))
    .await;
}

#[tokio::test]
async fn failures_of_three_people_within_ten_seconds_put_the_source_on_cooldown() {
    four_at_a_time(failures().into_iter().chain([NEVER]).map(async |(name, fault)| {
        let idp = FakeIdp::start();
        let app = started_if_it(&idp, fault.hangs()).await;
        post_token(&app, &nameless(&idp, "seen"), 0).await.expect_issued(name);
        for subject in ["a", "b", "c"] {
            idp.inject_for(subject, fault.clone());
        }
        for (second, subject) in [(0, "a"), (4, "b"), (9, "c")] {
            let before = idp.counts().2;
            let reply = post_token(&app, &nameless(&idp, subject), second).await;
            reply.expect_problem(name, 503, "unavailable");
            // A kept connection that breaks is used twice.
            let again = usize::from(name == "cut off");
            assert!((1..=1 + again).contains(&(idp.counts().2 - before)), "{name}: {subject}");
        }
        let before = idp.counts().2;
        for second in [9, 12, 18] {
            let reply = post_token(&app, &nameless(&idp, "other"), second).await;
            reply.expect_problem(name, 503, "unavailable");
            post_token(&app, &nameless(&idp, "seen"), second).await.expect_issued(name);
            post_token(&app, &idp.token(&json!({})), second).await.expect_issued(name);
        }
        assert_eq!(idp.counts().2, before, "{name}: no request");
        post_token(&app, &nameless(&idp, "other"), 19).await.expect_issued(name);
        // The count starts again.
        let reply = post_token(&app, &nameless(&idp, "a"), 19).await;
        reply.expect_problem(name, 503, "unavailable");
        post_token(&app, &nameless(&idp, "fourth"), 19).await.expect_issued(name);
    }))
    .await;
}

#[tokio::test]
async fn failures_of_three_people_count_only_within_ten_seconds() {
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    for subject in ["a", "b", "c"] {
        idp.inject_for(subject, Fault::Status(500));
    }
    for (second, subject) in [(0, "a"), (5, "b"), (10, "c")] {
        let reply = post_token(&app, &nameless(&idp, subject), second).await;
        reply.expect_problem(subject, 503, "unavailable");
    }
    post_token(&app, &nameless(&idp, "other"), 10).await.expect_issued("a's failure is too old");
}

#[tokio::test]
async fn unusable_responses_concern_only_the_person() {
    let statements = [
        ("404", Fault::Status(404)),
        ("401", Fault::Status(401)),
        ("another sub", Fault::Json(json!({ "sub": "user-9" }))),
    ];
    four_at_a_time(unusable().into_iter().chain(statements).map(async |(name, fault)| {
        let idp = FakeIdp::start();
        let app = started(&idp).await;
        for person in 0..20 {
            let subject = format!("person-{person}");
            idp.inject_for(&subject, fault.clone());
            post_token(&app, &nameless(&idp, &subject), 0).await;
        }
        assert_eq!(idp.counts().2, 20, "{name}");
        post_token(&app, &nameless(&idp, "other"), 0).await.expect_issued(name);
    }))
    .await;
}

/// A failure with the operator's key concerns everyone at once.
#[tokio::test]
async fn directory_is_on_cooldown_after_one_failure() {
    for kind in KINDS {
        for (name, fault) in [
            ("429", Fault::Status(429)),
            ("503", Fault::Status(503)),
            ("the key refused", Fault::Status(401)),
        ] {
            let directory = FakeDirectory::start();
            let app = env(&directory, kind).app();
            let token = |subject: &str| -> String {
                let claims: Value = json!({ "sub": subject, "exp": NOW + 1_000 });
                Tenant::of(kind.0).token(&claims)
            };
            directory.inject(fault);
            let reply = post_token(&app, &token("user_1"), 0).await;
            reply.expect_problem(name, 503, "unavailable");
            directory.restore();
            let reply = post_token(&app, &token("user_2"), 9).await;
            reply.expect_problem(name, 503, "unavailable");
            assert_eq!(directory.count(), 1, "{name}");
            post_token(&app, &token("user_2"), 10).await.expect_issued(name);
        }
    }
}
