//! How long messages are kept: who says so, what goes, and what stays.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::support::{Answer, TestServer, eventually, message};
use crate::{
    auth::dto::Role,
    emails::{dto::Envelope, server::service::ReadMessage},
    mailboxes::server::intake,
    retention::server::worker::{self, Turn},
    server::origin::Origin,
    shared::MailboxId,
};

const ACME: &str = "/api/retention?tenant_id=acme";

async fn set(server: &TestServer, days: Value) {
    server.put(ACME, &json!({"message_days": days})).await.is(StatusCode::OK);
}

async fn turn(server: &TestServer) -> Turn {
    worker::turn(&server.app).await.unwrap()
}

/// Lets a message have come so many days ago.
async fn age(conn: &mut PgConnection, id: &str, days: i32) {
    sqlx::query(
        "UPDATE emails SET received_at = now() - make_interval(days => $2) WHERE email_id = $1::uuid",
    )
    .bind(id)
    .bind(days)
    .execute(conn)
    .await
    .unwrap();
}

async fn count(conn: &mut PgConnection, table: &str, tenant: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} WHERE tenant_id = $1");
    sqlx::query_scalar(AssertSqlSafe(sql)).bind(tenant).fetch_one(conn).await.unwrap()
}

/// What the audit log says of deletions, the latest first.
async fn told(server: &TestServer) -> Vec<Value> {
    let log = server.get("/api/audit-log?tenant_id=acme&action=retention.delete").await.is(StatusCode::OK);
    log.body.as_array().unwrap().clone()
}

#[tokio::test]
async fn an_administrator_says_how_long_and_the_audit_log_tells() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let first = server.get(ACME).await.is(StatusCode::OK);
    assert_eq!(
        first.body,
        json!({"message_days": null, "changed_at": null}),
        "for ever, unless somebody says so"
    );
    for wrong in [json!(0), json!(-1), json!(3651), json!(1.5), json!("90"), json!(99_999_999_999_i64)] {
        let refused = server.put(ACME, &json!({"message_days": wrong})).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["message_days"], "{wrong}");
    }
    let missing = server.put(ACME, &json!({})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(missing.fields(), ["message_days"], "leaving it out is not for ever");
    let list = server.put(ACME, &json!([null, null])).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(list.fields(), ["body"], "nor is a list of what the members would be");

    let put = async |etag: &str, days: Value| {
        let request = server.request(Method::PUT, ACME, Some(&server.key)).header(header::IF_MATCH, etag);
        Answer::of(request.json(&json!({"message_days": days})).send().await.unwrap()).await
    };
    let etag = first.headers[header::ETAG].to_str().unwrap();
    let set = put(etag, json!(90)).await.is(StatusCode::OK);
    assert_eq!(set.body["message_days"], 90);
    assert!(set.body["changed_at"].is_string());
    put(etag, json!(30)).await.is(StatusCode::PRECONDITION_FAILED);
    let read = server.get(ACME).await;
    assert_eq!(read.body, set.body);
    put(read.headers[header::ETAG].to_str().unwrap(), json!(null)).await.is(StatusCode::OK);
    let log = server.get("/api/audit-log?tenant_id=acme&action=retention.update").await.body;
    assert_eq!(
        (&log[1]["before"], &log[1]["after"]),
        (&json!({"message_days": null}), &json!({"message_days": 90}))
    );
    assert_eq!(log[0]["after"], json!({"message_days": null}));
    assert_eq!(log.as_array().unwrap().len(), 2, "what was refused is not told");

    let as_role = async |method: Method, key: &str| {
        let request = server.request(method, ACME, Some(key)).json(&json!({"message_days": 1}));
        Answer::of(request.send().await.unwrap()).await.status
    };
    for role in [Role::Viewer, Role::Operator, Role::Editor] {
        let key = server.key_of("acme", role).await;
        assert_eq!(as_role(Method::GET, &key).await, StatusCode::OK, "{role}");
        assert_eq!(as_role(Method::PUT, &key).await, StatusCode::FORBIDDEN, "{role}");
    }
    let stranger = server.key_of("globex", Role::Admin).await;
    for method in [Method::GET, Method::PUT] {
        assert_eq!(as_role(method, &stranger).await, StatusCode::NOT_FOUND);
    }
    assert_eq!(server.get("/api/retention?tenant_id=globex").await.body["message_days"], Value::Null);
}

