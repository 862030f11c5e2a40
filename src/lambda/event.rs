//! Events of API Gateway, Function URLs and ALB, as far as they can be read.

use std::borrow::Cow;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request};
use lambda_http::request::{LambdaRequest, RequestOrigin};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::path::encoded;
use super::payload_2::{self, Http, Unreadable};
use crate::endpoint::route::Route;

/// An event, readable or not: the runtime would fail the invocation of one that is not.
pub(super) enum Incoming {
    /// A request through an HTTP API or a Function URL (payload 2.0), and its ID there.
    Http(Box<Request<Vec<u8>>>, Option<String>),
    /// A request of another form that `lambda_http` reads.
    Other(Box<GatewayEvent>),
    /// Anything else, with the headers and the ID if they could be read.
    Unreadable(HeaderMap, Option<String>),
}

/// An event of a REST API, of an HTTP API with payload 1.0, or of ALB, prepared for `lambda_http`.
pub(super) struct GatewayEvent {
    event: LambdaRequest,
    request_id: Option<String>,
}

impl GatewayEvent {
    /// Prepares `event`, of which `payload` contains what `lambda_http` leaves out.
    fn new(mut event: LambdaRequest, payload: Payload<'_>) -> Self {
        let (headers, lists) = match &mut event {
            LambdaRequest::ApiGatewayV1(event) => {
                if let Some(path) =
                    event.path.as_mut().filter(|_| payload.version.as_deref() == Some("1.0"))
                    && let Cow::Owned(encoded) = encoded(path)
                {
                    *path = encoded;
                }
                event.request_context.domain_name = None;
                (&mut event.headers, &mut event.multi_value_headers)
            }
            LambdaRequest::Alb(event) => (&mut event.headers, &mut event.multi_value_headers),
            _ => return Self { event, request_id: None },
        };
        // Single values repeat the last item of each list, and would replace the lists.
        if !lists.is_empty() {
            headers.clear();
        }
        // The client chooses the host. In front of the path it could become a part of it.
        headers.remove(HOST);
        lists.remove(HOST);
        let request_id = payload.request_context.extended_request_id.map(Cow::into_owned);
        Self { event, request_id }
    }

    pub(super) fn request_origin(&self) -> RequestOrigin {
        self.event.request_origin()
    }

    /// Returns the gateway's ID of the request. Clients can choose a REST API's `requestId`, so it is
    /// the extended one that counts.
    pub(super) fn request_id(&self) -> Option<String> {
        self.request_id.clone()
    }

    /// Returns the stage, which may precede the path.
    pub(super) fn stage(&self) -> Option<&str> {
        match &self.event {
            LambdaRequest::ApiGatewayV1(event) => event.request_context.stage.as_deref(),
            _ => None,
        }
    }

    /// Returns the route, if the gateway names it.
    pub(super) fn route(&self) -> Option<Route> {
        match &self.event {
            LambdaRequest::ApiGatewayV1(event) => Route::from_template(event.resource.as_deref()?),
            _ => None,
        }
    }

    /// Returns the `Origin` header, which the refusal of an unreadable request needs.
    pub(super) fn origin_header(&self) -> HeaderMap {
        let (headers, lists) = match &self.event {
            LambdaRequest::ApiGatewayV1(event) => (&event.headers, &event.multi_value_headers),
            LambdaRequest::Alb(event) => (&event.headers, &event.multi_value_headers),
            _ => return HeaderMap::new(),
        };
        let origin = headers.get(ORIGIN).or_else(|| lists.get(ORIGIN));
        origin.map(|origin| (ORIGIN, origin.clone())).into_iter().collect()
    }
}

impl From<GatewayEvent> for LambdaRequest {
    fn from(event: GatewayEvent) -> Self {
        event.event
    }
}

/// The members of a payload 1.0 event that `lambda_http` leaves out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Payload<'a> {
    /// `1.0` in an HTTP API's event. A REST API's has none.
    #[serde(borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    request_context: PayloadContext<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PayloadContext<'a> {
    #[serde(borrow)]
    extended_request_id: Option<Cow<'a, str>>,
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = <&RawValue>::deserialize(deserializer)?.get();
        match payload_2::read(event) {
            Some(Ok(Http { request, id })) => return Ok(Self::Http(request, id)),
            Some(Err(Unreadable { headers, id })) => return Ok(Self::Unreadable(headers, id)),
            None => {}
        }
        Ok(match serde_json::from_str(event) {
            // `payload_2::read` rejects only events that `lambda_http` would reject as well.
            Err(_) | Ok(LambdaRequest::ApiGatewayV2(_)) => Self::Unreadable(HeaderMap::new(), None),
            Ok(request) => {
                let payload = serde_json::from_str(event).unwrap_or_default();
                Self::Other(Box::new(GatewayEvent::new(request, payload)))
            }
        })
    }
}
