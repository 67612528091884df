//! No tenant sees another's: both locks, each alone, and every call from outside.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use super::support::{Answer, TestServer, eventually, message};
use crate::{
    auth::dto::Role,
    server::{TenantRows, TenantTx, database::in_tenant},
};

/// A tenant with one of everything; the ids of it all.
async fn furnish(server: &TestServer, tenant: &str) -> Vec<(&'static str, String)> {
    server.tenant(tenant).await;
    let q = format!("?tenant_id={tenant}");
    let config = json!({"name": "shop", "protocol": "http", "base_url": "http://x.example", "auth_type": "bearer", "auth_config": {"token": "t"}});
    let config = server
        .post(&format!("/api/datasource-configs{q}"), &config)
        .await
        .is(StatusCode::CREATED)
        .id("config_id");
    let datasource = json!({"name": "Shop", "datasource_type": "api", "connection_key": "shop"});
    let datasource = server
        .post(&format!("/api/datasources{q}"), &datasource)
        .await
        .is(StatusCode::CREATED)
        .id("datasource_id");
    let both = json!({"intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}}, "validation_rules": [
        {"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "order"}, "priority": 1}
    ]});
    let both = server.post(&format!("/api/intents/with-rules{q}"), &both).await.is(StatusCode::CREATED).body;
    let route =
        json!({"name": "mark", "kind": "label", "decisions": ["accepted"], "settings": {"label": "ok"}});
    let route = server.post(&format!("/api/routes{q}"), &route).await.is(StatusCode::CREATED).id("route_id");
    let domain = tenant.replace('_', "-");
    let domains = json!({"domains": [format!("{domain}.example")]});
    server.put(&format!("/api/mail-domains{q}"), &domains).await.is(StatusCode::OK);
    let mailbox = json!({"name": "Orders", "kind": "smtp", "address": format!("orders@{domain}.example")});
    let mailbox =
        server.post(&format!("/api/mailboxes{q}"), &mailbox).await.is(StatusCode::CREATED).id("mailbox_id");
    let elsewhere = json!({"name": "Elsewhere", "kind": "imap", "imap": {
        "host": "imap.x.example", "username": "u", "password": "p"}});
    server.post(&format!("/api/mailboxes{q}"), &elsewhere).await.is(StatusCode::CREATED);
    let email = server.decide(tenant, message("a@b.example", "an order", "x")).await;
    let examples = format!("/api/intents/{}/examples{q}", both["intent"]["intent_id"]);
    server.post(&examples, &json!({"text": "where is my order"})).await.is(StatusCode::CREATED);
    let draft = json!({"intent_id": both["intent"]["intent_id"], "last": 5});
    let backtest = server.post(&format!("/api/backtests{q}"), &draft).await.is(StatusCode::ACCEPTED).body;
    let backtest = backtest["backtest_id"].as_str().unwrap().to_owned();
    eventually("the backtest is done", async || {
        let found = server.get(&format!("/api/backtests/{backtest}{q}")).await.is(StatusCode::OK).body;
        (found["status"] == "done").then_some(())
    })
    .await;
    vec![
        ("/api/backtests/", backtest),
        ("/api/datasource-configs/", config.to_string()),
        ("/api/datasources/", datasource.to_string()),
        ("/api/intents/", both["intent"]["intent_id"].to_string()),
        ("/api/validation-rules/", both["validation_rules"][0]["rule_id"].to_string()),
        ("/api/emails/", email["email_id"].as_str().unwrap().to_owned()),
        ("/api/mailboxes/", mailbox.to_string()),
        ("/api/routes/", route.to_string()),
        ("/api/deliveries/", email["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned()),
    ]
}

/// Every call that names a resource, as `who`, for `tenant`: 404, whatever the method.
async fn sees_nothing(server: &TestServer, key: &str, tenant: &str, ids: &[(&str, String)]) {
    let bodies = json!({"name": "x", "datasource_type": "api", "connection_key": "x", "protocol": "http"});
    for (resource, id) in ids {
        let mut calls = vec![(Method::GET, format!("{resource}{id}"))];
        match *resource {
            "/api/emails/" => calls.extend([
                (Method::GET, format!("{resource}{id}/raw")),
                (Method::POST, format!("{resource}{id}/reprocess")),
                (Method::POST, format!("{resource}{id}/decision")),
                (Method::POST, format!("{resource}{id}/intent")),
                (Method::GET, format!("{resource}{id}/history")),
                (Method::GET, format!("{resource}{id}/runs")),
                (Method::POST, format!("{resource}{id}/take-back")),
            ]),
            "/api/backtests/" => calls.extend([
                (Method::GET, format!("{resource}{id}/changes")),
                (Method::DELETE, format!("{resource}{id}")),
            ]),
            "/api/deliveries/" => calls.push((Method::POST, format!("{resource}{id}/retry"))),
            _ => calls.extend([
                (Method::PUT, format!("{resource}{id}")),
                (Method::DELETE, format!("{resource}{id}")),
            ]),
        }
        match *resource {
            "/api/intents/" => calls.extend([
                (Method::GET, format!("{resource}{id}/validation-rules")),
                (Method::GET, format!("{resource}{id}/with-rules")),
                (Method::PUT, format!("{resource}{id}/with-rules")),
                (Method::GET, format!("{resource}{id}/examples")),
                (Method::GET, format!("{resource}{id}/versions")),
                (Method::GET, format!("{resource}{id}/versions/1")),
                (Method::POST, format!("{resource}{id}/examples")),
                (Method::DELETE, format!("{resource}{id}/examples/1")),
            ]),
            "/api/datasources/" => calls.push((Method::GET, format!("{resource}{id}/with-config"))),
            "/api/routes/" => calls.push((Method::POST, format!("{resource}{id}/rotate-secret"))),
            _ => {}
        }
        for (method, path) in calls {
            let body = match *resource {
                _ if path.ends_with("/examples") => json!({"text": "x"}),
                _ if path.ends_with("/with-rules") => {
                    json!({"intent": {"name": "x"}, "validation_rules": []})
                }
                _ if path.ends_with("/reprocess") => json!({}),
                _ if path.ends_with("/intent") => json!({"intent_id": null}),
                "/api/intents/" => json!({"name": "x"}),
                "/api/datasources/" => json!({"name": "x", "datasource_type": "api", "connection_key": "x"}),
                "/api/datasource-configs/" => {
                    json!({"name": "x", "protocol": "http", "base_url": "http://x.example"})
                }
                "/api/validation-rules/" => {
                    json!({"intent_id": 1, "field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "x"}})
                }
                "/api/emails/" => json!({"decision": "accepted"}),
                "/api/mailboxes/" => json!({"name": "x", "kind": "smtp", "address": "orders@globex.example"}),
                "/api/routes/" => {
                    json!({"name": "x", "kind": "label", "decisions": ["review"], "settings": {"label": "x"}})
                }
                _ => bodies.clone(),
            };
            let path = format!("{path}?tenant_id={tenant}");
            let answer = Answer::of(
                server.request(method.clone(), &path, Some(key)).json(&body).send().await.unwrap(),
            )
            .await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
        }
    }
}

async fn count(conn: &mut PgConnection, tenant: &str) -> Vec<i64> {
    let mut counts = Vec::new();
    for sql in [
        "SELECT count(*) FROM datasource_configs WHERE tenant_id = $1",
        "SELECT count(*) FROM datasources WHERE tenant_id = $1",
        "SELECT count(*) FROM intents WHERE tenant_id = $1",
        "SELECT count(*) FROM validation_rules WHERE tenant_id = $1",
        "SELECT count(*) FROM emails WHERE tenant_id = $1 AND decision IS NOT NULL",
        "SELECT count(*) FROM verdicts WHERE tenant_id = $1",
        "SELECT count(*) FROM email_runs WHERE tenant_id = $1",
        "SELECT count(*) FROM intent_examples WHERE tenant_id = $1",
        "SELECT count(*) FROM mailboxes WHERE tenant_id = $1",
        "SELECT count(*) FROM mail_domains WHERE tenant_id = $1",
        "SELECT count(*) FROM routes WHERE tenant_id = $1",
        "SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND status = 'delivered'",
        "SELECT count(*) FROM email_labels WHERE tenant_id = $1",
        "SELECT count(*) FROM backtests WHERE tenant_id = $1",
        "SELECT count(*) FROM backtest_messages WHERE tenant_id = $1",
    ] {
        counts.push(sqlx::query_scalar(sql).bind(tenant).fetch_one(&mut *conn).await.unwrap());
    }
    counts
}

#[tokio::test]
async fn another_tenants_resource_is_not_found_by_any_call() {
    let server = TestServer::start().await;
    let theirs = furnish(&server, "acme").await;
    furnish(&server, "globex").await;
    let key = server.key_of("globex", Role::Admin).await;
    let mut conn = server.database().superuser().await;
    let before = count(&mut conn, "acme").await;
    sees_nothing(&server, &key, "globex", &theirs).await;
    // Not by naming the other tenant either; nor does a stranger learn whether a tenant exists.
    sees_nothing(&server, &key, "acme", &theirs).await;
    for path in [
        "/api/intents",
        "/api/validation-rules",
        "/api/datasources",
        "/api/datasource-configs",
        "/api/emails",
        "/api/mailboxes",
        "/api/mail-domains",
        "/api/routes",
        "/api/deliveries",
        "/api/backtests",
        "/api/classifier",
        "/api/stats",
        "/api/export",
    ] {
        for tenant in ["acme", "no_such_tenant"] {
            let path = format!("{path}?tenant_id={tenant}");
            let answer =
                Answer::of(server.request(Method::GET, &path, Some(&key)).send().await.unwrap()).await;
            answer.problem(StatusCode::NOT_FOUND, &format!("Tenant {tenant} not found"));
        }
    }
    for tenant in ["acme", "no_such_tenant"] {
        let path = format!("/api/import?tenant_id={tenant}&delete=true");
        let document =
            json!({"version": 1, "intents": [], "routes": [], "datasources": [], "datasource_configs": []});
        let answer = server.request(Method::POST, &path, Some(&key)).json(&document).send().await.unwrap();
        Answer::of(answer).await.problem(StatusCode::NOT_FOUND, &format!("Tenant {tenant} not found"));
    }
    assert_eq!(count(&mut conn, "acme").await, before, "nothing of it was changed");
}

/// The first lock alone: the policies are off, the SQL's own filter holds.
#[tokio::test]
async fn the_filter_holds_where_row_level_security_is_off() {
    let server = TestServer::start().await;
    let theirs = furnish(&server, "acme").await;
    let mine = furnish(&server, "globex").await;
    let mut conn = server.database().superuser().await;
    for table in tenant_tables(&mut conn).await {
        let sql = format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
    }
    let before = count(&mut conn, "acme").await;
    let key = server.key_of("globex", Role::Admin).await;
    sees_nothing(&server, &key, "globex", &theirs).await;
    for path in [
        "/api/intents",
        "/api/validation-rules",
        "/api/datasources",
        "/api/datasource-configs",
        "/api/emails",
        "/api/routes",
        "/api/deliveries",
        "/api/backtests",
    ] {
        let answer = server.get(&format!("{path}?tenant_id=globex")).await.is(StatusCode::OK);
        let items = answer.body.as_array().unwrap();
        assert_eq!(items.len(), 1, "{path}");
        assert!(items.iter().all(|item| item["tenant_id"] == "globex"), "{path}");
    }
    assert_eq!(server.get("/api/stats?tenant_id=globex").await.body["emails"], 1);
    assert_eq!(mine.len(), theirs.len());
    // An export has one of each, and an import that deletes all of it deletes no other tenant's.
    let exported = server.get("/api/export?tenant_id=globex&format=json").await.is(StatusCode::OK).body;
    for section in ["datasource_configs", "datasources", "intents", "routes"] {
        assert_eq!(exported[section].as_array().unwrap().len(), 1, "{section}");
    }
    assert_eq!(exported["intents"][0]["validation_rules"].as_array().unwrap().len(), 1);
    let empty = json!({"version": 1, "intents": [], "routes": [], "datasources": [], "datasource_configs": [], "classifier": {"gate": 0.5}});
    let emptied =
        server.post("/api/import?tenant_id=globex&delete=true", &empty).await.is(StatusCode::OK).body;
    assert_eq!(emptied["summary"], json!({"create": 0, "change": 1, "delete": 5, "same": 0}));
    assert_eq!(count(&mut conn, "acme").await, before);
}

async fn visible(tx: &mut TenantTx, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn()).await.unwrap()
}

/// The second lock alone: the filter is forgotten, the policies hold, for reads and for writes.
#[tokio::test]
async fn the_policies_hold_where_the_filter_is_forgotten() {
    let server = TestServer::start().await;
    furnish(&server, "acme").await;
    furnish(&server, "globex").await;
    server.key_of("acme", Role::Viewer).await;
    let mut conn = server.database().superuser().await;
    let tables = tenant_tables(&mut conn).await;
    let globex = "globex".parse().unwrap();
    for table in &tables {
        let all: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table} WHERE tenant_id <> 'globex'"
        )))
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let mut tx = server.app.database.tenant(&globex).await.unwrap();
        let mine = format!("SELECT count(*) FROM {table} WHERE tenant_id = 'globex'");
        let own: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(mine)).fetch_one(tx.conn()).await.unwrap();
        assert_eq!(visible(&mut tx, table).await, own, "{table}");
        for sql in [format!("DELETE FROM {table}"), format!("UPDATE {table} SET tenant_id = tenant_id")] {
            let mut tx = server.app.database.tenant(&globex).await.unwrap();
            let touched = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(tx.conn()).await;
            assert!(
                touched.is_err() || touched.is_ok_and(|done| done.rows_affected() <= own.cast_unsigned()),
                "{table}"
            );
        }
        let mut tx = server.app.database.tenant(&globex).await.unwrap();
        let moved = sqlx::query(sqlx::AssertSqlSafe(format!("UPDATE {table} SET tenant_id = 'acme'")));
        assert!(own == 0 || moved.execute(tx.conn()).await.is_err(), "a row of {table} can be given away");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "SELECT count(*) FROM {table} WHERE tenant_id <> 'globex'"
        )))
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert_eq!(left, all, "{table}");
    }
    // No tenant set, or an empty one: nothing is seen.
    for begin in ["BEGIN", "BEGIN; SELECT set_config('app.tenant_id', '', true)"] {
        for table in &tables {
            let mut tx = server.app.database.instance().await.unwrap();
            sqlx::raw_sql(begin.trim_start_matches("BEGIN").trim_start_matches(';'))
                .execute(tx.conn())
                .await
                .unwrap();
            let sql = format!("SELECT count(*) FROM {table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn()).await.unwrap();
            assert_eq!(seen, 0, "{table}");
        }
    }
}

