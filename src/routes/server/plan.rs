//! What the routes come to for one outcome of a message. Pure: the outbox writes it, a dry-run shows it.

use chrono::{DateTime, Utc};
use mail_parser::parsers::MessageStream;
use serde_json::{Value, json};

use super::{
    event::DecidedEvent,
    repository::Row,
    settings::{Forward, MAX_LABEL, Reply, Settings, Webhook},
};
use crate::{
    emails::{
        dto::EmailDetail,
        server::address::{self, in_one_form, is_same, with_ascii_domain},
    },
    routes::dto::Planned,
    server::text::shorten,
    shared::template::{RenderError, Template},
};

/// A message that passed by so many servers goes in circles (Postfix: `hopcount_limit`).
const MAX_HOPS: usize = 50;
/// An address has at most this many bytes (RFC 5321, section 4.5.3.1.3, without its brackets).
const MAX_ADDRESS: usize = 254;
/// A mail that so many have sent on goes in circles.
const MAX_LOOPS: usize = 20;
/// A subject has at most this many characters.
const MAX_SUBJECT: usize = 500;

/// What the installation puts into each mail that it sends, so that it knows its own again.
pub const LOOP_HEADER: &str = "x-flowengine-loop";

/// What the plan needs to know of the installation, and the time.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The value of `LOOP_HEADER` for this tenant.
    pub loop_token: &'a str,
    /// The address that mails come from, if any are sent.
    pub from: Option<&'a str>,
    /// At which address of the tenant's own the message was read, where no mail server said whom it was for and that is
    /// certain all the same.
    pub inbox: Option<&'a str>,
    /// What the message brings back. Looked for in bounces alone.
    pub returned: &'a Returned,
    pub now: DateTime<Utc>,
}

/// One planned delivery for each route, in their order. `rows` are the active routes for the message's decision.
pub fn plan(rows: &[Row], message: &EmailDetail, sender: Sender<'_>) -> Vec<Planned> {
    rows.iter().map(|row| planned(row, message, sender)).collect()
}

fn planned(row: &Row, message: &EmailDetail, sender: Sender<'_>) -> Planned {
    let settings = Settings::parse(row.kind, &row.settings.0);
    let (destination, payload, withheld) = match &settings {
        Err(problem) => (String::new(), Value::Null, Some(problem.detail.clone())),
        Ok(settings) => match outcome(settings, message, sender) {
            Ok(found) => found,
            Err(reason) => (String::new(), Value::Null, Some(reason)),
        },
    };
    Planned {
        route_id: row.route_id,
        route_name: row.name.clone(),
        kind: row.kind,
        destination,
        withheld,
        payload,
    }
}

/// Destination, payload, and why it is withheld; `Err`: why there is nothing to send.
type Outcome = Result<(String, Value, Option<String>), String>;

fn outcome(settings: &Settings, message: &EmailDetail, sender: Sender<'_>) -> Outcome {
    match settings {
        Settings::Webhook(hook) => Ok((host_of(hook), event(message, sender.now)?, None)),
        Settings::Forward(forward) => self::forward(forward, message, sender),
        Settings::Reply(reply) => self::reply(reply, message, sender),
        Settings::Label(label) => {
            let text = shorten(&one_line(&render(&label.label, message)?), MAX_LABEL - 1);
            if text.is_empty() {
                return Err("the label is empty".into());
            }
            Ok((text.clone(), json!({"label": text}), None))
        }
    }
}

/// The host, and the port where it is not the scheme's own. A path may hold a key, so it is not told.
pub fn host_of(hook: &Webhook) -> String {
    let url = url::Url::parse(&hook.url).ok();
    url.and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
    })
    .unwrap_or_default()
}

/// The body of a webhook.
fn event(message: &EmailDetail, now: DateTime<Utc>) -> Result<Value, String> {
    let event = DecidedEvent::of(message, now).ok_or("the message is not decided")?;
    serde_json::to_value(event).map_err(|error| error.to_string())
}

