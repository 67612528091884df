//! What editors are made of: sections, and lists whose lines come and go.

use leptos::prelude::*;

use super::{
    host,
    icons::{Glyph, Icon},
    react::memo,
    saving::Saving,
};

/// Words of a select's options, from what the code has.
pub fn options(all: &[(&str, &str)]) -> Signal<Vec<(String, String)>> {
    Signal::stored(all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect())
}

/// What an editor edits. It is held still while it is saved: what was typed meanwhile would not be in what was sent, and go
/// with the page.
#[component]
pub fn Draft(
    saving: Saving,
    #[prop(optional)] testid: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    view! {
        <div
            class="editor"
            inert=move || saving.is_on.get()
            aria-busy=move || saving.is_on.get().to_string()
            data-testid=testid
        >
            {children()}
        </div>
    }
}

/// A part of an editor, with its heading.
#[component]
pub fn Section(
    id: &'static str,
    title: &'static str,
    #[prop(optional)] hint: &'static str,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="editor__section" aria-labelledby=id>
            <h2 id=id>{title}</h2>
            {(!hint.is_empty()).then(|| view! { <p class="hint">{hint}</p> }.into_any())}
            {children()}
        </section>
    }
}

/// Adds a line to the list that it stands under, and leads the keyboard to the line's first field.
#[component]
pub fn AddButton(
    #[prop(into)] id: Signal<String>,
    words: &'static str,
    on_add: Callback<()>,
) -> impl IntoView {
    let on_click = move |_| {
        on_add.run(());
        let line = format!(":has(> #{}) > .item:last-of-type :is(input, select)", id.get_untracked());
        request_animation_frame(move || host::move_focus(&line, 0));
    };
    view! {
        <button type="button" id=id class="button button--small add" on:click=on_click>
            <Icon glyph=Glyph::Add/>
            {words}
        </button>
    }
}

/// Takes a line away, and leads the keyboard on to the button that adds one.
#[component]
pub fn RemoveButton(
    #[prop(into)] what: Signal<String>,
    /// The id of the button that adds.
    #[prop(into)]
    next: Signal<String>,
    on_remove: Callback<()>,
) -> impl IntoView {
    let on_click = move |_| {
        let next = next.get_untracked();
        on_remove.run(());
        host::focus(&next);
    };
    view! {
        <button type="button" class="icon-button" on:click=on_click>
            <Icon glyph=Glyph::Delete/>
            <span class="visually-hidden">{move || format!("Remove {}", what.get())}</span>
        </button>
    }
}

/// The place of a line in its list, and its place as people count.
pub fn place_of<T: Copy + Send + Sync + 'static>(
    lines: RwSignal<Vec<T>>,
    is_it: impl Fn(T) -> bool + Send + Sync + 'static,
) -> Memo<usize> {
    memo(move || lines.read().iter().position(|line| is_it(*line)).unwrap_or_default())
}

/// The fields that there are, to put into the value that was written in last.
#[component]
pub fn InsertField(#[prop(into)] fields: Signal<Vec<String>>) -> impl IntoView {
    view! {
        <details class="details">
            <summary>"Insert a field of the message"</summary>
            <p class="field__hint">"It goes into the value that you wrote in last, at the cursor."</p>
            <div class="chips">
                {move || {
                    fields
                        .get()
                        .into_iter()
                        .map(|name| {
                            let text = format!("{{{{{name}}}}}");
                            let words = text.clone();
                            view! {
                                <button
                                    type="button"
                                    class="button button--small chip"
                                    on:click=move |_| host::insert_text(&text)
                                >
                                    {words}
                                </button>
                            }
                        })
                        .collect_view()
                }}
            </div>
        </details>
    }
}
