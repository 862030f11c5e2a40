//! One key of a key set, usable or not.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{self, Algorithm};
use super::public_key::PublicKey;

/// Bits of an RSA modulus: from the minimum of [RFC 7518 §3.3] to the maximum of aws-lc.
///
/// [RFC 7518 §3.3]: https://www.rfc-editor.org/rfc/rfc7518#section-3.3
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Maximum length of an RSA exponent in bytes. Each bit of it costs time.
const RSA_EXPONENT_BYTES: usize = 5;

/// A public key that may verify signatures.
#[derive(Clone)]
pub struct Jwk {
    kid: Option<String>,
    thumbprint: Option<String>,
    /// The algorithm that the issuer restricts the key to, if it does.
    alg: Option<Algorithm>,
    family: Family,
    public: PublicKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Jwk {
    /// Parses a key in the form of [RFC 7517]; `None` if it cannot or must not verify signatures.
    ///
    /// It must state its type (`kty`, `crv`), be intended for signatures (`use`, `key_ops`, `alg`),
    /// contain no private or symmetric part, be strong enough and, for curves, be a point of its
    /// curve. Unknown fields and certificates are ignored.
    ///
    /// [RFC 7517]: https://www.rfc-editor.org/rfc/rfc7517
    pub fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let kid = optional_text(jwk, "kid").ok()?;
        let thumbprint = optional_text(jwk, "x5t").ok()?;
        let alg = match optional_text(jwk, "alg").ok()? {
            Some(name) => Some(algorithm::by_name(name)?),
            None => None,
        };
        let is_for_signatures =
            optional_text(jwk, "use").ok()?.is_none_or(|purpose| purpose == "sig")
                && may_verify(jwk.get("key_ops"));
        let is_public = !["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
            .iter()
            .any(|private| jwk.contains_key(*private));
        if !is_for_signatures || !is_public {
            return None;
        }
        let (family, public) = match jwk.get("kty")?.as_str()? {
            "RSA" => (Family::Rsa, rsa(jwk)?),
            "EC" => ec(jwk)?,
            "OKP" => (Family::Ed25519, ed25519(jwk)?),
            _ => return None,
        };
        let key = Self {
            kid: kid.map(str::to_owned),
            thumbprint: thumbprint.map(str::to_owned),
            alg,
            family,
            public,
        };
        // A key restricted to an algorithm of another kind can verify nothing.
        alg.is_none_or(|alg| key.family.fits(alg)).then_some(key)
    }

    /// The key's name in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The thumbprint of the key's certificate, `x5t`
    /// ([RFC 7517 §4.8](https://www.rfc-editor.org/rfc/rfc7517#section-4.8)), as it is published.
    pub fn thumbprint(&self) -> Option<&str> {
        self.thumbprint.as_deref()
    }

    /// Whether the key may verify signatures of `algorithm`.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.family.fits(algorithm) && self.alg.is_none_or(|own| own == algorithm)
    }

    /// Whether `signature`, as bytes, is the key's signature of `message` by `algorithm`. The first call
    /// for an algorithm takes up to 1.5 times as long.
    pub fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.public.verifies(algorithm, message, signature)
    }
}

impl Family {
    fn fits(self, algorithm: Algorithm) -> bool {
        match self {
            Self::Rsa => algorithm::is_rsa(algorithm),
            Self::P256 => algorithm == Algorithm::ES256,
            Self::P384 => algorithm == Algorithm::ES384,
            Self::Ed25519 => algorithm == Algorithm::EdDSA,
        }
    }
}

/// Returns a field that is a string or absent; an error if it is anything else.
fn optional_text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Result<Option<&'a str>, ()> {
    jwk.get(member).map(|value| value.as_str().ok_or(())).transpose()
}

