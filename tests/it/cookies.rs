//! A session cookie in place of the header. Only listed origins may use it, since browsers send it
//! by themselves.

use serde_json::json;

use crate::support::gateway::Wire;
use crate::support::{Bootstrap, Call, Env, FakeIdp, NOW, Reply, now, today, token};

const APP: &str = "https://app.example";

fn env() -> Env {
    Env::offline()
        .with("SESSION_COOKIE", "__session")
        .with("ALLOWED_ORIGINS", "https://app.example,https://admin.example")
}

async fn post_token(call: Call) -> Reply {
    call.send(&env().app()).await
}

/// `POST /token` with a valid token in the session cookie.
fn cookie() -> Call {
    Call::bare().header("cookie", &format!("__session={}", token(&json!({}))))
}

/// Asserts that the page may send its cookie, and removes that header. The other headers are the
/// same with and without it.
#[track_caller]
fn with_credentials(mut reply: Reply, row: &str) -> Reply {
    assert_eq!(reply.header("access-control-allow-credentials"), Some("true"), "{row}");
    assert_eq!(reply.header("access-control-allow-origin"), reply.origin.as_deref(), "{row}");
    assert_eq!(reply.header("vary"), Some("Origin"), "{row}");
    reply.headers.remove("access-control-allow-credentials");
    reply
}

#[tokio::test]
async fn session_cookie_is_accepted_from_a_listed_origin() {
    for origin in [APP, "https://admin.example"] {
        let reply = with_credentials(post_token(cookie().origin(origin)).await, origin);
        reply.expect_issued(origin);
        assert_eq!(reply.participant()["sub"], "ada@example.com");
    }
    let among = format!("theme=dark; __session={}; __client=x", token(&json!({})));
    let reply = post_token(Call::bare().header("cookie", &among).origin(APP)).await;
    with_credentials(reply, "among others").expect_issued("among others");
    let apart = Call::bare().header("cookie", "theme=dark");
    let apart = apart.header("cookie", &format!("__session={}", token(&json!({}))));
    let reply = post_token(apart.origin(APP)).await;
    with_credentials(reply, "in two headers").expect_issued("in two headers");
}

#[tokio::test]
async fn session_cookie_is_rejected_from_any_other_origin() {
    #[rustfmt::skip]
    let rows: &[(&str, &[&str])] = &[
        ("none",                   &[]),
        ("another",                &["https://evil.example"]),
        ("null",                   &["null"]),
        ("an empty one",           &[""]),
        ("every page",             &["*"]),
        ("a longer one",           &["https://app.example.evil.example"]),
        ("a subdomain",            &["https://x.app.example"]),
        ("without TLS",            &["http://app.example"]),
        ("another port",           &["https://app.example:8443"]),
        ("in capitals",            &["https://APP.example"]),
        ("with a slash",           &["https://app.example/"]),
        ("the list itself",        &["https://app.example,https://admin.example"]),
        ("twice, as gateways do",  &["https://app.example, https://app.example"]),
        ("twice",                  &["https://app.example", "https://app.example"]),
        ("two listed ones",        &["https://app.example", "https://admin.example"]),
        ("a good and a bad one",   &["https://app.example", "https://evil.example"]),
        ("a bad and a good one",   &["https://evil.example", "https://app.example"]),
    ];
    for (name, origins) in rows {
        let call = origins.iter().fold(cookie(), |call, origin| call.origin(origin));
        let reply = post_token(call).await;
        reply.expect_problem(name, 403, "origin_not_allowed");
        assert_eq!(reply.header("access-control-allow-origin"), None, "{name}");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{name}");
    }
    // The origin of a page is read from no other header.
    let call = cookie().header("referer", "https://app.example/").header("host", "app.example");
    post_token(call).await.expect_problem("a referer", 403, "origin_not_allowed");
}

