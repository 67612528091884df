//! Mail that other servers hand on, by SMTP and LMTP, to a real listener.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Tokio1Executor,
    address::Envelope,
    transport::smtp::client::{Tls, TlsParameters},
};
use mail_auth::{
    common::{crypto::Ed25519Key, headers::HeaderWriter},
    dkim::DkimSigner,
};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
};

use super::{
    name_server::NameServer,
    receivers::Relay,
    support::{TestServer, eventually, message},
};
use crate::mailboxes::server::smtp::{self, Bounds, Protocol};

/// A server with its tenants and their mailboxes, and where it listens.
struct Mail {
    server: TestServer,
    names: NameServer,
    smtp: SocketAddr,
    lmtp: SocketAddr,
}

impl Mail {
    async fn start(vars: &[(&str, &str)]) -> Self {
        let names = NameServer::start();
        let dns = names.addr.to_string();
        let vars = [vars, &[("MAIL_DNS", dns.as_str()), ("MAIL_HOSTNAME", "mx.flow.example")]].concat();
        let server = TestServer::start_with(&vars).await;
        for tenant in ["acme", "globex"] {
            server.tenant(tenant).await;
            let domains = json!({"domains": [format!("{tenant}.example")]});
            server.put(&format!("/api/mail-domains?tenant_id={tenant}"), &domains).await.is(StatusCode::OK);
            for (name, local) in [("Orders", "orders"), ("All else", "*")] {
                let mailbox =
                    json!({"name": name, "kind": "smtp", "address": format!("{local}@{tenant}.example")});
                let made = server.post(&format!("/api/mailboxes?tenant_id={tenant}"), &mailbox).await;
                made.is(StatusCode::CREATED);
            }
        }
        let bounds = Arc::new(Bounds::new(&server.app.config.mail).unwrap());
        let mut listening = Vec::new();
        for protocol in [Protocol::Smtp, Protocol::Lmtp] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listening.push(listener.local_addr().unwrap());
            let (app, bounds, stop) = (server.app.clone(), Arc::clone(&bounds), server.app.stop.clone());
            tokio::spawn(smtp::serve(app, listener, protocol, bounds, stop));
        }
        Self { server, names, smtp: listening[0], lmtp: listening[1] }
    }

    async fn emails(&self, tenant: &str) -> Vec<Value> {
        let list = self.server.get(&format!("/api/emails?tenant_id={tenant}")).await.is(StatusCode::OK);
        list.body.as_array().unwrap().clone()
    }

    async fn mailbox(&self, tenant: &str, name: &str) -> Value {
        let list = self.server.get(&format!("/api/mailboxes?tenant_id={tenant}")).await.is(StatusCode::OK);
        list.body.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
    }

    async fn detail(&self, tenant: &str, email: &Value) -> Value {
        self.server.decided(tenant, email["email_id"].as_str().unwrap()).await
    }
}

/// A conversation by hand.
struct Talk(BufReader<TcpStream>);

impl Talk {
    async fn with(addr: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(addr).await.unwrap()))
    }

    /// By a client of another address of this machine.
    async fn from_address(client: [u8; 4], addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((client, 0).into()).unwrap();
        Self(BufReader::new(socket.connect(addr).await.unwrap()))
    }

    /// The next reply, all of its lines; empty where the server hung up.
    async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).await.unwrap_or(0) == 0 {
                return reply;
            }
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
        }
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn say(&mut self, line: &str) -> String {
        self.send(&format!("{line}\r\n")).await;
        self.reply().await
    }

    /// Up to the point where the message is asked for.
    async fn opened(addr: SocketAddr, hello: &str, to: &[&str]) -> Self {
        Self::opened_by("ann@sender.example", addr, hello, to).await
    }

    async fn opened_by(from: &str, addr: SocketAddr, hello: &str, to: &[&str]) -> Self {
        Self::with(addr).await.open(from, hello, to).await
    }

    async fn open(mut self, from: &str, hello: &str, to: &[&str]) -> Self {
        assert!(self.reply().await.starts_with("220 mx.flow.example "));
        assert!(self.say(&format!("{hello} client.example")).await.starts_with("250"));
        assert!(self.say(&format!("MAIL FROM:<{from}>")).await.starts_with("250 "));
        for to in to {
            assert!(self.say(&format!("RCPT TO:<{to}>")).await.starts_with("250 "), "{to}");
        }
        self
    }

    /// `message` must end with a line's end.
    async fn deliver(&mut self, message: &str) -> String {
        assert!(self.say("DATA").await.starts_with("354"));
        self.send(&format!("{message}.\r\n")).await;
        self.reply().await
    }
}

