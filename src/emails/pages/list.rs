//! The list of messages.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{
    behind::Behind,
    bulk::{BulkBar, SET_INTENT},
    filters::{Filters, SEARCH},
    import::Import,
    kept::use_kept_choice,
    query::ListQuery,
    saved::{NameView, SavedFilters, Views},
    selection::{Choice, Selection, Word, Words, messages},
    table::{LiveTable, ROWS, go_to_row, is_at_row, row_id},
};
use crate::{
    app::{
        CurrentTenant, LastList, MAIN, MyAccess, Trail, may, on_change, tenant_page, use_last_list,
        use_tenant,
    },
    auth::authority::Permission,
    emails::{
        api::{PAGE, list_emails},
        dto::{Decision, Email, EmailFilter, EmailPage, EmailStatus, MOST_AT_ONCE, MOST_LOOKED_AT},
    },
    shared::{EmailId, Problem, TenantId},
    ui::{
        find::{ListSaid, say_found},
        host,
        icons::{Glyph, Icon},
        load::{Load, keep_focus},
        only::Only,
        page::PageHead,
        pager::Pager,
        panel::Empty,
        react::{effect, memo},
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
    let query = memo(move || ListQuery::read(&map.read()));
    let emails = load(
        move || (tenant.id(), query.get()),
        |(tenant, query)| async move { list_emails(tenant?, query.filter, query.before, Vec::new()).await },
    );
    let last_list = use_last_list();
    // The list before this one.
    let came_from = untrack(|| tenant.id().map(|id| last_list(&id)).unwrap_or_default());
    effect(move || {
        if let Ok(tenant) = tenant.id() {
            Trail::note(tenant, query.read().as_last());
        }
    });
    let views = Views::new(tenant, query);
    view! {
        <PageHead title="Messages" context=tenant.label()>
            <Import tenant/>
            <NameView views/>
        </PageHead>
        <SavedFilters views/>
        <Filters tenant query/>
        <ListSaid/>
        <Load
            data=move || async move {
                let page = emails.await?;
                // Read now, and not followed: else the list would end as soon as another is asked for, and its rows would
                // stand there, dead, until that comes.
                let (id, asked) = untrack(|| (tenant.id(), query.get()));
                let id = id?;
                let may_work = may(me, &id, Permission::WorkMessages).await;
                Ok((id, asked, may_work, page))
            }
            retry=move || emails.refetch()
            view=move |(id, asked, may_work, page): (TenantId, ListQuery, bool, EmailPage)| {
                let of = (id.clone(), asked.clone());
                let is_behind = memo(move || tenant.id().as_ref() != Ok(&of.0) || *query.read() != of.1);
                say_found(found(&asked, &page));
                let last = asked.as_last();
                // Only what is narrowed is left by messages.
                let is_back = came_from == last && last != LastList::default();
                let loading = Signal::derive(move || match is_behind.get() {
                    true => "Loading".to_owned(),
                    false => String::new(),
                });
                view! {
                    <Behind words=loading testid="list-behind"/>
                    <div>
                        <Step>
                            <Listed tenant id query=asked may_work page is_behind is_back/>
                        </Step>
                    </div>
                }
            }
        />
    }
}

/// How much a page of the list came to.
fn found(query: &ListQuery, page: &EmailPage) -> String {
    let (is_newest, is_search) = (query.before.is_none(), query.filter.words().next().is_some());
    match (page.emails.len(), page.next.is_some()) {
        (0, true) if is_search => {
            format!("Nothing in {}.", looked_at(is_newest, is_narrowed(&query.filter)))
        }
        (0, _) => format!("{}.", none_fits(is_newest)),
        (count, true) => format!("{count} and more messages"),
        (count, false) => messages(count),
    }
}

fn none_fits(is_newest: bool) -> &'static str {
    if is_newest { "No message fits" } else { "No older message fits" }
}

