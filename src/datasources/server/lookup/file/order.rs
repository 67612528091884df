//! How a table's columns are ordered, and what a query may ask of that: what would be ordered by its letters, though it says
//! a number or a day, is a fault of the datasource rather than a verdict.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    columns::{Column, Order},
    days::Day,
    numbers::Reading,
    table::{Asked, Table},
};
use crate::{
    datasources::server::lookup::{
        Cause, Given, LookupError, checked,
        ordering::{Against, Comparisons, Ordered, Ranked},
        sql_check::SqlDialect,
    },
    server::text::shorten,
};

impl Column {
    /// # Errors
    /// The data's, where the column is not ordered as numbers are beside the one that it is compared with.
    fn check_order(&self, ordered: &Ordered, number: &str, params: &[Value]) -> Result<(), LookupError> {
        let name = &self.name;
        let fault = match self.order {
            // Days are looked at beside anything, and not beside numbers alone.
            Order::AsItIs | Order::Days(_) => return Ok(()),
            Order::Digits(digits) if ordered.suits_digits(digits, number, params) => return Ok(()),
            Order::Digits(digits) => format!(
                "the column {name} holds texts of {digits} digits each, so only a number of as many digits is more or less \
                 than one; write CAST({name} AS REAL) to take them for numbers"
            ),
            Order::Figures if ordered.is_by_number => return Ok(()),
            Order::Figures => format!(
                "the column {name} holds numbers as texts, so none is more or less than a number; write CAST({name} AS \
                 REAL) to take them for numbers"
            ),
            Order::Mixed => format!(
                "the column {name} holds values that are no numbers beside others that are, so none is more or less than a \
                 number; write CAST({name} AS REAL) to take them for 0"
            ),
            Order::Letters => format!(
                "the column {name} holds numbers as texts, so none is more or less than a number; in the file, they must be \
                 numbers, written such as 1234.50"
            ),
        };
        Err(LookupError::new(Cause::Refused, fault))
    }

    /// # Errors
    /// The data's, where the column is not ordered by what it says, whatever it is ordered against, or its numbers are taken for
    /// others. Where days are written as they should be, that of whoever compares them with one that is not. `columns` are
    /// those of all tables that the query names.
    fn check_rank(&self, ranked: &Ranked, columns: &[&Self], given: Given<'_>) -> Result<(), LookupError> {
        let is_alike = |place: &usize| columns.get(*place).is_some_and(|other| other.order == self.order);
        let suits = |place: &usize| columns.get(*place).is_none_or(|other| self.suits(other));
        let text_of = |place: usize| given.params.get(place).and_then(Value::as_str);
        let is_ordered = match (self.order, &ranked.against) {
            (_, Against::Number) => ranked.is_made || self.reading == Reading::Right,
            (_, Against::Whole) => ranked.is_made || self.reading != Reading::Wrong,
            (Order::Days(_), Against::Cast) => false,
            // What a query makes of days with the year first has another mark between.
            (Order::Days(Day::YearFirst(_) | Day::Several), _) if ranked.is_made => true,
            (Order::Days(Day::ISO), against) => {
                let beside = match against {
                    Against::Given(place) => text_of(*place).map(|text| (text, given.blame(*place))),
                    Against::Text(text) => Some((&**text, Cause::Rule)),
                    _ => None,
                };
                return match beside.filter(|(text, _)| !Day::ISO.is_ordered_beside(text)) {
                    Some((text, cause)) => Err(LookupError::new(cause, self.unlike(text))),
                    None => Ok(()),
                };
            }
            (Order::Days(day), Against::Text(text)) => day.is_ordered_beside(text),
            (Order::Days(day), Against::Given(place)) => match given.params.get(*place) {
                Some(Value::String(text)) => day.is_ordered_beside(text),
                given => given.is_none_or(Value::is_null),
            },
            (Order::Days(Day::YearFirst(_)), Against::Columns(places)) => places.iter().all(is_alike),
            (Order::Days(Day::YearFirst(_)), Against::Itself | Against::Other) => true,
            (Order::Days(_), _) => false,
            (_, Against::Columns(places)) => ranked.is_made || places.iter().all(suits),
            // They would be numbers, if these were kept: nobody asks for the order of their letters.
            (Order::Figures, Against::Itself) => {
                ranked.is_made || !self.are_some_unkept || self.shape.is_some()
            }
            _ => true,
        };
        if is_ordered {
            return Ok(());
        }
        Err(LookupError::new(Cause::Refused, self.unordered(&ranked.against)))
    }

    /// Whether its numbers, where they are texts, are ordered by what they say beside another column. Beside numbers, SQLite
    /// makes numbers of those that are written as programs write them.
    fn suits(&self, other: &Self) -> bool {
        let is_alike = || self.shape.is_some() && self.shape == other.shape;
        match self.order {
            Order::Letters | Order::Mixed if other.holds_numbers() => !self.are_numbers,
            Order::Figures if other.holds_numbers() => true,
            Order::Letters | Order::Figures => !self.are_numbers || is_alike(),
            _ => true,
        }
    }

    /// Why a text is not in time beside its days, in words.
    fn unlike(&self, text: &str) -> String {
        let (name, text) = (&self.name, shorten(text, 80));
        format!(
            "'{text}' is compared with the column {name}, and by its letters it is not in time beside the days there, which are \
             written such as 2026-12-31"
        )
    }

