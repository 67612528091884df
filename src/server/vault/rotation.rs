//! Exchanging keys while servers work.
//!
//! For each tenant: its data keys are wrapped anew, a new data key is made, everything sealed is sealed anew with it,
//! and data keys that nothing needs any more are removed. Each step is a small transaction; broken off, it is simply
//! run again. What does not open stays as it is, with its data key, and is named at the end.

use std::{
    fmt::{self, Display},
    time::Duration,
};

use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Place, SEALED, Sealed, Vault};
use crate::{
    audit::server::service::{self as audit, Event},
    server::{Actor, Database, Error, Result, TenantTx, origin::Origin},
    shared::TenantId,
    tenants::server::service as tenants,
};

/// Values sealed anew in one transaction.
const BATCH: i64 = 100;
/// Whoever read a value just before it was sealed anew opens it within this time, with the old data key.
const GRACE: Duration = Duration::from_secs(2);
/// How often a data key is tried that somebody is about to use.
const PATIENCE: u32 = 50;
/// So many are named of what does not open.
const NAMED: usize = 20;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rotated {
    pub tenants: usize,
    /// Data keys that were wrapped by another KEK.
    pub rewrapped: usize,
    /// Values that were sealed anew.
    pub resealed: usize,
    /// Data keys that are gone.
    pub removed: usize,
    /// Data keys and values that do not open.
    pub unopened: usize,
}

impl fmt::Display for Rotated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tenants: {} data keys wrapped anew, {} values encrypted anew, {} old data keys removed",
            self.tenants, self.rewrapped, self.resealed, self.removed
        )
    }
}

/// Says what was done, and what was not.
#[derive(Debug, Default)]
struct Unfinished {
    done: Rotated,
    /// The first of what does not open, by tenant and place.
    named: Vec<String>,
}

impl Unfinished {
    fn note(&mut self, tenant: &TenantId, table: &str, column: &str, row: impl Display) {
        self.done.unopened += 1;
        if self.named.len() < NAMED {
            self.named.push(format!("{tenant}: {table}.{column} of {row}"));
        }
    }
}

impl Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, count, named) = (&self.done, self.done.unopened, self.named.join(", "));
        write!(f, "{done}. {count} cannot be opened and stay as they are: {named}")?;
        match count - self.named.len() {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

impl std::error::Error for Unfinished {}

/// `None` for what does not open.
fn if_opens<T>(opened: Result<T>) -> Result<Option<T>> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(Error::Internal(fault)) if fault.is::<Sealed>() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Exchanges all keys; `vault` wraps with the new KEK and accepts the old one.
///
/// # Errors
/// Where something cannot be opened, once all else is done: it names what, which stays as it is. The database's.
pub async fn rotate(database: &Database, vault: &Vault) -> Result<Rotated> {
    let mut state = Unfinished::default();
    let tenants = tenants::ids(&mut database.instance().await?).await?;
    for tenant in &tenants {
        rotate_tenant(database, vault, tenant, &mut state).await?;
    }
    let mut tx = database.instance().await?;
    let event = Event::done("encryption_key.rotate", &vault.kek.id, json!(state.done));
    audit::record_instance(&mut tx, &Actor::System, &Origin::default(), event).await?;
    tx.commit().await?;
    if state.done.unopened == 0 { Ok(state.done) } else { Err(Error::internal(state)) }
}

async fn rotate_tenant(
    database: &Database,
    vault: &Vault,
    id: &TenantId,
    state: &mut Unfinished,
) -> Result<()> {
    let mut tx = database.tenant(id).await?;
    let keys: Vec<(Uuid, String, Vec<u8>)> = sqlx::query_as(
        "SELECT key_id, kek_id, wrapped FROM data_keys WHERE tenant_id = $1 ORDER BY key_id FOR NO KEY UPDATE",
    )
    .bind(id.as_str())
    .fetch_all(tx.conn())
    .await?;
    let mut opened = Vec::with_capacity(keys.len());
    for (key_id, kek_id, wrapped) in &keys {
        let Some(key) = if_opens(vault.unwrap_key(id.as_str(), *key_id, kek_id, wrapped))? else {
            // Nor does what is sealed with it.
            state.note(id, "data_keys", "wrapped", key_id);
            continue;
        };
        opened.push(*key_id);
        if *kek_id == vault.kek.id {
            continue;
        }
        sqlx::query("UPDATE data_keys SET kek_id = $3, wrapped = $4 WHERE tenant_id = $1 AND key_id = $2")
            .bind(id.as_str())
            .bind(key_id)
            .bind(&vault.kek.id)
            .bind(vault.wrap(id.as_str(), *key_id, &key)?)
            .execute(tx.conn())
            .await?;
        state.done.rewrapped += 1;
    }
    if opened.is_empty() {
        return Ok(());
    }
    state.done.tenants += 1;
    vault.make_key(&mut tx).await?;
    tx.commit().await?;
    let mut unneeded = Vec::with_capacity(opened.len());
    for old in opened {
        if reseal(database, vault, id, old, state).await? {
            unneeded.push(old);
        }
    }
    tokio::time::sleep(GRACE).await;
    for old in unneeded {
        for _ in 0..PATIENCE {
            if remove(database, id, old).await? {
                state.done.removed += 1;
                break;
            }
            // Somebody sealed with it in the meantime, or is about to.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if !reseal(database, vault, id, old, state).await? {
                break;
            }
        }
    }
    Ok(())
}

