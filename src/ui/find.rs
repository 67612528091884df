//! Looking for rows of a list that is loaded whole.

use leptos::{html::Input, prelude::*};
use leptos_router::{components::Form, hooks::use_query_map, params::ParamsMap};

use super::{
    form::{FilterButtons, without_buttons},
    panel::Empty,
};
use crate::shared::MAX_LIMIT;

use super::react::{effect, memo};

/// Up to so many rows are taken in at a glance.
const FEW: usize = 8;

/// The attribute by which the field knows what its page last looked for: what is shown anew is made of the same element.
const SOUGHT: &str = "data-sought";

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
pub fn is_cut(count: usize) -> bool {
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
