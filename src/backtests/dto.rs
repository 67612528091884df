//! Wire types of backtests.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    emails::dto::{Decision, EmailIntent},
    intents::dto::IntentInput,
    rules::dto::{RuleInput, RuleType, Verdict, wire_enum},
    shared::{BacktestId, EmailId, IntentId, MAX_LIMIT, TenantId},
};

/// How many messages a backtest can run over.
pub const MAX_MESSAGES: i64 = 1_000;
// The screen asks once for all of one outcome.
const _: () = assert!(MAX_MESSAGES <= MAX_LIMIT);

wire_enum!(
    /// How far a backtest has come.
    BacktestStatus { Queued = "queued", Running = "running", Done = "done", Failed = "failed" }
);

wire_enum!(
    /// What came of one message of it.
    BacktestOutcome {
        /// It would get the same intent, decision, verdicts and fields.
        Same = "same",
        /// It would get another intent or another decision by the draft.
        Changed = "changed",
        /// It would get the same intent and decision, and other verdicts by the draft.
        Judged = "judged",
        /// It would get the same intent, decision and verdicts, and other fields by the draft.
        Extracted = "extracted",
        /// It would get another intent or decision, and the same one without the draft: what datasources hold, or what was
        /// saved since the message was decided, makes the difference.
        Drifted = "drifted",
        /// A person decided it, which no draft is measured by.
        Skipped = "skipped",
        /// It could not be compared: a datasource could not be asked, or the run failed.
        Error = "error",
    }
);

/// The body of `POST /api/backtests`: a draft, as in a dry-run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ssr", schema(examples(json!({"intent_id": 1, "last": 100}))))]
pub struct BacktestInput {
    /// The draft's intent; left out, the one of `intent_id` as it is saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<IntentInput>,
    /// The saved intent whose place the draft takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_id: Option<IntentId>,
    /// The draft's rules; left out, those of `intent_id` as they are saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(max_items = 200))]
    pub validation_rules: Option<Vec<RuleInput>>,
    /// How many of the latest decided messages it runs over: 1 to 1,000.
    #[cfg_attr(feature = "ssr", schema(minimum = 1, maximum = 1000))]
    pub last: i64,
}

/// A draft over stored messages, and what came of it so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Backtest {
    pub backtest_id: BacktestId,
    pub tenant_id: TenantId,
    pub status: BacktestStatus,
    /// The draft's intent. Without an id where it takes no saved intent's place.
    pub intent: EmailIntent,
    /// The state of all other intents that the messages are held against.
    pub configuration_revision: i64,
    /// How many messages it runs over.
    pub total: i64,
    /// How many were run, or skipped.
    pub done: i64,
    /// How many would get another intent or another decision by the draft.
    pub changed: i64,
    /// How many of the changed would get another decision.
    pub decided_otherwise: i64,
    /// How many beside those would keep their decision, and get another intent or other verdicts by the draft.
    pub judged_otherwise: i64,
    /// How many beside those would keep their verdicts too, and get other fields by the draft.
    pub extracted_otherwise: i64,
    /// How many would get another intent or another decision without the draft too.
    pub drifted: i64,
    /// How many were decided by a person, and so were not compared.
    pub skipped: i64,
    /// How many could not be compared: a datasource could not be asked, or the run failed.
    pub errors: i64,
    /// Why it failed, if so.
    pub note: Option<String>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub finished_at: Option<DateTime<Utc>>,
}

/// One message of a backtest, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BacktestChange {
    pub email_id: EmailId,
    pub subject: String,
    pub sender_email: String,
    pub received_at: DateTime<Utc>,
    pub outcome: BacktestOutcome,
    pub before: Before,
    /// Absent where it was not run.
    pub after: Option<After>,
    /// The rules whose verdict is another one.
    pub verdict_differences: Vec<VerdictDifference>,
    /// The fields in which the intent's extractors find something else, by name; none where it is another intent.
    pub field_differences: Vec<FieldDifference>,
}

/// How the message stood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Before {
    pub intent: Option<EmailIntent>,
    pub decision: Option<Decision>,
}

/// What it would come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct After {
    /// Without an id where the draft takes no saved intent's place.
    pub intent: Option<EmailIntent>,
    pub decision: Decision,
    pub explanation: String,
}

/// A rule that says something else. Rules are told apart by type, field and datasource; of several that are alike,
/// the first is held against the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct VerdictDifference {
    pub rule_type: RuleType,
    pub field_name: String,
    pub datasource: Option<String>,
    /// What the draft's rule demands, in a sentence; what the rule demanded then, where the draft has none.
    #[serde(default)]
    #[cfg_attr(feature = "ssr", schema(required = true))]
    pub demand: String,
    /// Absent where the rule was not run then.
    pub before: Option<Said>,
    /// Absent where the rule is no longer run.
    pub after: Option<Said>,
}

/// A field in which extractors find something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FieldDifference {
    pub field_name: String,
    /// Cut at 200 characters, as the other; absent where nothing was found then.
    pub before: Option<String>,
    /// Absent where nothing is found any more.
    pub after: Option<String>,
}

/// What a rule said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Said {
    pub verdict: Verdict,
    /// A sentence.
    pub reason: String,
}
