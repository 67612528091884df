//! A linear support vector machine with squared hinge loss, solved in its dual one coordinate at a time, with
//! shrinking (Hsieh et al., "A Dual Coordinate Descent Method for Large-scale Linear SVM", ICML 2008,
//! algorithm 3).

use super::{Shuffler, features::Sparse};

/// What an error costs against the size of the weights: LIBLINEAR's default. On CLINC150 0.3 was no better.
const COST: f64 = 1.0;
/// How near to the optimum is near enough, as the spread of the projected gradient: LIBLINEAR's default. Half of
/// it changed no figure on CLINC150 and took longer.
const TOLERANCE: f64 = 0.1;
const MAX_ROUNDS: usize = 100;

/// The weights of one machine: one a feature, and the bias.
#[derive(Debug)]
pub struct Weights {
    pub weights: Vec<f32>,
    pub bias: f32,
}

/// Separates the rows for which `is_in` holds from the others. `dimensions` is above every index.
pub fn separate(rows: &[Sparse], is_in: impl Fn(usize) -> bool, dimensions: usize, seed: u64) -> Weights {
    let mut w = vec![0.0_f32; dimensions];
    let mut bias = 0.0_f64;
    let mut alpha = vec![0.0_f64; rows.len()];
    let sign: Vec<f64> = (0..rows.len()).map(|i| if is_in(i) { 1.0 } else { -1.0 }).collect();
    let diagonal = 0.5 / COST;
    let q: Vec<f64> = rows
        .iter()
        .map(|row| 1.0 + diagonal + row.iter().map(|(_, x)| f64::from(x * x)).sum::<f64>())
        .collect();
    let mut active: Vec<usize> = (0..rows.len()).collect();
    let mut random = Shuffler::new(seed);
    let mut highest_before = f64::INFINITY;
    let mut rounds = 0;
    while rounds < MAX_ROUNDS {
        rounds += 1;
        let (mut highest, mut lowest) = (f64::NEG_INFINITY, f64::INFINITY);
        random.shuffle(&mut active);
        let mut at = 0;
        while at < active.len() {
            let i = active[at];
            let dot: f32 = rows[i].iter().map(|(index, x)| w[*index as usize] * x).sum();
            let gradient = sign[i].mul_add(f64::from(dot) + bias, -1.0) + alpha[i] * diagonal;
            let mut projected = gradient;
            if alpha[i] == 0.0 {
                if gradient > highest_before {
                    active.swap_remove(at);
                    continue;
                }
                projected = gradient.min(0.0);
            }
            highest = highest.max(projected);
            lowest = lowest.min(projected);
            if projected.abs() > 1e-12 {
                let before = alpha[i];
                alpha[i] = (before - gradient / q[i]).max(0.0);
                let step = (alpha[i] - before) * sign[i];
                bias += step;
                let step = step as f32;
                for (index, x) in &rows[i] {
                    w[*index as usize] += step * x;
                }
            }
            at += 1;
        }
        if highest - lowest <= TOLERANCE {
            if active.len() == rows.len() {
                break;
            }
            // What was set aside is looked at once more before the end.
            active = (0..rows.len()).collect();
            highest_before = f64::INFINITY;
            continue;
        }
        highest_before = if highest > 0.0 { highest } else { f64::INFINITY };
    }
    Weights { weights: w, bias: bias as f32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_separated_is() {
        let rows: Vec<Sparse> = (0..40).map(|i| vec![(i % 4, 1.0), (4 + i % 3, 0.5)]).collect();
        let found = separate(&rows, |i| i % 4 == 1, 7, 1);
        for (i, row) in rows.iter().enumerate() {
            let score = found.bias + row.iter().map(|(k, x)| found.weights[*k as usize] * x).sum::<f32>();
            assert_eq!(score > 0.0, i % 4 == 1, "{i}: {score}");
        }
    }

    #[test]
    fn nothing_and_one_side_alone_are_no_trouble() {
        assert_eq!(separate(&[], |_| true, 0, 1).bias, 0.0);
        let one_side = separate(&[vec![(0, 1.0)], vec![]], |_| true, 1, 1);
        assert!(one_side.bias > 0.0 && one_side.bias.is_finite());
    }
}
