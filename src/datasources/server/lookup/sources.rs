//! What the names in a query of SQLite's stand for: a table's column, or what another query gives, in `WITH`, in `FROM` or in
//! the place of a value, and what that was made of.
//!
//! A name is that of a column of what the innermost query reads from; or else one that this query gives to a column of
//! its own; or else it is looked for in the query around it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join,
    JoinConstraint, JoinOperator, ObjectName, OrderBy, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, Statement, TableAliasColumnDef, TableFactor,
    TableWithJoins, UnaryOperator, Value as Literal, ValueWithSpan, Values, Visit, Visitor, With,
    visit_expressions,
};

use super::ordering::{Side, bare, place_of, plain};

/// What a query's parts read and give, counted in columns and what each may be: some 40 MB. Beyond, nothing of it is
/// followed.
const MAX_WEIGHT: usize = 200_000;
/// Nor beyond so many of its expressions, and of the columns among which each name is looked for: half a second.
const MAX_STEPS: usize = 2_000_000;
/// Nor any longer, on a server that has much to do.
const MAX_TIME: Duration = Duration::from_secs(2);
/// SQLite has none that gives more columns (sqlite.org/limits.html).
const MAX_WIDTH: usize = 2_000;
/// What a query in `WITH` that asks itself is made of is known after as many rounds as its columns change places.
const MAX_ROUNDS: usize = 8;

/// Functions that give numbers whatever they are given.
const NUMBERS: [&str; 7] = ["abs", "avg", "count", "length", "round", "sum", "total"];

/// What SQLite makes of what is compared with a value (sqlite.org/datatype3.html, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Affinity {
    Number,
    Text,
    Nothing,
    /// One of several: of which part of a `UNION`, it does not say.
    Mixed,
}

impl Affinity {
    /// Of a type as it is declared (section 3.1). `ANY` is none in a strict table; in any other, it is taken for none as
    /// well.
    pub fn declared(kind: &str) -> Self {
        let kind = kind.to_ascii_uppercase();
        let says = |word: &&str| kind.contains(*word);
        if says(&"INT") {
            Self::Number
        } else if ["CHAR", "CLOB", "TEXT"].iter().any(says) {
            Self::Text
        } else if kind.is_empty() || kind == "ANY" || kind.contains("BLOB") {
            Self::Nothing
        } else {
            Self::Number
        }
    }
}

/// A table or a view that a query may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub columns: Vec<(Arc<str>, Affinity)>,
}

impl Table {
    /// Whether each of its columns was declared to hold something.
    pub fn has_types(&self) -> bool {
        self.columns.iter().all(|(_, affinity)| *affinity != Affinity::Nothing)
    }
}

/// What is compared with a column by order, where it does not come of one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// A parameter, counted from 0.
    Given(usize),
    /// A number that stands in the query, as it is written, or is worked out there.
    Number(Arc<str>),
    /// A text that stands in the query, and says a number.
    Text(Arc<str>),
}

/// Where a value comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The columns of which it may be a value, as it is: their places among those of all tables.
    pub columns: BTreeSet<usize>,
    /// What else it may be.
    pub bounds: BTreeSet<Bound>,
    /// Whether it may be of any column.
    pub is_lost: bool,
    /// Whether it is a text made of another, beside which no number becomes one.
    pub is_made: bool,
    /// None where nothing is known of it.
    affinity: Option<Affinity>,
}

impl Source {
    fn of(affinity: Affinity) -> Self {
        Self { affinity: Some(affinity), ..Self::default() }
    }

    fn bound(affinity: Affinity, bound: Option<Bound>) -> Self {
        Self { bounds: bound.into_iter().collect(), ..Self::of(affinity) }
    }

    fn number(affinity: Affinity, expr: &Expr) -> Self {
        Self::bound(affinity, Some(Bound::Number(expr.to_string().into())))
    }

    fn lost() -> Self {
        Self { is_lost: true, ..Self::default() }
    }

    /// What it takes in memory, in columns.
    fn weight(&self) -> usize {
        1 + self.columns.len() + self.bounds.len()
    }

    fn worked_out(self) -> Self {
        Self { affinity: Some(Affinity::Nothing), ..self }
    }

    /// Of a value that may be the other's as well.
    fn or(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self.bounds.extend(other.bounds);
        self.is_lost |= other.is_lost;
        self.is_made |= other.is_made;
        self.affinity = match (self.affinity, other.affinity) {
            (None, affinity) | (affinity, None) => affinity,
            (Some(one), Some(another)) if one == another => Some(one),
            _ => Some(Affinity::Mixed),
        };
        self
    }

