//! Workbooks of Excel 2007 and later (ECMA-376). The first line of the sheet that holds anything names the columns.

use std::io::{self, Cursor, Read, Write};

use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx};

use super::{
    cell::Cell,
    columns::{Kind, Seen},
    sheet::{Bounds, Sheet, Sheets, Sink},
};
use crate::datasources::server::lookup::{Cause, LookupError, Rows};

/// A workbook is a ZIP archive, whose parts must not unfold to more than this: bytes.
const MAX_UNFOLDED: u64 = 1 << 30;
/// The parts of a workbook, each of which takes memory before it is unfolded.
const MAX_PARTS: usize = 10_000;
/// How each part's entry in the archive's list of them begins (APPNOTE.TXT of PKWARE, section 4.3.12).
const ENTRY: &[u8] = b"PK\x01\x02";
/// The parts that are held in memory (`is_held`): bytes.
const MAX_HELD: u64 = 256 << 20;
/// Tags in a part that is held: each may be a text, or else a format.
const MAX_TEXT_TAGS: usize = 16_000_000;
const MAX_TAGS: usize = 1_000_000;
/// Bytes without a tag, which are read at once. A cell of Excel's holds 32,767 characters.
const MAX_RUN: usize = 16 << 20;
/// No sheet of Excel has more.
const MAX_ROWS: usize = 1_048_576;

/// A workbook that is unfolded so far that any of its sheets can be read.
pub type Book<'b> = Xlsx<Cursor<&'b [u8]>>;

pub fn open(bytes: &[u8]) -> Result<Book<'_>, LookupError> {
    check_size(bytes, MAX_UNFOLDED)?;
    Xlsx::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))
}

pub fn parse<'p>(
    book: &'p mut Book<'_>,
    sheet: Option<&str>,
    mut bounds: Bounds,
) -> Result<Sheet<'p>, LookupError> {
    let name = match sheet {
        None => first(book.sheets_metadata())
            .ok_or_else(|| LookupError::new(Cause::Sheet, "the workbook has no sheet"))?,
        Some(wanted) => {
            let names = book.sheet_names();
            names.iter().find(|name| name.as_str() == wanted).cloned().ok_or_else(|| {
                LookupError::new(
                    Cause::Sheet,
                    format!("the workbook has no sheet {wanted}; it has {}", names.join(", ")),
                )
            })?
        }
    };
    let sheets = Some(Sheets { others: others(book.sheets_metadata(), &name), read: name.clone() });
    let mut seen: Vec<Seen> = Vec::new();
    let mut count = 0;
    let names = each(book, &name, bounds, &mut |width, row| {
        count += 1;
        if count > MAX_ROWS {
            return Err(LookupError::new(
                Cause::TooLarge,
                format!("the sheet has more than {MAX_ROWS} rows"),
            ));
        }
        for (i, cell) in row.iter() {
            if seen.len() <= *i {
                seen.resize(*i + 1, Seen::default());
            }
            seen[*i].cell(cell);
        }
        bounds.row(width, row.iter().map(|(_, cell)| cell.size()).sum())
    })?;
    let width = names.len();
    seen.resize(width, Seen::default());
    let columns = names.into_iter().zip(seen).map(|(name, seen)| seen.column(name, Kind::Text)).collect();
    let rows = move |sink: Sink<'_>| {
        each(book, &name, bounds, &mut |_, row| {
            let mut cells = vec![Cell::Null; width];
            for (i, cell) in row.drain(..) {
                if let Some(place) = cells.get_mut(i) {
                    *place = cell;
                }
            }
            sink(cells)
        })
        .map(drop)
    };
    Ok(Sheet { columns, rows: Box::new(rows), sheets })
}

/// The sheets beside the one that is read.
fn others(sheets: &[calamine::Sheet], read: &str) -> Vec<String> {
    let others = sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet && sheet.name != read);
    others.map(|sheet| sheet.name.clone()).collect()
}

