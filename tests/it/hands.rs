//! The raised hand: permissions, times and devices.

use serde_json::{Value, json};

use crate::support::{Asked, Call, Env, FakeApi, Fault, NOW, at, token};

const POLICY: &str = r#"
[[allow]]
when  = { role = "mute" }
rooms = ["standup"]
role  = "mute"

[[allow]]
rooms = ["standup"]
role  = "viewer"

[roles.mute]
may_raise_hand = false
"#;

fn person(role: &str) -> Value {
    json!({ "attributes": { "role": role } })
}

fn env(livekit: &FakeApi) -> Env {
    Env::offline().with("POLICY", POLICY).with("LIVEKIT_URL", &livekit.url("ws"))
}

fn bare_call(role: &str) -> Call {
    let bearer = token(&json!({ "role": role }));
    Call::bare().at("PUT", "/v1/rooms/standup/hand").bearer(&bearer)
}

fn call(role: &str, body: &Value) -> Call {
    bare_call(role).json(body)
}

fn updates(asked: &[Asked]) -> Vec<&Value> {
    let updates = asked.iter().filter(|asked| asked.path.ends_with("/UpdateParticipant"));
    updates.map(|asked| &asked.body).collect()
}

/// The state of the hand, and the value of the attribute.
#[tokio::test]
async fn hand_is_an_attribute_with_the_time_of_the_request() {
    let livekit =
        FakeApi::livekit(json!({ "ada@example.com": person("viewer"), "bob": person("viewer") }));
    let app = env(&livekit).app();
    for (raised, now, value) in [
        (true, NOW, "2026-01-01T00:00:00Z"),
        (true, NOW + 61, "2026-01-01T00:01:01Z"),
        (false, NOW, ""),
    ] {
        let before = livekit.asked().len();
        let reply = call("other", &json!({ "raised": raised })).send_at(&app, at(now)).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{}", reply.text());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let asked = livekit.asked().split_off(before);
        let expected = json!({
            "room": "standup", "identity": "ada@example.com",
            "attributes": { "hand_raised_at": value },
        });
        assert_eq!(updates(&asked), [&expected], "no permission, name or metadata");
    }
}

/// The caller's role by the claims, the role in the room, and the outcome of raising and lowering.
#[tokio::test]
async fn present_role_decides_whether_a_hand_is_raised() {
    let rows = [
        ("other", person("viewer"), 204),
        ("mute", person("viewer"), 204),
        ("other", person("mute"), 403),
        ("mute", person("mute"), 403),
        ("other", person("captain"), 204),
        ("mute", person("captain"), 403),
        ("mute", json!({}), 403),
    ];
    for (role, person, status) in rows {
        let row = format!("{role} {person}");
        let livekit = FakeApi::livekit(json!({ "ada@example.com": person }));
        let app = env(&livekit).app();
        let reply = call(role, &json!({ "raised": true })).send(&app).await;
        assert_eq!(reply.status, status, "{row}: {}", reply.text());
        if status == 403 {
            reply.expect_problem(&row, 403, "role_not_allowed");
            assert!(updates(&livekit.asked()).is_empty(), "{row}");
        }
        let reply = call(role, &json!({ "raised": false })).send(&app).await;
        assert_eq!(reply.status, 204, "{row} lowers: {}", reply.text());
    }
}

#[tokio::test]
async fn hand_is_raised_on_all_devices_in_the_room() {
    let livekit = FakeApi::livekit(json!({
        "ada@example.com": person("viewer"), "ada@example.com:phone": person("viewer"),
        "ada@example.com:tv": person("mute"), "ada@example.com:": person("viewer"),
        "ada@example.com2": person("viewer"), "bob@example.com:phone": person("viewer"),
    }));
    let app = env(&livekit).with("PARTICIPANT_DEVICES", "true").app();
    let all = ["ada@example.com", "ada@example.com:phone", "ada@example.com:tv"];
    for (raised, expected) in [(true, &all[..2]), (false, &all[..])] {
        let before = livekit.asked().len();
        let reply = call("other", &json!({ "raised": raised })).send(&app).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        let asked = livekit.asked().split_off(before);
        let mut changed: Vec<_> =
            updates(&asked).iter().map(|body| body["identity"].as_str().unwrap()).collect();
        changed.sort_unstable();
        assert_eq!(changed, expected);
    }
}