    /// Whether SQLite may make a number of no text beside it.
    pub fn has_no_type(&self) -> bool {
        matches!(self.affinity, Some(Affinity::Nothing | Affinity::Mixed))
    }

    /// Whether it is of a column of which that is certain. Then its index is of use.
    pub fn is_untyped_column(&self) -> bool {
        self.affinity == Some(Affinity::Nothing) && !self.columns.is_empty()
    }

    /// Whether SQLite makes texts of numbers beside it.
    pub fn is_text(&self) -> bool {
        self.affinity == Some(Affinity::Text) && !self.is_made
    }

    /// Whether SQLite makes numbers of texts beside it.
    pub fn is_number(&self) -> bool {
        self.affinity == Some(Affinity::Number)
    }

    /// Whether it may be a text that no column holds.
    pub fn may_be_written(&self) -> bool {
        self.bounds.iter().any(|bound| matches!(bound, Bound::Given(_) | Bound::Text(_)))
    }
}

/// The names and the queries of a parsed text, each by where it is in memory.
#[derive(Debug, Default)]
pub struct Sources {
    names: HashMap<usize, Source>,
    /// What each query's first column is.
    queries: HashMap<usize, Source>,
    /// What is equal in tables that are joined by the names of their columns: in those on the left, and in the next one.
    pub shared: Vec<(Source, Source)>,
    is_lost: bool,
}

impl Sources {
    pub fn read(statements: &[Statement], tables: &[Table]) -> Self {
        let mut reader = Reader::new(tables, Instant::now() + MAX_TIME);
        reader.statements(statements);
        reader.found
    }

    /// What an expression gives.
    pub fn of(&self, expr: &Expr) -> Source {
        match expr {
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.of(inner),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => self.known(self.names.get(&place(expr))),
            Expr::Subquery(query) => self.of_query(query),
            Expr::Value(ValueWithSpan { value: Literal::Null, .. }) => Source::default(),
            Expr::Cast { data_type, .. } => match Affinity::declared(&data_type.to_string()) {
                Affinity::Number => Source::number(Affinity::Number, expr),
                affinity => Source::of(affinity),
            },
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|when| &when.result);
                self.any_of(results.chain(else_result.as_deref()))
            }
            Expr::Trim { expr, .. } => self.rewritten(expr),
            Expr::Function(function) => self.of_function(function, expr),
            _ if is_number(expr) => Source::number(Affinity::Nothing, expr),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.of(expr).worked_out(),
            _ => match bare(expr) {
                Side::Given(_, mark) => Source::bound(Affinity::Text, place_of(mark).map(Bound::Given)),
                Side::Text(_, text) => Source::bound(Affinity::Text, Some(Bound::Text(text.into()))),
                Side::Plain => Source::of(Affinity::Text),
                Side::Number | Side::Column(_) | Side::WorkedOut => Source::of(Affinity::Nothing),
            },
        }
    }

    /// What a query gives in its first column.
    pub fn of_query(&self, query: &Query) -> Source {
        self.known(self.queries.get(&place(query)))
    }

    /// What rows are sorted by, which may say the number of a column.
    pub fn of_key(&self, key: &Expr) -> Source {
        match key {
            Expr::Value(_) => self.known(self.names.get(&place(key))),
            _ => self.of(key),
        }
    }

    fn known(&self, source: Option<&Source>) -> Source {
        if self.is_lost {
            return Source { is_lost: true, ..Source::of(Affinity::Mixed) };
        }
        source.cloned().unwrap_or_default()
    }

    fn of_function(&self, function: &Function, expr: &Expr) -> Source {
        let name = function.name.to_string().to_ascii_lowercase();
        let arguments = arguments(function);
        match name.as_str() {
            "ltrim" | "replace" | "rtrim" | "trim" => {
                arguments.first().map(|text| self.rewritten(text)).unwrap_or_default()
            }
            name if NUMBERS.contains(&name) => Source::number(Affinity::Nothing, expr),
            _ if matches!(bare(expr), Side::Plain) => Source::of(Affinity::Text),
            name => self.any_of(given_back(name, arguments).into_iter()),
        }
    }

    /// A text made of another, such as one with a point in the place of a comma: it still says the number that was one in
    /// a column.
    fn rewritten(&self, text: &Expr) -> Source {
        Source { affinity: Some(Affinity::Text), is_made: true, bounds: BTreeSet::new(), ..self.of(text) }
    }

    fn any_of<'e>(&self, results: impl Iterator<Item = &'e Expr>) -> Source {
        results.map(|result| self.of(result)).reduce(Source::or).unwrap_or_default().worked_out()
    }
}