#[tokio::test]
async fn a_message_that_a_mail_server_hands_on_is_stored_decided_and_told_of() {
    let mail = Mail::start(&[]).await;
    let port = mail.smtp.port();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(port).build();
    let envelope = Envelope::new(
        Some("bounces@sender.example".parse().unwrap()),
        vec!["Orders+42@Acme.example".parse().unwrap()],
    )
    .unwrap();
    // Lines that begin with dots are what clients and servers get wrong.
    let raw = message("Ann <ann@sender.example>", "order 42", ".\r\n..two\r\nlast");
    let said = transport.send_raw(&envelope, raw.as_bytes()).await.unwrap();
    let emails = mail.emails("acme").await;
    assert_eq!(emails.len(), 1, "it was on disk when it was acknowledged");
    let id = emails[0]["email_id"].as_str().unwrap();
    assert!(said.message().any(|line| line.contains(id)));
    let kept = mail.server.get(&format!("/api/emails/{id}/raw?tenant_id=acme")).await.text;
    assert_eq!(
        kept,
        format!("{raw}\r\n"),
        "byte for byte, with the line that this client ends each message by"
    );
    let email = mail.detail("acme", &emails[0]).await;
    assert_eq!(email["envelope"]["mailbox"], "Orders");
    assert_eq!(email["envelope"]["from"], "bounces@sender.example");
    assert_eq!(email["envelope"]["to"], json!(["Orders+42@Acme.example"]));
    assert_eq!(email["envelope"]["client"], "127.0.0.1");
    for (field, value) in [
        ("mailbox", "Orders"),
        ("envelope_from", "bounces@sender.example"),
        ("envelope_to", "Orders+42@Acme.example"),
        ("spf", "none"),
        ("dkim", "none"),
        ("dmarc", "none"),
        ("arc", "none"),
    ] {
        assert_eq!(email["fields"][field], value, "{field}");
    }
    // Handed on once more, as after an answer that got lost: taken once.
    transport.send_raw(&envelope, raw.as_bytes()).await.unwrap();
    assert_eq!(mail.emails("acme").await.len(), 1);
    let heartbeat = mail.mailbox("acme", "Orders").await["heartbeat"].clone();
    assert_eq!((&heartbeat["state"], &heartbeat["messages_stored"]), (&json!("ok"), &json!(1)));
    assert!(heartbeat["last_seen_at"].is_string() && heartbeat["last_message_at"].is_string());
    assert_eq!(mail.mailbox("acme", "All else").await["heartbeat"]["state"], "waiting");
    assert!(mail.emails("globex").await.is_empty());
    let log = mail.server.get("/api/audit-log?tenant_id=acme&action=email.receive").await.body;
    assert_eq!((&log[0]["object_id"], &log[0]["actor_kind"]), (&json!(id), &json!("system")), "{log}");
}

#[tokio::test]
async fn it_takes_mail_for_its_mailboxes_and_relays_for_nobody() {
    let mail = Mail::start(&[]).await;
    let mut talk = Talk::opened(mail.smtp, "EHLO", &[]).await;
    for (address, code) in [
        ("orders@acme.example", "250"),
        ("anything@acme.example", "250"),
        ("orders@elsewhere.example", "550 5.1.1"),
        ("orders@sub.acme.example", "550 5.1.1"),
        ("*@elsewhere.example", "550 5.1.1"),
        ("\"orders\"@elsewhere.example", "550"),
        ("%' OR true --@x.example", "5"),
    ] {
        let reply = talk.say(&format!("RCPT TO:<{address}>")).await;
        assert!(reply.starts_with(code), "{address}: {reply}");
    }
    // What a mailbox takes no longer is refused at once.
    let catch_all = mail.mailbox("acme", "All else").await["mailbox_id"].to_string();
    let path = format!("/api/mailboxes/{catch_all}?tenant_id=acme");
    let inactive =
        json!({"name": "All else", "kind": "smtp", "address": "*@acme.example", "is_active": false});
    mail.server.put(&path, &inactive).await.is(StatusCode::OK);
    assert!(talk.say("RCPT TO:<other@acme.example>").await.starts_with("550"));
    assert!(talk.say("RCPT TO:<orders@globex.example>").await.starts_with("250"));
    // Of a tenant that is inactive, mail is kept by its sender, however many it is for: none of them is a guess.
    for (is_active, code) in [(false, "450 4.2.1"), (true, "250 2.1.5")] {
        let globex = json!({"tenant_id": "globex", "name": "G", "is_active": is_active});
        mail.server.put("/api/tenants/globex", &globex).await.is(StatusCode::OK);
        for i in 0..25 {
            let reply = talk.say(&format!("RCPT TO:<a{i}@globex.example>")).await;
            assert!(reply.starts_with(code), "{reply}");
        }
    }
    // Whoever guesses is shown out.
    let mut talk = Talk::opened(mail.smtp, "EHLO", &[]).await;
    let mut last = String::new();
    for i in 0..30 {
        last = talk.say(&format!("RCPT TO:<a{i}@elsewhere.example>")).await;
        if last.starts_with("421") {
            break;
        }
    }
    assert!(last.starts_with("421 4.7.0"), "{last}");
}

