//! Presence colors, which apps show beside cursors and on tiles.

use aws_lc_rs::{digest, rand};

use crate::non_empty::NonEmpty;
use crate::reason::Reason;

/// The maximum number of colors in a palette.
const PALETTE_COLORS: usize = 64;

/// A color as `#RRGGBB`.
pub type Color = String;

/// A palette, and the way to choose from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    palette: NonEmpty<Color>,
    choice: Choice,
}

/// The way to choose a color.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Depends on the identity only: a person has the same color in every room, tab and product.
    Stable,
    /// Is drawn for each request.
    Random,
}

impl Presence {
    /// Creates the choice from `palette`.
    pub fn new(palette: NonEmpty<Color>, choice: Choice) -> Self {
        Self { palette, choice }
    }

    /// Returns the color of the person with `identity`, without a device's suffix.
    ///
    /// A stable color comes from SHA-256 of the identity: the first eight bytes as a big-endian number,
    /// modulo the number of colors.
    ///
    /// # Examples
    ///
    /// ```
    /// use roomkey::presence::{Choice, Presence, parse_palette};
    ///
    /// let palette = parse_palette("#e6194b, #3cb44b, #4363d8").unwrap();
    /// let presence = Presence::new(palette, Choice::Stable);
    /// // The same person has the same color in every room and on every machine.
    /// assert_eq!(presence.color("ada@example.com"), "#e6194b");
    /// assert_eq!(presence.color("ada@example.com"), presence.color("ada@example.com"));
    /// ```
    pub fn color(&self, identity: &str) -> &str {
        let mut bytes = [0; 8];
        match self.choice {
            Choice::Stable => {
                let hash = digest::digest(&digest::SHA256, identity.as_bytes());
                bytes.copy_from_slice(&hash.as_ref()[..8]);
            }
            // Without randomness all have the first color, which is no reason to reject a request.
            Choice::Random => drop(rand::fill(&mut bytes)),
        }
        let place = u64::from_be_bytes(bytes) % self.palette.len() as u64;
        let place = usize::try_from(place).unwrap_or_default(); // below the length, so it fits
        &self.palette[place]
    }
}

/// Parses a list of `#RRGGBB` colors, separated by commas or by blanks.
///
/// # Errors
///
/// [`Reason`] if a color has another form, or if there are none or more than 64.
///
/// # Examples
///
/// ```
/// use roomkey::presence::parse_palette;
///
/// assert_eq!(parse_palette("#e6194b,#3cb44b").unwrap().len(), 2);
/// assert_eq!(parse_palette("#e6194b #3cb44b").unwrap().len(), 2);
/// for list in ["", "red", "#e6194b,", "#e6194"] {
///     assert!(parse_palette(list).is_err(), "{list:?}");
/// }
/// ```
pub fn parse_palette(list: &str) -> Result<NonEmpty<Color>, Reason> {
    const WRONG: Reason = Reason("must be a list of 1 to 64 colors as #RRGGBB");
    let has_commas = list.contains(',');
    let is_between = |byte: char| if has_commas { byte == ',' } else { byte.is_whitespace() };
    let colors: Vec<Color> = list.split(is_between).map(|color| color.trim().to_owned()).collect();
    let is_color = |color: &Color| {
        color.strip_prefix('#').is_some_and(|digits| {
            digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    let is_palette = colors.len() <= PALETTE_COLORS && colors.iter().all(is_color);
    NonEmpty::new(colors).filter(|_| is_palette).ok_or(WRONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(choice: Choice) -> Presence {
        let palette = ["#000000", "#111111", "#222222", "#333333", "#444444"];
        Presence::new(NonEmpty::new(palette.map(str::to_owned).to_vec()).unwrap(), choice)
    }

    /// Python: `int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") % 5`.
    #[test]
    fn stable_color_is_sha256_of_the_identity() {
        let stable = presence(Choice::Stable);
        let rows = [
            ("ada@example.com", "#000000"),
            ("grace@example.com", "#444444"),
            ("user_1", "#000000"),
            ("é", "#111111"),
        ];
        for (identity, color) in rows {
            assert_eq!(stable.color(identity), color, "{identity}");
        }
    }

    #[test]
    fn random_color_differs_between_requests() {
        let random = presence(Choice::Random);
        let drawn: std::collections::BTreeSet<&str> =
            (0..200).map(|_| random.color("ada")).collect();
        assert_eq!(drawn.len(), 5, "200 draws of 5 colors miss one with odds of 1 in 10^18");
    }

    #[test]
    fn palette_is_parsed_with_commas_or_blanks() {
        assert_eq!(parse_palette("#E74C3C, #8e44ad").unwrap()[..], ["#E74C3C", "#8e44ad"]);
        assert_eq!(parse_palette("#E74C3C #8e44ad").unwrap()[..], ["#E74C3C", "#8e44ad"]);
        let long = ["#000000"; 64].join(",");
        assert_eq!(parse_palette(&long).unwrap().len(), 64);
        for wrong in ["", "E74C3C", "#E74C3", "#E74C3C0", "#GGGGGG", "#E74C3C,", "red"] {
            assert!(parse_palette(wrong).is_err(), "{wrong}");
        }
        assert!(parse_palette(&format!("{long},#000000")).is_err());
    }
}
