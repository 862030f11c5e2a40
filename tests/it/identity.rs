//! Who the caller becomes: e-mail or `sub`, devices, verified e-mail, name and picture.

use serde_json::{Value, json};

use crate::support::{Call, Env, Reply, text, token};

async fn post_token(env: &Env, claims: &Value, body: &Value) -> Reply {
    Call::bare().bearer(&token(claims)).json(body).send(&env.app()).await
}

#[tokio::test]
async fn is_the_email() {
    let reply = post_token(&Env::offline(), &json!({}), &json!({})).await;
    assert_eq!(reply.participant()["sub"], "ada@example.com");
}

#[tokio::test]
async fn is_the_subject_where_that_is_chosen() {
    let env = Env::offline().with("PARTICIPANT_IDENTITY", "sub");
    #[rustfmt::skip]
    let rows = [
        ("with an e-mail",        json!({})),
        ("without one",           json!({ "email": null, "email_verified": null })),
        ("with an empty one",     json!({ "email": "" })),
        ("with an unverified one", json!({ "email_verified": false })),
    ];
    for (name, claims) in rows {
        let reply = post_token(&env, &claims, &json!({})).await;
        assert_eq!(reply.participant()["sub"], "user-1", "{name}");
        assert!(!reply.participant().to_string().contains("ada@example.com"), "{name}");
    }
    let reply = post_token(&env, &json!({}), &json!({ "participant_identity": "user-1" })).await;
    reply.expect_issued("asking for one's own");
    let reply =
        post_token(&env, &json!({}), &json!({ "participant_identity": "ada@example.com" })).await;
    reply.expect_problem("the e-mail is not it", 403, "field_not_allowed");
}

#[tokio::test]
async fn is_never_the_clients_choice() {
    let env = Env::offline().with(
        "CLIENT_FIELDS",
        "room_name,participant_name,participant_identity,participant_metadata",
    );
    let envs = [Env::offline(), if env.config().is_ok() { env } else { Env::offline() }];
    for env in envs {
        for identity in [
            "mallory@example.com",
            "Ada@example.co",
            "ada@example.com .",
            "ada@example.com:",
            "ada@example.com:phone",
            "ada@example.co",
            "user-1",
        ] {
            for field in ["participant_identity", "participantIdentity"] {
                let reply = post_token(&env, &json!({}), &json!({ field: identity })).await;
                reply.expect_problem(identity, 403, "field_not_allowed");
            }
        }
        for identity in [json!(null), json!(""), json!("ada@example.com")] {
            let reply =
                post_token(&env, &json!({}), &json!({ "participant_identity": identity })).await;
            assert_eq!(reply.participant()["sub"], "ada@example.com", "{identity}");
        }
    }
}

#[tokio::test]
async fn may_name_a_device_where_that_is_allowed() {
    let env = Env::offline().with("PARTICIPANT_DEVICES", "true");
    let longest = text(64);
    for device in ["phone", "a", "A-Z_09", &longest] {
        let identity = format!("ada@example.com:{device}");
        let reply =
            post_token(&env, &json!({}), &json!({ "participant_identity": identity })).await;
        assert_eq!(reply.participant()["sub"], identity);
    }
    let reply =
        post_token(&env, &json!({}), &json!({ "participant_identity": "ada@example.com" })).await;
    assert_eq!(reply.participant()["sub"], "ada@example.com", "no device is fine");
    let reply = post_token(&env, &json!({}), &json!({})).await;
    assert_eq!(reply.participant()["sub"], "ada@example.com", "nothing asked");
    let too_long = text(65);
    for device in ["", "a b", "a:b", "a.b", "a#b", "é", "a/b", &too_long] {
        let identity = format!("ada@example.com:{device}");
        let reply =
            post_token(&env, &json!({}), &json!({ "participant_identity": identity })).await;
        reply.expect_problem(&identity, 403, "field_not_allowed");
    }
    for identity in ["mallory@example.com:phone", "phone", ":phone", "ada@example.com-phone"] {
        let reply =
            post_token(&env, &json!({}), &json!({ "participant_identity": identity })).await;
        reply.expect_problem(identity, 403, "field_not_allowed");
    }
}

#[tokio::test]
async fn a_device_keeps_ones_color() {
    let env = Env::offline().with("PARTICIPANT_DEVICES", "true");
    let plain = post_token(&env, &json!({}), &json!({})).await;
    let body = json!({ "participant_identity": "ada@example.com:phone" });
    let phone = post_token(&env, &json!({}), &body).await;
    let color = |reply: &Reply| reply.participant()["attributes"]["color"].clone();
    assert_eq!(color(&plain), color(&phone), "the same person has the same color in every tab");
}

