//! Reading intents, for all who need to know of one. Nothing here calls another feature: what changes intents (`service`)
//! calls those of rules and routes, which read here.

use super::repository;
use crate::{
    intents::dto::Intent,
    server::{Result, TenantRows, TenantTx},
    shared::{IntentId, Problem},
};

/// # Errors
/// 404.
pub async fn find(tx: &mut impl TenantRows, id: IntentId) -> Result<Intent> {
    if_there(tx, id).await?.ok_or_else(|| Problem::not_found("Intent", id).into())
}

/// As `find`, for those who say otherwise that it is not there.
///
/// # Errors
/// The database's.
pub async fn if_there(tx: &mut impl TenantRows, id: IntentId) -> Result<Option<Intent>> {
    Ok(repository::find(tx, id).await?)
}

/// The one of that name, active or not.
///
/// # Errors
/// The database's.
pub async fn by_name(tx: &mut TenantTx, name: &str) -> Result<Option<Intent>> {
    Ok(repository::find_by_name(tx, name).await?)
}

/// All of the tenant's, newest first.
///
/// # Errors
/// The database's.
pub async fn all(tx: &mut TenantTx) -> Result<Vec<Intent>> {
    Ok(repository::list(tx, false, None, None, i64::MAX).await?)
}

/// The active ones in the order in which a message is tried against them.
///
/// # Errors
/// The database's.
pub async fn active_by_priority(tx: &mut TenantTx) -> Result<Vec<Intent>> {
    Ok(repository::active_by_priority(tx).await?)
}
