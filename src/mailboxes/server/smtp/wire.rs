//! The bytes of a conversation: lines in, replies out, and a message between `DATA` and its end.
//!
//! A line ends with CR LF, and with nothing else. Servers that differ on this can be made to see two messages where one was
//! sent ("SMTP smuggling", CVE-2023-51764). So a message with a bare LF or CR is refused, once it is over: before, the reply
//! would get lost. Its end is CR LF, a dot, CR LF, whatever came before, and the conversation is over with it.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};

/// The longest command with its parameters. Unit: bytes. RFC 5321, section 4.5.3.1.4, asks for 512, and extensions for more.
const MAX_LINE: usize = 2_048;

/// What a message must come in with at the least. Unit: bytes a second.
const SLOWEST: u64 = 16 << 10;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection, and what was read of it and not looked at yet.
pub struct Wire {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
    /// How long it may be silent.
    patience: Duration,
}

/// Why nothing more is to be heard.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("the client hung up")]
    Closed,
    #[error("the client was silent for too long")]
    Silent,
    #[error("a line ended with a bare LF or CR")]
    Bare,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A command's line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// With its CR LF.
    Whole(Vec<u8>),
    TooLong,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub enum Data {
    /// The dots at the beginning of lines taken away again (RFC 5321, section 4.5.2).
    Whole(Vec<u8>),
    TooLarge,
    /// A line of it ended with a bare LF or CR.
    Bare,
}

impl Wire {
    pub fn new(stream: Box<dyn Stream>, patience: Duration) -> Self {
        Self { stream, buffer: Vec::new(), patience }
    }

    /// The connection, where nothing was sent ahead.
    pub fn into_stream(self) -> Option<Box<dyn Stream>> {
        self.buffer.is_empty().then_some(self.stream)
    }

    /// Whether the client has sent more already.
    pub fn has_more(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// # Errors
    /// `Ended`.
    pub async fn line(&mut self) -> Result<Line, Ended> {
        let mut too_long = false;
        let until = Instant::now() + self.patience;
        loop {
            if let Some(at) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                if too_long || line.len() > MAX_LINE {
                    return Ok(Line::TooLong);
                }
                let is_bare = !line.ends_with(b"\r\n") || line[..line.len() - 2].contains(&b'\r');
                return if is_bare { Err(Ended::Bare) } else { Ok(Line::Whole(line)) };
            }
            if self.buffer.len() > MAX_LINE {
                too_long = true;
                self.buffer.clear();
            }
            self.fill(until).await?;
        }
    }

    /// Reads up to the line that is a dot alone. What is beyond `max` bytes is read and dropped.
    ///
    /// # Errors
    /// `Ended`.
    pub async fn data(&mut self, max: usize) -> Result<Data, Ended> {
        let mut unstuff = Unstuff::new(max);
        let begun = Instant::now();
        loop {
            if !self.buffer.is_empty() {
                let (used, is_over) = unstuff.take(&self.buffer);
                self.buffer.drain(..used);
                if is_over {
                    return Ok(unstuff.done());
                }
                if unstuff.length > max.saturating_mul(4).saturating_add(1 << 20) {
                    // Whoever goes on sending in spite of the size that was told is not worth the bytes.
                    return Err(Ended::Closed);
                }
            }
            // Whoever sends a byte now and then holds a place that others wait for.
            let slowest = self.patience + Duration::from_secs(unstuff.length as u64 / SLOWEST);
            self.fill((begun + slowest).min(Instant::now() + self.patience)).await?;
        }
    }

    async fn fill(&mut self, until: Instant) -> Result<(), Ended> {
        self.buffer.reserve(16 << 10);
        let read = timeout_at(until, self.stream.read_buf(&mut self.buffer));
        match read.await.map_err(|_| Ended::Silent)?? {
            0 => Err(Ended::Closed),
            _ => Ok(()),
        }
    }

    /// One reply of one line. `enhanced` is RFC 3463's code, which is left out where it is empty.
    ///
    /// # Errors
    /// `Ended`.
    pub async fn reply(&mut self, code: u16, enhanced: &str, text: &str) -> Result<(), Ended> {
        let gap = if enhanced.is_empty() { "" } else { " " };
        self.send(format!("{code} {enhanced}{gap}{text}\r\n").as_bytes()).await
    }

    /// # Errors
    /// `Ended`.
    pub async fn replies(&mut self, code: u16, lines: &[String]) -> Result<(), Ended> {
        let mut text = String::new();
        for (i, line) in lines.iter().enumerate() {
            let mark = if i + 1 == lines.len() { ' ' } else { '-' };
            text.push_str(&format!("{code}{mark}{line}\r\n"));
        }
        self.send(text.as_bytes()).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        Ok(timeout(self.patience, sent).await.map_err(|_| Ended::Silent)??)
    }
}

