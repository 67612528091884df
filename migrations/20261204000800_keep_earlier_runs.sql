-- What a run of a message came to, once it stands in the message no more: a person decided otherwise, or it was run again. A
-- message that is run once, and left as it is, has no row. Its text and its headers are not kept a
-- second time. The verdicts of every run are
-- kept as they always were. Servers of before write none of this, and nothing is known of what they wrote over.

-- Whoever takes messages in waits behind this one, which waits for whoever wrote to messages. A vacuum gives way after one
-- second (`deadlock_timeout`).
SET LOCAL lock_timeout = '2s';

CREATE TABLE email_runs (
    tenant_id              text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    email_id               uuid NOT NULL,
    run                    integer NOT NULL,
    -- Without a foreign key: it outlives its intent.
    intent_id              bigint,
    intent_name            text,
    decision               text NOT NULL CHECK (decision IN ('accepted', 'rejected', 'review')),
    decided_by             text,
    decided_at             timestamptz,
    explanation            text NOT NULL,
    -- Without `body`, `new_text` and `header.…`.
    fields                 jsonb NOT NULL,
    classification         jsonb,
    parse_error            text,
    intent_version         integer,
    configuration_revision bigint,
    PRIMARY KEY (tenant_id, email_id, run),
    CONSTRAINT fk_eivs_email_runs_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE
);

SELECT protect_tenant_table('email_runs'::regclass);
GRANT SELECT, INSERT, UPDATE, DELETE ON email_runs TO flowengine_app;
