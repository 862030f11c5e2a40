//! What is particular to an identity provider, as data.
//!
//! A provider's habits are a row in [`providers`](super::providers). Everything else about a token is
//! the same for all of them.

use serde_json::{Map, Value};

use super::error::VerifyError;
use crate::json;

/// A provider's habits.
#[derive(Debug)]
pub struct Provider {
    /// What `OIDC_PROVIDER` calls it.
    pub name: &'static str,
    /// Issuers that are recognized as this provider's.
    pub issuers: &'static [IssuerPattern],
    /// Issuers that cannot be used, and why: the end of a sentence that starts with `OIDC_ISSUER`.
    pub unsupported: &'static [(IssuerPattern, &'static str)],
    /// Other spellings of an issuer that mean the same.
    pub aliases: &'static [[&'static str; 2]],
    /// Where the key set is, if not where discovery says.
    pub keys: KeyLocation,
    /// What stands in for `OIDC_AUDIENCE` where it is not set.
    pub audience: DefaultAudience,
    /// Why `OIDC_AUDIENCE` and `OIDC_AUTHORIZED_PARTIES` cannot both be set, if they cannot: the end
    /// of a sentence that starts with the first.
    pub audience_conflict: Option<&'static str>,
    /// The header's `typ`, in lower case and without `application/`, where there is one.
    pub types: &'static [&'static str],
    /// What tells a person's token from others that the same key signs: in the header…
    pub header: &'static [ClaimRule],
    /// … and among the claims.
    pub claims: &'static [ClaimRule],
    /// What a token must be for the UserInfo endpoint to take it.
    pub userinfo_takes: &'static [ClaimRule],
    /// Where the email address stands, and the claim that vouches for it; the first that is there.
    pub emails: &'static [(&'static str, &'static str)],
    /// Where the name stands.
    pub names: &'static [&'static str],
    /// Where the picture's address stands.
    pub pictures: &'static [&'static str],
    /// Who is asked for the profile, in order.
    pub sources: &'static [ProfileSource],
    /// What to switch on at the provider so that email and name are found, for an operator who misses
    /// them.
    pub setup_hint: &'static str,
}

/// A source of profiles, as `PROFILE_SOURCE` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileSource {
    /// The claims of the caller's token.
    Claims,
    /// The issuer's UserInfo endpoint
    /// ([OIDC Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
    UserInfo,
    /// Clerk's Backend API.
    Clerk,
    /// WorkOS' user management.
    WorkOs,
}

