//! Payload 2.0, the event of HTTP APIs and Function URLs, read in one pass. Most events have this
//! form, and `lambda_http` copies every field of it, of which the function needs few.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::path::{encoded, without_stage};
use crate::endpoint::route::{OriginalPath, Route};

/// An event, as far as the function reads it
/// ([format](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html)).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow, default)]
    route_key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    raw_path: Cow<'a, str>,
    #[serde(borrow, default)]
    raw_query_string: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    cookies: Option<Vec<Cow<'a, str>>>,
    #[serde(default)]
    headers: Headers,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
    #[serde(borrow)]
    request_context: Context<'a>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    #[serde(default)]
    request_id: Option<String>,
    #[serde(borrow, default)]
    stage: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    domain_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    http: HttpContext<'a>,
}

#[derive(serde::Deserialize)]
struct HttpContext<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

/// A request, and its id at the gateway.
pub(super) struct Http {
    pub(super) request: Box<Request<Vec<u8>>>,
    pub(super) id: Option<String>,
}

/// An event of payload 2.0 whose body cannot be decoded: its headers, and its id at the gateway.
pub(super) struct Unreadable {
    pub(super) headers: HeaderMap,
    pub(super) id: Option<String>,
}

/// Reads the request of an event; [`Unreadable`] if its body is not the base64 that it promises.
/// `None` if the event is of another form.
pub(super) fn read(event: &str) -> Option<Result<Http, Unreadable>> {
    let event: Event<'_> =
        serde_json::from_str(event).ok().filter(|event: &Event<'_>| event.version == "2.0")?;
    let Headers(mut headers) = event.headers;
    if let Some(cookies) = event.cookies {
        headers.insert(COOKIE, joined(&cookies));
    }
    let body = match event.body {
        Some(body) if event.is_base64_encoded => match STANDARD.decode(body.as_bytes()) {
            Ok(body) => body,
            Err(_) => {
                return Some(Err(Unreadable { headers, id: event.request_context.request_id }));
            }
        },
        Some(body) => body.into_owned().into_bytes(),
        None => Vec::new(),
    };
    // A Function URL leaves the path as the client sent it; an HTTP API decodes it.
    let domain = event.request_context.domain_name.unwrap_or_default();
    let is_decoded = !domain.contains(".lambda-url.");
    let path = if is_decoded { encoded(&event.raw_path) } else { event.raw_path };
    let stage = event.request_context.stage.unwrap_or_default();
    let inner = without_stage(&path, &stage);
    let query = event.raw_query_string.filter(|query| !query.is_empty());
    let target = match query {
        None => inner.unwrap_or(&path).to_owned(),
        Some(query) => format!("{}?{query}", inner.unwrap_or(&path)),
    };
    let mut request = Request::new(body);
    *request.method_mut() =
        Method::from_bytes(event.request_context.http.method.as_bytes()).ok()?;
    *request.uri_mut() = target.parse().ok()?;
    *request.headers_mut() = headers;
    // `POST /token`, or `$default` for whatever no other route names.
    let template = event.route_key.as_deref().and_then(|key| Some(key.split_once(' ')?.1));
    if let Some(route) = template.and_then(Route::from_template) {
        request.extensions_mut().insert(route);
    }
    if inner.is_some() {
        request.extensions_mut().insert(OriginalPath(path.into_owned()));
    }
    Some(Ok(Http { request: Box::new(request), id: event.request_context.request_id }))
}

/// Joins cookies into one header, without those that no header can contain: one cookie's bytes must
/// not cost the others.
fn joined(cookies: &[Cow<'_, str>]) -> HeaderValue {
    let can_send = |cookie: &&Cow<'_, str>| HeaderValue::from_bytes(cookie.as_bytes()).is_ok();
    let sendable: Vec<&str> = cookies.iter().filter(can_send).map(AsRef::as_ref).collect();
    HeaderValue::from_bytes(sendable.join("; ").as_bytes())
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The event's headers, each name once.
#[derive(Default)]
struct Headers(HeaderMap);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings")
    }

    fn visit_unit<E>(self) -> Result<Headers, E> {
        Ok(Headers::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Headers, A::Error> {
        use serde::de::Error;
        let mut headers = HeaderMap::with_capacity(32);
        while let Some((Text(name), Text(value))) = members.next_entry()? {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(A::Error::custom)?;
            // Bytes above ASCII are valid in a value (RFC 9110 §5.5).
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(A::Error::custom)?;
            headers.append(name, value);
        }
        Ok(Headers(headers))
    }
}

/// A string, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