fn forward(forward: &Forward, message: &EmailDetail, sender: Sender<'_>) -> Outcome {
    let subject = match &forward.subject {
        Some(subject) => render(subject, message)?,
        None => format!("Fwd: {}", message.email.subject),
    };
    let asked = field(message, "reply_to").map(|to| as_written(message, "header.reply-to", to));
    let answers_to = asked.filter(|to| is_address(to)).unwrap_or_else(|| author(message));
    let mut text = note(forward, message)?;
    // A mail that names it could go to nobody whose server takes no such mail (SMTPUTF8).
    let is_for_any = answers_to.is_ascii();
    if !is_for_any && is_address(&answers_to) {
        text += &format!("\n\nAn answer to this mail does not reach {answers_to}: write to that address.");
    }
    let is_bounce = is_bounce(message);
    let payload = json!({
        "to": forward.to,
        "subject": subject_line(&subject),
        "text": text,
        "reply_to": is_for_any.then_some(answers_to),
        "loop": tokens(message),
        "null_return_path": is_bounce,
    });
    // A bounce goes on from nobody, so that none comes of it. But some relays put the sender's account in the place of
    // nobody: where that is read here, and whom the route leads to is gone, the bounce of each bounce would be sent on. Its
    // own head bears no mark of ours, by which it would be known; what it returns does, or it says who is gone.
    let is_of_own = is_bounce && sender.returned.is_of(&forward.to);
    let withheld = in_circles(message, sender)
        .or_else(|| is_of_own.then(|| "it returns a mail that FlowEngine sent: it may go in circles".into()));
    Ok((forward.to.join(", "), payload, withheld))
}

/// What stands above the original. Where the route's own words come to more than a template may, the explanation does:
/// the original is there whole.
fn note(forward: &Forward, message: &EmailDetail) -> Result<String, String> {
    let Some(note) = &forward.note else { return Ok(message.email.explanation.clone()) };
    match note.render(|name| field(message, name)) {
        Err(RenderError::TooLong) => Ok(message.email.explanation.clone()),
        rendered => rendered.map_err(|error| error.to_string()),
    }
}

fn reply(reply: &Reply, message: &EmailDetail, sender: Sender<'_>) -> Outcome {
    let to = match field(message, "reply_to").filter(|text| !text.is_empty()) {
        Some(to) => as_written(message, "header.reply-to", to),
        None => author(message),
    };
    let subject = match &reply.subject {
        Some(subject) => render(subject, message)?,
        None => {
            let subject = message.email.subject.trim();
            let is_reply = subject.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("re:"));
            if is_reply { subject.to_owned() } else { format!("Re: {subject}") }
        }
    };
    // Not every server takes a mail that names another one.
    let own = reply.reply_to.clone().filter(|own| with_ascii_domain(own).is_ascii());
    // Whoever wrote it chose it, and it need not be an address at all.
    let to = if is_address(&to) { to } else { String::new() };
    let payload = json!({
        "to": to,
        "subject": subject_line(&subject),
        "text": render(&reply.body, message)?,
        "from_name": reply.from_name,
        "in_reply_to": field(message, "message_id").and_then(message_id),
        "references": references(message),
        "reply_to": own.or_else(|| came_to(message, sender)),
        "loop": tokens(message),
    });
    let withheld = unanswerable(message, &to, sender).or_else(|| in_circles(message, sender));
    Ok((to, payload, withheld))
}

