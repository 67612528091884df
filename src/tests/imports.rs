//! Messages from files: each is stored by itself, once, with the bytes that it has elsewhere.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::auth::dto::Role;

const MBOX: &str = "application/mbox";
const EML: &str = "message/rfc822";

async fn send(server: &TestServer, key: &str, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = server.request(Method::POST, "/api/emails/import?tenant_id=acme", Some(key));
    Answer::of(request.header("content-type", kind).body(body).send().await.unwrap()).await
}

/// What became of the messages of a file.
async fn import(server: &TestServer, kind: &str, body: impl Into<reqwest::Body>) -> Value {
    send(server, &server.key, kind, body).await.is(StatusCode::OK).body
}

/// Each after a line of its own, as an mbox has them.
fn mbox<'a>(messages: impl IntoIterator<Item = &'a str>) -> String {
    let entry = |message| format!("From ann@x.example Mon Nov 23 10:00:00 2026\n{message}\n");
    messages.into_iter().map(entry).collect()
}

async fn listed(server: &TestServer) -> Vec<Value> {
    let list = server.get("/api/emails?tenant_id=acme").await.is(StatusCode::OK).body;
    list.as_array().unwrap().clone()
}

/// The bytes of the message with this subject.
async fn bytes_of(server: &TestServer, subject: &str) -> String {
    let all = listed(server).await;
    let email = all.iter().find(|email| email["subject"] == subject).unwrap();
    let path = format!("/api/emails/{}/raw?tenant_id=acme", email["email_id"].as_str().unwrap());
    server.get(&path).await.is(StatusCode::OK).text
}

/// Whether nothing is left on the disk of what came in.
fn nothing_is_left(server: &TestServer) -> bool {
    let folder = server.app.config.files_dir(&"acme".parse().unwrap());
    std::fs::read_dir(folder).is_ok_and(|mut names| names.next().is_none())
}

#[tokio::test]
async fn a_file_of_many_is_taken_in_message_by_message_and_once() {
    let server = TestServer::start_idle(&[("MAX_MESSAGE_BYTES", "1000")]).await;
    server.tenant("acme").await;
    let head = "From: ann@x.example\nTo: service@acme.example\nSubject:";
    let quoted = format!("{head} quoted\n\nHello\n>From here on\n>>From there\n");
    let large = format!("{head} large\nMessage-ID: <large@x.example>\n\n{}\n", "x".repeat(5_000));
    // As large as a message may be: the empty line after it is the file's.
    let just = format!("{head} just\n\n");
    let just = format!("{just}{}\n", "x".repeat(1_000 - just.len() - 1));
    let file = mbox([quoted.as_str(), &large, &just]);
    let expected = json!({
        "found": 3,
        "stored": 2,
        "known": 0,
        "refused_count": 1,
        "refused": [{
            "number": 2,
            "message_id": "large@x.example",
            "reason": "It is larger than a message may be: 1000 bytes",
        }],
    });
    assert_eq!(import(&server, MBOX, file.clone()).await, expected);
    assert_eq!(listed(&server).await.len(), 2);
    let unquoted = format!("{head} quoted\n\nHello\nFrom here on\n>From there\n");
    assert_eq!(bytes_of(&server, "quoted").await, unquoted);
    assert_eq!(bytes_of(&server, "just").await, just);
    assert!(nothing_is_left(&server));

    // The same again, and without the empty line that not every program writes at the end.
    for again in [file.as_str(), file.strip_suffix('\n').unwrap()] {
        let again = import(&server, MBOX, again.to_owned()).await;
        assert_eq!(
            (&again["stored"], &again["known"], &again["refused_count"]),
            (&json!(0), &json!(2), &json!(1))
        );
    }
    // What was stored by itself is known in a file, and the other way round.
    let posted = server.request(Method::POST, "/api/emails?tenant_id=acme", Some(&server.key));
    let posted = posted.header("content-type", EML).body(unquoted.clone()).send().await.unwrap();
    assert_eq!(Answer::of(posted).await.is(StatusCode::ACCEPTED).body["duplicate"], true);
    assert_eq!(import(&server, EML, unquoted).await["known"], 1);
    let mut conn = server.database().superuser().await;
    let counts: (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM emails), (SELECT count(*) FROM jobs), \
         (SELECT count(*) FROM audit_log WHERE action = 'email.receive')",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    assert_eq!(counts, (2, 2, 2), "each with its job, and told of once");
}

