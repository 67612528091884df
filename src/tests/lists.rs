//! Lists of messages: what narrows them, and what stands beside a message in one.

use axum::response::IntoResponse;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    receivers::Receiver,
    support::{Answer, TestServer, eventually, message},
};
use crate::{auth::dto::Role, emails::dto::MOST_LOOKED_AT};

/// The ids that a list gives, newest first.
async fn listed(server: &TestServer, query: &str) -> Vec<String> {
    let list = server.get(&format!("/api/emails?tenant_id=acme{query}")).await.is(StatusCode::OK).body;
    list.as_array().unwrap().iter().map(|email| email["email_id"].as_str().unwrap().to_owned()).collect()
}

async fn neighbours(server: &TestServer, key: &str, form: &str) -> Answer {
    let request = server.request(Method::POST, "/ui/emails/neighbours", Some(key));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    Answer::of(request.body(format!("tenant_id=acme&{form}")).send().await.unwrap()).await
}

/// The ids of a page of a list, and the address of the page after it.
async fn page(server: &TestServer, path: &str) -> (Vec<String>, Option<String>) {
    let answer = server.get(path).await.is(StatusCode::OK);
    let next = answer.headers.get("link").map(|link| {
        let (path, rel) = link.to_str().unwrap().split_once('>').unwrap();
        assert_eq!(rel, "; rel=\"next\"");
        path.trim_start_matches('<').to_owned()
    });
    (answer.body.as_array().unwrap().iter().map(id).collect(), next)
}

/// All pages of a list, by its links.
async fn pages(server: &TestServer, query: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut next = Some(format!("/api/emails?tenant_id=acme{query}"));
    while let Some(path) = next {
        let (ids, after) = page(server, &path).await;
        found.push(ids);
        next = after;
        assert!(found.len() < 10, "the list ends");
    }
    found
}

