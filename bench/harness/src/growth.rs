//! Classification of the growth of a cost with its input.

use crate::stats::{Estimate, estimate};

/// Share of the first point above which a cost counts as grown.
const GROWN: f64 = 0.10;
/// Ratio of the upper to the lower half above which growth is worse than linear.
const BENT: f64 = 1.5;
/// Tolerance for measurement errors, as a share of the first point.
const SLACK: f64 = 0.05;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Growth {
    None,
    Linear,
    Worse,
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Linear => "at most linear",
            Self::Worse => "worse than linear",
        })
    }
}

pub struct Judgment {
    pub growth: Growth,
    /// Ratio of the last point to the first.
    pub times: Estimate,
}

/// Classifies costs at rising inputs. Each point has one cost per round, and equal indexes belong to
/// the same round. The middle is the point closest to the mean of the first and last input.
pub fn judge(inputs: &[f64], costs: &[Vec<f64>]) -> Judgment {
    let last = inputs.len() - 1;
    let half = f64::midpoint(inputs[0], inputs[last]);
    let distance = |at: &usize| (inputs[*at] - half).abs();
    let middle = (0..=last).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(0);

    let rounds = 0..costs[0].len();
    let times: Vec<f64> = rounds.clone().map(|at| costs[last][at] / costs[0][at]).collect();
    let times = estimate(&times);
    let excess = rounds.map(|at| {
        let (first, mid, end) = (costs[0][at], costs[middle][at], costs[last][at]);
        let lower = ((mid - first) / (inputs[middle] - inputs[0])).max(0.0);
        let allowed = BENT * lower * (inputs[last] - inputs[middle]);
        (end - mid - allowed) / first
    });
    let excess = estimate(&excess.collect::<Vec<_>>());
    let growth = if times.median <= 1.0 + GROWN {
        Growth::None
    } else if excess.low <= SLACK {
        Growth::Linear
    } else {
        Growth::Worse
    };
    Judgment { growth, times }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INPUTS: [f64; 6] = [1.0, 10.0, 100.0, 250.0, 500.0, 1000.0];

    /// Returns five rounds of a cost with errors of up to 2 %.
    fn judged(cost: impl Fn(f64) -> f64) -> Growth {
        let noise = [0.98, 1.01, 1.0, 1.02, 0.99];
        let costs: Vec<Vec<f64>> = INPUTS
            .iter()
            .enumerate()
            .map(|(at, input)| (0..5).map(|n| cost(*input) * noise[(n + at) % 5]).collect())
            .collect();
        judge(&INPUTS, &costs).growth
    }

    #[test]
    fn constant_time_is_distinguished_from_linear_growth() {
        assert_eq!(judged(|_| 100.0), Growth::None);
        assert_eq!(judged(|n| 100.0 + 0.005 * n), Growth::None);
        assert_eq!(judged(|n| 100.0 + 0.2 * n), Growth::Linear);
    }

    #[test]
    fn logarithmic_growth_is_reported_as_linear() {
        assert_eq!(judged(|n| 100.0 + n), Growth::Linear);
        assert_eq!(judged(|n| 100.0 + n.ln() * 20.0), Growth::Linear);
        assert_eq!(judged(|n| 100.0 + n * n.ln()), Growth::Linear);
    }

    #[test]
    fn quadratic_growth_and_final_steps_are_reported_as_worse() {
        assert_eq!(judged(|n| 100.0 + n * n / 20_000.0), Growth::Worse);
        assert_eq!(judged(|n| 100.0 + n * n), Growth::Worse);
        assert_eq!(judged(|n| 100.0 + n.powf(1.5) / 100.0), Growth::Worse);
        assert_eq!(judged(|n| if n > 900.0 { 200.0 } else { 100.0 }), Growth::Worse);
    }
}
