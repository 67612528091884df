//! Server functions of mailboxes.

use leptos::{prelude::*, server_fn::codec::Json};

use super::dto::{Mailbox, MailboxInput, MailboxList, MailboxView};
use crate::shared::{MailboxId, Problem, TenantId, live::LiveClient, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    app::tenant_page,
    mailboxes::{dto::MailDomains, server::service},
    server::{
        context::{lead_to, tenant_context, wire},
        etag::IfMatch,
    },
};

/// All mailboxes of a tenant, by id, and its domains.
#[server(prefix = "/ui", endpoint = "mailboxes/list", protocol = Wire, client = LiveClient)]
pub async fn list_mailboxes(tenant_id: TenantId) -> Result<MailboxList, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::overview(&ctx).await)
}

#[server(prefix = "/ui", endpoint = "mailboxes/get", protocol = Wire)]
pub async fn get_mailbox(tenant_id: TenantId, mailbox_id: MailboxId) -> Result<MailboxView, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::view(&ctx, mailbox_id).await)
}

/// Stores a mailbox, a new one where there is no id. A password that is sent back masked stays as it is stored.
#[server(prefix = "/ui", endpoint = "mailboxes/save", protocol = Wire<Json>)]
pub async fn save_mailbox(
    tenant_id: TenantId,
    mailbox_id: Option<MailboxId>,
    etag: String,
    input: MailboxInput,
) -> Result<Mailbox, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(match mailbox_id {
        Some(id) => service::replace(&ctx, id, input, &IfMatch::given(&etag)).await,
        None => service::create(&ctx, input).await,
    })
}

/// What came by it stays.
#[server(prefix = "/ui", endpoint = "mailboxes/delete", protocol = Wire)]
pub async fn delete_mailbox(tenant_id: TenantId, mailbox_id: MailboxId, etag: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, mailbox_id, &IfMatch::given(&etag)).await)?;
    lead_to(&tenant_page(&tenant_id, "/mailboxes"));
    Ok(())
}

/// Says which domains' mail is the tenant's, separated by spaces, commas or line ends. For the installation's
/// administrators.
#[server(prefix = "/ui", endpoint = "mailboxes/set-domains", protocol = Wire)]
pub async fn set_mail_domains(tenant_id: TenantId, domains: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let domains = domains.split([' ', ',', '\n', '\r', '\t']).map(str::trim).filter(|part| !part.is_empty());
    let domains = MailDomains { domains: domains.map(str::to_owned).collect() };
    wire(service::set_domains(&ctx, domains, &IfMatch::any()).await)?;
    lead_to(&tenant_page(&tenant_id, "/mailboxes"));
    Ok(())
}
