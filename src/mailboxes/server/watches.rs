//! SQL of the watch on mailboxes elsewhere: which is due, who has it, and how far its folder was read.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    server::{TenantTx, changes, database::WorkerTx},
    shared::{EmailId, MailboxId, TenantId},
};

/// How long a watch is a server's own without a sign of life.
pub const LEASE: Duration = Duration::from_secs(60);
/// From one try at a message that is left over to the next.
pub const REST: Duration = Duration::from_secs(3_600);
/// From a try in vain to the next at anything else that is left over, on another connection: what is new has its turn.
const PAUSE: Duration = Duration::from_secs(60);
/// Messages of one mailbox that may be left over: unread, and unmarked.
const MOST_LEFT: i64 = 500;
/// Messages by which the UIDs of a folder are known again: several, since people take some out of it.
const MOST_LANDMARKS: usize = 20;

/// A watch that this server has.
#[derive(Clone, Debug)]
pub struct Watch {
    pub tenant: TenantId,
    pub mailbox_id: MailboxId,
    token: Uuid,
}

/// A message with which something is left to do, though its folder was read on past it.
#[derive(Clone, Copy, Debug)]
pub struct Leftover {
    pub uid: i64,
    /// Whether it is here, and is to be marked there; otherwise it is still to be read.
    pub is_stored: bool,
}

/// Where in its folder a mailbox was read to (RFC 9051, section 2.3.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Position {
    pub uid_validity: Option<i64>,
    pub last_uid: i64,
    landmarks: Json<Landmarks>,
}

/// Messages that were read last, also where they were deleted there since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Landmarks {
    /// Whose UIDs they have: servers of before let them stay where the folder is read from its beginning again.
    uid_validity: Option<i64>,
    /// By UID.
    read: Vec<Landmark>,
}

/// The UID of a message, when the mail server got it, in seconds since 1970, and which it is here, where it was taken.
pub type Landmark = (u32, i64, Option<EmailId>);

impl Position {
    /// At the beginning of the folder.
    pub fn beginning(uid_validity: u32) -> Self {
        Self { uid_validity: Some(i64::from(uid_validity)), ..Self::default() }
    }

    /// Messages that were read last.
    pub fn landmarks(&self) -> &[Landmark] {
        let Json(landmarks) = &self.landmarks;
        if landmarks.uid_validity != self.uid_validity {
            return &[];
        }
        // Servers of before let them stay where they begin the same folder anew, too.
        let known = landmarks.read.partition_point(|(uid, ..)| i64::from(*uid) <= self.last_uid);
        &landmarks.read[..known]
    }

    /// Past one more message, which the mail server got at `arrived`, where that is known, and which is `email` here.
    pub fn past(&self, uid: u32, arrived: Option<i64>, email: Option<EmailId>) -> Self {
        let mut read = self.landmarks().to_vec();
        if let Some(arrived) = arrived {
            read.retain(|(other, ..)| *other != uid);
            read.push((uid, arrived, email));
            read.sort_unstable_by_key(|(uid, ..)| *uid);
            // The highest stay: UIDs that are given again have come past them last.
            read.drain(..read.len().saturating_sub(MOST_LANDMARKS));
        }
        let uid_validity = self.uid_validity;
        let landmarks = Json(Landmarks { uid_validity, read });
        Self { uid_validity, last_uid: self.last_uid.max(i64::from(uid)), landmarks }
    }
}

