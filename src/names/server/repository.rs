//! SQL of names.

use crate::{names::dto::Named, server::TenantTx};

/// More than anybody has, and little enough to be sent at once.
const MOST: i64 = 2_000;

/// By kind and name.
pub async fn list(tx: &mut TenantTx) -> sqlx::Result<Vec<Named>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT kind, id, name FROM ( \
             SELECT 1 AS place, 'intent' AS kind, intent_id AS id, name FROM intents WHERE tenant_id = $1 \
             UNION ALL SELECT 2, 'datasource', datasource_id, name FROM datasources WHERE tenant_id = $1 \
             UNION ALL SELECT 3, 'config', config_id, name FROM datasource_configs WHERE tenant_id = $1 \
             UNION ALL SELECT 4, 'route', route_id, name FROM routes WHERE tenant_id = $1 \
         ) AS named ORDER BY place, name, id LIMIT $2",
    )
    .bind(tenant.as_str())
    .bind(MOST)
    .fetch_all(tx.conn())
    .await
}
