//! What a list that is asked for anew tells of the messages that it holds no more.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, message};
use crate::{auth::dto::Role, emails::api::PAGE};

fn ids(emails: &Value) -> Vec<&str> {
    emails.as_array().unwrap().iter().map(|email| email["email_id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_tells_how_those_stand_that_left_it_as_far_as_it_reaches_and_of_nobody_elses() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let viewer = server.key_of("acme", Role::Viewer).await;
    let send = async |tenant| server.receive(tenant, message("a@x.example", "hello", "x")).await;
    let beyond = send("acme").await;
    let mut waiting = Vec::new();
    for _ in 0..PAGE {
        waiting.push(send("acme").await);
    }
    let (left, theirs) = (send("acme").await, send("globex").await);
    for id in [&beyond, &left] {
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK);
    }
    let list = async |filter: &str, shown: &[&str]| {
        let shown: String = shown.iter().enumerate().map(|(at, id)| format!("&shown[{at}]={id}")).collect();
        let request = server.request(Method::POST, "/ui/emails/list", Some(&viewer));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = format!("tenant_id=acme{filter}{shown}");
        Answer::of(request.body(body).send().await.unwrap()).await.is(StatusCode::OK).body
    };

    let gone = uuid::Uuid::now_v7().to_string();
    let shown = [left.as_str(), &waiting[0], &beyond, &theirs, &gone];
    for filter in ["&filter[waiting]=true", "&filter[waiting]=true&filter[q]=hello"] {
        let page = list(filter, &shown).await;
        assert_eq!(page["next"], waiting[0].as_str());
        assert_eq!(ids(&page["emails"]), waiting.iter().rev().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ids(&page["left"]), [left.as_str()], "{filter}");
        let now = &page["left"][0];
        assert_eq!((&now["status"], &now["decision"]), (&json!("done"), &json!("rejected")));
        assert_eq!(ids(&list(filter, &[]).await["left"]), [""; 0]);
    }
    // Where it reaches them all, of all; and nothing has left what holds it.
    let page = list("&filter[decision]=accepted", &shown).await;
    assert_eq!(ids(&page["left"]), [left.as_str(), &waiting[0], &beyond]);
    assert_eq!(ids(&list("", &[&left, waiting.last().unwrap()]).await["left"]), [""; 0]);
}