/// Why a message must not be answered by a machine (RFC 3834, section 2).
fn unanswerable(message: &EmailDetail, to: &str, sender: Sender<'_>) -> Option<String> {
    let header = |name: &str| field(message, &format!("header.{name}"));
    let Some(address) = address::parse(to) else {
        return Some("it has no address to answer to".into());
    };
    if sender.from.is_some_and(|own| is_same(own, to)) {
        return Some("it came from this installation's own address".into());
    }
    let user = address.user().to_ascii_lowercase();
    let is_machine = ["mailer-daemon", "postmaster", "noreply", "no-reply", "donotreply", "do-not-reply"]
        .contains(&user.as_str())
        || user.starts_with("owner-")
        || user.ends_with("-request")
        || user.ends_with("-bounces");
    if is_machine {
        return Some(format!("nobody reads {to}"));
    }
    let first_word =
        |text: &str| text.split([';', ' ', '\t', '\n', '(']).next().unwrap_or_default().to_lowercase();
    if header("auto-submitted").is_some_and(|value| value.lines().any(|line| first_word(line.trim()) != "no"))
    {
        return Some("it was sent by a machine (Auto-Submitted)".into());
    }
    let is_bulk = |value: &str| {
        value.lines().any(|line| matches!(first_word(line.trim()).as_str(), "bulk" | "list" | "junk"))
    };
    if header("precedence").is_some_and(is_bulk) {
        return Some("it was sent to many (Precedence)".into());
    }
    if message.fields.keys().any(|name| name.starts_with("header.list-")) {
        return Some("it came by a mailing list (List-*)".into());
    }
    if header("x-auto-response-suppress").is_some_and(|value| {
        let value = value.to_lowercase();
        ["all", "oof", "autoreply"].iter().any(|word| value.split([',', ' ', '\n']).any(|part| part == *word))
    }) {
        return Some("its sender asked for no automatic answer (X-Auto-Response-Suppress)".into());
    }
    bounce(message)
}

/// Whether it is the word of a machine that nobody is to answer. It is sent on from nobody, in its turn: whoever forwards a
/// message without a return path gives it none (RFC 5321, section 4.5.5).
pub fn is_bounce(message: &EmailDetail) -> bool {
    bounce(message).is_some()
}

/// What a bounce says of the mail that it returns.
#[derive(Debug)]
pub struct Returned {
    /// Whether it bears the mark of the tenant's own mails.
    has_mark: bool,
    /// Whom that did not reach (RFC 3464, section 2.3).
    unreached: Vec<String>,
}

impl Returned {
    pub const NONE: &Self = &Self { has_mark: false, unreached: Vec::new() };

    pub fn of(raw: &[u8], loop_token: &str) -> Self {
        const UNREACHED: &[u8] = b"final-recipient:";
        let has_mark = raw.windows(loop_token.len()).any(|found| found == loop_token.as_bytes());
        let lines = raw.split(|byte| *byte == b'\n');
        let unreached = lines
            .filter_map(|line| line.split_at_checked(UNREACHED.len()))
            .filter(|(name, _)| name.eq_ignore_ascii_case(UNREACHED))
            .filter_map(|(_, value)| value.split(|byte| *byte == b';').next_back())
            .map(|address| String::from_utf8_lossy(address).trim().to_owned())
            .collect();
        Self { has_mark, unreached }
    }

    /// Whether that was sent to one of these by the tenant itself.
    fn is_of(&self, to: &[String]) -> bool {
        let is_unreached =
            |to: &String| self.unreached.iter().any(|address| address.eq_ignore_ascii_case(to));
        self.has_mark || to.iter().any(is_unreached)
    }
}

/// Why it is the word of a mail server on another mail, or of another machine that wants no answer.
fn bounce(message: &EmailDetail) -> Option<String> {
    let header = |name: &str| field(message, &format!("header.{name}"));
    // The server that delivers a message writes its return path down; one that hands it on to this one only says it.
    let is_written = header("return-path").is_some_and(|value| value.lines().any(|line| line.trim() == "<>"));
    let is_said = message.envelope.as_ref().is_some_and(|envelope| envelope.from.as_deref() == Some(""));
    if is_written || is_said {
        return Some("its return path is empty, so it wants no answer".into());
    }
    header("content-type")
        .is_some_and(|value| value.trim().to_lowercase().starts_with("multipart/report"))
        .then(|| "it is a report of a mail server".into())
}

/// The tenants and installations that sent the mail on, as they mark it.
fn tokens(message: &EmailDetail) -> Vec<&str> {
    let value = field(message, &format!("header.{LOOP_HEADER}")).unwrap_or_default();
    let is_token = |word: &&str| word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    value.split_whitespace().filter(is_token).take(MAX_LOOPS + 1).collect()
}

