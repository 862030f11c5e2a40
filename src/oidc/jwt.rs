//! A token's three parts, before anything about them is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, AllowedAlgorithms};
use super::error::VerifyError;
use super::provider::Provider;
use crate::json;

/// A token in the compact form of [RFC 7515 §3.1], its header read and its payload not.
///
/// Only for finding the key and checking the signature.
///
/// [RFC 7515 §3.1]: https://www.rfc-editor.org/rfc/rfc7515#section-3.1
pub struct UnverifiedJwt<'a> {
    /// `header.payload`, what is signed.
    signing_input: &'a str,
    payload: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Splits `token` and reads its header.
    ///
    /// The header must name an allowed `alg`, be of a kind that `provider` gives to people, and ask for
    /// nothing that we would have to understand: no `crit` ([RFC 7515 §4.1.11]), no `b64:false`
    /// ([RFC 7797 §7]), no nesting (`cty`) and no compression (`zip`). Where it says the key is
    /// (`jku`, `jwk`, `x5u`, `x5c`) is ignored.
    ///
    /// # Errors
    ///
    /// [`VerifyError::NotAJwt`], [`VerifyError::Algorithm`] or [`VerifyError::Header`].
    ///
    /// [RFC 7515 §4.1.11]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    /// [RFC 7797 §7]: https://www.rfc-editor.org/rfc/rfc7797#section-7
    pub fn read(
        token: &'a str,
        allowed: &AllowedAlgorithms,
        provider: &Provider,
    ) -> Result<Self, VerifyError> {
        let (signing_input, header, payload, signature) = split(token)?;
        let header = object(header)?;
        let algorithm = header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(|name| allowed.get(name))
            .ok_or(VerifyError::Algorithm)?;
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(VerifyError::Header("kid")),
        };
        check_header(&header, provider)?;
        Ok(Self { signing_input, payload, signature, algorithm, key_id })
    }

    /// The allowed algorithm that the header names.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` of the header: a name to look up, never an address or a path.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// What is signed.
    pub(super) fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature, base64url.
    pub(super) fn signature(&self) -> &'a str {
        self.signature
    }

    /// The claims; call it when the signature holds.
    pub(super) fn payload(&self) -> Result<Map<String, Value>, VerifyError> {
        object(self.payload)
    }
}

/// The `iss` of a token of which nothing is known, to choose whose keys to try. It is checked again,
/// with the signature.
///
/// # Errors
///
/// [`VerifyError::NotAJwt`], and [`VerifyError::Issuer`] where it is no text.
pub fn unverified_issuer(token: &str) -> Result<String, VerifyError> {
    let (_, _, payload, _) = split(token)?;
    match object(payload)?.remove("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        _ => Err(VerifyError::Issuer),
    }
}

/// Signing input, header, payload and signature.
fn split(token: &str) -> Result<(&str, &str, &str, &str), VerifyError> {
    let (signing_input, signature) = token.rsplit_once('.').ok_or(VerifyError::NotAJwt)?;
    let (header, payload) = signing_input.split_once('.').ok_or(VerifyError::NotAJwt)?;
    if payload.contains('.') {
        return Err(VerifyError::NotAJwt);
    }
    Ok((signing_input, header, payload, signature))
}

/// Canonical base64url ([RFC 7515 §2](https://www.rfc-editor.org/rfc/rfc7515#section-2): no padding;
/// and no stray bits, which would give one token many spellings) of a JSON object without duplicates.
fn object(part: &str) -> Result<Map<String, Value>, VerifyError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyError::NotAJwt)?;
    json::parse_object(&text).map_err(|_| VerifyError::NotAJwt)
}

fn check_header(header: &Map<String, Value>, provider: &Provider) -> Result<(), VerifyError> {
    for unsupported in ["crit", "cty", "zip"] {
        if header.contains_key(unsupported) {
            return Err(VerifyError::Header(unsupported));
        }
    }
    if header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true)) {
        return Err(VerifyError::Header("b64"));
    }
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if is_one_of(typ, provider.types) => {}
        Some(_) => return Err(VerifyError::Header("typ")),
    }
    provider.check_header(header)
}

/// Media types have no case, and `application/` may be left out
/// ([RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
fn is_one_of(typ: &str, types: &[&str]) -> bool {
    const PREFIX: &str = "application/";
    let subtype = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
        _ => typ,
    };
    types.iter().any(|known| subtype.eq_ignore_ascii_case(known))
}
