//! The fields of one rule: what it asks, how it judges the answer, and what follows.

use leptos::prelude::*;

use super::{
    form::IntentForm, judgement::Judgement, lookup::Lookup, parts::FieldChoice, rule_form::RuleForm,
};
use crate::{
    datasources::dto::DatasourceType,
    ui::{
        editor::{InsertField, options},
        fields::{CheckField, FaultLine, SelectField, TextArea},
        host,
        only::Only,
        react::memo,
    },
};

/// What each type demands of the field.
const TYPES: [(&str, &str); 8] = [
    ("exists", "must be found"),
    ("not_exists", "must not be found"),
    ("equals", "must be as expected"),
    ("not_equals", "must differ from a value"),
    ("regex", "must match a pattern"),
    ("one_of", "must be in a list"),
    ("compare", "must be in bounds"),
    ("expression", "must make an expression hold"),
];

/// The path of a member of the rule, as the server names it.
pub type Path = Callback<&'static str, Signal<String>>;

/// All fields of a rule.
#[component]
pub fn RuleFields(form: IntentForm, rule: RuleForm, at: Memo<usize>) -> impl IntoView {
    let path: Path = Callback::new(move |member: &'static str| {
        Signal::derive(move || format!("validation_rules[{}].{member}", at.get()))
    });
    let kind =
        memo(move || form.datasources.with_value(|all| rule.source(all).map(|found| found.datasource_type)));
    let rule_type = memo(move || rule.kind_of_rule());
    let sources = Signal::derive(move || {
        let mut sources = vec![(String::new(), "nothing: the message alone".to_owned())];
        form.datasources.with_value(|all| {
            sources.extend(all.iter().map(|source| (source.datasource_id.to_string(), source.name.clone())));
        });
        let chosen = rule.datasource.get();
        if !sources.iter().any(|(id, _)| *id == chosen) {
            sources.push((chosen.clone(), format!("datasource {chosen}")));
        }
        sources
    });
    view! {
        <div class="fields">
            <FieldChoice
                label="Field"
                path=path.run("field_name")
                field=rule.field
                fields=Signal::derive(move || form.fields())
            />
            <SelectField
                label="What it demands"
                path=path.run("rule_type")
                value=rule.rule_type
                options=options(&TYPES)
                testid="rule-type"
            />
            <SelectField
                label="Where it is looked up"
                path=path.run("datasource_id")
                value=rule.datasource
                options=sources
                testid="rule-datasource"
            />
        </div>
        <Lookup form rule kind path/>
        <Judgement rule rule_type kind path/>
        <InsertField fields=form.field_names()/>
        <Consequences rule kind path/>
        // Of the conditions as a whole, and of members that have no field: told where it is seen.
        <FaultLine path=path.run("conditions") name="Conditions of the rule"/>
        <details class="details" prop:open=move || !rule.rest.read_untracked().is_empty()>
            <summary>"More, as JSON"</summary>
            <TextArea
                label="Members that have no field here"
                path=path.run("conditions")
                value=rule.rest
                hint="They stay as they are."
                is_code=true
            />
        </details>
        <FaultLine path=path.run("rule_id") name="The rule"/>
    }
}

/// A field whose value may hold fields of the message.
#[component]
pub fn Templated(children: Children) -> impl IntoView {
    view! { <div on:focusin=move |event| host::remember_field(&event)>{children()}</div> }
}

/// What follows from what it says.
#[component]
fn Consequences(rule: RuleForm, kind: Memo<Option<DatasourceType>>, path: Path) -> impl IntoView {
    view! {
        <div class="fields">
            <SelectField
                label="If it fails, the message"
                path=path.run("on_fail")
                value=rule.on_fail
                options=options(&[
                    ("reject", "is rejected"),
                    ("review", "goes to a person"),
                    ("warn", "goes on: it is only noted"),
                ])
                testid="on-fail"
            />
            <SelectField
                label="If the message lacks the field, the rule"
                path=path.run("when_missing")
                value=rule.when_missing
                options=options(&[("fail", "fails"), ("skip", "is skipped")])
            />
            <Only when=move || kind.get().is_some()>
                <SelectField
                    label="If the datasource cannot be asked, the message"
                    path=path.run("on_error")
                    value=rule.on_error
                    options=options(&[
                        ("review", "goes to a person"),
                        ("reject", "is rejected"),
                        ("ignore", "goes on"),
                    ])
                />
            </Only>
        </div>
        <div class="marks">
            <CheckField label="A failure ends the run" path=path.run("stop") value=rule.stop/>
            <CheckField label="Active" path=path.run("is_active") value=rule.is_active/>
        </div>
    }
}
