//! One stored message, for other features: read, held, and corrected. Nothing here calls another feature: what works on
//! messages (`service`, `words`, `process`) calls those that read here.

use super::repository;
pub use super::{
    repository::{DECIDED_BY, Speaker, Standing, Stored, Uncorrected},
    undo_repository::PATIENCE,
};
use crate::{
    emails::dto::EmailDetail,
    intents::dto::Intent,
    server::{Result, TenantTx},
    shared::{EmailId, IntentId},
};

/// Without its deliveries.
///
/// # Errors
/// The database's.
pub async fn find(tx: &mut TenantTx, id: EmailId) -> Result<Option<EmailDetail>> {
    Ok(repository::find(tx, id).await?)
}

/// The bytes as they came.
///
/// # Errors
/// The database's.
pub async fn raw(tx: &mut TenantTx, id: EmailId) -> Result<Option<Vec<u8>>> {
    Ok(repository::raw(tx, id).await?)
}

/// What a run of it needs.
///
/// # Errors
/// The database's.
pub async fn to_run(tx: &mut TenantTx, id: EmailId) -> Result<Option<Stored>> {
    Ok(repository::stored(tx, id).await?)
}

/// How it is decided.
///
/// # Errors
/// The database's.
pub async fn standing(tx: &mut TenantTx, id: EmailId) -> Result<Option<Standing>> {
    Ok(repository::standing(tx, id).await?)
}

/// Keeps others from deciding it until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(tx: &mut TenantTx, id: EmailId) -> Result<()> {
    Ok(repository::lock(tx, id).await?)
}

/// Notes which intent a person says that it has, or that it has none, and puts it back into the queue's sight. `example`
/// says of which intent, or of none, it was an example; `is_held`, whether what follows is held back while they can take it
/// back. Gives how it stood before.
///
/// # Errors
/// The database's.
pub async fn correct(
    tx: &mut TenantTx,
    id: EmailId,
    intent: Option<&Intent>,
    example: Option<Option<IntentId>>,
    by: Speaker<'_>,
    is_held: bool,
) -> Result<Option<Uncorrected>> {
    Ok(repository::correct(tx, id, intent, example, by, is_held).await?)
}
