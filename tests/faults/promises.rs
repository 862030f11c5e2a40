//! Guarantees during every outage, one test each.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use roomkey::App;
use serde_json::json;

use super::keys::token_with_unknown_kid;
use super::{RECOVERY, status};
use crate::support::gateway::Wire;
use crate::support::{
    Bootstrap, Call, Env, FakeIdp, FakeSecretsManager, Fault, Key, NOW, Outcome, Reply, Route,
    SecretFault, at, claims, encode_part, extend, merge, now, today,
};

/// A schedule that is the same in every run: `SplitMix64`.
struct Schedule(u64);

impl Schedule {
    /// Returns a number below `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

async fn post_token(app: &Arc<App>, token: &str, time: u64) -> Reply {
    Call::bare().bearer(token).send_at(app, at(time)).await
}

/// All upstreams flap, and twenty events of all kinds arrive at a time. Each gets one response, and
/// only permitted callers get a token.
#[tokio::test]
async fn request_is_always_answered_during_an_outage() {
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let env = Env::online(&idp).secret_in(&secrets).with_all(&[
        ("JWKS_TTL_SECONDS", "1"),
        ("JWKS_COOLDOWN_SECONDS", "1"),
        ("SECRET_TTL_SECONDS", "1"),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "20"),
    ]);
    let mut function = Bootstrap::start(&env);
    function.init_time().await;
    let good = idp.token(&today());
    let events = |wave: usize| -> Vec<(String, bool)> {
        let nameless = json!({ "sub": format!("user-{wave}"), "name": null });
        let nameless = idp.token(&extend(today(), &nameless));
        let of = |token: &str| Wire::token(token, &json!({}));
        vec![
            (of(&good).http_api().to_string(), true),
            (of(&good).alb().to_string(), true),
            (of(&nameless).http_api().to_string(), true),
            (of(&nameless).rest("prod").to_string(), true),
            (of(&idp.token(&json!({ "exp": NOW }))).http_api().to_string(), false),
            (
                of(&token_with_unknown_kid(&idp, &format!("kid-{wave}"))).http_api().to_string(),
                false,
            ),
            (of(&idp.token_by(&Key::stranger(), &today())).http_api().to_string(), false),
            (of(&good).base64("!").http_api().to_string(), false),
            (of("").at("GET", "/health").http_api().to_string(), false),
            ("{\"no\":\"request\"}".to_owned(), false),
        ]
    };
    let mut schedule = Schedule(1);
    let (mut sent, mut issued) = (0, 0);
    for wave in 0..20 {
        match schedule.below(3) {
            0 => idp.down(),
            _ => idp.up(),
        }
        match schedule.below(3) {
            0 => secrets.down(),
            1 => secrets.inject(SecretFault::Internal),
            _ => {
                secrets.up();
                secrets.restore();
            }
        }
        let events = events(wave);
        let twice = events.iter().chain(&events);
        let outcomes = twice.map(async |(event, may)| {
            let outcome = function.invoke_within(event.clone(), Duration::from_secs(10)).await;
            (outcome, *may)
        });
        for (outcome, may) in join_all(outcomes).await {
            sent += 1;
            let Outcome::Answer(reply) = outcome else { panic!("wave {wave}: {outcome:?}") };
            assert!(may || reply.status != 201, "wave {wave}: {}", reply.text());
            let known = matches!(reply.status, 200 | 201 | 400 | 401 | 503);
            assert!(known, "wave {wave}: {}", reply.text());
            issued += usize::from(reply.status == 201);
        }
    }
    assert_eq!(function.answers(), (sent, vec![1; sent]), "one answer each");
    assert!(issued > sent / 10, "{issued} of {sent}: somebody was served");
    assert!(function.is_alive());
}

type Breakage<'a> = &'a dyn Fn(&FakeIdp, &FakeSecretsManager);

