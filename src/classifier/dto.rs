//! Wire types of examples and of what the classifier says.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use crate::{
    rules::dto::wire_enum,
    shared::{EmailId, ExampleId, IntentId, TenantId},
};

wire_enum!(
    #[cfg_attr(feature = "ssr", schema(as = ExampleOrigin))]
    /// Where an example comes from: somebody wrote it, or corrected a message.
    Origin { Example = "example", Correction = "correction" }
);

/// The longest text of an example, in characters.
pub const MAX_TEXT: usize = 20_000;

/// A text that shows what a message of the intent is like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Example {
    pub example_id: ExampleId,
    pub tenant_id: TenantId,
    pub intent_id: Option<IntentId>,
    pub text: String,
    pub origin: Origin,
    /// The message that was corrected.
    pub email_id: Option<EmailId>,
    pub created_at: DateTime<Utc>,
}

/// The body of `POST /api/intents/{intent_id}/examples` and of `POST /api/classifier/test`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"text": "Where is my order? It should have come last week."}))))]
pub struct TextInput {
    #[cfg_attr(feature = "ssr", schema(min_length = 1, max_length = 20000))]
    pub text: String,
}

/// The body of `POST /api/emails/{email_id}/intent`: a person's word. `null` says that it belongs to no intent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"intent_id": 1}))))]
pub struct CorrectionInput {
    // With a function of its own a missing member is an error, and not the same as `null`.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub intent_id: Option<IntentId>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IntentId>, D::Error> {
    Option::deserialize(deserializer)
}

/// The body of `PUT /api/classifier`. What is only read may stand in it, and is ignored.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"gate": 0.9}))))]
pub struct GateInput {
    /// The share of answers that must be right before the classifier may give an intent. 0.5 to 1.
    #[cfg_attr(feature = "ssr", schema(minimum = 0.5, maximum = 1))]
    pub gate: f64,
    #[serde(default, skip_serializing)]
    pub state: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub suggests_only: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub why: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub threshold: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub examples: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub trained_at: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub trained_on: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub accuracy: IgnoredAny,
    #[serde(default, skip_serializing)]
    pub curve: IgnoredAny,
}

wire_enum!(
    #[cfg_attr(feature = "ssr", schema(as = ClassifierState))]
    /// How far the classifier has come.
    State {
        /// The examples do not suffice for a model.
        None = "none",
        /// The examples have changed; a model of them comes soon. Until then the one before speaks.
        Training = "training",
        Ready = "ready",
    }
);

/// The answer to `GET /api/classifier`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Classifier {
    pub state: State,
    pub gate: f64,
    /// Whether it does not give intents, but only says what it would give.
    pub suggests_only: bool,
    /// Why it does or does not, in a sentence or two.
    pub why: String,
    /// The probability from which on it gives the intent. 0 to 1; absent while it only suggests.
    pub threshold: Option<f64>,
    pub examples: Vec<IntentExamples>,
    pub trained_at: Option<DateTime<Utc>>,
    /// How many examples the model was trained on: of very many, or long ones, those that somebody wrote and the newest.
    pub trained_on: usize,
    /// The share of unseen examples that got their intent, without a threshold. 0 to 1.
    pub accuracy: Option<f64>,
    /// What answering only above a threshold would come to, cross-validated, by ascending threshold.
    pub curve: Vec<CurvePoint>,
}

/// How many examples there are of an intent; without one, of messages that belong to none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct IntentExamples {
    pub intent_id: Option<IntentId>,
    pub name: Option<String>,
    pub count: i64,
}

/// All are 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CurvePoint {
    pub threshold: f64,
    /// The share of examples that would be answered.
    pub decided: f64,
    /// The share of answers that would be right.
    pub precision: f64,
}

/// The answer to `POST /api/classifier/test`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TestAnswer {
    /// Absent where the classifier says nothing.
    pub suggestion: Option<Suggestion>,
    /// In a sentence.
    pub explanation: String,
}

/// What the classifier takes a message for, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Suggestion {
    pub intent_id: IntentId,
    pub intent: String,
    /// How often such an answer is right, measured on examples that the model had not seen. 0 to 1.
    pub probability: f64,
    /// From which probability on the intent is given. 0 to 1; absent while the classifier only suggests.
    pub threshold: Option<f64>,
    /// Why the message did not get the intent, if so: the end of a sentence.
    pub only_suggested: Option<String>,
    /// The words that speak most for the intent, heaviest first.
    pub words: Vec<WeightedWord>,
    /// The intents that came next, surest first.
    pub runners_up: Vec<RunnerUp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct WeightedWord {
    pub word: String,
    /// What it adds to the intent's score.
    pub weight: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunnerUp {
    pub intent: String,
    /// 0 to 1.
    pub probability: f64,
}

/// A share as people read it, never rounded up to a certainty: `87 %`.
pub fn percent(share: f64) -> String {
    let rounded = (share * 100.0).round();
    let shown = if share < 1.0 { rounded.min(99.0) } else { rounded };
    format!("{shown:.0} %")
}
