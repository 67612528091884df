//! Trying a datasource out: whether it can be reached, and what a look-up gives.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::net::TcpStream;

use super::{
    config_service,
    connection::{Auth, Connection, DATA, Endpoint},
    lookup::{Asker, Cause, LookupError, Lookups, Request, Rows, masking::Masking, sql_check::SqlDialect},
    service,
};
use crate::{
    auth::authority::Permission,
    datasources::dto::{
        DatasourceConfigInput, PreviewColumn, PreviewInput, PreviewResult, TestResult, TestStep,
    },
    emails::server::fields::Fields,
    rules::{
        dto::RuleType,
        server::conditions::{self, Unrenderable},
    },
    server::{Result, TenantContext},
    shared::{ConfigId, DatasourceId, Problem},
};

/// Rows that a preview shows.
const ROWS: usize = 20;

/// Tries the connection step by step, and says in words where it ends. What it found is the answer, not an error.
///
/// # Errors
/// 403, 404.
pub async fn test(ctx: &TenantContext, id: DatasourceId) -> Result<TestResult> {
    let started = Instant::now();
    let outcome = match connect(ctx, id).await? {
        Ok(connection) => steps(&ctx.app.lookups, &connection).await,
        Err(fault) => Err((TestStep::Config, fault)),
    };
    Ok(tested(outcome, started))
}

/// Tries a config as it was typed. `id` is the stored one that it would replace, if it would.
///
/// # Errors
/// 403, 404, 422.
pub async fn test_config(
    ctx: &TenantContext,
    id: Option<ConfigId>,
    input: DatasourceConfigInput,
) -> Result<TestResult> {
    let connection = config_service::draft(ctx, id, input).await?;
    let _passing = ctx.app.lookups.passing(&connection);
    let started = Instant::now();
    let outcome = steps(&ctx.app.lookups, &connection).await;
    Ok(tested(outcome, started))
}

fn tested(outcome: Step<(String, Vec<String>)>, started: Instant) -> TestResult {
    let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
    match outcome {
        Ok((message, warnings)) => TestResult { ok: true, step: None, message, warnings, duration_ms },
        Err((step, message)) => {
            TestResult { ok: false, step: Some(step), message, warnings: Vec::new(), duration_ms }
        }
    }
}

/// Runs a look-up with the given fields, as a rule would.
///
/// # Errors
/// 403, 404, 422 for conditions that a rule could not have, or a field that is not given.
pub async fn preview(ctx: &TenantContext, id: DatasourceId, input: PreviewInput) -> Result<PreviewResult> {
    let connection = connect(ctx, id).await?;
    let datasource = service::get(ctx, id).await?;
    // Whose SQL it is, is known of a datasource that is not active, too.
    let dialect = config_service::dialect(&mut ctx.begin().await?, &datasource.connection_key).await?;
    let kind = Some((datasource.datasource_type, Some(dialect.unwrap_or(SqlDialect::Any))));
    let conditions = conditions::parse(RuleType::Exists, kind, &Value::Object(input.conditions))?;
    let mut fields = Fields::default();
    for (name, value) in &input.fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fields.set(name, &text);
    }
    let lookup =
        conditions.lookup.ok_or_else(|| Problem::invalid_field("conditions", "must look something up"))?;
    let request = lookup.render(&fields).map_err(|unrenderable| match unrenderable {
        Unrenderable::Missing(name) => {
            Problem::invalid_field(format!("fields.{name}"), "is needed, and not given")
        }
        Unrenderable::Unfit(fault) => Problem::invalid_field("fields", fault),
    })?;
    let started = Instant::now();
    let masking = connection.as_ref().map(Masking::of).unwrap_or_default();
    let answer = match connection {
        Ok(connection) => ask(&ctx.app.lookups, &connection, &request).await.map_err(|error| error.message),
        Err(fault) => Err(fault),
    };
    let duration_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let lookup = request.evidence();
    Ok(match answer {
        Ok(rows) => shown(lookup, &rows, &masking, duration_ms),
        Err(message) => {
            PreviewResult { ok: false, message: Some(message), lookup, duration_ms, ..Default::default() }
        }
    })
}

async fn connect(ctx: &TenantContext, id: DatasourceId) -> Result<Result<Connection, String>> {
    ctx.require(Permission::Configure)?;
    let datasource = service::get(ctx, id).await?;
    let mut tx = ctx.begin().await?;
    let connection = service::connection(&ctx.app, &mut tx, &datasource).await?;
    tx.commit().await?;
    Ok(connection)
}

/// Whoever tries it out may have mended it a moment ago.
async fn ask(
    lookups: &Lookups,
    connection: &Connection,
    request: &Request,
) -> std::result::Result<Rows, LookupError> {
    lookups.ask_for(Asker::Person, connection, request).await
}

type Step<T> = std::result::Result<T, (TestStep, String)>;

