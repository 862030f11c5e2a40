//! AWS Lambda: events in, responses out, whatever the event.

mod event;
mod path;
mod payload_2;
mod response;

use std::borrow::Cow;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::Request;
use lambda_http::request::{LambdaRequest, RequestOrigin};
use lambda_http::{Body, LambdaEvent, service_fn};

use crate::app::App;
use crate::endpoint::route::OriginalPath;
use crate::request_scope::RequestIds;
use event::{Incoming, origin_header, prefer_multi_value_headers, stage};
use path::{encoded, without_stage};
use response::Outgoing;

/// How long before the invocation's deadline we answer, so that nothing is cut off.
const MARGIN: Duration = Duration::from_millis(300);

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
    prefer_multi_value_headers(&mut event);
    if let LambdaRequest::ApiGatewayV1(event) = &mut event
        && let Some(path) = event.path.as_mut().filter(|_| is_v1)
        && let Cow::Owned(encoded) = encoded(path)
    {
        *path = encoded;
    }
    let origin = event.request_origin();
    let stage = stage(&event).map(str::to_owned);
    let origin_header = origin_header(&event);
    // The conversion panics on a body that is not the base64 it is said to be, among others.
    let request = catch_unwind(AssertUnwindSafe(|| Request::<Body>::from(event)));
    let response = match request {
        Ok(mut request) => {
            let called = request.uri().clone();
            let target = called.path_and_query().map_or("", |target| target.as_str());
            let inner = stage.and_then(|stage| without_stage(target, &stage)?.parse().ok());
            if let Some(inner) = inner {
                request.extensions_mut().insert(OriginalPath(called.path().to_owned()));
                *request.uri_mut() = inner;
            }
            app.endpoint().handle(request, ids, now, left).await
        }
        Err(_) => app.endpoint().refuse_unreadable(&origin_header, ids).await,
    };
    Outgoing::new(response, &origin)
}