pub fn arguments(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let arguments = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    arguments.collect()
}

/// The arguments of a function one of which is what it gives.
fn given_back<'e>(function: &str, arguments: Vec<&'e Expr>) -> Vec<&'e Expr> {
    let arguments = arguments.into_iter();
    match function {
        "max" | "min" | "coalesce" | "ifnull" => arguments.collect(),
        "nullif" | "likely" | "unlikely" | "likelihood" | "first_value" | "last_value" | "nth_value" => {
            arguments.take(1).collect()
        }
        "lag" | "lead" => arguments.step_by(2).collect(),
        "iif" | "if" => arguments.skip(1).collect(),
        _ => Vec::new(),
    }
}

/// Whether it is a number, whatever it is worked out of.
pub fn is_number(expr: &Expr) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    match expr {
        Expr::BinaryOp { op: Plus | Minus | Multiply | Divide | Modulo, .. }
        | Expr::UnaryOp { op: UnaryOperator::Minus, .. } => true,
        _ => matches!(bare(expr), Side::Number),
    }
}

fn place<T>(part: &T) -> usize {
    std::ptr::from_ref(part).addr()
}

#[derive(Clone, Debug, PartialEq)]
struct Column {
    name: Arc<str>,
    source: Source,
}

/// What a query gives, or a table has.
#[derive(Clone, Debug, Default, PartialEq)]
struct Columns {
    known: Vec<Column>,
    /// From which place on others stand among them, nobody knows how many, and what each of those is.
    others: Option<(usize, Source)>,
}

impl Columns {
    fn unknown(source: Source) -> Self {
        Self { known: Vec::new(), others: Some((0, source)) }
    }

    /// What it takes in memory, in columns.
    fn weight(&self) -> usize {
        let others = self.others.iter().map(|(_, source)| source);
        self.known.iter().map(|column| &column.source).chain(others).map(Source::weight).sum()
    }

    fn push(&mut self, name: impl Into<Arc<str>>, source: Source) {
        if self.known.len() < MAX_WIDTH {
            self.known.push(Column { name: name.into(), source });
        }
    }

    fn extend(&mut self, more: &Self) {
        if let Some((from, source)) = &more.others {
            self.mix(self.known.len() + from, source.clone());
        }
        let room = MAX_WIDTH.saturating_sub(self.known.len());
        self.known.extend(more.known.iter().take(room).cloned());
    }

    /// From this place on, no column's place is known.
    fn mix(&mut self, from: usize, source: Source) {
        self.others = Some(match self.others.take() {
            Some((first, others)) => (first.min(from), others.or(source)),
            None => (from, source),
        });
    }

    fn named(&self, name: &str) -> Option<&Source> {
        let is_it = |column: &&Column| column.name.eq_ignore_ascii_case(name);
        self.known.iter().find(is_it).map(|column| &column.source)
    }

    /// What stands at the first place.
    fn first(&self) -> Source {
        let known = self.known.iter().map(|column| &column.source);
        let others = self.others.iter().map(|(_, source)| source);
        match &self.others {
            Some((0, _)) => any_of(known.chain(others)),
            _ => any_of(known.chain(others).take(1)),
        }
        .unwrap_or_default()
    }

    /// Those whose places are known.
    fn placed(&self) -> &[Column] {
        let from = self.others.as_ref().map_or(usize::MAX, |(from, _)| *from);
        &self.known[..from.min(self.known.len())]
    }

    /// Each by its place, and what stands at those whose places are not known.
    fn by_place(self) -> (Vec<Column>, Source) {
        let mut known = self.known;
        let Some((from, others)) = self.others else { return (known, Source::default()) };
        let rest = known.drain(from.min(known.len())..).map(|column| column.source);
        let rest = rest.fold(others, Source::or);
        (known, rest)
    }

    fn without_values(mut self) -> Self {
        let others = self.others.iter_mut().map(|(_, source)| source);
        for source in self.known.iter_mut().map(|column| &mut column.source).chain(others) {
            *source = Source { affinity: source.affinity, ..Source::default() };
        }
        self
    }

    fn lose(&mut self) {
        self.known.iter_mut().for_each(|column| column.source.is_lost = true);
    }
}

/// What a query reads from, under the name that it has there.
struct Place {
    name: String,
    columns: Columns,
}

