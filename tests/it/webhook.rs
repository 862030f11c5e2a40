//! Webhooks of LiveKit: the signature, and the effects of events.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use roomkey::App;
use roomkey::state::item::{Ban, Change};
use serde_json::{Value, json};

use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeApi, FakeDynamoDb, FakeSecretsManager, Fault, NOW, Reply,
    StateFault, at, encode_part, merge, now, text,
};

const PATH: &str = "/v1/livekit-webhook";
const OTHER_SECRET: &str = "another-secret-of-at-least-32-bytes";

/// An event with its signature; each row changes one thing of it.
#[derive(Clone)]
struct Webhook {
    body: String,
    header: Value,
    claims: Value,
    secret: &'static str,
    scheme: &'static str,
}

impl Webhook {
    fn new(body: &Value) -> Self {
        let body = body.to_string();
        let hash = STANDARD.encode(digest(&SHA256, body.as_bytes()));
        let claims = json!({ "iss": API_KEY, "nbf": NOW, "exp": NOW + 300, "sha256": hash });
        let header = json!({ "alg": "HS256", "typ": "JWT" });
        Self { body, header, claims, secret: API_SECRET, scheme: "" }
    }

    fn with(mut self, change: &Value) -> Self {
        self.claims = merge(self.claims, change);
        self
    }

