//! Server functions of deliveries.

use leptos::prelude::*;

use crate::shared::{DeliveryId, Problem, TenantId};
#[cfg(feature = "ssr")]
use crate::{
    deliveries::server::service,
    server::context::{tenant_context, wire},
};

/// Sends a delivery that was given up once more.
#[server(prefix = "/ui", endpoint = "deliveries/retry")]
pub async fn retry_delivery(tenant_id: TenantId, delivery_id: DeliveryId) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::retry(&ctx, delivery_id).await.map(drop))
}
