//! Bans: the authors, the persons, and the tokens that are refused.

use serde_json::{Value, json};

use crate::support::signed::{self, Signed};
use crate::support::{
    API_SECRET, Asked, Call, Env, FakeApi, FakeDynamoDb, FakeIdp, Fault, NOW, Reply, Route,
    StateFault, at, text, token,
};

const POLICY: &str = r#"
[[allow]]
when  = { role = "owner" }
rooms = ["*"]
role  = "host"

[[allow]]
when  = { role = "host" }
rooms = ["standup", "team-*"]
role  = "host"

[[allow]]
when  = { role = "moderator" }
rooms = ["*"]
role  = "moderator"

[[allow]]
when  = { role = "clerk" }
rooms = ["*"]
role  = "clerk"

[[allow]]
rooms = ["*"]
role  = "participant"

[roles.clerk]
room_admin   = true
can_moderate = false

[roles.speaker]
can_publish_sources = ["microphone"]
"#;

const BANS: &str = "/v1/rooms/standup/bans";

/// LiveKit with these participants in `standup`: identities and roles.
fn livekit(people: &'static [(&'static str, &'static str)]) -> FakeApi {
    FakeApi::start(move |path, body| {
        let is_present = |identity: &Value| {
            people.iter().any(|(own, _)| body["room"] == "standup" && identity == own)
        };
        match path.strip_prefix("/twirp/livekit.RoomService/") {
            Some("ListParticipants") if body["room"] == "standup" => {
                let person = |(identity, role): &(&str, &str)| json!({ "identity": identity, "attributes": { "role": role } });
                let people: Vec<_> = people.iter().map(person).collect();
                (200, json!({ "participants": people }))
            }
            Some("ListParticipants") => (200, json!({})),
            Some("RemoveParticipant") if is_present(&body["identity"]) => (200, json!({})),
            _ => (404, json!({ "code": "not_found", "msg": "participant does not exist" })),
        }
    })
}

const PEOPLE: &[(&str, &str)] = &[
    ("bob@example.com", "participant"),
    ("bob@example.com:phone", "participant"),
    ("bobby@example.com", "participant"),
    ("boss@example.com", "host"),
    ("boss@example.com:tv", "viewer"),
    ("old@example.com", "gone-role"),
];

fn env(livekit: &FakeApi) -> Env {
    signed::env()
        .with("POLICY", POLICY)
        .with("LIVEKIT_URL", &livekit.url("ws"))
        .with("PARTICIPANT_DEVICES", "true")
        .with("STATE_TABLE", "memory")
}

fn caller(role: &str) -> Call {
    Call::bare().bearer(&token(&json!({ "role": role, "email": format!("{role}@example.com") })))
}

fn bob(change: &Value) -> Call {
    let bob = json!({ "sub": "bob", "email": "bob@example.com", "exp": NOW + 100_000 });
    Call::bare().bearer(&token(&bob)).json(change)
}

fn ban(role: &str, body: &Value) -> Call {
    caller(role).at("POST", BANS).json(body)
}

fn removed(asked: &[Asked]) -> Vec<String> {
    let removals = asked.iter().filter(|asked| asked.path.ends_with("/RemoveParticipant"));
    removals.map(|asked| asked.body["identity"].as_str().unwrap().to_owned()).collect()
}

fn backend(method: &'static str, path: &str, body: &Value) -> Call {
    let mut signed = Signed::new(body);
    signed.method = method;
    path.clone_into(&mut signed.path);
    if method != "POST" {
        signed.body = String::new();
    }
    signed.call()
}

