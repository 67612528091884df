//! Files: loaded once into an in-memory SQLite as the table `data`, indexed on what is matched, loaded again when
//! the file changes.

mod csv;
mod json;
mod origin;
mod slots;
mod xlsx;

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{
    Connection, ErrorCode,
    functions::{Context, FunctionFlags},
    params_from_iter,
    types::Value as Sql,
};
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::{
    Cause, Given, Limits, LookupError, Request, Rows, TenantFile, checked,
    ordering::{Comparisons, Ordered},
    sources::{self, Affinity},
    sql_check::SqlDialect,
    sqlite,
    turns::Turn,
};
use crate::{
    datasources::server::connection::{FileEndpoint, FileFormat},
    emails::server::address,
    rules::server::values,
};

/// A file is read whole, so it must fit: bytes.
const MAX_FILE: u64 = 256 << 20;
/// A table that is loaded, and with its indexes: bytes.
const MAX_TABLE: usize = 384 << 20;
const MAX_INDEXED: usize = 512 << 20;
/// Loading a file takes at most this.
const LOAD_TIME: Duration = Duration::from_secs(120);
/// A file that is too large is not loaded again for so long, unless it changes.
const RETRY: Duration = Duration::from_secs(600);
/// A file that somebody put there by hand is whole when it was not changed for so long: a copy that is under way is changed
/// all the time.
const SETTLED: Duration = Duration::from_secs(3);
/// A file that is changed all the time for so long is a log rather than a copy.
const RESTLESS: Duration = Duration::from_secs(20);
/// Floating-point numbers that are written with so many digits are told apart by them.
const MAX_DIGITS: usize = 17;
/// No number is longer, with its currency and all that sets its thousands apart: bytes.
const MAX_FIGURE: usize = 60;
/// Every integer up to this is a floating-point number too.
const MAX_EXACT: u64 = 1 << 53;
/// A function of SQL that puts addresses into the form of those in the fields of a message: in lower case, of which
/// SQLite's own knows ASCII alone, and their domains in ASCII.
pub const LOWER: &str = "flowengine_lower";

/// The loaded files.
#[derive(Default)]
pub struct Tables {
    slots: Arc<slots::Slots>,
    places: Arc<slots::Places>,
    /// Files that are still being written: since when, and when that was last seen.
    fresh: Mutex<HashMap<slots::Key, (Instant, Instant)>>,
}

/// What is kept of a file as it was at a time: its table, or why there is none.
struct Held {
    stamp: Stamp,
    since: Instant,
    table: Result<Table, LookupError>,
}

impl Held {
    fn is_of(&self, stamp: Stamp) -> bool {
        self.stamp == stamp && (self.table.is_ok() || self.since.elapsed() < RETRY)
    }
}

/// One loaded file.
struct Table {
    columns: Vec<Column>,
    /// The name of the number of a row, which no column has.
    row_number: &'static str,
    /// Whether the file is text: then what is written is matched, not what it says as a number.
    is_text: bool,
    /// By the column's place, and whether in lower case.
    indexed: HashSet<(usize, bool)>,
    bytes: u64,
    conn: Connection,
}

struct Column {
    name: String,
    kind: Kind,
    order: Order,
}

impl Column {
    fn holds_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::AsIs)
    }

    /// # Errors
    /// The data's, where the column is not ordered as numbers are beside the one that it is compared with.
    fn check_order(&self, ordered: &Ordered, number: &str, params: &[Value]) -> Result<(), LookupError> {
        let name = &self.name;
        let fault = match self.order {
            Order::AsItIs => return Ok(()),
            Order::Digits(digits) if ordered.suits_digits(digits, number, params) => return Ok(()),
            Order::Digits(digits) => format!(
                "the column {name} holds texts of {digits} digits each, so only a number of as many digits is more or less \
                 than one; write CAST({name} AS REAL) to take them for numbers"
            ),
            Order::Figures if ordered.is_by_number => return Ok(()),
            Order::Figures => format!(
                "the column {name} holds numbers as texts, so none is more or less than a number; write CAST({name} AS \
                 REAL) to take them for numbers"
            ),
            Order::Mixed => format!(
                "the column {name} holds values that are no numbers beside others that are, so none is more or less than a \
                 number; write CAST({name} AS REAL) to take them for 0"
            ),
            Order::Letters => format!(
                "the column {name} holds numbers as texts, so none is more or less than a number; in the file, they must be \
                 numbers, written such as 1234.50"
            ),
        };
        Err(LookupError::new(Cause::Refused, fault))
    }
}

