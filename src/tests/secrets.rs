//! Secrets at rest and on the way: keys exchanged while a server works, and nothing planted found anywhere.

use std::{
    io::Write,
    process::Command,
    sync::{Arc, Mutex},
};

use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::{
    auth::{dto::Role, server::service as auth},
    datasources::{dto::MASK, server::config_service},
    server::{
        run,
        telemetry::REQUESTS,
        vault::{self, Fit, SEALED, Vault},
    },
};

fn config(name: &str, token: &str) -> Value {
    json!({"name": name, "protocol": "https", "base_url": "https://api.x.example", "auth_type": "bearer",
           "auth_config": {"token": token}})
}

#[tokio::test]
async fn keys_are_exchanged_while_secrets_are_written_and_read() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        let path = format!("/api/datasource-configs?tenant_id={tenant}");
        for i in 0..5 {
            server.post(&path, &config(&format!("c{i}"), "first")).await.is(StatusCode::CREATED);
        }
        let hook = json!({"name": "h", "kind": "webhook", "decisions": ["review"],
            "settings": {"url": "https://hook.x.example/", "headers": {"x-key": "first"}}});
        server.post(&format!("/api/routes?tenant_id={tenant}"), &hook).await.is(StatusCode::CREATED);
        let mailbox = json!({"name": "m", "kind": "imap", "imap": {
            "host": "imap.x.example", "username": "u", "password": "first"}});
        server.post(&format!("/api/mailboxes?tenant_id={tenant}"), &mailbox).await.is(StatusCode::CREATED);
    }
    let mut conn = server.database().superuser().await;
    let keys = "SELECT key_id::text || kek_id FROM data_keys ORDER BY 1";
    let before: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut conn).await.unwrap();
    let opened = async |tenant: &str| {
        let mut tx = server.app.database.tenant(&tenant.parse().unwrap()).await.unwrap();
        for i in 0..5 {
            let name = format!("c{i}");
            assert!(config_service::connection(&server.app, &mut tx, &name).await.unwrap().is_some());
        }
    };
    // A person edits, look-ups read, and a masked secret is sent back, all the while.
    let load = async {
        for round in 0..40 {
            for tenant in ["acme", "globex"] {
                let list = server
                    .get(&format!("/api/datasource-configs?tenant_id={tenant}"))
                    .await
                    .is(StatusCode::OK);
                let id = list.body[round % 5]["config_id"].as_i64().unwrap();
                let path = format!("/api/datasource-configs/{id}?tenant_id={tenant}");
                let token = if round % 2 == 0 { MASK } else { "second" };
                let input = config(&format!("c{}", round % 5), token);
                server.put(&path, &input).await.is(StatusCode::OK);
                opened(tenant).await;
            }
        }
    };
    let next = Vault::new([8; 32]).accepting([[7; 32]]);
    let (rotated, ()) = tokio::join!(vault::rotate(&server.app.database, &next), load);
    let rotated = rotated.unwrap();
    assert_eq!((rotated.tenants, rotated.rewrapped, rotated.removed), (2, 2, 2), "{rotated}");
    // What was written anew in the meantime is sealed with the new key already.
    assert!(rotated.resealed >= 4, "{rotated}");
    let after: Vec<String> = sqlx::query_scalar(keys).fetch_all(&mut conn).await.unwrap();
    assert!(after.len() == 2 && after.iter().all(|key| !before.contains(key)));
    for tenant in ["acme", "globex"] {
        opened(tenant).await;
    }
    // The new key alone opens everything that is stored; the old one opens nothing any more.
    let only = server.app_with(Vault::new([8; 32]));
    let old = server.app_with(Vault::new([7; 32]));
    for tenant in ["acme", "globex"] {
        for i in 0..5 {
            let name = format!("c{i}");
            let mut tx = server.app.database.tenant(&tenant.parse().unwrap()).await.unwrap();
            assert!(config_service::connection(&only, &mut tx, &name).await.is_ok());
            assert!(config_service::connection(&old, &mut tx, &name).await.is_err());
        }
    }
    let log = server.get("/api/instance-audit-log?action=encryption_key.rotate").await.is(StatusCode::OK);
    assert_eq!(log.body[0]["after"]["removed"], 2);
}

