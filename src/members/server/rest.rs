//! `/api/members` and `/api/invitations`.

use axum::{
    Router,
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{delete, get},
};

use super::service;
use crate::{
    members::dto::{InvitationInput, Member, MemberInput},
    server::{
        AppState, Result, TenantContext,
        extract::{Json, PathId, Query},
        paging::list_response,
    },
    shared::{InvitationId, UserId},
};

pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/members", get(list).post(invite))
        .route("/api/members/{user_id}", get(find).put(set_role).delete(remove))
        .route("/api/invitations", get(list_invitations).post(invite))
        .route("/api/invitations/{invitation_id}", delete(take_back))
}

async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let members = service::list(&ctx, page).await?;
    Ok(list_response(members, page.limit, &uri, |member| member.user_id))
}

async fn find(ctx: TenantContext, PathId(user): PathId<UserId>) -> Result<axum::Json<Member>> {
    Ok(axum::Json(service::get(&ctx, user).await?))
}

async fn set_role(
    ctx: TenantContext,
    PathId(user): PathId<UserId>,
    Json(input): Json<MemberInput>,
) -> Result<axum::Json<Member>> {
    Ok(axum::Json(service::set_role(&ctx, user, &input).await?))
}

async fn remove(ctx: TenantContext, PathId(user): PathId<UserId>) -> Result<StatusCode> {
    service::remove(&ctx, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list_invitations(
    ctx: TenantContext,
    OriginalUri(uri): OriginalUri,
    query: Query,
) -> Result<Response> {
    let page = query.page()?;
    let invitations = service::invitations(&ctx, page).await?;
    Ok(list_response(invitations, page.limit, &uri, |invitation| invitation.invitation_id))
}

async fn invite(ctx: TenantContext, Json(input): Json<InvitationInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::invite(&ctx, input).await?)))
}

async fn take_back(ctx: TenantContext, PathId(id): PathId<InvitationId>) -> Result<StatusCode> {
    service::take_back(&ctx, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
