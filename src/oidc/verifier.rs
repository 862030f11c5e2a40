//! Token, key and time to verified claims, or the one check that failed. No I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::AllowedAlgorithms;
use super::claims::VerifiedClaims;
use super::error::VerifyError;
use super::jwk::Jwk;
use super::jwt::UnverifiedJwt;
use super::provider::Provider;
use crate::keys::shared::SharedKey;
use crate::text;

/// Longest `sub`, in bytes ([OIDC Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)
/// says 255 ASCII characters).
const SUBJECT_BYTES: usize = 255;

/// Latest date that a token may name, in seconds: the end of the year 9999. A larger number is a
/// mistake (milliseconds) or an overflow in waiting.
const LATEST_DATE: f64 = 253_402_300_799.0;

/// What tokens must say to be taken for a caller's. There is no way to leave a check out.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Expected,
}

/// What a [`Verifier`] expects of tokens.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Whose habits the tokens have.
    pub provider: &'static Provider,
    /// The exact `iss`; the first spelling is the one that is configured.
    pub issuers: Vec<String>,
    /// One of them must be in `aud`, unless there are none.
    pub audiences: Vec<String>,
    /// `azp`, `client_id` or `cid` must be one of them, unless there are none.
    pub authorized_parties: Vec<String>,
    /// What tokens may be signed with.
    pub algorithms: AllowedAlgorithms,
    /// Leeway on dates.
    pub clock_skew: Duration,
}

