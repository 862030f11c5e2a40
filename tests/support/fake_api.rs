//! An API with JSON requests on a real socket: LiveKit's `RoomService`, Liveblocks. It records
//! every request.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::fault::Fault;
use super::server::{Server, lock};

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Asked {
    /// The token after `Bearer`.
    pub(crate) fn bearer(&self) -> &str {
        let header = self.headers["authorization"].to_str().unwrap();
        header.strip_prefix("Bearer ").expect("a bearer")
    }
}

/// The response to a path and a body: a status and JSON.
type Answer = dyn Fn(&str, &Value) -> (u16, Value) + Send + Sync;

/// Serves until dropped.
pub(crate) struct FakeApi {
    server: Server,
    state: Arc<Mutex<State>>,
}

struct State {
    answer: Arc<Answer>,
    fault: Option<Fault>,
    asked: Vec<Asked>,
}

impl FakeApi {
    pub(crate) fn start(
        answer: impl Fn(&str, &Value) -> (u16, Value) + Send + Sync + 'static,
    ) -> Self {
        let state = State { answer: Arc::new(answer), fault: None, asked: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| serve(Arc::clone(&shared), request));
        Self { server, state }
    }

    /// LiveKit's `RoomService`, with these participants in the room `standup`.
    pub(crate) fn livekit(participants: Value) -> Self {
        let mut participants = participants;
        for (identity, person) in participants.as_object_mut().unwrap() {
            person["identity"] = json!(identity);
        }
        Self::start(move |path, body| {
            let is_there = body["room"] == "standup";
            let method = path.strip_prefix("/twirp/livekit.RoomService/").unwrap_or_default();
            match method {
                "ListParticipants" => {
                    let all: Vec<_> = participants.as_object().unwrap().values().collect();
                    return (200, json!({ "participants": if is_there { all } else { vec![] } }));
                }
                "DeleteRoom" | "SendData" if is_there => return (200, json!({})),
                _ => {}
            }
            let person = &participants[body["identity"].as_str().unwrap_or_default()];
            if !is_there || person.is_null() {
                return (404, json!({ "code": "not_found", "msg": "participant does not exist" }));
            }
            match method {
                "GetParticipant" | "UpdateParticipant" => (200, person.clone()),
                "MutePublishedTrack" => (200, json!({ "track": { "muted": true } })),
                "RemoveParticipant" => (200, json!({})),
                _ => (404, json!({ "code": "bad_route", "msg": "no handler" })),
            }
        })
    }

    /// The address with another scheme.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.server.address())
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

    /// Every request since the last call.
    pub(crate) fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().asked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

async fn serve(state: Arc<Mutex<State>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let (fault, answer) = {
        let mut state = lock(&state);
        let headers = parts.headers;
        state.asked.push(Asked { method, path: path.clone(), headers, body: body.clone() });
        (state.fault.clone(), Arc::clone(&state.answer))
    };
    let (status, json) = answer(&path, &body);
    if fault.is_some() || status == 200 {
        return Fault::answer(fault, json).await;
    }
    let response = Response::builder().status(status).header("content-type", "application/json");
    response.body(Body::from(json.to_string())).unwrap()
}
