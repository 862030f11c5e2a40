//! The endpoint's decision about a token, check by check, for operators.

use std::time::SystemTime;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::{Caller, Exchange, ExchangeError};
use crate::ask::{AppAnswer, AskRequest};
use crate::bearer::{BearerError, UnverifiedBearer};
use crate::body::InvalidField;
use crate::livekit::token_source::{RequestedRoomConfig, TokenSourceRequest};
use crate::oidc::claims::VerifiedClaims;
use crate::oidc::issuer::Check;
use crate::oidc::provider::ProfileSource;
use crate::oidc::verifier::Expected;
use crate::policy::{CallerClaims, Policy};
use crate::profile::Profile;
use crate::text::Name;
use crate::upstream::error::FetchError;

/// A request to diagnose.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Question<'a> {
    /// The access token.
    pub token: &'a str,
    /// The requested room, if any.
    pub room: Option<&'a str>,
    /// Whether the app is asked, if the rule that matches asks it.
    pub may_ask: bool,
    /// Whether upstreams are requested that get the token or need credentials: Secrets Manager,
    /// UserInfo and user directories. Keys and discovery are always fetched.
    pub may_query: bool,
}

/// The endpoint's decision about a token.
#[non_exhaustive]
pub struct Diagnosis<'a> {
    /// Requirements of the issuer that the token names; `None` if it names none of the issuers.
    pub expected: Option<&'a Expected>,
    /// Checks of the token, in order.
    pub checks: Vec<Check>,
    /// Claims of a token that passed all checks.
    pub claims: Option<VerifiedClaims>,
    /// Sources of the profile, in order.
    pub sources: Vec<ProfileSource>,
    /// The profile, as far as it is known without [`pending`](Self::pending).
    pub profile: Profile,
    /// Upstreams that were not queried and can change the outcome.
    pub pending: Vec<Pending>,
    /// The question to the app, if the rule that matches asks it.
    pub asked: Option<Asked<'a>>,
    /// The policy that decided.
    pub policy: &'a Policy,
    issuer: Option<&'a str>,
    key: String,
    /// Whether the endpoint issues a token, or the error that it responds with. If upstreams are
    /// pending, `Ok` only says that none of the other checks failed.
    pub outcome: Result<(), ExchangeError>,
}

/// A question to the app.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The name of the ask table.
    pub table: &'a str,
    /// The complete URL. Without a requested room, it contains an example of a new one.
    pub url: String,
    /// The answer, if the app was asked.
    pub answer: Option<Result<AppAnswer<'a>, FetchError>>,
}

/// An upstream that was not queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pending {
    /// Secrets Manager, which has the signing key and can have a secret shared with the issuer.
    Secret,
    /// A source of email address and name.
    Profile(ProfileSource),
    /// The app.
    App,
}

impl<'a> Question<'a> {
    /// Asks about `token` without a room and without queries.
    pub fn new(token: &'a str) -> Self {
        Self { token, room: None, may_ask: false, may_query: false }
    }
}

impl Diagnosis<'_> {
    /// The identity that the policy decides about, if the token passed all checks.
    pub fn caller(&self) -> Option<CallerClaims<'_>> {
        let claims = self.claims.as_ref()?.as_object();
        Some(CallerClaims { claims, key: &self.key, issuer: self.issuer })
    }
}

