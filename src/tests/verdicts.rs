//! What a database takes a value for, and what its own values are: MariaDB and PostgreSQL read more texts as dates and numbers
//! than say one, and hold more digits than a double does.

use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    datasources::MariaDb,
    support::{TestServer, message},
};

/// A server whose tenant acme has the datasource Shop, and its id.
async fn shop(mut config: Value, server: &TestServer) -> i64 {
    config["name"] = "shop".into();
    server.tenant("acme").await;
    server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let source = json!({"name": "Shop", "datasource_type": "database", "connection_key": "shop"});
    let made = server.post("/api/datasources?tenant_id=acme", &source).await;
    made.is(StatusCode::CREATED).id("datasource_id")
}

async fn postgres(server: &TestServer, sql: &'static str) -> i64 {
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    let url = server.database().url.expose_secret();
    shop(json!({"protocol": "postgresql", "base_url": url}), server).await
}

async fn mariadb(server: &TestServer, sql: &str) -> (MariaDb, i64) {
    let maria = MariaDb::start().await;
    maria.run(&format!(
        "SET sql_mode = ''; CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop; {sql}; \
         CREATE USER reader IDENTIFIED BY 'reader-pw'; GRANT SELECT ON shop.* TO reader"
    ));
    let base_url = format!("mysql://reader:reader-pw@127.0.0.1:{}/shop", maria.port);
    let id = shop(json!({"protocol": "mysql", "base_url": base_url}), server).await;
    (maria, id)
}

