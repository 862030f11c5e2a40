//! Rooms that a policy allows. The first rule that matches decides.

use serde_json::{Value, json};

use crate::support::{Call, Env, token};

/// Tenants, a lobby, and rooms for a list claim.
const POLICY: &str = r#"
[[allow]]
when  = { "org_role" = ["org:admin", "org:owner"] }
rooms = ["{org_id}:*"]
role  = "host"

[[allow]]
rooms = ["{org_id}:*", "{org_id}"]
role  = "participant"

[[allow]]
when  = { groups = "board", email_verified = true }
rooms = ["board/%2e.room", "Größe"]
role  = "moderator"

[[allow]]
rooms = ["lobby"]
role  = "viewer"
"#;

/// Further claims of the token, the room, and the role if the room is allowed.
#[tokio::test]
async fn first_rule_that_matches_decides() {
    let app = Env::offline().with("POLICY", POLICY).app();
    let acme = json!({ "org_id": "acme" });
    let admin = json!({ "org_id": "acme", "org_role": "org:admin" });
    let rows: &[(&Value, &str, Option<&str>)] = &[
        (&admin, "acme:standup", Some("host")),
        (&admin, "acme:", Some("host")),
        (&admin, "acme", Some("participant")),
        (&admin, "lobby", Some("viewer")),
        (&admin, "other:standup", None),
        (&acme, "acme:standup", Some("participant")),
        (&acme, "acme:a/../b", Some("participant")),
        (&acme, "acme2:standup", None),
        (&acme, "ACME:standup", None),
        (&acme, "acme%3Astandup", None),
        (&acme, "x/../acme:standup", None),
        (&acme, "\u{ff41}cme:standup", None),
        (&acme, "acme\u{200b}:standup", None),
        (&acme, "{org_id}:standup", None),
        (&acme, "*", None),
        (&json!({ "org_id": "acme", "org_role": "admin" }), "acme:x", Some("participant")),
        (&json!({ "org_id": "acme", "org_role": ["a", "org:owner"] }), "acme:x", Some("host")),
        (&json!({ "org_id": "acme", "org_role": "x org:owner" }), "acme:x", Some("participant")),
        (
            &json!({ "org_id": "acme", "org_role": [{ "name": "org:owner" }] }),
            "acme:x",
            Some("host"),
        ),
        (&json!({ "org_id": "acme", "org_role": { "org:owner": {} } }), "acme:x", Some("host")),
        (
            &json!({ "org_id": "acme", "org_role": { "org:owner": null } }),
            "acme:x",
            Some("participant"),
        ),
        (&json!({ "org_role": "org:admin" }), ":standup", None),
        (&json!({ "org_role": "org:admin" }), "{org_id}:standup", None),
        (&json!({ "org_id": "*", "org_role": "org:admin" }), "*:standup", None),
        (&json!({ "org_id": "*" }), "acme:standup", None),
        (&json!({ "org_id": "ac*" }), "ac*:standup", None),
        (&json!({ "org_id": "{sub}" }), "{sub}:standup", None),
        (&json!({ "org_id": "" }), ":standup", None),
        (&json!({ "org_id": null }), "null:standup", None),
        (&json!({ "org_id": 5 }), "5:standup", None),
        (&json!({ "org_id": ["acme"] }), "acme:standup", Some("participant")),
        (&json!({ "org_id": { "acme": 1 } }), "acme:standup", Some("participant")),
        (&json!({ "org_id": [["acme"]] }), "acme:standup", None),
        (&json!({ "org_id": [{ "name": "acme" }] }), "acme:standup", None),
        (&json!({ "org_id": "acme:eu" }), "acme:eu:standup", None),
        (&json!({ "org_id": "acme:eu" }), "acme:eu", None),
        (&json!({ "groups": ["board"] }), "board/%2e.room", Some("moderator")),
        (&json!({ "groups": ["board"] }), "board/..room", None),
        (&json!({ "groups": ["board"] }), "board/%2E.room", None),
        (&json!({ "groups": ["board"] }), "board//%2e.room", None),
        (&json!({ "groups": ["board"] }), "board/%2e.room/", None),
        (&json!({ "groups": ["board"] }), "Größe", Some("moderator")),
        (&json!({ "groups": ["board"] }), "Gro\u{308}ße", None),
        (&json!({ "groups": ["board"] }), "GRÖSSE", None),
        (&json!({ "groups": ["boards"] }), "Größe", None),
        (&json!({}), "lobby", Some("viewer")),
        (&json!({}), "lobby ", None),
        (&json!({}), "Lobby", None),
    ];
    for (claims, room, expected) in rows {
        let row = format!("{claims} in {room}");
        let call = Call::bare().bearer(&token(claims)).json(&json!({ "room_name": room }));
        let reply = call.send(&app).await;
        let Some(role) = expected else {
            reply.expect_problem(&row, 403, "room_not_allowed");
            continue;
        };
        let participant = reply.expect_issued(&row).participant();
        assert_eq!(participant["attributes"]["role"], *role, "{row}");
        assert_eq!(participant["video"]["room"], *room, "{row}");
    }
}

