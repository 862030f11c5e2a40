//! Tokens that the issuer did not sign, or signed in another form.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::support::{
    Call, Env, ISSUER, Key, NOW, Reply, claims, decode_part, encode_part, key_set, merge, token,
    with_hmac,
};

async fn post_token(token: &str) -> Reply {
    Call::bare().bearer(token).send(&Env::offline().app()).await
}

/// A valid token of the usual key with its header changed.
fn with_header(change: &Value) -> String {
    let key = Key::rsa();
    key.sign(&merge(key.header(), change), &claims())
}

/// The parts of a valid token.
fn parts() -> (String, String, String) {
    let token = token(&json!({}));
    let mut parts = token.split('.').map(str::to_owned);
    (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap())
}

/// The last character of `part` with its unused bits set: the same bytes in another spelling.
fn with_trailing_bits(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = part.split_at(part.len() - 1);
    let next = ALPHABET.find(last).unwrap() + 1;
    format!("{head}{}", &ALPHABET[next..=next])
}

#[tokio::test]
async fn token_header_with_harmless_fields_is_accepted() {
    for (name, change) in [
        ("no typ", json!({ "typ": null })),
        ("an access token", json!({ "typ": "at+jwt" })),
        ("its type in full", json!({ "typ": "Application/at+jwt" })),
        ("no kid where only one key fits", json!({ "kid": null })),
        ("members nobody knows", json!({ "x": 1, "ver": "2.0" })),
        ("where else keys are said to be", json!({ "jku": "https://evil.example/jwks" })),
        ("a key of its own, ignored", json!({ "jwk": Key::stranger().jwk() })),
    ] {
        post_token(&with_header(&change)).await.expect_issued(name);
    }
}

