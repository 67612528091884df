//! Days as people write them into files. SQLite knows none: it orders their letters, which are in time where the year comes
//! first, and seldom else.

use chrono::DateTime;

use crate::rules::server::values;

/// No day is longer, with its name and a time: bytes.
const MAX_DAY: usize = 60;

/// How a day is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Day {
    /// The year first, then month and day of two digits each, and this between them: by letters it is in time, beside
    /// others that are written so. What follows orders none but those of one day.
    YearFirst(char),
    /// The year first, but with one mark here and another there: never a day's, but a column's.
    Several,
    /// In any other way: `10.11.2026`, `3/4/26`, `2026-1-5`, `Di, 10.11.2026`, `10-Nov-26`.
    Otherwise,
}

impl Day {
    /// As in ISO 8601.
    pub const ISO: Self = Self::YearFirst('-');

    /// The way in which a text says a day, with or without a time; none where it says none. Which day it is nobody asks:
    /// `3/4/2026` is one of two.
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('.');
        // The fewest digits are those of `5 Mar 26`.
        if text.len() > MAX_DAY || text.bytes().filter(u8::is_ascii_digit).nth(2).is_none() {
            return None;
        }
        in_digits(text).or_else(|| (is_behind_name(text) || has_month_name(text)).then_some(Self::Otherwise))
    }

    /// Whether such days are ordered in time beside this text. Beside none they are: all are more. What is no day is nobody's
    /// matter, unless it begins as one: `2026/1`.
    pub fn is_ordered_beside(self, text: &str) -> bool {
        match self {
            Self::ISO => Self::of(text).is_none_or(|day| day == Self::ISO),
            Self::YearFirst(mark) => {
                let is_word = || !text.starts_with(|c: char| c.is_ascii_digit()) && Self::of(text).is_none();
                begins_alike(text, mark) || is_word()
            }
            Self::Several | Self::Otherwise => text.is_empty(),
        }
    }
}

/// Whether it is such a day, as far as it goes: `2026/11/10`, `2026/1`.
fn begins_alike(text: &str, mark: char) -> bool {
    let is_alike = |(c, of): (char, char)| if of == '-' { c == mark } else { c.is_ascii_digit() };
    text.chars().zip("0000-00-00".chars()).all(is_alike)
}

/// `10.11.2026`, `11/10/26 2:30 PM`, `2026-11-10T08:00`.
fn in_digits(text: &str) -> Option<Day> {
    let (one, rest) = digits(text)?;
    let mark = rest.chars().next().filter(|mark| matches!(mark, '.' | '/' | '-'))?;
    let (two, rest) = digits(rest.strip_prefix(mark)?.trim_start())?;
    let (three, rest) = digits(rest.strip_prefix(mark)?.trim_start())?;
    if !rest.is_empty() && !goes_with_day(rest) {
        return None;
    }
    let is_within = |digits: &str, most: u16| {
        digits.len() <= 2 && digits.parse().is_ok_and(|number: u16| (1..=most).contains(&number))
    };
    let are_day_and_month = |day: &str, month: &str| is_within(day, 31) && is_within(month, 12);
    let is_year = |digits: &str| digits.len() == 4 && !digits.starts_with('0');
    if is_year(one) && are_day_and_month(three, two) {
        let is_even = text.len() - rest.len() == "2026-11-10".len() && (two.len(), three.len()) == (2, 2);
        return Some(if is_even { Day::YearFirst(mark) } else { Day::Otherwise });
    }
    let has_year = three.len() == 2 || is_year(three);
    let is_day = are_day_and_month(one, two) || are_day_and_month(two, one);
    (has_year && is_day).then_some(Day::Otherwise)
}

/// Whether what stands behind a day is its time or its name: `T08:00`, `, 8:00`, ` um 14:30 Uhr`, ` - 14:30`, ` (Di)`.
fn goes_with_day(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | 'T')) else {
        return false;
    };
    let mut words = rest.split_whitespace();
    let first = words.next().unwrap_or_default();
    let time = match first {
        "um" | "at" | "à" | "-" | "–" => words.next().unwrap_or_default(),
        _ => first,
    };
    time.starts_with(|c: char| c.is_ascii_digit()) || values::is_weekday(first.trim_matches(['(', ')', ',']))
}

/// The digits that a text begins with, as many as a year may have, and what follows them.
fn digits(text: &str) -> Option<(&str, &str)> {
    let (digits, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    (1..=4).contains(&digits.len()).then_some((digits, rest))
}

/// Whether it is a day in digits behind a word, by which it is ordered: `Di, 10.11.2026`.
fn is_behind_name(text: &str) -> bool {
    let rest = text.trim_start_matches(char::is_alphabetic);
    let day = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '.' | ','));
    // A name stands apart: `v1.10.12` is none.
    rest.len() < text.len() && day.len() < rest.len() && in_digits(day).is_some()
}

/// Whether a month is written by its name: `10. November 2026`, `10-NOV-26 08.15`, `Nov 10th, 2026`.
fn has_month_name(text: &str) -> bool {
    let is_number = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
    // Asked first: most of what has letters between digits is the number of an order, and to read a day takes long.
    let is_month = |run: &str| !is_number(run) && values::is_month(run);
    // What has two letters stands between: `10th`, `of`, `1er`.
    let runs: Vec<&str> =
        runs(text).filter(|run| is_number(run) || run.chars().nth(2).is_some()).take(5).collect();
    runs.windows(3).any(|run| {
        let [one, other, year] = run else { return false };
        let century = match year.len() {
            2 => "20",
            4 => "",
            _ => return false,
        };
        is_number(year)
            && (is_number(one) && is_month(other) || is_month(one) && is_number(other))
            && values::date(&format!("{one} {other} {century}{year}"), DateTime::UNIX_EPOCH).is_some()
    })
}

