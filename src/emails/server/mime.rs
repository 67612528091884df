//! Reads a message (RFC 5322, MIME) with mail-parser, within bounds.
//!
//! Its time grows with the number of parts that hold others times the length, and what it makes of messages within
//! messages is taken apart by recursion: a message could be made to hold a server up, or to end it. So what may hold parts
//! is counted first, in the bytes alone; rather too much than too little.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    iter,
};

use mail_parser::{
    Message, MessageParser, MessagePart, MessagePartId, MimeHeaders, PartType,
    decoders::{base64::base64_decode, charsets::map::charset_decoder},
};

use super::{inner_text, new_text::Marks, tree::Taken};

/// What may hold parts: multiparts, and messages within the message.
const MAX_HOLDERS: usize = 200;
/// Lines that may begin a part. Most are none: rules in a text look the same.
const MAX_LINES: usize = 50_000;
/// How often the parser decodes a message that lies encoded within one.
const MAX_ENCODED: usize = 3;

/// What was made out of a message's bytes.
pub enum Read<'a> {
    Whole(Message<'a>),
    /// Its header fields alone: reading its parts would take too long.
    Head(Message<'a>),
    /// It is none.
    Nothing,
}

pub fn read(raw: &[u8]) -> Read<'_> {
    let parser = MessageParser::default();
    let found = if is_bounded(raw, &mut 0, MAX_ENCODED) {
        parser.parse(raw).map(|message| Read::Whole(mended(message)))
    } else {
        parser.parse_headers(raw).map(Read::Head)
    };
    found.unwrap_or(Read::Nothing)
}

/// The message with its parts, where they are read.
pub fn whole(raw: &[u8]) -> Option<Message<'_>> {
    match read(raw) {
        Read::Whole(message) => Some(message),
        Read::Head(_) | Read::Nothing => None,
    }
}

/// What a message says, as text.
pub struct Said {
    /// As `in_lines` gives it. None where it says nothing.
    pub text: Option<String>,
    /// Which of its lines are quoted, where that is marked beside the text.
    pub marks: Marks,
    /// Why there is more than could be read, in words that follow its name.
    pub fault: Option<&'static str>,
}

/// What the message says: all its parts of text, one below the other. Where it says the same in several ways, what it
/// says in text alone, unless that is empty. Not read further than some bytes more than `enough`.
///
/// There are several where a picture stands between them, as Apple's programs write it, or a list adds a line of its own.
pub fn text_of(message: &Message<'_>, enough: usize) -> Said {
    let bodies: HashSet<MessagePartId> =
        message.text_body.iter().chain(&message.html_body).copied().collect();
    let is_damaged =
        bodies.iter().any(|id| part_of(message, *id).is_some_and(|part| part.is_encoding_problem));
    let mut reading = Reading {
        message,
        bodies,
        enough,
        text: String::new(),
        lines: 0,
        marks: Marks::default(),
        taken: Taken::default(),
        is_hard: false,
    };
    reading.part(0);
    let Reading { text, marks, is_hard, .. } = reading;
    let fault = if is_damaged {
        Some("a part of its text is damaged")
    } else if is_hard {
        Some("its HTML would take too long to read")
    } else if text.len() > enough {
        Some("its text is longer than is read")
    } else {
        None
    };
    Said { text: (!text.is_empty()).then_some(text), marks, fault }
}

fn part_of<'m, 'a>(message: &'m Message<'a>, id: MessagePartId) -> Option<&'m MessagePart<'a>> {
    message.parts.get(id as usize)
}

/// What was read of a message's parts so far.
struct Reading<'m, 'a> {
    message: &'m Message<'a>,
    /// Those that are text to read; others are files.
    bodies: HashSet<MessagePartId>,
    enough: usize,
    text: String,
    /// How many line ends the text has.
    lines: usize,
    marks: Marks,
    /// For all HTML together: a message may have many parts.
    taken: Taken,
    /// Some HTML would take too long. Nothing behind it is read.
    is_hard: bool,
}

