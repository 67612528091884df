//! SQL of examples, settings and models.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    classifier::{
        dto::{Example, IntentExamples, Origin},
        model::Report,
    },
    server::{TenantTx, database::WorkerTx},
    shared::{EmailId, ExampleId, IntentId, TenantId},
};

#[derive(sqlx::FromRow)]
struct Row {
    example_id: ExampleId,
    intent_id: Option<IntentId>,
    text: String,
    origin: Origin,
    email_id: Option<EmailId>,
    created_at: DateTime<Utc>,
}

impl Row {
    fn into_example(self, tx: &TenantTx) -> Example {
        Example {
            example_id: self.example_id,
            tenant_id: tx.tenant().clone(),
            intent_id: self.intent_id,
            text: self.text,
            origin: self.origin,
            email_id: self.email_id,
            created_at: self.created_at,
        }
    }
}

/// An example's place among those of its intent that have its text, which are as many as there are messages of it that were
/// corrected: the first stands for all. What somebody wrote comes before corrections, and newer ones before older ones. So
/// a text counts once, and stays while one of its messages does. By sorting: to hold each against each of its text would
/// take the square of their number.
macro_rules! place {
    () => {
        "row_number() OVER (PARTITION BY intent_id, text_hash ORDER BY origin = 'example' DESC, example_id DESC) AS place"
    };
}

/// What `list` asks.
pub const LIST: &str = concat!(
    "SELECT example_id, intent_id, text, origin, email_id, created_at FROM (SELECT *, ",
    place!(),
    " FROM intent_examples WHERE tenant_id = $1 AND intent_id = $2) AS placed \
     WHERE place = 1 AND example_id < coalesce($3, 9223372036854775807) ORDER BY example_id DESC LIMIT $4",
);

/// What `examples` asks.
pub const EXAMPLES: &str = concat!(
    "SELECT intent_id, text FROM ( \
       SELECT example_id, intent_id, text, sum(least(octet_length(text), $3)) \
         OVER (ORDER BY origin = 'example' DESC, example_id DESC) AS so_far FROM (SELECT *, ",
    place!(),
    " FROM intent_examples WHERE tenant_id = $1) AS placed WHERE place = 1) AS weighed \
     WHERE so_far <= $2 ORDER BY example_id",
);

/// What `drop_old_corrections` does. Where there are too many, a hundredth of them more than needed goes: all are sorted for
/// it, which is not to be done again at the next one. One that somebody is correcting anew is passed over, so that no two
/// corrections wait for each other; the next one goes, of which some more than are needed are looked for.
pub const DROP_OLD_CORRECTIONS: &str = concat!(
    "WITH surplus AS (SELECT CASE WHEN count(*) > $2 THEN count(*) - $2 \
         + least($2 / 100, (count(*) FILTER (WHERE origin = 'correction') + 99) / 100) ELSE 0 END AS n \
       FROM intent_examples WHERE tenant_id = $1) \
     DELETE FROM intent_examples WHERE tenant_id = $1 AND example_id = ANY (ARRAY( \
       SELECT e.example_id FROM intent_examples e JOIN unnest(ARRAY( \
         SELECT example_id FROM (SELECT example_id, origin, ",
    place!(),
    "      FROM intent_examples WHERE tenant_id = $1) AS placed WHERE origin = 'correction' \
         ORDER BY place = 1, example_id LIMIT (SELECT n + 10 FROM surplus) \
       )) WITH ORDINALITY AS oldest (example_id, nth) ON oldest.example_id = e.example_id \
       WHERE e.tenant_id = $1 ORDER BY nth LIMIT (SELECT n FROM surplus) FOR UPDATE OF e SKIP LOCKED))",
);

/// Newest first, before the id `before`; each text once.
pub async fn list(
    tx: &mut TenantTx,
    intent: IntentId,
    before: Option<i64>,
    limit: i64,
) -> sqlx::Result<Vec<Example>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<Row> = sqlx::query_as(LIST)
        .bind(tenant.as_str())
        .bind(intent)
        .bind(before)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(|row| row.into_example(tx)).collect())
}

/// How many there are, each text as often as it is kept.
pub async fn count(tx: &mut TenantTx) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT count(*) FROM intent_examples WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await
}