#[tokio::test]
async fn token_header_with_unsupported_fields_is_rejected() {
    #[rustfmt::skip]
    let rows = [
        ("unknown crit",             json!({ "crit": ["x"], "x": true })),
        ("crit of a known member",   json!({ "crit": ["exp"], "exp": NOW + 300 })),
        ("an empty crit",            json!({ "crit": [] })),
        ("crit not a list",          json!({ "crit": "exp" })),
        ("crit null-like",           json!({ "crit": false })),
        ("unencoded payload",        json!({ "crit": ["b64"], "b64": false })),
        ("b64 without crit",         json!({ "b64": false })),
        ("a logout token",           json!({ "typ": "logout+jwt" })),
        ("a security event",         json!({ "typ": "secevent+jwt" })),
        ("a proof of possession",    json!({ "typ": "dpop+jwt" })),
        ("an encrypted token",       json!({ "typ": "JWE" })),
        ("an empty typ",             json!({ "typ": "" })),
        ("twelve bytes and jwt",     json!({ "typ": "application.jwt" })),
        ("typ a number",             json!({ "typ": 1 })),
        ("typ a list",               json!({ "typ": ["JWT"] })),
        ("an unknown kid",           json!({ "kid": "other" })),
        ("kid in capitals",          json!({ "kid": "RSA" })),
        ("an empty kid",             json!({ "kid": "" })),
        ("kid a number",             json!({ "kid": 1 })),
        ("kid a list",               json!({ "kid": ["rsa"] })),
        ("kid a path",               json!({ "kid": "../../../../dev/null" })),
        ("kid a URL",                json!({ "kid": "https://evil.example/jwks#rsa" })),
        ("kid a query",              json!({ "kid": "rsa' OR '1'='1" })),
        ("kid with a NUL",           json!({ "kid": "rsa\0" })),
        ("no alg",                   json!({ "alg": null })),
        ("alg a number",             json!({ "alg": 256 })),
        ("alg in small letters",     json!({ "alg": "rs256" })),
        ("another alg of the key",   json!({ "alg": "RS384" })),
        ("PSS in place of PKCS #1",  json!({ "alg": "PS256" })),
        ("an alg of another key",    json!({ "alg": "ES256" })),
        ("an alg nobody knows",      json!({ "alg": "RS1" })),
        ("no signature, it says",    json!({ "alg": "none" })),
        ("HMAC, it says",            json!({ "alg": "HS256" })),
    ];
    for (name, change) in rows {
        post_token(&with_header(&change)).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn malformed_token_is_rejected() {
    let (header, payload, signature) = parts();
    let key = Key::rsa();
    let good_header = key.header().to_string();
    let good_payload = claims().to_string();
    let duplicate = format!("{{\"alg\":\"none\",{}", &good_header[1..]);
    #[rustfmt::skip]
    let rows = [
        ("one part",                    header.clone()),
        ("two parts",                   format!("{header}.{payload}")),
        ("four parts",                  format!("{header}.{payload}.{signature}.{signature}")),
        ("five parts",                  format!("{header}.{payload}.{signature}..")),
        ("a dot after it",              format!("{header}.{payload}.{signature}.")),
        ("a dot before it",             format!(".{header}.{payload}.{signature}")),
        ("only dots",                   "..".to_owned()),
        ("many dots",                   ".".repeat(5_000)),
        ("no header",                   format!(".{payload}.{signature}")),
        ("no payload",                  format!("{header}..{signature}")),
        ("padding after the header",    format!("{header}=.{payload}.{signature}")),
        ("padding after the signature", format!("{header}.{payload}.{signature}==")),
        ("bits left in the signature",  format!("{header}.{payload}.{}", with_trailing_bits(&signature))),
        ("not base64url",               format!("{header}.{payload}.+{}", &signature[1..])),
        ("base64, not base64url",       format!("{header}.{payload}.{}/", &signature[..signature.len() - 1])),
        ("JSON serialization",          json!({ "payload": payload, "protected": header, "signature": signature }).to_string()),
        ("header not JSON",             key.sign_text("{", &good_payload)),
        ("header a list",               key.sign_text("[]", &good_payload)),
        ("header a text",               key.sign_text("\"RS256\"", &good_payload)),
        ("header null",                 key.sign_text("null", &good_payload)),
        ("header with a mark",          key.sign_text(&format!("\u{feff}{good_header}"), &good_payload)),
        ("header with alg twice",       key.sign_text(&duplicate, &good_payload)),
        ("something after the header",  key.sign_text(&format!("{good_header}{{}}"), &good_payload)),
        ("payload not JSON",            key.sign_text(&good_header, "x")),
        ("an empty payload",            key.sign_text(&good_header, "")),
        ("payload a list",              key.sign_text(&good_header, &format!("[{good_payload}]"))),
        ("payload a text",              key.sign_text(&good_header, &json!(good_payload).to_string())),
        ("payload null",                key.sign_text(&good_header, "null")),
        ("payload with a mark",         key.sign_text(&good_header, &format!("\u{feff}{good_payload}"))),
        ("something after the payload", key.sign_text(&good_header, &format!("{good_payload}{{}}"))),
        ("half a surrogate pair",       key.sign_text(&good_header, &good_payload.replace("user-1", "\\ud83d"))),
        ("nested too deep",             key.sign_text(&good_header, &good_payload.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(3_000), "]".repeat(3_000)), 1))),
    ];
    for (name, token) in rows {
        post_token(&token).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn token_with_an_invalid_signature_is_rejected() {
    let (header, payload, signature) = parts();
    let stranger = Key::stranger();
    let by_stranger = |header: &Value| stranger.sign(header, &claims());
    let admin = encode_part(&merge(claims(), &json!({ "sub": "admin" })).to_string());
    let other = token(&json!({ "sub": "user-2" }));
    let other = other.rsplit('.').next().unwrap();
    let none = encode_part(&json!({ "alg": "none", "typ": "JWT" }).to_string());
    let mixed_none = encode_part(&json!({ "alg": "nOnE", "kid": "rsa" }).to_string());
    let flipped = if signature.starts_with('A') { "B" } else { "A" };
    #[rustfmt::skip]
    let rows = [
        ("a stranger's",               by_stranger(&stranger.header())),
        ("with the key beside it",     by_stranger(&merge(stranger.header(), &json!({ "jwk": stranger.jwk() })))),
        ("with an address for keys",   by_stranger(&merge(stranger.header(), &json!({ "jku": format!("{ISSUER}jwks"), "x5u": "https://evil.example/x5u" })))),
        ("with a certificate",         by_stranger(&merge(stranger.header(), &json!({ "x5c": ["MIIB"] })))),
        ("a stranger's, no kid",       by_stranger(&merge(stranger.header(), &json!({ "kid": null })))),
        ("none, and no signature",     format!("{none}.{payload}.")),
        ("none, and an old signature", format!("{none}.{payload}.{signature}")),
        ("none in odd letters",        format!("{mixed_none}.{payload}.")),
        ("cut off",                    format!("{header}.{payload}.")),
        ("cut short",                  format!("{header}.{payload}.{}", &signature[..signature.len() - 4])),
        ("one bit off",                format!("{header}.{payload}.{flipped}{}", &signature[1..])),
        ("of another token",           format!("{header}.{payload}.{other}")),
        ("under other claims",         format!("{header}.{admin}.{signature}")),
        ("nothing but zeros",          format!("{header}.{payload}.{}", "A".repeat(342))),
    ];
    for (name, token) in rows {
        post_token(&token).await.expect_problem(name, 401, "invalid_token");
    }
}

/// The public key as an HMAC secret, in every form that an attacker can obtain.
#[tokio::test]
async fn public_key_is_not_accepted_as_an_hmac_secret() {
    let jwk = Key::rsa().jwk();
    let modulus = jwk["n"].as_str().unwrap().to_owned();
    let set = key_set(&[&Key::rsa()]).to_string();
    for (name, secret) in [
        ("no secret", String::new()),
        ("the modulus", modulus),
        ("the key as JSON", jwk.to_string()),
        ("the key set as JSON", set),
        ("our own API secret", crate::support::API_SECRET.to_owned()),
    ] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = json!({ "alg": algorithm, "typ": "JWT", "kid": "rsa" });
            let message = format!(
                "{}.{}",
                encode_part(&header.to_string()),
                encode_part(&claims().to_string())
            );
            let reply = post_token(&with_hmac(&message, &secret, algorithm)).await;
            reply.expect_problem(name, 401, "invalid_token");
        }
    }
}

