//! Times as seconds since 1970, and as dates.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Returns `time` in whole seconds since 1970; 0 for an earlier time.
pub fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Writes `seconds` since 1970 as [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) in UTC. `None` for a
/// year after 9999.
pub fn date_time(seconds: u64) -> Option<String> {
    DateTime::from_secs(i64::try_from(seconds).ok()?).fmt(Format::DateTime).ok()
}
