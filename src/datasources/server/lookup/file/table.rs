//! Files as tables of one in-memory SQLite, and what is asked of them.

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
    columns::{Column, Kind, Order},
    csv, json,
    numbers::Written,
    origin::{self, Named},
    sheet::{Bounds, EachRow, Sheets, too_many},
    xlsx,
};
use crate::{
    datasources::server::{
        connection::{DATA, FileEndpoint, FileFormat},
        lookup::{
            Cause, Given, Limits, LookupError, Request, Rows,
            sources::{self, Affinity},
            sqlite,
        },
    },
    emails::server::address,
};

/// What is loaded of a config's files, with its indexes: bytes.
const MAX_INDEXED: usize = 512 << 20;
/// A function of SQL that puts addresses into the form of those in the fields of a message: in lower case, of which
/// SQLite's own knows ASCII alone, and their domains in ASCII.
pub const LOWER: &str = "flowengine_lower";

/// The table that keeps what is written in the columns of numbers of `data`, as SQL. No config's table has such a name.
const WRITTEN: &str = "\"as written\"";

/// A config's loaded files: its own as the table `data`, and further ones beside it.
///
/// They are in one database, which is loaded anew when any of them changes: so a query joins them, and one bound holds for
/// the whole. A file that two configs read is loaded for each: databases that are attached to each other would have to be
/// locked and counted together, and a query may attach none.
pub struct Table {
    /// Of `data`.
    pub columns: Vec<Column>,
    /// Tables of further files, with their names.
    further: Vec<(String, Vec<Column>)>,
    /// The sheets of `data`, where that is a workbook's.
    pub sheets: Option<Sheets>,
    /// The name of the number of a row of `data`, which no column has.
    row_number: &'static str,
    /// Whether there are further files.
    is_joined: bool,
    /// Of `data`, by the column's place, and whether in lower case.
    indexed: HashSet<(usize, bool)>,
    pub bytes: u64,
    conn: Connection,
}

