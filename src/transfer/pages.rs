//! A tenant's settings: its configuration as a file, out and in; and how long its messages are kept.

use leptos::prelude::*;

use super::{
    api::configuration_overview,
    dto::{Action, Change, Outcome, Overview, Plan},
};
use crate::{
    app::use_tenant,
    retention::pages::RetentionSection,
    shared::{Problem, TenantId},
    ui::{
        area::area_text,
        badge::{Badge, Tone},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        resource::load,
        table::{Cell, DataTable},
        value::Plain,
    },
};

/// Export, import and retention. The form of the import is a plain one, and this page is its answer too.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let tenant = use_tenant();
    let overview = load(move || tenant.id(), |tenant| async move { configuration_overview(tenant?).await });
    // What the form came to is known where it was answered; the browser has it with the page.
    let answered = use_context::<Outcome>();
    let outcome = load(
        || (),
        move |()| {
            let answered = answered.clone();
            async move { Ok(answered) }
        },
    );
    view! {
        <PageHead
            title="Settings"
            lead="The configuration as a file, to keep in git or to take to another tenant; and how long messages are kept."
            context=tenant.label()
        />
        <Load
            data=move || async move { Ok((tenant.id()?, overview.await?, outcome.await?)) }
            retry=move || overview.refetch()
            view=move |(tenant_id, overview, outcome): (TenantId, Overview, Option<Outcome>)| {
                // What was applied is done with.
                let is_applied = |sent: &Outcome| sent.result.as_ref().is_ok_and(|plan| plan.applied);
                let sent = outcome.as_ref().filter(|sent| !is_applied(sent));
                let (document, delete) =
                    sent.map(|sent| (sent.document.clone(), sent.delete)).unwrap_or_default();
                view! {
                    {outcome.map(|outcome| view! { <Answer tenant_id=tenant_id.clone() outcome/> }.into_any())}
                    <Export tenant_id=tenant_id.clone() overview/>
                    <Import tenant_id document delete/>
                }
            }
        />
        <RetentionSection/>
    }
}

#[component]
fn Export(tenant_id: TenantId, overview: Overview) -> impl IntoView {
    let Overview { intents, rules, datasources, configs, routes } = overview;
    let holds = format!(
        "Intents: {intents}, with rules: {rules}. Datasources: {datasources}. Configs: {configs}. Routes: {routes}."
    );
    let download = |format: &str, words: &'static str| {
        let href = format!("/api/export?tenant_id={tenant_id}&format={format}");
        view! {
            <a class="button" href=href rel="external" download data-testid=format!("export-{format}")>
                <Icon glyph=Glyph::Download/>
                {words}
            </a>
        }
    };
    view! {
        <section class="panel trial" aria-labelledby="export">
            <h2 id="export">"Export"</h2>
            <p>{holds}</p>
            <p class="hint">
                "Credentials, the values of headers and signing secrets are left out, and so are the classifier's examples: they may hold what people wrote."
            </p>
            <div class="actions">
                {download("yaml", "Download as YAML")}
                {download("json", "Download as JSON")}
            </div>
        </section>
    }
}

#[component]
fn Import(
    tenant_id: TenantId,
    /// As it was sent, until it is applied: it may have to be put right.
    document: String,
    delete: bool,
) -> impl IntoView {
    view! {
        <form
            method="post"
            action=format!("/t/{tenant_id}/settings")
            enctype="multipart/form-data"
            class="panel trial"
            data-testid="import"
        >
            <h2>"Import"</h2>
            <p>"First comes a plan of what would change. Nothing is stored before you apply it."</p>
            <label class="field">
                <span class="field__label">"File (YAML or JSON)"</span>
                <input type="file" name="file" accept=".yaml,.yml,.json"/>
            </label>
            <label class="field">
                <span class="field__label">"Or its text"</span>
                <textarea name="document" rows="8" spellcheck="false" data-testid="document">
                    {area_text(&document)}
                </textarea>
            </label>
            <label class="field">
                <span class="field__label">"What the file does not have"</span>
                <select name="delete">
                    <option value="false">"stays"</option>
                    <option value="true" selected=delete>
                        "is deleted"
                    </option>
                </select>
            </label>
            <button type="submit" name="step" value="plan" class="button button--primary" data-testid="plan">
                <Icon glyph=Glyph::Review/>
                "Show the plan"
            </button>
        </form>
    }
}

