//! A file as a table of an in-memory SQLite, and what is asked of it.

use std::{collections::HashSet, sync::Arc};

use rusqlite::{
    Connection, ErrorCode,
    functions::{Context, FunctionFlags},
    params_from_iter,
    types::Value as Sql,
};
use serde_json::Value;

use super::{
    cell::Cell,
    columns::{Column, Kind, Order, Written},
    csv, json, origin,
    sheet::{Bounds, EachRow, too_many},
    xlsx,
};
use crate::{
    datasources::server::{
        connection::{FileEndpoint, FileFormat},
        lookup::{
            Cause, Given, Limits, LookupError, Request, Rows,
            sources::{self, Affinity},
            sqlite,
        },
    },
    emails::server::address,
};

/// A table that is loaded, with its indexes: bytes.
const MAX_INDEXED: usize = 512 << 20;
/// A function of SQL that puts addresses into the form of those in the fields of a message: in lower case, of which
/// SQLite's own knows ASCII alone, and their domains in ASCII.
pub const LOWER: &str = "flowengine_lower";

/// One loaded file.
pub struct Table {
    pub columns: Vec<Column>,
    /// The name of the number of a row, which no column has.
    row_number: &'static str,
    /// Whether the file is text: then what is written is matched, not what it says as a number.
    is_text: bool,
    /// By the column's place, and whether in lower case.
    indexed: HashSet<(usize, bool)>,
    pub bytes: u64,
    conn: Connection,
}

/// What is asked of a table.
pub struct Asked {
    pub query: String,
    pub params: Vec<Value>,
    from_message: Vec<bool>,
    /// The table, where the query is somebody's.
    pub tables: Vec<sources::Table>,
}

impl Asked {
    pub fn given(&self) -> Given<'_> {
        Given { params: &self.params, from_message: &self.from_message }
    }
}

impl Table {
    pub fn ask(&mut self, request: &Request, limits: &Limits) -> Result<Rows, LookupError> {
        let asked = self.asked(request)?;
        self.run(&asked, limits)
    }

    fn asked(&mut self, request: &Request) -> Result<Asked, LookupError> {
        match request {
            Request::Match { columns, ignore_case } => self.matching(columns, ignore_case),
            Request::Sql { query, params, from_message } => {
                let columns = self.columns.iter();
                let columns = columns.map(|column| {
                    (Arc::<str>::from(column.name.as_str()), Affinity::declared(column.kind.affinity()))
                });
                Ok(Asked {
                    query: query.clone(),
                    params: params.clone(),
                    from_message: from_message.clone(),
                    tables: vec![sources::Table { name: "data".into(), columns: columns.collect() }],
                })
            }
            Request::Api { .. } => Err(LookupError::new(Cause::Rule, "a file is not asked by HTTP")),
        }
    }

    /// Its conditions give text and number where both may be meant.
    fn matching(&mut self, wanted: &[(String, Value)], ignore_case: &[String]) -> Result<Asked, LookupError> {
        let mut conditions = Vec::new();
        let mut params = Vec::new();
        for (name, value) in wanted {
            let place = self.columns.iter().position(|column| column.name == *name).ok_or_else(|| {
                let names: Vec<&str> = self.names().collect();
                LookupError::new(
                    Cause::Refused,
                    format!("the file has no column {name}; it has {}", names.join(", ")),
                )
            })?;
            let is_lower = ignore_case.contains(name) && self.columns[place].holds_text();
            self.index(place, is_lower)?;
            let (condition, values) = self.condition(place, value, is_lower);
            conditions.push(condition);
            params.extend(values);
        }
        let query = format!("SELECT * FROM data WHERE {}", conditions.join(" AND "));
        Ok(Asked { query, params, from_message: Vec::new(), tables: Vec::new() })
    }

