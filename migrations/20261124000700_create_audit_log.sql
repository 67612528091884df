-- Who did what, when, from where. Written in the transaction of what it tells of, and never changed: the server's
-- role may add to it and read it, and no more. A tenant's log goes with the tenant; that it went stands in the
-- installation's.

CREATE TABLE audit_log (
    tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    audit_id    bigint GENERATED ALWAYS AS IDENTITY,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    actor_kind  text NOT NULL CHECK (actor_kind IN ('user', 'key', 'token', 'system')),
    -- As it was called then: the name outlives whom it names.
    actor       text NOT NULL,
    address     inet,
    request_id  text,
    action      text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    object_id   text NOT NULL,
    -- Secrets masked. Of a change, the members that differ.
    before      jsonb,
    after       jsonb,
    PRIMARY KEY (tenant_id, audit_id)
);
CREATE INDEX ix_eivs_audit_log_action ON audit_log (tenant_id, action, audit_id DESC);
CREATE INDEX ix_eivs_audit_log_object ON audit_log (tenant_id, object_id, audit_id DESC);

SELECT protect_tenant_table('audit_log'::regclass);
GRANT SELECT, INSERT ON audit_log TO flowengine_app;
GRANT USAGE ON SEQUENCE audit_log_audit_id_seq TO flowengine_app;

-- What is done to the installation: tenants, people, keys of its own, sign-ins.
CREATE TABLE instance_audit_log (
    audit_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    actor_kind  text NOT NULL CHECK (actor_kind IN ('user', 'key', 'token', 'system')),
    actor       text NOT NULL,
    address     inet,
    request_id  text,
    action      text NOT NULL CHECK (action ~ '^[a-z_]+\.[a-z_]+$'),
    object_id   text NOT NULL,
    before      jsonb,
    after       jsonb
);
CREATE INDEX ix_eivs_instance_audit_log_action ON instance_audit_log (action, audit_id DESC);

GRANT SELECT, INSERT ON instance_audit_log TO flowengine_app;
GRANT USAGE ON SEQUENCE instance_audit_log_audit_id_seq TO flowengine_app;
