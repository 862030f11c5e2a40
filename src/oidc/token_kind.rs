//! Kinds of tokens that no provider issues to a person for access.

use serde_json::{Map, Value};

use super::audience::PARTY_CLAIMS;
use super::error::VerifyError;
use super::provider::Provider;

/// Kinds of tokens other than access tokens, as claims about the token name them.
const OTHER_KINDS: Names = Names {
    exact: &["id", "idjwt", "idtoken", "rt", "rtjwt", "dsr"],
    prefixes: &["refresh", "idtoken", "logout", "backchannellogout", "offline", "secevent", "dpop"],
};

/// The grant of machines ([RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4)).
const MACHINE_GRANTS: Names = Names { exact: &[], prefixes: &["clientcredential"] };

/// Access tokens, as claims about the token name them.
const ACCESS_TOKEN: Names = Names { exact: &[], prefixes: &["access"] };

/// A session whose owner has not completed the sign-in (Clerk).
const PENDING: Names = Names { exact: &["pending"], prefixes: &[] };

/// The end of a machine's `sub` at Auth0, after the client.
const CLIENT_SUFFIX: &str = "@clients";

/// The `sub` of every user of an Azure AD B2C policy that does not emit it.
const LEGACY_SUBJECT: &str = "not supported currently";

/// Known values of a claim, without separators and in lower case.
struct Names {
    exact: &'static [&'static str],
    prefixes: &'static [&'static str],
}

/// Rejects claims that say that the token is not a person's access token, whatever the provider.
/// A list of accepted values in the preset takes the place of the values here.
///
/// # Errors
///
/// - [`VerifyError::Bound`] for a token that is bound to a key ([RFC 9449 §7.2], [RFC 8705 §3]): its
///   proof of possession is not checked.
/// - [`VerifyError::TokenKind`] for refresh, ID and logout tokens, security events, tokens of machines
///   and tokens of incomplete sessions.
///
/// [RFC 9449 §7.2]: https://www.rfc-editor.org/rfc/rfc9449#section-7.2
/// [RFC 8705 §3]: https://www.rfc-editor.org/rfc/rfc8705#section-3
pub(super) fn check(provider: &Provider, claims: &Map<String, Value>) -> Result<(), VerifyError> {
    for (name, value) in claims {
        match name.as_str() {
            "cnf" if !value.is_null() => return Err(VerifyError::Bound),
            "events" if !value.is_null() => return Err(VerifyError::TokenKind("events")),
            name => {
                if let Some((name, kinds)) = kinds_of(name)
                    && kinds.list(value)
                    && !provider.decides_about(name)
                {
                    return Err(VerifyError::TokenKind(name));
                }
            }
        }
    }
    match claims.get("sub").and_then(Value::as_str) {
        Some(subject) if is_client(subject, claims) => Err(VerifyError::TokenKind("sub")),
        _ => Ok(()),
    }
}

