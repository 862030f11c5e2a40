//! `docs/guests.md`: each recipe is a valid policy with the described effects.

use std::fs;

use serde_json::{Value, json};

use crate::invitations::SECRET;
use crate::support::signed;
use crate::support::{Call, FakeApi, token};

/// A recipe: its heading, policy and request for an invitation.
struct Recipe {
    heading: String,
    policy: String,
    request: Value,
}

/// The recipes of the page, in order. Each has one block of TOML and one of JSON.
fn recipes() -> Vec<Recipe> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guests.md");
    let page = fs::read_to_string(path).expect("docs/guests.md");
    let (_, recipes) = page.split_once("\n## Recipes\n").expect("recipes");
    let recipes = recipes.split("\n## ").next().unwrap();
    let recipe = |text: &str| {
        let block = |language: &str| {
            let fence = format!("\n```{language}\n");
            let mut blocks = text.split(&fence).skip(1);
            let block = blocks.next().unwrap_or_else(|| panic!("no {language} in {text}"));
            assert_eq!(blocks.next(), None, "two blocks of {language}");
            block.split("\n```").next().unwrap().to_owned()
        };
        Recipe {
            heading: text.lines().next().unwrap().to_owned(),
            policy: block("toml"),
            request: serde_json::from_str(&block("json")).expect("JSON"),
        }
    };
    recipes.split("\n### ").skip(1).map(recipe).collect()
}

/// LiveKit with one participant in each room, who has this role.
fn livekit(role: &'static str) -> FakeApi {
    FakeApi::start(move |path, _| {
        let first = json!({ "identity": "first@example.com", "attributes": { "role": role } });
        let is_list = path.ends_with("/ListParticipants");
        (200, if is_list { json!({ "participants": [first] }) } else { json!({}) })
    })
}

#[tokio::test]
async fn recipes_let_guests_wait_as_described() {
    #[rustfmt::skip]
    let rows = [
        // The group of the hosts, a room of theirs, and whether a guest enters if a host is there.
        ("Clients meet their lawyer",                          "lawyers",      "matter-1",    false),
        ("Webinar with a waiting room",                        "speakers",     "webinar-1",   true),
        ("Interview: the candidate waits until the host is there", "interviewers", "interview-1", true),
    ];
    let recipes = recipes();
    assert_eq!(recipes.len(), rows.len());
    for (Recipe { heading, policy, request }, row) in recipes.iter().zip(rows) {
        let (expected_heading, group, room, enters_with_host) = row;
        assert_eq!(heading, expected_heading);
        for (role, enters) in [("viewer", false), ("host", enters_with_host)] {
            let livekit = livekit(role);
            let env = signed::env().with("POLICY", policy).with("INVITATION_SECRET", SECRET);
            let env = env.with("LIVEKIT_URL", &livekit.url("ws")).with("STATE_TABLE", "memory");
            let app = env.app();
            let host = Call::bare().bearer(&token(&json!({ "groups": [group] })));
            let path = format!("/v1/rooms/{room}/invitations");
            let invited = host.at("POST", &path).json(request).send(&app).await;
            assert_eq!(invited.status, 201, "{heading}: {}", invited.text());
            let invitation = invited.json()["invitation"].as_str().unwrap().to_owned();
            let reply = Call::bare().bearer(&invitation).json(&json!({})).send(&app).await;
            if enters {
                let claims = reply.expect_issued(heading).participant();
                assert_eq!(claims["attributes"]["role"], request["role"], "{heading}");
            } else {
                reply.expect_problem(heading, 403, "awaiting_admission");
            }
        }
    }
}

#[tokio::test]
async fn recipes_admit_nobody_else() {
    for Recipe { heading, policy, .. } in recipes() {
        let livekit = livekit("participant");
        let env = signed::env().with("POLICY", &policy).with("LIVEKIT_URL", &livekit.url("ws"));
        let app = env.with("STATE_TABLE", "memory").app();
        let caller = token(&json!({ "groups": ["others"] }));
        for (room, code) in [
            ("matter-1", "room_not_allowed"),
            ("interview-1", "room_not_allowed"),
            ("webinar-1", "awaiting_admission"),
        ] {
            let code = if heading.starts_with("Webinar") { code } else { "room_not_allowed" };
            let body = json!({ "room_name": room });
            let reply = Call::bare().bearer(&caller).json(&body).send(&app).await;
            reply.expect_problem(&format!("{heading}: {room}"), 403, code);
        }
    }
}
