-- no-transaction
-- Lists of messages are narrowed to those that were decided within some time: "what was decided yesterday". Made while others
-- write: the table may be large.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_emails_decided ON emails (tenant_id, decided_at)
    WHERE decided_at IS NOT NULL;
