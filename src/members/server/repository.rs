//! SQL of members and invitations.

use chrono::{DateTime, Utc};

use crate::{
    auth::dto::Role,
    members::dto::{Invitation, InvitationInput, Member},
    server::{
        TenantTx,
        database::{Conn, CredentialTx},
    },
    shared::{InvitationId, UserId},
};

#[derive(sqlx::FromRow)]
struct MemberRow {
    user_id: UserId,
    email: String,
    display_name: String,
    role: Role,
    is_closed: bool,
    created_at: DateTime<Utc>,
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self {
            user_id: row.user_id,
            email: row.email,
            display_name: row.display_name,
            role: row.role,
            is_closed: row.is_closed,
            created_at: row.created_at,
        }
    }
}

const MEMBER: &str = "SELECT m.user_id, u.email, u.display_name, m.role, u.closed_at IS NOT NULL AS is_closed, \
                      m.created_at FROM memberships m JOIN users u USING (user_id) WHERE m.tenant_id = $1";

/// By user id, after `after`.
pub async fn list(tx: &mut TenantTx, after: Option<i64>, limit: i64) -> sqlx::Result<Vec<Member>> {
    let tenant = tx.tenant().clone();
    let sql = format!("{MEMBER} AND m.user_id > coalesce($2, 0) ORDER BY m.user_id LIMIT $3");
    let rows: Vec<MemberRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub async fn find(tx: &mut TenantTx, user: UserId) -> sqlx::Result<Option<Member>> {
    one(tx, user, "").await
}

/// The member, kept from being changed until the transaction ends: who comes second waits, and finds what it was made.
pub async fn lock(tx: &mut TenantTx, user: UserId) -> sqlx::Result<Option<Member>> {
    one(tx, user, "FOR UPDATE OF m").await
}

async fn one(tx: &mut TenantTx, user: UserId, lock: &str) -> sqlx::Result<Option<Member>> {
    let tenant = tx.tenant().clone();
    let sql = format!("{MEMBER} AND m.user_id = $2 {lock}");
    let row: Option<MemberRow> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.as_str())
        .bind(user)
        .fetch_optional(tx.conn())
        .await?;
    Ok(row.map(Into::into))
}

/// The person's role, if their account is open, both of which stays so until the transaction ends.
pub async fn hold_role(tx: &mut TenantTx, user: UserId) -> sqlx::Result<Option<Role>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT m.role FROM memberships m JOIN users u USING (user_id) \
         WHERE m.tenant_id = $1 AND m.user_id = $2 AND u.closed_at IS NULL FOR SHARE",
    )
    .bind(tenant.as_str())
    .bind(user)
    .fetch_optional(tx.conn())
    .await
}

/// Whether the person administers the installation, which then stays so until the transaction ends.
pub async fn hold_instance_admin(conn: &mut Conn, user: UserId) -> sqlx::Result<bool> {
    let found: Option<i32> = sqlx::query_scalar(
        "SELECT 1 FROM users WHERE user_id = $1 AND is_instance_admin AND closed_at IS NULL FOR SHARE",
    )
    .bind(user)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// The administrators whose accounts are open, kept from being changed until the transaction ends: two who remove each
/// other wait.
pub async fn lock_admins(tx: &mut TenantTx) -> sqlx::Result<Vec<UserId>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT m.user_id FROM memberships m JOIN users u USING (user_id) \
         WHERE m.tenant_id = $1 AND m.role = 'admin' AND u.closed_at IS NULL ORDER BY m.user_id FOR UPDATE OF m",
    )
    .bind(tenant.as_str())
    .fetch_all(tx.conn())
    .await
}

