//! Numbers, dates and sums of money, as people write them, whatever their country.
//!
//! Where a text can be read in two ways, it is not read: a wrong reading would be a wrong verdict.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc, Weekday};
use rust_decimal::Decimal;

use crate::shared::exact;

/// A sum, with its currency if one is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    pub amount: Decimal,
    /// An ISO 4217 code, or a symbol that stands for several.
    pub currency: Option<String>,
}

impl Money {
    /// Whether both may be in the same currency: `$` is the sign of many, and where none is written it is the other's.
    pub fn may_be_in_one_currency_with(&self, other: &Self) -> bool {
        let (Some(one), Some(other)) = (&self.currency, &other.currency) else { return true };
        let stands_for = |symbol: &str, code: &str| match symbol {
            "$" => DOLLARS.contains(&code),
            "¥" => matches!(code, "JPY" | "CNY"),
            _ => false,
        };
        one == other || stands_for(one, other) || stands_for(other, one)
    }
}

/// The currencies whose sign is `$`.
const DOLLARS: [&str; 28] = [
    "USD", "AUD", "BBD", "BMD", "BND", "BSD", "BZD", "CAD", "CLP", "COP", "DOP", "FJD", "GYD", "HKD", "JMD",
    "KYD", "LRD", "MXN", "NAD", "NZD", "SBD", "SGD", "SRD", "TTD", "TWD", "UYU", "XCD", "ARS",
];

/// The currencies with three decimals (ISO 4217): in these, three digits after a point are no thousands.
const OF_THREE_DECIMALS: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

fn has_three_decimals(currency: Option<&str>) -> bool {
    currency.is_some_and(|code| OF_THREE_DECIMALS.contains(&code))
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_clear = has_three_decimals(self.currency.as_deref());
        let amount = if is_clear { self.amount } else { unmistakable(self.amount) };
        match &self.currency {
            Some(currency) => write!(f, "{amount} {currency}"),
            None => amount.fmt(f),
        }
    }
}

/// A moment, or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In the zone that was written, which says on what day it is; in UTC without one.
    pub at: DateTime<FixedOffset>,
    /// Whether a time of day was written; without, it is compared by the day.
    pub has_time: bool,
}

impl Moment {
    fn day(date: NaiveDate) -> Self {
        Self { has_time: false, ..Self::in_utc(date.and_time(NaiveTime::MIN)) }
    }

    fn in_utc(at: NaiveDateTime) -> Self {
        Self { at: at.and_utc().fixed_offset(), has_time: true }
    }

    /// The same moment as it is in UTC, which may be on another day.
    pub fn to_utc(self) -> Self {
        Self { at: self.at.to_utc().fixed_offset(), ..self }
    }

    /// The order of two moments; of two days, each as it was written, where either is one.
    pub fn compare(self, other: Self) -> std::cmp::Ordering {
        if self.has_time && other.has_time {
            self.at.cmp(&other.at)
        } else {
            self.at.date_naive().cmp(&other.at.date_naive())
        }
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.has_time {
            self.at.date_naive().fmt(f)
        } else if self.at.offset().local_minus_utc() == 0 {
            self.at.format("%Y-%m-%dT%H:%M:%S").fmt(f)
        } else {
            self.at.format("%Y-%m-%dT%H:%M:%S%:z").fmt(f)
        }
    }
}

/// A number as programs write it: digits of ASCII, a sign, a point, an exponent. The library's own reading takes
/// `1_042`, too, which no database does.
pub fn plain(text: &str) -> Option<Decimal> {
    let text = text.trim_ascii();
    if !is_plain(text) {
        return None;
    }
    if text.contains(['e', 'E']) { Decimal::from_scientific(text).ok() } else { text.parse().ok() }
}

/// Whether a text has no other characters than programs write numbers with: neither `NaN` nor `0x10`.
pub fn is_plain(text: &str) -> bool {
    text.trim_ascii().bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
}

/// Whether both texts are numbers as programs write them, and the same, with however many digits.
pub fn is_same_number(one: &str, other: &str) -> bool {
    let (one, other) = (one.trim_ascii(), other.trim_ascii());
    let is_number = |text: &str| is_plain(text) && text.parse::<f64>().is_ok();
    is_number(one) && is_number(other) && exact::Decimal::of(one) == exact::Decimal::of(other)
}