/// By intent, in the order of their names, each text once; those of no intent last.
pub async fn count_by_intent(tx: &mut TenantTx) -> sqlx::Result<Vec<IntentExamples>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<(Option<IntentId>, Option<String>, i64)> = sqlx::query_as(
        "SELECT e.intent_id, i.name, count(DISTINCT e.text_hash) FROM intent_examples e \
         LEFT JOIN intents i ON i.tenant_id = e.tenant_id AND i.intent_id = e.intent_id \
         WHERE e.tenant_id = $1 GROUP BY 1, 2 ORDER BY 2 NULLS LAST",
    )
    .bind(tenant.as_str())
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|(intent_id, name, count)| IntentExamples { intent_id, name, count }).collect())
}

pub async fn insert(tx: &mut TenantTx, intent: IntentId, text: &str) -> sqlx::Result<Example> {
    let tenant = tx.tenant().clone();
    let row: Row = sqlx::query_as(
        "INSERT INTO intent_examples (tenant_id, intent_id, text, text_hash, origin) \
         VALUES ($1, $2, $3, $4, 'example') \
         RETURNING example_id, intent_id, text, origin, email_id, created_at",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(text)
    .bind(Sha256::digest(text).as_slice())
    .fetch_one(tx.conn())
    .await?;
    Ok(row.into_example(tx))
}

/// Bytes of the examples that somebody wrote.
pub async fn size_of_written(tx: &mut TenantTx) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT coalesce(sum(octet_length(text)), 0)::bigint FROM intent_examples \
         WHERE tenant_id = $1 AND origin = 'example'",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await
}

/// The examples that somebody wrote, by intent and text.
pub async fn written(tx: &mut TenantTx) -> sqlx::Result<Vec<(IntentId, String)>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT intent_id, text FROM intent_examples WHERE tenant_id = $1 AND origin = 'example' \
         ORDER BY intent_id, text COLLATE \"C\"",
    )
    .bind(tenant.as_str())
    .fetch_all(tx.conn())
    .await
}

/// How many written examples an intent has, and how many of them were deleted: with `only`, those that are not among
/// `texts`.
pub async fn keep_written(
    tx: &mut TenantTx,
    intent: IntentId,
    texts: &[String],
    only: bool,
) -> sqlx::Result<(usize, usize)> {
    let tenant = tx.tenant().clone();
    let before: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM intent_examples WHERE tenant_id = $1 AND intent_id = $2 AND origin = 'example'",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .fetch_one(tx.conn())
    .await?;
    if !only {
        return Ok((usize::try_from(before).unwrap_or_default(), 0));
    }
    let removed = sqlx::query(
        "DELETE FROM intent_examples WHERE tenant_id = $1 AND intent_id = $2 AND origin = 'example' \
         AND text_hash <> ALL ($3)",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(hashes(texts))
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok((usize::try_from(before).unwrap_or_default(), usize::try_from(removed).unwrap_or_default()))
}

/// Adds the texts that nobody wrote for the intent before. How many there were.
pub async fn add_written(tx: &mut TenantTx, intent: IntentId, texts: &[String]) -> sqlx::Result<usize> {
    let tenant = tx.tenant().clone();
    let added = sqlx::query(
        "INSERT INTO intent_examples (tenant_id, intent_id, text, text_hash, origin) \
         SELECT $1, $2, t.text, t.hash, 'example' FROM unnest($3::text[], $4::bytea[]) AS t (text, hash) \
         ON CONFLICT DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(texts)
    .bind(hashes(texts))
    .execute(tx.conn())
    .await?
    .rows_affected();
    Ok(usize::try_from(added).unwrap_or_default())
}

fn hashes(texts: &[String]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| Sha256::digest(text).to_vec()).collect()
}

/// The intent of which a message is an example, if it is one: it may be one of no intent.
pub async fn of_message(tx: &mut TenantTx, email: EmailId) -> sqlx::Result<Option<Option<IntentId>>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT intent_id FROM intent_examples WHERE tenant_id = $1 AND email_id = $2")
        .bind(tenant.as_str())
        .bind(email)
        .fetch_optional(tx.conn())
        .await
}

/// A person's correction of a message, in the place of an earlier one; of an empty text there is no example. Each message
/// has its own, whatever others say: none goes with another's.
pub async fn correct(
    tx: &mut TenantTx,
    email: EmailId,
    intent: Option<IntentId>,
    text: &str,
) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM intent_examples WHERE tenant_id = $1 AND email_id = $2")
        .bind(tenant.as_str())
        .bind(email)
        .execute(tx.conn())
        .await?;
    if text.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO intent_examples (tenant_id, intent_id, text, text_hash, origin, email_id) \
         VALUES ($1, $2, $3, $4, 'correction', $5)",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(text)
    .bind(Sha256::digest(text).as_slice())
    .bind(email)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Deletes corrections where the tenant has more than `most` examples, so that it has a little less: first those for whose
