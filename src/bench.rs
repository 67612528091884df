//! Measures what a decision costs, and how much of it is the datasources' own.
//!
//! A tenant of its own is made, with a PostgreSQL datasource of 100,000 rows on the same server; both go when it
//! ends. Messages are decided with 0, 4 and 16 rules, each of which asks one indexed row, one after the other. Between
//! the rounds of the engine the same look-ups are made without it, so that whatever else the machine does hits all:
//! by the engine's own look-up (a read-only transaction under a statement timeout), and plainly, as a program would
//! that trusts its queries.

use std::{fmt::Write, sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};

use crate::{
    datasources::server::{config_service, connection::Connection, lookup::Request, service as datasources},
    emails::server::{service as emails, worker},
    intents::server::service as intents,
    server::{
        AppState, CallerContext, Result, TenantContext,
        config::Config,
        etag::IfMatch,
        extract::parse_json,
        run::{self, Fatal},
    },
    shared::{DatasourceId, EmailId, TenantId},
    tenants::{dto::TenantInput, server::service as tenants},
};

/// How many rules an intent has, one measurement each.
const RULES: [usize; 3] = [0, 4, 16];
const ROWS: u32 = 100_000;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Messages in a round.
    pub messages: usize,
    pub rounds: usize,
    /// Messages decided at once.
    pub concurrency: usize,
}

/// One line of the result. Times in milliseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub rules: usize,
    pub messages: usize,
    pub decided_per_second: f64,
    pub p50: f64,
    pub p99: f64,
    /// Of one message, on average: by the engine, by its look-ups alone, by plain queries.
    pub decision: f64,
    pub lookups: f64,
    pub plain: f64,
    /// What the engine takes beyond its look-ups, in parts of these.
    pub own_cost: Option<f64>,
}

/// Measures on the configured database, or on the private one.
///
/// # Errors
/// In words for whoever started it.
pub async fn run(config: Config, options: Options) -> Result<Vec<Line>, Fatal> {
    let vault = run::open_vault(&config)?;
    let leptos = run::leptos_options()?;
    let opened = run::open_database(&config).await?;
    let url = opened.url.clone();
    let addr = leptos.site_addr;
    let app = AppState::new(config, opened.database.clone(), vault, leptos, addr);
    let name = format!("flowengine_bench_{:08x}", rand::random::<u32>());
    let result = on_scratch(&app, &url, &name, options).await;
    opened.close().await;
    result
}

/// For a terminal.
pub fn table(lines: &[Line]) -> String {
    let mut out = String::from(
        "rules  messages/s   p50 ms   p99 ms   ms/message   look-ups alone   plain queries   own cost\n",
    );
    for line in lines {
        let own = line.own_cost.map_or("-".to_owned(), |own| format!("{:.0} %", own * 100.0));
        let _ = writeln!(
            out,
            "{:>5}  {:>10.0}  {:>7.2}  {:>7.2}  {:>11.2}  {:>15.2}  {:>14.2}  {own:>9}",
            line.rules, line.decided_per_second, line.p50, line.p99, line.decision, line.lookups, line.plain
        );
    }
    out
}

/// A database and a tenant that go again, whatever comes of it.
async fn on_scratch(
    app: &AppState,
    url: &SecretString,
    name: &str,
    options: Options,
) -> Result<Vec<Line>, Fatal> {
    #[expect(clippy::disallowed_methods, reason = "makes the scratch database")]
    let mut admin = PgConnection::connect(url.expose_secret()).await?;
    let create = format!("CREATE DATABASE {name}");
    sqlx::raw_sql(AssertSqlSafe(create))
        .execute(&mut admin)
        .await
        .map_err(|error| format!("the bench makes a database of its own, which was refused: {error}"))?;
    let caller = CallerContext::system(app.clone());
    let tenant: TenantId = name.parse()?;
    let result = async {
        let mut at: url::Url = url.expose_secret().parse()?;
        at.set_path(name);
        fill(at.as_str()).await?;
        tenants::create(&caller, tenant_input(name)?).await?;
        measure(&caller.in_tenant(&tenant).await?, &at, options).await
    }
    .await;
    if let Err(error) = tenants::delete(&caller, &tenant, &IfMatch::any()).await {
        tracing::debug!(%error, "there was no tenant to take away");
    }
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut admin).await?;
    admin.close().await?;
    result
}

