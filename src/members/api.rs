//! Server functions of members.

use leptos::prelude::*;

#[cfg(feature = "ssr")]
use super::dto::{InvitationInput, MemberInput};
use super::dto::{InvitationMade, InvitationShown, People};
#[cfg(feature = "ssr")]
use crate::server::etag::IfMatch;
use crate::{
    auth::dto::Role,
    shared::{InvitationId, Problem, TenantId, UserId, wire::Wire},
};
#[cfg(feature = "ssr")]
use crate::{
    members::server::service,
    server::{
        AppState,
        context::{tenant_context, wire},
    },
};

/// What an invitation says, to whoever holds its link. Needs no session.
#[server(name = GetInvitation, prefix = "/ui", endpoint = "invitation", protocol = Wire)]
pub async fn get_invitation(token: String) -> Result<InvitationShown, Problem> {
    let app = use_context::<AppState>().ok_or_else(|| Problem::new(500, "Something went wrong here"))?;
    wire(service::shown(&app, &token).await)
}

/// Who has a part in the tenant, and who may get one.
#[server(prefix = "/ui", endpoint = "members/list", protocol = Wire)]
pub async fn list_people(tenant_id: TenantId) -> Result<People, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::people(&ctx).await)
}

/// Gives a member another role, and, with `revoke_keys`, ends the API keys that they made.
#[server(prefix = "/ui", endpoint = "members/set-role", protocol = Wire)]
pub async fn set_member_role(
    tenant_id: TenantId,
    user_id: UserId,
    role: Role,
    #[server(default)] revoke_keys: bool,
) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let set = service::set_role(&ctx, user_id, &MemberInput::of(role), revoke_keys, &IfMatch::any()).await;
    wire(set.map(drop))
}

/// Ends a person's part in the tenant, and, with `revoke_keys`, the API keys that they made.
#[server(prefix = "/ui", endpoint = "members/remove", protocol = Wire)]
pub async fn remove_member(
    tenant_id: TenantId,
    user_id: UserId,
    #[server(default)] revoke_keys: bool,
) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::remove(&ctx, user_id, revoke_keys, &IfMatch::any()).await)
}

/// Invites a person. An earlier invitation of the same address ends.
#[server(prefix = "/ui", endpoint = "members/invite", protocol = Wire)]
pub async fn invite_member(
    tenant_id: TenantId,
    email: String,
    role: Role,
) -> Result<InvitationMade, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::invite(&ctx, InvitationInput { email, role }).await)
}

#[server(prefix = "/ui", endpoint = "members/take-back", protocol = Wire)]
pub async fn take_back_invitation(tenant_id: TenantId, invitation_id: InvitationId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::take_back(&ctx, invitation_id).await)
}