#[tokio::test]
async fn one_message_for_two_tenants_is_two_messages() {
    let mail = Mail::start(&[]).await;
    let to = ["orders@acme.example", "orders@globex.example", "x@acme.example", "y@acme.example"];
    let mut talk = Talk::opened(mail.smtp, "EHLO", &to).await;
    let reply = talk.deliver(&message("ann@sender.example", "for both", "x")).await;
    assert!(reply.starts_with("250 2.0.0 Stored as "), "{reply}");
    let (acme, globex) = (mail.emails("acme").await, mail.emails("globex").await);
    assert_eq!((acme.len(), globex.len()), (2, 1), "one for each mailbox");
    let told = mail.detail("globex", &globex[0]).await;
    assert_eq!(told["envelope"]["to"], json!(["orders@globex.example"]));
    assert!(!told.to_string().contains("orders@acme"), "neither learns of the other: {told}");
    let catch_all = mail.detail("acme", &acme[0]).await;
    assert_eq!(catch_all["envelope"]["to"], json!(["x@acme.example", "y@acme.example"]));
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_on_disk() {
    let mail = Mail::start(&[]).await;
    let raw = message("ann@sender.example", "kept by its sender", "x");
    let mut conn = mail.server.database().superuser().await;
    let to = ["orders@acme.example", "orders@globex.example"];
    // It fails for the second of the two.
    sqlx::raw_sql(
        "CREATE FUNCTION eivs.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$; \
         CREATE TRIGGER fail BEFORE INSERT ON eivs.jobs FOR EACH ROW WHEN (new.tenant_id = 'globex') \
         EXECUTE FUNCTION eivs.fail()",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    let mut talk = Talk::opened(mail.smtp, "EHLO", &to).await;
    assert!(talk.deliver(&raw).await.starts_with("451 4.3.0"));
    assert!(mail.emails("globex").await.is_empty(), "nothing of it is left");
    // LMTP tells them apart.
    let mut talk = Talk::opened(mail.lmtp, "LHLO", &to).await;
    assert!(talk.deliver(&raw).await.starts_with("250 2.0.0 Stored as "));
    assert!(talk.reply().await.starts_with("451 4.3.0"));
    sqlx::raw_sql("DROP TRIGGER fail ON eivs.jobs").execute(&mut conn).await.unwrap();
    let mut talk = Talk::opened(mail.smtp, "EHLO", &to).await;
    assert!(talk.deliver(&raw).await.starts_with("250"));
    for tenant in ["acme", "globex"] {
        assert_eq!(mail.emails(tenant).await.len(), 1, "{tenant} has it once");
    }
    // Without its tables, nobody can be looked up: later, not never.
    sqlx::raw_sql("ALTER TABLE eivs.mailboxes RENAME TO away").execute(&mut conn).await.unwrap();
    assert!(talk.say("MAIL FROM:<>").await.starts_with("250"));
    assert!(talk.say("RCPT TO:<orders@acme.example>").await.starts_with("451 4.3.0"));
    sqlx::raw_sql("ALTER TABLE eivs.away RENAME TO mailboxes").execute(&mut conn).await.unwrap();
    assert!(talk.say("RCPT TO:<orders@acme.example>").await.starts_with("250"), "it goes on");
}

#[tokio::test]
async fn no_message_is_smuggled_within_another() {
    let mail = Mail::start(&[]).await;
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r\n"] {
        let mut talk = Talk::opened(mail.smtp, "EHLO", &["orders@acme.example"]).await;
        assert!(talk.say("DATA").await.starts_with("354"));
        let hidden = "MAIL FROM:<boss@acme.example>\r\nRCPT TO:<orders@acme.example>\r\nDATA\r\nSubject: paid\r\n\r\nx";
        talk.send(&format!("Subject: hello\r\n\r\nx{end}{hidden}\r\n.\r\n")).await;
        assert!(talk.reply().await.starts_with("550 5.6.11"), "{end:?}");
        assert_eq!(talk.reply().await, "", "the conversation is over");
    }
    let mut talk = Talk::opened(mail.smtp, "EHLO", &[]).await;
    talk.send("RCPT TO:<orders@acme.example>\nDATA\n").await;
    assert!(talk.reply().await.starts_with("521 5.5.2"));
    assert!(mail.emails("acme").await.is_empty());
}

#[tokio::test]
async fn limits_are_told_before_or_after_the_message_and_it_stays_with_its_sender() {
    let mail = Mail::start(&[("MAX_MESSAGE_BYTES", "50000")]).await;
    let mut talk = Talk::with(mail.smtp).await;
    talk.reply().await;
    assert!(talk.say("MAIL FROM:<a@b.example>").await.starts_with("503"));
    assert!(talk.say("LHLO x").await.starts_with("502"), "that is LMTP");
    assert!(talk.say("EHLO x").await.contains("250-SIZE 50000\r\n"));
    assert!(talk.say("MAIL FROM:<a@b.example> SIZE=50001").await.starts_with("552 5.3.4"));
    assert!(talk.say("DATA").await.starts_with("503"));
    assert!(talk.say(&"x".repeat(5_000)).await.starts_with("500"));
    assert!(talk.say("NONSENSE").await.starts_with("500"));
    assert!(talk.say("VRFY orders@acme.example").await.starts_with("252"));
    let mut refused = async |raw: String, code: &str| {
        assert!(talk.say("RSET").await.starts_with("250"));
        assert!(talk.say("MAIL FROM:<a@b.example>").await.starts_with("250"));
        assert!(talk.say("RCPT TO:<orders@acme.example>").await.starts_with("250"));
        let reply = talk.deliver(&raw).await;
        assert!(reply.starts_with(code), "{code}: {reply}");
    };
    refused(format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(50_000)), "552 5.3.4").await;
    refused(String::new(), "554 5.6.0").await;
    refused(format!("{}\r\n\r\nx\r\n", "Received: from a\r\n".repeat(51).trim_end()), "554 5.4.6").await;
    refused("Subject: fits\r\n\r\nx\r\n".to_owned(), "250").await;
    assert_eq!(mail.emails("acme").await.len(), 1, "the conversation went on, and only what fits is there");
    let mut talk = Talk::opened(mail.smtp, "EHLO", &[]).await;
    let many: String = (0..1_001).map(|i| format!("RCPT TO:<a{i}@acme.example>\r\n")).collect();
    talk.send(&many).await;
    for _ in 0..1_000 {
        assert!(talk.reply().await.starts_with("250"));
    }
    assert!(talk.reply().await.starts_with("452 4.5.3"));
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_may_be_none_that_is_known() {
    let mail = Mail::start(&[("SMTP_MAX_CONNECTIONS_PER_CLIENT", "2"), ("SMTP_TIMEOUT_S", "5")]).await;
    let mut one = Talk::with(mail.smtp).await;
    assert!(one.reply().await.starts_with("220"));
    let mut two = Talk::with(mail.smtp).await;
    assert!(two.reply().await.starts_with("220"));
    let mut three = Talk::with(mail.smtp).await;
    assert!(three.reply().await.starts_with("421 4.7.0"));
    assert!(one.reply().await.starts_with("421 4.4.2"), "silent for too long");
    eventually("there is room again", async || {
        let mut again = Talk::with(mail.smtp).await;
        again.reply().await.starts_with("220").then_some(())
    })
    .await;
    let mail = Mail::start(&[("SMTP_CLIENTS", "192.0.2.0/24")]).await;
    let mut talk = Talk::with(mail.smtp).await;
    assert!(talk.reply().await.starts_with("554 5.7.1"));
    assert_eq!(talk.reply().await, "");
}

#[tokio::test]
async fn strangers_from_many_addresses_keep_no_relay_out() {
    let mail = Mail::start(&[
        ("SMTP_TRUSTED_RELAYS", "127.0.1.0/24"),
        ("SMTP_MAX_CONNECTIONS", "8"),
        ("SMTP_MAX_CONNECTIONS_PER_CLIENT", "1"),
    ])
    .await;
    let mut strangers = Vec::new();
    for i in 1..=8 {
        let mut talk = Talk::from_address([127, 0, 0, i], mail.smtp).await;
        strangers.push((talk.reply().await, talk));
    }
    let codes: Vec<&str> = strangers.iter().map(|(reply, _)| &reply[..3]).collect();
    assert_eq!(codes, ["220", "220", "220", "220", "220", "220", "421", "421"]);
    // A relay has more connections than a stranger may have.
    let mut relays = Vec::new();
    for _ in 0..2 {
        let talk = Talk::from_address([127, 0, 1, 1], mail.smtp).await;
        relays.push(talk.open("ann@sender.example", "EHLO", &["orders@acme.example"]).await);
    }
    for relay in &mut relays {
        assert!(relay.deliver(&message("ann@sender.example", "order 42", "x")).await.starts_with("250"));
    }
    assert_eq!(mail.emails("acme").await.len(), 2);
}

#[tokio::test]
async fn strangers_who_send_much_at_once_keep_no_relay_waiting() {
    let mail = Mail::start(&[("SMTP_TRUSTED_RELAYS", "127.0.1.0/24")]).await;
    let (from, to) = ("ann@sender.example", ["orders@acme.example"]);
    let mut strangers = Vec::new();
    for i in 0..32 {
        let talk = Talk::from_address([127, 0, 0, 1 + i / 8], mail.smtp).await;
        let mut talk = talk.open(from, "EHLO", &to).await;
        talk.send("DATA\r\n").await;
        // The others wait.
        if i < 24 {
            assert!(talk.reply().await.starts_with("354"), "{i}");
        }
        strangers.push(talk);
    }
    let relay = Talk::from_address([127, 0, 1, 1], mail.smtp).await;
    let mut relay = relay.open(from, "EHLO", &to).await;
    assert!(relay.deliver(&message(from, "order 42", "x")).await.starts_with("250"));
}

#[tokio::test]
async fn a_server_that_stops_says_so_and_takes_what_is_under_way() {
    let mail = Mail::start(&[]).await;
    let mut idle = Talk::opened(mail.smtp, "EHLO", &[]).await;
    let mut busy = Talk::opened(mail.smtp, "EHLO", &["orders@acme.example"]).await;
    assert!(busy.say("DATA").await.starts_with("354"));
    mail.server.app.stop.cancel();
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    busy.send("Subject: under way\r\n\r\nx\r\n.\r\n").await;
    assert!(busy.reply().await.starts_with("250"));
    assert!(busy.reply().await.starts_with("421 4.3.2"));
    let mut conn = mail.server.database().superuser().await;
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM emails").fetch_one(&mut conn).await.unwrap();
    assert_eq!(stored, 1);
}

#[tokio::test]
async fn a_conversation_may_be_encrypted_and_forgets_what_was_said_before() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["mx.flow.example".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let vars = [("SMTP_TLS_CERT", cert.to_str().unwrap()), ("SMTP_TLS_KEY", key.to_str().unwrap())];
    let mail = Mail::start(&vars).await;
    let parameters = TlsParameters::builder("mx.flow.example".to_owned())
        .dangerous_accept_invalid_certs(true)
        .build()
        .unwrap();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(mail.smtp.port())
        .tls(Tls::Required(parameters))
        .build();
    let to = vec!["orders@acme.example".parse().unwrap()];
    let raw = message("ann@sender.example", "in secret", "x");
    transport.send_raw(&Envelope::new(None, to).unwrap(), raw.as_bytes()).await.unwrap();
    assert_eq!(mail.emails("acme").await.len(), 1);
    // What stands behind STARTTLS in the clear is not taken for encrypted.
    let mut talk = Talk::with(mail.smtp).await;
    talk.reply().await;
    assert!(talk.say("EHLO x").await.contains("STARTTLS"));
    talk.send("STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n").await;
    assert!(talk.reply().await.starts_with("501"));
    assert_eq!(talk.reply().await, "");
    let broken = TestServer::start_idle(&[("SMTP_TLS_CERT", "/nowhere"), ("SMTP_TLS_KEY", "/nowhere")]).await;
    assert!(Bounds::new(&broken.app.config.mail).err().unwrap().contains("SMTP_TLS_CERT"));
}

#[tokio::test]
async fn who_sent_a_message_is_found_out_at_arrival_and_rules_can_name_it() {
    let mail = Mail::start(&[]).await;
    let key = Ed25519Key::from_pkcs8_der(&Ed25519Key::generate_pkcs8().unwrap()).unwrap();
    let public = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, key.public_key());
    mail.names.text("k1._domainkey.sender.example", format!("v=DKIM1; k=ed25519; p={public}"));
    mail.names.text("sender.example", "v=spf1 ip4:127.0.0.1 -all");
    mail.names.text("_dmarc.sender.example", "v=DMARC1; p=reject");
    mail.names.text("liar.example", "v=spf1 ip4:192.0.2.1 -all");
    mail.names.text("_dmarc.liar.example", "v=DMARC1; p=reject");
    let signer =
        DkimSigner::from_key(key).domain("sender.example").selector("k1").headers(["From", "Subject"]);
    let raw = message("ann@sender.example", "signed", "x");
    let signed = format!("{}{raw}", signer.sign(raw.as_bytes()).unwrap().to_header());
    let changed = signed.replace("Subject: signed", "Subject: changed");
    let forged = message("boss@liar.example", "SPF: pass", "x")
        .replace("\r\n\r\n", "\r\nAuthentication-Results: mx.flow.example; dmarc=pass\r\n\r\n");
    let deliver = async |from: &str, raw: &str| {
        let mut talk = Talk::with(mail.smtp).await;
        talk.reply().await;
        talk.say("EHLO client.example").await;
        talk.say(&format!("MAIL FROM:<{from}>")).await;
        talk.say("RCPT TO:<orders@acme.example>").await;
        assert!(talk.deliver(raw).await.starts_with("250"));
        let email = mail.detail("acme", &mail.emails("acme").await[0]).await;
        ["spf", "dkim", "dmarc"].map(|name| email["fields"][name].as_str().unwrap().to_owned()).join(" ")
    };
    assert_eq!(deliver("ann@sender.example", &signed).await, "pass pass pass");
    assert_eq!(deliver("ann@sender.example", &changed).await, "pass fail pass", "SPF alone is enough");
    assert_eq!(deliver("x@liar.example", &forged).await, "fail none fail");
    assert_eq!(deliver("", &message("ann@unknown.example", "bounce", "x")).await, "none none none");
    // A rule goes by it, and so does a run of later, when the records are gone.
    let both = json!({"intent": {"name": "Forged", "match": {"all": [{"field": "dmarc", "op": "equals", "value": "fail"}]}},
        "validation_rules": []});
    mail.server.post("/api/intents/with-rules?tenant_id=acme", &both).await.is(StatusCode::CREATED);
    let found = mail.server.get("/api/emails?tenant_id=acme&q=SPF").await.body;
    let id = found[0]["email_id"].as_str().unwrap();
    let path = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    mail.server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
    let email = mail.server.decided("acme", id).await;
    assert_eq!(email["intent"]["name"], "Forged");
    let dry = json!({"message": {"email_id": id}});
    let run = mail.server.post("/api/emails/dry-run?tenant_id=acme", &dry).await.is(StatusCode::OK);
    assert_eq!(run.body["intent"]["name"], "Forged");
}

