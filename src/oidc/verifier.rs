//! Token, key and time to verified claims, or the one check that failed. No I/O.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::algorithm::AllowedAlgorithms;
use super::claims::VerifiedClaims;
use super::jwk::Jwk;
use super::jwt::UnverifiedJwt;

/// Longest `sub`, in bytes ([OIDC Core §2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)
/// says 255 ASCII characters).
const SUBJECT_BYTES: usize = 255;

/// Latest date that a token may name, in seconds: the end of the year 9999. A larger number is a
/// mistake (milliseconds) or an overflow in waiting.
const LATEST_DATE: f64 = 253_402_300_799.0;

/// What tokens must say to be taken for a caller's. There is no way to leave a check out.
#[derive(Clone, Debug)]
pub struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    authorized_parties: Vec<String>,
    algorithms: AllowedAlgorithms,
    clock_skew: Duration,
}

/// Why a token is not believed. `Display` is for the operator's log; the caller hears one bland
/// answer for all of them but [`Expired`](Self::Expired).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not three parts of canonical base64url with JSON objects in the first two.
    #[error("not a well-formed JWT")]
    NotAJwt,
    /// The header's `alg` is absent or not in the allow-list.
    #[error("alg is not allowed")]
    Algorithm,
    /// A member of the header asks for what we do not do.
    #[error("header member {0} is not acceptable")]
    Header(&'static str),
    /// The key set holds no key of that `kid`.
    #[error("the key set has no such kid")]
    UnknownKey,
    /// The named key does not fit the algorithm, or more than one fits.
    #[error("no single key of the set fits kid and alg")]
    UnfitKey,
    /// The signature is not the key's.
    #[error("the signature does not hold")]
    Signature,
    /// `iss` is not the configured issuer.
    #[error("iss is not OIDC_ISSUER")]
    Issuer,
    /// `aud` holds none of the configured audiences.
    #[error("aud holds none of OIDC_AUDIENCE")]
    Audience,
    /// `azp`, `client_id` or `cid` is not one of the configured parties, or all are absent.
    #[error("azp, client_id or cid is none of OIDC_AUTHORIZED_PARTIES")]
    AuthorizedParty,
    /// `exp` has passed.
    #[error("the token expired")]
    Expired,
    /// `nbf` or `iat` is ahead.
    #[error("{0} is ahead of the clock")]
    NotYetValid(&'static str),
    /// A claim is missing or of the wrong type.
    #[error("claim {0} is missing or malformed")]
    Claim(&'static str),
    /// The issuer itself does not accept the token at its UserInfo endpoint.
    #[error("the issuer's UserInfo endpoint refused the token")]
    RefusedByIssuer,
    /// UserInfo answered for another `sub`.
    #[error("UserInfo answered for another sub")]
    SubjectMismatch,
}

impl Verifier {
    /// A verifier for tokens of `issuer` (byte for byte) that hold one of `audiences` in `aud` and
    /// name one of `authorized_parties`, where these lists are not empty. At least one must not be:
    /// the configuration sees to it.
    #[must_use]
    pub fn new(
        issuer: String,
        audiences: Vec<String>,
        authorized_parties: Vec<String>,
        algorithms: AllowedAlgorithms,
        clock_skew: Duration,
    ) -> Self {
        Self { issuer, audiences, authorized_parties, algorithms, clock_skew }
    }

    /// The exact `iss` of accepted tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The algorithms that tokens may be signed with.
    #[must_use]
    pub fn algorithms(&self) -> &AllowedAlgorithms {
        &self.algorithms
    }

    /// Verifies `jwt`, signed with `key`, as of `now`. In order, stopping at the first that fails:
    ///
    /// 1. the key fits the algorithm, and the signature holds;
    /// 2. the payload is a JSON object without duplicate members;
    /// 3. `iss` is text and equal to the configured issuer ([OIDC Core §3.1.3.7]);
    /// 4. `aud`, text or a list of texts, holds a configured audience; `azp`, `client_id` and `cid`,
    ///    as far as present and at least one of them, are configured parties;
    /// 5. `exp` is present and ahead, `nbf` and `iat`, where present, are not, each give or take the
    ///    configured clock skew; all are numbers of seconds between 1970 and 9999;
    /// 6. `sub` is text of 1 to 255 bytes without control characters.
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
        if !key.fits(jwt.algorithm()) {
            return Err(VerifyError::UnfitKey);
        }
        let holds = jsonwebtoken::crypto::verify(
            jwt.signature(),
            jwt.signing_input().as_bytes(),
            key.decoding_key(),
            jwt.algorithm(),
        );
        if !matches!(holds, Ok(true)) {
            return Err(VerifyError::Signature);
        }
        let claims = jwt.payload()?;
        self.check_issuer(&claims)?;
        self.check_audience(&claims)?;
        self.check_authorized_party(&claims)?;
        self.check_dates(&claims, now)?;
        let subject = subject(&claims)?;
        Ok(VerifiedClaims::new(claims, subject))
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        match claims.get("iss") {
            Some(Value::String(issuer)) if *issuer == self.issuer => Ok(()),
            _ => Err(VerifyError::Issuer),
        }
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        if self.audiences.is_empty() {
            return Ok(());
        }
        let is_ours = |audience: &str| self.audiences.iter().any(|ours| ours == audience);
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

    fn check_authorized_party(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        if self.authorized_parties.is_empty() {
            return Ok(());
        }
        let mut parties =
            ["azp", "client_id", "cid"].iter().filter_map(|name| claims.get(*name)).peekable();
        let is_known = parties.peek().is_some()
            && parties.all(|party| {
                party
                    .as_str()
                    .is_some_and(|party| self.authorized_parties.iter().any(|known| known == party))
            });
        if is_known { Ok(()) } else { Err(VerifyError::AuthorizedParty) }
    }

    fn check_dates(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<(), VerifyError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let skew = self.clock_skew.as_secs_f64();
        let expires = date(claims, "exp")?.ok_or(VerifyError::Claim("exp"))?;
        if expires + skew <= now {
            return Err(VerifyError::Expired);
        }
        for name in ["nbf", "iat"] {
            if date(claims, name)?.is_some_and(|date| date - skew > now) {
                return Err(VerifyError::NotYetValid(name));
            }
        }
        Ok(())
    }
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
            if (1..=SUBJECT_BYTES).contains(&subject.len())
                && !subject.chars().any(char::is_control) =>
        {
            Ok(subject.clone())
        }
        _ => Err(VerifyError::Claim("sub")),
    }
}