#[tokio::test]
async fn a_file_of_one_message_is_that_message_byte_for_byte() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let raw = message("Ann <ann@x.example>", "one", "World\r\n>From here on\r\n\r\n");
    let first = import(&server, EML, raw.clone()).await;
    assert_eq!(first, json!({"found": 1, "stored": 1, "known": 0, "refused_count": 0, "refused": []}));
    assert_eq!(bytes_of(&server, "one").await, raw);
    let id = listed(&server).await[0]["email_id"].clone();
    assert_eq!(json!(server.receive("acme", raw).await), id, "posted by itself, it is known");
}

/// What it is called is another program's guess: were it believed, all but the first would be lost in the text of that.
#[tokio::test]
async fn a_file_of_many_that_is_said_to_be_one_message_is_taken_in_message_by_message() {
    let server = TestServer::start_idle(&[("MAX_MESSAGE_BYTES", "1000")]).await;
    server.tenant("acme").await;
    let subjects = ["one", "two", "three", "four", "five"];
    let messages = subjects.map(|subject| message("a@x.example", subject, &"x".repeat(100)));
    let file = mbox(messages.iter().map(String::as_str));
    assert!(file.len() > 1_000, "it is larger than a message may be");
    let all = json!({"found": 5, "stored": 5, "known": 0, "refused_count": 0, "refused": []});
    assert_eq!(import(&server, EML, file.clone()).await, all);
    for (subject, raw) in subjects.iter().zip(&messages) {
        assert_eq!(bytes_of(&server, subject).await, *raw);
    }
    assert_eq!(import(&server, MBOX, file).await["known"], 5);

    // The line before each names the time as the program does, but no text is taken for one.
    let of = |subject: &str, line: &str| format!("{line}\n{}\n", message("a@x.example", subject, "x"));
    let dated = "From ann@x.example Mon, 23 Nov 2026 10:00:00 +0100";
    let file = of("six", dated) + &of("seven", "From - lun. nov. 23 10:00:00 2026");
    assert_eq!(import(&server, EML, file).await["stored"], 2);
    let prose = of("eight", "From Monday") + &of("nine", "From Monday");
    assert_eq!(import(&server, EML, prose).await["found"], 1);

    // One message that some program kept with such a line before it is that message, as it is posted.
    let kept = "From ann@x.example Mon Nov 23 10:00:00 2026\nFrom: a@x.example\nSubject: kept\n\nSo:\n\nFrom here on\nit is: mine\n";
    let posted = server.receive("acme", kept).await;
    let known = json!({"found": 1, "stored": 0, "known": 1, "refused_count": 0, "refused": []});
    assert_eq!(import(&server, EML, kept).await, known);
    let raw = server.get(&format!("/api/emails/{posted}/raw?tenant_id=acme")).await.is(StatusCode::OK).text;
    assert_eq!(raw, kept);
}

