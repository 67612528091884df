//! `Idempotency-Key`: the first answer again, and nothing done twice.

use std::collections::BTreeSet;

use axum::body::Body;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tower::ServiceExt;

use super::{
    calls::{Call, api_calls},
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::dto::Role,
    server::{http, idempotency::only_tells},
};

async fn post(server: &TestServer, path: &str, idempotency_key: &str, body: &Value) -> Answer {
    let request =
        server.request(Method::POST, path, Some(&server.key)).header("idempotency-key", idempotency_key);
    Answer::of(request.json(body).send().await.unwrap()).await
}

const INTENTS: &str = "/api/intents?tenant_id=acme";

#[tokio::test]
async fn the_same_request_again_gives_the_first_answer() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let first = post(&server, INTENTS, "k-1", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    assert!(first.headers.get("idempotency-replayed").is_none());
    let again = post(&server, INTENTS, "k-1", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    assert_eq!((&again.text, &again.headers[header::ETAG]), (&first.text, &first.headers[header::ETAG]));
    assert_eq!(again.headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(again.headers["idempotency-replayed"], "true");
    let other = post(&server, INTENTS, "k-1", &json!({"name": "B"})).await;
    assert_eq!(other.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["Idempotency-Key"]);
    // What was refused may be tried again.
    post(&server, INTENTS, "k-2", &json!({"name": "A"})).await.is(StatusCode::CONFLICT);
    server
        .delete(&format!("/api/intents/{}?tenant_id=acme", first.id("intent_id")))
        .await
        .is(StatusCode::NO_CONTENT);
    post(&server, INTENTS, "k-2", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    let entries = server.get("/api/audit-log?tenant_id=acme&action=intent.create").await.is(StatusCode::OK);
    assert_eq!(entries.body.as_array().unwrap().len(), 2);
}

/// Whoever sends a form makes up anew each time what stands between its parts.
#[tokio::test]
async fn a_form_is_known_again_whatever_stands_between_its_parts() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async |boundary: &str, content: &str| {
        let body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{content}\r\n\
             --{boundary}--\r\n"
        );
        let request = server
            .request(Method::POST, "/api/files?tenant_id=acme", Some(&server.key))
            .header("idempotency-key", "k-1")
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary=\"{boundary}\""));
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let first = send("made-up", "a\n1").await.is(StatusCode::CREATED);
    let again = send("made-up-anew", "a\n1").await.is(StatusCode::CREATED);
    assert_eq!(again.text, first.text);
    assert_eq!(again.headers["idempotency-replayed"], "true");
    for other in ["a\n2", "a\n", "a\n1\n"] {
        let other = send("made-up", other).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(other.fields(), ["Idempotency-Key"]);
    }
}

