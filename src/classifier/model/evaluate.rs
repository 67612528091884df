//! How good a model is on what it has not seen: cross-validation over the tenant's own examples.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{
    Example, NONE,
    calibrate::{Calibration, Outcome, SIGNS},
    features::Occurrence,
    machine::{Machine, Texts, folds_of, read},
};

/// The same folds each time, so that a figure changes with the examples and with nothing else.
pub(super) const SEED: u64 = 150;
/// The share of messages that belong to no intent, at least: how many examples of them somebody collected says nothing of
/// how many come.
const UNSEEN_SHARE: f64 = 0.2;
/// So many examples of no intent say enough of what becomes of such messages.
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
    /// How many were judged: of those that differ in their numbers alone, one. It is what all shares are of. `None` in a
    /// report of before they were told apart: all were.
    #[serde(default)]
    pub judged: Option<usize>,
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
    /// How many examples were judged, copies counted once.
    pub fn judged(&self) -> usize {
        self.judged.unwrap_or(self.examples)
    }

    /// How many of the examples that were judged would be answered at this point.
    pub fn answers(&self, point: &Point) -> usize {
        (point.decided * self.judged() as f64).round() as usize
    }

    /// The point with the lowest threshold whose precision is at least `gate`, over at least `least` answers. Those with
    /// higher probabilities are among them: a few wrong ones at the top weigh as much as elsewhere. `None`: not good enough
    /// yet.
    pub fn passes(&self, gate: f64, least: usize) -> Option<Point> {
        let is_enough = |point: &&Point| self.answers(point) >= least;
        self.curve.iter().take_while(is_enough).find(|point| point.precision >= gate).copied()
    }

    /// From the probability and the rightness of each answer; `None` where there was none.
    pub fn of(answers: &[Option<(f64, bool)>], labels: &[i64]) -> Self {
        Self::with_strangers(answers, labels, Weights { of_none: 1.0, of_stand_in: 0.0 }, &[])
    }

    /// As `of`, with messages of no intent counted by `weights`: those among the answers, and what stands in for others,
    /// by the probability of its answer. What they count beyond the answers lowers the precision; it is no part of what is
    /// decided.
    fn with_strangers(
        answers: &[Option<(f64, bool)>],
        labels: &[i64],
        weights: Weights,
        stand_ins: &[f64],
    ) -> Self {
        let of_none = answers.iter().zip(labels).filter(|(_, label)| **label == NONE);
        // Among the answers each is counted once.
        let mut strangers: Vec<(f64, f64)> = of_none
            .filter_map(|(answer, _)| Some((answer.as_ref()?.0, weights.of_none - 1.0)))
            .chain(stand_ins.iter().map(|probability| (*probability, weights.of_stand_in)))
            .collect();
        strangers.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut strangers = strangers.into_iter().peekable();
        let mut let_in = 0.0;
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
                while let Some((_, weight)) = strangers.next_if(|(other, _)| other >= threshold) {
                    let_in += weight;
                }
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
        Self { examples: labels.len(), judged: Some(labels.len()), accuracy, curve }
    }
}

/// How many messages of no intent each text counts for that shows what becomes of them.
#[derive(Clone, Copy, Debug)]
struct Weights {
    /// Of an example of no intent: never less than itself.
    of_none: f64,
    of_stand_in: f64,
}

impl Weights {
    /// By which all of them together are at least `UNSEEN_SHARE` of what is measured, beside so many examples of intents.
    /// Examples of no intent and what is missing of `ENOUGH_NONE` count alike, and stand-ins, if there are any, share what
    /// is missing: so each example that comes takes its own part of the assumption away, and no more.
    fn of(of_intents: usize, of_none: usize, stand_ins: usize) -> Self {
        let least = UNSEEN_SHARE / (1.0 - UNSEEN_SHARE) * of_intents as f64;
        let missing = if stand_ins == 0 { 0 } else { ENOUGH_NONE.saturating_sub(of_none) };
        let each = least / (of_none + missing).max(1) as f64;
        Self { of_none: each.max(1.0), of_stand_in: each * missing as f64 / stand_ins.max(1) as f64 }
    }
}

