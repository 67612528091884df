//! Asking a datasource. A look-up arrives here rendered: its values are data, and stay data.

mod breaker;
mod case;
mod file;
mod http_api;
pub mod json_path;
pub mod masking;
mod mysql;
mod oauth;
mod ordering;
mod pools;
mod postgres;
mod sources;
pub mod sql_check;
mod sqlite;
mod turns;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use serde_json::Value;
use tokio::{sync::OnceCell, time::timeout};
use tracing::Instrument;

pub use self::breaker::Asker;
use super::connection::{Connection, Endpoint, FileEndpoint, HttpEndpoint};
use crate::{
    files::server::{
        service as files,
        store::{Store, Uploaded},
    },
    rules::server::values,
    server::{
        Database, aside,
        config::Config,
        edge::metrics::LookupFigures,
        error::chain,
        outbound::{Fence, Fenced},
        telemetry,
        text::shorten,
    },
    shared::TenantId,
};

/// A rendered look-up, as evidence shows it. No secret is in it: those are added on the way out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// A query over a database, or over files: a config's own is the table `data`.
    Sql {
        query: String,
        params: Vec<Value>,
        /// Of each parameter, whether the message has a part in its value: it is to blame for that, and the rule for others.
        #[serde(skip)]
        from_message: Vec<bool>,
    },
    /// Rows of a file whose columns equal these values; that are empty, where the value is `null`.
    Match {
        #[serde(rename = "match")]
        columns: Vec<(String, Value)>,
        /// The columns of addresses, which are compared without regard to case and to how a domain is written.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        ignore_case: Vec<String>,
    },
    /// An HTTP request below the config's base URL. `path` is encoded.
    Api {
        method: String,
        path: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        query: Vec<(String, String)>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        status: Vec<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<json_path::JsonPath>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        rows_optional: bool,
    },
}

impl Request {
    /// As evidence shows it; pairs become members.
    pub fn evidence(&self) -> Value {
        let members = |pairs: &[(String, String)]| {
            pairs.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<serde_json::Map<_, _>>()
        };
        let mut value = serde_json::to_value(self).unwrap_or_default();
        match self {
            Self::Sql { .. } => {}
            Self::Match { columns, .. } => {
                value["match"] = Value::Object(columns.iter().cloned().collect());
            }
            Self::Api { query, headers, .. } => {
                if !query.is_empty() {
                    value["query"] = Value::Object(members(query));
                }
                if !headers.is_empty() {
                    value["headers"] = Value::Object(members(headers));
                }
            }
        }
        value
    }

    /// What was asked for, in words that fit into a sentence.
    pub fn subject(&self) -> String {
        let values = self.values();
        values.iter().map(|value| shorten(value, 80)).collect::<Vec<_>>().join(", ")
    }

    /// The values that the message put in, for a sentence such as "no row for a@b.example".
    pub fn values(&self) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self {
            Self::Sql { params, .. } => params.iter().map(text).collect(),
            Self::Match { columns, .. } => columns.iter().map(|(_, value)| text(value)).collect(),
            Self::Api { method, path, query, .. } => {
                let mut url = format!("{method} {path}");
                for (i, (name, value)) in query.iter().enumerate() {
                    url.push_str(if i == 0 { "?" } else { "&" });
                    url.push_str(&format!("{name}={value}"));
                }
                vec![url]
            }
        }
    }
}

/// What a query is given: the values of its parameters, and which of them are the message's.
#[derive(Clone, Copy)]
struct Given<'r> {
    params: &'r [Value],
    from_message: &'r [bool],
}

impl Given<'_> {
    /// Why a look-up ends whose parameter at this place cannot be what the query takes it for.
    fn blame(self, place: usize) -> Cause {
        if self.from_message.get(place).is_some_and(|is_of_message| *is_of_message) {
            Cause::Unfit
        } else {
            Cause::Rule
        }
    }
}

