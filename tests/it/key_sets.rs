//! Key sets: the keys that verify a token.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::support::{Call, Env, Key, Reply, claims, encode_part, key_set, merge, weak};

/// Sends a token of `key` to an app whose issuer publishes `set`.
async fn post_token(set: &Value, key: &Key, header: &Value) -> Reply {
    let env = Env::offline().with("OIDC_JWKS", &set.to_string());
    let token = key.sign(&merge(key.header(), header), &claims());
    Call::bare().bearer(&token).send(&env.app()).await
}

/// A set of the usual key with its JWK changed, and another key that is always valid.
fn with_jwk(change: &Value) -> Value {
    json!({ "keys": [merge(Key::rsa().jwk(), change), Key::p384().jwk()] })
}

#[tokio::test]
async fn default_algorithms_are_all_accepted() {
    let rsa = |algorithm| Key::rsa_as("rsa", algorithm);
    for key in [
        rsa(Algorithm::RS256),
        rsa(Algorithm::RS384),
        rsa(Algorithm::RS512),
        rsa(Algorithm::PS256),
        rsa(Algorithm::PS384),
        rsa(Algorithm::PS512),
        Key::p256(),
        Key::p384(),
        Key::ed25519(),
    ] {
        let name = format!("{:?}", key.algorithm);
        post_token(&key_set(&[&key]), &key, &json!({})).await.expect_issued(&name);
        let untold = merge(key.jwk(), &json!({ "alg": null, "use": null }));
        post_token(&json!({ "keys": [untold] }), &key, &json!({})).await.expect_issued(&name);
    }
}

#[tokio::test]
async fn only_configured_algorithms_are_accepted() {
    let keys = [Key::rsa(), Key::p256(), Key::ed25519()];
    let set = key_set(&[&keys[0], &keys[1], &keys[2]]);
    for allowed in &keys {
        let name = json!(allowed.algorithm).as_str().unwrap().to_owned();
        let env = Env::offline().with("OIDC_JWKS", &set.to_string()).with("OIDC_ALGORITHMS", &name);
        let app = env.app();
        for key in &keys {
            let row = format!("{name} is allowed, {:?} is used", key.algorithm);
            let reply = Call::bare().bearer(&key.sign(&key.header(), &claims())).send(&app).await;
            if key.kid == allowed.kid {
                reply.expect_issued(&row);
            } else {
                reply.expect_problem(&row, 401, "invalid_token");
            }
        }
    }
}

#[tokio::test]
async fn key_with_suitable_fields_verifies_tokens() {
    let key = Key::rsa();
    for (name, change) in [
        ("as it is", json!({})),
        ("no use", json!({ "use": null })),
        ("no alg", json!({ "alg": null })),
        ("for verifying", json!({ "key_ops": ["verify"] })),
        ("for verifying among others", json!({ "use": null, "key_ops": ["sign", "verify"] })),
        ("with members nobody knows", json!({ "x": 1, "x5t": "abc", "nbf": 5 })),
    ] {
        post_token(&with_jwk(&change), &key, &json!({})).await.expect_issued(name);
    }
}

#[tokio::test]
async fn key_with_unsuitable_fields_verifies_no_token() {
    let key = Key::rsa();
    let short = weak().0["n"].clone();
    #[rustfmt::skip]
    let rows = [
        ("for encryption",            json!({ "use": "enc" })),
        ("for something else",        json!({ "use": "x" })),
        ("for other operations",      json!({ "key_ops": ["encrypt", "wrapKey"] })),
        ("for no operation",          json!({ "key_ops": [] })),
        ("of another algorithm",      json!({ "alg": "RS512" })),
        ("of an algorithm of others", json!({ "alg": "ES256" })),
        ("of an encryption",          json!({ "alg": "RSA-OAEP" })),
        ("of an unknown algorithm",   json!({ "alg": "X" })),
        ("of another type",           json!({ "kty": "EC" })),
        ("of an unknown type",        json!({ "kty": "X" })),
        ("of no type",                json!({ "kty": null })),
        ("under another name",        json!({ "kid": "other" })),
        ("without a modulus",         json!({ "n": null })),
        ("with an empty modulus",     json!({ "n": "" })),
        ("with a short modulus",      json!({ "n": short })),
        ("with a broken modulus",     json!({ "n": "!!!" })),
        ("with a modulus of a number", json!({ "n": 5 })),
        ("with exponent one",         json!({ "e": "AQ" })),
        ("with an even exponent",     json!({ "e": "Ag" })),
        ("with no exponent",          json!({ "e": null })),
    ];
    for (name, change) in rows {
        let set = with_jwk(&change);
        post_token(&set, &key, &json!({})).await.expect_problem(name, 401, "invalid_token");
        let neighbor = Key::p384();
        post_token(&set, &neighbor, &json!({}))
            .await
            .expect_issued(&format!("the key beside one {name}"));
    }
}

