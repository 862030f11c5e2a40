//! The claims of an access token, on both sides of every limit.

use serde_json::{Value, json};

use crate::support::{Call, Env, ISSUER, Key, NOW, claims, merge, text, token};

async fn accepts(env: &Env, rows: &[(&str, Value)]) {
    let app = env.app();
    for (name, change) in rows {
        Call::bare().bearer(&token(change)).send(&app).await.expect_issued(name);
    }
}

async fn rejects(env: &Env, code: &str, rows: &[(&str, Value)]) {
    let app = env.app();
    for (name, change) in rows {
        let reply = Call::bare().bearer(&token(change)).send(&app).await;
        reply.expect_problem(name, 401, code);
    }
}

#[tokio::test]
async fn claims_within_their_limits_are_accepted() {
    #[rustfmt::skip]
    let rows = [
        ("as they are",                  json!({})),
        ("expired, within the leeway",   json!({ "exp": NOW - 4 })),
        ("starts within the leeway",     json!({ "nbf": NOW + 5 })),
        ("issued within the leeway",     json!({ "iat": NOW + 5 })),
        ("started long ago",             json!({ "nbf": 0 })),
        ("no nbf, no iat",               json!({ "nbf": null, "iat": null })),
        ("a fraction of a second",       json!({ "exp": 1_767_225_900.5 })),
        ("far ahead",                    json!({ "exp": 4_102_444_800_u64 })),
        ("audience among others",        json!({ "aud": ["shop", "roomkey"] })),
        ("audience in a list of one",    json!({ "aud": ["roomkey"] })),
        ("a subject of 255 bytes",       json!({ "sub": text(255) })),
        ("a subject of one byte",        json!({ "sub": "x" })),
        ("claims nobody knows",          json!({ "x": { "y": [1, null] }, "azp": 7, "scope": "a b" })),
    ];
    accepts(&Env::offline(), &rows).await;
}

#[tokio::test]
async fn expired_token_is_rejected() {
    #[rustfmt::skip]
    let rows = [
        ("the leeway used up",   json!({ "exp": NOW - 5 })),
        ("an hour ago",          json!({ "exp": NOW - 3_600 })),
        ("at the epoch",         json!({ "exp": 0 })),
    ];
    rejects(&Env::offline(), "token_expired", &rows).await;
}

#[tokio::test]
async fn claims_outside_their_limits_are_rejected() {
    #[rustfmt::skip]
    let rows = [
        ("no exp",                      json!({ "exp": null })),
        ("exp a text",                  json!({ "exp": (NOW + 300).to_string() })),
        ("exp a boolean",               json!({ "exp": true })),
        ("exp a list",                  json!({ "exp": [NOW + 300] })),
        ("exp an object",               json!({ "exp": { "$numberLong": NOW + 300 } })),
        ("starts after the leeway",     json!({ "nbf": NOW + 6 })),
        ("nbf a text",                  json!({ "nbf": "0" })),
        ("nbf a boolean",               json!({ "nbf": false })),
        ("issued after the leeway",     json!({ "iat": NOW + 6 })),
        ("iat a text",                  json!({ "iat": "2026-01-01" })),
        ("iat an object",               json!({ "iat": {} })),
        ("other issuer",                json!({ "iss": "https://evil.example/" })),
        ("issuer without its slash",    json!({ "iss": "https://idp.example" })),
        ("issuer with one more",        json!({ "iss": "https://idp.example//" })),
        ("issuer in capitals",          json!({ "iss": "https://IDP.example/" })),
        ("issuer without its scheme",   json!({ "iss": "idp.example/" })),
        ("issuer is only a prefix",     json!({ "iss": "https://idp.example/x" })),
        ("issuer in a list",            json!({ "iss": [ISSUER] })),
        ("issuer in a list with evil",  json!({ "iss": ["https://evil.example/", ISSUER] })),
        ("issuer a number",             json!({ "iss": 1 })),
        ("issuer an object",            json!({ "iss": { "0": ISSUER } })),
        ("no issuer",                   json!({ "iss": null })),
        ("other audience",              json!({ "aud": "shop" })),
        ("audience is only a prefix",   json!({ "aud": "room" })),
        ("audience is longer",          json!({ "aud": "roomkey-admin" })),
        ("audience in capitals",        json!({ "aud": "ROOMKEY" })),
        ("audience with a blank",       json!({ "aud": "roomkey " })),
        ("audiences in one text",       json!({ "aud": "shop roomkey" })),
        ("audiences with a comma",      json!({ "aud": "shop,roomkey" })),
        ("an empty list of audiences",  json!({ "aud": [] })),
        ("a list within a list",        json!({ "aud": [["roomkey"]] })),
        ("audience an object",          json!({ "aud": { "roomkey": true } })),
        ("audience a number",           json!({ "aud": 1 })),
        ("no audience",                 json!({ "aud": null })),
        ("no subject",                  json!({ "sub": null })),
        ("an empty subject",            json!({ "sub": "" })),
        ("a subject of 256 bytes",      json!({ "sub": text(256) })),
        ("subject a number",            json!({ "sub": 1 })),
        ("subject a list",              json!({ "sub": ["user-1"] })),
    ];
    rejects(&Env::offline(), "invalid_token", &rows).await;
}

