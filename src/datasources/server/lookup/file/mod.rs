//! Files: loaded once into an in-memory SQLite as the table `data`, indexed on what is matched, loaded again when
//! the file changes.

mod csv;
mod json;
mod xlsx;

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use rusqlite::{Connection, params_from_iter};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

use super::{Cause, Limits, LookupError, Request, Rows, TenantFile, sqlite};
use crate::datasources::server::connection::{FileEndpoint, FileFormat};

/// A file is loaded whole, so it must fit: bytes.
const MAX_FILE: u64 = 256 << 20;
/// Loaded files together, by the size of the files: what was used longest ago is dropped first.
const MAX_LOADED: u64 = 512 << 20;
/// Files that are loaded at once.
const LOADING: usize = 2;

/// The loaded files.
pub struct Tables {
    slots: Mutex<HashMap<Key, Arc<Slot>>>,
    loading: Arc<Semaphore>,
}

/// The same file, read in another way, is another table.
type Key = (PathBuf, Option<String>, Option<String>);

struct Slot {
    table: Arc<AsyncMutex<Option<Table>>>,
    /// Size of the file, and when it was last asked.
    usage: Mutex<(u64, Instant)>,
}

/// One loaded file.
struct Table {
    stamp: Stamp,
    columns: Vec<String>,
    indexed: HashSet<String>,
    conn: Connection,
}

/// What tells a changed file from the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// What a parser makes of a file.
struct Sheet {
    columns: Vec<String>,
    kinds: Vec<Kind>,
    rows: Box<dyn Iterator<Item = Vec<Cell>> + Send>,
}

#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Cell {
    fn text(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.to_owned()) }
    }

    /// A spreadsheet knows only floating point; a whole number is meant as one.
    fn number(real: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "within the range in which f64 is exact")]
        if real.fract() == 0.0 && real.abs() < 9e15 { Self::Integer(real as i64) } else { Self::Real(real) }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Null | Self::Text(_) => Kind::Text,
            Self::Integer(_) => Kind::Integer,
            Self::Real(_) => Kind::Real,
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Integer(integer) => integer.to_string(),
            Self::Real(real) => real.to_string(),
            Self::Text(text) => text,
        }
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::types::Null.to_sql(),
            Self::Integer(integer) => integer.to_sql(),
            Self::Real(real) => real.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}

/// What a column holds. A number that would not read back as it was written (`007`) is text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Integer,
    Real,
    Text,
    /// Each value has its own type.
    AsIs,
}

impl Kind {
    /// The column's declared type (sqlite.org/datatype3.html, section 3.1).
    fn affinity(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
            Self::AsIs => "BLOB",
        }
    }

    fn of(cell: &str) -> Self {
        if cell.parse::<i64>().is_ok_and(|n| n.to_string() == cell) {
            return Self::Integer;
        }
        let plain = cell.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        let digits = cell.trim_start_matches('-');
        let leading_zero = digits.starts_with('0') && !digits.starts_with("0.");
        if plain && !leading_zero && cell.parse::<f64>().is_ok() { Self::Real } else { Self::Text }
    }

    /// What holds both.
    fn join(old: Option<Self>, new: Self) -> Self {
        match (old, new) {
            (None, new) => new,
            (Some(old), new) if old == new => old,
            (Some(Self::Integer | Self::Real), Self::Integer | Self::Real) => Self::Real,
            _ => Self::Text,
        }
    }
}

impl Default for Tables {
    fn default() -> Self {
        Self { slots: Mutex::default(), loading: Arc::new(Semaphore::new(LOADING)) }
    }
}

impl Tables {
    /// Whoever is not patient enough for a large file to be loaded finds it loaded the next time: the loading
    /// goes on without him.
    pub async fn ask(
        &self,
        file: TenantFile,
        endpoint: &FileEndpoint,
        request: &Request,
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let metadata = file.handle.metadata().map_err(unreadable)?;
        let stamp = Stamp {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        };
        if stamp.length > MAX_FILE {
            return Err(LookupError::new(
                Cause::TooLarge,
                format!("the file is larger than {} MiB", MAX_FILE >> 20),
            ));
        }
        let slot = self.slot(&file, endpoint, stamp.length);
        let (loading, endpoint, request, limits) =
            (Arc::clone(&self.loading), endpoint.clone(), request.clone(), limits.clone());
        let asked = tokio::spawn(async move {
            let mut table = Arc::clone(&slot.table).lock_owned().await;
            let is_loaded = table.as_ref().is_some_and(|table| table.stamp == stamp);
            let _permit = if is_loaded { None } else { loading.acquire_owned().await.ok() };
            tokio::task::spawn_blocking(move || {
                if table.as_ref().is_none_or(|table| table.stamp != stamp) {
                    *table = None;
                    *table = Some(load(file, &endpoint, stamp)?);
                }
                match table.as_mut() {
                    Some(table) => table.ask(&request, &limits),
                    None => Err(LookupError::new(Cause::Busy, "the file is being loaded")),
                }
            })
            .await
        });
        match asked.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(LookupError::new(Cause::Answer, "the file's loading broke off")),
        }
    }

    fn slot(&self, file: &TenantFile, endpoint: &FileEndpoint, length: u64) -> Arc<Slot> {
        let key =
            (file.path.clone(), endpoint.sheet.clone(), endpoint.rows.as_ref().map(ToString::to_string));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(key.clone()).or_insert_with(|| {
            Arc::new(Slot { table: Arc::default(), usage: Mutex::new((length, Instant::now())) })
        });
        let slot = Arc::clone(slot);
        *slot.usage.lock().unwrap_or_else(PoisonError::into_inner) = (length, Instant::now());
        let usage = |slot: &Slot| *slot.usage.lock().unwrap_or_else(PoisonError::into_inner);
        while slots.len() > 1 && slots.values().map(|slot| usage(slot).0).sum::<u64>() > MAX_LOADED {
            let oldest =
                slots.iter().filter(|(other, _)| **other != key).min_by_key(|(_, slot)| usage(slot).1);
            match oldest.map(|(key, _)| key.clone()) {
                Some(oldest) => slots.remove(&oldest),
                None => break,
            };
        }
        slot
    }
}

