//! The fuzz targets. Each accepts any bytes and must neither panic nor violate its properties.

mod policy;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomkey::Config;
use roomkey::livekit::attributes::{ATTRIBUTES, is_key, reserved};
use roomkey::livekit::room_config::AGENTS;
use roomkey::livekit::token_source::{RequestLimits, TokenSourceRequest};
use roomkey::oidc::algorithm::AllowedAlgorithms;
use roomkey::oidc::audience::Audience;
use roomkey::oidc::jwk::Jwk;
use roomkey::oidc::jwks::{KeySet, Lookup};
use roomkey::oidc::jwt::{UnverifiedJwt, unverified_issuer};
use roomkey::oidc::provider::Provider;
use roomkey::oidc::providers;
use roomkey::oidc::verifier::{Expected, SUB, SUBJECT_BYTES, Verifier, check_signature};
use roomkey::text::{Name, is_name};
use serde_json::{Map, Value, json};

type Target = (&'static str, fn(&[u8]));

/// Every target by its name, which is also that of its corpus.
pub(crate) const TARGETS: &[Target] = &[
    ("header", header),
    ("jwt", jwt),
    ("body", body),
    ("jwks", jwks),
    ("config", config),
    ("policy", policy::policy),
];

const ALGORITHMS: &str = "RS256,PS256,ES256,ES384,EdDSA,RS384,RS512,PS384,PS512";
const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "roomkey";
/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;
const SKEW: u64 = 5;
/// A text that no message contains.
const CANARY: &str = "qx7zk9wv";

/// A token's text, or the JSON of its header.
fn header(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let encoded = format!("{}.e30.", URL_SAFE_NO_PAD.encode(text));
    for token in [text, &encoded] {
        let _ = unverified_issuer(token);
        for provider in [&providers::GENERIC, providers::recognize("https://clerk.app.example")] {
            check_header(token, provider);
        }
    }
}

fn check_header(token: &str, provider: &Provider) {
    let allowed = AllowedAlgorithms::parse(ALGORITHMS).unwrap();
    let Ok(jwt) = UnverifiedJwt::read(token, &allowed, provider) else { return };
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "three parts");
    let text = URL_SAFE_NO_PAD.decode(parts[0]).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(&text), parts[0], "one spelling");
    let header: Map<String, Value> = serde_json::from_slice(&text).unwrap();
    assert_eq!(allowed.get(header["alg"].as_str().unwrap()), Some(jwt.algorithm()));
    assert_eq!(header.get("kid").map(|kid| kid.as_str().unwrap()), jwt.key_id());
    assert!(!["crit", "cty", "zip"].iter().any(|member| header.contains_key(*member)));
    assert_ne!(header.get("b64"), Some(&Value::Bool(false)));
    let alone = AllowedAlgorithms::parse("ES384").unwrap();
    let is_es384 = header["alg"] == "ES384";
    assert_eq!(UnverifiedJwt::read(token, &alone, provider).is_ok(), is_es384, "the allow-list");
}

/// A header and a payload, a line each, signed so that the claims are reached. If the header is
/// empty, a valid one is used.
fn jwt(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (header, payload) = input.split_at(end);
    let header = if header.is_empty() { br#"{"alg":"EdDSA"}"# } else { header };
    let payload = payload.strip_prefix(b"\n").unwrap_or(payload);
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a" }] });
    let set = KeySet::read(set.to_string().as_bytes()).unwrap();
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = pair.sign(signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    for has_audience in [true, false] {
        let of = |text: &str, is_set: bool| if is_set { vec![text.to_owned()] } else { vec![] };
        let verifier = Verifier::new(Expected {
            provider: &providers::GENERIC,
            issuer: ISSUER.to_owned(),
            aliases: Vec::new(),
            audience: Audience::new(of(AUDIENCE, has_audience), of(AUDIENCE, !has_audience), false)
                .unwrap(),
            subject_claim: SUB.to_owned(),
            subject_bytes: SUBJECT_BYTES,
            algorithms: AllowedAlgorithms::parse(ALGORITHMS).unwrap(),
            clock_skew: Duration::from_secs(SKEW),
        });
        let Ok(jwt) = verifier.read(&token) else { return };
        let Lookup::Found(key) = set.find(&jwt) else { return };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let told = verifier.explain(&jwt, key, now);
        let outcome = verifier.verify(&jwt, key, now);
        assert_eq!(outcome.is_ok(), told.iter().all(|(_, outcome)| outcome.is_ok()));
        if let Ok(claims) = outcome {
            check_claims(payload, has_audience, claims.subject().as_str());
        }
    }
}

/// Properties of every accepted token, read by another parser.
fn check_claims(payload: &[u8], has_audience: bool, subject: &str) {
    let claims: Map<String, Value> = serde_json::from_slice(payload).unwrap();
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], *subject);
    assert!((1..=255).contains(&subject.len()) && !subject.chars().any(char::is_control));
    let names_us = |claim: &str| match &claims.get(claim) {
        Some(Value::String(text)) => text == AUDIENCE,
        Some(Value::Array(texts)) => claim == "aud" && texts.iter().any(|text| text == AUDIENCE),
        _ => false,
    };
    let claims_to_check: &[&str] =
        if has_audience { &["aud"] } else { &["azp", "client_id", "cid", "appid"] };
    assert!(claims_to_check.iter().any(|claim| names_us(claim)));
    let date = |claim: &str| claims.get(claim).map(|date| date.as_f64().unwrap());
    #[expect(clippy::cast_precision_loss, reason = "this century fits")]
    let (now, skew) = (NOW as f64, SKEW as f64);
    assert!(date("exp").unwrap() + skew > now);
    assert!(["nbf", "iat"].iter().all(|claim| date(claim).is_none_or(|date| date - skew <= now)));
}

