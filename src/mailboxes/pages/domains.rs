//! Which domains' mail is the tenant's.

use leptos::prelude::*;

use crate::{
    shared::TenantId,
    ui::{
        fields::{FaultSummary, TextArea},
        form::PlainForm,
        form_action::FormAction,
        icons::{Glyph, Icon},
    },
};

/// What is typed as the domains, a domain a line. It outlives the list, which is loaded again at each change.
#[derive(Clone, Copy)]
pub struct DomainsTyped {
    text: RwSignal<String>,
    /// What it began with.
    stored: StoredValue<Option<Vec<String>>>,
}

impl DomainsTyped {
    pub fn new() -> Self {
        Self { text: RwSignal::new(String::new()), stored: StoredValue::new(None) }
    }

    /// Begins anew where others are stored.
    fn begin_with(self, domains: &[String]) {
        if self.stored.with_value(|stored| stored.as_deref() != Some(domains)) {
            self.text.set(domains.join("\n"));
            self.stored.set_value(Some(domains.to_vec()));
        }
    }
}

/// The domains, and for administrators of the installation a plain form to say them.
#[component]
pub fn Domains(
    tenant_id: TenantId,
    domains: Vec<String>,
    may_set: bool,
    set_domains: FormAction<()>,
    typed: DomainsTyped,
) -> impl IntoView {
    typed.begin_with(&domains);
    let text = typed.text;
    let listed = if domains.is_empty() {
        view! { <p>"No domain is this tenant’s yet, so no address can be taken."</p> }.into_any()
    } else {
        let items = domains
            .into_iter()
            .map(|domain| view! { <li class="label">{domain}</li> }.into_any())
            .collect_view();
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
    text: RwSignal<String>,
    set_domains: FormAction<()>,
) -> impl IntoView {
    let is_pending = set_domains.pending();
    view! {
        <PlainForm action=set_domains class="form" testid="set-domains">
            <FaultSummary/>
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <TextArea
                label="The tenant’s domains, one a line, such as acme.example"
                path="domains"
                value=text
                is_code=true
                testid="domains"
            />
            <button
                type="submit"
                class="button"
                aria-busy=move || is_pending.get().to_string()
                data-testid="save-domains"
            >
                <Icon glyph=Glyph::Accept/>
                "Save the domains"
            </button>
        </PlainForm>
    }
}