/// What came of the form that led here.
#[component]
fn Answer(tenant_id: TenantId, outcome: Outcome) -> impl IntoView {
    let Outcome { result, document, delete } = outcome;
    match result {
        Err(problem) => view! { <Refused problem/> }.into_any(),
        Ok(plan) => view! { <ShownPlan tenant_id plan document delete/> }.into_any(),
    }
}

#[component]
fn Refused(problem: Problem) -> impl IntoView {
    let faults = problem
        .errors
        .into_iter()
        .map(|error| {
            view! { <li><code class="breakable">{error.field}</code>" "{error.message}</li> }.into_any()
        })
        .collect_view();
    let detail =
        if problem.status == 422 { "The document cannot be taken in.".into() } else { problem.detail };
    view! {
        <div class="panel panel--problem" role="alert" data-testid="import-refused">
            <p class="panel__title"><Icon glyph=Glyph::Alert/>{detail}</p>
            <ul>{faults}</ul>
            <p class="hint">"Nothing was stored."</p>
        </div>
    }
}

#[component]
fn ShownPlan(tenant_id: TenantId, plan: Plan, document: String, delete: bool) -> impl IntoView {
    let Plan { changes, summary, applied, revision } = plan;
    let (tone, glyph, text) = if applied {
        (Tone::Good, Glyph::Accept, format!("Done: {}.", summary.words()))
    } else if summary.is_same() {
        (Tone::Quiet, Glyph::Accept, format!("There is nothing to do: {}.", summary.words()))
    } else {
        (Tone::Attention, Glyph::Review, format!("The plan: {}.", summary.words()))
    };
    let rows = changes
        .into_iter()
        .filter(|change| change.action != Action::Same || !change.notes.is_empty())
        .map(|change| view! { <ChangeRow change/> }.into_any())
        .collect_view();
    let apply = (!applied && !summary.is_same()).then(|| {
        view! {
            <form
                method="post"
                action=format!("/t/{tenant_id}/settings")
                enctype="multipart/form-data"
                data-testid="apply-form"
            >
                <textarea name="document" hidden>{area_text(&document)}</textarea>
                <input type="hidden" name="delete" value=delete.to_string()/>
                <input type="hidden" name="revision" value=revision/>
                <button type="submit" name="step" value="apply" class="button button--primary" data-testid="apply">
                    <Icon glyph=Glyph::Accept/>
                    "Apply it"
                </button>
            </form>
        }
        .into_any()
    });
    view! {
        <section class="section section--first trial" aria-labelledby="the-plan" data-testid="plan-shown">
            <h2 id="the-plan">"Import"</h2>
            <p class=format!("notice {}", tone.class()) role="status" data-testid="plan-summary">
                <Icon glyph/>
                <span>{text}</span>
            </p>
            <DataTable caption="What differs" columns=&["What", "Name", "Differences"]>
                {rows}
            </DataTable>
            {apply}
        </section>
    }
}

#[component]
fn ChangeRow(change: Change) -> impl IntoView {
    let (tone, glyph, words) = match change.action {
        Action::Create => (Tone::Good, Glyph::Upload, "create"),
        Action::Change => (Tone::Attention, Glyph::RunAgain, "change"),
        Action::Delete => (Tone::Bad, Glyph::Reject, "delete"),
        Action::Same => (Tone::Quiet, Glyph::Skip, "same"),
    };
    let value = |of: &Option<serde_json::Map<String, serde_json::Value>>, name: &str| {
        of.as_ref().and_then(|of| of.get(name)).cloned().unwrap_or_default()
    };
    let differs = !change.fields.is_empty();
    let differences = change
        .fields
        .iter()
        .map(|name| {
            let (before, after) = (value(&change.before, name), value(&change.after, name));
            view! {
                <div class="facts__line">
                    <dt>{name.clone()}</dt>
                    <dd>
                        <Plain value=before/>
                        " → "
                        <Plain value=after/>
                    </dd>
                </div>
            }
        })
        .collect_view();
    let notes =
        change.notes.into_iter().map(|note| view! { <p class="hint">{note}</p> }.into_any()).collect_view();
    view! {
        <tr role="row" data-testid="plan-change" data-action=change.action.as_str()>
            <Cell label="What">
                <Badge tone glyph text=format!("{words} {}", change.kind)/>
            </Cell>
            <Cell label="Name">
                <strong>{change.name}</strong>
            </Cell>
            <Cell label="Differences">
                {differs.then(|| view! { <dl class="facts facts--code">{differences}</dl> }.into_any())}
                {notes}
            </Cell>
        </tr>
    }
}
