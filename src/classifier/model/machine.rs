//! The vocabulary and the weights: text in, one score a label out.

use super::{
    Example, NONE, Shuffler,
    calibrate::SIGNS,
    features::{Occurrence, Sparse, Vocabulary, occurrences, words},
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

/// The features of each example, read once for all folds.
pub fn read(examples: &[Example<'_>]) -> Vec<Vec<Occurrence>> {
    examples.iter().map(|example| occurrences(&words(example.text))).collect()
}

/// Which fold each example is in: every label spread evenly.
pub fn folds_of(labels: &[i64], folds: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    Shuffler::new(seed).shuffle(&mut order);
    order.sort_by_key(|i| labels[*i]);
    let mut fold = vec![0; labels.len()];
    for (n, i) in order.into_iter().enumerate() {
        fold[i] = n % folds.max(1);
    }
    fold
}
