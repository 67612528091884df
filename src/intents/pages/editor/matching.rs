//! When a message gets the intent, and what is taken from it.

use leptos::prelude::*;

use super::{
    form::{ConditionForm, ExtractorForm, IntentForm, SUBJECT_AND_BODY, message_fields},
    offers::Offers,
    parts::FieldChoice,
};
use crate::{
    intents::dto::{FieldType, MatchOp},
    ui::{
        each::Each,
        editor::{AddButton, RemoveButton, Section, options, place_of},
        fields::{CheckField, FaultLine, SelectField, TextField},
        saving::Saving,
    },
};

/// The three groups of conditions.
#[component]
pub fn Matching(form: IntentForm, saving: Saving) -> impl IntoView {
    let [any, all, none] = form.groups;
    let offers = Offers::of(form, saving);
    view! {
        <Section
            id="edit-match"
            title="A message gets it when"
            hint="Upper and lower case are the same. Without a condition in the first two, a message gets it only by its examples, by a person, or by the program that hands it in."
        >
            <Conditions form offers group=any title="one of these holds"/>
            <Conditions form offers group=all title="all of these hold"/>
            <Conditions form offers group=none title="none of these holds"/>
            <FaultLine path="intent.match" name="Conditions"/>
        </Section>
    }
}

#[component]
fn Conditions(
    form: IntentForm,
    offers: Offers,
    group: (&'static str, RwSignal<Vec<ConditionForm>>),
    title: &'static str,
) -> impl IntoView {
    let (name, lines) = group;
    let add_id = format!("add-{name}");
    let next = add_id.clone();
    view! {
        <div class="lines" role="group" aria-label=title data-testid=format!("match-{name}")>
            <h3 class="group__title">{title}</h3>
            <Each each=move || lines.get() key=|line| line.key let:line>
                <ConditionLine name lines line offers next=next.clone()/>
            </Each>
            <FaultLine path=format!("intent.match.{name}") name="Conditions"/>
            <AddButton
                id=add_id
                words="Add a condition"
                on_add=Callback::new(move |()| form.add_condition(lines))
            />
        </div>
    }
}

#[component]
fn ConditionLine(
    name: &'static str,
    lines: RwSignal<Vec<ConditionForm>>,
    line: ConditionForm,
    offers: Offers,
    next: String,
) -> impl IntoView {
    let at = place_of(lines, move |other: ConditionForm| other.key == line.key);
    let path = move |member: &'static str| {
        Signal::derive(move || format!("intent.match.{name}[{}].{member}", at.get()))
    };
    let label =
        move |what: &'static str| Signal::derive(move || format!("{what} of condition {}", at.get() + 1));
    let ops =
        MatchOp::ALL.iter().map(|op| (op.as_str().to_owned(), op.words().to_owned())).collect::<Vec<_>>();
    let on_remove = Callback::new(move |()| {
        let at = at.get_untracked();
        offers.remove(lines, at, format!("Condition {} is removed.", at + 1));
    });
    view! {
        <div class="item" data-testid="condition">
            <div class="fields fields--condition">
                <FieldChoice
                    label=label("Field")
                    path=path("field")
                    field=line.field
                    fields=Signal::stored(message_fields())
                    is_label_hidden=true
                />
                <SelectField
                    label=label("Comparison")
                    path=path("op")
                    value=line.op
                    options=Signal::stored(ops)
                    is_label_hidden=true
                />
                <TextField
                    label=label("Value")
                    path=path("value")
                    value=line.value
                    placeholder="invoice"
                    is_label_hidden=true
                />
            </div>
            <div class="item__tools">
                <RemoveButton
                    what=Signal::derive(move || format!("condition {}", at.get() + 1))
                    next=next
                    on_remove
                />
            </div>
        </div>
    }
}

/// What is taken from the message beside the fields that every message has.
#[component]
pub fn Extractors(form: IntentForm, saving: Saving) -> impl IntoView {
    let (lines, offers) = (form.extractors, Offers::of(form, saving));
    view! {
        <Section
            id="edit-extractors"
            title="Taken from the message"
            hint="A pattern with one pair of brackets around what is wanted. Upper and lower case differ, unless it begins with (?i)."
        >
            <Each each=move || lines.get() key=|line| line.key let:line>
                <ExtractorLine lines line offers/>
            </Each>
            <FaultLine path="intent.extractors" name="What is taken from the message"/>
            <AddButton
                id="add-extractor"
                words="Take a field"
                on_add=Callback::new(move |()| form.add_extractor())
            />
        </Section>
    }
}

#[component]
fn ExtractorLine(lines: RwSignal<Vec<ExtractorForm>>, line: ExtractorForm, offers: Offers) -> impl IntoView {
    let at = place_of(lines, move |other: ExtractorForm| other.key == line.key);
    let path = move |member: &'static str| {
        Signal::derive(move || format!("intent.extractors[{}].{member}", at.get()))
    };
    let mut places = vec![(SUBJECT_AND_BODY.to_owned(), "subject and body".to_owned())];
    places.extend(message_fields());
    let kinds: Vec<(&str, &str)> = FieldType::ALL.iter().map(|kind| (kind.as_str(), kind.as_str())).collect();
    let on_remove = Callback::new(move |()| {
        let name = line.name.get_untracked();
        let name = if name.is_empty() { (at.get_untracked() + 1).to_string() } else { name };
        let words = format!("Field {name} is removed.");
        offers.remove(lines, at.get_untracked(), words);
    });
    view! {
        <div class="item item--framed" data-testid="extractor">
            <div class="fields">
                <TextField
                    label=Signal::derive(move || format!("Name of field {}", at.get() + 1))
                    path=path("name")
                    value=line.name
                    placeholder="order_number"
                    is_code=true
                />
                <FieldChoice
                    label="Taken from"
                    path=path("field")
                    field=line.field
                    fields=Signal::stored(places)
                />
                <SelectField label="What it is" path=path("type") value=line.kind options=options(&kinds)/>
                <TextField
                    label="Pattern"
                    path=path("pattern")
                    value=line.pattern
                    placeholder="(?i)order (\\d+)"
                    is_code=true
                />
                <CheckField
                    label="One value alone: where others are found as well, rules on it fail"
                    path=path("unique")
                    value=line.unique
                    testid="unique"
                />
            </div>
            <div class="item__tools">
                <RemoveButton
                    what=Signal::derive(move || format!("field {}", line.name.get()))
                    next="add-extractor".to_owned()
                    on_remove
                />
            </div>
        </div>
    }
}