#[tokio::test]
async fn unlisted_origin_gets_the_same_response_for_any_cookie() {
    let mut answers = Vec::new();
    for token in [token(&json!({})), token(&json!({ "exp": NOW - 60 })), "a.b.c".to_owned()] {
        let call = Call::bare().header("cookie", &format!("__session={token}"));
        let reply = post_token(call.origin("https://evil.example")).await;
        answers.push((reply.status, reply.text(), format!("{:?}", reply.headers)));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let idp = FakeIdp::start();
    let app = Env::online(&idp)
        .with_all(&[("SESSION_COOKIE", "__session"), ("ALLOWED_ORIGINS", APP)])
        .app();
    let call = Call::bare().header("cookie", &format!("__session={}", idp.bare_token()));
    let reply = call.origin("https://evil.example").send_at(&app, now()).await;
    reply.expect_problem("nobody is asked", 403, "origin_not_allowed");
    assert_eq!(idp.counts(), (0, 0, 0));
}

#[tokio::test]
async fn authorization_header_has_precedence_over_the_cookie() {
    let good = token(&json!({ "sub": "header" }));
    let bad_cookie = Call::bare().header("cookie", "__session=a.b.c");
    post_token(bad_cookie.clone().bearer(&good)).await.expect_issued("from no page at all");
    let reply = post_token(bad_cookie.clone().bearer(&good).origin("https://evil.example")).await;
    reply.expect_issued("a header does not travel by itself");
    let twice = bad_cookie.header("cookie", "__session=d.e.f");
    post_token(twice.bearer(&good)).await.expect_issued("cookies are not even read");
    for (name, header, code) in [
        ("a bad token", "Bearer a.b.c", "invalid_token"),
        ("no token", "Bearer", "missing_token"),
        ("another scheme", "Basic YTpi", "missing_token"),
        ("an empty header", "", "missing_token"),
    ] {
        let reply = post_token(cookie().header("authorization", header).origin(APP)).await;
        with_credentials(reply, name).expect_problem(name, 401, code);
    }
}

#[tokio::test]
async fn request_without_a_valid_session_cookie_is_rejected() {
    let good = token(&json!({}));
    let expired = token(&json!({ "exp": NOW - 60 }));
    #[rustfmt::skip]
    let rows = [
        ("no cookie",             String::new(),                                    "missing_token"),
        ("another name",          format!("session={good}"),                        "missing_token"),
        ("in capitals",           format!("__SESSION={good}"),                      "missing_token"),
        ("a longer name",         format!("__session_2={good}"),                    "missing_token"),
        ("a shorter name",        format!("_session={good}"),                       "missing_token"),
        ("a prefixed name",       format!("__Host-__session={good}"),               "missing_token"),
        ("a name within a value", format!("x=__session={good}"),                    "missing_token"),
        ("an empty value",        "__session=".to_owned(),                          "missing_token"),
        ("no value",              "__session".to_owned(),                           "missing_token"),
        ("twice",                 format!("__session={good}; __session={good}"),    "invalid_token"),
        ("twice, one of it bad",  format!("__session={good}; __session=x"),         "invalid_token"),
        ("twice, one of it empty", format!("__session=; __session={good}"),         "invalid_token"),
        ("with a comma",          format!("__session={good},__session={good}"),     "invalid_token"),
        ("in quotes",             format!("__session=\"{good}\""),                  "invalid_token"),
        ("a scheme before it",    format!("__session=Bearer {good}"),               "invalid_token"),
        ("no token",              "__session=a.b.c".to_owned(),                     "invalid_token"),
        ("expired",               format!("__session={expired}"),                   "token_expired"),
    ];
    for (name, cookies, code) in rows {
        let call = Call::bare().header("cookie", &cookies).origin(APP);
        with_credentials(post_token(call).await, name).expect_problem(name, 401, code);
    }
    let call = Call::bare().header("cookie", &format!("__session={good}"));
    let call = call.header("cookie", &format!("__session={good}")).origin(APP);
    with_credentials(post_token(call).await, "two headers").expect_problem(
        "two",
        401,
        "invalid_token",
    );
}

#[tokio::test]
async fn session_cookie_is_ignored_without_its_variable() {
    for env in [
        Env::offline(),
        Env::offline().with("ALLOWED_ORIGINS", APP),
        Env::offline().with("ALLOWED_ORIGINS", "*"),
        env().with("SESSION_COOKIE", ""),
    ] {
        let app = env.app();
        for call in [cookie(), cookie().origin(APP)] {
            let reply = call.send(&app).await;
            reply.expect_problem("a cookie", 401, "missing_token");
            assert_eq!(reply.header("access-control-allow-credentials"), None);
        }
        Call::token().origin(APP).send(&app).await.expect_issued("the header, all the same");
    }
}

#[test]
fn invalid_cookie_settings_prevent_the_start() {
    let named = Env::offline().with("SESSION_COOKIE", "__session");
    #[rustfmt::skip]
    let rows = [
        ("no list of origins",     named.clone(),                               "ALLOWED_ORIGINS"),
        ("an empty list",          named.clone().with("ALLOWED_ORIGINS", ""),   "ALLOWED_ORIGINS"),
        ("every origin",           named.with("ALLOWED_ORIGINS", "*"),          "ALLOWED_ORIGINS"),
        ("a name with a blank",    env().with("SESSION_COOKIE", "a b"),         "SESSION_COOKIE"),
        ("a name with a value",    env().with("SESSION_COOKIE", "a=b"),         "SESSION_COOKIE"),
        ("two names",              env().with("SESSION_COOKIE", "a;b"),         "SESSION_COOKIE"),
        ("a list of names",        env().with("SESSION_COOKIE", "a,b"),         "SESSION_COOKIE"),
    ];
    for (name, env, variable) in rows {
        let Err(fault) = env.config() else { panic!("{name}: it starts") };
        assert!(fault.to_string().contains(variable), "{name}: {fault}");
    }
}

#[tokio::test]
async fn preflight_allows_credentials_to_listed_origins_only() {
    let preflight = Call::bare().at("OPTIONS", "/token");
    let reply = post_token(preflight.clone().origin(APP)).await;
    assert_eq!(with_credentials(reply, "listed").status, 204);
    for origin in ["https://evil.example", "null"] {
        let reply = post_token(preflight.clone().origin(origin)).await;
        assert_eq!(reply.status, 204, "{origin}");
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{origin}");
    }
}

/// Payload 2.0 moves cookies from the headers into a list.
#[tokio::test]
async fn session_cookie_is_found_behind_every_gateway() {
    let function = Bootstrap::start(&env());
    let good = format!("__session={}", token(&today()));
    let bare = Wire::token("x", &json!({})).without("authorization");
    let listed = |wire: &Wire, shape: fn(&Wire) -> serde_json::Value, cookies: &[&str]| {
        let mut event = shape(wire);
        event["cookies"] = json!(cookies);
        event
    };
    let evil = bare.clone().with("origin", "https://evil.example");
    for (name, shape) in [
        ("HTTP API 2.0", Wire::http_api as fn(&Wire) -> serde_json::Value),
        ("function URL", Wire::function_url),
    ] {
        let post_token = async |wire: &Wire, cookies: &[&str]| {
            let mut reply = function.answer(name, &listed(wire, shape, cookies)).await;
            reply.origin = Some(APP.to_owned());
            reply
        };
        let reply = post_token(&bare, &["theme=dark", &good]).await;
        with_credentials(reply, name).expect_issued(name);
        let reply = post_token(&bare, &[&good, &good]).await;
        with_credentials(reply, name).expect_problem(name, 401, "invalid_token");
        let reply = post_token(&bare, &["theme=dark"]).await;
        with_credentials(reply, name).expect_problem(name, 401, "missing_token");
        let reply = post_token(&evil, &[&good]).await;
        reply.expect_problem(name, 403, "origin_not_allowed");
        let reply = post_token(&bare.clone().without("origin"), &[&good]).await;
        reply.expect_problem(name, 403, "origin_not_allowed");
    }
    for (name, shape) in [
        ("HTTP API 1.0", Wire::http_api_1 as fn(&Wire) -> serde_json::Value),
        ("REST API", |wire| wire.rest("prod")),
        ("ALB", Wire::alb),
    ] {
        let wire = bare.clone().with("cookie", &format!("theme=dark; {good}"));
        let mut reply = function.answer(name, &shape(&wire)).await;
        reply.origin = Some(APP.to_owned());
        with_credentials(reply, name).expect_issued(name);
        let reply = function.answer(name, &shape(&evil.clone().with("cookie", &good))).await;
        reply.expect_problem(name, 403, "origin_not_allowed");
    }
}
