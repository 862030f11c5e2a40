//! `room_name`, `participant_name`, `participant_metadata`, and the fields that clients may set.

use serde_json::{Value, json};

use crate::support::{Call, Env, text, token};

/// Characters that no room, identity or name may contain.
const FORBIDDEN: [(&str, &str); 14] = [
    ("NUL", "\u{0}"),
    ("a line feed", "\n"),
    ("a tab", "\t"),
    ("the last of C0", "\u{1f}"),
    ("delete", "\u{7f}"),
    ("the first of C1", "\u{80}"),
    ("next line", "\u{85}"),
    ("the last of C1", "\u{9f}"),
    ("left-to-right embedding", "\u{202a}"),
    ("left-to-right override", "\u{202d}"),
    ("right-to-left override", "\u{202e}"),
    ("left-to-right isolate", "\u{2066}"),
    ("first strong isolate", "\u{2068}"),
    ("pop directional isolate", "\u{2069}"),
];

#[tokio::test]
async fn token_is_for_the_requested_room() {
    let app = Env::offline().app();
    let longest = text(256);
    let accents = "é".repeat(128);
    for room in ["standup", "a", "acme:standup", "*", "a b", "会議", "👋🏽", &longest, &accents]
    {
        for body in [json!({ "room_name": room }), json!({ "roomName": room })] {
            let reply = Call::asking(&body).send(&app).await;
            assert_eq!(reply.participant()["video"]["room"], room);
            assert_eq!(reply.json()["room_name"], room);
        }
    }
}

#[tokio::test]
async fn names_are_limited_to_256_bytes() {
    let app = Env::offline().with("CLIENT_FIELDS", "room_name,participant_name").app();
    for field in ["room_name", "participant_name"] {
        for (name, value) in [("bytes", text(257)), ("accents", "é".repeat(128) + "x")] {
            let reply = Call::asking(&json!({ field: value })).send(&app).await;
            reply.expect_problem(&format!("{field} {name}"), 400, "invalid_request");
        }
        let reply = Call::asking(&json!({ field: "é".repeat(128) })).send(&app).await;
        reply.expect_issued(field);
    }
}

#[tokio::test]
async fn misleading_characters_in_names_are_rejected() {
    let app = Env::offline().with("CLIENT_FIELDS", "room_name,participant_name").app();
    for field in ["room_name", "participant_name"] {
        for (name, character) in FORBIDDEN {
            for value in [character.to_owned(), format!("stand{character}up")] {
                let reply = Call::asking(&json!({ field: value })).send(&app).await;
                reply.expect_problem(&format!("{field}: {name}"), 400, "invalid_request");
            }
        }
    }
}

#[tokio::test]
async fn room_name_is_random_if_none_is_requested() {
    let app = Env::offline().app();
    let mut rooms = Vec::new();
    for body in [
        json!({}),
        json!({ "room_name": null }),
        json!({ "room_name": "" }),
        json!({ "roomName": "" }),
        json!({}),
    ] {
        let reply = Call::asking(&body).send(&app).await;
        let room = reply.participant()["video"]["room"].as_str().unwrap().to_owned();
        assert_eq!(reply.json()["room_name"], room, "the answer names the room");
        let random = room.strip_prefix("room-").unwrap_or_else(|| panic!("{room}"));
        assert!(random.len() >= 22, "128 bits take 22 characters at least: {room}");
        assert!(random.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)), "{room}");
        rooms.push(room);
    }
    rooms.sort();
    rooms.dedup();
    assert_eq!(rooms.len(), 5, "each of them another");
}

#[tokio::test]
async fn participant_name_is_that_of_the_profile() {
    let app = Env::offline().app();
    for (row, body) in [
        ("not asked", json!({})),
        ("null", json!({ "participant_name": null })),
        ("empty", json!({ "participant_name": "" })),
        ("the same", json!({ "participant_name": "Ada Lovelace" })),
        ("the same in camel case", json!({ "participantName": "Ada Lovelace" })),
    ] {
        let reply = Call::asking(&body).send(&app).await;
        assert_eq!(reply.participant()["name"], "Ada Lovelace", "{row}");
        assert_eq!(reply.json()["participant_name"], "Ada Lovelace", "{row}");
    }
    for name in ["Mallory", "ada lovelace", "Ada  Lovelace", "Ada"] {
        let reply = Call::asking(&json!({ "participant_name": name })).send(&app).await;
        reply.expect_problem(name, 403, "field_not_allowed");
    }
}

