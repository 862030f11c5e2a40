//! State: one suite for every store, and the failures of DynamoDB.
//!
//! With `ROOMKEY_TEST_DYNAMODB`, the URL of a DynamoDB server, the suite runs on that server as well.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use futures_util::future::join_all;
use roomkey::state::dynamo::DynamoTable;
use roomkey::state::item::{Ban, Change, GivenRole};
use roomkey::state::{PersonState, ROLE_TTL, State};
use roomkey::upstream::aws::AwsAccess;
use roomkey::upstream::client::{Client, Timeouts};
use serde_json::json;

use crate::state_lobby::waiting_people_are_limited;
use crate::support::{Env, FakeDynamoDb, NOW, StateFault, at, now};

const HOUR: u64 = 3_600;

fn access(endpoint: &str) -> AwsAccess {
    AwsAccess {
        region: "eu-central-1".into(),
        endpoint: Some(endpoint.into()),
        credentials: Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI", None, None, "test"),
        uses_fips: false,
        uses_dual_stack: false,
    }
}

fn state_at(endpoint: &str, table: &str, total: Duration) -> State {
    let timeouts = Timeouts { total, ..Timeouts::default() };
    let client = Arc::new(Client::new(timeouts));
    State::dynamo(&client, DynamoTable { table: table.into(), access: access(endpoint) })
}

pub(crate) fn state_in(table: &FakeDynamoDb) -> State {
    state_at(&table.url(), FakeDynamoDb::TABLE, Duration::from_secs(3))
}

fn ban(seconds: Option<u64>) -> Change {
    let ends_at = seconds.map(|seconds| NOW + seconds);
    Change::Ban(Ban { banned_at: NOW, ends_at, reason: Some("spam".into()) })
}

async fn is_banned(state: &State, room: &str, person: &str, now: SystemTime) -> bool {
    state.read(Some(room), person, now).await.unwrap().is_banned
}

/// The behavior of every store. Each part uses rooms of its own.
async fn conformance(state: &State) {
    bans_end_by_themselves(state).await;
    roles_end_with_the_room(state).await;
    parts_of_an_item_are_independent(state).await;
    concurrent_changes_are_all_kept(state).await;
    lists_are_complete(state).await;
    crate::state_lobby::conformance(state).await;
}

async fn bans_end_by_themselves(state: &State) {
    let nothing = PersonState::default();
    assert_eq!(state.read(Some("r1"), "bob", now()).await.unwrap(), nothing);
    assert_eq!(state.read(None, "bob", now()).await.unwrap(), nothing);

    state.change("r1", "bob", &ban(Some(60)), now()).await.unwrap();
    assert!(is_banned(state, "r1", "bob", at(NOW + 59)).await);
    assert!(!is_banned(state, "r1", "bob", at(NOW + 60)).await, "the end itself");
    for (room, person) in [("r2", "bob"), ("r1", "Bob"), ("r1", "bo"), ("r1", "bob:phone")] {
        assert!(!is_banned(state, room, person, now()).await, "{room} {person}");
    }
    assert!(!state.read(None, "bob", now()).await.unwrap().is_banned, "no room, no ban of it");

    // The next ban replaces the first one.
    state.change("r1", "bob", &ban(None), at(NOW + 70)).await.unwrap();
    assert!(is_banned(state, "r1", "bob", at(NOW + 20 * 365 * 24 * HOUR)).await);
    for _ in 0..2 {
        state.change("r1", "bob", &Change::Unban, now()).await.unwrap();
        assert!(!is_banned(state, "r1", "bob", now()).await);
    }

    state.change("*", "eve", &ban(Some(60)), now()).await.unwrap();
    for room in ["r1", "r2", "*"] {
        assert!(is_banned(state, room, "eve", now()).await, "{room}");
    }
    assert!(state.read(None, "eve", now()).await.unwrap().is_banned);
    state.change("*", "eve", &Change::Unban, now()).await.unwrap();
    assert!(!is_banned(state, "r1", "eve", now()).await);
}

async fn roles_end_with_the_room(state: &State) {
    let role = async |room: &str, now| state.read(Some(room), "ada", now).await.unwrap().role;
    state.give_role("r3", "ada", "viewer", now()).await.unwrap();
    assert_eq!(role("r3", now()).await.as_deref(), Some("viewer"));
    assert_eq!(role("r4", now()).await, None);
    assert_eq!(
        role("r3", now() + ROLE_TTL - Duration::from_secs(1)).await.as_deref(),
        Some("viewer")
    );
    assert_eq!(role("r3", now() + ROLE_TTL).await, None);

    // An event about an earlier call in the same room arrives late.
    state.end_room("r3", at(NOW - 1), now()).await.unwrap();
    assert_eq!(role("r3", now()).await.as_deref(), Some("viewer"));
    state.change("r3", "ada", &ban(Some(60)), now()).await.unwrap();
    state.change("r3", "bob", &ban(Some(60)), now()).await.unwrap();
    for _ in 0..2 {
        state.end_room("r3", now(), now()).await.unwrap();
        assert_eq!(role("r3", now()).await, None);
    }
    assert!(
        is_banned(state, "r3", "ada", now()).await && is_banned(state, "r3", "bob", now()).await
    );
    state.end_room("never used", now(), now()).await.unwrap();
}