/// Whoever is answered nothing by machines says so in the envelope, of which no header tells here.
#[tokio::test]
async fn what_comes_with_a_null_return_path_is_not_answered_and_sent_on_with_one() {
    let relay = Relay::start();
    let mail = Mail::start(&[("SMTP_URL", &relay.url()), ("SMTP_FROM", "flow@acme.example")]).await;
    for (kind, settings) in
        [("reply", json!({"body": "Thank you"})), ("forward", json!({"to": ["desk@acme.example"]}))]
    {
        let route = json!({"name": kind, "kind": kind, "decisions": ["review"], "settings": settings});
        mail.server.post("/api/routes?tenant_id=acme", &route).await.is(StatusCode::CREATED);
    }
    for (from, answered) in [("", "cancelled"), ("ann@sender.example", "delivered")] {
        let mut talk = Talk::opened_by(from, mail.smtp, "EHLO", &["orders@acme.example"]).await;
        let raw = message("ann@sender.example", "I am away", "x");
        assert!(talk.deliver(&raw).await.starts_with("250"));
        let id = mail.emails("acme").await[0]["email_id"].as_str().unwrap().to_owned();
        let reply = eventually(&format!("it is sent on, and its answer {answered}"), async || {
            let found = mail.server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body;
            let of = |kind: &str, status: &str| {
                let mut all = found["deliveries"].as_array().unwrap().iter();
                all.find(|one| one["kind"] == kind && one["status"] == status).cloned()
            };
            of("forward", "delivered").and(of("reply", answered))
        })
        .await;
        let why = "Not sent: its return path is empty, so it wants no answer";
        assert!(answered == "delivered" || reply["note"] == why, "{reply}");
    }
    let mails = relay.mails();
    let sent_on = mails.iter().filter(|mail| mail.to == ["desk@acme.example"]);
    assert_eq!(sent_on.map(|mail| mail.from.as_str()).collect::<Vec<_>>(), ["", "flow@acme.example"]);
    assert_eq!(mails.len(), 3);
}

