//! Making and changing a mailbox.

use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};
use serde::{Deserialize, Serialize};

use super::{
    form::MailboxForm,
    signs::{NotListening, Signs},
    words::{AFTER_STORING, KINDS, LOGINS, SECURITIES, domain_words},
};
use crate::{
    app::{Allowed, tenant_page, use_optional_id, use_tenant},
    auth::authority::Permission,
    mailboxes::{
        api::{DeleteMailbox, get_mailbox, list_mailboxes, save_mailbox},
        dto::{MailSecurity, Mailbox, MailboxInput, MailboxKind, MailboxView},
    },
    shared::{MailboxId, TenantId},
    ui::{
        dialog::{Confirm, DeleteForGood},
        editor::{Draft, Section, options},
        fields::{CheckField, FaultSummary, Faults, SelectField, TextField},
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        page::PageHead,
        panel::ActionProblem,
        react::memo,
        resource::load,
        save_bar::SaveBar,
        saving::{Saving, on_answer, on_done},
        script::NeedsScript,
        toast::use_toasts,
        typed::Typed,
    },
};

/// What the form begins with.
#[derive(Clone, Serialize, Deserialize)]
struct Start {
    stored: Option<MailboxView>,
    /// Those of the tenant.
    domains: Vec<String>,
    /// Whether this installation takes mail by SMTP or LMTP at all.
    listens: bool,
}

/// The editor of a new mailbox, or of the one that the address names.
#[component]
pub fn MailboxEditor() -> impl IntoView {
    let tenant = use_tenant();
    let id = use_optional_id::<MailboxId>("mailbox_id", "Mailbox");
    let start = load(
        move || (tenant.id(), id.get()),
        |(tenant, id)| async move {
            let (tenant, id) = (tenant?, id?);
            let stored = match id {
                None => None,
                Some(id) => Some(get_mailbox(tenant.clone(), id).await?),
            };
            let all = list_mailboxes(tenant).await?;
            Ok(Start { stored, domains: all.domains, listens: all.listens })
        },
    );
    let delete = form_action::<DeleteMailbox>();
    let outcome = delete.answer_of("mailbox_id", move || id.get().ok().flatten());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    on_done(outcome, move |()| {
        toasts.done("The mailbox is deleted.");
        navigate(&untrack(|| tenant.page("/mailboxes")), NavigateOptions::default());
    });
    view! {
        <p class="back">
            <a href=move || tenant.page("/mailboxes")>
                <Icon glyph=Glyph::Back/>
                "Mailboxes"
            </a>
        </p>
        <ActionProblem outcome/>
        <Load
            heading="Mailbox"
            data=move || async move { Ok((tenant.id()?, start.await?)) }
            retry=move || start.refetch()
            view=move |(tenant_id, start): (TenantId, Start)| {
                view! { <Editor tenant_id start delete context=tenant.label()/> }
            }
        />
    }
}

#[component]
fn Editor(
    tenant_id: TenantId,
    start: Start,
    delete: FormAction<()>,
    context: Signal<String>,
) -> impl IntoView {
    let faults = Faults::provide();
    let Start { stored, domains, listens } = start;
    let form = MailboxForm::new(stored.as_ref().map(|stored| &stored.mailbox));
    let id = stored.as_ref().map(|stored| stored.mailbox.mailbox_id);
    let etag = stored.as_ref().map(|stored| stored.etag.clone()).unwrap_or_default();
    let place = StoredValue::new(tenant_id.clone());
    let input = memo(move || Typed(form.input(&place.get_value())));
    let before = input.get_untracked();
    let is_dirty = Signal::derive(move || input.get() != before);

    let (saved_in, saved_over) = (tenant_id.clone(), etag.clone());
    let save = Action::new(move |(input, etag): &(MailboxInput, String)| {
        save_mailbox(saved_in.clone(), id, etag.clone(), input.clone())
    });
    let saving = Saving::of(save.pending(), save.value());
    let (toasts, navigate) = (use_toasts(), use_navigate());
    let list = tenant_page(&tenant_id, "/mailboxes");
    let back = list.clone();
    on_answer(save.value(), faults, move |saved: Mailbox| {
        toasts.done(format!("{} is saved.", saved.name));
        navigate(&back, NavigateOptions::default());
    });
    let send = Callback::new(move |etag: String| {
        let input = input.get_untracked().0;
        match input.clone().validate(&place.get_value()) {
            Ok(_) => drop(save.dispatch((input, etag))),
            Err(problem) => faults.show(problem),
        }
    });
    let on_save = Callback::new(move |()| send.run(saved_over.clone()));
    faults.on_conflict(Callback::new(move |()| send.run(String::new())));
    let title = stored
        .as_ref()
        .map_or_else(|| "New mailbox".to_owned(), |stored| format!("Edit {}", stored.mailbox.name));
    let signs = stored.map(|stored| view! { <Signs heartbeat=stored.mailbox.heartbeat/> }.into_any());
    let (going, domains) = (tenant_id, StoredValue::new(domains));
    view! {
        <PageHead title context>
            <Allowed permission=Permission::Mailboxes>
                {id.map(|id| view! { <Delete tenant_id=going.clone() id etag=etag.clone() delete/> }.into_any())}
            </Allowed>
        </PageHead>
        <NeedsScript/>
        <Draft saving testid="mailbox-editor">
            <FaultSummary/>
            {signs}
            <What form is_new=id.is_none()/>
            <Way form is_new=id.is_none() domains listens/>
        </Draft>
        <SaveBar is_dirty saving on_save cancel=list/>
    }
}

