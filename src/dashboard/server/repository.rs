//! SQL of the dashboard.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::{
    dashboard::dto::{Column, Health, IntentShare, MOST_COUNTED, RuleShare, Stats, Times},
    deliveries::server::under_way::STANDS,
    emails::server::stored::DECIDED_BY,
    rules::{dto::RuleType, words::demand_words},
    server::{TenantTx, queue::Subject},
    shared::{EmailId, IntentId, RuleId},
};

/// More are not read at a glance.
const SHOWN: i64 = 6;

/// Messages are counted by their decision, and those that wait apart from it: for either there is an index that tells alone.
pub async fn stats(tx: &mut TenantTx) -> sqlx::Result<Stats> {
    let tenant = tx.tenant().clone();
    let (emails, queued, accepted, rejected, review): (i64, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT coalesce(sum(n), 0)::bigint, \
         (SELECT count(*) FROM emails WHERE tenant_id = $1 AND status <> 'done'), \
         coalesce(sum(n) FILTER (WHERE decision = 'accepted'), 0)::bigint, \
         coalesce(sum(n) FILTER (WHERE decision = 'rejected'), 0)::bigint, \
         coalesce(sum(n) FILTER (WHERE decision = 'review'), 0)::bigint \
         FROM (SELECT decision, count(*) AS n FROM emails WHERE tenant_id = $1 GROUP BY decision) AS counted",
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

/// What came since, by steps of `width` seconds from `start`; steps without a message are left out. Ids sort by
/// arrival, so the period is a range of the primary key.
pub async fn columns(
    tx: &mut TenantTx,
    since: EmailId,
    start: DateTime<Utc>,
    width: i64,
) -> sqlx::Result<Vec<Column>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT floor((extract(epoch FROM received_at) - $3::float8) / $4)::bigint AS n, \
         count(*) FILTER (WHERE status = 'done' AND decision = 'accepted'), \
         count(*) FILTER (WHERE status = 'done' AND decision = 'rejected'), \
         count(*) FILTER (WHERE status = 'done' AND decision = 'review'), \
         count(*) FILTER (WHERE status <> 'done') \
         FROM emails WHERE tenant_id = $1 AND email_id >= $2 GROUP BY n",
    )
    .bind(tenant.as_str())
    .bind(since)
    .bind(start.timestamp() as f64)
    .bind(width)
    .fetch_all(tx.conn())
    .await?;
    let column = |(n, accepted, rejected, review, waiting): (i64, i64, i64, i64, i64)| Column {
        at: start + chrono::TimeDelta::seconds(n * width),
        accepted,
        rejected,
        review,
        waiting,
    };
    Ok(rows.into_iter().map(column).collect())
}

pub async fn intents(tx: &mut TenantTx, since: EmailId) -> sqlx::Result<Vec<IntentShare>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        // By today's name. Those of an intent that was deleted go by the name that it had, whether it was one or several.
        "SELECT i.intent_id, coalesce(i.name, e.name) AS name, \
         sum(e.messages)::bigint AS messages, sum(e.rejected)::bigint AS rejected FROM (\
           SELECT intent_id, intent_name AS name, count(*) AS messages, \
           count(*) FILTER (WHERE decision = 'rejected') AS rejected \
           FROM emails WHERE tenant_id = $1 AND email_id >= $2 AND status = 'done' \
           GROUP BY intent_id, intent_name) e \
         LEFT JOIN intents i ON i.tenant_id = $1 AND i.intent_id = e.intent_id \
         GROUP BY 1, 2 ORDER BY messages DESC, name LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(since)
    .bind(SHOWN)
    .fetch_all(tx.conn())
    .await
}

/// How often a rule said no, and what it asks.
#[derive(sqlx::FromRow)]
struct RuleCount {
    rule_id: RuleId,
    rule_type: RuleType,
    field_name: String,
    datasource: Option<String>,
    intent_id: Option<IntentId>,
    intent: Option<String>,
    /// Absent where the rule is deleted, or asks something else by now.
    conditions: Option<Value>,
    asked: i64,
    failed: i64,
    errors: i64,
}

