//! Expressions in the Common Expression Language (cel-spec) over `email`, `fields`, `row` and `rows`.
//!
//! The crate has no type checker, so an expression is checked when it is saved by its names, by the functions that it calls
//! (`calls`), and by running it once on sample values: whatever depends on the message alone shows its types there. Nor does
//! it bound what an expression takes: `meter` does.

mod calls;
mod meter;
mod tree;
mod words;

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use calls::Miscall;
use cel::{Context, ExecutionError, IdedExpr, Program, Value as Cel};
use regex::Regex;
use serde_json::Value;

use crate::{
    datasources::server::lookup::Rows,
    emails::server::fields::{self, Fields},
    intents::dto::{Extractor, FieldType, MESSAGE_FIELDS, is_field, is_message_field},
};

/// What an expression can name.
const VARIABLES: [&str; 4] = ["email", "fields", "row", "rows"];
const MAX_LENGTH: usize = 4_000;
/// Loops over rows within loops cost the product of their lengths.
const MAX_LOOPS: usize = 3;
/// Levels of an expression. A sum takes one for each term.
const MAX_DEPTH: usize = 200;
/// What a chain such as `1+1+…` needs, each term of which is a level to the parser. Unit: bytes, of address space.
const STACK: usize = 64 << 20;
/// What one may take while it is saved: who saves it waits, with a transaction open.
const PATIENCE: Duration = Duration::from_secs(2);

/// As `received_at` is written.
const SAMPLE_MOMENT: &str = "2026-01-31T12:00:00Z";
/// Functions that make another type of a value, if it says one.
const CONVERSIONS: [&str; 4] = ["double", "int", "timestamp", "uint"];

/// A loop over a list, and the name that it gives to each of its items.
static LOOP: LazyLock<Regex> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant, which the tests compile")]
    Regex::new(r"\.\s*(?:all|exists|exists_one|existsOne|map|filter)\s*\(\s*(\w*)").expect("a pattern")
});

/// A compiled expression.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Expression {
    text: String,
    /// With the charges of `meter` in it.
    tree: Arc<IdedExpr>,
    names: tree::Names,
    /// Refused where it is saved. What was stored before goes on: not every message gets there.
    miscall: Option<Miscall>,
    /// At most, of loops over what is written in it.
    steps: u64,
    /// Whether it makes another type of a text that is written there and does not say one.
    converts_in_vain: bool,
    needs_row: bool,
    needs_all_rows: bool,
}

/// Why an expression gave no true or false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It names something that is not there: a field that the message lacks, or a column.
    Missing(String),
    /// Types that do not go together, or a result that is neither true nor false: a sentence that goes on after its name.
    Type(String),
    /// A value cannot be made another type: a sentence as well.
    Unconvertible(String),
    /// It takes more steps, memory or time than one may: a sentence as well.
    Costly(String),
    /// There was nothing to work it out on, which is no fault of its own: a sentence as well.
    Unstarted(String),
}

impl TryFrom<String> for Expression {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::compile(&text)
    }
}

/// Runs it on a stack of its own: the parser and the crate go down a level of the expression at each call, and who runs
/// out of stack takes the whole server along.
///
/// # Errors
/// There is no thread to be had.
fn on_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("cannot be worked out now: {error}"))?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

