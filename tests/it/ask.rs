//! Rules that ask the app: the request, the caller that it is about, and the routes that decide by it.

use std::time::{Duration, Instant};

use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};

use crate::support::{
    API_KEY, API_SECRET, Call, Env, FakeApi, FakeApp, FakeIdp, FakeSecretsManager, Fault, NOW,
    Reply, Route, Say, at, now, signed, token,
};

const SECRET: &str = "a phrase that people remember we";

/// One rule that asks `url` of the app, with these further lines in the ask table.
fn policy(app: &FakeApp, url: &str, table: &str) -> String {
    let url = format!("{}{url}", app.url());
    format!(
        "[[allow]]\nrooms = [\"team-*\"]\nrole = \"participant\"\nask = \"members\"\n\n\
         [ask.members]\nurl = \"{url}\"\n{table}\n"
    )
}

fn env(app: &FakeApp, url: &str, table: &str) -> Env {
    Env::offline().with("POLICY", &policy(app, url, table))
}

fn room(name: &str) -> Value {
    json!({ "room_name": name })
}

#[tokio::test]
async fn app_receives_one_plain_request_before_the_token_is_issued() {
    let asked = FakeApp::saying(Say::ok("whatever"));
    let app = env(&asked, "/rooms/{room}/members/{sub}?team={room.rest}&n={name}", "").app();
    let reply = Call::asking(&room("team-blue")).send(&app).await;
    reply.expect_issued("yes");
    assert_eq!(reply.participant()["attributes"]["role"], "participant");
    let expected = format!(
        "GET /rooms/team-blue/members/user-1?team=blue&n=Ada%20Lovelace HTTP/1.1\r\n\
         accept: application/json\r\nuser-agent: roomkey/{}\r\nhost: {}\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        asked.host(),
    );
    assert_eq!(asked.heads(), [expected]);
}

#[tokio::test]
async fn request_carries_token_headers_and_signature_only_if_the_table_says_so() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let table =
        "forward = \"bearer\"\nsign = true\nheaders = { apikey = \"anon-key\", X-App = \"a b\" }";
    let app = env(&asked, "/may?room={room}", table).with("ASK_SECRET", SECRET).app();
    let bearer = token(&json!({}));
    Call::bare().bearer(&bearer).json(&room("team-a/b")).send(&app).await.expect_issued("yes");
    let body = hex::encode(digest::digest(&digest::SHA256, b""));
    let text = format!("GET\n/may?room=team-a%2Fb\n{NOW}\n{body}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = hex::encode(hmac::sign(&key, text.as_bytes()));
    let expected = format!(
        "GET /may?room=team-a%2Fb HTTP/1.1\r\nx-app: a b\r\napikey: anon-key\r\n\
         x-roomkey-timestamp: {NOW}\r\nx-roomkey-signature: sha256={signature}\r\n\
         accept: application/json\r\nuser-agent: roomkey/{}\r\nauthorization: Bearer {bearer}\r\n\
         host: {}\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        asked.host(),
    );
    assert_eq!(asked.heads(), [expected]);
}

#[tokio::test]
async fn token_is_forwarded_only_if_the_table_says_so() {
    for (table, expected) in
        [("", false), ("forward = \"none\"", false), ("forward = \"bearer\"", true)]
    {
        let asked = FakeApp::saying(Say::ok("{}"));
        let app = env(&asked, "/", table).app();
        Call::asking(&room("team-a")).send(&app).await.expect_issued(table);
        let head = asked.heads().remove(0);
        assert_eq!(head.contains("authorization:"), expected, "{head}");
        assert_eq!(head.contains("eyJ"), expected, "{head}");
    }
}

#[tokio::test]
async fn fresh_room_is_named_before_the_app_is_asked() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let app = env(&asked, "/{room}/{room.rest}", "").app();
    let first = Call::token().send(&app).await;
    let name = first.json()["room_name"].as_str().unwrap().to_owned();
    let rest = name.strip_prefix("team-").unwrap();
    assert!(rest.starts_with("room-") && rest.len() == 37, "{name}");
    assert_eq!(first.participant()["video"]["room"], name.as_str());
    assert_eq!(asked.targets(), [format!("/{name}/{rest}")]);
    Call::token().send(&app).await.expect_issued("another");
    assert_ne!(asked.targets()[0], asked.targets()[1]);
}

