//! Faults of an upstream.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Response;
use futures_util::stream;
use serde_json::Value;

/// A fault of one route until it is removed.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// This status with an empty JSON object.
    Status(u16),
    /// This status and this `Retry-After`.
    RetryAfter(u16, &'static str),
    /// 200 with this JSON in place of the regular response.
    Json(Value),
    /// 200 with these bytes, as `application/json`.
    Bytes(Vec<u8>),
    /// 200 with this media type and body.
    Typed(&'static str, String),
    /// 200 with an HTML page, such as the sign-in page of a proxy.
    Html,
    /// The regular response, padded with blanks to this many bytes.
    Padded(usize),
    /// The regular response after this time.
    Slow(Duration),
    /// No response.
    Hang,
    /// The regular response one byte every 50 ms, so that no single read is slow.
    Drip,
    /// Bytes without end.
    Endless,
    /// 200 with two gigabytes, counted as they leave.
    Huge(Arc<AtomicU64>),
    /// The connection closes in the middle of the body.
    Truncated,
    /// A redirect to this address.
    Redirect(String),
}

impl Fault {
    /// Whether a client waits until its own time limit.
    pub(crate) const fn hangs(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::Hang | Self::Drip)
    }

    /// Returns the faulty response in place of `good`.
    pub(crate) async fn answer(fault: Option<Self>, good: Value) -> Response<Body> {
        let good = good.to_string();
        match fault {
            None => json(200, good),
            Some(Self::Status(status)) => json(status, "{}"),
            Some(Self::RetryAfter(status, value)) => with(json(status, "{}"), "retry-after", value),
            Some(Self::Json(value)) => json(200, value.to_string()),
            Some(Self::Bytes(bytes)) => json(200, bytes),
            Some(Self::Typed(kind, text)) => with(json(200, text), "content-type", kind),
            Some(Self::Html) => {
                with(json(200, "<!doctype html><p>Sign in"), "content-type", "text/html")
            }
            Some(Self::Padded(size)) => json(200, good.clone() + &" ".repeat(size - good.len())),
            Some(Self::Slow(delay)) => {
                tokio::time::sleep(delay).await;
                json(200, good)
            }
            Some(Self::Hang) => std::future::pending().await,
            Some(Self::Drip) => json(200, Body::from_stream(drip(good))),
            Some(Self::Endless) => json(200, Body::from_stream(endless())),
            Some(Self::Huge(sent)) => {
                let body = Body::from_stream(huge(sent));
                with(json(200, body), "content-length", &HUGE.to_string())
            }
            Some(Self::Truncated) => with(json(200, truncated(&good)), "content-length", "100000"),
            Some(Self::Redirect(to)) => with(json(302, good), "location", &to),
        }
    }
}

/// Two gigabytes.
const HUGE: u64 = 2_000_000_000;

fn json(status: u16, body: impl Into<Body>) -> Response<Body> {
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(body.into()).unwrap()
}

fn with(mut response: Response<Body>, name: &'static str, value: &str) -> Response<Body> {
    response.headers_mut().insert(name, value.parse().unwrap());
    response
}

fn drip(text: String) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(text.into_bytes().into_iter(), async |mut rest| {
        tokio::time::sleep(Duration::from_millis(50)).await;
        rest.next().map(|byte| (Ok(Bytes::from(vec![byte])), rest))
    })
}

fn endless() -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((), async |()| {
        tokio::task::yield_now().await;
        Some((Ok(Bytes::from_static(&[b' '; 16_384])), ()))
    })
}

fn huge(sent: Arc<AtomicU64>) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(0, move |so_far| {
        let sent = Arc::clone(&sent);
        async move {
            tokio::task::yield_now().await;
            let length = (HUGE - so_far).min(16_384);
            sent.fetch_add(length, Ordering::Relaxed);
            let chunk = Bytes::from_static(&[b' '; 16_384]).slice(..length as usize);
            (length > 0).then(|| (Ok(chunk), so_far + length))
        }
    })
}

fn truncated(good: &str) -> Body {
    let half = Bytes::copy_from_slice(&good.as_bytes()[..good.len() / 2]);
    Body::from_stream(stream::iter([Ok(half), Err(std::io::Error::other("cut off"))]))
}
