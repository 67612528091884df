//! The beginning of a message's text, as lists show it: stored with the message, and gone with it.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use super::support::{TestServer, message};
use crate::retention::server::worker::{self, Turn};

/// What a list shows of its messages, the newest first.
async fn listed(server: &TestServer, query: &str) -> Vec<String> {
    let list = server.get(&format!("/api/emails?{query}")).await.is(StatusCode::OK).body;
    list.as_array().unwrap().iter().map(|email| email["preview"].as_str().unwrap().to_owned()).collect()
}

async fn run_again(server: &TestServer, id: &str) -> Value {
    let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
    server.decided("acme", id).await
}

#[tokio::test]
async fn a_list_shows_what_its_messages_begin_with_before_they_are_decided_and_nobody_elses() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let answer = "Where is\r\n  my order?\r\n\r\nOn 1 Dec 2026, at 10:00, Ann wrote:\r\n> which one?\r\n-- \r\nBob, Sales";
    let html = "<style>p{color:red}</style><p>Two <b>lamps</b> are</p><p>missing &amp; one is broken";
    let rich =
        message("ann@x.example", "rich", html).replacen("\r\n\r\n", "\r\nContent-Type: text/html\r\n\r\n", 1);
    let forged = message("ann@x.example", "forged", "safe\u{202e}evil\u{1b}[2J").replacen(
        "\r\n\r\n",
        "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n",
        1,
    );
    let mut ids = Vec::new();
    for raw in [
        message("bob@x.example", "Re: answer", answer),
        rich,
        forged,
        message("ann@x.example", "long", &"word ".repeat(1_000)),
        message("ann@x.example", "empty", ""),
        "no header, so it is no message".to_owned(),
    ] {
        ids.push(server.receive("acme", raw).await);
    }
    server.receive("globex", message("zoe@y.example", "theirs", "Our server is down")).await;

    let shown = listed(&server, "tenant_id=acme").await;
    let long = shown[2].clone();
    assert_eq!(
        (long.chars().count(), long.starts_with("word word "), long.ends_with('…')),
        (160, true, true)
    );
    let answer = "Where is my order?";
    let (rich, forged) = ("Two lamps are missing & one is broken", "safeevil [2J");
    assert_eq!(
        shown,
        ["", "", long.as_str(), forged, rich, answer],
        "no message, an empty one, and the others"
    );
    assert_eq!(listed(&server, "tenant_id=globex").await, ["Our server is down"]);
    for (id, shown) in ids.iter().zip(shown.iter().rev()) {
        let email = server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body;
        assert_eq!(email["preview"], *shown, "{id}");
        server.get(&format!("/api/emails/{id}?tenant_id=globex")).await.is(StatusCode::NOT_FOUND);
    }

    // Each list has it, as it is stored: one found in texts, and one that begins with the few of another table.
    let mut conn = server.database().superuser().await;
    let sql = "UPDATE emails SET fields = '{}' WHERE email_id = $1::uuid";
    sqlx::query(sql).bind(&ids[0]).execute(&mut conn).await.unwrap();
    let failed = "INSERT INTO verdicts (tenant_id, email_id, run, position, rule_id, rule_type, field_name, on_fail, \
           verdict, reason, evidence, duration_ms) \
         SELECT tenant_id, email_id, run, 1, 1, 'exists', 'subject', 'reject', 'error', '', '{}', 0 \
         FROM emails WHERE email_id = $1::uuid";
    sqlx::query(failed).bind(&ids[0]).execute(&mut conn).await.unwrap();
    for query in ["q=bob%40x.example", "could_not_ask=true", "q=answer&waiting=true&without_intent=true"] {
        assert_eq!(listed(&server, &format!("tenant_id=acme&{query}")).await, [answer], "{query}");
    }
}