/// What tells a changed file from the same.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Stamp {
    fn of(file: &File) -> Result<Self, LookupError> {
        let metadata = file.metadata().map_err(unreadable)?;
        Ok(Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }

    /// Whether it was changed within the last moments. A time in the future is some other clock's.
    fn is_fresh(&self) -> bool {
        self.modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age < SETTLED)
    }
}

/// What a parser makes of a file, having gone through it once. `rows` goes through it again.
struct Sheet<'b> {
    columns: Vec<String>,
    kinds: Vec<Kind>,
    orders: Vec<Order>,
    rows: EachRow<'b>,
}

/// Goes through the rows of a file.
type EachRow<'b> = Box<dyn FnOnce(Sink<'_>) -> Result<(), LookupError> + 'b>;

/// Takes the rows, one by one: all of them would not fit into memory.
type Sink<'s> = &'s mut dyn FnMut(Vec<Cell>) -> Result<(), LookupError>;

#[cfg(test)]
impl Sheet<'_> {
    fn all(self) -> Vec<Vec<Cell>> {
        let mut all = Vec::new();
        let mut take = |row| {
            all.push(row);
            Ok(())
        };
        (self.rows)(&mut take).expect("rows");
        all
    }
}

/// What loading a file may take.
#[derive(Clone, Copy)]
struct Bounds {
    bytes: usize,
    until: Instant,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: MAX_TABLE, until: Instant::now() + LOAD_TIME }
    }
}

impl Bounds {
    /// Counts a row of so many columns whose values have so many bytes.
    ///
    /// # Errors
    /// `Cause::TooLarge`.
    fn row(&mut self, columns: usize, bytes: usize) -> Result<(), LookupError> {
        self.check_time()?;
        // The row's number, and the sizes of its values.
        self.bytes = self.bytes.checked_sub(9 + columns + bytes).ok_or_else(too_many)?;
        Ok(())
    }

    fn check_time(&self) -> Result<(), LookupError> {
        if Instant::now() < self.until {
            return Ok(());
        }
        Err(LookupError::new(
            Cause::TooLarge,
            format!("the file takes longer than {} s to load", LOAD_TIME.as_secs()),
        ))
    }
}

fn too_many() -> LookupError {
    LookupError::new(
        Cause::TooLarge,
        format!(
            "the file holds more rows than can be loaded: as a table it takes more than {} MiB",
            MAX_TABLE >> 20
        ),
    )
}

#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Null,
    Boolean(bool),
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

    /// About how many bytes it takes.
    fn size(&self) -> usize {
        match self {
            Self::Null | Self::Boolean(_) => 0,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
        }
    }

    fn into_text(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(flag) => flag.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Real(real) => real.to_string(),
            Self::Text(text) => text,
        }
    }

    /// As a column of this kind holds it.
    fn fit(self, kind: Kind) -> Self {
        match (kind, self) {
            (Kind::Integer, Self::Text(text)) => {
                text.parse::<i64>().map_or_else(|_| Self::Text(text), Self::Integer)
            }
            (Kind::Real | Kind::Decimal, Self::Text(text)) => {
                text.parse::<f64>().map_or_else(|_| Self::Text(text), Self::Real)
            }
            (Kind::Text | Kind::AsIs, Self::Boolean(flag)) => Self::Text(flag.to_string()),
            (_, cell) => cell,
        }
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::types::Null.to_sql(),
            Self::Boolean(flag) => flag.to_sql(),
            Self::Integer(integer) => integer.to_sql(),
            Self::Real(real) => real.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}

