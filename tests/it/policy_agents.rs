//! Agents in a participant token: those of the rule, those that clients request, and their metadata.

use serde_json::{Value, json};

use crate::support::{Call, Env, Reply, token};

const POLICY: &str = r#"
[[allow]]
rooms = ["tutoring"]
role = "participant"
agents = ["tutor", "helper-*"]
deployments = ["blue", "eu-*"]
room_config = { agents = [{ agent_name = "tutor", metadata = '{"level":"beginner"}' }] }

[[allow]]
rooms = ["closed"]
role = "participant"
room_config = { agents = [{ agent_name = "tutor", metadata = "m" }, { agent_name = "notes", deployment = "blue" }] }

[[allow]]
rooms = ["default"]
role = "participant"
room_config = { agents = [{ metadata = "greet" }] }

[[allow]]
rooms = ["open"]
role = "participant"
agents = ["*"]

[[allow]]
rooms = ["full"]
role = "participant"
agents = ["*"]
room_config = { agents = [{ agent_name = "a1" }, { agent_name = "a2" }, { agent_name = "a3" }, { agent_name = "a4" }, { agent_name = "a5" }, { agent_name = "a6" }, { agent_name = "a7" }, { agent_name = "a8" }, { agent_name = "a9" }] }
"#;

async fn join(room: &str, agents: &Value) -> Reply {
    let app = Env::offline().with("POLICY", POLICY).app();
    let body = json!({ "room_name": room, "room_config": { "agents": agents } });
    Call::asking(&body).send(&app).await
}

fn agent(name: &str) -> Value {
    json!({ "agent_name": name })
}

/// The room, the requested agents, and the agents in the token.
#[tokio::test]
async fn agent_is_dispatched_once() {
    let tutor = json!({ "agentName": "tutor", "metadata": "{\"level\":\"beginner\"}" });
    let closed = json!([{ "agentName": "tutor", "metadata": "m" }, { "agentName": "notes", "deployment": "blue" }]);
    let helper = json!({ "agent_name": "helper-1", "metadata": "x" });
    #[rustfmt::skip]
    let rows = [
        ("tutoring", json!([]), json!([tutor])),
        ("tutoring", json!([agent("tutor")]), json!([tutor])),
        ("tutoring", json!([agent("tutor"), agent("tutor")]), json!([tutor])),
        ("tutoring", json!([{ "agentName": "tutor", "metadata": "{\"level\":\"beginner\"}" }]), json!([tutor])),
        ("tutoring", json!([{ "agent_name": "tutor", "metadata": "" }]), json!([tutor])),
        ("tutoring", json!([helper, helper]), json!([tutor, { "agentName": "helper-1", "metadata": "x" }])),
        ("tutoring", json!([{ "agent_name": "tutor", "deployment": "blue" }]), json!([tutor, { "agentName": "tutor", "deployment": "blue" }])),
        ("tutoring", json!([{ "agent_name": "helper-1", "deployment": "eu-1" }]), json!([tutor, { "agentName": "helper-1", "deployment": "eu-1" }])),
        ("tutoring", json!([{ "metadata": "hi" }]), json!([tutor, { "metadata": "hi" }])),
        ("tutoring", json!([{ "deployment": "blue" }]), json!([tutor, { "deployment": "blue" }])),
        ("tutoring", json!([{}]), json!([tutor])),
        ("closed", json!([agent("tutor")]), closed.clone()),
        ("closed", json!([{ "agent_name": "notes", "deployment": "blue" }]), closed.clone()),
        ("default", json!([{ "metadata": "greet" }]), json!([{ "metadata": "greet" }])),
        ("default", json!([{}, {}]), json!([{ "metadata": "greet" }])),
        ("open", json!([agent("a"), agent("b"), { "metadata": "m" }, { "metadata": "m" }]), json!([{ "agentName": "a" }, { "agentName": "b" }, { "metadata": "m" }])),
    ];
    for (room, requested, expected) in rows {
        let row = format!("{room} {requested}");
        let reply = join(room, &requested).await;
        let participant = reply.expect_issued(&row).participant();
        assert_eq!(participant["roomConfig"]["agents"], expected, "{row}");
    }
    assert_eq!(join("full", &json!([agent("b")])).await.status, 201, "ten agents");
}

