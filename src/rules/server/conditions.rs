//! The `conditions` of a rule: parsed and checked when it is saved, rendered when it runs.
//!
//! A template stands only where its value stays data: SQL parameters, URL path segments (encoded) and query
//! values, header and body values, values that a file's columns are matched with, and what is compared.

use std::cmp::Ordering;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{
    expression::Expression,
    judge::{self, Whose},
    values,
};
use crate::{
    datasources::{
        dto::DatasourceType,
        server::lookup::{
            Request,
            json_path::JsonPath,
            sql_check::{self, SqlDialect},
        },
    },
    emails::server::{
        address,
        fields::{self, Fields},
    },
    intents::{
        dto::{Extractor, FieldType, is_field},
        server::matching::compile,
    },
    rules::dto::{CREDENTIAL_HEADERS, RuleType, asks},
    server::extract::{not_known, parse_json},
    shared::{
        FieldError, Problem,
        template::{RenderError, Template, is_field_name},
        validate::Checks,
    },
};

/// What conditions are held against: the type of the rule's datasource, and the dialect that their SQL is checked in.
/// Without a dialect the SQL is not looked at: each look-up checks it again, in its database's own.
pub type Kind = (DatasourceType, Option<SqlDialect>);

/// Parsed conditions.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// What is asked; `None` for a rule that looks at the message alone.
    pub lookup: Option<Lookup>,
    pub judgement: Judgement,
}

/// A look-up with its templates.
#[derive(Clone, Debug)]
pub enum Lookup {
    Sql { query: String, params: Vec<Operand> },
    Match(Vec<(String, Operand)>),
    Api(Box<ApiLookup>),
}

/// An HTTP request with its templates.
#[derive(Clone, Debug)]
pub struct ApiLookup {
    method: String,
    path: Template,
    query: Vec<(String, Operand)>,
    headers: Vec<(String, Operand)>,
    body: Option<Value>,
    status: Vec<u16>,
    rows: Option<JsonPath>,
    /// Whether the API leaves a list out that has no items.
    rows_optional: bool,
}

/// What is made of the rows, or of the field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The column that is looked at; the first, if not named.
    #[serde(default)]
    pub column: Option<String>,
    /// What it should be; the rule's own field, if not given. Several for `one_of`, two for `between`; `null` for a column
    /// that is empty.
    // With a function of its own `null` is not the same as a missing member.
    #[serde(default, deserialize_with = "given")]
    pub expected: Option<Expected>,
    #[serde(default)]
    pub op: Option<CompareOp>,
    /// What both sides are read as; what `read_as` says, if not said.
    #[serde(default, rename = "as")]
    pub kind: Option<FieldType>,
    #[serde(default)]
    pub expression: Option<Expression>,
    #[serde(default)]
    pub ignore_case: bool,
    #[serde(default)]
    pub pattern: Option<String>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Expected>, D::Error> {
    Expected::deserialize(deserializer).map(Some)
}

/// What is compared with.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Expected {
    One(Operand),
    Several(Vec<Operand>),
}

impl TryFrom<Value> for Expected {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(items) => {
                items.into_iter().map(Operand::try_from).collect::<Result<_, _>>().map(Self::Several)
            }
            one => Operand::try_from(one).map(Self::One),
        }
    }
}

impl Expected {
    pub fn operands(&self) -> &[Operand] {
        match self {
            Self::One(operand) => std::slice::from_ref(operand),
            Self::Several(operands) => operands,
        }
    }

    fn is_null(&self) -> bool {
        *self == Self::One(Operand::Literal(Value::Null))
    }
}

impl Judgement {
    /// What both sides are read as. Where it is not said, that is the type of the first field that stands on a side by itself.
    /// `compare` that has none reads what its literals are together, numbers first (see `judge::compared_as`).
    pub fn read_as(
        &self,
        rule_type: RuleType,
        field_name: &str,
        looks_up: bool,
        type_of: impl Fn(&str) -> FieldType,
    ) -> FieldType {
        if let Some(kind) = self.kind {
            return kind;
        }
        let said = self.type_of_fields(rule_type, field_name, looks_up, type_of);
        if rule_type != RuleType::Compare {
            return said.unwrap_or(FieldType::Text);
        }
        let literals: Vec<Value> = self.literals().collect();
        let literals: Vec<(&Value, Whose)> = literals.iter().map(|one| (one, Whose::Rule)).collect();
        said.or_else(|| judge::common_kind(&literals, chrono::Utc::now())).unwrap_or(FieldType::Number)
    }

    /// The type of the first field that stands on a side by itself, if one has any. A number can be compared with a sum or by
    /// itself, so that `compare` takes another type first.
    pub fn type_of_fields(
        &self,
        rule_type: RuleType,
        field_name: &str,
        looks_up: bool,
        type_of: impl Fn(&str) -> FieldType,
    ) -> Option<FieldType> {
        let own = (!looks_up || self.expected.is_none()).then_some(field_name);
        let others = self.expected.iter().flat_map(Expected::operands).filter_map(Operand::field);
        let types: Vec<FieldType> =
            own.into_iter().chain(others).map(type_of).filter(|kind| *kind != FieldType::Text).collect();
        let is_first = |kind: &&FieldType| rule_type != RuleType::Compare || **kind != FieldType::Number;
        types.iter().find(is_first).or(types.first()).copied()
    }

    fn literals(&self) -> impl Iterator<Item = Value> {
        self.expected.iter().flat_map(Expected::operands).filter_map(Operand::literal)
    }

    /// Faults of literals that say nothing of the kind that they are read as: nothing could ever be the same.
    fn unreadable(&self, rule_type: RuleType, kind: FieldType) -> Vec<String> {
        if kind == FieldType::Text {
            return Vec::new();
        }
        let now = chrono::Utc::now();
        // An empty column can be asked for in any type, and has no order.
        let literals = self.literals().filter(|one| rule_type == RuleType::Compare || !one.is_null());
        let is_unsaid = rule_type == RuleType::Compare && self.kind.is_none() && kind == FieldType::Number;
        let told = |fault: String| if is_unsaid { format!("{fault}{SAY_KIND}") } else { fault };
        literals.filter_map(|one| judge::readable(&one, kind, Whose::Rule, now).err()).map(told).collect()
    }

