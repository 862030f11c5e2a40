//! Failures of upstreams: of one fetch, and of an upstream that a request depends on.

use std::sync::Arc;
use std::time::Duration;

use super::connection::ConnectionError;
use crate::logging::FetchLog;

/// The reason why an upstream gave no usable response. Contains nothing of the response itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or one that ended early.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// No complete response within the time limit.
    #[error("timed out")]
    Timeout,
    /// A response with an unexpected status. Redirects are not followed.
    #[error("status {status}")]
    Status {
        /// The status.
        status: u16,
        /// `Retry-After` in seconds, if it is a number.
        retry_after: Option<u64>,
    },
    /// A response longer than [`RESPONSE_BYTES`](super::client::RESPONSE_BYTES).
    #[error("response is too large")]
    TooLarge,
    /// A response of another form.
    #[error("response is not {0}")]
    Malformed(&'static str),
    /// A response that names a role which the policy does not list for it.
    #[error("response names a role that roles of the ask table does not list")]
    UnlistedRole,
    /// A secret with faults: the name and the reason of each.
    #[error("invalid secret: {0}")]
    InvalidSecret(Arc<str>),
    /// An address that is neither `https` nor on loopback, which receives no request.
    #[error("address is neither https nor loopback")]
    Address,
    /// A refusal of the AWS service, by its error code.
    #[error("refused: {0}")]
    Refused(&'static str),
    /// A key that the request needs is not configured.
    #[error("{0} is missing")]
    MissingKey(&'static str),
    /// The unavailability of another upstream, which is needed first.
    #[error("{upstream} is unavailable")]
    Upstream {
        /// Name of the other upstream.
        upstream: &'static str,
        /// Wait before the next request to it, in seconds.
        retry_after: u64,
    },
}

impl FetchError {
    /// Returns the wait that the upstream demands, in seconds.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Upstream { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Whether every request with the operator's key would fail in the same way: the upstream is
    /// unreachable or too slow, limits requests, or refuses the key.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connection(_)
            | Self::Timeout
            | Self::Address
            | Self::Refused(_)
            | Self::MissingKey(_)
            | Self::Upstream { .. } => true,
            Self::Status { status, .. } => matches!(status, 401 | 403 | 429 | 502..=504),
            Self::TooLarge | Self::Malformed(_) | Self::UnlistedRole | Self::InvalidSecret(_) => {
                false
            }
        }
    }

    /// Whether a request with a caller's token can have failed for a reason that concerns everyone: the
    /// upstream is unreachable or too slow, limits requests, or reports an error of its own.
    pub fn may_concern_everyone(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 429 | 500..=599),
            _ => self.is_outage(),
        }
    }
}

/// The failure of an upstream that a request depends on. A client may retry after a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{upstream} is unavailable")]
pub struct Unavailable {
    /// Name of the upstream.
    pub upstream: &'static str,
    /// Wait before the next request, in seconds.
    pub retry_after: u64,
}

impl From<Unavailable> for FetchError {
    fn from(other: Unavailable) -> Self {
        Self::Upstream { upstream: other.upstream, retry_after: other.retry_after }
    }
}

/// Wait after a failure without cool-down, in seconds, unless the upstream demands another one.
const RETRY_AFTER: u64 = 2;

impl Unavailable {
    /// Logs that `upstream` failed with `error`. The next request may retry at once.
    #[expect(clippy::needless_pass_by_value, reason = "the end of the error's way")]
    pub fn failed(upstream: &'static str, error: FetchError) -> Self {
        log_failure(&UpstreamName::from(upstream), &error, None);
        Self::without_cooldown(upstream, &error)
    }

    /// Describes an upstream that failed with `error`, which is logged elsewhere. The next request may
    /// retry at once.
    pub fn without_cooldown(upstream: &'static str, error: &FetchError) -> Self {
        let retry_after = error.retry_after().unwrap_or_else(|| RETRY_AFTER + jitter());
        Self { upstream, retry_after }
    }

    /// Describes an upstream that failed with `error` and receives no request before `left` has passed.
    pub fn cooling_down(
        upstream: &'static str,
        error: Option<&FetchError>,
        left: Duration,
    ) -> Self {
        let upstream = match error {
            Some(FetchError::Upstream { upstream, .. }) => upstream,
            _ => upstream,
        };
        let demanded = error.and_then(FetchError::retry_after);
        Self { upstream, retry_after: demanded.unwrap_or_else(|| left.as_secs() + 1 + jitter()) }
    }
}

/// The name of an upstream in the log, and the issuer that it belongs to.
#[derive(Clone, Debug)]
pub struct UpstreamName {
    /// Name of the upstream.
    pub upstream: &'static str,
    /// Name of the issuer, if there are several.
    pub issuer: Option<Arc<str>>,
}

impl From<&'static str> for UpstreamName {
    fn from(upstream: &'static str) -> Self {
        Self { upstream, issuer: None }
    }
}

/// Logs that `name` failed with `error` after `took`. The failure of another upstream has its own line.
pub fn log_failure(name: &UpstreamName, error: &FetchError, took: Option<Duration>) {
    if !matches!(error, FetchError::Upstream { .. }) {
        FetchLog::failed(name.upstream, name.issuer.as_deref(), error, took).log();
    }
}

/// Returns 0 to 2 seconds, so that clients that failed together do not retry together.
pub fn jitter() -> u64 {
    let mut byte = [0];
    // Without randomness all clients wait equally long.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    u64::from(byte[0] % 3)
}
