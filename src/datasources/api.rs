//! Server functions of datasources and configs.

use leptos::{prelude::*, server_fn::codec::Json};

use super::dto::{
    ConfigView, Datasource, DatasourceConfig, DatasourceConfigInput, DatasourceInput, DatasourceView,
    PreviewInput, PreviewResult, TestResult,
};
use crate::shared::{ConfigId, DatasourceId, Problem, TenantId, wire::Wire};
#[cfg(feature = "ssr")]
use crate::{
    app::tenant_page,
    datasources::server::{config_service, service, trial},
    server::{
        context::{lead_to, tenant_context, wire},
        etag::IfMatch,
        paging::Page,
    },
};

#[server(prefix = "/ui", endpoint = "datasources/list", protocol = Wire)]
pub async fn list_datasources(tenant_id: TenantId) -> Result<Vec<Datasource>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::list(&ctx, false, Page::first()).await)
}

#[server(prefix = "/ui", endpoint = "datasources/get", protocol = Wire)]
pub async fn get_datasource(
    tenant_id: TenantId,
    datasource_id: DatasourceId,
) -> Result<DatasourceView, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::view(&ctx, datasource_id).await)
}

/// Stores a datasource, a new one where there is no id. With `config`, it uses that new one.
#[server(prefix = "/ui", endpoint = "datasources/save", protocol = Wire<Json>)]
pub async fn save_datasource(
    tenant_id: TenantId,
    datasource_id: Option<DatasourceId>,
    etag: String,
    input: DatasourceInput,
    config: Option<DatasourceConfigInput>,
) -> Result<Datasource, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    let if_match = IfMatch::given(&etag);
    wire(match (config, datasource_id) {
        (Some(config), id) => service::save_with_config(&ctx, id, input, config, &if_match).await,
        (None, Some(id)) => service::replace(&ctx, id, input, &if_match).await,
        (None, None) => service::create(&ctx, input).await,
    })
}

/// Deletes a datasource with its rules.
#[server(prefix = "/ui", endpoint = "datasources/delete", protocol = Wire)]
pub async fn delete_datasource(
    tenant_id: TenantId,
    datasource_id: DatasourceId,
    etag: String,
) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(service::delete(&ctx, datasource_id, &IfMatch::given(&etag)).await)?;
    lead_to(&tenant_page(&tenant_id, "/datasources"));
    Ok(())
}

/// Tries the connection, step by step.
#[server(prefix = "/ui", endpoint = "datasources/test", protocol = Wire)]
pub async fn test_datasource(
    tenant_id: TenantId,
    datasource_id: DatasourceId,
) -> Result<TestResult, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(trial::test(&ctx, datasource_id).await)
}

/// Runs a look-up.
#[server(prefix = "/ui", endpoint = "datasources/preview", protocol = Wire<Json>)]
pub async fn preview_datasource(
    tenant_id: TenantId,
    datasource_id: DatasourceId,
    input: PreviewInput,
) -> Result<PreviewResult, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(trial::preview(&ctx, datasource_id, input).await)
}

/// The configs, every secret masked.
#[server(prefix = "/ui", endpoint = "datasource-configs/list", protocol = Wire)]
pub async fn list_configs(tenant_id: TenantId) -> Result<Vec<DatasourceConfig>, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(config_service::list(&ctx, Page::first()).await)
}

#[server(prefix = "/ui", endpoint = "datasource-configs/get", protocol = Wire)]
pub async fn get_config(tenant_id: TenantId, config_id: ConfigId) -> Result<ConfigView, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(config_service::view(&ctx, config_id).await)
}

/// Stores a config, a new one where there is no id. What is sent back masked keeps its value.
#[server(prefix = "/ui", endpoint = "datasource-configs/save", protocol = Wire<Json>)]
pub async fn save_config(
    tenant_id: TenantId,
    config_id: Option<ConfigId>,
    etag: String,
    input: DatasourceConfigInput,
) -> Result<DatasourceConfig, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(match config_id {
        Some(id) => config_service::replace(&ctx, id, input, &IfMatch::given(&etag)).await,
        None => config_service::create(&ctx, input).await,
    })
}

/// Refused while datasources use it.
#[server(prefix = "/ui", endpoint = "datasource-configs/delete", protocol = Wire)]
pub async fn delete_config(tenant_id: TenantId, config_id: ConfigId, etag: String) -> Result<(), Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(config_service::delete(&ctx, config_id, &IfMatch::given(&etag)).await)?;
    lead_to(&tenant_page(&tenant_id, "/configs"));
    Ok(())
}

/// Tries a config as it stands in the form.
#[server(prefix = "/ui", endpoint = "datasource-configs/test", protocol = Wire<Json>)]
pub async fn test_config(
    tenant_id: TenantId,
    config_id: Option<ConfigId>,
    input: DatasourceConfigInput,
) -> Result<TestResult, Problem> {
    let ctx = tenant_context(&tenant_id).await?;
    wire(trial::test_config(&ctx, config_id, input).await)
}
