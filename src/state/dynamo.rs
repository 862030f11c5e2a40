//! State in a table of DynamoDB, with the string keys `room` and `who` and the TTL attribute `expires`.

mod attributes;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use super::UPSTREAM;
use super::item::{Item, Part};
use crate::upstream::aws::{AwsAccess, refusal};
use crate::upstream::client::Client;
use crate::upstream::error::FetchError;
use attributes::{Attributes, key, number, read, text, written};

/// Error codes of AWS that the log may show. Any other code is reported by its status.
const ERROR_CODES: [&str; 22] = [
    "AccessDeniedException",
    CONFLICT,
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InternalServerError",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "ItemCollectionSizeLimitExceededException",
    "KMSAccessDeniedException",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "ProvisionedThroughputExceededException",
    "ReplicatedWriteConflictException",
    "RequestExpired",
    "RequestLimitExceeded",
    "ResourceNotFoundException",
    "ServiceUnavailable",
    "ThrottlingException",
    "TransactionConflictException",
    "UnrecognizedClientException",
    "ValidationException",
];

/// The code of a write whose condition is not met.
const CONFLICT: &str = "ConditionalCheckFailedException";

/// The cause of a failure if keys remain that the service did not process.
const UNPROCESSED: FetchError = FetchError::Refused("UnprocessedKeys");

/// Pauses before the requests for keys that the service did not process, in milliseconds.
const PAUSES: [u64; 6] = [25, 50, 100, 200, 400, 800];

/// Description of a valid response.
const RESPONSE: &str = "a response of DynamoDB";

/// A table and the access to it.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    /// Name or ARN of the table.
    pub table: String,
    /// Region, credentials and endpoint.
    pub access: AwsAccess,
}

/// A client for one table.
pub struct Dynamo {
    client: Arc<Client>,
    table: DynamoTable,
    /// Created at the first use: a request without state pays nothing for it.
    sdk: OnceLock<aws_sdk_dynamodb::Client>,
}

impl Dynamo {
    pub(super) fn new(client: &Arc<Client>, table: DynamoTable) -> Self {
        Self { client: Arc::clone(client), table, sdk: OnceLock::new() }
    }