/// One statement for itself: it sees its tenant's rows alone, without the filter too; one that sets no tenant sees none.
#[tokio::test]
async fn a_statement_sees_the_tenant_that_it_sets_and_leaves_none_behind() {
    let server = TestServer::start_with(&[("DATABASE_POOL_MAX", "1")]).await;
    furnish(&server, "acme").await;
    furnish(&server, "globex").await;
    let mut conn = server.database().superuser().await;
    let globex = "globex".parse().unwrap();
    let mut seen_at_all = 0;
    for table in &tenant_tables(&mut conn).await {
        let mine = format!("SELECT count(*) FROM {table} WHERE tenant_id = 'globex'");
        let own: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(mine)).fetch_one(&mut conn).await.unwrap();
        let count = async |sql: String| -> i64 {
            let mut read = server.app.database.tenant_read(&globex).await.unwrap();
            let query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
            let query = if sql.contains("$1") { query.bind("globex") } else { query };
            i64::try_from(query.fetch_all(read.conn()).await.unwrap().len()).unwrap()
        };
        let visible = in_tenant!("SELECT tenant_id FROM intents").replace("intents", table);
        assert!(count(visible).await <= own, "{table}: others' rows");
        let filtered = in_tenant!("SELECT tenant_id FROM intents WHERE tenant_id = tenant.id");
        let visible = count(filtered.replace("intents", table)).await;
        let mut tx = server.app.database.tenant(&globex).await.unwrap();
        assert_eq!(visible, self::visible(&mut tx, table).await, "{table}");
        drop(tx);
        seen_at_all += visible;
        assert_eq!(count(format!("SELECT tenant_id FROM {table}")).await, 0, "{table}: no tenant is set");
        assert_eq!(tenant_left_behind(&server).await, None, "{table}");
    }
    assert!(seen_at_all > 10);
}

