//! Passwords, sessions, resets, invitations, members and API keys, as a stranger and a rightful owner try them.

use reqwest::{Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{
    receivers::Relay,
    support::{Answer, TestServer, eventually},
};
use crate::auth::{dto::Role, server::accounts};

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "staple on the window sill";

/// A form's body, as a browser sends it.
pub fn with_fields(request: reqwest::RequestBuilder, fields: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}

/// A form as a browser sends it, from our own page.
async fn form(server: &TestServer, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Answer {
    let request = server.request(Method::POST, path, None).header("sec-fetch-site", "same-origin");
    let request = if cookie.is_empty() { request } else { request.header(header::COOKIE, cookie) };
    Answer::of(with_fields(request, fields).send().await.unwrap()).await
}

fn cookie_of(answer: &Answer) -> String {
    let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

async fn sign_in(server: &TestServer, email: &str, password: &str) -> Answer {
    form(server, "/sign-in", "", &[("email", email), ("password", password)]).await
}

/// Whether a session lives.
async fn lives(server: &TestServer, cookie: &str) -> bool {
    let request = server.request(Method::GET, "/api/tenants", None).header(header::COOKIE, cookie);
    request.send().await.unwrap().status() == StatusCode::OK
}

/// A person with a password, and with a role in the tenant.
async fn person(server: &TestServer, email: &str, tenant: &str, role: Role) {
    let input = json!({"email": email, "role": role});
    let made = server.post(&format!("/api/members?tenant_id={tenant}"), &input).await.is(StatusCode::CREATED);
    let link = made.body["link"].as_str().unwrap();
    let path = link.strip_prefix(&server.base).unwrap();
    let fields = [("display_name", "Ada"), ("password", PASSWORD)];
    form(server, path, "", &fields).await.is(StatusCode::NO_CONTENT);
}

/// What a person sends to the API in their session.
async fn post_as(server: &TestServer, cookie: &str, path: &str, body: &Value) -> Answer {
    let request = server.request(Method::POST, path, None).header(header::COOKIE, cookie);
    Answer::of(request.json(body).send().await.unwrap()).await
}

/// The path of the link that an invitation was answered with.
#[track_caller]
fn link_of(server: &TestServer, made: &Answer) -> String {
    made.body["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned()
}

/// A person with a password, and no part in any tenant.
async fn account(server: &TestServer, email: &str) {
    let link = accounts::create_by_hand(&server.app.database, email, "Ada", false).await.unwrap();
    let path = format!("/reset/{}", link.expose_secret());
    form(server, &path, "", &[("new_password", PASSWORD)]).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_password_signs_in_to_a_new_session() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    person(&server, "ada@acme.example", "acme", Role::Viewer).await;
    let first = cookie_of(&sign_in(&server, " Ada@ACME.example", PASSWORD).await.is(StatusCode::NO_CONTENT));
    assert!(lives(&server, &first).await);
    // Signing in again gives another session, and ends the one that the browser had.
    let fields = [("email", "ada@acme.example"), ("password", PASSWORD)];
    let second = cookie_of(&form(&server, "/sign-in", &first, &fields).await.is(StatusCode::NO_CONTENT));
    assert_ne!(first, second);
    assert!(!lives(&server, &first).await && lives(&server, &second).await);
    // A browser is led on, to a page of ours and no other.
    for (next, target) in [("/t/acme/messages", "/t/acme/messages"), ("//evil.example", "/"), ("", "/")] {
        let request = server.request(Method::POST, "/sign-in", None).header(header::ACCEPT, "text/html");
        let fields = [("email", "ada@acme.example"), ("password", PASSWORD), ("next", next)];
        let answer =
            Answer::of(with_fields(request, &fields).send().await.unwrap()).await.is(StatusCode::SEE_OTHER);
        assert_eq!(answer.headers[header::LOCATION], target);
    }
    let page = Answer::of(server.request(Method::GET, "/t/acme/rules?q=1", None).send().await.unwrap()).await;
    assert_eq!(
        page.is(StatusCode::SEE_OTHER).headers[header::LOCATION],
        "/sign-in?next=%2Ft%2Facme%2Frules%3Fq%3D1"
    );
    // Another site cannot sign anybody in.
    let forged = server.request(Method::POST, "/sign-in", None).header("sec-fetch-site", "cross-site");
    assert_eq!(with_fields(forged, &fields).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let mut conn = server.database().superuser().await;
    let rows: Vec<String> =
        sqlx::query_scalar("SELECT row_to_json(u)::text FROM users u").fetch_all(&mut conn).await.unwrap();
    assert!(rows.iter().any(|row| row.contains("$argon2id$")) && !rows.concat().contains(PASSWORD));
    let log = server.get("/api/instance-audit-log?action=session.create").await.is(StatusCode::OK);
    assert_eq!(log.body[0]["actor"], "Ada <ada@acme.example>");
    assert_eq!(log.body[0]["address"], "127.0.0.1");
}

#[tokio::test]
async fn a_refusal_does_not_tell_which_accounts_there_are() {
    let server = TestServer::start_idle(&[]).await;
    account(&server, "ada@acme.example").await;
    accounts::create_by_hand(&server.app.database, "bob@acme.example", "Bob", false).await.unwrap();
    let mut answers = Vec::new();
    for email in ["ada@acme.example", "bob@acme.example", "nobody@acme.example"] {
        let refused = sign_in(&server, email, "wrong").await.is(StatusCode::UNAUTHORIZED);
        assert!(refused.headers.get(header::SET_COOKIE).is_none());
        answers.push(refused.text);
        let tries = async || sign_in(&server, email, "wrong").await;
        let mut left = 0;
        let busy = loop {
            let answer = tries().await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                break answer;
            }
            left += 1;
        };
        assert_eq!(left, 9, "{email}: ten tries, whoever it is");
        assert!(busy.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() <= 21);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    // The right password does not help while one has to wait: it would tell a guesser.
    sign_in(&server, "ada@acme.example", PASSWORD).await.is(StatusCode::TOO_MANY_REQUESTS);
    for path in ["/forgot"] {
        for email in ["carl@acme.example", "dora@acme.example"] {
            form(&server, path, "", &[("email", email)]).await.is(StatusCode::BAD_REQUEST);
        }
    }
    for fields in [vec![("email", "ada@acme.example")], vec![("password", "x")], vec![]] {
        form(&server, "/sign-in", "", &fields).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
}

/// However often strangers try, the log, whose entries stay, is not theirs to fill.
#[tokio::test]
async fn refused_sign_ins_are_counted_and_few_of_them_are_listed() {
    let server = TestServer::start_idle(&[]).await;
    account(&server, "ada@acme.example").await;
    let mut conn = server.database().superuser().await;
    let hour = "SELECT date_trunc('hour', now())::text";
    let began: String = sqlx::query_scalar(hour).fetch_one(&mut conn).await.unwrap();
    for i in 0..15 {
        if i < 10 {
            sign_in(&server, "ada@acme.example", "wrong").await.is(StatusCode::UNAUTHORIZED);
        }
        let stranger = format!("stranger{i}@x.example");
        sign_in(&server, &stranger, "wrong").await.is(StatusCode::UNAUTHORIZED);
    }
    // They are noted aside.
    let counts = eventually("all are counted", async || {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT account, refusals FROM sign_in_refusals ORDER BY account")
                .fetch_all(&mut conn)
                .await
                .unwrap();
        let now: String = sqlx::query_scalar(hour).fetch_one(&mut conn).await.unwrap();
        if now != began {
            // They are counted by the hour, which is another one now.
            return Some(None);
        }
        (rows.iter().map(|(_, refusals)| *refusals).sum::<i64>() == 25).then_some(Some(rows))
    })
    .await;
    let Some(counts) = counts else { return };
    assert_eq!(counts, [(String::new(), 15), ("ada@acme.example".to_owned(), 10)]);
    let log = server.get("/api/instance-audit-log?action=session.refuse").await.is(StatusCode::OK).body;
    let (of_ada, of_strangers): (Vec<&Value>, Vec<&Value>) =
        log.as_array().unwrap().iter().partition(|entry| entry["object_id"] == "ada@acme.example");
    assert_eq!((of_ada.len(), of_strangers.len()), (2, 10), "{log}");
    for entries in [of_ada, of_strangers] {
        assert!(entries.iter().all(|entry| entry["address"] == "127.0.0.1"));
        let tenth = entries.iter().filter(|entry| entry["after"]["refusals_this_hour"] == 10);
        assert_eq!(tenth.count(), 1, "how many there are is told with the tenth");
    }
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    person(&server, "ada@acme.example", "acme", Role::Viewer).await;
    let here = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
    let there = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
    let change = async |cookie: &str, current: &str, new: &str, again: &str| {
        let fields = [("current_password", current), ("new_password", new), ("repeated_password", again)];
        form(&server, "/account/password", cookie, &fields).await
    };
    change("", PASSWORD, OTHER, OTHER).await.is(StatusCode::UNAUTHORIZED);
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    assert_eq!(change(&here, "wrong", OTHER, OTHER).await.is(unprocessable).fields(), ["current_password"]);
    assert_eq!(
        change(&here, PASSWORD, "password1234", "password1234").await.is(unprocessable).fields(),
        ["new_password"]
    );
    assert_eq!(
        change(&here, PASSWORD, OTHER, "else").await.is(unprocessable).fields(),
        ["repeated_password"]
    );
    assert!(lives(&server, &there).await);
    let changed = change(&here, PASSWORD, OTHER, OTHER).await.is(StatusCode::NO_CONTENT);
    let renewed = cookie_of(&changed);
    assert!(lives(&server, &renewed).await && !lives(&server, &there).await);
    assert!(!lives(&server, &here).await, "a copy of the cookie is of no use any more");
    sign_in(&server, "ada@acme.example", OTHER).await.is(StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_that_works_once() {
    let relay = Relay::start();
    let url = format!("smtp://{}", relay.addr);
    let vars = [("SMTP_URL", url.as_str()), ("SMTP_FROM", "flow@host.example")];
    let server = TestServer::start_idle(&vars).await;
    server.tenant("acme").await;
    accounts::create_by_hand(&server.app.database, "ada@acme.example", "Ada", false).await.unwrap();
    // The link with which the account was made is no reason to send none, once it is a while ago.
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE sign_in_links SET created_at = now() - interval '6 minutes'")
        .execute(&mut conn)
        .await
        .unwrap();
    form(&server, "/forgot", "", &[("email", "nobody@acme.example")]).await.is(StatusCode::NO_CONTENT);
    form(&server, "/forgot", "", &[("email", "Ada@acme.example")]).await.is(StatusCode::NO_CONTENT);
    let mail = eventually("the link is mailed", async || relay.mails().first().cloned()).await;
    assert_eq!(mail.to, ["ada@acme.example"]);
    // Whoever asks again in her name neither floods her nor ends the link.
    form(&server, "/forgot", "", &[("email", "ada@acme.example")]).await.is(StatusCode::NO_CONTENT);
    let text = mail.text();
    let token: String =
        text.split("/reset/").nth(1).unwrap().chars().take_while(char::is_ascii_alphanumeric).collect();
    let path = format!("/reset/{token}");
    let fields = |new: &'static str| [("new_password", new), ("repeated_password", new)];
    // A session of a thief ends with it.
    let session = {
        let mut tx = server.app.database.instance().await.unwrap();
        let account =
            crate::auth::server::repository::account(&mut tx, "ada@acme.example").await.unwrap().unwrap();
        let origin = crate::server::origin::Origin::default();
        let open = crate::auth::server::service::open_session;
        let session =
            open(&server.app, &mut tx, &origin, account, json!({"by": "test"}), None).await.unwrap();
        tx.commit().await.unwrap();
        format!("flowengine_session={}", session.expose_secret())
    };
    assert!(lives(&server, &session).await);
    form(&server, &path, "", &fields("short")).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    form(&server, &path, "", &fields(PASSWORD)).await.is(StatusCode::NO_CONTENT);
    assert!(!lives(&server, &session).await);
    form(&server, &path, "", &fields(OTHER)).await.is(StatusCode::NOT_FOUND);
    form(&server, "/reset/nonsense", "", &fields(OTHER)).await.is(StatusCode::NOT_FOUND);
    // It is no link to sign in with, and one to sign in with sets no password.
    let link = accounts::reset_by_hand(&server.app.database, "ada@acme.example").await.unwrap();
    let get = format!("/sign-in/{}", link.expose_secret());
    let answer = Answer::of(server.request(Method::GET, &get, None).send().await.unwrap()).await;
    assert_eq!(answer.is(StatusCode::SEE_OTHER).headers[header::LOCATION], "/sign-in?error=used");
    sign_in(&server, "ada@acme.example", PASSWORD).await.is(StatusCode::NO_CONTENT);
    assert_eq!(relay.mails().len(), 1, "nobody else got a mail");
    let mut conn = server.database().superuser().await;
    let stored: Vec<String> = sqlx::query_scalar("SELECT row_to_json(l)::text FROM sign_in_links l")
        .fetch_all(&mut conn)
        .await
        .unwrap();
    assert!(!stored.concat().contains(&token), "links are stored hashed");
}

/// Nobody asks twice for a mail that they were told is on its way.
#[tokio::test]
async fn a_link_for_a_new_password_does_not_wait_for_deliveries_and_is_tried_again() {
    let relay = Relay::start();
    let vars = [("DELIVERY_CONCURRENCY", "1"), ("DELIVERY_RETRY_BASE_MS", "300")];
    let server = mailing_by(&relay, &vars).await;
    account(&server, "ada@acme.example").await;
    let forgot = async || {
        form(&server, "/forgot", "", &[("email", "ada@acme.example")]).await.is(StatusCode::NO_CONTENT);
    };
    let mut conn = server.database().superuser().await;
    let mut links = async || -> i64 {
        let links = "SELECT count(*) FROM sign_in_links WHERE used_at IS NULL";
        sqlx::query_scalar(links).fetch_one(&mut conn).await.unwrap()
    };
    // What the relay refuses for good is given up, and whoever asks again is not put off for it.
    relay.refuse(Some((550, "5.1.1 No such person")));
    forgot().await;
    eventually("the mail is given up", async || {
        let log = server.get("/api/instance-audit-log?action=password.forgot").await.body;
        (log.as_array().unwrap().len() == 1 && links().await == 0).then_some(())
    })
    .await;
    relay.refuse(Some((451, "4.7.1 Later")));
    let turn = server.app.senders.turn().await.unwrap();
    forgot().await;
    eventually("it is on its way", async || (links().await == 1).then_some(())).await;
    relay.refuse(None);
    let mail = eventually("the link is mailed", async || relay.mails().first().cloned()).await;
    assert!(mail.text().contains("/reset/"), "{}", mail.text());
    assert_eq!(links().await, 1);
    drop(turn);
}

#[tokio::test]
async fn an_invitation_makes_its_person_a_member_and_nobody_else() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let invite = async |tenant: &str, email: &str, role: &str| {
        let input = json!({"email": email, "role": role});
        let made = server.post(&format!("/api/invitations?tenant_id={tenant}"), &input).await;
        let made = made.is(StatusCode::CREATED).body;
        assert_eq!(made["mailed"], false);
        made["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned()
    };
    let link = invite("acme", "Ada@acme.example", "editor").await;
    let listed = server.get("/api/invitations?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(listed.body[0]["email"], "ada@acme.example");
    assert!(!listed.text.contains(link.rsplit('/').next().unwrap()));
    let page =
        Answer::of(server.request(Method::GET, &link, None).send().await.unwrap()).await.is(StatusCode::OK);
    assert!(page.text.contains("The acme company") && page.text.contains("ada@acme.example"));
    let fields = [("display_name", "Ada"), ("password", PASSWORD)];
    for weak in
        [[("display_name", "Ada"), ("password", "weak")], [("display_name", "A\nda"), ("password", PASSWORD)]]
    {
        form(&server, &link, "", &weak).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let ada = cookie_of(&form(&server, &link, "", &fields).await.is(StatusCode::NO_CONTENT));
    form(&server, &link, "", &fields).await.is(StatusCode::NOT_FOUND);
    let with = async |cookie: &str, path: &str| {
        let request = server.request(Method::GET, path, None).header(header::COOKIE, cookie);
        Answer::of(request.send().await.unwrap()).await
    };
    with(&ada, "/api/intents?tenant_id=acme").await.is(StatusCode::OK);
    with(&ada, "/api/intents?tenant_id=globex").await.is(StatusCode::NOT_FOUND);
    with(&ada, "/api/members?tenant_id=acme").await.is(StatusCode::FORBIDDEN);
    // Whoever has an account must be that person: the password of it, or a session.
    let link = invite("globex", "ada@acme.example", "viewer").await;
    form(&server, &link, "", &[("display_name", "Eve"), ("password", OTHER)])
        .await
        .is(StatusCode::UNAUTHORIZED);
    let admin = accounts::create_by_hand(&server.app.database, "eve@x.example", "Eve", false).await.unwrap();
    let path = format!("/reset/{}", admin.expose_secret());
    form(&server, &path, "", &[("new_password", OTHER)]).await.is(StatusCode::NO_CONTENT);
    let eve = cookie_of(&sign_in(&server, "eve@x.example", OTHER).await);
    form(&server, &link, &eve, &[]).await.is(StatusCode::FORBIDDEN);
    with(&eve, "/api/intents?tenant_id=globex").await.is(StatusCode::NOT_FOUND);
    form(&server, &link, &ada, &[]).await.is(StatusCode::NO_CONTENT);
    with(&ada, "/api/intents?tenant_id=globex").await.is(StatusCode::OK);
    // Taken back, replaced, expired.
    let old = invite("acme", "carl@acme.example", "viewer").await;
    let new = invite("acme", "carl@acme.example", "admin").await;
    let fields = [("display_name", "Carl"), ("password", PASSWORD)];
    form(&server, &old, "", &fields).await.is(StatusCode::NOT_FOUND);
    let id = server.get("/api/invitations?tenant_id=acme").await.body[0]["invitation_id"].as_i64().unwrap();
    server.delete(&format!("/api/invitations/{id}?tenant_id=globex")).await.is(StatusCode::NOT_FOUND);
    server.delete(&format!("/api/invitations/{id}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    form(&server, &new, "", &fields).await.is(StatusCode::NOT_FOUND);
    let late = invite("acme", "carl@acme.example", "admin").await;
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE invitations SET expires_at = now()").execute(&mut conn).await.unwrap();
    form(&server, &late, "", &fields).await.is(StatusCode::NOT_FOUND);
    let bad = server
        .post("/api/invitations?tenant_id=acme", &json!({"email": "no address", "role": "admin"}))
        .await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["email"]);
}

/// Whoever invites an address may hold the link, and is not told whether there is an account of it.
#[tokio::test]
async fn what_is_refused_of_an_invitation_does_not_tell_of_accounts() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    account(&server, "ada@acme.example").await;
    let mut links = Vec::new();
    for email in ["ada@acme.example", "bob@acme.example"] {
        let input = json!({"email": email, "role": "viewer"});
        let made = server.post("/api/invitations?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
        links.push(made["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned());
    }
    let long = "x".repeat(201);
    for name in ["A\nda", long.as_str()] {
        for link in &links {
            let refused = form(&server, link, "", &[("display_name", name), ("password", OTHER)]).await;
            assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["display_name"], "{link}");
        }
    }
    // Nor does a name that is left out: who has an account need not give one, and who has none gets one by the address.
    form(&server, &links[0], "", &[("password", OTHER)]).await.is(StatusCode::UNAUTHORIZED);
    form(&server, &links[1], "", &[("password", OTHER)]).await.is(StatusCode::NO_CONTENT);
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(members[0]["display_name"], "bob@acme.example");
}

#[tokio::test]
async fn an_invitation_goes_by_mail_where_mail_is_sent() {
    let relay = Relay::start();
    let url = format!("smtp://{}", relay.addr);
    let vars = [("SMTP_URL", url.as_str()), ("SMTP_FROM", "flow@host.example")];
    let server = TestServer::start_idle(&vars).await;
    server.tenant("acme").await;
    let input = json!({"email": "ada@acme.example", "role": "viewer"});
    let made = server.post("/api/members?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
    assert_eq!(
        (&made["mailed"], &made["link"]),
        (&json!(true), &Value::Null),
        "who invites does not see the link"
    );
    let mail = relay.mails().remove(0);
    assert_eq!(mail.to, ["ada@acme.example"]);
    assert!(mail.text().contains("/invitation/"));
}

/// Who vouches for an address is responsible for all the places where the account counts.
#[tokio::test]
async fn where_no_mail_is_sent_a_tenants_administrator_makes_nobody_an_account() {
    for (links, makes) in [("instance", false), ("tenant", true)] {
        let server = TestServer::start_idle(&[("INVITATION_LINKS", links)]).await;
        server.tenant("acme").await;
        person(&server, "ada@acme.example", "acme", Role::Admin).await;
        account(&server, "bob@acme.example").await;
        let ada = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
        let path = "/api/invitations?tenant_id=acme";
        let invite = async |email: &str| {
            let input = json!({"email": email, "role": "viewer"});
            let made = post_as(&server, &ada, path, &input).await.is(StatusCode::CREATED);
            assert_eq!((&made.body["mailed"], &made.body["makes_account"]), (&json!(false), &json!(makes)));
            link_of(&server, &made)
        };
        let known = invite("bob@acme.example").await;
        let stranger = invite("carl@acme.example").await;
        let new = [("display_name", "Carl"), ("password", OTHER)];
        let of_known = form(&server, &known, "", &new).await.is(StatusCode::UNAUTHORIZED);
        let of_stranger = form(&server, &stranger, "", &new).await;
        if makes {
            of_stranger.is(StatusCode::NO_CONTENT);
            continue;
        }
        assert_eq!(
            (of_stranger.status, &of_stranger.text),
            (of_known.status, &of_known.text),
            "whether there is an account is not told"
        );
        for link in [&known, &stranger] {
            let page = Answer::of(server.request(Method::GET, link, None).send().await.unwrap()).await.text;
            assert!(
                page.contains("has to send you the invitation") && !page.contains("Your name, for"),
                "{page}"
            );
        }
        sign_in(&server, "carl@acme.example", OTHER).await.is(StatusCode::UNAUTHORIZED);
        // Whoever has an account comes in by it.
        form(&server, &known, "", &[("password", PASSWORD)]).await.is(StatusCode::NO_CONTENT);
        // A key of the tenant's is not the installation's either; sent again by that, the link is enough.
        let key = server.key_of("acme", Role::Admin).await;
        let input = json!({"email": "carl@acme.example", "role": "viewer"});
        let by_key = server.request(Method::POST, path, Some(&key)).json(&input).send().await.unwrap();
        let link = link_of(&server, &Answer::of(by_key).await.is(StatusCode::CREATED));
        form(&server, &link, "", &new).await.is(StatusCode::UNAUTHORIZED);
        let again = server.post(path, &input).await.is(StatusCode::CREATED);
        assert_eq!(again.body["makes_account"], true);
        let link = link_of(&server, &again);
        // One of before does not say, and nobody knows who saw its link.
        let mut conn = server.database().superuser().await;
        let of_before = "UPDATE invitations SET makes_account = NULL WHERE email = 'carl@acme.example'";
        sqlx::query(of_before).execute(&mut conn).await.unwrap();
        form(&server, &link, "", &new).await.is(StatusCode::UNAUTHORIZED);
        let link = link_of(&server, &server.post(path, &input).await.is(StatusCode::CREATED));
        form(&server, &link, "", &new).await.is(StatusCode::NO_CONTENT);
    }
}

/// A server that mails by this relay.
async fn mailing_by(relay: &Relay, more: &[(&str, &str)]) -> TestServer {
    let url = relay.url();
    let vars = [("SMTP_URL", url.as_str()), ("SMTP_FROM", "flow@host.example")];
    TestServer::start_idle(&[&vars, more].concat()).await
}

/// All tenants share the installation's relay, and what it is thought of elsewhere.
#[tokio::test]
async fn a_tenant_mails_few_invitations_in_a_day_and_an_address_gets_one_at_a_time() {
    let relay = Relay::start();
    let server = mailing_by(&relay, &[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let bait = json!({"name": "Cheap pills at evil.example", "role": "admin"});
    let key = server.post("/api/api-keys?tenant_id=acme", &bait).await.is(StatusCode::CREATED).body;
    let key = key["key"].as_str().unwrap().to_owned();
    let invite = async |tenant: &str, key: &str, email: &str| {
        let input = json!({"email": email, "role": "viewer"});
        let path = format!("/api/invitations?tenant_id={tenant}");
        let request = server.request(Method::POST, &path, Some(key)).json(&input);
        Answer::of(request.send().await.unwrap()).await
    };
    let waits =
        |answer: &Answer| answer.headers[header::RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap();
    for i in 0..50 {
        let made = invite("acme", &key, &format!("p{i}@x.example")).await.is(StatusCode::CREATED);
        assert_eq!((&made.body["mailed"], &made.body["makes_account"]), (&json!(true), &json!(true)));
    }
    let refused = invite("acme", &key, "p50@x.example").await.is(StatusCode::TOO_MANY_REQUESTS);
    assert!((86_000..=86_401).contains(&waits(&refused)), "{}", refused.text);
    invite("acme", &key, "p0@x.example").await.is(StatusCode::TOO_MANY_REQUESTS);
    let mails = relay.mails();
    assert_eq!(mails.len(), 50);
    assert!(mails.iter().all(|mail| mail.text().contains("work for The acme company")));
    assert!(mails.iter().all(|mail| !mail.text().contains("pills")), "{}", mails[0].text());
    let listed = server.get("/api/invitations?tenant_id=acme").await.is(StatusCode::OK);
    assert_eq!(listed.body.as_array().unwrap().len(), 50, "what is refused changes nothing");
    // Another tenant's are its own, but for an address that got one a moment ago.
    let refused = invite("globex", &server.key, "p0@x.example").await.is(StatusCode::TOO_MANY_REQUESTS);
    assert!((1..=301).contains(&waits(&refused)), "{}", refused.text);
    assert_eq!(server.get("/api/invitations?tenant_id=globex").await.body, json!([]));
    invite("globex", &server.key, "q0@x.example").await.is(StatusCode::CREATED);
    let mut conn = server.database().superuser().await;
    for sql in [
        "UPDATE invited_addresses SET mailed_at = mailed_at - interval '5 minutes'",
        "UPDATE invitation_mails SET mailed_at = mailed_at - interval '1 day' WHERE tenant_id = 'acme'",
    ] {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    invite("globex", &server.key, "p0@x.example").await.is(StatusCode::CREATED);
    invite("acme", &key, "p50@x.example").await.is(StatusCode::CREATED);
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM invited_addresses").fetch_one(&mut conn).await.unwrap();
    assert_eq!((relay.mails().len(), known), (53, 2), "older ones are forgotten");
}

#[tokio::test]
async fn a_person_who_invites_is_named_by_their_address_and_the_link_makes_an_account() {
    let relay = Relay::start();
    let server = mailing_by(&relay, &[]).await;
    server.tenant("acme").await;
    account(&server, "ada@acme.example").await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE users SET display_name = 'Cheap pills' WHERE email = 'ada@acme.example'; \
         INSERT INTO memberships (tenant_id, user_id, role) \
         SELECT 'acme', user_id, 'admin' FROM users WHERE email = 'ada@acme.example'",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let ada = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
    let input = json!({"email": "carl@acme.example", "role": "viewer"});
    post_as(&server, &ada, "/api/invitations?tenant_id=acme", &input).await.is(StatusCode::CREATED);
    let text = relay.mails().remove(0).text();
    assert!(text.contains("ada@acme.example invites you") && !text.contains("pills"), "{text}");
    let token: String =
        text.split("/invitation/").nth(1).unwrap().chars().take_while(char::is_ascii_alphanumeric).collect();
    let new = [("display_name", "Carl"), ("password", OTHER)];
    form(&server, &format!("/invitation/{token}"), "", &new).await.is(StatusCode::NO_CONTENT);
}

/// What did not go is not counted, unless the relay refused it for good; and few notices are at the relay at once.
#[tokio::test]
async fn an_invitation_that_was_not_mailed_can_be_sent_again() {
    let relay = Relay::start();
    let server = mailing_by(&relay, &[("DELIVERY_TIMEOUT_MS", "1000")]).await;
    server.tenant("acme").await;
    let invite = async || {
        let input = json!({"email": "ada@acme.example", "role": "viewer"});
        server.post("/api/invitations?tenant_id=acme", &input).await
    };
    let senders = &server.app.senders;
    let turns = (senders.notice_turn().await.unwrap(), senders.notice_turn().await.unwrap());
    assert_eq!(invite().await.is(StatusCode::CREATED).body["mailed"], false);
    assert_eq!(relay.mails().len(), 0, "two others have the turns");
    drop(turns);
    relay.refuse(Some((451, "4.7.1 Later")));
    assert_eq!(invite().await.is(StatusCode::CREATED).body["mailed"], false);
    relay.refuse(None);
    assert_eq!(invite().await.is(StatusCode::CREATED).body["mailed"], true);
    let mut conn = server.database().superuser().await;
    let counted = "SELECT count(*) FROM invitation_mails";
    let mails: i64 = sqlx::query_scalar(counted).fetch_one(&mut conn).await.unwrap();
    assert_eq!((mails, relay.mails().len()), (1, 1));
    sqlx::query("DELETE FROM invited_addresses").execute(&mut conn).await.unwrap();
    relay.refuse(Some((550, "5.1.1 No such person")));
    assert_eq!(invite().await.is(StatusCode::CREATED).body["mailed"], false);
    invite().await.is(StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_tenant_has_so_many_open_invitations_and_no_more() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let mut conn = server.database().superuser().await;
    sqlx::query(
        "INSERT INTO invitations (tenant_id, email, role, token_hash, invited_by, expires_at) \
         SELECT 'acme', 'p' || n || '@x.example', 'viewer', sha256(('p' || n)::bytea), 'Ada', now() + interval '1 day' \
         FROM generate_series(1, 500) n",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let invite = async |email: &str| {
        server.post("/api/invitations?tenant_id=acme", &json!({"email": email, "role": "viewer"})).await
    };
    let sentence = "A tenant can have at most 500 open invitations. Take some back first";
    invite("ada@acme.example").await.problem(StatusCode::BAD_REQUEST, sentence);
    invite("p1@x.example").await.is(StatusCode::CREATED);
    sqlx::query("UPDATE invitations SET expires_at = now() WHERE email = 'p2@x.example'")
        .execute(&mut conn)
        .await
        .unwrap();
    invite("ada@acme.example").await.is(StatusCode::CREATED);
}

#[tokio::test]
async fn a_tenant_keeps_an_administrator() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    person(&server, "ada@acme.example", "acme", Role::Admin).await;
    person(&server, "bob@acme.example", "acme", Role::Viewer).await;
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let id = |i: usize| members[i]["user_id"].as_i64().unwrap();
    let at = |i: usize, tenant: &str| format!("/api/members/{}?tenant_id={tenant}", id(i));
    server.put(&at(0, "acme"), &json!({"role": "viewer"})).await.is(StatusCode::BAD_REQUEST);
    server.delete(&at(0, "acme")).await.is(StatusCode::BAD_REQUEST);
    let bob = cookie_of(&sign_in(&server, "bob@acme.example", PASSWORD).await);
    let may_write = async || {
        let request =
            server.request(Method::POST, "/api/intents?tenant_id=acme", None).header(header::COOKIE, &bob);
        request.json(&json!({"name": uuid::Uuid::now_v7()})).send().await.unwrap().status()
    };
    assert_eq!(may_write().await, StatusCode::FORBIDDEN);
    server.put(&at(1, "globex"), &json!({"role": "admin"})).await.is(StatusCode::NOT_FOUND);
    server.put(&at(1, "acme"), &json!({"role": "admin"})).await.is(StatusCode::OK);
    assert_eq!(may_write().await, StatusCode::CREATED, "from the next request on");
    // An invitation that she keeps for herself does not bring her back.
    let kept = json!({"email": "ada@acme.example", "role": "admin"});
    let kept = server.post("/api/invitations?tenant_id=acme", &kept).await.is(StatusCode::CREATED).body;
    let kept = kept["link"].as_str().unwrap().strip_prefix(&server.base).unwrap().to_owned();
    server.delete(&at(0, "acme")).await.is(StatusCode::NO_CONTENT);
    form(&server, &kept, "", &[("display_name", "Ada"), ("password", PASSWORD)])
        .await
        .is(StatusCode::NOT_FOUND);
    server.delete(&at(0, "acme")).await.is(StatusCode::NOT_FOUND);
    server.delete(&at(1, "acme")).await.is(StatusCode::BAD_REQUEST);
    let log = server.get("/api/audit-log?tenant_id=acme&action=member").await.is(StatusCode::OK).body;
    assert_eq!(log[1]["before"], json!({"role": "viewer"}));
}

/// Neither by a link that she saw nor by her programs' keys, once that is asked for.
#[tokio::test]
async fn a_removed_administrator_does_not_return_by_what_they_made() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for name in ["ada", "bob", "eve"] {
        person(&server, &format!("{name}@acme.example"), "acme", Role::Admin).await;
    }
    account(&server, "private@x.example").await;
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let id = |i: usize| members[i]["user_id"].as_i64().unwrap();
    let (keys, invitations) = ("/api/api-keys?tenant_id=acme", "/api/invitations?tenant_id=acme");
    let invite = |email: &str| json!({"email": email, "role": "admin"});
    let admin_key = json!({"name": "deploy", "role": "admin"});
    // A key of this person, another that was made by it, and an invitation by each of the three.
    let furnish = async |name: &str| {
        let session = cookie_of(&sign_in(&server, &format!("{name}@acme.example"), PASSWORD).await);
        let own = post_as(&server, &session, keys, &admin_key).await.is(StatusCode::CREATED);
        let first = own.body["key"].as_str().unwrap().to_owned();
        let with = async |key: &str, path: &str, body: &Value| {
            let request = server.request(Method::POST, path, Some(key)).json(body);
            Answer::of(request.send().await.unwrap()).await.is(StatusCode::CREATED)
        };
        let second = with(&first, keys, &admin_key).await.body["key"].as_str().unwrap().to_owned();
        with(&first, invitations, &invite(&format!("{name}.first@x.example"))).await;
        with(&second, invitations, &invite(&format!("{name}.second@x.example"))).await;
        let link = post_as(&server, &session, invitations, &invite("private@x.example")).await;
        (own.id("key_id"), [first, second], link_of(&server, &link.is(StatusCode::CREATED)))
    };
    let works = async |key: &str| {
        let request = server.request(Method::GET, invitations, Some(key));
        request.send().await.unwrap().status() == StatusCode::OK
    };
    let open = async || -> Vec<String> {
        let listed = server.get(invitations).await.is(StatusCode::OK).body;
        let emails = listed.as_array().unwrap().iter().map(|one| one["email"].as_str().unwrap().to_owned());
        emails.collect()
    };
    let people = async || {
        let request = server.request(Method::POST, "/ui/members/list", Some(&server.key));
        Answer::of(with_fields(request, &[("tenant_id", "acme")]).send().await.unwrap()).await.body
    };
    server.post(invitations, &invite("kept@x.example")).await.is(StatusCode::CREATED);

    // A role below that of an administrator: what she invited to goes, her programs' keys stay.
    let (ada_key, ada_keys, link) = furnish("ada").await;
    assert_eq!(people().await["keys"], json!([[id(0), 2]]), "hers, and what that made");
    let at = |i: usize| format!("/api/members/{}?tenant_id=acme", id(i));
    server.put(&at(0), &json!({"role": "viewer"})).await.is(StatusCode::OK);
    form(&server, &link, "", &[("password", PASSWORD)]).await.is(StatusCode::NOT_FOUND);
    assert!(works(&ada_keys[0]).await && works(&ada_keys[1]).await, "programs go on");
    assert_eq!(open().await, ["kept@x.example", "ada.first@x.example", "ada.second@x.example"]);
    // With a key end the key and the invitations that were made by it, and by that.
    server.delete(&format!("/api/api-keys/{ada_key}?tenant_id=acme")).await.is(StatusCode::NO_CONTENT);
    assert!(!works(&ada_keys[0]).await && !works(&ada_keys[1]).await);
    assert_eq!(open().await, ["kept@x.example"]);
    assert_eq!(people().await["keys"], json!([]));
    server.delete(&at(0)).await.is(StatusCode::NO_CONTENT);

    // Removed, and the keys with her.
    let (_, eve_keys, link) = furnish("eve").await;
    let bad = server.delete(&format!("{}&revoke_keys=maybe", at(2))).await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["revoke_keys"]);
    server.delete(&format!("{}&revoke_keys=true", at(2))).await.is(StatusCode::NO_CONTENT);
    form(&server, &link, "", &[("password", PASSWORD)]).await.is(StatusCode::NOT_FOUND);
    assert!(!works(&eve_keys[0]).await && !works(&eve_keys[1]).await);
    assert_eq!(open().await, ["kept@x.example"]);
    for (action, told) in [("api_key.revoke", 4), ("invitation.delete", 6), ("member.delete", 2)] {
        let log = server.get(&format!("/api/audit-log?tenant_id=acme&action={action}")).await.body;
        assert_eq!(log.as_array().unwrap().len(), told, "{log:#}");
    }
}

/// A new role ends a person's keys as their removal does, where that is asked for, and whichever role it is.
#[tokio::test]
async fn with_a_role_the_keys_end_that_its_person_made_where_that_is_asked_for() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for name in ["ada", "bob"] {
        person(&server, &format!("{name}@acme.example"), "acme", Role::Admin).await;
    }
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let ada = format!("/api/members/{}?tenant_id=acme&revoke_keys", members[0]["user_id"]);
    let session = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
    let (keys, invitations) = ("/api/api-keys?tenant_id=acme", "/api/invitations?tenant_id=acme");
    let key = async || {
        let made = post_as(&server, &session, keys, &json!({"name": "deploy", "role": "admin"})).await;
        made.is(StatusCode::CREATED).body["key"].as_str().unwrap().to_owned()
    };
    let works = async |key: &str| {
        let request = server.request(Method::GET, invitations, Some(key));
        request.send().await.unwrap().status() == StatusCode::OK
    };
    let invite = |email: &str| json!({"email": email, "role": "admin"});
    let first = key().await;
    post_as(&server, &session, invitations, &invite("own@x.example")).await.is(StatusCode::CREATED);
    let request = server.request(Method::POST, invitations, Some(&first)).json(&invite("program@x.example"));
    Answer::of(request.send().await.unwrap()).await.is(StatusCode::CREATED);
    let bad = server.put(&format!("{ada}=maybe"), &json!({"role": "admin"})).await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["revoke_keys"]);

    server.put(&format!("{ada}=true"), &json!({"role": "admin"})).await.is(StatusCode::OK);
    assert!(!works(&first).await);
    let open = server.get(invitations).await.is(StatusCode::OK).body;
    assert_eq!((open.as_array().unwrap().len(), &open[0]["email"]), (1, &json!("own@x.example")));
    let second = key().await;
    server.put(&format!("{ada}=true"), &json!({"role": "viewer"})).await.is(StatusCode::OK);
    assert!(!works(&second).await);
    assert_eq!(server.get(invitations).await.is(StatusCode::OK).body, json!([]));
    let log = server.get("/api/audit-log?tenant_id=acme&action=api_key.revoke").await.body;
    assert_eq!(log.as_array().unwrap().len(), 2, "{log:#}");
}

/// On the screen as by the API, and with a plain form.
#[tokio::test]
async fn beside_a_members_role_stands_whether_their_keys_end() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    for name in ["ada", "bob"] {
        person(&server, &format!("{name}@acme.example"), "acme", Role::Admin).await;
    }
    let choices = async || {
        let page = server.get("/t/acme/members").await.is(StatusCode::OK).text;
        page.matches("name=\"revoke_keys\"").count()
    };
    assert_eq!(choices().await, 0, "nobody made a key");
    let session = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
    let (keys, key) = ("/api/api-keys?tenant_id=acme", json!({"name": "deploy", "role": "admin"}));
    let made = post_as(&server, &session, keys, &key).await.is(StatusCode::CREATED).body;
    let key = made["key"].as_str().unwrap();
    assert_eq!(choices().await, 2, "where the role is changed, and where she is removed");
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    let ada = members[0]["user_id"].to_string();
    let set_role = async |more: &[(&str, &str)]| {
        let fields = [&[("tenant_id", "acme"), ("user_id", ada.as_str()), ("role", "viewer")], more].concat();
        let request = server.request(Method::POST, "/ui/members/set-role", Some(&server.key));
        Answer::of(with_fields(request, &fields).send().await.unwrap()).await.is(StatusCode::OK);
    };
    let works = async || {
        let request = server.request(Method::GET, keys, Some(key));
        request.send().await.unwrap().status() == StatusCode::OK
    };
    set_role(&[]).await;
    assert!(works().await, "programs go on");
    set_role(&[("revoke_keys", "true")]).await;
    assert!(!works().await);
    assert_eq!(choices().await, 0);
}

/// Nor by what she makes while she is being removed, which whoever removes her does not see.
#[tokio::test]
async fn who_is_being_removed_makes_nothing_any_more() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    person(&server, "ada@acme.example", "acme", Role::Admin).await;
    let ada = cookie_of(&sign_in(&server, "ada@acme.example", PASSWORD).await);
    let mut removing = server.database().superuser().await;
    sqlx::raw_sql("BEGIN; DELETE FROM memberships").execute(&mut removing).await.unwrap();
    let mut watching = server.database().superuser().await;
    let ended = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        eventually("both wait for the removal", async || {
            let found: i64 = sqlx::query_scalar(waiting).fetch_one(&mut watching).await.unwrap();
            (found > 1).then_some(())
        })
        .await;
        sqlx::raw_sql("COMMIT").execute(&mut removing).await.unwrap();
    };
    let (invitation, key) =
        (json!({"email": "private@x.example", "role": "admin"}), json!({"name": "k", "role": "admin"}));
    let (invited, made, ()) = tokio::join!(
        post_as(&server, &ada, "/api/invitations?tenant_id=acme", &invitation),
        post_as(&server, &ada, "/api/api-keys?tenant_id=acme", &key),
        ended,
    );
    for answer in [invited, made] {
        answer.problem(StatusCode::FORBIDDEN, "You no longer administer this tenant");
    }
    for path in ["/api/invitations?tenant_id=acme", "/api/api-keys?tenant_id=acme"] {
        assert_eq!(server.get(path).await.is(StatusCode::OK).body, json!([]), "{path}");
    }
}

#[tokio::test]
async fn keys_are_made_used_and_revoked_over_the_api() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    server.tenant("globex").await;
    let input = json!({"name": "import", "role": "viewer"});
    let made = server.post("/api/api-keys?tenant_id=acme", &input).await.is(StatusCode::CREATED);
    let (id, key) = (made.id("key_id"), made.body["key"].as_str().unwrap().to_owned());
    assert_eq!(made.body["created_by"], "API key test");
    let get = async |key: &str| {
        server.request(Method::GET, "/api/intents?tenant_id=acme", Some(key)).send().await.unwrap().status()
    };
    assert_eq!(get(&key).await, StatusCode::OK);
    let path = format!("/api/api-keys/{id}?tenant_id=acme");
    let seen = server.get(&path).await.is(StatusCode::OK);
    assert!(!seen.text.contains(&key) && key.starts_with(seen.body["prefix"].as_str().unwrap()));
    assert!(seen.body["last_used_at"].is_string(), "{}", seen.text);
    let listed = server.get("/api/api-keys?tenant_id=acme&active_only=true").await.is(StatusCode::OK);
    assert_eq!(listed.body.as_array().unwrap().len(), 1);
    for (tenant, method) in [("globex", Method::GET), ("globex", Method::DELETE)] {
        let path = format!("/api/api-keys/{id}?tenant_id={tenant}");
        let answer = server.request(method, &path, Some(&server.key)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    }
    for role in [Role::Viewer, Role::Operator, Role::Editor] {
        let low = server.key_of("acme", role).await;
        for (method, path) in [(Method::GET, "/api/api-keys?tenant_id=acme"), (Method::DELETE, path.as_str())]
        {
            let answer = server.request(method, path, Some(&low)).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        }
        let post = server.request(Method::POST, "/api/api-keys?tenant_id=acme", Some(&low)).json(&input);
        assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(get(&key).await, StatusCode::UNAUTHORIZED);
    let past = json!({"name": "x", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"});
    let bad = server.post("/api/api-keys?tenant_id=acme", &past).await;
    assert_eq!(bad.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["expires_at"]);
    let log = server.get("/api/audit-log?tenant_id=acme&action=api_key").await.is(StatusCode::OK);
    assert!(!log.text.contains(&key));
    assert_eq!(log.body[0]["action"], "api_key.revoke");
}

#[tokio::test]
async fn keys_of_the_installation_are_for_its_administrators() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let admin = server.key_of("acme", Role::Admin).await;
    let input = json!({"name": "backup"});
    let post = server.request(Method::POST, "/api/instance-api-keys", Some(&admin)).json(&input);
    assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let made = server.post("/api/instance-api-keys", &input).await.is(StatusCode::CREATED);
    let key = made.body["key"].as_str().unwrap();
    let get = async || server.request(Method::GET, "/api/tenants", Some(key)).send().await.unwrap().status();
    assert_eq!(get().await, StatusCode::OK);
    let path = format!("/api/instance-api-keys/{}", made.id("key_id"));
    let refused = server.request(Method::DELETE, &path, Some(&admin)).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    // What was made by it goes with it, and what is left of that, once it is asked for again.
    let with = async |key: &str, path: &str, body: &Value| {
        let request = server.request(Method::POST, path, Some(key)).json(body);
        Answer::of(request.send().await.unwrap()).await.is(StatusCode::CREATED).body
    };
    let second = with(key, "/api/instance-api-keys", &input).await["key"].as_str().unwrap().to_owned();
    let own = with(&second, "/api/api-keys?tenant_id=acme", &json!({"name": "own", "role": "admin"})).await;
    let own = own["key"].as_str().unwrap();
    let invitations = "/api/invitations?tenant_id=acme";
    for (by, email) in [(key, "first@x.example"), (own, "second@x.example")] {
        with(by, invitations, &json!({"email": email, "role": "admin"})).await;
    }
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(get().await, StatusCode::UNAUTHORIZED);
    for key in [second.as_str(), own] {
        let request = server.request(Method::GET, invitations, Some(key));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!(server.get(invitations).await.is(StatusCode::OK).body, json!([]));
    let mut conn = server.database().superuser().await;
    sqlx::query("UPDATE api_keys SET revoked_at = NULL WHERE name = 'own'").execute(&mut conn).await.unwrap();
    let own_works =
        async || server.request(Method::GET, invitations, Some(own)).send().await.unwrap().status();
    assert_eq!(own_works().await, StatusCode::OK);
    server.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(own_works().await, StatusCode::UNAUTHORIZED);
    server.delete("/api/instance-api-keys/999").await.is(StatusCode::NOT_FOUND);
    assert!(!server.get("/api/instance-api-keys").await.is(StatusCode::OK).text.contains(key));
}

#[tokio::test]
async fn a_person_of_the_installation_manages_it_by_a_link_from_its_command_line() {
    let server = TestServer::start_idle(&[]).await;
    let link =
        accounts::create_by_hand(&server.app.database, "root@host.example", "Root", true).await.unwrap();
    let path = format!("/reset/{}", link.expose_secret());
    form(&server, &path, "", &[("new_password", PASSWORD)]).await.is(StatusCode::NO_CONTENT);
    let root = cookie_of(&sign_in(&server, "root@host.example", PASSWORD).await.is(StatusCode::NO_CONTENT));
    let request = server.request(Method::POST, "/api/tenants", None).header(header::COOKIE, &root);
    let made = request.json(&json!({"tenant_id": "acme", "name": "Acme"})).send().await.unwrap();
    assert_eq!(made.status(), StatusCode::CREATED);
    assert!(accounts::create_by_hand(&server.app.database, "root@host.example", "R", true).await.is_err());
    // Somebody can sign in now, so a start prints no link any more.
    assert!(crate::auth::server::service::first_link(&server.app).await.unwrap().is_none());
}

#[tokio::test]
async fn an_address_with_nul_is_nobodys() {
    let server = TestServer::start_idle(&[]).await;
    sign_in(&server, "a\0b@x.example", PASSWORD).await.is(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_invitation_does_not_take_a_tenants_last_administrator() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let invite = async |role: &str| {
        let input = json!({"email": "ada@acme.example", "role": role});
        let made = server.post("/api/invitations?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
        let link = made["link"].as_str().unwrap().to_owned();
        link.split_once("/invitation/").map(|(_, link)| format!("/invitation/{link}")).unwrap()
    };
    let new = [("display_name", "Ada"), ("password", PASSWORD)];
    let ada = form(&server, &invite("admin").await, "", &new).await;
    let ada = cookie_of(&ada);
    let refused = form(&server, &invite("viewer").await, &ada, &[("password", PASSWORD)]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    let members = server.get("/api/members?tenant_id=acme").await.is(StatusCode::OK).body;
    assert_eq!(members[0]["role"], "admin");
}

#[tokio::test]
async fn a_look_at_the_link_does_not_use_it() {
    let server = TestServer::start_idle(&[]).await;
    let link = crate::auth::server::service::first_link(&server.app).await.unwrap().unwrap();
    let path = format!("/sign-in/{}", link.expose_secret());
    let look = server.request(Method::HEAD, &path, None).send().await.unwrap();
    assert!(look.headers().get(header::SET_COOKIE).is_none());
    let used = server.request(Method::GET, &path, None).send().await.unwrap();
    assert_eq!(used.headers()[header::LOCATION], "/");
}
