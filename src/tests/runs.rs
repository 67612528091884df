//! What a message came to before: kept when it is written over, once, and told with its grounds.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::{
    auth::dto::Role,
    emails::server::{repository, worker},
    shared::EmailId,
    tenants::server::deletion,
};

/// What a message and what is told of an earlier run of it have both.
const SAME: [&str; 11] = [
    "run",
    "intent",
    "intent_version",
    "configuration_revision",
    "decision",
    "decided_by",
    "decided_at",
    "explanation",
    "parse_error",
    "classification",
    "verdicts",
];

fn rule(pattern: &str) -> Value {
    json!({"field_name": "subject", "rule_type": "regex", "conditions": {"pattern": pattern}})
}

/// An intent of messages with `order` in their subject, and the rule that this must match a pattern, which is changed by
/// `demand`.
async fn orders(server: &TestServer, pattern: &str) -> (Value, String) {
    server.tenant("acme").await;
    let body = json!({
        "intent": {
            "name": "Orders",
            "match": {"all": [{"field": "subject", "op": "contains", "value": "order"}]},
            "extractors": [{"name": "order_number", "field": "subject", "pattern": "order (\\d+)"}]
        },
        "validation_rules": [rule(pattern)]
    });
    let made =
        server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED).body;
    let path = format!("/api/validation-rules/{}?tenant_id=acme", made["validation_rules"][0]["rule_id"]);
    (made["intent"]["intent_id"].clone(), path)
}

async fn demand(server: &TestServer, (intent, path): &(Value, String), pattern: &str) {
    let mut demanded = rule(pattern);
    demanded["intent_id"] = intent.clone();
    server.put(path, &demanded).await.is(StatusCode::OK);
}

fn id_of(email: &Value) -> String {
    email["email_id"].as_str().unwrap().to_owned()
}

fn path(id: &str, what: &str) -> String {
    format!("/api/emails/{id}/{what}?tenant_id=acme")
}

async fn email(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.is(StatusCode::OK).body
}

async fn run_again(server: &TestServer, id: &str) -> Value {
    server.post(&path(id, "reprocess"), &json!({})).await.is(StatusCode::ACCEPTED);
    server.decided("acme", id).await
}

async fn say(server: &TestServer, id: &str, decision: &str) {
    let said = json!({"decision": decision, "note": "She called."});
    server.post(&path(id, "decision"), &said).await.is(StatusCode::OK);
}

async fn ui(server: &TestServer, function: &str, body: &Value) -> Value {
    let request = server.request(Method::POST, &format!("/ui/emails/{function}"), Some(&server.key));
    Answer::of(request.json(body).send().await.unwrap()).await.is(StatusCode::OK).body
}

/// What the message came to before, the last first.
async fn runs(server: &TestServer, id: &str) -> Vec<Value> {
    server.get(&path(id, "runs")).await.is(StatusCode::OK).body.as_array().unwrap().clone()
}

/// The number and the decision of each.
fn told(runs: &[Value]) -> Vec<(i64, &str)> {
    runs.iter().map(|run| (run["run"].as_i64().unwrap(), run["decision"].as_str().unwrap())).collect()
}

fn assert_is(run: &Value, before: &Value) {
    for name in SAME {
        assert_eq!(run[name], before[name], "{name}");
    }
}

#[tokio::test]
async fn what_an_earlier_run_came_to_is_told_with_its_grounds() {
    let server = TestServer::start().await;
    let orders = orders(&server, "very urgent").await;
    let before = server.decide("acme", message("ann@x.example", "order 7", "Where is it?")).await;
    let id = id_of(&before);
    assert_eq!(before["decision"], "rejected");
    assert!(runs(&server, &id).await.is_empty(), "what the message says itself is not told twice");

    demand(&server, &orders, "order").await;
    let now = run_again(&server, &id).await;
    assert_eq!((&now["decision"], &now["run"]), (&json!("accepted"), &json!(2)));
    let found = runs(&server, &id).await;
    assert_eq!(found.len(), 1);
    assert_is(&found[0], &before);
    assert_eq!(found[0]["verdicts"][0]["evidence"]["compared"]["expected"], "very urgent");
    assert_ne!(found[0]["intent_version"], now["intent_version"]);
    assert_ne!(found[0]["configuration_revision"], now["configuration_revision"]);
    let mut fields = before["fields"].clone();
    let all = fields.as_object_mut().unwrap().len();
    fields
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !name.starts_with("header.") && name != "body" && name != "new_text");
    assert!(fields.as_object().unwrap().len() + 3 <= all, "{all}");
    assert_eq!(found[0]["fields"], fields, "its text is not kept twice");
    assert_eq!(fields["order_number"], "7");

    // Nor does it hang on what there is today.
    let intent = format!("/api/intents/{}?tenant_id=acme", orders.0);
    server.delete(&intent).await.is(StatusCode::NO_CONTENT);
    let found = runs(&server, &id).await;
    assert_eq!(found[0]["intent"], json!({"intent_id": null, "name": "Orders"}));
    assert_eq!(found[0]["verdicts"], before["verdicts"]);
}

