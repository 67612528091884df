//! A trained model: what it says of a text, how sure it is, and why.

use super::{
    Example, NONE,
    calibrate::Calibration,
    evaluate::{Report, SEED, measure},
    features::{occurrences, raw_words, words},
    machine::{Machine, read},
};

/// How many candidates are named at most.
const CANDIDATES: usize = 5;
/// Turns differences of score into shares among the runners-up.
const SHARPNESS: f64 = 4.0;
/// The folds of cross-validation: each is a training of its own, and with many examples few folds say as much.
fn folds(examples: usize) -> usize {
    match examples {
        0..2_000 => 5,
        2_000..10_000 => 3,
        _ => 2,
    }
}

/// What a tenant's examples taught.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub(super) machine: Machine,
    pub(super) calibration: Calibration,
}

/// An intent that a text may belong to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    pub label: i64,
    /// For the first: how often such an answer is right, measured on unseen examples. The others share what it
    /// leaves, with "none of these". 0 to 1.
    pub probability: f64,
}

/// A word of the text, and what it adds to the score.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub word: String,
    pub weight: f64,
}

impl Model {
    /// Deterministic. Without at least two labels, one of them an intent's, the model is empty and says nothing.
    pub fn train(examples: &[Example<'_>]) -> Self {
        Self::train_and_evaluate(examples).0
    }

    /// The model, and what cross-validation showed of it: the calibration needs it anyway.
    pub fn train_and_evaluate(examples: &[Example<'_>]) -> (Self, Report) {
        let labels: Vec<i64> = examples.iter().map(|example| example.label).collect();
        if labels.iter().all(|label| Some(label) == labels.first()) {
            return (Self::default(), Report { examples: labels.len(), ..Report::default() });
        }
        let texts = read(examples);
        let (calibration, report) = measure(&texts, &labels, folds(labels.len()));
        let texts: Vec<_> = texts.features.iter().map(Vec::as_slice).collect();
        (Self { machine: Machine::fit(&texts, &labels, SEED), calibration }, report)
    }

    pub fn is_empty(&self) -> bool {
        self.machine.labels.is_empty()
    }

    /// How many features the model knows, and how many weights it holds.
    pub fn size(&self) -> (usize, usize) {
        (self.machine.vocabulary.len(), self.machine.weights.len())
    }

    /// Best first, at most 5. Empty for an empty model, and where nothing of the text is known.
    pub fn predict(&self, text: &str) -> Vec<Candidate> {
        let machine = &self.machine;
        let Some(scores) = machine.scores(&occurrences(&words(text))) else { return Vec::new() };
        let Some(ranking) = machine.rank(&scores, None) else { return Vec::new() };
        let probability = self.calibration.probability(ranking.signs);
        let mut others: Vec<(i64, f64)> = (0..scores.len())
            .filter(|place| *place != ranking.best)
            .map(|place| {
                let behind = (scores[place] - scores[ranking.best]).min(0.0);
                (machine.labels[place], (SHARPNESS * behind).exp())
            })
            .collect();
        let whole: f64 = others.iter().map(|(_, share)| share).sum();
        others.retain(|(label, _)| *label != NONE);
        others.sort_by(|a, b| b.1.total_cmp(&a.1));
        let others = others.into_iter().map(|(label, share)| Candidate {
            label,
            // No runner-up is surer than the winner.
            probability: ((1.0 - probability) * share / whole.max(f64::MIN_POSITIVE)).min(probability),
        });
        std::iter::once(Candidate { label: machine.labels[ranking.best], probability })
            .chain(others)
            .take(CANDIDATES)
            .collect()
    }

    /// The words that speak most for the label, at most `most`, largest first. A word that stands several times
    /// is named once, with all that it adds.
    pub fn explain(&self, text: &str, label: i64, most: usize) -> Vec<Word> {
        let Ok(place) = self.machine.labels.binary_search(&label) else { return Vec::new() };
        let list = words(text);
        let shares = self.machine.by_word(&occurrences(&list), list.len(), place);
        let mut found: Vec<Word> = raw_words(text)
            .map(str::to_lowercase)
            .zip(shares)
            .map(|(word, weight)| Word { word, weight })
            .collect();
        found.sort_by(|a, b| a.word.cmp(&b.word));
        found.dedup_by(|again, first| {
            let is_same = again.word == first.word;
            if is_same {
                first.weight += again.weight;
            }
            is_same
        });
        found.retain(|word| word.weight > 0.0);
        found.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        found.truncate(most);
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXTS: [(i64, &str); 16] = [
        (1, "I want to return the shoes"),
        (1, "How can I send this jacket back?"),
        (1, "please take the jacket back, it is too small"),
        (1, "return request for my order 4711"),
        (1, "returning a pair of shoes, send me a label"),
        (1, "I would like to return my order"),
        (1, "can I return an item that I have worn"),
        (1, "the shirt does not fit, I want to send it back"),
        (2, "where is my invoice for March"),
        (2, "please send the invoice again"),
        (2, "the invoice has the wrong address"),
        (2, "I need a copy of the bill"),
        (2, "our accountant misses your invoice 88"),
        (2, "billing address on the invoice is wrong"),
        (2, "may I have the invoice as PDF"),
        (2, "a bill for last month, please"),
    ];

    fn examples() -> Vec<Example<'static>> {
        TEXTS.iter().map(|(label, text)| Example { label: *label, text }).collect()
    }

    #[test]
    fn it_tells_two_intents_apart_from_eight_examples_each_and_says_why() {
        let (model, report) = Model::train_and_evaluate(&examples());
        assert!(report.accuracy >= 0.7, "{report:?}");
        let text = "Return of the shoes, where is the label?";
        let found = model.predict(text);
        assert_eq!((found.len(), found[0].label), (2, 1));
        assert!(found[0].probability > 0.5 && found[0].probability > found[1].probability, "{found:?}");
        let why = model.explain(text, 1, 3);
        assert!(why.iter().any(|word| word.word == "return" && word.weight > 0.0), "{why:?}");
        assert_eq!(model.predict("жжж, ?!"), [], "of what it knows nothing it says nothing");
        let unsure = model.predict("what is the weather");
        assert!(unsure.first().is_none_or(|first| first.probability < found[0].probability));
    }

    #[test]
    fn the_same_examples_give_the_same_model_and_it_survives_its_bytes() {
        let model = Model::train(&examples());
        assert_eq!(model, Model::train(&examples()));
        assert_eq!(Model::from_bytes(&model.to_bytes()), Ok(model));
    }

    #[test]
    fn examples_of_no_intent_make_such_texts_unsure() {
        let mut with_none = examples();
        for text in
            ["what is the weather like", "win a free cruise now", "free tickets for the show, win now"]
        {
            with_none.push(Example { label: NONE, text });
        }
        let model = Model::train(&with_none);
        let found = model.predict("win a free show");
        assert!(found.iter().all(|candidate| candidate.label != NONE));
        assert!(found[0].probability < model.predict("return the shoes")[0].probability);
    }

    #[test]
    fn too_little_to_learn_from_is_an_empty_model() {
        for examples in
            [vec![], vec![Example { label: 1, text: "a" }], vec![Example { label: NONE, text: "a" }; 3]]
        {
            let (model, report) = Model::train_and_evaluate(&examples);
            assert!(model.is_empty() && model.predict("a").is_empty() && model.explain("a", 1, 3).is_empty());
            assert_eq!((report.examples, report.curve.len()), (examples.len(), 0));
            assert_eq!(Model::from_bytes(&model.to_bytes()), Ok(model));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_texts_and_no_labels_break_it(
            given in proptest::collection::vec((0_i64..5, ".{0,40}"), 0..25), text in ".{0,80}",
        ) {
            let examples: Vec<_> = given.iter().map(|(label, text)| Example { label: *label, text }).collect();
            let (model, report) = Model::train_and_evaluate(&examples);
            for candidate in model.predict(&text) {
                prop_assert!((0.0..=1.0).contains(&candidate.probability));
                prop_assert!(model.explain(&text, candidate.label, 4).iter().all(|word| word.weight.is_finite()));
            }
            prop_assert!(report.curve.iter().all(|point| point.precision <= 1.0 && point.decided <= 1.0));
            prop_assert_eq!(Model::from_bytes(&model.to_bytes()), Ok(model));
        }

        #[test]
        fn no_bytes_break_the_reading(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Model::from_bytes(&bytes);
            let _ = Model::from_bytes(&[b"FEC1".as_slice(), &bytes].concat());
        }

        #[test]
        fn a_damaged_model_is_refused_or_harmless(at in any::<proptest::sample::Index>(), bit in 0_u8..8) {
            let mut bytes = Model::train(&examples()).to_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(model) = Model::from_bytes(&bytes) {
                let _ = model.predict("return the invoice");
                let _ = model.explain("return the invoice", 1, 3);
            }
        }
    }
}
