//! A room as a whole: the list of its participants, and its end.

use serde_json::{Value, json};

use crate::support::{API_SECRET, Call, Env, FakeApi, Fault, NOW, decode_part, token};

const POLICY: &str = r#"
[[allow]]
when  = { role = "host" }
rooms = ["standup", "absent"]
role  = "host"

[[allow]]
when  = { role = "moderator" }
rooms = ["standup", "absent"]
role  = "moderator"

[[allow]]
when  = { role = "chair" }
rooms = ["standup"]
role  = "chair"

[[allow]]
rooms = ["standup"]
role  = "participant"

[roles.chair]
room_admin   = true
can_moderate = false
"#;

const LIST: &str = "/v1/rooms/standup/participants";
const ROOM: &str = "/v1/rooms/standup";

fn people() -> Value {
    json!({
        "ada@example.com": {
            "sid": "PA_1", "state": "ACTIVE", "name": "Ada Lovelace", "metadata": "secret notes",
            "joined_at": "1767225600", "joined_at_ms": "1767225600123", "version": 3, "region": "eu",
            "attributes": { "role": "host", "color": "#1E3A8A", "imageUrl": "https://img.example/a.png",
                "hand_raised_at": "2026-01-01T00:00:05Z" },
            "permission": { "can_publish": true, "hidden": false },
            "tracks": [
                { "sid": "TR_1", "type": "AUDIO", "source": "MICROPHONE", "muted": true, "name": "mic" },
                { "sid": "TR_2", "type": "VIDEO", "source": "CAMERA", "muted": false },
                { "sid": "TR_3", "source": "SCREEN_SHARE_AUDIO" },
                { "sid": "TR_4", "source": 3 }, { "sid": "TR_5", "source": 9 },
                { "sid": "TR_6", "source": 0 }, { "sid": "TR_7", "source": "RADIO" }, { "sid": "TR_8" },
            ],
        },
        "agent-1": { "kind": "AGENT", "joined_at": 1_767_225_601, "tracks": [] },
        "lowered": { "name": "", "joined_at": "0", "attributes": { "role": "captain", "hand_raised_at": "" } },
        "odd": { "joined_at": "soon", "permission": null },
        "recorder": { "name": "Recorder", "permission": { "hidden": true } },
    })
}

fn env(livekit: &FakeApi) -> Env {
    Env::offline().with("POLICY", POLICY).with("LIVEKIT_URL", &livekit.url("ws"))
}

fn call(role: &str, method: &str, path: &str) -> Call {
    Call::bare().at(method, path).bearer(&token(&json!({ "role": role })))
}

#[tokio::test]
async fn list_contains_visible_participants_with_the_listed_fields() {
    let livekit = FakeApi::livekit(people());
    let reply = call("moderator", "GET", LIST).send(&env(&livekit).app()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let track = |source: &str, muted: bool| json!({ "source": source, "muted": muted });
    let unknown = |identity: &str| {
        json!({
            "identity": identity, "name": "", "role": null, "color": null, "joined_at": null,
            "hand_raised_at": null, "tracks": [],
        })
    };
    let mut agent = unknown("agent-1");
    agent["joined_at"] = json!("2026-01-01T00:00:01Z");
    let mut lowered = unknown("lowered");
    lowered["role"] = json!("captain");
    let expected = json!({ "participants": [
        {
            "identity": "ada@example.com", "name": "Ada Lovelace", "role": "host", "color": "#1E3A8A",
            "joined_at": "2026-01-01T00:00:00Z", "hand_raised_at": "2026-01-01T00:00:05Z",
            "tracks": [
                track("microphone", true), track("camera", false), track("screen_share_audio", false),
                track("screen_share", false), track("unknown", false), track("unknown", false),
                track("unknown", false), track("unknown", false),
            ],
        },
        agent, lowered, unknown("odd"),
    ] });
    assert_eq!(reply.json(), expected);
    assert_eq!(livekit.asked()[0].body, json!({ "room": "standup" }));
}

/// Responses of a server about a room without participants.
#[tokio::test]
async fn list_of_a_room_that_does_not_exist_is_empty() {
    let answers = [
        (200, json!({ "participants": [] })),
        (200, json!({ "participants": null })),
        (200, json!({})),
        (404, json!({ "code": "not_found", "msg": "room does not exist" })),
    ];
    for (status, answer) in answers {
        let row = format!("{status} {answer}");
        let livekit = FakeApi::start(move |_, _| (status, answer.clone()));
        let path = "/v1/rooms/absent/participants";
        let reply = call("host", "GET", path).send(&env(&livekit).app()).await;
        assert_eq!((reply.status, reply.json()), (200, json!({ "participants": [] })), "{row}");
    }
}

/// The caller's role, and the outcomes of the list and of the end.
#[tokio::test]
async fn list_needs_a_moderator_and_end_a_room_admin() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    for (role, list, end) in
        [("host", 200, 204), ("moderator", 200, 403), ("chair", 403, 204), ("other", 403, 403)]
    {
        for (method, path, status) in [("GET", LIST, list), ("DELETE", ROOM, end)] {
            let before = livekit.asked().len();
            let reply = call(role, method, path).send(&app).await;
            assert_eq!(reply.status, status, "{role} {method}: {}", reply.text());
            if status == 403 {
                reply.expect_problem(role, 403, "role_not_allowed");
                assert_eq!(livekit.asked().len(), before, "{role} {method}: nobody was asked");
            }
        }
    }
}

