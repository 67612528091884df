//! A mail relay that fails, and one that refuses some of a mail's recipients.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Barrier, Mutex},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    deliveries::{SMTP_FROM, route, settled},
    support::{TestServer, eventually, message},
};
use crate::{
    deliveries::server::worker as sending,
    emails::server::worker,
    server::{AppState, vault::Vault},
};

/// What the relay says where it has something else to say than that all is well.
#[derive(Clone, Default)]
struct Says {
    greeting: Option<&'static str>,
    hello: Option<&'static str>,
    sign_in: Option<&'static str>,
    /// To the recipient whose address begins so.
    recipient: Option<(&'static str, &'static str)>,
    data: Option<&'static str>,
    /// It has the mail whole, and says nothing before somebody else waits here too.
    word: Option<Arc<Barrier>>,
}

/// One mail that it took: the recipients, and the text.
type Taken = (Vec<String>, String);

#[derive(Clone)]
struct Relay {
    addr: SocketAddr,
    says: Arc<Mutex<Says>>,
    taken: Arc<Mutex<Vec<Taken>>>,
    /// What its clients call themselves.
    names: Arc<Mutex<Vec<String>>>,
    /// How they begin a mail.
    begun: Arc<Mutex<Vec<String>>>,
}

/// A relay that takes addresses of any letters (RFC 6531).
const TAKES_ALL: &str = "250-relay.example\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN";

impl Relay {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (says, taken, names) = (Arc::default(), Arc::default(), Arc::default());
        let relay = Self { addr, says, taken, names, begun: Arc::default() };
        let this = relay.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let this = this.clone();
                std::thread::spawn(move || stream.and_then(|stream| this.converse(stream)));
            }
        });
        relay
    }

    fn url(&self, more: &str) -> String {
        format!("smtp://flow:s3cret@{}{more}", self.addr)
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Whom the mails went to, in the order in which they came.
    fn recipients(&self) -> Vec<Vec<String>> {
        self.taken().into_iter().map(|(to, _)| to).collect()
    }

    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        let says = self.says.lock().unwrap().clone();
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut to = Vec::new();
        write!(stream, "{}\r\n", says.greeting.unwrap_or("220 relay.example ESMTP"))?;
        while let Some(line) = lines.next().transpose()? {
            if let Some(name) = line.strip_prefix("EHLO ") {
                self.names.lock().unwrap().push(name.to_owned());
            }
            if line.starts_with("MAIL FROM:") {
                self.begun.lock().unwrap().push(line.clone());
            }
            let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                "EHLO" => says.hello.unwrap_or("250-relay.example\r\n250 AUTH PLAIN"),
                "AUTH" => says.sign_in.unwrap_or("235 2.7.0 Welcome"),
                "RCPT" => {
                    let address = line.trim_start_matches("RCPT TO:<").trim_end_matches('>');
                    match says.recipient {
                        Some((start, answer)) if address.starts_with(start) => answer,
                        _ => {
                            to.push(address.to_owned());
                            "250 2.1.5 OK"
                        }
                    }
                }
                "DATA" => {
                    write!(stream, "354 Go on\r\n")?;
                    let mut text = String::new();
                    while let Some(line) = lines.next().transpose()?.filter(|line| line != ".") {
                        text.push_str(&line);
                        text.push_str("\r\n");
                    }
                    if says.data.is_none() {
                        self.taken.lock().unwrap().push((std::mem::take(&mut to), text));
                    }
                    if let Some(word) = &says.word {
                        word.wait();
                    }
                    says.data.unwrap_or("250 2.0.0 Taken")
                }
                "QUIT" => {
                    write!(stream, "221 2.0.0 Bye\r\n")?;
                    break;
                }
                _ => "250 2.0.0 OK",
            };
            // In Latin-1.
            let bytes = answer.chars().map(|char| u8::try_from(char).unwrap_or(b'?'));
            stream.write_all(&bytes.chain(*b"\r\n").collect::<Vec<u8>>())?;
        }
        Ok(())
    }
}

