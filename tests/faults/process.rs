//! Faults of the function's own process: frozen, out of time, out of memory, many requests at once.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use http::Request;
use serde_json::{Value, json};
use tokio::process::Command;

use super::table::{Row, compare, compare_faults};
use super::{NO_WAIT, keys};
use crate::support::gateway::Wire;
use crate::support::{
    Bootstrap, Call, Env, FakeClock, FakeIdp, FakeSecretsManager, Fault, NOW, Route, SecretFault,
    at, clock, extend, now, today,
};

const HOUR: u64 = 3_600;

/// The number of simultaneous requests.
const BURST: usize = 500;

/// The name of the table.
const TABLE: &str = "The process";

const FROZEN: &str = "freeze of one hour with all connections closed";
const STEPPED: &str = "clock steps forward and back";
const LATE: &str = "0.25 s left with an unresponsive upstream";
const HANGING: &str = "6 s per invocation with unresponsive upstreams";
const PANIC: &str = "panic during a request";
const MEMORY: &str = "out of memory";
const COLD_BURST: &str = "500 events at the cold start of one environment";
const TASKS: &str = "500 concurrent requests before the first fetch";

#[test]
fn table_of_the_process_has_these_rows() {
    let rows = [FROZEN, STEPPED, LATE, HANGING, PANIC, MEMORY, COLD_BURST, TASKS];
    compare_faults(TABLE, rows);
}

fn event(token: &str) -> Value {
    Wire::token(token, &json!({})).http_api()
}

/// Three freezes of an hour, during which all connections close. Without libfaketime the clock
/// cannot be moved. Then keys and secret expire after two seconds.
#[tokio::test]
async fn process_recovers_from_an_hour_of_freeze() {
    let name = FROZEN;
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let fake = FakeClock::find();
    let env = Env::online(&idp).secret_in(&secrets).with("OIDC_JWKS_URI", &idp.url("/keys"));
    let env = match &fake {
        Some(fake) => fake.give(env),
        None => env.with_all(&[("JWKS_TTL_SECONDS", "2"), ("SECRET_TTL_SECONDS", "2")]),
    };
    let mut function = Bootstrap::start(&env);
    function.answer(name, &event(&idp.token(&today()))).await.expect_issued(name);
    assert_eq!((idp.counts().1, secrets.asked().len()), (1, 1), "{name}");
    for hours in 1..=3 {
        function.freeze().await;
        idp.down();
        secrets.down();
        let moved = if let Some(fake) = &fake {
            fake.set((hours * HOUR).cast_signed());
            hours * HOUR
        } else {
            tokio::time::sleep(Duration::from_millis(2_500)).await;
            0
        };
        idp.up();
        secrets.up();
        function.thaw().await;
        let by_its_clock = clock().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + moved;
        let dates = json!({ "iat": by_its_clock - 5, "exp": by_its_clock + 300 });
        let event = event(&idp.token(&dates)).to_string();
        let started = Instant::now();
        let left = Duration::from_secs(10 + moved);
        let reply = function.invoke_within(event, left).await.reply(name);
        reply.expect_issued(name);
        assert!(started.elapsed() < Duration::from_secs(3), "{name}: {:?}", started.elapsed());
        let issued = reply.participant()["iat"].as_u64().unwrap();
        assert!(issued.abs_diff(by_its_clock) < 5, "{name}: issued by its own clock");
        let asked = usize::try_from(hours).unwrap() + 1;
        let both = (idp.counts().1, secrets.asked().len());
        assert_eq!(both, (asked, asked), "{name}: before the response");
    }
    assert!(function.is_alive(), "{name}");
    let asked = "1 each per thaw for keys and secret";
    compare(TABLE, &Row::new(name, "201 within 3 s", "0 s", asked));
}