/// Whether `key_ops` ([RFC 7517 §4.3](https://www.rfc-editor.org/rfc/rfc7517#section-4.3)), if
/// present, lists `verify`.
fn may_verify(key_ops: Option<&Value>) -> bool {
    match key_ops {
        None => true,
        Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
        Some(_) => false,
    }
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(jwk.get(member)?.as_str()?).ok()
}

fn rsa(jwk: &Map<String, Value>) -> Option<PublicKey> {
    let modulus = bytes(jwk, "n")?;
    let exponent = bytes(jwk, "e")?;
    // Some issuers publish the sign byte of their big-number library.
    let modulus = without_leading_zeros(&modulus);
    let exponent = without_leading_zeros(&exponent);
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte & 1 == 1);
    let is_sound = RSA_BITS.contains(&bits)
        && is_odd(modulus)
        && is_odd(exponent)
        && exponent != [1]
        && exponent.len() <= RSA_EXPONENT_BYTES;
    is_sound.then(|| PublicKey::rsa(modulus, exponent))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

type Curve = (Family, usize, fn(&[u8]) -> Option<PublicKey>);

fn ec(jwk: &Map<String, Value>) -> Option<(Family, PublicKey)> {
    let (family, size, read): Curve = match jwk.get("crv")?.as_str()? {
        "P-256" => (Family::P256, 32, PublicKey::p256),
        "P-384" => (Family::P384, 48, PublicKey::p384),
        _ => return None,
    };
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != size || y.len() != size {
        return None;
    }
    let mut point = Vec::with_capacity(1 + 2 * size);
    point.push(4); // uncompressed, SEC 1 §2.3.3
    point.extend_from_slice(&x);
    point.extend_from_slice(&y);
    Some((family, read(&point)?))
}

fn ed25519(jwk: &Map<String, Value>) -> Option<PublicKey> {
    let x = bytes(jwk, "x")?;
    let is_sound =
        jwk.get("crv")?.as_str()? == "Ed25519" && x.len() == 32 && !is_of_small_order(&x);
    if is_sound { PublicKey::ed25519(&x) } else { None }
}

/// Whether an Ed25519 key is one of the few points that verify signatures made without a private key
/// ([RFC 8032 §8.4](https://www.rfc-editor.org/rfc/rfc8032#section-8.4) leaves the check to the
/// application): y is 0, 1, p - 1, p or p + 1, or the point has order 8. The sign does not matter.
fn is_of_small_order(x: &[u8]) -> bool {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let [first, middle @ .., last] = x else { return true };
    let last = last & 0x7f;
    let is_all = |value| middle.iter().all(|byte| *byte == value);
    let is_near_zero = *first <= 1 && is_all(0) && last == 0;
    let is_near_p = (0xec..=0xee).contains(first) && is_all(0xff) && last == 0x7f;
    let is_order_8 = ORDER_8.iter().any(|point| x[..31] == point[..31] && last == point[31]);
    is_near_zero || is_near_p || is_order_8
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The points that libsodium refuses (`has_small_order` in `ed25519_ref10.c`), and neighbors.
    #[test]
    fn ed25519_key_of_small_order_is_rejected() {
        let near_p = |first: &str| format!("{first}{}7f", "ff".repeat(30));
        let order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
        let rows = [
            ("00".repeat(32), false),
            (format!("01{}", "00".repeat(31)), false),
            (format!("01{}80", "00".repeat(30)), false),
            (format!("02{}", "00".repeat(31)), true),
            (near_p("ec"), false),
            (near_p("ed"), false),
            (near_p("ee"), false),
            (near_p("ee").replace("7f", "ff"), false),
            (order_8.to_owned(), false),
            (order_8.replace("fc05", "fc85"), false),
            ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(), false),
            // RFC 8032 §7.1, test 1.
            ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned(), true),
        ];
        for (hex, expected) in rows {
            let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let x: Vec<u8> = (0..64).step_by(2).map(byte).collect();
            let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(x) });
            assert_eq!(Jwk::read(jwk.as_object().unwrap()).is_some(), expected, "{hex}");
        }
    }
}
