//! The three parts of an access token, before any of them is trusted.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{self, Algorithm, AllowedAlgorithms};
use super::error::VerifyError;
use super::provider::Provider;
use super::token_kind;
use crate::json;

/// A token in the compact form of [RFC 7515 §3.1] whose header is parsed and whose payload is not.
///
/// Used only to find the key and to check the signature.
///
/// [RFC 7515 §3.1]: https://www.rfc-editor.org/rfc/rfc7515#section-3.1
pub struct UnverifiedJwt<'a> {
    /// `header.payload`.
    signing_input: &'a str,
    payload: &'a str,
    signature: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
    thumbprint: Option<String>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Splits `token` and parses its header.
    ///
    /// The header must name an allowed `alg` and a `typ` that `provider` issues to people. It must not
    /// require anything that is not implemented: no `crit` ([RFC 7515 §4.1.11]), no `b64:false`
    /// ([RFC 7797 §7]), no nesting (`cty`) and no compression (`zip`). Locations of keys (`jku`, `jwk`,
    /// `x5u`, `x5c`) are ignored.
    ///
    /// # Errors
    ///
    /// - [`VerifyError::Encrypted`] for five parts, [`VerifyError::NotAJwt`] for any other form.
    /// - [`VerifyError::Algorithm`] and [`VerifyError::AlgorithmNotAccepted`] for `alg`.
    /// - [`VerifyError::Header`] for any other field.
    ///
    /// [RFC 7515 §4.1.11]: https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    /// [RFC 7797 §7]: https://www.rfc-editor.org/rfc/rfc7797#section-7
    pub fn read(
        token: &'a str,
        allowed: &AllowedAlgorithms,
        provider: &Provider,
    ) -> Result<Self, VerifyError> {
        let (signing_input, header, payload, signature) = split(token)?;
        let mut header = object(header)?;
        let name = header.get("alg").and_then(Value::as_str).ok_or(VerifyError::Algorithm)?;
        let algorithm = allowed.get(name).ok_or_else(|| {
            algorithm::known_name(name)
                .map_or(VerifyError::Algorithm, VerifyError::AlgorithmNotAccepted)
        })?;
        check_header(&header, provider)?;
        let key_id = text(&mut header, "kid")?;
        let thumbprint = if key_id.is_none() { text(&mut header, "x5t")? } else { None };
        Ok(Self { signing_input, payload, signature, algorithm, key_id, thumbprint })
    }

    /// The allowed algorithm that the header names.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The `kid` of the header: a name to look up, never an address or a path.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The `x5t` of a header without `kid`
    /// ([RFC 7515 §4.1.7](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.7)): a name to look up.
    pub fn thumbprint(&self) -> Option<&str> {
        self.thumbprint.as_deref()
    }

    /// The signed bytes.
    pub(super) fn signing_input(&self) -> &'a str {
        self.signing_input
    }

    /// The signature, as base64url.
    pub(super) fn signature(&self) -> &'a str {
        self.signature
    }

    /// Parses the claims. To be called after the signature was verified.
    pub(super) fn payload(&self) -> Result<Map<String, Value>, VerifyError> {
        object(self.payload)
    }
}

/// Returns the `iss` of an unverified token, to select the issuer whose keys verify it. The issuer
/// checks it again, after the signature.
///
/// # Errors
///
/// - [`VerifyError::NotAJwt`] and [`VerifyError::Encrypted`], as for [`UnverifiedJwt::read`].
/// - [`VerifyError::Issuer`] if it is not a string.
pub fn unverified_issuer(token: &str) -> Result<String, VerifyError> {
    let (_, _, payload, _) = split(token)?;
    match object(payload)?.remove("iss") {
        Some(Value::String(issuer)) => Ok(issuer),
        _ => Err(VerifyError::Issuer),
    }
}

/// Returns signing input, header, payload and signature.
fn split(token: &str) -> Result<(&str, &str, &str, &str), VerifyError> {
    let (signing_input, signature) = token.rsplit_once('.').ok_or(VerifyError::NotAJwt)?;
    let (header, payload) = signing_input.split_once('.').ok_or(VerifyError::NotAJwt)?;
    match payload.bytes().filter(|byte| *byte == b'.').count() {
        0 => Ok((signing_input, header, payload, signature)),
        2 => Err(VerifyError::Encrypted),
        _ => Err(VerifyError::NotAJwt),
    }
}

/// Parses a JSON object without duplicate fields from canonical base64url
/// ([RFC 7515 §2](https://www.rfc-editor.org/rfc/rfc7515#section-2): no padding; and no stray bits, which
/// would give one token many spellings).
fn object(part: &str) -> Result<Map<String, Value>, VerifyError> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| VerifyError::NotAJwt)?;
    json::parse_object(&text).map_err(|_| VerifyError::NotAJwt)
}

/// Removes a field that is a string or absent.
fn text(
    header: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, VerifyError> {
    match header.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(VerifyError::Header(name)),
    }
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
    token_kind::check_header(header)?;
    provider.check_header(header)
}

/// Media types are case-insensitive, and `application/` may be omitted
/// ([RFC 7515 §4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
fn is_one_of(typ: &str, types: &[&str]) -> bool {
    const PREFIX: &str = "application/";
    let subtype = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(PREFIX) => subtype,
        _ => typ,
    };
    types.iter().any(|known| subtype.eq_ignore_ascii_case(known))
}
