//! What a rule asks its datasource, by the kind of datasource.

use leptos::prelude::*;

use super::{
    form::IntentForm,
    lookup_form::LookupForm,
    parts::Slots,
    rule_fields::{Path, Templated},
    rule_form::RuleForm,
};
use crate::{
    datasources::{dto::DatasourceType, pages::query_example},
    ui::{
        editor::options,
        fields::{SelectField, TextArea, TextField},
        only::Only,
        react::memo,
    },
};

/// The look-up. Nothing where nothing is looked up.
#[component]
pub fn Lookup(
    form: IntentForm,
    rule: RuleForm,
    kind: Memo<Option<DatasourceType>>,
    path: Path,
) -> impl IntoView {
    let lookup = rule.lookup;
    move || match kind.get() {
        None => ().into_any(),
        Some(kind @ DatasourceType::Database) => view! { <Sql form lookup path kind/> }.into_any(),
        Some(DatasourceType::File) => view! { <OfFile form lookup path/> }.into_any(),
        Some(DatasourceType::Api) => view! { <Request form lookup path/> }.into_any(),
    }
}

#[component]
fn Sql(form: IntentForm, lookup: LookupForm, path: Path, kind: DatasourceType) -> impl IntoView {
    view! {
        <TextArea
            label="Query (SQL)"
            path=path.run("conditions.query")
            value=lookup.query
            placeholder=query_example(kind)
            hint="One statement that only reads. Values stand for ? or $1, never in the text."
            is_code=true
            testid="query"
        />
        <Slots
            form
            slots=lookup.params
            label="Values of the query"
            path=path.run("conditions.params")
            add="Add a value"
            hint="In the order in which they stand in it."
        />
    }
}

#[component]
fn OfFile(form: IntentForm, lookup: LookupForm, path: Path) -> impl IntoView {
    let is_match = memo(move || *lookup.by.read() == "match");
    view! {
        <SelectField
            label="Ask the file by"
            path="by"
            value=lookup.by
            options=options(&[("match", "columns that must match"), ("query", "a query in SQL")])
        />
        {move || {
            if is_match.get() {
                view! {
                    <Slots
                        form
                        slots=lookup.columns
                        label="Columns that must match"
                        names="Column"
                        path=path.run("conditions.match")
                        add="Add a column"
                    />
                }
                .into_any()
            } else {
                view! { <Sql form lookup path kind=DatasourceType::File/> }.into_any()
            }
        }}
    }
}

#[component]
fn Request(form: IntentForm, lookup: LookupForm, path: Path) -> impl IntoView {
    let is_post = memo(move || *lookup.method.read() == "POST" || !lookup.body.read().is_empty());
    view! {
        <div class="fields">
            <SelectField
                label="Method"
                path=path.run("conditions.method")
                value=lookup.method
                options=options(&[("GET", "GET"), ("POST", "POST")])
            />
            <Templated>
                <TextField
                    label="Path"
                    path=path.run("conditions.path")
                    value=lookup.path
                    placeholder="/customers/{{sender_email}}"
                    is_code=true
                />
            </Templated>
            <TextField
                label="Where the rows are (JSONPath)"
                path=path.run("conditions.rows")
                value=lookup.rows
                placeholder="$.items[*]"
                hint="Left empty, the answer is the row."
                is_code=true
            />
        </div>
        <Slots
            form
            slots=lookup.arguments
            label="Query of the address"
            names="Name"
            path=path.run("conditions.query")
            add="Add a part of the query"
        />
        <Slots
            form
            slots=lookup.headers
            label="Headers"
            names="Name"
            path=path.run("conditions.headers")
            add="Add a header"
            hint="Credentials belong to the config of the datasource."
        />
        <Only when=move || is_post.get()>
            <Templated>
                <TextArea
                    label="Body (JSON)"
                    path=path.run("conditions.body")
                    value=lookup.body
                    is_code=true
                />
            </Templated>
        </Only>
        <TextField
            label="Which status is an answer"
            path=path.run("conditions.status")
            value=lookup.status
            placeholder="200, 404"
            hint="Left empty, any from 200 to 299."
            is_code=true
        />
    }
}
