//! What the sections of the editor are made of.

use leptos::prelude::*;

use super::{
    form::{FieldForm, HEADER, IntentForm},
    rule_form::Slot,
};
use crate::ui::{
    fields::{FaultLine, SelectField, TextField},
    host,
    icons::{Glyph, Icon},
};

/// Words of a select's options, from what the code has.
pub fn options(all: &[(&str, &str)]) -> Signal<Vec<(String, String)>> {
    Signal::stored(all.iter().map(|(value, words)| ((*value).to_owned(), (*words).to_owned())).collect())
}

/// A part of the editor, with its heading.
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
            {(!hint.is_empty()).then(|| view! { <p class="hint">{hint}</p> })}
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

/// Which field of the message: one of those that there are, or a header by its name.
#[component]
pub fn FieldChoice(
    #[prop(into)] label: Signal<String>,
    #[prop(into)] path: Signal<String>,
    field: FieldForm,
    /// Names and words.
    #[prop(into)]
    fields: Signal<Vec<(String, String)>>,
    #[prop(optional)] is_label_hidden: bool,
) -> impl IntoView {
    let options = Memo::new(move |_| {
        let mut options = fields.get();
        options.push((HEADER.to_owned(), "a header …".to_owned()));
        let chosen = field.choice.get();
        if !options.iter().any(|(name, _)| *name == chosen) {
            options.push((chosen.clone(), format!("{chosen} (is not there)")));
        }
        options
    });
    view! {
        <div class="field-choice">
            <SelectField label path value=field.choice options is_label_hidden/>
            <Show when=move || *field.choice.read() == HEADER>
                <TextField
                    label="Name of the header"
                    path=Signal::derive(move || format!("{}.header", path.get()))
                    value=field.header
                    placeholder="list-id"
                    is_label_hidden
                    is_code=true
                />
            </Show>
        </div>
    }
}

/// The place of a line in its list, and its place as people count.
pub fn place_of<T: Copy + Send + Sync + 'static>(
    lines: RwSignal<Vec<T>>,
    is_it: impl Fn(T) -> bool + Send + Sync + 'static,
) -> Memo<usize> {
    Memo::new(move |_| lines.read().iter().position(|line| is_it(*line)).unwrap_or_default())
}

/// Values in a list: each by a name, or by its place.
#[component]
pub fn Slots(
    form: IntentForm,
    slots: RwSignal<Vec<Slot>>,
    label: &'static str,
    /// What their names are called; empty where they have none.
    #[prop(optional)]
    names: &'static str,
    #[prop(into)] path: Signal<String>,
    add: &'static str,
    #[prop(optional)] hint: &'static str,
) -> impl IntoView {
    let add_id = Signal::derive(move || format!("{}-add", path.get().replace(['.', '[', ']'], "-")));
    let on_add = Callback::new(move |()| {
        slots.update(|slots| slots.push(form.make(|| Slot::new("", &String::new().into()))));
    });
    view! {
        <fieldset class="slots">
            <legend class="field__label">{label}</legend>
            {(!hint.is_empty()).then(|| view! { <p class="field__hint">{hint}</p> })}
            <For each=move || slots.get() key=|line| line.key let:line>
                <SlotLine line slots names path add_id/>
            </For>
            <FaultLine path/>
            <AddButton id=add_id words=add on_add/>
        </fieldset>
    }
}

#[component]
fn SlotLine(
    line: Slot,
    slots: RwSignal<Vec<Slot>>,
    names: &'static str,
    path: Signal<String>,
    add_id: Signal<String>,
) -> impl IntoView {
    let at = place_of(slots, move |other: Slot| other.key == line.key);
    let has_name = !names.is_empty();
    let value_path = Signal::derive(move || {
        if has_name {
            format!("{}.{}", path.get(), line.name.get())
        } else {
            format!("{}[{}]", path.get(), at.get())
        }
    });
    let what = move || format!("value {}", at.get() + 1);
    let on_remove =
        Callback::new(move |()| slots.update(|slots| slots.retain(|other| other.key != line.key)));
    view! {
        <div class="item">
            <div class="fields">
                {has_name
                    .then(|| {
                        view! {
                            <TextField
                                label=Signal::derive(move || format!("{names} of value {}", at.get() + 1))
                                path=Signal::derive(move || format!("{}.name[{}]", path.get(), at.get()))
                                value=line.name
                                placeholder=names
                                is_label_hidden=true
                                is_code=true
                            />
                        }
                    })}
                <div on:focusin=move |event| host::remember_field(&event)>
                    <TextField
                        label=Signal::derive(move || format!("Value {}", at.get() + 1))
                        path=value_path
                        value=line.value
                        placeholder="{{sender_email}}"
                        is_label_hidden=true
                        is_code=true
                    />
                </div>
            </div>
            <div class="item__tools">
                <RemoveButton what=Signal::derive(what) next=add_id on_remove/>
            </div>
        </div>
    }
}

/// The fields that there are, to put into the value that was written in last.
#[component]
pub fn InsertField(form: IntentForm) -> impl IntoView {
    let fields = Memo::new(move |_| form.fields().into_iter().map(|(name, _)| name).collect::<Vec<_>>());
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