/// What a datasource answered. Each row has as many values as there are columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    /// Whether there were more rows than the limit.
    pub truncated: bool,
    /// Which cells, by row and by column, are numbers in texts: decimals with more digits than a JSON number has, and an API's
    /// whole numbers of more than 64 bits. A whole number of a database is none of them: it may be a consignment's.
    pub decimals: HashSet<(usize, usize)>,
}

impl Rows {
    /// A row has at most this many columns.
    pub const MAX_COLUMNS: usize = 500;

    /// PostgreSQL stores no NUL, and evidence is stored.
    fn storable(mut self) -> Self {
        fn clean(text: &mut String) {
            if text.contains('\0') {
                *text = text.replace('\0', "\u{fffd}");
            }
        }
        fn clean_value(value: &mut Value) {
            match value {
                Value::String(text) => clean(text),
                Value::Array(items) => items.iter_mut().for_each(clean_value),
                Value::Object(members) => {
                    if members.keys().any(|name| name.contains('\0')) {
                        *members = std::mem::take(members)
                            .into_iter()
                            .map(|(name, value)| (name.replace('\0', "\u{fffd}"), value))
                            .collect();
                    }
                    members.values_mut().for_each(clean_value);
                }
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
        self.columns.iter_mut().for_each(clean);
        self.rows.iter_mut().flatten().for_each(clean_value);
        self
    }

    /// No two columns have the same name: a rule and its evidence would each speak of another. The second `status` of a
    /// join is `status_2`.
    fn named_apart(mut self) -> Self {
        let mut taken: HashSet<String> = self.columns.iter().cloned().collect();
        let mut seen = HashSet::new();
        for column in &mut self.columns {
            if !seen.insert(column.clone()) {
                let own = (2..).map(|number| format!("{column}_{number}")).find(|name| !taken.contains(name));
                *column = own.unwrap_or_default();
                taken.insert(column.clone());
            }
        }
        self
    }
}

/// A decimal number as it is written: a JSON number where that says exactly the same, a text otherwise.
fn number(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    match (values::plain(text), text.parse::<f64>()) {
        (Some(_), Ok(real)) if values::is_same_number(text, &real.to_string()) => real.into(),
        _ => text.into(),
    }
}

/// Collects rows within the bounds of a look-up.
struct Bounded<'l> {
    rows: Rows,
    bytes: usize,
    limits: &'l Limits,
}

impl<'l> Bounded<'l> {
    fn new(limits: &'l Limits) -> Self {
        Self { rows: Rows::default(), bytes: 0, limits }
    }

    /// Whether there is no room for another row, which then counts as cut.
    fn is_full(&mut self) -> bool {
        self.rows.truncated = self.rows.rows.len() == self.limits.max_rows;
        self.rows.truncated
    }

    /// # Errors
    /// More bytes than are allowed.
    fn push(&mut self, row: Vec<Value>, bytes: usize) -> Result<(), LookupError> {
        self.bytes += bytes;
        if self.bytes > self.limits.max_bytes {
            return Err(self.limits.too_large());
        }
        self.rows.rows.push(row);
        Ok(())
    }

    /// About how much a row of values takes.
    fn size(row: &[Value]) -> usize {
        row.iter().map(|value| value.as_str().map_or(8, str::len)).sum()
    }
}

/// Checks a query, and that the rule gives as many parameters as it takes.
fn checked(
    query: &str,
    dialect: sql_check::SqlDialect,
    given: usize,
) -> Result<sql_check::CheckedQuery, LookupError> {
    let checked = sql_check::check(query, dialect)
        .map_err(|fault| LookupError::new(Cause::Rule, format!("the query {fault}")))?;
    if checked.params != given {
        return Err(LookupError::new(
            Cause::Rule,
            format!("the query takes {} parameters and the rule gives {given}", checked.params),
        ));
    }
    Ok(checked)
}

/// The datasource could not be asked, or its answer is none. Never a verdict on the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LookupError {
    /// A sentence without secrets.
    pub message: String,
    pub cause: Cause,
    /// For how long the datasource wants to be left alone, where it says so.
    pub retry_after: Option<Duration>,
}