/// One check of the claims, by the name that an operator knows it by.
type Check = (&'static str, fn(&Expected, &Map<String, Value>, f64) -> Result<(), VerifyError>);

/// The checks of the claims, in order.
const CHECKS: &[Check] = &[
    ("issuer", |expected, claims, _| check_issuer(expected, claims)),
    ("kind of token", |expected, claims, _| {
        expected.provider.check_kind(claims, !expected.audiences.is_empty())
    }),
    ("audience", |expected, claims, _| check_audience(expected, claims)),
    ("authorized party", |expected, claims, _| check_authorized_party(expected, claims)),
    ("expiry", check_expiry),
    ("not before, issued at", check_not_ahead),
    ("subject", |_, claims, _| subject(claims).map(drop)),
];

impl Verifier {
    /// A verifier of tokens as `expected`. It must name audiences or authorized parties, or the
    /// provider's substitute for them: the configuration sees to it.
    #[must_use]
    pub fn new(expected: Expected) -> Self {
        Self { expected }
    }

    /// What it expects.
    #[must_use]
    pub fn expected(&self) -> &Expected {
        &self.expected
    }

    /// The issuer, as it is configured.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.expected.issuers.first().map_or("", String::as_str)
    }

    /// Whether `issuer` is this one's, in any of its spellings.
    #[must_use]
    pub fn accepts_issuer(&self, issuer: &str) -> bool {
        self.expected.issuers.iter().any(|spelling| spelling == issuer)
    }

    /// Splits `token` and reads its header.
    ///
    /// # Errors
    ///
    /// As [`UnverifiedJwt::read`].
    pub fn read<'a>(&self, token: &'a str) -> Result<UnverifiedJwt<'a>, VerifyError> {
        UnverifiedJwt::read(token, &self.expected.algorithms, self.expected.provider)
    }

    /// Whether `token` could be verified at all, by what needs no key: nobody is asked for keys on
    /// behalf of what is no token.
    ///
    /// # Errors
    ///
    /// As [`UnverifiedJwt::read`], whatever the algorithm.
    pub fn check_form(&self, token: &str) -> Result<(), VerifyError> {
        match self.read(token) {
            Err(VerifyError::Algorithm) => {
                let allowed = AllowedAlgorithms::hs256();
                UnverifiedJwt::read(token, &allowed, self.expected.provider).map(drop)
            }
            read => read.map(drop),
        }
    }

    /// Verifies `jwt`, signed with `key`, as of `now`. In order, stopping at the first that fails:
    ///
    /// 1. the key fits the algorithm, and the signature holds;
    /// 2. the payload is a JSON object without duplicate members;
    /// 3. `iss` is text and equal to the configured issuer ([OIDC Core §3.1.3.7]);
    /// 4. the provider gives such tokens to people, for access;
    /// 5. `aud`, text or a list of texts, holds a configured audience; `azp`, `client_id` and `cid`,
    ///    as far as present and at least one of them, are configured parties;
    /// 6. `exp` is present and ahead, `nbf` and `iat`, where present, are not, each give or take the
    ///    configured clock skew; all are numbers of seconds between 1970 and 9999;
    /// 7. `sub` is text of 1 to 255 bytes, fit to be an identity.
    ///
    /// Costs one signature check. Claims are read only once the signature holds.
    ///
    /// # Errors
    ///
    /// The check that failed. None is worth a retry with the same token.
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

    /// Verifies `token`, signed with HS256 and the secret that the issuer shares with us, as
    /// [`verify`](Self::verify) does. No other algorithm is taken then.
    ///
    /// # Errors
    ///
    /// The check that failed.
    pub fn verify_shared(
        &self,
        token: &str,
        key: &SharedKey,
        now: SystemTime,
    ) -> Result<VerifiedClaims, VerifyError> {
        let allowed = AllowedAlgorithms::hs256();
        let jwt = UnverifiedJwt::read(token, &allowed, self.expected.provider)?;
        let (signed, secret) = (jwt.signing_input().as_bytes(), key.decoding_key());
        let holds = jsonwebtoken::crypto::verify(jwt.signature(), signed, secret, jwt.algorithm());
        if !matches!(holds, Ok(true)) {
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
        let subject = subject(&claims)?;
        Ok(VerifiedClaims::new(claims, subject))
    }

    /// Each check of [`verify`](Self::verify) by name, with its outcome: for an operator who holds a
    /// token that is refused. The first is the signature's, without which there are no others.
    #[must_use]
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

/// Whether `key` made the signature of `jwt`.
///
/// # Errors
///
/// [`VerifyError::UnfitKey`] and [`VerifyError::Signature`].
pub fn check_signature(jwt: &UnverifiedJwt<'_>, key: &Jwk) -> Result<(), VerifyError> {
    if !key.fits(jwt.algorithm()) {
        return Err(VerifyError::UnfitKey);
    }
    let signed = jwt.signing_input().as_bytes();
    let signature = URL_SAFE_NO_PAD.decode(jwt.signature()).map_err(|_| VerifyError::Signature)?;
    let holds = key.verifies(jwt.algorithm(), signed, &signature);
    if holds { Ok(()) } else { Err(VerifyError::Signature) }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn check_issuer(expected: &Expected, claims: &Map<String, Value>) -> Result<(), VerifyError> {
    match claims.get("iss") {
        Some(Value::String(issuer)) if expected.issuers.contains(issuer) => Ok(()),
        _ => Err(VerifyError::Issuer),
    }
}

fn check_audience(expected: &Expected, claims: &Map<String, Value>) -> Result<(), VerifyError> {
    if expected.audiences.is_empty() {
        return Ok(());
    }
    let is_ours = |audience: &str| expected.audiences.iter().any(|ours| ours == audience);
    let holds_ours = match claims.get("aud") {
        Some(Value::String(audience)) => is_ours(audience),
        Some(Value::Array(audiences)) => {
            audiences.iter().all(Value::is_string)
                && audiences.iter().filter_map(Value::as_str).any(is_ours)
        }
        _ => false,
    };
    if holds_ours { Ok(()) } else { Err(VerifyError::Audience) }
}

fn check_authorized_party(
    expected: &Expected,
    claims: &Map<String, Value>,
) -> Result<(), VerifyError> {
    if expected.authorized_parties.is_empty() {
        return Ok(());
    }
    let mut parties =
        ["azp", "client_id", "cid"].iter().filter_map(|name| claims.get(*name)).peekable();
    let is_listed = |party: &Value| {
        party
            .as_str()
            .is_some_and(|party| expected.authorized_parties.iter().any(|known| known == party))
    };
    let is_known = parties.peek().is_some() && parties.all(is_listed);
    if is_known { Ok(()) } else { Err(VerifyError::AuthorizedParty) }
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

/// A `NumericDate` ([RFC 7519 §2](https://www.rfc-editor.org/rfc/rfc7519#section-2)): seconds, perhaps
/// with a fraction.
fn date(claims: &Map<String, Value>, name: &'static str) -> Result<Option<f64>, VerifyError> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(date) if (0.0..=LATEST_DATE).contains(&date) => Ok(Some(date)),
            _ => Err(VerifyError::Claim(name)),
        },
    }
}

fn subject(claims: &Map<String, Value>) -> Result<String, VerifyError> {
    match claims.get("sub") {
        Some(Value::String(subject))
            if (1..=SUBJECT_BYTES).contains(&subject.len()) && text::is_plain(subject) =>
        {
            Ok(subject.clone())
        }
        _ => Err(VerifyError::Claim("sub")),
    }
}
