//! Numbers as programs and people write them into files, and what SQLite makes of each.

use rust_decimal::Decimal;

use super::days::Day;
use crate::rules::server::values;

/// No floating-point number keeps more digits than that.
pub const MAX_DIGITS: usize = 17;
/// No number is longer, with its currency and all that sets its thousands apart: bytes.
const MAX_FIGURE: usize = 60;

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
pub fn fraction(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.starts_with('0') && !digits.starts_with("0.");
    if !is_plain || leading_zero || !digits.contains('.') {
        return None;
    }
    text.parse().ok()
}

/// How many digits a number has, without the zeros that it begins with.
pub fn significant(number: &str) -> usize {
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
pub enum Says {
    Day(Day),
    Number(Reading),
    /// What might be a number with its currency, and is the number of an order: `CTR-2031`.
    Code,
    Other,
}

impl Says {
    pub fn of(text: &str) -> Self {
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