impl Exchange {
    /// Returns what the endpoint decides about `question` as of `now`, by the code that serves
    /// requests. Fetches keys that are not cached.
    pub async fn diagnose(&self, question: Question<'_>, now: SystemTime) -> Diagnosis<'_> {
        let mut diagnosis = Diagnosis {
            expected: None,
            checks: Vec::new(),
            claims: None,
            sources: Vec::new(),
            profile: Profile::default(),
            pending: Vec::new(),
            asked: None,
            policy: &self.policy,
            issuer: None,
            key: String::new(),
            outcome: Ok(()),
        };
        diagnosis.outcome = self.examine(question, now, &mut diagnosis).await;
        diagnosis
    }

    async fn examine<'a>(
        &'a self,
        question: Question<'_>,
        now: SystemTime,
        diagnosis: &mut Diagnosis<'a>,
    ) -> Result<(), ExchangeError> {
        let headers = authorization(question.token)?;
        let bearer = UnverifiedBearer::from_headers(&headers)?;
        let context = self.issuer_of(bearer)?;
        diagnosis.issuer = context.name.as_deref();
        diagnosis.expected = Some(context.issuer.verifier().expected());
        let is_complete = question.may_query || self.secrets.cached(now).is_some();
        // Before the checks are listed: this fetches keys that the token needs.
        let caller = if is_complete { Some(self.authenticate(bearer, now).await) } else { None };
        let secrets = self.secrets.cached(now);
        let shared = secrets.as_ref().and_then(|secrets| secrets.hs256.get(&context.hs256_name));
        diagnosis.checks = context.issuer.explain(bearer.as_str(), shared, now).await;
        let caller = caller.transpose()?;
        let claims = match &caller {
            Some(caller) => caller.claims.clone(),
            None => context.issuer.authenticate(bearer.as_str(), None, now).await?,
        };
        diagnosis.sources = context.profiles.sources().collect();
        let (profile, pending) = context.profiles.in_claims(&claims);
        diagnosis.profile = profile;
        if !question.may_query {
            diagnosis.pending = pending.into_iter().map(Pending::Profile).collect();
        }
        diagnosis.key = context.key_of(&claims).into_owned();
        diagnosis.claims = Some(claims);
        diagnosis.asked = self.question_about(diagnosis, question.room);
        if diagnosis.asked.is_some() && !question.may_ask {
            diagnosis.pending.push(Pending::App);
        }
        match caller {
            Some(caller) if diagnosis.pending.is_empty() => {
                let room_name = question.room.map(Name::parse).transpose();
                let room_name =
                    room_name.map_err(|error| InvalidField::new("room_name", error.to_string()))?;
                let request = TokenSourceRequest { room_name, ..TokenSourceRequest::default() };
                if let Some(asked) = &mut diagnosis.asked {
                    self.answer(asked, &caller, question.room, now).await;
                }
                self.issue(&caller, &request, now).await?;
                diagnosis.profile = caller.profile(now).await?;
            }
            _ => {
                if diagnosis.pending.is_empty() {
                    let (key, profile) = (&diagnosis.key, &diagnosis.profile);
                    context.identity_of(&self.participant, key, profile)?;
                }
                if let Some(caller) = diagnosis.caller() {
                    let requested = RequestedRoomConfig::default();
                    self.policy.decide(caller, question.room, &requested)?;
                }
            }
        }
        if !is_complete {
            diagnosis.pending.push(Pending::Secret);
        }
        Ok(())
    }
}

impl Exchange {
    /// The question to the app about the caller of `diagnosis`, if the rule that matches asks.
    fn question_about<'a>(
        &'a self,
        diagnosis: &Diagnosis<'a>,
        room: Option<&str>,
    ) -> Option<Asked<'a>> {
        let caller = diagnosis.caller()?;
        let asking = self.policy.asking(caller, room).ok()??;
        let example = format!("{}room-{:032}", asking.fresh_room_prefix, 0);
        let url = asking.url(caller, room.unwrap_or(&example)).ok()?;
        Some(Asked { table: &asking.settings().name, url, answer: None })
    }

    /// Asks the app, besides the request that the participant token needs.
    async fn answer<'a>(
        &'a self,
        asked: &mut Asked<'a>,
        caller: &Caller<'_>,
        room: Option<&str>,
        now: SystemTime,
    ) {
        let key = caller.key();
        let Ok(Some(asking)) = self.policy.asking(caller.for_policy(&key), room) else { return };
        let request = AskRequest {
            line: asking.rule.line,
            url: &asked.url,
            caller: &key,
            bearer: caller.bearer.as_str(),
            key: caller.secrets.ask_key.as_ref(),
        };
        asked.answer = Some(self.ask_client.request(asking.settings(), request, now).await);
    }
}

/// Headers of a request with `token`.
fn authorization(token: &str) -> Result<HeaderMap, BearerError> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let value = value.map_err(|_| BearerError::Malformed)?;
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}
