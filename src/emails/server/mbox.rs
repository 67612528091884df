//! The messages of a file, one after the other, none of which takes more memory than a message may.

use std::io::{self, BufRead, Cursor, Read};

use mail_parser::mailbox::mbox::MessageIterator;

use super::service::hash_of_bytes;

/// So many messages are read at once at most.
const AT_ONCE: usize = 500;
/// Likewise, so many bytes, before the last of them.
const BYTES_AT_ONCE: usize = 4 << 20;

/// How messages lie in a file, as whoever sends it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Many, each after a line that begins with `From ` (RFC 4155).
    Mbox,
    /// One (RFC 5322), as it is. Where it is an mbox after all, its messages are read: all but the first would be lost in the
    /// text of that. Lines tell it that no text is likely to hold.
    Single,
}

/// A file of which a beginning was read already.
type Begun<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Gives the bytes of each; of one that is larger than a message may be, a beginning that is larger too. Reading blocks.
pub enum Messages<R> {
    Mbox(MessageIterator<Bounded<Begun<R>>>),
    /// The file, until it is read, and how many bytes a message may have.
    Single(Option<R>, usize),
}

impl<R: BufRead> Messages<R> {
    /// `most` is how many bytes a message may have.
    pub fn new(file: R, layout: Layout, most: usize) -> Self {
        match layout {
            Layout::Mbox => Self::mbox(Vec::new(), file, most),
            Layout::Single => Self::Single(Some(file), most),
        }
    }

    fn mbox(beginning: Vec<u8>, rest: R, most: usize) -> Self {
        Self::Mbox(MessageIterator::new(Bounded::new(Cursor::new(beginning).chain(rest), most)))
    }

    /// The next ones, as many as are read at once.
    pub fn next_batch(&mut self) -> Batch {
        let (mut batch, mut bytes) = (Batch::default(), 0);
        while batch.end.is_none() && batch.entries.len() < AT_ONCE && bytes < BYTES_AT_ONCE {
            match self.next() {
                Some(Ok(raw)) => {
                    bytes += raw.len();
                    batch.entries.push(Entry { hash: hash_of_bytes(&raw), raw });
                }
                Some(Err(error)) => batch.end = Some(Err(error)),
                None => batch.end = Some(Ok(())),
            }
        }
        batch
    }
}

/// Some of the messages of a file.
#[derive(Debug, Default)]
pub struct Batch {
    pub entries: Vec<Entry>,
    /// How the reading ended after them; `None` where it goes on.
    pub end: Option<io::Result<()>>,
}

/// A message, and what tells its bytes from others.
#[derive(Debug)]
pub struct Entry {
    pub raw: Vec<u8>,
    pub hash: [u8; 32],
}

impl<R: BufRead> Iterator for Messages<R> {
    type Item = io::Result<Vec<u8>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Self::Single(file, most) = self {
            let (mut file, most) = (file.take()?, *most);
            let mut raw = Vec::new();
            if let Err(error) = file.by_ref().take((most as u64).saturating_add(1)).read_to_end(&mut raw) {
                return Some(Err(error));
            }
            if !is_mbox(&raw, most) {
                return (!raw.is_empty()).then_some(Ok(raw));
            }
            *self = Self::mbox(raw, file, most);
        }
        let Self::Mbox(messages) = self else { return None };
        Some(messages.next()?.map(|message| {
            let mut raw = message.unwrap_contents();
            drop_last_empty_line(&mut raw);
            raw
        }))
    }
}

/// Whether what is said to be one message is an mbox: it begins as one does, and a header field follows a later line of that
/// kind. Some programs put such a line before a message that they keep by itself: that is taken as it is, and where it says
/// "From here on" it is not cut in two. Of what is larger than a message may be the rest has not been looked at: there the
/// beginning tells.
fn is_mbox(beginning: &[u8], most: usize) -> bool {
    let text = beginning.strip_prefix(BYTE_ORDER_MARK).unwrap_or(beginning);
    let (mut first, mut rest) = split_line(text);
    while first.trim_ascii().is_empty() && !rest.is_empty() {
        (first, rest) = split_line(rest);
    }
    if !begins_message(first) || beginning.len() > most {
        return begins_message(first);
    }
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        if begins_message(line) && begins_with_header(after) {
            return true;
        }
        rest = after;
    }
    false
}

