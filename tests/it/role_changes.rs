//! Roles during a call: which changes are allowed, and the permission that LiveKit receives.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Asked, Call, Env, FakeApi, FakeDynamoDb, FakeIdp, Fault, Route, StateFault, token,
};

const POLICY: &str = r#"
[[allow]]
when  = { role = ["host", "moderator", "steward", "stage", "speaker", "editor", "viewer"] }
rooms = ["closed"]
role  = "viewer"

[[allow]]
when  = { role = "host" }
rooms = ["standup"]
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
when  = { role = "stage" }
rooms = ["standup"]
role  = "stage"

[[allow]]
when  = { role = "speaker" }
rooms = ["standup"]
role  = "speaker"

[[allow]]
when  = { role = "editor" }
rooms = ["standup"]
role  = "editor"

[[allow]]
when  = { role = "viewer" }
rooms = ["standup"]
role  = "viewer"

[[allow]]
rooms = ["standup"]
role  = "participant"

[roles.host]
may_become = ["moderator", "viewer"]

[roles.moderator]
may_become = ["moderator", "participant"]

[roles.steward]
can_moderate = true
may_give     = ["participant", "viewer", "speaker", "editor"]

[roles.stage]
may_give = ["viewer", "speaker"]

[roles.speaker]
can_publish_sources = ["microphone", "screen_share"]
consent             = true
may_become          = ["viewer"]

[roles.editor]
can_publish              = false
can_update_own_metadata  = true
can_subscribe_metrics    = true
can_manage_agent_session = true
may_become               = ["viewer"]
"#;

/// A participant with this role, and no other attribute that matters here.
fn person(role: &str) -> Value {
    json!({ "attributes": { "role": role, "color": "#1E3A8A" }, "permission": { "can_publish": true } })
}

/// A participant with this role who can change their own attributes.
fn editing(role: &str) -> Value {
    json!({ "attributes": { "role": role }, "permission": { "can_update_metadata": true } })
}

/// A participant with this role and a raised hand.
fn with_hand(role: &str) -> Value {
    json!({ "attributes": { "role": role, "hand_raised_at": "2025-12-31T23:59:00Z" } })
}

fn people() -> Value {
    json!({
        "vi": person("viewer"), "pa": person("participant"), "sp": person("speaker"),
        "vi:phone": person("viewer"), "mod": person("moderator"), "boss": person("host"),
        "hand": with_hand("viewer"), "lowered": { "attributes": { "role": "viewer", "hand_raised_at": "" } },
        "gone-role": person("captain"), "agent": { "attributes": {} }, "nameless": person(""),
        "liar": editing("participant"), "crook": editing("host"),
    })
}

fn env(livekit: &FakeApi) -> Env {
    Env::offline().with("POLICY", POLICY).with("LIVEKIT_URL", &livekit.url("ws"))
}

/// A request of Ada without a body, whose claims give her the role `role`.
fn bare_call(role: &str, target: &str) -> Call {
    let path = format!("/v1/rooms/standup/participants/{target}/role");
    Call::bare().at("PUT", &path).bearer(&token(&json!({ "role": role })))
}

fn call(role: &str, target: &str, body: &Value) -> Call {
    bare_call(role, target).json(body)
}

fn updates(asked: &[Asked]) -> Vec<&Value> {
    let updates = asked.iter().filter(|asked| asked.path.ends_with("/UpdateParticipant"));
    updates.map(|asked| &asked.body).collect()
}