/// What one tenant cannot open any more keeps nobody else from a new key, and is found by its name.
#[tokio::test]
async fn what_does_not_open_is_named_and_all_else_is_exchanged() {
    let server = TestServer::start_idle(&[]).await;
    let mut ids = Vec::new();
    for tenant in ["acme", "globex", "initech"] {
        server.tenant(tenant).await;
        let path = format!("/api/datasource-configs?tenant_id={tenant}");
        for name in ["a", "b", "c"] {
            let made = server.post(&path, &config(name, "first")).await.is(StatusCode::CREATED);
            ids.push(made.id("config_id"));
        }
    }
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE datasource_configs SET auth_config = set_byte(auth_config, 60, get_byte(auth_config, 60) # 1) \
           WHERE tenant_id = 'acme' AND name = 'b'; \
         UPDATE data_keys SET kek_id = 'strange' WHERE tenant_id = 'globex'",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let strange: String = sqlx::query_scalar("SELECT key_id::text FROM data_keys WHERE kek_id = 'strange'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    let next = Vault::new([8; 32]).accepting([[7; 32]]);
    let error = vault::rotate(&server.app.database, &next).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "2 tenants: 2 data keys wrapped anew, 5 values encrypted anew, 1 old data keys removed. \
             2 cannot be opened and stay as they are: acme: datasource_configs.auth_config of {}, \
             globex: data_keys.wrapped of {strange}",
            ids[1]
        )
    );
    // The new key alone opens what could be opened.
    let only = server.app_with(Vault::new([8; 32]));
    for (tenant, name, opens) in [
        ("acme", "a", true),
        ("acme", "b", false),
        ("acme", "c", true),
        ("globex", "a", false),
        ("initech", "a", true),
    ] {
        let mut tx = server.app.database.tenant(&tenant.parse().unwrap()).await.unwrap();
        let opened = config_service::connection(&only, &mut tx, name).await;
        assert_eq!(opened.is_ok(), opens, "{tenant} {name}");
    }
    let log = server.get("/api/instance-audit-log?action=encryption_key.rotate").await.is(StatusCode::OK);
    assert_eq!(log.body[0]["after"]["unopened"], 2);
}

/// It would be noticed only where a secret is needed.
#[tokio::test]
async fn a_key_of_another_database_is_noticed_at_start() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    let other = Vault::new([9; 32]);
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    assert_eq!(other.fit(database).await.unwrap(), Fit::default(), "there is nothing to open");
    run::check_keys(database, &other).await.unwrap();
    for tenant in ["acme", "globex"] {
        let path = format!("/api/datasource-configs?tenant_id={tenant}");
        server.post(&path, &config("c", "s3cret")).await.is(StatusCode::CREATED);
    }
    for own in [Vault::new([7; 32]), Vault::new([9; 32]).accepting([[8; 32], [7; 32]])] {
        assert_eq!(own.fit(database).await.unwrap(), Fit { opened: 2, unopened: 0 });
        run::check_keys(database, &own).await.unwrap();
    }
    assert_eq!(other.fit(database).await.unwrap(), Fit { opened: 0, unopened: 2 });
    let refused = run::check_keys(database, &other).await.unwrap_err().to_string();
    assert!(refused.contains("ENCRYPTION_KEY ") && refused.contains("ENCRYPTION_KEYS_ACCEPTED"), "{refused}");
    // Of one tenant: the others work.
    let mut conn = server.database().superuser().await;
    let strange = "UPDATE data_keys SET kek_id = 'strange' WHERE tenant_id = 'acme'";
    sqlx::raw_sql(strange).execute(&mut conn).await.unwrap();
    let own = Vault::new([7; 32]);
    assert_eq!(own.fit(database).await.unwrap(), Fit { opened: 1, unopened: 1 });
    run::check_keys(database, &own).await.unwrap();
}

/// A new encrypted column that rotation does not know would be lost with the old key.
#[tokio::test]
async fn rotation_knows_every_encrypted_column() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns \
         WHERE table_schema = 'eivs' AND data_type = 'bytea' AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    // Hashes, what is public to its tenant, and what the KEK wraps.
    let others = [
        ("api_keys", "key_hash"),
        ("instance_api_keys", "key_hash"),
        ("sessions", "token_hash"),
        ("sign_in_links", "token_hash"),
        ("invitations", "token_hash"),
        ("idempotency_keys", "fingerprint"),
        ("emails", "content_hash"),
        ("taken_messages", "content_hash"),
        ("oidc_attempts", "browser_hash"),
        ("oidc_attempts", "state_hash"),
        ("emails", "raw"),
        ("data_keys", "wrapped"),
    ];
    for (table, column) in columns {
        let is_sealed = SEALED.iter().any(|(t, _, c)| *t == table && *c == column);
        let is_other = others.contains(&(table.as_str(), column.as_str())) || table.starts_with("classifier");
        let is_hash = table == "intent_examples" && column.ends_with("hash");
        assert!(
            is_sealed || is_other || is_hash,
            "{table}.{column} is neither sealed nor known to be no secret"
        );
    }
}

