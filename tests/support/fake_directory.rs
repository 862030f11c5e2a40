//! The user directories of Clerk (`GET /v1/users/{id}`) and WorkOS (`GET /user_management/users/{id}`)
//! on a real socket, with a memory.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::fault::Fault;
use super::server::{Server, lock};
use super::tokens::merge;

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// Serves one person for every ID until dropped, if the request has its key.
pub(crate) struct FakeDirectory {
    server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    key: String,
    /// The changes to the person.
    change: Value,
    fault: Option<Fault>,
    asked: Vec<Asked>,
}

impl FakeDirectory {
    /// The accepted key.
    pub(crate) const KEY: &'static str = "sk_test_c2VjcmV0LW9mLXRoZS1vcGVyYXRvcg";

    pub(crate) fn start() -> Self {
        let state =
            State { key: Self::KEY.to_owned(), change: json!({}), fault: None, asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(&shared, &request));
        Self { server, state }
    }

    /// For `CLERK_API_URL` and `WORKOS_API_URL`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Changes the person from now on.
    pub(crate) fn introduce(&self, change: &Value) {
        self.state().change = change.clone();
    }

    /// Accepts only this key from now on.
    pub(crate) fn rotate(&self, key: &str) {
        key.clone_into(&mut self.state().key);
    }

    /// Injects a fault.
    pub(crate) fn inject(&self, fault: Fault) {
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

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// The number of requests.
    pub(crate) fn count(&self) -> usize {
        self.state().asked.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn answer(
    state: &Mutex<State>,
    request: &Request<Body>,
) -> impl Future<Output = Response<Body>> + Send + use<> {
    let headers = request.headers().clone();
    let (method, target) = (request.method().to_string(), request.uri().to_string());
    let (fault, good) = {
        let mut state = lock(state);
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
        let is_known = shown == Some(&format!("Bearer {}", state.key));
        let person = person(request.uri().path()).filter(|_| method == "GET");
        state.asked.push(Asked { method, target, headers });
        match person {
            _ if !is_known => (Some(Fault::Status(401)), Value::Null),
            None => (Some(Fault::Status(404)), Value::Null),
            Some(person) => (state.fault.clone(), merge(person, &state.change)),
        }
    };
    Fault::answer(fault, good)
}

/// The person at `path`, if there is one.
fn person(path: &str) -> Option<Value> {
    let person = if let Some(segment) = path.strip_prefix("/v1/users/") {
        (segment, clerk as fn(&str) -> Value)
    } else {
        (path.strip_prefix("/user_management/users/")?, workos as fn(&str) -> Value)
    };
    let (segment, of) = person;
    let is_segment = !segment.is_empty() && !segment.contains('/');
    is_segment.then(|| of(&decode(segment)))
}

fn decode(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let digits = |rest: &mut std::str::Bytes<'_>| [rest.next().unwrap(), rest.next().unwrap()];
        bytes.push(match byte {
            b'%' => {
                u8::from_str_radix(std::str::from_utf8(&digits(&mut rest)).unwrap(), 16).unwrap()
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

fn clerk(id: &str) -> Value {
    let address = |id: &str, address: &str, status: &str| {
        json!({ "id": id, "object": "email_address", "email_address": address,
                "verification": { "status": status, "strategy": "email_code" } })
    };
    json!({
        "id": id, "object": "user", "username": null,
        "first_name": "Ada", "last_name": "Lovelace", "has_image": true,
        "image_url": "https://img.clerk.example/ada", "banned": false, "locked": false,
        "primary_email_address_id": "idn_2",
        "email_addresses": [
            address("idn_1", "old@example.com", "verified"),
            address("idn_2", "ada@example.com", "verified"),
        ],
        "public_metadata": {}, "private_metadata": {}, "unsafe_metadata": {},
    })
}

fn workos(id: &str) -> Value {
    json!({
        "object": "user", "id": id, "email": "ada@example.com", "email_verified": true,
        "first_name": "Ada", "last_name": "Lovelace", "metadata": {},
        "profile_picture_url": "https://img.workos.example/ada",
    })
}
