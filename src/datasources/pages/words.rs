//! How datasources and configs read in words.

use crate::datasources::dto::{AuthType, DatasourceConfig, DatasourceType, TestStep};

pub fn type_words(kind: DatasourceType) -> &'static str {
    match kind {
        DatasourceType::Database => "Database",
        DatasourceType::Api => "HTTP API",
        DatasourceType::File => "File",
    }
}

/// A query as a datasource of this kind might be asked by. A config's own file is one table, whatever it is called.
pub fn query_example(kind: DatasourceType) -> &'static str {
    match kind {
        DatasourceType::File => "SELECT * FROM data WHERE email = ?",
        DatasourceType::Database | DatasourceType::Api => "SELECT * FROM customers WHERE email = ?",
    }
}

pub fn auth_words(auth_type: AuthType) -> &'static str {
    match auth_type {
        AuthType::None => "none",
        AuthType::Basic => "name and password, kept secret",
        AuthType::Bearer => "token, kept secret",
        AuthType::ApiKey => "API key, kept secret",
        AuthType::Oauth => "OAuth client, kept secret",
    }
}

/// Where a test ended.
pub fn step_words(step: TestStep) -> &'static str {
    match step {
        TestStep::Config => "the settings",
        TestStep::Name => "the host’s name",
        TestStep::Port => "the port",
        TestStep::Tls => "encryption (TLS)",
        TestStep::Credentials => "the sign-in",
        TestStep::Permission => "the permissions",
        TestStep::Database => "the database",
        TestStep::File => "the file",
        TestStep::Sheet => "the sheet",
        TestStep::Answer => "the answer",
    }
}

/// `http (rest)`.
pub fn protocol_words(config: &DatasourceConfig) -> String {
    match config.driver_family.as_str() {
        "" => config.protocol.clone(),
        family => format!("{} ({family})", config.protocol),
    }
}

/// Which datasources a config of this protocol serves. `None` for a protocol that is not known.
pub fn type_of(protocol: &str) -> Option<DatasourceType> {
    match protocol.to_ascii_lowercase().as_str() {
        "postgresql" | "postgres" | "mysql" | "mariadb" | "sqlite" => Some(DatasourceType::Database),
        "http" | "https" => Some(DatasourceType::Api),
        "file" => Some(DatasourceType::File),
        _ => None,
    }
}

/// How long something took: `0.4 ms`, `12 ms`, `1.8 s`.
pub fn duration_words(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else if ms < 1_000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1_000.0)
    }
}
