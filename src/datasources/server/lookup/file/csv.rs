//! Delimited text, as people and spreadsheets write it.

use std::{
    cell::Cell as Counter,
    io::{self, Read},
};

use csv::StringRecord;
use encoding_rs::{Decoder, Encoding, UTF_8, WINDOWS_1252};

use super::{
    cell::Cell,
    columns::{Kind, Seen},
    sheet::{Bounds, Sheet, Sink},
};
use crate::datasources::server::lookup::{Cause, LookupError, Rows};

/// A line has at most this many delimiters: each takes memory before it is known to be one too many.
const MAX_DELIMITERS: usize = 1_000_000;
/// Where the delimiter is looked for: bytes.
const HEAD: usize = 65_536;

pub fn parse(bytes: &[u8], mut bounds: Bounds) -> Result<Sheet<'_>, LookupError> {
    let (encoding, bytes) = encoding(bytes);
    let head = encoding.decode_without_bom_handling(&bytes[..bytes.len().min(2 * HEAD)]).0;
    let delimiter = delimiter(&head);
    // A line that ends in CR LF is counted when its LF is read, which belongs to the next record.
    let uncounted = u64::from(head.split_once('\n').is_some_and(|(first, _)| first.ends_with('\r')));
    let text = Text { bytes, encoding, delimiter };
    let mut names: Vec<String> = Vec::new();
    let mut seen: Vec<Seen> = Vec::new();
    text.each(&mut |record| {
        if names.is_empty() {
            if record.len() > Rows::MAX_COLUMNS {
                return Err(LookupError::new(
                    Cause::TooLarge,
                    format!("the file has more than {} columns", Rows::MAX_COLUMNS),
                ));
            }
            names = record.iter().map(|name| name.trim().to_owned()).collect();
            seen = vec![Seen::default(); names.len()];
            return Ok(());
        }
        if record.iter().skip(names.len()).any(|cell| !cell.trim().is_empty()) {
            return Err(too_wide(record.position().map_or(0, csv::Position::line) + uncounted));
        }
        bounds.row(names.len(), record.iter().take(names.len()).map(str::len).sum())?;
        for (seen, cell) in seen.iter_mut().zip(record).filter(|(_, cell)| !cell.is_empty()) {
            seen.text(cell);
        }
        Ok(())
    })?;
    let width = names.len();
    let columns = names.into_iter().zip(seen).map(|(name, seen)| seen.column(name, Kind::Text)).collect();
    let rows = move |sink: Sink<'_>| {
        let mut is_header = true;
        text.each(&mut |record| {
            if std::mem::take(&mut is_header) {
                return Ok(());
            }
            // An empty cell is no value; a short line's missing cells are none either.
            sink((0..width).map(|i| record.get(i).map_or(Cell::Null, Cell::text)).collect())
        })
    };
    Ok(Sheet { columns, rows: Box::new(rows), sheets: None })
}

/// A cell too many says that a delimiter is not one, or that a line is two: then no cell is known to be its column's.
/// Spreadsheets write empty ones at the end.
fn too_wide(line: u64) -> LookupError {
    LookupError::new(Cause::File, format!("line {line} of the file has more cells than the header"))
}

/// A file's text, which is decoded as it is read.
struct Text<'b> {
    bytes: &'b [u8],
    encoding: &'static Encoding,
    delimiter: u8,
}

impl Text<'_> {
    /// Goes through the records, of which the first names the columns.
    fn each(
        &self,
        take: &mut dyn FnMut(&StringRecord) -> Result<(), LookupError>,
    ) -> Result<(), LookupError> {
        let unreadable =
            |error: csv::Error| LookupError::new(Cause::File, format!("the file is no CSV: {error}"));
        let delimiters = Counter::new(0);
        let source = Decoding {
            decoder: self.encoding.new_decoder_without_bom_handling(),
            bytes: self.bytes,
            is_done: false,
            delimiter: self.delimiter,
            delimiters: &delimiters,
        };
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .flexible(true)
            .has_headers(false)
            .from_reader(source);
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(unreadable)? {
            delimiters.set(0);
            take(&record)?;
        }
        Ok(())
    }
}

/// UTF-8 of what is written in any encoding.
struct Decoding<'b> {
    decoder: Decoder,
    bytes: &'b [u8],
    is_done: bool,
    delimiter: u8,
    /// Since the last record.
    delimiters: &'b Counter<usize>,
}

impl Read for Decoding<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.is_done {
            return Ok(0);
        }
        let (result, read, written, _) = self.decoder.decode_to_utf8(self.bytes, into, true);
        self.bytes = &self.bytes[read..];
        self.is_done = result == encoding_rs::CoderResult::InputEmpty;
        let found = into[..written].iter().filter(|byte| **byte == self.delimiter).count();
        self.delimiters.set(self.delimiters.get() + found);
        if self.delimiters.get() > MAX_DELIMITERS {
            return Err(io::Error::other(format!("a line has more than {MAX_DELIMITERS} delimiters")));
        }
        Ok(written)
    }
}

