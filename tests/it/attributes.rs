//! `participant_attributes`: their number, length and keys.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{Call, Env, Reply, text};

/// Sends a request to a deployment whose tokens may be long enough for any attribute.
async fn post_token(attributes: &BTreeMap<String, String>) -> Reply {
    let app = Env::offline().with("MAX_TOKEN_BYTES", "65536").app();
    Call::asking(&json!({ "participant_attributes": attributes })).send(&app).await
}

fn one(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

fn many(count: usize) -> BTreeMap<String, String> {
    (0..count).map(|index| (format!("k{index}"), "v".to_owned())).collect()
}

#[tokio::test]
async fn attributes_of_the_client_are_added_to_those_of_roomkey() {
    let reply = post_token(&one("seat", "12")).await;
    let attributes = &reply.participant()["attributes"];
    assert_eq!(attributes["seat"], "12");
    for ours in ["color", "imageUrl", "role"] {
        assert!(attributes[ours].is_string(), "{ours}: {attributes}");
    }
    assert_eq!(attributes.as_object().unwrap().len(), 4, "{attributes}");
}

#[tokio::test]
async fn attributes_are_accepted_up_to_their_limits() {
    #[rustfmt::skip]
    let rows = [
        ("a key of one letter",         one("k", "v")),
        ("a key of 64",                 one(&text(64), "v")),
        ("every kind of letter",        one("AZaz_.-09", "v")),
        ("4,096 bytes with the key",    one("k", &text(4_095))),
        ("64 of them",                  many(64)),
        ("any text as value",           one("k", "line\nline \u{1f44b}")),
        ("nearly reserved: another spelling",     one("colour", "v")),
        ("nearly reserved: lk",         one("lk", "v")),
        ("nearly reserved: lkx.a",      one("lkx.a", "v")),
        ("nearly reserved: a.lk.b",     one("a.lk.b", "v")),
        ("nearly reserved: sip_a",      one("sip_a", "v")),
        ("nearly reserved: guests",     one("guests", "v")),
        ("nearly reserved: ingress",    one("ingress", "v")),
        ("nearly reserved: proto",      one("proto", "v")),
        ("nearly reserved: roles",      one("roles", "v")),
        ("nearly reserved: userid",     one("userid", "v")),
        ("nearly reserved: image_url",  one("image_url", "v")),
    ];
    for (name, attributes) in rows {
        let reply = post_token(&attributes).await;
        let got = reply.participant()["attributes"].clone();
        for (key, value) in &attributes {
            assert_eq!(got[key], *value, "{name}");
        }
    }
}

#[tokio::test]
async fn attributes_are_rejected_beyond_their_limits() {
    #[rustfmt::skip]
    let rows = [
        ("an empty key",              one("", "v")),
        ("a key of 65",               one(&text(65), "v")),
        ("a blank in the key",        one("a b", "v")),
        ("an accent in the key",      one("é", "v")),
        ("a slash in the key",        one("a/b", "v")),
        ("a colon in the key",        one("a:b", "v")),
        ("a line feed in the key",    one("a\n", "v")),
        ("a NUL in the key",          one("a\0", "v")),
        ("a dot at the start",        one(".a", "v")),
        ("a dot at the end",          one("a.", "v")),
        ("a hyphen at the start",     one("-a", "v")),
        ("a hyphen at the end",       one("a-", "v")),
        ("an underscore at the start", one("_a", "v")),
        ("an underscore at the end",  one("a_", "v")),
        ("a dot alone",               one(".", "v")),
        ("half of a reserved key",    one("__proto_", "v")),
        ("a full-width letter",       one("ｃolor", "v")),
        ("4,097 bytes with the key",  one("k", &text(4_096))),
        ("65 of them",                many(65)),
    ];
    for (name, attributes) in rows {
        post_token(&attributes).await.expect_problem(name, 400, "invalid_request");
    }
}

#[tokio::test]
async fn reserved_attribute_is_rejected_in_any_case() {
    for key in [
        "color",
        "Color",
        "COLOR",
        "imageUrl",
        "imageurl",
        "IMAGEURL",
        "email",
        "Email",
        "name",
        "NAME",
        "sub",
        "Sub",
        "user_id",
        "User_ID",
        "identity",
        "Identity",
        "role",
        "ROLE",
        "guest",
        "Guest",
        "machine",
        "MACHINE",
        "hand_raised_at",
        "Hand_Raised_At",
        "__proto__",
        "__PROTO__",
        "constructor",
        "Constructor",
        "prototype",
        "lk.agent.state",
        "LK.x",
        "lK.",
        "sip.phoneNumber",
        "Sip.trunkID",
        "sip.",
        "ingress.x",
        "INGRESS.state",
    ] {
        post_token(&one(key, "v")).await.expect_problem(key, 403, "field_not_allowed");
        let reply = post_token(&one(key, "v")).await;
        let detail = reply.json()["detail"].as_str().unwrap().to_ascii_lowercase();
        let known = key.split_inclusive('.').next().unwrap().to_ascii_lowercase();
        assert!(detail.contains(&known), "{key}: {detail}");
        let mut among = many(3);
        among.insert(key.to_owned(), String::new());
        post_token(&among).await.expect_problem(key, 403, "field_not_allowed");
    }
}

#[tokio::test]
async fn empty_attributes_need_no_permission() {
    let app = Env::offline().app();
    for body in [
        json!({ "participant_attributes": null }),
        json!({ "participant_attributes": {} }),
        json!({ "participantAttributes": {} }),
    ] {
        let reply = Call::asking(&body).send(&app).await;
        assert_eq!(reply.participant()["attributes"].as_object().unwrap().len(), 3, "{body}");
    }
}
