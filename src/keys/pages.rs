//! API keys: by what programs work for a tenant.

use chrono::Utc;
use leptos::prelude::*;

use super::{
    api::{CreateKey, RevokeKey, list_keys},
    dto::{ApiKey, ApiKeyMade},
};
use crate::{
    app::{tenant_page, use_tenant},
    auth::dto::Role,
    members::pages::RoleSelect,
    shared::TenantId,
    ui::{
        badge::{Badge, Tone},
        dialog::Confirm,
        each::Each,
        fields::{FaultSummary, TextField},
        find::{Found, ListSaid, holds, use_sought},
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        load::Load,
        once::ShownOnce,
        page::PageHead,
        panel::{ActionProblem, Empty},
        resource::load_again,
        saving::{on_done, on_refused},
        table::{Cell, DataTable},
        time::Timestamp,
        toast::use_toasts,
    },
};

/// The keys of a tenant.
#[component]
pub fn KeysPage() -> impl IntoView {
    let (tenant, q) = (use_tenant(), use_sought());
    let create = form_action::<CreateKey>();
    let revoke = form_action::<RevokeKey>();
    let keys = load_again(
        move || tenant.id(),
        move || (create.version().get(), revoke.version().get()),
        |tenant| async move { list_keys(tenant?).await },
    );
    let toasts = use_toasts();
    let revoked = revoke.value();
    let name = RwSignal::new(String::new());
    let made = create.until(revoke, "key_id", |made| made.api_key.key_id);
    create.empties("name", name);
    on_done(revoked, move |()| toasts.done("The key is revoked."));
    on_refused(revoked, toasts);
    view! {
        <PageHead
            title="API keys"
            lead="By which programs work for this tenant: sent as a bearer token with each request."
            context=tenant.label()
        />
        {move || tenant.id().ok().map(|tenant_id| view! { <NewKey tenant_id create made name/> }.into_any())}
        <ActionProblem outcome=revoked/>
        <ListSaid/>
        <Load
            data=move || {
                let q = q.get();
                async move { Ok((tenant.id()?, q, keys.await?)) }
            }
            retry=move || keys.refetch()
            view=move |(tenant_id, q, keys): (TenantId, String, Vec<ApiKey>)| {
                if keys.is_empty() {
                    return view! {
                        <Empty title="There are no keys yet">
                            <p>"Make one for each program, so that each can be revoked alone."</p>
                        </Empty>
                    }
                    .into_any();
                }
                let (all, count) = (tenant_page(&tenant_id, "/keys"), keys.len());
                let fitting = |key: &ApiKey| {
                    let role = key.role.map(Role::as_str).unwrap_or_default();
                    holds(&q, &[&key.name, &key.prefix, role, &key.created_by])
                };
                // Those that hold first, then those that are over.
                let (over, holding): (Vec<_>, Vec<_>) =
                    keys.into_iter().filter(fitting).partition(|key| key.revoked_at.is_some());
                let keys: Vec<_> = holding.into_iter().chain(over).collect();
                let fits = keys.len();
                let row = move |key: ApiKey| view! { <KeyRow tenant_id=tenant_id.clone() key revoke/> };
                view! {
                    <Found q all by="Name, role or who made it" names=("key", "keys") count fits>
                        <DataTable
                            caption="API keys"
                            columns=&["Name", "Role", "Last used", "Ends", "Made", "State"]
                        >
                            <Each each=move || keys.clone() key=|key| key.key_id children=row/>
                        </DataTable>
                    </Found>
                }
                .into_any()
            }
        />
    }
}

#[component]
fn NewKey(
    tenant_id: TenantId,
    create: FormAction<ApiKeyMade>,
    /// The key that was made last, unless it is revoked.
    made: RwSignal<Option<ApiKeyMade>>,
    /// What is typed as the name.
    name: RwSignal<String>,
) -> impl IntoView {
    let is_pending = create.pending();
    view! {
        <PlainForm action=create class="panel line-form" testid="new-key">
            <FaultSummary/>
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <TextField label="Name" path="name" value=name required=true maxlength="200" placeholder="Warehouse"/>
            <RoleSelect label="Role" chosen=Role::Operator/>
            <label class="field">
                <span class="field__label">"Ends"</span>
                <select name="days">
                    <option value="30">"in 30 days"</option>
                    <option value="90" selected>"in 90 days"</option>
                    <option value="365">"in a year"</option>
                    <option value="">"never"</option>
                </select>
            </label>
            <button
                type="submit"
                class="button button--primary"
                aria-busy=move || is_pending.get().to_string()
                data-testid="create-key"
            >
                <Icon glyph=Glyph::Key/>
                "Make a key"
            </button>
        </PlainForm>
        <noscript>"A key is shown once, and only with JavaScript: without it, make one by the command line."</noscript>
        <div aria-live="polite">
            {move || {
                made.get()
                    .map(|made| {
                        view! {
                            <ShownOnce
                                words=format!(
                                    "The key {} is made. Copy it now: it is shown this once.",
                                    made.api_key.name,
                                )
                                label="The key"
                                text=made.key
                                testid="key-made"
                            />
                        }
                    })
            }}
        </div>
    }
}

#[component]
fn KeyRow(tenant_id: TenantId, key: ApiKey, revoke: FormAction<()>) -> impl IntoView {
    let is_pending = revoke.pending();
    let id = key.key_id;
    let or_never = |at: Option<chrono::DateTime<Utc>>| match at {
        Some(at) => view! { <Timestamp at/> }.into_any(),
        None => view! { <span class="hint">"never"</span> }.into_any(),
    };
    let state = match key.revoked_at {
        Some(_) => view! { <Badge tone=Tone::Quiet glyph=Glyph::Skip text="revoked"/> }.into_any(),
        None => view! {
            <Confirm
                id=format!("revoke-{id}")
                label="Revoke …"
                of=key.name.clone()
                glyph=Glyph::Delete
                title=format!("Revoke {}?", key.name)
                testid="revoke"
            >
                <p>
                    "What uses it is refused from the next request on. Keys and open invitations that were made by it end, too. It cannot be brought back."
                </p>
                <PlainForm action=revoke>
                    <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
                    <input type="hidden" name="key_id" value=id.to_string()/>
                    <button
                        type="submit"
                        class="button button--danger"
                        aria-busy=move || is_pending.get().to_string()
                        data-testid="revoke-for-good"
                    >
                        "Revoke for good"
                    </button>
                </PlainForm>
            </Confirm>
        }
        .into_any(),
    };
    view! {
        <tr role="row" data-testid="key">
            <Cell label="Name">
                <span class="stacked">
                    <strong>{key.name.clone()}</strong>
                    <code class="hint">{format!("{}…", key.prefix)}</code>
                </span>
            </Cell>
            <Cell label="Role">{key.role.map(|role| role.to_string())}</Cell>
            <Cell label="Last used">{or_never(key.last_used_at)}</Cell>
            <Cell label="Ends">{or_never(key.expires_at)}</Cell>
            <Cell label="Made">
                <span class="stacked">
                    <Timestamp at=key.created_at/>
                    <span class="hint breakable">{key.created_by}</span>
                </span>
            </Cell>
            <Cell label="State">{state}</Cell>
        </tr>
    }
}