/// Whether other filters narrow the list beside its search.
fn is_narrowed(filter: &EmailFilter) -> bool {
    EmailFilter { q: None, ..filter.clone() } != EmailFilter::default()
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
    page: EmailPage,
    /// Whether another list is on its way.
    is_behind: Memo<bool>,
    /// Whether it is the list that one was at before.
    is_back: bool,
) -> impl IntoView {
    let kept = use_kept_choice();
    let selection = Selection::new(kept.of(&id, &query, &page));
    let rows = RwSignal::new(page.emails);
    let next = RwSignal::new(page.next);
    let fresh = RwSignal::new(Fresh::default());
    let left = RwSignal::new(Vec::<EmailId>::new());
    let words = Words::new();
    let listed = Signal::derive(move || {
        let left = left.read();
        let ids = rows.read().iter().map(|email| email.email_id).collect::<Vec<_>>();
        ids.into_iter().filter(|id| !left.contains(id)).collect::<Vec<_>>()
    });
    // The newest that was shown: what is newer than that has newly come.
    let newest = StoredValue::new(untrack(|| rows.read().first().map(|email| email.email_id)));
    let (is_search, is_newest) = (query.filter.words().next().is_some(), query.before.is_none());
    let is_all = query.is_unfiltered() && is_newest;
    // Whether a search looks only at those that fit other filters, too.
    let is_narrowed = is_narrowed(&query.filter);
    let filter = StoredValue::new(query.filter.clone());
    let asked = StoredValue::new((id, query));
    selection.keep(kept, asked);
    let page_from = move |before: Option<EmailId>| {
        asked.with_value(|(tenant, query)| tenant_page(tenant, "/messages") + &query.page(before))
    };
    let newest_page = (!is_newest).then(|| page_from(None));
    let under_way = Signal::derive(move || {
        asked.try_with_value(|(tenant, _)| words.under_way(tenant)).unwrap_or_default()
    });
    // It stays the same link as long as it leads to the same.
    let older = memo(move || next.get().map(|next| page_from(Some(next))));
    let turn = StoredValue::new(0_u32);
    let ask = Action::new(move |is_own: &bool| {
        turn.update_value(|turn| *turn = turn.wrapping_add(1));
        let (is_own, turn, (tenant, query)) = (*is_own, turn.get_value(), asked.get_value());
        let shown = rows.read_untracked().iter().take(MOST_AT_ONCE).map(|row| row.email_id).collect();
        async move { (turn, is_own, list_emails(tenant, query.filter, query.before, shown).await) }
    });
    // What is to be asked once there is an answer: whether it is after one's own word.
    let missed = StoredValue::new(None::<bool>);
    let ask_for_news = move || {
        // Of one's own word one hears before its answer, which asks too; and it counts for more than news.
        if ask.pending().get_untracked() {
            missed.update_value(|missed| *missed = missed.or(Some(false)));
        } else if asked.try_with_value(|(tenant, _)| words.is_under_way(tenant)) == Some(false) {
            ask.dispatch(false);
        }
    };
    on_change(ask_for_news);
    effect(move || {
        let Some((of, is_own, answer)) = ask.value().get() else { return };
        if of != turn.get_value() {
            return;
        }
        if let Ok(mut found) = answer {
            let before =
                Shown { rows: rows.get_untracked(), left: left.get_untracked(), next: next.get_untracked() };
            if is_own {
                // Its word does not say what a run came to, so that is told, once; of another word it is plain.
                found.left.retain(|email| words.has_run(email.email_id) && !before.tells(email.email_id));
            }
            let mut gone: Vec<EmailId> = before.rows.iter().map(|row| row.email_id).collect();
            let taken = taken_over(before, newest.get_value(), found, is_own);
            fresh.set(taken.fresh);
            // Nothing is to be decided that left, shown or not.
            gone.retain(|id| taken.rows.iter().all(|row| row.email_id != *id));
            gone.extend(&taken.left);
            selection.leave_out(&gone);
            left.set(taken.left);
            newest.update_value(|newest| {
                *newest = (*newest).max(taken.rows.first().map(|email| email.email_id))
            });
            next.set(taken.next);
            // A row before which others come is put elsewhere on the page, and loses the keyboard by that.
            keep_focus();
            rows.set(taken.rows);
        }
    });
    effect(move || {
        if ask.pending().get() {
            return;
        }
        let was_missed = missed.get_value();
        missed.set_value(None);
        match was_missed {
            Some(true) => drop(ask.dispatch(true)),
            Some(false) => untrack(ask_for_news),
            None => {}
        }
    });
    Effect::new(move |before: Option<u32>| {
        let now = asked.try_with_value(|(tenant, _)| words.version(tenant)).unwrap_or_default();
        if before.is_some_and(|before| before != now) && selection.is_there() {
            if ask.pending().get_untracked() {
                // What is under way was asked before the word: its answer does not count.
                turn.update_value(|turn| *turn = turn.wrapping_add(1));
                missed.set_value(Some(true));
            } else {
                ask.dispatch(true);
            }
        }
        now
    });
    let toasts = use_toasts();
    let gather = Action::new(move |(): &()| {
        let (tenant, query) = asked.get_value();
        let version = selection.version().unwrap_or_default();
        async move {
            match all_that_fit(tenant, query).await {
                Ok((ids, ended)) => {
                    let notice = ended.notice(ids.len());
                    if selection.gathered_since(version, ids)
                        && let Some(notice) = notice
                    {
                        toasts.done(notice);
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
    let has_more =
        Signal::derive(move || (!is_newest || older.read().is_some()) && !listed.read().is_empty());
    let choice = Choice { selection, rows, listed, filter, has_more, on_all };
    use_keys(tenant, choice, may_work.then_some(words), is_behind);
    go_on_at_last_read(rows, is_back);
    let none = move || {
        let all = asked.with_value(|(tenant, _)| tenant_page(tenant, "/messages"));
        match older.get() {
            Some(older) if is_search => view! { <NoneFitsYet older is_newest is_narrowed/> }.into_any(),
            _ if is_all => view! { <NoMessages/> }.into_any(),
            _ => view! { <NoneFits all is_newest/> }.into_any(),
        }
    };
    let is_short = move || i64::try_from(rows.read().len()).is_ok_and(|count| (1..PAGE).contains(&count));
    let is_part = memo(move || is_search && older.read().is_some() && is_short());
    view! {
        // Not to be worked on under filters that are not its own. Its pages stay: who turns them keeps the focus there.
        <div
            class="message-list"
            inert=move || is_behind.get()
            aria-busy=move || is_behind.get().to_string()
            data-testid="list"
        >
            <ShowFresh rows next fresh newest selection/>
            <Behind words=under_way testid="words-under-way"/>
            <Only when=move || !rows.read().is_empty() fallback=none>
                <LiveTable rows left words choice=may_work.then_some(choice)/>
            </Only>
            {may_work.then(|| view! { <BulkBar tenant words choice/> }.into_any())}
        </div>
        {move || is_part.get().then(|| view! { <FoundSoFar is_newest is_narrowed/> }.into_any())}
        <Pages newest=newest_page older/>
    }
}

/// Who comes back from a message is where they were in the list, once it stands there: unless the keyboard has gone on from
/// where a new page has it.
fn go_on_at_last_read(rows: RwSignal<Vec<Email>>, is_back: bool) {
    effect(move || {
        let Some(email) = Trail::take_read() else { return };
        let Some(row) = row_of(&rows.read_untracked(), email, is_back) else { return };
        request_animation_frame(move || {
            if host::focused_id().as_deref() == Some(MAIN) {
                host::focus(&row_id(row));
            }
        });
    });
}

/// The row of the message that was read. Of a list to which one is back, and which it has left meanwhile: the one that
/// followed it, or else the last.
fn row_of(rows: &[Email], read: EmailId, is_back: bool) -> Option<EmailId> {
    let ids = || rows.iter().map(|row| row.email_id);
    let near = ids().find(|id| *id <= read).or_else(|| ids().next_back());
    near.filter(|id| is_back || *id == read)
}

/// So many pages are asked for at once, at most: those of a search may hold few messages, or none.
const MOST_PAGES: usize = 10;

/// Where the gathering of messages ended.
enum Ended {
    AtTheLast,
    /// At as many as may be worked on at once.
    AtMost,
    /// At as many pages as are asked for at once.
    OnTheWay,
}

impl Ended {
    /// What is to be said of it, where so many are chosen.
    fn notice(&self, count: usize) -> Option<String> {
        match self {
            Self::AtTheLast => None,
            Self::AtMost => Some(format!("The newest {count} are chosen: no more can be worked on at once.")),
            Self::OnTheWay => Some(format!("The newest {count} are chosen: what is older was not searched.")),
        }
    }
}

/// The messages that fit, newest first, whichever page is shown.
async fn all_that_fit(tenant: TenantId, query: ListQuery) -> Result<(Vec<EmailId>, Ended), Problem> {
    let mut ids: Vec<EmailId> = Vec::new();
    let mut before = None;
    for _ in 0..MOST_PAGES {
        let page = list_emails(tenant.clone(), query.filter.clone(), before, Vec::new()).await?;
        before = page.next;
        ids.extend(page.emails.iter().map(|email| email.email_id));
        if ids.len() >= MOST_AT_ONCE || before.is_none() {
            let is_all = ids.len() <= MOST_AT_ONCE && before.is_none();
            ids.truncate(MOST_AT_ONCE);
            return Ok((ids, if is_all { Ended::AtTheLast } else { Ended::AtMost }));
        }
    }
    Ok((ids, Ended::OnTheWay))
}

/// What a list shows.
struct Shown {
    rows: Vec<Email>,
    /// The rows that do not belong in the list any more.
    left: Vec<EmailId>,
    /// The next page holds what is older than this; none where there is no such page.
    next: Option<EmailId>,
}

impl Shown {
    /// Whether a row stands there as one that left the list, with what came of it.
    fn tells(&self, email: EmailId) -> bool {
        let is_done = |row: &Email| row.email_id == email && row.status == EmailStatus::Done;
        self.left.contains(&email) && self.rows.iter().any(is_done)
    }
}

/// What newly came, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fresh {
    emails: Vec<Email>,
    /// More may have come than an answer holds: older than this, and newer than all that is shown.
    goes_on: Option<EmailId>,
}

impl Fresh {
    fn words(&self) -> String {
        match (self.emails.len(), self.goes_on) {
            (count, Some(_)) => format!("{count}+ new messages"),
            (1, None) => "1 new message".to_owned(),
            (count, None) => format!("{count} new messages"),
        }
    }

    /// The rows with it, and where the next page begins. Where more came it is a page of its own: right above the rows of
    /// before it would hide what came between.
    fn shown_with(self, rows: Vec<Email>, next: Option<EmailId>) -> (Vec<Email>, Option<EmailId>) {
        let mut all = self.emails;
        if self.goes_on.is_some() {
            return (all, self.goes_on);
        }
        all.extend(rows);
        (newest_first(all), next)
    }
}

/// Rows in their order, each once.
fn newest_first(mut rows: Vec<Email>) -> Vec<Email> {
    rows.sort_by_key(|email| std::cmp::Reverse(email.email_id));
    rows.dedup_by_key(|email| email.email_id);
    rows
}

/// What comes of an answer.
struct Taken {
    rows: Vec<Email>,
    fresh: Fresh,
    /// The rows that are still shown, and do not belong in the list any more: somebody else had a word on them, or they were
    /// run again.
    left: Vec<EmailId>,
    /// The next page holds what is older than this.
    next: Option<EmailId>,
}

/// What changed, changes in place. After the reader's own word the list is as it would be asked for anew: what no longer
/// belongs in it goes, but for what the answer tells of, and what is next takes its place. `newest` is the newest message
/// that was ever shown in it.
fn taken_over(before: Shown, newest: Option<EmailId>, found: EmailPage, is_own: bool) -> Taken {
    let Shown { rows, left, next } = before;
    // Of what is older than it reaches, an answer says nothing.
    let EmailPage { emails: found, next: reach, left: gone } = found;
    if rows.is_empty() {
        // Of a list that had no next page only a full page may be followed by more.
        let is_full = i64::try_from(found.len()).is_ok_and(|count| count >= PAGE);
        let next = reach.filter(|_| next.is_some() || is_full);
        return Taken { rows: found, fresh: Fresh::default(), left: Vec::new(), next };
    }
    let is_beyond = |id: EmailId| reach.is_some_and(|reach| id < reach);
    let is_new = |id: EmailId| newest.is_none_or(|newest| id > newest);
    let goes_on = reach.filter(|reach| is_new(*reach));
    // The rows go as far as the page did, or as the answer does. Where no page was next, none is: only newer ones can have
    // joined, or such as were taken back.
    let end = reach.zip(next).map(|(reach, next)| reach.min(next));
    if is_own {
        let beyond = rows.into_iter().filter(|row| is_beyond(row.email_id)).collect::<Vec<_>>();
        let mut left: Vec<_> = left.into_iter().filter(|id| is_beyond(*id)).collect();
        left.extend(gone.iter().map(|email| email.email_id));
        let (came, mut rows): (Vec<_>, Vec<_>) = found.into_iter().partition(|email| is_new(email.email_id));
        let fresh = Fresh { emails: came, goes_on };
        rows.extend(gone);
        rows.extend(beyond);
        return Taken { rows: newest_first(rows), fresh, left, next: end };
    }
    let is_found = |id: EmailId| found.iter().any(|email| email.email_id == id);
    let has_left = |id: EmailId| if is_beyond(id) { left.contains(&id) } else { !is_found(id) };
    let left = rows.iter().map(|row| row.email_id).filter(|id| has_left(*id)).collect();
    // What was taken back, or done late, comes in between. What is next after the last row is on the next page.
    let is_shown = |id: EmailId| rows.iter().any(|row| row.email_id == id);
    let (mut known, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|email| is_shown(email.email_id));
    known.extend(gone);
    let came = other.into_iter().filter(|email| next.is_none_or(|next| email.email_id > next)).collect();
    let fresh = Fresh { emails: came, goes_on };
    let now = |row: Email| match known.iter().find(|email| email.email_id == row.email_id) {
        Some(email) => email.clone(),
        None if is_beyond(row.email_id) => row,
        // It left, and how it stands was not told: it is gone, or one of many, or the server is an older one.
        None => Email { status: EmailStatus::Done, decision: None, ..row },
    };
    Taken { rows: rows.into_iter().map(now).collect(), fresh, left, next }
}

/// The way to what came since.
#[component]
fn ShowFresh(
    rows: RwSignal<Vec<Email>>,
    next: RwSignal<Option<EmailId>>,
    fresh: RwSignal<Fresh>,
    newest: StoredValue<Option<EmailId>>,
    selection: Selection,
) -> impl IntoView {
    let words = move || fresh.read().words();
    let show = move |_| {
        // None where the list is there no more, though it still stands on the page.
        let Some(came) = fresh.try_get_untracked() else { return };
        if came.goes_on.is_some() {
            // Nothing is to be decided that is not shown any more.
            selection.clear();
        }
        let (all, then) = came.shown_with(rows.get_untracked(), next.get_untracked());
        let first = all.first().map(|email| email.email_id);
        newest.update_value(|newest| *newest = (*newest).max(first));
        fresh.set(Fresh::default());
        next.set(then);
        rows.set(all);
        // The button goes: the keyboard is at what it brought, once that stands there.
        request_animation_frame(move || go_to_row(first));
    };
    view! {
        <div class="fresh" role="status" data-testid="fresh">
            <Only when=move || !fresh.read().emails.is_empty()>
                <button type="button" class="button button--small" on:click=show>
                    <Icon glyph=Glyph::Up/>
                    {words}
                </button>
            </Only>
        </div>
    }
}

/// `/` searches, `j` and `k` walk through the list; `Enter` follows the link that has the focus. `x` chooses its
/// message, `X` all up to it, `*` all; `i` leads to the choice of an intent for what is chosen, or else for that one, and the
/// others are said of it. Without `words` one may only look.
fn use_keys(tenant: CurrentTenant, choice: Choice, words: Option<Words>, is_behind: Memo<bool>) {
    let Choice { selection, listed, .. } = choice;
    effect(move || {
        let handle = window_event_listener(ev::keydown, move |event| {
            // While another list is on its way, all that one can do is search.
            if !host::is_shortcut(&event) || (is_behind.get_untracked() && host::key_of(&event) != "/") {
                return;
            }
            let focused = || {
                let id = host::focused_id()?;
                listed.get_untracked().into_iter().find(|email| row_id(*email) == id)
            };
            let meant = || -> Vec<EmailId> {
                let chosen = untrack(|| selection.ids());
                if chosen.is_empty() { focused().into_iter().collect() } else { chosen }
            };
            let say = |word: Word| {
                let Some(words) = words else { return };
                let (here, ids) = (focused(), meant());
                if !ids.is_empty() {
                    // What is decided may leave the list: reading goes on at the next.
                    if here.is_some() || !is_at_row() {
                        go_to_row(untrack(|| choice.next_to(here, &ids)));
                    }
                    choice.say(words, untrack(|| tenant.id()), ids, word);
                }
            };
            let choose_intent = || {
                event.prevent_default();
                if let Some(id) = focused().filter(|_| untrack(|| selection.ids()).is_empty()) {
                    selection.set_passing(id);
                }
                // The bar may come with what is chosen.
                request_animation_frame(|| host::focus(SET_INTENT));
            };
            // Whoever presses a key at a row has left the choice that `i` leads to.
            if focused().is_some() {
                selection.let_pass();
            }
            match host::key_of(&event).as_str() {
                // A key that is held down would go on to the next message, and the next.
                "x" | "X" | "*" | "e" | "#" | "r" | "i" | "n" if event.repeat() => {}
                "x" | "X" | "*" | "i" | "n" if words.is_none() => {}
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
                "n" if choice.rows.with_untracked(|rows| may_have_intent(rows, &meant())) => {
                    say(Word::Correct(None));
                }
                // Of what has none, which it has is all that there is to say.
                "i" | "n" => choose_intent(),
                "Escape" => selection.clear(),
                _ => {}
            }
        });
        on_cleanup(move || handle.remove());
    });
}

/// Whether one of these has an intent. Of what the list does not show nobody knows.
fn may_have_intent(rows: &[Email], ids: &[EmailId]) -> bool {
    let row_of = |id: &EmailId| rows.iter().find(|row| row.email_id == *id);
    ids.iter().any(|id| row_of(id).is_none_or(|row| row.intent.is_some()))
}

/// The ways to the neighbours of a page of the list.
#[component]
fn Pages(newest: Option<String>, older: Memo<Option<String>>) -> impl IntoView {
    move || view! { <Pager label="Pages of the list" newest=newest.clone() older=older.get()/> }
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
fn NoneFits(all: String, is_newest: bool) -> impl IntoView {
    view! {
        <Empty title=none_fits(is_newest)>
            <p>"Choose less narrowly, or look at all of them."</p>
            <a class="button" href=all>"All messages"</a>
        </Empty>
    }
}

/// None of those fits that a search has looked at, and there are more.
#[component]
fn NoneFitsYet(older: String, is_newest: bool, is_narrowed: bool) -> impl IntoView {
    view! {
        <Empty title=format!("Nothing in {}", looked_at(is_newest, is_narrowed))>
            <p>"There are older ones, which were not searched yet."</p>
            <a class="button" href=older data-testid="look-further">"Look further back"</a>
        </Empty>
    }
}

/// What a page of a search shows is not all that fits, though there would be room for more.
#[component]
fn FoundSoFar(is_newest: bool, is_narrowed: bool) -> impl IntoView {
    let looked_at = looked_at(is_newest, is_narrowed);
    let words = format!("Found in {looked_at}. Older ones were not searched yet.");
    view! { <p class="hint" data-testid="found-so-far">{words}</p> }
}

/// What a page of a search looks at: of all messages, or of those that fit the other filters.
fn looked_at(is_newest: bool, is_narrowed: bool) -> String {
    let count = format!("{},{:03}", MOST_LOOKED_AT / 1_000, MOST_LOOKED_AT % 1_000);
    let which = if is_narrowed { " that fit the other filters" } else { "" };
    if is_newest {
        format!("the newest {count} messages{which}")
    } else {
        format!("{count} older messages{which}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emails::dto::EmailIntent;

    /// The id counts down: the newest message is the first.
    fn email(number: u32, explanation: &str) -> Email {
        Email::sample(EmailId(uuid::Uuid::from_u128(u128::from(u32::MAX - number))), explanation)
    }

    fn told(emails: &[Email]) -> Vec<(u128, &str)> {
        emails
            .iter()
            .map(|email| (u128::from(u32::MAX) - email.email_id.0.as_u128(), email.explanation.as_str()))
            .collect()
    }

    /// As the server makes a page of them.
    fn page(emails: Vec<Email>) -> EmailPage {
        let is_full = i64::try_from(emails.len()).is_ok_and(|count| count >= PAGE);
        let next = emails.last().filter(|_| is_full).map(|email| email.email_id);
        EmailPage { emails, next, left: vec![] }
    }

    fn shown(rows: &[Email], left: &[EmailId]) -> Shown {
        let EmailPage { emails: rows, next, .. } = page(rows.to_vec());
        Shown { rows, left: left.to_vec(), next }
    }

    #[test]
    fn an_answer_changes_rows_in_place_and_takes_none_that_it_does_not_reach() {
        let count = u32::try_from(PAGE).expect("a small number");
        let rows: Vec<Email> = (10..10 + count).map(|number| email(number, "was")).collect();
        let (newest, end) = (Some(rows[0].email_id), Some(rows[49].email_id));
        // Ten more came: a full answer ends ten rows early.
        let found: Vec<Email> = (0..count).map(|number| email(number, "is")).collect();
        let taken = taken_over(shown(&rows, &[]), newest, page(found.clone()), false);
        assert_eq!((taken.rows.len(), taken.fresh.emails.len(), taken.next), (rows.len(), 10, end));
        assert_eq!(
            (told(&taken.rows)[0], told(&taken.rows)[49], taken.left),
            ((10, "is"), (59, "was"), vec![])
        );

        // Somebody decided the rows 10 and 11, which the filter leaves out: as long as it was not the reader, they stay.
        let left =
            (0..count + 2).filter(|number| ![10, 11].contains(number)).map(|number| email(number, "is"));
        let left: Vec<Email> = left.collect();
        let taken = taken_over(shown(&rows, &[]), newest, page(left.clone()), false);
        let gone: Vec<EmailId> = rows[..2].iter().map(|row| row.email_id).collect();
        assert_eq!((taken.rows.len(), &taken.left, taken.next), (rows.len(), &gone, end));
        // Ten more come, and the answer reaches ten rows less: of those it does not reach, what was known stays known.
        let known = [rows[0].email_id, rows[49].email_id];
        assert_eq!(taken_over(shown(&rows, &known), newest, page(found), false).left, known[1..]);
        let taken = taken_over(shown(&rows, &[]), newest, page(left), true);
        assert_eq!((taken.fresh.emails.len(), taken.left, taken.next), (10, vec![], end));
        let now = taken.rows;
        let numbers: Vec<u128> = told(&now).into_iter().map(|(number, _)| number).collect();
        assert_eq!((numbers[0], numbers.len()), (12, 48), "{numbers:?}");

        // One of the two is taken back: by the reader it is a row again, by somebody else it waits above the list.
        let back: Vec<Email> =
            (10..10 + count).filter(|number| *number != 11).map(|number| email(number, "is")).collect();
        let before = || Shown { rows: now.clone(), left: vec![], next: end };
        let taken = taken_over(before(), newest, page(back.clone()), true);
        assert_eq!((told(&taken.rows)[0], taken.fresh.emails, taken.next), ((10, "is"), vec![], None));
        let taken = taken_over(before(), newest, page(back), false);
        assert_eq!((told(&taken.rows)[0].0, told(&taken.fresh.emails)), (12, vec![(10, "is")]));

        // All were decided: the next come up. Then there is nothing more.
        let next: Vec<Email> = (100..100 + count).map(|number| email(number, "is")).collect();
        let taken = taken_over(shown(&rows, &[]), newest, page(next.clone()), true);
        assert_eq!((taken.next, taken.fresh.emails), (Some(next[49].email_id), vec![]));
        assert_eq!(taken.rows, next);
        let taken = taken_over(shown(&rows, &[]), newest, EmailPage::default(), true);
        assert_eq!((taken.rows, taken.fresh.emails, taken.left, taken.next), (vec![], vec![], vec![], None));
        let taken = taken_over(shown(&[], &[]), None, page(vec![email(1, "is")]), false);
        assert_eq!((taken.rows.len(), taken.next), (1, None));
    }

    #[test]
    fn an_answer_that_ended_early_leaves_what_lies_beyond_it() {
        let rows: Vec<Email> = [10, 20, 30].map(|number| email(number, "was")).into();
        let id = |number: u32| email(number, "").email_id;
        let before = |next| Shown { rows: rows.clone(), left: vec![], next };
        let newest = Some(id(10));
        // A search looked as far as 40; since 5 came it looks as far as 25, where 20 does not fit any more.
        let found = || EmailPage {
            emails: vec![email(5, "is"), email(10, "is")],
            next: Some(id(25)),
            left: vec![email(20, "left")],
        };
        let taken = taken_over(before(Some(id(40))), newest, found(), false);
        assert_eq!(told(&taken.rows), [(10, "is"), (20, "left"), (30, "was")], "as they stand now");
        assert_eq!(
            (told(&taken.fresh.emails), taken.left, taken.next),
            (vec![(5, "is")], vec![id(20)], Some(id(40)))
        );
        let taken = taken_over(before(Some(id(40))), newest, found(), true);
        assert_eq!(told(&taken.rows), [(10, "is"), (20, "left"), (30, "was")], "what is told of stays");
        assert_eq!(taken.left, [id(20)]);
        let untold = EmailPage { left: vec![], ..found() };
        let taken = taken_over(before(Some(id(40))), newest, untold, true);
        assert_eq!(told(&taken.rows), [(10, "is"), (30, "was")]);
        assert_eq!((told(&taken.fresh.emails), taken.next), (vec![(5, "is")], Some(id(40))));
        // All had been looked at: what an answer does not reach any more was, too.
        assert_eq!(taken_over(before(None), newest, found(), false).next, None);
        assert_eq!(taken_over(before(None), newest, found(), true).next, None);
        let none = |next| Shown { rows: vec![], left: vec![], next };
        assert_eq!(taken_over(none(None), None, found(), false).next, None);
        assert_eq!(taken_over(none(Some(id(40))), None, found(), false).next, Some(id(25)));
        // It looks further than before: what lies there comes up after the reader's own word, else on the next page.
        let found = || EmailPage { next: Some(id(50)), ..page(vec![email(10, "is"), email(45, "is")]) };
        let taken = taken_over(before(Some(id(40))), newest, found(), true);
        assert_eq!((told(&taken.rows), taken.next), (vec![(10, "is"), (45, "is")], Some(id(50))));
        let taken = taken_over(before(Some(id(40))), newest, found(), false);
        assert_eq!((taken.fresh.emails, taken.next), (vec![], Some(id(40))));
    }

    #[test]
    fn a_row_that_left_says_how_it_stands_where_that_is_told() {
        let review = |number| Email { decision: Some(Decision::Review), ..email(number, "") };
        let rows: Vec<Email> = [10, 20, 30].map(review).into();
        let id = |number: u32| email(number, "").email_id;
        let accepted = Email { decision: Some(Decision::Accepted), ..email(10, "") };
        // 20 is deleted, and the answer reaches no further than 25.
        let found = EmailPage { emails: vec![], next: Some(id(25)), left: vec![accepted] };
        let before = Shown { rows, left: vec![], next: Some(id(40)) };
        let taken = taken_over(before, Some(id(10)), found, false);
        let stands: Vec<_> = taken.rows.iter().map(|row| row.decision).collect();
        assert_eq!(stands, [Some(Decision::Accepted), None, Some(Decision::Review)]);
        assert_eq!(taken.left, [id(10), id(20)]);
    }

    #[test]
    fn what_a_run_came_to_is_told_once() {
        let stands = |status| Email { status, ..email(10, "") };
        let tells = |status, left: &[EmailId]| shown(&[stands(status)], left).tells(email(10, "").email_id);
        let left = [email(10, "").email_id];
        assert!(!tells(EmailStatus::Done, &[]), "it was run again just now");
        assert!(!tells(EmailStatus::Queued, &left), "it runs still");
        assert!(tells(EmailStatus::Done, &left));
        assert!(!tells(EmailStatus::Done, &[email(20, "").email_id]));
    }

    #[test]
    fn more_than_an_answer_holds_leaves_no_hole() {
        let count = u32::try_from(PAGE).expect("a small number");
        let rows: Vec<Email> = (300..312).map(|number| email(number, "was")).collect();
        let newest = Some(rows[0].email_id);
        let found: Vec<Email> = (0..count).map(|number| email(number, "is")).collect();
        let end = found.last().map(|email| email.email_id);
        for is_own in [false, true] {
            let taken = taken_over(shown(&rows, &[]), newest, page(found.clone()), is_own);
            assert_eq!((&taken.rows, taken.next), (&rows, None), "nothing moves by itself");
            assert_eq!(taken.fresh.words(), "50+ new messages");
            assert_eq!(taken.fresh.shown_with(taken.rows, taken.next), (found.clone(), end));
        }
        // What is shown already is among it: then nothing came between.
        let found: Vec<Email> = (251..301).map(|number| email(number, "is")).collect();
        let taken = taken_over(shown(&rows, &[]), newest, page(found), false);
        assert_eq!(taken.fresh.words(), "49 new messages");
        let (all, next) = taken.fresh.shown_with(taken.rows, taken.next);
        assert_eq!((all.len(), next), (61, None));
    }

    #[test]
    fn one_goes_on_at_what_was_read_or_at_what_followed_it() {
        let rows: Vec<Email> = [10, 20, 30].map(|number| email(number, "")).into();
        let id = |number: u32| email(number, "").email_id;
        assert_eq!(row_of(&rows, id(20), false), Some(id(20)));
        assert_eq!(row_of(&rows, id(15), false), None, "of another list");
        assert_eq!(row_of(&rows, id(15), true), Some(id(20)));
        assert_eq!(row_of(&rows, id(40), true), Some(id(30)), "it was the last");
        assert_eq!(row_of(&[], id(10), true), None);
    }

    #[test]
    fn what_has_no_intent_is_not_said_to_have_another() {
        let rows: Vec<Email> = [10, 20].map(|number| email(number, "")).into();
        let ids: Vec<EmailId> = rows.iter().map(|row| row.email_id).collect();
        assert!(!may_have_intent(&rows, &ids));
        assert!(!may_have_intent(&rows, &[]));
        assert!(may_have_intent(&rows[..1], &ids), "the other is not shown");
        let intent = EmailIntent { intent_id: None, name: "Orders".into() };
        let with_intent = Email { intent: Some(intent), ..rows[0].clone() };
        assert!(may_have_intent(&[with_intent, rows[1].clone()], &ids));
    }

    #[test]
    fn another_list_tells_how_much_it_came_to() {
        let all = ListQuery::default();
        let emails = |count: u32| page((0..count).map(|number| email(number, "")).collect());
        assert_eq!(found(&all, &emails(1)), "1 message");
        assert_eq!(found(&all, &emails(12)), "12 messages");
        let count = u32::try_from(PAGE).expect("a small number");
        assert_eq!(found(&all, &emails(count)), format!("{PAGE} and more messages"));
        assert_eq!(found(&all, &emails(0)), "No message fits.");
        let older = ListQuery { before: Some(email(1, "").email_id), ..all.clone() };
        assert_eq!(found(&older, &emails(0)), "No older message fits.");
        let search =
            ListQuery { filter: EmailFilter { q: Some("late".into()), ..EmailFilter::default() }, ..all };
        let so_far = EmailPage { next: Some(email(1, "").email_id), ..EmailPage::default() };
        assert_eq!(found(&search, &so_far), "Nothing in the newest 5,000 messages.");
    }

    #[test]
    fn what_a_search_looked_at_is_told() {
        assert_eq!(looked_at(true, false), "the newest 5,000 messages");
        assert_eq!(looked_at(false, false), "5,000 older messages");
        assert_eq!(looked_at(true, true), "the newest 5,000 messages that fit the other filters");
        assert_eq!(looked_at(false, true), "5,000 older messages that fit the other filters");
    }
}
