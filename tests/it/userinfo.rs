//! UserInfo: the conditions of a request, its form, and the use of the response.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use roomkey::App;
use serde_json::{Value, json};

use crate::support::{Call, Env, FakeIdp, Fault, Key, NOW, Reply, Route, at, extend, now};

async fn start(idp: &FakeIdp) -> Arc<App> {
    let app = Env::online(idp).app();
    app.warm_up(now()).await;
    app
}

async fn post_token(app: &Arc<App>, token: &str) -> Reply {
    Call::bare().bearer(token).send(app).await
}

#[tokio::test]
async fn userinfo_provides_claims_that_the_token_lacks() {
    let idp = FakeIdp::start();
    idp.introduce(&json!({ "picture": "https://img.example/u.png" }));
    let app = start(&idp).await;
    let token = idp.bare_token();
    let participant = post_token(&app, &token).await.participant();
    assert_eq!(participant["sub"], "ada@example.com");
    assert_eq!(participant["name"], "Ada from UserInfo");
    assert_eq!(participant["attributes"]["imageUrl"], "https://img.example/u.png");
    let asked = idp.asked(Route::UserInfo);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].target, "/userinfo", "the token is not in the address");
    let bearer = asked[0].headers["authorization"].to_str().unwrap();
    assert_eq!(bearer, format!("Bearer {token}"));
    assert!(!asked[0].headers.contains_key("accept-encoding"), "no compressed answers");
}

#[tokio::test]
async fn userinfo_is_queried_only_for_missing_claims() {
    #[rustfmt::skip]
    let rows = [
        ("nothing is missing",         json!({}),                                              0),
        ("no picture",                 json!({ "picture": null }),                             0),
        ("no name",                    json!({ "name": null }),                                1),
        ("no email",                   json!({ "email": null, "email_verified": null }),       1),
        ("an email, no word of it",    json!({ "email_verified": null }),                      1),
        ("nothing is there",           json!({ "email": null, "email_verified": null, "name": null, "picture": null }), 1),
    ];
    for (name, change, expected) in rows {
        let idp = FakeIdp::start();
        let app = start(&idp).await;
        post_token(&app, &idp.token(&change)).await.expect_issued(name);
        assert_eq!(idp.counts().2, expected, "{name}");
    }
}

#[tokio::test]
async fn userinfo_is_not_queried_for_an_empty_claim() {
    let idp = FakeIdp::start();
    let app = start(&idp).await;
    let reply = post_token(&app, &idp.token(&json!({ "email": "" }))).await;
    reply.expect_problem("the token says there is none", 404, "email_not_set");
    assert_eq!(idp.counts().2, 0);
}

#[tokio::test]
async fn email_and_its_verification_come_from_one_source() {
    let idp = FakeIdp::start();
    idp.introduce(&json!({ "email": "other@example.com", "email_verified": true }));
    let app = start(&idp).await;
    let reply = post_token(&app, &idp.token(&json!({ "email_verified": false }))).await;
    reply.expect_problem(
        "not verified here, whatever is verified there",
        403,
        "email_not_verified",
    );

    let idp = FakeIdp::start();
    idp.introduce(&json!({ "email": "other@example.com", "email_verified": null }));
    let app = start(&idp).await;
    let token = idp.token(&json!({ "email": null, "email_verified": true, "name": null }));
    let reply = post_token(&app, &token).await;
    reply.expect_problem("verified here says nothing of there", 403, "email_not_verified");
}

#[tokio::test]
async fn claims_of_the_token_have_precedence_over_userinfo() {
    let idp = FakeIdp::start();
    idp.introduce(&json!({ "email": "other@example.com" }));
    let app = start(&idp).await;
    let participant = post_token(&app, &idp.token(&json!({ "name": null }))).await.participant();
    assert_eq!(participant["sub"], "ada@example.com");
    assert_eq!(participant["name"], "Ada from UserInfo");
}

#[tokio::test]
async fn userinfo_without_the_missing_claims_changes_nothing() {
    let no_name = json!({ "name": null });
    let no_email = json!({ "email": null, "email_verified": null });
    let unverified = json!({ "email_verified": false });
    let idp = FakeIdp::start();
    idp.introduce(&no_name);
    let reply = post_token(&start(&idp).await, &idp.bare_token()).await;
    assert_eq!(reply.participant()["name"], "Unnamed User");
    for (name, change, status, code) in [
        ("no email anywhere", no_email, 404, "email_not_set"),
        ("unverified there", unverified, 403, "email_not_verified"),
        ("no word of it", json!({ "email_verified": null }), 403, "email_not_verified"),
        ("an empty one", json!({ "email": "" }), 404, "email_not_set"),
    ] {
        let idp = FakeIdp::start();
        idp.introduce(&change);
        let reply = post_token(&start(&idp).await, &idp.bare_token()).await;
        reply.expect_problem(name, status, code);
    }
}

