//! `events/`: this code writes each file, and the response to it is the one in its name.
//!
//! `UPDATE_EVENTS=1 cargo test --test it events` writes the files.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::{Bootstrap, Env, Key, key_set, merge, text};

/// 2026-01-01 and 2099-01-01, so that the files are valid for a long time.
const ISSUED: u64 = 1_767_225_600;
const EXPIRES: u64 = 4_070_908_800;
/// An address without a server: every upstream is unavailable.
const NOBODY: &str = "http://127.0.0.1:9";
/// Allows one room and new ones, on one line, since `POLICY` often is.
const POLICY: &str = r#"allow = [{ rooms = ["standup", "open-*"], role = "participant" }]"#;
const BACKEND_KEYS: &str = r#"{"backend-1":"a secret that anyone may read here"}"#;

struct Fixture {
    name: &'static str,
    event: Value,
    status: u16,
    code: &'static str,
}

fn fixture(name: &'static str, event: Value, code: &'static str) -> Fixture {
    let status = name.split('-').next().unwrap().parse().unwrap_or(201);
    Fixture { name, event, status, code }
}

fn bearer(change: &Value) -> String {
    let claims = json!({
        "iss": NOBODY,
        "sub": "ada",
        "aud": "roomkey",
        "iat": ISSUED,
        "exp": EXPIRES,
        "email": "ada@example.com",
        "email_verified": true,
        "name": "Ada Lovelace",
        "picture": "https://app.example/ada.png",
    });
    let key = Key::events();
    key.sign(&key.header(), &merge(claims, change))
}