#[tokio::test]
async fn agent_is_rejected_with_the_reason() {
    let metadata = |name: &str, metadata: &str| json!({ "agent_name": name, "metadata": metadata });
    #[rustfmt::skip]
    let rows = [
        ("tutoring", json!([metadata("tutor", "{\"level\":\"expert\"}")]), "metadata must be absent"),
        ("tutoring", json!([metadata("tutor", "{\"level\": \"beginner\"}")]), "metadata must be absent"),
        ("tutoring", json!([agent("tutor"), metadata("tutor", "x")]), "metadata must be absent"),
        ("tutoring", json!([metadata("helper-1", "x"), agent("helper-1")]), "twice"),
        ("tutoring", json!([metadata("helper-1", "x"), metadata("helper-1", "y")]), "twice"),
        ("tutoring", json!([{ "agent_name": "tutor", "deployment": "green" }]), "deployment must be"),
        ("tutoring", json!([{ "agent_name": "tutor", "deployment": "Blue" }]), "deployment must be"),
        ("tutoring", json!([{ "deployment": "green" }]), "deployment must be"),
        ("tutoring", json!([agent("Tutor")]), "agent_name must be"),
        ("tutoring", json!([agent("helper")]), "agent_name must be"),
        ("tutoring", json!([{ "metadata": "a" }, { "deployment": "blue" }]), "at most one agent without agent_name"),
        ("closed", json!([agent("notes")]), "agent_name must be"),
        ("closed", json!([{ "agent_name": "tutor", "deployment": "blue" }]), "agent_name must be"),
        ("closed", json!([{ "agent_name": "notes", "deployment": "blue", "metadata": "x" }]), "metadata must be absent"),
        ("default", json!([{ "metadata": "hi" }]), "metadata must be absent"),
        ("open", json!([{ "metadata": "a" }, { "metadata": "b" }]), "twice"),
        ("open", json!([{ "agent_name": "a", "deployment": "d" }]), "deployment must be"),
        ("open", json!([agent("a"), metadata("a", "x")]), "twice"),
        ("full", json!([agent("b"), agent("c")]), "at most 10 agents"),
    ];
    for (room, requested, detail) in rows {
        let row = format!("{room} {requested}");
        let reply = join(room, &requested).await;
        reply.expect_problem(&row, 403, "agent_not_allowed");
        let found = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(found.contains(detail), "{row}: {found}");
    }
    let ten: Vec<Value> = (0..10).map(|place| json!({ "metadata": place.to_string() })).collect();
    join("open", &json!(ten)).await.expect_problem("unnamed", 403, "agent_not_allowed");
}

/// The rule's metadata, further claims, and the metadata in the token if the rule matches.
#[tokio::test]
async fn metadata_contains_claims_of_the_caller() {
    let injection = "\",\"role\":\"admin\",\"x\":\"\\";
    #[rustfmt::skip]
    let rows = [
        (r#"{"org":"{org_id}"}"#, json!({ "org_id": "acme" }), Some(json!({ "org": "acme" }))),
        (r#"{"org":"{org_id}"}"#, json!({ "org_id": injection }), Some(json!({ "org": injection }))),
        (r#"{"org":"{org_id}"}"#, json!({ "org_id": "{sub}\n\u{1}" }), Some(json!({ "org": "{sub}\n\u{1}" }))),
        (r#"{"org":"{org_id}"}"#, json!({ "org_id": "" }), None),
        (r#"{"org":"{org_id}"}"#, json!({ "org_id": null }), None),
        (r#"{"org":"{org_id}"}"#, json!({ "org_id": ["acme"] }), None),
        (r#"{"org":"{org_id}"}"#, json!({}), None),
        (r#"{"level":"{level}","in":{"sub":"{sub}"},"none":{}}"#, json!({ "level": 3 }), Some(json!({ "level": "3", "in": { "sub": "user-1" }, "none": {} }))),
        ("org {org_id}, {sub}", json!({ "org_id": injection }), Some(json!(format!("org {injection}, user-1")))),
    ];
    for (metadata, claims, expected) in rows {
        let row = format!("{metadata} {claims}");
        let policy = format!(
            "[[allow]]\nrooms = [\"*\"]\nrole = \"participant\"\nroom_config = {{ agents = [{{ agent_name = \"tutor\", metadata = '{metadata}' }}] }}"
        );
        let app = Env::offline().with("POLICY", &policy).app();
        let reply = Call::bare().bearer(&token(&claims)).send(&app).await;
        let Some(expected) = expected else {
            reply.expect_problem(&row, 403, "room_not_allowed");
            continue;
        };
        let participant = reply.expect_issued(&row).participant();
        let found = participant["roomConfig"]["agents"][0]["metadata"].as_str().unwrap().to_owned();
        let found = serde_json::from_str(&found).unwrap_or_else(|_| json!(found));
        assert_eq!(found, expected, "{row}");
    }
}

/// A request that repeats the rule's metadata is allowed. The braces themselves differ from it.
#[tokio::test]
async fn requested_metadata_is_compared_with_the_filled_one() {
    let policy = "[[allow]]\nrooms = [\"*\"]\nrole = \"participant\"\nroom_config = { agents = [{ agent_name = \"tutor\", metadata = \"{org_id}\" }] }";
    let app = Env::offline().with("POLICY", policy).app();
    for (metadata, status) in [("acme", 201), ("{org_id}", 403), ("globex", 403)] {
        let body = json!({ "room_config": { "agents": [{ "agent_name": "tutor", "metadata": metadata }] } });
        let caller = token(&json!({ "org_id": "acme" }));
        let reply = Call::bare().bearer(&caller).json(&body).send(&app).await;
        assert_eq!(reply.status, status, "{metadata}");
    }
}
