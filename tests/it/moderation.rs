//! Muting and removing: permissions, targets, and the requests to LiveKit.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{API_SECRET, Asked, Call, Env, FakeApi, Fault, NOW, decode_part, token};

const POLICY: &str = r#"
[[allow]]
when  = { role = "host" }
rooms = ["standup", "a/b %2F"]
role  = "host"

[[allow]]
when  = { role = "moderator" }
rooms = ["standup"]
role  = "moderator"

[[allow]]
when  = { role = "steward" }
rooms = ["standup"]
role  = "steward"

[[allow]]
when  = { role = "chair" }
rooms = ["standup"]
role  = "chair"

[[allow]]
when  = { role = "clerk" }
rooms = ["standup"]
role  = "clerk"

[[allow]]
rooms = ["*"]
role  = "participant"

[roles.steward]
can_moderate = true
can_publish  = false

[roles.chair]
room_admin = true

[roles.clerk]
room_admin   = true
can_moderate = false
"#;

fn people() -> Value {
    let track =
        |sid: &str, kind: &str, muted: bool| json!({ "sid": sid, "type": kind, "muted": muted });
    let person = |role: Value| {
        json!({
            "sid": "PA_1", "attributes": { "role": role, "color": "#1E3A8A" },
            "tracks": [
                track("TR_mic", "AUDIO", false), track("TR_muted", "AUDIO", true),
                track("TR_cam", "VIDEO", false), { "sid": "TR_screen", "muted": false },
                track("TR_data", "DATA", false),
            ],
        })
    };
    json!({
        "bob": person(json!("participant")), "mod": person(json!("moderator")), "boss": person(json!("host")),
        "gone-role": person(json!("captain")), "agent": { "attributes": {}, "tracks": [] },
        "bob@example.com:phone": person(json!("viewer")),
    })
}

fn env(livekit: &FakeApi) -> Env {
    Env::offline().with("POLICY", POLICY).with("LIVEKIT_URL", &livekit.url("ws"))
}

fn call(role: &str, method: &str, path: &str) -> Call {
    Call::bare().at(method, path).bearer(&token(&json!({ "role": role })))
}

fn methods(asked: &[Asked]) -> Vec<&str> {
    asked.iter().map(|asked| asked.path.rsplit('/').next().unwrap()).collect()
}