/// What a text has of digits alone, and of letters alone, in its order.
fn runs(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        text = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        let is_number = text.chars().next()?.is_ascii_digit();
        let is_beyond = |c: char| !c.is_alphanumeric() || c.is_ascii_digit() != is_number;
        let (run, rest) = text.split_at(text.find(is_beyond).unwrap_or(text.len()));
        text = rest;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_known_however_it_is_written() {
        for (text, day) in [
            ("2026-11-10", Day::ISO),
            ("2026-11-10T08:00", Day::ISO),
            ("2026-11-10 08:00:59.5+01:00", Day::ISO),
            (" 2026-11-10 ", Day::ISO),
            ("2026/11/10", Day::YearFirst('/')),
            ("2026/11/10, 8:00", Day::YearFirst('/')),
            ("2026.11.10.", Day::YearFirst('.')),
            ("2026-1-5", Day::Otherwise),
            ("2026/11/5 8:00", Day::Otherwise),
            ("2026. 11. 10.", Day::Otherwise),
            ("10.11.2026", Day::Otherwise),
            ("1.2.2026", Day::Otherwise),
            ("10. 11. 2026", Day::Otherwise),
            ("10.11.26", Day::Otherwise),
            ("10.11.2026 14:30", Day::Otherwise),
            ("10.11.2026, 14:30 Uhr", Day::Otherwise),
            ("10.11.2026 um 14:30", Day::Otherwise),
            ("10.11.2026 - 14:30", Day::Otherwise),
            ("10.11.2026 – 14:30", Day::Otherwise),
            ("10.11.2026;14:30", Day::Otherwise),
            ("10.11.2026\u{a0}14:30", Day::Otherwise),
            ("11/10/2026 at 2:30 PM", Day::Otherwise),
            ("10.11.2026 (Di)", Day::Otherwise),
            ("10.11.2026, Dienstag", Day::Otherwise),
            ("2026-11-10 um 14:30", Day::ISO),
            ("3/4/2026", Day::Otherwise),
            ("12/31/26 2:30 PM", Day::Otherwise),
            ("11-10-2026", Day::Otherwise),
            ("31.12.9999", Day::Otherwise),
            ("Di, 10.11.2026", Day::Otherwise),
            ("Tue 2026-11-10", Day::Otherwise),
            ("10. November 2026", Day::Otherwise),
            ("Dienstag, den 10. November 2026 um 14:30 Uhr", Day::Otherwise),
            ("Nov 10th, 2026", Day::Otherwise),
            ("10th of November 2026", Day::Otherwise),
            ("1er février 2026", Day::Otherwise),
            ("10-Nov-26", Day::Otherwise),
            ("10-NOV-26 08.15.00.000000000 AM", Day::Otherwise),
            ("10NOV2026", Day::Otherwise),
            ("5 Mar 26", Day::Otherwise),
            ("Tue, 10 Nov 2026 08:15:00 +0000", Day::Otherwise),
        ] {
            assert_eq!(Day::of(text), Some(day), "{text}");
        }
        for text in [
            "",
            "Ann",
            "n/a",
            "2026",
            "20261110",
            "007",
            "12,50",
            "1.234,50 EUR",
            "10.11",
            "14:30",
            "10:11:12",
            "31.13.2026",
            "32.1.2026",
            "00.00.0000",
            "10.11.026",
            "10.11/2026",
            "10.11.12.13",
            "v1.10.12",
            "1.10.123",
            "030/12/2026",
            "10-11-2026/3",
            "10-11-2026-5",
            "10.11.2026 um die Ecke",
            "10.11.2026 Anruf",
            "INV-2024-1234",
            "12ABC34",
            "10.11.2026-B",
            "SKU-12345",
            "12 Main Street",
            "Room 12 Floor 10",
            "DE89370400440532013000",
            "+49 30 123456",
            &"10.11.2026 ".repeat(10),
        ] {
            assert_eq!(Day::of(text), None, "{text}");
        }
    }

    #[test]
    fn days_with_the_year_first_are_in_time_beside_their_like() {
        for (day, text, is_ordered) in [
            (Day::YearFirst('/'), "2026/11/10", true),
            (Day::YearFirst('/'), "2026/1", true),
            (Day::YearFirst('/'), "2026", true),
            (Day::YearFirst('/'), "2026-11-10", false),
            (Day::YearFirst('/'), "10/11/2026", false),
            (Day::YearFirst('/'), "1/12/2026", false),
            (Day::YearFirst('/'), "2026-1", false),
            (Day::YearFirst('/'), "2026/11/10 8:00", true),
            (Day::YearFirst('/'), "Di, 2026/11/10", false),
            (Day::YearFirst('/'), "offen", true),
            (Day::ISO, "2026-11-10T08:00", true),
            (Day::ISO, "2026-11", true),
            (Day::ISO, "", true),
            (Day::ISO, "offen", true),
            (Day::ISO, "30.11.2026", false),
            (Day::ISO, "2026-1-5", false),
            (Day::ISO, "2026/11/10", false),
            (Day::Several, "2026/11/10", false),
            (Day::YearFirst('/'), "", true),
            (Day::Otherwise, "10.11.2026", false),
            (Day::Otherwise, "2026-11-10", false),
            (Day::Otherwise, "", true),
        ] {
            assert_eq!(day.is_ordered_beside(text), is_ordered, "{day:?} {text}");
        }
    }
}
