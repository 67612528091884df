//! A look-up that is typed and run in place.

use leptos::prelude::*;

use super::{
    preview_form::PreviewForm,
    words::{duration_words, query_example},
};
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
    let found = move || outcome.get().and_then(Result::ok).filter(|_| !is_pending.get());
    let start = move || {
        if is_pending.get_untracked() {
            return;
        }
        match form.input() {
            Ok(input) => {
                run.dispatch(input);
            }
            Err(problem) => faults.show(problem),
        }
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
                // Not disabled: the keyboard, which is here, would be nowhere.
                aria-disabled=move || is_pending.get().then_some("true")
                data-testid="run-preview"
                on:click=move |_| start()
            >
                <Icon glyph=Glyph::Search/>
                {move || if is_pending.get() { "Looking up …" } else { "Look up" }}
            </button>
            // What it gave is told in a line; the rows are there to be read.
            <p class="visually-hidden" role="status" data-testid="preview-said">
                {move || found().map(|result| said(&result))}
            </p>
            {move || found().map(|result| view! { <Found result/> }.into_any())}
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
            placeholder=query_example(form.kind)
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

/// How many rows it gave, and how long that took.
fn outcome_words(result: &PreviewResult) -> String {
    let took = duration_words(result.duration_ms);
    if result.ok {
        format!("{} in {took}", count_words(result.row_count, result.rows.len(), result.truncated))
    } else {
        format!("It could not be asked ({took})")
    }
}

/// All but what was asked and the rows.
fn said(result: &PreviewResult) -> String {
    match &result.message {
        Some(message) => format!("{}: {message}", outcome_words(result)),
        None => outcome_words(result),
    }
}

/// The request as it was made, and the rows that came back.
#[component]
fn Found(result: PreviewResult) -> impl IntoView {
    let text = outcome_words(&result);
    let PreviewResult { ok, message, lookup, columns, rows, .. } = result;
    let (tone, glyph) = if ok { (Tone::Good, Glyph::Accept) } else { (Tone::Bad, Glyph::Reject) };
    let has_rows = !rows.is_empty();
    let columns: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    view! {
        <div class="attempt__outcome" data-testid="preview-outcome">
            <Badge tone glyph text/>
            {message.map(|message| view! { <p class="breakable">{message}</p> }.into_any())}
            {has_rows.then(|| view! { <Rows columns rows/> }.into_any())}
            <details class="details">
                <summary>"What was asked"</summary>
                <Lookup lookup/>
            </details>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_look_up_gave_is_told_in_a_line() {
        let found = PreviewResult { ok: true, row_count: 12, duration_ms: 5.0, ..PreviewResult::default() };
        assert!(said(&found).starts_with("12 rows, the first 0 shown in "), "{}", said(&found));
        let message = Some("connection refused".to_owned());
        let failed = PreviewResult { ok: false, message, ..found };
        assert!(said(&failed).ends_with("): connection refused"), "{}", said(&failed));
    }
}
