//! From scores to the probability that the answer is right: logistic regression over what the scores show
//! (Platt 1999), fitted on scores of examples that the model had not seen.

/// What is looked at: the winner's score, its lead over the runner-up, and its lead over "none of these".
pub const SIGNS: usize = 3;

/// One answer and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub signs: [f64; SIGNS],
    pub is_right: bool,
    pub weight: f64,
}

/// `1 / (1 + exp(-(bias + slopes · signs)))`. No slope is negative: a higher score never makes less sure.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Calibration {
    pub bias: f64,
    pub slopes: [f64; SIGNS],
}

/// Holds the slopes back where there is little to learn from.
const RIDGE: f64 = 0.5;

impl Calibration {
    /// Newton's method, over the signs whose slope is not negative.
    pub fn fit(outcomes: &[Outcome]) -> Self {
        let mut used = [true; SIGNS];
        loop {
            let fitted = newton(outcomes, used);
            let worst = (0..SIGNS)
                .filter(|k| used[*k])
                .min_by(|a, b| fitted.slopes[*a].total_cmp(&fitted.slopes[*b]));
            match worst {
                Some(k) if fitted.slopes[k] < 0.0 => used[k] = false,
                _ => return fitted,
            }
        }
    }

    pub fn probability(&self, signs: [f64; SIGNS]) -> f64 {
        let z = self.bias + self.slopes.iter().zip(signs).map(|(slope, sign)| slope * sign).sum::<f64>();
        1.0 / (1.0 + (-z).exp())
    }
}

const N: usize = SIGNS + 1;

fn newton(outcomes: &[Outcome], used: [bool; SIGNS]) -> Calibration {
    let mut beta = [0.0_f64; N];
    for _ in 0..50 {
        let mut gradient = [0.0_f64; N];
        let mut hessian = [[0.0_f64; N]; N];
        for k in 0..N {
            // The bias is held too, by very little: with all right it would run away.
            let ridge = if k == 0 { 0.05 } else { RIDGE };
            gradient[k] = -ridge * beta[k];
            hessian[k][k] = ridge;
        }
        for outcome in outcomes {
            let mut x = [1.0; N];
            for k in 0..SIGNS {
                x[k + 1] = if used[k] { outcome.signs[k] } else { 0.0 };
            }
            let z: f64 = x.iter().zip(&beta).map(|(x, b)| x * b).sum();
            let p = 1.0 / (1.0 + (-z).exp());
            let target = if outcome.is_right { 1.0 } else { 0.0 };
            for a in 0..N {
                gradient[a] += outcome.weight * (target - p) * x[a];
                for b in 0..N {
                    hessian[a][b] += outcome.weight * p * (1.0 - p) * x[a] * x[b];
                }
            }
        }
        let step = solve(hessian, gradient);
        // A long step from far away could overshoot; the problem is convex, so short ones arrive as well.
        let length = step.iter().map(|s| s * s).sum::<f64>().sqrt();
        let shorten = if length > 5.0 { 5.0 / length } else { 1.0 };
        for k in 0..N {
            beta[k] += step[k] * shorten;
        }
        if length < 1e-9 {
            break;
        }
    }
    let mut slopes = [0.0; SIGNS];
    slopes.copy_from_slice(&beta[1..]);
    Calibration { bias: beta[0], slopes }
}

/// Gauss and Jordan, for a matrix that the ridge keeps positive definite.
fn solve(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        let pivot = a[i][i];
        for value in &mut a[i] {
            *value /= pivot;
        }
        b[i] /= pivot;
        let (row, right) = (a[i], b[i]);
        for j in (0..N).filter(|j| *j != i) {
            let factor = a[j][i];
            for (value, of_row) in a[j].iter_mut().zip(row) {
                *value -= factor * of_row;
            }
            b[j] -= factor * right;
        }
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probability_is_the_share_of_right_answers() {
        // At score s the share of right answers is 1 / (1 + exp(-4 s)).
        let outcomes: Vec<Outcome> = (-20..=20)
            .flat_map(|i| {
                let s = f64::from(i) / 10.0;
                let share = 1.0 / (1.0 + (-4.0 * s).exp());
                [(true, share), (false, 1.0 - share)].map(|(is_right, part)| Outcome {
                    signs: [s, 0.0, 0.0],
                    is_right,
                    weight: 100.0 * part,
                })
            })
            .collect();
        let fitted = Calibration::fit(&outcomes);
        for (s, expected) in [(0.0, 0.5), (0.5, 0.881), (-0.5, 0.119)] {
            assert!((fitted.probability([s, 0.0, 0.0]) - expected).abs() < 0.01);
        }
    }

    #[test]
    fn no_higher_score_makes_less_sure_and_nothing_known_is_half() {
        let one = |s: f64, is_right| Outcome { signs: [s, s, -s], is_right, weight: 1.0 };
        let fitted = Calibration::fit(&[one(1.0, false), one(2.0, false), one(-1.0, true), one(0.0, true)]);
        assert!(fitted.slopes.iter().all(|slope| *slope >= 0.0), "{fitted:?}");
        assert_eq!(Calibration::fit(&[]).probability([9.0; 3]), 0.5);
    }
}