fn id(email: &Value) -> String {
    email["email_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_waits_what_has_no_intent_and_what_was_given_up_are_lists() {
    let server = TestServer::start().await;
    let receiver = Receiver::answering(|_, _| StatusCode::GONE.into_response()).await;
    server.tenant("acme").await;
    let intent = json!({"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}});
    let intent =
        server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED).id("intent_id");
    let hook = json!({"name": "erp", "intent_id": intent, "kind": "webhook", "decisions": ["accepted"], "settings": {"url": format!("{}/hook", receiver.base)}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);

    let order = id(&server.decide("acme", message("a@x.example", "order 1", "x")).await);
    let other = id(&server.decide("acme", message("a@x.example", "hello", "x")).await);
    let given_up = eventually("its webhook is given up", async || {
        Some(listed(&server, "&delivery=failed").await).filter(|ids| !ids.is_empty())
    })
    .await;
    assert_eq!(given_up, [order.as_str()]);
    assert_eq!(listed(&server, &format!("&delivery=failed&cursor={other}")).await, [order.as_str()]);
    assert!(listed(&server, &format!("&delivery=failed&cursor={order}")).await.is_empty());
    for (of, older) in [(&other, Some(&order)), (&order, None)] {
        let beside =
            neighbours(&server, &server.key, &format!("email_id={of}&filter[delivery]=failed")).await;
        assert_eq!(beside.is(StatusCode::OK).body, json!({"newer": null, "older": older}), "{of}");
    }
    assert!(listed(&server, "&delivery=delivered").await.is_empty());
    assert_eq!(listed(&server, "&without_intent=true").await, [other.as_str()]);
    assert_eq!(listed(&server, "&without_intent=false").await, [other.as_str(), order.as_str()]);
    assert!(listed(&server, "&waiting=true").await.is_empty());

    // Of an intent that is deleted a message keeps the name: it is not one without.
    let hooks = server.get("/api/routes?tenant_id=acme").await.body;
    server
        .delete(&format!("/api/routes/{}?tenant_id=acme", hooks[0]["route_id"]))
        .await
        .is(StatusCode::NO_CONTENT);
    server.delete(&format!("/api/intents/{intent}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    assert_eq!(listed(&server, "&without_intent=true").await, [other.as_str()]);

    for query in ["&waiting=perhaps", "&without_intent=2", "&delivery=lost"] {
        let answer = server.get(&format!("/api/emails?tenant_id=acme{query}")).await;
        let name = query.trim_start_matches('&').split('=').next().unwrap();
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [name]);
    }
}

/// So that who has kept a message's answer learns whether it was decided since.
#[tokio::test]
async fn a_list_says_when_each_was_decided() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut ids = Vec::new();
    for subject in ["first order", "second order"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let path = |what: &str| format!("/api/emails/{}{what}?tenant_id=acme", ids[0]);
    let word = json!({"decision": "accepted"});
    let detail = server.post(&path("/decision"), &word).await.is(StatusCode::OK).body;
    assert!(detail["decided_at"].is_string(), "{detail:#}");
    // Plain, and by another statement where words are looked for.
    for query in ["", "&q=order"] {
        let list = server.get(&format!("/api/emails?tenant_id=acme{query}")).await.is(StatusCode::OK).body;
        assert_eq!((&list[0]["email_id"], list[0].get("decided_at")), (&json!(ids[1]), Some(&Value::Null)));
        assert_eq!((&list[1]["email_id"], &list[1]["decided_at"]), (&json!(ids[0]), &detail["decided_at"]));
    }
    // As it stands in the message itself, once.
    let found = server.get(&path("")).await.is(StatusCode::OK);
    assert_eq!(found.body["decided_at"], detail["decided_at"]);
    assert_eq!(found.text.matches("\"decided_at\"").count(), 1);
}

#[tokio::test]
async fn what_waits_is_queued_or_being_decided() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let counts = async || {
        let stats = server.get("/api/stats?tenant_id=acme").await.is(StatusCode::OK).body;
        ["emails", "queued", "accepted", "rejected", "review"].map(|name| stats[name].as_i64().unwrap())
    };
    assert_eq!(counts().await, [0; 5]);
    let mut ids = Vec::new();
    for subject in ["one", "two", "three"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let mut conn = server.database().superuser().await;
    for (id, status) in [(&ids[1], "processing"), (&ids[2], "done")] {
        let sql = "UPDATE emails SET status = $2, decision = CASE WHEN $2 = 'done' THEN 'review' END WHERE email_id = $1::uuid";
        sqlx::query(sql).bind(id).bind(status).execute(&mut conn).await.unwrap();
    }
    assert_eq!(listed(&server, "&waiting=true").await, [ids[1].as_str(), ids[0].as_str()]);
    assert_eq!(listed(&server, "&waiting=true&status=queued").await, [ids[0].as_str()]);
    assert_eq!(counts().await, [3, 2, 0, 0, 1]);
    // What was decided and is run again has its decision, and waits.
    let sql = "UPDATE emails SET status = 'queued' WHERE email_id = $1::uuid";
    sqlx::query(sql).bind(&ids[2]).execute(&mut conn).await.unwrap();
    assert_eq!(counts().await, [3, 3, 0, 0, 1]);
}

#[tokio::test]
async fn a_list_of_a_label_goes_on_beyond_a_page() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut ids = Vec::new();
    for subject in ["one", "two", "three", "four"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let labelled = [ids[0].clone(), ids[1].clone(), ids[3].clone()];
    let sql = "INSERT INTO email_labels (tenant_id, email_id, label) SELECT 'acme', unnest($1::text[])::uuid, 'vip'";
    let mut conn = server.database().superuser().await;
    sqlx::query(sql).bind(labelled.to_vec()).execute(&mut conn).await.unwrap();
    let one_each: [&[String]; 4] = [&labelled[2..], &labelled[1..2], &labelled[..1], &[]];
    assert_eq!(pages(&server, "&label=vip&limit=1").await, one_each);
    for (of, newer, older) in [(0, Some(1), None), (1, Some(3), Some(0)), (2, Some(3), Some(1))] {
        let beside =
            neighbours(&server, &server.key, &format!("email_id={}&filter[label]=vip", ids[of])).await;
        let expected =
            json!({"newer": newer.map(|n: usize| &ids[n]), "older": older.map(|n: usize| &ids[n])});
        assert_eq!(beside.is(StatusCode::OK).body, expected, "{of}");
    }
}

/// Messages that were decided, as the database has them.
async fn decided(server: &TestServer, subjects: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for subject in subjects {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE emails SET status = 'done', decision = 'review', run = 1; DELETE FROM jobs")
        .execute(&mut conn)
        .await
        .unwrap();
    ids
}

#[tokio::test]
async fn a_list_of_deliveries_goes_on_beyond_a_page_and_holds_what_stands() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let settings = json!({"url": "http://127.0.0.1:9/"});
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["review"], "settings": settings});
    let route = server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED).id("route_id");
    let ids = decided(&server, &["one", "two", "three", "four", "five"]).await;
    let mut conn = server.database().superuser().await;
    // Two for each, of which the later one counts: it was given up, but for the second's. Of the third another decision was
    // taken since.
    sqlx::query(
        "INSERT INTO deliveries (tenant_id, delivery_id, email_id, run, decision, route_id, route_name, kind, \
         destination, payload, status, attempts, created_at) \
         SELECT tenant_id, gen_random_uuid(), email_id, 1, 'review', $1, 'erp', 'webhook', 'x', '{}', \
           CASE WHEN subject = 'two' AND n = 2 THEN 'delivered' ELSE 'failed' END, 1, now() + n * interval '1 second' \
         FROM emails, generate_series(1, 2) AS n",
    )
    .bind(route)
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::raw_sql("UPDATE emails SET decision = 'accepted' WHERE subject = 'three'")
        .execute(&mut conn)
        .await
        .unwrap();
    let one_each: [&[String]; 4] = [&ids[4..], &ids[3..4], &ids[..1], &[]];
    assert_eq!(pages(&server, "&delivery=failed&limit=1").await, one_each);
    assert_eq!(pages(&server, "&delivery=failed&q=x.example&limit=1").await, one_each);
    assert_eq!(listed(&server, "&delivery=delivered").await, &ids[1..2]);
    for (query, expected) in [
        ("&q=four", &ids[3..4]),
        ("&decision=accepted", &[]),
        ("&from=2126-01-01T00:00:00Z", &[]),
        ("&to=2000-01-01T00:00:00Z", &[]),
    ] {
        assert_eq!(listed(&server, &format!("&delivery=failed{query}")).await, expected, "{query}");
    }
    for (of, newer, older) in [(0, Some(3), None), (2, Some(3), Some(0)), (4, None, Some(3))] {
        for words in ["", "&filter[q]=x.example"] {
            let form = format!("email_id={}&filter[delivery]=failed{words}", ids[of]);
            let beside = neighbours(&server, &server.key, &form).await.is(StatusCode::OK).body;
            let expected =
                json!({"newer": newer.map(|n: usize| &ids[n]), "older": older.map(|n: usize| &ids[n])});
            assert_eq!(beside, expected, "{form}");
        }
    }
    assert_eq!(server.get("/api/emails?tenant_id=globex&delivery=failed").await.body, json!([]));
}

/// After an outage, what it sent to people is found, and run again.
#[tokio::test]
async fn what_a_datasource_could_not_be_asked_of_is_a_list_and_can_be_run_again() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let ids = decided(&server, &["asked", "twice", "mended", "once"]).await;
    let mut conn = server.database().superuser().await;
    // One was asked in vain in its first run alone.
    sqlx::raw_sql(
        "UPDATE emails SET run = 2 WHERE subject = 'mended'; \
         INSERT INTO verdicts (tenant_id, email_id, run, position, rule_id, rule_type, field_name, on_fail, verdict, \
           reason, evidence, duration_ms) \
         SELECT tenant_id, email_id, v.run, v.position, 1, 'exists', 'subject', 'reject', v.verdict, '', '{}', 1 \
         FROM emails JOIN (VALUES ('asked', 1, 1, 'fail'), ('asked', 1, 2, 'skipped'), ('twice', 1, 1, 'error'), \
           ('twice', 1, 2, 'error'), ('mended', 1, 1, 'error'), ('mended', 2, 1, 'pass'), ('once', 1, 1, 'pass'), \
           ('once', 1, 2, 'error')) AS v (subject, run, position, verdict) USING (subject)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let one_each: [&[String]; 3] = [&ids[3..], &ids[1..2], &[]];
    assert_eq!(pages(&server, "&could_not_ask=true&limit=1").await, one_each);
    assert_eq!(listed(&server, "&could_not_ask=true&q=twice").await, &ids[1..2]);
    assert_eq!(listed(&server, "&could_not_ask=false").await.len(), 4);
    assert!(listed(&server, "&could_not_ask=true&decision=accepted").await.is_empty());
    assert!(listed(&server, "&could_not_ask=true&delivery=failed").await.is_empty());
    for (of, newer, older) in [(0, Some(1), None), (2, Some(3), Some(1)), (3, None, Some(1))] {
        let form = format!("email_id={}&filter[could_not_ask]=true", ids[of]);
        let beside = neighbours(&server, &server.key, &form).await.is(StatusCode::OK).body;
        let expected =
            json!({"newer": newer.map(|n: usize| &ids[n]), "older": older.map(|n: usize| &ids[n])});
        assert_eq!(beside, expected, "{form}");
    }
    let wrong = server.get("/api/emails?tenant_id=acme&could_not_ask=perhaps").await;
    assert_eq!(wrong.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["could_not_ask"]);

    let body = json!({"tenant_id": "acme", "ids": ids, "fitting": {"could_not_ask": true}});
    let request = server.request(Method::POST, "/ui/emails/reprocess-many", Some(&server.key)).json(&body);
    let done = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).body;
    assert_eq!((&done["done"], &done["left"]), (&json!([ids[1], ids[3]]), &json!([ids[0], ids[2]])));
}

