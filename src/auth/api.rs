//! Server functions of access.

use leptos::prelude::*;

use super::dto::Me;
use crate::shared::Problem;
#[cfg(feature = "ssr")]
use crate::{
    auth::server::service,
    server::context::{caller_context, wire},
};

/// Who is signed in, and the tenants to choose from.
#[server(name = GetMe, prefix = "/ui", endpoint = "me")]
pub async fn me() -> Result<Me, Problem> {
    let ctx = caller_context().await?;
    wire(service::me(&ctx).await)
}
