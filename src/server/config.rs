//! Configuration from the environment (and `.env`), typed and checked at start, every fault named at once.

mod edge;
mod identity;
mod mail;
mod site;

use std::{net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use ipnet::IpNet;
use lettre::{AsyncSmtpTransport, Tokio1Executor, message::Mailbox};
use secrecy::SecretString;

pub use edge::EdgeConfig;
pub use identity::{IdentityConfig, InvitationLinks, JwtConfig, OidcConfig};
pub use mail::MailConfig;
pub use site::site_options;

/// How strictly the installation is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    Development,
    Production,
}

/// Everything that can be set. Each field's environment variable stands in its comment.
#[derive(Clone, Debug)]
pub struct Config {
    /// `ENVIRONMENT`: `development` (default) or `production`.
    pub environment: Environment,
    /// `DATABASE_URL`: without it, a private PostgreSQL in `DATA_DIR`.
    pub database_url: Option<SecretString>,
    /// `DATABASE_OWNER_URL`: the role that migrates, where `DATABASE_URL`'s must not own the tables.
    pub database_owner_url: Option<SecretString>,
    /// `DATABASE_POOL_MIN` (5) and `DATABASE_POOL_MAX` (15): connections kept, and at most.
    pub pool_min: u32,
    pub pool_max: u32,
    /// `DATABASE_POOL_CHECK` (true): whether a connection that rested is checked before use.
    pub pool_check: bool,
    /// `DATA_DIR` (`./data`): the private database, uploaded files, a generated key.
    pub data_dir: PathBuf,
    /// `ENCRYPTION_KEY`: 32 bytes in base64 or hex. Outside production one is generated into `DATA_DIR`.
    pub encryption_key: Option<SecretString>,
    /// `ENCRYPTION_KEYS_ACCEPTED`: keys of before, separated by commas, under which stored secrets are still opened.
    pub accepted_keys: Vec<SecretString>,
    /// `APP_NAME` and `APP_VERSION`, for display.
    pub app_name: String,
    pub app_version: String,
    /// `DEBUG` (false): more in the log.
    pub debug: bool,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`: the collector that traces are sent to, by OTLP over HTTP, as `http://127.0.0.1:4318`;
    /// or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, with its path. None by default, or with `OTEL_TRACES_EXPORTER=none` or
    /// `OTEL_SDK_DISABLED=true`. The library takes its other settings from the environment (`OTEL_EXPORTER_OTLP_HEADERS`,
    /// `OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`).
    pub collector: Option<url::Url>,
    /// `CORS_ORIGINS`: origins whose pages may call the API from a browser, by key; none by default.
    pub cors_origins: Vec<String>,
    /// `PUBLIC_URL`: where people reach the installation. With https, cookies are `Secure`.
    pub public_url: Option<url::Url>,
    /// `TRUSTED_PROXIES`: networks of the proxies before this server, whose `X-Forwarded-For` is believed. None by
    /// default.
    pub trusted_proxies: Vec<IpNet>,
    /// `SESSION_IDLE_MINUTES` (30) and `SESSION_HOURS` (8): a session ends so long after it was last seen, and so
    /// long after sign-in whatever happens (OWASP, session management).
    pub session_idle_minutes: i32,
    pub session_hours: i64,
    /// `MAX_MESSAGE_BYTES` (10,240,000, as Postfix has it).
    pub max_message_bytes: usize,
    /// `WORKERS` (16): messages processed at once.
    pub workers: usize,
    /// `JOB_MAX_ATTEMPTS` (5) and `JOB_RETRY_BASE_MS` (2,000): tries of a message whose datasource cannot be
    /// asked, and the wait after the first, doubled each time.
    pub job_max_attempts: i32,
    pub job_retry_base: Duration,
    /// `JOB_PATIENCE_MS` (600,000): how long a message may wait for a datasource that is not asked, because it keeps
    /// failing or is busy, before that counts as a try.
    pub job_patience: Duration,
    pub lookups: LookupConfig,
    pub files: FileConfig,
    pub deliveries: DeliveryConfig,
    pub edge: EdgeConfig,
    pub identity: IdentityConfig,
    pub mail: MailConfig,
}

