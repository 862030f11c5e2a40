//! Paths as gateways send them: decoded by some, and behind a stage.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Percent-encodes a path that an HTTP API has decoded. REST APIs, Function URLs and ALB leave the path
/// as the client sent it, and names in it are decoded once.
pub(super) fn encoded(path: &str) -> Cow<'_, str> {
    /// Characters that no path contains unencoded.
    const ENCODED: &AsciiSet = &CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'%')
        .add(b'<')
        .add(b'>')
        .add(b'?')
        .add(b'`')
        .add(b'{')
        .add(b'}')
        .add(b'|')
        .add(b'\\')
        .add(b'^')
        .add(b'[')
        .add(b']');
    utf8_percent_encode(path, ENCODED).into()
}

/// Strips the stage. Otherwise `/token` in a stage called `v1` would be another route.
pub(super) fn without_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    rest.starts_with('/').then_some(rest)
}
