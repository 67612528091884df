//! Reading routes, for those who plan deliveries along them. Nothing here calls another feature: what changes routes
//! (`service`) calls that of deliveries, which reads here.

use super::repository;
pub use super::repository::Row;
use crate::{
    emails::dto::Decision,
    server::{Result, TenantTx},
    shared::{EmailId, IntentId, RouteId},
};

/// # Errors
/// The database's.
pub async fn if_there(tx: &mut TenantTx, id: RouteId) -> Result<Option<Row>> {
    Ok(repository::find(tx, id, false).await?)
}

/// The active ones for an outcome, in the order in which they were made.
///
/// # Errors
/// The database's.
pub async fn of_outcome(tx: &mut TenantTx, intent: Option<IntentId>, decision: Decision) -> Result<Vec<Row>> {
    Ok(repository::of_outcome(tx, intent, decision).await?)
}

/// Keeps these routes, and those of the message's deliveries under way, from being deleted until the transaction ends.
/// One that went before is not among the ids that it gives.
///
/// # Errors
/// The database's.
pub async fn keep(tx: &mut TenantTx, ids: &[RouteId], email: EmailId) -> Result<Vec<RouteId>> {
    Ok(repository::keep(tx, ids, email).await?)
}
