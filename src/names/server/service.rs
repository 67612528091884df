//! Who may see names.

use super::repository;
use crate::{
    auth::authority::Permission,
    names::dto::Named,
    server::{Result, TenantContext},
};

/// By kind and name.
///
/// # Errors
/// The database's.
pub async fn list(ctx: &TenantContext) -> Result<Vec<Named>> {
    ctx.require(Permission::Read)?;
    Ok(repository::list(&mut ctx.begin().await?).await?)
}
