//! What a file's columns hold, and how that is ordered.

use std::hash::{DefaultHasher, Hash, Hasher};

use rust_decimal::Decimal;

use super::{cell::Cell, days::Day};
use crate::rules::server::values;

/// Floating-point numbers that are written with so many digits are told apart by them.
const MAX_DIGITS: usize = 17;
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
        Self { name, kind, order: seen.order(), seen: *seen }
    }

    pub fn holds_text(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::AsIs)
    }

    pub fn holds_numbers(&self) -> bool {
        matches!(self.kind, Kind::Integer | Kind::Real | Kind::Decimal)
    }
}

/// What a column holds. A number that would become another (`007`, or one of 22 digits) is text.
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
    Text,
}

impl Written {
    pub fn of(text: &str) -> Self {
        if let Ok(integer) = text.parse::<i64>()
            && integer.to_string() == text
        {
            return Self::Integer(integer);
        }
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
        let digits = text.strip_prefix('-').unwrap_or(text);
        let leading_zero = digits.starts_with('0') && !digits.starts_with("0.");
        // A whole number that is no i64 is a code.
        if !plain || leading_zero || !digits.contains('.') {
            return Self::Text;
        }
        let significant =
            digits.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count();
        match text.parse::<f64>() {
            Ok(real) if real.to_string() == text => Self::Real(real),
            Ok(real) if significant <= MAX_DIGITS => Self::Decimal(real),
            Ok(_) | Err(_) => Self::Text,
        }
    }
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
#[derive(Clone, Copy, Default)]
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
            Written::Real(_) => self.written(text),
            Written::Decimal(_) => {
                self.written(text);
                self.decimal = true;
            }
            Written::Text => self.add_text(text),
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
        self.odd |= text.len() > MAX_DIGITS || values::plain(text).is_none();
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

    fn count(&mut self, says: Says, value: impl Hash) {
        let mut hasher = DefaultHasher::new();
        value.hash(&mut hasher);
        let hash = hasher.finish();
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

    /// What SQLite makes of the numbers, where the column is meant to hold some.
    pub fn reading(&self) -> Reading {
        if self.are_numbers() { self.reading } else { Reading::Right }
    }

    /// The shape that all numbers have: then letters are in the order of numbers, also beside others of this shape.
    pub fn shape(&self) -> Option<(usize, usize)> {
        self.shape.filter(|_| !self.misshapen)
    }

    /// What holds everything; `mixed`, if nothing but that does.
    pub fn kind(self, mixed: Kind) -> Kind {
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
        ] {
            assert_eq!(Written::of(text), written, "{text}");
        }
        assert_ne!(
            Written::of("52.520006599999998"),
            Written::Text,
            "as many programs write a place on Earth"
        );
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
