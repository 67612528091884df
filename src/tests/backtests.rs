//! Backtests: a draft over what was decided, and the difference; nothing is changed, nothing sent.

use axum::{Router, http::StatusCode as Code};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    datasources::{api, ask, datasource},
    support::{Answer, TestServer, eventually, message},
};
use crate::{
    auth::dto::Role,
    backtests::server::worker as backtesting,
    datasources::server::lookup::Cause,
    emails::server::worker,
    server::aside::{self, Turn},
};

const PATH: &str = "/api/backtests?tenant_id=acme";

/// A tenant whose intent Orders accepts senders in a file of customers: Ann, and Bob, who is blocked.
struct Shop {
    server: TestServer,
    source: i64,
    intent: i64,
    stop: CancellationToken,
}

impl Shop {
    async fn new() -> Self {
        Self::on(TestServer::start().await).await
    }

    /// Decides messages, and runs no backtests.
    async fn without_backtests() -> Self {
        let shop = Self::on(TestServer::start_idle(&[]).await).await;
        tokio::spawn(worker::work(shop.server.app.clone(), shop.stop.clone()));
        shop
    }

    async fn on(server: TestServer) -> Self {
        server.tenant("acme").await;
        server.write_file("acme", "c.csv", b"email,status\nann@x.example,active\nbob@x.example,blocked\n");
        let config = json!({"name": "csv", "protocol": "file", "driver_family": "csv", "connection_json": {"path": "c.csv"}});
        server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
        let source = json!({"name": "Customers", "datasource_type": "file", "connection_key": "csv"});
        let source = server.post("/api/datasources?tenant_id=acme", &source).await.is(StatusCode::CREATED);
        let mut shop =
            Self { source: source.id("datasource_id"), server, intent: 0, stop: CancellationToken::new() };
        let body = json!({"intent": orders(), "validation_rules": [shop.exists()]});
        let made =
            shop.server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
        shop.intent = made.body["intent"]["intent_id"].as_i64().unwrap();
        shop
    }

    fn exists(&self) -> Value {
        json!({"field_name": "sender_email", "rule_type": "exists", "datasource_id": self.source, "conditions": {"match": {"email": "{{sender_email}}"}}})
    }

    /// Only active customers, which Bob is not.
    fn active(&self) -> Value {
        json!({"field_name": "sender_email", "rule_type": "equals", "datasource_id": self.source, "conditions": {"match": {"email": "{{sender_email}}"}, "column": "status", "expected": "active"}})
    }

    async fn decide(&self, from: &str, subject: &str) -> String {
        let email = self.server.decide("acme", message(from, subject, "x")).await;
        email["email_id"].as_str().unwrap().to_owned()
    }

    async fn start(&self, body: Value) -> String {
        let answer = self.server.post(PATH, &body).await.is(StatusCode::ACCEPTED);
        let id = answer.body["backtest_id"].as_str().unwrap().to_owned();
        assert_eq!(answer.headers["location"], format!("/api/backtests/{id}?tenant_id=acme"));
        id
    }

    async fn done(&self, id: &str) -> Value {
        eventually("the backtest is done", async || {
            let backtest = self.server.get(&at(id)).await.is(StatusCode::OK).body;
            (backtest["status"] == "done").then_some(backtest)
        })
        .await
    }

    async fn run(&self, body: Value) -> Value {
        let id = self.start(body).await;
        self.done(&id).await
    }