/// An operator looks while the outage lasts: by then nothing has been decided yet because of it.
#[tokio::test]
async fn what_waits_for_a_datasource_is_among_what_could_not_be_asked_of() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let mut ids = decided(&server, &["asked in vain", "asked"]).await;
    for subject in ["tried in vain", "not tried yet"] {
        ids.push(server.receive("acme", message("a@x.example", subject, "x")).await);
    }
    let theirs = server.receive("globex", message("a@x.example", "tried in vain", "x")).await;
    let mut conn = server.database().superuser().await;
    // The first is run again, and found twice: by what it was decided by, and by what it waits for.
    sqlx::raw_sql(
        "INSERT INTO verdicts (tenant_id, email_id, run, position, rule_id, rule_type, field_name, on_fail, verdict, \
           reason, evidence, duration_ms) \
         SELECT tenant_id, email_id, 1, 1, 1, 'exists', 'subject', 'reject', 'error', '', '{}', 1 FROM emails \
         WHERE subject = 'asked in vain'; \
         INSERT INTO jobs (tenant_id, kind, subject) SELECT tenant_id, 'email', email_id FROM emails \
         WHERE subject = 'asked in vain'; \
         UPDATE jobs j SET last_error = 'Shop could not be asked' FROM emails e \
         WHERE e.tenant_id = j.tenant_id AND e.email_id = j.email_id AND e.subject LIKE '%in vain'",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let found = [ids[2].clone(), ids[0].clone()];
    let one_each: [&[String]; 3] = [&found[..1], &found[1..], &[]];
    assert_eq!(pages(&server, "&could_not_ask=true&limit=1").await, one_each);
    assert_eq!(listed(&server, "&could_not_ask=true&q=vain").await, found);
    assert_eq!(listed(&server, "&could_not_ask=true&waiting=true").await, &found[..1]);
    assert_eq!(listed(&server, "&could_not_ask=true&status=done").await, &found[1..]);
    let form = format!("email_id={}&filter[could_not_ask]=true", ids[1]);
    let beside = neighbours(&server, &server.key, &form).await.is(StatusCode::OK).body;
    assert_eq!(beside, json!({"newer": ids[2], "older": ids[0]}));
    let globex = server.get("/api/emails?tenant_id=globex&could_not_ask=true").await.is(StatusCode::OK).body;
    assert_eq!(globex.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [theirs]);

    // Who runs it again does not know yet that it is in vain.
    let body = json!({"tenant_id": "acme", "ids": ids, "fitting": {"could_not_ask": true}});
    let request = server.request(Method::POST, "/ui/emails/reprocess-many", Some(&server.key)).json(&body);
    let done = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).body;
    assert_eq!((&done["done"], &done["left"]), (&json!([ids[0], ids[2]]), &json!([ids[1], ids[3]])));
    assert_eq!(listed(&server, "&could_not_ask=true").await, &found[1..]);
    // By what it was decided by before, though it waits again.
    assert_eq!(listed(&server, "&could_not_ask=true&status=queued").await, &found[1..]);
    assert!(listed(&server, "&could_not_ask=true&status=done").await.is_empty());
}