async fn steps(lookups: &Lookups, connection: &Connection) -> Step<(String, Vec<String>)> {
    let sql =
        |query: &str| Request::Sql { query: query.to_owned(), params: Vec::new(), from_message: Vec::new() };
    match &connection.endpoint {
        Endpoint::Postgres(database) | Endpoint::MySql(database) => {
            reach(lookups, connection, &database.host, database.port).await?;
            let query =
                if matches!(connection.endpoint, Endpoint::Postgres(_)) { POSTGRES_ROLE } else { MYSQL_ROLE };
            let rows = ask(lookups, connection, &sql(query)).await.map_err(at_its_step)?;
            let place = format!("{}:{}/{}", database.host, database.port, database.database);
            Ok((format!("Connected to {place} and signed in."), role_warnings(&rows)))
        }
        Endpoint::Sqlite { path } => {
            let tables = sql("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name");
            let rows = ask(lookups, connection, &tables).await.map_err(at_its_step)?;
            let names: Vec<&str> =
                rows.rows.iter().filter_map(|row| row.first()?.as_str()).take(20).collect();
            Ok((format!("Opened {path}. Its tables: {}.", names.join(", ")), Vec::new()))
        }
        Endpoint::File(files) => {
            let mut said = Vec::new();
            for file in files {
                let count = sql(&format!("SELECT count(*) AS n FROM \"{}\"", file.table));
                let first = sql(&format!("SELECT * FROM \"{}\" LIMIT 1", file.table));
                let count = ask(lookups, connection, &count).await.map_err(at_its_step)?;
                let first = ask(lookups, connection, &first).await.map_err(at_its_step)?;
                let n = count.rows.first().and_then(|row| row.first()).cloned().unwrap_or_default();
                let what =
                    if file.table == DATA { format!("Read {}", file.path) } else { file.table.clone() };
                said.push(format!("{what}: {n} rows. Its columns: {}.", first.columns.join(", ")));
            }
            Ok((said.join(" "), Vec::new()))
        }
        Endpoint::Http(http) => {
            let url = &http.base_url;
            let host = url.host_str().unwrap_or_default();
            reach(lookups, connection, host, url.port_or_known_default().unwrap_or(443)).await?;
            let status = lookups.probe_http(connection, http).await.map_err(at_its_step)?;
            answered(host, status, &connection.auth).map(|message| (message, Vec::new()))
        }
    }
}

/// What an API's answer at its base address tells. Many answer there whoever asks, also with credentials that open
/// nothing; a token of OAuth was given for them before.
fn answered(host: &str, status: u16, auth: &Auth) -> Step<String> {
    match (status, auth) {
        (401 | 403, _) => Err((TestStep::Credentials, format!("the credentials were refused ({status})"))),
        (_, Auth::None) => Ok(format!("{host} answered {status}: address and port work.")),
        (_, Auth::OAuth(_)) => Ok(format!("{host} answered {status}: address, port and sign-in work.")),
        _ => Ok(format!(
            "{host} answered {status}: address and port work. Whether the credentials do, a look-up shows."
        )),
    }
}

/// Whether something listens there. It takes a turn, as a look-up does.
#[expect(clippy::disallowed_methods, reason = "the fence has resolved the addresses")]
async fn reach(lookups: &Lookups, connection: &Connection, host: &str, port: u16) -> Step<()> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let _turn = lookups.turn(connection).await.map_err(at_its_step)?;
    let resolving = async { lookups.fence().resolve(host, port).await.map_err(LookupError::from) };
    let resolved = lookups.in_time(resolving).await.map_err(|error| (TestStep::Name, error.message))?;
    if resolved.is_empty() {
        return Err((TestStep::Name, format!("the name {host} has no address")));
    }
    // It may listen on another than the first.
    let share = PATIENCE / u32::try_from(resolved.len()).unwrap_or(u32::MAX);
    let mut refused = String::new();
    for address in &resolved {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => refused = format!("{host} cannot be reached on port {port}: {error}"),
            Err(_) => {
                refused = format!("{host} does not answer on port {port} within {} ms", share.as_millis());
            }
        }
    }
    Err((TestStep::Port, refused))
}

/// Which step of the test a look-up's error belongs to.
fn at_its_step(error: LookupError) -> (TestStep, String) {
    let step = match error.cause {
        Cause::Rule => TestStep::Config,
        Cause::Name | Cause::Fenced => TestStep::Name,
        Cause::Tls => TestStep::Tls,
        Cause::Credentials => TestStep::Credentials,
        Cause::Permission => TestStep::Permission,
        Cause::Database => TestStep::Database,
        Cause::File => TestStep::File,
        Cause::Sheet => TestStep::Sheet,
        // That something listens was seen before.
        Cause::Broken
        | Cause::Refused
        | Cause::Answer
        | Cause::TooLarge
        | Cause::Time
        | Cause::Busy
        | Cause::Paused
        | Cause::Unfit => TestStep::Answer,
    };
    (step, error.message)
}

