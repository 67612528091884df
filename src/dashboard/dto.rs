//! Wire types of the dashboard.

use serde::{Deserialize, Serialize};

use crate::emails::dto::Email;

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

/// The dashboard: the counts, and the latest messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dashboard {
    pub stats: Stats,
    pub latest: Vec<Email>,
}
