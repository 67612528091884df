//! Where a tenant's mail comes from.

use leptos::prelude::*;

use super::{
    domains::{Domains, DomainsTyped},
    signs::{NotListening, Standing, or_never},
    words::{count_words, way_words},
};
use crate::{
    app::{Allowed, on_change, tenant_page, use_tenant},
    auth::authority::Permission,
    mailboxes::{
        api::{SetMailDomains, list_mailboxes},
        dto::{Mailbox, MailboxList},
    },
    shared::TenantId,
    ui::{
        find::{Found, ListSaid, holds, use_sought},
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::Empty,
        resource::load_again,
        saving::{on_done, successes},
        table::{Cell, DataTable},
        toast::use_toasts,
    },
};

/// The mailboxes of a tenant. It follows what changes as long as it is looked at.
#[component]
pub fn MailboxesPage() -> impl IntoView {
    let (tenant, q) = (use_tenant(), use_sought());
    let set_domains = form_action::<SetMailDomains>();
    let (saved, typed) = (successes(set_domains.value()), DomainsTyped::new());
    let mailboxes = load_again(
        move || tenant.id(),
        move || saved.get(),
        |tenant| async move { list_mailboxes(tenant?).await },
    );
    on_change(move || mailboxes.refresh());
    let toasts = use_toasts();
    on_done(set_domains.value(), move |()| toasts.done("The domains are saved."));
    view! {
        <PageHead
            title="Mailboxes"
            lead="Where mail comes from: handed on by a mail server, or fetched from a mailbox elsewhere."
            context=tenant.label()
        >
            <Allowed permission=Permission::Mailboxes>
                <a class="button button--primary" href=move || tenant.page("/mailboxes/new") data-testid="new-mailbox">
                    <Icon glyph=Glyph::Add/>
                    "New mailbox"
                </a>
            </Allowed>
        </PageHead>
        <ListSaid/>
        <Load
            data=move || {
                let q = q.get();
                async move { Ok((tenant.id()?, q, mailboxes.await?)) }
            }
            retry=move || mailboxes.refetch()
            view=move |(tenant_id, q, list): (TenantId, String, MailboxList)| {
                view! { <Shown tenant_id q list set_domains typed/> }
            }
        />
    }
}

#[component]
fn Shown(
    tenant_id: TenantId,
    q: String,
    list: MailboxList,
    set_domains: FormAction<()>,
    typed: DomainsTyped,
) -> impl IntoView {
    let MailboxList { mailboxes, domains, listens, may_set_domains } = list;
    view! {
        {(!listens).then(|| view! { <NotListening/> }.into_any())}
        <MailboxTable all=tenant_page(&tenant_id, "/mailboxes") q mailboxes/>
        <Domains tenant_id domains may_set=may_set_domains set_domains typed/>
    }
}

#[component]
fn MailboxTable(
    /// The address of the whole list.
    all: String,
    q: String,
    mailboxes: Vec<Mailbox>,
) -> impl IntoView {
    if mailboxes.is_empty() {
        return view! {
            <Empty title="There are no mailboxes yet">
                <p>"Until there is one, messages come by the API alone. There are two kinds:"</p>
                <p>"An address of one of the tenant’s domains, for which a mail server hands on what comes, by SMTP or LMTP."</p>
                <p>"An account on another server, from which what comes is fetched, by IMAP."</p>
            </Empty>
        }
        .into_any();
    }
    let count = mailboxes.len();
    let fitting = |mailbox: &Mailbox| {
        let (whose, how) = way_words(mailbox);
        holds(&q, &[&mailbox.name, &whose, &how])
    };
    let mailboxes: Vec<Mailbox> = mailboxes.into_iter().filter(fitting).collect();
    let fits = mailboxes.len();
    let rows = mailboxes.into_iter().map(|mailbox| view! { <MailboxRow mailbox/> }.into_any()).collect_view();
    view! {
        <Found q all by="Name, or how mail comes" names=("mailbox", "mailboxes") count fits>
            <DataTable
                caption="Mailboxes"
                columns=&["Name", "How mail comes", "State", "Last seen", "Last message", "Messages"]
            >
                {rows}
            </DataTable>
        </Found>
    }
    .into_any()
}

#[component]
fn MailboxRow(mailbox: Mailbox) -> impl IntoView {
    let href = tenant_page(&mailbox.tenant_id, &format!("/mailboxes/{}", mailbox.mailbox_id));
    let (whose, how) = way_words(&mailbox);
    let Mailbox { name, heartbeat, .. } = mailbox;
    let (seen, message) = (or_never(heartbeat.last_seen_at), or_never(heartbeat.last_message_at));
    let counts = count_words(&heartbeat)
        .into_iter()
        .map(|words| view! { <span>{words}</span> }.into_any())
        .collect_view();
    view! {
        <tr role="row" class="row-link" data-testid="mailbox">
            <Cell label="Name">
                <a class="row-link__target" href=href>{name}</a>
            </Cell>
            <Cell label="How mail comes">
                <span class="stacked">
                    <span class="breakable">{whose}</span>
                    <span class="hint breakable">{how}</span>
                </span>
            </Cell>
            <Cell label="State">
                <Standing heartbeat/>
            </Cell>
            <Cell label="Last seen">{seen}</Cell>
            <Cell label="Last message">{message}</Cell>
            <Cell label="Messages">
                <span class="stacked number">{counts}</span>
            </Cell>
        </tr>
    }
}