/// The tenant that the pool's next connection still knows.
async fn tenant_left_behind(server: &TestServer) -> Option<String> {
    let mut tx = server.app.database.instance().await.unwrap();
    sqlx::query_scalar("SELECT nullif(current_setting('app.tenant_id', true), '')")
        .fetch_one(tx.conn())
        .await
        .unwrap()
}

/// A connection that a cancelled request gave back knows no tenant.
#[tokio::test]
async fn a_cancelled_request_leaves_no_tenant_behind() {
    let server = TestServer::start_with(&[("DATABASE_POOL_MAX", "1")]).await;
    let acme = server.tenant("acme").await;
    let cancelled = tokio::time::timeout(std::time::Duration::from_millis(50), async {
        let mut tx = server.app.database.tenant(&acme).await.unwrap();
        sqlx::query("SELECT pg_sleep(0.5)").execute(tx.conn()).await
    });
    assert!(cancelled.await.is_err());
    assert_eq!(tenant_left_behind(&server).await, None);
}

/// Nor does one that was called off while its transaction began.
#[tokio::test]
async fn a_begin_that_is_called_off_leaves_no_tenant_behind() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MAX", "1")]).await;
    let acme = server.tenant("acme").await;
    for micros in (0..3_000).step_by(50) {
        let begun = server.app.database.tenant(&acme);
        let _ = tokio::time::timeout(std::time::Duration::from_micros(micros), begun).await;
        assert_eq!(tenant_left_behind(&server).await, None, "called off after {micros} µs");
    }
}