#[tokio::test]
async fn rsa_key_of_1024_bits_is_rejected() {
    let (jwk, token) = weak();
    let set = json!({ "keys": [jwk, Key::rsa().jwk()] });
    let app = Env::offline().with("OIDC_JWKS", &set.to_string()).app();
    let reply = Call::bare().bearer(token).send(&app).await;
    reply.expect_problem("1,024 bits", 401, "invalid_token");
    post_token(&set, &Key::rsa(), &json!({})).await.expect_issued("2,048 bits beside it");
}

#[tokio::test]
async fn key_with_an_unsuitable_curve_is_rejected() {
    let p256 = Key::p256();
    let p384 = Key::p384();
    let edwards = Key::ed25519();
    #[rustfmt::skip]
    let rows = [
        ("off the curve",               &p256, json!({ "y": p256.jwk()["x"] })),
        ("a curve it is not on",        &p256, json!({ "crv": "P-384" })),
        ("an unknown curve",            &p256, json!({ "crv": "secp256k1" })),
        ("no curve",                    &p256, json!({ "crv": null })),
        ("half a point",                &p256, json!({ "y": null })),
        ("coordinates too short",       &p256, json!({ "x": "AQ" })),
        ("coordinates of another",      &p256, json!({ "x": p384.jwk()["x"], "y": p384.jwk()["y"] })),
        ("alg of another curve",        &p256, json!({ "alg": "ES384" })),
        ("a Montgomery curve",          &edwards, json!({ "crv": "X25519" })),
        ("an Edwards key of 3 bytes",   &edwards, json!({ "x": "AQID" })),
        ("an Edwards key as P-256",     &edwards, json!({ "kty": "EC", "crv": "P-256" })),
    ];
    for (name, key, change) in rows {
        let set = json!({ "keys": [merge(key.jwk(), &change), Key::rsa().jwk()] });
        post_token(&set, key, &json!({})).await.expect_problem(name, 401, "invalid_token");
        post_token(&set, &Key::rsa(), &json!({}))
            .await
            .expect_issued(&format!("the key beside: {name}"));
    }
    let set = key_set(&[&p256, &p384]);
    let reply = post_token(&set, &p256, &json!({ "kid": "p384" })).await;
    reply.expect_problem("ES256 under the name of a P-384 key", 401, "invalid_token");
    let reply = post_token(&set, &p384, &json!({ "alg": "ES256", "kid": "p256" })).await;
    reply.expect_problem("a P-384 signature as ES256", 401, "invalid_token");
}

#[tokio::test]
async fn unreadable_key_does_not_affect_the_others_of_its_set() {
    for stranger in [
        json!(null),
        json!(5),
        json!("x"),
        json!([]),
        json!({}),
        json!({ "kty": "RSA" }),
        json!({ "kty": "X", "kid": "x" }),
        json!({ "kty": "oct", "k": "c2VjcmV0", "kid": "rsa2" }),
        json!({ "kty": "AKP", "alg": "ML-DSA-65", "pub": "x", "kid": "q" }),
        json!({ "kty": "RSA", "kid": 7, "n": [], "e": {} }),
        json!({ "x5c": ["MIIB"] }),
    ] {
        let set = json!({ "keys": [stranger, Key::rsa().jwk(), stranger], "more": true });
        let reply = post_token(&set, &Key::rsa(), &json!({})).await;
        reply.expect_issued(&format!("beside {stranger}"));
    }
}

#[tokio::test]
async fn kid_is_required_if_two_keys_are_suitable() {
    let no_name = json!({ "kid": null });
    let two = key_set(&[&Key::rsa(), &Key::rsa_next()]);
    for key in [Key::rsa(), Key::rsa_next()] {
        let reply = post_token(&two, &key, &no_name).await;
        reply.expect_problem("two RSA keys", 401, "invalid_token");
        post_token(&two, &key, &json!({})).await.expect_issued("by name");
    }
    let kinds = key_set(&[&Key::rsa(), &Key::p256()]);
    for key in [Key::rsa(), Key::p256()] {
        post_token(&kinds, &key, &no_name).await.expect_issued("only one of them fits");
    }
    let untold = |key: Key| merge(key.jwk(), &json!({ "alg": null }));
    let kinds = json!({ "keys": [untold(Key::rsa()), untold(Key::p256())] });
    for key in [Key::rsa(), Key::p256()] {
        post_token(&kinds, &key, &no_name).await.expect_issued("only one is of the kind");
    }
}

#[tokio::test]
async fn kid_of_no_key_is_rejected() {
    let nameless = json!({ "keys": [merge(Key::rsa().jwk(), &json!({ "kid": null }))] });
    let reply = post_token(&nameless, &Key::rsa(), &json!({ "kid": null })).await;
    reply.expect_issued("neither has a name");
    let reply = post_token(&nameless, &Key::rsa(), &json!({})).await;
    reply.expect_problem("only the token names one", 401, "invalid_token");
}