async fn forwards_to(server: &TestServer, to: &[&str]) -> Value {
    server.tenant("acme").await;
    route(server, json!({"name": "desk", "kind": "forward", "decisions": ["review"], "settings": {"to": to}}))
        .await
}

async fn deliveries(server: &TestServer, id: &str) -> Value {
    server.get(&format!("/api/emails/{id}?tenant_id=acme")).await.body["deliveries"].clone()
}

async fn send_again(server: &TestServer, delivery: &Value) {
    let id = delivery["delivery_id"].as_str().unwrap();
    let path = format!("/api/deliveries/{id}/retry?tenant_id=acme");
    server.post(&path, &json!({})).await.is(StatusCode::ACCEPTED);
}

/// Waits until it was tried in vain with this note, and waits for its next try.
async fn waits(server: &TestServer, id: &str, note: &str) -> Value {
    eventually(&format!("it waits: {note}"), async || {
        let delivery = deliveries(server, id).await.get(0)?.clone();
        assert_ne!(delivery["status"], "failed", "{delivery:#}");
        delivery["note"].as_str()?.contains(note).then_some(delivery)
    })
    .await
}

#[tokio::test]
async fn a_relay_that_fails_before_it_hears_of_a_mail_says_nothing_of_that_mail() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example"]).await;
    for (note, says) in [
        ("554", Says { greeting: Some("554 5.3.2 No service"), ..Says::default() }),
        ("550", Says { hello: Some("550 5.7.1 Not you"), ..Says::default() }),
        (
            "No compatible authentication mechanism",
            Says { hello: Some("250 relay.example"), ..Says::default() },
        ),
        ("535", Says { sign_in: Some("535 5.7.8 Who?"), ..Says::default() }),
        ("550", Says { sign_in: Some("550 5.7.1 Not today"), ..Says::default() }),
    ] {
        let before = relay.taken().len();
        relay.say(says);
        let id = server.receive("acme", message("a@x.example", note, "x")).await;
        waits(&server, &id, note).await;
        relay.say(Says::default());
        settled(&server, &id, &["delivered"]).await;
        assert_eq!(relay.taken().len(), before + 1, "{note}");
    }
    // What goes on is the relay's own trouble, and it is left alone.
    relay.say(Says { greeting: Some("554 5.3.2 No service"), ..Says::default() });
    let id = server.receive("acme", message("a@x.example", "away", "x")).await;
    eventually("the relay is left alone", async || {
        server.app.delivery_bell.notify_one();
        let delivery = deliveries(&server, &id).await.get(0)?.clone();
        assert_ne!(delivery["status"], "failed", "{delivery:#}");
        delivery["note"].as_str()?.starts_with("Waiting: the receiver failed 5 times").then_some(())
    })
    .await;
    // Encryption that is asked for and not offered is no other.
    let url = relay.url("?tls=required");
    let encrypted = TestServer::start_with(&[("SMTP_URL", &url), SMTP_FROM]).await;
    forwards_to(&encrypted, &["desk@acme.example"]).await;
    relay.say(Says::default());
    let id = encrypted.receive("acme", message("a@x.example", "x", "x")).await;
    waits(&encrypted, &id, "STARTTLS is not supported").await;
}

