//! Which domains' mail is the tenant's.

use leptos::prelude::*;

use crate::{
    mailboxes::api::SetMailDomains,
    shared::TenantId,
    ui::{
        icons::{Glyph, Icon},
        panel::ActionProblem,
    },
};

/// The domains, and for administrators of the installation a plain form to say them.
#[component]
pub fn Domains(
    tenant_id: TenantId,
    domains: Vec<String>,
    may_set: bool,
    set_domains: ServerAction<SetMailDomains>,
) -> impl IntoView {
    let text = domains.join("\n");
    let listed = if domains.is_empty() {
        view! { <p>"No domain is this tenant’s yet, so no address can be taken."</p> }.into_any()
    } else {
        let items =
            domains.into_iter().map(|domain| view! { <li class="label">{domain}</li> }).collect_view();
        view! { <ul class="labels" data-testid="mail-domains">{items}</ul> }.into_any()
    };
    let way = if may_set {
        view! { <DomainsForm tenant_id text set_domains/> }.into_any()
    } else {
        view! { <p class="hint">"An administrator of the installation says which domains are this tenant’s."</p> }
            .into_any()
    };
    view! {
        <section class="section" aria-labelledby="domains">
            <h2 id="domains">"Domains"</h2>
            <div class="panel">
                <p class="hint">"An address that mail is handed on to must be of one of them. What is fetched by IMAP may be of any."</p>
                {listed}
                {way}
            </div>
        </section>
    }
}

#[component]
fn DomainsForm(
    tenant_id: TenantId,
    /// A domain a line.
    text: String,
    set_domains: ServerAction<SetMailDomains>,
) -> impl IntoView {
    let is_pending = set_domains.pending();
    view! {
        <ActionForm action=set_domains attr:class="form" attr:data-testid="set-domains">
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <label class="field">
                <span class="field__label">"The tenant’s domains, one a line, such as acme.example"</span>
                <textarea name="domains" rows="3" spellcheck="false" data-testid="domains">
                    {text}
                </textarea>
            </label>
            <button
                type="submit"
                class="button"
                aria-busy=move || is_pending.get().to_string()
                data-testid="save-domains"
            >
                <Icon glyph=Glyph::Accept/>
                "Save the domains"
            </button>
        </ActionForm>
        <ActionProblem outcome=set_domains.value()/>
    }
}
