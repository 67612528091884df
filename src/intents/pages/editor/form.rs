//! What an intent's editor holds: a signal per field. Lines come and go, so each has a key of its own.

use std::sync::atomic::{AtomicUsize, Ordering};

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::rule_form::RuleForm;
use crate::{
    datasources::dto::Datasource,
    intents::dto::{
        Condition, Extractor, FieldType, IntentInput, IntentWithRulesInput, MESSAGE_FIELDS, MatchConditions,
        MatchOp,
    },
    rules::dto::RuleInput,
    shared::{FieldError, validate::default_priority},
    ui::react::memo,
};

/// Tells lines apart within a page. It is never shown.
pub fn next_key() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// How far apart the rules' priorities are written, so that a program finds room between two.
const STEP: i32 = 10;
/// Stands for a header, whose name is a text of its own.
pub const HEADER: &str = "header.";

/// A field of the message: one of those that there are, or a header by its name.
#[derive(Clone, Copy)]
pub struct FieldForm {
    pub choice: RwSignal<String>,
    pub header: RwSignal<String>,
}

impl FieldForm {
    pub fn new(name: &str) -> Self {
        let (choice, header) = match name.strip_prefix(HEADER) {
            Some(header) => (HEADER, header),
            None => (name, ""),
        };
        Self { choice: RwSignal::new(choice.to_owned()), header: RwSignal::new(header.to_owned()) }
    }

    pub fn name(self) -> String {
        let choice = self.choice.get();
        if choice == HEADER { choice + self.header.get().trim() } else { choice }
    }

    fn fill(self, other: Self) {
        self.choice.set(other.choice.get_untracked());
        self.header.set(other.header.get_untracked());
    }
}

#[derive(Clone, Copy)]
pub struct ConditionForm {
    pub key: usize,
    pub field: FieldForm,
    pub op: RwSignal<String>,
    pub value: RwSignal<String>,
}

impl ConditionForm {
    fn new(condition: &Condition) -> Self {
        Self {
            key: next_key(),
            field: FieldForm::new(&condition.field),
            op: RwSignal::new(condition.op.as_str().to_owned()),
            value: RwSignal::new(condition.value.clone()),
        }
    }

    fn read(self) -> Condition {
        let op = self.op.get();
        let op = MatchOp::ALL.iter().copied().find(|known| known.as_str() == op);
        Condition { field: self.field.name(), op: op.unwrap_or(MatchOp::Contains), value: self.value.get() }
    }

    fn fill(self, other: Self) {
        self.field.fill(other.field);
        self.op.set(other.op.get_untracked());
        self.value.set(other.value.get_untracked());
    }
}

#[derive(Clone, Copy)]
pub struct ExtractorForm {
    pub key: usize,
    pub name: RwSignal<String>,
    pub field: FieldForm,
    pub pattern: RwSignal<String>,
    pub kind: RwSignal<String>,
    pub unique: RwSignal<bool>,
}

impl ExtractorForm {
    fn new(extractor: &Extractor) -> Self {
        Self {
            key: next_key(),
            name: RwSignal::new(extractor.name.clone()),
            field: FieldForm::new(&extractor.field),
            pattern: RwSignal::new(extractor.pattern.clone()),
            kind: RwSignal::new(extractor.kind.as_str().to_owned()),
            unique: RwSignal::new(extractor.unique),
        }
    }

    fn read(self) -> Extractor {
        Extractor {
            name: self.name.get(),
            field: self.field.name(),
            pattern: self.pattern.get(),
            kind: self.kind.get().parse().unwrap_or(FieldType::Text),
            unique: self.unique.get(),
        }
    }

    fn fill(self, other: Self) {
        self.name.set(other.name.get_untracked());
        self.field.fill(other.field);
        self.pattern.set(other.pattern.get_untracked());
        self.kind.set(other.kind.get_untracked());
        self.unique.set(other.unique.get_untracked());
    }
}