/// A line, and what comes after it.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| at + 1);
    text.split_at(end)
}

/// So much of such a line is looked at, in bytes and in words: what an address, a moment and what may follow take.
const LOOKED_AT: (usize, usize) = (300, 12);
/// A moment after an address takes so many words, however it is written.
const WORDS_OF_MOMENT: usize = 6;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether a line stands before a message of an mbox, and is no text that begins with the same word (RFC 4155, appendix A):
/// `From `, an address, and a moment as C's `asctime` writes it, `Mon Nov 23 10:00:00 2026`. Programs put something else in
/// the place of the address, leave the seconds out, or add a zone on either side of the year; some write the moment as
/// `Mon, 23 Nov 2026 10:00:00 +0100`, by ISO 8601, or in another language, which counts after what no text has there.
fn begins_message(line: &[u8]) -> bool {
    let (bytes, words) = LOOKED_AT;
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(bytes)]);
    let words: Vec<&str> = rest.split_ascii_whitespace().take(words).collect();
    (1..words.len()).any(|at| is_by_asctime(&words[at..]))
        || words.split_first().is_some_and(|(sender, rest)| is_sender(sender) && begins_with_moment(rest))
}

fn is_by_asctime(words: &[&str]) -> bool {
    let [weekday, month, day, time, rest @ ..] = words else { return false };
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    WEEKDAYS.contains(weekday)
        && MONTHS.contains(month)
        && matches!(day.len(), 1 | 2)
        && is_number(day)
        && matches!(time.len(), 4..=8)
        && time.contains(':')
        && time.split(':').all(is_number)
        && rest.iter().take(2).any(|word| word.len() == 4 && is_number(word))
}

/// Whether it is an address, or what programs put in the place of one.
fn is_sender(word: &str) -> bool {
    word.contains('@') || word == "-" || word.eq_ignore_ascii_case("MAILER-DAEMON")
}

/// Whether a year and a time of day are named, in whichever order.
fn begins_with_moment(words: &[&str]) -> bool {
    let words = &words[..words.len().min(WORDS_OF_MOMENT)];
    let is_year = |digits: &str| digits.len() == 4 && (digits.starts_with("19") || digits.starts_with("20"));
    let has_year = |word: &&str| word.split(|sign: char| !sign.is_ascii_digit()).any(is_year);
    let has_time = |word: &&str| {
        word.split_once(':').is_some_and(|(hour, rest)| {
            hour.ends_with(|sign: char| sign.is_ascii_digit())
                && rest.len() >= 2
                && rest.bytes().take(2).all(|byte| byte.is_ascii_digit())
        })
    };
    words.iter().any(has_year) && words.iter().any(has_time)
}

/// Whether all that stands before its first empty line is fields, and one does.
fn begins_with_header(message: &[u8]) -> bool {
    let lines =
        message.split_inclusive(|byte| *byte == b'\n').take_while(|line| !line.trim_ascii().is_empty());
    let mut lines = lines.enumerate().peekable();
    lines.peek().is_some()
        && lines.all(|(at, line)| at > 0 && matches!(line[0], b' ' | b'\t') || begins_with_field(line))
}

/// Whether it begins with a name (RFC 5322, section 2.2) and a colon, and not with an address of the web.
fn begins_with_field(message: &[u8]) -> bool {
    let name = message.iter().take_while(|byte| byte.is_ascii_graphic() && **byte != b':').count();
    name > 0 && message.get(name) == Some(&b':') && !message[name + 1..].starts_with(b"//")
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// An mbox ends each message with an empty line (RFC 4155, appendix A), which is none of the message's: without it the
/// bytes are those that the message has elsewhere, and it is known again. Not every program writes it after the last.
///
/// Besides, mail-parser takes one `>` away from a line of `>From `, `>>From ` and so on, as they were quoted. Line ends
/// stay as they are: most programs write LF here, where the same message had CR LF as it came.
fn drop_last_empty_line(raw: &mut Vec<u8>) {
    let rest = raw.strip_suffix(b"\r\n").or_else(|| raw.strip_suffix(b"\n"));
    if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.ends_with(b"\n")) {
        raw.truncate(rest.len());
    }
}