/// Mail of every tenant comes from one address, and so comes back to it.
#[tokio::test]
async fn what_comes_back_to_the_installation_no_tenant_reads() {
    let relay = Relay::start();
    let mail = Mail::start(&[("SMTP_URL", &relay.url()), ("SMTP_FROM", "Flow <Flow@Acme.example>")]).await;
    let catch_all = mail.mailbox("acme", "All else").await["mailbox_id"].to_string();
    let own = json!({"name": "Own", "kind": "smtp", "address": "flow@acme.example"});
    for refused in [
        mail.server.post("/api/mailboxes?tenant_id=acme", &own).await,
        mail.server.put(&format!("/api/mailboxes/{catch_all}?tenant_id=acme"), &own).await,
    ] {
        assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["address"]);
    }
    let refused_and_taken = async || {
        let mut talk = Talk::opened_by("", mail.smtp, "EHLO", &[]).await;
        for (address, code) in [
            ("flow@acme.example", "550 5.1.1"),
            ("FLOW@ACME.example", "550 5.1.1"),
            ("flower@acme.example", "250 2.1.5"),
        ] {
            let reply = talk.say(&format!("RCPT TO:<{address}>")).await;
            assert!(reply.starts_with(code), "{address}: {reply}");
        }
    };
    refused_and_taken().await;
    // A mailbox of before.
    let mut conn = mail.server.database().superuser().await;
    let sql = "UPDATE mailboxes SET address = 'flow@acme.example' WHERE address = 'orders@acme.example'";
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    refused_and_taken().await;
}

