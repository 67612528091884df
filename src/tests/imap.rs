//! Mailboxes elsewhere, on a real IMAP server: Dovecot.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{Json, Router, extract::State, http::HeaderMap, routing::post};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::StatusCode;
use rustls::{RootCertStore, pki_types::CertificateDer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;

use super::{
    name_server::NameServer,
    support::{TestServer, eventually, message},
};
use crate::{
    mailboxes::{
        dto::MailSecurity,
        server::{
            imap::{Connection, ImapFault, Login, Proof},
            watch,
        },
    },
    retention::server::worker as retaining,
    server::outbound::Fence,
};

const PASSWORD: &str = "pa\"ss-battery";

/// An IMAP server with one password for every user.
struct Dovecot {
    process: Child,
    folder: tempfile::TempDir,
    port: u16,
    tls_port: u16,
    cert: CertificateDer<'static>,
}

impl Dovecot {
    async fn start() -> Self {
        Self::start_with(None).await
    }

    /// With tokens, which it asks about at an address (RFC 7662).
    async fn start_with(introspection: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display().to_string();
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let said = |args: &[&str]| {
            let output = Command::new("id").args(args).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let (user, group) = match is_root {
            true => ("nobody".to_owned(), "nogroup".to_owned()),
            false => (said(&["-un"]), said(&["-gn"])),
        };
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(folder.path().join("mail")).unwrap();
        if is_root {
            let of = |args: &[&str]| said(args).parse::<u32>().ok();
            chown(folder.path().join("mail"), of(&["-u", "nobody"]), of(&["-g", "nobody"])).unwrap();
        }
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let cert = made.cert.der().clone();
        let tokens = introspection.map_or_else(String::new, |url| {
            let settings = format!(
                "introspection_mode = post\nintrospection_url = {url}\nusername_attribute = username\n\
                 active_attribute = active\nactive_value = true\n"
            );
            fs::write(folder.path().join("oauth2.conf"), settings).unwrap();
            format!(
                "auth_mechanisms = plain xoauth2 oauthbearer\npassdb {{\n  driver = oauth2\n\
                 mechanisms = xoauth2 oauthbearer\n  args = {dir}/oauth2.conf\n}}\n"
            )
        });
        // A port may be taken between the look and the start.
        for _ in 0..5 {
            let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let (one, other) = (free(), free());
            let [port, tls_port] = [&one, &other].map(|listener| listener.local_addr().unwrap().port());
            drop((one, other));
            let config = format!(
                "base_dir = {dir}/run\nstate_dir = {dir}/run\nlog_path = {dir}/log\nprotocols = imap\n\
             listen = 127.0.0.1\nssl = yes\nssl_cert = <{dir}/cert.pem\nssl_key = <{dir}/key.pem\n\
             disable_plaintext_auth = no\ndefault_login_user = {user}\ndefault_internal_user = {user}\n\
             default_internal_group = {group}\nfirst_valid_uid = 0\nauth_failure_delay = 0\n\
             mail_location = maildir:{dir}/mail/%u\n\
             service imap-login {{\n  chroot =\n  inet_listener imap {{\n    port = {port}\n  }}\n\
             inet_listener imaps {{\n    port = {tls_port}\n  }}\n}}\nservice anvil {{\n  chroot =\n}}\n\
             {tokens}passdb {{\n  driver = static\n  args = password={PASSWORD}\n}}\n\
             userdb {{\n  driver = static\n  args = uid={user} gid={group} home={dir}/mail/%u\n}}\n"
            );
            fs::write(folder.path().join("dovecot.conf"), config).unwrap();
            let mut process = Command::new("/usr/sbin/dovecot")
                .args(["-F", "-c"])
                .arg(folder.path().join("dovecot.conf"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("dovecot, from Debian's dovecot-imapd; ./dev test installs it");
            let answers = eventually("Dovecot answers, or ends", async || {
                let is_over = process.try_wait().unwrap().is_some();
                let answers = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
                (is_over || answers).then_some(answers && !is_over)
            })
            .await;
            if answers {
                return Self { process, folder, port, tls_port, cert };
            }
        }
        panic!(
            "Dovecot does not start: {}",
            fs::read_to_string(folder.path().join("log")).unwrap_or_default()
        );
    }

    fn user(&self, user: &str) -> PathBuf {
        self.folder.path().join("mail").join(user)
    }

    /// Puts a message into a user's inbox, as a mail server does: Maildir, by a rename.
    fn put(&self, user: &str, raw: &str) {
        self.put_before(user, raw, Duration::ZERO);
    }

    /// As one that came so long ago.
    fn put_before(&self, user: &str, raw: &str, age: Duration) {
        let dir = self.user(user);
        let name = uuid::Uuid::now_v7().simple().to_string();
        let (written, there) = (dir.join("tmp").join(&name), dir.join("new").join(&name));
        fs::write(&written, raw).unwrap();
        let file = fs::File::options().write(true).open(&written).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
        let owner = fs::metadata(&dir).unwrap();
        let _ = chown(&written, Some(owner.uid()), Some(owner.gid()));
        fs::rename(written, there).unwrap();
    }

    /// Keeps a copy of all that a user has there.
    fn back_up(&self, user: &str) {
        let copied = Command::new("cp").arg("-a").args([self.user(user), self.backup()]).status().unwrap();
        assert!(copied.success());
    }

    /// Makes it be what it was when the copy was made.
    fn put_back(&self, user: &str) {
        fs::remove_dir_all(self.user(user)).unwrap();
        fs::rename(self.backup(), self.user(user)).unwrap();
    }

    fn backup(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    /// The flags of each message that is there, as Maildir has them.
    fn flags(&self, user: &str) -> Vec<String> {
        let all = ["new", "cur"].map(|part| self.user(user).join(part));
        let names =
            all.iter().flat_map(|dir| fs::read_dir(dir).unwrap()).map(|entry| entry.unwrap().file_name());
        names
            .map(|name| {
                name.to_string_lossy()
                    .split_once(":2,")
                    .map(|(_, flags)| flags.to_owned())
                    .unwrap_or_default()
            })
            .collect()
    }

    async fn open(
        &self,
        security: MailSecurity,
        password: &str,
        trusts: bool,
    ) -> Result<Connection, ImapFault> {
        let fence = Fence::new(&["127.0.0.0/8".parse().unwrap()]);
        let mut roots = RootCertStore::empty();
        if trusts {
            roots.add(self.cert.clone()).unwrap();
        }
        let port = if security == MailSecurity::Tls { self.tls_port } else { self.port };
        let password = password.into();
        let login = Login {
            host: "127.0.0.1",
            port,
            security,
            username: "orders",
            proof: Proof::Password(&password),
            folder: "INBOX",
        };
        Connection::open(&fence, Arc::new(roots), &login).await.map(|(connection, _)| connection)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its children end with it, if it is asked to stop.
        let pid = nix::unistd::Pid::from_raw(self.process.id().cast_signed());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.process.wait();
    }
}

struct Fetching {
    server: TestServer,
    dovecot: Dovecot,
    _names: NameServer,
}

impl Fetching {
    /// The tenants are there, and the mailbox's folder. Nobody watches yet.
    async fn start(vars: &[(&str, &str)]) -> Self {
        Self::start_on(Dovecot::start().await, vars).await
    }

    async fn start_on(dovecot: Dovecot, vars: &[(&str, &str)]) -> Self {
        let names = NameServer::start();
        let dns = names.addr.to_string();
        let vars = [vars, &[("MAIL_DNS", dns.as_str()), ("IMAP_POLL_S", "1")]].concat();
        let server = TestServer::start_with(&vars).await;
        server.tenant("acme").await;
        // The first to log in makes the folder.
        dovecot.open(MailSecurity::None, PASSWORD, false).await.unwrap().close().await;
        Self { server, dovecot, _names: names }
    }

    fn watch(&self) -> CancellationToken {
        let stop = self.server.app.stop.child_token();
        tokio::spawn(watch::work(self.server.app.clone(), stop.clone()));
        stop
    }

    fn account(&self) -> Value {
        json!({"host": "127.0.0.1", "port": self.dovecot.port, "security": "none", "username": "orders",
               "password": PASSWORD})
    }

    async fn mailbox(&self, account: Value) -> String {
        let mailbox = json!({"name": "Orders", "kind": "imap", "imap": account});
        let made = self.server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CREATED);
        assert!(!made.text.contains("battery"));
        made.id("mailbox_id").to_string()
    }

    async fn heartbeat(&self, id: &str) -> Value {
        let path = format!("/api/mailboxes/{id}?tenant_id=acme");
        self.server.get(&path).await.is(StatusCode::OK).body["heartbeat"].clone()
    }

    async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || Some(self.heartbeat(id).await).filter(&holds)).await
    }

    /// Waits until nothing is left in the folder.
    async fn until_empty(&self) {
        let is_empty = async || self.dovecot.flags("orders").is_empty().then_some(());
        eventually("the folder is empty", is_empty).await;
    }

    /// Waits until nobody reads a folder.
    async fn until_let_go(&self) {
        let mut conn = self.server.database().superuser().await;
        eventually("nobody reads", async || {
            let sql = "SELECT count(*) FROM mailbox_watches WHERE lock_token IS NOT NULL";
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
            (count == 0).then_some(())
        })
        .await;
    }

    async fn subjects(&self) -> Vec<String> {
        let list = self.server.get("/api/emails?tenant_id=acme").await.is(StatusCode::OK).body;
        let mut subjects: Vec<String> =
            list.as_array().unwrap().iter().map(|one| one["subject"].as_str().unwrap().to_owned()).collect();
        subjects.sort();
        subjects
    }
}

/// Gives tokens to one client, and tells mail servers whose they are.
#[derive(Clone, Default)]
struct TokenServer {
    given: Arc<Mutex<Vec<String>>>,
}

impl TokenServer {
    const SECRET: &str = "client-battery";

    async fn start() -> (Self, String) {
        let server = Self::default();
        let router = Router::new()
            .route("/token", post(Self::give))
            .route("/introspect", post(Self::tell))
            .with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(axum::serve(listener, router).into_future());
        (server, base)
    }

    async fn give(State(server): State<Self>, headers: HeaderMap, body: String) -> (StatusCode, Json<Value>) {
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("flow:{}", Self::SECRET)));
        if headers["authorization"] != expected.as_str() {
            return (StatusCode::UNAUTHORIZED, Json(json!({"error": "invalid_client"})));
        }
        assert_eq!(body, "grant_type=client_credentials&scope=mail.read");
        let token = uuid::Uuid::new_v4().simple().to_string();
        server.given.lock().unwrap().push(token.clone());
        let answer = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3_600});
        (StatusCode::OK, Json(answer))
    }

    async fn tell(State(server): State<Self>, body: String) -> Json<Value> {
        let is_given = server.given.lock().unwrap().iter().any(|token| body.contains(token.as_str()));
        Json(json!({"active": is_given, "username": "orders"}))
    }
}

