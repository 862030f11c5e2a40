//! The access token in a request's headers: `Authorization`, another header, or a session cookie.

use std::fmt;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Maximum length of a token, in bytes: API Gateway accepts no longer headers.
pub const TOKEN_BYTES: usize = 10_240;

/// A token that a client sent. `Debug` does not show it.
#[derive(Clone, Copy)]
pub struct UnverifiedBearer<'a>(&'a str);

/// The reason why a request has no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// No header, another scheme, or no token after it.
    #[error("no bearer token in the request")]
    Missing,
    /// Several headers or cookies, two different tokens, or text that cannot be a token.
    #[error("the header or the session cookie is not one bearer token, which is a JWT")]
    Malformed,
}

impl<'a> UnverifiedBearer<'a> {
    /// Reads the one `Authorization` header
    /// ([RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)). The scheme is
    /// case-insensitive. Gateways join several headers with commas, which no token contains.
    ///
    /// # Errors
    ///
    /// - [`BearerError::Missing`] if there is none, or it has another scheme or no token.
    /// - [`BearerError::Malformed`] if there are several, or it is not a token.
    pub fn from_headers(headers: &'a HeaderMap) -> Result<Self, BearerError> {
        let value = single(headers, &AUTHORIZATION)?;
        let value = value.to_str().map_err(|_| BearerError::Malformed)?;
        let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
        let token = token.trim_matches(' ');
        if !scheme.eq_ignore_ascii_case("Bearer") || token.is_empty() {
            return Err(BearerError::Missing);
        }
        Self::new(token)
    }

    /// Reads the one header called `name`, whose value is the token itself. A proxy that has
    /// authenticated the caller sets such headers. A bearer token in `Authorization` must be the same.
    ///
    /// # Errors
    ///
    /// - [`BearerError::Missing`] if there is none, or it is empty.
    /// - [`BearerError::Malformed`] if there are several, if it is not a token, or if `Authorization`
    ///   has another token.
    pub fn from_header(headers: &'a HeaderMap, name: &HeaderName) -> Result<Self, BearerError> {
        let value = single(headers, name)?;
        let token = value.to_str().map_err(|_| BearerError::Malformed)?.trim_matches(' ');
        if token.is_empty() {
            return Err(BearerError::Missing);
        }
        let bearer = Self::new(token)?;
        match Self::from_headers(headers) {
            Err(BearerError::Missing) => Ok(bearer),
            Ok(other) if other.0 == token => Ok(bearer),
            _ => Err(BearerError::Malformed),
        }
    }

    /// Reads the one cookie called `name` ([RFC 6265 §4.2](https://www.rfc-editor.org/rfc/rfc6265#section-4.2)).
    /// Browsers attach cookies by themselves: the caller must have checked the page's origin.
    ///
    /// # Errors
    ///
    /// - [`BearerError::Missing`] if there is none, or it is empty.
    /// - [`BearerError::Malformed`] if there are several, or it is not a token.
    pub fn from_cookie(headers: &'a HeaderMap, name: &str) -> Result<Self, BearerError> {
        let mut found = None;
        // Cookies of other names may contain any bytes.
        let values = headers.get_all(COOKIE).iter();
        for pair in values.flat_map(|value| value.as_bytes().split(|byte| *byte == b';')) {
            let token = pair.trim_ascii().strip_prefix(name.as_bytes());
            if let Some(token) = token.and_then(|rest| rest.strip_prefix(b"="))
                && found.replace(token).is_some()
            {
                return Err(BearerError::Malformed);
            }
        }
        let found = found.map(str::from_utf8).transpose().map_err(|_| BearerError::Malformed)?;
        match found {
            None | Some("") => Err(BearerError::Missing),
            Some(token) => Self::new(token),
        }
    }

    fn new(token: &'a str) -> Result<Self, BearerError> {
        if token.len() <= TOKEN_BYTES
            && token.bytes().fold(true, |all, byte| all & is_token_byte(byte))
        {
            Ok(Self(token))
        } else {
            Err(BearerError::Malformed)
        }
    }

    /// The unverified token.
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

/// Returns the only header called `name`.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a HeaderValue, BearerError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(BearerError::Missing)?;
    if values.next().is_some() { Err(BearerError::Malformed) } else { Ok(value) }
}

/// Whether `byte` can be part of a compact JWS ([RFC 7515 §3.1](https://www.rfc-editor.org/rfc/rfc7515#section-3.1)).
///
/// Without branches, so that the compiler checks 16 bytes at once.
#[expect(clippy::needless_bitwise_bool, reason = "`||` is a branch")]
fn is_token_byte(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let is_digit = byte.wrapping_sub(b'0') < 10;
    is_letter | is_digit | (byte == b'-') | (byte == b'_') | (byte == b'.')
}