/// Has a mailbox looked at, from now on, or no longer. Whoever has it now loses it: they read what it was before.
pub async fn set(tx: &mut TenantTx, id: MailboxId, is_watched: bool) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let sql = if is_watched {
        "INSERT INTO mailbox_watches (tenant_id, mailbox_id) VALUES ($1, $2) ON CONFLICT (tenant_id, mailbox_id) \
         DO UPDATE SET due_at = now(), lock_token = NULL, locked_until = NULL"
    } else {
        "DELETE FROM mailbox_watches WHERE tenant_id = $1 AND mailbox_id = $2"
    };
    sqlx::query(sql).bind(tenant.as_str()).bind(id).execute(tx.conn()).await?;
    sqlx::query(
        "UPDATE mailbox_heartbeats SET problem = NULL, failing_since = NULL WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Keeps a watch from being claimed, extended or given back until the transaction ends. Before the mailbox itself, as whoever
/// reads its folder has it.
pub async fn lock(tx: &mut TenantTx, id: MailboxId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT FROM mailbox_watches WHERE tenant_id = $1 AND mailbox_id = $2 FOR UPDATE")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// The mailbox has another folder now.
pub async fn forget_position(tx: &mut TenantTx, id: MailboxId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM mailbox_leftovers WHERE tenant_id = $1 AND mailbox_id = $2")
        .bind(tenant.as_str())
        .bind(id)
        .execute(tx.conn())
        .await?;
    sqlx::query(
        "UPDATE mailbox_heartbeats SET uid_validity = NULL, last_uid = 0, on_server = NULL, left_there = 0, \
         last_seen_at = NULL, stumbled_uid = NULL, stumbles = 0, landmarks = DEFAULT \
         WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// Claims the watch that has been due for longest, of a tenant that is active. `full` are tenants that have their share of
/// this server already.
pub async fn claim(tx: &mut WorkerTx, full: &[String]) -> sqlx::Result<Option<Watch>> {
    let token = Uuid::new_v4();
    let row: Option<(String, MailboxId)> = sqlx::query_as(
        "UPDATE mailbox_watches SET lock_token = $1, locked_until = now() + make_interval(secs => $2) \
         WHERE (tenant_id, mailbox_id) = ( \
           SELECT w.tenant_id, w.mailbox_id FROM mailbox_watches w JOIN tenants t USING (tenant_id) \
           WHERE w.due_at <= now() AND (w.locked_until IS NULL OR w.locked_until < now()) AND t.is_active \
           AND w.tenant_id <> ALL ($3) ORDER BY w.due_at LIMIT 1 FOR UPDATE OF w SKIP LOCKED) \
         RETURNING tenant_id, mailbox_id",
    )
    .bind(token)
    .bind(LEASE.as_secs_f64())
    .bind(full)
    .fetch_optional(tx.conn())
    .await?;
    row.map(|(tenant, mailbox_id)| {
        let tenant = tenant.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Watch { tenant, mailbox_id, token })
    })
    .transpose()
}

/// How the mailboxes do that are looked at, of all active tenants together.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Figures {
    /// How many fail.
    pub failing: i64,
    /// How long ago the one was seen that was seen longest ago; none where none was seen yet. Unit: seconds.
    pub oldest: Option<f64>,
}

/// For those who look after the installation.
pub async fn figures(tx: &mut WorkerTx) -> sqlx::Result<Figures> {
    sqlx::query_as(
        "SELECT count(*) FILTER (WHERE h.failing_since IS NOT NULL) AS failing, \
         extract(epoch FROM now() - min(h.last_seen_at))::float8 AS oldest \
         FROM mailbox_watches w JOIN mailbox_heartbeats h USING (tenant_id, mailbox_id) \
         JOIN tenants t USING (tenant_id) WHERE t.is_active",
    )
    .fetch_one(tx.conn())
    .await
}

/// Keeps the watch for longer; `false` where it is another's now, or is no more, or the tenant is active no longer.
pub async fn extend(tx: &mut TenantTx, watch: &Watch) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE mailbox_watches SET locked_until = now() + make_interval(secs => $4) \
         WHERE tenant_id = $1 AND mailbox_id = $2 AND lock_token = $3 \
         AND EXISTS (SELECT FROM tenants t WHERE t.tenant_id = $1 AND t.is_active)",
    )
    .bind(watch.tenant.as_str())
    .bind(watch.mailbox_id)
    .bind(watch.token)
    .bind(LEASE.as_secs_f64())
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives the watch back, to be looked at after `wait`.
pub async fn release(tx: &mut TenantTx, watch: &Watch, wait: Duration) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE mailbox_watches SET due_at = now() + make_interval(secs => $4), lock_token = NULL, locked_until = NULL \
         WHERE tenant_id = $1 AND mailbox_id = $2 AND lock_token = $3",
    )
    .bind(watch.tenant.as_str())
    .bind(watch.mailbox_id)
    .bind(watch.token)
    .bind(wait.as_secs_f64())
    .execute(tx.conn())
    .await
    .map(drop)
}

