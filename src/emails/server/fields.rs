//! The fields of a message: what conditions match, extractors read, and templates name.

use std::{borrow::Cow, collections::BTreeMap};

use icu_normalizer::ComposingNormalizerBorrowed;
use mail_parser::{Address, HeaderValue, Message, MimeHeaders};
use serde_json::{Map, Value};

use super::{
    address,
    mime::{self, Read},
    new_text,
};
use crate::{emails::dto::Envelope, intents::dto::FieldType, server::aside};

/// Fields by name. A name is lower case; a value is composed, and never holds NUL, which PostgreSQL's text cannot store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    values: BTreeMap<String, String>,
    /// Those that are not just text.
    kinds: BTreeMap<String, FieldType>,
    /// Why each has no value for which an extractor found something: it is not just missing.
    unread: BTreeMap<String, String>,
}

/// A field that is longer is cut here, in bytes. A message whose text is longer is for a person.
const MAX_FIELD: usize = 1 << 20;
/// What is stored of a field for show, in bytes. The message itself is kept whole.
const MAX_STORED: usize = 64 << 10;
/// What is read of all header fields together: bytes, and number. More is no mail that a person would write
/// (Postfix takes as many bytes): such a message is for a person. It is kept whole.
const MAX_HEADERS: usize = 102_400;
const MAX_HEADER_COUNT: usize = 1_000;
/// What of the body is no quotation.
const NEW_TEXT: &str = "new_text";
/// A message of more parts is for a person.
const MAX_PARTS: usize = 1_000;
/// A Message-ID is an identifier; what is longer is cut, in bytes.
const MAX_MESSAGE_ID: usize = 998;

impl Fields {
    /// `None` where the message has no such field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// As `get`, with the one value of a header field that repeats it; an empty field counts as absent, since nothing can
    /// be looked up by it.
    pub fn present(&self, name: &str) -> Option<&str> {
        self.get(name).map(|value| one_value(name, value)).filter(|value| !value.trim().is_empty())
    }

    /// Says so where the header field of this name stands several times in the message with different values: who sends it
    /// may have added theirs. What every server on the way may add is looked through.
    pub fn several(&self, name: &str) -> Option<String> {
        if !name.starts_with("header.") || is_trace(name) {
            return None;
        }
        let count = values(name, self.present(name)?).count();
        (count > 1).then(|| format!("{name} stands {count} times in the message"))
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let value = value.replace('\0', "\u{fffd}");
        self.unread.remove(name);
        // Cut before it is composed: a few texts are longer then, of which nothing is to be lost.
        self.values.insert(name.to_owned(), composed(cut(&value, MAX_FIELD)).into_owned());
    }

    /// Takes the field's value away, whoever gave it.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// The body, and what is new in it as it is kept.
    fn set_body(&mut self, text: &str, new_text: impl FnOnce(&str) -> String) {
        self.set("body", text);
        if let Some(new) = self.get("body").map(new_text) {
            self.values.insert(NEW_TEXT.to_owned(), new);
        }
    }

    /// What the message's carrier said of it. A message cannot say so itself: these are no header fields.
    pub fn set_envelope(&mut self, envelope: &Envelope) {
        self.set("mailbox", &envelope.mailbox);
        for (name, value) in [
            ("envelope_from", &envelope.from),
            ("spf", &envelope.spf),
            ("dkim", &envelope.dkim),
            ("dmarc", &envelope.dmarc),
            ("arc", &envelope.arc),
        ] {
            if let Some(value) = value {
                self.set(name, value);
            }
        }
        if !envelope.to.is_empty() {
            self.set("envelope_to", &envelope.to.join(", "));
        }
    }

    /// When it is for the message: when it came. What a rule says of `today` must not hang on how long a message waited, or
    /// when it was looked at again.
    pub fn as_of(&self) -> chrono::DateTime<chrono::Utc> {
        let received_at =
            self.get("received_at").and_then(|at| chrono::DateTime::parse_from_rfc3339(at).ok());
        received_at.map_or_else(chrono::Utc::now, |at| at.to_utc())
    }

