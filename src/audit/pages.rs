//! The audit log: who did what, and what it changed.

mod filters;
mod query;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use serde_json::{Map, Value};

use filters::Filters;
use query::{AuditQuery, EVERYTHING, SHOWN, action_words};

use super::{
    api::{PAGE, list_audit},
    dto::AuditEntry,
};
use crate::{
    app::{tenant_page, use_tenant},
    shared::{AuditId, TenantId},
    ui::{
        find::{ListSaid, say_found},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        pager::Pager,
        panel::Empty,
        react::memo,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
        value::Plain,
    },
};

/// What was done in a tenant, newest first.
#[component]
pub fn AuditPage() -> impl IntoView {
    let tenant = use_tenant();
    let map = use_query_map();
    let query = memo(move || AuditQuery::read(&map.read()));
    let entries = load(
        move || (tenant.id(), query.get()),
        |(tenant, query)| async move { list_audit(tenant?, query.filter(), query.before).await },
    );
    view! {
        <PageHead
            title="Audit log"
            lead="Who did what, when and from where, and what it changed. Nothing in it can be changed or deleted."
            context=tenant.label()
        />
        <Filters tenant query/>
        <ListSaid/>
        <Load
            data=move || {
                let asked = (tenant.id(), query.get());
                async move { Ok((asked.0?, asked.1, entries.await?)) }
            }
            retry=move || entries.refetch()
            view=|(tenant, query, entries): (TenantId, AuditQuery, Vec<AuditEntry>)| {
                view! {
                    <Exports tenant=tenant.clone() query=query.clone()/>
                    <Entries tenant query entries/>
                }
            }
        />
    }
}

/// All that the filters let through, as a file.
#[component]
fn Exports(tenant: TenantId, query: AuditQuery) -> impl IntoView {
    let links = [("csv", "Download as CSV"), ("jsonl", "Download as JSON Lines")]
        .map(|(format, words)| {
            let href = query.export(&tenant, format);
            view! {
                <a class="button" href=href rel="external" download data-testid=format!("export-{format}")>
                    <Icon glyph=Glyph::Download/>
                    {words}
                </a>
            }
        })
        .collect_view();
    view! { <div class="marks downloads">{links}</div> }
}

#[component]
fn Entries(tenant: TenantId, query: AuditQuery, entries: Vec<AuditEntry>) -> impl IntoView {
    let is_full = i64::try_from(entries.len()).is_ok_and(|count| count >= PAGE);
    say_found(match (entries.len(), is_full) {
        (0, _) => "Nothing fits.".to_owned(),
        (count, true) => format!("{count} and more found"),
        (count, false) => format!("{count} found"),
    });
    if entries.is_empty() {
        return view! {
            <Empty title="Nothing fits">
                <p>"Choose less narrowly, or look at all of it."</p>
                <a class="button" href=tenant_page(&tenant, &format!("/audit?{SHOWN}={EVERYTHING}"))>
                    "The whole log"
                </a>
            </Empty>
        }
        .into_any();
    }
    let older = entries.last().filter(|_| is_full).map(|entry| entry.audit_id);
    let link = |before: Option<AuditId>| tenant_page(&tenant, "/audit") + &query.page(before);
    let newest = query.before.map(|_| link(None));
    let older = older.map(|last| link(Some(last)));
    let rows = entries
        .into_iter()
        .map(|entry| {
            let page = page_of(&entry).map(|page| tenant_page(&tenant, &page));
            view! { <EntryRow entry page/> }.into_any()
        })
        .collect_view();
    view! {
        <DataTable
            caption="Audit log"
            class="table--audit"
            columns=&["When", "Who", "What", "Of", "Differences"]
        >
            {rows}
        </DataTable>
        <Pager label="Pages of the log" newest older/>
    }
    .into_any()
}

/// The page of the message or the intent that something was done to, if it can still be there.
fn page_of(entry: &AuditEntry) -> Option<String> {
    match entry.action.split_once('.')? {
        ("email", _) => Some(format!("/messages/{}", entry.object_id)),
        ("intent", verb) if verb != "delete" => Some(format!("/intents/{}", entry.object_id)),
        _ => None,
    }
}

