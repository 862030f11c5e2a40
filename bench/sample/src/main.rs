//! The Rust sample of LiveKit's documentation as a Lambda function, which first verifies an identity
//! provider's token.

use std::env;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use lambda_http::http::header;
use lambda_http::{Body, Error, Request, RequestPayloadExt, Response, run, service_fn, tracing};
use livekit_api::access_token::{AccessToken, VideoGrants};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const PALETTE: [&str; 15] = [
    "#E74C3C", "#8E44AD", "#6C5CE7", "#2E86AB", "#1E3A8A", "#059669", "#D97706", "#DC2626",
    "#7C2D12", "#92400E", "#78350F", "#374151", "#0D9488", "#7C3AED", "#5B21B6",
];

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Secret {
    livekit_url: String,
    livekit_api_key: String,
    livekit_api_secret: String,
}

struct State {
    secret: Secret,
    keys: JwkSet,
    issuer: String,
    audience: String,
}

#[derive(Deserialize)]
struct Claims {
    email: String,
    #[serde(default)]
    email_verified: bool,
    name: Option<String>,
}

#[derive(Deserialize, Default)]
struct TokenRequest {
    room_name: Option<String>,
    participant_metadata: Option<String>,
}

#[derive(Serialize)]
struct TokenResponse<'a> {
    server_url: &'a str,
    participant_token: String,
    room_name: String,
    participant_name: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let secret = aws_sdk_secretsmanager::Client::new(&config)
        .get_secret_value()
        .secret_id(env::var("LIVEKIT_SECRET_ID")?)
        .send()
        .await?;
    let secret = serde_json::from_str(secret.secret_string().ok_or("no secret string")?)?;
    let keys = reqwest::get(env::var("OIDC_JWKS_URI")?).await?.error_for_status()?.json().await?;
    let state = State {
        secret,
        keys,
        issuer: env::var("OIDC_ISSUER")?,
        audience: env::var("OIDC_AUDIENCE")?,
    };
    let state = &state;
    run(service_fn(move |request| async move { handle(state, request) })).await
}

fn handle(state: &State, request: Request) -> Result<Response<Body>, Error> {
    let Some(claims) = bearer(&request).and_then(|token| authenticate(state, token)) else {
        return answer(401, &serde_json::json!({"code": "invalid_token"}));
    };
    if !claims.email_verified {
        return answer(403, &serde_json::json!({"code": "email_not_verified"}));
    }
    let asked: TokenRequest = request.payload()?.unwrap_or_default();
    let room = asked.room_name.unwrap_or_else(|| "lobby".to_owned());
    let name = claims.name.unwrap_or_else(|| "Unnamed User".to_owned());
    let first = usize::from(Sha256::digest(&claims.email)[0]);
    let color = PALETTE[first % PALETTE.len()];
    let token =
        AccessToken::with_api_key(&state.secret.livekit_api_key, &state.secret.livekit_api_secret)
            .with_identity(&claims.email)
            .with_name(&name)
            .with_ttl(std::time::Duration::from_secs(600))
            .with_metadata(asked.participant_metadata.as_deref().unwrap_or_default())
            .with_attributes([("color", color)])
            .with_grants(VideoGrants { room_join: true, room: room.clone(), ..Default::default() })
            .to_jwt()?;
    tracing::info!(room, "issued a token");
    answer(
        201,
        &TokenResponse {
            server_url: &state.secret.livekit_url,
            participant_token: token,
            room_name: room,
            participant_name: name,
        },
    )
}

fn bearer(request: &Request) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn authenticate(state: &State, token: &str) -> Option<Claims> {
    let header = decode_header(token).ok()?;
    let jwk = state.keys.find(header.kid.as_deref()?)?;
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let allowed = [Algorithm::RS256, Algorithm::ES256];
    if !allowed.contains(&header.alg) {
        return None;
    }
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[&state.issuer]);
    validation.set_audience(&[&state.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    decode::<Claims>(token, &key, &validation).ok().map(|data| data.claims)
}

fn answer(status: u16, body: &impl Serialize) -> Result<Response<Body>, Error> {
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("cache-control", "no-store")
        .header("access-control-allow-origin", "https://app.example")
        .body(serde_json::to_string(body)?.into())?)
}