/// One example judged by a model that had not seen it.
struct Judged {
    signs: [f64; SIGNS],
    is_right: bool,
    /// The signs if the example's intent did not exist.
    unseen: Option<[f64; SIGNS]>,
}

/// The examples to judge: of each intent's that differ in their numbers alone, the first. Copies are worth one answer.
fn without_copies(first: &[usize], labels: &[i64]) -> Vec<usize> {
    let mut seen = HashSet::new();
    (0..labels.len()).filter(|i| seen.insert((labels[*i], first[*i]))).collect()
}

/// Trains without each fold in turn, and judges what of it is to be judged (`places`), in that order. `None` where
/// nothing of the text was known.
fn judge(texts: &Texts, labels: &[i64], places: &[usize], folds: usize) -> Vec<Option<Judged>> {
    let fold_of = folds_of(labels, &texts.first, folds, SEED);
    let texts = &texts.features;
    let mut judged: Vec<Option<Judged>> = places.iter().map(|_| None).collect();
    for fold in 0..folds {
        if !fold_of.contains(&fold) {
            continue;
        }
        let rest: Vec<usize> = (0..labels.len()).filter(|i| fold_of[*i] != fold).collect();
        let of_rest: Vec<&[Occurrence]> = rest.iter().map(|i| texts[*i].as_slice()).collect();
        let labels_of_rest: Vec<i64> = rest.iter().map(|i| labels[*i]).collect();
        let machine = Machine::fit(&of_rest, &labels_of_rest, SEED);
        for (judged, &i) in judged.iter_mut().zip(places).filter(|(_, i)| fold_of[**i] == fold) {
            let Some(scores) = machine.scores(&texts[i]) else { continue };
            let Some(ranking) = machine.rank(&scores, None) else { continue };
            let place = machine.labels.binary_search(&labels[i]).ok();
            let unseen = (labels[i] != NONE).then(|| machine.rank(&scores, place)).flatten();
            *judged = Some(Judged {
                signs: ranking.signs,
                is_right: machine.labels[ranking.best] == labels[i],
                unseen: unseen.map(|ranking| ranking.signs),
            });
        }
    }
    judged
}

/// The signs of each example to be judged (`places`) to a model that does not know its intent. The intents are left out
/// by fifths. `None` for too many examples, or where of two intents one alone would be left, which could not but be the
/// answer.
fn without_their_intent(
    texts: &[Vec<Occurrence>],
    labels: &[i64],
    places: &[usize],
) -> Option<Vec<[f64; SIGNS]>> {
    let mut intents: Vec<i64> = labels.iter().copied().filter(|label| *label != NONE).collect();
    intents.sort_unstable();
    intents.dedup();
    let groups = intents.len().min(5);
    if groups < 3 || labels.len() > FEW {
        return None;
    }
    let group_of = |label: i64| intents.binary_search(&label).ok().map(|place| place % groups);
    let mut found = Vec::with_capacity(places.len());
    for group in 0..groups {
        let is_out = |i: &usize| group_of(labels[*i]) == Some(group);
        let rest: Vec<usize> = (0..labels.len()).filter(|i| !is_out(i)).collect();
        let of_rest: Vec<&[Occurrence]> = rest.iter().map(|i| texts[*i].as_slice()).collect();
        let labels_of_rest: Vec<i64> = rest.iter().map(|i| labels[*i]).collect();
        let machine = Machine::fit(&of_rest, &labels_of_rest, SEED);
        let signs = |i: usize| Some(machine.rank(&machine.scores(&texts[i])?, None)?.signs);
        found.extend(places.iter().copied().filter(is_out).filter_map(signs));
    }
    Some(found)
}

