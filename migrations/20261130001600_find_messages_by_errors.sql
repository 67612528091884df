-- no-transaction
-- Lists of messages are narrowed to those of which a datasource could not be asked, newest first. Made while others write: the
-- table may be large.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_verdicts_errors ON verdicts (tenant_id, email_id DESC)
    WHERE verdict = 'error';
