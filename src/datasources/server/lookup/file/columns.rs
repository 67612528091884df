//! What a file's columns hold, and how that is ordered.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use rust_decimal::Decimal;

use super::{cell::Cell, days::Day};
use crate::rules::server::values;

/// No floating-point number keeps more digits than that.
const MAX_DIGITS: usize = 17;
/// Each keeps so many. What has more, and is read as a number of no more than these, is that one: `20.500000000000001` is 20.5,
/// but for how a program reckons.
const KEPT_DIGITS: usize = f64::DIGITS as usize;
/// So many numbers of more digits are remembered of a column, 25 MB of a table that has 500 such columns.
const MAX_LONG: usize = 1_000;
/// No number is longer, with its currency and all that sets its thousands apart: bytes.
const MAX_FIGURE: usize = 60;
/// Every integer up to this is a floating-point number too.
const MAX_EXACT: u64 = 1 << 53;
/// What stands for no value is one of a few words, again and again, in whatever language.
const WORDS: usize = 8;
/// Of so many days one may be written otherwise than the rest: it is a slip, for which no query on the rest is refused.
const STRAY: usize = 20;
/// What stands between year, month and day, where the year comes first.
const MARKS: [char; 3] = ['-', '/', '.'];

pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub order: Order,
    pub seen: Seen,
}

impl Column {
    pub fn new(name: String, kind: Kind, seen: &Seen) -> Self {
        let seen = Seen { long_ones: HashMap::new(), ..seen.clone() };
        Self { name, kind, order: seen.order(), seen }
    }

    pub fn holds_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::AsIs)
    }

    pub fn holds_numbers(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Real | Kind::Decimal)
    }

    /// Whether some of its texts are equal to a number that is written otherwise: `007` to 7.
    pub fn holds_texts_of_numbers(&self) -> bool {
        self.kind == Kind::Text && self.seen.twin
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

/// What a text says as a number.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Written {
    Integer(i64),
    Real(f64),
    /// It would be read back as another text, of the same value.
    Decimal(f64),
    /// It would be read back as another number, which is the nearest, and may be what others are read as.
    Near(f64),
    Text,
}

impl Written {
    pub fn of(text: &str) -> Self {
        if let Ok(integer) = text.parse::<i64>()
            && integer.to_string() == text
        {
            return Self::Integer(integer);
        }
        // A whole number that is no i64 is a code.
        match fraction(text) {
            Some(real) if real.to_string() == text => Self::Real(real),
            Some(real) if text.len() <= MAX_FIGURE && significant(text) <= MAX_DIGITS => {
                if says(real, text) {
                    Self::Decimal(real)
                } else {
                    Self::Near(real)
                }
            }
            _ => Self::Text,
        }
    }
}

/// The number that is written with a point, as programs do, or one that is near.
fn fraction(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.starts_with('0') && !digits.starts_with("0.");
    if !is_plain || leading_zero || !digits.contains('.') {
        return None;
    }
    text.parse().ok()
}

/// How many digits a number has, without the zeros that it begins with.
fn significant(number: &str) -> usize {
    number.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count()
}

/// Whether a floating-point number is the one that is written, and not another that is near: with as many places, it is
/// written so. Many programs write all 17 digits, which of 19.99 are `19.989999999999998`.
fn says(real: f64, text: &str) -> bool {
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    values::plain(&format!("{real:.places$}")) == values::plain(text)
}

/// What SQLite makes of texts that say numbers, where it is asked for numbers: of each, what it begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reading {
    /// What it says: `5 EUR`, `9,00`.
    #[default]
    Right,
    /// The whole number in it: of `12,50`, 12.
    Whole,
    /// Another number: of `25.000,00`, 25.
    Wrong,
}

impl Reading {
    fn of(text: &str, amount: Decimal) -> Self {
        let read = values::plain(beginning(text)).unwrap_or_default();
        if read == amount {
            Self::Right
        } else if read.trunc() == amount.trunc() {
            Self::Whole
        } else {
            Self::Wrong
        }
    }
}

