//! Malformed Lambda events. None of them ends the process.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::{Bootstrap, Env, Outcome, Reply, today, token};

fn good() -> Value {
    Wire::token(&token(&today()), &json!({ "room_name": "standup" })).http_api()
}

/// A valid event with one field changed. `null` removes it.
fn changed(path: &[&str], value: Value) -> String {
    let mut event = good();
    let (last, parents) = path.split_last().unwrap();
    let parent = parents.iter().fold(&mut event, |event, name| &mut event[*name]);
    if value.is_null() {
        parent.as_object_mut().unwrap().remove(*last);
    } else {
        parent[*last] = value;
    }
    event.to_string()
}

fn undecodable(shape: fn(&Wire) -> Value, body: &str) -> String {
    shape(&Wire::token(&token(&today()), &json!({})).base64(body)).to_string()
}

async fn send(function: &Bootstrap, row: &str, event: &str) -> Reply {
    match function.invoke_within(event, Duration::from_secs(10)).await {
        Outcome::Answer(reply) => *reply,
        other => panic!("{row}: {other:?}\n{}", function.output()),
    }
}

#[tokio::test]
async fn event_with_an_undecodable_body_is_answered_400() {
    let mut function = Bootstrap::start(&Env::offline());
    let rest: fn(&Wire) -> Value = |wire| wire.rest("prod");
    for shape in [Wire::http_api, Wire::http_api_1, Wire::function_url, Wire::alb, rest] {
        for body in ["!", "{}", "e30", "e30==", "e3 0=", "é", "====", "\u{0}", "e30=e30="] {
            let row = format!("{body:?}");
            let reply = send(&function, &row, &undecodable(shape, body)).await;
            reply.expect_problem(&row, 400, "invalid_request");
        }
        let text = b"\xff\xfe";
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
        let reply = send(&function, "not UTF-8", &undecodable(shape, &encoded)).await;
        reply.expect_problem("base64 of no text", 400, "invalid_request");
    }
    send(&function, "a good one", &good().to_string()).await.expect_issued("the next event");
    assert!(function.is_alive());
}

#[tokio::test]
async fn event_that_is_not_a_request_is_answered_400() {
    let mut function = Bootstrap::start(&Env::offline());
    #[rustfmt::skip]
    let rows = [
        ("an empty object",          "{}".to_owned()),
        ("null",                     "null".to_owned()),
        ("a number",                 "1".to_owned()),
        ("a string",                 "\"hello\"".to_owned()),
        ("a list",                   "[]".to_owned()),
        ("a list of events",         json!([good()]).to_string()),
        ("true",                     "true".to_owned()),
        ("a console test event",     json!({ "key1": "value1", "key2": "value2" }).to_string()),
        ("a schedule",               json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} }).to_string()),
        ("a queue's records",        json!({ "Records": [{ "eventSource": "aws:sqs", "body": "x" }] }).to_string()),
        ("a web socket's event",     json!({ "requestContext": { "eventType": "CONNECT", "connectionId": "x" } }).to_string()),
        ("no request context",       changed(&["requestContext"], Value::Null)),
        ("request context a string", changed(&["requestContext"], json!("x"))),
        ("request context empty",    changed(&["requestContext"], json!({}))),
        ("no http",                  changed(&["requestContext", "http"], Value::Null)),
        ("no method",                changed(&["requestContext", "http", "method"], Value::Null)),
        ("method a number",          changed(&["requestContext", "http", "method"], json!(1))),
        ("method with a blank",      changed(&["requestContext", "http", "method"], json!("PO ST"))),
        ("headers a string",         changed(&["headers"], json!("x"))),
        ("headers a list",           changed(&["headers"], json!([1]))),
        ("a header a number",        changed(&["headers", "x-a"], json!(1))),
        ("a header with a line end", changed(&["headers", "x-a"], json!("a\r\nb: c"))),
        ("a header with a NUL",      changed(&["headers", "x-a"], json!("a\u{0}b"))),
        ("a header with ESC",        changed(&["headers", "x-a"], json!("a\u{1b}b"))),
        ("a header's name blank",    changed(&["headers", "x a"], json!("a"))),
        ("a header's name empty",    changed(&["headers", ""], json!("a"))),
        ("a header's name a line",   changed(&["headers", "x\n"], json!("a"))),
        ("body a number",            changed(&["body"], json!(1))),
        ("body an object",           changed(&["body"], json!({ "room_name": "standup" }))),
        ("base64 a string",          changed(&["isBase64Encoded"], json!("yes"))),
        ("path a number",            changed(&["rawPath"], json!(1))),
        ("query a number",           changed(&["rawQueryString"], json!(1))),
        ("cookies a string",         changed(&["cookies"], json!("a=b"))),
    ];
    for (name, event) in rows {
        let reply = send(&function, name, &event).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.text());
        reply.expect_problem(name, 400, "invalid_request");
        assert!(function.is_alive(), "{name}");
    }
    send(&function, "a good one", &good().to_string()).await.expect_issued("the next event");
}