/// UTF-8, with or without byte order mark, or UTF-16 with one; what is none of these is Windows-1252, the
/// superset of Latin-1 that spreadsheets write.
fn encoding(bytes: &[u8]) -> (&'static Encoding, &[u8]) {
    match Encoding::for_bom(bytes) {
        Some((encoding, skip)) => (encoding, &bytes[skip..]),
        None if std::str::from_utf8(bytes).is_ok() => (UTF_8, bytes),
        None => (WINDOWS_1252, bytes),
    }
}

/// The delimiter that the first line has most of, outside quotes.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    for byte in text[..text.floor_char_boundary(HEAD)].bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if !quoted => {
                for (delimiter, count) in &mut counts {
                    *count += u32::from(*delimiter == byte);
                }
            }
            _ => {}
        }
    }
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Sheet<'_> {
        parse(bytes, Bounds::default()).expect("reads")
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        for (bytes, columns, cells) in [
            (&b"a,b\n1,\"x, \"\"y\"\"\"\n"[..], ["a", "b"], ["1", "x, \"y\""]),
            (b"\xef\xbb\xbfa;b\r\n1;x,y\r\n", ["a", "b"], ["1", "x,y"]),
            (b"a\tb\n1\tM\xfcller\n", ["a", "b"], ["1", "Müller"]),
            (b"\"a;,\";b\n1;2\n", ["a;,", "b"], ["1", "2"]),
            (b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0", ["a", "b"], ["1", "2"]),
        ] {
            let sheet = read(bytes);
            assert_eq!(sheet.names(), columns);
            assert_eq!(sheet.all(), [cells.map(|cell| Cell::Text(cell.to_owned()))]);
        }
    }

    /// Longer than any buffer between the file and its cells.
    #[test]
    fn a_long_text_is_decoded_piece_by_piece() {
        let long = "\u{fc}".repeat(50_000);
        let latin: Vec<u8> = format!("a,b\n{long},\u{e9}\n").chars().map(|c| c as u8).collect();
        let wide: Vec<u8> =
            format!("\u{feff}a,b\n{long},\u{e9}\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [latin, wide, format!("a,b\n{long},\u{e9}\n").into_bytes()] {
            assert_eq!(read(&bytes).all(), [[Cell::Text(long.clone()), Cell::Text("\u{e9}".into())]]);
        }
    }

    #[test]
    fn a_number_keeps_its_leading_zeros() {
        let sheet = read(b"order,amount,qty,code\n0042,1.50,3,7\n7,2,4,x\n,,,\n");
        assert_eq!(sheet.kinds(), [Kind::Text, Kind::Real, Kind::Integer, Kind::Text]);
    }

    #[test]
    fn a_number_that_would_become_another_is_text() {
        let sheet = read(
            b"tracking,mixed,exact,amount\n\
              9400111899223197428490,12345678901234567,1.5,12.50\n\
              9400111899223197428491,1.5,-7,100.1\n",
        );
        assert_eq!(sheet.kinds(), [Kind::Text, Kind::Text, Kind::Real, Kind::Decimal]);
    }

    #[test]
    fn a_line_with_more_cells_than_the_header_is_damaged() {
        let fine = read(b"a,b\n1,2,,\n3, 4 , \n5\n");
        assert_eq!(fine.all().len(), 3);
        for (bytes, line) in [
            (&b"name,status\nAnn,active\nSmith, Bob,blocked\n"[..], 3),
            (b"a,b\n\"1\n\",2\n1,2,,3\n", 4),
            (b"a;b\r\n1;2\r\n1;2;3\r\n", 3),
        ] {
            let refused = parse(bytes, Bounds::default()).err().expect("refused");
            assert_eq!(refused.cause, Cause::File);
            assert_eq!(refused.message, format!("line {line} of the file has more cells than the header"));
        }
    }

    #[test]
    fn more_rows_than_memory_is_for_are_refused_before_they_are_there() {
        let bounds = Bounds { bytes: 1_000, ..Bounds::default() };
        let refused = parse("n\n1\n".repeat(1_000).as_bytes(), bounds).err().expect("refused");
        assert_eq!(refused.cause, Cause::TooLarge, "{refused}");
        let wide = format!("a,b\n{}\n", ",".repeat(MAX_DELIMITERS + 10_000));
        let refused = parse(wide.as_bytes(), Bounds::default()).err().expect("refused");
        assert!(refused.message.contains("delimiters"), "{refused}");
    }
}
