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
    /// text of that.
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
            // Of what is too large to be a message the rest has not been looked at.
            let begins = raw.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&raw).trim_ascii_start();
            let is_more = raw.len() > most && begins.starts_with(b"From ");
            if !is_more && !is_mbox(&raw, most) {
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

/// Whether what is said to be one message is an mbox: it begins as one does, and a header field follows a later line `From `.
/// Some programs put such a line before a message that they keep by itself: that is taken as it is, and where it says
/// "From here on" it is not cut in two.
fn is_mbox(beginning: &[u8], most: usize) -> bool {
    let mut messages = MessageIterator::new(Bounded::new(beginning, most));
    let begins_so = messages.next().is_some_and(|first| first.is_ok());
    let mut later = messages.map_while(Result::ok);
    begins_so && later.any(|message| begins_with_header(message.contents()))
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
    fn what_is_said_to_be_one_message_is_read_as_the_mbox_that_it_is() {
        let single = |file: &str, most| read(file.as_bytes(), Layout::Single, most);
        for file in [
            "From a\nS: 1\n\nx\n\nFrom b\nS: 2\n\n>From y\n",
            "\u{feff}From a\r\nS: 1\r\n\r\nx\r\n\r\nFrom b\r\nS: 2\r\n",
            "\nFrom a\n\nFrom b\nno field\nFrom c\nS: 3\n",
            // What is looked at breaks off within a line.
            "From a\nS: 1\n\nFrom b\nS: 2\n\nSo it goes on and on, beyond what is looked at.\nFrom c\nS: 3\n",
        ] {
            for most in [40, 100] {
                assert_eq!(single(file, most), read(file.as_bytes(), Layout::Mbox, most), "{most}: {file:?}");
            }
        }
        for file in [
            "From a\nS: 1\n\nx\n\n",
            "From a\nS: 1\n\nFrom here on\nit is: one\n>From b\nS: 2\n",
            "S: 1\n\nFrom a\nS: 2\n\nFrom b\nS: 3\n",
            "From a\n: x\nFrom b\n",
            "From a\nS: 1\n\nFrom now on at\nhttps://x.example\nor\nFrom Monday on:\nhttps://y.example\n",
        ] {
            assert_eq!(single(file, 100), [file.as_bytes()], "{file:?}");
        }
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
