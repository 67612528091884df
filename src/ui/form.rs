//! Parts of plain forms, which work where no script runs.

use std::sync::Arc;

use leptos::{
    context::Provider,
    ev::{MouseEvent, SubmitEvent},
    html::{Details, Input, Select},
    prelude::*,
    task::spawn_local,
    web_sys::{FormData, HtmlSelectElement},
};
use leptos_router::hooks::use_query_map;

use super::{
    fields::Faults,
    form_action::{FormAction, body_of},
    host,
    icons::{Glyph, Icon},
    react::memo,
    step::is_taking_over,
};
use crate::shared::Problem;

/// A form of an action. What it holds is sent once: who clicks twice means it once. What the server says of its fields stands
/// at them.
///
/// Not Leptos' own `ActionForm`, which sends at each submit.
#[component]
pub fn PlainForm<T>(
    action: FormAction<T>,
    #[prop(optional)] class: Option<&'static str>,
    #[prop(optional)] testid: Option<&'static str>,
    children: Children,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    let answer = action.value();
    let refusal = Signal::derive(move || {
        answer.with(|answer| answer.as_ref().and_then(|answer| answer.as_ref().err()).cloned())
    });
    let send = Box::new(move |body| action.send(body));
    form_of(action.url(), refusal, send, (class, testid), children)
}

/// The form, whatever its action answers: of one type.
fn form_of(
    url: &'static str,
    refusal: Signal<Option<Problem>>,
    send: Box<dyn Fn(String)>,
    (class, testid): (Option<&'static str>, Option<&'static str>),
    children: Children,
) -> AnyView {
    let faults = Faults::of_refusal(refusal);
    let on_submit = move |event: SubmitEvent| {
        // Somebody has taken care of it.
        if event.default_prevented() {
            return;
        }
        event.prevent_default();
        // A form always can be read.
        if let Some(body) = body_of(&event) {
            send(body);
        }
    };
    // The second of a double click may come after a quick answer, and meet what stands there by then.
    let on_click = move |event: MouseEvent| {
        if host::is_second_click(&event) {
            event.prevent_default();
        }
    };
    view! {
        <form
            method="post"
            action=url
            class=class
            data-testid=testid
            on:click=on_click
            on:submit=on_submit
        >
            <Provider value=faults>{children()}</Provider>
        </form>
    }
    .into_any()
}

/// Writes into a field of filters what the address says, once that is another, also where it says the same of this field:
/// what was typed for the address before is not this one's. What stands in it by the first time stays: it was typed before
/// the page was taken over, or the browser brought it back. `on_typed` is told of it.
pub fn follow(field: NodeRef<Input>, text: Memo<String>, on_typed: Option<Callback<String>>) {
    let (was_there, address) = (is_taking_over(), use_query_map());
    Effect::new(move |was_seen: Option<bool>| {
        let was_seen = was_seen.unwrap_or_default();
        address.track();
        let text = text.get();
        let Some(field) = field.get() else { return was_seen };
        if !was_there || was_seen {
            field.set_value(&text);
        } else if let Some(on_typed) = on_typed {
            let typed = field.value();
            if typed != text {
                on_typed.run(typed);
            }
        }
        true
    });
}

/// The same for what is chosen, which applies at once: also where nobody heard yet that it was.
fn follow_chosen(field: NodeRef<Select>, chosen: Memo<String>) {
    let (was_there, address) = (is_taking_over(), use_query_map());
    Effect::new(move |was_seen: Option<bool>| {
        let was_seen = was_seen.unwrap_or_default();
        address.track();
        let chosen = chosen.get();
        let Some(field) = field.get() else { return was_seen };
        let stood_there = field.value();
        choose(&field, &chosen);
        if was_there && !was_seen && field.value() != stood_there {
            field.set_value(&stood_there);
            apply_early(field);
        }
        true
    });
}

/// Once the whole form is taken over: what was typed into it as early goes along, days with their zone.
fn apply_early(field: HtmlSelectElement) {
    // What is spawned comes after all that the page began with; what follows from that is there by the next frame.
    spawn_local(async move {
        request_animation_frame(move || host::submit_form_once(&field));
    });
}

/// What is no option is no choice, which is the first.
fn choose(field: &HtmlSelectElement, value: &str) {
    field.set_value(value);
    if field.selected_index() < 0 {
        field.set_selected_index(0);
    }
}

/// A choice that applies as soon as it is made, or with the form's button where there is no WebAssembly, or none yet.
#[component]
pub fn Choice(
    label: &'static str,
    name: &'static str,
    /// What is chosen now; empty for no choice.
    #[prop(into)]
    chosen: Signal<String>,
    /// Value and words of each option. The first stands for no choice and has the empty value.
    options: Vec<(String, String)>,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(value, words)| {
            // Not a signal: it would end with this view, and where another takes its place, what it showed still asks.
            let is_chosen = {
                let value = value.clone();
                move || chosen.get() == value
            };
            view! {
                <option value=value selected=is_chosen>
                    {words}
                </option>
            }
        })
        .collect_view();
    let node = NodeRef::<Select>::new();
    follow_chosen(node, memo(move || chosen.get()));
    view! {
        <label class="field">
            <span class="field__label">{label}</span>
            <select node_ref=node name=name on:change=move |event| host::submit_form_of(&event)>
                {options}
            </select>
        </label>
    }
}

/// The options, after the one that chooses none.
pub fn or_any(options: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    std::iter::once((String::new(), "Any".to_owned())).chain(options).collect()
}

/// The options of what is active or not, after the one that chooses none.
pub fn active_or_not() -> Vec<(String, String)> {
    or_any(
        [("true", "active"), ("false", "inactive")]
            .map(|(value, words)| (value.to_owned(), words.to_owned())),
    )
}

/// Leaves out of a form what the router adds of its button: one without a name would stand in the address.
pub fn without_buttons() -> Arc<dyn Fn(&FormData)> {
    Arc::new(|form| form.delete(""))
}

/// What unfolds the filters that follow it in their form, on a narrow page, where they would stand before the list. It tells
/// how many of them are set. The browser does that without a script.
#[component]
pub fn FiltersFold(
    #[prop(into)] count: Signal<usize>,
    /// What a wide page calls it, where it unfolds some of them there, too.
    #[prop(optional)]
    wide: Option<&'static str>,
    #[prop(optional)] fold: NodeRef<Details>,
) -> impl IntoView {
    let words = move || match count.get() {
        0 => "Filters".to_owned(),
        count => format!("Filters ({count})"),
    };
    view! {
        <details node_ref=fold class="filters__fold" data-testid="filters">
            <summary class="button">
                <span class="filters__narrow">{words}</span>
                {wide.map(|wide| view! { <span class="filters__wide">{wide}</span> })}
            </summary>
        </details>
    }
}

/// The end of a form of filters: the button that applies them, and the way back to all there is.
#[component]
pub fn FilterButtons(
    /// The address of the list as it is without filters.
    #[prop(into)]
    all: Signal<String>,
    /// Whether there is something to clear.
    #[prop(into)]
    is_filtered: Signal<bool>,
) -> impl IntoView {
    view! {
        <div class="filters__actions">
            <button type="submit" class="button">
                <Icon glyph=Glyph::Search/>
                "Filter"
            </button>
            {move || {
                is_filtered.get().then(|| view! { <a class="button button--quiet" href=all>"Clear"</a> }.into_any())
            }}
        </div>
    }
}