#[tokio::test]
async fn userinfo_is_not_queried_for_an_unused_email() {
    let idp = FakeIdp::start();
    let env = Env::online(&idp).with("PARTICIPANT_IDENTITY", "sub");
    let app = env.app();
    app.warm_up(now()).await;
    let token = idp.token(&json!({ "email": null, "email_verified": null }));
    assert_eq!(post_token(&app, &token).await.participant()["sub"], "user-1");
    assert_eq!(idp.counts().2, 0, "the identity is not the email and the name is known");
}

#[tokio::test]
async fn userinfo_is_the_only_source_if_configured() {
    let idp = FakeIdp::start();
    idp.introduce(&json!({ "email": "other@example.com" }));
    let app = Env::online(&idp).with("PROFILE_SOURCE", "userinfo").app();
    app.warm_up(now()).await;
    let participant = post_token(&app, &idp.token(&json!({}))).await.participant();
    assert_eq!(participant["sub"], "other@example.com");
    assert_eq!(participant["name"], "Ada from UserInfo");
}

#[tokio::test]
async fn userinfo_is_not_queried_for_a_rejected_token() {
    let idp = FakeIdp::start();
    let app = start(&idp).await;
    let nothing = json!({ "email": null, "email_verified": null, "name": null });
    let with = |change: &Value| extend(nothing.clone(), change);
    let cut = idp.token(&nothing);
    #[rustfmt::skip]
    let rows = [
        ("a stranger's signature",  idp.token_by(&Key::stranger(), &nothing)),
        ("no signature",            format!("{}.", &cut[..cut.rfind('.').unwrap()])),
        ("expired",                 idp.token(&with(&json!({ "exp": NOW - 60 })))),
        ("another audience",        idp.token(&with(&json!({ "aud": "shop" })))),
        ("another issuer",          idp.token(&with(&json!({ "iss": "https://evil.example" })))),
        ("not yet",                 idp.token(&with(&json!({ "nbf": NOW + 60 })))),
        ("no subject",              idp.token(&with(&json!({ "sub": null })))),
        ("not a token",             "x".to_owned()),
    ];
    for (name, token) in rows {
        assert_eq!(post_token(&app, &token).await.status, 401, "{name}");
        assert_eq!(idp.counts().2, 0, "{name}");
    }
    let call = Call::bare().bearer(&idp.bare_token()).body("application/json", "{");
    call.send(&app).await.expect_problem("a bad body", 400, "invalid_request");
    assert_eq!(idp.counts().2, 0, "a bad body");
}

#[tokio::test]
async fn userinfo_response_is_cached_for_five_minutes() {
    let idp = FakeIdp::start();
    let app = start(&idp).await;
    let token = idp.token(&json!({ "name": null, "exp": NOW + 5_000 }));
    for (after, expected) in [(0, 1), (1, 1), (299, 1), (301, 2), (302, 2)] {
        let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + after)).await;
        assert_eq!(reply.participant()["name"], "Ada from UserInfo");
        assert_eq!(idp.counts().2, expected, "after {after} s");
    }
}

#[tokio::test]
async fn userinfo_response_is_cached_per_person() {
    let idp = FakeIdp::start();
    let app = start(&idp).await;
    let person = |sub: &str| idp.token(&json!({ "sub": sub, "name": null }));
    post_token(&app, &person("user-1")).await.expect_issued("user-1");
    idp.introduce(&json!({ "name": "Grace" }));
    let reply = post_token(&app, &person("user-2")).await;
    assert_eq!(reply.participant()["name"], "Grace");
    assert_eq!(idp.counts().2, 2);
    let reply = post_token(&app, &person("user-1")).await;
    assert_eq!(reply.participant()["name"], "Ada from UserInfo");
    assert_eq!(idp.counts().2, 2);
}

#[tokio::test]
async fn userinfo_serves_concurrent_requests_of_many_people() {
    let idp = FakeIdp::start();
    let app = start(&idp).await;
    let tokens: Vec<_> =
        (0..40).map(|n| idp.token(&json!({ "sub": format!("user-{n}"), "name": null }))).collect();
    for reply in join_all(tokens.iter().map(|token| post_token(&app, token))).await {
        assert_eq!(reply.participant()["name"], "Ada from UserInfo");
    }
}

#[tokio::test]
async fn userinfo_request_is_retried_on_a_closed_connection() {
    let idp = FakeIdp::start();
    let app = start(&idp).await;
    post_token(&app, &idp.token(&json!({ "sub": "a", "name": null }))).await.expect_issued("warm");
    idp.down();
    idp.up();
    post_token(&app, &idp.token(&json!({ "sub": "b", "name": null })))
        .await
        .expect_issued("thawed");
    idp.inject(Route::UserInfo, Fault::Slow(Duration::from_millis(500)));
    post_token(&app, &idp.token(&json!({ "sub": "c", "name": null }))).await.expect_issued("slow");
}
