//! Faults of the issuer's key set and discovery document.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use roomkey::App;
use serde_json::json;

use super::table::{Row, compare, compare_faults};
use super::{CUT_OFF, NO_WAIT, Outage, cold_and_warm, run_outage, status, stopped_early};
use crate::support::{
    Call, Env, FakeIdp, Fault, Key, NOW, Reply, Route, at, claims, encode_part, key_set, merge,
    now, weak,
};

const DAY: u64 = 86_400;

/// The broken upstream and its fault.
#[derive(Clone)]
enum Breakage {
    /// All connections are refused.
    Down,
    /// A fault of the key endpoint.
    Keys(Fault),
    /// The discovery document of another issuer.
    Liar,
}

impl Breakage {
    fn hangs(&self) -> bool {
        matches!(self, Self::Keys(fault) if fault.hangs())
    }
}

/// The name of the table.
const TABLE: &str = "Keys";

/// The rows of faults that last, by test.
macro_rules! lasting_faults {
    ($($test:ident: $fault:expr, $breakage:expr;)*) => {
        /// The names of the faults.
        const LASTING: &[&str] = &[$($fault),*];
        $(#[tokio::test]
        async fn $test() {
            outage($fault, $breakage).await;
        })*
    };
}

lasting_faults! {
    keys_unreachable: "unreachable", Breakage::Down;
    keys_slow: "response after the timeout", Breakage::Keys(Fault::Slow(Duration::from_secs(4)));
    keys_dripping: "one byte at a time", Breakage::Keys(Fault::Drip);
    keys_with_an_error: "status 500", Breakage::Keys(Fault::Status(500));
    keys_as_a_page: "HTML page", Breakage::Keys(Fault::Html);
    keys_redirected: "redirect loop", Breakage::Keys(Fault::Redirect("/keys".to_owned()));
    keys_empty: "empty key set", Breakage::Keys(Fault::Json(json!({ "keys": [] })));
    keys_cut_off: CUT_OFF, Breakage::Keys(Fault::Truncated);
}

async fn outage(name: &'static str, breakage: Breakage) {
    let (cold, warm) = tokio::join!(cold(name, &breakage), warm(name, &breakage));
    assert_eq!(warm.seen, BTreeSet::from([503]), "{name}: an unknown key");
    compare(TABLE, &cold_and_warm(name, &cold, &warm, "201 for known keys, 503 for a new one"));
}

#[tokio::test]
async fn key_set_of_two_gigabytes_is_not_read_to_its_end() {
    let sent = Arc::new(AtomicU64::new(0));
    let outage = outage(HUGE, Breakage::Keys(Fault::Huge(Arc::clone(&sent))));
    Box::pin(outage).await;
    stopped_early(HUGE, &sent, 6);
}

#[test]
fn table_of_keys_has_these_rows() {
    let (first, last) = LASTING.split_at(5);
    let others = [HUGE];
    let rest =
        [LIAR, FLAPPING_COLD, FLAPPING_WARM, ROTATED, WITHDRAWN, WITHDRAWN_DOWN, UNREADABLE, FLOOD];
    compare_faults(TABLE, [first, &others, last, &rest].concat());
}

const HUGE: &str = "response of 2 GB";
const LIAR: &str = "discovery document of another issuer";
const FLAPPING_COLD: &str = "flapping at the cold start";
const FLAPPING_WARM: &str = "flapping later, with an unknown `kid` per second";
const ROTATED: &str = "rotation with both keys in the set";
const WITHDRAWN: &str = "withdrawn key";
const WITHDRAWN_DOWN: &str = "withdrawn key during an outage";
const UNREADABLE: &str = "one malformed key among valid ones";
const FLOOD: &str = "flood of unknown `kid` values during a rotation";

fn inject(idp: &FakeIdp, breakage: &Breakage) {
    match breakage {
        Breakage::Down => idp.down(),
        Breakage::Keys(fault) => idp.inject(Route::Jwks, fault.clone()),
        Breakage::Liar => idp.describe(&json!({ "issuer": "https://evil.example" })),
    }
}

fn restore(idp: &FakeIdp) {
    idp.up();
    idp.restore(Route::Jwks);
    idp.describe(&json!({ "issuer": idp.issuer() }));
}

/// A token of `key` with this `kid`, valid for a week.
fn long_lived_token(idp: &FakeIdp, key: &Key, kid: &str) -> String {
    let change = json!({ "iss": idp.issuer(), "exp": NOW + 7 * DAY });
    key.sign(&merge(key.header(), &json!({ "kid": kid })), &merge(claims(), &change))
}

/// A token with the name of a key that does not exist. Its signature is never checked.
pub(super) fn token_with_unknown_kid(idp: &FakeIdp, kid: &str) -> String {
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
    let claims = merge(claims(), &json!({ "iss": idp.issuer() }));
    let part = |value: &serde_json::Value| encode_part(&value.to_string());
    format!("{}.{}.{}", part(&header), part(&claims), "A".repeat(342))
}