#[tokio::test]
async fn who_the_fields_say_it_is_from_is_who_was_checked() {
    let mail = Mail::start(&[]).await;
    mail.names.text("evil.example", "v=spf1 ip4:127.0.0.1 -all");
    for domain in ["evil.example", "bank.example"] {
        mail.names.text(&format!("_dmarc.{domain}"), "v=DMARC1; p=reject");
    }
    for head in [
        "From: x@evil.example\r\n",
        "From: x@evil.example\r\ngarbage\r\nFrom: ceo@bank.example\r\n",
        "From: ceo@bank.example\r\ngarbage\r\nFrom: x@evil.example\r\n",
        "From: x@evil.example\r\nFrom: ceo@bank.example\r\n",
        "From: ceo@bank.example\r\nFrom: x@evil.example\r\n",
        "From: ceo@bank.example, x@evil.example\r\n",
        "From: x@evil.example, ceo@bank.example\r\n",
        "From: x@evil.example\r\nFrom\x0c: ceo@bank.example\r\n",
        "From: x@evil.example\r\n:From: ceo@bank.example\r\n",
        "From: \"ceo@bank.example\" <x@evil.example>\r\n",
        "From: ceo@bank.example\r\n",
        "Sender: x@evil.example\r\n",
    ] {
        let mut talk = Talk::opened_by("x@evil.example", mail.smtp, "EHLO", &["orders@acme.example"]).await;
        assert!(talk.deliver(&format!("{head}Subject: {head:?}\r\n\r\nx\r\n")).await.starts_with("250"));
        let fields = mail.detail("acme", &mail.emails("acme").await[0]).await["fields"].clone();
        assert_eq!(fields["spf"], "pass");
        if fields["dmarc"] == "pass" {
            assert_eq!(fields["sender_email"], "x@evil.example", "{head:?}");
        } else {
            assert_eq!(fields["dmarc"], "fail", "{head:?}");
        }
    }
    let plain = mail.server.get("/api/emails?tenant_id=acme&limit=100").await.body;
    let last = plain.as_array().unwrap().last().unwrap();
    assert_eq!(mail.detail("acme", last).await["fields"]["dmarc"], "pass", "the first of them is clear");
}

