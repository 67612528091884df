//! Server functions of datasources and configs.

use leptos::prelude::*;

use super::dto::{Datasource, DatasourceConfig};
use crate::shared::{Problem, TenantId};
#[cfg(feature = "ssr")]
use crate::{
    datasources::server::{config_service, service},
    server::context::{tenant_context, wire},
};

#[server(prefix = "/ui", endpoint = "datasources/list")]
pub async fn list_datasources(tenant_id: TenantId) -> Result<Vec<Datasource>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, false, crate::server::paging::Page::first()).await)
}

/// The configs, every secret masked.
#[server(prefix = "/ui", endpoint = "datasource-configs/list")]
pub async fn list_configs(tenant_id: TenantId) -> Result<Vec<DatasourceConfig>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(config_service::list(&ctx, crate::server::paging::Page::first()).await)
}
