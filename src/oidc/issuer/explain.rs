//! The checks of a token one by one, for operators.

use std::time::SystemTime;

use super::{AuthenticateError, Issuer, UNKNOWN_KEY};
use crate::keys::shared::SharedKey;
use crate::oidc::error::VerifyError;
use crate::oidc::jwks::Lookup;

/// One check of a token.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Check {
    /// Name of the check.
    pub name: &'static str,
    /// The reason of a failure.
    pub outcome: Result<(), AuthenticateError>,
}

impl Issuer {
    /// Returns the checks of [`authenticate`](Self::authenticate) in order. A failed check ends the
    /// list, except that all checks of claims are listed once the signature is valid.
    ///
    /// Costs up to two fetches and two signature checks.
    pub async fn explain(
        &self,
        token: &str,
        shared: Option<&SharedKey>,
        now: SystemTime,
    ) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Err(error) = self.checks(token, shared, now, &mut checks).await {
            let name = match (checks.len(), shared) {
                (0, None) => "header",
                (1, None) => "keys",
                (_, None) => "key",
                (_, Some(_)) => "signature and claims",
            };
            checks.push(Check { name, outcome: Err(error) });
        }
        checks
    }

    async fn checks(
        &self,
        token: &str,
        shared: Option<&SharedKey>,
        now: SystemTime,
        checks: &mut Vec<Check>,
    ) -> Result<(), AuthenticateError> {
        let passed = |name| Check { name, outcome: Ok(()) };
        if let Some(shared) = shared {
            self.verifier.verify_shared(token, shared, now)?;
            checks.push(passed("signature and claims"));
            return Ok(());
        }
        let jwt = self.verifier.read(token)?;
        checks.push(passed("header"));
        let keys = self.keys(now).await?.ok_or(AuthenticateError::SharedSecretMissing)?;
        checks.push(passed("keys"));
        let key = match keys.find(&jwt) {
            Lookup::Found(key) => key,
            Lookup::Unfit => return Err(VerifyError::UnfitKey.into()),
            Lookup::Unknown => return Err(UNKNOWN_KEY),
        };
        checks.push(passed("key"));
        let claims = self.verifier.explain(&jwt, key, now).into_iter();
        let check = |(name, outcome): (_, Result<(), VerifyError>)| Check {
            name,
            outcome: outcome.map_err(AuthenticateError::Rejected),
        };
        checks.extend(claims.map(check));
        Ok(())
    }
}