/// Where a look-up ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What is asked, or how, does not fit the datasource: the rule or the config is at fault.
    Rule,
    /// The host's name leads nowhere.
    Name,
    /// The address is out of bounds.
    Fenced,
    /// The connection failed or broke off.
    Broken,
    Tls,
    Credentials,
    Permission,
    Database,
    /// The file is not there, or is none that can be read.
    File,
    Sheet,
    /// It refused what was asked, or its answer lacks what the rule looks for.
    Refused,
    /// It answered that it is in trouble, or what is no answer.
    Answer,
    TooLarge,
    /// It took longer than is allowed.
    Time,
    /// It was not asked: others had their turn.
    Busy,
    /// It was not asked: it failed too often (see `breaker`).
    Paused,
    /// The message's own value cannot be asked for, such as "abc" for a number.
    Unfit,
}

impl Cause {
    /// Of a look-up that failed, why, for the figures.
    fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Name => "name",
            Self::Fenced => "fenced",
            Self::Broken => "broken",
            Self::Tls => "tls",
            Self::Credentials => "credentials",
            Self::Permission => "permission",
            Self::Database => "database",
            Self::File => "file",
            Self::Sheet => "sheet",
            Self::Refused => "refused",
            Self::Answer => "answer",
            Self::TooLarge => "too_large",
            Self::Time => "time",
            Self::Busy => "busy",
            Self::Paused => "paused",
            Self::Unfit => "unfit",
        }
    }
}

impl LookupError {
    pub fn new(cause: Cause, message: impl Into<String>) -> Self {
        Self { message: message.into(), cause, retry_after: None }
    }

    /// Whether trying again may help.
    pub fn transient(&self) -> bool {
        match self.cause {
            Cause::Name | Cause::Broken | Cause::Answer | Cause::Time | Cause::Busy | Cause::Paused => true,
            Cause::Rule
            | Cause::Fenced
            | Cause::Tls
            | Cause::Credentials
            | Cause::Permission
            | Cause::Database
            | Cause::File
            | Cause::Sheet
            | Cause::Refused
            | Cause::TooLarge
            | Cause::Unfit => false,
        }
    }

    /// Whether it is no fault of the datasource but the message's, and so a verdict.
    pub fn unfit(&self) -> bool {
        self.cause == Cause::Unfit
    }
}

/// A name that does not resolve may do so a minute later; an address out of bounds stays so.
impl From<Fenced> for LookupError {
    fn from(fenced: Fenced) -> Self {
        match fenced {
            Fenced::Forbidden(_) => Self::new(Cause::Fenced, fenced.to_string()),
            Fenced::Unresolved(_) => Self::new(Cause::Name, fenced.to_string()),
        }
    }
}

/// The bounds of one look-up.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub max_rows: usize,
    pub max_bytes: usize,
}

impl Limits {
    fn too_large(&self) -> LookupError {
        LookupError::new(Cause::TooLarge, format!("the answer is larger than {} bytes", self.max_bytes))
    }
}

/// The connections that look-ups keep, and the fence around them.
pub struct Lookups {
    fence: Fence,
    limits: Limits,
    files_root: PathBuf,
    /// Knows what was uploaded, by whichever server.
    database: Option<Database>,
    turns: turns::Turns,
    /// Of the look-ups of one message, how many run at once, and how many with one config.
    at_once: (usize, usize),
    http: http_api::HttpApi,
    postgres: postgres::PostgresLookups,
    mysql: pools::Pools<sqlx::MySql>,
    files: file::Tables,
    breakers: breaker::Breakers,
    figures: LookupFigures,
}