/// Where the test's server writes its log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Everything in the database, as a backup has it.
fn dump(url: &str) -> String {
    let mut tools: Vec<std::path::PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin/pg_dump")).collect())
        .unwrap_or_default();
    tools.sort();
    let tool = tools.pop().filter(|tool| tool.exists()).unwrap_or_else(|| "pg_dump".into());
    let output =
        Command::new(tool).args(["--no-password", "--dbname", url]).output().expect("pg_dump is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn what_is_secret_is_in_no_dump_log_answer_or_page() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let server = TestServer::start_with(&[]).await;
    server.tenant("acme").await;
    let mut planted: Vec<String> = Vec::new();
    let mut plant = |what: &str| {
        let secret = format!("planted-{what}-5EcReT");
        planted.push(secret.clone());
        secret
    };
    let create = async |path: &str, body: Value| server.post(&format!("{path}?tenant_id=acme"), &body).await;
    let configs = [
        json!({"name": "basic", "protocol": "http", "base_url": "http://127.0.0.1:1", "auth_type": "basic",
               "auth_config": {"username": "u", "password": plant("basic")}}),
        json!({"name": "bearer", "protocol": "http", "base_url": "http://127.0.0.1:1", "auth_type": "bearer",
               "auth_config": {"token": plant("bearer")}}),
        json!({"name": "key", "protocol": "http", "base_url": "http://127.0.0.1:1", "auth_type": "api_key",
               "auth_config": {"query": "k", "key": plant("query")}}),
        json!({"name": "oauth", "protocol": "http", "base_url": "http://127.0.0.1:1", "auth_type": "oauth",
               "auth_config": {"token_url": "http://127.0.0.1:1/t", "client_id": "c", "client_secret": plant("oauth")}}),
        json!({"name": "postgres", "protocol": "postgresql", "driver_family": "sqlx",
               "base_url": format!("postgresql://u:{}@127.0.0.1:1/d", plant("url"))}),
    ];
    let intent = create(
        "/api/intents",
        json!({"name": "A", "match": {"any": [{"field": "subject", "op": "contains", "value": "x"}]}}),
    );
    let intent = intent.await.is(StatusCode::CREATED).id("intent_id");
    for config in configs {
        let name = config["name"].as_str().unwrap().to_owned();
        let id =
            create("/api/datasource-configs", config.clone()).await.is(StatusCode::CREATED).id("config_id");
        let kind = if name == "postgres" { "database" } else { "api" };
        let source = create(
            "/api/datasources",
            json!({"name": name, "datasource_type": kind, "connection_key": name}),
        );
        let source = source.await.is(StatusCode::CREATED).id("datasource_id");
        let conditions = if name == "postgres" {
            json!({"query": "SELECT 1"})
        } else {
            json!({"method": "GET", "path": "/a"})
        };
        let rule = json!({"intent_id": intent, "field_name": "subject", "rule_type": "exists", "datasource_id": source,
            "conditions": conditions});
        create("/api/validation-rules", rule).await.is(StatusCode::CREATED);
        // Tried, and edited, each with its faults.
        server
            .post(&format!("/api/datasources/{source}/test?tenant_id=acme"), &json!({}))
            .await
            .is(StatusCode::OK);
        let mut edited = config.clone();
        edited["auth_type"] = json!("nonsense");
        server.put(&format!("/api/datasource-configs/{id}?tenant_id=acme"), &edited).await;
        server.put(&format!("/api/datasource-configs/{id}?tenant_id=acme"), &config).await.is(StatusCode::OK);
    }
    let hook = json!({"name": "h", "kind": "webhook", "decisions": ["review"],
        "settings": {"url": "http://127.0.0.1:1/", "headers": {"x-key": plant("header")}}});
    create("/api/routes", hook).await.is(StatusCode::CREATED);
    let mut mailbox = json!({"name": "m", "kind": "imap", "imap": {
        "host": "imap.x.example", "username": "u", "password": plant("mailbox")}});
    create("/api/mailboxes", mailbox.clone()).await.is(StatusCode::CREATED);
    mailbox["imap"]["host"] = json!("a b");
    create("/api/mailboxes", mailbox).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    let password = plant("password");
    let invited = create("/api/members", json!({"email": "ada@acme.example", "role": "admin"})).await;
    let link = invited.is(StatusCode::CREATED).body["link"].as_str().unwrap().to_owned();
    let form = async |path: &str, fields: &[(&str, &str)]| {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = server
            .request(Method::POST, path, None)
            .header("content-type", "application/x-www-form-urlencoded");
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let path = link.strip_prefix(&server.base).unwrap().to_owned();
    form(&path, &[("display_name", "Ada"), ("password", &password)]).await.is(StatusCode::NO_CONTENT);
    let signed_in = form("/sign-in", &[("email", "ada@acme.example"), ("password", &password)]).await;
    let cookie =
        signed_in.is(StatusCode::NO_CONTENT).headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    // What stands in an address: the log tells each request by its path, or by the route where that holds a secret.
    let searched = plant("search");
    server.get(&format!("/api/emails?tenant_id=acme&q={searched}")).await.is(StatusCode::OK);
    let link = auth::new_admin_link(&server.app.database).await.unwrap();
    let request = server.request(Method::GET, &format!("/sign-in/{}", link.expose_secret()), None);
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::SEE_OTHER);
    let key = server.key_of("acme", Role::Admin).await;
    let message_id = server.decide("acme", message("a@x.example", "x", "x")).await["email_id"].clone();
    planted.extend([
        key.clone(),
        server.key.clone(),
        cookie.split('=').nth(1).unwrap().to_owned(),
        path.rsplit('/').next().unwrap().to_owned(),
        link.expose_secret().to_owned(),
    ]);
    let mut seen = Vec::new();
    for path in [
        "/api/datasource-configs",
        "/api/datasources",
        "/api/intents",
        "/api/validation-rules",
        "/api/mailboxes",
        "/api/routes",
        "/api/emails",
        "/api/deliveries",
        "/api/audit-log",
        "/api/audit-log?format=csv",
        "/api/audit-log?format=jsonl",
        "/api/members",
        "/api/invitations",
        "/api/api-keys",
        "/api/stats",
        "/api/instance-api-keys",
        "/api/instance-audit-log",
        "/api/export",
    ] {
        let separator = if path.contains('?') { '&' } else { '?' };
        seen.push((path.to_owned(), server.get(&format!("{path}{separator}tenant_id=acme")).await.text));
    }
    for i in 1..=5 {
        for path in [format!("/api/datasource-configs/{i}"), format!("/api/datasources/{i}/with-config")] {
            seen.push((path.clone(), server.get(&format!("{path}?tenant_id=acme")).await.text));
        }
    }
    let email = format!("/api/emails/{}", message_id.as_str().unwrap());
    seen.push((email.clone(), server.get(&format!("{email}?tenant_id=acme")).await.is(StatusCode::OK).text));
    for page in ["", "/messages", "/intents", "/rules", "/datasources", "/configs", "/files"] {
        let request =
            server.request(Method::GET, &format!("/t/acme{page}"), None).header(header::COOKIE, &cookie);
        seen.push((page.to_owned(), Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).text));
    }
    seen.push(("the dump".into(), dump(server.database().url.expose_secret())));
    seen.push(("the log".into(), String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned()));
    let told: Vec<&str> =
        seen.last().unwrap().1.lines().filter(|line| line.contains(&format!(" {REQUESTS}: "))).collect();
    for line in [
        ["path=\"/invitation/{token}\" status=204", "address=127.0.0.1"],
        ["path=\"/sign-in/{token}\" status=303", "address=127.0.0.1"],
        ["path=\"/api/emails\" status=200", "tenant=\"acme\""],
        ["path=\"/t/acme/messages\" status=200", "tenant=\"acme\""],
    ] {
        assert!(told.iter().any(|told| line.iter().all(|part| told.contains(part))), "{line:?} in {told:?}");
    }
    let log_size = seen.last().unwrap().1.len();
    assert!(
        log_size > 10_000
            && seen.iter().any(|(at, text)| at == "the dump" && text.contains("ada@acme.example"))
    );
    for (at, text) in &seen {
        for secret in &planted {
            if let Some(found) = text.find(secret.as_str()) {
                let around = &text[text.floor_char_boundary(found.saturating_sub(200))
                    ..text.floor_char_boundary(found + 100)];
                panic!("{secret} stands in {at}: {around}");
            }
        }
    }
}
