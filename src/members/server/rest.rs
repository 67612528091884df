//! `/api/members` and `/api/invitations`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    members::dto::{Invitation, InvitationInput, InvitationMade, Member, MemberInput},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        openapi::{InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::{InvitationId, UserId},
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, add))
        .routes(routes!(find, set_role, remove))
        .routes(routes!(list_invitations, invite))
        .routes(routes!(take_back))
}

/// Lists the members of the tenant, by id.
#[utoipa::path(
    get,
    path = "/api/members",
    operation_id = "list_members",
    tag = "members",
    params(InTenant, Paging),
    responses((status = 200, description = "A page", body = [Member])),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let members = service::list(&ctx, page).await?;
    Ok(list_response(members, page.limit, &uri, |member| member.user_id))
}

/// Gives a member.
#[utoipa::path(
    get,
    path = "/api/members/{user_id}",
    operation_id = "get_member",
    tag = "members",
    params(("user_id" = UserId, Path), InTenant),
    responses((status = 200, description = "Done", body = Member, headers(("ETag" = String)))),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn find(ctx: TenantContext, PathId(user): PathId<UserId>) -> Result<Tagged<Member>> {
    Ok(Tagged(service::get(&ctx, user).await?))
}

/// Gives a member another role.
///
/// Open invitations that they made are taken back where they were an administrator, and are none now, nor one of the
/// installation.
#[utoipa::path(
    put,
    path = "/api/members/{user_id}",
    operation_id = "set_member_role",
    tag = "members",
    params(
        ("user_id" = UserId, Path),
        ("revoke_keys" = Option<bool>, Query, description = "Whether the API keys end that the person made, and that these made"),
        InTenant,
        Unchanged,
    ),
    request_body = MemberInput,
    responses(
        (status = 200, description = "Done", body = Member, headers(("ETag" = String))),
        (status = 400, description = "The tenant would be left without an administrator"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn set_role(
    ctx: TenantContext,
    PathId(user): PathId<UserId>,
    query: Query,
    if_match: IfMatch,
    Json(input): Json<MemberInput>,
) -> Result<Tagged<Member>> {
    let revokes_keys = query.flag("revoke_keys")?;
    Ok(Tagged(service::set_role(&ctx, user, &input, revokes_keys, &if_match).await?))
}

/// Ends a person's part in the tenant.
///
/// Open invitations that they made are taken back, unless they administer the installation.
#[utoipa::path(
    delete,
    path = "/api/members/{user_id}",
    operation_id = "remove_member",
    tag = "members",
    params(
        ("user_id" = UserId, Path),
        ("revoke_keys" = Option<bool>, Query, description = "Whether the API keys end, too, that the person made, and that these made"),
        InTenant,
        Unchanged,
    ),
    responses(
        (status = 204, description = "Removed"),
        (status = 400, description = "The tenant would be left without an administrator"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn remove(
    ctx: TenantContext,
    PathId(user): PathId<UserId>,
    query: Query,
    if_match: IfMatch,
) -> Result<StatusCode> {
    service::remove(&ctx, user, query.flag("revoke_keys")?, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the invitations that are open, by id.
#[utoipa::path(
    get,
    path = "/api/invitations",
    operation_id = "list_invitations",
    tag = "members",
    params(InTenant, Paging),
    responses((status = 200, description = "A page", body = [Invitation])),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn list_invitations(
    ctx: TenantContext,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page()?;
    let invitations = service::invitations(&ctx, page).await?;
    Ok(list_response(invitations, page.limit, &uri, |invitation| invitation.invitation_id))
}

/// Invites a person, as `POST /api/invitations` does.
#[utoipa::path(
    post,
    path = "/api/members",
    operation_id = "add_member",
    tag = "members",
    params(InTenant),
    request_body = InvitationInput,
    responses(
        (status = 201, description = "Made", body = InvitationMade),
        (status = 400, description = "Too many invitations are open"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn add(ctx: TenantContext, input: Json<InvitationInput>) -> Result<impl IntoResponse> {
    invite(ctx, input).await
}

/// Invites a person to become a member.
///
/// Where the installation sends mail, 50 invitations of a tenant go within a day, and an address gets one in five
/// minutes: `429` beyond that, and nothing is changed. At most 500 are open at once.
#[utoipa::path(
    post,
    path = "/api/invitations",
    operation_id = "invite",
    tag = "members",
    params(InTenant),
    request_body = InvitationInput,
    responses(
        (status = 201, description = "Made", body = InvitationMade),
        (status = 400, description = "Too many invitations are open"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn invite(ctx: TenantContext, Json(input): Json<InvitationInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::invite(&ctx, input).await?)))
}

/// Takes an invitation back.
#[utoipa::path(
    delete,
    path = "/api/invitations/{invitation_id}",
    operation_id = "take_back_invitation",
    tag = "members",
    params(("invitation_id" = InvitationId, Path), InTenant),
    responses((status = 204, description = "Taken back")),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn take_back(ctx: TenantContext, PathId(id): PathId<InvitationId>) -> Result<StatusCode> {
    service::take_back(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
