//! Verification of a token with a key as of a given time. No I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::AllowedAlgorithms;
use super::audience::Audience;
use super::claims::VerifiedClaims;
use super::error::VerifyError;
use super::jwk::Jwk;
use super::jwt::UnverifiedJwt;
use super::provider::Provider;
use super::token_kind;
use crate::json;
use crate::keys::shared::SharedKey;
use crate::text;

/// The default for `SUBJECT_CLAIM`.
pub const SUB: &str = "sub";

/// Maximum length of a subject in bytes
/// ([OIDC Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken): 255 ASCII characters).
pub const SUBJECT_BYTES: usize = 255;

/// Latest date of a token, in seconds: the end of the year 9999. A larger number is a mistake
/// (milliseconds) or would overflow.
const LATEST_DATE: f64 = 253_402_300_799.0;

/// Verifies access tokens against an [`Expected`] configuration. No check can be left out.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Expected,
}

/// The requirements of a [`Verifier`].
#[derive(Clone, Debug)]
pub struct Expected {
    /// The preset with the conventions of the tokens.
    pub provider: &'static Provider,
    /// The exact `iss`.
    pub issuer: String,
    /// Other spellings of `issuer` that are accepted as well.
    pub aliases: Vec<String>,
    /// The tokens that are meant for this application.
    pub audience: Audience,
    /// Path of the claim that identifies the person; [`SUB`] by default.
    pub subject_claim: String,
    /// Maximum length of the subject in bytes; [`SUBJECT_BYTES`] at most.
    pub subject_bytes: usize,
    /// Accepted signature algorithms.
    pub algorithms: AllowedAlgorithms,
    /// Leeway for dates.
    pub clock_skew: Duration,
}

