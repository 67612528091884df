//! What a file's columns hold, and how that is ordered: seen cell by cell (`Seen`), and decided once when all were (`Column`).

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    cell::Cell,
    days::Day,
    numbers::{MAX_DIGITS, Reading, Says, Written, fraction, significant},
};
use crate::rules::server::values;

/// Each floating-point number keeps so many digits. What has more, and is read as a number of no more than these, is that one:
/// `20.500000000000001` is 20.5, but for how a program reckons.
const KEPT_DIGITS: usize = f64::DIGITS as usize;
/// So many numbers of more digits are remembered of a column, 25 MB of a table that has 500 such columns.
const MAX_LONG: usize = 1_000;
/// Every integer up to this is a floating-point number too.
const MAX_EXACT: u64 = 1 << 53;
/// What stands for no value is one of a few words, again and again, in whatever language.
const WORDS: usize = 8;
/// Of so many days one may be written otherwise than the rest: it is a slip, for which no query on the rest is refused.
const STRAY: usize = 20;
/// What stands between year, month and day, where the year comes first.
const MARKS: [char; 3] = ['-', '/', '.'];

/// A column of a table, and all that is known of what it holds: nothing more is learnt of its cells.
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub order: Order,
    /// Whether it is meant to hold numbers, and not names with a few among them.
    pub are_numbers: bool,
    /// What SQLite makes of the numbers that are texts, where it is meant to hold some.
    pub reading: Reading,
    /// The shape that all numbers have: then letters are in the order of numbers, also beside others of this shape.
    pub shape: Option<Shape>,
    /// Whether some are numbers that only text keeps.
    pub are_some_unkept: bool,
    /// Whether some are numbers of which the last digits are lost, or may be.
    pub are_some_near: bool,
    /// Whether some are equal, as texts beside a number, to one that is written otherwise.
    are_some_twins: bool,
    /// How many of the days are not written as in ISO 8601, and of how many.
    pub odd_days: (usize, usize),
}

/// How many bytes a number has, and with how many digits it begins.
pub type Shape = (usize, usize);

impl Column {
    pub fn holds_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::AsIs)
    }

    pub fn holds_numbers(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Real | Kind::Decimal)
    }

    /// Whether some of its texts are equal to a number that is written otherwise: `007` to 7.
    pub fn holds_texts_of_numbers(&self) -> bool {
        self.kind == Kind::Text && self.are_some_twins
    }
}

/// What a column holds. A number that would become another (`007`, or one of more digits than are kept) is text; but where
/// its last digits alone are lost, only in a column where another one would be the same number then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Integer,
    Real,
    /// Numbers that tell more by how they are written than by their value, such as `1.1` beside `1.10`: what is written
    /// is kept beside, and matched. Amounts, which all have as many places (`12.50`), are none of these.
    Decimal,
    Text,
    Boolean,
    /// Each value has its own type.
    AsIs,
}

impl Kind {
    /// The column's declared type (sqlite.org/datatype3.html, section 3.1).
    pub fn affinity(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Real | Self::Decimal => "REAL",
            Self::Text => "TEXT",
            Self::Boolean => "BOOLEAN",
            Self::AsIs => "BLOB",
        }
    }
}

/// How a column is ordered beside a number, or a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Numbers by what they are, or texts that say none.
    AsItIs,
    /// By letters, which is by number where both have as many digits: postcodes, the numbers of articles.
    Digits(usize),
    /// By letters, though SQLite makes a number of each beside one that was cast: `007`, `12`.
    Figures,
    /// By letters, though some are numbers beside what is none.
    Mixed,
    /// By letters, though all that say a number say it as a text, such as `12,50`.
    Letters,
    /// By letters, which is in time beside days that are written in the same way, or beside none: `10.11.2026`.
    Days(Day),
}

/// How many cells of a column say one thing, and how many another.
#[derive(Clone, Copy, Default)]
struct Share {
    ones: usize,
    others: usize,
    /// The first of the others that differ, each of which counts once, as hashes.
    words: [u64; WORDS],
}

