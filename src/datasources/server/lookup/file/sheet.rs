//! What is read of a file, row by row, and within which bounds.

use std::time::{Duration, Instant};

use super::{cell::Cell, columns::Column};
use crate::datasources::server::lookup::{Cause, LookupError};

/// A table that is loaded: bytes.
const MAX_TABLE: usize = 384 << 20;
/// Loading a file takes at most this.
const LOAD_TIME: Duration = Duration::from_secs(120);

/// What a parser makes of a file, having gone through it once. `rows` goes through it again.
pub struct Sheet<'b> {
    pub columns: Vec<Column>,
    pub rows: EachRow<'b>,
    /// None of what is no workbook.
    pub sheets: Option<Sheets>,
}

/// The sheets of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheets {
    /// The one that is read.
    pub read: String,
    /// All others, hidden ones too. Charts are none.
    pub others: Vec<String>,
}

/// Goes through the rows of a file.
pub type EachRow<'b> = Box<dyn FnOnce(Sink<'_>) -> Result<(), LookupError> + 'b>;

/// Takes the rows, one by one: all of them would not fit into memory.
pub type Sink<'s> = &'s mut dyn FnMut(Vec<Cell>) -> Result<(), LookupError>;

#[cfg(test)]
impl Sheet<'_> {
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    pub fn kinds(&self) -> Vec<super::columns::Kind> {
        self.columns.iter().map(|column| column.kind).collect()
    }

    pub fn all(self) -> Vec<Vec<Cell>> {
        let mut all = Vec::new();
        let mut take = |row| {
            all.push(row);
            Ok(())
        };
        (self.rows)(&mut take).expect("rows");
        all
    }
}

/// What loading a file may take.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub bytes: usize,
    pub until: Instant,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: MAX_TABLE, until: Instant::now() + LOAD_TIME }
    }
}

impl Bounds {
    /// Counts a row of so many columns whose values have so many bytes.
    ///
    /// # Errors
    /// `Cause::TooLarge`.
    pub fn row(&mut self, columns: usize, bytes: usize) -> Result<(), LookupError> {
        self.check_time()?;
        // The row's number, and the sizes of its values.
        self.bytes = self.bytes.checked_sub(9 + columns + bytes).ok_or_else(too_many)?;
        Ok(())
    }

    pub fn check_time(&self) -> Result<(), LookupError> {
        if Instant::now() < self.until {
            return Ok(());
        }
        Err(LookupError::new(
            Cause::TooLarge,
            format!("the file takes longer than {} s to load", LOAD_TIME.as_secs()),
        ))
    }
}

pub fn too_many() -> LookupError {
    LookupError::new(
        Cause::TooLarge,
        format!(
            "the file holds more rows than can be loaded: as a table it takes more than {} MiB",
            MAX_TABLE >> 20
        ),
    )
}
