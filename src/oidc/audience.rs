//! The decision which tokens of an issuer are meant for this application.

use serde_json::{Map, Value};

use super::error::VerifyError;

/// Claims that name the client that a token was issued to, in the spellings of the providers.
pub(super) const PARTY_CLAIMS: [&str; 4] = ["azp", "client_id", "cid", "appid"];

/// The tokens of an issuer that are meant for this application. A value cannot be made without a
/// decision: it names audiences, or parties, or says that the issuer serves this application alone.
#[derive(Clone, Debug)]
pub struct Audience {
    audiences: Vec<String>,
    parties: Vec<String>,
    is_dedicated: bool,
}

impl Audience {
    /// Accepts tokens whose `aud` contains one of `audiences`, if there are any, and whose client is
    /// one of `parties`, if there are any. If the issuer is dedicated to this application, a token
    /// that names no audience, or no client, is accepted as well.
    ///
    /// Returns `None` if that would accept tokens for any application.
    pub fn new(audiences: Vec<String>, parties: Vec<String>, is_dedicated: bool) -> Option<Self> {
        let is_decided = is_dedicated || !audiences.is_empty() || !parties.is_empty();
        is_decided.then_some(Self { audiences, parties, is_dedicated })
    }

    /// Accepted values of `aud`.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Accepted clients.
    pub fn parties(&self) -> &[String] {
        &self.parties
    }

    /// Whether the issuer serves this application alone.
    pub fn is_dedicated(&self) -> bool {
        self.is_dedicated
    }

    /// Checks `aud` ([RFC 7519 §4.1.3](https://www.rfc-editor.org/rfc/rfc7519#section-4.1.3)).
    ///
    /// # Errors
    ///
    /// [`VerifyError::Audience`] if it contains no accepted value, or a value that is not a string.
    pub fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        if self.audiences.is_empty() {
            return Ok(());
        }
        let is_listed = |audience: &str| self.audiences.iter().any(|listed| listed == audience);
        let is_accepted = match claims.get("aud") {
            Some(Value::String(audience)) => is_listed(audience),
            Some(Value::Array(audiences)) if !audiences.is_empty() => {
                audiences.iter().all(Value::is_string)
                    && audiences.iter().filter_map(Value::as_str).any(is_listed)
            }
            None | Some(Value::Null | Value::Array(_)) => self.is_dedicated,
            Some(_) => false,
        };
        if is_accepted { Ok(()) } else { Err(VerifyError::Audience) }
    }

    /// Checks the claims that name the client: at least one, and all that are present.
    ///
    /// # Errors
    ///
    /// [`VerifyError::AuthorizedParty`] if one of them is not an accepted client, or all are absent.
    pub fn check_party(&self, claims: &Map<String, Value>) -> Result<(), VerifyError> {
        if self.parties.is_empty() {
            return Ok(());
        }
        let is_listed = |party: &Value| {
            party.as_str().is_some_and(|party| self.parties.iter().any(|listed| listed == party))
        };
        let named = PARTY_CLAIMS.iter().filter_map(|name| claims.get(*name));
        let mut named = named.filter(|party| !party.is_null()).peekable();
        let is_named = named.peek().is_some();
        if (is_named || self.is_dedicated) && named.all(is_listed) {
            Ok(())
        } else {
            Err(VerifyError::AuthorizedParty)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(audiences: &[&str], parties: &[&str], is_dedicated: bool) -> Option<Audience> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Audience::new(owned(audiences), owned(parties), is_dedicated)
    }

    #[test]
    fn audience_check_needs_a_decision() {
        assert!(of(&[], &[], false).is_none());
        assert!(of(&["a"], &[], false).is_some());
        assert!(of(&[], &["b"], false).is_some());
        assert!(of(&[], &[], true).is_some());
    }

    #[test]
    fn dedicated_issuer_may_omit_but_not_contradict_the_audience() {
        #[rustfmt::skip]
        let rows = [
            (json!({}), true),
            (json!({ "aud": null, "azp": null }), true),
            (json!({ "aud": [] }), true),
            (json!({ "aud": "a" }), true),
            (json!({ "aud": ["x", "a"], "azp": "b" }), true),
            (json!({ "aud": "x" }), false),
            (json!({ "aud": "" }), false),
            (json!({ "aud": [7] }), false),
            (json!({ "aud": 7 }), false),
            (json!({ "aud": { "a": 1 } }), false),
            (json!({ "azp": "x" }), false),
            (json!({ "azp": "b", "client_id": "x" }), false),
            (json!({ "appid": ["b"] }), false),
        ];
        let audience = of(&["a"], &["b"], true).unwrap();
        for (claims, expected) in rows {
            let claims = claims.as_object().unwrap();
            let outcome = audience.check_audience(claims).and(audience.check_party(claims));
            assert_eq!(outcome.is_ok(), expected, "{claims:?}");
        }
    }
}