#[tokio::test]
async fn process_survives_steps_of_the_clock() {
    let name = STEPPED;
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let app = Env::online(&idp).secret_in(&secrets).app();
    app.warm_up(now()).await;
    let before = (idp.counts().1, secrets.asked().len());
    let steps: [i64; 8] = [3_600, -3_600, 90_000, -90_000, -200_000, 0, 400, 1];
    for step in steps {
        let time = NOW.checked_add_signed(step).unwrap();
        for _ in 0..20 {
            let token = idp.token(&json!({ "iat": time - 5, "exp": time + 300 }));
            let reply = Call::bare().bearer(&token).send_at(&app, at(time)).await;
            reply.expect_issued(&format!("{name}: {step} s"));
            assert_eq!(reply.participant()["iat"], time, "{name}: {step} s");
        }
        Call::bare()
            .bearer(&keys::token_with_unknown_kid(&idp, "unknown"))
            .send_at(&app, at(time))
            .await;
    }
    let (keys, pairs) = (idp.counts().1 - before.0, secrets.asked().len() - before.1);
    assert!(keys <= steps.len() && pairs <= steps.len(), "{name}: {keys} {pairs}");
    let app = Env::online(&idp).app();
    idp.down();
    app.warm_up(at(NOW + HOUR)).await;
    idp.up();
    let reply = Call::bare().bearer(&idp.token(&json!({}))).send(&app).await;
    reply.expect_issued("a failure an hour in the future holds nobody up");
    compare(TABLE, &Row::new(name, "201", "0 s", "at most 1 per step"));
}

#[tokio::test]
async fn process_answers_before_its_deadline() {
    let idp = FakeIdp::start();
    let function = Bootstrap::start(&Env::online(&idp));
    function.init_time().await;
    let nameless = |sub: &str| extend(today(), &json!({ "sub": sub, "name": null }));
    idp.inject(Route::UserInfo, Fault::Hang);
    let name = LATE;
    let hanging = event(&idp.token(&nameless("a"))).to_string();
    for left in [Duration::from_millis(250), Duration::ZERO] {
        let started = Instant::now();
        let reply = function.invoke_within(hanging.clone(), left).await.reply(name);
        reply.expect_problem(name, 503, "unavailable");
        assert!(started.elapsed() < NO_WAIT, "{name}: {:?}", started.elapsed());
    }
    assert!(idp.counts().2 <= 2, "{name}: {:?}", idp.counts());
    compare(TABLE, &Row::new(name, "503 immediately", "0 s", "at most 1"));
    idp.restore(Route::UserInfo);
    let reply = function.answer(name, &event(&idp.token(&nameless("a")))).await;
    assert_eq!(reply.status, 201, "the next request: {}", function.output());
}

#[tokio::test]
async fn process_answers_in_five_seconds_while_upstreams_hang() {
    let name = HANGING;
    let idp = FakeIdp::start();
    let nameless = |sub: &str| extend(today(), &json!({ "sub": sub, "name": null }));
    for route in [Route::Discovery, Route::Jwks, Route::UserInfo] {
        idp.inject(route, Fault::Hang);
    }
    let env = Env::online(&idp).with("JWKS_COOLDOWN_SECONDS", "1");
    let function = Bootstrap::start(&env.with("AWS_LAMBDA_MAX_CONCURRENCY", "4"));
    function.init_time().await;
    let asked = idp.counts().0;
    let events: Vec<_> = (0..4).map(|n| event(&idp.token(&nameless(&n.to_string())))).collect();
    let answers = events.iter().map(async |event| {
        let started = Instant::now();
        let outcome = function.invoke_within(event.to_string(), Duration::from_secs(6)).await;
        outcome.reply(name).expect_problem(name, 503, "unavailable");
        assert!(started.elapsed() < Duration::from_secs(6), "{name}: {:?}", started.elapsed());
    });
    join_all(answers).await;
    assert_eq!(function.answers(), (4, vec![1; 4]), "{name}");
    assert_eq!(idp.counts().0 - asked, 1, "{name}: one fetch for all");
    compare(TABLE, &Row::new(name, "503 within 5 s", "–", "1 for all waiting requests"));
}

/// A body that panics as it is read.
struct Broken;

impl AsRef<[u8]> for Broken {
    fn as_ref(&self) -> &[u8] {
        panic!("a body that breaks");
    }
}

#[tokio::test]
async fn process_serves_requests_after_a_panic() {
    let name = PANIC;
    let app = Env::offline().app();
    for _ in 0..5 {
        let request = Request::post("/token").body(Broken).unwrap();
        let response = app.handle(request, now()).await;
        assert_eq!(response.status(), 500, "{name}");
        Call::token().send(&app).await.expect_issued("the next request");
    }
    let mut function = Bootstrap::start(&Env::offline());
    let token = crate::support::token(&today());
    let undecodable = Wire::token(&token, &json!({})).base64("!").http_api();
    function.answer(name, &undecodable).await.expect_problem(name, 400, "invalid_request");
    function.answer(name, &event(&token)).await.expect_issued("the next event");
    assert!(function.is_alive(), "{name}");
    let callers = "500, or 400 for an event with invalid types";
    compare(TABLE, &Row::new(name, callers, "0 s", "–"));
}

