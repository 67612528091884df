//! SQL of datasource configs.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use super::connection::{self, Endpoint};
use crate::{
    datasources::dto::{AuthType, DatasourceConfig, DatasourceConfigInput, MASK},
    server::TenantTx,
    shared::{ConfigId, Problem},
};

#[derive(Clone, sqlx::FromRow)]
pub struct Row {
    pub config_id: ConfigId,
    pub name: String,
    pub protocol: String,
    pub driver_family: String,
    pub base_url: Option<String>,
    pub auth_type: AuthType,
    /// Encrypted.
    pub auth_config: Option<Vec<u8>>,
    pub auth_members: Vec<String>,
    pub connection_json: Json<Map<String, Value>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Row {
    /// Where it leads.
    ///
    /// # Errors
    /// 422 where what is stored cannot be used.
    pub fn endpoint(&self) -> Result<Endpoint, Problem> {
        let url = self.base_url.as_deref();
        connection::endpoint(&self.protocol, &self.driver_family, url, &self.connection_json)
    }

    /// Changes when the config does: microseconds of its last change.
    pub fn version(&self) -> i64 {
        self.updated_at.timestamp_micros()
    }

    /// As it is read back: the members of `auth_config`, masked.
    pub fn into_config(self, tx: &TenantTx) -> DatasourceConfig {
        let masked = self.auth_members.into_iter().map(|name| (name, Value::from(MASK))).collect();
        DatasourceConfig {
            config_id: self.config_id,
            tenant_id: tx.tenant().clone(),
            name: self.name,
            protocol: self.protocol,
            driver_family: self.driver_family,
            base_url: self.base_url,
            auth_type: self.auth_type,
            auth_config: Value::Object(masked),
            connection_json: Value::Object(self.connection_json.0),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// By id, after `after`.
pub async fn list(tx: &mut TenantTx, after: Option<i64>, limit: i64) -> sqlx::Result<Vec<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT * FROM datasource_configs WHERE tenant_id = $1 AND config_id > coalesce($2, 0) \
         ORDER BY config_id LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// `lock` keeps it from being changed or deleted until the transaction ends.
pub async fn find(tx: &mut TenantTx, id: ConfigId, lock: bool) -> sqlx::Result<Option<Row>> {
    let tenant = tx.tenant().clone();
    let sql = if lock {
        "SELECT * FROM datasource_configs WHERE tenant_id = $1 AND config_id = $2 FOR UPDATE"
    } else {
        "SELECT * FROM datasource_configs WHERE tenant_id = $1 AND config_id = $2"
    };
    sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(tx.conn()).await
}

/// `keep` keeps it from being changed or deleted until the transaction ends, so that a datasource can refer to it: who
/// does either takes the lock of `find` first, which waits for this one.
pub async fn find_by_name(tx: &mut TenantTx, name: &str, keep: bool) -> sqlx::Result<Option<Row>> {
    let tenant = tx.tenant().clone();
    let sql = if keep {
        "SELECT * FROM datasource_configs WHERE tenant_id = $1 AND name = $2 FOR KEY SHARE"
    } else {
        "SELECT * FROM datasource_configs WHERE tenant_id = $1 AND name = $2"
    };
    sqlx::query_as(sql).bind(tenant.as_str()).bind(name).fetch_optional(tx.conn()).await
}

/// Without its secret, whose encryption needs the id.
pub async fn insert(tx: &mut TenantTx, input: &DatasourceConfigInput) -> sqlx::Result<ConfigId> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "INSERT INTO datasource_configs (tenant_id, name, protocol, driver_family, base_url, auth_type, \
         connection_json) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING config_id",
    )
    .bind(tenant.as_str())
    .bind(&input.name)
    .bind(&input.protocol)
    .bind(&input.driver_family)
    .bind(&input.base_url)
    .bind(input.auth_type.as_str())
    .bind(Json(&input.connection_json))
    .fetch_one(tx.conn())
    .await
}

pub async fn update(tx: &mut TenantTx, id: ConfigId, input: &DatasourceConfigInput) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE datasource_configs SET name = $3, protocol = $4, driver_family = $5, base_url = $6, \
         auth_type = $7, connection_json = $8, updated_at = clock_timestamp() \
         WHERE tenant_id = $1 AND config_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(&input.name)
    .bind(&input.protocol)
    .bind(&input.driver_family)
    .bind(&input.base_url)
    .bind(input.auth_type.as_str())
    .bind(Json(&input.connection_json))
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn set_auth(
    tx: &mut TenantTx,
    id: ConfigId,
    sealed: Option<&[u8]>,
    members: &[String],
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE datasource_configs SET auth_config = $3, auth_members = $4 \
         WHERE tenant_id = $1 AND config_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(sealed)
    .bind(members)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

pub async fn delete(tx: &mut TenantTx, id: ConfigId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM datasource_configs WHERE tenant_id = $1 AND config_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The names of the datasources that use a config, by name.
pub async fn users(tx: &mut TenantTx, name: &str) -> sqlx::Result<Vec<String>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT name FROM datasources WHERE tenant_id = $1 AND connection_key = $2 ORDER BY name",
    )
    .bind(tenant.as_str())
    .bind(name)
    .fetch_all(tx.conn())
    .await
}
