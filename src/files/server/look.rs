//! A look into a file, whether a config leads to it or not: by the same readers that look-ups use.

use serde_json::{Map, Value};

use super::{
    path::FilePath,
    service::{self, Stored},
};
use crate::{
    auth::authority::Permission,
    datasources::server::{
        config_service,
        connection::{self, Auth, Connection, DATA, Endpoint},
        lookup::{Asker, LookupError, Request, Rows},
    },
    files::dto::{FileLook, FileTable},
    server::{Result, TenantContext},
};

/// Rows of a table that are shown.
const ROWS: usize = 20;
/// Of how many configs the ways to read a file are tried once it is stored.
const FEW: usize = 3;
/// Tables of a database that are shown; their names are told all.
const TABLES: usize = 10;
/// The tables and views of a SQLite database.
const NAMES: &str = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' \
                     ORDER BY name";

/// The first rows of a file; of a SQLite database, those of each table.
///
/// # Errors
/// 403, 404. That it cannot be read is an answer.
pub async fn look(ctx: &TenantContext, path: &FilePath) -> Result<FileLook> {
    ctx.require(Permission::Configure)?;
    drop(service::open(ctx, path).await?);
    let connection = connection_to(ctx, path)?;
    // Nothing of a look that failed stands in the way of the next.
    let _passing = ctx.app.lookups.passing(&connection);
    let found = match connection.endpoint {
        Endpoint::Sqlite { .. } => database(ctx, &connection).await,
        _ => only_table(ctx, &connection).await,
    };
    Ok(match found {
        Ok((tables, note)) => FileLook { path: path.to_string(), tables, note, message: None },
        Err(error) => {
            FileLook { path: path.to_string(), message: Some(error.message), ..FileLook::default() }
        }
    })
}

/// What was stored, with why no look-up can read it, if so: whoever stored it learns it now, and not by the next message.
pub async fn told(ctx: &TenantContext, path: &FilePath, mut stored: Stored) -> Stored {
    stored.file.unreadable = fault(ctx, path).await;
    stored
}

/// As the configs read it that lead to it, or else by its path alone.
async fn fault(ctx: &TenantContext, path: &FilePath) -> Option<String> {
    let readings = config_service::readings_of(ctx, path.as_str()).await.ok()?;
    if readings.is_empty() {
        return fault_by(ctx, connection_to(ctx, path).ok()?).await;
    }
    for (config, endpoints) in readings.into_iter().take(FEW) {
        for endpoint in endpoints {
            if let Some(fault) = fault_by(ctx, connection_by(ctx, endpoint)).await {
                return Some(format!("as the config '{config}' reads it, {fault}"));
            }
        }
    }
    None
}

/// `None`, too, where that it failed says nothing of the file, as where others had their turn.
async fn fault_by(ctx: &TenantContext, connection: Connection) -> Option<String> {
    let _passing = ctx.app.lookups.passing(&connection);
    let query = match connection.endpoint {
        Endpoint::Sqlite { .. } => NAMES.to_owned(),
        _ => count_of(DATA),
    };
    let error = ask(ctx, &connection, query).await.err()?;
    (!error.transient()).then_some(error.message)
}

/// As a config would lead to it that says no more than its path.
fn connection_to(ctx: &TenantContext, path: &FilePath) -> Result<Connection> {
    let (protocol, driver, rows) = match path.ending().as_str() {
        "sqlite" | "sqlite3" | "db" => ("sqlite", "", None),
        "geojson" => ("file", "json", Some("$.features[*]")),
        _ => ("file", "", None),
    };
    let mut settings = Map::new();
    settings.insert("path".into(), path.as_str().into());
    if let Some(rows) = rows {
        settings.insert("rows".into(), rows.into());
    }
    Ok(connection_by(ctx, connection::endpoint(protocol, driver, None, &settings)?))
}

fn connection_by(ctx: &TenantContext, endpoint: Endpoint) -> Connection {
    Connection {
        tenant: ctx.tenant.clone(),
        config_id: connection::UNSTORED,
        version: 0,
        endpoint,
        auth: Auth::None,
    }
}

type Answer<T> = std::result::Result<T, LookupError>;

/// What a file of one table holds, and of a workbook, which sheet that is.
async fn only_table(
    ctx: &TenantContext,
    connection: &Connection,
) -> Answer<(Vec<FileTable>, Option<String>)> {
    let table = table(ctx, connection, DATA).await?;
    let sheets = ctx.app.lookups.sheets(connection).await?;
    let note = sheets.map(|sheets| match sheets.others.as_slice() {
        [] => format!("Its one sheet is {}.", sheets.read),
        others => format!(
            "This is the sheet {}. There are also: {}. A config that names one of them reads that instead.",
            sheets.read,
            others.join(", ")
        ),
    });
    Ok((vec![table], note))
}

/// The first tables, and the names of the others.
async fn database(ctx: &TenantContext, connection: &Connection) -> Answer<(Vec<FileTable>, Option<String>)> {
    let names = ask(ctx, connection, NAMES.to_owned()).await?;
    let mut names = names.rows.iter().filter_map(|row| row.first()?.as_str().map(str::to_owned));
    let mut tables = Vec::new();
    for name in names.by_ref().take(TABLES) {
        tables.push(table(ctx, connection, &name).await?);
    }
    let further: Vec<String> = names.collect();
    Ok((tables, (!further.is_empty()).then(|| format!("Further tables: {}.", further.join(", ")))))
}

async fn table(ctx: &TenantContext, connection: &Connection, name: &str) -> Answer<FileTable> {
    let count = ask(ctx, connection, count_of(name)).await?;
    let first = ask(ctx, connection, format!("SELECT * FROM {} LIMIT {ROWS}", quoted(name))).await?;
    let count = count.rows.first().and_then(|row| row.first()?.as_u64()).unwrap_or_default();
    let Rows { columns, rows, .. } = first;
    let object = |row: Vec<Value>| columns.iter().cloned().zip(row).collect();
    let rows = rows.into_iter().map(object).collect();
    Ok(FileTable { name: name.to_owned(), columns, rows, row_count: count })
}

/// How many rows a table has.
fn count_of(table: &str) -> String {
    format!("SELECT count(*) AS n FROM {}", quoted(table))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn ask(ctx: &TenantContext, connection: &Connection, query: String) -> Answer<Rows> {
    let request = Request::Sql { query, params: Vec::new(), from_message: Vec::new() };
    ctx.app.lookups.ask_for(Asker::Person, connection, &request).await
}
