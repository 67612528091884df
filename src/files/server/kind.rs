//! What a file holds. Look-ups go by its name: bytes of another kind would fail each of them.

use crate::{files::dto, shared::Problem};

/// What files hold whose names end so (`dto::ENDINGS`).
const KINDS: [(&str, Kind); 12] = [
    ("csv", Kind::Text),
    ("tsv", Kind::Text),
    ("txt", Kind::Text),
    ("xlsx", Kind::Workbook),
    ("xlsm", Kind::Workbook),
    ("json", Kind::Text),
    ("jsonl", Kind::Text),
    ("ndjson", Kind::Text),
    ("sqlite", Kind::Database),
    ("sqlite3", Kind::Database),
    ("db", Kind::Database),
    ("geojson", Kind::Text),
];

/// How a workbook begins, and any other ZIP archive that holds something (APPNOTE.TXT, section 4.3.7).
const ARCHIVE: &[u8] = b"PK\x03\x04";
/// How a SQLite database begins (sqlite.org/fileformat.html, section 1.3.1).
const DATABASE: &[u8] = b"SQLite format 3\0";
/// As much of a file as tells its kind: bytes.
pub const BEGINNING: u64 = 16;

/// A kind of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Workbook,
    Database,
}

impl Kind {
    /// Of a file whose name ends so, in lower case.
    ///
    /// # Errors
    /// 422 for one that no look-up reads.
    pub fn of(ending: &str) -> Result<Self, Problem> {
        let known = KINDS.iter().find(|(known, _)| *known == ending);
        known
            .map(|(_, kind)| *kind)
            .ok_or_else(|| Problem::invalid_field("path", format!("must end in one of: {}", dto::ENDINGS)))
    }

    /// Checks that a file which begins so is of this kind.
    ///
    /// # Errors
    /// 422 for one of another kind, or without a byte.
    pub fn check(self, beginning: &[u8]) -> Result<(), Problem> {
        let fault = match Self::held(beginning) {
            _ if beginning.is_empty() => "is empty: there is nothing to look up in it",
            held if held == self => return Ok(()),
            Self::Workbook => {
                "holds an Excel workbook or another archive: give a workbook a name that ends in .xlsx"
            }
            Self::Database => "holds a SQLite database: give it a name that ends in .sqlite",
            Self::Text => "is a workbook or a database by its name, and holds neither",
        };
        Err(Problem::invalid_field("path", fault))
    }

    fn held(beginning: &[u8]) -> Self {
        if beginning.starts_with(ARCHIVE) {
            Self::Workbook
        } else if beginning.starts_with(DATABASE) {
            Self::Database
        } else {
            Self::Text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_told_of_all_endings() {
        let endings = KINDS.map(|(ending, _)| ending);
        assert_eq!(endings.join(", "), dto::ENDINGS);
        assert_eq!(endings.map(|ending| format!(".{ending}")).join(","), dto::ACCEPTED);
        assert!(dto::Refusal::Kind.words().contains(dto::ENDINGS));
    }
}
