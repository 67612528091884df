//! Making and changing a route.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};
use serde::{Deserialize, Serialize};

use super::{
    form::RouteForm,
    headers::HeaderFields,
    secret::{SECRET, Secret, SecretShown},
    words::{KINDS, deed, details, when_words},
};
use crate::{
    app::{Allowed, MyAccess, may, tenant_page, use_optional_id, use_tenant},
    auth::authority::Permission,
    emails::dto::Decision,
    intents::{
        api::list_intents,
        dto::{Intent, MESSAGE_FIELDS},
    },
    routes::{
        api::{DeleteRoute, get_route, save_route},
        dto::{RouteInput, RouteKind, RouteView, RouteWithSecret},
    },
    shared::{IntentId, RouteId, TenantId},
    ui::{
        badge::ActiveBadge,
        dialog::{Confirm, DeleteForGood},
        editor::{Draft, InsertField, Section, options},
        fields::{CheckField, FaultLine, FaultSummary, Faults, SelectField, TextArea, TextField},
        form::PlainForm,
        form_action::{FormAction, form_action},
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::ActionProblem,
        react::memo,
        resource::load,
        save_bar::SaveBar,
        saving::{Saving, on_answer, on_done},
        script::NeedsScript,
        time::Timestamp,
        toast::use_toasts,
        typed::Typed,
    },
};

/// For which messages a route is that is for no intent of its own.
const EVERY_INTENT: &str = "Every intent, and messages without one";

/// What the form begins with.
#[derive(Clone, Serialize, Deserialize)]
struct Start {
    stored: Option<RouteView>,
    intents: Vec<Intent>,
}

/// The editor of a new route, or of the one that the address names. Who may only look sees what that does.
#[component]
pub fn RouteEditor() -> impl IntoView {
    let tenant = use_tenant();
    let id = use_optional_id::<RouteId>("route_id", "Route");
    let start = load(
        move || (tenant.id(), id.get()),
        |(tenant, id)| async move {
            let (tenant, id) = (tenant?, id?);
            let stored = match id {
                None => None,
                Some(id) => Some(get_route(tenant.clone(), id).await?),
            };
            Ok(Start { stored, intents: list_intents(tenant).await? })
        },
    );
    let delete = form_action::<DeleteRoute>();
    let outcome = delete.answer_of("route_id", move || id.get().ok().flatten());
    let me = use_context::<MyAccess>();
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_done(outcome, move |()| {
        toasts.done("The route is deleted.");
        navigate(&untrack(|| tenant.page("/routes")), NavigateOptions::default());
    });
    view! {
        <p class="back">
            <a href=move || tenant.page("/routes")>
                <Icon glyph=Glyph::Back/>
                "Routes"
            </a>
        </p>
        <ActionProblem outcome/>
        <Load
            heading="Route"
            data=move || async move {
                let id = tenant.id()?;
                let may_change = may(me, &id, Permission::Configure).await;
                Ok((id, may_change, start.await?))
            }
            retry=move || start.refetch()
            view=move |(tenant_id, may_change, start): (TenantId, bool, Start)| {
                let context = tenant.label();
                if may_change {
                    view! { <Editor tenant_id start delete context/> }.into_any()
                } else {
                    view! { <Facts start context/> }.into_any()
                }
            }
        />
    }
}

/// A route as it is, for who may only look.
#[component]
fn Facts(start: Start, context: Signal<String>) -> impl IntoView {
    let Start { stored, intents } = start;
    let Some(RouteView { route, .. }) = stored else {
        return view! {
            <PageHead title="New route" context/>
            <p class="panel">"Who makes routes needs the role editor."</p>
        }
        .into_any();
    };
    let of = match route.intent_id {
        None => EVERY_INTENT.to_owned(),
        Some(id) => {
            let intent = intents.into_iter().find(|intent| intent.intent_id == id);
            intent.map(|intent| intent.name).unwrap_or_default()
        }
    };
    let line = |name: &'static str, text: String| {
        view! { <div class="facts__line"><dt>{name}</dt><dd class="facts__text">{text}</dd></div> }.into_any()
    };
    let details = details(&route).into_iter().map(|(name, text)| line(name, text)).collect_view();
    view! {
        <PageHead title=route.name.clone() context/>
        <div class="panel" data-testid="route-facts">
            <dl class="facts">
                {line("What it does", deed(&route))}
                {details}
                {line("For messages of", of)}
                {line("Once the decision is", when_words(&route))}
                <div class="facts__line">
                    <dt>"State"</dt>
                    <dd>
                        <ActiveBadge is_active=route.is_active/>
                    </dd>
                </div>
                <div class="facts__line">
                    <dt>"Changed"</dt>
                    <dd>
                        <Timestamp at=route.updated_at/>
                    </dd>
                </div>
            </dl>
        </div>
    }
    .into_any()
}