    /// Whether the first of two bounds is over the second, on whatever day the rule runs: `today` is another then.
    fn is_reversed(&self, kind: FieldType) -> bool {
        let literals: Vec<Value> = self.literals().collect();
        let [lowest, highest] = literals.as_slice() else { return false };
        let early = chrono::DateTime::UNIX_EPOCH;
        // In the year 9909.
        let late = early + chrono::TimeDelta::days(2_900_000);
        [early, late].into_iter().all(|now| {
            let read = |literal| judge::readable(literal, kind, Whose::Rule, now).ok();
            read(lowest).zip(read(highest)).and_then(|(lowest, highest)| lowest.order(&highest))
                == Some(Ordering::Greater)
        })
    }
}

/// What is to be said where no kind fits all that is compared.
const SAY_KIND: &str = "; what is compared must all be numbers, dates or sums of money: \"as\": \"date\" or \"as\": \"money\" says which";

/// How `compare` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum CompareOp {
    #[serde(rename = ">")]
    Greater,
    #[serde(rename = ">=")]
    GreaterOrEqual,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = "<=")]
    LessOrEqual,
    #[serde(rename = "between")]
    Between,
}

/// A value: a literal, or a text with templates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Value")]
pub enum Operand {
    Literal(Value),
    Text(Template),
}

impl TryFrom<Value> for Operand {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => text.parse().map(Self::Text).map_err(|error| format!("{error}")),
            Value::Array(_) | Value::Object(_) => Err("must be a text, a number, true, false or null".into()),
            literal => Ok(Self::Literal(literal)),
        }
    }
}

/// Why conditions cannot be rendered for a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrenderable {
    /// The message does not have this field, or it is empty. The rule may be skipped.
    Missing(String),
    /// The message says something of it that cannot be read, stands there several times, or cannot stand where it is
    /// needed: a sentence. Who sends it chose what it says, and gets round no rule by that.
    Unfit(String),
}

impl Unrenderable {
    /// Of a field that has no value.
    pub fn absent(name: &str, fields: &Fields) -> Self {
        match fields.unread(name) {
            Some(why) => Self::Unfit(why.to_owned()),
            None => Self::Missing(name.to_owned()),
        }
    }

    fn of(error: RenderError, fields: &Fields) -> Self {
        match error {
            RenderError::Missing(name) => Self::absent(&name, fields),
            RenderError::TooLong => Self::Unfit(error.to_string()),
        }
    }
}

impl Operand {
    /// # Errors
    /// `Unrenderable`.
    pub fn render(&self, fields: &Fields) -> Result<Value, Unrenderable> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Text(template) => render(template, fields).map(Value::String),
        }
    }

    /// What it is for every message alike.
    fn literal(&self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::Text(template) => template.fields().next().is_none().then(|| template.to_string().into()),
        }
    }

    fn fields(&self) -> Vec<&str> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Text(template) => template.fields().collect(),
        }
    }

    /// The field that it is, where it is one and nothing beside.
    fn field(&self) -> Option<&str> {
        let Self::Text(template) = self else { return None };
        template.fields().next().filter(|name| template.to_string() == format!("{{{{{name}}}}}"))
    }

    /// The header field of the message that is in it, if one is, which may have several values.
    pub fn header(&self) -> Option<&str> {
        self.fields().into_iter().find(|name| name.starts_with("header."))
    }

    /// Whether what it names is an address, or a part of one, and nothing else.
    pub fn is_address(&self) -> bool {
        let fields = self.fields();
        !fields.is_empty() && fields.iter().all(|name| address::FIELDS.contains(name))
    }

    /// Whether the message has a part in its value.
    pub fn is_of_message(&self) -> bool {
        !self.fields().is_empty()
    }
}

fn render(template: &Template, fields: &Fields) -> Result<String, Unrenderable> {
    template.render(|name| fields.present(name)).map_err(|error| Unrenderable::of(error, fields))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlForm {
    query: String,
    #[serde(default)]
    params: Vec<Operand>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MatchForm {
    r#match: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApiForm {
    #[serde(default = "get")]
    method: String,
    path: Template,
    #[serde(default)]
    query: Map<String, Value>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    status: Vec<u16>,
    #[serde(default)]
    rows: Option<String>,
    #[serde(default)]
    rows_optional: bool,
}

fn get() -> String {
    "GET".into()
}

/// As JSON, in bytes.
const MAX_CONDITIONS: usize = 64 << 10;
/// Members that judge; what else there is, looks up.
const JUDGEMENT: [&str; 7] = ["column", "expected", "ignore_case", "pattern", "op", "as", "expression"];

/// Members that look something up in a datasource of this type.
const fn asking_members(datasource: DatasourceType) -> &'static [&'static str] {
    match datasource {
        DatasourceType::Database => &["query", "params"],
        DatasourceType::File => &["match", "query", "params"],
        DatasourceType::Api => {
            &["method", "path", "query", "headers", "body", "status", "rows", "rows_optional"]
        }
    }
}

/// Members that judge in a rule of this type.
const fn judging_members(rule_type: RuleType) -> &'static [&'static str] {
    match rule_type {
        RuleType::Exists | RuleType::NotExists => &[],
        RuleType::Equals | RuleType::NotEquals | RuleType::OneOf => {
            &["column", "expected", "ignore_case", "as"]
        }
        RuleType::Regex => &["column", "pattern", "ignore_case"],
        RuleType::Compare => &["column", "expected", "op", "as"],
        RuleType::Expression => &["expression"],
    }
}

/// Members that people look for here and that stand on the rule itself.
const OF_THE_RULE: [&str; 5] = ["on_fail", "on_error", "when_missing", "stop", "priority"];
/// Headers that are the connection's own.
const CONNECTION_HEADERS: [&str; 5] =
    ["host", "content-length", "connection", "transfer-encoding", "upgrade"];

