//! Values in the URL of a question: each stays one path segment or one value of the query.

use serde_json::{Value, json};

use crate::support::{Call, Env, FakeApp, Say, token};

fn policy(app: &FakeApp, rooms: &str, url: &str) -> String {
    format!(
        "[[allow]]\nrooms = {rooms}\nrole = \"participant\"\nask = \"members\"\n\n\
         [ask.members]\nurl = '{}{url}'\n",
        app.url()
    )
}

#[tokio::test]
async fn room_stays_one_segment_and_one_value() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let policy = policy(&asked, "[\"*\"]", "/rooms/{room}/m?r={room.rest}&x=1");
    let app = Env::offline().with("POLICY", &policy).app();
    #[rustfmt::skip]
    let rows: &[(&str, Option<&str>)] = &[
        ("standup",        Some("standup")),
        ("a-b_c.d~e",      Some("a-b_c.d~e")),
        ("a/b",            Some("a%2Fb")),
        ("/",              Some("%2F")),
        ("../admin",       Some("..%2Fadmin")),
        ("a/../b",         Some("a%2F..%2Fb")),
        ("..",             None),
        (".",              None),
        ("...",            Some("...")),
        ("..;",            Some("..%3B")),
        ("%2e%2e",         Some("%252e%252e")),
        ("%2F",            Some("%252F")),
        ("%",              Some("%25")),
        ("a?b",            Some("a%3Fb")),
        ("a#b",            Some("a%23b")),
        ("a&b=c",          Some("a%26b%3Dc")),
        ("a+b c",          Some("a%2Bb%20c")),
        ("a\\b",           Some("a%5Cb")),
        ("a:b@c",          Some("a%3Ab%40c")),
        ("{sub}",          Some("%7Bsub%7D")),
        ("eq.x,or(y)",     Some("eq.x%2Cor%28y%29")),
        ("\"'<>`|^",       Some("%22%27%3C%3E%60%7C%5E")),
        ("caf\u{e9}",      Some("caf%C3%A9")),
        ("\u{1f600}",      Some("%F0%9F%98%80")),
        ("\u{2025}",       Some("%E2%80%A5")),
        ("\u{ff0e}\u{ff0e}", Some("%EF%BC%8E%EF%BC%8E")),
    ];
    for (room, expected) in rows {
        let before = asked.count();
        let reply = Call::asking(&json!({ "room_name": room })).send(&app).await;
        if let Some(encoded) = expected {
            reply.expect_issued(room);
            assert_eq!(reply.participant()["video"]["room"], *room);
            let target = format!("/rooms/{encoded}/m?r={encoded}&x=1");
            assert_eq!(asked.targets()[before..], [target], "{room}");
        } else {
            reply.expect_problem(room, 403, "room_not_allowed");
            assert_eq!(asked.count(), before, "{room}");
        }
    }
}

#[tokio::test]
async fn claim_stays_one_segment_and_one_value() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let url = "/orgs/{https://app.example/org.id}?o={https://app.example/org.id}";
    let app = Env::offline().with("POLICY", &policy(&asked, "[\"*\"]", url)).app();
    #[rustfmt::skip]
    let rows: &[(Value, Option<&str>)] = &[
        (json!("acme"),            Some("acme")),
        (json!("../x?y#z&w=%2F"),  Some("..%2Fx%3Fy%23z%26w%3D%252F")),
        (json!("a\r\nhost: evil"), Some("a%0D%0Ahost%3A%20evil")),
        (json!("\u{0}"),           Some("%00")),
        (json!(" "),               Some("%20")),
        (json!(7),                 Some("7")),
        (json!(-1.5),              Some("-1.5")),
        (json!(true),              Some("true")),
        (json!("."),               None),
        (json!(".."),              None),
        (json!(""),                None),
        (json!(null),              None),
        (json!([]),                None),
        (json!(["acme"]),          None),
        (json!({ "a": 1 }),        None),
    ];
    for (value, expected) in rows {
        let before = asked.count();
        let bearer = token(&json!({ "https://app.example/org": { "id": value } }));
        let reply =
            Call::bare().bearer(&bearer).json(&json!({ "room_name": "r" })).send(&app).await;
        if let Some(encoded) = expected {
            reply.expect_issued(encoded);
            assert_eq!(asked.targets()[before..], [format!("/orgs/{encoded}?o={encoded}")]);
        } else {
            reply.expect_problem(&value.to_string(), 403, "room_not_allowed");
            assert_eq!(asked.count(), before, "{value}");
        }
    }
}

#[tokio::test]
async fn rest_is_the_part_that_the_first_matching_star_matched() {
    #[rustfmt::skip]
    let rows: &[(&str, &str, Option<&str>)] = &[
        ("[\"team-*\"]",              "team-blue",      Some("blue")),
        ("[\"team-*\"]",              "team-",          None),
        ("[\"team-*\", \"*\"]",       "team-blue",      Some("blue")),
        ("[\"*\", \"team-*\"]",       "team-blue",      Some("team-blue")),
        ("[\"x-*\", \"team-*\"]",     "team-blue",      Some("blue")),
        ("[\"{org}:*\"]",             "acme:a:b",       Some("a%3Ab")),
        ("[\"{orgs}:*\"]",            "globex:sync",    Some("sync")),
    ];
    for (rooms, room, expected) in rows {
        let asked = FakeApp::saying(Say::ok("{}"));
        let app = Env::offline().with("POLICY", &policy(&asked, rooms, "/{room.rest}")).app();
        let bearer = token(&json!({ "org": "acme", "orgs": ["acme", "globex"] }));
        let reply =
            Call::bare().bearer(&bearer).json(&json!({ "room_name": room })).send(&app).await;
        match expected {
            Some(rest) => assert_eq!(asked.targets(), [format!("/{rest}")], "{rooms} {room}"),
            None => drop(reply.expect_problem(room, 403, "room_not_allowed")),
        }
    }
}

#[tokio::test]
async fn subject_in_the_url_is_the_key_of_the_caller() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let app = Env::offline().with("POLICY", &policy(&asked, "[\"*\"]", "?s={sub}")).app();
    let bearer = token(&json!({ "sub": "auth0|a b", "room": "evil" }));
    Call::bare()
        .bearer(&bearer)
        .json(&json!({ "room_name": "r" }))
        .send(&app)
        .await
        .expect_issued("sub");
    assert_eq!(asked.targets(), ["/?s=auth0%7Ca%20b"]);
}

#[tokio::test]
async fn claim_called_room_is_named_in_quotes() {
    let asked = FakeApp::saying(Say::ok("{}"));
    let url = "/{room}/{\"room\".rest}/{\"room.rest\"}";
    let app = Env::offline().with("POLICY", &policy(&asked, "[\"*\"]", url)).app();
    let bearer = token(&json!({ "room": { "rest": "a" }, "room.rest": "b" }));
    Call::bare()
        .bearer(&bearer)
        .json(&json!({ "room_name": "r" }))
        .send(&app)
        .await
        .expect_issued("claims");
    assert_eq!(asked.targets(), ["/r/a/b"]);
}
