//! How good a model is on what it has not seen: cross-validation over the tenant's own examples.

use serde::{Deserialize, Serialize};

use super::{
    Example, NONE,
    calibrate::{Calibration, Outcome, SIGNS},
    features::Occurrence,
    machine::{Machine, folds_of, read},
};

/// The same folds each time, so that a figure changes with the examples and with nothing else.
pub(super) const SEED: u64 = 150;
/// The share of messages that belong to no intent, assumed until examples of such messages say otherwise.
const UNSEEN_SHARE: f64 = 0.2;
/// So many examples of no intent say enough.
const ENOUGH_NONE: usize = 20;
/// Up to so many examples it is worth training without each intent to see what becomes of its texts. Beyond, its
/// score is left out instead: cheaper, and a little too kind, since the others have learned to keep them out.
const FEW: usize = 3_000;
/// The curve has at most so many points.
const POINTS: usize = 50;

/// What cross-validation showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub examples: usize,
    /// The share of examples of an intent that got it, without a threshold. 0 to 1.
    pub accuracy: f64,
    /// By ascending threshold.
    pub curve: Vec<Point>,
}

/// What would come of answering only where the probability is at least `threshold`. All are 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub threshold: f64,
    /// The share of examples that would be answered.
    pub decided: f64,
    /// The share of answers that would be right; among the wrong ones are those to messages of no intent, as many
    /// as are to be expected.
    pub precision: f64,
}

impl Report {
    /// The point with the lowest threshold from which on precision is never below `gate`, over at least
    /// `least` answers. `None`: not good enough yet.
    pub fn passes(&self, gate: f64, least: usize) -> Option<Point> {
        let is_enough = |point: &&Point| point.decided * self.examples as f64 + 0.5 >= least as f64;
        let enough: Vec<&Point> = self.curve.iter().take_while(is_enough).collect();
        enough.into_iter().rev().take_while(|point| point.precision >= gate).last().copied()
    }

    /// From the probability and the rightness of each answer; `None` where there was none.
    pub fn of(answers: &[Option<(f64, bool)>], labels: &[i64]) -> Self {
        Self::with_strangers(answers, labels, &mut [], 0.0)
    }

    /// As `of`, with the probabilities of answers to texts that belong to no intent, each counted as `weight`
    /// wrong answers. They lower the precision; they are no part of what is decided.
    fn with_strangers(
        answers: &[Option<(f64, bool)>],
        labels: &[i64],
        strangers: &mut [f64],
        weight: f64,
    ) -> Self {
        strangers.sort_by(|a, b| b.total_cmp(a));
        let of_intent = labels.iter().filter(|label| **label != NONE).count();
        let right = answers.iter().flatten().filter(|(_, is_right)| *is_right).count();
        let mut sorted: Vec<(f64, bool)> = answers.iter().flatten().copied().collect();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut curve = Vec::new();
        let mut right_so_far = 0_usize;
        let mut next = 0;
        for (n, (threshold, is_right)) in sorted.iter().enumerate() {
            right_so_far += usize::from(*is_right);
            let is_last_of_equals = sorted.get(n + 1).is_none_or(|other| other.0 < *threshold);
            if is_last_of_equals && (n >= next || n + 1 == sorted.len()) {
                let taken = (n + 1) as f64;
                let let_in = strangers.partition_point(|other| other >= threshold) as f64 * weight;
                curve.push(Point {
                    threshold: *threshold,
                    decided: taken / answers.len() as f64,
                    precision: right_so_far as f64 / (taken + let_in),
                });
                next = n + sorted.len().div_ceil(POINTS);
            }
        }
        curve.reverse();
        let accuracy = if of_intent == 0 { 0.0 } else { right as f64 / of_intent as f64 };
        Self { examples: labels.len(), accuracy, curve }
    }
}

/// One example judged by a model that had not seen it.
struct Judged {
    signs: [f64; SIGNS],
    is_right: bool,
    /// The signs if the example's intent did not exist.
    unseen: Option<[f64; SIGNS]>,
}

/// Trains without each fold in turn, and judges it. `None` where nothing of the text was known.
fn judge(texts: &[Vec<Occurrence>], labels: &[i64], folds: usize) -> Vec<Option<Judged>> {
    let fold_of = folds_of(labels, folds, SEED);
    let mut judged: Vec<Option<Judged>> = labels.iter().map(|_| None).collect();
    for fold in 0..folds {
        let rest: Vec<usize> = (0..labels.len()).filter(|i| fold_of[*i] != fold).collect();
        let of_rest: Vec<&[Occurrence]> = rest.iter().map(|i| texts[*i].as_slice()).collect();
        let labels_of_rest: Vec<i64> = rest.iter().map(|i| labels[*i]).collect();
        let machine = Machine::fit(&of_rest, &labels_of_rest, SEED);
        for i in (0..labels.len()).filter(|i| fold_of[*i] == fold) {
            let Some(scores) = machine.scores(&texts[i]) else { continue };
            let Some(ranking) = machine.rank(&scores, None) else { continue };
            let place = machine.labels.binary_search(&labels[i]).ok();
            let unseen = (labels[i] != NONE).then(|| machine.rank(&scores, place)).flatten();
            judged[i] = Some(Judged {
                signs: ranking.signs,
                is_right: machine.labels[ranking.best] == labels[i],
                unseen: unseen.map(|ranking| ranking.signs),
            });
        }
    }
    judged
}

