//! Bodies: media type, size and syntax.

use serde_json::{Value, json};

use crate::support::{Call, Env, text};

/// A valid JSON object of exactly `size` bytes without a field.
fn padded(size: usize) -> String {
    let frame = json!({ "padding": "" }).to_string().len();
    json!({ "padding": text(size - frame) }).to_string()
}

#[tokio::test]
async fn empty_body_is_accepted_with_any_content_type() {
    let app = Env::offline().app();
    Call::token().send(&app).await.expect_issued("no body, no content type");
    for kind in ["application/json", "text/plain", "nonsense"] {
        Call::token().body(kind, "").send(&app).await.expect_issued(kind);
    }
}

#[tokio::test]
async fn json_content_type_is_accepted_with_any_parameters() {
    let app = Env::offline().app();
    for kind in [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "application/json ; charset=\"utf-8\"; x=y",
        "Application/JSON",
        "APPLICATION/JSON; CHARSET=UTF-8",
    ] {
        Call::token().body(kind, "{}").send(&app).await.expect_issued(kind);
    }
}

#[tokio::test]
async fn other_content_type_is_rejected() {
    let app = Env::offline().app();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/json-patch+json",
        "application/problem+json",
        "text/json",
        "application/",
        "json",
        "*/*",
        "text/plain; application/json",
        "text/plain, application/json",
    ] {
        let reply = Call::token().body(kind, "{}").send(&app).await;
        reply.expect_problem(kind, 415, "unsupported_media_type");
    }
    let reply = Call::token().untyped_body("{}").send(&app).await;
    reply.expect_problem("no content type", 415, "unsupported_media_type");
}

