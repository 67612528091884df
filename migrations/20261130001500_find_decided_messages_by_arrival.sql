-- no-transaction
-- What is to go because of its age is looked for again and again, and what waits for a person is kept for twice as long: it
-- is not to be read each time. Made while others write: the table may be large.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_emails_received_decided ON emails (tenant_id, received_at)
    WHERE decision IS DISTINCT FROM 'review';
