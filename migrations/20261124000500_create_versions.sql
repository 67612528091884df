-- How often a tenant's intents and rules were changed. Whoever changes them locks this row first: the changes of a
-- tenant come one after the other, so that a revision names one state of all of them.
CREATE TABLE configuration_revisions (
    tenant_id text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    revision  bigint NOT NULL
);

-- An intent with its rules, as a change left it. It outlives the intent: what decided a message stays readable.
CREATE TABLE intent_versions (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    intent_id  bigint NOT NULL,
    version    integer NOT NULL,
    -- The first revision that it is a part of.
    revision   bigint NOT NULL,
    is_deleted boolean NOT NULL DEFAULT false,
    -- The rows, as JSON.
    intent     jsonb NOT NULL,
    rules      jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (tenant_id, intent_id, version)
);
CREATE INDEX ix_eivs_intent_versions_revision ON intent_versions (tenant_id, revision);

ALTER TABLE intents ADD COLUMN version integer NOT NULL DEFAULT 0;

-- What decided a message: the version of its intent, and the state of all intents that it was held against.
ALTER TABLE emails
    ADD COLUMN intent_version integer,
    ADD COLUMN configuration_revision bigint,
    -- The state that the next run is to use, where it is not today's.
    ADD COLUMN requested_revision bigint;

SELECT protect_tenant_table('configuration_revisions'::regclass);
SELECT protect_tenant_table('intent_versions'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON configuration_revisions, intent_versions TO flowengine_app;

-- What is there becomes version 1. The policies hold for the owner too, so it goes tenant by tenant.
DO $$
DECLARE
    tenant text;
BEGIN
    FOR tenant IN SELECT tenant_id FROM tenants LOOP
        PERFORM set_config('app.tenant_id', tenant, true);
        INSERT INTO configuration_revisions (tenant_id, revision) VALUES (tenant, 1);
        UPDATE intents SET version = 1 WHERE tenant_id = tenant;
        INSERT INTO intent_versions (tenant_id, intent_id, version, revision, intent, rules, created_by)
            SELECT i.tenant_id, i.intent_id, 1, 1, to_jsonb(i), coalesce((
                SELECT jsonb_agg(to_jsonb(r) ORDER BY r.priority, r.rule_id) FROM validation_rules r
                WHERE r.tenant_id = i.tenant_id AND r.intent_id = i.intent_id), '[]'), 'FlowEngine'
            FROM intents i WHERE i.tenant_id = tenant;
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END $$;