/// The calibration that the folds give, and the report under it.
pub(super) fn measure(texts: &Texts, labels: &[i64], folds: usize) -> (Calibration, Report) {
    let places = without_copies(&texts.first, labels);
    let labels_of_judged: Vec<i64> = places.iter().map(|i| labels[*i]).collect();
    let judged = judge(texts, labels, &places, folds.clamp(2, 20));
    let of_none = labels_of_judged.iter().filter(|label| **label == NONE).count();
    // Nobody collects messages that belong nowhere before there is a need. Until there are enough, examples stand in for
    // them, judged as if their own intent did not exist.
    let stand_ins: Vec<_> = if of_none >= ENOUGH_NONE {
        Vec::new()
    } else {
        without_their_intent(&texts.features, labels, &places)
            .unwrap_or_else(|| judged.iter().flatten().filter_map(|one| one.unseen).collect())
    };
    let weights = Weights::of(labels_of_judged.len() - of_none, of_none, stand_ins.len());
    let of_judged = judged.iter().zip(&labels_of_judged).filter_map(|(one, label)| {
        let weight = if *label == NONE { weights.of_none } else { 1.0 };
        one.as_ref().map(|one| Outcome { signs: one.signs, is_right: one.is_right, weight })
    });
    let of_stand_ins =
        stand_ins.iter().map(|signs| Outcome { signs: *signs, is_right: false, weight: weights.of_stand_in });
    let calibration = Calibration::fit(&of_judged.chain(of_stand_ins).collect::<Vec<_>>());
    let answers: Vec<Option<(f64, bool)>> = judged
        .iter()
        .map(|one| one.as_ref().map(|one| (calibration.probability(one.signs), one.is_right)))
        .collect();
    let stand_ins: Vec<f64> = stand_ins.into_iter().map(|signs| calibration.probability(signs)).collect();
    let report = Report::with_strangers(&answers, &labels_of_judged, weights, &stand_ins);
    (calibration, Report { examples: labels.len(), ..report })
}

