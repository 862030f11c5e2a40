//! The participant's identity (email address or `sub`), device, name and picture.

use serde_json::{Value, json};

use crate::support::{Call, Env, ISSUER, Key, Reply, key_set, text, token};

async fn post_token(env: &Env, claims: &Value, body: &Value) -> Reply {
    Call::bare().bearer(&token(claims)).json(body).send(&env.app()).await
}

#[tokio::test]
async fn identity_is_the_email_by_default() {
    let reply = post_token(&Env::offline(), &json!({}), &json!({})).await;
    assert_eq!(reply.participant()["sub"], "ada@example.com");
}

#[tokio::test]
async fn identity_is_the_subject_if_configured() {
    let env = Env::offline().with("PARTICIPANT_IDENTITY", "sub");
    #[rustfmt::skip]
    let rows = [
        ("with an email",         json!({})),
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
    reply.expect_problem("the email is not it", 403, "field_not_allowed");
}

#[tokio::test]
async fn identity_of_another_is_rejected() {
    let refused = Env::offline().with("CLIENT_FIELDS", "room_name,participant_identity");
    assert!(refused.config().is_err(), "no deployment can let the client choose");
    for env in [Env::offline(), Env::offline().with("CLIENT_FIELDS", "participant_name")] {
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
async fn identity_may_name_a_device_if_allowed() {
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
async fn device_has_the_color_of_its_person() {
    let env = Env::offline().with("PARTICIPANT_DEVICES", "true");
    let plain = post_token(&env, &json!({}), &json!({})).await;
    let body = json!({ "participant_identity": "ada@example.com:phone" });
    let phone = post_token(&env, &json!({}), &body).await;
    let color = |reply: &Reply| reply.participant()["attributes"]["color"].clone();
    assert_eq!(color(&plain), color(&phone), "the same person has the same color in every tab");
}

#[tokio::test]
async fn unverified_email_is_rejected() {
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
async fn missing_email_is_rejected() {
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

/// An identity from any source has at most 256 bytes and no misleading characters.
#[tokio::test]
async fn misleading_or_long_identity_is_rejected() {
    for (name, email) in [
        ("a line feed inside", "ada\n@example.com".to_owned()),
        ("a right-to-left override", "ada\u{202e}@example.com".to_owned()),
        ("255 bytes: no address is that long", text(243) + "@example.com"),
    ] {
        let reply = post_token(&Env::offline(), &json!({ "email": email }), &json!({})).await;
        reply.expect_problem(name, 404, "email_not_set");
    }
    let env = Env::offline().with("PARTICIPANT_IDENTITY", "sub");
    for subject in ["user\n1", "user\u{202e}1", "user\u{2066}1", "user\u{85}1"] {
        let reply = post_token(&env, &json!({ "sub": subject }), &json!({})).await;
        reply.expect_problem(&format!("{subject:?}"), 401, "invalid_token");
    }
    let email = text(242) + "@example.com";
    let reply = post_token(&Env::offline(), &json!({ "email": email }), &json!({})).await;
    assert_eq!(reply.participant()["sub"], email, "254 bytes");
}

#[tokio::test]
async fn participant_without_a_name_is_unnamed_user() {
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

/// People enter their names at the provider, so that no name is an error.
#[tokio::test]
async fn name_of_the_provider_is_cleaned_for_livekit() {
    for (row, name, expected) in [
        ("long", text(1_000), text(256)),
        ("long, of many bytes", "é".repeat(500), "é".repeat(128)),
        ("a line feed", "Ada\nLovelace".to_owned(), "AdaLovelace".to_owned()),
        ("an override", "Ada\u{202e}Lovelace".to_owned(), "AdaLovelace".to_owned()),
        ("nothing but control characters", "\u{1}\u{2}".to_owned(), "Unnamed User".to_owned()),
    ] {
        let reply = post_token(&Env::offline(), &json!({ "name": name }), &json!({})).await;
        assert_eq!(reply.participant()["name"], expected, "{row}");
    }
}

#[tokio::test]
async fn picture_is_an_attribute_if_known() {
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
async fn identity_is_read_from_the_configured_claims() {
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

#[tokio::test]
async fn email_is_trimmed_and_folded_before_it_is_an_identity() {
    let env = Env::offline();
    let color = |reply: &Reply| reply.participant()["attributes"]["color"].clone();
    let plain = post_token(&env, &json!({}), &json!({})).await;
    for email in [
        "Ada@Example.com",
        "ADA@EXAMPLE.COM",
        " ada@example.com",
        "ada@example.com ",
        "\tada@example.com\r\n",
        "\u{a0}ada@example.com",
    ] {
        let reply = post_token(&env, &json!({ "email": email }), &json!({})).await;
        assert_eq!(reply.participant()["sub"], "ada@example.com", "{email:?}");
        assert_eq!(color(&reply), color(&plain), "{email:?}");
    }
    // Only ASCII letters: no provider folds the others in the same way.
    for (email, expected) in [
        ("Ünal@example.com", "Ünal@example.com"),
        ("K@example.com", "k@example.com"),
        ("\u{212a}@x.example", "\u{212a}@x.example"),
    ] {
        let reply = post_token(&env, &json!({ "email": email }), &json!({})).await;
        assert_eq!(reply.participant()["sub"], expected, "{email}");
    }
    for email in [" ", "\n", "\u{200b}", " \u{feff} "] {
        let reply = post_token(&env, &json!({ "email": email }), &json!({})).await;
        reply.expect_problem(&format!("{email:?}"), 404, "email_not_set");
    }
}

#[tokio::test]
async fn requested_identity_is_compared_after_the_same_folding() {
    let env = Env::offline();
    for identity in ["Ada@Example.com", " ada@example.com ", "ADA@example.COM"] {
        let body = json!({ "participant_identity": identity });
        for claims in [json!({}), json!({ "email": "Ada@example.com " })] {
            let reply = post_token(&env, &claims, &body).await;
            assert_eq!(reply.participant()["sub"], "ada@example.com", "{identity}");
        }
    }
    let devices = Env::offline().with("PARTICIPANT_DEVICES", "true");
    let body = json!({ "participant_identity": "Ada@Example.com:Phone" });
    let reply = post_token(&devices, &json!({}), &body).await;
    assert_eq!(reply.participant()["sub"], "ada@example.com:Phone", "the device is kept");
    let subject = Env::offline().with("PARTICIPANT_IDENTITY", "sub");
    for identity in ["User-1", "user-1 ", " user-1"] {
        let reply =
            post_token(&subject, &json!({}), &json!({ "participant_identity": identity })).await;
        reply.expect_problem(identity, 403, "field_not_allowed");
    }
}

#[tokio::test]
async fn colon_of_an_identity_is_escaped_if_devices_are_allowed() {
    let env = Env::offline().with("PARTICIPANT_IDENTITY", "sub");
    let devices = env.clone().with("PARTICIPANT_DEVICES", "true");
    #[rustfmt::skip]
    let rows = [
        ("f:1234",             "f%3A1234"),
        ("f:1234:alice",       "f%3A1234%3Aalice"),
        ("f%3A1234",           "f%253A1234"),
        ("f%253A1234",         "f%25253A1234"),
        ("auth0|5f7c",         "auth0|5f7c"),
        ("100%",               "100%"),
        (":",                  "%3A"),
    ];
    for (subject, expected) in rows {
        let claims = json!({ "sub": subject });
        assert_eq!(post_token(&env, &claims, &json!({})).await.participant()["sub"], subject);
        let participant = post_token(&devices, &claims, &json!({})).await.participant();
        assert_eq!(participant["sub"], expected, "{subject}");
        assert_eq!(participant["attributes"]["identity"], expected, "{subject}");
        for (identity, expected) in [
            (expected.to_owned(), expected.to_owned()),
            (format!("{expected}:phone"), format!("{expected}:phone")),
        ] {
            let reply =
                post_token(&devices, &claims, &json!({ "participant_identity": identity })).await;
            assert_eq!(reply.participant()["sub"], expected, "{subject}");
        }
    }
    // No device of `f:1234` is the person `f:1234:alice`, in any spelling.
    for identity in [
        "f:1234:alice",
        "f%3A1234%3Aalice",
        "f%3A1234%3aalice",
        "f%3a1234:alice",
        "f%3A1234:alice:phone",
        "f%253A1234",
        "f",
        "f:1234",
    ] {
        let body = json!({ "participant_identity": identity });
        let reply = post_token(&devices, &json!({ "sub": "f:1234" }), &body).await;
        reply.expect_problem(identity, 403, "field_not_allowed");
    }
    let email = json!({ "email": "\"a:b\"@example.com" });
    let devices = Env::offline().with("PARTICIPANT_DEVICES", "true");
    let reply = post_token(&devices, &email, &json!({})).await;
    assert_eq!(reply.participant()["sub"], "\"a%3Ab\"@example.com");
}

#[tokio::test]
async fn identity_has_at_most_256_bytes_with_everything_added() {
    let devices = Env::offline()
        .with_all(&[("PARTICIPANT_IDENTITY", "sub"), ("PARTICIPANT_DEVICES", "true")]);
    let colons = |count: usize| json!({ "sub": ":".repeat(count) });
    let reply = post_token(&devices, &colons(85), &json!({})).await;
    assert_eq!(reply.participant()["sub"], "%3A".repeat(85));
    // Written with `%3A`, these have 256 and 257 bytes.
    let one_colon = |bytes: usize| json!({ "sub": format!("{}:", "a".repeat(bytes)) });
    post_token(&devices, &one_colon(253), &json!({})).await.expect_issued("256 bytes");
    let reply = post_token(&devices, &one_colon(254), &json!({})).await;
    reply.expect_problem("257 bytes", 401, "invalid_token");
    let reply = post_token(&devices, &colons(86), &json!({})).await;
    reply.expect_problem("258 bytes", 401, "invalid_token");
    let claims = json!({ "sub": text(191) });
    let device = |length: usize| json!({ "participant_identity": format!("{}:{}", text(191), text(length)) });
    post_token(&devices, &claims, &device(64)).await.expect_issued("256 bytes");
    let claims = json!({ "sub": text(192) });
    let body = json!({ "participant_identity": format!("{}:{}", text(192), text(64)) });
    post_token(&devices, &claims, &body).await.expect_problem("257 bytes", 400, "invalid_request");
    // With a named issuer, its name and a separator are part of the identity.
    let named = Env::offline()
        .without("OIDC_AUDIENCE")
        .without("OIDC_JWKS")
        .without("PROFILE_SOURCE")
        .with_all(&[
            ("OIDC_ISSUER", &format!("staff={ISSUER}")),
            ("OIDC_STAFF_AUDIENCE", "roomkey"),
            ("OIDC_STAFF_JWKS", &key_set(&[&Key::rsa()]).to_string()),
            ("OIDC_STAFF_PROFILE_SOURCE", "claims"),
            ("PARTICIPANT_IDENTITY", "sub"),
        ]);
    let claims = json!({ "sub": text(250) });
    let reply = post_token(&named, &claims, &json!({})).await;
    assert_eq!(reply.participant()["sub"], format!("staff|{}", text(250)));
    let reply = post_token(&named, &json!({ "sub": text(251) }), &json!({})).await;
    reply.expect_problem("257 bytes with the issuer's name", 401, "invalid_token");
}

#[tokio::test]
async fn picture_is_an_https_url_that_cannot_end_an_attribute() {
    let local = Env::offline().with("OIDC_ISSUER", "http://127.0.0.1:8080/");
    let longest = format!("https://a.example/{}", text(1_006));
    #[rustfmt::skip]
    let rows = [
        ("https://img.example/ada.png?s=1&d=2#x", true, true),
        ("HTTPS://img.example/a",                 true, true),
        ("https://img.example/%22%3E",            true, true),
        ("https://img.example/é.png",             true, true),
        (longest.as_str(),                        true, true),
        ("http://127.0.0.1/a",                    false, true),
        ("http://localhost:9000/a",               false, true),
        ("http://[::1]/a",                        false, true),
        ("http://img.example/a",                  false, false),
        ("http://127.0.0.1.evil.example/a",       false, false),
        ("https://a.example/\"onerror=x",         false, false),
        ("https://a.example/'x",                  false, false),
        ("https://a.example/<x>",                 false, false),
        ("https://a.example/`x",                  false, false),
        ("https://a.example/\\x",                 false, false),
        ("https://a.example/a b",                 false, false),
        ("https://a.example/a\nb",                false, false),
        (" https://a.example/a",                  false, false),
        ("https://a.example/\u{202e}x",           false, false),
        ("https://ada@a.example/a",               false, false),
        ("javascript:alert(1)",                   false, false),
        ("data:image/png;base64,AAAA",            false, false),
        ("//a.example/a",                         false, false),
        ("https://",                              false, false),
    ];
    for (picture, from_remote, from_local) in rows {
        let claims = json!({ "picture": picture });
        let remote = post_token(&Env::offline(), &claims, &json!({})).await.participant();
        let shown = remote["attributes"].get("imageUrl").is_some();
        assert_eq!(shown, from_remote, "{picture:?}");
        let claims = json!({ "picture": picture, "iss": "http://127.0.0.1:8080/" });
        let participant = post_token(&local, &claims, &json!({})).await.participant();
        let shown = participant["attributes"].get("imageUrl").is_some();
        assert_eq!(shown, from_local, "loopback issuer: {picture:?}");
    }
}