#[tokio::test]
async fn many_at_once_do_it_once() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let path = "/api/emails?tenant_id=acme";
    let raw = message("a@x.example", "x", "x");
    let sent = (0..12).map(|_| {
        let request =
            server.request(Method::POST, path, Some(&server.key)).header("idempotency-key", "mail-1");
        request.header("content-type", "message/rfc822").body(raw.clone()).send()
    });
    let mut ids = Vec::new();
    for answer in futures::future::join_all(sent).await {
        let answer = Answer::of(answer.unwrap()).await;
        match answer.status {
            StatusCode::ACCEPTED => ids.push(answer.body["email_id"].clone()),
            StatusCode::CONFLICT => assert!(answer.headers.contains_key(header::RETRY_AFTER)),
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert!(!ids.is_empty());
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let entries = server.get("/api/audit-log?tenant_id=acme&action=email.receive").await.is(StatusCode::OK);
    assert_eq!(entries.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_key_is_its_callers_and_its_tenants() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let made =
        post(&server, "/api/api-keys?tenant_id=acme", "same", &json!({"name": "a", "role": "admin"})).await;
    let secret = made.is(StatusCode::CREATED).body["key"].as_str().unwrap().to_owned();
    // Another caller, and another tenant, get an answer of their own.
    let again = server.request(Method::POST, "/api/api-keys?tenant_id=acme", Some(&secret));
    let again = again.header("idempotency-key", "same").json(&json!({"name": "a", "role": "admin"}));
    let again = Answer::of(again.send().await.unwrap()).await.is(StatusCode::CREATED);
    assert_ne!(again.body["key"], secret.as_str());
    let other =
        post(&server, "/api/api-keys?tenant_id=globex", "same", &json!({"name": "a", "role": "admin"})).await;
    assert_ne!(other.is(StatusCode::CREATED).body["key"], secret.as_str());
    let replayed =
        post(&server, "/api/api-keys?tenant_id=acme", "same", &json!({"name": "a", "role": "admin"})).await;
    assert_eq!(replayed.body["key"], secret.as_str());
    let mut conn = server.database().superuser().await;
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT answer FROM idempotency_keys").fetch_all(&mut conn).await.unwrap();
    assert!(
        rows.len() == 3 && rows.iter().all(|row| !row.windows(8).any(|part| part == &secret.as_bytes()[..8]))
    );
}

#[tokio::test]
async fn what_cannot_be_known_is_said() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    post(&server, INTENTS, "k", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    // As a server leaves it that was killed at work.
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE idempotency_keys SET status = NULL, answer = NULL").execute(&mut conn).await.unwrap();
    let answer = post(&server, INTENTS, "k", &json!({"name": "A"})).await.is(StatusCode::CONFLICT);
    assert!(answer.body["detail"].as_str().unwrap().contains("still under way"));
    sqlx::query("UPDATE idempotency_keys SET created_at = now() - interval '1 hour'")
        .execute(&mut conn)
        .await
        .unwrap();
    let answer = post(&server, INTENTS, "k", &json!({"name": "A"})).await.is(StatusCode::CONFLICT);
    assert!(answer.body["detail"].as_str().unwrap().contains("not known"));
    sqlx::query("UPDATE idempotency_keys SET created_at = now() - interval '25 hours'")
        .execute(&mut conn)
        .await
        .unwrap();
    post(&server, INTENTS, "k", &json!({"name": "B"})).await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_opens_nothing_and_is_checked() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    post(&server, INTENTS, "k", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    let with = async |key: Option<&str>, path: &str, idempotency_key: &str| {
        let request = server.request(Method::POST, path, key).header("idempotency-key", idempotency_key);
        Answer::of(request.json(&json!({"name": "A"})).send().await.unwrap()).await
    };
    let (viewer, stranger) =
        (server.key_of("acme", Role::Viewer).await, server.key_of("globex", Role::Admin).await);
    with(None, INTENTS, "k").await.is(StatusCode::UNAUTHORIZED);
    with(Some(&stranger), INTENTS, "k").await.is(StatusCode::NOT_FOUND);
    let refused = with(Some(&viewer), INTENTS, "k").await;
    refused.problem(StatusCode::FORBIDDEN, "This needs the role editor; yours is viewer");
    for bad in ["", " ", "a b", "é", &"x".repeat(256)] {
        let answer = with(Some(&server.key), INTENTS, bad).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["Idempotency-Key"], "{bad}");
    }
    let answer = with(Some(&server.key), "/api/tenants", "k").await;
    assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["Idempotency-Key"]);
    // Where nothing can be done twice it is not looked at.
    let get = server.request(Method::GET, INTENTS, Some(&server.key)).header("idempotency-key", "");
    assert_eq!(get.send().await.unwrap().status(), StatusCode::OK);
}

/// An answer may hold a message, or a key that is shown once: it goes after its day, though nobody sends another.
#[tokio::test]
async fn what_is_kept_is_kept_for_a_day() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        let path = format!("/api/intents?tenant_id={tenant}");
        post(&server, &path, "k-1", &json!({"name": "A"})).await.is(StatusCode::CREATED);
    }
    let mut conn = server.database().superuser().await;
    let old = "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE tenant_id = 'acme'";
    sqlx::raw_sql(old).execute(&mut conn).await.unwrap();
    crate::server::idempotency::forget_old(&server.app).await.unwrap();
    let left: Vec<String> =
        sqlx::query_scalar("SELECT tenant_id FROM idempotency_keys").fetch_all(&mut conn).await.unwrap();
    assert_eq!(left, ["globex"]);
}