fn stored(count: i64) -> impl Fn(&Value) -> bool {
    move |heartbeat| heartbeat["messages_stored"] == count && heartbeat["state"] == "ok"
}

#[tokio::test]
async fn what_is_in_a_mailbox_is_stored_once_and_what_comes_is_told_by_its_server() {
    let fetching = Fetching::start(&[]).await;
    let raw = message("Ann <ann@sender.example>", "the first", "x");
    fetching.dovecot.put("orders", &raw);
    let id = fetching.mailbox(fetching.account()).await;
    let stop = fetching.watch();
    let heartbeat = fetching.until(&id, "the first is stored", stored(1)).await;
    assert_eq!(heartbeat["messages_on_server"], 1);
    let list = fetching.server.get("/api/emails?tenant_id=acme").await.body;
    let email_id = list[0]["email_id"].as_str().unwrap();
    let kept = fetching.server.get(&format!("/api/emails/{email_id}/raw?tenant_id=acme")).await.text;
    assert_eq!(kept, raw, "byte for byte");
    let email = fetching.server.decided("acme", email_id).await;
    assert_eq!((&email["fields"]["mailbox"], &email["fields"]["spf"]), (&json!("Orders"), &json!("none")));
    // By IDLE: a poll would come later than this test waits.
    fetching.dovecot.put("orders", &message("ann@sender.example", "the second", "x"));
    fetching.until(&id, "the second is stored", stored(2)).await;
    assert_eq!(fetching.dovecot.flags("orders"), ["", ""], "nothing is marked there");
    // Another server goes on where this one stopped.
    stop.cancel();
    fetching.dovecot.put("orders", &message("ann@sender.example", "the third", "x"));
    fetching.watch();
    fetching.until(&id, "the third is stored", stored(3)).await;
    assert_eq!(fetching.subjects().await, ["the first", "the second", "the third"]);
    // The folder is another one, as after a move of the server: all is read anew, and nothing comes twice.
    let mut conn = fetching.server.database().superuser().await;
    sqlx::raw_sql("UPDATE mailbox_heartbeats SET uid_validity = 1").execute(&mut conn).await.unwrap();
    let path = format!("/api/mailboxes/{id}?tenant_id=acme");
    let mut renamed = json!({"name": "Orders by IMAP", "kind": "imap", "imap": {"host": "127.0.0.1",
        "port": fetching.dovecot.port, "security": "none", "username": "orders", "password": "********"}});
    fetching.server.put(&path, &renamed).await.is(StatusCode::OK);
    fetching.dovecot.put("orders", &message("ann@sender.example", "the fourth", "x"));
    fetching.until(&id, "the fourth is stored", stored(4)).await;
    assert_eq!(fetching.subjects().await.len(), 4);
    // Nor does what was deleted here since, and still lies there.
    eventually("all are decided", async || {
        let list = fetching.server.get("/api/emails?tenant_id=acme").await.body;
        list.as_array().unwrap().iter().all(|email| email["status"] == "done").then_some(())
    })
    .await;
    let days = json!({"message_days": 30});
    fetching.server.put("/api/retention?tenant_id=acme", &days).await.is(StatusCode::OK);
    sqlx::raw_sql(
        "UPDATE emails SET received_at = now() - interval '100 days'; \
         UPDATE mailbox_heartbeats SET uid_validity = 1",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    assert_eq!(retaining::turn(&fetching.server.app).await.unwrap().deleted, 4);
    renamed["name"] = "Orders again".into();
    fetching.server.put(&path, &renamed).await.is(StatusCode::OK);
    fetching.dovecot.put("orders", &message("ann@sender.example", "the fifth", "x"));
    fetching.until(&id, "the fifth is stored", stored(5)).await;
    assert_eq!(fetching.subjects().await, ["the fifth"]);
}

#[tokio::test]
async fn a_message_is_marked_or_deleted_there_once_it_is_stored_here() {
    for (after, left) in [("seen", vec!["S", "S"]), ("delete", vec![])] {
        let fetching = Fetching::start(&[]).await;
        for subject in ["one", "two"] {
            fetching.dovecot.put("orders", &message("ann@sender.example", subject, "x"));
        }
        let mut account = fetching.account();
        account["after_storing"] = json!(after);
        // While nothing can be stored, nothing is touched there.
        let mut conn = fetching.server.database().superuser().await;
        sqlx::raw_sql(
            "CREATE FUNCTION eivs.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$; \
             CREATE TRIGGER fail BEFORE INSERT ON eivs.jobs FOR EACH ROW EXECUTE FUNCTION eivs.fail()",
        )
        .execute(&mut conn)
        .await
        .unwrap();
        let id = fetching.mailbox(account).await;
        fetching.watch();
        let heartbeat = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
        assert!(!heartbeat["problem"].as_str().unwrap().contains("disk full"), "that is for the log");
        assert_eq!(fetching.dovecot.flags("orders"), ["", ""]);
        sqlx::raw_sql("DROP TRIGGER fail ON eivs.jobs").execute(&mut conn).await.unwrap();
        sqlx::raw_sql("UPDATE mailbox_watches SET due_at = now()").execute(&mut conn).await.unwrap();
        fetching.until(&id, "both are stored", stored(2)).await;
        eventually("both are marked", async || (fetching.dovecot.flags("orders") == left).then_some(()))
            .await;
        assert_eq!(fetching.subjects().await, ["one", "two"]);
    }
}

#[tokio::test]
async fn a_mailbox_that_cannot_be_read_says_why_and_is_read_once_it_can() {
    let fetching = Fetching::start(&[("MAX_MESSAGE_BYTES", "20000")]).await;
    fetching.dovecot.put("orders", &message("ann@sender.example", "large", &"x".repeat(30_000)));
    fetching.dovecot.put("orders", &message("ann@sender.example", "small", "x"));
    let mut wrong = fetching.account();
    wrong["password"] = json!("planted-secret");
    let id = fetching.mailbox(wrong).await;
    fetching.watch();
    let heartbeat = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
    assert!(
        heartbeat["problem"].as_str().unwrap().starts_with("the server refused the login"),
        "{heartbeat}"
    );
    assert!(heartbeat["failing_since"].is_string() && !heartbeat.to_string().contains("planted-secret"));
    let path = format!("/api/mailboxes/{id}?tenant_id=acme");
    let right = json!({"name": "Orders", "kind": "imap", "imap": fetching.account()});
    fetching.server.put(&path, &right).await.is(StatusCode::OK);
    let heartbeat = fetching.until(&id, "the small one is stored", stored(1)).await;
    assert_eq!((&heartbeat["messages_left"], &heartbeat["messages_on_server"]), (&json!(1), &json!(2)));
    let mut other = fetching.account();
    other["folder"] = json!("Nowhere");
    fetching
        .server
        .put(&path, &json!({"name": "Orders", "kind": "imap", "imap": other}))
        .await
        .is(StatusCode::OK);
    let heartbeat = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
    assert!(heartbeat["problem"].as_str().unwrap().starts_with("the folder cannot be opened"), "{heartbeat}");
    // One that is switched off, or whose tenant is, is left alone.
    let mut off = right.clone();
    off["is_active"] = json!(false);
    fetching.server.put(&path, &off).await.is(StatusCode::OK);
    assert_eq!(fetching.heartbeat(&id).await["state"], "inactive");
    let mut conn = fetching.server.database().superuser().await;
    let watches: i64 =
        sqlx::query_scalar("SELECT count(*) FROM mailbox_watches").fetch_one(&mut conn).await.unwrap();
    assert_eq!(watches, 0);
}

#[tokio::test]
async fn a_message_that_its_server_does_not_give_keeps_no_other_back() {
    let fetching = Fetching::start(&[]).await;
    // Neither its size nor its bytes may anybody read.
    let locked = fetching.dovecot.user("orders").join("new").join("1.locked.host");
    fs::write(&locked, message("ann@sender.example", "locked", "x")).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o000)).unwrap();
    let id = fetching.mailbox(fetching.account()).await;
    let stop = fetching.watch();
    let heartbeat = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
    assert!(heartbeat["problem"].as_str().unwrap().starts_with("a message could not be read"), "{heartbeat}");
    fetching.dovecot.put("orders", &message("ann@sender.example", "open", "x"));
    // However long the tries would take.
    let mut conn = fetching.server.database().superuser().await;
    sqlx::raw_sql("UPDATE mailbox_heartbeats SET stumbles = 100; UPDATE mailbox_watches SET due_at = now()")
        .execute(&mut conn)
        .await
        .unwrap();
    let heartbeat = fetching.until(&id, "the other is stored", stored(1)).await;
    assert_eq!(heartbeat["messages_unreadable"], 1, "and it is told of");
    assert_eq!(heartbeat["messages_left"], 0, "as what may yet be read");
    assert_eq!(fetching.subjects().await, ["open"]);
    // Somebody takes it out of the folder: it is asked for once more, and then no longer told of.
    stop.cancel();
    for part in ["new", "cur"].map(|part| fetching.dovecot.user("orders").join(part)) {
        for entry in fs::read_dir(part).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().starts_with("1.locked.host") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    sqlx::raw_sql("UPDATE mailbox_leftovers SET due_at = now()").execute(&mut conn).await.unwrap();
    fetching.watch();
    fetching.until(&id, "it is forgotten", |heartbeat| heartbeat["messages_unreadable"] == 0).await;
    assert_eq!(fetching.subjects().await, ["open"]);
}