/// A participant token is not an access token, although roomkey signed it.
#[tokio::test]
async fn participant_token_is_not_accepted_as_an_access_token() {
    let issued = Call::token().send(&Env::offline().app()).await.participant_token();
    assert_eq!(decode_part(&issued, 0)["alg"], "HS256");
    post_token(&issued).await.expect_problem("a participant token", 401, "invalid_token");
}

#[tokio::test]
async fn hostile_tokens_all_get_the_same_response() {
    let stranger = Key::stranger();
    let mut answers = Vec::new();
    for token in [
        "a.b.c".to_owned(),
        stranger.sign(&stranger.header(), &claims()),
        token(&json!({ "iss": "https://evil.example/" })),
        token(&json!({ "aud": "shop" })),
        token(&json!({ "nbf": NOW + 60 })),
        token(&json!({ "sub": null })),
        with_header(&json!({ "kid": "other" })),
        with_header(&json!({ "crit": ["x"] })),
        with_header(&json!({ "alg": "none" })),
        token(&json!({ "exp": "soon" })),
        stranger.sign(&stranger.header(), &merge(claims(), &json!({ "exp": NOW - 60 }))),
    ] {
        let reply = post_token(&token).await;
        answers.push((reply.status, reply.text(), format!("{:?}", reply.headers)));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
}
