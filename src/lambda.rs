//! AWS Lambda: events in, responses out, whatever the event.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::ORIGIN;
use http::{HeaderMap, Response, Uri};
use lambda_http::request::{LambdaRequest, RequestOrigin};
use lambda_http::{Body, LambdaEvent, service_fn};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::app::App;
use crate::route::AsCalled;

/// How long before the invocation's deadline we answer, so that nothing is cut off.
const MARGIN: Duration = Duration::from_millis(300);

/// Where an event says that it is of payload 2.0, if it begins with that.
const VERSION_BYTES: usize = 32;

/// An event, readable or not: the runtime would make a failed invocation of one that is not.
pub enum Incoming {
    /// A request through API Gateway (payloads 1.0 and 2.0), a Function URL or ALB, and whether it says
    /// that it is of payload 1.0, as HTTP APIs do and REST APIs do not.
    Http(Box<LambdaRequest>, bool),
    /// Anything else.
    Unreadable,
}

/// A response in the form that all gateways take.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outgoing {
    status_code: u16,
    /// What ALB shows beside the status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    multi_value_headers: BTreeMap<String, Vec<String>>,
    body: String,
    is_base64_encoded: bool,
}

/// Serves events until the environment is shut down; several at once where
/// `AWS_LAMBDA_MAX_CONCURRENCY` says so.
///
/// # Errors
///
/// Those of the Runtime API, after which the process must end.
pub async fn run(app: Arc<App>, clock: fn() -> SystemTime) -> Result<(), lambda_runtime::Error> {
    let service = service_fn(move |event: LambdaEvent<Incoming>| {
        let app = Arc::clone(&app);
        async move { Ok::<_, Infallible>(invoke(&app, event, clock()).await) }
    });
    // Not `lambda_http::run`: it panics on events that have to be answered with a 400.
    lambda_runtime::Runtime::new(service).run_concurrent().await
}

async fn invoke(app: &App, event: LambdaEvent<Incoming>, now: SystemTime) -> Outgoing {
    let LambdaEvent { payload, context } = event;
    let Incoming::Http(mut event, is_v1) = payload else {
        let refusal = app.endpoint().refuse_unreadable(&HeaderMap::new());
        return Outgoing::new(refusal, &RequestOrigin::ApiGatewayV2);
    };
    keep_every_header(&mut event);
    encode_path(&mut event, is_v1);
    let origin = event.request_origin();
    let stage = stage(&event).map(str::to_owned);
    let page = page(&event);
    // The conversion panics on a body that is not the base64 it is said to be, among others.
    let request = catch_unwind(AssertUnwindSafe(|| http::Request::<Body>::from(*event)));
    let response = match request {
        Ok(mut request) => {
            if let Some(path) = stage.and_then(|stage| without_stage(request.uri(), &stage)) {
                let called = AsCalled(request.uri().path().to_owned());
                request.extensions_mut().insert(called);
                *request.uri_mut() = path;
            }
            let left = context.deadline().duration_since(now).unwrap_or_default();
            app.endpoint().handle(request, now, left.saturating_sub(MARGIN)).await
        }
        Err(_) => app.endpoint().refuse_unreadable(&page),
    };
    Outgoing::new(response, &origin)
}

/// Drops single-value headers where there are lists of values: they are the same headers less all
/// values but the last, and would replace the lists.
fn keep_every_header(event: &mut LambdaRequest) {
    let (headers, lists) = match event {
        LambdaRequest::ApiGatewayV1(event) => (&mut event.headers, &event.multi_value_headers),
        LambdaRequest::Alb(event) => (&mut event.headers, &event.multi_value_headers),
        _ => return,
    };
    if !lists.is_empty() {
        headers.clear();
    }
}

/// Encodes again what an HTTP API has decoded: REST APIs, Function URLs and ALB leave the path as it
/// came, and a name in it is decoded once.
fn encode_path(event: &mut LambdaRequest, is_v1: bool) {
    /// What stands in no path as it is.
    const ENCODED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'`')
        .add(b'{')
        .add(b'}')
        .add(b'|')
        .add(b'\\')
        .add(b'^')
        .add(b'[')
        .add(b']');
    let path = match event {
        LambdaRequest::ApiGatewayV1(event) if is_v1 => &mut event.path,
        LambdaRequest::ApiGatewayV2(event) => {
            let domain = event.request_context.domain_name.as_deref().unwrap_or_default();
            if domain.contains(".lambda-url.") {
                return;
            }
            &mut event.raw_path
        }
        _ => return,
    };
    if let Some(path) = path
        && let Cow::Owned(encoded) = utf8_percent_encode(path, ENCODED).into()
    {
        *path = encoded;
    }
}

fn stage(event: &LambdaRequest) -> Option<&str> {
    match event {
        LambdaRequest::ApiGatewayV1(event) => event.request_context.stage.as_deref(),
        LambdaRequest::ApiGatewayV2(event) => event.request_context.stage.as_deref(),
        _ => None,
    }
}

/// The path behind the stage, so that a stage called `v1` makes no other route of `/token`.
fn without_stage(uri: &Uri, stage: &str) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix('/')?.strip_prefix(stage)?;
    if rest.starts_with('/') { rest.parse().ok() } else { None }
}

/// The `Origin` header, which a refusal of an unreadable request needs.
fn page(event: &LambdaRequest) -> HeaderMap {
    let (headers, lists) = match event {
        LambdaRequest::ApiGatewayV1(event) => (&event.headers, Some(&event.multi_value_headers)),
        LambdaRequest::ApiGatewayV2(event) => (&event.headers, None),
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
        // `lambda_http` tries payload 1.0 first. Most events are of payload 2.0, and say so in front.
        let is_v2 = event.get(..VERSION_BYTES).is_some_and(|head| head.contains(r#""2.0""#));
        let request = match is_v2.then(|| serde_json::from_str(event)) {
            Some(Ok(request)) => Ok(LambdaRequest::ApiGatewayV2(request)),
            _ => serde_json::from_str(event),
        };
        Ok(request.map_or(Self::Unreadable, |request| {
            let is_v1 = matches!(request, LambdaRequest::ApiGatewayV1(_))
                && serde_json::from_str::<Payload<'_>>(event)
                    .is_ok_and(|payload| payload.version == Some("1.0"));
            Self::Http(Box::new(request), is_v1)
        }))
    }
}

impl Outgoing {
    /// Headers stand where `origin` looks for them: payload 1.0 would send twice what stands in both
    /// places, ALB reads the one or the other as its target group is set.
    fn new(response: Response<Vec<u8>>, origin: &RequestOrigin) -> Self {
        let (parts, body) = response.into_parts();
        let is_alb = matches!(origin, RequestOrigin::Alb);
        let mut headers = BTreeMap::new();
        let mut multi_value_headers = BTreeMap::new();
        for (name, value) in &parts.headers {
            // We set none that is not text, and none twice.
            let value = value.to_str().unwrap_or_default().to_owned();
            if is_alb || matches!(origin, RequestOrigin::ApiGatewayV1) {
                multi_value_headers.insert(name.to_string(), vec![value.clone()]);
            }
            if !matches!(origin, RequestOrigin::ApiGatewayV1) {
                headers.insert(name.to_string(), value);
            }
        }
        Self {
            status_code: parts.status.as_u16(),
            status_description: is_alb.then(|| parts.status.to_string()),
            headers,
            multi_value_headers,
            // Our bodies are JSON.
            body: String::from_utf8(body).unwrap_or_default(),
            is_base64_encoded: false,
        }
    }
}