#[tokio::test]
async fn participant_name_is_the_clients_if_allowed() {
    let app = Env::offline().with("CLIENT_FIELDS", "participant_name").app();
    let reply = Call::asking(&json!({ "participant_name": "Countess" })).send(&app).await;
    assert_eq!(reply.participant()["name"], "Countess");
    assert_eq!(reply.json()["participant_name"], "Countess");
    let reply = Call::asking(&json!({ "participant_name": "" })).send(&app).await;
    assert_eq!(reply.participant()["name"], "Ada Lovelace", "empty is absent");
}

#[tokio::test]
async fn metadata_is_copied_up_to_4096_bytes() {
    let app = Env::offline().with("MAX_TOKEN_BYTES", "65536").app();
    let longest = text(4_096);
    for metadata in ["x", r#"{"seat":12}"#, "two\nlines", "👋", &longest] {
        let body = json!({ "participant_metadata": metadata });
        let reply = Call::asking(&body).send(&app).await;
        assert_eq!(reply.participant()["metadata"], metadata);
    }
    for (row, metadata) in [("ASCII", text(4_097)), ("bytes, not letters", "é".repeat(2_049))] {
        let reply = Call::asking(&json!({ "participant_metadata": metadata })).send(&app).await;
        reply.expect_problem(row, 400, "invalid_request");
    }
    for metadata in [json!(null), json!("")] {
        let reply = Call::asking(&json!({ "participant_metadata": metadata })).send(&app).await;
        let claims = reply.participant();
        assert!(matches!(claims["metadata"].as_str(), None | Some("")), "{claims}");
    }
}