/// A shape of issuers.
#[derive(Clone, Copy, Debug)]
pub enum IssuerPattern {
    /// This issuer.
    Exact(&'static str),
    /// Starts with this.
    Prefix(&'static str),
    /// `https`, and the host ends with this.
    HostSuffix(&'static str),
    /// `https`, and the host starts with this.
    HostPrefix(&'static str),
    /// Holds this.
    Contains(&'static str),
    /// The first segment of its path is this.
    FirstSegment(&'static str),
    /// The first, but not the second.
    Except(&'static IssuerPattern, &'static IssuerPattern),
}

/// Where a key set is. `{last}` stands for the last segment of the issuer's path, `{first}` for the
/// first.
#[derive(Clone, Copy, Debug)]
pub enum KeyLocation {
    /// Where the issuer's discovery document says.
    Discovery,
    /// Behind the issuer, with one slash between.
    Behind(&'static str),
    /// At this address.
    At(&'static str),
}

/// What stands in for an audience.
#[derive(Clone, Copy, Debug)]
pub enum DefaultAudience {
    /// Nothing: the operator must name one.
    None,
    /// This audience.
    Audience(&'static str),
    /// The last segment of the issuer's path, as the audience.
    LastSegment,
    /// The issuer, or the address of its keys, belongs to the operator's application alone.
    Issuer,
}

/// A condition on a claim or a member of the header.
#[derive(Clone, Copy, Debug)]
pub struct ClaimRule {
    /// Where it stands.
    pub path: &'static str,
    /// What it must be.
    pub constraint: ClaimConstraint,
}

/// What a claim must be.
#[derive(Clone, Copy, Debug)]
pub enum ClaimConstraint {
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, or absent.
    AbsentOrOneOf(&'static [&'static str]),
    /// There, and not empty.
    Present,
    /// Absent.
    Absent,
    /// No text, or one that does not start with this.
    NotPrefixed(&'static str),
    /// No text, or one that does not end with this.
    NotSuffixed(&'static str),
    /// This text; or the other one, where `OIDC_AUDIENCE` says whom it is for.
    OneOrOtherWithAudience(&'static str, &'static str),
    /// Absent, unless `OIDC_AUDIENCE` says whom the token is for.
    AbsentWithoutAudience,
    /// Another than each of these claims: a machine's token names its client as the subject.
    DiffersFrom(&'static [&'static str]),
}

impl Provider {
    /// Whether `header`, whose `typ` was read, is a person's token's.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Header`].
    pub fn check_header(&self, header: &Map<String, Value>) -> Result<(), VerifyError> {
        check(self.header, header, true).map_err(VerifyError::Header)
    }

    /// Whether `claims` are a person's token's. `has_audience` tells whether an audience is checked.
    ///
    /// # Errors
    ///
    /// [`VerifyError::TokenKind`].
    pub fn check_kind(
        &self,
        claims: &Map<String, Value>,
        has_audience: bool,
    ) -> Result<(), VerifyError> {
        check(self.claims, claims, has_audience).map_err(VerifyError::TokenKind)
    }

    /// Whether the UserInfo endpoint takes the token with `claims`.
    #[must_use]
    pub fn has_userinfo_for(&self, claims: &Map<String, Value>) -> bool {
        check(self.userinfo_takes, claims, true).is_ok()
    }

    /// Every spelling of `issuer`.
    #[must_use]
    pub fn spellings(&self, issuer: &str) -> Vec<String> {
        let alias = self.aliases.iter().find(|alias| alias.contains(&issuer));
        alias.map_or_else(
            || vec![issuer.to_owned()],
            |alias| alias.iter().map(|spelling| (*spelling).to_owned()).collect(),
        )
    }

    /// Why `issuer` cannot be used, if it cannot.
    #[must_use]
    pub fn unsupported_reason(&self, issuer: &str) -> Option<&'static str> {
        self.unsupported.iter().find(|(form, _)| form.matches(issuer)).map(|(_, reason)| *reason)
    }

    /// The address of the key set of `issuer`; `None` where discovery or the operator must say.
    #[must_use]
    pub fn keys_of(&self, issuer: &str) -> Option<String> {
        match self.keys {
            KeyLocation::Discovery => None,
            KeyLocation::Behind(path) => {
                Some(format!("{}{path}", issuer.strip_suffix('/').unwrap_or(issuer)))
            }
            KeyLocation::At(address) => Some(
                address
                    .replace("{last}", last_segment(issuer).unwrap_or_default())
                    .replace("{first}", first_segment(issuer).unwrap_or_default()),
            ),
        }
    }
}

impl IssuerPattern {
    /// Whether `issuer` has this shape.
    #[must_use]
    pub fn matches(&self, issuer: &str) -> bool {
        let host = || {
            let authority = issuer.strip_prefix("https://")?.split('/').next()?;
            (!authority.contains('@')).then_some(authority)
        };
        match self {
            Self::Exact(form) => issuer == *form,
            Self::Prefix(form) => issuer.starts_with(form),
            Self::HostSuffix(form) => host().is_some_and(|host| host.ends_with(form)),
            Self::HostPrefix(form) => host().is_some_and(|host| host.starts_with(form)),
            Self::Contains(form) => issuer.contains(form),
            Self::FirstSegment(form) => first_segment(issuer) == Some(form),
            Self::Except(form, exception) => form.matches(issuer) && !exception.matches(issuer),
        }
    }
}

/// The last segment of a URL's path.
#[must_use]
pub fn last_segment(issuer: &str) -> Option<&str> {
    segments(issuer).next_back()
}

fn first_segment(issuer: &str) -> Option<&str> {
    segments(issuer).next()
}

fn segments(issuer: &str) -> impl DoubleEndedIterator<Item = &str> {
    let path = issuer.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.map_or("", |(_, path)| path).split('/').filter(|segment| !segment.is_empty())
}

/// The path of the first rule that does not hold.
fn check(
    rules: &[ClaimRule],
    object: &Map<String, Value>,
    has_audience: bool,
) -> Result<(), &'static str> {
    let broken = rules.iter().find(|rule| !rule.constraint.is_met(object, rule.path, has_audience));
    broken.map_or(Ok(()), |rule| Err(rule.path))
}

impl ClaimConstraint {
    fn is_met(self, object: &Map<String, Value>, path: &str, has_audience: bool) -> bool {
        let value = json::find(object, path);
        let is_one_of = |texts: &[&str]| {
            value.and_then(Value::as_str).is_some_and(|text| texts.contains(&text))
        };
        match self {
            Self::OneOf(texts) => is_one_of(texts),
            Self::AbsentOrOneOf(texts) => value.is_none() || is_one_of(texts),
            Self::Present => value.is_some_and(|value| !value.is_null() && *value != ""),
            Self::Absent => value.is_none(),
            Self::NotPrefixed(prefix) => {
                !value.and_then(Value::as_str).is_some_and(|text| text.starts_with(prefix))
            }
            Self::NotSuffixed(suffix) => {
                !value.and_then(Value::as_str).is_some_and(|text| text.ends_with(suffix))
            }
            Self::OneOrOtherWithAudience(text, other) => {
                is_one_of(&[text]) || (has_audience && is_one_of(&[other]))
            }
            Self::AbsentWithoutAudience => has_audience || value.is_none(),
            Self::DiffersFrom(others) => others
                .iter()
                .filter_map(|other| json::find(object, other))
                .all(|other| value != Some(other)),
        }
    }
}