/// `1234.5`, `1,234.50`, `1.234,50`, `1 234,5`, `1'234.50`, `-3`, `12 %` without its sign. A single point is the
/// decimal one, as programs write it; a single comma before exactly three digits could be either, and is not read. No
/// thousands begin with 0: `0,125` is less than one.
pub fn number(text: &str) -> Option<Decimal> {
    digits(without_percent(text), Three::Decimals)
}

/// As `number`, of what a person wrote: before exactly three digits a single point could be either, too, and is not read.
/// It may end a sentence.
pub fn written_number(text: &str) -> Option<Decimal> {
    digits(without_percent(without_stop(text)), Three::Either)
}

/// The same number, printed so that `written_number` reads it: after one to three digits, three decimals could be
/// thousands.
pub fn unmistakable(mut number: Decimal) -> Decimal {
    if number.scale() == 3 && (Decimal::ONE..Decimal::ONE_THOUSAND).contains(&number.abs()) {
        number.rescale(4);
    }
    number
}

fn without_percent(text: &str) -> &str {
    text.trim().trim_end_matches('%').trim_end()
}

/// The text without the stop of the sentence, or of the part of one, that it ends.
fn without_stop(text: &str) -> &str {
    let text = text.trim();
    text.strip_suffix(['.', ',', ';']).unwrap_or(text).trim_end()
}

/// A number with a currency before or after it: `EUR 1.234,50`, `1,234.50 €`, `$5`, `99,99 Euro`, `12,- €`. It may end a
/// sentence. Sums have no three decimals but in a few currencies, so three digits after a single separator are
/// thousands, unless those before it are none: `0.900 EUR`.
pub fn money(text: &str) -> Option<Money> {
    let text = without_stop(text);
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text),
    };
    let (currency, rest) = without_currency(text);
    let three = if has_three_decimals(currency.as_deref()) { Three::Decimals } else { Three::Thousands };
    let written = with_decimals(rest.trim());
    let mut amount = digits(&written, three)?;
    if negative {
        if written.starts_with(['-', '+']) {
            return None;
        }
        amount = -amount;
    }
    Some(Money { amount, currency })
}

/// The currency, as `Money` has it, that stands on either side of the text, and what is left.
fn without_currency(text: &str) -> (Option<String>, &str) {
    const SIGNS: [(&str, &str); 8] = [
        ("€", "EUR"),
        ("£", "GBP"),
        ("¥", "¥"),
        ("₹", "INR"),
        ("US$", "USD"),
        ("$", "$"),
        ("Euros", "EUR"),
        ("Euro", "EUR"),
    ];
    for (sign, code) in SIGNS {
        if let Some(rest) = without_sign(text, sign) {
            return (Some(code.to_owned()), rest);
        }
    }
    let is_code = |word: &str| word.len() == 3 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let front = text.split_at_checked(3).filter(|(word, _)| is_code(word));
    let back = text.len().checked_sub(3).and_then(|at| text.split_at_checked(at));
    let back = back.map(|(rest, word)| (word, rest)).filter(|(word, _)| is_code(word));
    match front.or(back) {
        Some((code, rest)) => (Some(code.to_ascii_uppercase()), rest),
        None => (None, text),
    }
}

/// What is left of the text where the sign, in any case, stands on either side of it.
fn without_sign<'t>(text: &'t str, sign: &str) -> Option<&'t str> {
    if text.get(..sign.len()).is_some_and(|head| head.eq_ignore_ascii_case(sign)) {
        return text.get(sign.len()..);
    }
    let (rest, tail) = text.split_at_checked(text.len().checked_sub(sign.len())?)?;
    tail.eq_ignore_ascii_case(sign).then_some(rest)
}

/// `12,-` and `12.–` say that there are no decimals: `12,00`.
fn with_decimals(text: &str) -> Cow<'_, str> {
    let whole = text.trim_end_matches(['-', '–', '—']);
    let is_whole = whole.len() < text.len()
        && whole
            .strip_suffix([',', '.'])
            .is_some_and(|digits| digits.ends_with(|c: char| c.is_ascii_digit()));
    if is_whole { format!("{whole}00").into() } else { text.into() }
}

