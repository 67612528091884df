-- The schema `eivs` and the role `flowengine_app` exist before this runs (src/server/database.rs makes them):
-- a role belongs to the cluster, not to the database, and several databases may be migrated at once.

-- Instance-wide tables: no tenant, no row-level security.

CREATE TABLE tenants (
    tenant_id   text PRIMARY KEY CHECK (tenant_id ~ '^[a-z][a-z0-9_]{0,62}$'),
    name        text NOT NULL CHECK (name <> ''),
    is_active   boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_eivs_tenants_name UNIQUE (name)
);

CREATE TABLE users (
    user_id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email             text NOT NULL CHECK (email = lower(email)),
    display_name      text NOT NULL,
    password_hash     text,
    is_instance_admin boolean NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_eivs_users_email UNIQUE (email)
);

CREATE TABLE sessions (
    token_hash   bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id      bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX ix_eivs_sessions_user ON sessions (user_id);

CREATE TABLE sign_in_links (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE TABLE instance_api_keys (
    key_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL CHECK (name <> ''),
    prefix       text NOT NULL,
    key_hash     bytea NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz
);

-- Tenant tables: `tenant_id` leads every key, so that the database itself refuses a row that points at
-- another tenant's (and so that a distributed PostgreSQL can shard by it).

CREATE TABLE memberships (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'admin')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE api_keys (
    tenant_id    text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    key_id       bigint GENERATED ALWAYS AS IDENTITY,
    name         text NOT NULL CHECK (name <> ''),
    role         text NOT NULL CHECK (role IN ('viewer', 'operator', 'editor', 'admin')),
    prefix       text NOT NULL,
    key_hash     bytea NOT NULL CHECK (length(key_hash) = 32),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    PRIMARY KEY (tenant_id, key_id),
    CONSTRAINT uq_eivs_api_keys_tenant_hash UNIQUE (tenant_id, key_hash)
);
CREATE INDEX ix_eivs_api_keys_hash ON api_keys (key_hash);

-- One data key per tenant (and per rotation), wrapped by a key-encryption key that is not in the database.
CREATE TABLE data_keys (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    key_id     uuid NOT NULL,
    kek_id     text NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key_id)
);

CREATE TABLE datasource_configs (
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    config_id       bigint GENERATED ALWAYS AS IDENTITY,
    name            text NOT NULL CHECK (name <> ''),
    protocol        text NOT NULL,
    driver_family   text NOT NULL,
    base_url        text,
    auth_type       text NOT NULL CHECK (auth_type IN ('none', 'basic', 'bearer', 'api_key', 'oauth')),
    -- Encrypted; its members' names stand beside it, so that a read need not open it.
    auth_config     bytea,
    auth_members    text[] NOT NULL DEFAULT '{}',
    connection_json jsonb NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, config_id),
    CONSTRAINT uq_eivs_datasource_configs_tenant_name UNIQUE (tenant_id, name)
);

CREATE TABLE datasources (
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    datasource_id   bigint GENERATED ALWAYS AS IDENTITY,
    name            text NOT NULL CHECK (name <> ''),
    datasource_type text NOT NULL CHECK (datasource_type IN ('database', 'api', 'file')),
    connection_key  text NOT NULL,
    description     text NOT NULL DEFAULT '',
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, datasource_id),
    CONSTRAINT uq_eivs_datasources_tenant_name UNIQUE (tenant_id, name)
);
CREATE INDEX ix_eivs_datasources_connection_key ON datasources (tenant_id, connection_key);

CREATE TABLE intents (
    tenant_id   text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    intent_id   bigint GENERATED ALWAYS AS IDENTITY,
    name        text NOT NULL CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    is_active   boolean NOT NULL DEFAULT true,
    priority    integer NOT NULL DEFAULT 100,
    match       jsonb NOT NULL DEFAULT '{}',
    extractors  jsonb NOT NULL DEFAULT '[]',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, intent_id),
    CONSTRAINT uq_eivs_intents_tenant_name UNIQUE (tenant_id, name)
);

CREATE TABLE validation_rules (
    tenant_id     text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    rule_id       bigint GENERATED ALWAYS AS IDENTITY,
    intent_id     bigint NOT NULL,
    datasource_id bigint,
    field_name    text NOT NULL CHECK (field_name <> ''),
    rule_type     text NOT NULL,
    conditions    jsonb NOT NULL DEFAULT '{}',
    priority      integer NOT NULL DEFAULT 100,
    is_active     boolean NOT NULL DEFAULT true,
    on_fail       text NOT NULL DEFAULT 'reject' CHECK (on_fail IN ('reject', 'review', 'warn')),
    on_error      text NOT NULL DEFAULT 'review' CHECK (on_error IN ('review', 'reject', 'ignore')),
    when_missing  text NOT NULL DEFAULT 'fail' CHECK (when_missing IN ('fail', 'skip')),
    stop          boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, rule_id),
    CONSTRAINT fk_eivs_rules_intent FOREIGN KEY (tenant_id, intent_id)
        REFERENCES intents (tenant_id, intent_id) ON DELETE CASCADE,
    CONSTRAINT fk_eivs_rules_datasource FOREIGN KEY (tenant_id, datasource_id)
        REFERENCES datasources (tenant_id, datasource_id) ON DELETE CASCADE
);
CREATE INDEX ix_eivs_rules_intent ON validation_rules (tenant_id, intent_id, priority, rule_id);
CREATE INDEX ix_eivs_rules_datasource ON validation_rules (tenant_id, datasource_id);

