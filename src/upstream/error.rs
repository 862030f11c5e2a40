//! Failures of upstreams: of one request, and of an upstream that a caller depends on.

use std::time::Duration;

/// Why an upstream gave no usable answer. Holds nothing of the answer itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// It could not be reached.
    #[error("connection failed")]
    Connection,
    /// It took longer than it may.
    #[error("timed out")]
    Timeout,
    /// It answered with that status. Redirects are not followed.
    #[error("answered with status {status}")]
    Status {
        /// The status.
        status: u16,
        /// Its `Retry-After`, in seconds, where it named seconds.
        retry_after: Option<u64>,
    },
    /// The answer is longer than [`ANSWER_BYTES`](super::client::ANSWER_BYTES).
    #[error("answer is too large")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("answer is not {0}")]
    Malformed(&'static str),
    /// The address is not one that we ask: it must be `https`, or on loopback.
    #[error("address is neither https nor loopback")]
    Address,
    /// The AWS service refused.
    #[error("{0}")]
    Refused(&'static str),
    /// Another upstream, which has to be asked first, is unavailable.
    #[error("{upstream} is unavailable")]
    Upstream {
        /// Which one.
        upstream: &'static str,
        /// When to ask it again, in seconds.
        retry_after: u64,
    },
}

impl FetchError {
    /// What the upstream wants callers to wait, in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Upstream { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }

    /// Whether others would fare the same, whatever they asked for: nobody is there, or has time, or
    /// takes our key.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connection
            | Self::Timeout
            | Self::Address
            | Self::Refused(_)
            | Self::Upstream { .. } => true,
            Self::Status { status, .. } => matches!(status, 401 | 403 | 429 | 502..=504),
            Self::TooLarge | Self::Malformed(_) => false,
        }
    }
}

/// The last good value is missing or too old, and the upstream cannot be asked just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{upstream} is unavailable")]
pub struct Unavailable {
    /// Who could not be asked.
    pub upstream: &'static str,
    /// When to ask again, in seconds.
    pub retry_after: u64,
}

impl From<Unavailable> for FetchError {
    fn from(other: Unavailable) -> Self {
        Self::Upstream { upstream: other.upstream, retry_after: other.retry_after }
    }
}

/// When to ask an upstream again after a failure, in seconds, where it does not say.
const RETRY_AFTER: u64 = 2;

impl Unavailable {
    /// `upstream` failed with `error`, which is logged, and may be asked again at once.
    #[must_use]
    pub fn failed(upstream: &'static str, error: FetchError) -> Self {
        log_failure(upstream, error, None);
        let retry_after = error.retry_after().unwrap_or_else(|| RETRY_AFTER + jitter());
        Self { upstream, retry_after }
    }

    /// `upstream` failed, with `error` if it is known, and is not asked again before `left` is over.
    #[must_use]
    pub fn cooling_down(upstream: &'static str, error: Option<FetchError>, left: Duration) -> Self {
        // Whom we cannot ask for want of another, nobody need know of.
        let upstream = match error {
            Some(FetchError::Upstream { upstream, .. }) => upstream,
            _ => upstream,
        };
        let told = error.and_then(|error| error.retry_after());
        Self { upstream, retry_after: told.unwrap_or_else(|| left.as_secs() + 1 + jitter()) }
    }
}

/// Writes that `upstream` failed with `error`, after so long. Whom it could not ask has a line of its
/// own.
pub fn log_failure(upstream: &'static str, error: FetchError, took: Option<Duration>) {
    if !matches!(error, FetchError::Upstream { .. }) {
        let duration_ms = took.map(|took| took.as_secs_f64() * 1000.0);
        tracing::warn!(upstream, %error, duration_ms, "fetch failed");
    }
}

/// 0 to 2 seconds more to wait, so that those who were refused together do not come back together.
#[must_use]
pub fn jitter() -> u64 {
    let mut byte = [0];
    // Without randomness all wait equally long.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    u64::from(byte[0] % 3)
}
