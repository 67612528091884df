//! The members, each with a role that can be changed.

use leptos::prelude::*;

use super::RoleSelect;
use crate::{
    members::dto::Member,
    shared::{TenantId, UserId},
    ui::{
        badge::{Badge, Tone},
        dialog::Confirm,
        each::Each,
        form::PlainForm,
        form_action::FormAction,
        icons::Glyph,
        panel::Empty,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

#[component]
pub fn NoMembers() -> impl IntoView {
    view! {
        <Empty title="There are no members yet">
            <p>"Administrators of the installation work here without being one. Invite those who work for this tenant."</p>
        </Empty>
    }
}

#[component]
pub fn Members(
    tenant_id: TenantId,
    members: Vec<Member>,
    /// How many API keys that a member made still work.
    keys: Vec<(UserId, i64)>,
    /// The reader's own address.
    mine: String,
    set_role: FormAction<()>,
    remove: FormAction<()>,
) -> impl IntoView {
    (!members.is_empty()).then(|| {
        let row = move |member: Member| {
            let is_me = member.email == mine;
            let keys = keys.iter().find(|(maker, _)| *maker == member.user_id).map_or(0, |(_, count)| *count);
            view! { <MemberRow tenant_id=tenant_id.clone() member keys is_me set_role remove/> }
        };
        view! {
            <section class="section" aria-labelledby="members">
                <h2 id="members">"Members"</h2>
                <DataTable caption="Members" columns=&["Name", "Role", "Since", "Remove"]>
                    <Each each=move || members.clone() key=|member| member.user_id children=row/>
                </DataTable>
            </section>
        }
    })
}

#[component]
fn MemberRow(
    tenant_id: TenantId,
    member: Member,
    /// How many API keys that they made still work.
    keys: i64,
    is_me: bool,
    set_role: FormAction<()>,
    remove: FormAction<()>,
) -> impl IntoView {
    let Member { user_id, email, display_name, role, is_closed, created_at } = member;
    let (setter, remover) = (tenant_id.to_string(), tenant_id.to_string());
    let role_label = format!("Role of {email}");
    let (is_setting, is_removing) = (set_role.pending(), remove.pending());
    let name = if is_me { format!("{display_name} (you)") } else { display_name.clone() };
    let warning = if is_me {
        "You will no longer see this tenant."
    } else {
        "They no longer see this tenant from their next click on. What they did stays in the audit log."
    };
    let maker = if is_me { "you".to_owned() } else { display_name.clone() };
    let their_keys = (keys > 0).then(|| view! { <TheirKeys keys maker=maker.clone()/> }.into_any());
    view! {
        <tr role="row" data-testid="member">
            <Cell label="Name">
                <span class="stacked">
                    <strong>{name}</strong>
                    <span class="hint breakable">{email}</span>
                    {is_closed
                        .then(|| view! { <Badge tone=Tone::Quiet glyph=Glyph::Skip text="closed"/> }.into_any())}
                </span>
            </Cell>
            <Cell label="Role">
                <PlainForm action=set_role class="inline-form">
                    <input type="hidden" name="tenant_id" value=setter/>
                    <input type="hidden" name="user_id" value=user_id.to_string()/>
                    <RoleSelect label=role_label chosen=role is_label_hidden=true/>
                    {their_keys}
                    <button
                        id=format!("set-role-{user_id}")
                        type="submit"
                        class="button"
                        aria-busy=move || is_setting.get().to_string()
                        data-testid="set-role"
                    >
                        "Change"
                    </button>
                </PlainForm>
            </Cell>
            <Cell label="Since">
                <Timestamp at=created_at/>
            </Cell>
            <Cell label="Remove">
                <Confirm
                    id=format!("remove-{user_id}")
                    label="Remove …"
                    of=display_name.clone()
                    glyph=Glyph::Delete
                    title=format!("Remove {display_name}?")
                    testid="remove"
                >
                    <p>{warning}</p>
                    <PlainForm action=remove>
                        <input type="hidden" name="tenant_id" value=remover/>
                        <input type="hidden" name="user_id" value=user_id.to_string()/>
                        {(keys > 0).then(|| view! { <TheirKeys keys maker/> }.into_any())}
                        <button
                            type="submit"
                            class="button button--danger"
                            aria-busy=move || is_removing.get().to_string()
                            data-testid="remove-for-good"
                        >
                            "Remove from this tenant"
                        </button>
                    </PlainForm>
                </Confirm>
            </Cell>
        </tr>
    }
}

/// That programs still come in by what the person made, and whether that is to end.
#[component]
fn TheirKeys(keys: i64, maker: String) -> impl IntoView {
    let (words, choice) = match keys {
        1 => (format!("1 API key that {maker} made still works."), "Revoke it too"),
        _ => (format!("{keys} API keys that {maker} made still work."), "Revoke these too"),
    };
    view! {
        <p>{words}</p>
        <label class="check">
            <input type="checkbox" name="revoke_keys" value="true" data-testid="revoke-keys"/>
            <span>{choice}</span>
        </label>
    }
}