/// As where its settings were left out at an upgrade.
#[tokio::test]
async fn a_server_that_was_started_without_a_relay_gives_no_mail_up() {
    let relay = Relay::start();
    let server = TestServer::start_idle(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example"]).await;
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let tenant = "acme".parse().unwrap();
    worker::process_now(&server.app, &tenant, id.parse().unwrap()).await.unwrap().unwrap();
    let mut config = server.app.config.clone();
    config.deliveries.smtp = None;
    let app = &server.app;
    let other =
        AppState::new(config, app.database.clone(), Vault::new([7; 32]), app.leptos.clone(), app.addr);
    let stop = CancellationToken::new();
    let senders = tokio::spawn(sending::work(other, stop.clone()));
    waits(&server, &id, "This installation sends no mail (SMTP_URL, SMTP_FROM)").await;
    stop.cancel();
    senders.await.unwrap();
    settled(&server, &id, &["pending"]).await;
    let mut conn = server.database().superuser().await;
    sqlx::raw_sql("UPDATE jobs SET run_at = now()").execute(&mut conn).await.unwrap();
    tokio::spawn(sending::work(server.app.clone(), server.app.stop.clone()));
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(relay.recipients(), [["desk@acme.example"]]);
}

#[tokio::test]
async fn a_recipient_who_is_refused_keeps_no_other_from_theirs() {
    const GONE: &str = "550 5.1.1 No such user";
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    let made = forwards_to(&server, &["desk@acme.example", "Gone@acme.example", "boss@acme.example"]).await;
    let refusing = |answer: &'static str| Says { recipient: Some(("Gone@", answer)), ..Says::default() };
    let (others, gone) = (vec!["desk@acme.example", "boss@acme.example"], vec!["Gone@acme.example"]);
    relay.say(refusing(GONE));
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let email = settled(&server, &id, &["failed"]).await;
    let delivery = &email["deliveries"][0];
    assert_eq!((delivery["attempts"].as_i64(), delivery["last_status"].as_i64()), (Some(1), Some(550)));
    let note = delivery["note"].as_str().unwrap();
    assert!(
        note.starts_with(
            "Delivered to desk@acme.example, boss@acme.example. Gone@acme.example: The mail relay said: "
        ) && note.contains("No such user"),
        "{note}"
    );
    assert_eq!(relay.recipients(), std::slice::from_ref(&others));
    // Sent again, it goes to whom it did not reach, and to nobody else.
    send_again(&server, delivery).await;
    eventually("it was refused again", async || {
        let delivery = deliveries(&server, &id).await[0].clone();
        (delivery["attempts"] == 2 && delivery["status"] == "failed").then_some(())
    })
    .await;
    relay.say(Says::default());
    send_again(&server, delivery).await;
    let email = settled(&server, &id, &["delivered"]).await;
    assert_eq!(email["deliveries"][0]["note"], Value::Null);
    assert_eq!(relay.recipients(), [others.clone(), gone.clone()]);
    let mark = format!("Message-ID: <{}@acme.example>\r\n", delivery["delivery_id"].as_str().unwrap());
    for (_, text) in relay.taken() {
        assert!(text.contains(&mark) && text.contains("Gone@acme.example, boss@acme.example"), "{text}");
    }
    // Refused for now, it waits for that one alone.
    relay.say(refusing("451 4.7.1 Come again"));
    let id = server.receive("acme", message("a@x.example", "y", "x")).await;
    waits(&server, &id, "Delivered to desk@acme.example, boss@acme.example. ").await;
    relay.say(Says::default());
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(relay.recipients()[2..], [others.clone(), gone]);
    // Run again, it comes to the same outcome: who has it for that does not get it again.
    relay.say(refusing(GONE));
    let id = server.receive("acme", message("a@x.example", "z", "x")).await;
    settled(&server, &id, &["failed"]).await;
    let reprocess = format!("/api/emails/{id}/reprocess?tenant_id=acme");
    server.post(&reprocess, &json!({})).await.is(StatusCode::ACCEPTED);
    let email = settled(&server, &id, &["failed", "failed"]).await;
    assert_eq!(&relay.recipients()[4..], std::slice::from_ref(&others));
    // The route is mended, and leads nowhere that it has not been.
    let settings = json!({"to": ["DESK@acme.example"]});
    let mended = json!({"name": "desk", "kind": "forward", "decisions": ["review"], "settings": settings});
    let path = format!("/api/routes/{}?tenant_id=acme", made["route_id"]);
    server.put(&path, &mended).await.is(StatusCode::OK);
    send_again(&server, &email["deliveries"][1]).await;
    let email = settled(&server, &id, &["failed", "delivered"]).await;
    assert_eq!(email["deliveries"][1]["note"], "All whom it goes to have it already");
    assert_eq!(relay.recipients().len(), 5);
}

/// What the relay says of the mail as a whole holds for all of its recipients.
#[tokio::test]
async fn a_mail_that_is_refused_reached_nobody() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example", "boss@acme.example"]).await;
    for (answer, recipient) in
        [("552 5.3.4 Too big", None), ("451 4.3.0 Later", Some(("boss@", "550 5.1.1 No such user")))]
    {
        relay.say(Says { data: Some(answer), recipient, ..Says::default() });
        let id = server.receive("acme", message("a@x.example", answer, "x")).await;
        if recipient.is_none() {
            let email = settled(&server, &id, &["failed"]).await;
            assert_eq!(email["deliveries"][0]["last_status"], 552);
        } else {
            waits(&server, &id, "boss@acme.example: The mail relay said: ").await;
            relay.say(Says::default());
            settled(&server, &id, &["delivered"]).await;
        }
    }
    assert_eq!(relay.recipients(), [vec!["desk@acme.example", "boss@acme.example"]]);
}

