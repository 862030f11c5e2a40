//! The bounds of everything that is cached.

use std::fs;
use std::sync::Arc;

use roomkey::App;
use serde_json::json;
use tokio::process::Command;

use crate::support::{Call, Env, FakeIdp, Key, claims, encode_part, merge, now};

/// The variable with the issuer, set for the process that measures itself.
const ISSUER: &str = "ROOMKEY_TEST_ISSUER";

/// The number of unknown key names, rooms and people of one round.
const ROUND: (usize, usize, usize) = (1_500, 200, 300);

/// The number of rounds until every cache is full.
const FILLING: usize = 4;

/// The number of rounds after that.
const FULL: usize = 3;

/// The growth that is not a leak, in kilobytes.
const SLACK: usize = 256;

/// Sends fourteen thousand unknown names, rooms and people. The last six thousand must not make the
/// process larger. It is a process of its own, since the other tests of this one use memory too. The
/// fakes stay in this process, because they record every request.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
async fn memory_is_bounded_under_fourteen_thousand_new_names() {
    if let Ok(issuer) = std::env::var(ISSUER) {
        return measure(&issuer).await;
    }
    let idp = FakeIdp::start();
    idp.publish(&[&Key::rsa(), &Key::ed25519()]);
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
    assert_eq!(idp.counts().2, people + 1, "each is looked up once, and the forgotten one again");
}

async fn measure(issuer: &str) {
    let env = Env::offline().without("OIDC_JWKS").with_all(&[
        ("OIDC_ISSUER", issuer),
        ("PROFILE_SOURCE", "claims,userinfo"),
        ("PARTICIPANT_IDENTITY", "sub"),
    ]);
    let app = env.app();
    app.warm_up(now()).await;
    let tokens = Tokens::of(issuer);
    let mut sizes = Vec::new();
    for round in 0..FILLING + FULL {
        visit(&app, &tokens, round).await;
        sizes.push(resident());
    }
    // The first person was forgotten: there is one more lookup than there are people.
    issued(&app, &tokens.nameless("person-0-0"), "lobby").await;
    let grown = sizes[FILLING + FULL - 1].saturating_sub(sizes[FILLING - 1]);
    println!("resident kilobytes after each round: {sizes:?}");
    assert!(grown <= SLACK, "grown by {grown} kB: {sizes:?}");
}

async fn visit(app: &Arc<App>, tokens: &Tokens, round: usize) {
    let (kids, rooms, people) = ROUND;
    let unknown = async |n: usize| {
        let token = tokens.unknown_kid(&format!("kid-{round}-{n}"));
        Call::bare().bearer(&token).send(app).await
    };
    let first = unknown(0).await;
    first.expect_problem("an unknown kid", 401, "invalid_token");
    for n in 1..kids {
        let reply = unknown(n).await;
        assert_eq!((reply.status, &reply.body), (401, &first.body), "kid {n}");
    }
    for n in 0..rooms {
        issued(app, &tokens.known, &format!("room-{round}-{n}")).await;
    }
    for n in 0..people {
        issued(app, &tokens.nameless(&format!("person-{round}-{n}")), "lobby").await;
    }
}

async fn issued(app: &Arc<App>, token: &str, room: &str) {
    let call = Call::bare().bearer(token).json(&json!({ "room_name": room }));
    assert_eq!(call.send(app).await.status, 201, "{room}");
}

/// Tokens that differ in one value, from texts that are built once.
struct Tokens {
    /// A token of a caller with a name.
    known: String,
    header: String,
    payload_of_nobody: String,
    payload_of_unknown_kid: String,
}

impl Tokens {
    fn of(issuer: &str) -> Self {
        let key = Key::ed25519();
        let claims = merge(claims(), &json!({ "iss": issuer }));
        let nobody = json!({ "sub": "SUBJECT", "email": null, "name": null });
        Self {
            known: key.sign(&key.header(), &claims),
            header: key.header().to_string(),
            payload_of_nobody: merge(claims.clone(), &nobody).to_string(),
            payload_of_unknown_kid: encode_part(&claims.to_string()),
        }
    }

    /// A token of a caller who has to be looked up.
    fn nameless(&self, subject: &str) -> String {
        Key::ed25519().sign_text(&self.header, &self.payload_of_nobody.replace("SUBJECT", subject))
    }

    fn unknown_kid(&self, kid: &str) -> String {
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{kid}"}}"#);
        format!("{}.{}.{}", encode_part(&header), self.payload_of_unknown_kid, "A".repeat(342))
    }
}

/// The resident memory of this process, in kilobytes.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
