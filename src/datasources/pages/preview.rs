//! A look-up that is typed and run in place.

use leptos::prelude::*;

use super::{preview_form::PreviewForm, words::duration_words};
use crate::{
    datasources::{
        api::preview_datasource,
        dto::{DatasourceType, PreviewInput, PreviewResult},
    },
    rules::pages::Lookup,
    shared::{DatasourceId, TenantId},
    ui::{
        badge::{Badge, Tone},
        fields::{FaultSummary, Faults, SelectField, TextArea, TextField},
        host,
        icons::{Glyph, Icon},
        rows::{Rows, count_words},
        saving::on_answer,
    },
};

/// The fields of a look-up, a button that runs it, and what it gave.
#[component]
pub fn Preview(tenant: TenantId, id: DatasourceId, kind: DatasourceType) -> impl IntoView {
    let faults = Faults::provide();
    let form = PreviewForm::new(kind);
    let run = Action::new(move |input: &PreviewInput| preview_datasource(tenant.clone(), id, input.clone()));
    let (is_pending, outcome) = (run.pending(), run.value());
    on_answer(outcome, faults, |_| {});
    let start = move || match form.input() {
        Ok(input) => {
            run.dispatch(input);
        }
        Err(problem) => faults.show(problem),
    };
    view! {
        <div
            class="attempt"
            data-testid="preview"
            on:keydown=move |event| {
                if host::is_command(&event, "Enter") {
                    event.prevent_default();
                    start();
                }
            }
        >
            <h3>"Look something up"</h3>
            <FaultSummary/>
            {match kind {
                DatasourceType::Database => view! { <SqlFields form/> }.into_any(),
                DatasourceType::File => view! { <FileFields form/> }.into_any(),
                DatasourceType::Api => view! { <ApiFields form/> }.into_any(),
            }}
            <details class="details">
                <summary>"Values for {{fields}} of a message"</summary>
                <TextArea
                    label="One a line: name = value"
                    path="fields"
                    value=form.fields
                    is_code=true
                    placeholder="sender_email = ann@acme.example"
                />
            </details>
            <button
                type="button"
                class="button button--primary"
                aria-busy=move || is_pending.get().to_string()
                aria-keyshortcuts="Control+Enter Meta+Enter"
                disabled=is_pending
                data-testid="run-preview"
                on:click=move |_| start()
            >
                <Icon glyph=Glyph::Search/>
                {move || if is_pending.get() { "Looking up …" } else { "Look up" }}
            </button>
            <div aria-live="polite">
                {move || match outcome.get() {
                    Some(Ok(result)) if !is_pending.get() => Some(view! { <Found result/> }),
                    _ => None,
                }}
            </div>
        </div>
    }
}

#[component]
fn SqlFields(form: PreviewForm) -> impl IntoView {
    view! {
        <TextArea
            label="Query"
            path="conditions.query"
            value=form.query
            rows=4
            is_code=true
            placeholder="SELECT * FROM customers WHERE email = ?"
            hint="One statement that reads. A ? stands for each value."
            testid="preview-query"
        />
        <TextArea
            label="Values, one a line"
            path="conditions.params"
            value=form.params
            rows=2
            is_code=true
            testid="preview-params"
        />
    }
}

#[component]
fn FileFields(form: PreviewForm) -> impl IntoView {
    let ways = Signal::stored(vec![
        ("sql".to_owned(), "by a query".to_owned()),
        ("match".to_owned(), "by the values of columns".to_owned()),
    ]);
    view! {
        <SelectField label="Look up" path="way" value=form.way options=ways testid="preview-way"/>
        {move || {
            if form.way.read().as_str() == "match" {
                view! {
                    <TextArea
                        label="Columns and their values, one a line"
                        path="conditions.match"
                        value=form.wanted
                        is_code=true
                        placeholder="email = ann@acme.example"
                        testid="preview-match"
                    />
                }
                .into_any()
            } else {
                view! { <SqlFields form/> }.into_any()
            }
        }}
    }
}

#[component]
fn ApiFields(form: PreviewForm) -> impl IntoView {
    let methods =
        Signal::stored(["GET", "POST"].map(|method| (method.to_owned(), method.to_owned())).to_vec());
    view! {
        <div class="fields">
            <SelectField label="Method" path="conditions.method" value=form.method options=methods/>
            <TextField
                label="Path"
                path="conditions.path"
                value=form.path
                is_code=true
                hint="Below the config’s address."
                testid="preview-path"
            />
            <TextField
                label="Where the rows are"
                path="conditions.rows"
                value=form.rows
                is_code=true
                placeholder="$.items[*]"
                hint="A JSONPath. Left empty, the answer itself."
            />
        </div>
        <div class="fields">
            <TextArea
                label="Query parameters, one a line"
                path="conditions.query"
                value=form.parameters
                rows=2
                is_code=true
                placeholder="email = ann@acme.example"
            />
            <TextArea
                label="Headers, one a line"
                path="conditions.headers"
                value=form.headers
                rows=2
                is_code=true
                placeholder="Accept-Language = en"
            />
        </div>
        <TextArea label="Body (JSON)" path="conditions.body" value=form.body rows=2 is_code=true/>
    }
}

/// The request as it was made, and the rows that came back.
#[component]
fn Found(result: PreviewResult) -> impl IntoView {
    let PreviewResult { ok, message, lookup, columns, rows, row_count, truncated, duration_ms } = result;
    let took = duration_words(duration_ms);
    let shown = rows.len();
    let head = if ok {
        let text = format!("{} in {took}", count_words(row_count, shown, truncated));
        view! { <Badge tone=Tone::Good glyph=Glyph::Accept text/> }.into_any()
    } else {
        let text = format!("It could not be asked ({took})");
        view! { <Badge tone=Tone::Bad glyph=Glyph::Reject text/> }.into_any()
    };
    let columns: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    view! {
        <div class="attempt__outcome" data-testid="preview-outcome">
            {head}
            {message.map(|message| view! { <p class="breakable">{message}</p> })}
            {(shown > 0).then(|| view! { <Rows columns rows/> })}
            <details class="details">
                <summary>"What was asked"</summary>
                <Lookup lookup/>
            </details>
        </div>
    }
}
