//! The headers that a webhook is sent with. Their values are never read back: left empty, a stored one stays. One that did
//! not come with an import is empty, and to be set.

use leptos::prelude::*;
use serde_json::{Map, Value};

use crate::{
    datasources::dto::MASK,
    ui::{
        each::Each,
        editor::{AddButton, RemoveButton, place_of},
        fields::{FaultLine, TextField},
    },
};

/// One header.
#[derive(Clone, Copy)]
struct Header {
    key: usize,
    name: RwSignal<String>,
    value: RwSignal<String>,
}

/// The headers as they are typed.
#[derive(Clone, Copy)]
pub struct Headers {
    lines: RwSignal<Vec<Header>>,
    /// The names whose values are stored.
    stored: StoredValue<Vec<String>>,
    /// Whether it began with one whose value is still to be set.
    is_set_later: bool,
    next: StoredValue<usize>,
    /// What the signals of added lines belong to: they live as long as the form, whatever kind is shown.
    owner: StoredValue<Owner>,
}

impl Headers {
    /// Of the settings' `headers`.
    pub fn new(stored: Option<&Map<String, Value>>) -> Self {
        let (mut names, mut set) = (Vec::new(), Vec::new());
        for (name, value) in stored.into_iter().flatten() {
            names.push(name.clone());
            if value.as_str() == Some(MASK) {
                set.push(name.clone());
            }
        }
        let headers = Self {
            lines: RwSignal::new(Vec::new()),
            is_set_later: set.len() < names.len(),
            stored: StoredValue::new(set),
            next: StoredValue::new(0),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
        };
        for name in names {
            headers.add(name);
        }
        headers
    }

    fn add(self, name: String) {
        let key = self.next.get_value();
        self.next.set_value(key + 1);
        let make = || Header { key, name: RwSignal::new(name), value: RwSignal::new(String::new()) };
        let line = self.owner.with_value(|owner| owner.with(make));
        self.lines.update(|lines| lines.push(line));
    }

    fn is_stored(self, name: &str) -> bool {
        self.stored.with_value(|names| names.iter().any(|stored| stored == name))
    }

    #[cfg(test)]
    pub fn rename_first(self, name: &str) {
        if let Some(line) = self.lines.get_untracked().first() {
            line.name.set(name.to_owned());
        }
    }

    /// As the server takes them.
    pub fn read(self) -> Map<String, Value> {
        let mut headers = Map::new();
        for line in self.lines.get() {
            let (name, value) = (line.name.get().trim().to_owned(), line.value.get());
            let value = if value.is_empty() && self.is_stored(&name) { MASK.to_owned() } else { value };
            if !name.is_empty() || !value.is_empty() {
                headers.insert(name, value.into());
            }
        }
        headers
    }
}

const ADD: &str = "add-header";

/// The headers, each a name and a value.
#[component]
pub fn HeaderFields(headers: Headers) -> impl IntoView {
    let on_add = Callback::new(move |()| headers.add(String::new()));
    view! {
        <fieldset class="slots">
            <legend class="field__label">"Headers"</legend>
            <p class="field__hint">"Such as Authorization. Values are stored encrypted, and are not shown again."</p>
            {headers
                .is_set_later
                .then(|| {
                    view! {
                        <p class="notice tone-attention" data-testid="header-unset">
                            "A header’s value did not come with an import. Until it is entered, what the route has to send waits. What waits for too long is given up, and can be sent again."
                        </p>
                    }
                    .into_any()
                })}
            <Each each=move || headers.lines.get() key=|line| line.key let:line>
                <HeaderLine headers line/>
            </Each>
            <FaultLine path="settings.headers"/>
            <AddButton id=ADD words="Add a header" on_add/>
        </fieldset>
    }
}

#[component]
fn HeaderLine(headers: Headers, line: Header) -> impl IntoView {
    let at = place_of(headers.lines, move |other: Header| other.key == line.key);
    let on_remove =
        Callback::new(move |()| headers.lines.update(|lines| lines.retain(|other| other.key != line.key)));
    let number = move || at.get() + 1;
    view! {
        <div class="item">
            <div class="fields">
                <TextField
                    label=Signal::derive(move || format!("Name of header {}", number()))
                    path=Signal::derive(move || format!("settings.headers.name[{}]", at.get()))
                    value=line.name
                    placeholder="Authorization"
                    is_label_hidden=true
                    is_code=true
                />
                <TextField
                    label=Signal::derive(move || format!("Value of header {}", number()))
                    path=Signal::derive(move || format!("settings.headers.{}", line.name.get()))
                    value=line.value
                    kind="password"
                    placeholder=if headers.is_stored(&line.name.get_untracked()) {
                        "Stored. Left empty, it stays"
                    } else {
                        "Bearer …"
                    }
                    is_label_hidden=true
                    is_code=true
                />
            </div>
            <div class="item__tools">
                <RemoveButton what=Signal::derive(move || format!("header {}", number())) next=ADD on_remove/>
            </div>
        </div>
    }
}