impl Reading<'_, '_> {
    fn part(&mut self, id: MessagePartId) {
        let Some(part) = part_of(self.message, id) else { return };
        if self.is_hard || self.text.len() > self.enough {
            return;
        }
        match &part.body {
            PartType::Multipart(within) if part.is_content_type("multipart", "alternative") => {
                let (rich, plain): (Vec<MessagePartId>, Vec<MessagePartId>) =
                    within.iter().copied().partition(|id| self.has_html(*id));
                let before = self.text.len();
                plain.into_iter().for_each(|id| self.part(id));
                // Some programs send an empty text along with what is said in HTML.
                if self.text.len() == before {
                    rich.into_iter().for_each(|id| self.part(id));
                }
            }
            PartType::Multipart(within) => within.iter().for_each(|id| self.part(*id)),
            PartType::Text(text) if self.bodies.contains(&id) => self.add(text, Marks::default()),
            PartType::Html(html) if self.bodies.contains(&id) => {
                match inner_text::of(html, &mut self.taken) {
                    Some(said) => self.add(&said.text, said.marks),
                    None => {
                        self.is_hard = true;
                        // A person is to see something of it.
                        self.add(&html[..html.floor_char_boundary(self.enough)], Marks::default());
                    }
                }
            }
            _ => {}
        }
    }

    fn has_html(&self, id: MessagePartId) -> bool {
        part_of(self.message, id).is_some_and(|part| match &part.body {
            PartType::Multipart(within) => within.iter().any(|id| self.has_html(*id)),
            PartType::Html(_) => self.bodies.contains(&id),
            _ => false,
        })
    }

    fn add(&mut self, text: &str, marks: Marks) {
        let text = in_lines(text);
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push('\n');
            self.lines += 1;
        }
        self.marks.add(marks, self.lines);
        self.lines += text.matches('\n').count();
        self.text += &text;
    }
}

/// A text whose lines end with LF alone, without white space at its end, and without NUL.
pub fn in_lines(text: &str) -> String {
    with_lf(text.trim_end()).replace('\0', "\u{fffd}")
}

/// The text with lines that end with LF alone.
pub fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// The message with the parts of text that the parser cannot decode by the letter, read as far as they go and put where
/// they belong: it takes them for files. Where some of a part is lost, it stays marked as a problem.
fn mended(mut message: Message<'_>) -> Message<'_> {
    let damaged: Vec<MessagePartId> =
        (0..).zip(&message.parts).filter(|(_, part)| is_damaged(part)).map(|(id, _)| id).collect();
    if damaged.is_empty() {
        return message;
    }
    let holders = holders(&message);
    let found: Vec<(MessagePartId, Mended)> =
        damaged.into_iter().filter_map(|id| Some((id, mend(&message, &holders, id)?))).collect();
    let ids: HashSet<MessagePartId> = found.iter().map(|(id, _)| *id).collect();
    message.attachments.retain(|id| !ids.contains(id));
    for (id, Mended { text, is_html, is_lost, is_one_of_several }) in found {
        if !is_html || !is_one_of_several {
            message.text_body.push(id);
        }
        if is_html || !is_one_of_several {
            message.html_body.push(id);
        }
        if let Some(part) = message.parts.get_mut(id as usize) {
            part.is_encoding_problem = is_lost;
            part.body = if is_html { PartType::Html(text.into()) } else { PartType::Text(text.into()) };
        }
    }
    for bodies in [&mut message.text_body, &mut message.html_body] {
        bodies.sort_unstable();
        bodies.dedup();
    }
    message
}

/// A part of text that was read after all.
struct Mended {
    text: String,
    is_html: bool,
    is_lost: bool,
    /// Whether others say the same.
    is_one_of_several: bool,
}

/// Whether it is text that the parser could not decode, or parts between which it found no boundary.
fn is_damaged(part: &MessagePart<'_>) -> bool {
    let is_file = part.content_disposition().is_some_and(|said| said.is_attachment());
    let is_text = part.content_type().is_none()
        || part.is_content_type("text", "plain")
        || part.is_content_type("text", "html");
    let is_unread = is_unsplit(part) || is_text && part.is_encoding_problem;
    is_unread && !is_file && matches!(part.body, PartType::Text(_))
}

fn is_unsplit(part: &MessagePart<'_>) -> bool {
    part.content_type().is_some_and(|kind| kind.ctype().eq_ignore_ascii_case("multipart"))
}

/// The multipart that each part lies in.
fn holders(message: &Message<'_>) -> HashMap<MessagePartId, MessagePartId> {
    let mut holders = HashMap::new();
    for (id, part) in (0..).zip(&message.parts) {
        if let PartType::Multipart(within) = &part.body {
            holders.extend(within.iter().map(|inner| (*inner, id)));
        }
    }
    holders
}

/// None where it is a file after all: one with a name, or one that another part shows.
fn mend(
    message: &Message<'_>,
    holders: &HashMap<MessagePartId, MessagePartId>,
    id: MessagePartId,
) -> Option<Mended> {
    let part = part_of(message, id)?;
    let around = || {
        let ids = iter::successors(holders.get(&id).copied(), move |id| holders.get(id).copied());
        ids.filter_map(move |id| part_of(message, id))
    };
    if let Some(holder) = around().next() {
        let is_first = matches!(&holder.body, PartType::Multipart(within) if within.first() == Some(&id));
        let is_named = part.content_type().is_some_and(|kind| kind.has_attribute("name"));
        if !is_first && (is_named || holder.is_content_type("multipart", "related")) {
            return None;
        }
    }
    let content = message.raw_message.get(part.offset_body as usize..part.offset_end as usize)?;
    // Without its own boundary it goes on over those of what it lies in.
    let boundaries: Vec<&str> =
        around().filter_map(|holder| holder.content_type()?.attribute("boundary")).collect();
    let (content, is_overrun) = match before_boundary(content, &boundaries) {
        Some(own) => (own, true),
        None => (content, false),
    };
    let (bytes, is_lost) = decoded(content, part.content_transfer_encoding().unwrap_or_default());
    let charset = part.content_type().and_then(|kind| kind.attribute("charset"));
    let text = match charset.and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decode) => decode(&bytes),
        None => String::from_utf8_lossy(&bytes).into_owned(),
    };
    Some(Mended {
        is_lost: is_lost || is_overrun || is_unsplit(part) && !text.trim().is_empty(),
        text,
        is_html: part.is_content_type("text", "html"),
        is_one_of_several: around().any(|holder| holder.is_content_type("multipart", "alternative")),
    })
}

