//! What is said over a stream, and what a server's answers are made of (RFC 9051, section 9), within bounds.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::{COMMAND, ImapFault, LONGEST_TEXT, MOST_LITERALS, SLOWEST, SMALL, broken, closed, within};

/// What a server did with a command: its text, if it refused.
pub(super) type Outcome = Result<(), String>;

/// What is said over a stream, answer by answer.
#[derive(Debug)]
pub(super) struct Wire<S> {
    pub(super) stream: BufReader<S>,
    /// Bytes that may still be read for this command.
    pub(super) left: u64,
    /// Bytes that one literal may have: more is expected of a message alone.
    pub(super) largest: u64,
    /// Commands sent.
    sent: u32,
    /// What no fault may hold.
    secrets: Arc<[SecretString]>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, secrets: Arc<[SecretString]>) -> Self {
        Self { stream: BufReader::new(stream), left: SMALL, largest: SMALL, sent: 0, secrets }
    }

    /// Reads the greeting. PREAUTH is refused: whoever is in between could say so, and STARTTLS is not to follow it.
    pub(super) async fn greeted(stream: S, secrets: Arc<[SecretString]>) -> Result<Self, ImapFault> {
        let mut wire = Self::new(stream, secrets);
        let greeting = within(wire.answer()).await?;
        if greeting.tag == "*" && greeting.word == "OK" {
            Ok(wire)
        } else {
            Err(ImapFault::Broken("it did not begin as IMAP servers do".into()))
        }
    }

    /// Sends a command, gives away what the server says of it, and tells what came of it. `replies` is what the server may
    /// ask for in between, in order.
    pub(super) async fn run(
        &mut self,
        command: &str,
        replies: &[&str],
        budget: u64,
        each: impl FnMut(Answer),
    ) -> Result<Outcome, ImapFault> {
        let patience = COMMAND + Duration::from_secs(budget / SLOWEST);
        let done = timeout(patience, async {
            let tag = self.begin(command, budget).await?;
            self.finish(&tag, replies, each).await
        });
        done.await.unwrap_or(Err(ImapFault::Timeout))
    }

    pub(super) async fn begin(&mut self, command: &str, budget: u64) -> Result<String, ImapFault> {
        self.left = budget;
        self.sent += 1;
        let tag = format!("F{}", self.sent);
        self.send(&format!("{tag} {command}")).await?;
        Ok(tag)
    }

    pub(super) async fn finish(
        &mut self,
        tag: &str,
        replies: &[&str],
        mut each: impl FnMut(Answer),
    ) -> Result<Outcome, ImapFault> {
        let mut replies = replies.iter();
        loop {
            let answer = self.answer().await?;
            if answer.tag == "*" {
                each(answer);
            } else if answer.tag == "+"
                && let Some(reply) = replies.next()
            {
                self.send(reply).await?;
            } else if answer.tag == tag && answer.word == "OK" {
                return Ok(Ok(()));
            } else if answer.tag == tag && matches!(answer.word.as_str(), "NO" | "BAD") {
                return Ok(Err(self.said(&answer)));
            } else {
                return Err(ImapFault::Broken("its answer was none to what it was asked".into()));
            }
        }
    }

    pub(super) async fn send(&mut self, line: &str) -> Result<(), ImapFault> {
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)
    }

    /// The next answer, whole. It cannot be given up half-way: what was read of it would be missing.
    pub(super) async fn answer(&mut self) -> Result<Answer, ImapFault> {
        let (mut text, mut literals) = (Vec::new(), Vec::new());
        loop {
            let begin = text.len();
            self.line(&mut text).await?;
            if text[begin..].contains(&LITERAL) {
                return Err(ImapFault::Broken("what it said is no IMAP".into()));
            }
            let Some((at, size)) = announced(&text).filter(|_| is_data(&text)) else { break };
            if literals.len() == MOST_LITERALS {
                return Err(ImapFault::TooMuch);
            }
            text.truncate(at);
            text.push(LITERAL);
            literals.push(self.literal(size).await?);
        }
        let (tag, rest) = split(&text);
        let (word, rest) = split(rest);
        let answer = Answer {
            tag: String::from_utf8_lossy(tag).into_owned(),
            word: String::from_utf8_lossy(word).to_ascii_uppercase(),
            rest: rest.to_vec(),
            literals,
        };
        if answer.tag == "*" && answer.word == "BYE" {
            return Err(ImapFault::Broken(self.said(&answer)));
        }
        Ok(answer)
    }

    /// Adds a line to `text`, without its end. All lines of an answer together are bounded apart from the command's budget,
    /// which may be for many answers.
    pub(super) async fn line(&mut self, text: &mut Vec<u8>) -> Result<(), ImapFault> {
        let most = self.left.min(SMALL.saturating_sub(text.len() as u64));
        let read = (&mut self.stream).take(most).read_until(b'\n', text).await.map_err(broken)? as u64;
        self.left = self.left.saturating_sub(read);
        if read == 0 || text.last() != Some(&b'\n') {
            return Err(if read == most { ImapFault::TooMuch } else { closed() });
        }
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        Ok(())
    }

    /// Room is made for what came, and not for what is announced.
    pub(super) async fn literal(&mut self, size: u64) -> Result<Vec<u8>, ImapFault> {
        self.left = self.left.checked_sub(size).ok_or(ImapFault::TooMuch)?;
        if size > self.largest {
            return Err(ImapFault::TooMuch);
        }
        let mut bytes = Vec::new();
        (&mut self.stream).take(size).read_to_end(&mut bytes).await.map_err(broken)?;
        if bytes.len() as u64 == size { Ok(bytes) } else { Err(closed()) }
    }

    pub(super) fn said(&self, answer: &Answer) -> String {
        said(&String::from_utf8_lossy(&answer.rest), &self.secrets)
    }
}