/// text another one stands, and the oldest first. Those that somebody wrote stay, however many they are.
pub async fn drop_old_corrections(tx: &mut TenantTx, most: i64) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(DROP_OLD_CORRECTIONS).bind(tenant.as_str()).bind(most).execute(tx.conn()).await.map(drop)
}

/// Deletes the example, with all others of the intent that have its text: that is not to be learned any more.
pub async fn delete(tx: &mut TenantTx, intent: IntentId, example: ExampleId) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "DELETE FROM intent_examples WHERE tenant_id = $1 AND intent_id = $2 AND text_hash = ( \
           SELECT text_hash FROM intent_examples WHERE tenant_id = $1 AND intent_id = $2 AND example_id = $3)",
    )
    .bind(tenant.as_str())
    .bind(intent)
    .bind(example)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// How often a training of the same examples is begun. One that breaks a server each time is left alone then.
const MOST_TRIES: i32 = 3;

/// Where the classifier stands: its settings, and its model without the bytes.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Status {
    pub gate: f64,
    pub is_stale: bool,
    /// Whether it is stale, and left alone until the examples change.
    pub is_resting: bool,
    /// The model's revision; absent where there is none.
    pub revision: Option<i64>,
    pub trained_at: Option<DateTime<Utc>>,
    pub report: Option<Json<Report>>,
}

impl Status {
    /// `None` where there is no model.
    pub fn version(&self) -> Option<Version> {
        Some(Version { revision: self.revision?, trained_at: self.trained_at? })
    }
}

/// Which training a model comes of. Of a tenant that is made again under its id, revisions begin anew; times do not come
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub revision: i64,
    pub trained_at: DateTime<Utc>,
}

/// `None` for a tenant that never had an example or a gate of its own.
pub async fn status(tx: &mut TenantTx) -> sqlx::Result<Option<Status>> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT s.gate, s.revision > s.trained_revision AS is_stale, \
         s.revision > s.trained_revision AND s.tried_revision = s.revision AND s.tries >= $2 \
           AND (s.locked_until IS NULL OR s.locked_until < now()) AS is_resting, c.revision, c.trained_at, c.report \
         FROM classifier_settings s LEFT JOIN classifiers c ON c.tenant_id = s.tenant_id WHERE s.tenant_id = $1",
    )
    .bind(tenant.as_str())
    .bind(MOST_TRIES)
    .fetch_optional(tx.conn())
    .await
}

/// The stored model of this version.
pub async fn model(tx: &mut TenantTx, version: Version) -> sqlx::Result<Option<Vec<u8>>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT model FROM classifiers WHERE tenant_id = $1 AND revision = $2 AND trained_at = $3",
    )
    .bind(tenant.as_str())
    .bind(version.revision)
    .bind(version.trained_at)
    .fetch_optional(tx.conn())
    .await
}

/// The tenant's gate, which nobody else changes until this transaction ends. Of a tenant that set none it is `default`.
pub async fn lock_gate(tx: &mut TenantTx, default: f64) -> sqlx::Result<f64> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO classifier_settings (tenant_id, gate) VALUES ($1, $2) ON CONFLICT (tenant_id) DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(default)
    .execute(tx.conn())
    .await?;
    sqlx::query_scalar("SELECT gate FROM classifier_settings WHERE tenant_id = $1 FOR UPDATE")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await
}

pub async fn set_gate(tx: &mut TenantTx, gate: f64) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO classifier_settings (tenant_id, gate) VALUES ($1, $2) \
         ON CONFLICT (tenant_id) DO UPDATE SET gate = EXCLUDED.gate",
    )
    .bind(tenant.as_str())
    .bind(gate)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// A claimed training.
#[derive(Clone, Debug)]
pub struct Training {
    pub tenant: TenantId,
    /// The lease: whoever has another one in the row has the training.
    pub token: Uuid,
}

