//! Accounts that are closed on the server's own machine, and who administers the installation.

use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::{
    provider::{CLIENT_ID, CLIENT_SECRET, TestProvider},
    receivers::Relay,
    support::{Answer, TestServer, eventually},
};
use crate::{
    auth::server::{accounts, service as auth},
    server::Error,
    shared::TenantId,
};

/// Whom the provider knows, too.
const ANN: &str = "ann@acme.example";
const PASSWORD: &str = "correct horse battery";
const LAST: &str = "This is the installation's last administrator: make another one first";

/// A form as a browser sends it, from our own page.
async fn form(server: &TestServer, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = server
        .request(Method::POST, path, None)
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    Answer::of(request.body(body).send().await.unwrap()).await
}

/// What a browser sends back of the cookies that it was given.
fn cookie_of(answer: &Answer) -> String {
    let given = answer.headers.get_all(header::SET_COOKIE).iter();
    given.map(|one| one.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

async fn sign_in(server: &TestServer, email: &str, password: &str) -> Answer {
    form(server, "/sign-in", &[("email", email), ("password", password)]).await
}

/// What a person sends to the API in their session.
async fn post_as(server: &TestServer, cookie: &str, path: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, path, None).header(header::COOKIE, cookie);
    Answer::of(request.json(body).send().await.unwrap()).await
}

/// Makes a person who has an account an administrator of the tenant.
async fn join(conn: &mut PgConnection, tenant: &str, email: &str) {
    sqlx::query(
        "INSERT INTO memberships (tenant_id, user_id, role) SELECT $1, user_id, 'admin' FROM users WHERE email = $2",
    )
    .bind(tenant)
    .bind(email)
    .execute(conn)
    .await
    .unwrap();
}

/// What the person of a session is answered.
async fn get(server: &TestServer, cookie: &str, path: &str) -> Answer {
    let request = server.request(Method::GET, path, None).header(header::COOKIE, cookie);
    Answer::of(request.send().await.unwrap()).await
}

/// Sets the password by the link for it.
async fn set_password(server: &TestServer, link: &SecretString) {
    let path = format!("/reset/{}", link.expose_secret());
    form(server, &path, &[("new_password", PASSWORD)]).await.is(StatusCode::NO_CONTENT);
}

/// An account with a password.
async fn account(server: &TestServer, email: &str, is_instance_admin: bool) {
    let link = accounts::create_by_hand(&server.app.database, email, "Ann", is_instance_admin).await.unwrap();
    set_password(server, &link).await;
}

/// The whole way by the provider; the last answer leads into the installation, or back to the sign-in.
async fn sign_in_by_provider(server: &TestServer) -> Answer {
    let begun = server.request(Method::GET, "/sign-in/oidc", None).send().await.unwrap();
    let begun = Answer::of(begun).await;
    let page = Answer::of(server.http.get(location(&begun)).send().await.unwrap()).await;
    let back = server.http.get(location(&page)).header(header::COOKIE, cookie_of(&begun));
    Answer::of(back.send().await.unwrap()).await
}

#[track_caller]
fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    answer.headers[header::LOCATION].to_str().unwrap()
}

async fn count(conn: &mut PgConnection, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table} JOIN users USING (user_id) WHERE email = $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(ANN).fetch_one(conn).await.unwrap()
}

#[track_caller]
fn assert_refused<T>(done: Result<T, Error>, status: u16, detail: &str) {
    let problem = done.err().expect("it is refused").into_problem();
    assert_eq!((problem.status, problem.detail.as_str()), (status, detail));
}

