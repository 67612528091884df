//! How a config reaches a datasource: typed settings only, never free-form driver options.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::lookup::sql_check::SqlDialect;
use crate::{
    datasources::dto::{AuthType, DatasourceConfigInput, DatasourceType},
    server::extract::parse_json,
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

/// Where it is.
#[derive(Clone, Debug)]
pub enum Endpoint {
    Postgres(PostgresEndpoint),
    Sqlite { path: String },
    Csv { path: String },
    Http(HttpEndpoint),
}

#[derive(Clone, Debug)]
pub struct PostgresEndpoint {
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
}

impl Endpoint {
    /// Which datasources it can serve.
    pub fn serves(&self, kind: DatasourceType) -> bool {
        match self {
            Self::Postgres(_) | Self::Sqlite { .. } => kind == DatasourceType::Database,
            Self::Csv { .. } => kind == DatasourceType::File,
            Self::Http(_) => kind == DatasourceType::Api,
        }
    }

    pub fn dialect(&self) -> SqlDialect {
        match self {
            Self::Postgres(_) => SqlDialect::Postgres,
            Self::Sqlite { .. } | Self::Csv { .. } => SqlDialect::Sqlite,
            Self::Http(_) => SqlDialect::Any,
        }
    }
}

const PROTOCOLS: &str = "postgresql, sqlite, http, https, file";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostgresSettings {
    host: Option<String>,
    port: Option<u16>,
    database: Option<String>,
    sslmode: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathSettings {
    path: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

/// Credentials that stood in a base URL, where they would be read back, are moved to `auth_config`, which is
/// encrypted. What `auth_config` says already, wins.
///
/// # Errors
/// 422, where the base URL cannot be read.
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
    let decoded = |text: &str| {
        url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B").replace('&', "%26")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let (username, password) = (decoded(url.username()), url.password().map(decoded));
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
                format!("'{driver_family}' does not go with {protocol}; {}", allowed.join(", ")),
            ))
        }
    };
    match protocol.to_ascii_lowercase().as_str() {
        "postgresql" | "postgres" => {
            drivers(&["psycopg2", "psycopg", "asyncpg", "sqlx", "postgresql"])?;
            postgres(base_url, settings(connection_json)?)
        }
        "sqlite" => {
            drivers(&["sqlx", "sqlite", "sqlite3", "aiosqlite"])?;
            Ok(Endpoint::Sqlite { path: path(base_url, settings(connection_json)?)? })
        }
        "file" => {
            drivers(&["csv"])?;
            Ok(Endpoint::Csv { path: path(base_url, settings(connection_json)?)? })
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
    let bytes = serde_json::to_vec(json).unwrap_or_default();
    let mut checks = Checks::default();
    let parsed = checks.part("connection_json", parse_json(&bytes));
    checks.finish()?;
    parsed.ok_or_else(|| Problem::invalid_field("connection_json", "cannot be read"))
}

fn postgres(base_url: Option<&str>, settings: PostgresSettings) -> Result<Endpoint, Problem> {
    let url = base_url.map(Url::parse).transpose();
    let url = url.map_err(|error| Problem::invalid_field("base_url", format!("is no URL: {error}")))?;
    if let Some(url) = &url {
        if !url.scheme().starts_with("postgres") {
            return Err(Problem::invalid_field("base_url", "must begin with postgresql://"));
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
    let port = settings.port.or_else(|| url.as_ref().and_then(Url::port)).unwrap_or(5432);
    Ok(Endpoint::Postgres(PostgresEndpoint {
        host,
        port,
        database,
        require_tls,
        username: None,
        password: None,
    }))
}

/// A path beneath the tenant's own folder. The look-up's own opening is the fence; this is the clear sentence.
fn path(base_url: Option<&str>, settings: PathSettings) -> Result<String, Problem> {
    let from_url = base_url.map(|url| {
        let rest = url.split_once(':').filter(|(scheme, _)| matches!(*scheme, "file" | "sqlite"));
        rest.map_or(url, |(_, rest)| rest).trim_start_matches('/').to_owned()
    });
    let field =
        if settings.path.is_some() || base_url.is_none() { "connection_json.path" } else { "base_url" };
    let path = settings.path.or(from_url).unwrap_or_default();
    let fault = if path.is_empty() {
        Some("is missing: the file's path within the tenant's folder")
    } else if path.starts_with('/') || path.contains(['\\', '\0', ':']) {
        Some("must be a path within the tenant's folder, such as customers.csv")
    } else if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        Some("must not hold . or .. or empty parts")
    } else {
        None
    };
    match fault {
        None => Ok(path),
        Some(fault) => Err(Problem::invalid_field(field, fault)),
    }
}

fn http(base_url: Option<&str>) -> Result<Endpoint, Problem> {
    let fault = |message: String| Problem::invalid_field("base_url", message);
    let text = base_url.ok_or_else(|| fault("is missing: such as https://api.example.com/v1".into()))?;
    let url = Url::parse(text).map_err(|error| fault(format!("is no URL: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fault("must begin with http:// or https:// and a host".into()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(fault("must have neither ?query nor #fragment".into()));
    }
    Ok(Endpoint::Http(HttpEndpoint { base_url: url }))
}

/// Reads the credentials.
///
/// # Errors
/// 422 naming each member at fault, never its value.
pub fn auth(auth_type: AuthType, members: &Map<String, Value>) -> Result<Auth, Problem> {
    let mut checks = Checks::default();
    let allowed: &[&str] = match auth_type {
        AuthType::None => &[],
        AuthType::Basic => &["username", "password"],
        AuthType::Bearer => &["token"],
        AuthType::ApiKey => &["header", "query", "key"],
    };
    for (name, value) in members {
        if !allowed.contains(&name.as_str()) {
            checks.fault(
                format!("auth_config.{name}"),
                format!("does not go with auth_type {auth_type}; {}", allowed.join(", ")),
            );
        } else if !value.is_string() {
            checks.fault(format!("auth_config.{name}"), "must be a text");
        }
    }
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
                _ => {
                    checks.fault("auth_config", "must have header or query, which says where the key goes");
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
    match (endpoint, auth) {
        (Endpoint::Postgres(endpoint), Auth::Basic { username, password }) => {
            Endpoint::Postgres(PostgresEndpoint {
                username: Some(username.clone()),
                password: Some(password.clone()),
                ..endpoint
            })
        }
        (endpoint, _) => endpoint,
    }
}