/// Whatever bytes it says, nobody gets a mail twice or not at all for them.
#[tokio::test]
async fn what_a_relay_says_need_be_no_text() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example", "gone@acme.example", "boss@acme.example"]).await;
    let others = vec!["desk@acme.example", "boss@acme.example"];
    let delivered = "Delivered to desk@acme.example, boss@acme.example. ";
    let refusing = |answer: &'static str| Says { recipient: Some(("gone@", answer)), ..Says::default() };
    relay.say(refusing("550 5.1.1 No\0 such user"));
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    let email = settled(&server, &id, &["failed"]).await;
    let note = email["deliveries"][0]["note"].as_str().unwrap();
    assert!(note.starts_with(delivered) && note.contains("No\u{FFFD} such user"), "{note}");
    assert_eq!(relay.recipients(), std::slice::from_ref(&others));
    // Its code is lost with its words: it may be mended, and is no word on the others.
    relay.say(refusing("550 5.1.1 Empfänger unbekannt"));
    let id = server.receive("acme", message("a@x.example", "y", "x")).await;
    let delivery = waits(&server, &id, "The mail relay's answer is not UTF-8").await;
    assert!(delivery["note"].as_str().unwrap().starts_with(delivered), "{delivery:#}");
    assert_eq!(&relay.recipients()[1..], std::slice::from_ref(&others));
    relay.say(Says::default());
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(relay.recipients()[2..], [["gone@acme.example"]]);
}

/// It may have taken the mail: whoever does not wait for its word sends it again, and again.
#[tokio::test]
async fn a_relay_that_thinks_long_over_a_mail_gets_it_once() {
    let relay = Relay::start();
    let url = relay.url("");
    let vars = [("SMTP_URL", url.as_str()), SMTP_FROM, ("DELIVERY_TIMEOUT_MS", "250")];
    let server = TestServer::start_with(&vars).await;
    forwards_to(&server, &["desk@acme.example"]).await;
    let word = Arc::new(Barrier::new(2));
    relay.say(Says { word: Some(Arc::clone(&word)), ..Says::default() });
    let id = server.receive("acme", message("a@x.example", "x", "x")).await;
    eventually("it has the mail", async || (!relay.taken().is_empty()).then_some(())).await;
    let began = Instant::now();
    eventually("the time for all steps before is over, six times that of one", async || {
        (began.elapsed() > Duration::from_secs(2)).then_some(())
    })
    .await;
    let delivery = deliveries(&server, &id).await[0].clone();
    assert_eq!((&delivery["status"], &delivery["attempts"]), (&json!("pending"), &json!(0)), "{delivery:#}");
    word.wait();
    let email = settled(&server, &id, &["delivered"]).await;
    assert_eq!(email["deliveries"][0]["attempts"], 1);
    assert_eq!(relay.recipients(), [["desk@acme.example"]]);
}