/// The role, and all ten fields that LiveKit receives.
#[tokio::test]
async fn role_change_replaces_the_whole_permission() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let base = json!({
        "can_subscribe": true, "can_publish": true, "can_publish_data": true,
        "can_publish_sources": [], "hidden": false, "recorder": false, "can_update_metadata": false,
        "agent": false, "can_subscribe_metrics": false, "can_manage_agent_session": false,
    });
    let rows = [
        ("participant", json!({})),
        ("viewer", json!({ "can_publish": false, "can_publish_data": false })),
        ("speaker", json!({ "can_publish_sources": ["MICROPHONE", "SCREEN_SHARE"] })),
        (
            "editor",
            json!({
                "can_publish": false, "can_publish_data": false, "can_update_metadata": true,
                "can_subscribe_metrics": true, "can_manage_agent_session": true,
            }),
        ),
    ];
    for (role, difference) in rows {
        let before = livekit.asked().len();
        let reply = call("steward", "hand", &json!({ "role": role })).send(&app).await;
        assert_eq!(reply.status, 200, "{role}: {}", reply.text());
        assert_eq!(reply.json(), json!({ "identity": "hand", "role": role }));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let mut permission = base.clone();
        permission.as_object_mut().unwrap().extend(difference.as_object().unwrap().clone());
        let asked = livekit.asked().split_off(before);
        let expected = json!({
            "room": "standup", "identity": "hand", "permission": permission,
            "attributes": { "role": role, "hand_raised_at": "" },
        });
        assert_eq!(updates(&asked), [&expected], "{role}");
        assert_eq!(asked.len(), 2, "{role}: one read and one change");
    }
}

/// No attribute about the hand is set for a participant who has not raised it.
#[tokio::test]
async fn role_change_names_a_hand_only_if_there_is_one() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let reply = call("host", "vi", &json!({ "role": "participant" })).send(&app).await;
    assert_eq!(reply.status, 200);
    assert_eq!(updates(&livekit.asked())[0]["attributes"], json!({ "role": "participant" }));
}

/// The caller's role, the target, the new role, and the outcome.
#[tokio::test]
async fn role_is_given_only_by_lists_with_both_roles() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    #[rustfmt::skip]
    let rows = [
        ("host",      "vi",        "participant", 200, ""),
        ("host",      "vi:phone",  "participant", 200, ""),
        ("host",      "pa",        "viewer",      200, ""),
        ("host",      "pa",        "participant", 200, ""),
        ("host",      "liar",      "viewer",      200, ""),
        ("host",      "vi",        "host",        403, "role_not_allowed"),
        ("host",      "vi",        "moderator",   403, "role_not_allowed"),
        ("host",      "vi",        "speaker",     403, "role_not_allowed"),
        ("host",      "sp",        "viewer",      403, "role_not_allowed"),
        ("host",      "boss",      "viewer",      403, "role_not_allowed"),
        ("host",      "boss",      "host",        403, "role_not_allowed"),
        ("host",      "mod",       "participant", 403, "role_not_allowed"),
        ("host",      "crook",     "viewer",      403, "role_not_allowed"),
        ("host",      "gone-role", "viewer",      403, "role_not_allowed"),
        ("host",      "agent",     "viewer",      403, "role_not_allowed"),
        ("host",      "nameless",  "viewer",      403, "role_not_allowed"),
        ("host",      "nobody",    "viewer",      404, "participant_not_found"),
        ("host",      "Vi",        "viewer",      404, "participant_not_found"),
        ("host",      "nobody",    "host",        403, "role_not_allowed"),
        ("steward",   "vi",        "participant", 200, ""),
        ("steward",   "vi",        "steward",     403, "role_not_allowed"),
        ("steward",   "boss",      "viewer",      403, "role_not_allowed"),
        ("stage",     "sp",        "viewer",      200, ""),
        ("stage",     "pa",        "viewer",      403, "role_not_allowed"),
        ("stage",     "vi",        "participant", 403, "role_not_allowed"),
        ("moderator", "vi",        "participant", 403, "role_not_allowed"),
        ("moderator", "nobody",    "participant", 403, "role_not_allowed"),
        ("viewer",    "vi",        "participant", 403, "role_not_allowed"),
        ("other",     "vi",        "host",        403, "role_not_allowed"),
        ("other",     "pa",        "viewer",      403, "role_not_allowed"),
        ("other",     "nobody",    "viewer",      403, "role_not_allowed"),
    ];
    for (role, target, new, status, code) in rows {
        let row = format!("{role} gives {target} {new}");
        let before = livekit.asked().len();
        let reply = call(role, target, &json!({ "role": new })).send(&app).await;
        let asked = livekit.asked().split_off(before);
        if status == 200 {
            assert_eq!(reply.status, 200, "{row}: {}", reply.text());
            assert_eq!(reply.json(), json!({ "identity": target, "role": new }), "{row}");
            assert_eq!(updates(&asked).len(), 1, "{row}");
        } else {
            reply.expect_problem(&row, status, code);
            assert!(updates(&asked).is_empty(), "{row}: nothing was done");
            let is_stranger = ["moderator", "viewer", "other"].contains(&role);
            assert!(!is_stranger || asked.is_empty(), "{row}: nobody was asked");
        }
    }
}