pub async fn position(tx: &mut TenantTx, id: MailboxId) -> sqlx::Result<Position> {
    let tenant = tx.tenant().clone();
    sqlx::query_as(
        "SELECT uid_validity, last_uid, landmarks FROM mailbox_heartbeats WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_one(tx.conn())
    .await
}

/// Notes how far the folder was read. In the transaction of the message that was read there, so that none is left out.
pub async fn advance(tx: &mut TenantTx, id: MailboxId, to: &Position, was_left: bool) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE mailbox_heartbeats SET uid_validity = $3, last_uid = $4, left_there = left_there + $5, \
         landmarks = $6 WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(to.uid_validity)
    .bind(to.last_uid)
    .bind(i64::from(was_left))
    .bind(&to.landmarks)
    .execute(tx.conn())
    .await
    .map(drop)
}

/// The folder was opened, and holds so many messages. Whether it can be read too, `worked` tells.
pub async fn seen(tx: &mut TenantTx, id: MailboxId, on_server: u32) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "UPDATE mailbox_heartbeats SET last_seen_at = now(), on_server = $3 \
         WHERE tenant_id = $1 AND mailbox_id = $2",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(i64::from(on_server))
    .execute(tx.conn())
    .await?;
    changes::tell(tx);
    Ok(())
}

/// The folder was read to its end. `note` is what did not go well all the same.
pub async fn worked(tx: &mut TenantTx, id: MailboxId, note: Option<&str>) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "UPDATE mailbox_heartbeats SET problem = $3, \
         failing_since = CASE WHEN $3 IS NOT NULL THEN coalesce(failing_since, now()) END \
         WHERE tenant_id = $1 AND mailbox_id = $2 AND (problem IS NOT NULL OR $3 IS NOT NULL)",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(note)
    .execute(tx.conn())
    .await?;
    if done.rows_affected() > 0 {
        changes::tell(tx);
    }
    Ok(())
}

/// The mailbox could not be looked at. How long it has failed so is given. Unit: seconds.
pub async fn failed(tx: &mut TenantTx, id: MailboxId, problem: &str) -> sqlx::Result<f64> {
    let tenant = tx.tenant().clone();
    let failing: f64 = sqlx::query_scalar(
        "UPDATE mailbox_heartbeats SET problem = $3, failing_since = coalesce(failing_since, now()) \
         WHERE tenant_id = $1 AND mailbox_id = $2 RETURNING extract(epoch FROM now() - failing_since)::float8",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(problem)
    .fetch_one(tx.conn())
    .await?;
    changes::tell(tx);
    Ok(failing)
}

/// A message could not be read. How often it was tried so far is given.
pub async fn stumbled(tx: &mut TenantTx, id: MailboxId, uid: i64) -> sqlx::Result<i32> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "UPDATE mailbox_heartbeats SET stumbled_uid = $3, \
         stumbles = CASE WHEN stumbled_uid = $3 THEN stumbles + 1 ELSE 1 END \
         WHERE tenant_id = $1 AND mailbox_id = $2 RETURNING stumbles",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(uid)
    .fetch_one(tx.conn())
    .await
}

