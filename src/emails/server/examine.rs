//! What a message is found to be, and what follows from the verdicts on it: the same for a message that came in, a
//! dry-run and a backtest. Nothing is stored here, nothing sent, and no datasource asked.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    fields::{self, Fields},
    preview,
    repository::Stored,
};
use crate::{
    classifier::dto::percent,
    emails::dto::{Classification, ClassificationMethod, Decision, Envelope, NOTHING_FITS},
    intents::{
        dto::{Extraction, Intent},
        server::matching::{self, Hints},
    },
    rules::{
        dto::Verdict,
        server::engine::{self, Judged},
    },
    server::text::shorten,
};

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub raw: Vec<u8>,
    pub received_at: DateTime<Utc>,
    /// What its carrier said, where it came by a mailbox.
    pub envelope: Option<Envelope>,
}

impl From<Stored> for Arrival {
    fn from(stored: Stored) -> Self {
        let envelope = stored.envelope.map(|json| json.0);
        Self { raw: stored.raw, received_at: stored.received_at, envelope }
    }
}

/// A message that was read, classified and taken apart.
pub struct Examined {
    /// Those of every message, and what the intent's extractors found.
    pub fields: Fields,
    /// What lists show of its text.
    pub preview: String,
    /// Why it could not be made out, if so.
    pub error: Option<String>,
    pub intent: Option<Intent>,
    pub classification: Classification,
    pub extractions: Vec<Extraction>,
}

/// What follows from the verdicts.
pub struct Conclusion {
    pub decision: Decision,
    /// A sentence or two.
    pub explanation: String,
}

/// Reads a message and holds it against the intents, which are tried in their order.
pub async fn examine(arrival: Arrival, intents: Arc<[Intent]>, hints: Hints) -> Examined {
    let Arrival { raw, received_at, envelope } = arrival;
    let (_, mut parsed) = fields::parse_aside(raw, received_at).await;
    if let Some(envelope) = &envelope {
        parsed.fields.set_envelope(envelope);
    }
    let preview = preview::of(&parsed);
    let reading = matching::read(parsed.fields, intents, hints).await;
    Examined {
        fields: reading.fields,
        preview,
        error: parsed.error.or(reading.fault),
        intent: reading.intent,
        classification: reading.classification,
        extractions: reading.extractions,
    }
}

/// A message without intent, or one that could not be made out, is for a person.
pub fn conclude(examined: &Examined, judged: &[Judged]) -> Conclusion {
    let decision = match &examined.intent {
        None => Decision::Review,
        Some(_) if examined.error.is_some() => Decision::Review,
        Some(_) => engine::decide(judged),
    };
    Conclusion { decision, explanation: explain(examined, judged, decision) }
}

/// Why it was decided so, in a sentence or two.
fn explain(examined: &Examined, judged: &[Judged], decision: Decision) -> String {
    if let Some(error) = &examined.error {
        return format!("The message could not be read: {error}. A person should look at it.");
    }
    let Some(intent) = &examined.intent else {
        return match examined.classification.method {
            ClassificationMethod::Requested | ClassificationMethod::Corrected => {
                let why = examined.classification.because.first().map_or("", String::as_str);
                format!("No intent: {why}. A person should look at it.")
            }
            _ => match &examined.classification.suggestion {
                None => format!("{NOTHING_FITS} A person should look at it."),
                Some(found) => format!(
                    "{NOTHING_FITS} It looks like {} ({}), but {}. A person should look at it.",
                    found.intent,
                    percent(found.probability),
                    found.only_suggested.as_deref().unwrap_or("that intent is gone")
                ),
            },
        };
    };
    let deciding: Vec<&str> = judged
        .iter()
        .filter(|judged| engine::consequence(judged) == Some(decision))
        .map(|judged| judged.entry.reason.as_str())
        .collect();
    let warnings: Vec<&str> = judged
        .iter()
        .filter(|judged| {
            matches!(judged.entry.verdict, Verdict::Fail | Verdict::Error)
                && engine::consequence(judged).is_none()
        })
        .map(|judged| judged.entry.reason.as_str())
        .filter(|reason| !deciding.contains(reason))
        .collect();
    // What would have sent it to a person, where something else rejects it.
    let beside: Vec<&str> = judged
        .iter()
        .filter(|judged| engine::consequence(judged).is_some_and(|other| other != decision))
        .map(|judged| judged.entry.reason.as_str())
        .filter(|reason| !deciding.contains(reason))
        .collect();
    let passed = judged.iter().filter(|judged| judged.entry.verdict == Verdict::Pass).count();
    let skipped: Vec<&str> = judged
        .iter()
        .filter(|judged| judged.entry.verdict == Verdict::Skipped)
        .map(|judged| judged.entry.reason.as_str())
        .collect();
    let name = &intent.name;
    // Several rules may say the same of an absent field; it is said once.
    let list = |reasons: &[&str]| {
        let mut once: Vec<&str> = Vec::new();
        for reason in reasons {
            if !once.contains(reason) {
                once.push(reason);
            }
        }
        shorten(&once.join("; "), 1_000)
    };
    let mut text = match decision {
        Decision::Accepted if judged.is_empty() => format!("Accepted: {name} has no active rules."),
        Decision::Accepted if warnings.is_empty() => match (passed, judged.len()) {
            (1, 1) => format!("Accepted: the one rule of {name} passed."),
            (passed, all) if passed == all => format!("Accepted: all {all} rules of {name} passed."),
            (0, _) => format!("Accepted: no rule of {name} applies: {}.", list(&skipped)),
            (passed, all) => format!(
                "Accepted: {passed} of {all} rules of {name} passed, and no other applies: {}.",
                list(&skipped)
            ),
        },
        Decision::Accepted => format!("Accepted: no rule of {name} speaks against it."),
        Decision::Rejected => format!("Rejected: {}.", list(&deciding)),
        Decision::Review => format!("For review: {}.", list(&deciding)),
    };
    if !beside.is_empty() {
        text.push_str(&format!(" Besides: {}.", list(&beside)));
    }
    if !warnings.is_empty() {
        text.push_str(&format!(" Worth noting: {}.", list(&warnings)));
    }
    text
}
