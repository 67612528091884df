//! What a server shows once it has started, whatever lies about, and how it tells that it has lost its database.

use std::{fs, path::PathBuf};

use reqwest::{Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    edges::session,
    identity::with_fields,
    support::{Answer, TestDatabase, TestServer, config, eventually},
};
use crate::{
    auth::server::{accounts, service as auth},
    server::{Database, Error, origin::Origin},
};

#[tokio::test]
async fn of_the_sites_root_the_browsers_files_alone_are_served() {
    const PRIVATE: &str = "s3cret";
    let server = TestServer::start_idle(&[]).await;
    let root = PathBuf::from(&*server.app.leptos.site_root);
    for (file, text) in [
        (".env", PRIVATE),
        ("Leptos.toml", PRIVATE),
        ("data/encryption.key", PRIVATE),
        ("data/files/acme/customers.csv", PRIVATE),
        ("pkg/.env", PRIVATE),
        ("pkg/in/.env", PRIVATE),
        ("pkg/flowengine.js", "export {}"),
        ("favicon.svg", "<svg/>"),
    ] {
        let file = root.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    for path in [
        "/.env",
        "//.env",
        "/%2Eenv",
        "/Leptos.toml",
        "/data/encryption.key",
        "/data%2Fencryption.key",
        "/data/files/acme/customers.csv",
        "/pkg/.env",
        "/pkg/%2eenv",
        "/pkg/in/.env",
        "/pkg/in%2F.env",
        "/pkg/..%2F.env",
        "/pkg/..%2Fdata%2Fencryption.key",
    ] {
        for key in [None, Some(server.key.as_str())] {
            let answer = server.request(Method::GET, path, key).send().await.unwrap();
            let answer = Answer::of(answer).await.is(StatusCode::NOT_FOUND);
            assert!(!answer.text.contains(PRIVATE), "{path}: {}", answer.text);
        }
    }
    for (path, text) in [("/favicon.svg", "<svg/>"), ("/pkg/flowengine.js", "export {}")] {
        let answer = server.request(Method::GET, path, None).send().await.unwrap();
        assert_eq!(Answer::of(answer).await.is(StatusCode::OK).text, text);
    }
}

#[tokio::test]
async fn the_links_of_several_starts_hold_until_one_is_used() {
    let server = TestServer::start_idle(&[]).await;
    let start = async || auth::first_link(&server.app).await.unwrap().unwrap();
    let signs_in = async |link: &SecretString| signs_in(&server, link).await;
    let (first, second) = (start().await, start().await);
    assert!(signs_in(&first).await, "a later start leaves it");
    assert!(!signs_in(&first).await && !signs_in(&second).await, "one was used");

    // One that starts again and again leaves no more than a hundred behind.
    let mut links = Vec::new();
    for _ in 0..101 {
        links.push(start().await);
    }
    let mut conn = server.database().superuser().await;
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sign_in_links").fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 100);
    assert!(!signs_in(&links[0]).await && signs_in(&links[100]).await);
}

async fn signs_in(server: &TestServer, link: &SecretString) -> bool {
    let signed_in = auth::sign_in_by_link(&server.app, &Origin::default(), link.expose_secret(), None).await;
    signed_in.unwrap().is_some()
}

/// Whoever reads an old log would otherwise become an administrator beside the one that there is.
#[tokio::test]
async fn the_links_of_starts_end_once_an_administrator_is_made_by_the_command_line() {
    let server = TestServer::start_idle(&[]).await;
    let database = &server.app.database;
    let start = async || auth::first_link(&server.app).await.unwrap().unwrap();
    let first = start().await;
    let reset = accounts::create_by_hand(database, "root@host.example", "Root", true).await.unwrap();
    assert!(!signs_in(&server, &first).await, "it was printed before");
    // Nobody is in yet, and the link may be lost: the next start prints one. That ends as well.
    let second = start().await;
    let password = SecretString::from("correct horse battery");
    accounts::reset(&server.app, &Origin::default(), reset.expose_secret(), &password).await.unwrap();
    assert!(!signs_in(&server, &second).await, "the administrator has a password");
    assert!(auth::first_link(&server.app).await.unwrap().is_none());
    // One that somebody asks for is not of a start.
    let asked_for = auth::new_admin_link(database).await.unwrap();
    assert!(signs_in(&server, &asked_for).await);
}

#[tokio::test]
async fn the_links_of_starts_end_once_an_administrator_comes_by_a_provider() {
    for (what, is_admin, is_closed, holds) in [
        ("an administrator", true, false, false),
        ("one whose account is closed", true, true, true),
        ("somebody else", false, false, true),
    ] {
        let server = TestServer::start_idle(&[]).await;
        let link = auth::first_link(&server.app).await.unwrap().unwrap();
        let mut conn = server.database().superuser().await;
        sqlx::query(
            "WITH ann AS (INSERT INTO users (email, display_name, is_instance_admin, closed_at) \
               SELECT 'ann@acme.example', 'Ann', $1, CASE WHEN $2 THEN now() END RETURNING user_id) \
             INSERT INTO user_identities (issuer, subject, user_id) SELECT 'https://id.example', 'ann-1', user_id FROM ann",
        )
        .bind(is_admin)
        .bind(is_closed)
        .execute(&mut conn)
        .await
        .unwrap();
        assert_eq!(signs_in(&server, &link).await, holds, "{what}");
    }
}

/// Otherwise they would need the command line again, once the session has ended.
#[tokio::test]
async fn whoever_came_by_a_link_is_led_to_a_password_while_there_is_no_other_way_back() {
    const PASSWORD: &str = "correct horse battery";
    let server = TestServer::start_idle(&[]).await;
    let is_led = async |server: &TestServer, cookie: &str| {
        let request = server.request(Method::GET, "/", None).header(header::COOKIE, cookie);
        let page = Answer::of(request.send().await.unwrap()).await.is(StatusCode::OK).text;
        page.contains("data-testid=\"no-way-back\"")
    };
    let cookie = session(&server).await;
    assert!(is_led(&server, &cookie).await);
    let program = server.get("/").await.is(StatusCode::OK).text;
    assert!(!program.contains("no-way-back"), "a program has no password");
    let request = server.request(Method::POST, "/account/password", None).header(header::COOKIE, cookie);
    let set = with_fields(request, &[("new_password", PASSWORD), ("repeated_password", PASSWORD)]);
    let set = Answer::of(set.send().await.unwrap()).await.is(StatusCode::NO_CONTENT);
    let cookie = set.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap();
    assert!(!is_led(&server, cookie).await);

    let provider = [("OIDC_ISSUER", "https://id.example"), ("OIDC_CLIENT_ID", "flow")];
    let server = TestServer::start_idle(&provider).await;
    let cookie = session(&server).await;
    assert!(is_led(&server, &cookie).await);
    let mut conn = server.database().superuser().await;
    let connected = "INSERT INTO user_identities (issuer, subject, user_id) \
                     SELECT 'https://id.example', 'admin-1', user_id FROM users";
    sqlx::raw_sql(connected).execute(&mut conn).await.unwrap();
    assert!(!is_led(&server, &cookie).await, "the provider lets them in");
}

/// "Busy" would let somebody look for load, where the database is gone.
#[tokio::test]
async fn a_database_that_is_away_is_told_from_a_server_that_is_busy() {
    let database = TestDatabase::create().await;
    let mut url: url::Url = database.url.expose_secret().parse().unwrap();
    let there = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5_432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(addr.port())).unwrap();
    // Ended, all its connections end, and there is nobody to connect to.
    let lead = |listener: TcpListener| {
        let there = there.clone();
        tokio::spawn(async move {
            let mut all = JoinSet::new();
            loop {
                let (mut here, _) = listener.accept().await.unwrap();
                let there = there.clone();
                all.spawn(async move {
                    let mut there = TcpStream::connect(there).await.unwrap();
                    let _ = copy_bidirectional(&mut here, &mut there).await;
                });
            }
        })
    };
    let way = lead(listener);
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path(), &[("DATABASE_POOL_MIN", "0"), ("DATABASE_POOL_MAX", "1")]);
    let pool = Database::connect(&url.to_string().into(), &config).await.unwrap();
    let words = |error: sqlx::Error| Error::from(error).into_problem().detail;

    let taken = eventually("it is given", async || pool.worker().await.ok()).await;
    assert_eq!(words(pool.worker().await.unwrap_err()), "The server is busy. Try again in a moment");
    drop(taken);
    way.abort();
    eventually("it is told that it is away", async || {
        let error = pool.worker().await.err()?;
        (words(error) == "The database cannot be reached. Try again in a moment").then_some(())
    })
    .await;
    lead(TcpListener::bind(addr).await.unwrap());
    eventually("it is there again", async || pool.worker().await.ok()).await;
}
