//! `POST /v1/rooms/{room}/invitations`: permissions, and the content of an invitation.

use std::sync::Arc;

use roomkey::App;
use serde_json::{Value, json};

use crate::support::signed::{self, Signed};
use crate::support::{API_SECRET, Call, Env, NOW, Reply, at, decode_part, extend, text, token};

pub(crate) const SECRET: &str = "an invitation secret of 40 bytes........";

const POLICY: &str = r#"
    [[allow]]
    when = { team = "hosts" }
    rooms = ["*"]
    role = "host"

    [[allow]]
    when = { team = "helpers" }
    rooms = ["*"]
    role = "helper"

    [[allow]]
    rooms = ["lobby"]
    role = "participant"

    [roles.speaker]
    ttl_seconds = 7200

    [roles.helper]
    may_invite = ["speaker"]
"#;

/// The deployment of all tests about invitations, which has backends as well.
pub(crate) fn env() -> Env {
    signed::env().with("POLICY", POLICY).with("INVITATION_SECRET", SECRET)
}

/// A request of a host for an invitation to the room `lobby`.
pub(crate) async fn invite(app: &Arc<App>, change: &Value) -> Reply {
    let body = extend(json!({ "role": "participant", "seconds": 600 }), change);
    post(app, "hosts", "/v1/rooms/lobby/invitations", &body).await
}

async fn post(app: &Arc<App>, team: &str, path: &str, body: &Value) -> Reply {
    let bearer = token(&json!({ "team": team }));
    Call::bare().at("POST", path).bearer(&bearer).json(body).send(app).await
}

