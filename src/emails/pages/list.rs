//! The list of messages.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{
    bulk::BulkBar,
    filters::{Filters, SEARCH},
    import::Import,
    query::ListQuery,
    saved::SavedFilters,
    selection::{Choice, Selection, Word, Words},
    table::{LiveTable, ROWS, go_to_row, is_at_row, row_id},
};
use crate::{
    app::{CurrentTenant, LastList, MAIN, MyAccess, Trail, may, on_change, tenant_page, use_tenant},
    auth::authority::Permission,
    emails::{
        api::{PAGE, list_emails},
        dto::{Decision, Email, MOST_AT_ONCE},
    },
    shared::{EmailId, Problem, TenantId},
    ui::{
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        pager::Pager,
        panel::Empty,
        resource::load,
        step::Step,
        toast::use_toasts,
    },
};

/// Messages, newest first, narrowed by what the address says.
#[component]
pub fn MessagesPage() -> impl IntoView {
    let tenant = use_tenant();
    let me = use_context::<MyAccess>();
    let map = use_query_map();
    let query = Memo::new(move |_| ListQuery::read(&map.read()));
    let emails = load(
        move || (tenant.id(), query.get()),
        |(tenant, query)| async move { list_emails(tenant?, query.filter, query.before).await },
    );
    Effect::new(move |_| {
        let query = query.read();
        if let Ok(tenant) = tenant.id() {
            Trail::note(tenant, LastList { filter: query.filter.clone(), query: query.page(query.before) });
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
                async move {
                    let (tenant, query) = (asked.0?, asked.1);
                    let may_work = may(me, &tenant, Permission::WorkMessages).await;
                    Ok((tenant, query, may_work, emails.await?))
                }
            }
            retry=move || emails.refetch()
            view=move |(id, query, may_work, emails): (TenantId, ListQuery, bool, Vec<Email>)| {
                view! {
                    <div>
                        <Step>
                            <Listed tenant id query may_work emails/>
                        </Step>
                    </div>
                }
            }
        />
    }
}

/// A page of the list as it was asked for, then as it changes. What newly came waits above it until it is asked for: a
/// list that jumps is one in which the wrong message is opened.
#[component]
fn Listed(
    tenant: CurrentTenant,
    id: TenantId,
    query: ListQuery,
    /// Whether the reader may have a word on messages, or only look.
    may_work: bool,
    emails: Vec<Email>,
) -> impl IntoView {
    let rows = RwSignal::new(emails);
    let last = Memo::new(move |_| last_of_full_page(&rows.read()));
    let fresh = RwSignal::new(Vec::<Email>::new());
    let left = RwSignal::new(Vec::<EmailId>::new());
    let selection = Selection::new();
    let words = Words::new();
    let listed = Signal::derive(move || {
        let left = left.read();
        let ids = rows.read().iter().map(|email| email.email_id).collect::<Vec<_>>();
        ids.into_iter().filter(|id| !left.contains(id)).collect::<Vec<_>>()
    });
    // The newest that was shown: what is newer than that has newly come.
    let newest = StoredValue::new(untrack(|| rows.read().first().map(|email| email.email_id)));
    let asked = StoredValue::new((id.clone(), query.clone()));
    let turn = StoredValue::new(0_u32);
    let ask = Action::new(move |is_own: &bool| {
        turn.update_value(|turn| *turn = turn.wrapping_add(1));
        let (is_own, turn, (tenant, query)) = (*is_own, turn.get_value(), asked.get_value());
        async move { (turn, is_own, list_emails(tenant, query.filter, query.before).await) }
    });
    let missed = StoredValue::new(false);
    let ask_for_news = move || {
        // Of one's own word one hears before its answer, which asks too; and it counts for more than news.
        if ask.pending().get_untracked() {
            missed.set_value(true);
        } else if !words.is_under_way() {
            ask.dispatch(false);
        }
    };
    on_change(ask_for_news);
    Effect::new(move |_| {
        let Some((of, is_own, answer)) = ask.value().get() else { return };
        if of != turn.get_value() {
            return;
        }
        if let Ok(found) = answer {
            let before = (rows.get_untracked(), left.get_untracked());
            let taken = taken_over(before, newest.get_value(), found, is_own);
            fresh.set(taken.came);
            selection.leave_out(&taken.left);
            left.set(taken.left);
            newest.update_value(|newest| {
                *newest = (*newest).max(taken.rows.first().map(|email| email.email_id))
            });
            rows.set(taken.rows);
        }
    });
    Effect::new(move |_| {
        if !ask.pending().get() && missed.get_value() {
            missed.set_value(false);
            untrack(ask_for_news);
        }
    });
    Effect::new(move |before: Option<u32>| {
        let now = words.version();
        if before.is_some_and(|before| before != now) {
            ask.dispatch(true);
        }
        now
    });
    let toasts = use_toasts();
    let gather = Action::new(move |(): &()| {
        let (tenant, query) = asked.get_value();
        let version = selection.version().unwrap_or_default();
        async move {
            match all_that_fit(tenant, query).await {
                Ok((ids, has_more)) => {
                    if selection.all_since(version, ids) && has_more {
                        toasts.done(format!("{MOST_AT_ONCE} are chosen: no more can be worked on at once."));
                    }
                }
                Err(problem) => toasts.refused(&problem),
            }
        }
    });
    let on_all = Callback::new(move |()| {
        if !gather.pending().get_untracked() {
            gather.dispatch(());
        }
    });
    let has_more = Signal::derive(move || last.get().is_some());
    let choice = Choice { selection, listed, has_more, on_all };
    use_keys(tenant, choice, may_work.then_some(words));
    go_on_at_last_read();
    let is_unfiltered = query.is_unfiltered() && query.before.is_none();
    let pages = (id.clone(), query);
    view! {
        <Fresh rows fresh newest/>
        {may_work.then(|| view! { <BulkBar tenant words choice/> })}
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
            <LiveTable rows left choice=may_work.then_some(choice)/>
        </Show>
        <Pages tenant=pages.0 query=pages.1 last/>
    }
}

/// Who comes back from a message is where they were in the list, once it stands there: unless the keyboard has gone on from
/// where a new page has it.
fn go_on_at_last_read() {
    Effect::new(move |_| {
        let Some(email) = Trail::take_read() else { return };
        request_animation_frame(move || {
            if host::focused_id().as_deref() == Some(MAIN) {
                host::focus(&row_id(email));
            }
        });
    });
}

/// The messages that fit, from those of this page on, newest first; and whether there are more than may be worked on at
/// once.
async fn all_that_fit(tenant: TenantId, query: ListQuery) -> Result<(Vec<EmailId>, bool), Problem> {
    let mut ids: Vec<EmailId> = Vec::new();
    let mut before = query.before;
    loop {
        let page = list_emails(tenant.clone(), query.filter.clone(), before).await?;
        before = last_of_full_page(&page);
        ids.extend(page.iter().map(|email| email.email_id));
        if ids.len() >= MOST_AT_ONCE || before.is_none() {
            let has_more = ids.len() > MOST_AT_ONCE || before.is_some();
            ids.truncate(MOST_AT_ONCE);
            return Ok((ids, has_more));
        }
    }
}

/// What comes of an answer.
struct Taken {
    rows: Vec<Email>,
    /// What newly came.
    came: Vec<Email>,
    /// The rows that are still shown, and do not belong in the list any more: somebody else had a word on them.
    left: Vec<EmailId>,
}

/// What changed, changes in place. After the reader's own word the list is as it would be asked for anew: what no longer
/// belongs in it goes, and what is next takes its place. `newest` is the newest message that was ever shown in it.
fn taken_over(
    (rows, left): (Vec<Email>, Vec<EmailId>),
    newest: Option<EmailId>,
    found: Vec<Email>,
    is_own: bool,
) -> Taken {
    if rows.is_empty() {
        return Taken { rows: found, came: Vec::new(), left: Vec::new() };
    }
    // Of what is older than it reaches, an answer says nothing.
    let reach = last_of_full_page(&found);
    let is_beyond = |id: EmailId| reach.is_some_and(|reach| id < reach);
    let is_new = |id: EmailId| newest.is_none_or(|newest| id > newest);
    if is_own {
        let beyond = rows.into_iter().filter(|row| is_beyond(row.email_id)).collect::<Vec<_>>();
        let left = left.into_iter().filter(|id| is_beyond(*id)).collect();
        let (came, known): (Vec<_>, Vec<_>) = found.into_iter().partition(|email| is_new(email.email_id));
        return Taken { rows: known.into_iter().chain(beyond).collect(), came, left };
    }
    let is_found = |id: EmailId| found.iter().any(|email| email.email_id == id);
    let has_left = |id: EmailId| if is_beyond(id) { left.contains(&id) } else { !is_found(id) };
    let left = rows.iter().map(|row| row.email_id).filter(|id| has_left(*id)).collect();
    // What was taken back, or done late, comes in between. What is next after the last row is on the next page.
    let last = last_of_full_page(&rows);
    let is_shown = |id: EmailId| rows.iter().any(|row| row.email_id == id);
    let (known, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|email| is_shown(email.email_id));
    let came = other.into_iter().filter(|email| last.is_none_or(|last| email.email_id > last)).collect();
    let now = |row: Email| known.iter().find(|email| email.email_id == row.email_id).cloned().unwrap_or(row);
    Taken { rows: rows.into_iter().map(now).collect(), came, left }
}

/// The way to what came since.
#[component]
fn Fresh(
    rows: RwSignal<Vec<Email>>,
    fresh: RwSignal<Vec<Email>>,
    newest: StoredValue<Option<EmailId>>,
) -> impl IntoView {
    let words = move || match fresh.read().len() {
        1 => "1 new message".to_owned(),
        count => format!("{count} new messages"),
    };
    let show = move |_| {
        let mut all = fresh.get_untracked();
        all.extend(rows.get_untracked());
        all.sort_by_key(|email| std::cmp::Reverse(email.email_id));
        all.dedup_by_key(|email| email.email_id);
        let first = all.first().map(|email| email.email_id);
        newest.update_value(|newest| *newest = (*newest).max(first));
        fresh.set(Vec::new());
        rows.set(all);
        // The button goes: the keyboard is at what it brought, once that stands there.
        request_animation_frame(move || go_to_row(first));
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
/// message, `X` all up to it, `*` all; the others are said of what is chosen, or else of that one. Without `words` one may
/// only look.
fn use_keys(tenant: CurrentTenant, choice: Choice, words: Option<Words>) {
    let Choice { selection, listed, .. } = choice;
    Effect::new(move |_| {
        let handle = window_event_listener(ev::keydown, move |event| {
            if !host::is_shortcut(&event) {
                return;
            }
            let focused = || {
                let id = host::focused_id()?;
                listed.get_untracked().into_iter().find(|email| row_id(*email) == id)
            };
            let say = |word: Word| {
                let Some(words) = words else { return };
                let chosen = untrack(|| selection.ids());
                let ids = if chosen.is_empty() { focused().into_iter().collect() } else { chosen };
                if !ids.is_empty() {
                    // What is decided may leave the list: reading goes on at the next.
                    if is_at_row() {
                        host::move_focus(ROWS, 1);
                    } else {
                        go_to_row(untrack(|| choice.next_to_chosen()));
                    }
                    words.say(untrack(|| tenant.id()), ids, word);
                    selection.clear();
                }
            };
            match event.key().as_str() {
                // A key that is held down would go on to the next message, and the next.
                "x" | "X" | "*" | "e" | "#" | "r" | "n" if event.repeat() => {}
                "x" | "X" | "*" if words.is_none() => {}
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
                "X" => {
                    if let Some(id) = focused() {
                        selection.set_through(id, &listed.get_untracked(), true);
                    }
                }
                "*" => untrack(|| choice.all()),
                "e" => say(Word::decide(Decision::Accepted)),
                "#" => say(Word::decide(Decision::Rejected)),
                "r" => say(Word::RunAgain),
                "n" => say(Word::Correct(None)),
                "Escape" => selection.clear(),
                _ => {}
            }
        });
        on_cleanup(move || handle.remove());
    });
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
        let newest = Some(rows[0].email_id);
        // Ten more came: a full answer ends ten rows early.
        let found: Vec<Email> = (0..page).map(|number| email(number, "is")).collect();
        let Taken { rows: now, came, left: gone } = taken_over((rows.clone(), vec![]), newest, found, false);
        assert_eq!((now.len(), came.len()), (rows.len(), 10));
        assert_eq!((told(&now)[0], told(&now)[49], gone), ((10, "is"), (59, "was"), vec![]));

        // Somebody decided the rows 10 and 11, which the filter leaves out: as long as it was not the reader, they stay.
        let left =
            (0..page + 2).filter(|number| ![10, 11].contains(number)).map(|number| email(number, "is"));
        let left: Vec<Email> = left.collect();
        let taken = taken_over((rows.clone(), vec![]), newest, left.clone(), false);
        let gone: Vec<EmailId> = rows[..2].iter().map(|row| row.email_id).collect();
        assert_eq!((taken.rows.len(), &taken.left), (rows.len(), &gone));
        // Ten more come, and the answer reaches ten rows less: of those it does not reach, what was known stays known.
        let known = vec![rows[0].email_id, rows[49].email_id];
        let found: Vec<Email> = (0..page).map(|number| email(number, "is")).collect();
        assert_eq!(taken_over((rows.clone(), known.clone()), newest, found, false).left, known[1..]);
        let Taken { rows: now, came, left: gone } = taken_over((rows.clone(), vec![]), newest, left, true);
        assert_eq!((came.len(), gone), (10, vec![]));
        let numbers: Vec<u128> = told(&now).into_iter().map(|(number, _)| number).collect();
        assert_eq!((numbers[0], numbers.len()), (12, 48), "{numbers:?}");

        // One of the two is taken back: by the reader it is a row again, by somebody else it waits above the list.
        let back: Vec<Email> =
            (10..10 + page).filter(|number| *number != 11).map(|number| email(number, "is")).collect();
        let taken = taken_over((now.clone(), vec![]), newest, back.clone(), true);
        assert_eq!((told(&taken.rows)[0], taken.came), ((10, "is"), vec![]));
        let taken = taken_over((now, vec![]), newest, back, false);
        assert_eq!((told(&taken.rows)[0].0, told(&taken.came)), (12, vec![(10, "is")]));

        // All were decided: the next come up. Then there is nothing more.
        let next: Vec<Email> = (100..100 + page).map(|number| email(number, "is")).collect();
        let taken = taken_over((rows.clone(), vec![]), newest, next.clone(), true);
        assert_eq!((taken.rows, taken.came), (next, vec![]));
        let taken = taken_over((rows, vec![]), newest, vec![], true);
        assert_eq!((taken.rows, taken.came, taken.left), (vec![], vec![], vec![]));
        assert_eq!(taken_over((vec![], vec![]), None, vec![email(1, "is")], false).rows.len(), 1);
    }
}
