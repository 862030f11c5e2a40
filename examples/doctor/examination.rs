//! The function's checks, performed one after the other.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use roomkey::Config;
use roomkey::config::{IssuerConfig, SecretSource};
use roomkey::endpoint::problem::Problem;
use roomkey::exchange::ExchangeError;
use roomkey::keys::shared::SharedKey;
use roomkey::livekit::token_source::RequestedRoomConfig;
use roomkey::oidc::claims::VerifiedClaims;
use roomkey::oidc::error::VerifyError;
use roomkey::oidc::issuer::Issuer;
use roomkey::oidc::jwks::{KeySet, Lookup};
use roomkey::oidc::jwt::{self, UnverifiedJwt};
use roomkey::oidc::provider::ProfileSource;
use roomkey::oidc::provider::Provider;
use roomkey::oidc::verifier::Expected;
use roomkey::policy::{CallerClaims, Policy};
use roomkey::profile::Profile;
use roomkey::upstream::client::Client;
use serde_json::{Map, Value};

use crate::report::{Finding, Report};

/// Checks `token` for `room` at the time `now`, like a function with this `config`.
pub(crate) async fn of(
    config: Config,
    token: &str,
    room: Option<&str>,
    now: SystemTime,
    report: &mut Report,
) {
    let claims = unverified_claims(token);
    let needs = config.needs;
    let secrets = config.secrets;
    let policy = config.policy;
    let Some(issuer) = choose(config.issuers, token, report) else { return };
    let (sources, paths, hs256_name) = (issuer.sources, issuer.paths, issuer.hs256_name);
    let name = issuer.name;
    let expected = issuer.verifier.expected().clone();
    report.add(Finding::note("provider", expected.provider.name));
    if let Some(claims) = &claims {
        describe(claims, &expected, now, report);
    }

    let shared = match &secrets {
        SecretSource::Given(secrets) => secrets.hs256.get(&hs256_name).cloned(),
        SecretSource::Managed(..) => {
            let detail = "not read from Secrets Manager, so a shared HS256 secret in it is unknown";
            report.add(Finding::note("secret", detail));
            None
        }
    };
    let issuer =
        Issuer::new(&Arc::new(Client::default()), issuer.verifier, issuer.keys, issuer.jwks_limits);
    let verified = match shared {
        Some(shared) => with_secret(&issuer, token, &shared, now, report),
        None => with_keys(&issuer, token, now, report).await,
    };
    let Some(verified) = verified else { return };

    let profile = if sources.contains(&ProfileSource::Claims) {
        Profile::read(verified.as_object(), &paths)
    } else {
        Profile::default()
    };
    let names: Vec<&str> = sources.iter().map(|source| name_of(*source)).collect();
    report.add(Finding::note("profile sources", &names.join(", then ")));
    if profile.satisfies(needs) {
        found_in_claims(&profile, needs.email, needs.verified_email, expected.provider, report);
    } else {
        elsewhere(&sources, expected.provider, report);
    }
    let subject = verified.subject().as_str();
    let key = match &name {
        Some(name) => format!("{name}|{subject}"),
        None => subject.to_owned(),
    };
    let claims = verified.as_object();
    let caller = CallerClaims { claims, key: &key, issuer: name.as_deref() };
    ask(&policy, caller, room, report);
}

