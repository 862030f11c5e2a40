//! The cost of a guest's token beside that of a person, and of the limit. Prints the table of
//! `docs/guests.md`; on a request only, since figures of a debug build mean nothing.

use serde_json::json;

use crate::invitations::SECRET;
use crate::support::cost::least;
use crate::support::gateway::Wire;
use crate::support::{Call, Env, clock, today, token};

#[tokio::test]
#[ignore = "measures a release build"]
async fn guest_costs_are_printed() {
    let policy = "[[allow]]\nrooms = [\"team-*\"]\nrole = \"host\"";
    let env = Env::offline().with("POLICY", policy).with("INVITATION_SECRET", SECRET);
    let env = env.with("RUST_LOG", "info").with("TOKENS_PER_MINUTE", "0");
    let person = token(&today());
    let body = json!({ "role": "participant", "seconds": 3600 });
    let path = "/v1/rooms/team-a/invitations";
    let invite = Call::bare().at("POST", path).bearer(&person).json(&body);
    let reply = invite.send_at(&env.app(), clock()).await;
    let invitation = reply.json()["invitation"].as_str().unwrap().to_owned();
    let room = json!({ "room_name": "team-a" });
    let event = |bearer: &str| {
        let mut wire = Wire::token(bearer, &room);
        wire.headers.push(("x-roomkey-guest", "0123456789abcdefghijKL".into()));
        wire.http_api()
    };
    println!("\n| Token of | Latency p50, \u{b5}s | Processor time, \u{b5}s |\n|---|---|---|");
    let limited = env.clone().with("TOKENS_PER_MINUTE", "100000");
    for (name, env, bearer) in [
        ("a person", &env, &person),
        ("a person, with `TOKENS_PER_MINUTE`", &limited, &person),
        ("a guest", &env, &invitation),
    ] {
        let (latency, processor) = least(env, &event(bearer)).await;
        println!("| {name} | {latency} | {processor} |");
    }
}