/// The intent Orders with these rules, whose field `said` is what a message says.
async fn rules(server: &TestServer, rules: &[Value]) {
    let takes = json!({"all": [{"field": "subject", "op": "contains", "value": "order"}]});
    let said = json!([{"name": "said", "field": "body", "pattern": "said: (.+)"}]);
    let body = json!({
        "intent": {"name": "Orders", "match": takes, "extractors": said},
        "validation_rules": rules
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
}

fn rule(datasource: i64, rule_type: &str, query: &str, mut conditions: Value) -> Value {
    conditions["query"] = query.into();
    json!({"field_name": "sender_email", "rule_type": rule_type, "datasource_id": datasource,
        "on_error": "ignore", "conditions": conditions})
}

/// That there is a row of the table `stock` for this.
fn exists(datasource: i64, condition: &str, param: &str) -> Value {
    let query = format!("SELECT 1 FROM stock WHERE {condition}");
    rule(datasource, "exists", &query, json!({"params": [param]}))
}

async fn decided(server: &TestServer, said: &str) -> Value {
    let text = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    let raw = message("ann@x.example", "order", &format!("said: {said}"));
    server.decide("acme", raw.replacen("\r\n\r\n", text, 1)).await
}

fn verdicts(email: &Value) -> Vec<&str> {
    email["verdicts"].as_array().unwrap().iter().map(|v| v["verdict"].as_str().unwrap()).collect()
}

fn reason(email: &Value, rule: usize) -> &str {
    email["verdicts"][rule]["reason"].as_str().unwrap()
}

#[tokio::test]
async fn a_decimal_of_postgres_is_a_number_with_all_its_digits() {
    let server = TestServer::start().await;
    let id = postgres(&server, "SELECT 1").await;
    let thirds = "SELECT 28/3.0 AS used, 31/3.0 AS allowed, 2/3.0 AS share, '9.3333333333333333' AS text";
    let expression = |text: &str| rule(id, "expression", thirds, json!({"expression": text}));
    let compared = |rule_type: &str, sql: &str, expected: Value| {
        rule(id, rule_type, &format!("SELECT {sql} AS n"), json!({"expected": expected}))
    };
    rules(
        &server,
        &[
            expression("row.used <= row.allowed"),
            expression("row.share > 0.5"),
            expression("rows.all(r, r.used + r.share == 10.0)"),
            expression("row.text == '9.3333333333333333'"),
            // Elsewhere it is what was stored.
            rule(id, "equals", thirds, json!({"column": "used", "expected": "9.3333333333333333"})),
            compared("equals", "1234567890123456.70", json!("1234567890123456.7")),
            compared("not_equals", "1234567890123456.70", json!("1234567890123456.71")),
            compared("one_of", "1234567890123456.70", json!(["1", "1234567890123456.700"])),
            compared("not_equals", "'1234567890123456.70'", json!("1234567890123456.7")),
            compared("not_equals", "1.00000000000000000000000000000001", json!("1")),
            compared("equals", "true", json!(true)),
            compared("equals", "1", json!(true)),
            compared("not_equals", "0", json!(true)),
            // A consignment's number has no decimals.
            rule(
                id,
                "expression",
                "SELECT CAST(1234567890123456789012 AS numeric(22,0)) AS n",
                json!({"expression": "row.n == '1234567890123456789012'"}),
            ),
        ],
    )
    .await;
    let email = decided(&server, "nothing").await;
    assert_eq!(verdicts(&email), ["pass"; 14], "{email:#}");
    let rows = &email["verdicts"][0]["evidence"]["rows"];
    assert_eq!(rows[0]["used"], "9.3333333333333333", "as it is stored");
    let rows = &email["verdicts"][9]["evidence"]["rows"];
    assert_eq!(rows[0]["n"], "1.00000000000000000000000000000001");
}

#[tokio::test]
async fn postgres_takes_no_text_of_a_message_for_a_date_or_number_that_it_may_not_be() {
    let server = TestServer::start().await;
    let id = postgres(
        &server,
        "CREATE TABLE public.stock (d date, n numeric, f float8, ts timestamptz); \
         INSERT INTO public.stock VALUES ('2026-10-11', 5, 5, '2026-11-10 08:00Z')",
    )
    .await;
    let exists = |condition: &str, param: &str| {
        let query = format!("SELECT 1 FROM public.stock WHERE {condition}");
        rule(id, "exists", &query, json!({"params": [param]}))
    };
    let conditions = ["d = ?", "d <= ?", "n <= ?", "f <= ?", "ts <= ?"];
    let mut all = conditions.map(|condition| exists(condition, "{{said}}")).to_vec();
    all.push(exists("d <= ?", "infinity"));
    rules(&server, &all).await;
    for (said, passed) in [
        ("NaN", [false; 5]),
        ("Infinity", [false; 5]),
        ("inf", [false; 5]),
        ("0x10", [false; 5]),
        ("today", [false; 5]),
        ("tomorrow", [false; 5]),
        ("2026-11-10 infinity", [false; 5]),
        ("10/11/2026", [false; 5]),
        ("9.11.26", [false; 5]),
        ("10 11 2026", [false; 5]),
        ("hello", [false; 5]),
        ("101126", [false, false, true, true, false]),
        // What it reads in one way alone, however that is written.
        ("2026.11.11", [false, true, false, false, true]),
        ("11 Nov 2026 14:30", [false, true, false, false, true]),
        ("Nov 11, 2026 2:30 PM", [false, true, false, false, true]),
        ("2026-11-11 14:30 CET", [false, true, false, false, true]),
        ("2026-11-11 14:30 Europe/Berlin", [false, true, false, false, true]),
        ("2026-11-11, 14:30", [false, true, false, false, true]),
        ("20261111 10:15", [false, true, false, false, true]),
        // The day stands first wherever dates are written so.
        ("11.10.2026", [true, true, false, false, false]),
        ("2026-10-11", [true, true, false, false, false]),
        ("2026-11-10T09:00:00+01:00", [false, true, false, false, true]),
        ("Tue, 10 Nov 2026 09:00:00 +0100", [false, true, false, false, true]),
        ("7.0", [false, false, true, true, false]),
    ] {
        let email = decided(&server, said).await;
        let mut expected = passed.map(|passes| if passes { "pass" } else { "fail" }).to_vec();
        // What stands in the rule was meant.
        expected.push("pass");
        assert_eq!(verdicts(&email), expected, "{said}: {email:#}");
        if said == "NaN" {
            assert!(reason(&email, 2).contains("Shop cannot be asked for NaN"), "{email:#}");
        }
    }
}

/// It is refused before, which tells nothing of the connection.
#[tokio::test]
async fn what_postgres_is_not_asked_for_costs_no_connection() {
    let server = TestServer::start().await;
    let id =
        postgres(&server, "CREATE TABLE public.stock (n numeric); INSERT INTO public.stock VALUES (5)").await;
    let query = "SELECT 1 FROM public.stock WHERE n <= ?";
    rules(&server, &[rule(id, "exists", query, json!({"params": ["{{said}}"]}))]).await;
    let mut kept: Option<Vec<i32>> = None;
    for (said, verdict) in [("7", "pass"), ("NaN", "fail"), ("8", "pass")] {
        let email = decided(&server, said).await;
        assert_eq!(verdicts(&email), [verdict], "{said}: {email:#}");
        let mut conn = server.database().superuser().await;
        let open = "SELECT pid FROM pg_stat_activity \
                    WHERE application_name = 'flowengine look-up' AND datname = current_database()";
        let open: Vec<i32> = sqlx::query_scalar(open).fetch_all(&mut conn).await.unwrap();
        assert!(!open.is_empty(), "{said}");
        assert_eq!(*kept.get_or_insert_with(|| open.clone()), open, "{said}");
    }
}

#[tokio::test]
async fn mariadb_takes_no_text_of_a_message_for_a_date_that_it_is_not() {
    let server = TestServer::start().await;
    let (_maria, id) = mariadb(
        &server,
        "CREATE TABLE stock (order_no int, due date, da date, dt datetime, ti time, note varchar(50)); \
         INSERT INTO stock VALUES (1042, '2026-11-10', '0000-00-00', '2026-11-10 08:00', '08:00', '9.11.26')",
    )
    .await;
    let conditions = [
        "order_no = 1042 AND due >= ?",
        "due > CAST(? AS DATE)",
        "da = ?",
        "dt >= ?",
        "order_no = 1042 AND ti >= ?",
        "note = ?",
        "due > STR_TO_DATE(?, '%d.%m.%y')",
        "order_no = ?",
    ];
    rules(&server, &conditions.map(|condition| exists(id, condition, "{{said}}"))).await;
    for (said, passed) in [
        ("hello", [false; 8]),
        ("10.11.2026", [false; 8]),
        ("11/10/2026", [false; 8]),
        ("25 Uhr", [false; 8]),
        ("Müller", [false; 8]),
        ("1042\u{1f600}", [false; 8]),
        // A time of ten seconds, and a day for whom that is enough of one.
        ("10", [false, false, false, false, true, false, true, false]),
        ("2026-11-09", [true, true, false, true, false, false, false, false]),
        ("2026-11-10T08:00:00Z", [false, false, false, true, true, false, false, false]),
        // Of a zone it warns, and of what is less than a microsecond.
        ("2026-11-10T07:00Z", [false, false, false, true, true, false, false, false]),
        ("2026-11-10 07:00:00 UTC", [false, false, false, true, true, false, false, false]),
        ("2026-11-10T07:00:00 +0100", [false, false, false, true, true, false, false, false]),
        ("2026-11-10 07:00:00.123456789", [false, false, false, true, true, false, false, false]),
        ("2026-11-10 02:30 PM", [false; 8]),
        ("07:30", [false, false, false, false, true, false, false, false]),
    ] {
        let email = decided(&server, said).await;
        let expected = passed.map(|passes| if passes { "pass" } else { "fail" });
        assert_eq!(verdicts(&email), expected, "{said}: {email:#}");
        if said == "hello" {
            assert!(reason(&email, 0).contains("Shop cannot be asked for hello"), "{email:#}");
        }
    }
}

/// Of what is stored, it warns as well, and of a text the same whether many rows are found by it or one.
#[tokio::test]
async fn mariadb_s_warnings_are_held_against_the_text_that_they_are_of() {
    let server = TestServer::start_with(&[("LOOKUP_MAX_ROWS", "2")]).await;
    let (_maria, id) = mariadb(
        &server,
        "CREATE TABLE people (name varchar(50), most varchar(50)); \
         INSERT INTO people VALUES (_utf8mb4 x'd09fd191d182d180', _utf8mb4 x'd0bdd0b5d182'); \
         CREATE TABLE stock (order_no int, due date, note varchar(50)); \
         INSERT INTO stock SELECT seq, '2026-11-10', IF(seq = 1, 'C-7', '') FROM seq_1_to_500",
    )
    .await;
    let either = |query: &str| rule(id, "exists", query, json!({"params": ["{{said}}", "{{said}}"]}));
    let people = "SELECT 1 FROM people WHERE name = ? AND CAST(most AS DECIMAL(10)) = 0";
    rules(
        &server,
        &[
            rule(id, "exists", people, json!({"params": ["{{said}}"]})),
            // Of three rows, one is cut.
            exists(id, "order_no > 497 AND due > ?", "{{said}}"),
            exists(id, "order_no > 499 AND due > ?", "{{said}}"),
            exists(id, "order_no > ? LIMIT 400", "{{said}}"),
            either("SELECT 1 FROM stock WHERE note = ? OR due = ?"),
            either("SELECT 1 FROM stock WHERE note = ? OR order_no = ?"),
            either("SELECT 1 FROM stock WHERE note = ? OR CAST(order_no AS CHAR) = ?"),
        ],
    )
    .await;
    for (said, expected) in [
        ("Пётр", ["pass", "fail", "fail", "error", "fail", "fail", "fail"]),
        // Where it may be a number, an answer that is cut is not read to its end, where the warning would be.
        ("7", ["fail", "pass", "fail", "pass", "fail", "pass", "pass"]),
        ("C-7", ["fail", "fail", "fail", "error", "fail", "fail", "pass"]),
        ("2026-11-09", ["fail", "pass", "pass", "fail", "fail", "fail", "fail"]),
    ] {
        let email = decided(&server, said).await;
        assert_eq!(verdicts(&email), expected, "{said}: {email:#}");
    }
}

#[tokio::test]
async fn a_character_that_a_column_of_mariadb_cannot_have_is_no_error() {
    let server = TestServer::start().await;
    let (_maria, id) = mariadb(
        &server,
        "CREATE TABLE stock (name varchar(50) CHARACTER SET latin1, other varchar(50) CHARACTER SET latin2); \
         INSERT INTO stock VALUES (_latin1 x'4dfc6c6c6572', '')",
    )
    .await;
    // Of the last, no message is to blame.
    let conditions = ["name = ?", "name IN (?, 'x')", "name <> other AND name = ?"];
    rules(&server, &conditions.map(|condition| exists(id, condition, "{{said}}"))).await;
    for (said, expected) in [
        ("Müller", ["pass", "pass", "error"]),
        ("Łukasz", ["fail", "fail", "error"]),
        ("Müller 😀", ["fail", "fail", "error"]),
        ("Muller", ["fail", "fail", "error"]),
    ] {
        let email = decided(&server, said).await;
        assert_eq!(verdicts(&email), expected, "{said}: {email:#}");
        if said == "Łukasz" {
            assert!(reason(&email, 0).contains("Shop cannot be asked for Łukasz"), "{email:#}");
        }
    }
}

#[tokio::test]
async fn what_mariadb_stores_is_judged_as_it_is() {
    let server = TestServer::start().await;
    let (_maria, id) = mariadb(
        &server,
        "CREATE TABLE stock (id bigint unsigned, n decimal(20,6), used decimal(20,16), allowed decimal(20,16), \
         sum decimal(18,2), consignment decimal(22,0), tb boolean, fb boolean, bits bit(1), odd date, late datetime); \
         INSERT INTO stock VALUES (9223372036854775809, 12345678901.123456, 9.3333333333333333, \
         10.3333333333333333, 1234567890123456.70, 1234567890123456789012, 1, 0, 1, '2026-11-00', '2026-11-00 08:09:10')",
    )
    .await;
    let all = "SELECT * FROM stock";
    let expression = |text: &str| rule(id, "expression", all, json!({"expression": text}));
    let compared = |rule_type: &str, column: &str, expected: Value| {
        rule(id, rule_type, all, json!({"column": column, "expected": expected}))
    };
    let by_id = |rule_type: &str, id_given: Value| {
        rule(id, rule_type, "SELECT 1 FROM stock WHERE id = ?", json!({"params": [id_given]}))
    };
    rules(
        &server,
        &[
            expression("row.n == 12345678901.123456"),
            expression("row.used <= row.allowed"),
            expression("row.id == 9223372036854775809u && row.id > 1"),
            by_id("exists", json!(9_223_372_036_854_775_809_u64)),
            by_id("not_exists", json!(9_223_372_036_854_775_808_u64)),
            by_id("exists", json!("9223372036854775809")),
            compared("equals", "sum", json!("1234567890123456.7")),
            compared("equals", "tb", json!(true)),
            compared("equals", "fb", json!(false)),
            compared("equals", "bits", json!(true)),
            compared("not_equals", "tb", json!(false)),
            compared("one_of", "tb", json!(["yes", true])),
            compared("equals", "odd", json!("2026-11-00")),
            compared("equals", "late", json!("2026-11-00 08:09:10")),
            expression("row.consignment == '1234567890123456789012'"),
            rule(
                id,
                "compare",
                all,
                json!({"column": "odd", "op": "<", "as": "date", "expected": "2027-01-01"}),
            ),
        ],
    )
    .await;
    let email = decided(&server, "nothing").await;
    let mut expected = vec!["pass"; 15];
    // A day that is none is told where it is looked at.
    expected.push("error");
    assert_eq!(verdicts(&email), expected, "{email:#}");
    assert!(reason(&email, 15).contains("'2026-11-00' is no date"), "{email:#}");
}
