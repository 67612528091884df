//! The filters of the log.

use leptos::prelude::*;
use leptos_router::components::Form;

use super::query::AuditQuery;
use crate::{
    app::CurrentTenant,
    ui::icons::{Glyph, Icon},
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
    "email",
    "delivery",
    "backtest",
    "member",
    "invitation",
    "api_key",
    "configuration",
    "retention",
];

/// A plain form whose fields are the address's query.
#[component]
pub fn Filters(tenant: CurrentTenant, query: Memo<AuditQuery>) -> impl IntoView {
    let kinds = KINDS.map(|kind| view! { <option value=kind></option> }).collect_view();
    let field = move |label: &'static str,
                      name: &'static str,
                      kind: &'static str,
                      placeholder: &'static str,
                      value: fn(&AuditQuery) -> Option<String>| {
        let text = move || value(&query.read()).unwrap_or_default();
        let list = (name == "action").then_some("audit-actions");
        view! {
            <label class="field">
                <span class="field__label">{label}</span>
                <input
                    type=kind
                    name=name
                    value=text
                    prop:value=text
                    placeholder=placeholder
                    maxlength="200"
                    list=list
                    autocomplete="off"
                />
            </label>
        }
        .into_any()
    };
    view! {
        <datalist id="audit-actions">{kinds}</datalist>
        <Form method="get" action=move || tenant.page("/audit") attr:class="line-form" attr:role="search">
            {field("Who", "actor", "text", "Part of a name", |query| query.actor.clone())}
            {field("What", "action", "text", "intent, or intent.update", |query| query.action.clone())}
            {field("Of", "object", "text", "An id, a path, an email", |query| query.object.clone())}
            {field("From", "from", "date", "", |query| query.from.clone())}
            {field("To", "to", "date", "", |query| query.to.clone())}
            <div class="filters__actions">
                <button type="submit" class="button">
                    <Icon glyph=Glyph::Search/>
                    "Filter"
                </button>
                {move || {
                    (!query.read().is_unfiltered())
                        .then(|| {
                            view! {
                                <a class="button button--quiet" href=tenant.page("/audit")>
                                    "Clear"
                                </a>
                            }
                        })
                }}
            </div>
        </Form>
    }
}