/// The fence around look-ups.
#[derive(Clone, Debug)]
pub struct LookupConfig {
    /// `LOOKUP_ALLOW_NETWORKS`: networks that look-ups may reach although they are private. Default: none in
    /// production, loopback elsewhere; set and empty, none there either.
    pub allow_networks: Vec<IpNet>,
    /// `LOOKUP_CONNECT_TIMEOUT_MS` (2,000), `LOOKUP_TIMEOUT_MS` (3,000).
    pub connect_timeout: Duration,
    pub timeout: Duration,
    /// `LOOKUP_MAX_ROWS` (100).
    pub max_rows: usize,
    /// `LOOKUP_MAX_BYTES` (1,048,576).
    pub max_bytes: usize,
    /// `LOOKUP_CONCURRENCY_PER_CONFIG` (3): look-ups with one config at once, so that one that stalls leaves its
    /// tenant's others a turn.
    pub concurrency_per_config: usize,
    /// `LOOKUP_CONCURRENCY` (4): look-ups of one tenant at once.
    pub concurrency: usize,
}

/// What tenants may keep of files, in bytes.
#[derive(Clone, Debug)]
pub struct FileConfig {
    /// `FILE_MAX_BYTES` (268,435,456): one file.
    pub max_file: u64,
    /// `FILES_MAX_BYTES` (1,073,741,824): all files of a tenant.
    pub max_tenant: u64,
}

/// How deliveries are sent.
#[derive(Clone, Debug)]
pub struct DeliveryConfig {
    /// `DELIVERY_PATIENCE_HOURS` (72) and `DELIVERY_RETRY_BASE_MS` (5,000): how long one is tried before it is given
    /// up, and the wait after the first try, doubled each time, at most an hour.
    pub patience: Duration,
    pub retry_base: Duration,
    /// `DELIVERY_TIMEOUT_MS` (10,000): a webhook in all, or one step of the conversation before a mail is handed over.
    /// For the mail itself a relay has its ten minutes (RFC 5321, section 4.5.3.2.6).
    pub timeout: Duration,
    /// `DELIVERY_CONCURRENCY` (8): sent at once.
    pub concurrency: usize,
    /// `SMTP_URL` and `SMTP_FROM`: without them no mail is sent.
    pub smtp: Option<SmtpConfig>,
}

/// The installation's mail relay.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// As in `smtp://user:password@host:587?tls=required`, or `smtps://…`.
    pub url: SecretString,
    /// Who mails come from, as in `Acme <flow@acme.example>`.
    pub from: Mailbox,
    /// Its address alone.
    pub address: String,
}

/// All that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has faults:\n{}", .0.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))]
pub struct ConfigFaults(pub Vec<String>);

