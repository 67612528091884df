//! Windows over the page.

use leptos::{ev::MouseEvent, prelude::*};

use super::{
    host,
    icons::{Glyph, Icon},
    only::Only,
    react::effect,
};

/// A modal window (`<dialog>`): Escape, the cross and a click beside it close it. Its content exists while it is open.
#[component]
pub fn Dialog(
    /// Its element's id, one of a kind on the page.
    #[prop(into)]
    id: String,
    #[prop(into)] title: Signal<String>,
    is_open: RwSignal<bool>,
    /// A variant that `style/` knows.
    #[prop(optional)]
    class: &'static str,
    children: ChildrenFn,
) -> impl IntoView {
    let heading = format!("{id}-title");
    let (labelled, element, clicked) = (heading.clone(), id.clone(), id.clone());
    effect(move || {
        if is_open.get() {
            host::open_dialog(&element);
        } else {
            host::close_dialog(&element);
        }
    });
    // The dialog itself is clicked only where its content is not: on the backdrop.
    let on_click = move |event: MouseEvent| {
        if host::is_on_backdrop(&event, &clicked) {
            is_open.set(false);
        }
    };
    view! {
        <dialog
            id=id
            class=format!("dialog {class}")
            aria-labelledby=labelled
            on:close=move |_| is_open.set(false)
            on:click=on_click
        >
            <Only when=move || is_open.get()>
                <div class="dialog__head">
                    <h2 id=heading.clone()>{title}</h2>
                    <button type="button" class="icon-button" on:click=move |_| is_open.set(false)>
                        <Icon glyph=Glyph::Close/>
                        <span class="visually-hidden">"Close"</span>
                    </button>
                </div>
                <div class="dialog__body">{children()}</div>
            </Only>
        </dialog>
    }
}

/// Holds a window that most readers never open, and all that belongs to it: built when it is opened first, so that no page
/// takes longer to answer for it.
#[component]
pub fn OnceOpened(is_open: RwSignal<bool>, children: ChildrenFn) -> impl IntoView {
    let was_opened = Memo::new(move |before: Option<&bool>| before == Some(&true) || is_open.get());
    view! { <Only when=move || was_opened.get()>{children()}</Only> }
}

/// A button that asks before it does something that cannot be undone: a popover, which works without WebAssembly too. It is not
/// modal, so it closes when the keyboard goes on to the page behind it.
/// `children` say what goes with it, and hold the form or button that does it.
#[component]
pub fn Confirm(
    /// The popover's id, one of a kind on the page.
    #[prop(into)]
    id: String,
    /// The button's words.
    #[prop(into)]
    label: String,
    /// What that is about, for those who do not see where it stands.
    #[prop(optional, into)]
    of: String,
    #[prop(optional, into)] glyph: Option<Glyph>,
    /// The question.
    #[prop(into)]
    title: String,
    #[prop(optional)] testid: &'static str,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    let (labelled, opens, answered) = (heading.clone(), id.clone(), id.clone());
    let (leaves, closes, left) = (id.clone(), id.clone(), id.clone());
    let warning = format!("{id}-warning");
    let described = warning.clone();
    view! {
        <button id=format!("{id}-ask") type="button" class="button" popovertarget=opens data-testid=testid>
            {glyph.map(|glyph| view! { <Icon glyph/> }.into_any())}
            {label}
            {(!of.is_empty()).then(|| view! { <span class="visually-hidden">" " {of}</span> }.into_any())}
        </button>
        // Once it is answered it goes: what it asked about may stand in another's place before the server has answered.
        <div
            id=id
            class="confirm"
            popover="auto"
            role="dialog"
            aria-labelledby=labelled
            aria-describedby=described
            // Who clicks on its words stays in it.
            tabindex="-1"
            on:focusout=move |event| {
                if host::focus_left(&event, &left) {
                    host::hide_popover(&left);
                }
            }
            on:submit=move |_| host::hide_popover(&answered)
        >
            // All that lies around it: a backdrop would let a touch through to what is beneath.
            <button
                type="button"
                class="confirm__around"
                tabindex="-1"
                aria-hidden="true"
                popovertarget=leaves
                popovertargetaction="hide"
            ></button>
            <div class="confirm__box">
                <p id=heading class="panel__title">{title}</p>
                // The keyboard goes there when it is asked, so that it is read out. Until then there is nothing to go to. Tab
                // goes on from it to what it asks about, after which it is shown.
                <button
                    type="button"
                    class="button confirm__cancel"
                    autofocus
                    popovertarget=closes
                    popovertargetaction="hide"
                >
                    "Cancel"
                </button>
                <div id=warning class="confirm__what">{children()}</div>
            </div>
        </div>
    }
}

/// The button in a `Confirm`'s form that deletes.
#[component]
pub fn DeleteForGood(#[prop(into)] is_pending: Signal<bool>) -> impl IntoView {
    view! {
        <button
            type="submit"
            class="button button--danger"
            aria-busy=move || is_pending.get().to_string()
            data-testid="delete-for-good"
        >
            "Delete for good"
        </button>
    }
}