/// What is asked of a table.
pub struct Asked {
    pub query: String,
    pub params: Vec<Value>,
    from_message: Vec<bool>,
    /// The tables that it names, where the query is somebody's.
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
                let small = query.to_ascii_lowercase();
                let named = self.tables().filter(|(name, _)| sqlite::is_named(&small, name));
                let declared = |column: &Column| {
                    (Arc::<str>::from(column.name.as_str()), Affinity::declared(column.kind.affinity()))
                };
                let tables = named.map(|(name, columns)| sources::Table {
                    name: name.to_owned(),
                    columns: columns.iter().map(declared).collect(),
                });
                Ok(Asked {
                    query: query.clone(),
                    params: params.clone(),
                    from_message: from_message.clone(),
                    tables: tables.collect(),
                })
            }
            Request::Api { .. } => Err(LookupError::new(Cause::Rule, "a file is not asked by HTTP")),
        }
    }

    /// The column of this name; else the only one of this name in other letters.
    fn column_called(&self, name: &str) -> Option<usize> {
        let place = |is_it: &dyn Fn(&str) -> bool| {
            let mut places = (0..self.columns.len()).filter(|at| is_it(&self.columns[*at].name));
            places.next().filter(|_| places.next().is_none())
        };
        place(&|other| other == name).or_else(|| place(&|other| other.eq_ignore_ascii_case(name)))
    }

    /// Its conditions give text and number where both may be meant.
    fn matching(&mut self, wanted: &[(String, Value)], ignore_case: &[String]) -> Result<Asked, LookupError> {
        let mut conditions = Vec::new();
        let mut params = Vec::new();
        for (name, value) in wanted {
            let place = self.column_called(name).ok_or_else(|| {
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

    fn run(&self, asked: &Asked, limits: &Limits) -> Result<Rows, LookupError> {
        self.check_order(asked)?;
        self.check_alike(asked)?;
        let mut rows = sqlite::run(&self.conn, &asked.query, asked.given(), &asked.tables, limits)?;
        self.restore_booleans(&asked.query, &mut rows);
        Ok(rows)
    }

    /// Makes booleans of the numbers that SQLite has in their place.
    fn restore_booleans(&self, query: &str, rows: &mut Rows) {
        let all: Vec<&Column> = self.tables().flat_map(|(_, columns)| columns).collect();
        if all.iter().all(|column| column.kind != Kind::Boolean) {
            return;
        }
        let tables: Vec<Named<'_>> = self
            .tables()
            .map(|(name, columns)| (name, columns.iter().map(|column| column.name.as_str()).collect()))
            .collect();
        for (i, origin) in origin::origins(query, &tables, rows.columns.len()).into_iter().enumerate() {
            if origin.is_none_or(|place| all[place].kind != Kind::Boolean) {
                continue;
            }
            for value in rows.rows.iter_mut().filter_map(|row| row.get_mut(i)) {
                if let Some(flag) = value.as_i64() {
                    *value = (flag != 0).into();
                }
            }
        }
    }

    /// The columns of `data`.
    fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// All tables that a query can name, each with its columns.
    pub fn tables(&self) -> impl Iterator<Item = (&str, &[Column])> {
        let further = self.further.iter().map(|(name, columns)| (name.as_str(), columns.as_slice()));
        std::iter::once((DATA, self.columns.as_slice())).chain(further)
    }

    /// Those that a query names, in the order in which its sources count their columns.
    pub fn named(&self, tables: &[sources::Table]) -> impl Iterator<Item = (&str, &[Column])> {
        self.tables().filter(move |(name, _)| tables.iter().any(|table| table.name == *name))
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
        let number = match Written::of(&text) {
            Written::Integer(integer) => Some(Value::from(integer)),
            Written::Real(real) | Written::Decimal(real) => Some(Value::from(real)),
            // What others write of it is lost as well where the column's own is, or nobody knows how that was written.
            Written::Near(real) if column.are_some_near && matches!(column.kind, Kind::Real | Kind::AsIs) => {
                Some(Value::from(real))
            }
            Written::Near(_) | Written::Text => None,
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
        format!("{} IN (SELECT id FROM {WRITTEN} WHERE c{place} {is_so})", self.row_number)
    }

    /// Makes a look-up by a column quick. Where there is no room for that, it is slow.
    fn index(&mut self, place: usize, is_lower: bool) -> Result<(), LookupError> {
        if !self.indexed.insert((place, is_lower)) {
            return Ok(());
        }
        let column = &self.columns[place];
        let on = match column.kind {
            Kind::Decimal => format!("{WRITTEN} (c{place})"),
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

/// Loads files, each with its bytes and the tables that are read of it, `data` of the first: the bytes of one at a time, since
/// they are read as they are asked for.
///
/// # Errors
/// The file's, with its table's name where it is a further one. `Cause::TooLarge`, where one is too large or all together
/// are.
pub fn table<'e>(
    files: impl Iterator<Item = (Vec<&'e FileEndpoint>, Result<Vec<u8>, LookupError>)>,
    is_joined: bool,
    bounds: Bounds,
) -> Result<Table, LookupError> {
    let conn = Connection::open_in_memory().map_err(|error| internal(&error))?;
    teach_lower(&conn).map_err(|error| internal(&error))?;
    let mut table = Table {
        columns: Vec::new(),
        further: Vec::new(),
        sheets: None,
        row_number: "",
        is_joined,
        indexed: HashSet::new(),
        bytes: 0,
        conn,
    };
    for (tables, bytes) in files {
        let Some(first) = tables.first() else { continue };
        let bytes = bytes.map_err(|error| of_table(first, error))?;
        let mut book = None;
        for file in tables {
            table.add(&bytes, &mut book, file, bounds).map_err(|error| of_table(file, error))?;
        }
    }
    limit(&table.conn, MAX_INDEXED).map_err(|error| internal(&error))?;
    table.bytes = size(&table.conn).map_err(|error| internal(&error))?;
    Ok(table)
}

/// Of a config's own file, everybody knows which it is.
fn of_table(file: &FileEndpoint, error: LookupError) -> LookupError {
    match file.table.as_str() {
        DATA => error,
        table => LookupError::new(error.cause, format!("the table {table}: {error}")),
    }
}

impl Table {
    /// `book` is the workbook, once one of its sheets was read.
    fn add<'b>(
        &mut self,
        bytes: &'b [u8],
        book: &mut Option<xlsx::Book<'b>>,
        file: &FileEndpoint,
        bounds: Bounds,
    ) -> Result<(), LookupError> {
        let sheet = match file.format {
            FileFormat::Csv => csv::parse(bytes, bounds)?,
            FileFormat::Xlsx => {
                let book = match book {
                    Some(book) => book,
                    None => book.insert(xlsx::open(bytes)?),
                };
                xlsx::parse(book, file.sheet.as_deref(), bounds)?
            }
            FileFormat::Json => json::parse(bytes, file.rows.as_ref(), bounds)?,
            FileFormat::JsonLines => json::parse_lines(bytes, bounds)?,
        };
        let mut columns = sheet.columns;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        check_names(&names).map_err(|error| of_sheet(sheet.sheets.as_ref(), error))?;
        let is_taken = |name: &str| names.iter().any(|column| column.eq_ignore_ascii_case(name));
        let row_number = ["rowid", "oid", "_rowid_"].into_iter().find(|name| !is_taken(name));
        for column in &mut columns {
            match column.kind {
                Kind::Decimal if row_number.is_none() => {
                    (column.kind, column.order) = (Kind::Text, Order::Mixed);
                }
                // It is joined with texts and numbers alike, and as it is, a number is equal to no text.
                Kind::AsIs if self.is_joined => column.kind = Kind::Text,
                _ => {}
            }
        }
        fill(&self.conn, &file.table, &columns, sheet.rows, bounds)?;
        if file.table == DATA {
            self.columns = columns;
            self.sheets = sheet.sheets;
            self.row_number = row_number.unwrap_or_default();
        } else {
            self.further.push((file.table.clone(), columns));
        }
        Ok(())
    }
}

/// A workbook may begin with a sheet that is no table.
fn of_sheet(sheets: Option<&Sheets>, error: LookupError) -> LookupError {
    match sheets.filter(|sheets| !sheets.others.is_empty()) {
        Some(Sheets { read, others }) => {
            let others = others.join(", ");
            LookupError::new(error.cause, format!("{error}; its sheet {read} was read, and it has {others}"))
        }
        None => error,
    }
}

/// Makes a table, and beside `data` what of it is to be matched as it is written: nothing else is matched.
fn fill(
    conn: &Connection,
    table: &str,
    columns: &[Column],
    rows: EachRow<'_>,
    bounds: Bounds,
) -> Result<(), LookupError> {
    let failed = |error: rusqlite::Error| internal(&error);
    limit(conn, bounds.bytes).map_err(failed)?;
    let declared: Vec<String> =
        columns.iter().map(|column| format!("{} {}", quoted(&column.name), column.kind.affinity())).collect();
    let is_written = |place: &usize| table == DATA && columns[*place].kind == Kind::Decimal;
    let decimals: Vec<usize> = (0..columns.len()).filter(is_written).collect();
    let mut made = format!("CREATE TABLE {} ({});", quoted(table), declared.join(", "));
    if !decimals.is_empty() {
        let texts: String = decimals.iter().map(|place| format!(", c{place} TEXT")).collect();
        made.push_str(&format!(" CREATE TABLE {WRITTEN} (id INTEGER PRIMARY KEY{texts});"));
    }
    conn.execute_batch(&format!("{made} BEGIN")).map_err(failed)?;
    let insert_into = |table: &str, count: usize| {
        conn.prepare(&format!("INSERT INTO {table} VALUES ({})", vec!["?"; count].join(", "))).map_err(failed)
    };
    let mut insert = insert_into(&quoted(table), columns.len())?;
    let mut keep = if decimals.is_empty() { None } else { Some(insert_into(WRITTEN, decimals.len() + 1)?) };
    rows(&mut |row| {
        bounds.check_time()?;
        let texts: Vec<Cell> = decimals.iter().filter_map(|place| row.get(*place).cloned()).collect();
        insert
            .execute(params_from_iter(
                row.into_iter().zip(columns).map(|(cell, column)| cell.fit(column.kind)),
            ))
            .map_err(failed)?;
        if let Some(keep) = &mut keep {
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

fn check_names(names: &[&str]) -> Result<(), LookupError> {
    if names.is_empty() || names.contains(&"") {
        return Err(LookupError::new(Cause::File, "the file's first line must name every column"));
    }
    let mut seen = HashSet::new();
    match names.iter().find(|name| !seen.insert(name.to_lowercase())) {
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

    pub fn file(table: &str, format: FileFormat, path: &str) -> FileEndpoint {
        FileEndpoint { table: table.to_owned(), path: path.to_owned(), format, sheet: None, rows: None }
    }

    pub fn loaded(format: FileFormat, bytes: impl Into<Vec<u8>>) -> Table {
        all_loaded(&[(DATA, format, bytes.into())]).expect("loads")
    }

    pub fn all_loaded(files: &[(&str, FileFormat, Vec<u8>)]) -> Result<Table, LookupError> {
        let tables: Vec<FileEndpoint> =
            files.iter().map(|(table, format, _)| file(table, *format, "a")).collect();
        let bytes = files.iter().map(|(_, _, bytes)| Ok(bytes.clone()));
        table(tables.iter().map(|file| vec![file]).zip(bytes), tables.len() > 1, Bounds::default())
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
    fn numbers_of_many_digits_are_told_apart() {
        let mut table = loaded(
            FileFormat::Csv,
            "part,whole\n1234567890.1234567,12345678901234567\n1234567890.1234568,12345678901234568\n",
        );
        for (column, value, count) in [
            ("part", json!("1234567890.1234567"), 1),
            ("part", json!("1234567890.1234568"), 1),
            ("part", json!("1234567890.1234566"), 0),
            ("part", json!(1_234_567_890.123_456_7), 1),
            ("whole", json!("12345678901234568"), 1),
            ("whole", json!(12_345_678_901_234_568_i64), 1),
            ("whole", json!("12345678901234569"), 0),
            ("whole", json!(12_345_678_901_234_569_i64), 0),
        ] {
            assert_eq!(matches(&mut table, column, value.clone()), count, "{column} {value}");
        }
        for (query, param, rows) in [
            ("SELECT part FROM data WHERE part = ?", "1234567890.1234568", json!([["1234567890.1234568"]])),
            (
                "SELECT whole FROM data WHERE whole = ?",
                "12345678901234568",
                json!([[12_345_678_901_234_568_i64]]),
            ),
            ("SELECT count(*) FROM data WHERE CAST(part AS REAL) > ?", "5", json!([[2]])),
        ] {
            assert_eq!(select(&mut table, query, &[param]), rows, "{query}");
        }
        let by_letters = sql("SELECT 1 FROM data WHERE part > ?", &["5"]);
        assert_eq!(table.ask(&by_letters, &limits()).expect_err("is refused").cause, Cause::Refused);
    }

    #[test]
    fn a_number_of_many_digits_makes_no_text_of_the_others_of_its_column() {
        let mut table = loaded(
            FileFormat::Csv,
            "sku,share,even,exact\n\
             A,20.5,20.500000000000000,1234567890.1234567\n\
             B,33.333333333333333,33.333333333333333,9.5\n\
             C,33.333333333333333,7.000000000000000,9.5\n",
        );
        for (column, value, count) in [
            ("share", json!("33.333333333333333"), 2),
            ("share", json!("33.333333333333336"), 0),
            ("share", json!("20.5"), 1),
            ("even", json!("33.333333333333333"), 1),
            ("even", json!("20.5"), 1),
            ("even", json!(20.5), 1),
            ("exact", json!("1234567890.1234567"), 1),
            ("exact", json!("1234567890.1234568"), 0),
        ] {
            assert_eq!(matches(&mut table, column, value.clone()), count, "{column} {value}");
        }
        for (query, param, rows) in [
            ("SELECT sku FROM data WHERE share = ?", "20.50", json!([["A"]])),
            ("SELECT sku FROM data WHERE share < ?", "100", json!([["A"], ["B"], ["C"]])),
            ("SELECT max(share) > 30 FROM data WHERE sku <> ?", "x", json!([[1]])),
            ("SELECT sku FROM data WHERE even = ?", "20.50", json!([["A"]])),
        ] {
            assert_eq!(select(&mut table, query, &[param]), rows, "{query}");
        }
        let mut table = loaded(FileFormat::Json, r#"[{"part": 1234567890.1234568}, {"part": 9.5}]"#);
        assert_eq!(matches(&mut table, "part", json!("1234567890.1234568")), 1, "as it is written there");
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
    fn tables_of_several_files_are_joined_and_only_the_own_one_is_matched() {
        let mut table = all_loaded(&[
            (DATA, FileFormat::Csv, b"order,customer,paid,code\n7,C-1,true,1.10\n8,C-2,false,1.1\n".to_vec()),
            ("customers", FileFormat::Json, br#"[{"id": "C-1", "vip": true, "code": 1.1}]"#.to_vec()),
            ("written", FileFormat::Csv, b"id\nC-1\n".to_vec()),
        ])
        .expect("loads");
        for (query, rows) in [
            ("SELECT count(*) FROM data", json!([[2]])),
            (
                "SELECT d.\"order\", c.vip FROM data d JOIN customers c ON c.id = d.customer WHERE d.paid = 'true'",
                json!([[7, true]]),
            ),
            ("SELECT vip FROM Customers", json!([[true]])),
            ("SELECT id FROM written", json!([["C-1"]])),
            ("SELECT count(*) FROM data LEFT JOIN customers ON id = customer WHERE id IS NULL", json!([[1]])),
        ] {
            assert_eq!(select(&mut table, query, &[]), rows, "{query}");
        }
        for query in ["SELECT 1 FROM others", "SELECT vip FROM data", "SELECT 1 FROM \"customers.csv\""] {
            let refused = table.ask(&sql(query, &[]), &limits()).expect_err(query);
            assert_eq!(refused.cause, Cause::Refused, "{refused}");
        }
        assert_eq!(matches(&mut table, "code", json!("1.10")), 1, "as it is written");
        let columns = vec![("vip".to_owned(), json!(true))];
        let refused = table.ask(&Request::Match { columns, ignore_case: Vec::new() }, &limits());
        let words = "the file has no column vip; it has order, customer, paid, code";
        assert_eq!(refused.expect_err("is another's").message, words);
    }

    #[test]
    fn a_fault_of_a_further_file_names_its_table_and_one_bound_holds_for_all() {
        let own = (DATA, FileFormat::Csv, b"a\n1\n".to_vec());
        let further = ("customers", FileFormat::Csv, b",a\n1,2\n".to_vec());
        let refused = all_loaded(&[own.clone(), further]).err().expect("refused");
        assert_eq!(refused.message, "the table customers: the file's first line must name every column");
        let tables = [file(DATA, FileFormat::Csv, "a"), file("b", FileFormat::Csv, "b")];
        let rows = format!("a\n{}", "some text\n".repeat(5_000));
        let bounds = Bounds { bytes: 150_000, ..Bounds::default() };
        let load = |count: usize| {
            let bytes = tables.iter().map(|file| (vec![file], Ok(rows.clone().into_bytes())));
            super::table(bytes.take(count), true, bounds).err().map(|error| error.cause)
        };
        assert_eq!((load(1), load(2)), (None, Some(Cause::TooLarge)));
    }

    #[test]
    fn sheets_of_one_workbook_are_tables_beside_each_other() {
        let mut book = rust_xlsxwriter::Workbook::new();
        for (name, cells) in [("Orders", ["customer", "C-1"]), ("People", ["number", "C-1"])] {
            let sheet = book.add_worksheet().set_name(name).expect("named");
            for (row, cell) in (0..).zip(cells) {
                sheet.write(row, 0, cell).expect("written");
            }
        }
        let bytes = book.save_to_buffer().expect("saved");
        let of = |table: &str, sheet: &str| FileEndpoint {
            sheet: Some(sheet.to_owned()),
            ..file(table, FileFormat::Xlsx, "crm.xlsx")
        };
        let load = |tables: &[FileEndpoint]| {
            let files = std::iter::once((tables.iter().collect(), Ok(bytes.clone())));
            super::table(files, true, Bounds::default())
        };
        let mut table = load(&[of(DATA, "Orders"), of("people", "People")]).expect("loads");
        let joined = "SELECT number FROM data JOIN people ON number = customer";
        assert_eq!(select(&mut table, joined, &[]), json!([["C-1"]]));
        let refused = load(&[of(DATA, "Orders"), of("people", "Others")]).err().expect("refused");
        let words = "the table people: the workbook has no sheet Others; it has Orders, People";
        assert_eq!(refused.message, words);
        let unread = [of("a", "A"), of("b", "B")];
        let fault = Err(LookupError::new(Cause::File, "it is gone"));
        let files = std::iter::once((unread.iter().collect(), fault));
        let refused = super::table(files, true, Bounds::default()).err().expect("refused");
        assert_eq!(refused.message, "the table a: it is gone");
    }

    #[test]
    fn numbers_among_texts_are_joined_with_texts() {
        let mixed = br#"[{"id": 1001, "vip": true}, {"id": "C-1", "vip": false}]"#;
        let orders = b"order,customer\n7,1001\n8,C-1\n";
        for (own, further) in [
            ((FileFormat::Csv, &orders[..]), (FileFormat::Json, &mixed[..])),
            ((FileFormat::Json, &mixed[..]), (FileFormat::Csv, &orders[..])),
        ] {
            let mut table =
                all_loaded(&[(DATA, own.0, own.1.to_vec()), ("further", further.0, further.1.to_vec())])
                    .expect("loads");
            let joined = "SELECT count(*) FROM data JOIN further ON id = customer";
            assert_eq!(select(&mut table, joined, &[]), json!([[2]]));
            let one = "SELECT \"order\", vip FROM data, further WHERE id = customer AND id = ?";
            assert_eq!(select(&mut table, one, &["1001"]), json!([[7, true]]));
        }
        let mut table = all_loaded(&[
            (DATA, FileFormat::Json, mixed.to_vec()),
            ("further", FileFormat::Csv, orders.to_vec()),
        ])
        .expect("loads");
        for (value, count) in [(json!(1001), 1), (json!("1001"), 1), (json!("C-1"), 1), (json!("1"), 0)] {
            assert_eq!(matches(&mut table, "id", value.clone()), count, "{value}");
        }
    }

    #[test]
    fn a_workbook_that_begins_with_no_table_tells_of_its_other_sheets() {
        let mut book = rust_xlsxwriter::Workbook::new();
        let cover = book.add_worksheet().set_name("Cover").expect("named");
        cover.write(0, 0, "Orders").expect("written").write(0, 2, "of 2026").expect("written");
        book.add_worksheet().set_name("Orders").expect("named").write(0, 0, "id").expect("written");
        let book = book.save_to_buffer().expect("saved");
        let refused = all_loaded(&[(DATA, FileFormat::Xlsx, book)]).err().expect("refused");
        let words =
            "the file's first line must name every column; its sheet Cover was read, and it has Orders";
        assert_eq!(refused.message, words);
    }

    #[test]
    fn a_table_is_no_larger_than_memory_is_for() {
        let conn = Connection::open_in_memory().expect("opens");
        let columns = [Seen::default().column("a".into(), Kind::Text)];
        let rows = |sink: Sink<'_>| -> Result<(), LookupError> {
            (0..10_000).try_for_each(|_| sink(vec![Cell::Text("x".repeat(1_000))]))
        };
        let bounds = Bounds { bytes: 1 << 20, ..Bounds::default() };
        let refused = fill(&conn, DATA, &columns, Box::new(rows), bounds).expect_err("too large");
        assert_eq!(refused.cause, Cause::TooLarge, "{refused}");
        let late = Bounds { until: Instant::now(), ..Bounds::default() };
        assert_eq!(super::csv::parse(b"a\n1\n", late).err().expect("too late").cause, Cause::TooLarge);
    }

    #[test]
    fn every_column_has_a_name_of_its_own() {
        assert!(check_names(&["a", "b"]).is_ok());
        for bad in [&[][..], &["a", "", "b"], &["a", "A"]] {
            assert!(check_names(bad).is_err(), "{bad:?}");
        }
    }
}
