//! `room_config`: agents that the policy allows, and no other setting.

use serde_json::{Value, json};

use crate::support::{Call, Env, text};

#[tokio::test]
async fn empty_room_config_is_left_out_of_the_token() {
    let app = Env::offline().app();
    for config in [
        json!(null),
        json!({}),
        json!({ "agents": null }),
        json!({ "agents": [] }),
        json!({ "agents": [{}] }),
        json!({ "agents": [{ "agent_name": "", "metadata": "", "deployment": "" }] }),
        json!({ "agents": [{ "agentName": null }] }),
        json!({ "name": "", "empty_timeout": 0, "departureTimeout": 0, "max_participants": 0 }),
        json!({ "metadata": "", "tags": {}, "sync_streams": false, "egress": {} }),
        json!({ "tags": [] }),
        json!({ "agents": vec![json!({}); 10] }),
        json!({ "minPlayoutDelay": 0, "max_playout_delay": null, "egress": null }),
        json!({ "min_playout_delay": "0", "maxPlayoutDelay": 0.0, "emptyTimeout": "0", "max_participants": "" }),
        json!({ "egress": { "tracks": [], "room": null, "participant": null } }),
        json!({ "agents": [{ "restart_policy": 0 }, { "restartPolicy": "JRP_ON_FAILURE" }] }),
        json!({ "agents": [{ "restartPolicy": "", "attributes": {}, "deployment": null, "metadata": "" }] }),
        json!({ "something_new": { "egress": {} }, "another": 5 }),
    ] {
        let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
        let claims = reply.participant();
        assert_eq!(claims.get("roomConfig"), None, "{config}");
    }
}

#[tokio::test]
async fn room_config_may_send_metadata_to_the_default_agent() {
    let app = Env::offline().app();
    for (config, expected) in [
        (json!({ "agents": [{ "metadata": "m" }] }), json!({ "agents": [{ "metadata": "m" }] })),
        (
            json!({ "agents": [{ "metadata": "m", "agentName": "", "unknown": 1 }], "new": true }),
            json!({ "agents": [{ "metadata": "m" }] }),
        ),
    ] {
        for field in ["room_config", "roomConfig"] {
            let reply = Call::asking(&json!({ field: config })).send(&app).await;
            assert_eq!(reply.participant()["roomConfig"], expected, "{config}");
        }
    }
}

#[tokio::test]
async fn agent_metadata_is_accepted_up_to_4096_bytes() {
    let app = Env::offline().with("MAX_TOKEN_BYTES", "16384").app();
    let config = json!({ "agents": [{ "metadata": text(4096) }] });
    let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
    assert_eq!(reply.participant()["roomConfig"], config);
}

#[tokio::test]
async fn unlisted_agent_is_rejected() {
    let app = Env::offline().app();
    for config in [
        json!({ "agents": [{ "agent_name": "x" }] }),
        json!({ "agents": [{ "agentName": "x" }] }),
        json!({ "agents": [{ "agent_name": "*" }] }),
        json!({ "agents": [{}, { "agent_name": "x" }] }),
        json!({ "agents": [{ "metadata": "m" }, { "agent_name": "x", "metadata": "m" }] }),
    ] {
        let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
        reply.expect_problem(&config.to_string(), 403, "agent_not_allowed");
    }
}

#[tokio::test]
async fn room_settings_of_the_client_are_rejected() {
    let app = Env::offline().app();
    let fields: &[(&str, Value)] = &[
        ("name", json!("other")),
        ("empty_timeout", json!(1)),
        ("emptyTimeout", json!(1)),
        ("departure_timeout", json!(1)),
        ("departureTimeout", json!("1")),
        ("max_participants", json!(1)),
        ("maxParticipants", json!(1)),
        ("min_playout_delay", json!(1)),
        ("minPlayoutDelay", json!(1)),
        ("max_playout_delay", json!(1)),
        ("maxPlayoutDelay", json!(1)),
        ("sync_streams", json!(true)),
        ("syncStreams", json!(true)),
        ("metadata", json!("m")),
        ("tags", json!({ "a": "b" })),
        ("tags", json!(["a"])),
        ("egress", json!({ "room": {} })),
        ("egress", json!({ "room": { "room_name": "standup" } })),
        ("egress", json!({ "room": { "customBaseUrl": "https://evil.example" } })),
        ("egress", json!({ "participant": { "segment_outputs": [{ "s3": { "bucket": "b" } }] } })),
        ("egress", json!({ "tracks": { "filepath": "/x", "s3": { "bucket": "b" } } })),
    ];
    for (field, value) in fields {
        let config = json!({ *field: value });
        let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
        reply.expect_problem(&config.to_string(), 403, "field_not_allowed");
        let config = json!({ "agents": [{}], *field: value });
        let reply = Call::asking(&json!({ "roomConfig": config })).send(&app).await;
        reply.expect_problem(&config.to_string(), 403, "field_not_allowed");
    }
}

/// Fields of an agent's dispatch that no SDK sends. Participants must not choose them either.
#[tokio::test]
async fn field_of_an_agent_that_no_policy_allows_is_refused() {
    let app = Env::offline().app();
    for (field, value) in [
        ("restart_policy", json!("JRP_NEVER")),
        ("restart_policy", json!("jrp_on_failure")),
        ("restartPolicy", json!(1)),
        ("restartPolicy", json!(-1)),
        ("restart_policy", json!(true)),
        ("attributes", json!({ "lk.role": "x" })),
        ("attributes", json!({ "a": "" })),
        ("attributes", json!("x")),
    ] {
        for agent in [json!({ field: value }), json!({ "metadata": "m", field: value })] {
            let config = json!({ "agents": [{}, agent] });
            let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
            reply.expect_problem(&config.to_string(), 403, "field_not_allowed");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            let known = if field == "attributes" { "attributes" } else { "restart_policy" };
            assert!(detail.contains(known), "{config}: {detail}");
        }
    }
}

#[tokio::test]
async fn deployment_that_the_rule_does_not_list_is_refused() {
    let app = Env::offline().app();
    let config = json!({ "agents": [{ "deployment": "staging" }] });
    let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
    reply.expect_problem("deployment", 403, "agent_not_allowed");
    assert!(reply.json()["detail"].is_string(), "{}", reply.text());
}

#[tokio::test]
async fn field_of_the_room_that_no_policy_allows_is_named() {
    let app = Env::offline().app();
    for (sent, named, value) in [
        ("name", "name", json!("0")),
        ("minPlayoutDelay", "min_playout_delay", json!(1)),
        ("max_playout_delay", "max_playout_delay", json!("1")),
        ("max_playout_delay", "max_playout_delay", json!("x")),
        ("syncStreams", "sync_streams", json!(true)),
        ("sync_streams", "sync_streams", json!("true")),
        ("tags", "tags", json!({ "a": "" })),
        ("egress", "egress", json!({ "room": {} })),
        ("egress", "egress", json!({ "tracks": {} })),
        ("egress", "egress", json!({ "tracks": [{}] })),
        ("egress", "egress", json!({ "someday": 0 })),
        ("egress", "egress", json!([])),
    ] {
        let config = json!({ sent: value });
        let reply = Call::asking(&json!({ "room_config": config })).send(&app).await;
        reply.expect_problem(&config.to_string(), 403, "field_not_allowed");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("room_config.{named}")), "{config}: {detail}");
    }
}
