//! The people who ask, the tokens they bring, and the check of what they get.

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
use crate::runtime::Event;

pub const SECRET_ID: &str = "bench/livekit";
pub const SERVER_URL: &str = "wss://sfu.example";
pub const API_KEY: &str = "APIbenchbench";
pub const API_SECRET: &str = "bench-secret-of-more-than-thirty-two-bytes";
pub const AUDIENCE: &str = "bench";
pub const ORIGIN: &str = "https://app.example";
/// So many people that no function can do well by remembering the last one.
pub const PEOPLE: usize = 256;
const ROOM: &str = "standup";

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

/// The identity provider's keys, one of each kind.
pub struct Issuer {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

/// One request and who sends it.
pub struct Request {
    pub event: Event,
    pub email: String,
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
        // An uncompressed point: 4, then both coordinates.
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

    fn sign(&self, alg: Alg, message: &[u8]) -> Result<Vec<u8>, Failure> {
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let header = json!({"alg": alg.name(), "typ": "JWT", "kid": alg.name()});
        let claims = json!({
            "iss": issuer, "aud": AUDIENCE, "sub": format!("user_2abcdefghijklmnop{who:05}"),
            "iat": now, "nbf": now, "exp": now + 3600, "jti": format!("9f1c0e5b7a2d4{who:05}"),
            "azp": ORIGIN, "sid": "sess_2abcdefghijklmnopqrstuvwxyz", "email": email(who),
            "email_verified": true, "name": format!("Ada Lovelace {who}"),
            "picture": format!("https://img.example/avatars/{who:05}.png"),
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(&header), part(&claims));
        let signature = self.sign(alg, message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// As many requests as `count`, each by another person, so that no answer can be remembered.
    pub fn requests(&self, alg: Alg, issuer: &str, count: usize) -> Result<Vec<Request>, Failure> {
        let request = |who| {
            let event = event(&self.token(alg, issuer, who)?);
            Ok(Request { event, email: email(who) })
        };
        (0..count).map(request).collect()
    }

    /// A request whose token was changed after it was signed.
    pub fn tampered(&self, alg: Alg, issuer: &str) -> Result<Event, Failure> {
        let (good, other) = (self.token(alg, issuer, 1)?, self.token(alg, issuer, 2)?);
        let mut parts: Vec<&str> = good.split('.').collect();
        parts[1] = other.split('.').nth(1).ok_or("no claims")?;
        Ok(event(&parts.join(".")))
    }

    /// What checking one token's signature takes, and nothing else.
    pub fn bare_verification(&self, alg: Alg) -> Result<BareVerification, Failure> {
        let message = vec![b'm'; 700];
        let signature = self.sign(alg, &message)?;
        let key = match alg {
            Alg::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.rsa.public_key())?,
            Alg::Es256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.ec.public_key())?,
        };
        Ok(BareVerification { key, message, signature })
    }
}

/// A key, a message of a token's length, and its signature.
pub struct BareVerification {
    key: ParsedPublicKey,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl BareVerification {
    /// CPU time of checking it once.
    pub fn run(&self) -> Result<Duration, Failure> {
        let before: Duration = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into();
        self.key.verify_sig(std::hint::black_box(&self.message), &self.signature)?;
        let after: Duration = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?.into();
        Ok(after.saturating_sub(before))
    }
}

fn email(who: usize) -> String {
    format!("ada.{who:05}@people.example")
}

/// `POST /token` as a browser sends it and an HTTP API hands it on (payload format 2.0).
fn event(token: &str) -> Event {
    let body = json!({"room_name": ROOM}).to_string();
    let event = json!({
        "version": "2.0",
        "routeKey": "POST /token",
        "rawPath": "/token",
        "rawQueryString": "",
        "headers": {
            "accept": "*/*",
            "accept-encoding": "gzip, deflate, br, zstd",
            "accept-language": "en-GB,en;q=0.9",
            "authorization": format!("Bearer {token}"),
            "content-length": body.len().to_string(),
            "content-type": "application/json",
            "host": "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
            "origin": ORIGIN,
            "referer": format!("{ORIGIN}/"),
            "sec-ch-ua": "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"",
            "sec-ch-ua-mobile": "?0",
            "sec-ch-ua-platform": "\"Linux\"",
            "sec-fetch-dest": "empty",
            "sec-fetch-mode": "cors",
            "sec-fetch-site": "cross-site",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "r3pmxmplak",
            "domainName": "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "r3pmxmplak",
            "http": {
                "method": "POST",
                "path": "/token",
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "POST /token",
            "stage": "$default",
            "time": "10/Mar/2026:05:16:23 +0000",
            "timeEpoch": 1_773_119_783_636_u64,
        },
        "body": body,
        "isBase64Encoded": false,
    });
    Event::new(&event.to_string())
}

/// Whether an answer is a 201 with a good token for the person who asked.
pub fn check(answer: &[u8], email: &str) -> Result<(), Failure> {
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
        (claims["sub"] == email, "sub"),
        (claims["video"]["room"] == ROOM, "video.room"),
        (claims["video"]["roomJoin"] == true, "video.roomJoin"),
    ];
    wanted
        .iter()
        .find(|(good, _)| !good)
        .map_or(Ok(()), |(_, what)| Err(format!("{what} is not as it must be: {body}").into()))
}

/// Whether an answer is the 401 that a tampered token must get.
pub fn check_refused(answer: &[u8]) -> Result<(), Failure> {
    let answer: Value = serde_json::from_slice(answer)?;
    if answer["statusCode"] != 401 {
        return Err(format!("a tampered token got: {answer}").into());
    }
    Ok(())
}