    async fn changes(&self, backtest: &Value, query: &str) -> Vec<Value> {
        let id = backtest["backtest_id"].as_str().unwrap();
        let path = format!("/api/backtests/{id}/changes?tenant_id=acme{query}");
        self.server.get(&path).await.is(StatusCode::OK).body.as_array().unwrap().clone()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn orders() -> Value {
    json!({"name": "Orders", "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]}})
}

fn at(id: &str) -> String {
    format!("/api/backtests/{id}?tenant_id=acme")
}

/// total, done, changed, skipped, errors
fn counts(backtest: &Value) -> [i64; 5] {
    ["total", "done", "changed", "skipped", "errors"].map(|name| backtest[name].as_i64().unwrap())
}

#[tokio::test]
async fn what_would_change_is_shown_before_and_after_and_nothing_is_changed() {
    let shop = Shop::new().await;
    let ann = shop.decide("ann@x.example", "order 1").await;
    let bob = shop.decide("bob@x.example", "order 2").await;
    let eve = shop.decide("eve@x.example", "order 3").await;
    let decided = shop.decide("bob@x.example", "order 4").await;
    let path = format!("/api/emails/{decided}/decision?tenant_id=acme");
    shop.server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    let label =
        json!({"name": "mark", "kind": "label", "decisions": ["rejected"], "settings": {"label": "no"}});
    shop.server.post("/api/routes?tenant_id=acme", &label).await.is(StatusCode::CREATED);
    let emails = async || shop.server.get("/api/emails?tenant_id=acme").await.text;
    let before = emails().await;

    let draft = json!({"intent": orders(), "intent_id": shop.intent, "validation_rules": [shop.exists(), shop.active()], "last": 100});
    let backtest = shop.run(draft.clone()).await;
    assert_eq!(counts(&backtest), [4, 4, 1, 1, 0], "{backtest}");
    assert_eq!(backtest["intent"], json!({"intent_id": shop.intent, "name": "Orders"}));
    assert!(backtest["finished_at"].is_string() && backtest["note"].is_null());
    let [change] = &shop.changes(&backtest, "").await[..] else { panic!("one") };
    assert_eq!((&change["email_id"], &change["subject"]), (&json!(bob), &json!("order 2")));
    let orders = json!({"intent_id": shop.intent, "name": "Orders"});
    assert_eq!(change["before"], json!({"intent": orders, "decision": "accepted"}));
    assert_eq!((&change["after"]["intent"], &change["after"]["decision"]), (&orders, &json!("rejected")));
    assert!(change["after"]["explanation"].as_str().unwrap().starts_with("Rejected: "));
    let [difference] = change["verdict_differences"].as_array().unwrap().as_slice() else {
        panic!("{change}")
    };
    assert_eq!((&difference["rule_type"], &difference["before"]), (&json!("equals"), &Value::Null));
    assert_eq!(
        (&difference["after"]["verdict"], &difference["datasource"]),
        (&json!("fail"), &json!("Customers"))
    );
    assert_eq!(difference["demand"], "status in Customers must be “active”");
    // As servers of before kept it.
    let mut conn = shop.server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE backtest_messages SET differences = jsonb_build_array((differences -> 0) - 'demand') \
         WHERE jsonb_array_length(differences) = 1",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let changes = shop.changes(&backtest, "").await;
    assert_eq!(
        changes[0]["verdict_differences"][0]["demand"],
        "What Customers holds for the sender email must be as expected"
    );
    let skipped = shop.changes(&backtest, "&outcome=skipped").await;
    assert_eq!(
        (skipped.len(), &skipped[0]["email_id"], &skipped[0]["after"]),
        (1, &json!(decided), &Value::Null)
    );
    let of = async |outcome: &str| -> Vec<Value> {
        let found = shop.changes(&backtest, &format!("&outcome={outcome}")).await;
        found.iter().map(|change| change["email_id"].clone()).collect()
    };
    assert_eq!((of("judged").await, of("same").await), (vec![json!(eve)], vec![json!(ann)]));
    assert_eq!(emails().await, before, "nothing is changed, nothing labelled");

    // Only the latest; another intent by its conditions alone; one that takes no message any more.
    let backtest = shop.run(json!({"intent_id": shop.intent, "validation_rules": [], "last": 2})).await;
    assert_eq!(counts(&backtest), [2, 2, 1, 1, 0]);
    let new = json!({"name": "Urgent", "priority": 1, "match": {"all": [{"field": "subject", "op": "equals", "value": "order 1"}]}});
    let backtest = shop.run(json!({"intent": new, "last": 100})).await;
    let [change] = &shop.changes(&backtest, "").await[..] else { panic!("one") };
    assert_eq!(change["after"]["intent"], json!({"intent_id": null, "name": "Urgent"}));
    let mut off = self::orders();
    off["is_active"] = false.into();
    let backtest = shop.run(json!({"intent": off, "intent_id": shop.intent, "last": 100})).await;
    assert_eq!(counts(&backtest), [4, 4, 3, 1, 0]);
    assert!(shop.changes(&backtest, "").await.iter().all(|change| change["after"]["intent"].is_null()));
    // A new name alone changes nothing.
    let mut renamed = self::orders();
    renamed["name"] = "Purchases".into();
    let backtest = shop.run(json!({"intent": renamed, "intent_id": shop.intent, "last": 100})).await;
    assert_eq!(counts(&backtest), [4, 4, 0, 1, 0]);

    // Pages.
    let all = shop.server.get(PATH).await.is(StatusCode::OK).body;
    assert_eq!(all.as_array().unwrap().len(), 5);
    let page = shop.server.get(&format!("{PATH}&limit=2")).await;
    let next = page.headers["link"].to_str().unwrap().split(['<', '>']).nth(1).unwrap().to_owned();
    assert_eq!(shop.server.get(&next).await.body[0], all[2]);
    let last = all[1].clone();
    let page = shop.changes(&last, "&limit=2").await;
    let rest =
        shop.changes(&last, &format!("&limit=2&cursor={}", page[1]["email_id"].as_str().unwrap())).await;
    assert_eq!((page.len(), rest.len()), (2, 1));
}

/// By the links of its pages: each once, the latest first.
#[tokio::test]
async fn changes_are_paged_through_to_the_last() {
    let shop = Shop::new().await;
    let mut latest_first = Vec::new();
    for number in 1..=5 {
        latest_first.insert(0, json!(shop.decide("bob@x.example", &format!("order {number}")).await));
    }
    let backtest =
        shop.run(json!({"intent_id": shop.intent, "validation_rules": [shop.active()], "last": 10})).await;
    assert_eq!(counts(&backtest), [5, 5, 5, 0, 0], "{backtest}");
    let id = backtest["backtest_id"].as_str().unwrap();
    let mut next = Some(format!("/api/backtests/{id}/changes?tenant_id=acme&limit=2"));
    let mut pages: Vec<Vec<Value>> = Vec::new();
    while let Some(path) = next {
        let answer = shop.server.get(&path).await.is(StatusCode::OK);
        let changes = answer.body.as_array().unwrap();
        pages.push(changes.iter().map(|change| change["email_id"].clone()).collect());
        let link = answer.headers.get("link").map(|link| link.to_str().unwrap());
        next = link.and_then(|link| link.split(['<', '>']).nth(1)).map(str::to_owned);
        assert!(pages.len() < 10, "the list ends");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(pages.concat(), latest_first);
}

/// Of a rule that only warns, or looks for something else, nobody would hear otherwise before it is saved.
#[tokio::test]
async fn what_would_be_judged_otherwise_is_told_apart_from_what_would_be_decided_otherwise() {
    let shop = Shop::new().await;
    let ann = shop.decide("ann@x.example", "order 1").await;
    let bob = shop.decide("bob@x.example", "order 2").await;
    let eve = shop.decide("eve@x.example", "order 3").await;
    let told = |backtest: &Value| {
        ["changed", "decided_otherwise", "judged_otherwise", "drifted"]
            .map(|name| backtest[name].as_i64().unwrap())
    };
    let ids = |changes: Vec<Value>| -> Vec<Value> { changes.iter().map(|c| c["email_id"].clone()).collect() };
    let run = async |rules: Value| {
        shop.run(json!({"intent_id": shop.intent, "validation_rules": rules, "last": 10})).await
    };
    // A new rule that warns: of whom it says something, and not of whom it has nothing to say.
    let mut warning = shop.active();
    warning["on_fail"] = "warn".into();
    let backtest = run(json!([shop.exists(), warning])).await;
    assert_eq!((counts(&backtest), told(&backtest)), ([3, 3, 0, 0, 0], [0, 0, 2, 0]), "{backtest}");
    assert!(shop.changes(&backtest, "").await.is_empty());
    let judged = shop.changes(&backtest, "&outcome=judged").await;
    let difference = &judged[1]["verdict_differences"][0];
    assert_eq!((&judged[1]["outcome"], &difference["before"]), (&json!("judged"), &Value::Null));
    assert_eq!(
        (&difference["after"]["verdict"], &judged[1]["before"]["decision"], &judged[1]["after"]["decision"]),
        (&json!("fail"), &json!("accepted"), &json!("accepted"))
    );
    assert_eq!(ids(judged), [json!(eve), json!(bob)]);

    // One that changes its verdict: Ann's and Bob's, who are in the file.
    let mut other = shop.exists();
    (other["conditions"], other["on_fail"]) =
        (json!({"match": {"status": "{{sender_email}}"}}), "warn".into());
    let backtest = run(json!([other])).await;
    assert_eq!((counts(&backtest), told(&backtest)), ([3, 3, 1, 0, 0], [1, 1, 2, 0]), "{backtest}");
    assert_eq!(ids(shop.changes(&backtest, "").await), [json!(eve)], "it only warns now");
    let judged = shop.changes(&backtest, "&outcome=judged").await;
    let said = &judged[0]["verdict_differences"][0];
    assert_eq!((&said["before"]["verdict"], &said["after"]["verdict"]), (&json!("pass"), &json!("fail")));
    assert_eq!(ids(judged), [json!(bob), json!(ann)]);

    // Another intent alone decides nothing otherwise.
    let new = json!({"name": "Urgent", "priority": 1, "match": {"all": [{"field": "subject", "op": "equals", "value": "order 1"}]}});
    let backtest = shop.run(json!({"intent": new, "last": 10})).await;
    assert_eq!(told(&backtest), [1, 0, 1, 0], "{backtest}");

    // What the data have changed since is not the draft's doing here, too.
    let mut warns = shop.exists();
    (warns["on_fail"], warns["intent_id"]) = ("warn".into(), shop.intent.into());
    let rules = format!("/api/intents/{}/validation-rules?tenant_id=acme", shop.intent);
    let saved = shop.server.get(&rules).await.body[0]["rule_id"].clone();
    let path = format!("/api/validation-rules/{saved}?tenant_id=acme");
    shop.server.put(&path, &warns).await.is(StatusCode::OK);
    let zoe = shop.decide("zoe@x.example", "order 4").await;
    shop.server.write_file("acme", "c.csv", b"email,status\nzoe@x.example,active\n");
    let backtest = shop.run(json!({"intent_id": shop.intent, "last": 1})).await;
    assert_eq!((counts(&backtest), told(&backtest)), ([1, 1, 0, 0, 0], [0; 4]), "{backtest}");
    assert_eq!(ids(shop.changes(&backtest, "&outcome=same").await), [json!(zoe)]);
}

/// Rules that pass all the same tell nothing of what an extractor takes from a message now.
#[tokio::test]
async fn what_would_be_extracted_otherwise_is_told_with_both_values() {
    let shop = Shop::new().await;
    let ann = shop.decide("ann@x.example", "order 1042").await;
    let bob = shop.decide("bob@x.example", "order 7").await;
    let told = |backtest: &Value| {
        ["changed", "judged_otherwise", "extracted_otherwise", "drifted"]
            .map(|name| backtest[name].as_i64().unwrap())
    };
    let draft = |pattern: Option<&str>| {
        let mut intent = orders();
        let extractor = |pattern| json!({"name": "order_number", "field": "subject", "pattern": pattern});
        intent["extractors"] = pattern.map(extractor).into_iter().collect();
        intent
    };
    let run =
        async |intent: Value| shop.run(json!({"intent": intent, "intent_id": shop.intent, "last": 10})).await;
    let extracted = async |backtest: &Value| -> Vec<Value> {
        let found = shop.changes(backtest, "&outcome=extracted").await;
        assert!(found.iter().all(|change| change["verdict_differences"] == json!([])), "{found:#?}");
        found.into_iter().map(|change| json!([change["email_id"], change["field_differences"]])).collect()
    };
    let difference = |before: Value, after: Value| json!([{"field_name": "order_number", "before": before, "after": after}]);

    let backtest = run(draft(Some("(\\d{4})"))).await;
    assert_eq!((counts(&backtest), told(&backtest)), ([2, 2, 0, 0, 0], [0, 0, 1, 0]), "{backtest}");
    assert!(shop.changes(&backtest, "").await.is_empty());
    let first = difference(Value::Null, json!("1042"));
    assert_eq!(extracted(&backtest).await, [json!([ann, first])]);

    // Saved, it is the draft's doing no more.
    let path = format!("/api/intents/{}?tenant_id=acme", shop.intent);
    shop.server.put(&path, &draft(Some("(\\d{4})"))).await.is(StatusCode::OK);
    let backtest = shop.run(json!({"intent_id": shop.intent, "last": 10})).await;
    assert_eq!(told(&backtest), [0; 4], "{backtest}");

    let again = format!("/api/emails/{ann}/reprocess?tenant_id=acme");
    shop.server.post(&again, &json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.server.decided("acme", &ann).await["fields"]["order_number"], "1042");
    let backtest = run(draft(Some("(\\d)"))).await;
    assert_eq!(told(&backtest), [0, 0, 2, 0], "{backtest}");
    let (of_bob, of_ann) = (difference(Value::Null, json!("7")), difference(json!("1042"), json!("1")));
    assert_eq!(extracted(&backtest).await, [json!([bob, of_bob]), json!([ann, of_ann])]);
    let backtest = run(draft(None)).await;
    assert_eq!(told(&backtest), [0, 0, 1, 0], "{backtest}");
    assert_eq!(extracted(&backtest).await, [json!([ann, difference(json!("1042"), Value::Null)])]);
    // Another intent has fields of its own.
    let urgent = json!({"name": "Urgent", "priority": 1, "match": {"all": [{"field": "subject", "op": "contains", "value": "1042"}]}});
    let backtest = shop.run(json!({"intent": urgent, "last": 10})).await;
    assert_eq!(told(&backtest), [1, 1, 0, 0], "{backtest}");
    assert_eq!(shop.changes(&backtest, "").await[0]["field_differences"], json!([]));
}

/// What the data have changed since is not the draft's doing, nor is what was saved since.
#[tokio::test]
async fn what_differs_without_the_draft_too_is_told_apart() {
    let shop = Shop::new().await;
    let ann = shop.decide("ann@x.example", "order 1").await;
    let bob = shop.decide("bob@x.example", "order 2").await;
    // Ann is a customer no more.
    shop.server.write_file("acme", "c.csv", b"email,status\nbob@x.example,blocked\n");
    let ids = |changes: Vec<Value>| -> Vec<Value> { changes.iter().map(|c| c["email_id"].clone()).collect() };
    let unchanged = shop.run(json!({"intent_id": shop.intent, "last": 10})).await;
    assert_eq!((counts(&unchanged), &unchanged["drifted"]), ([2, 2, 0, 0, 0], &json!(1)), "{unchanged}");
    assert!(shop.changes(&unchanged, "").await.is_empty());
    let [drifted] = &shop.changes(&unchanged, "&outcome=drifted").await[..] else { panic!("one") };
    assert_eq!((&drifted["email_id"], &drifted["outcome"]), (&json!(ann), &json!("drifted")));
    assert_eq!(
        (&drifted["before"]["decision"], &drifted["after"]["decision"]),
        (&json!("accepted"), &json!("rejected"))
    );

    // One draft that differs for Bob, in the place of what is saved; and another beside it.
    let stricter =
        json!({"intent_id": shop.intent, "validation_rules": [shop.exists(), shop.active()], "last": 10});
    let urgent = json!({"name": "Urgent", "priority": 1, "match": {"all": [{"field": "subject", "op": "equals", "value": "order 2"}]}});
    for draft in [stricter, json!({"intent": urgent, "last": 10})] {
        let backtest = shop.run(draft).await;
        assert_eq!((counts(&backtest), &backtest["drifted"]), ([2, 2, 1, 0, 0], &json!(1)), "{backtest}");
        assert_eq!(ids(shop.changes(&backtest, "").await), [json!(bob)]);
        assert_eq!(ids(shop.changes(&backtest, "&outcome=drifted").await), [json!(ann)]);
    }

    // Saved, it is the draft's doing no more.
    let rule = shop.active();
    let mut rule = rule.as_object().unwrap().clone();
    rule.insert("intent_id".into(), json!(shop.intent));
    let saved = shop.server.post("/api/validation-rules?tenant_id=acme", &Value::Object(rule)).await;
    saved.is(StatusCode::CREATED);
    let backtest = shop.run(json!({"intent_id": shop.intent, "last": 10})).await;
    assert_eq!((counts(&backtest), &backtest["drifted"]), ([2, 2, 0, 0, 0], &json!(2)), "{backtest}");
    // A draft that leaves all as it was decided changes nothing of that.
    let backtest = shop.run(json!({"intent_id": shop.intent, "validation_rules": [], "last": 10})).await;
    assert_eq!((counts(&backtest), &backtest["drifted"]), ([2, 2, 0, 0, 0], &json!(0)), "{backtest}");
}

/// A row that changes between the two runs of a message would be held for the draft's doing, or for none of it.
#[tokio::test]
async fn with_the_draft_and_without_it_a_message_is_looked_up_once() {
    let shop = Shop::new().await;
    shop.decide("ann@x.example", "order 1").await;
    shop.decide("bob@x.example", "order 2").await;
    shop.server.write_file("acme", "c.csv", b"email,status\nbob@x.example,blocked\n");
    let answered = async || -> u64 {
        let figures = shop.server.get("/metrics").await.is(StatusCode::OK).text;
        let mut lines = figures.lines();
        let figure =
            lines.find_map(|line| line.strip_prefix("flowengine_lookups_total{outcome=\"answered\"} "));
        figure.unwrap().parse().unwrap()
    };
    let before = answered().await;
    // Both rules look up the same. Ann is no customer any more with the draft and without it; Bob is stopped by the draft.
    let draft =
        json!({"intent_id": shop.intent, "validation_rules": [shop.exists(), shop.active()], "last": 10});
    let backtest = shop.run(draft).await;
    assert_eq!((counts(&backtest), &backtest["drifted"]), ([2, 2, 1, 0, 0], &json!(1)), "{backtest}");
    assert_eq!(answered().await - before, 2, "one of each message");
}

/// What a person said of a message is kept by the intent, not by its name.
#[tokio::test]
async fn a_new_name_changes_nothing_of_what_people_corrected() {
    let shop = Shop::new().await;
    let bob = shop.decide("bob@x.example", "hello").await;
    let path = format!("/api/emails/{bob}/intent?tenant_id=acme");
    shop.server.post(&path, &json!({"intent_id": shop.intent})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.server.decided("acme", &bob).await["decision"], "accepted");
    let mut renamed = orders();
    renamed["name"] = "Purchases".into();
    let backtest = shop.run(json!({"intent": renamed, "intent_id": shop.intent, "last": 10})).await;
    assert_eq!(counts(&backtest), [1, 1, 0, 0, 0], "{:?}", shop.changes(&backtest, "").await);
}

#[tokio::test]
async fn a_fault_of_a_datasource_is_an_error_and_no_change() {
    let shop = Shop::new().await;
    shop.decide("ann@x.example", "order 1").await;
    shop.decide("ann@x.example", "hello").await;
    let config = json!({"name": "down", "protocol": "http", "base_url": "http://127.0.0.1:1"});
    shop.server.post("/api/datasource-configs?tenant_id=acme", &config).await.is(StatusCode::CREATED);
    let down = json!({"name": "Down", "datasource_type": "api", "connection_key": "down"});
    let down = shop.server.post("/api/datasources?tenant_id=acme", &down).await.id("datasource_id");
    let rule = json!({"field_name": "subject", "rule_type": "exists", "datasource_id": down, "conditions": {"path": "/x"}});
    let backtest = shop.run(json!({"intent_id": shop.intent, "validation_rules": [rule], "last": 10})).await;
    assert_eq!(counts(&backtest), [2, 2, 0, 0, 1], "{backtest}");
    let errors = shop.changes(&backtest, "&outcome=error").await;
    assert!(errors[0]["after"]["explanation"].as_str().unwrap().contains("could not be asked"), "{errors:?}");
    assert!(shop.changes(&backtest, "").await.is_empty());
}

/// What a draft asks for may be wrong by itself, and it asks for it of each message.
#[tokio::test]
async fn a_draft_whose_look_ups_fail_keeps_no_mail_waiting() {
    let shop = Shop::new().await;
    for number in 1..=6 {
        shop.decide("ann@x.example", &format!("order {number}")).await;
    }
    let base = api(Router::new().fallback(async || Code::SERVICE_UNAVAILABLE)).await;
    let down = datasource(&shop.server, "shop", "api", json!({"protocol": "http", "base_url": base})).await;
    let rule = json!({"field_name": "subject", "rule_type": "exists", "datasource_id": down, "conditions": {"path": "/typo"}});
    let backtest = shop.run(json!({"intent_id": shop.intent, "validation_rules": [rule], "last": 10})).await;
    assert_eq!(counts(&backtest), [6, 6, 0, 0, 6], "{backtest}");
    let fault = ask(&shop.server, "shop").await.unwrap_err();
    assert_eq!(fault.cause, Cause::Answer, "mail asks as before: {fault}");
}

/// The worker died in the middle, its lease is over: another goes on where it was, and runs nothing twice.
#[tokio::test]
async fn a_killed_servers_backtest_is_gone_on_with() {
    let shop = Shop::without_backtests().await;
    for i in 0..6 {
        shop.decide("bob@x.example", &format!("order {i}")).await;
    }
    let id =
        shop.start(json!({"intent_id": shop.intent, "validation_rules": [shop.active()], "last": 10})).await;
    let mut conn = shop.server.database().superuser().await;
    for sql in [
        "UPDATE jobs SET lock_token = gen_random_uuid(), locked_until = now() - interval '1 s', attempts = 1 \
         WHERE kind = 'backtest'",
        "UPDATE backtests SET status = 'running'",
        // What was run would have changed; as marked, it tells whether it is run again.
        "UPDATE backtest_messages SET outcome = 'same', before = '{\"intent\": null, \"decision\": null}' \
         WHERE email_id IN (SELECT email_id FROM emails ORDER BY email_id DESC LIMIT 2)",
    ] {
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    }
    tokio::spawn(backtesting::work(shop.server.app.clone(), shop.stop.clone()));
    assert_eq!(counts(&shop.done(&id).await), [6, 6, 4, 0, 0]);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM jobs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_message_that_breaks_every_worker_is_set_aside() {
    let shop = Shop::without_backtests().await;
    for i in 0..3 {
        shop.decide("bob@x.example", &format!("order {i}")).await;
    }
    let id =
        shop.start(json!({"intent_id": shop.intent, "validation_rules": [shop.active()], "last": 10})).await;
    let mut conn = shop.server.database().superuser().await;
    sqlx::raw_sql("UPDATE jobs SET attempts = 3 WHERE kind = 'backtest'").execute(&mut conn).await.unwrap();
    tokio::spawn(backtesting::work(shop.server.app.clone(), shop.stop.clone()));
    let backtest = shop.done(&id).await;
    assert_eq!(counts(&backtest), [3, 3, 2, 0, 1]);
    let aside = shop.changes(&backtest, "&outcome=error").await;
    assert_eq!((&aside[0]["subject"], &aside[0]["after"]), (&json!("order 2"), &Value::Null));
}

/// The intents around the draft, and the messages, are those of the moment when it was asked for.
#[tokio::test]
async fn what_changes_meanwhile_does_not_change_a_backtest() {
    let shop = Shop::without_backtests().await;
    let bob = shop.decide("bob@x.example", "order 1").await;
    let new =
        json!({"name": "Urgent", "match": {"all": [{"field": "subject", "op": "contains", "value": "now"}]}});
    let id = shop.start(json!({"intent": new, "last": 10})).await;
    let path = format!("/api/intents/{}?tenant_id=acme", shop.intent);
    shop.server.delete(&path).await.is(StatusCode::NO_CONTENT);
    shop.decide("ann@x.example", "order now").await;
    tokio::spawn(backtesting::work(shop.server.app.clone(), shop.stop.clone()));
    let backtest = shop.done(&id).await;
    assert_eq!(counts(&backtest), [1, 1, 0, 0, 0], "{:?}", shop.changes(&backtest, "").await);
    let same = shop.changes(&backtest, "&outcome=same").await;
    assert_eq!(same[0]["email_id"], json!(bob));
}

#[tokio::test]
async fn a_draft_in_another_versions_form_ends_with_a_sentence() {
    let shop = Shop::without_backtests().await;
    let id = shop.start(json!({"intent_id": shop.intent, "last": 10})).await;
    let mut conn = shop.server.database().superuser().await;
    sqlx::raw_sql("UPDATE backtests SET rules = '[1]'").execute(&mut conn).await.unwrap();
    tokio::spawn(backtesting::work(shop.server.app.clone(), shop.stop.clone()));
    let note = eventually("it ended", async || {
        let backtest = shop.server.get(&at(&id)).await.body;
        (backtest["status"] == "failed").then(|| backtest["note"].clone())
    })
    .await;
    assert!(note.as_str().unwrap().contains("cannot be read any more"), "{note}");
}

#[tokio::test]
async fn a_backtest_that_is_taken_away_stops_and_leaves_nothing() {
    let shop = Shop::without_backtests().await;
    shop.decide("bob@x.example", "order 1").await;
    let id = shop.start(json!({"intent_id": shop.intent, "last": 10})).await;
    shop.server.delete(&at(&id)).await.is(StatusCode::NO_CONTENT);
    shop.server.get(&at(&id)).await.is(StatusCode::NOT_FOUND);
    shop.server.delete(&at(&id)).await.is(StatusCode::NOT_FOUND);
    let mut conn = shop.server.database().superuser().await;
    let left: i64 =
        sqlx::query_scalar("SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM backtest_messages)")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_backtest_is_refused_as_saving_its_draft_would_be() {
    let shop = Shop::without_backtests().await;
    for (body, field) in [
        (json!({"intent_id": shop.intent}), "last"),
        (json!({"intent_id": shop.intent, "last": 0}), "last"),
        (json!({"intent_id": shop.intent, "last": 1_001}), "last"),
        (json!({"last": 5}), "intent"),
        (json!({"intent": {"name": ""}, "last": 5}), "intent.name"),
        (json!({"intent_id": shop.intent, "last": 5, "colour": 1}), "colour"),
        (
            json!({"intent_id": shop.intent, "last": 5, "validation_rules": [{"field_name": "subject", "rule_type": "exists", "datasource_id": shop.source, "conditions": {"query": "DELETE FROM data"}}]}),
            "validation_rules[0].conditions.query",
        ),
    ] {
        let answer = shop.server.post(PATH, &body).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer.fields(), [field], "{body}");
    }
    shop.server.post(PATH, &json!({"intent_id": 999, "last": 5})).await.is(StatusCode::NOT_FOUND);
    let taken = shop.server.post(PATH, &json!({"intent": orders(), "last": 5})).await;
    taken.problem(StatusCode::CONFLICT, "Intent 'Orders' already exists");
    let id = shop.start(json!({"intent_id": shop.intent, "last": 5})).await;
    let bad = shop.server.get(&format!("/api/backtests/{id}/changes?tenant_id=acme&outcome=other")).await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["outcome"]);
    let draft = json!({"intent_id": shop.intent, "last": 5});
    for (role, method, path, status) in [
        (Role::Operator, Method::POST, PATH.to_owned(), StatusCode::FORBIDDEN),
        (Role::Operator, Method::DELETE, at(&id), StatusCode::FORBIDDEN),
        (Role::Viewer, Method::GET, PATH.to_owned(), StatusCode::OK),
        (Role::Viewer, Method::GET, at(&id), StatusCode::OK),
        (Role::Editor, Method::POST, PATH.to_owned(), StatusCode::ACCEPTED),
        (Role::Editor, Method::DELETE, at(&id), StatusCode::NO_CONTENT),
    ] {
        let key = shop.server.key_of("acme", role).await;
        let request = shop.server.request(method.clone(), &path, Some(&key)).json(&draft);
        assert_eq!(Answer::of(request.send().await.unwrap()).await.status, status, "{role} {method} {path}");
    }
}

/// Who closes an editor leaves a backtest behind, and no page lists them.
#[tokio::test]
async fn what_has_ended_makes_room_for_another_and_what_is_under_way_stays() {
    const OLD: &str = "01890a5d-ac96-774b-bcce-b302099a8051";
    const FIRST: &str = "01890a5d-ac96-774b-bcce-b302099a8052";
    const SECOND: &str = "01890a5d-ac96-774b-bcce-b302099a8053";
    let shop = Shop::without_backtests().await;
    let mut conn = shop.server.database().superuser().await;
    let mut put = async |id: Option<&'static str>, hours_ago: Option<i32>| {
        sqlx::query(
            "INSERT INTO backtests (tenant_id, backtest_id, status, intent, rules, revision, created_by, finished_at) \
             SELECT 'acme', coalesce($1::uuid, gen_random_uuid()), CASE WHEN $2 IS NULL THEN 'queued' ELSE 'done' END, \
               '{\"name\": \"A\"}', '[]', 1, 'somebody', now() - make_interval(hours => $2)",
        )
        .bind(id)
        .bind(hours_ago)
        .execute(&mut conn)
        .await
        .unwrap();
    };
    let draft = json!({"intent_id": shop.intent, "last": 5});
    put(Some(OLD), Some(25)).await;
    put(Some(FIRST), Some(2)).await;
    put(Some(SECOND), Some(1)).await;
    shop.start(draft.clone()).await;
    shop.server.get(&at(OLD)).await.is(StatusCode::NOT_FOUND);
    shop.server.get(&at(FIRST)).await.is(StatusCode::OK);

    // Three are there.
    for _ in 0..97 {
        put(None, None).await;
    }
    for gone in [FIRST, SECOND] {
        shop.server.get(&at(SECOND)).await.is(StatusCode::OK);
        shop.start(draft.clone()).await;
        shop.server.get(&at(gone)).await.is(StatusCode::NOT_FOUND);
    }
    let sentence =
        "A tenant can have at most 100 backtests under way. Wait until one has ended, or delete one";
    shop.server.post(PATH, &draft).await.problem(StatusCode::BAD_REQUEST, sentence);
}

/// Each reads all intents, and takes a connection for that: many at once would take every one.
#[tokio::test]
async fn whoever_waits_to_begin_a_backtest_holds_nothing() {
    let server = TestServer::start_idle(&[]).await;
    let tenant = server.tenant("backtests_begun").await;
    server.tenant("begun_beside").await;
    let at = |path: &str, tenant: &str| format!("{path}?tenant_id={tenant}");
    let mut made = Vec::new();
    for id in ["backtests_begun", "begun_beside"] {
        let answer = server.post(&at("/api/intents", id), &orders()).await;
        made.push(answer.is(StatusCode::CREATED).id("intent_id"));
    }
    let draft = |intent: i64| json!({"intent_id": intent, "last": 5});
    let turns = (aside::turn_of(&tenant, Turn::Try).await, aside::turn_of(&tenant, Turn::Try).await);
    // More than the pool has connections.
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let path = at("/api/backtests", "backtests_begun");
            let request = server.request(Method::POST, &path, Some(&server.key)).json(&draft(made[0]));
            tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await })
        })
        .collect();
    eventually("they are under way", async || (server.app.in_flight.count() == 8).then_some(())).await;
    let beside = server.post(&at("/api/backtests", "begun_beside"), &draft(made[1])).await;
    beside.is(StatusCode::ACCEPTED);
    // Of what is changed now, each sees what it is then.
    let path = at(&format!("/api/intents/{}", made[0]), "backtests_begun");
    server.put(&path, &json!({"name": "Enquiries"})).await.is(StatusCode::OK);
    assert!(waiting.iter().all(|call| !call.is_finished()), "each waits for the tenant's turn");
    drop(turns);
    for call in waiting {
        let begun = call.await.unwrap().is(StatusCode::ACCEPTED);
        assert_eq!(begun.body["intent"]["name"], "Enquiries");
    }
}

