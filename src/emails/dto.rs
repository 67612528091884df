//! Wire types of messages.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    classifier::dto::Suggestion,
    deliveries::dto::Delivery,
    rules::dto::{OnFail, RuleType, Verdict, wire_enum},
    shared::{EmailId, IntentId, RuleId, TenantId},
};

wire_enum!(
    /// How far a message has come.
    EmailStatus { Queued = "queued", Processing = "processing", Done = "done" }
);

wire_enum!(
    /// What the verdicts together say.
    Decision { Accepted = "accepted", Rejected = "rejected", Review = "review" }
);

/// A message as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Email {
    pub email_id: EmailId,
    pub tenant_id: TenantId,
    pub message_id: String,
    pub sender_email: String,
    pub sender_name: String,
    pub recipient_email: String,
    pub subject: String,
    pub received_at: DateTime<Utc>,
    pub status: EmailStatus,
    pub intent: Option<EmailIntent>,
    pub decision: Option<Decision>,
    /// One or two sentences: why it was decided so, or what it waits for.
    pub explanation: String,
    /// Why it could not be read as a message, if so. The bytes are kept all the same.
    pub parse_error: Option<String>,
    /// What its routes labelled it with, by name.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// The intent that a message got. The id is absent once the intent is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailIntent {
    pub intent_id: Option<IntentId>,
    pub name: String,
}

/// A message with all that happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailDetail {
    #[serde(flatten)]
    pub email: Email,
    /// Every field that a rule or template can name, with its value; `body` is cut for show at 64 KiB.
    pub fields: serde_json::Map<String, serde_json::Value>,
    /// Why this intent: the condition, and what else was considered.
    pub classification: Option<Classification>,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    /// How often it was decided. Verdicts are those of the last run.
    pub run: i32,
    pub verdicts: Vec<VerdictEntry>,
    /// What its routes did, the oldest first.
    pub deliveries: Vec<Delivery>,
}

/// What one rule said, and on what grounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictEntry {
    pub rule_id: RuleId,
    pub rule_type: RuleType,
    pub field_name: String,
    pub datasource: Option<String>,
    pub on_fail: OnFail,
    pub verdict: Verdict,
    /// A sentence.
    pub reason: String,
    pub evidence: Evidence,
    pub duration_ms: f64,
}

/// The grounds of a verdict. Secrets never get here: a look-up is recorded before they are added to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The rendered look-up, such as `{"query": "SELECT …", "params": ["…"]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<serde_json::Value>,
    /// The columns in the order in which the datasource gave them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The first rows, at most 10, long values cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Vec<serde_json::Map<String, serde_json::Value>>>,
    /// How many rows the look-up gave, up to the row limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_count: Option<usize>,
    /// Whether there were more rows than the limit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compared: Option<Compared>,
    /// What the datasource said, where it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The two sides of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was looked at: a column, or a field of the message.
    pub left: String,
    pub actual: serde_json::Value,
    /// The expected value, or the pattern.
    pub expected: serde_json::Value,
}

/// How a message came to its intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    pub method: ClassificationMethod,
    /// The intent's name, if there is one.
    pub intent: Option<String>,
    /// The conditions that held.
    #[serde(default)]
    pub because: Vec<String>,
    /// Intents that were tried before or after, and what kept them out.
    #[serde(default)]
    pub considered: Vec<Considered>,
    /// What the tenant's classifier took it for, where no conditions held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassificationMethod {
    /// The sender of the request named it.
    Requested,
    /// Its match conditions held.
    Match,
    /// No conditions held; it reads like the intent's examples.
    Classifier,
    /// A person said so.
    Corrected,
    /// No intent was found.
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    pub intent: String,
    pub why_not: String,
}

/// The answer to `POST /api/emails` (202): the message is on disk.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Received {
    pub email_id: EmailId,
    pub status: EmailStatus,
    /// Whether the same message had come before; then this is the first one's id.
    pub duplicate: bool,
}

/// What a list of messages is narrowed to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EmailFilter {
    #[serde(default)]
    pub decision: Option<Decision>,
    #[serde(default)]
    pub status: Option<EmailStatus>,
    #[serde(default)]
    pub intent_id: Option<IntentId>,
    #[serde(default)]
    pub label: Option<String>,
    /// Words to be found in sender, recipient or subject.
    #[serde(default)]
    pub q: Option<String>,
}

/// The body of `POST /api/emails/{email_id}/decision`: a person's word.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionInput {
    pub decision: Decision,
    #[serde(default)]
    pub note: String,
}