async fn tenant_tables(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = 'eivs' AND c.relkind IN ('r', 'p') AND c.relname <> ALL ($1) ORDER BY 1",
    )
    .bind(INSTANCE_WIDE.map(str::to_owned).to_vec())
    .fetch_all(conn)
    .await
    .unwrap()
}

/// The tables that belong to the installation. A new table that is not named here must be a tenant's.
const INSTANCE_WIDE: [&str; 11] = [
    "tenants",
    "users",
    "sessions",
    "sign_in_links",
    "sign_in_refusals",
    "invited_addresses",
    "user_identities",
    "oidc_attempts",
    "instance_api_keys",
    "instance_audit_log",
    "_sqlx_migrations",
];

#[tokio::test]
async fn the_catalogue_shows_every_table_locked() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    let tables = tenant_tables(&mut conn).await;
    assert!(tables.len() >= 10, "{tables:?}");
    for table in &tables {
        let (enabled, forced): (bool, bool) = sqlx::query_as(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = to_regclass($1)",
        )
        .bind(table)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        assert!(enabled && forced, "{table}");
        let policy: (Option<String>, Option<String>) = sqlx::query_as(
            "SELECT qual, with_check FROM pg_policies WHERE schemaname = 'eivs' AND tablename = $1 \
             AND policyname = 'tenant_isolation' AND cmd = 'ALL'",
        )
        .bind(table)
        .fetch_one(&mut conn)
        .await
        .unwrap();
        let expected = "(tenant_id = current_setting('app.tenant_id'::text, true))";
        assert_eq!(policy, (Some(expected.into()), Some(expected.into())), "{table}");
    }
    // Every key holds the tenant, and leads with it where it is the primary one.
    let keys: Vec<(String, String, i8, Vec<String>)> = sqlx::query_as(
        "SELECT c.conrelid::regclass::text, c.conname::text, c.contype, array_agg(a.attname::text ORDER BY k.n) \
         FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY k(attnum, n) \
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum \
         WHERE c.contype IN ('p', 'u', 'f') AND c.conrelid::regclass::text = ANY ($1) GROUP BY 1, 2, 3",
    )
    .bind(&tables)
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(keys.len() > 20);
    for (table, name, kind, columns) in keys {
        let to_instance_wide = name == "memberships_user_id_fkey";
        // Among all tenants: the installation says whose mail a domain's is.
        let is_among_all = name == "uq_eivs_mail_domains_domain";
        assert!(
            to_instance_wide || is_among_all || columns.contains(&"tenant_id".to_owned()),
            "{table} {name}"
        );
        assert!(kind as u8 != b'p' || columns[0] == "tenant_id", "{table} {name}");
    }
    let unique: Vec<String> = sqlx::query_scalar(
        "SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indisunique \
         AND i.indrelid::regclass::text = ANY ($1) AND NOT EXISTS ( \
           SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id' \
           AND a.attnum = ANY (i.indkey))",
    )
    .bind(&tables)
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(unique, ["uq_eivs_mail_domains_domain"]);
    // The server's role passes by nothing.
    let mut tx = server.app.database.instance().await.unwrap();
    let (role, privileged, truncates): (String, bool, bool) = sqlx::query_as(
        "SELECT current_user::text, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole, \
         EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'eivs'::regnamespace AND c.relkind IN ('r', 'p') \
                 AND (has_table_privilege(current_user, c.oid, 'TRUNCATE') OR c.relowner = r.oid)) \
         FROM pg_roles r WHERE rolname = current_user",
    )
    .fetch_one(tx.conn())
    .await
    .unwrap();
    assert_eq!((role.as_str(), privileged, truncates), ("flowengine_app", false, false));
    assert!(sqlx::query("TRUNCATE emails").execute(tx.conn()).await.is_err());
}

