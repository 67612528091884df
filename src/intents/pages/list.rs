//! The intents of a tenant.

use leptos::prelude::*;
use leptos_router::{components::Form, hooks::use_query_map, params::ParamsMap};

use crate::{
    app::{Allowed, CurrentTenant, tenant_page, use_tenant},
    auth::authority::Permission,
    intents::{
        api::list_intents,
        dto::{Intent, MatchConditions},
    },
    shared::TenantId,
    ui::{
        badge::ActiveBadge,
        find::{Cut, FindField, ListSaid, NoneFits, holds, say_fits, sought},
        form::{Choice, FilterButtons, active_or_not, without_buttons},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        react::memo,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// Which intents the list shows, as its address says.
#[derive(Clone, Debug, Default, PartialEq)]
struct IntentsQuery {
    /// To be found in name or description.
    q: String,
    is_active: Option<bool>,
}

impl IntentsQuery {
    /// Reads an address. What cannot be read narrows nothing.
    fn read(map: &ParamsMap) -> Self {
        Self { q: sought(map), is_active: map.get("active").and_then(|text| text.parse().ok()) }
    }

    fn is_unfiltered(&self) -> bool {
        *self == Self::default()
    }

    fn lets_through(&self, intent: &Intent) -> bool {
        holds(&self.q, &[&intent.name, &intent.description])
            && self.is_active.is_none_or(|is_active| intent.is_active == is_active)
    }
}

/// The intents of a tenant.
#[component]
pub fn IntentsPage() -> impl IntoView {
    let tenant = use_tenant();
    let map = use_query_map();
    let query = memo(move || IntentsQuery::read(&map.read()));
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
        <Filters tenant query/>
        <ListSaid/>
        <Load
            data=move || {
                let query = query.get();
                async move { Ok((tenant.id()?, query, intents.await?)) }
            }
            retry=move || intents.refetch()
            view=intent_list
        />
    }
}

/// A plain form whose fields are the address's query.
#[component]
fn Filters(tenant: CurrentTenant, query: Memo<IntentsQuery>) -> impl IntoView {
    let active = move || query.read().is_active.map(|is_active| is_active.to_string()).unwrap_or_default();
    view! {
        <Form method="get" action=move || tenant.page("/intents") on_form_data=without_buttons() attr:class="line-form" attr:role="search">
            <FindField q=Signal::derive(move || query.read().q.clone()) by="Name or description"/>
            <Choice label="State" name="active" chosen=Signal::derive(active) options=active_or_not()/>
            <FilterButtons
                all=Signal::derive(move || tenant.page("/intents"))
                is_filtered=Signal::derive(move || !query.read().is_unfiltered())
            />
        </Form>
    }
}

fn intent_list((tenant, query, mut intents): (TenantId, IntentsQuery, Vec<Intent>)) -> AnyView {
    as_tried(&mut intents);
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
    let count = intents.len();
    let shown: Vec<Intent> = intents.into_iter().filter(|intent| query.lets_through(intent)).collect();
    say_fits(shown.len(), "intent");
    if shown.is_empty() {
        return view! {
            <NoneFits all=tenant_page(&tenant, "/intents") names=("intent", "intents")/>
            <Cut count/>
        }
        .into_any();
    }
    let rows = shown.into_iter().map(|intent| view! { <IntentRow intent/> }.into_any()).collect_view();
    view! {
        <DataTable
            caption="Intents"
            columns=&["Name", "A message gets it when", "Priority", "State", "Changed"]
        >
            {rows}
        </DataTable>
        <Cut count/>
    }
    .into_any()
}

/// In the order in which a message is held against them.
fn as_tried(intents: &mut [Intent]) {
    intents.sort_by_key(|intent| (intent.priority, intent.intent_id));
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
    use crate::{
        intents::dto::{Condition, MatchOp},
        shared::IntentId,
    };

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

    fn intent(name: &str, is_active: bool) -> Intent {
        serde_json::from_value(serde_json::json!({
            "intent_id": 1, "tenant_id": "acme", "name": name, "description": "About parcels", "is_active": is_active,
            "priority": 1, "match": {}, "extractors": [], "version": 1, "examples_count": 0,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        }))
        .expect("an intent")
    }

    #[test]
    fn intents_stand_as_they_are_tried() {
        let mut intents = [(7, 20), (9, 10), (8, 10), (1, 30)].map(|(id, priority)| {
            let mut intent = intent(&id.to_string(), true);
            (intent.intent_id, intent.priority) = (IntentId(id), priority);
            intent
        });
        as_tried(&mut intents);
        assert_eq!(intents.map(|intent| intent.name), ["8", "9", "7", "1"]);
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn an_address_narrows_the_list() {
        let query = |pairs: &[(&'static str, &'static str)]| {
            IntentsQuery::read(&pairs.iter().copied().collect::<ParamsMap>())
        };
        let (order, other) = (intent("Order enquiry", true), intent("Invoice", false));
        for (pairs, fits) in [
            (&[][..], [true, true]),
            (&[("q", " ORDER "), ("active", "")][..], [true, false]),
            (&[("q", "parcel")][..], [true, true]),
            (&[("q", "parcel"), ("active", "false")][..], [false, true]),
            (&[("active", "nonsense")][..], [true, true]),
        ] {
            let query = query(pairs);
            assert_eq!([&order, &other].map(|intent| query.lets_through(intent)), fits, "{pairs:?}");
        }
        assert!(query(&[("q", " ")]).is_unfiltered());
    }
}