#[tokio::test]
async fn what_came_before_previews_were_kept_has_one_once_it_is_run_again() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let email = server.decide("acme", message("ann@x.example", "order", "Where is it?")).await;
    let id = email["email_id"].as_str().unwrap();
    assert_eq!((&email["preview"], &email["intent"]), (&json!("Where is it?"), &Value::Null));
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE emails SET preview = DEFAULT").execute(&mut conn).await.unwrap();
    assert_eq!(listed(&server, "tenant_id=acme").await, [""]);
    let email = run_again(&server, id).await;
    assert_eq!((&email["preview"], &email["run"]), (&json!("Where is it?"), &json!(2)));
    // A person's word leaves it as it is.
    let path = format!("/api/emails/{id}/decision?tenant_id=acme");
    let decided = server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK).body;
    assert_eq!(decided["preview"], "Where is it?");
}

/// The tables of which a row holds the text, wherever it stands in it.
async fn holding(conn: &mut PgConnection, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT tablename::text FROM pg_tables WHERE schemaname = 'eivs' AND tablename <> '_sqlx_migrations' ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let sql = format!("SELECT EXISTS (SELECT FROM {table} t WHERE strpos(t::text, $1) > 0)");
        let holds = sqlx::query_scalar::<_, bool>(AssertSqlSafe(sql));
        if holds.bind(text).fetch_one(&mut *conn).await.unwrap() {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn it_goes_with_its_message_and_nothing_else_has_it() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let text = "planted-words-of-a-stranger";
    let email = server.decide("acme", message("ann@x.example", "old", text)).await;
    let id = email["email_id"].as_str().unwrap();
    assert_eq!(run_again(&server, id).await["preview"], text);
    server.decide("acme", message("ann@x.example", "new", "other words")).await;
    let mut conn = server.database().superuser().await;
    assert_eq!(holding(&mut conn, text).await, ["emails"]);
    for path in ["/api/audit-log", "/api/export", "/api/deliveries", "/api/stats"] {
        let answer = server.get(&format!("{path}?tenant_id=acme")).await.is(StatusCode::OK);
        assert!(!answer.text.contains(text), "{path}");
    }

    // It waits for a person, so it is kept for twice as long.
    server.put("/api/retention?tenant_id=acme", &json!({"message_days": 90})).await.is(StatusCode::OK);
    sqlx::query("UPDATE emails SET received_at = now() - interval '181 days' WHERE email_id = $1::uuid")
        .bind(id)
        .execute(&mut conn)
        .await
        .unwrap();
    assert_eq!(worker::turn(&server.app).await.unwrap(), Turn { deleted: 1, is_unfinished: false });
    assert_eq!(holding(&mut conn, text).await, [""; 0]);
    assert_eq!(listed(&server, "tenant_id=acme").await, ["other words"]);
}

#[tokio::test]
async fn what_an_answer_quotes_below_stands_apart_on_its_page() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let page = async |body: &str| {
        let email = server.decide("acme", message("ann@x.example", "Re: your order", body)).await;
        let path = format!("/t/acme/messages/{}", email["email_id"].as_str().unwrap());
        // Without what stands between texts for the browser's side.
        server.get(&path).await.is(StatusCode::OK).text.replace("<!>", "")
    };
    let (said, quoted) = ("Please cancel it.", "On 1 Dec 2026, at 10:00, Acme wrote:\r\n> Which one?");
    let whole = page(&format!("{said}\r\n\r\n{quoted}")).await;
    let (before, fold) = whole.split_once("<summary>Quoted text</summary>").expect("a fold");
    let (before, details) = before.rsplit_once("<details").unwrap();
    assert!(details.contains(" open"), "what decided it is seen: {details}");
    let (_, shown) = before.rsplit_once("data-testid=\"body\"").expect("the text");
    assert!(shown.contains(">Please cancel it.</div>"), "{shown}");
    let begin = fold.split("</details>").next().unwrap();
    assert!(begin.contains("Acme wrote:") && begin.contains("Which one?"), "{begin}");
    let below = format!("{quoted}\r\n\r\n{said}");
    for body in [said, below.as_str(), "> all is quoted"] {
        assert!(!page(body).await.contains("Quoted text"), "{body}");
    }
}
