-- no-transaction
-- Lists of messages are narrowed to those of which a datasource could not be asked, newest first, also while they wait to be
-- tried again. Made while others write: the queue may be long.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_jobs_errors ON jobs (tenant_id, email_id DESC)
    WHERE email_id IS NOT NULL AND last_error IS NOT NULL;
