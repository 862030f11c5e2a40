//! The part of Lambda's Runtime API that a function uses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use super::reply::Reply;
use super::server::{Server, lock};
use super::tokens::clock;

/// The result of an invocation.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A response of the function.
    Answer(Box<Reply>),
    /// An error that the function reported: the client would receive a 502.
    Error(String),
    /// No response: the process has ended, or hangs.
    Nothing,
}

impl Outcome {
    /// The response, if there is one.
    #[track_caller]
    pub(crate) fn reply(self, row: &str) -> Reply {
        match self {
            Self::Answer(reply) => *reply,
            Self::Error(error) => panic!("{row}: the function failed: {error}"),
            Self::Nothing => panic!("{row}: the function did not answer"),
        }
    }
}

/// Serves events and receives responses until dropped.
pub(crate) struct RuntimeApi {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    waiting: BTreeMap<String, oneshot::Sender<Outcome>>,
    invocations: usize,
    /// The number of responses to each event, failures included.
    answers: BTreeMap<String, usize>,
    /// The time of the request for the first event, which ends the init.
    ready: Option<Instant>,
    init_errors: usize,
}

struct Event {
    id: String,
    deadline: Duration,
    body: Vec<u8>,
    done: oneshot::Sender<Outcome>,
}

impl RuntimeApi {
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        let server = Server::start(move |request| answer(Arc::clone(&state), request));
        Self { server, shared }
    }

    /// For `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn address(&self) -> String {
        self.server.address().to_string()
    }

    /// Queues an event with this `deadline`.
    pub(crate) fn invoke(&self, body: Vec<u8>, deadline: Duration) -> oneshot::Receiver<Outcome> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.shared.lock();
        state.invocations += 1;
        let id = format!("00000000-0000-4000-8000-{:012}", state.invocations);
        state.events.push_back(Event { id, deadline, body, done });
        drop(state);
        self.shared.changed.notify_one();
        receiver
    }

    /// The time of the request for the first event.
    pub(crate) fn ready(&self) -> Option<Instant> {
        self.shared.lock().ready
    }

    /// The number of events so far, and the numbers of responses to those that have any.
    pub(crate) fn answers(&self) -> (usize, Vec<usize>) {
        let state = self.shared.lock();
        (state.invocations, state.answers.values().copied().collect())
    }

    /// The number of reports of a failed init.
    pub(crate) fn init_errors(&self) -> usize {
        self.shared.lock().init_errors
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    async fn next(&self) -> Response<Body> {
        self.lock().ready.get_or_insert_with(Instant::now);
        let event = loop {
            let event = self.lock().events.pop_front();
            match event {
                Some(event) => break event,
                None => self.changed.notified().await,
            }
        };
        self.lock().waiting.insert(event.id.clone(), event.done);
        let deadline = clock() + event.deadline;
        let deadline = deadline.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        Response::builder()
            .header("lambda-runtime-aws-request-id", &event.id)
            .header("lambda-runtime-deadline-ms", deadline.to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:eu-central-1:123456789012:function:roomkey",
            )
            .header("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793")
            .header("content-type", "application/json")
            .body(Body::from(event.body))
            .unwrap()
    }

    fn finish(&self, id: &str, outcome: Outcome) {
        *self.lock().answers.entry(id.to_owned()).or_default() += 1;
        if let Some(done) = self.lock().waiting.remove(id) {
            let _gone = done.send(outcome);
        }
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let path = path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
    if path == "invocation/next" {
        return shared.next().await;
    }
    let body = to_bytes(request.into_body(), 8 << 20).await.unwrap_or_default();
    match path.split('/').collect::<Vec<_>>()[..] {
        ["invocation", id, "response"] => {
            shared.finish(id, Outcome::Answer(Box::new(reply(&body))));
        }
        ["invocation", id, "error"] => {
            shared.finish(id, Outcome::Error(String::from_utf8_lossy(&body).into_owned()));
        }
        ["init", "error"] => shared.lock().init_errors += 1,
        _ => return Response::builder().status(404).body(Body::empty()).unwrap(),
    }
    let accepted = Response::builder().status(202).header("content-type", "application/json");
    accepted.body(Body::from(json!({ "status": "OK" }).to_string())).unwrap()
}

/// The HTTP response that a gateway creates from the function's response.
fn reply(answer: &Bytes) -> Reply {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let status = answer["statusCode"].as_u64().and_then(|status| status.try_into().ok());
    let text = answer["body"].as_str().unwrap_or_default();
    let body = if answer["isBase64Encoded"] == true {
        STANDARD.decode(text).unwrap_or_default()
    } else {
        text.as_bytes().to_vec()
    };
    Reply { status: status.unwrap_or(502), headers: headers(&answer), body, origin: None }
}

fn headers(answer: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut add = |name: &str, value: &Value| {
        let name = HeaderName::try_from(name).unwrap();
        headers.append(name, HeaderValue::try_from(value.as_str().unwrap()).unwrap());
    };
    // A gateway takes the one or the other: ALB's answer holds both.
    if let Some(lists) = answer["multiValueHeaders"].as_object().filter(|lists| !lists.is_empty()) {
        for (name, values) in lists {
            values.as_array().into_iter().flatten().for_each(|value| add(name, value));
        }
    } else {
        let single = answer["headers"].as_object().into_iter().flatten();
        single.for_each(|(name, value)| add(name, value));
    }
    headers
}
