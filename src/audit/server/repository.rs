//! SQL of the audit log. There is nothing here that changes or deletes an entry of a tenant that is there, and the server's
//! role could not.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Postgres, QueryBuilder};

use super::event::Event;
use crate::{
    audit::dto::{ActorKind, AuditEntry, AuditFilter},
    server::{TenantTx, changes, database::InstanceTx, origin::Origin},
    shared::AuditId,
};

#[derive(sqlx::FromRow)]
struct Row {
    audit_id: AuditId,
    occurred_at: DateTime<Utc>,
    actor_kind: ActorKind,
    actor: String,
    address: Option<String>,
    request_id: Option<String>,
    action: String,
    object_id: String,
    before: Option<Value>,
    after: Option<Value>,
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        Self {
            audit_id: row.audit_id,
            occurred_at: row.occurred_at,
            actor_kind: row.actor_kind,
            actor: row.actor,
            address: row.address,
            request_id: row.request_id,
            action: row.action,
            object_id: row.object_id,
            before: row.before,
            after: row.after,
        }
    }
}

const COLUMNS: &str = "audit_id, occurred_at, actor_kind, actor, host(address) AS address, request_id, action, \
                       object_id, before, after";

pub async fn insert(
    tx: &mut TenantTx,
    kind: ActorKind,
    actor: &str,
    origin: &Origin,
    event: &Event,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO audit_log (tenant_id, actor_kind, actor, address, request_id, action, object_id, before, after) \
         VALUES ($1, $2, $3, $4::inet, $5, $6, $7, $8, $9)",
    )
    .bind(tenant.as_str())
    .bind(kind.as_str())
    .bind(actor)
    .bind(origin.address.map(|address| address.to_string()))
    .bind(&origin.request_id)
    .bind(event.action)
    .bind(&event.object_id)
    .bind(&event.before)
    .bind(&event.after)
    .execute(tx.conn())
    .await?;
    // What is kept here is a change.
    changes::tell(tx);
    Ok(())
}

pub async fn insert_instance(
    tx: &mut InstanceTx,
    kind: ActorKind,
    actor: &str,
    origin: &Origin,
    event: &Event,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO instance_audit_log (actor_kind, actor, address, request_id, action, object_id, before, after) \
         VALUES ($1, $2, $3::inet, $4, $5, $6, $7, $8)",
    )
    .bind(kind.as_str())
    .bind(actor)
    .bind(origin.address.map(|address| address.to_string()))
    .bind(&origin.request_id)
    .bind(event.action)
    .bind(&event.object_id)
    .bind(&event.before)
    .bind(&event.after)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Deletes some entries of a tenant that is being deleted, by a function of the owner's that does so for no other.
pub async fn forget_deleted(tx: &mut TenantTx, most: i32) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT forget_audit_log_of_deleted($1, $2)")
        .bind(tenant.as_str())
        .bind(most)
        .fetch_one(tx.conn())
        .await
}

/// Newest first, before `before`.
pub async fn list(
    tx: &mut TenantTx,
    filter: &AuditFilter,
    before: Option<AuditId>,
    limit: i64,
) -> sqlx::Result<Vec<AuditEntry>> {
    let tenant = tx.tenant().clone();
    let mut query = select("audit_log", Some(tenant.as_str()), filter, before, limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Newest first, before `before`.
pub async fn list_instance(
    tx: &mut InstanceTx,
    filter: &AuditFilter,
    before: Option<AuditId>,
    limit: i64,
) -> sqlx::Result<Vec<AuditEntry>> {
    let mut query = select("instance_audit_log", None, filter, before, limit);
    let rows: Vec<Row> = query.build_query_as().fetch_all(tx.conn()).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The action of which a log has the most entries: one for each message.
const ARRIVAL: &str = "email.receive";

/// Of all entries of a kind, or of what people and keys did, unless of one object, whose entries are few, it would be read
/// until enough are found, since no index knows kinds and callers, and `split_part` is not leakproof. So the actions that
/// the log knows are gone through in the index, and of each that is asked for the newest are taken.
fn select(
    log: &str,
    tenant: Option<&str>,
    filter: &AuditFilter,
    before: Option<AuditId>,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new("");
    let kind = filter.action.as_ref().filter(|action| !action.contains('.'));
    let is_by_actions = kind.is_some() || (filter.people_only && filter.action.is_none());
    if !is_by_actions || filter.object_id.is_some() {
        push_entries(&mut query, log, tenant);
        narrow(&mut query, filter, before, limit);
        return query;
    }
    query.push("WITH RECURSIVE known (action) AS ((");
    push_first_action(&mut query, log, tenant);
    query.push(" ORDER BY action LIMIT 1) UNION ALL SELECT (");
    push_first_action(&mut query, log, tenant);
    query.push(
        " AND action > known.action ORDER BY action LIMIT 1) FROM known WHERE known.action IS NOT NULL) \
         SELECT found.* FROM known CROSS JOIN LATERAL (",
    );
    push_entries(&mut query, log, tenant);
    query.push(" AND action = known.action");
    narrow(&mut query, &AuditFilter { action: None, ..filter.clone() }, before, limit);
    query.push(") AS found WHERE known.action IS NOT NULL");
    if let Some(kind) = kind {
        query.push(" AND split_part(known.action, '.', 1) = ").push_bind(kind.clone());
    }
    if filter.people_only {
        query.push(" AND known.action <> ").push_bind(ARRIVAL);
    }
    query.push(" ORDER BY found.audit_id DESC LIMIT ").push_bind(limit);
    query
}

fn push_first_action(query: &mut QueryBuilder<Postgres>, log: &str, tenant: Option<&str>) {
    query.push("SELECT action FROM ").push(log);
    push_tenant(query, tenant);
}

fn push_entries(query: &mut QueryBuilder<Postgres>, log: &str, tenant: Option<&str>) {
    query.push("SELECT ").push(COLUMNS).push(" FROM ").push(log);
    push_tenant(query, tenant);
}

fn push_tenant(query: &mut QueryBuilder<Postgres>, tenant: Option<&str>) {
    match tenant {
        Some(tenant) => query.push(" WHERE tenant_id = ").push_bind(tenant.to_owned()),
        None => query.push(" WHERE true"),
    };
}

/// Built, not one text for all filters: each of them has an index, which a condition such as `$1 IS NULL OR …`
/// would keep from being used.
fn narrow(query: &mut QueryBuilder<Postgres>, filter: &AuditFilter, before: Option<AuditId>, limit: i64) {
    if let Some(action) = &filter.action {
        if action.contains('.') {
            query.push(" AND action = ").push_bind(action.clone());
        } else {
            query.push(" AND split_part(action, '.', 1) = ").push_bind(action.clone());
        }
    }
    if let Some(id) = &filter.object_id {
        query.push(" AND object_id = ").push_bind(id.clone());
    }
    if let Some(actor) = &filter.actor {
        query.push(" AND strpos(lower(actor), lower(").push_bind(actor.clone()).push(")) > 0");
    }
    if let Some(from) = filter.from {
        query.push(" AND occurred_at >= ").push_bind(from);
    }
    if let Some(to) = filter.to {
        query.push(" AND occurred_at < ").push_bind(to);
    }
    if filter.people_only {
        query.push(" AND action <> ").push_bind(ARRIVAL);
        query.push(" AND actor_kind <> ").push_bind(ActorKind::System.as_str());
    }
    if let Some(before) = before {
        query.push(" AND audit_id < ").push_bind(before);
    }
    query.push(" ORDER BY audit_id DESC LIMIT ").push_bind(limit);
}
