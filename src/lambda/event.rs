//! Events of API Gateway, Function URLs and ALB, as far as they can be read.

use http::header::ORIGIN;
use http::{HeaderMap, Request};
use lambda_http::request::LambdaRequest;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::payload_2::{self, Http, Unreadable};

/// An event, readable or not: the runtime would make a failed invocation of one that is not.
pub(super) enum Incoming {
    /// A request through an HTTP API or a Function URL (payload 2.0), and its id there.
    Http(Box<Request<Vec<u8>>>, Option<String>),
    /// A request of another form that `lambda_http` reads, and whether it says that it is of payload
    /// 1.0, as HTTP APIs do and REST APIs do not.
    Other(Box<LambdaRequest>, bool),
    /// Anything else, with the headers and the id if they could be read.
    Unreadable(HeaderMap, Option<String>),
}

/// Drops single-value headers where there are lists of values: they are the same headers less all
/// values but the last, and would replace the lists.
pub(super) fn prefer_multi_value_headers(event: &mut LambdaRequest) {
    let (headers, lists) = match event {
        LambdaRequest::ApiGatewayV1(event) => (&mut event.headers, &event.multi_value_headers),
        LambdaRequest::Alb(event) => (&mut event.headers, &event.multi_value_headers),
        _ => return,
    };
    if !lists.is_empty() {
        headers.clear();
    }
}

pub(super) fn stage(event: &LambdaRequest) -> Option<&str> {
    match event {
        LambdaRequest::ApiGatewayV1(event) => event.request_context.stage.as_deref(),
        _ => None,
    }
}

/// The `Origin` header, which a refusal of an unreadable request needs.
pub(super) fn origin_header(event: &LambdaRequest) -> HeaderMap {
    let (headers, lists) = match event {
        LambdaRequest::ApiGatewayV1(event) => (&event.headers, Some(&event.multi_value_headers)),
        LambdaRequest::Alb(event) => (&event.headers, Some(&event.multi_value_headers)),
        _ => return HeaderMap::new(),
    };
    let origin = headers.get(ORIGIN).or_else(|| lists?.get(ORIGIN));
    origin.map(|origin| (ORIGIN, origin.clone())).into_iter().collect()
}

/// What an event says of itself.
#[derive(Deserialize)]
struct Payload<'a> {
    version: Option<&'a str>,
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
            // What of payload 2.0 we cannot read, nobody can.
            Err(_) | Ok(LambdaRequest::ApiGatewayV2(_)) => Self::Unreadable(HeaderMap::new(), None),
            Ok(request) => {
                let is_v1 = matches!(request, LambdaRequest::ApiGatewayV1(_))
                    && serde_json::from_str::<Payload<'_>>(event)
                        .is_ok_and(|payload| payload.version == Some("1.0"));
                Self::Other(Box::new(request), is_v1)
            }
        })
    }
}
