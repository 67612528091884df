//! A server to test: its own database, its own folder, its own port, real workers.

use std::{net::SocketAddr, time::Duration};

use leptos::config::LeptosOptions;
use reqwest::{Method, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::{
    auth::dto::Role,
    backtests::server::worker as backtesting,
    classifier::server::worker as training,
    deliveries::server::worker as sending,
    emails::server::worker,
    keys::server::service as keys,
    server::{AppState, Database, config::Config, database, edge::serve, http, vault::Vault},
    shared::TenantId,
};

/// Says how to get a PostgreSQL for the tests.
const HOW: &str = "TEST_DATABASE_URL must name a superuser of a PostgreSQL; ./dev test starts one";

pub struct TestServer {
    pub app: AppState,
    pub base: String,
    /// A key for the installation.
    pub key: String,
    pub http: reqwest::Client,
    database: TestDatabase,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

/// A database that goes when the test ends.
pub struct TestDatabase {
    pub url: SecretString,
    name: String,
}

fn server_url() -> url::Url {
    std::env::var("TEST_DATABASE_URL").expect(HOW).parse().expect(HOW)
}

fn url_of(name: &str) -> SecretString {
    let mut url = server_url();
    url.set_path(name);
    url.to_string().into()
}

impl TestDatabase {
    /// A copy of a database that is migrated once per set of migrations.
    pub async fn create() -> Self {
        let fingerprint: String = database::MIGRATOR
            .iter()
            .map(|migration| crate::server::token::hex(&migration.checksum))
            .collect();
        let template = format!(
            "flowengine_template_{}",
            &crate::server::token::hex(&crate::server::token::hash(&fingerprint))[..12]
        );
        let mut conn = PgConnection::connect(server_url().as_str()).await.expect(HOW);
        sqlx::query("SELECT pg_advisory_lock(7)").execute(&mut conn).await.unwrap();
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
            .bind(&template)
            .fetch_one(&mut conn)
            .await
            .unwrap();
        if !exists {
            let unfinished = format!("{template}_unfinished");
            for sql in [
                format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)"),
                format!("CREATE DATABASE {unfinished}"),
            ] {
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
            }
            database::migrate(&url_of(&unfinished), &url_of(&unfinished)).await.unwrap();
            let sql = format!("ALTER DATABASE {unfinished} RENAME TO {template}");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        }
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let sql = format!("CREATE DATABASE {name} TEMPLATE {template}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        Self { url: url_of(&name), name }
    }

    /// A connection as a superuser, past row-level security.
    pub async fn superuser(&self) -> PgConnection {
        let mut conn = PgConnection::connect(self.url.expose_secret()).await.unwrap();
        sqlx::raw_sql("SET search_path TO eivs").execute(&mut conn).await.unwrap();
        conn
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect(server_url().as_str()).await?;
                let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
                Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
            })
        });
        let _ = dropped.join();
    }
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these environment variables.
    pub async fn start_with(vars: &[(&str, &str)]) -> Self {
        let server = Self::start_idle(vars).await;
        tokio::spawn(worker::work(server.app.clone(), server.stop.clone()));
        tokio::spawn(sending::work(server.app.clone(), server.stop.clone()));
        tokio::spawn(backtesting::work(server.app.clone(), server.stop.clone()));
        tokio::spawn(training::work(server.app.clone(), server.stop.clone()));
        server
    }

    /// Without workers.
    pub async fn start_idle(vars: &[(&str, &str)]) -> Self {
        let database = TestDatabase::create().await;
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), vars);
        let pool = Database::connect(&database.url, &config).await.unwrap();
        let key = keys::create_by_hand(&pool, "test", None).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr: SocketAddr = listener.local_addr().unwrap();
        let leptos = LeptosOptions::builder()
            .output_name("flowengine")
            .site_root(folder.path().join("site").to_string_lossy().into_owned())
            .site_addr(addr)
            .build();
        let app = AppState::new(config, pool, Vault::new([7; 32]).accepting([[8; 32]]), leptos, addr);
        let stop = app.stop.clone();
        let router = http::router(app.clone());
        let bounds = serve::Bounds::new(&app.config.edge, &app.config.trusted_proxies);
        tokio::spawn(serve::serve(listener, router, bounds, stop.clone()));
        Self {
            app,
            base: format!("http://{addr}"),
            key: key.expose_secret().to_owned(),
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            database,
            stop,
            _folder: folder,
        }
    }

    /// The same database, seen by a server that holds other keys.
    pub fn app_with(&self, vault: Vault) -> AppState {
        let app = &self.app;
        AppState::new(app.config.clone(), app.database.clone(), vault, app.leptos.clone(), app.addr)
    }

    pub fn database(&self) -> &TestDatabase {
        &self.database
    }

    /// A tenant, made by the API.
    pub async fn tenant(&self, id: &str) -> TenantId {
        let body = json!({"tenant_id": id, "name": format!("The {id} company")});
        self.post("/api/tenants", &body).await.is(StatusCode::CREATED);
        id.parse().unwrap()
    }

    /// A key of a tenant.
    pub async fn key_of(&self, tenant: &str, role: Role) -> String {
        let tenant: TenantId = tenant.parse().unwrap();
        let key = keys::create_by_hand(&self.app.database, "test", Some((&tenant, role))).await.unwrap();
        key.expose_secret().to_owned()
    }

    /// A file in the tenant's own folder.
    pub fn write_file(&self, tenant: &str, name: &str, bytes: &[u8]) {
        let folder = self.app.config.files_dir(&tenant.parse().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        crate::demo::write_settled(&folder.join(name), bytes).unwrap();
    }

    pub fn request(&self, method: Method, path: &str, key: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path, Some(&self.key)).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path, Some(&self.key)).json(body).send().await.unwrap()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path, Some(&self.key)).json(body).send().await.unwrap()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path, Some(&self.key)).send().await.unwrap()).await
    }

    /// Hands a message in, and gives its id.
    pub async fn receive(&self, tenant: &str, raw: impl Into<reqwest::Body>) -> String {
        let path = format!("/api/emails?tenant_id={tenant}");
        let request = self.request(Method::POST, &path, Some(&self.key));
        let answer = request.header("content-type", "message/rfc822").body(raw).send().await.unwrap();
        let answer = Answer::of(answer).await.is(StatusCode::ACCEPTED);
        answer.body["email_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the message is decided, and gives it.
    pub async fn decided(&self, tenant: &str, id: &str) -> Value {
        let path = format!("/api/emails/{id}?tenant_id={tenant}");
        eventually(&format!("message {id} is decided"), async || {
            let email = self.get(&path).await.is(StatusCode::OK).body;
            (email["status"] == "done").then_some(email)
        })
        .await
    }

    /// Hands a message in and waits for its decision.
    pub async fn decide(&self, tenant: &str, raw: impl Into<reqwest::Body>) -> Value {
        let id = self.receive(tenant, raw).await;
        self.decided(tenant, &id).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The configuration of a test: small pools, quick retries.
pub fn config(folder: &std::path::Path, vars: &[(&str, &str)]) -> Config {
    let folder = folder.to_string_lossy().into_owned();
    Config::read(|name| {
        let given = vars.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
        given.or_else(|| match name {
            "DATA_DIR" => Some(folder.clone()),
            "DATABASE_POOL_MIN" => Some("1".into()),
            "DATABASE_POOL_MAX" => Some("6".into()),
            "JOB_PATIENCE_MS" => Some("0".into()),
            "JOB_RETRY_BASE_MS" | "DELIVERY_RETRY_BASE_MS" => Some("10".into()),
            _ => None,
        })
    })
    .unwrap()
}

/// Waits for a condition: at most a minute.
pub async fn eventually<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
    /// The body as JSON; `null` where it is none.
    pub body: Value,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    /// Asserts the status, and gives the answer on.
    #[track_caller]
    pub fn is(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts a problem (RFC 9457) with this sentence.
    #[track_caller]
    pub fn problem(self, status: StatusCode, detail: &str) -> Self {
        let answer = self.is(status);
        let kind = answer.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(kind, Some("application/problem+json"));
        assert_eq!(answer.body["detail"], detail);
        assert_eq!(answer.body["status"], status.as_u16());
        answer
    }

    /// The fields that a problem names.
    pub fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }

    pub fn id(&self, name: &str) -> i64 {
        self.body[name].as_i64().unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }
}

/// A plain message.
pub fn message(from: &str, subject: &str, body: &str) -> String {
    let id = uuid::Uuid::new_v4();
    format!(
        "From: {from}\r\nTo: service@acme.example\r\nSubject: {subject}\r\nMessage-ID: <{id}@test.example>\r\n\
         Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n{body}\r\n"
    )
}
