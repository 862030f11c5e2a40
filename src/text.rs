//! What text may stand in a room's, a participant's or an agent's name.

/// Longest room name, identity or participant name, in bytes: LiveKit's own default limit
/// (livekit-server, `pkg/config/config.go`).
pub const NAME_BYTES: usize = 256;

/// Whether `text` may stand in a name: no control characters, which break logs, and no directional
/// overrides, which make one name look like another.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_forbidden)
}

/// Whether `text` is a name: plain, not empty, and of at most [`NAME_BYTES`].
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=NAME_BYTES).contains(&text.len()) && is_plain(text)
}

/// `text` as a name: without forbidden characters and outer white space, and cut at [`NAME_BYTES`].
///
/// # Examples
///
/// ```
/// use roomkey::text::{NAME_BYTES, sanitize};
///
/// assert_eq!(sanitize(" Ada\tLovelace\u{202e} "), "AdaLovelace");
/// assert_eq!(sanitize(&"\u{e9}".repeat(200)).len(), NAME_BYTES);
/// ```
#[must_use]
pub fn sanitize(text: &str) -> String {
    let plain: String = text.chars().filter(|character| !is_forbidden(*character)).collect();
    let mut name = plain.trim();
    while name.len() > NAME_BYTES {
        let last = name.char_indices().next_back().map_or(0, |(start, _)| start);
        name = &name[..last];
    }
    name.trim_end().to_owned()
}

/// Control characters, and the explicit directional formatting characters of [UAX #9 §2].
///
/// [UAX #9 §2]: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_borders() {
        let rows = [
            ("a".repeat(256), true),
            ("a".repeat(257), false),
            ("é".repeat(128), true),
            ("é".repeat(129), false),
            (String::new(), false),
            ("a b/c%2F..#☎".into(), true),
            ("a\u{0}".into(), false),
            ("a\u{1f}".into(), false),
            ("a\u{7f}".into(), false),
            ("a\u{85}".into(), false),
            ("a\u{202a}".into(), false),
            ("a\u{202e}".into(), false),
            ("a\u{202f}".into(), true),
            ("a\u{2066}".into(), false),
            ("a\u{2069}".into(), false),
            ("\u{200f}שלום".into(), true),
        ];
        for (text, expected) in rows {
            assert_eq!(is_name(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn sanitizes() {
        assert_eq!(sanitize("  Ada\t\u{202e}Lovelace "), "AdaLovelace");
        assert_eq!(sanitize(&"é".repeat(200)), "é".repeat(128));
        assert_eq!(sanitize(&format!("{} b", "a".repeat(255))), "a".repeat(255));
        assert_eq!(sanitize("\u{0}"), "");
    }
}
