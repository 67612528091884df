//! Domains and addresses as people write them.

use reqwest::StatusCode;
use serde_json::json;

use super::support::TestServer;

#[tokio::test]
async fn a_domain_may_be_given_in_unicode_and_is_kept_in_ascii() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let path = "/api/mail-domains?tenant_id=acme";
    let set = server.put(path, &json!({"domains": ["Müster.example", "plain.example"]})).await;
    assert_eq!(set.is(StatusCode::OK).body, json!({"domains": ["plain.example", "xn--mster-kva.example"]}));
    for none in ["m ü.example", "b%C3%BCcher.ü", "１.2.3.4", "ü@plain.example"] {
        let answer = server.put(path, &json!({"domains": [none]})).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["domains[0]"], "{none}");
    }
    let mailbox = |address: &str| json!({"name": address, "kind": "smtp", "address": address});
    let all = "/api/mailboxes?tenant_id=acme";
    let made = server.post(all, &mailbox("Orders@MÜSTER.example")).await.is(StatusCode::CREATED);
    assert_eq!(made.body["address"], "orders@xn--mster-kva.example");
    server.post(all, &mailbox("orders@xn--mster-kva.example")).await.is(StatusCode::CONFLICT);
    for none in
        ["orders@mü ster.example", "Mü ler@plain.example", "orders@１.2.3.4", "orders@other-ü.example"]
    {
        let answer = server.post(all, &mailbox(none)).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["address"], "{none}");
    }
}

/// Mail servers take such addresses since RFC 6531, and this one says that it does.
#[tokio::test]
async fn a_mailbox_may_have_letters_of_any_kind_and_has_one_address() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let domains = json!({"domains": ["acme.example"]});
    server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);
    let mailbox = |address: &str| json!({"name": format!("{address:?}"), "kind": "smtp", "address": address});
    let all = "/api/mailboxes?tenant_id=acme";
    let made = server.post(all, &mailbox("MU\u{308}LLER@acme.example")).await.is(StatusCode::CREATED);
    assert_eq!(made.body["address"], "müller@acme.example");
    server.post(all, &mailbox("müller@acme.example")).await.is(StatusCode::CONFLICT);
    for none in ["müller+42@acme.example", "ü\u{85}ü@acme.example", "ü..ü@acme.example", "ü@ü.example"]
    {
        let answer = server.post(all, &mailbox(none)).await;
        assert_eq!(answer.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["address"], "{none}");
    }
}

#[tokio::test]
async fn of_many_domains_those_of_another_tenant_are_named_and_none_is_set() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    let domains = json!({"domains": ["b.example", "a.example", "own.example"]});
    server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);
    let path = "/api/mail-domains?tenant_id=globex";
    let first = json!({"domains": ["globex.example"]});
    server.put(path, &first).await.is(StatusCode::OK);
    let wanted = json!({"domains": ["b.example", "new.example", "globex.example", "a.example"]});
    server
        .put(path, &wanted)
        .await
        .problem(StatusCode::CONFLICT, "Of these domains, another tenant has a.example, b.example");
    assert_eq!(server.get(path).await.is(StatusCode::OK).body, first);
}
