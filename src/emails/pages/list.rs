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
    app::{CurrentTenant, Trail, on_change, tenant_page, use_tenant},
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
    Effect::new(move |_| {
        let query = query.read();
        if let Ok(tenant) = tenant.id() {
            Trail::note(tenant, query.page(query.before));
        }
    });
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
    let rows = RwSignal::new(emails);
    let last = Memo::new(move |_| last_of_full_page(&rows.read()));
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
            let (now, came) = taken_over(rows.get_untracked(), found, is_own);
            fresh.set(came);
            rows.set(now);
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

/// The rows after an answer, and beside them what newly came. What changed, changes in place. After the reader's own word
/// the list is as it would be asked for anew: what no longer belongs in it goes, and what is next takes its place.
fn taken_over(rows: Vec<Email>, found: Vec<Email>, is_own: bool) -> (Vec<Email>, Vec<Email>) {
    let Some(newest) = rows.first().map(|email| email.email_id) else { return (found, Vec::new()) };
    // Of what is older than it reaches, an answer says nothing.
    let reach = last_of_full_page(&found);
    let (came, known): (Vec<Email>, Vec<Email>) =
        found.into_iter().partition(|email| email.email_id > newest);
    let rows = if is_own {
        let is_beyond = |row: &Email| reach.is_some_and(|reach| row.email_id < reach);
        let beyond: Vec<Email> = rows.into_iter().filter(is_beyond).collect();
        known.into_iter().chain(beyond).collect()
    } else {
        let now =
            |row: Email| known.iter().find(|email| email.email_id == row.email_id).cloned().unwrap_or(row);
        rows.into_iter().map(now).collect()
    };
    (rows, came)
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
                // A key that is held down would go on to the next message, and the next.
                "x" | "e" | "#" | "r" | "n" if event.repeat() => {}
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
fn Pages(tenant: TenantId, query: ListQuery, last: Memo<Option<EmailId>>) -> impl IntoView {
    move || {
        let link = |before| tenant_page(&tenant, "/messages") + &query.page(before);
        let newest = query.before.map(|_| link(None));
        let older = last.get().map(|last| link(Some(last)));
        view! { <Pager label="Pages of the list" newest older/> }
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
                "Messages come by a mailbox, from files with “Import” on the page of messages, or one by one with "
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emails::dto::EmailStatus;

    /// The id counts down: the newest message is the first.
    fn email(number: u32, explanation: &str) -> Email {
        Email {
            email_id: EmailId(uuid::Uuid::from_u128(u128::from(u32::MAX - number))),
            tenant_id: "acme".parse().expect("an id"),
            message_id: String::new(),
            sender_email: String::new(),
            sender_name: String::new(),
            recipient_email: String::new(),
            subject: String::new(),
            received_at: chrono::DateTime::UNIX_EPOCH,
            status: EmailStatus::Done,
            intent: None,
            decision: None,
            explanation: explanation.to_owned(),
            parse_error: None,
            labels: Vec::new(),
        }
    }

    fn told(emails: &[Email]) -> Vec<(u128, &str)> {
        emails
            .iter()
            .map(|email| (u128::from(u32::MAX) - email.email_id.0.as_u128(), email.explanation.as_str()))
            .collect()
    }

    #[test]
    fn an_answer_changes_rows_in_place_and_takes_none_that_it_does_not_reach() {
        let page = u32::try_from(PAGE).expect("a small number");
        let rows: Vec<Email> = (10..10 + page).map(|number| email(number, "was")).collect();
        // Ten more came: a full answer ends ten rows early.
        let found: Vec<Email> = (0..page).map(|number| email(number, "is")).collect();
        let (now, came) = taken_over(rows.clone(), found, false);
        assert_eq!((now.len(), came.len()), (rows.len(), 10));
        assert_eq!((told(&now)[0], told(&now)[49]), ((10, "is"), (59, "was")));

        // The reader decided the rows 10 and 11, which the filter leaves out.
        let left =
            (0..page + 2).filter(|number| ![10, 11].contains(number)).map(|number| email(number, "is"));
        let (now, came) = taken_over(rows.clone(), left.collect(), true);
        assert_eq!(came.len(), 10);
        let numbers: Vec<u128> = told(&now).into_iter().map(|(number, _)| number).collect();
        assert_eq!((numbers[0], numbers.len()), (12, 48), "{numbers:?}");

        // All were decided: the next come up. Then there is nothing more.
        let next: Vec<Email> = (100..100 + page).map(|number| email(number, "is")).collect();
        assert_eq!(taken_over(rows.clone(), next.clone(), true), (next, vec![]));
        assert_eq!(taken_over(rows, vec![], true), (vec![], vec![]));
        assert_eq!(taken_over(vec![], vec![email(1, "is")], false).0.len(), 1);
    }
}
