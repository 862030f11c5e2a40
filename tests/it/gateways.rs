//! The same behavior behind every gateway that sends events to the function.

use serde_json::{Value, json};

use crate::support::gateway::Wire;
use crate::support::{Bootstrap, Env, FakeApi, Reply, today, token};

/// A gateway, and its event for a request.
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

/// Asserts that the test's origin may read the response.
#[track_caller]
fn expect_shared(mut reply: Reply, row: &str) -> Reply {
    reply.origin = Some("https://app.example".into());
    assert_eq!(reply.header("access-control-allow-origin"), reply.origin.as_deref(), "{row}");
    reply
}

#[tokio::test]
async fn gateways_all_get_the_same_response() {
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
async fn body_is_read_in_every_form_of_a_gateway() {
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
async fn header_is_found_in_any_case() {
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
async fn route_is_found_after_a_mapping_of_the_gateway() {
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

/// A stage of any name belongs to the gateway and not to the route.
#[tokio::test]
async fn route_is_found_after_a_stage_of_any_name() {
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

/// Two `Authorization` headers, in the form that each gateway sends.
#[tokio::test]
async fn two_authorization_headers_are_rejected_behind_every_gateway() {
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

/// HTTP APIs decode a path and other gateways do not. A name in it is the same.
#[tokio::test]
async fn name_in_the_path_is_the_same_if_the_gateway_decoded_it() {
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

/// A custom domain's mapping of any name precedes every route.
#[tokio::test]
async fn mapping_is_no_part_of_the_route() {
    let livekit = FakeApi::livekit(json!({}));
    let policy = "[[allow]]\nrooms = [\"*\"]\nrole = \"host\"";
    let env = Env::offline().with("LIVEKIT_URL", &livekit.url("ws")).with("POLICY", policy);
    let mute = "/v1/rooms/a/participants/b/mute";
    // BASE_PATH, the mapping, the method and route, and the status.
    let rows = [
        ("v1", "/v1", "POST", "/token", 201),
        ("/v1/", "/v1", "POST", "/token", 201),
        ("v1", "/v1", "GET", "/health", 200),
        ("v1", "/v1", "POST", "/v1/token", 404),
        ("v1", "/v1", "POST", mute, 404),
        ("v1", "", "POST", "/token", 201),
        ("api/v1", "/api/v1", "POST", "/token", 201),
        ("api/v1", "/api/v1", "DELETE", "/token", 405),
        ("api/v1", "/api/v1", "POST", mute, 404),
        ("api", "/api", "POST", "/api/liveblocks-auth", 404),
    ];
    for (base_path, mapping, method, route, status) in rows {
        let function = Bootstrap::start(&env.clone().with("BASE_PATH", base_path));
        let path: &'static str = Box::leak(format!("{mapping}{route}").into_boxed_str());
        for (name, shape) in SHAPES {
            let row = format!("{name}, BASE_PATH={base_path}, {method} {path}");
            let mut wire = good();
            (wire.method, wire.path) = (method, path);
            let mut event = shape(&wire);
            for (member, catch_all) in [("routeKey", "$default"), ("resource", "/{proxy+}")] {
                if event[member].is_string() {
                    event[member] = json!(catch_all);
                }
            }
            let reply = function.answer(&row, &event).await;
            assert_eq!(reply.status, status, "{row}: {}", reply.text());
        }
    }
}

/// API Gateway names the route in `routeKey` or `resource`, so that no `BASE_PATH` is needed there.
#[tokio::test]
async fn route_that_the_gateway_names_decides() {
    let livekit = FakeApi::livekit(json!({}));
    let policy = "[[allow]]\nrooms = [\"*\"]\nrole = \"host\"";
    let env = Env::offline().with("LIVEKIT_URL", &livekit.url("ws")).with("POLICY", policy);
    let function = Bootstrap::start(&env);
    let mute = "/v1/rooms/{room}/participants/{identity}/mute";
    // The path, the route that the gateway names, and what the problem or the answer shows of it.
    let rows = [
        ("/v1/token", "/token", 201, "participant_token"),
        ("/v1/token", "/{proxy+}", 404, "not_found"),
        ("/v1/token", "/v1/token", 404, "not_found"),
        ("/api/v1/token", "/token", 201, "participant_token"),
        ("/v1/health", "/token", 201, "participant_token"),
        ("/token", "/health", 405, "method_not_allowed"),
        ("/x/v1/rooms/a/participants/b/mute", mute, 404, "participant_not_found"),
        ("/token", "/v1/rooms/{room}/participants/{proxy+}", 201, "participant_token"),
    ];
    for (path, template, status, shown) in rows {
        let mut wire = good();
        wire.path = path;
        let mut http_api = wire.http_api();
        http_api["routeKey"] = json!(format!("POST {template}"));
        http_api["requestContext"]["routeKey"] = http_api["routeKey"].clone();
        let mut any = http_api.clone();
        any["routeKey"] = json!(format!("ANY {template}"));
        let (mut http_api_1, mut rest) = (wire.http_api_1(), wire.rest("prod"));
        for event in [&mut http_api_1, &mut rest] {
            event["resource"] = json!(template);
        }
        for event in [http_api, any, http_api_1, rest] {
            let row = format!("{path} by {template}: {event}");
            let reply = function.answer(&row, &event).await;
            assert_eq!(reply.status, status, "{row}: {}", reply.text());
            assert!(reply.text().contains(shown), "{row}: {}", reply.text());
        }
    }
}

/// The client chooses the host, so that nothing depends on it.
#[tokio::test]
async fn host_is_no_part_of_the_path() {
    let function = start();
    for (name, shape) in SHAPES {
        for host in
            ["h/health?", "h/v1/token#", "h?", "a b", "[", "é", "", "h/health", "@x/health?"]
        {
            let row = format!("{name}, host {host:?}");
            let mut event = shape(&good());
            event["headers"]["host"] = json!(host);
            if event["multiValueHeaders"].is_object() {
                event["multiValueHeaders"]["host"] = json!([host]);
            }
            let reply = function.answer(&row, &event).await;
            expect_shared(reply, &row).expect_issued(&row);
        }
    }
}

/// Cookies and other headers of the same site may have any bytes.
#[tokio::test]
async fn other_headers_change_nothing() {
    let variables = [("SESSION_COOKIE", "__session"), ("ALLOWED_ORIGINS", "https://app.example")];
    let function = Bootstrap::start(&Env::offline().with_all(&variables));
    let session = format!("__session={}", token(&today()));
    for neighbor in ["name=J\u{f6}rg", "\u{2603}", "a=\u{fffd}", "=", "a", "\"a=b\"", "a=b=c"] {
        for cookies in [[neighbor, session.as_str()], [session.as_str(), neighbor]] {
            let wire = good().without("authorization").with("cookie", &cookies.join("; "));
            for (name, shape) in SHAPES {
                let row = format!("{name}, {neighbor:?}");
                assert_eq!(function.answer(&row, &shape(&wire)).await.status, 201, "{row}");
            }
            let mut event = good().without("authorization").http_api();
            event["cookies"] = json!(cookies);
            assert_eq!(function.answer(neighbor, &event).await.status, 201, "{neighbor:?}");
        }
    }
    for (name, shape) in SHAPES {
        let wire = good().with("x-name", "J\u{f6}rg \u{2603}");
        assert_eq!(function.answer(name, &shape(&wire)).await.status, 201, "{name}");
    }
}
