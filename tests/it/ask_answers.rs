//! Responses and faults of the app.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Call, Env, FakeApp, Reply, Say, four_at_a_time};

fn policy(app: &FakeApp, table: &str) -> String {
    format!(
        "[[allow]]\nrooms = [\"team-*\"]\nrole = \"participant\"\nask = \"members\"\n\n\
         [ask.members]\nurl = \"{}/{{room}}\"\n{table}\n",
        app.url()
    )
}

const ROLES: &str = "role_from = \"role\"\nroles = [\"host\", \"viewer\"]";

/// The reply to a request for the room `team-a`, if the app says this.
async fn with(table: &str, say: Say, hangs: bool) -> (FakeApp, Reply) {
    let asked = FakeApp::saying(say);
    let app = Env::offline().with("POLICY", &policy(&asked, table)).app_if_it(hangs);
    let reply = Call::asking(&json!({ "room_name": "team-a" })).send(&app).await;
    (asked, reply)
}

/// The role, or the status and code of the problem.
fn outcome(reply: &Reply) -> String {
    match reply.status {
        201 => reply.participant()["attributes"]["role"].as_str().unwrap().to_owned(),
        status => format!("{status} {}", reply.code()),
    }
}

const NO: &str = "403 room_not_allowed";
const BROKEN: &str = "503 unavailable";

#[tokio::test]
async fn status_of_the_app_decides() {
    for status in (200..600).filter(|status| ![204, 205, 304].contains(status)) {
        let expected = match status {
            200..300 => "participant",
            401 | 403 | 404 => NO,
            _ => BROKEN,
        };
        let (_, reply) = with("", Say::status(status, "{}"), false).await;
        assert_eq!(outcome(&reply), expected, "{status}");
    }
    for status in [204, 205] {
        let (_, reply) = with("", Say::status(status, ""), false).await;
        assert_eq!(outcome(&reply), "participant", "{status}");
    }
    for status in [304, 600, 999] {
        let (_, reply) = with("", Say::status(status, ""), false).await;
        assert_eq!(outcome(&reply), BROKEN, "{status}");
    }
}

