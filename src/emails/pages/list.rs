//! The list of messages.

use leptos::{ev, prelude::*};
use leptos_router::hooks::use_query_map;

use super::{
    filters::{Filters, SEARCH},
    marks::DecisionMark,
    query::ListQuery,
};
use crate::{
    app::{tenant_page, use_tenant},
    emails::{
        api::{PAGE, list_emails},
        dto::Email,
    },
    shared::{EmailId, TenantId},
    ui::{
        host,
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
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
    let emails = Resource::new(
        move || (tenant.id(), query.get()),
        |(tenant, query)| async move { list_emails(tenant?, query.filter, query.before).await },
    );
    use_keys();
    view! {
        <PageHead title="Messages" context=tenant.label()/>
        <Filters tenant query/>
        <Load
            data=move || {
                let asked = (tenant.id(), query.get());
                async move { Ok((asked.0?, asked.1, emails.await?)) }
            }
            retry=move || emails.refetch()
            view=|(tenant, query, emails): (TenantId, ListQuery, Vec<Email>)| {
                if emails.is_empty() {
                    return if query.is_unfiltered() && query.before.is_none() {
                        view! { <NoMessages/> }.into_any()
                    } else {
                        view! { <NoneFits tenant/> }.into_any()
                    };
                }
                view! {
                    <Pages tenant query last=last_of_full_page(&emails)>
                        <MessageTable emails/>
                    </Pages>
                }
                .into_any()
            }
        />
    }
}

/// `/` searches, `j` and `k` walk through the list; `Enter` follows the link that has the focus.
fn use_keys() {
    Effect::new(|_| {
        let handle = window_event_listener(ev::keydown, |event| {
            if !host::is_shortcut(&event) {
                return;
            }
            match event.key().as_str() {
                "/" => {
                    event.prevent_default();
                    host::focus(SEARCH);
                }
                "j" => host::move_focus(".row-link__target", 1),
                "k" => host::move_focus(".row-link__target", -1),
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

/// A page of the list, and the ways to its neighbours.
#[component]
fn Pages(tenant: TenantId, query: ListQuery, last: Option<EmailId>, children: Children) -> impl IntoView {
    let link = |before| tenant_page(&tenant, "/messages") + &query.page(before);
    let newest = query.before.map(|_| link(None));
    let older = last.map(|last| link(Some(last)));
    view! {
        {children()}
        <nav class="pages" aria-label="Pages of the list">
            {newest
                .map(|href| {
                    view! {
                        <a class="button" href=href>
                            <Icon glyph=Glyph::Back/>
                            "Newest"
                        </a>
                    }
                })}
            {older
                .map(|href| {
                    view! {
                        <a class="button pages__older" href=href data-testid="older">
                            "Older"
                            <Icon glyph=Glyph::Forward/>
                        </a>
                    }
                })}
        </nav>
    }
}

/// Messages, one a row; each leads to all that happened to it.
#[component]
pub fn MessageTable(emails: Vec<Email>) -> impl IntoView {
    let rows = emails.into_iter().map(|email| view! { <MessageRow email/> }).collect_view();
    view! {
        <DataTable
            caption="Messages"
            class="table--messages"
            columns=&["Decision", "Subject", "From", "Intent", "Received"]
        >
            {rows}
        </DataTable>
    }
}

#[component]
fn MessageRow(email: Email) -> impl IntoView {
    let href = tenant_page(&email.tenant_id, &format!("/messages/{}", email.email_id));
    let subject = subject_of(&email);
    view! {
        <tr role="row" class="row-link" data-testid="message-row">
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
            <Cell label="Intent">
                {email.intent.map_or_else(|| "none".to_owned(), |intent| intent.name)}
            </Cell>
            <Cell label="Received">
                <Timestamp at=email.received_at/>
            </Cell>
        </tr>
    }
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