/// The tables whose rows hang on messages, from the catalogue: a new one is looked at too.
async fn hanging(conn: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND confrelid = 'emails'::regclass \
         ORDER BY 1",
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn old_messages_go_with_all_that_hangs_on_them_and_nobody_elses() {
    let server = TestServer::start().await;
    let mut conn = server.database().superuser().await;
    let both = json!({"intent": {"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}},
        "validation_rules": [{"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": "order"}}]});
    let route =
        json!({"name": "mark", "kind": "label", "decisions": ["accepted"], "settings": {"label": "ok"}});
    let test = json!({"intent": {"name": "Draft"}, "validation_rules": [], "last": 10});
    let mut old = Vec::new();
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        let q = format!("?tenant_id={tenant}");
        let made = server.post(&format!("/api/intents/with-rules{q}"), &both).await.is(StatusCode::CREATED);
        server.post(&format!("/api/routes{q}"), &route).await.is(StatusCode::CREATED);
        let id = server.receive(tenant, message("a@b.example", "order 1", "Where is my order?")).await;
        server.decided(tenant, &id).await;
        let intent = json!({"intent_id": made.body["intent"]["intent_id"]});
        server.post(&format!("/api/emails/{id}/intent{q}"), &intent).await.is(StatusCode::ACCEPTED);
        server.decided(tenant, &id).await;
        server.post(&format!("/api/backtests{q}"), &test).await.is(StatusCode::ACCEPTED);
        server.decide(tenant, message("a@b.example", "order 2", "And this one is new.")).await;
        age(&mut conn, &id, 91).await;
        old.push(id);
    }
    // The correction could be taken back for two minutes; they are over.
    sqlx::query("UPDATE emails SET undo = jsonb_set(undo, '{at}', to_jsonb(now() - interval '3 minutes'))")
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(turn(&server).await, Turn::default(), "for ever is for ever");

    set(&server, json!(90)).await;
    let tables = hanging(&mut conn).await;
    assert!(tables.len() >= 6, "{tables:?}");
    let on = async |conn: &mut PgConnection, table: &str, id: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table} WHERE email_id = $1::uuid");
        sqlx::query_scalar(AssertSqlSafe(sql)).bind(id).fetch_one(conn).await.unwrap()
    };
    eventually("nothing of globex is under way", async || {
        (count(&mut conn, "jobs", "globex").await == 0).then_some(())
    })
    .await;
    let mut others = Vec::new();
    for table in &tables {
        assert!(table == "jobs" || on(&mut conn, table, &old[0]).await > 0, "nothing in {table}");
        others.push(count(&mut conn, table, "globex").await);
    }
    let revision = "SELECT revision FROM classifier_settings WHERE tenant_id = 'acme'";
    let before: i64 = sqlx::query_scalar(revision).fetch_one(&mut conn).await.unwrap();

    assert_eq!(turn(&server).await, Turn { deleted: 1, is_unfinished: false });
    server.get(&format!("/api/emails/{}?tenant_id=acme", old[0])).await.is(StatusCode::NOT_FOUND);
    server.get(&format!("/api/emails/{}?tenant_id=globex", old[1])).await.is(StatusCode::OK);
    for (table, others) in tables.iter().zip(others) {
        assert_eq!(on(&mut conn, table, &old[0]).await, 0, "{table}");
        assert_eq!(count(&mut conn, table, "globex").await, others, "{table}");
    }
    assert_eq!(count(&mut conn, "emails", "acme").await, 1, "what is new stays");
    let after: i64 = sqlx::query_scalar(revision).fetch_one(&mut conn).await.unwrap();
    assert!(after > before, "the classifier learns anew without the example");
    let told = told(&server).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["after"], json!({"messages": 1, "message_days": 90}));
    assert_eq!((&told[0]["actor_kind"], &told[0]["actor"]), (&json!("system"), &json!("FlowEngine")));
    assert_eq!(turn(&server).await, Turn::default());
    assert_eq!(self::told(&server).await.len(), 1, "a turn in which nothing went says nothing");
}

