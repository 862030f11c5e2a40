//! UserInfo refuses the token, or signs its response.

use std::sync::Arc;

use roomkey::App;
use serde_json::{Value, json};

use crate::support::{
    Call, Env, FakeIdp, Fault, Key, NOW, Reply, Route, at, encode_part, extend, merge, now,
};

async fn started(env: &Env) -> Arc<App> {
    let app = env.app();
    app.warm_up(now()).await;
    app
}

async fn post_token(app: &Arc<App>, token: &str) -> Reply {
    Call::bare().bearer(token).send(app).await
}

/// Refusals of the token or the user.
fn refusals() -> [(&'static str, Fault, u16, &'static str); 3] {
    [
        ("401", Fault::Status(401), 401, "invalid_token"),
        ("403", Fault::Status(403), 401, "invalid_token"),
        ("404", Fault::Status(404), 404, "user_not_found"),
    ]
}

#[tokio::test]
async fn refusal_of_userinfo_costs_only_what_is_not_needed() {
    let nothing = json!({ "email": null, "email_verified": null, "name": null, "picture": null });
    let nameless = json!({ "name": null, "picture": null });
    let unvouched = json!({ "email_verified": null });
    for (name, fault, status, code) in refusals() {
        let idp = FakeIdp::start();
        idp.inject(Route::UserInfo, fault);
        let by_email = started(&Env::online(&idp)).await;
        let reply = post_token(&by_email, &idp.token(&nameless)).await;
        assert_eq!(reply.participant()["sub"], "ada@example.com", "{name}: {}", reply.text());
        assert_eq!(reply.participant()["name"], "Unnamed User", "{name}");
        let unvouched = idp.token(&extend(unvouched.clone(), &json!({ "sub": "unvouched" })));
        post_token(&by_email, &unvouched).await.expect_problem(name, status, code);
        let nothing_at_all = idp.token(&extend(nothing.clone(), &json!({ "sub": "nothing" })));
        post_token(&by_email, &nothing_at_all).await.expect_problem(name, status, code);

        let any_address = Env::online(&idp).with("REQUIRE_VERIFIED_EMAIL", "false");
        let reply = post_token(&started(&any_address).await, &unvouched).await;
        assert_eq!(reply.participant()["sub"], "ada@example.com", "{name}: {}", reply.text());

        let by_subject = Env::online(&idp).with("PARTICIPANT_IDENTITY", "sub");
        let reply = post_token(&started(&by_subject).await, &idp.token(&nothing)).await;
        assert_eq!(reply.participant()["sub"], "user-1", "{name}: {}", reply.text());
    }
}

/// Later tokens of the person are not affected, and neither is what UserInfo knows.
#[tokio::test]
async fn refusal_of_userinfo_is_not_cached_as_a_profile() {
    let idp = FakeIdp::start();
    let app = started(&Env::online(&idp)).await;
    let token = idp.token(&json!({ "name": null }));
    idp.inject(Route::UserInfo, Fault::Status(403));
    assert_eq!(post_token(&app, &token).await.participant()["name"], "Unnamed User");
    idp.restore(Route::UserInfo);
    let other = idp.token(&json!({ "name": null, "jti": "another" }));
    assert_eq!(post_token(&app, &other).await.participant()["name"], "Ada from UserInfo");
    let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + 10)).await;
    assert_eq!(reply.participant()["name"], "Ada from UserInfo");
}

#[tokio::test]
async fn other_failures_of_userinfo_are_unavailable_if_only_the_name_is_missing() {
    for (name, fault) in [
        ("500", Fault::Status(500)),
        ("429", Fault::Status(429)),
        ("a page", Fault::Html),
        ("cut off", Fault::Truncated),
    ] {
        let idp = FakeIdp::start();
        let app = started(&Env::online(&idp)).await;
        idp.inject(Route::UserInfo, fault);
        let token = idp.token(&json!({ "name": null }));
        post_token(&app, &token).await.expect_problem(name, 503, "unavailable");
    }
    let idp = FakeIdp::start();
    let app = started(&Env::online(&idp)).await;
    idp.inject(Route::UserInfo, Fault::Json(json!({ "sub": "user-2", "name": "Eve" })));
    let token = idp.token(&json!({ "name": null }));
    post_token(&app, &token).await.expect_problem("another sub", 401, "invalid_token");
}

/// A UserInfo response that `key` signs.
fn signed(key: &Key, idp: &FakeIdp, change: &Value) -> Fault {
    let claims = json!({
        "iss": idp.issuer(), "aud": "roomkey", "sub": "user-1", "name": "Ada Signed",
        "email": "ada@example.com", "email_verified": true,
    });
    Fault::Bytes(key.sign(&key.header(), &merge(claims, change)).into_bytes())
}

