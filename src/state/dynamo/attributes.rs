//! The attributes of an item in DynamoDB, and the item that they contain.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::state::item::{Ban, GivenRole, Item, Part};
use crate::upstream::error::FetchError;

/// Description of a valid item.
const ITEM: &str = "an item of bans and roles";

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// Returns the key of the item of `who` in `room`.
pub(super) fn key(room: &str, who: &str) -> Attributes {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    HashMap::from([("room".to_owned(), text(room)), ("who".to_owned(), text(who))])
}

/// Returns the name of `part`, and its value unless the item lacks it.
pub(super) fn written(item: &Item, part: Part) -> (&'static str, Option<AttributeValue>) {
    match part {
        Part::Ban => ("ban", item.ban.as_ref().map(write_ban)),
        Part::Role => ("role", item.role.as_ref().map(write_role)),
    }
}

fn write_ban(ban: &Ban) -> AttributeValue {
    let mut fields = HashMap::from([("at".to_owned(), number(ban.banned_at))]);
    fields.extend(ban.ends_at.map(|end| ("until".to_owned(), number(end))));
    let reason = ban.reason.clone().map(AttributeValue::S);
    fields.extend(reason.map(|reason| ("reason".to_owned(), reason)));
    AttributeValue::M(fields)
}

fn write_role(given: &GivenRole) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        ("name".to_owned(), AttributeValue::S(given.role.clone())),
        ("at".to_owned(), number(given.given_at)),
        ("until".to_owned(), number(given.ends_at)),
    ]))
}

/// Reads an item. Unknown attributes are ignored; a known one of another form is an error, since it
/// could be a ban.
pub(super) fn read(item: &Attributes) -> Result<Item, FetchError> {
    let part = |name| match item.get(name) {
        None => Ok(None),
        Some(AttributeValue::M(fields)) => Ok(Some(fields)),
        Some(_) => Err(FetchError::Malformed(ITEM)),
    };
    let ban = |fields: &Attributes| {
        let reason = fields.contains_key("reason").then(|| text(fields, "reason"));
        Ok::<_, FetchError>(Ban {
            banned_at: whole(fields, "at")?.unwrap_or_default(),
            ends_at: whole(fields, "until")?,
            reason: reason.transpose()?.map(str::to_owned),
        })
    };
    let role = |fields: &Attributes| {
        Ok::<_, FetchError>(GivenRole {
            role: text(fields, "name")?.to_owned(),
            given_at: whole(fields, "at")?.unwrap_or_default(),
            ends_at: whole(fields, "until")?.ok_or(FetchError::Malformed(ITEM))?,
        })
    };
    Ok(Item {
        ban: part("ban")?.map(ban).transpose()?,
        role: part("role")?.map(role).transpose()?,
        version: whole(item, "version")?.unwrap_or_default(),
    })
}

/// Returns the text in `name`.
pub(super) fn text<'a>(fields: &'a Attributes, name: &str) -> Result<&'a str, FetchError> {
    match fields.get(name) {
        Some(AttributeValue::S(text)) => Ok(text),
        _ => Err(FetchError::Malformed(ITEM)),
    }
}

fn whole(fields: &Attributes, name: &str) -> Result<Option<u64>, FetchError> {
    match fields.get(name) {
        None => Ok(None),
        Some(AttributeValue::N(number)) => {
            number.parse().map(Some).map_err(|_| FetchError::Malformed(ITEM))
        }
        Some(_) => Err(FetchError::Malformed(ITEM)),
    }
}

/// Returns `number` as an attribute.
pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
