//! How a config reaches a datasource: typed settings only, never free-form driver options.

use indexmap::IndexSet;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use url::Url;

use super::lookup::{json_path::JsonPath, sql_check::SqlDialect};
use crate::{
    datasources::dto::{AuthType, DatasourceConfigInput, DatasourceType, MASK},
    files::server::store::MOST_FOLDERS,
    server::{extract::parse_json, oauth::OAuthClient},
    shared::{ConfigId, Problem, TenantId, validate::Checks},
};

/// Everything that a look-up needs to know of its datasource. Lives as long as the look-up.
#[derive(Clone, Debug)]
pub struct Connection {
    pub tenant: TenantId,
    pub config_id: ConfigId,
    /// Changes when the config does: microseconds of its last change.
    pub version: i64,
    pub endpoint: Endpoint,
    pub auth: Auth,
}

/// Where it is. Of files, the config's own comes first, and each is a table that a query can name.
#[derive(Clone, Debug)]
pub enum Endpoint {
    Postgres(DatabaseEndpoint),
    MySql(DatabaseEndpoint),
    Sqlite { path: String },
    File(Vec<FileEndpoint>),
    Http(HttpEndpoint),
}

/// The table of a config's own file.
pub const DATA: &str = "data";

/// A file that is looked up as a table, beneath the tenant's folder.
#[derive(Clone, Debug, PartialEq)]
pub struct FileEndpoint {
    /// `DATA`, or the name that the config gives to a further one.
    pub table: String,
    pub path: String,
    pub format: FileFormat,
    /// The sheet of a workbook; the first that is not hidden, if not named.
    pub sheet: Option<String>,
    /// Where in a JSON document the rows are; the document itself, if not given.
    pub rows: Option<JsonPath>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    Csv,
    Xlsx,
    Json,
    JsonLines,
}

/// A database server.
#[derive(Clone, Debug)]
pub struct DatabaseEndpoint {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub require_tls: bool,
    pub username: Option<String>,
    pub password: Option<SecretString>,
}

#[derive(Clone, Debug)]
pub struct HttpEndpoint {
    pub base_url: Url,
}

/// How it is signed in to. Prints no secret.
#[derive(Clone, Debug)]
pub enum Auth {
    None,
    Basic { username: String, password: SecretString },
    Bearer { token: SecretString },
    KeyHeader { header: String, key: SecretString },
    KeyQuery { parameter: String, key: SecretString },
    OAuth(OAuthClient),
}

impl Endpoint {
    /// What kind it is, for traces.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgresql",
            Self::MySql(_) => "mysql",
            Self::Sqlite { .. } => "sqlite",
            Self::File(_) => "file",
            Self::Http(_) => "http",
        }
    }

    /// The files that it reads, within the tenant's folder: each once.
    pub fn files(&self) -> Vec<&str> {
        match self {
            Self::Sqlite { path } => vec![path.as_str()],
            Self::File(files) => {
                let paths: IndexSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
                paths.into_iter().collect()
            }
            Self::Postgres(_) | Self::MySql(_) | Self::Http(_) => Vec::new(),
        }
    }

    /// How it reads the file at this path, and no other: in several ways, where it reads several sheets of a workbook.
    pub fn readings_of(&self, path: &str) -> Vec<Self> {
        match self {
            Self::File(files) => {
                let of_path = files.iter().filter(|file| file.path == path);
                of_path
                    .map(|file| Self::File(vec![FileEndpoint { table: DATA.to_owned(), ..file.clone() }]))
                    .collect()
            }
            Self::Sqlite { path: own } if own == path => vec![self.clone()],
            _ => Vec::new(),
        }
    }

    /// Which datasources it can serve.
    pub fn serves(&self, kind: DatasourceType) -> bool {
        match self {
            Self::Postgres(_) | Self::MySql(_) | Self::Sqlite { .. } => kind == DatasourceType::Database,
            Self::File(_) => kind == DatasourceType::File,
            Self::Http(_) => kind == DatasourceType::Api,
        }
    }

    /// Scheme, host and port that secrets are sent to; `None` for a file.
    pub fn address(&self) -> Option<(String, String, u16)> {
        match self {
            Self::Postgres(database) => Some(("postgresql".into(), database.host.clone(), database.port)),
            Self::MySql(database) => Some(("mysql".into(), database.host.clone(), database.port)),
            Self::Http(http) => {
                let url = &http.base_url;
                let port = url.port_or_known_default().unwrap_or_default();
                Some((url.scheme().into(), url.host_str().unwrap_or_default().into(), port))
            }
            Self::Sqlite { .. } | Self::File(_) => None,
        }
    }

    /// Whether nothing is sent without TLS.
    pub fn requires_tls(&self) -> bool {
        match self {
            Self::Postgres(database) | Self::MySql(database) => database.require_tls,
            Self::Http(http) => http.base_url.scheme() == "https",
            Self::Sqlite { .. } | Self::File(_) => false,
        }
    }

    pub fn dialect(&self) -> SqlDialect {
        match self {
            Self::Postgres(_) => SqlDialect::Postgres,
            Self::MySql(_) => SqlDialect::MySql,
            Self::Sqlite { .. } | Self::File(_) => SqlDialect::Sqlite,
            Self::Http(_) => SqlDialect::Any,
        }
    }
}

