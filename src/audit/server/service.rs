//! Writing and reading the audit log.

pub use super::event::Event;
use super::repository;
use crate::{
    audit::dto::{AuditEntry, AuditFilter},
    auth::authority::Permission,
    server::{
        Actor, CallerContext, Result, TenantContext, TenantTx, aside::Turn, database::InstanceTx,
        origin::Origin, paging::Page,
    },
    shared::{AuditId, Problem, validate::Checks},
};

/// Keeps what was done in a tenant, in the transaction that does it.
///
/// # Errors
/// The database's.
pub async fn record(tx: &mut TenantTx, actor: &Actor, origin: &Origin, event: Event) -> Result<()> {
    Ok(repository::insert(tx, actor.kind(), &actor.label(), origin, &event).await?)
}

/// Keeps what was done to the installation, in the transaction that does it.
///
/// # Errors
/// The database's.
pub async fn record_instance(
    tx: &mut InstanceTx,
    actor: &Actor,
    origin: &Origin,
    event: Event,
) -> Result<()> {
    Ok(repository::insert_instance(tx, actor.kind(), &actor.label(), origin, &event).await?)
}

/// What of the log of a tenant that is being deleted goes at once.
const FORGOTTEN_AT_ONCE: i32 = 2_000;

/// Deletes some of the log of a tenant that is being deleted, and tells how much; 0 where nothing is left of it. No other
/// tenant's is touched.
///
/// # Errors
/// The database's.
pub async fn forget_deleted(tx: &mut TenantTx) -> Result<i64> {
    Ok(repository::forget_deleted(tx, FORGOTTEN_AT_ONCE).await?)
}

/// Newest first.
///
/// # Errors
/// 403: what was done, and from where, is for administrators.
pub async fn list(ctx: &TenantContext, filter: &AuditFilter, page: Page<AuditId>) -> Result<Vec<AuditEntry>> {
    ctx.require(Permission::Audit)?;
    check(filter)?;
    let mut tx = match filter.actor {
        // No index knows a part of a name: entries are read until enough are found.
        Some(_) => ctx.begin_in_turn(Turn::Count).await?,
        None => ctx.begin().await?,
    };
    Ok(repository::list(&mut tx, filter, page.cursor, page.limit).await?)
}

/// What was done of a kind with one thing, newest first, a page of it: for those who may see that thing. From where it
/// was done is not for them.
///
/// # Errors
/// The database's.
pub async fn page_of(
    tx: &mut TenantTx,
    kind: &str,
    object_id: String,
    page: Page<AuditId>,
) -> Result<Vec<AuditEntry>> {
    let filter =
        AuditFilter { action: Some(kind.to_owned()), object_id: Some(object_id), ..AuditFilter::default() };
    Ok(repository::list(tx, &filter, page.cursor, page.limit).await?)
}

fn check(filter: &AuditFilter) -> Result<(), Problem> {
    let mut checks = Checks::default();
    for (name, text) in
        [("action", &filter.action), ("object_id", &filter.object_id), ("actor", &filter.actor)]
    {
        checks.asked_text(name, text.as_deref());
    }
    for (name, time) in [("from", filter.from), ("to", filter.to)] {
        checks.asked_time(name, time);
    }
    checks.finish()
}

/// Newest first.
///
/// # Errors
/// 403.
pub async fn list_instance(
    ctx: &CallerContext,
    filter: &AuditFilter,
    page: Page<AuditId>,
) -> Result<Vec<AuditEntry>> {
    ctx.require_instance_admin()?;
    check(filter)?;
    let mut tx = ctx.app.database.instance().await?;
    Ok(repository::list_instance(&mut tx, filter, page.cursor, page.limit).await?)
}
