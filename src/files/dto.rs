//! Wire types of files.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::rules::dto::wire_enum;

/// A file of the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TenantFile {
    /// Within the tenant's folder, such as `customers.csv`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub modified_at: Option<DateTime<Utc>>,
    /// Names of the configs that lead to it.
    pub used_by: Vec<String>,
    /// Why no look-up can read it, if so. Told where it was just stored: to list files, none is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ssr", schema(nullable = false))]
    pub unreadable: Option<String>,
}

/// What is in a file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FileLook {
    pub path: String,
    pub tables: Vec<FileTable>,
    /// A sentence on what is not shown: further tables of a database, other sheets of a workbook.
    pub note: Option<String>,
    /// Why it cannot be read, if so.
    pub message: Option<String>,
}

/// A table in a file: `data`, or one of a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileTable {
    pub name: String,
    pub columns: Vec<String>,
    /// The first rows.
    pub rows: Vec<serde_json::Map<String, serde_json::Value>>,
    pub row_count: u64,
}

/// How the names of files end that a look-up can read: with a text before the first, and one between.
macro_rules! endings {
    ($before:literal, $between:literal) => {
        concat!(
            $before, "csv", $between, "tsv", $between, "txt", $between, "xlsx", $between, "xlsm", $between,
            "json", $between, "jsonl", $between, "ndjson", $between, "sqlite", $between, "sqlite3", $between,
            "db", $between, "geojson"
        )
    };
}

/// How the names of files end that a look-up can read, for people.
pub const ENDINGS: &str = endings!("", ", ");
/// The same, as a field for files has it (`accept`).
pub const ACCEPTED: &str = endings!(".", ",.");

wire_enum!(
    /// Why a file that a form sent was not stored, as the page's address says it.
    Refusal {
        SignedOut = "signed_out",
        Forbidden = "forbidden",
        Kind = "kind",
        TooLarge = "too_large",
        TooMany = "too_many",
        Busy = "busy",
        BrokeOff = "broke_off",
    }
);

impl Refusal {
    /// A sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::SignedOut => "Your session has ended, so the file was not stored.",
            Self::Forbidden => "This needs the role editor, so the file was not stored.",
            Self::Kind => concat!(
                "The file was not stored: its name must be a plain one, end in one of ",
                endings!("", ", "),
                ", and fit what the file holds."
            ),
            Self::TooLarge => "The file was not stored: it is larger than is left for this tenant.",
            Self::TooMany => {
                "The file was not stored: this tenant has as many files and folders as it may. Delete some first."
            }
            Self::Busy => {
                "The file was not stored: others of this tenant are still coming in. Try again when they are there."
            }
            Self::BrokeOff => "The file was not stored: it did not arrive whole. Try again.",
        }
    }
}
