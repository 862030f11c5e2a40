//! `jsonwebtoken::decode` beside the verification of roomkey, which uses only the library's signature check.
//!
//! The verdict of the library is a column of the tables: a row in which the two differ shows that roomkey's
//! own check decides, and a new version of the library that checks something else turns the row red.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::support::{Call, Env, ISSUER, Key, claims, merge};

const ACCEPTS: bool = true;
const REJECTS: bool = false;

/// Whether the library accepts `token`, with the same key, issuer and audience as roomkey. The library reads
/// the system's clock, so the times are left out.
fn library_accepts(token: &str) -> bool {
    let key = DecodingKey::from_jwk(&serde_json::from_value(Key::rsa().jwk()).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&["roomkey"]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

async fn roomkey_accepts(token: &str) -> bool {
    let reply = Call::bare().bearer(token).send(&Env::offline().app()).await;
    if reply.status != 201 {
        reply.expect_problem("a rejected token", 401, "invalid_token");
    }
    reply.status == 201
}

async fn expect_verdicts(name: &str, token: &str, library: bool, roomkey: bool) {
    assert_eq!(library_accepts(token), library, "{name}: jsonwebtoken");
    assert_eq!(roomkey_accepts(token).await, roomkey, "{name}: roomkey");
}

#[tokio::test]
async fn own_check_decides_on_headers_that_the_library_accepts_or_rejects() {
    #[rustfmt::skip]
    let rows = [
        ("nothing changed",           json!({}),                             ACCEPTS, ACCEPTS),
        ("b64 with its default",      json!({ "b64": true }),                ACCEPTS, ACCEPTS),
        ("b64 false",                 json!({ "b64": false }),               REJECTS, REJECTS),
        ("b64 a string",              json!({ "b64": "true" }),              REJECTS, REJECTS),
        ("crit empty",                json!({ "crit": [] }),                 REJECTS, REJECTS),
        ("crit unknown",              json!({ "crit": ["x"], "x": 1 }),      REJECTS, REJECTS),
        ("crit b64 with its default", json!({ "crit": ["b64"], "b64": true }), ACCEPTS, REJECTS),
        ("nested",                    json!({ "cty": "JWT" }),               ACCEPTS, REJECTS),
        ("compressed",                json!({ "zip": "DEF" }),               ACCEPTS, REJECTS),
        ("a logout token",            json!({ "typ": "logout+jwt" }),        ACCEPTS, REJECTS),
        ("an unknown kid",            json!({ "kid": "other" }),             ACCEPTS, REJECTS),
        // Locations of keys are ignored, whatever their form.
        ("jku a number",              json!({ "jku": 1 }),                   REJECTS, ACCEPTS),
        ("x5c not a list",            json!({ "x5c": "MIIB" }),              REJECTS, ACCEPTS),
    ];
    for (name, change, library, roomkey) in rows {
        let key = Key::rsa();
        let token = key.sign(&merge(key.header(), &change), &claims());
        expect_verdicts(name, &token, library, roomkey).await;
    }
}

#[tokio::test]
async fn own_check_decides_on_claims_that_the_library_accepts() {
    #[rustfmt::skip]
    let rows = [
        ("nothing changed",          json!({}),                          ACCEPTS, ACCEPTS),
        ("another issuer",           json!({ "iss": "https://other/" }), REJECTS, REJECTS),
        ("the issuer in a list",     json!({ "iss": [ISSUER] }),         ACCEPTS, REJECTS),
        ("the issuer a number",      json!({ "iss": 1 }),                REJECTS, REJECTS),
        ("another audience",         json!({ "aud": "shop" }),           REJECTS, REJECTS),
        ("the audience in a list",   json!({ "aud": ["roomkey"] }),      ACCEPTS, ACCEPTS),
        ("an audience not a string", json!({ "aud": ["roomkey", 1] }),   REJECTS, REJECTS),
        ("an empty subject",         json!({ "sub": "" }),               ACCEPTS, REJECTS),
        ("a subject not a string",   json!({ "sub": 1 }),                REJECTS, REJECTS),
        ("no subject",               json!({ "sub": null }),             REJECTS, REJECTS),
    ];
    for (name, change, library, roomkey) in rows {
        let key = Key::rsa();
        let token = key.sign(&key.header(), &merge(claims(), &change));
        expect_verdicts(name, &token, library, roomkey).await;
    }
}

#[tokio::test]
async fn own_check_decides_on_duplicate_names_that_the_library_accepts() {
    let key = Key::rsa();
    let (header, payload) = (key.header().to_string(), claims().to_string());
    let twice = |text: &str, first: &str| text.replacen('{', &format!("{{{first},"), 1);
    let claim_twice = key.sign_text(&header, &twice(&payload, r#""role":"admin","role":"guest""#));
    expect_verdicts("a claim twice", &claim_twice, ACCEPTS, REJECTS).await;
    let field_twice = key.sign_text(&twice(&header, r#""x":1,"x":2"#), &payload);
    expect_verdicts("a header field twice", &field_twice, ACCEPTS, REJECTS).await;
}