/// Ada's role by her claims, the role that her attribute shows, the new one, and the outcome.
#[tokio::test]
async fn own_role_changes_by_the_list_of_the_present_one() {
    #[rustfmt::skip]
    let rows = [
        ("host",      person("host"),         "moderator",   200, ""),
        ("host",      person("host"),         "viewer",      200, ""),
        ("host",      person("host"),         "participant", 403, "role_not_allowed"),
        ("host",      person("host"),         "host",        403, "role_not_allowed"),
        ("host",      person("participant"),  "viewer",      200, ""),
        ("host",      person("moderator"),    "participant", 200, ""),
        ("host",      person("moderator"),    "viewer",      403, "role_not_allowed"),
        ("moderator", person("moderator"),    "participant", 200, ""),
        ("moderator", person("moderator"),    "host",        403, "role_not_allowed"),
        ("speaker",   person("speaker"),      "viewer",      200, ""),
        ("viewer",    person("speaker"),      "viewer",      200, ""),
        ("speaker",   person("viewer"),       "speaker",     403, "role_not_allowed"),
        ("viewer",    person("viewer"),       "participant", 403, "role_not_allowed"),
        ("other",     person("participant"),  "viewer",      403, "role_not_allowed"),
        ("speaker",   person("captain"),      "viewer",      403, "role_not_allowed"),
        ("speaker",   json!({}),              "viewer",      403, "role_not_allowed"),
        ("stage",     person("viewer"),       "speaker",     409, "hand_not_raised"),
        // The attribute says what its holder wrote into it.
        ("editor",    editing("editor"),      "viewer",      200, ""),
        ("editor",    editing("moderator"),   "participant", 403, "role_not_allowed"),
        ("editor",    editing("host"),        "moderator",   403, "role_not_allowed"),
        ("viewer",    editing("editor"),      "viewer",      403, "role_not_allowed"),
    ];
    for (role, person, new, status, code) in rows {
        let row = format!("{role} becomes {new} from {person}");
        let livekit = FakeApi::livekit(json!({ "ada@example.com": person }));
        let app = env(&livekit).app();
        let reply = call(role, "ada@example.com", &json!({ "role": new })).send(&app).await;
        let asked = livekit.asked();
        if status == 200 {
            assert_eq!(reply.status, 200, "{row}: {}", reply.text());
            assert_eq!(updates(&asked)[0]["attributes"], json!({ "role": new }), "{row}");
        } else {
            reply.expect_problem(&row, status, code);
            assert!(updates(&asked).is_empty(), "{row}");
        }
    }
}

/// Only with devices does a suffix belong to the person.
#[tokio::test]
async fn own_devices_are_the_callers_own() {
    let people = json!({
        "ada@example.com": person("speaker"), "ada@example.com:phone": person("speaker"),
        "ada@example.com:": person("speaker"), "ada@example.com:a:b": person("speaker"),
        "ada@example.com.evil": person("speaker"), "bob@example.com": person("speaker"),
    });
    let livekit = FakeApi::livekit(people);
    let rows = [
        ("false", "ada@example.com", 200),
        ("false", "ada@example.com:phone", 403),
        ("true", "ada@example.com", 200),
        ("true", "ada@example.com:phone", 200),
        ("true", "ada@example.com:", 403),
        ("true", "ada@example.com:a:b", 403),
        ("true", "ada@example.com.evil", 403),
        ("true", "ADA@example.com", 403),
        ("true", "bob@example.com", 403),
        ("true", "bob@example.com:phone", 403),
    ];
    for (devices, target, status) in rows {
        let app = env(&livekit).with("PARTICIPANT_DEVICES", devices).app();
        let reply = call("other", target, &json!({ "role": "viewer" })).send(&app).await;
        assert_eq!(reply.status, status, "{devices} {target}: {}", reply.text());
    }
}

