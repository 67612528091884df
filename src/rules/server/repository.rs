//! SQL of validation rules.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    rules::dto::{OnError, OnFail, RuleCursor, RuleInput, RuleType, RuleUse, ValidationRule, WhenMissing},
    server::{TenantRows, TenantTx, database::in_tenant},
    shared::{DatasourceId, IntentId, RuleId},
};

#[derive(sqlx::FromRow)]
struct Row {
    rule_id: RuleId,
    intent_id: IntentId,
    datasource_id: Option<DatasourceId>,
    field_name: String,
    rule_type: RuleType,
    conditions: Value,
    priority: i32,
    is_active: bool,
    on_fail: OnFail,
    on_error: OnError,
    when_missing: WhenMissing,
    stop: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn into_rule(self, tx: &impl TenantRows) -> ValidationRule {
        ValidationRule {
            rule_id: self.rule_id,
            tenant_id: tx.tenant().clone(),
            intent_id: self.intent_id,
            datasource_id: self.datasource_id,
            field_name: self.field_name,
            rule_type: self.rule_type,
            conditions: self.conditions,
            priority: self.priority,
            is_active: self.is_active,
            on_fail: self.on_fail,
            on_error: self.on_error,
            when_missing: self.when_missing,
            stop: self.stop,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

#[derive(sqlx::FromRow)]
struct AskingRow {
    #[sqlx(flatten)]
    rule: Row,
    intent: String,
}

#[derive(sqlx::FromRow)]
struct UseRow {
    rule_id: RuleId,
    intent_id: IntentId,
    intent: String,
    field_name: String,
    rule_type: RuleType,
    is_active: bool,
}

/// The rules that ask a datasource, by intent and priority.
pub async fn using(tx: &mut TenantTx, datasource: DatasourceId) -> sqlx::Result<Vec<RuleUse>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<UseRow> = sqlx::query_as(
        "SELECT r.rule_id, r.intent_id, i.name AS intent, r.field_name, r.rule_type, r.is_active \
         FROM validation_rules r JOIN intents i ON i.tenant_id = r.tenant_id AND i.intent_id = r.intent_id \
         WHERE r.tenant_id = $1 AND r.datasource_id = $2 ORDER BY i.name, r.intent_id, r.priority, r.rule_id",
    )
    .bind(tenant.as_str())
    .bind(datasource)
    .fetch_all(tx.conn())
    .await?;
    let shown = |row: UseRow| RuleUse {
        rule_id: row.rule_id,
        intent_id: row.intent_id,
        intent: row.intent,
        field_name: row.field_name,
        rule_type: row.rule_type,
        is_active: row.is_active,
    };
    Ok(rows.into_iter().map(shown).collect())
}

/// As `using`: the rules whole, each with its intent's name.
pub async fn asking(
    tx: &mut TenantTx,
    datasource: DatasourceId,
) -> sqlx::Result<Vec<(ValidationRule, String)>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<AskingRow> = sqlx::query_as(
        "SELECT r.*, i.name AS intent \
         FROM validation_rules r JOIN intents i ON i.tenant_id = r.tenant_id AND i.intent_id = r.intent_id \
         WHERE r.tenant_id = $1 AND r.datasource_id = $2 ORDER BY i.name, r.intent_id, r.priority, r.rule_id",
    )
    .bind(tenant.as_str())
    .bind(datasource)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.rule.into_rule(tx), row.intent)).collect())
}

pub async fn count_of(tx: &mut TenantTx, intent: IntentId) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT count(*) FROM validation_rules WHERE tenant_id = $1 AND intent_id = $2")
        .bind(tenant.as_str())
        .bind(intent)
        .fetch_one(tx.conn())
        .await
}

/// By intent and priority, of one intent where given.
pub async fn list(
    tx: &mut TenantTx,
    intent: Option<IntentId>,
    active_only: bool,
    after: Option<RuleCursor>,
    limit: i64,
) -> sqlx::Result<Vec<ValidationRule>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT * FROM validation_rules WHERE tenant_id = $1 AND ($2::bigint IS NULL OR intent_id = $2) \
         AND (NOT $3 OR is_active) \
         AND (intent_id, priority, rule_id) > (coalesce($4, 0), coalesce($5, '-2147483648'::int), coalesce($6, 0)) \
         ORDER BY intent_id, priority, rule_id LIMIT $7",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(active_only)
    .bind(after.map(|after| after.intent_id))
    .bind(after.map(|after| after.priority))
    .bind(after.map(|after| after.rule_id))
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| row.into_rule(tx)).collect())
}

pub async fn find(tx: &mut impl TenantRows, id: RuleId) -> sqlx::Result<Option<ValidationRule>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as(in_tenant!(
        "SELECT * FROM validation_rules WHERE tenant_id = tenant.id AND rule_id = $2"
    ))
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.into_rule(tx)))
}

pub async fn insert(tx: &mut TenantTx, intent: IntentId, input: &RuleInput) -> sqlx::Result<ValidationRule> {
    let tenant = tx.tenant().clone();
    let row: Row = sqlx::query_as(
        "INSERT INTO validation_rules (tenant_id, intent_id, datasource_id, field_name, rule_type, conditions, \
         priority, is_active, on_fail, on_error, when_missing, stop) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING *",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(input.datasource_id)
    .bind(&input.field_name)
    .bind(input.rule_type.as_str())
    .bind(&input.conditions)
    .bind(input.priority)
    .bind(input.is_active)
    .bind(input.on_fail.as_str())
    .bind(input.on_error.as_str())
    .bind(input.when_missing.as_str())
    .bind(input.stop)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.into_rule(tx))
}

pub async fn update(
    tx: &mut TenantTx,
    id: RuleId,
    intent: IntentId,
    input: &RuleInput,
) -> sqlx::Result<Option<ValidationRule>> {
    let tenant = tx.tenant().clone();
    let row: Option<Row> = sqlx::query_as(
        "UPDATE validation_rules SET intent_id = $3, datasource_id = $4, field_name = $5, rule_type = $6, \
         conditions = $7, priority = $8, is_active = $9, on_fail = $10, on_error = $11, when_missing = $12, \
         stop = $13, updated_at = now() WHERE tenant_id = $1 AND rule_id = $2 RETURNING *",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(intent)
    .bind(input.datasource_id)
    .bind(&input.field_name)
    .bind(input.rule_type.as_str())
    .bind(&input.conditions)
    .bind(input.priority)
    .bind(input.is_active)
    .bind(input.on_fail.as_str())
    .bind(input.on_error.as_str())
    .bind(input.when_missing.as_str())
    .bind(input.stop)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|row| row.into_rule(tx)))
}

pub async fn delete(tx: &mut TenantTx, id: RuleId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("DELETE FROM validation_rules WHERE tenant_id = $1 AND rule_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}
