//! Paths as gateways send them: decoded by some, and behind a stage.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Encodes again what an HTTP API has decoded: REST APIs, Function URLs and ALB leave the path as it
/// came, and a name in it is decoded once.
pub(super) fn encoded(path: &str) -> Cow<'_, str> {
    /// What stands in no path as it is.
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

/// The path behind the stage, so that a stage called `v1` makes no other route of `/token`.
pub(super) fn without_stage<'a>(path: &'a str, stage: &str) -> Option<&'a str> {
    let rest = path.strip_prefix('/')?.strip_prefix(stage)?;
    rest.starts_with('/').then_some(rest)
}