#[tokio::test]
async fn unlisted_client_field_is_rejected() {
    let fields = [
        ("room_name", json!("standup")),
        ("participant_metadata", json!("m")),
        ("participant_attributes", json!({ "a": "b" })),
        ("room_config", json!({ "agents": [{ "metadata": "m" }] })),
    ];
    for (listed, _) in &fields {
        let app = Env::offline().with("CLIENT_FIELDS", listed).app();
        for (field, value) in &fields {
            let reply = Call::asking(&json!({ *field: value })).send(&app).await;
            let row = format!("{listed} is listed, {field} is sent");
            if field == listed {
                reply.expect_issued(&row);
            } else {
                reply.expect_problem(&row, 403, "field_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn empty_field_needs_no_permission() {
    let app = Env::offline().with("CLIENT_FIELDS", "participant_name").app();
    for body in [
        json!({}),
        json!({ "room_name": "", "participant_metadata": "", "participant_attributes": {} }),
        json!({ "room_name": null, "participant_attributes": null, "room_config": null }),
        json!({ "room_config": {} }),
        json!({ "room_config": { "agents": [{}] } }),
        json!({ "participant_identity": "ada@example.com" }),
    ] {
        Call::asking(&body).send(&app).await.expect_issued(&body.to_string());
    }
}

/// The bodies that the SDKs send, in each spelling.
#[tokio::test]
async fn requests_of_the_sdks_are_accepted() {
    let app = Env::offline().app();
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("JavaScript, no option",             "{}"),
        ("JavaScript, all options empty",     r#"{"room_name":"","participant_name":"","participant_identity":"","participant_metadata":"","room_config":{"agents":[{}]}}"#),
        ("Swift, no option",                  r#"{"room_config":{}}"#),
        ("Swift, escaped slashes",            r#"{"room_config":{},"room_name":"a\/b"}"#),
        ("Swift, empty attributes",           r#"{"participant_attributes":{},"room_config":{}}"#),
        ("Android, a room",                   r#"{"room_name":"standup","room_config":{}}"#),
        ("Flutter, metadata",                 r#"{"participant_metadata":"m","room_config":{}}"#),
        ("C++, an empty agent option",        r#"{"room_config":{"agents":[{}]}}"#),
        ("Unity, a room and attributes",      r#"{"room_name":"standup","participant_attributes":{"a":"b"}}"#),
        ("Rust, empty attributes",            r#"{"room_name":"standup","participant_attributes":{}}"#),
        ("the default agent, with metadata",  r#"{"room_config":{"agents":[{"metadata":"am"}]}}"#),
        ("its own name and identity",         r#"{"participant_name":"Ada Lovelace","participant_identity":"ada@example.com"}"#),
    ];
    for (name, body) in rows {
        let reply = Call::token().body("application/json; charset=utf-8", *body).send(&app).await;
        reply.expect_issued(name);
    }
    let all: Value = json!({
        "room_name": "r", "participant_metadata": "m", "participant_attributes": { "a": "b" },
        "room_config": { "agents": [{ "agent_name": "ag", "metadata": "am", "deployment": "staging" }] },
    });
    let reply = Call::asking(&all).send(&app).await;
    reply.expect_problem("a named agent", 403, "agent_not_allowed");
}

/// Strings of characters without a visible glyph.
const INVISIBLE: [&str; 17] = [
    " ",
    "   ",
    "\u{a0}",
    "\u{3000}",
    "\u{2028}",
    "\u{200b}",
    "\u{200c}\u{200d}",
    "\u{feff}",
    "\u{2060}",
    "\u{ad}",
    "\u{180e}",
    "\u{3164}",
    "\u{115f}\u{1160}",
    "\u{2800}",
    "\u{fe0f}",
    "\u{e0041}",
    " \u{200b} ",
];

#[tokio::test]
async fn name_without_a_visible_character_is_refused() {
    let app = Env::offline().with("CLIENT_FIELDS", "room_name,participant_name").app();
    for field in ["room_name", "participant_identity", "participant_name"] {
        for value in INVISIBLE {
            let reply = Call::asking(&json!({ field: value })).send(&app).await;
            reply.expect_problem(&format!("{field} {value:?}"), 400, "invalid_request");
            let detail = reply.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.starts_with(field), "{detail}");
        }
    }
    for value in [" a ", "\u{200b}a", "\u{2801}", ".", "\u{1f469}\u{200d}\u{1f680}"] {
        let reply = Call::asking(&json!({ "room_name": value })).send(&app).await;
        assert_eq!(reply.participant()["video"]["room"], value, "kept byte for byte");
    }
}

#[tokio::test]
async fn name_without_a_visible_character_in_the_profile_is_no_name() {
    let app = Env::offline().app();
    for name in INVISIBLE {
        let call = Call::bare().bearer(&token(&json!({ "name": name }))).json(&json!({}));
        assert_eq!(call.send(&app).await.participant()["name"], "Unnamed User", "{name:?}");
    }
}

/// The provider's spelling and the client's, and the name in the token.
#[tokio::test]
async fn own_name_is_compared_after_cleaning() {
    let app = Env::offline().app();
    #[rustfmt::skip]
    let rows = [
        ("Ada ",                   "Ada ",                   Some("Ada")),
        ("Ada ",                   "Ada",                    Some("Ada")),
        ("Ada",                    "\tAda\n",                Some("Ada")),
        ("\u{2068}Ada\u{2069}",    "\u{2068}Ada\u{2069}",    Some("Ada")),
        ("Ada",                    "\u{2068}Ada\u{2069}",    Some("Ada")),
        ("Rene\u{301}",            "Rene\u{301}",            Some("Rene\u{301}")),
        ("Rene\u{301}",            "Ren\u{e9}",              Some("Rene\u{301}")),
        ("Ren\u{e9}",              "Rene\u{301}",            Some("Ren\u{e9}")),
        ("\u{d55c}",               "\u{1112}\u{1161}\u{11ab}", Some("\u{d55c}")),
        ("Ada",                    "ada",                    None),
        ("Ada",                    "Ad\u{430}",              None),
        ("Ren\u{e9}",              "Rene",                   None),
        ("A B",                    "A  B",                   None),
        ("fi",                     "\u{fb01}",               None),
    ];
    for (own, requested, expected) in rows {
        let row = format!("{own:?} {requested:?}");
        let call = Call::bare().bearer(&token(&json!({ "name": own })));
        let reply = call.json(&json!({ "participant_name": requested })).send(&app).await;
        match expected {
            Some(name) => assert_eq!(reply.participant()["name"], name, "{row}"),
            None => {
                reply.expect_problem(&row, 403, "field_not_allowed");
            }
        }
    }
    let long = format!("{} b", text(300));
    let call = Call::bare().bearer(&token(&json!({ "name": long })));
    let reply = call.json(&json!({ "participant_name": long })).send(&app).await;
    assert_eq!(reply.participant()["name"], text(256), "own name, which is cut");
    let reply = Call::asking(&json!({ "participant_name": "Ada\nLovelace" })).send(&app).await;
    reply.expect_problem("a control character in another name", 400, "invalid_request");
}

#[tokio::test]
async fn limits_of_metadata_and_attributes_are_configured() {
    let long = Env::offline().with("MAX_TOKEN_BYTES", "65536");
    let raised = long
        .clone()
        .with("MAX_METADATA_BYTES", "20000")
        .with("MAX_ATTRIBUTES_BYTES", "10000")
        .app();
    let lowered =
        long.clone().with("MAX_METADATA_BYTES", "10").with("MAX_ATTRIBUTES_BYTES", "10").app();
    let agent = |size: usize| json!({ "room_config": { "agents": [{ "metadata": text(size) }] } });
    let metadata = |size: usize| json!({ "participant_metadata": text(size) });
    let attribute = |size: usize| json!({ "participant_attributes": { "k": text(size - 1) } });
    #[rustfmt::skip]
    let rows = [
        ("metadata",        &raised,  metadata(20_000),  metadata(20_001)),
        ("agent metadata",  &raised,  agent(20_000),     agent(20_001)),
        ("attributes",      &raised,  attribute(10_000), attribute(10_001)),
        ("metadata",        &lowered, metadata(10),      metadata(11)),
        ("agent metadata",  &lowered, agent(10),         agent(11)),
        ("attributes",      &lowered, attribute(10),     attribute(11)),
    ];
    for (row, app, fits, exceeds) in rows {
        Call::asking(&fits).send(app).await.expect_issued(row);
        Call::asking(&exceeds).send(app).await.expect_problem(row, 400, "invalid_request");
    }
    for variable in ["MAX_METADATA_BYTES", "MAX_ATTRIBUTES_BYTES"] {
        for value in ["0", "-1", "65537", "4k", "1.5", " 5"] {
            let fault = long.clone().with(variable, value).config().err();
            assert!(fault.is_some_and(|fault| fault.to_string().contains(variable)), "{value}");
        }
        for value in ["1", "65536"] {
            assert!(long.clone().with(variable, value).config().is_ok(), "{value}");
        }
    }
}

/// JSON in metadata grows by its escapes, and base64 adds a third: 4,096 bytes of it need a longer
/// token than the default.
#[tokio::test]
async fn metadata_up_to_its_limit_fits_a_token_of_documented_length() {
    let json = format!("{{\"notes\":[{}\"\"]}}", "\"x\",".repeat(1_100));
    let body = json!({ "room_name": "standup", "participant_metadata": json[..4_096] });
    let reply = Call::asking(&body).send(&Env::offline().app()).await;
    reply.expect_problem("the default of 6,144", 413, "content_too_large");
    assert!(reply.json()["detail"].as_str().unwrap().contains("metadata"), "{}", reply.text());
    let app = Env::offline().with("MAX_TOKEN_BYTES", "12288").app();
    Call::asking(&body).send(&app).await.expect_issued("12,288");
}