/// A message as it comes in, chunk by chunk.
struct Unstuff {
    at: At,
    message: Vec<u8>,
    max: usize,
    /// What came, whether it was kept or not.
    length: usize,
    is_bare: bool,
}

enum At {
    LineStart,
    /// Behind a dot that begins a line.
    Dot,
    /// Behind a dot and CR.
    DotCr,
    Text,
    Cr,
}

impl Unstuff {
    fn new(max: usize) -> Self {
        Self { at: At::LineStart, message: Vec::new(), max, length: 0, is_bare: false }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        if self.length <= self.max {
            self.message.extend_from_slice(bytes);
        }
    }

    /// How much of the chunk belongs to the message, and whether it is over.
    fn take(&mut self, chunk: &[u8]) -> (usize, bool) {
        let mut i = 0;
        while let Some(&byte) = chunk.get(i) {
            match (&self.at, byte) {
                (At::LineStart, b'.') => self.at = At::Dot,
                (At::LineStart | At::Text, b'\r') => self.at = At::Cr,
                (At::Dot, b'\r') => self.at = At::DotCr,
                (At::DotCr, b'\n') => return (i + 1, true),
                (At::Cr, b'\n') => {
                    self.push(b"\r\n");
                    self.at = At::LineStart;
                }
                (At::Cr | At::DotCr, _) => {
                    // A bare CR: what is here is looked at once more, as text.
                    self.is_bare = true;
                    self.at = At::Text;
                    continue;
                }
                (_, b'\n') => {
                    self.is_bare = true;
                    self.at = At::Text;
                }
                _ => {
                    // The rest of the line, as far as it is there.
                    let rest = &chunk[i..];
                    let end =
                        rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
                    self.push(&rest[..end]);
                    self.at = At::Text;
                    i += end;
                    continue;
                }
            }
            i += 1;
        }
        (i, false)
    }

    fn done(self) -> Data {
        if self.is_bare {
            Data::Bare
        } else if self.length > self.max {
            Data::TooLarge
        } else {
            Data::Whole(self.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is left behind the message is given too.
    fn read(sent: &[u8], chunk: usize, max: usize) -> Option<(Data, Vec<u8>)> {
        let mut unstuff = Unstuff::new(max);
        let mut rest = sent;
        while !rest.is_empty() {
            let (used, is_over) = unstuff.take(&rest[..chunk.min(rest.len())]);
            rest = &rest[used..];
            if is_over {
                return Some((unstuff.done(), rest.to_vec()));
            }
        }
        None
    }

    fn stuffed(message: &[u8]) -> Vec<u8> {
        let mut sent = Vec::new();
        for line in message.split_inclusive(|&byte| byte == b'\n') {
            if line.starts_with(b".") {
                sent.push(b'.');
            }
            sent.extend_from_slice(line);
        }
        sent.extend_from_slice(b".\r\n");
        sent
    }

    #[test]
    fn nothing_but_a_dot_between_line_ends_ends_a_message() {
        for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n\n.\r\n"] {
            let sent = format!("Subject: x\r\n\r\ny{end}MAIL FROM:<evil@x.example>\r\n\r\n.\r\n");
            for chunk in [1, 2, 3, 1_000] {
                let found = read(sent.as_bytes(), chunk, 1_000);
                assert_eq!(found, Some((Data::Bare, Vec::new())), "{end:?} by {chunk}");
            }
        }
        let sent = b"a\r\n..b\r\n...\r\n.c\r\n.\r\nQUIT\r\n";
        let found = read(sent, 1, 1_000).expect("it ends");
        assert_eq!(found, (Data::Whole(b"a\r\n.b\r\n..\r\nc\r\n".to_vec()), b"QUIT\r\n".to_vec()));
        assert_eq!(read(b".\r\n", 9, 9).expect("it ends").0, Data::Whole(Vec::new()));
        assert_eq!(read(b"aaaa\r\n.\r\n", 9, 5).expect("it ends").0, Data::TooLarge);
    }

    proptest! {
        #[test]
        fn what_was_sent_is_what_is_read(lines in proptest::collection::vec("[^\r\n]{0,20}", 0..20), chunk in 1_usize..50) {
            let message: Vec<u8> = lines.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
            let mut sent = stuffed(&message);
            sent.extend_from_slice(b"RSET\r\n");
            let found = read(&sent, chunk, 100_000).expect("it ends");
            prop_assert_eq!(found, (Data::Whole(message), b"RSET\r\n".to_vec()));
        }

        #[test]
        fn no_bytes_crash_the_reading(sent in proptest::collection::vec(any::<u8>(), 0..500), chunk in 1_usize..50) {
            let _ = read(&sent, chunk, 100);
        }
    }
}
