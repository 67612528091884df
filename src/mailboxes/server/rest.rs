//! `/api/mailboxes` and `/api/mail-domains`.

use axum::{
    extract::OriginalUri,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    mailboxes::dto::{MailDomains, Mailbox, MailboxInput},
    server::{
        AppState, Result, TenantContext,
        etag::{IfMatch, Tagged},
        extract::{Json, PathId, Query},
        openapi::{Active, InTenant, Paging, Unchanged},
        paging::list_response,
    },
    shared::MailboxId,
};

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(list, create))
        .routes(routes!(find, replace, delete))
        .routes(routes!(domains, set_domains))
}

/// Lists the mailboxes with their signs of life, by id.
#[utoipa::path(
    get,
    path = "/api/mailboxes",
    operation_id = "list_mailboxes",
    tag = "mailboxes",
    params(InTenant, Active, Paging),
    responses((status = 200, description = "A page", body = [Mailbox])),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn list(ctx: TenantContext, OriginalUri(uri): OriginalUri, query: Query) -> Result<Response> {
    let page = query.page()?;
    let mailboxes = service::list(&ctx, query.flag("active_only")?, page).await?;
    Ok(list_response(mailboxes, page.limit, &uri, |mailbox| mailbox.mailbox_id))
}

/// Makes a mailbox.
///
/// One of the kind `imap` is looked at from then on: its signs of life say what came of it.
#[utoipa::path(
    post,
    path = "/api/mailboxes",
    operation_id = "create_mailbox",
    tag = "mailboxes",
    params(InTenant),
    request_body = MailboxInput,
    responses(
        (status = 201, description = "Made", body = Mailbox),
        (status = 409, description = "The name exists, or another mailbox takes the mail for the address"),
        (status = 400, description = "There are as many mailboxes as there may be"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn create(ctx: TenantContext, Json(input): Json<MailboxInput>) -> Result<impl IntoResponse> {
    Ok((StatusCode::CREATED, axum::Json(service::create(&ctx, input).await?)))
}

/// Gives a mailbox with its signs of life, which its `ETag` leaves out.
#[utoipa::path(
    get,
    path = "/api/mailboxes/{mailbox_id}",
    operation_id = "get_mailbox",
    tag = "mailboxes",
    params(("mailbox_id" = MailboxId, Path), InTenant),
    responses((status = 200, description = "Done", body = Mailbox)),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn find(ctx: TenantContext, PathId(id): PathId<MailboxId>) -> Result<Tagged<Mailbox>> {
    Ok(Tagged(service::get(&ctx, id).await?))
}

/// Replaces a mailbox; its kind stays.
///
/// A password that is sent as its mask, `********`, stays as it is stored, as long as the account does.
#[utoipa::path(
    put,
    path = "/api/mailboxes/{mailbox_id}",
    operation_id = "replace_mailbox",
    tag = "mailboxes",
    params(("mailbox_id" = MailboxId, Path), InTenant, Unchanged),
    request_body = MailboxInput,
    responses(
        (status = 200, description = "Done", body = Mailbox),
        (status = 409, description = "The name exists, or another mailbox takes the mail for the address"),
    ),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn replace(
    ctx: TenantContext,
    PathId(id): PathId<MailboxId>,
    if_match: IfMatch,
    Json(input): Json<MailboxInput>,
) -> Result<Tagged<Mailbox>> {
    Ok(Tagged(service::replace(&ctx, id, input, &if_match).await?))
}

/// Deletes a mailbox; the messages that came by it stay.
#[utoipa::path(
    delete,
    path = "/api/mailboxes/{mailbox_id}",
    operation_id = "delete_mailbox",
    tag = "mailboxes",
    params(("mailbox_id" = MailboxId, Path), InTenant, Unchanged),
    responses((status = 204, description = "Deleted")),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn delete(ctx: TenantContext, PathId(id): PathId<MailboxId>, if_match: IfMatch) -> Result<StatusCode> {
    service::delete(&ctx, id, &if_match).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells which domains' mail is the tenant's.
#[utoipa::path(
    get,
    path = "/api/mail-domains",
    operation_id = "get_mail_domains",
    tag = "mailboxes",
    params(InTenant),
    responses((status = 200, description = "Done", body = MailDomains)),
    extensions(("x-required-role" = json!("admin"))),
)]
async fn domains(ctx: TenantContext) -> Result<Tagged<MailDomains>> {
    Ok(Tagged(service::domains(&ctx).await?))
}

/// Says which domains' mail is the tenant's: for administrators of the installation.
///
/// A domain is one tenant's alone, so that none takes another's mail.
#[utoipa::path(
    put,
    path = "/api/mail-domains",
    operation_id = "replace_mail_domains",
    tag = "mailboxes",
    params(InTenant, Unchanged),
    request_body = MailDomains,
    responses(
        (status = 200, description = "Done", body = MailDomains),
        (status = 409, description = "One of them is another tenant's"),
        (status = 400, description = "A mailbox still takes mail of one that would go"),
    ),
    extensions(("x-required-role" = json!("instance"))),
)]
async fn set_domains(
    ctx: TenantContext,
    if_match: IfMatch,
    Json(input): Json<MailDomains>,
) -> Result<Tagged<MailDomains>> {
    Ok(Tagged(service::set_domains(&ctx, input, &if_match).await?))
}
