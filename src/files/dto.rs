//! Wire types of files.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A file of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantFile {
    /// Within the tenant's folder, such as `customers.csv`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub modified_at: Option<DateTime<Utc>>,
    /// Names of the configs that lead to it.
    pub used_by: Vec<String>,
}