/// A condition on `email_verified` reads the claim, and not the profile.
#[tokio::test]
async fn rule_matches_only_if_every_condition_is_met() {
    let app = Env::offline().with("POLICY", POLICY).with("PARTICIPANT_IDENTITY", "sub").app();
    for (claims, is_open) in [
        (json!({ "groups": "board" }), true),
        (json!({ "groups": "board", "email_verified": false }), false),
        (json!({ "groups": "board", "email_verified": "true" }), false),
        (json!({ "groups": "board", "email_verified": null }), false),
    ] {
        let call = Call::bare().bearer(&token(&claims)).json(&json!({ "room_name": "Größe" }));
        assert_eq!(call.send(&app).await.status == 201, is_open, "{claims}");
    }
}

/// Without a requested room, the name is unguessable, in the first open pattern of the first rule that
/// applies. Later rules are not tried.
#[tokio::test]
async fn new_room_is_in_the_first_open_pattern() {
    let policy = "[[allow]]\nwhen = { vip = true }\nrooms = [\"vip\"]\nrole = \"host\"\n\
                  [[allow]]\nrooms = [\"{sub}\", \"{sub}/a-*\", \"b-*\"]\nrole = \"host\"";
    let app = Env::offline().with("POLICY", policy).app();
    let mut rooms = Vec::new();
    for _ in 0..2 {
        let reply = Call::token().send(&app).await;
        let room = reply.participant()["video"]["room"].as_str().unwrap().to_owned();
        let random = room.strip_prefix("user-1/a-room-").expect("the first open pattern");
        assert!(
            random.len() >= 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{room}"
        );
        assert_eq!(reply.json()["room_name"], room);
        rooms.push(room);
    }
    assert_ne!(rooms[0], rooms[1]);
    let vip = Call::bare().bearer(&token(&json!({ "vip": true })));
    vip.send(&app).await.expect_problem("no open pattern", 403, "room_not_allowed");
}

/// A claim that no room name can contain allows no room.
#[tokio::test]
async fn new_room_has_a_valid_name() {
    let policy = "[[allow]]\nrooms = [\"{org_id}:*\"]\nrole = \"host\"";
    let app = Env::offline().with("POLICY", policy).app();
    // 37 bytes are `room-` and 128 bits, one is the colon.
    for (org, is_open) in [
        ("a".repeat(218), true),
        ("a".repeat(219), false),
        ("a\u{0}".into(), false),
        ("\u{202e}a".into(), false),
        ("a/../b %00".into(), true),
    ] {
        let reply = Call::bare().bearer(&token(&json!({ "org_id": org }))).send(&app).await;
        if is_open {
            reply.expect_issued(&org);
        } else {
            reply.expect_problem(&org, 403, "room_not_allowed");
        }
    }
}

/// Callers without a token learn nothing about the rooms.
#[tokio::test]
async fn policy_is_not_evaluated_without_a_token() {
    let app = Env::offline().with("POLICY", POLICY).app();
    for room in ["lobby", "closed"] {
        let reply = Call::bare().json(&json!({ "room_name": room })).send(&app).await;
        reply.expect_problem(room, 401, "missing_token");
    }
}

/// A dotted path is a path with and without quotes. All fields of a table are conditions.
#[tokio::test]
async fn paths_need_no_quotes_in_conditions() {
    for when in [
        "when = { \"org.role\" = \"admin\", \"org.tier\" = 2 }",
        "when = { org.role = \"admin\", org.tier = 2 }",
        "when = { org = { role = \"admin\", tier = 2 } }",
        "when.org.role = \"admin\"\nwhen.org.tier = 2",
    ] {
        let policy = format!("[[allow]]\n{when}\nrooms = [\"*\"]\nrole = \"host\"");
        let app = Env::offline().with("POLICY", &policy).app();
        for (org, status) in [
            (json!({ "role": "admin", "tier": 2 }), 201),
            (json!({ "role": "admin", "tier": 1 }), 403),
            (json!({ "role": "member", "tier": 2 }), 403),
            (json!({ "tier": 2 }), 403),
            (json!("admin"), 403),
        ] {
            let reply = Call::bare().bearer(&token(&json!({ "org": org }))).send(&app).await;
            assert_eq!(reply.status, status, "{when}: {org}");
        }
    }
}