/// What a column holds. A number that would become another (`007`, or one of 22 digits) is text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Integer,
    Real,
    /// Numbers that tell more by how they are written than by their value, such as `1.1` beside `1.10`: what is written
    /// is kept beside, and matched. Amounts, which all have as many places (`12.50`), are none of these.
    Decimal,
    Text,
    Boolean,
    /// Each value has its own type.
    AsIs,
}

impl Kind {
    /// The column's declared type (sqlite.org/datatype3.html, section 3.1).
    fn affinity(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real | Self::Decimal => "REAL",
            Self::Text => "TEXT",
            Self::Boolean => "BOOLEAN",
            Self::AsIs => "BLOB",
        }
    }
}

/// How a column is ordered beside a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// Numbers by what they are, or texts that say none.
    AsItIs,
    /// By letters, which is by number where both have as many digits: postcodes, the numbers of articles.
    Digits(usize),
    /// By letters, though SQLite makes a number of each beside one that was cast: `007`, `12`.
    Figures,
    /// By letters, though some are numbers beside what is none.
    Mixed,
    /// By letters, though all that say a number say it as a text, such as `12,50`.
    Letters,
}

/// What a text says as a number.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Written {
    Integer(i64),
    Real(f64),
    /// It would be read back as another text, of the same value.
    Decimal(f64),
    Text,
}

impl Written {
    fn of(text: &str) -> Self {
        if let Ok(integer) = text.parse::<i64>()
            && integer.to_string() == text
        {
            return Self::Integer(integer);
        }
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.starts_with('0') && !digits.starts_with("0.");
        // A whole number that is no i64 is a code.
        if !plain || leading_zero || !digits.contains('.') {
            return Self::Text;
        }
        let significant =
            digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
        match text.parse::<f64>() {
            Ok(real) if real.to_string() == text => Self::Real(real),
            Ok(real) if significant <= MAX_DIGITS => Self::Decimal(real),
            Ok(_) | Err(_) => Self::Text,
        }
    }
}

/// What was seen of a column.
#[derive(Clone, Copy, Default)]
struct Seen {
    boolean: bool,
    integer: bool,
    /// An integer that is no floating-point number.
    long: bool,
    real: bool,
    decimal: bool,
    /// How many places the numbers with a point have, so far all of them; 0 before the first.
    places: usize,
    /// Whether some have more than others.
    uneven: bool,
    text: bool,
    /// A text that says a number.
    figure: bool,
    /// A text of which SQLite makes no number.
    odd: bool,
    /// How many digits all have of which so far each is nothing else; 0 before the first.
    digits: usize,
    /// Whether some are something else, or have more digits than others.
    ragged: bool,
}

impl Seen {
    fn cell(&mut self, cell: &Cell) {
        match cell {
            Cell::Null => {}
            Cell::Boolean(_) => {
                self.boolean = true;
                self.ragged = true;
            }
            Cell::Integer(integer) => {
                self.integer(*integer);
                self.ragged = true;
            }
            Cell::Real(_) => {
                self.real = true;
                self.ragged = true;
            }
            Cell::Text(text) => {
                self.add_text(text);
                // An empty one is no code of another length.
                if !text.is_empty() {
                    self.count_digits(text);
                }
            }
        }
    }

    /// A cell of which only the text is known.
    fn text(&mut self, text: &str) {
        self.count_digits(text);
        match Written::of(text) {
            Written::Integer(integer) => self.integer(integer),
            Written::Real(_) => self.written(text),
            Written::Decimal(_) => {
                self.written(text);
                self.decimal = true;
            }
            Written::Text => self.add_text(text),
        }
    }

    fn integer(&mut self, integer: i64) {
        self.integer = true;
        self.long |= integer.unsigned_abs() > MAX_EXACT;
    }

    fn add_text(&mut self, text: &str) {
        self.text = true;
        self.figure = self.figure || says_number(text);
        self.odd |= text.len() > MAX_DIGITS || values::plain(text).is_none();
    }