/// Keeps in mind what is left to do with a message that the folder is read on past, to be done after `wait`. `false` where
/// so much of it is kept already that this is not.
pub async fn leave(tx: &mut TenantTx, id: MailboxId, left: Leftover, wait: Duration) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query(
        "INSERT INTO mailbox_leftovers (tenant_id, mailbox_id, uid, uid_validity, is_stored, due_at) \
         SELECT $1, $2, $3, h.uid_validity, $4, now() + make_interval(secs => $5) FROM mailbox_heartbeats h \
         WHERE h.tenant_id = $1 AND h.mailbox_id = $2 AND $6 > ( \
           SELECT count(*) FROM mailbox_leftovers WHERE tenant_id = $1 AND mailbox_id = $2 AND is_stored = $4) \
         ON CONFLICT (tenant_id, mailbox_id, uid) DO UPDATE SET uid_validity = excluded.uid_validity, \
         is_stored = excluded.is_stored, due_at = excluded.due_at",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(left.uid)
    .bind(left.is_stored)
    .bind(wait.as_secs_f64())
    .bind(MOST_LEFT)
    .execute(tx.conn())
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The UID of what is left over and has been due for longest. It rests from now on, and it alone, whatever comes of it: one
/// that ends the connection each time, or the server, must not keep the others. What the folder was not read past is met
/// there anyway.
///
/// Where it `is_first` after what is new, there is none for a while after a try in vain: such may end the connection each
/// time, and be many.
pub async fn due(tx: &mut TenantTx, id: MailboxId, is_first: bool) -> sqlx::Result<Option<i64>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "UPDATE mailbox_leftovers SET due_at = now() + make_interval(secs => $3) \
         WHERE tenant_id = $1 AND mailbox_id = $2 AND uid = ( \
           SELECT l.uid FROM mailbox_leftovers l JOIN mailbox_heartbeats h USING (tenant_id, mailbox_id, uid_validity) \
           WHERE tenant_id = $1 AND mailbox_id = $2 AND l.uid <= h.last_uid AND l.due_at <= now() \
           AND NOT ($4 AND EXISTS (SELECT FROM mailbox_leftovers t WHERE t.tenant_id = $1 AND t.mailbox_id = $2 \
             AND t.due_at > now() + make_interval(secs => $5))) \
           ORDER BY l.due_at, l.uid LIMIT 1) \
         RETURNING uid",
    )
    .bind(tenant.as_str())
    .bind(id)
    .bind(REST.as_secs_f64())
    .bind(is_first)
    .bind((REST - PAUSE).as_secs_f64())
    .fetch_optional(tx.conn())
    .await
}

/// Nothing is left to do with these.
pub async fn settled(tx: &mut TenantTx, id: MailboxId, uids: &[i64]) -> sqlx::Result<()> {
    if uids.is_empty() {
        return Ok(());
    }
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM mailbox_leftovers WHERE tenant_id = $1 AND mailbox_id = $2 AND uid = ANY ($3)")
        .bind(tenant.as_str())
        .bind(id)
        .bind(uids)
        .execute(tx.conn())
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_that_were_read_are_landmarks_for_as_long_as_their_uids_hold() {
        let mut position = Position::beginning(7);
        for uid in 1..=30 {
            position = position.past(uid, Some(i64::from(uid) * 100), None);
        }
        let landmarks: Vec<Landmark> = (11..=30).map(|uid| (uid, i64::from(uid) * 100, None)).collect();
        assert_eq!((position.last_uid, position.landmarks()), (30, landmarks.as_slice()));
        // What lies far behind, and what has no date, is none.
        assert_eq!(position.past(3, Some(1), None), position);
        assert_eq!(position.past(31, None, None).landmarks(), landmarks);
        // One that has another date now has that.
        let again = position.past(12, Some(5), None);
        assert_eq!((again.last_uid, &again.landmarks()[..2]), (30, &[(11, 1_100, None), (12, 5, None)][..]));
        // A server of before has begun anew.
        let other = Position { uid_validity: Some(8), ..position };
        assert!(other.landmarks().is_empty());
        assert_eq!(other.past(1, Some(9), None).landmarks(), [(1, 9, None)]);
        let before: Landmarks = serde_json::from_str("{}").expect("as the column begins");
        assert_eq!(before, Landmarks::default());
    }
}