    /// A value in the one form of its kind, as `FieldType` says.
    pub fn set_typed(&mut self, name: &str, value: &str, kind: FieldType) {
        self.set(name, value);
        if kind != FieldType::Text {
            self.kinds.insert(name.to_owned(), kind);
        }
    }

    /// That an extractor found something for the field, and why it is no value. One that another read stays.
    pub fn set_unread(&mut self, name: &str, why: &str) {
        if !self.values.contains_key(name) {
            self.unread.insert(name.to_owned(), why.to_owned());
        }
    }

    /// Why the field has no value though an extractor found something for it.
    pub fn unread(&self, name: &str) -> Option<&str> {
        self.unread.get(name).map(String::as_str)
    }

    /// Those of which `unread` says something.
    pub fn unread_names(&self) -> impl Iterator<Item = &str> {
        self.unread.keys().map(String::as_str)
    }

    pub fn kind(&self, name: &str) -> FieldType {
        self.kinds.get(name).copied().unwrap_or(FieldType::Text)
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// For showing.
    pub fn to_json(&self) -> Map<String, Value> {
        self.iter().map(|(name, value)| (name.to_owned(), cut(value, MAX_STORED).into())).collect()
    }

    /// For storing, as `restored` reads it: of most messages `new_text` is the body, which is not stored twice.
    pub fn to_stored(&self) -> Map<String, Value> {
        let mut fields = self.to_json();
        match (fields.get("body"), fields.get(NEW_TEXT)) {
            (Some(body), Some(new)) if body == new => {
                fields.shift_remove(NEW_TEXT);
            }
            // An extractor has its name, and found nothing.
            (Some(_), None) => {
                fields.insert(NEW_TEXT.to_owned(), Value::Null);
            }
            _ => {}
        }
        fields
    }
}

/// The fields of a message as they are stored, as `to_json` gave them. Of one that was stored before there was `new_text`,
/// the body is all new.
pub fn restored(mut fields: Map<String, Value>) -> Map<String, Value> {
    match (fields.get(NEW_TEXT), fields.get("body")) {
        (Some(Value::Null), _) => {
            fields.shift_remove(NEW_TEXT);
        }
        (None, Some(body)) => {
            let body = body.clone();
            fields.insert(NEW_TEXT.to_owned(), body);
        }
        _ => {}
    }
    fields
}

/// A text in the one form in which texts are compared: a letter with its accents is one character wherever there is one for
/// it (Unicode's NFC), a space at which no line may break is a space, and what only says where one may break is left out.
/// Programs write either, as in the names of files from a Mac or in HTML, and a person sees no difference.
pub fn composed(text: &str) -> Cow<'_, str> {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    if !text.contains(|character: char| as_seen(character) != Some(character)) {
        return NFC.normalize(text);
    }
    let seen: String = text.chars().filter_map(as_seen).collect();
    NFC.normalize(&seen).into_owned().into()
}

/// A character as a person sees it, if one does.
fn as_seen(character: char) -> Option<char> {
    match character {
        // No-break space, figure space, narrow no-break space.
        '\u{a0}' | '\u{2007}' | '\u{202f}' => Some(' '),
        // Soft hyphen, zero width space, word joiner, zero width no-break space.
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' => None,
        other => Some(other),
    }
}

/// Whether programs write such a field, and its numbers with it.
pub fn is_by_programs(name: &str) -> bool {
    name.starts_with("header.") && !name.eq_ignore_ascii_case("header.subject")
}

/// Whether each server on the way may add such a header field, so that honest messages have several (RFC 5321, 5322, 6376,
/// 7208, 8601, 8617): what is looked for in them stands in one.
pub fn is_trace(name: &str) -> bool {
    name.strip_prefix("header.").is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        TRACE.contains(&name.as_str()) || name.starts_with("arc-") || name.starts_with("resent-")
    })
}

const TRACE: [&str; 6] =
    ["authentication-results", "delivered-to", "dkim-signature", "received", "received-spf", "return-path"];

