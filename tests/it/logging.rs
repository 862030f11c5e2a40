//! The log of the function's binary: IDs in every line, and CloudWatch's metrics.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracing_serde::fields::AsMap;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::support::gateway::Wire;
use crate::support::{
    Bootstrap, Call, Env, FakeApp, FakeIdp, FakeSecretsManager, Fault, Key, Route, Say,
    SecretFault, extend, today, token,
};

/// The values that the fake Runtime API sends with every invocation.
const TRACE: &str = "1-5759e988-bd862e3fe1be46a994272793";

fn event() -> Wire {
    Wire::token(&token(&today()), &json!({ "room_name": "standup" }))
}

#[tokio::test]
async fn log_line_has_the_ids_of_its_request() {
    let refused = Wire::token("a.b.c", &json!({}));
    let undecodable = event().base64("!");
    // The event, the status, and the gateway's id of it; Lambda's own where there is no gateway.
    let rows = [
        ("HTTP API", event().http_api(), 201, Some("JKJaXmPLvHcESHA=")),
        ("Function URL", event().function_url(), 201, Some("JKJaXmPLvHcESHA=")),
        ("payload 1.0", event().http_api_1(), 201, Some("EXTENDED-vHcESHA=")),
        ("REST API", event().rest("prod"), 201, Some("EXTENDED-vHcESHA=")),
        ("load balancer", event().alb(), 201, None),
        ("refused", refused.http_api(), 401, Some("JKJaXmPLvHcESHA=")),
        ("refused, REST", refused.rest("prod"), 401, Some("EXTENDED-vHcESHA=")),
        ("refused, load balancer", refused.alb(), 401, None),
        ("undecodable", undecodable.http_api(), 400, Some("JKJaXmPLvHcESHA=")),
        ("undecodable, REST", undecodable.rest("p"), 400, Some("EXTENDED-vHcESHA=")),
        ("no request at all", json!({ "Records": [] }), 400, None),
    ];
    let function = Bootstrap::start(&Env::offline());
    for (at, (name, event, status, id)) in rows.into_iter().enumerate() {
        let reply = function.answer(name, &event).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        let line = function.request_logs(at + 1).await.pop().unwrap();
        let own = line["lambda_request_id"].as_str().expect(name);
        let id = id.unwrap_or(own);
        assert_eq!((&line["request_id"], &line["trace_id"]), (&json!(id), &json!(TRACE)), "{name}");
        if status >= 400 {
            let instance = format!("urn:roomkey:request:{id}");
            assert_eq!(reply.json()["instance"], instance, "{name}");
        }
    }
}

/// A REST API takes the ID of a request from the client if it sends one, and repeats it in the event.
#[tokio::test]
async fn request_id_that_a_client_chose_is_repeated_nowhere() {
    let function = Bootstrap::start(&Env::offline());
    let long = "x".repeat(3_000);
    let longest = "y".repeat(64);
    let rows = [
        ("requestId", "requestId", long.as_str(), None),
        ("requestId, short", "requestId", "chosen-by-the-client", None),
        ("extendedRequestId", "extendedRequestId", &long, None),
        ("extendedRequestId, 65 bytes", "extendedRequestId", &long[..65], None),
        ("extendedRequestId, 64 bytes", "extendedRequestId", &longest, Some(&longest)),
    ];
    for (at, (name, member, id, expected)) in rows.into_iter().enumerate() {
        let mut event = Wire::token("a.b.c", &json!({})).rest("prod");
        event["requestContext"][member] = json!(id);
        let text = function.answer(name, &event).await.text();
        let line = function.request_logs(at + 1).await.pop().unwrap();
        let is_repeated = text.contains(id) || line.to_string().contains(id);
        assert_eq!(is_repeated, expected.is_some(), "{name}: {text} {line}");
    }
    let mut event = Wire::token("a.b.c", &json!({})).http_api();
    event["requestContext"]["requestId"] = json!(long);
    assert!(!function.answer("HTTP API", &event).await.text().contains(&long));
}

/// A browser shows a rejected preflight as a network error. The line names the missing setting.
#[tokio::test]
async fn refused_preflight_has_a_reason() {
    let variables = [("ALLOWED_ORIGINS", "https://app.example"), ("ALLOWED_HEADERS", "baggage")];
    let function = Bootstrap::start(&Env::offline().with_all(&variables));
    let origin = json!("the preflight's origin is not in ALLOWED_ORIGINS");
    let header = json!("the preflight asks for a header that is not in ALLOWED_HEADERS");
    let rows = [
        ("https://app.example", "authorization,content-type", Value::Null),
        ("https://app.example", "Baggage, Authorization", Value::Null),
        ("https://app.example", "authorization,traceparent", header),
        ("http://localhost:5173", "authorization", origin.clone()),
        ("null", "authorization", origin),
    ];
    for (at, (from, headers, expected)) in rows.into_iter().enumerate() {
        let wire = event().at("OPTIONS", "/token").without("authorization");
        let wire = wire.with("origin", from).with("access-control-request-headers", headers);
        let reply = function.answer(from, &wire.http_api()).await;
        let line = function.request_logs(at + 1).await.pop().unwrap();
        assert_eq!((reply.status, &line["reason"]), (204, &expected), "{from} {headers}: {line}");
    }
}