#[component]
fn Editor(
    tenant_id: TenantId,
    start: Start,
    delete: FormAction<()>,
    context: Signal<String>,
) -> impl IntoView {
    let faults = Faults::provide();
    let Start { stored, intents } = start;
    let asked = use_query_map().with_untracked(|query| query.get("intent"));
    let asked: Option<IntentId> = asked.and_then(|text| text.parse().ok());
    let form = RouteForm::new(stored.as_ref().map(|stored| &stored.route), asked);
    let id = stored.as_ref().map(|stored| stored.route.route_id);
    let etag = RwSignal::new(stored.as_ref().map(|stored| stored.etag.clone()).unwrap_or_default());
    let place = StoredValue::new(tenant_id.clone());
    let input = memo(move || Typed(form.input(&place.get_value())));
    let before = input.get_untracked();
    let made = RwSignal::new(None::<RouteWithSecret>);
    let is_dirty = Signal::derive(move || made.read().is_none() && input.get() != before);

    let saved_in = tenant_id.clone();
    let save = Action::new(move |(input, etag): &(RouteInput, String)| {
        save_route(saved_in.clone(), id, etag.clone(), input.clone())
    });
    let saving = Saving::of(save.pending(), save.value());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    // Who came from an intent goes back to it.
    let list = match asked {
        Some(intent) => tenant_page(&tenant_id, &format!("/intents/{intent}")),
        None => tenant_page(&tenant_id, "/routes"),
    };
    let back = list.clone();
    on_answer(save.value(), faults, move |saved: RouteWithSecret| {
        toasts.done(format!("{} is saved.", saved.route.name));
        if saved.secret.is_some() {
            made.set(Some(saved));
            // What had the focus went with the form.
            request_animation_frame(|| host::focus(SECRET));
        } else {
            navigate(&back, NavigateOptions::default());
        }
    });
    let send = Callback::new(move |etag: String| {
        let input = input.get_untracked().0;
        match input.clone().validate(&place.get_value()) {
            Ok(_) => drop(save.dispatch((input, etag))),
            Err(problem) => faults.show(problem),
        }
    });
    let on_save = Callback::new(move |()| send.run(etag.get_untracked()));
    faults.on_conflict(Callback::new(move |()| send.run(String::new())));
    let title = stored
        .as_ref()
        .map_or_else(|| "New route".to_owned(), |stored| format!("Edit {}", stored.route.name));
    let is_webhook = stored.as_ref().is_some_and(|stored| stored.route.kind == RouteKind::Webhook);
    let (going, of) = (tenant_id.clone(), StoredValue::new(intents));
    let cancel = list.clone();
    view! {
        <PageHead title context>
            <Allowed permission=Permission::Configure>
                {id.map(|id| view! { <Delete tenant_id=going.clone() id etag delete/> }.into_any())}
            </Allowed>
        </PageHead>
        <NeedsScript/>
        {move || match made.get() {
            Some(made) => view! {
                <div class="editor" aria-live="polite">
                    <SecretShown made/>
                    <p>
                        <a class="button button--primary" href=list.clone() data-testid="done">"It is copied"</a>
                    </p>
                </div>
            }
            .into_any(),
            None => view! {
                <Draft saving testid="route-editor">
                    <FaultSummary/>
                    <When form is_new=id.is_none() intents=of/>
                    <What form intents=of/>
                </Draft>
                <SaveBar is_dirty saving on_save cancel=cancel.clone()/>
            }
            .into_any(),
        }}
        {id.filter(|_| is_webhook).map(|route_id| view! { <Secret tenant_id route_id etag/> }.into_any())}
    }
}

/// Its name, and for which messages it is done.
#[component]
fn When(form: RouteForm, is_new: bool, intents: StoredValue<Vec<Intent>>) -> impl IntoView {
    let of_intents = intents.with_value(|intents| {
        std::iter::once((String::new(), EVERY_INTENT.to_owned()))
            .chain(intents.iter().map(|intent| (intent.intent_id.to_string(), intent.name.clone())))
            .collect::<Vec<_>>()
    });
    let decisions = form
        .decisions
        .map(|(decision, is_done)| {
            let label = match decision {
                Decision::Accepted => "accepted",
                Decision::Rejected => "rejected",
                Decision::Review => "for review",
            };
            view! { <CheckField label path="" value=is_done testid=decision.as_str()/> }
        })
        .collect_view();
    let kind = form.kind;
    view! {
        <Section id="edit-when" title="When">
            <div class="fields">
                <TextField label="Name" path="name" value=form.name testid="route-name"/>
                <SelectField
                    label="For messages of"
                    path="intent_id"
                    value=form.intent
                    options=Signal::stored(of_intents)
                    testid="route-intent"
                />
            </div>
            <fieldset class="slots">
                <legend class="field__label">"Once the decision is"</legend>
                <div class="fields">{decisions}</div>
                <FaultLine path="decisions" name="Once the decision is"/>
            </fieldset>
            {if is_new {
                view! { <SelectField label="Do" path="kind" value=kind options=options(&KINDS) testid="route-kind"/> }
                    .into_any()
            } else {
                let words = KINDS.iter().find(|(value, _)| *value == *kind.read_untracked());
                view! { <p>{words.map(|(_, words)| *words)}</p> }.into_any()
            }}
            <CheckField
                label="Active"
                path="is_active"
                value=form.is_active
                hint="Made inactive, what is still under way for it is called off."
            />
        </Section>
    }
}

