//! AWS Secrets Manager's `GetSecretValue` over its real protocol (JSON 1.1). It records every
//! request.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::app::{API_KEY, API_SECRET};
use super::server::{Server, lock};

/// A fault of Secrets Manager.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SecretFault {
    /// 400 with this AWS error.
    Error(&'static str),
    /// 500 `InternalServiceError`.
    Internal,
    /// A `SecretBinary` in place of the string.
    Binary,
    /// A `SecretString` that is this text.
    Text(&'static str),
    /// The regular response after this many milliseconds.
    Slow(u64),
    /// No response.
    Hang,
}

impl SecretFault {
    /// Whether a client waits until its own time limit.
    pub(crate) const fn hangs(self) -> bool {
        matches!(self, Self::Slow(_) | Self::Hang)
    }
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Serves one secret until dropped.
pub(crate) struct FakeSecretsManager {
    server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    secret: Value,
    fault: Option<SecretFault>,
    asked: Vec<Asked>,
}

impl FakeSecretsManager {
    /// The ID of the secret.
    pub(crate) const SECRET_ID: &'static str = "prod/livekit";

    /// Starts with the keys of [`Env::offline`](super::Env::offline).
    pub(crate) fn start() -> Self {
        let secret = Self::secret(API_KEY, API_SECRET);
        let state = Arc::new(Mutex::new(State { secret, fault: None, asked: Vec::new() }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(Arc::clone(&shared), request));
        Self { server, state }
    }

    /// The JSON of a secret with this pair.
    pub(crate) fn secret(key: &str, secret: &str) -> Value {
        json!({
            "LIVEKIT_URL": "wss://livekit.example",
            "LIVEKIT_API_KEY": key,
            "LIVEKIT_API_SECRET": secret,
        })
    }

    /// For `AWS_ENDPOINT_URL_SECRETS_MANAGER`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Replaces the secret.
    pub(crate) fn keep(&self, secret: Value) {
        self.state().secret = secret;
    }

    /// Injects a fault.
    pub(crate) fn inject(&self, fault: SecretFault) {
        self.state().fault = Some(fault);
    }

    /// Removes the fault.
    pub(crate) fn restore(&self) {
        self.state().fault = None;
    }

    /// Refuses connections.
    pub(crate) fn down(&self) {
        self.server.down();
    }

    /// Accepts connections again.
    pub(crate) fn up(&self) {
        self.server.up();
    }

    /// All requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 65_536).await.unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (fault, secret) = {
        let mut state = lock(&state);
        state.asked.push(Asked { headers: parts.headers.clone(), body: Value::clone(&body) });
        (state.fault, state.secret.to_string())
    };
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    if target != Some("secretsmanager.GetSecretValue") {
        return error(400, "UnknownOperationException");
    }
    if body["SecretId"] != FakeSecretsManager::SECRET_ID {
        return error(400, "ResourceNotFoundException");
    }
    match fault {
        Some(SecretFault::Error(name)) => error(400, name),
        Some(SecretFault::Internal) => error(500, "InternalServiceError"),
        Some(SecretFault::Hang) => std::future::pending().await,
        Some(SecretFault::Binary) => value(&json!({ "SecretBinary": "AAECAw==" })),
        Some(SecretFault::Text(text)) => value(&json!({ "SecretString": text })),
        Some(SecretFault::Slow(millis)) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            value(&json!({ "SecretString": secret }))
        }
        // Without a stage the response may be an older version, so the current one must be requested.
        None if body["VersionStage"] != "AWSCURRENT" => {
            let previous =
                FakeSecretsManager::secret("previous", "previous-secret-previous-secret!");
            value(&json!({ "SecretString": previous.to_string() }))
        }
        None => value(&json!({ "SecretString": secret })),
    }
}

fn value(content: &Value) -> Response<Body> {
    let mut body = json!({
        "ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/livekit-AbCdEf",
        "Name": FakeSecretsManager::SECRET_ID,
        "VersionId": "a1b2c3d4-5678-90ab-cdef-example11111",
        "VersionStages": ["AWSCURRENT"],
        "CreatedDate": 1_700_000_000.0,
    });
    let members = content.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(members);
    respond(200, &body)
}

fn error(status: u16, name: &str) -> Response<Body> {
    respond(status, &json!({ "__type": name, "Message": "upstream-words-nobody-should-see" }))
}

fn respond(status: u16, body: &Value) -> Response<Body> {
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/x-amz-json-1.1");
    response.body(Body::from(body.to_string())).unwrap()
}
