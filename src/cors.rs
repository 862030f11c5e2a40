//! Cross-origin requests ([Fetch](https://fetch.spec.whatwg.org/#http-cors-protocol)): which pages
//! may read our answers.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

/// Origins whose pages may read our answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// No header at all: pages of our own origin only, or a gateway that sets the headers itself.
    None,
    /// Any origin.
    Any,
    /// These, byte for byte.
    Listed(Vec<String>),
}

impl Cors {
    /// Reads a comma list of origins (`https://app.example`), or `*`.
    ///
    /// # Errors
    ///
    /// The end of a sentence that starts with the variable's name.
    pub fn parse(list: &str) -> Result<Self, &'static str> {
        if list.is_empty() {
            return Ok(Self::None);
        }
        if list == "*" {
            return Ok(Self::Any);
        }
        let origins: Vec<String> = list.split(',').map(|origin| origin.trim().to_owned()).collect();
        if origins.iter().all(|origin| is_origin(origin)) {
            Ok(Self::Listed(origins))
        } else {
            Err("must be * or a comma list of origins such as https://app.example, without a path")
        }
    }

    /// Whether the page that sent a request with `request`'s headers is listed by name: what a cookie,
    /// which travels by itself, needs.
    #[must_use]
    pub fn lists(&self, request: &HeaderMap) -> bool {
        self.listed(request).is_some()
    }

    fn listed<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let Self::Listed(origins) = self else { return None };
        let mut values = request.get_all(ORIGIN).iter();
        let origin = values.next().filter(|_| values.next().is_none())?;
        origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then_some(origin)
    }

    /// Sets what an answer, errors included, says to the page that sent a request with `request`'s
    /// headers.
    pub fn allow(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let origin = match self {
            Self::None => return,
            Self::Any => Some(HeaderValue::from_static("*")),
            Self::Listed(_) => {
                // Also where this origin may not: a cache must not hand its answer to one that may.
                response.insert(VARY, HeaderValue::from_static("Origin"));
                self.listed(request).cloned()
            }
        };
        if let Some(origin) = origin {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            response.insert(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("Retry-After, WWW-Authenticate"),
            );
        }
    }

    /// The answer to `OPTIONS` of a route with these `methods`. Its origin is set by [`allow`](Self::allow).
    #[must_use]
    pub fn preflight(&self, request: &HeaderMap, methods: &'static str) -> Response<Vec<u8>> {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let mut allowed = HeaderMap::new();
        self.allow(request, &mut allowed);
        if allowed.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            for (name, value) in [
                (ACCESS_CONTROL_ALLOW_METHODS, methods),
                (ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"),
                (ACCESS_CONTROL_MAX_AGE, "7200"),
            ] {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        response
    }
}

/// Whether `text` is an origin as browsers send it
/// ([RFC 6454 §6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)): scheme and authority in
/// lower case, nothing behind.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase());
    let is_host =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]_".contains(&byte);
    is_scheme && !host.is_empty() && host.bytes().all(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_origins() {
        for list in [
            "https://app.example",
            "http://localhost:5173, https://a.example",
            "capacitor://localhost",
        ] {
            assert!(matches!(Cors::parse(list), Ok(Cors::Listed(_))), "{list}");
        }
        assert_eq!(Cors::parse("*"), Ok(Cors::Any));
        assert_eq!(Cors::parse(""), Ok(Cors::None));
        for list in [
            "https://app.example/",
            "https://app.example/path",
            "https://*.example",
            "app.example",
            "HTTPS://app.example",
            "://app.example",
            "https://",
            "https://App.example",
            "https://a.example,*",
            "https://a.example,,https://b.example",
            "null",
        ] {
            assert!(Cors::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn allows_byte_for_byte() {
        let cors = Cors::parse("https://app.example,http://localhost:3000").unwrap();
        let rows = [
            ("https://app.example", true),
            ("http://localhost:3000", true),
            ("https://app.example.evil.example", false),
            ("https://app.example:443", false),
            ("http://app.example", false),
            ("https://APP.example", false),
            ("null", false),
        ];
        for (origin, expected) in rows {
            let request = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static(origin))]);
            let mut response = HeaderMap::new();
            cors.allow(&request, &mut response);
            let allowed = response.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(HeaderValue::as_bytes);
            assert_eq!(allowed, expected.then_some(origin.as_bytes()), "{origin}");
            assert_eq!(response.get(VARY).map(HeaderValue::as_bytes), Some(&b"Origin"[..]));
        }
    }
}
