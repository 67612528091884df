//! Looking for rows of a list that is loaded whole.

use leptos::{html::Input, prelude::*};
use leptos_router::{
    components::Form,
    hooks::{use_location, use_query_map},
    params::ParamsMap,
};

use super::{
    form::{FilterButtons, without_buttons},
    panel::Empty,
};
use crate::shared::MAX_LIMIT;

use super::react::{effect, memo};

/// Up to so many rows are taken in at a glance.
const FEW: usize = 8;

/// The attribute by which an element knows what its page last looked for: what is shown anew is made of the same element.
const SOUGHT: &str = "data-sought";

/// The id of what says how much of a list fits.
const LIST_SAID: &str = "list-said";

/// What an address says is looked for. Empty for nothing.
pub fn sought(map: &ParamsMap) -> String {
    map.get("q").unwrap_or_default().trim().to_owned()
}

/// What the page's own address says is looked for.
pub fn use_sought() -> Memo<String> {
    let map = use_query_map();
    memo(move || sought(&map.read()))
}

/// Whether a row's texts hold all words that are looked for, in whatever case and order.
pub fn holds(q: &str, texts: &[&str]) -> bool {
    let texts = texts.join("\n").to_lowercase();
    q.to_lowercase().split_whitespace().all(|word| texts.contains(word))
}

/// Whether a list may have more rows than these, which are all that is loaded at once.
fn is_cut(count: usize) -> bool {
    i64::try_from(count).is_ok_and(|count| count >= MAX_LIMIT)
}

/// The field of what is looked for, in a plain form whose fields are the address's query. What is typed stays there though
/// its list is shown anew, until the page looks for something else.
#[component]
pub fn FindField(
    q: Signal<String>,
    /// What a row is found by.
    by: &'static str,
) -> impl IntoView {
    let node = NodeRef::<Input>::new();
    effect(move || {
        let q = q.get();
        let Some(field) = node.get() else { return };
        if field.get_attribute(SOUGHT).is_some_and(|before| before != q) {
            field.set_value(&q);
        }
        // Only a name that is none is refused.
        let _ = field.set_attribute(SOUGHT, &q);
    });
    view! {
        <label class="field field--search">
            <span class="field__label">"Search"</span>
            <input node_ref=node type="search" name="q" value=q placeholder=by maxlength="200"/>
        </label>
    }
}

/// What a reader hears of the page's list. It stands outside of what is loaded, so that it is there before.
#[component]
pub fn ListSaid() -> impl IntoView {
    view! { <p id=LIST_SAID class="visually-hidden" role="status" data-testid="list-said"></p> }
}

/// Has it said what another list came to, once it stands there. Of the page's first they read themselves.
pub fn say_found(words: String) {
    let location = use_location();
    let (path, search) = (location.pathname.get_untracked(), location.search.get_untracked());
    let sought = format!("{path}?{search}");
    effect(move || {
        let Some(said) = document().get_element_by_id(LIST_SAID) else { return };
        let before = said.get_attribute(SOUGHT);
        // Only a name that is none is refused.
        let _ = said.set_attribute(SOUGHT, &sought);
        let of_this_page = before.filter(|before| before.split('?').next() == Some(&path));
        if of_this_page.is_some_and(|before| before != sought) {
            // Or what comes to the same as before would not be said.
            said.set_text_content(None);
            let words = words.clone();
            request_animation_frame(move || said.set_text_content(Some(&words)));
        }
    });
}

/// The same of a list that is loaded whole: how many rows fit. `one` is what a row is called.
pub fn say_fits(fits: usize, one: &str) {
    say_found(if fits == 0 { format!("No {one} fits.") } else { format!("{fits} found") });
}

/// In the place of a list of which nothing fits.
#[component]
pub fn NoneFits(
    /// The address of all of it.
    all: String,
    /// What a row is called, and what several are.
    names: (&'static str, &'static str),
) -> impl IntoView {
    let (one, many) = names;
    view! {
        <Empty title=format!("No {one} fits")>
            <p>"Choose less narrowly, or look at all of them."</p>
            <a class="button" href=all>{format!("All {many}")}</a>
        </Empty>
    }
}

/// Below a list that ends early: that it does.
#[component]
pub fn Cut(
    /// How many rows were loaded.
    count: usize,
) -> impl IntoView {
    is_cut(count).then(|| {
        let words = format!("Only the first {MAX_LIMIT} are listed here: there may be more.");
        view! { <p class="hint list-end" data-testid="cut">{words}</p> }
    })
}

/// A list that is narrowed by its texts alone: above it the field, where there is much to look through.
#[component]
pub fn Found(
    /// What is looked for.
    q: String,
    /// The address of the whole list.
    all: String,
    /// What a row is found by.
    by: &'static str,
    /// What a row is called, and what several are.
    names: (&'static str, &'static str),
    /// How many rows were loaded, and how many of them fit.
    count: usize,
    fits: usize,
    /// Those that fit; what there is to say where none was loaded.
    children: Children,
) -> impl IntoView {
    say_fits(fits, names.0);
    let is_narrowed = !q.is_empty();
    let form = (is_narrowed || count > FEW).then(|| {
        let all = all.clone();
        view! {
            <Form method="get" action=all.clone() on_form_data=without_buttons() attr:class="line-form line-form--find" attr:role="search">
                <FindField q=Signal::stored(q) by/>
                <FilterButtons all is_filtered=Signal::stored(is_narrowed)/>
            </Form>
        }
    });
    let rows = if fits == 0 && count > 0 { view! { <NoneFits all names/> }.into_any() } else { children() };
    view! {
        {form}
        {rows}
        <Cut count/>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_all_words() {
        let texts = ["Shop database", "Orders of the NORTH"];
        for (q, fits) in [
            ("", true),
            ("shop", true),
            ("north shop", true),
            ("  Data\tord ", true),
            ("north pole", false),
            ("databaseorders", false),
        ] {
            assert_eq!(holds(q, &texts), fits, "{q:?}");
        }
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn an_address_says_what_is_looked_for() {
        let read =
            |pairs: &[(&'static str, &'static str)]| sought(&pairs.iter().copied().collect::<ParamsMap>());
        assert_eq!(read(&[("q", " a b ")]), "a b");
        assert_eq!(read(&[("other", "x")]), "");
    }
}