#[tokio::test]
async fn app_is_asked_only_by_the_rule_that_matches() {
    let asked =
        FakeApp::start(|target| Say::status(if target.contains("acme") { 200 } else { 404 }, "{}"));
    let policy = format!(
        "[[allow]]\nwhen = {{ staff = true }}\nrooms = [\"*\"]\nrole = \"host\"\n\n\
         [[allow]]\nrooms = [\"team-*\"]\nrole = \"participant\"\nask = \"org\"\n\n\
         [[allow]]\nrooms = [\"team-*\", \"lobby\"]\nrole = \"viewer\"\n\n\
         [ask.org]\nurl = \"{}/{{org.id}}\"\n",
        asked.url()
    );
    let app = Env::offline().with("POLICY", &policy).app();
    #[rustfmt::skip]
    let rows = [
        ("no ask in the rule",      json!({ "staff": true }),                          "team-a", Some("host"),        0),
        ("another room",            json!({ "org": { "id": "acme" } }),                "lobby",  Some("viewer"),      0),
        ("no room",                 json!({ "org": { "id": "acme" } }),                "other",  None,                0),
        ("yes",                     json!({ "org": { "id": "acme" } }),                "team-a", Some("participant"), 1),
        ("a number",                json!({ "org": { "id": 7 }, "x": "acme" }),        "team-a", None,                1),
        ("a missing claim",         json!({}),                                         "team-a", Some("viewer"),      0),
        ("an empty claim",          json!({ "org": { "id": "" } }),                    "team-a", Some("viewer"),      0),
        ("a list",                  json!({ "org": { "id": ["acme"] } }),              "team-a", Some("viewer"),      0),
        ("no, and no further rule", json!({ "org": { "id": "globex" } }),              "team-a", None,                1),
    ];
    for (name, claims, room_name, role, requests) in rows {
        let before = asked.count();
        let reply = Call::bare().bearer(&token(&claims)).json(&room(room_name)).send(&app).await;
        match role {
            Some(role) => assert_eq!(reply.participant()["attributes"]["role"], role, "{name}"),
            None => drop(reply.expect_problem(name, 403, "room_not_allowed")),
        }
        assert_eq!(asked.count() - before, requests, "{name}");
    }
}

#[tokio::test]
async fn app_is_not_asked_for_a_request_that_fails_before() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let app = env(&asked, "/", "").app();
    Call::bare().send(&app).await.expect_problem("no token", 401, "missing_token");
    Call::bare().bearer("a.b.c").send(&app).await.expect_problem("no JWT", 401, "invalid_token");
    let body = json!({ "room_name": "team-a", "participant_attributes": { "role": "host" } });
    Call::asking(&body).send(&app).await.expect_problem("reserved", 403, "field_not_allowed");
    Call::asking(&json!({ "room_name": 1 })).send(&app).await.expect_problem(
        "type",
        400,
        "invalid_request",
    );
    assert_eq!(asked.count(), 0);
}

#[tokio::test]
async fn backend_receives_a_token_without_a_question() {
    let asked = FakeApp::saying(Say::status(403, "{}"));
    let env = signed::env().with("POLICY", &policy(&asked, "/{room}", ""));
    let reply = signed::Signed::new(&signed::body()).send(&env).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(asked.count(), 0);
}

#[tokio::test]
async fn moderation_is_decided_by_the_app() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let livekit = FakeApi::livekit(
        json!({ "bob": { "sid": "PA_1", "tracks": [], "attributes": { "role": "viewer" } } }),
    );
    let table = "role_from = \"role\"\nroles = [\"host\"]";
    let policy = policy(&asked, "/{room}/{sub}", table).replace("team-*", "*");
    let app = Env::offline().with("LIVEKIT_URL", &livekit.url("ws")).with("POLICY", &policy).app();
    let mute = async || {
        Call::token().at("POST", "/v1/rooms/standup/participants/bob/mute").send(&app).await
    };
    mute().await.expect_problem("a participant", 403, "role_not_allowed");
    asked.say(Say::ok("{\"role\":\"host\"}"));
    assert_eq!(mute().await.status, 204);
    asked.say(Say::status(404, "{\"role\":\"host\"}"));
    mute().await.expect_problem("no", 403, "room_not_allowed");
    asked.say(Say::status(500, ""));
    mute().await.expect_problem("broken", 503, "unavailable");
    assert_eq!(asked.targets(), ["/standup/user-1"; 4]);
    assert_eq!(livekit.asked().len(), 1);
}

#[tokio::test]
async fn liveblocks_is_decided_by_the_app() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let liveblocks = FakeApi::start(|_, _| (200, json!({ "token": "lb" })));
    let table = "role_from = \"role\"\nroles = [\"viewer\", \"host\"]";
    let policy = policy(&asked, "/members/{sub}", table)
        .replace("ask = \"members\"", "ask = \"members\"\nliveblocks = [\"doc-*\"]");
    let app = Env::offline()
        .with("LIVEBLOCKS_SECRET_KEY", "sk_test_1")
        .with("LIVEBLOCKS_API_URL", &liveblocks.url("http"))
        .with("POLICY", &policy)
        .app();
    let call = async || {
        Call::token()
            .at("POST", "/api/liveblocks-auth")
            .json(&json!({ "room": "doc-1" }))
            .send(&app)
            .await
    };
    for (body, scope) in
        [("{}", "*:write"), ("{\"role\":\"viewer\"}", "*:read"), ("{\"role\":\"host\"}", "*:write")]
    {
        asked.say(Say::ok(body));
        assert_eq!(call().await.status, 200, "{body}");
        let sent = liveblocks.asked().pop().unwrap();
        assert_eq!(sent.body["permissions"], json!({ "doc-*": [scope] }), "{body}");
    }
    asked.say(Say::status(403, "{}"));
    call().await.expect_problem("no", 403, "room_not_allowed");
    asked.say(Say::Reset);
    call().await.expect_problem("reset", 503, "unavailable");
    assert_eq!(liveblocks.asked().len(), 3);
    assert!(asked.targets().iter().all(|target| target == "/members/user-1"));
}