/// What exactly three digits are after the only separator, where those before it can be thousands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Three {
    Thousands,
    /// After a point; after a comma nobody knows.
    Decimals,
    /// Nobody knows.
    Either,
}

/// Reads digits with separators.
fn digits(text: &str, three: Three) -> Option<Decimal> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let (plain, is_grouped) = ungrouped(text)?;
    let (whole, fraction) = parted(&plain, is_grouped, three)?;
    let groups: Vec<&str> = whole.split(['.', ',']).collect();
    if groups.len() > 1 && (!begins_thousands(groups[0]) || groups[1..].iter().any(|g| g.len() != 3)) {
        return None;
    }
    let whole = groups.concat();
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    format!(
        "{sign}{}.{}",
        if whole.is_empty() { "0" } else { &whole },
        if fraction.is_empty() { "0" } else { fraction }
    )
    .parse::<Decimal>()
    .ok()
    .map(|value| value.normalize())
}

/// The digits with their points and commas, and whether anything else groups them: spaces (also narrow and no-break ones) and
/// apostrophes only ever do.
fn ungrouped(text: &str) -> Option<(String, bool)> {
    let mut plain = String::new();
    let mut grouped: Option<usize> = None;
    for c in text.chars() {
        match c {
            '0'..='9' | '.' | ',' => plain.push(c),
            ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\'' | '’' => {
                let is_group = match grouped {
                    None => begins_thousands(&plain),
                    Some(at) => plain.len() - at == 3,
                };
                if !is_group || plain.contains(['.', ',']) {
                    return None;
                }
                grouped = Some(plain.len());
            }
            _ => return None,
        }
    }
    if let Some(at) = grouped {
        let whole = plain.find(['.', ',']).unwrap_or(plain.len());
        if whole.checked_sub(at) != Some(3) {
            return None;
        }
    }
    Some((plain, grouped.is_some()))
}

/// What stands before the decimal separator, and what behind it; all and nothing where there is none.
fn parted(plain: &str, is_grouped: bool, three: Three) -> Option<(&str, &str)> {
    let Some(last) = plain.rfind(['.', ',']) else { return Some((plain, "")) };
    let (before, after) = (&plain[..last], &plain[last + 1..]);
    let may_group = after.len() == 3 && !is_grouped && begins_thousands(before);
    let (points, commas) = (plain.matches('.').count(), plain.matches(',').count());
    let is_decimal = match (points, commas) {
        (1, 0) | (0, 1) if may_group && three == Three::Thousands => false,
        (0, 1) if may_group => return None,
        (1, 0) if may_group && three == Three::Either => return None,
        (1, 0) | (0, 1) => true,
        // Several of one kind group; of two kinds, the last is the decimal one, and stands once.
        (_, 0) | (0, _) => false,
        _ => {
            let kind = plain[last..].chars().next()?;
            if plain.matches(kind).count() > 1 {
                return None;
            }
            true
        }
    };
    if !is_decimal {
        return Some((plain, ""));
    }
    (!after.is_empty()).then_some((before, after))
}

/// Whether these digits can stand before the first separator of thousands.
fn begins_thousands(digits: &str) -> bool {
    matches!(digits.len(), 1..=3) && !digits.starts_with('0')
}

/// ISO 8601, RFC 2822, `10.11.2026`, `10 November 2026`, `Nov 10th, 2026`, the months in English, German and French, and
/// `10.11.26` where that is near `now`. With slashes or hyphens, day and month are told apart only where one of them is over
/// 12. The day's name may stand before it, and it may end a sentence. A time of day behind a day counts only in the first two:
/// no zone is known. `today` and `now` are what they are in UTC; `today-30d`, too.
pub fn date(text: &str, now: DateTime<Utc>) -> Option<Moment> {
    let text = without_stop(text);
    // No date is longer, and a body may be held against a thousand.
    if text.len() > 200 {
        return None;
    }
    let lower = text.to_lowercase();
    if lower == "now" {
        return Some(Moment::in_utc(now.naive_utc()));
    }
    if let Some(rest) = lower.strip_prefix("today") {
        return relative(rest.trim(), now.date_naive()).map(Moment::day);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc2822(text)) {
        return Some(Moment { at, has_time: true });
    }
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, format) {
            return Some(Moment::in_utc(at));
        }
    }
    day(&lower, now.date_naive()).map(Moment::day)
}