#[tokio::test]
async fn mute_silences_every_audible_track() {
    let livekit = FakeApi::livekit(people());
    let path = "/prod/v1/rooms/standup/participants/bob/mute";
    let reply = call("moderator", "POST", path).send(&env(&livekit).app()).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let asked = livekit.asked();
    assert_eq!(methods(&asked), ["GetParticipant", "MutePublishedTrack", "MutePublishedTrack"]);
    let mut muted: Vec<_> = asked[1..].iter().collect();
    muted.sort_by_key(|asked| asked.body["track_sid"].to_string());
    assert_eq!(asked[0].body, json!({ "room": "standup", "identity": "bob" }));
    for (asked, sid) in muted.into_iter().zip(["TR_mic", "TR_screen"]) {
        let expected =
            json!({ "room": "standup", "identity": "bob", "track_sid": sid, "muted": true });
        assert_eq!(asked.body, expected);
        assert_eq!(asked.method, "POST");
        assert_eq!(asked.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn remove_disconnects_the_participant_and_is_idempotent() {
    let livekit = FakeApi::livekit(people());
    for _ in 0..2 {
        let path = "/v1/rooms/standup/participants/bob%40example.com%3Aphone";
        let reply = call("host", "DELETE", path).send(&env(&livekit).app()).await;
        assert_eq!((reply.status, reply.body.len()), (204, 0), "{}", reply.text());
    }
    let asked = livekit.asked();
    assert_eq!(methods(&asked), ["GetParticipant", "RemoveParticipant"].repeat(2));
    assert_eq!(asked[1].body, json!({ "room": "standup", "identity": "bob@example.com:phone" }));
}

/// The token for LiveKit is for one room and one minute, without the right to join.
#[tokio::test]
async fn moderation_token_is_limited_to_its_room() {
    let livekit = FakeApi::livekit(people());
    let path = "/v1/rooms/standup/participants/bob/mute";
    assert_eq!(call("host", "POST", path).send(&env(&livekit).app()).await.status, 204);
    for asked in livekit.asked() {
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
            [(&"room".to_owned(), &json!("standup")), (&"roomAdmin".to_owned(), &json!(true))]
        );
    }
}

/// The caller's role, the participant, and the response.
#[tokio::test]
async fn moderation_of_a_host_is_allowed_to_hosts_only() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let rows = [
        ("host", "bob", 204, ""),
        ("host", "boss", 204, ""),
        ("host", "agent", 204, ""),
        ("host", "gone-role", 204, ""),
        ("moderator", "bob", 204, ""),
        ("moderator", "mod", 204, ""),
        ("moderator", "agent", 204, ""),
        ("moderator", "boss", 403, "role_not_allowed"),
        ("moderator", "gone-role", 403, "role_not_allowed"),
        ("moderator", "nobody", 404, "participant_not_found"),
        ("host", "nobody", 404, "participant_not_found"),
        ("host", "Bob", 404, "participant_not_found"),
        ("steward", "bob", 204, ""),
        ("steward", "boss", 403, "role_not_allowed"),
        ("chair", "bob", 204, ""),
        ("chair", "boss", 204, ""),
        ("clerk", "bob", 403, "role_not_allowed"),
        ("other", "bob", 403, "role_not_allowed"),
        ("other", "nobody", 403, "role_not_allowed"),
    ];
    for (role, target, status, code) in rows {
        for (method, end) in [("POST", "/mute"), ("DELETE", "")] {
            let row = format!("{role} {method} {target}");
            let before = livekit.asked().len();
            let path = format!("/v1/rooms/standup/participants/{target}{end}");
            let reply = call(role, method, &path).send(&app).await;
            if status == 204 {
                assert_eq!(reply.status, 204, "{row}: {}", reply.text());
            } else {
                reply.expect_problem(&row, status, code);
                let asked = livekit.asked();
                let harmless =
                    asked[before..].iter().all(|asked| asked.path.ends_with("/GetParticipant"));
                assert!(harmless, "{row}: nothing was done");
                assert!(role != "other" || asked.len() == before, "{row}: nobody was asked");
            }
        }
    }
}

#[tokio::test]
async fn moderation_is_allowed_in_rooms_of_the_role_only() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    for room in ["other", "standup2", "Standup", "standup%20", "%2573tandup", "standup%2F"] {
        let path = format!("/v1/rooms/{room}/participants/bob/mute");
        call("host", "POST", &path).send(&app).await.expect_problem(room, 403, "role_not_allowed");
    }
    let closed = Env::offline().with("POLICY", "").with("LIVEKIT_URL", &livekit.url("ws"));
    let closed = closed.with("POLICY", "[[allow]]\nrooms = [\"x\"]\nrole = \"host\"").app();
    let path = "/v1/rooms/standup/participants/bob";
    call("host", "DELETE", path).send(&closed).await.expect_problem(
        "closed",
        403,
        "room_not_allowed",
    );
    assert!(livekit.asked().is_empty());
    // Decoded once, and LiveKit is asked for exactly that.
    let path = "/v1/rooms/a%2Fb%20%252F/participants/x";
    call("host", "DELETE", path).send(&app).await.expect_problem(
        path,
        404,
        "participant_not_found",
    );
    assert_eq!(livekit.asked()[0].body["room"], "a/b %2F");
}