/// The sheet that whoever opens the workbook sees first; of hidden ones alone, the first. A chart is none.
fn first(sheets: &[calamine::Sheet]) -> Option<String> {
    let sheets = || sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let visible = sheets().find(|sheet| sheet.visible == SheetVisible::Visible);
    visible.or_else(|| sheets().next()).map(|sheet| sheet.name.clone())
}

fn unreadable(error: &calamine::XlsxError) -> LookupError {
    LookupError::new(Cause::File, format!("the file is no workbook: {error}"))
}

/// Takes a row: how many columns there are so far, and those of its cells that hold something.
type TakeRow<'t> = &'t mut dyn FnMut(usize, &mut Vec<(usize, Cell)>) -> Result<(), LookupError>;

/// Goes through a sheet's rows: so many columns there are, and those cells hold something, each with its column's
/// place. Gives the columns' names.
fn each(
    book: &mut Book<'_>,
    name: &str,
    bounds: Bounds,
    take: TakeRow<'_>,
) -> Result<Vec<String>, LookupError> {
    // Cell by cell: a range in memory would be as large as its two farthest cells make it.
    let mut reader = book.worksheet_cells_reader(name).map_err(|error| unreadable(&error))?;
    let mut columns: Vec<String> = Vec::new();
    let mut header: Option<u32> = None;
    let mut first_column = 0;
    let mut row_number = None;
    let mut cells: Vec<(usize, Cell)> = Vec::new();
    while let Some(found) = reader.next_cell().map_err(|error| unreadable(&error))? {
        let (row, column) = found.get_position();
        let cell = cell(found.get_value());
        if row_number != Some(row) {
            row_number = Some(row);
            bounds.check_time()?;
            if !cells.is_empty() {
                take(columns.len(), &mut cells)?;
                cells.clear();
            }
        }
        if cell == Cell::Null {
            continue;
        }
        let header_row = *header.get_or_insert_with(|| {
            first_column = column;
            row
        });
        let Some(i) = column.checked_sub(first_column).map(|i| i as usize) else { continue };
        if row == header_row {
            if i >= Rows::MAX_COLUMNS {
                return Err(LookupError::new(
                    Cause::TooLarge,
                    format!("the sheet has more than {} columns", Rows::MAX_COLUMNS),
                ));
            }
            columns.resize(columns.len().max(i + 1), String::new());
            columns[i] = cell.into_text().trim().to_owned();
        } else if i < columns.len() && cells.len() < 2 * columns.len() {
            // Beside the named columns people keep notes.
            cells.push((i, cell));
        }
    }
    if !cells.is_empty() {
        take(columns.len(), &mut cells)?;
    }
    Ok(columns)
}

/// Unfolds every part once, counting: what an archive says of its sizes need not be true.
fn check_size(bytes: &[u8], most: u64) -> Result<(), LookupError> {
    let no_archive = |error| LookupError::new(Cause::File, format!("the file is no workbook: {error}"));
    let damaged =
        |error: io::Error| LookupError::new(Cause::File, format!("the file is a damaged workbook: {error}"));
    let too_large = |most: u64| {
        LookupError::new(Cause::TooLarge, format!("the workbook unfolds to more than {} MiB", most >> 20))
    };
    // Counted, since what an archive says of their number need not be true either.
    if bytes.windows(ENTRY.len()).filter(|window| *window == ENTRY).nth(MAX_PARTS).is_some() {
        return Err(LookupError::new(
            Cause::TooLarge,
            format!("the workbook has more than {MAX_PARTS} parts"),
        ));
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(no_archive)?;
    let (mut left, mut held) = (most, MAX_HELD);
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(no_archive)?;
        let name = part.name().map_err(no_archive)?.to_ascii_lowercase().replace('\\', "/");
        let mut gauge = Gauge::default();
        let copied = if name.ends_with("sharedstrings.xml") {
            let mut texts = Vec::new();
            let copied = part.take(left.min(held) + 1).read_to_end(&mut texts).map_err(damaged)?;
            check_count(&texts)?;
            gauge.write_all(&texts).map_err(damaged)?;
            copied as u64
        } else {
            io::copy(&mut part.take(left + 1), &mut gauge).map_err(damaged)?
        };
        left = left.checked_sub(copied).ok_or_else(|| too_large(most))?;
        let is_text = name.ends_with(".xml") || name.ends_with(".rels");
        if is_text && gauge.longest > MAX_RUN {
            return Err(LookupError::new(
                Cause::TooLarge,
                format!("the workbook holds a text of more than {} MiB", MAX_RUN >> 20),
            ));
        }
        if is_held(&name) {
            let most_tags = if name.ends_with("sharedstrings.xml") { MAX_TEXT_TAGS } else { MAX_TAGS };
            held = held.checked_sub(copied).ok_or_else(|| too_large(MAX_HELD))?;
            if gauge.tags > most_tags {
                return Err(LookupError::new(
                    Cause::TooLarge,
                    format!("the workbook holds more than {most_tags} texts or formats"),
                ));
            }
        }
    }
    Ok(())
}

