//! Names of rooms, participants and agents, and the characters that they may contain.

use icu_normalizer::DecomposingNormalizer;

/// Maximum length of a room name, identity or participant name, in bytes: LiveKit's own default
/// limit (livekit-server, `pkg/config/config.go`).
pub const NAME_BYTES: usize = 256;

/// A room name, identity, participant name or agent name: 1 to [`NAME_BYTES`] bytes with a visible
/// character, and without control characters and directional overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// The reason why a string is not a [`Name`]. Each text completes "`<field>` …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than [`NAME_BYTES`].
    #[error("must be at most 256 bytes")]
    TooLong,
    /// Contains a control character or an explicit directional formatting character.
    #[error("must not contain control characters or directional overrides")]
    Forbidden,
    /// Empty, or nothing but white space and characters without a glyph.
    #[error("must have a visible character")]
    Invisible,
}

impl Name {
    /// Parses a name. It is kept as it is, byte for byte.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        check_name(&text).map(|()| Self(text))
    }

    /// The name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

/// Whether `text` is a [`Name`].
pub fn is_name(text: &str) -> bool {
    check_name(text).is_ok()
}

fn check_name(text: &str) -> Result<(), NameError> {
    if text.len() > NAME_BYTES {
        Err(NameError::TooLong)
    } else if !is_plain(text) {
        Err(NameError::Forbidden)
    } else if !is_visible(text) {
        Err(NameError::Invisible)
    } else {
        Ok(())
    }
}

/// Whether `text` has no control characters, which break logs, and no directional overrides, which
/// make one name look like another.
pub fn is_plain(text: &str) -> bool {
    !text.chars().any(is_forbidden)
}

/// Whether `text` has a character that leaves a mark on the screen.
pub fn is_visible(text: &str) -> bool {
    text.chars().any(|character| !is_invisible(character))
}

/// Returns `text` as a name: without forbidden characters and outer white space, and cut at
/// [`NAME_BYTES`]. Empty if nothing visible is left.
///
/// # Examples
///
/// ```
/// use roomkey::text::{NAME_BYTES, sanitize};
///
/// assert_eq!(sanitize(" Ada\tLovelace\u{202e} "), "AdaLovelace");
/// assert_eq!(sanitize(&"\u{e9}".repeat(200)).len(), NAME_BYTES);
/// assert_eq!(sanitize("\u{200b}"), "");
/// ```
pub fn sanitize(text: &str) -> String {
    let plain: String = text.chars().filter(|character| !is_forbidden(*character)).collect();
    let mut name = plain.trim();
    while name.len() > NAME_BYTES {
        let last = name.char_indices().next_back().map_or(0, |(start, _)| start);
        name = &name[..last];
    }
    if is_visible(name) { name.trim_end().to_owned() } else { String::new() }
}

/// Whether `text`, sanitized, is the same as `name`: byte for byte, or by canonical equivalence
/// ([UAX #15](https://www.unicode.org/reports/tr15/)), since systems differ in how they compose
/// accents.
pub fn is_same_name(text: &str, name: &str) -> bool {
    if text == name {
        return true;
    }
    let text = sanitize(text);
    let decomposed = DecomposingNormalizer::new_nfd();
    text == name || decomposed.normalize(&text) == decomposed.normalize(name)
}

/// Control characters, and the explicit directional formatting characters of [UAX #9 §2].
///
/// [UAX #9 §2]: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
fn is_forbidden(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// White space, control characters, the property `Default_Ignorable_Code_Point` (Unicode 17,
/// `DerivedCoreProperties.txt`), and the characters outside it whose glyph is blank.
fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{16fe4}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d159}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_at_every_limit() {
        let rows = [
            ("a".repeat(256), Ok(())),
            ("a".repeat(257), Err(NameError::TooLong)),
            ("é".repeat(128), Ok(())),
            ("é".repeat(129), Err(NameError::TooLong)),
            (String::new(), Err(NameError::Invisible)),
            ("a b/c%2F..#☎".into(), Ok(())),
            ("a\u{0}".into(), Err(NameError::Forbidden)),
            ("a\u{1f}".into(), Err(NameError::Forbidden)),
            ("a\u{7f}".into(), Err(NameError::Forbidden)),
            ("a\u{85}".into(), Err(NameError::Forbidden)),
            ("a\u{202a}".into(), Err(NameError::Forbidden)),
            ("a\u{202e}".into(), Err(NameError::Forbidden)),
            ("a\u{202f}".into(), Ok(())),
            ("a\u{2066}".into(), Err(NameError::Forbidden)),
            ("a\u{2069}".into(), Err(NameError::Forbidden)),
            ("\u{200f}שלום".into(), Ok(())),
        ];
        for (text, expected) in rows {
            assert_eq!(check_name(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn characters_without_a_glyph_are_invisible() {
        for text in [
            " ",
            "\u{a0}",
            "\u{3000}",
            "\u{2028}",
            "\u{200b}",
            "\u{200d}",
            "\u{feff}",
            "\u{2060}",
            "\u{ad}",
            "\u{180e}",
            "\u{3164}",
            "\u{115f}",
            "\u{ffa0}",
            "\u{2800}",
            "\u{fe0f}",
            "\u{e0020}",
            "\u{34f}",
            "\u{fffa}",
            " \u{200b}\u{3164} ",
        ] {
            assert!(!is_visible(text), "{text:?}");
            assert_eq!(sanitize(text), "", "{text:?}");
        }
        for text in ["a", ".", "é", "会", "👋🏽", "\u{200b}a", "\u{fffd}", "\u{2801}", "ᄀ"]
        {
            assert!(is_visible(text), "{text:?}");
        }
    }

    #[test]
    fn sanitized_text_is_cleaned_cut_and_trimmed() {
        assert_eq!(sanitize("  Ada\t\u{202e}Lovelace "), "AdaLovelace");
        assert_eq!(sanitize(&"é".repeat(200)), "é".repeat(128));
        assert_eq!(sanitize(&format!("{} b", "a".repeat(255))), "a".repeat(255));
        assert_eq!(sanitize("\u{0}"), "");
    }

    #[test]
    fn names_are_compared_sanitized_and_by_canonical_equivalence() {
        let rows = [
            ("Ada", "Ada", true),
            (" Ada\n", "Ada", true),
            ("\u{2068}Ada\u{2069}", "Ada", true),
            ("Rene\u{301}", "Ren\u{e9}", true),
            ("Ren\u{e9}", "Rene\u{301}", true),
            ("a\u{323}\u{307}", "a\u{307}\u{323}", true),
            ("\u{1112}\u{1161}\u{11ab}", "\u{d55c}", true),
            ("ada", "Ada", false),
            ("Rene", "Ren\u{e9}", false),
            ("\u{fb01}", "fi", false),
            ("Ad", "Ada", false),
        ];
        for (text, name, expected) in rows {
            assert_eq!(is_same_name(text, name), expected, "{text:?} {name:?}");
        }
    }
}
