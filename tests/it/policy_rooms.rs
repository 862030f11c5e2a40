//! Which rooms a policy opens: the first rule that matches decides, and none matching is a refusal.

use serde_json::{Value, json};

use crate::support::{Call, Env, token};

/// Tenants, a lobby, and what a list claim opens.
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

/// What the caller's token says besides, the room, and the role in it, or none.
#[tokio::test]
async fn the_first_rule_that_matches_decides() {
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
        (&json!({ "org_id": "acme", "org_role": "x org:owner" }), "acme:x", Some("host")),
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
        (&json!({ "org_id": ["acme"] }), "acme:standup", None),
        (&json!({ "org_id": { "acme": 1 } }), "acme:standup", None),
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

/// A condition on verification is one on the claim: the profile has nothing to do with it.
#[tokio::test]
async fn every_condition_of_a_rule_must_hold() {
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

/// Without a room: one that nobody can guess, in the first open pattern of the first rule that
/// applies, even where a later one would do.
#[tokio::test]
async fn a_fresh_room_is_in_the_first_open_pattern() {
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

/// A claim of which no room's name can be made opens no room, rather than one of another name.
#[tokio::test]
async fn a_fresh_room_has_a_name() {
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

#[tokio::test]
async fn a_policy_without_rules_opens_nothing() {
    for policy in ["# nobody", "\n", "[roles.guest]\ncan_publish = false"] {
        let app = Env::offline().with("POLICY", policy).app();
        for call in [Call::token(), Call::asking(&json!({ "room_name": "a" }))] {
            call.send(&app).await.expect_problem(policy, 403, "room_not_allowed");
        }
    }
}

/// Which rooms there are is nothing that a stranger learns.
#[tokio::test]
async fn who_is_not_signed_in_learns_nothing_of_the_policy() {
    let app = Env::offline().with("POLICY", POLICY).app();
    for room in ["lobby", "closed"] {
        let reply = Call::bare().json(&json!({ "room_name": room })).send(&app).await;
        reply.expect_problem(room, 401, "missing_token");
    }
}

/// Quoted or not, a dotted path is a path; members of one table are conditions, and all must hold.
#[tokio::test]
async fn paths_need_no_quotes() {
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
