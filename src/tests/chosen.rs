//! Words on messages that were chosen from a list, some of which have left it since.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::auth::dto::Role;

async fn ui(server: &TestServer, key: &str, function: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, &format!("/ui/emails/{function}"), Some(key)).json(body);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn a_word_is_said_of_what_fits_its_list_still() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let key = server.key_of("acme", Role::Operator).await;
    let mut ids = Vec::new();
    for subject in ["order one", "order two", "parcel"] {
        ids.push(server.receive("acme", message("a@b.example", subject, "x")).await);
    }
    let gone = "01890a5d-ac96-774b-bcce-b302099a8057";
    let email = async |id: &str| server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
    let say = async |function: &str, mut body: Value| {
        body["tenant_id"] = json!("acme");
        let done = ui(&server, &key, function, &body).await.is(StatusCode::OK).body;
        assert_eq!(done["problem"], Value::Null);
        (done["done"].clone(), done["left"].clone())
    };
    // A colleague decides one of those that wait.
    let body = json!({"ids": [ids[1]], "decision": "accepted", "note": ""});
    assert_eq!(say("decide-many", body).await, (json!([ids[1]]), json!([])));
    let body = json!({
        "ids": [ids[0], ids[1], ids[2], gone],
        "fitting": {"waiting": true},
        "decision": "rejected",
        "note": "",
    });
    assert_eq!(say("decide-many", body).await, (json!([ids[0], ids[2]]), json!([ids[1], gone])));
    assert_eq!(email(&ids[1]).await["decision"], "accepted", "it had left the list");

    let body = json!({"ids": ids, "fitting": {"q": "ORDER", "decision": "rejected"}});
    assert_eq!(say("reprocess-many", body).await, (json!([ids[0]]), json!([ids[1], ids[2]])));
    let body = json!({"ids": ids, "fitting": {"decision": "review"}, "intent_id": null});
    assert_eq!(say("correct-many", body).await, (json!([]), json!(ids)));
    // A filter without members narrows nothing.
    let body = json!({"ids": ids, "fitting": {}, "intent_id": null});
    assert_eq!(say("correct-many", body).await, (json!(ids), json!([])));
}

#[tokio::test]
async fn what_fits_is_looked_for_in_the_own_tenant_by_a_filter_that_can_be_read() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let id = server.receive("acme", message("a@b.example", "order", "x")).await;
    let stranger = server.key_of("globex", Role::Operator).await;
    let body = |fitting: Value| json!({"tenant_id": "globex", "ids": [id], "fitting": fitting});
    let done = ui(&server, &stranger, "reprocess-many", &body(json!({"q": "order"}))).await;
    let done = done.is(StatusCode::OK).body;
    assert_eq!((&done["done"], &done["left"]), (&json!([]), &json!([id])));
    let refused = ui(&server, &stranger, "reprocess-many", &body(json!({"q": "a\0b"}))).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["q"]);
}
