//! LiveKit's own crates verify participant tokens and send requests to the endpoint.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use livekit_api::access_token::{Claims, TokenVerifier};
use livekit_token_source::{
    TokenSourceConfigurable as _, TokenSourceError, TokenSourceFetchOptions, endpoint,
};
use roomkey::App;
use serde_json::{Value, json};

use crate::support::{API_KEY, API_SECRET, Call, Env, Server, clock, merge, today, token};

async fn judged(env: &Env, body: &Value) -> Claims {
    let call = Call::bare().bearer(&token(&today())).json(body);
    let token = call.send_at(&env.app(), clock()).await.participant_token();
    TokenVerifier::with_api_key(API_KEY, API_SECRET).verify(&token).expect("LiveKit accepts it")
}

/// The app behind a real socket, as behind a gateway.
fn serve(app: Arc<App>) -> Server {
    Server::start(move |request: Request<Body>| {
        let app = Arc::clone(&app);
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
            let answer = app.handle(Request::from_parts(parts, body), clock()).await;
            Response::map(answer, Body::from)
        }
    })
}

#[tokio::test]
async fn livekit_verifier_reads_every_claim() {
    let body = json!({
        "room_name": "standup",
        "participant_metadata": "m",
        "participant_attributes": { "seat": "12" },
    });
    let claims = judged(&Env::offline(), &body).await;
    assert_eq!(claims.iss, API_KEY);
    assert_eq!(claims.sub, "ada@example.com");
    assert_eq!(claims.name, "Ada Lovelace");
    assert_eq!(claims.metadata, "m");
    assert_eq!(claims.attributes["seat"], "12");
    assert_eq!(claims.attributes["role"], "participant");
    assert_eq!(claims.kind, "");
    assert_eq!(claims.room_config, None);
    assert_eq!(claims.exp - claims.nbf, 600);

    let video = claims.video;
    assert!(video.room_join);
    assert_eq!(video.room, "standup");
    assert_eq!(video.can_publish, Some(true));
    assert_eq!(video.can_subscribe, Some(true));
    assert_eq!(video.can_publish_data, Some(true));
    assert_eq!(video.can_update_own_metadata, Some(false));
    assert_eq!(video.destination_room, "");
    let beyond_the_room = [
        video.room_create,
        video.room_list,
        video.room_record,
        video.room_admin,
        video.ingress_admin,
        video.hidden,
        video.recorder,
        video.agent,
    ];
    assert_eq!(beyond_the_room, [false; 8]);
    assert_eq!((claims.sip.admin, claims.sip.call), (false, false));
}

#[tokio::test]
async fn livekit_verifier_rejects_another_key_or_secret() {
    let call = Call::bare().bearer(&token(&today()));
    let token = call.send_at(&Env::offline().app(), clock()).await.participant_token();
    for (key, secret) in [("other", API_SECRET), (API_KEY, "another-secret-of-32-bytes-or-more")] {
        assert!(TokenVerifier::with_api_key(key, secret).verify(&token).is_err(), "{key}");
    }
}

#[tokio::test]
async fn livekit_protocol_reads_the_room_config() {
    let body = json!({ "room_config": { "agents": [{ "metadata": "am" }], "future": 1 } });
    let claims = judged(&Env::offline(), &body).await;
    let config = claims.room_config.expect("a room config");
    assert_eq!(config.agents.len(), 1);
    assert_eq!(config.agents[0].metadata, "am");
    assert_eq!(config.agents[0].agent_name, "");
    let rest =
        livekit_protocol::RoomConfiguration { agents: config.agents.clone(), ..Default::default() };
    assert_eq!(config, rest, "and nothing else");
}

/// Every value that LiveKit's own types serialize is accepted. They write camel case.
#[tokio::test]
async fn livekit_protocol_request_is_understood() {
    let request = livekit_protocol::TokenSourceRequest {
        room_name: Some("standup".into()),
        participant_metadata: Some("m".into()),
        room_config: Some(livekit_protocol::RoomConfiguration::default()),
        ..Default::default()
    };
    let claims = judged(&Env::offline(), &serde_json::to_value(&request).unwrap()).await;
    assert_eq!((claims.video.room.as_str(), claims.metadata.as_str()), ("standup", "m"));

    let recording = livekit_protocol::RoomConfiguration {
        egress: Some(livekit_protocol::RoomEgress {
            room: Some(livekit_protocol::RoomCompositeEgressRequest {
                room_name: "standup".into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let body = json!({ "room_config": recording });
    let reply = Call::asking(&body).send(&Env::offline().app()).await;
    reply.expect_problem("egress", 403, "field_not_allowed");
}

#[tokio::test]
async fn livekit_token_source_gets_a_token() {
    let server = serve(Env::offline().app());
    let source = endpoint(format!("{}/token", server.url()))
        .with_header("Authorization", format!("Bearer {}", token(&today())));
    let verifier = TokenVerifier::with_api_key(API_KEY, API_SECRET);

    let plain = source.fetch(&TokenSourceFetchOptions::new()).await.expect("a token");
    assert_eq!(plain.server_url, "wss://livekit.example");
    assert!(plain.has_valid_token());
    let claims = verifier.verify(&plain.participant_token).unwrap();
    assert!(claims.video.room.starts_with("room-"));

    let options = TokenSourceFetchOptions::new()
        .with_room_name("standup")
        .with_participant_name("Ada Lovelace")
        .with_participant_identity("ada@example.com")
        .with_participant_metadata("m")
        .with_participant_attribute("seat", "12")
        .with_agent_metadata("am");
    let full = source.fetch(&options).await.expect("a token");
    let claims = verifier.verify(&full.participant_token).unwrap();
    assert_eq!(claims.video.room, "standup");
    assert_eq!(claims.attributes["seat"], "12");
    assert_eq!(claims.room_config.unwrap().agents[0].metadata, "am");

    let empty = TokenSourceFetchOptions::new()
        .with_room_name("")
        .with_participant_name("")
        .with_participant_identity("")
        .with_agent_name("");
    source.fetch(&empty).await.expect("empty options are no options");
}

#[tokio::test]
async fn livekit_token_source_caches_the_token() {
    let server = serve(Env::offline().app());
    let source = endpoint(format!("{}/token", server.url()))
        .with_header("Authorization", format!("Bearer {}", token(&today())))
        .cached();
    let options = TokenSourceFetchOptions::new();
    let first = source.fetch(&options).await.unwrap();
    let second = source.fetch(&options).await.unwrap();
    assert_eq!(first.participant_token, second.participant_token, "valid for over a minute");
}

#[tokio::test]
async fn livekit_token_source_reports_rejections() {
    let server = serve(Env::offline().app());
    let expired = merge(today(), &json!({ "exp": 1_767_225_600 }));
    for (bearer, options, status, code) in [
        (token(&expired), TokenSourceFetchOptions::new(), 401, "token_expired"),
        (
            token(&today()),
            TokenSourceFetchOptions::new().with_agent_name("x"),
            403,
            "agent_not_allowed",
        ),
        (
            token(&today()),
            TokenSourceFetchOptions::new().with_participant_identity("mallory"),
            403,
            "field_not_allowed",
        ),
    ] {
        let source = endpoint(format!("{}/token", server.url()))
            .with_header("Authorization", format!("Bearer {bearer}"));
        match source.fetch(&options).await {
            Err(TokenSourceError::Server { status: got, body }) => {
                assert_eq!(got, status, "{body}");
                assert!(body.contains(code), "{body}");
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}
