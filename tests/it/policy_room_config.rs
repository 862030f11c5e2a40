//! `room_config` under a policy: settings of rules, requests of clients, and agents.

use serde_json::{Value, json};

use crate::support::{Call, Env};

const POLICY: &str = r#"
[[allow]]
rooms  = ["capped"]
role   = "host"
agents = ["support-*", "notes", "{sub}-agent"]
deployments = ["d", "eu-*"]
room_config = { max_participants = 10, metadata = "ours" }
allow_room_config = { max_participants = 50, empty_timeout = 600, departure_timeout = 60, metadata = 8 }

[[allow]]
rooms = ["staffed"]
role  = "participant"
room_config = { agents = [{ agent_name = "notes", metadata = "m", deployment = "blue" }, {}] }

[[allow]]
rooms  = ["free"]
role   = "participant"
agents = ["*"]
deployments = ["*"]

[[allow]]
rooms = ["plain"]
role  = "seats"

[roles.seats]
max_participants = 3
"#;

async fn post_token(room: &str, config: &Value) -> crate::support::Reply {
    let app = Env::offline().with("POLICY", POLICY).app();
    Call::asking(&json!({ "room_name": room, "room_config": config })).send(&app).await
}

/// The room, the request, and the token's `roomConfig`.
#[tokio::test]
async fn allowed_settings_are_in_the_token() {
    let ours = json!({ "maxParticipants": 10, "metadata": "ours" });
    let notes = json!([{ "agentName": "notes", "metadata": "m", "deployment": "blue" }, {}]);
    let rows = [
        ("capped", json!({}), ours.clone()),
        ("capped", json!({ "max_participants": 0, "metadata": "", "agents": [{}] }), ours.clone()),
        (
            "capped",
            json!({ "max_participants": 50 }),
            json!({ "maxParticipants": 50, "metadata": "ours" }),
        ),
        (
            "capped",
            json!({ "max_participants": 7.0 }),
            json!({ "maxParticipants": 7, "metadata": "ours" }),
        ),
        (
            "capped",
            json!({ "max_participants": "7" }),
            json!({ "maxParticipants": 7, "metadata": "ours" }),
        ),
        (
            "capped",
            json!({ "maxParticipants": 1 }),
            json!({ "maxParticipants": 1, "metadata": "ours" }),
        ),
        (
            "capped",
            json!({ "metadata": "12345678" }),
            json!({ "maxParticipants": 10, "metadata": "12345678" }),
        ),
        ("capped", json!({ "metadata": "ours" }), ours.clone()),
        (
            "capped",
            json!({ "empty_timeout": 600, "departureTimeout": 60 }),
            json!({ "emptyTimeout": 600, "departureTimeout": 60, "maxParticipants": 10, "metadata": "ours" }),
        ),
        (
            "capped",
            json!({ "agents": [{ "agent_name": "support-x", "metadata": "a", "deployment": "d" }] }),
            json!({
                "maxParticipants": 10, "metadata": "ours",
                "agents": [{ "agentName": "support-x", "metadata": "a", "deployment": "d" }],
            }),
        ),
        ("staffed", json!({}), json!({ "agents": notes })),
        // A request for an agent that the rule dispatches adds nothing.
        (
            "staffed",
            json!({ "agents": [{ "agent_name": "notes", "metadata": "m", "deployment": "blue" }] }),
            json!({ "agents": notes }),
        ),
        (
            "staffed",
            json!({ "agents": [{ "agent_name": "notes", "deployment": "blue" }, {}] }),
            json!({ "agents": notes }),
        ),
        (
            "free",
            json!({ "agents": [{ "deployment": "d" }, { "agent_name": "any" }] }),
            json!({ "agents": [{ "deployment": "d" }, { "agentName": "any" }] }),
        ),
        ("plain", json!({}), json!({ "maxParticipants": 3 })),
        ("plain", json!({ "max_participants": 3 }), json!({ "maxParticipants": 3 })),
    ];
    for (room, asked, expected) in rows {
        let reply = post_token(room, &asked).await;
        reply.expect_issued(&format!("{room} {asked}"));
        assert_eq!(reply.participant()["roomConfig"], expected, "{room} {asked}");
    }
}

