//! The list of messages.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{
    bulk::{BulkBar, ForWorkers},
    filters::{Filters, SEARCH},
    import::Import,
    marks::DecisionMark,
    query::ListQuery,
    saved::SavedFilters,
    selection::{Selection, Word, Words},
};
use crate::{
    app::{CurrentTenant, on_change, tenant_page, use_tenant},
    emails::{
        api::{PAGE, list_emails},
        dto::{Decision, Email},
    },
    shared::{EmailId, TenantId},
    ui::{
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        pager::Pager,
        panel::Empty,
        resource::load,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// Messages, newest first, narrowed by what the address says.
#[component]
pub fn MessagesPage() -> impl IntoView {
    let tenant = use_tenant();
    let map = use_query_map();
    let query = Memo::new(move |_| ListQuery::read(&map.read()));
    let emails = load(
        move || (tenant.id(), query.get()),
        |(tenant, query)| async move { list_emails(tenant?, query.filter, query.before).await },
    );
    view! {
        <PageHead title="Messages" context=tenant.label()>
            <Import tenant/>
        </PageHead>
        <SavedFilters tenant query/>
        <Filters tenant query/>
        <Load
            data=move || {
                let asked = (tenant.id(), query.get());
                async move { Ok((asked.0?, asked.1, emails.await?)) }
            }
            retry=move || emails.refetch()
            view=move |(id, query, emails): (TenantId, ListQuery, Vec<Email>)| {
                view! { <Listed tenant id query emails/> }
            }
        />
    }
}

/// A page of the list as it was asked for, then as it changes. What newly came waits above it until it is asked for: a
/// list that jumps is one in which the wrong message is opened.
#[component]
fn Listed(tenant: CurrentTenant, id: TenantId, query: ListQuery, emails: Vec<Email>) -> impl IntoView {
    let last = last_of_full_page(&emails);
    let rows = RwSignal::new(emails);
    let fresh = RwSignal::new(Vec::<Email>::new());
    let selection = Selection::new();
    let words = Words::new();
    let listed = Signal::derive(move || rows.read().iter().map(|email| email.email_id).collect::<Vec<_>>());
    let asked = StoredValue::new((id.clone(), query.clone()));
    let ask = Action::new(move |is_own: &bool| {
        let (is_own, (tenant, query)) = (*is_own, asked.get_value());
        async move { (is_own, list_emails(tenant, query.filter, query.before).await) }
    });
    Effect::new(move |_| {
        if let Some((is_own, Ok(found))) = ask.value().get() {
            take_over(rows, fresh, found, is_own);
        }
    });
    Effect::new(move |before: Option<u32>| {
        let now = words.version.get();
        if before.is_some_and(|before| before != now) {
            ask.dispatch(true);
        }
        now
    });
    on_change(move || {
        ask.dispatch(false);
    });
    use_keys(tenant, rows, selection, words);
    let is_unfiltered = query.is_unfiltered() && query.before.is_none();
    let pages = (id.clone(), query);
    view! {
        <Fresh rows fresh/>
        <ForWorkers>
            <BulkBar tenant selection words listed/>
        </ForWorkers>
        <Show
            when=move || !rows.read().is_empty()
            fallback=move || {
                if is_unfiltered {
                    view! { <NoMessages/> }.into_any()
                } else {
                    view! { <NoneFits tenant=id.clone()/> }.into_any()
                }
            }
        >
            <LiveTable rows selection/>
        </Show>
        <Pages tenant=pages.0 query=pages.1 last/>
    }
}

/// What changed of the rows, in place; what newly came, beside them. After the reader's own word the list is as it
/// would be asked for anew: what no longer belongs in it goes.
fn take_over(rows: RwSignal<Vec<Email>>, fresh: RwSignal<Vec<Email>>, found: Vec<Email>, is_own: bool) {
    let newest = rows.read_untracked().first().map(|email| email.email_id);
    let (came, known): (Vec<Email>, Vec<Email>) =
        found.into_iter().partition(|email| newest.is_none_or(|newest| email.email_id > newest));
    if newest.is_none() {
        rows.set(came);
        return;
    }
    fresh.set(came);
    rows.update(|rows| {
        if is_own {
            rows.retain(|row| known.iter().any(|email| email.email_id == row.email_id));
        }
        for row in rows {
            if let Some(email) = known.iter().find(|email| email.email_id == row.email_id) {
                row.clone_from(email);
            }
        }
    });
}

/// The way to what came since.
#[component]
fn Fresh(rows: RwSignal<Vec<Email>>, fresh: RwSignal<Vec<Email>>) -> impl IntoView {
    let words = move || match fresh.read().len() {
        1 => "1 new message".to_owned(),
        count => format!("{count} new messages"),
    };
    let show = move |_| {
        let mut all = fresh.get_untracked();
        all.extend(rows.get_untracked());
        fresh.set(Vec::new());
        rows.set(all);
    };
    view! {
        <div class="fresh" role="status" data-testid="fresh">
            <Show when=move || !fresh.read().is_empty()>
                <button type="button" class="button button--small" on:click=show>
                    <Icon glyph=Glyph::Up/>
                    {words}
                </button>
            </Show>
        </div>
    }
}

/// `/` searches, `j` and `k` walk through the list; `Enter` follows the link that has the focus. `x` chooses its
/// message; the others are said of what is chosen, or else of that one.
fn use_keys(tenant: CurrentTenant, rows: RwSignal<Vec<Email>>, selection: Selection, words: Words) {
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, move |event| {
            if !host::is_shortcut(&event) {
                return;
            }
            let focused = || {
                let id = host::focused_id()?;
                rows.read_untracked().iter().map(|email| email.email_id).find(|email| row_id(*email) == id)
            };
            let say = |word: Word| {
                let chosen = untrack(|| selection.ids());
                let ids = if chosen.is_empty() { focused().into_iter().collect() } else { chosen };
                if !ids.is_empty() {
                    // What is decided may leave the list: reading goes on at the next.
                    host::move_focus(ROWS, 1);
                    words.say(untrack(|| tenant.id()), ids, word);
                    selection.clear();
                }
            };
            match event.key().as_str() {
                "/" => {
                    event.prevent_default();
                    host::focus(SEARCH);
                }
                "j" => host::move_focus(ROWS, 1),
                "k" => host::move_focus(ROWS, -1),
                "x" => {
                    if let Some(id) = focused() {
                        selection.toggle(id);
                    }
                }
                "e" => say(Word::Decide(Decision::Accepted)),
                "#" => say(Word::Decide(Decision::Rejected)),
                "r" => say(Word::RunAgain),
                "n" => say(Word::Correct(None)),
                "Escape" => selection.clear(),
                _ => {}
            }
        });
        on_cleanup(move || handle.remove());
    });
}

