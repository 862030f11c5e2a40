//! Parser of a policy's text: questions to the app.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use toml::de::DeValue;

use super::faults::{Faults, Located, boolean, number, text};
use crate::ask::AskSettings;
use crate::policy::ask::{Ask, UrlTemplate};
use crate::policy::role::Role;
use crate::reason::Reason;

/// The maximum length of a table's name, in bytes.
const NAME_BYTES: usize = 64;

/// Headers that roomkey or the connection sets.
const RESERVED: [&str; 15] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The tables `[ask.NAME]`, and whether a rule uses them.
#[derive(Default)]
pub(super) struct Asks {
    by_name: BTreeMap<String, Entry>,
}

struct Entry {
    /// The position of the name in the text.
    start: usize,
    is_used: bool,
    /// `None` if the table has faults.
    ask: Option<Arc<Ask>>,
}

impl Asks {
    /// Reads `[ask.…]`.
    pub(super) fn read(
        value: &Located<'_>,
        roles: &BTreeMap<String, Role>,
        faults: &mut Faults<'_>,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        let tables = faults.table(value, "ask must be tables, each headed [ask.name]");
        for (key, value) in tables.into_iter().flatten() {
            let (name, start) = (key.get_ref().as_ref(), key.span().start);
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            if !(1..=NAME_BYTES).contains(&name.len()) || !name.bytes().all(is_allowed) {
                faults.add(start, "the name of an ask table must be 1 to 64 of A-Z a-z 0-9 _ -");
            }
            let ask = ask(name, value, start, roles, faults).map(Arc::new);
            by_name.insert(name.to_owned(), Entry { start, is_used: false, ask });
        }
        Self { by_name }
    }

    /// Reads the field `ask` of a rule.
    pub(super) fn named(
        &mut self,
        value: &Located<'_>,
        faults: &mut Faults<'_>,
    ) -> Option<Arc<Ask>> {
        const UNKNOWN: Reason =
            Reason("ask must be the name of a table of this policy, [ask.name]");
        let by_name = &mut self.by_name;
        let entry = faults.read(value, |value| by_name.get_mut(text(value)?).ok_or(UNKNOWN))?;
        entry.is_used = true;
        entry.ask.clone()
    }

    /// Adds a fault for every table that no rule names.
    pub(super) fn check_used(&self, faults: &mut Faults<'_>) {
        for entry in self.by_name.values().filter(|entry| !entry.is_used) {
            faults
                .add(entry.start, "no rule names this ask table: remove it, or set ask in a rule");
        }
    }
}

fn ask(
    name: &str,
    value: &Located<'_>,
    start: usize,
    roles: &BTreeMap<String, Role>,
    faults: &mut Faults<'_>,
) -> Option<Ask> {
    let table = faults.table(value, "an ask table must be a table, headed [ask.name]")?;
    let mut url = None;
    let mut settings = AskSettings {
        name: name.to_owned(),
        forwards_bearer: false,
        is_signed: false,
        headers: HeaderMap::new(),
        role_from: None,
        roles: Vec::new(),
        is_non_empty: false,
        cache: Duration::ZERO,
    };
    let (mut role_from, mut listed) = (None, None);
    for (key, value) in table {
        let start = key.span().start;
        match key.get_ref().as_ref() {
            "url" => url = Some(read_url(value, faults)),
            "forward" => {
                settings.forwards_bearer = faults.read(value, forwards_bearer).unwrap_or_default();
            }
            "sign" => settings.is_signed = faults.read(value, boolean).unwrap_or_default(),
            "headers" => settings.headers = headers(value, faults),
            "role_from" => {
                role_from = Some(start);
                settings.role_from = faults.read(value, path);
            }
            "roles" => {
                listed = Some(start);
                settings.roles = role_names(value, roles, faults);
            }
            "non_empty" => {
                settings.is_non_empty = faults.read(value, boolean).unwrap_or_default();
            }
            "cache_seconds" => {
                let wrong = Reason("cache_seconds must be a whole number from 0 to 60");
                let seconds = faults.read(value, |value| number(value, 0..=60, wrong));
                settings.cache = Duration::from_secs(seconds.unwrap_or_default().into());
            }
            _ => faults.add(
                start,
                "no such field of an ask table: there are url, forward, sign, headers, role_from, \
                 roles, non_empty and cache_seconds",
            ),
        }
    }
    match (role_from, listed) {
        (Some(start), None) => {
            faults.add(
                start,
                "role_from must have roles beside it, which list what the app may give",
            );
        }
        (None, Some(start)) => {
            faults.add(
                start,
                "roles must have role_from beside it, the path of the role in the answer",
            );
        }
        _ => {}
    }
    if settings.forwards_bearer && settings.headers.contains_key(AUTHORIZATION) {
        let reason = "headers must not have authorization if forward is bearer";
        faults.add(start, reason);
    }
    if url.is_none() {
        faults.add(start, "the ask table has no url");
    }
    Some(Ask { settings, url: url?? })
}

