//! The dashboard of a tenant that has nothing yet: what to do first, and by whom.

use reqwest::{Method, StatusCode, header};
use serde_json::json;

use super::{
    edges::session,
    support::{Answer, TestServer, message},
};

const WAYS: [&str; 5] = ["/configs/new", "/datasources/new", "/intents/new", "/mailboxes/new", "/try"];

/// To whoever may go none of the ways to a datasource and an intent.
const FOR_OTHERS: &str = "The first two are for those who have the role editor or admin here.";

async fn dashboard(server: &TestServer, cookie: &str, tenant: &str) -> String {
    let request = server.request(Method::GET, &format!("/t/{tenant}"), None).header(header::COOKIE, cookie);
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).text
}

fn has_steps(page: &str) -> bool {
    page.contains("data-testid=\"first-steps\"")
}

#[tokio::test]
async fn a_new_tenants_dashboard_names_the_first_steps_and_leads_to_those_that_its_reader_may_take() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    let cookie = session(&server).await;
    let mut conn = server.database().superuser().await;
    let ordinary = "UPDATE users SET is_instance_admin = false; \
                    INSERT INTO memberships (tenant_id, user_id, role) \
                    SELECT tenant_id, user_id, 'viewer' FROM users CROSS JOIN tenants";
    sqlx::raw_sql(ordinary).execute(&mut conn).await.unwrap();
    for (role, expected) in [
        ("viewer", [false; 5]),
        ("operator", [false, false, false, false, true]),
        ("editor", [false, true, true, false, true]),
        ("admin", [true; 5]),
    ] {
        let given = "UPDATE memberships SET role = $1";
        sqlx::query(given).bind(role).execute(&mut conn).await.unwrap();
        let page = dashboard(&server, &cookie, "acme").await;
        assert!(has_steps(&page), "{role}");
        assert_eq!(WAYS.map(|way| page.contains(&format!("href=\"/t/acme{way}\""))), expected, "{role}");
        assert_eq!(page.contains(FOR_OTHERS), !expected[2], "{role}");
    }
    // Whoever has begun need not be told how.
    let intent = json!({"name": "Orders"});
    server.post("/api/intents?tenant_id=acme", &intent).await.is(StatusCode::CREATED);
    server.receive("globex", message("a@x.example", "Hello", "World")).await;
    for tenant in ["acme", "globex"] {
        assert!(!has_steps(&dashboard(&server, &cookie, tenant).await), "{tenant}");
    }
}

/// Of very many tenants, not all are named to an administrator of the installation, nor the role in each.
#[tokio::test]
async fn whose_role_is_not_known_does_not_read_that_the_first_steps_are_for_others() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("zeta").await;
    let cookie = session(&server).await;
    let mut conn = server.database().superuser().await;
    let many = "INSERT INTO tenants (tenant_id, name) SELECT 'acme_' || n, 'Acme ' || n FROM generate_series(1, 1000) n";
    sqlx::raw_sql(many).execute(&mut conn).await.unwrap();
    let page = dashboard(&server, &cookie, "zeta").await;
    assert!(has_steps(&page) && !page.contains(FOR_OTHERS));
}