/// What names may stand for within a query.
struct Scope {
    places: Vec<Place>,
    /// The names that it gives to its own columns.
    own: Vec<Column>,
    /// What is gone through for a name.
    weight: usize,
}

impl Scope {
    fn of(places: Vec<Place>) -> Self {
        let weight = places.iter().map(|place| 1 + place.columns.weight()).sum();
        Self { places, own: Vec::new(), weight }
    }

    fn give(&mut self, own: Vec<Column>) {
        self.weight += own.iter().map(|column| column.source.weight()).sum::<usize>();
        self.own = own;
    }

    fn source(&self, of: Option<&str>, name: &str) -> Option<Source> {
        let is_meant = |place: &&Place| of.is_none_or(|of| place.name.eq_ignore_ascii_case(of));
        let places = || self.places.iter().filter(is_meant).map(|place| &place.columns);
        any_of(places().filter_map(|columns| columns.named(name))).or_else(|| {
            let others = places().filter_map(|columns| columns.others.as_ref().map(|(_, source)| source));
            let is_own = |column: &&Column| of.is_none() && column.name.eq_ignore_ascii_case(name);
            any_of(others.chain(self.own.iter().filter(is_own).map(|column| &column.source)))
        })
    }
}

/// The first column of each name, in small letters.
fn by_name(places: &[Place]) -> HashMap<String, &Source> {
    let mut found = HashMap::new();
    for column in places.iter().flat_map(|place| &place.columns.known) {
        found.entry(column.name.to_ascii_lowercase()).or_insert(&column.source);
    }
    found
}

fn any_of<'s>(sources: impl Iterator<Item = &'s Source>) -> Option<Source> {
    sources.cloned().reduce(Source::or)
}

/// What is named in `WITH`.
struct Named {
    name: String,
    columns: Columns,
    is_asked: bool,
}

struct Reader<'t> {
    tables: &'t [Table],
    /// The innermost last.
    with: Vec<Named>,
    scopes: Vec<Scope>,
    found: Sources,
    /// What may still be held in memory, of `MAX_WEIGHT`.
    left: usize,
    /// What may still be gone through, of `MAX_STEPS`.
    steps: usize,
    until: Instant,
}