/// The values of a field, of which a header field may have several: `headers` puts each on a line.
pub fn values<'v>(name: &str, text: &'v str) -> impl Iterator<Item = &'v str> + use<'v> {
    let is_header = name.starts_with("header.");
    text.split(move |character: char| is_header && character == '\n')
}

/// The value of a field: a header field that says the same each time that it stands in the message has one.
pub fn one_value<'v>(name: &str, text: &'v str) -> &'v str {
    if !name.starts_with("header.") {
        return text;
    }
    let mut values = values(name, text);
    if let Some(first) = values.next()
        && values.all(|value| value == first)
    {
        return first;
    }
    text
}

fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// A message as it was read.
#[derive(Debug)]
pub struct Parsed {
    pub fields: Fields,
    pub message_id: String,
    /// Why it could not be read as a message, if so; the fields then hold what could be made out.
    pub error: Option<String>,
}

/// As `parse`, away from the threads that answer requests: a large message takes a while.
pub async fn parse_aside(raw: Vec<u8>, received_at: chrono::DateTime<chrono::Utc>) -> (Vec<u8>, Parsed) {
    aside::run(move || {
        let parsed = parse(&raw, received_at);
        (raw, parsed)
    })
    .await
}

/// Reads a message (RFC 5322, MIME) with mail-parser. Never fails: what cannot be read is told and kept.
pub fn parse(raw: &[u8], received_at: chrono::DateTime<chrono::Utc>) -> Parsed {
    let mut fields = Fields::default();
    fields.set("received_at", &received_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    let (message, is_whole) = match mime::read(raw) {
        Read::Whole(message) => (Some(message), true),
        Read::Head(message) => (Some(message), false),
        Read::Nothing => (None, false),
    };
    let Some(message) = message.filter(|message| !message.headers().is_empty()) else {
        fields.set_body(&mime::in_lines(&String::from_utf8_lossy(raw)), str::to_owned);
        let error = Some("it has no header, so it is no message (RFC 5322)".to_owned());
        return Parsed { fields, message_id: String::new(), error };
    };
    addresses(&message, &mut fields);
    fields.set("subject", message.subject().unwrap_or_default());
    let mut fault = None;
    if is_whole {
        let said = mime::text_of(&message, MAX_FIELD);
        fault = said.fault;
        let names_another = !message.in_reply_to().is_empty() || !message.references().is_empty();
        let is_answer = new_text::is_answer(fields.get("subject").unwrap_or_default(), names_another);
        let new = |body: &str| if is_answer { new_text::of(body, &said.marks) } else { body.to_owned() };
        if let Some(body) = &said.text {
            fields.set_body(body, new);
        }
    } else {
        let text = String::from_utf8_lossy(&raw[..raw.len().min(MAX_FIELD)]);
        fields.set_body(&mime::in_lines(&text), str::to_owned);
    }
    let message_id = message.message_id().unwrap_or_default().to_owned();
    fields.set("message_id", &message_id);
    let names: Vec<&str> =
        message.attachments().map(|part| part.attachment_name().unwrap_or("unnamed")).collect();
    fields.set("attachment_count", &names.len().to_string());
    let names = names.join(", ").replace('\0', "\u{fffd}");
    fields.set("attachment_names", &names);
    let are_all_read = headers(&message, &mut fields);
    let has_sender = fields.present("sender_email").is_some();
    let is_hardly_one =
        !has_sender && message.from().is_none() && message.date().is_none() && message.subject().is_none();
    let error = if !is_whole || message.parts.len() > MAX_PARTS {
        Some(format!(
            "it has more parts than are read ({MAX_PARTS}), or they lie too deeply within one another"
        ))
    } else if is_hardly_one {
        Some(
            "it has neither From, Date nor Subject, so it is hardly a message (RFC 5322, section 3.6)".into(),
        )
    } else if !are_all_read {
        Some("its header is longer than is read".to_owned())
    } else if names.len() > MAX_FIELD {
        Some("the names of its files are longer than is read".to_owned())
    } else {
        fault.map(str::to_owned)
    };
    let message_id = cut(&message_id, MAX_MESSAGE_ID).replace('\0', "\u{fffd}");
    Parsed { fields, message_id, error }
}

fn addresses(message: &Message<'_>, fields: &mut Fields) {
    let first = |address: Option<&Address<'_>>| -> Option<(String, String)> {
        let found = address?.first()?;
        let email = address::in_one_form(found.address.as_deref().unwrap_or_default());
        Some((email, found.name.as_deref().unwrap_or_default().trim().to_owned()))
    };
    if let Some((email, name)) = first(message.from()) {
        fields.set("sender_domain", email.rsplit_once('@').map_or("", |(_, domain)| domain));
        fields.set("sender_email", &email);
        fields.set("sender_name", &name);
    }
    if let Some((email, _)) = first(message.to()) {
        fields.set("recipient_email", &email);
    }
    if let Some((email, _)) = first(message.reply_to()) {
        fields.set("reply_to", &email);
    }
}

