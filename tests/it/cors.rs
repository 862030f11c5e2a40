//! Cross-origin requests: the origins that may read a response.

use serde_json::json;

use crate::support::{Call, Env, Reply, token};

const ORIGIN: &str = "https://app.example";

fn allowed(reply: &Reply) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

fn varies(reply: &Reply) -> bool {
    let values = reply.headers.get_all("vary").iter();
    values
        .filter_map(|value| value.to_str().ok())
        .any(|v| v.to_ascii_lowercase().contains("origin"))
}

/// One request for each status that a client can cause.
fn calls() -> Vec<(u16, Call)> {
    let large = "x".repeat(70_000);
    vec![
        (201, Call::token()),
        (400, Call::token().body("application/json", "{")),
        (401, Call::bare()),
        (401, Call::bare().bearer("a.b.c")),
        (401, Call::bare().bearer(&token(&json!({ "exp": 0 })))),
        (403, Call::asking(&json!({ "participant_identity": "x" }))),
        (403, Call::bare().bearer(&token(&json!({ "email_verified": false })))),
        (404, Call::bare().bearer(&token(&json!({ "email": null })))),
        (404, Call::token().at("POST", "/other")),
        (405, Call::token().at("DELETE", "/token")),
        (413, Call::token().body("application/json", large)),
        (415, Call::token().body("text/plain", "x")),
        (200, Call::bare().at("GET", "/health")),
    ]
}

#[tokio::test]
async fn listed_origin_can_read_every_response() {
    let app =
        Env::offline().with("ALLOWED_ORIGINS", "https://other.example, https://app.example").app();
    for (status, call) in calls() {
        let reply = call.origin(ORIGIN).send(&app).await;
        assert_eq!(reply.status, status, "{}", reply.text());
        assert_eq!(allowed(&reply), Some(ORIGIN), "{status}");
        assert!(varies(&reply), "{status}: Vary");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{status}");
    }
}

#[tokio::test]
async fn other_origin_can_read_no_response() {
    let app = Env::offline().with("ALLOWED_ORIGINS", ORIGIN).app();
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil.example",
        "https://APP.example",
        "https://app.example/",
        "null",
        "*",
        "",
    ] {
        for (status, call) in calls() {
            let reply = call.origin(origin).send(&app).await;
            assert_eq!(reply.status, status, "{origin}");
            assert_eq!(allowed(&reply), None, "{origin} {status}");
            assert!(varies(&reply), "{origin} {status}: caches must not mix them up");
        }
    }
}

#[tokio::test]
async fn no_origin_is_allowed_by_default() {
    let app = Env::offline().app();
    for (status, call) in calls() {
        let reply = call.origin(ORIGIN).send(&app).await;
        assert_eq!((reply.status, allowed(&reply)), (status, None));
    }
    let reply = Call::bare().at("OPTIONS", "/token").origin(ORIGIN).send(&app).await;
    assert_eq!((reply.status, allowed(&reply)), (204, None));
}

#[tokio::test]
async fn any_origin_is_allowed_if_the_list_is_a_star() {
    let app = Env::offline().with("ALLOWED_ORIGINS", "*").app();
    for (status, call) in calls() {
        let reply = call.origin("https://anyone.example").send(&app).await;
        assert_eq!(reply.status, status);
        let allowed = allowed(&reply);
        assert!(matches!(allowed, Some("*" | "https://anyone.example")), "{status}: {allowed:?}");
    }
}

#[tokio::test]
async fn preflight_needs_no_token() {
    let app = Env::offline().with("ALLOWED_ORIGINS", ORIGIN).app();
    for (path, method) in [
        ("/token", "POST"),
        ("/prod/token", "POST"),
        ("/health", "GET"),
        ("/v1/rooms/standup/participants/ada%40example.com/role", "PUT"),
        ("/v1/rooms/standup/hand", "PUT"),
        ("/v1/rooms/standup/participants", "GET"),
        ("/v1/rooms/standup", "DELETE"),
    ] {
        let call = Call::bare().at("OPTIONS", path).origin(ORIGIN);
        let reply = call
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,content-type")
            .send(&app)
            .await;
        assert_eq!(reply.status, 204, "{path}");
        assert!(reply.body.is_empty(), "{path}");
        assert_eq!(allowed(&reply), Some(ORIGIN), "{path}");
        assert_eq!(reply.header("access-control-max-age"), Some("7200"), "{path}");
        assert!(reply.header("access-control-allow-methods").unwrap().contains(method), "{path}");
        let headers = reply.header("access-control-allow-headers").unwrap().to_ascii_lowercase();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{path}");
        assert!(varies(&reply), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
    let reply =
        Call::bare().at("OPTIONS", "/token").origin("https://evil.example").send(&app).await;
    assert_eq!((reply.status, allowed(&reply)), (204, None), "another origin");
    let reply = Call::bare().at("OPTIONS", "/other").origin(ORIGIN).send(&app).await;
    assert_eq!((reply.status, allowed(&reply)), (404, Some(ORIGIN)), "no such route");
}
