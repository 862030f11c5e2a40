//! Claims in conditions and patterns, as tokens of attackers and of unusual providers contain them.

use serde_json::{Value, json};

use crate::support::{Call, Env, Key, Reply, claims, merge, token};

/// A policy with these fields of a rule.
fn rule(fields: &str) -> String {
    format!("[[allow]]\nrole = \"host\"\n{fields}")
}

async fn join(policy: &str, claims: &Value, room: &str) -> Reply {
    let app = Env::offline().with("POLICY", policy).with("PARTICIPANT_IDENTITY", "sub").app();
    let body = json!({ "room_name": room });
    Call::bare().bearer(&token(claims)).json(&body).send(&app).await
}

/// Fields of the rule, further claims, the room, and whether the caller may join it.
async fn check(rows: &[(&str, Value, &str, bool)]) {
    for (fields, claims, room, is_allowed) in rows {
        let row = format!("{fields} {claims} {room}");
        let reply = join(&rule(fields), claims, room).await;
        if *is_allowed {
            reply.expect_issued(&row);
        } else {
            reply.expect_problem(&row, 403, "room_not_allowed");
        }
    }
}

#[tokio::test]
async fn string_condition_does_not_match_a_word() {
    let boss = "when = { email = \"boss@corp.example\" }\nrooms = [\"*\"]";
    let name = "when = { org_name = \"acme\" }\nrooms = [\"*\"]";
    let scope = "when = { scope = \"calls:join\" }\nrooms = [\"*\"]";
    let scp = "when = { scp = [\"x\", \"calls:join\"] }\nrooms = [\"*\"]";
    let word = "when = { \"o.per\" = { word = \"calls:join\" } }\nrooms = [\"*\"]";
    check(&[
        (boss, json!({ "email": "boss@corp.example" }), "a", true),
        (boss, json!({ "email": "\"a boss@corp.example b\"@evil.example" }), "a", false),
        (boss, json!({ "email": "x boss@corp.example" }), "a", false),
        (boss, json!({ "email": "boss@corp.example x" }), "a", false),
        (boss, json!({ "email": "Boss@corp.example" }), "a", false),
        (boss, json!({ "email": " boss@corp.example" }), "a", false),
        (boss, json!({ "email": "boss@corp.example\u{0}" }), "a", false),
        (name, json!({ "org_name": "evil acme" }), "a", false),
        (name, json!({ "org_name": "acme" }), "a", true),
        (name, json!({ "org_name": "acme evil" }), "a", false),
        (name, json!({ "org_name": "acme,evil" }), "a", false),
        (scope, json!({ "scope": "openid calls:join" }), "a", true),
        (scope, json!({ "scope": "openid calls:join:all" }), "a", false),
        (scope, json!({ "scope": "openid,calls:join" }), "a", false),
        (scope, json!({ "scopes": "openid calls:join" }), "a", false),
        (scp, json!({ "scp": "openid calls:join" }), "a", true),
        (scp, json!({ "scp": ["openid", "calls:join"] }), "a", true),
        (scp, json!({ "scp": ["openid calls:join"] }), "a", false),
        (word, json!({ "o": { "per": "calls:mute,calls:join" } }), "a", true),
        (word, json!({ "o": { "per": "calls:mute calls:join" } }), "a", true),
        (word, json!({ "o": { "per": "calls:mute;calls:join" } }), "a", false),
        (word, json!({ "o": { "per": "xcalls:join" } }), "a", false),
    ])
    .await;
}