/// A lone CR ends a line to some relays. After it a dot would end the mail, and what follows be a stranger's own.
#[tokio::test]
async fn no_mail_is_smuggled_past_the_relay_in_what_a_stranger_wrote() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    server.tenant("acme").await;
    for (kind, settings) in [
        ("forward", json!({"to": ["desk@acme.example"], "note": "{{body}}"})),
        ("reply", json!({"body": "{{body}}"})),
    ] {
        route(&server, json!({"name": kind, "kind": kind, "decisions": ["review"], "settings": settings}))
            .await;
    }
    let raw = message("a@x.example", "x", "x=0D.=0D=0AMAIL FROM:<evil@x.example>").replacen(
        "Subject:",
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\nSubject:",
        1,
    );
    let id = server.receive("acme", raw).await;
    settled(&server, &id, &["delivered", "delivered"]).await;
    let taken = relay.taken();
    assert_eq!(taken.len(), 2);
    for (_, text) in taken {
        assert!(!text.replace("\r\n", "").contains('\r'), "{text:?}");
        assert!(text.contains("x\r\n..\r\nMAIL FROM:<evil@x.example>"), "{text:?}");
    }
}

const NOT_ASCII: &str = "An address is not ASCII, and the mail relay does not take such (SMTPUTF8)";

/// Trying for three days would not teach the relay to take it.
#[tokio::test]
async fn an_address_of_any_letters_is_answered_by_a_relay_that_takes_it_and_else_given_up_at_once() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    server.tenant("acme").await;
    let settings = json!({"body": "We have it.", "reply_to": "desk@bücher.example"});
    let answer = json!({"name": "answer", "kind": "reply", "decisions": ["review"], "settings": settings});
    route(&server, answer).await;
    let from = "Jörg Müller <MÜLLER@Bücher.example>";
    let id = server.receive("acme", message(from, "x", "x")).await;
    let email = settled(&server, &id, &["failed"]).await;
    let delivery = &email["deliveries"][0];
    assert_eq!((&delivery["note"], &delivery["attempts"]), (&json!(NOT_ASCII), &json!(1)), "{delivery:#}");
    assert_eq!(relay.recipients(), Vec::<Vec<String>>::new());
    // Only what is not ASCII has no other way to be written.
    let id_of_another = server.receive("acme", message("jm@bücher.example", "y", "x")).await;
    settled(&server, &id_of_another, &["delivered"]).await;
    relay.say(Says { hello: Some(TAKES_ALL), ..Says::default() });
    send_again(&server, delivery).await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(relay.recipients(), [["jm@xn--bcher-kva.example"], ["MÜLLER@xn--bcher-kva.example"]]);
    let begun = relay.begun.lock().unwrap().clone();
    assert_eq!(begun, ["MAIL FROM:<>", "MAIL FROM:<> SMTPUTF8 BODY=8BITMIME"]);
    let (_, text) = relay.taken().remove(1);
    for line in ["To: MÜLLER@xn--bcher-kva.example\r\n", "Reply-To: desk@xn--bcher-kva.example\r\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }
    // Nobody can be asked to answer where only some can write to.
    let settings = json!({"body": "x", "reply_to": "müller@acme.example"});
    let made = json!({"name": "other", "kind": "reply", "decisions": ["review"], "settings": settings});
    let refused = server.post("/api/routes?tenant_id=acme", &made).await;
    assert_eq!(refused.is(StatusCode::UNPROCESSABLE_ENTITY).fields(), ["settings.reply_to"]);
}