fn fixtures() -> Vec<Fixture> {
    let good = Wire::token(&bearer(&json!({})), &json!({ "room_name": "standup" }));
    let asking = |body: &Value| Wire::token(&bearer(&json!({})), body).http_api();
    let by = |change: &Value| Wire::token(&bearer(change), &json!({})).http_api();
    let nobody = json!({ "email": null, "email_verified": null, "name": null });
    let long = json!({
        "room_name": "standup",
        "participant_metadata": text(4_000),
        "participant_attributes": { "note": text(4_000) },
    });
    let backend = good.clone().without("authorization").without("origin").at("POST", "/v1/token");
    let backend = backend
        .with("content-type", "application/json")
        .with("x-api-key", "backend-1")
        .with("x-rtcstack-timestamp", &ISSUED.to_string())
        .with("x-rtcstack-signature", &format!("sha256={}", "0".repeat(64)))
        .text(r#"{"roomId":"standup","userId":"ada","name":"Ada Lovelace","role":"host"}"#);
    let grace = "/v1/rooms/standup/participants/grace@example.com";
    #[rustfmt::skip]
    let fixtures = vec![
        fixture("token",                      good.http_api(), ""),
        fixture("201-rest",                   good.rest("prod"), ""),
        fixture("201-http-1.0",               good.http_api_1(), ""),
        fixture("201-function-url",           good.function_url(), ""),
        fixture("201-alb",                    good.alb(), ""),
        fixture("201-base64",                 good.clone().base64("eyJyb29tX25hbWUiOiJzdGFuZHVwIn0=").http_api(), ""),
        fixture("204-preflight",              good.clone().at("OPTIONS", "/token").without("authorization").with("access-control-request-method", "POST").with("access-control-request-headers", "authorization,content-type").http_api(), ""),
        fixture("200-health",                 good.clone().at("GET", "/health").without("authorization").without("origin").http_api(), ""),
        fixture("400-invalid_request",        good.clone().text("{\"room_name\":").http_api(), "invalid_request"),
        fixture("400-undecodable_base64",     good.clone().base64("{\"room_name\":\"standup\"}").http_api(), "invalid_request"),
        fixture("401-missing_token",          good.clone().without("authorization").http_api(), "missing_token"),
        fixture("401-token_expired",          by(&json!({ "exp": ISSUED + 60 })), "token_expired"),
        fixture("401-invalid_token",          by(&json!({ "aud": "another-app" })), "invalid_token"),
        fixture("401-invalid_signature",      backend.http_api(), "invalid_signature"),
        fixture("403-field_not_allowed",      asking(&json!({ "participant_identity": "grace@example.com" })), "field_not_allowed"),
        fixture("403-room_not_allowed",       asking(&json!({ "room_name": "boardroom" })), "room_not_allowed"),
        fixture("403-agent_not_allowed",      asking(&json!({ "room_config": { "agents": [{ "agent_name": "support" }] } })), "agent_not_allowed"),
        fixture("403-email_not_verified",     by(&json!({ "email_verified": false })), "email_not_verified"),
        fixture("403-role_not_allowed",       good.clone().at("DELETE", grace).http_api(), "role_not_allowed"),
        fixture("404-not_found",              good.clone().at("POST", "/tokens").http_api(), "not_found"),
        fixture("404-email_not_set",          by(&json!({ "email": "" })), "email_not_set"),
        fixture("405-method_not_allowed",     good.clone().at("GET", "/token").http_api(), "method_not_allowed"),
        fixture("405-moderation",             good.clone().at("POST", grace).http_api(), "method_not_allowed"),
        fixture("413-content_too_large",      asking(&long), "content_too_large"),
        fixture("415-unsupported_media_type", good.clone().with("content-type", "application/x-www-form-urlencoded").text("room_name=standup").http_api(), "unsupported_media_type"),
        fixture("503-unavailable",            by(&nobody), "unavailable"),
        fixture("503-liveblocks",             good.clone().at("POST", "/api/liveblocks-auth").http_api(), "unavailable"),
    ];
    fixtures
}

fn environment() -> Value {
    json!({ "TokenFunction": {
        "OIDC_ISSUER": NOBODY,
        "OIDC_AUDIENCE": "roomkey",
        "OIDC_JWKS": key_set(&[&Key::events()]).to_string(),
        "PROFILE_SOURCE": "claims,userinfo",
        "POLICY": POLICY,
        "LIVEKIT_URL": "ws://127.0.0.1:7880",
        "LIVEKIT_API_KEY": "devkey",
        "LIVEKIT_API_SECRET": "secret",
        "BACKEND_API_KEYS": BACKEND_KEYS,
        "LIVEBLOCKS_SECRET_KEY": "sk_of_nobody",
        "LIVEBLOCKS_API_URL": NOBODY,
        "ALLOWED_ORIGINS": "https://app.example",
        // Other values that the template sets, some from a deployment's parameters.
        "LIVEKIT_SECRET_ID": "",
        "OIDC_AUTHORIZED_PARTIES": "",
        "OIDC_JWKS_URI": "",
        "OIDC_PROVIDER": "",
        "PARTICIPANT_IDENTITY": "email",
    } })
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("events").join(format!("{name}.json"))
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(path(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the function")]
fn sample_events_match_the_code() {
    let mut files: Vec<_> = fixtures().into_iter().map(|f| (f.name, f.event)).collect();
    files.push(("env", environment()));
    for (name, content) in &files {
        if std::env::var("UPDATE_EVENTS").is_ok() {
            let text = serde_json::to_string_pretty(content).unwrap() + "\n";
            fs::write(path(name), text).unwrap();
        }
        assert_eq!(read(name), *content, "{name}: write it anew with UPDATE_EVENTS=1");
    }
    let directory = fs::read_dir(path("env").parent().unwrap()).unwrap();
    for entry in directory {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let known = name == "README" || files.iter().any(|(known, _)| *known == name);
        assert!(known, "{} has no line here", file.display());
    }
}

/// The function as `sam local invoke -n events/env.json` starts it.
fn start() -> Bootstrap {
    let environment = read("env");
    let variables = environment["TokenFunction"].as_object().unwrap();
    let env = variables.iter().fold(Env::nothing(), |env, (name, value)| {
        env.with(name, value.as_str().expect("SAM takes texts only"))
    });
    Bootstrap::start(&env)
}

#[tokio::test]
async fn sample_event_gets_a_response_that_its_origin_can_read() {
    let function = start();
    let mut closed = Vec::new();
    for Fixture { name, event, .. } in fixtures() {
        let reply = function.answer(name, &event).await;
        let origin = event["headers"]["origin"].as_str();
        if reply.header("access-control-allow-origin") != origin {
            closed.push(name);
        }
    }
    assert_eq!(closed, Vec::<&str>::new());
}

#[tokio::test]
async fn sample_event_gets_the_response_in_its_name() {
    let mut function = start();
    let mut misnamed = Vec::new();
    for Fixture { name, status, code, .. } in fixtures() {
        let mut reply = function.answer(name, &read(name)).await;
        if reply.status != status {
            misnamed.push((name, reply.status, reply.code()));
            continue;
        }
        reply.origin = Some("https://app.example".to_owned());
        match status {
            201 => _ = reply.expect_issued(name),
            200 => assert_eq!(reply.json(), json!({ "status": "ok" })),
            204 => assert!(reply.body.is_empty()),
            _ => _ = reply.expect_problem(name, status, code),
        }
        assert!(function.is_alive(), "{name}");
    }
    assert_eq!(misnamed, Vec::new());
}
