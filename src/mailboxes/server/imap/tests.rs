use tokio::{io::BufReader, net::TcpListener, task::JoinHandle};

use super::*;

const HELLO: &str = "* OK hello\r\n";
const PASSWORD: &str = "pa\"ss\\word";
const LISTING_8: &str = "F5 UID FETCH 8:* (UID)";

/// What it must hear, and what it then says.
type Script = Vec<(&'static str, &'static str)>;

/// A server that takes one connection.
async fn server(greeting: &'static str, script: Script) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let conversation = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let mut stream = BufReader::new(stream);
        stream.write_all(greeting.as_bytes()).await.expect("a greeting");
        for (expected, answer) in script {
            let mut line = String::new();
            stream.read_line(&mut line).await.expect("a line");
            assert_eq!(line.trim_end_matches(['\r', '\n']), expected);
            stream.write_all(answer.as_bytes()).await.expect("an answer");
        }
    });
    (port, conversation)
}

/// Up to the folder.
fn opening() -> Script {
    vec![
        ("F1 CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nF1 OK done\r\n"),
        ("F2 LOGIN \"orders\" \"pa\\\"ss\\\\word\"", "F2 OK welcome {9}\r\n"),
        ("F3 CAPABILITY", "* CAPABILITY IMAP4rev1 idle UIDPLUS\r\nF3 OK done\r\n"),
        (
            "F4 SELECT \"Entw&APw-rfe\"",
            "* FLAGS (\\Seen \\Deleted)\r\n* 3 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 77] it lasts\r\n\
             * OK [UIDNEXT 12] next\r\nF4 OK [READ-WRITE] selected\r\n",
        ),
    ]
}

async fn open_as(
    host: &str,
    port: u16,
    security: MailSecurity,
    password: &str,
) -> Result<(Connection, Folder), ImapFault> {
    let fence = Fence::new(&["127.0.0.0/8".parse().expect("a network")]);
    let password = SecretString::from(password);
    let (username, folder, proof) = ("orders", "Entwürfe", Proof::Password(&password));
    let login = Login { host, port, security, username, proof, folder };
    Connection::open(&fence, Arc::new(RootCertStore::empty()), &login).await
}

async fn open(port: u16) -> Result<(Connection, Folder), ImapFault> {
    open_as("127.0.0.1", port, MailSecurity::None, PASSWORD).await
}

#[test]
fn folders_are_named_in_modified_utf_7() {
    for (name, encoded) in [
        ("INBOX", "INBOX"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("A & B", "A &- B"),
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("😀", "&2D3eAA-"),
        ("ü&", "&APw-&-"),
    ] {
        assert_eq!(in_folders(name), encoded, "{name}");
    }
}

#[test]
fn a_fault_repeats_little_and_never_the_password() {
    let secrets = [SecretString::from("hunter2"), SecretString::from("aHVudGVyMg==")];
    assert_eq!(said("[AUTHENTICATIONFAILED] Wrong.\u{7}\r\n", &secrets), "Wrong.");
    assert_eq!(said("a\u{1b}[2Jb", &secrets), "a [2Jb");
    assert_eq!(said("", &secrets), "it did not say why");
    assert_eq!(said(&"ü".repeat(500), &secrets).chars().count(), LONGEST_TEXT);
    for echo in ["LOGIN orders hunter2", "no such command aHVudGVyMg==", "[X hunter2] no"] {
        let text = said(echo, &secrets);
        assert!(!text.contains("hunter2") && !text.contains("aHVud"), "{text}");
    }
}

#[tokio::test]
async fn no_more_is_read_than_the_budget() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let mut wire = Wire::new(ours, Arc::default());
    theirs.write_all(b"* 1 EXISTS\r\n* OK and much more than that\r\n").await.expect("written");
    wire.left = 20;
    assert_eq!(wire.answer().await.expect("an answer").count("EXISTS"), Some(1));
    assert_eq!(wire.answer().await.err(), Some(ImapFault::TooMuch));

    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let mut wire = Wire::new(ours, Arc::default());
    theirs.write_all(b"* 1 FETCH (X {0}\r\n").await.expect("written");
    theirs.write_all(" {0}\r\n".repeat(MOST_LITERALS).as_bytes()).await.expect("written");
    assert_eq!(wire.answer().await.err(), Some(ImapFault::TooMuch));
}

#[test]
fn lists_without_end_are_read_without_recursion() {
    let rest = format!("FETCH (UID 5 INTERNALDATE NIL BODYSTRUCTURE {}", "(".repeat(100_000)).into_bytes();
    let answer = Answer { tag: "*".into(), word: "1".into(), rest, literals: Vec::new() };
    assert_eq!(answer.message().and_then(|message| message.uid), Some(5));
}

