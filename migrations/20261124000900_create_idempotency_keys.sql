-- The first answer to a POST that may come twice. Kept for a day.
CREATE TABLE idempotency_keys (
    tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    record_id   bigint GENERATED ALWAYS AS IDENTITY,
    -- Whose key it is: two callers may choose the same.
    caller      text NOT NULL,
    key         text NOT NULL,
    -- Of method, address and body.
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- None while the first request is under way.
    status      integer,
    headers     jsonb NOT NULL DEFAULT '[]',
    -- Encrypted: an answer may show a secret, this once.
    answer      bytea,
    PRIMARY KEY (tenant_id, record_id),
    CONSTRAINT uq_eivs_idempotency_keys_tenant_key UNIQUE (tenant_id, caller, key)
);
CREATE INDEX ix_eivs_idempotency_keys_created ON idempotency_keys (tenant_id, created_at);

SELECT protect_tenant_table('idempotency_keys'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO flowengine_app;
GRANT USAGE ON SEQUENCE idempotency_keys_record_id_seq TO flowengine_app;