impl Wire<TcpStream> {
    /// What was sent in plain behind the answer must not be read as if it had come encrypted (CVE-2011-0411 and others).
    pub(super) async fn starttls(mut self) -> Result<TcpStream, ImapFault> {
        let outcome = self.run("STARTTLS", &[], SMALL, |_| ()).await?;
        outcome.map_err(|text| ImapFault::Tls(format!("STARTTLS was refused: {text}")))?;
        if !self.stream.buffer().is_empty() {
            return Err(ImapFault::Tls("more than its answer came behind STARTTLS".into()));
        }
        Ok(self.stream.into_inner())
    }
}

/// Stands in an answer where a literal stood. No line of IMAP holds it.
const LITERAL: u8 = 0;

/// An answer: `tag word rest`, such as `* 3 FETCH (…)`, `F1 OK done` or `+ idling`.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) tag: String,
    /// In upper case.
    pub(super) word: String,
    pub(super) rest: Vec<u8>,
    pub(super) literals: Vec<Vec<u8>>,
}

/// What a server says of a message, as far as it is asked here.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) uid: Option<u32>,
    pub(super) size: Option<u32>,
    /// In seconds since 1970.
    pub(super) arrived: Option<i64>,
    pub(super) body: Option<Vec<u8>>,
}

impl Answer {
    /// The number before `what`, as in `* 3 EXISTS`.
    pub(super) fn count(&self, what: &str) -> Option<u32> {
        let is_it = split(&self.rest).0.eq_ignore_ascii_case(what.as_bytes());
        if is_it { self.word.parse().ok() } else { None }
    }

    /// The number in a code, as in `* OK [UIDNEXT 7] …`.
    pub(super) fn code(&self, name: &str) -> Option<u32> {
        let text = String::from_utf8_lossy(&self.rest);
        let (code, _) = text.strip_prefix('[')?.split_once(']')?;
        let (key, value) = code.split_once(' ')?;
        if key.eq_ignore_ascii_case(name) { value.trim().parse().ok() } else { None }
    }