/// The database itself refuses a rule that points at another tenant's datasource or intent.
#[tokio::test]
async fn a_reference_across_tenants_is_refused_by_the_database_and_the_api() {
    let server = TestServer::start().await;
    let theirs = furnish(&server, "acme").await;
    let mine = furnish(&server, "globex").await;
    let id = |ids: &[(&str, String)], resource: &str| -> i64 {
        ids.iter().find(|(name, _)| *name == resource).unwrap().1.parse().unwrap()
    };
    let body = json!({
        "intent_id": id(&mine, "/api/intents/"), "datasource_id": id(&theirs, "/api/datasources/"),
        "field_name": "subject", "rule_type": "exists", "conditions": {"path": "/x"}
    });
    let answer = server.post("/api/validation-rules?tenant_id=globex", &body).await;
    answer.problem(StatusCode::BAD_REQUEST, "Invalid datasource");
    let mut conn = server.database().superuser().await;
    let refused = sqlx::query(
        "INSERT INTO validation_rules (tenant_id, intent_id, datasource_id, field_name, rule_type) \
         VALUES ('globex', $1, $2, 'subject', 'exists')",
    )
    .bind(id(&mine, "/api/intents/"))
    .bind(id(&theirs, "/api/datasources/"))
    .execute(&mut conn)
    .await
    .unwrap_err();
    let constraint = refused.as_database_error().and_then(|error| error.constraint().map(str::to_owned));
    assert_eq!(constraint.as_deref(), Some("fk_eivs_rules_datasource"));
    // The same names in both tenants are no conflict, and tell nothing.
    assert_eq!(theirs.len(), mine.len());
    conn.close().await.unwrap();
}

#[tokio::test]
async fn the_tenant_of_a_request_is_checked_before_anything() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let missing = server.get("/api/intents").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(missing.fields(), ["tenant_id"]);
    server.get("/api/intents?tenant_id=").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    server.get("/api/intents?tenant_id=acme&tenant_id=globex").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    server.get("/api/intents?tenant_id=a'b").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let anonymous = Answer::of(server.request(Method::GET, "/api/intents", None).send().await.unwrap()).await;
    anonymous.is(StatusCode::UNAUTHORIZED);
    let key = server.key_of("acme", Role::Admin).await;
    server.put("/api/tenants/acme", &json!({"name": "Acme", "is_active": false})).await.is(StatusCode::OK);
    let path = "/api/intents?tenant_id=acme";
    let closed = Answer::of(server.request(Method::GET, path, Some(&key)).send().await.unwrap()).await;
    closed.problem(StatusCode::FORBIDDEN, "Tenant acme is inactive");
    assert_eq!(
        server.get(path).await.is(StatusCode::OK).body,
        Value::Array(vec![]),
        "an instance administrator may"
    );
}