#[tokio::test]
async fn signatures_without_end_keep_neither_the_server_nor_the_other_checks() {
    let mail = Mail::start(&[]).await;
    mail.names.text("sender.example", "v=spf1 -all");
    mail.names.text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let signature = |fields: &str| {
        format!(
            "DKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=k; h={fields}; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n b=AAAA\r\n"
        )
    };
    let many_fields = (0..5_000).map(|i| format!("x{i}")).collect::<Vec<_>>().join(":");
    for (count, fields) in [(50, "from"), (1, many_fields.as_str())] {
        let raw = format!("{}{}", signature(fields).repeat(count), message("ann@sender.example", "x", "x"));
        let mut talk = Talk::opened(mail.smtp, "EHLO", &["orders@acme.example"]).await;
        let reply = tokio::time::timeout(Duration::from_secs(20), talk.deliver(&raw)).await.unwrap();
        assert!(reply.starts_with("250"), "{reply}");
        let fields = mail.detail("acme", &mail.emails("acme").await[0]).await["fields"].clone();
        assert_eq!((&fields["spf"], &fields["dmarc"]), (&json!("fail"), &json!("fail")));
    }
}

#[tokio::test]
async fn a_copy_that_a_stranger_sends_first_keeps_no_message_out() {
    let mail = Mail::start(&[]).await;
    let raw = message("ann@sender.example", "the offer", "x");
    for (from, to) in [
        ("stranger@evil.example", "a@acme.example"),
        ("ann@sender.example", "a@acme.example"),
        ("ann@sender.example", "b@acme.example"),
        // Handed on once more.
        ("ann@sender.example", "B@acme.example"),
    ] {
        let mut talk = Talk::opened_by(from, mail.smtp, "EHLO", &[to]).await;
        assert!(talk.deliver(&raw).await.starts_with("250"));
    }
    let mut seen = Vec::new();
    for email in mail.emails("acme").await {
        let fields = mail.detail("acme", &email).await["fields"].clone();
        seen.push(format!("{} to {}", fields["envelope_from"], fields["envelope_to"]));
    }
    seen.sort();
    assert_eq!(
        seen,
        [
            "\"ann@sender.example\" to \"a@acme.example\"",
            "\"ann@sender.example\" to \"b@acme.example\"",
            "\"stranger@evil.example\" to \"a@acme.example\"",
        ]
    );
}

#[tokio::test]
async fn a_name_server_that_is_silent_holds_no_message_up_for_long() {
    // Nobody answers there, and nobody refuses.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let dns = silent.local_addr().unwrap().to_string();
    let mail = Mail::start(&[("MAIL_DNS", &dns)]).await;
    let mut talk = Talk::opened(mail.smtp, "EHLO", &["orders@acme.example"]).await;
    let raw = message("ann@sender.example", "hello", "x");
    let reply = tokio::time::timeout(Duration::from_secs(30), talk.deliver(&raw)).await.unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    let email = mail.detail("acme", &mail.emails("acme").await[0]).await;
    assert_eq!(email["fields"]["spf"], "temperror");
}

#[tokio::test]
async fn the_organisations_own_relay_is_not_held_against_the_sender() {
    let mail = Mail::start(&[("SMTP_TRUSTED_RELAYS", "127.0.0.0/8")]).await;
    mail.names.text("sender.example", "v=spf1 -all");
    mail.names.text("_dmarc.sender.example", "v=DMARC1; p=reject");
    let plain = message("ann@sender.example", "hello", "x");
    // Nobody can be shown to be the author of this one, whoever hands it on.
    let unclear = plain.replace("From: ", "From: boss@acme.example, ");
    for (addr, hello) in [(mail.smtp, "EHLO"), (mail.lmtp, "LHLO")] {
        for (raw, dmarc) in [(plain.as_str(), "none"), (unclear.as_str(), "fail")] {
            let to = format!("{}@acme.example", hello.to_lowercase());
            let mut talk = Talk::opened(addr, hello, &[&to]).await;
            assert!(talk.deliver(raw).await.starts_with("250"));
            let fields = mail.detail("acme", &mail.emails("acme").await[0]).await["fields"].clone();
            let found = [&fields["envelope_to"], &fields["spf"], &fields["dkim"], &fields["dmarc"]];
            assert_eq!(found, [&json!(to), &json!("none"), &json!("none"), &json!(dmarc)]);
        }
    }
}

