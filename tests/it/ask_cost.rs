//! The cost of a question to the app per token. Prints the table of `docs/ask.md`; on a request only, since
//! figures of a debug build mean nothing.

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use crate::support::cost::least;
use crate::support::gateway::Wire;
use crate::support::{Env, Server, today, token};

#[tokio::test]
#[ignore = "measures a release build"]
async fn question_costs_are_printed() {
    let app = Server::start(|_| async { Response::new(Body::from("{\"role\":\"host\"}")) });
    let rule = "[[allow]]\nrooms = [\"team-*\"]\nrole = \"participant\"\n";
    let asks = |table: &str| {
        format!("{rule}ask = \"members\"\n[ask.members]\nurl = \"{}/{{room}}\"\n{table}", app.url())
    };
    let roles = "role_from = \"role\"\nroles = [\"host\"]\nforward = \"bearer\"\n";
    let event = Wire::token(&token(&today()), &json!({ "room_name": "team-a" })).http_api();
    println!("\n| Rule | Latency p50, \u{b5}s | Processor time, \u{b5}s |\n|---|---|---|");
    for (name, policy) in [
        ("without `ask`", rule.to_owned()),
        ("with `ask`, status only", asks("")),
        ("with `ask`, token and role", asks(roles)),
        ("with `ask`, cached", asks(&format!("{roles}cache_seconds = 60"))),
    ] {
        let env = Env::offline().with("POLICY", &policy).with("RUST_LOG", "info");
        let (latency, processor) = least(&env, &event).await;
        println!("| {name} | {latency} | {processor} |");
    }
}
