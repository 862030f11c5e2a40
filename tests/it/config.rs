//! Invalid configurations: all faults are reported at once, without a value.

use crate::support::{Call, Env, Key, key_set};

/// A part of every invalid value, which no message may contain.
const MARK: &str = "Zx9marker";

#[track_caller]
fn refusal(row: &str, env: &Env) -> String {
    match env.config() {
        Ok(_) => panic!("{row}: was accepted"),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn missing_variables_are_all_reported() {
    let refusal = refusal("nothing is set", &Env::nothing());
    for name in
        ["OIDC_ISSUER", "OIDC_AUDIENCE", "LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]
    {
        assert!(refusal.contains(name), "{name}: {refusal}");
    }
}

#[test]
fn empty_variable_is_the_same_as_an_absent_one() {
    for name in ["OIDC_ISSUER", "OIDC_AUDIENCE", "LIVEKIT_URL", "LIVEKIT_API_SECRET"] {
        let refusal = refusal(name, &Env::offline().with(name, ""));
        assert!(refusal.contains(name), "{refusal}");
    }
    for name in ["TOKEN_TTL_SECONDS", "OIDC_PROVIDER", "ALLOWED_ORIGINS", "OIDC_JWKS_URI", "POLICY"]
    {
        assert!(Env::offline().with(name, "").config().is_ok(), "{name}");
    }
}

#[test]
fn audience_or_authorized_parties_is_required() {
    let none = Env::offline().without("OIDC_AUDIENCE");
    assert!(refusal("neither", &none).contains("OIDC_AUDIENCE"));
    assert!(none.with("OIDC_AUTHORIZED_PARTIES", "web").config().is_ok());
    for list in [",", " , ", " "] {
        refusal(list, &Env::offline().with("OIDC_AUDIENCE", list));
    }
}

#[test]
fn livekit_variables_are_required_without_a_secret_id() {
    for name in ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_URL"] {
        let refusal = refusal(name, &Env::offline().without(name));
        assert!(refusal.contains(name), "{refusal}");
    }
}

#[rustfmt::skip]
const BAD: [(&str, &str); 46] = [
    ("OIDC_ISSUER",              "Zx9marker"),
    ("OIDC_ISSUER",              "http://Zx9marker.example/"),
    ("OIDC_ISSUER",              "ftp://Zx9marker.example/"),
    ("OIDC_ISSUER",              "//Zx9marker.example/"),
    ("OIDC_ISSUER",              "https://"),
    ("OIDC_PROVIDER",            "Zx9marker"),
    ("OIDC_JWKS_URI",            "http://Zx9marker.example/keys"),
    ("OIDC_JWKS_URI",            "Zx9marker/keys"),
    ("OIDC_JWKS",                "{\"Zx9marker\""),
    ("OIDC_JWKS",                "[\"Zx9marker\"]"),
    ("OIDC_JWKS",                "{\"keys\":[]}"),
    ("OIDC_JWKS",                "{\"keys\":[{\"kty\":\"Zx9marker\"}]}"),
    ("OIDC_ALGORITHMS",          "none"),
    ("OIDC_ALGORITHMS",          "HS256"),
    ("OIDC_ALGORITHMS",          "RS256,HS256"),
    ("OIDC_ALGORITHMS",          "RS256,none"),
    ("OIDC_ALGORITHMS",          "rs256"),
    ("OIDC_ALGORITHMS",          "RS256,Zx9marker"),
    ("CLOCK_SKEW_SECONDS",       "Zx9marker"),
    ("CLOCK_SKEW_SECONDS",       "-1"),
    ("CLOCK_SKEW_SECONDS",       "1.5"),
    ("JWKS_TTL_SECONDS",         "Zx9marker"),
    ("JWKS_COOLDOWN_SECONDS",    "10s"),
    ("PROFILE_SOURCE",           "Zx9marker"),
    ("PROFILE_SOURCE",           "claims,Zx9marker"),
    ("PARTICIPANT_IDENTITY",     "Zx9marker"),
    ("PARTICIPANT_DEVICES",      "Zx9marker"),
    ("REQUIRE_VERIFIED_EMAIL",   "Zx9marker"),
    ("PRESENCE_COLOR",           "Zx9marker"),
    ("PRESENCE_PALETTE",         "Zx9marker"),
    ("PRESENCE_PALETTE",         "#12345"),
    ("PRESENCE_PALETTE",         "#012345,#GGGGGG"),
    ("LIVEKIT_URL",              "Zx9marker"),
    ("LIVEKIT_URL",              "ftp://Zx9marker.example"),
    ("LIVEKIT_API_SECRET",       "Zx9marker-of-thirty-one-bytes!!"),
    ("SECRET_TTL_SECONDS",       "Zx9marker"),
    ("TOKEN_TTL_SECONDS",        "60"),
    ("TOKEN_TTL_SECONDS",        "86401"),
    ("TOKEN_TTL_SECONDS",        "Zx9marker"),
    ("TOKEN_TTL_SECONDS",        "-600"),
    ("MAX_TOKEN_BYTES",          "Zx9marker"),
    ("CLIENT_FIELDS",            "room_name,Zx9marker"),
    ("ALLOWED_ORIGINS",          "Zx9marker.example"),
    ("ALLOWED_ORIGINS",          "https://Zx9marker.example/path"),
    ("POLICY",                   "Zx9marker"),
    ("LIVEKIT_API_SECRET",       "Zx9marker"),
];

#[test]
fn issuer_must_be_an_address_if_it_is_fetched_from() {
    for issuer in ["accounts.example", "http://idp.example", "urn:idp"] {
        let env = Env::offline().with("OIDC_ISSUER", issuer);
        assert!(env.config().is_ok(), "{issuer}: nobody is asked");
        let userinfo = env.clone().with("PROFILE_SOURCE", "claims,userinfo");
        assert!(refusal(issuer, &userinfo).contains("OIDC_ISSUER"), "{issuer}: for UserInfo");
        let keys = env.without("OIDC_JWKS");
        assert!(refusal(issuer, &keys).contains("OIDC_ISSUER"), "{issuer}: for the keys");
    }
}

/// With given keys no request is necessary, so that the issuer may be any text.
fn spared(name: &str) -> &'static str {
    if name == "OIDC_ISSUER" { "OIDC_JWKS" } else { "" }
}

#[test]
fn invalid_value_is_reported_by_name_and_not_repeated() {
    for (name, value) in BAD {
        let row = format!("{name}={value}");
        let refusal = refusal(&row, &Env::offline().without(spared(name)).with(name, value));
        assert!(refusal.contains(name), "{row}: {refusal}");
        assert!(!refusal.contains(MARK), "{row}: {refusal}");
    }
}

#[test]
fn invalid_values_are_all_reported_at_once() {
    let bad = BAD.iter().filter(|(name, _)| !name.starts_with("OIDC_JWKS"));
    let start = Env::offline().without("OIDC_JWKS");
    let env = bad.clone().fold(start, |env, (name, value)| env.with(name, value));
    let refusal = refusal("everything", &env);
    for (name, _) in bad {
        let lines = refusal.lines().filter(|line| line.trim_start().starts_with(name)).count();
        assert_eq!(lines, 1, "{name}: one line each in\n{refusal}");
    }
    assert!(!refusal.contains(MARK), "{refusal}");
}

#[test]
fn plain_http_is_accepted_on_loopback_only() {
    for host in ["127.0.0.1:3001", "localhost:3001", "[::1]:3001"] {
        let issuer = format!("http://{host}");
        let env = Env::offline().with("OIDC_ISSUER", &issuer).without("OIDC_JWKS");
        assert!(env.config().is_ok(), "{issuer}");
        let env = env.with("OIDC_JWKS_URI", &format!("{issuer}/keys"));
        assert!(env.config().is_ok(), "{issuer}/keys");
    }
    for host in [
        "idp.example",
        "127.0.0.1.example",
        "localhost.example",
        "192.0.2.1",
        "10.0.0.1",
        "127.0.0.1@evil.example",
        "0.0.0.0",
        "[::2]",
        "2130706433.example",
    ] {
        let env =
            Env::offline().with("OIDC_ISSUER", &format!("http://{host}")).without("OIDC_JWKS");
        assert!(refusal(host, &env).contains("OIDC_ISSUER"), "{host}");
        let env = Env::offline().with("OIDC_JWKS_URI", &format!("http://{host}/keys"));
        let env = env.without("OIDC_JWKS");
        assert!(refusal(host, &env).contains("OIDC_JWKS_URI"), "{host}");
    }
}

#[test]
fn development_keys_of_livekit_are_accepted_on_loopback_only() {
    let env = Env::offline().with("LIVEKIT_API_SECRET", "secret");
    for url in ["ws://127.0.0.1:7880", "ws://localhost:7880"] {
        assert!(env.clone().with("LIVEKIT_URL", url).config().is_ok(), "{url}");
    }
    for url in ["wss://livekit.example", "wss://127.0.0.1.example", "wss://localhost.example"] {
        let refusal = refusal(url, &env.clone().with("LIVEKIT_URL", url));
        assert!(refusal.contains("LIVEKIT_API_SECRET"), "{url}: {refusal}");
    }
}

#[test]
fn valid_values_are_accepted() {
    let keys = key_set(&[&Key::p256(), &Key::ed25519()]).to_string();
    for (name, value) in [
        ("OIDC_ISSUER", "https://idp.example"),
        ("OIDC_PROVIDER", "generic"),
        ("OIDC_JWKS", keys.as_str()),
        ("OIDC_ALGORITHMS", "RS256, ES256,EdDSA"),
        ("OIDC_AUTHORIZED_PARTIES", "a,b"),
        ("CLOCK_SKEW_SECONDS", "0"),
        ("PROFILE_SOURCE", "userinfo,claims"),
        ("PROFILE_SOURCE", "claims"),
        ("PARTICIPANT_IDENTITY", "sub"),
        ("PARTICIPANT_DEVICES", "true"),
        ("REQUIRE_VERIFIED_EMAIL", "false"),
        ("PRESENCE_COLOR", "random"),
        ("PRESENCE_PALETTE", "#012345,#abcdef"),
        ("TOKEN_TTL_SECONDS", "61"),
        ("TOKEN_TTL_SECONDS", "86400"),
        ("CLIENT_FIELDS", "participant_name"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "http://localhost:3000,https://app.example:8443"),
        ("MAX_TOKEN_BYTES", "4096"),
        ("NAME_CLAIM", "profile.display_name"),
    ] {
        let config = Env::offline().with(name, value).config();
        assert!(config.is_ok(), "{name}={value}: {}", config.err().unwrap());
    }
}

/// The issuer is compared byte for byte.
#[tokio::test]
async fn issuer_is_compared_byte_for_byte() {
    for issuer in ["https://idp.example", "https://idp.example/", "https://IDP.example/A%2fb"] {
        let app = Env::offline().with("OIDC_ISSUER", issuer).app();
        let token = crate::support::token(&serde_json::json!({ "iss": issuer }));
        Call::bare().bearer(&token).send(&app).await.expect_issued(issuer);
    }
}