#[tokio::test]
async fn a_conversation() {
    let mut script = opening();
    script.extend([
        (
            LISTING_8,
            "* 2 FETCH (UID 9)\r\n* 1 FETCH (FLAGS (\\Seen) UID 8)\r\n* 3 FETCH (UID 11)\r\nF5 OK done\r\n",
        ),
        ("F6 UID FETCH 12:* (UID)", "* 3 FETCH (UID 11)\r\nF6 OK done\r\n"),
        (
            "F7 UID FETCH 9 (UID BODY.PEEK[])",
            "* 1 FETCH (UID 8 BODY[] \"other\")\r\n\
             * 2 FETCH (FLAGS () UID 9 BODY[] {14}\r\na) \"{9}\r\n\r\nb\r\n)\r\nF7 OK done\r\n",
        ),
        ("F8 UID FETCH 10 (UID BODY.PEEK[])", "F8 OK done\r\n"),
        ("F9 UID STORE 9 +FLAGS.SILENT (\\Seen)", "F9 OK\r\n"),
        ("F10 UID STORE 9 +FLAGS.SILENT (\\Deleted)", "F10 OK done\r\n"),
        ("F11 UID EXPUNGE 9", "* 2 EXPUNGE\r\nF11 OK done\r\n"),
        ("F12 IDLE", "+ idling\r\n* OK still here\r\n* 3 EXISTS\r\n"),
        ("DONE", "F12 OK done\r\n"),
        ("F13 SELECT \"Entw&APw-rfe\"", "* 4 EXISTS\r\n* OK [UIDVALIDITY 78]\r\nF13 OK done\r\n"),
        ("F14 LOGOUT", "* BYE\r\nF14 OK done\r\n"),
    ]);
    let (port, conversation) = server(HELLO, script).await;
    let (mut connection, folder) = open(port).await.expect("open");
    assert_eq!(folder, Folder { uid_validity: 77, uid_next: 12, exists: 3 });
    let found = connection.after(7, 2).await.expect("a listing");
    assert_eq!(found, [8, 9]);
    assert_eq!(connection.after(11, 2).await, Ok(Vec::new()));
    assert_eq!(connection.fetch(9, 100).await, Ok(Some(b"a) \"{9}\r\n\r\nb\r\n".to_vec())));
    assert_eq!(connection.fetch(10, 100).await, Ok(None));
    connection.mark_seen(9).await.expect("marked");
    connection.delete(9).await.expect("deleted");
    assert!(connection.can_idle());
    let stop = CancellationToken::new();
    let mut connection = connection.idle(Duration::from_secs(60), &stop).await.expect("news");
    assert_eq!(connection.look().await, Ok(Folder { uid_validity: 78, uid_next: 0, exists: 4 }));
    connection.close().await;
    conversation.await.expect("as scripted");
}

#[tokio::test]
async fn news_between_a_listing_and_the_wait_are_no_news_less() {
    let mut script = opening();
    script.extend([
        (LISTING_8, "F5 OK done\r\n"),
        ("F6 UID STORE 9 +FLAGS.SILENT (\\Seen)", "* 4 EXISTS\r\nF6 OK done\r\n"),
        ("F7 IDLE", "+ idling\r\n"),
        ("DONE", "F7 OK done\r\n"),
    ]);
    let (port, conversation) = server(HELLO, script).await;
    let (mut connection, _) = open(port).await.expect("open");
    connection.after(7, 2).await.expect("a listing");
    connection.mark_seen(9).await.expect("marked");
    let stop = CancellationToken::new();
    let connection = connection.idle(Duration::from_secs(60), &stop).await.expect("at once");
    connection.idle(Duration::from_millis(20), &stop).await.expect("after a while");
    conversation.await.expect("as scripted");
}

#[tokio::test]
async fn a_full_folder_is_listed_in_parts() {
    let mut script = opening();
    script[3].1 = "* 900 EXISTS\r\n* OK [UIDVALIDITY 1]\r\n* OK [UIDNEXT 5000]\r\nF4 OK done\r\n";
    script.extend([
        ("F5 UID FETCH 1:1001 (UID)", "F5 OK done\r\n"),
        ("F6 UID FETCH 1002:* (UID)", "* 1 FETCH (UID 1500)\r\nF6 OK done\r\n"),
        ("F7 UID FETCH 3:1003 (UID)", "* 1 FETCH (UID 3)\r\nF7 OK done\r\n"),
    ]);
    let (port, conversation) = server(HELLO, script).await;
    let (mut connection, _) = open(port).await.expect("open");
    assert_eq!(connection.after(0, 1).await, Ok(vec![1500]));
    assert_eq!(connection.after(2, 1).await, Ok(vec![3]));
    conversation.await.expect("as scripted");
}