#[tokio::test]
async fn ban_refuses_all_devices_of_the_person_until_it_ends() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    let reply =
        ban("host", &json!({ "identity": "bob@example.com", "seconds": 60 })).send(&app).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let expected = json!({
        "identity": "bob@example.com",
        "banned_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-01T00:01:00Z",
    });
    assert_eq!(reply.json(), expected);

    let refused = [
        json!({ "room_name": "standup" }),
        json!({ "room_name": "standup", "participant_identity": "bob@example.com:tablet" }),
        json!({ "room_name": "standup", "participant_identity": "BOB@example.com" }),
    ];
    for body in &refused {
        bob(body).send_at(&app, at(NOW + 59)).await.expect_problem(
            &body.to_string(),
            403,
            "banned",
        );
        bob(body).send_at(&app, at(NOW + 60)).await.expect_issued(&body.to_string());
    }
    for body in [json!({ "room_name": "Standup" }), json!({ "room_name": "team-1" }), json!({})] {
        bob(&body).send(&app).await.expect_issued(&body.to_string());
    }
    caller("other").json(&refused[0]).send(&app).await.expect_issued("somebody else");

    let path = format!("{BANS}/bob%40example.com");
    for _ in 0..2 {
        assert_eq!(caller("host").at("DELETE", &path).send(&app).await.status, 204);
        bob(&refused[0]).send(&app).await.expect_issued("no longer banned");
    }
}

/// A ban of a device, or of an address in another spelling, is a ban of the person.
#[tokio::test]
async fn ban_is_about_the_person() {
    for identity in ["bob@example.com", "bob@example.com:phone", "Bob@Example.com:tv"] {
        let livekit = livekit(PEOPLE);
        let app = env(&livekit).app();
        let reply = ban("host", &json!({ "identity": identity })).send(&app).await;
        assert_eq!(reply.json()["identity"], "bob@example.com", "{identity}");
        assert_eq!(reply.json()["expires_at"], json!(null), "{identity}");
        let asked = livekit.asked();
        assert_eq!(removed(&asked), ["bob@example.com", "bob@example.com:phone"], "{identity}");
        let body = json!({ "room_name": "standup" });
        bob(&body).send(&app).await.expect_problem(identity, 403, "banned");
        for asked in asked {
            assert_eq!(asked.body["room"], "standup");
        }
    }
    // Without devices a colon is part of the identity.
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).with("PARTICIPANT_DEVICES", "false").app();
    ban("host", &json!({ "identity": "bob@example.com:phone" })).send(&app).await;
    assert_eq!(removed(&livekit.asked()), ["bob@example.com:phone"]);
    bob(&json!({ "room_name": "standup" })).send(&app).await.expect_issued("another identity");
}