impl Table {
    fn ask(&mut self, request: &Request, limits: &Limits) -> Result<Rows, LookupError> {
        match request {
            Request::Match { columns } => self.find(columns, limits),
            Request::Sql { query, params } => sqlite::run(&self.conn, query, params, limits),
            Request::Api { .. } => Err(LookupError::new(Cause::Rule, "a file is not asked by HTTP")),
        }
    }

    fn find(&mut self, wanted: &[(String, Value)], limits: &Limits) -> Result<Rows, LookupError> {
        let mut conditions = Vec::new();
        let mut params = Vec::new();
        for (name, value) in wanted {
            let column = self.columns.iter().find(|column| *column == name).ok_or_else(|| {
                LookupError::new(
                    Cause::Refused,
                    format!("the file has no column {name}; it has {}", self.columns.join(", ")),
                )
            })?;
            if self.indexed.insert(column.clone()) {
                let index = format!(
                    "CREATE INDEX IF NOT EXISTS {} ON data ({})",
                    quoted(&format!("by {column}")),
                    quoted(column)
                );
                sqlite::unfence(&self.conn);
                self.conn.execute_batch(&index).map_err(|error| internal(&error))?;
            }
            conditions.push(format!("{} = ?", quoted(column)));
            params.push(value.clone());
        }
        let sql = format!("SELECT * FROM data WHERE {}", conditions.join(" AND "));
        sqlite::run(&self.conn, &sql, &params, limits)
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn internal(error: &rusqlite::Error) -> LookupError {
    LookupError::new(Cause::File, format!("the file cannot be loaded: {error}"))
}

fn unreadable(error: std::io::Error) -> LookupError {
    LookupError::new(Cause::File, format!("the file cannot be read: {error}"))
}

/// The largest offset within `max` bytes at which a character begins.
fn cut_at(text: &str, max: usize) -> usize {
    text.floor_char_boundary(max)
}

fn load(mut file: TenantFile, endpoint: &FileEndpoint, stamp: Stamp) -> Result<Table, LookupError> {
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length).unwrap_or_default());
    file.handle.by_ref().take(MAX_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    let sheet = match endpoint.format {
        FileFormat::Csv => csv::parse(&bytes)?,
        FileFormat::Xlsx => xlsx::parse(bytes, endpoint.sheet.as_deref())?,
        FileFormat::Json => json::parse(&bytes, endpoint.rows.as_ref())?,
        FileFormat::JsonLines => json::parse_lines(&bytes)?,
    };
    let columns = sheet.columns;
    check_columns(&columns)?;
    let conn = Connection::open_in_memory().map_err(|error| internal(&error))?;
    let declared: Vec<String> = columns
        .iter()
        .zip(&sheet.kinds)
        .map(|(name, kind)| format!("{} {}", quoted(name), kind.affinity()))
        .collect();
    let fill = || -> rusqlite::Result<()> {
        conn.execute_batch(&format!("CREATE TABLE data ({}); BEGIN", declared.join(", ")))?;
        let marks = vec!["?"; columns.len()].join(", ");
        let mut insert = conn.prepare(&format!("INSERT INTO data VALUES ({marks})"))?;
        for row in sheet.rows {
            insert.execute(params_from_iter(row))?;
        }
        conn.execute_batch("COMMIT")
    };
    fill().map_err(|error| internal(&error))?;
    Ok(Table { stamp, columns, indexed: HashSet::new(), conn })
}

fn check_columns(columns: &[String]) -> Result<(), LookupError> {
    if columns.is_empty() || columns.iter().any(String::is_empty) {
        return Err(LookupError::new(Cause::File, "the file's first line must name every column"));
    }
    let mut seen = HashSet::new();
    match columns.iter().find(|column| !seen.insert(column.to_lowercase())) {
        Some(twice) => Err(LookupError::new(Cause::File, format!("the file names the column {twice} twice"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let names = |names: &[&str]| check_columns(&names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
        assert!(names(&["a", "b"]).is_ok());
        for bad in [&[][..], &["a", "", "b"], &["a", "A"]] {
            assert!(names(bad).is_err(), "{bad:?}");
        }
    }
}
