//! CSV files: loaded once into an in-memory SQLite as the table `data`, indexed on what is matched, loaded
//! again when the file changes.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::Mutex as AsyncMutex;

use super::{Limits, LookupError, Request, Rows, TenantFile, sqlite};

/// A file is loaded whole, so it must fit: bytes.
const MAX_FILE: u64 = 256 << 20;
const MAX_COLUMNS: usize = 500;

/// The loaded files, by path.
#[derive(Default)]
pub struct Tables {
    tables: Mutex<HashMap<PathBuf, Arc<AsyncMutex<Option<Table>>>>>,
}

/// One loaded file. One connection: an in-memory database belongs to it.
struct Table {
    stamp: Stamp,
    columns: Vec<String>,
    indexed: HashSet<String>,
    conn: SqliteConnection,
}

/// What tells a changed file from the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Tables {
    pub async fn ask(
        &self,
        file: TenantFile,
        request: &Request,
        limits: &Limits,
    ) -> Result<Rows, LookupError> {
        let unreadable =
            |error: std::io::Error| LookupError::permanent(format!("the file cannot be read: {error}"));
        let metadata = file.handle.metadata().map_err(unreadable)?;
        let stamp = Stamp {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        };
        let slot = {
            let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tables.entry(file.path.clone()).or_default())
        };
        let mut slot = slot.lock().await;
        if slot.as_ref().is_none_or(|table| table.stamp != stamp) {
            *slot = None;
            *slot = Some(load(file, stamp).await?);
        }
        let table = slot.as_mut().ok_or_else(|| LookupError::transient("the file is being loaded"))?;
        match request {
            Request::Match { columns } => table.find(columns, limits).await,
            Request::Sql { query, params } => sqlite::run(&mut table.conn, query, params, limits).await,
            Request::Api { .. } => Err(LookupError::permanent("a file is not asked by HTTP")),
        }
    }
}

impl Table {
    async fn find(&mut self, wanted: &[(String, Value)], limits: &Limits) -> Result<Rows, LookupError> {
        let mut conditions = Vec::new();
        let mut params = Vec::new();
        for (name, value) in wanted {
            let column = self.columns.iter().find(|column| *column == name).ok_or_else(|| {
                LookupError::permanent(format!(
                    "the file has no column {name}; it has {}",
                    self.columns.join(", ")
                ))
            })?;
            if self.indexed.insert(column.clone()) {
                let index = format!(
                    "CREATE INDEX IF NOT EXISTS {} ON data ({})",
                    quoted(&format!("by {column}")),
                    quoted(column)
                );
                self.conn.execute("PRAGMA query_only = OFF").await.map_err(internal)?;
                self.conn.execute(AssertSqlSafe(index)).await.map_err(internal)?;
                self.conn.execute("PRAGMA query_only = ON").await.map_err(internal)?;
            }
            conditions.push(format!("{} = ?", quoted(column)));
            params.push(value.clone());
        }
        let sql = format!("SELECT * FROM data WHERE {}", conditions.join(" AND "));
        sqlite::run(&mut self.conn, &sql, &params, limits).await
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn internal(error: sqlx::Error) -> LookupError {
    LookupError::permanent(format!("the file cannot be loaded: {error}"))
}

async fn load(mut file: TenantFile, stamp: Stamp) -> Result<Table, LookupError> {
    if stamp.length > MAX_FILE {
        return Err(LookupError::permanent(format!("the file is larger than {} MiB", MAX_FILE >> 20)));
    }
    let parsed = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        file.handle
            .read_to_end(&mut bytes)
            .map_err(|error| LookupError::permanent(format!("the file cannot be read: {error}")))?;
        parse(&bytes)
    })
    .await
    .map_err(|_| LookupError::transient("the file's loading broke off"))??;
    let options = SqliteConnectOptions::new().in_memory(true).busy_timeout(Duration::from_secs(1));
    let mut conn = SqliteConnection::connect_with(&options).await.map_err(internal)?;
    let columns: Vec<String> = parsed
        .columns
        .iter()
        .zip(&parsed.kinds)
        .map(|(name, kind)| format!("{} {}", quoted(name), kind.affinity()))
        .collect();
    let create = format!("CREATE TABLE data ({})", columns.join(", "));
    conn.execute(AssertSqlSafe(create)).await.map_err(internal)?;
    let marks = vec!["?"; parsed.columns.len()].join(", ");
    let insert = format!("INSERT INTO data VALUES ({marks})");
    let mut tx = conn.begin().await.map_err(internal)?;
    for record in parsed.records {
        let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
        for i in 0..parsed.columns.len() {
            // An empty cell is no value; a short line's missing cells are none either.
            query = query.bind(record.get(i).filter(|cell| !cell.is_empty()).map(str::to_owned));
        }
        query.execute(&mut *tx).await.map_err(internal)?;
    }
    tx.commit().await.map_err(internal)?;
    conn.execute("PRAGMA query_only = ON").await.map_err(internal)?;
    Ok(Table { stamp, columns: parsed.columns, indexed: HashSet::new(), conn })
}

