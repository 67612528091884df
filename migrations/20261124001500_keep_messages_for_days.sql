-- How long a tenant's messages are kept. A table of its own and no column of `tenants`: it is the tenant's to change,
-- not the installation's. The worker that deletes sees it of all tenants, so nothing else may stand here.
CREATE TABLE retention (
    tenant_id    text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    -- NULL: for ever.
    message_days integer CHECK (message_days BETWEEN 1 AND 3650),
    -- NULL: nobody has said yet.
    changed_at   timestamptz,
    -- Messages that are deleted, and that the audit log does not tell of yet: a turn of the worker tells once.
    untold       bigint NOT NULL DEFAULT 0
);

SELECT protect_tenant_table('retention'::regclass);
CREATE POLICY by_worker ON retention FOR SELECT USING (current_setting('app.worker', true) = 'on');
GRANT SELECT, INSERT, UPDATE, DELETE ON retention TO flowengine_app;

-- Old messages are found by their arrival …
CREATE INDEX ix_eivs_emails_received ON emails (tenant_id, received_at);
-- … and whatever goes with one by its key: without these, each deletion would read the tenant's whole queue.
CREATE INDEX ix_eivs_jobs_email ON jobs (tenant_id, email_id) WHERE email_id IS NOT NULL;
CREATE INDEX ix_eivs_jobs_delivery ON jobs (tenant_id, delivery_id) WHERE delivery_id IS NOT NULL;