/// `header.<name>`: decoded where it is text or names people, as it stands otherwise; several of one name on a line each.
/// Whether that is all of them.
fn headers(message: &Message<'_>, fields: &mut Fields) -> bool {
    // Each name once: joining at every repeat would cost the square of their number.
    let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut left = MAX_HEADERS;
    let mut are_all = message.headers().len() <= MAX_HEADER_COUNT;
    for header in message.headers().iter().take(MAX_HEADER_COUNT) {
        let name = format!("header.{}", header.name().to_ascii_lowercase());
        if !crate::shared::template::is_field_name(&name) {
            continue;
        }
        let raw = message
            .raw_message()
            .get(header.offset_start() as usize..header.offset_end() as usize)
            .map(|bytes| unfold(&String::from_utf8_lossy(bytes)))
            .unwrap_or_default();
        let value = match header.value() {
            HeaderValue::Text(text) => unfold(text),
            HeaderValue::TextList(texts) => unfold(&texts.join(", ")),
            // What looks encoded still would be read otherwise once more.
            HeaderValue::Address(addresses) if raw.contains("=?") => {
                let listed = Some(unfold(&address::listed(addresses)));
                listed.filter(|listed| !composed(listed).contains("=?")).unwrap_or(raw)
            }
            _ => raw,
        };
        are_all &= value.len() <= left;
        let value = cut(&value, left).to_owned();
        left -= value.len();
        values.entry(name).or_default().push(value);
    }
    for (name, values) in values {
        fields.set(&name, &values.join("\n"));
    }
    are_all
}

