//! The editor of an intent: all that it is, its rules in order, and beside it a message to try it on.

mod around;
mod backtest;
mod changes;
mod empty;
mod form;
mod judge_form;
mod judgement;
mod kept;
mod lookup;
mod lookup_form;
mod matching;
mod message;
mod offers;
mod outcome;
mod parts;
mod rule_fields;
mod rule_form;
mod rules;
mod start;
mod try_panel;

pub use kept::DRAFTS;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_params_map, use_query_map},
};

use self::{
    around::{Around, AroundIntent},
    backtest::Backtests,
    form::IntentForm,
    kept::{Back, Kept},
    matching::{Extractors, Matching},
    message::Message,
    rules::Rules,
    start::{Asked, Start, begin},
    try_panel::{TRY, TryPanel},
};
use crate::{
    app::{MyAccess, may, tenant_page, use_tenant},
    auth::authority::Permission,
    intents::{
        api::SaveIntent,
        dto::{Editable, IntentWithRulesInput},
    },
    shared::{EmailId, FieldError, IntentId, Problem, TenantId},
    ui::{
        editor::{Draft, Section},
        fields::{CheckField, FaultSummary, Faults, TextArea, TextField},
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        react::memo,
        resource::{Loaded, load},
        save_bar::SaveBar,
        saving::Saving,
        toast::use_toasts,
    },
};

/// A new intent, or one that is there. Who may only look is told so.
#[component]
pub fn IntentEditor() -> impl IntoView {
    let tenant = use_tenant();
    let (params, query) = (use_params_map(), use_query_map());
    let asked = memo(move || Asked::of(&params.read(), &query.read()));
    let start = load(
        move || (tenant.id(), asked.get()),
        |(tenant, asked)| async move { begin(tenant?, asked?).await },
    );
    let around = load(
        move || (tenant.id(), asked.get()),
        |(tenant, asked)| async move { around::read(tenant?, asked?.intent_id).await },
    );
    let me = use_context::<MyAccess>();
    let back = move || match asked.read().as_ref().ok().and_then(|asked| asked.intent_id) {
        Some(id) => tenant.page(&format!("/intents/{id}")),
        None => tenant.page("/intents"),
    };
    view! {
        <p class="back">
            <a href=back>
                <Icon glyph=Glyph::Back/>
                "Back, without saving"
            </a>
        </p>
        <Load
            heading="Intent"
            data=move || async move {
                let start = start.await?;
                let may_change = may(me, &start.tenant_id, Permission::Configure).await;
                Ok((may_change, start))
            }
            retry=move || start.refetch()
            view=move |(may_change, start): (bool, Start)| {
                let context = tenant.label();
                if may_change {
                    return view! { <Editor start around context/> }.into_any();
                }
                view! {
                    <PageHead title=title_of(start.saved.as_ref()) context/>
                    <p class="panel" data-testid="looks-only">"Who changes intents needs the role editor."</p>
                }
                .into_any()
            }
        />
    }
}

fn title_of(saved: Option<&Editable>) -> String {
    saved.map_or_else(|| "New intent".to_owned(), |saved| format!("Edit {}", saved.saved.intent.name))
}

/// The draft as it stands, written down: to tell whether it changed.
fn written(form: IntentForm) -> String {
    form.typed().written()
}

