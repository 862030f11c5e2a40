//! Cross-origin requests ([Fetch](https://fetch.spec.whatwg.org/#http-cors-protocol)): origins whose
//! pages may read responses, and headers that their requests may carry.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    CACHE_CONTROL, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::reason::Reason;

/// The request headers that every deployment allows.
const HEADERS: [&str; 3] = ["Authorization", "Content-Type", "X-Roomkey-Guest"];

/// The cross-origin settings of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    origins: Origins,
    /// `Access-Control-Allow-Headers`.
    headers: HeaderValue,
}

/// Origins whose pages may read responses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// No header at all: for pages of the same origin, or if a gateway sets the headers.
    None,
    /// Any origin.
    Any,
    /// These, compared byte for byte.
    Listed(Vec<String>),
}

impl Origins {
    /// Parses `*` or a comma-separated list of origins such as `https://app.example`, of any scheme.
    ///
    /// # Errors
    ///
    /// [`Reason`] if an item is not an origin as browsers send it, `null` included.
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::cors::Origins;
    ///
    /// assert_eq!(Origins::parse("*"), Ok(Origins::Any));
    /// let listed = ["https://app.example".to_owned(), "capacitor://localhost".to_owned()];
    /// let origins = Origins::parse("https://app.example, capacitor://localhost");
    /// assert_eq!(origins, Ok(Origins::Listed(listed.to_vec())));
    /// for list in ["https://app.example/", "app.example", "null"] {
    ///     assert!(Origins::parse(list).is_err(), "{list}");
    /// }
    /// ```
    pub fn parse(list: &str) -> Result<Self, Reason> {
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
            Err(Reason(
                "must be * or a comma-separated list of origins such as https://app.example, in \
                 lower case and without a path",
            ))
        }
    }
}

impl Cors {
    /// Creates the settings of pages of `origins`, whose requests may carry `headers` besides
    /// those of [`HEADERS`]: a comma-separated list of header names, or an empty text.
    ///
    /// # Errors
    ///
    /// [`Reason`] if an item of `headers` is not the name of a header.
    pub fn new(origins: Origins, headers: &str) -> Result<Self, Reason> {
        const WRONG: Reason =
            Reason("must be a comma-separated list of header names such as baggage,traceparent");
        let mut allowed = HEADERS.join(", ");
        for name in headers.split(',').filter(|_| !headers.is_empty()) {
            // `*` is a name by its characters, and allows every header but Authorization.
            let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| WRONG)?;
            if name == "*" {
                return Err(WRONG);
            }
            if !HEADERS.iter().any(|known| name.as_str().eq_ignore_ascii_case(known)) {
                allowed.push_str(", ");
                allowed.push_str(name.as_str());
            }
        }
        let headers = HeaderValue::try_from(allowed).map_err(|_| WRONG)?;
        Ok(Self { origins, headers })
    }

    /// Returns the origins whose pages may read responses.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Whether the origin of a request with these headers is listed by name. A cookie, which browsers
    /// attach by themselves, needs that.
    pub fn lists(&self, request: &HeaderMap) -> bool {
        self.listed(request).is_some()
    }

    fn listed<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let Origins::Listed(origins) = &self.origins else { return None };
        let mut values = request.get_all(ORIGIN).iter();
        let origin = values.next().filter(|_| values.next().is_none())?;
        origins.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then_some(origin)
    }

    /// Sets the CORS headers of a `response`, errors included, to a request with the headers `request`.
    pub fn allow(&self, request: &HeaderMap, response: &mut HeaderMap) {
        let origin = match self.origins {
            Origins::None => return,
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Listed(_) => {
                // Also if this origin is refused: a cache must not serve the response to another one.
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

    /// Returns the response to `OPTIONS` of a route with these `methods`.
    /// [`allow`](Self::allow) sets its origin.
    pub fn preflight(&self, request: &HeaderMap, methods: &'static str) -> Response<Vec<u8>> {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let is_allowed = match self.origins {
            Origins::None => false,
            Origins::Any => true,
            Origins::Listed(_) => self.lists(request),
        };
        if is_allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        }
        response
    }

    /// Returns the reason for which a browser stops after the preflight with the headers `request`, if
    /// it does. A deployment without `ALLOWED_ORIGINS` refuses nothing: its gateway responds to
    /// preflights.
    pub fn refusal(&self, request: &HeaderMap) -> Option<&'static str> {
        if matches!(self.origins, Origins::Listed(_)) && !self.lists(request) {
            return Some("the preflight's origin is not in ALLOWED_ORIGINS");
        }
        let allowed = self.headers.to_str().unwrap_or_default();
        let is_allowed = |name: &str| {
            let name = name.trim();
            name.is_empty() || allowed.split(", ").any(|known| known.eq_ignore_ascii_case(name))
        };
        let mut asked = request.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let all_allowed =
            asked.all(|names| names.to_str().is_ok_and(|names| names.split(',').all(is_allowed)));
        (!all_allowed && self.origins != Origins::None)
            .then_some("the preflight asks for a header that is not in ALLOWED_HEADERS")
    }
}

