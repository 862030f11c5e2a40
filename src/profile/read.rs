//! Reading a profile from the claims of a source.

use serde_json::{Map, Value};

use super::{Email, Profile, ProfileField};
use crate::json;
use crate::oidc::provider::Provider;
use crate::text;
use crate::upstream::client::is_https_or_loopback;

/// Maximum length of a picture's URL, in bytes: it is part of the participant token.
const PICTURE_BYTES: usize = 1024;

/// Maximum length of an email address, in bytes
/// ([RFC 5321 §4.5.3.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1), erratum 1690).
const EMAIL_BYTES: usize = 254;

/// Dotted paths of the profile in a source's claims. Of several, the first that is present is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The email address, and the claim that verifies it. The verification of one address is never
    /// used for another.
    pub emails: Vec<(String, String)>,
    /// The name.
    pub names: Vec<String>,
    /// Whether a missing name is replaced by the standard claims for its parts, nickname or user name
    /// ([OIDC Core §5.1](https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims)).
    pub has_name_parts: bool,
    /// The picture's URL.
    pub pictures: Vec<String>,
    /// Whether a picture may have an `http` URL on loopback, as it can if the issuer has one.
    pub loopback_pictures: bool,
}

impl Paths {
    /// Returns the paths of `provider`.
    pub fn for_provider(provider: &Provider) -> Self {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        Self {
            emails: provider
                .emails
                .iter()
                .map(|(email, verified)| ((*email).to_owned(), (*verified).to_owned()))
                .collect(),
            names: owned(provider.names),
            has_name_parts: true,
            pictures: owned(provider.pictures),
            loopback_pictures: false,
        }
    }

    /// Returns these paths, followed by those of `other`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            emails: self.emails.iter().chain(&other.emails).cloned().collect(),
            names: self.names.iter().chain(&other.names).cloned().collect(),
            has_name_parts: self.has_name_parts || other.has_name_parts,
            pictures: self.pictures.iter().chain(&other.pictures).cloned().collect(),
            loopback_pictures: self.loopback_pictures,
        }
    }
}

impl Profile {
    /// Reads a profile from `claims`.
    pub fn read(claims: &Map<String, Value>, paths: &Paths) -> Self {
        let texts = |paths: &[String]| {
            paths
                .iter()
                .map(|path| text_at(claims, path))
                .find(ProfileField::is_known)
                .unwrap_or_default()
        };
        let email = paths.emails.iter().find_map(|(path, verified)| {
            let address = text_at(claims, path);
            address.is_known().then(|| address.and_then(|address| email(claims, address, verified)))
        });
        let mut name = name_at(claims, &paths.names);
        let mut short_name = None;
        if paths.has_name_parts && !matches!(name, ProfileField::Some(_)) {
            if let Some(parts) = name_from_parts(claims) {
                name = ProfileField::Some(parts);
            } else {
                let names = ["nickname", "preferred_username"];
                short_name = names.into_iter().find_map(|path| visible_text(claims, path));
            }
        }
        let picture = match texts(&paths.pictures) {
            ProfileField::Some(url) if is_picture(url, paths.loopback_pictures) => {
                Some(url.to_owned())
            }
            _ => None,
        };
        Self { email: email.unwrap_or_default(), name, short_name, picture }
    }
}

/// Returns the address with its verification, or `None` if it is not an address.
fn email(claims: &Map<String, Value>, address: &str, verified: &str) -> Option<Email> {
    let address = address.trim();
    let is_address =
        address.len() <= EMAIL_BYTES && text::is_plain(address) && text::is_visible(address);
    let verified = json::find(claims, verified).map(|value| is_true(verified, value));
    is_address.then(|| Email { address: address.to_ascii_lowercase(), verified })
}

/// Whether `url` can be a picture: `https`, or `http` on loopback if that is allowed, without
/// characters that would end an attribute or a tag of HTML.
fn is_picture(url: &str, allows_loopback: bool) -> bool {
    let is_forbidden = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '"' | '\'' | '<' | '>' | '`' | '\\')
    };
    url.len() <= PICTURE_BYTES
        && is_https_or_loopback(url)
        && (allows_loopback || has_scheme(url, "https"))
        && text::is_plain(url)
        && !url.contains(is_forbidden)
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(scheme))
}

/// Returns the string at `path`. Another type counts as absent, an empty string as known to be empty.
fn text_at<'a>(claims: &'a Map<String, Value>, path: &str) -> ProfileField<&'a str> {
    match json::find(claims, path).and_then(Value::as_str) {
        None => ProfileField::Unknown,
        Some("") => ProfileField::None,
        Some(text) => ProfileField::Some(text),
    }
}

/// Returns the first visible name at `paths`.
fn name_at(claims: &Map<String, Value>, paths: &[String]) -> ProfileField<String> {
    let mut name = ProfileField::Unknown;
    for path in paths {
        if let Some(found) = visible_text(claims, path) {
            return ProfileField::Some(found);
        }
        if text_at(claims, path).is_known() {
            name = ProfileField::None;
        }
    }
    name
}

/// Returns the name that given name and family name form, in either spelling.
fn name_from_parts(claims: &Map<String, Value>) -> Option<String> {
    let spellings = [("given_name", "family_name"), ("first_name", "last_name")];
    spellings.into_iter().find_map(|(given, family)| {
        let given = visible_text(claims, given);
        match (given, visible_text(claims, family)) {
            (Some(given), Some(family)) => Some(text::sanitize(&format!("{given} {family}"))),
            (given, family) => given.or(family),
        }
    })
}

