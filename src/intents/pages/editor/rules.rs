//! The rules in their order. Each is a sentence until it is opened.

use leptos::prelude::*;

use super::{form::IntentForm, offers::Offers, rule_fields::RuleFields, rule_form::RuleForm};
use crate::{
    rules::{dto::OnFail, pages::OnFailBadge, words::rule_words},
    ui::{
        badge::ActiveBadge,
        each::Each,
        editor::{AddButton, Section, place_of},
        fields::{FaultLine, Faults},
        host,
        icons::{Glyph, Icon},
        only::Only,
        react::{effect, memo},
        saving::Saving,
    },
};

/// What moves the rules about.
#[derive(Clone, Copy)]
struct Order {
    rules: RwSignal<Vec<RuleForm>>,
    /// The key of the rule that is being dragged.
    dragged: RwSignal<Option<usize>>,
    /// The keys in their order when a rule was last removed, and of all that were removed before.
    keys: StoredValue<Vec<usize>>,
    /// The notices that offer to put a rule back.
    offers: Offers,
    /// What is wrong with the rules, by their places.
    faults: Option<Faults>,
    /// What was done last, for those who do not see it.
    said: RwSignal<String>,
}

impl Order {
    fn shift(self, from: usize, to: usize) {
        let count = self.rules.with_untracked(Vec::len);
        if from != to && to < count && from < count {
            self.rules.update(|rules| {
                let rule = rules.remove(from);
                rules.insert(to, rule);
            });
            self.unmark();
            self.said.set(format!("It is now rule {} of {count}.", to + 1));
        }
    }

    /// Moves by the keyboard, which stays on the button that moved the rule.
    fn step(self, at: usize, is_up: bool) {
        let to = if is_up { at.saturating_sub(1) } else { at + 1 };
        self.shift(at, to);
        let to = to.min(self.rules.with_untracked(Vec::len).saturating_sub(1));
        let button = format!("rule-{}-{to}", if is_up { "up" } else { "down" });
        request_animation_frame(move || host::focus(&button));
    }

    /// Takes a rule out, and offers to put it back. What it is made of belongs to the form, and stays.
    fn remove(self, rule: RuleForm) {
        let place = self.rules.with_untracked(|rules| rules.iter().position(|other| other.key == rule.key));
        let Some(at) = place else { return };
        if let Some(keys) = self.keys_with_removed() {
            self.keys.set_value(keys);
        }
        self.rules.update(|rules| {
            rules.remove(at);
        });
        self.unmark();
        host::focus("add-rule");
        self.offers.offer(format!("Rule {} is removed.", at + 1), move || {
            let _ = self.put_back(rule);
        });
    }

    /// Puts it after those that stood before it, as far as they are there. `None` where the editor is gone, whose notices go
    /// with it.
    fn put_back(self, rule: RuleForm) -> Option<()> {
        let keys = self.keys_with_removed()?;
        let before: Vec<usize> = keys.into_iter().take_while(|key| *key != rule.key).collect();
        let at = self.rules.try_update(|rules| {
            let at = rules.iter().filter(|other| before.contains(&other.key)).count();
            rules.insert(at, rule);
            at
        })?;
        self.unmark();
        request_animation_frame(move || host::focus(&format!("rule-toggle-{at}")));
        Some(())
    }

    /// What was wrong with a rule would be told of whichever has its place now. The next try or save tells it anew.
    fn unmark(self) {
        if let Some(faults) = self.faults {
            faults.unmark();
        }
    }

    /// The keys as they stand now, and of the removed rules where these would be. `None` where the editor is gone.
    fn keys_with_removed(self) -> Option<Vec<usize>> {
        let now: Vec<usize> =
            self.rules.try_with_untracked(|rules| rules.iter().map(|rule| rule.key).collect())?;
        self.keys.try_with_value(|before| with_removed(before, now))
    }
}

/// Adds to the keys those of before that are gone, each after the one that it came after.
fn with_removed(before: &[usize], mut keys: Vec<usize>) -> Vec<usize> {
    let mut last = None;
    for key in before {
        if !keys.contains(key) {
            let at = keys.iter().position(|other| Some(*other) == last).map_or(0, |at| at + 1);
            keys.insert(at, *key);
        }
        last = Some(*key);
    }
    keys
}

/// All rules of the intent.
#[component]
pub fn Rules(form: IntentForm, saving: Saving) -> impl IntoView {
    let rules = form.rules;
    let order = Order {
        rules,
        dragged: RwSignal::new(None),
        keys: StoredValue::new(Vec::new()),
        offers: Offers::of(form, saving),
        faults: use_context::<Faults>(),
        said: RwSignal::new(String::new()),
    };
    let on_add = Callback::new(move |()| {
        form.add_rule();
        let at = rules.with_untracked(Vec::len).saturating_sub(1);
        request_animation_frame(move || host::focus(&format!("rule-toggle-{at}")));
    });
    view! {
        <Section
            id="edit-rules"
            title="Asked of the message, in this order"
            hint="Without a rule, each of its messages is accepted."
        >
            <ol class="cards" data-testid="edit-rules">
                <Each each=move || rules.get() key=|rule| rule.key let:rule>
                    <RuleEditor form rule order/>
                </Each>
            </ol>
            <FaultLine path="validation_rules" name="Rules"/>
            <p class="visually-hidden" role="status">{order.said}</p>
            <AddButton id="add-rule" words="Add a rule" on_add/>
        </Section>
    }
}