/// An ID that is invalid in a URI does not become part of one.
#[tokio::test]
async fn instance_of_a_problem_is_a_uri() {
    let function = Bootstrap::start(&Env::offline());
    for (id, expected) in [
        ("c6af9ac6-7b61-11e6-9a41-93e8deadbeef", true),
        ("JKJaXmPLvHcESHA=", true),
        ("", false),
        ("a b", false),
        ("a\"b", false),
        ("a\u{e9}b", false),
        ("a%b", false),
        ("a<b>", false),
    ] {
        let mut event = Wire::token("a.b.c", &json!({})).http_api();
        event["requestContext"]["requestId"] = json!(id);
        let problem = function.answer(id, &event).await.json();
        let wanted =
            if expected { json!(format!("urn:roomkey:request:{id}")) } else { Value::Null };
        assert_eq!(problem["instance"], wanted, "{id:?}");
    }
}

/// The line of a fetch contains the IDs of the request that caused it. At the start there are none.
#[tokio::test]
async fn fetch_has_a_log_line_of_its_own() {
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let env = Env::online(&idp).secret_in(&secrets).with("JWKS_COOLDOWN_SECONDS", "1");
    let function = Bootstrap::start(&env);
    function.init_time().await;
    let lines = function.fetch_lines(3).await;
    let fetched: BTreeSet<_> =
        lines.iter().map(|line| line["upstream"].as_str().unwrap()).collect();
    assert_eq!(fetched, BTreeSet::from(["discovery", "keys", "secret"]), "{lines:?}");
    for line in &lines {
        assert_eq!((&line["message"], &line["level"]), (&json!("fetched"), &json!("INFO")));
        assert!(line["duration_ms"].is_number() && line["request_id"].is_null(), "{line}");
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    idp.inject(Route::Jwks, Fault::Status(500));
    let unknown = idp.token_by(&Key::rsa_next(), &today());
    let reply = function.answer("unknown", &Wire::token(&unknown, &json!({})).http_api()).await;
    reply.expect_problem("unknown", 503, "unavailable");
    let line = function.request_logs(1).await.pop().unwrap();
    assert_eq!(line["upstream"], "keys", "{line}");
    let failed = function.json_lines().into_iter().find(|line| line["message"] == "fetch failed");
    let failed = failed.expect("a line about the fetch");
    assert_eq!((&failed["upstream"], &failed["level"]), (&json!("keys"), &json!("WARN")));
    assert_eq!(failed["request_id"], "JKJaXmPLvHcESHA=", "{failed}");
    assert_eq!(failed["trace_id"], TRACE);
    assert!(failed["error"].is_string() && failed["duration_ms"].is_number(), "{failed}");
}

/// The metrics of a line by name, each with its dimensions and unit, after a check of the line
/// against CloudWatch's specification.
fn metrics(line: &Value) -> BTreeSet<String> {
    let Some(metadata) = line.get("_aws") else { return BTreeSet::new() };
    let time = metadata["Timestamp"].as_u64().expect("milliseconds");
    assert!((1_700_000_000_000..4_000_000_000_000).contains(&time), "{time}");
    assert_eq!(line["FunctionName"], "roomkey", "{line}");
    let mut names = BTreeSet::new();
    for directive in metadata["CloudWatchMetrics"].as_array().expect("directives") {
        assert_eq!(directive["Namespace"], "roomkey");
        let dimensions = directive["Dimensions"].as_array().expect("sets of dimensions");
        for dimension in dimensions.iter().flat_map(|set| set.as_array().expect("a set")) {
            assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension} of {line}");
        }
        for metric in directive["Metrics"].as_array().expect("metrics") {
            let name = metric["Name"].as_str().unwrap();
            assert!(line[name].is_number(), "{name} of {line}");
            if metric["Unit"] == "Count" {
                assert_eq!(line[name], 1, "{name}");
            }
            let dimensions = directive["Dimensions"].to_string();
            let unit = metric["Unit"].as_str().unwrap();
            assert!(names.insert(format!("{name} {unit} {dimensions}")), "{name} twice");
        }
    }
    names
}

const PLAIN: &str = r#"Count [["FunctionName"]]"#;
const BY_CODE: &str = r#"Count [["FunctionName"],["FunctionName","code"]]"#;
const BY_UPSTREAM: &str = r#"Count [["FunctionName"],["FunctionName","upstream"]]"#;
const DURATION: &str = r#"Duration Milliseconds [["FunctionName"]]"#;

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