/// After a long outage they are thousands, and are listed at each change.
#[tokio::test]
async fn a_page_of_what_could_not_be_asked_of_reads_little_more_than_it_shows() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "INSERT INTO emails (tenant_id, email_id, source, content_hash, raw, status, decision, run) \
         SELECT 'acme', ('ffffffff-ffff-7fff-8fff-' || lpad(to_hex(n), 12, '0'))::uuid, 'fill', \
           sha256(n::text::bytea), ''::bytea, CASE n % 2 WHEN 0 THEN 'done' ELSE 'queued' END, \
           CASE n % 2 WHEN 0 THEN 'review' END, (n + 1) % 2 FROM generate_series(1, 6000) AS n; \
         INSERT INTO verdicts (tenant_id, email_id, run, position, rule_id, rule_type, field_name, on_fail, verdict, \
           reason, evidence, duration_ms) \
         SELECT tenant_id, email_id, run, 1, 1, 'exists', 'subject', 'reject', 'error', '', '{}', 1 FROM emails \
         WHERE status = 'done'; \
         INSERT INTO jobs (tenant_id, kind, subject, last_error) \
         SELECT tenant_id, 'email', email_id, 'x' FROM emails WHERE status = 'queued'; \
         ANALYZE emails; ANALYZE verdicts; ANALYZE jobs",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let read = "SELECT CASE WHEN min(idx_scan) > 0 THEN sum(idx_tup_read)::bigint END FROM pg_stat_user_indexes \
                WHERE indexrelname IN ('ix_eivs_verdicts_errors', 'ix_eivs_jobs_errors')";
    let shown = listed(&server, "&could_not_ask=true&limit=20").await;
    assert_eq!((shown.len(), shown[0].ends_with("1770")), (20, true), "{shown:?}");
    let read = eventually("both were read by their indexes", async || {
        sqlx::query_scalar::<_, Option<i64>>(read).fetch_one(&mut conn).await.unwrap()
    })
    .await;
    assert!(read < 1_000, "{read}");
}