/// Parses conditions. `datasource` is the rule's.
///
/// # Errors
/// 422 naming each member at fault, as `conditions.query`.
pub fn parse(
    rule_type: RuleType,
    datasource: Option<Kind>,
    conditions: &Value,
) -> Result<Conditions, Problem> {
    if conditions.to_string().len() > MAX_CONDITIONS {
        return Err(Problem::invalid_field(
            "conditions",
            format!("must have at most {MAX_CONDITIONS} bytes"),
        ));
    }
    let object =
        conditions.as_object().ok_or_else(|| Problem::invalid_field("conditions", "must be an object"))?;
    let (judging, asking): (Map<_, _>, Map<_, _>) =
        object.clone().into_iter().partition(|(name, _)| JUDGEMENT.contains(&name.as_str()));
    let mut checks = Checks::default();
    for name in asking.keys() {
        if OF_THE_RULE.contains(&name.as_str()) {
            let place = format!("stands on the rule itself, beside conditions: {name}");
            checks.fault(format!("conditions.{name}"), place);
        } else if !may_ask(datasource, name) {
            checks.fault(format!("conditions.{name}"), not_known(&known_members(rule_type, datasource)));
        }
    }
    // What is misspelled would be blamed on the datasource.
    checks.finish()?;

    let mut checks = Checks::default();
    let mut judgement = checks.part("conditions", form::<Judgement>(judging));
    // A column may be empty; elsewhere `null` asks for nothing, and was always taken for left out.
    let names_rows = judgement
        .as_ref()
        .and_then(|judgement| judgement.expression.as_ref())
        .is_some_and(|expression| expression.needs_row() || expression.needs_all_rows());
    let asked = datasource.filter(|_| names_rows || asks(rule_type, conditions));
    let may_be_empty = asked.is_some() && matches!(rule_type, RuleType::Equals | RuleType::NotEquals);
    if let Some(judgement) = judgement.as_mut().filter(|_| !may_be_empty) {
        judgement.expected = judgement.expected.take().filter(|expected| !expected.is_null());
    }
    let lookup = match asked {
        None if asking.is_empty() => None,
        None => {
            checks.fault("datasource_id", "is needed: the conditions look something up");
            None
        }
        Some(kind) => checks.part("conditions", parse_lookup(kind, asking)),
    };
    if let Some(judgement) = &judgement {
        check_judgement(rule_type, asked.is_some(), judgement, &mut checks);
    }
    checks.finish()?;
    let judgement = judgement.unwrap_or_default();
    Ok(Conditions { lookup, judgement })
}

/// Whether a member looks something up: in the rule's datasource or, where it has none yet, in some.
fn may_ask(datasource: Option<Kind>, name: &str) -> bool {
    match datasource {
        Some((kind, _)) => asking_members(kind).contains(&name),
        None => DatasourceType::ALL.iter().any(|kind| asking_members(*kind).contains(&name)),
    }
}

fn known_members(rule_type: RuleType, datasource: Option<Kind>) -> Vec<&'static str> {
    let asking = datasource.map_or(&[][..], |(kind, _)| asking_members(kind)).iter();
    // A column is one of what was looked up.
    let judging = judging_members(rule_type).iter().filter(|name| datasource.is_some() || **name != "column");
    asking.chain(judging).copied().collect()
}

fn form<T: serde::de::DeserializeOwned>(members: Map<String, Value>) -> Result<T, Problem> {
    parse_json(&serde_json::to_vec(&members).unwrap_or_default())
}

