//! Examples, training in the background, suggestions, the gate, corrections.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, eventually, message};
use crate::{
    auth::dto::Role,
    classifier::server::{
        repository::{self, Most},
        worker as training,
    },
    retention::server::worker as retaining,
};

const RETURNS: [&str; 12] = [
    "I want to return the shoes, they are too small",
    "How can I send this jacket back?",
    "please take the jacket back, it does not fit",
    "I would like to return my order",
    "can I return an item that I have worn once",
    "send me a return label for the boots",
    "the dress is the wrong size, I want to send it back",
    "returning a pair of trousers, what do I do",
    "may I give the lamp back and get my money",
    "I changed my mind and want to return the chair",
    "where do I send the parcel back to",
    "return of my shirt, it is too large",
];
const INVOICES: [&str; 12] = [
    "attached is our invoice for October",
    "invoice 4711 is due on Friday, please pay",
    "please find the bill for our services attached",
    "reminder: your payment of invoice 12 is overdue",
    "our bank details for the invoice have not changed",
    "this month's invoice with the VAT number",
    "invoice for the delivery of paper, 30 days net",
    "please transfer the amount of the bill to our account",
    "second reminder, the invoice has not been paid",
    "the invoice total is 300 euro including VAT",
    "we send you the invoice for the repair",
    "payment is due, see the attached bill",
];

async fn intent(server: &TestServer, tenant: &str, name: &str) -> i64 {
    let path = format!("/api/intents?tenant_id={tenant}");
    server.post(&path, &json!({"name": name})).await.is(StatusCode::CREATED).id("intent_id")
}

async fn teach(server: &TestServer, tenant: &str, intent: i64, texts: &[&str]) {
    for text in texts {
        let path = format!("/api/intents/{intent}/examples?tenant_id={tenant}");
        server.post(&path, &json!({"text": text})).await.is(StatusCode::CREATED);
    }
}

async fn trained(server: &TestServer, tenant: &str, on: usize) -> Value {
    eventually("the classifier is trained", async || {
        let state = server.get(&format!("/api/classifier?tenant_id={tenant}")).await.is(StatusCode::OK).body;
        (state["state"] == "ready" && state["trained_on"] == on).then_some(state)
    })
    .await
}

async fn set_gate(server: &TestServer, tenant: &str, gate: f64) -> Value {
    let path = format!("/api/classifier?tenant_id={tenant}");
    server.put(&path, &json!({"gate": gate})).await.is(StatusCode::OK).body
}

