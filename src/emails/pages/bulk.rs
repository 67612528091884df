//! What is done to the chosen messages together.

use leptos::prelude::*;

use super::selection::{Choice, Word, Words};
use crate::{
    app::{Allowed, CurrentTenant},
    auth::authority::Permission,
    emails::dto::Decision,
    intents::{api::list_intents, dto::Intent},
    ui::icons::{Glyph, Icon},
};

/// A bar that appears while messages are chosen.
#[component]
pub fn BulkBar(tenant: CurrentTenant, words: Words, choice: Choice) -> impl IntoView {
    let selection = choice.selection;
    let is_shown = move || !selection.ids().is_empty();
    let counted = move || format!("{} chosen", selection.ids().len());
    let say = move |word: Word| {
        words.say(tenant.id(), selection.ids(), word);
        selection.clear();
    };
    let button = move |word: Word, glyph: Glyph, label: &'static str, testid: &'static str| {
        view! {
            <button
                type="button"
                class="button"
                data-testid=testid
                on:click=move |_| say(word.clone())
            >
                <Icon glyph/>
                <span>{label}</span>
            </button>
        }
    };
    view! {
        <Show when=is_shown>
            <div class="bulk" role="region" aria-label="Chosen messages" data-testid="bulk">
                <span class="bulk__count" role="status">{counted}</span>
                {button(Word::decide(Decision::Accepted), Glyph::Accept, "Accept", "bulk-accept")}
                {button(Word::decide(Decision::Rejected), Glyph::Reject, "Reject", "bulk-reject")}
                {button(Word::RunAgain, Glyph::RunAgain, "Run again", "bulk-rerun")}
                <Relabel tenant on_choose=Callback::new(move |intent| say(Word::Correct(intent)))/>
                <button
                    type="button"
                    class="button button--quiet"
                    data-testid="bulk-all"
                    on:click=move |_| untrack(|| choice.all())
                >
                    {move || if choice.goes_on() { "All that fit" } else { "All on this page" }}
                </button>
                <button type="button" class="button button--quiet" on:click=move |_| selection.clear()>
                    "None"
                </button>
            </div>
        </Show>
    }
}

/// Which intent the chosen messages have.
#[component]
fn Relabel(
    tenant: CurrentTenant,
    on_choose: Callback<Option<(crate::shared::IntentId, String)>>,
) -> impl IntoView {
    let intents = LocalResource::new(move || {
        let tenant = tenant.id();
        async move { list_intents(tenant?).await }
    });
    let known = move || -> Vec<Intent> {
        let mut found: Vec<Intent> = intents.get().and_then(Result::ok).unwrap_or_default();
        found.retain(|intent| intent.is_active);
        found
    };
    let on_change = move |event: leptos::ev::Event| {
        let value = event_target_value(&event);
        if value == "none" {
            on_choose.run(None);
        } else if let Some(intent) = known().into_iter().find(|intent| intent.intent_id.to_string() == value)
        {
            on_choose.run(Some((intent.intent_id, intent.name)));
        }
    };
    view! {
        <label class="bulk__intent">
            <span class="visually-hidden">"Set the intent"</span>
            <select data-testid="bulk-intent" on:change=on_change>
                <option value="" selected>"Set the intent …"</option>
                {move || {
                    known()
                        .into_iter()
                        .map(|intent| {
                            view! { <option value=intent.intent_id.to_string()>{intent.name}</option> }
                        })
                        .collect_view()
                }}
                <option value="none">"No intent"</option>
            </select>
        </label>
    }
}

/// What those see who may work on messages.
#[component]
pub fn ForWorkers(children: ChildrenFn) -> impl IntoView {
    view! { <Allowed permission=Permission::WorkMessages children/> }
}
