//! The attributes of an item in DynamoDB, and the item that they contain.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use crate::lobby::Lobby;
use crate::state::item::{Ban, Entry, GivenRole, Item, Part, StoredInvitation, Waiting};
use crate::upstream::error::FetchError;

/// Description of a valid item.
const ITEM: &str = "an item of the state";

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
        Part::Entry => ("entry", item.entry.as_ref().map(write_entry)),
        Part::Waiting => ("waiting", item.waiting.as_ref().map(write_waiting)),
        Part::Invitation => ("invitation", item.invitation.as_ref().map(write_invitation)),
    }
}

fn write_ban(ban: &Ban) -> AttributeValue {
    map([
        ("at", Some(number(ban.banned_at))),
        ("until", ban.ends_at.map(number)),
        ("reason", ban.reason.clone().map(AttributeValue::S)),
    ])
}

fn write_role(given: &GivenRole) -> AttributeValue {
    map([
        ("name", Some(AttributeValue::S(given.role.clone()))),
        ("at", Some(number(given.given_at))),
        ("until", Some(number(given.ends_at))),
    ])
}

fn write_entry(entry: &Entry) -> AttributeValue {
    map([
        ("admitted", Some(AttributeValue::Bool(entry.is_admitted))),
        ("at", Some(number(entry.decided_at))),
        ("until", Some(number(entry.ends_at))),
    ])
}

fn write_waiting(waiting: &Waiting) -> AttributeValue {
    map([
        ("name", Some(AttributeValue::S(waiting.name.clone()))),
        ("since", Some(number(waiting.since))),
        ("seen", Some(number(waiting.seen_at))),
    ])
}

fn write_invitation(invitation: &StoredInvitation) -> AttributeValue {
    let is_until_host = |lobby| AttributeValue::Bool(lobby == Lobby::UntilHost);
    // A set must not be empty.
    let guests = Some(invitation.guests.clone()).filter(|guests| !guests.is_empty());
    map([
        ("role", invitation.role.clone().map(AttributeValue::S)),
        ("name", invitation.name.clone().map(AttributeValue::S)),
        ("until_host", invitation.lobby.map(is_until_host)),
        ("uses", invitation.uses.map(number)),
        ("guests", guests.map(AttributeValue::Ss)),
        ("until", Some(number(invitation.expires_at))),
        ("revoked", Some(AttributeValue::Bool(invitation.is_revoked))),
    ])
}

fn map<const N: usize>(fields: [(&str, Option<AttributeValue>); N]) -> AttributeValue {
    let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    AttributeValue::M(present.collect())
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
        Ok::<_, FetchError>(Ban {
            banned_at: whole(fields, "at")?.unwrap_or_default(),
            ends_at: whole(fields, "until")?,
            reason: optional_text(fields, "reason")?,
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
        entry: part("entry")?.map(read_entry).transpose()?,
        waiting: part("waiting")?.map(read_waiting).transpose()?,
        invitation: part("invitation")?.map(read_invitation).transpose()?,
        version: whole(item, "version")?.unwrap_or_default(),
    })
}

fn read_entry(fields: &Attributes) -> Result<Entry, FetchError> {
    Ok(Entry {
        is_admitted: boolean(fields, "admitted")?.ok_or(FetchError::Malformed(ITEM))?,
        decided_at: whole(fields, "at")?.unwrap_or_default(),
        ends_at: whole(fields, "until")?.ok_or(FetchError::Malformed(ITEM))?,
    })
}

fn read_waiting(fields: &Attributes) -> Result<Waiting, FetchError> {
    Ok(Waiting {
        name: text(fields, "name")?.to_owned(),
        since: whole(fields, "since")?.unwrap_or_default(),
        seen_at: whole(fields, "seen")?.unwrap_or_default(),
    })
}

fn read_invitation(fields: &Attributes) -> Result<StoredInvitation, FetchError> {
    let kind = |is_until_host| if is_until_host { Lobby::UntilHost } else { Lobby::Always };
    let guests = match fields.get("guests") {
        None => Vec::new(),
        Some(AttributeValue::Ss(guests)) => guests.clone(),
        Some(_) => return Err(FetchError::Malformed(ITEM)),
    };
    Ok(StoredInvitation {
        role: optional_text(fields, "role")?,
        name: optional_text(fields, "name")?,
        lobby: boolean(fields, "until_host")?.map(kind),
        uses: whole(fields, "uses")?,
        guests,
        expires_at: whole(fields, "until")?.unwrap_or_default(),
        is_revoked: boolean(fields, "revoked")?.unwrap_or_default(),
    })
}

fn optional_text(fields: &Attributes, name: &str) -> Result<Option<String>, FetchError> {
    let found = fields.contains_key(name).then(|| text(fields, name).map(str::to_owned));
    found.transpose()
}

fn boolean(fields: &Attributes, name: &str) -> Result<Option<bool>, FetchError> {
    match fields.get(name) {
        None => Ok(None),
        Some(AttributeValue::Bool(value)) => Ok(Some(*value)),
        Some(_) => Err(FetchError::Malformed(ITEM)),
    }
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