/// What stands in the way of a command that holds the text.
#[derive(Clone, Copy)]
enum Hindrance {
    /// It is refused, each time.
    Refused(&'static str),
    /// The connection ends before it, once.
    Cut(&'static str),
    /// The same, each time.
    CutOff(&'static str),
}

/// Stands between FlowEngine and a mail server, and lets all pass but what is hindered.
#[derive(Clone)]
struct Between {
    port: u16,
    hindrance: Arc<Mutex<Option<Hindrance>>>,
}

impl Between {
    async fn start(to: u16, hindrance: Hindrance) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let between = Self { port, hindrance: Arc::new(Mutex::new(Some(hindrance))) };
        let this = between.clone();
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = tokio::net::TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                tokio::spawn(this.clone().pass(client, server));
            }
        });
        between
    }

    async fn pass(self, client: tokio::net::TcpStream, mut server: tokio::net::TcpStream) -> io::Result<()> {
        let (commands, mut answers) = client.into_split();
        let mut commands = BufReader::new(commands).lines();
        let mut answer = vec![0; 16 << 10];
        loop {
            tokio::select! {
                command = commands.next_line() => {
                    let Some(command) = command? else { return Ok(()) };
                    let tag = command.split(' ').next().unwrap_or_default();
                    match self.hinders(&command) {
                        Some(Hindrance::Cut(_) | Hindrance::CutOff(_)) => return Ok(()),
                        Some(Hindrance::Refused(_)) => {
                            answers.write_all(format!("{tag} NO [UNAVAILABLE] not now\r\n").as_bytes()).await?;
                        }
                        None => server.write_all(format!("{command}\r\n").as_bytes()).await?,
                    }
                }
                count = server.read(&mut answer) => match count? {
                    0 => return Ok(()),
                    count => answers.write_all(&answer[..count]).await?,
                }
            }
        }
    }

    fn hinders(&self, command: &str) -> Option<Hindrance> {
        let mut hindrance = self.hindrance.lock().unwrap();
        let found = *hindrance;
        match found? {
            Hindrance::Cut(text) if command.contains(text) => hindrance.take(),
            Hindrance::Refused(text) | Hindrance::CutOff(text) if command.contains(text) => found,
            _ => None,
        }
    }
}