#[tokio::test]
async fn role_of_the_app_brings_its_settings_and_grants() {
    let asked = FakeApp::saying(Say::ok("{\"role\":\"speaker\"}"));
    let table = "role_from = \"role\"\nroles = [\"host\", \"speaker\"]\n\n[roles.speaker]\nttl_seconds = 61\nmax_participants = 5\ncan_publish_sources = [\"microphone\"]\nroom_config = { agents = [{ agent_name = \"notes\" }] }";
    let app = env(&asked, "/", table).app();
    let body =
        json!({ "room_name": "team-a", "room_config": { "agents": [{ "agent_name": "notes" }] } });
    let participant = Call::asking(&body).send(&app).await.participant();
    assert_eq!(participant["attributes"]["role"], "speaker");
    assert_eq!(participant["exp"], NOW + 61);
    assert_eq!(participant["video"]["canPublishSources"], json!(["microphone"]));
    assert_eq!(
        participant["roomConfig"],
        json!({ "maxParticipants": 5, "agents": [{ "agentName": "notes" }] })
    );
    asked.say(Say::ok("{\"role\":null}"));
    Call::asking(&body).send(&app).await.expect_problem(
        "its own role has no agent",
        403,
        "agent_not_allowed",
    );
}

async fn as_user(app: &std::sync::Arc<roomkey::App>, sub: &str, after: u64) -> Reply {
    let change = json!({ "sub": sub, "email": format!("{sub}@example.com") });
    Call::bare().bearer(&token(&change)).json(&room("team-a")).send_at(app, at(NOW + after)).await
}

#[tokio::test]
async fn yes_is_cached_for_its_seconds_and_no_is_not() {
    let asked = FakeApp::saying(Say::ok("{\"role\":\"host\"}"));
    let table = "cache_seconds = 10\nrole_from = \"role\"\nroles = [\"host\"]";
    let app = env(&asked, "/{room}", table).app();
    as_user(&app, "ada", 0).await.expect_issued("first");
    asked.say(Say::status(404, ""));
    for after in [1, 9] {
        let participant = as_user(&app, "ada", after).await.participant();
        assert_eq!(participant["attributes"]["role"], "host", "after {after} s");
    }
    assert_eq!(asked.count(), 1);
    as_user(&app, "ada", 10).await.expect_problem("expired", 403, "room_not_allowed");
    as_user(&app, "ada", 11).await.expect_problem("a no", 403, "room_not_allowed");
    assert_eq!(asked.count(), 3, "every no is asked again");
    asked.say(Say::status(500, ""));
    as_user(&app, "ada", 12).await.expect_problem("broken", 503, "unavailable");
    as_user(&app, "ada", 12).await.expect_problem("broken", 503, "unavailable");
    asked.say(Say::ok("{}"));
    as_user(&app, "ada", 12).await.expect_issued("no cool-down after a failure");
    assert_eq!(asked.count(), 6);
    as_user(&app, "ada", 5).await.expect_issued("the clock was set back");
    assert_eq!(asked.count(), 7, "a yes of the future counts as expired");
}

#[tokio::test]
async fn nothing_is_cached_without_cache_seconds() {
    let asked = FakeApp::saying(Say::ok("{}"));
    for table in ["", "cache_seconds = 0"] {
        let app = env(&asked, "/", table).app();
        let before = asked.count();
        as_user(&app, "ada", 0).await.expect_issued(table);
        as_user(&app, "ada", 0).await.expect_issued(table);
        assert_eq!(asked.count() - before, 2, "{table}");
    }
}