#[tokio::test]
async fn condition_matches_lists_objects_and_paths() {
    let admin = "when = { roles = \"admin\" }\nrooms = [\"*\"]";
    let path = "when = { \"https://stytch.com/session.roles\" = \"admin\" }\nrooms = [\"*\"]";
    let client =
        "when = { resource_access.\"app.example.com\".roles = \"admin\" }\nrooms = [\"*\"]";
    let quoted =
        "when = { 'resource_access.\"app.example.com\".roles' = \"admin\" }\nrooms = [\"*\"]";
    let index = "when = { \"emails.0\" = \"ada@corp.example\" }\nrooms = [\"*\"]";
    let null = "when = { banned = false }\nrooms = [\"*\"]";
    check(&[
        (admin, json!({ "roles": ["admin"] }), "a", true),
        (admin, json!({ "roles": [{ "name": "admin" }] }), "a", true),
        (admin, json!({ "roles": [{ "id": 7, "key": "admin" }] }), "a", true),
        (admin, json!({ "roles": [{ "id": "admin" }] }), "a", true),
        (admin, json!({ "roles": [{ "description": "admin" }] }), "a", false),
        (admin, json!({ "roles": [{ "name": "no admin" }] }), "a", false),
        (admin, json!({ "roles": [["admin"]] }), "a", false),
        (admin, json!({ "roles": { "admin": { "1": "x" } } }), "a", true),
        (admin, json!({ "roles": { "admin": null } }), "a", false),
        (admin, json!({ "roles": { "admin": false } }), "a", false),
        (admin, json!({ "roles": null }), "a", false),
        (path, json!({ "https://stytch.com/session": { "roles": ["admin"] } }), "a", true),
        (path, json!({ "https://stytch.com/session.roles": "admin" }), "a", true),
        (path, json!({ "https://stytch": { "com/session": { "roles": "admin" } } }), "a", true),
        (path, json!({ "https://stytch.com/session.roles": "x", "https://stytch.com/session": { "roles": "admin" } }), "a", false),
        (client, json!({ "resource_access": { "app.example.com": { "roles": ["admin"] } } }), "a", true),
        (client, json!({ "resource_access": { "app": { "example": { "com": { "roles": ["admin"] } } } } }), "a", false),
        (client, json!({ "resource_access": { "app.example.org": { "roles": ["admin"] } } }), "a", false),
        (quoted, json!({ "resource_access": { "app.example.com": { "roles": ["admin"] } } }), "a", true),
        (quoted, json!({ "resource_access.app.example.com.roles": "admin" }), "a", false),
        (index, json!({ "emails": ["ada@corp.example", "x"] }), "a", true),
        (index, json!({ "emails": ["x", "ada@corp.example"] }), "a", false),
        (null, json!({ "banned": false }), "a", true),
        (null, json!({ "banned": null }), "a", false),
        (null, json!({}), "a", false),
    ])
    .await;
}

#[tokio::test]
async fn claim_with_a_separator_allows_no_room() {
    let tenant = "rooms = [\"{org_id}:*\"]";
    let double = "rooms = [\"{org_id}::*\"]";
    let person = "rooms = [\"dm-{sub}-{org_id}-*\"]";
    let both = "rooms = [\"{org_id}:*\", \"{org_id}\"]";
    let closed = "rooms = [\"{org_id}-lobby\"]";
    check(&[
        (tenant, json!({ "org_id": "acme" }), "acme:eu:board", true),
        (tenant, json!({ "org_id": "acme:eu" }), "acme:eu:board", false),
        (tenant, json!({ "org_id": "acme:" }), "acme::board", false),
        (tenant, json!({ "org_id": ":" }), "::board", false),
        (tenant, json!({ "org_id": "acme eu" }), "acme eu:board", true),
        (double, json!({ "org_id": "acme:" }), "acme:::board", false),
        (double, json!({ "org_id": "acme:eu" }), "acme:eu::board", true),
        (double, json!({ "org_id": "acme" }), "acme:::board", true),
        (person, json!({ "sub": "ada", "org_id": "acme" }), "dm-ada-acme-1", true),
        (person, json!({ "sub": "ada-acme", "org_id": "x" }), "dm-ada-acme-x-1", false),
        (person, json!({ "sub": "ada", "org_id": "acme-x" }), "dm-ada-acme-x-1", false),
        (both, json!({ "org_id": "acme:eu" }), "acme:eu", false),
        (both, json!({ "org_id": "acme" }), "acme", true),
        (both, json!({ "org_id": ["acme:eu", "globex"] }), "acme:eu", false),
        (both, json!({ "org_id": ["acme:eu", "globex"] }), "globex", true),
        (closed, json!({ "org_id": "acme-lobby" }), "acme-lobby-lobby", false),
        (closed, json!({ "org_id": "acme" }), "acme-lobby", true),
        // The text before a claim is no separator.
        ("rooms = [\"x:{org_id}\"]", json!({ "org_id": "a:b" }), "x:a:b", true),
    ])
    .await;
}

#[tokio::test]
async fn list_claim_allows_the_rooms_of_each_value() {
    let groups = "rooms = [\"{groups}:*\"]";
    let two = "rooms = [\"{groups}/{orgs}:*\"]";
    let many: Vec<String> = (0..500).map(|index| format!("g{index}")).collect();
    check(&[
        (groups, json!({ "groups": ["red", "blue"] }), "blue:a", true),
        (groups, json!({ "groups": ["red", "blue"] }), "green:a", false),
        (groups, json!({ "groups": ["red", "blue"] }), "red,blue:a", false),
        (groups, json!({ "groups": ["*"] }), "*:a", false),
        (groups, json!({ "groups": ["*", "red"] }), "anything:a", false),
        (groups, json!({ "groups": ["{sub}"] }), "user-1:a", false),
        (groups, json!({ "groups": ["", "red"] }), ":a", false),
        (groups, json!({ "groups": [5] }), "5:a", false),
        (groups, json!({ "groups": [] }), ":a", false),
        (groups, json!({ "groups": [{ "name": "red" }] }), "red:a", false),
        (groups, json!({ "groups": { "red": {}, "blue": false } }), "red:a", true),
        (groups, json!({ "groups": { "red": {}, "blue": false } }), "blue:a", false),
        (groups, json!({ "groups": many }), "g499:a", true),
        (two, json!({ "groups": ["a", "b"], "orgs": ["x", "y"] }), "b/y:1", true),
        (two, json!({ "groups": ["a", "b"], "orgs": ["x", "y"] }), "y/b:1", false),
        (two, json!({ "groups": ["a/x"], "orgs": ["x"] }), "a/x/x:1", false),
        (two, json!({ "groups": many, "orgs": many }), "g7/g499:1", true),
    ])
    .await;
    // A new room uses the first usable value.
    let policy = rule("rooms = [\"{groups}:*\"]");
    let app = Env::offline().with("POLICY", &policy).app();
    let caller = token(&json!({ "groups": ["", "a:b", "*", "blue", "red"] }));
    let room = Call::bare().bearer(&caller).send(&app).await.json()["room_name"].clone();
    assert!(room.as_str().unwrap().starts_with("blue:room-"), "{room}");
}