impl Config {
    /// Reads `.env` (which never overrides the environment), then the environment.
    ///
    /// # Errors
    /// Every fault, each naming its variable.
    pub fn from_env() -> Result<Self, ConfigFaults> {
        match dotenvy::dotenv() {
            Ok(_) => {}
            Err(error) if error.not_found() => {}
            Err(error) => return Err(ConfigFaults(vec![format!(".env: {error}")])),
        }
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads the variables that `get` gives. An empty variable counts as not set, but for a list of networks, which is then
    /// empty: only so can none be named where some are the default.
    ///
    /// # Errors
    /// Every fault, each naming its variable.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigFaults> {
        let mut r = Reader { get: &get, faults: Vec::new() };
        let environment = match r.text("ENVIRONMENT").as_deref() {
            None | Some("development" | "dev" | "test") => Environment::Development,
            Some("production") => Environment::Production,
            Some(other) => {
                r.fault("ENVIRONMENT", format!("'{other}' is neither development nor production"));
                Environment::Development
            }
        };
        let production = environment == Environment::Production;
        let cors_origins = edge::cors_origins(&mut r);
        let default_networks = if production { "" } else { "127.0.0.0/8,::1/128" };
        let config = Self {
            environment,
            database_url: r.postgres_url("DATABASE_URL"),
            database_owner_url: r.postgres_url("DATABASE_OWNER_URL"),
            pool_min: r.number("DATABASE_POOL_MIN", 5),
            pool_max: r.number("DATABASE_POOL_MAX", 15),
            pool_check: r.number("DATABASE_POOL_CHECK", true),
            data_dir: r.text("DATA_DIR").unwrap_or_else(|| "data".into()).into(),
            encryption_key: r.text("ENCRYPTION_KEY").map(Into::into),
            accepted_keys: r.list("ENCRYPTION_KEYS_ACCEPTED").into_iter().map(Into::into).collect(),
            app_name: r.text("APP_NAME").unwrap_or_else(|| "FlowEngine".into()),
            app_version: r.text("APP_VERSION").unwrap_or_else(|| env!("CARGO_PKG_VERSION").into()),
            debug: r.number("DEBUG", false),
            collector: r.collector(),
            public_url: r.parsed("PUBLIC_URL"),
            trusted_proxies: r.networks("TRUSTED_PROXIES", ""),
            session_idle_minutes: r.number("SESSION_IDLE_MINUTES", 30),
            session_hours: r.number("SESSION_HOURS", 8),
            max_message_bytes: r.number("MAX_MESSAGE_BYTES", 10_240_000),
            workers: r.number("WORKERS", 16),
            job_max_attempts: r.number("JOB_MAX_ATTEMPTS", 5),
            job_retry_base: Duration::from_millis(r.number("JOB_RETRY_BASE_MS", 2_000)),
            job_patience: Duration::from_millis(r.number("JOB_PATIENCE_MS", 600_000)),
            lookups: LookupConfig {
                allow_networks: r.networks("LOOKUP_ALLOW_NETWORKS", default_networks),
                connect_timeout: Duration::from_millis(r.number("LOOKUP_CONNECT_TIMEOUT_MS", 2_000)),
                timeout: Duration::from_millis(r.number("LOOKUP_TIMEOUT_MS", 3_000)),
                max_rows: r.number("LOOKUP_MAX_ROWS", 100),
                max_bytes: r.number("LOOKUP_MAX_BYTES", 1_048_576),
                concurrency: r.number("LOOKUP_CONCURRENCY", 4),
                concurrency_per_config: r.number("LOOKUP_CONCURRENCY_PER_CONFIG", 3),
            },
            files: FileConfig {
                max_file: r.number("FILE_MAX_BYTES", 256 << 20),
                max_tenant: r.number("FILES_MAX_BYTES", 1 << 30),
            },
            deliveries: DeliveryConfig {
                patience: Duration::from_secs(3_600 * u64::from(r.number("DELIVERY_PATIENCE_HOURS", 72_u32))),
                retry_base: Duration::from_millis(r.number("DELIVERY_RETRY_BASE_MS", 5_000)),
                timeout: Duration::from_millis(r.number("DELIVERY_TIMEOUT_MS", 10_000)),
                concurrency: r.number("DELIVERY_CONCURRENCY", 8),
                smtp: r.smtp(),
            },
            edge: EdgeConfig::read(&mut r),
            identity: r.identity(production),
            mail: MailConfig::read(&mut r),
            cors_origins,
        };
        // The PostgreSQL library takes these for every connection, those to tenants' databases included.
        for name in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY", "PGSSLROOTCERT"] {
            if r.text(name).is_some() {
                r.fault(
                    name,
                    "must not be set: say it in DATABASE_URL, since look-ups would use it too".into(),
                );
            }
        }
        if config.pool_max == 0 || config.pool_min > config.pool_max {
            r.fault("DATABASE_POOL_MAX", "must be at least 1 and DATABASE_POOL_MIN".into());
        }
        if !(1..=10_080).contains(&config.session_idle_minutes) {
            r.fault("SESSION_IDLE_MINUTES", "must be 1 to 10080".into());
        }
        if !(1..=720).contains(&config.session_hours) {
            r.fault("SESSION_HOURS", "must be 1 to 720".into());
        }
        if config.workers == 0 || config.workers > 256 {
            r.fault("WORKERS", "must be 1 to 256".into());
        }
        if config.job_max_attempts < 1 {
            r.fault("JOB_MAX_ATTEMPTS", "must be at least 1".into());
        }
        if config.deliveries.concurrency == 0 || config.deliveries.concurrency > 256 {
            r.fault("DELIVERY_CONCURRENCY", "must be 1 to 256".into());
        }
        // Not passed over in silence: it would be tried otherwise than was asked for.
        if r.text("DELIVERY_MAX_ATTEMPTS").is_some() {
            r.fault("DELIVERY_MAX_ATTEMPTS", "is DELIVERY_PATIENCE_HOURS now, and must not be set".into());
        }
        if config.lookups.concurrency_per_config == 0 {
            r.fault("LOOKUP_CONCURRENCY_PER_CONFIG", "must be at least 1".into());
        }
        if config.lookups.concurrency == 0 {
            r.fault("LOOKUP_CONCURRENCY", "must be at least 1".into());
        }
        // None of them means "without bound": no look-up would find a row, and databases take 0 for no time-out.
        let never_zero = [
            ("LOOKUP_CONNECT_TIMEOUT_MS", config.lookups.connect_timeout.is_zero()),
            ("LOOKUP_TIMEOUT_MS", config.lookups.timeout.is_zero()),
            ("LOOKUP_MAX_ROWS", config.lookups.max_rows == 0),
            ("LOOKUP_MAX_BYTES", config.lookups.max_bytes == 0),
            ("MAX_MESSAGE_BYTES", config.max_message_bytes == 0),
            ("FILE_MAX_BYTES", config.files.max_file == 0),
            ("FILES_MAX_BYTES", config.files.max_tenant == 0),
            ("DELIVERY_TIMEOUT_MS", config.deliveries.timeout.is_zero()),
            ("DELIVERY_RETRY_BASE_MS", config.deliveries.retry_base.is_zero()),
        ];
        for (name, _) in never_zero.iter().filter(|(_, is_zero)| *is_zero) {
            r.fault(name, "must be at least 1".into());
        }
        if let Some(key) = &config.encryption_key
            && super::vault::parse_key(key).is_none()
        {
            r.fault("ENCRYPTION_KEY", "must be 32 bytes in base64 or hex".into());
        }
        if config.accepted_keys.iter().any(|key| super::vault::parse_key(key).is_none()) {
            r.fault("ENCRYPTION_KEYS_ACCEPTED", "must each be 32 bytes in base64 or hex".into());
        }
        edge::refuse_trial(&mut r, &config);
        if r.faults.is_empty() { Ok(config) } else { Err(ConfigFaults(r.faults)) }
    }

    /// Whether cookies are sent over TLS alone.
    pub fn secure_cookies(&self) -> bool {
        match &self.public_url {
            Some(url) => url.scheme() == "https",
            None => self.environment == Environment::Production,
        }
    }

    /// The address under which people reach the server that listens on `addr`.
    pub fn base_url(&self, addr: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => format!("http://{addr}"),
        }
    }

    /// The folder that holds each tenant's.
    pub fn files_root(&self) -> PathBuf {
        self.data_dir.join("files")
    }

    /// The folder of a tenant's files.
    pub fn files_dir(&self, tenant: &crate::shared::TenantId) -> PathBuf {
        self.files_root().join(tenant.as_str())
    }
}

struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    fn fault(&mut self, name: &str, message: String) {
        self.faults.push(format!("{name} {message}"));
    }

    fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Neither or both of `SMTP_URL` and `SMTP_FROM`.
    fn smtp(&mut self) -> Option<SmtpConfig> {
        let url = self.text("SMTP_URL");
        let from: Option<Mailbox> = self.parsed("SMTP_FROM");
        if let Some(url) = &url
            && AsyncSmtpTransport::<Tokio1Executor>::from_url(url).is_err()
        {
            // What is wrong is not told, since a password stands in it.
            self.fault("SMTP_URL", "is no address such as smtp://user:password@host:587?tls=required".into());
        }
        match (url, from) {
            (Some(url), Some(from)) => {
                let address = from.email.to_string();
                Some(SmtpConfig { url: url.into(), from, address })
            }
            (Some(_), None) => {
                if self.text("SMTP_FROM").is_none() {
                    self.fault("SMTP_FROM", "must be set where SMTP_URL is".into());
                }
                None
            }
            (None, Some(_)) => {
                self.fault("SMTP_URL", "must be set where SMTP_FROM is".into());
                None
            }
            (None, None) => None,
        }
    }

    /// The address for traces. What stands in one before its host is a secret, and belongs into
    /// `OTEL_EXPORTER_OTLP_HEADERS`.
    fn collector(&mut self) -> Option<url::Url> {
        let is = |name: &str, word: &str| self.text(name).is_some_and(|text| text.eq_ignore_ascii_case(word));
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return None;
        }
        // The path of OTLP over HTTP (OpenTelemetry, "OTLP Exporter Configuration").
        let names =
            [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", "/v1/traces")];
        let mut named = names.into_iter().filter_map(|(name, path)| Some((name, path, self.text(name)?)));
        let (name, path, text) = named.next()?;
        for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
            if self.text(name).is_some_and(|protocol| protocol != "http/protobuf") {
                self.fault(name, "must be http/protobuf, or not set".into());
            }
        }
        let text = if path.is_empty() { text } else { text.trim_end_matches('/').to_owned() + path };
        let url = url::Url::parse(&text).ok().filter(|url| {
            let is_open = url.username().is_empty() && url.password().is_none() && url.query().is_none();
            matches!(url.scheme(), "http" | "https") && is_open
        });
        if url.is_none() {
            self.fault(name, "must be an address such as http://127.0.0.1:4318, without a password".into());
        }
        url
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &str) -> Option<T> {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(name, format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn number<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &str, default: T) -> T {
        self.parsed(name).unwrap_or(default)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// The default stands for a variable that is not set; one that is empty names no network.
    fn networks(&mut self, name: &str, default: &str) -> Vec<IpNet> {
        let text = (self.get)(name).unwrap_or_else(|| default.to_owned());
        let mut networks = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.parse() {
                Ok(network) => networks.push(network),
                Err(error) => self.fault(name, format!("'{part}' is no network in CIDR form: {error}")),
            }
        }
        networks
    }

    /// The fault never repeats the value: it may hold a password.
    fn postgres_url(&mut self, name: &str) -> Option<SecretString> {
        let text = self.text(name)?;
        match url::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "postgres" | "postgresql") => Some(text.into()),
            _ => {
                self.fault(name, "must be postgresql://user:password@host:port/database".into());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Config, ConfigFaults> {
        Config::read(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn nothing_set_is_a_trial_on_this_machine() {
        let config = read(&[]).expect("defaults hold");
        assert!(config.database_url.is_none());
        assert_eq!((config.pool_min, config.pool_max, config.pool_check), (5, 15, true));
        assert!(config.lookups.allow_networks.iter().all(|net| net.addr().is_loopback()));
    }

    #[test]
    fn a_collector_is_an_address_without_a_secret() {
        const NAME: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        let named = (NAME, "http://127.0.0.1:4318/");
        let collector = |vars: &[(&str, &str)]| {
            read(vars).expect("an address").collector.map(|url| url.to_string()).unwrap_or_default()
        };
        assert_eq!(collector(&[named]), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(collector(&[named, (TRACES, "https://c.example/own")]), "https://c.example/own");
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(collector(&[named, off]), "", "{off:?}");
        }
        let ConfigFaults(faults) =
            read(&[named, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).expect_err("no such exporter");
        assert_eq!(faults, ["OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, or not set"]);
        for bad in
            ["collector:4318", "http://user:word@c.example", "https://c.example/?key=word", "ftp://c.example"]
        {
            let ConfigFaults(faults) = read(&[(NAME, bad)]).expect_err(bad);
            assert!(faults.len() == 1 && faults[0].starts_with(NAME), "{faults:?}");
            assert!(!faults[0].contains(bad), "a password may stand in it");
        }
    }

    #[test]
    fn empty_is_not_set_but_for_networks_which_are_none_then() {
        let config = read(&[
            ("DATABASE_POOL_MAX", ""),
            ("SMTP_LISTEN", " "),
            ("LOOKUP_ALLOW_NETWORKS", ""),
            ("SMTP_CLIENTS", " "),
        ])
        .expect("it holds");
        assert_eq!((config.pool_max, config.mail.smtp), (15, None));
        assert!(config.lookups.allow_networks.is_empty() && config.mail.clients.is_empty());
        let config = read(&[]).expect("defaults hold");
        assert_eq!((config.lookups.allow_networks.len(), config.mail.clients.len()), (2, 2));
    }

    #[test]
    fn every_fault_is_named_at_once_and_no_value_is_repeated() {
        let faults = read(&[
            ("DATABASE_URL", "mysql://u:s3cret@h/d"),
            ("DATABASE_POOL_MAX", "many"),
            ("LOOKUP_ALLOW_NETWORKS", "10.0.0.0/99"),
            ("ENCRYPTION_KEY", "s3cret"),
            ("ENVIRONMENT", "prod"),
        ])
        .expect_err("faults");
        let text = faults.to_string();
        for name in
            ["DATABASE_URL", "DATABASE_POOL_MAX", "LOOKUP_ALLOW_NETWORKS", "ENCRYPTION_KEY", "ENVIRONMENT"]
        {
            assert!(text.contains(name), "{name} in {text}");
        }
        assert!(!text.contains("s3cret"));
    }

    #[test]
    fn zero_is_no_bound() {
        let names = [
            "LOOKUP_TIMEOUT_MS",
            "LOOKUP_MAX_ROWS",
            "LOOKUP_MAX_BYTES",
            "MAX_MESSAGE_BYTES",
            "FILE_MAX_BYTES",
            "DELIVERY_RETRY_BASE_MS",
        ];
        let vars: Vec<(&str, &str)> = names.iter().map(|name| (*name, "0")).collect();
        let text = read(&vars).expect_err("faults").to_string();
        for name in names {
            assert!(text.contains(&format!("{name} must be at least 1")), "{name} in {text}");
        }
    }

    #[test]
    fn a_setting_of_before_is_not_passed_over() {
        let text = read(&[("DELIVERY_MAX_ATTEMPTS", "8")]).expect_err("a fault").to_string();
        assert!(text.contains("DELIVERY_MAX_ATTEMPTS is DELIVERY_PATIENCE_HOURS now"), "{text}");
    }

    #[test]
    fn production_refuses_what_is_only_for_trying_out() {
        let text = read(&[
            ("ENVIRONMENT", "production"),
            ("CORS_ORIGINS", "*"),
            ("DEBUG", "true"),
            ("LOOKUP_ALLOW_NETWORKS", "10.0.0.0/8,0.0.0.0/0,fe80::/64"),
        ])
        .expect_err("faults")
        .to_string();
        for name in [
            "DATABASE_URL",
            "ENCRYPTION_KEY",
            "CORS_ORIGINS",
            "DEBUG",
            "PUBLIC_URL",
            "LOOKUP_ALLOW_NETWORKS '0.0.0.0/0'",
            "LOOKUP_ALLOW_NETWORKS 'fe80::/64'",
        ] {
            assert!(text.contains(name), "{name} in {text}");
        }
        assert_eq!(text.lines().count(), 8, "{text}");
    }

    #[test]
    fn production_takes_what_is_meant() {
        let key = "0".repeat(64);
        let with = |public_url: &'static str, networks: &'static str| {
            read(&[
                ("ENVIRONMENT", "production"),
                ("DATABASE_URL", "postgresql://u:p@h/d"),
                ("ENCRYPTION_KEY", &key),
                ("PUBLIC_URL", public_url),
                ("CORS_ORIGINS", "https://app.example,http://localhost:8080"),
                ("LOOKUP_ALLOW_NETWORKS", networks),
            ])
        };
        let config = with("https://flow.example", "10.0.0.0/8").expect("it holds");
        assert!(config.warnings().is_empty() && config.secure_cookies());
        let config = with("http://127.0.0.1:3000", "127.0.0.0/8,::1/128").expect("it holds");
        assert_eq!(config.warnings().len(), 2, "loopback is allowed, and warned of");
        let text = with("http://flow.example", "").expect_err("faults").to_string();
        assert!(text.contains("PUBLIC_URL must begin with https://"), "{text}");
    }

    #[test]
    fn an_origin_is_written_as_browsers_send_it() {
        for (origin, holds) in [
            ("https://app.example", true),
            ("https://app.example:8443", true),
            ("*", true),
            ("https://app.example/", false),
            ("https://app.example:443", false),
            ("app.example", false),
            ("https://*.example", false),
            ("null", false),
            ("data:text/plain,x", false),
        ] {
            assert_eq!(read(&[("CORS_ORIGINS", origin)]).is_ok(), holds, "{origin}");
        }
    }
}
