-- What a tenant's classifier learns from. Without an intent: a message that belongs to none.
CREATE TABLE intent_examples (
    tenant_id  text NOT NULL REFERENCES tenants ON DELETE CASCADE,
    example_id bigint GENERATED ALWAYS AS IDENTITY,
    intent_id  bigint,
    text       text NOT NULL CHECK (text <> '' AND length(text) <= 20000),
    text_hash  bytea NOT NULL CHECK (length(text_hash) = 32),
    origin     text NOT NULL CHECK (origin IN ('example', 'correction')),
    -- The message that a person corrected. Its text goes with it.
    email_id   uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, example_id),
    CONSTRAINT uq_eivs_intent_examples_text UNIQUE NULLS NOT DISTINCT (tenant_id, intent_id, text_hash),
    CONSTRAINT uq_eivs_intent_examples_email UNIQUE (tenant_id, email_id),
    CONSTRAINT fk_eivs_intent_examples_intent FOREIGN KEY (tenant_id, intent_id)
        REFERENCES intents (tenant_id, intent_id) ON DELETE CASCADE,
    CONSTRAINT fk_eivs_intent_examples_email FOREIGN KEY (tenant_id, email_id)
        REFERENCES emails (tenant_id, email_id) ON DELETE CASCADE,
    CHECK (intent_id IS NOT NULL OR origin = 'correction')
);

-- The gate, and what the training worker needs to know: it sees this table of all tenants, so nothing of a
-- message or an intent may stand here. `revision` counts the changes of the examples.
CREATE TABLE classifier_settings (
    tenant_id        text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    gate             double precision NOT NULL DEFAULT 0.95 CHECK (gate BETWEEN 0.5 AND 1),
    revision         bigint NOT NULL DEFAULT 0,
    trained_revision bigint NOT NULL DEFAULT 0,
    -- The last change, and the first that is not trained yet.
    changed_at       timestamptz NOT NULL DEFAULT now(),
    stale_since      timestamptz,
    lock_token       uuid,
    locked_until     timestamptz
);
CREATE INDEX ix_eivs_classifier_settings_stale ON classifier_settings (stale_since) WHERE stale_since IS NOT NULL;

CREATE TABLE classifiers (
    tenant_id  text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    -- The examples that it was trained on.
    revision   bigint NOT NULL,
    model      bytea NOT NULL,
    report     jsonb NOT NULL,
    trained_at timestamptz NOT NULL DEFAULT now()
);

-- Who said which intent the message has, if a person did; `requested_intent` then is what they said, and none is
-- an answer too.
ALTER TABLE emails ADD COLUMN corrected_by text;

-- Triggers, because an example also goes with its intent or its message, past every service.
CREATE FUNCTION note_added_examples() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO eivs.classifier_settings AS s (tenant_id, revision, stale_since)
        SELECT DISTINCT tenant_id, 1, now() FROM added
        ON CONFLICT (tenant_id) DO UPDATE SET revision = s.revision + 1, changed_at = now(),
            stale_since = coalesce(s.stale_since, now());
    RETURN NULL;
END $$;
-- Where the tenant itself goes, its settings may be gone already: then there is nothing to update.
CREATE FUNCTION note_removed_examples() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE eivs.classifier_settings s SET revision = s.revision + 1, changed_at = now(),
        stale_since = coalesce(s.stale_since, now())
        WHERE s.tenant_id IN (SELECT tenant_id FROM removed);
    RETURN NULL;
END $$;
CREATE TRIGGER note_added AFTER INSERT ON intent_examples REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION note_added_examples();
CREATE TRIGGER note_removed AFTER DELETE ON intent_examples REFERENCING OLD TABLE AS removed
    FOR EACH STATEMENT EXECUTE FUNCTION note_removed_examples();

SELECT protect_tenant_table('intent_examples'::regclass);
SELECT protect_tenant_table('classifier_settings'::regclass);
SELECT protect_tenant_table('classifiers'::regclass);
CREATE POLICY by_worker ON classifier_settings
    USING (current_setting('app.worker', true) = 'on')
    WITH CHECK (current_setting('app.worker', true) = 'on');

GRANT SELECT, INSERT, UPDATE, DELETE ON intent_examples, classifier_settings, classifiers TO flowengine_app;
GRANT USAGE ON SEQUENCE intent_examples_example_id_seq TO flowengine_app;