impl From<RuleCount> for RuleShare {
    fn from(count: RuleCount) -> Self {
        let RuleCount { rule_id, intent_id, intent, asked, failed, errors, .. } = count;
        let conditions = count.conditions.unwrap_or_default();
        let demand =
            demand_words(count.rule_type, &count.field_name, count.datasource.as_deref(), &conditions);
        Self { rule_id, demand, intent_id, intent, asked, failed, errors }
    }
}

/// By what each message's last run came to, and by today's name of a rule's datasource and intent. The period is said of the
/// verdicts too: those of before would be read.
pub async fn rules(tx: &mut TenantTx, since: EmailId) -> sqlx::Result<Vec<RuleShare>> {
    let tenant = tx.tenant().clone();
    let counts: Vec<RuleCount> = sqlx::query_as(
        "SELECT v.rule_id, v.rule_type, v.field_name, coalesce(d.name, v.datasource_name) AS datasource, \
         r.intent_id, i.name AS intent, \
         CASE WHEN r.rule_type = v.rule_type AND r.field_name = v.field_name THEN r.conditions END AS conditions, \
         sum(v.asked)::bigint AS asked, sum(v.failed)::bigint AS failed, sum(v.errors)::bigint AS errors FROM (\
           SELECT v.rule_id, v.rule_type, v.field_name, v.datasource_name, \
           count(*) FILTER (WHERE v.verdict <> 'skipped') AS asked, \
           count(*) FILTER (WHERE v.verdict = 'fail') AS failed, \
           count(*) FILTER (WHERE v.verdict = 'error') AS errors \
           FROM emails e JOIN verdicts v ON v.tenant_id = e.tenant_id AND v.email_id = e.email_id AND v.run = e.run \
           WHERE e.tenant_id = $1 AND e.email_id >= $2 AND v.email_id >= $2 \
           GROUP BY v.rule_id, v.rule_type, v.field_name, v.datasource_name) v \
         LEFT JOIN validation_rules r ON r.tenant_id = $1 AND r.rule_id = v.rule_id \
         LEFT JOIN datasources d ON d.tenant_id = $1 AND d.datasource_id = r.datasource_id \
         LEFT JOIN intents i ON i.tenant_id = $1 AND i.intent_id = r.intent_id \
         GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(v.failed + v.errors) > 0 \
         ORDER BY failed DESC, errors DESC, rule_id LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(since)
    .bind(SHOWN)
    .fetch_all(tx.conn())
    .await?;
    Ok(counts.into_iter().map(RuleShare::from).collect())
}

/// Of what FlowEngine decided at the first run: a later run was asked for by somebody.
pub async fn times(tx: &mut TenantTx, since: EmailId) -> sqlx::Result<Times> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS median, \
         percentile_cont(0.95) WITHIN GROUP (ORDER BY took) AS p95 FROM ( \
           SELECT extract(epoch FROM decided_at - received_at)::float8 AS took FROM emails \
           WHERE tenant_id = $1 AND email_id >= $2 AND status = 'done' AND run = 1 AND decided_by = $3) AS done",
    )
    .bind(tenant.as_str())
    .bind(since)
    .bind(DECIDED_BY)
    .fetch_one(tx.conn())
    .await
}

/// A message waits since it came in, or since it was to be run again: as long as its job is there.
pub async fn health(tx: &mut TenantTx) -> sqlx::Result<Health> {
    let tenant = tx.tenant().clone();
    let most = MOST_COUNTED + 1;
    let query = format!(
        "SELECT (SELECT count(*) FROM emails WHERE tenant_id = $1 AND status <> 'done') AS waiting, \
         (SELECT extract(epoch FROM now() - min(created_at))::float8 FROM jobs \
           WHERE tenant_id = $1 AND kind = $2) AS oldest, \
         (SELECT count(*) FROM deliveries WHERE tenant_id = $1 AND status = 'pending') AS deliveries_pending, \
         (SELECT count(*) FROM (SELECT FROM deliveries d \
           JOIN emails e ON e.tenant_id = d.tenant_id AND e.email_id = d.email_id \
           WHERE d.tenant_id = $1 AND d.status = 'failed' AND {STANDS} LIMIT {most}) AS failed) AS deliveries_failed",
    );
    sqlx::query_as(AssertSqlSafe(query)).bind(tenant.as_str()).bind(EmailId::KIND).fetch_one(tx.conn()).await
}
