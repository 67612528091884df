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
    keys::server::service::StillWorking,
    server::{Error, database, token},
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

fn still_working(of_installation: i64, of_tenants: &[(&str, i64)]) -> StillWorking {
    let of_tenants = of_tenants.iter().map(|(tenant, count)| (tenant.parse().unwrap(), *count)).collect();
    StillWorking { of_installation, of_tenants }
}

/// What a program is answered that makes something.
async fn post_by(server: &TestServer, key: &str, path: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, path, Some(key)).json(body);
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::CREATED)
}

/// The key that was made.
fn key_in(made: &Answer) -> String {
    made.body["key"].as_str().unwrap().to_owned()
}

/// The path of the invitation's link.
fn link_in(server: &TestServer, made: &Answer) -> String {
    made.body["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned()
}

/// The addresses that are invited.
async fn invited(server: &TestServer, tenant: &str) -> Vec<String> {
    let listed = server.get(&format!("/api/invitations?tenant_id={tenant}")).await.is(StatusCode::OK).body;
    listed.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned()).collect()
}

/// Whether a key lets in.
async fn works(server: &TestServer, key: &str) -> bool {
    let answer = server.request(Method::GET, "/api/tenants", Some(key)).send().await.unwrap();
    answer.status() == StatusCode::OK
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
    assert_refused(accounts::demote_by_hand(database, root, false).await, 400, LAST);

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

    for _ in 0..2 {
        let left = accounts::demote_by_hand(database, root, false).await.unwrap();
        assert_eq!(left, StillWorking::default());
        get(&server, &first, log).await.is(StatusCode::FORBIDDEN);
    }
    accounts::close_by_hand(database, root, false).await.unwrap();
    get(&server, &first, log).await.is(StatusCode::UNAUTHORIZED);
    let closed = format!("The account of {root} is closed");
    assert_refused(accounts::promote_by_hand(database, root).await, 409, &closed);
    assert_refused(accounts::demote_by_hand(database, ANN, false).await, 400, LAST);
    assert_refused(accounts::close_by_hand(database, ANN, false).await, 400, LAST);
    // The link of the command line is for whoever administers it now.
    let link = auth::new_admin_link(database).await.unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let signed_in = Answer::of(server.request(Method::GET, &path, None).send().await.unwrap()).await;
    get(&server, &cookie_of(&signed_in), log).await.is(StatusCode::OK);
    let changes = server.get("/api/instance-audit-log?action=user.update").await.is(StatusCode::OK).body;
    assert_eq!(changes.as_array().unwrap().len(), 2, "{changes:#}");
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
    assert_eq!(left, still_working(0, &[("acme", 1), ("globex", 1)]));
    for (_, invitations, link, key) in &made {
        form(&server, link, &[("password", PASSWORD)]).await.is(StatusCode::NOT_FOUND);
        assert_eq!(open(invitations).await, ["program@x.example", "kept@x.example"]);
        assert!(works(invitations, key).await, "programs go on");
    }
    // The same again, once it is known what that leaves.
    assert_eq!(accounts::close_by_hand(database, ANN, true).await.unwrap(), StillWorking::default());
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

/// A key of the installation is an administrator in every tenant, and so is what it makes.
#[tokio::test]
async fn a_key_of_the_installation_ends_with_its_person_and_so_does_what_it_made() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    server.tenant("acme").await;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, true).await;
    }
    let ann = cookie_of(&sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT));
    let (of_all, keys) = ("/api/instance-api-keys", "/api/api-keys?tenant_id=acme");
    let invitations = "/api/invitations?tenant_id=acme";
    let invite = |email: &str| json!({"email": email, "role": "admin"});
    let first = post_as(&server, &ann, of_all, &json!({"name": "first"})).await.is(StatusCode::CREATED);
    let first = key_in(&first);
    let second = key_in(&post_by(&server, &first, of_all, &json!({"name": "second"})).await);
    let own = json!({"name": "own", "role": "admin"});
    let own = key_in(&post_by(&server, &second, keys, &own).await);
    let link = link_in(&server, &post_by(&server, &first, invitations, &invite("private@x.example")).await);
    post_by(&server, &own, invitations, &invite("program@x.example")).await;
    server.post(invitations, &invite("kept@x.example")).await.is(StatusCode::CREATED);

    let left = accounts::close_by_hand(database, ANN, false).await.unwrap();
    assert_eq!(left, still_working(2, &[("acme", 1)]));
    for key in [&first, &second, &own] {
        assert!(works(&server, key).await, "programs go on");
    }
    assert_eq!(invited(&server, "acme").await.len(), 3);
    assert_eq!(accounts::close_by_hand(database, ANN, true).await.unwrap(), StillWorking::default());
    for key in [&first, &second, &own] {
        assert!(!works(&server, key).await);
    }
    form(&server, &link, &[("password", PASSWORD)]).await.is(StatusCode::NOT_FOUND);
    assert_eq!(invited(&server, "acme").await, ["kept@x.example"]);
    let log = server.get("/api/instance-audit-log?action=instance_api_key.revoke").await.body;
    assert_eq!(log.as_array().unwrap().len(), 2, "{log:#}");
}

