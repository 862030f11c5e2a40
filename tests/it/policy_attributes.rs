//! Attributes that a rule sets, and request fields that a rule lets clients set.

use serde_json::{Value, json};

use crate::support::{Call, Env, token};

fn policy(fields: &str) -> String {
    format!("[[allow]]\nrooms = [\"*\"]\nrole = \"participant\"\n{fields}")
}

/// Attributes of the rule, further claims, and the attributes in the token if the rule matches.
#[tokio::test]
async fn rule_sets_attributes_from_claims() {
    #[rustfmt::skip]
    let rows = [
        ("{ tier = \"gold\" }", json!({}), Some(json!({ "tier": "gold" }))),
        ("{ org = \"{org_id}\" }", json!({ "org_id": "acme" }), Some(json!({ "org": "acme" }))),
        ("{ org = \"{org_id}/{sub}\", \"acme.plan\" = \"{app_metadata.plan}\" }", json!({ "org_id": "acme", "app_metadata": { "plan": "pro" } }), Some(json!({ "org": "acme/user-1", "acme.plan": "pro" }))),
        ("{ level = \"{level}\", vip = \"{vip}\" }", json!({ "level": 3, "vip": true }), Some(json!({ "level": "3", "vip": "true" }))),
        ("{ org = \"{org_id}\" }", json!({ "org_id": "*" }), Some(json!({ "org": "*" }))),
        ("{ org = \"{org_id}\" }", json!({ "org_id": "{sub}" }), Some(json!({ "org": "{sub}" }))),
        ("{ org = '{\"id\":\"{org_id}\"}' }", json!({ "org_id": "a\",\"x\":\"b" }), Some(json!({ "org": "{\"id\":\"a\\\",\\\"x\\\":\\\"b\"}" }))),
        ("{ org = \"{org_id}\" }", json!({}), None),
        ("{ org = \"{org_id}\" }", json!({ "org_id": "" }), None),
        ("{ org = \"{org_id}\" }", json!({ "org_id": null }), None),
        ("{ org = \"{org_id}\" }", json!({ "org_id": ["acme"] }), None),
        ("{ org = \"{org_id}\", tier = \"{tier}\" }", json!({ "org_id": "acme" }), None),
    ];
    for (attributes, claims, expected) in rows {
        let row = format!("{attributes} {claims}");
        let policy = policy(&format!("attributes = {attributes}"));
        let app = Env::offline().with("POLICY", &policy).app();
        let reply = Call::bare().bearer(&token(&claims)).send(&app).await;
        let Some(expected) = expected else {
            reply.expect_problem(&row, 403, "room_not_allowed");
            continue;
        };
        let participant = reply.expect_issued(&row).participant();
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(participant["attributes"][key], *value, "{row}");
        }
        assert_eq!(participant["attributes"]["role"], "participant", "{row}");
    }
}

/// A rule without the attribute decides for callers who lack the claim.
#[tokio::test]
async fn later_rule_decides_if_an_attribute_cannot_be_filled() {
    let first = policy("attributes = { org = \"{org_id}\" }");
    let second =
        first.replace("participant", "viewer").replace("attributes = { org = \"{org_id}\" }", "");
    let app = Env::offline().with("POLICY", &format!("{first}\n{second}")).app();
    for (claims, role) in [(json!({ "org_id": "acme" }), "participant"), (json!({}), "viewer")] {
        let participant = Call::bare().bearer(&token(&claims)).send(&app).await.participant();
        assert_eq!(participant["attributes"]["role"], role);
    }
}

#[tokio::test]
async fn client_cannot_set_an_attribute_of_the_rule() {
    let policy = policy("attributes = { Org = \"acme\", \"acme.tier\" = \"gold\" }");
    let app = Env::offline().with("POLICY", &policy).app();
    for (key, status) in [
        ("Org", 403),
        ("org", 403),
        ("ORG", 403),
        ("acme.tier", 403),
        ("ACME.TIER", 403),
        ("orgs", 201),
        ("acme", 201),
        ("tier", 201),
    ] {
        let call = Call::asking(&json!({ "participant_attributes": { key: "evil" } }));
        let reply = call.send(&app).await;
        if status == 403 {
            reply.expect_problem(key, 403, "field_not_allowed");
            continue;
        }
        let attributes = reply.expect_issued(key).participant()["attributes"].clone();
        assert_eq!(
            (&attributes["Org"], &attributes[key]),
            (&json!("acme"), &json!("evil")),
            "{key}"
        );
    }
}

/// `CLIENT_FIELDS`, `client_fields` of the rule, the request, and the status.
#[tokio::test]
async fn client_fields_of_a_rule_replace_those_of_the_deployment() {
    const ALL: &str =
        "room_name,participant_name,participant_metadata,participant_attributes,room_config";
    let name = json!({ "room_name": "a", "participant_name": "Grace" });
    let metadata = json!({ "participant_metadata": "m" });
    let attributes = json!({ "participant_attributes": { "a": "b" } });
    let agents = json!({ "room_config": { "agents": [{ "metadata": "m" }] } });
    let room = json!({ "room_name": "a" });
    let rows: &[(&str, &str, &Value, u16)] = &[
        ("room_name", "client_fields = [\"room_name\", \"participant_name\"]", &name, 201),
        ("room_name", "", &name, 403),
        (ALL, "client_fields = [\"room_name\"]", &name, 403),
        (ALL, "", &name, 201),
        (ALL, "client_fields = []", &room, 403),
        (ALL, "client_fields = []", &json!({}), 201),
        ("room_name", "client_fields = [\"participant_metadata\"]", &metadata, 201),
        ("room_name", "client_fields = [\"participant_metadata\"]", &room, 403),
        (ALL, "client_fields = [\"room_name\"]", &metadata, 403),
        (ALL, "client_fields = [\"room_name\"]", &attributes, 403),
        ("room_name", "client_fields = [\"participant_attributes\"]", &attributes, 201),
        (ALL, "client_fields = [\"room_name\"]", &agents, 403),
        ("room_name", "client_fields = [\"room_config\"]", &agents, 201),
    ];
    for (deployment, fields, request, status) in rows {
        let row = format!("{deployment} {fields} {request}");
        let env = Env::offline().with("CLIENT_FIELDS", deployment).with("POLICY", &policy(fields));
        let reply = Call::asking(request).send(&env.app()).await;
        if *status == 201 {
            reply.expect_issued(&row);
        } else {
            reply.expect_problem(&row, 403, "field_not_allowed");
        }
    }
}

/// Guests may choose a name, members may not.
#[tokio::test]
async fn client_fields_differ_between_rules() {
    let text = "[[allow]]\nwhen = { guest = true }\nrooms = [\"*\"]\nrole = \"viewer\"\nclient_fields = [\"room_name\", \"participant_name\"]\n\
                [[allow]]\nrooms = [\"*\"]\nrole = \"participant\"";
    let app = Env::offline().with("CLIENT_FIELDS", "room_name").with("POLICY", text).app();
    let body = json!({ "room_name": "a", "participant_name": "Grace" });
    for (claims, status) in [(json!({ "guest": true }), 201), (json!({}), 403)] {
        let reply = Call::bare().bearer(&token(&claims)).json(&body).send(&app).await;
        assert_eq!(reply.status, status, "{claims}");
    }
}