#[tokio::test]
async fn ban_holds_for_tokens_of_backends() {
    let livekit = livekit(&[]);
    let app = env(&livekit).app();
    let body = json!({ "identity": "user-123" });
    let reply = backend("POST", "/v1/rooms/room-abc/bans", &body).send(&app).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    for path in ["/v1/token", "/v1/token/refresh"] {
        for user in ["user-123", "user-123:phone"] {
            let mut body = signed::body();
            body["userId"] = json!(user);
            let reply = backend("POST", path, &body).send(&app).await;
            reply.expect_problem(&format!("{path} {user}"), 403, "banned");
        }
        let mut body = signed::body();
        body["roomId"] = json!(format!("other{path}"));
        assert_eq!(backend("POST", path, &body).send(&app).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn ban_requires_a_role_that_may_ban_the_person() {
    let rows = [
        ("host", "bob@example.com", 201, ""),
        ("host", "absent@example.com", 201, ""),
        ("host", "boss@example.com", 201, ""),
        ("owner", "boss@example.com", 201, ""),
        ("moderator", "bob@example.com", 201, ""),
        ("moderator", "bob@example.com:phone", 201, ""),
        ("moderator", "bobby@example.com", 201, ""),
        ("moderator", "absent@example.com", 404, "participant_not_found"),
        ("moderator", "bob", 404, "participant_not_found"),
        ("moderator", "boss@example.com", 403, "role_not_allowed"),
        ("moderator", "boss@example.com:tv", 403, "role_not_allowed"),
        ("moderator", "old@example.com", 403, "role_not_allowed"),
        ("clerk", "bob@example.com", 403, "role_not_allowed"),
        ("other", "bob@example.com", 403, "role_not_allowed"),
    ];
    for (role, identity, status, code) in rows {
        let livekit = livekit(PEOPLE);
        let app = env(&livekit).app();
        let row = format!("{role} {identity}");
        let reply = ban(role, &json!({ "identity": identity })).send(&app).await;
        let is_banned = app.endpoint().exchange().state().unwrap();
        let bans = is_banned.bans("standup", at(NOW)).await.unwrap();
        if status == 201 {
            assert_eq!(reply.status, 201, "{row}: {}", reply.text());
            assert_eq!(bans.len(), 1, "{row}");
        } else {
            reply.expect_problem(&row, status, code);
            assert!(bans.is_empty() && removed(&livekit.asked()).is_empty(), "{row}");
        }
    }
}

#[tokio::test]
async fn ban_from_all_rooms_requires_a_rule_for_all_rooms() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    let body = json!({ "identity": "bob@example.com" });
    for room in ["*", "%2A"] {
        let path = format!("/v1/rooms/{room}/bans");
        for (role, code) in [
            ("host", "role_not_allowed"),
            ("moderator", "role_not_allowed"),
            ("clerk", "role_not_allowed"),
            ("other", "role_not_allowed"),
        ] {
            for call in [
                caller(role).at("POST", &path).json(&body),
                caller(role).at("GET", &path),
                caller(role).at("DELETE", &format!("{path}/bob%40example.com")),
            ] {
                call.send(&app).await.expect_problem(role, 403, code);
            }
        }
        assert_eq!(caller("owner").at("POST", &path).json(&body).send(&app).await.status, 201);
        for body in [json!({ "room_name": "standup" }), json!({ "room_name": "x" }), json!({})] {
            bob(&body).send(&app).await.expect_problem(&body.to_string(), 403, "banned");
        }
        let list = caller("owner").at("GET", &path).send(&app).await.json();
        assert_eq!(list["bans"][0]["identity"], "bob@example.com");
        assert_eq!(caller("host").at("GET", BANS).send(&app).await.json(), json!({ "bans": [] }));
        let path = format!("{path}/bob%40example.com");
        assert_eq!(backend("DELETE", &path, &json!({})).send(&app).await.status, 204);
        bob(&json!({ "room_name": "standup" })).send(&app).await.expect_issued("deleted");
    }
    assert!(livekit.asked().is_empty(), "the rooms are unknown");
}

#[tokio::test]
async fn bans_are_listed_by_person_with_their_ends() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    let bodies = [
        json!({ "identity": "zoe", "reason": "spam", "seconds": 315_360_000 }),
        json!({ "identity": "bob@example.com", "reason": text(500) }),
        json!({ "identity": "ada", "seconds": 1 }),
    ];
    for body in &bodies {
        assert_eq!(ban("host", body).send(&app).await.status, 201, "{body}");
    }
    let began = "2026-01-01T00:00:00Z";
    let mut expected = json!({ "bans": [
        { "identity": "ada", "banned_at": began, "expires_at": "2026-01-01T00:00:01Z" },
        { "identity": "bob@example.com", "banned_at": began, "expires_at": null, "reason": text(500) },
        { "identity": "zoe", "banned_at": began, "expires_at": "2035-12-30T00:00:00Z", "reason": "spam" },
    ] });
    let list = caller("host").at("GET", BANS).send(&app).await;
    assert_eq!((list.status, list.json()), (200, expected.clone()));
    assert_eq!(backend("GET", BANS, &json!({})).send(&app).await.json(), expected);
    // Reasons are for hosts.
    let entries = expected["bans"].as_array_mut().unwrap();
    for entry in entries {
        entry.as_object_mut().unwrap().remove("reason");
    }
    assert_eq!(caller("moderator").at("GET", BANS).send(&app).await.json(), expected);
    caller("other").at("GET", BANS).send(&app).await.expect_problem(
        "other",
        403,
        "role_not_allowed",
    );
    let later = caller("host").at("GET", BANS).send_at(&app, at(NOW + 1)).await.json();
    assert_eq!(later["bans"].as_array().unwrap().len(), 2, "every entry ends by itself");
}

#[tokio::test]
async fn ban_request_must_have_valid_fields_and_no_others() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    let bob = "bob@example.com";
    let rows = [
        (json!({}), "identity must be sent"),
        (json!({ "identity": null }), "identity must be sent"),
        (json!({ "identity": 7 }), "identity must be a string"),
        (json!({ "identity": "" }), "identity must have a visible character"),
        (json!({ "identity": " \u{200b}" }), "identity must have a visible character"),
        (json!({ "identity": "a\nb" }), "identity must not contain control"),
        (json!({ "identity": text(257) }), "identity must be at most 256 bytes"),
        (json!({ "identity": bob, "seconds": 0 }), "seconds must be a whole number"),
        (json!({ "identity": bob, "seconds": -1 }), "seconds must be"),
        (json!({ "identity": bob, "seconds": 1.5 }), "seconds must be"),
        (json!({ "identity": bob, "seconds": 1e300 }), "seconds must be"),
        (json!({ "identity": bob, "seconds": -1.0 }), "seconds must be"),
        (json!({ "identity": bob, "seconds": 315_360_001_u64 }), "seconds must be"),
        (json!({ "identity": bob, "seconds": u64::MAX }), "seconds must be"),
        (json!({ "identity": bob, "seconds": "60" }), "seconds must be"),
        (json!({ "identity": bob, "reason": 5 }), "reason must be a string of at most 500"),
        (json!({ "identity": bob, "reason": text(501) }), "reason must be a string of at most 500"),
        (json!({ "identity": bob, "duration": 60 }), "the body must have no other fields"),
        (json!({ "identity": bob, "Seconds": 60 }), "the body must have no other fields"),
        (json!({ "participant_identity": bob }), "the body must have no other fields"),
        (json!([]), "the body must be a JSON object"),
    ];
    for (body, expected) in rows {
        let reply = ban("host", &body).send(&app).await;
        reply.expect_problem(&body.to_string(), 400, "invalid_request");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with(expected), "{body}: {detail}");
        assert!(!detail.contains(bob) && !detail.contains("duration"), "{detail}");
    }
    let twice = caller("host").at("POST", BANS);
    let twice = twice.body("application/json", r#"{"identity":"a","identity":"b"}"#);
    twice.send(&app).await.expect_problem("twice", 400, "invalid_request");
    for path in ["/v1/rooms/%00/bans", "/v1/rooms//bans", "/v1/rooms/%ff/bans"] {
        let call = caller("host").at("POST", path).json(&json!({ "identity": bob }));
        call.send(&app).await.expect_problem(path, 400, "invalid_request");
    }
    assert!(livekit.asked().is_empty());
    for body in [
        json!({ "identity": bob, "seconds": null, "reason": "" }),
        json!({ "identity": bob, "seconds": 1 }),
        json!({ "identity": bob, "seconds": 315_360_000.0 }),
    ] {
        assert_eq!(ban("host", &body).send(&app).await.status, 201, "{body}");
    }
}