fn tenant_input(name: &str) -> Result<TenantInput, Fatal> {
    Ok(serde_json::from_value(json!({"tenant_id": name, "name": name}))?)
}

async fn fill(url: &str) -> Result<(), Fatal> {
    #[expect(clippy::disallowed_methods, reason = "a scratch database of its own")]
    let mut conn = PgConnection::connect(url).await?;
    let sql = format!(
        "CREATE TABLE customers (email text PRIMARY KEY, status text NOT NULL, region text NOT NULL, since date NOT NULL); \
         INSERT INTO customers SELECT 'c' || i || '@shop.example', 'active', 'north', DATE '2020-01-01' + i % 2000 \
         FROM generate_series(1, {ROWS}) i; ANALYZE customers"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await?;
    Ok(conn.close().await?)
}

/// The `i`th rule's query. Each is another text: the same one would be asked once for a message.
fn query(i: usize) -> String {
    format!("SELECT status, region, since FROM customers WHERE email = ? AND status <> 'closed {i}'")
}

async fn measure(ctx: &TenantContext, at: &url::Url, options: Options) -> Result<Vec<Line>, Fatal> {
    let source = connect(ctx, at).await?;
    let mut lines = Vec::new();
    for rules in RULES {
        let rule = |i: usize| {
            json!({
                "field_name": "sender_email", "rule_type": "exists", "datasource_id": source, "priority": i,
                "conditions": {"query": query(i), "params": ["{{sender_email}}"]}
            })
        };
        let body = json!({
            "intent": {
                "name": format!("With {rules} rules"),
                "match": {"all": [{"field": "subject", "op": "equals", "value": format!("bench {rules}")}]},
                "extractors": [{"name": "order_number", "field": "subject_and_body", "pattern": "order (\\d+)"}]
            },
            "validation_rules": (0..rules).map(rule).collect::<Vec<Value>>()
        });
        intents::create_with_rules(ctx, parse_json(body.to_string().as_bytes())?).await?;
        lines.push(measure_rules(ctx, at, source, rules, options).await?);
    }
    Ok(lines)
}

async fn connect(ctx: &TenantContext, at: &url::Url) -> Result<DatasourceId, Fatal> {
    let config = json!({
        "name": "bench", "protocol": "postgresql", "driver_family": "sqlx", "base_url": at.as_str(),
        "auth_type": "none"
    });
    config_service::create(ctx, parse_json(config.to_string().as_bytes())?).await?;
    let datasource = json!({"name": "Bench", "datasource_type": "database", "connection_key": "bench"});
    let made = datasources::create(ctx, parse_json(datasource.to_string().as_bytes())?).await?;
    Ok(made.datasource_id)
}

async fn measure_rules(
    ctx: &TenantContext,
    at: &url::Url,
    source: DatasourceId,
    rules: usize,
    options: Options,
) -> Result<Line, Fatal> {
    let connection = connection(ctx, source).await?;
    // As large as the engine's own pool for a datasource.
    let pool = PgPoolOptions::new().max_connections(4).connect(at.as_str()).await?;
    let mut decided = Vec::new();
    let (mut engine, mut lookups, mut plain) = (0.0, 0.0, 0.0);
    // The first round warms pools, caches and prepared statements, and counts for nothing.
    for round in 0..=options.rounds {
        let senders: Vec<String> = (0..options.messages)
            .map(|i| format!("c{}@shop.example", 1 + (round * 7_919 + i * 31) % ROWS as usize))
            .collect();
        let mut ids = Vec::with_capacity(senders.len());
        for (i, sender) in senders.iter().enumerate() {
            ids.push(receive(ctx, sender, rules, round, i).await?);
        }
        let started = Instant::now();
        let times = each(options.concurrency, ids, {
            let ctx = ctx.clone();
            move |id| decide(ctx.clone(), id)
        })
        .await?;
        let engine_took = started.elapsed().as_secs_f64();
        let started = Instant::now();
        each(options.concurrency, senders.clone(), {
            let (ctx, connection) = (ctx.clone(), connection.clone());
            move |sender| look_up(ctx.clone(), connection.clone(), sender, rules)
        })
        .await?;
        let lookups_took = started.elapsed().as_secs_f64();
        let started = Instant::now();
        each(options.concurrency, senders, {
            let pool = pool.clone();
            move |sender| ask_plainly(pool.clone(), sender, rules)
        })
        .await?;
        let plain_took = started.elapsed().as_secs_f64();
        if round > 0 {
            decided.extend(times);
            engine += engine_took;
            lookups += lookups_took;
            plain += plain_took;
        }
    }
    pool.close().await;
    decided.sort_by(f64::total_cmp);
    let count = decided.len() as f64;
    let at_share = |share: f64| decided.get(((count * share) as usize).min(decided.len() - 1)).copied();
    // Of one message: how long one of those at work at once takes.
    let per_message = |seconds: f64| seconds * 1_000.0 * options.concurrency as f64 / count;
    Ok(Line {
        rules,
        messages: decided.len(),
        decided_per_second: count / engine,
        p50: at_share(0.5).unwrap_or_default() * 1_000.0,
        p99: at_share(0.99).unwrap_or_default() * 1_000.0,
        decision: per_message(engine),
        lookups: per_message(lookups),
        plain: per_message(plain),
        own_cost: (rules > 0).then(|| (engine - lookups) / lookups),
    })
}

/// Does the work for each item, so many at once, each in a task of its own; how long each took, in seconds.
async fn each<T, F>(
    at_once: usize,
    items: Vec<T>,
    work: impl Fn(T) -> F + Send + Sync + 'static,
) -> Result<Vec<f64>, Fatal>
where
    T: Send + 'static,
    F: Future<Output = Result<(), Fatal>> + Send + 'static,
{
    let work = Arc::new(work);
    let tasks = stream::iter(items).map(|item| {
        let work = Arc::clone(&work);
        async move {
            let timed = async move {
                let started = Instant::now();
                work(item).await.map(|()| started.elapsed().as_secs_f64())
            };
            tokio::spawn(timed).await?
        }
    });
    tasks.buffer_unordered(at_once).collect::<Vec<_>>().await.into_iter().collect()
}

async fn receive(
    ctx: &TenantContext,
    sender: &str,
    rules: usize,
    round: usize,
    i: usize,
) -> Result<EmailId, Fatal> {
    let raw = format!(
        "From: {sender}\r\nTo: service@acme.example\r\nSubject: bench {rules}\r\nMessage-ID: <{rules}.{round}.{i}@bench.example>\r\n\
         Date: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\nWhere is my order {i}? It was to be here last week.\r\n"
    );
    Ok(emails::receive(ctx, "bench", raw.into_bytes(), None).await?.email_id)
}

async fn decide(ctx: TenantContext, id: EmailId) -> Result<(), Fatal> {
    match worker::process_now(&ctx.app, &ctx.tenant, id).await? {
        Some(_) => Ok(()),
        None => Err("another server took the bench's message: stop it first".into()),
    }
}

async fn connection(ctx: &TenantContext, source: DatasourceId) -> Result<Connection, Fatal> {
    let mut tx = ctx.begin().await?;
    let datasource = datasources::find(&mut tx, source).await?.ok_or("the datasource is gone")?;
    Ok(datasources::connection(&ctx.app, &mut tx, &datasource).await??)
}

async fn look_up(
    ctx: TenantContext,
    connection: Connection,
    sender: String,
    rules: usize,
) -> Result<(), Fatal> {
    for i in 0..rules {
        let request =
            Request::Sql { query: query(i), params: vec![sender.clone().into()], from_message: vec![true] };
        let rows = ctx.app.lookups.ask(&connection, &request).await?;
        if rows.rows.len() != 1 {
            return Err(format!("{sender} has {} rows", rows.rows.len()).into());
        }
    }
    Ok(())
}

async fn ask_plainly(pool: PgPool, sender: String, rules: usize) -> Result<(), Fatal> {
    for i in 0..rules {
        let sql = query(i).replace('?', "$1");
        let row: (String, String, chrono::NaiveDate) =
            sqlx::query_as(AssertSqlSafe(sql)).bind(&sender).fetch_one(&pool).await?;
        if row.0 != "active" {
            return Err(format!("{sender} is {}", row.0).into());
        }
    }
    Ok(())
}