fn parse_lookup((kind, dialect): Kind, members: Map<String, Value>) -> Result<Lookup, Problem> {
    match kind {
        DatasourceType::Database => parse_sql(dialect, members),
        DatasourceType::File if members.contains_key("match") => {
            let form: MatchForm = form(members)?;
            if form.r#match.is_empty() {
                return Err(Problem::invalid_field("match", "must name at least one column"));
            }
            Ok(Lookup::Match(operands("match", form.r#match)?))
        }
        DatasourceType::File => parse_sql(dialect.map(|_| SqlDialect::Sqlite), members),
        DatasourceType::Api => parse_api(form(members)?),
    }
}

fn parse_sql(dialect: Option<SqlDialect>, members: Map<String, Value>) -> Result<Lookup, Problem> {
    let form: SqlForm = form(members)?;
    if let Some(dialect) = dialect {
        let checked = sql_check::check(&form.query, dialect)
            .map_err(|fault| Problem::invalid_field("query", format!("the query {fault}")))?;
        if checked.params != form.params.len() {
            return Err(Problem::invalid_field(
                "params",
                format!("do not fit: the query takes {} and there are {}", checked.params, form.params.len()),
            ));
        }
    }
    Ok(Lookup::Sql { query: form.query, params: form.params })
}

fn operands(prefix: &str, members: Map<String, Value>) -> Result<Vec<(String, Operand)>, Problem> {
    members
        .into_iter()
        .map(|(name, value)| match Operand::try_from(value) {
            Ok(operand) => Ok((name, operand)),
            Err(fault) => Err(Problem::invalid_field(format!("{prefix}.{name}"), fault)),
        })
        .collect()
}

fn parse_api(form: ApiForm) -> Result<Lookup, Problem> {
    let mut checks = Checks::default();
    let form = ApiForm { method: form.method.to_ascii_uppercase(), ..form };
    if !matches!(form.method.as_str(), "GET" | "POST") {
        checks.fault("method", "must be GET or POST");
    }
    let path = form.path.to_string();
    if !path.starts_with('/') {
        checks.fault("path", "must begin with /");
    }
    if path.contains(['?', '#', '\\', '%'])
        || path.chars().any(char::is_control)
        || path.split('/').any(|part| matches!(part, "." | ".."))
    {
        checks.fault("path", "must hold none of ? # \\ % . and ..; put the query into query");
    }
    for (name, value) in &form.headers {
        if let Some(fault) = unfit_header(name, value) {
            checks.fault(format!("headers.{name}"), fault);
        }
    }
    if let Some(status) = form.status.iter().find(|status| !(200..=599).contains(*status)) {
        checks.fault("status", format!("{status} is no status of an answer"));
    }
    if form.rows_optional && form.rows.is_none() {
        checks
            .fault("rows_optional", "means something beside rows alone: it says that those may be left out");
    }
    let rows =
        form.rows.and_then(|text| text.parse::<JsonPath>().map_err(|fault| checks.fault("rows", fault)).ok());
    if let Some(fault) = form.body.iter().flat_map(texts).find_map(|text| text.parse::<Template>().err()) {
        checks.fault("body", fault.to_string());
    }
    let query = checks.part_as_is(operands("query", form.query)).unwrap_or_default();
    let headers = checks.part_as_is(operands("headers", form.headers)).unwrap_or_default();
    checks.finish()?;
    Ok(Lookup::Api(Box::new(ApiLookup {
        method: form.method,
        path: form.path,
        query,
        headers,
        body: form.body,
        status: form.status,
        rows,
        rows_optional: form.rows_optional,
    })))
}

/// Why no request can have such a header.
fn unfit_header(name: &str, value: &Value) -> Option<&'static str> {
    use reqwest::header::{HeaderName, HeaderValue};
    let lower = name.to_ascii_lowercase();
    if HeaderName::from_bytes(name.as_bytes()).is_err() {
        Some("is no header name")
    } else if CREDENTIAL_HEADERS.contains(&lower.as_str()) {
        Some("carries credentials: put them into the config's auth_config, where they are encrypted")
    } else if CONNECTION_HEADERS.contains(&lower.as_str()) {
        Some("is set by the connection itself")
    } else if value.as_str().is_some_and(|text| HeaderValue::from_str(text).is_err()) {
        Some("holds what no header can: letters without accents, digits and signs alone")
    } else {
        None
    }
}

/// The texts in a JSON value; the names of members are none.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(members) => members.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// A JSON value with a message's fields in its texts.
fn render_texts(value: &Value, fields: &Fields) -> Result<Value, Unrenderable> {
    Ok(match value {
        Value::String(text) => match text.parse::<Template>() {
            Ok(template) => Value::String(render(&template, fields)?),
            Err(error) => return Err(Unrenderable::Unfit(error.to_string())),
        },
        Value::Array(items) => {
            let items: Result<Vec<Value>, Unrenderable> =
                items.iter().map(|item| render_texts(item, fields)).collect();
            Value::Array(items?)
        }
        Value::Object(members) => {
            let mut rendered = Map::new();
            for (name, value) in members {
                rendered.insert(name.clone(), render_texts(value, fields)?);
            }
            Value::Object(rendered)
        }
        other => other.clone(),
    })
}

fn check_judgement(rule_type: RuleType, looks_up: bool, judgement: &Judgement, checks: &mut Checks) {
    use RuleType::{Compare, Equals, Exists, Expression, NotEquals, NotExists, OneOf, Regex};
    let known = judging_members(rule_type);
    for (name, given) in [
        ("column", judgement.column.is_some()),
        ("expected", judgement.expected.is_some()),
        ("ignore_case", judgement.ignore_case),
        ("pattern", judgement.pattern.is_some()),
        ("op", judgement.op.is_some()),
        ("as", judgement.kind.is_some()),
        ("expression", judgement.expression.is_some()),
    ] {
        if given && !known.contains(&name) {
            checks.fault(format!("conditions.{name}"), format!("means nothing to the rule type {rule_type}"));
        }
    }
    if let Some(fault) = unfit_expected(rule_type, looks_up, judgement) {
        checks.fault("conditions.expected", fault);
    }
    match rule_type {
        Exists | NotExists | Equals | NotEquals | OneOf => {}
        Compare => {
            if judgement.op.is_none() {
                checks.fault("conditions.op", "is missing: >, >=, <, <= or between");
            }
            if judgement.kind == Some(FieldType::Text) {
                checks.fault("conditions.as", "must be number, date or money");
            }
        }
        Expression => {
            if judgement.expression.is_none() {
                checks.fault("conditions.expression", "is missing");
            }
        }
        Regex => match &judgement.pattern {
            None => checks.fault("conditions.pattern", "is missing"),
            Some(pattern) => {
                if let Err(fault) = compile(pattern, judgement.ignore_case) {
                    checks.fault("conditions.pattern", fault);
                }
            }
        },
    }
    // The types of fields are known with the intent's extractors: see `faults`.
    let kind = judgement.read_as(rule_type, "", looks_up, |_| FieldType::Text);
    for fault in judgement.unreadable(rule_type, kind) {
        checks.fault("conditions.expected", fault);
    }
    if !looks_up && judgement.column.is_some() {
        checks.fault("conditions.column", "means nothing where nothing is looked up");
    }
}

/// Why there is too much or too little to compare with.
fn unfit_expected(rule_type: RuleType, looks_up: bool, judgement: &Judgement) -> Option<&'static str> {
    use RuleType::{Compare, Equals, NotEquals, OneOf};
    let several = matches!(judgement.expected, Some(Expected::Several(_)));
    let count = judgement.expected.as_ref().map_or(0, |expected| expected.operands().len());
    match (rule_type, judgement.op) {
        (Equals | NotEquals, _) if several => Some("must be one value; several are for one_of"),
        (OneOf, _) if !several || count == 0 => Some("must be a list of values"),
        (OneOf, _) if count > 1_000 => Some("must be at most 1000 values"),
        (Compare, Some(CompareOp::Between)) if several && count == 2 => None,
        (Compare, Some(CompareOp::Between)) => {
            Some("must be a list of two values: the lowest and the highest")
        }
        (Compare, Some(_)) if several => Some("must be one value; two are for between"),
        (Equals | NotEquals, _) | (Compare, Some(_)) if !looks_up && count == 0 => {
            Some("is needed where nothing is looked up")
        }
        _ => None,
    }
}

impl Conditions {
    /// Every field that a template or the expression in it names.
    pub fn fields(&self) -> Vec<String> {
        let mut names = self.fields_of_templates();
        names.extend(self.judgement.expression.iter().flat_map(Expression::fields).cloned());
        names
    }

    /// Whether it is the expression that names the field, and no template.
    pub fn names_in_expression(&self, name: &str) -> bool {
        !self.fields_of_templates().iter().any(|field| field == name)
    }

    fn fields_of_templates(&self) -> Vec<String> {
        let mut names = self.lookup.as_ref().map_or_else(Vec::new, Lookup::fields);
        for operand in self.judgement.expected.iter().flat_map(Expected::operands) {
            names.extend(operand.fields().into_iter().map(str::to_owned));
        }
        names
    }
}

impl Lookup {
    /// Every field that a template in it names: what is asked depends on these.
    pub fn fields(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut add = |operand: &Operand| names.extend(operand.fields().into_iter().map(str::to_owned));
        match self {
            Self::Sql { params, .. } => params.iter().for_each(&mut add),
            Self::Match(columns) => columns.iter().for_each(|(_, operand)| add(operand)),
            Self::Api(api) => {
                api.query.iter().chain(&api.headers).for_each(|(_, operand)| add(operand));
                add(&Operand::Text(api.path.clone()));
                let of_body =
                    api.body.iter().flat_map(texts).filter_map(|text| text.parse::<Template>().ok());
                of_body.for_each(|template| add(&Operand::Text(template)));
            }
        }
        names
    }