/// A role that could do more than look up is told: the fence is one lock, the role another.
fn role_warnings(rows: &Rows) -> Vec<String> {
    let is = |name: &str| {
        let at = rows.columns.iter().position(|column| column == name);
        at.and_then(|at| rows.rows.first()?.get(at))
            .is_some_and(|value| *value == json!(true) || *value == json!(1))
    };
    let mut warnings = Vec::new();
    if is("superuser") {
        warnings.push(
            "It signs in as an administrator: give it a role that may only read what is looked up.".into(),
        );
    } else if is("writes") {
        warnings.push("Its role may also write: one that may only read would do.".into());
    }
    warnings
}

const POSTGRES_ROLE: &str = "SELECT r.rolsuper AS superuser, EXISTS (SELECT 1 FROM pg_class c \
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') \
     AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE')) \
     AS writes FROM pg_roles r WHERE r.rolname = current_user";
const MYSQL_ROLE: &str = "SELECT EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES \
     WHERE PRIVILEGE_TYPE IN ('SUPER', 'FILE')) AS superuser, EXISTS (SELECT 1 FROM ( \
     SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES UNION ALL \
     SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES UNION ALL \
     SELECT PRIVILEGE_TYPE FROM information_schema.TABLE_PRIVILEGES) p \
     WHERE PRIVILEGE_TYPE IN ('INSERT', 'UPDATE', 'DELETE')) AS writes";

fn shown(lookup: Value, rows: &Rows, masking: &Masking, duration_ms: f64) -> PreviewResult {
    let columns = rows
        .columns
        .iter()
        .enumerate()
        .map(|(i, name)| PreviewColumn { name: name.clone(), kind: kind_of(rows, i).to_owned() })
        .collect();
    let object = |row: &Vec<Value>| -> Map<String, Value> {
        rows.columns.iter().cloned().zip(row.iter().map(|value| masking.value(value))).collect()
    };
    PreviewResult {
        ok: true,
        message: None,
        lookup,
        columns,
        row_count: rows.rows.len(),
        truncated: rows.truncated,
        rows: rows.rows.iter().take(ROWS).map(object).collect(),
        duration_ms,
    }
}

/// What the values of a column are, where they are all the same.
fn kind_of(rows: &Rows, column: usize) -> &'static str {
    let name = |value: &Value| match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(number) if number.is_f64() => Some("number"),
        Value::Number(_) => Some("integer"),
        Value::String(_) => Some("text"),
        Value::Array(_) | Value::Object(_) => Some("json"),
    };
    let mut kinds = rows.rows.iter().filter_map(|row| row.get(column).and_then(name));
    match kinds.next() {
        None => "unknown",
        Some(first) => kinds.fold(first, |all, one| match (all, one) {
            _ if all == one => all,
            ("integer" | "number", "integer" | "number") => "number",
            _ => "mixed",
        }),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::{datasources::server::connection::UNSTORED, server::config::Config};

    #[test]
    fn an_answer_at_the_base_address_is_no_word_on_credentials_that_went_along() {
        let bearer = Auth::Bearer { token: "x".into() };
        for status in [200, 404] {
            let said = answered("api.example", status, &bearer).expect("it answers");
            let expected = "address and port work. Whether the credentials do, a look-up shows.";
            assert_eq!(said, format!("api.example answered {status}: {expected}"));
        }
        let said = answered("api.example", 404, &Auth::None).expect("it answers");
        assert_eq!(said, "api.example answered 404: address and port work.");
        for (status, step) in [(401, TestStep::Credentials), (403, TestStep::Credentials)] {
            let refused = answered("api.example", status, &bearer).expect_err("a refusal");
            assert_eq!(refused.0, step, "{status}");
        }
    }

    #[tokio::test]
    async fn whether_something_listens_is_tried_in_a_turn() {
        let settings = |name: &str| {
            let value = match name {
                "LOOKUP_CONCURRENCY" => "1",
                "LOOKUP_TIMEOUT_MS" | "LOOKUP_CONNECT_TIMEOUT_MS" => "100",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let lookups = Lookups::new(&Config::read(settings).expect("a configuration"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let connection = Connection {
            tenant: "acme".parse().expect("id"),
            config_id: UNSTORED,
            version: 1,
            endpoint: Endpoint::Sqlite { path: "a".into() },
            auth: Auth::None,
        };
        let turn = lookups.turn(&connection).await.expect("the tenant's one turn");
        let (step, fault) = reach(&lookups, &connection, "127.0.0.1", port).await.expect_err("is taken");
        assert_eq!((step, fault.contains("others had their turn")), (TestStep::Answer, true), "{fault}");
        drop(turn);
        for (host, step) in [
            ("127.0.0.1", None),
            ("127.0.0.2", Some(TestStep::Port)),
            ("no-such-host.invalid", Some(TestStep::Name)),
            ("169.254.169.254", Some(TestStep::Name)),
        ] {
            let tried = reach(&lookups, &connection, host, port).await;
            assert_eq!(tried.err().map(|(step, _)| step), step, "{host}");
        }
    }
}