impl Expression {
    /// Compiles, and checks the names.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn compile(text: &str) -> Result<Self, String> {
        if text.len() > MAX_LENGTH {
            return Err(format!("must have at most {MAX_LENGTH} bytes"));
        }
        // As fields are composed, which its texts are held against.
        let text = &*fields::composed(text);
        if LOOP.find_iter(text).count() > MAX_LOOPS {
            return Err(format!("must have at most {MAX_LOOPS} of all, exists, exists_one, map and filter"));
        }
        on_deep_stack(|| Self::parse(text))?
    }

    fn parse(text: &str) -> Result<Self, String> {
        let program = Program::compile(text)
            .map_err(|error| format!("is no CEL expression: {}", words::of_text(&error)))?;
        if tree::depth(program.expression()) > MAX_DEPTH {
            return Err(format!("must have at most {MAX_DEPTH} levels within one another, sums included"));
        }
        let references = program.references();
        let bound: Vec<&str> =
            LOOP.captures_iter(text).filter_map(|found| Some(found.get(1)?.as_str())).collect();
        let is_known =
            |name: &&str| VARIABLES.contains(name) || bound.contains(name) || name.starts_with('@');
        if let Some(unknown) = references.variables().into_iter().find(|name| !is_known(name)) {
            return Err(format!("names '{unknown}'; there are {}", VARIABLES.join(", ")));
        }
        let needs_row = references.has_variable("row");
        let mut tree = program.expression().clone();
        tree::fence(&mut tree);
        Ok(Self {
            text: text.to_owned(),
            tree: Arc::new(tree),
            names: tree::names(program.expression()),
            miscall: calls::first_wrong(program.expression()),
            steps: tree::steps(program.expression()),
            converts_in_vain: tree::converts_in_vain(program.expression()),
            needs_row,
            needs_all_rows: references.has_variable("rows"),
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it looks at the first row, which may not be there.
    pub fn needs_row(&self) -> bool {
        self.needs_row
    }

    /// Whether it looks at all rows, which may be more than were read.
    pub fn needs_all_rows(&self) -> bool {
        self.needs_all_rows
    }

    fn looks_at_rows(&self) -> bool {
        self.needs_row || self.needs_all_rows
    }

    /// Every field that it names as one of `fields`.
    pub fn fields(&self) -> &[String] {
        &self.names.fields
    }

    /// Every field that it names, as one of `fields` or of `email`.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.names.fields.iter().chain(&self.names.email).map(String::as_str)
    }

    /// Whether it looks for this one among `fields`.
    pub fn looks_for(&self, name: &str) -> bool {
        self.names.looks_through || self.names.asked.iter().any(|asked| asked == name)
    }

    /// Whether a name in it is a field of the message.
    pub fn names_field(&self, name: &str) -> bool {
        self.named().any(|named| named == name)
    }

    /// What of it gives no answer whatever a message says, in words that go on after its name.
    pub fn miscall(&self) -> Option<&str> {
        self.miscall.as_ref().map(|miscall| miscall.words.as_str())
    }

    /// Checks its names, and runs it once on a message that has every field.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn check(&self, extractors: &[Extractor], looks_up: bool) -> Result<(), String> {
        if self.looks_at_rows() && !looks_up {
            return Err("names rows, and nothing is looked up".into());
        }
        let unknown = |name: &str| {
            format!("names '{name}', which is neither a field of a message nor an extractor of the intent")
        };
        if let Some(name) = self.names.fields.iter().find(|name| !is_field(extractors, name)) {
            return Err(unknown(name));
        }
        if let Some(name) = self.names.email.iter().find(|name| !is_message_field(name)) {
            return Err(format!("names 'email.{name}', which is not a field of a message"));
        }
        self.check_itself()?;
        // What a text can be made depends on what it says.
        let texts = [FieldType::Text.sample(), "1", SAMPLE_MOMENT];
        let mut ran = Ok(true);
        for text in texts {
            ran = self.run(&sample(extractors, text), &Rows::default());
            if !matches!(ran, Err(Fault::Unconvertible(_))) {
                break;
            }
        }
        match ran {
            Err(Fault::Unconvertible(fault)) if self.converts_in_vain => Err(fault),
            Ok(_) | Err(Fault::Unconvertible(_)) => Ok(()),
            Err(Fault::Costly(fault) | Fault::Unstarted(fault)) => Err(fault),
            // What a row holds is known only when there is one.
            Err(_) if self.looks_at_rows() => Ok(()),
            Err(Fault::Missing(name)) if is_message_field(&name) => Ok(()),
            Err(Fault::Missing(name)) => Err(unknown(&name)),
            Err(Fault::Type(fault)) => Err(fault),
        }
    }

    /// Checks what is the same for each message: the functions that it calls, and the loops over what is written in it.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn check_itself(&self) -> Result<(), String> {
        match &self.miscall {
            Some(miscall) => Err(miscall.advice()),
            None if self.steps > meter::MAX_STEPS => Err(meter::too_many_steps()),
            None => Ok(()),
        }
    }

    /// Works it out, as long as that takes while it is saved.
    ///
    /// # Errors
    /// `Fault`.
    pub fn run(&self, fields: &Fields, rows: &Rows) -> Result<bool, Fault> {
        self.run_within(fields, rows, PATIENCE)
    }

    /// Works it out, and takes no longer than `patience`.
    ///
    /// # Errors
    /// `Fault`.
    pub fn run_within(&self, fields: &Fields, rows: &Rows, patience: Duration) -> Result<bool, Fault> {
        on_deep_stack(|| self.work_out(fields, rows, patience)).map_err(Fault::Unstarted)?
    }

    fn work_out(&self, fields: &Fields, rows: &Rows, patience: Duration) -> Result<bool, Fault> {
        let mut context = Context::default();
        let now = fields.as_of();
        let field = |name: &str, value: &str| {
            (name.to_owned(), typed(fields::one_value(name, value), fields.kind(name), now))
        };
        // One of several values is not given by a name that is worked out, either: it would be one that the sender added.
        let is_given = |name: &str, searches: bool| searches || fields.several(name).is_none();
        let all: HashMap<String, Cel> = fields
            .iter()
            .filter(|(name, _)| is_given(name, self.names.searches_fields()))
            .map(|(name, value)| field(name, value))
            .collect();
        let email: HashMap<String, Cel> = fields
            .iter()
            .filter(|(name, _)| is_message_field(name) && is_given(name, self.names.searches_email))
            .map(|(name, value)| field(name, value))
            .collect();
        context.add_variable_from_value("fields", all);
        context.add_variable_from_value("email", email);
        if self.looks_at_rows() {
            let list = listed(rows);
            context.add_variable_from_value("row", list.first().cloned().unwrap_or(Cel::Null));
            context.add_variable_from_value("rows", list);
        }
        let meter = Arc::new(meter::Meter::new(patience));
        for (name, function) in meter::functions(&meter) {
            context
                .add_function::<meter::Function, meter::Function>(name, function)
                .map_err(|error| Fault::Type(format!("gives no answer: {error}")))?;
        }
        let result = Cel::resolve(&self.tree, &context);
        if let Some(fault) = meter.fault() {
            return Err(Fault::Costly(fault.to_owned()));
        }
        match result {
            Ok(Cel::Bool(result)) => Ok(result),
            Ok(other) => {
                Err(Fault::Type(format!("gives {}, and neither true nor false", words::kind_of(&other))))
            }
            Err(ExecutionError::NoSuchKey(name)) => Err(Fault::Missing(name.to_string())),
            Err(error) if converts(&error) => Err(Fault::Unconvertible(words::of_run(&error))),
            Err(error) => Err(Fault::Type(words::of_run(&error))),
        }
    }
}