    fn sdk(&self) -> &aws_sdk_dynamodb::Client {
        self.sdk.get_or_init(|| {
            let access = &self.table.access;
            let config = aws_sdk_dynamodb::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new(access.region.clone()))
                .credentials_provider(access.credentials.clone())
                .use_fips(access.uses_fips)
                .use_dual_stack(access.uses_dual_stack)
                .http_client(self.client.for_sdk())
                // The client repeats the request: the SDK would exceed the request's time.
                .retry_config(RetryConfig::disabled())
                .timeout_config(
                    TimeoutConfig::builder()
                        .connect_timeout(self.client.timeouts().connect)
                        .operation_timeout(self.client.timeouts().total)
                        .build(),
                );
            let config = match &access.endpoint {
                Some(endpoint) => config.endpoint_url(endpoint),
                None => config,
            };
            aws_sdk_dynamodb::Client::from_conf(config.build())
        })
    }

    /// Returns the item of each of `keys`, in order, by one consistent `BatchGetItem`. Keys that the
    /// service did not process are requested again after a pause.
    pub(super) async fn items(&self, keys: &[(&str, &str)]) -> Result<Vec<Item>, FetchError> {
        self.client.retried_once(UPSTREAM, || self.items_once(keys)).await
    }

    async fn items_once(&self, keys: &[(&str, &str)]) -> Result<Vec<Item>, FetchError> {
        let mut found: Vec<Attributes> = Vec::with_capacity(keys.len());
        let attributes = keys.iter().map(|(room, who)| key(room, who)).collect();
        let request =
            KeysAndAttributes::builder().set_keys(Some(attributes)).consistent_read(true).build();
        let request = request.map_err(|_| FetchError::Malformed("a request for DynamoDB"))?;
        let mut requests = HashMap::from([(self.table.table.clone(), request)]);
        let mut pauses = PAUSES.into_iter();
        loop {
            let response = self.sdk().batch_get_item().set_request_items(Some(requests));
            let response = response.send().await;
            let response = response.map_err(|error| refusal(&error, &ERROR_CODES, RESPONSE))?;
            // Without this field, an absent ban would be a guess.
            let responses = response.responses.ok_or(FetchError::Malformed(RESPONSE))?;
            found.extend(responses.into_values().flatten());
            requests = response.unprocessed_keys.unwrap_or_default();
            if requests.is_empty() {
                break;
            }
            let pause = pauses.next().ok_or(UNPROCESSED)?;
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        let item = |(room, who): &(&str, &str)| {
            let is_own = |item: &&Attributes| {
                text(item, "room").is_ok_and(|own| own == *room)
                    && text(item, "who").is_ok_and(|own| own == *who)
            };
            found.iter().find(is_own).map_or(Ok(Item::default()), read)
        };
        keys.iter().map(item).collect()
    }

    /// Returns the items of `room` whose key `who` starts with `prefix`, each with that key, by consistent
    /// requests of `Query`.
    pub(super) async fn items_of(
        &self,
        room: &str,
        prefix: &str,
    ) -> Result<Vec<(String, Item)>, FetchError> {
        self.client.retried_once(UPSTREAM, || self.items_of_once(room, prefix)).await
    }

    async fn items_of_once(
        &self,
        room: &str,
        prefix: &str,
    ) -> Result<Vec<(String, Item)>, FetchError> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let mut request = self
                .sdk()
                .query()
                .table_name(&self.table.table)
                .consistent_read(true)
                .key_condition_expression("#room = :room")
                .expression_attribute_names("#room", "room")
                .expression_attribute_values(":room", AttributeValue::S(room.to_owned()))
                .set_exclusive_start_key(start);
            // The service refuses an empty prefix.
            if !prefix.is_empty() {
                request = request
                    .key_condition_expression("#room = :room AND begins_with(#who, :prefix)")
                    .expression_attribute_names("#who", "who")
                    .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()));
            }
            let response = request.send().await;
            let response = response.map_err(|error| refusal(&error, &ERROR_CODES, RESPONSE))?;
            for item in response.items.ok_or(FetchError::Malformed(RESPONSE))? {
                found.push((text(&item, "who")?.to_owned(), read(&item)?));
            }
            start = response.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    /// Writes `parts` of `item` by `UpdateItem`, on the condition that the stored item has the
    /// version before. Returns whether it has.
    pub(super) async fn write(
        &self,
        key: (&str, &str),
        item: &Item,
        parts: &[Part],
        now: u64,
    ) -> Result<bool, FetchError> {
        self.client.retried_once(UPSTREAM, || self.write_once(key, item, parts, now)).await
    }

    async fn write_once(
        &self,
        (room, who): (&str, &str),
        item: &Item,
        parts: &[Part],
        now: u64,
    ) -> Result<bool, FetchError> {
        let expires = item.expires(now).map(number);
        let written = parts.iter().map(|part| written(item, *part));
        let attributes: Vec<_> = written.chain([("expires", expires)]).collect();
        let mut request = self
            .sdk()
            .update_item()
            .table_name(&self.table.table)
            .set_key(Some(key(room, who)))
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":version", number(item.version));
        // An expression has one clause of each kind.
        let (mut set, mut remove) = (vec!["#version = :version".to_owned()], Vec::new());
        for (name, value) in attributes {
            request = request.expression_attribute_names(format!("#{name}"), name);
            match value {
                Some(value) => {
                    request = request.expression_attribute_values(format!(":{name}"), value);
                    set.push(format!("#{name} = :{name}"));
                }
                None => remove.push(format!("#{name}")),
            }
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        request = request.update_expression(expression);
        request = match item.version.checked_sub(1) {
            None | Some(0) => request.condition_expression("attribute_not_exists(#version)"),
            Some(seen) => request
                .condition_expression("#version = :seen")
                .expression_attribute_values(":seen", number(seen)),
        };
        match request.send().await {
            Ok(_) => Ok(true),
            Err(error) => match error.code() {
                Some(CONFLICT) => Ok(false),
                _ => Err(refusal(&error, &ERROR_CODES, RESPONSE)),
            },
        }
    }
}