/// Tokens that a check rejects.
fn forged(idp: &FakeIdp) -> Vec<(&'static str, String)> {
    let good = idp.token(&json!({}));
    let parts: Vec<_> = good.split('.').collect();
    let mine = merge(claims(), &json!({ "iss": idp.issuer(), "email": "eve@example.com" }));
    let payload = encode_part(&mine.to_string());
    let mut stranger = Key::stranger();
    stranger.kid = "rsa-next";
    let header = encode_part(r#"{"alg":"none","typ":"JWT"}"#);
    let hmac = encode_part(r#"{"alg":"HS256","typ":"JWT","kid":"rsa"}"#);
    vec![
        ("a stranger's key", idp.token_by(&Key::stranger(), &json!({}))),
        ("a stranger's key by another name", idp.token_by(&stranger, &json!({}))),
        ("other claims", format!("{}.{payload}.{}", parts[0], parts[2])),
        ("no signature", format!("{header}.{payload}.")),
        ("an HMAC", format!("{hmac}.{payload}.{}", URL_SAFE_NO_PAD.encode([7; 32]))),
        ("expired", idp.token(&json!({ "exp": NOW - 60 }))),
        ("for others", idp.token(&json!({ "aud": "shop" }))),
        ("by others", idp.token(&json!({ "iss": "https://evil.example" }))),
        ("of nobody", idp.token(&json!({ "sub": null }))),
    ]
}

/// Every upstream is broken in turn, and some serve an attacker's keys.
#[tokio::test]
async fn unverified_token_is_never_accepted_during_an_outage() {
    let evil = FakeIdp::start();
    evil.publish(&[&Key::stranger(), &Key::rsa_next()]);
    let evils_set = evil.url("/keys");
    let eve = json!({ "sub": "eve", "email": "eve@example.com", "email_verified": true });
    let breakages: [(&str, Breakage<'_>); 9] = [
        ("nothing", &|_, _| ()),
        ("the issuer down", &|idp, _| idp.down()),
        ("keys: 500", &|idp, _| idp.inject(Route::Jwks, Fault::Status(500))),
        ("keys: a page", &|idp, _| idp.inject(Route::Jwks, Fault::Html)),
        ("keys: elsewhere", &|idp, _| {
            idp.inject(Route::Jwks, Fault::Redirect(evils_set.clone()));
        }),
        ("discovery lies", &|idp, _| {
            idp.describe(&json!({ "issuer": evil.issuer(), "jwks_uri": evils_set }));
        }),
        ("UserInfo: somebody else", &|idp, _| {
            idp.inject(Route::UserInfo, Fault::Json(eve.clone()));
        }),
        ("no secret", &|_, secrets| secrets.inject(SecretFault::Text("{}"))),
        ("Secrets Manager down", &|_, secrets| secrets.down()),
    ];
    for (name, breakage) in breakages {
        for is_warm in [false, true] {
            let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
            let app = Env::online(&idp).secret_in(&secrets).app();
            if is_warm {
                app.warm_up(now()).await;
            }
            breakage(&idp, &secrets);
            for time in [NOW, NOW + 11] {
                for (forgery, token) in forged(&idp) {
                    let reply = post_token(&app, &token, time).await;
                    let row = format!("{name}, warm: {is_warm}, {forgery}");
                    assert!(matches!(reply.status, 401 | 503), "{row}: {}", reply.text());
                }
                let bare = post_token(&app, &idp.bare_token(), time).await;
                if bare.status == 201 {
                    assert_eq!(bare.participant()["sub"], "ada@example.com", "{name}");
                }
                let good = post_token(&app, &idp.token(&json!({})), time).await;
                let is_served = is_warm || name == "nothing" || name.starts_with("UserInfo");
                assert_eq!(good.status == 201, is_served, "{name}, warm: {is_warm}");
            }
        }
    }
    assert_eq!(evil.counts(), (0, 0, 0), "nobody asks an attacker");
}

/// Runs a hundred outages at cold starts, of all upstreams and of any length. Requests succeed
/// within ten seconds after the last one.
#[tokio::test]
async fn outage_ends_for_clients_within_ten_seconds() {
    let mut schedule = Schedule(2);
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let token = idp.token(&json!({ "exp": NOW + 1_000 }));
    let mut worst = 0;
    for outage in 0..100 {
        let app = Env::online(&idp).secret_in(&secrets).app();
        let broken = 1 + schedule.below(7);
        if broken & 1 > 0 {
            idp.inject(Route::Jwks, Fault::Status(503));
        }
        if broken & 2 > 0 {
            idp.inject(Route::Discovery, Fault::Html);
        }
        if broken & 4 > 0 {
            secrets.inject(SecretFault::Error("ThrottlingException"));
        }
        let ends = [1, 2, 4].map(|part| if broken & part > 0 { schedule.below(45) } else { 0 });
        let end = ends.into_iter().max().unwrap();
        app.warm_up(now()).await;
        let row = format!("outage {outage} of {broken:03b}, {ends:?}");
        let healed = 'served: {
            for second in 0..=end + RECOVERY {
                if status(&row, &post_token(&app, &token, NOW + second).await) == 201 {
                    assert!(second >= end, "{row}: served at {second} s");
                    break 'served second - end;
                }
                if second == ends[0] {
                    idp.restore(Route::Jwks);
                }
                if second == ends[1] {
                    idp.restore(Route::Discovery);
                }
                if second == ends[2] {
                    secrets.restore();
                }
            }
            panic!("{row}: not served {RECOVERY} s after its end");
        };
        worst = worst.max(healed);
    }
    assert_eq!(worst, RECOVERY, "some outage ended right after a try");
}

/// Sends requests of every kind for hours, while all upstreams fail and recover at random. Ten
/// seconds lie between two requests to one upstream.
#[tokio::test]
async fn upstream_is_requested_at_most_once_in_ten_seconds() {
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let app = Env::online(&idp).secret_in(&secrets).app();
    let far = json!({ "exp": NOW + 10_000_000 });
    let known = idp.token(&far);
    let next = idp.token_by(&Key::rsa_next(), &far);
    let mut schedule = Schedule(3);
    let mut fetches: [Vec<u64>; 3] = Default::default();
    let mut time = NOW;
    app.warm_up(at(time)).await;
    for step in 0..600 {
        time += match schedule.below(10) {
            0..=2 => 0,
            3..=6 => schedule.below(4),
            7..=8 => schedule.below(30),
            _ => schedule.below(900),
        };
        for route in [Route::Discovery, Route::Jwks] {
            match schedule.below(12) {
                0 => idp.inject(route, Fault::Status(500)),
                1 => idp.inject(route, Fault::Json(json!({ "keys": [] }))),
                2..=4 => idp.restore(route),
                _ => (),
            }
        }
        match schedule.below(12) {
            0 => secrets.inject(SecretFault::Internal),
            1 => secrets.inject(SecretFault::Text("{}")),
            2..=4 => secrets.restore(),
            _ => (),
        }
        match schedule.below(20) {
            0 => idp.publish(&[&Key::rsa_next()]),
            1 => idp.publish(&[&Key::rsa(), &Key::rsa_next()]),
            _ => (),
        }
        let strangers: Vec<_> =
            (0..3).map(|n| token_with_unknown_kid(&idp, &format!("{step}-{n}"))).collect();
        let callers = [&known, &next].into_iter().chain(&strangers);
        join_all(callers.map(|token| post_token(&app, token, time))).await;
        post_token(&app, &strangers[0], time).await;
        let (discovery, keys, _) = idp.counts();
        let counts = [discovery, keys, secrets.asked().len()];
        for (times, count) in fetches.iter_mut().zip(counts) {
            times.resize(count, time);
        }
    }
    for (upstream, times) in ["discovery", "keys", "Secrets Manager"].iter().zip(&fetches) {
        assert!(times.len() > 10, "{upstream}: asked {} times", times.len());
        for pair in times.windows(2) {
            let gap = pair[1] - pair[0];
            assert!(gap >= 10, "{upstream}: {gap} s after {} s", pair[0] - NOW);
        }
    }
}
