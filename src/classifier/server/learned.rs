//! A tenant's trained model as processing uses it, and the bounded store that keeps the models in use.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    gate::{self, Standing},
    repository::Version,
};
use crate::{
    classifier::{
        dto::{RunnerUp, Suggestion, WeightedWord, percent},
        model::{Model, Report},
    },
    emails::{
        dto::{Classification, ClassificationMethod},
        server::fields::Fields,
    },
    intents::dto::Intent,
    shared::TenantId,
};

/// Below this probability the classifier says nothing: a guess that is more often wrong than right misleads.
const SUGGEST_FROM: f64 = 0.5;
/// How many words are named.
const WORDS: usize = 6;
/// How many runners-up are named.
const RUNNERS_UP: usize = 3;
/// What the kept models may take together, in bytes of their stored form.
const KEPT_BYTES: usize = 128 << 20;

/// A model, and what it may do.
#[derive(Clone, Debug)]
pub struct Learned {
    pub model: Arc<Model>,
    pub standing: Standing,
}

impl Learned {
    pub fn new(model: Arc<Model>, report: &Report, gate: f64) -> Self {
        Self { model, standing: gate::standing(report, gate) }
    }

    /// What it takes the text for, among the active intents; `None` where it is not sure enough to say so.
    pub fn suggest(&self, intents: &[Intent], text: &str) -> Option<Suggestion> {
        let candidates = self.model.predict(text);
        let active = |label: i64| intents.iter().find(|intent| intent.intent_id.0 == label);
        let best = candidates.first().filter(|best| best.probability >= SUGGEST_FROM)?;
        let intent = active(best.label)?;
        let threshold = self.standing.point.map(|point| point.threshold);
        let only_suggested = match threshold {
            None => self.standing.until.clone(),
            Some(threshold) if best.probability < threshold => {
                Some(format!("the classifier gives an intent only from {} on", percent(threshold)))
            }
            Some(_) => None,
        };
        Some(Suggestion {
            intent_id: intent.intent_id,
            intent: intent.name.clone(),
            probability: best.probability,
            threshold,
            only_suggested,
            words: self
                .model
                .explain(text, best.label, WORDS)
                .into_iter()
                .map(|word| WeightedWord { word: word.word, weight: word.weight })
                .collect(),
            runners_up: candidates
                .iter()
                .skip(1)
                .filter_map(|next| Some((active(next.label)?, next.probability)))
                .take(RUNNERS_UP)
                .map(|(intent, probability)| RunnerUp { intent: intent.name.clone(), probability })
                .collect(),
        })
    }

    /// Where no conditions held: the intent, if the classifier may give it, and its word in the classification.
    pub fn classify<'i>(
        &self,
        intents: &'i [Intent],
        fields: &Fields,
        classification: &mut Classification,
    ) -> Option<&'i Intent> {
        if classification.method != ClassificationMethod::None {
            return None;
        }
        let suggestion = self.suggest(intents, &text_of(|name| fields.get(name)))?;
        let given = suggestion.only_suggested.is_none();
        let intent = intents.iter().find(|intent| given && intent.intent_id == suggestion.intent_id);
        if let Some(intent) = intent {
            classification.method = ClassificationMethod::Classifier;
            classification.intent = Some(intent.name.clone());
            classification.because =
                vec![format!("it reads like its examples ({} sure)", percent(suggestion.probability))];
        }
        classification.suggestion = Some(suggestion);
        intent
    }
}

/// What is learned from and judged of a message, by its fields: what it says, and not who says it, nor what others said whom
/// it quotes. Where nothing in it is new, or it was stored before that was told apart, it is the whole body.
pub fn text_of<'f>(field: impl Fn(&str) -> Option<&'f str>) -> String {
    let part = |name: &str| field(name).map(str::trim).filter(|text| !text.is_empty());
    let subject = part("subject").unwrap_or_default();
    let said = part("new_text").or_else(|| part("body")).unwrap_or_default();
    let text = format!("{subject}\n{said}").replace('\0', "\u{fffd}");
    text.trim().chars().take(crate::classifier::dto::MAX_TEXT).collect()
}

