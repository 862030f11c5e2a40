//! Bugs in roomkey: the request gets a response, and the next one succeeds.

use std::time::{Duration, SystemTime};

use http::Request;
use roomkey::App;
use serde_json::json;

use crate::support::{Call, Env, now, token};

/// A body that panics as it is read.
struct Broken;

impl AsRef<[u8]> for Broken {
    fn as_ref(&self) -> &[u8] {
        panic!("a body that breaks");
    }
}

async fn still_serves(app: &std::sync::Arc<App>) {
    Call::token().send(app).await.expect_issued("the next request");
}

#[tokio::test]
async fn panic_is_answered_500() {
    let app = Env::offline().with("ALLOWED_ORIGINS", "*").app();
    let request = Request::post("/token").body(Broken).unwrap();
    let response = app.handle(request, now()).await;
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!((&problem["code"], &problem["status"]), (&json!("internal"), &json!(500)));
    assert!(problem.get("detail").is_none());
    still_serves(&app).await;
}

/// Before 1970 no issue time is representable.
#[tokio::test]
async fn time_before_1970_is_answered_500() {
    let app = Env::offline().app();
    let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let timeless = token(&json!({ "iat": null, "nbf": null }));
    let reply = Call::bare().bearer(&timeless).send_at(&app, before_1970).await;
    reply.expect_problem("before 1970", 500, "internal");
    still_serves(&app).await;
}