/// A body that breaks off is not one that is too large.
#[tokio::test]
async fn a_body_that_cannot_be_taken_whole_is_refused_in_the_right_words() {
    let server = TestServer::start_idle(&[("MAX_MESSAGE_BYTES", "1000")]).await;
    server.tenant("acme").await;
    let router = http::router(server.app.clone());
    let status = async |body: Body| {
        let request = axum::http::Request::post(INTENTS)
            .header(header::AUTHORIZATION, format!("Bearer {}", server.key))
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", "k")
            .body(body)
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let problem: Value = serde_json::from_slice(&body).unwrap();
        (status, problem["detail"].as_str().unwrap().to_owned())
    };
    let parts = [Ok("{\"name\""), Err(std::io::Error::other("gone"))];
    let broken = status(Body::from_stream(futures::stream::iter(parts))).await;
    assert_eq!(broken, (StatusCode::BAD_REQUEST, "The body could not be read to its end".to_owned()));
    let large = status(Body::from(vec![b' '; 5 << 20])).await;
    let detail = "The body is larger than is taken with an Idempotency-Key".to_owned();
    assert_eq!(large, (StatusCode::PAYLOAD_TOO_LARGE, detail));
    // Neither uses the key up.
    post(&server, INTENTS, "k", &json!({"name": "A"})).await.is(StatusCode::CREATED);
}

/// Which statements on a table break off.
async fn break_off(server: &TestServer, what: &str) {
    let sql = format!(
        "CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a secret'; END $$; \
         CREATE TRIGGER break_off BEFORE {what} FOR EACH ROW EXECUTE FUNCTION break_off()"
    );
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
}

async fn mend(server: &TestServer) {
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("DROP FUNCTION break_off CASCADE").execute(&mut conn).await.unwrap();
}

/// A message is known by its bytes: a fault that has passed, and a server that stopped, keep none out.
#[tokio::test]
async fn a_message_is_taken_with_the_same_key_once_a_fault_has_passed() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let raw = message("a@x.example", "x", "x");
    let send = async || {
        let request = server.request(Method::POST, "/api/emails?tenant_id=acme", Some(&server.key));
        let request = request.header("content-type", "message/rfc822").header("idempotency-key", "mail-1");
        Answer::of(request.body(raw.clone()).send().await.unwrap()).await
    };
    break_off(&server, "INSERT ON emails").await;
    for _ in 0..2 {
        let broken = send().await.is(StatusCode::INTERNAL_SERVER_ERROR);
        assert!(broken.headers.get("idempotency-replayed").is_none());
    }
    mend(&server).await;
    let taken = send().await.is(StatusCode::ACCEPTED);
    assert_eq!(taken.body["duplicate"], false);
    assert_eq!(send().await.is(StatusCode::ACCEPTED).headers["idempotency-replayed"], "true");
    let mut conn = server.database().superuser().await;
    let stopped =
        "UPDATE idempotency_keys SET status = NULL, answer = NULL, created_at = now() - interval '1 hour'";
    sqlx::raw_sql(stopped).execute(&mut conn).await.unwrap();
    let again = send().await.is(StatusCode::ACCEPTED);
    assert!(again.headers.get("idempotency-replayed").is_none());
    assert_eq!((&again.body["email_id"], &again.body["duplicate"]), (&taken.body["email_id"], &json!(true)));
}

