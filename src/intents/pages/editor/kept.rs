//! What was typed and not saved: this tab keeps it over a reload, and where the browser ends the page by itself.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::form::{IntentForm, Typed};
use crate::{
    app::MyAccess,
    rules::dto::CREDENTIAL_HEADERS,
    shared::{Problem, wire},
    ui::{
        fields::Faults,
        host,
        icons::{Glyph, Icon},
        only::Only,
        react::effect,
        saving::Saving,
    },
};

/// Begins the keys of the session's storage under which drafts are kept.
pub const DRAFTS: &str = "draft:";

/// Stands for a text that is not kept. It cannot be read either, so that nobody saves without it unseen.
const LEFT_OUT: &str = "It may hold credentials, and was not kept.";

/// A draft as it is kept.
#[derive(Clone, Serialize, Deserialize)]
struct Draft {
    /// The version that it began from; none of a new intent. It stays, so that a later one is not saved over unseen.
    etag: Option<String>,
    typed: Typed,
}

impl Draft {
    /// Without what headers that may carry credentials hold: with those, no rule can be saved.
    fn text(mut self) -> String {
        let Typed { draft, unread } = &mut self.typed;
        for text in unread.iter_mut().filter(|text| names_credentials(text)) {
            *text = LEFT_OUT.to_owned();
        }
        let rules = draft.validation_rules.iter_mut();
        for (member, value) in rules.filter_map(|rule| rule.conditions.as_object_mut()).flatten() {
            if member.eq_ignore_ascii_case("headers") {
                blank_credentials(value);
            }
        }
        serde_json::to_string(&self).unwrap_or_default()
    }
}

fn blank_credentials(headers: &mut Value) {
    let Value::Object(headers) = headers else {
        *headers = "".into();
        return;
    };
    for (name, value) in headers {
        // Its name may be typed last.
        let has_no_name = name.trim().trim_end_matches(':').is_empty();
        if has_no_name || names_credentials(name) {
            *value = "".into();
        }
    }
}

/// Whether a text holds the name of a header that carries credentials.
fn names_credentials(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    CREDENTIAL_HEADERS.iter().any(|name| text.contains(name))
}

/// What the editor keeps, and what it found kept.
#[derive(Clone, Copy)]
pub struct Kept {
    form: IntentForm,
    /// The version that the form's draft began from.
    etag: StoredValue<Option<String>>,
    faults: Faults,
    /// What is wrong with the draft that the editor began with.
    fault: StoredValue<Option<Problem>>,
    /// What takes the place of the form's draft at the next `swap`.
    other: StoredValue<Option<Draft>>,
    /// Whether what was found is in the form; none where nothing was.
    is_back: RwSignal<Option<bool>>,
    /// Whether what was found began from another version than is stored.
    is_outdated: RwSignal<bool>,
}

impl Kept {
    pub fn new(
        form: IntentForm,
        etag: StoredValue<Option<String>>,
        faults: Faults,
        fault: Option<Problem>,
    ) -> Self {
        Self {
            form,
            etag,
            faults,
            fault: StoredValue::new(fault),
            other: StoredValue::new(None),
            is_back: RwSignal::new(None),
            is_outdated: RwSignal::new(false),
        }
    }

    /// Puts in what is kept under this key, and from then on keeps what is typed there until it is saved. `draft` is the
    /// form's, written down.
    pub fn keep(self, key: String, draft: Memo<String>, is_saved: Signal<bool>) {
        let me: Option<MyAccess> = use_context();
        let begun = draft.get_untracked();
        // The server, which writes the page, knows of none.
        effect({
            let (key, begun) = (key.clone(), begun.clone());
            move || self.bring_back(&key, &begun, me)
        });
        let is_unsaved = Signal::derive(move || *draft.read() != begun && !is_saved.get());
        host::keep_draft(key, is_unsaved, move || self.now().text());
    }

    fn bring_back(self, key: &str, begun: &str, me: Option<MyAccess>) {
        let Some(Ok(me)) = me.and_then(|MyAccess(me)| me.get_untracked()) else { return };
        host::keep_drafts_of(&me.email);
        let found: Option<Draft> = host::kept_draft(key).and_then(|text| wire::read(&text).ok());
        let Some(found) = found else { return };
        if found.typed.written() == begun {
            return host::forget_draft(key);
        }
        self.is_outdated.set(found.etag != self.etag.get_value());
        self.other.set_value(Some(found));
        self.swap();
    }