/// Stands for the id of what is no stored config: no row has it.
pub const UNSTORED: ConfigId = ConfigId(0);

/// A config names so many files beside its own.
const MAX_TABLES: usize = 8;
/// The name of a table: bytes.
const MAX_TABLE_NAME: usize = 63;

const PROTOCOLS: &str = "postgresql, mysql, mariadb, sqlite, http, https, file";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DatabaseSettings {
    host: Option<String>,
    #[serde(default, deserialize_with = "port")]
    port: Option<u16>,
    database: Option<String>,
    sslmode: Option<String>,
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        given => given.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    number.map(Some).ok_or_else(|| D::Error::custom("must be a whole number up to 65535"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathSettings {
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSettings {
    path: Option<String>,
    sheet: Option<String>,
    rows: Option<String>,
    tables: Option<Map<String, Value>>,
}

/// Of a further file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSettings {
    path: Option<String>,
    sheet: Option<String>,
    rows: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Credentials that stood in a base URL, where they would be read back, are moved to `auth_config`, which is
/// encrypted. What `auth_config` says already, wins.
///
/// # Errors
/// 422, where the base URL cannot hold credentials, or holds masked ones.
pub fn move_credentials(input: &mut DatasourceConfigInput) -> Result<(), Problem> {
    let Some(text) = input.base_url.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
        input.base_url = None;
        return Ok(());
    };
    let Ok(mut url) = Url::parse(text) else { return Ok(()) };
    if url.username().is_empty() && url.password().is_none() {
        input.base_url = Some(text.to_owned());
        return Ok(());
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (username, password) = (decoded(url.username()), url.password().map(decoded));
    // It stands for a stored secret in `auth_config` alone.
    if username == MASK || password.as_deref() == Some(MASK) {
        return Err(Problem::invalid_field("base_url", format!("must not hold {MASK} for what is stored")));
    }
    if matches!(input.auth_type, AuthType::None) {
        input.auth_type = AuthType::Basic;
    }
    if input.auth_type == AuthType::Basic {
        input.auth_config.entry("username").or_insert_with(|| username.into());
        input.auth_config.entry("password").or_insert_with(|| password.unwrap_or_default().into());
    }
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    stripped.map_err(|()| Problem::invalid_field("base_url", "cannot hold credentials"))?;
    input.base_url = Some(url.to_string());
    Ok(())
}

/// Reads where a config leads.
///
/// # Errors
/// 422 naming each field at fault.
pub fn endpoint(
    protocol: &str,
    driver_family: &str,
    base_url: Option<&str>,
    connection_json: &Map<String, Value>,
) -> Result<Endpoint, Problem> {
    let driver = driver_family.to_ascii_lowercase();
    let drivers = |allowed: &[&str]| {
        if driver.is_empty() || allowed.contains(&driver.as_str()) {
            Ok(())
        } else {
            Err(Problem::invalid_field(
                "driver_family",
                format!("'{driver_family}' does not go with {protocol}; what does: {}", allowed.join(", ")),
            ))
        }
    };
    match protocol.to_ascii_lowercase().as_str() {
        "postgresql" | "postgres" => {
            drivers(&["psycopg2", "psycopg", "asyncpg", "sqlx", "postgresql"])?;
            Ok(Endpoint::Postgres(database(
                base_url,
                ["postgresql", "postgres"],
                5432,
                settings(connection_json)?,
            )?))
        }
        "mysql" | "mariadb" => {
            drivers(&[
                "pymysql",
                "mysqlclient",
                "mysqldb",
                "aiomysql",
                "asyncmy",
                "mysqlconnector",
                "mariadb",
                "mysql",
                "sqlx",
            ])?;
            let schemes = match protocol.eq_ignore_ascii_case("mariadb") {
                true => ["mariadb", "mysql"],
                false => ["mysql", "mariadb"],
            };
            Ok(Endpoint::MySql(database(base_url, schemes, 3306, settings(connection_json)?)?))
        }
        "sqlite" => {
            drivers(&["sqlx", "sqlite", "sqlite3", "aiosqlite"])?;
            let PathSettings { path } = settings(connection_json)?;
            Ok(Endpoint::Sqlite { path: tenant_path(base_url, path)? })
        }
        "file" => {
            drivers(&["csv", "excel", "xlsx", "openpyxl", "json", "jsonl", "ndjson"])?;
            files(base_url, &driver, settings(connection_json)?).map(Endpoint::File)
        }
        "http" | "https" => {
            drivers(&["rest"])?;
            let NoSettings {} = settings(connection_json)?;
            http(base_url)
        }
        _ => Err(Problem::invalid_field("protocol", format!("'{protocol}' is not one of {PROTOCOLS}"))),
    }
}

fn settings<T: serde::de::DeserializeOwned>(json: &Map<String, Value>) -> Result<T, Problem> {
    settings_at("connection_json", json)
}

fn settings_at<T: serde::de::DeserializeOwned>(place: &str, json: &Map<String, Value>) -> Result<T, Problem> {
    let bytes = serde_json::to_vec(json).unwrap_or_default();
    let mut checks = Checks::default();
    let parsed = checks.part(place, parse_json(&bytes));
    checks.finish()?;
    parsed.ok_or_else(|| Problem::invalid_field(place, "cannot be read"))
}

fn database(
    base_url: Option<&str>,
    schemes: [&str; 2],
    default_port: u16,
    settings: DatabaseSettings,
) -> Result<DatabaseEndpoint, Problem> {
    let url = base_url.map(Url::parse).transpose();
    let url = url.map_err(|_| {
        let such = format!("must be an address such as {}://db.example.com/shop", schemes[0]);
        Problem::invalid_field("base_url", such)
    })?;
    if let Some(url) = &url {
        // As people write it elsewhere: postgresql+psycopg2://, mysql+pymysql://.
        let given = url.scheme().split('+').next().unwrap_or_default();
        if !schemes.contains(&given) {
            return Err(Problem::invalid_field("base_url", format!("must begin with {}://", schemes[0])));
        }
        if url.query().is_some() {
            return Err(Problem::invalid_field("base_url", "must have no ?options"));
        }
    }
    let from_url = |pick: fn(&Url) -> Option<String>| url.as_ref().and_then(pick);
    let host = settings.host.or_else(|| from_url(|url| url.host_str().map(str::to_owned)));
    let database =
        settings.database.or_else(|| from_url(|url| Some(url.path().trim_start_matches('/').to_owned())));
    let mut checks = Checks::default();
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| {
        checks.fault("connection_json.host", "is missing, here and in base_url");
        String::new()
    });
    if host.starts_with('/') {
        checks.fault("connection_json.host", "must be a host, not a socket's folder");
    }
    let database = database.filter(|database| !database.is_empty()).unwrap_or_else(|| {
        checks.fault("connection_json.database", "is missing, here and in base_url");
        String::new()
    });
    let require_tls = match settings.sslmode.as_deref() {
        None | Some("prefer") => false,
        Some("require") => true,
        Some(_) => {
            checks.fault("connection_json.sslmode", "must be prefer or require");
            false
        }
    };
    checks.finish()?;
    let port = settings.port.or_else(|| url.as_ref().and_then(Url::port)).unwrap_or(default_port);
    Ok(DatabaseEndpoint { host, port, database, require_tls, username: None, password: None })
}

/// The config's own file, and then the further ones.
fn files(base_url: Option<&str>, driver: &str, settings: FileSettings) -> Result<Vec<FileEndpoint>, Problem> {
    let FileSettings { path, sheet, rows, tables } = settings;
    let path = tenant_path(base_url, path)?;
    let format = format_of(driver, &path)
        .ok_or_else(|| Problem::invalid_field("driver_family", "is missing: csv, excel, json or jsonl"))?;
    let tables = tables.unwrap_or_default();
    let mut checks = Checks::default();
    let own = checks.part_as_is(file("connection_json", DATA, (path, format), (sheet, rows)));
    let mut files: Vec<FileEndpoint> = own.into_iter().collect();
    if tables.len() > MAX_TABLES {
        checks.fault("connection_json.tables", format!("must be at most {MAX_TABLES} further files"));
    }
    for (table, given) in tables.iter().take(MAX_TABLES) {
        files.extend(checks.part_as_is(further(table, given)));
    }
    checks.finish()?;
    Ok(files)
}

/// A further file: its path, or an object that holds it.
fn further(table: &str, given: &Value) -> Result<FileEndpoint, Problem> {
    let place = format!("connection_json.tables.{table}");
    let fault = |message: &str| Problem::invalid_field(place.as_str(), message);
    check_table(table).map_err(fault)?;
    let TableSettings { path, sheet, rows } = match given {
        Value::String(path) => TableSettings { path: Some(path.clone()), ..TableSettings::default() },
        Value::Object(members) => settings_at(&place, members)?,
        _ => return Err(fault("must be a path, or an object with path and sheet")),
    };
    let path = path.unwrap_or_default();
    check_tenant_path(&path).map_err(fault)?;
    let format = format_of("", &path)
        .ok_or_else(|| fault("must end in one of: .csv, .tsv, .txt, .xlsx, .xlsm, .json, .jsonl, .ndjson"))?;
    file(&place, table, (path, format), (sheet, rows))
}

/// Whether a further table can have this name, in plain words.
///
/// # Errors
/// What is wrong with it.
fn check_table(name: &str) -> Result<(), &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins_well = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if !begins_well || name.len() > MAX_TABLE_NAME || !name.bytes().all(is_plain) {
        Err("must have a name of small letters, digits and _, such as customers: at most 63, no digit first")
    } else if name == DATA {
        Err("must have another name: data is the config's own file")
    } else if name.starts_with("sqlite_") {
        Err("must have another name: none begins with sqlite_")
    } else {
        Ok(())
    }
}

/// The driver's format, or else that of the ending of the file's name.
fn format_of(driver: &str, path: &str) -> Option<FileFormat> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    match (driver, ending.as_str()) {
        ("csv", _) | ("", "csv" | "tsv" | "txt") => Some(FileFormat::Csv),
        ("excel" | "xlsx" | "openpyxl", _) | ("", "xlsx" | "xlsm") => Some(FileFormat::Xlsx),
        ("jsonl" | "ndjson", _) | ("" | "json", "jsonl" | "ndjson") => Some(FileFormat::JsonLines),
        ("json", _) | ("", "json") => Some(FileFormat::Json),
        _ => None,
    }
}

/// A file whose settings stand at `place`.
fn file(
    place: &str,
    table: &str,
    (path, format): (String, FileFormat),
    (sheet, rows): (Option<String>, Option<String>),
) -> Result<FileEndpoint, Problem> {
    let mut checks = Checks::default();
    if sheet.is_some() && format != FileFormat::Xlsx {
        checks.fault(format!("{place}.sheet"), "means something to workbooks only");
    }
    let rows = rows.and_then(|text| match text.parse::<JsonPath>() {
        Ok(path) if format == FileFormat::Json => Some(path),
        Ok(_) => {
            checks.fault(format!("{place}.rows"), "means something to JSON documents only");
            None
        }
        Err(fault) => {
            checks.fault(format!("{place}.rows"), fault);
            None
        }
    });
    checks.finish()?;
    Ok(FileEndpoint { table: table.to_owned(), path, format, sheet, rows })
}

/// A path beneath the tenant's own folder. The look-up's own opening is the fence; this is the clear sentence.
fn tenant_path(base_url: Option<&str>, path: Option<String>) -> Result<String, Problem> {
    let from_url = base_url.map(|url| {
        let rest = url.split_once(':').filter(|(scheme, _)| matches!(*scheme, "file" | "sqlite"));
        rest.map_or(url, |(_, rest)| rest).trim_start_matches('/').to_owned()
    });
    let field = if path.is_some() || base_url.is_none() { "connection_json.path" } else { "base_url" };
    let path = path.or(from_url).unwrap_or_default();
    check_tenant_path(&path).map_err(|fault| Problem::invalid_field(field, fault))?;
    Ok(path)
}

/// Whether a path stays within the folder that it starts from, in plain words.
///
/// # Errors
/// What is wrong with it.
pub fn check_tenant_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("is missing: the file's path within the tenant's folder")
    } else if path.len() > 500 {
        Err("must have at most 500 bytes")
    } else if path.starts_with('/') || path.contains(['\\', ':']) || path.chars().any(char::is_control) {
        Err("must be a path within the tenant's folder, such as customers.csv")
    } else if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        Err("must not hold . or .. or empty parts")
    } else if path.split('/').count() > MOST_FOLDERS + 1 {
        Err("must lead through fewer folders")
    } else {
        Ok(())
    }
}