/// A subject with a colon has another identity than somebody's device.
#[tokio::test]
async fn escaped_identity_is_nobody_elses_device() {
    let livekit =
        FakeApi::livekit(json!({ "a%3Aphone": person("speaker"), "a:phone": person("speaker") }));
    let app =
        env(&livekit).with("PARTICIPANT_IDENTITY", "sub").with("PARTICIPANT_DEVICES", "true").app();
    let rows =
        [("a:phone", "a%253Aphone", 200), ("a:phone", "a:phone", 403), ("a", "a:phone", 200)];
    for (subject, target, status) in rows {
        let path = format!("/v1/rooms/standup/participants/{target}/role");
        let call = Call::bare().at("PUT", &path).bearer(&token(&json!({ "sub": subject })));
        let reply = call.json(&json!({ "role": "viewer" })).send(&app).await;
        assert_eq!(reply.status, status, "{subject} {target}: {}", reply.text());
    }
}

/// The target, and whether a role that needs consent is given.
#[tokio::test]
async fn role_with_consent_needs_a_raised_hand() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let rows = [
        ("hand", "speaker", true),
        ("vi", "speaker", false),
        ("lowered", "speaker", false),
        ("sp", "speaker", true),
        ("vi", "viewer", true),
    ];
    for (target, new, is_given) in rows {
        let before = livekit.asked().len();
        let reply = call("stage", target, &json!({ "role": new })).send(&app).await;
        let count = updates(&livekit.asked()[before..]).len();
        if is_given {
            assert_eq!((reply.status, count), (200, 1), "{target}: {}", reply.text());
        } else {
            reply.expect_problem(target, 409, "hand_not_raised");
            assert_eq!(count, 0, "{target}");
        }
    }
}

