//! A backend's signed request, from a valid start.

use aws_lc_rs::{digest, hmac};
use serde_json::{Value, json};

use super::app::Env;
use super::call::Call;
use super::reply::Reply;
use super::tokens::{NOW, decode_part};

pub(crate) const KEY: &str = "backend-1";
pub(crate) const SECRET: &str = "a secret of thirty-two bytes....";
pub(crate) const NEXT_SECRET: &str = "another one, of more than 32 bytes";

fn keys() -> String {
    json!({ KEY: SECRET, "backend-2": NEXT_SECRET }).to_string()
}

pub(crate) fn env() -> Env {
    Env::offline().with("BACKEND_API_KEYS", &keys())
}

pub(crate) fn body() -> Value {
    json!({ "roomId": "room-abc", "userId": "user-123", "name": "Alice", "role": "participant" })
}

/// A signed request. Each row changes one thing of it.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// The signed path, if it is not the path itself.
    pub(crate) other_path: Option<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) secret: &'static str,
    pub(crate) timestamp: String,
    pub(crate) body: String,
}

impl Signed {
    pub(crate) fn new(body: &Value) -> Self {
        Self {
            method: "POST",
            path: "/v1/token".into(),
            other_path: None,
            headers: vec![("x-api-key", KEY.into())],
            secret: SECRET,
            timestamp: NOW.to_string(),
            body: body.to_string(),
        }
    }

    pub(crate) fn signature(&self) -> String {
        let path = self.other_path.as_ref().unwrap_or(&self.path);
        let hash = hex::encode(digest::digest(&digest::SHA256, self.body.as_bytes()));
        let text = format!("{}\n{path}\n{}\n{hash}", self.method, self.timestamp);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_bytes());
        format!("sha256={}", hex::encode(hmac::sign(&key, text.as_bytes())))
    }

    /// The request with its headers, the signature last.
    pub(crate) fn call(&self) -> Call {
        let call = Call::bare().at(self.method, &self.path);
        let call = self.headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.header("x-rtcstack-timestamp", &self.timestamp)
            .header("x-rtcstack-signature", &self.signature())
            .body("application/json", self.body.clone())
    }

    pub(crate) async fn send(&self, env: &Env) -> Reply {
        self.call().send(&env.app()).await
    }
}

pub(crate) fn claims_of(reply: &Reply) -> Value {
    decode_part(reply.json()["token"].as_str().unwrap(), 1)
}
