//! The presence color.

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::{Call, Env, token};

const PALETTE: [&str; 15] = [
    "#E74C3C", "#8E44AD", "#6C5CE7", "#2E86AB", "#1E3A8A", "#059669", "#D97706", "#DC2626",
    "#7C2D12", "#92400E", "#78350F", "#374151", "#0D9488", "#7C3AED", "#5B21B6",
];

async fn color(env: &Env, email: &str, room: &str) -> String {
    let call = Call::bare().bearer(&token(&json!({ "email": email })));
    let reply = call.json(&json!({ "room_name": room })).send(&env.app()).await;
    reply.participant()["attributes"]["color"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn presence_color_is_the_same_in_every_room() {
    let mut colors = BTreeSet::new();
    for person in 0..60 {
        let email = format!("person-{person}@example.com");
        let first = color(&Env::offline(), &email, "standup").await;
        assert_eq!(first, color(&Env::offline(), &email, "another room").await);
        assert!(PALETTE.contains(&first.as_str()), "{first}");
        colors.insert(first);
    }
    assert!(colors.len() >= 12, "60 people share {} colors", colors.len());
}

#[tokio::test]
async fn presence_color_is_stable_by_default() {
    let env = Env::offline().with("PRESENCE_COLOR", "stable");
    let email = "ada@example.com";
    assert_eq!(color(&env, email, "r").await, color(&Env::offline(), email, "r").await);
}

#[tokio::test]
async fn presence_color_varies_if_random_is_configured() {
    let env = Env::offline().with("PRESENCE_COLOR", "random");
    let mut colors = BTreeSet::new();
    for _ in 0..60 {
        let drawn = color(&env, "ada@example.com", "standup").await;
        assert!(PALETTE.contains(&drawn.as_str()), "{drawn}");
        colors.insert(drawn);
    }
    assert!(colors.len() >= 8, "60 draws gave {} colors", colors.len());
}

#[tokio::test]
async fn presence_color_is_from_the_configured_palette() {
    for mode in ["stable", "random"] {
        let env = Env::offline().with("PRESENCE_COLOR", mode).with("PRESENCE_PALETTE", "#012345");
        assert_eq!(color(&env, "ada@example.com", "standup").await, "#012345");
    }
}