/// The response to `token` `after` seconds from the start.
async fn post_token(app: &Arc<App>, token: &str, after: u64) -> Reply {
    Call::bare().bearer(token).send_at(app, at(NOW + after)).await
}

async fn started(idp: &FakeIdp) -> Arc<App> {
    started_if_it(idp, false).await
}

async fn started_if_it(idp: &FakeIdp, hangs: bool) -> Arc<App> {
    let app = Env::online(idp).app_if_it(hangs);
    app.warm_up(now()).await;
    app
}

async fn cold(name: &str, breakage: &Breakage) -> Outage {
    let idp = FakeIdp::start();
    inject(&idp, breakage);
    let app = Env::online(&idp).app_if_it(breakage.hangs());
    let token = long_lived_token(&idp, &Key::rsa(), "rsa");
    let post_token = async |second| {
        if second == 0 {
            app.warm_up(now()).await;
        }
        post_token(&app, &token, second).await
    };
    let asked = || match breakage {
        Breakage::Liar => idp.counts().0,
        _ => idp.counts().1,
    };
    let is_well = |reply: &Reply| reply.status == 201;
    let outage = Box::pin(run_outage(name, 0, post_token, is_well, asked, || restore(&idp))).await;
    let (discovery, _, userinfo) = idp.counts();
    assert!(discovery <= 4 && userinfo == 0, "{name}: {:?}", idp.counts());
    assert_eq!(idp.strays(), Vec::<String>::new(), "{name}");
    outage
}

/// The fault makes a new key unavailable. Tokens of the known key must not be affected.
async fn warm(name: &str, breakage: &Breakage) -> Outage {
    let idp = FakeIdp::start();
    let app = started_if_it(&idp, breakage.hangs()).await;
    idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
    inject(&idp, breakage);
    let known = long_lived_token(&idp, &Key::rsa(), "rsa");
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    let post_token = async |second| {
        let started = Instant::now();
        post_token(&app, &known, second).await.expect_issued(name);
        assert!(started.elapsed() < NO_WAIT, "{name}: {:?}", started.elapsed());
        post_token(&app, &next, second).await
    };
    let is_well = |reply: &Reply| reply.status == 201;
    Box::pin(run_outage(name, 11, post_token, is_well, || idp.counts().1, || restore(&idp))).await
}

#[tokio::test]
async fn discovery_of_another_issuer_is_never_used() {
    let name = LIAR;
    let cold = Box::pin(cold(name, &Breakage::Liar)).await;
    assert_eq!(cold.seen, BTreeSet::from([503]), "{name}");
    let asked = format!("{} in 20 s for discovery, 0 for keys", cold.asked);
    compare(TABLE, &Row::new(name, "cold: 503", &format!("{} s", cold.healed), &asked));
}

/// The issuer is down for seven seconds and up for seven, with a new unknown `kid` every second.
#[tokio::test]
async fn flapping_issuer_fails_no_request_once_keys_are_known() {
    let name = FLAPPING_COLD;
    let idp = FakeIdp::start();
    idp.down();
    let app = started(&idp).await;
    let known = long_lived_token(&idp, &Key::rsa(), "rsa");
    let mut first = None;
    let flap = |second: u64| if (second / 7).is_multiple_of(2) { idp.down() } else { idp.up() };
    for second in 1..=30 {
        flap(second);
        let status = status(name, &post_token(&app, &known, second).await);
        assert!(first.is_none() || status == 201, "{name}: {status} after {second} s");
        if status == 201 {
            first.get_or_insert(second);
        }
    }
    let healed = format!("{} s", first.expect("well again") - 7);
    let asked = match idp.counts() {
        (1, 1, 0) => "1 after the recovery",
        counts => panic!("{name}: {counts:?}"),
    };
    compare(TABLE, &Row::new(name, "503 until the recovery, then 201", &healed, asked));

    let name = FLAPPING_WARM;
    let before = idp.counts().1;
    for second in 31..=150 {
        flap(second);
        post_token(&app, &known, second).await.expect_issued(name);
        let reply =
            post_token(&app, &token_with_unknown_kid(&idp, &format!("kid-{second}")), second).await;
        assert!(matches!(reply.status, 401 | 503), "{name}: {}", reply.text());
    }
    let asked = idp.counts().1 - before;
    assert!(asked <= 12, "{name}: {asked}");
    let asked = format!("{asked} in 120 s");
    compare(TABLE, &Row::new(name, "201 for known keys, 401 or 503 for unknown ones", "–", &asked));
}