#[tokio::test]
async fn nobody_comes_in_by_a_closed_account_until_it_is_opened_and_has_another_password() {
    let (relay, provider) = (Relay::start(), TestProvider::start().await);
    let url = relay.url();
    let server = TestServer::start_idle(&[
        ("SMTP_URL", url.as_str()),
        ("SMTP_FROM", "flow@host.example"),
        ("OIDC_ISSUER", provider.issuer.as_str()),
        ("OIDC_CLIENT_ID", CLIENT_ID),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("OIDC_CREATE_USERS", "true"),
        ("OIDC_LINK_BY_EMAIL", "true"),
    ])
    .await;
    let database = &server.app.database;
    server.tenant("acme").await;
    account(&server, ANN, false).await;
    account(&server, "bob@acme.example", false).await;
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "WITH ann AS (SELECT user_id FROM users WHERE email = $1), \
         joined AS (INSERT INTO memberships (tenant_id, user_id, role) SELECT 'acme', user_id, 'viewer' FROM ann) \
         INSERT INTO user_identities (issuer, subject, user_id) SELECT $2, 'ann-1', user_id FROM ann",
    )
    .bind(ANN)
    .bind(&provider.issuer)
    .execute(&mut conn)
    .await
    .unwrap();
    let by_password = sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT);
    let by_provider = sign_in_by_provider(&server).await;
    assert_eq!(location(&by_provider), "/");
    let sessions = [cookie_of(&by_password), cookie_of(&by_provider)];
    for session in &sessions {
        assert_eq!(
            get(&server, session, "/api/tenants").await.is(StatusCode::OK).body[0]["tenant_id"],
            "acme"
        );
    }
    let link = accounts::reset_by_hand(database, ANN).await.unwrap();

    accounts::close_by_hand(database, " Ann@ACME.example", false).await.unwrap();
    for session in &sessions {
        get(&server, session, "/api/tenants").await.is(StatusCode::UNAUTHORIZED);
    }
    let refused = sign_in(&server, ANN, PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    let unknown = sign_in(&server, "nobody@acme.example", PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(refused.body["detail"], unknown.body["detail"]);
    assert_eq!(location(&sign_in_by_provider(&server).await), "/sign-in?error=unknown");
    let path = format!("/reset/{}", link.expose_secret());
    form(&server, &path, &[("new_password", PASSWORD)]).await.is(StatusCode::NOT_FOUND);
    for email in [ANN, "bob@acme.example"] {
        form(&server, "/forgot", &[("email", email)]).await.is(StatusCode::NO_CONTENT);
    }
    // Bob's link, with which his account was made, was used: he gets another.
    eventually("one of the two is mailed", async || relay.mails().first().cloned()).await;
    let closed = format!("The account of {ANN} is closed");
    assert_refused(accounts::reset_by_hand(database, ANN).await, 409, &closed);
    accounts::close_by_hand(database, ANN, false).await.unwrap();
    for table in ["sessions", "sign_in_links", "user_identities"] {
        assert_eq!(count(&mut conn, table).await, 0, "{table}");
    }
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(members[0]["email"], ANN, "what she did names her");
    assert_eq!(members[0]["is_closed"], true);
    let page = server.get("/t/acme/members").await.is(StatusCode::OK).text;
    assert!(page.contains(">closed<"), "{page}");
    let listed = accounts::list_by_hand(database).await.unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|(who, tenants)| {
            (who.email.as_str(), who.closed_at.is_some(), who.last_sign_in_at.is_some(), *tenants)
        })
        .collect();
    assert_eq!(listed, [(ANN, true, true, 1), ("bob@acme.example", false, false, 0)]);

    let link = accounts::open_by_hand(database, ANN).await.unwrap();
    sign_in(&server, ANN, PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    get(&server, &sessions[0], "/api/tenants").await.is(StatusCode::UNAUTHORIZED);
    set_password(&server, &link).await;
    let again = cookie_of(&sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT));
    assert_eq!(get(&server, &again, "/api/tenants").await.is(StatusCode::OK).body[0]["tenant_id"], "acme");
    assert_eq!(server.get("/api/members?tenant_id=acme").await.body[0]["is_closed"], false);
    assert!(!server.get("/t/acme/members").await.is(StatusCode::OK).text.contains(">closed<"));
    let mailed: Vec<String> = relay.mails().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!(mailed, ["bob@acme.example"]);
    let log = server.get("/api/instance-audit-log?action=user").await.is(StatusCode::OK).body;
    let told: Vec<&Value> = log.as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(told, ["user.open", "user.close", "user.create", "user.create"]);
    assert_eq!((&log[0]["object_id"], &log[1]["object_id"]), (&json!(ANN), &json!(ANN)));
}

#[tokio::test]
async fn an_invitation_does_not_open_a_closed_account() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    account(&server, ANN, false).await;
    let input = json!({"email": ANN, "role": "viewer"});
    let made = server.post("/api/invitations?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
    let link = made["link"].as_str().unwrap().strip_prefix(&server.base).unwrap();
    let wrong = form(&server, link, &[("password", "staple on the window sill")]).await;
    let wrong = wrong.is(StatusCode::UNAUTHORIZED);
    accounts::close_by_hand(&server.app.database, ANN, false).await.unwrap();
    let closed = form(&server, link, &[("password", PASSWORD)]).await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(closed.body["detail"], wrong.body["detail"]);
    assert_eq!(server.get("/api/members?tenant_id=acme").await.body, json!([]));
}

