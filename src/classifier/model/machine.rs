//! The vocabulary and the weights: text in, one score a label out.

use std::collections::HashMap;

use super::{
    Example, NONE, Shuffler,
    calibrate::SIGNS,
    features::{Occurrence, Sparse, Vocabulary, occurrences, outline, words},
    linear,
};

/// Weights nearer to nothing than this are dropped: they change no answer and are most of the size.
const NEGLIGIBLE: f32 = 0.01;
/// The score of "none of these" where there is no example of it: what a machine gives to what it knows not.
const NONE_SCORE: f64 = -1.0;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Machine {
    pub(super) vocabulary: Vocabulary,
    /// Ascending. `NONE`, if it is there, is the first.
    pub(super) labels: Vec<i64>,
    pub(super) bias: Vec<f32>,
    /// Where each feature's weights start in `weights`; one more than there are features.
    pub(super) starts: Vec<u32>,
    /// The label's place and the weight.
    pub(super) weights: Vec<(u16, f32)>,
}

/// What the scores show: the place of the best intent, and its signs.
#[derive(Clone, Debug)]
pub struct Ranking {
    pub best: usize,
    pub signs: [f64; SIGNS],
}

impl Machine {
    /// One machine a label, each against all the rest. At most 65,535 labels; what is beyond is left out.
    pub fn fit(texts: &[&[Occurrence]], labels_of: &[i64], seed: u64) -> Self {
        let mut labels = labels_of.to_vec();
        labels.sort_unstable();
        labels.dedup();
        labels.truncate(usize::from(u16::MAX));
        let vocabulary = Vocabulary::of(texts);
        let rows: Vec<Sparse> = texts.iter().map(|text| vocabulary.vector(text)).collect();
        let mut bias = Vec::with_capacity(labels.len());
        let mut by_feature: Vec<Vec<(u16, f32)>> = vec![Vec::new(); vocabulary.len()];
        for (place, label) in (0_u16..).zip(&labels) {
            let found = linear::separate(&rows, |i| labels_of[i] == *label, vocabulary.len(), seed);
            bias.push(found.bias);
            for (of_feature, weight) in by_feature.iter_mut().zip(found.weights) {
                if weight.abs() >= NEGLIGIBLE {
                    of_feature.push((place, weight));
                }
            }
        }
        let mut starts = vec![0];
        let mut weights = Vec::with_capacity(by_feature.iter().map(Vec::len).sum());
        for of_feature in by_feature {
            weights.extend(of_feature);
            starts.push(weights.len() as u32);
        }
        Self { vocabulary, labels, bias, starts, weights }
    }

    fn of_feature(&self, index: u32) -> &[(u16, f32)] {
        let at = index as usize;
        &self.weights[self.starts[at] as usize..self.starts[at + 1] as usize]
    }

    /// One a label. `None` where nothing of the text is known.
    pub fn scores(&self, text: &[Occurrence]) -> Option<Vec<f64>> {
        let vector = self.vocabulary.vector(text);
        if vector.is_empty() {
            return None;
        }
        let mut scores = self.bias.clone();
        for (index, value) in vector {
            for (place, weight) in self.of_feature(index) {
                scores[usize::from(*place)] += weight * value;
            }
        }
        Some(scores.into_iter().map(f64::from).collect())
    }

    /// The best intent by these scores, `without` one of them. `None` where no intent is left.
    pub fn rank(&self, scores: &[f64], without: Option<usize>) -> Option<Ranking> {
        let none = if self.labels.first() == Some(&NONE) { scores[0] } else { NONE_SCORE };
        let mut first: Option<(usize, f64)> = None;
        let mut second = NONE_SCORE;
        for (place, score) in scores.iter().enumerate() {
            if self.labels[place] == NONE || Some(place) == without {
                continue;
            }
            match first {
                Some((_, best)) if *score <= best => second = second.max(*score),
                before => {
                    second = before.map_or(second, |(_, best)| second.max(best));
                    first = Some((place, *score));
                }
            }
        }
        let (best, score) = first?;
        Some(Ranking { best, signs: [score, score - second, score - none] })
    }

    /// What each word of the text speaks for the label at `place`.
    pub fn by_word(&self, text: &[Occurrence], words: usize, place: usize) -> Vec<f64> {
        let vector = self.vocabulary.vector(text);
        self.vocabulary.by_word(text, words, |index| {
            let value =
                vector.binary_search_by_key(&index, |(other, _)| *other).map_or(0.0, |at| vector[at].1);
            let of_label = self.of_feature(index).iter().find(|(other, _)| usize::from(*other) == place);
            of_label.map_or(0.0, |(_, weight)| f64::from(weight * value))
        })
    }
}

/// The examples, read once for all folds.
#[derive(Debug, Default)]
pub struct Texts {
    /// Of each example.
    pub features: Vec<Vec<Occurrence>>,
    /// Of each example, the first that differs from it in numbers alone; its own place where that is none.
    pub first: Vec<usize>,
}

pub fn read(examples: &[Example<'_>]) -> Texts {
    let mut texts = Texts::default();
    let mut places = HashMap::new();
    for (place, example) in examples.iter().enumerate() {
        let words = words(example.text);
        texts.first.push(*places.entry(outline(&words)).or_insert(place));
        texts.features.push(occurrences(&words));
    }
    texts
}

/// Which fold each example is in: every label spread evenly, and copies together with the `first` of them. A model
/// that has seen a copy would be tested on what it knows.
pub fn folds_of(labels: &[i64], first: &[usize], folds: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).filter(|i| first[*i] == *i).collect();
    Shuffler::new(seed).shuffle(&mut order);
    order.sort_by_key(|i| labels[*i]);
    let mut fold = vec![0; labels.len()];
    for (n, i) in order.into_iter().enumerate() {
        fold[i] = n % folds.max(1);
    }
    first.iter().map(|i| fold[*i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_in_one_fold_and_every_label_is_spread_evenly() {
        // The copies stand between the others, and one of them was given another intent.
        let labels: Vec<i64> = (0..60).map(|i| if i == 57 || i % 3 == 2 { 2 } else { 1 }).collect();
        let first: Vec<usize> = (0..60).map(|i| if i % 3 == 0 { 0 } else { i }).collect();
        let fold = folds_of(&labels, &first, 5, 150);
        assert!((0..60).step_by(3).all(|i| fold[i] == fold[0]), "{fold:?}");
        for label in [1, 2] {
            let mut counts = [0_usize; 5];
            for i in (0..60).filter(|i| first[*i] == *i && labels[*i] == label) {
                counts[fold[i]] += 1;
            }
            assert!(counts.iter().all(|count| (4..=5).contains(count)), "{counts:?}");
        }
        assert_eq!(fold, folds_of(&labels, &first, 5, 150));
    }

    #[test]
    fn the_first_of_the_copies_stands_for_them() {
        let texts = ["Order 7 was shipped", "Where is it?", "order 1,234 was SHIPPED.", "", "where is it"];
        let examples = texts.map(|text| Example { label: 1, text });
        assert_eq!(read(&examples).first, [0, 1, 0, 3, 1]);
    }
}
