//! The fields of a config, by protocol and sign-in. What is stored secretly is never read back: left empty, it stays.

use leptos::prelude::*;
use serde_json::{Map, Value, json};

use crate::{
    datasources::dto::{AuthType, DatasourceConfig, DatasourceConfigInput, DatasourceType, MASK},
    shared::TenantId,
};

/// Protocols to choose from, and their words.
pub const PROTOCOLS: [(&str, &str); 6] = [
    ("postgresql", "PostgreSQL"),
    ("mysql", "MySQL"),
    ("mariadb", "MariaDB"),
    ("sqlite", "SQLite file"),
    ("http", "HTTP API"),
    ("file", "File: CSV, Excel, JSON"),
];

/// A config as it is typed.
#[derive(Clone, Copy)]
pub struct ConfigForm {
    pub name: RwSignal<String>,
    /// One of `PROTOCOLS`.
    pub protocol: RwSignal<String>,
    /// Of a file: how it is read.
    pub format: RwSignal<String>,
    pub url: RwSignal<String>,
    pub host: RwSignal<String>,
    pub port: RwSignal<String>,
    pub database: RwSignal<String>,
    pub tls: RwSignal<String>,
    pub path: RwSignal<String>,
    pub sheet: RwSignal<String>,
    pub rows: RwSignal<String>,
    /// Further files, as lines: `customers = crm.xlsx: Customers`.
    pub tables: RwSignal<String>,
    pub auth_type: RwSignal<String>,
    pub username: RwSignal<String>,
    pub password: RwSignal<String>,
    pub token: RwSignal<String>,
    pub key: RwSignal<String>,
    /// `header` or `query`.
    pub key_place: RwSignal<String>,
    pub key_name: RwSignal<String>,
    pub token_url: RwSignal<String>,
    pub client_id: RwSignal<String>,
    pub client_secret: RwSignal<String>,
    pub scope: RwSignal<String>,
    stored: StoredValue<Stored>,
}

/// What the form was filled from.
#[derive(Clone, Default)]
struct Stored {
    protocol: String,
    driver_family: String,
    auth_type: String,
    members: Vec<String>,
    tables: Map<String, Value>,
}