impl Lookups {
    pub fn new(config: &Config) -> Self {
        let lookups = &config.lookups;
        let limits = Limits {
            connect_timeout: lookups.connect_timeout,
            timeout: lookups.timeout,
            max_rows: lookups.max_rows,
            max_bytes: lookups.max_bytes,
        };
        let fence = Fence::new(&lookups.allow_networks);
        Self {
            http: http_api::HttpApi::new(&fence, &limits),
            postgres: postgres::PostgresLookups::default(),
            mysql: pools::Pools::default(),
            files: file::Tables::default(),
            breakers: breaker::Breakers::default(),
            figures: LookupFigures::default(),
            files_root: config.files_root(),
            database: None,
            turns: turns::Turns::new(lookups.concurrency, lookups.concurrency_per_config),
            at_once: (lookups.concurrency, lookups.concurrency_per_config),
            fence,
            limits,
        }
    }

    /// Holds files against what the database knows of them: a folder that is not shared, as it should be, has others.
    pub fn knowing(self, database: Database) -> Self {
        Self { database: Some(database), ..self }
    }

    /// Asks. Bounded in time, rows, bytes and, per config and tenant, in number at once.
    ///
    /// # Errors
    /// `LookupError`, whatever goes wrong.
    pub async fn ask(&self, connection: &Connection, request: &Request) -> Result<Rows, LookupError> {
        self.ask_for(Asker::Mail, connection, request).await
    }

    /// As `ask`, for whoever it is.
    ///
    /// # Errors
    /// `LookupError`.
    pub async fn ask_for(
        &self,
        asker: Asker,
        connection: &Connection,
        request: &Request,
    ) -> Result<Rows, LookupError> {
        let started = Instant::now();
        let (tenant, config) = (&connection.tenant, connection.config_id.0);
        let kind = connection.endpoint.word();
        let span = tracing::info_span!(target: telemetry::TRACES, "look_up", kind, %tenant, config);
        let asking = async {
            let uploaded = self.uploaded(connection).await?;
            self.bounded(asker, connection, |turn| self.ask_now(connection, request, &uploaded, turn)).await
        };
        let answer = asking.instrument(span.clone()).await;
        let outcome = answer.as_ref().map_or_else(|error| error.cause.word(), |_| "answered");
        self.figures.asked(outcome, started.elapsed());
        if answer.is_err() {
            telemetry::failed(&span, outcome);
        }
        answer.map(|rows| rows.storable().named_apart()).map_err(|mut error| {
            error.message = error.message.replace('\0', "\u{fffd}");
            error
        })
    }

