//! Unknown fields that clients send in place of a field of LiveKit's request.

use serde_json::{Value, json};

use crate::support::{Call, Env};

/// The fields, and the field that the detail must name.
const NEAR_MISSES: [(&str, &str); 11] = [
    ("room", "room_name"),
    ("roomId", "room_name"),
    ("room_id", "room_name"),
    ("identity", "participant_identity"),
    ("userId", "participant_identity"),
    ("user_id", "participant_identity"),
    ("username", "participant_name"),
    ("name", "participant_name"),
    ("metadata", "participant_metadata"),
    ("attributes", "participant_attributes"),
    ("agent_name", "room_config.agents"),
];

#[tokio::test]
async fn near_miss_is_refused_with_the_name_of_the_right_field() {
    let app = Env::offline().app();
    for (member, field) in NEAR_MISSES {
        for value in [json!("standup"), json!(1), json!(false), json!({}), json!([]), json!(" ")] {
            for body in [
                json!({ member: value }),
                json!({ "room_name": "standup", member: value }),
                json!({ "z": 1, "a": null, member: value }),
            ] {
                let reply = Call::asking(&body).send(&app).await;
                reply.expect_problem(&body.to_string(), 400, "invalid_request");
                let detail = reply.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(field), "{body}: {detail}");
                assert!(!detail.contains("standup"), "{body}: {detail}");
            }
        }
    }
}

#[tokio::test]
async fn near_miss_without_a_value_is_absent() {
    let app = Env::offline().app();
    for (member, _) in NEAR_MISSES {
        for value in [json!(null), json!("")] {
            let body = json!({ "room_name": "standup", member: value });
            let reply = Call::asking(&body).send(&app).await;
            assert_eq!(reply.participant()["video"]["room"], "standup", "{body}");
        }
    }
}

#[tokio::test]
async fn other_unknown_members_are_ignored_at_every_depth() {
    let app = Env::offline().app();
    #[rustfmt::skip]
    let rows: &[Value] = &[
        json!({ "roomname": "x" }), json!({ "Room": "x" }), json!({ "ROOM": "x" }), json!({ "rooms": ["x"] }),
        json!({ "user": "x" }), json!({ "Name": "x" }), json!({ "agents": ["x"] }), json!({ "ttl": 5 }),
        json!({ "video": { "room": "x", "roomAdmin": true } }), json!({ "data": { "room": "x", "identity": "y" } }),
        json!({ "room_config": { "room": "x", "agents": [{ "name": "x", "identity": "y" }] } }),
        json!({ "participant_attributes": { "room": "x" } }),
    ];
    for extra in rows {
        let mut body = json!({ "room_name": "standup" });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let reply = Call::asking(&body).send(&app).await;
        assert_eq!(reply.participant()["video"]["room"], "standup", "{body}");
    }
}

#[tokio::test]
async fn room_in_the_query_is_refused() {
    let app = Env::offline().app();
    let named = json!({ "room_name": "standup" });
    for query in ["room=standup", "x=1&room=standup", "room=%20", "room=a&room=b", "room=a=b"] {
        for call in [Call::token(), Call::asking(&named)] {
            let reply = call.at("POST", &format!("/prod/token?{query}")).send(&app).await;
            reply.expect_problem(query, 400, "invalid_request");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("room_name") && !detail.contains("standup"), "{detail}");
        }
    }
    for query in ["", "room=", "room", "rooms=a", "x=room", "Room=a", "ROOM=a", "xroom=a", "&&="] {
        let reply = Call::asking(&named).at("POST", &format!("/token?{query}")).send(&app).await;
        reply.expect_issued(query);
    }
    let reply = Call::bare().at("POST", "/token?room=standup").send(&app).await;
    reply.expect_problem("before authentication", 401, "missing_token");
}
