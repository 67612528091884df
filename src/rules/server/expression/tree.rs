//! What is read off an expression's tree before it runs, and what is put into it.

use std::mem;

use cel::common::ast::{
    CallExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, ListExpr, LiteralValue, operators,
};
use chrono::DateTime;

use super::meter::{MADE, MATCHES, TURN};
use crate::shared::template::field_key;

/// What an expression names of the message, written out: `fields.total`, `email['subject']`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub fields: Vec<String>,
    pub email: Vec<String>,
    /// Whether `email` is looked through, or asked whether one is there: then none may be left out.
    pub searches_email: bool,
    /// Of which fields it is asked whether they are there: `'total' in fields`.
    pub asked: Vec<String>,
    /// Whether `fields` is looked through otherwise.
    pub looks_through: bool,
}

impl Names {
    /// As `searches_email`, of `fields`.
    pub fn searches_fields(&self) -> bool {
        self.looks_through || !self.asked.is_empty()
    }
}

/// The names, those within macros too.
pub fn names(expr: &IdedExpr) -> Names {
    let mut names = Names::default();
    collect(expr, &mut Vec::new(), &mut names);
    names
}

/// `bound` are the names that the loops around give to their items.
fn collect<'e>(expr: &'e IdedExpr, bound: &mut Vec<&'e str>, names: &mut Names) {
    if let Some((variable, name)) = member(expr)
        && !bound.contains(&variable)
    {
        let known = match variable {
            "fields" => Some(&mut names.fields),
            "email" => Some(&mut names.email),
            _ => None,
        };
        let name = field_key(name);
        if let Some(known) = known
            && !known.contains(&name)
        {
            known.push(name);
        }
    }
    if let Expr::Ident(variable) = &expr.expr
        && !bound.contains(&variable.as_str())
    {
        names.looks_through |= variable == "fields";
        names.searches_email |= variable == "email";
    }
    if let Expr::Comprehension(looped) = &expr.expr {
        collect(&looped.iter_range, bound, names);
        collect(&looped.accu_init, bound, names);
        bound.push(&looped.iter_var);
        for part in [&looped.loop_cond, &looped.loop_step, &looped.result] {
            collect(part, bound, names);
        }
        bound.pop();
    } else {
        let is_index = matches!(&expr.expr, Expr::Call(call) if call.func_name == operators::INDEX);
        let takes_one = is_index || member(expr).is_some();
        let asked = asked(expr).filter(|_| !bound.contains(&"fields"));
        if let Some(name) = asked {
            names.asked.push(field_key(name));
        }
        for (at, part) in parts(expr).into_iter().enumerate() {
            let is_one = takes_one && at == 0 && matches!(part.expr, Expr::Ident(_));
            let is_asked = asked.is_some() && at == 1;
            if !is_one && !is_asked {
                collect(part, bound, names);
            }
        }
    }
}

/// Whether it is the number of a message's files, which stands in a text as every field does.
fn is_count(expr: &IdedExpr) -> bool {
    let is_asked = matches!(&expr.expr, Expr::Select(select) if select.test);
    !is_asked && matches!(member(expr), Some(("email" | "fields", "attachment_count")))
}

/// What a number is held against, or reckoned with.
const OF_NUMBERS: [&str; 12] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    operators::ADD,
    operators::SUBSTRACT,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::IN,
];

/// Beside a number that is written there, the number of files is one, as `int` makes it: nothing else could be meant.
fn read_counts(expr: &mut IdedExpr) {
    let Expr::Call(call) = &mut expr.expr else { return };
    if !OF_NUMBERS.contains(&call.func_name.as_str()) {
        return;
    }
    if let [one, other] = call.args.as_mut_slice() {
        as_number(one, other);
        as_number(other, one);
    }
}

fn as_number(count: &mut IdedExpr, beside: &IdedExpr) {
    let is_number = match &beside.expr {
        Expr::List(list) => !list.elements.is_empty() && list.elements.iter().all(is_number),
        _ => is_number(beside),
    };
    if is_number && is_count(count) {
        *count = function("int", vec![mem::take(count)]);
    }
}

fn is_number(expr: &IdedExpr) -> bool {
    matches!(expr.expr, Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)))
}

/// Whether it makes another type of a text that is written there and does not say one: no message changes that.
pub fn converts_in_vain(expr: &IdedExpr) -> bool {
    if let Expr::Call(call) = &expr.expr
        && let [IdedExpr { expr: Expr::Literal(LiteralValue::String(text)), .. }] = call.args.as_slice()
    {
        let text = text.inner();
        let is_in_vain = match call.func_name.as_str() {
            "int" => text.parse::<i64>().is_err(),
            "uint" => text.parse::<u64>().is_err(),
            "double" => text.parse::<f64>().is_err(),
            "timestamp" => DateTime::parse_from_rfc3339(text).is_err(),
            _ => false,
        };
        if is_in_vain {
            return true;
        }
    }
    parts(expr).into_iter().any(converts_in_vain)
}

