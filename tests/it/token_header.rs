//! An access token in the header that `TOKEN_HEADER` names.

use serde_json::json;

use crate::support::{Call, Env, token};

const NAME: &str = "Cf-Access-Jwt-Assertion";
const PAGE: &str = "https://app.example";

fn env() -> Env {
    Env::offline().with("TOKEN_HEADER", NAME).with("ALLOWED_ORIGINS", PAGE)
}

fn other_token() -> String {
    token(&json!({ "sub": "user-2", "email": "grace@example.com" }))
}

#[tokio::test]
async fn header_contains_one_token_and_no_other_contradicts_it() {
    let app = env().app();
    let (token, other) = (token(&json!({})), other_token());
    let in_header = || Call::bare().header(NAME, &token);
    #[rustfmt::skip]
    let accepted = [
        ("alone",                         in_header()),
        ("in lower case",                 Call::bare().header("cf-access-jwt-assertion", &token)),
        ("with blanks",                   Call::bare().header(NAME, &format!(" {token} "))),
        ("with the same bearer",          in_header().bearer(&token)),
        ("with Basic credentials",        in_header().header("authorization", "Basic YTpi")),
        ("as a bearer alone",             Call::bare().bearer(&token)),
        ("empty, with a bearer",          Call::bare().header(NAME, "").bearer(&token)),
        ("with a neighbor's cookie",      in_header().header("cookie", "CF_Authorization=x")),
    ];
    for (row, call) in accepted {
        let reply = call.send(&app).await;
        assert_eq!(reply.expect_issued(row).participant()["sub"], "ada@example.com", "{row}");
    }
    #[rustfmt::skip]
    let rejected = [
        ("another bearer",                in_header().bearer(&other),                        "invalid_token"),
        ("another token as the bearer",   Call::bare().header(NAME, &other).bearer(&token),  "invalid_token"),
        ("two bearers",                   in_header().bearer(&token).bearer(&token),         "invalid_token"),
        ("twice",                         in_header().header(NAME, &token),                  "invalid_token"),
        ("joined by a gateway",           Call::bare().header(NAME, &format!("{token},{token}")), "invalid_token"),
        ("with a scheme",                 Call::bare().header(NAME, &format!("Bearer {token}")), "invalid_token"),
        ("padded",                        Call::bare().header(NAME, &format!("{token}=")),   "invalid_token"),
        ("not UTF-8",                     Call::bare().raw_header(NAME, b"a.b.\xff"),        "invalid_token"),
        ("broken, with a valid bearer",   Call::bare().header(NAME, "x").bearer(&token),     "invalid_token"),
        ("empty",                         Call::bare().header(NAME, ""),                     "missing_token"),
        ("a similar name",                Call::bare().header("Cf-Access-Jwt", &token),      "missing_token"),
        ("none",                          Call::bare(),                                      "missing_token"),
    ];
    for (row, call, code) in rejected {
        call.send(&app).await.expect_problem(row, 401, code);
    }
    let unconfigured = Env::offline().app();
    in_header().send(&unconfigured).await.expect_problem("not configured", 401, "missing_token");
    let reply = in_header().bearer(&other).send(&unconfigured).await;
    assert_eq!(reply.participant()["sub"], "grace@example.com", "the header has no meaning");
}

/// A proxy adds the header to requests of every page for which the browser has its cookie.
#[tokio::test]
async fn pages_of_other_sites_must_be_listed() {
    let app = env().app();
    let call = |origin: &str, site: &str| {
        let call = Call::bare().header(NAME, &token(&json!({}))).origin(origin);
        if site.is_empty() { call } else { call.header("sec-fetch-site", site) }
    };
    for (origin, site) in [
        (PAGE, "cross-site"),
        (PAGE, "same-site"),
        ("https://api.example", "same-origin"),
        ("https://api.example", "none"),
        ("https://api.example", ""),
    ] {
        let mut reply = call(origin, site).send(&app).await;
        if origin == PAGE {
            let credentials = reply.headers.remove("access-control-allow-credentials");
            assert!(credentials.is_some_and(|value| value == "true"), "{origin} {site}");
        }
        reply.expect_issued(&format!("{origin} {site}"));
    }
    for site in ["cross-site", "same-site", "x", ""] {
        let row = format!("evil {site}");
        let reply = call("https://evil.example", site).send(&app).await;
        match site {
            "" => _ = reply.expect_issued(&row),
            _ => _ = reply.expect_problem(&row, 403, "origin_not_allowed"),
        }
    }
    let listed_nothing = Env::offline().with("TOKEN_HEADER", NAME).app();
    let reply = call(PAGE, "cross-site").send(&listed_nothing).await;
    reply.expect_problem("no list", 403, "origin_not_allowed");
    let bearer = Call::bare().bearer(&token(&json!({}))).header("sec-fetch-site", "cross-site");
    bearer.send(&app).await.expect_issued("a page that has the token itself");
}

#[tokio::test]
async fn cookie_is_read_if_the_header_is_missing() {
    let env = env().with("SESSION_COOKIE", "__session");
    let app = env.app();
    let cookie = format!("__session={}", other_token());
    let call = Call::bare().header("cookie", &cookie).origin(PAGE);
    let reply = call.clone().send(&app).await;
    assert_eq!(reply.participant()["sub"], "grace@example.com");
    let reply = call.header(NAME, &token(&json!({}))).send(&app).await;
    assert_eq!(reply.participant()["sub"], "ada@example.com", "the header precedes the cookie");
}

#[test]
fn name_of_the_header_is_checked() {
    for name in ["X-Goog-IAP-JWT-Assertion", "x-amzn-oidc-data", "X_Token"] {
        assert!(Env::offline().with("TOKEN_HEADER", name).config().is_ok(), "{name}");
    }
    for name in ["Authorization", "cookie", "Origin", "Host", "content-type", "a b", "a:", "é"] {
        let Err(fault) = Env::offline().with("TOKEN_HEADER", name).config() else {
            panic!("{name}: it starts")
        };
        assert!(fault.to_string().contains("TOKEN_HEADER must"), "{name}: {fault}");
    }
}