impl<'t> Reader<'t> {
    fn new(tables: &'t [Table], until: Instant) -> Self {
        Self {
            tables,
            with: Vec::new(),
            scopes: Vec::new(),
            found: Sources::default(),
            left: MAX_WEIGHT,
            steps: MAX_STEPS,
            until,
        }
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            if let Statement::Query(query) = statement {
                self.query(query);
            }
        }
    }

    /// Whether so much may be gone through. Where it may not, nothing is followed any more.
    fn step(&mut self, parts: usize) -> bool {
        self.steps = self.steps.saturating_sub(parts);
        self.found.is_lost |= self.steps == 0 || Instant::now() >= self.until;
        !self.found.is_lost
    }

    /// As `step`, of what is held in memory then.
    fn spend(&mut self, weight: usize) -> bool {
        self.left = self.left.saturating_sub(weight);
        self.found.is_lost |= self.left == 0;
        self.step(weight)
    }

    fn query(&mut self, query: &Query) -> Columns {
        if !self.step(1) {
            return Columns::unknown(Source::lost());
        }
        let outer = self.with.len();
        if let Some(with) = &query.with {
            self.name(with);
        }
        let columns = match &*query.body {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref()),
            body => self.body(body),
        };
        if let Some(OrderByKind::Expressions(by)) = query.order_by.as_ref().map(|by| &by.kind) {
            let is_of_parts = !matches!(*query.body, SetExpr::Select(_));
            self.sort(by.iter().map(|by| plain(&by.expr)), columns.placed(), is_of_parts);
        }
        self.with.truncate(outer);
        let first = columns.first();
        if self.spend(first.weight()) {
            let noted = self.found.queries.entry(place(query)).or_default();
            *noted = std::mem::take(noted).or(first);
        }
        columns
    }

    /// Notes what rows are sorted by where it is one of the query's own columns: by its number, and, where the query is made
    /// of several parts, by the name that the first of them gives to it. Each column once: a second time it sorts nothing.
    fn sort<'e>(&mut self, by: impl Iterator<Item = &'e Expr>, columns: &[Column], is_of_parts: bool) {
        let mut seen = HashSet::new();
        for by in by {
            let at = match by {
                Expr::Value(ValueWithSpan { value: Literal::Number(number, _), .. }) => {
                    number.parse::<usize>().ok().and_then(|number| number.checked_sub(1))
                }
                Expr::Identifier(name) if is_of_parts && self.step(columns.len()) => {
                    columns.iter().position(|column| column.name.eq_ignore_ascii_case(&name.value))
                }
                _ => None,
            };
            if let Some((at, column)) = at.and_then(|at| Some((at, columns.get(at)?)))
                && seen.insert(at)
            {
                self.add(by, column.source.clone());
            }
        }
    }

    /// Each in its turn: of one that stands further on, nothing is known yet.
    fn name(&mut self, with: &With) {
        let first = self.with.len();
        self.with.extend(with.cte_tables.iter().map(|cte| Named {
            name: cte.alias.name.value.clone(),
            columns: Columns::unknown(Source::lost()),
            is_asked: false,
        }));
        for (at, cte) in (first..).zip(&with.cte_tables) {
            // It may ask itself: what it gives then is what it gave in the round before.
            self.with[at].columns = Columns::default();
            for round in 0..=MAX_ROUNDS {
                self.with[at].is_asked = false;
                let columns = self.query(&cte.query);
                let columns = self.called(columns, &cte.alias.columns);
                let named = &mut self.with[at];
                let before = std::mem::replace(&mut named.columns, columns);
                if !named.is_asked || named.columns == before {
                    break;
                }
                if round == MAX_ROUNDS {
                    named.columns.lose();
                }
            }
        }
    }

    fn body(&mut self, body: &SetExpr) -> Columns {
        match body {
            SetExpr::Select(select) => self.select(select, None),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { .. } => self.parts(body),
            SetExpr::Values(values) => self.values(values),
            _ => Columns::unknown(Source::lost()),
        }
    }

    fn values(&mut self, values: &Values) -> Columns {
        let mut all: Option<Columns> = None;
        for row in &values.rows {
            if !self.step(1) {
                return Columns::unknown(Source::lost());
            }
            self.visit(&row.content);
            let mut columns = Columns::default();
            for (i, expr) in row.content.iter().enumerate() {
                columns.push(format!("column{}", i + 1), self.taken(expr));
            }
            all = Some(match all {
                Some(before) => self.either(before, columns),
                None => columns,
            });
        }
        all.unwrap_or_default()
    }

    /// What an expression gives, as one of a query's columns.
    fn taken(&mut self, expr: &Expr) -> Source {
        let source = self.found.of(expr);
        if self.spend(source.weight()) { source } else { Source::lost() }
    }

    /// What a `UNION` of two queries gives.
    fn either(&mut self, one: Columns, other: Columns) -> Columns {
        let names: Vec<Arc<str>> = one.known.iter().map(|column| Arc::clone(&column.name)).collect();
        let is_mixed = one.others.is_some() || other.others.is_some();
        let ((one, rest_of_one), (another, rest_of_another)) = (one.by_place(), other.by_place());
        let length = names.len().max(one.len()).max(another.len());
        let missing = |columns: &[Column], rest: &Source| (length - columns.len()) * rest.weight();
        let copied = missing(&one, &rest_of_one) + missing(&another, &rest_of_another);
        if !(self.step(length) && self.spend(copied)) {
            return Columns::unknown(Source::lost());
        }
        let from = one.len().min(another.len());
        let filled = |columns: Vec<Column>, rest: &Source| {
            columns.into_iter().map(|column| column.source).chain(std::iter::repeat(rest.clone()))
        };
        let sources = filled(one, &rest_of_one).zip(filled(another, &rest_of_another));
        let known = names
            .into_iter()
            .chain(std::iter::repeat(Arc::default()))
            .zip(sources)
            .take(length)
            .map(|(name, (one, another))| Column { name, source: one.or(another) })
            .collect();
        Columns { known, others: is_mixed.then(|| (from, rest_of_one.or(rest_of_another))) }
    }

    /// Under the names that stand before a query, if any do.
    fn called(&mut self, columns: Columns, names: &[TableAliasColumnDef]) -> Columns {
        if names.is_empty() {
            return columns;
        }
        let names = &names[..names.len().min(MAX_WIDTH)];
        let (known, rest) = columns.by_place();
        let copied = names.len().saturating_sub(known.len()) * rest.weight();
        if !(self.step(names.len()) && self.spend(copied)) {
            return Columns::unknown(Source::lost());
        }
        let sources = known.into_iter().map(|column| column.source).chain(std::iter::repeat(rest));
        let known = names
            .iter()
            .zip(sources)
            .map(|(column, source)| Column { name: column.name.value.as_str().into(), source });
        Columns { known: known.collect(), others: None }
    }

    /// A query of several parts, each of which stands within the next: there may be a thousand.
    fn parts(&mut self, body: &SetExpr) -> Columns {
        let (mut first, mut further) = (body, Vec::new());
        while let SetExpr::SetOperation { left, op, right, .. } = first {
            further.push((op, right));
            first = left;
        }
        let mut columns = self.body(first);
        for (op, part) in further.into_iter().rev() {
            let part = self.body(part);
            // The others only take rows away.
            let part = if *op == SetOperator::Union { part } else { part.without_values() };
            columns = self.either(columns, part);
        }
        columns
    }

    fn select(&mut self, select: &Select, order_by: Option<&OrderBy>) -> Columns {
        if !self.step(1) {
            return Columns::unknown(Source::lost());
        }
        let places = self.places(&select.from);
        self.scopes.push(Scope::of(places));
        self.visit(&select.projection);
        let (columns, own) = self.given(select);
        if let Some(scope) = self.scopes.last_mut() {
            scope.give(own);
        }
        self.visit(&select.from);
        self.visit(&select.selection);
        self.visit(&select.group_by);
        self.visit(&select.having);
        self.visit(&select.named_window);
        if let Some(order_by) = order_by {
            self.visit(order_by);
        }
        self.scopes.pop();
        columns
    }

    /// The columns that a query gives, and those that it has a name of its own for. Such a name hides no column of its
    /// tables, and there is such a column where it is worked out of one that is called the same: `coalesce(a, 0) AS a`.
    fn given(&mut self, select: &Select) -> (Columns, Vec<Column>) {
        let (mut columns, mut own) = (Columns::default(), Vec::new());
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => columns.push(name_of(expr), self.taken(expr)),
                SelectItem::ExprWithAlias { expr, alias } => {
                    let name: Arc<str> = alias.value.as_str().into();
                    let source = self.taken(expr);
                    if !names(expr, &alias.value) {
                        own.push(Column { name: Arc::clone(&name), source: source.clone() });
                    }
                    columns.push(name, source);
                }
                SelectItem::Wildcard(_)
                | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(_), _) => {
                    let weight: usize = self.starred(item).map(Columns::weight).sum();
                    if !self.spend(weight) {
                        return (Columns::unknown(Source::lost()), own);
                    }
                    // Two that are joined by a column have it once.
                    if matches!(item, SelectItem::Wildcard(_)) && select.from.iter().any(shares_columns) {
                        columns.mix(columns.known.len(), Source::default());
                    }
                    self.starred(item).for_each(|more| columns.extend(more));
                }
                SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => {
                    columns.extend(&Columns::unknown(Source::lost()));
                }
            }
        }
        (columns, own)
    }

    /// What the innermost query reads from, as far as a star means it.
    fn starred(&self, item: &SelectItem) -> impl Iterator<Item = &Columns> {
        let places = self.scopes.last().map_or(&[][..], |scope| scope.places.as_slice());
        let is_meant = move |place: &&Place| match item {
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                place.name.eq_ignore_ascii_case(last(name))
            }
            _ => true,
        };
        places.iter().filter(is_meant).map(|place| &place.columns)
    }

    fn places(&mut self, from: &[TableWithJoins]) -> Vec<Place> {
        let mut places = Vec::new();
        from.iter().for_each(|tables| self.add_places(tables, &mut places));
        places
    }

    fn add_places(&mut self, tables: &TableWithJoins, places: &mut Vec<Place>) {
        self.add_place(&tables.relation, places);
        for join in &tables.joins {
            let before = places.len();
            self.add_place(&join.relation, places);
            let (left, next) = places.split_at(before);
            self.share(join, left, next);
        }
    }

    fn add_place(&mut self, table: &TableFactor, places: &mut Vec<Place>) {
        if !self.spend(1) {
            return;
        }
        let (name, columns) = match table {
            TableFactor::Table { name, alias, args, .. } => {
                let columns = match args {
                    None => self.table(name),
                    // What is declared of those of a function says nothing of what they hold.
                    Some(_) => Columns::unknown(Source::of(Affinity::Nothing)),
                };
                (alias.as_ref().map_or_else(|| last(name), |alias| alias.name.value.as_str()), columns)
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let (name, heads) = alias
                    .as_ref()
                    .map_or(("", &[][..]), |alias| (alias.name.value.as_str(), alias.columns.as_slice()));
                let columns = self.query(subquery);
                (name, self.called(columns, heads))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let mut within = Vec::new();
                self.add_places(table_with_joins, &mut within);
                places.append(&mut within);
                return;
            }
            _ => ("", Columns::unknown(Source::lost())),
        };
        places.push(Place { name: name.to_owned(), columns });
    }

    /// Notes what a join by the names of columns holds equal. Of several on the left, SQLite takes the first.
    fn share(&mut self, join: &Join, left: &[Place], next: &[Place]) {
        let columns = |places: &[Place]| places.iter().map(|place| place.columns.known.len()).sum::<usize>();
        let names: Vec<String> = match constraint_of(join) {
            Some(JoinConstraint::Using(names)) => {
                names.iter().map(|name| last(name).to_ascii_lowercase()).collect()
            }
            Some(JoinConstraint::Natural) => {
                let all = next.iter().flat_map(|place| &place.columns.known);
                all.map(|column| column.name.to_ascii_lowercase()).collect()
            }
            _ => return,
        };
        if !self.step(names.len() + columns(left) + columns(next)) {
            return;
        }
        let (left, next) = (by_name(left), by_name(next));
        for name in names {
            if let (Some(one), Some(other)) = (left.get(&name), next.get(&name))
                && self.spend(one.weight() + other.weight())
            {
                self.found.shared.push(((*one).clone(), (*other).clone()));
            }
        }
    }

    /// A table that is not known is no matter of ours: its columns hold what they were declared to.
    fn table(&mut self, name: &ObjectName) -> Columns {
        let tables = self.tables;
        let (is_alone, name) = (name.0.len() == 1, last(name));
        if is_alone && let Some(at) = self.with.iter().rposition(|with| with.name.eq_ignore_ascii_case(name))
        {
            self.with[at].is_asked = true;
            if !self.spend(self.with[at].columns.weight()) {
                return Columns::unknown(Source::lost());
            }
            return self.with[at].columns.clone();
        }
        let Some(at) = tables.iter().position(|table| table.name.eq_ignore_ascii_case(name)) else {
            return Columns::unknown(Source::default());
        };
        if !self.spend(2 * tables[at].columns.len()) {
            return Columns::unknown(Source::lost());
        }
        let before: usize = tables[..at].iter().map(|table| table.columns.len()).sum();
        let mut columns = Columns::default();
        for (place, (name, affinity)) in (before..).zip(&tables[at].columns) {
            let source = Source { columns: BTreeSet::from([place]), ..Source::of(*affinity) };
            columns.push(Arc::clone(name), source);
        }
        columns
    }

    /// Goes through the names and the queries in a part of a query.
    fn visit(&mut self, part: &impl Visit) {
        let _: ControlFlow<()> = part.visit(&mut Walk { reader: self, depth: 0 });
    }

    fn note(&mut self, expr: &Expr) {
        let names: &[Ident] = match expr {
            Expr::Identifier(name) => std::slice::from_ref(name),
            Expr::CompoundIdentifier(names) => names,
            _ => return,
        };
        let [before @ .., name] = names else { return };
        let of = before.last().map(|of| of.value.as_str());
        for at in (0..self.scopes.len()).rev() {
            if !self.step(self.scopes[at].weight) {
                return;
            }
            let Some(source) = self.scopes[at].source(of, &name.value) else { continue };
            self.add(expr, source);
            return;
        }
    }

    fn add(&mut self, name: &Expr, source: Source) {
        if self.spend(source.weight()) {
            let noted = self.found.names.entry(place(name)).or_default();
            *noted = std::mem::take(noted).or(source);
        }
    }
}

