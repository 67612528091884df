//! What happens to a password while somebody else is at it, and what is noted of wrong ones.

use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::support::{Answer, TestServer, eventually};
use crate::{auth::server::accounts, server::origin::Origin};

const ADA: &str = "ada@acme.example";
const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "staple on the window sill";

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

/// Ada, with a password.
async fn ada(server: &TestServer) {
    let link = accounts::create_by_hand(&server.app.database, ADA, "Ada", false).await.unwrap();
    let origin = Origin::default();
    accounts::reset(&server.app, &origin, link.expose_secret(), &secret(PASSWORD)).await.unwrap();
}

/// A form as a browser sends it, from our own page.
async fn form(server: &TestServer, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = server
        .request(Method::POST, path, None)
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie);
    Answer::of(request.body(body).send().await.unwrap()).await
}

/// Whoever knows the old password is not the one who has the last word.
#[tokio::test]
async fn a_password_that_was_reset_while_it_was_changed_stays_as_it_was_reset() {
    let server = TestServer::start_idle(&[]).await;
    ada(&server).await;
    let session = accounts::sign_in(&server.app, &Origin::default(), ADA, &secret(PASSWORD), None).await;
    let cookie = format!("flowengine_session={}", session.unwrap().expose_secret());
    // A reset that has set the password, and is not at its end: until then the old one is what everybody finds.
    let reset_to = server.app.passwords.hash(&secret("quite another one of hers")).await.unwrap();
    let mut resetting = server.database().superuser().await;
    sqlx::raw_sql("BEGIN").execute(&mut resetting).await.unwrap();
    sqlx::query("UPDATE users SET password_hash = $2 WHERE email = $1")
        .bind(ADA)
        .bind(&reset_to)
        .execute(&mut resetting)
        .await
        .unwrap();
    let mut watching = server.database().superuser().await;
    let ended = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("the change waits for the reset", async || {
            let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watching).await.unwrap();
            (found > 0).then_some(())
        })
        .await;
        sqlx::raw_sql("COMMIT").execute(&mut resetting).await.unwrap();
    };
    let fields = [("current_password", PASSWORD), ("new_password", OTHER), ("repeated_password", OTHER)];
    let (changed, ()) = tokio::join!(form(&server, "/account/password", &cookie, &fields), ended);
    assert_eq!(changed.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["current_password"]);
    let stored: Option<String> = sqlx::query_scalar("SELECT password_hash FROM users WHERE email = $1")
        .bind(ADA)
        .fetch_one(&mut watching)
        .await
        .unwrap();
    assert_eq!(stored, Some(reset_to));
    let log = server.get("/api/instance-audit-log?action=password.change").await.is(StatusCode::OK);
    assert_eq!(log.body, json!([]));
}

/// Whoever holds an invitation can try passwords by it: the log is not theirs to fill either.
#[tokio::test]
async fn wrong_passwords_by_an_invitation_are_counted_with_those_at_the_sign_in() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    ada(&server).await;
    let input = json!({"email": ADA, "role": "viewer"});
    let made = server.post("/api/invitations?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
    let link = made["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned();
    let mut conn = server.database().superuser().await;
    let hour = "SELECT date_trunc('hour', now())::text";
    let began: String = sqlx::query_scalar(hour).fetch_one(&mut conn).await.unwrap();
    for _ in 0..10 {
        form(&server, &link, "", &[("password", OTHER)]).await.is(StatusCode::UNAUTHORIZED);
    }
    let counts: Vec<(String, i64)> =
        sqlx::query_as("SELECT account, refusals FROM sign_in_refusals").fetch_all(&mut conn).await.unwrap();
    let now: String = sqlx::query_scalar(hour).fetch_one(&mut conn).await.unwrap();
    if now != began {
        // They are counted by the hour, which is another one now.
        return;
    }
    assert_eq!(counts, [(ADA.to_owned(), 10)]);
    let log = server.get("/api/instance-audit-log?action=session.refuse").await.is(StatusCode::OK).body;
    let told: Vec<&Value> = log.as_array().unwrap().iter().map(|entry| &entry["after"]).collect();
    assert_eq!(told.len(), 2, "the first and the tenth: {log}");
    assert!(told.iter().all(|after| after["by"] == "invitation"), "{log}");
    assert_eq!((&told[0]["refusals_this_hour"], told[1]), (&json!(10), &json!({"by": "invitation"})));
}
