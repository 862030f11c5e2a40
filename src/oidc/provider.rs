//! The conventions of an identity provider, as data.
//!
//! A preset is an entry of [`providers`](super::providers). All other checks are the same for all
//! providers.

pub mod claim_rule;
pub mod issuer_pattern;

use serde_json::{Map, Value};

pub use claim_rule::{ClaimConstraint, ClaimRule};
pub use issuer_pattern::IssuerPattern;

use super::error::VerifyError;
use issuer_pattern::{first_segment, last_segment, look_up, origin};

/// A preset: the conventions of one identity provider.
#[derive(Debug)]
pub struct Provider {
    /// The value of `OIDC_PROVIDER`.
    pub name: &'static str,
    /// Issuers that are recognized as this provider's.
    pub issuers: &'static [IssuerPattern],
    /// Issuers that cannot be used, with the reason, which completes "`OIDC_ISSUER` …".
    pub unsupported: &'static [(IssuerPattern, &'static str)],
    /// Other spellings of an issuer with the same meaning.
    pub aliases: &'static [[&'static str; 2]],
    /// The location of the key set; the first pattern that matches the issuer decides.
    pub keys: &'static [(IssuerPattern, KeyLocation)],
    /// The default for `OIDC_AUDIENCE`; the first pattern that matches the issuer decides. Without a
    /// match there is none.
    pub audience: &'static [(IssuerPattern, DefaultAudience)],
    /// The reason why `OIDC_AUDIENCE` and `OIDC_AUTHORIZED_PARTIES` cannot both be set, if they
    /// cannot. It completes "`OIDC_AUDIENCE` …".
    pub audience_conflict: Option<&'static str>,
    /// Accepted values of the header's `typ`, in lower case and without `application/`.
    pub types: &'static [&'static str],
    /// Conditions on the header of a person's access token.
    pub header: &'static [ClaimRule],
    /// Conditions on the claims of a person's access token.
    pub claims: &'static [ClaimRule],
    /// Conditions on the claims of tokens that the UserInfo endpoint accepts.
    pub userinfo_accepts: &'static [ClaimRule],
    /// Paths of the email address, each with that of the claim that vouches for it.
    pub emails: &'static [(&'static str, &'static str)],
    /// Paths of the name.
    pub names: &'static [&'static str],
    /// Paths of the picture's URL.
    pub pictures: &'static [&'static str],
    /// Default for `PROFILE_SOURCE`, in order.
    pub sources: &'static [ProfileSource],
    /// Settings at the provider that put email address and name into its tokens or UserInfo.
    pub setup_hint: &'static str,
}

/// A source of profiles, a value of `PROFILE_SOURCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileSource {
    /// The claims of the caller's token.
    Claims,
    /// The issuer's UserInfo endpoint
    /// ([OIDC Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
    UserInfo,
    /// Clerk's Backend API.
    Clerk,
    /// The user management API of WorkOS.
    WorkOs,
}

/// The location of a key set.
#[derive(Clone, Copy, Debug)]
pub enum KeyLocation {
    /// The `jwks_uri` of the issuer's discovery document.
    Discovery,
    /// This URL. `{issuer}` stands for the issuer without a slash at the end, `{origin}` for its
    /// scheme and host, `{first}` and `{last}` for the first and last segment of its path.
    At(&'static str),
    /// `OIDC_JWKS_URI` or `OIDC_JWKS`, one of which must be set.
    Configured,
}

/// The default for `OIDC_AUDIENCE`.
#[derive(Clone, Copy, Debug)]
pub enum DefaultAudience {
    /// This audience.
    Audience(&'static str),
    /// The last segment of the issuer's path, as the audience.
    LastSegment,
    /// None is needed: issuer and keys belong to one application.
    Issuer,
}

impl Provider {
    /// Whether `header`, whose `typ` is accepted, is that of a person's access token.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Header`] with the first field that is not accepted.
    pub fn check_header(&self, header: &Map<String, Value>) -> Result<(), VerifyError> {
        check(self.header, header, true).map_err(VerifyError::Header)
    }

