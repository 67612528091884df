//! Inviting people, and the invitations that are open.

use leptos::prelude::*;

use super::{RoleSelect, role_words};
use crate::{
    auth::dto::Role,
    members::{
        api::{InviteMember, TakeBackInvitation},
        dto::{Invitation, InvitationMade},
    },
    shared::TenantId,
    ui::{
        icons::{Glyph, Icon},
        once::ShownOnce,
        panel::ActionProblem,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// Whom to invite, and what came of it: where the installation sends no mail, the link to hand over.
#[component]
pub fn Invite(tenant_id: TenantId, invite: ServerAction<InviteMember>) -> impl IntoView {
    let is_pending = invite.pending();
    let outcome = invite.value();
    view! {
        <ActionForm action=invite attr:class="panel line-form" attr:data-testid="invite">
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <label class="field">
                <span class="field__label">"Email"</span>
                <input
                    type="email"
                    name="email"
                    required
                    maxlength="254"
                    autocomplete="off"
                    placeholder="ada@acme.example"
                />
            </label>
            <RoleSelect label="Role" chosen=Role::Operator/>
            <button
                type="submit"
                class="button button--primary"
                aria-busy=move || is_pending.get().to_string()
                data-testid="send-invitation"
            >
                <Icon glyph=Glyph::Mail/>
                "Invite"
            </button>
        </ActionForm>
        <noscript>
            "Without JavaScript the link of an invitation cannot be shown. It works where this installation sends mail."
        </noscript>
        <ActionProblem outcome/>
        <div aria-live="polite">
            {move || match outcome.get() {
                Some(Ok(made)) => Some(view! { <Made made/> }),
                _ => None,
            }}
        </div>
    }
}

#[component]
fn Made(made: InvitationMade) -> impl IntoView {
    let InvitationMade { invitation, mailed, link } = made;
    let email = invitation.email;
    match link {
        Some(link) => view! {
            <ShownOnce
                words=format!("{email} is invited. This installation sends no mail: hand this link over yourself. It is shown this once, and works for a week.")
                label="Link of the invitation"
                text=link
                testid="invitation-link"
            />
        }
        .into_any(),
        None if mailed => view! {
            <p class="notice tone-good" data-testid="invited">
                <Icon glyph=Glyph::Accept/>
                <span>{format!("{email} is invited: the link is on its way by mail.")}</span>
            </p>
        }
        .into_any(),
        None => view! {
            <p class="notice tone-attention" data-testid="invited">
                <Icon glyph=Glyph::Alert/>
                <span>
                    {format!("{email} is invited, but the mail could not be sent. Send it again in a moment.")}
                </span>
            </p>
        }
        .into_any(),
    }
}

/// The invitations that are open.
#[component]
pub fn Invitations(
    tenant_id: TenantId,
    invitations: Vec<Invitation>,
    invite: ServerAction<InviteMember>,
    take_back: ServerAction<TakeBackInvitation>,
) -> impl IntoView {
    (!invitations.is_empty()).then(|| {
        let rows = invitations
            .into_iter()
            .map(|invitation| {
                view! { <InvitationRow tenant_id=tenant_id.clone() invitation invite take_back/> }
            })
            .collect_view();
        view! {
            <section class="section" aria-labelledby="invitations">
                <h2 id="invitations">"Invited"</h2>
                <DataTable caption="Open invitations" columns=&["Email", "Role", "Invited by", "Ends", "Change it"]>
                    {rows}
                </DataTable>
            </section>
        }
    })
}

#[component]
fn InvitationRow(
    tenant_id: TenantId,
    invitation: Invitation,
    invite: ServerAction<InviteMember>,
    take_back: ServerAction<TakeBackInvitation>,
) -> impl IntoView {
    let Invitation { invitation_id, email, role, invited_by, expires_at, .. } = invitation;
    let (sender, taker) = (tenant_id.to_string(), tenant_id.to_string());
    let (address, named) = (email.clone(), format!(" to {email}"));
    let (is_sending, is_taking) = (invite.pending(), take_back.pending());
    view! {
        <tr role="row" data-testid="invitation">
            <Cell label="Email">
                <strong class="breakable">{email}</strong>
            </Cell>
            <Cell label="Role">{role_words(role)}</Cell>
            <Cell label="Invited by">
                <span class="breakable">{invited_by}</span>
            </Cell>
            <Cell label="Ends">
                <Timestamp at=expires_at/>
            </Cell>
            <Cell label="Change it">
                <span class="marks">
                    <ActionForm action=invite>
                        <input type="hidden" name="tenant_id" value=sender/>
                        <input type="hidden" name="email" value=address/>
                        <input type="hidden" name="role" value=role.as_str()/>
                        <button
                            type="submit"
                            class="button"
                            aria-busy=move || is_sending.get().to_string()
                            data-testid="send-again"
                        >
                            "Send again"
                            <span class="visually-hidden">{named}</span>
                        </button>
                    </ActionForm>
                    <ActionForm action=take_back>
                        <input type="hidden" name="tenant_id" value=taker/>
                        <input type="hidden" name="invitation_id" value=invitation_id.to_string()/>
                        <button
                            type="submit"
                            class="button"
                            aria-busy=move || is_taking.get().to_string()
                            data-testid="take-back"
                        >
                            "Take back"
                        </button>
                    </ActionForm>
                </span>
            </Cell>
        </tr>
    }
}
