//! The waiting room: who waits, who decides, and the requests to LiveKit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use roomkey::App;
use serde_json::{Value, json};

use crate::invitations::SECRET;
use crate::support::signed::{self, Signed};
use crate::support::{
    Asked, Call, Env, FakeApi, FakeDynamoDb, Fault, NOW, Reply, StateFault, at, now, text, token,
};

const POLICY: &str = r#"
    [[allow]]
    when = { team = "hosts" }
    rooms = ["*"]
    role = "host"
    lobby = true

    [[allow]]
    when = { team = "moderators" }
    rooms = ["*"]
    role = "moderator"
    lobby = "until-host"

    [[allow]]
    when = { team = "clients" }
    rooms = ["standup"]
    role = "participant"
    lobby = true

    [[allow]]
    when = { team = "candidates" }
    rooms = ["standup"]
    role = "participant"
    lobby = "until-host"

    [[allow]]
    rooms = ["standup"]
    role = "participant"
    lobby = false

    [roles.editor]
    can_update_own_metadata = true
    can_moderate = true
"#;

const WAITING: &str = "/v1/rooms/standup/waiting";

fn env(livekit: &FakeApi) -> Env {
    signed::env()
        .with("POLICY", POLICY)
        .with("INVITATION_SECRET", SECRET)
        .with("LIVEKIT_URL", &livekit.url("ws"))
        .with("STATE_TABLE", "memory")
}

/// LiveKit with participants of these roles in `standup`.
fn livekit(roles: &'static [&'static str]) -> FakeApi {
    let people = roles
        .iter()
        .map(|role| (format!("{role}@example.com"), json!({ "attributes": { "role": role } })));
    FakeApi::livekit(Value::Object(people.collect()))
}

/// A request of `team`'s person with the name of the team.
fn person(team: &str) -> Call {
    let claims = json!({ "team": team, "email": format!("{team}@example.com"), "name": team, "exp": NOW + 200_000 });
    Call::bare().bearer(&token(&claims))
}

fn enter(team: &str) -> Call {
    person(team).json(&json!({ "room_name": "standup" }))
}

async fn waiting(app: &Arc<App>, now: SystemTime) -> Value {
    let reply = person("hosts").at("GET", WAITING).send_at(app, now).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["waiting"].clone()
}

async fn decide(app: &Arc<App>, team: &str, identity: &str, is_admitted: bool) -> Reply {
    let path = format!("{WAITING}/{}", identity.replace('@', "%40").replace(':', "%3A"));
    person(team).at("POST", &path).json(&json!({ "admit": is_admitted })).send(app).await
}

fn messages(asked: &[Asked]) -> Vec<(Value, Value)> {
    let sent = asked.iter().filter(|asked| asked.path.ends_with("/SendData"));
    sent.map(|asked| {
        assert_eq!(asked.body["topic"], "roomkey.lobby");
        assert_eq!(
            (&asked.body["room"], &asked.body["kind"]),
            (&json!("standup"), &json!("RELIABLE"))
        );
        let data = STANDARD.decode(asked.body["data"].as_str().unwrap()).unwrap();
        (asked.body["destination_identities"].clone(), serde_json::from_slice(&data).unwrap())
    })
    .collect()
}

fn expect_waiting(reply: &Reply, row: &str) {
    reply.expect_problem(row, 403, "awaiting_admission");
    assert_eq!(reply.header("retry-after"), Some("3"), "{row}");
    assert!(!reply.text().contains("participant_token"), "{row}");
}

#[tokio::test]
async fn person_waits_until_a_host_admits_them() {
    let livekit = livekit(&["host", "participant", "moderator"]);
    let app = env(&livekit).app();
    for seconds in [0, 3, 6] {
        expect_waiting(&enter("clients").send_at(&app, at(NOW + seconds)).await, "a client");
    }
    let list = waiting(&app, at(NOW + 7)).await;
    let color = list[0]["color"].as_str().unwrap();
    assert!(color.starts_with('#') && color.len() == 7, "{color}");
    let expected = json!([{
        "identity": "clients@example.com", "name": "clients", "color": color, "since": "2026-01-01T00:00:00Z",
    }]);
    assert_eq!(list, expected);
    // One message for the start of the wait, to those in charge.
    let sent = messages(&livekit.take());
    assert_eq!(
        sent,
        [(json!(["host@example.com", "moderator@example.com"]), json!({ "waiting": 1 }))]
    );

    assert_eq!(decide(&app, "hosts", "clients@example.com", true).await.status, 204);
    assert_eq!(waiting(&app, now()).await, json!([]));
    let sent = messages(&livekit.take());
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0].1, json!({ "waiting": 0 }));
    let reply = enter("clients").send_at(&app, at(NOW + 9)).await;
    let claims = reply.expect_issued("admitted").participant();
    assert_eq!(claims["attributes"]["color"], color, "the color of the list");
    expect_waiting(&enter("clients").send_at(&app, at(NOW + 24 * 3600)).await, "a day later");
}