    /// For the look-ups of one message.
    pub fn for_message(&self) -> ForMessage<'_> {
        self.for_asker(Asker::Mail)
    }

    /// For those of one that is only tried: what fails then keeps no mail from asking.
    pub fn for_dry_run(&self) -> ForMessage<'_> {
        self.for_asker(Asker::DryRun)
    }

    /// For those of one that is run once more for a backtest: as `for_dry_run`.
    pub fn for_backtest(&self) -> ForMessage<'_> {
        self.for_asker(Asker::Backtest)
    }

    fn for_asker(&self, asker: Asker) -> ForMessage<'_> {
        let (per_tenant, per_config) = self.at_once;
        let turns = turns::Turns::new(per_tenant, per_config);
        ForMessage { lookups: self, asker, turns, answers: Answers::default() }
    }

    /// Runs what asks a datasource, in its turn, if its breaker lets it. Waiting for a turn is bounded too, and
    /// counts against nobody: the datasource has not been asked. What goes on after its time holds its turn.
    async fn bounded<T, F: Future<Output = Result<T, LookupError>>>(
        &self,
        asker: Asker,
        connection: &Connection,
        asking: impl FnOnce(Arc<turns::Turn>) -> F,
    ) -> Result<T, LookupError> {
        let turn = Arc::new(self.turn(connection).await?);
        let pass = self.breakers.enter(connection, asker)?;
        let answer = self.in_time(asking(turn)).await;
        // Of what was not asked yet, nothing is known. And what is tried out, and cannot be asked so, is no sign that the
        // datasource works again.
        let tells_nothing =
            |cause: Cause| cause == Cause::Busy || cause == Cause::Rule && asker != Asker::Mail;
        if answer.as_ref().is_err_and(|error| tells_nothing(error.cause)) {
            return answer;
        }
        let failed = |error: &&LookupError| error.transient();
        pass.leave(answer.as_ref().err().filter(failed).map(|error| error.message.as_str()));
        answer
    }

    /// Leave to do with a datasource what is no look-up, as long as it is kept. Its breaker has no say in that.
    ///
    /// # Errors
    /// `Cause::Busy`, where others had their turn for as long as a look-up may take.
    pub async fn turn(&self, connection: &Connection) -> Result<turns::Turn, LookupError> {
        self.turns.take(connection, self.patience()).await
    }

    /// Waits for what is done in a turn.
    ///
    /// # Errors
    /// `Cause::Time`, where it takes longer than a look-up may; its own.
    pub async fn in_time<T>(
        &self,
        doing: impl Future<Output = Result<T, LookupError>>,
    ) -> Result<T, LookupError> {
        timeout(self.patience(), doing).await.unwrap_or_else(|_| {
            let patience = self.patience().as_millis();
            Err(LookupError::new(Cause::Time, format!("no answer within {patience} ms")))
        })
    }

    fn patience(&self) -> Duration {
        self.limits.timeout + self.limits.connect_timeout
    }

    /// Of a connection that is not used again, nothing is kept once what this gives is dropped: so that nothing is
    /// where whoever asked went away, either.
    pub fn passing<'l>(&'l self, connection: &'l Connection) -> Passing<'l> {
        Passing { lookups: self, connection }
    }

    /// Drops what is kept of a connection, whatever its credentials.
    pub fn forget(&self, connection: &Connection) {
        self.disconnect(connection);
        self.breakers.forget(connection);
        self.turns.forget(connection);
    }

    /// Drops what is open to a datasource, and its tokens: it is connected to anew. What is known of its failures stays.
    pub fn disconnect(&self, connection: &Connection) {
        self.http.forget(connection);
        self.postgres.forget(connection);
        self.mysql.forget(connection);
    }

    pub fn figures(&self) -> &LookupFigures {
        &self.figures
    }

    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// The sheets of the workbook that a connection reads as `data`; none where that is another kind of file.
    ///
    /// # Errors
    /// `LookupError`.
    pub async fn sheets(&self, connection: &Connection) -> Result<Option<file::Sheets>, LookupError> {
        let Endpoint::File(tables) = &connection.endpoint else { return Ok(None) };
        let uploaded = self.uploaded(connection).await?;
        let asking = |turn: Arc<turns::Turn>| async move {
            let files = self.open_all(&connection.tenant, tables, &uploaded, &turn).await?;
            self.files.with(files, tables, turn, |table| Ok(table.sheets.clone())).await
        };
        self.bounded(Asker::Person, connection, asking).await
    }

    /// The status that an API's base address answers, signed in.
    ///
    /// # Errors
    /// `LookupError`, also where it says that it is in trouble, as for a look-up.
    pub async fn probe_http(
        &self,
        connection: &Connection,
        endpoint: &HttpEndpoint,
    ) -> Result<u16, LookupError> {
        let probe = |turn: Arc<turns::Turn>| async move {
            let answer = self.http.probe(connection, endpoint, &self.fence).await;
            drop(turn);
            match answer {
                Ok(status @ 500..=599) => {
                    let host = endpoint.base_url.host_str().unwrap_or_default();
                    Err(LookupError::new(Cause::Answer, format!("{host} answered {status}")))
                }
                answer => answer,
            }
        };
        self.bounded(Asker::Person, connection, probe).await
    }

    async fn ask_now(
        &self,
        connection: &Connection,
        request: &Request,
        uploaded: &HashMap<String, Uploaded>,
        turn: Arc<turns::Turn>,
    ) -> Result<Rows, LookupError> {
        match (&connection.endpoint, request) {
            (Endpoint::Postgres(endpoint), Request::Sql { query, params, from_message }) => {
                let given = Given { params, from_message };
                self.postgres.ask(connection, endpoint, query, given, &self.fence, &self.limits).await
            }
            (Endpoint::MySql(endpoint), Request::Sql { query, params, from_message }) => {
                let given = Given { params, from_message };
                mysql::ask(&self.mysql, connection, endpoint, query, given, &self.fence, &self.limits).await
            }
            (Endpoint::Sqlite { path }, Request::Sql { query, params, from_message }) => {
                let given = Given { params, from_message };
                let file = self.file(&connection.tenant, path, uploaded, &turn).await?;
                sqlite::ask(file, query, given, &self.limits, turn).await
            }
            (Endpoint::File(tables), Request::Sql { .. } | Request::Match { .. }) => {
                let files = self.open_all(&connection.tenant, tables, uploaded, &turn).await?;
                let (request, limits) = (request.clone(), self.limits.clone());
                self.files.with(files, tables, turn, move |table| table.ask(&request, &limits)).await
            }
            (Endpoint::Http(endpoint), Request::Api { .. }) => {
                self.http.ask(connection, endpoint, request, &self.fence, &self.limits).await
            }
            _ => Err(LookupError::new(
                Cause::Rule,
                "the rule's conditions do not fit the datasource's connection: one is for SQL, a file or an API",
            )),
        }
    }

    /// The files of a config, in their order.
    async fn open_all(
        &self,
        tenant: &TenantId,
        tables: &[FileEndpoint],
        uploaded: &HashMap<String, Uploaded>,
        turn: &Arc<turns::Turn>,
    ) -> Result<Vec<TenantFile>, LookupError> {
        let mut files = Vec::new();
        for table in tables {
            files.push(self.file(tenant, &table.path, uploaded, turn).await?);
        }
        Ok(files)
    }

    /// A file beneath the tenant's own folder. One that was uploaded, and is not here as it was, is a fault that another
    /// server may not have. The disk may be another machine's that does not answer: that takes no thread of those that answer
    /// requests, and the turn goes with it.
    async fn file(
        &self,
        tenant: &TenantId,
        path: &str,
        uploaded: &HashMap<String, Uploaded>,
        turn: &Arc<turns::Turn>,
    ) -> Result<TenantFile, LookupError> {
        let uploaded = uploaded.get(path).copied();
        let (folder, path, turn) = (self.files_root.join(tenant.as_str()), path.to_owned(), Arc::clone(turn));
        aside::run(move || {
            let file = open(folder, &path, uploaded);
            drop(turn);
            file
        })
        .await
    }

    /// What was uploaded as the files that a connection reads, by path. Asked before a file is opened: what is uploaded
    /// meanwhile is newer. And before the look-up's time and breaker: trouble of our own database is not the datasource's.
    async fn uploaded(&self, connection: &Connection) -> Result<HashMap<String, Uploaded>, LookupError> {
        let Some(database) = &self.database else { return Ok(HashMap::new()) };
        let tenant = &connection.tenant;
        files::uploaded(database, tenant, &connection.endpoint.files()).await.map_err(|error| {
            tracing::warn!(%tenant, error = %chain(&error), "what was uploaded could not be asked for");
            LookupError::new(Cause::Busy, "whether it is the file that was uploaded could not be told")
        })
    }
}

