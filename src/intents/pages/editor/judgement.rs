//! How a rule judges, by its type.

use leptos::prelude::*;

use super::{
    rule_fields::{Path, Templated},
    rule_form::RuleForm,
};
use crate::{
    datasources::dto::DatasourceType,
    rules::dto::RuleType,
    ui::{
        editor::options,
        fields::{CheckField, SelectField, TextArea, TextField},
        only::Only,
        react::memo,
    },
};

/// What is made of the rows, or of the field.
#[component]
pub fn Judgement(
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
            .into_any()
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
    let is_between = memo(move || *judge.op.read() == "between");
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
            <Only when=move || is_between.get()>
                <Templated>
                    <TextField
                        label="To"
                        path=path.run("conditions.expected[1]")
                        value=judge.highest
                        is_code=true
                    />
                </Templated>
            </Only>
        </div>
    }
}