/// Claims the training that has waited longest: of examples that have rested for `quiet`, or changed without rest
/// for `patience`, or that a server of before trained, which measures otherwise; none of which as many as may be have come
/// to nothing.
pub async fn claim(
    tx: &mut WorkerTx,
    quiet: Duration,
    patience: Duration,
    lease: Duration,
) -> sqlx::Result<Option<Training>> {
    let token = Uuid::new_v4();
    let tenant: Option<String> = sqlx::query_scalar(
        "UPDATE classifier_settings SET lock_token = $1, locked_until = now() + make_interval(secs => $4), \
         tries = CASE WHEN tried_revision = revision THEN tries + 1 ELSE 1 END, tried_revision = revision \
         WHERE tenant_id = ( \
           SELECT tenant_id FROM classifier_settings WHERE (stale_since IS NOT NULL \
             AND (changed_at <= now() - make_interval(secs => $2) \
                  OR stale_since <= now() - make_interval(secs => $3)) \
             OR trained_revision > 0 AND measured_revision IS DISTINCT FROM trained_revision) \
           AND (locked_until IS NULL OR locked_until < now()) \
           AND (tried_revision <> revision OR tries < $5) \
           ORDER BY stale_since LIMIT 1 FOR UPDATE SKIP LOCKED) \
         RETURNING tenant_id",
    )
    .bind(token)
    .bind(quiet.as_secs_f64())
    .bind(patience.as_secs_f64())
    .bind(lease.as_secs_f64())
    .bind(MOST_TRIES)
    .fetch_optional(tx.conn())
    .await?;
    tenant
        .map(|tenant| {
            let tenant = tenant.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
            Ok(Training { tenant, token })
        })
        .transpose()
}

/// A sign of life. `false` where the training is no longer this worker's.
pub async fn extend(tx: &mut TenantTx, training: &Training, lease: Duration) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE classifier_settings SET locked_until = now() + make_interval(secs => $3) \
         WHERE tenant_id = $1 AND lock_token = $2",
    )
    .bind(training.tenant.as_str())
    .bind(training.token)
    .bind(lease.as_secs_f64())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the training back, to be claimed again after `wait`, as if it had not been tried.
pub async fn give_back(tx: &mut TenantTx, training: &Training, wait: Duration) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE classifier_settings SET tries = greatest(tries - 1, 0), lock_token = NULL, \
         locked_until = now() + make_interval(secs => $3) WHERE tenant_id = $1 AND lock_token = $2",
    )
    .bind(training.tenant.as_str())
    .bind(training.token)
    .bind(wait.as_secs_f64())
    .execute(tx.conn())
    .await
    .map(drop)
}

/// How much text is learned from. Unit: bytes.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub in_all: i64,
    /// What of one example counts, which may be longer.
    pub of_one: i32,
}

/// The revision, and the examples as they were then: the intent, if any, and the text, each once. Where they are more than
/// `most`, those that somebody wrote come before corrections, and newer ones before older ones.
pub async fn examples(tx: &mut TenantTx, most: Most) -> sqlx::Result<(i64, Vec<(Option<IntentId>, String)>)> {
    let tenant = tx.tenant().clone();
    // The row is locked against a change between the two reads; a change waits for milliseconds.
    let revision: Option<i64> =
        sqlx::query_scalar("SELECT revision FROM classifier_settings WHERE tenant_id = $1 FOR UPDATE")
            .bind(tenant.as_str())
            .fetch_optional(tx.conn())
            .await?;
    let examples = sqlx::query_as(EXAMPLES)
        .bind(tenant.as_str())
        .bind(most.in_all)
        .bind(most.of_one)
        .fetch_all(tx.conn())
        .await?;
    Ok((revision.unwrap_or_default(), examples))
}

/// Ends the training. `false` where it is no longer this worker's: then the transaction must not commit.
pub async fn finish(tx: &mut TenantTx, training: &Training, revision: i64) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE classifier_settings SET trained_revision = $3, measured_revision = $3, lock_token = NULL, locked_until = NULL, tries = 0, \
         stale_since = CASE WHEN revision > $3 THEN now() END WHERE tenant_id = $1 AND lock_token = $2",
    )
    .bind(training.tenant.as_str())
    .bind(training.token)
    .bind(revision)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores the model in the place of the one before. `None`: the examples do not suffice for one.
pub async fn store(tx: &mut TenantTx, revision: i64, trained: Option<(&[u8], &Report)>) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let Some((model, report)) = trained else {
        return sqlx::query("DELETE FROM classifiers WHERE tenant_id = $1")
            .bind(tenant.as_str())
            .execute(tx.conn())
            .await
            .map(drop);
    };
    sqlx::query(
        "INSERT INTO classifiers (tenant_id, revision, model, report) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant_id) DO UPDATE SET revision = EXCLUDED.revision, model = EXCLUDED.model, \
         report = EXCLUDED.report, trained_at = now()",
    )
    .bind(tenant.as_str())
    .bind(revision)
    .bind(model)
    .bind(Json(report))
    .execute(tx.conn())
    .await
    .map(drop)
}