/// One check of the claims, with its name in the doctor's report.
type Check = (&'static str, fn(&Expected, &Map<String, Value>, f64) -> Result<(), VerifyError>);

/// The checks of the claims, in order.
const CHECKS: &[Check] = &[
    ("issuer", |expected, claims, _| check_issuer(expected, claims)),
    ("kind of token", |expected, claims, _| {
        token_kind::check(expected.provider, claims)?;
        let has_audience = !expected.audience.audiences().is_empty();
        let is_told_apart = has_audience || token_kind::is_access_token(claims);
        expected.provider.check_claims(claims, is_told_apart)
    }),
    ("audience", |expected, claims, _| expected.audience.check_audience(claims)),
    ("authorized party", |expected, claims, _| expected.audience.check_party(claims)),
    ("expiry", check_expiry),
    ("not before, issued at", check_not_ahead),
    ("subject", |expected, claims, _| subject(expected, claims).map(drop)),
];

impl Verifier {
    /// Returns a verifier for tokens as `expected`.
    pub fn new(expected: Expected) -> Self {
        Self { expected }
    }

    /// Its requirements.
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The issuer, as configured.
    pub fn issuer(&self) -> &str {
        &self.expected.issuer
    }

    /// Whether `issuer` is this issuer, in any of its spellings.
    pub fn accepts_issuer(&self, issuer: &str) -> bool {
        self.expected.issuer == issuer || self.expected.aliases.iter().any(|alias| alias == issuer)
    }

    /// Splits `token` and parses its header.
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedJwt::read`], if the token has another form or its header is not accepted.
    pub fn read<'a>(&self, token: &'a str) -> Result<UnverifiedJwt<'a>, VerifyError> {
        UnverifiedJwt::read(token, &self.expected.algorithms, self.expected.provider)
    }

    /// Checks everything that needs no key, so that no key is fetched for text that is not a token.
    /// HS256 is accepted, since the shared secret may not be fetched yet.
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedJwt::read`].
    pub fn check_form(&self, token: &str) -> Result<(), VerifyError> {
        match self.read(token) {
            Err(VerifyError::AlgorithmNotAccepted("HS256")) => {
                let allowed = AllowedAlgorithms::hs256();
                UnverifiedJwt::read(token, &allowed, self.expected.provider).map(drop)
            }
            read => read.map(drop),
        }
    }

    /// Verifies `jwt`, signed with `key`, as of `now`. The checks, in this order:
    ///
    /// 1. The key fits the algorithm, and the signature is the key's.
    /// 2. The payload is a JSON object without duplicate fields.
    /// 3. `iss` is a string and equal to the configured issuer ([OIDC Core §3.1.3.7]).
    /// 4. The token is a person's access token, by the claims that name its kind and by the preset.
    /// 5. `aud` contains a configured audience; `azp`, `client_id`, `cid` and `appid`, as far as
    ///    present and at least one of them, are configured parties.
    /// 6. `exp` is present and in the future, `nbf` and `iat`, if present, are not, each with the
    ///    configured clock skew. All are numbers of seconds between 1970 and 9999.
    /// 7. The subject is a string of 1 to 255 bytes that can be an identity, and not a client.
    ///
    /// Costs one signature check. Claims are parsed only after it.
    ///
    /// # Errors
    ///
    /// The [`VerifyError`] of the first failed check. None of them justifies a retry with the same
    /// token.
    ///
    /// [OIDC Core §3.1.3.7]: https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
    pub fn verify(
        &self,
        jwt: &UnverifiedJwt<'_>,
        key: &Jwk,
        now: SystemTime,
    ) -> Result<VerifiedClaims, VerifyError> {
        check_signature(jwt, key)?;
        self.claims(jwt.payload()?, now)
    }

    /// Verifies `token`, signed with HS256 and the secret that the issuer shares with this
    /// application, as [`verify`](Self::verify) does. No other algorithm is accepted then.
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedJwt::read`] and [`verify`](Self::verify).
    pub fn verify_shared(
        &self,
        token: &str,
        key: &SharedKey,
        now: SystemTime,
    ) -> Result<VerifiedClaims, VerifyError> {
        let allowed = AllowedAlgorithms::hs256();
        let jwt = UnverifiedJwt::read(token, &allowed, self.expected.provider)?;
        let (signed, secret) = (jwt.signing_input().as_bytes(), key.decoding_key());
        let is_valid =
            jsonwebtoken::crypto::verify(jwt.signature(), signed, secret, jwt.algorithm());
        if !matches!(is_valid, Ok(true)) {
            return Err(VerifyError::Signature);
        }
        self.claims(jwt.payload()?, now)
    }

    fn claims(
        &self,
        claims: Map<String, Value>,
        now: SystemTime,
    ) -> Result<VerifiedClaims, VerifyError> {
        let now = seconds(now);
        for (_, check) in CHECKS {
            check(&self.expected, &claims, now)?;
        }
        let subject = subject(&self.expected, &claims)?.to_owned();
        Ok(VerifiedClaims::new(claims, subject))
    }

    /// Returns the outcome of each check of [`verify`](Self::verify) by name, for an operator who has
    /// a rejected token. The first is the signature's. If it fails, the others are left out.
    pub fn explain(
        &self,
        jwt: &UnverifiedJwt<'_>,
        key: &Jwk,
        now: SystemTime,
    ) -> Vec<(&'static str, Result<(), VerifyError>)> {
        match check_signature(jwt, key).and_then(|()| jwt.payload()) {
            Err(error) => vec![("signature", Err(error))],
            Ok(claims) => {
                let now = seconds(now);
                let outcome = |(name, check): &Check| (*name, check(&self.expected, &claims, now));
                std::iter::once(("signature", Ok(()))).chain(CHECKS.iter().map(outcome)).collect()
            }
        }
    }
}

/// Checks that `key` made the signature of `jwt`.
///
/// # Errors
///
/// - [`VerifyError::UnfitKey`] if the key is of another algorithm.
/// - [`VerifyError::Signature`] if the signature is not the key's.
pub fn check_signature(jwt: &UnverifiedJwt<'_>, key: &Jwk) -> Result<(), VerifyError> {
    if !key.fits(jwt.algorithm()) {
        return Err(VerifyError::UnfitKey);
    }
    let signed = jwt.signing_input().as_bytes();
    let signature = URL_SAFE_NO_PAD.decode(jwt.signature()).map_err(|_| VerifyError::Signature)?;
    let is_valid = key.verifies(jwt.algorithm(), signed, &signature);
    if is_valid { Ok(()) } else { Err(VerifyError::Signature) }
}

/// Returns `time` as a `NumericDate`, in seconds.
pub(super) fn seconds(time: SystemTime) -> f64 {
    // A clock before 1970 accepts no token: each has expired or is not valid yet.
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn check_issuer(expected: &Expected, claims: &Map<String, Value>) -> Result<(), VerifyError> {
    let is_issuer = |issuer: &str| {
        expected.issuer == issuer || expected.aliases.iter().any(|alias| alias == issuer)
    };
    match claims.get("iss") {
        Some(Value::String(issuer)) if is_issuer(issuer) => Ok(()),
        _ => Err(VerifyError::Issuer),
    }
}

fn check_expiry(
    expected: &Expected,
    claims: &Map<String, Value>,
    now: f64,
) -> Result<(), VerifyError> {
    let expires = date(claims, "exp")?.ok_or(VerifyError::Claim("exp"))?;
    let has_passed = expires + expected.clock_skew.as_secs_f64() <= now;
    if has_passed { Err(VerifyError::Expired) } else { Ok(()) }
}

fn check_not_ahead(
    expected: &Expected,
    claims: &Map<String, Value>,
    now: f64,
) -> Result<(), VerifyError> {
    for name in ["nbf", "iat"] {
        if date(claims, name)?.is_some_and(|date| date - expected.clock_skew.as_secs_f64() > now) {
            return Err(VerifyError::NotYetValid(name));
        }
    }
    Ok(())
}

/// Returns a `NumericDate` ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)) in seconds,
/// which may have a fraction.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, VerifyError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(date) if (0.0..=LATEST_DATE).contains(&date) => Ok(Some(date)),
            _ => Err(VerifyError::Claim(name)),
        },
    }
}

/// Returns the claim that identifies the person.
fn subject<'a>(
    expected: &Expected,
    claims: &'a Map<String, Value>,
) -> Result<&'a str, VerifyError> {
    let (claim, error) = match expected.subject_claim.as_str() {
        SUB => (claims.get(SUB), VerifyError::Claim(SUB)),
        path => (json::find(claims, path), VerifyError::SubjectClaim),
    };
    match claim {
        Some(Value::String(subject))
            if (1..=expected.subject_bytes.min(SUBJECT_BYTES)).contains(&subject.len())
                && text::is_name(subject)
                && !token_kind::is_placeholder(subject)
                // The check of the kind compared `sub`.
                && (expected.subject_claim == SUB || !token_kind::is_client(subject, claims)) =>
        {
            Ok(subject)
        }
        _ => Err(error),
    }
}