/// A request's body.
fn body(input: &[u8]) {
    const LIMITS: RequestLimits = RequestLimits { metadata_bytes: 4096, attributes_bytes: 4096 };
    let Ok(request) = TokenSourceRequest::from_body(input, &LIMITS) else { return };
    for name in [&request.room_name, &request.participant_identity].into_iter().flatten() {
        assert!(is_name(name.as_str()));
    }
    assert!(request.participant_name.as_ref().is_none_or(|name| !name.is_empty()));
    let metadata = request.participant_metadata.as_deref();
    assert!(metadata.is_none_or(|metadata| (1..=LIMITS.metadata_bytes).contains(&metadata.len())));
    let attributes = &request.participant_attributes;
    assert!(attributes.len() <= ATTRIBUTES);
    assert!(attributes.keys().all(|key| is_key(key) || reserved(key).is_some()));
    let bytes = attributes.iter().map(|(key, value)| key.len() + value.len());
    assert!(bytes.sum::<usize>() <= LIMITS.attributes_bytes);
    let agents = &request.room_config.config.agents;
    assert!(agents.len() <= AGENTS);
    let is_name_or_empty = |name: &str| name.is_empty() || is_name(name);
    for agent in agents {
        assert!(is_name_or_empty(&agent.agent_name) && is_name_or_empty(&agent.deployment));
        assert!(agent.metadata.len() <= LIMITS.metadata_bytes);
    }
    let mut again = json!({
        "roomName": request.room_name.as_ref().map(Name::as_str),
        "participantIdentity": request.participant_identity.as_ref().map(Name::as_str),
        "participant_name": request.participant_name,
        "participantMetadata": request.participant_metadata,
        "participant_attributes": request.participant_attributes,
        "roomConfig": request.room_config.config,
    });
    if let Some(field) = request.room_config.forbidden_field {
        match field.strip_prefix("room_config.agents.") {
            None => again["roomConfig"][field.strip_prefix("room_config.").unwrap()] = json!([1]),
            Some(field) => again["roomConfig"]["agents"] = json!([{ field: [1] }]),
        }
    }
    let again = TokenSourceRequest::from_body(again.to_string().as_bytes(), &LIMITS).unwrap();
    assert_eq!(again.room_config.forbidden_field, request.room_config.forbidden_field);
    if again.room_config.forbidden_field.is_none() {
        assert_eq!(again, request);
    }
}

/// An issuer's key set, and a signature of nothing but zeros.
fn jwks(input: &[u8]) {
    let Some(set) = KeySet::read(input) else { return };
    let document: Value = serde_json::from_slice(input).unwrap();
    let keys = document["keys"].as_array().unwrap();
    let usable = keys.iter().filter_map(|key| Some((key, Jwk::read(key.as_object()?)?)));
    let allowed = AllowedAlgorithms::parse(ALGORITHMS).unwrap();
    let mut is_empty = true;
    for (json, key) in usable {
        is_empty = false;
        assert!(!["k", "d", "p", "q"].iter().any(|member| json.get(member).is_some()));
        assert_ne!(json["kty"], "oct");
        assert!(json.get("use").is_none_or(|purpose| purpose == "sig"));
        for algorithm in ALGORITHMS.split(',') {
            let mut header = json!({ "alg": algorithm });
            if let Some(kid) = key.kid() {
                header["kid"] = json!(kid);
            }
            let signature = if algorithm.ends_with("384") { 96 } else { 64 };
            let zeros = URL_SAFE_NO_PAD.encode(vec![0; signature]);
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            let token = format!("{header}.e30.{zeros}");
            let jwt = UnverifiedJwt::read(&token, &allowed, &providers::GENERIC).unwrap();
            if let Lookup::Found(found) = set.find(&jwt) {
                assert!(found.fits(jwt.algorithm()) && found.kid() == jwt.key_id().or(found.kid()));
            }
            assert!(check_signature(&jwt, &key).is_err(), "a signature of zeros holds");
        }
    }
    assert!(!is_empty, "a set without a usable key");
}

/// Variables, a `NAME=value` in each line.
fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let variables: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).collect();
    let read = |change: &dyn Fn(&str, &str) -> Option<String>| {
        Config::from_lookup(|name| variables.get(name).and_then(|value| change(name, value)))
    };
    if let Ok(config) = read(&|_, value| Some(value.to_owned())) {
        assert!(!config.issuers.is_empty());
        for issuer in &config.issuers {
            let expected = issuer.verifier.expected();
            let audience = &expected.audience;
            let is_checked = audience.is_dedicated()
                || !audience.audiences().is_empty()
                || !audience.parties().is_empty();
            assert!(is_checked, "nothing tells whom tokens are for");
        }
    }
    // A value must not be seen in an error, wherever the fault is.
    for marked in variables.keys() {
        let read = read(&|name, value| {
            Some(if name == *marked { format!("{value}{CANARY}") } else { value.to_owned() })
        });
        if let Err(error) = read {
            assert!(!error.to_string().contains(CANARY), "{marked} is quoted");
        }
    }
}