#[tokio::test]
async fn it_suggests_from_examples_and_gives_the_intent_once_the_gate_is_reached() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let path = "/api/classifier?tenant_id=acme";
    let empty = server.get(path).await.is(StatusCode::OK).body;
    assert_eq!(
        (&empty["state"], &empty["suggests_only"], &empty["gate"]),
        (&json!("none"), &json!(true), &json!(0.95))
    );
    let returns = intent(&server, "acme", "Return request").await;
    let invoices = intent(&server, "acme", "Invoice").await;
    teach(&server, "acme", returns, &RETURNS[..8]).await;
    teach(&server, "acme", invoices, &INVOICES[..8]).await;
    let state = trained(&server, "acme", 16).await;
    assert_eq!(state["suggests_only"], true, "too few answers to measure it by: {state}");
    let counted = server.get(&format!("/api/intents/{returns}?tenant_id=acme")).await.body;
    assert_eq!(counted["examples_count"], 8);

    let text = message("a@x.example", "Shoes", "I want to return the shoes, please send me a return label");
    let email = server.decide("acme", text.clone()).await;
    assert_eq!((&email["decision"], &email["intent"]), (&json!("review"), &Value::Null), "{email}");
    let suggestion = &email["classification"]["suggestion"];
    assert_eq!(suggestion["intent"], "Return request", "{email}");
    assert!(
        suggestion["words"].as_array().unwrap().iter().any(|word| word["word"] == "return"),
        "{suggestion}"
    );
    assert_eq!(suggestion["runners_up"][0]["intent"], "Invoice");
    let why = email["explanation"].as_str().unwrap();
    assert!(why.contains("It looks like Return request (") && why.contains("only suggests until"), "{why}");

    teach(&server, "acme", returns, &RETURNS[8..]).await;
    teach(&server, "acme", invoices, &INVOICES[8..]).await;
    trained(&server, "acme", 24).await;
    let state = set_gate(&server, "acme", 0.6).await;
    assert_eq!(state["suggests_only"], false, "{state}");
    assert!(state["threshold"].is_number() && state["why"].as_str().unwrap().starts_with("It gives intents"));
    let id = email["email_id"].as_str().unwrap();
    server
        .post(&format!("/api/emails/{id}/reprocess?tenant_id=acme"), &json!({}))
        .await
        .is(StatusCode::ACCEPTED);
    let email = server.decided("acme", id).await;
    assert_eq!(email["classification"]["method"], "classifier", "{email}");
    assert_eq!(
        (&email["intent"]["name"], &email["decision"]),
        (&json!("Return request"), &json!("accepted"))
    );

    // A stricter gate takes the right away at once.
    let answer = server.put(path, &json!({"gate": 0.4})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(answer.fields(), ["gate"]);
    let test = "/api/classifier/test?tenant_id=acme";
    let said =
        server.post(test, &json!({"text": "please pay the attached invoice"})).await.is(StatusCode::OK).body;
    assert_eq!(said["suggestion"]["intent"], "Invoice", "{said}");
    let said = server.post(test, &json!({"text": "zzz qqq"})).await.is(StatusCode::OK).body;
    assert_eq!(said["suggestion"], Value::Null, "{said}");
    let bad = server.post(test, &json!({"text": " "})).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(bad.fields(), ["text"]);

    // Its examples go with an intent, and an inactive or deleted intent is never suggested.
    server.delete(&format!("/api/intents/{invoices}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    let state = eventually("the model goes", async || {
        let state = server.get(path).await.body;
        (state["state"] == "none").then_some(state)
    })
    .await;
    assert_eq!(state["examples"].as_array().unwrap().len(), 1, "{state}");
    server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_correction_decides_the_message_and_becomes_an_example() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    let invoices = intent(&server, "acme", "Invoice").await;
    let email = server.decide("acme", message("a@x.example", "Boots", "They shall go back")).await;
    let id = email["email_id"].as_str().unwrap();
    let path = format!("/api/emails/{id}/intent?tenant_id=acme");
    let examples = async |intent: i64| {
        let path = format!("/api/intents/{intent}/examples?tenant_id=acme");
        server.get(&path).await.is(StatusCode::OK).body.as_array().unwrap().clone()
    };
    for chosen in [invoices, returns] {
        server.post(&path, &json!({"intent_id": chosen})).await.is(StatusCode::ACCEPTED);
        let email = server.decided("acme", id).await;
        assert_eq!((&email["intent"]["intent_id"], &email["decision"]), (&json!(chosen), &json!("accepted")));
        assert_eq!(email["classification"]["method"], "corrected");
        assert_eq!(email["classification"]["because"], json!(["API key test said so"]));
    }
    assert!(examples(invoices).await.is_empty(), "the later word replaces the earlier");
    let kept = examples(returns).await;
    assert_eq!((kept.len(), &kept[0]["text"]), (1, &json!("Boots\nThey shall go back")));
    assert_eq!((&kept[0]["origin"], &kept[0]["email_id"]), (&json!("correction"), &json!(id)));
    server.post(&path, &json!({"intent_id": null})).await.is(StatusCode::ACCEPTED);
    let email = server.decided("acme", id).await;
    assert_eq!((&email["intent"], &email["decision"]), (&Value::Null, &json!("review")));
    assert_eq!(
        email["explanation"],
        "No intent: API key test said that it belongs to none. A person should look at it."
    );
    assert!(examples(returns).await.is_empty());
    let state = server.get("/api/classifier?tenant_id=acme").await.body;
    assert_eq!(state["examples"], json!([{"intent_id": null, "name": null, "count": 1}]));
    // A correction stands when the message runs again.
    server
        .post(&format!("/api/emails/{id}/reprocess?tenant_id=acme"), &json!({}))
        .await
        .is(StatusCode::ACCEPTED);
    assert_eq!(server.decided("acme", id).await["classification"]["method"], "corrected");

    for (body, status, field) in [
        (json!({}), StatusCode::UNPROCESSABLE_ENTITY, "intent_id"),
        (json!({"intent_id": "x"}), StatusCode::UNPROCESSABLE_ENTITY, "intent_id"),
        (json!({"intent_id": 1, "more": 1}), StatusCode::UNPROCESSABLE_ENTITY, "more"),
    ] {
        assert_eq!(server.post(&path, &body).await.is(status).fields(), [field], "{body}");
    }
    let unknown = server.post(&path, &json!({"intent_id": 999_999})).await;
    assert_eq!(unknown.problem(StatusCode::BAD_REQUEST, "Invalid intent").fields(), ["intent_id"]);
    let nobody = "/api/emails/01890a5d-ac96-774b-bcce-b302099a8057/intent?tenant_id=acme";
    server.post(nobody, &json!({"intent_id": returns})).await.is(StatusCode::NOT_FOUND);
}

