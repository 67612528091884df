-- no-transaction
-- Each index in a transaction of its own: while it is made, nobody writes to its table, and to hold several tables at once
-- could meet whoever writes to them in another order. So it can also be gone over again where it broke off.

-- A person's tenants, at every page of theirs: the primary key begins with the tenant.
BEGIN;
SET LOCAL lock_timeout = '5s';
CREATE INDEX IF NOT EXISTS ix_eivs_memberships_user ON memberships (user_id);
COMMIT;

-- From one tenant that has jobs of a kind to the next, however many have none. `ix_eivs_jobs_due` stays: by it a tenant's
-- oldest job is found, and servers of before go round by it.
BEGIN;
SET LOCAL lock_timeout = '5s';
CREATE INDEX IF NOT EXISTS ix_eivs_jobs_tenants ON jobs (kind, tenant_id, run_at);
COMMIT;