impl Share {
    fn count(&mut self, is_one: bool, hash: u64) {
        if is_one {
            self.ones += 1;
        } else if !self.words[..self.others.min(WORDS)].contains(&hash) {
            if let Some(word) = self.words.get_mut(self.others) {
                *word = hash;
            }
            self.others += 1;
        }
    }

    /// Whether the column is meant to say this one thing. Not where a single name among names happens to be a day; but
    /// where nine of ten cells are `open` or `n/a` and the tenth is a day, and where some have notes in the place of days. To
    /// take such a column for one of words would be a wrong verdict that nobody sees; to take it for one of days is a fault
    /// that says what to do. So in doubt it is meant.
    fn is_meant(&self) -> bool {
        self.ones > 0 && self.ones >= self.others
    }
}

/// What the values of a column have in common, so far.
#[derive(Clone, Copy, Default)]
struct Common<T> {
    /// The last value's; the default, which says nothing, before the first: by itself it is no other than what follows.
    last: T,
    /// Whether some have another than those before.
    is_broken: bool,
}

impl<T: Copy + Default + PartialEq> Common<T> {
    fn add(&mut self, value: T) {
        self.is_broken |= self.last != T::default() && self.last != value;
        self.last = value;
    }

    fn of_all(self) -> Option<T> {
        (!self.is_broken && self.last != T::default()).then_some(self.last)
    }
}

/// What was seen of a column.
#[derive(Clone, Default)]
pub struct Seen {
    boolean: bool,
    integer: bool,
    /// An integer that is no floating-point number.
    long: bool,
    real: bool,
    /// A number with a point that would be read back as another text.
    decimal: bool,
    /// How many places the numbers with a point have.
    places: Common<usize>,
    text: bool,
    /// A text that says a number.
    figure: bool,
    /// A text of which SQLite makes no number.
    odd: bool,
    /// A number with a point that is text since no floating-point number is it.
    unkept: bool,
    /// One that is a number all the same, as long as text alone does not tell it apart from another; or one of which nobody
    /// knows how it was written.
    near: bool,
    /// The first numbers of more than `KEPT_DIGITS`, by what they are read as: how each is written, as a hash, and whether it
    /// is that number.
    long_ones: HashMap<u64, (u64, bool)>,
    /// A text that is equal, beside a number, to one that is written otherwise.
    twin: bool,
    /// How many digits each has that is nothing else.
    digits: Common<usize>,
    numbers: Share,
    /// What SQLite makes of the worst of them.
    reading: Reading,
    /// Of the numbers. One that begins with no digit breaks it: then letters are not in the order of numbers.
    shape: Common<Shape>,
    days: Share,
    /// How many of the days are written with the year first, by what stands between: `MARKS`.
    years_first: [usize; MARKS.len()],
}

impl Seen {
    /// A cell of a file that tells numbers from texts itself.
    pub fn cell(&mut self, cell: &Cell) {
        match cell {
            Cell::Null => {}
            Cell::Boolean(flag) => {
                self.boolean = true;
                self.digits.is_broken = true;
                self.count(Says::Other, flag);
            }
            Cell::Integer(integer) => {
                self.integer(*integer);
                self.near = true;
                self.digits.is_broken = true;
                self.count(Says::Number(Reading::Right), integer);
                // A negative one has no logarithm, and is no order of letters.
                let digits =
                    integer.checked_ilog10().map_or(usize::from(*integer == 0), |log| log as usize + 1);
                self.add_shape((digits, digits));
            }
            Cell::Real(real) => {
                self.real = true;
                self.near = true;
                self.digits.is_broken = true;
                self.count(Says::Number(Reading::Right), real.to_bits());
                self.shape.is_broken = true;
            }
            Cell::Text(text) => {
                self.add_text(text, Written::of(text));
                // An empty one is no code of another length.
                if !text.is_empty() {
                    self.count_digits(text);
                }
            }
        }
    }