#[tokio::test]
async fn ban_requests_are_authenticated_first() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    let body = json!({ "identity": "bob@example.com" });
    let bare = || Call::bare().at("POST", BANS).json(&body);
    bare().send(&app).await.expect_problem("none", 401, "missing_token");
    bare().bearer("a.b.c").send(&app).await.expect_problem("bad", 401, "invalid_token");
    bare().header("x-api-key", signed::KEY).send(&app).await.expect_problem(
        "key",
        401,
        "invalid_signature",
    );
    let gateway = caller("host").header("x-api-key", "a gateway's").at("POST", BANS).json(&body);
    assert_eq!(gateway.send(&app).await.status, 201, "an API key of a gateway");
    // A signature is for one room, one method and one body.
    let mut other = Signed::new(&body);
    other.path = BANS.into();
    for path in ["/v1/rooms/{room}/bans", "/v1/rooms/other/bans", "/v1/token"] {
        other.other_path = Some(path.into());
        other.call().send(&app).await.expect_problem(path, 401, "invalid_signature");
    }
    other.other_path = None;
    let signed = other.call();
    assert_eq!(signed.clone().send(&app).await.status, 201);
    signed.send(&app).await.expect_problem("replayed", 401, "invalid_signature");
    other.other_path = Some(BANS.into());
    other.path = format!("/prod{BANS}");
    other.timestamp = (NOW + 1).to_string();
    assert_eq!(other.call().send(&app).await.status, 201, "behind a stage");
    for (method, path) in [("PUT", BANS), ("DELETE", BANS), ("GET", &*format!("{BANS}/bob"))] {
        caller("host").at(method, path).send(&app).await.expect_problem(
            method,
            405,
            "method_not_allowed",
        );
    }
}

