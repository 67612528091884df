//! SQL of the dashboard.

use crate::{dashboard::dto::Stats, server::TenantTx};

pub async fn stats(tx: &mut TenantTx) -> sqlx::Result<Stats> {
    let tenant = tx.tenant().clone();
    let (emails, queued, accepted, rejected, review): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE status <> 'done'), \
         count(*) FILTER (WHERE decision = 'accepted'), count(*) FILTER (WHERE decision = 'rejected'), \
         count(*) FILTER (WHERE decision = 'review') FROM emails WHERE tenant_id = $1",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await?;
    let (intents, validation_rules, datasources, datasource_configs): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM intents WHERE tenant_id = $1), \
         (SELECT count(*) FROM validation_rules WHERE tenant_id = $1), \
         (SELECT count(*) FROM datasources WHERE tenant_id = $1), \
         (SELECT count(*) FROM datasource_configs WHERE tenant_id = $1)",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await?;
    Ok(Stats {
        emails,
        queued,
        accepted,
        rejected,
        review,
        intents,
        validation_rules,
        datasources,
        datasource_configs,
    })
}
