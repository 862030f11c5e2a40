//! Sends the tokens of `tests/providers` to the token endpoint and compares the responses.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::corpus::{Deployment, Expected, Keys, ProviderFile, Token, UserInfo};
use crate::support::{Call, Env, FakeIdp, Fault, Reply, Route};

/// A response that differs from the file.
struct Mismatch {
    place: String,
    expected: String,
    found: String,
}

#[tokio::test]
async fn provider_tokens_get_the_recorded_response() {
    let log = Log::default();
    // With one dispatcher, tracing caches for a log statement the interest of the first thread that
    // executes it, and the other tests' threads have no interest. A second one prevents this.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(log.clone()));
    let (mut rows, mut mismatches) = (0, Vec::new());
    for (file, provider) in ProviderFile::all() {
        assert!(!provider.deployments.is_empty(), "{file}");
        for deployment in &provider.deployments {
            rows += deployment.tokens.len().max(1);
            let place = format!("{file} | {}", deployment.name);
            mismatches.extend(try_deployment(&place, deployment, &log).await);
        }
    }
    let mut table = String::new();
    for Mismatch { place, expected, found } in &mismatches {
        writeln!(table, "{place} | {expected} | {found}").unwrap();
    }
    let count = mismatches.len();
    assert!(
        count == 0,
        "{count} of {rows} rows:\nfile | deployment | token | expected | found\n{table}"
    );
}

async fn try_deployment(place: &str, deployment: &Deployment, log: &Log) -> Vec<Mismatch> {
    let idp = deployment.userinfo.as_ref().map(|userinfo| start(deployment, userinfo));
    let address = idp.as_ref().map(FakeIdp::issuer).unwrap_or_default();
    let env = env_of(deployment, &address);
    let started = env.config();
    if !deployment.fault.is_empty() {
        let message = started.err().map(|fault| fault.to_string());
        let names = |word: &String| message.as_ref().is_some_and(|text| text.contains(word));
        let place = format!("{place} | –");
        return if deployment.fault.iter().all(names) {
            Vec::new()
        } else {
            let found = message.unwrap_or_else(|| "it starts".into()).replace('\n', " ");
            vec![Mismatch { place, expected: deployment.fault.join(", "), found }]
        };
    }
    if let Err(fault) = started {
        let found = fault.to_string().replace('\n', " ");
        return vec![Mismatch {
            place: format!("{place} | –"),
            expected: "it starts".into(),
            found,
        }];
    }
    assert!(!deployment.tokens.is_empty(), "{place}: no tokens");
    let app = env.app();
    let mut mismatches = Vec::new();
    for token in &deployment.tokens {
        let signed = deployment.sign(token, &address);
        log.clear();
        let reply = call(token, &signed).send(&app).await;
        let (expected, found) = compare(&token.expected, &reply, &log.reason());
        if expected != found {
            let place = format!("{place} | {}", token.name);
            mismatches.push(Mismatch { place, expected, found });
        }
    }
    mismatches
}

/// Returns the file's variables, with a static key set instead of `OIDC_JWKS_URI`.
fn env_of(deployment: &Deployment, idp: &str) -> Env {
    let mut env = Env::offline().without("OIDC_AUDIENCE").without("PROFILE_SOURCE");
    for (name, value) in &deployment.variables {
        env = env.with(name, &value.replace("{idp}", idp));
    }
    if !deployment.policy.is_empty() {
        env = env.with("POLICY", &deployment.policy.join("\n"));
    }
    match (&deployment.keys, deployment.key_set()) {
        (Keys::Usual, _) if !deployment.fault.is_empty() => env,
        (_, Some(keys)) => env.without("OIDC_JWKS_URI").with("OIDC_JWKS", &keys.to_string()),
        (_, None) => env.without("OIDC_JWKS"),
    }
}

/// Starts a provider on the loopback that serves UserInfo.
fn start(deployment: &Deployment, userinfo: &UserInfo) -> FakeIdp {
    let idp = FakeIdp::start();
    match userinfo {
        UserInfo::Answer(claims) => {
            idp.introduce(&json!({ "email": null, "email_verified": null, "name": null }));
            idp.introduce(claims);
        }
        UserInfo::Status(status) => idp.inject(Route::UserInfo, Fault::Status(*status)),
        UserInfo::Signed(claims) => {
            let signed = deployment.sign_claims(claims, &idp.issuer());
            idp.inject(Route::UserInfo, Fault::Typed("application/jwt", signed));
        }
    }
    idp
}

fn call(token: &Token, signed: &str) -> Call {
    let call = match &token.carried_in {
        Some(header) => Call::bare().header(header, signed),
        None => Call::bare().bearer(signed),
    };
    match &token.room {
        Some(room) => call.json(&json!({ "room_name": room })),
        None => call,
    }
}

/// Describes the expected and the actual response. Equal descriptions mean success.
fn compare(expected: &Expected, reply: &Reply, reason: &str) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or("–").to_owned();
    if expected.status == 201 && reply.status == 201 {
        let participant = reply.participant();
        let attributes = &participant["attributes"];
        let of = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".into());
        // The role is compared only if the file names one.
        let role = expected.role.as_ref().map_or_else(|| "–".into(), |_| text(&attributes["role"]));
        let found = [
            text(&participant["sub"]),
            text(&participant["name"]),
            text(&attributes["imageUrl"]),
            role,
        ];
        let expected =
            [&expected.identity, &expected.name, &expected.picture, &expected.role].map(of);
        return (expected.join(", "), found.join(", "));
    }
    let code = expected.code.as_deref().unwrap_or(match expected.status {
        201 => "",
        _ => "invalid_token",
    });
    let found = format!("{} {}", reply.status, reply.code());
    let wanted = format!("{} {code}", expected.status);
    match &expected.reason {
        Some(word) if wanted == found && holds_word(reason, word) => (wanted.clone(), wanted),
        Some(word) => (format!("{wanted}: {word}"), format!("{found}: {reason}")),
        None if wanted == found => (wanted.clone(), wanted),
        None => (wanted, format!("{found}: {reason}")),
    }
}

/// Whether `text` contains `word` with no letter, digit or underscore next to it.
fn holds_word(text: &str, word: &str) -> bool {
    let is_inner = |character: char| character.is_alphanumeric() || character == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(is_inner) && !after.is_some_and(is_inner)
    })
}

/// Keeps the `reason` of the last log line.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    fn reason(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Reason(&mut self.0.lock().unwrap()));
    }
}

struct Reason<'a>(&'a mut String);

impl Visit for Reason<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "event" {
            let event: Value = serde_json::from_str(value).unwrap_or_default();
            if let Some(reason) = event["reason"].as_str() {
                reason.clone_into(self.0);
            }
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
