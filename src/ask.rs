//! Requests to the app, which decides by its own data whether a caller may enter a room.

mod answer;
mod cache;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::keys::ask::AskKey;
use crate::logging::FetchLog;
use crate::request_scope::{self, AskOutcome};
use crate::time::seconds;
use crate::upstream::client::{Client, Get, UpstreamResponse};
use crate::upstream::error::{FetchError, Unavailable};
use answer::Answer;
use cache::{CacheKey, YesCache};

/// Name of the app in the log.
pub const UPSTREAM: &str = "ask";

/// Longest answer that is read, in bytes.
const ANSWER_BYTES: usize = 16_384;

const TIMESTAMP: HeaderName = HeaderName::from_static("x-roomkey-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-roomkey-signature");

/// The settings of one `[ask.NAME]`, without the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskSettings {
    /// The name of the table.
    pub name: String,
    /// Whether the app receives the caller's access token.
    pub forwards_bearer: bool,
    /// Whether requests are signed with `ASK_SECRET`.
    pub is_signed: bool,
    /// Constant headers.
    pub headers: HeaderMap,
    /// The path of the role in the answer.
    pub role_from: Option<String>,
    /// The names of the roles that the app may give.
    pub roles: Vec<String>,
    /// Whether an answer without content is a no.
    pub is_non_empty: bool,
    /// Time for which a yes is cached; zero for none.
    pub cache: Duration,
}

/// One question about a caller.
#[derive(Clone, Copy)]
pub struct AskRequest<'a> {
    /// The line of the rule, by which answers are cached.
    pub line: usize,
    /// The complete URL.
    pub url: &'a str,
    /// The unique key of the caller.
    pub caller: &'a str,
    /// The caller's access token.
    pub bearer: &'a str,
    /// `ASK_SECRET`, if there is one.
    pub key: Option<&'a AskKey>,
}

/// The reason why the app refuses a caller. Contains nothing that the app sent but the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskRefusal {
    /// A status that means no.
    #[error("the app refuses the caller with status {0}")]
    Status(u16),
    /// An answer without content, where the policy requires some.
    #[error("the app refuses the caller with an empty answer")]
    Empty,
}

/// The reason why a caller is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The app refuses the caller.
    #[error(transparent)]
    Refused(#[from] AskRefusal),
    /// The app gave no usable answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// An answer of the app that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppAnswer<'a> {
    /// The status.
    pub status: u16,
    /// The role that the app gives, if it gives one, or the refusal.
    pub outcome: Result<Option<&'a str>, AskRefusal>,
}

/// A client for the app.
pub struct AskClient {
    client: Arc<Client>,
    cache: YesCache,
}

impl AskClient {
    /// Creates a client. No I/O, and no memory until an answer is cached.
    pub fn new(client: Arc<Client>) -> Self {
        Self { client, cache: YesCache::default() }
    }

    /// Asks the app about a caller, and returns the role that it gives, if it gives one. Costs one
    /// request, unless a yes is cached. A failure is followed by no cool-down.
    ///
    /// # Errors
    ///
    /// - [`AskError::Refused`] if the app refuses the caller.
    /// - [`AskError::Unavailable`] for any other answer, after [`Timeouts::ask`] at the latest.
    ///
    /// [`Timeouts::ask`]: crate::upstream::client::Timeouts::ask
    pub async fn ask<'a>(
        &self,
        settings: &'a AskSettings,
        request: AskRequest<'_>,
        now: SystemTime,
    ) -> Result<Option<&'a str>, AskError> {
        let cache_key = (!settings.cache.is_zero()).then(|| CacheKey::new(settings, &request));
        let cached = cache_key.as_ref().and_then(|key| self.cache.get(key, settings.cache, now));
        if let Some(yes) = cached {
            request_scope::note_ask(AskOutcome::Cached, Duration::ZERO);
            return Ok(yes.role_of(settings));
        }
        let started = Instant::now();
        let response = self.send(settings, &request, now).await;
        let answer = response.and_then(|response| Answer::read(&response, settings));
        let took = started.elapsed();
        match answer {
            Ok(Answer::Yes(yes)) => {
                request_scope::note_ask(AskOutcome::Yes, took);
                if let Some(key) = cache_key {
                    self.cache.keep(key, yes, now);
                }
                Ok(yes.role_of(settings))
            }
            Ok(Answer::No(refusal)) => {
                request_scope::note_ask(AskOutcome::No, took);
                Err(refusal.into())
            }
            Err(error) => {
                request_scope::note_ask(AskOutcome::Failed, took);
                FetchLog::failed(UPSTREAM, None, &error, Some(took)).of_ask(&settings.name).log();
                Err(Unavailable::without_cooldown(UPSTREAM, &error).into())
            }
        }
    }

    /// Sends one request, whatever is cached, and logs nothing.
    ///
    /// # Errors
    ///
    /// [`FetchError`] for an answer that does not decide.
    pub async fn request<'a>(
        &self,
        settings: &'a AskSettings,
        request: AskRequest<'_>,
        now: SystemTime,
    ) -> Result<AppAnswer<'a>, FetchError> {
        let response = self.send(settings, &request, now).await?;
        let outcome = match Answer::read(&response, settings)? {
            Answer::Yes(yes) => Ok(yes.role_of(settings)),
            Answer::No(refusal) => Err(refusal),
        };
        Ok(AppAnswer { status: response.status, outcome })
    }

    async fn send(
        &self,
        settings: &AskSettings,
        request: &AskRequest<'_>,
        now: SystemTime,
    ) -> Result<UpstreamResponse, FetchError> {
        let mut headers = settings.headers.clone();
        if settings.is_signed {
            let key = request.key.ok_or(FetchError::MissingKey("ASK_SECRET"))?;
            sign(&mut headers, request.url, key, now)?;
        }
        let get = Get {
            address: request.url,
            bearer: settings.forwards_bearer.then_some(request.bearer),
            headers: &headers,
            total: self.client.timeouts().ask,
            body_bytes: settings.reads_body().then_some(ANSWER_BYTES),
        };
        self.client.get_answer(&get).await
    }
}

impl AskSettings {
    /// Whether the body of an answer matters.
    fn reads_body(&self) -> bool {
        self.role_from.is_some() || self.is_non_empty
    }
}

/// Adds the headers of a signature over method, path with query, time and the hash of no body, as
/// backends sign requests to roomkey.
fn sign(
    headers: &mut HeaderMap,
    url: &str,
    key: &AskKey,
    now: SystemTime,
) -> Result<(), FetchError> {
    let url: Uri = url.parse().map_err(|_| FetchError::Address)?;
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let timestamp = seconds(now);
    let body = hex::encode(digest(&SHA256, b""));
    let signature = key.sign(&format!("GET\n{path}\n{timestamp}\n{body}"));
    headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
    let signature = HeaderValue::try_from(format!("sha256={signature}"));
    headers.insert(SIGNATURE, signature.map_err(|_| FetchError::Address)?);
    Ok(())
}
