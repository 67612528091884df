//! The fields of one rule: what it asks, how it judges the answer, and what follows.

use leptos::prelude::*;

use super::{
    form::IntentForm,
    lookup::Lookup,
    parts::{FieldChoice, InsertField, options},
    rule_form::RuleForm,
};
use crate::{
    datasources::dto::DatasourceType,
    rules::dto::RuleType,
    ui::{
        fields::{CheckField, FaultLine, SelectField, TextArea, TextField},
        host,
    },
};

/// What each type demands of the field.
const TYPES: [(&str, &str); 8] = [
    ("exists", "must be found"),
    ("not_exists", "must not be found"),
    ("equals", "must be as expected"),
    ("not_equals", "must differ from a value"),
    ("regex", "must match a pattern"),
    ("one_of", "must be in a list"),
    ("compare", "must be in bounds"),
    ("expression", "must make an expression hold"),
];

/// The path of a member of the rule, as the server names it.
pub type Path = Callback<&'static str, Signal<String>>;

/// All fields of a rule.
#[component]
pub fn RuleFields(form: IntentForm, rule: RuleForm, at: Memo<usize>) -> impl IntoView {
    let path: Path = Callback::new(move |member: &'static str| {
        Signal::derive(move || format!("validation_rules[{}].{member}", at.get()))
    });
    let kind = Memo::new(move |_| {
        form.datasources.with_value(|all| rule.source(all).map(|found| found.datasource_type))
    });
    let rule_type = Memo::new(move |_| rule.kind_of_rule());
    let sources = Signal::derive(move || {
        let mut sources = vec![(String::new(), "nothing: the message alone".to_owned())];
        form.datasources.with_value(|all| {
            sources.extend(all.iter().map(|source| (source.datasource_id.to_string(), source.name.clone())));
        });
        let chosen = rule.datasource.get();
        if !sources.iter().any(|(id, _)| *id == chosen) {
            sources.push((chosen.clone(), format!("datasource {chosen}")));
        }
        sources
    });
    view! {
        <div class="fields">
            <FieldChoice
                label="Field"
                path=path.run("field_name")
                field=rule.field
                fields=Signal::derive(move || form.fields())
            />
            <SelectField
                label="What it demands"
                path=path.run("rule_type")
                value=rule.rule_type
                options=options(&TYPES)
                testid="rule-type"
            />
            <SelectField
                label="Look it up in"
                path=path.run("datasource_id")
                value=rule.datasource
                options=sources
                testid="rule-datasource"
            />
        </div>
        <Lookup form rule kind path/>
        <Judgement rule rule_type kind path/>
        <InsertField form/>
        <Consequences rule kind path/>
        <details class="details" prop:open=move || !rule.rest.read_untracked().is_empty()>
            <summary>"More, as JSON"</summary>
            <TextArea
                label="Members that have no field here"
                path=path.run("conditions")
                value=rule.rest
                hint="They stay as they are."
                is_code=true
            />
        </details>
        <FaultLine path=path.run("rule_id")/>
    }
}