#[tokio::test]
async fn a_persons_decision_leaves_what_flowengine_had_decided() {
    let server = TestServer::start().await;
    orders(&server, "very urgent").await;
    let before = server.decide("acme", message("ann@x.example", "order 7", "Where is it?")).await;
    let id = id_of(&before);
    say(&server, &id, "accepted").await;
    let found = runs(&server, &id).await;
    assert_eq!(found.len(), 1);
    assert_is(&found[0], &before);
    assert_eq!(found[0]["decided_by"], "FlowEngine");

    // It is kept once, whatever is said and taken back after that.
    say(&server, &id, "review").await;
    assert_eq!(runs(&server, &id).await, found);
    server.post(&path(&id, "take-back"), &json!({})).await.is(StatusCode::OK);
    assert_eq!(email(&server, &id).await["decision"], "accepted");
    assert_eq!(runs(&server, &id).await, found);
    assert_eq!(run_again(&server, &id).await["run"], 2);
    assert_eq!(runs(&server, &id).await, found, "a person's word is no run");

    // Of many at once. What stands again is told by the message itself.
    let mut ids = Vec::new();
    for subject in ["order 8", "order 9"] {
        ids.push(id_of(&server.decide("acme", message("ann@x.example", subject, "x")).await));
    }
    let said = json!({"tenant_id": "acme", "ids": ids, "decision": "accepted", "note": ""});
    let word = ui(&server, "decide-many", &said).await["word"].clone();
    for id in &ids {
        assert_eq!(told(&runs(&server, id).await), [(1, "rejected")]);
    }
    ui(&server, "take-back", &json!({"tenant_id": "acme", "ids": ids, "word": word})).await;
    for id in &ids {
        assert_eq!(email(&server, id).await["decided_by"], "FlowEngine");
        assert!(runs(&server, id).await.is_empty());
    }
}

/// Also where a run's findings stand again under a new number.
#[tokio::test]
async fn a_run_that_is_taken_back_stays_to_be_read_under_its_number() {
    let server = TestServer::start().await;
    let orders = orders(&server, "very urgent").await;
    let id = id_of(&server.decide("acme", message("ann@x.example", "order 7", "Where is it?")).await);
    demand(&server, &orders, "order").await;
    let word =
        ui(&server, "reprocess-many", &json!({"tenant_id": "acme", "ids": [id]})).await["word"].clone();
    let second = server.decided("acme", &id).await;
    assert_eq!((&second["decision"], &second["run"]), (&json!("accepted"), &json!(2)));
    ui(&server, "take-back", &json!({"tenant_id": "acme", "ids": [id], "word": word})).await;
    let third = email(&server, &id).await;
    assert_eq!((&third["decision"], &third["run"]), (&json!("rejected"), &json!(3)));
    let found = runs(&server, &id).await;
    assert_eq!(told(&found), [(2, "accepted"), (1, "rejected")]);
    assert_is(&found[0], &second);

    // By a correction, too.
    server.post(&path(&id, "intent"), &json!({"intent_id": null})).await.is(StatusCode::ACCEPTED);
    assert_eq!(server.decided("acme", &id).await["run"], 4);
    let found = runs(&server, &id).await;
    assert_eq!(told(&found), [(3, "rejected"), (2, "accepted"), (1, "rejected")]);
    assert_is(&found[0], &third);
}