/// A day, in lower case. A name before it must be its own.
fn day(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let text = text.replace(',', " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let name = words.first().and_then(|word| weekday(word));
    let words = if name.is_some() { &words[1..] } else { words.as_slice() };
    let words = match words {
        ["den" | "le", rest @ ..] => without_time(rest),
        _ => without_time(words),
    };
    let text = words.join(" ");
    let date =
        in_digits(&text).or_else(|| with_month_name(&text)).or_else(|| with_short_year(&text, today))?;
    name.is_none_or(|name| date.weekday() == name).then_some(date)
}

/// The words without a time of day behind them.
fn without_time<'w, 't>(words: &'w [&'t str]) -> &'w [&'t str] {
    let is_time = |word: &str| {
        ["%H:%M", "%H:%M:%S"].iter().any(|format| NaiveTime::parse_from_str(word, format).is_ok())
    };
    let before = match words {
        [before @ .., "uhr" | "am" | "pm"] => before,
        _ => words,
    };
    match before {
        [date @ .., "um" | "at" | "à", time] | [date @ .., time] if is_time(time) => date,
        _ => words,
    }
}

/// Within so many years of today, a year of two digits is one of this century: orders, damages and terms are. What is further
/// away may be somebody's birthday, of which nobody knows the century.
const NEAR: i32 = 10;

/// `10.11.26`: with full stops, the day stands first wherever dates are written so.
fn with_short_year(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    let (rest, year) = text.split_at_checked(text.len().checked_sub(2)?)?;
    let is_short = rest.trim_end().ends_with('.') && year.bytes().all(|byte| byte.is_ascii_digit());
    let date = is_short.then(|| in_digits(&format!("{rest}20{year}")))??;
    ((date.year() - today.year()).abs() <= NEAR).then_some(date)
}

/// Not `10.11.26`.
fn has_whole_year(date: &NaiveDate) -> bool {
    (1_000..10_000).contains(&date.year())
}

fn in_digits(text: &str) -> Option<NaiveDate> {
    for format in ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%d. %m. %Y"] {
        if let Ok(date) = NaiveDate::parse_from_str(text, format)
            && has_whole_year(&date)
        {
            return Some(date);
        }
    }
    let parts: Vec<u32> =
        text.split(['/', '-']).map(|part| part.trim().parse().ok()).collect::<Option<_>>()?;
    let [a, b, year] = parts.as_slice() else { return None };
    let (day, month) = match (*a > 12, *b > 12) {
        (true, false) => (*a, *b),
        (false, true) => (*b, *a),
        (false, false) if a == b => (*a, *b),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(i32::try_from(*year).ok()?, month, day).filter(has_whole_year)
}

/// `10. november 2026`, `nov 10th 2026`, `10-nov-2026`.
fn with_month_name(text: &str) -> Option<NaiveDate> {
    const ORDINALS: [&str; 5] = ["st", "nd", "rd", "th", "er"];
    let characters: Vec<char> = text.chars().collect();
    let is_alike = |one: &char, other: &char| {
        one.is_ascii_digit() == other.is_ascii_digit() && one.is_alphabetic() == other.is_alphabetic()
    };
    let parts: Vec<String> = characters
        .chunk_by(is_alike)
        .map(|run| run.iter().collect::<String>())
        .filter(|run| !run.chars().all(|c| matches!(c, ' ' | '.' | '-' | '/')))
        .filter(|run| !ORDINALS.contains(&run.as_str()))
        .collect();
    let [one, other, year] = parts.as_slice() else { return None };
    let (day, month) = match (month(one), month(other)) {
        (None, Some(month)) => (one, month),
        (Some(month), None) => (other, month),
        _ => return None,
    };
    if year.len() != 4 || day.len() > 2 {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month, day.parse().ok()?).filter(has_whole_year)
}