fn count(name: &str, dimensions: &str) -> String {
    format!("{name} {dimensions}")
}

#[tokio::test]
async fn request_is_counted_once() {
    let idp = FakeIdp::start();
    let function = Bootstrap::start(&Env::online(&idp).with("LIVEBLOCKS_SECRET_KEY", "sk_test_1"));
    let good = idp.token(&today());
    let nameless = idp.token(&extend(today(), &json!({ "name": null })));
    idp.inject(Route::UserInfo, Fault::Status(500));
    let of = |token: &str| Wire::token(token, &json!({}));
    let refused = count("Refused", BY_CODE);
    #[rustfmt::skip]
    let rows = [
        ("cold", of(&good), 201, set([&count("Issued", PLAIN), DURATION, &count("ColdStart", PLAIN)])),
        ("warm", of(&good), 201, set([&count("Issued", PLAIN), DURATION])),
        ("health", of("").at("GET", "/health"), 200, set([])),
        ("a preflight", of("").at("OPTIONS", "/token"), 204, set([DURATION])),
        ("no token", of("").without("authorization"), 401, set([&refused, DURATION])),
        ("a bad one", of("a.b.c"), 401, set([&refused, DURATION])),
        ("a bad body", of(&good).text("{"), 400, set([&refused, DURATION])),
        ("no such route", of("").at("GET", "/nowhere"), 404, set([&refused])),
        ("no such method", of("").at("GET", "/token"), 405, set([&refused, DURATION])),
        ("UserInfo down", of(&nameless), 503, set([&count("Unavailable", BY_UPSTREAM), DURATION])),
        ("undecodable", of(&good).base64("!"), 400, set([&refused])),
    ];
    for (at, (name, wire, status, expected)) in rows.into_iter().enumerate() {
        let reply = function.answer(name, &wire.http_api()).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        let line = function.request_logs(at + 1).await.pop().unwrap();
        assert_eq!(metrics(&line), expected, "{name}: {line}");
    }
}

#[tokio::test]
async fn question_to_the_app_is_logged_and_counted_once() {
    let app = FakeApp::saying(Say::ok("Zx9marker"));
    let policy = |table: &str| {
        format!(
            "[[allow]]\nrooms = [\"team-*\"]\nrole = \"viewer\"\nask = \"members\"\n[ask.members]\n\
             url = \"{}/{{room}}\"\n{table}",
            app.url()
        )
    };
    let event = Wire::token(&token(&today()), &json!({ "room_name": "team-a" })).http_api();
    let issued = count("Issued", PLAIN);
    let asked = count("Asked", PLAIN);
    let function = Bootstrap::start(&Env::offline().with("POLICY", &policy("cache_seconds = 60")));
    let line = async |number: usize| function.request_logs(number).await.pop().unwrap();
    app.say(Say::status(404, "Zx9marker"));
    function.answer("no", &event).await.expect_problem("no", 403, "room_not_allowed");
    let no = line(1).await;
    assert_eq!((&no["ask"], no["ask_ms"].is_number()), (&json!("no"), true), "{no}");
    assert_eq!(no["reason"], "the app refuses the caller with status 404");
    let refused = [
        &asked,
        &count("AskRefused", PLAIN),
        &count("Refused", BY_CODE),
        &count("ColdStart", PLAIN),
    ];
    assert_eq!(
        metrics(&no),
        refused.map(String::clone).into_iter().chain([DURATION.to_owned()]).collect()
    );
    app.say(Say::status(500, "Zx9marker"));
    function.answer("failed", &event).await.expect_problem("failed", 503, "unavailable");
    let failed = line(2).await;
    assert_eq!(
        (&failed["ask"], &failed["upstream"]),
        (&json!("failed"), &json!("ask")),
        "{failed}"
    );
    assert_eq!(metrics(&failed), set([&asked, &count("Unavailable", BY_UPSTREAM), DURATION]));
    app.say(Say::ok("Zx9marker"));
    function.answer("yes", &event).await.expect_issued("yes");
    let yes = line(3).await;
    assert_eq!(yes["ask"], "yes", "{yes}");
    assert_eq!(metrics(&yes), set([&issued, &asked, DURATION]));
    function.answer("cached", &event).await.expect_issued("cached");
    let cached = line(4).await;
    assert_eq!((&cached["ask"], &cached["ask_ms"]), (&json!("cached"), &Value::Null), "{cached}");
    assert_eq!(metrics(&cached), set([&issued, DURATION]));
    let lines = function.json_lines();
    let fetch: Vec<_> = lines.iter().filter(|line| line["message"] == "fetch failed").collect();
    assert_eq!(fetch.len(), 1, "{fetch:?}");
    let (upstream, table, error) = (&fetch[0]["upstream"], &fetch[0]["table"], &fetch[0]["error"]);
    assert_eq!((upstream, table, error), (&json!("ask"), &json!("members"), &json!("status 500")));
    assert_eq!(metrics(fetch[0]), set([&count("FetchFailures", BY_UPSTREAM)]));
    assert!(!function.output().contains("Zx9marker"), "nothing of the app is logged");
    let unlisted = Bootstrap::start(
        &Env::offline().with("POLICY", &policy("role_from = \"role\"\nroles = [\"host\"]")),
    );
    app.say(Say::ok("{\"role\":\"Zx9marker\"}"));
    unlisted.answer("a role", &event).await.expect_problem("a role", 503, "unavailable");
    let reason = "response names a role that roles of the ask table does not list";
    assert_eq!(unlisted.failed_fetch("ask").await["error"], reason);
}