/// Its name, and its kind, which stays once it is made.
#[component]
fn What(form: MailboxForm, is_new: bool) -> impl IntoView {
    let kind = form.kind;
    view! {
        <Section id="edit-what" title="What it is">
            <TextField label="Name" path="name" value=form.name placeholder="Orders" testid="mailbox-name"/>
            {if is_new {
                view! {
                    <SelectField
                        label="Mail comes"
                        path="kind"
                        value=kind
                        options=options(&KINDS)
                        hint="For good: a mailbox stays of its kind."
                        testid="mailbox-kind"
                    />
                }
                .into_any()
            } else {
                let words = KINDS.iter().find(|(value, _)| *value == *kind.read_untracked());
                view! { <p>{words.map(|(_, words)| *words)}</p> }.into_any()
            }}
            <CheckField
                label="Active"
                path="is_active"
                value=form.is_active
                hint="Made inactive, no mail comes by it."
                testid="mailbox-active"
            />
        </Section>
    }
}

/// How mail comes, by its kind.
#[component]
fn Way(form: MailboxForm, is_new: bool, domains: StoredValue<Vec<String>>, listens: bool) -> impl IntoView {
    let kind = memo(move || form.kind());
    view! {
        <Section id="edit-way" title="How mail comes">
            {move || match kind.get() {
                MailboxKind::Smtp => view! { <ByAddress form domains listens/> }.into_any(),
                MailboxKind::Imap => view! { <ByImap form is_new/> }.into_any(),
            }}
        </Section>
    }
}

#[component]
fn ByAddress(form: MailboxForm, domains: StoredValue<Vec<String>>, listens: bool) -> impl IntoView {
    let of = domains.with_value(|domains| domain_words(domains));
    view! {
        <TextField
            label="Address"
            path="address"
            value=form.address
            kind="email"
            placeholder="orders@acme.example"
            hint="A mail server hands on what comes for it. *@acme.example takes all of a domain that no other mailbox takes."
            testid="mailbox-address"
        />
        <p class="hint breakable">{of}</p>
        {(!listens).then(|| view! { <NotListening/> }.into_any())}
    }
}

#[component]
fn ByImap(form: MailboxForm, is_new: bool) -> impl IntoView {
    let is_tls = memo(move || form.security() == MailSecurity::Tls);
    let port = move || {
        let placeholder = if is_tls.get() { "993" } else { "143" };
        view! {
            <TextField
                label="Port"
                path="imap.port"
                value=form.port
                kind="port"
                placeholder
                hint="Left empty, the usual one."
                testid="imap-port"
            />
        }
    };
    let stays = if is_new { "" } else { "Stored. Left as it is, it stays, for the same account and login." };
    let is_oauth = memo(move || form.is_oauth());
    let label = Signal::derive(move || if is_oauth.get() { "Client secret" } else { "Password" }.to_owned());
    view! {
        <div class="fields">
            <TextField
                label="Host"
                path="imap.host"
                value=form.host
                kind="name"
                placeholder="imap.acme.example"
                testid="imap-host"
            />
            <SelectField
                label="Encrypted"
                path="imap.security"
                value=form.security
                options=options(&SECURITIES)
                testid="imap-security"
            />
            {port}
        </div>
        <div class="fields">
            <TextField
                label="User name"
                path="imap.username"
                value=form.username
                kind="name"
                placeholder="orders@acme.example"
                testid="imap-username"
            />
            <SelectField
                label="Login"
                path="imap.oauth"
                value=form.login
                options=options(&LOGINS)
                testid="imap-login"
            />
            <TextField
                label
                path="imap.password"
                value=form.password
                kind="password"
                hint=stays
                testid="imap-password"
            />
        </div>
        {move || is_oauth.get().then(|| view! { <ByToken form/> }.into_any())}
        <div class="fields">
            <TextField
                label="Folder"
                path="imap.folder"
                value=form.folder
                kind="name"
                placeholder="INBOX"
                testid="imap-folder"
            />
            <SelectField
                label="Once a message is stored here"
                path="imap.after_storing"
                value=form.after_storing
                options=options(&AFTER_STORING)
                testid="imap-after-storing"
            />
        </div>
    }
}

/// The program that gets the tokens.
#[component]
fn ByToken(form: MailboxForm) -> impl IntoView {
    view! {
        <TextField
            label="Token address"
            path="imap.oauth.token_url"
            value=form.token_url
            kind="name"
            placeholder="https://login.microsoftonline.com/…/oauth2/v2.0/token"
            testid="imap-token-url"
        />
        <div class="fields">
            <TextField
                label="Client ID"
                path="imap.oauth.client_id"
                value=form.client_id
                kind="name"
                testid="imap-client-id"
            />
            <TextField
                label="Scope"
                path="imap.oauth.scope"
                value=form.scope
                kind="name"
                hint="What the token is for, as the provider names it."
                testid="imap-scope"
            />
        </div>
    }
}

#[component]
fn Delete(tenant_id: TenantId, id: MailboxId, etag: String, delete: FormAction<()>) -> impl IntoView {
    view! {
        <Confirm
            id="delete-mailbox"
            label="Delete …"
            glyph=Glyph::Delete
            title="Delete this mailbox?"
            testid="delete"
        >
            <p>"No more mail comes by it, and a password that it holds is deleted with it. The messages that came stay."</p>
            <PlainForm action=delete>
                <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                <input type="hidden" name="mailbox_id" value=id.to_string()/>
                <input type="hidden" name="etag" value=etag/>
                <DeleteForGood is_pending=delete.pending()/>
            </PlainForm>
        </Confirm>
    }
}