#[tokio::test]
async fn hand_of_somebody_who_is_not_in_the_room_is_not_found() {
    let livekit = FakeApi::livekit(json!({ "bob": person("viewer") }));
    for devices in ["false", "true"] {
        let app = env(&livekit).with("PARTICIPANT_DEVICES", devices).app();
        let reply = call("other", &json!({ "raised": true })).send(&app).await;
        reply.expect_problem(devices, 404, "participant_not_found");
    }
    let leaving = FakeApi::start(|path, _| match path.rsplit('/').next() {
        Some("GetParticipant") => (200, person("viewer")),
        _ => (404, json!({ "code": "not_found", "msg": "participant does not exist" })),
    });
    let reply = call("other", &json!({ "raised": true })).send(&env(&leaving).app()).await;
    reply.expect_problem("left", 404, "participant_not_found");
}

#[tokio::test]
async fn hand_request_is_checked_before_livekit_is_called() {
    let livekit = FakeApi::livekit(json!({ "ada@example.com": person("viewer") }));
    let app = env(&livekit).app();
    let rows = [
        ("", "the body must be complete JSON, but ends too early"),
        ("{}", "raised must be sent"),
        (r#"{"raised":null}"#, "raised must be sent"),
        (r#"{"raised":"true"}"#, "raised must be true or false"),
        (r#"{"raised":1}"#, "raised must be true or false"),
        (r#"{"raised":{}}"#, "raised must be true or false"),
        (
            r#"{"raised":true,"raised":false}"#,
            "the body must not contain two members with one name",
        ),
        ("true", "the body must be a JSON object"),
    ];
    for (body, detail) in rows {
        let reply = bare_call("other").body("application/json", body).send(&app).await;
        reply.expect_problem(body, 400, "invalid_request");
        assert_eq!(reply.json()["detail"], detail, "{body}");
    }
    let body = json!({ "raised": true });
    let path = "/v1/rooms/standup/hand";
    let reply = Call::bare().at("PUT", path).json(&body).send(&app).await;
    reply.expect_problem("nobody", 401, "missing_token");
    let put = |path: &str| call("other", &body).at("PUT", path).send(&app);
    put("/v1/rooms/other/hand").await.expect_problem("room", 403, "room_not_allowed");
    put("/v1/rooms/%0A/hand").await.expect_problem("name", 400, "invalid_request");
    for claims in [json!({ "email": null }), json!({ "email_verified": false })] {
        let call = Call::bare().at("PUT", path).bearer(&token(&claims)).json(&body);
        let reply = call.send(&app).await;
        assert!([403, 404].contains(&reply.status), "{claims}: no identity");
    }
    for method in ["GET", "POST", "DELETE"] {
        let reply = call("other", &body).at(method, path).send(&app).await;
        reply.expect_problem(method, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("PUT, OPTIONS"));
    }
    assert!(livekit.asked().is_empty());
}

#[tokio::test]
async fn hand_is_not_raised_if_livekit_fails() {
    let livekit = FakeApi::livekit(json!({ "ada@example.com": person("viewer") }));
    for devices in ["false", "true"] {
        let env = env(&livekit).with("PARTICIPANT_DEVICES", devices);
        let app = env.app_if_it(true);
        for fault in [Fault::Status(500), Fault::Status(404), Fault::Html, Fault::Hang] {
            livekit.inject(fault.clone());
            let reply = call("other", &json!({ "raised": true })).send(&app).await;
            reply.expect_problem(&format!("{devices} {fault:?}"), 503, "unavailable");
        }
        livekit.restore();
        let reply = call("other", &json!({ "raised": true })).send(&env.app()).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
    }
}