#[component]
fn EntryRow(
    entry: AuditEntry,
    /// Of what it was done to, if that has one.
    page: Option<String>,
) -> impl IntoView {
    let AuditEntry { occurred_at, actor, address, request_id, action, object_id, before, after, .. } = entry;
    let name = name_of(after.as_ref()).or_else(|| name_of(before.as_ref()));
    let (words, lines) = (action_words(&action), differences(before, after));
    // By its name, where the entry has it; the number tells it from others of that name.
    let object = match name {
        Some(name) => view! { <bdi>{name}</bdi> " " <span class="hint">{object_id}</span> }.into_any(),
        None => object_id.into_any(),
    };
    let count = match lines.len() {
        0 => String::new(),
        1 => "1 value".to_owned(),
        n => format!("{n} values"),
    };
    let lines = lines
        .into_iter()
        .map(|(name, before, after)| {
            let both = before.is_some() && after.is_some();
            view! {
                <div class="facts__line">
                    <dt>{name}</dt>
                    <dd>
                        {before.map(|value| view! { <del><Plain value/></del> }.into_any())}
                        {both.then_some(" → ")}
                        {after.map(|value| view! { <ins><Plain value/></ins> }.into_any())}
                    </dd>
                </div>
            }
        })
        .collect_view();
    let differences = (!count.is_empty()).then(|| {
        view! {
            <details class="details">
                <summary>{count}</summary>
                <dl class="facts facts--code">{lines}</dl>
                {request_id.map(|id| view! { <p class="hint breakable">{format!("Request {id}")}</p> }.into_any())}
            </details>
        }
        .into_any()
    });
    view! {
        <tr role="row" data-testid="entry" data-action=action>
            <Cell label="When">
                <Timestamp at=occurred_at/>
            </Cell>
            <Cell label="Who">
                <span class="stacked">
                    <span class="breakable">{actor}</span>
                    <span class="hint">{address}</span>
                </span>
            </Cell>
            <Cell label="What">{words}</Cell>
            <Cell label="Of">
                {match page {
                    Some(page) => view! { <a class="breakable audit__object" href=page>{object}</a> }.into_any(),
                    None => view! { <span class="breakable">{object}</span> }.into_any(),
                }}
            </Cell>
            <Cell label="Differences">{differences}</Cell>
        </tr>
    }
}

/// What it is called, where that is told of it.
fn name_of(value: Option<&Value>) -> Option<String> {
    let name = value?.get("name")?.as_str()?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// Each member that there was or is, with both values.
fn differences(before: Option<Value>, after: Option<Value>) -> Vec<(String, Option<Value>, Option<Value>)> {
    let members = |value: Option<Value>| match value {
        Some(Value::Object(members)) => members,
        Some(other) => Map::from_iter([("value".to_owned(), other)]),
        None => Map::new(),
    };
    let (before, mut after) = (members(before), members(after));
    let mut lines: Vec<_> = before
        .into_iter()
        .map(|(name, value)| {
            let now = after.shift_remove(&name);
            (name, Some(value), now)
        })
        .collect();
    lines.extend(after.into_iter().map(|(name, value)| (name, None, Some(value))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_thing_is_called_by_its_name() {
        assert_eq!(name_of(Some(&json!({"name": "Orders", "kind": "imap"}))).as_deref(), Some("Orders"));
        for none in [json!({"kind": "imap"}), json!({"name": " "}), json!({"name": null}), json!("Orders")] {
            assert_eq!(name_of(Some(&none)), None, "{none}");
        }
        assert_eq!(name_of(None), None);
    }

    #[test]
    fn what_was_and_what_is_stand_side_by_side() {
        let lines = differences(Some(json!({"name": "A", "gone": 1})), Some(json!({"name": "B", "new": 2})));
        assert_eq!(
            lines,
            [
                ("name".to_owned(), Some(json!("A")), Some(json!("B"))),
                ("gone".to_owned(), Some(json!(1)), None),
                ("new".to_owned(), None, Some(json!(2))),
            ]
        );
        assert_eq!(differences(None, Some(json!("x")))[0].0, "value");
    }
}