impl ConfigForm {
    /// An empty form, or one of a stored config.
    pub fn new(config: Option<&DatasourceConfig>) -> Self {
        let text = |text: &str| RwSignal::new(text.to_owned());
        let empty = || text("");
        let setting = |name: &str| -> String {
            match config.and_then(|config| config.connection_json.get(name)) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            }
        };
        let stored = config.map_or_else(Stored::default, |config| Stored {
            protocol: config.protocol.clone(),
            driver_family: config.driver_family.clone(),
            auth_type: config.auth_type.to_string(),
            members: config.auth_config.as_object().into_iter().flat_map(|m| m.keys().cloned()).collect(),
            tables: config
                .connection_json
                .get("tables")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        });
        let url = config.and_then(|config| config.base_url.clone()).unwrap_or_default();
        let (host, port, database) = parts(&url);
        let or = |setting: String, from_url: &str| match setting.as_str() {
            "" => RwSignal::new(from_url.to_owned()),
            _ => RwSignal::new(setting),
        };
        let key_place = if stored.members.iter().any(|name| name == "query") { "query" } else { "header" };
        Self {
            name: text(config.map_or("", |config| &config.name)),
            protocol: text(known(&stored.protocol)),
            format: text(format_of(&stored.driver_family)),
            url: text(&url),
            host: or(setting("host"), host),
            port: or(setting("port"), port),
            database: or(setting("database"), database),
            tls: or(setting("sslmode"), "prefer"),
            path: or(setting("path"), path_of(&url)),
            sheet: RwSignal::new(setting("sheet")),
            rows: RwSignal::new(setting("rows")),
            tables: RwSignal::new(lines_of(&stored.tables)),
            auth_type: text(if stored.auth_type.is_empty() { "none" } else { &stored.auth_type }),
            username: empty(),
            password: empty(),
            token: empty(),
            key: empty(),
            key_place: text(key_place),
            key_name: empty(),
            token_url: empty(),
            client_id: empty(),
            client_secret: empty(),
            scope: empty(),
            stored: StoredValue::new(stored),
        }
    }

    /// Fills in a file of the tenant; what kind of datasource that makes.
    pub fn begin_with_file(self, path: &str) -> DatasourceType {
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        let (protocol, kind) = match ending.as_str() {
            "sqlite" | "sqlite3" | "db" => ("sqlite", DatasourceType::Database),
            _ => ("file", DatasourceType::File),
        };
        self.protocol.set(protocol.to_owned());
        self.path.set(path.to_owned());
        kind
    }

    /// Whether a member of the sign-in is stored, and so may be left empty.
    pub fn is_stored(self, member: &str) -> bool {
        let auth_type = self.auth_type.get();
        self.stored.with_value(|stored| {
            stored.auth_type == auth_type && stored.members.iter().any(|name| name == member)
        })
    }

    pub fn is_database(self) -> bool {
        matches!(self.protocol.read().as_str(), "postgresql" | "mysql" | "mariadb")
    }

    /// Whether the file has sheets.
    pub fn is_workbook(self) -> bool {
        !self.sheet.read().is_empty() || self.reads_as("excel", &[".xlsx", ".xlsm"])
    }

    /// Whether the file is one JSON document.
    pub fn is_json(self) -> bool {
        !self.rows.read().is_empty() || self.reads_as("json", &[".json", ".geojson"])
    }

    fn reads_as(self, format: &str, endings: &[&str]) -> bool {
        let path = self.path.read().trim().to_ascii_lowercase();
        match self.format.read().as_str() {
            "" => endings.iter().any(|ending| path.ends_with(ending)),
            chosen => chosen == format,
        }
    }

    /// The sign-ins that go with the protocol.
    pub fn auth_types(self) -> Vec<(String, String)> {
        let mut types = vec![(AuthType::None, "No sign-in")];
        if self.is_database() || self.protocol.read().as_str() == "http" {
            types.push((AuthType::Basic, "Name and password"));
        }
        if self.protocol.read().as_str() == "http" {
            types.extend([
                (AuthType::Bearer, "Bearer token"),
                (AuthType::ApiKey, "API key"),
                (AuthType::Oauth, "OAuth 2.0 (client credentials)"),
            ]);
        }
        types.into_iter().map(|(kind, words)| (kind.to_string(), words.to_owned())).collect()
    }

    /// The config as the server takes it. Reads every signal that it is made of.
    pub fn input(self, tenant: &TenantId) -> DatasourceConfigInput {
        let protocol = self.protocol.get();
        let given = |field: RwSignal<String>| Some(field.get().trim().to_owned()).filter(|t| !t.is_empty());
        let mut settings = Map::new();
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                settings.insert(name.to_owned(), value);
            }
        };
        let mut base_url = None;
        match protocol.as_str() {
            "http" => base_url = given(self.url),
            "sqlite" => set("path", given(self.path).map(Value::from)),
            "file" => {
                for (name, field) in [("path", self.path), ("sheet", self.sheet), ("rows", self.rows)] {
                    set(name, given(field).map(Value::from));
                }
                let tables =
                    self.stored.with_value(|stored| tables_of(self.tables.read().as_str(), &stored.tables));
                set("tables", (!tables.is_empty()).then_some(Value::Object(tables)));
            }
            _ => {
                set("host", given(self.host).map(Value::from));
                // What is no number is for the server to name.
                let number = |text: String| text.parse::<u16>().map_or_else(|_| json!(text), Value::from);
                set("port", given(self.port).map(number));
                set("database", given(self.database).map(Value::from));
                set("sslmode", given(self.tls).filter(|mode| mode != "prefer").map(Value::from));
            }
        }
        let auth_type: AuthType = self.auth_type.get().parse().unwrap_or(AuthType::None);
        DatasourceConfigInput {
            name: self.name.get(),
            driver_family: self.driver_family(&protocol),
            protocol: self.spelled(protocol, base_url.as_deref()),
            base_url,
            auth_type,
            auth_config: self.auth_config(auth_type),
            connection_json: settings,
            tenant_id: Some(tenant.to_string()),
            config_id: Default::default(),
            created_at: Default::default(),
            updated_at: Default::default(),
        }
    }

    fn auth_config(self, auth_type: AuthType) -> Map<String, Value> {
        let place = self.key_place.get();
        let members: Vec<(&str, RwSignal<String>)> = match auth_type {
            AuthType::None => Vec::new(),
            AuthType::Basic => vec![("username", self.username), ("password", self.password)],
            AuthType::Bearer => vec![("token", self.token)],
            AuthType::ApiKey => vec![(place.as_str(), self.key_name), ("key", self.key)],
            AuthType::Oauth => vec![
                ("token_url", self.token_url),
                ("client_id", self.client_id),
                ("client_secret", self.client_secret),
                ("scope", self.scope),
            ],
        };
        let mut config = Map::new();
        for (name, field) in members {
            let text = field.get();
            if !text.is_empty() {
                config.insert(name.to_owned(), text.into());
            } else if self.is_stored(name) {
                config.insert(name.to_owned(), MASK.into());
            }
        }
        config
    }

    /// As it was spelled, where that still means the same.
    fn spelled(self, protocol: String, url: Option<&str>) -> String {
        if protocol == "http" {
            let is_plain = url.is_some_and(|url| url.to_ascii_lowercase().starts_with("http:"));
            return if is_plain { "http".into() } else { "https".into() };
        }
        self.stored.with_value(|stored| {
            if known(&stored.protocol) == protocol && !stored.protocol.is_empty() {
                stored.protocol.clone()
            } else {
                protocol
            }
        })
    }

    fn driver_family(self, protocol: &str) -> String {
        let format = self.format.get();
        self.stored.with_value(|stored| {
            let is_same = known(&stored.protocol) == protocol && !stored.protocol.is_empty();
            match protocol {
                "file" if is_same && format_of(&stored.driver_family) == format => {
                    stored.driver_family.clone()
                }
                "file" => format,
                _ if is_same => stored.driver_family.clone(),
                "http" => "rest".to_owned(),
                _ => String::new(),
            }
        })
    }
}

