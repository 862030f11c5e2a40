//! People, their access tokens, and the check of the responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nix::time::ClockId;
use serde_json::{Value, json};

use crate::Failure;
use crate::events::{ORIGIN, event};
use crate::runtime::Event;

pub const SECRET_ID: &str = "bench/livekit";
pub const SERVER_URL: &str = "wss://sfu.example";
pub const API_KEY: &str = "APIbenchbench";
pub const API_SECRET: &str = "bench-secret-of-more-than-thirty-two-bytes";
pub const AUDIENCE: &str = "bench";
/// Number of people, large enough that caching the last one does not help.
pub const PEOPLE: usize = 256;
pub const ROOM: &str = "standup";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alg {
    Rs256,
    Es256,
}

impl Alg {
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// Keys of the identity provider, one of each kind.
pub struct Issuer {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

/// Request with its caller and room.
pub struct Request {
    pub event: Event,
    pub email: String,
    pub room: String,
}

impl Request {
    pub fn new(token: &str, email: String, room: &str) -> Self {
        Self { event: event(token, room), email, room: room.to_owned() }
    }
}

impl Issuer {
    pub fn new() -> Result<Self, Failure> {
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        Ok(Self { rsa, ec })
    }

    pub fn jwks(&self) -> String {
        let rsa = self.rsa.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // An uncompressed point consists of the byte 4 and both coordinates.
        let point = self.ec.public_key().as_ref();
        json!({"keys": [
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "RS256",
             "n": number(rsa.modulus().big_endian_without_leading_zero()),
             "e": number(rsa.exponent().big_endian_without_leading_zero())},
            {"kty": "EC", "use": "sig", "alg": "ES256", "kid": "ES256", "crv": "P-256",
             "x": number(&point[1..33]), "y": number(&point[33..])},
        ]})
        .to_string()
    }

    pub fn sign(&self, alg: Alg, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let random = SystemRandom::new();
        Ok(match alg {
            Alg::Rs256 => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
            Alg::Es256 => self.ec.sign(&random, message)?.as_ref().to_vec(),
        })
    }

    fn token(&self, alg: Alg, issuer: &str, who: usize) -> Result<String, Failure> {
        compact(alg, alg.name(), &claims(issuer, who)?, |message| self.sign(alg, message))
    }

    /// Returns `count` requests by different people, so that no response can be cached.
    pub fn requests(&self, alg: Alg, issuer: &str, count: usize) -> Result<Vec<Request>, Failure> {
        let request = |who| Ok(Request::new(&self.token(alg, issuer, who)?, email(who), ROOM));
        (0..count).map(request).collect()
    }

    /// Returns a request whose token was changed after it was signed.
    pub fn tampered(&self, alg: Alg, issuer: &str) -> Result<Event, Failure> {
        let (good, other) = (self.token(alg, issuer, 1)?, self.token(alg, issuer, 2)?);
        let mut parts: Vec<&str> = good.split('.').collect();
        parts[1] = other.split('.').nth(1).ok_or("no claims")?;
        Ok(event(&parts.join("."), ROOM))
    }

    /// Returns the bare check of a token's signature, for measurement.
    pub fn bare_verification(&self, alg: Alg) -> Result<BareVerification, Failure> {
        let signed = (0..PEOPLE).map(|who| {
            let message = format!("{who:0700}").into_bytes();
            let signature = self.sign(alg, &message)?;
            Ok::<_, Failure>((message, signature))
        });
        let signed = signed.collect::<Result<_, _>>()?;
        let key = match alg {
            Alg::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.rsa.public_key())?,
            Alg::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.ec.public_key())?,
        };
        Ok(BareVerification { key, signed })
    }
}

/// Key with messages of a token's length and their signatures, one per person. A core predicts the
/// branches of a repeated ECDSA signature, whose check then takes a sixth less time.
pub struct BareVerification {
    key: ParsedPublicKey,
    signed: Vec<(Vec<u8>, Vec<u8>)>,
}

impl BareVerification {
    /// Returns the CPU time of checking the signature of the `turn`-th message.
    pub fn run(&self, turn: usize) -> Result<Duration, Failure> {
        let (message, signature) = &self.signed[turn % self.signed.len()];
        let before: Duration = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into();
        self.key.verify_sig(std::hint::black_box(message), signature)?;
        let after: Duration = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into();
        Ok(after.saturating_sub(before))
    }
}

pub fn email(who: usize) -> String {
    format!("ada.{who:05}@people.example")
}

/// Returns the claims of one person, valid for an hour.
pub fn claims(issuer: &str, who: usize) -> Result<Value, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(json!({
        "iss": issuer, "aud": AUDIENCE, "sub": format!("user_2abcdefghijklmnop{who:05}"),
        "iat": now, "nbf": now, "exp": now + 3600, "jti": format!("9f1c0e5b7a2d4{who:05}"),
        "azp": ORIGIN, "sid": "sess_2abcdefghijklmnopqrstuvwxyz", "email": email(who),
        "email_verified": true, "name": format!("Ada Lovelace {who}"),
        "picture": format!("https://img.example/avatars/{who:05}.png"),
    }))
}

/// Signs a token with these claims.
pub fn compact(
    alg: Alg,
    kid: &str,
    claims: &Value,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failure>,
) -> Result<String, Failure> {
    let header = json!({"alg": alg.name(), "typ": "JWT", "kid": kid});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(claims));
    let signature = sign(message.as_bytes())?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Checks that a response is a 201 with a valid token for the caller.
pub fn check(answer: &[u8], asked: &Request) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(answer)?;
    if answer["statusCode"] != 201 {
        return Err(format!("not a 201: {answer}").into());
    }
    let body = answer["body"].as_str().ok_or("no body")?;
    let body: Value = if answer["isBase64Encoded"] == true {
        serde_json::from_slice(&base64::engine::general_purpose::STANDARD.decode(body)?)?
    } else {
        serde_json::from_str(body)?
    };
    let token = body["participant_token"].as_str().ok_or("no participant_token")?;
    let (message, signature) = token.rsplit_once('.').ok_or("not a JWT")?;
    let (header, claims) = message.split_once('.').ok_or("not a JWT")?;
    let json = |part: &str| -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part)?)?)
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, API_SECRET.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    hmac::verify(&key, message.as_bytes(), &signature)
        .map_err(|_| "the token is not signed with the API secret")?;
    let claims = json(claims)?;
    let wanted = [
        (json(header)?["alg"] == "HS256", "alg"),
        (body["server_url"] == SERVER_URL, "server_url"),
        (claims["iss"] == API_KEY, "iss"),
        (claims["sub"] == asked.email.as_str(), "sub"),
        (claims["video"]["room"] == asked.room.as_str(), "video.room"),
        (claims["video"]["roomJoin"] == true, "video.roomJoin"),
    ];
    wanted
        .iter()
        .find(|(good, _)| !good)
        .map_or(Ok(()), |(_, what)| Err(format!("{what} is not as it must be: {body}").into()))
}

/// Checks that a response is the 401 for a tampered token.
pub fn check_refused(answer: &[u8]) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(answer)?;
    if answer["statusCode"] != 401 {
        return Err(format!("a tampered token got: {answer}").into());
    }
    Ok(())
}