/// What it does, by its kind.
#[component]
fn What(form: RouteForm, intents: StoredValue<Vec<Intent>>) -> impl IntoView {
    let kind = memo(move || form.kind());
    // A template may name what is taken from the messages of its own intent.
    let fields = memo(move || {
        let mut fields: Vec<String> = MESSAGE_FIELDS.iter().map(|name| (*name).to_owned()).collect();
        let chosen = form.intent.get();
        intents.with_value(|intents| {
            let intent = intents.iter().find(|intent| intent.intent_id.to_string() == chosen);
            let extracted = intent.into_iter().flat_map(|intent| &intent.extractors);
            fields.extend(extracted.map(|extractor| extractor.name.clone()));
        });
        fields
    });
    let insert = move || view! { <InsertField fields/> };
    view! {
        <Section id="edit-what" title="Then">
            <div class="fields fields--wide" on:focusin=move |event| host::remember_field(&event)>
                {move || match kind.get() {
                    RouteKind::Webhook => view! { <Webhook form/> }.into_any(),
                    RouteKind::Forward => view! { <Forward form/> {insert()} }.into_any(),
                    RouteKind::Reply => view! { <Reply form/> {insert()} }.into_any(),
                    RouteKind::Label => view! {
                        <TextField
                            label="Label"
                            path="settings.label"
                            value=form.label
                            placeholder="late"
                            testid="route-label"
                        />
                        {insert()}
                    }
                    .into_any(),
                }}
            </div>
        </Section>
    }
}

#[component]
fn Webhook(form: RouteForm) -> impl IntoView {
    view! {
        <TextField
            label="Address"
            path="settings.url"
            value=form.url
            kind="url"
            placeholder="https://example.com/hooks/mail"
            hint="The message with its decision, verdicts and evidence is sent there as JSON, and signed."
            testid="route-url"
        />
        <HeaderFields headers=form.headers/>
    }
}

#[component]
fn Forward(form: RouteForm) -> impl IntoView {
    view! {
        <TextArea
            label="To"
            path="settings.to"
            value=form.to
            rows=2
            placeholder="team@example.com"
            hint="An address a line, at most 20."
            testid="route-to"
        />
        <TextField
            label="Subject"
            path="settings.subject"
            value=form.subject
            placeholder="Fwd: {{subject}}"
            hint="Left empty, Fwd: and the message’s own."
        />
        <TextArea
            label="Note"
            path="settings.note"
            value=form.note
            rows=4
            hint="Stands above the message. Left empty, the decision’s reasons."
        />
    }
}

#[component]
fn Reply(form: RouteForm) -> impl IntoView {
    view! {
        <TextField
            label="Subject"
            path="settings.subject"
            value=form.subject
            placeholder="Re: {{subject}}"
            hint="Left empty, Re: and the message’s own."
        />
        <TextArea
            label="Text"
            path="settings.body"
            value=form.body
            rows=8
            placeholder="Dear {{sender_name}}, …"
            hint="Machines, lists and our own mail are never answered, and nobody more than 20 times a day."
            testid="route-body"
        />
        <div class="fields">
            <TextField label="Name of the sender" path="settings.from_name" value=form.from_name/>
            <TextField
                label="Answers go to"
                path="settings.reply_to"
                value=form.reply_to
                kind="email"
                hint="Left empty, to the address that the message came to."
            />
        </div>
    }
}

#[component]
fn Delete(tenant_id: TenantId, id: RouteId, etag: RwSignal<String>, delete: FormAction<()>) -> impl IntoView {
    view! {
        <Confirm
            id="delete-route"
            label="Delete …"
            glyph=Glyph::Delete
            title="Delete this route?"
            testid="delete"
        >
            <p>"What is still under way for it is called off. What was sent stays in the messages’ history."</p>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                <input type="hidden" name="route_id" value=id.to_string()/>
                <input type="hidden" name="etag" value=etag/>
                <DeleteForGood is_pending=delete.pending()/>
            </PlainForm>
        </Confirm>
    }
}