/// Two issuers, whose names are `app` and `staff`, with the same subject.
#[tokio::test]
async fn rule_is_limited_to_the_callers_of_its_issuer() {
    let policy = "[[allow]]\nissuer = \"staff\"\nwhen = { groups = \"staff\" }\nrooms = [\"*\"]\nrole = \"host\"\n\
                  [[allow]]\nrooms = [\"{sub}:*\", \"lobby\"]\nrole = \"participant\"\n\
                  [[allow]]\nwhen = { sub = \"user-1\" }\nrooms = [\"plain\"]\nrole = \"host\"\n\
                  [[allow]]\nwhen = { sub = \"app|user-1\" }\nrooms = [\"keyed\"]\nrole = \"host\"\n\
                  [[allow]]\nissuer = \"staff\"\nwhen = { sub = \"user-1\" }\nrooms = [\"named\"]\nrole = \"host\"\n\
                  [[allow]]\nissuer = \"staff\"\nwhen = { sub = [\"staff|user-1\", \"x\"] }\nrooms = [\"named-key\"]\nrole = \"host\"";
    let app = crate::issuers::offline().with("POLICY", policy).app();
    let of_app = |change: Value| {
        let own = json!({ "iss": crate::issuers::APP, "aud": "app-api" });
        let key = Key::rsa();
        key.sign(&key.header(), &merge(merge(claims(), &own), &change))
    };
    let of_staff = |change: Value| {
        let own = json!({ "iss": crate::issuers::STAFF, "aud": null, "azp": "meet", "typ": "Bearer", "sid": "s" });
        let key = Key::rsa_next();
        key.sign(&key.header(), &merge(merge(claims(), &own), &change))
    };
    let staff = json!({ "groups": ["staff"] });
    let rows = [
        (of_staff(staff.clone()), "any", Some("host")),
        (of_app(staff.clone()), "any", None),
        (
            of_app(json!({ "groups": ["staff"], "issuer": "staff", "sub": "staff|user-1" })),
            "any",
            None,
        ),
        (of_staff(json!({})), "any", None),
        (of_app(json!({})), "lobby", Some("participant")),
        (of_app(json!({})), "app|user-1:a", Some("participant")),
        (of_staff(json!({})), "staff|user-1:a", Some("participant")),
        (of_app(json!({})), "staff|user-1:a", None),
        (of_staff(json!({})), "app|user-1:a", None),
        (of_app(json!({})), "user-1:a", None),
        (of_app(json!({ "sub": "staff|user-1" })), "staff|user-1:a", None),
        (of_app(json!({})), "plain", None),
        (of_staff(json!({})), "plain", None),
        (of_app(json!({})), "keyed", Some("host")),
        (of_staff(json!({})), "keyed", None),
        (of_staff(json!({ "sub": "app|user-1" })), "keyed", None),
        (of_staff(json!({})), "named", Some("host")),
        (of_app(json!({})), "named", None),
        (of_staff(json!({ "sub": "staff|user-1" })), "named", None),
        (of_staff(json!({})), "named-key", Some("host")),
        (of_staff(json!({ "sub": "staff|user-1" })), "named-key", None),
        (of_staff(json!({ "sub": "x" })), "named-key", Some("host")),
    ];
    for (place, (token, room, expected)) in rows.iter().enumerate() {
        let row = format!("{place} {room}");
        let call = Call::bare().bearer(token).json(&json!({ "room_name": room }));
        let reply = call.send(&app).await;
        match expected {
            Some(role) => {
                let participant = reply.expect_issued(&row).participant();
                assert_eq!(participant["attributes"]["role"], *role, "{row}");
            }
            None => {
                reply.expect_problem(&row, 403, "room_not_allowed");
            }
        }
    }
}