#[tokio::test]
async fn rotated_key_is_accepted_and_withdrawn_key_rejected_in_time() {
    let name = ROTATED;
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    let old = long_lived_token(&idp, &Key::rsa(), "rsa");
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
    let mut healed = None;
    for second in 0..=30 {
        post_token(&app, &old, second).await.expect_issued(name);
        match post_token(&app, &next, second).await {
            reply if reply.status == 201 => _ = healed.get_or_insert(second),
            reply => _ = reply.expect_problem(name, 401, "invalid_token"),
        }
    }
    assert_eq!(idp.counts().1, 2, "{name}");
    let healed = healed.filter(|seconds| *seconds <= 10).expect("found within the cool-down");
    let callers = "201 for the old key, 401 for the new one until it is fetched";
    compare(TABLE, &Row::new(name, callers, &format!("{healed} s"), "1"));

    let name = WITHDRAWN;
    idp.publish(&[&Key::rsa_next()]);
    // The set was fetched after ten seconds.
    for second in [11, 60, 300, 600, 609] {
        post_token(&app, &old, second).await.expect_issued(name);
    }
    post_token(&app, &old, 610).await.expect_problem(name, 401, "invalid_token");
    post_token(&app, &next, 610).await.expect_issued(name);
    assert_eq!(idp.counts().1, 3, "{name}");
    let callers = "201 until the set is refreshed, then 401";
    compare(TABLE, &Row::new(name, callers, "600 s (`JWKS_TTL_SECONDS`)", "1"));
}

/// During an outage a withdrawn key expires with the set.
#[tokio::test]
async fn withdrawn_key_expires_with_its_set_during_an_outage() {
    let name = WITHDRAWN_DOWN;
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    let old = long_lived_token(&idp, &Key::rsa(), "rsa");
    idp.publish(&[&Key::rsa_next()]);
    idp.down();
    let mut last = 0;
    for second in (0..=DAY + 3_600).step_by(600) {
        let reply = post_token(&app, &old, second).await;
        if status(name, &reply) == 201 {
            last = second;
        }
    }
    assert_eq!(last, DAY, "{name}");
    idp.up();
    let reply = post_token(&app, &old, DAY + 3_700).await;
    reply.expect_problem(name, 401, "invalid_token");
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    post_token(&app, &next, DAY + 3_700).await.expect_issued(name);
    let callers = "201 for 24 h, then 503, and 401 after the recovery";
    compare(TABLE, &Row::new(name, callers, "0 s", "0"));
}

#[tokio::test]
async fn unreadable_keys_do_not_affect_valid_ones() {
    let name = UNREADABLE;
    let idp = FakeIdp::start();
    let mut document = key_set(&[&Key::rsa(), &Key::p256()]);
    let keys = document["keys"].as_array_mut().unwrap();
    let bad = [
        json!(5),
        json!(null),
        json!({}),
        json!({ "kty": "RSA", "kid": "bad" }),
        json!({ "kty": "EC", "crv": "P-256", "kid": "bad", "x": "AA", "y": "AA" }),
        json!({ "kty": "quantum", "kid": "bad" }),
        weak().0,
    ];
    for bad in bad {
        keys.insert(1, bad);
    }
    idp.publish_set(document);
    let app = started(&idp).await;
    for key in [Key::rsa(), Key::p256()] {
        post_token(&app, &long_lived_token(&idp, &key, key.kid), 1).await.expect_issued(name);
    }
    let reply = post_token(&app, &long_lived_token(&idp, &Key::rsa_next(), "bad"), 1).await;
    reply.expect_problem(name, 401, "invalid_token");
    assert_eq!(idp.counts().1, 1, "{name}");
    compare(TABLE, &Row::new(name, "201 for valid keys, 401 for the malformed one", "0 s", "1"));
}

/// Sends a hundred unknown `kid` values a second, and rotates the key right after the fetch that
/// they caused.
#[tokio::test]
async fn flood_of_unknown_kids_causes_one_fetch_per_cooldown() {
    let name = FLOOD;
    let idp = FakeIdp::start();
    let app = started(&idp).await;
    let known = long_lived_token(&idp, &Key::rsa(), "rsa");
    let next = long_lived_token(&idp, &Key::rsa_next(), "rsa-next");
    let mut healed = None;
    for second in 11..=40 {
        let names = (0..100).map(|n| token_with_unknown_kid(&idp, &format!("kid-{second}-{n}")));
        let names: Vec<_> = names.collect();
        for reply in join_all(names.iter().map(|token| post_token(&app, token, second))).await {
            reply.expect_problem(name, 401, "invalid_token");
        }
        post_token(&app, &known, second).await.expect_issued(name);
        match post_token(&app, &next, second).await {
            reply if reply.status == 201 => _ = healed.get_or_insert(second - 11),
            reply => _ = reply.expect_problem(name, 401, "invalid_token"),
        }
        if second == 11 {
            idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
        }
    }
    let asked = idp.counts().1 - 1;
    assert_eq!(asked, 3, "{name}: in 30 s");
    let healed = healed.filter(|seconds| *seconds <= 10).expect("found within the cool-down");
    let callers = "201 for known keys, 401 for unknown or unfetched ones";
    let asked = format!("{asked} in 30 s");
    compare(TABLE, &Row::new(name, callers, &format!("{healed} s"), &asked));
}