#[tokio::test]
async fn what_a_run_came_to_is_there_while_the_next_one_waits_or_is_given_up() {
    let server = TestServer::start_idle(&[]).await;
    orders(&server, "very urgent").await;
    let tenant = "acme".parse().unwrap();
    let id = server.receive("acme", message("ann@x.example", "order 7", "Where is it?")).await;
    let email_id: EmailId = id.parse().unwrap();
    say(&server, &id, "review").await;
    assert!(runs(&server, &id).await.is_empty(), "it had not run");
    server.post(&path(&id, "take-back"), &json!({})).await.is(StatusCode::OK);
    worker::process_now(&server.app, &tenant, email_id).await.unwrap().expect("a job");
    let before = email(&server, &id).await;
    assert_eq!((&before["decision"], &before["run"]), (&json!("rejected"), &json!(1)));

    server.post(&path(&id, "reprocess"), &json!({})).await.is(StatusCode::ACCEPTED);
    assert!(runs(&server, &id).await.is_empty(), "the message still says it");
    let mut tx = server.app.database.tenant(&tenant).await.unwrap();
    assert!(repository::requeue(&mut tx, email_id, "Waiting: Shop could not be asked.").await.unwrap());
    tx.commit().await.unwrap();
    let found = runs(&server, &id).await;
    assert_eq!(found.len(), 1);
    assert_is(&found[0], &before);

    let mut tx = server.app.database.tenant(&tenant).await.unwrap();
    assert!(repository::put_up(&mut tx, email_id, "Each attempt broke off.").await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(runs(&server, &id).await, found);
    say(&server, &id, "accepted").await;
    assert_eq!(runs(&server, &id).await, found);
}

/// The page of a message, and how many earlier runs it shows.
async fn shown(server: &TestServer, id: &str) -> (String, usize) {
    let page = server.get(&format!("/t/acme/messages/{id}")).await.is(StatusCode::OK).text;
    let count = page.matches("data-testid=\"earlier-run\"").count();
    (page, count)
}

#[tokio::test]
async fn the_page_shows_the_latest_of_them_and_the_api_all() {
    let server = TestServer::start().await;
    let orders = orders(&server, "very urgent").await;
    server.tenant("globex").await;
    let id = id_of(&server.decide("acme", message("ann@x.example", "order 7", "Where is it?")).await);
    let (page, count) = shown(&server, &id).await;
    assert!(count == 0 && !page.contains("Earlier decisions"));
    demand(&server, &orders, "order").await;
    run_again(&server, &id).await;
    let (page, count) = shown(&server, &id).await;
    assert!(count == 1 && page.contains("Earlier decisions") && !page.contains("more-runs"));
    // Open or not, it is there without a script.
    for part in ["earlier-explanation", "earlier-verdict", "earlier-extracted"] {
        assert!(page.contains(&format!("data-testid=\"{part}\"")), "{part}");
    }

    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE emails SET run = 30; \
         INSERT INTO email_runs (tenant_id, email_id, run, intent_name, decision, decided_by, decided_at, explanation, fields) \
         SELECT tenant_id, email_id, n, intent_name, decision, decided_by, decided_at, 'One of before.', '{}' \
         FROM emails, generate_series(2, 26) AS n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let (page, count) = shown(&server, &id).await;
    assert!(count == 5 && page.contains("21 older ones are not shown."));

    let viewer = server.key_of("acme", Role::Viewer).await;
    let get = async |path: &str, key: &str| {
        Answer::of(server.request(Method::GET, path, Some(key)).send().await.unwrap()).await
    };
    let (mut next, mut pages) = (Some(path(&id, "runs") + "&limit=10"), Vec::new());
    while let Some(path) = next {
        let page = get(&path, &viewer).await.is(StatusCode::OK);
        let numbers = page.body.as_array().unwrap().iter().map(|run| run["run"].as_i64().unwrap());
        pages.push(numbers.collect::<Vec<_>>());
        let link = page.headers.get(header::LINK).map(|link| link.to_str().unwrap());
        next = link.map(|link| link.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned());
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 6]);
    assert_eq!(pages.concat(), (1..=26).rev().collect::<Vec<i64>>());
    let refused = server.get(&(path(&id, "runs") + "&cursor=x")).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["cursor"]);

    // Another tenant's, and nobody's.
    let stranger = server.key_of("globex", Role::Admin).await;
    get(&path(&id, "runs"), &stranger).await.is(StatusCode::NOT_FOUND);
    server.get(&format!("/api/emails/{id}/runs?tenant_id=globex")).await.is(StatusCode::NOT_FOUND);
    let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
    server.get(&path(nobody, "runs")).await.is(StatusCode::NOT_FOUND);

    server.delete("/api/tenants/acme").await.is(StatusCode::NO_CONTENT);
    while deletion::turn(&server.app).await.unwrap() {}
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM email_runs").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0, "they go with their message");
}