/// What an answer quotes of earlier messages was said by others, of something else.
#[tokio::test]
async fn what_an_answer_quotes_is_neither_judged_nor_learned() {
    const NEW: &str = "the invoice is overdue, please pay the bill";
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    let invoices = intent(&server, "acme", "Invoice").await;
    teach(&server, "acme", returns, &RETURNS).await;
    teach(&server, "acme", invoices, &INVOICES).await;
    trained(&server, "acme", 24).await;
    let quoted = RETURNS.map(|text| format!("> {text}\r\n")).concat();
    let answer =
        format!("{NEW}\r\n\r\nOn Tue, Dec 1, 2026 at 10:00 AM Ann <ann@x.example> wrote:\r\n\r\n{quoted}");
    let email = server.decide("acme", message("a@x.example", "Re: hello", &answer)).await;
    let suggestion = &email["classification"]["suggestion"];
    assert_eq!(suggestion["intent"], "Invoice", "{email:#}");
    let words: Vec<&str> =
        suggestion["words"].as_array().unwrap().iter().filter_map(|word| word["word"].as_str()).collect();
    let said: Vec<&str> = NEW.split([' ', ',']).chain(["re", "hello"]).collect();
    assert!(!words.is_empty() && words.iter().all(|word| said.contains(word)), "{words:?}");

    // Where nothing else is said, what is quoted is what is meant; and so is what is handed on.
    for (subject, body) in [
        ("Re: hello", quoted.clone()),
        ("Fwd: hello", format!("See below.\r\n\r\n---------- Forwarded message ---------\r\n{quoted}")),
    ] {
        let email = server.decide("acme", message("a@x.example", subject, &body)).await;
        let suggestion = &email["classification"]["suggestion"];
        assert_eq!(suggestion["intent"], "Return request", "{subject}: {email:#}");
    }

    let id = email["email_id"].as_str().unwrap();
    let learned = async |intent: i64| {
        let path = format!("/api/emails/{id}/intent?tenant_id=acme");
        server.post(&path, &json!({"intent_id": intent})).await.is(StatusCode::ACCEPTED);
        server.decided("acme", id).await;
        let path = format!("/api/intents/{intent}/examples?tenant_id=acme");
        server.get(&path).await.is(StatusCode::OK).body[0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(learned(invoices).await, format!("Re: hello\n{NEW}"));
    // Of a message that was stored before that was told apart, all is read that is there.
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE emails SET fields = fields - 'new_text'").execute(&mut conn).await.unwrap();
    let all = learned(returns).await;
    assert!(all.contains(NEW) && all.contains(RETURNS[0]), "{all}");
}

/// What a person said, or a sender asked for, is an intent, whatever it is called since.
#[tokio::test]
async fn a_correction_and_a_request_follow_their_intent_to_a_new_name() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let orders = intent(&server, "acme", "Orders").await;
    let email = server.decide("acme", message("a@x.example", "Boots", "They shall go back")).await;
    let corrected = email["email_id"].as_str().unwrap();
    let path = format!("/api/emails/{corrected}/intent?tenant_id=acme");
    server.post(&path, &json!({"intent_id": orders})).await.is(StatusCode::ACCEPTED);
    assert_eq!(server.decided("acme", corrected).await["intent"]["name"], "Orders");
    let path = "/api/emails?tenant_id=acme&intent=Orders";
    let request = server.request(Method::POST, path, Some(&server.key));
    let request = request.header("content-type", "message/rfc822");
    let request = request.body(message("a@x.example", "Shoes", "x"));
    let answer = Answer::of(request.send().await.unwrap()).await.is(StatusCode::ACCEPTED).body;
    let requested = answer["email_id"].as_str().unwrap();
    assert_eq!(server.decided("acme", requested).await["intent"]["name"], "Orders");

    let path = format!("/api/intents/{orders}?tenant_id=acme");
    let change = async |name: &str, is_active: bool| {
        let mut changed = server.get(&path).await.is(StatusCode::OK).body;
        changed["name"] = name.into();
        changed["is_active"] = is_active.into();
        server.put(&path, &changed).await.is(StatusCode::OK);
    };
    let again = async |id: &str, versions: &str| {
        let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
        server.post(&path, &json!({"versions": versions})).await.is(StatusCode::ACCEPTED);
        let email = server.decided("acme", id).await;
        (email["intent"].clone(), email["classification"]["method"].clone())
    };
    change("Purchases", true).await;
    // Another one takes the name: what was said of the first does not go over to it.
    let other = intent(&server, "acme", "Orders").await;
    let named = |id: i64, name: &str| json!({"intent_id": id, "name": name});
    for (id, method) in [(corrected, "corrected"), (requested, "requested")] {
        assert_eq!(again(id, "decision").await, (named(orders, "Orders"), json!(method)), "as it was then");
        assert_eq!(again(id, "today").await, (named(orders, "Purchases"), json!(method)));
    }
    change("Purchases", false).await;
    for id in [corrected, requested] {
        assert_eq!(again(id, "today").await.0, Value::Null, "no other stands for one that is not active");
    }
    change("Purchases", true).await;
    assert_eq!(again(corrected, "today").await.0, named(orders, "Purchases"));
    // Only where it is gone, the name is all that is left of it.
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    for (id, method) in [(corrected, "corrected"), (requested, "requested")] {
        assert_eq!(again(id, "today").await, (named(other, "Orders"), json!(method)));
    }
}

/// Copies of one text, as a shop sends them, say nothing of how good the classifier is.
#[tokio::test]
async fn copies_with_other_numbers_do_not_open_the_gate() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let orders = intent(&server, "acme", "Order").await;
    let invoices = intent(&server, "acme", "Invoice").await;
    let shipped: Vec<String> = (990..1_010).map(|i| format!("Your order {i} was shipped")).collect();
    let due: Vec<String> = (90..110).map(|i| format!("Invoice {i} is due on Friday")).collect();
    for (intent, texts) in [(orders, shipped), (invoices, due)] {
        teach(&server, "acme", intent, &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    trained(&server, "acme", 40).await;
    let state = set_gate(&server, "acme", 0.5).await;
    assert_eq!(state["suggests_only"], true, "{state}");
    let why = state["why"].as_str().unwrap();
    assert!(
        why.contains("2 of 40 examples (those that differ in numbers alone count once) are too few"),
        "{why}"
    );
}

/// Of a version before, a gate may be open that would not be any more.
#[tokio::test]
async fn what_a_server_of_before_measured_is_measured_anew() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    teach(&server, "acme", returns, &RETURNS[..1]).await;
    let mut conn = server.database().superuser().await;
    let is_measured =
        "SELECT trained_revision > 0 AND measured_revision = trained_revision FROM classifier_settings";
    for _ in 0..2 {
        eventually("it is measured", async || {
            let is_so: Option<bool> = sqlx::query_scalar(is_measured).fetch_one(&mut conn).await.unwrap();
            is_so.filter(|is_so| *is_so)
        })
        .await;
        let as_before = "UPDATE classifier_settings SET measured_revision = NULL";
        sqlx::raw_sql(as_before).execute(&mut conn).await.unwrap();
    }
}

/// Corrections come in while people work on messages, and nobody deletes them.
#[tokio::test]
async fn the_oldest_corrections_give_way_and_what_somebody_wrote_stays() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    teach(&server, "acme", returns, &RETURNS[..1]).await;
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "INSERT INTO intent_examples (tenant_id, text, text_hash, origin) \
         SELECT 'acme', s.n::text, sha256(convert_to(s.n::text, 'UTF8')), 'correction' \
         FROM generate_series(1, 19999) AS s (n) ORDER BY s.n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    // How many are written, how many are corrections, and the oldest of those.
    let examples = async || {
        let mut conn = server.database().superuser().await;
        let found: (i64, i64, Option<String>) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE origin = 'example'), count(*) FILTER (WHERE origin = 'correction'), \
             (SELECT text FROM intent_examples WHERE origin = 'correction' ORDER BY example_id LIMIT 1) \
             FROM intent_examples",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        found
    };
    let correct = async |body: &str| {
        let id = server.receive("acme", message("a@x.example", "Boots", body)).await;
        let path = format!("/api/emails/{id}/intent?tenant_id=acme");
        server.post(&path, &json!({"intent_id": returns})).await.is(StatusCode::ACCEPTED);
    };
    correct("They shall go back").await;
    // A hundredth goes with the one that is too many, and the next one has room.
    assert_eq!(examples().await, (1, 19_799, Some("202".into())));
    teach(&server, "acme", returns, &RETURNS[1..2]).await;
    assert_eq!(examples().await, (2, 19_799, Some("202".into())));
    sqlx::query(
        "INSERT INTO intent_examples (tenant_id, text, text_hash, origin) \
         SELECT 'acme', s.n::text, sha256(convert_to(s.n::text, 'UTF8')), 'correction' \
         FROM generate_series(20001, 20199) AS s (n)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::query("UPDATE intent_examples SET origin = 'example', intent_id = $1, email_id = NULL")
        .bind(returns)
        .execute(&mut conn)
        .await
        .unwrap();
    let path = format!("/api/intents/{returns}/examples?tenant_id=acme");
    let full = server.post(&path, &json!({"text": RETURNS[2]})).await;
    full.problem(StatusCode::BAD_REQUEST, "A tenant can have at most 20000 examples. Delete some first");
    correct("They go back as well").await;
    assert_eq!(examples().await, (20_000, 0, None));
}