/// Rejects headers that say that the token is not a person's access token. Some providers name the
/// grant there. The preset decides about `typ`.
///
/// # Errors
///
/// [`VerifyError::Header`] with the first field that is not accepted.
pub(super) fn check_header(header: &Map<String, Value>) -> Result<(), VerifyError> {
    for (name, value) in header {
        match kinds_of(name) {
            Some((name, kinds)) if name != "typ" && kinds.list(value) => {
                return Err(VerifyError::Header(name));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a claim says that the token is an access token. Such a token may have claims that ID
/// tokens have too, such as `nonce`.
pub(super) fn is_access_token(claims: &Map<String, Value>) -> bool {
    let mut names = ["tokenType", "tokenName", "token_use"].into_iter();
    names.any(|name| claims.get(name).is_some_and(|value| ACCESS_TOKEN.list(value)))
}

/// Returns the values of the field `name` that access tokens of people do not have, and the name.
fn kinds_of(name: &str) -> Option<(&'static str, &'static Names)> {
    Some(match name {
        "typ" => ("typ", &OTHER_KINDS),
        "type" => ("type", &OTHER_KINDS),
        "tokenType" => ("tokenType", &OTHER_KINDS),
        "token_type" => ("token_type", &OTHER_KINDS),
        "tokenName" => ("tokenName", &OTHER_KINDS),
        "token_name" => ("token_name", &OTHER_KINDS),
        "token_use" => ("token_use", &OTHER_KINDS),
        "tokenUse" => ("tokenUse", &OTHER_KINDS),
        "tty" => ("tty", &OTHER_KINDS),
        "drn" => ("drn", &OTHER_KINDS),
        "gty" => ("gty", &MACHINE_GRANTS),
        "grant_type" => ("grant_type", &MACHINE_GRANTS),
        "grantType" => ("grantType", &MACHINE_GRANTS),
        "sts" => ("sts", &PENDING),
        _ => return None,
    })
}

/// Whether `subject` is the client that the token was issued to, which makes the token a machine's.
pub(super) fn is_client(subject: &str, claims: &Map<String, Value>) -> bool {
    let subject = subject.trim();
    let subject = subject.strip_suffix(CLIENT_SUFFIX).unwrap_or(subject);
    let clients = PARTY_CLAIMS.iter().filter_map(|name| claims.get(*name));
    clients.filter_map(Value::as_str).any(|client| client.trim().eq_ignore_ascii_case(subject))
}

/// Whether `subject` is the same text for every person.
pub(super) fn is_placeholder(subject: &str) -> bool {
    let start = subject.trim_start().get(..LEGACY_SUBJECT.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(LEGACY_SUBJECT))
}

impl Names {
    /// Whether `value`, a string or a list of strings, contains one of the names.
    fn list(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.contain(text),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_str).any(|it| self.contain(it))
            }
            _ => false,
        }
    }

    /// Whether `text` is one of the names, case and separators aside. Of a URI, the last part counts
    /// ([RFC 8693 §3](https://www.rfc-editor.org/rfc/rfc8693#section-3)).
    fn contain(&self, text: &str) -> bool {
        let text = text.rsplit([':', '/']).next().unwrap_or(text);
        let letters =
            || text.bytes().filter(u8::is_ascii_alphanumeric).map(|it| it.to_ascii_lowercase());
        self.exact.iter().any(|name| letters().eq(name.bytes()))
            || self.prefixes.iter().any(|name| letters().take(name.len()).eq(name.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oidc::providers::{self, GENERIC};

    #[test]
    fn kind_is_recognized_in_every_spelling() {
        #[rustfmt::skip]
        let rows = [
            (json!({ "typ": "Refresh" }), Some("typ")),
            (json!({ "typ": " REFRESH " }), Some("typ")),
            (json!({ "typ": ["Bearer", "Refresh"] }), Some("typ")),
            (json!({ "typ": "rt+jwt" }), Some("typ")),
            (json!({ "typ": "Id" }), Some("typ")),
            (json!({ "typ": "logout+jwt" }), Some("typ")),
            (json!({ "typ": "Bearer" }), None),
            (json!({ "typ": "at+jwt" }), None),
            (json!({ "typ": "identity-verified" }), None),
            (json!({ "type": "refresh" }), Some("type")),
            (json!({ "type": "app" }), None),
            (json!({ "token_type": "urn:ietf:params:oauth:token-type:refresh_token" }), Some("token_type")),
            (json!({ "token_type": "urn:ietf:params:oauth:token-type:access_token" }), None),
            (json!({ "tokenType": "refreshToken" }), Some("tokenType")),
            (json!({ "tokenName": "id_token" }), Some("tokenName")),
            (json!({ "token_use": "ID" }), Some("token_use")),
            (json!({ "drn": "DSR" }), Some("drn")),
            (json!({ "drn": "DS" }), None),
            (json!({ "gty": ["authorization_code", "client_credentials"] }), Some("gty")),
            (json!({ "gty": "refresh_token" }), None),
            (json!({ "grant_type": "Client-Credentials" }), Some("grant_type")),
            (json!({ "grant_type": "refresh_token" }), None),
            (json!({ "sts": "PENDING" }), Some("sts")),
            (json!({ "sts": "active" }), None),
            (json!({ "events": {} }), Some("events")),
            (json!({ "events": null, "cnf": null, "typ": null }), None),
            (json!({ "sub": "a", "client_id": "A" }), Some("sub")),
            (json!({ "sub": "a@clients", "azp": "a" }), Some("sub")),
            (json!({ "sub": "a@clients", "azp": "b" }), None),
            (json!({ "sub": "ab", "azp": "a" }), None),
            (json!({ "sub": null, "azp": null }), None),
        ];
        for (claims, expected) in rows {
            let expected = expected.map_or(Ok(()), |claim| Err(VerifyError::TokenKind(claim)));
            assert_eq!(check(&GENERIC, claims.as_object().unwrap()), expected, "{claims}");
        }
        let bound = json!({ "cnf": {} });
        assert_eq!(check(&GENERIC, bound.as_object().unwrap()), Err(VerifyError::Bound));
    }

    #[test]
    fn header_may_name_the_kind() {
        #[rustfmt::skip]
        let rows = [
            (json!({ "typ": "JWT", "gty": ["client_credentials"] }), Some("gty")),
            (json!({ "gty": ["authorization_code", "refresh_token"], "alg": "RS256" }), None),
            (json!({ "token_use": "id" }), Some("token_use")),
            (json!({ "typ": "refresh" }), None),
        ];
        for (header, expected) in rows {
            let expected = expected.map_or(Ok(()), |field| Err(VerifyError::Header(field)));
            assert_eq!(check_header(header.as_object().unwrap()), expected, "{header}");
        }
    }

    #[test]
    fn access_token_says_so() {
        #[rustfmt::skip]
        let rows = [
            (json!({ "tokenType": "access-token" }), true),
            (json!({ "tokenName": "access_token" }), true),
            (json!({ "token_use": "access" }), true),
            (json!({ "tokenType": "refresh-token" }), false),
            (json!({ "token_type": "Bearer" }), false),
            (json!({}), false),
        ];
        for (claims, expected) in rows {
            assert_eq!(is_access_token(claims.as_object().unwrap()), expected, "{claims}");
        }
    }

    #[test]
    fn preset_that_lists_the_accepted_values_decides() {
        let claims = json!({ "token_use": "id", "typ": "Refresh" });
        let claims = claims.as_object().unwrap();
        let cognito = providers::by_name("cognito").unwrap();
        assert_eq!(check(cognito, claims), Err(VerifyError::TokenKind("typ")));
        assert_eq!(check(&GENERIC, claims), Err(VerifyError::TokenKind("token_use")));
    }

    #[test]
    fn placeholder_is_recognized() {
        assert!(is_placeholder("Not supported currently. Use oid claim."));
        assert!(is_placeholder(" not supported currently"));
        assert!(!is_placeholder("Not supported"));
        assert!(!is_placeholder("é"));
    }
}
