//! Black-box tests: the library against fakes over real sockets, and the real `bootstrap` against
//! a small Runtime API. They need nothing but Rust, and every row starts from something valid and
//! changes one thing.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops at that line"
)]

#[path = "../support/mod.rs"]
mod support;

#[path = "../faults/mod.rs"]
mod faults;

mod ask;
mod ask_answers;
mod ask_cost;
mod ask_policy;
mod ask_urls;
mod attacks;
mod attributes;
mod backend_requests;
mod backends;
mod bans;
mod bearer;
mod config;
mod cookies;
mod cors;
mod deadline;
mod diagnosis;
mod directories;
mod directory_faults;
mod discovery;
mod doctor;
mod events;
mod fetch_errors;
mod freeze;
mod freshness;
mod gateways;
mod guest_cost;
mod guest_docs;
mod guests;
mod hands;
mod hostile_tokens;
mod identity;
mod invitations;
mod issuers;
mod jwt_library;
mod key_cache;
mod key_faults;
mod key_sets;
mod liveblocks;
mod livekit_cases;
mod livekit_judges;
mod logging;
mod malformed_events;
mod moderation;
mod own_mistakes;
mod participant_token;
mod policy_agents;
mod policy_attributes;
mod policy_claims;
mod policy_docs;
mod policy_example;
mod policy_file;
mod policy_package;
mod policy_roles;
mod policy_room_config;
mod policy_rooms;
mod presence;
mod problems;
mod profile_cooldown;
mod provider_corpus;
mod provider_docs;
mod provider_start;
mod providers;
mod rate_limit;
mod readme;
mod refresh;
mod request_body;
mod request_fields;
mod request_near_misses;
mod role_changes;
mod role_lists;
mod room;
mod room_config;
mod routes;
mod runtime;
mod secrecy;
mod secret_faults;
mod secrets;
mod shared_secret;
mod small_changes;
mod state;
mod state_lobby;
mod token_claims;
mod token_header;
mod userinfo;
mod userinfo_faults;
mod userinfo_refusals;
mod waiting;
mod webhook;