/// What stands before the first line that is one of the boundaries, if one is.
fn before_boundary<'c>(content: &'c [u8], boundaries: &[&str]) -> Option<&'c [u8]> {
    let mut at = 0;
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let mark = line.strip_prefix(b"--");
        if mark.is_some_and(|mark| boundaries.iter().any(|boundary| mark.starts_with(boundary.as_bytes()))) {
            return Some(&content[..at]);
        }
        at += line.len();
    }
    None
}

/// What the encoded bytes come to, as far as they can be read, and whether some of it is lost.
fn decoded<'c>(content: &'c [u8], encoding: &str) -> (Cow<'c, [u8]>, bool) {
    if encoding.eq_ignore_ascii_case("quoted-printable") {
        // RFC 2045, section 6.7, asks for as much.
        return (unquoted(content).into(), false);
    }
    if !encoding.eq_ignore_ascii_case("base64") || content.trim_ascii().is_empty() {
        return (content.into(), false);
    }
    match base64_and_below(content) {
        Some(bytes) => (bytes.into(), false),
        None => (content.into(), true),
    }
}

/// Base64, below which a mailing list may have put lines of its own in plain text: they stand as they are. None where it
/// does not say itself that it has ended before what is not base64, or where more of it follows.
fn base64_and_below(content: &[u8]) -> Option<Vec<u8>> {
    let mut end = 0;
    let mut has_ended = false;
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        let encoded = line.trim_ascii();
        if has_ended || !encoded.iter().all(is_base64) {
            break;
        }
        end += line.len();
        has_ended = encoded.ends_with(b"=");
    }
    let (head, below) = content.split_at(end);
    let below = below.trim_ascii();
    let is_encoded = |line: &[u8]| line.len() >= ENCODED_LINE && line.iter().all(is_base64);
    let goes_on = below.split(|&byte| byte == b'\n').any(|line| is_encoded(line.trim_ascii()));
    if goes_on || !has_ended && !below.is_empty() {
        return None;
    }
    let mut found = base64_decode(head)?;
    if !below.is_empty() {
        found.push(b'\n');
        found.extend_from_slice(below);
    }
    Some(found)
}

/// No word is as long: such a line is base64. Unit: bytes.
const ENCODED_LINE: usize = 40;

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// The HTML that the message itself brings, with the texts between its parts: none is made up from text alone.
pub fn html_of<'a>(message: &'a Message<'_>) -> Option<Cow<'a, str>> {
    if !message.html_bodies().any(|part| matches!(part.body, PartType::Html(_))) {
        return None;
    }
    let mut parts = (0..message.html_body_count()).filter_map(|part| message.body_html(part));
    let first = parts.next()?;
    Some(parts.fold(first, |whole, part| Cow::from(whole.into_owned() + &part)))
}

