//! Parts of forms.

use leptos::prelude::*;

use super::host;

/// A choice that applies as soon as it is made, or with the form's button where there is no WebAssembly.
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
            let is_chosen = {
                let value = value.clone();
                Signal::derive(move || chosen.get() == value)
            };
            view! {
                <option value=value selected=is_chosen prop:selected=is_chosen>
                    {words}
                </option>
            }
        })
        .collect_view();
    view! {
        <label class="field">
            <span class="field__label">{label}</span>
            <select name=name on:change=move |event| host::submit_form_of(&event)>
                {options}
            </select>
        </label>
    }
}

/// The options, after the one that chooses none.
pub fn or_any(options: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    std::iter::once((String::new(), "Any".to_owned())).chain(options).collect()
}
