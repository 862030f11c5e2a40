//! Routes: paths and methods behind every gateway.

use serde_json::json;

use crate::support::{Call, Env, token};

#[tokio::test]
async fn token_is_found_behind_a_prefix() {
    let app = Env::offline().app();
    for path in [
        "/token",
        "/prod/token",
        "/$default/token",
        "/api/token",
        "/rooms/live/token",
        "/token?x=1",
        "/prod/token?room_name=x",
        "https://abc.execute-api.eu-central-1.amazonaws.com/prod/token",
    ] {
        Call::token().at("POST", path).send(&app).await.expect_issued(path);
    }
}

#[tokio::test]
async fn health_needs_no_token() {
    let app = Env::offline().app();
    for path in ["/health", "/prod/health"] {
        let reply = Call::bare().at("GET", path).send(&app).await;
        assert_eq!((reply.status, reply.json()), (200, json!({ "status": "ok" })), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let reply = Call::bare().at("HEAD", path).send(&app).await;
        assert_eq!(reply.status, 200, "HEAD {path}");
    }
    let reply = Call::bare().at("GET", "/health").bearer("nonsense").send(&app).await;
    assert_eq!(reply.status, 200, "whoever asks");
}

#[tokio::test]
async fn other_path_is_not_found() {
    let app = Env::offline().app();
    for path in [
        "/",
        "/tokens",
        "/token/",
        "/token/x",
        "/Token",
        "/xtoken",
        "/token.json",
        "/prod",
        "/prod/tokens",
        "/healthz",
        "/v1",
        "/v1/tokens",
        "/v1/token/refresh/",
        "/v1/rooms",
        "/v1/rooms/standup/participant",
        "/v1/rooms/standup/hand/ada",
        "/v1/rooms/standup/participants/ada/unmute",
        "/v1/rooms/a/b/participants/ada",
        "/api/liveblocks",
        "/.well-known/openid-configuration",
    ] {
        for method in ["POST", "GET"] {
            let reply = Call::token().at(method, path).send(&app).await;
            reply.expect_problem(&format!("{method} {path}"), 404, "not_found");
        }
    }
}

#[tokio::test]
async fn other_method_is_not_allowed() {
    let app = Env::offline().app();
    for path in ["/token", "/prod/token"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"] {
            let reply = Call::token().at(method, path).send(&app).await;
            expect_not_allowed(&reply, method, path, "POST, OPTIONS");
        }
    }
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let reply = Call::bare().at(method, "/health").send(&app).await;
        expect_not_allowed(&reply, method, "/health", "GET, HEAD, OPTIONS");
    }
}

#[track_caller]
fn expect_not_allowed(reply: &crate::support::Reply, method: &str, path: &str, allow: &str) {
    let row = format!("{method} {path}");
    if method == "HEAD" {
        assert_eq!(reply.status, 405, "{row}");
    } else {
        reply.expect_problem(&row, 405, "method_not_allowed");
    }
    assert_eq!(reply.header("allow"), Some(allow), "{row}");
}

#[tokio::test]
async fn route_and_method_are_checked_before_authentication() {
    let app = Env::offline().app();
    let reply = Call::bare().at("POST", "/other").send(&app).await;
    reply.expect_problem("no such route, no token", 404, "not_found");
    let reply = Call::bare().at("GET", "/token").send(&app).await;
    reply.expect_problem("no such method, no token", 405, "method_not_allowed");
}

/// Columns: route, method, authentication, body, profile, policy.
#[tokio::test]
async fn first_failed_check_decides_the_error() {
    let app = Env::offline().app();
    let unverified = token(&json!({ "email_verified": false }));
    let nameless = token(&json!({ "email": null }));
    let agent = json!({ "room_config": { "agents": [{ "agent_name": "x" }] } });
    #[rustfmt::skip]
    let rows = [
        ("caller before kind",     Call::bare().body("text/plain", "x"),                                401, "missing_token"),
        ("kind before syntax",     Call::token().body("text/plain", "{"),                               415, "unsupported_media_type"),
        ("body before profile",    Call::bare().bearer(&unverified).body("application/json", "{"),      400, "invalid_request"),
        ("body before email",      Call::bare().bearer(&nameless).body("application/json", "[]"),       400, "invalid_request"),
        ("profile before policy",  Call::bare().bearer(&unverified).json(&agent),                       403, "email_not_verified"),
        ("email before policy",    Call::bare().bearer(&nameless).json(&agent),                         404, "email_not_set"),
    ];
    for (name, call, status, code) in rows {
        call.send(&app).await.expect_problem(name, status, code);
    }
}