#[tokio::test]
async fn fetch_is_counted_once() {
    let (idp, secrets) = (FakeIdp::start(), FakeSecretsManager::start());
    let env = Env::online(&idp)
        .secret_in(&secrets)
        .with_all(&[("JWKS_TTL_SECONDS", "1"), ("JWKS_COOLDOWN_SECONDS", "1")]);
    let function = Bootstrap::start(&env);
    function.init_time().await;
    for line in function.json_lines() {
        let expected = match line["upstream"].as_str().unwrap() {
            "secret" => set([&count("SecretFetches", PLAIN)]),
            _ => set([&count("KeyFetches", PLAIN)]),
        };
        assert_eq!(metrics(&line), expected, "{line}");
    }
    idp.inject(Route::Jwks, Fault::Html);
    secrets.inject(SecretFault::Internal);
    let event = Wire::token(&idp.token(&today()), &json!({})).http_api();
    function.answer("fresh", &event).await.expect_issued("fresh");
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    function.answer("stale", &event).await.expect_issued("stale");
    let logs = function.request_logs(2).await;
    let stale: Vec<_> = logs.iter().map(|line| line["stale"] == true).collect();
    assert_eq!(stale.last(), Some(&true), "{logs:?}");
    assert!(!stale[0], "{logs:?}");
    let last = metrics(logs.last().unwrap());
    assert!(last.contains(&count("StaleServes", PLAIN)), "{last:?}");
    let failed = function.json_lines().into_iter().find(|line| line["message"] == "fetch failed");
    let expected = set([&count("KeyFetches", PLAIN), &count("FetchFailures", BY_UPSTREAM)]);
    assert_eq!(metrics(&failed.expect("a failed fetch")), expected);
}

/// Outside Lambda lines contain no metrics.
#[tokio::test]
async fn metrics_are_written_in_lambda_only_and_lines_by_level() {
    let elsewhere = Env::offline().with("AWS_LAMBDA_FUNCTION_NAME", "");
    let function = Bootstrap::start(&elsewhere);
    function.answer("elsewhere", &event().http_api()).await.expect_issued("elsewhere");
    let line = function.request_logs(1).await.pop().unwrap();
    assert!(line.get("_aws").is_none() && line.get("FunctionName").is_none(), "{line}");

    for (level, lines) in [("info", 1), ("debug", 1), ("warn", 0), ("error", 0), ("off", 0)] {
        let function = Bootstrap::start(&Env::offline().with("RUST_LOG", level));
        function.answer(level, &event().http_api()).await.expect_issued(level);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(function.json_lines().len(), lines, "{level}: {}", function.output());
    }
}

/// Collects the fields of events, as a subscriber of an embedding program does.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Value>>>);

impl<S: tracing::Subscriber> Layer<S> for Collector {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let fields = serde_json::to_value(event.field_map()).expect("fields");
        self.0.lock().expect("no panic").push(fields);
    }
}

#[tokio::test]
async fn embedding_program_gets_lines_by_its_own_subscriber() {
    let collector = Collector::default();
    // For all threads: a thread's own subscriber misses events that other tests have met before.
    let subscriber = tracing_subscriber::registry().with(collector.clone());
    tracing::subscriber::set_global_default(subscriber).expect("the only subscriber");
    let call = Call::asking(&json!({ "room_name": "embedded" }));
    call.send(&Env::offline().app()).await.expect_issued("embedded");
    let events = collector.0.lock().expect("no panic");
    let lines = events.iter().filter(|event| event["message"] == "request");
    let line = lines
        .map(|event| serde_json::from_str::<Value>(event["event"].as_str().expect("JSON")).unwrap())
        .find(|line| line["room"] == "embedded")
        .expect("a line");
    assert_eq!((&line["status"], &line["outcome"]), (&json!(201), &json!("ok")), "{line}");
}
