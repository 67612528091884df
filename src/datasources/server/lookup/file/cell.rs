//! What stands at one place of a file.

use super::columns::Kind;

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Cell {
    pub fn text(text: &str) -> Self {
        if text.is_empty() { Self::Null } else { Self::Text(text.to_owned()) }
    }

    /// A spreadsheet knows only floating point; a whole number is meant as one.
    pub fn number(real: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "within the range in which f64 is exact")]
        if real.fract() == 0.0 && real.abs() < 9e15 { Self::Integer(real as i64) } else { Self::Real(real) }
    }

    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Boolean(_) => 0,
            Self::Integer(_) | Self::Real(_) => 8,
            Self::Text(text) => text.len(),
        }
    }

    pub fn into_text(self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Boolean(flag) => flag.to_string(),
            Self::Integer(integer) => integer.to_string(),
            Self::Real(real) => real.to_string(),
            Self::Text(text) => text,
        }
    }

    /// As a column of this kind holds it.
    pub fn fit(self, kind: Kind) -> Self {
        match (kind, self) {
            (Kind::Integer, Self::Text(text)) => {
                text.parse::<i64>().map_or_else(|_| Self::Text(text), Self::Integer)
            }
            (Kind::Real | Kind::Decimal, Self::Text(text)) => {
                text.parse::<f64>().map_or_else(|_| Self::Text(text), Self::Real)
            }
            (Kind::Text | Kind::AsIs, Self::Boolean(flag)) => Self::Text(flag.to_string()),
            (_, cell) => cell,
        }
    }
}

impl rusqlite::ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        match self {
            Self::Null => rusqlite::types::Null.to_sql(),
            Self::Boolean(flag) => flag.to_sql(),
            Self::Integer(integer) => integer.to_sql(),
            Self::Real(real) => real.to_sql(),
            Self::Text(text) => text.to_sql(),
        }
    }
}