    /// Puts the other draft into the form, and keeps the form's as the other: who discards by mistake has lost nothing.
    fn swap(self) {
        let Some(Draft { etag, typed }) = self.other.get_value() else { return };
        self.other.set_value(Some(self.now()));
        self.etag.set_value(etag);
        self.form.fill(&typed);
        let is_back = !self.is_back.get_untracked().unwrap_or_default();
        self.is_back.set(Some(is_back));
        match self.fault.get_value().filter(|_| !is_back) {
            Some(fault) => self.faults.mark(fault),
            None => self.faults.clear(),
        }
    }

    /// The form's draft.
    fn now(self) -> Draft {
        Draft { etag: self.etag.get_value(), typed: untrack(|| self.form.typed()) }
    }
}

/// Says that what was kept is in the form, and takes it out. It is held still while the form is.
#[component]
pub fn Back(kept: Kept, saving: Saving) -> impl IntoView {
    let Kept { is_back, is_outdated, .. } = kept;
    let is_in = move || is_back.get().unwrap_or_default();
    view! {
        <div role="status" inert=move || saving.is_on.get()>
            <Only when=move || is_back.read().is_some()>
                <div class="notice tone-quiet" data-testid="back">
                    <Icon glyph=Glyph::History/>
                    <div>
                        <p>
                            "Changes that you had not saved are "
                            {move || if is_in() { "back." } else { "discarded." }}
                        </p>
                        <Only when=move || is_in() && is_outdated.get()>
                            <p>"Meanwhile the intent was changed: when you save, you are asked which of the two stands."</p>
                        </Only>
                        <div class="notice__ways">
                            <button type="button" class="button button--small" on:click=move |_| kept.swap()>
                                {move || if is_in() { "Discard them" } else { "Bring them back" }}
                            </button>
                        </div>
                    </div>
                </div>
            </Only>
        </div>
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{intents::dto::IntentWithRulesInput, rules::dto::RuleInput};

    #[test]
    fn credentials_are_not_kept() {
        let kept = |conditions: &Value, unread: &[&str]| {
            let rule = RuleInput { conditions: conditions.clone(), ..RuleInput::blank() };
            let draft =
                IntentWithRulesInput { validation_rules: vec![rule], ..IntentWithRulesInput::blank() };
            let unread = unread.iter().map(|text| (*text).to_owned()).collect();
            let text = Draft { etag: None, typed: Typed { draft, unread } }.text();
            assert!(!text.contains("planted"), "{text}");
            let Draft { typed: Typed { draft, unread }, .. } = wire::read(&text).expect("what was written");
            (draft.validation_rules[0].conditions.clone(), unread)
        };
        for name in ["X-Api-Key", "authorization:", " Cookie ", "X-Authorization", "", " :"] {
            let headers = |value: &str| json!({"Accept": "application/json", name: value});
            for member in ["headers", "Headers"] {
                let conditions = |value: &str| json!({"path": "/c", member: headers(value)});
                assert_eq!(kept(&conditions("planted"), &[]).0, conditions(""), "{member}: {name}");
            }
        }
        let odd = json!({"headers": "Authorization: Bearer planted"});
        assert_eq!(kept(&odd, &[]).0, json!({"headers": ""}));
        let texts = ["soon", "{\"headers\": {\"Authorization\": \"Bearer planted", "{\"later\": "];
        assert_eq!(kept(&json!({}), &texts).1, ["soon", LEFT_OUT, "{\"later\": "]);
    }

    #[test]
    fn what_is_wrong_with_what_is_stored_is_told_of_that_alone() {
        let owner = Owner::new();
        owner.set();
        let form = IntentForm::new(&IntentWithRulesInput::blank(), Vec::new());
        let faults = Faults::provide();
        let fault = Problem::invalid_field("validation_rules[0].conditions", "is wrong");
        let kept = Kept::new(form, StoredValue::new(None), faults, Some(fault));
        kept.other.set_value(Some(kept.now()));
        let is_told = || faults.is_below("validation_rules[0].");
        kept.swap();
        assert!(!is_told());
        kept.swap();
        assert!(is_told());
        kept.swap();
        assert!(!is_told());
    }
}
