//! The endpoint's decision about a token, as findings.

use std::time::SystemTime;

use roomkey::App;
use roomkey::ask::AppAnswer;
use roomkey::endpoint::problem::Problem;
use roomkey::exchange::{Diagnosis, ExchangeError, Pending, Question};
use roomkey::livekit::token_source::RequestedRoomConfig;
use roomkey::oidc::error::VerifyError;
use roomkey::oidc::issuer::AuthenticateError;
use roomkey::oidc::provider::ProfileSource;
use roomkey::policy::CallerClaims;
use roomkey::profile::UNNAMED;

use crate::report::{Finding, Report};
use crate::token;

/// Reports the decision of `app` about `question` at the time `now`.
pub(crate) async fn of(app: &App, question: Question<'_>, now: SystemTime, report: &mut Report) {
    let diagnosis = app.diagnose(question, now).await;
    if let Some(expected) = diagnosis.expected {
        let detail = format!("the configured preset is {}", expected.provider.name);
        report.add(Finding::note("provider", &detail));
        if let Some(claims) = token::claims(question.token) {
            token::describe(&claims, expected, now, report);
        }
    }
    for check in &diagnosis.checks {
        report.add(match check.outcome {
            Ok(()) => Finding::pass(check.name, "valid"),
            Err(error) => Finding::fail(check.name, &hint(error)),
        });
    }
    let Some(caller) = diagnosis.caller() else {
        if diagnosis.checks.iter().all(|check| check.outcome.is_ok()) {
            report.add(rejection(&diagnosis));
        }
        return;
    };
    profile(&diagnosis, report);
    question_to_app(&diagnosis, report);
    let applies = rules(&diagnosis, caller, question.room, report);
    report.add(decision(&diagnosis, caller, question.room, applies));
}

/// Reports the sources of the profile and what the available ones contain.
fn profile(diagnosis: &Diagnosis<'_>, report: &mut Report) {
    let names: Vec<&str> = diagnosis.sources.iter().map(|source| name_of(*source)).collect();
    report.add(Finding::note("profile sources", &names.join(", then ")));
    let pending = diagnosis.pending.iter().filter(|pending| **pending != Pending::App);
    for pending in pending {
        let (check, detail) = match pending {
            Pending::Profile(source) => {
                let detail = format!(
                    "not both in the claims: the function queries {}\nif one is still missing: {}",
                    name_of(*source),
                    setup_hint(diagnosis),
                );
                ("email and name", detail)
            }
            _ => ("secret", "not read from Secrets Manager".to_owned()),
        };
        report.add(Finding::open(check, &format!("{detail}\n--query queries it")));
    }
    if diagnosis.pending.iter().any(|pending| *pending != Pending::App) {
        return;
    }
    if diagnosis.profile.email().is_some() {
        report.add(Finding::note("email", "found"));
    }
    let name = match diagnosis.profile.name() {
        UNNAMED => "not found: the participant's name is Unnamed User",
        _ => "found",
    };
    report.add(Finding::note("name", name));
}

/// Reports the question to the app, and its answer.
fn question_to_app(diagnosis: &Diagnosis<'_>, report: &mut Report) {
    let Some(asked) = &diagnosis.asked else { return };
    let question = format!("the rule asks {}: GET {}", asked.table, asked.url);
    report.add(match &asked.answer {
        None => Finding::open("app", &format!("{question}\n--ask sends the request")),
        Some(Err(error)) => Finding::note("app", &format!("{question}\nno usable answer: {error}")),
        Some(Ok(AppAnswer { status, outcome: Ok(role), .. })) => {
            let role = role.map_or_else(String::new, |role| format!(", role {role}"));
            Finding::note("app", &format!("{question}\nyes: status {status}{role}"))
        }
        Some(Ok(AppAnswer { status, outcome: Err(_), .. })) => {
            Finding::note("app", &format!("{question}\nno: status {status}"))
        }
    });
}

