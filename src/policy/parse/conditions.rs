//! Parser of a policy's text: the conditions of a rule.

use toml::de::{DeTable, DeValue};

use super::faults::{Faults, Located, integer, text};
use crate::non_empty::NonEmpty;
use crate::policy::condition::{Condition, Expected};
use crate::reason::Reason;

/// The field of a table that requests the comparison of words.
const WORD: &str = "word";

/// Reads `when`.
pub(super) fn read(value: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Condition> {
    let mut found = Vec::new();
    if let Some(table) = faults.table(value, "when must be a table of claims and their values") {
        if table.is_empty() {
            faults.add(
                value.span().start,
                "when must name a claim: leave it out if the rule is for every caller",
            );
        }
        conditions(table, "", &mut found, faults);
    }
    found
}

/// Reads the conditions of a table, whose claims are below `path`. TOML parses `org.role` without quotes
/// as a table in a table.
fn conditions(
    table: &DeTable<'_>,
    path: &str,
    found: &mut Vec<Condition>,
    faults: &mut Faults<'_>,
) {
    for (claim, value) in table {
        let name = claim.get_ref();
        if name.is_empty() {
            faults.add(claim.span().start, "a claim must have a name");
        }
        let claim = match path {
            "" => name.to_string(),
            _ if name.contains('.') && !name.contains('"') => format!("{path}.\"{name}\""),
            _ => format!("{path}.{name}"),
        };
        let any_of = match value.get_ref() {
            DeValue::Table(table) if table.contains_key(WORD) => words(value, table, faults),
            DeValue::Table(table) if !table.is_empty() => {
                conditions(table, &claim, found, faults);
                continue;
            }
            DeValue::Array(_) => {
                let items = faults.list(value, "a list of values must not be empty");
                items.iter().flat_map(|item| item_of_list(item, faults)).collect()
            }
            _ => faults.read(value, expected).into_iter().collect(),
        };
        // Empty only if a fault was found.
        if let Some(any_of) = NonEmpty::new(any_of) {
            found.push(Condition { claim, any_of });
        }
    }
}

fn item_of_list(item: &Located<'_>, faults: &mut Faults<'_>) -> Vec<Expected> {
    match item.get_ref() {
        DeValue::Table(table) if table.contains_key(WORD) => words(item, table, faults),
        _ => faults.read(item, expected).into_iter().collect(),
    }
}

/// Reads `{ word = "…" }` or `{ word = ["…", "…"] }`.
fn words(value: &Located<'_>, table: &DeTable<'_>, faults: &mut Faults<'_>) -> Vec<Expected> {
    if table.len() != 1 {
        let reason = "word must be the only field of its table: write a claim of this name as a \
                      path in quotes";
        faults.add(value.span().start, reason);
        return Vec::new();
    }
    let values = table.iter().map(|(_, value)| value);
    let mut words = Vec::new();
    for value in values {
        match value.get_ref() {
            DeValue::Array(_) => {
                let items = faults.list(value, "a list of words must not be empty");
                words.extend(items.iter().filter_map(|item| faults.read(item, word)));
            }
            _ => words.extend(faults.read(value, word)),
        }
    }
    words
}

fn word(value: &DeValue<'_>) -> Result<Expected, Reason> {
    const WRONG: Reason =
        Reason("word must be a string without blanks and commas, or a list of these");
    let word = value.as_str().filter(|word| !word.is_empty() && !word.contains([' ', ',']));
    word.map(|word| Expected::Word(word.to_owned())).ok_or(WRONG)
}

fn expected(value: &DeValue<'_>) -> Result<Expected, Reason> {
    const WRONG: Reason = Reason(
        "a claim's value must be a non-empty string, true, false, a whole number, { word = \"…\" }, \
         or a list of these",
    );
    match value {
        DeValue::Boolean(expected) => Ok(Expected::Boolean(*expected)),
        DeValue::Integer(_) => integer(value).map(Expected::Integer).ok_or(WRONG),
        _ => text(value).map(|text| Expected::Text(text.to_owned())).map_err(|_| WRONG),
    }
}
