//! A request to the app, from a valid one.

use std::sync::Arc;
use std::time::SystemTime;

use http::{HeaderName, HeaderValue, Method, Request};
use roomkey::App;
use serde_json::{Value, json};

use super::reply::Reply;
use super::tokens::{now, token};

/// A request. Every method changes one thing of it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Vec<u8>,
}

impl Call {
    /// `POST /token` without a header or a body.
    pub(crate) fn bare() -> Self {
        Self { method: Method::POST, path: "/token".into(), headers: Vec::new(), body: Vec::new() }
    }

    /// `POST /token` with a valid access token and no body.
    pub(crate) fn token() -> Self {
        Self::bare().bearer(&token(&json!({})))
    }

    /// `POST /token` with a valid access token and this body.
    pub(crate) fn asking(body: &Value) -> Self {
        Self::token().json(body)
    }

    /// Sets the method and the path.
    pub(crate) fn at(mut self, method: &str, path: &str) -> Self {
        self.method = method.parse().unwrap();
        path.clone_into(&mut self.path);
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.parse().unwrap(), value.parse().unwrap()));
        self
    }

    /// Adds a header of any bytes that a connection can transmit.
    pub(crate) fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.parse().unwrap(), HeaderValue::from_bytes(value).unwrap()));
        self
    }

    /// Adds an access token.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds the origin of a page.
    pub(crate) fn origin(self, origin: &str) -> Self {
        self.header("origin", origin)
    }

    /// Sets a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a body of this media type.
    pub(crate) fn body(mut self, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// Sets a body without a media type.
    pub(crate) fn untyped_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the request at [`NOW`](super::NOW).
    pub(crate) async fn send(self, app: &Arc<App>) -> Reply {
        self.send_at(app, now()).await
    }

    /// Sends the request at `now`.
    pub(crate) async fn send_at(self, app: &Arc<App>, now: SystemTime) -> Reply {
        let origin = self.headers.iter().find(|(name, _)| name == "origin").cloned();
        let mut request = Request::builder().method(self.method).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let response = app.handle(request.body(self.body).unwrap(), now).await;
        let (parts, body) = response.into_parts();
        let origin = origin.map(|(_, value)| value.to_str().unwrap().to_owned());
        Reply { status: parts.status.as_u16(), headers: parts.headers, body, origin }
    }
}
