//! The examples of an intent, and what the classifier that learns from them says of itself.

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use super::{
    api::{AddExample, DeleteExample, PAGE, get_classifier, list_examples},
    dto::{Classifier, Example, Origin, State, percent},
};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    intents::{api::get_intent, dto::Intent, pages::use_intent},
    shared::{ExampleId, IntentId, TenantId},
    ui::{
        badge::{Badge, Tone},
        dialog::{Confirm, DeleteForGood},
        each::Each,
        fields::{FaultSummary, TextArea},
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        pager::Pager,
        panel::{ActionProblem, Empty},
        react::memo,
        resource::{load, load_again},
        saving::{on_done, on_refused, successes},
        time::Timestamp,
        toast::use_toasts,
    },
};

/// The examples of one intent.
#[component]
pub fn ExamplesPage() -> impl IntoView {
    let tenant = use_tenant();
    let intent_id = use_intent();
    let map = use_query_map();
    // Only examples older than this one.
    let before = memo(move || map.read().get("before").and_then(|text| text.parse::<ExampleId>().ok()));
    let add = form_action::<AddExample>();
    let delete = form_action::<DeleteExample>();
    let (adds, deletes) = (successes(add.value()), delete.version());
    let changes = move || (adds.get(), deletes.get());
    // Here, where it outlives what is loaded again.
    let text = RwSignal::new(String::new());
    let intent = load(
        move || (tenant.id(), intent_id.get()),
        |(tenant, intent)| async move { get_intent(tenant?, intent?).await },
    );
    let examples = load_again(
        move || (tenant.id(), intent_id.get(), before.get()),
        changes,
        |(tenant, intent, before)| async move { list_examples(tenant?, intent?, before).await },
    );
    let classifier =
        load_again(move || tenant.id(), changes, |tenant| async move { get_classifier(tenant?).await });
    let (toasts, navigate) = (use_toasts(), use_navigate());
    add.empties("text", text);
    on_done(add.value(), move |()| {
        toasts.done("The example is added.");
        // It is the first of the newest page.
        if let (Some(_), Ok(id)) = (before.get_untracked(), intent_id.get_untracked()) {
            let newest = untrack(|| tenant.page(&format!("/intents/{id}/examples")));
            navigate(&newest, NavigateOptions { scroll: false, ..NavigateOptions::default() });
        }
    });
    on_done(delete.value(), move |()| toasts.done("The example is deleted."));
    on_refused(delete.value(), toasts);
    let back = move || match intent_id.get() {
        Ok(id) => tenant.page(&format!("/intents/{id}")),
        Err(_) => tenant.page("/intents"),
    };
    view! {
        <p class="back">
            <a href=back>
                <Icon glyph=Glyph::Back/>
                "The intent"
            </a>
        </p>
        <Load
            heading="Examples"
            data=move || {
                let before = before.get();
                async move {
                    let intent = intent.await?.intent;
                    Ok((tenant.id()?, intent, before, examples.await?, classifier.await?))
                }
            }
            retry=move || {
                intent.refetch();
                examples.refetch();
                classifier.refetch();
            }
            view=move |(tenant_id, intent, before, examples, classifier): (
                TenantId,
                Intent,
                Option<ExampleId>,
                Vec<Example>,
                Classifier,
            )| {
                let Intent { intent_id, name, .. } = intent;
                let adding = (tenant_id.clone(), intent_id);
                view! {
                    <PageHead
                        title=format!("Examples of {name}")
                        lead="Where no condition holds, a message gets the intent whose examples it reads like."
                        context=tenant.label()
                    />
                    <Standing classifier/>
                    <ActionProblem outcome=delete.value()/>
                    <Allowed permission=Permission::Configure>
                        <Add tenant_id=adding.0.clone() intent_id=adding.1 add text/>
                    </Allowed>
                    <Examples tenant_id intent_id before examples delete/>
                }
            }
        />
    }
}