#[tokio::test]
async fn a_domain_in_unicode_is_the_one_that_is_written_in_ascii() {
    let mail = Mail::start(&[]).await;
    let domains = json!({"domains": ["acme.example", "xn--bcher-kva.example"]});
    mail.server.put("/api/mail-domains?tenant_id=acme", &domains).await.is(StatusCode::OK);
    let books = json!({"name": "Books", "kind": "smtp", "address": "orders@xn--bcher-kva.example"});
    mail.server.post("/api/mailboxes?tenant_id=acme", &books).await.is(StatusCode::CREATED);
    for to in ["orders@bücher.example", "Orders@XN--bcher-kva.example"] {
        let mut talk = Talk::opened(mail.smtp, "EHLO", &[to]).await;
        assert!(talk.deliver(&message("ann@sender.example", to, "x")).await.starts_with("250"));
        let email = mail.detail("acme", &mail.emails("acme").await[0]).await;
        assert_eq!(email["envelope"]["mailbox"], "Books");
        assert_eq!(email["envelope"]["to"], json!([to]));
    }
}

/// Since RFC 6531 a client that says so may write addresses in letters of any kind.
#[tokio::test]
async fn an_address_of_any_letters_has_its_mailbox_and_its_sender() {
    let mail = Mail::start(&[]).await;
    let own = json!({"name": "Müller", "kind": "smtp", "address": "Müller@acme.example"});
    mail.server.post("/api/mailboxes?tenant_id=acme", &own).await.is(StatusCode::CREATED);
    for (addr, hello) in [(mail.smtp, "EHLO"), (mail.lmtp, "LHLO")] {
        for (to, mailbox) in [
            ("müller@acme.example", "Müller"),
            ("MÜLLER+42@Acme.example", "Müller"),
            ("mu\u{308}ller@acme.example", "Müller"),
            ("muller@acme.example", "All else"),
            ("岡田@acme.example", "All else"),
        ] {
            let mut talk = Talk::with(addr).await;
            talk.reply().await;
            let offered = talk.say(&format!("{hello} client.example")).await;
            for offer in ["250-SMTPUTF8\r\n", "250-8BITMIME\r\n"] {
                assert!(offered.contains(offer), "{offered}");
            }
            let begun = talk.say("MAIL FROM:<Zoë@sender.example> BODY=8BITMIME SMTPUTF8").await;
            assert!(begun.starts_with("250 2.1.0"), "{begun}");
            let taken = talk.say(&format!("RCPT TO:<{to}>")).await;
            assert!(taken.starts_with("250 2.1.5"), "{to}: {taken}");
            let raw = message("Zoë Übel <Zoë@sender.example>", to, "x");
            let raw = raw.replacen("To: service@acme.example", &format!("To: <{to}>"), 1);
            assert!(talk.deliver(&raw).await.starts_with("250 2.0.0 Stored as "));
            let email = mail.detail("acme", &mail.emails("acme").await[0]).await;
            let envelope = &email["envelope"];
            assert_eq!((&envelope["mailbox"], &envelope["to"]), (&json!(mailbox), &json!([to])));
            assert_eq!(email["fields"]["envelope_from"], "Zoë@sender.example");
            assert_eq!(email["fields"]["sender_email"], "zoë@sender.example");
            assert_eq!(email["sender_name"], "Zoë Übel");
        }
    }
    // Where there is no such mailbox, it is refused as any other.
    let mut talk = Talk::opened_by("zoë@sender.example", mail.smtp, "EHLO", &[]).await;
    assert!(talk.say("RCPT TO:<müller@elsewhere.example>").await.starts_with("550 5.1.1"));
}

/// Whether it is written in letters or in ASCII, and however accents are.
#[tokio::test]
async fn a_domain_has_one_form_where_it_is_held_against_another() {
    let mail = Mail::start(&[]).await;
    for (name, record) in [
        ("xn--bcher-kva.example", "v=spf1 ip4:127.0.0.1 -all"),
        ("evil.example", "v=spf1 ip4:127.0.0.1 -all"),
        ("_dmarc.xn--bcher-kva.example", "v=DMARC1; p=reject"),
    ] {
        mail.names.text(name, record);
    }
    for (sender, from, dmarc) in [
        ("zoe@xn--bcher-kva.example", "Zoë <zoe@bücher.example>", "pass"),
        ("zoë@bücher.example", "zoe@xn--bcher-kva.example", "pass"),
        ("zoë@BÜCHER.example", "zoë@bücher.example", "pass"),
        ("zoë@bücher.example", "ZOE\u{308}@bu\u{308}cher.example", "pass"),
        ("zoë@evil.example", "zoë@bücher.example", "fail"),
    ] {
        let mut talk = Talk::opened_by(sender, mail.smtp, "EHLO", &["orders@acme.example"]).await;
        assert!(talk.deliver(&message(from, "x", "x")).await.starts_with("250"));
        let fields = mail.detail("acme", &mail.emails("acme").await[0]).await["fields"].clone();
        let found = [&fields["spf"], &fields["dmarc"], &fields["sender_domain"]];
        assert_eq!(found, [&json!("pass"), &json!(dmarc), &json!("xn--bcher-kva.example")], "{from}");
    }
}