    /// A cell of which only the text is known.
    pub fn text(&mut self, text: &str) {
        self.count_digits(text);
        let written = Written::of(text);
        match written {
            Written::Integer(integer) => {
                self.integer(integer);
                self.add_number(text, Reading::Right);
            }
            Written::Real(real) | Written::Decimal(real) | Written::Near(real) => {
                let is_near = matches!(written, Written::Near(_));
                self.real = true;
                self.near |= is_near;
                self.decimal |= !matches!(written, Written::Real(_));
                self.places.add(text.len() - text.find('.').map_or(0, |point| point + 1));
                self.add_number(text, Reading::Right);
                self.tell_apart(text, real, !is_near);
            }
            Written::Text => {
                self.unkept |= fraction(text).is_some();
                self.add_text(text, written);
            }
        }
    }

    fn integer(&mut self, integer: i64) {
        self.integer = true;
        self.long |= integer.unsigned_abs() > MAX_EXACT;
    }

    fn add_text(&mut self, text: &str, written: Written) {
        self.text = true;
        match Says::of(text) {
            Says::Number(reading) => {
                self.figure = true;
                self.add_number(text, reading);
            }
            Says::Code => {
                self.figure = true;
                self.count(Says::Code, text);
            }
            // No value is no other one.
            Says::Other if text.trim().is_empty() => {}
            says => self.count(says, text),
        }
        let is_number = values::plain(text).is_some();
        self.odd |= significant(text) > MAX_DIGITS || !is_number;
        self.twin |= is_number && !matches!(written, Written::Integer(_) | Written::Real(_));
    }

    /// A number that is written.
    fn add_number(&mut self, text: &str, reading: Reading) {
        self.count(Says::Number(reading), text);
        self.add_shape((text.len(), text.bytes().take_while(u8::is_ascii_digit).count()));
    }

    fn add_shape(&mut self, shape: Shape) {
        self.shape.is_broken |= shape.1 == 0;
        self.shape.add(shape);
    }

    /// Makes texts of all, where a number would be the same as another that is written otherwise, and is not. Two that are kept
    /// are the same: `9.12` is what some programs write as `9.1199999999999992`.
    fn tell_apart(&mut self, text: &str, real: f64, is_kept: bool) {
        if significant(text) <= KEPT_DIGITS {
            return;
        }
        let (bits, hash) = (real.to_bits(), hash_of(text));
        match self.long_ones.get(&bits) {
            Some((first, is_first_kept)) => {
                let is_lost = *first != hash && !(is_kept && *is_first_kept);
                self.text |= is_lost;
                self.figure |= is_lost;
                self.unkept |= is_lost;
            }
            None if self.long_ones.len() < MAX_LONG => {
                self.long_ones.insert(bits, (hash, is_kept));
            }
            None => {}
        }
    }

    fn count(&mut self, says: Says, value: impl Hash) {
        let hash = hash_of(value);
        self.numbers.count(matches!(says, Says::Number(_)), hash);
        self.days.count(matches!(says, Says::Day(_)), hash);
        match says {
            Says::Number(reading) => self.reading = self.reading.max(reading),
            Says::Day(Day::YearFirst(mark)) => {
                let places = MARKS.iter().zip(&mut self.years_first);
                places.filter(|(own, _)| **own == mark).for_each(|(_, count)| *count += 1);
            }
            Says::Day(_) | Says::Code | Says::Other => {}
        }
    }