/// The links that `j` and `k` walk through.
const ROWS: &str = ".row-link__target";

fn row_id(email: EmailId) -> String {
    format!("message-{email}")
}

/// The last message's id, if there may be more after it.
fn last_of_full_page(emails: &[Email]) -> Option<EmailId> {
    let is_full = i64::try_from(emails.len()).is_ok_and(|count| count >= PAGE);
    emails.last().filter(|_| is_full).map(|email| email.email_id)
}

/// The ways to the neighbours of a page of the list.
#[component]
fn Pages(tenant: TenantId, query: ListQuery, last: Option<EmailId>) -> impl IntoView {
    let link = |before| tenant_page(&tenant, "/messages") + &query.page(before);
    let newest = query.before.map(|_| link(None));
    let older = last.map(|last| link(Some(last)));
    view! {
        <Pager label="Pages of the list" newest older/>
    }
}

const COLUMNS: &[&str] = &["Decision", "Subject", "From", "Intent", "Received"];

/// Messages, one a row; each leads to all that happened to it.
#[component]
pub fn MessageTable(emails: Vec<Email>) -> impl IntoView {
    let rows = emails
        .into_iter()
        .map(|email| {
            view! {
                <tr role="row" class="row-link" data-testid="message-row">
                    <Cells email/>
                </tr>
            }
        })
        .collect_view();
    view! {
        <DataTable caption="Messages" class="table--messages" columns=COLUMNS>
            {rows}
        </DataTable>
    }
}