    /// Runs a query. Booleans stay some: SQLite has none.
    fn run(&self, asked: &Asked, limits: &Limits) -> Result<Rows, LookupError> {
        let query = &asked.query;
        self.check_order(asked)?;
        let mut rows = sqlite::run(&self.conn, query, asked.given(), &asked.tables, limits)?;
        if self.columns.iter().all(|column| column.kind != Kind::Boolean) {
            return Ok(rows);
        }
        let names: Vec<&str> = self.names().collect();
        for (i, origin) in origin::origins(query, &names, rows.columns.len()).into_iter().enumerate() {
            if origin.is_none_or(|place| self.columns[place].kind != Kind::Boolean) {
                continue;
            }
            for value in rows.rows.iter_mut().filter_map(|row| row.get_mut(i)) {
                if let Some(flag) = value.as_i64() {
                    *value = (flag != 0).into();
                }
            }
        }
        Ok(rows)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// That a column holds a value, as SQL. What is compared has the column's own type: SQLite would take `007` for 7
    /// where the column holds numbers, and 7 for something else than `7` where it holds anything.
    fn condition(&self, place: usize, value: &Value, is_lower: bool) -> (String, Vec<Value>) {
        let column = &self.columns[place];
        let name = sql_of(column, is_lower);
        let equals = format!("{name} = ?");
        let text = match value {
            // A cell that is empty; nothing equals it in SQL.
            Value::Null if column.kind == Kind::Decimal => {
                return (self.written(place, "IS NULL"), Vec::new());
            }
            Value::Null => return (format!("{name} IS NULL"), Vec::new()),
            Value::String(text) if is_lower => address::all_in_one_form(text),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_by_value = matches!(column.kind, Kind::Integer | Kind::Real);
        let number = match Written::of(&text) {
            Written::Integer(integer) => Some(Value::from(integer)),
            Written::Real(real) => Some(Value::from(real)),
            Written::Decimal(real) if is_by_value || !self.is_text || value.is_number() => {
                Some(Value::from(real))
            }
            Written::Decimal(_) | Written::Text => None,
        };
        match (column.kind, number) {
            (Kind::Decimal, _) if value.is_string() => (self.written(place, "= ?"), vec![text.into()]),
            (Kind::Integer | Kind::Real | Kind::Decimal, number) => {
                (equals, vec![number.unwrap_or_default()])
            }
            (Kind::Boolean, _) => {
                let flag = match text.to_ascii_lowercase().as_str() {
                    "true" | "1" => Value::from(1),
                    "false" | "0" => Value::from(0),
                    _ => Value::Null,
                };
                (equals, vec![flag])
            }
            (Kind::AsIs, Some(number)) => (format!("{name} IN (?, ?)"), vec![text.into(), number]),
            (Kind::Text | Kind::AsIs, _) => (equals, vec![text.into()]),
        }
    }

    /// That what is written in a column of numbers is so, as SQL.
    fn written(&self, place: usize, is_so: &str) -> String {
        format!("{} IN (SELECT id FROM written WHERE c{place} {is_so})", self.row_number)
    }

    /// Makes a look-up by a column quick. Where there is no room for that, it is slow.
    fn index(&mut self, place: usize, is_lower: bool) -> Result<(), LookupError> {
        if !self.indexed.insert((place, is_lower)) {
            return Ok(());
        }
        let column = &self.columns[place];
        let on = match column.kind {
            Kind::Decimal => format!("written (c{place})"),
            _ => format!("data ({})", sql_of(column, is_lower)),
        };
        let index = quoted(&format!("{} {}", if is_lower { "in any case by" } else { "by" }, column.name));
        sqlite::unfence(&self.conn);
        match self.conn.execute_batch(&format!("CREATE INDEX IF NOT EXISTS {index} ON {on}")) {
            Err(error) if error.sqlite_error_code() != Some(ErrorCode::DiskFull) => Err(internal(&error)),
            _ => {
                self.bytes = size(&self.conn).map_err(|error| internal(&error))?;
                Ok(())
            }
        }
    }
}

/// A column, or what it holds in lower case, as SQL.
fn sql_of(column: &Column, is_lower: bool) -> String {
    let name = quoted(&column.name);
    if is_lower { format!("{LOWER}({name})") } else { name }
}

/// Makes the function known to a connection. It is innocuous, or no index could be made on it where schemas are not
/// trusted.
fn teach_lower(conn: &Connection) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    conn.create_scalar_function(LOWER, 1, flags, |context: &Context<'_>| {
        Ok(match context.get::<Sql>(0)? {
            Sql::Text(text) => Sql::Text(address::all_in_one_form(&text)),
            other => other,
        })
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn internal(error: &rusqlite::Error) -> LookupError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => too_many(),
        Some(ErrorCode::OutOfMemory) => {
            LookupError::new(Cause::Answer, "there is no memory to load the file")
        }
        _ => LookupError::new(Cause::File, format!("the file cannot be loaded: {error}")),
    }
}

pub fn table(bytes: Vec<u8>, endpoint: &FileEndpoint, bounds: Bounds) -> Result<Table, LookupError> {
    let sheet = match endpoint.format {
        FileFormat::Csv => csv::parse(&bytes, bounds)?,
        FileFormat::Xlsx => xlsx::parse(bytes, endpoint.sheet.as_deref(), bounds)?,
        FileFormat::Json => json::parse(&bytes, endpoint.rows.as_ref(), bounds)?,
        FileFormat::JsonLines => json::parse_lines(&bytes, bounds)?,
    };
    check_columns(&sheet.columns)?;
    let is_taken = |name: &str| sheet.columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    let row_number = ["rowid", "oid", "_rowid_"].into_iter().find(|name| !is_taken(name));
    let columns: Vec<Column> = sheet
        .columns
        .into_iter()
        .zip(sheet.kinds.into_iter().zip(sheet.seen))
        .map(|(name, (kind, seen))| match kind {
            Kind::Decimal if row_number.is_none() => {
                Column { kind: Kind::Text, order: Order::Mixed, ..Column::new(name, kind, &seen) }
            }
            kind => Column::new(name, kind, &seen),
        })
        .collect();
    let conn = Connection::open_in_memory().map_err(|error| internal(&error))?;
    teach_lower(&conn).map_err(|error| internal(&error))?;
    fill(&conn, &columns, sheet.rows, bounds)?;
    limit(&conn, MAX_INDEXED).map_err(|error| internal(&error))?;
    let bytes = size(&conn).map_err(|error| internal(&error))?;
    Ok(Table {
        columns,
        row_number: row_number.unwrap_or_default(),
        is_text: endpoint.format == FileFormat::Csv,
        indexed: HashSet::new(),
        bytes,
        conn,
    })
}

/// Makes the table `data`, and `written` of what is to be matched as it is written.
fn fill(conn: &Connection, columns: &[Column], rows: EachRow<'_>, bounds: Bounds) -> Result<(), LookupError> {
    let failed = |error: rusqlite::Error| internal(&error);
    limit(conn, bounds.bytes).map_err(failed)?;
    let declared: Vec<String> =
        columns.iter().map(|column| format!("{} {}", quoted(&column.name), column.kind.affinity())).collect();
    let decimals: Vec<usize> =
        (0..columns.len()).filter(|place| columns[*place].kind == Kind::Decimal).collect();
    let written: String = decimals.iter().map(|place| format!(", c{place} TEXT")).collect();
    conn.execute_batch(&format!(
        "CREATE TABLE data ({}); CREATE TABLE written (id INTEGER PRIMARY KEY{written}); BEGIN",
        declared.join(", ")
    ))
    .map_err(failed)?;
    let marks = |count: usize| vec!["?"; count].join(", ");
    let mut insert =
        conn.prepare(&format!("INSERT INTO data VALUES ({})", marks(columns.len()))).map_err(failed)?;
    let mut keep = conn
        .prepare(&format!("INSERT INTO written VALUES ({})", marks(decimals.len() + 1)))
        .map_err(failed)?;
    rows(&mut |row| {
        bounds.check_time()?;
        let texts: Vec<Cell> = decimals.iter().filter_map(|place| row.get(*place).cloned()).collect();
        insert
            .execute(params_from_iter(
                row.into_iter().zip(columns).map(|(cell, column)| cell.fit(column.kind)),
            ))
            .map_err(failed)?;
        if !texts.is_empty() {
            let id = Cell::Integer(conn.last_insert_rowid());
            keep.execute(params_from_iter(std::iter::once(id).chain(texts))).map_err(failed)?;
        }
        Ok(())
    })?;
    conn.execute_batch("COMMIT").map_err(failed)
}

/// Lets the tables of a connection take so many bytes.
fn limit(conn: &Connection, bytes: usize) -> rusqlite::Result<()> {
    let page: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    conn.query_row(&format!("PRAGMA max_page_count = {}", bytes / page.max(1) as usize), [], |_| Ok(()))
}

fn size(conn: &Connection) -> rusqlite::Result<u64> {
    let pages: u32 = conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let page: u32 = conn.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(u64::from(pages) * u64::from(page))
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
pub mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;
    use crate::datasources::server::lookup::file::{columns::Seen, sheet::Sink};

    pub fn loaded(format: FileFormat, bytes: impl Into<Vec<u8>>) -> Table {
        let endpoint = FileEndpoint { path: "a".into(), format, sheet: None, rows: None };
        table(bytes.into(), &endpoint, Bounds::default()).expect("loads")
    }

    pub fn limits() -> Limits {
        Limits {
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(10),
            max_rows: 100,
            max_bytes: 1 << 20,
        }
    }

    fn ask(table: &mut Table, request: &Request) -> Rows {
        table.ask(request, &limits()).expect("answers")
    }

    /// How many rows match.
    fn matches(table: &mut Table, column: &str, value: Value) -> usize {
        let columns = vec![(column.to_owned(), value)];
        ask(table, &Request::Match { columns, ignore_case: Vec::new() }).rows.len()
    }

    /// How many rows match, whatever the case.
    fn matches_any_case(table: &mut Table, column: &str, value: &str) -> usize {
        let columns = vec![(column.to_owned(), value.into())];
        ask(table, &Request::Match { columns, ignore_case: vec![column.to_owned()] }).rows.len()
    }

    /// How the rows are found, of what is prepared for a match.
    fn plan(table: &mut Table, column: &str, value: &str, ignores_case: bool) -> String {
        let columns = vec![(column.to_owned(), Value::from(value))];
        let ignore_case = if ignores_case { vec![column.to_owned()] } else { Vec::new() };
        let asked = table.asked(&Request::Match { columns, ignore_case }).expect("is asked");
        sqlite::plan(&table.conn, &asked.query, &asked.params, &asked.tables).join("; ")
    }

    fn select(table: &mut Table, query: &str, params: &[&str]) -> Value {
        json!(ask(table, &sql(query, params)).rows)
    }

    pub fn sql(query: &str, params: &[&str]) -> Request {
        let from_message = vec![true; params.len()];
        let params = params.iter().map(|param| Value::from(*param)).collect();
        Request::Sql { query: query.to_owned(), params, from_message }
    }

    #[test]
    fn what_a_text_file_says_is_matched_as_it_is_written() {
        let mut table = loaded(
            FileFormat::Csv,
            "tracking,code,amount,price,id,rowid\n\
             9400111899223197428490,1.10,100.10,1250.00,12345678901234567,a\n\
             9400111899223197428491,1.1,7.5,19.90,42,b\n",
        );
        for (column, value, count) in [
            ("tracking", json!("9400111899223197428490"), 1),
            ("tracking", json!("9400111899223197428492"), 0),
            ("code", json!("1.10"), 1),
            ("code", json!("1.1"), 1),
            ("code", json!("1.100"), 0),
            ("amount", json!("100.10"), 1),
            ("amount", json!("100.1"), 0),
            ("amount", json!(100.1), 1),
            ("amount", json!("7.5"), 1),
            ("amount", json!("7.50"), 0),
            // All with two places: amounts, whichever way the message writes them.
            ("price", json!("1250.00"), 1),
            ("price", json!("1250"), 1),
            ("price", json!("1250.0"), 1),
            ("price", json!("19.9"), 1),
            ("price", json!("19.91"), 0),
            ("id", json!("42.0"), 1),
            ("id", json!("12345678901234567"), 1),
            ("id", json!("12345678901234568"), 0),
            ("id", json!("42"), 1),
            ("id", json!(42), 1),
            ("id", json!("042"), 0),
            ("id", json!(null), 0),
        ] {
            assert_eq!(matches(&mut table, column, value.clone()), count, "{column} {value}");
        }
        // SQL compares amounts as numbers, whatever they are compared with.
        for (query, params, rows) in [
            ("SELECT amount FROM data WHERE amount > 10", &[][..], json!([[100.1]])),
            ("SELECT amount FROM data WHERE amount = ?", &["100.1"], json!([[100.1]])),
            ("SELECT amount FROM data WHERE amount < ? ", &["9.50"], json!([[7.5]])),
            (
                "SELECT * FROM data WHERE code = 1.1",
                &[],
                json!([
                    ["9400111899223197428490", 1.1, 100.1, 1250.0, 12_345_678_901_234_567_i64, "a"],
                    ["9400111899223197428491", 1.1, 7.5, 19.9, 42, "b"],
                ]),
            ),
        ] {
            assert_eq!(select(&mut table, query, params), rows, "{query}");
        }
    }

    #[test]
    fn numbers_and_booleans_of_json_are_matched_by_text() {
        let rows = json!([
            {"order": 1042, "amount": 12.5, "active": true, "mixed": 7, "big": 18_446_744_073_709_551_615_u64},
            {"order": 1043, "amount": 3, "active": false, "mixed": "7"},
            {"order": 1044, "amount": null, "active": null, "mixed": true},
        ]);
        let mut table = loaded(FileFormat::Json, rows.to_string());
        for (column, value, count) in [
            ("order", json!("1042"), 1),
            ("order", json!(1042), 1),
            ("order", json!("01042"), 0),
            ("order", json!("x"), 0),
            ("amount", json!("12.50"), 1),
            ("amount", json!("3"), 1),
            ("active", json!("true"), 1),
            ("active", json!(true), 1),
            ("active", json!("FALSE"), 1),
            ("active", json!("yes"), 0),
            ("mixed", json!("7"), 2),
            ("mixed", json!("true"), 1),
            ("big", json!("18446744073709551615"), 1),
            ("big", json!(18_446_744_073_709_551_615_u64), 1),
            ("big", json!("18446744073709551616"), 0),
        ] {
            assert_eq!(matches(&mut table, column, value.clone()), count, "{column} {value}");
        }
        let columns = vec![("order".into(), "1042".into())];
        let found = ask(&mut table, &Request::Match { columns, ignore_case: Vec::new() });
        assert_eq!(found.rows[0][2], json!(true));
        for (query, params, rows) in [
            (
                "SELECT active AS ok, count(*) AS active FROM data WHERE \"order\" = ?",
                &["1042"][..],
                json!([[true, 1]]),
            ),
            ("SELECT \"order\" FROM data WHERE active", &[], json!([[1042]])),
            ("SELECT \"order\" FROM data WHERE active = 0", &[], json!([[1043]])),
            ("SELECT active FROM data WHERE active = false OR active IS NULL", &[], json!([[false], [null]])),
            // Such a column is declared to hold nothing, and SQLite would find the text alone.
            ("SELECT \"order\" FROM data WHERE mixed = ?", &["7"], json!([[1042], [1043]])),
            ("SELECT \"order\" FROM data WHERE mixed IN (?, 'x')", &["7"], json!([[1042], [1043]])),
            ("SELECT \"order\" FROM data WHERE mixed <> ?", &["7"], json!([[1044]])),
            ("SELECT \"order\" FROM data WHERE \"order\" IN (?, ?)", &["1042", "x"], json!([[1042]])),
            ("SELECT \"order\" FROM data WHERE amount = ?", &["12.50"], json!([[1042]])),
        ] {
            assert_eq!(select(&mut table, query, params), rows, "{query}");
        }
        for value in ["7", "true"] {
            let plan = plan(&mut table, "mixed", value, false);
            assert!(plan.contains("INDEX by mixed "), "{value}: {plan}");
        }
    }

    #[test]
    fn an_address_is_matched_in_any_case_by_an_index() {
        let mut table = loaded(
            FileFormat::Csv,
            "email,code,price,n\nAnn.Smith@Example.com,AB,1.10,7\nZOË@x.example,ab,1.1,8\n,,,\n",
        );
        for (column, value, count) in [
            ("email", "ann.smith@example.com", 1),
            ("email", "Ann.Smith@Example.COM", 1),
            ("email", "zoë@x.example", 1),
            ("email", "ann.smith@example.co", 0),
            ("code", "aB", 2),
            ("price", "1.10", 1),
            ("n", "7", 1),
        ] {
            assert_eq!(matches_any_case(&mut table, column, value), count, "{column} {value}");
        }
        assert_eq!(matches(&mut table, "email", json!("ann.smith@example.com")), 0, "as it is written");
        assert_eq!(matches(&mut table, "email", json!("Ann.Smith@Example.com")), 1);
        for column in ["email", "code", "price", "n"] {
            assert_eq!(matches(&mut table, column, json!(null)), 1, "{column} is empty");
        }
        for (ignores_case, index) in [(true, "in any case by email"), (false, "by email")] {
            let plan = plan(&mut table, "email", "x", ignores_case);
            assert!(plan.contains(&format!("INDEX {index} ")), "{plan}");
        }
    }

    #[test]
    fn a_domain_is_matched_in_letters_and_in_ascii() {
        let mut table = loaded(
            FileFormat::Csv,
            "email,domain\nZoe@Bücher.example,BÜCHER.example\n\
             ann@xn--bcher-kva.example,xn--bcher-kva.example\n",
        );
        for (column, value, count) in [
            ("email", "zoe@xn--bcher-kva.example", 1),
            ("email", "zoe@bu\u{308}cher.example", 1),
            ("email", "ann@bücher.example", 1),
            ("domain", "xn--bcher-kva.example", 2),
            ("domain", "bücher.example", 2),
            ("domain", "bucher.example", 0),
        ] {
            assert_eq!(matches_any_case(&mut table, column, value), count, "{column} {value}");
        }
    }

    #[test]
    fn a_table_is_no_larger_than_memory_is_for() {
        let conn = Connection::open_in_memory().expect("opens");
        let columns = [Column::new("a".into(), Kind::Text, &Seen::default())];
        let rows = |sink: Sink<'_>| -> Result<(), LookupError> {
            (0..10_000).try_for_each(|_| sink(vec![Cell::Text("x".repeat(1_000))]))
        };
        let bounds = Bounds { bytes: 1 << 20, ..Bounds::default() };
        let refused = fill(&conn, &columns, Box::new(rows), bounds).expect_err("too large");
        assert_eq!(refused.cause, Cause::TooLarge, "{refused}");
        let late = Bounds { until: Instant::now(), ..Bounds::default() };
        assert_eq!(super::csv::parse(b"a\n1\n", late).err().expect("too late").cause, Cause::TooLarge);
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        let names = |names: &[&str]| check_columns(&names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>());
        assert!(names(&["a", "b"]).is_ok());
        for bad in [&[][..], &["a", "", "b"], &["a", "A"]] {
            assert!(names(bad).is_err(), "{bad:?}");
        }
    }
}
