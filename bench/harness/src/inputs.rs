//! Growing inputs of the curves: key sets, claims, policies.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Failure;
use crate::random::Random;
use crate::tokens::{Alg, Issuer, PEOPLE, ROOM, Request, claims, compact, email};

/// Keys on P-256, because a thousand RSA keys would exceed the size limit of key sets.
pub struct KeySet(Vec<EcdsaKeyPair>);

impl KeySet {
    pub fn new(count: usize) -> Result<Self, Failure> {
        let key = |_| Ok(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?);
        (0..count).map(key).collect::<Result<_, Failure>>().map(Self)
    }

    pub fn jwks(&self) -> String {
        let key = |(at, key): (usize, &EcdsaKeyPair)| {
            // An uncompressed point consists of the byte 4 and both coordinates.
            let point = key.public_key().as_ref();
            let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({"kty": "EC", "crv": "P-256", "kid": kid(at),
                "x": number(&point[1..33]), "y": number(&point[33..])})
        };
        let keys: Vec<Value> = self.0.iter().enumerate().map(key).collect();
        json!({ "keys": keys }).to_string()
    }

    /// Returns requests with tokens by keys from the whole set.
    pub fn requests(&self, issuer: &str) -> Result<Vec<Request>, Failure> {
        let (mut random, system) = (Random::new(), SystemRandom::new());
        let request = |who| {
            let at = random.below(self.0.len());
            let sign = |message: &[u8]| Ok(self.0[at].sign(&system, message)?.as_ref().to_vec());
            let token = compact(Alg::Es256, &kid(at), &claims(issuer, who)?, sign)?;
            Ok(Request::new(&token, email(who), ROOM))
        };
        (0..PEOPLE).map(request).collect()
    }
}

fn kid(at: usize) -> String {
    format!("k{at:04}")
}

/// Kind of additional claims.
#[derive(Clone, Copy)]
pub enum Filling {
    /// One long claim.
    OneText,
    /// Many claims of about 20 bytes each.
    ManyClaims,
}

impl Filling {
    /// Returns requests whose tokens contain `bytes` of additional claims.
    pub fn requests(
        self,
        bytes: usize,
        issuer: &Issuer,
        address: &str,
    ) -> Result<Vec<Request>, Failure> {
        let request = |who| {
            let mut claims = claims(address, who)?;
            let usual = claims.to_string().len();
            self.fill(&mut claims, usual + bytes);
            let sign = |message: &[u8]| issuer.sign(Alg::Es256, message);
            let token = compact(Alg::Es256, Alg::Es256.name(), &claims, sign)?;
            Ok(Request::new(&token, email(who), ROOM))
        };
        (0..PEOPLE).map(request).collect()
    }

    /// Fills claims up to a length of `wanted`, or one claim less.
    fn fill(self, claims: &mut Value, wanted: usize) {
        let usual = claims.to_string().len();
        let mut length = usual;
        let mut put = |name: String, text: String| {
            // Length of quotes, colon and comma.
            let more = name.len() + text.len() + 6;
            let fits = length + more <= wanted;
            if fits {
                claims[name] = Value::String(text);
                length += more;
            }
            fits
        };
        match self {
            Self::OneText => {
                let room = wanted.saturating_sub(usual + 7);
                put("x".to_owned(), "y".repeat(room));
            }
            Self::ManyClaims => {
                let mut at = 0;
                while put(format!("claim{at:04}"), "value".to_owned()) {
                    at += 1;
                }
            }
        }
    }
}

/// Reason for which only the last rule of a policy applies.
#[derive(Clone, Copy)]
pub enum Miss {
    Claims,
    Rooms,
}

impl Miss {
    /// Returns a policy with this number of rules, of which the last one decides.
    pub fn policy(self, rules: usize) -> String {
        let rule = |at| match self {
            Self::Claims => format!(
                "[[allow]]\nwhen={{\"name\"=\"Grace Hopper {at}\"}}\nrooms=[\"*\"]\nrole=\"host\"\n"
            ),
            Self::Rooms => format!("[[allow]]\nrooms=[\"{{sub}}-{at}:*\"]\nrole=\"host\"\n"),
        };
        let last = "[[allow]]\nrooms=[\"*\"]\nrole=\"participant\"\n".to_owned();
        (1..rules).map(rule).chain([last]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_set_of_a_thousand_keys_is_within_the_size_limit() {
        let set = KeySet::new(1000).unwrap().jwks();
        assert!(set.len() < 150_000, "{}", set.len());
    }

    #[test]
    fn claims_are_filled_to_the_size_of_one_field() {
        for filling in [Filling::OneText, Filling::ManyClaims] {
            for bytes in [1, 100, 10_000] {
                let mut claims = json!({"sub": "s"});
                let usual = claims.to_string().len();
                filling.fill(&mut claims, usual + bytes);
                let more = claims.to_string().len() - usual;
                assert!(more <= bytes && bytes - more < 24, "{bytes}: {more}");
            }
        }
    }

    #[test]
    fn policy_has_the_requested_number_of_rules() {
        for miss in [Miss::Claims, Miss::Rooms] {
            assert_eq!(miss.policy(200).matches("[[allow]]").count(), 200);
            assert!(miss.policy(1).contains("participant"));
        }
    }
}