#[tokio::test]
async fn an_address_of_any_letters_keeps_no_forward_from_those_whom_any_relay_can_write_to() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example", "Müller@partner.example", "zoe@bücher.example"]).await;
    let others = vec!["desk@acme.example", "zoe@xn--bcher-kva.example"];
    let as_in_the_route = "desk@acme.example, zoe@bücher.example";
    // Its sender has one, too.
    let raw = message("Müller <müller@partner.example>", "x", "x");
    let id = server.receive("acme", raw).await;
    let email = settled(&server, &id, &["failed"]).await;
    let delivery = &email["deliveries"][0];
    let note = format!("Delivered to {as_in_the_route}. Müller@partner.example: {NOT_ASCII}");
    assert_eq!((&delivery["note"], &delivery["attempts"]), (&json!(note), &json!(1)), "{delivery:#}");
    assert_eq!(relay.recipients(), std::slice::from_ref(&others));
    let (_, text) = relay.taken().remove(0);
    assert!(text.is_ascii() && text.contains(&format!("To: {}\r\n", others.join(", "))), "{text}");
    assert!(!text.contains("Reply-To"), "{text}");
    // By another relay it goes to that one alone.
    relay.say(Says { hello: Some(TAKES_ALL), ..Says::default() });
    send_again(&server, delivery).await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(relay.recipients(), [others.clone(), vec!["Müller@partner.example"]]);
    // All at once.
    let id = server.receive("acme", message("a@x.example", "y", "x")).await;
    settled(&server, &id, &["delivered"]).await;
    let all = vec!["desk@acme.example", "Müller@partner.example", "zoe@xn--bcher-kva.example"];
    assert_eq!(relay.recipients()[2..], [all]);
    let begun = relay.begun.lock().unwrap().clone();
    let of_any = "MAIL FROM:<flow@acme.example> SMTPUTF8";
    assert_eq!(begun, ["MAIL FROM:<flow@acme.example>", of_any, of_any]);
}

/// With a header field more.
fn with_field(raw: &str, field: &str) -> String {
    raw.replacen("Subject:", &format!("{field}\r\nSubject:"), 1)
}

/// What a mail server returned, with the head of the mail that it could not deliver.
fn returned(head: &str) -> String {
    let body =
        format!("--b\r\n\r\nNo such user\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n{head}\r\n--b--");
    let raw = message("mailer-daemon@x.example", "Undelivered", &body);
    with_field(&raw, "Content-Type: multipart/report; report-type=delivery-status; boundary=b")
}

/// The bounce of a bounce could be sent on in its turn (RFC 5321, section 4.5.5).
#[tokio::test]
async fn what_came_from_nobody_goes_on_from_nobody() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example", "boss@acme.example"]).await;
    let begun = || std::mem::take(&mut *relay.begun.lock().unwrap());
    let plain = message("a@x.example", "x", "x");
    let id = server.receive("acme", with_field(&plain, "Return-Path: <a@x.example>")).await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(begun(), ["MAIL FROM:<flow@acme.example>"]);
    assert_eq!(relay.recipients(), [["desk@acme.example", "boss@acme.example"]]);
    let of_nobody = with_field(&message("a@x.example", "I am away", "x"), "Return-Path: <>");
    for raw in [of_nobody, returned("Subject: x")] {
        let before = relay.taken().len();
        let id = server.receive("acme", raw.clone()).await;
        let email = settled(&server, &id, &["delivered"]).await;
        assert_eq!(begun(), ["MAIL FROM:<>"]);
        assert_eq!(relay.recipients()[before..], [["desk@acme.example", "boss@acme.example"]]);
        let delivery_id = email["deliveries"][0]["delivery_id"].as_str().unwrap();
        for (_, text) in &relay.taken()[before..] {
            for line in [
                "To: desk@acme.example, boss@acme.example\r\n",
                "Auto-Submitted: auto-generated\r\n",
                &format!("Message-ID: <{delivery_id}@acme.example>\r\n"),
                "X-FlowEngine-Loop: ",
            ] {
                assert!(text.contains(line), "{line} in {text}");
            }
            assert!(text.contains(&raw), "{text}");
        }
    }
    // Whom the relay refuses keeps no other from theirs, and gets it from nobody when it is sent again.
    let before = relay.taken().len();
    relay.say(Says { recipient: Some(("desk@", "550 5.1.1 No such user")), ..Says::default() });
    let id = server.receive("acme", returned("Subject: y")).await;
    let email = settled(&server, &id, &["failed"]).await;
    let delivery = &email["deliveries"][0];
    let note = delivery["note"].as_str().unwrap();
    let delivered = "Delivered to boss@acme.example. desk@acme.example: The mail relay said: ";
    assert!(note.starts_with(delivered) && note.contains("No such user"), "{note}");
    relay.say(Says::default());
    send_again(&server, delivery).await;
    settled(&server, &id, &["delivered"]).await;
    assert_eq!(begun(), ["MAIL FROM:<>"; 2]);
    assert_eq!(relay.recipients()[before..], [["boss@acme.example"], ["desk@acme.example"]]);
}

