//! The variable of the state.

use super::reader::Reader;
#[cfg(feature = "dynamodb")]
use crate::state::dynamo::DynamoTable;

/// The kind of state that the deployment has.
pub enum StateSource {
    /// The memory of the process.
    Memory,
    /// A table of DynamoDB.
    #[cfg(feature = "dynamodb")]
    Dynamo(DynamoTable),
}

/// Reads `STATE_TABLE`. Returns `None` if it is not set or has a fault.
pub(super) fn read<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>) -> Option<StateSource> {
    let table = reader.text("STATE_TABLE")?;
    if table == "memory" {
        let lambda = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_RUNTIME_API"];
        if lambda.iter().any(|name| reader.text(name).is_some()) {
            let reason = "must not be memory on Lambda, whose processes share no memory: set the \
                          name of a DynamoDB table";
            reader.fault("STATE_TABLE", reason);
        }
        return Some(StateSource::Memory);
    }
    dynamo(reader, table)
}

#[cfg(feature = "dynamodb")]
fn dynamo<L: Fn(&str) -> Option<String>>(
    reader: &mut Reader<L>,
    table: String,
) -> Option<StateSource> {
    let region = reader.optional("STATE_TABLE", check_table);
    let region = region.as_ref().and_then(Option::as_deref);
    let access = super::aws::access(reader, "AWS_ENDPOINT_URL_DYNAMODB", region);
    Some(StateSource::Dynamo(DynamoTable { table, access: access? }))
}

/// Checks the name or ARN of a table, and returns the region of an ARN.
#[cfg(feature = "dynamodb")]
fn check_table(table: &str) -> Result<Option<String>, crate::reason::Reason> {
    let is_name = |name: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        (3..=255).contains(&name.len()) && name.bytes().all(is_allowed)
    };
    if is_name(table) {
        return Ok(None);
    }
    let parts: Vec<&str> = table.splitn(6, ':').collect();
    match parts[..] {
        ["arn", _, "dynamodb", region, _, resource]
            if !region.is_empty() && resource.strip_prefix("table/").is_some_and(is_name) =>
        {
            Ok(Some(region.to_owned()))
        }
        _ => Err(crate::reason::Reason("must be memory, or the name or ARN of a DynamoDB table")),
    }
}

#[cfg(not(feature = "dynamodb"))]
fn dynamo<L: Fn(&str) -> Option<String>>(reader: &mut Reader<L>, _: String) -> Option<StateSource> {
    reader.fault("STATE_TABLE", "must be memory or not set: the feature dynamodb is disabled");
    None
}