/// Reports the rules of the policy that apply to the caller, and the decision.
fn ask(policy: &Policy, caller: CallerClaims<'_>, room: Option<&str>, report: &mut Report) {
    let list = |patterns: Vec<String>| patterns.join(", ");
    let mut is_for_caller = false;
    for explanation in policy.explain(caller, room) {
        if !explanation.is_for_caller() {
            continue;
        }
        is_for_caller = true;
        let rule = explanation.rule;
        let (name, line, rooms) = (&rule.role.name, rule.line, list(rule.rooms().collect()));
        let agents = list(rule.agents().chain(["the default agent".to_owned()]).collect());
        let detail = format!("line {line} applies: {name} in {rooms}; agents: {agents}");
        report.add(Finding::note("policy", &detail));
    }
    match policy.decide(caller, room, &RequestedRoomConfig::default()) {
        Ok(decision) => {
            let (role, line) = (&decision.rule.role.name, decision.rule.line);
            let place = if room.is_some() { "the room" } else { "a new room" };
            let detail = format!("{role} in {place}, by the rule in line {line}");
            report.add(Finding::pass("policy", &detail));
        }
        Err(refusal) => {
            let code = Problem::from(&ExchangeError::Refused(refusal)).code;
            let detail = format!("{refusal}: 403 {code}");
            report.add(if room.is_none() && is_for_caller {
                Finding::note("policy, without a room", &detail)
            } else {
                Finding::fail("policy", &detail)
            });
        }
    }
}

/// Returns the issuer that the token's `iss` names, like the function.
fn choose(issuers: Vec<IssuerConfig>, token: &str, report: &mut Report) -> Option<IssuerConfig> {
    let count = issuers.len();
    if count == 1 {
        return issuers.into_iter().next();
    }
    let named = jwt::unverified_issuer(token);
    let found = match &named {
        Ok(named) => issuers.into_iter().find(|issuer| issuer.verifier.accepts_issuer(named)),
        Err(_) => None,
    };
    if found.is_none() {
        let detail = format!("iss is not one of the {count} issuers in OIDC_ISSUER");
        report.add(Finding::fail("issuer", &detail));
    }
    found
}

fn with_secret(
    issuer: &Issuer,
    token: &str,
    shared: &SharedKey,
    now: SystemTime,
    report: &mut Report,
) -> Option<VerifiedClaims> {
    report.add(Finding::note("keys", "a shared secret is configured, so only HS256 is accepted"));
    match issuer.verifier().verify_shared(token, shared, now) {
        Ok(claims) => {
            report.add(Finding::pass("signature and claims", "all checks passed"));
            Some(claims)
        }
        Err(error) => {
            report.add(Finding::fail("signature and claims", &error.to_string()));
            None
        }
    }
}

async fn with_keys(
    issuer: &Issuer,
    token: &str,
    now: SystemTime,
    report: &mut Report,
) -> Option<VerifiedClaims> {
    let jwt = match issuer.verifier().read(token) {
        Ok(jwt) => jwt,
        Err(error) => {
            report.add(Finding::fail("header", &hint(error)));
            return None;
        }
    };
    let kid = if jwt.key_id().is_some() { "with a kid" } else { "without a kid" };
    report.add(Finding::pass("header", &format!("{:?}, {kid}", jwt.algorithm())));
    let keys = match issuer.keys(now).await {
        Ok(Some(keys)) => keys,
        Ok(None) => {
            report.add(Finding::fail(
                "keys",
                "OIDC_ALGORITHMS is HS256, and the shared secret is unknown",
            ));
            return None;
        }
        Err(error) => {
            let detail = format!("{error}: check the URL of the issuer and the network");
            report.add(Finding::fail("keys", &detail));
            return None;
        }
    };
    check(issuer, &jwt, &keys, now, report)
}

fn check(
    issuer: &Issuer,
    jwt: &UnverifiedJwt<'_>,
    keys: &KeySet,
    now: SystemTime,
    report: &mut Report,
) -> Option<VerifiedClaims> {
    let key = match keys.find(jwt) {
        Lookup::Found(key) => key,
        Lookup::Unknown => {
            report.add(Finding::fail(
                "key",
                "the key set does not contain the kid: the token may be from another issuer",
            ));
            return None;
        }
        Lookup::Unfit => {
            report.add(Finding::fail("key", &VerifyError::UnfitKey.to_string()));
            return None;
        }
    };
    report.add(Finding::pass("key", "the key set contains the key"));
    for (name, outcome) in issuer.verifier().explain(jwt, key, now) {
        report.add(match outcome {
            Ok(()) => Finding::pass(name, "valid"),
            Err(error) => Finding::fail(name, &hint(error)),
        });
    }
    issuer.verifier().verify(jwt, key, now).ok()
}