/// The body, and the detail of the problem.
#[tokio::test]
async fn role_change_needs_a_role_of_the_policy() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let rows = [
        ("", "the body must be complete JSON, but ends too early"),
        ("{", "the body must be complete JSON, but ends too early"),
        ("[]", "the body must be a JSON object"),
        ("null", "the body must be empty or a JSON object, not null"),
        ("\"viewer\"", "the body must be a JSON object"),
        ("{}", "role must be sent"),
        (r#"{"Role":"viewer"}"#, "role must be sent"),
        (r#"{"role":null}"#, "role must be sent"),
        (r#"{"role":["viewer"]}"#, "role must be a string"),
        (r#"{"role":{"name":"viewer"}}"#, "role must be a string"),
        (r#"{"role":1}"#, "role must be a string"),
        (r#"{"role":true}"#, "role must be a string"),
        (r#"{"role":""}"#, "role must be a role of the policy"),
        (r#"{"role":"captain"}"#, "role must be a role of the policy"),
        (r#"{"role":"Viewer"}"#, "role must be a role of the policy"),
        (r#"{"role":"viewer "}"#, "role must be a role of the policy"),
        (
            r#"{"role":"viewer","role":"host"}"#,
            "the body must not contain two members with one name",
        ),
    ];
    for caller in ["host", "other"] {
        for (body, detail) in rows {
            let reply = bare_call(caller, "vi").body("application/json", body);
            let reply = reply.send(&app).await;
            reply.expect_problem(body, 400, "invalid_request");
            assert_eq!(reply.json()["detail"], detail, "{body}");
        }
    }
    let reply = bare_call("host", "vi").body("text/plain", r#"{"role":"viewer"}"#).send(&app).await;
    reply.expect_problem("another type", 415, "unsupported_media_type");
    let reply = bare_call("host", "vi").body("application/json", "x".repeat(65_537)).send(&app);
    reply.await.expect_problem("too long", 413, "content_too_large");
    assert!(livekit.asked().is_empty());
}

/// Members that the route does not know change nothing, LiveKit's own fields included.
#[tokio::test]
async fn other_members_of_the_body_have_no_effect() {
    let livekit = FakeApi::livekit(people());
    let body = json!({
        "role": "participant", "identity": "boss", "room": "closed", "name": "x", "metadata": "x",
        "attributes": { "role": "host" }, "permission": { "hidden": true },
    });
    let reply = call("host", "vi", &body).send(&env(&livekit).app()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let asked = livekit.asked();
    let update = updates(&asked)[0].as_object().unwrap();
    assert_eq!(
        update.keys().collect::<Vec<_>>(),
        ["attributes", "identity", "permission", "room"],
        "never name or metadata"
    );
    assert_eq!(update["identity"], "vi");
    assert_eq!(update["attributes"], json!({ "role": "participant" }));
    assert_eq!(update["permission"]["hidden"], false);
}

#[tokio::test]
async fn role_change_is_checked_before_livekit_is_called() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app();
    let body = json!({ "role": "viewer" });
    let put = |path: &str| Call::bare().at("PUT", path).json(&body);
    let path = "/v1/rooms/standup/participants/vi/role";
    put(path).send(&app).await.expect_problem("nobody", 401, "missing_token");
    put(path).bearer("a.b.c").send(&app).await.expect_problem("bad", 401, "invalid_token");
    let host = token(&json!({ "role": "host" }));
    for (path, status, code) in [
        ("/v1/rooms/other/participants/vi/role", 403, "room_not_allowed"),
        ("/v1/rooms/closed/participants/vi/role", 403, "role_not_allowed"),
        ("/v1/rooms/%00/participants/vi/role", 400, "invalid_request"),
        ("/v1/rooms/standup/participants/%ff/role", 400, "invalid_request"),
        ("/v1/rooms/standup/participants//role", 400, "invalid_request"),
    ] {
        put(path).bearer(&host).send(&app).await.expect_problem(path, status, code);
    }
    for method in ["GET", "POST", "DELETE", "PATCH"] {
        let reply = put(path).at(method, path).bearer(&host).send(&app).await;
        reply.expect_problem(method, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some("PUT, OPTIONS"));
    }
    assert!(livekit.asked().is_empty());
}

/// The profile is needed only to find out whether the target is the caller.
#[tokio::test]
async fn role_change_fetches_the_profile_only_of_callers_who_do_not_give() {
    let idp = FakeIdp::start();
    let livekit = FakeApi::livekit(people());
    let app = Env::online(&idp)
        .with("POLICY", POLICY)
        .with("LIVEKIT_URL", &livekit.url("ws"))
        .with("PROFILE_SOURCE", "userinfo")
        .app();
    let call = |role: &str| {
        let bearer = idp.token(&json!({ "role": role }));
        let path = "/v1/rooms/standup/participants/vi/role";
        Call::bare().at("PUT", path).bearer(&bearer).json(&json!({ "role": "participant" }))
    };
    assert_eq!(call("host").send(&app).await.status, 200);
    assert_eq!(idp.asked(Route::UserInfo).len(), 0, "a host");
    let reply = call("other").send(&app).await;
    reply.expect_problem("a participant", 403, "role_not_allowed");
    assert_eq!(idp.asked(Route::UserInfo).len(), 1, "a participant");
}

/// Each change is complete in itself, so that the later one wins as a whole.
#[tokio::test]
async fn changes_by_two_hosts_do_not_mix() {
    let livekit = FakeApi::livekit(people());
    livekit.inject(Fault::Slow(Duration::from_millis(50)));
    let app = env(&livekit).app();
    let give = |role: &'static str| call("host", "hand", &json!({ "role": role })).send(&app);
    let (one, other) = tokio::join!(give("participant"), give("viewer"));
    assert_eq!((one.status, other.status), (200, 200));
    let asked = livekit.asked();
    for update in updates(&asked) {
        let publishes = update["permission"]["can_publish"].as_bool().unwrap();
        let role = if publishes { "participant" } else { "viewer" };
        assert_eq!(update["attributes"], json!({ "role": role, "hand_raised_at": "" }));
        assert_eq!(update["permission"].as_object().unwrap().len(), 10);
    }
    assert_eq!(updates(&asked).len(), 2);
}

#[tokio::test]
async fn role_change_fails_if_livekit_does() {
    let livekit = FakeApi::livekit(people());
    let app = env(&livekit).app_if_it(true);
    let change = || call("host", "vi", &json!({ "role": "participant" })).send(&app);
    for fault in [
        Fault::Status(401),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Html,
        Fault::Truncated,
        Fault::Endless,
        Fault::Hang,
        Fault::Json(json!({ "attributes": { "role": 1 } })),
        Fault::Json(json!("x")),
    ] {
        livekit.inject(fault.clone());
        change().await.expect_problem(&format!("{fault:?}"), 503, "unavailable");
    }
    livekit.restore();
    let app = env(&livekit).app();
    let reply = call("host", "vi", &json!({ "role": "participant" })).send(&app).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// Between the read and the change the target can leave.
#[tokio::test]
async fn role_change_of_somebody_who_leaves_is_not_found() {
    let livekit = FakeApi::start(|path, _| match path.rsplit('/').next() {
        Some("GetParticipant") => (200, person("viewer")),
        _ => (404, json!({ "code": "not_found", "msg": "participant does not exist" })),
    });
    let app = env(&livekit).app();
    let reply = call("host", "vi", &json!({ "role": "participant" })).send(&app).await;
    reply.expect_problem("gone", 404, "participant_not_found");
}

/// Ada's role by her claims, the role that she takes or gets, and the role in her next token.
#[tokio::test]
async fn changed_role_applies_to_the_next_token_with_state() {
    #[rustfmt::skip]
    let rows = [
        ("other",     "steward",   "ada@example.com", "viewer",     "viewer"),
        ("viewer",    "host",      "ada@example.com", "participant", "participant"),
        ("host",      "host",      "ada@example.com", "moderator",  "moderator"),
        ("host",      "host",      "bob@example.com", "viewer",     "host"),
    ];
    for (own, giver, target, new, expected) in rows {
        let row = format!("{own}: {giver} gives {target} {new}");
        let present = match own {
            "other" => "participant",
            own => own,
        };
        let livekit = FakeApi::livekit(
            json!({ "ada@example.com": person(present), "bob@example.com": person("participant") }),
        );
        for state in ["memory", ""] {
            let app = env(&livekit).with("STATE_TABLE", state).app();
            let reply = call(giver, target, &json!({ "role": new })).send(&app).await;
            assert_eq!(reply.status, 200, "{row}: {}", reply.text());
            let bearer = token(&json!({ "role": own }));
            let next =
                |room: &str| Call::bare().bearer(&bearer).json(&json!({ "room_name": room }));
            let claims = next("standup").send(&app).await.participant();
            let expected = if state.is_empty() { present } else { expected };
            assert_eq!(claims["attributes"]["role"], expected, "{row} {state}");
            if own != "other" {
                let claims = next("closed").send(&app).await.participant();
                assert_eq!(claims["attributes"]["role"], "viewer", "{row}: another room");
            }
        }
    }
}

/// The role is stored before LiveKit is asked to change it, so that a rejoin cannot undo it.
#[tokio::test]
async fn role_change_fails_without_a_change_if_the_state_does() {
    let livekit = FakeApi::livekit(people());
    let table = FakeDynamoDb::start();
    let app = env(&livekit).state_in(&table).app();
    let change = || call("host", "vi:phone", &json!({ "role": "participant" })).send(&app);
    table.inject(StateFault::Error(400, "AccessDeniedException"));
    change().await.expect_problem("state", 503, "unavailable");
    assert!(updates(&livekit.asked()).is_empty(), "nothing was done");
    table.restore();
    livekit.inject(Fault::Status(500));
    let before = table.requests().len();
    change().await.expect_problem("LiveKit", 503, "unavailable");
    assert_eq!(table.requests().len(), before, "LiveKit's first answer is needed for the decision");
    livekit.restore();
    assert_eq!(change().await.status, 200);
    assert_eq!(
        table.item("standup", "vi:phone")["role"]["M"]["name"],
        json!({ "S": "participant" })
    );
    let refused = call("host", "sp", &json!({ "role": "viewer" })).send(&app).await;
    refused.expect_problem("refused", 403, "role_not_allowed");
    assert!(table.item("standup", "sp").is_null(), "a refused change is not stored");
}