#[tokio::test]
async fn yes_is_cached_for_one_caller_room_and_forwarded_token() {
    #[rustfmt::skip]
    let rows = [
        ("the same",             "/{room}", "",                       json!({}),              "team-a", true),
        ("another person",       "/x",      "",                       json!({ "sub": "bob" }), "team-a", false),
        ("another room",         "/{room}", "",                       json!({}),              "team-b", false),
        ("a room not in the URL", "/x",     "",                       json!({}),              "team-b", true),
        ("another token",        "/x",      "",                       json!({ "exp": NOW + 200 }), "team-a", true),
        ("the token forwarded",  "/x",      "\nforward = \"bearer\"", json!({ "exp": NOW + 200 }), "team-a", false),
        ("the same forwarded",   "/x",      "\nforward = \"bearer\"", json!({}),              "team-a", true),
    ];
    for (name, url, table, change, room_name, is_cached) in rows {
        let asked = FakeApp::saying(Say::ok("{}"));
        let app = env(&asked, url, &format!("cache_seconds = 60{table}")).app();
        Call::asking(&room("team-a")).send(&app).await.expect_issued(name);
        asked.say(Say::status(403, ""));
        let reply = Call::bare().bearer(&token(&change)).json(&room(room_name)).send(&app).await;
        assert_eq!(reply.status == 201, is_cached, "{name}: {}", reply.text());
    }
}

#[tokio::test]
async fn yes_is_cached_for_one_rule() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let policy = policy(&asked, "/x", "cache_seconds = 60")
        + "\n[[allow]]\nrooms = [\"other\"]\nrole = \"host\"\nask = \"members\"\n";
    let app = Env::offline().with("POLICY", &policy).app();
    Call::asking(&room("team-a")).send(&app).await.expect_issued("first");
    asked.say(Say::status(403, ""));
    Call::asking(&room("team-b")).send(&app).await.expect_issued("the same rule");
    Call::asking(&room("other")).send(&app).await.expect_problem(
        "another",
        403,
        "room_not_allowed",
    );
}

#[tokio::test]
async fn two_people_at_a_time_receive_their_own_answers() {
    let asked = FakeApp::start(|target| {
        let role = if target.contains("ada") { "host" } else { "viewer" };
        Say::Late(
            Duration::from_millis(50),
            match Say::ok(&format!("{{\"role\":\"{role}\"}}")) {
                Say::Bytes(bytes) => bytes,
                _ => unreachable!(),
            },
        )
    });
    let table = "cache_seconds = 60\nrole_from = \"role\"\nroles = [\"host\", \"viewer\"]";
    let app = env(&asked, "/{sub}", table).app();
    let (ada, bob) = tokio::join!(as_user(&app, "ada", 0), as_user(&app, "bob", 0));
    assert_eq!(ada.participant()["attributes"]["role"], "host");
    assert_eq!(bob.participant()["attributes"]["role"], "viewer");
    assert_eq!(as_user(&app, "bob", 1).await.participant()["attributes"]["role"], "viewer");
    assert_eq!(asked.count(), 2);
}

#[tokio::test]
async fn app_is_asked_in_parallel_with_the_profile() {
    let idp = FakeIdp::start();
    let asked = FakeApp::saying(Say::Late(
        Duration::from_millis(400),
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ));
    let app = Env::online(&idp).with("POLICY", &policy(&asked, "/", "")).app();
    app.warm_up(now()).await;
    idp.inject(Route::UserInfo, Fault::Slow(Duration::from_millis(400)));
    let started = Instant::now();
    let reply = Call::bare().bearer(&idp.bare_token()).json(&room("team-a")).send(&app).await;
    reply.expect_issued("both");
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
}

#[tokio::test]
async fn connection_to_the_app_is_kept() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let app = env(&asked, "/", "").app();
    for _ in 0..3 {
        Call::asking(&room("team-a")).send(&app).await.expect_issued("yes");
    }
    assert_eq!((asked.count(), asked.connections()), (3, 1));
}

#[tokio::test]
async fn connection_that_broke_between_requests_is_replaced() {
    let asked =
        FakeApp::saying(Say::Close(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()));
    let app = env(&asked, "/", "").app();
    for _ in 0..5 {
        Call::asking(&room("team-a")).send(&app).await.expect_issued("yes");
    }
}

#[tokio::test]
async fn missing_ask_secret_prevents_the_start_or_is_answered_503() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let env = env(&asked, "/", "sign = true");
    let error = env.config().err().expect("no ASK_SECRET").to_string();
    assert_eq!(
        error,
        "invalid configuration:\n  ASK_SECRET is not set, and the policy has an ask table with sign = true"
    );
    let secrets = FakeSecretsManager::start();
    let managed = env.secret_in(&secrets);
    let call = async || Call::asking(&room("team-a")).send(&managed.app()).await;
    call().await.expect_problem("no ASK_SECRET", 503, "unavailable");
    assert_eq!(asked.count(), 0, "no request without a signature");
    let mut secret = FakeSecretsManager::secret(API_KEY, API_SECRET);
    secret["ASK_SECRET"] = json!(SECRET);
    secrets.keep(secret);
    call().await.expect_issued("with ASK_SECRET");
    assert!(asked.heads()[0].contains("x-roomkey-signature: sha256="));
}
