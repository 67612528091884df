//! The functions that an expression can call. The crate tells what it does not know only when it gets there, for each
//! message anew.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr},
};

use super::tree;
use crate::server::text::shorten;

/// By name: how many arguments each takes where it stands alone, as in `size(rows)`, and where it is called on a value, as in
/// `rows.size()`.
type Function = (&'static str, &'static [usize], &'static [usize]);

/// The crate's, macros among them: those that stand in a tree as calls have arguments that they do not take. Of its optional
/// values there are none: nothing that can be written makes one.
const FUNCTIONS: [Function; 32] = [
    ("all", &[], &[2]),
    ("bool", &[1], &[]),
    ("bytes", &[1], &[]),
    ("contains", &[], &[1]),
    ("double", &[1], &[]),
    ("duration", &[1], &[]),
    ("dyn", &[1], &[]),
    ("endsWith", &[], &[1]),
    ("exists", &[], &[2]),
    ("existsOne", &[], &[2]),
    ("exists_one", &[], &[2]),
    ("filter", &[], &[2]),
    ("getDate", &[], &[0, 1]),
    ("getDayOfMonth", &[], &[0, 1]),
    ("getDayOfWeek", &[], &[0, 1]),
    ("getDayOfYear", &[], &[0, 1]),
    ("getFullYear", &[], &[0, 1]),
    ("getHours", &[], &[0, 1]),
    ("getMilliseconds", &[], &[0, 1]),
    ("getMinutes", &[], &[0, 1]),
    ("getMonth", &[], &[0, 1]),
    ("getSeconds", &[], &[0, 1]),
    ("has", &[1], &[]),
    ("int", &[1], &[]),
    ("map", &[], &[2, 3]),
    ("matches", &[2], &[1]),
    ("size", &[1], &[0]),
    ("startsWith", &[], &[1]),
    ("string", &[1], &[]),
    ("timestamp", &[1], &[]),
    ("type", &[1], &[]),
    ("uint", &[1], &[]),
];

/// A call that gives no answer, whatever the message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miscall {
    /// In words that go on after the expression's name.
    pub words: String,
    /// Whether there is no function of this name.
    is_unknown: bool,
}

impl Miscall {
    /// For whoever writes the expression: where there is no such function, those that there are go along.
    pub fn advice(&self) -> String {
        if self.is_unknown {
            let names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
            format!("{}; there are {}", self.words, names.join(", "))
        } else {
            self.words.clone()
        }
    }
}

/// The first call that cannot be made; those within macros too. It is to be called before the tree is fenced.
pub fn first_wrong(expr: &IdedExpr) -> Option<Miscall> {
    let own = match &expr.expr {
        Expr::Call(call) => wrong(call),
        _ => None,
    };
    own.or_else(|| tree::parts(expr).into_iter().find_map(first_wrong))
}

fn wrong(call: &CallExpr) -> Option<Miscall> {
    let name = call.func_name.as_str();
    if is_operator(name) {
        return None;
    }
    let Some((_, alone, on_value)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
        let words = format!("calls '{}', which is no function", shorten(name, 80));
        return Some(Miscall { words, is_unknown: true });
    };
    let takes = if call.target.is_some() { on_value } else { alone };
    let given = call.args.len();
    let words = match (takes.is_empty(), call.target.is_some()) {
        (true, true) => format!("calls '{name}' on a value: write {name}(…)"),
        (true, false) => format!("calls '{name}' on no value: write value.{name}(…)"),
        (false, _) if takes.contains(&given) => return None,
        (false, _) => {
            let noun = if given == 1 { "argument" } else { "arguments" };
            let takes: Vec<String> = takes.iter().map(|count| number(*count, "none")).collect();
            format!("calls '{name}' with {} {noun}, and it takes {}", number(given, "no"), takes.join(" or "))
        }
    };
    Some(Miscall { words, is_unknown: false })
}

fn number(count: usize, none: &str) -> String {
    if count == 0 { none.to_owned() } else { count.to_string() }
}

