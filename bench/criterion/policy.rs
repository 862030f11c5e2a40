//! Benchmark of the policy: a decision, and parsing a file.
//!
//! `cargo bench --bench policy`

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use roomkey::livekit::token_source::RequestedRoomConfig;
use roomkey::policy::{CallerClaims, Decision, Policy, PolicyError};
use serde_json::{Map, Value, json};

/// Rules of which the last decides: the others require `role`, and rooms built from claims, of which
/// none is `acme:standup`.
fn rules(count: usize, role: &str) -> String {
    let mut text = String::new();
    for rule in 1..count {
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            r#"
            [[allow]]
            when = {{ realm_access.roles = ["team-{rule}", "{role}"], email_verified = true }}
            rooms = ["{{org_id}}:team-{rule}:*", "{{org_id}}:{{department}}-{rule}"]
            role = "moderator"
            "#
        );
    }
    text + r#"
        [[allow]]
        when = { realm_access.roles = ["guest", "member"] }
        rooms = ["{org_id}:*"]
        role = "participant"
        agents = ["support-*"]
        room_config = { max_participants = 50 }
    "#
}

/// The claims of a Keycloak access token.
fn claims() -> Map<String, Value> {
    let claims = json!({
        "iss": "https://sso.example.com/realms/staff",
        "sub": "f3c7a1de-7d5f-4a7c-9d0e-0a3b7f9c2e11",
        "aud": ["roomkey", "account"],
        "azp": "meet",
        "typ": "Bearer",
        "exp": 1_767_225_900,
        "iat": 1_767_225_600,
        "jti": "0b6f9a52-2f0c-4f51-9a0f-8c1a3a1c7a55",
        "sid": "c4b5a0c8-3f6d-4f0e-8e6b-5f6a7b8c9d0e",
        "scope": "openid email profile",
        "email": "ada@example.com",
        "email_verified": true,
        "name": "Ada Lovelace",
        "org_id": "acme",
        "department": "engineering",
        "realm_access": { "roles": ["offline_access", "uma_authorization", "staff", "member"] },
    });
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn decide(criterion: &mut Criterion) {
    let (claims, asked) = (claims(), RequestedRoomConfig::default());
    let mut group = criterion.benchmark_group("decide by the last rule of");
    // If the request names no room, the first rule that applies to the caller decides.
    let rows = [
        ("others are for other callers, a fresh room", "nobody", None),
        ("others are for other callers", "nobody", Some("acme:standup")),
        ("others are for other rooms", "member", Some("acme:standup")),
    ];
    for count in [1, 20, 200] {
        for (name, role, room) in rows {
            let policy = parse(&rules(count, role));
            group.bench_function(format!("{count}, {name}"), |bencher| {
                bencher.iter(|| {
                    let decision = policy.decide(
                        CallerClaims::new(black_box(&claims)),
                        black_box(room),
                        &asked,
                    );
                    assert!(is_of_the_last_rule(&decision), "the last rule decides");
                    decision
                });
            });
        }
    }
    group.finish();
}

fn is_of_the_last_rule<E>(decision: &Result<Decision<'_>, E>) -> bool {
    decision.as_ref().is_ok_and(|decision| decision.rule.role.name == "participant")
}

fn read(criterion: &mut Criterion) {
    let text = rules(20, "nobody");
    criterion.bench_function("read a policy of 20", |bencher| {
        bencher.iter(|| parse(black_box(&text)));
    });
}

fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error: PolicyError| panic!("{error}"))
}

criterion_group!(benches, decide, read);
criterion_main!(benches);