/// The name of which it is asked whether it is one of `fields`.
fn asked(expr: &IdedExpr) -> Option<&str> {
    let Expr::Call(call) = &expr.expr else { return None };
    let [name, of] = call.args.as_slice() else { return None };
    let is_asked = call.func_name == operators::IN && call.target.is_none();
    match (&name.expr, &of.expr) {
        (Expr::Literal(LiteralValue::String(name)), Expr::Ident(of)) if is_asked && of == "fields" => {
            Some(name.inner())
        }
        _ => None,
    }
}

/// The variable and the member, where a member of a variable is named.
fn member(expr: &IdedExpr) -> Option<(&str, &str)> {
    let (operand, name) = match &expr.expr {
        Expr::Select(select) => (&*select.operand, select.field.as_str()),
        Expr::Call(call) if indexes(call) => {
            let [operand, index] = call.args.as_slice() else { return None };
            let Expr::Literal(LiteralValue::String(name)) = &index.expr else { return None };
            (operand, name.inner())
        }
        _ => return None,
    };
    match &operand.expr {
        Expr::Ident(variable) => Some((variable.as_str(), name)),
        _ => None,
    }
}

fn indexes(call: &CallExpr) -> bool {
    matches!(call.func_name.as_str(), operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT)
}

/// How many levels it has.
pub fn depth(expr: &IdedExpr) -> usize {
    1 + parts(expr).into_iter().map(depth).max().unwrap_or(0)
}

/// The steps that its loops over written lists take at most. How long anything else is shows when it runs: a loop over
/// that counts as one turn.
pub fn steps(expr: &IdedExpr) -> u64 {
    if let Expr::Comprehension(looped) = &expr.expr {
        let turns = match &looped.iter_range.expr {
            Expr::List(list) => list.elements.len() as u64,
            Expr::Map(map) => map.entries.len() as u64,
            _ => 1,
        };
        steps(&looped.iter_range).saturating_add(turns.saturating_mul(steps(&looped.loop_step)))
    } else {
        parts(expr).into_iter().map(steps).fold(1, u64::saturating_add)
    }
}

fn count(expr: &IdedExpr) -> i64 {
    1 + parts(expr).into_iter().map(count).sum::<i64>()
}

/// Puts in what `meter` charges by, and names of header fields as fields are keyed.
pub fn fence(expr: &mut IdedExpr) {
    // As it was written: what is put in does not count.
    let size = match &expr.expr {
        Expr::Comprehension(looped) => count(&looped.loop_step),
        _ => 0,
    };
    for part in parts_mut(expr) {
        fence(part);
    }
    read_counts(expr);
    match &mut expr.expr {
        Expr::Comprehension(looped) => {
            let step = mem::take(&mut looped.loop_step);
            looped.loop_step = metered(step, &looped.iter_var, size);
        }
        Expr::Call(call) => {
            // `.matches(a, b)` is `matches(a, b)`.
            if let Some(name) = call.func_name.strip_prefix('.') {
                call.func_name = name.to_owned();
            }
            key_header(call);
            bound_pattern(call);
        }
        _ => {}
    }
    // What stands in a list or a map is copied into it.
    if matches!(&expr.expr, Expr::List(_) | Expr::Map(_)) {
        for part in parts_mut(expr) {
            if may_be_large(part) {
                charge(part);
            }
        }
    }
    if matches!(&expr.expr, Expr::Call(call) if grows(call)) {
        charge(expr);
    }
}

/// The step of a loop with a charge before its body. The macros' own forms are kept: by those the crate knows how to
/// append in place, and which errors a later item overrides.
fn metered(step: IdedExpr, item: &str, size: i64) -> IdedExpr {
    let IdedExpr { id, expr } = step;
    let expr = match expr {
        // `all` and `exists`: what came of it so far, and the body.
        Expr::Call(mut call)
            if call.args.len() == 2
                && matches!(call.func_name.as_str(), operators::LOGICAL_AND | operators::LOGICAL_OR) =>
        {
            call.args[1] = guarded(mem::take(&mut call.args[1]), item, size);
            Expr::Call(call)
        }
        // `exists_one`, `filter`, and `map` with a condition.
        Expr::Call(mut call) if call.args.len() == 3 && call.func_name == operators::CONDITIONAL => {
            call.args[0] = guarded(mem::take(&mut call.args[0]), item, size);
            Expr::Call(call)
        }
        // `map`: what came of it so far, and a list of one.
        Expr::Call(mut call) if call.args.len() == 2 && call.func_name == operators::ADD => {
            match &mut call.args[1].expr {
                Expr::List(ListExpr { elements, .. }) if elements.len() == 1 => {
                    elements[0] = guarded(mem::take(&mut elements[0]), item, size);
                    Expr::Call(call)
                }
                _ => return guarded(IdedExpr { id, expr: Expr::Call(call) }, item, size),
            }
        }
        other => return guarded(IdedExpr { id, expr: other }, item, size),
    };
    IdedExpr { id, expr }
}

