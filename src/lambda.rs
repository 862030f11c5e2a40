//! AWS Lambda: events in, responses out, whatever the event.

mod payload_2;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::ORIGIN;
use http::{HeaderMap, Request, Response};
use lambda_http::request::{LambdaRequest, RequestOrigin};
use lambda_http::{Body, LambdaEvent, service_fn};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::app::App;
use crate::request_scope::RequestIds;
use crate::route::AsCalled;

/// How long before the invocation's deadline we answer, so that nothing is cut off.
const MARGIN: Duration = Duration::from_millis(300);

/// An event, readable or not: the runtime would make a failed invocation of one that is not.
pub enum Incoming {
    /// A request through an HTTP API or a Function URL (payload 2.0), and its id there.
    Http(Box<Request<Vec<u8>>>, Option<String>),
    /// A request of another form that `lambda_http` reads, and whether it says that it is of payload
    /// 1.0, as HTTP APIs do and REST APIs do not.
    Other(Box<LambdaRequest>, bool),
    /// Anything else, with the headers and the id if they could be read.
    Unreadable(HeaderMap, Option<String>),
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
    let left = context.deadline().duration_since(now).unwrap_or_default().saturating_sub(MARGIN);
    match payload {
        Incoming::Http(request, id) => {
            let response = app.endpoint().handle(*request, ids(context, id), now, left).await;
            Outgoing::new(response, &RequestOrigin::ApiGatewayV2)
        }
        Incoming::Other(event, is_v1) => {
            let id = match &*event {
                LambdaRequest::ApiGatewayV1(event) => event.request_context.request_id.clone(),
                _ => None,
            };
            invoke_other(app, *event, is_v1, ids(context, id), now, left).await
        }
        Incoming::Unreadable(headers, id) => {
            let refusal = app.endpoint().refuse_unreadable(&headers, ids(context, id)).await;
            Outgoing::new(refusal, &RequestOrigin::ApiGatewayV2)
        }
    }
}

/// What the platform calls a request: `gateway` is the gateway's id, where there is one.
fn ids(context: lambda_runtime::Context, gateway: Option<String>) -> RequestIds {
    let root = |header: &str| {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="));
        root.map(str::to_owned)
    };
    RequestIds {
        request: gateway.or_else(|| Some(context.request_id.clone())),
        trace: context.xray_trace_id.as_deref().and_then(root),
        invocation: Some(context.request_id),
    }
}

async fn invoke_other(
    app: &App,
    mut event: LambdaRequest,
    is_v1: bool,
    ids: RequestIds,
    now: SystemTime,
    left: Duration,
) -> Outgoing {
    keep_every_header(&mut event);
    if let LambdaRequest::ApiGatewayV1(event) = &mut event
        && let Some(path) = event.path.as_mut().filter(|_| is_v1)
        && let Cow::Owned(encoded) = encoded(path)
    {
        *path = encoded;
    }
    let origin = event.request_origin();
    let stage = stage(&event).map(str::to_owned);
    let page = page(&event);
    // The conversion panics on a body that is not the base64 it is said to be, among others.
    let request = catch_unwind(AssertUnwindSafe(|| Request::<Body>::from(event)));
    let response = match request {
        Ok(mut request) => {
            let called = request.uri().clone();
            let target = called.path_and_query().map_or("", |target| target.as_str());
            let inner = stage.and_then(|stage| without_stage(target, &stage)?.parse().ok());
            if let Some(inner) = inner {
                request.extensions_mut().insert(AsCalled(called.path().to_owned()));
                *request.uri_mut() = inner;
            }
            app.endpoint().handle(request, ids, now, left).await
        }
        Err(_) => app.endpoint().refuse_unreadable(&page, ids).await,
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
fn encoded(path: &str) -> Cow<'_, str> {
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
    utf8_percent_encode(path, ENCODED).into()
}

fn stage(event: &LambdaRequest) -> Option<&str> {
    match event {
        LambdaRequest::ApiGatewayV1(event) => event.request_context.stage.as_deref(),
        _ => None,
    }
}

/// The path behind the stage, so that a stage called `v1` makes no other route of `/token`.
fn without_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    rest.starts_with('/').then_some(rest)
}

/// The `Origin` header, which a refusal of an unreadable request needs.
fn page(event: &LambdaRequest) -> HeaderMap {
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
        if let Some(incoming) = payload_2::read(event) {
            return Ok(incoming);
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