#[tokio::test]
async fn routes_of_bans_are_absent_without_state() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).without("STATE_TABLE").app();
    let calls = [
        ban("host", &json!({ "identity": "bob@example.com" })),
        caller("host").at("GET", BANS),
        caller("host").at("DELETE", &format!("{BANS}/bob")),
        Call::bare().at("GET", BANS),
        backend("GET", BANS, &json!({})),
        Call::bare().at("POST", "/v1/livekit-webhook"),
    ];
    for call in calls {
        call.send(&app).await.expect_problem("no state", 404, "not_found");
    }
    bob(&json!({ "room_name": "standup" })).send(&app).await.expect_issued("no state");
    assert!(livekit.asked().is_empty());
}

/// A failed removal is answered 503, and the ban is stored nevertheless: the next request completes
/// it.
#[tokio::test]
async fn ban_is_stored_before_the_person_is_removed() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    livekit.inject(Fault::Status(500));
    let body = json!({ "identity": "bob@example.com" });
    ban("moderator", &body).send(&app).await.expect_problem("list", 503, "unavailable");
    bob(&json!({ "room_name": "standup" })).send(&app).await.expect_issued("not yet checked");
    ban("host", &body).send(&app).await.expect_problem("removal", 503, "unavailable");
    bob(&json!({ "room_name": "standup" }))
        .send(&app)
        .await
        .expect_problem("stored", 403, "banned");
    livekit.restore();
    assert_eq!(ban("host", &body).send(&app).await.status, 201);
    assert_eq!(removed(&livekit.asked()).len(), 2);
    for asked in livekit.asked() {
        let mut checks = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
        checks.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_secret(API_SECRET.as_bytes()).unwrap();
        let token = jsonwebtoken::decode::<Value>(asked.bearer(), &key, &checks).unwrap();
        assert_eq!(token.claims["video"]["room"], "standup");
        assert_eq!(token.claims["video"]["roomAdmin"], true);
    }
}

#[tokio::test]
async fn unavailable_state_refuses_every_token() {
    let livekit = livekit(PEOPLE);
    let table = FakeDynamoDb::start();
    let app = env(&livekit).state_in(&table).app_if_it(true);
    let body = json!({ "room_name": "standup" });
    let requests = |timestamp: u64| {
        let mut signed = Signed::new(&signed::body());
        signed.timestamp = timestamp.to_string();
        [
            bob(&body),
            bob(&json!({})),
            signed.call(),
            ban("host", &json!({ "identity": "bob@example.com" })),
            ban("moderator", &json!({ "identity": "bob@example.com" })),
            caller("host").at("GET", BANS),
            caller("host").at("DELETE", &format!("{BANS}/bob%40example.com")),
        ]
    };
    let faults = [
        StateFault::Error(400, "ThrottlingException"),
        StateFault::Error(400, "AccessDeniedException"),
        StateFault::Error(400, "ResourceNotFoundException"),
        StateFault::Error(500, "InternalServerError"),
        StateFault::Text("{}"),
        StateFault::Hang,
    ];
    for (fault, timestamp) in faults.into_iter().zip(NOW..) {
        table.inject(fault);
        for call in requests(timestamp) {
            let reply = call.send(&app).await;
            reply.expect_problem(&format!("{fault:?}"), 503, "unavailable");
            assert!(!reply.text().contains("upstream-words"), "{}", reply.text());
        }
        table.restore();
        bob(&body).send(&app).await.expect_issued("at once");
    }
    table.down();
    bob(&body).send(&app).await.expect_problem("down", 503, "unavailable");
    // A request that the policy refuses needs no state for its answer.
    let closed = env(&livekit).state_in(&table);
    let closed = closed.with("POLICY", "[[allow]]\nrooms = [\"x\"]\nrole = \"host\"").app();
    bob(&body).send(&closed).await.expect_problem("policy", 403, "room_not_allowed");
    table.up();
    assert_eq!(ban("host", &json!({ "identity": "bob@example.com" })).send(&app).await.status, 201);
    bob(&body).send(&app).await.expect_problem("banned", 403, "banned");
    assert_eq!(table.item("standup", "bob@example.com")["ban"]["M"]["at"]["N"], NOW.to_string());
}