/// However many and long they are: what is held of them while they are learned has an end.
#[tokio::test]
async fn of_very_many_examples_those_that_somebody_wrote_and_the_newest_are_learned() {
    let server = TestServer::start_idle(&[]).await;
    let acme = server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    teach(&server, "acme", returns, &RETURNS[..1]).await;
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "INSERT INTO intent_examples (tenant_id, text, text_hash, origin) \
         SELECT 'acme', t.text, sha256(convert_to(t.text, 'UTF8')), 'correction' FROM generate_series(1, 5) AS n, \
         LATERAL (SELECT n || repeat('x', CASE n WHEN 4 THEN 19999 ELSE 99 END) AS text) AS t ORDER BY n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let mut tx = server.app.database.tenant(&acme).await.unwrap();
    let most = Most { in_all: 350, of_one: 100 };
    let (_, learned) = repository::examples(&mut tx, most).await.unwrap();
    let starts: Vec<&str> = learned.iter().map(|(_, text)| &text[..1]).collect();
    assert_eq!(starts, ["I", "3", "4", "5"], "of the long one 100 bytes count");
    assert_eq!(learned[2].1.len(), 20_000);
}

/// A notice that comes every week is corrected every week, and the first one goes when it is old.
#[tokio::test]
async fn a_text_is_known_for_as_long_as_one_of_its_messages_is_there() {
    let server = TestServer::start().await;
    let acme = server.tenant("acme").await;
    let notices = intent(&server, "acme", "Notice").await;
    let q = "?tenant_id=acme";
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = server.receive("acme", message("a@x.example", "Notice", "No water on Monday")).await;
        let path = format!("/api/emails/{id}/intent{q}");
        server.post(&path, &json!({"intent_id": notices})).await.is(StatusCode::ACCEPTED);
        server.decided("acme", &id).await;
        ids.push(id);
    }
    let listed = async || {
        let path = format!("/api/intents/{notices}/examples{q}");
        server.get(&path).await.is(StatusCode::OK).body.as_array().unwrap().clone()
    };
    let counts_once = async |why: &str| {
        let state = server.get(&format!("/api/classifier{q}")).await.is(StatusCode::OK).body;
        assert_eq!(state["examples"], json!([{"intent_id": notices, "name": "Notice", "count": 1}]), "{why}");
        for path in [format!("/api/intents/{notices}{q}"), format!("/api/intents{q}")] {
            let found = server.get(&path).await.is(StatusCode::OK).body;
            let found = if found.is_array() { &found[0] } else { &found };
            assert_eq!(found["examples_count"], 1, "{why}");
        }
        let mut tx = server.app.database.tenant(&acme).await.unwrap();
        let most = Most { in_all: 10_000, of_one: 1_000 };
        let (_, learned) = repository::examples(&mut tx, most).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(learned.len(), 1, "{why}");
        assert_eq!(learned[0].1, "Notice\nNo water on Monday");
        let listed = listed().await;
        assert_eq!(listed.len(), 1, "{why}");
        listed[0]["email_id"].clone()
    };
    assert_eq!(counts_once("two corrections").await, ids[1]);

    server.put(&format!("/api/retention{q}"), &json!({"message_days": 90})).await.is(StatusCode::OK);
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "UPDATE emails SET received_at = now() - interval '91 days', \
         undo = jsonb_set(undo, '{at}', to_jsonb(now() - interval '3 minutes')) WHERE email_id = $1::uuid",
    )
    .bind(&ids[0])
    .execute(&mut conn)
    .await
    .unwrap();
    assert_eq!(retaining::turn(&server.app).await.unwrap().deleted, 1);
    server.get(&format!("/api/emails/{}{q}", ids[0])).await.is(StatusCode::NOT_FOUND);
    assert_eq!(counts_once("the first one is gone").await, ids[1]);

    // Written too, it stays whatever becomes of the messages; whoever deletes it has it forgotten.
    teach(&server, "acme", notices, &["Notice\nNo water on Monday"]).await;
    assert_eq!(counts_once("somebody wrote it").await, Value::Null);
    let example = listed().await[0]["example_id"].as_i64().unwrap();
    let path = format!("/api/intents/{notices}/examples/{example}{q}");
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(listed().await, Vec::<Value>::new());
}

