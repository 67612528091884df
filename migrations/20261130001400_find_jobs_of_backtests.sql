-- no-transaction
-- A backtest that is deleted takes its job with it, by the foreign key: without this, all jobs of the tenant would be read for
-- each. Made while others write: the table may be large.
CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_eivs_jobs_backtest ON jobs (tenant_id, backtest_id)
    WHERE backtest_id IS NOT NULL;