/// The invitation that a host gets.
pub(crate) async fn invitation(app: &Arc<App>, change: &Value) -> String {
    let reply = invite(app, change).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["invitation"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn host_gets_an_invitation_of_roomkeys_own_type() {
    let reply = invite(&env().app(), &json!({ "name": "Grace" })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    assert_eq!(body["expires_at"], "2026-01-01T00:10:00Z");
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    let invitation = body["invitation"].as_str().unwrap();
    assert_eq!(
        decode_part(invitation, 0),
        json!({ "typ": "roomkey-invitation+jwt", "alg": "HS256" })
    );
    let claims = decode_part(invitation, 1);
    let jti = claims["jti"].as_str().unwrap();
    assert_eq!(jti.len(), 32, "128 random bits");
    let exp = NOW + 600;
    assert_eq!(
        claims,
        json!({ "jti": jti, "exp": exp, "room": "lobby", "role": "participant", "name": "Grace" })
    );
    assert_ne!(self::invitation(&env().app(), &json!({ "name": "Grace" })).await, invitation);
}

#[tokio::test]
async fn role_decides_who_may_invite() {
    let app = env().app();
    #[rustfmt::skip]
    let rows = [
        ("a host, a participant",        "hosts",   "participant", 201, ""),
        ("a host, a viewer",             "hosts",   "viewer",      201, ""),
        ("a host, a host",               "hosts",   "host",        403, "role_not_allowed"),
        ("a host, a moderator",          "hosts",   "moderator",   403, "role_not_allowed"),
        ("a host, another role",         "hosts",   "speaker",     403, "role_not_allowed"),
        ("a host, no role",              "hosts",   "nobody",      400, "invalid_request"),
        ("a list of its own",            "helpers", "speaker",     201, ""),
        ("not in a list of its own",     "helpers", "viewer",      403, "role_not_allowed"),
        ("a participant",                "others",  "viewer",      403, "role_not_allowed"),
        ("a participant, no role",       "others",  "nobody",      403, "role_not_allowed"),
    ];
    for (row, team, role, status, code) in rows {
        let body = json!({ "role": role, "seconds": 60 });
        let reply = post(&app, team, "/v1/rooms/lobby/invitations", &body).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{row}: {}",
            reply.text()
        );
    }
    let body = json!({ "role": "viewer", "seconds": 60 });
    let closed = post(&app, "others", "/v1/rooms/closed/invitations", &body).await;
    closed.expect_problem("a room that is not allowed", 403, "room_not_allowed");
    let path = "/v1/rooms/lobby/invitations";
    let nobody = Call::bare().at("POST", path).json(&body).send(&app).await;
    nobody.expect_problem("nobody", 401, "missing_token");
    let put = Call::token().at("PUT", path).send(&app).await;
    put.expect_problem("another method", 405, "method_not_allowed");
}

#[tokio::test]
async fn invitation_request_is_checked_field_by_field() {
    let app = env().app();
    #[rustfmt::skip]
    let rows = [
        ("the shortest",           json!({ "seconds": 60 }),              None),
        ("as JSON Schema allows",  json!({ "seconds": 60.0 }),            None),
        ("too short",              json!({ "seconds": 59 }),              Some("seconds must be")),
        ("seven days",             json!({ "seconds": 604_800 }),         None),
        ("too long",               json!({ "seconds": 604_801 }),         Some("seconds must be")),
        ("a negative time",        json!({ "seconds": -60 }),             Some("seconds must be")),
        ("a fraction",             json!({ "seconds": 60.5 }),            Some("seconds must be")),
        ("a text",                 json!({ "seconds": "60" }),            Some("seconds must be")),
        ("no time",                json!({ "seconds": null }),            Some("seconds must be")),
        ("no role",                json!({ "role": null }),               Some("role must be sent")),
        ("an empty role",          json!({ "role": "" }),                 Some("role must have")),
        ("a role of another type", json!({ "role": ["viewer"] }),         Some("role must be a string")),
        ("a name",                 json!({ "name": text(64) }),           None),
        ("a name too long",        json!({ "name": text(65) }),           Some("name must be at most 64")),
        ("a name of blanks",       json!({ "name": " \u{200b}" }),        Some("name must have")),
        ("a name with overrides",  json!({ "name": "a\u{202e}b" }),       Some("name must not")),
        ("no name",                json!({ "name": null }),               None),
        ("uses",                   json!({ "uses": 1 }),                  Some("uses must be absent")),
        ("a waiting room",         json!({ "lobby": true }),              Some("lobby must be absent")),
        ("a typing error",         json!({ "use": 1 }),                   Some("the body must have no other")),
    ];
    for (row, change, detail) in rows {
        let reply = invite(&app, &change).await;
        match detail {
            None => assert_eq!(reply.status, 201, "{row}: {}", reply.text()),
            Some(detail) => {
                reply.expect_problem(row, 400, "invalid_request");
                let problem = reply.json();
                let own = problem["detail"].as_str().unwrap();
                assert!(own.starts_with(detail), "{row}: {own}");
            }
        }
    }
}

#[tokio::test]
async fn invitation_has_at_most_six_hundred_bytes() {
    let app = env().app();
    let body = json!({ "role": "participant", "seconds": 604_800 });
    let longest = text(256);
    let reply = post(&app, "hosts", &format!("/v1/rooms/{longest}/invitations"), &body).await;
    let invitation = reply.json()["invitation"].as_str().unwrap().to_owned();
    assert!(invitation.len() <= 600, "{}", invitation.len());
    let guest = Call::bare().bearer(&invitation).send(&app).await;
    assert_eq!(guest.expect_issued("the longest room").json()["room_name"], longest);
    let body = json!({ "role": "participant", "seconds": 60, "name": text(64) });
    for (room, is_short) in [(text(150), true), (text(256), false), ("%22".repeat(200), false)] {
        let reply = post(&app, "hosts", &format!("/v1/rooms/{room}/invitations"), &body).await;
        if is_short {
            assert_eq!(reply.status, 201, "{}", reply.text());
        } else {
            reply.expect_problem("too long", 400, "invalid_request");
        }
    }
}

#[tokio::test]
async fn backend_may_invite_to_every_room_and_to_no_role_in_charge() {
    let rows = [
        ("speaker", 201, ""),
        ("viewer", 201, ""),
        ("host", 403, "role_not_allowed"),
        ("moderator", 403, "role_not_allowed"),
        ("nobody", 400, "invalid_request"),
    ];
    for (role, status, code) in rows {
        let body = json!({ "role": role, "seconds": 60 });
        let path = "/v1/rooms/any%20room/invitations".to_owned();
        let reply = Signed { path, ..Signed::new(&body) }.send(&env()).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{role}");
    }
    let unsigned = Signed {
        path: "/v1/rooms/a/invitations".into(),
        other_path: Some("/v1/rooms/b/invitations".into()),
        ..Signed::new(&json!({ "role": "viewer", "seconds": 60 }))
    };
    let reply = unsigned.send(&env()).await;
    reply.expect_problem("signed for another room", 401, "invalid_signature");
}

#[tokio::test]
async fn routes_do_not_exist_without_the_secret() {
    let app = env().without("INVITATION_SECRET").app();
    invite(&app, &json!({})).await.expect_problem("a host", 404, "not_found");
    let path = "/v1/rooms/lobby/invitations";
    let nobody = Call::bare().at("POST", path).send(&app).await;
    nobody.expect_problem("nobody", 404, "not_found");
    let invitation = self::invitation(&env().app(), &json!({})).await;
    let guest = Call::bare().bearer(&invitation).send(&app).await;
    guest.expect_problem("a guest", 401, "invalid_token");
}

#[test]
fn invitation_secret_has_the_form_of_a_secret_and_is_not_livekits() {
    let rows = [
        (SECRET, ""),
        ("0123456789 bcdef0123456789abcde2", ""),
        ("0123456789abcdef0123456789abcde", "must be at least 32 bytes"),
        (" 123456789abcdef0123456789abcdef", "must not start or end with white space"),
        ("\"0123456789abcdef0123456789abcdef\"", "must not be enclosed in quotes"),
        (API_SECRET, "must not be LIVEKIT_API_SECRET"),
    ];
    for (secret, expected) in rows {
        let fault = env().with("INVITATION_SECRET", secret).config().err();
        let fault = fault.map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault.is_empty(), expected.is_empty(), "{secret}: {fault}");
        assert!(fault.contains(expected), "{secret}: {fault}");
        assert!(!fault.contains(secret), "{fault}");
    }
}

#[test]
fn may_invite_cannot_list_a_role_in_charge() {
    let rows = [
        ("[roles.helper]\nmay_invite = [\"viewer\", \"participant\"]", ""),
        ("[roles.helper]\nmay_invite = []", ""),
        ("[roles.helper]\nmay_invite = [\"host\"]", "may_invite must not list a role"),
        ("[roles.helper]\nmay_invite = [\"moderator\"]", "may_invite must not list a role"),
        (
            "[roles.helper]\nmay_invite = [\"boss\"]\n[roles.boss]\nroom_admin = true",
            "may_invite must not list a role",
        ),
        ("[roles.helper]\nmay_invite = [\"nobody\"]", "may_invite must list"),
        ("[roles.helper]\nmay_invite = \"viewer\"", "may_invite must be a list"),
    ];
    for (roles, expected) in rows {
        let policy = format!("[[allow]]\nrooms = [\"*\"]\nrole = \"helper\"\n{roles}");
        let fault = env().with("POLICY", &policy).config().err();
        let fault = fault.map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(fault.is_empty(), expected.is_empty(), "{roles}: {fault}");
        assert!(fault.contains(expected), "{roles}: {fault}");
    }
}

/// Another role may moderate after the next deployment: its invitations end.
#[tokio::test]
async fn invitation_to_a_role_in_charge_is_refused() {
    let invitation = invitation(&env().app(), &json!({})).await;
    let rows = [
        (format!("{POLICY}\n[roles.participant]\ncan_moderate = true"), 403),
        (format!("{POLICY}\n[roles.participant]\nroom_admin = true"), 403),
        (format!("{POLICY}\n[roles.participant]\ncan_publish = false"), 201),
    ];
    for (policy, status) in rows {
        let app = env().with("POLICY", &policy).app();
        let reply = Call::bare().bearer(&invitation).send_at(&app, at(NOW + 1)).await;
        assert_eq!(reply.status, status, "{policy}: {}", reply.text());
        if status == 403 {
            reply.expect_problem("a role in charge", 403, "role_not_allowed");
        }
    }
}

const INVITATIONS: &str = "/v1/rooms/lobby/invitations";

fn with_state() -> Env {
    env().with("STATE_TABLE", "memory")
}

/// The ID of an invitation.
fn jti(invitation: &str) -> String {
    decode_part(invitation, 1)["jti"].as_str().unwrap().to_owned()
}

async fn of(app: &Arc<App>, team: &str, method: &str, path: &str) -> Reply {
    Call::bare().at(method, path).bearer(&token(&json!({ "team": team }))).send(app).await
}

fn guest(invitation: &str, secret: &str) -> Call {
    Call::bare().bearer(invitation).header("x-roomkey-guest", secret)
}

#[tokio::test]
async fn uses_and_waiting_room_need_state_and_are_signed() {
    let app = with_state().app();
    #[rustfmt::skip]
    let rows = [
        ("one use",           json!({ "uses": 1 }),                 Ok(json!({ "uses": 1 }))),
        ("the most",          json!({ "uses": 1_000 }),             Ok(json!({ "uses": 1_000 }))),
        ("as JSON Schema",    json!({ "uses": 2.0 }),               Ok(json!({ "uses": 2 }))),
        ("too many",          json!({ "uses": 1_001 }),             Err("uses must be a whole number from 1")),
        ("none",              json!({ "uses": 0 }),                 Err("uses must be a whole number from 1")),
        ("a negative number", json!({ "uses": -1 }),                Err("uses must be a whole number from 1")),
        ("a text",            json!({ "uses": "1" }),               Err("uses must be a whole number from 1")),
        ("a list",            json!({ "uses": [1] }),               Err("uses must be a whole number from 1")),
        ("no limit",          json!({ "uses": null }),              Ok(json!({}))),
        ("a waiting room",    json!({ "lobby": true }),             Ok(json!({ "lobby": true }))),
        ("until a host",      json!({ "lobby": "until-host" }),     Ok(json!({ "lobby": "until-host" }))),
        ("no waiting room",   json!({ "lobby": false }),            Ok(json!({}))),
        ("another word",      json!({ "lobby": "until_host" }),     Err("lobby must be true, false or")),
        ("a number",          json!({ "lobby": 1 }),                Err("lobby must be true, false or")),
    ];
    for (row, change, expected) in rows {
        let reply = invite(&app, &change).await;
        match expected {
            Ok(expected) => {
                assert_eq!(reply.status, 201, "{row}: {}", reply.text());
                let claims = decode_part(reply.json()["invitation"].as_str().unwrap(), 1);
                for claim in ["uses", "lobby"] {
                    assert_eq!(claims.get(claim), expected.get(claim), "{row}: {claim}");
                }
            }
            Err(detail) => {
                reply.expect_problem(row, 400, "invalid_request");
                let problem = reply.json();
                assert!(
                    problem["detail"].as_str().unwrap().starts_with(detail),
                    "{row}: {problem}"
                );
            }
        }
    }
    // A deployment without state cannot honor it.
    for change in [json!({ "uses": 1 }), json!({ "lobby": true })] {
        let limited = invitation(&app, &change).await;
        let reply = guest(&limited, &text(22)).send(&env().app()).await;
        reply.expect_problem("no state", 401, "invalid_token");
    }
}

#[tokio::test]
async fn invitation_is_used_up_by_as_many_guests_as_it_allows() {
    let app = with_state().app();
    let two = invitation(&app, &json!({ "uses": 2 })).await;
    let rows = [
        ("the first guest", Some(22), true),
        ("a reload", Some(22), true),
        ("a request that is not valid", None, true),
        ("one too many", Some(23), false),
        ("another one too many", Some(24), false),
        ("no secret", None, false),
        ("the first guest again", Some(22), true),
    ];
    for (row, secret, is_allowed) in rows {
        let call = match secret {
            Some(length) => guest(&two, &text(length)),
            None => Call::bare().bearer(&two),
        };
        if row == "a request that is not valid" {
            let other =
                guest(&two, &text(30)).json(&json!({ "room_name": "closed" })).send(&app).await;
            other.expect_problem("a refused request is not counted", 403, "room_not_allowed");
        }
        let reply = call.send(&app).await;
        if is_allowed {
            reply.expect_issued(row);
        } else {
            reply.expect_problem(row, 403, "invitation_used_up");
        }
    }
    let path = format!("{INVITATIONS}/{}", jti(&two));
    let stored = of(&app, "hosts", "GET", &path).await.json();
    assert_eq!((&stored["uses"], &stored["used"]), (&json!(2), &json!(2)), "{stored}");
}

#[tokio::test]
async fn revoked_invitation_gives_no_further_token() {
    let app = with_state().app();
    let stateless = invitation(&env().app(), &json!({})).await;
    let rows = [
        ("with state", invitation(&app, &json!({})).await),
        ("with uses", invitation(&app, &json!({ "uses": 3 })).await),
        ("with a waiting room", invitation(&app, &json!({ "lobby": true })).await),
        ("from before the state", stateless),
    ];
    let other = invitation(&app, &json!({})).await;
    for (row, invitation) in &rows {
        let path = format!("{INVITATIONS}/{}", jti(invitation));
        let before = guest(invitation, &text(22)).send(&app).await;
        assert!(
            matches!(before.code().as_str(), "" | "awaiting_admission"),
            "{row}: {}",
            before.text()
        );
        for _ in 0..2 {
            assert_eq!(of(&app, "hosts", "DELETE", &path).await.status, 204, "{row}");
            for secret in [22, 23] {
                let reply = guest(invitation, &text(secret)).send(&app).await;
                reply.expect_problem(row, 403, "invitation_revoked");
            }
        }
        let stored = of(&app, "hosts", "GET", &path).await;
        assert_eq!((stored.status, &stored.json()["revoked"]), (200, &json!(true)), "{row}");
        guest(&other, &text(22)).send(&app).await.expect_issued("another invitation");
    }
}

#[tokio::test]
async fn invitations_are_listed_without_their_text() {
    let app = with_state().app();
    let change = json!({ "uses": 3, "lobby": "until-host", "name": "Grace", "seconds": 60 });
    let invitation = invitation(&app, &change).await;
    invite(&app, &json!({ "seconds": 120 })).await;
    let list = of(&app, "hosts", "GET", INVITATIONS).await;
    assert_eq!(list.status, 200, "{}", list.text());
    let list = list.json()["invitations"].clone();
    let expected = json!({
        "jti": jti(&invitation), "role": "participant", "name": "Grace", "lobby": "until-host",
        "uses": 3, "used": 0, "expires_at": "2026-01-01T00:01:00Z", "revoked": false,
    });
    assert_eq!((list.as_array().unwrap().len(), &list[0]), (2, &expected));
    let path = format!("{INVITATIONS}/{}", jti(&invitation));
    assert_eq!(of(&app, "hosts", "GET", &path).await.json(), expected);
    let call = Call::bare().at("GET", &path).bearer(&token(&json!({ "team": "hosts" })));
    let expired = call.send_at(&app, at(NOW + 60)).await;
    expired.expect_problem("expired", 404, "not_found");
}

#[tokio::test]
async fn only_those_who_invite_manage_invitations() {
    let app = with_state().app();
    let known = format!("{INVITATIONS}/{}", jti(&invitation(&app, &json!({})).await));
    for (method, path) in
        [("GET", INVITATIONS), ("GET", known.as_str()), ("DELETE", known.as_str())]
    {
        of(&app, "others", method, path).await.expect_problem(path, 403, "role_not_allowed");
        let nobody = Call::bare().at(method, path).send(&app).await;
        nobody.expect_problem(path, 401, "missing_token");
        assert!(of(&app, "helpers", method, path).await.status < 300, "{method} {path}");
        let closed = path.replace("/lobby/", "/closed/");
        of(&app, "others", method, &closed).await.expect_problem(path, 403, "room_not_allowed");
        for app in [env().app(), with_state().without("INVITATION_SECRET").app()] {
            of(&app, "hosts", method, path).await.expect_problem(path, 404, "not_found");
        }
        let mut signed = Signed::new(&json!({}));
        (signed.method, signed.path, signed.body) = (method, path.to_owned(), String::new());
        assert!(signed.send(&with_state()).await.status < 405, "a backend");
    }
    for unknown in ["0", "x", &"A".repeat(32), &"0".repeat(33), "guest:waiting:bob"] {
        let path = format!("{INVITATIONS}/{unknown}");
        for method in ["GET", "DELETE"] {
            of(&app, "hosts", method, &path).await.expect_problem(unknown, 404, "not_found");
        }
    }
    let post = of(&app, "hosts", "POST", &known).await;
    post.expect_problem("another method", 405, "method_not_allowed");
    assert_eq!(post.header("allow"), Some("GET, DELETE, OPTIONS"));
}