/// What is made of the rows, or of the field.
#[component]
fn Judgement(
    rule: RuleForm,
    rule_type: Memo<RuleType>,
    kind: Memo<Option<DatasourceType>>,
    path: Path,
) -> impl IntoView {
    let judge = rule.judge;
    let column = move || {
        kind.get().is_some().then(|| {
            view! {
                <TextField
                    label="Column"
                    path=path.run("conditions.column")
                    value=judge.column
                    hint="Of the first row. The first column, if left empty."
                    is_code=true
                />
            }
        })
    };
    let case = move || {
        view! {
            <CheckField
                label="Upper and lower case are the same"
                path=path.run("conditions.ignore_case")
                value=judge.ignore_case
            />
        }
    };
    move || match rule_type.get() {
        RuleType::Exists | RuleType::NotExists => ().into_any(),
        RuleType::Equals | RuleType::NotEquals => view! {
            <div class="fields">
                {column}
                <Templated>
                    <TextField
                        label="Expected"
                        path=path.run("conditions.expected")
                        value=judge.expected
                        hint="With a look-up, left empty, it is the field itself."
                        is_code=true
                    />
                </Templated>
            </div>
            {case()}
        }
        .into_any(),
        RuleType::Regex => view! {
            <div class="fields">
                {column}
                <TextField
                    label="Pattern"
                    path=path.run("conditions.pattern")
                    value=judge.pattern
                    placeholder="@acme\\.example$"
                    is_code=true
                    testid="pattern"
                />
            </div>
            {case()}
        }
        .into_any(),
        RuleType::OneOf => view! {
            <div class="fields">
                {column}
                <Templated>
                    <TextArea
                        label="Values, one a line"
                        path=path.run("conditions.expected")
                        value=judge.list
                        is_code=true
                    />
                </Templated>
            </div>
            {case()}
        }
        .into_any(),
        RuleType::Compare => view! { <Bounds rule path/> <div class="fields">{column}</div> }.into_any(),
        RuleType::Expression => view! {
            <TextArea
                label="Expression (CEL)"
                path=path.run("conditions.expression")
                value=judge.expression
                placeholder="size(rows) > 0 && row.status == 'active'"
                hint="Over email, fields, row and rows. It must come to true or false."
                is_code=true
            />
        }
        .into_any(),
    }
}

/// One bound, or two.
#[component]
fn Bounds(rule: RuleForm, path: Path) -> impl IntoView {
    let judge = rule.judge;
    let ops = options(&[
        (">", "greater than"),
        (">=", "at least"),
        ("<", "less than"),
        ("<=", "at most"),
        ("between", "from … to …"),
    ]);
    let is_between = Memo::new(move |_| *judge.op.read() == "between");
    view! {
        <div class="fields">
            <SelectField
                label="Read as"
                path=path.run("conditions.as")
                value=judge.kind
                options=options(&[("number", "number"), ("date", "date"), ("money", "money")])
            />
            <SelectField label="It must be" path=path.run("conditions.op") value=judge.op options=ops/>
            <Templated>
                <TextField
                    label=Signal::derive(move || if is_between.get() { "From" } else { "Bound" }.to_owned())
                    path=path.run("conditions.expected")
                    value=judge.expected
                    is_code=true
                />
            </Templated>
            <Show when=move || is_between.get()>
                <Templated>
                    <TextField
                        label="To"
                        path=path.run("conditions.expected[1]")
                        value=judge.highest
                        is_code=true
                    />
                </Templated>
            </Show>
        </div>
    }
}

/// A field whose value may hold fields of the message.
#[component]
pub fn Templated(children: Children) -> impl IntoView {
    view! { <div on:focusin=move |event| host::remember_field(&event)>{children()}</div> }
}

/// What follows from what it says.
#[component]
fn Consequences(rule: RuleForm, kind: Memo<Option<DatasourceType>>, path: Path) -> impl IntoView {
    view! {
        <div class="fields">
            <SelectField
                label="If it fails, the message"
                path=path.run("on_fail")
                value=rule.on_fail
                options=options(&[
                    ("reject", "is rejected"),
                    ("review", "goes to a person"),
                    ("warn", "goes on: it is only noted"),
                ])
                testid="on-fail"
            />
            <SelectField
                label="If the message lacks the field, the rule"
                path=path.run("when_missing")
                value=rule.when_missing
                options=options(&[("fail", "fails"), ("skip", "is skipped")])
            />
            <Show when=move || kind.get().is_some()>
                <SelectField
                    label="If the datasource cannot be asked, the message"
                    path=path.run("on_error")
                    value=rule.on_error
                    options=options(&[
                        ("review", "goes to a person"),
                        ("reject", "is rejected"),
                        ("ignore", "goes on"),
                    ])
                />
            </Show>
        </div>
        <div class="marks">
            <CheckField label="A failure ends the run" path=path.run("stop") value=rule.stop/>
            <CheckField label="Active" path=path.run("is_active") value=rule.is_active/>
        </div>
    }
}