#[tokio::test]
async fn whoever_administers_the_installation_may_go_but_for_the_last() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    let log = "/api/instance-audit-log";
    // The first account, which the link of the first start signs in.
    let link = auth::first_link(&server.app).await.unwrap().unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let first = Answer::of(server.request(Method::GET, &path, None).send().await.unwrap()).await;
    let first = cookie_of(&first);
    get(&server, &first, log).await.is(StatusCode::OK);
    let root = "admin@localhost";
    assert_refused(accounts::close_by_hand(database, root, false).await, 400, LAST);
    assert_refused(accounts::demote_by_hand(database, root).await, 400, LAST);

    // Another is made one. Whoever made the account may know its password.
    account(&server, ANN, false).await;
    let ann = cookie_of(&sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT));
    get(&server, &ann, log).await.is(StatusCode::FORBIDDEN);
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "INSERT INTO user_identities (issuer, subject, user_id) \
         SELECT 'https://id.example', 'ann-1', user_id FROM users WHERE email = $1",
    )
    .bind(ANN)
    .execute(&mut conn)
    .await
    .unwrap();
    let link = accounts::promote_by_hand(database, ANN).await.unwrap();
    get(&server, &ann, log).await.is(StatusCode::UNAUTHORIZED);
    sign_in(&server, ANN, PASSWORD).await.is(StatusCode::UNAUTHORIZED);
    assert_eq!(count(&mut conn, "user_identities").await, 0);
    set_password(&server, &link).await;
    let ann = cookie_of(&sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT));
    get(&server, &ann, log).await.is(StatusCode::OK);
    let already = format!("{ANN} is an administrator of the installation already");
    assert_refused(accounts::promote_by_hand(database, ANN).await, 409, &already);

    accounts::demote_by_hand(database, root).await.unwrap();
    get(&server, &first, log).await.is(StatusCode::FORBIDDEN);
    let none = format!("{root} is no administrator of the installation");
    assert_refused(accounts::demote_by_hand(database, root).await, 409, &none);
    accounts::close_by_hand(database, root, false).await.unwrap();
    get(&server, &first, log).await.is(StatusCode::UNAUTHORIZED);
    let closed = format!("The account of {root} is closed");
    assert_refused(accounts::promote_by_hand(database, root).await, 409, &closed);
    assert_refused(accounts::demote_by_hand(database, ANN).await, 400, LAST);
    assert_refused(accounts::close_by_hand(database, ANN, false).await, 400, LAST);
    // The link of the command line is for whoever administers it now.
    let link = auth::new_admin_link(database).await.unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let signed_in = Answer::of(server.request(Method::GET, &path, None).send().await.unwrap()).await;
    get(&server, &cookie_of(&signed_in), log).await.is(StatusCode::OK);
    let changes = server.get("/api/instance-audit-log?action=user.update").await.is(StatusCode::OK).body;
    let told = |i: usize| (&changes[i]["object_id"], &changes[i]["before"], &changes[i]["after"]);
    let [no, yes] = [false, true].map(|is_one| json!({"is_instance_admin": is_one}));
    assert_eq!(told(0), (&json!(root), &yes, &no));
    assert_eq!(told(1), (&json!(ANN), &no, &yes));
}

/// An administrator who is closed does not keep another from going, and neither does one who goes at the same time.
#[tokio::test]
async fn two_administrators_who_are_closed_at_once_leave_one() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, true).await;
    }
    let (one, other) = tokio::join!(
        accounts::close_by_hand(database, ANN, false),
        accounts::close_by_hand(database, "bob@acme.example", false)
    );
    assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|is_ok| **is_ok).count(), 1);
    assert_refused(one.and(other), 400, LAST);
}

/// Nobody can sign in to a closed account, so it administers nothing.
#[tokio::test]
async fn a_closed_administrator_does_not_stand_in_for_a_tenants_last_one() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, false).await;
        join(&mut conn, "acme", email).await;
    }
    accounts::close_by_hand(&server.app.database, "bob@acme.example", false).await.unwrap();
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let at = |i: usize| format!("/api/members/{}?tenant_id=acme", members[i]["user_id"]);
    let sentence = "This is the tenant's last administrator: make another one first";
    server.delete(&at(0)).await.problem(StatusCode::BAD_REQUEST, sentence);
    server.put(&at(0), &json!({"role": "viewer"})).await.problem(StatusCode::BAD_REQUEST, sentence);
    server.delete(&at(1)).await.is(StatusCode::NO_CONTENT);
}