/// In English, German and French, in lower case, and what they are cut to.
const MONTHS: [&[&str]; 12] = [
    &["january", "jan", "januar", "jänner", "jän", "janvier", "janv"],
    &["february", "feb", "februar", "feber", "février", "fevrier", "févr", "fév"],
    &["march", "mar", "märz", "maerz", "mär", "mrz", "mars"],
    &["april", "apr", "avril", "avr"],
    &["may", "mai"],
    &["june", "jun", "juni", "juin"],
    &["july", "jul", "juli", "juillet", "juil"],
    &["august", "aug", "août", "aout"],
    &["september", "sep", "sept", "septembre"],
    &["october", "oct", "oktober", "okt", "octobre"],
    &["november", "nov", "novembre"],
    &["december", "dec", "dezember", "dez", "décembre", "decembre", "déc"],
];

fn month(name: &str) -> Option<u32> {
    (1..).zip(MONTHS).find(|(_, names)| names.contains(&name)).map(|(month, _)| month)
}

/// Whether a word is the name of a month, in any case.
pub fn is_month(word: &str) -> bool {
    month(&word.to_lowercase()).is_some()
}

/// As `MONTHS`. `mar`, which is a month's name too, is not among them.
const WEEKDAYS: [(Weekday, &[&str]); 7] = [
    (Weekday::Mon, &["monday", "mon", "montag", "mo", "lundi", "lun"]),
    (Weekday::Tue, &["tuesday", "tues", "tue", "dienstag", "di", "mardi"]),
    (Weekday::Wed, &["wednesday", "wed", "mittwoch", "mi", "mercredi", "mer"]),
    (Weekday::Thu, &["thursday", "thurs", "thur", "thu", "donnerstag", "do", "jeudi", "jeu"]),
    (Weekday::Fri, &["friday", "fri", "freitag", "fr", "vendredi", "ven"]),
    (Weekday::Sat, &["saturday", "sat", "samstag", "sonnabend", "sa", "samedi", "sam"]),
    (Weekday::Sun, &["sunday", "sun", "sonntag", "so", "dimanche", "dim"]),
];

fn weekday(word: &str) -> Option<Weekday> {
    let word = word.trim_end_matches('.');
    WEEKDAYS.iter().find(|(_, names)| names.contains(&word)).map(|(weekday, _)| *weekday)
}

/// Whether a word is the name of a day of the week, in any case.
pub fn is_weekday(word: &str) -> bool {
    weekday(&word.to_lowercase()).is_some()
}

