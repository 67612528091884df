//! What the sections of the editor are made of.

use leptos::prelude::*;

use super::{
    form::{FieldForm, HEADER, IntentForm},
    rule_form::Slot,
};
use crate::ui::{
    each::Each,
    editor::{AddButton, RemoveButton, place_of},
    fields::{FaultLine, SelectField, TextField},
    host,
    only::Only,
    react::memo,
};

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
    let options = memo(move || {
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
            <Only when=move || *field.choice.read() == HEADER>
                <TextField
                    label="Name of the header"
                    path=Signal::derive(move || format!("{}.header", path.get()))
                    value=field.header
                    placeholder="list-id"
                    is_label_hidden
                    is_code=true
                />
            </Only>
        </div>
    }
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
            {(!hint.is_empty()).then(|| view! { <p class="field__hint">{hint}</p> }.into_any())}
            <Each each=move || slots.get() key=|line| line.key let:line>
                <SlotLine line slots names path add_id/>
            </Each>
            <FaultLine path name=label/>
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
                        .into_any()
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
