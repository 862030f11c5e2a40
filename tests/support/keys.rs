//! The keys of `tests/keys`, as an issuer signs with them and as it publishes them.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::tokens::encode_part;

/// A private key with the name and the algorithm it is used under.
pub(crate) struct Key {
    pub(crate) kid: &'static str,
    pub(crate) algorithm: Algorithm,
    secret: EncodingKey,
}

impl Key {
    /// The issuer's usual key.
    pub(crate) fn rsa() -> Self {
        Self::rsa_as("rsa", Algorithm::RS256)
    }

    /// The issuer's usual RSA key under another name and algorithm.
    pub(crate) fn rsa_as(kid: &'static str, algorithm: Algorithm) -> Self {
        let secret = EncodingKey::from_rsa_der(include_bytes!("../keys/rsa.der"));
        Self { kid, algorithm, secret }
    }

    /// The key the issuer rotates to.
    pub(crate) fn rsa_next() -> Self {
        let secret = EncodingKey::from_rsa_der(include_bytes!("../keys/rsa-next.der"));
        Self { kid: "rsa-next", algorithm: Algorithm::RS256, secret }
    }

    /// A key that no issuer publishes, under the name of the usual one.
    pub(crate) fn stranger() -> Self {
        let secret = EncodingKey::from_rsa_der(include_bytes!("../keys/rsa-stranger.der"));
        Self { kid: "rsa", algorithm: Algorithm::RS256, secret }
    }

    /// ECDSA on P-256.
    pub(crate) fn p256() -> Self {
        let secret = EncodingKey::from_ec_der(include_bytes!("../keys/p256.der"));
        Self { kid: "p256", algorithm: Algorithm::ES256, secret }
    }

    /// ECDSA on P-384.
    pub(crate) fn p384() -> Self {
        let secret = EncodingKey::from_ec_der(include_bytes!("../keys/p384.der"));
        Self { kid: "p384", algorithm: Algorithm::ES384, secret }
    }

    /// Ed25519.
    pub(crate) fn ed25519() -> Self {
        let secret = EncodingKey::from_ed_der(include_bytes!("../keys/ed25519.der"));
        Self { kid: "ed25519", algorithm: Algorithm::EdDSA, secret }
    }

    /// The key of `events/`, which signs nothing else.
    pub(crate) fn events() -> Self {
        let secret = EncodingKey::from_rsa_der(include_bytes!("../keys/events.der"));
        Self { kid: "events", algorithm: Algorithm::RS256, secret }
    }

    /// The public half, as a key set shows it.
    pub(crate) fn jwk(&self) -> Value {
        let jwk = Jwk::from_encoding_key(&self.secret, self.algorithm).expect("a readable key");
        let mut jwk = serde_json::to_value(jwk).unwrap();
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The JOSE header that goes with this key.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.algorithm, "typ": "JWT", "kid": self.kid })
    }

    /// A token of exactly these texts, JSON or not.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode_part(header), encode_part(payload));
        let signature = crypto::sign(message.as_bytes(), &self.secret, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A token with this header and these claims.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// The public half of an RSA key of 1,024 bits, and a token by it that is good but for that.
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