async fn parts_of_an_item_are_independent(state: &State) {
    state.change("r5", "ada", &ban(Some(60)), now()).await.unwrap();
    state.give_role("r5", "ada", "speaker", now()).await.unwrap();
    let both = PersonState { is_banned: true, role: Some("speaker".into()), entry: None };
    assert_eq!(state.read(Some("r5"), "ada", now()).await.unwrap(), both);
    let later = state.read(Some("r5"), "ada", at(NOW + 60)).await.unwrap();
    assert_eq!(later, PersonState { is_banned: false, role: Some("speaker".into()), entry: None });
    state.change("r5", "ada", &Change::Unban, now()).await.unwrap();
    let role = PersonState { is_banned: false, role: Some("speaker".into()), entry: None };
    assert_eq!(state.read(Some("r5"), "ada", now()).await.unwrap(), role);
}

/// Hosts act at the same time on the same item, which does not exist at the start.
async fn concurrent_changes_are_all_kept(state: &State) {
    let role =
        Change::Role(GivenRole { role: "viewer".into(), given_at: NOW, ends_at: NOW + HOUR });
    let changes = [ban(Some(60)), role, ban(None), ban(Some(60))];
    let changes = join_all(changes.iter().map(|change| state.change("r6", "bob", change, now())));
    for result in changes.await {
        result.unwrap();
    }
    let expected = PersonState { is_banned: true, role: Some("viewer".into()), entry: None };
    assert_eq!(state.read(Some("r6"), "bob", now()).await.unwrap(), expected);
}

async fn lists_are_complete(state: &State) {
    assert_eq!(state.bans("r7", now()).await.unwrap(), []);
    for index in 0..25 {
        let person = format!("person-{index:02} é \u{1f600}");
        state.change("r7", &person, &ban(Some(60 + index)), now()).await.unwrap();
    }
    state.give_role("r7", "no ban", "viewer", now()).await.unwrap();
    let people = |bans: Vec<(String, Ban)>| -> Vec<_> {
        bans.into_iter().map(|(person, ban)| (person, ban.ends_at.unwrap())).collect()
    };
    let expected = |from: u64| -> Vec<_> {
        (from..25)
            .map(|index| (format!("person-{index:02} é \u{1f600}"), NOW + 60 + index))
            .collect()
    };
    assert_eq!(people(state.bans("r7", now()).await.unwrap()), expected(0));
    // Ended ones may still be stored.
    assert_eq!(people(state.bans("r7", at(NOW + 69)).await.unwrap()), expected(10));
    let bans = state.bans("r7", now()).await.unwrap();
    assert_eq!((bans[0].1.banned_at, bans[0].1.reason.as_deref()), (NOW, Some("spam")));
}

#[tokio::test]
async fn memory_conforms() {
    conformance(&State::memory()).await;
    waiting_people_are_limited(&State::memory()).await;
}

#[tokio::test]
async fn dynamodb_client_conforms() {
    let table = FakeDynamoDb::start();
    conformance(&state_in(&table)).await;
    waiting_people_are_limited(&state_in(&table)).await;
    for request in table.requests() {
        assert_ne!(request.operation, "", "{request:?}");
    }
}

/// Only lists have pages.
#[tokio::test]
async fn lists_are_complete_with_every_size_of_a_page() {
    for page in [1, 10, 25] {
        let table = FakeDynamoDb::start();
        table.paginate(page);
        let state = state_in(&table);
        lists_are_complete(&state).await;
        roles_end_with_the_room(&state).await;
        crate::state_lobby::invitations_are_listed_until_they_expire(&state).await;
        crate::state_lobby::wait_ends_if_the_person_leaves(&state).await;
    }
}

#[tokio::test]
async fn real_dynamodb_conforms() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the address of a server that the caller started"
    )]
    let Ok(endpoint) = std::env::var("ROOMKEY_TEST_DYNAMODB") else { return };
    create_table(&endpoint, "conformance").await;
    let state = state_at(&endpoint, "conformance", Duration::from_secs(3));
    conformance(&state).await;
    waiting_people_are_limited(&state).await;
    let absent = state_at(&endpoint, "absent", Duration::from_secs(3));
    assert_eq!(absent.read(Some("r"), "bob", now()).await.unwrap_err().upstream, "state");
}

