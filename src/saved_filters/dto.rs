//! Wire types of saved filters.

use serde::{Deserialize, Serialize};

use crate::shared::FilterId;

/// A view of the messages with a name: a person's own, or everyone's of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct SavedFilter {
    pub filter_id: FilterId,
    /// Of those that are shared, each name stands once.
    pub name: String,
    /// The query of the page's address, with its question mark: `?decision=review`.
    pub query: String,
    /// Whether everyone of the tenant has it.
    #[serde(default)]
    pub is_shared: bool,
    /// Whether the caller may replace and delete it: who saved it may, and of what is shared administrators, too.
    #[serde(default)]
    pub may_change: bool,
    /// Whether the caller saved it: another's stays theirs, whoever replaces it, and cannot be put back once it is deleted.
    #[serde(default)]
    pub is_mine: bool,
}
