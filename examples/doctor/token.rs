//! The token as it is, without verification: its provider, and the claims that it contains.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roomkey::json;
use roomkey::oidc::provider::Provider;
use roomkey::oidc::providers;
use roomkey::oidc::verifier::Expected;
use serde_json::{Map, Value};

use crate::report::{Finding, Report};

/// Returns the issuer that `token` names.
pub(crate) fn issuer(token: &str) -> Option<String> {
    Some(part(token, 1)?.get("iss")?.as_str()?.to_owned())
}

/// Reports the preset for the token, and the paths of the claims that it contains.
pub(crate) fn recognize(token: &str, report: &mut Report) {
    if let Some(header) = part(token, 0) {
        let shown = ["alg", "kid", "typ"].map(|name| format!("{name} {}", shown(&header, name)));
        report.add(Finding::note("header", &shown.join(", ")));
    }
    let Some(claims) = part(token, 1) else { return };
    let provider = claims.get("iss").and_then(Value::as_str).map(providers::recognize);
    if let Some(provider) = provider {
        let detail = format!("iss is an issuer of the preset {}", provider.name);
        report.add(Finding::note("provider", &detail));
        profile(provider, &claims, report);
    }
    let mut paths = Vec::new();
    collect(&claims, "", &mut paths);
    report.add(Finding::note("claims", &paths.join(" ")));
}

/// Reports the paths at which the preset finds the profile.
fn profile(provider: &Provider, claims: &Map<String, Value>, report: &mut Report) {
    let find = |paths: &[&str]| {
        let found = paths.iter().find(|path| json::find(claims, path).is_some());
        found.map_or_else(|| format!("none of {}", paths.join(", ")), ToString::to_string)
    };
    let emails: Vec<&str> = provider.emails.iter().map(|(email, _)| *email).collect();
    let verified: Vec<&str> = provider.emails.iter().map(|(_, verified)| *verified).collect();
    let detail = format!(
        "email: {}; verified: {}; name: {}; picture: {}",
        find(&emails),
        find(&verified),
        find(provider.names),
        find(provider.pictures)
    );
    report.add(Finding::note("profile claims", &detail));
}

/// Collects the paths of the claims of `object`, which starts at `prefix`. Objects within objects are
/// listed to a depth of three.
fn collect(object: &Map<String, Value>, prefix: &str, paths: &mut Vec<String>) {
    // The name of a claim can be any string, including an email address.
    let is_usual = |name: &str| {
        name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte))
    };
    for (name, value) in object.iter().filter(|(name, _)| is_usual(name)) {
        let path = format!("{prefix}{name}");
        match value {
            Value::Object(inner) if prefix.matches('.').count() < 2 => {
                collect(inner, &format!("{path}."), paths);
            }
            _ => paths.push(path),
        }
    }
}

/// Reports claims about the token, without those about the person, with the expected values.
pub(crate) fn describe(
    claims: &Map<String, Value>,
    expected: &Expected,
    now: SystemTime,
    report: &mut Report,
) {
    let shown = |name: &str| shown(claims, name);
    let issuers: Vec<_> =
        std::iter::once(&expected.issuer).chain(&expected.aliases).map(String::as_str).collect();
    report
        .add(Finding::note("iss", &format!("{}, expected {}", shown("iss"), issuers.join(" or "))));
    let (audiences, parties) = (expected.audience.audiences(), expected.audience.parties());
    if !audiences.is_empty() {
        let detail = format!("{}, expected one of {}", shown("aud"), audiences.join(", "));
        report.add(Finding::note("aud", &detail));
    }
    if !parties.is_empty() {
        let found = ["azp", "client_id", "cid", "appid"].map(shown).join(" ");
        let detail = format!("{found}, expected one of {}", parties.join(", "));
        report.add(Finding::note("azp, client_id, cid, appid", &detail));
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    if let Some(expires) = claims.get("exp").and_then(Value::as_f64) {
        report.add(Finding::note("exp", &format!("{:+.0} s from now", expires - now)));
    }
}

fn shown(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).map_or_else(|| "–".to_owned(), Value::to_string)
}

/// Parses a part of the token without verification: 0 is the header, 1 are the claims.
fn part(token: &str, place: usize) -> Option<Map<String, Value>> {
    let text = URL_SAFE_NO_PAD.decode(token.split('.').nth(place)?).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Returns the claims of the token without verification.
pub(crate) fn claims(token: &str) -> Option<Map<String, Value>> {
    part(token, 1)
}

/// Returns what else than a token was pasted, and the remedy.
pub(crate) fn mistake(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("standard input is empty: pipe the access token to it"),
        _ if text.starts_with('{') => {
            Some("standard input is JSON: pipe the value of its access_token")
        }
        _ if text.contains(char::is_whitespace) => {
            Some("standard input contains a blank or a line break within the token: remove it")
        }
        _ if text.ends_with("...") || text.ends_with('\u{2026}') => {
            Some("the token was cut: copy all of it")
        }
        _ => None,
    }
}