#[tokio::test]
async fn a_message_that_its_server_refuses_for_a_while_is_read_once_it_gives_it() {
    let fetching = Fetching::start(&[]).await;
    let refused = Hindrance::Refused("UID FETCH 1 (UID BODY.PEEK[])");
    let between = Between::start(fetching.dovecot.port, refused).await;
    for subject in ["one", "two"] {
        fetching.dovecot.put("orders", &message("ann@sender.example", subject, "x"));
    }
    let mut account = fetching.account();
    account["port"] = json!(between.port);
    let id = fetching.mailbox(account).await;
    let stop = fetching.watch();
    let heartbeat = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
    assert!(heartbeat["problem"].as_str().unwrap().ends_with("not now"), "{heartbeat}");
    let mut conn = fetching.server.database().superuser().await;
    sqlx::raw_sql("UPDATE mailbox_heartbeats SET stumbles = 100; UPDATE mailbox_watches SET due_at = now()")
        .execute(&mut conn)
        .await
        .unwrap();
    let heartbeat = fetching.until(&id, "the other is stored", stored(1)).await;
    assert_eq!((&heartbeat["messages_unreadable"], &heartbeat["messages_left"]), (&json!(1), &json!(0)));
    // Refused once more, it stays in mind, and keeps nothing back.
    stop.cancel();
    let is_due = "UPDATE mailbox_leftovers SET due_at = now()";
    sqlx::raw_sql(is_due).execute(&mut conn).await.unwrap();
    fetching.dovecot.put("orders", &message("ann@sender.example", "three", "x"));
    let stop = fetching.watch();
    let heartbeat = fetching.until(&id, "the next is stored", stored(2)).await;
    assert_eq!(heartbeat["messages_unreadable"], 1);
    stop.cancel();
    *between.hindrance.lock().unwrap() = None;
    sqlx::raw_sql(is_due).execute(&mut conn).await.unwrap();
    fetching.watch();
    let heartbeat = fetching.until(&id, "all are stored", stored(3)).await;
    assert_eq!((&heartbeat["messages_unreadable"], &heartbeat["messages_left"]), (&json!(0), &json!(0)));
    assert_eq!(fetching.subjects().await, ["one", "three", "two"]);
}