/// Whether `text` is an origin as browsers send it
/// ([RFC 6454 §6.2](https://www.rfc-editor.org/rfc/rfc6454#section-6.2)): scheme, host and perhaps a
/// port. Browsers lower the case of web hosts and leave it as it is in other schemes, some of which
/// have no host ([RFC 3986 §3.1](https://www.rfc-editor.org/rfc/rfc3986#section-3.1)).
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let is_web = ["http", "https"].contains(&scheme);
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        });
    let is_host_byte = |byte: u8| {
        byte.is_ascii_lowercase()
            || byte.is_ascii_digit()
            || (byte.is_ascii_uppercase() && !is_web)
            || b"-.:[]_~".contains(&byte)
    };
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|_| !host.ends_with(']'));
    let is_port = |port: &str| port.parse().is_ok_and(|port: u16| port > 0);
    is_scheme
        && (!host.is_empty() || !is_web)
        && !host.starts_with(':')
        && host.bytes().all(is_host_byte)
        && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_list_accepts_origins_only() {
        for list in [
            "https://app.example",
            "http://localhost:5173, https://a.example",
            "http://[::1]:3000",
            "http://[::1]",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "moz-extension://0b6b29a8-0c3c-4c53-a6f2-3e7b5d9b1c2d",
            "vscode-webview://1Abc",
            "com.example.app://localhost",
            "com.example.app://",
            "web+app://host:65535",
        ] {
            assert!(matches!(Origins::parse(list), Ok(Origins::Listed(_))), "{list}");
        }
        assert_eq!(Origins::parse("*"), Ok(Origins::Any));
        assert_eq!(Origins::parse(""), Ok(Origins::None));
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
            "https://app.example:",
            "https://app.example:0",
            "https://app.example:65536",
            "https://app.example:x",
            "https://:3000",
            "https://user@app.example",
            "https://app.example?",
            "https://app.example#",
            "https://app .example",
            "1app://localhost",
            "Com.example://localhost",
            "com_example://localhost",
            "com.example.app:/",
            "com.example.app:///path",
        ] {
            assert!(Origins::parse(list).is_err(), "{list}");
        }
    }

    #[test]
    fn origin_is_compared_byte_for_byte() {
        let origins = Origins::parse("https://app.example,http://localhost:3000").unwrap();
        let cors = Cors::new(origins, "").unwrap();
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

    #[test]
    fn allowed_headers_must_be_header_names() {
        let allowed = |list: &str| {
            let cors = Cors::new(Origins::Any, list)?;
            let response = cors.preflight(&HeaderMap::new(), "POST");
            Ok(response.headers()[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().to_owned())
        };
        let rows = [
            ("", Some("Authorization, Content-Type, X-Roomkey-Guest")),
            ("baggage", Some("Authorization, Content-Type, X-Roomkey-Guest, baggage")),
            (
                "Baggage, sentry-trace",
                Some("Authorization, Content-Type, X-Roomkey-Guest, baggage, sentry-trace"),
            ),
            (
                "authorization,traceparent",
                Some("Authorization, Content-Type, X-Roomkey-Guest, traceparent"),
            ),
            ("*", None),
            ("baggage,", None),
            (",", None),
            ("a b", None),
            ("a:b", None),
            ("a\r\nb", None),
            ("é", None),
        ];
        for (list, expected) in rows {
            let allowed: Result<String, Reason> = allowed(list);
            assert_eq!(allowed.ok().as_deref(), expected, "{list}");
        }
    }
}
