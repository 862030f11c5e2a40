//! The same promises behind every gateway that hands events to the function.

use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::{Bootstrap, Env, FakeApi, Reply, today, token};

/// A gateway, and what it makes of a request.
type Shape = (&'static str, fn(&Wire) -> Value);

const SHAPES: [Shape; 5] = [
    ("HTTP API 2.0", Wire::http_api),
    ("HTTP API 1.0", Wire::http_api_1),
    ("REST API", |wire| wire.rest("prod")),
    ("function URL", Wire::function_url),
    ("ALB", Wire::alb),
];

fn good() -> Wire {
    Wire::token(&token(&today()), &json!({ "room_name": "standup" }))
}

fn start() -> Bootstrap {
    Bootstrap::start(&Env::offline().with("ALLOWED_ORIGINS", "https://app.example"))
}

/// Insists that the page of the test's origin may read the answer.
#[track_caller]
fn expect_shared(mut reply: Reply, row: &str) -> Reply {
    reply.origin = Some("https://app.example".into());
    assert_eq!(reply.header("access-control-allow-origin"), reply.origin.as_deref(), "{row}");
    reply
}

#[tokio::test]
async fn answer_alike() {
    let function = start();
    for (name, shape) in SHAPES {
        let reply = function.answer(name, &shape(&good())).await;
        expect_shared(reply, name).expect_issued(name);
        let bad = Wire::token("a.b.c", &json!({}));
        let reply = function.answer(name, &shape(&bad)).await;
        expect_shared(reply, name).expect_problem(name, 401, "invalid_token");
        let preflight = good().at("OPTIONS", "/token").without("authorization");
        let reply = function.answer(name, &shape(&preflight)).await;
        assert_eq!(expect_shared(reply, name).status, 204, "{name}");
        let health = good().at("GET", "/health").without("authorization");
        let reply = function.answer(name, &shape(&health)).await;
        assert_eq!(expect_shared(reply, name).json(), json!({ "status": "ok" }), "{name}");
    }
}

#[tokio::test]
async fn hand_on_bodies_in_any_form() {
    let function = start();
    for (name, shape) in SHAPES {
        let encoded = good().base64("eyJyb29tX25hbWUiOiJzdGFuZHVwLTY0In0=");
        let reply = function.answer(name, &shape(&encoded)).await;
        assert_eq!(reply.json()["room_name"], "standup-64", "{name}");
        for (row, wire) in [
            ("no body", good().at("POST", "/token").with("content-type", "application/json")),
            ("an empty body", good().text("")),
            ("an empty body as base64", good().base64("")),
        ] {
            let reply = function.answer(row, &shape(&wire)).await;
            assert_eq!(reply.status, 201, "{name}, {row}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn hand_on_headers_in_any_case() {
    let function = start();
    for (name, shape) in SHAPES {
        let wire = good().without("authorization").without("content-type");
        let bearer = format!("Bearer {}", token(&today()));
        let wire = wire.with("Authorization", &bearer).with("Content-Type", "application/json");
        let reply = function.answer(name, &shape(&wire)).await;
        expect_shared(reply, name).expect_issued(name);
    }
}

#[tokio::test]
async fn may_put_a_mapping_in_front() {
    let function = start();
    for (name, shape) in SHAPES {
        for path in ["/prod/token", "/mapping/token", "/a/b/token"] {
            let mut wire = good();
            wire.path = path;
            let reply = function.answer(name, &shape(&wire)).await;
            assert_eq!(reply.status, 201, "{name} {path}: {}", reply.text());
        }
    }
}

/// A stage is the gateway's, whatever its name: it is no part of the route.
#[tokio::test]
async fn may_put_any_stage_in_front() {
    let function = start();
    let mut lost = Vec::new();
    for stage in ["prod", "dev-1", "$default", "token", "health", "v1", "api"] {
        let reply = function.answer(stage, &good().rest(stage)).await;
        if reply.status != 201 {
            lost.push(("REST API", stage, reply.status));
        }
        let path = if stage == "$default" { "/token".into() } else { format!("/{stage}/token") };
        let mut event = good().http_api();
        event["rawPath"] = json!(path);
        event["requestContext"]["http"]["path"] = json!(path);
        event["requestContext"]["stage"] = json!(stage);
        let reply = function.answer(stage, &event).await;
        if reply.status != 201 {
            lost.push(("HTTP API", stage, reply.status));
        }
    }
    assert_eq!(lost, Vec::new());
}

/// Two `Authorization` headers, as each gateway hands them on.
#[tokio::test]
async fn may_hand_on_two_tokens() {
    let function = start();
    let bearer = format!("Bearer {}", token(&today()));
    let both = json!([bearer, bearer]);
    let joined = format!("{bearer},{bearer}");
    for (name, shape) in SHAPES {
        let wire = good().with("authorization", &joined);
        let reply = function.answer(name, &shape(&wire)).await;
        expect_shared(reply, name).expect_problem(name, 401, "invalid_token");
    }
    let mut alb = good().alb();
    let mut lists = json!({});
    for (name, value) in alb["headers"].take().as_object().unwrap() {
        lists[name] = json!([value]);
    }
    alb.as_object_mut().unwrap().remove("headers");
    alb["multiValueHeaders"] = lists;
    let reply = function.answer("ALB with lists", &alb).await;
    expect_shared(reply, "ALB with lists").expect_issued("ALB with lists");
    let mut taken = Vec::new();
    for (name, mut event) in
        [("ALB", alb), ("REST API", good().rest("prod")), ("HTTP API 1.0", good().http_api_1())]
    {
        event["multiValueHeaders"]["authorization"] = both.clone();
        let reply = function.answer(name, &event).await;
        if reply.status != 401 {
            taken.push(name);
        }
    }
    assert_eq!(taken, Vec::<&str>::new());
}

/// HTTP APIs decode a path before they hand it on, others do not; a name in it is the same.
#[tokio::test]
async fn may_decode_the_path() {
    let livekit = FakeApi::livekit(json!({}));
    let policy = "[[allow]]\nrooms = [\"*\"]\nrole = \"host\"";
    let env = Env::offline().with("LIVEKIT_URL", &livekit.url("ws")).with("POLICY", policy);
    let function = Bootstrap::start(&env);
    let (room, identity) = ("größe %2F", "a b#c%41+");
    let encoded = "/v1/rooms/gr%C3%B6%C3%9Fe%20%252F/participants/a%20b%23c%2541+/mute";
    let decoded = "/v1/rooms/größe %2F/participants/a b#c%41+/mute";
    for (name, shape) in SHAPES {
        let path = if name.starts_with("HTTP API") { decoded } else { encoded };
        let wire = good().at("POST", path);
        let reply = function.answer(name, &shape(&wire)).await;
        reply.expect_problem(name, 404, "participant_not_found");
        let asked = livekit.asked().pop().unwrap();
        assert_eq!(
            (&asked.body["room"], &asked.body["identity"]),
            (&json!(room), &json!(identity)),
            "{name}"
        );
    }
}