#[tokio::test]
async fn what_there_is_to_say_of_a_message_is_told_where_it_is_there() {
    let mut script = opening();
    script.extend([
        (
            "F5 UID FETCH 9 (UID INTERNALDATE RFC822.SIZE)",
            "* 1 FETCH (UID 8 RFC822.SIZE 1)\r\n\
             * 2 FETCH (INTERNALDATE \" 7-Feb-1994 21:52:25 -0800\" RFC822.SIZE 400 UID 9)\r\nF5 OK done\r\n",
        ),
        (
            "F6 UID FETCH 9 (UID INTERNALDATE RFC822.SIZE)",
            "* 2 FETCH (UID 9)\r\n* 2 FETCH (UID 9 INTERNALDATE NIL)\r\nF6 OK done\r\n",
        ),
        ("F7 UID FETCH 10 (UID INTERNALDATE RFC822.SIZE)", "F7 OK done\r\n"),
        ("F8 UID FETCH 11 (UID INTERNALDATE RFC822.SIZE)", "F8 NO [TEMPFAIL] not now\r\n"),
        (
            "F9 UID FETCH 7,9,10 (UID INTERNALDATE)",
            "* 2 FETCH (UID 9 INTERNALDATE \"08-Feb-1994 05:52:25 +0000\")\r\n* 3 FETCH (UID 10)\r\n\
             * 1 FETCH (UID 8 INTERNALDATE \"08-Feb-1994 05:52:25 +0000\")\r\nF9 OK done\r\n",
        ),
    ]);
    let (port, conversation) = server(HELLO, script).await;
    let (mut connection, _) = open(port).await.expect("open");
    assert_eq!(connection.about(9).await, Ok(Some(About { size: 400, arrived: Some(760_686_745) })));
    assert_eq!(connection.about(9).await, Ok(Some(About::default())));
    assert_eq!(connection.about(10).await, Ok(None));
    assert_eq!(connection.about(11).await, Err(ImapFault::Declined("not now".into())));
    assert_eq!(connection.arrivals(&[7, 9, 10]).await, Ok(vec![(9, 760_686_745)]));
    assert_eq!(connection.arrivals(&[]).await, Ok(Vec::new()));
    conversation.await.expect("as scripted");
}

#[tokio::test]
async fn a_literal_without_end_is_too_much() {
    for size in ["4000000000", "70000", "99999999999999999999999999"] {
        let mut script = opening();
        let answer: &'static str = format!("* 2 FETCH (UID 9 BODY[] {{{size}}}\r\nmuch, and more").leak();
        script.push(("F5 UID FETCH 9 (UID BODY.PEEK[])", answer));
        let (port, conversation) = server(HELLO, script).await;
        let (mut connection, _) = open(port).await.expect("open");
        assert_eq!(connection.fetch(9, 100).await, Err(ImapFault::TooMuch), "{size}");
        conversation.await.expect("as scripted");
    }
}

#[tokio::test]
async fn what_is_refused_or_breaks_off_is_no_empty_listing() {
    for answer in ["F5 NO not now\r\n", "* 2 FETCH (UID 9)\r\n", "* BYE too many\r\n"] {
        let mut script = opening();
        script.push((LISTING_8, answer));
        let (port, conversation) = server(HELLO, script).await;
        let (mut connection, _) = open(port).await.expect("open");
        let fault = connection.after(7, 2).await;
        assert!(matches!(fault, Err(ImapFault::Broken(_) | ImapFault::Declined(_))), "{fault:?}");
        conversation.await.expect("as scripted");
    }
}

#[tokio::test]
async fn a_refused_login_says_why_but_not_the_password() {
    for (answer, why) in [
        ("F2 NO [AUTHENTICATIONFAILED] Wrong password.\r\n", "Wrong password."),
        (
            "F2 BAD LOGIN \"orders\" \"pa\\\"ss\\\\word\"\r\n",
            "its words are not repeated, for the password is among them",
        ),
    ] {
        let mut script = opening();
        script[1].1 = answer;
        script.truncate(2);
        let (port, conversation) = server(HELLO, script).await;
        assert_eq!(open(port).await.err(), Some(ImapFault::Refused(why.into())));
        conversation.await.expect("as scripted");
    }
}