#[component]
fn Editor(start: Start, around: Loaded<Around>, context: Signal<String>) -> impl IntoView {
    let Start { tenant_id, kept_as, saved, draft, datasources, messages, email_id } = start;
    let faults = Faults::provide();
    let toasts = use_toasts();
    let navigate = use_navigate();
    // Of the rules as they are stored, which another draft is not.
    let fault = saved.as_ref().filter(|_| draft.is_none()).and_then(|saved| saved.fault.clone());
    if let Some(fault) = fault.clone() {
        faults.show(fault);
    }
    let stored = saved.as_ref().map(|saved| &saved.saved.intent);
    let its_examples = stored.map(|intent| (intent.intent_id, intent.examples_count));
    let title = title_of(saved.as_ref());
    let intent_id = stored.map(|intent| intent.intent_id);
    let etag = StoredValue::new(saved.as_ref().map(|saved| saved.etag.clone()));
    let blank = IntentWithRulesInput::blank();
    let baseline = saved.map_or_else(|| blank, |saved| IntentWithRulesInput::from(saved.saved));
    let unchanged = untrack(|| written(IntentForm::new(&baseline, datasources.clone())));
    let form = IntentForm::new(&draft.unwrap_or(baseline), datasources);
    let draft = memo(move || written(form));
    let save = ServerAction::<SaveIntent>::new();
    let saving = Saving::of(save.pending(), save.value());
    // Before the fields are made: what was typed into them before the page was taken over comes on top.
    let kept = Kept::new(form, etag, faults, fault);
    kept.keep(kept_as, draft, saving.is_done);
    let (beside, cancel) = (tenant_id.clone(), page_of(&tenant_id, intent_id));
    Effect::new({
        let tenant_id = tenant_id.clone();
        move |_| match save.value().get() {
            Some(Ok(saved)) => {
                toasts.done(format!("{} is saved.", saved.intent.name));
                let page = page_of(&tenant_id, Some(saved.intent.intent_id));
                navigate(&page, NavigateOptions::default());
            }
            Some(Err(problem)) => faults.show(at_the_name(problem)),
            None => {}
        }
    });
    let tenant = tenant_id.clone();
    let send = Callback::new(move |etag: Option<String>| {
        let (draft, wrong) = untrack(|| form.read());
        let checked = if wrong.is_empty() { draft.validate(&tenant) } else { Err(Problem::invalid(wrong)) };
        match checked {
            Ok(draft) => {
                faults.clear();
                let tenant_id = tenant.clone();
                save.dispatch(SaveIntent { tenant_id, intent_id, etag, draft });
            }
            Err(problem) => faults.show(problem),
        }
    });
    let on_save = Callback::new(move |()| send.run(etag.get_value()));
    faults.on_conflict(Callback::new(move |()| send.run(None)));
    let is_dirty = Signal::derive(move || *draft.read() != unchanged);
    let stored = email_id.or_else(|| messages.first().filter(|_| intent_id.is_some()).map(|(id, _)| *id));
    let (message, offered) = (Message::new(stored), RwSignal::new(messages));
    // What a backtest found is tried step by step, on the same draft.
    let on_try = Callback::new(move |(id, title): (EmailId, String)| {
        offered.update(|offered| {
            if !offered.iter().any(|(known, _)| *known == id) {
                offered.insert(0, (id, title));
            }
        });
        message.stored.set(id.to_string());
        host::focus(TRY);
    });
    view! {
        <PageHead title context/>
        <noscript>
            <p class="notice tone-attention">
                <Icon glyph=Glyph::Alert/>
                <span>"The editor needs WebAssembly, which this browser does not run."</span>
            </p>
        </noscript>
        <div class="workbench" data-testid="editor">
            <div class="workbench__main">
                <Back kept saving/>
                <FaultSummary parts=("validation_rules", "Rule")/>
                <Draft saving>
                    <Basics form/>
                    <Matching form saving/>
                    <Extractors form saving/>
                    <Rules form saving/>
                    <AroundIntent tenant_id=beside saved=its_examples around/>
                </Draft>
                <SaveBar is_dirty saving on_save cancel/>
            </div>
            <aside class="workbench__aside" aria-label="Test">
                <TryPanel
                    tenant_id=tenant_id.clone()
                    intent_id
                    form
                    draft
                    message
                    offered
                    is_asked=email_id.is_some()
                />
                <Backtests tenant_id intent_id form draft on_try/>
            </aside>
        </div>
    }
}

/// Where one is after saving, or without.
fn page_of(tenant: &TenantId, intent: Option<IntentId>) -> String {
    match intent {
        Some(id) => tenant_page(tenant, &format!("/intents/{id}")),
        None => tenant_page(tenant, "/intents"),
    }
}

/// A name that is taken is told at the name.
fn at_the_name(mut problem: Problem) -> Problem {
    if problem.status == 409 && problem.errors.is_empty() {
        problem.errors.push(FieldError::new("intent.name", problem.detail.clone()));
    }
    problem
}

#[component]
fn Basics(form: IntentForm) -> impl IntoView {
    view! {
        <Section id="edit-basics" title="The intent">
            <TextField label="Name" path="intent.name" value=form.name placeholder="Order enquiry" testid="name"/>
            <TextArea
                label="Description"
                path="intent.description"
                value=form.description
                placeholder="What the sender wants"
                rows=2
            />
            <div class="fields">
                <TextField
                    label="Priority"
                    path="intent.priority"
                    value=form.priority
                    kind="number"
                    hint="Intents are tried lowest first."
                />
                <CheckField
                    label="Active"
                    path="intent.is_active"
                    value=form.is_active
                    hint="An inactive one takes no message."
                />
            </div>
        </Section>
    }
}