#[tokio::test]
async fn what_holds_no_message_or_is_not_for_this_caller_is_refused_whole() {
    let server = TestServer::start_idle(&[("FILE_MAX_BYTES", "50000"), ("MAX_MESSAGE_BYTES", "1000")]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let file = mbox([message("a@x.example", "x", "x").as_str()]);
    let stranger = server.key_of("globex", Role::Admin).await;
    send(&server, &stranger, MBOX, file.clone()).await.is(StatusCode::NOT_FOUND);
    let viewer = server.key_of("acme", Role::Viewer).await;
    send(&server, &viewer, MBOX, file.clone()).await.is(StatusCode::FORBIDDEN);
    for kind in
        ["text/plain", "application/octet-stream", "multipart/form-data; boundary=x", "application/json"]
    {
        let detail = "The body must be application/mbox or message/rfc822";
        let refused = send(&server, &server.key, kind, file.clone()).await;
        refused.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    // Bounded, however long its lines are.
    let (lines, line) = ("no message\n".repeat(4_000), "x".repeat(50_000));
    for (kind, body) in
        [(EML, ""), (MBOX, ""), (MBOX, &*lines), (MBOX, &*line), (MBOX, "\nfrom a\n>From b\n")]
    {
        let refused = send(&server, &server.key, kind, body.to_owned()).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.fields(), ["body"], "{kind}");
    }
    let refused = send(&server, &server.key, MBOX, message("a@x.example", "x", "x")).await;
    let detail = "The file holds no message: in an mbox, each follows a line that begins with 'From ' \
        (one by itself is message/rfc822)";
    refused.problem(StatusCode::BAD_REQUEST, detail);
    for kind in [EML, MBOX] {
        let detail = "The file is larger than this server takes: 50000 bytes";
        let refused = send(&server, &server.key, kind, "x".repeat(50_001)).await;
        refused.problem(StatusCode::PAYLOAD_TOO_LARGE, detail);
    }
    assert!(listed(&server).await.is_empty() && nothing_is_left(&server));
    let large = import(&server, EML, "x".repeat(1_001)).await;
    assert_eq!((&large["refused_count"], &large["refused"][0]["message_id"]), (&json!(1), &Value::Null));
    let operator = server.key_of("acme", Role::Operator).await;
    let taken = send(&server, &operator, MBOX, file).await.is(StatusCode::OK).body;
    assert_eq!(taken["stored"], 1);
}

#[tokio::test]
async fn of_many_that_are_refused_the_first_are_named_and_all_are_counted() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let some = message("a@x.example", "x", "x");
    let none = std::iter::repeat_n("", 120);
    let imported = import(&server, MBOX, mbox(none.chain([some.as_str()]))).await;
    let counts = ["found", "stored", "refused_count"].map(|name| imported[name].as_i64().unwrap());
    assert_eq!(counts, [121, 1, 120]);
    let refused = imported["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 100);
    assert_eq!(refused[99], json!({"number": 100, "message_id": null, "reason": "It is empty"}));
}

#[tokio::test]
async fn what_was_stored_before_a_fault_stays_and_the_file_is_sent_again() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let messages = ["first", "fault", "last"].map(|subject| message("a@x.example", subject, "x"));
    let file = mbox(messages.iter().map(String::as_str));
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a secret'; END $$; \
         CREATE TRIGGER break_off BEFORE INSERT ON emails FOR EACH ROW WHEN (NEW.subject = 'fault') \
         EXECUTE FUNCTION break_off()",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let sent = async || {
        let request = server.request(Method::POST, "/api/emails/import?tenant_id=acme", Some(&server.key));
        let request = request.header("content-type", MBOX).header("idempotency-key", "file-1");
        Answer::of(request.body(file.clone()).send().await.unwrap()).await
    };
    let broken = sent().await.is(StatusCode::SERVICE_UNAVAILABLE);
    let detail = broken.body["detail"].as_str().unwrap();
    let said = ". Before that, 1 message was stored for good: the same file may be sent again";
    assert!(detail.ends_with(said) && !detail.contains("secret"), "{detail}");
    assert_eq!(listed(&server).await.len(), 1);
    assert!(nothing_is_left(&server));
    sqlx::raw_sql("DROP TRIGGER break_off ON emails").execute(&mut conn).await.unwrap();
    let again = sent().await.is(StatusCode::OK).body;
    assert_eq!((&again["stored"], &again["known"]), (&json!(2), &json!(1)));
}

/// Each time a request's time is up. What is known already must not use it up again.
#[tokio::test]
async fn a_file_of_more_than_a_request_has_time_for_is_taken_in_by_sending_it_again() {
    const MESSAGES: usize = 120;
    let server = TestServer::start_idle(&[("REQUEST_TIMEOUT_S", "1")]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           PERFORM pg_sleep(0.02); RETURN NEW; END $$; \
         CREATE TRIGGER take_time BEFORE INSERT ON emails FOR EACH ROW EXECUTE FUNCTION take_time()",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let messages: Vec<String> =
        (0..MESSAGES).map(|n| message("a@x.example", &format!("number {n}"), "x")).collect();
    let file = mbox(messages.iter().map(String::as_str));
    let mut tries = 0;
    let done = loop {
        let answer = send(&server, &server.key, MBOX, file.clone()).await;
        if answer.status == StatusCode::OK {
            break answer.body;
        }
        tries += 1;
        assert!(tries < 40, "it never ends: {}", answer.text);
    };
    assert!(tries > 0, "it takes more than one request");
    assert_eq!(done["found"], MESSAGES);
    assert_eq!(done["stored"].as_u64().unwrap() + done["known"].as_u64().unwrap(), MESSAGES as u64);
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM emails").fetch_one(&mut conn).await.unwrap();
    assert_eq!(stored, MESSAGES as i64);
}