/// What a text begins with of a number as programs write it.
fn beginning(text: &str) -> &str {
    // What SQLite passes by, which is not all that is white.
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let digits = |from: usize| text.bytes().skip(from).take_while(u8::is_ascii_digit).count();
    let sign = usize::from(text.starts_with(['-', '+']));
    let whole = sign + digits(sign);
    let places = if text[whole..].starts_with('.') { digits(whole + 1) } else { 0 };
    &text[..if places > 0 { whole + 1 + places } else { whole }]
}

/// What a cell says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Day(Day),
    Number(Reading),
    /// What might be a number with its currency, and is the number of an order: `CTR-2031`.
    Code,
    Other,
}

impl Says {
    fn of(text: &str) -> Self {
        if let Some(day) = Day::of(text) {
            return Self::Day(day);
        }
        match amount(text) {
            Some(_) if is_code(text) => Self::Code,
            Some(amount) => Self::Number(Reading::of(text, amount)),
            None => Self::Other,
        }
    }
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

/// What was seen of a column.
#[derive(Clone, Default)]
pub struct Seen {
    boolean: bool,
    integer: bool,
    /// An integer that is no floating-point number.
    long: bool,
    real: bool,
    decimal: bool,
    /// How many places the numbers with a point have, so far all of them; 0 before the first.
    places: usize,
    /// Whether some have more than others.
    uneven: bool,
    text: bool,
    /// A text that says a number.
    figure: bool,
    /// A text of which SQLite makes no number.
    odd: bool,
    /// A number with a point that is text since no floating-point number is it.
    unkept: bool,
    /// One that is a number all the same, as long as text alone does not tell it apart from another.
    near: bool,
    /// The first numbers of more than `KEPT_DIGITS`, by what they are read as: how each is written, as a hash, and whether it
    /// is that number.
    long_ones: HashMap<u64, (u64, bool)>,
    /// What is equal, beside a number, to one that is written otherwise.
    twin: bool,
    /// How many digits all have of which so far each is nothing else; 0 before the first.
    digits: usize,
    /// Whether some are something else, or have more digits than others.
    ragged: bool,
    numbers: Share,
    /// What SQLite makes of the worst of them.
    reading: Reading,
    /// How many bytes the numbers have so far, and with how many digits they begin.
    shape: Option<(usize, usize)>,
    /// Whether some have another shape than others, or begin with no digit: then letters are not in the order of numbers.
    misshapen: bool,
    days: Share,
    /// How many of the days are written with the year first, by what stands between: `MARKS`.
    years_first: [usize; MARKS.len()],
}

impl Seen {
    pub fn cell(&mut self, cell: &Cell) {
        match cell {
            Cell::Null => {}
            Cell::Boolean(flag) => {
                self.boolean = true;
                self.ragged = true;
                self.count(Says::Other, flag);
            }
            Cell::Integer(integer) => {
                self.integer(*integer);
                self.ragged = true;
                self.count(Says::Number(Reading::Right), integer);
                // A negative one has no logarithm, and is no order of letters.
                let digits =
                    integer.checked_ilog10().map_or(usize::from(*integer == 0), |log| log as usize + 1);
                self.add_shape((digits, digits));
            }
            Cell::Real(real) => {
                self.real = true;
                self.ragged = true;
                self.count(Says::Number(Reading::Right), real.to_bits());
                self.misshapen = true;
            }
            Cell::Text(text) => {
                self.add_text(text);
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
        match Written::of(text) {
            Written::Integer(integer) => {
                self.integer(integer);
                self.add_number(text, Reading::Right);
            }
            Written::Real(real) => {
                self.written(text);
                self.tell_apart(text, real, true);
            }
            Written::Decimal(real) => {
                self.written(text);
                self.tell_apart(text, real, true);
                self.decimal = true;
                self.twin = true;
            }
            Written::Near(real) => {
                self.written(text);
                self.tell_apart(text, real, false);
                self.decimal = true;
                self.twin = true;
                self.near = true;
            }
            Written::Text => {
                self.unkept |= fraction(text).is_some();
                self.add_text(text);
            }
        }
    }

    fn integer(&mut self, integer: i64) {
        self.integer = true;
        self.long |= integer.unsigned_abs() > MAX_EXACT;
    }

    fn add_text(&mut self, text: &str) {
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
        self.twin |= is_number && !matches!(Written::of(text), Written::Integer(_) | Written::Real(_));
    }

    /// A number that is written.
    fn add_number(&mut self, text: &str, reading: Reading) {
        self.count(Says::Number(reading), text);
        self.add_shape((text.len(), text.bytes().take_while(u8::is_ascii_digit).count()));
    }

    fn add_shape(&mut self, shape: (usize, usize)) {
        self.misshapen |= shape.1 == 0 || self.shape.is_some_and(|before| before != shape);
        self.shape = Some(shape);
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
        self.ragged |= digits == 0 || self.digits != 0 && self.digits != digits;
        self.digits = digits;
    }

    fn written(&mut self, text: &str) {
        self.add_number(text, Reading::Right);
        self.real = true;
        let places = text.len() - text.find('.').map_or(0, |point| point + 1);
        self.uneven |= self.places != 0 && self.places != places;
        self.places = places;
    }

    /// Whether some are numbers, and not all of them can be held as numbers.
    fn is_mixed(&self) -> bool {
        (self.integer || self.real) && (self.text || self.boolean || self.real && self.long)
    }

    fn order(&self) -> Order {
        let order = match self {
            Self { text: true, ragged: false, digits: 1.., .. } => Order::Digits(self.digits),
            Self { figure: true, odd: false, boolean: false, .. } => Order::Figures,
            _ if self.reading() != Reading::Right => Order::Letters,
            _ if self.is_mixed() => Order::Mixed,
            Self { figure: true, .. } => Order::Letters,
            _ => Order::AsItIs,
        };
        match self.day() {
            // Such days are in time by their letters: what is wrong with others among them stays so.
            Some(Day::ISO) if order != Order::AsItIs => order,
            Some(day) => Order::Days(day),
            None => order,
        }
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

    /// How many of the days are not written as in ISO 8601, and of how many.
    pub fn odd_days(&self) -> (usize, usize) {
        (self.days.ones - self.years_first[0], self.days.ones)
    }

    /// Whether the column is meant to hold numbers, and not names with a few among them.
    pub fn are_numbers(&self) -> bool {
        self.numbers.is_meant()
    }

    /// Whether some are numbers that only text keeps.
    pub fn are_some_unkept(&self) -> bool {
        self.unkept
    }

    /// Whether some are numbers of which the last digits are lost.
    pub fn are_some_near(&self) -> bool {
        self.near
    }

    /// What SQLite makes of the numbers, where the column is meant to hold some.
    pub fn reading(&self) -> Reading {
        if self.are_numbers() { self.reading } else { Reading::Right }
    }

    /// The shape that all numbers have: then letters are in the order of numbers, also beside others of this shape.
    pub fn shape(&self) -> Option<(usize, usize)> {
        self.shape.filter(|_| !self.misshapen)
    }

    /// What holds everything; `mixed`, if nothing but that does.
    pub fn kind(&self, mixed: Kind) -> Kind {
        match (self.boolean, self.integer, self.real, self.text) {
            (false, false, false, _) => Kind::Text,
            (true, false, false, false) => Kind::Boolean,
            (false, true, false, false) => Kind::Integer,
            (false, _, true, false) if !self.long && self.decimal && self.uneven => Kind::Decimal,
            (false, _, true, false) if !self.long => Kind::Real,
            _ => mixed,
        }
    }
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The number that a text says, alone or with what may be its currency.
fn amount(text: &str) -> Option<Decimal> {
    if text.len() > MAX_FIGURE || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    values::number(text).or_else(|| values::money(text).map(|money| money.amount))
}

/// The words of sums (ISO 4217, and what is said for some). What else stands beside a number makes it a code, or part of a
/// sentence: `ART 20`, `max 5`.
const CURRENCIES: &str = "EURO EUROS US \
     AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
     CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
     GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK \
     LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD \
     OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN \
     SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF \
     YER ZAR ZMW ZWG";

/// Whether letters stand at the digits as they do in codes, and not in sums: `CTR-2031`, `12ABC`, `ART 20`.
fn is_code(text: &str) -> bool {
    let text = text.trim();
    let (is_letter, is_near) = (|c: char| c.is_ascii_alphabetic(), |c: char| c.is_ascii_digit() || c == '-');
    let (behind, before) = (text.trim_start_matches(is_letter), text.trim_end_matches(is_letter));
    let (word, after) = (&text[..text.len() - behind.len()], &text[before.len()..]);
    let is_currency = |word: &str| CURRENCIES.split(' ').any(|own| own.eq_ignore_ascii_case(word));
    !word.is_empty() && (behind.starts_with('-') || !is_currency(word))
        || !after.is_empty() && before.ends_with(is_near) && (before.ends_with('-') || !is_currency(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_would_become_another_is_none() {
        let long = format!("0.{}", "0".repeat(70_000));
        for (text, written) in [
            ("7", Written::Integer(7)),
            ("-7", Written::Integer(-7)),
            ("1.5", Written::Real(1.5)),
            ("52.5200066", Written::Real(52.520_006_6)),
            ("1.50", Written::Decimal(1.5)),
            ("0.00", Written::Decimal(0.0)),
            ("", Written::Text),
            ("007", Written::Text),
            ("-0", Written::Text),
            ("+7", Written::Text),
            ("1e5", Written::Text),
            ("1.2.3", Written::Text),
            ("9400111899223197428490", Written::Text),
            ("0.12345678901234567890", Written::Text),
            // Integers are kept whole.
            ("12345678901234567", Written::Integer(12_345_678_901_234_567)),
            ("9223372036854775807", Written::Integer(i64::MAX)),
            ("9223372036854775808", Written::Text),
            // Beside each other, one number to SQLite.
            ("1234567890.1234567", Written::Real(1_234_567_890.123_456_7)),
            ("1234567890.1234568", Written::Near(1_234_567_890.123_456_7)),
            ("12345678901234.566", Written::Real(12_345_678_901_234.566)),
            ("12345678901234.567", Written::Near(12_345_678_901_234.566)),
            ("123456789012345.68", Written::Near(123_456_789_012_345.69)),
            ("123456789012345.60", Written::Near(123_456_789_012_345.6)),
            ("123456789012345.59", Written::Decimal(123_456_789_012_345.6)),
            ("-52.520006599999998", Written::Near(-52.520_006_599_999_995)),
            // As programs write them that write all digits.
            ("19.989999999999998", Written::Decimal(19.99)),
            ("9.1199999999999992", Written::Decimal(9.12)),
            ("0.10000000000000001", Written::Decimal(0.1)),
            ("-0.10000000000000001", Written::Decimal(-0.1)),
            (".5", Written::Decimal(0.5)),
            (long.as_str(), Written::Text),
        ] {
            assert_eq!(Written::of(text), written, "{text}");
        }
    }

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
        assert!(Column::new("a".into(), Kind::Real, &seen).seen.long_ones.is_empty());
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
            let column = Column::new("a".into(), seen.kind(Kind::Text), &seen);
            assert_eq!(column.holds_texts_of_numbers(), are_some, "{texts:?}");
            // What JSON and workbooks hold says itself that it is a text.
            let mut seen = Seen::default();
            texts.iter().for_each(|text| seen.cell(&Cell::Text((*text).to_owned())));
            let column = Column::new("a".into(), seen.kind(Kind::AsIs), &seen);
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
    #[test]
    fn what_sqlite_makes_of_a_number_that_is_written_is_known() {
        for (text, says) in [
            ("5 EUR", Says::Number(Reading::Right)),
            ("9,00", Says::Number(Reading::Right)),
            ("+4930123456", Says::Number(Reading::Right)),
            ("-12,-", Says::Number(Reading::Right)),
            ("12 %", Says::Number(Reading::Right)),
            (".50 EUR", Says::Number(Reading::Right)),
            ("12,50", Says::Number(Reading::Whole)),
            ("-0,5", Says::Number(Reading::Whole)),
            ("25.000,00", Says::Number(Reading::Wrong)),
            ("1,234.50", Says::Number(Reading::Wrong)),
            ("1 234", Says::Number(Reading::Wrong)),
            ("EUR 5", Says::Number(Reading::Wrong)),
            ("$5", Says::Number(Reading::Wrong)),
            ("US$ 5", Says::Number(Reading::Wrong)),
            ("CTR-2031", Says::Code),
            ("12ABC", Says::Code),
            ("v1.10.12", Says::Other),
            ("€", Says::Other),
            ("", Says::Other),
        ] {
            assert!(Says::of(text) == says, "{text}");
        }
    }
}