/// Sends the largest possible event to an environment with little memory. Its response is valid. If
/// the process ends, the next one serves.
#[tokio::test]
async fn process_out_of_memory_does_not_fail_the_next_one() {
    let name = MEMORY;
    let env = Env::offline();
    let token = crate::support::token(&today());
    let large = Wire::token(&token, &json!({})).text(&"x".repeat(6_000_000)).http_api();
    let mut ended = Vec::new();
    for megabytes in [1, 4, 16, 64] {
        let mut function = Bootstrap::start(&env);
        function.answer(name, &event(&token)).await.expect_issued("plenty");
        limit_memory(&function, megabytes).await;
        function.answer(name, &event(&token)).await.expect_issued("little, and enough");
        match function.invoke_or_exit(large.to_string()).await {
            Ok(outcome) => {
                let reply = outcome.reply(name);
                reply.expect_problem(name, 413, "content_too_large");
                function.answer(name, &event(&token)).await.expect_issued("and on");
            }
            Err(status) => {
                assert!(!status.success(), "{name}: {status}");
                ended.push(megabytes);
            }
        }
        let output = function.output();
        assert!(!output.contains(&token) && !output.contains("ada@"), "{name}: {output}");
    }
    assert!(ended.contains(&1) && !ended.contains(&64), "{name}: ended at {ended:?} MB");
    let function = Bootstrap::start(&env);
    function.answer(name, &event(&token)).await.expect_issued("the next environment");
    let recovery = "0 s in the next environment";
    compare(TABLE, &Row::new(name, "failure of that request only", recovery, "–"));
}

/// Limits the growth of the process' address space to so many megabytes.
async fn limit_memory(function: &Bootstrap, megabytes: u64) {
    let id = function.id().expect("a living process").to_string();
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
    let limit = format!("--as={}", (kilobytes + megabytes * 1_024) * 1_024);
    let set = Command::new("prlimit").args(["--pid", &id, &limit]).status().await;
    assert!(set.is_ok_and(|status| status.success()), "prlimit");
}

/// All requests arrive at the first moment, through Lambda's own interface.
#[tokio::test]
async fn process_serves_a_burst_at_its_start() {
    let name = COLD_BURST;
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(300)));
    secrets.inject(SecretFault::Slow(300));
    let env = Env::online(&idp).secret_in(&secrets);
    let mut function = Bootstrap::start(&env.with("AWS_LAMBDA_MAX_CONCURRENCY", "100"));
    let event = event(&idp.token(&today()));
    let answers = (0..BURST).map(async |_| {
        function.answer(name, &event).await.expect_issued(name);
    });
    join_all(answers).await;
    assert_eq!(function.answers(), (BURST, vec![1; BURST]), "{name}");
    assert_eq!((idp.counts(), secrets.asked().len()), ((1, 1, 0), 1), "{name}");
    assert!(function.is_alive(), "{name}");
    compare(TABLE, &Row::new(name, "500 × 201", "–", "1 each for discovery, keys and secret"));
}

/// The same inside the process and without an init, so that all requests wait for the fetches.
#[tokio::test]
async fn process_serves_a_burst_of_tasks() {
    let name = TASKS;
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    idp.inject(Route::Jwks, Fault::Slow(Duration::from_millis(300)));
    secrets.inject(SecretFault::Slow(300));
    let app = Env::online(&idp).secret_in(&secrets).app();
    let token = idp.token(&json!({}));
    let tasks = (0..BURST).map(|_| {
        let (app, call) = (Arc::clone(&app), Call::bare().bearer(&token));
        tokio::spawn(async move { call.send(&app).await })
    });
    let replies: Vec<_> = join_all(tasks).await;
    assert_eq!(replies.len(), BURST);
    for reply in replies {
        reply.unwrap().expect_issued(name);
    }
    assert_eq!((idp.counts(), secrets.asked().len()), ((1, 1, 0), 1), "{name}");
    compare(TABLE, &Row::new(name, "500 × 201", "–", "1 each for discovery, keys and secret"));
}
