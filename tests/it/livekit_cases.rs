//! Requests and settings that users of LiveKit's token endpoints reported.

use serde_json::{Value, json};

use crate::support::{Call, Env, token};

const ONE_AGENT: &str = r#"
[[allow]]
rooms = ["*"]
role = "participant"
room_config = { agents = [{ agent_name = "tutor", metadata = '{"level":"beginner"}' }] }
"#;

const LISTED_AND_DISPATCHED: &str = r#"
[[allow]]
rooms = ["*"]
role = "participant"
agents = ["tutor"]
room_config = { agents = [{ agent_name = "tutor", metadata = '{"level":"beginner"}' }] }
"#;

const LISTED: &str = r#"
[[allow]]
rooms = ["*"]
role = "participant"
agents = ["tutor"]
"#;

/// The dispatches of the participant token for this `room_config` under this policy.
async fn agents(policy: &str, room_config: &Value) -> Value {
    let app = Env::offline().with("POLICY", policy).app();
    let body = json!({ "room_name": "standup", "room_config": room_config });
    Call::asking(&body).send(&app).await.participant()["roomConfig"]["agents"].clone()
}

/// livekit/agents#944, and the starter apps, which always name their agent.
#[tokio::test]
async fn agent_that_the_rule_dispatches_is_started_once() {
    let own = json!([{ "agentName": "tutor", "metadata": r#"{"level":"beginner"}"# }]);
    for policy in [ONE_AGENT, LISTED_AND_DISPATCHED] {
        for requested in [
            json!({}),
            json!({ "agents": [{ "agent_name": "tutor" }] }),
            json!({ "agents": [{ "agentName": "tutor", "metadata": "" }] }),
            json!({ "agents": [{ "agent_name": "tutor" }, { "agent_name": "tutor" }] }),
            json!({ "agents": [{ "agent_name": "tutor", "metadata": r#"{"level":"beginner"}"# }] }),
            json!({ "agents": [{}, { "agent_name": "tutor" }] }),
        ] {
            assert_eq!(agents(policy, &requested).await, own, "{requested}");
        }
    }
}

#[tokio::test]
async fn agent_with_other_metadata_than_the_rules_is_refused() {
    for policy in [ONE_AGENT, LISTED_AND_DISPATCHED] {
        let app = Env::offline().with("POLICY", policy).app();
        for requested in [
            json!([{ "agent_name": "tutor", "metadata": "x" }]),
            json!([{ "agent_name": "tutor" }, { "agent_name": "tutor", "metadata": "x" }]),
        ] {
            let body = json!({ "room_name": "standup", "room_config": { "agents": requested } });
            let reply = Call::asking(&body).send(&app).await;
            reply.expect_problem(&requested.to_string(), 403, "agent_not_allowed");
            assert!(reply.json()["detail"].is_string(), "{}", reply.text());
        }
    }
}

#[tokio::test]
async fn agents_of_one_request_are_started_once_each() {
    let one = json!([{ "agentName": "tutor", "metadata": "m" }]);
    let twice = json!({ "agents": [{ "agent_name": "tutor", "metadata": "m" }, { "agentName": "tutor", "metadata": "m" }] });
    assert_eq!(agents(LISTED, &twice).await, one);
    let app = Env::offline().with("POLICY", LISTED).app();
    let unnamed: Vec<_> = (0..10).map(|index| json!({ "metadata": format!("m{index}") })).collect();
    for requested in [
        json!([{ "agent_name": "tutor", "metadata": "m" }, { "agent_name": "tutor", "metadata": "n" }]),
        json!([{ "agent_name": "tutor", "metadata": "m" }, { "agent_name": "tutor" }]),
        json!([{ "metadata": "m" }, { "metadata": "n" }]),
        json!(unnamed),
    ] {
        let body = json!({ "room_config": { "agents": requested } });
        let reply = Call::asking(&body).send(&app).await;
        reply.expect_problem(&requested.to_string(), 403, "agent_not_allowed");
        assert!(reply.json()["detail"].is_string(), "{}", reply.text());
    }
    let unnamed = json!({ "agents": [{ "metadata": "m" }] });
    assert_eq!(agents(LISTED, &unnamed).await, json!([{ "metadata": "m" }]));
}

/// The output of `JSON.stringify` of `@livekit/protocol` 1.52.1 and of Python's `MessageToDict`
/// with defaults, for a configuration with one agent.
#[tokio::test]
async fn defaults_of_the_protocol_request_nothing() {
    let agent = json!({
        "agentName": "tutor", "metadata": "{\"lang\":\"de\"}", "restartPolicy": "JRP_ON_FAILURE",
        "deployment": "", "attributes": {},
    });
    let camel = json!({
        "name": "", "emptyTimeout": 0, "departureTimeout": 0, "maxParticipants": 0,
        "minPlayoutDelay": 0, "maxPlayoutDelay": 0, "syncStreams": false, "agents": [agent],
        "metadata": "", "tags": {}, "egress": { "tracks": [], "room": null, "participant": null },
    });
    let snake = json!({
        "name": "", "empty_timeout": 0, "departure_timeout": 0, "max_participants": 0,
        "egress": null, "min_playout_delay": 0, "max_playout_delay": 0, "sync_streams": false,
        "metadata": "", "tags": {}, "agents": [{
            "agent_name": "tutor", "metadata": "{\"lang\":\"de\"}", "restart_policy": "JRP_ON_FAILURE",
            "deployment": "", "attributes": {},
        }],
    });
    let expected = json!([{ "agentName": "tutor", "metadata": "{\"lang\":\"de\"}" }]);
    for config in [camel, snake] {
        assert_eq!(agents(LISTED, &config).await, expected, "{config}");
    }
}

#[tokio::test]
async fn address_in_two_spellings_is_one_person() {
    let app = Env::offline().app();
    let mut people = Vec::new();
    for email in ["ada@example.com", "Ada@Example.com", "ada@example.com ", "\tADA@EXAMPLE.COM\n"] {
        let call = Call::bare().bearer(&token(&json!({ "email": email })));
        let claims = call.json(&json!({ "room_name": "standup" })).send(&app).await.participant();
        people.push((claims["sub"].clone(), claims["attributes"]["color"].clone()));
    }
    people.dedup();
    assert_eq!(people.len(), 1, "{people:?}");
    assert_eq!(people[0].0, "ada@example.com");
}

/// client-sdk-js#1491: clients expect `wss`, even if server SDKs have another scheme.
#[tokio::test]
async fn server_url_has_a_scheme_of_websockets() {
    for (configured, expected) in [
        ("https://livekit.example.test", "wss://livekit.example.test"),
        ("https://livekit.example.test/", "wss://livekit.example.test/"),
        ("https://livekit.example.test:7881/rtc/x", "wss://livekit.example.test:7881/rtc/x"),
        ("http://127.0.0.1:7880", "ws://127.0.0.1:7880"),
        ("http://localhost:7880/a", "ws://localhost:7880/a"),
        ("wss://livekit.example.test/http", "wss://livekit.example.test/http"),
        ("ws://127.0.0.1:7880", "ws://127.0.0.1:7880"),
    ] {
        let app = Env::offline().with("LIVEKIT_URL", configured).app();
        let reply = Call::asking(&json!({ "room_name": "standup" })).send(&app).await;
        reply.expect_issued(configured);
        assert_eq!(reply.json()["server_url"], expected, "{configured}");
    }
}

#[tokio::test]
async fn own_name_with_a_blank_is_accepted() {
    let app = Env::offline().app();
    let call = Call::bare().bearer(&token(&json!({ "name": "Ada " })));
    let body = json!({ "room_name": "standup", "participant_name": "Ada " });
    assert_eq!(call.json(&body).send(&app).await.participant()["name"], "Ada");
}

#[tokio::test]
async fn room_of_blanks_is_refused() {
    let app = Env::offline().app();
    let reply = Call::asking(&json!({ "room_name": "   " })).send(&app).await;
    reply.expect_problem("blanks", 400, "invalid_request");
}

#[tokio::test]
async fn room_in_the_wrong_member_is_refused() {
    let app = Env::offline().app();
    let reply = Call::asking(&json!({ "room": "standup", "identity": "ada" })).send(&app).await;
    reply.expect_problem("room and identity", 400, "invalid_request");
}

/// agent-starter-react#105: LiveKit rejects every token of such a key.
#[tokio::test]
async fn key_with_a_line_feed_prevents_the_start() {
    let env = Env::offline().with("LIVEKIT_API_KEY", "APItest\n");
    let fault = env.config().err().expect("a fault").to_string();
    assert!(fault.contains("LIVEKIT_API_KEY"), "{fault}");
}