#[tokio::test]
async fn a_password_beyond_ascii_goes_by_plain() {
    let mut script = opening();
    script.truncate(1);
    script.extend([
        ("F2 AUTHENTICATE PLAIN", "+ \r\n"),
        ("AG9yZGVycwBww6Rzc2U=", "F2 NO AG9yZGVycwBww6Rzc2U= is unknown\r\n"),
    ]);
    let (port, conversation) = server(HELLO, script).await;
    let fault = open_as("127.0.0.1", port, MailSecurity::None, "pässe").await.err();
    let why = "its words are not repeated, for the password is among them";
    assert_eq!(fault, Some(ImapFault::Refused(why.into())));
    conversation.await.expect("as scripted");
}

#[tokio::test]
async fn a_token_goes_as_the_server_takes_it_and_stands_in_no_fault() {
    const TOKEN: &str = "eyJ0b2tlbiI6MX0";
    let by_token = async |port| {
        let (fence, token) = (Fence::new(&["127.0.0.0/8".parse().expect("a network")]), TOKEN.into());
        let (host, security, proof) = ("127.0.0.1", MailSecurity::None, Proof::Token(&token));
        let login = Login { host, port, security, username: "a=b,c", proof, folder: "INBOX" };
        Connection::open(&fence, Arc::new(RootCertStore::empty()), &login).await.err()
    };
    let said = |text: &str| BASE64_STANDARD.encode(text).leak() as &'static str;
    let xoauth2 = said(&format!("user=a=b,c\x01auth=Bearer {TOKEN}\x01\x01"));
    let hidden = "its words are not repeated, for the password is among them";
    for (capability, conversation, why) in [
        (
            "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED\r\nF1 OK done\r\n",
            vec![
                ("F2 AUTHENTICATE XOAUTH2", "+ \r\n"),
                (xoauth2, "+ eyJzdGF0dXMiOiI0MDEifQ==\r\n"),
                ("", "F2 NO AUTHENTICATE failed.\r\n"),
            ],
            "AUTHENTICATE failed.",
        ),
        (
            "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 LOGINDISABLED\r\nF1 OK done\r\n",
            vec![("F2 AUTHENTICATE XOAUTH2", "+ \r\n"), (xoauth2, "F2 NO eyJ0b2tlbiI6MX0 is over\r\n")],
            hidden,
        ),
        (
            "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nF1 OK done\r\n",
            vec![],
            "it takes no tokens (neither OAUTHBEARER nor XOAUTH2)",
        ),
    ] {
        let script = [vec![("F1 CAPABILITY", capability)], conversation].concat();
        let (port, conversation) = server(HELLO, script).await;
        assert_eq!(by_token(port).await, Some(ImapFault::Refused(why.into())));
        conversation.await.expect("as scripted");
    }
    // The port is in what is said.
    let (port, told) = server(
        HELLO,
        vec![
            ("F1 CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER\r\nF1 OK done\r\n"),
            ("F2 AUTHENTICATE OAUTHBEARER", "F2 NO not today\r\n"),
        ],
    )
    .await;
    assert_eq!(by_token(port).await, Some(ImapFault::Refused("not today".into())));
    told.await.expect("as scripted");
}

#[tokio::test]
async fn no_login_goes_where_it_does_not_belong() {
    let fault = open_as("1.1.1.1", 143, MailSecurity::None, PASSWORD).await.err();
    assert_eq!(fault, Some(ImapFault::Unencrypted));
    let fault = open_as("10.0.0.1", 993, MailSecurity::Tls, PASSWORD).await.err();
    assert!(matches!(fault, Some(ImapFault::Fenced(_))), "{fault:?}");

    let script = vec![("F1 CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED\r\nF1 OK done\r\n")];
    let (port, conversation) = server(HELLO, script).await;
    let fault = open(port).await.err();
    assert!(matches!(fault, Some(ImapFault::Refused(_))), "{fault:?}");
    conversation.await.expect("as scripted");

    let (port, conversation) = server("* PREAUTH welcome back\r\n", Vec::new()).await;
    let fault = open(port).await.err();
    assert!(matches!(fault, Some(ImapFault::Broken(_))), "{fault:?}");
    conversation.await.expect("as scripted");
}

#[tokio::test]
async fn nothing_in_plain_follows_starttls() {
    let script = vec![("F1 STARTTLS", "F1 OK go on\r\n* CAPABILITY IMAP4rev1\r\n")];
    let (port, conversation) = server(HELLO, script).await;
    let fault = open_as("127.0.0.1", port, MailSecurity::Starttls, PASSWORD).await.err();
    let why = "more than its answer came behind STARTTLS";
    assert_eq!(fault, Some(ImapFault::Tls(why.into())));
    conversation.await.expect("as scripted");
}