/// Whether there are so few parts and holders of parts that the parser can be let at it. `encoded` is how many times it
/// would still decode a message within.
fn is_bounded(raw: &[u8], holders: &mut usize, encoded: usize) -> bool {
    let messages = count(raw, b"message", is_type);
    let multiparts = count(raw, b"multipart", |_| true);
    *holders += messages + multiparts;
    if messages + multiparts == 0 {
        return true;
    }
    let mut lines = 0;
    for line in raw.split(|&byte| byte == b'\n') {
        lines += usize::from(line.windows(2).any(|pair| pair == b"--"));
    }
    if *holders > MAX_HOLDERS || lines > MAX_LINES {
        return false;
    }
    // What a digest holds are messages, whether it says so or not.
    if encoded == 0 || messages + count(raw, b"digest", |_| true) == 0 {
        return true;
    }
    let mut rest = raw;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let (line, next) = rest.split_at(end + 1);
        rest = next;
        let inner = match encoding(line) {
            None => continue,
            Some(Encoding::Base64) => payloads(next).into_iter().filter_map(base64_decode).collect(),
            Some(Encoding::QuotedPrintable) => vec![unquoted(next)],
            Some(Encoding::Unclear) => return false,
        };
        *holders += 1;
        if *holders > MAX_HOLDERS || !inner.iter().all(|inner| is_bounded(inner, holders, encoded - 1)) {
            return false;
        }
    }
    true
}

/// How often the word (in lower case) stands in the text, before something that is such.
fn count(text: &[u8], word: &[u8], is_such: impl Fn(&[u8]) -> bool) -> usize {
    let (first, upper) = (word[0], word[0].to_ascii_uppercase());
    let found = text.iter().enumerate().filter(|(_, byte)| **byte == first || **byte == upper);
    found
        .filter(|(at, _)| {
            let end = at + word.len();
            text.get(*at..end).is_some_and(|found| found.eq_ignore_ascii_case(word)) && is_such(&text[end..])
        })
        .count()
}

/// Whether what stands before this is the first half of a content type, in any of the ways in which it is read as one.
fn is_type(rest: &[u8]) -> bool {
    let next = rest.iter().find(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\\'));
    matches!(next, Some(b'/' | b'('))
}

enum Encoding {
    Base64,
    QuotedPrintable,
    /// It is told on the next line, or in an encoded word.
    Unclear,
}

/// What a header field's line says of an encoding, if it is one that does. The parser reads over blanks in its name.
fn encoding(line: &[u8]) -> Option<Encoding> {
    if line.len() < NAME.len() || !line.contains(&b':') {
        return None;
    }
    let squeezed: Vec<u8> =
        line.iter().filter(|byte| !byte.is_ascii_whitespace()).map(u8::to_ascii_lowercase).collect();
    let at = squeezed.windows(NAME.len()).position(|found| found == NAME)?;
    match &squeezed[at + NAME.len()..] {
        value if value.starts_with(b"base64") => Some(Encoding::Base64),
        value if value.starts_with(b"quoted-printable") => Some(Encoding::QuotedPrintable),
        value if value.is_empty() || value.starts_with(b"=?") => Some(Encoding::Unclear),
        _ => None,
    }
}

const NAME: &[u8] = b"content-transfer-encoding:";

/// What may be the part's content in base64: it begins behind an empty line, or one of blanks, and has no hyphen.
fn payloads(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        at += line.len();
        let is_empty = matches!(line, b"\n" | b"\r\n");
        if is_empty || (found.is_empty() && line.trim_ascii().is_empty()) {
            let content = &text[at..];
            let end = content.iter().position(|&byte| byte == b'-').unwrap_or(content.len());
            found.push(&content[..end]);
        }
        if is_empty {
            break;
        }
    }
    found
}

/// Quoted-printable read as far as it goes: what is wrong in it stays as it stands.
fn unquoted(text: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut found = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, next)) = rest.split_first() {
        rest = next;
        match (byte, next) {
            (b'=', [high, low, after @ ..]) if let (Some(high), Some(low)) = (digit(*high), digit(*low)) => {
                found.push(high * 16 + low);
                rest = after;
            }
            (b'=', _) if let Some(after) = after_line(next) => rest = after,
            _ => found.push(byte),
        }
    }
    found
}

