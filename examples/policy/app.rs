//! The question of a rule to the app, sent with `--ask`.

use std::sync::Arc;
use std::time::SystemTime;

use roomkey::ask::{AppAnswer, AskClient, AskRequest};
use roomkey::keys::ask::AskKey;
use roomkey::policy::Policy;
use roomkey::upstream::client::Client;

use super::question::{Allowed, PolicyAnswer, Question};

/// Asks the app about `question`, and returns the decision with the answer. A decision without a question
/// stays as it is.
///
/// # Errors
///
/// A missing or malformed variable, and an answer that does not decide.
pub(crate) fn ask(
    policy: &Policy,
    question: &Question,
    answer: PolicyAnswer,
) -> Result<PolicyAnswer, String> {
    let (caller, room) = (question.caller(), question.room.as_deref());
    let (Ok(Some(asking)), PolicyAnswer::Allowed(allowed)) = (policy.asking(caller, room), &answer)
    else {
        return Ok(answer);
    };
    let (settings, Some(url)) = (asking.settings(), &allowed.asks) else { return Ok(answer) };
    #[expect(clippy::disallowed_methods, reason = "the variable that the function reads")]
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let bearer = variable("ACCESS_TOKEN");
    if settings.forwards_bearer && bearer.is_none() {
        return Err("ACCESS_TOKEN must be the caller's access token, which the app receives".into());
    }
    let key = variable("ASK_SECRET").map(|secret| AskKey::parse(&secret)).transpose();
    let key = key.map_err(|reason| format!("ASK_SECRET {reason}"))?;
    let request = AskRequest {
        line: asking.rule.line,
        url,
        caller: caller.key,
        bearer: bearer.as_deref().unwrap_or_default(),
        key: key.as_ref(),
    };
    #[expect(clippy::disallowed_methods, reason = "a signature contains the current time")]
    let now = SystemTime::now();
    let client = AskClient::new(Arc::new(Client::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let AppAnswer { status, outcome, .. } = runtime
        .block_on(client.request(settings, request, now))
        .map_err(|error| format!("{url}\n503 unavailable: {error}"))?;
    Ok(match outcome {
        Ok(role) => match question.evaluate_as(policy, role) {
            PolicyAnswer::Allowed(allowed) => {
                PolicyAnswer::Allowed(Allowed { status: Some(status), ..allowed })
            }
            refused @ PolicyAnswer::Refused { .. } => refused,
        },
        Err(refusal) => {
            let reason = format!("{refusal}: {url}");
            PolicyAnswer::Refused { code: "room_not_allowed", reason }
        }
    })
}