#[tokio::test]
async fn moderation_request_is_checked_before_livekit_is_called() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let path = "/v1/rooms/standup/participants/bob/mute";
    Call::bare().at("POST", path).send(&app).await.expect_problem("nobody", 401, "missing_token");
    let bad = Call::bare().at("POST", path).bearer("a.b.c");
    bad.send(&app).await.expect_problem("bad", 401, "invalid_token");
    let old =
        Call::bare().at("POST", path).bearer(&token(&json!({ "role": "host", "exp": NOW - 10 })));
    old.send(&app).await.expect_problem("expired", 401, "token_expired");
    for path in [
        "/v1/rooms/%00/participants/bob/mute",
        "/v1/rooms/standup/participants/%ff/mute",
        "/v1/rooms/standup/participants/50%25%/mute",
        "/v1/rooms//participants/bob/mute",
    ] {
        call("host", "POST", path).send(&app).await.expect_problem(path, 400, "invalid_request");
    }
    for (method, path) in [
        ("GET", "/v1/rooms/standup/participants/bob"),
        ("POST", "/v1/rooms/standup/participants/bob"),
        ("DELETE", "/v1/rooms/standup/participants/bob/mute"),
    ] {
        call("host", method, path).send(&app).await.expect_problem(path, 405, "method_not_allowed");
    }
    call("host", "DELETE", "/v1/rooms").send(&app).await.expect_problem("rooms", 404, "not_found");
    assert!(livekit.asked().is_empty());
}

/// A failure is answered 503, never as "not found". The next request tries again.
#[tokio::test]
async fn livekit_fault_is_answered_503() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let path = "/v1/rooms/standup/participants/bob";
    for fault in [
        Fault::Status(401),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Status(503),
        Fault::Html,
        Fault::Truncated,
        Fault::Endless,
        Fault::Redirect("http://127.0.0.1:1/".into()),
        Fault::Slow(Duration::from_mins(1)),
    ] {
        livekit.inject(fault.clone());
        let reply = call("host", "DELETE", path).send(&app).await;
        reply.expect_problem(&format!("{fault:?}"), 503, "unavailable");
    }
    livekit.inject(Fault::RetryAfter(429, "7"));
    let reply = call("host", "DELETE", path).send(&app).await;
    assert_eq!(reply.header("retry-after"), Some("7"));
    livekit.restore();
    assert_eq!(call("host", "DELETE", path).send(&app).await.status, 204);
    livekit.down();
    let reply = call("host", "DELETE", path).send(&app).await;
    reply.expect_problem("down", 503, "unavailable");
    // Its key never crosses an open network.
    let app = env(&livekit).with("LIVEKIT_URL", "ws://192.0.2.1:7880").app();
    call("host", "DELETE", path).send(&app).await.expect_problem("plain", 503, "unavailable");
}

/// One after the other, 600 tracks at 20 ms each would exceed the time limit.
#[tokio::test]
async fn many_tracks_are_muted_within_one_request() {
    let tracks: Vec<_> = (0..600).map(|index| json!({ "sid": format!("TR_{index}") })).collect();
    let livekit = FakeApi::livekit(json!({ "bob": { "attributes": {}, "tracks": tracks } }));
    livekit.inject(Fault::Slow(Duration::from_millis(20)));
    let path = "/v1/rooms/standup/participants/bob/mute";
    let reply = call("host", "POST", path).send(&env(&livekit).app()).await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    let muted =
        livekit.asked().iter().filter(|asked| asked.path.ends_with("/MutePublishedTrack")).count();
    assert_eq!(muted, 600);
}

#[tokio::test]
async fn mute_fails_if_one_track_cannot_be_muted() {
    let tracks: Vec<_> = (0..40).map(|index| json!({ "sid": format!("TR_{index}") })).collect();
    let livekit = FakeApi::start(move |path, body| match path.rsplit('/').next() {
        Some("GetParticipant") => (200, json!({ "attributes": {}, "tracks": tracks })),
        _ if body["track_sid"] == "TR_7" => (404, json!({ "code": "not_found", "msg": "track" })),
        _ if body["track_sid"] == "TR_30" => (500, json!({ "code": "internal", "msg": "x" })),
        _ => (200, json!({})),
    });
    let path = "/v1/rooms/standup/participants/bob/mute";
    let reply = call("host", "POST", path).send(&env(&livekit).app()).await;
    reply.expect_problem("one of 40", 503, "unavailable");
}
