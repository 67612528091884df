//! What the names in a query of SQLite's stand for: a table's column, or what another query gives, in `WITH`, in `FROM` or in
//! the place of a value, and what that was made of.
//!
//! A name is that of a column of what the innermost query reads from; or else one that this query gives to a column of
//! its own; or else it is looked for in the query around it.

use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
};

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Join, JoinConstraint,
    JoinOperator, ObjectName, OrderBy, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    SetOperator, Statement, TableAliasColumnDef, TableFactor, TableWithJoins, UnaryOperator, Visit, Visitor,
    With, visit_expressions,
};

use super::ordering::{Side, bare, place_of};

/// What a query's parts read and give, counted in columns: beyond, nothing of it is followed.
const MAX_COLUMNS: usize = 200_000;
/// SQLite has none that gives more columns (sqlite.org/limits.html).
const MAX_WIDTH: usize = 2_000;
/// What a query in `WITH` that asks itself is made of is known after as many rounds as its columns change places.
const MAX_ROUNDS: usize = 8;

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
    pub columns: Vec<(String, Affinity)>,
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
    /// A number that stands in the query, as it is written.
    Number(String),
    /// A text that stands in the query, and says a number.
    Text(String),
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

    fn lost() -> Self {
        Self { is_lost: true, ..Self::default() }
    }

    fn worked_out(self) -> Self {
        Self { affinity: Some(Affinity::Nothing), ..self }
    }

    /// Of a value that may be the other's as well.
    fn or(mut self, other: Self) -> Self {
        self.columns.extend(other.columns);
        self.bounds.extend(other.bounds);
        self.is_lost |= other.is_lost;
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
        self.affinity == Some(Affinity::Text)
    }
}

/// The names and the queries of a parsed text, each by where it is in memory.
#[derive(Debug, Default)]
pub struct Sources {
    names: HashMap<usize, Source>,
    /// What each query's first column is.
    queries: HashMap<usize, Source>,
    is_lost: bool,
}

impl Sources {
    pub fn read(statements: &[Statement], tables: &[Table]) -> Self {
        let mut reader = Reader {
            tables,
            with: Vec::new(),
            scopes: Vec::new(),
            found: Self::default(),
            left: MAX_COLUMNS,
        };
        for statement in statements {
            if let Statement::Query(query) = statement {
                reader.query(query);
            }
        }
        reader.found
    }

    /// What an expression gives.
    pub fn of(&self, expr: &Expr) -> Source {
        if self.is_lost && matches!(bare(expr), Side::Column(_) | Side::WorkedOut) {
            return Source { is_lost: true, ..Source::of(Affinity::Mixed) };
        }
        match expr {
            Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => self.of(inner),
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                self.names.get(&place(expr)).cloned().unwrap_or_default()
            }
            Expr::Subquery(query) => self.queries.get(&place::<Query>(query)).cloned().unwrap_or_default(),
            Expr::Cast { data_type, .. } => Source::of(Affinity::declared(&data_type.to_string())),
            Expr::Case { conditions, else_result, .. } => {
                let results = conditions.iter().map(|when| &when.result);
                self.any_of(results.chain(else_result.as_deref()))
            }
            _ => match bare(expr) {
                Side::Given(_, mark) => Source::bound(Affinity::Text, place_of(mark).map(Bound::Given)),
                Side::Text(_, text) => Source::bound(Affinity::Text, Some(Bound::Text(text.to_owned()))),
                Side::Number => Source::bound(Affinity::Nothing, Some(Bound::Number(expr.to_string()))),
                Side::Plain => Source::of(Affinity::Text),
                Side::Column(_) | Side::WorkedOut => match expr {
                    Expr::Function(function) => self.any_of(given_back(function).into_iter()),
                    Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.of(expr).worked_out(),
                    _ => Source::of(Affinity::Nothing),
                },
            },
        }
    }

    fn any_of<'e>(&self, results: impl Iterator<Item = &'e Expr>) -> Source {
        results.map(|result| self.of(result)).reduce(Source::or).unwrap_or_default().worked_out()
    }
}

/// The arguments of a function one of which is what it gives.
fn given_back(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else { return Vec::new() };
    let arguments = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    match function.name.to_string().to_ascii_lowercase().as_str() {
        "max" | "min" | "coalesce" | "ifnull" => arguments.collect(),
        "nullif" | "likely" | "unlikely" | "likelihood" | "first_value" | "last_value" | "nth_value" => {
            arguments.take(1).collect()
        }
        "lag" | "lead" => arguments.step_by(2).collect(),
        "iif" | "if" => arguments.skip(1).collect(),
        _ => Vec::new(),
    }
}

fn place<T>(part: &T) -> usize {
    std::ptr::from_ref(part).addr()
}

#[derive(Clone, Debug, PartialEq)]
struct Column {
    name: String,
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

