-- no-transaction
-- Lists of messages are narrowed to those without an intent, newest first. Made while others write: the table may be large.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_emails_without_intent ON emails (tenant_id, email_id DESC)
    WHERE intent_name IS NULL;