/// What a person could not make any more ends, and what they could stays.
#[tokio::test]
async fn with_the_rights_over_the_installation_ends_what_they_let_a_person_make() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, true).await;
    }
    let ann = cookie_of(&sign_in(&server, ANN, PASSWORD).await.is(StatusCode::NO_CONTENT));
    let mut own = Vec::new();
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
        let path = |of: &str| format!("/api/{of}?tenant_id={tenant}");
        let invitation = json!({"email": "private@x.example", "role": "admin"});
        post_as(&server, &ann, &path("invitations"), &invitation).await.is(StatusCode::CREATED);
        let key = json!({"name": "deploy", "role": "admin"});
        let made = post_as(&server, &ann, &path("api-keys"), &key).await.is(StatusCode::CREATED);
        own.push(key_in(&made));
    }
    let of_all = post_as(&server, &ann, "/api/instance-api-keys", &json!({"name": "backup"})).await;
    let of_all = key_in(&of_all.is(StatusCode::CREATED));
    join(&mut server.database().superuser().await, "acme", ANN).await;

    let left = accounts::demote_by_hand(database, ANN, false).await.unwrap();
    assert_eq!(left, still_working(1, &[("globex", 1)]));
    assert_eq!(invited(&server, "acme").await, ["private@x.example"]);
    assert!(invited(&server, "globex").await.is_empty());
    let all_work = works(&server, &own[0]).await && works(&server, &own[1]).await;
    assert!(all_work && works(&server, &of_all).await, "programs go on");
    let left = accounts::demote_by_hand(database, ANN, true).await.unwrap();
    assert_eq!(left, StillWorking::default());
    assert!(works(&server, &own[0]).await, "she may make it again");
    assert!(!works(&server, &own[1]).await && !works(&server, &of_all).await);
    assert_eq!(invited(&server, "acme").await, ["private@x.example"]);
}

/// Whatever their part in a tenant, they administer it.
#[tokio::test]
async fn an_administrator_of_the_installation_keeps_invitations_without_a_part_in_the_tenant() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, email == ANN).await;
        join(&mut conn, "acme", email).await;
    }
    let mut sessions = Vec::new();
    for email in [ANN, "bob@acme.example"] {
        sessions.push(cookie_of(&sign_in(&server, email, PASSWORD).await.is(StatusCode::NO_CONTENT)));
    }
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let ann = format!("/api/members/{}?tenant_id=acme", members[0]["user_id"]);
    let invitation = json!({"email": "carl@x.example", "role": "viewer"});
    post_as(&server, &sessions[0], "/api/invitations?tenant_id=acme", &invitation)
        .await
        .is(StatusCode::CREATED);
    server.put(&ann, &json!({"role": "viewer"})).await.is(StatusCode::OK);
    assert_eq!(invited(&server, "acme").await, ["carl@x.example"]);
    // Nor where she accepts a lower role by herself.
    server.put(&ann, &json!({"role": "admin"})).await.is(StatusCode::OK);
    let lower = json!({"email": ANN, "role": "viewer"});
    let made = post_as(&server, &sessions[1], "/api/invitations?tenant_id=acme", &lower).await;
    let link = link_in(&server, &made.is(StatusCode::CREATED));
    form(&server, &link, &[("password", PASSWORD)]).await.is(StatusCode::NO_CONTENT);
    assert_eq!(invited(&server, "acme").await, ["carl@x.example"]);
    server.delete(&ann).await.is(StatusCode::NO_CONTENT);
    assert_eq!(invited(&server, "acme").await, ["carl@x.example"]);
}