/// Some relays put an address in the place of nobody: by its mark a mail that comes back is known all the same.
#[tokio::test]
async fn a_bounce_that_bears_our_mark_or_returns_our_mail_is_not_sent_on() {
    let relay = Relay::start();
    let server = TestServer::start_with(&[("SMTP_URL", &relay.url("")), SMTP_FROM]).await;
    forwards_to(&server, &["desk@acme.example"]).await;
    let id = server.receive("acme", returned("Subject: x")).await;
    settled(&server, &id, &["delivered"]).await;
    let (_, sent) = relay.taken().remove(0);
    let (head, _) = sent.split_once("\r\n\r\n").unwrap();
    let mark = head.lines().find(|line| line.starts_with("X-FlowEngine-Loop: ")).unwrap();
    for (raw, why) in [
        (
            with_field(&returned("Subject: x"), mark),
            "Not sent: FlowEngine sent it itself: it goes in circles",
        ),
        (returned(head), "Not sent: it returns a mail that FlowEngine sent: it may go in circles"),
        (
            returned("Final-Recipient: rfc822; desk@acme.example"),
            "Not sent: it returns a mail that FlowEngine sent: it may go in circles",
        ),
    ] {
        let id = server.receive("acme", raw).await;
        let email = settled(&server, &id, &["cancelled"]).await;
        assert_eq!(email["deliveries"][0]["note"], why);
        let dry = json!({"message": {"email_id": id}});
        let run = server.post("/api/emails/dry-run?tenant_id=acme", &dry).await.is(StatusCode::OK);
        let withheld = run.body["deliveries"][0]["withheld"].as_str().unwrap();
        assert_eq!(format!("Not sent: {withheld}"), why);
    }
    assert_eq!(relay.taken().len(), 1);
    // What returns another's mail goes on, as does what only speaks of ours.
    let other = returned("X-FlowEngine-Loop: 0123456789abcdef0123456789abcdef");
    let quoted = message("a@x.example", "x", head);
    for raw in [other, quoted] {
        let id = server.receive("acme", raw).await;
        settled(&server, &id, &["delivered"]).await;
    }
}

#[tokio::test]
async fn a_mail_says_where_it_comes_from() {
    let relay = Relay::start();
    for (path, hostname, name) in [
        ("", "flow.acme.example", "flow.acme.example"),
        ("", "flow", "[127.0.0.1]"),
        ("/out.acme.example", "flow.acme.example", "out.acme.example"),
    ] {
        let url = relay.url(path);
        let vars = [("SMTP_URL", url.as_str()), SMTP_FROM, ("MAIL_HOSTNAME", hostname)];
        let server = TestServer::start_idle(&vars).await;
        server.tenant("acme").await;
        let input = json!({"email": "ada@acme.example", "role": "viewer"});
        let made = server.post("/api/members?tenant_id=acme", &input).await.is(StatusCode::CREATED).body;
        assert_eq!(made["mailed"], true, "{made:#}");
        assert_eq!(relay.names.lock().unwrap().pop().as_deref(), Some(name));
    }
    // Each mail has an id of its own.
    let ids: std::collections::BTreeSet<String> = relay
        .taken()
        .iter()
        .filter_map(|(_, text)| text.lines().find_map(|line| line.strip_prefix("Message-ID: ")))
        .map(str::to_owned)
        .collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.ends_with("@acme.example>")), "{ids:?}");
}