#[tokio::test]
async fn refused_person_is_told_so_until_the_refusal_ends() {
    let livekit = livekit(&["host"]);
    let app = env(&livekit).app();
    expect_waiting(&enter("clients").send(&app).await, "a client");
    assert_eq!(decide(&app, "moderators", "clients@example.com", false).await.status, 204);
    for seconds in [1, 3599] {
        let reply = enter("clients").send_at(&app, at(NOW + seconds)).await;
        reply.expect_problem("refused", 403, "entry_denied");
        assert_eq!(reply.header("retry-after"), None);
    }
    assert_eq!(waiting(&app, at(NOW + 5)).await, json!([]));
    // Another host corrects the decision.
    assert_eq!(decide(&app, "hosts", "clients@example.com", true).await.status, 204);
    enter("clients").send_at(&app, at(NOW + 9)).await.expect_issued("corrected");
    assert_eq!(decide(&app, "hosts", "clients@example.com", false).await.status, 204);
    expect_waiting(&enter("clients").send_at(&app, at(NOW + 3600)).await, "a wait of its own");
}

/// Hosts and moderators never wait, and nobody waits by a rule without a waiting room.
#[tokio::test]
async fn rule_decides_who_waits() {
    let livekit = livekit(&[]);
    let app = env(&livekit).app();
    for team in ["hosts", "moderators", "others"] {
        enter(team).send(&app).await.expect_issued(team);
    }
    assert!(livekit.take().is_empty(), "nobody waits");
    for team in ["clients", "candidates"] {
        expect_waiting(&enter(team).send(&app).await, team);
    }
    // Other refusals come first.
    let closed = person("clients").json(&json!({ "room_name": "closed" })).send(&app).await;
    closed.expect_problem("a closed room", 403, "room_not_allowed");
    assert_eq!(waiting(&app, now()).await.as_array().unwrap().len(), 2);
    // A backend names the participant itself.
    let body = json!({ "roomId": "standup", "userId": "clients@example.com", "name": "Clio", "role": "participant" });
    let reply = Signed::new(&body).send(&env(&livekit)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

#[tokio::test]
async fn until_host_opens_the_room_while_a_host_is_there() {
    let rows: &[(&[&str], bool)] = &[
        (&[], false),
        (&["participant", "viewer"], false),
        (&["participant", "host"], true),
        (&["moderator"], true),
        (&["gone-role"], false),
    ];
    for (roles, is_open) in rows {
        let livekit = livekit(roles);
        let app = env(&livekit).app();
        let reply = enter("candidates").send(&app).await;
        if *is_open {
            reply.expect_issued("a host is there");
            expect_waiting(&enter("clients").send(&app).await, "another rule");
        } else {
            expect_waiting(&reply, "no host");
            assert!(messages(&livekit.take()).is_empty(), "nobody to tell");
            assert_eq!(decide(&app, "hosts", "candidates@example.com", true).await.status, 204);
            enter("candidates").send(&app).await.expect_issued("admitted from outside");
        }
    }
}

/// An attribute that participants change themselves proves nothing.
#[tokio::test]
async fn participant_who_changes_attributes_does_not_count_as_host() {
    for (can_update, is_open) in [(true, false), (false, true)] {
        let livekit = FakeApi::livekit(json!({ "mallory": {
            "attributes": { "role": "host" }, "permission": { "can_update_metadata": can_update },
        } }));
        let reply = enter("candidates").send(&env(&livekit).app()).await;
        assert_eq!(reply.status == 201, is_open, "{can_update}: {}", reply.text());
    }
}

#[tokio::test]
async fn presence_of_a_host_is_read_at_most_once_a_second() {
    let is_there = Arc::new(AtomicBool::new(true));
    let shared = Arc::clone(&is_there);
    let livekit = FakeApi::start(move |_, _| {
        let host = json!({ "identity": "boss", "attributes": { "role": "host" } });
        let people = if shared.load(Ordering::Relaxed) { vec![host] } else { vec![] };
        (200, json!({ "participants": people }))
    });
    let app = env(&livekit).app();
    for millis in [0, 300, 600, 900] {
        let now = now() + Duration::from_millis(millis);
        enter("candidates").send_at(&app, now).await.expect_issued("a host is there");
    }
    assert_eq!(livekit.take().len(), 1);
    is_there.store(false, Ordering::Relaxed);
    expect_waiting(&enter("candidates").send_at(&app, at(NOW + 1)).await, "the host has left");
    assert_eq!(waiting(&app, at(NOW + 2)).await.as_array().unwrap().len(), 1);
    is_there.store(true, Ordering::Relaxed);
    enter("candidates").send_at(&app, at(NOW + 2)).await.expect_issued("the host is back");
    assert_eq!(waiting(&app, at(NOW + 2)).await, json!([]));
}

#[tokio::test]
async fn only_those_who_moderate_see_and_decide() {
    let livekit = livekit(&[]);
    let app = env(&livekit).app();
    expect_waiting(&enter("clients").send(&app).await, "a client");
    for team in ["clients", "candidates", "others"] {
        let list = person(team).at("GET", WAITING).send(&app).await;
        list.expect_problem(team, 403, "role_not_allowed");
        let decision = decide(&app, team, "clients@example.com", true).await;
        decision.expect_problem(team, 403, "role_not_allowed");
    }
    let elsewhere = person("others").at("GET", "/v1/rooms/closed/waiting").send(&app).await;
    elsewhere.expect_problem("another room", 403, "room_not_allowed");
    let nobody = Call::bare().at("GET", WAITING).send(&app).await;
    nobody.expect_problem("nobody", 401, "missing_token");
    for identity in ["nobody@example.com", "hosts@example.com", "guest:waiting:clients@example.com"]
    {
        let reply = decide(&app, "hosts", identity, true).await;
        reply.expect_problem(identity, 404, "participant_not_found");
    }
    let path = format!("{WAITING}/clients%40example.com");
    #[rustfmt::skip]
    let rows = [
        (json!({}),                       "admit must be sent"),
        (json!({ "admit": null }),        "admit must be sent"),
        (json!({ "admit": "true" }),      "admit must be true or false"),
        (json!({ "admit": 1 }),           "admit must be true or false"),
        (json!([]),                       "the body must be a JSON object"),
    ];
    for (body, detail) in rows {
        let reply = person("hosts").at("POST", &path).json(&body).send(&app).await;
        reply.expect_problem(detail, 400, "invalid_request");
        assert_eq!(reply.json()["detail"], detail);
    }
    expect_waiting(&enter("clients").send_at(&app, at(NOW + 3)).await, "nothing was decided");
    for (method, path, allow) in [
        ("POST", WAITING, "GET, OPTIONS"),
        ("GET", path.as_str(), "POST, OPTIONS"),
        ("DELETE", path.as_str(), "POST, OPTIONS"),
    ] {
        let reply = person("hosts").at(method, path).send(&app).await;
        reply.expect_problem(path, 405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow));
    }
}

#[tokio::test]
async fn routes_are_absent_without_state() {
    let livekit = livekit(&[]);
    let app =
        env(&livekit).without("STATE_TABLE").with("POLICY", &POLICY.replace("lobby", "# ")).app();
    let path = format!("{WAITING}/bob");
    for (method, path) in [("GET", WAITING), ("POST", path.as_str())] {
        let reply = person("hosts").at(method, path).send(&app).await;
        reply.expect_problem(path, 404, "not_found");
    }
}

#[test]
fn waiting_room_needs_state_and_a_valid_value() {
    let livekit = livekit(&[]);
    let fault = |env: Env| env.config().err().map(|fault| fault.to_string()).unwrap_or_default();
    let without = fault(env(&livekit).without("STATE_TABLE"));
    assert!(
        without.contains("STATE_TABLE is not set, and the policy has a rule with lobby"),
        "{without}"
    );
    for (value, is_valid) in [
        ("true", true),
        ("false", true),
        ("\"until-host\"", true),
        ("\"true\"", false),
        ("\"until_host\"", false),
        ("1", false),
        ("[]", false),
    ] {
        let policy = format!("[[allow]]\nrooms = [\"*\"]\nrole = \"viewer\"\nlobby = {value}");
        let fault = fault(env(&livekit).with("POLICY", &policy));
        assert_eq!(fault.is_empty(), is_valid, "{value}: {fault}");
        assert!(
            is_valid || fault.contains("POLICY:4: lobby must be true, false or \"until-host\""),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn at_most_a_hundred_wait_for_one_room() {
    let livekit = livekit(&[]);
    let policy = POLICY.replace("rooms = [\"standup\"]", "rooms = [\"*\"]");
    let app = env(&livekit).with("POLICY", &policy).app();
    let client = |number: usize, room: &str| {
        let claims = json!({ "team": "clients", "sub": format!("sub-{number}"), "email": format!("c{number}@example.com") });
        Call::bare().bearer(&token(&claims)).json(&json!({ "room_name": room }))
    };
    for number in 0..100 {
        expect_waiting(&client(number, "standup").send(&app).await, "one of a hundred");
    }
    let full = client(100, "standup").send(&app).await;
    full.expect_problem("one too many", 429, "too_many_requests");
    assert_eq!(full.header("retry-after"), Some("30"));
    expect_waiting(&client(0, "standup").send(&app).await, "one of the hundred");
    expect_waiting(&client(100, "retro").send(&app).await, "another room");
    assert_eq!(decide(&app, "hosts", "c7@example.com", true).await.status, 204);
    expect_waiting(&client(100, "standup").send(&app).await, "the place of another");
    // All of them have closed the page.
    expect_waiting(&client(101, "standup").send_at(&app, at(NOW + 100)).await, "an empty list");
    assert_eq!(waiting(&app, at(NOW + 100)).await.as_array().unwrap().len(), 1);
}

/// A room whose waiting people are unknown admits nobody; a message that fails harms nobody.
#[tokio::test]
async fn failure_admits_nobody_and_loses_nothing() {
    let livekit = livekit(&["host"]);
    let table = FakeDynamoDb::start();
    let app = env(&livekit).state_in(&table).app();
    table.inject(StateFault::Error(400, "ThrottlingException"));
    let reply = enter("clients").send(&app).await;
    reply.expect_problem("no state", 503, "unavailable");
    table.restore();
    livekit.inject(Fault::Status(500));
    let reply = enter("candidates").send(&app).await;
    reply.expect_problem("an unknown presence", 503, "unavailable");
    expect_waiting(&enter("clients").send(&app).await, "no message can be sent");
    let list = person("hosts").at("GET", WAITING).send(&app).await.json();
    assert_eq!(list["waiting"][0]["identity"], "clients@example.com", "{list}");
    assert_eq!(decide(&app, "hosts", "clients@example.com", true).await.status, 204);
    enter("clients").send(&app).await.expect_issued("admitted");
}

/// The processes of a deployment share nothing but the table. One may be frozen between two requests.
#[tokio::test]
async fn wait_in_one_process_is_decided_in_another() {
    let livekit = livekit(&["host"]);
    let table = FakeDynamoDb::start();
    let env = env(&livekit).state_in(&table);
    let (one, other, third) = (env.app(), env.app(), env.app());
    expect_waiting(&enter("clients").send(&one).await, "a client");
    let list = waiting(&other, at(NOW + 1)).await;
    assert_eq!(list[0]["identity"], "clients@example.com");
    expect_waiting(&enter("clients").send_at(&third, at(NOW + 3)).await, "the same wait");
    assert_eq!(waiting(&one, at(NOW + 4)).await, list);
    // Two hosts click at the same time, in two processes: both succeed, and one decision counts.
    let (admitted, refused) = tokio::join!(
        decide(&other, "hosts", "clients@example.com", true),
        decide(&third, "moderators", "clients@example.com", false),
    );
    assert_eq!((admitted.status, refused.status), (204, 204));
    let first = enter("clients").send_at(&one, at(NOW + 6)).await;
    let second = enter("clients").send_at(&other, at(NOW + 6)).await;
    assert_eq!(first.status, second.status, "{} {}", first.text(), second.text());
    assert!(matches!(first.code().as_str(), "" | "entry_denied"), "{}", first.text());
    assert_eq!(waiting(&third, at(NOW + 7)).await, json!([]));
}

#[tokio::test]
async fn banned_person_does_not_wait() {
    let livekit = livekit(&["host"]);
    let app = env(&livekit).app();
    let ban = json!({ "identity": "clients@example.com" });
    let reply = person("hosts").at("POST", "/v1/rooms/standup/bans").json(&ban).send(&app).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    enter("clients").send(&app).await.expect_problem("banned", 403, "banned");
    assert_eq!(waiting(&app, now()).await, json!([]));
}

#[tokio::test]
async fn devices_of_a_person_wait_and_enter_together() {
    let livekit = livekit(&[]);
    let app = env(&livekit).with("PARTICIPANT_DEVICES", "true").app();
    let from = |device: &str| {
        let identity = format!("clients@example.com:{device}");
        person("clients").json(&json!({ "room_name": "standup", "participant_identity": identity }))
    };
    for device in ["phone", "laptop"] {
        expect_waiting(&from(device).send(&app).await, device);
    }
    let list = waiting(&app, now()).await;
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
    assert_eq!(decide(&app, "hosts", "clients@example.com:phone", true).await.status, 204);
    for device in ["phone", "laptop"] {
        from(device).send(&app).await.expect_issued(device);
    }
}

async fn invitation(app: &Arc<App>, change: &Value) -> Value {
    let body = crate::support::extend(json!({ "role": "viewer", "seconds": 600 }), change);
    let reply =
        person("hosts").at("POST", "/v1/rooms/standup/invitations").json(&body).send(app).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()
}

fn guest(invitation: &Value, secret: &str, name: &str) -> Call {
    let call = Call::bare().bearer(invitation["invitation"].as_str().unwrap());
    call.header("x-roomkey-guest", secret).json(&json!({ "participant_name": name }))
}

#[tokio::test]
async fn guest_waits_if_the_invitation_says_so() {
    for (lobby, roles, is_open) in [
        (json!(true), &["host"][..], false),
        (json!("until-host"), &[][..], false),
        (json!("until-host"), &["moderator"][..], true),
        (json!(false), &[][..], true),
        (json!(null), &[][..], true),
    ] {
        let livekit = FakeApi::livekit(Value::Object(
            roles
                .iter()
                .map(|role| ((*role).to_owned(), json!({ "attributes": { "role": role } })))
                .collect(),
        ));
        let app = env(&livekit).app();
        let invitation = invitation(&app, &json!({ "lobby": lobby })).await;
        let reply = guest(&invitation, &text(22), "Grace").send(&app).await;
        if is_open {
            reply.expect_issued(&lobby.to_string());
            continue;
        }
        expect_waiting(&reply, &lobby.to_string());
        let list = waiting(&app, now()).await;
        let identity = list[0]["identity"].as_str().unwrap().to_owned();
        assert!(identity.starts_with("guest:"), "{identity}");
        assert_eq!(list[0]["name"], "Grace");
        expect_waiting(&guest(&invitation, &text(23), "Eve").send(&app).await, "another guest");
        assert_eq!(decide(&app, "hosts", &identity, true).await.status, 204);
        let claims = guest(&invitation, &text(22), "Grace").send(&app).await.participant();
        assert_eq!(claims["sub"], identity);
        assert_eq!(claims["attributes"]["color"], list[0]["color"]);
        expect_waiting(&guest(&invitation, &text(23), "Eve").send(&app).await, "not admitted");
    }
}

#[tokio::test]
async fn page_with_another_name_is_shown_under_the_new_one() {
    let livekit = livekit(&[]);
    let app = env(&livekit).app();
    let invitation = invitation(&app, &json!({ "lobby": true })).await;
    for name in ["Grace", "Gracia"] {
        expect_waiting(&guest(&invitation, &text(22), name).send(&app).await, name);
        let list = waiting(&app, now()).await;
        assert_eq!((list.as_array().unwrap().len(), &list[0]["name"]), (1, &json!(name)));
    }
}