#[tokio::test]
async fn needs_an_email_that_is_verified() {
    #[rustfmt::skip]
    let rows = [
        ("not verified",             json!({ "email_verified": false })),
        ("nobody says",              json!({ "email_verified": null })),
        ("a number",                 json!({ "email_verified": 1 })),
        ("another word",             json!({ "email_verified": "yes" })),
        ("the word false",           json!({ "email_verified": "false" })),
        ("a list",                   json!({ "email_verified": [true] })),
    ];
    let lenient = Env::offline().with("REQUIRE_VERIFIED_EMAIL", "false");
    for (name, claims) in rows {
        let reply = post_token(&Env::offline(), &claims, &json!({})).await;
        reply.expect_problem(name, 403, "email_not_verified");
        let reply = post_token(&lenient, &claims, &json!({})).await;
        assert_eq!(reply.participant()["sub"], "ada@example.com", "{name}");
    }
}

#[tokio::test]
async fn needs_an_email() {
    for (name, claims) in [
        ("none", json!({ "email": null })),
        ("an empty one", json!({ "email": "" })),
        ("none at all, unverified", json!({ "email": null, "email_verified": null })),
    ] {
        let reply = post_token(&Env::offline(), &claims, &json!({})).await;
        reply.expect_problem(name, 404, "email_not_set");
        assert_eq!(reply.json()["title"], "Email address not set", "{name}");
    }
}

/// An identity, like every other, is at most 256 bytes without characters that mislead, whoever
/// says it.
#[tokio::test]
async fn is_held_to_the_rules_of_an_identity() {
    for (name, email) in [
        ("a line feed", "ada@example.com\n".to_owned()),
        ("a right-to-left override", "ada\u{202e}@example.com".to_owned()),
        ("255 bytes: no address is that long", text(243) + "@example.com"),
    ] {
        let reply = post_token(&Env::offline(), &json!({ "email": email }), &json!({})).await;
        assert!((400..500).contains(&reply.status), "{name}: {} {}", reply.status, reply.text());
    }
    let env = Env::offline().with("PARTICIPANT_IDENTITY", "sub");
    for subject in ["user\n1", "user\u{202e}1", "user\u{2066}1", "user\u{85}1"] {
        let reply = post_token(&env, &json!({ "sub": subject }), &json!({})).await;
        assert!((400..500).contains(&reply.status), "{subject:?}: {}", reply.text());
    }
    let email = text(242) + "@example.com";
    let reply = post_token(&Env::offline(), &json!({ "email": email }), &json!({})).await;
    assert_eq!(reply.participant()["sub"], email, "254 bytes");
}

#[tokio::test]
async fn has_a_name_in_any_case() {
    for (row, claims) in [
        ("none", json!({ "name": null })),
        ("empty", json!({ "name": "" })),
        ("not a text", json!({ "name": 7 })),
    ] {
        let reply = post_token(&Env::offline(), &claims, &json!({})).await;
        assert_eq!(reply.participant()["name"], "Unnamed User", "{row}");
        assert_eq!(reply.json()["participant_name"], "Unnamed User", "{row}");
    }
}

/// A name comes from the provider, where people type it themselves: no name makes us fail.
#[tokio::test]
async fn has_a_name_that_livekit_takes() {
    for (row, name) in [
        ("long", text(1_000)),
        ("long, of many bytes", "é".repeat(500)),
        ("a line feed", "Ada\nLovelace".to_owned()),
        ("an override", "Ada\u{202e}Lovelace".to_owned()),
        ("nothing but control characters", "\u{1}\u{2}".to_owned()),
    ] {
        let reply = post_token(&Env::offline(), &json!({ "name": name }), &json!({})).await;
        assert!(reply.status < 500, "{row}: {}", reply.text());
        if reply.status == 201 {
            let name = reply.participant()["name"].as_str().unwrap().to_owned();
            assert!((1..=256).contains(&name.len()), "{row}: {} bytes", name.len());
            assert!(!name.contains(|c: char| c.is_control() || c == '\u{202e}'), "{row}: {name:?}");
        }
    }
}

#[tokio::test]
async fn has_a_picture_where_one_is_known() {
    let reply = post_token(&Env::offline(), &json!({}), &json!({})).await;
    let attributes = reply.participant()["attributes"].clone();
    assert_eq!(attributes["imageUrl"], "https://img.example/ada.png");
    for picture in [json!(null), json!(""), json!(7)] {
        let claims = json!({ "picture": picture });
        let reply = post_token(&Env::offline(), &claims, &json!({})).await;
        assert_eq!(reply.participant()["attributes"].get("imageUrl"), None, "{picture}");
    }
}

#[tokio::test]
async fn comes_from_the_claims_that_are_configured() {
    let env = Env::offline().with_all(&[
        ("EMAIL_CLAIM", "contact.mail"),
        ("NAME_CLAIM", "contact.display"),
        ("PICTURE_CLAIM", "contact.photo"),
    ]);
    let contact = json!({ "mail": "ada@corp.example", "mail_verified": true, "display": "Ada L.", "photo": "https://p.example/a" });
    let claims = json!({ "contact": contact, "email": "other@example.com" });
    let participant = post_token(&env, &claims, &json!({})).await.participant();
    assert_eq!(participant["sub"], "ada@corp.example", "another claim than the usual one");
    assert_eq!(participant["name"], "Ada L.");
    assert_eq!(participant["attributes"]["imageUrl"], "https://p.example/a");
}