fn open(folder: PathBuf, path: &str, uploaded: Option<Uploaded>) -> Result<TenantFile, LookupError> {
    let opened = Store::new(folder.clone()).open(path);
    let read = opened.and_then(|handle| Ok((handle.metadata()?, handle)));
    match read {
        Ok((metadata, handle)) if uploaded.is_none_or(|uploaded| uploaded.is_in(&metadata)) => {
            let is_whole = uploaded.is_some_and(|uploaded| !uploaded.is_replaced_by(&metadata));
            Ok(TenantFile { path: folder.join(path), folder, handle, is_whole })
        }
        Ok(_) => Err(apart(&format!("the file {path} of this server is not the one that was uploaded"))),
        Err(error) => {
            let fault = match error.kind() {
                std::io::ErrorKind::NotFound => format!("the file {path} is not there"),
                _ => format!("the file {path} cannot be opened: {error}"),
            };
            Err(match uploaded {
                Some(_) => apart(&format!("{fault}, though it was uploaded")),
                None => LookupError::new(file::cause_of(&error), fault),
            })
        }
    }
}

/// Not `Cause::File`: it is tried again, since another server may have the file.
fn apart(fault: &str) -> LookupError {
    LookupError::new(Cause::Answer, format!("{fault}; DATA_DIR must be shared by all servers"))
}