#[tokio::test]
async fn other_settings_are_rejected() {
    let field = |field: &str, value: Value| json!({ field: value });
    let agent = |name: &str| json!({ "agents": [{ "agent_name": name }] });
    let rows = [
        ("capped", field("max_participants", json!(51)), "field_not_allowed"),
        ("capped", field("max_participants", json!("51")), "field_not_allowed"),
        ("capped", field("max_participants", json!(4_294_967_295_u32)), "field_not_allowed"),
        ("capped", field("empty_timeout", json!(601)), "field_not_allowed"),
        ("capped", field("departure_timeout", json!(61)), "field_not_allowed"),
        ("capped", field("metadata", json!("123456789")), "field_not_allowed"),
        ("capped", field("metadata", json!("ééééé")), "field_not_allowed"),
        ("capped", field("egress", json!({ "room": {} })), "field_not_allowed"),
        ("capped", field("name", json!("other")), "field_not_allowed"),
        ("capped", field("tags", json!({ "a": "b" })), "field_not_allowed"),
        ("capped", field("sync_streams", json!(true)), "field_not_allowed"),
        (
            "capped",
            json!({ "agents": [{ "agent_name": "notes", "restart_policy": 1 }] }),
            "field_not_allowed",
        ),
        ("capped", agent("support"), "agent_not_allowed"),
        ("capped", agent("Support-x"), "agent_not_allowed"),
        ("capped", agent("notes2"), "agent_not_allowed"),
        ("capped", agent("{sub}-agent"), "agent_not_allowed"),
        ("capped", json!({ "agents": [{ "deployment": "x" }] }), "agent_not_allowed"),
        (
            "capped",
            json!({ "agents": [{ "agent_name": "notes" }, { "agent_name": "x" }] }),
            "agent_not_allowed",
        ),
        ("staffed", agent("notes"), "agent_not_allowed"),
        ("staffed", field("max_participants", json!(5)), "field_not_allowed"),
        ("plain", field("max_participants", json!(2)), "field_not_allowed"),
        ("plain", field("max_participants", json!(4)), "field_not_allowed"),
        ("closed", field("max_participants", json!(4)), "room_not_allowed"),
    ];
    for (room, asked, code) in rows {
        post_token(room, &asked).await.expect_problem(&format!("{room} {asked}"), 403, code);
    }
}

#[tokio::test]
async fn settings_of_the_wrong_type_are_malformed() {
    for asked in [
        json!({ "max_participants": -1 }),
        json!({ "max_participants": 1.5 }),
        json!({ "max_participants": -1.0 }),
        json!({ "max_participants": 1e300 }),
        json!({ "max_participants": 4_294_967_296.0 }),
        json!({ "max_participants": 4_294_967_296_u64 }),
        json!({ "max_participants": "4294967296" }),
        json!({ "max_participants": "+1" }),
        json!({ "max_participants": " 1" }),
        json!({ "max_participants": "x" }),
        json!({ "max_participants": true }),
        json!({ "empty_timeout": [1] }),
        json!({ "departure_timeout": {} }),
        json!({ "metadata": 5 }),
        json!({ "metadata": "m".repeat(4097) }),
    ] {
        post_token("capped", &asked).await.expect_problem(
            &asked.to_string(),
            400,
            "invalid_request",
        );
    }
}

/// An agent's name may contain claims of the caller.
#[tokio::test]
async fn agent_is_allowed_by_a_claim_of_the_caller() {
    let app = Env::offline().with("POLICY", POLICY).app();
    let subject =
        Call::token().send(&Env::offline().with("PARTICIPANT_IDENTITY", "sub").app()).await;
    let subject = subject.participant()["sub"].as_str().unwrap().to_owned();
    for (name, status) in [(format!("{subject}-agent"), 201), ("other-agent".into(), 403)] {
        let config = json!({ "agents": [{ "agent_name": name }] });
        let body = json!({ "room_name": "capped", "room_config": config });
        assert_eq!(Call::asking(&body).send(&app).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn rule_sets_the_room_even_if_clients_may_not() {
    let env = Env::offline().with("POLICY", POLICY).with("CLIENT_FIELDS", "room_name");
    let app = env.app();
    let reply = Call::asking(&json!({ "room_name": "plain" })).send(&app).await;
    assert_eq!(reply.participant()["roomConfig"], json!({ "maxParticipants": 3 }));
    let body = json!({ "room_name": "capped", "room_config": { "max_participants": 5 } });
    Call::asking(&body).send(&app).await.expect_problem("not listed", 403, "field_not_allowed");
}
