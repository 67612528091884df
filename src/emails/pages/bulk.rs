//! What is done to the chosen messages together.

use leptos::{
    ev::{Event, KeyboardEvent, MouseEvent},
    prelude::*,
};

use super::{
    selection::{Choice, Word, Words},
    table::go_to_row,
};
use crate::{
    app::{Allowed, CurrentTenant},
    auth::authority::Permission,
    deliveries::dto::DeliveryStatus,
    emails::dto::Decision,
    intents::{api::list_intents, dto::Intent},
    shared::IntentId,
    ui::{
        host,
        icons::{Glyph, Icon},
        only::Only,
    },
};

/// The id of the choice of an intent, which `i` leads to.
pub const SET_INTENT: &str = "bulk-intent";

/// A bar that appears while messages are chosen. It stands after the list, so that the keyboard comes to it from the rows.
#[component]
pub fn BulkBar(tenant: CurrentTenant, words: Words, choice: Choice) -> impl IntoView {
    let selection = choice.selection;
    // In other lists it would mostly be said of what was never given up.
    let are_given_up = choice.filter.with_value(|filter| filter.delivery == Some(DeliveryStatus::Failed));
    let is_shown = move || !selection.ids().is_empty();
    let counted = move || format!("{} chosen", selection.ids().len());
    let was_shown = StoredValue::new(false);
    let said = move || {
        if is_shown() {
            was_shown.set_value(true);
            counted()
        } else if was_shown.get_value() && !selection.went_with_word() {
            "Nothing chosen.".to_owned()
        } else {
            String::new()
        }
    };
    // With the bar goes the button that has the focus: the keyboard goes on in the list.
    let say = move |word: Word| {
        if selection.is_there() {
            let ids = untrack(|| selection.ids());
            let next = untrack(|| choice.next_to(None, &ids));
            choice.say(words, untrack(|| tenant.id()), ids, word);
            go_to_row(next);
        }
    };
    // Whether a click means something: the second of a double click meets what the first brought.
    let is_meant = move |event: &MouseEvent| selection.is_there() && !host::is_second_click(event);
    let choose_none = move |event: MouseEvent| {
        if is_meant(&event) {
            let last = untrack(|| choice.last_chosen());
            selection.clear();
            go_to_row(last);
        }
    };
    // The keyboard goes back to where the keys are the list's. What was chosen only to come here is let go of: the next
    // of them would be said of it, wherever one is by then.
    let on_leave = Callback::new(move |()| {
        if selection.is_there() {
            let last = untrack(|| choice.last_chosen());
            selection.let_pass();
            go_to_row(last);
        }
    });
    let choose_all = move |event: MouseEvent| {
        if is_meant(&event) {
            untrack(|| choice.all());
        }
    };
    let reveal = |_| {
        if let Some(id) = host::focused_id() {
            host::reveal(&id);
        }
    };
    let button = move |word: Word, glyph: Glyph, label: &'static str, testid: &'static str| {
        view! {
            <button
                type="button"
                id=testid
                class="button"
                data-testid=testid
                on:click=move |event| {
                    if is_meant(&event) {
                        say(word.clone());
                    }
                }
            >
                <Icon glyph/>
                <span>{label}</span>
            </button>
        }
    };
    view! {
        // It stands on the page from the start, so that screen readers hear of the first that is chosen, too.
        <p class="visually-hidden" role="status" data-testid="bulk-said">
            {said}
        </p>
        <Only when=is_shown>
            <div class="bulk" role="region" aria-label="Chosen messages" data-testid="bulk">
                // On a narrow page, what stands last in a line may have to be scrolled to.
                <div class="bulk__line" on:focusin=reveal>
                    {are_given_up
                        .then(|| button(Word::SendAgain, Glyph::Route, "Send again", "bulk-send-again").into_any())}
                    {button(Word::decide(Decision::Accepted), Glyph::Accept, "Accept", "bulk-accept")}
                    {button(Word::decide(Decision::Rejected), Glyph::Reject, "Reject", "bulk-reject")}
                    {button(Word::RunAgain, Glyph::RunAgain, "Run again", "bulk-rerun")}
                </div>
                <Relabel tenant on_choose=Callback::new(move |intent| say(Word::Correct(intent))) on_leave/>
                <div class="bulk__line" on:focusin=reveal>
                    <span class="bulk__count">{counted}</span>
                    <button type="button" id="bulk-none" class="button button--quiet" data-testid="bulk-none" on:click=choose_none>
                        "None"
                    </button>
                    <button type="button" id="bulk-all" class="button button--quiet" data-testid="bulk-all" on:click=choose_all>
                        {move || if choice.goes_on() { "All that fit" } else { "All on this page" }}
                    </button>
                </div>
            </div>
        </Only>
    }
}

/// Which intent the chosen messages have. It is set by the button or by Enter: a select tells of each step of its keys.
#[component]
fn Relabel(
    tenant: CurrentTenant,
    on_choose: Callback<Option<(IntentId, String)>>,
    /// Escape was pressed in the choice.
    on_leave: Callback<()>,
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
    let refused = move || intents.get().and_then(Result::err);
    let chosen = RwSignal::new(String::new());
    let set = move || {
        // None where the list is there no more.
        let Some(chosen) = chosen.try_get_untracked() else { return };
        if chosen == "none" {
            on_choose.run(None);
        } else if let Some(intent) =
            untrack(known).into_iter().find(|intent| intent.intent_id.to_string() == chosen)
        {
            on_choose.run(Some((intent.intent_id, intent.name)));
        }
    };
    let choose = move |event: Event| drop(chosen.try_set(event_target_value(&event)));
    let on_click = move |event: MouseEvent| {
        if !host::is_second_click(&event) {
            set();
        }
    };
    let on_key = move |event: KeyboardEvent| match host::key_of(&event).as_str() {
        "Enter" if !event.repeat() => {
            event.prevent_default();
            // Some browsers tell of a step only once the choice is left.
            drop(chosen.try_set(event_target_value(&event)));
            set();
        }
        "Escape" => on_leave.run(()),
        _ => {}
    };
    view! {
        // Out of none one could only say that they have none.
        {move || {
            refused()
                .map(|problem| {
                    let words = format!("The intents could not be had, so none can be set. {}", problem.detail);
                    view! { <p class="hint" role="alert" data-testid="bulk-no-intents">{words}</p> }
                })
        }}
        <Only when=move || refused().is_none()>
            <div class="bulk__relabel">
                <label class="bulk__intent">
                    <span class="visually-hidden">"Set the intent"</span>
                    <select
                        id=SET_INTENT
                        aria-keyshortcuts="i"
                        data-testid="bulk-intent"
                        on:change=choose
                        on:keydown=on_key
                    >
                        <option value="" selected>"Set intent …"</option>
                        {move || {
                            known()
                                .into_iter()
                                .map(|intent| {
                                    view! { <option value=intent.intent_id.to_string()>{intent.name}</option> }.into_any()
                                })
                                .collect_view()
                        }}
                        <option value="none">"No intent"</option>
                    </select>
                </label>
                <button
                    type="button"
                    class="button"
                    disabled=move || chosen.read().is_empty()
                    data-testid="bulk-set-intent"
                    on:click=on_click
                >
                    "Set it"
                </button>
            </div>
        </Only>
    }
}

/// What those see who may work on messages.
#[component]
pub fn ForWorkers(children: ChildrenFn) -> impl IntoView {
    view! { <Allowed permission=Permission::WorkMessages children/> }
}
