//! What administrators of the installation do with tenants. Plain forms.

use leptos::prelude::*;

use crate::{
    shared::TenantId,
    tenants::{
        api::{CreateTenant, DeleteTenant, RenameTenant, SetTenantActive},
        dto::Tenant,
    },
    ui::{
        badge::ActiveBadge,
        dialog::{Confirm, DeleteForGood},
        each::Each,
        fields::{FaultSummary, TextField},
        form::PlainForm,
        form_action::{FormAction, form_action},
        icons::{Glyph, Icon},
        panel::ActionProblem,
        saving::{on_done, on_refused, successes},
        table::{Cell, DataTable},
        toast::use_toasts,
    },
};

/// What the page can do.
#[derive(Clone, Copy)]
pub struct TenantActions {
    create: FormAction<()>,
    rename: FormAction<()>,
    set_active: FormAction<()>,
    delete: FormAction<()>,
    created: Memo<u32>,
    renamed: Memo<u32>,
    switched: Memo<u32>,
    deleted: Memo<u32>,
    /// What is typed for a new one.
    name: RwSignal<String>,
    id: RwSignal<String>,
    /// What is typed for those that there are: their rows are made anew with each answer.
    new_names: StoredValue<Vec<NewName>>,
}

/// What is typed as the name of a tenant, in the place of the one that it had by then.
struct NewName {
    of: TenantId,
    before: String,
    typed: String,
}

impl TenantActions {
    pub fn new() -> Self {
        let create = form_action::<CreateTenant>();
        let (rename, set_active) = (form_action::<RenameTenant>(), form_action::<SetTenantActive>());
        let delete = form_action::<DeleteTenant>();
        let actions = Self {
            create,
            rename,
            set_active,
            delete,
            created: successes(create.value()),
            renamed: successes(rename.value()),
            switched: successes(set_active.value()),
            deleted: successes(delete.value()),
            name: RwSignal::new(String::new()),
            id: RwSignal::new(String::new()),
            new_names: StoredValue::new(Vec::new()),
        };
        let toasts = use_toasts();
        create.empties("name", actions.name);
        create.empties("tenant_id", actions.id);
        on_done(create.value(), move |()| toasts.done("The tenant is made."));
        on_done(actions.rename.value(), move |()| toasts.done("The tenant is renamed."));
        on_done(actions.set_active.value(), move |()| toasts.done("Done."));
        on_done(actions.delete.value(), move |()| toasts.done("The tenant is deleted."));
        for refused in [rename, set_active, delete] {
            on_refused(refused.value(), toasts);
        }
        actions
    }

    /// Others after each change.
    pub fn versions(self) -> [u32; 4] {
        [self.created, self.renamed, self.switched, self.deleted].map(|count| count.get())
    }

    /// What stands in the field of a tenant of this name. The page may have been left.
    fn name_in_field(self, of: &TenantId, name: &str) -> String {
        let typed = self.new_names.try_with_value(|names| {
            let found = names.iter().find(|other| other.of == *of && other.before == name)?;
            Some(found.typed.clone())
        });
        typed.flatten().unwrap_or_else(|| name.to_owned())
    }

    fn types_name(self, name: NewName) {
        let _ = self.new_names.try_update_value(|names| {
            names.retain(|other| other.of != name.of);
            names.push(name);
        });
    }
}

/// What was refused of those that there are.
#[component]
pub fn Problems(actions: TenantActions) -> impl IntoView {
    let (renamed, set) = (actions.rename.value(), actions.set_active.value());
    let deleted = actions.delete.value();
    view! {
        <ActionProblem outcome=renamed/>
        <ActionProblem outcome=set/>
        <ActionProblem outcome=deleted/>
    }
}

#[component]
pub fn NewTenant(actions: TenantActions) -> impl IntoView {
    let is_pending = actions.create.pending();
    view! {
        <section class="section" aria-labelledby="new-tenant">
            <h2 id="new-tenant">"New tenant"</h2>
            <PlainForm action=actions.create class="panel line-form" testid="new-tenant">
                <FaultSummary/>
                <TextField
                    label="Name"
                    path="name"
                    value=actions.name
                    required=true
                    maxlength="200"
                    placeholder="Initech"
                />
                <TextField
                    label="Id, for good: a-z, 0-9 and _"
                    path="tenant_id"
                    value=actions.id
                    required=true
                    maxlength="63"
                    is_code=true
                    placeholder="initech"
                />
                <button
                    type="submit"
                    class="button button--primary"
                    aria-busy=move || is_pending.get().to_string()
                    data-testid="create-tenant"
                >
                    <Icon glyph=Glyph::Add/>
                    "Make it"
                </button>
            </PlainForm>
        </section>
    }
}

