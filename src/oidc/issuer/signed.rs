//! Verification of signed UserInfo responses.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{Issuer, Keys};
use crate::json;
use crate::oidc::audience::PARTY_CLAIMS;
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::jwks::{KeySet, Lookup};
use crate::oidc::jwt::UnverifiedJwt;
use crate::oidc::providers::GENERIC;
use crate::oidc::verifier::{Verifier, check_signature, seconds};
use crate::upstream::error::FetchError;

/// The response is not for the client or the person of the access token, or has expired.
const UNSUITABLE: FetchError = FetchError::Malformed("a UserInfo response for this client");

/// Reads UserInfo responses of one issuer, signed with its keys or not signed.
pub struct UserInfoReader {
    verifier: Verifier,
    keys: Keys,
}

impl Issuer {
    /// Returns the reader of the issuer's UserInfo responses.
    pub fn userinfo_reader(&self) -> UserInfoReader {
        UserInfoReader { verifier: self.verifier.clone(), keys: self.keys.clone() }
    }
}

impl UserInfoReader {
    /// Reads a response: a JSON object, or a JWT with a signature of the issuer
    /// ([OIDC Core §5.3.2](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse)).
    ///
    /// # Errors
    ///
    /// - [`FetchError::Malformed`] if it is neither, or if the signature is invalid. The same applies to a
    ///   JWT whose `iss` is another issuer, whose `aud` is unknown to `token`, or that has expired.
    /// - [`FetchError::Upstream`] if the issuer's keys cannot be fetched.
    pub async fn read(
        &self,
        response: &[u8],
        token: &VerifiedClaims,
        now: SystemTime,
    ) -> Result<Map<String, Value>, FetchError> {
        if let Ok(claims) = json::parse_object(response) {
            return Ok(claims);
        }
        let text = std::str::from_utf8(response).map(str::trim).unwrap_or_default();
        let algorithms = &self.verifier.expected().algorithms;
        let jwt = UnverifiedJwt::read(text, algorithms, &GENERIC)
            .map_err(|_| FetchError::Malformed("a UserInfo response"))?;
        let is_valid = match &self.keys {
            Keys::Given(keys) => is_signed(&jwt, keys) == Some(true),
            Keys::Fetched(keys) => match is_signed(&jwt, &*keys.get(now).await?) {
                Some(is_valid) => is_valid,
                None => is_signed(&jwt, &*keys.refresh(now).await?) == Some(true),
            },
            Keys::Shared => false,
        };
        if !is_valid {
            return Err(FetchError::Malformed("a UserInfo response with a valid signature"));
        }
        let claims = jwt.payload().map_err(|_| FetchError::Malformed("a UserInfo response"))?;
        self.check(&claims, token, now)?;
        Ok(claims)
    }

    /// Whether `response` describes the person of `token`
    /// ([OIDC Core §5.3.2](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse)): by
    /// `sub`, or by the claim that `SUBJECT_CLAIM` names if the token has no `sub`.
    pub fn describes(&self, response: &Map<String, Value>, token: &VerifiedClaims) -> bool {
        if let Some(sub) = token.sub() {
            return response.get("sub").and_then(Value::as_str) == Some(sub);
        }
        let claim = json::find(response, &self.verifier.expected().subject_claim);
        claim.and_then(Value::as_str) == Some(token.subject().as_str())
    }

    /// Checks the claims about the response itself, as far as they are present.
    fn check(
        &self,
        claims: &Map<String, Value>,
        token: &VerifiedClaims,
        now: SystemTime,
    ) -> Result<(), FetchError> {
        let present = |name: &str| claims.get(name).filter(|value| !value.is_null());
        if let Some(issuer) = present("iss")
            && !issuer.as_str().is_some_and(|issuer| self.verifier.accepts_issuer(issuer))
        {
            return Err(FetchError::Malformed("a UserInfo response of this issuer"));
        }
        if let Some(audience) = present("aud") {
            let is_known = match audience {
                Value::Array(audiences) => {
                    audiences.iter().filter_map(Value::as_str).any(|name| self.knows(name, token))
                }
                audience => audience.as_str().is_some_and(|name| self.knows(name, token)),
            };
            if !is_known {
                return Err(UNSUITABLE);
            }
        }
        if let Some(expiry) = present("exp") {
            let skew = self.verifier.expected().clock_skew.as_secs_f64();
            if expiry.as_f64().is_none_or(|expiry| expiry + skew <= seconds(now)) {
                return Err(UNSUITABLE);
            }
        }
        Ok(())
    }

    /// Whether `audience` is an accepted one, or a client or audience of the access token.
    fn knows(&self, audience: &str, token: &VerifiedClaims) -> bool {
        let accepted = &self.verifier.expected().audience;
        let is_accepted = |listed: &[String]| listed.iter().any(|listed| listed == audience);
        let is_named = |name: &str| match token.as_object().get(name) {
            Some(Value::Array(names)) => names.iter().any(|name| name == audience),
            Some(name) => name == audience,
            None => false,
        };
        is_accepted(accepted.audiences())
            || is_accepted(accepted.parties())
            || is_named("aud")
            || PARTY_CLAIMS.into_iter().any(is_named)
    }
}

/// Whether the key that `jwt` names made its signature; `None` if `keys` do not contain it.
fn is_signed(jwt: &UnverifiedJwt<'_>, keys: &KeySet) -> Option<bool> {
    match keys.find(jwt) {
        Lookup::Found(key) => Some(check_signature(jwt, key).is_ok()),
        Lookup::Unfit => Some(false),
        Lookup::Unknown => None,
    }
}