    /// Puts a message's fields in.
    ///
    /// # Errors
    /// `Unrenderable`, as a header field is that stands more than once in the message: nothing is found by all of its
    /// values together, and what should not be there would not be.
    pub fn render(&self, fields: &Fields) -> Result<Request, Unrenderable> {
        for name in self.fields() {
            let count = fields.present(&name).map_or(0, |text| fields::values(&name, text).count());
            if count > 1 {
                return Err(Unrenderable::Unfit(format!(
                    "{name} stands {count} times in the message, and a look-up takes one value"
                )));
            }
        }
        match self {
            Self::Sql { query, params } => Ok(Request::Sql {
                query: query.clone(),
                params: params.iter().map(|param| param.render(fields)).collect::<Result<_, _>>()?,
                from_message: params.iter().map(Operand::is_of_message).collect(),
            }),
            Self::Match(columns) => Ok(Request::Match {
                columns: columns
                    .iter()
                    .map(|(name, operand)| Ok((name.clone(), operand.render(fields)?)))
                    .collect::<Result<_, Unrenderable>>()?,
                ignore_case: columns
                    .iter()
                    .filter(|(_, operand)| operand.is_address())
                    .map(|(name, _)| name.clone())
                    .collect(),
            }),
            Self::Api(api) => api.render(fields),
        }
    }
}

impl ApiLookup {
    fn render(&self, fields: &Fields) -> Result<Request, Unrenderable> {
        let texts = |pairs: &[(String, Operand)]| {
            pairs
                .iter()
                .map(|(name, operand)| {
                    Ok((
                        name.clone(),
                        match operand.render(fields)? {
                            Value::String(text) => text,
                            other => other.to_string(),
                        },
                    ))
                })
                .collect::<Result<Vec<_>, Unrenderable>>()
        };
        let body = self.body.as_ref().map(|body| render_texts(body, fields)).transpose()?;
        Ok(Request::Api {
            method: self.method.clone(),
            path: self.render_path(fields)?,
            query: texts(&self.query)?,
            headers: texts(&self.headers)?,
            body,
            status: self.status.clone(),
            rows: self.rows.clone(),
            rows_optional: self.rows_optional,
        })
    }

    /// A field's value becomes part of one segment, whatever it holds: it can neither end the segment nor climb.
    fn render_path(&self, fields: &Fields) -> Result<String, Unrenderable> {
        let encoded: Vec<(String, String)> = self
            .path
            .fields()
            .map(|name| match fields.present(name) {
                Some(value) => Ok((name.to_owned(), encode_segment(value))),
                None => Err(Unrenderable::absent(name, fields)),
            })
            .collect::<Result<_, _>>()?;
        let find =
            |name: &str| encoded.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let path = self.path.render(find).map_err(|error| Unrenderable::of(error, fields))?;
        // A URL parser takes "." and "..", encoded or not, for steps.
        match path.split('/').find(|segment| matches!(*segment, "." | "..")) {
            Some(segment) => Err(Unrenderable::Unfit(format!("'{segment}' cannot stand in a URL's path"))),
            None => Ok(path),
        }
    }
}

/// Percent-encodes all but RFC 3986's unreserved characters.
fn encode_segment(value: &str) -> String {
    value
        .bytes()
        .map(|b| match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(b).to_string(),
            _ => format!("%{b:02X}"),
        })
        .collect()
}

/// Faults of conditions in the light of their rule's field and of the intent's extractors: templates that name a field which
/// no message of the intent can have, and literals that say nothing of the type of the field that they are compared with.
/// `Expression::check` tells those of the expression, at its own place.
pub fn faults(
    conditions: &Conditions,
    rule_type: RuleType,
    field_name: &str,
    extractors: &[Extractor],
) -> Vec<FieldError> {
    let mut faults = unknown_fields(conditions, |name| is_field(extractors, name));
    let type_of = |name: &str| {
        extractors.iter().find(|one| one.name == name).map_or(FieldType::Text, |extractor| extractor.kind)
    };
    let judgement = &conditions.judgement;
    let kind = judgement.read_as(rule_type, field_name, conditions.lookup.is_some(), type_of);
    let mut unreadable = judgement.unreadable(rule_type, kind);
    // Told where a rule is saved alone: what is stored goes on as it was read.
    let is_unclear = |one: &Value| {
        one.as_str()
            .is_some_and(|text| values::number(text).is_some() && values::written_number(text).is_none())
    };
    let may_be_number =
        kind == FieldType::Number || (rule_type == RuleType::Compare && judgement.kind.is_none());
    if may_be_number && judgement.literals().any(|one| is_unclear(&one)) {
        unreadable.push("is no number, or could be two".into());
    }
    if judgement.op == Some(CompareOp::Between) && judgement.is_reversed(kind) {
        unreadable.push("must begin with the lowest".into());
    }
    faults.extend(unreadable.into_iter().map(|fault| FieldError::new("conditions.expected", fault)));
    faults
}

/// Faults of conditions that have a template where it would stay as it is written: in names, paths, patterns and expressions.
/// Told where a rule is saved alone, as what is unclear: what is stored goes on.
pub fn misplaced_templates(conditions: &Value, extractors: &[Extractor]) -> Vec<FieldError> {
    let mut faults = Vec::new();
    let mut look = |field: String, text: &str| {
        // What names no field is no template: a mail that says `{{first_name}}` may be what is looked for.
        if let Some(name) = template_in(text).filter(|name| is_field(extractors, name)) {
            let fault = format!(
                "must not hold a template: '{{{{{name}}}}}' may stand as a value alone, and never in a name, a path to rows, \
                 a pattern or an expression"
            );
            faults.push(FieldError::new(field, fault));
        }
    };
    for member in ["column", "expression", "method", "op", "pattern", "rows"] {
        if let Some(text) = conditions.get(member).and_then(Value::as_str) {
            look(format!("conditions.{member}"), text);
        }
    }
    for member in ["body", "headers", "match", "query"] {
        let names = conditions.get(member).map_or_else(Vec::new, names);
        names.into_iter().for_each(|name| look(format!("conditions.{member}"), name));
    }
    faults
}