/// Whether a part is read whole when a workbook is opened: its texts, its formats, and what it consists of.
fn is_held(name: &str) -> bool {
    let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
    matches!(file, "sharedstrings.xml" | "styles.xml" | "theme1.xml")
        || file.starts_with("workbook")
        || file.ends_with(".rels")
}

/// What a workbook says of the number of its texts, room is made for, before they are there.
fn check_count(texts: &[u8]) -> Result<(), LookupError> {
    const NAME: &[u8] = b"uniqueCount";
    let fault =
        |words: &str| LookupError::new(Cause::File, format!("the file is a damaged workbook: {words}"));
    // UTF-16, which would hide the name.
    if texts.contains(&0) {
        return Err(fault("it holds NUL"));
    }
    for (at, _) in texts.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME) {
        let digits = texts[at + NAME.len()..]
            .iter()
            .skip_while(|byte| matches!(byte, b'=' | b'"' | b'\'') || byte.is_ascii_whitespace())
            .take_while(|byte| byte.is_ascii_digit());
        let count = digits
            .fold(0_usize, |sum, digit| sum.saturating_mul(10).saturating_add(usize::from(digit - b'0')));
        if count > MAX_TEXT_TAGS {
            return Err(fault("it says that it holds more texts than it can"));
        }
    }
    Ok(())
}

/// What a part of a workbook holds.
#[derive(Default)]
struct Gauge {
    tags: usize,
    /// Bytes since the last tag, and the most that there were; a run within one piece that is written is not seen.
    run: usize,
    longest: usize,
}

impl Write for Gauge {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        for piece in piece.chunks(4_096) {
            self.tags += piece.iter().filter(|byte| **byte == b'<').count();
            let (before, after) = match piece.iter().rposition(|byte| *byte == b'<') {
                Some(last) => (self.run, piece.len() - last),
                None => (self.run + piece.len(), self.run + piece.len()),
            };
            self.longest = self.longest.max(before);
            self.run = after;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn cell(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Null,
        DataRef::Int(integer) => Cell::Integer(*integer),
        DataRef::Float(real) => Cell::number(*real),
        DataRef::String(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(flag) => Cell::Boolean(*flag),
        DataRef::DateTime(moment) if moment.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
            let date = format!("{year:04}-{month:02}-{day:02}");
            let at_midnight = (hour, minute, second) == (0, 0, 0);
            Cell::Text(if at_midnight { date } else { format!("{date} {hour:02}:{minute:02}:{second:02}") })
        }
        DataRef::DateTime(duration) => Cell::number(duration.as_f64()),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::text(text),
        // `#N/A` and its like: there is no value.
        DataRef::Error(_) => Cell::Null,
    }
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};

    use super::*;