/// What the classifier says of itself.
#[component]
fn Standing(classifier: Classifier) -> impl IntoView {
    let Classifier { state, suggests_only, why, trained_on, accuracy, gate, examples, .. } = classifier;
    let all: i64 = examples.iter().map(|of_intent| of_intent.count).sum();
    let is_part = state == State::Ready && i64::try_from(trained_on).is_ok_and(|learned| learned < all);
    let which = if is_part {
        format!("the newest and the written ones, {trained_on} of the {all} examples of all intents")
    } else {
        format!("{trained_on} examples of all intents")
    };
    let (tone, glyph, words) = match (state, suggests_only) {
        (State::None, _) => (Tone::Quiet, Glyph::Learn, "The classifier has not learned yet"),
        (State::Training, _) => (Tone::Attention, Glyph::RunAgain, "The classifier is learning"),
        (State::Ready, true) => (Tone::Attention, Glyph::Learn, "The classifier only suggests"),
        (State::Ready, false) => (Tone::Good, Glyph::Accept, "The classifier gives intents"),
    };
    let measured = match accuracy {
        Some(accuracy) => {
            format!(
                "It learned from {which}. Of examples that it had not seen, {} got their intent",
                percent(accuracy)
            )
        }
        None => format!("There are {all} examples of all intents"),
    };
    // Also before it has learned: what it is held against is set by then.
    let measured =
        format!("{measured}; to give one by itself, it must be right in {} of the cases.", percent(gate));
    view! {
        <section class="panel" aria-labelledby="classifier" data-testid="classifier">
            <h2 id="classifier">"What the classifier makes of the examples"</h2>
            <p>
                <Badge tone glyph text=words/>
            </p>
            <p>{why}</p>
            <p class="hint">{measured}</p>
        </section>
    }
}

#[component]
fn Add(
    tenant_id: TenantId,
    intent_id: IntentId,
    add: FormAction<()>,
    /// What is typed.
    text: RwSignal<String>,
) -> impl IntoView {
    let is_pending = add.pending();
    view! {
        <section class="section" aria-labelledby="add-example">
            <h2 id="add-example">"Add an example"</h2>
            <PlainForm action=add class="panel form">
                <FaultSummary/>
                <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                <input type="hidden" name="intent_id" value=intent_id.to_string()/>
                <TextArea
                    label="What such a message says"
                    path="text"
                    value=text
                    rows=5
                    required=true
                    maxlength="20000"
                    testid="example-text"
                />
                <button
                    type="submit"
                    class="button button--primary"
                    aria-busy=move || is_pending.get().to_string()
                    data-testid="add-example"
                >
                    <Icon glyph=Glyph::Add/>
                    "Add it"
                </button>
            </PlainForm>
        </section>
    }
}

#[component]
fn Examples(
    tenant_id: TenantId,
    intent_id: IntentId,
    before: Option<ExampleId>,
    examples: Vec<Example>,
    delete: FormAction<()>,
) -> impl IntoView {
    let page = tenant_page(&tenant_id, &format!("/intents/{intent_id}/examples"));
    let is_full = i64::try_from(examples.len()).is_ok_and(|count| count >= PAGE);
    let last = examples.last().filter(|_| is_full);
    let older = last.map(|last| format!("{page}?before={}", last.example_id));
    let newest = before.map(|_| page);
    let content = if examples.is_empty() && before.is_some() {
        view! { <p class="hint">"There are no older ones."</p> }.into_any()
    } else if examples.is_empty() {
        view! {
            <Empty title="There are no examples yet">
                <p>"Add what such messages say, in their own words. Messages that a person gave this intent come by themselves."</p>
            </Empty>
        }
        .into_any()
    } else {
        let card = move |example: Example| {
            view! { <ExampleCard tenant_id=tenant_id.clone() intent_id example delete/> }
        };
        view! {
            <ul class="cards" data-testid="examples-list">
                <Each each=move || examples.clone() key=|example| example.example_id children=card/>
            </ul>
        }
        .into_any()
    };
    view! {
        <section class="section" aria-labelledby="examples">
            <h2 id="examples">"Examples"</h2>
            {content}
            <Pager label="Pages of the examples" newest older/>
        </section>
    }
}

#[component]
fn ExampleCard(
    tenant_id: TenantId,
    intent_id: IntentId,
    example: Example,
    delete: FormAction<()>,
) -> impl IntoView {
    let Example { example_id, text, origin, created_at, .. } = example;
    let origin = match origin {
        Origin::Example => "Written",
        Origin::Correction => "A message that a person gave this intent",
    };
    view! {
        <li class="card" data-testid="example">
            <p class="example__text">{text}</p>
            <div class="marks">
                <span class="hint">
                    {origin}
                    " · "
                    <Timestamp at=created_at/>
                </span>
                <Allowed permission=Permission::Configure>
                    <Delete tenant_id=tenant_id.clone() intent_id example_id delete/>
                </Allowed>
            </div>
        </li>
    }
}

#[component]
fn Delete(
    tenant_id: TenantId,
    intent_id: IntentId,
    example_id: ExampleId,
    delete: FormAction<()>,
) -> impl IntoView {
    view! {
        <Confirm
            id=format!("delete-example-{example_id}")
            label="Delete …"
            glyph=Glyph::Delete
            title="Delete this example?"
            testid="delete-example"
        >
            <p>"The classifier learns anew without it."</p>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                <input type="hidden" name="intent_id" value=intent_id.to_string()/>
                <input type="hidden" name="example_id" value=example_id.to_string()/>
                <DeleteForGood is_pending=delete.pending()/>
            </PlainForm>
        </Confirm>
    }
}