/// Their invitations end in each tenant; the keys belong to programs, and end where that is asked for.
#[tokio::test]
async fn what_a_closed_person_made_lets_nobody_in_any_more() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, true).await;
    }
    let ann = cookie_of(&sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT));
    let invite = |email: &str| json!({"email": email, "role": "admin"});
    let key = json!({"name": "deploy", "role": "admin"});
    let mut made = Vec::new();
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        let (keys, invitations) =
            (format!("/api/api-keys?tenant_id={tenant}"), format!("/api/invitations?tenant_id={tenant}"));
        let invited = post_as(&server, &ann, &invitations, &invite("private@x.example")).await;
        let invited = invited.is(StatusCode::CREATED).body;
        let link = invited["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned();
        let own = post_as(&server, &ann, &keys, &key).await.is(StatusCode::CREATED).body;
        let own = own["key"].as_str().unwrap().to_owned();
        // What a program of hers made in turn, and what another person did.
        let request =
            server.request(Method::POST, &invitations, Some(&own)).json(&invite("program@x.example"));
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::CREATED);
        server.post(&invitations, &invite("kept@x.example")).await.is(StatusCode::CREATED);
        made.push((tenant, invitations, link, own));
    }
    let open = async |path: &str| -> Vec<String> {
        let listed = server.get(path).await.is(StatusCode::OK).body;
        listed.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
    };
    let works = async |path: &str, key: &str| {
        server.request(Method::GET, path, Some(key)).send().await.unwrap().status() == StatusCode::OK
    };

    let left = accounts::close_by_hand(database, ANN, false).await.unwrap();
    let [acme, globex] = ["acme", "globex"].map(|id| id.parse::<TenantId>().unwrap());
    assert_eq!(left, [(acme, 1), (globex, 1)]);
    for (_, invitations, link, key) in &made {
        form(&server, link, &[("password", PASSWORD)]).await.is(StatusCode::NOT_FOUND);
        assert_eq!(open(invitations).await, ["program@x.example", "kept@x.example"]);
        assert!(works(invitations, key).await, "programs go on");
    }
    // The same again, once it is known what that leaves.
    assert!(accounts::close_by_hand(database, ANN, true).await.unwrap().is_empty());
    for (tenant, invitations, _, key) in &made {
        assert_eq!(open(invitations).await, ["kept@x.example"]);
        assert!(!works(invitations, key).await);
        for (action, told) in [("invitation.delete", 2), ("api_key.revoke", 1)] {
            let log = server.get(&format!("/api/audit-log?tenant_id={tenant}&action={action}")).await.body;
            assert_eq!(log.as_array().unwrap().len(), told, "{log:#}");
            assert_eq!(log[0]["actor"], "FlowEngine");
        }
    }
    let log = server.get("/api/instance-audit-log?action=user.close").await.is(StatusCode::OK).body;
    assert_eq!(log.as_array().unwrap().len(), 1, "{log:#}");
}

/// Whoever closes the account does not see what is being made at that moment: so it waits, and is refused.
#[tokio::test]
async fn who_is_being_closed_makes_nothing_any_more() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut closing = server.database().superuser().await;
    let mut sessions = Vec::new();
    for (email, is_instance_admin) in [(ANN, false), ("bob@acme.example", true)] {
        account(&server, email, is_instance_admin).await;
        sessions.push(cookie_of(&sign_in(&server, email, PASSWORD).await.is(StatusCode::NO_CONTENT)));
    }
    join(&mut closing, "acme", ANN).await;
    sqlx::raw_sql("BEGIN; UPDATE users SET closed_at = now()").execute(&mut closing).await.unwrap();
    let mut watching = server.database().superuser().await;
    let ended = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("both wait for the closing", async || {
            let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watching).await.unwrap();
            (found > 1).then_some(())
        })
        .await;
        sqlx::raw_sql("COMMIT").execute(&mut closing).await.unwrap();
    };
    let (invitations, keys) = ("/api/invitations?tenant_id=acme", "/api/api-keys?tenant_id=acme");
    let (invitation, key) =
        (json!({"email": "private@x.example", "role": "admin"}), json!({"name": "k", "role": "admin"}));
    let (invited, made, ()) = tokio::join!(
        post_as(&server, &sessions[0], invitations, &invitation),
        post_as(&server, &sessions[1], keys, &key),
        ended,
    );
    for answer in [invited, made] {
        answer.problem(StatusCode::FORBIDDEN, "You no longer administer this tenant");
    }
    for path in [invitations, keys] {
        assert_eq!(server.get(path).await.is(StatusCode::OK).body, json!([]), "{path}");
    }
}