/// An mbox in which no message, and no line, is much longer than a message may be: mail-parser's reader holds both whole,
/// so a file without any line `From `, or without any line end, would be held as well. What is left out is the rest of
/// messages that are too large anyhow. What stands before the first message is none: a file that begins with something
/// else is no mbox, or its beginning would be lost.
pub struct Bounded<R> {
    file: R,
    place: Place,
    /// What may be passed on of a message as it lies in the file. Unit: bytes.
    most: usize,
    /// What may still be passed on of this one. Before the first there is none.
    left: usize,
    line: Vec<u8>,
    /// How much of the line was passed on.
    at: usize,
}

/// How far the reading has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    FirstLine,
    BeforeMessages,
    Messages,
}

impl<R: BufRead> Bounded<R> {
    fn new(file: R, most: usize) -> Self {
        // Quoted, a message is longer: by a byte for each line that begins with `From `, so by a sixth at most. And
        // there is the empty line at its end.
        let most = most.saturating_add(most / 4).saturating_add(16);
        Self { file, place: Place::FirstLine, most, left: 0, line: Vec::new(), at: 0 }
    }

    /// Reads a line, and leaves of it what may be passed on. Whether there was one.
    fn read_line(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.at = 0;
        let read = self.file.by_ref().take(self.most as u64).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(false);
        }
        if !self.line.ends_with(b"\n") && self.file.skip_until(b'\n')? > 0 {
            self.line.push(b'\n');
        }
        // Some programs mark a text as UTF-8 by its first bytes.
        if self.place == Place::FirstLine && self.line.starts_with(BYTE_ORDER_MARK) {
            self.line.drain(..BYTE_ORDER_MARK.len());
        }
        if self.line.starts_with(b"From ") {
            self.place = Place::Messages;
            self.left = self.most;
            return Ok(true);
        }
        if self.place != Place::Messages {
            if !self.line.trim_ascii().is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin as an mbox does"));
            }
            self.place = Place::BeforeMessages;
        }
        let passed = self.line.len().min(self.left);
        self.left -= passed;
        if passed < self.line.len() {
            self.line.truncate(passed);
            // Or the next message's first line would be the end of this one.
            if passed > 0 {
                self.line.push(b'\n');
            }
        }
        Ok(true)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.line.len() && self.read_line()? {}
        Ok(self.line.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.at = (self.at + amount).min(self.line.len());
    }
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8], layout: Layout, most: usize) -> Vec<Vec<u8>> {
        Messages::new(file, layout, most).map(|raw| raw.expect("it is in memory")).collect()
    }

    fn mbox(file: &str) -> Vec<String> {
        let text = |raw| String::from_utf8(raw).expect("text");
        read(file.as_bytes(), Layout::Mbox, 100).into_iter().map(text).collect()
    }

    #[test]
    fn a_message_has_the_bytes_that_it_has_elsewhere() {
        assert_eq!(mbox("From a Mon\nS: 1\n\nx\n\nFrom b\nS: 2\n\ny\n"), ["S: 1\n\nx\n", "S: 2\n\ny\n"]);
        assert_eq!(mbox("From a\r\nS: 1\r\n\r\nx\r\n\r\nFrom b\r\ny"), ["S: 1\r\n\r\nx\r\n", "y"]);
        assert_eq!(mbox("From a\nx\n\n\n"), ["x\n\n"], "its own empty line stays");
        assert_eq!(mbox("From a\n>From x\n>>From y\n> From z\n"), ["From x\n>From y\n> From z\n"]);
        assert_eq!(mbox("From a\nFrom b\n\nFrom c\n\n\n"), ["", "", "\n"]);
        assert_eq!(mbox("\n\r\n"), [""; 0]);
        assert_eq!(mbox(""), [""; 0]);
        assert_eq!(mbox("\n\nFrom a\nx"), ["x"]);
        assert_eq!(mbox("\u{feff}From a\nx\n\nFrom b\n\u{feff}From c\n"), ["x\n", "\u{feff}From c\n"]);
        assert_eq!(read(b"From a\n\n", Layout::Single, 100), [b"From a\n\n"]);
        assert!(read(b"", Layout::Single, 100).is_empty());
    }

    #[test]
    fn a_line_before_a_message_names_a_moment() {
        for line in [
            "From ann@x.example Mon Nov 23 10:00:00 2026",
            "From ann@x.example  Mon Nov  2 10:00:00 2026\r\n",
            "From - Mon Nov 23 10:00:00 2026",
            "From MAILER-DAEMON Mon Nov 23 10:00 2026\n",
            "From root Mon Nov 23 10:00:00 2026\n",
            "From 1779@xxx Mon Nov 23 10:00:00 +0000 2026",
            "From ann@x.example Mon Nov 23 10:00:00 2026 +0100",
            "From ann@x.example Mon Nov 23 10:00:00 CET 2026 remote from x",
            "From ann at x.example  Mon Nov 23 10:00:00 2026",
            // After an address, in any common form.
            "From ann@x.example Mon, 23 Nov 2026 10:00:00 +0100\r\n",
            "From - Mon, 23 Nov 2026 10:00:00 GMT",
            "From MAILER-DAEMON mar. nov. 24 10:00:00 2026",
            "From ann@x.example Di, 24. November 2026 10:00\n",
            "From ann@x.example s\u{e1}b nov 28 10:00:00 2026",
            "From ann@x.example 2026-11-23T10:00:00Z",
            "From ann@x.example 2026-11-23 10:00:00 +0000",
            "From ann@x.example 23.11.2026 9:05:00",
        ] {
            assert!(begins_message(line.as_bytes()), "{line:?}");
        }
        // As ISO 8859-1 has it.
        assert!(begins_message(b"From ann@x.example s\xE1b nov 28 10:00:00 2026\n"));
        for line in [
            "From Monday",
            "From Mon Nov 23 10:00:00 2026",
            "From Mon, 23 Nov 2026 10:00:00 +0100",
            "From Monday, Nov 23 10:00 to Friday 2026",
            "From 10:00 on, in 2026",
            "From ann@x.example",
            "From ann@x.example Mon Nov 23",
            "From ann@x.example Mon Nov 23 10:00:00",
            "From ann@x.example Mon, 23 Nov 10:00:00 +0100",
            "From ann@x.example Mon, 23 Nov 2026",
            "From ann@x.example we heard of it in the year of 2026, at 10:00",
            "From: ann@x.example Mon Nov 23 10:00:00 2026",
            " From ann@x.example Mon Nov 23 10:00:00 2026",
            "From \u{e9} Mon Nov \u{e9} 10:00:00 2026",
            "From ",
            "",
        ] {
            assert!(!begins_message(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn what_is_said_to_be_one_message_is_read_as_the_mbox_that_it_is() {
        let single = |file: &str, most| read(file.as_bytes(), Layout::Single, most);
        // Each `#` is a line before a message.
        let dated = |file: &str| file.replace('#', "From a@x.example Mon Nov 23 10:00:00 2026");
        for file in [
            "#\nS: 1\n\nx\n\n#\nS: 2\n\n>From y\n",
            "\u{feff}#\r\nS: 1\r\n\r\nx\r\n\r\n#\r\nS: 2\r\n",
            "\n#\n\n#\nno field\n#\nS: 3\n",
            // What is looked at breaks off within a line.
            "#\nS: 1\n\n#\nS: 2\n\nSo it goes on and on, beyond what is looked at.\n#\nS: 3\n",
        ] {
            let file = dated(file);
            for most in [50, 500] {
                assert_eq!(
                    single(&file, most),
                    read(file.as_bytes(), Layout::Mbox, most),
                    "{most}: {file:?}"
                );
            }
        }
        for file in [
            "#\nS: 1\n\nx\n\n",
            "#\nS: 1\n\nFrom here on\nit is: one\n>#\nS: 2\n",
            "S: 1\n\n#\nS: 2\n\n#\nS: 3\n",
            " #\nS: 1\n\n#\nS: 2\n",
            "#\n: x\n#\n",
            "#\nS: 1\n\nFrom now on at\nhttps://x.example\nor\nFrom Monday on:\nhttps://y.example\n",
            // Prose, which names no moment.
            "#\nS: 1\n\nFrom Monday\nPhone: 1\n",
            "From Monday\n\nFrom Tuesday\nPhone: 1\n",
            "From a\nS: 1\n\nx\n\nFrom b\nS: 2\n",
        ] {
            let file = dated(file);
            assert_eq!(single(&file, 500), [file.as_bytes()], "{file:?}");
        }
        // As some programs write it.
        for moment in ["Mon, 23 Nov 2026 10:00:00 +0100", "lun. nov. 23 10:00:00 2026"] {
            let file = format!("From a@x.example {moment}\nS: 1\n\nx\n\nFrom b@x.example {moment}\nS: 2\n");
            for most in [60, 500] {
                assert_eq!(single(&file, most), [&b"S: 1\n\nx\n"[..], b"S: 2\n"], "{most}: {moment}");
            }
        }
        // Too large to be a message, and no mbox by how it begins.
        let prose = "From Monday\n\nFrom Tuesday\nPhone: 1\n";
        assert_eq!(single(prose, 20), [&prose.as_bytes()[..21]]);
    }

    #[test]
    fn so_many_are_read_at_once() {
        let file = "From a\nx\n\n".repeat(AT_ONCE + 1);
        let mut messages = Messages::new(file.as_bytes(), Layout::Mbox, 100);
        let counts = [0; 2].map(|_| {
            let batch = messages.next_batch();
            (batch.entries.len(), batch.end.is_some())
        });
        assert_eq!(counts, [(AT_ONCE, false), (1, true)]);
        let large = format!("From a\n{}\n\n", "x".repeat(BYTES_AT_ONCE));
        let file = large.clone() + &large;
        let mut messages = Messages::new(file.as_bytes(), Layout::Mbox, BYTES_AT_ONCE + 1);
        assert_eq!(messages.next_batch().entries.len(), 1);
    }

    #[test]
    fn what_begins_otherwise_is_no_mbox() {
        for file in [
            "no message\nFrom a\nx",
            "\nSubject: one\n\nFrom here on\n",
            "from a\n",
            " From a\n",
            "\n\u{feff}From a\n",
        ] {
            let first = Messages::new(file.as_bytes(), Layout::Mbox, 100).next();
            let kind = first.map(|read| read.map_err(|error| error.kind()));
            assert_eq!(kind, Some(Err(io::ErrorKind::InvalidData)), "{file:?}");
        }
    }

    #[test]
    fn what_is_too_large_is_told_by_its_beginning_and_the_next_is_whole() {
        let line = |length: usize| "x".repeat(length) + "\n";
        for large in [line(100), line(10_000), line(9).repeat(1_000), ">From ".to_owned() + &line(100)] {
            let found = mbox(&format!("From a\n{large}\nFrom b\nnext\n\nFrom c\n{large}"));
            let lengths: Vec<usize> = found.iter().map(String::len).collect();
            assert!((101..=200).contains(&lengths[0]) && (101..=200).contains(&lengths[2]), "{lengths:?}");
            assert_eq!((found.len(), found[1].as_str()), (3, "next\n"));
        }
        // As large as it may be, with every line quoted.
        let quoted = ">From \n".repeat(16);
        assert_eq!(mbox(&format!("From a\n{quoted}123\n\n")), ["From \n".repeat(16) + "123\n"]);
        let lines = "x".repeat(1 << 20);
        assert!(Messages::new(lines.as_bytes(), Layout::Mbox, 100).next().is_some_and(|read| read.is_err()));
        assert_eq!(read(lines.as_bytes(), Layout::Single, 100), [b"x".repeat(101)]);
    }
}