#[tokio::test]
async fn a_message_has_neighbours_in_a_list_that_no_longer_holds_it() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let mut ids = Vec::new();
    for subject in ["order 1", "hello", "order 2", "order 3"] {
        ids.push(id(&server.decide("acme", message("a@x.example", subject, "x")).await));
        // In between, another tenant's, which is nobody's neighbour here.
        server.decide("globex", message("a@x.example", subject, "x")).await;
    }
    let viewer = server.key_of("acme", Role::Viewer).await;
    let beside = async |form: &str| neighbours(&server, &viewer, form).await.is(StatusCode::OK).body;
    let all = beside(&format!("email_id={}", ids[1])).await;
    assert_eq!(all, json!({"newer": ids[2], "older": ids[0]}));
    let orders = beside(&format!("email_id={}&filter[q]=order", ids[2])).await;
    assert_eq!(orders, json!({"newer": ids[3], "older": ids[0]}));
    let ends = beside(&format!("email_id={}", ids[3])).await;
    assert_eq!(ends, json!({"newer": null, "older": ids[2]}));

    let path = format!("/api/emails/{}/decision?tenant_id=acme", ids[2]);
    server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    let decision =
        server.get(&format!("/api/emails/{}?tenant_id=acme", ids[0])).await.body["decision"].clone();
    let filter = format!("email_id={}&filter[decision]={}", ids[2], decision.as_str().unwrap());
    assert_eq!(beside(&filter).await, json!({"newer": ids[3], "older": ids[1]}));

    let stranger = server.key_of("globex", Role::Admin).await;
    neighbours(&server, &stranger, &format!("email_id={}", ids[1])).await.is(StatusCode::NOT_FOUND);
    let nul = format!("email_id={}&filter[q]=%00", ids[1]);
    neighbours(&server, &viewer, &nul).await.is(StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn what_a_delivery_says_is_shown_to_its_own_tenant_alone() {
    let server = TestServer::start().await;
    let receiver = Receiver::start().await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let hook = json!({"name": "erp", "kind": "webhook", "decisions": ["accepted", "rejected", "review"], "settings": {"url": format!("{}/hook", receiver.base), "headers": {"X-Key": "s3cret-value"}}});
    server.post("/api/routes?tenant_id=acme", &hook).await.is(StatusCode::CREATED);
    let email = server.decide("acme", message("a@x.example", "hello", "x")).await;
    let detail = server.get(&format!("/api/emails/{}?tenant_id=acme", id(&email))).await.body;
    let delivery = detail["deliveries"][0]["delivery_id"].as_str().unwrap().to_owned();
    let ask = async |key: &str, tenant: &str| {
        let request = server.request(Method::POST, "/ui/deliveries/payload", Some(key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = format!("tenant_id={tenant}&delivery_id={delivery}");
        Answer::of(request.body(body).send().await.unwrap()).await
    };
    let viewer = server.key_of("acme", Role::Viewer).await;
    let found = ask(&viewer, "acme").await.is(StatusCode::OK);
    assert_eq!(found.body["data"]["subject"], "hello");
    assert!(!found.text.contains("s3cret-value"));
    let stranger = server.key_of("globex", Role::Admin).await;
    ask(&stranger, "acme").await.is(StatusCode::NOT_FOUND);
    ask(&stranger, "globex").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_list_is_narrowed_to_when_its_messages_were_received() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let first = id(&server.decide("acme", message("a@x.example", "one", "x")).await);
    let second = id(&server.decide("acme", message("a@x.example", "two", "x")).await);
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE emails SET received_at = '2026-11-01T12:00:00Z' WHERE email_id = $1::uuid")
        .bind(&first)
        .execute(&mut conn)
        .await
        .unwrap();
    let both = [second.as_str(), first.as_str()];
    for (query, expected) in [
        ("&from=2026-11-01T12:00:00Z", &both[..]),
        ("&from=2026-11-01T12:00:01Z", &both[..1]),
        ("&to=2026-11-01T12:00:00Z", &[]),
        ("&from=2026-11-01T00:00:00%2B01:00&to=2026-11-02T00:00:00Z", &both[1..]),
    ] {
        assert_eq!(listed(&server, query).await, expected, "{query}");
    }
    assert!(
        neighbours(&server, &server.key, &format!("email_id={first}&filter[to]=2026-11-02T00:00:00Z"))
            .await
            .is(StatusCode::OK)
            .body["newer"]
            .is_null()
    );
    // A time that is a little later than the id, as after a clock was set, counts no less than one that is earlier.
    sqlx::query("UPDATE emails SET received_at = now() + interval '45 minutes' WHERE email_id = $1::uuid")
        .bind(&second)
        .execute(&mut conn)
        .await
        .unwrap();
    let from = |minutes| {
        let from = chrono::Utc::now() + chrono::TimeDelta::minutes(minutes);
        format!("&from={}", from.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
    };
    assert_eq!(listed(&server, &from(30)).await, &both[..1]);
    assert!(listed(&server, &from(50)).await.is_empty());
    for (query, field) in [("from=-9999-01-01T00:00:00Z", "from"), ("to=today", "to")] {
        let answer = server.get(&format!("/api/emails?tenant_id=acme&{query}")).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [field]);
    }
}

#[tokio::test]
async fn a_search_finds_what_stands_in_texts_and_in_extracted_fields() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let question = message("ann@x.example", "a question", "Where is PO-70318?");
    let plain = server.receive("acme", question.clone()).await;
    let odd =
        server.receive("acme", message("bob@y.example", "an answer", r"100% of the_parcel in C:\temp")).await;
    let text = "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    let umlauts = message("zoe@z.example", "a list", "GRÜNE Äpfel für Zoë").replacen("\r\n\r\n", text, 1);
    let umlauts = server.receive("acme", umlauts).await;
    let several = "To: service@acme.example, Max <max@v.example>\r\nCc: \"Smith, Nora\" <nora@u.example>";
    let copies = message("eve@w.example", "copies", "the goods\r\n  went  away");
    let copies = copies.replacen("To: service@acme.example", several, 1);
    let copies = server.receive("acme", copies).await;
    // As programs write names, and as domains are kept.
    let several = "To: service@acme.example, =?UTF-8?Q?Hans_M=C3=BCller?= <hm@t.example>\r\n\
                   Cc: =?utf-8?b?SsO4cmdlbg==?= <j@t.example>";
    let named = message("Kai <kai@müster.example>", "names", "x");
    let named = named.replacen("To: service@acme.example", several, 1);
    let named = server.receive("acme", named).await;
    let theirs = server.receive("globex", question).await;
    let fields = json!({"order_number": "AB/77", "amount": 4711, "parts": ["zinc"], "spf": "softfail", "header.x-mark": "hidden"});
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE emails SET fields = fields || $2 WHERE email_id = $1::uuid")
        .bind(&odd)
        .bind(fields)
        .execute(&mut conn)
        .await
        .unwrap();

    let ids = [[plain], [odd], [umlauts], [copies], [named]];
    let [plain, odd, umlauts, copies, named] = ids.each_ref().map(|id| &id[..]);
    for (words, expected) in [
        // In the text, whatever its case; each word may stand elsewhere.
        ("po-70318", plain),
        ("PO-7031", plain),
        ("question PO-70318", plain),
        ("70318 ann@ service@", plain),
        ("answer PO-70318", &[]),
        // In fields that extractors found; not in what mail servers wrote, nor in what is no text.
        ("ab/77", odd),
        ("4711", odd),
        ("answer ab/77 parcel", odd),
        ("softfail", &[]),
        ("hidden", &[]),
        ("zinc", &[]),
        // Plain characters, no patterns.
        ("%", odd),
        ("_", odd),
        (r"c:\temp", odd),
        ("100%of", &[]),
        ("the%parcel", &[]),
        ("thexparcel", &[]),
        ("the_parcel", odd),
        ("'", &[]),
        // Capitals outside ASCII, too.
        ("grüne", umlauts),
        ("GRÜNE ZOË", umlauts),
        ("ÄPFEL", umlauts),
        ("äpfel für", umlauts),
        ("grune", &[]),
        // Accents that stand by themselves.
        ("gru\u{308}ne", umlauts),
        // In quotes, one after the other, wherever a line ends; not from one field to the next.
        (r#""where is""#, plain),
        (r#""is  where""#, &[]),
        ("70318 \"Where\tis\"", plain),
        (r#""question where""#, &[]),
        (r#""goods went away""#, copies),
        (r#""goods went a"#, copies),
        (r#"""#, copies),
        // As an address is copied, and in brackets.
        ("Ann <ann@x.example>", plain),
        ("is <ann@x.example>,", plain),
        ("(PO-70318);", plain),
        // Whoever it went to.
        ("max@v.example", copies),
        ("\"Smith, Nora\" <nora@u.example>", copies),
        ("MÜLLER", named),
        ("\"Hans Müller\" <hm@t.example>", named),
        ("jørgen service@", named),
        // A domain's label in letters, where it is whole.
        ("müster", named),
        ("Kai@MÜSTER.exam", named),
        ("names mu\u{308}ster", named),
        ("xn--mster", named),
        ("müst", &[]),
    ] {
        let query: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
        assert_eq!(listed(&server, &format!("&q={query}")).await, expected, "{words}");
    }
    assert_eq!(listed(&server, "&q=%20").await.len(), 5, "where no word is looked for, all are listed");
    let found = server.get("/api/emails?tenant_id=globex&q=PO-70318").await.is(StatusCode::OK).body;
    assert_eq!(found.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), [theirs]);
    assert_eq!(server.get("/api/emails?tenant_id=globex&q=4711").await.body, json!([]));
}

#[tokio::test]
async fn a_search_looks_at_so_many_messages_a_page_and_who_follows_it_sees_all() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let old = server.receive("acme", message("ann@x.example", "needle one", "x")).await;
    // Newer than any that comes: one more than a page looks at. The newest one fits as well.
    let count = MOST_LOOKED_AT + 1;
    let filler = |n: i64| format!("ffffffff-ffff-7fff-8fff-{n:012x}");
    let mut conn = server.database().superuser().await;
    let sql = "INSERT INTO emails (tenant_id, email_id, source, content_hash, raw, subject, status, decision, fields) \
         SELECT 'acme', ('ffffffff-ffff-7fff-8fff-' || lpad(to_hex(n), 12, '0'))::uuid, 'fill', sha256(n::text::bytea), \
           ''::bytea, 'hay ' || n, 'done', 'review', jsonb_build_object('body', CASE n WHEN $1 THEN 'needle two' ELSE 'hay' END) \
         FROM generate_series(1::bigint, $1) AS n";
    sqlx::query(sql).bind(count).execute(&mut conn).await.unwrap();
    let (newest, second) = (filler(count), filler(2));

    // A page that found nothing leads on, from the last that was looked at; the last page does not.
    let (found, next) = page(&server, "/api/emails?tenant_id=acme&limit=7&q=one+needle").await;
    assert!(found.is_empty());
    let next = next.expect("there is more to look at");
    assert_eq!(next, format!("/api/emails?tenant_id=acme&limit=7&q=one+needle&cursor={second}"));
    assert_eq!(page(&server, &next).await, (vec![old.clone()], None));
    assert_eq!(pages(&server, "&q=needle").await, [[newest.clone()], [old.clone()]]);
    // A full page ends at what it shows.
    let one_each: [&[String]; 4] = [std::slice::from_ref(&newest), &[], std::slice::from_ref(&old), &[]];
    assert_eq!(pages(&server, "&q=needle&limit=1").await, one_each);
    // Only what the other filters leave is looked at.
    assert_eq!(pages(&server, "&q=needle&status=queued").await, [[old.clone()]]);
    let (found, next) = page(&server, "/api/emails?tenant_id=acme&q=nowhere&decision=review").await;
    assert_eq!((found.len(), next.is_some()), (0, true));
    assert_eq!(pages(&server, "&q=nowhere").await, [[""; 0], [""; 0]]);

    // The screen's list says so too, and a message has no neighbour beyond.
    let ui = async |path: &str, form: &str| {
        let request = server.request(Method::POST, path, Some(&server.key));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = format!("tenant_id=acme&filter[q]=needle{form}");
        Answer::of(request.body(body).send().await.unwrap()).await.is(StatusCode::OK).body
    };
    let first = ui("/ui/emails/list", "").await;
    assert_eq!((first["emails"].as_array().unwrap().len(), &first["next"]), (1, &json!(second)));
    let last = ui("/ui/emails/list", &format!("&before={second}")).await;
    assert_eq!((id(&last["emails"][0]), &last["next"]), (old.clone(), &Value::Null));
    for (of, newer, older) in [
        (&old, None, None),
        (&newest, None, None),
        (&second, Some(&newest), Some(&old)),
        (&filler(count - 1), Some(&newest), Some(&old)),
    ] {
        let beside = ui("/ui/emails/neighbours", &format!("&email_id={of}")).await;
        assert_eq!(beside, json!({"newer": newer, "older": older}), "{of}");
    }
}

/// As many requests as `request` makes leave connections to others while they wait for these tables, and so they do
/// whose callers hung up, `rounds` times.
async fn leave_connections_to_others(
    server: &TestServer,
    tables: &str,
    rounds: usize,
    request: impl Fn(usize) -> reqwest::RequestBuilder,
) {
    const AT_ONCE: usize = 9;
    let mut lock = server.database().superuser().await;
    let sql = format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut lock).await.unwrap();
    let mut conn = server.database().superuser().await;
    let waiting = "SELECT count(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut under_way = JoinSet::new();
    for _ in 0..rounds {
        under_way.shutdown().await;
        eventually("they hung up", async || (server.app.in_flight.count() == 0).then_some(())).await;
        under_way = JoinSet::new();
        for n in 0..AT_ONCE {
            under_way.spawn(request(n).send());
        }
        eventually("they are under way", async || (server.app.in_flight.count() == AT_ONCE).then_some(()))
            .await;
        eventually("some of them wait for the database", async || {
            let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut conn).await.unwrap();
            (found >= 2).then_some(())
        })
        .await;
        server.get("/api/intents?tenant_id=globex").await.is(StatusCode::OK);
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    while let Some(answer) = under_way.join_next().await {
        let answer = Answer::of(answer.unwrap().unwrap()).await.is(StatusCode::OK);
        assert!(!answer.text.is_empty());
    }
}

/// A search takes a connection of the database for seconds: many at once took all of them, and so did those whose callers
/// hung up.
#[tokio::test]
async fn a_tenants_searches_leave_connections_to_others() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MAX", "4")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    let of = server.receive("acme", message("a@x.example", "hello", "x")).await;
    let form = |path, rest: &str| {
        let request = server.request(Method::POST, path, Some(&viewer));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(format!("tenant_id=acme&filter[q]=hello{rest}"))
    };
    let search = |n| match n % 3 {
        0 => server.request(Method::GET, "/api/emails?tenant_id=acme&q=hello", Some(&viewer)),
        1 => form("/ui/emails/list", ""),
        _ => form("/ui/emails/neighbours", &format!("&email_id={of}")),
    };
    leave_connections_to_others(&server, "emails", 3, search).await;
}

/// Where there is much, what stands of it no more is passed by.
#[tokio::test]
async fn a_tenants_lists_of_few_leave_connections_to_others() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MAX", "4")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    let list = |n: usize| {
        let few = if n.is_multiple_of(2) { "delivery=failed" } else { "could_not_ask=true" };
        server.request(Method::GET, &format!("/api/emails?tenant_id=acme&{few}"), Some(&viewer))
    };
    leave_connections_to_others(&server, "emails", 1, list).await;
}

/// Where there is much, to count it all takes as long.
#[tokio::test]
async fn a_tenants_counts_leave_connections_to_others() {
    let server = TestServer::start_idle(&[("DATABASE_POOL_MAX", "4")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let admin = server.key_of("acme", Role::Admin).await;
    server.receive("acme", message("a@x.example", "hello", "x")).await;
    let get = |path: &str| server.request(Method::GET, &format!("{path}tenant_id=acme"), Some(&admin));
    let count = |n| match n % 4 {
        0 => get("/api/stats?"),
        1 => {
            let request = server.request(Method::POST, "/ui/dashboard", Some(&admin));
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.body("tenant_id=acme&period=week")
        }
        2 => get("/api/emails?to=2000-01-01T00:00:00Z&"),
        _ => get("/api/audit-log?actor=nobody&"),
    };
    leave_connections_to_others(&server, "emails, audit_log", 1, count).await;
}