/// One read per token, for the room and for all rooms.
#[tokio::test]
async fn token_costs_one_read_beside_the_profile() {
    let table = FakeDynamoDb::start();
    let idp = FakeIdp::start();
    let online = || Env::online(&idp).state_in(&table);
    let reads = || table.requests().into_iter().map(|request| request.body["RequestItems"].clone());
    let keys = |read: Value| -> Vec<String> {
        let keys = read[FakeDynamoDb::TABLE]["Keys"].as_array().unwrap().clone();
        let key = |key: &Value| {
            format!("{} {}", key["room"]["S"].as_str().unwrap(), key["who"]["S"].as_str().unwrap())
        };
        keys.iter().map(key).collect()
    };
    let body = json!({ "room_name": "standup" });
    let subject = json!({ "sub": "user-1", "iss": idp.issuer() });
    let claims = Call::bare().bearer(&token(&subject)).json(&body);
    claims.send(&online().app()).await.expect_issued("from the claims");
    assert_eq!(
        reads().map(keys).collect::<Vec<_>>(),
        [["* ada@example.com", "standup ada@example.com"]]
    );

    // The profile fails; the state was read meanwhile, by the identity that is known at once.
    idp.inject(Route::UserInfo, Fault::Status(500));
    let nameless = json!({ "sub": "user-2", "iss": idp.issuer(), "name": null, "email": null });
    let call = Call::bare().bearer(&token(&nameless)).json(&body);
    let by_sub = online().with("PARTICIPANT_IDENTITY", "sub").app();
    call.clone().send(&by_sub).await.expect_problem("profile", 503, "unavailable");
    assert_eq!(reads().map(keys).nth(1).unwrap(), ["* user-2", "standup user-2"]);

    // The address is known after the profile alone.
    let by_email = online().app();
    call.send(&by_email).await.expect_problem("profile", 503, "unavailable");
    assert_eq!(reads().count(), 2);
    let fresh = Call::bare().bearer(&token(&subject)).json(&json!({}));
    fresh.send(&by_email).await.expect_issued("a new room");
    assert_eq!(reads().map(keys).nth(2).unwrap(), ["* ada@example.com"]);
}

#[tokio::test]
async fn given_role_replaces_that_of_the_policy() {
    let livekit = livekit(PEOPLE);
    let app = env(&livekit).app();
    let state = app.endpoint().exchange().state().unwrap();
    let rows = [
        ("viewer", "viewer", json!(false)),
        ("speaker", "speaker", json!(true)),
        // A role that administers is never given, and one that the policy no longer has is none.
        ("host", "participant", json!(true)),
        ("moderator", "participant", json!(true)),
        ("gone-role", "participant", json!(true)),
    ];
    for (given, expected, can_publish) in rows {
        state.give_role("standup", "bob@example.com", given, at(NOW)).await.unwrap();
        for identity in ["bob@example.com", "bob@example.com:phone"] {
            let body = json!({ "room_name": "standup", "participant_identity": identity });
            let participant = bob(&body).send(&app).await.participant();
            assert_eq!(participant["attributes"]["role"], expected, "{given}");
            assert_eq!(participant["video"]["canPublish"], can_publish, "{given}");
        }
    }
    state.give_role("standup", "bob@example.com", "viewer", at(NOW)).await.unwrap();
    let role = |reply: Reply| reply.participant()["attributes"]["role"].clone();
    assert_eq!(role(bob(&json!({ "room_name": "team-1" })).send(&app).await), "participant");
    let day = at(NOW + 24 * 3600);
    assert_eq!(
        role(bob(&json!({ "room_name": "standup" })).send_at(&app, day).await),
        "participant"
    );
}