/// One of the three groups of conditions, with its name on the wire.
pub type Group = (&'static str, RwSignal<Vec<ConditionForm>>);

/// What somebody typed, as far as it is kept.
#[derive(Clone, Serialize, Deserialize)]
pub struct Typed {
    /// What of it can be written down: nothing that a rule's type or datasource does not show, and of values with the same
    /// name only the last.
    pub draft: IntentWithRulesInput,
    /// Where something cannot be: all texts that may not be readable, in the order of `IntentForm::texts`.
    pub unread: Vec<String>,
}

impl Typed {
    pub fn written(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The whole editor.
#[derive(Clone, Copy)]
pub struct IntentForm {
    pub name: RwSignal<String>,
    pub description: RwSignal<String>,
    pub is_active: RwSignal<bool>,
    pub priority: RwSignal<String>,
    pub groups: [Group; 3],
    pub extractors: RwSignal<Vec<ExtractorForm>>,
    pub rules: RwSignal<Vec<RuleForm>>,
    /// Heard of when the rules came anew: what was taken out before is not to be put back.
    pub filled: RwSignal<()>,
    pub datasources: StoredValue<Vec<Datasource>>,
    /// What the signals of added lines belong to: they live as long as the form.
    owner: StoredValue<Owner>,
}

impl IntentForm {
    pub fn new(saved: &IntentWithRulesInput, datasources: Vec<Datasource>) -> Self {
        let IntentWithRulesInput { intent, validation_rules } = saved;
        let group = |conditions: &[Condition]| -> RwSignal<Vec<ConditionForm>> {
            RwSignal::new(conditions.iter().map(ConditionForm::new).collect())
        };
        let mut rules: Vec<&RuleInput> = validation_rules.iter().collect();
        rules.sort_by_key(|rule| rule.priority);
        let rules = rules.into_iter().map(RuleForm::new).collect();
        Self {
            name: RwSignal::new(intent.name.clone()),
            description: RwSignal::new(intent.description.clone()),
            is_active: RwSignal::new(intent.is_active),
            priority: RwSignal::new(intent.priority.to_string()),
            groups: [
                ("any", group(&intent.conditions.any)),
                ("all", group(&intent.conditions.all)),
                ("none", group(&intent.conditions.none)),
            ],
            extractors: RwSignal::new(intent.extractors.iter().map(ExtractorForm::new).collect()),
            rules: RwSignal::new(rules),
            filled: RwSignal::new(()),
            datasources: StoredValue::new(datasources),
            owner: StoredValue::new(Owner::current().unwrap_or_default()),
        }
    }

    /// Makes signals that live as long as the form.
    pub fn make<T>(self, make: impl FnOnce() -> T) -> T {
        self.owner.with_value(|owner| owner.with(make))
    }

    pub fn add_condition(self, group: RwSignal<Vec<ConditionForm>>) {
        let blank = Condition { field: "subject".into(), op: MatchOp::Contains, value: String::new() };
        group.update(|lines| lines.push(self.make(|| ConditionForm::new(&blank))));
    }

    pub fn add_extractor(self) {
        let blank = Extractor {
            name: String::new(),
            field: SUBJECT_AND_BODY.into(),
            pattern: String::new(),
            kind: FieldType::Text,
            unique: false,
        };
        self.extractors.update(|lines| lines.push(self.make(|| ExtractorForm::new(&blank))));
    }

    pub fn add_rule(self) {
        let rule = self.make(|| RuleForm::new(&RuleInput::blank()));
        rule.is_open.set(true);
        self.rules.update(|rules| rules.push(rule));
    }

    /// Every field that a rule or template can name, with its words.
    pub fn fields(self) -> Vec<(String, String)> {
        let mut fields = message_fields();
        let extracted = self.extractors.get().into_iter().map(|extractor| extractor.name.get());
        let extracted = extracted.filter(|name| !name.is_empty());
        fields
            .extend(extracted.map(|name| (name.clone(), format!("{} (extracted)", name.replace('_', " ")))));
        fields
    }

    /// Their names alone.
    pub fn field_names(self) -> Memo<Vec<String>> {
        memo(move || self.fields().into_iter().map(|(name, _)| name).collect())
    }

    /// The draft as it stands, and what in it cannot even be written down.
    pub fn read(self) -> (IntentWithRulesInput, Vec<FieldError>) {
        let mut faults = Vec::new();
        let priority = self.priority.get().trim().parse().unwrap_or_else(|_| {
            faults.push(FieldError::new("intent.priority", "must be a whole number"));
            default_priority()
        });
        let [any, all, none] =
            self.groups.map(|(_, lines)| lines.get().into_iter().map(ConditionForm::read).collect());
        let intent = IntentInput {
            description: self.description.get(),
            is_active: self.is_active.get(),
            priority,
            conditions: MatchConditions { any, all, none },
            extractors: self.extractors.get().into_iter().map(ExtractorForm::read).collect(),
            ..IntentInput::named(&self.name.get())
        };
        let mut validation_rules = Vec::new();
        let mut priority = 0;
        for (i, rule) in self.rules.get().into_iter().enumerate() {
            priority += STEP;
            let (rule, wrong) = self.datasources.with_value(|all| rule.read(all, priority));
            let at = |error: FieldError| {
                FieldError::new(format!("validation_rules[{i}].{}", error.field), error.message)
            };
            faults.extend(wrong.into_iter().map(at));
            validation_rules.push(rule);
        }
        (IntentWithRulesInput { intent, validation_rules }, faults)
    }

    /// What it holds, also texts of which `read` can write nothing down: half a number, half a body.
    pub fn typed(self) -> Typed {
        let (draft, wrong) = self.read();
        let unread = if wrong.is_empty() {
            Vec::new()
        } else {
            self.texts().into_iter().map(|text| text.get()).collect()
        };
        Typed { draft, unread }
    }

    /// Makes it hold what was typed at another time. The rules come anew, and closed; fields stay, and lines where they are as
    /// many: in those, somebody may have typed before the page was taken over.
    pub fn fill(self, typed: &Typed) {
        let other = self.make(|| Self::new(&typed.draft, Vec::new()));
        self.name.set(other.name.get_untracked());
        self.description.set(other.description.get_untracked());
        self.is_active.set(other.is_active.get_untracked());
        self.priority.set(other.priority.get_untracked());
        for ((_, lines), (_, others)) in self.groups.into_iter().zip(other.groups) {
            refill(lines, others, ConditionForm::fill);
        }
        refill(self.extractors, other.extractors, ExtractorForm::fill);
        self.rules.set(other.rules.get_untracked());
        self.filled.set(());
        for (text, typed) in untrack(|| self.texts()).into_iter().zip(&typed.unread) {
            text.set(typed.clone());
        }
    }

    /// The texts that `read` may not be able to read.
    fn texts(self) -> Vec<RwSignal<String>> {
        let of_rules = self.rules.get().into_iter().flat_map(RuleForm::texts);
        std::iter::once(self.priority).chain(of_rules).collect()
    }
}

/// Makes lines hold what others do. Where those are more or fewer, no line is known to be the same.
fn refill<T: Copy + Send + Sync + 'static>(
    lines: RwSignal<Vec<T>>,
    others: RwSignal<Vec<T>>,
    fill: impl Fn(T, T),
) {
    let (present, others) = (lines.get_untracked(), others.get_untracked());
    if present.len() == others.len() {
        present.into_iter().zip(others).for_each(|(line, other)| fill(line, other));
    } else {
        lines.set(others);
    }
}

/// The subject, a line break, the body: what extractors mostly look at.
pub const SUBJECT_AND_BODY: &str = "subject_and_body";

/// The fields that every message has, with their words.
pub fn message_fields() -> Vec<(String, String)> {
    let words = |name: &str| match name {
        "new_text" => "new text (body without quoted messages)".to_owned(),
        name => name.replace('_', " "),
    };
    MESSAGE_FIELDS.iter().map(|name| ((*name).to_owned(), words(name))).collect()
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;
    use crate::shared::wire;

    #[test]
    fn what_was_typed_comes_back_also_what_cannot_be_written_down() {
        let owner = Owner::new();
        owner.set();
        let blank = || IntentForm::new(&IntentWithRulesInput::blank(), Vec::new());
        let form = blank();
        form.name.set("Vouchers".to_owned());
        form.priority.set("soon".to_owned());
        form.add_condition(form.groups[1].1);
        form.groups[1].1.get_untracked()[0].value.set("voucher".to_owned());
        form.add_extractor();
        form.add_rule();
        let rule = form.rules.get_untracked()[0];
        rule.rule_type.set("compare".to_owned());
        rule.judge.op.set("between".to_owned());
        rule.judge.expected.set("5".to_owned());
        rule.rest.set("{\"later\": ".to_owned());
        let text = form.typed().written();
        let typed: Typed = wire::read(&text).expect("what was written");

        let other = blank();
        let lines = other.groups[1].1;
        other.add_condition(lines);
        other.add_condition(other.groups[0].1);
        let key = lines.get_untracked()[0].key;
        other.fill(&typed);
        assert_eq!(other.typed().written(), text);
        assert_eq!(other.priority.get_untracked(), "soon");
        let rule = other.rules.get_untracked()[0];
        assert_eq!(rule.rest.get_untracked(), "{\"later\": ");
        assert_eq!(rule.judge.expected.get_untracked(), "5", "beside a bound that is not typed yet");
        let keys: Vec<usize> = lines.get_untracked().iter().map(|line| line.key).collect();
        assert_eq!(keys, [key], "lines stay where they are as many");

        rule.rest.set(String::new());
        other.priority.set("7".to_owned());
        assert!(other.typed().unread.is_empty(), "what can be read is in the draft");
    }
}