/// The names of the members in a JSON value, however deep.
fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| std::iter::once(name.as_str()).chain(names(value)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// The first field that the text names as a template does. A number in braces names none.
fn template_in(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some((_, inner)) = rest.split_once("{{") {
        if let Some((name, _)) = inner.split_once("}}") {
            let name = name.trim();
            if is_field_name(name) && !name.starts_with(|first: char| first.is_ascii_digit()) {
                return Some(name);
            }
        }
        rest = inner;
    }
    None
}

fn unknown_fields(conditions: &Conditions, is_known: impl Fn(&str) -> bool) -> Vec<FieldError> {
    let mut unknown: Vec<String> = conditions.fields_of_templates();
    unknown.retain(|name| !is_known(name));
    unknown.sort();
    unknown.dedup();
    unknown
        .into_iter()
        .map(|name| {
            FieldError::new(
                "conditions",
                format!("'{{{{{name}}}}}' is neither a field of a message nor an extractor of the intent"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const DB: Option<Kind> = Some((DatasourceType::Database, Some(SqlDialect::Sqlite)));
    const API: Option<Kind> = Some((DatasourceType::Api, None));
    const FILE: Option<Kind> = Some((DatasourceType::File, Some(SqlDialect::Sqlite)));

    fn places(result: Result<Conditions, Problem>) -> Vec<String> {
        result.expect_err("faults").errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn faults_name_their_member() {
        use RuleType::{Compare, Equals, Exists, Expression, NotEquals, OneOf, Regex};
        for (rule_type, datasource, conditions, place) in [
            (Exists, DB, json!([]), "conditions"),
            (Exists, DB, json!({}), "conditions.query"),
            (Exists, DB, json!({"query": "DELETE FROM c"}), "conditions.query"),
            (Exists, DB, json!({"query": "SELECT '{{subject}}'"}), "conditions.query"),
            (Exists, DB, json!({"query": "SELECT ?", "params": []}), "conditions.params"),
            (Exists, DB, json!({"query": "SELECT ?", "params": ["{{a b}}"]}), "conditions.params[0]"),
            (Exists, DB, json!({"query": "SELECT 1", "nonsense": 1}), "conditions.nonsense"),
            (Exists, DB, json!({"query": "SELECT 1", "expected": 1}), "conditions.expected"),
            (Exists, DB, json!({"query": "SELECT 1", "when_missing": "skip"}), "conditions.when_missing"),
            (Exists, None, json!({"query": "SELECT 1"}), "datasource_id"),
            (Regex, None, json!({"pattern": "x", "ignorecase": true}), "conditions.ignorecase"),
            (Regex, DB, json!({"pattern": "x", "ignorecase": true}), "conditions.ignorecase"),
            (Exists, None, json!({"query": "SELECT 1", "parms": []}), "conditions.parms"),
            (Exists, DB, json!({"path": "/"}), "conditions.path"),
            (Exists, FILE, json!({"match": {"a": 1}, "query": "SELECT 1"}), "conditions.query"),
            (Exists, FILE, json!({"match": {}}), "conditions.match"),
            (Exists, FILE, json!({"match": {"a": []}}), "conditions.match.a"),
            (Exists, API, json!({"path": "x"}), "conditions.path"),
            (Exists, API, json!({"path": "/x?y={{subject}}"}), "conditions.path"),
            (Exists, API, json!({"path": "/a/../b"}), "conditions.path"),
            (Exists, API, json!({"path": "/", "method": "DELETE"}), "conditions.method"),
            (
                Exists,
                API,
                json!({"path": "/", "headers": {"Authorization": "x"}}),
                "conditions.headers.Authorization",
            ),
            (Exists, API, json!({"path": "/", "status": [99]}), "conditions.status"),
            (Exists, API, json!({"path": "/", "body": {"a": "{{"}}), "conditions.body"),
            (Equals, None, json!({}), "conditions.expected"),
            (Equals, None, json!({"expected": 1, "column": "a"}), "conditions.column"),
            (Regex, None, json!({}), "conditions.pattern"),
            (Regex, None, json!({"pattern": "("}), "conditions.pattern"),
            (Equals, None, json!({"expected": [1, 2]}), "conditions.expected"),
            (OneOf, None, json!({"expected": "a"}), "conditions.expected"),
            (OneOf, None, json!({"expected": []}), "conditions.expected"),
            (OneOf, None, json!({"expected": ["a"], "pattern": "x"}), "conditions.pattern"),
            (Compare, None, json!({"expected": 5}), "conditions.op"),
            (Compare, None, json!({"op": "~", "expected": 5}), "conditions.op"),
            (Compare, None, json!({"op": ">"}), "conditions.expected"),
            (Compare, None, json!({"op": ">", "expected": "five"}), "conditions.expected"),
            (Compare, None, json!({"op": "between", "expected": [1]}), "conditions.expected"),
            (Compare, None, json!({"op": ">", "expected": "2026-01-01", "as": "text"}), "conditions.as"),
            (
                Compare,
                None,
                json!({"op": ">", "expected": "02/03/2026", "as": "date"}),
                "conditions.expected",
            ),
            (Equals, None, json!({"expected": "n/a", "as": "money"}), "conditions.expected"),
            (
                NotEquals,
                DB,
                json!({"query": "SELECT 1", "expected": true, "as": "number"}),
                "conditions.expected",
            ),
            (OneOf, None, json!({"expected": ["1.5", "1,234"], "as": "number"}), "conditions.expected"),
            (Regex, None, json!({"pattern": "x", "as": "number"}), "conditions.as"),
            (Expression, None, json!({}), "conditions.expression"),
            (Expression, None, json!({"expression": "1 +"}), "conditions.expression"),
            (Exists, API, json!({"path": "/", "rows": "items["}), "conditions.rows"),
            (Exists, API, json!({"path": "/", "rows_optional": true}), "conditions.rows_optional"),
            (
                Exists,
                API,
                json!({"path": "/", "rows": "$.a[*]", "rows_optional": 1}),
                "conditions.rows_optional",
            ),
            (Exists, DB, json!({"query": "SELECT 1", "rows_optional": true}), "conditions.rows_optional"),
            (Exists, API, json!({"path": "/a\t/b"}), "conditions.path"),
        ] {
            assert_eq!(places(parse(rule_type, datasource, &conditions)), [place], "{conditions}");
        }
    }

    #[test]
    fn a_member_that_is_not_known_is_told_what_is() {
        for (rule_type, datasource, known) in [
            (RuleType::Regex, None, "`pattern`, `ignore_case`"),
            (RuleType::Regex, DB, "`query`, `params`, `column`, `pattern`, `ignore_case`"),
            (RuleType::Exists, FILE, "`match`, `query`, `params`"),
            (RuleType::Expression, None, "`expression`"),
        ] {
            let problem = parse(rule_type, datasource, &json!({"ignorecase": true})).expect_err("misspelled");
            let detail = format!("conditions.ignorecase: is not known here (known: {known})");
            assert_eq!(problem.detail, detail, "{rule_type}");
        }
        let problem = parse(RuleType::Exists, None, &json!({"nonsense": 1})).expect_err("nothing is known");
        assert_eq!(problem.detail, "conditions.nonsense: is not known here");
    }

    #[test]
    fn what_says_two_things_or_nothing_is_told_where_a_rule_is_saved() {
        for conditions in [
            json!({"op": ">", "expected": "1.000"}),
            json!({"op": "between", "expected": [5, 1]}),
            json!({"op": "between", "expected": ["today", "today-30d"], "as": "date"}),
        ] {
            let parsed = parse(RuleType::Compare, None, &conditions).expect("what is stored goes on");
            let faults = faults(&parsed, RuleType::Compare, "subject", &[]);
            let places: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
            assert_eq!(places, ["conditions.expected"], "{conditions}");
        }
    }

    #[test]
    fn bounds_that_turn_with_the_day_are_taken() {
        for (kind, expected) in [
            ("date", json!(["2026-12-01", "today"])),
            ("date", json!(["today-30d", "today"])),
            ("date", json!(["today", "2026-01-01"])),
            ("date", json!(["{{header.date}}", "2026-01-01"])),
            ("money", json!(["5 EUR", "5 EUR"])),
            ("number", json!([1, "1.5"])),
        ] {
            let conditions = json!({"op": "between", "expected": expected, "as": kind});
            let parsed = parse(RuleType::Compare, None, &conditions).expect("it holds up");
            assert_eq!(faults(&parsed, RuleType::Compare, "subject", &[]), [], "{conditions}");
        }
    }

    #[test]
    fn a_literal_is_of_the_type_of_the_field_that_it_is_compared_with() {
        let extractors = [("total", FieldType::Money), ("due", FieldType::Date), ("code", FieldType::Text)]
            .map(|(name, kind)| Extractor {
                name: name.into(),
                field: "body".into(),
                pattern: "(x)".into(),
                kind,
                unique: false,
            });
        let query = |members: Value| {
            let mut conditions = json!({"query": "SELECT 1"});
            conditions.as_object_mut().expect("an object").extend(members.as_object().expect("one").clone());
            conditions
        };
        use RuleType::{Equals, NotEquals, OneOf};
        for (rule_type, field, datasource, conditions, places) in [
            (Equals, "total", None, json!({"expected": "1.234,50 €"}), &[][..]),
            (Equals, "total", None, json!({"expected": "n/a"}), &["conditions.expected"]),
            (NotEquals, "due", None, json!({"expected": "02/03/2026"}), &["conditions.expected"]),
            (NotEquals, "due", None, json!({"expected": "today"}), &[]),
            (OneOf, "total", None, json!({"expected": ["5 EUR", "n/a", "x"]}), &["conditions.expected"; 2]),
            (OneOf, "total", None, json!({"expected": ["5 EUR", null]}), &[]),
            (OneOf, "subject", None, json!({"expected": ["{{total}}", "n/a"]}), &["conditions.expected"]),
            (OneOf, "subject", None, json!({"expected": ["no. {{total}}", "n/a"]}), &[]),
            // What the rule is called after is not compared here.
            (Equals, "total", DB, query(json!({"expected": "active"})), &[]),
            (Equals, "total", DB, query(json!({"expected": null})), &[]),
            (Equals, "total", None, json!({"expected": "n/a", "as": "text"}), &[]),
            (Equals, "code", None, json!({"expected": "0042"}), &[]),
            (Equals, "code", None, json!({"expected": "{{nothing}}"}), &["conditions"]),
        ] {
            let parsed = parse(rule_type, datasource, &conditions).expect("parses");
            let found = faults(&parsed, rule_type, field, &extractors);
            let found: Vec<&str> = found.iter().map(|fault| fault.field.as_str()).collect();
            assert_eq!(found, places, "{field} {conditions}");
        }
    }

    #[test]
    fn null_is_what_an_empty_column_should_be_and_left_out_elsewhere() {
        use RuleType::{Compare, Equals, Exists, Expression, NotEquals, NotExists, OneOf, Regex};
        let read = |rule_type, datasource, members: &Value| {
            let parsed = parse(rule_type, datasource, members);
            parsed.map(|conditions| conditions.judgement.expected)
        };
        for rule_type in [Equals, NotEquals] {
            let null = Expected::One(Operand::Literal(Value::Null));
            let with = json!({"query": "SELECT 1", "expected": null});
            assert_eq!(read(rule_type, DB, &with), Ok(Some(null)), "{rule_type}");
            assert_eq!(read(rule_type, DB, &json!({"query": "SELECT 1"})), Ok(None), "{rule_type}");
            let alone = parse(rule_type, None, &json!({"expected": null}));
            assert_eq!(places(alone), ["conditions.expected"], "{rule_type}: no field of a message is null");
        }
        for (rule_type, members) in [
            (Exists, json!({})),
            (NotExists, json!({})),
            (Regex, json!({"pattern": "x"})),
            (Compare, json!({"op": ">"})),
            (Expression, json!({"expression": "size(rows) > 0"})),
        ] {
            let mut with = json!({"query": "SELECT 1", "expected": null});
            with.as_object_mut().expect("an object").extend(members.as_object().expect("another").clone());
            assert_eq!(read(rule_type, DB, &with), Ok(None), "{rule_type}: stored once, it still holds");
        }
        let listed = parse(OneOf, DB, &json!({"query": "SELECT 1", "expected": null}));
        assert_eq!(places(listed), ["conditions.expected"]);
    }

    #[test]
    fn sql_is_checked_in_the_dialect_that_is_given_or_left_alone() {
        let of_postgres = json!({"query": "SELECT 1 FROM t WHERE data ? 'k' AND id = $1", "params": [7]});
        let of_mysql = json!({"query": "SELECT 1 FROM t WHERE a = 'it\\'s ?' AND id = ?", "params": [7]});
        let holds = |dialect: Option<SqlDialect>, conditions: &Value| {
            parse(RuleType::Exists, Some((DatasourceType::Database, dialect)), conditions).is_ok()
        };
        for (dialect, expected) in [
            (Some(SqlDialect::Postgres), (true, false)),
            (Some(SqlDialect::MySql), (false, true)),
            (None, (true, true)),
        ] {
            let found = (holds(dialect, &of_postgres), holds(dialect, &of_mysql));
            assert_eq!(found, expected, "{dialect:?}");
        }
        let unfit = json!({"query": 7});
        assert!(!holds(None, &unfit), "what is no look-up is none without its SQL, either");
    }

    #[test]
    fn a_value_in_a_path_stays_one_segment() {
        let conditions =
            parse(RuleType::Exists, API, &json!({"path": "/orders/{{subject}}"})).expect("parses");
        let lookup = conditions.lookup.expect("looks up");
        let with = |value: &str| {
            let mut fields = Fields::default();
            fields.set("subject", value);
            lookup.render(&fields)
        };
        for (value, expected) in [
            ("a/b", "/orders/a%2Fb"),
            ("../x", "/orders/..%2Fx"),
            ("?a=1#b", "/orders/%3Fa%3D1%23b"),
            ("é%", "/orders/%C3%A9%25"),
        ] {
            match with(value).expect("renders") {
                Request::Api { path, .. } => assert_eq!(path, expected),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(with(".."), Err(Unrenderable::Unfit("'..' cannot stand in a URL's path".into())));
        assert_eq!(with(""), Err(Unrenderable::Missing("subject".into())), "or it would ask for the list");
    }

    #[test]
    fn a_header_field_that_stands_twice_is_asked_for_by_nothing() {
        let value = "{{header.X-Ref}}";
        for (datasource, conditions) in [
            (DB, json!({"query": "SELECT 1 WHERE a = ?", "params": [value]})),
            (FILE, json!({"match": {"ref": value}})),
            (API, json!({"path": format!("/refs/{value}")})),
            (API, json!({"path": "/refs", "query": {"ref": value}})),
            (API, json!({"path": "/refs", "headers": {"X-Ref": value}})),
            (API, json!({"path": "/refs", "method": "POST", "body": {"refs": [{"ref": value}]}})),
        ] {
            let parsed = parse(RuleType::NotExists, datasource, &conditions).expect("parses");
            let lookup = parsed.lookup.expect("looks up");
            let mut fields = Fields::default();
            fields.set("header.x-ref", "bad");
            let once = lookup.render(&fields);
            assert!(once.is_ok(), "{conditions}");
            fields.set("header.x-ref", "bad\nbad");
            assert_eq!(lookup.render(&fields), once, "{conditions}: twice the same is one");
            fields.set("header.x-ref", "bad\nx");
            let words = "header.x-ref stands 2 times in the message, and a look-up takes one value";
            assert_eq!(lookup.render(&fields), Err(Unrenderable::Unfit(words.into())), "{conditions}");
        }
        // A body has lines, and is one value.
        let conditions = json!({"query": "SELECT 1 WHERE a = ?", "params": ["{{body}}"]});
        let parsed = parse(RuleType::NotExists, DB, &conditions).expect("parses");
        let mut fields = Fields::default();
        fields.set("body", "bad\nx");
        assert!(parsed.lookup.expect("looks up").render(&fields).is_ok());
    }

    #[test]
    fn what_the_message_gives_is_told_from_what_the_rule_says() {
        let params = json!(["{{subject}}", "text", 7, null, "no. {{subject}}"]);
        let conditions = json!({"query": "SELECT ?, ?, ?, ?, ?", "params": params});
        let parsed = parse(RuleType::Exists, DB, &conditions).expect("parses");
        let mut fields = Fields::default();
        fields.set("subject", "x");
        match parsed.lookup.expect("looks up").render(&fields).expect("renders") {
            Request::Sql { from_message, .. } => {
                assert_eq!(from_message, [true, false, false, false, true]);
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_found_and_not_read_is_not_just_missing() {
        let words = "'many' is no number, or could be two";
        let mut fields = Fields::default();
        fields.set_unread("ref", words);
        for (datasource, conditions) in [
            (DB, json!({"query": "SELECT 1 WHERE a = ?", "params": ["VALUE"]})),
            (FILE, json!({"match": {"ref": "VALUE"}})),
            (API, json!({"path": "/refs/VALUE"})),
            (API, json!({"path": "/refs", "method": "POST", "body": {"ref": "VALUE"}})),
        ] {
            let rendered = |value: &str| {
                let conditions: Value = conditions.to_string().replace("VALUE", value).parse().expect("JSON");
                let parsed = parse(RuleType::NotExists, datasource, &conditions).expect("parses");
                parsed.lookup.expect("looks up").render(&fields)
            };
            assert_eq!(rendered("{{ref}}"), Err(Unrenderable::Unfit(words.into())));
            assert_eq!(rendered("{{other}}"), Err(Unrenderable::Missing("other".into())));
        }
    }

    #[test]
    fn addresses_are_matched_without_regard_to_case_and_nothing_else_is() {
        let conditions = json!({"match": {
            "email": "{{sender_email}}",
            "place": "mailto:{{reply_to}}?{{sender_domain}}",
            "both": "{{sender_email}} {{subject}}",
            "code": "{{subject}}",
            "status": "Active",
            "closed_on": null,
        }});
        let conditions = parse(RuleType::Exists, FILE, &conditions).expect("parses");
        let mut fields = Fields::default();
        for name in ["sender_email", "reply_to", "sender_domain", "subject"] {
            fields.set(name, "x");
        }
        let request = conditions.lookup.expect("looks up").render(&fields).expect("renders");
        assert_eq!(request.evidence()["ignore_case"], json!(["email", "place"]));
        assert_eq!(request.evidence()["match"]["closed_on"], Value::Null);
    }

    proptest! {
        #[test]
        fn whatever_a_message_says_the_url_keeps_its_host_and_depth(value in "\\PC+") {
            let conditions =
                parse(RuleType::Exists, API, &json!({"path": "/v1/{{subject}}/x"})).expect("parses");
            let mut fields = Fields::default();
            fields.set("subject", &value);
            if let Ok(Request::Api { path, .. }) = conditions.lookup.expect("looks up").render(&fields) {
                let mut url = url::Url::parse("http://h/base").expect("url");
                url.set_path(&path);
                prop_assert_eq!(url.host_str(), Some("h"));
                prop_assert_eq!(url.path_segments().map(Iterator::count), Some(3), "{}", url);
                prop_assert!(url.query().is_none() && url.fragment().is_none());
            }
        }

        #[test]
        fn whatever_a_message_says_the_query_text_stays_the_same(value in "\\PC+") {
            prop_assume!(!value.trim().is_empty());
            let conditions = parse(
                RuleType::Exists, DB, &json!({"query": "SELECT 1 WHERE a = ?", "params": ["{{subject}}"]}),
            ).expect("parses");
            let mut fields = Fields::default();
            fields.set("subject", &value);
            let request = conditions.lookup.expect("looks up").render(&fields);
            let params = vec![fields.get("subject").expect("was set").into()];
            let (query, from_message) = ("SELECT 1 WHERE a = ?".into(), vec![true]);
            prop_assert_eq!(request, Ok(Request::Sql { query, params, from_message }));
        }
    }
}