CREATE TABLE emails (
    tenant_id         text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email_id          uuid NOT NULL,
    source            text NOT NULL,
    message_id        text NOT NULL DEFAULT '',
    content_hash      bytea NOT NULL CHECK (length(content_hash) = 32),
    raw               bytea NOT NULL,
    parse_error       text,
    sender_email      text NOT NULL DEFAULT '',
    sender_name       text NOT NULL DEFAULT '',
    recipient_email   text NOT NULL DEFAULT '',
    subject           text NOT NULL DEFAULT '',
    received_at       timestamptz NOT NULL DEFAULT now(),
    status            text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'processing', 'done')),
    -- The intent that the sender of the request named, if any: it then outranks the match conditions.
    requested_intent  text,
    intent_id         bigint,
    intent_name       text,
    classification    jsonb,
    fields            jsonb NOT NULL DEFAULT '{}',
    decision          text CHECK (decision IN ('accepted', 'rejected', 'review')),
    decided_by        text,
    decided_at        timestamptz,
    explanation       text NOT NULL DEFAULT '',
    run               integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, email_id),
    -- Not the Message-ID, by which a stranger could pre-empt a genuine message: the hash of all bytes, it included.
    CONSTRAINT uq_eivs_emails_tenant_message UNIQUE (tenant_id, source, content_hash),
    CONSTRAINT fk_eivs_emails_intent FOREIGN KEY (tenant_id, intent_id)
        REFERENCES intents (tenant_id, intent_id) ON DELETE SET NULL (intent_id)
);
ALTER TABLE emails ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE INDEX ix_eivs_emails_decision ON emails (tenant_id, decision, email_id DESC);
CREATE INDEX ix_eivs_emails_status ON emails (tenant_id, status, email_id DESC) WHERE status <> 'done';
CREATE INDEX ix_eivs_emails_intent ON emails (tenant_id, intent_id, email_id DESC);

-- A verdict outlives its rule: what was judged, and how, stays readable.
CREATE TABLE verdicts (
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email_id        uuid NOT NULL,
    run             integer NOT NULL,
    position        integer NOT NULL,
    rule_id         bigint NOT NULL,
    rule_type       text NOT NULL,
    field_name      text NOT NULL,
    datasource_name text,
    on_fail         text NOT NULL,
    verdict         text NOT NULL CHECK (verdict IN ('pass', 'fail', 'error', 'skipped')),
    reason          text NOT NULL,
    evidence        jsonb NOT NULL,
    duration_ms     double precision NOT NULL,
    PRIMARY KEY (tenant_id, email_id, run, position),
    CONSTRAINT fk_eivs_verdicts_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE
);

-- The queue. A row is a promise: written in the transaction of what it is about, deleted in the transaction
-- that stores its outcome. `lock_token` is the lease of the worker that has it until `locked_until`.
CREATE TABLE jobs (
    tenant_id    text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    job_id       bigint GENERATED ALWAYS AS IDENTITY,
    email_id     uuid NOT NULL,
    run_at       timestamptz NOT NULL DEFAULT now(),
    attempts     integer NOT NULL DEFAULT 0,
    lock_token   uuid,
    locked_until timestamptz,
    last_error   text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job_id),
    CONSTRAINT uq_eivs_jobs_tenant_email UNIQUE (tenant_id, email_id),
    CONSTRAINT fk_eivs_jobs_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE
);
CREATE INDEX ix_eivs_jobs_due ON jobs (tenant_id, run_at);

-- Row-level security. One function, so that every later table is locked in the same way.
CREATE FUNCTION protect_tenant_table(tab regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tab);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tab);
    EXECUTE format(
        'CREATE POLICY tenant_isolation ON %s USING (tenant_id = current_setting(''app.tenant_id'', true)) '
        'WITH CHECK (tenant_id = current_setting(''app.tenant_id'', true))', tab);
END $$;
REVOKE ALL ON FUNCTION protect_tenant_table(regclass) FROM PUBLIC;

SELECT protect_tenant_table(t::regclass) FROM unnest(ARRAY[
    'memberships', 'api_keys', 'data_keys', 'datasource_configs', 'datasources', 'intents',
    'validation_rules', 'emails', 'verdicts', 'jobs'
]) AS t;

-- Three reads cannot know their tenant yet. Each shows only what the caller proves or needs.
-- A key is found by its own hash: to ask for it is to have it.
CREATE POLICY by_possession ON api_keys FOR SELECT
    USING (key_hash = decode(nullif(current_setting('app.key_hash', true), ''), 'hex'));
-- A person's own memberships, for the tenant selector.
CREATE POLICY by_member ON memberships FOR SELECT
    USING (user_id = nullif(current_setting('app.user_id', true), '')::bigint);
-- A worker sees which jobs are due for whom. A job row names a message; it holds nothing of it.
CREATE POLICY by_worker ON jobs
    USING (current_setting('app.worker', true) = 'on')
    WITH CHECK (current_setting('app.worker', true) = 'on');

-- TRUNCATE passes by row-level security, so it is not granted.
GRANT USAGE ON SCHEMA eivs TO flowengine_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA eivs TO flowengine_app;
REVOKE ALL ON eivs._sqlx_migrations FROM flowengine_app;
GRANT SELECT ON eivs._sqlx_migrations TO flowengine_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA eivs TO flowengine_app;