#[component]
pub fn Manage(tenants: Vec<Tenant>, actions: TenantActions) -> impl IntoView {
    (!tenants.is_empty()).then(|| {
        let row = move |tenant: Tenant| view! { <ManagedRow tenant actions/> };
        view! {
            <section class="section" aria-labelledby="manage">
                <h2 id="manage">"Manage"</h2>
                <DataTable caption="Tenants to manage" columns=&["Name", "State", "Change it"]>
                    <Each each=move || tenants.clone() key=|tenant| tenant.tenant_id.clone() children=row/>
                </DataTable>
            </section>
        }
    })
}

#[component]
fn ManagedRow(tenant: Tenant, actions: TenantActions) -> impl IntoView {
    let Tenant { tenant_id, name, is_active, .. } = tenant;
    let (is_renaming, is_setting) = (actions.rename.pending(), actions.set_active.pending());
    let id = tenant_id.to_string();
    let (again, renamed, button, renames) =
        (id.clone(), id.clone(), format!("set-active-{id}"), format!("rename-{id}"));
    let name_label = format!("Name of {id}");
    let going = (id.clone(), name.clone());
    let stands = actions.name_in_field(&tenant_id, &name);
    let on_name = {
        let (of, before) = (tenant_id.clone(), name.clone());
        move |typed| actions.types_name(NewName { of: of.clone(), before: before.clone(), typed })
    };
    let set_active = move |words: &'static str, class: &'static str, testid: &'static str| {
        view! {
            <PlainForm action=actions.set_active>
                <input type="hidden" name="tenant_id" value=again/>
                <input type="hidden" name="is_active" value=(!is_active).to_string()/>
                <button
                    id=button
                    type="submit"
                    class=class
                    aria-busy=move || is_setting.get().to_string()
                    data-testid=testid
                >
                    {words}
                </button>
            </PlainForm>
        }
    };
    let switch = if is_active {
        view! {
            <Confirm
                id=format!("deactivate-{id}")
                label="Deactivate …"
                glyph=Glyph::Skip
                title=format!("Deactivate {name}?")
                testid="deactivate"
            >
                <p>"Its members and its API keys are shut out from the next request on, so no message comes in by them, and mail servers are asked to try again later. What waits here is neither decided nor sent, and is kept until the tenant is opened again. Nothing is deleted."</p>
                {set_active("Deactivate", "button button--danger", "deactivate-now")}
            </Confirm>
        }
        .into_any()
    } else {
        set_active("Activate", "button", "activate").into_any()
    };
    view! {
        <tr role="row" data-testid="managed-tenant">
            <Cell label="Name">
                <PlainForm action=actions.rename class="inline-form">
                    <input type="hidden" name="tenant_id" value=renamed/>
                    <label class="field">
                        <span class="visually-hidden">{name_label}</span>
                        <input
                            type="text"
                            name="name"
                            required
                            maxlength="200"
                            autocomplete="off"
                            value=stands
                            on:input=move |event| on_name(event_target_value(&event))
                        />
                    </label>
                    <button
                        id=renames
                        type="submit"
                        class="button"
                        aria-busy=move || is_renaming.get().to_string()
                        data-testid="rename"
                    >
                        "Rename"
                    </button>
                </PlainForm>
                <code class="hint breakable">{id}</code>
            </Cell>
            <Cell label="State">
                <ActiveBadge is_active/>
            </Cell>
            <Cell label="Change it">
                <div class="page-head__actions">
                    {switch} <Delete id=going.0 name=going.1 actions/>
                </div>
            </Cell>
        </tr>
    }
}

/// Deletes a tenant once its id is typed: nothing that goes with it comes back.
#[component]
fn Delete(id: String, name: String, actions: TenantActions) -> impl IntoView {
    let label = format!("Type its id, {id}");
    // What the browser says at the field: it lets no other text through.
    let told = format!("The id of the tenant that is to go: {id}");
    let (sent, only) = (id.clone(), id.clone());
    view! {
        <Confirm
            id=format!("delete-{id}")
            label="Delete …"
            glyph=Glyph::Delete
            title=format!("Delete {name}?")
            testid="delete-tenant"
        >
            <p>"With it go its intents, rules, datasources, files and keys, and every message that it received. Nothing of it can be brought back."</p>
            <PlainForm action=actions.delete>
                <input type="hidden" name="tenant_id" value=sent/>
                <label class="field">
                    <span class="field__label">{label}</span>
                    <input
                        type="text"
                        name="typed"
                        required
                        pattern=only
                        title=told
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                        data-testid="typed-id"
                    />
                </label>
                <div class="marks">
                    <DeleteForGood is_pending=actions.delete.pending()/>
                </div>
            </PlainForm>
        </Confirm>
    }
}
