//! Intents: the list, and one with all that it is.

mod detail;
mod editor;
mod routes;
mod tools;
mod versions;

use leptos::prelude::*;

pub use detail::{IntentPage, use_intent};
pub use editor::IntentEditor;
pub use versions::VersionPage;

use super::{
    api::list_intents,
    dto::{Intent, MatchConditions},
};
use crate::{
    app::{Allowed, tenant_page, use_tenant},
    auth::authority::Permission,
    ui::{
        badge::ActiveBadge,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// The intents of a tenant.
#[component]
pub fn IntentsPage() -> impl IntoView {
    let tenant = use_tenant();
    let intents = load(move || tenant.id(), |tenant| async move { list_intents(tenant?).await });
    view! {
        <PageHead
            title="Intents"
            lead="What a sender may want, and how a message is told to want it."
            context=tenant.label()
        >
            <Allowed permission=Permission::Configure>
                <a
                    class="button button--primary"
                    href=move || tenant.page("/intents/new")
                    data-testid="new-intent"
                >
                    <Icon glyph=Glyph::Add/>
                    "New intent"
                </a>
            </Allowed>
        </PageHead>
        <Load
            data=move || async move { intents.await }
            retry=move || intents.refetch()
            view=intent_list
        />
    }
}

fn intent_list(intents: Vec<Intent>) -> AnyView {
    if intents.is_empty() {
        return view! {
            <Empty title="There are no intents yet">
                <p>
                    "Until there is one, every message goes to a person. An intent says how a message is known to be of its kind, and what the message must prove."
                </p>
            </Empty>
        }
        .into_any();
    }
    let rows = intents.into_iter().map(|intent| view! { <IntentRow intent/> }).collect_view();
    view! {
        <DataTable
            caption="Intents"
            columns=&["Name", "A message gets it when", "Priority", "State", "Changed"]
        >
            {rows}
        </DataTable>
    }
    .into_any()
}

#[component]
fn IntentRow(intent: Intent) -> impl IntoView {
    let href = tenant_page(&intent.tenant_id, &format!("/intents/{}", intent.intent_id));
    view! {
        <tr role="row" class="row-link" data-testid="intent">
            <Cell label="Name">
                <span class="stacked">
                    <a class="row-link__target" href=href>{intent.name}</a>
                    <span class="hint">{intent.description}</span>
                </span>
            </Cell>
            <Cell label="A message gets it when">{match_words(&intent.conditions)}</Cell>
            <Cell label="Priority">
                <span class="number">{intent.priority}</span>
            </Cell>
            <Cell label="State">
                <ActiveBadge is_active=intent.is_active/>
            </Cell>
            <Cell label="Changed">
                <Timestamp at=intent.updated_at/>
            </Cell>
        </tr>
    }
}

/// Match conditions in one line, the first of each kind named.
fn match_words(conditions: &MatchConditions) -> String {
    let more = |count: usize| match count {
        0 | 1 => String::new(),
        count => format!(" (or {} more)", count - 1),
    };
    let mut parts = Vec::new();
    if let Some(first) = conditions.any.first() {
        parts.push(format!("{first}{}", more(conditions.any.len())));
    }
    parts.extend(conditions.all.iter().map(ToString::to_string));
    if parts.is_empty() {
        return "only by request: it has no condition".to_owned();
    }
    let unless = match conditions.none.len() {
        0 => String::new(),
        1 => ", with 1 exception".to_owned(),
        count => format!(", with {count} exceptions"),
    };
    parts.join(" and ") + &unless
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intents::dto::{Condition, MatchOp};

    #[test]
    fn conditions_read_as_a_line() {
        let condition =
            |value: &str| Condition { field: "subject".into(), op: MatchOp::Contains, value: value.into() };
        let mut conditions = MatchConditions::default();
        assert_eq!(match_words(&conditions), "only by request: it has no condition");
        conditions.any = vec![condition("a"), condition("b"), condition("c")];
        conditions.none = vec![condition("d")];
        assert_eq!(match_words(&conditions), "subject contains \"a\" (or 2 more), with 1 exception");
    }
}
