//! `POST /v1/token` and `/v1/token/refresh`: a backend's signature, and what it may ask for.

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeSecretsManager, NOW, Reply, at};

const KEY: &str = "backend-1";
const SECRET: &str = "a secret of thirty-two bytes....";
const NEXT_SECRET: &str = "another one, of more than 32 bytes";

fn keys() -> String {
    json!({ KEY: SECRET, "backend-2": NEXT_SECRET }).to_string()
}

fn env() -> Env {
    Env::offline().with("BACKEND_API_KEYS", &keys())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn body() -> Value {
    json!({ "roomId": "room-abc", "userId": "user-123", "name": "Alice", "role": "participant" })
}

/// A signed request; each row changes one thing of it.
#[derive(Clone)]
struct Signed {
    method: &'static str,
    path: String,
    /// What is signed as the path, where it is not the path itself.
    other_path: Option<String>,
    headers: Vec<(&'static str, String)>,
    secret: &'static str,
    timestamp: String,
    body: String,
}

impl Signed {
    fn new(body: &Value) -> Self {
        Self {
            method: "POST",
            path: "/v1/token".into(),
            other_path: None,
            headers: vec![("x-api-key", KEY.into())],
            secret: SECRET,
            timestamp: NOW.to_string(),
            body: body.to_string(),
        }
    }

    fn signature(&self) -> String {
        let path = self.other_path.as_ref().unwrap_or(&self.path);
        let hash = hex(digest::digest(&digest::SHA256, self.body.as_bytes()).as_ref());
        let text = format!("{}\n{path}\n{}\n{hash}", self.method, self.timestamp);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        format!("sha256={}", hex(hmac::sign(&key, text.as_bytes()).as_ref()))
    }

    /// The request with its headers, the signature last.
    fn call(&self) -> Call {
        let call = Call::bare().at(self.method, &self.path);
        let call = self.headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.header("x-rtcstack-timestamp", &self.timestamp)
            .header("x-rtcstack-signature", &self.signature())
            .body("application/json", self.body.clone())
    }

    async fn send(&self, env: &Env) -> Reply {
        self.call().send(&env.app()).await
    }
}

#[tokio::test]
async fn a_signed_request_is_answered_as_rtcstack_answers() {
    for path in ["/v1/token", "/v1/token/refresh"] {
        let reply = Signed { path: path.into(), ..Signed::new(&body()) }.send(&env()).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let answer = reply.json();
        assert_eq!(answer["url"], "wss://livekit.example");
        assert_eq!(answer["expiresAt"], "2026-01-01T06:00:00Z", "21,600 s after {NOW}");
        assert_eq!(answer.as_object().unwrap().len(), 3, "{answer}");
        let claims = claims_of(&reply);
        assert_eq!(claims["sub"], "user-123");
        assert_eq!(claims["name"], "Alice");
        assert_eq!(claims["exp"], NOW + 21_600);
        assert_eq!(claims["attributes"]["role"], "participant");
        assert!(claims["attributes"]["color"].as_str().unwrap().starts_with('#'));
        assert_eq!(claims["video"]["room"], "room-abc");
        assert_eq!(claims["video"]["canPublish"], true);
        assert_eq!(claims.get("metadata"), None);
    }
}

/// `exp` is in whole seconds, whatever the clock says.
#[tokio::test]
async fn the_answer_names_the_second_in_which_the_token_expires() {
    for millis in [0, 1, 500, 999] {
        let now = at(NOW) + Duration::from_millis(millis);
        let reply = Signed::new(&body()).call().send_at(&env().app(), now).await;
        assert_eq!(reply.json()["expiresAt"], "2026-01-01T06:00:00Z", "{millis}");
        assert_eq!(claims_of(&reply)["exp"], NOW + 21_600, "{millis}");
    }
}

fn claims_of(reply: &Reply) -> Value {
    crate::support::decode_part(reply.json()["token"].as_str().unwrap(), 1)
}

/// `RTCstack`'s own texts, and one more for what its server lets through.
const KEY_TEXT: &str = "Missing or invalid X-Api-Key header";
const HEADER_TEXT: &str = "Missing X-RTCstack-Timestamp or X-RTCstack-Signature header";
const TIME_TEXT: &str = "Request timestamp too old or too far in the future (replay protection)";
const SIGNATURE_TEXT: &str = "Invalid X-RTCstack-Signature";

fn expect_401(reply: &Reply, row: &str, detail: &str) {
    reply.expect_problem(row, 401, "invalid_signature");
    let problem = reply.json();
    assert_eq!(problem["detail"], detail, "{row}");
    assert_eq!(problem["title"], "Unauthorized", "{row}");
}

/// A name, the headers that are sent, and the text that is answered.
type HeaderRow<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);

#[tokio::test]
async fn headers_stand_once_and_fit() {
    let good = Signed::new(&body());
    let signature = good.signature();
    let plain = |headers: &[(&'static str, &str)]| {
        let call = Call::bare().at("POST", "/v1/token");
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.body("application/json", good.body.clone())
    };
    let (key, time, name) = ("x-api-key", "x-rtcstack-timestamp", "x-rtcstack-signature");
    let now = NOW.to_string();
    let upper = signature.to_uppercase();
    let long = format!("{signature}00");
    let huge = "k".repeat(20_000);
    let rows: &[HeaderRow<'_>] = &[
        ("nothing", &[], KEY_TEXT),
        ("no key", &[(time, &now), (name, &signature)], KEY_TEXT),
        ("an unknown key", &[(key, "other"), (time, &now), (name, &signature)], KEY_TEXT),
        ("an empty key", &[(key, ""), (time, &now), (name, &signature)], KEY_TEXT),
        ("another case", &[(key, "Backend-1"), (time, &now), (name, &signature)], KEY_TEXT),
        ("two keys", &[(key, KEY), (key, KEY), (time, &now), (name, &signature)], KEY_TEXT),
        (
            "a joined key",
            &[(key, "backend-1, backend-1"), (time, &now), (name, &signature)],
            KEY_TEXT,
        ),
        ("a huge key", &[(key, &huge), (time, &now), (name, &signature)], KEY_TEXT),
        ("the other key", &[(key, "backend-2"), (time, &now), (name, &signature)], SIGNATURE_TEXT),
        ("no time", &[(key, KEY), (name, &signature)], HEADER_TEXT),
        ("no signature", &[(key, KEY), (time, &now)], HEADER_TEXT),
        ("an empty time", &[(key, KEY), (time, ""), (name, &signature)], HEADER_TEXT),
        ("two times", &[(key, KEY), (time, &now), (time, &now), (name, &signature)], HEADER_TEXT),
        (
            "two signatures",
            &[(key, KEY), (time, &now), (name, &signature), (name, &signature)],
            HEADER_TEXT,
        ),
        ("no scheme", &[(key, KEY), (time, &now), (name, &signature[7..])], SIGNATURE_TEXT),
        ("another scheme", &[(key, KEY), (time, &now), (name, &upper)], SIGNATURE_TEXT),
        ("half of it", &[(key, KEY), (time, &now), (name, &signature[..39])], SIGNATURE_TEXT),
        ("more of it", &[(key, KEY), (time, &now), (name, &long)], SIGNATURE_TEXT),
        ("an empty one", &[(key, KEY), (time, &now), (name, "sha256=")], SIGNATURE_TEXT),
        (
            "no hex",
            &[(key, KEY), (time, &now), (name, &format!("sha256={}", "+0".repeat(32)))],
            SIGNATURE_TEXT,
        ),
        (
            "zeros",
            &[(key, KEY), (time, &now), (name, &format!("sha256={}", "0".repeat(64)))],
            SIGNATURE_TEXT,
        ),
        ("a huge one", &[(key, KEY), (time, &now), (name, &huge)], SIGNATURE_TEXT),
    ];
    for (row, headers, detail) in rows {
        expect_401(&plain(headers).send(&env().app()).await, row, detail);
    }
    let digits = format!("sha256={}", signature[7..].to_uppercase());
    let upper = plain(&[(key, KEY), (time, &now), (name, &digits)]).send(&env().app()).await;
    assert_eq!(upper.status, 200, "hex in either case");
    assert_eq!(
        plain(&[(key, KEY), (time, &now), (name, &signature)]).send(&env().app()).await.status,
        200
    );
}

/// A good signature over whatever stands in the header, so that nothing but the time is wrong.
#[tokio::test]
async fn timestamps_are_near_whole_numbers() {
    let rows = [
        (NOW.to_string(), true),
        ((NOW - 300).to_string(), true),
        ((NOW - 301).to_string(), false),
        ((NOW + 300).to_string(), true),
        ((NOW + 301).to_string(), false),
        ("never".into(), false),
        ("NaN".into(), false),
        (format!("-{NOW}"), false),
        (format!("+{NOW}"), false),
        (format!("{NOW}.0"), false),
        (format!("{NOW}.5"), false),
        ("1.7672256e9".into(), false),
        (format!("{NOW}000"), false),
        (format!("0x{NOW:x}"), false),
        ("0".into(), false),
        ("99999999999999999999999".into(), false),
        ("2026-01-01T00:00:00Z".into(), false),
    ];
    for (timestamp, is_good) in rows {
        let reply =
            Signed { timestamp: timestamp.clone(), ..Signed::new(&body()) }.send(&env()).await;
        if is_good {
            assert_eq!(reply.status, 200, "{timestamp}: {}", reply.text());
        } else {
            expect_401(&reply, &timestamp, TIME_TEXT);
        }
    }
}

/// What is signed is what counts: method, path, time and every byte of the body.
#[tokio::test]
async fn nothing_signed_may_be_changed() {
    let signed = Signed::new(&body());
    let signature = signed.signature();
    let call = |path: &str, body: String| {
        Call::bare()
            .at("POST", path)
            .header("x-api-key", KEY)
            .header("x-rtcstack-timestamp", &NOW.to_string())
            .header("x-rtcstack-signature", &signature)
            .body("application/json", body)
    };
    let host = signed.body.replace("participant", "host");
    for (row, path, body) in [
        ("another role", "/v1/token", host),
        ("a blank more", "/v1/token", format!("{} ", signed.body)),
        ("no body", "/v1/token", String::new()),
        ("another path", "/v1/token/refresh", signed.body.clone()),
    ] {
        expect_401(&call(path, body).send(&env().app()).await, row, SIGNATURE_TEXT);
    }
    let none = Signed { body: String::new(), ..signed.clone() };
    let forged = call("/v1/token", signed.body.clone());
    let forged = {
        let _ = none.signature();
        forged
    };
    assert_eq!(forged.send(&env().app()).await.status, 200, "unchanged, it is good");
    let over_nothing =
        Signed { body: String::new(), ..signed }.call().untyped_body(body().to_string());
    expect_401(&over_nothing.send(&env().app()).await, "signed over an empty body", SIGNATURE_TEXT);
}

/// Behind a stage, a mapping, and with a query.
#[tokio::test]
async fn the_path_is_that_of_the_senders_url_or_of_the_route() {
    for (path, signed, is_good) in [
        ("/prod/v1/token", None, true),
        ("/prod/v1/token", Some("/v1/token"), true),
        ("/v1/token?x=1", None, true),
        ("/v1/token?x=1", Some("/v1/token"), true),
        ("/v1/token", Some("/v1/token?x=1"), false),
        ("/v1/token", Some("/v1/token/"), false),
        ("/v1/token", Some("/prod/v1/token"), false),
        ("/v1/token", Some("/token"), false),
        ("/v1/token", Some("/v1/token/refresh"), false),
    ] {
        let other_path = signed.map(str::to_owned);
        let reply =
            Signed { path: path.into(), other_path, ..Signed::new(&body()) }.send(&env()).await;
        assert_eq!(reply.status == 200, is_good, "{path} {signed:?}: {}", reply.text());
    }
}

#[tokio::test]
async fn several_keys_are_live_at_once() {
    let next = Signed {
        headers: vec![("x-api-key", "backend-2".into())],
        secret: NEXT_SECRET,
        ..Signed::new(&body())
    };
    assert_eq!(next.send(&env()).await.status, 200);
    let crossed = Signed { secret: NEXT_SECRET, ..Signed::new(&body()) };
    expect_401(&crossed.send(&env()).await, "another's secret", SIGNATURE_TEXT);
}

#[tokio::test]
async fn a_request_is_good_once_in_each_environment() {
    let app = env().app();
    let call = Signed::new(&body()).call();
    assert_eq!(call.clone().send(&app).await.status, 200);
    let again = "Request was received before (replay protection)";
    expect_401(&call.clone().send(&app).await, "again", again);
    expect_401(&call.clone().send_at(&app, at(NOW + 300)).await, "at the end of its window", again);
    expect_401(&call.clone().send_at(&app, at(NOW + 301)).await, "behind it", TIME_TEXT);
    let later = Signed { timestamp: (NOW + 1).to_string(), ..Signed::new(&body()) };
    assert_eq!(later.call().send(&app).await.status, 200, "a second later it is another");
    assert_eq!(
        call.send(&env().app()).await.status,
        200,
        "another environment knows nothing of it"
    );
}

/// A good signature, and what is wrong behind it.
#[tokio::test]
async fn bodies_are_read_with_care() {
    let change = |name: &str, value: Value| {
        let mut body = body();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = body();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let rows = [
        (without("roomId"), 400, "invalid_request"),
        (without("userId"), 400, "invalid_request"),
        (without("name"), 400, "invalid_request"),
        (without("role"), 400, "invalid_request"),
        (change("roomId", json!("")), 400, "invalid_request"),
        (change("roomId", json!(5)), 400, "invalid_request"),
        (change("roomId", json!("a\u{0}")), 400, "invalid_request"),
        (change("roomId", json!("r".repeat(257))), 400, "invalid_request"),
        (change("userId", json!(["a"])), 400, "invalid_request"),
        (change("userId", json!("\u{202e}a")), 400, "invalid_request"),
        (change("name", json!(null)), 400, "invalid_request"),
        (change("role", json!("admin")), 400, "invalid_request"),
        (change("role", json!("Host")), 400, "invalid_request"),
        (change("role", json!("")), 400, "invalid_request"),
        (change("metadata", json!("text")), 400, "invalid_request"),
        (change("metadata", json!([1])), 400, "invalid_request"),
        (change("metadata", json!({ "m": "x".repeat(4096) })), 400, "invalid_request"),
        (change("roomConfig", json!("x")), 400, "invalid_request"),
        (change("roomConfig", json!({ "maxParticipants": -1 })), 400, "invalid_request"),
        (change("roomConfig", json!({ "maxParticipants": 5 })), 403, "field_not_allowed"),
        (change("roomConfig", json!({ "egress": { "room": {} } })), 403, "field_not_allowed"),
        (
            change("roomConfig", json!({ "agents": [{ "agentName": "x" }] })),
            403,
            "agent_not_allowed",
        ),
        (json!([]), 400, "invalid_request"),
        (json!("x"), 400, "invalid_request"),
    ];
    for (body, status, code) in rows {
        let reply = Signed::new(&body).send(&env()).await;
        reply.expect_problem(&body.to_string(), status, code);
        assert!(reply.json()["detail"].is_string() || status == 403, "{body}");
    }
    for text in ["", "{", r#"{"roomId":"a","roomId":"b"}"#] {
        let signed = Signed { body: text.into(), ..Signed::new(&body()) };
        signed.send(&env()).await.expect_problem(text, 400, "invalid_request");
    }
    let padded = |bytes: usize| {
        let mut text = body().to_string();
        text.push_str(&" ".repeat(bytes - text.len()));
        Signed { body: text, ..Signed::new(&body()) }
    };
    assert_eq!(padded(65_536).send(&env()).await.status, 200);
    padded(65_537).send(&env()).await.expect_problem("too long", 413, "content_too_large");
}

#[tokio::test]
async fn roles_and_rooms_are_the_policys() {
    let policy = "[[allow]]\nwhen = { org_role = \"admin\" }\nrooms = [\"{org_id}:*\"]\nrole = \"host\"\n\
                  agents = [\"notes\"]\nallow_room_config = { max_participants = 20 }\n\
                  room_config = { empty_timeout = 60 }\n\
                  [roles.speaker]\ncan_publish_sources = [\"microphone\"]\nttl_seconds = 900\nmax_participants = 7";
    let env = env().with("POLICY", policy).with("BACKEND_TOKEN_TTL_SECONDS", "3600");
    let ask = async |role: &str, config: Value| {
        let body = json!({
            "roomId": "any room/at all", "userId": "u", "name": "U", "role": role, "roomConfig": config,
            "metadata": { "seat": 4, "a": [1] },
        });
        Signed::new(&body).send(&env).await
    };
    for (role, grant, ttl, config) in [
        ("host", json!({ "roomAdmin": true }), 3600, json!({ "emptyTimeout": 60 })),
        ("moderator", json!({ "canPublish": true }), 3600, json!(null)),
        ("participant", json!({ "canPublishData": true }), 3600, json!(null)),
        ("viewer", json!({ "canPublish": false, "canPublishData": false }), 3600, json!(null)),
        (
            "speaker",
            json!({ "canPublishSources": ["microphone"] }),
            900,
            json!({ "maxParticipants": 7 }),
        ),
    ] {
        let reply = ask(role, json!(null)).await;
        assert_eq!(reply.status, 200, "{role}: {}", reply.text());
        let claims = claims_of(&reply);
        for (name, value) in grant.as_object().unwrap() {
            assert_eq!(claims["video"][name], *value, "{role}");
        }
        assert_eq!(claims["video"]["roomAdmin"].is_boolean(), role == "host", "{role}");
        assert_eq!(claims["attributes"]["role"], role);
        assert_eq!(claims["exp"], NOW + ttl, "{role}");
        assert_eq!(claims["roomConfig"], config, "{role}");
        let metadata = serde_json::from_str::<Value>(claims["metadata"].as_str().unwrap()).unwrap();
        assert_eq!(metadata, json!({ "seat": 4, "a": [1] }));
    }
    let asked = json!({ "maxParticipants": 20, "agents": [{ "agentName": "notes" }] });
    let config = claims_of(&ask("host", asked).await)["roomConfig"].clone();
    assert_eq!(
        config,
        json!({ "emptyTimeout": 60, "maxParticipants": 20, "agents": [{ "agentName": "notes" }] })
    );
    for (role, config, code) in [
        ("host", json!({ "maxParticipants": 21 }), "field_not_allowed"),
        ("host", json!({ "metadata": "m" }), "field_not_allowed"),
        ("host", json!({ "agents": [{ "agentName": "other" }] }), "agent_not_allowed"),
        ("viewer", json!({ "maxParticipants": 2 }), "field_not_allowed"),
        ("viewer", json!({ "agents": [{ "agentName": "notes" }] }), "agent_not_allowed"),
        ("speaker", json!({ "maxParticipants": 8 }), "field_not_allowed"),
    ] {
        ask(role, config.clone()).await.expect_problem(&format!("{role} {config}"), 403, code);
    }
    assert_eq!(
        ask("speaker", json!({ "maxParticipants": 7 })).await.status,
        200,
        "what it has anyway"
    );
}

/// The keys are in the secret, as an object or as its text, and a malformed one makes it unusable.
#[tokio::test]
async fn keys_come_with_the_secret() {
    let secrets = FakeSecretsManager::start();
    for (keys, status) in [
        (json!({ KEY: SECRET }), 200),
        (json!(json!({ KEY: SECRET }).to_string()), 200),
        (json!({ KEY: "of thirty-one bytes, one too few" [1..] }), 503),
        (json!({}), 503),
        (json!("{"), 503),
        (json!({ KEY: 5 }), 503),
        (json!(""), 404),
    ] {
        secrets.keep(json!({
            "LIVEKIT_URL": "wss://livekit.example", "LIVEKIT_API_KEY": "devkey",
            "LIVEKIT_API_SECRET": crate::support::API_SECRET, "BACKEND_API_KEYS": keys,
        }));
        let reply = Signed::new(&body()).send(&Env::offline().secret_in(&secrets)).await;
        assert_eq!(reply.status, status, "{keys}: {}", reply.text());
    }
}

#[tokio::test]
async fn without_keys_there_is_no_such_door() {
    let reply = Signed::new(&body()).send(&Env::offline()).await;
    reply.expect_problem("no keys", 404, "not_found");
    for method in ["GET", "PUT", "DELETE"] {
        let reply = Call::bare().at(method, "/v1/token").send(&env().app()).await;
        reply.expect_problem(method, 405, "method_not_allowed");
    }
}

#[test]
fn bad_keys_are_refused_at_start() {
    let long = "s".repeat(32);
    for (keys, is_good) in [
        (json!({ "a": long }).to_string(), true),
        (json!({ "a": "s".repeat(31) }).to_string(), false),
        (json!({ "": long }).to_string(), false),
        (json!({ "a b": long }).to_string(), false),
        (json!({ "é": long }).to_string(), false),
        (json!([long]).to_string(), false),
        (format!(r#"{{"a":"{long}","a":"{long}"}}"#), false),
        ("{}".into(), false),
        ("a:b".into(), false),
        (
            json!(
                (0..16)
                    .map(|key| (key.to_string(), long.clone()))
                    .collect::<std::collections::BTreeMap<_, _>>()
            )
            .to_string(),
            true,
        ),
        (
            json!(
                (0..17)
                    .map(|key| (key.to_string(), long.clone()))
                    .collect::<std::collections::BTreeMap<_, _>>()
            )
            .to_string(),
            false,
        ),
    ] {
        let config = Env::offline().with("BACKEND_API_KEYS", &keys).config();
        assert_eq!(config.is_ok(), is_good, "{keys}");
        if let Err(error) = config {
            assert!(error.to_string().contains("BACKEND_API_KEYS"), "{error}");
            assert!(!error.to_string().contains(&long), "{error}");
        }
    }
}
