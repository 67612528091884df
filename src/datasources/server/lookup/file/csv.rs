//! Delimited text, as people and spreadsheets write it.

use super::{Cell, Kind, Sheet, cut_at};
use crate::datasources::server::lookup::{Cause, LookupError, Rows};

pub fn parse(bytes: &[u8]) -> Result<Sheet, LookupError> {
    let text = decode(bytes);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter(&text)).flexible(true).from_reader(text.as_bytes());
    let unreadable =
        |error: csv::Error| LookupError::new(Cause::File, format!("the file is no CSV: {error}"));
    let columns: Vec<String> =
        reader.headers().map_err(unreadable)?.iter().map(|name| name.trim().to_owned()).collect();
    if columns.len() > Rows::MAX_COLUMNS {
        return Err(LookupError::new(
            Cause::TooLarge,
            format!("the file has more than {} columns", Rows::MAX_COLUMNS),
        ));
    }
    let records = reader.records().collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    let mut kinds: Vec<Option<Kind>> = vec![None; columns.len()];
    for record in &records {
        for (kind, cell) in kinds.iter_mut().zip(record).filter(|(_, cell)| !cell.is_empty()) {
            *kind = Some(Kind::join(*kind, Kind::of(cell)));
        }
    }
    let width = columns.len();
    let kinds = kinds.into_iter().map(|kind| kind.unwrap_or(Kind::Text)).collect();
    // An empty cell is no value; a short line's missing cells are none either.
    let rows = records.into_iter().map(move |record| {
        (0..width)
            .map(|i| match record.get(i) {
                None | Some("") => Cell::Null,
                Some(text) => Cell::Text(text.to_owned()),
            })
            .collect()
    });
    Ok(Sheet { columns, kinds, rows: Box::new(rows) })
}

/// UTF-8, with or without byte order mark, or UTF-16 with one; what is none of these is Windows-1252, the
/// superset of Latin-1 that spreadsheets write.
fn decode(bytes: &[u8]) -> String {
    if let Some((encoding, skip)) = encoding_rs::Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[skip..]).0.into_owned();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// The delimiter that the first line has most of, outside quotes.
fn delimiter(text: &str) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    for byte in text[..cut_at(text, 65_536)].bytes() {
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

    #[test]
    fn what_spreadsheets_write_is_read() {
        for (bytes, columns, cells) in [
            (&b"a,b\n1,\"x, \"\"y\"\"\"\n"[..], ["a", "b"], ["1", "x, \"y\""]),
            (b"\xef\xbb\xbfa;b\r\n1;x,y\r\n", ["a", "b"], ["1", "x,y"]),
            (b"a\tb\n1\tM\xfcller\n", ["a", "b"], ["1", "Müller"]),
            (b"\"a;,\";b\n1;2\n", ["a;,", "b"], ["1", "2"]),
            (b"\xff\xfea\0,\0b\0\n\x001\0,\x002\0", ["a", "b"], ["1", "2"]),
        ] {
            let mut sheet = parse(bytes).expect("reads");
            assert_eq!(sheet.columns, columns);
            let first = sheet.rows.next().expect("a row");
            assert_eq!(first, cells.map(|cell| Cell::Text(cell.to_owned())));
        }
    }

    #[test]
    fn a_number_keeps_its_leading_zeros() {
        let sheet = parse(b"order,amount,qty,code\n0042,1.50,3,7\n7,2,4,x\n,,,\n").expect("reads");
        assert_eq!(sheet.kinds, [Kind::Text, Kind::Real, Kind::Integer, Kind::Text]);
    }
}