/// A message that has every field, and those of which nothing else is known say `text`.
fn sample(extractors: &[Extractor], text: &str) -> Fields {
    let mut fields = Fields::default();
    for name in MESSAGE_FIELDS {
        fields.set(name, if name == "received_at" { SAMPLE_MOMENT } else { "1" });
    }
    for extractor in extractors {
        let value = if extractor.kind == FieldType::Text { text } else { extractor.kind.sample() };
        fields.set_typed(&extractor.name, value, extractor.kind);
    }
    fields
}

/// Whether it is a value that cannot be made what a function makes of it.
fn converts(error: &ExecutionError) -> bool {
    matches!(error, ExecutionError::FunctionError { function, .. } if CONVERSIONS.contains(&function.as_str()))
}

/// Each row as its cells by the names of their columns.
fn listed(rows: &Rows) -> Vec<Cel> {
    let object = |(place, row): (usize, &Vec<Value>)| -> Cel {
        let cells = row.iter().enumerate().map(|(column, value)| match value {
            // There are no decimals in CEL.
            Value::String(text) if rows.decimals.contains(&(place, column)) => double(text),
            other => cel(other),
        });
        let members: HashMap<String, Cel> = rows.columns.iter().cloned().zip(cells).collect();
        members.into()
    };
    rows.rows.iter().enumerate().map(object).collect()
}

/// A field of the message in its type.
fn typed(value: &str, kind: FieldType, now: chrono::DateTime<chrono::Utc>) -> Cel {
    use crate::rules::server::values;
    let real = |decimal: rust_decimal::Decimal| double(&decimal.to_string());
    match kind {
        FieldType::Text => value.into(),
        FieldType::Number => values::number(value).map_or_else(|| value.into(), real),
        FieldType::Date => match values::date(value, now) {
            Some(moment) => Cel::Timestamp(moment.at.to_utc().fixed_offset()),
            None => value.into(),
        },
        FieldType::Money => match values::money(value) {
            Some(money) => {
                let currency = money.currency.map_or(Cel::Null, |currency| currency.as_str().into());
                HashMap::from([("amount", real(money.amount)), ("currency", currency)]).into()
            }
            None => value.into(),
        },
    }
}