async fn create_table(endpoint: &str, name: &str) {
    let sdk = aws_sdk_dynamodb::Client::from_conf(
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(access(endpoint).credentials)
            .endpoint_url(endpoint)
            .http_client(Client::new(Timeouts::default()).for_sdk())
            .build(),
    );
    let mut request = sdk.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("room", KeyType::Hash), ("who", KeyType::Range)] {
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
        let definition = AttributeDefinition::builder().attribute_name(attribute);
        let definition = definition.attribute_type(ScalarAttributeType::S);
        request = request
            .key_schema(key.build().unwrap())
            .attribute_definitions(definition.build().unwrap());
    }
    request.send().await.unwrap();
    // Items of others in the table do not disturb.
    let text = |text: &str| AttributeValue::S(text.into());
    let item = HashMap::from([("room".to_owned(), text("r1")), ("who".to_owned(), text("zoe"))]);
    sdk.put_item().table_name(name).set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn read_is_one_consistent_request_for_both_keys() {
    let table = FakeDynamoDb::start();
    let state = state_in(&table);
    state.read(Some("standup"), "bob", now()).await.unwrap();
    let requests = table.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].operation, "BatchGetItem");
    let keys = json!([
        { "room": { "S": "*" }, "who": { "S": "bob" } },
        { "room": { "S": "standup" }, "who": { "S": "bob" } },
    ]);
    let expected = json!({ FakeDynamoDb::TABLE: { "Keys": keys, "ConsistentRead": true } });
    assert_eq!(requests[0].body["RequestItems"], expected);
    let authorization = requests[0].headers["authorization"].to_str().unwrap();
    assert!(authorization.contains("/eu-central-1/dynamodb/aws4_request"), "{authorization}");
}

#[tokio::test]
async fn item_has_the_ttl_of_its_latest_end() {
    let table = FakeDynamoDb::start();
    let state = state_in(&table);
    let expires = || table.item("r", "bob")["expires"]["N"].as_str().map(str::to_owned);
    let later = |seconds: u64| Some((NOW + seconds).to_string());
    state.change("r", "bob", &ban(Some(60)), now()).await.unwrap();
    assert_eq!(expires(), later(60));
    state.give_role("r", "bob", "viewer", now()).await.unwrap();
    assert_eq!(expires(), later(24 * HOUR));
    state.change("r", "bob", &ban(None), now()).await.unwrap();
    assert_eq!(expires(), None, "an endless ban is never deleted");
    state.change("r", "bob", &Change::Unban, now()).await.unwrap();
    assert_eq!(expires(), later(24 * HOUR));
    state.end_room("r", now(), now()).await.unwrap();
    assert_eq!(expires(), later(0), "an empty item is deleted at once");
}

#[tokio::test]
async fn unprocessed_keys_are_read_again() {
    let table = FakeDynamoDb::start();
    let state = state_in(&table);
    state.change("r", "bob", &ban(None), now()).await.unwrap();
    table.inject(StateFault::Unprocessed(3));
    assert!(is_banned(&state, "r", "bob", now()).await);
    table.inject(StateFault::Unprocessed(100));
    let error = state.read(Some("r"), "bob", now()).await.unwrap_err();
    assert_eq!(error.upstream, "state");
}

#[tokio::test]
async fn conflicts_are_resolved_by_another_attempt() {
    let table = FakeDynamoDb::start();
    let state = state_in(&table);
    table.inject(StateFault::Conflicts(9));
    state.change("r", "bob", &ban(None), now()).await.unwrap();
    assert!(is_banned(&state, "r", "bob", now()).await);
    table.inject(StateFault::Conflicts(10));
    state.change("r", "bob", &Change::Unban, now()).await.unwrap_err();
    assert!(is_banned(&state, "r", "bob", now()).await, "nothing is lost");
}

/// Nothing that cannot be read counts as "not banned".
#[tokio::test]
async fn item_of_another_form_is_an_error() {
    let rows = [
        json!({ "ban": { "S": "yes" } }),
        json!({ "ban": { "BOOL": true } }),
        json!({ "ban": { "M": { "at": { "S": "x" } } } }),
        json!({ "ban": { "M": { "until": { "N": "1.5" } } } }),
        json!({ "ban": { "M": { "until": { "NULL": true } } } }),
        json!({ "role": { "M": { "name": { "S": "viewer" } } } }),
        json!({ "role": { "M": { "until": { "N": "9999999999" } } } }),
        json!({ "entry": { "M": { "until": { "N": "9999999999" } } } }),
        json!({ "entry": { "M": { "admitted": { "S": "yes" }, "until": { "N": "9999999999" } } } }),
        json!({ "entry": { "M": { "admitted": { "BOOL": true } } } }),
        json!({ "waiting": { "BOOL": true } }),
        json!({ "invitation": { "M": { "role": { "S": "viewer" }, "guests": { "S": "bob" } } } }),
        json!({ "version": { "S": "1" } }),
    ];
    let table = FakeDynamoDb::start();
    let state = state_in(&table);
    for item in rows {
        table.put("r", "bob", item.clone());
        state.read(Some("r"), "bob", now()).await.expect_err(&item.to_string());
        state.bans("r", now()).await.expect_err(&item.to_string());
    }
    // Written by hand: without a version, and with an attribute of its own.
    table.put("r", "bob", json!({ "ban": { "M": {} }, "note": { "S": "by hand" } }));
    assert!(is_banned(&state, "r", "bob", now()).await);
    state.change("r", "bob", &Change::Unban, now()).await.unwrap();
    assert!(!is_banned(&state, "r", "bob", now()).await);
    assert_eq!(table.item("r", "bob")["note"]["S"], "by hand");
}