impl fmt::Debug for UnverifiedBearer<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnverifiedBearer(…)")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn token_byte_is_alphanumeric_or_one_of_three_others() {
        for byte in 0..=u8::MAX {
            let is_expected = byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            assert_eq!(is_token_byte(byte), is_expected, "{byte}");
        }
    }

    #[test]
    fn token_is_read_from_exactly_one_header() {
        let long = |bytes: usize| format!("Bearer {}", "a".repeat(bytes));
        let rows: &[(&[&str], Result<&str, BearerError>)] = &[
            (&["Bearer a.b.c"], Ok("a.b.c")),
            (&["bearer a.b.c"], Ok("a.b.c")),
            (&["BEARER  a.b.c "], Ok("a.b.c")),
            (&[&long(TOKEN_BYTES)], Ok(&"a".repeat(TOKEN_BYTES))),
            (&[&long(TOKEN_BYTES + 1)], Err(BearerError::Malformed)),
            (&[], Err(BearerError::Missing)),
            (&[""], Err(BearerError::Missing)),
            (&["Bearer"], Err(BearerError::Missing)),
            (&["Bearer "], Err(BearerError::Missing)),
            (&["Bearera.b.c"], Err(BearerError::Missing)),
            (&["Basic YTpi"], Err(BearerError::Missing)),
            (&["a.b.c"], Err(BearerError::Missing)),
            (&["Bearer a.b.c", "Bearer a.b.c"], Err(BearerError::Malformed)),
            (&["Bearer a.b.c,Bearer a.b.c"], Err(BearerError::Malformed)),
            (&["Bearer a.b.c d"], Err(BearerError::Malformed)),
            (&["Bearer a.b.c="], Err(BearerError::Malformed)),
            (&["Bearer a\tb"], Err(BearerError::Malformed)),
        ];
        for (values, expected) in rows {
            let headers: HeaderMap = values
                .iter()
                .map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap()))
                .collect();
            let read = UnverifiedBearer::from_headers(&headers).map(|bearer| bearer.as_str());
            assert_eq!(read, *expected, "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(UnverifiedBearer::from_headers(&headers).err(), Some(BearerError::Malformed));
    }

    #[test]
    fn named_header_is_one_token_and_the_same_as_the_bearer() {
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let rows: &[(Headers<'_>, Result<&str, BearerError>)] = &[
            (&[("x-token", "a.b.c")], Ok("a.b.c")),
            (&[("x-token", " a.b.c ")], Ok("a.b.c")),
            (&[("x-token", "a.b.c"), ("authorization", "Bearer a.b.c")], Ok("a.b.c")),
            (&[("x-token", "a.b.c"), ("authorization", "Basic YTpi")], Ok("a.b.c")),
            (&[("x-token", "a.b.c"), ("authorization", "")], Ok("a.b.c")),
            (
                &[("x-token", "a.b.c"), ("authorization", "Bearer d.e.f")],
                Err(BearerError::Malformed),
            ),
            (&[("x-token", "a.b.c"), ("authorization", "Bearer a b")], Err(BearerError::Malformed)),
            (&[("x-token", "a.b.c"), ("x-token", "a.b.c")], Err(BearerError::Malformed)),
            (&[("x-token", "a.b.c,a.b.c")], Err(BearerError::Malformed)),
            (&[("x-token", "Bearer a.b.c")], Err(BearerError::Malformed)),
            (&[("x-token", "a.b.c=")], Err(BearerError::Malformed)),
            (&[("x-token", "")], Err(BearerError::Missing)),
            (&[("x-token", " ")], Err(BearerError::Missing)),
            (&[("authorization", "Bearer a.b.c")], Err(BearerError::Missing)),
        ];
        let name = HeaderName::from_static("x-token");
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *values {
                headers.append(*name, HeaderValue::from_str(value).unwrap());
            }
            let read = UnverifiedBearer::from_header(&headers, &name);
            assert_eq!(read.map(|bearer| bearer.as_str()), *expected, "{values:?}");
        }
    }

    #[test]
    fn token_is_read_from_exactly_one_cookie() {
        let rows: &[(&[&str], Result<&str, BearerError>)] = &[
            (&["__session=a.b.c"], Ok("a.b.c")),
            (&["theme=dark; __session=a.b.c; x=y"], Ok("a.b.c")),
            (&["theme=dark", "__session=a.b.c"], Ok("a.b.c")),
            (&["theme=dark"], Err(BearerError::Missing)),
            (&["__session="], Err(BearerError::Missing)),
            (&["__session"], Err(BearerError::Missing)),
            (&["__Session=a.b.c"], Err(BearerError::Missing)),
            (&["x__session=a.b.c"], Err(BearerError::Missing)),
            (&["__session=a.b.c; __session=d.e.f"], Err(BearerError::Malformed)),
            (&["__session=a.b.c", "__session=a.b.c"], Err(BearerError::Malformed)),
            (&["__session=a b"], Err(BearerError::Malformed)),
            (&[], Err(BearerError::Missing)),
        ];
        for (values, expected) in rows {
            let headers: HeaderMap = values
                .iter()
                .map(|value| (COOKIE, HeaderValue::from_str(value).unwrap()))
                .collect();
            let read = UnverifiedBearer::from_cookie(&headers, "__session");
            assert_eq!(read.map(|bearer| bearer.as_str()), *expected, "{values:?}");
        }
    }
}