/// Operators stand in a tree as calls too, under names that nobody can write.
fn is_operator(name: &str) -> bool {
    name.contains(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')))
}

#[cfg(test)]
mod tests {
    use cel::{Context, ExecutionError, Program};

    use super::*;

    fn found(text: &str) -> Option<String> {
        let program = Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        first_wrong(program.expression()).map(|miscall| miscall.words)
    }

    #[test]
    fn a_call_that_cannot_be_made_is_told_wherever_it_stands() {
        for (text, words) in [
            ("foo(row.a)", "calls 'foo', which is no function"),
            ("row.a == 'b' || row.a.lowerAscii() == 'b'", "calls 'lowerAscii', which is no function"),
            ("rows.all(r, {'a': [foo(r)]}['a'][0] == -1)", "calls 'foo', which is no function"),
            ("[1].map(x, foo(x)).size() > 0", "calls 'foo', which is no function"),
            ("foo(1).size() > 0", "calls 'foo', which is no function"),
            ("_(1)", "calls '_', which is no function"),
            (".size(rows) > 0", "calls '.size', which is no function"),
            ("row.a.orValue('') == ''", "calls 'orValue', which is no function"),
            ("size(row.a, 2) > 0", "calls 'size' with 2 arguments, and it takes 1"),
            ("row.a.size(2) > 0", "calls 'size' with 1 argument, and it takes none"),
            ("row.a.matches()", "calls 'matches' with no arguments, and it takes 1"),
            ("row.a.getHours('UTC', 1) > 0", "calls 'getHours' with 2 arguments, and it takes none or 1"),
            ("rows.map(r) == []", "calls 'map' with 1 argument, and it takes 2 or 3"),
            ("rows.all(true)", "calls 'all' with 1 argument, and it takes 2"),
            ("has(row.a, row.b)", "calls 'has' with 2 arguments, and it takes 1"),
            ("all(rows, r, true)", "calls 'all' on no value: write value.all(…)"),
            ("contains(row.a, 'b')", "calls 'contains' on no value: write value.contains(…)"),
            ("row.a.int() > 1", "calls 'int' on a value: write int(…)"),
        ] {
            assert_eq!(found(text).as_deref(), Some(words), "{text}");
        }
        for text in [
            "has(row.a) && !(-row.b in [1, 2 % 3]) ? row.c[0] != 1 : {'a': 1}.a <= 1 || false",
            "rows.exists(r, r.a == 1) && rows.exists_one(r, r.a == 1) && rows.existsOne(r, r.a == 1)",
            "rows.map(r, r.a > 0, r.a * 2).filter(a, a / 2 > 1).size() >= 1 && rows.all(r, true)",
            "matches(row.a, 'x') && row.a.matches('x')",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_told_apart_is_what_the_crate_knows() {
        for (name, alone, on_value) in FUNCTIONS {
            for count in 0..=4 {
                // Macros take a name first, and `has` a member.
                let args = ["x", "1 == 1", "true", "1"][..count].join(", ");
                let others = ["{'a': 1}.a", "1", "1", "1"][..count].join(", ");
                for text in [
                    format!("{name}({others})"),
                    format!("[1].{name}({args})"),
                    format!("'a'.{name}({others})"),
                ] {
                    let takes = if text.starts_with(name) { alone } else { on_value };
                    let Ok(program) = Program::compile(&text) else { continue };
                    let answer = program.execute(&Context::default());
                    let is_told = first_wrong(program.expression()).is_some();
                    assert_eq!(is_told, !takes.contains(&count), "{text}");
                    if is_told {
                        assert!(answer.is_err(), "{text}: it works, and is refused");
                    }
                    let is_unknown = match &answer {
                        Err(ExecutionError::UndeclaredReference(known)) => **known == name,
                        _ => false,
                    };
                    assert!(is_told || !is_unknown, "{text}: the crate does not know it");
                }
            }
        }
    }
}