/// A text that is corrected again and again is no reason to forget another.
#[tokio::test]
async fn of_too_many_corrections_those_go_first_that_are_known_twice() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "INSERT INTO intent_examples (tenant_id, text, text_hash, origin) \
         SELECT 'acme', t.text, sha256(convert_to(t.text, 'UTF8')), 'correction' FROM generate_series(1, 20000) AS n, \
         LATERAL (SELECT CASE WHEN n BETWEEN 3 AND 404 THEN 'again' ELSE n::text END AS text) AS t ORDER BY n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let mut gone = Vec::new();
    for text in &RETURNS[..2] {
        teach(&server, "acme", returns, &[*text]).await;
        let found: (i64, bool) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE text = 'again'), bool_or(text = '1') FROM intent_examples",
        )
        .fetch_one(&mut conn)
        .await
        .unwrap();
        gone.push(found);
        // As many others as gave way.
        sqlx::query(
            "INSERT INTO intent_examples (tenant_id, text, text_hash, origin) \
             SELECT 'acme', t.text, sha256(convert_to(t.text, 'UTF8')), 'correction' FROM generate_series(1, 200) AS n, \
             LATERAL (SELECT 'later ' || n AS text) AS t",
        )
        .execute(&mut conn)
        .await
        .unwrap();
    }
    assert_eq!(gone, [(201, true), (1, false)]);
}

