//! The filters of the log.

use leptos::{html::Input, prelude::*};
use leptos_router::components::Form;

use super::query::{AuditQuery, EVERYTHING, SHOWN};
use crate::{
    app::CurrentTenant,
    ui::{
        days::DaysFields,
        form::{Choice, FilterButtons, FiltersFold, follow, without_buttons},
        react::memo,
    },
};

/// Kinds of things that something is done to.
const KINDS: [&str; 16] = [
    "intent",
    "validation_rule",
    "example",
    "classifier",
    "route",
    "datasource",
    "datasource_config",
    "file",
    "message",
    "delivery",
    "backtest",
    "member",
    "invitation",
    "api_key",
    "configuration",
    "retention",
];

/// A plain form whose fields are the address's query. On a narrow page they unfold.
#[component]
pub fn Filters(tenant: CurrentTenant, query: Memo<AuditQuery>) -> impl IntoView {
    let kinds = KINDS.map(|kind| view! { <option value=kind></option> }.into_any()).collect_view();
    let field = move |label: &'static str,
                      name: &'static str,
                      kind: &'static str,
                      placeholder: &'static str,
                      value: fn(&AuditQuery) -> Option<String>| {
        let text = memo(move || value(&query.read()).unwrap_or_default());
        let node = NodeRef::<Input>::new();
        follow(node, text, None);
        let list = (name == "action").then_some("audit-actions");
        view! {
            <label class="field">
                <span class="field__label">{label}</span>
                <input
                    node_ref=node
                    type=kind
                    name=name
                    value=move || text.get()
                    placeholder=placeholder
                    maxlength="200"
                    list=list
                    autocomplete="off"
                    autocapitalize="none"
                    spellcheck="false"
                />
            </label>
        }
        .into_any()
    };
    view! {
        <datalist id="audit-actions">{kinds}</datalist>
        <Form method="get" action=move || tenant.page("/audit") on_form_data=without_buttons() attr:class="line-form" attr:role="search">
            <FiltersFold count=Signal::derive(move || query.read().folded())/>
            {field("Who", "actor", "text", "Part of a name", |query| query.actor.clone())}
            {field("What", "action", "text", "intent, or intent.update", |query| query.action.clone())}
            {field("Of", "object", "text", "An id, a path, an email", |query| query.object.clone())}
            <Choice
                label="Shown"
                name=SHOWN
                chosen=Signal::derive(move || {
                    if query.read().everything { EVERYTHING.to_owned() } else { String::new() }
                })
                options=vec![
                    (String::new(), "People and keys".to_owned()),
                    (EVERYTHING.to_owned(), "Everything".to_owned()),
                ]
            />
            <DaysFields days=Signal::derive(move || query.read().days.clone())/>
            <FilterButtons
                all=Signal::derive(move || tenant.page("/audit"))
                is_filtered=Signal::derive(move || !query.read().is_unfiltered())
            />
        </Form>
    }
}