#[tokio::test]
async fn what_is_in_hand_or_waits_for_a_person_stays() {
    let server = TestServer::start().await;
    let mut conn = server.database().superuser().await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Operator).await;
    let route =
        json!({"name": "mark", "kind": "label", "decisions": ["accepted"], "settings": {"label": "ok"}});
    server.post("/api/routes?tenant_id=acme", &route).await.is(StatusCode::CREATED);
    let accept = json!({"decision": "accepted"});
    let mut ids = Vec::new();
    for what in ["sending", "word", "queued", "waiting", "forgotten", "young", "plain"] {
        let id = server.receive("acme", message("a@b.example", what, what)).await;
        assert_eq!(server.decided("acme", &id).await["decision"], "review");
        if !["waiting", "forgotten"].contains(&what) {
            let path = format!("/api/emails/{id}/decision?tenant_id=acme");
            let request = server.request(Method::POST, &path, Some(&key)).json(&accept);
            Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK);
        }
        age(
            &mut conn,
            &id,
            match what {
                "forgotten" => 61,
                "young" => 29,
                _ => 31,
            },
        )
        .await;
        ids.push(id);
    }
    sqlx::raw_sql("UPDATE emails SET undo = NULL WHERE subject <> 'word'").execute(&mut conn).await.unwrap();
    let held = "UPDATE deliveries SET status = 'pending' WHERE email_id = $1::uuid";
    sqlx::query(held).bind(&ids[0]).execute(&mut conn).await.unwrap();
    let queued = "UPDATE emails SET status = 'queued' WHERE email_id = $1::uuid";
    sqlx::query(queued).bind(&ids[2]).execute(&mut conn).await.unwrap();
    set(&server, json!(30)).await;
    let left = async |conn: &mut PgConnection| -> Vec<String> {
        assert!(!turn(&server).await.is_unfinished);
        sqlx::query_scalar("SELECT subject FROM emails ORDER BY subject").fetch_all(conn).await.unwrap()
    };
    assert_eq!(left(&mut conn).await, ["queued", "sending", "waiting", "word", "young"]);

    sqlx::raw_sql(
        "UPDATE deliveries SET status = 'delivered'; UPDATE emails SET status = 'done', undo = NULL",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    // Somebody has one in hand, and it is passed by; another server is at it, and this one leaves it alone.
    let mut other = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; SELECT FROM emails WHERE subject = 'word' FOR NO KEY UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    assert_eq!(left(&mut conn).await, ["waiting", "word", "young"]);
    sqlx::raw_sql("ROLLBACK; BEGIN; SELECT FROM retention FOR UPDATE").execute(&mut other).await.unwrap();
    assert_eq!(left(&mut conn).await, ["waiting", "word", "young"]);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(left(&mut conn).await, ["waiting", "young"]);
}

/// So many plain messages, old ones, straight into the table.
async fn fill(conn: &mut PgConnection, messages: i32) {
    sqlx::query(
        "INSERT INTO emails (tenant_id, email_id, source, content_hash, raw, status, decision, received_at) \
         SELECT 'acme', gen_random_uuid(), 'api', sha256(convert_to(i::text, 'UTF8')), '', 'done', 'accepted', \
         now() - interval '100 days' FROM generate_series(1, $1) AS i",
    )
    .bind(messages)
    .execute(conn)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_turn_is_bounded_and_tells_once_of_all_its_batches() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    server.tenant("acme").await;
    set(&server, json!(90)).await;
    fill(&mut conn, 4_450).await;
    assert_eq!(turn(&server).await, Turn { deleted: 4_000, is_unfinished: true });
    assert_eq!(turn(&server).await, Turn { deleted: 450, is_unfinished: false });
    let numbers = async || -> Vec<Value> {
        told(&server).await.iter().map(|entry| entry["after"]["messages"].clone()).collect()
    };
    assert_eq!(numbers().await, [json!(450), json!(4_000)]);
    // What a server deleted before it died is told by the next, though nothing is to be deleted any more.
    sqlx::raw_sql("UPDATE retention SET untold = 7, message_days = NULL").execute(&mut conn).await.unwrap();
    fill(&mut conn, 1).await;
    for _ in 0..2 {
        assert_eq!(turn(&server).await, Turn::default());
        assert_eq!(numbers().await, [json!(7), json!(450), json!(4_000)]);
    }
}

