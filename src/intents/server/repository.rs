//! SQL of intents.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use crate::{
    intents::dto::{Extractor, Intent, IntentInput, MatchConditions},
    server::{TenantRows, TenantTx, database::in_tenant},
    shared::IntentId,
};

#[derive(sqlx::FromRow)]
struct Row {
    intent_id: IntentId,
    name: String,
    description: String,
    is_active: bool,
    priority: i32,
    r#match: Json<MatchConditions>,
    extractors: Json<Vec<Extractor>>,
    version: i32,
    /// Not counted where a message is tried against the intents.
    #[sqlx(default)]
    examples_count: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn into_intent(self, tx: &impl TenantRows) -> Intent {
        Intent {
            intent_id: self.intent_id,
            tenant_id: tx.tenant().clone(),
            name: self.name,
            description: self.description,
            is_active: self.is_active,
            priority: self.priority,
            conditions: self.r#match.0,
            extractors: self.extractors.0,
            version: self.version,
            examples_count: self.examples_count,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Newest first, before the id `before`, `q` in name or description.
pub async fn list(
    tx: &mut TenantTx,
    active_only: bool,
    q: Option<&str>,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Intent>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT *, (SELECT count(DISTINCT e.text_hash) FROM intent_examples e \
         WHERE e.tenant_id = intents.tenant_id AND e.intent_id = intents.intent_id) AS examples_count \
         FROM intents WHERE tenant_id = $1 AND (NOT $2 OR is_active) \
         AND ($3::text IS NULL OR strpos(lower(name), lower($3)) > 0 OR strpos(lower(description), lower($3)) > 0) \
         AND intent_id < coalesce($4, 9223372036854775807) ORDER BY intent_id DESC LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(active_only)
    .bind(q)
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.into_intent(tx)).collect())
}

/// The active intents in the order in which a message is tried against them.
pub async fn active_by_priority(tx: &mut TenantTx) -> sqlx::Result<Vec<Intent>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM intents WHERE tenant_id = $1 AND is_active ORDER BY priority, intent_id",
    )
    .bind(tenant.as_str())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.into_intent(tx)).collect())
}

/// How much there is of a tenant's intents.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Extent {
    pub count: i64,
    /// What their match conditions and extractors have together, as JSON.
    pub bytes: i64,
}

pub async fn extent(tx: &mut TenantTx) -> sqlx::Result<Extent> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT count(*) AS count, \
         coalesce(sum(octet_length(match::text) + octet_length(extractors::text)), 0)::bigint AS bytes \
         FROM intents WHERE tenant_id = $1",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await
}

pub async fn find(tx: &mut impl TenantRows, id: IntentId) -> sqlx::Result<Option<Intent>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as(in_tenant!(
        "SELECT *, (SELECT count(DISTINCT e.text_hash) FROM intent_examples e \
         WHERE e.tenant_id = intents.tenant_id AND e.intent_id = intents.intent_id) AS examples_count \
         FROM intents WHERE tenant_id = tenant.id AND intent_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.into_intent(tx)))
}

pub async fn find_by_name(tx: &mut TenantTx, name: &str) -> sqlx::Result<Option<Intent>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as("SELECT * FROM intents WHERE tenant_id = $1 AND name = $2")
        .bind(tenant.as_str())
        .bind(name)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(|row| row.into_intent(tx)))
}

pub async fn insert(tx: &mut TenantTx, input: &IntentInput) -> sqlx::Result<Intent> {
    let tenant = tx.tenant().clone();
    let row: Row = sqlx::query_as(
        "INSERT INTO intents (tenant_id, name, description, is_active, priority, match, extractors) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *",
    )
    .bind(tenant.as_str())
    .bind(&input.name)
    .bind(&input.description)
    .bind(input.is_active)
    .bind(input.priority)
    .bind(Json(&input.conditions))
    .bind(Json(&input.extractors))
    .fetch_one(tx.conn())
    .await?;
    Ok(row.into_intent(tx))
}

pub async fn update(tx: &mut TenantTx, id: IntentId, input: &IntentInput) -> sqlx::Result<Option<Intent>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as(
        "UPDATE intents SET name = $3, description = $4, is_active = $5, priority = $6, match = $7, \
         extractors = $8, updated_at = now() WHERE tenant_id = $1 AND intent_id = $2 \
         RETURNING *, (SELECT count(DISTINCT e.text_hash) FROM intent_examples e \
         WHERE e.tenant_id = intents.tenant_id AND e.intent_id = intents.intent_id) AS examples_count",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(&input.name)
    .bind(&input.description)
    .bind(input.is_active)
    .bind(input.priority)
    .bind(Json(&input.conditions))
    .bind(Json(&input.extractors))
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.into_intent(tx)))
}

/// Until the transaction ends, no message gets the intent, and no route is bound to it.
pub async fn lock(tx: &mut TenantTx, id: IntentId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT FROM intents WHERE tenant_id = $1 AND intent_id = $2 FOR UPDATE")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Its rules and examples go with it, and its routes too, with nothing said of what is under way for them. Messages keep
/// its id.
pub async fn delete(tx: &mut TenantTx, id: IntentId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM intents WHERE tenant_id = $1 AND intent_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
