//! Serves the page at `/` and its files, and forwards every other request to roomkey unchanged.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Limit of API Gateway in bytes. roomkey has a much lower limit and answers it itself.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Path, media type and content of each file.
const FILES: [(&str, &str, &str); 23] = [
    ("/", HTML, include_str!("page.html")),
    ("/page.css", CSS, include_str!("page.css")),
    ("/page.js", JS, include_str!("page.js")),
    ("/room.js", JS, include_str!("room.js")),
    ("/requests.js", JS, include_str!("requests.js")),
    ("/tiles.js", JS, include_str!("tiles.js")),
    ("/participant.js", JS, include_str!("participant.js")),
    ("/meeting.js", JS, include_str!("meeting.js")),
    ("/call.js", JS, include_str!("call.js")),
    ("/people.js", JS, include_str!("people.js")),
    ("/rights.js", JS, include_str!("rights.js")),
    ("/bans.js", JS, include_str!("bans.js")),
    ("/invitations.js", JS, include_str!("invitations.js")),
    ("/waiting.js", JS, include_str!("waiting.js")),
    ("/guest", HTML, include_str!("guest.html")),
    ("/guest.js", JS, include_str!("guest.js")),
    ("/joining.js", JS, include_str!("joining.js")),
    ("/admission.js", JS, include_str!("admission.js")),
    ("/exchanges.js", JS, include_str!("exchanges.js")),
    ("/token.js", JS, include_str!("token.js")),
    ("/trouble.js", JS, include_str!("trouble.js")),
    ("/element.js", JS, include_str!("element.js")),
    ("/colors.js", JS, include_str!("colors.js")),
];

pub(crate) fn router(app: Arc<roomkey::App>) -> Router {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, content)| {
            let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
            router.route(path, get(async move || (headers, content)).fallback(forward))
        })
        .fallback(forward)
        .with_state(app)
}

async fn forward(State(app): State<Arc<roomkey::App>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    app.handle(Request::from_parts(head, body), crate::now()).await.map(Body::from)
}