fn http(base_url: Option<&str>) -> Result<Endpoint, Problem> {
    let fault = |message: String| Problem::invalid_field("base_url", message);
    let text = base_url.ok_or_else(|| fault("is missing: such as https://api.example.com/v1".into()))?;
    let such = "must be an address such as https://api.example.com/v1";
    let url = Url::parse(text).map_err(|_| fault(such.into()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fault("must begin with http:// or https:// and a host".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("must have neither ?query nor #fragment".into()));
    }
    Ok(Endpoint::Http(HttpEndpoint { base_url: url }))
}

/// The members that must be there and are not.
pub fn missing(auth_type: AuthType, has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let needed: &[&str] = match auth_type {
        AuthType::None => &[],
        AuthType::Basic => &["username", "password"],
        AuthType::Bearer => &["token"],
        AuthType::ApiKey if has("query") => &["key"],
        AuthType::ApiKey => &["header", "key"],
        AuthType::Oauth => &["token_url", "client_id", "client_secret"],
    };
    needed.iter().copied().filter(|name| !has(name)).collect()
}

/// Checks credentials of which some may come later: whole ones as `auth` does, others member by member.
///
/// # Errors
/// 422 naming each member at fault, never its value.
pub fn auth_so_far(auth_type: AuthType, members: &Map<String, Value>) -> Result<(), Problem> {
    if missing(auth_type, |name| members.contains_key(name)).is_empty() {
        return auth(auth_type, members).map(drop);
    }
    let mut checks = Checks::default();
    check_members(auth_type, members, &mut checks);
    checks.finish()
}

/// Whether each member goes with the type, and is a text.
fn check_members(auth_type: AuthType, members: &Map<String, Value>, checks: &mut Checks) {
    let allowed: &[&str] = match auth_type {
        AuthType::None => &[],
        AuthType::Basic => &["username", "password"],
        AuthType::Bearer => &["token"],
        AuthType::ApiKey => &["header", "query", "key"],
        AuthType::Oauth => &["token_url", "client_id", "client_secret", "scope"],
    };
    for (name, value) in members {
        if !allowed.contains(&name.as_str()) {
            let does = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
            checks.fault(
                format!("auth_config.{name}"),
                format!("does not go with auth_type {auth_type}; what does: {does}"),
            );
        } else if !value.is_string() {
            checks.fault(format!("auth_config.{name}"), "must be a text");
        }
    }
}

/// Reads the credentials.
///
/// # Errors
/// 422 naming each member at fault, never its value.
pub fn auth(auth_type: AuthType, members: &Map<String, Value>) -> Result<Auth, Problem> {
    let mut checks = Checks::default();
    check_members(auth_type, members, &mut checks);
    let get = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut needed = |name: &str| {
        get(name).unwrap_or_else(|| {
            checks.fault(format!("auth_config.{name}"), format!("is missing for auth_type {auth_type}"));
            String::new()
        })
    };
    let auth = match auth_type {
        AuthType::None => Auth::None,
        AuthType::Basic => Auth::Basic { username: needed("username"), password: needed("password").into() },
        AuthType::Bearer => Auth::Bearer { token: needed("token").into() },
        AuthType::ApiKey => {
            let key: SecretString = needed("key").into();
            match (get("header"), get("query")) {
                (Some(header), None) => {
                    if reqwest::header::HeaderName::from_bytes(header.as_bytes()).is_err() {
                        checks.fault("auth_config.header", "is no header name");
                    }
                    Auth::KeyHeader { header, key }
                }
                (None, Some(parameter)) => Auth::KeyQuery { parameter, key },
                (header, _) => {
                    let fault = match header {
                        Some(_) => "must have header or query, not both: it says where the key goes",
                        None => "must have header or query, which says where the key goes",
                    };
                    checks.fault("auth_config", fault);
                    Auth::None
                }
            }
        }
        AuthType::Oauth => {
            let (text, client_id, client_secret) =
                (needed("token_url"), needed("client_id"), needed("client_secret").into());
            match Url::parse(&text) {
                Ok(token_url)
                    if matches!(token_url.scheme(), "http" | "https")
                        && token_url.host_str().is_some()
                        && token_url.username().is_empty() =>
                {
                    let scope = get("scope").unwrap_or_default();
                    Auth::OAuth(OAuthClient { token_url, client_id, client_secret, scope })
                }
                _ => {
                    if !text.is_empty() {
                        checks.fault("auth_config.token_url", "must be an http:// or https:// address");
                    }
                    Auth::None
                }
            }
        }
    };
    checks.finish()?;
    Ok(auth)
}

/// A database signs in with its own protocol: username and password go to the endpoint.
pub fn with_credentials(endpoint: Endpoint, auth: &Auth) -> Endpoint {
    let Auth::Basic { username, password } = auth else { return endpoint };
    let signed_in = |endpoint: DatabaseEndpoint| DatabaseEndpoint {
        username: Some(username.clone()),
        password: Some(password.clone()),
        ..endpoint
    };
    match endpoint {
        Endpoint::Postgres(endpoint) => Endpoint::Postgres(signed_in(endpoint)),
        Endpoint::MySql(endpoint) => Endpoint::MySql(signed_in(endpoint)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        value.as_object().expect("members").clone()
    }

    fn faults<T: std::fmt::Debug>(result: Result<T, Problem>) -> Vec<(String, String)> {
        let problem = result.expect_err("a fault");
        problem.errors.into_iter().map(|error| (error.field, error.message)).collect()
    }

    #[test]
    fn a_fault_of_settings_speaks_of_what_was_typed() {
        let of = |port: Value| {
            let settings = members(json!({"host": "db.example", "database": "shop", "port": port}));
            endpoint("postgresql", "", None, &settings)
        };
        for good in [json!(5433), Value::Null] {
            assert!(of(good).is_ok());
        }
        for bad in [json!("99999"), json!(99_999), json!(-1), json!(5.5), json!("5432")] {
            let fault = ("connection_json.port".to_owned(), "must be a whole number up to 65535".to_owned());
            assert_eq!(faults(of(bad)), [fault]);
        }
        let other = faults(endpoint("sqlite", "", None, &members(json!({"path": 1}))));
        assert_eq!(other[0].0, "connection_json.path");
        assert!(!other[0].1.contains("column"), "{other:?}");
        let no_url = faults(endpoint("https", "rest", Some("api.example"), &Map::new()));
        assert_eq!(no_url[0].1, "must be an address such as https://api.example.com/v1");
        let no_url = faults(endpoint("postgresql", "", Some("db.example/shop"), &Map::new()));
        assert_eq!(no_url[0].1, "must be an address such as postgresql://db.example.com/shop");
    }

    #[test]
    fn a_config_names_further_files_beside_its_own() {
        let of =
            |tables: Value| endpoint("file", "", None, &members(json!({"path": "a.csv", "tables": tables})));
        let found = of(json!({
            "customers": "in/c.xlsx",
            "people": {"path": "in/c.xlsx", "sheet": "People"},
            "_1": {"path": "d.json", "rows": "$.items[*]"},
        }));
        let found = found.expect("files");
        assert_eq!(found.files(), ["a.csv", "in/c.xlsx", "d.json"]);
        let Endpoint::File(files) = &found else { panic!("files") };
        let told = files.iter().map(|file| (file.table.as_str(), file.format, file.sheet.as_deref()));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("data", FileFormat::Csv, None),
                ("customers", FileFormat::Xlsx, None),
                ("people", FileFormat::Xlsx, Some("People")),
                ("_1", FileFormat::Json, None),
            ]
        );
        let readings = found.readings_of("in/c.xlsx");
        let sheet = |reading: &Endpoint| match reading {
            Endpoint::File(files) if files.len() == 1 && files[0].table == DATA => files[0].sheet.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(readings.iter().map(sheet).collect::<Vec<_>>(), [None, Some("People".to_owned())]);
        assert_eq!(found.readings_of("b.csv").len(), 0);
        for none in [Value::Null, json!({})] {
            assert_eq!(of(none).expect("a file").files(), ["a.csv"]);
        }
    }

    #[test]
    fn a_fault_of_a_further_file_names_its_table() {
        let of =
            |tables: Value| endpoint("file", "", None, &members(json!({"path": "a.csv", "tables": tables})));
        let long = "x".repeat(64);
        for name in ["", "Customers", "1st", "a-b", "a.b", "käufer", "a b", &long, "data", "sqlite_x"] {
            let [(field, message)] = faults(of(json!({name: "c.csv"}))).try_into().expect("one fault");
            assert_eq!(field, format!("connection_json.tables.{name}"), "{message}");
        }
        for (given, field, words) in [
            (json!(""), "customers", "is missing"),
            (json!("../c.csv"), "customers", "must not hold . or .."),
            (json!("c.pdf"), "customers", "must end in one of: .csv"),
            (json!(["c.csv"]), "customers", "must be a path, or an object"),
            (json!({"sheet": "C"}), "customers", "is missing"),
            (json!({"path": "c.csv", "sheet": "C"}), "customers.sheet", "means something to workbooks only"),
            (json!({"path": "c.xlsx", "rows": "$"}), "customers.rows", "means something to JSON"),
            (json!({"path": "c.csv", "table": "x"}), "customers.table", ""),
        ] {
            let [(found, message)] = faults(of(json!({"customers": given}))).try_into().expect("one fault");
            assert_eq!(found, format!("connection_json.tables.{field}"), "{message}");
            assert!(message.starts_with(words), "{message}");
        }
        let many: Map<String, Value> = (0..9).map(|i| (format!("t{i}"), "c.csv".into())).collect();
        assert_eq!(faults(of(many.into()))[0].0, "connection_json.tables");
        assert_eq!(faults(of(json!("c.csv")))[0].0, "connection_json.tables");
        // All are told at once.
        assert_eq!(faults(of(json!({"A": "c.csv", "b": ""}))).len(), 2);
    }

    #[test]
    fn a_fault_of_the_sign_in_says_what_goes_with_it() {
        let both = auth(AuthType::ApiKey, &members(json!({"header": "X-Key", "query": "key", "key": "x"})));
        let words = "must have header or query, not both: it says where the key goes";
        assert_eq!(faults(both), [("auth_config".to_owned(), words.to_owned())]);
        for (auth_type, given, words) in [
            (AuthType::Bearer, json!({"token": "x", "username": "a"}), "what does: token"),
            (AuthType::None, json!({"username": "a"}), "what does: nothing"),
        ] {
            let [(field, message)] = faults(auth(auth_type, &members(given))).try_into().expect("one fault");
            assert_eq!(field, "auth_config.username");
            assert_eq!(message, format!("does not go with auth_type {auth_type}; {words}"));
        }
    }
}