    fn count_digits(&mut self, text: &str) {
        let digits = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.len() } else { 0 };
        self.digits.is_broken |= digits == 0;
        self.digits.add(digits);
    }

    /// The column, once all of it was seen. `mixed` is its kind where nothing else holds everything.
    pub fn column(&self, name: String, mixed: Kind) -> Column {
        Column {
            name,
            kind: self.kind(mixed),
            order: self.order(),
            are_numbers: self.numbers.is_meant(),
            reading: self.reading(),
            shape: self.shape.of_all(),
            are_some_unkept: self.unkept,
            are_some_near: self.near,
            are_some_twins: self.twin || self.decimal,
            odd_days: (self.days.ones - self.years_first[0], self.days.ones),
        }
    }

    fn kind(&self, mixed: Kind) -> Kind {
        match (self.boolean, self.integer, self.real, self.text) {
            (false, false, false, _) => Kind::Text,
            (true, false, false, false) => Kind::Boolean,
            (false, true, false, false) => Kind::Integer,
            (false, _, true, false) if !self.long && self.decimal && self.places.is_broken => Kind::Decimal,
            (false, _, true, false) if !self.long => Kind::Real,
            _ => mixed,
        }
    }

    fn order(&self) -> Order {
        let by_letters = self.digits.of_all().filter(|_| self.text);
        let order = match by_letters {
            Some(digits) => Order::Digits(digits),
            None if self.figure && !self.odd && !self.boolean => Order::Figures,
            None if self.reading() != Reading::Right => Order::Letters,
            None if self.is_mixed() => Order::Mixed,
            None if self.figure => Order::Letters,
            None => Order::AsItIs,
        };
        match self.day() {
            // Such days are in time by their letters: what is wrong with others among them stays so.
            Some(Day::ISO) if order != Order::AsItIs => order,
            Some(day) => Order::Days(day),
            None => order,
        }
    }

    /// Whether some are numbers, and not all of them can be held as numbers.
    fn is_mixed(&self) -> bool {
        (self.integer || self.real) && (self.text || self.boolean || self.real && self.long)
    }

    fn reading(&self) -> Reading {
        if self.numbers.is_meant() { self.reading } else { Reading::Right }
    }

    /// The way in which days are written here, but for one that strays; none where the column is not one of days.
    fn day(&self) -> Option<Day> {
        let days = self.days.is_meant().then_some(self.days.ones)?;
        let are_all = |count: usize| (days - count) * STRAY <= days;
        let mut marks = MARKS.into_iter().zip(self.years_first);
        Some(match marks.find(|(_, count)| are_all(*count)) {
            Some((mark, _)) => Day::YearFirst(mark),
            None if are_all(self.years_first.iter().sum()) => Day::Several,
            None => Day::Otherwise,
        })
    }
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_not_kept_are_text_which_a_query_may_make_numbers_of() {
        for (texts, kind, order) in [
            (["52.520006599999998", "13.4049540"], Kind::Decimal, Order::AsItIs),
            (["20.5", "33.333333333333333"], Kind::Decimal, Order::AsItIs),
            (["33.333333333333333", "33.333333333333333"], Kind::Real, Order::AsItIs),
            (["1234567890.1234567", "1234567890.1234568"], Kind::Text, Order::Figures),
            (["1234567890.1234568", "1234567890.1234567"], Kind::Text, Order::Figures),
            // Neither is the number that both are read as.
            (["8000.3333333333331", "8000.3333333333333"], Kind::Text, Order::Figures),
            // As programs reckon.
            (["20.500000000000001", "20.5"], Kind::Decimal, Order::AsItIs),
            (["1234567890.1234567", "1234567890.1234565"], Kind::Real, Order::AsItIs),
            (["12345678901234567", "12345678901234568"], Kind::Integer, Order::AsItIs),
            (["9400111899223197428490", "1"], Kind::Text, Order::Mixed),
            (["19.989999999999998", "9.12"], Kind::Decimal, Order::AsItIs),
            (["0.10000000000000001", "20.5"], Kind::Decimal, Order::AsItIs),
        ] {
            let mut seen = Seen::default();
            texts.iter().for_each(|text| seen.text(text));
            assert_eq!((seen.kind(Kind::Text), seen.order()), (kind, order), "{texts:?}");
        }
    }

    #[test]
    fn no_column_takes_more_memory_than_it_may() {
        let mut seen = Seen::default();
        (0..2 * MAX_LONG).for_each(|i| seen.text(&format!("{}.3333333333333", 8_000 - i)));
        assert_eq!((seen.long_ones.len(), seen.kind(Kind::Text)), (MAX_LONG, Kind::Real));
        seen.text("8000.3333333333331");
        assert_eq!(seen.kind(Kind::Text), Kind::Text, "those are told apart from all that come");
    }

    #[test]
    fn what_is_equal_to_a_number_that_is_written_otherwise_is_known() {
        for (texts, are_some) in [
            (["C-1", "1001"], false),
            (["C-1", "19.99"], false),
            (["C-1", "007"], true),
            (["C-1", "+7"], true),
            (["C-1", "1e3"], true),
            (["C-1", "1.10"], true),
            (["5 EUR", "12,50"], false),
            (["1234567890.1234568", "1234567890.1234567"], true),
        ] {
            let mut seen = Seen::default();
            texts.iter().for_each(|text| seen.text(text));
            let column = seen.column("a".into(), Kind::Text);
            assert_eq!(column.holds_texts_of_numbers(), are_some, "{texts:?}");
            // What JSON and workbooks hold says itself that it is a text.
            let mut seen = Seen::default();
            texts.iter().for_each(|text| seen.cell(&Cell::Text((*text).to_owned())));
            let column = seen.column("a".into(), Kind::AsIs);
            assert_eq!(column.holds_texts_of_numbers(), are_some, "{texts:?}");
        }
    }

    #[test]
    fn a_column_is_one_of_days_where_as_many_of_its_cells_are_as_say_something_else() {
        let other = Order::Days(Day::Otherwise);
        let waiting = [["offen"; 20].as_slice(), &["10.11.2026"]].concat();
        let words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "i", "j", "j"];
        let few = [words.as_slice(), &["10.11.2026"; 11]].concat();
        let enough = [words.as_slice(), &["10.11.2026"; 12]].concat();
        let one_of_twenty = [["2026-11-10"; 19].as_slice(), &["10.11.2026"]].concat();
        let one_of_nineteen = [["2026-11-10"; 18].as_slice(), &["10.11.2026"]].concat();
        for (texts, order) in [
            (&["10.11.2026", "02.12.2026"][..], other),
            (&["10.11.2026", "n/a"], other),
            (&["n/a", "-", "n/a", "10.11.2026", "2.12.26"], other),
            (&waiting, other),
            (&["10.11.2026", "2026-12-02"], other),
            (&["2026/11/10", "2026-12-02"], Order::Days(Day::Several)),
            (&["2026/11/10", "2026-12-02", "2.12.2026"], other),
            (&["2026/11/10", "2026/12/02", "n/a"], Order::Days(Day::YearFirst('/'))),
            (&["2026-11-10", "2026-12-02T08:00", "n/a"], Order::Days(Day::ISO)),
            (&one_of_twenty, Order::Days(Day::ISO)),
            (&one_of_nineteen, other),
            // A number beside such days stays what it was.
            (&["2026-11-10", "2026-12-02", "0"], Order::Mixed),
            (&["Ann", "Bob", "10.11.2026"], Order::AsItIs),
            // Of the words, the first eight count once.
            (&few, Order::AsItIs),
            (&enough, other),
            // A stray day among numbers.
            (&["10", "9", "10.11.2026"], Order::Mixed),
            (&["12,50", "9,00", "10.11.2026"], Order::Letters),
            // To take it for 0, or for 12, would be no help.
            (&["10", "9", "12,50"], Order::Letters),
            (&["CTR-2031", "CTR-900"], Order::Letters),
        ] {
            let mut seen = Seen::default();
            texts.iter().for_each(|text| seen.text(text));
            assert_eq!(seen.order(), order, "{texts:?}");
        }
    }
}
