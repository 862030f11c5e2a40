//! Medians and their confidence intervals.

use crate::random::Random;

/// Returns the quantile `share`. Sorts a copy of at most a few thousand values.
pub fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Nearest rank. These counts fit an f64, and the share keeps the index in range.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let rank = ((sorted.len() as f64 - 1.0) * share).round() as usize;
    sorted.get(rank).copied().unwrap_or(f64::NAN)
}

pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Median over rounds with its 95 % interval.
#[derive(Clone, Copy)]
pub struct Estimate {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} [{:.2}–{:.2}]", self.median, self.low, self.high)
    }
}

/// Returns the median of per-round values, with a percentile bootstrap over the rounds as interval.
pub fn estimate(rounds: &[f64]) -> Estimate {
    const RESAMPLES: usize = 4000;
    // A fixed seed, so that the same measurements always result in the same interval.
    let mut random = Random::new();
    let medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            median(&rounds.iter().map(|_| rounds[random.below(rounds.len())]).collect::<Vec<_>>())
        })
        .collect();
    Estimate {
        median: median(rounds),
        low: percentile(&medians, 0.025),
        high: percentile(&medians, 0.975),
    }
}

/// Returns the ratios of `ours` to `base` by round.
pub fn by_round(ours: &[f64], base: &[f64], combine: impl Fn(f64, f64) -> f64) -> Estimate {
    let rounds: Vec<f64> =
        ours.iter().zip(base).map(|(ours, base)| combine(*ours, *base)).collect();
    estimate(&rounds)
}

pub fn ratio(ours: &[f64], base: &[f64]) -> Estimate {
    by_round(ours, base, |ours, base| ours / base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_percentile_are_computed() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!((percentile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.9) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn interval_contains_its_median() {
        let estimate = ratio(&[2.0, 2.2, 1.9, 2.1, 2.0], &[1.0, 1.1, 1.0, 1.0, 1.0]);
        assert!(estimate.low <= estimate.median && estimate.median <= estimate.high);
        assert!((estimate.median - 2.0).abs() < 1e-9);
    }
}
