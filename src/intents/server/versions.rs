//! The versions of intents and their rules, and the state of all of them that a message is held against.
//!
//! Every change begins with `begin` and ends with `record`, in one transaction.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use crate::{
    intents::dto::{Intent, IntentVersion, IntentVersionDetail},
    rules::dto::ValidationRule,
    server::TenantTx,
    shared::{DatasourceId, IntentId},
};

/// The revision that a transaction makes. To have it is to have the tenant's lock.
#[derive(Clone, Copy, Debug)]
pub struct Revision(i64);

/// All active intents of a tenant at one revision, in the order in which a message is tried against them.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    pub revision: i64,
    pub intents: Vec<Intent>,
}

/// Begins a change: from here on the tenant's other changes wait. First in its transaction, before any row of
/// intents or rules is touched, so that no two changes wait for each other.
pub async fn begin(tx: &mut TenantTx) -> sqlx::Result<Revision> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "INSERT INTO configuration_revisions AS c (tenant_id, revision) VALUES ($1, 1) \
         ON CONFLICT (tenant_id) DO UPDATE SET revision = c.revision + 1 RETURNING revision",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await
    .map(Revision)
}

/// Keeps the tenant's intents and rules as they are until the transaction ends, so that several reads fit together.
pub async fn hold(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT FROM configuration_revisions WHERE tenant_id = $1 FOR SHARE")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// Keeps the intent with its rules as they stand now in the transaction; gives the version's number.
pub async fn record(tx: &mut TenantTx, revision: Revision, intent: IntentId, by: &str) -> sqlx::Result<i32> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "WITH raised AS (UPDATE intents SET version = version + 1 WHERE tenant_id = $1 AND intent_id = $2 \
           RETURNING *) \
         INSERT INTO intent_versions (tenant_id, intent_id, version, revision, intent, rules, created_by) \
         SELECT i.tenant_id, i.intent_id, i.version, $3, to_jsonb(i), coalesce(( \
           SELECT jsonb_agg(to_jsonb(r) ORDER BY r.priority, r.rule_id) FROM validation_rules r \
           WHERE r.tenant_id = i.tenant_id AND r.intent_id = i.intent_id), '[]'), $4 FROM raised i \
         RETURNING version",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(revision.0)
    .bind(by)
    .fetch_one(tx.conn())
    .await
}

/// Keeps that an intent ended, before it is deleted.
pub async fn record_end(
    tx: &mut TenantTx,
    revision: Revision,
    intent: IntentId,
    by: &str,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO intent_versions (tenant_id, intent_id, version, revision, is_deleted, intent, rules, created_by) \
         SELECT tenant_id, intent_id, version + 1, $3, true, to_jsonb(i), '[]', $4 FROM intents i \
         WHERE tenant_id = $1 AND intent_id = $2",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(revision.0)
    .bind(by)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// The intents whose rules ask a datasource.
pub async fn intents_asking(tx: &mut TenantTx, datasource: DatasourceId) -> sqlx::Result<Vec<IntentId>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT DISTINCT intent_id FROM validation_rules WHERE tenant_id = $1 AND datasource_id = $2 \
         ORDER BY intent_id",
    )
    .bind(tenant.as_str())
    .bind(datasource)
    .fetch_all(tx.conn())
    .await
}

/// Today's. One statement, so that the revision is that of the intents.
pub async fn current(tx: &mut TenantTx) -> sqlx::Result<Configuration> {
    let tenant = tx.tenant().clone();
    let rows: Vec<(i64, Option<Json<Intent>>)> = sqlx::query_as(
        "SELECT c.revision, v.intent FROM configuration_revisions c LEFT JOIN ( \
           intents i JOIN intent_versions v ON v.tenant_id = i.tenant_id AND v.intent_id = i.intent_id \
           AND v.version = i.version) ON i.tenant_id = c.tenant_id AND i.is_active \
         WHERE c.tenant_id = $1 ORDER BY i.priority, i.intent_id",
    )
    .bind(tenant.as_str())
    .fetch_all(tx.conn())
    .await?;
    let revision = rows.first().map_or(0, |(revision, _)| *revision);
    let intents = rows.into_iter().filter_map(|(_, intent)| Some(intent?.0)).collect();
    Ok(Configuration { revision, intents })
}

