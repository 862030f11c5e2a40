//! Faults of a user directory.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::directories::{KINDS, env, once, post_token};
use crate::support::{Call, FakeDirectory, Fault, NOW, Tenant, at, four_at_a_time};

/// The response is 503, never 401 and never a part of a profile. Ten seconds later the next request
/// tries again.
#[tokio::test]
async fn directory_fault_is_answered_503_and_retried_after_the_cooldown() {
    let elsewhere = FakeDirectory::start();
    #[rustfmt::skip]
    let faults = [
        ("our key refused",        Fault::Status(401)),
        ("our key not enough",     Fault::Status(403)),
        ("500",                    Fault::Status(500)),
        ("503",                    Fault::RetryAfter(503, "86400")),
        ("204",                    Fault::Status(204)),
        ("429 without a word",     Fault::Status(429)),
        ("a page",                 Fault::Html),
        ("nothing",                Fault::Bytes(Vec::new())),
        ("not JSON",               Fault::Bytes(b"{\"id\":".to_vec())),
        ("not UTF-8",              Fault::Bytes(b"{\"id\":\"\xff\"}".to_vec())),
        ("null",                   Fault::Json(Value::Null)),
        ("a list",                 Fault::Json(json!([{ "id": "user_2bQ" }]))),
        ("an id twice",            Fault::Bytes(br#"{"id":"user_2bQ","id":"user_2bQ"}"#.to_vec())),
        ("one byte too many",      Fault::Padded(150_001)),
        ("40 MB",                  Fault::Padded(40_000_000)),
        ("without end",            Fault::Endless),
        ("cut off",                Fault::Truncated),
        ("never",                  Fault::Hang),
        ("a byte at a time",       Fault::Drip),
        ("a redirect",             Fault::Redirect(format!("{}/v1/users/user_2bQ", elsewhere.url()))),
    ];
    let rows = faults.into_iter().map(async |(name, fault)| {
        for kind in KINDS {
            let directory = FakeDirectory::start();
            directory.inject(fault.clone());
            let app = env(&directory, kind).app_if_it(fault.hangs());
            let started = Instant::now();
            let reply = post_token(&app, kind.0, &json!({})).await;
            reply.expect_problem(&format!("{}: {name}", kind.0), 503, "unavailable");
            assert!(started.elapsed() < Duration::from_secs(5), "{name}: {:?}", started.elapsed());
            directory.restore();
            let token = Tenant::of(kind.0).token(&json!({ "exp": NOW + 1_000 }));
            let soon = Call::bare().bearer(&token).send_at(&app, at(NOW + 9)).await;
            soon.expect_problem(&format!("{}: {name}, a little later", kind.0), 503, "unavailable");
            let next = Call::bare().bearer(&token).send_at(&app, at(NOW + 10)).await;
            next.expect_issued(&format!("after {name}"));
        }
    });
    four_at_a_time(rows).await;
    assert_eq!(elsewhere.count(), 0, "nobody follows a redirect");
}

#[tokio::test]
async fn retry_after_of_the_directory_is_passed_on_within_bounds() {
    for kind in KINDS {
        for (asked, told) in [("7", "7"), ("0", "1"), ("3600", "30")] {
            let directory = FakeDirectory::start();
            directory.inject(Fault::RetryAfter(429, asked));
            let reply = once(&directory, kind, &json!({})).await;
            reply.expect_problem(kind.0, 503, "unavailable");
            assert_eq!(reply.header("retry-after"), Some(told), "{kind:?} {asked}");
        }
        let directory = FakeDirectory::start();
        directory.down();
        let reply = once(&directory, kind, &json!({})).await;
        reply.expect_problem("refused connections", 503, "unavailable");
    }
}