/// Ends this room, and can do nothing else but create and delete rooms, for one minute.
#[tokio::test]
async fn end_deletes_the_room_with_a_token_for_that_alone() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    for (room, status) in [("standup", 204), ("absent", 204)] {
        let reply = call("host", "DELETE", &format!("/v1/rooms/{room}")).send(&app).await;
        assert_eq!((reply.status, reply.body.len()), (status, 0), "{room}: {}", reply.text());
    }
    let asked = livekit.asked();
    assert_eq!(asked.len(), 2);
    for (asked, room) in asked.iter().zip(["standup", "absent"]) {
        assert_eq!(asked.path, "/twirp/livekit.RoomService/DeleteRoom");
        assert_eq!(asked.body, json!({ "room": room }));
        let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
        checks.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_secret(API_SECRET.as_bytes()).unwrap();
        jsonwebtoken::decode::<Value>(asked.bearer(), &key, &checks).expect("our signature");
        let claims = decode_part(asked.bearer(), 1);
        assert_eq!((claims["nbf"].as_u64(), claims["exp"].as_u64()), (Some(NOW), Some(NOW + 60)));
        let video = claims["video"].as_object().unwrap();
        let given: Vec<_> = video.iter().filter(|(_, value)| **value != json!(false)).collect();
        assert_eq!(
            given,
            [(&"room".to_owned(), &json!(room)), (&"roomCreate".to_owned(), &json!(true))]
        );
    }
}

/// No other request carries the wider right.
#[tokio::test]
async fn other_requests_have_no_right_to_delete_rooms() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    call("host", "GET", LIST).send(&app).await;
    let role = Call::bare().at("PUT", "/v1/rooms/standup/participants/lowered/role");
    role.bearer(&token(&json!({ "role": "host" })))
        .json(&json!({ "role": "viewer" }))
        .send(&app)
        .await;
    let hand = call("host", "PUT", "/v1/rooms/standup/hand").json(&json!({ "raised": true }));
    assert_eq!(hand.send(&app).await.status, 204);
    let asked = livekit.asked();
    assert!(asked.len() >= 4);
    for asked in asked {
        assert!(decode_part(asked.bearer(), 1)["video"]["roomCreate"].is_null(), "{}", asked.path);
    }
}

#[tokio::test]
async fn request_about_a_room_is_checked_before_livekit_is_called() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    for (method, path, allow) in
        [("GET", LIST, "GET, OPTIONS"), ("DELETE", ROOM, "DELETE, OPTIONS")]
    {
        let reply = Call::bare().at(method, path).send(&app).await;
        reply.expect_problem(path, 401, "missing_token");
        let invisible = path.replace("standup", "%E2%80%8B");
        let reply = call("host", method, &invisible).send(&app).await;
        reply.expect_problem(&invisible, 400, "invalid_request");
        assert_eq!(
            reply.json()["detail"],
            "the room must be a name in the path, percent-encoded once"
        );
        let other = path.replace("standup", "other");
        call("host", method, &other).send(&app).await.expect_problem(
            &other,
            403,
            "room_not_allowed",
        );
        let reply = call("host", "PATCH", path).send(&app).await;
        reply.expect_problem(path, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow));
    }
    assert!(livekit.asked().is_empty());
}

#[tokio::test]
async fn request_about_a_room_fails_if_livekit_does() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app_if_it(true);
    for (method, path) in [("GET", LIST), ("DELETE", ROOM)] {
        for fault in [Fault::Status(401), Fault::Status(404), Fault::Status(500), Fault::Hang] {
            livekit.inject(fault.clone());
            let reply = call("host", method, path).send(&app).await;
            reply.expect_problem(&format!("{method} {fault:?}"), 503, "unavailable");
        }
    }
    for answer in [json!([]), json!({ "participants": {} }), json!({ "participants": [1] })] {
        livekit.inject(Fault::Json(answer.clone()));
        let reply = call("host", "GET", LIST).send(&app).await;
        reply.expect_problem(&answer.to_string(), 503, "unavailable");
    }
}

/// A large room's list is longer than any other response that roomkey reads.
#[tokio::test]
async fn list_of_a_large_room_is_read_up_to_four_megabytes() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    for (bytes, status) in [(4_000_000, 200), (4_000_001, 503)] {
        livekit.inject(Fault::Padded(bytes));
        assert_eq!(call("host", "GET", LIST).send(&app).await.status, status, "{bytes}");
    }
}