/// Each of them ends one connection, and what came after it has the next.
#[tokio::test]
async fn a_message_that_ends_each_connection_keeps_no_other_from_its_turn() {
    let fetching = Fetching::start(&[]).await;
    let between = Between::start(fetching.dovecot.port, Hindrance::CutOff("UID FETCH 1 (")).await;
    let mut account = fetching.account();
    account["port"] = json!(between.port);
    let id = fetching.mailbox(account).await;
    let stop = fetching.watch();
    fetching.until(&id, "the folder was seen", |heartbeat| heartbeat["messages_on_server"] == 0).await;
    stop.cancel();
    // The folder was read on past two of them, a while ago.
    for subject in ["one", "two", "three"] {
        fetching.dovecot.put("orders", &message("ann@sender.example", subject, "x"));
    }
    let mut conn = fetching.server.database().superuser().await;
    sqlx::raw_sql(
        "UPDATE mailbox_heartbeats SET last_uid = 2; \
         INSERT INTO mailbox_leftovers (tenant_id, mailbox_id, uid, uid_validity, is_stored, due_at) \
         SELECT tenant_id, mailbox_id, uid, uid_validity, false, now() \
         FROM mailbox_heartbeats, generate_series(1, 2) AS uid",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let stop = fetching.watch();
    let heartbeat = fetching.until(&id, "what is new is stored", stored(1)).await;
    assert_eq!(heartbeat["messages_unreadable"], 2);
    let resting = "SELECT uid FROM mailbox_leftovers WHERE due_at > now()";
    let resting: Vec<i64> = sqlx::query_scalar(resting).fetch_all(&mut conn).await.unwrap();
    assert_eq!(resting, [1], "nothing but what was tried");
    // Some minutes later.
    stop.cancel();
    sqlx::raw_sql("UPDATE mailbox_leftovers SET due_at = due_at - interval '5 minutes'")
        .execute(&mut conn)
        .await
        .unwrap();
    fetching.watch();
    let heartbeat = fetching.until(&id, "the other is stored", stored(2)).await;
    assert_eq!(heartbeat["messages_unreadable"], 1);
}

#[tokio::test]
async fn what_was_stored_when_the_connection_broke_is_marked_all_the_same() {
    for (after, cut, left) in [
        ("seen", "UID STORE", vec!["S", "S"]),
        ("delete", "UID STORE", vec![]),
        ("delete", "UID EXPUNGE", vec![]),
    ] {
        let fetching = Fetching::start(&[]).await;
        let between = Between::start(fetching.dovecot.port, Hindrance::Cut(cut)).await;
        for subject in ["one", "two"] {
            fetching.dovecot.put("orders", &message("ann@sender.example", subject, "x"));
        }
        let mut account = fetching.account();
        account["port"] = json!(between.port);
        account["after_storing"] = json!(after);
        let id = fetching.mailbox(account).await;
        fetching.watch();
        fetching.until(&id, "both are stored", stored(2)).await;
        eventually("both are marked", async || (fetching.dovecot.flags("orders") == left).then_some(()))
            .await;
        assert!(between.hindrance.lock().unwrap().is_none(), "it was cut");
        let mut conn = fetching.server.database().superuser().await;
        eventually("nothing is left to do", async || {
            let sql = "SELECT count(*) FROM mailbox_leftovers";
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
            (count == 0).then_some(())
        })
        .await;
        assert_eq!(fetching.subjects().await, ["one", "two"]);
    }
}

/// As where it is restored from a snapshot: UIDs that were read past are given once more.
#[tokio::test]
async fn a_new_message_on_a_server_that_was_put_back_to_before_is_read_before_it_is_deleted() {
    // What is given next lies behind what was read here, or has come past that already.
    for last_uid in [9_i64, 2] {
        let fetching = Fetching::start(&[]).await;
        fetching.dovecot.put("orders", &message("ann@sender.example", "one", "x"));
        let mut account = fetching.account();
        account["after_storing"] = json!("delete");
        let id = fetching.mailbox(account).await;
        let stop = fetching.watch();
        fetching.until(&id, "the first is stored", stored(1)).await;
        fetching.until_empty().await;
        stop.cancel();
        fetching.until_let_go().await;
        let mut conn = fetching.server.database().superuser().await;
        // A message of before had the UID that the new one gets, and is still to be deleted.
        fetching.dovecot.put("orders", &message("ann@sender.example", "two", "x"));
        sqlx::query("UPDATE mailbox_heartbeats SET last_uid = $1")
            .bind(last_uid)
            .execute(&mut conn)
            .await
            .unwrap();
        sqlx::raw_sql(
            "INSERT INTO mailbox_leftovers (tenant_id, mailbox_id, uid, uid_validity, is_stored, due_at) \
             SELECT tenant_id, mailbox_id, 2, uid_validity, true, now() FROM mailbox_heartbeats",
        )
        .execute(&mut conn)
        .await
        .unwrap();
        fetching.watch();
        fetching.until(&id, "the second is stored", stored(2)).await;
        fetching.until_empty().await;
        assert_eq!(fetching.subjects().await, ["one", "two"], "read past {last_uid}");
        eventually("nothing is left to do", async || {
            let sql = "SELECT count(*) FROM mailbox_leftovers";
            let count: i64 = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
            (count == 0).then_some(())
        })
        .await;
    }
}

/// By then UIDNEXT says nothing of it.
#[tokio::test]
async fn what_a_server_that_was_put_back_to_before_has_got_past_what_was_read_is_read() {
    let hour = Duration::from_secs(3_600);
    for after in ["keep", "delete"] {
        let fetching = Fetching::start(&[]).await;
        let mut account = fetching.account();
        account["after_storing"] = json!(after);
        fetching.dovecot.put_before("orders", &message("ann@sender.example", "one", "x"), hour * 2);
        let id = fetching.mailbox(account).await;
        let read = async |count: i64| {
            let stop = fetching.watch();
            fetching.until(&id, "all that came is stored", stored(count)).await;
            if after == "delete" {
                fetching.until_empty().await;
            }
            stop.cancel();
            fetching.until_let_go().await;
        };
        read(1).await;
        fetching.dovecot.back_up("orders");
        for subject in ["two", "three"] {
            fetching.dovecot.put_before("orders", &message("ann@sender.example", subject, "x"), hour);
        }
        read(3).await;
        fetching.dovecot.put_back("orders");
        // The first two of them have the UIDs of those that are lost there.
        for subject in ["four", "five", "six"] {
            fetching.dovecot.put("orders", &message("ann@sender.example", subject, "x"));
        }
        read(6).await;
        assert_eq!(fetching.subjects().await, ["five", "four", "one", "six", "three", "two"], "{after}");
    }
}

/// As after a restoration that keeps no times.
#[tokio::test]
async fn other_dates_of_messages_that_are_here_have_nothing_read_again() {
    let fetching = Fetching::start(&[]).await;
    for subject in ["one", "two", "three"] {
        fetching.dovecot.put("orders", &message("ann@sender.example", subject, "x"));
    }
    let id = fetching.mailbox(fetching.account()).await;
    let stop = fetching.watch();
    fetching.until(&id, "all are stored", stored(3)).await;
    stop.cancel();
    fetching.until_let_go().await;
    let mut conn = fetching.server.database().superuser().await;
    let of_two = "SELECT (landmarks #>> '{read,1,1}')::bigint FROM mailbox_heartbeats";
    let date: i64 = sqlx::query_scalar(of_two).fetch_one(&mut conn).await.unwrap();
    let other =
        "UPDATE mailbox_heartbeats SET landmarks = jsonb_set(landmarks #- '{read,0}', '{read,0,1}', '5')";
    sqlx::raw_sql(other).execute(&mut conn).await.unwrap();
    fetching.dovecot.put("orders", &message("ann@sender.example", "four", "x"));
    fetching.watch();
    fetching.until(&id, "the fourth is stored", stored(4)).await;
    let read = "SELECT landmarks -> 'read' FROM mailbox_heartbeats";
    let read: Value = sqlx::query_scalar(read).fetch_one(&mut conn).await.unwrap();
    let uids: Vec<&Value> = read.as_array().unwrap().iter().map(|one| &one[0]).collect();
    assert_eq!((uids, &read[0][1]), (vec![&json!(2), &json!(3), &json!(4)], &json!(date)));
}

#[tokio::test]
async fn a_folder_that_opens_but_cannot_be_read_fails_for_as_long_as_that_lasts() {
    let fetching = Fetching::start(&[]).await;
    // Of an empty folder nothing more is asked.
    let between = Between::start(fetching.dovecot.port, Hindrance::Refused("NOOP")).await;
    let mut account = fetching.account();
    account["port"] = json!(between.port);
    let id = fetching.mailbox(account).await;
    fetching.watch();
    let first = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
    let again = fetching
        .until(&id, "it was opened again, and fails", |heartbeat| {
            heartbeat["state"] == "failing" && heartbeat["last_seen_at"] != first["last_seen_at"]
        })
        .await;
    assert_eq!(again["failing_since"], first["failing_since"]);
    *between.hindrance.lock().unwrap() = None;
    let heartbeat = fetching.until(&id, "it is read", stored(0)).await;
    assert!(heartbeat["failing_since"].is_null(), "{heartbeat}");
}

#[tokio::test]
async fn a_password_stays_with_the_account_that_it_was_entered_for() {
    let server = TestServer::start_idle(&[]).await;
    server.tenant("acme").await;
    let account = json!({"host": "imap.acme.example", "username": "orders", "password": "planted-secret"});
    let made = json!({"name": "Orders", "kind": "imap", "imap": account});
    let made = server.post("/api/mailboxes?tenant_id=acme", &made).await.is(StatusCode::CREATED);
    let path = format!("/api/mailboxes/{}?tenant_id=acme", made.id("mailbox_id"));
    for (field, value) in [
        ("host", json!("evil.example")),
        ("port", json!(1993)),
        ("security", json!("none")),
        ("username", json!("other")),
    ] {
        let mut moved = made.body.clone();
        moved["imap"][field] = value;
        let refused = server.put(&path, &moved).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["imap.password"], "{field}");
    }
    let mut same = made.body.clone();
    same["imap"]["folder"] = json!("Archive");
    let same = server.put(&path, &same).await.is(StatusCode::OK);
    assert_eq!(same.body["imap"]["password"], "********");
    for (fault, field) in [
        (json!({"name": "x", "kind": "imap"}), "imap"),
        (
            json!({"name": "x", "kind": "imap", "imap": {"host": "a b", "username": "u", "password": "p"}}),
            "imap.host",
        ),
        (
            json!({"name": "x", "kind": "imap", "imap": {"host": "10.0.0.1", "username": "u", "password": "p"}}),
            "imap.host",
        ),
        (
            json!({"name": "x", "kind": "imap", "imap": {"host": "h", "username": "u", "password": "a\r\nb"}}),
            "imap.password",
        ),
        (
            json!({"name": "x", "kind": "imap", "imap": {"host": "h", "username": "u", "password": "********"}}),
            "imap.password",
        ),
        (json!({"name": "x", "kind": "smtp", "address": "orders@elsewhere.example"}), "address"),
        (json!({"name": "x", "kind": "smtp"}), "address"),
        (json!({"name": "", "kind": "smtp", "address": "x"}), "name"),
    ] {
        let refused = server.post("/api/mailboxes?tenant_id=acme", &fault).await;
        let refused = refused.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert!(refused.fields().contains(&field), "{fault}: {}", refused.text);
    }
}