/// A program that begins one after the other is not to keep its colleagues from theirs.
#[tokio::test]
async fn one_key_does_not_take_every_place() {
    let shop = Shop::without_backtests().await;
    let draft = json!({"intent_id": shop.intent, "last": 5});
    for _ in 0..25 {
        shop.start(draft.clone()).await;
    }
    let sentence =
        "API key test can have at most 25 backtests under way. Wait until one has ended, or delete one";
    shop.server.post(PATH, &draft).await.problem(StatusCode::BAD_REQUEST, sentence);
    let other = json!({"name": "colleague", "role": "editor"});
    let other = shop.server.post("/api/api-keys?tenant_id=acme", &other).await.is(StatusCode::CREATED).body;
    let request = shop.server.request(Method::POST, PATH, other["key"].as_str()).json(&draft);
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::ACCEPTED);
    let mut conn = shop.server.database().superuser().await;
    let ended = "UPDATE backtests SET status = 'done', finished_at = now() \
                 WHERE backtest_id = (SELECT backtest_id FROM backtests WHERE created_by = 'API key test' LIMIT 1)";
    sqlx::raw_sql(ended).execute(&mut conn).await.unwrap();
    shop.start(draft).await;
}

/// What the workers see across tenants names a backtest, and holds nothing of it.
#[tokio::test]
async fn a_worker_sees_that_there_is_work_and_nothing_of_it() {
    let shop = Shop::without_backtests().await;
    shop.decide("bob@x.example", "order 1").await;
    shop.start(json!({"intent_id": shop.intent, "last": 10})).await;
    let mut tx = shop.server.app.database.worker().await.unwrap();
    for (table, rows) in [("jobs", 1_i64), ("backtests", 0), ("backtest_messages", 0), ("intent_versions", 0)]
    {
        let sql = format!("SELECT count(*) FROM {table}");
        let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(tx.conn()).await.unwrap();
        assert_eq!(seen, rows, "{table}");
    }
}
