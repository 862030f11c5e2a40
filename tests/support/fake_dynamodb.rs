//! DynamoDB's `BatchGetItem`, `UpdateItem` and `Query` over the real protocol (JSON 1.0), with one
//! table, and as strict as DynamoDB about keys and expressions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response};
use serde_json::{Map, Value, json};

use super::app::Env;
use super::server::{Server, lock};

/// The failures of the fake.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StateFault {
    /// This status with this AWS error.
    Error(u16, &'static str),
    /// `BatchGetItem` processes no key this many times.
    Unprocessed(usize),
    /// `UpdateItem` fails its condition this many times.
    Conflicts(usize),
    /// 200 with this text.
    Text(&'static str),
    /// No response.
    Hang,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct DynamoRequest {
    pub(crate) operation: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// A table until dropped.
pub(crate) struct FakeDynamoDb {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    items: BTreeMap<(String, String), Value>,
    fault: Option<StateFault>,
    requests: Vec<DynamoRequest>,
    /// Largest number of items on a page of `Query`; 0 for no limit.
    page: usize,
}

type Failure = (u16, &'static str);

impl FakeDynamoDb {
    /// The table's name.
    pub(crate) const TABLE: &'static str = "roomkey-state";

    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(Arc::clone(&shared), request));
        Self { server, state }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Returns at most `page` items per request of `Query` from now on.
    pub(crate) fn paginate(&self, page: usize) {
        self.state().page = page;
    }

    pub(crate) fn inject(&self, fault: StateFault) {
        self.state().fault = Some(fault);
    }

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

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<DynamoRequest> {
        self.state().requests.clone()
    }

    /// The item with these keys, in DynamoDB's JSON.
    pub(crate) fn item(&self, room: &str, who: &str) -> Value {
        self.state().items.get(&(room.into(), who.into())).cloned().unwrap_or_default()
    }

    /// Stores an item, in DynamoDB's JSON without the keys.
    pub(crate) fn put(&self, room: &str, who: &str, mut item: Value) {
        item["room"] = json!({ "S": room });
        item["who"] = json!({ "S": who });
        self.state().items.insert((room.into(), who.into()), item);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Env {
    /// The state in `table`.
    pub(crate) fn state_in(self, table: &FakeDynamoDb) -> Self {
        self.with("STATE_TABLE", FakeDynamoDb::TABLE)
            .with("AWS_ENDPOINT_URL_DYNAMODB", &table.url())
            .with("AWS_REGION", "eu-central-1")
            .with("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .with("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
            .with("AWS_SESSION_TOKEN", "session-token")
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix("DynamoDB_20120810."));
    let operation = operation.unwrap_or_default().to_owned();
    let fault = {
        let mut state = lock(&state);
        let headers = parts.headers;
        state.requests.push(DynamoRequest {
            operation: operation.clone(),
            headers,
            body: body.clone(),
        });
        state.fault
    };
    match fault {
        Some(StateFault::Hang) => {
            tokio::time::sleep(Duration::from_mins(5)).await;
            respond(500, "{}".into())
        }
        Some(StateFault::Error(status, code)) => failure((status, code)),
        Some(StateFault::Text(text)) => respond(200, text.into()),
        fault => {
            let mut state = lock(&state);
            let result = match operation.as_str() {
                "BatchGetItem" => state.batch_get(&body, fault),
                "UpdateItem" => state.update(&body, fault),
                "Query" => state.query(&body),
                _ => Err((400, "UnknownOperationException")),
            };
            result.map_or_else(failure, |value| respond(200, value.to_string()))
        }
    }
}

impl State {
    fn batch_get(&mut self, body: &Value, fault: Option<StateFault>) -> Result<Value, Failure> {
        let request = &body["RequestItems"][FakeDynamoDb::TABLE];
        if request.is_null() {
            return Err((400, "ResourceNotFoundException"));
        }
        let keys = request["Keys"].as_array().ok_or(INVALID)?;
        let keys: Vec<_> = keys.iter().map(read_key).collect::<Result<_, _>>()?;
        let mut unique = keys.clone();
        unique.sort();
        unique.dedup();
        if unique.len() < keys.len() || keys.is_empty() || request["ConsistentRead"] != true {
            return Err(INVALID);
        }
        if let Some(StateFault::Unprocessed(left)) = fault {
            self.fault = (left > 1).then_some(StateFault::Unprocessed(left - 1));
            let unprocessed = body["RequestItems"].clone();
            return Ok(json!({ "Responses": {}, "UnprocessedKeys": unprocessed }));
        }
        let items: Vec<_> = keys.iter().filter_map(|key| self.items.get(key)).collect();
        Ok(json!({ "Responses": { FakeDynamoDb::TABLE: items }, "UnprocessedKeys": {} }))
    }

    fn update(&mut self, body: &Value, fault: Option<StateFault>) -> Result<Value, Failure> {
        check_table(body)?;
        let key = read_key(&body["Key"])?;
        let expressions = [&body["UpdateExpression"], &body["ConditionExpression"]];
        let expressions = expressions.map(|text| text.as_str().unwrap_or_default());
        let [update, condition] = expressions;
        let placeholders = Placeholders { body };
        placeholders.check_used(&expressions.join(" "))?;
        if let Some(StateFault::Conflicts(left)) = fault {
            self.fault = (left > 1).then_some(StateFault::Conflicts(left - 1));
            return Err(CONFLICT);
        }
        let stored = self.items.get(&key).and_then(Value::as_object).cloned().unwrap_or_default();
        if !placeholders.is_met(condition, &stored)? {
            return Err(CONFLICT);
        }
        let mut item = stored;
        item.insert("room".into(), json!({ "S": key.0 }));
        item.insert("who".into(), json!({ "S": key.1 }));
        let (set, remove) = update.split_once(" REMOVE ").unwrap_or((update, ""));
        for clause in set.strip_prefix("SET ").ok_or(INVALID)?.split(", ") {
            let (name, value) = clause.split_once(" = ").ok_or(INVALID)?;
            item.insert(placeholders.name(name)?, placeholders.value(value)?);
        }
        for name in remove.split(", ").filter(|name| !name.is_empty()) {
            item.remove(&placeholders.name(name)?);
        }
        self.items.insert(key, Value::Object(item));
        Ok(json!({}))
    }

    fn query(&self, body: &Value) -> Result<Value, Failure> {
        check_table(body)?;
        let placeholders = Placeholders { body };
        let condition = body["KeyConditionExpression"].as_str().ok_or(INVALID)?;
        placeholders.check_used(condition)?;
        let (condition, prefix) = match condition.split_once(" AND begins_with(#who, ") {
            Some((condition, prefix)) => (condition, prefix.strip_suffix(')')),
            None => (condition, None),
        };
        let prefix = prefix.map(|prefix| placeholders.value(prefix)).transpose()?;
        let prefix = prefix.as_ref().map(|prefix| prefix["S"].as_str().unwrap_or_default());
        let (name, value) = condition.split_once(" = ").ok_or(INVALID)?;
        let is_who = prefix.is_none() || placeholders.name("#who")? == "who";
        if placeholders.name(name)? != "room" || !is_who || body["ConsistentRead"] != true {
            return Err(INVALID);
        }
        if prefix == Some("") {
            return Err(INVALID);
        }
        let room = placeholders.value(value)?;
        let after = match &body["ExclusiveStartKey"] {
            Value::Null => None,
            key => Some(read_key(key)?),
        };
        let of_room: Vec<_> = self
            .items
            .iter()
            .filter(|(key, item)| {
                item["room"] == room
                    && prefix.is_none_or(|prefix| key.1.starts_with(prefix))
                    && after.as_ref().is_none_or(|after| *key > after)
            })
            .map(|(_, item)| item)
            .collect();
        let page = if self.page == 0 { of_room.len() } else { self.page.min(of_room.len()) };
        let mut result = json!({ "Items": of_room[..page], "Count": page });
        if let (true, Some(last)) = (self.page > 0 && page == self.page, of_room[..page].last()) {
            result["LastEvaluatedKey"] = json!({ "room": last["room"], "who": last["who"] });
        }
        Ok(result)
    }
}

/// The names and values of a request's expressions.
struct Placeholders<'a> {
    body: &'a Value,
}

impl Placeholders<'_> {
    fn name(&self, name: &str) -> Result<String, Failure> {
        self.body["ExpressionAttributeNames"][name].as_str().map(str::to_owned).ok_or(INVALID)
    }

    fn value(&self, value: &str) -> Result<Value, Failure> {
        let value = &self.body["ExpressionAttributeValues"][value];
        if value.is_null() { Err(INVALID) } else { Ok(value.clone()) }
    }

    fn is_met(&self, condition: &str, item: &Map<String, Value>) -> Result<bool, Failure> {
        if condition.is_empty() {
            return Ok(true);
        }
        let absent = condition.strip_prefix("attribute_not_exists(");
        if let Some(name) = absent.and_then(|rest| rest.strip_suffix(')')) {
            return Ok(!item.contains_key(&self.name(name)?));
        }
        let (name, value) = condition.split_once(" = ").ok_or(INVALID)?;
        Ok(item.get(&self.name(name)?) == Some(&self.value(value)?))
    }

    /// DynamoDB refuses placeholders that no expression uses.
    fn check_used(&self, expressions: &str) -> Result<(), Failure> {
        let words: Vec<_> = expressions.split([' ', ',', '(', ')']).collect();
        for field in ["ExpressionAttributeNames", "ExpressionAttributeValues"] {
            let placeholders = self.body[field].as_object().cloned().unwrap_or_default();
            if placeholders.keys().any(|placeholder| !words.contains(&placeholder.as_str())) {
                return Err(INVALID);
            }
        }
        Ok(())
    }
}

const INVALID: Failure = (400, "ValidationException");
const CONFLICT: Failure = (400, "ConditionalCheckFailedException");

fn check_table(body: &Value) -> Result<(), Failure> {
    let is_known = body["TableName"] == FakeDynamoDb::TABLE;
    if is_known { Ok(()) } else { Err((400, "ResourceNotFoundException")) }
}

fn read_key(key: &Value) -> Result<(String, String), Failure> {
    let text = |name: &str| key[name]["S"].as_str().filter(|text| !text.is_empty()).ok_or(INVALID);
    let is_key = key.as_object().is_some_and(|key| key.len() == 2);
    if is_key { Ok((text("room")?.to_owned(), text("who")?.to_owned())) } else { Err(INVALID) }
}

fn failure((status, code): Failure) -> Response<Body> {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{code}");
    respond(
        status,
        json!({ "__type": kind, "message": "upstream-words-nobody-should-see" }).to_string(),
    )
}

fn respond(status: u16, body: String) -> Response<Body> {
    let response = Response::builder().status(status);
    let response = response.header("content-type", "application/x-amz-json-1.0");
    response.body(Body::from(body)).unwrap()
}
