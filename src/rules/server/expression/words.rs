//! What the crate says, in the words of whoever writes expressions. Types have their names: by these they are made of one
//! another, as in `double(row.limit)`.

use cel::{ExecutionError, ParseErrors, Value};

use crate::server::text::shorten;

/// What is longer is cut. Unit: characters.
const LONGEST: usize = 300;

/// Why a text is no expression, and where: of its first fault alone. The parser goes on with the names of all that could stand
/// there.
pub fn of_text(error: &ParseErrors) -> String {
    let said = error.to_string();
    let first = said.lines().next().unwrap_or_default().replace("ERROR: <input>:", "at ");
    let first = first.replace("Syntax error: ", "");
    match first.split_once(" expecting ") {
        Some((found, _)) => found.replace("mismatched input '<EOF>'", "it ends too early"),
        None => first,
    }
}

/// Why an expression gives no answer, in words that go on after its name.
pub fn of_run(error: &ExecutionError) -> String {
    match error {
        ExecutionError::UndeclaredReference(name) => {
            format!("names '{}', which is not there", shorten(name, 80))
        }
        ExecutionError::NoSuchOverload(call) => {
            let types: Vec<String> = call.argument_types().iter().map(|name| kind(name)).collect();
            applied(call.function(), &types)
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let sign = match *operator {
                "add" => "+",
                "sub" => "-",
                "mul" => "*",
                "div" => "/",
                "rem" => "%",
                other => other,
            };
            applied(sign, &[kind_of(left), kind_of(right)])
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("compares {} with {}", kind_of(left), kind_of(right))
        }
        ExecutionError::UnexpectedType { got, want } => {
            format!("has {} where it needs {}", kind(got), kind(want))
        }
        // Their messages repeat what they were given, which may be a cell's.
        ExecutionError::FunctionError { function, .. } if function == "matches" => {
            "fails at 'matches': its pattern cannot be read, or is too large".to_owned()
        }
        ExecutionError::FunctionError { function, .. } => shorten(&format!("fails at '{function}'"), LONGEST),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "divides by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "comes to a number that is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "asks for an item that a list does not have".to_owned(),
        other => shorten(&format!("gives no answer: {other}"), LONGEST),
    }
}

/// The type of a value.
pub fn kind_of(value: &Value) -> String {
    kind(&value.type_of().to_string())
}

fn kind(name: &str) -> String {
    match name {
        "float" => "double".to_owned(),
        "null_type" => "null".to_owned(),
        other => other.trim_start_matches("google.protobuf.").to_lowercase(),
    }
}

fn applied(function: &str, types: &[String]) -> String {
    match (function, types) {
        ("_._" | "_[_]", [of, ..]) => format!("asks for a member of {of}, which has none such"),
        _ => {
            let (sign, types) = (function.trim_matches(['_', '@']), types.join(" and "));
            format!("applies '{sign}' to {types}, which it does not take")
        }
    }
}

#[cfg(test)]
mod tests {
    use cel::{Context, Program};

    use super::*;

    #[test]
    fn what_has_no_answer_is_told_in_plain_words() {
        for (text, words) in [
            ("1 + 'a' == 2", "applies '+' to int and string, which it does not take"),
            ("1 < 'a'", "applies '<' to int and string, which it does not take"),
            ("1 in 2", "applies 'in' to int and int, which it does not take"),
            ("'a'.contains(1)", "applies 'contains' to string and int, which it does not take"),
            ("size(null) == 0", "applies 'size' to null, which it does not take"),
            ("[1][2] == 1", "asks for an item that a list does not have"),
            ("'a'.b == 'c'", "asks for a member of string, which has none such"),
            ("1 / 0 == 1", "divides by zero"),
            ("9223372036854775807 + 1 > 0", "comes to a number that is too large"),
            ("a == 1", "names 'a', which is not there"),
            // Not what it was given, which may be a cell's.
            ("'a'.matches('(secret')", "fails at 'matches': its pattern cannot be read, or is too large"),
            ("int('secret') == 1", "fails at 'int'"),
        ] {
            let program = Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            let error = program.execute(&Context::default()).expect_err(text);
            assert_eq!(of_run(&error), words, "{text}: {error}");
        }
    }

    #[test]
    fn what_is_no_expression_is_told_where() {
        for (text, words) in
            [("{", "at 1:2: it ends too early"), ("(1", "at 1:3: "), ("a b", "at 1:3: extraneous input 'b'")]
        {
            let told = of_text(&Program::compile(text).expect_err(text));
            assert!(told.starts_with(words), "{text}: {told}");
            assert!(!told.contains("expecting") && !told.contains("IDENTIFIER"), "{text}: {told}");
        }
    }
}
