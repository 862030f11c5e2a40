//! Roles: the grants, the sources, the time.

use serde_json::{Value, json};

use crate::support::{Call, Env};

/// The `video` claim of a caller whose role is `role`, with the roles of `roles`.
async fn participant(roles: &str, role: &str) -> Value {
    let policy = format!("[[allow]]\nrooms = [\"*\"]\nrole = \"{role}\"\n{roles}");
    let app = Env::offline().with("POLICY", &policy).app();
    Call::asking(&json!({ "room_name": "a" })).send(&app).await.participant()
}

/// Publish, data, subscribe, administer.
#[tokio::test]
async fn built_in_roles_have_their_grants() {
    for (role, [publish, data, subscribe, admin]) in [
        ("host", [true, true, true, true]),
        ("moderator", [true, true, true, false]),
        ("participant", [true, true, true, false]),
        ("viewer", [false, false, true, false]),
    ] {
        let mut expected = json!({
            "room": "a", "roomJoin": true, "canPublish": publish, "canPublishData": data,
            "canSubscribe": subscribe, "canUpdateOwnMetadata": false, "canSubscribeMetrics": false,
            "canManageAgentSession": false,
        });
        if admin {
            expected["roomAdmin"] = json!(true);
        }
        let claims = participant("", role).await;
        assert_eq!(claims["video"], expected, "{role}");
        assert_eq!(claims["attributes"]["role"], role);
    }
}

/// A role of the file, and the fields of `video` that differ from a participant's.
#[tokio::test]
async fn policy_file_changes_and_adds_roles() {
    let plain = participant("", "participant").await["video"].clone();
    let rows: &[(&str, &str, Value)] = &[
        ("guest", "", json!({})),
        ("guest", "can_publish = false", json!({ "canPublish": false, "canPublishData": false })),
        ("guest", "can_publish = false\ncan_publish_data = true", json!({ "canPublish": false })),
        ("guest", "can_publish_data = false", json!({ "canPublishData": false })),
        ("guest", "can_subscribe = false", json!({ "canSubscribe": false })),
        ("guest", "can_update_own_metadata = true", json!({ "canUpdateOwnMetadata": true })),
        ("guest", "can_subscribe_metrics = true", json!({ "canSubscribeMetrics": true })),
        ("guest", "can_manage_agent_session = true", json!({ "canManageAgentSession": true })),
        ("guest", "room_admin = true", json!({ "roomAdmin": true })),
        (
            "guest",
            "can_publish_sources = [\"microphone\"]",
            json!({ "canPublishSources": ["microphone"] }),
        ),
        (
            "guest",
            "can_publish_sources = [\"screen_share_audio\", \"screen_share\"]",
            json!({ "canPublishSources": ["screen_share", "screen_share_audio"] }),
        ),
        ("viewer", "", json!({ "canPublish": false, "canPublishData": false })),
        ("viewer", "can_publish = true", json!({ "canPublishData": false })),
        ("viewer", "can_publish_data = true", json!({ "canPublish": false })),
        (
            "host",
            "can_update_own_metadata = true",
            json!({ "canUpdateOwnMetadata": true, "roomAdmin": true }),
        ),
        ("host", "room_admin = false", json!({})),
        ("participant", "can_publish = false", json!({ "canPublish": false })),
    ];
    for (role, fields, difference) in rows {
        let mut expected = plain.clone();
        for (grant, value) in difference.as_object().unwrap() {
            expected[grant] = value.clone();
        }
        let claims = participant(&format!("[roles.{role}]\n{fields}"), role).await;
        assert_eq!(claims["video"], expected, "{role} with {fields}");
    }
}

#[tokio::test]
async fn role_has_its_own_token_lifetime() {
    for (roles, seconds) in [
        ("", 600),
        ("[roles.host]\nttl_seconds = 61", 61),
        ("[roles.host]\nttl_seconds = 86400", 86_400),
        ("[roles.viewer]\nttl_seconds = 61", 600),
    ] {
        let claims = participant(roles, "host").await;
        let [nbf, exp] = ["nbf", "exp"].map(|claim| claims[claim].as_u64().unwrap());
        assert_eq!(exp - nbf, seconds, "{roles}");
    }
}

/// Room settings of one rule do not apply to another rule with the same role.
#[tokio::test]
async fn room_settings_of_a_rule_do_not_affect_other_rules() {
    let policy = "[[allow]]\nrooms = [\"a\"]\nrole = \"host\"\nroom_config = { max_participants = 2 }\n\
                  [[allow]]\nrooms = [\"b\"]\nrole = \"host\"\n[roles.host]\nroom_config = { empty_timeout = 9 }";
    let app = Env::offline().with("POLICY", policy).app();
    for (room, expected) in [
        ("a", json!({ "maxParticipants": 2, "emptyTimeout": 9 })),
        ("b", json!({ "emptyTimeout": 9 })),
    ] {
        let reply = Call::asking(&json!({ "room_name": room })).send(&app).await;
        assert_eq!(reply.participant()["roomConfig"], expected, "{room}");
    }
}

/// The person's own identity stays in an attribute, which no client can set.
#[tokio::test]
async fn device_token_names_its_person_in_an_attribute() {
    let app = Env::offline().with("PARTICIPANT_DEVICES", "true").app();
    let person = Call::token().send(&app).await.participant();
    let identity = person["sub"].as_str().unwrap();
    assert_eq!(person["attributes"]["identity"], identity);
    for device in ["a", "phone-2", "A_z-9", &"d".repeat(64)] {
        let asked = format!("{identity}:{device}");
        let reply = Call::asking(&json!({ "participant_identity": asked })).send(&app).await;
        let claims = reply.participant();
        assert_eq!(claims["sub"], asked);
        assert_eq!(claims["attributes"]["identity"], identity, "{device}");
        assert_eq!(claims["attributes"]["color"], person["attributes"]["color"], "{device}");
        assert_eq!(claims["name"], person["name"], "{device}");
    }
    let alone = Env::offline().app();
    assert!(Call::token().send(&alone).await.participant()["attributes"]["identity"].is_null());
    for attribute in ["identity", "Identity"] {
        let call = Call::asking(&json!({ "participant_attributes": { attribute: "someone" } }));
        call.send(&app).await.expect_problem(attribute, 403, "field_not_allowed");
    }
}