#[tokio::test]
async fn dynamodb_fault_is_an_error_without_cool_down() {
    let table = FakeDynamoDb::start();
    let state = state_at(&table.url(), FakeDynamoDb::TABLE, Duration::from_millis(400));
    let faults = [
        StateFault::Error(400, "ProvisionedThroughputExceededException"),
        StateFault::Error(400, "ThrottlingException"),
        StateFault::Error(400, "AccessDeniedException"),
        StateFault::Error(400, "ResourceNotFoundException"),
        StateFault::Error(400, "NobodyKnowsThisException"),
        StateFault::Error(500, "InternalServerError"),
        StateFault::Error(503, "ServiceUnavailable"),
        StateFault::Text("<html>"),
        StateFault::Text("[]"),
        StateFault::Text("{}"),
        StateFault::Hang,
    ];
    for fault in faults {
        table.inject(fault);
        let row = format!("{fault:?}");
        state.read(Some("r"), "bob", now()).await.expect_err(&row);
        state.change("r", "bob", &ban(None), now()).await.expect_err(&row);
        state.bans("r", now()).await.expect_err(&row);
        state.end_room("r", now(), now()).await.expect_err(&row);
        table.restore();
        assert!(!is_banned(&state, "r", "bob", now()).await, "{row}: at once");
    }
    table.down();
    state.read(Some("r"), "bob", now()).await.unwrap_err();
    table.up();
    assert!(!is_banned(&state, "r", "bob", now()).await);
}

#[test]
fn state_table_must_be_memory_or_a_table() {
    let table = FakeDynamoDb::start();
    let arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/calls";
    let env = Env::offline().state_in(&table);
    let on = |name: &str| env.clone().with("STATE_TABLE", name);
    let accepted = [
        on("memory"),
        on("abc"),
        on("roomkey-state_1.x"),
        on(&"x".repeat(255)),
        on(arn).without("AWS_REGION"),
        on("calls").with("AWS_LAMBDA_FUNCTION_NAME", "roomkey"),
        Env::offline().with("STATE_TABLE", "memory"),
        env.clone().with("STATE_TABLE", "").with("AWS_LAMBDA_FUNCTION_NAME", "roomkey"),
    ];
    for env in accepted {
        env.config().unwrap_or_else(|fault| panic!("{fault}"));
    }
    let refused = [
        (on("ab"), "STATE_TABLE must be memory"),
        (on(&"x".repeat(256)), "STATE_TABLE must be memory"),
        (on("my table"), "STATE_TABLE must be memory"),
        (on("Memory!"), "STATE_TABLE must be memory"),
        (on(&arn.replace("dynamodb", "s3")), "STATE_TABLE must be memory"),
        (on(&arn.replace("table/", "table:")), "STATE_TABLE must be memory"),
        (on("memory").with("AWS_LAMBDA_FUNCTION_NAME", "roomkey"), "name of a DynamoDB table"),
        (on("memory").with("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"), "must not be memory on"),
        (on("calls").without("AWS_REGION"), "AWS_REGION is not set"),
        (on("calls").without("AWS_ACCESS_KEY_ID"), "AWS_ACCESS_KEY_ID is not set"),
        (on("calls").with("AWS_USE_FIPS_ENDPOINT", "true"), "AWS_USE_FIPS_ENDPOINT must not be"),
        (on("calls").with("AWS_USE_FIPS_ENDPOINT", "yes"), "AWS_USE_FIPS_ENDPOINT must be true"),
    ];
    for (env, expected) in refused {
        let fault = env.config().err().expect(expected).to_string();
        assert!(fault.contains(expected), "{expected}: {fault}");
        assert!(!fault.contains("my table"), "{fault}");
    }
    // Both services need the region, which is one fault.
    let fault = on("calls").with("LIVEKIT_SECRET_ID", "x").without("AWS_REGION").config();
    assert_eq!(fault.err().unwrap().to_string().matches("AWS_REGION").count(), 1);
}