fn in_circles(message: &EmailDetail, sender: Sender<'_>) -> Option<String> {
    let tokens = tokens(message);
    if tokens.contains(&sender.loop_token) {
        return Some("FlowEngine sent it itself: it goes in circles".into());
    }
    let hops = field(message, "header.received").map_or(0, |value| value.lines().count());
    if hops > MAX_HOPS || tokens.len() > MAX_LOOPS {
        return Some(format!("it passed by {} servers: it goes in circles", hops.max(tokens.len())));
    }
    None
}

fn render(template: &Template, message: &EmailDetail) -> Result<String, String> {
    template.render(|name| field(message, name)).map_err(|error| error.to_string())
}

/// Who wrote the message.
fn author(message: &EmailDetail) -> String {
    as_written(message, "header.from", &message.email.sender_email)
}

/// An address as the message's header field has it, where that is this one: what stands before its `@` may be told apart
/// by case (RFC 5321, section 2.4), which the one form of an address does not keep.
fn as_written(message: &EmailDetail, header: &str, address: &str) -> String {
    written(message, header, address).unwrap_or_else(|| address.to_owned())
}

/// As `as_written`; `None` where the header field does not name the address, which is in one form.
fn written(message: &EmailDetail, header: &str, address: &str) -> Option<String> {
    let (_, domain) = address.rsplit_once('@')?;
    let same = named(message, header).into_iter().find(|one| in_one_form(one) == address)?;
    let (local, _) = same.trim().rsplit_once('@')?;
    Some(format!("{local}@{domain}"))
}

/// The addresses that a header field names, as they are written there.
pub fn named(message: &EmailDetail, header: &str) -> Vec<String> {
    let of_line = |line: &str| -> Vec<String> {
        // What does not end with its line is not read to its end.
        let line = format!("{line}\n");
        let named = MessageStream::new(line.as_bytes()).parse_address().into_address();
        let all = named.iter().flat_map(|named| named.iter());
        all.filter_map(|one| one.address.as_deref()).map(str::to_owned).collect()
    };
    field(message, header).unwrap_or_default().lines().flat_map(of_line).collect()
}

/// The address that the message came to, where it is certain: the carrier's word, or where it was read, as the message
/// writes it, if it does. A stranger may write any other. Never the installation's own, which is no tenant's.
fn came_to(message: &EmailDetail, sender: Sender<'_>) -> Option<String> {
    let carried = message.envelope.iter().flat_map(|envelope| envelope.to.iter().cloned());
    let read = sender.inbox.map(|inbox| {
        let form = in_one_form(inbox);
        let named = ["header.to", "header.cc"].iter().find_map(|header| written(message, header, &form));
        named.unwrap_or_else(|| inbox.to_owned())
    });
    let is_own = |address: &str| sender.from.is_some_and(|own| is_same(own, address));
    carried.chain(read).find_map(|address| {
        let address = with_ascii_domain(&address);
        let (local, _) = address.rsplit_once('@')?;
        // Not every relay takes what is not ASCII, and a star stands for all of a domain.
        let is_fit = address.is_ascii() && is_address(&address) && local != "*" && !is_own(&address);
        is_fit.then_some(address)
    })
}

fn is_address(text: &str) -> bool {
    text.len() <= MAX_ADDRESS && address::parse(text).is_some()
}

fn field<'m>(message: &'m EmailDetail, name: &str) -> Option<&'m str> {
    message.fields.get(name).and_then(Value::as_str)
}

/// Without line ends and other control characters: what stands in a header stays one line.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn subject_line(text: &str) -> String {
    shorten(&one_line(text), MAX_SUBJECT)
}

/// `<id>`, if it is one that can stand in a header (RFC 5322, section 3.6.4).
fn message_id(text: &str) -> Option<String> {
    let id = text.trim().trim_start_matches('<').trim_end_matches('>');
    let fits = !id.is_empty()
        && id.len() <= 250
        && id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>');
    fits.then(|| format!("<{id}>"))
}