/// `@turn(item, size) ? body : false`. It gives `true` or an error, so the body alone says what comes of it.
fn guarded(body: IdedExpr, item: &str, size: i64) -> IdedExpr {
    let turn = function(
        TURN,
        vec![node(Expr::Ident(item.to_owned())), node(Expr::Literal(LiteralValue::Int(size.into())))],
    );
    let never = node(Expr::Literal(LiteralValue::Boolean(false.into())));
    function(operators::CONDITIONAL, vec![turn, body, never])
}

fn charge(expr: &mut IdedExpr) {
    let made = mem::take(expr);
    *expr = function(MADE, vec![made]);
}

/// Whether it makes a text or a list that is longer than what it is made of.
fn grows(call: &CallExpr) -> bool {
    match call.func_name.as_str() {
        // A loop's own sum: what it adds is charged where it is made.
        operators::ADD => !matches!(
            call.args.first().map(|arg| &arg.expr),
            Some(Expr::Ident(name)) if name.starts_with('@')
        ),
        operators::OPT_INDEX | operators::OPT_SELECT | "bytes" | "string" => true,
        _ => false,
    }
}

fn may_be_large(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Literal(literal) => matches!(literal, LiteralValue::String(_) | LiteralValue::Bytes(_)),
        _ => true,
    }
}

/// `fields['header.X-Thing']` names a header field in any case, as a template does.
fn key_header(call: &mut CallExpr) {
    if indexes(call)
        && let [operand, index] = call.args.as_mut_slice()
        && matches!(&operand.expr, Expr::Ident(variable) if variable == "fields" || variable == "email")
        && let Expr::Literal(LiteralValue::String(name)) = &mut index.expr
    {
        let key = field_key(name.inner());
        *name = key.into();
    }
}

/// `a.matches(b)` and `matches(a, b)` go to the function that bounds its pattern.
fn bound_pattern(call: &mut CallExpr) {
    let count = call.args.len() + usize::from(call.target.is_some());
    if call.func_name == "matches" && count == 2 {
        if let Some(target) = call.target.take() {
            call.args.insert(0, *target);
        }
        call.func_name = MATCHES.to_owned();
    }
}

fn node(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

fn function(name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    node(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
}

/// What it is made of.
pub fn parts(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(looped) => {
            vec![&looped.iter_range, &looped.accu_init, &looped.loop_cond, &looped.loop_step, &looped.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(entry).collect(),
        Expr::Select(select) => vec![&*select.operand],
        Expr::Struct(object) => object.entries.iter().flat_map(entry).collect(),
    }
}

fn entry(entry: &IdedEntryExpr) -> Vec<&IdedExpr> {
    match &entry.expr {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

/// As `parts`.
fn parts_mut(expr: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut expr.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
        Expr::Call(call) => call.target.as_deref_mut().into_iter().chain(&mut call.args).collect(),
        Expr::Comprehension(looped) => {
            let looped = &mut **looped;
            vec![
                &mut looped.iter_range,
                &mut looped.accu_init,
                &mut looped.loop_cond,
                &mut looped.loop_step,
                &mut looped.result,
            ]
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => map.entries.iter_mut().flat_map(entry_mut).collect(),
        Expr::Select(select) => vec![&mut *select.operand],
        Expr::Struct(object) => object.entries.iter_mut().flat_map(entry_mut).collect(),
    }
}

fn entry_mut(entry: &mut IdedEntryExpr) -> Vec<&mut IdedExpr> {
    match &mut entry.expr {
        EntryExpr::StructField(field) => vec![&mut field.value],
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
    }
}

#[cfg(test)]
mod tests {
    use cel::Program;

    use super::*;

    #[test]
    fn a_name_that_begins_with_a_dot_is_bounded_as_without() {
        for text in ["matches('a', 'b')", ".matches('a', 'b')", "'a'.matches('b')"] {
            let mut expr = Program::compile(text).expect("compiles").expression().clone();
            fence(&mut expr);
            assert!(matches!(&expr.expr, Expr::Call(call) if call.func_name == MATCHES), "{text}");
        }
    }
}
