//! A public key, parsed once for each algorithm. Parsing an RSA key takes a third of the time of a
//! verification.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};

use super::algorithm::Algorithm;

/// A public key. Clones share the parsed form.
#[derive(Clone)]
pub(super) enum PublicKey {
    Rsa(Arc<RsaKey>),
    /// A curve has one algorithm.
    Curve(Arc<ParsedPublicKey>),
}

/// One key for six algorithms. An issuer's tokens usually have one of them.
pub(super) struct RsaKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    parsed: [OnceLock<Option<ParsedPublicKey>>; RSA.len()],
}

/// RSA's algorithms, in the order of [`RsaKey::parsed`].
const RSA: [(Algorithm, &RsaParameters); 6] = [
    (Algorithm::RS256, &RSA_PKCS1_2048_8192_SHA256),
    (Algorithm::RS384, &RSA_PKCS1_2048_8192_SHA384),
    (Algorithm::RS512, &RSA_PKCS1_2048_8192_SHA512),
    (Algorithm::PS256, &RSA_PSS_2048_8192_SHA256),
    (Algorithm::PS384, &RSA_PSS_2048_8192_SHA384),
    (Algorithm::PS512, &RSA_PSS_2048_8192_SHA512),
];

impl PublicKey {
    /// Constructs a key from modulus and exponent without leading zeros.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Self {
        let (modulus, exponent) = (modulus.to_vec(), exponent.to_vec());
        Self::Rsa(Arc::new(RsaKey { modulus, exponent, parsed: Default::default() }))
    }

    /// Parses an uncompressed point of P-256 ([SEC 1 §2.3.3](https://www.secg.org/sec1-v2.pdf)); `None`
    /// if it is not on the curve.
    pub(super) fn p256(point: &[u8]) -> Option<Self> {
        Self::curve(ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point))
    }

    /// Parses an uncompressed point of P-384; `None` if it is not on the curve.
    pub(super) fn p384(point: &[u8]) -> Option<Self> {
        Self::curve(ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point))
    }

    /// Parses the 32 bytes of an Ed25519 key.
    pub(super) fn ed25519(x: &[u8]) -> Option<Self> {
        Self::curve(ParsedPublicKey::new(&ED25519, x))
    }

    fn curve<E>(parsed: Result<ParsedPublicKey, E>) -> Option<Self> {
        parsed.ok().map(|parsed| Self::Curve(Arc::new(parsed)))
    }

    /// Whether `signature` is the key's signature of `message` by `algorithm`, which must be one of its
    /// own.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = match self {
            Self::Rsa(key) => key.parsed(algorithm),
            Self::Curve(key) => Some(&**key),
        };
        key.is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

impl RsaKey {
    fn parsed(&self, algorithm: Algorithm) -> Option<&ParsedPublicKey> {
        let place = RSA.iter().position(|(known, _)| *known == algorithm)?;
        let parse = || {
            let components = RsaPublicKeyComponents { n: &self.modulus, e: &self.exponent };
            components.to_parsed_public_key(RSA[place].1).ok()
        };
        self.parsed[place].get_or_init(parse).as_ref()
    }
}