/// Returns the reason with the usual remedy.
fn hint(error: VerifyError) -> String {
    let advice = match error {
        VerifyError::NotAJwt => {
            "for opaque access tokens, register the API as an audience with the provider"
        }
        VerifyError::Algorithm | VerifyError::AlgorithmNotAccepted(_) => "see OIDC_ALGORITHMS",
        VerifyError::Issuer => "compare scheme, host, path and the slash at the end byte for byte",
        VerifyError::Audience => "the token is for another audience, or OIDC_AUDIENCE is wrong",
        VerifyError::AuthorizedParty => "the client of the token is not listed",
        VerifyError::Expired => "get a new token",
        VerifyError::NotYetValid(_) => "check the clock of this machine",
        VerifyError::TokenKind(_) => {
            "send an access token instead of an ID, refresh, machine or pending token"
        }
        _ => return error.to_string(),
    };
    format!("{error}: {advice}")
}

fn found_in_claims(
    profile: &Profile,
    needs_email: bool,
    needs_verified: bool,
    provider: &Provider,
    report: &mut Report,
) {
    match profile.email() {
        _ if !needs_email => {
            report.add(Finding::note("email", "not required, because PARTICIPANT_IDENTITY is sub"));
        }
        None => {
            let detail =
                format!("missing in the token: 404 email_not_set\n{}", provider.setup_hint);
            report.add(Finding::fail("email", &detail));
        }
        Some(email) if needs_verified && !email.is_verified() => {
            let detail = format!("not verified: 403 email_not_verified\n{}", provider.setup_hint);
            report.add(Finding::fail("email", &detail));
        }
        Some(_) => report.add(Finding::pass("email", "read from the token's claims")),
    }
    report.add(Finding::pass("name", "read from the token's claims"));
}

/// Reports that the claims lack email address or name.
fn elsewhere(sources: &[ProfileSource], provider: &Provider, report: &mut Report) {
    let others: Vec<&str> = sources
        .iter()
        .filter(|source| **source != ProfileSource::Claims)
        .map(|source| name_of(*source))
        .collect();
    if others.is_empty() {
        let detail =
            format!("not in the claims, and there is no other source\n{}", provider.setup_hint);
        report.add(Finding::fail("email and name", &detail));
    } else {
        let detail = format!(
            "not both in the claims: the function would query {} (the doctor does not)\nif one is still missing: {}",
            others.join(", then "),
            provider.setup_hint
        );
        report.add(Finding::note("email and name", &detail));
    }
}

fn name_of(source: ProfileSource) -> &'static str {
    match source {
        ProfileSource::Claims => "the token's claims",
        ProfileSource::UserInfo => "UserInfo",
        ProfileSource::Clerk => "Clerk's Backend API",
        ProfileSource::WorkOs => "WorkOS' user management",
    }
}

/// Reports claims about the token, without those about the person, with the expected values.
fn describe(
    claims: &Map<String, Value>,
    expected: &Expected,
    now: SystemTime,
    report: &mut Report,
) {
    let shown = |name: &str| claims.get(name).map_or_else(|| "–".to_owned(), Value::to_string);
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
    // The name of a claim can be any string, including an email address.
    let is_usual = |name: &&str| {
        name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte))
    };
    let names: Vec<&str> = claims.keys().map(String::as_str).filter(is_usual).collect();
    report.add(Finding::note("claims", &names.join(" ")));
}

/// Returns the claims for the description, without verification.
fn unverified_claims(token: &str) -> Option<Map<String, Value>> {
    use base64::Engine;
    let payload = token.split('.').nth(1)?;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&text).ok()
}