/// Some of it may have been done, so it is not done again, and what to do is said.
#[tokio::test]
async fn of_another_fault_it_is_told_what_to_do() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    break_off(&server, "INSERT ON intents").await;
    let broken = post(&server, INTENTS, "k", &json!({"name": "A"})).await;
    let broken = broken.is(StatusCode::INTERNAL_SERVER_ERROR);
    let detail = broken.body["detail"].as_str().unwrap();
    let look =
        "; it is not known whether it was done: look, and if it was not, send it with a new Idempotency-Key";
    assert!(detail.starts_with("Something went wrong here.") && detail.ends_with(look), "{detail}");
    assert_eq!(broken.headers[header::CONTENT_TYPE], "application/problem+json");
    mend(&server).await;
    let again = post(&server, INTENTS, "k", &json!({"name": "A"})).await;
    let again = again.is(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!((&again.text, again.headers.contains_key("idempotency-replayed")), (&broken.text, true));
    post(&server, INTENTS, "other", &json!({"name": "A"})).await.is(StatusCode::CREATED);
}

/// A key is shown once: it would be lost.
#[tokio::test]
async fn an_answer_that_cannot_be_kept_is_given_and_kept_later() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let send = async || {
        let body = json!({"name": "a", "role": "operator"});
        post(&server, "/api/api-keys?tenant_id=acme", "k", &body).await
    };
    break_off(&server, "UPDATE ON idempotency_keys").await;
    let made = send().await.is(StatusCode::CREATED);
    assert!(made.body["key"].as_str().unwrap().starts_with("fe_"));
    let detail = "The first request with this Idempotency-Key is still under way";
    send().await.problem(StatusCode::CONFLICT, detail);
    mend(&server).await;
    let kept = eventually("it is kept", async || {
        Some(send().await).filter(|answer| answer.status == StatusCode::CREATED)
    });
    assert_eq!(kept.await.text, made.text);
}

/// What is stored was answered as a fault, where the answer was read after it and could not be.
#[tokio::test]
async fn what_is_done_is_answered_as_done() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let mut conn = server.database().superuser().await;
    // With the commit, the table cannot be read any more.
    sqlx::raw_sql(
        "CREATE FUNCTION shut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
           EXECUTE format('REVOKE SELECT ON eivs.%I FROM flowengine_app', TG_TABLE_NAME); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER shut AFTER UPDATE ON emails DEFERRABLE INITIALLY DEFERRED \
           FOR EACH ROW EXECUTE FUNCTION shut(); \
         CREATE CONSTRAINT TRIGGER shut AFTER INSERT OR UPDATE ON classifier_settings \
           DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION shut()",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let path = format!("/api/emails/{id}/decision?tenant_id=acme");
    let decided = post(&server, &path, "k", &json!({"decision": "accepted"})).await.is(StatusCode::OK);
    assert_eq!((&decided.body["decision"], &decided.body["status"]), (&json!("accepted"), &json!("done")));
    server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::INTERNAL_SERVER_ERROR);
    let set = server.put("/api/classifier?tenant_id=acme", &json!({"gate": 0.9})).await.is(StatusCode::OK);
    assert_eq!(set.body["gate"], 0.9);
    server.get("/api/classifier?tenant_id=acme").await.is(StatusCode::INTERNAL_SERVER_ERROR);
}

const LOCK: &str = "BEGIN; LOCK TABLE intents IN ACCESS EXCLUSIVE MODE";

