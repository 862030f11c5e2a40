//! Request context shared by all handlers: authentication and body validation.

use std::time::SystemTime;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;

use super::route::Route;
use super::{BODY_BYTES, Endpoint};
use crate::bearer::{BearerError, UnverifiedBearer};
use crate::body::InvalidField;
use crate::exchange::{Author, Caller, Exchange, ExchangeError, Issued, ParticipantRef};
use crate::logging::RequestLog;
use crate::secrets::Secrets;

/// A request, with the settings of the endpoint.
pub(super) struct RequestContext<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) now: SystemTime,
}

impl<'a> RequestContext<'a> {
    pub(super) fn exchange(&self) -> &'a Exchange {
        &self.endpoint.exchange
    }

    /// Authenticates the caller by the token in the header, or else in the session cookie if one is
    /// configured.
    pub(super) async fn caller(
        &self,
        record: &mut RequestLog,
    ) -> Result<Caller<'a>, ExchangeError> {
        let caller = self.exchange().authenticate(self.bearer()?, self.now).await?;
        record.subject = Some(caller.secrets.api_key.pseudonym(&caller.key()));
        Ok(caller)
    }

    /// Authenticates a sender who can be a backend as well.
    pub(super) async fn author(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<Author<'a>, ExchangeError> {
        if self.is_from_backend() {
            return Ok(Author::Backend(self.backend(route).await?));
        }
        Ok(Author::Caller(Box::new(self.caller(record).await?)))
    }

    /// Reads the access token. Proxies and browsers attach a header of `TOKEN_HEADER` and a cookie to
    /// the requests of every page, so pages of other sites must be listed.
    pub(super) fn bearer(&self) -> Result<UnverifiedBearer<'a>, ExchangeError> {
        let headers = &self.parts.headers;
        let is_listed = || self.endpoint.cors.lists(headers);
        if let Some(name) = &self.endpoint.token_header {
            match UnverifiedBearer::from_header(headers, name) {
                Err(BearerError::Missing) => {}
                bearer if !is_cross_site(headers) || is_listed() => return Ok(bearer?),
                _ => return Err(ExchangeError::Origin),
            }
        }
        match &self.endpoint.session_cookie {
            Some(cookie) if !headers.contains_key(AUTHORIZATION) => {
                let bearer = UnverifiedBearer::from_cookie(headers, cookie)?;
                if is_listed() { Ok(bearer) } else { Err(ExchangeError::Origin) }
            }
            _ => Ok(UnverifiedBearer::from_headers(headers)?),
        }
    }

    /// Returns the room and the identity in the path of `route`, and records the room.
    pub(super) fn target(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<ParticipantRef, ExchangeError> {
        let names = self.names(route, "the room and the identity", record);
        names.map(|[room, identity]| ParticipantRef { room, identity })
    }

    /// Returns the room and the other name in the path of `route`, which errors call `fields`, and records
    /// the room.
    pub(super) fn names(
        &self,
        route: Route,
        fields: &'static str,
        record: &mut RequestLog,
    ) -> Result<[String; 2], ExchangeError> {
        let names = route.names(self.parts.uri.path()).ok_or_else(|| {
            InvalidField::new(fields, "must be names in the path, each percent-encoded once")
        })?;
        record.room = Some(names[0].clone());
        Ok(names)
    }

    /// Returns the room in the path of `route`, and records it.
    pub(super) fn room(
        &self,
        route: Route,
        record: &mut RequestLog,
    ) -> Result<String, ExchangeError> {
        let room = route.room(self.parts.uri.path()).ok_or_else(|| {
            InvalidField::new("the room", "must be a name in the path, percent-encoded once")
        })?;
        record.room = Some(room.clone());
        Ok(room)
    }

    /// Returns the person of the participant `identity` as a keyed hash, as `subject` in the log is one
    /// of the caller.
    pub(super) fn pseudonym(&self, secrets: &Secrets, identity: &str) -> String {
        let person = self.exchange().participant.person_of(identity);
        secrets.api_key.pseudonym(&person)
    }

    /// Whether the request is a backend's: it has a backend's signature, or its API key and no access
    /// token.
    pub(super) fn is_from_backend(&self) -> bool {
        let headers = &self.parts.headers;
        let has_key = headers.contains_key("x-api-key") && !headers.contains_key(AUTHORIZATION);
        has_key || headers.contains_key("x-rtcstack-signature")
    }

    /// Returns the body, which is empty or declared as JSON, and at most [`BODY_BYTES`] long. Handlers
    /// call it after authentication, so that nobody else learns anything about the body.
    pub(super) fn json_body(&self) -> Result<&'a [u8], ExchangeError> {
        if self.body.len() > BODY_BYTES {
            return Err(ExchangeError::BodyTooLarge);
        }
        if !self.body.is_empty() {
            if !is_identity_encoded(&self.parts.headers) {
                return Err(ExchangeError::MediaType("the body must not be compressed"));
            }
            if !is_json(&self.parts.headers) {
                return Err(ExchangeError::MediaType("the Content-Type must be application/json"));
            }
        }
        Ok(self.body)
    }
}

impl RequestLog {
    /// Sets the room, role and token ID of the participant token that was issued.
    pub(super) fn set_issued(&mut self, issued: &Issued) {
        self.room = Some(issued.room.clone());
        self.role = Some(issued.role.clone());
        self.jti = Some(issued.token.jti.clone());
    }
}

/// Whether the body is sent as it is, without a compression
/// ([RFC 9110 §8.4](https://www.rfc-editor.org/rfc/rfc9110#section-8.4)).
fn is_identity_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.all(|value| {
        let value = value.as_bytes().trim_ascii();
        value.is_empty() || value.eq_ignore_ascii_case(b"identity")
    })
}

/// Whether a browser states that a page of another origin sent the request
/// ([Fetch Metadata](https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header)).
fn is_cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// Whether the body is JSON by its `Content-Type`, whatever its parameters.
fn is_json(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
        // Browsers join the values if both an SDK and its app set the header.
        value.split(',').all(|value| {
            let essence = value.split(';').next().unwrap_or_default();
            essence.trim().eq_ignore_ascii_case("application/json")
        })
    })
}
