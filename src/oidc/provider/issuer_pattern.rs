//! Forms of issuers, and the parts of an issuer's URL.

/// A form of issuers.
#[derive(Clone, Copy, Debug)]
pub enum IssuerPattern {
    /// Every issuer.
    Any,
    /// This issuer.
    Exact(&'static str),
    /// Starts with this.
    Prefix(&'static str),
    /// `https`, and the host ends with this.
    HostSuffix(&'static str),
    /// `https`, and the host starts with this.
    HostPrefix(&'static str),
    /// Contains this.
    Contains(&'static str),
    /// The first segment of the path is this.
    FirstSegment(&'static str),
    /// The segment before the last one of the path is this.
    SegmentBeforeLast(&'static str),
    /// The last segment of the path starts with this, and is longer.
    LastSegmentPrefix(&'static str),
    /// The first, but not the second.
    Except(&'static IssuerPattern, &'static IssuerPattern),
}

impl IssuerPattern {
    /// Whether `issuer` has this form.
    pub fn matches(&self, issuer: &str) -> bool {
        let host = || {
            let authority = issuer.strip_prefix("https://")?.split('/').next()?;
            (!authority.contains('@')).then_some(authority)
        };
        match self {
            Self::Any => true,
            Self::Exact(form) => issuer == *form,
            Self::Prefix(form) => issuer.starts_with(form),
            Self::HostSuffix(form) => host().is_some_and(|host| host.ends_with(form)),
            Self::HostPrefix(form) => host().is_some_and(|host| host.starts_with(form)),
            Self::Contains(form) => issuer.contains(form),
            Self::FirstSegment(form) => first_segment(issuer) == Some(form),
            Self::SegmentBeforeLast(form) => segments(issuer).rev().nth(1) == Some(form),
            Self::LastSegmentPrefix(form) => last_segment(issuer)
                .and_then(|segment| segment.strip_prefix(form))
                .is_some_and(|rest| !rest.is_empty()),
            Self::Except(form, exception) => form.matches(issuer) && !exception.matches(issuer),
        }
    }
}

/// Returns the value of the first entry of `table` whose pattern matches `issuer`.
pub(super) fn look_up<T: Copy>(table: &[(IssuerPattern, T)], issuer: &str) -> Option<T> {
    table.iter().find(|(pattern, _)| pattern.matches(issuer)).map(|(_, value)| *value)
}

/// Scheme and authority of a URL.
pub(super) fn origin(issuer: &str) -> &str {
    let start = issuer.find("://").map_or(0, |scheme| scheme + 3);
    issuer[start..].find('/').map_or(issuer, |path| &issuer[..start + path])
}

/// The last segment of the path. An issuer without a scheme is a path.
pub(super) fn last_segment(issuer: &str) -> Option<&str> {
    segments(issuer).next_back()
}

/// The first segment of the path. An issuer without a scheme is a path.
pub(super) fn first_segment(issuer: &str) -> Option<&str> {
    segments(issuer).next()
}

fn segments(issuer: &str) -> impl DoubleEndedIterator<Item = &str> {
    let path = match issuer.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => issuer,
    };
    path.split('/').filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_is_split_at_its_slashes() {
        let rows = [
            ("https://a.example", "https://a.example", None, None),
            ("https://a.example/", "https://a.example", None, None),
            ("https://a.example/t/v2.0/", "https://a.example", Some("t"), Some("v2.0")),
            ("stytch.com/project-1", "stytch.com", Some("stytch.com"), Some("project-1")),
            ("P2abc", "P2abc", Some("P2abc"), Some("P2abc")),
        ];
        for (issuer, expected, first, last) in rows {
            assert_eq!(origin(issuer), expected, "{issuer}");
            assert_eq!((first_segment(issuer), last_segment(issuer)), (first, last), "{issuer}");
        }
    }
}