    fn token(&self) -> String {
        let signed =
            [&self.header, &self.claims].map(|part| encode_part(&part.to_string())).join(".");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, self.secret.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    fn call(&self) -> Call {
        Call::bare()
            .at("POST", PATH)
            .header("authorization", &format!("{}{}", self.scheme, self.token()))
            .body("application/webhook+json", self.body.clone())
    }

    async fn send(&self, app: &Arc<App>) -> Reply {
        self.call().send(app).await
    }
}

fn joined(identity: &str) -> Value {
    json!({
        "event": "participant_joined",
        "id": "EV_1",
        "createdAt": NOW.to_string(),
        "room": { "sid": "RM_1", "name": "standup", "turnPassword": "x" },
        "participant": { "sid": "PA_1", "identity": identity, "state": "ACTIVE" },
    })
}

fn finished(created_at: &Value) -> Value {
    json!({ "event": "room_finished", "createdAt": created_at, "room": { "name": "standup" } })
}

fn livekit() -> FakeApi {
    FakeApi::livekit(json!({ "bob": {}, "bob:phone": {} }))
}

fn env(livekit: &FakeApi) -> Env {
    let env = Env::offline().with("STATE_TABLE", "memory").with("PARTICIPANT_DEVICES", "true");
    env.with("LIVEKIT_URL", &livekit.url("ws"))
}

async fn ban(app: &Arc<App>, room: &str) {
    let ban = Ban { banned_at: NOW, ends_at: Some(NOW + 60), reason: None };
    let state = app.endpoint().exchange().state().unwrap();
    state.change(room, "bob", &Change::Ban(ban), now()).await.unwrap();
}

fn removals(livekit: &FakeApi) -> Vec<Value> {
    livekit
        .asked()
        .into_iter()
        .map(|asked| {
            assert!(asked.path.ends_with("/RemoveParticipant"), "{}", asked.path);
            asked.body
        })
        .collect()
}

#[tokio::test]
async fn banned_participant_is_removed_at_once() {
    for room in ["standup", "*"] {
        let livekit = livekit();
        let app = env(&livekit).app();
        ban(&app, room).await;
        // The joined device alone: every other one has an event of its own.
        let reply = Webhook::new(&joined("bob:phone")).send(&app).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let expected = json!({ "room": "standup", "identity": "bob:phone" });
        assert_eq!(removals(&livekit), [expected]);
        // Repeated, and when the participant has left meanwhile.
        let webhook = Webhook::new(&joined("bob:phone"));
        assert_eq!(webhook.send(&app).await.status, 200);
        assert_eq!(Webhook::new(&joined("bob:gone")).send(&app).await.status, 200);
        assert_eq!(removals(&livekit).len(), 3);
        // The ban has ended, or was deleted, when a late event arrives.
        let late = webhook.clone().with(&json!({ "exp": NOW + 1000 }));
        assert_eq!(late.call().send_at(&app, at(NOW + 60)).await.status, 200);
        assert_eq!(removals(&livekit).len(), 3);
    }
}

#[tokio::test]
async fn other_events_have_no_effect() {
    let livekit = livekit();
    let app = env(&livekit).app();
    ban(&app, "standup").await;
    let event = |name: &str| merge(joined("bob"), &json!({ "event": name }));
    let events = [
        joined("bobby"),
        joined(""),
        merge(joined("bob"), &json!({ "room": { "name": "other" } })),
        merge(joined("bob"), &json!({ "room": null })),
        merge(joined("bob"), &json!({ "participant": null })),
        event("participant_left"),
        event("room_started"),
        event("track_published"),
        event("an_event_of_the_future"),
        event(""),
        json!({}),
    ];
    for event in events {
        let reply = Webhook::new(&event).send(&app).await;
        assert_eq!(reply.status, 200, "{event}: {}", reply.text());
    }
    assert!(livekit.asked().is_empty());
    for body in ["", "[]", "null", "{", r#"{"event":5}"#, r#"{"event":"a","event":"b"}"#] {
        let mut webhook = Webhook::new(&json!({}));
        webhook.body = body.into();
        let hash = STANDARD.encode(digest(&SHA256, body.as_bytes()));
        let webhook = webhook.with(&json!({ "sha256": hash }));
        webhook.send(&app).await.expect_problem(body, 400, "invalid_request");
    }
}

#[tokio::test]
async fn unsigned_webhook_is_rejected() {
    let livekit = livekit();
    let app = env(&livekit).app();
    ban(&app, "standup").await;
    let good = Webhook::new(&joined("bob"));
    let change = |change: Value| good.clone().with(&change);
    let of_body = |body: &Value| good.claims["sha256"] == Webhook::new(body).claims["sha256"];
    assert!(!of_body(&joined("eve")));
    let rows = [
        ("another secret", Webhook { secret: OTHER_SECRET, ..good.clone() }),
        ("alg none", Webhook { header: json!({ "alg": "none" }), ..good.clone() }),
        ("alg HS512", Webhook { header: json!({ "alg": "HS512" }), ..good.clone() }),
        ("alg in lower case", Webhook { header: json!({ "alg": "hs256" }), ..good.clone() }),
        ("no alg", Webhook { header: json!({}), ..good.clone() }),
        ("crit", Webhook { header: json!({ "alg": "HS256", "crit": ["x"] }), ..good.clone() }),
        ("another body", Webhook { body: joined("eve").to_string(), ..good.clone() }),
        ("another space", Webhook { body: format!("{} ", good.body), ..good.clone() }),
        ("no body", Webhook { body: String::new(), ..good.clone() }),
        ("another key", change(json!({ "iss": "APIother" }))),
        ("no key", change(json!({ "iss": null }))),
        ("expired", change(json!({ "exp": NOW - 60 }))),
        ("no expiry", change(json!({ "exp": null }))),
        ("an expiry in words", change(json!({ "exp": "soon" }))),
        ("not valid yet", change(json!({ "nbf": NOW + 61 }))),
        ("no hash", change(json!({ "sha256": null }))),
        (
            "hexadecimal hash",
            change(json!({ "sha256": hex::encode(digest(&SHA256, good.body.as_bytes())) })),
        ),
        ("short hash", change(json!({ "sha256": STANDARD.encode(b"short") }))),
        ("empty hash", change(json!({ "sha256": "" }))),
    ];
    for (row, webhook) in rows {
        webhook.send(&app).await.expect_problem(row, 401, "invalid_token");
    }
    let bare = || Call::bare().at("POST", PATH).body("application/webhook+json", good.body.clone());
    bare().send(&app).await.expect_problem("nothing", 401, "missing_token");
    let token = good.token();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let malformed = [
        String::new(),
        "x".into(),
        "a.b.c".into(),
        signed.to_owned(),
        format!("{signed}."),
        format!("{token}x"),
        format!("{token}.x"),
        format!("Basic {token}"),
        format!("{token} {token}"),
    ];
    for value in malformed {
        let reply = bare().header("authorization", &value).send(&app).await;
        reply.expect_problem(&value, 401, "invalid_token");
    }
    let twice = bare().header("authorization", &token).header("authorization", &token);
    twice.send(&app).await.expect_problem("twice", 401, "invalid_token");
    // A participant token has the same signature and no hash.
    let participant = Call::token().send(&app).await.participant_token();
    let reply = bare().header("authorization", &participant).send(&app).await;
    reply.expect_problem("a participant token", 401, "invalid_token");
    assert!(livekit.asked().is_empty());

    let accepted = [
        ("as LiveKit sends it", good.clone()),
        ("a scheme", Webhook { scheme: "Bearer ", ..good.clone() }),
        ("a minute late", change(json!({ "exp": NOW - 59 }))),
        ("a minute early", change(json!({ "nbf": NOW + 60 }))),
        ("no start", change(json!({ "nbf": null }))),
    ];
    for (row, webhook) in accepted {
        assert_eq!(webhook.send(&app).await.status, 200, "{row}");
    }
    assert_eq!(livekit.asked().len(), 5);
}

/// Metadata and attributes of a participant may have 64,000 bytes each.
#[tokio::test]
async fn webhook_may_be_long_but_not_endless() {
    let livekit = livekit();
    let app = env(&livekit).app();
    ban(&app, "standup").await;
    let padded = |bytes: usize| {
        let mut event = joined("bob");
        event["participant"]["metadata"] = json!("");
        let length = event.to_string().len();
        event["participant"]["metadata"] = json!(text(bytes - length));
        Webhook::new(&event)
    };
    assert_eq!(padded(1 << 20).send(&app).await.status, 200);
    padded((1 << 20) + 1).send(&app).await.expect_problem("long", 413, "content_too_large");
    let unsigned = Webhook { secret: OTHER_SECRET, ..padded(2 << 20) };
    unsigned.send(&app).await.expect_problem("long, unsigned", 401, "invalid_token");
    assert_eq!(removals(&livekit).len(), 1);
}

#[tokio::test]
async fn end_of_a_room_ends_given_roles_and_no_bans() {
    let rows = [
        (json!(NOW.to_string()), false),
        (json!((NOW + 5).to_string()), false),
        (json!(NOW), false),
        (json!(null), false),
        (json!("0"), false),
        (json!("soon"), false),
        // The event of an earlier call arrives late.
        (json!((NOW - 1).to_string()), true),
    ];
    for (created_at, is_kept) in rows {
        let livekit = livekit();
        let app = env(&livekit).app();
        let state = app.endpoint().exchange().state().unwrap();
        ban(&app, "standup").await;
        for (room, person) in [("standup", "bob"), ("standup", "ada"), ("other", "ada")] {
            state.give_role(room, person, "viewer", now()).await.unwrap();
        }
        for _ in 0..2 {
            let reply = Webhook::new(&finished(&created_at)).send(&app).await;
            assert_eq!(reply.status, 200, "{created_at}: {}", reply.text());
        }
        let read = async |room, person| state.read(Some(room), person, now()).await.unwrap();
        assert_eq!(read("standup", "ada").await.role.is_some(), is_kept, "{created_at}");
        assert_eq!(read("standup", "bob").await.role.is_some(), is_kept, "{created_at}");
        assert!(read("standup", "bob").await.is_banned, "{created_at}");
        assert!(read("other", "ada").await.role.is_some(), "{created_at}");
        assert!(livekit.asked().is_empty());
    }
}

/// LiveKit repeats an event that is answered 503.
#[tokio::test]
async fn failed_removal_and_unavailable_state_are_answered_503() {
    let livekit = livekit();
    let app = env(&livekit).app();
    ban(&app, "standup").await;
    livekit.inject(Fault::Status(500));
    let webhook = Webhook::new(&joined("bob"));
    webhook.send(&app).await.expect_problem("livekit", 503, "unavailable");
    livekit.restore();
    assert_eq!(webhook.send(&app).await.status, 200);

    let table = FakeDynamoDb::start();
    let app = env(&livekit).state_in(&table).app_if_it(true);
    ban(&app, "standup").await;
    for fault in [StateFault::Error(400, "ThrottlingException"), StateFault::Hang] {
        table.inject(fault);
        webhook.send(&app).await.expect_problem("state", 503, "unavailable");
        let end = Webhook::new(&finished(&json!(NOW)));
        end.send(&app).await.expect_problem("state", 503, "unavailable");
        assert_eq!(Webhook::new(&json!({})).send(&app).await.status, 200, "needs no state");
        table.restore();
    }
    assert_eq!(webhook.send(&app).await.status, 200);
}

#[tokio::test]
async fn secret_is_fetched_once_more_for_an_unknown_key() {
    let secrets = FakeSecretsManager::start();
    let app = Env::offline().secret_in(&secrets).with("STATE_TABLE", "memory").app();
    app.warm_up(now()).await;
    secrets.keep(FakeSecretsManager::secret("newkey", OTHER_SECRET));
    let newer = Webhook { secret: OTHER_SECRET, ..Webhook::new(&json!({})) };
    let newer = newer.with(&json!({ "iss": "newkey", "exp": NOW + 1000 }));
    assert_eq!(newer.call().send_at(&app, at(NOW + 11)).await.status, 200);
    assert_eq!(secrets.asked().len(), 2);
    let unknown = newer.with(&json!({ "iss": "nobody" }));
    for _ in 0..3 {
        let reply = unknown.call().send_at(&app, at(NOW + 12)).await;
        reply.expect_problem("unknown", 401, "invalid_token");
    }
    assert_eq!(secrets.asked().len(), 2, "the cool-down");
}
