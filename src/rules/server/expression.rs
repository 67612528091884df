//! Expressions in the Common Expression Language (cel-spec) over `email`, `fields`, `row` and `rows`.
//!
//! The crate has no type checker, so an expression is checked when it is saved by its names, and by running it
//! once on sample values: whatever depends on the message alone shows its types there.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use cel::{Context, ExecutionError, Program, Value as Cel};
use regex::Regex;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use crate::{
    datasources::server::lookup::Rows,
    emails::server::fields::Fields,
    intents::dto::{Extractor, FieldType, MESSAGE_FIELDS, is_message_field},
};

/// What an expression can name.
const VARIABLES: [&str; 4] = ["email", "fields", "row", "rows"];
const MAX_LENGTH: usize = 4_000;
/// Loops over rows within loops cost the product of their lengths.
const MAX_LOOPS: usize = 3;

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
    program: Arc<Program>,
    looks_at_rows: bool,
}

/// Why an expression gave no true or false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It names something that is not there: a field that the message lacks, or a column.
    Missing(String),
    /// Types that do not go together, or a result that is neither true nor false.
    Type(String),
}

impl TryFrom<String> for Expression {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::compile(&text)
    }
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
        if LOOP.find_iter(text).count() > MAX_LOOPS {
            return Err(format!("must have at most {MAX_LOOPS} of all, exists, exists_one, map and filter"));
        }
        let program = Program::compile(text).map_err(|error| {
            let first =
                error.to_string().lines().next().unwrap_or_default().replace("ERROR: <input>:", "at ");
            format!("is no CEL expression: {first}")
        })?;
        let references = program.references();
        let bound: Vec<&str> =
            LOOP.captures_iter(text).filter_map(|found| Some(found.get(1)?.as_str())).collect();
        let is_known =
            |name: &&str| VARIABLES.contains(name) || bound.contains(name) || name.starts_with('@');
        if let Some(unknown) = references.variables().into_iter().find(|name| !is_known(name)) {
            return Err(format!("names '{unknown}'; there are {}", VARIABLES.join(", ")));
        }
        let looks_at_rows = references.has_variable("row") || references.has_variable("rows");
        Ok(Self { text: text.to_owned(), program: Arc::new(program), looks_at_rows })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it looks at the first row, which may not be there.
    pub fn needs_row(&self) -> bool {
        self.program.references().has_variable("row")
    }

    /// Whether a name in it is a field of the message.
    pub fn names_field(&self, name: &str) -> bool {
        [
            format!("fields.{name}"),
            format!("email.{name}"),
            format!("fields['{name}']"),
            format!("fields[\"{name}\"]"),
        ]
        .iter()
        .any(|written| self.text.contains(written.as_str()))
    }

    /// Runs it once on a message that has every field.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn check(&self, extractors: &[Extractor], looks_up: bool) -> Result<(), String> {
        if self.looks_at_rows && !looks_up {
            return Err("names rows, and nothing is looked up".into());
        }
        let mut fields = Fields::default();
        for name in MESSAGE_FIELDS {
            fields.set(name, "1");
        }
        for extractor in extractors {
            fields.set_typed(&extractor.name, extractor.kind.sample(), extractor.kind);
        }
        match self.run(&fields, &Rows::default()) {
            Ok(_) => Ok(()),
            // What a row holds is known only when there is one.
            Err(_) if self.looks_at_rows => Ok(()),
            Err(Fault::Missing(name)) if is_message_field(&name) => Ok(()),
            Err(Fault::Missing(name)) => Err(format!(
                "names '{name}', which is neither a field of a message nor an extractor of the intent"
            )),
            Err(Fault::Type(fault)) => Err(format!("cannot be worked out: {fault}")),
        }
    }

    /// Works it out.
    ///
    /// # Errors
    /// `Fault`.
    pub fn run(&self, fields: &Fields, rows: &Rows) -> Result<bool, Fault> {
        let mut context = Context::default();
        let field = |name: &str, value: &str| (name.to_owned(), typed(value, fields.kind(name)));
        let all: HashMap<String, Cel> = fields.iter().map(|(name, value)| field(name, value)).collect();
        let email: HashMap<String, Cel> = fields
            .iter()
            .filter(|(name, _)| is_message_field(name))
            .map(|(name, value)| field(name, value))
            .collect();
        context.add_variable_from_value("fields", all);
        context.add_variable_from_value("email", email);
        if self.looks_at_rows {
            let object = |row: &Vec<Value>| -> Cel {
                let members: HashMap<String, Cel> =
                    rows.columns.iter().cloned().zip(row.iter().map(cel)).collect();
                members.into()
            };
            let list: Vec<Cel> = rows.rows.iter().map(object).collect();
            context.add_variable_from_value("row", list.first().cloned().unwrap_or(Cel::Null));
            context.add_variable_from_value("rows", list);
        }
        match self.program.execute(&context) {
            Ok(Cel::Bool(result)) => Ok(result),
            Ok(other) => {
                Err(Fault::Type(format!("it gives a {}, and neither true nor false", other.type_of())))
            }
            Err(ExecutionError::NoSuchKey(name)) => Err(Fault::Missing(name.to_string())),
            Err(error) => {
                let words: String = error.to_string().chars().take(300).collect();
                Err(Fault::Type(words))
            }
        }
    }
}

/// A field of the message in its type.
fn typed(value: &str, kind: FieldType) -> Cel {
    use crate::rules::server::values;
    let real = |decimal: rust_decimal::Decimal| decimal.to_f64().map_or(Cel::Null, Cel::Float);
    match kind {
        FieldType::Text => value.into(),
        FieldType::Number => values::number(value).map_or_else(|| value.into(), real),
        FieldType::Date => match values::date(value, chrono::Utc::now()) {
            Some(moment) => Cel::Timestamp(moment.at.and_utc().fixed_offset()),
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

fn cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Cel::Int(integer),
            (None, Some(real)) => Cel::Float(real),
            (None, None) => Cel::Null,
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
            truncated: false,
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

    proptest! {
        #[test]
        fn any_text_compiles_or_is_refused(text in "[a-z0-9().'\\[\\]{}+*/<>=!&|?:, \"-]{0,60}") {
            if let Ok(expression) = Expression::compile(&text) {
                let _ = expression.run(&fields(), &Rows::default());
            }
        }
    }
}
