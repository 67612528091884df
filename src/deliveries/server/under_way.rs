//! Deliveries of a message or along a route, for other features: looked at, called off, and woken. Nothing here calls one: what
//! works on messages and changes routes calls this.

use chrono::{DateTime, Utc};

use super::repository;
pub use super::repository::STANDS;
use crate::{
    deliveries::dto::{Delivery, DeliveryFilter},
    routes::server::reading::Row as RouteRow,
    server::{Result, TenantTx, paging::MAX_LIMIT},
    shared::{EmailId, RouteId},
};

/// Those of a message, in the order in which they were written.
///
/// # Errors
/// The database's.
pub async fn of_message(tx: &mut TenantTx, email: EmailId) -> Result<Vec<Delivery>> {
    let filter = DeliveryFilter { email_id: Some(email), ..DeliveryFilter::default() };
    let mut all = repository::list(tx, &filter, None, MAX_LIMIT).await?;
    all.sort_by_key(|delivery| (delivery.created_at, delivery.delivery_id));
    Ok(all)
}

/// How many of a message left since then, whatever has become of a repeat. A label leaves nothing.
///
/// # Errors
/// The database's.
pub async fn sent_since(tx: &mut TenantTx, email: EmailId, since: DateTime<Utc>) -> Result<usize> {
    Ok(repository::sent_since(tx, email, since).await?)
}

/// Calls off all that is pending for a message.
///
/// # Errors
/// The database's.
pub async fn call_off(tx: &mut TenantTx, email: EmailId, note: &str) -> Result<()> {
    Ok(repository::cancel_outdated(tx, email, None, note).await?)
}

/// Calls off what is pending for a route, at most `most` of it.
///
/// # Errors
/// The database's.
pub async fn call_off_route(tx: &mut TenantTx, route: RouteId, most: Option<i64>, note: &str) -> Result<()> {
    Ok(repository::cancel_of_route(tx, route, most, note).await?)
}

/// Has what waits for headers of a route sent now that they are set.
///
/// # Errors
/// The database's.
pub async fn wake_for_headers(tx: &mut TenantTx, route: RouteId) -> Result<()> {
    Ok(repository::wake(tx, route, repository::LACKS_HEADER).await?)
}

/// Has what waits for the signing secret of a route sent now that it has one.
///
/// # Errors
/// The database's.
pub async fn wake_for_secret(tx: &mut TenantTx, route: RouteId) -> Result<()> {
    Ok(repository::wake(tx, route, repository::LACKS_SECRET).await?)
}

/// Calls off what is pending for a route that was changed, and is not for it any more.
///
/// # Errors
/// The database's.
pub async fn call_off_unfit(tx: &mut TenantTx, route: &RouteRow) -> Result<()> {
    Ok(repository::cancel_unfit(tx, route).await?)
}
