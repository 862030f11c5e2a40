//! Fields of a backend's request, and the source of its keys.

use serde_json::{Value, json};

use crate::support::signed::{KEY, SECRET, Signed, body, claims_of, env};
use crate::support::{Call, Env, FakeSecretsManager, NOW, at};

/// A valid signature of an invalid request.
#[tokio::test]
async fn signed_body_is_rejected_if_a_field_is_missing_or_invalid() {
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
async fn backend_token_has_the_grants_of_the_policys_role() {
    let policy = "[[allow]]\nwhen = { org_role = \"admin\" }\nrooms = [\"{org_id}:*\"]\nrole = \"host\"\n\
                  agents = [\"notes\"]\nallow_room_config = { max_participants = 20 }\n\
                  room_config = { empty_timeout = 60 }\n\
                  [roles.speaker]\ncan_publish_sources = [\"microphone\"]\nttl_seconds = 900\nmax_participants = 7";
    let env = env().with("POLICY", policy).with("BACKEND_TOKEN_TTL_SECONDS", "3600");
    let post_token = async |role: &str, config: Value| {
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
        let reply = post_token(role, json!(null)).await;
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
    let config = claims_of(&post_token("host", asked).await)["roomConfig"].clone();
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
        post_token(role, config.clone()).await.expect_problem(
            &format!("{role} {config}"),
            403,
            code,
        );
    }
    assert_eq!(
        post_token("speaker", json!({ "maxParticipants": 7 })).await.status,
        200,
        "what it has anyway"
    );
}

/// The secret contains the keys as an object or as its JSON text. A malformed key makes it
/// unusable.
#[tokio::test]
async fn backend_keys_are_read_from_secrets_manager() {
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
async fn backend_route_is_not_found_without_keys() {
    let reply = Signed::new(&body()).send(&Env::offline()).await;
    reply.expect_problem("no keys", 404, "not_found");
    for method in ["GET", "PUT", "DELETE"] {
        let reply = Call::bare().at(method, "/v1/token").send(&env().app()).await;
        reply.expect_problem(method, 405, "method_not_allowed");
    }
}

#[test]
fn invalid_backend_keys_prevent_the_start() {
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

/// An environment that was frozen during a rotation accepts the new key at once. Unknown keys cause
/// at most one read of the secret in ten seconds.
#[tokio::test]
async fn unknown_backend_key_refreshes_the_secret_once_per_cooldown() {
    let secrets = FakeSecretsManager::start();
    let keep = |keys: Value| {
        secrets.keep(json!({
            "LIVEKIT_URL": "wss://livekit.example", "LIVEKIT_API_KEY": "devkey",
            "LIVEKIT_API_SECRET": crate::support::API_SECRET, "BACKEND_API_KEYS": keys,
        }));
    };
    keep(json!({ "backend-0": SECRET }));
    let app = Env::offline().secret_in(&secrets).app();
    let send = async |second: u64| {
        let signed = Signed { timestamp: (NOW + second).to_string(), ..Signed::new(&body()) };
        signed.call().send_at(&app, at(NOW + second)).await
    };
    send(0).await.expect_problem("not yet", 401, "invalid_signature");
    let read = secrets.asked().len();
    keep(json!({ "backend-0": SECRET, KEY: SECRET }));
    for second in 1..10 {
        send(second).await.expect_problem("too soon", 401, "invalid_signature");
    }
    assert_eq!(secrets.asked().len(), read, "the cool-down");
    assert_eq!(send(11).await.status, 200);
    assert_eq!(secrets.asked().len(), read + 1);
    Call::bare().at("POST", "/v1/token").send_at(&app, at(NOW + 30)).await.expect_problem(
        "no key at all",
        401,
        "invalid_signature",
    );
    assert_eq!(secrets.asked().len(), read + 1, "nothing to look for");
    secrets.down();
    let signed = Signed { headers: vec![("x-api-key", "stranger".into())], ..Signed::new(&body()) };
    let reply = signed.call().send_at(&app, at(NOW + 60)).await;
    reply.expect_problem("cannot be known", 503, "unavailable");
}
