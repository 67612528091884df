//! The people of a tenant: who they are, what they may do, and who is invited.

mod invitations;
mod members;

use leptos::prelude::*;

use invitations::{Invitations, Invite};
use members::{Members, NoMembers};

use super::{
    api::{InviteMember, RemoveMember, SetMemberRole, TakeBackInvitation, list_people},
    dto::People,
};
use crate::{
    app::{MyAccess, tenant_page, use_tenant},
    auth::dto::Role,
    shared::TenantId,
    ui::{
        find::{Found, ListSaid, holds, use_sought},
        form_action::form_action,
        load::Load,
        page::PageHead,
        panel::ActionProblem,
        resource::load_again,
        saving::{on_done, on_refused, successes},
        toast::use_toasts,
    },
};

/// Members and invitations.
#[component]
pub fn MembersPage() -> impl IntoView {
    let (tenant, q) = (use_tenant(), use_sought());
    let me = use_context::<MyAccess>();
    let invite = form_action::<InviteMember>();
    let take_back = form_action::<TakeBackInvitation>();
    let set_role = form_action::<SetMemberRole>();
    let remove = form_action::<RemoveMember>();
    let address = RwSignal::new(String::new());
    let made = invite.until(take_back, "invitation_id", |made| made.invitation.invitation_id);
    let removals = successes(remove.value());
    // After a role that was refused, too: it stands in its row no more.
    let changes =
        move || (invite.version().get(), take_back.version().get(), set_role.version().get(), removals.get());
    let people = load_again(move || tenant.id(), changes, |tenant| async move { list_people(tenant?).await });
    let toasts = use_toasts();
    // The next to be invited is somebody else.
    invite.empties("email", address);
    on_done(take_back.value(), move |()| toasts.done("The invitation is taken back."));
    on_done(set_role.value(), move |()| toasts.done("The role is changed."));
    on_done(remove.value(), move |()| toasts.done("The member is removed."));
    for refused in [take_back, set_role, remove] {
        on_refused(refused.value(), toasts);
    }
    let (taken_back, roles_set, removed) = (take_back.value(), set_role.value(), remove.value());
    view! {
        <PageHead
            title="Members"
            lead="Who works for this tenant, and what each of them may do."
            context=tenant.label()
        />
        <ActionProblem outcome=roles_set/>
        <ActionProblem outcome=removed/>
        <ActionProblem outcome=taken_back/>
        {move || tenant.id().ok().map(|tenant_id| view! { <Invite tenant_id invite made address/> }.into_any())}
        <ListSaid/>
        <Load
            data=move || {
                let q = q.get();
                async move {
                    let mine = match me {
                        Some(me) => me.0.await?.email,
                        None => String::new(),
                    };
                    Ok((tenant.id()?, q, people.await?, mine))
                }
            }
            retry=move || people.refetch()
            view=move |(tenant_id, q, people, mine): (TenantId, String, People, String)| {
                let People { mut members, mut invitations, keys } = people;
                let all = tenant_page(&tenant_id, "/members");
                let has_none = members.is_empty();
                // Of the longer of the two lists.
                let count = members.len().max(invitations.len());
                members.retain(|member| {
                    holds(&q, &[&member.display_name, &member.email, member.role.as_str()])
                });
                invitations.retain(|invited| holds(&q, &[&invited.email, invited.role.as_str()]));
                let fits = members.len() + invitations.len();
                view! {
                    <Found q all by="Name, email or role" names=("member", "members") count fits>
                        <Invitations tenant_id=tenant_id.clone() invitations invite take_back/>
                        {has_none.then(|| view! { <NoMembers/> }.into_any())}
                        <Members tenant_id members keys mine set_role remove/>
                    </Found>
                }
            }
        />
    }
}

/// What a role may do.
pub fn role_words(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer: reads",
        Role::Operator => "operator: also decides on messages",
        Role::Editor => "editor: also changes intents, rules and datasources",
        Role::Admin => "admin: also members, keys, mailboxes and credentials",
    }
}

/// The roles to choose from, in a plain form.
#[component]
pub fn RoleSelect(
    #[prop(into)] label: String,
    chosen: Role,
    #[prop(optional)] is_label_hidden: bool,
) -> impl IntoView {
    let options = Role::ALL
        .iter()
        .map(|role| {
            view! {
                <option value=role.as_str() selected=*role == chosen>
                    {role_words(*role)}
                </option>
            }
            .into_any()
        })
        .collect_view();
    let class = if is_label_hidden { "visually-hidden" } else { "field__label" };
    view! {
        <label class="field field--role">
            <span class=class>{label}</span>
            <select name="role">{options}</select>
        </label>
    }
}