/// Folding white space is one space (RFC 5322, section 2.2.3).
fn unfold(raw: &str) -> String {
    raw.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(raw: &str) -> Parsed {
        parse(raw.as_bytes(), chrono::DateTime::UNIX_EPOCH)
    }

    #[test]
    fn the_parts_of_a_message_become_fields() {
        let parsed = fields(
            "From: =?utf-8?q?Zo=C3=AB?= <Zoe@Example.COM>\r\nTo: Sales <sales@acme.example>, b@c.d\r\n\
             Reply-To: other@example.com\r\nSubject: =?utf-8?b?UsO8Y2tzZW5kdW5n?=\r\nMessage-ID: <1@x>\r\n\
             Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nX-Thing: one\r\n two\r\nList-Unsubscribe: <http://x.example/u>\r\n\r\nHello",
        );
        for (name, value) in [
            ("sender_email", "zoe@example.com"),
            ("sender_domain", "example.com"),
            ("sender_name", "Zoë"),
            ("recipient_email", "sales@acme.example"),
            ("reply_to", "other@example.com"),
            ("subject", "Rücksendung"),
            ("body", "Hello"),
            ("message_id", "1@x"),
            ("attachment_count", "0"),
            ("received_at", "1970-01-01T00:00:00Z"),
            ("header.x-thing", "one two"),
        ] {
            assert_eq!(parsed.fields.get(name), Some(value), "{name}");
        }
        assert!(
            parsed.fields.get("header.list-unsubscribe").is_some_and(|v| v.contains("http://x.example/u"))
        );
        assert_eq!(parsed.error, None);
        assert_eq!(parsed.fields.present("attachment_names"), None);
    }

    #[test]
    fn names_of_people_are_decoded_and_no_more_of_such_a_header_is_changed() {
        let parsed = fields(
            "From: =?utf-8?q?Zo=C3=AB?= <Zoe+A@X.example>\nTo: service@acme.example,\n =?UTF-8?Q?M=C3=BCller=2C?=\n \
             =?UTF-8?Q?_Hans?= <m@x.example>\nCc: <n@x.example> (Nora)\n\n",
        );
        for (name, value) in [
            ("header.from", "Zoë <Zoe+A@X.example>"),
            ("header.to", "service@acme.example, \"Müller, Hans\" <m@x.example>"),
            ("header.cc", "<n@x.example> (Nora)"),
        ] {
            assert_eq!(parsed.fields.get(name), Some(value), "{name}");
        }
        for odd in ["=?utf-8?q?nobody <m@x.example>", "=?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?= <m@x.example>"] {
            assert_eq!(fields(&format!("Subject: x\nTo: {odd}\n\n")).fields.get("header.to"), Some(odd));
        }
    }

    #[test]
    fn what_stands_before_the_at_may_be_of_any_letters() {
        let parsed = fields(
            "From: Mu\u{308}ller <MU\u{308}LLER@Bücher.example>\nTo: <岡田@x.example>\nReply-To: <zoë@y.example>\n\n",
        );
        for (name, value) in [
            ("sender_email", "müller@xn--bcher-kva.example"),
            ("sender_domain", "xn--bcher-kva.example"),
            ("sender_name", "Müller"),
            ("recipient_email", "岡田@x.example"),
            ("reply_to", "zoë@y.example"),
        ] {
            assert_eq!(parsed.fields.get(name), Some(value), "{name}");
        }
    }

    #[test]
    fn headers_without_end_are_read_to_a_bound() {
        let many = "A: b\n".repeat(200_000);
        let parsed = fields(&format!("Subject: x\n{many}\nbody"));
        let lines = parsed.fields.get("header.a").map(|value| value.lines().count());
        assert_eq!(lines, Some(MAX_HEADER_COUNT - 1));
        assert!(parsed.error.is_some_and(|error| error.contains("its header is longer")));
        let long = format!("Message-ID: <{}@x>\nX-Long: {}\n\n", "m".repeat(5_000), "y".repeat(300_000));
        let parsed = fields(&long);
        assert_eq!(parsed.message_id.len(), MAX_MESSAGE_ID);
        assert!(parsed.fields.get("header.x-long").is_some_and(|value| value.len() <= MAX_HEADERS));
        assert!(
            fields(&format!("Subject: x\n{long}"))
                .error
                .is_some_and(|error| error.contains("its header is longer"))
        );
        let file = "--x\nContent-Disposition: attachment; filename=";
        let names = format!("{file}{}\n\n1\n{file}evil.exe\n\n1\n--x--\n", "y".repeat(MAX_FIELD));
        let parsed = fields(&format!("Subject: x\nContent-Type: multipart/mixed; boundary=x\n\n{names}"));
        assert!(parsed.error.is_some_and(|error| error.contains("the names of its files")));
    }

    #[test]
    fn a_letter_is_one_however_its_accents_were_written() {
        let parsed = fields(
            "Subject: Ku\u{308}ndigung\nX-Name: Zoe\u{308}\nContent-Type: text/plain; charset=utf-8\n\ncafe\u{301}",
        );
        for (name, value) in [("subject", "Kündigung"), ("header.x-name", "Zoë"), ("body", "café")] {
            assert_eq!(parsed.fields.get(name), Some(value));
        }
        // Longer once it is composed, and nothing of it is lost.
        let mut fields = Fields::default();
        fields.set("body", &format!("{}end", "\u{958}".repeat(MAX_FIELD / 3 - 1)));
        assert!(fields.get("body").is_some_and(|body| body.ends_with("end") && body.len() > MAX_FIELD));
    }

    #[test]
    fn a_space_is_one_however_it_was_written_and_what_nobody_sees_is_not_there() {
        let parsed = fields(
            "Subject: my\u{a0}order\nX-Sum: 1\u{202f}042\nContent-Type: text/html; charset=utf-8\n\n\
             <p>10&nbsp;42 or\u{2007}der Bestell&shy;num\u{200b}mer\u{2060} e\u{feff}\u{301}</p>",
        );
        for (name, value) in
            [("subject", "my order"), ("header.x-sum", "1 042"), ("body", "10 42 or der Bestellnummer é")]
        {
            assert_eq!(parsed.fields.get(name), Some(value));
        }
    }

    #[test]
    fn an_end_of_a_line_that_html_writes_out_is_one_with_what_follows() {
        for (html, body) in [
            ("<pre>a&#13;<br>b</pre>", "a\nb"),
            ("<pre>a&#13;<b></b>\nb", "a\nb"),
            ("<pre>a&#13;<!-- -->\nb", "a\nb"),
            ("<pre>a&#13;&#13;</pre><p>b", "a\n\n\nb"),
        ] {
            let parsed = fields(&format!("Subject: x\nContent-Type: text/html\n\n{html}"));
            assert_eq!(parsed.fields.get("body"), Some(body), "{html}");
        }
    }

    #[test]
    fn what_is_new_is_stored_where_it_is_not_all_of_the_body() {
        let stored = |raw: &str, change: &dyn Fn(&mut Fields)| {
            let mut fields = fields(raw).fields;
            change(&mut fields);
            let stored = fields.to_stored();
            assert_eq!(restored(stored.clone()), fields.to_json(), "{raw}");
            stored.get(NEW_TEXT).cloned()
        };
        assert_eq!(stored("Subject: x\n\nhello", &|_| {}), None);
        assert_eq!(stored("Subject: Re: x\n\nhello\n> what?", &|_| {}), Some("hello".into()));
        assert_eq!(stored("Subject: x\nContent-Type: application/pdf\n\n1", &|_| {}), None);
        assert_eq!(stored("Subject: x\n\nhello", &|fields| fields.unset(NEW_TEXT)), Some(Value::Null));
        let long = "x".repeat(2 * MAX_STORED);
        assert_eq!(stored(&format!("Subject: Re: x\n\n{long}\n> what?"), &|_| {}), None);
        let before = Map::from_iter([("body".to_owned(), Value::from("hello\n> what?"))]);
        assert_eq!(restored(before.clone()).get(NEW_TEXT), before.get("body"));
        assert_eq!(restored(Map::new()), Map::new());
    }

    #[test]
    fn a_field_that_was_not_read_is_until_it_is_set() {
        let mut fields = Fields::default();
        fields.set_unread("total", "'lots' is no money");
        assert_eq!(fields.unread("total"), Some("'lots' is no money"));
        assert_eq!((fields.get("total"), fields.present("total")), (None, None));
        fields.set_typed("total", "5 EUR", FieldType::Money);
        assert_eq!((fields.unread("total"), fields.present("total")), (None, Some("5 EUR")));
        fields.set_unread("total", "'lots' is no money");
        assert_eq!((fields.unread("total"), fields.unread_names().count()), (None, 0));
    }

    #[test]
    fn the_values_of_a_header_field_are_told_apart() {
        let parsed = fields("Subject: x\nX-List: a\nx-list: b\n c\n\none\ntwo");
        let values_of = |name| values(name, parsed.fields.get(name).expect("the field")).collect::<Vec<_>>();
        assert_eq!(values_of("header.x-list"), ["a", "b c"]);
        assert_eq!(values_of("body"), ["one\ntwo"]);
    }

    #[test]
    fn a_header_field_that_repeats_its_value_has_one_and_others_are_told() {
        let parsed = fields(
            "Subject: x\nX-Once: a\nX-Same: a\nX-Same: a\nX-List: a\nX-List: a\nX-List: b\nReceived: a\n\
             Received: b\nX-Empty:\nX-Empty:\n\nsame\nsame",
        );
        for (name, value, count) in [
            ("header.x-once", Some("a"), None),
            ("header.x-same", Some("a"), None),
            ("header.x-list", Some("a\na\nb"), Some(3)),
            ("header.received", Some("a\nb"), None),
            ("header.x-empty", None, None),
            ("body", Some("same\nsame"), None),
        ] {
            assert_eq!(parsed.fields.present(name), value, "{name}");
            let words = count.map(|count| format!("{name} stands {count} times in the message"));
            assert_eq!(parsed.fields.several(name), words, "{name}");
        }
    }

    #[test]
    fn a_part_that_was_read_after_all_is_no_file() {
        let head = "From: a@b.example\nSubject: x\nContent-Type: multipart/mixed; boundary=x\n\n--x\n";
        let part =
            "Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n";
        let parsed = fields(&format!("{head}{part}=A3 5=\n0 x==y \n--x--\n"));
        assert_eq!(parsed.fields.get("body"), Some("£ 50 x==y"));
        assert_eq!(parsed.fields.get("attachment_count"), Some("0"));
        assert_eq!(parsed.error, None);
        // A file's name, or a picture's place, makes it one.
        let file =
            "--x\nContent-Type: text/plain; name=a.txt\nContent-Transfer-Encoding: quoted-printable\n\nx==\n";
        let parsed = fields(&format!("{head}Content-Type: text/plain\n\nhello\n{file}--x--\n"));
        assert_eq!(parsed.fields.get("body"), Some("hello"));
        assert_eq!(parsed.fields.get("attachment_names"), Some("a.txt"));
        assert_eq!(parsed.error, None);
    }

    #[test]
    fn what_is_no_message_is_told_and_kept() {
        assert!(fields("").error.is_some());
        assert!(fields("just a line of text without any header at all").error.is_some());
        assert_eq!(fields("Subject: a\0b\r\n\r\nx\0y").fields.get("subject"), Some("a\u{fffd}b"));
    }

    #[test]
    fn a_message_of_parts_without_end_is_told_and_kept() {
        let part = "--x\nContent-Type: text/plain\n\nhello\n";
        let head = "From: a@b.example\nSubject: many\nContent-Type: multipart/mixed; boundary=x\n\n";
        for count in [1_001, 200_000] {
            let parsed = fields(&format!("{head}{}--x--\n", part.repeat(count)));
            assert!(parsed.error.as_ref().is_some_and(|error| error.contains("more parts")), "{count}");
            assert_eq!(parsed.fields.get("subject"), Some("many"));
            assert_eq!(parsed.fields.get("sender_email"), Some("a@b.example"));
            assert!(parsed.fields.get("body").is_some_and(|body| body.contains("hello")));
        }
        assert_eq!(fields(&format!("{head}{}--x--\n", part.repeat(900))).error, None);
    }

    /// Lines of a message, of which few make a whole one.
    const LINES: &str = "--[xy](--)?|Content-Type: (text/(plain|html)|message/rfc822)|\
        Content-Type: multipart/(mixed|alternative|related|digest); boundary=[xy]|\
        Content-Transfer-Encoding: (base64|quoted-printable)|[=<>&!a-zA-Z0-9 ]{0,9}|";

    proptest! {
        #[test]
        fn no_parts_crash_the_reading(lines in proptest::collection::vec(LINES, 0..40)) {
            let parsed = fields(&format!("Subject: x\r\nX-Y: z\r\n{}", lines.join("\r\n")));
            prop_assert_eq!(parsed.fields.get("subject"), Some("x"));
        }

        #[test]
        fn no_bytes_crash_the_reading_and_no_field_holds_nul(raw in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let parsed = parse(&raw, chrono::DateTime::UNIX_EPOCH);
            for value in parsed.fields.to_json().values() {
                prop_assert!(!value.as_str().is_some_and(|text| text.contains('\0')));
            }
        }
    }
}
