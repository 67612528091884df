//! A look into a file, whether a config leads to it or not: by the same readers that look-ups use.

use serde_json::{Map, Value};

use super::{path::FilePath, service};
use crate::{
    auth::authority::Permission,
    datasources::server::{
        connection::{self, Auth, Connection, Endpoint},
        lookup::{LookupError, Request, Rows},
    },
    files::dto::{FileLook, FileTable},
    server::{Result, TenantContext},
};

/// Rows of a table that are shown.
const ROWS: usize = 20;
/// Tables of a database that are shown; their names are told all.
const TABLES: usize = 10;

/// The first rows of a file; of a SQLite database, those of each table.
///
/// # Errors
/// 403, 404. That it cannot be read is an answer.
pub async fn look(ctx: &TenantContext, path: &FilePath) -> Result<FileLook> {
    ctx.require(Permission::Configure)?;
    drop(service::open(ctx, path).await?);
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
    let connection = Connection {
        tenant: ctx.tenant.clone(),
        config_id: connection::UNSTORED,
        version: 0,
        endpoint: connection::endpoint(protocol, driver, None, &settings)?,
        auth: Auth::None,
    };
    // Nothing of a look that failed stands in the way of the next.
    let _passing = ctx.app.lookups.passing(&connection);
    let found = match connection.endpoint {
        Endpoint::Sqlite { .. } => database(ctx, &connection).await,
        _ => table(ctx, &connection, "data").await.map(|table| (vec![table], Vec::new())),
    };
    Ok(match found {
        Ok((tables, further)) => FileLook { path: path.to_string(), tables, further, message: None },
        Err(error) => {
            FileLook { path: path.to_string(), message: Some(error.message), ..FileLook::default() }
        }
    })
}

type Answer<T> = std::result::Result<T, LookupError>;

/// The first tables, and the names of the others.
async fn database(ctx: &TenantContext, connection: &Connection) -> Answer<(Vec<FileTable>, Vec<String>)> {
    let names = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' \
                 ORDER BY name";
    let names = ask(ctx, connection, names.to_owned()).await?;
    let mut names = names.rows.iter().filter_map(|row| row.first()?.as_str().map(str::to_owned));
    let mut tables = Vec::new();
    for name in names.by_ref().take(TABLES) {
        tables.push(table(ctx, connection, &name).await?);
    }
    Ok((tables, names.collect()))
}

async fn table(ctx: &TenantContext, connection: &Connection, name: &str) -> Answer<FileTable> {
    let quoted = name.replace('"', "\"\"");
    let count = ask(ctx, connection, format!("SELECT count(*) AS n FROM \"{quoted}\"")).await?;
    let first = ask(ctx, connection, format!("SELECT * FROM \"{quoted}\" LIMIT {ROWS}")).await?;
    let count = count.rows.first().and_then(|row| row.first()?.as_u64()).unwrap_or_default();
    let Rows { columns, rows, .. } = first;
    let object = |row: Vec<Value>| columns.iter().cloned().zip(row).collect();
    let rows = rows.into_iter().map(object).collect();
    Ok(FileTable { name: name.to_owned(), columns, rows, row_count: count })
}

async fn ask(ctx: &TenantContext, connection: &Connection, query: String) -> Answer<Rows> {
    ctx.app
        .lookups
        .ask(connection, &Request::Sql { query, params: Vec::new(), from_message: Vec::new() })
        .await
}