    /// What `* n FETCH (name value …)` says.
    pub(super) fn message(self) -> Option<Message> {
        self.count("FETCH")?;
        let Self { rest, literals, .. } = self;
        let mut message = Message::default();
        let (mut depth, mut name) = (0_usize, None::<Vec<u8>>);
        for token in (Tokens { rest: split(&rest).1, literals: literals.into_iter() }) {
            match token {
                Token::Open => depth += 1,
                Token::Close => {
                    depth = depth.saturating_sub(1);
                    // A list was the value.
                    name = None;
                }
                _ if depth != 1 => {}
                Token::Word(word) => match name.take() {
                    None => name = Some(word.to_ascii_uppercase()),
                    Some(name) => match name.as_slice() {
                        b"UID" => message.uid = number(word),
                        b"RFC822.SIZE" => message.size = number(word),
                        _ => {}
                    },
                },
                Token::Text(text) => match name.take().as_deref() {
                    Some(b"BODY[]") => message.body = Some(text),
                    Some(b"INTERNALDATE") => message.arrived = moment(&text),
                    _ => {}
                },
            }
        }
        Some(message)
    }
}

enum Token<'a> {
    Open,
    Close,
    Word(&'a [u8]),
    /// Quoted, or a literal.
    Text(Vec<u8>),
}

struct Tokens<'a> {
    rest: &'a [u8],
    literals: std::vec::IntoIter<Vec<u8>>,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let text = self.rest.trim_ascii_start();
        let (first, rest) = text.split_first()?;
        self.rest = rest;
        match *first {
            b'(' => Some(Token::Open),
            b')' => Some(Token::Close),
            LITERAL => self.literals.next().map(Token::Text),
            b'"' => {
                let mut quoted = Vec::new();
                let mut bytes = rest.iter();
                loop {
                    match *bytes.next()? {
                        b'"' => break,
                        b'\\' => quoted.push(*bytes.next()?),
                        byte => quoted.push(byte),
                    }
                }
                self.rest = bytes.as_slice();
                Some(Token::Text(quoted))
            }
            _ => {
                let ends = |byte: &u8| matches!(*byte, b' ' | b'(' | b')' | b'"' | LITERAL);
                let (word, rest) = text.split_at(text.iter().position(ends).unwrap_or(text.len()));
                self.rest = rest;
                Some(Token::Word(word))
            }
        }
    }
}

/// Up to the first space, and what is behind it.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}

/// RFC 9051 lets sizes have 64 bits.
fn number(word: &[u8]) -> Option<u32> {
    let number: u64 = std::str::from_utf8(word).ok()?.parse().ok()?;
    Some(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A time as IMAP writes it (RFC 9051, section 9, date-time), in seconds since 1970.
fn moment(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let moment = DateTime::parse_from_str(text.trim(), "%d-%b-%Y %H:%M:%S %z").ok()?;
    Some(moment.timestamp())
}

/// Of a line that ends in `{n}`: where that begins, and n.
fn announced(line: &[u8]) -> Option<(usize, u64)> {
    let at = line.iter().rposition(|byte| *byte == b'{')?;
    let digits = line[at + 1..].strip_suffix(b"}")?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some((at, size))
}

/// Whether a line can hold literals: a text for people may end as it likes.
fn is_data(line: &[u8]) -> bool {
    let (tag, rest) = split(line);
    let word = split(rest).0;
    let is_text = ["OK", "NO", "BAD", "BYE", "PREAUTH"]
        .iter()
        .any(|status| word.eq_ignore_ascii_case(status.as_bytes()));
    tag == b"*" && !is_text
}

/// A server's text, as a fault repeats it.
pub(super) fn said(text: &str, secrets: &[SecretString]) -> String {
    if secrets.iter().any(|secret| text.contains(secret.expose_secret())) {
        return "its words are not repeated, for the password is among them".into();
    }
    let code = text.strip_prefix('[').and_then(|text| text.split_once("] "));
    let text = code.map_or(text, |(_, text)| text);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if text.is_empty() {
        return "it did not say why".into();
    }
    text.chars().take(LONGEST_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