#[tokio::test]
async fn informational_status_lets_nobody_in() {
    let upgrade = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    for (name, head) in [
        ("100 and nothing", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("103 and nothing", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        ("101", upgrade),
        ("199", "HTTP/1.1 199 X\r\n\r\n"),
    ] {
        let (_, reply) = with("", Say::Close(head.into()), false).await;
        assert_eq!(outcome(&reply), BROKEN, "{name}");
    }
    let early = "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let (_, reply) = with("", Say::Bytes(early.into()), false).await;
    assert_eq!(outcome(&reply), "participant", "103, then 200");
}

#[tokio::test]
async fn refusal_of_the_app_has_the_bytes_of_a_refusal_of_the_policy() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let app = Env::offline().with("POLICY", &policy(&asked, "non_empty = true")).app();
    let call = async |room: &str| {
        let reply = Call::asking(&json!({ "room_name": room })).send(&app).await;
        (reply.status, reply.headers, reply.body)
    };
    let of_policy = call("another").await;
    assert_eq!(of_policy.0, 403);
    assert_eq!(asked.count(), 0);
    assert_eq!(call("team-a").await, of_policy, "an empty answer");
    for status in [401, 403, 404] {
        asked.say(Say::status(status, "{\"message\":\"row-level security\"}"));
        assert_eq!(call("team-a").await, of_policy, "{status}");
    }
    assert_eq!(call("team-.").await.0, 403);
    assert_eq!(call("team-..").await.0, 403);
}

#[tokio::test]
async fn body_decides_about_content_and_role() {
    let both = &format!("non_empty = true\n{ROLES}");
    let in_list = "non_empty = true\nrole_from = \"0.role\"\nroles = [\"host\", \"viewer\"]";
    let deep = "role_from = \"data.me.0.call_role\"\nroles = [\"host\"]";
    #[rustfmt::skip]
    let rows: &[(&str, &str, &str)] = &[
        ("",                 "not JSON",                     "participant"),
        ("",                 "",                             "participant"),
        ("non_empty = true", "{\"a\":1}",                    "participant"),
        ("non_empty = true", "[0]",                          "participant"),
        ("non_empty = true", "[{}]",                         "participant"),
        ("non_empty = true", "true",                         "participant"),
        ("non_empty = true", "1",                            "participant"),
        ("non_empty = true", "\"x\"",                        "participant"),
        ("non_empty = true", "[]",                           NO),
        ("non_empty = true", " [ ]\n",                       NO),
        ("non_empty = true", "{}",                           NO),
        ("non_empty = true", "{\"members\":[]}",             NO),
        ("non_empty = true", "{\"a\":[],\"b\":{}}",          NO),
        ("non_empty = true", "{\"members\":[],\"n\":0}",     "participant"),
        ("non_empty = true", "{\"members\":[{}]}",           "participant"),
        ("non_empty = true", "{\"member\":null}",            "participant"),
        ("non_empty = true", "[[]]",                         "participant"),
        ("non_empty = true", "null",                         NO),
        ("non_empty = true", "false",                        NO),
        ("non_empty = true", "\"\"",                         NO),
        ("non_empty = true", "",                             BROKEN),
        ("non_empty = true", "not JSON",                     BROKEN),
        ("non_empty = true", "<!doctype html>",              BROKEN),
        ("non_empty = true", "{\"a\":1} {\"b\":2}",          BROKEN),
        ("non_empty = true", "{\"a\":1",                     BROKEN),
        ("non_empty = true", "{\"a\":1,\"a\":2}",            BROKEN),
        ("non_empty = true", "\u{feff}{\"a\":1}",            BROKEN),
        ("non_empty = false", "not JSON",                    "participant"),
        (ROLES,              "{\"role\":\"host\"}",          "host"),
        (ROLES,              "{\"role\":\"viewer\",\"x\":1}", "viewer"),
        (ROLES,              "{\"role\":null}",              "participant"),
        (ROLES,              "{}",                           "participant"),
        (ROLES,              "[]",                           "participant"),
        (ROLES,              "{\"Role\":\"host\"}",          "participant"),
        (ROLES,              "{\"role\":\"participant\"}",   BROKEN),
        (ROLES,              "{\"role\":\"moderator\"}",     BROKEN),
        (ROLES,              "{\"role\":\"admin\"}",         BROKEN),
        (ROLES,              "{\"role\":\"HOST\"}",          BROKEN),
        (ROLES,              "{\"role\":\"host \"}",         BROKEN),
        (ROLES,              "{\"role\":\"\"}",              BROKEN),
        (ROLES,              "{\"role\":true}",              BROKEN),
        (ROLES,              "{\"role\":1}",                 BROKEN),
        (ROLES,              "{\"role\":[\"host\"]}",        BROKEN),
        (ROLES,              "{\"role\":{\"name\":\"host\"}}", BROKEN),
        (ROLES,              "{\"role\":\"viewer\",\"role\":\"host\"}", BROKEN),
        (ROLES,              "host",                         BROKEN),
        (ROLES,              "",                             BROKEN),
        (both,               "{}",                           NO),
        (both,               "{\"role\":\"host\"}",          "host"),
        (both,               "{\"role\":\"admin\"}",         BROKEN),
        (in_list,            "[]",                           NO),
        (in_list,            "[{\"role\":\"viewer\"}]",      "viewer"),
        (in_list,            "[{\"role\":null}]",            "participant"),
        (in_list,            "[{\"role\":\"viewer\"},{\"role\":\"host\"}]", "viewer"),
        (in_list,            "{\"role\":\"host\"}",          "participant"),
        (deep,               "{\"data\":{\"me\":[{\"call_role\":\"host\"}]}}", "host"),
        (deep,               "{\"data\":{\"me\":[]}}",       "participant"),
    ];
    for (table, body, expected) in rows {
        let (_, reply) = with(table, Say::ok(body), false).await;
        assert_eq!(&outcome(&reply), expected, "{table:?} {body:?}");
    }
    for (status, body, expected) in [
        (201, "{\"role\":\"host\"}", "host"),
        (204, "", BROKEN),
        (404, "{\"role\":\"host\"}", NO),
        (500, "{\"role\":\"host\"}", BROKEN),
        (302, "{\"role\":\"host\"}", BROKEN),
    ] {
        let (_, reply) = with(ROLES, Say::status(status, body), false).await;
        assert_eq!(outcome(&reply), expected, "{status}");
    }
}

#[tokio::test]
async fn answer_may_have_sixteen_kibibytes() {
    let padded = |length: usize| {
        let body = "{\"role\":\"host\"}";
        Say::ok(&(body.to_owned() + &" ".repeat(length - body.len())))
    };
    assert_eq!(outcome(&with(ROLES, padded(16_384), false).await.1), "host");
    assert_eq!(outcome(&with(ROLES, padded(16_385), false).await.1), BROKEN);
    assert_eq!(outcome(&with("", padded(16_385), false).await.1), "participant", "not read");
}

#[tokio::test]
async fn broken_answer_is_answered_503_in_time() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let ok = "{\"role\":\"host\"}";
    let full = format!("{head}content-length: {}\r\n\r\n{ok}", ok.len());
    let elsewhere = FakeApp::saying(Say::ok(ok));
    let redirect = |status: u16| {
        let location = elsewhere.url();
        Say::Bytes(
            format!("HTTP/1.1 {status} X\r\nlocation: {location}/\r\ncontent-length: 0\r\n\r\n")
                .into(),
        )
    };
    #[rustfmt::skip]
    let rows: Vec<(&str, &str, Say, &str)> = vec![
        ("a reset",                   "",    Say::Reset,                                              BROKEN),
        ("the end",                   "",    Say::Close(Vec::new()),                                  BROKEN),
        ("no HTTP",                   "",    Say::Close(b"SSH-2.0-OpenSSH\r\n".to_vec()),             BROKEN),
        ("half a head",               "",    Say::Close(b"HTTP/1.1 200 OK\r\ncontent".to_vec()),      BROKEN),
        ("never",                     "",    Say::Hang,                                               BROKEN),
        ("late",                      "",    Say::Late(Duration::from_millis(900), full.clone().into()), BROKEN),
        ("a byte at a time",          "",    Say::Drip(full.clone().into()),                          BROKEN),
        ("a long head",               "",    Say::Endless(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),        BROKEN),
        ("301",                       "",    redirect(301),                                           BROKEN),
        ("302",                       "",    redirect(302),                                           BROKEN),
        ("303",                       "",    redirect(303),                                           BROKEN),
        ("307",                       "",    redirect(307),                                           BROKEN),
        ("308",                       "",    redirect(308),                                           BROKEN),
        ("a body without end, unread", "",   Say::Endless(format!("{head}\r\n").into()),              "participant"),
        ("a body without end",        ROLES, Say::Endless(format!("{head}\r\n{ok}").into()),          BROKEN),
        ("a huge length, unread",     "",    Say::Endless(format!("{head}content-length: 99999999\r\n\r\n").into()), "participant"),
        ("a huge length",             ROLES, Say::Endless(format!("{head}content-length: 99999999\r\n\r\n{ok}").into()), BROKEN),
        ("a length too long",         ROLES, Say::Close(format!("{head}content-length: 100\r\n\r\n{ok}").into()), BROKEN),
        ("a length too short",        ROLES, Say::Bytes(format!("{head}content-length: 10\r\n\r\n{ok}").into()), BROKEN),
        ("two lengths",               ROLES, Say::Bytes(format!("{head}content-length: 15\r\ncontent-length: 3\r\n\r\n{ok}").into()), BROKEN),
        ("a length that is none",     ROLES, Say::Bytes(format!("{head}content-length: x\r\n\r\n{ok}").into()), BROKEN),
        ("no length, and the end",    ROLES, Say::Close(format!("{head}\r\n{ok}").into()),            "host"),
        ("chunks",                    ROLES, Say::Bytes(format!("{head}transfer-encoding: chunked\r\n\r\nf\r\n{ok}\r\n0\r\n\r\n").into()), "host"),
        ("chunks without end",        ROLES, Say::Close(format!("{head}transfer-encoding: chunked\r\n\r\nf\r\n{ok}\r\n").into()), BROKEN),
        ("a compressed body",         ROLES, Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00".to_vec()), BROKEN),
        ("UTF-16",                    ROLES, Say::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\xff\xfe{\0".to_vec()), BROKEN),
        ("the right answer",          ROLES, Say::Bytes(full.clone().into()),                         "host"),
    ];
    four_at_a_time(rows.into_iter().map(async |(name, table, say, expected)| {
        let started = Instant::now();
        let (_asked, reply) = with(table, say, expected == BROKEN).await;
        assert_eq!(outcome(&reply), expected, "{name}");
        assert!(started.elapsed() < Duration::from_secs(3), "{name}: {:?}", started.elapsed());
    }))
    .await;
    assert_eq!(elsewhere.count(), 0, "no redirect is followed");
}

#[tokio::test]
async fn app_has_two_seconds() {
    let asked = FakeApp::saying(Say::Hang);
    let app = Env::offline().with("POLICY", &policy(&asked, "")).app();
    let started = Instant::now();
    let reply = Call::asking(&json!({ "room_name": "team-a" })).send(&app).await;
    reply.expect_problem("never", 503, "unavailable");
    let took = started.elapsed();
    assert!((1_900..2_900).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn retry_after_of_the_app_is_passed_on_within_bounds() {
    for (value, expected) in
        [("7", Some("7")), ("30", Some("30")), ("3600", Some("30")), ("soon", None)]
    {
        let head = format!("HTTP/1.1 503 X\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        let (_, reply) = with("", Say::Bytes(head.into()), false).await;
        reply.expect_problem(value, 503, "unavailable");
        if expected.is_some() {
            assert_eq!(reply.header("retry-after"), expected, "{value}");
        }
    }
}

#[tokio::test]
async fn problem_repeats_nothing_of_the_app() {
    for say in [
        Say::status(500, "Zx9marker"),
        Say::status(403, "Zx9marker"),
        Say::ok("{\"role\":\"Zx9marker\"}"),
        Say::ok("Zx9marker"),
    ] {
        let (_, reply) = with(ROLES, say, false).await;
        let (text, headers): (String, Value) =
            (reply.text(), json!(format!("{:?}", reply.headers)));
        assert!(
            !text.contains("Zx9marker") && !headers.to_string().contains("Zx9marker"),
            "{text}"
        );
    }
}