#[tokio::test]
async fn keys_with_the_same_kid_are_selected_by_type() {
    let mut second = Key::p256();
    second.kid = "rsa";
    let set = key_set(&[&Key::rsa(), &second]);
    post_token(&set, &Key::rsa(), &json!({})).await.expect_issued("RSA");
    post_token(&set, &second, &json!({})).await.expect_issued("P-256");
}

/// A symmetric key in a key set is public, so it proves nothing.
#[tokio::test]
async fn symmetric_key_of_a_set_verifies_no_token() {
    let secret = "0123456789abcdef0123456789abcdef";
    let oct = json!({ "kty": "oct", "kid": "hmac", "alg": "HS256", "k": encode_part(secret) });
    let set = json!({ "keys": [oct, Key::rsa().jwk()] });
    let message = format!(
        "{}.{}",
        encode_part(r#"{"alg":"HS256","typ":"JWT","kid":"hmac"}"#),
        encode_part(&claims().to_string())
    );
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    let app = Env::offline().with("OIDC_JWKS", &set.to_string()).app();
    let reply = Call::bare().bearer(&format!("{message}.{signature}")).send(&app).await;
    reply.expect_problem("HS256 with a key of the set", 401, "invalid_token");
}

/// AD FS names its keys by `x5t` alone.
#[tokio::test]
async fn thumbprint_selects_the_key_of_a_token_without_kid() {
    let (key, next) = (Key::rsa(), Key::rsa_next());
    let of = |key: &Key, thumbprint: &str| merge(key.jwk(), &json!({ "x5t": thumbprint }));
    let two = json!({ "keys": [of(&key, "one"), of(&next, "two")] });
    let one_named = json!({ "keys": [of(&key, "one"), next.jwk()] });
    let unnamed = key_set(&[&key, &next]);
    let single = key_set(&[&key]);
    let same = json!({ "keys": [of(&key, "one"), of(&next, "one")] });
    let x5t = |thumbprint: &str| json!({ "kid": null, "x5t": thumbprint });
    #[rustfmt::skip]
    let rows = [
        ("the key's",               &two,       x5t("one"),                              true),
        ("another key's",           &two,       x5t("two"),                              false),
        ("no key's",                &two,       x5t("three"),                            false),
        ("empty",                   &two,       x5t(""),                                 false),
        ("in other letters",        &two,       x5t("ONE"),                              false),
        ("missing",                 &two,       json!({ "kid": null }),                  false),
        ("of a set with one",       &one_named, x5t("one"),                              true),
        ("not in a set with one",   &one_named, x5t("two"),                              false),
        ("in a set without any",    &unnamed,   x5t("one"),                              false),
        ("in a set of one key",     &single,    x5t("one"),                              true),
        ("of two keys",             &same,      x5t("one"),                              false),
        ("a number",                &single,    json!({ "kid": null, "x5t": 1 }),        false),
        ("beside a kid",            &two,       json!({ "x5t": "two" }),                 true),
        ("beside another kid",      &two,       json!({ "kid": "rsa-next", "x5t": "one" }), false),
        ("a number beside a kid",   &two,       json!({ "x5t": 1 }),                     true),
    ];
    for (row, set, header, is_accepted) in rows {
        let reply = post_token(set, &key, &header).await;
        if is_accepted {
            reply.expect_issued(row);
        } else {
            reply.expect_problem(row, 401, "invalid_token");
        }
    }
}

/// `Ed25519` is the name of RFC 9864 for `EdDSA` with this curve.
#[tokio::test]
async fn ed25519_is_eddsa() {
    let key = Key::ed25519();
    let named = json!({ "alg": "Ed25519" });
    post_token(&key_set(&[&key]), &key, &named).await.expect_issued("the token's alg");
    let set = json!({ "keys": [merge(key.jwk(), &named)] });
    post_token(&set, &key, &json!({})).await.expect_issued("the key's alg");
    post_token(&set, &key, &named).await.expect_issued("both");
    for alg in ["ed25519", "Ed448", "ED25519"] {
        let reply = post_token(&set, &key, &json!({ "alg": alg })).await;
        reply.expect_problem(alg, 401, "invalid_token");
    }
    let rsa = key_set(&[&Key::rsa()]);
    post_token(&rsa, &Key::rsa(), &named).await.expect_problem("an RSA key", 401, "invalid_token");
    let env = Env::offline().with("OIDC_JWKS", &set.to_string());
    let token = key.sign(&key.header(), &claims());
    for (algorithms, is_accepted) in [("Ed25519", true), ("RS256", false)] {
        let app = env.clone().with("OIDC_ALGORITHMS", algorithms).app();
        let reply = Call::bare().bearer(&token).send(&app).await;
        assert_eq!(reply.status, if is_accepted { 201 } else { 401 }, "{algorithms}");
    }
}