/// The same, whose rows change in place and can be chosen. A row stays the same element as long as it is in the list,
/// so that the keyboard stays where it is.
#[component]
fn LiveTable(rows: RwSignal<Vec<Email>>, selection: Selection) -> impl IntoView {
    view! {
        <DataTable caption="Messages" class="table--messages table--live" columns=COLUMNS>
            <For each=move || rows.get() key=|email| email.email_id let:email>
                <LiveRow email rows selection/>
            </For>
        </DataTable>
    }
}

#[component]
fn LiveRow(email: Email, rows: RwSignal<Vec<Email>>, selection: Selection) -> impl IntoView {
    let id = email.email_id;
    let label = format!("Choose {}", subject_of(&email));
    let first = email.clone();
    let now = Memo::new(move |_| {
        rows.read().iter().find(|email| email.email_id == id).cloned().unwrap_or_else(|| first.clone())
    });
    view! {
        <tr
            role="row"
            class="row-link"
            class:row-link--chosen=move || selection.has(id)
            data-testid="message-row"
        >
            <td role="cell" data-label="Decision" class="row-link__mark">
                <label class="row-link__choose">
                    <span class="visually-hidden">{label}</span>
                    <input
                        type="checkbox"
                        data-testid="choose"
                        prop:checked=move || selection.has(id)
                        on:change=move |event| selection.set(id, event_target_checked(&event))
                    />
                </label>
                {move || now.with(|email| view! { <DecisionMark status=email.status decision=email.decision/> })}
            </td>
            <Cell label="Subject">
                <span class="stacked">
                    <a
                        id=row_id(id)
                        class="row-link__target"
                        href=tenant_page(&email.tenant_id, &format!("/messages/{id}"))
                    >
                        {move || now.with(subject_of)}
                    </a>
                    <span class="hint clamped">{move || now.read().explanation.clone()}</span>
                </span>
            </Cell>
            <Cell label="From">
                <span class="breakable">{email.sender_email}</span>
            </Cell>
            <Cell label="Intent">{move || now.with(intent_of)}</Cell>
            <Cell label="Received">
                <Timestamp at=email.received_at/>
            </Cell>
        </tr>
    }
}

#[component]
fn Cells(email: Email) -> impl IntoView {
    let href = tenant_page(&email.tenant_id, &format!("/messages/{}", email.email_id));
    let (subject, intent) = (subject_of(&email), intent_of(&email));
    view! {
        <Cell label="Decision">
            <DecisionMark status=email.status decision=email.decision/>
        </Cell>
        <Cell label="Subject">
            <span class="stacked">
                <a class="row-link__target" href=href>{subject}</a>
                <span class="hint clamped">{email.explanation}</span>
            </span>
        </Cell>
        <Cell label="From">
            <span class="breakable">{email.sender_email}</span>
        </Cell>
        <Cell label="Intent">{intent}</Cell>
        <Cell label="Received">
            <Timestamp at=email.received_at/>
        </Cell>
    }
}

/// The name of its intent, or that it has none.
fn intent_of(email: &Email) -> String {
    email.intent.as_ref().map_or_else(|| "none".to_owned(), |intent| intent.name.clone())
}

/// The subject, or what stands for it.
pub fn subject_of(email: &Email) -> String {
    match email.subject.trim() {
        "" => "(no subject)".to_owned(),
        subject => subject.to_owned(),
    }
}

/// No message has come yet.
#[component]
pub fn NoMessages() -> impl IntoView {
    view! {
        <Empty title="No message has come yet">
            <p>
                "Send one in as it is (" <code>"message/rfc822"</code> ") with "
                <code>"POST /api/emails"</code> " and an API key of this tenant."
            </p>
        </Empty>
    }
}

#[component]
fn NoneFits(tenant: TenantId) -> impl IntoView {
    view! {
        <Empty title="No message fits">
            <p>"Choose less narrowly, or look at all of them."</p>
            <a class="button" href=tenant_page(&tenant, "/messages")>"All messages"</a>
        </Empty>
    }
}