    /// Why it is not ordered, and what to do, in words.
    fn unordered(&self, against: &Against) -> String {
        let name = &self.name;
        match (self.order, against) {
            (_, Against::Number | Against::Whole) => format!(
                "the column {name} holds numbers as texts that the database takes for others: of 25.000,00 it reads 25; in \
                 the file, they must be numbers, written such as 1234.50, or the query must write them so: \
                 replace({name}, ',', '.'); CAST({name} AS TEXT) takes them as they are written"
            ),
            (Order::Days(Day::ISO), _) => format!(
                "the column {name} holds days, and SQLite, which has no type for them, makes 2026 of 2026-12-31; write \
                 date({name})"
            ),
            (Order::Days(day), _) => {
                let (is_unlike, apart) = match day {
                    Day::YearFirst(mark) => (
                        format!("by their letters they are in time only beside others with {mark} in them"),
                        format!("replace({name}, '{mark}', '-')"),
                    ),
                    Day::Several => (
                        "they are written in several ways, so by their letters they are not in time"
                            .to_owned(),
                        format!("replace({name}, '/', '-')"),
                    ),
                    Day::Otherwise => (
                        "by their letters they are not in time".to_owned(),
                        format!(
                            "substr({name}, 7, 4) || '-' || substr({name}, 4, 2) || '-' || substr({name}, 1, 2), where \
                             they are written such as 31.12.2026"
                        ),
                    ),
                };
                let why = match against {
                    Against::Calendar | Against::Cast => "the database does not read them".to_owned(),
                    _ => is_unlike,
                };
                let (odd, all) = self.odd_days;
                format!(
                    "the column {name} holds days, and {why}; in the file, they must be written such as 2026-12-31, as {odd} \
                     of {all} are not, or the query must write them so: {apart}; CAST({name} AS TEXT) takes them as they are \
                     written"
                )
            }
            (Order::Mixed, _) => format!(
                "the column {name} holds values that are no numbers beside others that are, and is compared with numbers; \
                 write CAST({name} AS REAL) to take them for 0, or CASE WHEN {name} GLOB '*[0-9]*' THEN CAST({name} AS \
                 REAL) END to leave them out"
            ),
            (Order::Figures, _) => format!(
                "the column {name} holds numbers as texts, which are ordered by their letters; write CAST({name} AS REAL) to \
                 take them for numbers; CAST({name} AS TEXT) takes them as they are written"
            ),
            _ => format!(
                "the column {name} holds numbers as texts, which are ordered by their letters; in the file, they must be \
                 numbers, written such as 1234.50; CAST({name} AS TEXT) takes them as they are written"
            ),
        }
    }
}

impl Table {
    /// By letters, 10 is less than 5: where a single cell says `n/a`, a column of numbers is one of texts. And
    /// `02.12.2026` is less than `10.11.2026`.
    ///
    /// # Errors
    /// The data's, where a query orders such a column by a number or a day, or its rows by days, or makes numbers of what
    /// SQLite takes for others. The rule's, where it orders what may be such a column and cannot be followed. The message's,
    /// where it says a day otherwise than the column does.
    pub fn check_order(&self, asked: &Asked) -> Result<(), LookupError> {
        // Of a match, which asks for what is equal, there are none.
        let columns: Vec<&Column> = self.named(&asked.tables).flat_map(|(_, columns)| columns).collect();
        if columns.iter().all(|column| column.order == Order::AsItIs) {
            return Ok(());
        }
        let params = &asked.params;
        let checked = checked(&asked.query, SqlDialect::Sqlite, params.len())?;
        let comparisons = Comparisons::of(&checked.sql, &asked.tables);
        for ordered in &comparisons.ordered {
            let Some(number) = ordered.number(params) else { continue };
            let mut compared = at(&columns, &ordered.source.columns);
            compared.try_for_each(|column| column.check_order(ordered, &number, params))?;
        }
        for ranked in &comparisons.ranked {
            let check = |column: &Column| column.check_rank(ranked, &columns, asked.given());
            at(&columns, &ranked.columns).try_for_each(check)?;
            if let Some(lost) = ranked.lost()
                && columns.iter().any(|column| check(column).is_err())
            {
                return Err(lost);
            }
        }
        Ok(())
    }
}

