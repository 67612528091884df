-- One queue for all work: a job names what it is about (`kind` and `subject`), and nothing of what that holds.
-- A generated column for each kind carries its foreign key, so that a job goes with its subject.
ALTER TABLE jobs DROP CONSTRAINT uq_eivs_jobs_tenant_email;
ALTER TABLE jobs DROP CONSTRAINT fk_eivs_jobs_email;
DROP INDEX ix_eivs_jobs_due;
ALTER TABLE jobs RENAME COLUMN email_id TO subject;
ALTER TABLE jobs ADD COLUMN kind text NOT NULL DEFAULT 'email';
ALTER TABLE jobs ALTER COLUMN kind DROP DEFAULT;
ALTER TABLE jobs
    ADD CONSTRAINT ck_eivs_jobs_kind CHECK (kind IN ('email', 'delivery')),
    ADD CONSTRAINT uq_eivs_jobs_tenant_subject UNIQUE (tenant_id, kind, subject),
    ADD COLUMN email_id uuid GENERATED ALWAYS AS (CASE WHEN kind = 'email' THEN subject END) STORED,
    ADD COLUMN delivery_id uuid GENERATED ALWAYS AS (CASE WHEN kind = 'delivery' THEN subject END) STORED;
ALTER TABLE jobs ADD CONSTRAINT fk_eivs_jobs_email FOREIGN KEY (tenant_id, email_id)
    REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE;
CREATE INDEX ix_eivs_jobs_due ON jobs (tenant_id, kind, run_at);

-- What is done on a decision. Without an intent: for every intent, and for messages that have none.
CREATE TABLE routes (
    tenant_id       text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    route_id        bigint GENERATED ALWAYS AS IDENTITY,
    name            text NOT NULL CHECK (name <> ''),
    intent_id       bigint,
    kind            text NOT NULL CHECK (kind IN ('webhook', 'forward', 'reply', 'label')),
    decisions       text[] NOT NULL CHECK (cardinality(decisions) > 0
                    AND decisions <@ ARRAY['accepted', 'rejected', 'review']),
    settings        jsonb NOT NULL,
    is_active       boolean NOT NULL DEFAULT true,
    -- A webhook's signing secret, encrypted; the one before signs too until it ends.
    secret          bytea,
    old_secret      bytea,
    old_secret_ends timestamptz,
    -- A webhook's header values, encrypted, since a key may stand there; their names stand in `settings`.
    header_values   bytea,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, route_id),
    CONSTRAINT uq_eivs_routes_tenant_name UNIQUE (tenant_id, name),
    CONSTRAINT fk_eivs_routes_intent FOREIGN KEY (tenant_id, intent_id)
        REFERENCES intents (tenant_id, intent_id) ON DELETE CASCADE
);
CREATE INDEX ix_eivs_routes_intent ON routes (tenant_id, intent_id);

-- One doing of a route for one outcome of a message. It outlives its route: what was sent stays readable.
CREATE TABLE deliveries (
    tenant_id    text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    delivery_id  uuid NOT NULL,
    email_id     uuid NOT NULL,
    run          integer NOT NULL,
    -- The outcome that it is for.
    decision     text NOT NULL CHECK (decision IN ('accepted', 'rejected', 'review')),
    -- Without a foreign key: it outlives its intent.
    intent_id    bigint,
    intent_name  text,
    route_id     bigint,
    route_name   text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('webhook', 'forward', 'reply', 'label')),
    -- A host, addresses or a label: for people, and for counting replies.
    destination  text NOT NULL,
    -- What is sent, as it was rendered when the message was decided.
    payload      jsonb NOT NULL,
    status       text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'cancelled')),
    attempts     integer NOT NULL DEFAULT 0,
    next_attempt timestamptz,
    -- What was said of it last: why it failed, or why it was not sent.
    note         text,
    last_status  integer,
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    PRIMARY KEY (tenant_id, delivery_id),
    CONSTRAINT fk_eivs_deliveries_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE,
    CONSTRAINT fk_eivs_deliveries_route FOREIGN KEY (tenant_id, route_id)
        REFERENCES routes (tenant_id, route_id) ON DELETE SET NULL (route_id)
);
-- Whatever two writers believe, a route has one delivery under way for a message.
CREATE UNIQUE INDEX uq_eivs_deliveries_pending ON deliveries (tenant_id, email_id, route_id)
    WHERE status = 'pending';
CREATE INDEX ix_eivs_deliveries_email ON deliveries (tenant_id, email_id, delivery_id);
CREATE INDEX ix_eivs_deliveries_status ON deliveries (tenant_id, status, delivery_id DESC);
CREATE INDEX ix_eivs_deliveries_route ON deliveries (tenant_id, route_id, delivery_id DESC);
-- Whom replies went to, what stands after a + aside: it is the same mailbox.
CREATE INDEX ix_eivs_deliveries_replies ON deliveries
    (tenant_id, regexp_replace(lower(destination), '\+[^@]*@', '@'), created_at) WHERE kind = 'reply';

ALTER TABLE jobs ADD CONSTRAINT fk_eivs_jobs_delivery FOREIGN KEY (tenant_id, delivery_id)
    REFERENCES deliveries (tenant_id, delivery_id) ON DELETE CASCADE;

-- The labels of a message's present outcome.
CREATE TABLE email_labels (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email_id   uuid NOT NULL,
    label      text NOT NULL CHECK (label <> ''),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, email_id, label),
    CONSTRAINT fk_eivs_email_labels_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE
);
CREATE INDEX ix_eivs_email_labels_label ON email_labels (tenant_id, label, email_id DESC);

SELECT protect_tenant_table('routes'::regclass);
SELECT protect_tenant_table('deliveries'::regclass);
SELECT protect_tenant_table('email_labels'::regclass);

GRANT SELECT, INSERT, UPDATE, DELETE ON routes, deliveries, email_labels TO flowengine_app;
GRANT USAGE ON SEQUENCE routes_route_id_seq TO flowengine_app;