/// The models in use, the latest last. A model of another version is never given.
#[derive(Debug, Default)]
pub struct Models(Mutex<Vec<Kept>>);

#[derive(Debug)]
struct Kept {
    tenant: TenantId,
    version: Version,
    bytes: usize,
    model: Arc<Model>,
    used_at: Instant,
}

impl Models {
    pub fn get(&self, tenant: &TenantId, version: Version) -> Option<Arc<Model>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|one| one.tenant == *tenant && one.version == version)?;
        let mut one = kept.remove(place);
        one.used_at = Instant::now();
        let model = Arc::clone(&one.model);
        kept.push(one);
        Some(model)
    }

    /// `bytes` is the size of the stored form. The models that were not used for longest go.
    pub fn keep(&self, tenant: &TenantId, version: Version, bytes: usize, model: Arc<Model>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.tenant != *tenant);
        kept.push(Kept { tenant: tenant.clone(), version, bytes, model, used_at: Instant::now() });
        while kept.len() > 1 && kept.iter().map(|one| one.bytes).sum::<usize>() > KEPT_BYTES {
            kept.remove(0);
        }
    }

    /// Forgets what was not used for so long, as of a tenant that is gone.
    pub fn drop_unused(&self, time: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.used_at.elapsed() < time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_models_that_are_used_stay_and_another_version_is_not_given() {
        let models = Models::default();
        let id = |text: &str| -> TenantId { text.parse().expect("a slug") };
        let model = || Arc::new(Model::default());
        let of = |revision| Version { revision, trained_at: chrono::DateTime::UNIX_EPOCH };
        models.keep(&id("a"), of(1), KEPT_BYTES / 2, model());
        models.keep(&id("b"), of(1), KEPT_BYTES / 2, model());
        assert!(models.get(&id("a"), of(1)).is_some() && models.get(&id("a"), of(2)).is_none());
        let later = Version { trained_at: chrono::DateTime::UNIX_EPOCH + Duration::from_micros(1), ..of(1) };
        assert!(models.get(&id("a"), later).is_none(), "it is of a tenant that is gone");
        models.keep(&id("c"), of(1), KEPT_BYTES / 2, model());
        assert!(models.get(&id("b"), of(1)).is_none(), "it was not used for longest");
        assert!(models.get(&id("a"), of(1)).is_some() && models.get(&id("c"), of(1)).is_some());
        models.keep(&id("a"), of(2), KEPT_BYTES * 2, model());
        assert!(models.get(&id("a"), of(2)).is_some() && models.get(&id("c"), of(1)).is_none());
        models.drop_unused(Duration::from_secs(60));
        assert!(models.get(&id("a"), of(2)).is_some());
        models.drop_unused(Duration::ZERO);
        assert!(models.get(&id("a"), of(2)).is_none());
    }

    #[test]
    fn a_text_is_what_the_message_says_cut_at_the_limit() {
        fn of(fields: &[(&str, &str)]) -> String {
            text_of(|name| fields.iter().find(|field| field.0 == name).map(|field| field.1))
        }
        assert_eq!(of(&[("subject", " Hello "), ("body", "\0 world ")]), "Hello\n\u{fffd} world");
        assert_eq!(of(&[("subject", ""), ("body", " ")]), "");
        assert_eq!(of(&[]), "");
        let long = "é".repeat(30_000);
        let cut = of(&[("subject", "x"), ("body", long.as_str())]);
        assert_eq!(cut.chars().count(), crate::classifier::dto::MAX_TEXT);
        // Of an answer, what is new; where nothing is, all of it.
        for (new, read) in [("Yes.", "Hello\nYes."), (" \n", "Hello\nYes.\n> 1042")] {
            let fields = [("subject", "Hello"), ("body", "Yes.\n> 1042"), ("new_text", new)];
            assert_eq!(of(&fields), read);
        }
    }
}
