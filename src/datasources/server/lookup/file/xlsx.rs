//! Workbooks of Excel 2007 and later (ECMA-376). The first line of the sheet that holds anything names the columns.

use std::io::{Cursor, Read};

use calamine::{DataRef, Reader, Xlsx};

use super::{Cell, Kind, Sheet};
use crate::datasources::server::lookup::{Cause, LookupError, Rows};

/// A workbook is a ZIP archive, whose parts must not unfold to more than this: bytes.
const MAX_UNFOLDED: u64 = 1 << 30;
/// No sheet of Excel has more.
const MAX_ROWS: usize = 1_048_576;

pub fn parse(bytes: Vec<u8>, sheet: Option<&str>) -> Result<Sheet, LookupError> {
    let unreadable = |error: calamine::XlsxError| {
        LookupError::new(Cause::File, format!("the file is no workbook: {error}"))
    };
    check_size(&bytes, MAX_UNFOLDED)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
    let names = book.sheet_names();
    let name = match sheet {
        None => names
            .first()
            .cloned()
            .ok_or_else(|| LookupError::new(Cause::Sheet, "the workbook has no sheet"))?,
        Some(wanted) => names.iter().find(|name| name.as_str() == wanted).cloned().ok_or_else(|| {
            LookupError::new(
                Cause::Sheet,
                format!("the workbook has no sheet {wanted}; it has {}", names.join(", ")),
            )
        })?,
    };
    // Cell by cell: a range in memory would be as large as its two farthest cells make it.
    let mut reader = book.worksheet_cells_reader(&name).map_err(unreadable)?;
    let mut columns: Vec<String> = Vec::new();
    let mut header: Option<u32> = None;
    let mut first_column = 0;
    let mut rows: Vec<Vec<Cell>> = Vec::new();
    let mut row_number = None;
    let mut kinds: Vec<Option<Kind>> = Vec::new();
    while let Some(found) = reader.next_cell().map_err(unreadable)? {
        let (row, column) = found.get_position();
        let cell = cell(found.get_value());
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
            columns.resize(i + 1, String::new());
            columns[i] = cell.into_text().trim().to_owned();
            continue;
        }
        kinds.resize(columns.len(), None);
        // Beside the named columns people keep notes.
        let Some(kind) = kinds.get_mut(i) else { continue };
        if row_number != Some(row) {
            if rows.len() == MAX_ROWS {
                return Err(LookupError::new(
                    Cause::TooLarge,
                    format!("the sheet has more than {MAX_ROWS} rows"),
                ));
            }
            row_number = Some(row);
            rows.push(vec![Cell::Null; columns.len()]);
        }
        *kind = Some(Kind::join(*kind, cell.kind()));
        if let Some(place) = rows.last_mut().and_then(|row| row.get_mut(i)) {
            *place = cell;
        }
    }
    kinds.resize(columns.len(), None);
    let kinds = kinds.into_iter().map(|kind| kind.unwrap_or(Kind::Text)).collect();
    Ok(Sheet { columns, kinds, rows: Box::new(rows.into_iter()) })
}

/// Unfolds every part once, counting: what an archive says of its sizes need not be true.
fn check_size(bytes: &[u8], most: u64) -> Result<(), LookupError> {
    let no_archive = |error| LookupError::new(Cause::File, format!("the file is no workbook: {error}"));
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(no_archive)?;
    let mut left = most;
    for i in 0..archive.len() {
        let part = archive.by_index(i).map_err(no_archive)?;
        let copied = std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|error| {
            LookupError::new(Cause::File, format!("the file is a damaged workbook: {error}"))
        })?;
        left = left.checked_sub(copied).ok_or_else(|| {
            LookupError::new(Cause::TooLarge, format!("the workbook unfolds to more than {} MiB", most >> 20))
        })?;
    }
    Ok(())
}

fn cell(value: &DataRef<'_>) -> Cell {
    match value {
        DataRef::Empty => Cell::Null,
        DataRef::Int(integer) => Cell::Integer(*integer),
        DataRef::Float(real) => Cell::number(*real),
        DataRef::String(text) => Cell::text(text),
        DataRef::SharedString(text) => Cell::text(text),
        DataRef::Bool(flag) => Cell::Integer(i64::from(*flag)),
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
        let mut sheet = parse(workbook(), Some("Customers")).expect("reads");
        assert_eq!(sheet.columns, ["email", "since", "orders", "balance"]);
        assert_eq!(sheet.kinds, [Kind::Text, Kind::Text, Kind::Integer, Kind::Real]);
        let text = |text: &str| Cell::Text(text.to_owned());
        let first = [text("a@b.example"), text("2026-11-10"), Cell::Integer(12), Cell::Real(10.5)];
        assert_eq!(sheet.rows.next().expect("a row"), first);
        let second = [text("c@d.example"), Cell::Null, Cell::Null, Cell::Integer(3)];
        assert_eq!(sheet.rows.next().expect("a row"), second);
        assert!(sheet.rows.next().is_none());

        let refused = parse(workbook(), Some("Orders")).err().expect("refused");
        assert_eq!(refused.message, "the workbook has no sheet Orders; it has Notes, Customers");
        assert!(parse(b"PK no archive".to_vec(), None).is_err());
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