#[tokio::test]
async fn signed_userinfo_is_verified_and_read() {
    let rows = [
        ("as specified", json!({}), true),
        ("the client of the token", json!({ "aud": "web" }), true),
        ("several audiences", json!({ "aud": ["other", "web"] }), true),
        ("without iss and aud", json!({ "iss": null, "aud": null }), true),
        ("not expired", json!({ "exp": NOW + 1 }), true),
        ("expired", json!({ "exp": NOW - 3_600 }), false),
        ("exp a string", json!({ "exp": "never" }), false),
        ("another issuer", json!({ "iss": "https://evil.example" }), false),
        ("iss a list", json!({ "iss": [] }), false),
        ("another audience", json!({ "aud": "other" }), false),
        ("other audiences", json!({ "aud": ["other", 7] }), false),
        ("no audience", json!({ "aud": [] }), false),
        ("aud an object", json!({ "aud": {} }), false),
    ];
    for (name, change, is_accepted) in rows {
        let idp = FakeIdp::start();
        let app = started(&Env::online(&idp)).await;
        idp.inject(Route::UserInfo, signed(&Key::rsa(), &idp, &change));
        let token = idp.token(&json!({ "name": null, "azp": "web" }));
        let reply = post_token(&app, &token).await;
        if is_accepted {
            assert_eq!(reply.participant()["name"], "Ada Signed", "{name}: {}", reply.text());
        } else {
            reply.expect_problem(name, 503, "unavailable");
        }
    }
}

#[tokio::test]
async fn signed_userinfo_about_another_person_is_refused() {
    for (name, change) in [
        ("another sub", json!({ "sub": "user-2" })),
        ("no sub", json!({ "sub": null })),
        ("sub a number", json!({ "sub": 1 })),
    ] {
        let idp = FakeIdp::start();
        let app = started(&Env::online(&idp)).await;
        idp.inject(Route::UserInfo, signed(&Key::rsa(), &idp, &change));
        let token = idp.token(&json!({ "name": null }));
        post_token(&app, &token).await.expect_problem(name, 401, "invalid_token");
    }
}

#[tokio::test]
async fn signed_userinfo_with_an_invalid_signature_is_unavailable() {
    let idp = FakeIdp::start();
    let claims = json!({ "sub": "user-1", "name": "Eve", "email": "eve@example.com" });
    let payload = encode_part(&claims.to_string());
    let none = encode_part(r#"{"alg":"none"}"#);
    let hmac = encode_part(r#"{"alg":"HS256","kid":"rsa"}"#);
    let genuine = Key::rsa().sign(&Key::rsa().header(), &claims);
    let (head, _) = genuine.rsplit_once('.').unwrap();
    let mut renamed = Key::stranger();
    renamed.kid = "rsa";
    let rows = [
        ("a stranger's key", Key::stranger().sign(&Key::stranger().header(), &claims)),
        ("a stranger's key by another name", renamed.sign(&renamed.header(), &claims)),
        ("no signature", format!("{none}.{payload}.")),
        ("an HMAC", format!("{hmac}.{payload}.AAAA")),
        ("a cut signature", format!("{head}.AAAA")),
        ("encrypted", "eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.AAAA.AAAA.AAAA".to_owned()),
        ("two parts", head.to_owned()),
        ("a name", "Eve".to_owned()),
    ];
    let app = started(&Env::online(&idp)).await;
    for (name, response) in rows {
        idp.inject(Route::UserInfo, Fault::Bytes(response.into_bytes()));
        let token = idp.token(&json!({ "sub": name, "name": null }));
        // Each row is a person of its own, and fails for none but that person.
        post_token(&app, &token).await.expect_problem(name, 503, "unavailable");
    }
}

#[tokio::test]
async fn signed_userinfo_causes_a_fetch_for_an_unknown_key() {
    let idp = FakeIdp::start();
    let app = started(&Env::online(&idp)).await;
    idp.publish(&[&Key::rsa(), &Key::rsa_next()]);
    idp.inject(Route::UserInfo, signed(&Key::rsa_next(), &idp, &json!({ "aud": null })));
    let token = idp.token(&json!({ "name": null }));
    let reply = Call::bare().bearer(&token).send_at(&app, at(NOW + 11)).await;
    assert_eq!(reply.participant()["name"], "Ada Signed", "{}", reply.text());
    assert_eq!(idp.counts().1, 2);
}

/// UserInfo identifies the person by `sub`, even if the operator chose another claim.
#[tokio::test]
async fn userinfo_is_compared_by_sub_with_another_subject_claim() {
    let idp = FakeIdp::start();
    let env = Env::online(&idp).with("SUBJECT_CLAIM", "oid").with("PARTICIPANT_IDENTITY", "sub");
    let app = started(&env).await;
    let token = idp.token(&json!({ "sub": "pairwise", "oid": "object", "name": null }));
    let reply = post_token(&app, &token).await;
    assert_eq!(reply.participant()["sub"], "object", "{}", reply.text());
    assert_eq!(reply.participant()["name"], "Ada from UserInfo");
    idp.inject(Route::UserInfo, Fault::Json(json!({ "sub": "object", "name": "Eve" })));
    let token = idp.token(&json!({ "sub": "pairwise-2", "oid": "object-2", "name": null }));
    post_token(&app, &token).await.expect_problem("another sub", 401, "invalid_token");
}
