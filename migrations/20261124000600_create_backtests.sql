-- An intent that lacks the version it names cannot be committed: whoever changes one without keeping it is told.
ALTER TABLE intents ADD CONSTRAINT fk_eivs_intents_version FOREIGN KEY (tenant_id, intent_id, version)
    REFERENCES intent_versions (tenant_id, intent_id, version) DEFERRABLE INITIALLY DEFERRED;

-- A draft that is run over stored messages. Nothing of what comes of it is sent.
CREATE TABLE backtests (
    tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    backtest_id uuid NOT NULL,
    status      text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
    -- The saved intent whose place the draft takes, if any. No foreign key: what was tried stays readable.
    intent_id   bigint,
    -- The draft, checked: the intent, and its active rules by priority.
    intent      jsonb NOT NULL,
    rules       jsonb NOT NULL,
    -- The state of the other intents, from beginning to end.
    revision    bigint NOT NULL,
    -- Why it failed.
    note        text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    created_by  text NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, backtest_id)
);

-- The messages that it runs over, chosen when it was asked for. Without an outcome: not run yet.
CREATE TABLE backtest_messages (
    tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    backtest_id uuid NOT NULL,
    email_id    uuid NOT NULL,
    outcome     text CHECK (outcome IN ('same', 'changed', 'skipped', 'error')),
    -- How the message stood when it was run, what it would come to, and which verdicts differ.
    before      jsonb,
    after       jsonb,
    differences jsonb,
    PRIMARY KEY (tenant_id, backtest_id, email_id),
    CONSTRAINT fk_eivs_backtest_messages_backtest FOREIGN KEY (tenant_id, backtest_id)
        REFERENCES backtests (tenant_id, backtest_id) ON DELETE CASCADE,
    CONSTRAINT fk_eivs_backtest_messages_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE
);
CREATE INDEX ix_eivs_backtest_messages_email ON backtest_messages (tenant_id, email_id);

ALTER TABLE jobs DROP CONSTRAINT ck_eivs_jobs_kind;
ALTER TABLE jobs
    ADD CONSTRAINT ck_eivs_jobs_kind CHECK (kind IN ('email', 'delivery', 'backtest')),
    ADD COLUMN backtest_id uuid GENERATED ALWAYS AS (CASE WHEN kind = 'backtest' THEN subject END) STORED;
ALTER TABLE jobs ADD CONSTRAINT fk_eivs_jobs_backtest FOREIGN KEY (tenant_id, backtest_id)
    REFERENCES backtests (tenant_id, backtest_id) ON DELETE CASCADE;

SELECT protect_tenant_table('backtests'::regclass);
SELECT protect_tenant_table('backtest_messages'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON backtests, backtest_messages TO flowengine_app;