/// While servers are exchanged, those of before do not say who makes something.
#[tokio::test]
async fn what_a_server_of_before_made_for_a_person_ends_with_them_too() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    for email in [ANN, "bob@acme.example"] {
        account(&server, email, false).await;
        join(&mut conn, "acme", email).await;
    }
    // Two invitations of the installation's own, one of which another then puts hers in the place of.
    let invitations = "/api/invitations?tenant_id=acme";
    for email in ["carl@x.example", "kept@x.example"] {
        let input = json!({"email": email, "role": "viewer"});
        server.post(invitations, &input).await.is(StatusCode::CREATED);
    }
    let key = "fe_ofaserverofbefore0000000000000000";
    sqlx::query(
        "INSERT INTO api_keys (tenant_id, name, role, prefix, key_hash, created_by) \
         VALUES ('acme', 'old', 'admin', 'fe_ofas', $1, $2)",
    )
    .bind(token::hash(key).as_slice())
    .bind(format!("Ann <{ANN}>"))
    .execute(&mut conn)
    .await
    .unwrap();
    for email in ["carl@x.example", "dora@x.example"] {
        sqlx::query(
            "INSERT INTO invitations (tenant_id, email, role, token_hash, invited_by, expires_at) \
             VALUES ('acme', $1, 'admin', $2, $3, now() + interval '7 days') \
             ON CONFLICT ON CONSTRAINT uq_eivs_invitations_tenant_email \
             DO UPDATE SET role = 'admin', token_hash = $2, invited_by = $3, created_at = now()",
        )
        .bind(email)
        .bind(token::hash(email).as_slice())
        .bind(format!("Ann <{ANN}>"))
        .execute(&mut conn)
        .await
        .unwrap();
    }
    let told: Vec<(String, Option<bool>)> =
        sqlx::query_as("SELECT email, makes_account FROM invitations ORDER BY email")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let told: Vec<(&str, Option<bool>)> =
        told.iter().map(|(email, makes)| (email.as_str(), *makes)).collect();
    let expected = [("carl@x.example", None), ("dora@x.example", None), ("kept@x.example", Some(true))];
    assert_eq!(told, expected, "that which is hers is no longer the installation's");
    assert!(works(&server, key).await);
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let ann = format!("/api/members/{}?tenant_id=acme&revoke_keys=true", members[0]["user_id"]);
    server.delete(&ann).await.is(StatusCode::NO_CONTENT);
    assert!(!works(&server, key).await);
    assert_eq!(invited(&server, "acme").await, ["kept@x.example"]);
}

/// Of before, only who invited is known: an administrator of the installation may vouch for an address, others may not.
#[tokio::test]
async fn an_open_invitation_of_before_makes_an_account_if_an_administrator_of_the_installation_invited() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    let mut links = Vec::new();
    for (email, is_instance_admin) in [(ANN, true), ("bob@acme.example", false)] {
        account(&server, email, is_instance_admin).await;
        join(&mut conn, "acme", email).await;
        let session = cookie_of(&sign_in(&server, email, PASSWORD).await.is(StatusCode::NO_CONTENT));
        let input = json!({"email": format!("guest.of.{email}"), "role": "viewer"});
        let made = post_as(&server, &session, "/api/invitations?tenant_id=acme", &input).await;
        links.push(link_in(&server, &made.is(StatusCode::CREATED)));
    }
    sqlx::raw_sql(
        "UPDATE invitations SET makes_account = NULL; \
         DROP FUNCTION name_maker_of_key() CASCADE; DROP FUNCTION name_maker_of_invitation() CASCADE; \
         ALTER TABLE instance_api_keys DROP COLUMN made_by; \
         DELETE FROM _sqlx_migrations WHERE version = 20261201001400",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let url = &server.database().url;
    database::migrate(url, url).await.unwrap();
    let new = [("display_name", "Guest"), ("password", "staple on the window sill")];
    form(&server, &links[0], &new).await.is(StatusCode::NO_CONTENT);
    form(&server, &links[1], &new).await.is(StatusCode::UNAUTHORIZED);
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
