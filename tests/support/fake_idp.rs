//! An identity provider on a real socket: discovery, keys, UserInfo. It records every request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Value, json};

use super::fault::Fault;
use super::keys::{Key, key_set};
use super::server::{Server, lock};
use super::tokens::{claims, decode_part, merge};

/// A route of an identity provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Route {
    Discovery,
    Jwks,
    UserInfo,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// Issues tokens and serves until dropped.
pub(crate) struct FakeIdp {
    server: Server,
    /// The path after the address: empty, or such as `/tenant/`.
    path: &'static str,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    discovery: Value,
    keys: Value,
    /// Claims of UserInfo in addition to the caller's `sub`.
    person: Value,
    faults: BTreeMap<Route, Fault>,
    /// Faults of UserInfo by `sub`.
    faults_of_people: BTreeMap<String, Fault>,
    asked: Vec<(Option<Route>, Asked)>,
}

impl FakeIdp {
    /// An issuer without a path, with the usual RSA key.
    pub(crate) fn start() -> Self {
        Self::start_at("")
    }

    /// An issuer whose name ends in `path`.
    pub(crate) fn start_at(path: &'static str) -> Self {
        let person = json!({
            "email": "ada@example.com", "email_verified": true, "name": "Ada from UserInfo",
        });
        let keys = key_set(&[&Key::rsa()]);
        let state = Arc::new(Mutex::new(State { keys, person, ..State::default() }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(&shared, &request));
        let idp = Self { server, path, state };
        idp.state().discovery = json!({
            "issuer": idp.issuer(),
            "jwks_uri": idp.url("/keys"),
            "userinfo_endpoint": idp.url("/userinfo"),
            "authorization_endpoint": idp.url("/authorize"),
            "id_token_signing_alg_values_supported": ["RS256"],
        });
        idp
    }

    /// The exact `iss`.
    pub(crate) fn issuer(&self) -> String {
        self.url(self.path)
    }

    /// An address of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// A token of the usual key with the usual claims changed by `change`.
    pub(crate) fn token(&self, change: &Value) -> String {
        self.token_by(&Key::rsa(), change)
    }

    /// A token of another key.
    pub(crate) fn token_by(&self, key: &Key, change: &Value) -> String {
        let claims = merge(claims(), &json!({ "iss": self.issuer() }));
        key.sign(&key.header(), &merge(claims, change))
    }

    /// A token without personal claims, so that UserInfo is requested.
    pub(crate) fn bare_token(&self) -> String {
        self.token(&json!({ "email": null, "email_verified": null, "name": null, "picture": null }))
    }

    /// Publishes these keys from now on.
    pub(crate) fn publish(&self, keys: &[&Key]) {
        self.publish_set(key_set(keys));
    }

    /// Publishes this document as key set from now on.
    pub(crate) fn publish_set(&self, document: Value) {
        self.state().keys = document;
    }

    /// Changes the discovery document.
    pub(crate) fn describe(&self, change: &Value) {
        let discovery = self.state().discovery.take();
        self.state().discovery = merge(discovery, change);
    }

    /// Changes the claims of UserInfo.
    pub(crate) fn introduce(&self, change: &Value) {
        let person = self.state().person.take();
        self.state().person = merge(person, change);
    }

    /// Injects a fault into `route`.
    pub(crate) fn inject(&self, route: Route, fault: Fault) {
        self.state().faults.insert(route, fault);
    }

    /// Injects a fault into UserInfo for this `sub`.
    pub(crate) fn inject_for(&self, subject: &str, fault: Fault) {
        self.state().faults_of_people.insert(subject.to_owned(), fault);
    }

    /// Removes the fault.
    pub(crate) fn restore(&self, route: Route) {
        self.state().faults.remove(&route);
    }

    /// Refuses connections.
    pub(crate) fn down(&self) {
        self.server.down();
    }

    /// Accepts connections again.
    pub(crate) fn up(&self) {
        self.server.up();
    }

    /// The requests for `route` so far.
    pub(crate) fn asked(&self, route: Route) -> Vec<Asked> {
        let state = self.state();
        let asked = state.asked.iter().filter(|(to, _)| *to == Some(route));
        asked.map(|(_, asked)| asked.clone()).collect()
    }

    /// The number of requests for discovery, keys and UserInfo so far.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let count = |route| self.asked(route).len();
        (count(Route::Discovery), count(Route::Jwks), count(Route::UserInfo))
    }

    /// Requests for unknown paths.
    pub(crate) fn strays(&self) -> Vec<String> {
        let state = self.state();
        let strays = state.asked.iter().filter(|(to, _)| to.is_none());
        strays.map(|(_, asked)| asked.target.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn answer(
    state: &Mutex<State>,
    request: &Request<Body>,
) -> impl Future<Output = Response<Body>> + Send + use<> {
    let target = request.uri().to_string();
    let headers = request.headers().clone();
    let (fault, good) = {
        let mut state = lock(state);
        let route = route(request.uri().path());
        state.asked.push((route, Asked { target, headers: headers.clone() }));
        let good = match route {
            Some(Route::Discovery) => state.discovery.clone(),
            Some(Route::Jwks) => state.keys.clone(),
            Some(Route::UserInfo) => merge(json!({ "sub": subject(&headers) }), &state.person),
            None => Value::Null,
        };
        let of_person = || {
            let subject = subject(&headers);
            (route == Some(Route::UserInfo))
                .then(|| state.faults_of_people.get(subject.as_str()?).cloned())?
        };
        let fault = route.and_then(|route| state.faults.get(&route).cloned()).or_else(of_person);
        (if route.is_none() { Some(Fault::Status(404)) } else { fault }, good)
    };
    Fault::answer(fault, good)
}

fn route(path: &str) -> Option<Route> {
    match path {
        "/keys" => Some(Route::Jwks),
        "/userinfo" => Some(Route::UserInfo),
        _ => path.ends_with("/.well-known/openid-configuration").then_some(Route::Discovery),
    }
}

fn subject(headers: &HeaderMap) -> Value {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|header| header.strip_prefix("Bearer "));
    token.map_or(Value::Null, |token| decode_part(token, 1)["sub"].clone())
}