/// What waits for a person is looked for where there is nothing else, and once.
#[tokio::test]
async fn what_waits_for_a_person_goes_with_the_rest_once_it_is_twice_as_old() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    server.tenant("acme").await;
    fill(&mut conn, 700).await;
    sqlx::raw_sql(
        "WITH numbered AS (SELECT email_id, row_number() OVER () AS n FROM emails) \
         UPDATE emails e SET received_at = now() - CASE WHEN n <= 450 THEN interval '181 days' ELSE interval '100 days' END, \
         decision = CASE WHEN n BETWEEN 200 AND 600 THEN 'review' WHEN n > 1 THEN 'rejected' END \
         FROM numbered WHERE numbered.email_id = e.email_id",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    set(&server, json!(90)).await;
    let key = server.key_of("acme", Role::Admin).await;
    let request = server.request(Method::GET, "/t/acme/settings?keep=80&days=", Some(&key));
    let page = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).text;
    assert!(page.contains("550 messages would go now."), "{page}");
    assert_eq!(turn(&server).await, Turn { deleted: 550, is_unfinished: false });
    let left: (i64, i64) =
        sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE decision = 'review') FROM emails")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(left, (150, 150), "received less than 180 days ago");
}

#[tokio::test]
async fn what_was_fetched_and_is_deleted_does_not_come_in_again() {
    let server = TestServer::start().await;
    let mut conn = server.database().superuser().await;
    let acme = server.tenant("acme").await;
    let mut mailboxes = Vec::new();
    for name in ["Orders", "Returns"] {
        let imap = json!({"host": "imap.acme.example", "username": name, "password": "planted-secret"});
        let mailbox = json!({"name": name, "kind": "imap", "imap": imap});
        let made = server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CREATED);
        mailboxes.push(MailboxId(made.id("mailbox_id")));
    }
    let raw = message("a@b.example", "an old one", "x");
    let fetch = async |id: MailboxId| {
        let read = ReadMessage::of(raw.clone().into_bytes()).await;
        let stored =
            intake::store(&server.app, &acme, id, &read, &Envelope::default(), &Origin::default()).await;
        stored.unwrap()
    };
    let first = fetch(mailboxes[0]).await;
    assert!(!first.duplicate);
    let by_hand = server.receive("acme", message("a@b.example", "by the API", "x")).await;
    for id in [&first.email_id.to_string(), &by_hand] {
        server.decided("acme", id).await;
        age(&mut conn, id, 61).await;
    }
    set(&server, json!(30)).await;
    assert_eq!(turn(&server).await, Turn { deleted: 2, is_unfinished: false });
    assert_eq!(count(&mut conn, "taken_messages", "acme").await, 1, "of what was fetched alone");

    let again = fetch(mailboxes[0]).await;
    assert_eq!((again.email_id, again.duplicate), (first.email_id, true));
    assert_eq!(count(&mut conn, "emails", "acme").await, 0, "nothing is decided and answered anew");
    assert!(!fetch(mailboxes[1]).await.duplicate, "what lay in another mailbox before it was read comes in");
    let path = format!("/api/mailboxes/{}?tenant_id=acme", mailboxes[0]);
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(count(&mut conn, "taken_messages", "acme").await, 0, "it goes with its mailbox");

    // Messages are neither rewritten nor waited for: any number may have come by a mailbox.
    let mut other = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; SELECT FROM emails FOR NO KEY UPDATE").execute(&mut other).await.unwrap();
    let path = format!("/api/mailboxes/{}?tenant_id=acme", mailboxes[1]);
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let late = ReadMessage::of(message("a@b.example", "a late one", "x").into_bytes()).await;
    let (envelope, origin) = (Envelope::default(), Origin::default());
    let stored = intake::store(&server.app, &acme, mailboxes[1], &late, &envelope, &origin).await;
    assert!(stored.is_err(), "nothing comes by a mailbox that is gone");
    assert_eq!(count(&mut conn, "emails", "acme").await, 1, "what came by it stays");
}

