//! AWS Lambda: events in, responses out, whatever the event.

mod event;
mod path;
mod payload_2;
mod response;

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
use event::{GatewayEvent, Incoming};
use path::without_stage;
use response::Outgoing;

/// The time between the response and the invocation's deadline, so that no response is cut off.
const MARGIN: Duration = Duration::from_millis(300);

/// The maximum length of a gateway's request ID, in bytes.
const ID_BYTES: usize = 64;

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
        Incoming::Other(event) => {
            let ids = ids(context, event.request_id());
            invoke_other(app, *event, ids, now, left).await
        }
        Incoming::Unreadable(headers, id) => {
            let refusal = app.endpoint().refuse_unreadable(&headers, ids(context, id)).await;
            Outgoing::new(refusal, &RequestOrigin::ApiGatewayV2)
        }
    }
}

/// Collects the platform's IDs of a request. `gateway` is the gateway's; it is ignored if it is longer
/// than any real one, since log lines and responses repeat it.
fn ids(context: lambda_runtime::Context, gateway: Option<String>) -> RequestIds {
    let root = |header: &str| {
        let root = header.split(';').find_map(|part| part.trim().strip_prefix("Root="));
        root.map(str::to_owned)
    };
    let is_bounded = |id: &String| id.len() <= ID_BYTES;
    RequestIds {
        request: gateway.filter(is_bounded).or_else(|| Some(context.request_id.clone())),
        trace: context.xray_trace_id.as_deref().and_then(root),
        invocation: Some(context.request_id),
    }
}

async fn invoke_other(
    app: &App,
    event: GatewayEvent,
    ids: RequestIds,
    now: SystemTime,
    left: Duration,
) -> Outgoing {
    let origin = event.request_origin();
    let stage = event.stage().map(str::to_owned);
    let route = event.route();
    let origin_header = event.origin_header();
    let event = LambdaRequest::from(event);
    // The conversion panics if a body is not the base64 that the event promises, among others.
    let request = catch_unwind(AssertUnwindSafe(|| Request::<Body>::from(event)));
    let response = match request {
        Ok(mut request) => {
            let original = request.uri().clone();
            let target = original.path_and_query().map_or("", |target| target.as_str());
            let inner = stage.and_then(|stage| without_stage(target, &stage)?.parse().ok());
            if let Some(inner) = inner {
                request.extensions_mut().insert(OriginalPath(original.path().to_owned()));
                *request.uri_mut() = inner;
            }
            if let Some(route) = route {
                request.extensions_mut().insert(route);
            }
            app.endpoint().handle(request, ids, now, left).await
        }
        Err(_) => app.endpoint().refuse_unreadable(&origin_header, ids).await,
    };
    Outgoing::new(response, &origin)
}