/// Whether there is such a member.
pub async fn set_role(tx: &mut TenantTx, user: UserId, role: Role) -> sqlx::Result<bool> {
    let tenant = tx.tenant().clone();
    let done = sqlx::query("UPDATE memberships SET role = $3 WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant.as_str())
        .bind(user)
        .bind(role.as_str())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

pub async fn delete(tx: &mut TenantTx, user: UserId) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("DELETE FROM memberships WHERE tenant_id = $1 AND user_id = $2")
        .bind(tenant.as_str())
        .bind(user)
        .execute(tx.conn())
        .await
        .map(drop)
}

#[derive(sqlx::FromRow)]
struct InvitationRow {
    invitation_id: InvitationId,
    email: String,
    role: Role,
    invited_by: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<InvitationRow> for Invitation {
    fn from(row: InvitationRow) -> Self {
        Self {
            invitation_id: row.invitation_id,
            email: row.email,
            role: row.role,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// By id, after `after`. Those that expired are listed too, until they are taken back.
pub async fn invitations(tx: &mut TenantTx, after: Option<i64>, limit: i64) -> sqlx::Result<Vec<Invitation>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<InvitationRow> = sqlx::query_as(
        "SELECT invitation_id, email, role, invited_by, created_at, expires_at FROM invitations \
         WHERE tenant_id = $1 AND invitation_id > coalesce($2, 0) ORDER BY invitation_id LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(after)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Until the transaction ends, nobody else is invited into the tenant.
pub async fn lock_invitations(tx: &mut TenantTx) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('invitations of ' || $1, 0))")
        .bind(tenant.as_str())
        .execute(tx.conn())
        .await
        .map(drop)
}

/// How many invitations of other addresses than this one are open.
pub async fn count_others(tx: &mut TenantTx, email: &str) -> sqlx::Result<i64> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "SELECT count(*) FROM invitations WHERE tenant_id = $1 AND email <> $2 AND expires_at > now()",
    )
    .bind(tenant.as_str())
    .bind(email)
    .fetch_one(tx.conn())
    .await
}

/// What is stored of a new invitation.
pub struct NewInvitation<'a> {
    pub hash: &'a [u8; 32],
    /// Who invites, by name.
    pub invited_by: &'a str,
    /// Who invites, as no other is called: by `Actor::identity`.
    pub made_by: &'a str,
    /// Whether the link is enough for a new account.
    pub makes_account: bool,
    pub expires_at: DateTime<Utc>,
}

/// A new invitation, in the place of an earlier one for the same address.
pub async fn invite(
    tx: &mut TenantTx,
    input: &InvitationInput,
    new: &NewInvitation<'_>,
) -> sqlx::Result<Invitation> {
    let tenant = tx.tenant().clone();
    let row: InvitationRow = sqlx::query_as(
        "INSERT INTO invitations (tenant_id, email, role, token_hash, invited_by, expires_at, made_by, makes_account) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT uq_eivs_invitations_tenant_email \
         DO UPDATE SET role = $3, token_hash = $4, invited_by = $5, expires_at = $6, made_by = $7, \
         makes_account = $8, created_at = now() \
         RETURNING invitation_id, email, role, invited_by, created_at, expires_at",
    )
    .bind(tenant.as_str())
    .bind(&input.email)
    .bind(input.role.as_str())
    .bind(new.hash.as_slice())
    .bind(new.invited_by)
    .bind(new.expires_at)
    .bind(new.made_by)
    .bind(new.makes_account)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.into())
}

/// Takes the invitation away, and gives it.
pub async fn take_back(tx: &mut TenantTx, id: InvitationId) -> sqlx::Result<Option<Invitation>> {
    let tenant = tx.tenant().clone();
    let row: Option<InvitationRow> = sqlx::query_as(
        "DELETE FROM invitations WHERE tenant_id = $1 AND invitation_id = $2 \
         RETURNING invitation_id, email, role, invited_by, created_at, expires_at",
    )
    .bind(tenant.as_str())
    .bind(id)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(Into::into))
}

/// Takes away the invitation of an address, and all that any of `makers` made, and gives them.
pub async fn take_back_all(
    tx: &mut TenantTx,
    email: Option<&str>,
    makers: &[String],
) -> sqlx::Result<Vec<Invitation>> {
    let tenant = tx.tenant().clone();
    let rows: Vec<InvitationRow> = sqlx::query_as(
        "DELETE FROM invitations WHERE tenant_id = $1 AND (email = $2 OR made_by = ANY ($3)) \
         RETURNING invitation_id, email, role, invited_by, created_at, expires_at",
    )
    .bind(tenant.as_str())
    .bind(email)
    .bind(makers)
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// What the tenant is called.
pub async fn tenant_name(tx: &mut TenantTx) -> sqlx::Result<String> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar("SELECT name FROM tenants WHERE tenant_id = $1")
        .bind(tenant.as_str())
        .fetch_one(tx.conn())
        .await
}

/// An invitation, to whoever holds its link.
#[derive(sqlx::FromRow)]
pub struct Held {
    pub tenant_id: String,
    pub tenant_name: String,
    pub email: String,
    pub role: Role,
    pub invited_by: String,
    /// Whether the link is enough for a new account; none for one of before, which does not say.
    pub makes_account: Option<bool>,
}

/// While it holds.
pub async fn held(tx: &mut CredentialTx, hash: &[u8; 32]) -> sqlx::Result<Option<Held>> {
    sqlx::query_as(
        "SELECT i.tenant_id, t.name AS tenant_name, i.email, i.role, i.invited_by, i.makes_account FROM invitations i \
         JOIN tenants t USING (tenant_id) WHERE i.token_hash = $1 AND i.expires_at > now() AND t.is_active",
    )
    .bind(hash.as_slice())
    .fetch_optional(tx.conn())
    .await
}

/// Uses it up: of two who accept at once, one finds it. Gives the role.
pub async fn accept(tx: &mut TenantTx, hash: &[u8; 32]) -> sqlx::Result<Option<Role>> {
    let tenant = tx.tenant().clone();
    sqlx::query_scalar(
        "DELETE FROM invitations WHERE tenant_id = $1 AND token_hash = $2 AND expires_at > now() RETURNING role",
    )
    .bind(tenant.as_str())
    .bind(hash.as_slice())
    .fetch_optional(tx.conn())
    .await
}

/// A member from now on; one who is it already gets the role.
pub async fn join(tx: &mut TenantTx, user: UserId, role: Role) -> sqlx::Result<()> {
    let tenant = tx.tenant().clone();
    sqlx::query(
        "INSERT INTO memberships (tenant_id, user_id, role) VALUES ($1, $2, $3) \
         ON CONFLICT (tenant_id, user_id) DO UPDATE SET role = $3",
    )
    .bind(tenant.as_str())
    .bind(user)
    .bind(role.as_str())
    .execute(tx.conn())
    .await
    .map(drop)
}