#[tokio::test]
async fn the_page_counts_what_would_go_so_far_and_no_further() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    server.tenant("acme").await;
    fill(&mut conn, 10_005).await;
    let key = server.key_of("acme", Role::Admin).await;
    let request = server.request(Method::GET, "/t/acme/settings?keep=90&days=", Some(&key));
    let page = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).text;
    assert!(page.contains("Kept for 90 days: 10,000+ messages would go now."), "{page}");
}

/// The screen, as a browser without WebAssembly uses it.
#[tokio::test]
async fn the_page_says_what_would_go_before_it_is_shortened() {
    let server = TestServer::start_idle(&[]).await;
    let mut conn = server.database().superuser().await;
    server.tenant("acme").await;
    fill(&mut conn, 3).await;
    let (admin, editor) =
        (server.key_of("acme", Role::Admin).await, server.key_of("acme", Role::Editor).await);
    let page = async |key: &str, query: &str| {
        let request = server.request(Method::GET, &format!("/t/acme/settings{query}"), Some(key));
        Answer::of(request.send().await.unwrap()).await
    };
    let first = page(&admin, "").await.is(StatusCode::OK).text;
    assert!(first.contains("Messages are kept for ever.") && first.contains("retention-form"));
    assert!(!first.contains("retention-words"));
    let others = page(&editor, "").await.is(StatusCode::OK).text;
    assert!(others.contains("Messages are kept for ever.") && !others.contains("retention-form"));
    let asked = page(&admin, "?keep=90&days=").await.is(StatusCode::OK).text;
    assert!(
        asked.contains("Kept for 90 days: 3 messages would go now.") && asked.contains("retention-shorten")
    );
    let longer = page(&admin, "?keep=other&days=101").await.is(StatusCode::OK).text;
    assert!(longer.contains("Kept for 101 days: 0 messages would go now."));
    for wrong in ["?keep=other&days=", "?keep=other&days=0", "?keep=x"] {
        let refused = page(&admin, wrong).await.text;
        assert!(refused.contains("The number of days must be a whole number from 1 to 3650."), "{wrong}");
    }
    let etag = server.get(ACME).await.headers[header::ETAG].to_str().unwrap().trim_matches('"').to_owned();
    let save = async |key: &str, days: &str| {
        let body = format!("tenant_id=acme&days={days}&etag=%22{etag}%22");
        let request = server.request(Method::POST, "/ui/retention/save", Some(key));
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    save(&editor, "90").await.is(StatusCode::FORBIDDEN);
    save(&admin, "0").await.is(StatusCode::UNPROCESSABLE_ENTITY);
    save(&admin, "90").await.is(StatusCode::OK);
    save(&admin, "30").await.is(StatusCode::PRECONDITION_FAILED);
    let now = page(&editor, "").await.is(StatusCode::OK).text;
    assert!(now.contains("Messages are kept for 90 days from their arrival, then deleted."), "{now}");
    let same = page(&admin, "?keep=90").await.is(StatusCode::OK).text;
    assert!(same.contains("Messages are kept for 90 days already.") && !same.contains("retention-save"));
    let ever = page(&admin, "?keep=ever").await.is(StatusCode::OK).text;
    assert!(ever.contains("retention-save") && !ever.contains("retention-shorten"));
}