/// A query within is read as a whole, in its place; one in `FROM` was read before, and sees nothing of what stands beside
/// it.
struct Walk<'r, 't> {
    reader: &'r mut Reader<'t>,
    depth: usize,
}

impl Walk<'_, '_> {
    /// Ends the walk where nothing is followed any more.
    fn step(&mut self) -> ControlFlow<()> {
        if self.reader.step(1) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

impl Visitor for Walk<'_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.depth == 0 {
            self.reader.query(query);
        }
        self.depth += 1;
        self.step()
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.depth += usize::from(matches!(table, TableFactor::Derived { .. }));
        self.step()
    }

    fn post_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.depth -= usize::from(matches!(table, TableFactor::Derived { .. }));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.depth == 0 {
            self.reader.note(expr);
        }
        self.step()
    }
}

/// The name of a column that is given none.
fn name_of(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.clone()).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// The last part of a table's name.
pub fn last(name: &ObjectName) -> &str {
    name.0.last().and_then(|part| part.as_ident()).map_or("", |ident| ident.value.as_str())
}

/// Whether a column of this name is in it.
fn names(expr: &Expr, name: &str) -> bool {
    let found = visit_expressions(expr, |part| match bare(part) {
        Side::Column(column) if column.eq_ignore_ascii_case(name) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// By what a table is joined, in a way that SQLite knows.
fn constraint_of(join: &Join) -> Option<&JoinConstraint> {
    use JoinOperator::{CrossJoin, FullOuter, Inner, Left, LeftOuter, Right, RightOuter};
    match &join.join_operator {
        JoinOperator::Join(on)
        | Inner(on)
        | Left(on)
        | LeftOuter(on)
        | Right(on)
        | RightOuter(on)
        | FullOuter(on)
        | CrossJoin(on) => Some(on),
        _ => None,
    }
}

/// Whether tables are joined so that they have a column in common.
fn shares_columns(tables: &TableWithJoins) -> bool {
    let is_shared =
        |join: &Join| matches!(constraint_of(join), Some(JoinConstraint::Using(_) | JoinConstraint::Natural));
    let is_nested = |table: &TableFactor| match table {
        TableFactor::NestedJoin { table_with_joins, .. } => shares_columns(table_with_joins),
        _ => false,
    };
    tables.joins.iter().any(|join| is_shared(join) || is_nested(&join.relation))
        || is_nested(&tables.relation)
}

#[cfg(test)]
mod tests {
    use sqlparser::{dialect::SQLiteDialect, parser::Parser};

    use super::*;

    /// Reads a query, and says whether all of it was followed.
    fn read<'t>(sql: &str, tables: &'t [Table], time: Duration) -> (Reader<'t>, bool) {
        let statements = Parser::parse_sql(&SQLiteDialect {}, sql).expect("parses");
        let mut reader = Reader::new(tables, Instant::now() + time);
        reader.statements(&statements);
        let is_followed = !reader.found.is_lost;
        (reader, is_followed)
    }

    #[test]
    fn no_query_takes_more_memory_or_time_than_it_may() {
        let columns = (0..MAX_WIDTH).map(|i| (format!("c{i}").into(), Affinity::Text)).collect();
        let tables = [Table { name: "t".into(), columns }];
        let many = |part: &str, count: usize| vec![part; count].join(",");
        let rows: Vec<String> = (0..3_000).map(|row| format!("({row})")).collect();
        let rows = format!("VALUES {}", rows.join(","));
        // Each asks itself, and so everything within is read again.
        let nested = |leaf: &str| {
            (0..12).fold(format!("WITH z AS ({leaf}) SELECT 1 FROM z"), |inner, i| {
                format!("WITH n{i} AS ({inner}, n{i}) SELECT 1 FROM n{i}")
            })
        };
        let sum = format!("SELECT 1 FROM u WHERE x{}", " + x".repeat(3_000));
        let with_rows = |rest: &str| format!("WITH v(n) AS ({rows}){rest}");
        let named = many("a", MAX_WIDTH);
        for (what, sql) in [
            (
                "columns",
                format!("WITH p AS (SELECT {}) SELECT 1 FROM {}", many("1", 4_900), many("p", 4_900)),
            ),
            ("a table", format!("SELECT 1 FROM {}", many("t", 4_900))),
            ("stars", format!("SELECT {} FROM t", many("*", 9_000))),
            ("rounds of rows", nested(&rows)),
            ("rounds of names", nested(&sum)),
            ("values of a name", with_rows(&format!(" SELECT {} FROM v", many("n", MAX_WIDTH)))),
            ("names", with_rows(&format!(", w({named}) AS (SELECT u.*, n FROM u, v) SELECT 1 FROM w"))),
            ("a union", with_rows(" SELECT * FROM t UNION SELECT u.*, n FROM u, v")),
            ("names in a wide table", format!("SELECT {} FROM t", many("x", 2_000))),
        ] {
            let (reader, is_followed) = read(&sql, &tables, Duration::from_secs(3_600));
            assert!(!is_followed && (reader.left == 0 || reader.steps == 0), "{what}");
            let found = reader.found.names.values().chain(reader.found.queries.values());
            assert!(found.map(Source::weight).sum::<usize>() <= MAX_WEIGHT, "{what}");
        }
        let short = "SELECT c1, count(*) FROM t WHERE c2 > 5 GROUP BY c1";
        for (time, is_soon) in [(Duration::from_secs(3_600), true), (Duration::ZERO, false)] {
            assert_eq!(read(short, &tables, time).1, is_soon);
        }
    }
}