/// The signs of each example to a model that does not know its intent. The intents are left out by fifths. `None`
/// for too many examples, or where of two intents one alone would be left, which could not but be the answer.
fn without_their_intent(texts: &[Vec<Occurrence>], labels: &[i64]) -> Option<Vec<[f64; SIGNS]>> {
    let mut intents: Vec<i64> = labels.iter().copied().filter(|label| *label != NONE).collect();
    intents.sort_unstable();
    intents.dedup();
    let groups = intents.len().min(5);
    if groups < 3 || labels.len() > FEW {
        return None;
    }
    let group_of = |label: i64| intents.binary_search(&label).ok().map(|place| place % groups);
    let mut found = Vec::with_capacity(labels.len());
    for group in 0..groups {
        let (out, rest): (Vec<usize>, Vec<usize>) =
            (0..labels.len()).partition(|i| group_of(labels[*i]) == Some(group));
        let of_rest: Vec<&[Occurrence]> = rest.iter().map(|i| texts[*i].as_slice()).collect();
        let labels_of_rest: Vec<i64> = rest.iter().map(|i| labels[*i]).collect();
        let machine = Machine::fit(&of_rest, &labels_of_rest, SEED);
        let signs = |i: usize| Some(machine.rank(&machine.scores(&texts[i])?, None)?.signs);
        found.extend(out.into_iter().filter_map(signs));
    }
    Some(found)
}

/// The calibration that the folds give, and the report under it.
pub(super) fn measure(texts: &[Vec<Occurrence>], labels: &[i64], folds: usize) -> (Calibration, Report) {
    let judged = judge(texts, labels, folds.clamp(2, 20));
    let known = || judged.iter().flatten();
    let mut outcomes: Vec<Outcome> =
        known().map(|one| Outcome { signs: one.signs, is_right: one.is_right, weight: 1.0 }).collect();
    // Nobody collects messages that belong nowhere before there is a need. Until then examples stand for them,
    // judged as if their own intent did not exist.
    let has_none = labels.iter().filter(|label| **label == NONE).count() >= ENOUGH_NONE;
    let unseen: Vec<_> = if has_none {
        Vec::new()
    } else {
        without_their_intent(texts, labels).unwrap_or_else(|| known().filter_map(|one| one.unseen).collect())
    };
    let weight = UNSEEN_SHARE / (1.0 - UNSEEN_SHARE) * outcomes.len() as f64 / unseen.len().max(1) as f64;
    outcomes.extend(unseen.iter().map(|signs| Outcome { signs: *signs, is_right: false, weight }));
    let calibration = Calibration::fit(&outcomes);
    let answers: Vec<Option<(f64, bool)>> = judged
        .iter()
        .map(|one| one.as_ref().map(|one| (calibration.probability(one.signs), one.is_right)))
        .collect();
    let mut strangers: Vec<f64> = unseen.into_iter().map(|signs| calibration.probability(signs)).collect();
    (calibration, Report::with_strangers(&answers, labels, &mut strangers, weight))
}

/// Trains and tests over `folds` parts (2 to 20) of the examples.
pub fn cross_validate(examples: &[Example<'_>], folds: usize) -> Report {
    let labels: Vec<i64> = examples.iter().map(|example| example.label).collect();
    measure(&read(examples), &labels, folds).1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_passed_from_the_point_on_that_holds_it() {
        let labels = [1; 10];
        let answers: Vec<_> = (0..10).map(|i| Some((f64::from(i) / 10.0, i >= 3))).collect();
        let report = Report::of(&answers, &labels);
        assert_eq!((report.examples, report.accuracy, report.curve.len()), (10, 0.7, 10));
        let passed = Point { threshold: 0.3, decided: 0.7, precision: 1.0 };
        assert_eq!(report.passes(1.0, 5), Some(passed));
        assert_eq!(report.passes(0.7, 5).map(|point| point.threshold), Some(0.0));
        assert_eq!(report.passes(1.0, 8), None, "too few answers to trust");
        assert_eq!(Report::default().passes(0.5, 0), None);
        let strict = Report::with_strangers(&answers, &labels, &mut [0.35, 0.1], 1.0);
        assert_eq!(strict.passes(1.0, 5).map(|point| point.threshold), Some(0.4), "strangers count as wrong");
    }
}