    fn workbook() -> Vec<u8> {
        let mut book = Workbook::new();
        book.add_worksheet().set_name("Notes").expect("named").write(0, 0, "nothing").expect("written");
        let sheet = book.add_worksheet().set_name("Customers").expect("named");
        for (column, name) in ["email", "since", "orders", "balance"].into_iter().enumerate() {
            sheet.write(2, 1 + column as u16, name).expect("written");
        }
        let date = Format::new().set_num_format("yyyy-mm-dd");
        sheet.write(3, 1, "a@b.example").expect("written");
        let since = ExcelDateTime::from_ymd(2026, 11, 10).expect("date");
        sheet.write_with_format(3, 2, &since, &date).expect("written");
        sheet.write(3, 3, 12).expect("written");
        sheet.write(3, 4, 10.5).expect("written");
        sheet.write(5, 1, "c@d.example").expect("written");
        sheet.write(5, 4, 3).expect("written");
        sheet.write(5, 9, "a note beside").expect("written");
        book.save_to_buffer().expect("saved")
    }

    #[test]
    fn a_workbook_is_read_by_sheet() {
        let bytes = workbook();
        let mut book = open(&bytes).expect("opens");
        let sheet = parse(&mut book, Some("Customers"), Bounds::default()).expect("reads");
        assert_eq!(sheet.names(), ["email", "since", "orders", "balance"]);
        assert_eq!(sheet.kinds(), [Kind::Text, Kind::Text, Kind::Integer, Kind::Real]);
        let text = |text: &str| Cell::Text(text.to_owned());
        let first = [text("a@b.example"), text("2026-11-10"), Cell::Integer(12), Cell::Real(10.5)];
        let second = [text("c@d.example"), Cell::Null, Cell::Null, Cell::Integer(3)];
        assert_eq!(sheet.all(), [first, second]);

        // The same, once more.
        let notes = parse(&mut book, Some("Notes"), Bounds::default()).expect("reads");
        assert_eq!(notes.names(), ["nothing"]);
        drop(notes);
        let refused = parse(&mut book, Some("Orders"), Bounds::default()).err().expect("refused");
        assert_eq!(refused.message, "the workbook has no sheet Orders; it has Notes, Customers");
        assert!(open(b"PK no archive").is_err());
    }

    #[test]
    fn the_first_sheet_is_the_one_that_people_see_first() {
        use SheetType::{ChartSheet, WorkSheet};
        use SheetVisible::{Hidden, VeryHidden, Visible};
        let mut book = Workbook::new();
        for (name, is_hidden) in [("Lists", true), ("Customers", false), ("Notes", false)] {
            let sheet = book.add_worksheet().set_name(name).expect("named");
            sheet.write(0, 0, name).expect("written");
            sheet.set_hidden(is_hidden).set_active(name == "Notes");
        }
        let bytes = book.save_to_buffer().expect("saved");
        let mut book = open(&bytes).expect("opens");
        for (wanted, read, others) in
            [(None, "Customers", ["Lists", "Notes"]), (Some("Lists"), "Lists", ["Customers", "Notes"])]
        {
            let sheet = parse(&mut book, wanted, Bounds::default()).expect("reads");
            assert_eq!(sheet.names(), [read]);
            let sheets = sheet.sheets.expect("a workbook");
            assert!(sheets.read == read && sheets.others == others, "{sheets:?}");
        }
        for (sheets, place) in [
            (&[(WorkSheet, Visible), (WorkSheet, Visible)][..], Some(0)),
            (&[(WorkSheet, VeryHidden), (WorkSheet, Hidden), (WorkSheet, Visible)], Some(2)),
            (&[(ChartSheet, Visible), (WorkSheet, Hidden), (WorkSheet, Visible)], Some(2)),
            (&[(ChartSheet, Visible), (WorkSheet, Hidden), (WorkSheet, Hidden)], Some(1)),
            (&[(ChartSheet, Visible)], None),
        ] {
            let named = |(i, (typ, visible)): (usize, &(SheetType, SheetVisible))| calamine::Sheet {
                name: i.to_string(),
                typ: *typ,
                visible: *visible,
            };
            let named: Vec<calamine::Sheet> = sheets.iter().enumerate().map(named).collect();
            assert_eq!(first(&named), place.map(|place: usize| place.to_string()), "{named:?}");
        }
    }