    fn push(&mut self, name: impl Into<String>, source: Source) {
        self.known.push(Column { name: name.into(), source });
    }

    fn extend(&mut self, more: &Self) {
        if let Some((from, source)) = &more.others {
            self.mix(self.known.len() + from, source.clone());
        }
        self.known.extend(more.known.iter().cloned());
        self.known.truncate(MAX_WIDTH);
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

    /// Each by its place, and what stands at those whose places are not known.
    fn by_place(self) -> (Vec<Column>, Source) {
        let mut known = self.known;
        let Some((from, others)) = self.others else { return (known, Source::default()) };
        let rest = known.drain(from.min(known.len())..).map(|column| column.source);
        let rest = rest.fold(others, Source::or);
        (known, rest)
    }

    /// What a `UNION` with another query gives.
    fn or(self, other: Self) -> Self {
        let names: Vec<String> = self.known.iter().map(|column| column.name.clone()).collect();
        let is_mixed = self.others.is_some() || other.others.is_some();
        let ((one, rest_of_one), (another, rest_of_another)) = (self.by_place(), other.by_place());
        let at = |columns: &[Column], rest: &Source, i: usize| {
            columns.get(i).map_or_else(|| rest.clone(), |column| column.source.clone())
        };
        let length = names.len().max(one.len()).max(another.len());
        let known: Vec<Column> = (0..length)
            .map(|i| Column {
                name: names.get(i).cloned().unwrap_or_default(),
                source: at(&one, &rest_of_one, i).or(at(&another, &rest_of_another, i)),
            })
            .collect();
        let from = one.len().min(another.len());
        Self { known, others: is_mixed.then(|| (from, rest_of_one.or(rest_of_another))) }
    }

    fn without_values(mut self) -> Self {
        let others = self.others.iter_mut().map(|(_, source)| source);
        for source in self.known.iter_mut().map(|column| &mut column.source).chain(others) {
            *source = Source { affinity: source.affinity, ..Source::default() };
        }
        self
    }

    /// Under the names that stand before a query, if any do.
    fn called(self, names: &[TableAliasColumnDef]) -> Self {
        if names.is_empty() {
            return self;
        }
        let (known, rest) = self.by_place();
        let sources = known.into_iter().map(|column| column.source).chain(std::iter::repeat(rest));
        let known = names
            .iter()
            .zip(sources)
            .map(|(column, source)| Column { name: column.name.value.clone(), source });
        Self { known: known.collect(), others: None }
    }

    fn lost(mut self) -> Self {
        self.known.iter_mut().for_each(|column| column.source.is_lost = true);
        self
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
}

impl Scope {
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
    /// How many columns may still be followed.
    left: usize,
}

impl Reader<'_> {
    fn query(&mut self, query: &Query) -> Columns {
        let outer = self.with.len();
        if let Some(with) = &query.with {
            self.name(with);
        }
        let columns = match &*query.body {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref()),
            body => self.body(body),
        };
        self.with.truncate(outer);
        let (known, rest) = columns.clone().by_place();
        let first = known.into_iter().next().map_or(rest, |column| column.source);
        let noted = self.found.queries.entry(place(query)).or_default();
        *noted = std::mem::take(noted).or(first);
        columns
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
            let mut before = Columns::default();
            for round in 0..=MAX_ROUNDS {
                self.with[at].columns = before.clone();
                self.with[at].is_asked = false;
                let columns = self.query(&cte.query).called(&cte.alias.columns);
                if !self.with[at].is_asked || columns == before {
                    before = columns;
                    break;
                }
                before = if round < MAX_ROUNDS { columns } else { columns.lost() };
            }
            self.with[at].columns = before;
        }
    }

    fn body(&mut self, body: &SetExpr) -> Columns {
        match body {
            SetExpr::Select(select) => self.select(select, None),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { .. } => self.parts(body),
            SetExpr::Values(values) => {
                let rows = values.rows.iter().map(|row| {
                    self.visit(&row.content);
                    let mut columns = Columns::default();
                    for (i, expr) in row.content.iter().enumerate() {
                        columns.push(format!("column{}", i + 1), self.found.of(expr));
                    }
                    columns
                });
                rows.reduce(Columns::or).unwrap_or_default()
            }
            _ => Columns::unknown(Source::lost()),
        }
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
            columns = columns.or(if *op == SetOperator::Union { part } else { part.without_values() });
        }
        columns
    }

    fn select(&mut self, select: &Select, order_by: Option<&OrderBy>) -> Columns {
        if self.left == 0 {
            return Columns::unknown(Source::lost());
        }
        let places = self.places(&select.from);
        let width: usize = places.iter().map(|place| place.columns.known.len()).sum();
        self.scopes.push(Scope { places, own: Vec::new() });
        self.visit(&select.projection);
        let (columns, own) = self.given(select);
        if let Some(scope) = self.scopes.last_mut() {
            scope.own = own;
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
        self.left = self.left.saturating_sub(1 + width + columns.known.len());
        self.found.is_lost |= self.left == 0;
        columns
    }

    /// The columns that a query gives, and those that it has a name of its own for. Such a name hides no column of its
    /// tables, and there is such a column where it is worked out of one that is called the same: `coalesce(a, 0) AS a`.
    fn given(&self, select: &Select) -> (Columns, Vec<Column>) {
        let (mut columns, mut own) = (Columns::default(), Vec::new());
        let places = self.scopes.last().map_or(&[][..], |scope| scope.places.as_slice());
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(expr) => columns.push(name_of(expr), self.found.of(expr)),
                SelectItem::ExprWithAlias { expr, alias } => {
                    let source = self.found.of(expr);
                    if !names(expr, &alias.value) {
                        own.push(Column { name: alias.value.clone(), source: source.clone() });
                    }
                    columns.push(&alias.value, source);
                }
                SelectItem::Wildcard(_) => {
                    // Two that are joined by a column have it once.
                    if select.from.iter().any(shares_columns) {
                        columns.mix(columns.known.len(), Source::default());
                    }
                    places.iter().for_each(|place| columns.extend(&place.columns));
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let is_it = |place: &&Place| place.name.eq_ignore_ascii_case(last(name));
                    places.iter().filter(is_it).for_each(|place| columns.extend(&place.columns));
                }
                SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => {
                    columns.extend(&Columns::unknown(Source::lost()));
                }
            }
        }
        (columns, own)
    }

    fn places(&mut self, from: &[TableWithJoins]) -> Vec<Place> {
        let mut places = Vec::new();
        from.iter().for_each(|tables| self.add_places(tables, &mut places));
        places
    }

    fn add_places(&mut self, tables: &TableWithJoins, places: &mut Vec<Place>) {
        let joined = tables.joins.iter().map(|join| &join.relation);
        for table in std::iter::once(&tables.relation).chain(joined) {
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
                    (name, self.query(subquery).called(heads))
                }
                TableFactor::NestedJoin { table_with_joins, alias: None } => {
                    self.add_places(table_with_joins, places);
                    continue;
                }
                _ => ("", Columns::unknown(Source::lost())),
            };
            places.push(Place { name: name.to_owned(), columns });
        }
    }

    /// A table that is not known is no matter of ours: its columns hold what they were declared to.
    fn table(&mut self, name: &ObjectName) -> Columns {
        let tables = self.tables;
        let (is_alone, name) = (name.0.len() == 1, last(name));
        if is_alone
            && let Some(named) = self.with.iter_mut().rfind(|with| with.name.eq_ignore_ascii_case(name))
        {
            named.is_asked = true;
            return named.columns.clone();
        }
        let Some(at) = tables.iter().position(|table| table.name.eq_ignore_ascii_case(name)) else {
            return Columns::unknown(Source::default());
        };
        let before: usize = tables[..at].iter().map(|table| table.columns.len()).sum();
        let mut columns = Columns::default();
        for (place, (name, affinity)) in (before..).zip(&tables[at].columns) {
            columns.push(name, Source { columns: BTreeSet::from([place]), ..Source::of(*affinity) });
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
        if let Some(source) = self.scopes.iter().rev().find_map(|scope| scope.source(of, &name.value)) {
            let noted = self.found.names.entry(place(expr)).or_default();
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

impl Visitor for Walk<'_, '_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if self.depth == 0 {
            self.reader.query(query);
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.depth += usize::from(matches!(table, TableFactor::Derived { .. }));
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.depth -= usize::from(matches!(table, TableFactor::Derived { .. }));
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if self.depth == 0 {
            self.reader.note(expr);
        }
        ControlFlow::Continue(())
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
fn last(name: &ObjectName) -> &str {
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

/// Whether tables are joined so that they have a column in common.
fn shares_columns(tables: &TableWithJoins) -> bool {
    use JoinOperator::{CrossJoin, FullOuter, Inner, Left, LeftOuter, Right, RightOuter};
    let is_shared = |join: &Join| match &join.join_operator {
        JoinOperator::Join(on)
        | Inner(on)
        | Left(on)
        | LeftOuter(on)
        | Right(on)
        | RightOuter(on)
        | FullOuter(on)
        | CrossJoin(on) => matches!(on, JoinConstraint::Using(_) | JoinConstraint::Natural),
        _ => false,
    };
    let is_nested = |table: &TableFactor| match table {
        TableFactor::NestedJoin { table_with_joins, .. } => shares_columns(table_with_joins),
        _ => false,
    };
    tables.joins.iter().any(|join| is_shared(join) || is_nested(&join.relation))
        || is_nested(&tables.relation)
}