/// Trains and tests over `folds` parts (2 to 20) of the examples.
pub fn cross_validate(examples: &[Example<'_>], folds: usize) -> Report {
    let labels: Vec<i64> = examples.iter().map(|example| example.label).collect();
    measure(&read(examples), &labels, folds).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is measured of these answers of examples of an intent, of examples of no intent, and of stand-ins.
    fn measured(of_intent: &[(f64, bool)], of_none: &[f64], stand_ins: &[f64]) -> Report {
        let none = of_none.iter().map(|probability| (*probability, false));
        let answers: Vec<_> = of_intent.iter().copied().chain(none).map(Some).collect();
        let labels = [vec![1; of_intent.len()], vec![NONE; of_none.len()]].concat();
        let weights = Weights::of(of_intent.len(), of_none.len(), stand_ins.len());
        Report::with_strangers(&answers, &labels, weights, stand_ins)
    }

    /// The precision at 0.9, where 200 answers are right, and so many examples of no intent are let in and kept out.
    fn claimed(let_in: usize, kept_out: usize, stand_ins: &[f64]) -> f64 {
        let of_none = [vec![0.9; let_in], vec![0.1; kept_out]].concat();
        let report = measured(&[(0.9, true); 200], &of_none, stand_ins);
        report.curve.last().expect("a point").precision
    }

    #[test]
    fn of_five_messages_one_is_a_stranger_however_many_examples_of_them_there_are() {
        // Of the stand-ins half are let in.
        let half: &[f64] = &[0.9, 0.1];
        // Beside 200 messages they are 50.
        for (let_in, kept_out, stand_ins, wrong) in [
            (0, 0, half, 25.0),
            (0, 10, half, 12.5),
            (1, 9, half, 15.0),
            (1, 19, half, 2.5),
            (10, 10, half, 25.0),
            (5, 45, half, 5.0),
            // They are more by themselves.
            (10, 90, half, 10.0),
            // There is nothing that could stand in, as where there is one intent alone.
            (1, 1, &half[..0], 25.0),
        ] {
            let claimed = claimed(let_in, kept_out, stand_ins);
            assert!((claimed - 200.0 / (200.0 + wrong)).abs() < 1e-9, "{let_in}, {kept_out}: {claimed}");
        }
    }

    #[test]
    fn the_assumption_gives_way_to_examples_of_no_intent_one_by_one() {
        let claims: Vec<f64> = (0..60).map(|kept_out| claimed(0, kept_out, &[0.9, 0.1])).collect();
        for (before, pair) in claims.windows(2).enumerate() {
            assert!((0.0..0.01).contains(&(pair[1] - pair[0])), "after {before}: {pair:?}");
        }
        assert!(claims[0] < 0.9 && claims[ENOUGH_NONE] > 0.99, "{claims:?}");
    }

    proptest! {
        #[test]
        fn a_stranger_that_is_let_in_never_makes_it_look_better(
            of_intent in proptest::collection::vec((0_u8..20, any::<bool>()), 1..20),
            of_none in proptest::collection::vec(0_u8..20, 0..30),
            stand_ins in proptest::collection::vec(0_u8..20, 0..20),
            next in 0_u8..20,
        ) {
            let probability = |step: u8| f64::from(step) / 20.0;
            // So many that strangers are fewer by themselves in some cases, and more in others.
            let of_intent: Vec<(f64, bool)> =
                of_intent.into_iter().flat_map(|(step, is_right)| [(probability(step), is_right); 20]).collect();
            let mut of_none: Vec<f64> = of_none.into_iter().map(probability).collect();
            let stand_ins: Vec<f64> = stand_ins.into_iter().map(probability).collect();
            let before = measured(&of_intent, &of_none, &stand_ins);
            let next = probability(next);
            of_none.push(next);
            let after = measured(&of_intent, &of_none, &stand_ins);
            for point in before.curve.iter().filter(|point| point.threshold <= next) {
                let now = after.curve.iter().find(|now| now.threshold == point.threshold);
                prop_assert!(now.is_none_or(|now| now.precision <= point.precision + 1e-9), "{point:?}, {now:?}");
            }
        }
    }

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
        let weights = Weights { of_none: 1.0, of_stand_in: 1.0 };
        let strict = Report::with_strangers(&answers, &labels, weights, &[0.35, 0.1]);
        assert_eq!(strict.passes(1.0, 5).map(|point| point.threshold), Some(0.4), "strangers count as wrong");
    }

    #[test]
    fn a_few_wrong_answers_at_the_top_do_not_keep_the_gate_shut() {
        let labels = [1; 100];
        let answers = |wrong: usize| -> Vec<Option<(f64, bool)>> {
            (0..100_usize).map(|i| Some((1.0 - i as f64 / 1e3, i >= wrong))).collect()
        };
        let passed = Report::of(&answers(2), &labels).passes(0.95, 20);
        assert_eq!(passed.map(|point| (point.decided, point.precision)), Some((1.0, 0.98)));
        assert_eq!(Report::of(&answers(6), &labels).passes(0.95, 20), None);
    }

    #[test]
    fn copies_neither_vouch_for_each_other_nor_count_as_many_answers() {
        let shipped: Vec<String> =
            (0..30).map(|i| format!("Your order {} was shipped", 900 + i * 37)).collect();
        let due: Vec<String> = (0..30).map(|i| format!("Invoice {} is due on Friday", 90 + i * 7)).collect();
        let of = |label: i64, texts: &[String]| -> Vec<(i64, String)> {
            texts.iter().map(|text| (label, text.clone())).collect()
        };
        let report = |texts: &[(i64, String)]| {
            let examples: Vec<Example<'_>> =
                texts.iter().map(|(label, text)| Example { label: *label, text }).collect();
            cross_validate(&examples, 5)
        };
        let copies = report(&[of(1, &shipped), of(2, &due)].concat());
        assert_eq!((copies.examples, copies.judged()), (60, 2));
        assert_eq!(copies.accuracy, 0.0, "each was judged by a model that knows the other alone: {copies:?}");
        assert_eq!(copies.passes(0.5, 20), None);
        // Beside others they are one more, however many there are.
        let others: Vec<(i64, String)> = (0..24_usize)
            .map(|i| {
                let (label, word) = if i % 2 == 0 { (1, "return") } else { (2, "bill") };
                (label, format!("{word} of thing{}", "x".repeat(i)))
            })
            .collect();
        assert_eq!(report(&others).judged(), 24);
        let mixed = report(&[others, of(1, &shipped)].concat());
        assert_eq!((mixed.examples, mixed.judged()), (54, 25));
        assert!(mixed.curve.iter().all(|point| mixed.answers(point) <= 25));
    }

    #[test]
    fn a_report_of_before_copies_were_told_apart_is_read_as_it_was_meant() {
        let old: Report = serde_json::from_str(
            r#"{"examples": 40, "accuracy": 1.0, "curve": [{"threshold": 0.5, "decided": 1.0, "precision": 1.0}]}"#,
        )
        .expect("a report");
        assert_eq!((old.judged(), old.passes(0.9, 20).is_some()), (40, true));
    }
}