/// The double that is nearest to a decimal, as one that is written in an expression is.
fn double(decimal: &str) -> Cel {
    decimal.parse().map_or(Cel::Null, Cel::Float)
}

fn cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(integer), ..) => Cel::Int(integer),
            (None, Some(integer), _) => Cel::UInt(integer),
            (None, None, Some(real)) => Cel::Float(real),
            (None, None, None) => Cel::Null,
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(cel).collect::<Vec<_>>().into(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), cel(value))).collect::<HashMap<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn extractors() -> Vec<Extractor> {
        [("total", FieldType::Money), ("placed", FieldType::Date), ("qty", FieldType::Number)]
            .into_iter()
            .map(|(name, kind)| Extractor {
                name: name.into(),
                field: "body".into(),
                pattern: "(x)".into(),
                kind,
                unique: false,
            })
            .collect()
    }

    fn fields() -> Fields {
        let mut fields = Fields::default();
        fields.set("sender_email", "ann@x.example");
        fields.set("header.x-list", "a");
        fields.set_typed("total", "1200.50 EUR", FieldType::Money);
        fields.set_typed("placed", "2026-11-10", FieldType::Date);
        fields.set_typed("qty", "3", FieldType::Number);
        fields
    }

    #[test]
    fn an_expression_sees_the_message_and_the_rows() {
        let rows = Rows {
            columns: vec!["status".into(), "limit".into()],
            rows: vec![vec![json!("active"), json!(1_500)], vec![json!("closed"), json!(10.5)]],
            ..Rows::default()
        };
        for (text, result) in [
            ("fields.total.amount <= 1500.0 && fields.total.currency == 'EUR'", true),
            ("fields.total.amount < row.limit", true),
            ("fields.qty > 2", true),
            ("fields.qty * 2.0 == 6.0", true),
            ("rows.exists(r, r.status == 'closed' && r.limit > 10)", true),
            ("size(rows) == 2 && row.status == 'active'", true),
            ("email.sender_email.endsWith('@x.example')", true),
            ("has(fields.order) ? fields.order == 'x' : true", true),
            ("fields['header.x-list'] == 'b'", false),
            ("fields.placed > timestamp('2026-11-01T00:00:00Z')", true),
            ("email.sender_email.matches('^bob@')", false),
        ] {
            let expression = Expression::compile(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(expression.run(&fields(), &rows), Ok(result), "{text}");
        }
        let missing = Expression::compile("fields.order == 'x'").expect("compiles");
        assert_eq!(missing.run(&fields(), &rows), Err(Fault::Missing("order".into())));
    }

    #[test]
    fn every_number_of_a_row_is_one() {
        let rows = Rows {
            columns: ["used", "allowed", "n", "id", "text"].map(str::to_owned).to_vec(),
            rows: vec![vec![
                json!("9.3333333333333333"),
                json!("10.3333333333333333"),
                json!("12345678901.123456"),
                json!(u64::MAX),
                json!("10.3333333333333333"),
            ]],
            decimals: [(0, 0), (0, 1), (0, 2)].into(),
            ..Rows::default()
        };
        let mut message = fields();
        message.set_typed("sum", "12345678901.123456", FieldType::Number);
        for (text, result) in [
            ("row.used <= row.allowed", true),
            ("row.used > 9.3 && row.used < 10", true),
            ("row.n == 12345678901.123456", true),
            ("row.n == fields.sum", true),
            ("row.id == 18446744073709551615u", true),
            ("row.id == 18446744073709551614u", false),
            ("row.id > 9223372036854775807 && row.id > 1.5", true),
            ("row.text == '10.3333333333333333'", true),
            ("rows.exists(r, r.used < r.allowed)", true),
        ] {
            let expression = Expression::compile(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
            assert_eq!(expression.run(&message, &rows), Ok(result), "{text}");
        }
    }

    #[test]
    fn names_and_types_are_checked_before() {
        let check = |text: &str, looks_up| {
            Expression::compile(text).and_then(|expression| expression.check(&extractors(), looks_up))
        };
        for good in ["fields.qty > 2", "fields.total.amount > 1.0", "has(fields.qty)", "email.subject != ''"]
        {
            assert_eq!(check(good, false), Ok(()), "{good}");
        }
        assert_eq!(check("row.a == 'b'", true), Ok(()));
        for bad in [
            "",
            "1 +",
            "qty > 2",
            "fields.qty + 1",
            "fields.order == 'x'",
            "email.subject > 5",
            "'a'",
            "fields.total > 5",
            "row.a == 'b'",
            "unknown(fields.qty)",
            "true && 1",
            "rows.all(a, rows.all(b, rows.all(c, rows.all(d, true))))",
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_calls_no_function_is_refused_and_runs_where_it_is_stored() {
        let rows =
            Rows { columns: vec!["status".into()], rows: vec![vec![json!("active")]], ..Rows::default() };
        for (text, words, result) in [
            ("foo(row.status)", "calls 'foo', which is no function; there are all, bool, bytes, ", None),
            ("row.status == 'active' || foo(row.status)", "calls 'foo', which is no function; ", Some(true)),
            ("row.status.size('x') > 1", "calls 'size' with 1 argument, and it takes none", None),
        ] {
            let expression = Expression::compile(text).expect("compiles");
            let refused = expression.check(&extractors(), true).expect_err(text);
            assert!(refused.starts_with(words), "{text}: {refused}");
            assert_eq!(expression.check_itself(), Err(refused), "{text}");
            let ran = expression.run(&fields(), &rows);
            assert_eq!(ran.as_ref().ok(), result.as_ref(), "{text}: {ran:?}");
        }
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        let check = |text: &str| {
            Expression::compile(text).and_then(|expression| expression.check(&extractors(), true))
        };
        for good in [
            "fields.total.amount <= row.limit",
            "rows.exists(r, r.name == fields['header.X-List'] && r.qty == fields.qty)",
            "has(email.subject) || row.a == 'b'",
            // These are rows', called as the message's are.
            "rows.all(fields, fields.typo == 'x') && rows.map(email, email.typo).size() == 0",
            "row.typo == 'fields.typo'",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let unknown = "which is neither a field of a message nor an extractor of the intent";
        for (bad, name) in [
            ("fields.totl.amount <= row.limit", "totl"),
            ("fields.qty > 0 || fields.typo == 'x'", "typo"),
            ("row.a == 'b' || fields['typo'] == 'x'", "typo"),
            ("row.a == 'b' && has(fields.typo)", "typo"),
            ("rows.exists(r, r.a == fields.typo)", "typo"),
            ("rows.filter(r, r.a == fields.typo).size() > 0", "typo"),
            ("[row.a].map(fields, fields)[0] == {'a': [fields.typo]}['a'][0]", "typo"),
            ("row.a == 'b' || fields.Subject == 'x'", "Subject"),
        ] {
            assert_eq!(check(bad), Err(format!("names '{name}', {unknown}")), "{bad}");
        }
        for bad in ["row.a == email.totl", "row.a == email['total']"] {
            assert!(check(bad).is_err_and(|fault| fault.contains("not a field of a message")), "{bad}");
        }
        let expression = Expression::compile("fields['header.X-List'] == email.subject").expect("compiles");
        assert_eq!(expression.fields(), ["header.x-list"]);
        assert!(expression.names_field("subject") && !expression.names_field("sub"));
        let is_listed = Expression::compile("fields['header.X-List'] == 'a'").expect("compiles");
        assert_eq!(is_listed.run(&fields(), &Rows::default()), Ok(true));
    }

    #[test]
    fn what_takes_too_much_is_refused_and_is_no_verdict() {
        let list = |count: usize| vec!["1"; count].join(",");
        let check = |text: &str, looks_up| {
            Expression::compile(text).and_then(|expression| expression.check(&extractors(), looks_up))
        };
        let long = list(600);
        let loops = format!("[{long}].all(a, [{long}].all(b, [{long}].all(c, true)))");
        for before in ["", "fields.qty > 100.0 && ", "row.a == 'b' && "] {
            let dear = format!("{before}{loops}");
            assert!(check(&dear, true).is_err_and(|fault| fault.contains("steps")), "refused at save");
        }
        let body = "x".repeat(1 << 20);
        let mut message = fields();
        message.set("body", &body);
        let rows = |cell: Value, count: usize| Rows {
            columns: vec!["cell".into()],
            rows: vec![vec![cell]; count],
            ..Rows::default()
        };
        let bodies = ["fields.body"; 100].join("+");
        // Counts in each turn, and is not reached.
        let pad = format!("[{}].size() > 0", list(200));
        let numbers = || rows(json!(vec![1; 5_000]), 1);
        for (text, rows, limit) in [
            (
                format!("row.cell.all(a, row.cell.all(b, row.cell.all(c, c == 1 || {pad})))"),
                numbers(),
                "steps",
            ),
            // An error beside `true` is passed over, this one is not.
            (
                format!(
                    "row.cell.exists(a, row.cell.exists(b, row.cell.exists(c, c == 2 && {pad}))) || true"
                ),
                numbers(),
                "steps",
            ),
            // Each turn copies its item.
            (
                "rows.all(a, rows.all(b, rows.all(c, true)))".to_owned(),
                rows(json!(vec![1; 100]), 100),
                "steps",
            ),
            (
                "row.cell.map(a, row.cell).map(a, a.size() == row.cell.size()).size() > 0".to_owned(),
                numbers(),
                "MiB",
            ),
            (format!("[{}].map(x, {bodies}).size() > 0", list(1_000)), Rows::default(), "MiB"),
            (format!("[{}].map(x, fields.body).size() > 0", list(1_000)), Rows::default(), "MiB"),
            (format!("[{}].size() > 0", ["fields.body"; 100].join(",")), Rows::default(), "MiB"),
            (format!("{bodies} == ''"), Rows::default(), "MiB"),
            (
                "(fields.body + fields.body + 'x').matches('y')".to_owned(),
                Rows::default(),
                "a text of more than 2 MiB",
            ),
        ] {
            let expression = Expression::compile(&text).expect("compiles");
            match expression.run_within(&message, &rows, Duration::from_secs(60)) {
                Err(Fault::Costly(fault)) => assert!(fault.contains(limit), "{limit}: {fault}"),
                other => panic!("{limit} {}: {other:?}", &text[..text.len().min(100)]),
            }
        }
        let slow = Expression::compile("rows.exists(a, a.cell == 'y')").expect("compiles");
        let late = slow.run_within(&message, &rows(json!("x"), 100), Duration::ZERO);
        assert_eq!(late, Err(Fault::Costly("takes too long".into())));
        // What people write stays within the limits.
        for (text, result) in [
            ("rows.all(a, rows.exists(b, b.cell == a.cell && fields.qty > 1.0))", true),
            ("rows.exists_one(a, a.cell == 'y') || rows.filter(a, a.cell == 'x').size() == 100", true),
            ("rows.map(a, a.cell == 'x', a.cell + '!').all(b, b == 'x!')", true),
            ("(fields.body + email.sender_email).endsWith('ann@x.example')", true),
            ("fields.body.matches('x{5}') && !email.sender_email.matches('(bob|eve)@')", true),
            ("(fields.body + fields.body).matches('x$')", true),
        ] {
            let expression = Expression::compile(text).expect("compiles");
            assert_eq!(expression.run(&message, &rows(json!("x"), 100)), Ok(result), "{text}");
        }
    }

    #[test]
    fn a_pattern_sees_all_of_a_field() {
        let mut message = fields();
        message.set("body", &format!("{}the end", "many words ".repeat(90_000)));
        let expression = Expression::compile("fields.body.matches('the end$')").expect("compiles");
        let found = expression.run_within(&message, &Rows::default(), Duration::from_secs(60));
        assert_eq!(found, Ok(true));
    }

    #[test]
    fn what_lies_deep_is_refused_and_takes_nothing_along() {
        for deep in ["1".to_owned() + &"+1".repeat(1_990) + " > 1", "row".to_owned() + &".a".repeat(1_990)] {
            assert!(Expression::compile(&deep).is_err_and(|fault| fault.contains("levels")));
        }
        let sum = "1".to_owned() + &"+1".repeat(80) + " == 81";
        let expression = Expression::compile(&sum).expect("compiles");
        assert_eq!(expression.run(&fields(), &Rows::default()), Ok(true));
        for pattern in ["(a{1000}){1000}", "("] {
            let text = format!("email.sender_email.matches('{pattern}')");
            let expression = Expression::compile(&text).expect("compiles");
            assert!(matches!(expression.run(&fields(), &Rows::default()), Err(Fault::Type(_))), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn any_text_compiles_or_is_refused(text in "[a-z0-9().'\\[\\]{}+*/<>=!&|?:, \"-]{0,60}") {
            if let Ok(expression) = Expression::compile(&text) {
                let _ = expression.run(&fields(), &Rows::default());
            }
        }
    }
}
