//! What a message says is read as a person reads it, whatever wrote it; what cannot be read goes to one.

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::support::{TestServer, message};

/// A message whose header ends with the fields that say what follows.
fn of(kind: &str, body: &str) -> String {
    format!("From: ann@x.example\r\nSubject: order\r\nContent-Type: {kind}\r\n\r\n{body}")
}

/// Parts of a multipart, each with its header.
fn parts(boundary: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--{boundary}\r\n{part}\r\n")).collect();
    format!("{parts}--{boundary}--\r\n")
}

fn plain(text: &str) -> String {
    format!("Content-Type: text/plain\r\n\r\n{text}")
}

fn rich(html: &str) -> String {
    format!("Content-Type: text/html\r\n\r\n{html}")
}

/// A server that accepts what is about order 1042, and rejects what is about another.
async fn shop() -> TestServer {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let body = json!({
        "intent": {
            "name": "Orders",
            "match": {
                "all": [{"field": "subject", "op": "contains", "value": "order"}],
                "none": [
                    {"field": "body", "op": "contains", "value": "unwanted"},
                    {"field": "body", "op": "regex", "value": "f.rbidden"},
                    {"field": "header.x-list", "op": "equals", "value": "ads"}
                ]
            },
            "extractors": [
                {"name": "order_number", "field": "body", "pattern": "[Oo]rder(?: number| is)?\\s+(\\d+)"}
            ]
        },
        "validation_rules": [
            {"field_name": "order_number", "rule_type": "regex", "conditions": {"pattern": "^1042$"}}
        ]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    server
}

fn is_accepted(email: &Value, why: &str) {
    assert_eq!(email["fields"]["order_number"], "1042", "{why}: {email:#}");
    assert_eq!(email["decision"], "accepted", "{why}: {email:#}");
}

/// Nothing was found out of it that could be held against its sender.
fn is_for_a_person(email: &Value, fault: &str, why: &str) {
    assert_eq!(email["decision"], "review", "{why}: {email:#}");
    assert!(email["explanation"].as_str().unwrap().contains(fault), "{why}: {email:#}");
}

#[tokio::test]
async fn html_is_read_as_a_browser_shows_it() {
    let server = shop().await;
    for html in [
        "<div>Order 1042</div><div>2 pieces</div>",
        "<table><tr><td>Order number</td><td>1042</td><td>3</td></tr></table>",
        "Order 1042<br clear=\"all\">2 pieces",
        "<html><head><title>Order 7</title><body>Order 1042",
        "<!---- header ----->Order 1042",
        "<!--- -->Order 1042",
        "<style type=\"text/css\">p{}</style>Order 1042",
        "Order&#32;&#49;042",
    ] {
        is_accepted(&server.decide("acme", of("text/html", html)).await, html);
    }
    let style = of("text/html", "<style type=\"text/css\">p{color:red}</style>Order 1042<p>Thanks</p>");
    let email = server.decide("acme", style).await;
    assert_eq!(email["fields"]["body"], "Order 1042\n\nThanks");
    // What nobody sees of a drawing hides nothing below it.
    for html in ["<svg><title>x</svg>", "<svg><foreignObject><style><!--</style></foreignObject></svg>"] {
        let hidden = of("text/html", &format!("<p>my order 1042</p>{html}<p>order 7, unwanted</p>"));
        let email = server.decide("acme", hidden).await;
        assert_eq!(email["fields"]["body"], "my order 1042\n\norder 7, unwanted");
        assert_eq!(email["intent"], Value::Null, "{html}");
    }
    // A picture within it is long, and has many strokes.
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+AAFCAYAAACNbyblAAAAHElEQVQI12P4/8w38".repeat(20_000);
    let html = format!("<p>Order 1042<img src=\"data:image/png;base64,{picture}\">");
    let email = server.decide("acme", of("text/html", &html)).await;
    is_accepted(&email, "a picture");
    let path = format!("/api/emails/{}/parts?tenant_id=acme", email["email_id"].as_str().unwrap());
    assert_eq!(server.get(&path).await.is(StatusCode::OK).body["html_withheld"], Value::Null);
    // Nobody wrote this, and reading it would take hours.
    let names: String = (0..200_000).map(|n| format!(" a{n:x}")).collect();
    let email = server.decide("acme", of("text/html", &format!("<p{names}>Order 7"))).await;
    is_for_a_person(&email, "would take too long to read", "attributes");
}

#[tokio::test]
async fn a_damaged_part_is_read_as_far_as_it_goes_and_is_nobodys_fault() {
    let server = shop().await;
    let unclosed = parts("x", &[&plain("my order 1042")]).replace("--x--\r\n", "");
    let quoted = "Content-Transfer-Encoding: quoted-printable";
    let odd_text =
        format!("Content-Type: text/plain\r\n{quoted}\r\n\r\nmy order =31042 https://x.example/?t=q==");
    let odd_file = format!(
        "Content-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n{quoted}\r\n\r\norder 7 =="
    );
    let html = "<p>my order 1042</p>";
    let encoded = "text/html\r\nContent-Transfer-Encoding: base64";
    let base64 = BASE64_STANDARD.encode(html);
    assert!(base64.ends_with('='));
    for (what, raw) in [
        ("no last boundary", of("multipart/mixed; boundary=x", &unclosed)),
        (
            "no last boundary, quoted",
            of("multipart/mixed; boundary=x", &parts("x", &[&odd_text]).replace("--x--", "")),
        ),
        ("an unescaped token", of("multipart/mixed; boundary=x", &parts("x", &[&odd_text]))),
        (
            "an unescaped token in HTML",
            of(
                &format!("text/html\r\n{quoted}"),
                "<p>my order 10=\r\n42 <a href=3D\"https://x.example/?t=a==\">here</a></p>\r\n",
            ),
        ),
        ("a list's footer", of(encoded, &format!("{base64}\r\n_______\r\nThe list of Acme, order 7\r\n"))),
        (
            "a damaged file",
            of("multipart/mixed; boundary=x", &parts("x", &[&plain("my order 1042"), &odd_file])),
        ),
    ] {
        is_accepted(&server.decide("acme", raw).await, what);
    }
    let unpadded = BASE64_STANDARD.encode("<p>my order 1042.</p>");
    let inner = parts("a", &[&plain("my order 7")]).replace("--a--\r\n", "");
    let inner = format!("Content-Type: multipart/alternative; boundary=a\r\n\r\n{inner}");
    for (what, raw) in [
        ("base64 that does not end", of(encoded, &format!("{unpadded}\r\n_______\r\nThe list of Acme\r\n"))),
        ("base64 with a gap", of(encoded, &base64.replacen('b', "!b", 1))),
        ("another boundary", of("multipart/mixed; boundary=y", &parts("x", &[&plain("my order 1042")]))),
        (
            "a boundary within",
            of("multipart/mixed; boundary=x", &parts("x", &[&inner, &plain("my order 1042 is forbidden")])),
        ),
    ] {
        is_for_a_person(&server.decide("acme", raw).await, "a part of its text is damaged", what);
    }
}

#[tokio::test]
async fn nothing_hides_behind_a_long_text() {
    let server = shop().await;
    // More than patterns once saw, and less than is read.
    for word in ["unwanted", "FORBIDDEN"] {
        let body = format!("my order 1042\r\n{}{word}", "padding ".repeat(40_000));
        let email = server.decide("acme", message("ann@x.example", "order", &body)).await;
        assert_eq!((&email["intent"], &email["decision"]), (&Value::Null, &json!("review")));
    }
    let behind = format!("{}my order 1042", "padding\r\n".repeat(40_000));
    is_accepted(&server.decide("acme", message("ann@x.example", "order", &behind)).await, "behind");
    let longer = "padding ".repeat(140_000);
    let nul =
        format!("From: ann@x.example\r\nSubject: order\r\n\r\norder 1042{}forbidden", "\0".repeat(400_000));
    for (what, raw) in [
        ("a word", message("ann@x.example", "order", &format!("my order 1042\r\n{longer}forbidden"))),
        ("an order", message("ann@x.example", "order", &format!("{longer}my order 1042"))),
        ("HTML", of("text/html", &format!("<p>my order 1042<p>{longer}<p>forbidden"))),
        ("NUL", nul),
    ] {
        is_for_a_person(&server.decide("acme", raw).await, "its text is longer than is read", what);
    }
    let many = format!("{}X-List: ads\r\n{}", "X-Other: a\r\n".repeat(1_100), of("text/plain", "order 1042"));
    is_for_a_person(&server.decide("acme", many).await, "its header is longer than is read", "header fields");
}

#[tokio::test]
async fn lines_end_alike_however_the_message_came() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let body = json!({
        "intent": {
            "name": "Stop",
            "match": {"all": [
                {"field": "body", "op": "ends_with", "value": "STOP"},
                {"field": "body", "op": "equals", "value": "Order: 1042\n\nSTOP"},
                // As they were written when a message's lines ended with CR LF.
                {"field": "body", "op": "contains", "value": "1042\r\n\r\nSTOP"},
                {"field": "body", "op": "regex", "value": "1042\\r\\n\\r\\nSTOP"}
            ]},
            "extractors": [{"name": "order_number", "field": "body", "pattern": "(?m)^Order: (\\d+)$"}]
        },
        "validation_rules": [
            {"field_name": "order_number", "rule_type": "regex", "conditions": {"pattern": "^1042$"}},
            {"field_name": "body", "rule_type": "expression", "conditions": {"expression": "fields.body.endsWith('\\nSTOP')"}}
        ]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let raw = message("ann@x.example", "x", "Order: 1042\r\n\r\nSTOP\r\n \r\n");
    let quoted = "Order: 1042=0D=0A=0D=0ASTOP=0D=0A";
    let kind = "Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\nSubject:";
    let encoded = message("ann@x.example", "x", quoted).replacen("Subject:", kind, 1);
    for raw in [raw.replace("\r\n", "\n"), raw, encoded] {
        let email = server.decide("acme", raw.clone()).await;
        assert_eq!(email["fields"]["body"], "Order: 1042\n\nSTOP", "{raw:?}");
        is_accepted(&email, &raw);
    }
}

#[tokio::test]
async fn a_footer_hides_nothing_of_what_stands_above_it() {
    let server = shop().await;
    let footer = plain("Sent by the list of Acme, order 7");
    let both = |text: &str, other: &str| {
        let inner = parts("a", &[&plain(text), other]);
        format!("Content-Type: multipart/alternative; boundary=a\r\n\r\n{inner}")
    };
    let html = rich("<p>my order is <b>1042</b></p>");
    let related = format!("Content-Type: multipart/related; boundary=r\r\n\r\n{}", parts("r", &[&html]));
    for (what, said) in [
        ("an empty text", both("", &html)),
        ("a blank text", both(" \r\n\u{a0}\r\n", &html)),
        ("HTML with its pictures", both("", &related)),
    ] {
        let email =
            server.decide("acme", of("multipart/mixed; boundary=m", &parts("m", &[&said, &footer]))).await;
        is_accepted(&email, what);
        let body = email["fields"]["body"].as_str().unwrap();
        assert_eq!(body, "my order is 1042\nSent by the list of Acme, order 7", "{what}");
    }
    // What is said in text is not said twice.
    let twice = both("my order is 1042", &rich("<p>my order is 7</p>"));
    let email =
        server.decide("acme", of("multipart/mixed; boundary=m", &parts("m", &[&twice, &footer]))).await;
    assert_eq!(email["fields"]["body"], "my order is 1042\nSent by the list of Acme, order 7");
}

#[tokio::test]
async fn a_second_header_field_gets_nobody_past_a_condition() {
    let server = shop().await;
    let raw = |lists: &[&str]| {
        let lists: String = lists.iter().map(|list| format!("X-List: {list}\r\n")).collect();
        format!("{lists}{}", message("ann@x.example", "order", "my order 1042"))
    };
    is_accepted(&server.decide("acme", raw(&["news", "adsl"])).await, "another");
    for lists in [["ads"].as_slice(), &["ads", "x"], &["x", "ADS"], &["x", "ads", "y"]] {
        let email = server.decide("acme", raw(lists)).await;
        assert_eq!(email["intent"], Value::Null, "{lists:?}");
        let why_not = email["classification"]["considered"][0]["why_not"].as_str().unwrap();
        assert!(why_not.contains("which must not be"), "{lists:?}: {why_not}");
        assert_eq!(email["fields"]["header.x-list"], lists.join("\n"));
    }
    // What must be is to be so of each, whoever added which.
    server.tenant("globex").await;
    let body = json!({"intent": {"name": "Checked", "match": {"all": [
        {"field": "header.x-gateway-verdict", "op": "equals", "value": "clean"},
        {"field": "header.received", "op": "contains", "value": "gateway.example"},
        {"field": "header.received", "op": "starts_with", "value": "from gateway"}
    ]}}});
    server.post("/api/intents/with-rules?tenant_id=globex", &body).await.is(StatusCode::CREATED);
    for (verdicts, intent) in [
        (vec!["clean"], json!("Checked")),
        (vec!["clean", "Clean"], json!("Checked")),
        (vec!["infected", "clean"], Value::Null),
        (vec!["clean", "infected"], Value::Null),
    ] {
        let verdicts: String = verdicts.iter().map(|said| format!("X-Gateway-Verdict: {said}\r\n")).collect();
        let hops = "Received: from gateway.example\r\nReceived: from elsewhere.example\r\n";
        let raw = format!("{verdicts}{hops}{}", message("ann@x.example", "order", "x"));
        assert_eq!(server.decide("globex", raw).await["intent"]["name"], intent, "{verdicts}");
    }
}

#[tokio::test]
async fn one_sender_has_one_address() {
    let server = shop().await;
    for (from, sender, domain) in [
        ("Zoe <zoe@bücher.example>", "zoe@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("Zoe <Zoe@XN--bcher-kva.example>", "zoe@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("Ann <ann@exámple.com>", "ann@xn--exmple-qta.com", "xn--exmple-qta.com"),
    ] {
        let raw = format!("Reply-To: {from}\r\n{}", message(from, "order", "my order 1042"));
        let email = server.decide("acme", raw).await;
        is_accepted(&email, from);
        let fields = &email["fields"];
        let found = [&fields["sender_email"], &fields["sender_domain"], &fields["reply_to"]];
        assert_eq!(found, [&json!(sender), &json!(domain), &json!(sender)]);
        assert_eq!(email["sender_email"], sender);
    }
    // A condition may write it as people do.
    server.tenant("globex").await;
    let condition = |field: &str, op: &str, value: &str| json!({"field": field, "op": op, "value": value});
    let body = json!({"intent": {"name": "Books", "match": {
        "all": [
            condition("sender_domain", "equals", "Bücher.example"),
            condition("sender_email", "equals", "zoe@bücher.example"),
            condition("sender_email", "ends_with", "@bücher.example"),
            condition("reply_to", "contains", "bücher.example"),
            condition("sender_email", "starts_with", "zoe")
        ],
        "none": [condition("sender_domain", "ends_with", "käufer.example")]
    }}});
    server.post("/api/intents/with-rules?tenant_id=globex", &body).await.is(StatusCode::CREATED);
    for (from, intent) in [
        ("zoe@bücher.example", json!("Books")),
        ("zoe@xn--bcher-kva.example", json!("Books")),
        ("zoe@bucher.example", Value::Null),
    ] {
        let raw = format!("Reply-To: {from}\r\n{}", message(from, "order", "x"));
        assert_eq!(server.decide("globex", raw).await["intent"]["name"], intent, "{from}");
    }
}

/// As HTML is written so that a number stays on one line, or a long word does not.
#[tokio::test]
async fn a_space_is_a_space_and_what_nobody_sees_is_not_there() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let body = json!({
        "intent": {
            "name": "Orders",
            "match": {"all": [
                {"field": "body", "op": "contains", "value": "order 1042"},
                {"field": "subject", "op": "equals", "value": "My order"}
            ]},
            "extractors": [{"name": "order_number", "field": "body", "pattern": "no\\. (\\d[\\d ]*\\d)"}]
        },
        "validation_rules": [
            {"field_name": "order_number", "rule_type": "equals", "conditions": {"expected": "10 42"}},
            {"field_name": "body", "rule_type": "expression",
                "conditions": {"expression": "fields.body.contains('order 1042')"}}
        ]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    for html in [
        "<p>My order 1042</p><p>no. 10 42</p>",
        "<p>My order&nbsp;1042</p><p>no.&nbsp;10&nbsp;42</p>",
        "<p>My or&shy;der&#x202f;1042&#x200b;</p><p>no.&#x2007;10&nbsp;4&#xfeff;2</p>",
    ] {
        let raw = of("text/html; charset=utf-8", html);
        let raw = raw.replacen("Subject: order", "Subject: =?utf-8?q?My=C2=A0or=C2=ADder?=", 1);
        let email = server.decide("acme", raw).await;
        assert_eq!(email["intent"]["name"], "Orders", "{html}: {email:#}");
        assert_eq!(email["fields"]["order_number"], "10 42", "{html}");
        assert_eq!(email["decision"], "accepted", "{html}: {email:#}");
    }
}

/// As programs on a Mac name files: each accent is a character of its own, and nobody sees it.
#[tokio::test]
async fn a_letter_is_the_same_however_its_accents_are_written() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let body = json!({
        "intent": {
            "name": "Endings",
            "match": {"all": [
                {"field": "attachment_names", "op": "contains", "value": "Kündigung"},
                {"field": "attachment_names", "op": "regex", "value": "kündigung.*pdf"}
            ]},
            "extractors": [{"name": "leaver", "field": "attachment_names", "pattern": "Kündigung (\\S+)\\.pdf"}]
        },
        "validation_rules": []
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    let name = "Ku\u{308}ndigung Zoe\u{308}.pdf";
    let file = "Content-Type: application/pdf\r\n\
        Content-Disposition: attachment; filename*=utf-8''Ku%CC%88ndigung%20Zoe%CC%88.pdf\r\n\r\nx";
    let raw = of("multipart/mixed; boundary=x", &parts("x", &[&plain("see the file"), file]));
    let email = server.decide("acme", raw).await;
    assert_eq!(email["intent"]["name"], "Endings", "{email:#}");
    assert_eq!(email["fields"]["attachment_names"], "Kündigung Zoë.pdf");
    assert_eq!(email["fields"]["leaver"], "Zoë");
    for q in ["Kündigung Zoë", name] {
        let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
        let found = server.get(&format!("/api/emails?tenant_id=acme&q={q}")).await.is(StatusCode::OK).body;
        assert_eq!(found[0]["email_id"], email["email_id"], "{q}");
    }
}

/// A server that accepts who cancels order 1043, and rejects who cancels another. By `body` all of these would be taken for
/// what they quote.
async fn cancellations() -> TestServer {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let condition = |op: &str, value: &str| json!({"field": "new_text", "op": op, "value": value});
    let body = json!({
        "intent": {
            "name": "Cancellations",
            "match": {
                "all": [condition("regex", "cancel|stornieren")],
                "none": [condition("contains", "invoice"), condition("contains", "rechnung")]
            },
            "extractors": [
                {"name": "order_number", "field": "new_text", "pattern": "(\\d{4})"},
                {"name": "first_number", "field": "body", "pattern": "(104\\d)"}
            ]
        },
        "validation_rules": [
            {"field_name": "order_number", "rule_type": "equals", "conditions": {"expected": "1043"}},
            {"field_name": "new_text", "rule_type": "equals", "conditions": {"expected": "{{new_text}}"}},
            {"field_name": "new_text", "rule_type": "expression", "conditions": {"expression":
                "email.new_text == fields.new_text && !email.new_text.contains('1042') && email.body.contains('1042')"}}
        ]
    });
    server.post("/api/intents/with-rules?tenant_id=acme", &body).await.is(StatusCode::CREATED);
    server
}

#[tokio::test]
async fn what_an_answer_quotes_is_not_what_its_sender_says() {
    let server = cancellations().await;
    let of = |subject: &str, kind: &str, body: &str| {
        let raw = self::of(kind, body).replacen("Subject: order", &format!("Subject: {subject}"), 1);
        raw.replacen("Subject:", "In-Reply-To: <1042@acme.example>\r\nSubject:", 1)
    };
    let text = "text/plain; charset=utf-8";
    let gmail_text = "Yes, please cancel order 1043.\r\n\r\nOn Tue, Dec 1, 2026 at 10:00 AM Acme Shop <shop@acme.example>\r\n\
        wrote:\r\n\r\n> Your order 1042 has been shipped, with its invoice.\r\n";
    let gmail_html = "<div dir=\"ltr\">Yes, please cancel order 1043.</div><br><div class=\"gmail_quote\"><div dir=\"ltr\" \
        class=\"gmail_attr\">On Tue, Dec 1, 2026 at 10:00 AM Acme Shop wrote:<br></div><blockquote class=\"gmail_quote\">\
        <div>Your order 1042 has been shipped, with its invoice.</div></blockquote></div>";
    let gmail = parts("g", &[&plain(gmail_text), &rich(gmail_html)]);
    let outlook_html = "<div class=WordSection1><p class=MsoNormal>Bitte Bestellung 1043 stornieren.</p><div \
        style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>Von:</b> Acme Shop &lt;shop@acme.example&gt;\
        <br><b>Gesendet:</b> Dienstag, 1. Dezember 2026 10:00<br><b>An:</b> Ann<br><b>Betreff:</b> Ihre Bestellung</p></div>\
        <p class=MsoNormal>Die Rechnung zu 1042 liegt bei.</p></div>";
    let outlook = "Please cancel 1043.\r\n\r\n-----Original Message-----\r\nFrom: Acme Shop\r\n\
        Sent: Tuesday, December 1, 2026 10:00 AM\r\nTo: Ann\r\nSubject: Your order\r\n\r\nThe invoice for 1042.";
    let apple = "Please cancel 1043.\r\n\r\nSent from my iPhone\r\n\r\n> On 1 Dec 2026, at 10:00, Acme wrote:\r\n> \r\n\
        > The invoice for 1042";
    let thunderbird =
        "Am 01.12.26 um 10:00 schrieb Acme Shop:\r\n> Die Rechnung zu 1042\r\n\r\nBitte 1043 stornieren.";
    for (what, raw, new) in [
        (
            "Gmail",
            of("Re: Your order", "multipart/alternative; boundary=g", &gmail),
            "Yes, please cancel order 1043.",
        ),
        ("Gmail, HTML", of("Re: Your order", "text/html", gmail_html), "Yes, please cancel order 1043."),
        (
            "Outlook, HTML",
            of("AW: Bestellung", "text/html", outlook_html),
            "Bitte Bestellung 1043 stornieren.",
        ),
        ("Outlook", of("RE: Your order", text, outlook), "Please cancel 1043."),
        ("an iPhone", of("Re: Your order", text, apple), "Please cancel 1043.\n\nSent from my iPhone"),
        ("Thunderbird", of("Re: Bestellung", text, thunderbird), "Bitte 1043 stornieren."),
        // The sender gave it a subject of their own.
        ("a new subject", of("Something else", text, outlook), "Please cancel 1043."),
    ] {
        let email = server.decide("acme", raw).await;
        assert_eq!(email["fields"]["new_text"], new, "{what}: {email:#}");
        assert_eq!(email["fields"]["order_number"], "1043", "{what}: {email:#}");
        assert_eq!(email["intent"]["name"], "Cancellations", "{what}: {email:#}");
        assert_eq!(email["decision"], "accepted", "{what}: {email:#}");
        assert!(email["fields"]["body"].as_str().unwrap().contains("1042"), "{what}");
    }
    let email = server.decide("acme", of("Re: Bestellung 2", text, thunderbird)).await;
    assert_eq!(email["fields"]["first_number"], "1042", "the body is what it was");
    // It says so itself.
    let itself = gmail_text.replacen("order 1043", "order 1043 and its invoice", 1);
    let email = server.decide("acme", of("Re: Your order", text, &itself)).await;
    assert_eq!(email["intent"], Value::Null, "{email:#}");
}

#[tokio::test]
async fn what_is_handed_on_is_what_its_sender_says() {
    let server = cancellations().await;
    let below = "From: Bob\r\nSent: Tuesday\r\nSubject: order\r\n\r\nPlease cancel 1042\r\n> and its invoice";
    let plain = "text/plain; charset=utf-8";
    for (subject, body) in [
        ("WG: order", format!("See this.\r\n\r\n{below}")),
        ("Fwd: order", format!("See this.\r\n\r\n---------- Forwarded message ---------\r\n{below}")),
        ("Bob's order", format!("See this.\r\n\r\n-------- Weitergeleitete Nachricht --------\r\n{below}")),
        ("Bob's order", format!("Begin forwarded message:\r\n\r\n> {}", below.replace("\r\n", "\r\n> "))),
        // A server has marked it.
        ("EXTERN: WG: order\r\nIn-Reply-To: <1@acme.example>", format!("See this.\r\n\r\n{below}")),
        ("*EXT* WG: order\r\nIn-Reply-To: <1@acme.example>", format!("See this.\r\n\r\n{below}")),
        // A form, filled in, and what else answers nothing.
        ("A message from your page", format!("Somebody wrote to you.\r\n\r\n{below}")),
        ("My order", "Please cancel all of it:\r\n> lamp 1042\r\n> the invoice".to_owned()),
        // Nothing else is said.
        ("Re: order", format!("> {}", below.replace("\r\n", "\r\n> "))),
    ] {
        let raw = of(plain, &body).replacen("Subject: order", &format!("Subject: {subject}"), 1);
        let email = server.decide("acme", raw).await;
        assert_eq!(email["fields"]["new_text"], email["fields"]["body"], "{subject}: {email:#}");
        assert_eq!(email["intent"], Value::Null, "{subject}: {email:#}");
    }
}

/// Of most messages it is the body, which is stored once. What a route takes of a message that was stored before is that.
#[tokio::test]
async fn what_is_new_in_a_message_is_read_back_as_it_was_stored() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let route = json!({
        "name": "said", "kind": "label", "decisions": ["rejected"], "settings": {"label": "{{new_text}}"}
    });
    server.post("/api/routes?tenant_id=acme", &route).await.is(StatusCode::CREATED);
    let mut conn = server.database().superuser().await;
    for (subject, body, new, is_stored) in [
        ("order", "All of it.\r\n> 1042", "All of it.\n> 1042", false),
        ("Re: order", "Yes.\r\n> 1042", "Yes.", true),
    ] {
        let email = server.decide("acme", message("ann@x.example", subject, body)).await;
        let id = email["email_id"].as_str().unwrap();
        assert_eq!(email["fields"]["new_text"], new, "{subject}");
        let has = "SELECT fields ? 'new_text' FROM emails WHERE email_id = $1::uuid";
        let has: bool = sqlx::query_scalar(has).bind(id).fetch_one(&mut conn).await.unwrap();
        assert_eq!(has, is_stored, "{subject}");

        let before = "UPDATE emails SET fields = fields - 'new_text' WHERE email_id = $1::uuid";
        sqlx::query(before).bind(id).execute(&mut conn).await.unwrap();
        let path = format!("/api/emails/{id}/decision?tenant_id=acme");
        let email = server.post(&path, &json!({"decision": "rejected"})).await.is(StatusCode::OK).body;
        assert_eq!(email["fields"]["new_text"], email["fields"]["body"], "{subject}");
        let whole = email["fields"]["body"].as_str().unwrap().replace('\n', " ");
        assert_eq!(email["labels"], json!([whole]), "{subject}");
    }
}

/// What could not be read to its end has no part left out.
#[tokio::test]
async fn what_is_no_message_is_new_as_a_whole() {
    let server = TestServer::start().await;
    server.tenant("acme").await;
    let email = server.decide("acme", "no header\r\n\r\n> quoted".to_owned()).await;
    assert_eq!(email["fields"]["new_text"], email["fields"]["body"], "{email:#}");
    let empty = server.decide("acme", of("application/pdf", "x")).await;
    assert_eq!((&empty["fields"]["new_text"], &empty["fields"]["body"]), (&Value::Null, &Value::Null));
}