    /// Whether `claims` are those of a person's access token. `is_told_apart` says whether the token
    /// differs from an ID token by its audience, or by a claim that names its kind.
    ///
    /// # Errors
    ///
    /// [`VerifyError::TokenKind`] with the first claim that is not accepted.
    pub fn check_claims(
        &self,
        claims: &Map<String, Value>,
        is_told_apart: bool,
    ) -> Result<(), VerifyError> {
        check(self.claims, claims, is_told_apart).map_err(VerifyError::TokenKind)
    }

    /// Whether the preset lists the accepted values of the claim `name`.
    pub fn decides_about(&self, name: &str) -> bool {
        self.claims.iter().any(|rule| rule.path == name && rule.is_complete())
    }

    /// Whether the UserInfo endpoint accepts the token with `claims`.
    pub fn has_userinfo_for(&self, claims: &Map<String, Value>) -> bool {
        check(self.userinfo_accepts, claims, true).is_ok()
    }

    /// Whether `issuer` is recognized as this provider's.
    pub fn recognizes(&self, issuer: &str) -> bool {
        let is_form = |(form, _): &(IssuerPattern, _)| {
            matches!(form, IssuerPattern::Exact(_)) && form.matches(issuer)
        };
        self.issuers.iter().any(|form| form.matches(issuer)) || self.unsupported.iter().any(is_form)
    }

    /// Returns the other spellings of `issuer`.
    pub fn aliases_of(&self, issuer: &str) -> Vec<String> {
        let pair = self.aliases.iter().find(|pair| pair.contains(&issuer));
        let others = pair.into_iter().flatten().filter(|spelling| **spelling != issuer);
        others.map(|spelling| (*spelling).to_owned()).collect()
    }

    /// The reason why `issuer` cannot be used, if it cannot.
    pub fn unsupported_reason(&self, issuer: &str) -> Option<&'static str> {
        look_up(self.unsupported, issuer)
    }

    /// Returns the URL of the key set of `issuer`; `None` if its discovery document has it.
    ///
    /// # Errors
    ///
    /// [`NoKeyLocation`] if neither the issuer nor discovery tells the URL.
    pub fn key_location(&self, issuer: &str) -> Result<Option<String>, NoKeyLocation> {
        match look_up(self.keys, issuer) {
            Some(KeyLocation::At(address)) => Ok(Some(
                address
                    .replace("{issuer}", issuer.strip_suffix('/').unwrap_or(issuer))
                    .replace("{origin}", origin(issuer))
                    .replace("{first}", first_segment(issuer).unwrap_or_default())
                    .replace("{last}", last_segment(issuer).unwrap_or_default()),
            )),
            Some(KeyLocation::Configured) => Err(NoKeyLocation),
            Some(KeyLocation::Discovery) | None => Ok(None),
        }
    }

    /// Returns the default for the audiences of tokens of `issuer`: an empty list if none is needed,
    /// `None` if there is no default.
    pub fn default_audiences(&self, issuer: &str) -> Option<Vec<String>> {
        match look_up(self.audience, issuer)? {
            DefaultAudience::Audience(audience) => Some(vec![audience.to_owned()]),
            DefaultAudience::LastSegment => Some(vec![last_segment(issuer)?.to_owned()]),
            DefaultAudience::Issuer => Some(Vec::new()),
        }
    }
}

/// The error for an issuer that tells nothing about its key set. It completes "`OIDC_JWKS_URI` …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be the URL of the key set if it does not follow from the issuer")]
pub struct NoKeyLocation;

/// Returns the path of the first rule that is not satisfied.
fn check(
    rules: &[ClaimRule],
    object: &Map<String, Value>,
    is_told_apart: bool,
) -> Result<(), &'static str> {
    let broken = rules.iter().find(|rule| !rule.is_satisfied(object, is_told_apart));
    broken.map_or(Ok(()), |rule| Err(rule.path))
}