/// Unusual values of a request. A path is routed by its end, so that most prefixes change nothing.
#[tokio::test]
async fn event_with_unusual_values_gets_a_response() {
    let mut function = Bootstrap::start(&Env::offline());
    let long = format!("/{}/token", "x".repeat(70_000));
    #[rustfmt::skip]
    let rows = [
        (400, "no path",                  changed(&["rawPath"], Value::Null)),
        (400, "an empty path",            changed(&["rawPath"], json!(""))),
        (201, "a path without a slash",   changed(&["rawPath"], json!("token"))),
        (201, "a path with a blank",      changed(&["rawPath"], json!("/a b/token"))),
        (201, "a path with a line end",   changed(&["rawPath"], json!("/a\r\n/token"))),
        (201, "a path with a NUL",        changed(&["rawPath"], json!("/\u{0}/token"))),
        (201, "a path with an accent",    changed(&["rawPath"], json!("/é/token"))),
        (201, "a path of brackets",       changed(&["rawPath"], json!("/[::1]%/<>\"{}|\\^`/token"))),
        (201, "a path with a question",   changed(&["rawPath"], json!("/token?x"))),
        (400, "a path that is a URL",     changed(&["rawPath"], json!("http://[/token"))),
        (400, "a path far too long",      changed(&["rawPath"], json!(long))),
        (400, "a query with a blank",     changed(&["rawQueryString"], json!("a= b"))),
        (400, "a query with a line end",  changed(&["rawQueryString"], json!("a=\r\nb"))),
        (201, "a query with an accent",   changed(&["rawQueryString"], json!("a=é&%zz"))),
        (201, "a host with a blank",      changed(&["headers", "host"], json!("a b"))),
        (201, "a host with brackets",     changed(&["headers", "host"], json!("[::1"))),
        (201, "a host with an accent",    changed(&["headers", "host"], json!("é"))),
        (201, "an empty host",            changed(&["headers", "host"], json!(""))),
        (201, "a host that is a path",    changed(&["headers", "host"], json!("a/b?c#d"))),
        (401, "no headers",               changed(&["headers"], Value::Null)),
        (401, "a bearer with an accent",  changed(&["headers", "authorization"], json!("Bearer é"))),
        (400, "a header a list",          changed(&["headers", "x-a"], json!(["a"]))),
        (400, "an empty method",          changed(&["requestContext", "http", "method"], json!(""))),
        (405, "a method nobody knows",    changed(&["requestContext", "http", "method"], json!("BREW"))),
        (201, "a stage with a slash",     changed(&["requestContext", "stage"], json!("a/b c"))),
        (201, "cookies with a line end",  changed(&["cookies"], json!(["a=b\r\nc"]))),
        (201, "a protocol with a blank",  changed(&["headers", "x-forwarded-proto"], json!("ht tp"))),
        (201, "a port that is none",      changed(&["headers", "x-forwarded-port"], json!("x"))),
        (201, "a trace that is none",     changed(&["headers", "x-amzn-trace-id"], json!("x"))),
    ];
    for (status, name, event) in rows {
        let reply = send(&function, name, &event).await;
        match status {
            201 => reply.expect_issued(name),
            400 => reply.expect_problem(name, 400, "invalid_request"),
            401 if name == "no headers" => reply.expect_problem(name, 401, "missing_token"),
            401 => reply.expect_problem(name, 401, "invalid_token"),
            _ => reply.expect_problem(name, 405, "method_not_allowed"),
        };
        assert!(function.is_alive(), "{name}");
    }
    send(&function, "a good one", &good().to_string()).await.expect_issued("the next event");
}
