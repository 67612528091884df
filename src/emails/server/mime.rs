//! Reads a message (RFC 5322, MIME) with mail-parser, within bounds.
//!
//! Its time grows with the number of parts that hold others times the length, and what it makes of messages within
//! messages is taken apart by recursion: a message could be made to hold a server up, or to end it. So what may hold parts
//! is counted first, in the bytes alone; rather too much than too little.

use std::borrow::Cow;

use mail_parser::{
    Message, MessageParser, PartType,
    decoders::{base64::base64_decode, html::html_to_text},
};

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
        parser.parse(raw).map(Read::Whole)
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

/// What the message says, as text: all its parts of text, one below the other, or of what it says in HTML alone. None
/// where it says nothing. Not read further than some bytes more than `enough`.
///
/// There are several where a picture stands between them, as Apple's programs write it, or a list adds a line of its own.
pub fn text_of(message: &Message<'_>, enough: usize) -> Option<String> {
    let texts = (0..message.text_body_count()).filter_map(|part| message.body_text(part));
    let rich = message.html_bodies().filter_map(|part| match &part.body {
        PartType::Html(html) => Some(Cow::from(html_to_text(html))),
        _ => None,
    });
    // Some programs send an empty text along with what is said in HTML.
    joined(texts, enough).or_else(|| joined(rich, enough))
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

fn joined<'a>(parts: impl Iterator<Item = Cow<'a, str>>, enough: usize) -> Option<String> {
    let mut whole = String::new();
    for part in parts.filter(|part| !part.trim().is_empty()) {
        if !whole.is_empty() && !whole.ends_with('\n') {
            whole.push('\n');
        }
        whole += &part;
        if whole.len() > enough {
            break;
        }
    }
    (!whole.is_empty()).then_some(whole)
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
            (b'=', [b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) => rest = after,
            _ => found.push(byte),
        }
    }
    found
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