#[tokio::test]
async fn body_that_is_not_a_json_object_is_rejected() {
    let app = Env::offline().app();
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("null",                     "null"),
        ("an array",                 "[]"),
        ("an array with a request",  r#"[{"room_name":"standup"}]"#),
        ("a string",                 r#""standup""#),
        ("a number",                 "1"),
        ("true",                     "true"),
        ("blanks",                   "   "),
        ("a form",                   "room_name=standup"),
        ("cut off",                  r#"{"room_name":"standup""#),
        ("something after it",       r#"{"room_name":"standup"} {}"#),
        ("a comma too many",         r#"{"room_name":"standup",}"#),
        ("a comment",                r#"{/* room */"room_name":"standup"}"#),
        ("single quotes",            "{'room_name':'standup'}"),
        ("no quotes",                "{room_name:1}"),
        ("a byte order mark",        "\u{feff}{}"),
        ("a raw control character",  "{\"room_name\":\"a\nb\"}"),
        ("an escape JSON lacks",     r#"{"room_name":"\x41"}"#),
        ("half a surrogate pair",    r#"{"room_name":"\ud83d"}"#),
        ("the other half",           r#"{"room_name":"\ude00"}"#),
        ("not a number",             r#"{"x":NaN}"#),
        ("nested too deep",          &deep),
    ];
    for (name, body) in rows {
        let reply = Call::token().body("application/json", *body).send(&app).await;
        reply.expect_problem(name, 400, "invalid_request");
    }
    let reply = Call::token().body("application/json", b"{\"room_name\":\"a\xff\"}".to_vec());
    reply.send(&app).await.expect_problem("not UTF-8", 400, "invalid_request");
    let reply = Call::token().body("application/json", b"{\"x\":\"a\xc0\xaf\"}".to_vec());
    reply.send(&app).await.expect_problem("not UTF-8, unknown field", 400, "invalid_request");
}

#[tokio::test]
async fn field_of_the_wrong_type_is_rejected() {
    let app = Env::offline().app();
    #[rustfmt::skip]
    let rows: &[(&str, Value)] = &[
        ("room_name a number",         json!({ "room_name": 1 })),
        ("room_name an object",        json!({ "room_name": {} })),
        ("room_name an array",         json!({ "room_name": ["standup"] })),
        ("room_name a boolean",        json!({ "room_name": false })),
        ("identity a number",          json!({ "participant_identity": 1 })),
        ("name an array",              json!({ "participant_name": ["Ada"] })),
        ("metadata an object",         json!({ "participant_metadata": { "a": 1 } })),
        ("metadata a number",          json!({ "participant_metadata": 0 })),
        ("attributes a string",        json!({ "participant_attributes": "a=b" })),
        ("attributes an array",        json!({ "participant_attributes": [["a", "b"]] })),
        ("attributes an empty array",  json!({ "participant_attributes": [] })),
        ("an attribute a number",      json!({ "participant_attributes": { "a": 1 } })),
        ("an attribute a boolean",     json!({ "participant_attributes": { "a": true } })),
        ("an attribute an object",     json!({ "participant_attributes": { "a": {} } })),
        ("room_config a string",       json!({ "room_config": "x" })),
        ("room_config an array",       json!({ "room_config": [] })),
        ("room_config a number",       json!({ "room_config": 1 })),
        ("agents an object",           json!({ "room_config": { "agents": {} } })),
        ("eleven agents",              json!({ "room_config": { "agents": vec![json!({}); 11] } })),
        ("agent metadata too long",    json!({ "room_config": { "agents": [{ "metadata": text(4097) }] } })),
        ("agents a string",            json!({ "room_config": { "agents": "x" } })),
        ("an agent a string",          json!({ "room_config": { "agents": ["x"] } })),
        ("an agent an array",          json!({ "room_config": { "agents": [[]] } })),
        ("agent_name a number",        json!({ "room_config": { "agents": [{ "agent_name": 1 }] } })),
        ("agent metadata an object",   json!({ "room_config": { "agents": [{ "metadata": {} }] } })),
        ("agent deployment a number",  json!({ "room_config": { "agents": [{ "deployment": 1 }] } })),
    ];
    for (name, body) in rows {
        let reply = Call::asking(body).send(&app).await;
        reply.expect_problem(name, 400, "invalid_request");
    }
}

#[tokio::test]
async fn duplicate_field_is_rejected() {
    let app = Env::offline().app();
    #[rustfmt::skip]
    let rows: &[(&str, &str)] = &[
        ("the same spelling",      r#"{"room_name":"a","room_name":"a"}"#),
        ("both spellings",         r#"{"room_name":"a","roomName":"a"}"#),
        ("the other way round",    r#"{"roomName":"a","room_name":"b"}"#),
        ("one of them null",       r#"{"room_name":null,"roomName":"a"}"#),
        ("one of them empty",      r#"{"room_name":"","roomName":"a"}"#),
        ("written as an escape",   r#"{"room_name":"a","room\u005fname":"b"}"#),
        ("identity",               r#"{"participant_identity":"a","participantIdentity":"a"}"#),
        ("name",                   r#"{"participant_name":"a","participantName":"a"}"#),
        ("metadata",               r#"{"participant_metadata":"a","participantMetadata":"a"}"#),
        ("attributes",             r#"{"participant_attributes":{},"participantAttributes":{}}"#),
        ("room config",            r#"{"room_config":{},"roomConfig":{}}"#),
        ("an attribute",           r#"{"participant_attributes":{"a":"1","a":"2"}}"#),
        ("agents",                 r#"{"room_config":{"agents":[],"agents":[]}}"#),
        ("agent name",             r#"{"room_config":{"agents":[{"agent_name":"","agentName":""}]}}"#),
        ("an unknown field",       r#"{"x":1,"x":2}"#),
    ];
    for (name, body) in rows {
        let reply = Call::token().body("application/json", *body).send(&app).await;
        reply.expect_problem(name, 400, "invalid_request");
    }
}

#[tokio::test]
async fn body_is_limited_to_64_kib() {
    let app = Env::offline().app();
    Call::token()
        .body("application/json", padded(65_536))
        .send(&app)
        .await
        .expect_issued("65,536 bytes");
    for (name, kind, size) in [
        ("65,537 bytes", "application/json", 65_537),
        ("6 MB", "application/json", 6_000_000),
        ("65,537 bytes of text", "text/plain", 65_537),
    ] {
        let reply = Call::token().body(kind, padded(size)).send(&app).await;
        reply.expect_problem(name, 413, "content_too_large");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    let app = Env::offline().app();
    let body = json!({
        "room_name": "standup",
        "video": { "roomAdmin": true, "roomCreate": true },
        "ttl": 86_400,
        "canPublishSources": [],
        "participant_kind": "agent",
        "__proto__": { "room_name": "other" },
    });
    let asked = Call::asking(&body).send(&app).await;
    let plain = Call::asking(&json!({ "room_name": "standup" })).send(&app).await;
    assert_eq!(asked.participant(), plain.participant());
}

#[tokio::test]
async fn body_is_checked_after_authentication() {
    let app = Env::offline().app();
    for (name, kind, body) in [
        ("not JSON", "application/json", "{".to_owned()),
        ("too large", "application/json", padded(70_000)),
        ("another kind", "text/plain", "x".to_owned()),
        ("a forbidden field", "application/json", r#"{"participant_identity":"x"}"#.to_owned()),
    ] {
        let reply = Call::bare().body(kind, body.clone()).send(&app).await;
        reply.expect_problem(name, 401, "missing_token");
        let reply = Call::bare().bearer("a.b.c").body(kind, body).send(&app).await;
        reply.expect_problem(name, 401, "invalid_token");
    }
}

/// Each fault, and the words of the detail that distinguish it.
#[tokio::test]
async fn fault_of_a_body_is_named() {
    let app = Env::offline().app();
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0xae, 5, 0, 0x43, 0xbf, 0xa6, 0xa3, 2, 0];
    #[rustfmt::skip]
    let rows: &[(&str, &[u8], &str)] = &[
        ("a byte order mark",        "\u{feff}{}".as_bytes(),                          "byte order mark"),
        ("a mark and a request",     "\u{feff}{\"room_name\":\"a\"}".as_bytes(),       "byte order mark"),
        ("a mark in a string",       "{\"x\":\"\u{feff}\"".as_bytes(),                 "complete"),
        ("null",                     b"null",                                         "null"),
        ("null with blanks",         b" null\n",                                      "null"),
        ("a list",                   b"[]",                                           "object"),
        ("a string",                 b"\"standup\"",                                  "object"),
        ("the first half of a pair", br#"{"room_name":"\ud83d"}"#,                     "surrogate"),
        ("the second half",          br#"{"room_name":"\ude00"}"#,                     "surrogate"),
        ("two first halves",         br#"{"room_name":"\ud83d\ud83d"}"#,               "surrogate"),
        ("a half in a name",         br#"{"\ud83d":1}"#,                               "surrogate"),
        ("a half after a pair",      br#"{"x":"\ud83d\ude00\ud83d"}"#,                 "surrogate"),
        ("an escaped backslash",     br#"{"x":"\\ud83d",}"#,                           "valid JSON"),
        ("gzip",                     &gzip,                                           "compressed"),
        ("UTF-16",                   &utf_16("{}"),                                   "UTF-8"),
        ("UTF-16 with a mark",       &utf_16("\u{feff}{}"),                           "UTF-8"),
        ("Latin-1",                  b"{\"room_name\":\"caf\xe9\"}",                   "UTF-8"),
        ("an overlong slash",        b"{\"x\":\"\xc0\xaf\"}",                          "UTF-8"),
        ("a member twice",           br#"{"room_name":"a","room_name":"a"}"#,          "two members"),
        ("a member twice, deep",     br#"{"x":[{"a":1,"a":1}]}"#,                      "two members"),
        ("two objects",              b"{} {}",                                        "after it"),
        ("a comma after it",         b"{},",                                          "after it"),
        ("a NUL after it",           b"{\"a\":1}\0",                                  "after it"),
        ("an end that is missing",   br#"{"room_name":"standup""#,                     "complete"),
        ("a string without end",     br#"{"room_name":"#,                              "complete"),
        ("a form",                   b"room_name=standup",                            "valid JSON"),
        ("a comma too many",         br#"{"room_name":"a",}"#,                         "valid JSON"),
    ];
    for (name, body, expected) in rows {
        let reply = Call::token().body("application/json", *body).send(&app).await;
        reply.expect_problem(name, 400, "invalid_request");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.starts_with("the body must"), "{name}: {detail}");
        assert!(detail.contains(expected), "{name}: {detail}");
        assert!(!detail.contains("standup"), "{name}: {detail}");
    }
    let pair = br#"{"room_name":"\ud83d\ude00"}"#;
    let reply = Call::token().body("application/json", *pair).send(&app).await;
    assert_eq!(reply.participant()["video"]["room"], "\u{1f600}", "a whole pair");
}

#[tokio::test]
async fn compressed_body_is_refused_by_its_content_encoding() {
    let app = Env::offline().app();
    for encoding in ["gzip", "GZIP", "br", "deflate", "zstd", "identity, gzip", "x"] {
        let call = Call::asking(&json!({})).header("content-encoding", encoding);
        let reply = call.send(&app).await;
        reply.expect_problem(encoding, 415, "unsupported_media_type");
        assert!(reply.json()["detail"].as_str().unwrap().contains("compressed"), "{encoding}");
    }
    for encoding in ["identity", "Identity", ""] {
        let call = Call::asking(&json!({})).header("content-encoding", encoding);
        call.send(&app).await.expect_issued(encoding);
    }
    Call::token().header("content-encoding", "gzip").send(&app).await.expect_issued("no body");
}