/// The most rows that a step of a plan gives, or passes over (postgresql.org/docs/15/using-explain.html).
fn most_rows(plan: &Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let passed_over = number("Rows Removed by Filter") + number("Rows Removed by Join Filter");
    let own = (number("Actual Rows") + passed_over) * number("Actual Loops");
    plan["Plans"].as_array().into_iter().flatten().map(most_rows).fold(own, f64::max)
}

/// A notice that comes every hour is corrected every hour.
#[tokio::test]
async fn of_thousands_of_corrections_of_one_text_each_is_looked_at_once() {
    let server = TestServer::start_idle(&[]).await;
    let acme = server.tenant("acme").await;
    let notices = intent(&server, "acme", "Notice").await;
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "INSERT INTO intent_examples (tenant_id, intent_id, text, text_hash, origin) \
         SELECT 'acme', $1, 'again', sha256('again'), 'correction' FROM generate_series(1, 5000)",
    )
    .bind(notices)
    .execute(&mut conn)
    .await
    .unwrap();
    let mut tx = server.app.database.tenant(&acme).await.unwrap();
    let explain = |sql: &str| sqlx::AssertSqlSafe(format!("EXPLAIN (ANALYZE, FORMAT JSON) {sql}"));
    let list: Value = sqlx::query_scalar(explain(repository::LIST))
        .bind("acme")
        .bind(notices)
        .bind(None::<i64>)
        .bind(50_i64)
        .fetch_one(tx.conn())
        .await
        .unwrap();
    let examples: Value = sqlx::query_scalar(explain(repository::EXAMPLES))
        .bind("acme")
        .bind(10_000_i64)
        .bind(1_000_i32)
        .fetch_one(tx.conn())
        .await
        .unwrap();
    let dropping: Value = sqlx::query_scalar(explain(repository::DROP_OLD_CORRECTIONS))
        .bind("acme")
        .bind(4_900_i64)
        .fetch_one(tx.conn())
        .await
        .unwrap();
    for plan in [list, examples, dropping] {
        let most = most_rows(&plan[0]["Plan"]);
        assert!((5_000.0..=15_000.0).contains(&most), "{most}: {plan:#}");
    }
    assert_eq!(repository::count(&mut tx).await.unwrap(), 4_851, "a hundredth less than there may be");
    tx.commit().await.unwrap();
    let path = format!("/api/intents/{notices}/examples?tenant_id=acme");
    let listed = server.get(&path).await.is(StatusCode::OK).body;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
}

/// A tenant that is made again under its id learns from the start, and nothing of the one before is known to it.
#[tokio::test]
async fn a_tenant_that_is_made_again_has_a_model_of_its_own() {
    let server = TestServer::start().await;
    let document = json!({"version": 1, "intents": [
        {"name": "Return request", "examples": RETURNS},
        {"name": "Invoice", "examples": INVOICES},
    ]});
    let mut conn = server.database().superuser().await;
    let mut revisions = Vec::new();
    for _ in 0..2 {
        eventually("the tenant is made", async || {
            let made = server.post("/api/tenants", &json!({"tenant_id": "acme", "name": "Acme"})).await;
            (made.status == StatusCode::CREATED).then_some(())
        })
        .await;
        server.post("/api/import?tenant_id=acme", &document).await.is(StatusCode::OK);
        trained(&server, "acme", 24).await;
        let revision: i64 =
            sqlx::query_scalar("SELECT revision FROM classifiers").fetch_one(&mut conn).await.unwrap();
        revisions.push(revision);
        let test = json!({"text": "please pay the attached invoice"});
        let said = server.post("/api/classifier/test?tenant_id=acme", &test).await.is(StatusCode::OK).body;
        let intents = server.get("/api/intents?tenant_id=acme&q=Invoice").await.is(StatusCode::OK).body;
        assert_eq!(said["suggestion"]["intent_id"], intents[0]["intent_id"], "{said}");
        assert!(said["suggestion"]["intent_id"].is_number(), "{said}");
        server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
    }
    assert_eq!(revisions[0], revisions[1], "what the models were known by");
}