#[component]
fn RuleEditor(form: IntentForm, rule: RuleForm, order: Order) -> impl IntoView {
    let Order { rules, dragged, .. } = order;
    let at = place_of(rules, move |other: RuleForm| other.key == rule.key);
    let is_open = rule.is_open;
    let faults = use_context::<Faults>();
    let is_faulty = memo(move || {
        faults.is_some_and(|faults| faults.is_below(&format!("validation_rules[{}].", at.get())))
    });
    // A fault is of no use where it is not seen.
    effect(move || {
        if is_faulty.get() {
            is_open.set(true);
        }
    });
    effect(move || {
        let Some(faults) = faults else { return };
        if faults.leads_below(&format!("validation_rules[{}].", at.get_untracked())) {
            is_open.set(true);
        }
    });
    let words = move || {
        let name = form.datasources.with_value(|all| rule.source(all).map(|found| found.name.clone()));
        rule_words(rule.kind_of_rule(), &rule.field.name(), name.as_deref())
    };
    let is_over = RwSignal::new(false);
    let on_drop = move |event| {
        host::allow_drop(&event);
        is_over.set(false);
        let from = dragged.get_untracked();
        let from = rules.with_untracked(|rules| rules.iter().position(|other| Some(other.key) == from));
        if let Some(from) = from {
            order.shift(from, at.get_untracked());
        }
    };
    let number = move || format!("rule {}", at.get() + 1);
    let fields_id = move || format!("rule-fields-{}", at.get());
    view! {
        <li
            class="card rule"
            class:rule--over=move || is_over.get() && dragged.get().is_some_and(|key| key != rule.key)
            data-testid="edit-rule"
            on:dragover=move |event| {
                if dragged.get_untracked().is_some() {
                    host::allow_drop(&event);
                    is_over.set(true);
                }
            }
            on:dragleave=move |_| is_over.set(false)
            on:drop=on_drop
        >
            <div class="rule__head">
                <span
                    class="rule__grip"
                    draggable="true"
                    aria-hidden="true"
                    data-testid="grip"
                    on:dragstart=move |event| {
                        host::begin_drag(&event);
                        dragged.set(Some(rule.key));
                    }
                    on:dragend=move |_| dragged.set(None)
                >
                    <Icon glyph=Glyph::Drag/>
                </span>
                <h3 class="rule__title">
                    <button
                        type="button"
                        class="rule__toggle"
                        id=move || format!("rule-toggle-{}", at.get())
                        aria-expanded=move || is_open.get().to_string()
                        aria-controls=fields_id
                        data-testid="rule-toggle"
                        on:click=move |_| is_open.update(|is_open| *is_open = !*is_open)
                    >
                        <Icon glyph=Glyph::Forward/>
                        <span>{move || format!("{}. {}", at.get() + 1, words())}</span>
                    </button>
                </h3>
                <div class="item__tools">
                    <button
                        type="button"
                        class="icon-button"
                        id=move || format!("rule-up-{}", at.get())
                        aria-disabled=move || (at.get() == 0).to_string()
                        on:click=move |_| order.step(at.get_untracked(), true)
                    >
                        <Icon glyph=Glyph::Up/>
                        <span class="visually-hidden">{move || format!("Move {} up", number())}</span>
                    </button>
                    <button
                        type="button"
                        class="icon-button"
                        id=move || format!("rule-down-{}", at.get())
                        aria-disabled=move || (at.get() + 1 == rules.read().len()).to_string()
                        on:click=move |_| order.step(at.get_untracked(), false)
                    >
                        <Icon glyph=Glyph::Down/>
                        <span class="visually-hidden">{move || format!("Move {} down", number())}</span>
                    </button>
                    <button
                        type="button"
                        class="icon-button"
                        data-testid="remove-rule"
                        on:click=move |_| order.remove(rule)
                    >
                        <Icon glyph=Glyph::Delete/>
                        <span class="visually-hidden">{move || format!("Remove {}", number())}</span>
                    </button>
                </div>
            </div>
            <div class="rule__marks">
                {move || {
                    let on_fail = rule.on_fail.get().parse().unwrap_or(OnFail::Reject);
                    view! { <OnFailBadge on_fail/> }
                }}
                {move || (!rule.is_active.get()).then(|| view! { <ActiveBadge is_active=false/> }.into_any())}
            </div>
            <div id=fields_id class="rule__fields" hidden=move || !is_open.get()>
                // By its fields the head names what is wrong in it, also where it is closed.
                <Only when=move || is_open.get() || is_faulty.get()>
                    <RuleFields form rule at/>
                </Only>
            </div>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_removed_keeps_its_place() {
        assert_eq!(with_removed(&[], vec![1, 2]), [1, 2]);
        assert_eq!(with_removed(&[1, 2, 3], vec![3]), [1, 2, 3]);
        assert_eq!(with_removed(&[1, 2, 3, 4], vec![4, 1, 5]), [4, 1, 2, 3, 5]);
    }
}
