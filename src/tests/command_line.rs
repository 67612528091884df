//! The binary as people run it: the embedded default, the command line beside a running server, and death.
#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]
#![expect(clippy::disallowed_methods, reason = "it looks behind the walls")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use sqlx::Connection;

const BINARY: &str = env!("CARGO_BIN_EXE_flowengine");

/// A data folder. Where the database's files had to go elsewhere, they go with it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .args(args)
            .env("DATA_DIR", self.path())
            .env("DATABASE_URL", "")
            .env("LEPTOS_SITE_ADDR", "127.0.0.1:0")
            .env("MAIL_DNS", name_server().to_string())
            .env("LEPTOS_OUTPUT_NAME", "flowengine")
            .current_dir(self.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).stdin(Stdio::null()).output().unwrap()
    }

    /// The last process that uses the database may end a moment before the database does.
    fn wait_for_the_database_to_stop(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.path().join("postgres/url").exists() {
            assert!(Instant::now() < deadline, "the database goes on, though nobody uses it");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a command that must succeed; its output.
    fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Ok(elsewhere) = fs::read_link(self.path().join("postgres")) {
            let _ = fs::remove_dir_all(elsewhere);
        }
    }
}

/// A name server that knows no name.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut message = [0; 4_096];
        while let Ok((length, peer)) = socket.recv_from(&mut message) {
            // RFC 1035, section 4.1.1: an answer, and no such name.
            message[2] |= 0x80;
            message[3] = (message[3] & 0xf0) | 3;
            let _ = socket.send_to(&message[..length], peer);
        }
    });
    addr
}

/// Hands messages on by SMTP, one after the other, and tells the id of each that was acknowledged.
fn deliver_until_it_ends(smtp: SocketAddr, acknowledged: &mpsc::Sender<String>) {
    let stream = TcpStream::connect(smtp).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut say = |text: &str| -> Option<String> {
        (&stream).write_all(text.as_bytes()).ok()?;
        loop {
            let line = replies.next()?.ok()?;
            if line.as_bytes().get(3) != Some(&b'-') {
                return Some(line);
            }
        }
    };
    // The greeting is the answer to the first.
    say("EHLO client.example\r\n");
    say("");
    for i in 0.. {
        let message = format!("From: a@x.example\r\nSubject: mail {i}\r\n\r\nx\r\n.\r\n");
        let steps =
            ["MAIL FROM:<a@x.example>\r\n", "RCPT TO:<service@acme-corp.example>\r\n", "DATA\r\n", &message];
        for step in steps {
            let Some(reply) = say(step) else { return };
            if let Some(id) = reply.strip_prefix("250 2.0.0 Stored as ") {
                let _ = acknowledged.send(id.to_owned());
            }
        }
    }
}

/// A running server.
struct Server {
    child: Child,
    base: String,
    link: Option<String>,
    /// Where it takes mail.
    smtp: SocketAddr,
}