/// Reports for every rule of the policy whether it applies to the caller. Returns whether any does.
fn rules(
    diagnosis: &Diagnosis<'_>,
    caller: CallerClaims<'_>,
    room: Option<&str>,
    report: &mut Report,
) -> bool {
    let list = |patterns: Vec<String>| patterns.join(", ");
    let mut applies = false;
    for explanation in diagnosis.policy.explain(caller, room) {
        let rule = explanation.rule;
        let (name, line, rooms) = (&rule.role.name, rule.line, list(rule.rooms().collect()));
        let detail = if explanation.is_for_caller() {
            applies = true;
            let agents = list(rule.agents().chain(["the default agent".to_owned()]).collect());
            format!("line {line} applies: {name} in {rooms}; agents: {agents}")
        } else {
            let obstacles = explanation.obstacles.iter().map(ToString::to_string);
            format!("line {line} does not apply: {}", obstacles.collect::<Vec<_>>().join("; "))
        };
        report.add(Finding::note("policy", &detail));
    }
    applies
}

/// The finding of the decision, after all checks of the token have passed. `applies` says whether a
/// rule applies to the caller.
fn decision(
    diagnosis: &Diagnosis<'_>,
    caller: CallerClaims<'_>,
    room: Option<&str>,
    applies: bool,
) -> Finding {
    if let (Err(ExchangeError::Refused(refusal)), None, true) = (&diagnosis.outcome, room, applies)
    {
        let detail = format!("{refusal}\n--room evaluates a room of the rules");
        return Finding::open("policy, without a room", &detail);
    }
    let by_app = diagnosis.asked.as_ref().and_then(|asked| match asked.answer {
        Some(Ok(AppAnswer { outcome: Ok(role), .. })) => role,
        _ => None,
    });
    let nothing = RequestedRoomConfig::default();
    let decision = diagnosis.policy.decide_as(caller, room, &nothing, by_app);
    let (Ok(()), Ok(decision)) = (&diagnosis.outcome, decision) else {
        return rejection(diagnosis);
    };
    let (role, line) = (&decision.role.name, decision.rule.line);
    let place = if room.is_some() { "the room" } else { "a new room" };
    Finding::pass("policy", &format!("{role} in {place}, by the rule in line {line}"))
}

/// The finding of the error that the endpoint responds with.
fn rejection(diagnosis: &Diagnosis<'_>) -> Finding {
    let Err(error) = &diagnosis.outcome else { return Finding::pass("request", "valid") };
    let check = match error {
        ExchangeError::Bearer(_) => "token",
        ExchangeError::Rejected(_) => "issuer",
        ExchangeError::Participant(_) | ExchangeError::UserNotFound => "email",
        ExchangeError::Refused(_) => "policy",
        ExchangeError::RefusedByApp(_) => "app",
        ExchangeError::Unavailable(_) => "upstream",
        _ => "participant token",
    };
    let problem = Problem::from(error);
    let mut detail = format!("{error}: {} {}", problem.status.as_u16(), problem.code);
    if check == "email" {
        detail = format!("{detail}\n{}", setup_hint(diagnosis));
    }
    Finding::fail(check, &detail)
}

fn setup_hint(diagnosis: &Diagnosis<'_>) -> &'static str {
    diagnosis.expected.map_or("", |expected| expected.provider.setup_hint)
}

/// Returns the reason with the usual remedy.
fn hint(error: AuthenticateError) -> String {
    let error = match error {
        AuthenticateError::Rejected(error) => error,
        AuthenticateError::Unavailable(error) => {
            return format!("{error}: check the URL of the issuer and the network");
        }
        _ => return error.to_string(),
    };
    let advice = match error {
        VerifyError::UnknownKey => "the token may be from another issuer",
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

fn name_of(source: ProfileSource) -> &'static str {
    match source {
        ProfileSource::Claims => "the token's claims",
        ProfileSource::UserInfo => "UserInfo",
        ProfileSource::Clerk => "Clerk's Backend API",
        ProfileSource::WorkOs => "WorkOS' user management",
    }
}
