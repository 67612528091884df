//! SQL of the invitations that go by mail. All tenants share the installation's relay, and what it is thought of
//! elsewhere: each has so many in a day, and an address gets no second one at once, whichever tenant's it is.

use std::time::Duration;

use crate::server::TenantTx;

/// So many invitations of a tenant are mailed within a day.
pub const A_DAY: i64 = 50;

/// An invitation that goes by mail, counted.
pub struct Counted(i64);

/// Why one cannot go yet, and how long that will be so.
pub enum NotYet {
    /// The tenant has had what it may have in a day.
    Tenant(Duration),
    /// The address was sent one a moment ago.
    Address(Duration),
}

/// Counts a mail to the address. The tenant's invitations are locked, so that no other is counted meanwhile.
pub async fn count(tx: &mut TenantTx, email: &str) -> sqlx::Result<Result<Counted, NotYet>> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "DELETE FROM invitation_mails WHERE tenant_id = $1 AND mailed_at <= now() - interval '1 day'",
    )
    .bind(tenant.as_str())
    .execute(tx.conn())
    .await?;
    let (mails, wait): (i64, Option<f64>) = sqlx::query_as(
        "SELECT count(*), extract(epoch FROM min(mailed_at) + interval '1 day' - now())::float8 \
         FROM invitation_mails WHERE tenant_id = $1",
    )
    .bind(tenant.as_str())
    .fetch_one(tx.conn())
    .await?;
    if mails >= A_DAY {
        return Ok(Err(NotYet::Tenant(seconds(wait))));
    }
    if let Some(wait) = take_address(tx, email).await? {
        return Ok(Err(NotYet::Address(wait)));
    }
    let id = sqlx::query_scalar("INSERT INTO invitation_mails (tenant_id) VALUES ($1) RETURNING mail_id")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await?;
    Ok(Ok(Counted(id)))
}

/// Takes the address for some minutes. How long it is another's still, if it is.
async fn take_address(tx: &mut TenantTx, email: &str) -> sqlx::Result<Option<Duration>> {
    let taken: Option<i32> = sqlx::query_scalar(
        "INSERT INTO invited_addresses AS known (email, mailed_at) VALUES ($1, now()) \
         ON CONFLICT (email) DO UPDATE SET mailed_at = now() WHERE known.mailed_at <= now() - interval '5 minutes' \
         RETURNING 1",
    )
    .bind(email)
    .fetch_optional(tx.conn())
    .await?;
    if taken.is_none() {
        let wait: Option<f64> = sqlx::query_scalar(
            "SELECT extract(epoch FROM mailed_at + interval '5 minutes' - now())::float8 \
             FROM invited_addresses WHERE email = $1",
        )
        .bind(email)
        .fetch_optional(tx.conn())
        .await?;
        return Ok(Some(seconds(wait)));
    }
    // Those that somebody else has in hand are passed by: two who waited for each other's would both be refused.
    sqlx::query(
        "DELETE FROM invited_addresses WHERE email = ANY (ARRAY( \
           SELECT email FROM invited_addresses WHERE mailed_at <= now() - interval '5 minutes' \
           FOR UPDATE SKIP LOCKED))",
    )
    .execute(tx.conn())
    .await?;
    Ok(None)
}

/// Does not count a mail that did not go.
pub async fn take_off(tx: &mut TenantTx, mail: &Counted, email: &str) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM invitation_mails WHERE tenant_id = $1 AND mail_id = $2")
        .bind(tenant.as_str())
        .bind(mail.0)
        .execute(tx.conn())
        .await?;
    sqlx::query("DELETE FROM invited_addresses WHERE email = $1")
        .bind(email)
        .execute(tx.conn())
        .await
        .map(drop)
}

/// By PostgreSQL's clock.
fn seconds(wait: Option<f64>) -> Duration {
    Duration::try_from_secs_f64(wait.unwrap_or_default()).unwrap_or_default()
}
