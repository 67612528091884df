//! Server functions of deliveries.

use leptos::prelude::*;
use serde_json::Value;

use crate::shared::{DeliveryId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    deliveries::server::service,
    server::context::{tenant_context, wire},
};

/// What a delivery sends: a webhook's body, or a mail's parts.
#[server(prefix = "/ui", endpoint = "deliveries/payload", protocol = Wire)]
pub async fn get_payload(tenant_id: TenantId, delivery_id: DeliveryId) -> Result<Value, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::said(&ctx, delivery_id).await)
}

/// Sends a delivery that was given up, or waits for its next try, now; with `again`, one that was delivered too.
#[server(prefix = "/ui", endpoint = "deliveries/retry", protocol = Wire)]
pub async fn retry_delivery(
    tenant_id: TenantId,
    delivery_id: DeliveryId,
    #[server(default)] again: bool,
) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::retry(&ctx, delivery_id, again).await.map(drop))
}