fn at<'c>(columns: &'c [&'c Column], places: &'c BTreeSet<usize>) -> impl Iterator<Item = &'c Column> {
    places.iter().filter_map(move |place| columns.get(*place).copied())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datasources::server::{
        connection::FileFormat,
        lookup::{
            Request,
            file::table::tests::{all_loaded, limits, loaded, sql},
        },
    };

    #[test]
    fn numbers_that_are_texts_are_not_ordered_by_letters() {
        let csv = loaded(
            FileFormat::Csv,
            "sku;stock;price;zip;code;due;name;size\nA;10;12,50;01067;007;2026-11-10;Ann;5 EUR\n\
             B;n/a;9,00;10115;010;2026-12-01;Bob;12 EUR\n",
        );
        for (column, order) in [
            ("sku", Order::AsItIs),
            ("stock", Order::Mixed),
            ("price", Order::Letters),
            ("zip", Order::Digits(5)),
            ("code", Order::Digits(3)),
            ("due", Order::Days(Day::ISO)),
            ("name", Order::AsItIs),
            ("size", Order::Letters),
        ] {
            let found = csv.columns.iter().find(|found| found.name == column).expect("a column");
            assert_eq!(found.order, order, "{column}");
        }
        let rows = r#"[{"words": "10", "mixed": 10, "even": "10", "n": 10},
            {"words": "9", "mixed": "n/a", "even": "20", "n": 9}]"#;
        let mut tables = [csv, loaded(FileFormat::Json, rows)];
        let (csv, json) = (0, 1);
        for (table, condition, param, count) in [
            (csv, "stock >= ?", "5", None),
            (csv, "? BETWEEN 'a' AND stock", "5,5", None),
            (csv, "stock = ?", "10", Some(1)),
            (csv, "price >= 100 OR sku = ?", "A", None),
            (csv, "price <> ?", "9,00", Some(1)),
            (csv, "size < ?", "7", None),
            (csv, "zip >= ?", "10000", Some(1)),
            (csv, "zip >= 10000 AND sku <> ?", "x", Some(1)),
            (csv, "zip >= ?", "5", None),
            (csv, "zip = ?", "01067", Some(1)),
            (csv, "code < ?", "008", Some(1)),
            // Of what is worked out, SQLite makes a text beside a column of texts, and leaves texts alone beside a number.
            (csv, "price > CAST(? AS REAL)", "10", None),
            (csv, "price > ? * 1.1", "10", None),
            (csv, "price > 100 * 2 AND sku <> ?", "x", None),
            (csv, "price > (SELECT avg(stock) FROM data) AND sku <> ?", "x", None),
            (csv, "replace(price, ',', '.') > ?", "10", None),
            (csv, "trim(price) > ?", "10", None),
            (csv, "CAST(replace(price, ',', '.') AS REAL) > ?", "10", Some(1)),
            (csv, "zip > CAST(? AS INTEGER)", "5000", Some(1)),
            (csv, "zip > ? + 1", "5000", None),
            (csv, "trim(zip) >= ?", "10000", Some(1)),
            (csv, "trim(zip) >= 10000 AND sku <> ?", "x", None),
            // A range of prefixes.
            (csv, "zip >= '10' AND zip < '15' AND sku <> ?", "x", Some(1)),
            (csv, "price >= '10' AND sku <> ?", "x", None),
            (csv, "due < ?", "2026-11-30", Some(1)),
            (csv, "name < ?", "Az", Some(1)),
            (csv, "CAST(stock AS REAL) >= ?", "5", Some(1)),
            (csv, "price < size AND sku <> ?", "x", None),
            (csv, "price < code AND sku <> ?", "x", None),
            (csv, "replace(price, ',', '.') < size AND sku <> ?", "x", Some(1)),
            (csv, "name < sku AND sku <> ?", "x", Some(0)),
            (csv, "zip < code AND sku <> ?", "x", Some(0)),
            (json, "mixed >= n AND n <> ?", "0", None),
            (json, "even >= n AND n <> ?", "0", Some(2)),
            (json, "words >= ?", "5", None),
            (json, "words > CAST(? AS REAL)", "9.5", Some(1)),
            (json, "mixed >= ?", "5", None),
            (json, "mixed = ?", "10", Some(1)),
            (json, "even >= ?", "15", Some(1)),
            (json, "n >= ?", "9.5", Some(1)),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &[param]);
            let found = tables[table].ask(&asked, &limits()).map(|rows| rows.rows.len());
            let found = found.map_err(|error| error.cause);
            assert_eq!(found, count.ok_or(Cause::Refused), "{condition} {param}");
        }
    }

    #[test]
    fn numbers_that_are_texts_are_known_wherever_a_query_takes_them() {
        let mut table = loaded(
            FileFormat::Csv,
            "sku;stock;price;zip;due;qty\nA;10;12,50;01067;2026-11-10;7\nB;n/a;9,00;10115;2026-12-01;12\n",
        );
        let recursive = |condition: &str| {
            format!(
                "WITH RECURSIVE r(n, a, b) AS (SELECT 1, qty, price FROM data \
                 UNION ALL SELECT n + 1, b, a FROM r WHERE n < 3) SELECT 1 FROM r WHERE {condition}"
            )
        };
        let swapped = [recursive("a > ?"), recursive("n >= ?")];
        for (query, param, count) in [
            ("WITH p AS (SELECT price FROM data) SELECT 1 FROM p WHERE price > ?", "10", None),
            ("WITH p AS (SELECT * FROM data) SELECT 1 FROM p WHERE price > '10' AND sku <> ?", "x", None),
            (
                "WITH p AS (SELECT * FROM data) SELECT 1 FROM p WHERE due > '2026-11-11' AND sku <> ?",
                "x",
                Some(1),
            ),
            ("WITH p(a, b, c, d, e, f) AS (SELECT * FROM data) SELECT 1 FROM p WHERE c > ?", "10", None),
            ("WITH p(a, b, c, d, e, f) AS (SELECT * FROM data) SELECT 1 FROM p WHERE f > ?", "10", Some(1)),
            // Under the name of another column.
            ("SELECT 1 FROM (SELECT price AS qty FROM data) WHERE qty > ?", "10", None),
            ("SELECT 1 FROM (SELECT qty AS price FROM data) WHERE price > ?", "10", Some(1)),
            ("SELECT 1 FROM (SELECT CAST(stock AS REAL) AS stock FROM data) WHERE stock > ?", "5", Some(1)),
            (
                "SELECT 1 FROM (SELECT * FROM (SELECT d.price AS p FROM data d) AS x) AS y WHERE y.p >= ?",
                "5",
                None,
            ),
            (
                "WITH p AS (SELECT price AS v FROM data) \
                 SELECT 1 FROM (WITH p AS (SELECT qty AS v FROM data) SELECT v FROM p) WHERE v > ?",
                "10",
                Some(1),
            ),
            // Of several, any may be one.
            (
                "SELECT 1 FROM (SELECT qty AS n FROM data UNION ALL SELECT stock FROM data) WHERE n > ?",
                "5",
                None,
            ),
            (
                "SELECT 1 FROM (SELECT qty AS n FROM data EXCEPT SELECT stock FROM data) WHERE n > ?",
                "10",
                Some(1),
            ),
            (
                "SELECT 1 FROM data JOIN (SELECT sku, qty AS n FROM data) USING (sku) WHERE n > ?",
                "10",
                Some(1),
            ),
            ("SELECT 1 FROM data WHERE CASE WHEN sku = 'A' THEN price ELSE 0 END > ?", "10", None),
            ("SELECT 1 FROM data WHERE (price, 1) > (?, 1)", "10", None),
            // Of the query around it, and of one in the place of a value.
            ("SELECT 1 FROM data d WHERE EXISTS (SELECT 1 FROM data WHERE d.price > ?)", "10", None),
            ("SELECT 1 FROM data WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS one) WHERE price > ?)", "10", None),
            (
                "SELECT 1 FROM data WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS price) WHERE price > ?)",
                "0",
                Some(2),
            ),
            ("SELECT 1 FROM data WHERE (SELECT max(price) FROM data) > ?", "10", None),
            ("SELECT 1 FROM data WHERE (SELECT max(CAST(stock AS REAL)) FROM data) > ?", "9", Some(2)),
            // What it is compared with comes from elsewhere.
            ("WITH least AS (SELECT ? AS n) SELECT 1 FROM data, least WHERE price > n", "10", None),
            ("WITH least AS (SELECT ? AS n) SELECT 1 FROM data, least WHERE qty > n", "10", Some(1)),
            (
                "WITH p AS (SELECT ? AS n) SELECT 1 FROM p WHERE (SELECT count(*) FROM data) = p.n",
                "2",
                Some(1),
            ),
            (
                "WITH least(n) AS (VALUES ('10')) SELECT 1 FROM data, least WHERE stock > n AND sku <> ?",
                "x",
                None,
            ),
            // By letters, which is by number: but a number in the query is none of the texts.
            ("WITH p AS (SELECT zip FROM data) SELECT 1 FROM p WHERE zip >= ?", "10000", Some(1)),
            ("WITH p AS (SELECT zip FROM data) SELECT 1 FROM p WHERE zip >= ?", "5", None),
            ("SELECT 1 FROM data GROUP BY sku HAVING max(zip) >= '10000' AND sku <> ?", "x", Some(1)),
            ("SELECT 1 FROM data GROUP BY sku HAVING max(zip) >= 10000 AND sku <> ?", "x", None),
            // In one round it is in the one column, and in the next in the other.
            (swapped[0].as_str(), "10", None),
            (swapped[1].as_str(), "3", Some(2)),
        ] {
            let found = table.ask(&sql(query, &[param]), &limits()).map(|rows| rows.rows.len());
            let found = found.map_err(|error| error.cause);
            assert_eq!(found, count.ok_or(Cause::Refused), "{query} {param}");
        }
        let ahead =
            "WITH a AS (SELECT v FROM b), b AS (SELECT qty AS v FROM data) SELECT 1 FROM a WHERE v > ?";
        let refused = table.ask(&sql(ahead, &["10"]), &limits()).expect_err("is not followed");
        assert!(refused.message.ends_with("write CAST(v AS REAL) to take them for numbers"), "{refused}");
    }

    #[test]
    fn days_that_are_not_in_time_by_their_letters_are_not_ordered_by_them() {
        let mut table = loaded(
            FileFormat::Csv,
            "sku;due;paid;slashed;iso;named;late;note\n\
             A;10.11.2026;3/4/26;2026/11/10;2026-11-10;10-Nov-26;offen;Ann\n\
             B;02.12.2026;12/31/26 2:30 PM;2026/12/02;2026-12-02T08:00;2-Dec-26;offen;10.11.2026\n\
             C;n/a;;;;;01.02.2026;Bob\n",
        );
        for (column, order) in [
            ("due", Order::Days(Day::Otherwise)),
            ("paid", Order::Days(Day::Otherwise)),
            ("slashed", Order::Days(Day::YearFirst('/'))),
            ("iso", Order::Days(Day::ISO)),
            ("named", Order::Days(Day::Otherwise)),
            ("late", Order::Days(Day::Otherwise)),
            ("note", Order::AsItIs),
        ] {
            let found = table.columns.iter().find(|found| found.name == column).expect("a column");
            assert_eq!(found.order, order, "{column}");
        }
        let apart = "substr(due, 7, 4) || '-' || substr(due, 4, 2) || '-' || substr(due, 1, 2)";
        let apart = format!("due LIKE '__.__.____' AND {apart} < ?");
        for (condition, param, count) in [
            ("due < ?", "2026-11-30", None),
            ("due < ?", "30.11.2026", None),
            ("due < ?", "5", None),
            ("due BETWEEN ? AND '2026-12-31'", "2026-11-01", None),
            ("? BETWEEN due AND iso", "2026-11-30", None),
            ("due >= '01.11.2026' AND sku <> ?", "x", None),
            ("iso > due AND sku <> ?", "x", None),
            ("due < paid AND sku <> ?", "x", None),
            ("(sku, due) > (?, '1')", "A", None),
            ("trim(due) < ?", "2026-11-30", None),
            ("replace(due, '.', '-') < ?", "2026-11-30", None),
            ("coalesce(due, '') < ?", "2026-11-30", None),
            ("paid < ?", "2026-11-30", None),
            ("named < ?", "2026-11-30", None),
            ("late < ?", "2026-11-30", None),
            ("(SELECT max(due) FROM data) > ?", "2026-11-30", None),
            // SQLite makes nothing of such days, and of a cast the number 10.11.
            ("date(due) < ?", "2026-11-30", None),
            ("julianday(due) > 0 AND sku <> ?", "x", None),
            ("CAST(due AS DATE) < ?", "2026-11-30", None),
            ("date(slashed) < ?", "2026-11-30", None),
            // What is no order of them.
            ("due = ?", "10.11.2026", Some(1)),
            ("due IN (?, 'x')", "10.11.2026", Some(1)),
            ("due <> ?", "n/a", Some(2)),
            ("due LIKE ?", "%.2026", Some(2)),
            ("due > '' AND sku <> ?", "x", Some(3)),
            ("due > ?", "", Some(3)),
            (apart.as_str(), "2026-11-30", Some(1)),
            ("CAST(due AS TEXT) < ?", "03", Some(1)),
            // In time by their letters, beside their like.
            ("iso < ?", "2026-11-30", Some(1)),
            ("iso BETWEEN '2026-11' AND ?", "2026-12-31", Some(2)),
            ("date(iso) < ?", "2026-12-03", Some(2)),
            ("slashed < ?", "2026-11-30", None),
            ("slashed < date(?)", "2026-11-30", None),
            ("slashed < iso AND sku <> ?", "x", None),
            ("slashed < ?", "2026/11/30", Some(1)),
            ("slashed >= '2026/12' AND sku <> ?", "x", Some(1)),
            ("slashed >= (SELECT max(slashed) FROM data) AND sku <> ?", "x", Some(1)),
            ("replace(slashed, '/', '-') < ?", "2026-11-30", Some(1)),
            ("date(replace(slashed, '/', '-')) < ?", "2026-11-30", Some(1)),
            ("slashed < ?", "1/12/2026", None),
            ("slashed < trim(?)", "2026/11/30", Some(1)),
            ("slashed < strftime('%Y/%m/%d', ?)", "2026-11-30", Some(1)),
            ("slashed < strftime('%Y-%m-%d', ?)", "2026-11-30", None),
            ("slashed < CURRENT_DATE AND sku <> ?", "x", None),
            ("iso < ?", "offen", Some(2)),
            ("iso < trim(?)", "2026-11-30", Some(1)),
            // A name among names that is a day.
            ("note < ?", "Az", Some(2)),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &[param]);
            let found = table.ask(&asked, &limits()).map(|rows| rows.rows.len());
            let found = found.map_err(|error| error.cause);
            assert_eq!(found, count.ok_or(Cause::Refused), "{condition} {param}");
        }
        for (condition, words) in [
            (
                "due < ?",
                "the column due holds days, and by their letters they are not in time; in the file, they must be written \
                 such as 2026-12-31, as 2 of 2 are not, or the query must write them so: substr(due, 7, 4)",
            ),
            (
                "slashed < ?",
                "the column slashed holds days, and by their letters they are in time only beside others with / in them;",
            ),
            ("date(due) < ?", "the column due holds days, and the database does not read them;"),
            // It may be of any column.
            (
                "EXISTS (WITH a AS (SELECT v FROM b), b AS (SELECT iso AS v FROM data) SELECT 1 FROM a WHERE v < ?)",
                "the query orders by v, which cannot be followed",
            ),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &["2026-11-30"]);
            let refused = table.ask(&asked, &limits()).expect_err("is refused");
            assert!(refused.message.starts_with(words), "{refused}");
        }
        let asked = sql("SELECT 1 FROM data WHERE due < ?", &["2026-11-30"]);
        let refused = table.ask(&asked, &limits()).expect_err("is refused");
        assert!(refused.message.ends_with("; CAST(due AS TEXT) takes them as they are written"), "{refused}");
    }

    #[test]
    fn a_column_is_ordered_as_that_of_the_table_that_it_belongs_to() {
        let own = "id;customer;price;due;stock\n1;A;12.50;2026-11-10;7\n2;B;9.00;2026-12-02;12\n";
        let further = "id;price;due;number\nA;12,50;10.11.2026;1\nB;9,00;02.12.2026;2\n";
        let mut table = all_loaded(&[
            ("data", FileFormat::Csv, own.into()),
            ("customers", FileFormat::Csv, further.into()),
            ("unnamed", FileFormat::Csv, "x;due\n1;10.11.2026\n".into()),
        ])
        .expect("loads");
        let lost =
            "WITH a AS (SELECT v FROM b), b AS (SELECT due AS v FROM data) SELECT 1 FROM a WHERE v < ?";
        for (query, param, count) in [
            ("SELECT 1 FROM data WHERE price > ?", "10", Some(1)),
            ("SELECT 1 FROM customers WHERE price > ?", "10", None),
            ("SELECT 1 FROM data d JOIN customers c ON c.id = d.customer WHERE d.price > ?", "10", Some(1)),
            ("SELECT 1 FROM data d JOIN customers c ON c.id = d.customer WHERE c.price > ?", "10", None),
            (
                "SELECT 1 FROM customers c JOIN data d ON c.id = d.customer WHERE d.due < ?",
                "2026-11-30",
                Some(1),
            ),
            (
                "SELECT 1 FROM customers c JOIN data d ON c.id = d.customer WHERE c.due < ?",
                "2026-11-30",
                None,
            ),
            ("SELECT 1 FROM data d, customers c WHERE d.due < c.due AND c.id <> ?", "x", None),
            // By a name that one of them has.
            ("SELECT 1 FROM data, customers WHERE stock > ?", "10", Some(2)),
            ("SELECT 1 FROM data JOIN customers ON customer = customers.id WHERE number < ?", "2", Some(1)),
            ("SELECT 1 FROM data WHERE customer IN (SELECT id FROM customers WHERE price > ?)", "10", None),
            (
                "SELECT sum(c.price) FROM data d JOIN customers c ON c.id = d.customer WHERE d.id <> ?",
                "0",
                None,
            ),
            (
                "SELECT sum(d.price) FROM data d JOIN customers c ON c.id = d.customer WHERE d.id <> ?",
                "0",
                Some(1),
            ),
            ("SELECT c.* FROM data d, customers c WHERE d.id <> ? ORDER BY c.due", "0", None),
            ("SELECT c.* FROM data d, customers c WHERE d.id <> ? ORDER BY d.due", "0", Some(4)),
            ("WITH c AS (SELECT * FROM customers) SELECT 1 FROM data, c WHERE c.due < ?", "2026-11-30", None),
            // Of a table that the query does not name, no column is meant.
            (lost, "2026-11-30", Some(1)),
        ] {
            let found = table.ask(&sql(query, &[param]), &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{query}");
        }
        let lost = lost.replace("FROM data", "FROM unnamed");
        assert!(table.ask(&sql(&lost, &["2026-11-30"]), &limits()).is_err());
    }

    #[test]
    fn a_day_that_is_written_otherwise_than_those_of_iso_is_whose_it_is() {
        let mut table = loaded(FileFormat::Csv, "sku,iso\nA,2026-11-10\nB,2026-12-02\n");
        for (condition, param, cause) in [
            ("iso >= ?", "30.11.2026", Cause::Unfit),
            ("iso <= ?", "30.11.2026", Cause::Unfit),
            ("? BETWEEN '2026-01-01' AND iso", "11/30/2026 14:30", Cause::Unfit),
            ("iso <= '30.11.2026' AND sku <> ?", "x", Cause::Rule),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &[param]);
            let refused = table.ask(&asked, &limits()).expect_err("is refused");
            assert_eq!(refused.cause, cause, "{condition}: {refused}");
            assert!(refused.message.contains("is compared with the column iso, and"), "{refused}");
        }
        // Of these, 2026.
        let asked = sql("SELECT 1 FROM data WHERE CAST(iso AS DATE) < ?", &["2025-01-01"]);
        let refused = table.ask(&asked, &limits()).expect_err("is refused");
        assert!(refused.cause == Cause::Refused && refused.message.contains("write date(iso)"), "{refused}");
        let own = Request::Sql {
            query: "SELECT 1 FROM data WHERE iso >= ?".into(),
            params: vec!["30.11.2026".into()],
            from_message: vec![false],
        };
        assert_eq!(table.ask(&own, &limits()).expect_err("is refused").cause, Cause::Rule);
    }

    #[test]
    fn days_of_several_marks_may_be_written_alike_by_a_query() {
        let mut table = loaded(FileFormat::Csv, "sku,due\nA,2026/11/10\nB,2026-12-02\n");
        for (condition, count) in [
            ("due >= ?", None),
            ("replace(due, '/', '-') >= ?", Some(1)),
            ("date(replace(due, '/', '-')) >= ?", Some(1)),
            ("CASE WHEN due LIKE '____/%' THEN replace(due, '/', '-') ELSE due END >= ?", Some(1)),
            ("CASE WHEN due LIKE '____/%' THEN substr(due, 1, 4) || '-' ELSE due END >= ?", None),
            ("CASE WHEN due LIKE '____/%' THEN '' ELSE CAST(due AS TEXT) END >= ?", Some(1)),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &["2026-11-30"]);
            let found = table.ask(&asked, &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{condition}");
        }
        for (by, is_sorted) in [("due", false), ("replace(due, '/', '-')", true)] {
            let asked = sql(&format!("SELECT sku FROM data WHERE sku <> ? ORDER BY {by}"), &["x"]);
            assert_eq!(table.ask(&asked, &limits()).is_ok(), is_sorted, "{by}");
        }
    }

    #[test]
    fn no_number_is_made_of_what_sqlite_takes_for_another() {
        let mut table = loaded(
            FileFormat::Csv,
            "sku;sum;half;even;size;code;stock\nA;25.000,00;12,50;9,00;5 EUR;007;10\nB;900,00;7,25;12,00;12 EUR;12;n/a\n",
        );
        let plain = "SELECT 1 FROM data WHERE CAST(replace(replace(sum, '.', ''), ',', '.') AS REAL) >= 900";
        for (query, count) in [
            ("SELECT 1 FROM data WHERE CAST(sum AS REAL) >= 900", None),
            ("SELECT 1 FROM data WHERE CAST(sum AS INTEGER) >= 900", None),
            ("SELECT 1 FROM data WHERE CAST(sum AS NUMERIC) >= 900", None),
            ("SELECT total(sum) FROM data", None),
            ("SELECT avg(d.sum) FROM data d", None),
            ("SELECT sku FROM data GROUP BY sku HAVING sum(sum) > 900", None),
            ("SELECT sum(s) FROM (SELECT coalesce(sum, 0) AS s FROM data)", None),
            ("SELECT sum(CASE sku WHEN 'A' THEN sum ELSE 0 END) FROM data", None),
            ("SELECT sum * 2 FROM data", None),
            ("SELECT 1 FROM data WHERE (sum) + 0 >= 900", None),
            ("SELECT 1 FROM data WHERE -sum < 0", None),
            ("SELECT round(half) FROM data", None),
            // The whole number in it is the one that SQLite reads.
            ("SELECT 1 FROM data WHERE CAST(half AS INTEGER) >= 12", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(even AS REAL) >= 12", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(size AS REAL) >= 12", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(code AS INTEGER) >= 12", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(stock AS REAL) >= 5", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(sum AS TEXT) > '5'", Some(1)),
            ("SELECT count(sum), max(half), length(sum) FROM data", Some(1)),
            (plain, Some(2)),
        ] {
            let found = table.ask(&sql(query, &[]), &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{query}");
        }
        let refused = table.ask(&sql("SELECT sum(sum) FROM data", &[]), &limits()).expect_err("is refused");
        assert!(refused.message.contains("they must be numbers, written such as 1234.50"), "{refused}");
    }

    #[test]
    fn sums_of_two_columns_are_not_ordered_by_letters() {
        let mut table = loaded(
            FileFormat::Csv,
            "sku;paid;total;cash;opens;closes;low;high\nA;9,00;12,50;7;08,00;17,30;ORD-1001;ORD-2\n\
             B;100,00;20,00;8;09,30;18,00;ORD-9;ORD-1002\n",
        );
        for (condition, count) in [
            ("paid < total", None),
            ("total >= paid", None),
            ("paid > cash", None),
            ("cash > paid", None),
            ("CAST(paid AS REAL) > cash", Some(2)),
            ("replace(paid, ',', '.') > cash", Some(2)),
            // Letters are in the order of numbers of one shape, and of codes nobody knows the order.
            ("opens < closes", Some(2)),
            ("low < high", Some(1)),
        ] {
            let asked = sql(&format!("SELECT 1 FROM data WHERE {condition}"), &[]);
            let found = table.ask(&asked, &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{condition}");
        }
    }

    #[test]
    fn numbers_that_only_text_keeps_are_not_ordered_by_letters() {
        // Of the first, a number keeps no more than 1234567890.1234567.
        let mut table = loaded(
            FileFormat::Csv,
            "sku,paid,total,cash,even,code\nA,1234567890.1234568,20.5,7,1234567890.1234568,007\n\
             B,9.12,1234567890.1234568,8,1234567890.1234567,12\n\
             C,1234567890.1234567,1234567890.1234567,9,1234567890.1234567,010\n",
        );
        for (query, count) in [
            ("SELECT 1 FROM data WHERE paid < total", None),
            ("SELECT 1 FROM data WHERE total >= paid", None),
            ("SELECT 1 FROM data WHERE paid < code", None),
            ("SELECT max(total) FROM data", None),
            ("SELECT min(d.paid) FROM data d", None),
            ("SELECT sku FROM data ORDER BY total DESC LIMIT 1", None),
            ("SELECT sku, paid AS p FROM data ORDER BY p", None),
            ("SELECT rank() OVER (ORDER BY paid) FROM data", None),
            ("SELECT 1 FROM data WHERE CAST(paid AS REAL) < CAST(total AS REAL)", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(paid AS REAL) < total", Some(1)),
            ("SELECT 1 FROM data WHERE CAST(paid AS TEXT) < CAST(total AS TEXT)", Some(1)),
            ("SELECT max(CAST(total AS REAL)) FROM data", Some(1)),
            ("SELECT sku FROM data ORDER BY CAST(total AS REAL)", Some(3)),
            // Beside numbers, SQLite makes numbers of them.
            ("SELECT 1 FROM data WHERE paid > cash", Some(3)),
            ("SELECT 1 FROM data WHERE paid <> total", Some(2)),
            // By letters, which is by number; and codes, whose letters are what is asked for.
            ("SELECT max(even) FROM data", Some(1)),
            ("SELECT sku FROM data ORDER BY even", Some(3)),
            ("SELECT sku FROM data ORDER BY code", Some(3)),
        ] {
            let found = table.ask(&sql(query, &[]), &limits()).map(|rows| rows.rows.len());
            assert_eq!(found.map_err(|error| error.cause), count.ok_or(Cause::Refused), "{query}");
        }
        let refused = table.ask(&sql("SELECT max(total) FROM data", &[]), &limits()).expect_err("is refused");
        let words = "the column total holds numbers as texts, which are ordered by their letters; write CAST(total AS REAL)";
        assert!(refused.message.starts_with(words), "{refused}");
    }

    #[test]
    fn money_that_is_written_with_all_its_digits_is_a_number() {
        let mut table =
            loaded(FileFormat::Csv, "sku,price\nA,19.989999999999998\nB,9.1199999999999992\nC,100.5\n");
        for (query, param, rows) in [
            ("SELECT sku FROM data WHERE price > ?", "10", vec!["A", "C"]),
            ("SELECT sku FROM data WHERE price = ?", "19.99", vec!["A"]),
            ("SELECT sku FROM data WHERE sku <> ? ORDER BY price", "x", vec!["B", "A", "C"]),
        ] {
            let found = table.ask(&sql(query, &[param]), &limits()).expect("answers");
            let found: Vec<&str> = found.rows.iter().filter_map(|row| row[0].as_str()).collect();
            assert_eq!(found, rows, "{query}");
        }
    }

    #[test]
    fn rows_are_not_sorted_by_days_whose_letters_are_not_in_time() {
        let csv = loaded(
            FileFormat::Csv,
            "sku;due;slashed;iso;stock;price;id;phone;name\n\
             A;10.11.2026;2026/11/10;2026-11-10;10;12,50;CTR-2031;+49301234;Ann\n\
             B;02.12.2026;2026/12/02;2026-12-02;n/a;9,00;CTR-900;+4930123456;5 EUR\n\
             C;;;;9;;;;Bob\n",
        );
        let rows = r#"[{"sku": "A", "words": "10", "mixed": 10, "n": 10}, {"sku": "B", "words": "9", "mixed": "n/a", "n": 9}]"#;
        let mut tables = [csv, loaded(FileFormat::Json, rows)];
        let (csv, json) = (0, 1);
        for (table, column, is_sorted) in [
            (csv, "due", false),
            (csv, "slashed", true),
            (csv, "iso", true),
            // By letters is what was asked for, where it is no day.
            (csv, "stock", true),
            (csv, "price", true),
            (csv, "id", true),
            (csv, "phone", true),
            (csv, "sku", true),
            (csv, "name", true),
            (csv, "substr(due, 7, 4)", true),
            (json, "words", true),
            (json, "n", true),
            (json, "mixed", true),
        ] {
            for query in [
                format!("SELECT sku FROM data WHERE sku <> ? ORDER BY {column} DESC LIMIT 1"),
                format!("SELECT sku, {column} AS c FROM data WHERE sku <> ? ORDER BY c"),
                format!("SELECT {column} FROM data WHERE sku <> ? UNION SELECT sku FROM data ORDER BY 1"),
                format!("SELECT max({column}) FROM data WHERE sku <> ?"),
                format!("SELECT 1 FROM data WHERE sku <> ? GROUP BY sku HAVING min({column}) IS NULL"),
                format!("SELECT row_number() OVER (ORDER BY {column}) FROM data WHERE sku <> ?"),
            ] {
                let found = tables[table].ask(&sql(&query, &["x"]), &limits()).map(drop);
                let found = found.map_err(|error| error.cause);
                assert_eq!(found, if is_sorted { Ok(()) } else { Err(Cause::Refused) }, "{query}");
            }
        }
        for (query, is_sorted) in [
            // What has the name of such a column may be worked out of it.
            ("SELECT substr(due, 7, 4) AS due FROM data WHERE sku <> ? ORDER BY due DESC", true),
            (
                "SELECT sku FROM data WHERE '+49301234999' LIKE phone || '%' AND sku <> ? ORDER BY phone DESC LIMIT 1",
                true,
            ),
            ("SELECT sku FROM data WHERE sku <> ? ORDER BY length(stock), stock", true),
            // Another column that does not sort is no matter.
            ("SELECT * FROM data WHERE sku <> ? ORDER BY 1", true),
            ("SELECT * FROM data WHERE sku <> ? ORDER BY 2", false),
            ("SELECT *, sku FROM data WHERE sku <> ? ORDER BY 10", true),
            ("SELECT * FROM data WHERE sku <> ? UNION ALL SELECT * FROM data ORDER BY iso", true),
            ("SELECT * FROM data WHERE sku <> ? UNION ALL SELECT * FROM data ORDER BY due", false),
            // Nor is the order of rows that are all taken.
            ("SELECT 1 FROM data WHERE sku IN (SELECT sku FROM data WHERE sku <> ? ORDER BY due)", true),
            ("SELECT 1 FROM data WHERE EXISTS (SELECT 1 FROM data WHERE sku <> ? ORDER BY due)", true),
            (
                "SELECT 1 FROM data WHERE sku IN (SELECT sku FROM data WHERE sku <> ? ORDER BY due LIMIT 1)",
                false,
            ),
            ("SELECT 1 FROM data WHERE sku = (SELECT sku FROM data WHERE sku <> ? ORDER BY due)", false),
        ] {
            let found = tables[csv].ask(&sql(query, &["x"]), &limits()).map(drop);
            let found = found.map_err(|error| error.cause);
            assert_eq!(found, if is_sorted { Ok(()) } else { Err(Cause::Refused) }, "{query}");
        }
    }
}