/// Behind the end of the line, if nothing but blanks stands before it.
fn after_line(text: &[u8]) -> Option<&[u8]> {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
    text[blanks..].strip_prefix(b"\n")
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

    fn is_whole(raw: &str) -> bool {
        matches!(read(raw.as_bytes()), Read::Whole(_))
    }

    #[test]
    fn messages_within_messages_are_read_to_a_bound() {
        let nested = "Content-Type: message/rfc822\n\n".repeat(100_000);
        let lower = "cOnTent-type:\n MESSAGE (x) / rfc822\n\n".repeat(1_000);
        for raw in
            [format!("Subject: x\n{nested}Subject: y\n\nz"), format!("Subject: x\n{lower}Subject: y\n\nz")]
        {
            assert!(!is_whole(&raw));
            let Read::Head(head) = read(raw.as_bytes()) else { panic!("its head is read") };
            assert_eq!(head.subject(), Some("x"));
        }
        let few = format!("Subject: x\n{}Subject: y\n\nz", "Content-Type: message/rfc822\n\n".repeat(20));
        assert!(is_whole(&few));
    }

    #[test]
    fn all_html_of_a_message_is_read_to_one_bound() {
        let attributes: String = (0..16_000).map(|n| format!(" a{n}")).collect();
        let part = |html: &str| format!("--x\nContent-Type: text/html\n\n{html}\n");
        let hard = part(&format!("<p{attributes}>hard"));
        let raw = |count: usize| {
            let parts = format!("{}{}", hard.repeat(count), part("<p>easy"));
            format!("Subject: x\nContent-Type: multipart/mixed; boundary=x\n\n{parts}--x--\n")
        };
        let said = |raw: &str| text_of(&whole(raw.as_bytes()).expect("a message"), 1 << 20);
        let one = said(&raw(1));
        assert_eq!((one.text.as_deref(), one.fault), (Some("hard\neasy"), None));
        let many = said(&raw(100));
        assert!(many.fault.is_some_and(|fault| fault.contains("too long to read")));
        let text = many.text.expect("what was read before");
        assert!(text.matches("hard").count() < 10 && !text.contains("easy"), "{text}");
    }

    #[test]
    fn an_encoded_message_hides_nothing() {
        let nested = format!("{}Subject: y\n\nz", "Content-Type: message/rfc822\n\n".repeat(1_000));
        let base64 = BASE64_STANDARD.encode(&nested);
        let quoted = nested.replace('m', "=6D").replace("T", "=54");
        let twice = BASE64_STANDARD
            .encode(format!("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{base64}"));
        for (name, content) in [
            ("Content-Transfer-Encoding: base64\n", &base64),
            ("Con tent-Transfer-Encoding : BASE64\n", &base64),
            ("Content-Transfer-Encoding:\n base64\n", &base64),
            ("Content-Transfer-Encoding: =?us-ascii?Q?base64?=\n", &base64),
            ("Content-Transfer-Encoding: base64\nX: y\n \n", &base64),
            ("Content-Transfer-Encoding: quoted-printable\n", &quoted),
            ("Content-Transfer-Encoding: base64\n", &twice),
        ] {
            assert!(
                !is_whole(&format!("Subject: x\nContent-Type: message/rfc822\n{name}\n{content}")),
                "{name}"
            );
        }
        let harmless = BASE64_STANDARD.encode("Subject: y\n\nz");
        let raw = format!(
            "Subject: x\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{harmless}"
        );
        assert!(is_whole(&raw));
    }

    #[test]
    fn parts_are_read_to_a_bound() {
        let many = "Content-Type: multipart/mixed; boundary=y\n\n--x\n".repeat(100_000);
        assert!(!is_whole(&format!("Subject: x\nContent-Type: multipart/mixed; boundary=x\n\n--x\n{many}")));
        let tiny = "--x\n\n".repeat(100_000);
        assert!(!is_whole(&format!("Subject: x\nContent-Type: multipart/mixed; boundary=x\n\n{tiny}")));
        // Without parts, lines are only lines.
        assert!(is_whole(&format!("Subject: x\n\n{tiny}")));
    }
}