/// As it was at a revision.
pub async fn as_of(tx: &mut TenantTx, revision: i64) -> sqlx::Result<Configuration> {
    let tenant = tx.tenant().clone();
    let rows: Vec<(Json<Intent>, bool)> = sqlx::query_as(
        "SELECT DISTINCT ON (intent_id) intent, is_deleted FROM intent_versions \
         WHERE tenant_id = $1 AND revision <= $2 ORDER BY intent_id, version DESC",
    )
    .bind(tenant.as_str())
    .bind(revision)
    .fetch_all(tx.conn())
    .await?;
    let mut intents: Vec<Intent> = rows
        .into_iter()
        .filter(|(intent, is_deleted)| !is_deleted && intent.0.is_active)
        .map(|(intent, _)| intent.0)
        .collect();
    intents.sort_by_key(|intent| (intent.priority, intent.intent_id));
    Ok(Configuration { revision, intents })
}

/// The active rules of a version, by priority. A version never changes, so they fit the intent that was read of it.
pub async fn active_rules(tx: &mut TenantTx, intent: &Intent) -> sqlx::Result<Vec<ValidationRule>> {
    let tenant = tx.tenant().clone();
    let rules: Option<Json<Vec<ValidationRule>>> = sqlx::query_scalar(
        "SELECT rules FROM intent_versions WHERE tenant_id = $1 AND intent_id = $2 AND version = $3",
    )
    .bind(tenant.as_str())
    .bind(intent.intent_id)
    .bind(intent.version)
    .fetch_optional(tx.conn())
    .await?;
    let mut rules = rules.map(|rules| rules.0).unwrap_or_default();
    rules.retain(|rule| rule.is_active);
    Ok(rules)
}

#[derive(sqlx::FromRow)]
struct Row {
    intent_id: IntentId,
    version: i32,
    revision: i64,
    is_deleted: bool,
    created_at: DateTime<Utc>,
    created_by: String,
}

impl From<Row> for IntentVersion {
    fn from(row: Row) -> Self {
        Self {
            intent_id: row.intent_id,
            version: row.version,
            revision: row.revision,
            is_deleted: row.is_deleted,
            created_at: row.created_at,
            created_by: row.created_by,
        }
    }
}

/// Newest first, before the version `before`.
pub async fn list(
    tx: &mut TenantTx,
    intent: IntentId,
    before: Option<i32>,
    limit: i64,
) -> sqlx::Result<Vec<IntentVersion>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT intent_id, version, revision, is_deleted, created_at, created_by FROM intent_versions \
         WHERE tenant_id = $1 AND intent_id = $2 AND version < coalesce($3, 2147483647) \
         ORDER BY version DESC LIMIT $4",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(IntentVersion::from).collect())
}

#[derive(sqlx::FromRow)]
struct DetailRow {
    #[sqlx(flatten)]
    version: Row,
    intent: Json<Intent>,
    rules: Json<Vec<ValidationRule>>,
    /// Of today: examples have no versions.
    examples_count: i64,
}

pub async fn find(
    tx: &mut TenantTx,
    intent: IntentId,
    version: i32,
) -> sqlx::Result<Option<IntentVersionDetail>> {
    let tenant = tx.tenant().clone();
    let row: Option<DetailRow> = sqlx::query_as(
        "SELECT *, (SELECT count(DISTINCT e.text_hash) FROM intent_examples e \
         WHERE e.tenant_id = v.tenant_id AND e.intent_id = v.intent_id) AS examples_count \
         FROM intent_versions v WHERE tenant_id = $1 AND intent_id = $2 AND version = $3",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(version)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| IntentVersionDetail {
        version: row.version.into(),
        intent: Intent { examples_count: row.examples_count, ..row.intent.0 },
        validation_rules: row.rules.0,
    }))
}
