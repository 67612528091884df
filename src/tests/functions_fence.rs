//! What a look-up in PostgreSQL may call: by what name and in what writing, and what the database itself says of it.

use std::collections::HashSet;

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::support::{Answer, TestServer};

/// A datasource that leads to the test's own database. As a superuser, unless the login names another role: what stops
/// it is the fence.
async fn datasource(server: &TestServer, login: Option<(&str, &str)>) -> i64 {
    let name = uuid::Uuid::new_v4().simple().to_string();
    let url: url::Url = server.database().url.expose_secret().parse().unwrap();
    let mut config = json!({"name": name, "protocol": "postgresql", "base_url": url.as_str()});
    if let Some((username, password)) = login {
        config["auth_type"] = "basic".into();
        config["auth_config"] = json!({"username": username, "password": password});
    }
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let body = json!({"name": name, "datasource_type": "database", "connection_key": name});
    let made = server.post("/api/datasources?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    made.id("datasource_id")
}

async fn preview(server: &TestServer, id: i64, query: &str, params: Value) -> Answer {
    let path = format!("/api/datasources/{id}/preview?tenant_id=acme");
    let body = json!({"conditions": {"query": query, "params": params}, "fields": {}});
    server.post(&path, &body).await
}

async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

/// Not every PostgreSQL has the extensions that come with it.
async fn has_extension(conn: &mut PgConnection, name: &str) -> bool {
    let sql = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = $1)";
    let is_there: bool = sqlx::query_scalar(sql).bind(name).fetch_one(&mut *conn).await.unwrap();
    if is_there {
        run(conn, &format!("CREATE EXTENSION {name} SCHEMA public")).await;
    }
    is_there
}

#[tokio::test]
async fn no_function_runs_what_it_is_given_or_reaches_outside() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let id = datasource(&server, None).await;
    for query in [
        "SELECT * FROM crosstab('SELECT 1') AS ct(a text, b text)",
        "SELECT * FROM xpath_table('a', 'b', 'c', '/d', '1=1') AS t(a int)",
        "SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, ''b''::tsquery')",
        "SELECT lowrite(0, '')",
        "SELECT pg_log_backend_memory_contexts(1)",
        "SELECT http_get('http://169.254.169.254/')",
        // What the parser takes for texts, and PostgreSQL for calls.
        "SELECT E'a'\n'\\', ', pg_read_file(chr(47) || 'etc/passwd'), ' -- '",
        "SELECT 'a' ||-- '\n pg_read_file(chr(47) || $$etc/passwd$$) -- '",
        "SELECT x?$$, pg_read_file('/etc/passwd') FROM (SELECT 1) AS t(\"x$1$$\") -- $$",
    ] {
        let refused = preview(&server, id, query, json!([])).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", refused.text);
        assert_eq!(refused.fields(), ["conditions.query"], "{query}: {}", refused.text);
    }
}

#[tokio::test]
async fn of_what_is_installed_only_what_is_known_is_called_and_ones_own_goes_on() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    run(
        &mut conn,
        "CREATE SCHEMA shop; CREATE TABLE shop.people (id int, name text, normal_rand text); \
         INSERT INTO shop.people VALUES (7, 'Ann', 'x'); \
         CREATE TABLE shop.crosstab_sales (lo_created_at text); INSERT INTO shop.crosstab_sales VALUES ('x'); \
         CREATE AGGREGATE shop.own_sum (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0'); \
         CREATE TYPE shop.span AS RANGE (SUBTYPE = float8); \
         CREATE FUNCTION shop.is_active(wanted int) RETURNS boolean LANGUAGE sql STABLE AS \
           'SELECT EXISTS (SELECT FROM shop.people WHERE id = wanted)'; \
         CREATE FUNCTION shop.normal_rand(wanted int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN wanted; END'; \
         CREATE FUNCTION public.doze(seconds float8) RETURNS void LANGUAGE internal STRICT AS 'pg_sleep'",
    )
    .await;
    let has_tablefunc = has_extension(&mut conn, "tablefunc").await;
    let has_unaccent = has_extension(&mut conn, "unaccent").await;
    let has_isn = has_extension(&mut conn, "isn").await;
    let has_sampling = has_extension(&mut conn, "tsm_system_rows").await;
    let id = datasource(&server, None).await;
    let refuses = async |query: &str, words: &str| {
        let answer = preview(&server, id, query, json!([])).await.is(StatusCode::OK).body;
        let message = answer["message"].as_str().unwrap_or_default();
        assert!(answer["ok"] == false && message.contains(words), "{query}: {answer:#}");
    };
    for query in ["SELECT public.doze(0)", "SELECT DOZE (0)", "SELECT (0::float8).doze"] {
        refuses(query, "the function doze is not allowed").await;
    }
    // As members.
    for query in [
        "SELECT ('/etc/passwd'::text).pg_read_file",
        "SELECT ('/etc/passwd'::text) . \"pg_read_file\"",
        "SELECT x.pg_read_file FROM unnest(ARRAY['/etc/passwd']) AS x",
        "SELECT ('/etc/hostname'::text).pg_read_file.upper AS a",
        "SELECT (0::float8).pg_sleep",
        "SELECT ('select to_tsvector(set_config(''statement_timeout'',''0'',false))'::text).ts_stat.word",
    ] {
        refuses(query, "is not allowed").await;
    }
    // No list of names has it: PostgreSQL holds it for one that is not repeatable.
    refuses("SELECT * FROM pg_hba_file_rules()", "the function pg_hba_file_rules is not allowed").await;
    if has_tablefunc {
        let words = "the function normal_rand of the extension tablefunc is not known";
        refuses("SELECT * FROM normal_rand(1, 5, 3)", words).await;
        refuses("SELECT * FROM public.\"normal_rand\"(1, 5, 3)", words).await;
        refuses("SELECT ('SELECT 1'::text).crosstab", "crosstab of the extension tablefunc").await;
    }
    if has_isn {
        refuses("SELECT (true).isn_weak", "isn_weak of the extension isn").await;
    }
    let mut known = vec![
        ("SELECT id FROM shop.people WHERE shop.is_active(?)", json!(["7"])),
        ("SELECT shop.normal_rand(1) AS n", json!([])),
        ("SELECT p.normal_rand, p.name, p.id FROM shop.people AS p", json!([])),
        ("SELECT random() < 2 AS a, clock_timestamp() AS b, gen_random_uuid() AS c", json!([])),
        ("SELECT lower(name) AS a, count(*) AS n FROM shop.people GROUP BY 1", json!([])),
        ("SELECT id FROM shop.people TABLESAMPLE system (100)", json!([])),
        ("SELECT s.lo_created_at FROM shop.crosstab_sales AS s", json!([])),
        ("SELECT shop.own_sum(id) AS n, shop.span(1, 2)::text AS s FROM shop.people", json!([])),
        ("SELECT current_query() AS a, pg_jit_available() AS b FROM pg_control_system()", json!([])),
    ];
    if has_sampling {
        known.push(("SELECT id FROM shop.people TABLESAMPLE system_rows(1)", json!([])));
    }
    if has_unaccent {
        known.push(("SELECT public.unaccent(name) AS a FROM shop.people", json!([])));
    }
    for (query, params) in known {
        let found = preview(&server, id, query, params).await.body;
        assert_eq!((&found["ok"], &found["row_count"]), (&json!(true), &json!(1)), "{query}: {found:#}");
    }
}