/// The protocol's one name among those that people write.
fn known(protocol: &str) -> &'static str {
    match protocol.to_ascii_lowercase().as_str() {
        "mysql" => "mysql",
        "mariadb" => "mariadb",
        "sqlite" => "sqlite",
        "http" | "https" => "http",
        "file" => "file",
        _ => "postgresql",
    }
}

fn format_of(driver_family: &str) -> &'static str {
    match driver_family.to_ascii_lowercase().as_str() {
        "csv" => "csv",
        "excel" | "xlsx" | "openpyxl" => "excel",
        "json" => "json",
        "jsonl" | "ndjson" => "jsonl",
        _ => "",
    }
}

/// Further files as lines.
fn lines_of(tables: &Map<String, Value>) -> String {
    tables.iter().map(|(name, given)| line_of(name, given)).collect::<Vec<_>>().join("\n")
}

/// A path holds no colon: behind one stands which part of the file is read.
fn line_of(name: &str, given: &Value) -> String {
    let member = |name: &str| given.get(name).and_then(Value::as_str);
    let path = given.as_str().or(member("path")).unwrap_or_default();
    match member("sheet").or(member("rows")) {
        Some(part) => format!("{name} = {path}: {part}"),
        None => format!("{name} = {path}"),
    }
}

/// Lines as the server takes them. What is wrong with one is for it to name. A line as it is stored stays so, to the last
/// space.
fn tables_of(lines: &str, stored: &Map<String, Value>) -> Map<String, Value> {
    let mut tables = Map::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut stored = stored.iter();
        let untouched = stored.find(|(name, given)| line_of(name, given).trim() == line);
        if let Some((name, given)) = untouched.filter(|(name, _)| !tables.contains_key(*name)) {
            tables.insert(name.clone(), given.clone());
            continue;
        }
        let (name, file) = line.split_once('=').unwrap_or((line, ""));
        let name = name.trim();
        // A second one would take the place of the first unasked.
        let name = if tables.contains_key(name) { line } else { name };
        let file = match file.split_once(':') {
            Some((path, part)) if !part.trim().is_empty() => {
                let (path, part) = (path.trim(), part.trim());
                let member = if path.to_ascii_lowercase().ends_with(".json") { "rows" } else { "sheet" };
                json!({"path": path, member: part})
            }
            _ => file.trim().into(),
        };
        tables.insert(name.to_owned(), file);
    }
    tables
}

/// Host, port and database of `postgresql://host:5432/database`.
fn parts(url: &str) -> (&str, &str, &str) {
    let Some((_, rest)) = url.split_once("://") else { return ("", "", "") };
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port, database),
        _ => (place, "", database),
    }
}

