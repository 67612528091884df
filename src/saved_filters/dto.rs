//! Wire types of saved filters.

use serde::{Deserialize, Serialize};

use crate::shared::FilterId;

/// A view of the messages with a name. Each person has their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::FromRow))]
pub struct SavedFilter {
    pub filter_id: FilterId,
    pub name: String,
    /// The query of the page's address, with its question mark: `?decision=review`.
    pub query: String,
}