/// A training that takes its server with it, as for want of memory, would take one after the other.
#[tokio::test]
async fn a_training_that_broke_servers_rests_until_the_examples_change() {
    let server = TestServer::start_idle(&[]).await;
    let mut returned = Vec::new();
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        let returns = intent(&server, tenant, "Return request").await;
        let invoices = intent(&server, tenant, "Invoice").await;
        teach(&server, tenant, returns, &RETURNS[..4]).await;
        teach(&server, tenant, invoices, &INVOICES[..4]).await;
        returned.push(returns);
    }
    let mut conn = server.database().superuser().await;
    let broken =
        "UPDATE classifier_settings SET tries = 3, tried_revision = revision WHERE tenant_id = 'acme'";
    sqlx::raw_sql(broken).execute(&mut conn).await.unwrap();
    tokio::spawn(training::work(server.app.clone(), server.app.stop.clone()));
    // The other's would be the second: this one has waited for longer.
    trained(&server, "globex", 8).await;
    let state = server.get("/api/classifier?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(state["state"], "none", "{state}");
    assert!(state["why"].as_str().unwrap().starts_with("It could not learn from the examples"), "{state}");
    teach(&server, "acme", returned[0], &RETURNS[4..5]).await;
    let state = trained(&server, "acme", 9).await;
    assert!(!state["why"].as_str().unwrap().contains("could not learn"), "{state}");
    let tries: Vec<i32> =
        sqlx::query_scalar("SELECT tries FROM classifier_settings").fetch_all(&mut conn).await.unwrap();
    assert_eq!(tries, [0, 0]);
}

#[tokio::test]
async fn the_audit_log_tells_what_the_gate_was() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for gate in [0.8, 0.9] {
        set_gate(&server, "acme", gate).await;
    }
    let log = server.get("/api/audit-log?tenant_id=acme&action=classifier.set_gate").await.is(StatusCode::OK);
    let told = |i: usize| (log.body[i]["before"].clone(), log.body[i]["after"].clone());
    assert_eq!(told(1), (json!({"gate": 0.95}), json!({"gate": 0.8})));
    assert_eq!(told(0), (json!({"gate": 0.8}), json!({"gate": 0.9})));
}