#[tokio::test]
async fn a_domain_is_one_tenants_and_the_installation_says_whose() {
    let server = TestServer::start_idle(&[]).await;
    for tenant in ["acme", "globex"] {
        server.tenant(tenant).await;
    }
    let admin = server.key_of("acme", crate::auth::dto::Role::Admin).await;
    let domains = json!({"domains": ["Acme.example", "acme.example"]});
    let put = async |key: &str, tenant: &str, body: &Value| {
        let path = format!("/api/mail-domains?tenant_id={tenant}");
        let request = server.request(reqwest::Method::PUT, &path, Some(key)).json(body);
        super::support::Answer::of(request.send().await.unwrap()).await
    };
    put(&admin, "acme", &domains).await.is(StatusCode::FORBIDDEN);
    let set = put(&server.key, "acme", &domains).await.is(StatusCode::OK);
    assert_eq!(set.body, json!({"domains": ["acme.example"]}));
    put(&server.key, "globex", &domains)
        .await
        .problem(StatusCode::CONFLICT, "Of these domains, another tenant has acme.example");
    let mailbox = json!({"name": "Orders", "kind": "smtp", "address": "orders@acme.example"});
    server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CREATED);
    let refused = server.post("/api/mailboxes?tenant_id=globex", &mailbox).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["address"]);
    put(&server.key, "acme", &json!({"domains": []})).await.is(StatusCode::BAD_REQUEST);
    let wrong = put(&server.key, "acme", &json!({"domains": ["acme.example", "a b"]})).await;
    assert_eq!(wrong.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["domains[1]"]);
    server.post("/api/mailboxes?tenant_id=acme", &mailbox).await.is(StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_server_must_prove_who_it_is_before_it_hears_a_password() {
    let dovecot = Dovecot::start().await;
    for security in [MailSecurity::Tls, MailSecurity::Starttls] {
        let untrusted = dovecot.open(security, PASSWORD, false).await.err();
        assert!(matches!(untrusted, Some(ImapFault::Tls(_))), "{security}: {untrusted:?}");
        let connection = dovecot.open(security, PASSWORD, true).await.unwrap();
        assert!(connection.can_idle());
        let stop = CancellationToken::new();
        connection.idle(Duration::from_millis(1), &stop).await.unwrap().close().await;
        let refused = dovecot.open(security, "wrong", true).await.err();
        assert!(matches!(refused, Some(ImapFault::Refused(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_mailbox_is_read_with_a_token_where_its_server_takes_no_password() {
    let (tokens, base) = TokenServer::start().await;
    let introspection = format!("{base}/introspect");
    let fetching = Fetching::start_on(Dovecot::start_with(Some(&introspection)).await, &[]).await;
    fetching.dovecot.put("orders", &message("ann@sender.example", "by token", "x"));
    let mut account = fetching.account();
    account["password"] = TokenServer::SECRET.into();
    account["oauth"] =
        json!({"token_url": format!("{base}/token"), "client_id": "flow", "scope": "mail.read"});
    let id = fetching.mailbox(account.clone()).await;
    fetching.watch();
    fetching.until(&id, "what is there is stored", stored(1)).await;
    assert_eq!(fetching.subjects().await, ["by token"]);
    assert_eq!(tokens.given.lock().unwrap().len(), 1);

    // Read back masked, and kept by its mask, but for nobody else: not another token server, not another client.
    let path = format!("/api/mailboxes/{id}?tenant_id=acme");
    let stored_one = fetching.server.get(&path).await.is(StatusCode::OK).body;
    let mut same = json!({"name": "Orders", "kind": "imap", "imap": stored_one["imap"]});
    assert_eq!(same["imap"]["password"], "********");
    fetching.server.put(&path, &same).await.is(StatusCode::OK);
    for (field, value) in [("token_url", json!("http://127.0.0.1:1/token")), ("client_id", json!("other"))] {
        let mut changed = same.clone();
        changed["imap"]["oauth"][field] = value;
        let refused = fetching.server.put(&path, &changed).await.is(StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.fields(), ["imap.password"], "{field}");
    }
    let mut as_password = same.clone();
    as_password["imap"].as_object_mut().unwrap().remove("oauth");
    let refused = fetching.server.put(&path, &as_password).await.is(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.fields(), ["imap.password"]);
    for (field, value, fault) in [
        ("token_url", "http://10.0.0.1/token", "imap.oauth.token_url"),
        ("token_url", "https://user:word@id.example/token", "imap.oauth.token_url"),
        ("token_url", "ftp://id.example/token", "imap.oauth.token_url"),
        ("token_url", "http://id.example/token", "imap.oauth.token_url"),
        ("client_id", " ", "imap.oauth.client_id"),
        ("scope", "a\u{0}b", "imap.oauth.scope"),
    ] {
        let mut bad = account.clone();
        bad["oauth"][field] = value.into();
        let body = json!({"name": "Bad", "kind": "imap", "imap": bad});
        let refused = fetching.server.post("/api/mailboxes?tenant_id=acme", &body).await;
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), [fault], "{value}");
    }

    // A secret that is refused is told, and stands nowhere.
    same["imap"]["password"] = "wrong-battery".into();
    fetching.server.put(&path, &same).await.is(StatusCode::OK);
    let failing = fetching.until(&id, "it fails", |heartbeat| heartbeat["state"] == "failing").await;
    let problem = "there is no token for the login: the token server refused the credentials: invalid_client";
    assert_eq!(failing["problem"], problem);
    let log = fetching.server.get("/api/audit-log?tenant_id=acme").await.is(StatusCode::OK).text;
    assert!(!log.contains("battery"), "{log}");
    assert!(!log.contains(tokens.given.lock().unwrap()[0].as_str()));
}