/// The path of `file:///customers.csv`.
fn path_of(url: &str) -> &str {
    let rest = url.split_once(':').filter(|(scheme, _)| matches!(*scheme, "file" | "sqlite"));
    rest.map_or("", |(_, rest)| rest).trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(value: Value) -> DatasourceConfig {
        let mut whole = json!({
            "config_id": 1, "tenant_id": "acme", "name": "c", "protocol": "", "driver_family": "", "base_url": null,
            "auth_type": "none", "auth_config": {}, "connection_json": {},
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        });
        for (name, value) in value.as_object().expect("members") {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).expect("a config")
    }

    fn form(value: Value) -> ConfigForm {
        ConfigForm::new(Some(&config(value)))
    }

    #[test]
    fn an_address_becomes_fields_and_the_spelling_stays() {
        let owner = Owner::new();
        owner.set();
        let tenant: TenantId = "acme".parse().expect("an id");
        let input = form(json!({
            "protocol": "postgres", "driver_family": "psycopg2", "base_url": "postgresql+psycopg2://db.example:5433/shop",
            "auth_type": "basic", "auth_config": {"username": MASK, "password": MASK},
        }))
        .input(&tenant);
        assert_eq!(
            Value::from(input.connection_json),
            json!({"host": "db.example", "port": 5433, "database": "shop"})
        );
        assert_eq!((input.protocol.as_str(), input.driver_family.as_str()), ("postgres", "psycopg2"));
        assert_eq!(input.base_url, None);
        assert_eq!(Value::from(input.auth_config), json!({"username": MASK, "password": MASK}));
    }

    #[test]
    fn what_is_typed_replaces_what_is_stored_and_another_sign_in_keeps_nothing() {
        let owner = Owner::new();
        owner.set();
        let tenant: TenantId = "acme".parse().expect("an id");
        let form = form(json!({
            "protocol": "https", "driver_family": "rest", "base_url": "https://api.example/v1",
            "auth_type": "api_key", "auth_config": {"query": MASK, "key": MASK},
        }));
        form.key.set("new".into());
        let input = form.input(&tenant);
        assert_eq!(Value::from(input.auth_config), json!({"query": MASK, "key": "new"}));
        assert_eq!(
            (input.protocol.as_str(), input.base_url.as_deref()),
            ("https", Some("https://api.example/v1"))
        );
        form.auth_type.set("bearer".into());
        assert_eq!(Value::from(form.input(&tenant).auth_config), json!({}));
    }

    #[test]
    fn a_file_is_read_from_either_place() {
        let owner = Owner::new();
        owner.set();
        let tenant: TenantId = "acme".parse().expect("an id");
        let form =
            form(json!({"protocol": "file", "driver_family": "openpyxl", "base_url": "file:///a/b.xlsx"}));
        let input = form.input(&tenant);
        assert_eq!(Value::from(input.connection_json), json!({"path": "a/b.xlsx"}));
        assert_eq!(input.driver_family, "openpyxl");
        assert_eq!(ConfigForm::new(None).input(&tenant).protocol, "postgresql");
    }

    #[test]
    fn further_files_are_lines_and_stay_as_they_are_stored() {
        let owner = Owner::new();
        owner.set();
        let tenant: TenantId = "acme".parse().expect("an id");
        let settings = json!({"path": "orders.csv", "tables": {
            "customers": "in/customers.csv",
            "people": {"path": "crm.xlsx", "sheet": "All: people"},
            "items": {"path": "a.json", "rows": "$.items[0:9]"},
            "spaced": {"path": "crm.xlsx", "sheet": " Orders "},
            "whole": {"path": "b.csv"},
        }});
        let form = form(json!({"protocol": "file", "connection_json": settings}));
        let lines = "customers = in/customers.csv\npeople = crm.xlsx: All: people\nitems = a.json: $.items[0:9]\n\
                     spaced = crm.xlsx:  Orders \nwhole = b.csv";
        assert_eq!(form.tables.get_untracked(), lines);
        let tables = |lines: &str| {
            form.tables.set(lines.to_owned());
            Value::from(form.input(&tenant).connection_json)
        };
        assert_eq!(tables(lines), settings);
        let typed = tables("customers = c.csv\nspaced = crm.xlsx:  Orders\nanother = crm.xlsx:  Orders ");
        let orders = |sheet: &str| json!({"path": "crm.xlsx", "sheet": sheet});
        let expected =
            json!({"customers": "c.csv", "spaced": orders(" Orders "), "another": orders("Orders")});
        assert_eq!(typed["tables"], expected);
        assert_eq!(tables(" \n"), json!({"path": "orders.csv"}));
        // Nothing of what is typed is left out unasked.
        let found = tables("a=b.csv\n\n a = c.csv \nd\n= e.csv\nf = g.xlsx:");
        let typed = json!({"a": "b.csv", "a = c.csv": "c.csv", "d": "", "": "e.csv", "f": "g.xlsx:"});
        assert_eq!(found["tables"], typed);
    }
}