    fn count_digits(&mut self, text: &str) {
        let digits = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.len() } else { 0 };
        self.ragged |= digits == 0 || self.digits != 0 && self.digits != digits;
        self.digits = digits;
    }

    fn written(&mut self, text: &str) {
        self.real = true;
        let places = text.len() - text.find('.').map_or(0, |point| point + 1);
        self.uneven |= self.places != 0 && self.places != places;
        self.places = places;
    }

    /// Whether some are numbers, and not all of them can be held as numbers.
    fn is_mixed(&self) -> bool {
        (self.integer || self.real) && (self.text || self.boolean || self.real && self.long)
    }

    fn order(&self) -> Order {
        match self {
            Self { text: true, ragged: false, digits: 1.., .. } => Order::Digits(self.digits),
            Self { figure: true, odd: false, boolean: false, .. } => Order::Figures,
            _ if self.is_mixed() => Order::Mixed,
            Self { figure: true, .. } => Order::Letters,
            _ => Order::AsItIs,
        }
    }

    /// What holds everything; `mixed`, if nothing but that does.
    fn kind(self, mixed: Kind) -> Kind {
        match (self.boolean, self.integer, self.real, self.text) {
            (false, false, false, _) => Kind::Text,
            (true, false, false, false) => Kind::Boolean,
            (false, true, false, false) => Kind::Integer,
            (false, _, true, false) if !self.long && self.decimal && self.uneven => Kind::Decimal,
            (false, _, true, false) if !self.long => Kind::Real,
            _ => mixed,
        }
    }
}

/// Whether a text says a number, alone or with its currency.
fn says_number(text: &str) -> bool {
    text.len() <= MAX_FIGURE
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && (values::number(text).is_some() || values::money(text).is_some())
}

impl Tables {
    /// Whether a file that was just changed is left alone for now. One that never rests is read as it is, after a while.
    fn puts_off(&self, key: &slots::Key) -> bool {
        let now = Instant::now();
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.retain(|_, (_, seen)| now.duration_since(*seen) < RESTLESS);
        let (since, seen) = fresh.entry(key.clone()).or_insert((now, now));
        *seen = now;
        now.duration_since(*since) < RESTLESS
    }

    /// Whoever is not patient enough for a large file to be loaded finds it loaded the next time: the loading
    /// goes on without him, in its tenant's place. The turn goes with the asking.
    pub async fn ask(
        &self,
        file: TenantFile,
        endpoint: &FileEndpoint,
        request: &Request,
        limits: &Limits,
        turn: Arc<Turn>,
    ) -> Result<Rows, LookupError> {
        let stamp = Stamp::of(&file.handle)?;
        if stamp.length > MAX_FILE {
            return Err(LookupError::new(
                Cause::TooLarge,
                format!("the file is larger than {} MiB", MAX_FILE >> 20),
            ));
        }
        let key = slots::Key::new(&file.folder, &file.path, endpoint);
        let slot = self.slots.take(&key);
        let mut held = Arc::clone(&slot.held).lock_owned().await;
        if held.as_ref().is_none_or(|held| !held.is_of(stamp)) {
            // Half of it would be read as the whole.
            if stamp.is_fresh() && !file.is_whole && self.puts_off(&key) {
                return Err(being_written());
            }
            let slots = Arc::clone(&self.slots);
            let settle = {
                let (key, slot) = (key.clone(), Arc::clone(&slot));
                move |bytes| slots.settle(&key, &slot, bytes)
            };
            let (places, folder, endpoint) =
                (Arc::clone(&self.places), file.folder.clone(), endpoint.clone());
            let loading = tokio::spawn(async move {
                let place = places.take(&folder, stamp.length).await;
                let load = move || {
                    let loaded = load_into(held, file, &endpoint, stamp, settle);
                    drop(place);
                    loaded
                };
                tokio::task::spawn_blocking(load).await.unwrap_or_else(|_| Err(broken_off()))
            });
            held = loading.await.unwrap_or_else(|_| Err(broken_off()))?;
        }
        let (slots, request, limits) = (Arc::clone(&self.slots), request.clone(), limits.clone());
        let asking = move || {
            let answer = match held.as_mut().map(|held| &mut held.table) {
                Some(Ok(table)) => {
                    let bytes = table.bytes;
                    let answer = table.ask(&request, &limits);
                    if table.bytes != bytes {
                        slots.settle(&key, &slot, table.bytes);
                    }
                    answer
                }
                Some(Err(error)) => Err(error.clone()),
                None => Err(LookupError::new(Cause::Busy, "the file is being loaded")),
            };
            drop((held, slot, turn));
            answer
        };
        tokio::task::spawn_blocking(asking).await.unwrap_or_else(|_| Err(broken_off()))
    }
}

