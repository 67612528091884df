//! SQL of routes.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;

use crate::{
    emails::dto::Decision,
    routes::dto::{Route, RouteInput, RouteKind},
    server::TenantTx,
    shared::{EmailId, IntentId, RouteId},
};

#[derive(Clone, sqlx::FromRow)]
pub struct Row {
    pub route_id: RouteId,
    pub name: String,
    pub intent_id: Option<IntentId>,
    pub kind: RouteKind,
    pub decisions: Vec<Decision>,
    pub settings: Json<Map<String, Value>>,
    pub is_active: bool,
    /// Encrypted, all three.
    pub secret: Option<Vec<u8>>,
    pub old_secret: Option<Vec<u8>>,
    pub header_values: Option<Vec<u8>>,
    pub old_secret_ends: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Row {
    /// Whether it is done on that outcome of a message, as `of_outcome` finds it.
    pub fn is_for(&self, decision: Decision, intent: Option<IntentId>) -> bool {
        self.decisions.contains(&decision) && (self.intent_id.is_none() || self.intent_id == intent)
    }

    /// As it is read back. The values of headers were masked before they were stored.
    pub fn into_route(self, tx: &TenantTx) -> Route {
        Route {
            route_id: self.route_id,
            tenant_id: tx.tenant().clone(),
            name: self.name,
            intent_id: self.intent_id,
            kind: self.kind,
            decisions: self.decisions,
            settings: self.settings.0,
            is_active: self.is_active,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Those of an intent, by id, for change.
pub async fn lock_of_intent(tx: &mut TenantTx, intent: IntentId) -> sqlx::Result<Vec<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT * FROM routes WHERE tenant_id = $1 AND intent_id = $2 ORDER BY route_id FOR UPDATE",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .fetch_all(tx.conn())
    .await
}

/// By id, after `after`; of one intent, if it is given.
pub async fn list(
    tx: &mut TenantTx,
    intent: Option<IntentId>,
    active_only: bool,
    after: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT * FROM routes WHERE tenant_id = $1 AND ($2::bigint IS NULL OR intent_id = $2) \
         AND (NOT $3 OR is_active) AND route_id > coalesce($4, 0) ORDER BY route_id LIMIT $5",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(active_only)
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await
}

/// The active routes for an outcome, in the order in which they were made.
pub async fn of_outcome(
    tx: &mut TenantTx,
    intent: Option<IntentId>,
    decision: Decision,
) -> sqlx::Result<Vec<Row>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT * FROM routes WHERE tenant_id = $1 AND is_active AND $3 = ANY (decisions) \
         AND (intent_id IS NULL OR intent_id = $2) ORDER BY route_id",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(decision.as_str())
    .fetch_all(tx.conn())
    .await
}

/// Keeps these routes, and those of the message's deliveries under way, from being deleted until the transaction ends.
/// One that went before is not among the ids that it gives.
pub async fn keep(tx: &mut TenantTx, ids: &[RouteId], email: EmailId) -> sqlx::Result<Vec<RouteId>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT route_id FROM routes WHERE tenant_id = $1 AND (route_id = ANY ($2) OR route_id IN ( \
           SELECT d.route_id FROM deliveries d WHERE d.tenant_id = $1 AND d.email_id = $3 AND d.status = 'pending')) \
         ORDER BY route_id FOR KEY SHARE",
    )
    .bind(tenant.as_str())
    .bind(ids)
    .bind(email)
    .fetch_all(tx.conn())
    .await
}

/// `lock` keeps it from being changed or deleted until the transaction ends.
pub async fn find(tx: &mut TenantTx, id: RouteId, lock: bool) -> sqlx::Result<Option<Row>> {
    let tenant = tx.tenant().clone();
    let sql = if lock {
        "SELECT * FROM routes WHERE tenant_id = $1 AND route_id = $2 FOR UPDATE"
    } else {
        "SELECT * FROM routes WHERE tenant_id = $1 AND route_id = $2"
    };
    sqlx::query_as(sql).bind(tenant.as_str()).bind(id).fetch_optional(tx.conn()).await
}

/// Without its secrets, whose encryption needs the id.
pub async fn insert(tx: &mut TenantTx, input: &RouteInput) -> sqlx::Result<RouteId> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "INSERT INTO routes (tenant_id, name, intent_id, kind, decisions, settings, is_active) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING route_id",
    )
    .bind(tenant.as_str())
    .bind(&input.name)
    .bind(input.intent_id)
    .bind(input.kind.as_str())
    .bind(words(&input.decisions))
    .bind(Json(&input.settings))
    .bind(input.is_active)
    .fetch_one(tx.conn())
    .await
}

pub async fn update(tx: &mut TenantTx, id: RouteId, input: &RouteInput) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE routes SET name = $3, intent_id = $4, decisions = $5, settings = $6, is_active = $7, \
         updated_at = now() WHERE tenant_id = $1 AND route_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(&input.name)
    .bind(input.intent_id)
    .bind(words(&input.decisions))
    .bind(Json(&input.settings))
    .bind(input.is_active)
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn set_headers(tx: &mut TenantTx, id: RouteId, sealed: Option<&[u8]>) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("UPDATE routes SET header_values = $3 WHERE tenant_id = $1 AND route_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .bind(sealed)
        .execute(tx.conn())
        .await
        .map(drop)
}

pub async fn set_secret(
    tx: &mut TenantTx,
    id: RouteId,
    secret: &[u8],
    old: Option<(&[u8], DateTime<Utc>)>,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE routes SET secret = $3, old_secret = $4, old_secret_ends = $5, updated_at = now() \
         WHERE tenant_id = $1 AND route_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(secret)
    .bind(old.map(|(secret, _)| secret))
    .bind(old.map(|(_, ends)| ends))
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn delete(tx: &mut TenantTx, id: RouteId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM routes WHERE tenant_id = $1 AND route_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

fn words(decisions: &[Decision]) -> Vec<&'static str> {
    decisions.iter().map(|decision| decision.as_str()).collect()
}
