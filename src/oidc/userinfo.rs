//! The issuer's UserInfo endpoint, asked as the caller and kept per subject.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::claims::Subject;
use super::discovery::Discovery;
use super::profile::Profile;
use super::verifier::VerifyError;
use crate::json;
use crate::upstream::client::{Client, FetchError};
use crate::upstream::last_good::{LastGood, Unavailable, jitter};

/// How long an answer serves. Some providers allow a user five requests a minute.
const TTL: Duration = Duration::from_mins(5);

/// How many subjects are kept; the oldest goes first.
const CAPACITY: usize = 1000;

/// When to ask again after a failure, in seconds, where the endpoint does not say.
const RETRY_AFTER: u64 = 2;

/// UserInfo ([OIDC Core §5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).
pub struct UserInfo {
    client: Arc<Client>,
    discovery: LastGood<Discovery>,
    kept: Mutex<Kept>,
}

/// Answers by subject. All live equally long, so the order of arrival is the order of expiry.
#[derive(Default)]
struct Kept {
    profiles: HashMap<Subject, (Arc<Profile>, SystemTime)>,
    arrivals: VecDeque<Subject>,
}

/// Why UserInfo said nothing of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserInfoError {
    /// The issuer refuses the token, or speaks of somebody else.
    #[error(transparent)]
    Rejected(#[from] VerifyError),
    /// The issuer knows no such user.
    #[error("UserInfo knows no such user")]
    UserNotFound,
    /// The issuer could not be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl UserInfo {
    /// The UserInfo endpoint that `discovery` names.
    #[must_use]
    pub fn new(client: Arc<Client>, discovery: LastGood<Discovery>) -> Self {
        Self { client, discovery, kept: Mutex::default() }
    }

    /// The profile of `subject`, read by `read` from the answer; `None` where the issuer has no
    /// UserInfo endpoint.
    ///
    /// The caller's `token` must have been verified. Costs one request per subject and five minutes;
    /// a failure is not kept.
    ///
    /// # Errors
    ///
    /// A 401 or 403 is the issuer's word on the token, a 404 on the user; an answer for another
    /// `sub` must not be used (OIDC Core §5.3.2). All else is [`UserInfoError::Unavailable`].
    pub async fn find(
        &self,
        subject: &Subject,
        token: &str,
        now: SystemTime,
        read: impl Fn(&Map<String, Value>) -> Profile,
    ) -> Result<Option<Arc<Profile>>, UserInfoError> {
        if let Some(profile) = self.kept(subject, now) {
            return Ok(Some(profile));
        }
        let discovery = self.discovery.get(now).await?;
        let Some(endpoint) = &discovery.userinfo_endpoint else { return Ok(None) };
        let answer = self.client.get(endpoint, Some(token)).await.map_err(refusal)?;
        let answer = json::parse_object(&answer)
            .map_err(|_| refusal(FetchError::Malformed("a UserInfo answer")))?;
        if answer.get("sub").and_then(Value::as_str) != Some(subject.as_str()) {
            return Err(VerifyError::SubjectMismatch.into());
        }
        let profile = Arc::new(read(&answer));
        self.keep(subject, &profile, now);
        Ok(Some(profile))
    }

    fn kept(&self, subject: &Subject, now: SystemTime) -> Option<Arc<Profile>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (profile, since) = kept.profiles.get(subject)?;
        now.duration_since(*since).is_ok_and(|age| age < TTL).then(|| Arc::clone(profile))
    }

    fn keep(&self, subject: &Subject, profile: &Arc<Profile>, now: SystemTime) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.profiles.insert(subject.clone(), (Arc::clone(profile), now)).is_none() {
            kept.arrivals.push_back(subject.clone());
        }
        if kept.arrivals.len() > CAPACITY
            && let Some(oldest) = kept.arrivals.pop_front()
        {
            kept.profiles.remove(&oldest);
        }
    }
}

fn refusal(error: FetchError) -> UserInfoError {
    match error {
        FetchError::Status { status: 401 | 403, .. } => VerifyError::RefusedByIssuer.into(),
        FetchError::Status { status: 404, .. } => UserInfoError::UserNotFound,
        _ => {
            tracing::warn!(upstream = "userinfo", reason = %error, "fetch failed");
            let retry_after = error.retry_after().unwrap_or_else(|| RETRY_AFTER + jitter());
            Unavailable { upstream: "userinfo", retry_after }.into()
        }
    }
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UserInfo(…)")
    }
}