/// Loads a file into its slot, and says how large it has become. That it is too large is kept as well, or it would be
/// loaded for each look-up.
fn load_into(
    mut held: OwnedMutexGuard<Option<Held>>,
    file: TenantFile,
    endpoint: &FileEndpoint,
    stamp: Stamp,
    settle: impl FnOnce(u64),
) -> Result<OwnedMutexGuard<Option<Held>>, LookupError> {
    *held = None;
    let table = load(file, endpoint, stamp);
    settle(table.as_ref().map_or(0, |table| table.bytes));
    match table {
        Err(error) if error.cause != Cause::TooLarge => Err(error),
        table => {
            *held = Some(Held { stamp, since: Instant::now(), table });
            Ok(held)
        }
    }
}

/// What is asked of a table.
struct Asked {
    query: String,
    params: Vec<Value>,
    from_message: Vec<bool>,
    /// The table, where the query is somebody's.
    tables: Vec<sources::Table>,
}

impl Asked {
    fn given(&self) -> Given<'_> {
        Given { params: &self.params, from_message: &self.from_message }
    }
}

impl Table {
    fn ask(&mut self, request: &Request, limits: &Limits) -> Result<Rows, LookupError> {
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

    /// By letters, 10 is less than 5: where a single cell says `n/a`, a column of numbers is one of texts.
    ///
    /// # Errors
    /// The data's, where a query orders such a column by a number.
    fn check_order(&self, asked: &Asked) -> Result<(), LookupError> {
        if self.columns.iter().all(|column| column.order == Order::AsItIs) {
            return Ok(());
        }
        let params = &asked.params;
        let checked = checked(&asked.query, SqlDialect::Sqlite, params.len())?;
        for ordered in Comparisons::of(&checked.sql, &asked.tables).ordered {
            let Some(number) = ordered.number(params) else { continue };
            let mut columns = ordered.source.columns.iter().filter_map(|place| self.columns.get(*place));
            columns.try_for_each(|column| column.check_order(&ordered, &number, params))?;
        }
        Ok(())
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

fn unreadable(error: io::Error) -> LookupError {
    LookupError::new(cause_of(&error), format!("the file cannot be read: {error}"))
}

/// Of a file that cannot be opened or read, whether that stays so, or is trouble of the disk or of this server that passes.
pub fn cause_of(error: &io::Error) -> Cause {
    use io::ErrorKind::{InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | NotADirectory | InvalidInput | PermissionDenied => Cause::File,
        _ => Cause::Answer,
    }
}

/// Tried again: soon it is whole.
fn being_written() -> LookupError {
    let words =
        "the file was changed a moment ago, and may still be being written: it is read in some seconds";
    LookupError::new(Cause::Busy, words)
}

fn broken_off() -> LookupError {
    LookupError::new(Cause::Answer, "the file's loading broke off")
}

fn load(mut file: TenantFile, endpoint: &FileEndpoint, stamp: Stamp) -> Result<Table, LookupError> {
    let mut bytes = Vec::with_capacity(usize::try_from(stamp.length).unwrap_or_default());
    file.handle.by_ref().take(MAX_FILE).read_to_end(&mut bytes).map_err(unreadable)?;
    if Stamp::of(&file.handle)? != stamp {
        return Err(being_written());
    }
    table(bytes, endpoint, Bounds::default())
}

fn table(bytes: Vec<u8>, endpoint: &FileEndpoint, bounds: Bounds) -> Result<Table, LookupError> {
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
        .zip(sheet.kinds.into_iter().zip(sheet.orders))
        .map(|(name, (kind, order))| match kind {
            Kind::Decimal if row_number.is_none() => Column { name, kind: Kind::Text, order: Order::Mixed },
            kind => Column { name, kind, order },
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
mod tests {
    use serde_json::json;

    use super::*;

    fn loaded(format: FileFormat, bytes: impl Into<Vec<u8>>) -> Table {
        let endpoint = FileEndpoint { path: "a".into(), format, sheet: None, rows: None };
        table(bytes.into(), &endpoint, Bounds::default()).expect("loads")
    }

    fn limits() -> Limits {
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

    fn sql(query: &str, params: &[&str]) -> Request {
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
    fn a_number_that_would_become_another_is_none() {
        for (text, written) in [
            ("7", Written::Integer(7)),
            ("-7", Written::Integer(-7)),
            ("1.5", Written::Real(1.5)),
            ("52.5200066", Written::Real(52.520_006_6)),
            ("1.50", Written::Decimal(1.5)),
            ("0.00", Written::Decimal(0.0)),
            ("", Written::Text),
            ("007", Written::Text),
            ("-0", Written::Text),
            ("+7", Written::Text),
            ("1e5", Written::Text),
            ("1.2.3", Written::Text),
            ("9400111899223197428490", Written::Text),
            ("0.12345678901234567890", Written::Text),
        ] {
            assert_eq!(Written::of(text), written, "{text}");
        }
        assert_ne!(
            Written::of("52.520006599999998"),
            Written::Text,
            "as many programs write a place on Earth"
        );
    }

    #[test]
    fn numbers_that_are_texts_are_not_ordered_by_letters() {
        let csv = loaded(
            FileFormat::Csv,
            "sku;stock;price;zip;code;due;name;size\nA;10;12,50;01067;007;2026-11-10;Ann;5 EUR\n\
             B;n/a;9,00;10115;010;2026-12-01;Bob;12 EUR\n",
        );
        for (column, order) in [
            ("sku", Order::AsItIs),
            ("stock", Order::Mixed),
            ("price", Order::Letters),
            ("zip", Order::Digits(5)),
            ("code", Order::Digits(3)),
            ("due", Order::AsItIs),
            ("name", Order::AsItIs),
            ("size", Order::Letters),
        ] {
            let found = csv.columns.iter().find(|found| found.name == column).expect("a column");
            assert_eq!(found.order, order, "{column}");
        }
        let rows = r#"[{"words": "10", "mixed": 10, "even": "10", "n": 10},
            {"words": "9", "mixed": "n/a", "even": "20", "n": 9}]"#;
        let mut tables = [csv, loaded(FileFormat::Json, rows)];
        let (csv, json) = (0, 1);
        for (table, condition, param, count) in [
            (csv, "stock >= ?", "5", None),
            (csv, "? BETWEEN 'a' AND stock", "5,5", None),
            (csv, "stock = ?", "10", Some(1)),
            (csv, "price >= 100 OR sku = ?", "A", None),
            (csv, "price <> ?", "9,00", Some(1)),
            (csv, "size < ?", "7", None),
            (csv, "zip >= ?", "10000", Some(1)),
            (csv, "zip >= 10000 AND sku <> ?", "x", Some(1)),
            (csv, "zip >= ?", "5", None),
            (csv, "zip = ?", "01067", Some(1)),
            (csv, "code < ?", "008", Some(1)),
            // Of what is worked out, SQLite makes a text beside a column of texts, and leaves texts alone beside a number.
            (csv, "price > CAST(? AS REAL)", "10", None),
            (csv, "price > ? * 1.1", "10", None),
            (csv, "price > 100 * 2 AND sku <> ?", "x", None),
            (csv, "price > (SELECT avg(stock) FROM data) AND sku <> ?", "x", None),
            (csv, "replace(price, ',', '.') > ?", "10", None),
            (csv, "trim(price) > ?", "10", None),
            (csv, "CAST(replace(price, ',', '.') AS REAL) > ?", "10", Some(1)),
            (csv, "zip > CAST(? AS INTEGER)", "5000", Some(1)),
            (csv, "zip > ? + 1", "5000", None),
            (csv, "trim(zip) >= ?", "10000", Some(1)),
            (csv, "trim(zip) >= 10000 AND sku <> ?", "x", None),
            // A range of prefixes.
            (csv, "zip >= '10' AND zip < '15' AND sku <> ?", "x", Some(1)),
            (csv, "price >= '10' AND sku <> ?", "x", None),
            (csv, "due < ?", "2026-11-30", Some(1)),
            (csv, "name < ?", "Az", Some(1)),
            (csv, "CAST(stock AS REAL) >= ?", "5", Some(1)),
            (json, "words >= ?", "5", None),
            (json, "words > CAST(? AS REAL)", "9.5", Some(1)),
            (json, "mixed >= ?", "5", None),
            (json, "mixed = ?", "10", Some(1)),
            (json, "even >= ?", "15", Some(1)),
            (json, "n >= ?", "9.5", Some(1)),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &[param]);
            let found = tables[table].ask(&asked, &limits()).map(|rows| rows.rows.len());
            let found = found.map_err(|error| error.cause);
            assert_eq!(found, count.ok_or(Cause::Refused), "{condition} {param}");
        }
    }

    #[test]
    fn numbers_that_are_texts_are_known_wherever_a_query_takes_them() {
        let mut table = loaded(
            FileFormat::Csv,
            "sku;stock;price;zip;due;qty\nA;10;12,50;01067;2026-11-10;7\nB;n/a;9,00;10115;2026-12-01;12\n",
        );
        let recursive = |condition: &str| {
            format!(
                "WITH RECURSIVE r(n, a, b) AS (SELECT 1, qty, price FROM data \
                 UNION ALL SELECT n + 1, b, a FROM r WHERE n < 3) SELECT 1 FROM r WHERE {condition}"
            )
        };
        let swapped = [recursive("a > ?"), recursive("n >= ?")];
        for (query, param, count) in [
            ("WITH p AS (SELECT price FROM data) SELECT 1 FROM p WHERE price > ?", "10", None),
            ("WITH p AS (SELECT * FROM data) SELECT 1 FROM p WHERE price > '10' AND sku <> ?", "x", None),
            (
                "WITH p AS (SELECT * FROM data) SELECT 1 FROM p WHERE due > '2026-11-11' AND sku <> ?",
                "x",
                Some(1),
            ),
            ("WITH p(a, b, c, d, e, f) AS (SELECT * FROM data) SELECT 1 FROM p WHERE c > ?", "10", None),
            ("WITH p(a, b, c, d, e, f) AS (SELECT * FROM data) SELECT 1 FROM p WHERE f > ?", "10", Some(1)),
            // Under the name of another column.
            ("SELECT 1 FROM (SELECT price AS qty FROM data) WHERE qty > ?", "10", None),
            ("SELECT 1 FROM (SELECT qty AS price FROM data) WHERE price > ?", "10", Some(1)),
            ("SELECT 1 FROM (SELECT CAST(stock AS REAL) AS stock FROM data) WHERE stock > ?", "5", Some(1)),
            (
                "SELECT 1 FROM (SELECT * FROM (SELECT d.price AS p FROM data d) AS x) AS y WHERE y.p >= ?",
                "5",
                None,
            ),
            (
                "WITH p AS (SELECT price AS v FROM data) \
                 SELECT 1 FROM (WITH p AS (SELECT qty AS v FROM data) SELECT v FROM p) WHERE v > ?",
                "10",
                Some(1),
            ),
            // Of several, any may be one.
            (
                "SELECT 1 FROM (SELECT qty AS n FROM data UNION ALL SELECT stock FROM data) WHERE n > ?",
                "5",
                None,
            ),
            (
                "SELECT 1 FROM (SELECT qty AS n FROM data EXCEPT SELECT stock FROM data) WHERE n > ?",
                "10",
                Some(1),
            ),
            (
                "SELECT 1 FROM data JOIN (SELECT sku, qty AS n FROM data) USING (sku) WHERE n > ?",
                "10",
                Some(1),
            ),
            ("SELECT 1 FROM data WHERE CASE WHEN sku = 'A' THEN price ELSE 0 END > ?", "10", None),
            ("SELECT 1 FROM data WHERE (price, 1) > (?, 1)", "10", None),
            // Of the query around it, and of one in the place of a value.
            ("SELECT 1 FROM data d WHERE EXISTS (SELECT 1 FROM data WHERE d.price > ?)", "10", None),
            ("SELECT 1 FROM data WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS one) WHERE price > ?)", "10", None),
            (
                "SELECT 1 FROM data WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS price) WHERE price > ?)",
                "0",
                Some(2),
            ),
            ("SELECT 1 FROM data WHERE (SELECT max(price) FROM data) > ?", "10", None),
            ("SELECT 1 FROM data WHERE (SELECT max(CAST(price AS REAL)) FROM data) > ?", "10", Some(2)),
            // What it is compared with comes from elsewhere.
            ("WITH least AS (SELECT ? AS n) SELECT 1 FROM data, least WHERE price > n", "10", None),
            ("WITH least AS (SELECT ? AS n) SELECT 1 FROM data, least WHERE qty > n", "10", Some(1)),
            (
                "WITH p AS (SELECT ? AS n) SELECT 1 FROM p WHERE (SELECT count(*) FROM data) = p.n",
                "2",
                Some(1),
            ),
            (
                "WITH least(n) AS (VALUES ('10')) SELECT 1 FROM data, least WHERE stock > n AND sku <> ?",
                "x",
                None,
            ),
            // By letters, which is by number: but a number in the query is none of the texts.
            ("WITH p AS (SELECT zip FROM data) SELECT 1 FROM p WHERE zip >= ?", "10000", Some(1)),
            ("WITH p AS (SELECT zip FROM data) SELECT 1 FROM p WHERE zip >= ?", "5", None),
            ("SELECT 1 FROM data GROUP BY sku HAVING max(zip) >= '10000' AND sku <> ?", "x", Some(1)),
            ("SELECT 1 FROM data GROUP BY sku HAVING max(zip) >= 10000 AND sku <> ?", "x", None),
            // In one round it is in the one column, and in the next in the other.
            (swapped[0].as_str(), "10", None),
            (swapped[1].as_str(), "3", Some(2)),
        ] {
            let found = table.ask(&sql(query, &[param]), &limits()).map(|rows| rows.rows.len());
            let found = found.map_err(|error| error.cause);
            assert_eq!(found, count.ok_or(Cause::Refused), "{query} {param}");
        }
        let ahead =
            "WITH a AS (SELECT v FROM b), b AS (SELECT qty AS v FROM data) SELECT 1 FROM a WHERE v > ?";
        let refused = table.ask(&sql(ahead, &["10"]), &limits()).expect_err("is not followed");
        assert!(refused.message.ends_with("write CAST(v AS REAL) to take them for numbers"), "{refused}");
    }

    #[test]
    fn trouble_of_the_disk_passes_and_a_file_that_is_not_there_does_not() {
        use nix::errno::Errno;
        for (error, cause) in [
            (io::Error::from(Errno::EIO), Cause::Answer),
            (io::Error::from(Errno::ESTALE), Cause::Answer),
            (io::Error::from(Errno::EMFILE), Cause::Answer),
            (io::Error::from(Errno::ENFILE), Cause::Answer),
            (io::Error::from(Errno::ETIMEDOUT), Cause::Answer),
            (io::Error::from(Errno::ENOMEM), Cause::Answer),
            (io::Error::from(Errno::ENOENT), Cause::File),
            (io::Error::from(Errno::ENOTDIR), Cause::File),
            (io::Error::from(Errno::EACCES), Cause::File),
            (io::Error::from(Errno::EPERM), Cause::File),
            (io::Error::from(io::ErrorKind::InvalidInput), Cause::File),
        ] {
            let words = error.to_string();
            assert_eq!(unreadable(error).cause, cause, "{words}");
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
        let columns = [Column { name: "a".into(), kind: Kind::Text, order: Order::AsItIs }];
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