/// Work outlives its caller. Were its place free at once, whoever hangs up had any number under way.
#[tokio::test]
async fn what_goes_on_when_its_caller_hangs_up_keeps_its_place() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut lock = server.database().superuser().await;
    sqlx::raw_sql(LOCK).execute(&mut lock).await.unwrap();
    let body = json!({"name": "A"});
    let request = axum::http::Request::post(INTENTS)
        .header(header::AUTHORIZATION, format!("Bearer {}", server.key))
        .header(header::CONTENT_TYPE, "application/json")
        .header("idempotency-key", "k")
        .body(Body::from(serde_json::to_vec(&body).unwrap()))
        .unwrap();
    let caller = tokio::spawn(http::router(server.app.clone()).oneshot(request));
    let mut conn = server.database().superuser().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("the work is under way", async || {
        let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut conn).await.unwrap();
        (found > 0).then_some(())
    })
    .await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    assert_eq!(server.app.in_flight.count(), 1);
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    eventually("it is done", async || (server.app.in_flight.count() == 0).then_some(())).await;
    let again = post(&server, INTENTS, "k", &body).await.is(StatusCode::CREATED);
    assert_eq!(again.headers["idempotency-replayed"], "true");
}

/// It went on for as long as it took, and who asked after ten minutes was told that its server had stopped.
#[tokio::test]
async fn what_takes_too_long_is_called_off_and_that_is_told_from_then_on() {
    let server = TestServer::start_idle(&[("REQUEST_TIMEOUT_S", "1")]).await;
    server.tenant("acme").await;
    let mut lock = server.database().superuser().await;
    sqlx::raw_sql(LOCK).execute(&mut lock).await.unwrap();
    let told = eventually("that it was called off is kept", async || {
        let answer = post(&server, INTENTS, "k", &json!({"name": "A"})).await;
        answer.headers.contains_key("idempotency-replayed").then_some(answer)
    });
    let detail = "This took longer than 1 seconds and was called off, so it is not known whether it was done: look, and if \
                  it was not, send it with a new Idempotency-Key";
    told.await.problem(StatusCode::GATEWAY_TIMEOUT, detail);
}

/// A viewer could fill the database with what it was told.
#[tokio::test]
async fn what_only_tells_something_is_not_kept() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    for text in ["one", "another"] {
        let request = server.request(Method::POST, "/api/classifier/test?tenant_id=acme", Some(&viewer));
        let request = request.header("idempotency-key", "k").json(&json!({"text": text}));
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK);
    }
    // A plan of an import, as that call reads its query.
    let import = "/api/import?tenant_id=acme";
    let (none, some) = (json!({"version": 1}), json!({"version": 1, "intents": [{"name": "A"}]}));
    for query in ["&dry_run=true", "&dry_run=1"] {
        for document in [&none, &some] {
            let plan = post(&server, &format!("{import}{query}"), "k", document).await.is(StatusCode::OK);
            assert_eq!(plan.body["applied"], false);
        }
    }
    let plan = post(&server, &format!("{import}&dry_run=true"), "no key", &none).await;
    assert_eq!(plan.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["Idempotency-Key"]);
    let mut conn = server.database().superuser().await;
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM idempotency_keys").fetch_one(&mut conn).await.unwrap();
    assert_eq!(kept, 0);
    let made = post(&server, &format!("{import}&dry_run=false"), "k", &some).await.is(StatusCode::OK);
    let again = post(&server, &format!("{import}&dry_run=false"), "k", &some).await.is(StatusCode::OK);
    assert_eq!((&again.text, again.headers.contains_key("idempotency-replayed")), (&made.text, true));

    let (tell, kept): (Vec<Call>, Vec<Call>) = api_calls()
        .into_iter()
        .filter(|call| call.method == Method::POST && call.in_tenant)
        .partition(|call| only_tells(&call.path));
    for call in kept {
        assert_ne!(call.role, "viewer", "{}", call.path);
    }
    let tell: BTreeSet<String> = tell.into_iter().map(|call| call.path).collect();
    let expected = [
        "/api/classifier/test",
        "/api/datasources/{datasource_id}/preview",
        "/api/datasources/{datasource_id}/test",
        "/api/emails/dry-run",
        "/api/validation-rules/dry-run",
    ];
    assert_eq!(tell, BTreeSet::from(expected.map(str::to_owned)));
}
