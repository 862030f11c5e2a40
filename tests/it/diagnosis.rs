//! `App::diagnose`: the same decision as the endpoint's.

use roomkey::endpoint::problem::Problem;
use roomkey::exchange::{Pending, Question};
use roomkey::oidc::provider::ProfileSource;
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeIdp, Fault, Key, Route, extend, now, token};

#[tokio::test]
async fn diagnosis_agrees_with_the_endpoint() {
    let policy = r#"
        [[allow]]
        when = { groups = "board" }
        rooms = ["board:*"]
        role = "host"
    "#;
    let board = json!({ "groups": ["board"] });
    let picture = format!("https://img.example/{}", "p".repeat(900));
    let stranger = Key::stranger().sign(&Key::stranger().header(), &crate::support::claims());
    #[rustfmt::skip]
    let rows = [
        ("accepted",          Env::offline(), token(&json!({})), None, "ok"),
        ("no token",          Env::offline(), String::new(), None, "missing_token"),
        ("two tokens",        Env::offline(), "a.b.c,a.b.c".to_owned(), None, "invalid_token"),
        ("not a JWT",         Env::offline(), "a.b".to_owned(), None, "invalid_token"),
        ("another's key",     Env::offline(), stranger, None, "invalid_token"),
        ("audience",          Env::offline(), token(&json!({ "aud": "shop" })), None, "invalid_token"),
        ("expired",           Env::offline(), token(&json!({ "exp": 1_000_000_000 })), None, "token_expired"),
        ("no email",          Env::offline(), token(&json!({ "email": null })), None, "email_not_set"),
        ("unverified email",  Env::offline(), token(&json!({ "email_verified": false })), None, "email_not_verified"),
        ("a room",            Env::offline().with("POLICY", policy), token(&board), Some("board:june"), "ok"),
        ("another room",      Env::offline().with("POLICY", policy), token(&board), Some("lobby"), "room_not_allowed"),
        ("no rule",           Env::offline().with("POLICY", policy), token(&json!({})), None, "room_not_allowed"),
        ("too long a token",  Env::offline().with("MAX_TOKEN_BYTES", "1024"), token(&json!({ "name": "\u{1f600}".repeat(256), "picture": picture })), None, "content_too_large"),
    ];
    for (row, env, token, room, expected) in rows {
        let app = env.app();
        let reply =
            Call::bare().json(&json!({ "room_name": room })).bearer(&token).send(&app).await;
        let code = reply.json()["code"].as_str().unwrap_or("ok").to_owned();
        let mut question = Question::new(&token);
        question.room = room;
        let diagnosis = app.diagnose(question, now()).await;
        assert!(diagnosis.pending.is_empty(), "{row}: {:?}", diagnosis.pending);
        let diagnosed =
            diagnosis.outcome.map_or_else(|error| Problem::from(&error).code, |()| "ok");
        assert_eq!((code.as_str(), diagnosed), (expected, expected), "{row}: {}", reply.text());
    }
}

#[tokio::test]
async fn diagnosis_is_open_until_user_info_may_be_queried() {
    let idp = FakeIdp::start();
    let token = idp.token(&extend(json!({ "email": null, "name": null }), &json!({})));
    let app = Env::online(&idp).app();
    let closed = app.diagnose(Question::new(&token), now()).await;
    assert_eq!(closed.pending, [Pending::Profile(ProfileSource::UserInfo)]);
    assert!(closed.outcome.is_ok());
    assert_eq!(idp.counts().2, 0, "UserInfo is not requested");

    let mut question = Question::new(&token);
    question.may_query = true;
    idp.inject(Route::UserInfo, Fault::Status(500));
    let failed = Env::online(&idp).app();
    let failed = failed.diagnose(question, now()).await.outcome.expect_err("UserInfo is down");
    assert_eq!(Problem::from(&failed).code, "unavailable");
    idp.restore(Route::UserInfo);
    let queried = app.diagnose(question, now()).await;
    assert_eq!(queried.pending, []);
    let reply = Call::bare().bearer(&token).send(&app).await;
    let code = queried.outcome.map_or_else(|error| Problem::from(&error).code, |()| "ok");
    assert_eq!(code, reply.json().get("code").and_then(Value::as_str).unwrap_or("ok"));
}
