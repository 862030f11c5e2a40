//! The keys of `tests/keys`, as an issuer signs with them and as it publishes them.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::tokens::encode_part;

static RSA: LazyLock<Secret> = LazyLock::new(|| Secret::rsa(include_bytes!("../keys/rsa.der")));
static RSA_NEXT: LazyLock<Secret> =
    LazyLock::new(|| Secret::rsa(include_bytes!("../keys/rsa-next.der")));
static RSA_STRANGER: LazyLock<Secret> =
    LazyLock::new(|| Secret::rsa(include_bytes!("../keys/rsa-stranger.der")));
static EVENTS: LazyLock<Secret> =
    LazyLock::new(|| Secret::rsa(include_bytes!("../keys/events.der")));
static P256: LazyLock<Secret> =
    LazyLock::new(|| Secret::ecdsa(include_bytes!("../keys/p256.der"), Algorithm::ES256));
static P384: LazyLock<Secret> =
    LazyLock::new(|| Secret::ecdsa(include_bytes!("../keys/p384.der"), Algorithm::ES384));
static ED25519: LazyLock<Secret> =
    LazyLock::new(|| Secret::ed25519(include_bytes!("../keys/ed25519.der")));

/// A private key, parsed once: checking an RSA key takes longer than hundreds of signatures.
struct Secret {
    pair: Pair,
    /// The public half as a JWK.
    jwk: Value,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Secret {
    fn rsa(der: &[u8]) -> Self {
        let pair = Pair::Rsa(RsaKeyPair::from_der(der).expect("an RSA key"));
        Self { pair, jwk: jwk(&EncodingKey::from_rsa_der(der), Algorithm::RS256) }
    }

    fn ecdsa(der: &[u8], algorithm: Algorithm) -> Self {
        let curve = match algorithm {
            Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &ECDSA_P384_SHA384_FIXED_SIGNING,
        };
        let pair = Pair::Ecdsa(EcdsaKeyPair::from_pkcs8(curve, der).expect("an EC key"));
        Self { pair, jwk: jwk(&EncodingKey::from_ec_der(der), algorithm) }
    }

    fn ed25519(der: &[u8]) -> Self {
        let pair = Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).expect("an Ed25519 key"));
        Self { pair, jwk: jwk(&EncodingKey::from_ed_der(der), Algorithm::EdDSA) }
    }

    fn sign(&self, message: &[u8], algorithm: Algorithm) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding = match algorithm {
                    Algorithm::RS256 => &RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &RSA_PKCS1_SHA512,
                    Algorithm::PS256 => &RSA_PSS_SHA256,
                    Algorithm::PS384 => &RSA_PSS_SHA384,
                    Algorithm::PS512 => &RSA_PSS_SHA512,
                    _ => panic!("{algorithm:?} is not of RSA"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Pair::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn jwk(secret: &EncodingKey, algorithm: Algorithm) -> Value {
    let jwk = Jwk::from_encoding_key(secret, algorithm).expect("a readable key");
    serde_json::to_value(jwk).unwrap()
}

/// A private key with its `kid` and its algorithm.
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    secret: &'static Secret,
}

impl Key {
    /// The issuer's usual key.
    pub(crate) fn rsa() -> Self {
        Self::rsa_as("rsa", Algorithm::RS256)
    }

    /// The issuer's usual RSA key with another `kid` and algorithm.
    pub(crate) fn rsa_as(kid: &'static str, algorithm: Algorithm) -> Self {
        Self { kid, algorithm, secret: &RSA }
    }

    /// The key that the issuer rotates to.
    pub(crate) fn rsa_next() -> Self {
        Self { kid: "rsa-next", algorithm: Algorithm::RS256, secret: &RSA_NEXT }
    }

    /// A key that no issuer publishes, with the `kid` of the usual one.
    pub(crate) fn stranger() -> Self {
        Self { kid: "rsa", algorithm: Algorithm::RS256, secret: &RSA_STRANGER }
    }

    /// ECDSA on P-256.
    pub(crate) fn p256() -> Self {
        Self { kid: "p256", algorithm: Algorithm::ES256, secret: &P256 }
    }

    /// ECDSA on P-384.
    pub(crate) fn p384() -> Self {
        Self { kid: "p384", algorithm: Algorithm::ES384, secret: &P384 }
    }

    /// Ed25519.
    pub(crate) fn ed25519() -> Self {
        Self { kid: "ed25519", algorithm: Algorithm::EdDSA, secret: &ED25519 }
    }

    /// The key of `events/`, which signs nothing else.
    pub(crate) fn events() -> Self {
        Self { kid: "events", algorithm: Algorithm::RS256, secret: &EVENTS }
    }

    /// The public half, as a key set contains it.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = self.secret.jwk.clone();
        jwk["alg"] = json!(self.algorithm);
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The JOSE header that goes with this key.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.kid })
    }

    /// A token of exactly this header and payload, JSON or not.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode_part(header), encode_part(payload));
        let signature = self.secret.sign(message.as_bytes(), self.algorithm);
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// The public half of an RSA key of 1,024 bits, and a token of it that is otherwise valid.
pub(crate) fn weak() -> (Value, &'static str) {
    let jwk = serde_json::from_str(include_str!("../keys/rsa-1024.jwk.json")).unwrap();
    (jwk, include_str!("../keys/rsa-1024.jwt"))
}

/// A key set document of these keys.
pub(crate) fn key_set(keys: &[&Key]) -> Value {
    json!({ "keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>() })
}

/// `message` with its HMAC, which `jsonwebtoken` would not make with an empty secret.
pub(crate) fn with_hmac(message: &str, secret: &str, algorithm: Algorithm) -> String {
    let hash = match algorithm {
        Algorithm::HS256 => hmac::HMAC_SHA256,
        Algorithm::HS384 => hmac::HMAC_SHA384,
        Algorithm::HS512 => hmac::HMAC_SHA512,
        _ => panic!("{algorithm:?} is not an HMAC"),
    };
    let signature = hmac::sign(&hmac::Key::new(hash, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}