struct Parsed {
    columns: Vec<String>,
    kinds: Vec<Kind>,
    records: Vec<csv::StringRecord>,
}

/// What a column holds. A number that would not read back as it was written (`007`) is text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Integer,
    Real,
    Text,
}

impl Kind {
    fn affinity(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
            Self::Text => "TEXT",
        }
    }

    fn of(cell: &str) -> Self {
        if cell.parse::<i64>().is_ok_and(|n| n.to_string() == cell) {
            return Self::Integer;
        }
        let plain = cell.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        let leading_zero =
            cell.trim_start_matches('-').starts_with('0') && !cell.trim_start_matches('-').starts_with("0.");
        if plain && !leading_zero && cell.parse::<f64>().is_ok() { Self::Real } else { Self::Text }
    }
}

fn parse(bytes: &[u8]) -> Result<Parsed, LookupError> {
    let text = decode(bytes);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter(&text)).flexible(true).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| LookupError::permanent(format!("the file is no CSV: {error}"));
    let columns: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(|name| name.trim().to_owned()).collect();
    if columns.is_empty() || columns.iter().any(String::is_empty) {
        return Err(LookupError::permanent("the file's first line must name every column"));
    }
    if columns.len() > MAX_COLUMNS {
        return Err(LookupError::permanent(format!("the file has more than {MAX_COLUMNS} columns")));
    }
    if let Some(twice) =
        columns.iter().enumerate().find(|(i, c)| columns[..*i].iter().any(|o| o.eq_ignore_ascii_case(c)))
    {
        return Err(LookupError::permanent(format!("the file names the column {} twice", twice.1)));
    }
    let records = reader.records().collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let mut kinds: Vec<Option<Kind>> = vec![None; columns.len()];
    for record in &records {
        for (kind, cell) in kinds.iter_mut().zip(record).filter(|(_, cell)| !cell.is_empty()) {
            *kind = Some(match (*kind, Kind::of(cell)) {
                (None, new) => new,
                (Some(old), new) if old == new => old,
                (Some(Kind::Integer | Kind::Real), Kind::Integer | Kind::Real) => Kind::Real,
                _ => Kind::Text,
            });
        }
    }
    let kinds = kinds.into_iter().map(|kind| kind.unwrap_or(Kind::Text)).collect();
    Ok(Parsed { columns, kinds, records })
}

/// UTF-8, with or without byte order mark, or UTF-16 with one; what is none of these is Windows-1252, the
/// superset of Latin-1 that spreadsheets write.
fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, skip)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[skip..]).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The delimiter that the first line has most of, outside quotes.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if !quoted => {
                for (delimiter, count) in &mut counts {
                    *count += u32::from(*delimiter == byte);
                }
            }
            _ => {}
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_spreadsheets_write_is_read() {
        for (bytes, columns, cells) in [
            (&b"a,b\n1,\"x, \"\"y\"\"\"\n"[..], ["a", "b"], ["1", "x, \"y\""]),
            (b"\xef\xbb\xbfa;b\r\n1;x,y\r\n", ["a", "b"], ["1", "x,y"]),
            (b"a\tb\n1\tM\xfcller\n", ["a", "b"], ["1", "Müller"]),
            (b"\"a;,\";b\n1;2\n", ["a;,", "b"], ["1", "2"]),
            (b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0", ["a", "b"], ["1", "2"]),
        ] {
            let parsed = parse(bytes).expect("reads");
            assert_eq!(parsed.columns, columns);
            assert_eq!(parsed.records[0].iter().collect::<Vec<_>>(), cells);
        }
        for bad in [&b""[..], b"a,,b\n", b"a,A\n1,2\n"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_number_keeps_its_leading_zeros() {
        let parsed = parse(b"order,amount,qty,code\n0042,1.50,3,7\n7,2,4,x\n,,,\n").expect("reads");
        assert_eq!(parsed.kinds, [Kind::Text, Kind::Real, Kind::Integer, Kind::Text]);
    }
}