/// It comes with few servers: functions of PostgreSQL's own stand for its own.
#[tokio::test]
async fn of_timescaledb_is_called_what_is_repeatable_or_fills_gaps() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    run(
        &mut conn,
        "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion) \
           VALUES (424242, 'timescaledb', 10, 'public'::regnamespace, false, '2'); \
         CREATE FUNCTION public.time_bucket(int, int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4mul'; \
         CREATE FUNCTION public.locf(int) RETURNS int LANGUAGE internal AS 'int4up'; \
         CREATE FUNCTION public.show_chunks(int) RETURNS int LANGUAGE internal AS 'int4up'; \
         ALTER EXTENSION timescaledb ADD FUNCTION public.time_bucket(int, int); \
         ALTER EXTENSION timescaledb ADD FUNCTION public.locf(int); \
         ALTER EXTENSION timescaledb ADD FUNCTION public.show_chunks(int)",
    )
    .await;
    let id = datasource(&server, None).await;
    let found = preview(&server, id, "SELECT time_bucket(2, 3) AS t, locf(5) AS l", json!([])).await.body;
    assert_eq!(found["rows"], json!([{"t": 6, "l": 5}]), "{found:#}");
    let refused = preview(&server, id, "SELECT show_chunks(1)", json!([])).await.body;
    let message = refused["message"].as_str().unwrap_or_default();
    assert!(message.contains("show_chunks of the extension timescaledb is not known"), "{refused:#}");
}

#[tokio::test]
async fn what_is_refused_leaves_the_connection_to_the_next() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let id = datasource(&server, None).await;
    let mut backends = HashSet::new();
    for _ in 0..10 {
        let refused = preview(&server, id, "SELECT * FROM pg_hba_file_rules()", json!([])).await.body;
        assert_eq!(refused["ok"], false, "{refused:#}");
        let found = preview(&server, id, "SELECT pg_backend_pid()::text AS pid", json!([])).await.body;
        backends.insert(found["rows"][0]["pid"].as_str().unwrap().to_owned());
    }
    // The pool holds four.
    assert!(backends.len() <= 4, "{backends:?}");
}

/// Before PostgreSQL 9.1, a backslash took the quote behind it into the text. Databases may still have it so.
#[tokio::test]
async fn a_text_ends_where_the_parser_says_whatever_the_database_is_set_to() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    let url: url::Url = server.database().url.expose_secret().parse().unwrap();
    let database = url.path().trim_start_matches('/');
    // The role's setting goes with the database.
    run(
        &mut conn,
        &format!(
            "DO $$ BEGIN CREATE ROLE old_reader LOGIN PASSWORD 'reader-pw'; \
               EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; \
             ALTER ROLE old_reader IN DATABASE {database} SET standard_conforming_strings = off; \
             CREATE FUNCTION public.turned() RETURNS text LANGUAGE plpgsql AS $$ BEGIN \
               PERFORM set_config('standard_conforming_strings', 'off', false); RETURN 'x'; END $$"
        ),
    )
    .await;
    let id = datasource(&server, Some(("old_reader", "reader-pw"))).await;
    let asked = async |query: &str| {
        let found = preview(&server, id, query, json!([])).await.is(StatusCode::OK).body;
        assert_eq!(found["ok"], true, "{query}: {found:#}");
        found
    };
    for _ in 0..2 {
        let found = asked("SELECT 'a\\'',current_user::text AS who -- ' AS said").await;
        assert_eq!(found["rows"], json!([{"said": "a\\',current_user::text AS who -- "}]), "{found:#}");
        // Its columns are told by what was prepared.
        let found = asked("SELECT 'a\\'',current_user::text AS who -- ' AS said WHERE false").await;
        let names: Vec<&Value> =
            found["columns"].as_array().unwrap().iter().map(|column| &column["name"]).collect();
        assert_eq!(names, ["said"], "{found:#}");
        // What a function of the customer's own sets ends with its look-up.
        asked("SELECT public.turned() AS t").await;
    }
}
