//! Wire types of the dashboard.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    emails::dto::Email,
    rules::dto::wire_enum,
    shared::{IntentId, RuleId},
};

/// What a tenant's dashboard shows at a glance. The answer to `GET /api/stats`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Stats {
    pub emails: i64,
    pub queued: i64,
    pub accepted: i64,
    pub rejected: i64,
    pub review: i64,
    pub intents: i64,
    pub validation_rules: i64,
    pub datasources: i64,
    pub datasource_configs: i64,
}

wire_enum!(
    /// How far back the dashboard looks.
    Period { Day = "day", Week = "week", Month = "month" }
);

impl Period {
    /// How many columns its chart has, and how long each is, in seconds.
    pub fn columns(self) -> (i64, i64) {
        match self {
            Self::Day => (24, 3_600),
            Self::Week => (28, 6 * 3_600),
            Self::Month => (30, 24 * 3_600),
        }
    }

    /// As it reads after "in": `the last day`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Day => "the last 24 hours",
            Self::Week => "the last 7 days",
            Self::Month => "the last 30 days",
        }
    }
}

/// The dashboard: the counts, what happened in a period, and the latest messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub stats: Stats,
    pub period: Period,
    /// Oldest first, without gaps.
    pub columns: Vec<Column>,
    /// The busiest first.
    pub intents: Vec<IntentShare>,
    /// Those that failed most first.
    pub rules: Vec<RuleShare>,
    pub times: Times,
    pub health: Health,
    pub latest: Vec<Email>,
}

/// What came in within one step of time, and what became of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// When it begins.
    pub at: DateTime<Utc>,
    pub accepted: i64,
    pub rejected: i64,
    pub review: i64,
    pub waiting: i64,
}

impl Column {
    pub fn total(&self) -> i64 {
        self.accepted + self.rejected + self.review + self.waiting
    }
}

/// How many messages an intent got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct IntentShare {
    /// Absent for messages without an intent, and once it is deleted.
    pub intent_id: Option<IntentId>,
    /// Absent for messages without an intent.
    pub name: Option<String>,
    pub messages: i64,
    pub rejected: i64,
}

/// How often a rule said no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleShare {
    pub rule_id: RuleId,
    /// In a sentence, as in `rules::words`.
    pub demand: String,
    /// Absent once the rule is deleted, as its name.
    pub intent_id: Option<IntentId>,
    pub intent: Option<String>,
    pub asked: i64,
    pub failed: i64,
    /// How often its datasource could not be asked.
    pub errors: i64,
}

/// From a message's arrival to FlowEngine's decision, in seconds; absent where none was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Times {
    pub median: Option<f64>,
    /// 95 of 100 took less.
    pub p95: Option<f64>,
}

/// Of what went wrong, so many are counted: each is to be looked at, and more of them say no more.
pub const MOST_COUNTED: i64 = 1_000;

/// What is under way, and what went wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct Health {
    /// Messages that wait, and since when the oldest does, in seconds.
    pub waiting: i64,
    pub oldest: Option<f64>,
    pub deliveries_pending: i64,
    /// Deliveries that were given up, and could be sent again; one more than `MOST_COUNTED` stands for any number beyond.
    pub deliveries_failed: i64,
}
