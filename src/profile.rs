//! The profile of a caller: email address, name and picture.

pub mod cache;
pub mod directory;
mod read;
pub mod resolver;
pub mod userinfo;

use std::fmt;

use crate::oidc::error::VerifyError;
use crate::upstream::error::Unavailable;

pub use read::Paths;

/// The name of a caller without one.
pub const UNNAMED: &str = "Unnamed User";

/// The profile of a caller. `Debug` shows nothing, since it is personal data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    email: ProfileField<Email>,
    name: ProfileField<String>,
    /// A nickname or user name, used if no source has a name.
    short_name: Option<String>,
    picture: Option<String>,
}

/// An email address, and whether its source verified it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The address without outer white space, its ASCII letters in lower case.
    pub address: String,
    /// Whether the address is verified, if the source has a claim about it.
    verified: Option<bool>,
}

/// The value of one field in a source.
#[derive(Clone, Default, PartialEq, Eq)]
enum ProfileField<T> {
    /// Absent: the next source may have it.
    #[default]
    Unknown,
    /// Known to be empty.
    None,
    /// Present.
    Some(T),
}

/// The reason why a profile is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// The issuer refuses the token or the user, or responds about another subject.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The source has no such user.
    #[error("the source of profiles has no such user")]
    UserNotFound,
    /// The source is unavailable.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl ProfileError {
    /// Whether the source refused the token or does not know the user. A response about another person is
    /// not a refusal.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Rejected(VerifyError::RefusedByIssuer) | Self::UserNotFound)
    }
}

/// The fields that a profile must have before no further source is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileRequirements {
    /// An email address.
    pub email: bool,
    /// A verified email address.
    pub verified_email: bool,
}

impl Email {
    /// Whether the source verified the address. An absent claim counts as false.
    pub fn is_verified(&self) -> bool {
        self.verified == Some(true)
    }
}

impl Profile {
    /// The email address, if a source has one.
    pub fn email(&self) -> Option<&Email> {
        match &self.email {
            ProfileField::Some(email) => Some(email),
            ProfileField::Unknown | ProfileField::None => None,
        }
    }

    /// The name, or [`UNNAMED`]. It is a valid participant name: forbidden characters are removed, and
    /// a long name is cut.
    pub fn name(&self) -> &str {
        match &self.name {
            ProfileField::Some(name) => name,
            ProfileField::Unknown | ProfileField::None => {
                self.short_name.as_deref().unwrap_or(UNNAMED)
            }
        }
    }

    /// The URL of a picture, as [`Paths::loopback_pictures`] allows it.
    pub fn picture(&self) -> Option<&str> {
        self.picture.as_deref()
    }

    /// Whether no further source is necessary: everything needed is known, and the name as well.
    pub fn satisfies(&self, needs: ProfileRequirements) -> bool {
        self.has_needed(needs) && self.name != ProfileField::Unknown
    }

    /// Whether everything is known that the identity needs. A name and a picture are never needed.
    pub fn has_needed(&self, needs: ProfileRequirements) -> bool {
        match &self.email {
            ProfileField::Unknown => !needs.email,
            ProfileField::None => true,
            ProfileField::Some(email) => {
                email.verified.is_some() || !needs.verified_email || !needs.email
            }
        }
    }

    /// Fills absent fields from `other`, a later source. An address keeps its own verification: one
    /// without is replaced by the later source's address, and never combined with its verification.
    pub fn merge_missing(&mut self, other: &Self) {
        match (&self.email, &other.email) {
            (ProfileField::Unknown, _) => self.email = other.email.clone(),
            (ProfileField::Some(ours), ProfileField::Some(_)) if ours.verified.is_none() => {
                self.email = other.email.clone();
            }
            _ => {}
        }
        if self.name == ProfileField::Unknown {
            self.name = other.name.clone();
        }
        if self.short_name.is_none() {
            self.short_name.clone_from(&other.short_name);
        }
        if self.picture.is_none() {
            self.picture.clone_from(&other.picture);
        }
    }
}

impl<T> ProfileField<T> {
    fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    fn and_then<U>(self, map: impl FnOnce(T) -> Option<U>) -> ProfileField<U> {
        match self {
            Self::Some(value) => map(value).map_or(ProfileField::None, ProfileField::Some),
            Self::None => ProfileField::None,
            Self::Unknown => ProfileField::Unknown,
        }
    }
}

impl fmt::Debug for Profile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Profile(…)")
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oidc::providers::GENERIC;

    fn standard(claims: &Value) -> Profile {
        Profile::read(claims.as_object().unwrap(), &Paths::for_provider(&GENERIC))
    }

    #[test]
    fn next_source_is_queried_only_while_a_claim_is_missing() {
        let needs = ProfileRequirements { email: true, verified_email: true };
        let nothing = ProfileRequirements { email: false, verified_email: true };
        let verified = json!({ "email": "a@b", "email_verified": true, "name": "A" });
        let rows = [
            (verified.clone(), needs, true),
            (json!({ "email": "a@b", "email_verified": true }), needs, false),
            (json!({ "email": "a@b", "name": "A" }), needs, false),
            (json!({ "email": "a@b", "email_verified": false, "name": "A" }), needs, true),
            (
                json!({ "email": "a@b", "name": "A" }),
                ProfileRequirements { verified_email: false, ..needs },
                true,
            ),
            (json!({ "name": "A" }), needs, false),
            (json!({ "name": "A" }), nothing, true),
            (json!({ "email": "", "name": "A" }), needs, true),
            (json!({ "email": "", "name": "" }), needs, true),
            (json!({}), nothing, false),
        ];
        for (claims, needs, expected) in rows {
            assert_eq!(standard(&claims).satisfies(needs), expected, "{claims} {needs:?}");
        }
    }

    #[test]
    fn short_name_gives_way_to_a_later_name() {
        let short = json!({ "email": "a@b", "email_verified": true, "preferred_username": "ada1" });
        let needs = ProfileRequirements { email: true, verified_email: true };
        let mut profile = standard(&short);
        assert!(!profile.satisfies(needs), "a source may have the name");
        profile.merge_missing(&standard(&json!({ "nickname": "ada" })));
        assert_eq!(profile.name(), "ada1");
        profile.merge_missing(&standard(&json!({ "given_name": "Ada", "family_name": "L" })));
        assert_eq!(profile.name(), "Ada L");
    }

    #[test]
    fn email_is_not_verified_by_the_claim_of_another_source() {
        let mut profile = standard(&json!({ "email": "a@b", "name": "A" }));
        profile.merge_missing(&standard(
            &json!({ "email": "c@d", "email_verified": true, "name": "C" }),
        ));
        let email = profile.email().unwrap();
        assert_eq!(
            (email.address.as_str(), email.is_verified(), profile.name()),
            ("c@d", true, "A")
        );
    }
}
