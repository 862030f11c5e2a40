//! The response and every claim of the participant token.

use serde_json::{Value, json};

use crate::support::{API_KEY, Call, Env, NOW, at, decode_part, text};

const SOURCES: [&str; 4] = ["camera", "microphone", "screen_share", "screen_share_audio"];

#[tokio::test]
async fn response_has_the_fields_that_sdks_read() {
    let app = Env::offline().app();
    let reply = Call::asking(&json!({ "room_name": "standup" })).send(&app).await;
    reply.expect_issued("a token");
    let mut body = reply.json();
    let token = body["participant_token"].take();
    assert_eq!(token.as_str().unwrap().split('.').count(), 3);
    let expected = json!({
        "server_url": "wss://livekit.example",
        "participant_token": null,
        "room_name": "standup",
        "participant_name": "Ada Lovelace",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn participant_token_has_exactly_these_claims() {
    let app = Env::offline().app();
    let body = json!({
        "room_name": "standup",
        "participant_metadata": "m",
        "participant_attributes": { "seat": "12" },
        "room_config": { "agents": [{ "metadata": "am" }] },
    });
    let reply = Call::asking(&body).send(&app).await;
    let header = decode_part(&reply.participant_token(), 0);
    assert_eq!(header, json!({ "typ": "JWT", "alg": "HS256" }));
    let mut claims = reply.participant();
    let jti = claims["jti"].take();
    assert!(jti.as_str().is_some_and(|jti| jti.len() >= 16), "{jti}");
    let color = claims["attributes"]["color"].take();
    let video = claims["video"].take();
    let expected = json!({
        "iss": API_KEY,
        "sub": "ada@example.com",
        "name": "Ada Lovelace",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
        "jti": null,
        "video": null,
        "metadata": "m",
        "attributes": {
            "seat": "12", "role": "participant", "imageUrl": "https://img.example/ada.png", "color": null,
        },
        "roomConfig": { "agents": [{ "metadata": "am" }] },
    });
    assert_eq!(claims, expected);
    assert!(color.as_str().unwrap().starts_with('#'));
    expect_participant_grants(&video);
}

fn expect_participant_grants(video: &Value) {
    for (grant, expected) in [
        ("roomJoin", json!(true)),
        ("room", json!("standup")),
        ("canPublish", json!(true)),
        ("canPublishData", json!(true)),
        ("canSubscribe", json!(true)),
        ("canUpdateOwnMetadata", json!(false)),
        ("canSubscribeMetrics", json!(false)),
        ("canManageAgentSession", json!(false)),
    ] {
        assert_eq!(video[grant], expected, "{grant} is written out");
    }
    assert!(matches!(video["roomAdmin"], Value::Null | Value::Bool(false)), "{video}");
    if let Some(sources) = video.get("canPublishSources") {
        let sources = sources.as_array().unwrap();
        assert!(!sources.is_empty(), "an empty list means every source");
        for source in sources {
            assert!(SOURCES.contains(&source.as_str().unwrap()), "{source}");
        }
    }
}

#[tokio::test]
async fn participant_token_grants_nothing_beyond_its_room() {
    let app = Env::offline().app();
    for body in [json!({}), json!({ "room_name": "standup" })] {
        let claims = Call::asking(&body).send(&app).await.participant();
        for grant in [
            "roomCreate",
            "roomList",
            "roomRecord",
            "ingressAdmin",
            "agent",
            "hidden",
            "recorder",
            "destinationRoom",
        ] {
            assert_eq!(claims["video"].get(grant), None, "{grant}");
        }
        for claim in
            ["kind", "kindDetails", "sip", "agent", "inference", "roomPreset", "sha256", "aud"]
        {
            assert_eq!(claims.get(claim), None, "{claim}");
        }
        assert!(!claims["video"]["room"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn participant_token_times_are_whole_seconds_from_issue() {
    for ttl in ["61", "600", "86400"] {
        let app = Env::offline().with("TOKEN_TTL_SECONDS", ttl).app();
        let later = at(NOW + 7) + std::time::Duration::from_millis(999);
        let reply = Call::token().send_at(&app, later).await;
        let claims = reply.participant();
        assert_eq!(claims["nbf"].as_u64(), Some(NOW + 7), "whole seconds, rounded down");
        assert_eq!(claims["iat"].as_u64(), Some(NOW + 7));
        assert_eq!(claims["exp"].as_u64(), Some(NOW + 7 + ttl.parse::<u64>().unwrap()));
    }
}

#[tokio::test]
async fn participant_token_is_deterministic_for_a_request_and_time() {
    let body = json!({
        "room_name": "standup",
        "participant_attributes": { "z": "1", "a": "2", "m": "3", "k": "4", "b": "5" },
    });
    let first = Call::asking(&body).send(&Env::offline().app()).await;
    let again = Call::asking(&body).send(&Env::offline().app()).await;
    assert_eq!(first.text(), again.text());
    let mut ids = vec![first.participant()["jti"].clone()];
    for other in [
        json!({ "room_name": "standup" }),
        json!({ "room_name": "other" }),
        json!({ "room_name": "standup", "participant_metadata": "m" }),
    ] {
        let jti =
            Call::asking(&other).send(&Env::offline().app()).await.participant()["jti"].take();
        assert!(!ids.contains(&jti), "{other} has an id of its own");
        ids.push(jti);
    }
    let later = Call::asking(&body).send_at(&Env::offline().app(), at(NOW + 1)).await;
    assert!(!ids.contains(&later.participant()["jti"]), "another time, another id");
}

#[tokio::test]
async fn participant_token_is_limited_in_length() {
    let body = json!({ "room_name": "standup", "participant_metadata": text(3_000) });
    let length = Call::asking(&body).send(&Env::offline().app()).await.participant_token().len();
    let exact = Env::offline().with("MAX_TOKEN_BYTES", &length.to_string()).app();
    Call::asking(&body).send(&exact).await.expect_issued("as long as allowed");
    let short = Env::offline().with("MAX_TOKEN_BYTES", &(length - 1).to_string()).app();
    let reply = Call::asking(&body).send(&short).await;
    reply.expect_problem("one byte longer", 413, "content_too_large");

    let app = Env::offline().app();
    let attributes = json!({ "a": text(4_000) });
    let body = json!({ "participant_metadata": text(4_096), "participant_attributes": attributes });
    let reply = Call::asking(&body).send(&app).await;
    reply.expect_problem("over the default of 6,144", 413, "content_too_large");
}

#[tokio::test]
async fn server_url_is_that_of_the_configuration() {
    for url in ["wss://livekit.example", "wss://livekit.example/", "ws://127.0.0.1:7880"] {
        let app = Env::offline().with("LIVEKIT_URL", url).app();
        assert_eq!(Call::token().send(&app).await.json()["server_url"], url);
    }
}