/// The answers so far: the same look-up asked twice for one message is asked once.
type Answers = Mutex<HashMap<String, Arc<OnceCell<Result<Arc<Rows>, LookupError>>>>>;

/// The look-ups of one message, in however many runs, which are not more at once than there are turns for: a message that
/// waited for its own would lose patience with them.
pub struct ForMessage<'l> {
    lookups: &'l Lookups,
    asker: Asker,
    turns: turns::Turns,
    answers: Answers,
}

impl ForMessage<'_> {
    /// Longer than all look-ups of a message take, each within its own bounds.
    const PATIENCE: Duration = Duration::from_secs(60 * 60);

    /// As `Lookups::ask_for`, once the message's other look-ups leave room. What was asked before is answered as it was then.
    ///
    /// # Errors
    /// `LookupError`.
    pub async fn ask(&self, connection: &Connection, request: &Request) -> Result<Arc<Rows>, LookupError> {
        // With what evidence does not show: of two that ask for the same, one may have it from the message.
        let key = format!("{}|{request:?}", connection.config_id);
        let cell = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(key).or_default())
        };
        let asking = async {
            let _turn = self.turns.take(connection, Self::PATIENCE).await?;
            self.lookups.ask_for(self.asker, connection, request).await.map(Arc::new)
        };
        cell.get_or_init(|| asking).await.clone()
    }
}

/// A connection that is used for a moment only.
pub struct Passing<'l> {
    lookups: &'l Lookups,
    connection: &'l Connection,
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.lookups.forget(self.connection);
    }
}

/// An open file of a tenant.
struct TenantFile {
    /// The tenant's folder.
    folder: PathBuf,
    path: PathBuf,
    handle: std::fs::File,
    /// Whether it came by an upload, and so at once. Somebody may be writing at any other.
    is_whole: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{datasources::server::connection::Auth, shared::ConfigId};

    #[tokio::test]
    async fn what_was_not_asked_is_no_sign_that_a_datasource_works() {
        let lookups = Lookups::new(&Config::read(|_| None).expect("a configuration"));
        let connection = Connection {
            tenant: "acme".parse().expect("id"),
            config_id: ConfigId(1),
            version: 1,
            endpoint: Endpoint::Sqlite { path: "a".into() },
            auth: Auth::None,
        };
        let ask = async |asker: Asker, cause: Cause| {
            let answer: Result<(), LookupError> = Err(LookupError::new(cause, "x"));
            let answer = lookups.bounded(asker, &connection, |_| async move { answer }).await;
            answer.expect_err("a fault").cause
        };
        for _ in 0..4 {
            assert_eq!(ask(Asker::Mail, Cause::Answer).await, Cause::Answer);
        }
        // A file that is still being written.
        assert_eq!(ask(Asker::Mail, Cause::Busy).await, Cause::Busy);
        assert_eq!(ask(Asker::Mail, Cause::Answer).await, Cause::Answer, "the fifth in a row");
        assert_eq!(ask(Asker::Mail, Cause::Answer).await, Cause::Paused);
        assert_eq!(ask(Asker::Person, Cause::Busy).await, Cause::Busy);
        assert_eq!(ask(Asker::Mail, Cause::Answer).await, Cause::Paused, "it is left alone as before");
        // A refusal is an answer.
        assert_eq!(ask(Asker::Person, Cause::Refused).await, Cause::Refused);
        assert_eq!(ask(Asker::Mail, Cause::Answer).await, Cause::Answer);
    }
}
