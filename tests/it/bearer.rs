//! The `Authorization` header.

use serde_json::json;

use crate::support::{Call, Env, token};

#[tokio::test]
async fn bearer_scheme_is_accepted_in_any_case() {
    let app = Env::offline().app();
    let token = token(&json!({}));
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let call = Call::bare().header("authorization", &format!("{scheme} {token}"));
        call.send(&app).await.expect_issued(scheme);
    }
}

#[tokio::test]
async fn request_without_a_bearer_token_is_rejected() {
    let app = Env::offline().app();
    let token = token(&json!({}));
    #[rustfmt::skip]
    let rows = [
        ("no header",          Call::bare()),
        ("an empty header",    Call::bare().header("authorization", "")),
        ("a scheme alone",     Call::bare().header("authorization", "Bearer")),
        ("an empty bearer",    Call::bare().header("authorization", "Bearer ")),
        ("Basic",              Call::bare().header("authorization", "Basic dXNlcjpwYXNz")),
        ("another scheme",     Call::bare().header("authorization", &format!("DPoP {token}"))),
        ("no scheme",          Call::bare().header("authorization", &token)),
        ("a scheme like it",   Call::bare().header("authorization", &format!("Bearerx {token}"))),
        ("in the query",       Call::bare().at("POST", &format!("/token?access_token={token}"))),
        ("in the body",        Call::bare().json(&json!({ "access_token": token }))),
        ("in a cookie",        Call::bare().header("cookie", &format!("__session={token}"))),
        ("in another header",  Call::bare().header("x-authorization", &format!("Bearer {token}"))),
    ];
    for (name, call) in rows {
        call.send(&app).await.expect_problem(name, 401, "missing_token");
    }
}

#[tokio::test]
async fn request_with_two_tokens_is_rejected() {
    let app = Env::offline().app();
    let good = token(&json!({}));
    let other = token(&json!({ "sub": "user-2" }));
    #[rustfmt::skip]
    let rows = [
        ("two headers",             Call::bare().bearer(&good).bearer(&other)),
        ("the same twice",          Call::bare().bearer(&good).bearer(&good)),
        ("bearer and basic",        Call::bare().bearer(&good).header("authorization", "Basic eDp5")),
        ("basic and bearer",        Call::bare().header("authorization", "Basic eDp5").bearer(&good)),
        ("joined by the gateway",   Call::bare().bearer(&format!("{good}, Bearer {other}"))),
        ("joined without a blank",  Call::bare().bearer(&format!("{good},Bearer {good}"))),
        ("two in one",              Call::bare().bearer(&format!("{good} {other}"))),
        ("something after it",      Call::bare().bearer(&format!("{good} x"))),
    ];
    for (name, call) in rows {
        call.send(&app).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn authorization_header_of_any_bytes_is_rejected_without_a_panic() {
    let app = Env::offline().app();
    for (name, value) in [
        ("not ASCII", &b"Bearer \xff\xfe"[..]),
        ("UTF-8", "Bearer é.é.é".as_bytes()),
        ("a scheme that is not ASCII", b"B\xe9arer a.b.c"),
        ("a tab", b"Bearer\ta.b.c"),
    ] {
        let reply = Call::bare().raw_header("authorization", value).send(&app).await;
        assert_eq!(reply.status, 401, "{name}");
        let code = reply.code();
        assert!(["missing_token", "invalid_token"].contains(&code.as_str()), "{name}: {code}");
        reply.expect_problem(name, 401, &code);
    }
}
