//! Presence colors: which color a person has beside their cursor and on their tile.

use aws_lc_rs::{digest, rand};

/// Most colors of a palette.
const PALETTE_COLORS: usize = 64;

/// A color as `#RRGGBB`.
pub type Color = String;

/// The colors to choose from, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    palette: Vec<Color>,
    choice: Choice,
}

/// How a color is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The same person has the same color in every room, tab and product.
    Stable,
    /// A fresh draw for each request.
    Random,
}

impl Presence {
    /// Colors of `palette`, which must not be empty.
    #[must_use]
    pub fn new(palette: Vec<Color>, choice: Choice) -> Self {
        Self { palette, choice }
    }

    /// The color of the person with `identity` (without a device's suffix).
    ///
    /// Stable colors come from SHA-256 of the identity: its first eight bytes as a big-endian
    /// number, modulo the number of colors.
    #[must_use]
    pub fn color(&self, identity: &str) -> &str {
        let mut bytes = [0; 8];
        match self.choice {
            Choice::Stable => {
                let hash = digest::digest(&digest::SHA256, identity.as_bytes());
                bytes.copy_from_slice(&hash.as_ref()[..8]);
            }
            // Without randomness everyone has the first color: no reason to refuse anyone.
            Choice::Random => drop(rand::fill(&mut bytes)),
        }
        let place = u64::from_be_bytes(bytes) % self.palette.len().max(1) as u64;
        usize::try_from(place)
            .ok()
            .and_then(|place| self.palette.get(place))
            .map_or("", String::as_str)
    }
}

/// Reads a list of `#RRGGBB` colors, with commas or blanks between.
///
/// # Errors
///
/// The end of a sentence that starts with the variable's name.
pub fn parse_palette(list: &str) -> Result<Vec<Color>, &'static str> {
    let has_commas = list.contains(',');
    let is_between = |byte: char| if has_commas { byte == ',' } else { byte.is_whitespace() };
    let colors: Vec<Color> = list.split(is_between).map(|color| color.trim().to_owned()).collect();
    let is_color = |color: &Color| {
        color.strip_prefix('#').is_some_and(|digits| {
            digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    if colors.len() <= PALETTE_COLORS && colors.iter().all(is_color) {
        Ok(colors)
    } else {
        Err("must be a list of 1 to 64 colors as #RRGGBB")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presence(choice: Choice) -> Presence {
        let palette = ["#000000", "#111111", "#222222", "#333333", "#444444"];
        Presence::new(palette.map(str::to_owned).to_vec(), choice)
    }

    /// Python: `int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big") % 5`.
    #[test]
    fn stable_colors_are_sha256_of_the_identity() {
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
    fn random_colors_differ() {
        let random = presence(Choice::Random);
        let drawn: std::collections::BTreeSet<&str> =
            (0..200).map(|_| random.color("ada")).collect();
        assert_eq!(drawn.len(), 5, "200 draws of 5 colors miss one with odds of 1 in 10^18");
    }

    #[test]
    fn reads_palettes() {
        assert_eq!(parse_palette("#E74C3C, #8e44ad").unwrap(), ["#E74C3C", "#8e44ad"]);
        assert_eq!(parse_palette("#E74C3C #8e44ad").unwrap(), ["#E74C3C", "#8e44ad"]);
        let long = ["#000000"; 64].join(",");
        assert_eq!(parse_palette(&long).unwrap().len(), 64);
        for wrong in ["", "E74C3C", "#E74C3", "#E74C3C0", "#GGGGGG", "#E74C3C,", "red"] {
            assert!(parse_palette(wrong).is_err(), "{wrong}");
        }
        assert!(parse_palette(&format!("{long},#000000")).is_err());
    }
}
