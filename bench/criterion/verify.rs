//! Benchmark of the verification of an access token beside the bare signature check.
//!
//! `cargo bench --bench verify` prints a row per algorithm: the best of many short batches, in
//! microseconds, so that a busy machine disturbs it least.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use roomkey::oidc::algorithm::AllowedAlgorithms;
use roomkey::oidc::audience::Audience;
use roomkey::oidc::jwks::{KeySet, Lookup};
use roomkey::oidc::providers::GENERIC;
use roomkey::oidc::verifier::{Expected, SUB, SUBJECT_BYTES, Verifier};
use serde_json::json;

const BATCHES: usize = 400;
const PER_BATCH: u32 = 20;

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600;

const RSA: &[u8] = include_bytes!("../../tests/keys/rsa.der");
const P256: &[u8] = include_bytes!("../../tests/keys/p256.der");
const P384: &[u8] = include_bytes!("../../tests/keys/p384.der");
const ED: &[u8] = include_bytes!("../../tests/keys/ed25519.der");

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let rsa = RsaKeyPair::from_der(RSA)?;
    let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, P256)?;
    let p384 = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, P384)?;
    let ed = Ed25519KeyPair::from_pkcs8_maybe_unchecked(ED)?;
    let rows = [
        (
            Algorithm::RS256,
            EncodingKey::from_rsa_der(RSA),
            ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key())?,
        ),
        (
            Algorithm::PS256,
            EncodingKey::from_rsa_der(RSA),
            ParsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, rsa.public_key())?,
        ),
        (
            Algorithm::ES256,
            EncodingKey::from_ec_der(P256),
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, p256.public_key())?,
        ),
        (
            Algorithm::ES384,
            EncodingKey::from_ec_der(P384),
            ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, p384.public_key())?,
        ),
        (
            Algorithm::EdDSA,
            EncodingKey::from_ed_der(ED),
            ParsedPublicKey::new(&ED25519, ed.public_key())?,
        ),
    ];
    println!("| algorithm | verify, µs | bare signature check, µs | beside it, µs |");
    println!("|---|---|---|---|");
    for (algorithm, key, public) in rows {
        let (whole, bare) = measure(algorithm, &key, &public)?;
        println!("| {algorithm:?} | {whole:.1} | {bare:.1} | {:.1} |", whole - bare);
    }
    Ok(())
}

fn measure(
    algorithm: Algorithm,
    key: &EncodingKey,
    public: &ParsedPublicKey,
) -> Result<(f64, f64), Failure> {
    let mut jwk = serde_json::to_value(Jwk::from_encoding_key(key, algorithm)?)?;
    jwk["kid"] = json!("key");
    let set = json!({ "keys": [jwk] }).to_string();
    let set = KeySet::read(set.as_bytes()).ok_or("the key is not usable")?;
    let token = token(algorithm, key)?;
    let verifier = Verifier::new(Expected {
        provider: &GENERIC,
        issuer: "https://idp.example/".into(),
        aliases: Vec::new(),
        audience: Audience::new(vec!["roomkey".into()], Vec::new(), false).ok_or("an audience")?,
        subject_claim: SUB.into(),
        subject_bytes: SUBJECT_BYTES,
        algorithms: AllowedAlgorithms::parse("RS256,PS256,ES256,ES384,EdDSA")?,
        clock_skew: Duration::from_secs(5),
    });
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
    let whole = best(|| {
        let jwt = verifier.read(black_box(&token)).ok();
        let claims = jwt.and_then(|jwt| match set.find(&jwt) {
            Lookup::Found(key) => verifier.verify(&jwt, key, now).ok(),
            Lookup::Unknown | Lookup::Unfit => None,
        });
        assert!(black_box(claims).is_some(), "a good token");
    });
    let (message, signature) = token.rsplit_once('.').ok_or("three parts")?;
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    let bare = best(|| {
        let holds = public.verify_sig(black_box(message.as_bytes()), &signature);
        assert!(holds.is_ok(), "a good signature");
    });
    Ok((whole, bare))
}

/// A token with the claims of a typical access token.
fn token(algorithm: Algorithm, key: &EncodingKey) -> Result<String, Failure> {
    let header = json!({ "alg": algorithm, "typ": "at+jwt", "kid": "key" });
    let claims = json!({
        "iss": "https://idp.example/", "sub": "user-1", "aud": ["roomkey", "userinfo"],
        "exp": NOW + 300, "iat": NOW, "nbf": NOW, "jti": "4f1g2h3j", "scope": "openid email profile",
        "client_id": "web", "email": "ada@example.com", "email_verified": true,
        "name": "Ada Lovelace", "picture": "https://idp.example/ada.png",
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm)?;
    Ok(format!("{message}.{signature}"))
}

/// Microseconds per call in the fastest batch.
fn best(mut call: impl FnMut()) -> f64 {
    let batch = |_| {
        let started = Instant::now();
        (0..PER_BATCH).for_each(|_| call());
        started.elapsed().as_secs_f64() * 1e6 / f64::from(PER_BATCH)
    };
    (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min)
}