impl Server {
    fn start(folder: &Folder, args: &[&str]) -> Self {
        let smtp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = folder.command(args);
        let mut child = command.env("SMTP_LISTEN", smtp.to_string()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let first = lines.next().expect("the server says where it is");
        let base = first.split_once(" is at ").unwrap().1.trim_end_matches('/').to_owned();
        let second = lines.next().expect("and how to sign in");
        let link = second.strip_prefix("Sign in once at ").map(str::to_owned);
        Self { child, base, link, smtp }
    }

    fn signal(&mut self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    async fn get(&self, key: &str, path: &str) -> Value {
        let answer =
            reqwest::Client::new().get(format!("{}{path}", self.base)).bearer_auth(key).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn demo_message(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo/acme_corp/messages").join(name)
}

#[tokio::test]
async fn the_embedded_default_serves_restarts_and_survives_being_killed() {
    let folder = Folder::new();
    let mut server = Server::start(&folder, &["serve", "--demo"]);

    // The command line works beside the server, on the same database.
    let key = folder.ok(&["admin", "create-key", "--name", "script", "--instance"]);
    let key = key.strip_suffix('\n').unwrap();
    assert!(
        key.starts_with("fe_") && !key.contains(char::is_whitespace),
        "the key and nothing else: {key:?}"
    );
    let tenants = server.get(key, "/api/tenants").await;
    assert_eq!(tenants.as_array().unwrap().len(), 2);
    let viewer =
        folder.ok(&["admin", "create-key", "--name", "v", "--tenant", "acme_corp", "--role", "viewer"]);
    assert_eq!(server.get(viewer.trim(), "/api/tenants").await.as_array().unwrap().len(), 1);

    // The configuration goes out as a document. In again, there is nothing to do, until it says something else.
    let document = folder.path().join("acme.yaml");
    let file = document.to_str().unwrap();
    folder.ok(&["export", "--tenant", "acme_corp", "--output", file]);
    let import = |args: &[&str]| {
        let output = folder.run(&[&["import", file, "--tenant", "acme_corp"], args].concat());
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, text) = import(&["--dry-run", "--delete"]);
    assert!(code == Some(0) && text.starts_with("= ") && text.ends_with(" the same\n"), "{code:?} {text}");
    let exported = fs::read_to_string(&document).unwrap();
    assert_eq!(folder.ok(&["export", "--tenant", "acme_corp"]), exported);
    fs::write(&document, exported.replace("Customers, purchase orders", "Customers, orders")).unwrap();
    let (code, text) = import(&["--dry-run"]);
    assert!(code == Some(2) && text.contains("~ datasource Shop database: description"), "{code:?} {text}");
    let (code, text) = import(&[]);
    assert!(code == Some(1) && text.contains("--yes"), "nobody can be asked: {code:?} {text}");
    assert_eq!(import(&["--yes"]).0, Some(0));
    assert_eq!(import(&["--dry-run"]).0, Some(0));
    fs::write(&document, "version: 1\nintent: []").unwrap();
    let (code, text) = import(&["--yes"]);
    assert!(code == Some(1) && text.contains("acme.yaml: intent: "), "{code:?} {text}");

    // It is as safe as any other PostgreSQL: on disk, and the server's role passes by nothing.
    let url = fs::read_to_string(folder.path().join("postgres/url")).unwrap();
    let mut conn = sqlx::PgConnection::connect(&url).await.unwrap();
    for (setting, expected) in [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("listen_addresses", "127.0.0.1"),
    ] {
        let sql = sqlx::AssertSqlSafe(format!("SHOW {setting}"));
        let value: String = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        assert_eq!(value, expected, "{setting}");
    }
    let privileged: bool =
        sqlx::query_scalar("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            .fetch_one(&mut conn)
            .await
            .unwrap();
    assert!(!privileged, "not even the owner");
    drop(conn);

    // A message that was acknowledged is there after kill -9, and is decided.
    let mut ids = Vec::new();
    for i in 0..20 {
        let raw = format!("From: a@x.example\r\nSubject: message {i}\r\n\r\nx\r\n");
        let answer = reqwest::Client::new()
            .post(format!("{}/api/emails?tenant_id=acme_corp", server.base))
            .bearer_auth(key)
            .header("content-type", "message/rfc822")
            .body(raw)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 202);
        let body: Value = answer.json().await.unwrap();
        ids.push(body["email_id"].as_str().unwrap().to_owned());
    }
    // By mail, the next is on its way when the server dies: what was told to be stored is.
    let (acknowledged, mail) = mpsc::channel();
    let smtp = server.smtp;
    let sending = std::thread::spawn(move || deliver_until_it_ends(smtp, &acknowledged));
    for _ in 0..20 {
        ids.push(mail.recv_timeout(Duration::from_secs(60)).unwrap());
    }
    server.signal(Signal::SIGKILL);
    sending.join().unwrap();
    ids.extend(mail.try_iter());
    let mut server = Server::start(&folder, &["serve"]);
    for id in &ids {
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let email = server.get(key, &format!("/api/emails/{id}?tenant_id=acme_corp")).await;
            if email["status"] == "done" {
                assert_eq!(email["run"], 1, "decided once");
                break;
            }
            assert!(Instant::now() < deadline, "{email}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(server.link.is_some(), "nobody has a password yet");
    // It leads to where the server is, though it is another one that prints it, and the port is the system's choice.
    let link = folder.ok(&["admin", "sign-in-link"]);
    assert!(link.starts_with(&format!("{}/sign-in/", server.base)), "{link} of {}", server.base);
    server.signal(Signal::SIGTERM);
    folder.wait_for_the_database_to_stop();

    // Without a server, a command starts the database by itself.
    let known = demo_message("01-order-where-is-it.eml");
    let process = ["process", known.to_str().unwrap(), "--tenant", "acme_corp"];
    let printed = folder.ok(&process);
    assert!(
        printed.starts_with("rejected  Rejected: Shop database has no row for priya.nair@northwind.example."),
        "{printed}"
    );
    assert!(printed.contains("SELECT customer_number"), "{printed}");
    // The message is known by now, and gets the intent that is asked for all the same.
    let printed = folder.ok(&[&process[..], &["--intent", "Supplier invoice"]].concat());
    assert!(printed.contains("intent    Supplier invoice: it was named"), "{printed}");
    let link = folder.ok(&["admin", "sign-in-link"]);
    assert!(link.contains("/sign-in/"), "{link}");
}

#[tokio::test]
async fn a_shared_database_goes_on_until_the_last_is_done() {
    let folder = Folder::new();
    let mut first = Server::start(&folder, &["serve", "--demo"]);
    let key = folder.ok(&["admin", "create-key", "--name", "script", "--instance"]);
    let key = key.trim();
    let mut second = Server::start(&folder, &["serve"]);
    let mut third = Server::start(&folder, &["serve"]);

    // One is killed, as by the system; one is asked to stop. The last goes on, and so do commands.
    first.signal(Signal::SIGKILL);
    for _ in 0..3 {
        folder.ok(&["export", "--tenant", "acme_corp"]);
        second.get(key, "/api/tenants").await;
    }
    second.signal(Signal::SIGTERM);
    for _ in 0..3 {
        folder.ok(&["export", "--tenant", "acme_corp"]);
        third.get(key, "/api/tenants").await;
    }
    third.signal(Signal::SIGTERM);
    folder.wait_for_the_database_to_stop();
    folder.ok(&["export", "--tenant", "acme_corp"]);
}

/// As by the system, where memory runs out.
#[tokio::test]
async fn a_private_database_that_is_killed_is_started_again() {
    let folder = Folder::new();
    let mut server = Server::start(&folder, &["serve", "--demo"]);
    let key = folder.ok(&["admin", "create-key", "--name", "script", "--instance"]);
    let postmaster = || -> Option<i32> {
        let file = fs::read_to_string(folder.path().join("postgres/cluster/postmaster.pid")).ok()?;
        file.lines().next()?.trim().parse().ok()
    };
    let first = postmaster().unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = reqwest::Client::new()
            .post(format!("{}/api/emails?tenant_id=acme_corp", server.base))
            .bearer_auth(key.trim())
            .header("content-type", "message/rfc822")
            .body("From: a@x.example\r\nSubject: again\r\n\r\nx\r\n")
            .send()
            .await
            .unwrap();
        if answer.status() == 202 && postmaster().is_some_and(|pid| pid != first) {
            break;
        }
        assert!(Instant::now() < deadline, "no message is taken any more: {}", answer.status());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.signal(Signal::SIGTERM);
    folder.wait_for_the_database_to_stop();
}

#[test]
fn mistakes_on_the_command_line_are_told_in_a_sentence() {
    let folder = Folder::new();
    for (args, vars, word) in [
        // Both ways are shown: one alone would lead to a key for everything.
        (vec!["admin", "create-key", "--name", "x"], vec![], "<--instance|--tenant <TENANT>>"),
        (vec!["admin", "create-key", "--name", "x", "--tenant", "acme"], vec![], "--role"),
        (
            vec!["admin", "create-key", "--name", "x", "--tenant", "Acme", "--role", "viewer"],
            vec![],
            "must start with a letter",
        ),
        (
            vec!["serve"],
            vec![("DATABASE_POOL_MAX", "many"), ("ENVIRONMENT", "production")],
            "DATABASE_POOL_MAX",
        ),
        (vec!["admin", "set-instance-admin", "--email", "ada@acme.example"], vec![], "<--on|--off>"),
        (
            vec!["admin", "create-key", "--name", "x", "--instance", "--tenant", "acme", "--role", "viewer"],
            vec![],
            "cannot be used with",
        ),
        (vec!["serve"], vec![("LEPTOS_SITE_ADDR", "nonsense")], "LEPTOS_SITE_ADDR"),
        // It would be served to everybody.
        (vec!["serve"], vec![("LEPTOS_SITE_ROOT", ".")], "LEPTOS_SITE_ROOT must be a folder of its own"),
        (
            vec!["serve"],
            vec![
                ("ENVIRONMENT", "production"),
                ("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/x"),
                ("ENCRYPTION_KEY", "0707070707070707070707070707070707070707070707070707070707070707"),
                ("PUBLIC_URL", "https://flow.example"),
                ("LEPTOS_SITE_ROOT", ""),
            ],
            "LEPTOS_SITE_ROOT: the browser's side cannot be served: target/site/pkg/flowengine.js",
        ),
        (
            vec!["admin", "set-instance-admin", "--email", "ada@acme.example", "--on", "--off"],
            vec![],
            "cannot be used with",
        ),
        (
            vec!["admin", "set-instance-admin", "--email", "ada@acme.example", "--on", "--revoke-keys"],
            vec![],
            "cannot be used with",
        ),
        (vec!["import", "x.yaml", "--tenant", "Acme!", "--dry-run"], vec![], "must start with a letter"),
        (vec!["serve"], vec![("DATABASE_URL", "postgresql://nobody:x@127.0.0.1:1/x")], "cannot be reached"),
    ] {
        let output = folder.command(&args).envs(vars).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        // Not 2, by which `import --dry-run` says that there are changes.
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text.contains(word) && !text.contains("panicked"), "{args:?}: {text}");
    }
}

/// As by `head`.
#[test]
fn whoever_has_read_enough_ends_the_output_quietly() {
    let folder = Folder::new();
    let mut child =
        folder.command(&["openapi"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.is_empty(), "{text}");
}

#[test]
fn several_servers_may_migrate_at_once() {
    let superuser = std::env::var("TEST_DATABASE_URL").expect("./dev test starts a PostgreSQL and sets it");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let name = format!("migrate_{}", std::process::id());
    let run = |sql: String| {
        runtime.block_on(async {
            let mut conn = sqlx::PgConnection::connect(&superuser).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        });
    };
    run(format!("CREATE DATABASE {name}"));
    let mut url: url::Url = superuser.parse().unwrap();
    url.set_path(&name);
    let folder = Folder::new();
    let all: Vec<Child> = (0..4)
        .map(|_| folder.command(&["migrate"]).env("DATABASE_URL", url.as_str()).spawn().unwrap())
        .collect();
    for mut child in all {
        assert!(child.wait().unwrap().success());
    }
    run(format!("DROP DATABASE {name} WITH (FORCE)"));
}

/// The tables are the owner's, and the server's own role, which made nothing, may work with them.
#[test]
fn an_owner_may_migrate_for_a_role_that_owns_nothing() {
    let superuser = std::env::var("TEST_DATABASE_URL").expect("./dev test starts a PostgreSQL and sets it");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let name = format!("owned_{}", std::process::id());
    let run = |sql: String| {
        runtime.block_on(async {
            let mut conn = sqlx::PgConnection::connect(&superuser).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        });
    };
    run(format!("CREATE ROLE {name} LOGIN PASSWORD 'x'"));
    run(format!("CREATE DATABASE {name}"));
    let mut owner: url::Url = superuser.parse().unwrap();
    owner.set_path(&name);
    let mut worker = owner.clone();
    worker.set_username(&name).unwrap();
    worker.set_password(Some("x")).unwrap();
    let folder = Folder::new();
    let with = |args: &[&str], owner: Option<&url::Url>| {
        let mut command = folder.command(args);
        command.env("DATABASE_URL", worker.as_str());
        if let Some(owner) = owner {
            command.env("DATABASE_OWNER_URL", owner.as_str());
        }
        command.output().unwrap()
    };
    let args = ["admin", "create-key", "--name", "x", "--instance"];
    let made = with(&args, Some(&owner));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    run(format!("DROP DATABASE {name} WITH (FORCE)"));
    run(format!("REVOKE flowengine_app FROM {name}; DROP ROLE {name}"));
}

#[test]
fn accounts_are_listed_closed_and_opened_and_one_administrator_stays() {
    let superuser = std::env::var("TEST_DATABASE_URL").expect("./dev test starts a PostgreSQL and sets it");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let name = format!("accounts_{}", std::process::id());
    let run = |sql: String| {
        runtime.block_on(async {
            let mut conn = sqlx::PgConnection::connect(&superuser).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut conn).await.unwrap();
        });
    };
    run(format!("CREATE DATABASE {name}"));
    let mut url: url::Url = superuser.parse().unwrap();
    url.set_path(&name);
    let folder = Folder::new();
    let admin = |args: &[&str]| {
        let mut command = folder.command(&[&["admin"], args].concat());
        command.env("DATABASE_URL", url.as_str()).stdin(Stdio::null()).output().unwrap()
    };
    let ok = |args: &[&str]| {
        let output = admin(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let refused = |args: &[&str], words: &str| {
        let output = admin(args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && text.contains(words), "{args:?}: {text}");
    };
    let run_in_it = |sql: &'static str| {
        runtime.block_on(async {
            let mut conn = sqlx::PgConnection::connect(url.as_str()).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        });
    };
    // What stands of an account: name, administrator, closed, last sign-in, tenants.
    let listed = |email: &str| {
        let list = ok(&["list-users"]);
        let line = list.lines().find(|line| line.starts_with(email)).unwrap_or_else(|| panic!("{list}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let (root, ada) = ("root@host.example", "ada@acme.example");
    ok(&["create-user", "--email", root, "--name", "Root", "--instance"]);
    ok(&["create-user", "--email", ada, "--name", "Ada"]);
    assert!(ok(&["list-users"]).starts_with("address "));
    // Where a server will be is not known: none has served from this folder.
    let told = String::from_utf8(admin(&["reset-password", "--email", ada]).stderr).unwrap();
    assert!(told.contains("the address is assumed: PUBLIC_URL sets it"), "{told}");
    // Nobody reads what is printed: a list can be had again, a key cannot.
    let unread = |args: &[&str]| {
        let mut command = folder.command(&[&["admin"], args].concat());
        command.env("DATABASE_URL", url.as_str()).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(unread(&["list-users"]).0, Some(0));
    let (code, text) = unread(&["create-key", "--name", "lost", "--instance"]);
    assert!(code == Some(1) && text.contains("could not be printed"), "{code:?} {text}");
    assert_eq!(listed(root), ["Root", "yes", "-", "-", "0"]);
    assert_eq!(listed(ada), ["Ada", "no", "-", "-", "0"]);

    ok(&["close-user", "--email", ada]);
    assert_ne!(listed(ada)[2], "-");
    assert_eq!(
        ok(&["close-user", "--email", ada, "--revoke-keys"]),
        "The account of ada@acme.example is closed.\n"
    );
    refused(&["reset-password", "--email", ada], "The account of ada@acme.example is closed");
    refused(&["set-instance-admin", "--email", ada, "--on"], "The account of ada@acme.example is closed");
    refused(&["close-user", "--email", "nobody@acme.example"], "Account nobody@acme.example not found");
    assert!(ok(&["open-user", "--email", "Ada@Acme.example"]).contains("/reset/"));
    assert_eq!(listed(ada)[2], "-");
    refused(&["open-user", "--email", ada], "The account of ada@acme.example is open");

    let last = "This is the installation's last administrator";
    refused(&["close-user", "--email", root], last);
    refused(&["set-instance-admin", "--email", root, "--off"], last);
    assert!(ok(&["set-instance-admin", "--email", ada, "--on"]).contains("/reset/"));
    refused(
        &["set-instance-admin", "--email", ada, "--on"],
        "is an administrator of the installation already",
    );
    ok(&["close-user", "--email", root]);
    refused(&["set-instance-admin", "--email", ada, "--off"], last);
    // A key of the installation that the closed one made, as a server of before stores it.
    run_in_it(
        "INSERT INTO eivs.instance_api_keys (name, prefix, key_hash, created_by) \
         VALUES ('backup', 'fe_back', sha256('x'), 'Root <root@host.example>')",
    );
    let left = "root@host.example administers the installation no longer.\n\
                API keys that the person made still work; --revoke-keys ends them:\nof the installation: 1\n";
    assert_eq!(ok(&["set-instance-admin", "--email", root, "--off"]), left);
    assert_eq!(
        ok(&["set-instance-admin", "--email", root, "--off", "--revoke-keys"]),
        "root@host.example administers the installation no longer.\n"
    );
    assert_eq!((listed(root)[1].as_str(), listed(ada)[1].as_str()), ("no", "yes"));
    run(format!("DROP DATABASE {name} WITH (FORCE)"));
}

/// cargo-leptos reads Cargo.toml, a deployed server reads Leptos.toml: they must say the same.
#[test]
fn the_two_files_of_leptos_settings_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = |file: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let section = text.split("\n[package.metadata.leptos]\n").nth(1).unwrap();
        let lines = section.lines().take_while(|line| !line.starts_with('['));
        let pairs = lines.filter_map(|line| line.split_once(" = "));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let cargo = settings("Cargo.toml");
    let runtime = settings("Leptos.toml");
    assert!(runtime.len() >= 5);
    for setting in runtime {
        assert!(cargo.contains(&setting), "{setting:?}");
    }
}