#[tokio::test]
async fn null_claim_is_the_same_as_a_missing_one() {
    let app = Env::offline().app();
    let key = Key::rsa();
    for claim in ["iss", "aud", "sub", "exp"] {
        let mut claims = claims();
        claims[claim] = Value::Null;
        let token = key.sign(&key.header(), &claims);
        let reply = Call::bare().bearer(&token).send(&app).await;
        reply.expect_problem(claim, 401, "invalid_token");
    }
}

#[tokio::test]
async fn expiry_of_an_impossible_number_is_rejected() {
    let app = Env::offline().app();
    let key = Key::rsa();
    let exp = format!("\"exp\":{}", NOW + 300);
    for (number, code) in [
        ("-1", "invalid_token"),
        ("1e300", "invalid_token"),
        ("1e400", "invalid_token"),
        ("-1e400", "invalid_token"),
        ("18446744073709551616", "invalid_token"),
        ("0.1", "token_expired"),
        ("-0", "token_expired"),
        ("1E2", "token_expired"),
    ] {
        let payload = claims().to_string().replace(&exp, &format!("\"exp\":{number}"));
        let reply = Call::bare().bearer(&key.sign_text(&key.header().to_string(), &payload));
        reply.send(&app).await.expect_problem(number, 401, code);
    }
}

#[tokio::test]
async fn clock_skew_is_configurable() {
    let env = Env::offline().with("CLOCK_SKEW_SECONDS", "0");
    accepts(&env, &[("expires in a second", json!({ "exp": NOW + 1 }))]).await;
    rejects(&env, "token_expired", &[("expires now", json!({ "exp": NOW }))]).await;
    rejects(&env, "invalid_token", &[("starts in a second", json!({ "nbf": NOW + 1 }))]).await;
    let env = Env::offline().with("CLOCK_SKEW_SECONDS", "30");
    accepts(&env, &[("29 s ago", json!({ "exp": NOW - 29 }))]).await;
    rejects(&env, "token_expired", &[("30 s ago", json!({ "exp": NOW - 30 }))]).await;
}

#[tokio::test]
async fn token_needs_one_of_several_audiences() {
    let env = Env::offline().with("OIDC_AUDIENCE", "web, mobile");
    #[rustfmt::skip]
    let good = [
        ("the first",  json!({ "aud": "web" })),
        ("the second", json!({ "aud": ["x", "mobile"] })),
    ];
    accepts(&env, &good).await;
    #[rustfmt::skip]
    let bad = [
        ("neither",         json!({ "aud": "roomkey" })),
        ("the whole list",  json!({ "aud": "web, mobile" })),
        ("nothing",         json!({ "aud": "" })),
    ];
    rejects(&env, "invalid_token", &bad).await;
}

#[tokio::test]
async fn authorized_party_is_accepted_instead_of_an_audience() {
    let env = Env::offline().without("OIDC_AUDIENCE").with("OIDC_AUTHORIZED_PARTIES", "web,mobile");
    #[rustfmt::skip]
    let good = [
        ("azp",                    json!({ "azp": "web" })),
        ("client_id",              json!({ "client_id": "mobile" })),
        ("cid",                    json!({ "cid": "web" })),
        ("azp without an audience", json!({ "azp": "web", "aud": null })),
    ];
    accepts(&env, &good).await;
    #[rustfmt::skip]
    let bad = [
        ("none",              json!({})),
        ("another azp",       json!({ "azp": "shop" })),
        ("another client",    json!({ "client_id": "shop" })),
        ("an empty azp",      json!({ "azp": "" })),
        ("azp in a list",     json!({ "azp": ["web"] })),
        ("the audience only", json!({ "aud": "web" })),
        ("azp a prefix",      json!({ "azp": "we" })),
    ];
    rejects(&env, "invalid_token", &bad).await;
}

#[tokio::test]
async fn audience_and_party_are_both_required_if_both_are_configured() {
    let env = Env::offline().with("OIDC_AUTHORIZED_PARTIES", "web");
    accepts(&env, &[("both", json!({ "azp": "web" }))]).await;
    #[rustfmt::skip]
    let bad = [
        ("the audience only", json!({})),
        ("the party only",    json!({ "azp": "web", "aud": "shop" })),
    ];
    rejects(&env, "invalid_token", &bad).await;
}

#[tokio::test]
async fn duplicate_claim_is_rejected() {
    let app = Env::offline().app();
    let key = Key::rsa();
    let payload = merge(claims(), &json!({})).to_string();
    for twice in [
        r#""sub":"admin""#,
        r#""iss":"https://evil.example/""#,
        r#""aud":"shop""#,
        r#""exp":9999999999"#,
        r#""email":"admin@example.com""#,
        r#""x":1,"x":2"#,
    ] {
        for payload in [
            format!("{{{twice},{}", &payload[1..]),
            format!("{},{twice}}}", &payload[..payload.len() - 1]),
        ] {
            let token = key.sign_text(&key.header().to_string(), &payload);
            let reply = Call::bare().bearer(&token).send(&app).await;
            reply.expect_problem(twice, 401, "invalid_token");
        }
    }
}