fn read_url(value: &Located<'_>, faults: &mut Faults<'_>) -> Option<UrlTemplate> {
    let url = faults.read(value, |value| {
        text(value).map(UrlTemplate::parse).map_err(|_| Reason("url must be a non-empty string"))
    })?;
    url.map_err(|error| faults.add(value.span().start, error.to_string())).ok()
}

fn forwards_bearer(value: &DeValue<'_>) -> Result<bool, Reason> {
    match value.as_str() {
        Some("bearer") => Ok(true),
        Some("none") => Ok(false),
        _ => Err(Reason("forward must be bearer or none")),
    }
}

fn path(value: &DeValue<'_>) -> Result<String, Reason> {
    const WRONG: Reason = Reason("role_from must be a path, such as role or 0.role");
    let path = text(value).map_err(|_| WRONG)?;
    if path.trim() == path { Ok(path.to_owned()) } else { Err(WRONG) }
}

fn role_names(
    value: &Located<'_>,
    roles: &BTreeMap<String, Role>,
    faults: &mut Faults<'_>,
) -> Vec<String> {
    const UNKNOWN: Reason = Reason("roles must list roles of this policy");
    let mut names = Vec::new();
    for item in faults.list(value, "roles must be a non-empty list of roles") {
        let known = |name: &&str| roles.contains_key(*name);
        let name = faults
            .read(item, |value| text(value).ok().filter(known).map(str::to_owned).ok_or(UNKNOWN));
        names.extend(name);
    }
    names
}

fn headers(value: &Located<'_>, faults: &mut Faults<'_>) -> HeaderMap {
    const VALUE: Reason = Reason(
        "a header of ask must be a constant string of visible ASCII characters and inner blanks",
    );
    let mut headers = HeaderMap::new();
    let table = faults.table(value, "headers must be a table of strings");
    for (key, value) in table.into_iter().flatten() {
        let start = key.span().start;
        let Ok(name) = HeaderName::from_bytes(key.get_ref().as_bytes()) else {
            faults.add(start, "headers must have names that a header can have");
            continue;
        };
        if RESERVED.contains(&name.as_str()) || name.as_str().starts_with("x-roomkey-") {
            faults.add(start, "headers must not have one that roomkey or the connection sets");
        }
        let constant = |value: &DeValue<'_>| {
            let text = text(value).map_err(|_| VALUE)?;
            // Claims can be named in the URL only.
            let is_constant =
                text.is_ascii() && text.trim() == text && !text.contains(['{', '}', '\t']);
            HeaderValue::from_str(text).ok().filter(|_| is_constant).ok_or(VALUE)
        };
        if let Some(value) = faults.read(value, constant)
            && headers.insert(name, value).is_some()
        {
            faults.add(start, "headers must not have two names that differ only in case");
        }
    }
    headers
}