#[tokio::test]
async fn examples_are_listed_by_pages_unique_and_deleted() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    teach(&server, "acme", returns, &RETURNS[..3]).await;
    let path = format!("/api/intents/{returns}/examples?tenant_id=acme");
    let again = server.post(&path, &json!({"text": format!(" {} ", RETURNS[0])})).await;
    again.problem(StatusCode::CONFLICT, "This text is an example of the intent already");
    for bad in [
        json!({"text": " "}),
        json!({"text": "a".repeat(20_001)}),
        json!({"text": "\u{0}"}),
        json!({"text": 1}),
    ] {
        assert_eq!(server.post(&path, &bad).await.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["text"]);
    }
    let page = server.get(&format!("{path}&limit=2")).await.is(StatusCode::OK);
    assert_eq!((page.body.as_array().unwrap().len(), &page.body[0]["text"]), (2, &json!(RETURNS[2])));
    assert!(page.headers.contains_key("link"));
    let example = page.body[0]["example_id"].as_i64().unwrap();
    let other = intent(&server, "acme", "Other").await;
    let elsewhere = format!("/api/intents/{other}/examples/{example}?tenant_id=acme");
    server.delete(&elsewhere).await.problem(StatusCode::NOT_FOUND, &format!("Example {example} not found"));
    let bad = server.delete(&format!("/api/intents/{returns}/examples/x?tenant_id=acme")).await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["example_id"]);
    let own = format!("/api/intents/{returns}/examples/{example}?tenant_id=acme");
    server.delete(&own).await.is(StatusCode::NO_CONTENT);
    server.delete(&own).await.is(StatusCode::NOT_FOUND);
    server.get("/api/intents/999999/examples?tenant_id=acme").await.is(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_model_knows_its_own_tenants_examples_and_no_others() {
    let server = TestServer::start().await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    let returns = intent(&server, "acme", "Return request").await;
    let invoices = intent(&server, "acme", "Invoice").await;
    teach(&server, "acme", returns, &RETURNS[..6]).await;
    teach(&server, "acme", invoices, &INVOICES[..6]).await;
    trained(&server, "acme", 12).await;
    let state = server.get("/api/classifier?tenant_id=globex").await.is(StatusCode::OK).body;
    assert_eq!((&state["state"], &state["examples"]), (&json!("none"), &json!([])));
    let email = server.decide("globex", message("a@x.example", "Shoes", RETURNS[0])).await;
    assert_eq!(email["classification"].get("suggestion"), None, "{email}");
    // Not even where its intents are called the same.
    let own = intent(&server, "globex", "Return request").await;
    let other = intent(&server, "globex", "Parking").await;
    teach(&server, "globex", own, &["badge for a visitor", "visitor badge please"]).await;
    teach(&server, "globex", other, &["a parking space for Monday", "parking for a guest"]).await;
    trained(&server, "globex", 4).await;
    let test = "/api/classifier/test?tenant_id=globex";
    let said = server.post(test, &json!({"text": RETURNS[0]})).await.is(StatusCode::OK).body;
    let words = said["suggestion"]["words"].as_array().cloned().unwrap_or_default();
    assert!(words.iter().all(|word| word["word"] != "shoes" && word["word"] != "return"), "{said}");

    let key = server.key_of("globex", Role::Admin).await;
    for tenant in ["acme", "globex"] {
        let calls = [
            (Method::GET, format!("/api/intents/{returns}/examples")),
            (Method::POST, format!("/api/intents/{returns}/examples")),
            (Method::DELETE, format!("/api/intents/{returns}/examples/1")),
        ];
        for (method, path) in calls {
            let path = format!("{path}?tenant_id={tenant}");
            let request = server.request(method, &path, Some(&key)).json(&json!({"text": "x"}));
            Answer::of(request.send().await.unwrap()).await.is(StatusCode::NOT_FOUND);
        }
    }
    // Another tenant's intent is as good as none.
    let id = email["email_id"].as_str().unwrap();
    let answer = server
        .post(&format!("/api/emails/{id}/intent?tenant_id=globex"), &json!({"intent_id": returns}))
        .await;
    answer.problem(StatusCode::BAD_REQUEST, "Invalid intent");
}

#[tokio::test]
async fn who_may_read_correct_and_teach() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    let email = server.decide("acme", message("a@x.example", "Boots", "x")).await;
    let id = email["email_id"].as_str().unwrap();
    let calls = [
        (Method::GET, "/api/classifier".to_owned(), json!({}), Role::Viewer),
        (Method::GET, format!("/api/intents/{returns}/examples"), json!({}), Role::Viewer),
        (Method::POST, "/api/classifier/test".to_owned(), json!({"text": "x"}), Role::Viewer),
        (Method::POST, format!("/api/emails/{id}/intent"), json!({"intent_id": returns}), Role::Operator),
        (Method::PUT, "/api/classifier".to_owned(), json!({"gate": 0.9}), Role::Editor),
        (Method::POST, format!("/api/intents/{returns}/examples"), json!({"text": "y"}), Role::Editor),
        (Method::DELETE, format!("/api/intents/{returns}/examples/1"), json!({}), Role::Editor),
    ];
    for role in [Role::Viewer, Role::Operator, Role::Editor] {
        let key = server.key_of("acme", role).await;
        for (method, path, body, needed) in &calls {
            let path = format!("{path}?tenant_id=acme");
            let request = server.request(method.clone(), &path, Some(&key)).json(body);
            let status = request.send().await.unwrap().status();
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(refused, role.rank() < needed.rank(), "{method} {path} as {role}: {status}");
        }
    }
    for (method, path, body, _) in &calls {
        for query in ["", "?tenant_id=acme"] {
            let request = server.request(method.clone(), &format!("{path}{query}"), None).json(body);
            assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{method} {path}");
        }
    }
}

/// Whoever waits for it to give intents sees what it is held against, from the first example on.
#[tokio::test]
async fn the_page_of_examples_tells_where_the_classifier_stands_against_its_gate() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let returns = intent(&server, "acme", "Return request").await;
    let invoices = intent(&server, "acme", "Invoice").await;
    let page =
        async || server.get(&format!("/t/acme/intents/{returns}/examples")).await.is(StatusCode::OK).text;
    let text = page().await;
    assert!(text.contains("The classifier has not learned yet"), "{text}");
    let gate =
        "There are 0 examples of all intents; to give one by itself, it must be right in 95 % of the cases.";
    assert!(text.contains(gate), "{text}");
    teach(&server, "acme", returns, &RETURNS).await;
    teach(&server, "acme", invoices, &INVOICES).await;
    trained(&server, "acme", 24).await;
    let state = set_gate(&server, "acme", 0.6).await;
    let text = page().await;
    assert!(text.contains("The classifier gives intents"), "{text}");
    assert!(text.contains(state["why"].as_str().unwrap()), "{text}");
    assert!(text.contains("to give one by itself, it must be right in 60 % of the cases."), "{text}");
}
