//! The page at `/`; every other request goes to roomkey as it came.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// As much as API Gateway lets through. roomkey's own limit lies far below and is its to answer.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

pub(crate) fn router(app: Arc<roomkey::App>) -> Router {
    Router::new().route("/", get(page).fallback(forward)).fallback(forward).with_state(app)
}

async fn page() -> impl IntoResponse {
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, include_str!("page.html"))
}

async fn forward(State(app): State<Arc<roomkey::App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    app.handle(Request::from_parts(head, body), crate::now()).await.map(Body::from)
}