/// `-30d`, `+2w`, or nothing.
fn relative(text: &str, today: NaiveDate) -> Option<NaiveDate> {
    if text.is_empty() {
        return Some(today);
    }
    let (sign, rest) = text.split_at_checked(1)?;
    let (count, unit) = rest.trim().split_at_checked(rest.trim().len().checked_sub(1)?)?;
    let days = count.trim().parse::<u64>().ok()?.checked_mul(match unit {
        "d" => 1,
        "w" => 7,
        _ => return None,
    })?;
    match sign {
        "-" => today.checked_sub_days(Days::new(days)),
        "+" => today.checked_add_days(Days::new(days)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("a decimal")
    }

    #[test]
    fn numbers_of_all_countries_are_read_and_unclear_ones_are_not() {
        for (text, value) in [
            ("0", "0"),
            ("007", "7"),
            ("-3", "-3"),
            ("+3.5", "3.5"),
            ("1234.5", "1234.5"),
            ("1,234.50", "1234.5"),
            ("1.234,50", "1234.5"),
            ("1 234,5", "1234.5"),
            ("1\u{202f}234\u{202f}567,25", "1234567.25"),
            ("1'234.50", "1234.5"),
            ("1,234,567", "1234567"),
            ("1.234.567", "1234567"),
            ("3,5", "3.5"),
            ("0.125", "0.125"),
            ("1.234", "1.234"),
            (".5", "0.5"),
            ("12 %", "12"),
            ("0,125", "0.125"),
            ("-0,125", "-0.125"),
            (",125", "0.125"),
            ("1234,567", "1234.567"),
            ("1.234,5", "1234.5"),
            ("100,000.5", "100000.5"),
        ] {
            assert_eq!(number(text), Some(decimal(value)), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1,234",
            "1,2,3",
            "1.23.456",
            "12,34,567.5",
            "1.2,3.4",
            "abc",
            "1e5",
            "0x10",
            "5.",
            "1 23",
            "1  234",
            "1234 567",
            "0 234",
            "012'345",
            "0.125.000",
            "0,125,000",
            "0,125.5",
            "012.345,6",
            "12.345.67",
            "1,23,456",
            "1_042",
            "١",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn what_a_person_wrote_is_no_number_where_it_could_be_two() {
        for (text, value) in [
            ("1234.5", "1234.5"),
            ("1.234,50", "1234.5"),
            ("1,234.500", "1234.5"),
            ("1.2340", "1.234"),
            ("0.125", "0.125"),
            ("-0.125", "-0.125"),
            ("1234.567", "1234.567"),
            ("1.234.567", "1234567"),
            ("12.5 %", "12.5"),
            ("7.", "7"),
            ("3,5;", "3.5"),
        ] {
            assert_eq!(written_number(text), Some(decimal(value)), "{text}");
        }
        for text in
            ["1.234", "-1.234", "12.345", "900.000", "1.000 %", "1.234.", "1,234", "1,234,", "7..", "."]
        {
            assert_eq!(written_number(text), None, "{text}");
        }
        assert_eq!(unmistakable(decimal("-1.234")).to_string(), "-1.2340");
    }

    #[test]
    fn sums_have_a_currency_on_either_side() {
        for (text, amount, currency) in [
            ("EUR 1.234,50", "1234.5", Some("EUR")),
            ("1,234.50 €", "1234.5", Some("EUR")),
            ("1.234 EUR", "1234", Some("EUR")),
            ("$5", "5", Some("$")),
            ("US$ 1,000", "1000", Some("USD")),
            ("-12.30 usd", "-12.3", Some("USD")),
            ("19.90", "19.9", None),
            ("£0.50", "0.5", Some("GBP")),
            ("KWD 12.500", "12.5", Some("KWD")),
            ("1,234.500 omr", "1234.5", Some("OMR")),
            ("0.900 EUR", "0.9", Some("EUR")),
            ("0,125 €", "0.125", Some("EUR")),
            ("-$0.005", "-0.005", Some("$")),
            (".900 EUR", "0.9", Some("EUR")),
            ("900.000 EUR", "900000", Some("EUR")),
            ("1234.567 EUR", "1234.567", Some("EUR")),
            ("KWD 0,500", "0.5", Some("KWD")),
            ("99,99 Euro", "99.99", Some("EUR")),
            ("50.000,00 euros", "50000", Some("EUR")),
            ("EURO 1,234.50", "1234.5", Some("EUR")),
            ("12,- €", "12", Some("EUR")),
            ("1.500,- €", "1500", Some("EUR")),
            ("1,500.-", "1500", None),
            ("CHF 1'500.–", "1500", Some("CHF")),
            ("-12,-- Euro.", "-12", Some("EUR")),
            ("99,99 €.", "99.99", Some("EUR")),
            ("1,234.50 EUR,", "1234.5", Some("EUR")),
            ("19.90;", "19.9", None),
        ] {
            let money = money(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((money.amount, money.currency.as_deref()), (decimal(amount), currency), "{text}");
        }
        for text in [
            "",
            "EUR",
            "five euros",
            "12 34",
            "EUR 1.2.3",
            "€ €5",
            "KWD 12,500",
            "0.125.000",
            "0,125.00 EUR",
            "0 900 EUR",
            "--5 EUR",
            "-EUR -5",
            "€.",
            ",- €",
            "12- €",
            "1.50,- €",
            "1.2,3,-",
            "12,5..",
            "12 Eurodollars",
        ] {
            assert_eq!(money(text), None, "{text}");
        }
    }

    #[test]
    fn a_sum_is_printed_so_that_it_is_no_other() {
        for (text, printed) in [
            ("1.0850 EUR", "1.0850 EUR"),
            ("$ 12.3450", "12.3450 $"),
            ("-1.0850", "-1.0850"),
            ("1.08505 EUR", "1.08505 EUR"),
            ("1.234,50 EUR", "1234.5 EUR"),
            ("KWD 12.505", "12.505 KWD"),
            ("0.125 EUR", "0.125 EUR"),
            ("1234.505 EUR", "1234.505 EUR"),
        ] {
            assert_eq!(money(text).map(|sum| sum.to_string()).as_deref(), Some(printed), "{text}");
        }
    }

    #[test]
    fn what_programs_write_is_a_number_and_nothing_else() {
        for (text, value) in [
            ("7", Some("7")),
            (" -7.50 ", Some("-7.5")),
            ("+.5", Some("0.5")),
            ("1.2e3", Some("1200")),
            ("1E-7", Some("0.0000001")),
            ("1_042", None),
            ("_1", None),
            ("1,5", None),
            ("\u{a0}7", None),
            ("١", None),
            ("0x10", None),
            ("inf", None),
            ("1-2", None),
            ("e5", None),
            ("1e", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(plain(text), value.map(decimal), "{text}");
        }
    }

    #[test]
    fn the_same_number_is_told_by_all_its_digits() {
        for (one, other, is_same) in [
            ("1234567890123456.70", "1234567890123456.7", true),
            ("1234567890123456.70", "1234567890123456.71", false),
            ("1.00000000000000000000000000000001", "1", false),
            ("1.00000000000000000000000000000000", "1", true),
            ("12345678901234567890123456789012345678.50", "12345678901234567890123456789012345678.5", true),
            ("-0.0", "0", true),
            ("-1", "1", false),
            ("1e-7", "0.0000001", true),
            (" 7", "+7", true),
            ("NaN", "NaN", false),
            ("inf", "inf", false),
            ("0x10", "16", false),
            ("1_0", "10", false),
            ("1-2", "1-2", false),
            ("", "", false),
        ] {
            assert_eq!(is_same_number(one, other), is_same, "{one} {other}");
        }
    }

    #[test]
    fn dates_are_read_where_they_are_clear() {
        let now = DateTime::parse_from_rfc3339("2026-11-24T10:00:00Z").expect("now").to_utc();
        for (text, day) in [
            ("2026-11-10", "2026-11-10"),
            ("2026-11-10T23:30:00-02:00", "2026-11-10T23:30:00-02:00"),
            ("2026-11-10T23:30:00Z", "2026-11-10T23:30:00"),
            ("2026-11-10 08:15", "2026-11-10T08:15:00"),
            ("Tue, 10 Nov 2026 08:15:00 +0000", "2026-11-10T08:15:00"),
            ("Tue, 10 Nov 2026 00:15:00 +0530", "2026-11-10T00:15:00+05:30"),
            ("10.11.2026", "2026-11-10"),
            ("10 November 2026", "2026-11-10"),
            ("10. Nov 2026", "2026-11-10"),
            ("Nov 10, 2026", "2026-11-10"),
            ("Nov 10th, 2026", "2026-11-10"),
            ("November 1st 2026", "2026-11-01"),
            ("10-Nov-2026", "2026-11-10"),
            ("10NOV2026", "2026-11-10"),
            ("10. Nov. 2026", "2026-11-10"),
            ("3. März 2026", "2026-03-03"),
            ("31.Dezember 2026", "2026-12-31"),
            ("1er février 2026", "2026-02-01"),
            ("Mar 10 2026", "2026-03-10"),
            ("10.11.2026.", "2026-11-10"),
            ("10.11.2026,", "2026-11-10"),
            ("Di, 10.11.2026", "2026-11-10"),
            ("Di. 10.11.2026", "2026-11-10"),
            ("Dienstag, den 10. November 2026", "2026-11-10"),
            ("Tue 2026-11-10", "2026-11-10"),
            ("mardi 10 novembre 2026", "2026-11-10"),
            ("10.11.2026 14:30", "2026-11-10"),
            ("10.11.2026, 14:30:59 Uhr", "2026-11-10"),
            ("Tuesday, November 10, 2026 at 2:30 PM", "2026-11-10"),
            ("11/30/2026", "2026-11-30"),
            ("30/11/2026", "2026-11-30"),
            ("11/11/2026", "2026-11-11"),
            ("10.11.26", "2026-11-10"),
            ("Di, 10. 11. 26, 14:30 Uhr", "2026-11-10"),
            ("1.2.16", "2016-02-01"),
            ("1.2.36", "2036-02-01"),
            ("today", "2026-11-24"),
            ("today-30d", "2026-10-25"),
            ("today + 1w", "2026-12-01"),
        ] {
            assert_eq!(date(text, now).map(|d| d.to_string()).as_deref(), Some(day), "{text}");
            let again = date(day, now).map(|d| d.to_string());
            assert_eq!(again.as_deref(), Some(day), "what is printed is read again");
        }
        for text in [
            "",
            "10/11/2026",
            "31.2.2026",
            "10.11.15",
            "10.11.37",
            "10.11.6",
            "10.11.026",
            "10.11.+6",
            "31.2.26",
            "26.11.10.26",
            "10/11/26",
            "30-11-26",
            "Mo, 10.11.26",
            "yesterday",
            "today-",
            "today-5y",
            "99999",
            "10/11/2026 14:30",
            "10.11.2026 25:00",
            "10.11.2026 14",
            "14:30",
            "Uhr",
            "Mo, 10.11.2026",
            "Di",
            "10. Nov 26",
            "10 Smarch 2026",
            "Nov Dec 2026",
            "November 2026",
            "10 11 2026",
            "10.11.2026..",
        ] {
            assert_eq!(date(text, now), None, "{text}");
        }
    }

    #[test]
    fn names_of_months_and_of_days_are_known_in_any_case() {
        for (word, are_names) in [
            ("NOV", (true, false)),
            ("März", (true, false)),
            ("Di.", (false, true)),
            ("INV", (false, false)),
            ("", (false, false)),
        ] {
            assert_eq!((is_month(word), is_weekday(word)), are_names, "{word}");
        }
    }

    #[test]
    fn a_day_is_the_one_that_was_written_and_a_moment_is_the_same_in_every_zone() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let now = DateTime::parse_from_rfc3339("2026-11-10T00:30:00+01:00").expect("now").to_utc();
        for (one, other, order) in [
            ("2026-11-10T00:00:00+01:00", "2026-11-10", Equal),
            ("2026-11-10T23:30:00-02:00", "10.11.2026", Equal),
            ("Tue, 10 Nov 2026 00:30:00 +0100", "2026-11-09", Greater),
            ("2026-11-10T00:00:00+01:00", "2026-11-09T23:00:00Z", Equal),
            ("2026-11-10T00:00:00+01:00", "2026-11-09T23:30:00", Less),
            ("2026-11-10T00:30:00+01:00", "now", Equal),
            ("2026-11-09", "today", Equal),
        ] {
            let moment = |text| date(text, now).expect("a date");
            assert_eq!(moment(one).compare(moment(other)), order, "{one} {other}");
            assert_eq!(moment(other).compare(moment(one)), order.reverse(), "{other} {one}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = (number(&text), written_number(&text), money(&text), date(&text, Utc::now()));
        }

        #[test]
        fn what_is_printed_is_read_again(units in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..7) {
            let value = Decimal::new(units, scale).normalize();
            prop_assert_eq!(number(&value.to_string()), Some(value));
            prop_assert_eq!(written_number(&unmistakable(value).to_string()), Some(value));
            for currency in [Some("EUR"), Some("KWD"), Some("$"), None] {
                let sum = Money { amount: value, currency: currency.map(str::to_owned) };
                prop_assert_eq!(money(&sum.to_string()), Some(sum));
            }
        }

        #[test]
        fn grouping_by_commas_or_points_changes_nothing(whole in 1_000_u64..10_000_000_000, cents in 10_u32..100) {
            let digits = whole.to_string();
            let mut grouped: Vec<String> = Vec::new();
            let mut rest = digits.as_str();
            while rest.len() > 3 {
                let (head, tail) = rest.split_at(rest.len() - 3);
                grouped.insert(0, tail.to_owned());
                rest = head;
            }
            grouped.insert(0, rest.to_owned());
            let value: Decimal = format!("{whole}.{cents}").parse().expect("a decimal");
            prop_assert_eq!(number(&format!("{},{cents}", grouped.join("."))), Some(value.normalize()));
            prop_assert_eq!(number(&format!("{}.{cents}", grouped.join(","))), Some(value.normalize()));
            prop_assert_eq!(number(&format!("{},{cents}", grouped.join(" "))), Some(value.normalize()));
        }
    }
}
