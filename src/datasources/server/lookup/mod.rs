//! Asking a datasource. A look-up arrives here rendered: its values are data, and stay data.

mod csv_file;
mod http_api;
mod postgres;
pub mod sql_check;
mod sqlite;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::connection::{Connection, Endpoint};
use crate::{
    server::{config::Config, outbound::Fence},
    shared::TenantId,
};

/// A rendered look-up, as evidence shows it. No secret is in it: those are added on the way out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Request {
    /// A query over a database, or over a file as the table `data`.
    Sql { query: String, params: Vec<Value> },
    /// Rows of a file whose columns equal these values.
    Match {
        #[serde(rename = "match")]
        columns: Vec<(String, Value)>,
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
            Self::Match { columns } => {
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

    /// The values that the message put in, for a sentence such as "no row for a@b.example".
    pub fn values(&self) -> Vec<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self {
            Self::Sql { params, .. } => params.iter().map(text).collect(),
            Self::Match { columns } => columns.iter().map(|(_, value)| text(value)).collect(),
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

/// What a datasource answered. Each row has as many values as there are columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    /// Whether there were more rows than the limit.
    pub truncated: bool,
}

/// The datasource could not be asked, or its answer is none. Never a verdict on the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LookupError {
    /// A sentence without secrets.
    pub message: String,
    /// Whether trying again may help.
    pub transient: bool,
}

impl LookupError {
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: true }
    }
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), transient: false }
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

/// The connections that look-ups keep, and the fence around them.
pub struct Lookups {
    fence: Fence,
    limits: Limits,
    concurrency: usize,
    files_root: PathBuf,
    gates: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    http: http_api::HttpApi,
    postgres: postgres::Pools,
    csv: csv_file::Tables,
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
            http: http_api::HttpApi::new(fence.clone(), &limits),
            postgres: postgres::Pools::default(),
            csv: csv_file::Tables::default(),
            files_root: config.data_dir.join("files"),
            gates: Mutex::default(),
            concurrency: lookups.concurrency,
            fence,
            limits,
        }
    }

    /// Asks. Bounded in time, rows, bytes and, per tenant, in number at once.
    ///
    /// # Errors
    /// `LookupError`, whatever goes wrong.
    pub async fn ask(&self, connection: &Connection, request: &Request) -> Result<Rows, LookupError> {
        // Waiting for one's own tenant's look-ups counts too: a full queue is told, not hidden.
        let patience = self.limits.timeout + self.limits.connect_timeout;
        match tokio::time::timeout(patience, self.ask_gated(connection, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(LookupError::transient(format!("no answer within {} ms", patience.as_millis()))),
        }
    }

    async fn ask_gated(&self, connection: &Connection, request: &Request) -> Result<Rows, LookupError> {
        let gate = self.gate(&connection.tenant);
        let _permit = gate.acquire().await.map_err(|_| LookupError::transient("the server is stopping"))?;
        match (&connection.endpoint, request) {
            (Endpoint::Postgres(endpoint), Request::Sql { query, params }) => {
                self.postgres.ask(connection, endpoint, query, params, &self.fence, &self.limits).await
            }
            (Endpoint::Sqlite { path }, Request::Sql { query, params }) => {
                let file = self.file(&connection.tenant, path)?;
                sqlite::ask(&file.path, query, params, &self.limits).await
            }
            (Endpoint::Csv { path }, Request::Sql { .. } | Request::Match { .. }) => {
                let file = self.file(&connection.tenant, path)?;
                self.csv.ask(file, request, &self.limits).await
            }
            (Endpoint::Http(endpoint), Request::Api { .. }) => {
                self.http.ask(connection, endpoint, request, &self.fence, &self.limits).await
            }
            _ => Err(LookupError::permanent(
                "the rule's conditions do not fit the datasource's connection: one is for SQL, a file or an API",
            )),
        }
    }

    fn gate(&self, tenant: &TenantId) -> Arc<Semaphore> {
        let mut gates = self.gates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(gates.entry(tenant.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.concurrency))))
    }

    /// A file beneath the tenant's own folder; links and `..` that lead out of it are refused by the
    /// operating system's own resolution (cap-std).
    fn file(&self, tenant: &TenantId, path: &str) -> Result<TenantFile, LookupError> {
        let folder = self.files_root.join(tenant.as_str());
        let missing = || LookupError::permanent(format!("the file {path} is not there"));
        let dir = cap_std::fs::Dir::open_ambient_dir(&folder, cap_std::ambient_authority())
            .map_err(|_| missing())?;
        let handle = dir.open(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => missing(),
            _ => LookupError::permanent(format!("the file {path} cannot be opened: {error}")),
        })?;
        Ok(TenantFile { path: folder.join(path), handle: handle.into_std() })
    }
}

/// An open file of a tenant.
struct TenantFile {
    path: PathBuf,
    handle: std::fs::File,
}