    #[test]
    fn cells_of_nothing_take_no_memory() {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for column in 0..500 {
            sheet.write(0, column, format!("c{column}")).expect("written");
        }
        for row in 1..100 {
            sheet.write(row, 0, true).expect("written");
        }
        let bytes = book.save_to_buffer().expect("saved");
        let mut book = open(&bytes).expect("opens");
        let sheet = parse(&mut book, None, Bounds::default()).expect("reads");
        assert_eq!(sheet.kinds()[..2], [Kind::Boolean, Kind::Text]);
        drop(sheet);
        let bounds = Bounds { bytes: 40_000, ..Bounds::default() };
        let refused = parse(&mut book, None, bounds).err().expect("99 rows of 500 columns");
        assert_eq!(refused.cause, Cause::TooLarge, "{refused}");
    }

    #[test]
    fn a_part_that_would_take_more_memory_than_there_is_is_refused() {
        let (long, many) = (format!("<a>{}</a>", "x".repeat(MAX_RUN + 10_000)), "<a/>".repeat(MAX_TAGS + 1));
        for (name, text) in [
            ("xl/sharedStrings.xml", "<sst uniqueCount=\"99999999999999\"/>"),
            ("xl/sharedStrings.xml", "<sst uniqueCount = '16000001'/>"),
            ("xl/styles.xml", many.as_str()),
            ("xl/worksheets/sheet1.xml", long.as_str()),
        ] {
            let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
            archive.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
            archive.write_all(text.as_bytes()).expect("written");
            let archive = archive.finish().expect("written").into_inner();
            assert!(check_size(&archive, MAX_UNFOLDED).is_err(), "{name}");
        }
    }

    #[test]
    fn an_archive_of_too_many_parts_is_refused_before_they_are_listed() {
        let archive = |parts: usize| {
            let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
            for part in 0..parts {
                let stored = zip::write::SimpleFileOptions::default()
                    .compression_method(zip::CompressionMethod::Stored);
                archive.start_file(part.to_string(), stored).expect("begun");
            }
            archive.finish().expect("written").into_inner()
        };
        assert_eq!(check_size(&archive(MAX_PARTS), MAX_UNFOLDED), Ok(()));
        let mut lying = archive(MAX_PARTS + 1);
        let refused = check_size(&lying, MAX_UNFOLDED).expect_err("too many");
        assert_eq!((refused.cause, refused.message.contains("parts")), (Cause::TooLarge, true), "{refused}");
        // The end of the archive says how many there are (section 4.3.16): on this disk, and in all.
        let end = lying.len() - 22;
        lying[end + 8..end + 12].copy_from_slice(&[1, 0, 1, 0]);
        assert_eq!(check_size(&lying, MAX_UNFOLDED).expect_err("too many").cause, Cause::TooLarge);
    }

    #[test]
    fn an_archive_that_unfolds_too_far_is_no_workbook() {
        let mut bomb = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in ["a", "b"] {
            bomb.start_file(name, zip::write::SimpleFileOptions::default()).expect("begun");
            std::io::Write::write_all(&mut bomb, &vec![b' '; 1 << 20]).expect("written");
        }
        let bomb = bomb.finish().expect("written").into_inner();
        assert!(bomb.len() < 10_000, "it is small: {} bytes", bomb.len());
        assert_eq!(check_size(&bomb, 2 << 20), Ok(()));
        assert_eq!(check_size(&bomb, (2 << 20) - 1).expect_err("too much").cause, Cause::TooLarge);
    }
}
