//! Inviting people, and the invitations that are open.

use leptos::prelude::*;

use super::{RoleSelect, role_words};
use crate::{
    auth::dto::Role,
    members::dto::{Invitation, InvitationMade},
    shared::TenantId,
    ui::{
        dialog::Confirm,
        each::Each,
        fields::{FaultSummary, TextField},
        form::PlainForm,
        form_action::FormAction,
        icons::{Glyph, Icon},
        once::ShownOnce,
        table::{Cell, DataTable},
        time::Timestamp,
    },
};

/// Whom to invite, and what came of it: where the installation sends no mail, the link to hand over.
#[component]
pub fn Invite(
    tenant_id: TenantId,
    invite: FormAction<InvitationMade>,
    /// The invitation that was made last, unless it is taken back.
    made: RwSignal<Option<InvitationMade>>,
    /// What is typed as the address.
    address: RwSignal<String>,
) -> impl IntoView {
    let is_pending = invite.pending();
    view! {
        <PlainForm action=invite class="panel line-form" testid="invite">
            <FaultSummary/>
            <input type="hidden" name="tenant_id" value=tenant_id.to_string()/>
            <TextField
                label="Email"
                path="email"
                value=address
                kind="email"
                required=true
                maxlength="254"
                placeholder="ada@acme.example"
            />
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
        </PlainForm>
        <noscript>
            "Without JavaScript the link of an invitation cannot be shown. It works where this installation sends mail."
        </noscript>
        <div aria-live="polite">
            {move || made.get().map(|made| view! { <Made made/> })}
        </div>
    }
}

#[component]
fn Made(made: InvitationMade) -> impl IntoView {
    let InvitationMade { invitation, mailed, link, makes_account } = made;
    let email = invitation.email;
    let unless = if makes_account {
        ""
    } else {
        " If they have no account yet, an administrator of the installation has to hand the link over: on Members, by Send again."
    };
    match link {
        Some(link) => view! {
            <ShownOnce
                words=format!("{email} is invited. This installation sends no mail: hand this link over yourself. It is shown this once, and works for a week.{unless}")
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
    invite: FormAction<InvitationMade>,
    take_back: FormAction<()>,
) -> impl IntoView {
    (!invitations.is_empty()).then(|| {
        let row = move |invitation: Invitation| {
            view! { <InvitationRow tenant_id=tenant_id.clone() invitation invite take_back/> }
        };
        view! {
            <section class="section" aria-labelledby="invitations">
                <h2 id="invitations">"Invited"</h2>
                <DataTable caption="Open invitations" columns=&["Email", "Role", "Invited by", "Ends", "Change it"]>
                    <Each
                        each=move || invitations.clone()
                        key=|invitation| invitation.invitation_id
                        children=row
                    />
                </DataTable>
            </section>
        }
    })
}

#[component]
fn InvitationRow(
    tenant_id: TenantId,
    invitation: Invitation,
    invite: FormAction<InvitationMade>,
    take_back: FormAction<()>,
) -> impl IntoView {
    let Invitation { invitation_id, email, role, invited_by, expires_at, .. } = invitation;
    let (sender, taker) = (tenant_id.to_string(), tenant_id.to_string());
    let (address, named) = (email.clone(), format!(" to {email}"));
    let (of, question) =
        (format!("the invitation of {email}"), format!("Take back the invitation of {email}?"));
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
                    <PlainForm action=invite>
                        <input type="hidden" name="tenant_id" value=sender/>
                        <input type="hidden" name="email" value=address/>
                        <input type="hidden" name="role" value=role.as_str()/>
                        <button
                            id=format!("send-again-{invitation_id}")
                            type="submit"
                            class="button"
                            aria-busy=move || is_sending.get().to_string()
                            data-testid="send-again"
                        >
                            "Send again"
                            <span class="visually-hidden">{named}</span>
                        </button>
                    </PlainForm>
                    <Confirm
                        id=format!("take-back-{invitation_id}")
                        label="Take back …"
                        of
                        title=question
                        testid="take-back"
                    >
                        <p>"Its link no longer works. Whoever is to come all the same is invited anew, and gets another."</p>
                        <PlainForm action=take_back>
                            <input type="hidden" name="tenant_id" value=taker/>
                            <input type="hidden" name="invitation_id" value=invitation_id.to_string()/>
                            <button
                                type="submit"
                                class="button button--danger"
                                aria-busy=move || is_taking.get().to_string()
                                data-testid="take-back-now"
                            >
                                "Take it back"
                            </button>
                        </PlainForm>
                    </Confirm>
                </span>
            </Cell>
        </tr>
    }
}