/// Returns the string at `path` as a name, if any of it is visible.
fn visible_text(claims: &Map<String, Value>, path: &str) -> Option<String> {
    let text = text::sanitize(json::find(claims, path)?.as_str()?);
    (!text.is_empty()).then_some(text)
}

/// Whether the vouching claim at `path` is true: a boolean, or the string `true`, since some UserInfo
/// endpoints answer with strings. Entra's claim is also a number.
fn is_true(path: &str, value: &Value) -> bool {
    let is_one = || value.as_u64() == Some(1) || value.as_str() == Some("1");
    *value == Value::Bool(true)
        || value.as_str() == Some("true")
        || (path == "xms_edov" && is_one())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::UNNAMED;
    use super::*;
    use crate::oidc::providers::GENERIC;

    fn read(claims: &Value, paths: &Paths) -> Profile {
        Profile::read(claims.as_object().unwrap(), paths)
    }

    fn standard(claims: &Value) -> Profile {
        read(claims, &Paths::for_provider(&GENERIC))
    }

    #[test]
    fn email_verification_is_read_in_every_spelling_of_its_own_claim() {
        let rows = [
            (json!({ "email": "a@b", "email_verified": true }), Some(true)),
            (json!({ "email": "a@b", "email_verified": "true" }), Some(true)),
            (json!({ "email": "a@b", "email_verified": false }), Some(false)),
            (json!({ "email": "a@b", "email_verified": "false" }), Some(false)),
            (json!({ "email": "a@b", "email_verified": 1 }), Some(false)),
            (json!({ "email": "a@b", "email_verified": "TRUE" }), Some(false)),
            (json!({ "email": "a@b" }), Some(false)),
            (json!({ "email": "a\u{0}@b", "email_verified": true }), None),
            (json!({ "email": format!("{}@b", "a".repeat(253)), "email_verified": true }), None),
            (
                json!({ "email": format!("{}@b", "a".repeat(252)), "email_verified": true }),
                Some(true),
            ),
            (json!({ "email": ["a@b"], "email_verified": true }), None),
        ];
        for (claims, expected) in rows {
            let profile = standard(&claims);
            assert_eq!(profile.email().map(Email::is_verified), expected, "{claims}");
        }
        let own = Paths {
            emails: vec![("login".into(), "login_verified".into())],
            ..Paths::for_provider(&GENERIC)
        };
        let claims = json!({ "login": "a@b", "email": "c@d", "email_verified": true });
        assert!(read(&claims, &own).email().is_some_and(|email| !email.is_verified()));
    }

    #[test]
    fn name_and_picture_are_made_valid_for_a_token() {
        let rows = [
            (json!({}), UNNAMED, None),
            (json!({ "name": "" }), UNNAMED, None),
            (json!({ "name": "\u{202e}" }), UNNAMED, None),
            (json!({ "name": 7 }), UNNAMED, None),
            (json!({ "name": " ", "given_name": "Ada", "family_name": "L" }), "Ada L", None),
            (json!({ "name": "A", "given_name": "Ada", "family_name": "L" }), "A", None),
            (json!({ "given_name": "", "family_name": "L" }), "L", None),
            (json!({ "given_name": 7, "first_name": "Ada", "last_name": "L" }), "Ada L", None),
            (json!({ "first_name": "Ada", "nickname": "ada" }), "Ada", None),
            (json!({ "nickname": "ada", "preferred_username": "ada1" }), "ada", None),
            (json!({ "name": "", "preferred_username": "ada1" }), "ada1", None),
            (
                json!({ "name": "Ada\u{0} L", "picture": "https://a/b" }),
                "Ada L",
                Some("https://a/b"),
            ),
            (json!({ "name": "A", "picture": "javascript:alert(1)" }), "A", None),
            (json!({ "name": "A", "picture": "http://a/b" }), "A", None),
            (json!({ "name": "A", "picture": "http://127.0.0.1/b" }), "A", None),
            (
                json!({ "name": "A", "picture": format!("https://a/{}", "b".repeat(1015)) }),
                "A",
                None,
            ),
        ];
        for (claims, name, picture) in rows {
            let profile = standard(&claims);
            assert_eq!((profile.name(), profile.picture()), (name, picture), "{claims}");
        }
    }

    #[test]
    fn configured_name_claim_has_no_substitute_in_the_token() {
        let own = Paths {
            names: vec!["handle".into()],
            has_name_parts: false,
            ..Paths::for_provider(&GENERIC)
        };
        let claims = json!({ "name": "Ada L", "given_name": "Ada", "nickname": "ada" });
        assert_eq!(read(&claims, &own).name(), UNNAMED);
        assert_eq!(read(&claims, &own.or(&Paths::for_provider(&GENERIC))).name(), "Ada L");
    }

    #[test]
    fn numeric_verification_counts_in_the_claim_of_entra_only() {
        let entra = Paths::for_provider(crate::oidc::providers::by_name("entra").unwrap());
        let rows = [
            (json!(true), true),
            (json!("true"), true),
            (json!(1), true),
            (json!("1"), true),
            (json!(0), false),
            (json!("0"), false),
            (json!(2), false),
            (json!([1]), false),
            (json!(false), false),
        ];
        for (value, expected) in rows {
            let claims = json!({ "email": "a@b", "xms_edov": value });
            let verified = read(&claims, &entra).email().is_some_and(Email::is_verified);
            assert_eq!(verified, expected, "{value}");
        }
    }
}