/// Seals anew what was sealed with this data key. Says whether all of it opened.
async fn reseal(
    database: &Database,
    vault: &Vault,
    id: &TenantId,
    old: Uuid,
    state: &mut Unfinished,
) -> Result<bool> {
    let unopened = state.done.unopened;
    for (table, row, column) in SEALED {
        let mut after = 0;
        loop {
            let mut tx = database.tenant(id).await?;
            // What somebody holds is passed by, and found when the old key is to be removed.
            let sql =
                format!("{} LIMIT {BATCH} FOR NO KEY UPDATE SKIP LOCKED", sealed_with(table, row, column));
            let values: Vec<(i64, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql))
                .bind(id.as_str())
                .bind(old.as_bytes().as_slice())
                .bind(after)
                .fetch_all(tx.conn())
                .await?;
            let Some((last, _)) = values.last() else { break };
            after = *last;
            for (value_id, sealed) in &values {
                let place = Place { table, row: *value_id, column };
                let Some(plain) = if_opens(vault.open(&mut tx, place, sealed).await)? else {
                    state.note(id, table, column, value_id);
                    continue;
                };
                let sealed = vault.seal(&mut tx, place, &plain).await?;
                let sql = format!("UPDATE {table} SET {column} = $3 WHERE tenant_id = $1 AND {row} = $2");
                sqlx::query(AssertSqlSafe(sql))
                    .bind(id.as_str())
                    .bind(value_id)
                    .bind(sealed)
                    .execute(tx.conn())
                    .await?;
                state.done.resealed += 1;
            }
            tx.commit().await?;
        }
    }
    Ok(state.done.unopened == unopened)
}

/// The values that were sealed with the data key `$2`, by the form that `vault` describes, after the row `$3`.
fn sealed_with(table: &str, row: &str, column: &str) -> String {
    format!(
        "SELECT {row}, {column} FROM {table} WHERE tenant_id = $1 AND substring({column} FROM 2 FOR 16) = $2 \
         AND {row} > $3 ORDER BY {row}"
    )
}

/// Removes a data key, unless something is sealed with it, or somebody is about to seal something. Nobody is waited
/// for with the key locked: they may hold what would be waited for.
async fn remove(database: &Database, id: &TenantId, old: Uuid) -> Result<bool> {
    let mut tx: TenantTx = database.tenant(id).await?;
    let free: Option<Uuid> = sqlx::query_scalar(
        "SELECT key_id FROM data_keys WHERE tenant_id = $1 AND key_id = $2 FOR UPDATE SKIP LOCKED",
    )
    .bind(id.as_str())
    .bind(old)
    .fetch_optional(tx.conn())
    .await?;
    if free.is_none() {
        return Ok(false);
    }
    for (table, row, column) in SEALED {
        let sql = format!("{} LIMIT 1", sealed_with(table, row, column));
        let user: Option<(i64, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(id.as_str())
            .bind(old.as_bytes().as_slice())
            .bind(0_i64)
            .fetch_optional(tx.conn())
            .await?;
        if user.is_some() {
            return Ok(false);
        }
    }
    sqlx::query("DELETE FROM data_keys WHERE tenant_id = $1 AND key_id = $2")
        .bind(id.as_str())
        .bind(old)
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(true)
}