/// The thread so far: the first and the last of what the message refers to, and the message itself.
fn references(message: &EmailDetail) -> Option<String> {
    let own = field(message, "message_id").and_then(message_id)?;
    let mut ids: Vec<String> = field(message, "header.references")
        .unwrap_or_default()
        // As it is read, a comma stands between two of them.
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter_map(message_id)
        .filter(|id| *id != own)
        .collect();
    if ids.len() > 10 {
        ids.drain(1..ids.len() - 9);
    }
    ids.push(own);
    Some(ids.join(" "))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use sqlx::types::Json;

    use super::*;
    use crate::{
        emails::dto::{Decision, Email, EmailStatus, Envelope},
        routes::dto::RouteKind,
        shared::{EmailId, RouteId},
    };

    fn message(fields: &[(&str, &str)]) -> EmailDetail {
        let at = chrono::DateTime::UNIX_EPOCH;
        let mut all: Map<String, Value> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        all.entry("message_id").or_insert("1@x.example".into());
        EmailDetail {
            email: Email {
                email_id: EmailId(uuid::Uuid::nil()),
                tenant_id: "acme".parse().expect("id"),
                message_id: "1@x.example".into(),
                sender_email: "zoe@x.example".into(),
                sender_name: "Zoë".into(),
                recipient_email: "service@acme.example".into(),
                subject: "Where is it?".into(),
                preview: String::new(),
                received_at: at,
                status: EmailStatus::Done,
                intent: None,
                decision: Some(Decision::Accepted),
                decided_at: Some(at),
                explanation: "Accepted.".into(),
                parse_error: None,
                labels: Vec::new(),
            },
            fields: all,
            classification: None,
            decided_by: None,
            envelope: None,
            run: 1,
            intent_version: None,
            configuration_revision: None,
            verdicts: Vec::new(),
            deliveries: Vec::new(),
        }
    }

    fn row(kind: RouteKind, settings: Value) -> Row {
        let at = chrono::DateTime::UNIX_EPOCH;
        Row {
            route_id: RouteId(1),
            name: "r".into(),
            intent_id: None,
            kind,
            decisions: vec![Decision::Accepted],
            settings: Json(settings.as_object().expect("an object").clone()),
            is_active: true,
            secret: None,
            old_secret: None,
            header_values: None,
            old_secret_ends: None,
            created_at: at,
            updated_at: at,
        }
    }

    const SENDER: Sender<'static> = Sender {
        loop_token: "t0ken",
        from: Some("flow@acme.example"),
        inbox: None,
        returned: Returned::NONE,
        now: DateTime::UNIX_EPOCH,
    };

    fn reply_to(fields: &[(&str, &str)]) -> Planned {
        let rows = [row(RouteKind::Reply, json!({"body": "Dear {{sender_name}}"}))];
        let mut fields = fields.to_vec();
        fields.push(("sender_name", "Zoë"));
        plan(&rows, &message(&fields), SENDER).remove(0)
    }

    #[test]
    fn a_person_is_answered_in_the_thread() {
        let planned =
            reply_to(&[("header.references", "<0@x.example> bad<id"), ("header.auto-submitted", "no")]);
        assert_eq!(planned.withheld, None);
        assert_eq!(planned.destination, "zoe@x.example");
        assert_eq!(planned.payload["subject"], "Re: Where is it?");
        assert_eq!(planned.payload["text"], "Dear Zoë");
        assert_eq!(planned.payload["in_reply_to"], "<1@x.example>");
        assert_eq!(planned.payload["references"], "<0@x.example> <1@x.example>");
        assert_eq!(reply_to(&[("reply_to", "b@y.example")]).destination, "b@y.example");
        // As the parser gives several.
        let planned = reply_to(&[("header.references", "a@x.example, b@x.example, 1@x.example")]);
        assert_eq!(planned.payload["references"], "<a@x.example> <b@x.example> <1@x.example>");
    }

    #[test]
    fn whoever_answers_a_forward_answers_whom_the_message_asks_to_answer() {
        let rows = [row(RouteKind::Forward, json!({"to": ["a@b.example"]}))];
        let long = format!("{}@x.example", "x".repeat(3_000));
        for (asked, answered) in [
            ("customer@y.example", "customer@y.example"),
            ("", "zoe@x.example"),
            ("a@b\r\nBcc: c@d.example", "zoe@x.example"),
            (&long, "zoe@x.example"),
        ] {
            let planned = plan(&rows, &message(&[("reply_to", asked)]), SENDER).remove(0);
            assert_eq!(planned.payload["reply_to"], answered, "{asked}");
        }
        assert_eq!(plan(&rows, &message(&[]), SENDER)[0].payload["reply_to"], "zoe@x.example");
    }

    /// It goes to whoever the route says, whatever their servers take.
    #[test]
    fn a_forward_names_nobody_in_its_head_whom_only_some_servers_can_write_to() {
        let rows = [row(RouteKind::Forward, json!({"to": ["a@b.example"], "note": "For you."}))];
        let read = "müller@xn--bcher-kva.example";
        for (asked, header, answers_to) in
            [(read, "MÜLLER@Bücher.example", "MÜLLER@xn--bcher-kva.example"), (read, "", read)]
        {
            let fields = [("reply_to", asked), ("header.reply-to", header)];
            let planned = plan(&rows, &message(&fields), SENDER).remove(0);
            let text = format!(
                "For you.\n\nAn answer to this mail does not reach {answers_to}: write to that address."
            );
            assert_eq!(planned.payload["text"], text);
            assert_eq!((planned.withheld, &planned.payload["reply_to"]), (None, &Value::Null));
        }
    }

    #[test]
    fn whoever_has_an_address_of_any_letters_is_answered_and_nobody_by_one_that_was_not_read() {
        for (asked, answered) in [
            ("müller@x.example", "müller@x.example"),
            ("संपर्क@x.example", "संपर्क@x.example"),
            ("m\u{fffd}ller@x.example", ""),
        ] {
            let planned = reply_to(&[("reply_to", asked)]);
            assert_eq!(planned.destination, answered);
            let withheld = answered.is_empty().then_some("it has no address to answer to");
            assert_eq!(planned.withheld.as_deref(), withheld, "{asked}");
        }
    }

    /// To some servers `d+Ab1` and `d+ab1` are two.
    #[test]
    fn what_stands_before_the_at_is_written_to_as_it_was_written() {
        let rows = [
            row(RouteKind::Reply, json!({"body": "Hello"})),
            row(RouteKind::Forward, json!({"to": ["a@b.example"]})),
        ];
        let (field, from) = ("d+mta4@docs.example", "Zoe@x.example");
        for (header, answered) in [
            ("Docs <d+MTA4@Docs.example>", "d+MTA4@docs.example"),
            ("d+MTA4@docs.example", "d+MTA4@docs.example"),
            ("Ann <Ann@x.example>, \"d+MTA4@docs.example\" <D+mta4@docs.example>", "D+mta4@docs.example"),
            ("Ann <Ann@x.example>\nd+MTa4@docs.example", "d+MTa4@docs.example"),
            ("Docs: D+MTA4@docs.example;", "D+MTA4@docs.example"),
            ("somebody else <d+MTA5@docs.example>", field),
            ("", field),
        ] {
            let fields = [("reply_to", field), ("header.reply-to", header), ("header.from", from)];
            let planned = plan(&rows, &message(&fields), SENDER);
            assert_eq!(planned[0].destination, answered, "{header}");
            assert_eq!(planned[0].payload["to"], answered, "{header}");
            assert_eq!(planned[1].payload["reply_to"], answered, "{header}");
        }
        let planned = plan(&rows, &message(&[("header.from", "Zoë <Zoe@x.example>")]), SENDER);
        assert_eq!((planned[0].destination.as_str(), &planned[1].payload["reply_to"]), (from, &json!(from)));
    }

    #[test]
    fn whoever_answers_a_reply_answers_to_where_the_message_came() {
        let reply = |more: Value| {
            let mut settings = json!({"body": "Hello"});
            settings
                .as_object_mut()
                .expect("an object")
                .extend(more.as_object().cloned().unwrap_or_default());
            row(RouteKind::Reply, settings)
        };
        let answers_to = |row: Row, to: &[&str], fields: &[(&str, &str)], sender: Sender<'_>| {
            let mut message = message(fields);
            let to = to.iter().map(|to| (*to).to_owned()).collect();
            message.envelope = Some(Envelope { to, ..Envelope::default() });
            plan(&[row], &message, sender)[0].payload["reply_to"].clone()
        };
        for (to, expected) in [
            (vec!["Orders@acme.example"], json!("Orders@acme.example")),
            (vec!["orders@bücher.example"], json!("orders@xn--bcher-kva.example")),
            (vec!["*@acme.example", "Flow@ACME.example", "any@acme.example"], json!("any@acme.example")),
            (vec!["Flow@ACME.example"], Value::Null),
            (vec!["zoë@acme.example", "a@b\r\nBcc: c@d.example"], Value::Null),
            (vec![], Value::Null),
        ] {
            let fields = [("header.to", "someone@evil.example")];
            assert_eq!(answers_to(reply(json!({})), &to, &fields, SENDER), expected, "{to:?}");
        }
        let set = reply(json!({"reply_to": "desk@acme.example"}));
        assert_eq!(answers_to(set, &["orders@acme.example"], &[], SENDER), "desk@acme.example");
        // Fetched: whom the inbox belongs to, also where it came there by another address.
        for (inbox, to, expected) in [
            (
                "orders@acme.example",
                "x@y.example, Orders <Orders@Acme.example>",
                json!("Orders@acme.example"),
            ),
            ("Orders@bücher.example", "desk@acme.example", json!("Orders@xn--bcher-kva.example")),
            ("acme\\orders", "desk@acme.example", Value::Null),
            ("flow@acme.example", "flow@acme.example", Value::Null),
        ] {
            let sender = Sender { inbox: Some(inbox), ..SENDER };
            assert_eq!(answers_to(reply(json!({})), &[], &[("header.to", to)], sender), expected, "{inbox}");
            assert_eq!(answers_to(reply(json!({})), &[], &[("header.cc", to)], sender), expected, "{inbox}");
        }
    }

    #[test]
    fn a_note_that_is_too_long_keeps_no_forward_back() {
        let note = "From {{sender_email}}:\n{{body}}";
        let rows = [row(RouteKind::Forward, json!({"to": ["a@b.example"], "note": note}))];
        // As long as a field is stored.
        let body = "x".repeat(64 << 10);
        for (body, text) in [("Hello", "From zoe@x.example:\nHello"), (&body, "Accepted.")] {
            let fields = [("sender_email", "zoe@x.example"), ("body", body)];
            let planned = plan(&rows, &message(&fields), SENDER).remove(0);
            assert_eq!((planned.withheld, planned.payload["text"].as_str()), (None, Some(text)));
        }
        let withheld = plan(&rows, &message(&[("body", "Hello")]), SENDER).remove(0).withheld;
        assert_eq!(withheld.as_deref(), Some("no sender_email in the message"));
    }

    #[test]
    fn a_machine_a_list_and_our_own_mail_are_not_answered() {
        let hops = vec!["from a by b"; 51].join("\n");
        let long = format!("{}@x.example", "x".repeat(3_000));
        for fields in [
            ("header.auto-submitted", "auto-replied"),
            ("header.auto-submitted", "Auto-Generated; x=y"),
            ("header.auto-submitted", "no\nauto-replied"),
            ("header.precedence", "Bulk"),
            ("header.precedence", "list"),
            ("header.list-id", "<l.x.example>"),
            ("header.list-unsubscribe", "<http://x.example>"),
            ("header.return-path", "<>"),
            ("header.x-auto-response-suppress", "DR, AutoReply"),
            ("header.content-type", "Multipart/Report; report-type=delivery-status"),
            ("reply_to", "MAILER-DAEMON@x.example"),
            ("reply_to", "no-reply@x.example"),
            ("reply_to", "list-bounces@x.example"),
            ("reply_to", "Flow@acme.example"),
            ("reply_to", "a@b\r\nBcc: c@d.example"),
            ("header.x-flowengine-loop", "t0ken"),
            ("header.received", &hops),
            ("header.x-flowengine-loop", "other t0ken"),
            ("reply_to", &long),
        ] {
            assert!(reply_to(&[fields]).withheld.is_some(), "{fields:?}");
        }
        // Another tenant's mark is carried on, so that it knows its own again.
        let other = reply_to(&[("header.x-flowengine-loop", "0ther\nthird")]);
        assert_eq!((other.withheld, &other.payload["loop"]), (None, &json!(["0ther", "third"])));
        assert_eq!(
            reply_to(&[("reply_to", &long)]).destination,
            "",
            "no index takes what a stranger may write"
        );
    }

    #[test]
    fn what_came_from_nobody_is_not_answered_and_sent_on_from_nobody() {
        let rows = [
            row(RouteKind::Reply, json!({"body": "Hello"})),
            row(RouteKind::Forward, json!({"to": ["a@b.example"]})),
        ];
        for (fields, from, is_bounce) in [
            (("header.return-path", "<>"), None, true),
            (("header.content-type", "Multipart/Report; report-type=delivery-status"), None, true),
            (("header.x-any", ""), Some(""), true),
            (("header.x-any", ""), Some("zoe@x.example"), false),
            (("header.return-path", "<zoe@x.example>"), None, false),
        ] {
            let mut message = message(&[fields]);
            message.envelope = Some(Envelope { from: from.map(str::to_owned), ..Envelope::default() });
            let planned = plan(&rows, &message, SENDER);
            assert_eq!(planned[0].withheld.is_some(), is_bounce, "{fields:?} {from:?}: {planned:?}");
            assert_eq!(planned[1].withheld, None, "{fields:?} {from:?}");
            assert_eq!(planned[1].payload["null_return_path"], is_bounce, "{fields:?} {from:?}");
            // One that returns our own mail may be the bounce of a bounce.
            for returned in ["X-FlowEngine-Loop: t0ken\r\n", "Final-Recipient: rfc822; A@b.example\r\n"] {
                let returned = Returned::of(returned.as_bytes(), SENDER.loop_token);
                let withheld =
                    plan(&rows, &message, Sender { returned: &returned, ..SENDER }).remove(1).withheld;
                assert_eq!(withheld.is_some(), is_bounce, "{fields:?} {from:?} {returned:?}: {withheld:?}");
            }
        }
        let fields = [("header.return-path", "<>"), ("header.x-flowengine-loop", "0ther t0ken")];
        for fields in [&fields[..], &fields[1..]] {
            let withheld = plan(&rows, &message(fields), SENDER).remove(1).withheld;
            assert_eq!(withheld.as_deref(), Some("FlowEngine sent it itself: it goes in circles"));
        }
        let is_of = |raw: &str| Returned::of(raw.as_bytes(), "t0ken").is_of(&["a@b.example".to_owned()]);
        assert!(is_of("Subject: x\r\n\r\nX-FlowEngine-Loop: 0ther\r\n t0ken\r\n"));
        assert!(is_of("Status: 5.1.1\r\nFINAL-RECIPIENT: rfc822;a@b.example\r\n"));
        for other in [
            "",
            "X-FlowEngine-Loop: 0ther\r\n",
            "Final-Recipient: rfc822; c@b.example\n",
            "To: a@b.example\r\n",
        ] {
            assert!(!is_of(other), "{other}");
        }
    }

    #[test]
    fn what_stands_in_a_header_stays_one_line_and_an_absent_field_withholds() {
        let rows = [
            row(RouteKind::Forward, json!({"to": ["a@b.example"], "subject": "{{subject}}"})),
            row(RouteKind::Label, json!({"label": "order {{order_number}}"})),
            row(RouteKind::Label, json!({"label": "{{subject}}"})),
            row(RouteKind::Webhook, json!({"url": "https://h.example:8443/secret-path"})),
        ];
        let found = plan(&rows, &message(&[("subject", "x\r\nBcc: evil@d.example\0\u{b}y")]), SENDER);
        assert_eq!(found[0].payload["subject"], "x Bcc: evil@d.example y");
        assert_eq!(found[1].withheld.as_deref(), Some("no order_number in the message"));
        assert_eq!(found[2].destination, "x Bcc: evil@d.example y");
        assert_eq!(found[3].destination, "h.example:8443");
        assert_eq!(found[3].payload["type"], "email.decided");
        assert_eq!(found[3].payload["data"]["decision"], "accepted");
        assert!(found[3].payload["data"].get("deliveries").is_none());
    }
}
